//! What a replica file holds, read without the engine.

use crate::notices::Name;
use crate::oracle::{Content, Item, Resources, Whole};
use crate::secrets::{marks_of_bytes, marks_of_words};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use syncstore::protocol::{Rev, Seq};
use syncstore::{ConflictId, Filter, Ref, ResourceName};

/// What the server confirmed, as a replica has it.
#[derive(Debug)]
pub struct Confirmed {
    /// The replica's place in the log; 0 and no items before its first checkpoint.
    pub position: Seq,
    pub cursor: Option<String>,
    /// Of what is kept.
    pub items: BTreeMap<Item, (Value, Resources, Rev)>,
    /// What of the log is kept.
    pub kept: Filter,
    /// Other items, and whether something is pending on them.
    pub outside: BTreeMap<Item, bool>,
}

/// A connection to look through; it must be gone before the file's disk is switched off or on.
pub fn open(path: &Path, vfs: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags_and_vfs(path, flags, vfs)
}

pub fn confirmed(connection: &Connection) -> rusqlite::Result<Confirmed> {
    let moment = connection.unchecked_transaction()?;
    type Columns = (i64, Option<String>, Option<String>, bool);
    let (position, cursor, kept, joins): Columns = moment
        .prepare_cached(
            "SELECT position, cursor, kept, ifnull(json_extract(bootstrap, '$.phase') = 'Join', 0) FROM state",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let kept = kept.map_or(Filter::everything(), |text| Filter::parse(&text).expect("a stored filter"));
    // What is loaded for another filter and not joined yet belongs to the rest, and takes the place of what was here for its ops alone.
    let (mut items, mut outside) = (BTreeMap::new(), BTreeMap::new());
    for (item, confirmed, pending) in stored(&moment, joins)? {
        if kept.has(&item.0, &item.1) {
            items.insert(item, confirmed);
        } else {
            outside.insert(item, pending);
        }
    }
    Ok(Confirmed { position: position as Seq, cursor, items, kept, outside })
}

/// What is confirmed of all that a host may read, whether it is kept or not.
pub fn beneath(connection: &Connection) -> rusqlite::Result<BTreeMap<Item, Whole>> {
    let moment = connection.unchecked_transaction()?;
    let stored = stored(&moment, false)?.into_iter();
    Ok(stored.map(|(item, (value, resources, _), _)| (item, Whole { value: Arc::new(value), resources })).collect())
}

type Stored = (Item, (Value, Resources, Rev), bool);

/// Each item that is confirmed, and whether something is pending on it; `incoming`: those that are being loaded, too.
fn stored(moment: &Connection, incoming: bool) -> rusqlite::Result<Vec<Stored>> {
    let mut find = moment.prepare_cached(
        "SELECT c.name, i.key, i.rev, CASE WHEN i.pending > 0 THEN b.value ELSE i.value END, i.id, i.pending > 0
         FROM items i JOIN collections c ON c.id = i.collection LEFT JOIN base b ON b.item = i.id
         WHERE i.rev > 0 AND (c.life = 0 OR c.life = 1 AND ?1) ORDER BY c.life",
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
    let rows = find.query_map([incoming], |row| {
        let value: String = row.get(3)?;
        let value = serde_json::from_str(&value).expect("a stored value is JSON");
        let resources = resources.remove(&row.get(4)?).unwrap_or_default();
        Ok(((row.get(0)?, row.get(1)?), (value, resources, row.get::<_, i64>(2)? as Rev), row.get(5)?))
    })?;
    rows.collect()
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

/// Rejections and conflicts that nobody has taken.
pub fn untold(connection: &Connection) -> rusqlite::Result<BTreeSet<Name>> {
    let moment = connection.unchecked_transaction()?;
    let mut rejected = moment.prepare_cached("SELECT id, random FROM ledger WHERE outcome IN (2, 8) AND told = 0")?;
    let rejected = rejected
        .query_map([], |row| Ok(Name::Rejected(Ref::from_parts(row.get(0)?, row.get::<_, i64>(1)? as u64))))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut conflicts = moment.prepare_cached("SELECT id FROM conflicts WHERE told = 0")?;
    let conflicts = conflicts
        .query_map([], |row| Ok(Name::Conflict(ConflictId(row.get::<_, i64>(0)? as u64))))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(rejected.into_iter().chain(conflicts).collect())
}

/// A conflict that keeps what the server said.
#[derive(Debug)]
pub struct Sides {
    pub item: Item,
    /// Whether it is on the value of the item.
    pub of_value: bool,
    pub is_open: bool,
    /// Base, local and remote side, and what was shown, of what it has.
    pub texts: Vec<String>,
}

pub fn with_sides(connection: &Connection) -> rusqlite::Result<Vec<Sides>> {
    let mut find = connection.prepare(
        "SELECT collection, key, resource, ending IS NULL, base, local, remote, shown FROM conflicts
         WHERE base IS NOT NULL OR remote IS NOT NULL OR shown IS NOT NULL OR local IS NOT NULL",
    )?;
    let sides = find.query_map([], |row| {
        let item = (row.get(0)?, row.get(1)?);
        let of_value = row.get::<_, i64>(2)? == 0;
        let texts = (4..8).filter_map(|column| row.get(column).transpose()).collect::<rusqlite::Result<_>>()?;
        Ok(Sides { item, of_value, is_open: row.get(3)?, texts })
    });
    sides?.collect()
}

/// The bytes of an id, in which chance makes a mark at times.
const ID: usize = 16;

/// A text of some table, or bytes, with the marks in it.
pub struct Marked {
    /// Its table and column.
    pub place: String,
    /// Its item, where it is what a rejected or undone op meant, or had left there: the ledger keeps that for its user.
    pub meant_on: Option<Item>,
    pub marks: Vec<u64>,
}

/// Every text of every table that has marks, but for the sides of conflicts, and all other bytes that have some. What a full-text
/// search keeps is no text.
pub fn marked(connection: &Connection) -> rusqlite::Result<Vec<Marked>> {
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL %'")?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut marked = Vec::new();
    for table in tables {
        let mut all = connection.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let names: Vec<String> = all.column_names().map(str::to_owned).collect();
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let is_kept = table == "ledger" && matches!(row.get("outcome")?, 2 | 8);
            for (column, name) in names.iter().enumerate() {
                let marks: Vec<u64> = match row.get_ref(column)? {
                    ValueRef::Text(text) => marks_of_words(&String::from_utf8_lossy(text)).collect(),
                    // FTS5 keeps words of what was deleted until it merges; and an id has no room for a text.
                    ValueRef::Blob(bytes) if table.starts_with("search_") || bytes.len() <= ID => continue,
                    ValueRef::Blob(bytes) => marks_of_bytes(bytes).collect(),
                    _ => continue,
                };
                if table == "conflicts" && ["base", "local", "remote", "shown"].contains(&name.as_str()) {
                    continue;
                }
                if !marks.is_empty() {
                    let is_meant = is_kept && ["payload", "meant"].contains(&name.as_str());
                    let item = || -> rusqlite::Result<Item> { Ok((row.get("collection")?, row.get("key")?)) };
                    let meant_on = is_meant.then(item).transpose()?;
                    marked.push(Marked { place: format!("{table}.{name}"), meant_on, marks });
                }
            }
        }
    }
    Ok(marked)
}

/// How many rows each table has of what is confirmed and pending.
pub fn rows(connection: &Connection) -> rusqlite::Result<BTreeMap<&'static str, i64>> {
    let tables = ["collections WHERE life <> 0", "items", "resources", "base", "outbox"];
    let count = |table: &&'static str| {
        let sql = format!("SELECT count(*) FROM {table}");
        Ok((*table, connection.query_row(&sql, [], |row| row.get(0))?))
    };
    tables.iter().map(count).collect()
}
