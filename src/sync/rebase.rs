//! Rebase: the view of an item is its base with the pending ops in order.

use crate::error::Result;
use crate::outbox::{Payload, Queued, queue};
use crate::planted::{Planted, planted};
use crate::protocol::patch::{self, PatchError};
use crate::protocol::{Content, Json, Limits, OpKind, ResourceName};
use crate::replica::resources::{self, Side};
use crate::replica::{Item, base, items};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// The value after an op on it; `None`: there is no item then. Fails when the op does not apply.
pub(crate) fn apply_payload(value: Option<&str>, payload: &Payload) -> Result<Option<String>, PatchError> {
    let failed = |reason: String| PatchError { operation: 0, path: String::new(), reason };
    match payload.kind {
        OpKind::Set => Ok(payload.text.clone()),
        OpKind::Delete => Ok(None),
        OpKind::Patch => {
            let value = value.ok_or_else(|| failed("there is no item to patch".into()))?;
            let json = |text: &str| Json::from_stored(text.to_owned()).map_err(|error| failed(error.to_string()));
            let patch = json(payload.text.as_deref().unwrap_or("null"))?;
            Ok(Some(patch::apply(&json(value)?, &patch, &Limits::CONFIRMED)?.into_string()))
        }
    }
}

/// An item as its pending ops leave it.
struct View {
    /// `None`: there is no item, and then none of the others either.
    value: Option<String>,
    resources: BTreeMap<ResourceName, Content>,
}

impl View {
    /// Takes an op; whether it applies.
    fn apply(&mut self, payload: &Payload) -> bool {
        if payload.resource == ResourceName::Value {
            let Ok(next) = apply_payload(self.value.as_deref(), payload) else { return false };
            if next.is_none() {
                self.resources.clear();
            }
            self.value = next;
            return true;
        }
        match payload.content() {
            Some(Some(content)) if self.value.is_some() => {
                self.resources.insert(payload.resource.clone(), content);
                true
            }
            Some(None) => {
                self.resources.remove(&payload.resource);
                true
            }
            _ => false,
        }
    }
}

/// Writes an item's row, its base and what its resources look like anew from what is confirmed of it and its pending ops.
///
/// The resources' base is in their rows already. An op that does not apply stays queued and is marked: the server
/// decides.
pub(crate) fn rebase(connection: &Connection, row: Item, confirmed: Option<&str>, ops: &[Queued]) -> Result<()> {
    let rows = resources::of_item(connection, row.id)?;
    let of_view = planted(Planted::ResourceRebasedOnView);
    let below = |row: &resources::Stored| if of_view { row.view.clone() } else { row.base.clone() };
    let confirmed_resources = rows.iter().filter_map(|row| Some((row.resource.clone(), below(row)?)));
    let mut view = View { value: confirmed.map(str::to_owned), resources: confirmed_resources.collect() };
    for op in ops {
        let applies = view.apply(&op.payload);
        if applies != op.applies {
            queue::mark_applies(connection, op.id(), applies)?;
        }
    }
    show(connection, row.id, &rows, &view.resources)?;
    if view.value.is_none() && ops.is_empty() {
        base::delete(connection, row.id)?;
        return items::delete(connection, row.id);
    }
    keep_base(connection, row.id, confirmed.filter(|_| !ops.is_empty()))?;
    items::update(connection, Item { pending: ops.len() as u32, ..row }, view.value.as_deref())
}

/// Writes the resources whose view is another now.
fn show(
    connection: &Connection,
    item: i64,
    rows: &[resources::Stored],
    view: &BTreeMap<ResourceName, Content>,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    for row in rows {
        let content = view.get(&row.resource);
        seen.insert(&row.resource);
        if content != row.view.as_ref() {
            resources::put(connection, item, &row.resource, Side::View, content)?;
        }
    }
    for (resource, content) in view.iter().filter(|(resource, _)| !seen.contains(resource)) {
        resources::put(connection, item, resource, Side::View, Some(content))?;
    }
    Ok(())
}

fn keep_base(connection: &Connection, item: i64, value: Option<&str>) -> Result<()> {
    match value {
        Some(value) => base::insert(connection, item, value),
        None => base::delete(connection, item),
    }
}
