//! A store with a server, and somebody who listens to it.

use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use syncstore::wire::{HttpOptions, HttpWire, Wire};
use syncstore::{Event, EventOptions, Events, LogLevel, Options, Outcome, Ref, Store, SyncPolicy, SyncState};
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};
use tempfile::TempDir;

pub const DATABASE: &str = "db";

/// How long anything may take that is to happen: far above what it needs, far below what a hang would take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What stopping and closing may take.
pub const CLOSE: Duration = Duration::from_millis(250);

/// A server without credentials, and the directory for the replicas.
pub struct Site {
    // Stopped before its directory goes.
    pub server: Server,
    pub dir: TempDir,
}

impl Site {
    pub fn new() -> Site {
        Site::with(Config::dev())
    }

    pub fn with(config: Config) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(ServerOptions::new(dir.path().join("server"), config)).unwrap();
        Site { server, dir }
    }

    pub fn wire(&self) -> Arc<dyn Wire> {
        wire(&self.server.url())
    }

    /// A store of its own, not started.
    pub fn store(&self, name: &str) -> Store {
        open(&self.dir.path().join(name))
    }

    /// What another replica reads now.
    pub fn value(&self, collection: &str, key: &str) -> Option<Value> {
        let dir = tempfile::tempdir_in(self.dir.path()).unwrap();
        let reader = open(&dir.path().join("reader.db"));
        reader.sync(&*self.wire()).unwrap();
        reader.get(collection, key).unwrap()
    }
}

pub fn wire(url: &str) -> Arc<dyn Wire> {
    let mut http = HttpOptions::default();
    http.call_timeout = PATIENCE;
    Arc::new(HttpWire::new(url, DATABASE, http).unwrap())
}

pub fn open(path: &Path) -> Store {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    Store::open(path, Options::default()).unwrap()
}

/// One that loses no time.
pub fn quick() -> SyncPolicy {
    let mut policy = SyncPolicy::default();
    policy.debounce = Duration::from_millis(10);
    policy.longest_debounce = Duration::from_millis(100);
    policy.first_wait = Duration::from_millis(20);
    policy.longest_wait = Duration::from_millis(100);
    policy.look_every = Duration::from_millis(50);
    policy
}

/// Everything that a store has told.
pub struct Listener {
    pub events: Events,
    pub heard: Vec<Event>,
}

impl Listener {
    pub fn new(store: &Store) -> Listener {
        let mut options = EventOptions::default();
        options.log_level = Some(LogLevel::Debug);
        Listener { events: store.events(options, || {}), heard: Vec::new() }
    }

    /// Listens until something is told, from now on; what that was.
    pub fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let (mut found, heard) = (None, &mut self.heard);
            // One at a time, so that the next one to be waited for is not heard already.
            self.events
                .pump(1, PATIENCE, |event| {
                    found = wanted(&event);
                    heard.push(event);
                })
                .unwrap();
            if let Some(found) = found {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{what} was not told: {:#?}", self.heard);
            self.events.wait(Duration::from_secs(1));
        }
    }

    pub fn until_state(&mut self, state: SyncState) {
        self.until(&format!("{state:?}"), |event| match event {
            Event::Status(status) if status.state == state => Some(()),
            _ => None,
        });
    }

    /// Hears all that there is; everything heard so far.
    pub fn all(&mut self) -> &[Event] {
        let heard = &mut self.heard;
        while self.events.pump(100, PATIENCE, |event| heard.push(event)).unwrap().more {}
        &self.heard
    }

    /// Listens until something is true.
    pub fn until_true(&mut self, what: &str, is: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is() {
            assert!(begun.elapsed() < PATIENCE, "{what} did not come: {:#?}", self.heard);
            let heard = &mut self.heard;
            self.events.pump(1, PATIENCE, |event| heard.push(event)).unwrap();
            self.events.wait(Duration::from_millis(20));
        }
    }

    pub fn until_settled(&mut self, op: Ref) -> Outcome {
        self.until("the outcome", |event| match event {
            Event::Settled { op_ref, outcome } if *op_ref == op => Some(outcome.clone()),
            _ => None,
        })
    }
}

/// Stops, in time.
#[track_caller]
pub fn assert_stops(store: &Store) -> syncstore::Stopped {
    let begun = Instant::now();
    let stopped = store.stop(PATIENCE);
    assert!(begun.elapsed() < CLOSE, "{:?}", begun.elapsed());
    stopped
}
