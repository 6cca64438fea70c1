//! Files as earlier versions of the library left them.

use rusqlite::Connection;

/// What leads from version n + 1 of a file back to version n, from the first n on.
const BACK: [&str; 9] = [
    "DROP TABLE changes; DROP TABLE watches;",
    "DROP TABLE searches;",
    "DROP TABLE indexes;",
    "ALTER TABLE changes DROP COLUMN ranges;",
    "DROP INDEX ledger_untold; DROP INDEX ledger_batch; DROP INDEX ledger_retried;
     ALTER TABLE ledger DROP COLUMN meant; ALTER TABLE ledger DROP COLUMN batch;
     ALTER TABLE ledger DROP COLUMN batch_of; ALTER TABLE ledger DROP COLUMN told;",
    "DROP TABLE conflicts;",
    "ALTER TABLE state DROP COLUMN keep; ALTER TABLE state DROP COLUMN kept; ALTER TABLE state DROP COLUMN asked;",
    "DROP INDEX ledger_rejected; DROP INDEX ledger_untold;
     CREATE INDEX ledger_rejected ON ledger(id) WHERE outcome = 2;
     CREATE INDEX ledger_untold ON ledger(id) WHERE outcome = 2 AND told = 0;",
    "ALTER TABLE state DROP COLUMN looked;",
];

/// The version of a file that the library makes now.
pub const PRESENT: i64 = BACK.len() as i64 + 1;

pub fn version(file: &Connection) -> rusqlite::Result<i64> {
    file.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Makes a file of the present one of an earlier version. What that had no tables for is gone: searches and indexes, which it must not have below version 4.
pub fn turn_back(file: &Connection, to: i64) -> rusqlite::Result<()> {
    assert_eq!(version(file)?, PRESENT, "another step leads to the present version");
    let steps: String = (to..PRESENT).rev().map(|version| BACK[version as usize - 1]).collect();
    file.execute_batch(&format!("BEGIN IMMEDIATE; {steps} PRAGMA user_version = {to}; COMMIT"))
}
