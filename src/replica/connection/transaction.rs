//! Transactions: how one begins, commits or is undone, and who is told of it.

use super::tuning::set_synchronous;
use super::{LOOK, Replica, wake};
use crate::error::{Error, Result};
use crate::event::LogLevel;
use crate::event::bus::{Filled, News};
use crate::planted::{Planted, planted};
use crate::replica::feed::{Feed, Waker};
use crate::replica::writing::Writing;
use parking_lot::MutexGuard;
use rusqlite::Connection;
use std::time::Instant;

impl Replica {
    /// Runs `work` in one transaction that sees the newest commit and excludes every other writer.
    ///
    /// An error rolls everything back. `work` must not wait for anything.
    pub fn write<T>(&self, work: impl FnOnce(&Writing<'_>) -> Result<T>) -> Result<T> {
        let writer = self.writer.lock();
        begin(&writer)?;
        self.finish(writer, false, work)
    }

    /// Like [`Replica::write`], and on the disk itself before it returns, whatever the durability setting.
    pub fn write_synced<T>(&self, work: impl FnOnce(&Writing<'_>) -> Result<T>) -> Result<T> {
        let writer = self.writer.lock();
        let raised = self.raise_synchronous(&writer)?;
        match begin(&writer) {
            Ok(()) => self.finish(writer, raised, work),
            Err(error) => self.lower_synchronous(&writer, raised).and(Err(error)),
        }
    }

    /// Like [`Replica::write`] or, `synced`, [`Replica::write_synced`], for a caller that must be able to end while it waits for
    /// other writers, in this process and others: [`Error::Cancelled`] soon after `goes_on` says no.
    pub fn write_while<T>(
        &self,
        goes_on: impl Fn() -> bool,
        synced: bool,
        work: impl FnOnce(&Writing<'_>) -> Result<T>,
    ) -> Result<T> {
        let since = Instant::now();
        let mut told = false;
        loop {
            if !goes_on() {
                return Err(Error::Cancelled);
            }
            let Some(writer) = self.writer.try_lock_for(LOOK) else { continue };
            let raised = synced && self.raise_synchronous(&writer)?;
            writer.busy_timeout(LOOK.min(self.tuning.busy_timeout))?;
            let begun = begin(&writer);
            writer.busy_timeout(self.tuning.busy_timeout)?;
            match begun {
                Ok(()) => return self.finish(writer, raised, work),
                Err(error) => {
                    self.lower_synchronous(&writer, raised)?;
                    if !matches!(error, Error::Busy) || since.elapsed() >= self.tuning.busy_timeout {
                        return Err(error);
                    }
                    drop(writer);
                    if !std::mem::replace(&mut told, true) {
                        self.bus.log(LogLevel::Debug, || "waits for another writer of the file".into());
                    }
                }
            }
        }
    }

    /// Runs `work` in the transaction that was begun, and ends that.
    fn finish<T>(
        &self,
        writer: MutexGuard<'_, Connection>,
        raised: bool,
        work: impl FnOnce(&Writing<'_>) -> Result<T>,
    ) -> Result<T> {
        self.refresh_limits(&writer);
        let (result, (wakers, news, untold)) = transaction(&writer, &self.feed, self.bus.is_heard(), work);
        let lowered = self.lower_synchronous(&writer, raised);
        let filled = if result.is_ok() { self.bus.committed(news) } else { Filled::default() };
        // A loop of slices would otherwise win the lock back before a waiting host's write.
        MutexGuard::unlock_fair(writer);
        wake(wakers);
        filled.wake();
        // Who began to listen since may have looked before the commit.
        if result.is_ok() && untold && self.bus.is_heard() {
            self.bus.outcomes_uncounted();
        }
        lowered.and(result)
    }

    /// Has the next commit synced; whether it would not be otherwise. A WAL is synced from its start to the commit, so all
    /// earlier commits become durable too.
    fn raise_synchronous(&self, writer: &Connection) -> Result<bool> {
        let raised = !(self.tuning.full || planted(Planted::SentNotSynced));
        if raised {
            set_synchronous(writer, true)?;
        }
        Ok(raised)
    }

    fn lower_synchronous(&self, writer: &Connection, raised: bool) -> Result<()> {
        if raised { set_synchronous(writer, false) } else { Ok(()) }
    }
}

fn begin(writer: &Connection) -> Result<()> {
    // Cached, unlike rusqlite's own transactions: this is on the path of every write.
    writer.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    Ok(())
}

/// Runs `work` in the transaction that the connection is in, and commits or rolls back.
fn transaction<T>(
    connection: &Connection,
    feed: &Feed,
    heard: bool,
    work: impl FnOnce(&Writing<'_>) -> Result<T>,
) -> (Result<T>, (Vec<Waker>, News, bool)) {
    let writing = Writing::new(connection, feed, heard);
    let result = within_transaction(&writing, work);
    if matches!(result, Err(Error::Storage(_) | Error::DiskFull | Error::Corrupt(_))) {
        forget_indexes(connection);
    }
    (result, writing.into_told())
}

/// Makes the connection read its schema anew, and FTS5 with it what it keeps of each index in memory.
///
/// Where the number of indexed rows cannot be read, FTS5 takes it for 0, keeps that through the rollback, and writes it with the next
/// change (SQLite 3.54, `fts5StorageLoadTotals`): the index would be damaged by one failed read.
fn forget_indexes(connection: &Connection) {
    if planted(Planted::SearchKeepsWhatFailed) {
        return;
    }
    // It reads nothing by itself, and what cannot be read later fails there.
    let _ = connection.execute_batch("PRAGMA writable_schema = RESET");
}

fn within_transaction<T>(writing: &Writing<'_>, work: impl FnOnce(&Writing<'_>) -> Result<T>) -> Result<T> {
    /// Rolls back unless disarmed, also when `work` unwinds.
    struct Rollback<'a>(Option<&'a Connection>);
    impl Drop for Rollback<'_> {
        fn drop(&mut self) {
            if let Some(connection) = self.0
                && !connection.is_autocommit()
            {
                // Nothing better can be done: SQLite rolls back at the latest when the connection closes.
                let _ = connection.execute_batch("ROLLBACK");
            }
        }
    }
    let mut guard = Rollback(Some(writing));
    let result = match work(writing) {
        Err(error) if planted(Planted::ErrorAfterHalfAWrite) => {
            writing.prepare_cached("COMMIT")?.execute([])?;
            return Err(error);
        }
        result => result?,
    };
    writing.commit()?;
    guard.0 = None;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conflict::ConflictId;
    use crate::event::{ConflictNews, EventOptions};
    use crate::outbox::Outcome;
    use crate::protocol::{Ref, ResourceName};
    use rusqlite::StatementStatus;

    #[test]
    fn who_begins_to_listen_during_a_transaction_is_told_that_it_settled_something() {
        let dir = tempfile::tempdir().unwrap();
        let replica = Replica::open_plain(&dir.path().join("s.db"));
        let next = |settles: bool| {
            let listening = replica.write(|writing| {
                let listening = replica.bus().listen(EventOptions::default(), || {});
                if settles {
                    writing.settled(Ref::from_parts(1, 1), || Outcome::Withdrawn(None));
                } else {
                    let on = ("c", "k", &ResourceName::Value);
                    writing.contested(ConflictId(1), on, ConflictNews::Begun);
                }
                Ok(listening)
            });
            let listening = listening.unwrap();
            let told = [listening.next(), listening.next()];
            replica.bus().cease(&listening);
            format!("{told:?}")
        };
        for settles in [true, false] {
            assert_eq!(next(settles), "[Entry(Event(Missed(OutcomesUncounted))), Empty]", "{settles}");
        }
        let listening = replica.write(|_| Ok(replica.bus().listen(EventOptions::default(), || {}))).unwrap();
        assert!(listening.is_empty(), "nothing was settled");
    }

    #[test]
    fn a_synced_commit_leaves_statements_as_they_were_planned() {
        let dir = tempfile::tempdir().unwrap();
        let replica = Replica::open_plain(&dir.path().join("s.db"));
        let planned_anew = || {
            let status = |writing: &Writing<'_>| -> Result<i32> {
                let mut find = writing.prepare_cached("SELECT position FROM state WHERE id = 1")?;
                find.query_row([], |row| row.get::<_, i64>(0))?;
                Ok(find.get_status(StatementStatus::RePrepare))
            };
            replica.write(status).unwrap()
        };
        assert_eq!(planned_anew(), 0);
        replica.write_synced(|_| Ok(())).unwrap();
        assert_eq!(planned_anew(), 0);
    }
}
