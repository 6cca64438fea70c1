//! Time that passes when the world says so, and each machine's own idea of it.

use crate::random::Random;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use syncstore::environment::Environment;

/// 2026-11-20, in milliseconds since 1970.
pub const START: u64 = 1_795_132_800_000;

/// The one true time, in milliseconds since the world began.
#[derive(Debug, Default)]
pub struct Clock(AtomicU64);

impl Clock {
    pub fn elapsed(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }
}

/// What one machine takes for the time, and its randomness.
#[derive(Debug)]
pub struct Machine {
    clock: Arc<Clock>,
    /// How far its wall clock is ahead, in milliseconds.
    ahead: AtomicI64,
    random: Mutex<Random>,
}

impl Machine {
    pub fn new(clock: &Arc<Clock>, random: Random) -> Arc<Machine> {
        Arc::new(Machine { clock: Arc::clone(clock), ahead: AtomicI64::new(0), random: Mutex::new(random) })
    }

    /// Sets the wall clock ahead of the true time, or behind it.
    pub fn set_ahead(&self, millis: i64) {
        self.ahead.store(millis, Ordering::Relaxed);
    }
}

impl Environment for Machine {
    fn unix_ms(&self) -> u64 {
        (START + self.clock.elapsed()).saturating_add_signed(self.ahead.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.clock.elapsed())
    }

    fn random(&self) -> u64 {
        self.random.lock().expect("no panic while drawing").next()
    }

    fn sleep(&self, duration: Duration) {
        self.clock.advance(duration);
    }
}
