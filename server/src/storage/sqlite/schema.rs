//! The tables, and which version of them a file has.

use super::{EpochId, StorageError, Stored, log, not_ours};
use rusqlite::{Connection, TransactionBehavior};

// "SySv": tells a file of this server from any other SQLite file.
const APPLICATION_ID: i64 = 0x5379_5376;
const VERSION: i64 = 3;

// Rowid tables where rows are wide or keys come in any order; WITHOUT ROWID where the row is little more than its
// key. `refs` is in the order of time by its UUIDv7 keys, so new ones go to its end. Index entries and tags repeat the
// name of their item, which never changes, so that a listing reads them in its order and nothing of other items.
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
    collection INTEGER NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (item, name)
) WITHOUT ROWID;
CREATE INDEX index_entries_by_order ON index_entries (collection, name, ordering, key);
CREATE TABLE relations (
    item INTEGER NOT NULL, id TEXT NOT NULL, predicate TEXT NOT NULL, collection TEXT NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (item, id)
) WITHOUT ROWID;
CREATE TABLE tags (
    item INTEGER NOT NULL, tag TEXT NOT NULL, collection INTEGER NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (item, tag)
) WITHOUT ROWID;
CREATE INDEX tags_by_tag ON tags (tag, collection, key);
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

// From version 1.
const NAMED_RESOURCES: &str = "
ALTER TABLE index_entries RENAME TO old_index_entries;
ALTER TABLE tags RENAME TO old_tags;
CREATE TABLE index_entries (
    item INTEGER NOT NULL, name TEXT NOT NULL, ordering TEXT NOT NULL,
    collection INTEGER NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (item, name)
) WITHOUT ROWID;
CREATE TABLE tags (
    item INTEGER NOT NULL, tag TEXT NOT NULL, collection INTEGER NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (item, tag)
) WITHOUT ROWID;
INSERT INTO index_entries SELECT old.item, old.name, old.ordering, items.collection, items.key
    FROM old_index_entries AS old JOIN items ON items.id = old.item;
INSERT INTO tags SELECT old.item, old.tag, items.collection, items.key
    FROM old_tags AS old JOIN items ON items.id = old.item;
DROP TABLE old_index_entries;
DROP TABLE old_tags;
CREATE INDEX index_entries_by_order ON index_entries (collection, name, ordering, key);
CREATE INDEX tags_by_tag ON tags (tag, collection, key);
";

// From version 1, too: ops that wait for an approver. The ops of a unit are decided together; `rights` is what their
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

// From version 2: what the log has, so that it can be bounded by that.
fn log_bytes() -> String {
    format!(
        "ALTER TABLE state ADD COLUMN log_bytes INTEGER NOT NULL DEFAULT 0;
         UPDATE state SET log_bytes = (SELECT coalesce(sum({}), 0) FROM log);",
        log::BYTES
    )
}

// An older server of the same version keeps these up without knowing of them, so files that lack one get it, and keep their
// version. What a push looks through before it does anything: a client's batches that are not complete, among many that
// are. The oldest of those that are not complete. And the ops that wait on an item.
const LATER_INDEXES: &str = "
CREATE INDEX IF NOT EXISTS open_batches ON batches (client) WHERE state = 0;
CREATE INDEX IF NOT EXISTS overdue_batches ON batches (at) WHERE state = 0;
CREATE INDEX IF NOT EXISTS queued_by_item ON queued (collection, key);
";

/// Makes the tables in an empty file, brings those of an older server up to date, and refuses a file that is not this
/// server's or is newer than it.
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
            transaction.execute_batch(&log_bytes())?;
            transaction.execute_batch(LATER_INDEXES)?;
            transaction.execute("INSERT INTO epochs (epoch, head) VALUES (?1, 0)", [epoch.as_slice()])?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            Ok(transaction.commit()?)
        }
        (APPLICATION_ID, VERSION) => {
            transaction.execute_batch(LATER_INDEXES)?;
            Ok(transaction.commit()?)
        }
        (APPLICATION_ID, found @ 1..VERSION) => {
            if found == 1 {
                transaction.execute_batch(NAMED_RESOURCES)?;
                transaction.execute_batch(QUEUE)?;
            }
            transaction.execute_batch(&log_bytes())?;
            transaction.execute_batch(LATER_INDEXES)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(connection: &Connection) -> Vec<String> {
        let words = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut statement =
            connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        statement.query_map([], |row| row.get(0).map(words)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_file_of_version_1_gets_the_tables_of_a_new_one_and_keeps_what_it_has() {
        let mut new = Connection::open_in_memory().unwrap();
        ensure(&mut new, [7; 16]).unwrap();
        let mut old = Connection::open_in_memory().unwrap();
        ensure(&mut old, [7; 16]).unwrap();
        old.execute_batch(
            "DROP INDEX open_batches; DROP INDEX overdue_batches; DROP TABLE tags; DROP TABLE index_entries; DROP TABLE units; DROP TABLE queued;
             ALTER TABLE state DROP COLUMN queued; ALTER TABLE state DROP COLUMN queued_bytes;
             ALTER TABLE state DROP COLUMN log_bytes;
             PRAGMA user_version = 1;
             CREATE TABLE tags (item INTEGER NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (item, tag)) WITHOUT ROWID;
             CREATE TABLE index_entries (item INTEGER NOT NULL, name TEXT NOT NULL, ordering TEXT NOT NULL,
                 PRIMARY KEY (item, name)) WITHOUT ROWID;
             INSERT INTO items VALUES (5, 3, 'k', 9, 1, 0, 2, '{}');
             INSERT INTO tags VALUES (5, 't'); INSERT INTO index_entries VALUES (5, 'i', 'o');",
        )
        .unwrap();
        ensure(&mut old, [8; 16]).unwrap();
        assert_eq!(schema(&old), schema(&new));
        let tag: (i64, String, i64, String) = old
            .query_row("SELECT * FROM tags", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap();
        assert_eq!(tag, (5, "t".into(), 3, "k".into()));
        let entry: (String, String, i64, String) = old
            .query_row("SELECT name, ordering, collection, key FROM index_entries", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .unwrap();
        assert_eq!(entry, ("i".into(), "o".into(), 3, "k".into()));
    }
}
