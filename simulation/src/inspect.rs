//! What a replica file holds, read without the engine.

use crate::oracle::{Content, Item, Resources};
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use syncstore::ResourceName;
use syncstore::protocol::{Rev, Seq};

/// What the server confirmed, as a replica has it.
#[derive(Debug)]
pub struct Confirmed {
    /// The replica's place in the log; 0 and no items before its first checkpoint.
    pub position: Seq,
    pub cursor: Option<String>,
    pub items: BTreeMap<Item, (Value, Resources, Rev)>,
}

/// A connection to look through; it must be gone before the file's disk is switched off or on.
pub fn open(path: &Path, vfs: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags_and_vfs(path, flags, vfs)
}

pub fn confirmed(connection: &Connection) -> rusqlite::Result<Confirmed> {
    let moment = connection.unchecked_transaction()?;
    let (position, cursor): (i64, Option<String>) = moment
        .prepare_cached("SELECT position, cursor FROM state")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut find = moment.prepare_cached(
        "SELECT c.name, i.key, i.rev, CASE WHEN i.pending > 0 THEN b.value ELSE i.value END, i.id
         FROM items i JOIN collections c ON c.id = i.collection AND c.life = 0 LEFT JOIN base b ON b.item = i.id
         WHERE i.rev > 0",
    )?;
    let mut resources: HashMap<i64, Resources> = HashMap::new();
    let mut find_resources = moment.prepare_cached(
        "SELECT item, kind, name, base, base_collection, base_key FROM resources WHERE base IS NOT NULL",
    )?;
    let mut rows = find_resources.query([])?;
    while let Some(row) = rows.next()? {
        let (resource, content) = resource(row)?;
        resources.entry(row.get(0)?).or_default().insert(resource, content);
    }
    let rows = find.query_map([], |row| {
        let value: String = row.get(3)?;
        let value = serde_json::from_str(&value).expect("a stored value is JSON");
        let resources = resources.remove(&row.get(4)?).unwrap_or_default();
        Ok(((row.get(0)?, row.get(1)?), (value, resources, row.get::<_, i64>(2)? as Rev)))
    })?;
    let items = rows.collect::<rusqlite::Result<_>>()?;
    Ok(Confirmed { position: position as Seq, cursor, items })
}

fn resource(row: &Row<'_>) -> rusqlite::Result<(ResourceName, Content)> {
    let name = row.get(2)?;
    let resource = match row.get::<_, i64>(1)? {
        1 => ResourceName::Index(name),
        2 => ResourceName::Relation(name),
        _ => ResourceName::Tag(name),
    };
    let object = row.get::<_, Option<String>>(4)?.zip(row.get(5)?);
    Ok((resource, (row.get(3)?, object)))
}

/// How many rows each table has of what a replica holds for its user: all that a search of the file could find.
pub fn rows(connection: &Connection) -> rusqlite::Result<BTreeMap<&'static str, i64>> {
    let tables = ["collections WHERE life <> 0", "items", "resources", "base", "outbox"];
    let count = |table: &&'static str| {
        let sql = format!("SELECT count(*) FROM {table}");
        Ok((*table, connection.query_row(&sql, [], |row| row.get(0))?))
    };
    tables.iter().map(count).collect()
}
