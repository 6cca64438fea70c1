//! The tables `collections`, `items` and `tombstones`.

use super::{Stored, index_entries, int, json_of, relations, uint};
use crate::storage::{ClientKey, CollectionKey, ItemHead, ItemKey, ItemRow, Tombstone};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use syncstore::protocol::Json;

pub fn find_collection(connection: &Connection, name: &str) -> Stored<Option<CollectionKey>> {
    let mut statement = connection.prepare_cached("SELECT id FROM collections WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0).map(CollectionKey)).optional()?)
}

pub fn add_collection(connection: &Connection, name: &str) -> Stored<CollectionKey> {
    let mut statement = connection.prepare_cached("INSERT INTO collections (name) VALUES (?1)")?;
    Ok(CollectionKey(statement.insert([name])?))
}

pub fn find(connection: &Connection, collection: CollectionKey, key: &str) -> Stored<Option<ItemHead>> {
    let mut statement = connection
        .prepare_cached("SELECT id, rev, client, other, resources FROM items WHERE collection = ?1 AND key = ?2")?;
    let head = statement.query_row(params![collection.0, key], |row| {
        Ok(ItemHead {
            key: ItemKey(row.get(0)?),
            rev: uint(row.get(1)?),
            client: ClientKey(row.get(2)?),
            other: uint(row.get(3)?),
            resources: row.get(4)?,
        })
    });
    Ok(head.optional()?)
}

pub fn value(connection: &Connection, item: ItemKey) -> Stored<Json> {
    let mut statement = connection.prepare_cached("SELECT value FROM items WHERE id = ?1")?;
    json_of(statement.query_row([item.0], |row| row.get(0))?)
}

pub fn insert(
    connection: &Connection,
    collection: CollectionKey,
    key: &str,
    head: &ItemHead,
    value: &Json,
) -> Stored<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO items (collection, key, rev, client, other, resources, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute(params![
        collection.0,
        key,
        int(head.rev),
        head.client.0,
        int(head.other),
        head.resources,
        value.as_str()
    ])?;
    Ok(())
}

pub fn update(connection: &Connection, head: &ItemHead, value: &Json) -> Stored<()> {
    let mut statement =
        connection.prepare_cached("UPDATE items SET rev = ?2, client = ?3, other = ?4, value = ?5 WHERE id = ?1")?;
    statement.execute(params![head.key.0, int(head.rev), head.client.0, int(head.other), value.as_str()])?;
    Ok(())
}

/// Writes all of the head that changes, and not the value.
pub fn touch(connection: &Connection, head: &ItemHead) -> Stored<()> {
    let mut statement = connection
        .prepare_cached("UPDATE items SET rev = ?2, client = ?3, other = ?4, resources = ?5 WHERE id = ?1")?;
    statement.execute(params![head.key.0, int(head.rev), head.client.0, int(head.other), head.resources])?;
    Ok(())
}

pub fn delete(
    connection: &Connection,
    head: &ItemHead,
    collection: CollectionKey,
    key: &str,
    tombstone: &Tombstone,
) -> Stored<()> {
    connection.prepare_cached("DELETE FROM items WHERE id = ?1")?.execute([head.key.0])?;
    if head.resources > 0 {
        index_entries::delete_of_item(connection, head.key)?;
        relations::delete_of_item(connection, head.key)?;
    }
    let mut statement = connection.prepare_cached("REPLACE INTO tombstones VALUES (?1, ?2, ?3, ?4)")?;
    statement.execute(params![collection.0, key, int(tombstone.seq), tombstone.client.0])?;
    Ok(())
}

pub fn tombstone(connection: &Connection, collection: CollectionKey, key: &str) -> Stored<Option<Tombstone>> {
    let mut statement =
        connection.prepare_cached("SELECT seq, client FROM tombstones WHERE collection = ?1 AND key = ?2")?;
    let found = statement.query_row(params![collection.0, key], |row| {
        Ok(Tombstone { seq: uint(row.get(0)?), client: ClientKey(row.get(1)?) })
    });
    Ok(found.optional()?)
}

pub fn page(
    connection: &Connection,
    after: (CollectionKey, &str),
    limit: u32,
    visit: &mut dyn FnMut(ItemRow) -> bool,
) -> Stored<()> {
    // CROSS JOIN holds SQLite to this order: through the items' index, which needs no sorting.
    let mut statement = connection.prepare_cached(
        "SELECT items.collection, collections.name, items.key, items.rev, items.value, items.id, items.resources
         FROM items CROSS JOIN collections ON collections.id = items.collection
         WHERE (items.collection, items.key) > (?1, ?2) ORDER BY items.collection, items.key LIMIT ?3",
    )?;
    let mut rows = statement.query(params![after.0.0, after.1, limit])?;
    while let Some(row) = rows.next()? {
        let (item, resources) = (ItemKey(row.get(5)?), row.get::<_, u32>(6)?);
        let (mut indexes, mut relations) = (BTreeMap::new(), Vec::new());
        if resources > 0 {
            indexes = index_entries::of_item(connection, item)?;
            relations = relations::of_item(connection, item)?;
        }
        let item = ItemRow {
            collection_key: CollectionKey(row.get(0)?),
            collection: row.get(1)?,
            key: row.get(2)?,
            rev: uint(row.get(3)?),
            value: json_of(row.get(4)?)?,
            indexes,
            relations,
        };
        if !visit(item) {
            break;
        }
    }
    Ok(())
}
