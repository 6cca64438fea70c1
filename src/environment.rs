//! Time and randomness, passed in so that a whole fleet can run in one thread from one seed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the engine takes the time and its random bits from.
///
/// Everything in the crate that waits, draws or stamps does so through this. A simulation passes its
/// own; applications use [`SystemEnvironment`], which is the default.
pub trait Environment: Send + Sync {
    /// The wall clock, in milliseconds since 1970. It may jump, forwards and backwards.
    fn unix_ms(&self) -> u64;

    /// A clock that never goes back; only differences mean anything.
    fn monotonic(&self) -> Duration;

    /// 64 unpredictable bits.
    fn random(&self) -> u64;

    /// Waits between two tries of a request; returns early only if the wait is of no use any more.
    fn sleep(&self, duration: Duration);
}

/// The system's clocks and its source of randomness.
#[derive(Debug)]
pub struct SystemEnvironment {
    start: std::time::Instant,
}

impl Default for SystemEnvironment {
    fn default() -> SystemEnvironment {
        SystemEnvironment { start: std::time::Instant::now() }
    }
}

impl Environment for SystemEnvironment {
    fn unix_ms(&self) -> u64 {
        // A clock before 1970 counts as 1970; refs stay unique by their counter and random bits.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn random(&self) -> u64 {
        getrandom::u64().unwrap_or_else(|_| {
            // No system this crate runs on refuses; were one to, refs would still be unique by the
            // randomly keyed hasher and the clock.
            use std::hash::{BuildHasher, Hasher};
            let mut hasher = std::hash::RandomState::new().build_hasher();
            hasher.write_u128(self.start.elapsed().as_nanos());
            hasher.finish()
        })
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

impl dyn Environment + '_ {
    /// 128 unpredictable bits.
    pub(crate) fn random_u128(&self) -> u128 {
        (u128::from(self.random()) << 64) | u128::from(self.random())
    }
}
