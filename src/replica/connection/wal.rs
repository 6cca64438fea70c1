//! The write-ahead log: when it is moved into the file, and cut; and making the file anew, which goes through it.

use super::{LOOK, Replica};
use crate::error::{Error, Result};
use parking_lot::MutexGuard;
use rusqlite::{Connection, OpenFlags};
use std::time::{Duration, Instant};

/// WAL pages after which a commit moves them into the file; SQLite's own default.
const AUTO_CHECKPOINT: i64 = 1_000;

/// The same while a checkpoint is loaded, which moves the WAL itself, on a connection of its own.
const BULK_CHECKPOINT: i64 = 10_000;

/// What the WAL file may keep on disk after it was moved into the file, in bytes.
const WAL_KEPT: i64 = 16 << 20;

/// Sets the bounds of the WAL on the connection that writes.
pub(super) fn bound(writer: &Connection) -> Result<()> {
    writer.pragma_update(None, "wal_autocheckpoint", AUTO_CHECKPOINT)?;
    Ok(writer.pragma_update(None, "journal_size_limit", WAL_KEPT)?)
}

impl Replica {
    /// Lets the WAL grow longer until [`Replica::end_bulk`], for a load that moves it itself.
    pub fn begin_bulk(&self) -> Result<()> {
        Ok(self.writer.lock().pragma_update(None, "wal_autocheckpoint", BULK_CHECKPOINT)?)
    }

    /// Ends what [`Replica::begin_bulk`] began; waits for other writers of this store only while it `goes_on`.
    pub fn end_bulk(&self, goes_on: impl Fn() -> bool) -> Result<()> {
        loop {
            if let Some(writer) = self.writer.try_lock_for(LOOK) {
                return Ok(writer.pragma_update(None, "wal_autocheckpoint", AUTO_CHECKPOINT)?);
            }
            if !goes_on() {
                return Ok(());
            }
        }
    }

    /// Moves what it can of the WAL into the file without making any reader or writer wait.
    pub fn checkpoint(&self) -> Result<()> {
        // A connection of its own: the writer's lock would make the host's writes wait for the disk.
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Writes the file anew without its free pages, and cuts it.
    pub fn compact(&self) -> Result<()> {
        let writer = self.writer.lock();
        // The copy goes into the WAL, which has room for it then.
        self.truncate_wal(&writer)?;
        // In memory, where everything else that is temporary is, the copy may be more than the process can have.
        writer.pragma_update(None, "temp_store", "FILE")?;
        let vacuumed = writer.execute_batch("VACUUM").map_err(Error::from);
        writer.pragma_update(None, "temp_store", "MEMORY")?;
        vacuumed?;
        let moved = self.move_wal(&writer);
        self.truncate_wal(&writer)?;
        MutexGuard::unlock_fair(writer);
        moved
    }

    /// Moves all of the WAL into the file, which is cut to its new size by that.
    fn move_wal(&self, writer: &Connection) -> Result<()> {
        let begun = Instant::now();
        loop {
            // It waits for readers of what was before, and not for another connection that is at the same.
            let busy: bool = writer.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| row.get(0))?;
            if !busy {
                return Ok(());
            }
            if begun.elapsed() >= self.tuning.busy_timeout {
                return Err(Error::Busy);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Moves the WAL into the file and cuts it to nothing, unless anybody is reading from it; then it is cut later.
    fn truncate_wal(&self, writer: &Connection) -> Result<()> {
        writer.busy_timeout(Duration::ZERO)?;
        let cut = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(Error::from);
        writer.busy_timeout(self.tuning.busy_timeout)?;
        match cut {
            Err(Error::Busy) => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_end_of_a_load_waits_for_a_writer_no_longer_than_the_call_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let replica = Replica::open_plain(&dir.path().join("s.db"));
        let auto_checkpoint = || -> i64 {
            replica.writer.lock().pragma_query_value(None, "wal_autocheckpoint", |row| row.get(0)).unwrap()
        };
        replica.begin_bulk().unwrap();
        assert_eq!(auto_checkpoint(), BULK_CHECKPOINT);
        let writer = Cell::new(Some(replica.writer.lock()));
        let looks = Cell::new(0);
        // The writer ends at the second look.
        let goes_on = || {
            looks.set(looks.get() + 1);
            if looks.get() == 2 {
                drop(writer.take());
            }
            true
        };
        replica.end_bulk(goes_on).unwrap();
        assert_eq!(looks.get(), 2);
        assert_eq!(auto_checkpoint(), AUTO_CHECKPOINT);
        replica.begin_bulk().unwrap();
        let writer = replica.writer.lock();
        replica.end_bulk(|| false).unwrap();
        drop(writer);
        assert_eq!(auto_checkpoint(), BULK_CHECKPOINT, "a call that is cancelled leaves it as it is");
    }
}
