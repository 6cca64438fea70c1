//! The engine's way to the replica and into waiting: both closed once its call is cancelled.

use crate::cancel::Cancel;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::event::bus::Bus;
use crate::protocol::Limits;
use crate::replica::{Replica, Writing};
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Duration;

/// How often a wait looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(10);

/// A replica, for as long as the call that uses it is not cancelled: each transaction begins with a look at that, so a
/// cancelled call ends at the next slice, and touches the file no more.
#[derive(Clone, Copy)]
pub(crate) struct Access<'a> {
    replica: &'a Replica,
    /// `None`: nobody can cancel it.
    cancel: Option<&'a Cancel>,
}

impl<'a> Access<'a> {
    pub fn new(replica: &'a Replica, cancel: Option<&'a Cancel>) -> Access<'a> {
        Access { replica, cancel }
    }

    /// An error, once cancelled.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(Cancel::is_cancelled)
    }

    pub fn write<T>(&self, work: impl FnOnce(&Writing<'_>) -> Result<T>) -> Result<T> {
        match self.cancel {
            None => self.replica.write(work),
            Some(cancel) => self.replica.write_while(|| !cancel.is_cancelled(), false, work),
        }
    }

    pub fn write_synced<T>(&self, work: impl FnOnce(&Writing<'_>) -> Result<T>) -> Result<T> {
        match self.cancel {
            None => self.replica.write_synced(work),
            Some(cancel) => self.replica.write_while(|| !cancel.is_cancelled(), true, work),
        }
    }

    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.check()?;
        self.replica.read(work)
    }

    pub fn read_at_once<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.check()?;
        self.replica.read_at_once(work)
    }

    pub fn begin_bulk(&self) -> Result<()> {
        self.check()?;
        self.replica.begin_bulk()
    }

    /// Also when cancelled, since the host goes on with the same connection; but not if that means to wait. Then the next call
    /// begins with it.
    pub fn end_bulk(&self) -> Result<()> {
        self.replica.end_bulk(|| !self.is_cancelled())
    }

    pub fn checkpoint(&self) -> Result<()> {
        self.check()?;
        self.replica.checkpoint()
    }

    /// Who is told what.
    pub fn bus(&self) -> &Bus {
        self.replica.bus()
    }

    /// Tells who listens that outcomes have changed, and not which.
    pub fn tell_outcomes_uncounted(&self) {
        self.replica.bus().outcomes_uncounted();
    }

    pub fn newest_limits(&self) -> Arc<Limits> {
        self.replica.newest_limits()
    }

    pub fn limits_asked(&self) -> bool {
        self.replica.limits_asked()
    }

    pub fn waiting_forgotten(&self) -> bool {
        self.replica.waiting_forgotten()
    }

    pub fn set_waiting_forgotten(&self) {
        self.replica.set_waiting_forgotten();
    }

    pub fn set_limits(&self, limits: Limits) {
        self.replica.set_limits(limits);
    }

    /// Waits, unless and until cancelled.
    pub fn sleep(&self, environment: &dyn Environment, duration: Duration) {
        if self.cancel.is_none() {
            return environment.sleep(duration);
        }
        let mut left = duration;
        while !left.is_zero() && !self.is_cancelled() {
            let step = left.min(LOOK);
            environment.sleep(step);
            left -= step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::retry::tests::Slept;

    #[test]
    fn a_wait_that_may_be_cancelled_is_as_long_as_any_and_looks_now_and_then() {
        let dir = tempfile::tempdir().unwrap();
        let replica = Replica::open_plain(&dir.path().join("s.db"));
        let (cancel, clock) = (Cancel::new(), Slept::default());
        Access::new(&replica, None).sleep(&clock, Duration::from_millis(25));
        Access::new(&replica, Some(&cancel)).sleep(&clock, Duration::from_millis(25));
        cancel.cancel();
        Access::new(&replica, Some(&cancel)).sleep(&clock, Duration::from_millis(25));
        assert_eq!(*clock.0.lock(), [25, 10, 10, 5].map(Duration::from_millis));
    }

    #[test]
    fn once_cancelled_the_file_is_neither_read_nor_written() {
        let dir = tempfile::tempdir().unwrap();
        let (replica, cancel) = (Replica::open_plain(&dir.path().join("s.db")), Cancel::new());
        let access = Access::new(&replica, Some(&cancel));
        let touches = || {
            [
                access.read(|_| Ok(())),
                access.read_at_once(|_| Ok(())),
                access.write(|_| Ok(())),
                access.write_synced(|_| Ok(())),
                access.begin_bulk(),
                access.checkpoint(),
            ]
        };
        assert!(touches().iter().all(Result::is_ok));
        cancel.cancel();
        assert!(touches().iter().all(|touched| matches!(touched, Err(Error::Cancelled))));
        assert!(access.end_bulk().is_ok(), "the host goes on with the same connection");
    }
}
