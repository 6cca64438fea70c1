//! The table `relations`.

use super::Stored;
use crate::storage::{ItemKey, Link};
use rusqlite::{Connection, OptionalExtension, params};
use syncstore::protocol::{Object, Relation};

pub fn find(connection: &Connection, item: ItemKey, id: &str) -> Stored<Option<Link>> {
    let mut statement =
        connection.prepare_cached("SELECT predicate, collection, key FROM relations WHERE item = ?1 AND id = ?2")?;
    let link = statement.query_row(params![item.0, id], |row| {
        Ok(Link { predicate: row.get(0)?, object: Object { collection: row.get(1)?, key: row.get(2)? } })
    });
    Ok(link.optional()?)
}

pub fn set(connection: &Connection, item: ItemKey, id: &str, predicate: &str, object: &Object) -> Stored<()> {
    let mut statement = connection.prepare_cached("REPLACE INTO relations VALUES (?1, ?2, ?3, ?4, ?5)")?;
    statement.execute(params![item.0, id, predicate, object.collection, object.key])?;
    Ok(())
}

pub fn delete(connection: &Connection, item: ItemKey, id: &str) -> Stored<()> {
    connection.prepare_cached("DELETE FROM relations WHERE item = ?1 AND id = ?2")?.execute(params![item.0, id])?;
    Ok(())
}

pub fn of_item(connection: &Connection, item: ItemKey) -> Stored<Vec<Relation>> {
    let mut statement = connection
        .prepare_cached("SELECT id, predicate, collection, key FROM relations WHERE item = ?1 ORDER BY id")?;
    let rows = statement.query_map([item.0], |row| {
        let object = Object { collection: row.get(2)?, key: row.get(3)? };
        Ok(Relation { id: row.get(0)?, predicate: row.get(1)?, object })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn delete_of_item(connection: &Connection, item: ItemKey) -> Stored<()> {
    connection.prepare_cached("DELETE FROM relations WHERE item = ?1")?.execute([item.0])?;
    Ok(())
}
