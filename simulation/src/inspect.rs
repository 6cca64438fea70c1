//! What a replica file holds, read without the engine.

use crate::oracle::Item;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use syncstore::protocol::{Rev, Seq};

/// What the server confirmed, as a replica has it.
#[derive(Debug)]
pub struct Confirmed {
    /// The replica's place in the log; 0 and no items before its first checkpoint.
    pub position: Seq,
    pub has_cursor: bool,
    pub items: BTreeMap<Item, (Value, Rev)>,
}

/// A connection to look through; it must be gone before the file's disk is switched off or on.
pub fn open(path: &Path, vfs: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags_and_vfs(path, flags, vfs)
}

pub fn confirmed(connection: &Connection) -> rusqlite::Result<Confirmed> {
    let moment = connection.unchecked_transaction()?;
    let (position, has_cursor): (i64, bool) = moment
        .prepare_cached("SELECT position, cursor IS NOT NULL FROM state")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut find = moment.prepare_cached(
        "SELECT c.name, i.key, i.rev, CASE WHEN i.pending > 0 THEN b.value ELSE i.value END
         FROM items i JOIN collections c ON c.id = i.collection AND c.life = 0 LEFT JOIN base b ON b.item = i.id
         WHERE i.rev > 0",
    )?;
    let rows = find.query_map([], |row| {
        let value: String = row.get(3)?;
        let value = serde_json::from_str(&value).expect("a stored value is JSON");
        Ok(((row.get(0)?, row.get(1)?), (value, row.get::<_, i64>(2)? as Rev)))
    })?;
    let items = rows.collect::<rusqlite::Result<_>>()?;
    Ok(Confirmed { position: position as Seq, has_cursor, items })
}
