//! The tables `collections`, `items` and `tombstones`.

use super::{StorageError, Stored, index_entries, int, json_of, relations, tags, uint};
use crate::storage::{ClientKey, CollectionKey, Image, ItemHead, ItemKey, ItemMark, ItemRow, ItemSpan, Tombstone};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use syncstore::planted::{Planted, planted};
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
) -> Stored<ItemKey> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO items (collection, key, rev, client, other, resources, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let id = statement.insert(params![
        collection.0,
        key,
        int(head.rev),
        head.client.0,
        int(head.other),
        head.resources,
        value.as_str()
    ])?;
    Ok(ItemKey(id))
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
        if !planted(Planted::EndedItemKeepsRelations) {
            relations::delete_of_item(connection, head.key)?;
        }
        tags::delete_of_item(connection, head.key)?;
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

pub fn image(connection: &Connection, item: ItemKey) -> Stored<Image> {
    Ok(Image {
        value: value(connection, item)?,
        indexes: index_entries::of_item(connection, item)?,
        relations: relations::of_item(connection, item)?,
    })
}

pub fn page(
    connection: &Connection,
    spans: &[ItemSpan],
    after: (CollectionKey, &str),
    needed: Option<&[String]>,
    most: usize,
    visit: &mut dyn FnMut(ItemRow) -> bool,
) -> Stored<Option<ItemMark>> {
    let mut content = connection.prepare_cached("SELECT rev, resources, value FROM items WHERE id = ?1")?;
    let mut looked_at = 0;
    for span in spans.iter().filter(|span| !span.ends_before(after.0, after.1)) {
        // The content along with the name where every item is wanted: otherwise it is read of those alone that are.
        let mut names = names_from(connection, span, Some(after), needed.is_none())?;
        let mut rows = names.raw_query();
        while let Some(row) = rows.next()? {
            let (collection_key, key) =
                (CollectionKey(row.get(1)?), row.get_ref(2)?.as_str().map_err(StorageError::corrupt)?);
            if span.ends_before(collection_key, key) {
                break;
            }
            looked_at += 1;
            let item = ItemKey(row.get(0)?);
            let mut tags = None;
            if let Some(needed) = needed {
                let has = tags::of_item(connection, item)?;
                if !has_one(&has, needed) {
                    if looked_at < most {
                        continue;
                    }
                    let rev = content.query_row([item.0], |row| row.get(0))?;
                    return Ok(Some(ItemMark { item, rev: uint(rev) }));
                }
                tags = Some(has);
            }
            let read = |row: &Row<'_>, first: usize| -> rusqlite::Result<(i64, u32, String)> {
                Ok((row.get(first)?, row.get(first + 1)?, row.get(first + 2)?))
            };
            let (rev, resources, value) = match needed {
                None => read(row, 4)?,
                Some(_) => content.query_row([item.0], |row| read(row, 0))?,
            };
            let mut image = Image { value: json_of(value)?, indexes: BTreeMap::new(), relations: Vec::new() };
            if resources > 0 {
                image.indexes = index_entries::of_item(connection, item)?;
                image.relations = relations::of_item(connection, item)?;
                if tags.is_none() {
                    tags = Some(tags::of_item(connection, item)?);
                }
            }
            let item = ItemRow {
                collection_key,
                collection: row.get(3)?,
                key: key.to_owned(),
                rev: uint(rev),
                image,
                tags: tags.unwrap_or_default(),
            };
            if !visit(item) {
                return Ok(None);
            }
        }
    }
    Ok(None)
}

/// Walks the ranges in the items' index, and reads the tags of each item if some are needed.
pub fn count(connection: &Connection, spans: &[ItemSpan], needed: Option<&[String]>) -> Stored<u64> {
    let mut count = 0;
    for span in spans {
        let mut names = names_from(connection, span, None, false)?;
        let mut rows = names.raw_query();
        while let Some(row) = rows.next()? {
            if span.ends_before(CollectionKey(row.get(1)?), row.get_ref(2)?.as_str().map_err(StorageError::corrupt)?) {
                break;
            }
            let seen = match needed {
                Some(needed) => has_one(&tags::of_item(connection, ItemKey(row.get(0)?))?, needed),
                None => true,
            };
            count += u64::from(seen);
        }
    }
    Ok(count)
}

// `has` must be sorted.
fn has_one(has: &[String], needed: &[String]) -> bool {
    needed.iter().any(|tag| has.binary_search(tag).is_ok())
}

// The items from the begin of a range on, or from behind a place in it, with number, collection, key and its name, and with rev,
// count of resources and value if that is asked for. Where the range ends the reader sees: SQLite would look whether each row is within, all the way to the end of the index.
fn names_from<'a>(
    connection: &'a Connection,
    span: &ItemSpan,
    after: Option<(CollectionKey, &str)>,
    with_content: bool,
) -> Stored<CachedStatement<'a>> {
    let from = (span.from.0, span.from.1.as_str());
    let (is, place) = match after.filter(|after| *after >= from) {
        Some(after) => (">", after),
        None => (">=", from),
    };
    let content = if with_content { ", items.rev, items.resources, items.value" } else { "" };
    // CROSS JOIN holds SQLite to this order: through the items' index, which has all that this asks of an item, so that
    // without content the rows of items that are not wanted are never read.
    let mut names = connection.prepare_cached(&format!(
        "SELECT items.id, items.collection, items.key, collections.name{content}
         FROM items CROSS JOIN collections ON collections.id = items.collection
         WHERE (items.collection, items.key) {is} (?1, ?2) ORDER BY items.collection, items.key",
    ))?;
    names.raw_bind_parameter(1, place.0.0)?;
    names.raw_bind_parameter(2, place.1)?;
    Ok(names)
}

pub fn marked(connection: &Connection, mark: ItemMark) -> Stored<Option<(CollectionKey, String)>> {
    let mut statement = connection.prepare_cached("SELECT collection, key FROM items WHERE id = ?1 AND rev = ?2")?;
    let place = statement.query_row([mark.item.0, int(mark.rev)], |row| Ok((CollectionKey(row.get(0)?), row.get(1)?)));
    Ok(place.optional()?)
}
