//! What a watched item read as before a slice of the server's log, or before ops on it were withdrawn.

use crate::error::Result;
use crate::protocol::{Content, Ref, ResourceName};
use crate::replica::{Stands, Watched, Writing, items, resources};
use crate::watch::{ChangeKind, ItemChange, Origin};

/// An item before what may change it.
pub(crate) struct Seen<'a> {
    name: &'a str,
    watched: Watched,
    value: Option<String>,
    parts: Vec<(ResourceName, Content)>,
    stands: Stands,
}

/// What changed an item, if anything did.
pub(crate) struct Cause {
    /// The last operation on its value.
    pub op: Option<Ref>,
    /// The last one on its index entries, relations and tags.
    pub resource_op: Option<Ref>,
    /// The user may not see it any more.
    pub revoked: bool,
    pub origin: Origin,
}

/// The index entries, relations and tags that the host sees, in order.
fn parts(connection: &Writing<'_>, row: Option<i64>) -> Result<Vec<(ResourceName, Content)>> {
    let Some(row) = row else { return Ok(Vec::new()) };
    let stored = resources::of_item(connection, row)?;
    Ok(stored.into_iter().filter_map(|stored| Some((stored.resource, stored.view?))).collect())
}

impl<'a> Seen<'a> {
    /// `None`: nobody watches it.
    pub fn before(connection: &Writing<'_>, name: &'a str, key: &str, row: Option<i64>) -> Result<Option<Seen<'a>>> {
        let watched = connection.watched(name, key)?;
        if !watched.at_all() {
            return Ok(None);
        }
        let value = row.map_or(Ok(None), |row| items::value(connection, row))?;
        let stands = if watched.ranged { connection.stands(name, row, value.as_deref())? } else { Stands::new() };
        Ok(Some(Seen { name, watched, value, parts: parts(connection, row)?, stands }))
    }

    /// Tells if it reads otherwise now.
    pub fn after(self, connection: &Writing<'_>, (collection, key): (i64, &str), cause: Cause) -> Result<()> {
        let row = items::find(connection, collection, key)?.map(|item| item.id);
        let value = row.map_or(Ok(None), |row| items::value(connection, row))?;
        let (kind, op_ref) = match &value {
            Some(_) if value != self.value => (ChangeKind::Set, cause.op.or(cause.resource_op)),
            Some(_) if parts(connection, row)? != self.parts => (ChangeKind::Resources, cause.resource_op.or(cause.op)),
            None if self.value.is_some() && cause.revoked => (ChangeKind::Revoked, cause.op),
            None if self.value.is_some() => (ChangeKind::Deleted, cause.op),
            _ => return Ok(()),
        };
        let (collection, key) = (self.name.to_owned(), key.to_owned());
        let change = ItemChange { collection, key, kind, origin: cause.origin, op_ref };
        connection.changed(self.watched, self.stands, (row, value.as_deref()), change)
    }
}
