//! A store that is closed at a time of its holder's choice, while others may be within calls of it.

use super::Store;
use crate::background::Stopped;
use parking_lot::RwLock;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// A store until it is closed.
pub(crate) struct Opened(RwLock<Option<(Arc<Held>, Gone)>>);

/// A store that a call holds.
pub(crate) struct Held {
    store: Store,
    /// Behind the store, so that it goes when the store is wholly gone.
    _alive: Sender<()>,
}

/// Tells when a store is gone: its other end is. A channel's receiving end is not for several threads, but to be moved.
struct Gone(parking_lot::Mutex<Receiver<()>>);

impl Deref for Held {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Opened {
    pub fn new(store: Store) -> Opened {
        let (alive, gone) = channel();
        let held = Arc::new(Held { store, _alive: alive });
        Opened(RwLock::new(Some((held, Gone(parking_lot::Mutex::new(gone))))))
    }

    /// The store for the time of a call; `None`: it was closed.
    pub fn get(&self) -> Option<Arc<Held>> {
        self.0.read().as_ref().map(|(held, _)| Arc::clone(held))
    }

    /// Closes it, and waits for that up to a bound: what takes longer (a transaction, a callback, a call on another thread)
    /// goes on, and the file is closed at its end. `None`: it was closed before.
    pub fn close(&self, at_most: Duration) -> Option<Stopped> {
        let until = Instant::now() + at_most;
        let (held, gone) = self.0.write().take()?;
        held.end_listening();
        let stopped = held.stop(at_most);
        // A thread of its own, since the last to let go waits for the background sync and writes the log of SQLite back.
        let dropped = std::thread::Builder::new().name("syncstore-close".into()).spawn(move || drop(held));
        if dropped.is_err() || stopped == Stopped::Soon {
            return Some(Stopped::Soon);
        }
        let left = until.saturating_duration_since(Instant::now());
        match gone.0.into_inner().recv_timeout(left) {
            Err(RecvTimeoutError::Disconnected) => Some(stopped),
            _ => Some(Stopped::Soon),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Options;

    #[test]
    fn closing_ends_the_waits_of_who_listens_though_a_call_still_holds_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let opened = Opened::new(Store::open(dir.path().join("s.db"), Options::default()).unwrap());
        let held = opened.get().unwrap();
        let events = held.events(crate::EventOptions::default(), || {});
        std::thread::scope(|scope| {
            // A wait may come back early; only an end of all waits lets it go on without an event for good.
            let waiting = scope.spawn(|| (0..3).map(|_| events.wait(Duration::from_secs(3_600))).collect::<Vec<_>>());
            opened.close(Duration::ZERO);
            assert_eq!(waiting.join().unwrap(), [false, false, false]);
        });
        let late = held.events(crate::EventOptions::default(), || {});
        assert!(!late.wait(Duration::from_secs(3_600)));
    }

    #[test]
    fn closing_waits_for_nobody_else_and_the_last_to_let_go_closes_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let opened = Opened::new(Store::open(dir.path().join("s.db"), Options::default()).unwrap());
        let held = opened.get().unwrap();
        let begun = Instant::now();
        assert_eq!(opened.close(Duration::from_millis(50)), Some(Stopped::Soon));
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert!(opened.get().is_none() && opened.close(Duration::ZERO).is_none());
        // The call that was under way comes to its end.
        held.set("notes", "n1", &1).unwrap();
        drop(held);

        let opened = Opened::new(Store::open(dir.path().join("s.db"), Options::default()).unwrap());
        assert_eq!(opened.close(Duration::from_secs(30)), Some(Stopped::Entirely));
        assert!(!dir.path().join("s.db-wal").exists());
    }
}
