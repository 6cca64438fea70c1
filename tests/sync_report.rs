//! What a sync's report counts, against a real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use syncstore::environment::{Environment, SystemEnvironment};
use syncstore::wire::{HttpOptions, HttpWire};
use syncstore::{BootstrapReason, Options, Store};
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};

/// A clock that can be put forward: a log is not pruned behind a checkpoint of the last day.
#[derive(Default)]
struct Clock {
    system: SystemEnvironment,
    ahead_ms: AtomicU64,
}

impl Environment for Clock {
    fn unix_ms(&self) -> u64 {
        self.system.unix_ms() + self.ahead_ms.load(Ordering::SeqCst)
    }
    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }
    fn random(&self) -> u64 {
        self.system.random()
    }
    fn sleep(&self, duration: Duration) {
        self.system.sleep(duration);
    }
}

#[test]
fn an_op_that_is_pushed_again_by_a_bootstrap_counts_once() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(Clock::default());
    let mut config = Config::dev();
    config.limits.log_retention = 5;
    let mut options = ServerOptions::new(directory.path().join("server"), config);
    options.environment = clock.clone();
    let server = Server::start(options).unwrap();
    let wire = HttpWire::new(&server.url(), "notes", HttpOptions::default()).unwrap();
    let open = |name: &str| Store::open(directory.path().join(name), Options::default()).unwrap();

    let (here, away) = (open("here.db"), open("away.db"));
    here.sync(&wire).unwrap();
    away.sync(&wire).unwrap();
    for key in 0..10 {
        here.set("notes", &key.to_string(), &key).unwrap();
    }
    here.sync(&wire).unwrap();
    clock.ahead_ms.store(2 * 24 * 60 * 60 * 1_000, Ordering::SeqCst);
    server.service().prune("notes").unwrap();

    away.set("notes", "mine", &1).unwrap();
    let report = away.sync(&wire).unwrap();
    assert_eq!(report.bootstrapped, Some(BootstrapReason::Expired));
    assert_eq!((report.pushed, report.accepted, report.rejected), (1, 1, 0));
    assert_eq!(away.pending_count().unwrap(), 0);
}
