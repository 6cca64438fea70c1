//! The table `resources`: index entries, relations and tags, each as the server confirmed it and as the host sees it.

use crate::error::Result;
use crate::protocol::{Content, Object, Relation, ResourceName};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::BTreeMap;

/// How a resource is named in the tables; 0 and no name is the item's value.
pub(crate) fn to_sql(resource: &ResourceName) -> (i64, Option<&str>) {
    let kind = match resource {
        ResourceName::Value => 0,
        ResourceName::Index(_) => 1,
        ResourceName::Relation(_) => 2,
        ResourceName::Tag(_) => 3,
    };
    (kind, resource.name())
}

/// What [`to_sql`] made; `None`: it made none such.
pub(crate) fn from_sql(kind: i64, name: Option<String>) -> Option<ResourceName> {
    match (kind, name) {
        (0, None) => Some(ResourceName::Value),
        (1, Some(name)) => Some(ResourceName::Index(name)),
        (2, Some(id)) => Some(ResourceName::Relation(id)),
        (3, Some(tag)) => Some(ResourceName::Tag(tag)),
        _ => None,
    }
}

/// The resource that two columns of a row name.
pub(crate) fn read_name(row: &Row<'_>, kind: usize, name: usize) -> rusqlite::Result<ResourceName> {
    let number: i64 = row.get(kind)?;
    from_sql(number, row.get(name)?).ok_or(rusqlite::Error::IntegralValueOutOfRange(kind, number))
}

/// The columns of a content: ordering key, predicate or nothing, and the object.
type Columns<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn columns(content: Option<&Content>) -> Columns<'_> {
    match content {
        None => (None, None, None),
        Some(Content::Order(order)) => (Some(order), None, None),
        Some(Content::Link { predicate, object }) => (Some(predicate), Some(&object.collection), Some(&object.key)),
        Some(Content::Tag) => (Some(""), None, None),
    }
}

/// The content in three columns of a row from `first` on.
pub(crate) fn read_content(row: &Row<'_>, kind: i64, first: usize) -> rusqlite::Result<Option<Content>> {
    let Some(text) = row.get::<_, Option<String>>(first)? else { return Ok(None) };
    let object = (row.get::<_, Option<String>>(first + 1)?, row.get::<_, Option<String>>(first + 2)?);
    match (kind, object) {
        (1, (None, None)) => Ok(Some(Content::Order(text))),
        (2, (Some(collection), Some(key))) => {
            Ok(Some(Content::Link { predicate: text, object: Object { collection, key } }))
        }
        (3, (None, None)) if text.is_empty() => Ok(Some(Content::Tag)),
        _ => Err(rusqlite::Error::InvalidColumnType(first, "a resource's content".into(), Type::Text)),
    }
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Stored {
    pub resource: ResourceName,
    /// What the server confirmed; `None`: nothing.
    pub base: Option<Content>,
    /// What the host sees; `None`: nothing.
    pub view: Option<Content>,
}

/// All rows of an item.
pub(crate) fn of_item(connection: &Connection, item: i64) -> Result<Vec<Stored>> {
    let mut find = connection.prepare_cached(
        "SELECT kind, name, base, base_collection, base_key, view, view_collection, view_key
         FROM resources WHERE item = ?1 ORDER BY kind, name",
    )?;
    let rows = find.query_map([item], |row| {
        let kind = row.get(0)?;
        let resource = read_name(row, 0, 1)?;
        Ok(Stored { resource, base: read_content(row, kind, 2)?, view: read_content(row, kind, 5)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What the host sees of a resource.
pub(crate) fn view(connection: &Connection, item: i64, resource: &ResourceName) -> Result<Option<Content>> {
    let (kind, name) = to_sql(resource);
    let mut find = connection.prepare_cached(
        "SELECT view, view_collection, view_key FROM resources WHERE item = ?1 AND kind = ?2 AND name = ?3",
    )?;
    Ok(find.query_row((item, kind, name), |row| read_content(row, kind, 0)).optional()?.flatten())
}

/// Which sides of a row are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What the server confirmed.
    Base,
    /// What the host sees.
    View,
    /// Both; nothing of the item is pending.
    Both,
}

/// Sets a resource of an item, or removes it; a row that has neither side left goes.
pub(crate) fn put(
    connection: &Connection,
    item: i64,
    resource: &ResourceName,
    side: Side,
    content: Option<&Content>,
) -> Result<()> {
    let (kind, name) = to_sql(resource);
    let (text, collection, key) = columns(content);
    if content.is_none() {
        let delete = match side {
            Side::Base => "DELETE FROM resources WHERE item = ?1 AND kind = ?2 AND name = ?3 AND view IS NULL",
            Side::View => "DELETE FROM resources WHERE item = ?1 AND kind = ?2 AND name = ?3 AND base IS NULL",
            Side::Both => "DELETE FROM resources WHERE item = ?1 AND kind = ?2 AND name = ?3",
        };
        connection.prepare_cached(delete)?.execute((item, kind, name))?;
        let clear = match side {
            Side::Base => {
                "UPDATE resources SET base = NULL, base_collection = NULL, base_key = NULL
                 WHERE item = ?1 AND kind = ?2 AND name = ?3"
            }
            Side::View => {
                "UPDATE resources SET view = NULL, view_collection = NULL, view_key = NULL
                 WHERE item = ?1 AND kind = ?2 AND name = ?3"
            }
            Side::Both => return Ok(()),
        };
        connection.prepare_cached(clear)?.execute((item, kind, name))?;
        return Ok(());
    }
    // The item's row is there: whoever writes a resource has read or made it.
    let insert = match side {
        Side::Base => {
            "INSERT INTO resources(item, kind, name, collection, key, base, base_collection, base_key)
             SELECT id, ?2, ?3, collection, key, ?4, ?5, ?6 FROM items WHERE id = ?1
             ON CONFLICT DO UPDATE SET base = ?4, base_collection = ?5, base_key = ?6"
        }
        Side::View => {
            "INSERT INTO resources(item, kind, name, collection, key, view, view_collection, view_key)
             SELECT id, ?2, ?3, collection, key, ?4, ?5, ?6 FROM items WHERE id = ?1
             ON CONFLICT DO UPDATE SET view = ?4, view_collection = ?5, view_key = ?6"
        }
        Side::Both => {
            "INSERT INTO resources(item, kind, name, collection, key,
                base, base_collection, base_key, view, view_collection, view_key)
             SELECT id, ?2, ?3, collection, key, ?4, ?5, ?6, ?4, ?5, ?6 FROM items WHERE id = ?1
             ON CONFLICT DO UPDATE SET base = ?4, base_collection = ?5, base_key = ?6,
                view = ?4, view_collection = ?5, view_key = ?6"
        }
    };
    connection.prepare_cached(insert)?.execute((item, kind, name, text, collection, key))?;
    Ok(())
}

/// Gives all resources of an item to the row that takes its place.
pub(crate) fn hand_over(connection: &Connection, from: i64, to: i64) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE resources SET item = ?2, collection = (SELECT collection FROM items WHERE id = ?2) WHERE item = ?1",
        )?
        .execute((from, to))?;
    Ok(())
}

/// Removes all resources of an item from one side, or from both.
pub(crate) fn clear(connection: &Connection, item: i64, side: Side) -> Result<()> {
    let (delete, clear) = match side {
        Side::Both => ("DELETE FROM resources WHERE item = ?1", None),
        Side::Base => (
            "DELETE FROM resources WHERE item = ?1 AND view IS NULL",
            Some("UPDATE resources SET base = NULL, base_collection = NULL, base_key = NULL WHERE item = ?1"),
        ),
        Side::View => (
            "DELETE FROM resources WHERE item = ?1 AND base IS NULL",
            Some("UPDATE resources SET view = NULL, view_collection = NULL, view_key = NULL WHERE item = ?1"),
        ),
    };
    connection.prepare_cached(delete)?.execute([item])?;
    if let Some(clear) = clear {
        connection.prepare_cached(clear)?.execute([item])?;
    }
    Ok(())
}

/// A relation that leads to an item, with the item that it is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct RelationTo {
    /// The collection of the subject.
    pub collection: String,
    /// The key of the subject.
    pub key: String,
    /// Names the relation among those of the subject.
    pub id: String,
    /// What the object is to the subject.
    pub predicate: String,
}

/// The row of an item that the host may see; none of its resources has a view otherwise.
const LIVE_ITEM: &str =
    "(SELECT id FROM items WHERE key = ?2 AND collection = (SELECT id FROM collections WHERE name = ?1 AND life = 0))";

/// The index entries that the host sees of an item.
pub(crate) fn indexes(connection: &Connection, (collection, key): (&str, &str)) -> Result<BTreeMap<String, String>> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT name, view FROM resources WHERE item = {LIVE_ITEM} AND kind = 1 AND view IS NOT NULL"
    ))?;
    let rows = find.query_map((collection, key), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The relations that the host sees of an item, by id; of one predicate, or all.
pub(crate) fn relations(
    connection: &Connection,
    (collection, key): (&str, &str),
    predicate: Option<&str>,
) -> Result<Vec<Relation>> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT name, view, view_collection, view_key FROM resources
         WHERE item = {LIVE_ITEM} AND kind = 2 AND view IS NOT NULL AND (?3 IS NULL OR view = ?3) ORDER BY name"
    ))?;
    let rows = find.query_map((collection, key, predicate), |row| {
        let object = Object { collection: row.get(2)?, key: row.get(3)? };
        Ok(Relation { id: row.get(0)?, predicate: row.get(1)?, object })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The relations that the host sees leading to an item, by subject and id; of one predicate, or all.
pub(crate) fn relations_to(
    connection: &Connection,
    (collection, key): (&str, &str),
    predicate: Option<&str>,
) -> Result<Vec<RelationTo>> {
    // Two texts: with the predicate bound the index narrows the search to it.
    let of_predicate = if predicate.is_some() { "r.view = ?3" } else { "?3 IS NULL" };
    let mut find = connection.prepare_cached(&format!(
        "SELECT c.name, r.key, r.name, r.view FROM resources r CROSS JOIN collections c ON c.id = r.collection
         WHERE r.view_collection = ?1 AND r.view_key = ?2 AND {of_predicate}
         AND r.kind = 2 AND r.view IS NOT NULL AND c.life = 0 ORDER BY c.name, r.key, r.name"
    ))?;
    let rows = find.query_map((collection, key, predicate), |row| {
        Ok(RelationTo { collection: row.get(0)?, key: row.get(1)?, id: row.get(2)?, predicate: row.get(3)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The tags that the host sees of an item, in bytewise order.
pub(crate) fn tags(connection: &Connection, (collection, key): (&str, &str)) -> Result<Vec<String>> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT name FROM resources WHERE item = {LIVE_ITEM} AND kind = 3 AND view IS NOT NULL ORDER BY name"
    ))?;
    let rows = find.query_map((collection, key), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_and_walks_are_served_by_an_index() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.db");
        let mut connection = Connection::open(&path).unwrap();
        super::super::schema::prepare(&mut connection, &path, || [7; 16]).unwrap();
        let plan = |sql: &str| {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let bound: Vec<rusqlite::types::Value> = vec![rusqlite::types::Value::Null; explain.parameter_count()];
            let rows = explain.query_map(rusqlite::params_from_iter(bound), |row| row.get::<_, String>(3)).unwrap();
            rows.map(|row| row.unwrap()).collect::<Vec<_>>().join("; ")
        };
        let backwards = plan(
            "SELECT r.item FROM resources r WHERE r.view_collection = ?1 AND r.view_key = ?2 AND r.view = ?3
             AND r.kind = 2 AND r.view IS NOT NULL",
        );
        assert!(backwards.contains("COVERING INDEX resources_object (view_collection=? AND view_key=? AND view=?)"));
    }
}
