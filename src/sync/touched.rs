//! An item within a slice: what it was, and what has become of it so far.

use super::contest::{Decided, Theirs};
use super::rebase::apply_payload;
use crate::error::Result;
use crate::outbox::{Payload, Queued, queue};
use crate::protocol::{Content, OpKind, Ref, ResourceName, Rev};
use crate::replica::resources::{self, Side};
use crate::replica::{Item, base, items};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// What a rejected patch made of a value is kept up to so many bytes: a small patch may be of a large value.
const LONGEST_MEANT: usize = 256 << 10;

/// What was confirmed of an item, as far as this slice knows.
pub(super) enum Base {
    /// As the file has it.
    Stored,
    /// A value, or that there is no item.
    Known(Option<String>),
}

/// What entries did to the resources of an item.
#[derive(Default)]
pub(super) struct Moved {
    /// All that there were are gone.
    pub cleared: bool,
    /// After that; `None`: this one is gone.
    pub changed: BTreeMap<ResourceName, Option<Content>>,
}

impl Moved {
    pub fn clear(&mut self) {
        *self = Moved { cleared: true, changed: BTreeMap::new() };
    }

    pub fn write(&self, connection: &Connection, item: i64, side: Side) -> Result<()> {
        if self.cleared {
            resources::clear(connection, item, side)?;
        }
        for (resource, content) in &self.changed {
            resources::put(connection, item, resource, side, content.as_ref())?;
        }
        Ok(())
    }
}

/// An item that a slice changes, or settles ops of.
pub(super) struct Touched {
    /// The row as it was; `None`: there was none.
    pub row: Option<Item>,
    /// The rev of the base as of the last entry; 0: no item.
    pub rev: Rev,
    pub base: Base,
    /// What became of its resources.
    pub moved: Moved,
    /// The row's value is the base already: the item's only op was committed as sent.
    pub view_is_base: bool,
    /// How many of its ops this slice has settled.
    pub settled: u32,
    /// Those of them on its value that others are behind, by their places.
    pub gone: Vec<(i64, Payload)>,
    /// The last operation that changed its value, or ceased to.
    pub op: Option<Ref>,
    /// The same of its resources.
    pub resource_op: Option<Ref>,
    /// What others did to parts of it.
    pub theirs: Vec<Theirs>,
    /// What became of own ops on it.
    pub decided: Decided,
    /// The user may not see it any more.
    pub revoked: bool,
}

/// What the host read of an item before the slice, with no other op on top of a patch that is rejected, if it applied.
pub(super) fn meant(connection: &Connection, touched: Option<&Touched>, op: &Queued) -> Result<Option<String>> {
    if op.payload.kind != OpKind::Patch || !op.applies {
        return Ok(None);
    }
    let row = match touched {
        Some(touched) => touched.row,
        None => items::find_by_id(connection, op.item)?,
    };
    let Some(row) = row else { return Ok(None) };
    let mut ops: Vec<(i64, Payload)> = touched.map_or(Vec::new(), |touched| touched.gone.clone());
    let queued = queue::of_item(connection, op.item)?.into_iter();
    let on_value = queued.filter(|other| other.applies && other.payload.resource == ResourceName::Value);
    ops.extend(on_value.map(|other| (other.id(), other.payload)));
    ops.sort_by_key(|(id, _)| *id);
    let mut value = base::confirmed(connection, row)?;
    for (_, payload) in ops.iter().take_while(|(id, _)| *id <= op.id()) {
        match apply_payload(value.as_deref(), payload) {
            Ok(next) => value = next,
            Err(_) => return Ok(None),
        }
    }
    Ok(value.filter(|value| value.len() <= LONGEST_MEANT))
}
