//! The table `collections`: names, and which of three lives each set of items is in.

use super::items;
use crate::error::{Error, Result};
use rusqlite::{Connection, OptionalExtension};

/// Which items a collection's name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// What the host reads and writes.
    Live = 0,
    /// A checkpoint that is being loaded.
    Incoming = 1,
    /// What a checkpoint replaced; deleted slice by slice.
    Retired = 2,
}

/// The id of a live collection.
pub(crate) fn live(connection: &Connection, name: &str) -> Result<Option<i64>> {
    let mut find = connection.prepare_cached("SELECT id FROM collections WHERE name = ?1 AND life = 0")?;
    Ok(find.query_row([name], |row| row.get(0)).optional()?)
}

/// The id of a collection, created when there is none of that name and life.
pub(crate) fn find_or_create(connection: &Connection, name: &str, life: Life) -> Result<i64> {
    let found = match life {
        Life::Live => live(connection, name)?,
        // Literal, so that the partial index serves it.
        _ => connection
            .prepare_cached("SELECT id FROM collections WHERE name = ?1 AND life = 1")?
            .query_row([name], |row| row.get(0))
            .optional()?,
    };
    if let Some(id) = found {
        return Ok(id);
    }
    connection.prepare_cached("INSERT INTO collections(name, life) VALUES (?1, ?2)")?.execute((name, life as i64))?;
    Ok(connection.last_insert_rowid())
}

/// The names of all live collections that have an item, in bytewise order.
pub(crate) fn names(connection: &Connection) -> Result<Vec<String>> {
    let mut names = connection.prepare_cached(
        "SELECT name FROM collections c WHERE life = 0
         AND EXISTS (SELECT 1 FROM items WHERE collection = c.id AND value IS NOT NULL) ORDER BY name",
    )?;
    let rows = names.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Gives up all collections of one life.
pub(crate) fn retire(connection: &Connection, life: Life) -> Result<()> {
    connection.prepare_cached("UPDATE collections SET life = 2 WHERE life = ?1")?.execute([life as i64])?;
    Ok(())
}

/// The collections of one life, in the order of their ids.
pub(crate) fn of_life(connection: &Connection, life: Life) -> Result<Vec<(i64, String)>> {
    let mut find = connection.prepare_cached("SELECT id, name FROM collections WHERE life = ?1 ORDER BY id")?;
    let rows = find.query_map([life as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Gives one collection another life.
pub(crate) fn set_life(connection: &Connection, id: i64, life: Life) -> Result<()> {
    connection.prepare_cached("UPDATE collections SET life = ?2 WHERE id = ?1")?.execute((id, life as i64))?;
    Ok(())
}

/// Makes what was loaded live; the live ones must be retired before.
pub(crate) fn incoming_to_live(connection: &Connection) -> Result<()> {
    connection.prepare_cached("UPDATE collections SET life = 0 WHERE life = 1")?.execute([])?;
    Ok(())
}

/// Deletes up to `items` retired items, no more than a transaction's share of bytes, or as many of their resources; false when none are left.
pub(crate) fn delete_retired(connection: &Connection, items: u32) -> Result<bool> {
    let retired: Option<i64> = connection
        .prepare_cached("SELECT id FROM collections WHERE life = ?1 LIMIT 1")?
        .query_row([Life::Retired as i64], |row| row.get(0))
        .optional()?;
    let Some(id) = retired else { return Ok(false) };
    let first = items::first_of(connection, id, items as usize)?;
    let Some((item, _)) = first.first() else {
        let gone = connection.prepare_cached("DELETE FROM collections WHERE id = ?1")?.execute([id])?;
        return if gone == 1 { Ok(true) } else { Err(Error::Corrupt(format!("collection {id} cannot be deleted"))) };
    };
    // An item may have any number of them, and a transaction takes only so many.
    let resources = connection
        .prepare_cached(
            "DELETE FROM resources WHERE (item, kind, name) IN (SELECT r.item, r.kind, r.name
             FROM (SELECT id FROM items WHERE collection = ?1 ORDER BY key LIMIT ?2) i
             CROSS JOIN resources r ON r.item = i.id LIMIT ?2)",
        )?
        .execute((id, items))?;
    if resources >= items as usize {
        return Ok(true);
    }
    for (item, _) in &first {
        items::delete(connection, *item)?;
    }
    // In a damaged file the index may go on naming what the table does not have, and this would never end.
    if items::first_of(connection, id, 1)?.first().is_some_and(|(still, _)| still == item) {
        return Err(Error::Corrupt(format!("item {item} cannot be deleted")));
    }
    Ok(true)
}
