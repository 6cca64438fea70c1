//! What a watched item read as before a local write.

use super::write::Write;
use crate::error::Result;
use crate::protocol::{Content, Ref, ResourceName};
use crate::replica::{Item, Stands, Watched, Writing, items, resources};
use crate::watch::{ChangeKind, ItemChange, Origin};

/// An item before a write, as far as that can change it.
pub(super) struct Seen {
    watched: Watched,
    /// Of a write of an index entry, a relation or a tag that is watched by ranges.
    value: Option<String>,
    /// The resource that the write is of.
    part: Option<Content>,
    stands: Stands,
}

impl Seen {
    /// `value` is the item's, if that is what is written.
    pub fn before(
        connection: &Writing<'_>,
        watched: Watched,
        write: &Write,
        item: Option<Item>,
        value: Option<&str>,
    ) -> Result<Seen> {
        let id = item.map(|item| item.id);
        let of_value = write.payload.resource == ResourceName::Value;
        let kept = match id {
            Some(id) if !of_value && watched.ranged => items::value(connection, id)?,
            _ => None,
        };
        let part = match id {
            Some(id) if !of_value => resources::view(connection, id, &write.payload.resource)?,
            _ => None,
        };
        let stands = if watched.ranged {
            connection.stands(&write.collection, id, value.or(kept.as_deref()))?
        } else {
            Stands::new()
        };
        Ok(Seen { watched, value: kept, part, stands })
    }

    /// Tells that the value is another now.
    pub fn value_after(
        self,
        connection: &Writing<'_>,
        write: &Write,
        row: i64,
        value: Option<&str>,
        op: Ref,
    ) -> Result<()> {
        let kind = if value.is_some() { ChangeKind::Set } else { ChangeKind::Deleted };
        self.tell(connection, write, (row, value), kind, op)
    }

    /// Tells if the index entry, the relation or the tag is another now.
    pub fn resource_after(
        self,
        connection: &Writing<'_>,
        write: &Write,
        row: i64,
        part: Option<&Content>,
        op: Ref,
    ) -> Result<()> {
        if self.part.as_ref() == part {
            return Ok(());
        }
        let value = self.value.clone();
        self.tell(connection, write, (row, value.as_deref()), ChangeKind::Resources, op)
    }

    fn tell(
        self,
        connection: &Writing<'_>,
        Write { collection, key, .. }: &Write,
        (row, value): (i64, Option<&str>),
        kind: ChangeKind,
        op: Ref,
    ) -> Result<()> {
        let (collection, key) = (collection.clone(), key.clone());
        let change = ItemChange { collection, key, kind, origin: Origin::Local, op_ref: Some(op) };
        connection.changed(self.watched, self.stands, (Some(row), value), change)
    }
}
