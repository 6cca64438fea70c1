//! Giving freed space back to the file system.

use super::Store;
use crate::error::Result;
use crate::replica::check::file_and_free_bytes;
use crate::replica::collections;
use serde::Serialize;

/// Items that one transaction deletes: a few milliseconds.
const SLICE: u32 = 1_000;

/// What a compaction gave back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CompactReport {
    /// The size of the file and its write-ahead log before, in bytes.
    pub bytes_before: u64,
    /// The same after.
    pub bytes_after: u64,
}

impl Store {
    /// Writes the file anew without its free space, and gives that back to the file system.
    ///
    /// SQLite uses the space of what was deleted again and keeps it until then; after a large delete, or a checkpoint
    /// that took the place of a large replica, this makes the file as small as what it holds. It is never needed for
    /// anything else. [`Store::check`] tells how many bytes of whole free pages there are to give
    /// back (`free_bytes`); what half-empty pages and the write-ahead log take comes on top.
    ///
    /// Copies the whole file, and blocks: call it on a thread that may wait. Writes of this store, a sync's among
    /// them, wait meanwhile; reads do not. Another store's writes wait up to its
    /// [`Options::busy_timeout`](crate::Options::busy_timeout). It needs free disk space for two copies of what the
    /// file holds: one beside the file (in its write-ahead log) and one among the system's temporary files, which no
    /// other process can open by name on Unix. Interrupted at any point, even by a power loss, it leaves the file as
    /// it was or compacted.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// let report = store.compact()?;
    /// println!("{} bytes given back", report.bytes_before.saturating_sub(report.bytes_after));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::DiskFull`](crate::Error::DiskFull) when there is no room for the copies.
    /// [`Error::Busy`](crate::Error::Busy) when another process writes, or any store reads, for longer than
    /// `busy_timeout`; if it was a reader, the file is written anew and shrinks by itself at some later write.
    /// Whatever the error, nothing is lost, and the store goes on.
    pub fn compact(&self) -> Result<CompactReport> {
        let bytes = || Ok::<_, crate::Error>(self.replica.read(file_and_free_bytes)?.0 + self.wal_bytes().unwrap_or(0));
        let bytes_before = bytes()?;
        // What the last checkpoint replaced is deleted by the next sync otherwise.
        while self.replica.write(|connection| collections::delete_retired(connection, SLICE))? {}
        self.replica.compact()?;
        Ok(CompactReport { bytes_before, bytes_after: bytes()? })
    }
}
