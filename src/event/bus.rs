//! Who listens to a store, and what is told to all of them.

use super::bell::Pipe;
use super::pulse::Pulse;
use super::queue::{Entry, Queue};
use super::{ConflictNews, Event, EventOptions, LogLevel, LogLine, Missed, Subscription};
use crate::background::SyncStatus;
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
            Told::Event(Event::Conflict { .. }) => Some(CONFLICTS),
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

/// What a transaction has to tell once it is committed.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Whether it settled an op.
    pub settled: bool,
    /// In the order in which it happened; empty where nobody listens.
    pub events: Vec<Event>,
}

/// Queues that something was put into, and how often each was empty before, and is to be woken.
///
/// Also those that are not: the last hand on a queue drops what is the host's, its `wake`, so it must not be dropped under a lock.
#[must_use]
#[derive(Default)]
pub(crate) struct Filled(Vec<(Arc<Listening>, u32)>);

impl Filled {
    /// Wakes, with nothing locked.
    pub fn wake(self) {
        self.0.iter().for_each(|(queue, wakes)| (0..*wakes).for_each(|_| queue.wake()));
    }
}

/// What a store tells, to whoever listens.
#[derive(Default)]
pub(crate) struct Bus {
    listeners: RwLock<Vec<Listener>>,
    /// Whether anybody wants outcomes or conflicts, so that they need not be collected otherwise.
    heard: AtomicBool,
    /// Whether a resolver is asked before the host is.
    decided: AtomicBool,
    /// For those who wait for an outcome.
    pulse: Pulse,
    /// Whether somebody looks regularly what other processes did.
    attended: AtomicBool,
    /// The store is closed.
    ended: AtomicBool,
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
        let mut listeners = self.listeners.write();
        listeners.push(Listener { queue: Arc::downgrade(&queue), options });
        self.update(&listeners);
        if self.ended.load(Ordering::SeqCst) {
            queue.end();
        }
        queue
    }

    /// Forgets one who listens no longer.
    pub fn cease(&self, queue: &Arc<Listening>) {
        let mut listeners = self.listeners.write();
        listeners.retain(|listener| !std::ptr::eq(listener.queue.as_ptr(), Arc::as_ptr(queue)));
        self.update(&listeners);
    }

    /// The store is closed: nobody waits for what it tells any more.
    pub fn end(&self) {
        if self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        let queues: Vec<_> = self.listeners.read().iter().filter_map(|listener| listener.queue.upgrade()).collect();
        queues.iter().for_each(|queue| queue.end());
    }

    fn update(&self, listeners: &[Listener]) {
        let hears = |listener: &Listener| listener.options.outcomes > 0 || listener.options.conflicts > 0;
        self.heard.store(listeners.iter().any(hears), Ordering::SeqCst);
    }

    /// Whether what a transaction settles is worth collecting.
    pub fn is_heard(&self) -> bool {
        self.heard.load(Ordering::SeqCst)
    }

    /// A resolver decides conflicts: they need the host only when that has left them open.
    pub fn expect_decisions(&self) {
        self.decided.store(true, Ordering::SeqCst);
    }

    /// What those who wait for an outcome wait at.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    pub fn attend(&self, attended: bool) {
        self.attended.store(attended, Ordering::SeqCst);
    }

    pub fn is_attended(&self) -> bool {
        self.attended.load(Ordering::SeqCst)
    }

    /// Tells those who want it; each is woken with nothing locked.
    fn tell(&self, wants: impl Fn(&EventOptions) -> bool, told: impl Fn() -> Told) {
        let mut filled = Filled::default();
        self.put(&mut filled, wants, told);
        filled.wake();
    }

    /// Puts it into the queues of those who want it.
    fn put(&self, filled: &mut Filled, wants: impl Fn(&EventOptions) -> bool, told: impl Fn() -> Told) {
        let queues: Vec<_> = {
            let listeners = self.listeners.read();
            let wanting = listeners.iter().filter(|listener| wants(&listener.options));
            wanting.filter_map(|listener| listener.queue.upgrade()).collect()
        };
        for queue in queues {
            let wakes = u32::from(queue.put(told()));
            match filled.0.iter_mut().find(|(there, _)| Arc::ptr_eq(there, &queue)) {
                Some((_, before)) => *before += wakes,
                None => filled.0.push((queue, wakes)),
            }
        }
    }

    /// Puts what a transaction has to tell into the queues, after its commit, while no other one can commit: so what comes of a
    /// thing is told after it, whoever is woken first. Calls nothing of the host's.
    pub fn committed(&self, News { settled, events }: News) -> Filled {
        let mut filled = Filled::default();
        events.into_iter().for_each(|event| self.put_news(&mut filled, event));
        if settled {
            self.pulse.beat();
        }
        filled
    }

    /// Tells what became of an operation or a conflict.
    pub fn happened(&self, event: Event) {
        let mut filled = Filled::default();
        self.put_news(&mut filled, event);
        filled.wake();
    }

    fn put_news(&self, filled: &mut Filled, event: Event) {
        match &event {
            Event::Conflict { news, .. } => {
                let undecided = *news == ConflictNews::Begun && !self.decided.load(Ordering::SeqCst);
                self.put(filled, |options| options.conflicts > 0, || Told::Event(event.clone()));
                if let Event::Conflict { id, collection, key, resource, .. } = event
                    && undecided
                {
                    let news = ConflictNews::NeedsDeciding;
                    self.put_news(filled, Event::Conflict { id, collection, key, resource, news });
                }
            }
            _ => self.put(filled, |options| options.outcomes > 0, || Told::Event(event.clone())),
        }
    }

    /// Operations may have been settled, or conflicts begun, that nobody told.
    pub fn outcomes_uncounted(&self) {
        self.pulse.beat();
        let wants = |options: &EventOptions| options.outcomes > 0 || options.conflicts > 0;
        self.tell(wants, || Told::Event(Event::Missed(Missed::OutcomesUncounted)));
    }

    pub fn status(&self, status: &SyncStatus) {
        self.tell(|_| true, || Told::Event(Event::Status(status.clone())));
    }

    pub fn log(&self, level: LogLevel, text: impl Fn() -> String) {
        let wants = |options: &EventOptions| options.log_level.is_some_and(|wanted| level <= wanted);
        self.tell(wants, || Told::Event(Event::Log(LogLine { level, text: text() })));
    }
}
