//! A wire whose calls are made by couriers, so that whoever waits for one can go on without it.

use super::courier::{Couriers, MOST, Unsent};
use super::lookout::Lookout;
use super::mailbox::Mailbox;
use crate::cancel::Cancel;
use crate::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use crate::wire::{CheckpointRequest, PullRequest, Traffic, Wire, WireError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What any request may take that does come back. A shorter backstop grows up to this with each call in a row that was given up, or a
/// slow network would never get one through.
const SLOW: Duration = Duration::from_secs(120);

/// A wire whose every call ends once it is cancelled, or after a time, whatever the wire beneath does.
#[derive(Clone)]
pub(super) struct Line {
    wire: Arc<dyn Wire>,
    cancel: Cancel,
    couriers: Arc<Couriers>,
    /// Calls in a row that were given up.
    given_up: Arc<AtomicU32>,
    lookout: Arc<Lookout>,
    backstop: Duration,
    /// Whether a call over it was given up, after which it makes none.
    gave_up: Arc<AtomicBool>,
}

impl Line {
    /// One whose calls are given up after the backstop; while they are waited for, the lookout is kept.
    pub fn new(wire: &Arc<dyn Wire>, cancel: &Cancel, lookout: Arc<Lookout>, backstop: Duration) -> Line {
        let line = Line {
            wire: Arc::clone(wire),
            cancel: cancel.clone(),
            couriers: Arc::default(),
            given_up: Arc::default(),
            lookout,
            backstop,
            gave_up: Arc::default(),
        };
        line.beside(wire, cancel)
    }

    /// Another one over the same threads, with a cancelling of its own.
    pub fn beside(&self, wire: &Arc<dyn Wire>, cancel: &Cancel) -> Line {
        let wire = wire.cancellable(cancel).unwrap_or_else(|| Arc::clone(wire));
        Line { wire, cancel: cancel.clone(), gave_up: Arc::default(), ..self.clone() }
    }

    /// Whether a call over it was given up.
    pub fn gave_up(&self) -> bool {
        self.gave_up.load(Ordering::SeqCst)
    }

    /// Waits until no request is on its way, for so long at most; whether none is.
    pub fn come_back(&self, patience: Duration) -> bool {
        self.couriers.come_back(patience)
    }

    /// Pulls, and hands over what came on the thread that made the request, unless it was cancelled.
    pub fn pull_then(
        &self,
        request: PullRequest,
        then: impl FnOnce(PullRequest, Result<InboxPage, WireError>) + Send + 'static,
    ) -> Result<(), WireError> {
        let (wire, cancel) = (Arc::clone(&self.wire), self.cancel.clone());
        self.aside(move || {
            let came = contained(wire, |wire| wire.pull(&request));
            if !cancel.is_cancelled() {
                then(request, came);
            }
        })
    }

    /// Does what may take long on a thread of the couriers.
    pub fn aside(&self, job: impl FnOnce() + Send + 'static) -> Result<(), WireError> {
        self.couriers.send(Box::new(job)).map_err(|unsent| {
            WireError::Unreachable(match unsent {
                Unsent::TooMany => format!("no further call is made while {MOST} have not come back"),
                Unsent::NoThread(error) => format!("there is no thread for the request: {error}"),
            })
        })
    }

    fn call<T: Send + 'static>(
        &self,
        request: impl FnOnce(&dyn Wire) -> Result<T, WireError> + Send + 'static,
    ) -> Result<T, WireError> {
        let patience = patience(self.backstop, self.given_up.load(Ordering::SeqCst));
        let overdue = || Err(WireError::TimedOut(format!("a call of the wire did not come back within {patience:?}")));
        if self.gave_up() {
            return overdue();
        }
        let mailbox = Arc::new(Mailbox::<Option<_>>::new());
        let (wire, there) = (Arc::clone(&self.wire), Arc::downgrade(&mailbox));
        self.aside(move || {
            let came = contained(wire, request);
            // One that was given up, or interrupted, comes to nobody.
            if let Some(mailbox) = there.upgrade() {
                mailbox.post_first(came);
            }
        })?;
        let cancelled = Arc::clone(&mailbox);
        let _hook = self.cancel.on_cancel(move || cancelled.post_first(Err(WireError::Cancelled)));
        let begun = Instant::now();
        loop {
            let left = patience.saturating_sub(begun.elapsed());
            let due = self.lookout.due();
            if let Some(came) = mailbox.take(left.min(due)) {
                self.given_up.store(0, Ordering::SeqCst);
                return came;
            }
            if left.is_zero() {
                self.given_up.fetch_add(1, Ordering::SeqCst);
                self.gave_up.store(true, Ordering::SeqCst);
                return overdue();
            }
            if due.is_zero() {
                self.lookout.look();
            }
        }
    }
}

/// How long a call is waited for, after so many in a row that were given up.
fn patience(backstop: Duration, given_up: u32) -> Duration {
    backstop.saturating_mul(1 << given_up.min(16)).min(backstop.max(SLOW))
}

/// What a request comes to, once the wire is let go of. A panic of the host's wire, of its source of credentials, or of what it does when it
/// is dropped, is an error; it says nothing of what the panic said, which may be a secret.
fn contained<T>(wire: Arc<dyn Wire>, request: impl FnOnce(&dyn Wire) -> Result<T, WireError>) -> Result<T, WireError> {
    catch_unwind(AssertUnwindSafe(move || request(&*wire))).unwrap_or(Err(WireError::Panicked))
}

impl Wire for Line {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.call(|wire| wire.info())
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        let request = request.clone();
        self.call(move |wire| wire.push(&request))
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        let request = request.clone();
        self.call(move |wire| wire.pull(&request))
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        let request = request.clone();
        self.call(move |wire| wire.checkpoint(&request))
    }

    fn traffic(&self) -> Traffic {
        self.wire.traffic()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::SystemEnvironment;
    use crate::replica::Replica;
    use crate::sync::{RetryPolicy, Seat, Settings};
    use parking_lot::{Condvar, Mutex};

    const BACKSTOP: Duration = Duration::from_millis(10);

    /// A wire whose calls come back, with an error, once it is open.
    #[derive(Default)]
    struct Gate {
        open: Mutex<bool>,
        opened: Condvar,
    }

    impl Gate {
        fn open(&self) {
            *self.open.lock() = true;
            self.opened.notify_all();
        }

        fn pass<T>(&self) -> Result<T, WireError> {
            self.opened.wait_while(&mut self.open.lock(), |open| !*open);
            Err(WireError::Unreachable("it is open".into()))
        }
    }

    impl Wire for Gate {
        fn info(&self) -> Result<DatabaseInfo, WireError> {
            self.pass()
        }
        fn push(&self, _: &PushRequest) -> Result<PushResponse, WireError> {
            self.pass()
        }
        fn pull(&self, _: &PullRequest) -> Result<InboxPage, WireError> {
            self.pass()
        }
        fn checkpoint(&self, _: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
            self.pass()
        }
    }

    #[test]
    fn a_job_that_panics_comes_back_and_takes_no_place_of_another() {
        let couriers = Arc::new(Couriers::default());
        for _ in 0..2 * MOST {
            couriers.send(Box::new(|| std::panic::panic_any("as a host's does"))).unwrap();
            assert!(couriers.come_back(SLOW));
        }
    }

    #[test]
    fn the_patience_doubles_with_each_call_in_a_row_that_was_given_up_to_two_minutes() {
        for (given_up, milliseconds) in [(0, 10), (1, 20), (2, 40), (13, 81_920), (14, 120_000), (16, 120_000)] {
            assert_eq!(patience(BACKSTOP, given_up), Duration::from_millis(milliseconds), "{given_up}");
        }
        assert_eq!(patience(BACKSTOP, u32::MAX), SLOW);
        for backstop in [SLOW, Duration::from_secs(15 * 60), Duration::MAX] {
            for given_up in [0, 1, 16, u32::MAX] {
                assert_eq!(patience(backstop, given_up), backstop, "{given_up}");
            }
        }
    }

    #[test]
    fn a_call_that_comes_back_ends_the_row_of_those_that_were_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let replica = Arc::new(Replica::open_plain(&dir.path().join("s.db")));
        let seat = Arc::new(Seat::new(Arc::clone(&replica), Arc::new(settings())));
        let lookout = Arc::new(Lookout::new(replica, seat, SLOW));
        let gate = Arc::new(Gate::default());
        let (wire, cancel): (Arc<dyn Wire>, _) = (gate.clone(), Cancel::new());
        let first = Line::new(&wire, &cancel, lookout, BACKSTOP);
        // Each on a line of its own, as the background sync does after one that was given up.
        let call = || first.beside(&wire, &cancel).info().unwrap_err();
        for patience in ["10ms", "20ms", "40ms"] {
            let error = call();
            assert!(matches!(&error, WireError::TimedOut(words) if words.ends_with(patience)), "{error}");
        }
        // So many that the next one is waited for long enough on any machine.
        first.given_up.store(16, Ordering::SeqCst);
        gate.open();
        assert!(matches!(call(), WireError::Unreachable(words) if words == "it is open"));
        assert_eq!(first.given_up.load(Ordering::SeqCst), 0);
    }

    fn settings() -> Settings {
        Settings {
            push_ops: 1,
            pull_entries: 1,
            checkpoint_items: 1,
            pages: 1,
            largest_file: u64::MAX,
            prefetch: false,
            retention: crate::Retention::default(),
            retry: RetryPolicy::default(),
            environment: Arc::new(SystemEnvironment::default()),
        }
    }
}
