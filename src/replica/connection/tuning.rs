//! How the file is kept: what a connection is opened with and set to.

use crate::error::Result;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How the file is kept; see the fields of `Options`, which these come from.
#[derive(Clone, Debug)]
pub(crate) struct Tuning {
    /// fsync at every commit.
    pub full: bool,
    /// Of each connection, in bytes.
    pub cache_bytes: usize,
    pub busy_timeout: Duration,
    /// `None`: SQLite's default.
    pub vfs: Option<String>,
}

/// The longest time-out that SQLite counts, in 31 bits of milliseconds: 24 days.
const LONGEST_BUSY_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// The largest cache that SQLite counts, in 31 bits of KiB; of more it would make none.
const LARGEST_CACHE: u64 = (i32::MAX as u64) << 10;

impl Tuning {
    pub(super) fn within_sqlite(self) -> Tuning {
        let largest = usize::try_from(LARGEST_CACHE).unwrap_or(usize::MAX);
        Tuning {
            cache_bytes: self.cache_bytes.min(largest),
            busy_timeout: self.busy_timeout.min(LONGEST_BUSY_TIMEOUT),
            ..self
        }
    }
}

pub(super) fn open(path: &Path, flags: OpenFlags, tuning: &Tuning) -> Result<Connection> {
    Ok(match &tuning.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
        None => Connection::open_with_flags(path, flags)?,
    })
}

pub(in crate::replica) fn tune(connection: &Connection, tuning: &Tuning) -> Result<()> {
    // SQLite as it is bundled would plan a statement anew for each value bound to it, which takes longer than
    // running it. There are no statistics in the file that a plan could depend on.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    // What a disk of Apple's systems needs to sync in earnest; nothing elsewhere. Once for each connection, since setting
    // them makes SQLite plan every prepared statement anew.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    set_synchronous(connection, tuning.full)?;
    // Negative: in KiB rather than in pages.
    let kib = i64::try_from(tuning.cache_bytes / 1024).unwrap_or(i64::MAX);
    connection.pragma_update(None, "cache_size", -kib.max(64))?;
    // No mmap: an I/O error under a mapping is a signal that ends the host's process.
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

pub(super) fn set_synchronous(connection: &Connection, full: bool) -> Result<()> {
    Ok(connection.pragma_update(None, "synchronous", if full { "FULL" } else { "NORMAL" })?)
}

#[cfg(test)]
mod tests {
    use super::super::Replica;
    use super::*;

    #[test]
    fn what_sqlite_cannot_count_is_the_most_that_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let tuning = Tuning { full: false, cache_bytes: usize::MAX, busy_timeout: Duration::MAX, vfs: None };
        let replica = Replica::open(&dir.path().join("s.db"), tuning, || [7; 16]).unwrap();
        let told = |pragma: &str| {
            let ask = format!("PRAGMA {pragma}");
            replica.read(|reader| Ok(reader.query_row(&ask, [], |row| row.get::<_, i64>(0))?)).unwrap()
        };
        assert_eq!(told("busy_timeout"), i64::from(i32::MAX));
        let most = LARGEST_CACHE.min(usize::MAX as u64) >> 10;
        assert_eq!(told("cache_size"), -i64::try_from(most).unwrap());
    }
}
