//! An environment whose clock stands until it is moved, and that waits for nothing.

use super::Random;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use syncstore::environment::Environment;

/// 2026-11-20, in milliseconds since 1970.
pub const START: u64 = 1_795_132_800_000;

pub struct FakeEnvironment {
    now: AtomicU64,
    elapsed: AtomicU64,
    random: Mutex<Random>,
    slept: Mutex<Vec<Duration>>,
}

impl FakeEnvironment {
    pub fn seeded(seed: u64) -> Arc<FakeEnvironment> {
        Arc::new(FakeEnvironment {
            now: AtomicU64::new(START),
            elapsed: AtomicU64::new(0),
            random: Mutex::new(Random::new(seed)),
            slept: Mutex::default(),
        })
    }

    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
        self.elapsed.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }

    /// Sets the wall clock alone, backwards too.
    pub fn set_clock(&self, unix_ms: u64) {
        self.now.store(unix_ms, Ordering::SeqCst);
    }

    /// Every wait that was asked for.
    pub fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }
}

impl Environment for FakeEnvironment {
    fn unix_ms(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.elapsed.load(Ordering::SeqCst))
    }

    fn random(&self) -> u64 {
        self.random.lock().unwrap().next()
    }

    fn sleep(&self, duration: Duration) {
        self.slept.lock().unwrap().push(duration);
        self.advance(duration);
    }
}
