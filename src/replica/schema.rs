//! What a file is before it is used: that it is a replica, of which version, with all its tables.

mod migrations;

use super::state;
use crate::error::{Error, Result};
use migrations::MIGRATIONS;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// "SyST": tells a replica from any other SQLite file.
pub(crate) const APPLICATION_ID: i64 = 0x5379_5354;

const TABLES: &[&str] = &[
    "collections",
    "items",
    "base",
    "resources",
    "outbox",
    "ledger",
    "state",
    "changes",
    "watches",
    "searches",
    "indexes",
    "conflicts",
];

/// The version that this library writes, and the newest that it reads.
pub(super) const SUPPORTED: i64 = MIGRATIONS.len() as i64;

/// What a schema is made of, with the text that made it.
pub(super) type Objects = BTreeMap<Object, Option<String>>;

/// A table or an index.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Object {
    pub kind: String,
    pub name: String,
}

/// The schema of a file as the migrations make it, and then `declared`.
pub(super) fn expected(declared: &[String]) -> Result<Objects> {
    // A constant of the library, and most of what a check of a small replica would take.
    static MIGRATED: OnceLock<Objects> = OnceLock::new();
    let migrated = match MIGRATED.get() {
        Some(migrated) => migrated,
        None => {
            let made = migrated(MIGRATIONS)?;
            MIGRATED.get_or_init(|| made)
        }
    };
    if declared.is_empty() {
        return Ok(migrated.clone());
    }
    let empty = Connection::open_in_memory()?;
    let (tables, others): (Vec<_>, Vec<_>) = migrated.iter().partition(|(object, _)| object.kind == "table");
    for (_, sql) in tables.into_iter().chain(others) {
        empty.execute_batch(sql.as_deref().unwrap_or_default())?;
    }
    for step in declared {
        empty.execute_batch(step)?;
    }
    present(&empty)
}

/// The schema as migrations alone make it.
fn migrated(steps: &[&str]) -> Result<Objects> {
    let empty = Connection::open_in_memory()?;
    for step in steps {
        empty.execute_batch(step)?;
    }
    present(&empty)
}

/// The schema that a file has; without what SQLite makes by itself.
pub(super) fn present(connection: &Connection) -> Result<Objects> {
    let mut find =
        connection.prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")?;
    let rows = find.query_map([], |row| Ok((Object { kind: row.get(0)?, name: row.get(1)? }, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Refuses files that are not replicas, or are newer; creates or migrates the rest.
///
/// Nothing is written to a file that is refused.
pub(crate) fn prepare(connection: &mut Connection, path: &Path, new_client: impl FnOnce() -> [u8; 16]) -> Result<()> {
    prepare_with(connection, path, MIGRATIONS, new_client)
}

fn prepare_with(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
    new_client: impl FnOnce() -> [u8; 16],
) -> Result<()> {
    let supported = migrations.len() as i64;
    let not_a_replica = |found: &str| Error::NotAReplica { path: path.to_owned(), found: found.to_owned() };
    let newer = |found| Error::NewerSchema { path: path.to_owned(), found, supported };
    // A file of one byte counts as an empty one to SQLite, and it would be written over.
    if std::fs::metadata(path).is_ok_and(|found| found.len() == 1) {
        return Err(not_a_replica("not a SQLite file"));
    }
    // All of it at one moment: another process may be making the replica right now.
    let look = connection.transaction()?;
    let id: i64 = match look.pragma_query_value(None, "application_id", |row| row.get(0)) {
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            return Err(not_a_replica("not a SQLite file, or an encrypted one"));
        }
        other => other?,
    };
    let tables: i64 = look.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let version: i64 = look.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if id != APPLICATION_ID && (id != 0 || tables != 0) {
        return Err(not_a_replica("another application's SQLite file"));
    }
    if id == APPLICATION_ID && version > supported {
        return Err(newer(version));
    }
    // Before the journal mode or a migration writes to it.
    match usize::try_from(version).ok().and_then(|version| migrations.get(..version)) {
        _ if id != APPLICATION_ID => {}
        None | Some([]) => return Err(Error::Corrupt(format!("no replica's file is of version {version}"))),
        Some(all) if all.len() == migrations.len() => {
            check_tables(&look, TABLES)?;
            state::load_limits(&look)?;
        }
        Some(older) => {
            let there = present(&look)?;
            let tables = migrated(older)?.into_iter().filter(|(object, _)| object.kind == "table");
            for (object, sql) in tables {
                if there.get(&object) != Some(&sql) {
                    let text = format!("the table {} is not that of version {version}", object.name);
                    return Err(Error::Corrupt(text));
                }
            }
            state::load_limits(&look)?;
        }
    }
    look.commit()?;
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        return Err(Error::Storage(format!("{} cannot be written", path.display()).into()));
    }
    // Until there is a write-ahead log, a transaction ends when its journal is deleted. Were the delete not on the disk
    // yet when the power fails, the journal would come back and undo, together with the switch, all that the log holds.
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    let mode = switch_to_wal(connection)?;
    if mode != "wal" {
        // A database in memory, which SQLite makes of some paths, or a file system without shared memory.
        let text = format!("{:?} is no place for a file with a write-ahead log (SQLite: {mode})", path.display());
        return Err(Error::Storage(text.into()));
    }
    if id == APPLICATION_ID && version == supported {
        return Ok(());
    }
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have been quicker between the look above and the lock, and of a newer library.
    let version: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > supported {
        return Err(newer(version));
    }
    for step in migrations.iter().skip(usize::try_from(version).unwrap_or(0)) {
        tx.execute_batch(step)?;
    }
    if version == 0 {
        tx.execute("INSERT OR IGNORE INTO state(id, client, position) VALUES (1, ?1, 0)", [new_client().as_slice()])?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", supported)?;
    check_tables(&tx, TABLES)?;
    Ok(tx.commit()?)
}

/// The journal mode that the file has then.
fn switch_to_wal(connection: &Connection) -> Result<String> {
    let patience: u32 = connection.pragma_query_value(None, "busy_timeout", |row| row.get(0))?;
    let begun = Instant::now();
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(Error::from) {
            // Two that switch at once are refused at once, since each would wait for the other.
            Err(Error::Busy) if begun.elapsed() < Duration::from_millis(patience.into()) => {
                std::thread::sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
}

fn check_tables(connection: &Connection, tables: &[&str]) -> Result<()> {
    let mut statement = connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?;
    for table in tables {
        if !statement.exists([table])? {
            return Err(Error::Corrupt(format!("the table {table} is missing")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn open(path: &Path, migrations: &[&str]) -> Result<()> {
        prepare_with(&mut Connection::open(path).unwrap(), path, migrations, || [7; 16])
    }

    /// The migrations and one more.
    fn with(step: &'static str) -> Vec<&'static str> {
        [MIGRATIONS, &[step]].concat()
    }

    #[test]
    fn an_older_file_is_migrated_and_keeps_its_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        open(&path, MIGRATIONS).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection.execute("INSERT INTO collections(name, life) VALUES ('kept', 0)", []).unwrap();
        open(&path, &with("ALTER TABLE collections ADD COLUMN later INTEGER")).unwrap();
        let row: (String, Option<i64>) =
            connection.query_row("SELECT name, later FROM collections", [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        assert_eq!(row, ("kept".to_owned(), None));
        let client: Vec<u8> = connection.query_row("SELECT client FROM state", [], |r| r.get(0)).unwrap();
        assert_eq!(client, [7; 16]);
    }

    #[test]
    fn what_is_declared_comes_to_what_the_migrations_make() {
        let migrated = expected(&[]).unwrap();
        let mut with_one = expected(&["CREATE INDEX declared ON items(value)".to_owned()]).unwrap();
        let one = Object { kind: "index".to_owned(), name: "declared".to_owned() };
        assert_eq!(with_one.remove(&one).flatten().as_deref(), Some("CREATE INDEX declared ON items(value)"));
        assert!(with_one == migrated, "the rest is as the migrations made it, word for word");
    }

    #[test]
    fn a_file_of_the_first_version_is_migrated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let first = Connection::open(&path).unwrap();
        first.execute_batch(MIGRATIONS[0]).unwrap();
        first.execute("INSERT INTO state(id, client, position) VALUES (1, ?1, 3)", [[5; 16].as_slice()]).unwrap();
        first.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        first.pragma_update(None, "user_version", 1).unwrap();
        open(&path, MIGRATIONS).unwrap();
        assert_eq!(present(&first).unwrap().len(), expected(&[]).unwrap().len());
        let position: i64 = first.query_row("SELECT position FROM state", [], |r| r.get(0)).unwrap();
        assert_eq!(position, 3);
    }

    #[test]
    fn a_failed_migration_leaves_the_old_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        open(&path, MIGRATIONS).unwrap();
        assert!(open(&path, &with("CREATE TABLE extra(x); CREATE TABLE items(x)")).is_err());
        open(&path, MIGRATIONS).unwrap();
        let connection = Connection::open(&path).unwrap();
        let extra: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema WHERE name='extra'", [], |r| r.get(0)).unwrap();
        assert_eq!(extra, 0);
    }

    #[test]
    fn newer_foreign_and_incomplete_files_are_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("newer.db");
        open(&path, &with("SELECT 1")).unwrap();
        let refused = open(&path, MIGRATIONS);
        assert!(
            matches!(refused, Err(Error::NewerSchema { found, supported: SUPPORTED, .. }) if found == SUPPORTED + 1)
        );

        let path = dir.path().join("foreign.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs(x)").unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(open(&path, MIGRATIONS), Err(Error::NotAReplica { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);

        let path = dir.path().join("text.db");
        let text = "not a database at all, but long enough to be mistaken for one\n".repeat(100);
        std::fs::write(&path, &text).unwrap();
        assert!(matches!(open(&path, MIGRATIONS), Err(Error::NotAReplica { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);

        let path = dir.path().join("incomplete.db");
        open(&path, MIGRATIONS).unwrap();
        Connection::open(&path).unwrap().execute_batch("DROP TABLE base").unwrap();
        assert!(matches!(open(&path, MIGRATIONS), Err(Error::Corrupt(_))));
    }

    #[test]
    fn a_file_that_a_newer_library_migrates_meanwhile_is_refused_untouched() {
        thread_local! {
            /// Within the transaction that migrates the file.
            static QUICKER: RefCell<Option<Connection>> = const { RefCell::new(None) };
        }
        let migrated = |_| {
            let Some(quicker) = QUICKER.take() else { return false };
            quicker.execute_batch(MIGRATIONS.last().unwrap()).unwrap();
            quicker.pragma_update(None, "user_version", SUPPORTED + 1).unwrap();
            quicker.execute_batch("COMMIT").is_ok()
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        open(&path, &MIGRATIONS[..MIGRATIONS.len() - 1]).unwrap();
        let quicker = Connection::open(&path).unwrap();
        quicker.execute_batch("BEGIN IMMEDIATE").unwrap();
        QUICKER.set(Some(quicker));
        let mut slower = Connection::open(&path).unwrap();
        slower.busy_handler(Some(migrated)).unwrap();
        let refused = prepare_with(&mut slower, &path, MIGRATIONS, || [7; 16]);
        assert!(QUICKER.take().is_none(), "it was migrated while the other waited for the lock");
        assert!(matches!(refused, Err(Error::NewerSchema { found, .. }) if found == SUPPORTED + 1), "{refused:?}");
        let version: i64 = slower.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, SUPPORTED + 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        open(&path, MIGRATIONS).unwrap();
        let mut reader = Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let error = prepare_with(&mut reader, &path, MIGRATIONS, || [7; 16]).unwrap_err();
        assert!(matches!(&error, Error::Storage(why) if why.to_string().contains("cannot be written")), "{error}");
    }
}
