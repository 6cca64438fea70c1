//! The table `watches`: what the stores on the file watch, so that the others leave a trail of nothing else.
//!
//! What nobody watches any more may still be in it, until a store begins to watch alone.

use crate::error::Result;
use crate::watch::{IndexRange, Scope};
use rusqlite::Connection;

/// With more than so many, everything is watched: each costs the writes of other stores a little.
const MOST: i64 = 64;

/// The kind of the row in their place.
const UNLISTED: i64 = 6;

/// Adds what a watcher wants; nothing is written if that is there.
pub(super) fn add(connection: &Connection, scope: &Scope) -> Result<()> {
    let keys;
    let (kind, collection, key) = match scope {
        Scope::All => (0, "", ""),
        Scope::Collection(collection) => (1, collection.as_str(), ""),
        Scope::Key(collection, key) => (2, collection.as_str(), key.as_str()),
        Scope::Prefix(collection, prefix) => (3, collection.as_str(), prefix.as_str()),
        Scope::Index(range) => (4, range.collection.as_str(), &*range.text),
        Scope::Keys(collection, first, end) => {
            keys = serde_json::json!([first, end]).to_string();
            (5, collection.as_str(), keys.as_str())
        }
        Scope::Unlisted => (UNLISTED, "", ""),
        Scope::Nothing => return Ok(()),
    };
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO watches(kind, collection, key) VALUES (?1, ?2, ?3)")?;
    insert.execute((kind, collection, key))?;
    let count: i64 = connection.query_row("SELECT count(*) FROM watches", [], |row| row.get(0))?;
    if count > MOST {
        clear(connection)?;
        insert.execute((UNLISTED, "", ""))?;
    }
    Ok(())
}

/// Everything that a store may watch.
pub(super) fn load(connection: &Connection) -> Result<Vec<Scope>> {
    let mut find = connection.prepare_cached("SELECT kind, collection, key FROM watches")?;
    let rows = find.query_map([], |row| {
        Ok(match row.get::<_, i64>(0)? {
            1 => Scope::Collection(row.get(1)?),
            2 => Scope::Key(row.get(1)?, row.get(2)?),
            3 => Scope::Prefix(row.get(1)?, row.get(2)?),
            4 => {
                let (collection, text): (String, String) = (row.get(1)?, row.get(2)?);
                IndexRange::from_text(&collection, &text).map_or(Scope::Unlisted, Scope::Index)
            }
            5 => match serde_json::from_str(&row.get::<_, String>(2)?) {
                Ok((first, end)) => Scope::Keys(row.get(1)?, first, end),
                Err(_) => Scope::Unlisted,
            },
            UNLISTED => Scope::Unlisted,
            _ => Scope::All,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Forgets all.
pub(super) fn clear(connection: &Connection) -> Result<()> {
    connection.execute("DELETE FROM watches", [])?;
    Ok(())
}
