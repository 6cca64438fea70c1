//! The table `items`: what the host reads, and the rev that the server confirmed.

use super::{base, resources};
use crate::error::Result;
use crate::protocol::{Json, Rev, after_prefix};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension};

/// A row of the table; the value is read apart, where it is needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub id: i64,
    /// The rev of the base; 0: the base has no such item.
    pub rev: Rev,
    /// How many operations are pending.
    pub pending: u32,
}

/// The row of an item, if there is one.
pub(crate) fn find(connection: &Connection, collection: i64, key: &str) -> Result<Option<Item>> {
    let mut find =
        connection.prepare_cached("SELECT id, rev, pending FROM items WHERE collection = ?1 AND key = ?2")?;
    let row = find.query_row((collection, key), |row| {
        Ok(Item { id: row.get(0)?, rev: row.get::<_, i64>(1)? as Rev, pending: row.get(2)? })
    });
    Ok(row.optional()?)
}

/// The row of an item, if there is one, and the value that the host sees.
pub(crate) fn find_with_value(
    connection: &Connection,
    collection: i64,
    key: &str,
) -> Result<(Option<Item>, Option<String>)> {
    let mut find =
        connection.prepare_cached("SELECT id, rev, pending, value FROM items WHERE collection = ?1 AND key = ?2")?;
    let row = find.query_row((collection, key), |row| {
        Ok((Item { id: row.get(0)?, rev: row.get::<_, i64>(1)? as Rev, pending: row.get(2)? }, row.get(3)?))
    });
    Ok(row.optional()?.map_or((None, None), |(item, value)| (Some(item), value)))
}

/// The row of an item by its id.
pub(crate) fn find_by_id(connection: &Connection, id: i64) -> Result<Option<Item>> {
    let mut find = connection.prepare_cached("SELECT rev, pending FROM items WHERE id = ?1")?;
    let row = find.query_row([id], |row| Ok(Item { id, rev: row.get::<_, i64>(0)? as Rev, pending: row.get(1)? }));
    Ok(row.optional()?)
}

/// The name of a row: the id of its collection, the collection's name, and the key.
pub(crate) fn name(connection: &Connection, id: i64) -> Result<Option<(i64, String, String)>> {
    let mut find = connection.prepare_cached(
        "SELECT c.id, c.name, i.key FROM items i JOIN collections c ON c.id = i.collection WHERE i.id = ?1",
    )?;
    Ok(find.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?)
}

/// The value of a row: the view.
pub(crate) fn value(connection: &Connection, id: i64) -> Result<Option<String>> {
    let mut find = connection.prepare_cached("SELECT value FROM items WHERE id = ?1")?;
    Ok(find.query_row([id], |row| row.get(0)).optional()?.flatten())
}

/// Whether the host sees the item of a row.
pub(crate) fn is_seen(connection: &Connection, id: i64) -> Result<bool> {
    let mut find = connection.prepare_cached("SELECT value IS NOT NULL FROM items WHERE id = ?1")?;
    Ok(find.query_row([id], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// A new row; its id.
pub(crate) fn insert(
    connection: &Connection,
    collection: i64,
    key: &str,
    rev: Rev,
    pending: u32,
    value: Option<&str>,
) -> Result<i64> {
    connection
        .prepare_cached("INSERT INTO items(collection, key, rev, pending, value) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((collection, key, rev as i64, pending, value))?;
    Ok(connection.last_insert_rowid())
}

/// Sets everything but the name.
pub(crate) fn update(connection: &Connection, item: Item, value: Option<&str>) -> Result<()> {
    connection.prepare_cached("UPDATE items SET rev = ?2, pending = ?3, value = ?4 WHERE id = ?1")?.execute((
        item.id,
        item.rev as i64,
        item.pending,
        value,
    ))?;
    Ok(())
}

/// Sets the rev and the count, and leaves the value as it is.
pub(crate) fn update_confirmed(connection: &Connection, item: Item) -> Result<()> {
    connection.prepare_cached("UPDATE items SET rev = ?2, pending = ?3 WHERE id = ?1")?.execute((
        item.id,
        item.rev as i64,
        item.pending,
    ))?;
    Ok(())
}

/// Removes a row.
pub(crate) fn delete(connection: &Connection, id: i64) -> Result<()> {
    connection.prepare_cached("DELETE FROM items WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Removes a row with all that goes with it but its ops; how many resources it had.
pub(crate) fn remove(connection: &Connection, id: i64) -> Result<usize> {
    let resources = connection.prepare_cached("DELETE FROM resources WHERE item = ?1")?.execute([id])?;
    base::delete(connection, id)?;
    delete(connection, id)?;
    Ok(resources)
}

/// Moves a row to another collection; how many resources went with it.
pub(crate) fn move_to(connection: &Connection, id: i64, collection: i64) -> Result<usize> {
    connection.prepare_cached("UPDATE items SET collection = ?2 WHERE id = ?1")?.execute([id, collection])?;
    Ok(connection.prepare_cached("UPDATE resources SET collection = ?2 WHERE item = ?1")?.execute([id, collection])?)
}

/// All rows of a collection, by key: their ids and keys.
pub(crate) fn all_of(connection: &Connection, collection: i64) -> Result<Vec<(i64, String)>> {
    let mut find = connection.prepare_cached("SELECT id, key FROM items WHERE collection = ?1 ORDER BY key")?;
    let rows = find.query_map([collection], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many bytes of values one transaction goes through that deletes, moves or takes in rows that are there already: besides their number, for a host's write
/// waits until it is over.
const SLICE_BYTES: u64 = 2 << 20;

/// What a transaction has gone through of that.
#[derive(Default)]
pub(super) struct Share {
    bytes: u64,
}

impl Share {
    /// Takes a value of so many bytes; whether there is room for another.
    pub fn take(&mut self, bytes: i64) -> bool {
        self.bytes = self.bytes.saturating_add(bytes.max(0) as u64);
        self.bytes < SLICE_BYTES
    }
}

/// The first rows of a collection, by key, up to so many and a transaction's share of bytes: their ids and keys.
pub(crate) fn first_of(connection: &Connection, collection: i64, most: usize) -> Result<Vec<(i64, String)>> {
    first_behind(connection, (collection, ""), most).map(|(rows, _)| rows)
}

/// The same of the rows behind a key; and whether the share has cut them off. No key is empty.
pub(super) fn first_behind(
    connection: &Connection,
    (collection, key): (i64, &str),
    most: usize,
) -> Result<(Vec<(i64, String)>, bool)> {
    // The length is in the row's header: no value is read.
    let mut find = connection.prepare_cached(
        "SELECT id, key, ifnull(octet_length(value), 0) FROM items
         WHERE collection = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
    )?;
    let mut rows = find.query((collection, key, i64::try_from(most).unwrap_or(i64::MAX)))?;
    let (mut first, mut share) = (Vec::new(), Share::default());
    while let Some(row) = rows.next()? {
        first.push((row.get(0)?, row.get(1)?));
        if !share.take(row.get(2)?) {
            return Ok((first, true));
        }
    }
    Ok((first, false))
}

/// Loads items of a checkpoint: keeps what it needs for all of them.
pub(crate) struct Loader<'a> {
    connection: &'a Connection,
    insert: CachedStatement<'a>,
}

impl<'a> Loader<'a> {
    pub fn new(connection: &'a Connection) -> Result<Loader<'a>> {
        let insert = connection.prepare_cached(
            "INSERT INTO items(collection, key, rev, pending, value) VALUES (?1, ?2, ?3, 0, ?4)
             ON CONFLICT(collection, key) DO NOTHING",
        )?;
        Ok(Loader { connection, insert })
    }

    /// An item, without what an earlier try of the same page left of it; the id of its row.
    pub fn load(&mut self, collection: i64, key: &str, rev: Rev, value: &str) -> Result<i64> {
        if self.insert.execute((collection, key, rev as i64, value))? == 1 {
            return Ok(self.connection.last_insert_rowid());
        }
        let mut update = self
            .connection
            .prepare_cached("UPDATE items SET rev = ?3, value = ?4 WHERE collection = ?1 AND key = ?2 RETURNING id")?;
        let id = update.query_row((collection, key, rev as i64, value), |row| row.get(0))?;
        resources::clear(self.connection, id, resources::Side::Both)?;
        Ok(id)
    }
}

/// The live items with pending operations: id, collection and key.
pub(crate) fn live_pending(connection: &Connection) -> Result<Vec<(i64, String, String)>> {
    let mut find = connection.prepare_cached(
        // CROSS: from the few ops to their items, never through all items.
        "SELECT i.id, c.name, i.key FROM (SELECT DISTINCT item FROM outbox) o CROSS JOIN items i ON i.id = o.item
         CROSS JOIN collections c ON c.id = i.collection ORDER BY i.id",
    )?;
    let rows = find.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The value that the host sees; handed to `read` without a copy.
pub(crate) fn view_value<T>(
    connection: &Connection,
    collection: &str,
    key: &str,
    read: impl FnOnce(&str) -> Result<T>,
) -> Result<Option<T>> {
    let mut find = connection.prepare_cached(
        "SELECT value FROM items WHERE collection = (SELECT id FROM collections WHERE name = ?1 AND life = 0)
         AND key = ?2",
    )?;
    let mut rows = find.query((collection, key))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    match row.get_ref(0)? {
        ValueRef::Null => Ok(None),
        value => Ok(Some(read(value.as_str().map_err(rusqlite::Error::from)?)?)),
    }
}

/// Which keys of a collection to list, and in which order.
///
/// Keys sort bytewise, which for UTF-8 is the order of their code points. All conditions hold together;
/// the default is every key, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    prefix: Option<String>,
    from: Option<String>,
    to: Option<String>,
    after: Option<String>,
    reverse: bool,
    limit: Option<usize>,
}

impl KeyRange {
    /// Every key, ascending.
    pub fn all() -> KeyRange {
        KeyRange::default()
    }

    /// Only keys that begin so.
    pub fn prefix(mut self, prefix: impl Into<String>) -> KeyRange {
        self.prefix = Some(prefix.into());
        self
    }

    /// Only this key and those behind it (inclusive), whatever the direction.
    pub fn from(mut self, key: impl Into<String>) -> KeyRange {
        self.from = Some(key.into());
        self
    }

    /// Only keys before this one (exclusive), whatever the direction.
    pub fn to(mut self, key: impl Into<String>) -> KeyRange {
        self.to = Some(key.into());
        self
    }

    /// Resumes a listing after this key (exclusive), in the direction of the listing.
    pub fn after(mut self, key: impl Into<String>) -> KeyRange {
        self.after = Some(key.into());
        self
    }

    /// Descending.
    pub fn reverse(mut self) -> KeyRange {
        self.reverse = true;
        self
    }

    /// At most so many items; [`Items::more`] tells whether there are others.
    pub fn limit(mut self, items: usize) -> KeyRange {
        self.limit = Some(items);
        self
    }

    /// The lower bound with whether it is part of the range, and the upper bound, which is not.
    pub(super) fn bounds(&self) -> ((String, bool), Option<String>) {
        let mut lower = (String::new(), true);
        let mut upper: Option<String> = None;
        let mut raise = |key: &str, inclusive: bool| {
            if key > lower.0.as_str() || (key == lower.0 && !inclusive) {
                lower = (key.to_owned(), inclusive);
            }
        };
        let mut cap = |key: &str| {
            if upper.as_deref().is_none_or(|upper| key < upper) {
                upper = Some(key.to_owned());
            }
        };
        if let Some(prefix) = &self.prefix {
            raise(prefix, true);
            if let Some(end) = after_prefix(prefix) {
                cap(&end);
            }
        }
        if let Some(from) = &self.from {
            raise(from, true);
        }
        if let Some(to) = &self.to {
            cap(to);
        }
        match &self.after {
            Some(after) if self.reverse => cap(after),
            Some(after) => raise(after, false),
            None => {}
        }
        (lower, upper)
    }
}

/// What a listing found: keys and values in order, in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    text: String,
    /// Where each key and each value ends in `text`.
    ends: Vec<(usize, usize)>,
    more: bool,
}

/// One item of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemRef<'a> {
    /// The item's key.
    pub key: &'a str,
    /// The value's JSON text, as stored.
    pub value: &'a str,
}

impl ItemRef<'_> {
    /// The value as a `T`; an error when its shape is another. For a `serde_json::Value` what
    /// [`Store::get`](crate::Store::get) says holds here too.
    pub fn to<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        Ok(Json::read(self.value)?)
    }
}

impl Items {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether the limit cut the listing; resume it with [`KeyRange::after`] the last key.
    pub fn more(&self) -> bool {
        self.more
    }

    /// The item at a place of the listing.
    pub fn get(&self, index: usize) -> Option<ItemRef<'_>> {
        let (key_end, value_end) = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1].1 };
        Some(ItemRef { key: &self.text[start..key_end], value: &self.text[key_end..value_end] })
    }

    /// The last item of the listing.
    pub fn last(&self) -> Option<ItemRef<'_>> {
        self.get(self.len().checked_sub(1)?)
    }

    /// The items in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ItemRef<'_>> {
        (0..self.len()).map(|index| {
            let (key_end, value_end) = self.ends[index];
            let start = if index == 0 { 0 } else { self.ends[index - 1].1 };
            ItemRef { key: &self.text[start..key_end], value: &self.text[key_end..value_end] }
        })
    }
}

/// What a listing without a limit, or with a large one, reserves room for at its first item.
const RESERVED_ITEMS: usize = 1_024;

/// The most that a listing reserves before it knows what there is, in bytes.
const RESERVED_BYTES: usize = 1 << 20;

/// Reads a part of a collection as the host sees it.
pub(crate) fn list(connection: &Connection, collection: &str, range: &KeyRange) -> Result<Items> {
    let ((lower, inclusive), upper) = range.bounds();
    let lower_is = if inclusive { ">=" } else { ">" };
    let upper_is = if upper.is_some() { "AND key < ?3" } else { "" };
    let order = if range.reverse { "DESC" } else { "ASC" };
    // Eight texts in all, so that each stays prepared. Rows are counted and skipped here rather than there: each
    // condition in SQL costs every row.
    let mut find = connection.prepare_cached(&format!(
        "SELECT key, value FROM items
         WHERE collection = (SELECT id FROM collections WHERE name = ?1 AND life = 0)
         AND key {lower_is} ?2 {upper_is} ORDER BY key {order}"
    ))?;
    let mut rows = match upper {
        Some(upper) => find.query((collection, lower, upper))?,
        None => find.query((collection, lower))?,
    };
    let limit = range.limit.unwrap_or(usize::MAX);
    let mut items = Items::default();
    while let Some(row) = rows.next()? {
        let value = match row.get_ref(1)? {
            ValueRef::Null => continue,
            value => value.as_str().map_err(rusqlite::Error::from)?,
        };
        if items.len() >= limit {
            items.more = true;
            break;
        }
        let key = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        if items.is_empty() {
            let expected = limit.min(RESERVED_ITEMS);
            items.ends.reserve(expected);
            items.text.reserve((expected * (key.len() + value.len())).min(RESERVED_BYTES));
        }
        items.text.push_str(key);
        let key_end = items.text.len();
        items.text.push_str(value);
        items.ends.push((key_end, items.text.len()));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::super::collections::{self, Life};
    use super::super::{schema, sweep};
    use super::*;
    use crate::protocol::KeySpan;

    #[test]
    fn what_one_transaction_goes_through_is_bounded_by_bytes_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.db");
        let mut connection = Connection::open(&path).unwrap();
        schema::prepare(&mut connection, &path, || [7; 16]).unwrap();
        let collection = collections::find_or_create(&connection, "c", Life::Live).unwrap();
        let large = format!("\"{}\"", "x".repeat(900 << 10));
        for key in 0..8 {
            insert(&connection, collection, &format!("k{key}"), 1, 0, Some(&large)).unwrap();
        }
        insert(&connection, collection, "k8", 1, 0, Some(&large.repeat(4))).unwrap();
        let left = || all_of(&connection, collection).unwrap().len();
        // The third one goes over it.
        assert_eq!(first_of(&connection, collection, 1_000).unwrap().len(), 3);
        assert_eq!(first_of(&connection, collection, 2).unwrap().len(), 2);
        let (behind, cut) = first_behind(&connection, (collection, "k7"), 1_000).unwrap();
        assert_eq!((behind.len(), cut), (1, true), "one that is larger by itself goes all the same");
        let everything = KeySpan { from: String::new(), to: None };
        assert_eq!(sweep::remove(&connection, collection, &everything, 1_000).unwrap(), 3);
        assert_eq!(left(), 6);
        collections::set_life(&connection, collection, Life::Retired).unwrap();
        let mut slices = Vec::new();
        while collections::delete_retired(&connection, 1_000).unwrap() {
            slices.push(left());
        }
        assert_eq!(slices, [3, 0, 0], "the last one is the collection's own row");
    }

    #[test]
    fn conditions_hold_together() {
        let range = KeyRange::all().prefix("b").from("a").to("bz").after("bc");
        assert_eq!(range.bounds(), (("bc".into(), false), Some("bz".into())));
        let range = KeyRange::all().prefix("b").after("bc").reverse();
        assert_eq!(range.bounds(), (("b".into(), true), Some("bc".into())));
        assert_eq!(KeyRange::all().from("b").after("a").bounds().0, ("b".into(), true));
        assert_eq!(KeyRange::all().from("b").after("b").bounds().0, ("b".into(), false));
    }
}
