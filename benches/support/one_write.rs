//! One write, until it is settled: by hand and by the background sync, beside what one request takes.

use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use syncstore::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, HttpWire, PullRequest, Wire, WireError};
use syncstore::{Outcome, Ref, Store, SyncPolicy};

const WRITES: usize = 500;

/// A wire that notes when the last push began and ended.
struct Timed(HttpWire, Mutex<Option<(Instant, Instant)>>);

impl Wire for Timed {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.0.info()
    }
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        let begun = Instant::now();
        let answer = self.0.push(request);
        *self.1.lock() = Some((begun, Instant::now()));
        answer
    }
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        self.0.pull(request)
    }
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.0.checkpoint(request)
    }
}

/// Medians of one write.
pub struct OneWrite {
    /// From the call of `set` until the operation is settled.
    pub settled: Duration,
    /// From the return of `set` until the push is on its way.
    pub leaves: Duration,
    /// The push itself.
    pub push: Duration,
    /// From its answer until the operation is settled.
    pub comes_back: Duration,
}

impl fmt::Display for OneWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OneWrite { settled, leaves, push, comes_back } = self;
        write!(f, "{settled:?}: {leaves:?} until the push leaves, {push:?} the push, {comes_back:?} from its answer on")
    }
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn measure(store: &Store, wire: &Timed, settle: impl Fn(Ref)) -> OneWrite {
    let mut times = Vec::new();
    for n in 0..WRITES {
        let begun = Instant::now();
        let op = store.set("mine", "k", &n).unwrap();
        let written = Instant::now();
        settle(op);
        let settled = Instant::now();
        assert!(matches!(store.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
        let (leaves, answered) = wire.1.lock().take().unwrap();
        times.push([settled - begun, leaves - written, answered - leaves, settled - answered]);
    }
    let [settled, leaves, push, comes_back] = [0, 1, 2, 3].map(|part| median(times.iter().map(|time| time[part])));
    OneWrite { settled, leaves, push, comes_back }
}

/// One request without a body, a `sync` by hand, and the background sync without its debounce.
pub fn one_write(open: impl Fn(&str) -> Store, wire: impl Fn() -> HttpWire) -> (Duration, OneWrite, OneWrite) {
    let asked = wire();
    let request = median((0..WRITES).map(|_| {
        let begun = Instant::now();
        asked.info().unwrap();
        begun.elapsed()
    }));
    let (store, by_hand) = (open("by-hand.db"), Timed(wire(), Mutex::default()));
    store.sync(&by_hand).unwrap();
    let hand = measure(&store, &by_hand, |_| drop(store.sync(&by_hand).unwrap()));
    let (store, in_background) = (open("background.db"), Arc::new(Timed(wire(), Mutex::default())));
    let mut policy = SyncPolicy::default();
    policy.debounce = Duration::ZERO;
    store.start(in_background.clone(), policy).unwrap();
    let first = store.set("mine", "k", &"first").unwrap();
    store.wait(first, Duration::from_secs(30)).unwrap();
    let background = measure(&store, &in_background, |op| drop(store.wait(op, Duration::from_secs(30)).unwrap()));
    (request, hand, background)
}
