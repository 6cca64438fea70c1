//! One SQLite file per database, in WAL mode: one connection writes, others read.

mod batches;
mod checkpoints;
mod clients;
mod content;
mod index_entries;
mod items;
mod listings;
mod log;
mod log_bound;
mod queued;
mod refs;
mod relations;
mod resource;
mod schema;
mod state;
mod tags;
mod transaction;

pub use content::bytes;
pub use log_bound::LogBound;
pub use transaction::{SqliteSnapshot, SqliteTransaction, WriterCaches};

use super::{EpochId, State, StorageError, Stored};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;
use syncstore::planted::{Planted, planted};

/// A database's file.
#[derive(Clone, Debug)]
pub struct SqliteFile {
    path: PathBuf,
    synced: bool,
    vfs: Option<String>,
}

/// How SQLite carries out a statement, a line for each step.
#[cfg(test)]
fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = statement.raw_query();
    let mut plan = String::new();
    while let Some(row) = rows.next().unwrap() {
        plan += &row.get::<_, String>(3).unwrap();
        plan += "\n";
    }
    plan
}

// More than the statements of this module, so that none is ever prepared twice.
const STATEMENTS: usize = 128;

// How long a connection waits for another process.
const BUSY: Duration = Duration::from_secs(10);

impl SqliteFile {
    /// The file at `path`, through SQLite's own VFS or the one of that name; `synced`: at each commit.
    pub fn new(path: PathBuf, synced: bool, vfs: Option<String>) -> SqliteFile {
        SqliteFile { path, synced, vfs }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file to write, making it with `epoch` as the first life of its log when it is missing.
    ///
    /// Fails for a file of another program and for one of a newer server, which stay as they are.
    pub fn writer(&self, epoch: EpochId) -> Stored<Connection> {
        let mut connection = self.open(OpenFlags::default())?;
        prepare(&connection)?;
        // Until there is a write-ahead log, a transaction ends when its journal is deleted. Were the delete not on the
        // disk yet when the power fails, the journal would come back and undo all that the log holds.
        connection.pragma_update(None, "synchronous", "EXTRA").map_err(not_ours)?;
        // What a disk of Apple's systems needs to sync in earnest; nothing elsewhere.
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
        schema::ensure(&mut connection, epoch)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        if !planted(Planted::RecoveredLogLeftUnsynced) {
            sync_log(&connection)?;
        }
        let synced = self.synced && !planted(Planted::AnswersBeforeTheDisk);
        connection.pragma_update(None, "synchronous", if synced { "FULL" } else { "NORMAL" })?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        // KiB. The pages of a write burst stay in memory, and the log is written back in larger steps.
        connection.pragma_update(None, "cache_size", -32_768)?;
        // Pages: see `LogBound`.
        connection.pragma_update(None, "wal_autocheckpoint", 10_000)?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        Ok(connection)
    }

    fn open(&self, flags: OpenFlags) -> Stored<Connection> {
        Ok(match &self.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, flags, vfs.as_str())?,
            None => Connection::open_with_flags(&self.path, flags)?,
        })
    }

    /// How many ops wait for an approver in it; none in one of a version that knew none, or of another program.
    pub fn queued(&self) -> u64 {
        let count = |connection: Connection| {
            connection.query_row("SELECT queued FROM state WHERE id = 1", [], |row| row.get(0)).unwrap_or(0)
        };
        self.reader().map_or(0, |connection| uint(count(connection)))
    }

    /// Opens the file to read; it must exist.
    pub fn reader(&self) -> Stored<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = self.open(flags)?;
        prepare(&connection)?;
        connection.pragma_update(None, "cache_size", -8_192)?;
        Ok(connection)
    }
}

fn prepare(connection: &Connection) -> Stored<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Or a statement is planned anew for each value bound to it, which takes longer than running it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(BUSY)?;
    // Under a mapping, an error of the disk, or a file that another program cuts short, is a signal that ends the process, for
    // all databases; through reads it is an error of this one.
    connection.pragma_update(None, "mmap_size", 0).map_err(not_ours)?;
    Ok(())
}

/// Puts all of the write-ahead log on the disk; commits of the connection must be synced.
///
/// What a server that was killed had committed may not be there yet, and must be before anybody is told of it: a power
/// loss would take it back.
fn sync_log(connection: &Connection) -> Stored<()> {
    match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)) {
        Ok(false) => Ok(()),
        // Another process reads, and then SQLite may not have begun. A commit syncs the whole file of the log, or
        // restarts a log of which everything is in the database's file and synced there.
        Ok(true) => schema::commit(connection),
        // The log itself is synced before the first of its pages is written back, which is the first to need room. So
        // it stays where it is, on the disk, and can be read; what is to be written fails by itself.
        Err(error) if is_full(&error) => {
            tracing::warn!(%error, "the write-ahead log stays, there is no room to write it back");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a write failed for want of room: a quota that is used up is an I/O error of a write to SQLite.
fn is_full(error: &rusqlite::Error) -> bool {
    let codes = [rusqlite::ffi::SQLITE_FULL, rusqlite::ffi::SQLITE_IOERR_WRITE];
    error.sqlite_error().is_some_and(|error| codes.contains(&error.extended_code))
}

fn not_ours(error: rusqlite::Error) -> StorageError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StorageError::Foreign,
        _ => error.into(),
    }
}

// SQLite's integers are signed; seqs stay below 2^53, and a larger `base` from the wire means the same as the largest.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn kind_number(kind: syncstore::protocol::OpKind) -> i64 {
    use syncstore::protocol::OpKind;
    match kind {
        OpKind::Set => 0,
        OpKind::Patch => 1,
        OpKind::Delete => 2,
    }
}

fn kind_of(number: i64) -> Stored<syncstore::protocol::OpKind> {
    use syncstore::protocol::OpKind;
    match number {
        0 => Ok(OpKind::Set),
        1 => Ok(OpKind::Patch),
        2 => Ok(OpKind::Delete),
        other => Err(StorageError::corrupt(format_args!("an op of kind {other}"))),
    }
}

fn json_of(text: String) -> Stored<syncstore::protocol::Json> {
    syncstore::protocol::Json::from_stored(text).map_err(StorageError::corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_connection_maps_the_file_into_memory() {
        let directory = tempfile::tempdir().unwrap();
        let file = SqliteFile::new(directory.path().join("db.sqlite"), false, None);
        for connection in [file.writer([1; 16]).unwrap(), file.reader().unwrap()] {
            let mapped: i64 = connection.pragma_query_value(None, "mmap_size", |row| row.get(0)).unwrap();
            assert_eq!(mapped, 0);
        }
    }
}
