//! Syncing on the host's own thread.

use super::Store;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::sync::{Direction, Progress, Stage, SyncReport};
use crate::wire::Wire;
use std::fmt;

/// A sync that did not reach its end: why, and what it did before.
///
/// What it did stands, and what it did not do stays queued.
#[derive(Debug)]
pub struct SyncError(Box<(Error, SyncReport)>);

impl SyncError {
    /// Why it stopped.
    pub fn error(&self) -> &Error {
        &self.0.0
    }

    /// What it did before it stopped.
    pub fn report(&self) -> &SyncReport {
        &self.0.1
    }

    /// Why it stopped, owned.
    pub fn into_error(self) -> Error {
        self.0.0
    }
}

impl fmt::Display for SyncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl std::error::Error for SyncError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.error())
    }
}

impl From<SyncError> for Error {
    fn from(error: SyncError) -> Error {
        error.into_error()
    }
}

impl Store {
    /// Pushes everything that was queued when the call began, and pulls to the end of the server's log.
    ///
    /// Blocks while it speaks with the server, so call it on a thread that may wait; reads and writes of other
    /// threads go on meanwhile. A second call waits for the first. A new replica, and one whose cursor
    /// expired, is loaded from a checkpoint; what is queued stays queued through that.
    ///
    /// # Errors
    ///
    /// [`Error::SyncedElsewhere`] when another store is syncing the same file. A [`WireError`](crate::wire::WireError) within [`Error::Wire`] after the tries that
    /// [`Options::retry`](crate::Options::retry) allows; errors of the file; [`Error::Diverged`]. Calling again goes on
    /// from where it stopped.
    pub fn sync(&self, wire: &dyn Wire) -> Result<SyncReport, SyncError> {
        self.sync_with(wire, &mut |_| {})
    }

    /// Like [`Store::sync`], and tells how far a bootstrap has come, on the calling thread, after each page.
    ///
    /// `progress` may read and write the store; a sync, push or pull from within it is refused ([`Error::WithinSync`]).
    ///
    /// # Errors
    ///
    /// Like [`Store::sync`].
    pub fn sync_with(&self, wire: &dyn Wire, progress: &mut dyn FnMut(Progress)) -> Result<SyncReport, SyncError> {
        self.run(wire, Direction::Both, None, progress)
    }

    /// Like [`Store::sync_with`], until it is cancelled from another thread.
    ///
    /// It then ends with [`Error::Cancelled`]: between two transactions at once, and in the middle of a request over an
    /// [`HttpWire`](crate::wire::http::HttpWire) too, but for one that is just looking up the server's name or connecting, which
    /// is bounded by [`HttpOptions::connect_timeout`](crate::wire::http::HttpOptions::connect_timeout). Another wire decides by
    /// [`Wire::cancellable`].
    ///
    /// # Errors
    ///
    /// Like [`Store::sync`], and [`Error::Cancelled`].
    pub fn sync_until(
        &self,
        wire: &dyn Wire,
        cancel: &Cancel,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<SyncReport, SyncError> {
        let cancellable = wire.cancellable(cancel);
        self.run(cancellable.as_deref().unwrap_or(wire), Direction::Both, Some(cancel), progress)
    }

    /// Pushes everything that was queued when the call began, each operation once.
    ///
    /// Operations stay in the outbox until a pull has reached their place in the log; [`Store::outcome`] tells
    /// what the server said. Loads a checkpoint only when the server says that its log was restored from a backup.
    ///
    /// # Errors
    ///
    /// Like [`Store::sync`].
    pub fn push(&self, wire: &dyn Wire) -> Result<SyncReport, SyncError> {
        self.run(wire, Direction::Push, None, &mut |_| {})
    }

    /// Pulls to the end of the server's log; a new or expired replica is loaded from a checkpoint.
    ///
    /// Loading a checkpoint pushes the outbox too: what it holds must settle before the checkpoint takes the place of
    /// what is read (`docs/PROTOCOL.md`, section 5).
    ///
    /// # Errors
    ///
    /// Like [`Store::sync`].
    pub fn pull(&self, wire: &dyn Wire) -> Result<SyncReport, SyncError> {
        self.run(wire, Direction::Pull, None, &mut |_| {})
    }

    /// One sync, until it is cancelled; the wire is one that knows of the cancelling already.
    pub(crate) fn run(
        &self,
        wire: &dyn Wire,
        direction: Direction,
        cancel: Option<&Cancel>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<SyncReport, SyncError> {
        let mut told = |stage| {
            if let Stage::Loading(loaded) = stage {
                progress(loaded);
            }
        };
        let (report, result) = self.seat.run(wire, direction, cancel, &mut told);
        self.decide_conflicts(cancel);
        match result {
            Ok(()) => Ok(report),
            Err(error) => Err(SyncError(Box::new((error, report)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use crate::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
    use crate::wire::{CheckpointRequest, PullRequest, WireError};

    struct Offline;

    impl Wire for Offline {
        fn info(&self) -> Result<DatabaseInfo, WireError> {
            Err(WireError::Unreachable("offline".into()))
        }
        fn push(&self, _: &PushRequest) -> Result<PushResponse, WireError> {
            Err(WireError::Unreachable("offline".into()))
        }
        fn pull(&self, _: &PullRequest) -> Result<InboxPage, WireError> {
            Err(WireError::Unreachable("offline".into()))
        }
        fn checkpoint(&self, _: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
            Err(WireError::Unreachable("offline".into()))
        }
    }

    #[test]
    fn a_call_begins_with_the_usual_bound_of_the_write_ahead_log() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { retry: crate::RetryPolicy::never(), ..Options::default() };
        let store = Store::open(dir.path().join("s.db"), options).unwrap();
        let pages = || -> i64 {
            let read = |connection: &crate::replica::Writing<'_>| {
                Ok(connection.pragma_query_value(None, "wal_autocheckpoint", |row| row.get(0))?)
            };
            store.replica.write(read).unwrap()
        };
        let usual = pages();
        // As a load leaves it that is cancelled while another thread writes.
        store.replica.begin_bulk().unwrap();
        assert!(pages() > usual);
        store.push(&Offline).unwrap_err();
        assert_eq!(pages(), usual);
    }
}
