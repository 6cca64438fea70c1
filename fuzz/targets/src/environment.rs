//! A clock that only moves when told, and bits that are the same in every run: an input alone decides what happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use syncstore::environment::Environment;

/// 2026-11-20, in milliseconds since 1970.
const START: u64 = 1_795_132_800_000;

pub struct Still {
    now: AtomicU64,
    drawn: AtomicU64,
}

impl Still {
    /// `draw` keeps apart what two of them draw.
    pub fn new(draw: u64) -> Arc<Still> {
        Arc::new(Still { now: AtomicU64::new(START), drawn: AtomicU64::new(draw << 32) })
    }

    pub fn pass(&self, time: Duration) {
        self.now.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }
}

impl Environment for Still {
    fn unix_ms(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.unix_ms() - START)
    }

    fn random(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn sleep(&self, duration: Duration) {
        self.pass(duration);
    }
}
