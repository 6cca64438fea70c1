//! A server's clock that can be put forward, so that two days pass in no time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use syncstore::environment::{Environment, SystemEnvironment};

/// The system's clock, some time ahead.
#[derive(Default)]
pub struct Calendar {
    system: SystemEnvironment,
    ahead_ms: AtomicU64,
}

impl Calendar {
    pub fn let_days_pass(&self, days: u64) {
        self.ahead_ms.fetch_add(days * 24 * 60 * 60 * 1_000, Ordering::SeqCst);
    }

    fn ahead(&self) -> u64 {
        self.ahead_ms.load(Ordering::SeqCst)
    }
}

impl Environment for Calendar {
    fn unix_ms(&self) -> u64 {
        self.system.unix_ms() + self.ahead()
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic() + Duration::from_millis(self.ahead())
    }

    fn random(&self) -> u64 {
        self.system.random()
    }

    fn sleep(&self, duration: Duration) {
        self.system.sleep(duration);
    }
}
