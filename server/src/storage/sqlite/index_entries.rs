//! The table `index_entries`.

use super::Stored;
use crate::storage::ItemKey;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

pub fn find(connection: &Connection, item: ItemKey, name: &str) -> Stored<Option<String>> {
    let mut statement =
        connection.prepare_cached("SELECT ordering FROM index_entries WHERE item = ?1 AND name = ?2")?;
    Ok(statement.query_row(params![item.0, name], |row| row.get(0)).optional()?)
}

pub fn set(connection: &Connection, item: ItemKey, name: &str, order: &str) -> Stored<()> {
    let mut statement = connection
        .prepare_cached("REPLACE INTO index_entries SELECT id, ?2, ?3, collection, key FROM items WHERE id = ?1")?;
    statement.execute(params![item.0, name, order])?;
    Ok(())
}

pub fn delete(connection: &Connection, item: ItemKey, name: &str) -> Stored<()> {
    let mut statement = connection.prepare_cached("DELETE FROM index_entries WHERE item = ?1 AND name = ?2")?;
    statement.execute(params![item.0, name])?;
    Ok(())
}

pub fn of_item(connection: &Connection, item: ItemKey) -> Stored<BTreeMap<String, String>> {
    let mut statement = connection.prepare_cached("SELECT name, ordering FROM index_entries WHERE item = ?1")?;
    let rows = statement.query_map([item.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn delete_of_item(connection: &Connection, item: ItemKey) -> Stored<()> {
    connection.prepare_cached("DELETE FROM index_entries WHERE item = ?1")?.execute([item.0])?;
    Ok(())
}
