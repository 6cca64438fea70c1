//! The table `tags`, and lists of tags in columns of the log.

use super::{StorageError, Stored};
use crate::storage::ItemKey;
use rusqlite::{Connection, params};
use std::collections::HashSet;

/// In the order of bytes.
pub fn of_item(connection: &Connection, item: ItemKey) -> Stored<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT tag FROM tags WHERE item = ?1 ORDER BY tag")?;
    let rows = statement.query_map([item.0], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn add(connection: &Connection, item: ItemKey, tag: &str) -> Stored<()> {
    let mut statement =
        connection.prepare_cached("INSERT INTO tags SELECT id, ?2, collection, key FROM items WHERE id = ?1")?;
    statement.execute(params![item.0, tag])?;
    Ok(())
}

pub fn remove(connection: &Connection, item: ItemKey, tag: &str) -> Stored<()> {
    connection.prepare_cached("DELETE FROM tags WHERE item = ?1 AND tag = ?2")?.execute(params![item.0, tag])?;
    Ok(())
}

pub fn delete_of_item(connection: &Connection, item: ItemKey) -> Stored<()> {
    connection.prepare_cached("DELETE FROM tags WHERE item = ?1")?.execute([item.0])?;
    Ok(())
}

/// Items with one of these tags at the least. Reads the whole table.
pub fn count_items(connection: &Connection, needed: &[String]) -> Stored<u64> {
    let needed: HashSet<&str> = needed.iter().map(String::as_str).collect();
    let mut statement = connection.prepare_cached("SELECT item, tag FROM tags ORDER BY item")?;
    let mut rows = statement.query([])?;
    let (mut count, mut counted) = (0, None);
    while let Some(row) = rows.next()? {
        let item: i64 = row.get(0)?;
        let tag = row.get_ref(1)?.as_str().map_err(StorageError::corrupt)?;
        if counted != Some(item) && needed.contains(tag) {
            (count, counted) = (count + 1, Some(item));
        }
    }
    Ok(count)
}

/// As one column; NULL without any.
pub fn column(tags: &[String]) -> Stored<Option<String>> {
    if tags.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(tags).map(Some).map_err(StorageError::corrupt)
}

pub fn of_column(text: Option<&str>) -> Stored<Vec<String>> {
    text.map_or(Ok(Vec::new()), |text| serde_json::from_str(text).map_err(StorageError::corrupt))
}
