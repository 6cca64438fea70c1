//! The table `base`: what the server confirmed of items that have pending operations.

use super::{Item, items};
use crate::error::Result;
use rusqlite::{Connection, OptionalExtension};

/// The confirmed value kept apart; `None`: the server has no such item.
pub(crate) fn value(connection: &Connection, item: i64) -> Result<Option<String>> {
    let mut find = connection.prepare_cached("SELECT value FROM base WHERE item = ?1")?;
    Ok(find.query_row([item], |row| row.get(0)).optional()?)
}

/// How many bytes an item's value has, what is confirmed of it, and its pending ops: what a rebase goes through.
pub(crate) fn to_rebase(connection: &Connection, item: i64) -> Result<u64> {
    // The lengths are in the headers of the rows: no value is read.
    let mut find = connection.prepare_cached(
        "SELECT ifnull((SELECT octet_length(value) FROM items WHERE id = ?1), 0)
              + ifnull((SELECT octet_length(value) FROM base WHERE item = ?1), 0)
              + ifnull((SELECT sum(octet_length(payload)) FROM outbox WHERE item = ?1), 0)",
    )?;
    Ok(find.query_row([item], |row| row.get::<_, i64>(0))?.max(0) as u64)
}

/// Keeps a confirmed value apart.
pub(crate) fn insert(connection: &Connection, item: i64, value: &str) -> Result<()> {
    connection.prepare_cached("INSERT OR REPLACE INTO base(item, value) VALUES (?1, ?2)")?.execute((item, value))?;
    Ok(())
}

/// Drops what was kept apart, if anything was.
pub(crate) fn delete(connection: &Connection, item: i64) -> Result<()> {
    connection.prepare_cached("DELETE FROM base WHERE item = ?1")?.execute([item])?;
    Ok(())
}

/// Keeps the value of an item apart that has no pending ops yet; nothing when the base has no such item.
pub(crate) fn keep(connection: &Connection, item: i64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO base(item, value) SELECT id, value FROM items WHERE id = ?1 AND rev > 0",
        )?
        .execute([item])?;
    Ok(())
}

/// The confirmed value of a row, wherever it is kept; `None`: the server has no such item.
pub(crate) fn confirmed(connection: &Connection, row: Item) -> Result<Option<String>> {
    match row {
        Item { rev: 0, .. } => Ok(None),
        Item { pending: 0, .. } => items::value(connection, row.id),
        _ => value(connection, row.id),
    }
}
