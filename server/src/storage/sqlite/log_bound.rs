//! How long the write-ahead log may become.
//!
//! SQLite writes it back after commits without waiting for anybody, and begins it anew only when it finds nobody reading
//! from it. While reads overlap it never does, and the log grows for as long as they go on.

use super::{BUSY, Stored};
use rusqlite::Connection;
use std::time::Duration;

// Four times the length after which SQLite writes it back by itself.
const MOST: u64 = 4 * 10_000 * 4_096;

// How long the writer waits for those who read from it; whoever begins to read meanwhile reads the file.
const PATIENCE: Duration = Duration::from_secs(1);

/// Empties the log of a connection that writes when it has become long.
#[derive(Debug)]
pub struct LogBound {
    most: u64,
    patience: Duration,
    // The length at which it is tried next: where somebody reads on for long, each try costs the writer its patience.
    next: u64,
}

impl Default for LogBound {
    fn default() -> LogBound {
        LogBound::new(MOST, PATIENCE)
    }
}

impl LogBound {
    fn new(most: u64, patience: Duration) -> LogBound {
        LogBound { most, patience, next: most }
    }

    /// To be called between transactions. Where somebody reads on for longer than it waits, the log stays, and it is tried
    /// again when that has become longer by as much as it may be.
    pub fn hold(&mut self, connection: &Connection) -> Stored<()> {
        let length = length(connection);
        if length < self.next {
            return Ok(());
        }
        self.next = length.saturating_add(self.most);
        connection.busy_timeout(self.patience)?;
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        connection.busy_timeout(BUSY)?;
        if !busy? {
            self.next = self.most;
        }
        Ok(())
    }
}

// Its bytes; 0 where it is not a file of the system's.
fn length(connection: &Connection) -> u64 {
    let path = connection.path().map(|path| format!("{path}-wal"));
    path.and_then(|path| std::fs::metadata(path).ok()).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::super::SqliteFile;
    use super::*;
    use std::sync::mpsc::{TryRecvError, channel};

    fn begin(reader: &Connection) {
        reader.execute_batch("BEGIN").unwrap();
        reader.query_row("SELECT count(*) FROM log", [], |row| row.get::<_, i64>(0)).unwrap();
    }

    fn write(writer: &Connection) {
        writer.execute_batch("INSERT INTO collections (name) VALUES (hex(randomblob(50000)))").unwrap();
    }

    #[test]
    fn the_log_stays_short_while_somebody_always_reads() {
        let directory = tempfile::tempdir().unwrap();
        let file = SqliteFile::new(directory.path().join("db.sqlite"), false, None);
        let writer = file.writer([1; 16]).unwrap();
        writer.pragma_update(None, "wal_autocheckpoint", 10).unwrap();
        let readers = [file.reader().unwrap(), file.reader().unwrap()];
        // No page of these takes a minute.
        let mut bound = LogBound::new(1 << 20, Duration::from_secs(60));
        let (reading, begun) = channel();
        std::thread::scope(|scope| {
            let (end, ended) = channel::<()>();
            scope.spawn(move || {
                begin(&readers[0]);
                reading.send(()).unwrap();
                for turn in 0.. {
                    let (ends, begins) = (&readers[turn % 2], &readers[(turn + 1) % 2]);
                    begin(begins);
                    ends.execute_batch("COMMIT").unwrap();
                    if ended.try_recv() == Err(TryRecvError::Disconnected) {
                        break;
                    }
                }
            });
            begun.recv().unwrap();
            let _end = end;
            for _ in 0..60 {
                write(&writer);
                bound.hold(&writer).unwrap();
                let length = length(&writer);
                assert!(length < 1 << 20, "{length}");
            }
        });
    }

    #[test]
    fn where_somebody_reads_on_for_long_it_is_tried_again_when_the_log_is_longer_by_as_much() {
        let directory = tempfile::tempdir().unwrap();
        let file = SqliteFile::new(directory.path().join("db.sqlite"), false, None);
        let (writer, reader) = (file.writer([1; 16]).unwrap(), file.reader().unwrap());
        let mut bound = LogBound::new(1 << 20, Duration::ZERO);
        begin(&reader);
        let mut tries = Vec::new();
        while tries.len() < 3 {
            let next = bound.next;
            write(&writer);
            bound.hold(&writer).unwrap();
            tries.extend((bound.next > next).then(|| length(&writer) >> 20));
        }
        assert_eq!(tries, [1, 2, 3]);
        reader.execute_batch("COMMIT").unwrap();
        while length(&writer) > 0 {
            write(&writer);
            bound.hold(&writer).unwrap();
        }
        assert_eq!(bound.next, 1 << 20);
        let busy: i64 = writer.query_row("PRAGMA busy_timeout", [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 10_000, "others' transactions are waited for as ever");
    }
}
