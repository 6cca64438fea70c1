//! The tables, and which version of them a file has.

use super::{EpochId, StorageError, Stored, not_ours};
use rusqlite::{Connection, TransactionBehavior};

// "SySv": tells a file of this server from any other SQLite file.
const APPLICATION_ID: i64 = 0x5379_5376;
const VERSION: i64 = 2;

// Rowid tables where rows are wide or keys come in any order; WITHOUT ROWID where the row is little more than its
// key. `refs` is in the order of time by its UUIDv7 keys, so new ones go to its end.
const TABLES: &str = "
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch BLOB NOT NULL, head INTEGER NOT NULL, next INTEGER NOT NULL,
    items INTEGER NOT NULL, entries INTEGER NOT NULL,
    pruned INTEGER NOT NULL, pruned_ref BLOB, horizon INTEGER NOT NULL
);
CREATE TABLE epochs (number INTEGER PRIMARY KEY, epoch BLOB NOT NULL UNIQUE, head INTEGER NOT NULL);
CREATE TABLE collections (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL, key TEXT NOT NULL,
    rev INTEGER NOT NULL, client INTEGER NOT NULL, other INTEGER NOT NULL,
    resources INTEGER NOT NULL, value TEXT NOT NULL,
    UNIQUE (collection, key)
);
CREATE TABLE index_entries (
    item INTEGER NOT NULL, name TEXT NOT NULL, ordering TEXT NOT NULL,
    PRIMARY KEY (item, name)
) WITHOUT ROWID;
CREATE TABLE relations (
    item INTEGER NOT NULL, id TEXT NOT NULL, predicate TEXT NOT NULL, collection TEXT NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (item, id)
) WITHOUT ROWID;
CREATE TABLE tags (item INTEGER NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (item, tag)) WITHOUT ROWID;
CREATE TABLE tombstones (
    collection INTEGER NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, client INTEGER NOT NULL,
    PRIMARY KEY (collection, key)
) WITHOUT ROWID;
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    ref BLOB NOT NULL, client INTEGER NOT NULL, kind INTEGER NOT NULL, flags INTEGER NOT NULL,
    collection INTEGER, key TEXT, from_rev INTEGER NOT NULL, at INTEGER NOT NULL, batch BLOB,
    resource INTEGER NOT NULL, name TEXT, tags TEXT, tags_before TEXT, payload TEXT
);
CREATE TABLE rejections (seq INTEGER PRIMARY KEY, code TEXT NOT NULL, message TEXT NOT NULL, detail TEXT);
CREATE TABLE refs (
    ref BLOB PRIMARY KEY,
    client INTEGER NOT NULL, digest BLOB NOT NULL, state INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE clients (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    client BLOB NOT NULL UNIQUE, user TEXT NOT NULL, position INTEGER NOT NULL, seen INTEGER NOT NULL
);
CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    client INTEGER NOT NULL, batch BLOB NOT NULL, ops_of INTEGER NOT NULL, ops INTEGER NOT NULL,
    bytes INTEGER NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL,
    UNIQUE (client, batch)
);
CREATE TABLE staged (
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL, ref BLOB NOT NULL, kind INTEGER NOT NULL,
    collection TEXT NOT NULL, key TEXT NOT NULL, base INTEGER,
    resource INTEGER NOT NULL, name TEXT, payload TEXT
);
CREATE INDEX staged_by_batch ON staged (batch);
CREATE TABLE checkpoints (
    id BLOB PRIMARY KEY,
    client BLOB NOT NULL UNIQUE, epoch BLOB NOT NULL, seq INTEGER NOT NULL, entry BLOB, digest INTEGER NOT NULL,
    total INTEGER NOT NULL, made INTEGER NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
";

// What version 2 adds: ops that wait for an approver. The ops of a unit are decided together; `rights` is what their
// sender might do.
const QUEUE: &str = "
ALTER TABLE state ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;
ALTER TABLE state ADD COLUMN queued_bytes INTEGER NOT NULL DEFAULT 0;
CREATE TABLE units (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    client INTEGER NOT NULL, batch BLOB, user TEXT NOT NULL, rights TEXT NOT NULL,
    ops INTEGER NOT NULL, bytes INTEGER NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX units_by_client ON units (client);
CREATE TABLE queued (
    id INTEGER PRIMARY KEY,
    unit INTEGER NOT NULL, ref BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL,
    collection TEXT NOT NULL, key TEXT NOT NULL, base INTEGER,
    resource INTEGER NOT NULL, name TEXT, payload TEXT, asks INTEGER NOT NULL
);
CREATE INDEX queued_by_unit ON queued (unit);
";

/// Makes the tables in an empty file, and refuses one that is not this server's or is newer than it.
pub fn ensure(connection: &mut Connection, epoch: EpochId) -> Stored<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(not_ours)?;
    let pragma = |name: &str| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, version) {
        (0, 0) if tables == 0 => {
            transaction.execute_batch(TABLES)?;
            transaction.execute("INSERT INTO state VALUES (1, ?1, 0, 1, 0, 0, 0, NULL, 0)", [epoch.as_slice()])?;
            transaction.execute_batch(QUEUE)?;
            transaction.execute("INSERT INTO epochs (epoch, head) VALUES (?1, 0)", [epoch.as_slice()])?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            Ok(transaction.commit()?)
        }
        (APPLICATION_ID, VERSION) => Ok(()),
        (APPLICATION_ID, 1) => {
            transaction.execute_batch(QUEUE)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            Ok(transaction.commit()?)
        }
        (APPLICATION_ID, found) if found > VERSION => Err(StorageError::Newer { found, known: VERSION }),
        _ => Err(StorageError::Foreign),
    }
}

/// Commits a transaction that changes nothing.
pub fn commit(connection: &Connection) -> Stored<()> {
    // SQLite writes a number of the file's head even when it is the same, and commits nothing if nothing is written.
    Ok(connection.pragma_update(None, "application_id", APPLICATION_ID)?)
}
