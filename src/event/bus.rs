//! Who listens to a store, and what is told to all of them.

use super::bell::Pipe;
use super::queue::{Entry, Queue};
use super::{Event, EventOptions, LogLevel, LogLine, Missed, Subscription};
use crate::background::SyncStatus;
use crate::replica::Settled;
use parking_lot::RwLock;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// The queue of one listener.
pub(crate) type Listening = Queue<Told, Pipe>;

/// An event, or where there are some.
#[derive(Debug)]
pub(crate) enum Told {
    Event(Event),
    /// A subscription has changes.
    Changes(Subscription),
}

const OUTCOMES: usize = 0;
const LOG_LINES: usize = 1;
const CONFLICTS: usize = 2;

impl Entry for Told {
    fn replaces(&self, earlier: &Told) -> bool {
        match (self, earlier) {
            (Told::Event(Event::Status(_)), Told::Event(Event::Status(_))) => true,
            (Told::Changes(one), Told::Changes(other)) => one == other,
            (Told::Event(Event::Missed(Missed::OutcomesUncounted)), Told::Event(Event::Missed(missed))) => {
                *missed == Missed::OutcomesUncounted
            }
            _ => false,
        }
    }

    fn class(&self) -> Option<usize> {
        match self {
            Told::Event(Event::Settled { .. }) => Some(OUTCOMES),
            Told::Event(Event::Log(_)) => Some(LOG_LINES),
            Told::Event(Event::Conflicted { .. }) => Some(CONFLICTS),
            _ => None,
        }
    }

    fn missed(class: usize, count: u64) -> Told {
        Told::Event(Event::Missed(match class {
            OUTCOMES => Missed::Outcomes(count),
            CONFLICTS => Missed::Conflicts(count),
            _ => Missed::LogLines(count),
        }))
    }

    fn count_missed(&mut self, class: usize) -> Option<&mut u64> {
        match self {
            Told::Event(Event::Missed(Missed::Outcomes(count))) if class == OUTCOMES => Some(count),
            Told::Event(Event::Missed(Missed::LogLines(count))) if class == LOG_LINES => Some(count),
            Told::Event(Event::Missed(Missed::Conflicts(count))) if class == CONFLICTS => Some(count),
            _ => None,
        }
    }

    fn source(&self) -> Option<u64> {
        match self {
            Told::Changes(subscription) => Some(subscription.0),
            Told::Event(_) => None,
        }
    }
}

struct Listener {
    queue: Weak<Listening>,
    options: EventOptions,
}

/// What a store tells, to whoever listens.
#[derive(Default)]
pub(crate) struct Bus {
    listeners: RwLock<Vec<Listener>>,
    /// Whether somebody looks regularly what other processes did.
    attended: AtomicBool,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("listeners", &self.listeners.read().len()).finish_non_exhaustive()
    }
}

impl Bus {
    pub fn listen(&self, options: EventOptions, wake: impl Fn() + Send + Sync + 'static) -> Arc<Listening> {
        // A panic of the host's must not pass for one of whoever tells.
        let wake = move || drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(&wake)));
        let queue = Arc::new(Queue::new(vec![options.outcomes, options.log_lines, options.conflicts], wake));
        self.listeners.write().push(Listener { queue: Arc::downgrade(&queue), options });
        queue
    }

    /// Forgets one who listens no longer.
    pub fn cease(&self, queue: &Arc<Listening>) {
        self.listeners.write().retain(|listener| !std::ptr::eq(listener.queue.as_ptr(), Arc::as_ptr(queue)));
    }

    pub fn attend(&self, attended: bool) {
        self.attended.store(attended, Ordering::SeqCst);
    }

    pub fn is_attended(&self) -> bool {
        self.attended.load(Ordering::SeqCst)
    }

    /// Tells those who want it; each is woken with nothing locked.
    fn tell(&self, wants: impl Fn(&EventOptions) -> bool, told: impl Fn() -> Told) {
        let queues: Vec<_> = {
            let listeners = self.listeners.read();
            let wanting = listeners.iter().filter(|listener| wants(&listener.options));
            wanting.filter_map(|listener| listener.queue.upgrade()).collect()
        };
        queues.iter().for_each(|queue| queue.push(told()));
    }

    pub fn settled(&self, settled: &Settled) {
        for (op_ref, outcome) in &settled.ops {
            let event = || Event::Settled { op_ref: *op_ref, outcome: outcome.clone() };
            self.tell(|options| options.outcomes > 0, || Told::Event(event()));
        }
        for id in &settled.conflicts {
            self.tell(|options| options.conflicts > 0, || Told::Event(Event::Conflicted { id: *id }));
        }
    }

    /// Operations may have been settled that nobody told.
    pub fn outcomes_uncounted(&self) {
        self.tell(|options| options.outcomes > 0, || Told::Event(Event::Missed(Missed::OutcomesUncounted)));
    }

    pub fn status(&self, status: &SyncStatus) {
        self.tell(|_| true, || Told::Event(Event::Status(status.clone())));
    }

    pub fn log(&self, level: LogLevel, text: impl Fn() -> String) {
        let wants = |options: &EventOptions| options.log_level.is_some_and(|wanted| level <= wanted);
        self.tell(wants, || Told::Event(Event::Log(LogLine { level, text: text() })));
    }
}
