//! Trying again: full-jitter exponential back-off, or the wait that the server asks for.

use crate::environment::Environment;
use crate::wire::WireError;
use std::time::Duration;

/// How often and for how long one call of `sync`, `push` or `pull` tries again by itself.
///
/// Only failures that may pass are tried again ([`WireError::is_transient`]). After the last try the call
/// answers with the error, and everything stays queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often a request is tried in all; 1: once. Default: 4.
    pub attempts: u32,
    /// The longest wait after the first failure; it doubles with each one. Default: 250 ms.
    pub first_wait: Duration,
    /// No wait is longer, except one that the server asks for. Default: 10 seconds.
    pub longest_wait: Duration,
    /// A call gives up rather than wait longer than this in all; a server that asks for more is not waited for.
    /// Default: 30 seconds.
    pub total_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            attempts: 4,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(10),
            total_wait: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// One try, no waiting: for a host that decides itself when to try again.
    pub fn never() -> RetryPolicy {
        RetryPolicy { attempts: 1, ..RetryPolicy::default() }
    }

    /// This policy with another number of tries in all.
    pub fn with_attempts(self, attempts: u32) -> RetryPolicy {
        RetryPolicy { attempts, ..self }
    }

    /// This policy with another bound on the waiting in all.
    pub fn with_total_wait(self, total_wait: Duration) -> RetryPolicy {
        RetryPolicy { total_wait, ..self }
    }
}

/// The waiting of one call, over all its requests.
#[derive(Debug)]
pub(crate) struct Retry {
    policy: RetryPolicy,
    waited: Duration,
    pub retries: u64,
}

impl Retry {
    pub fn new(policy: RetryPolicy) -> Retry {
        Retry { policy, waited: Duration::ZERO, retries: 0 }
    }

    /// Makes a request, as often as the policy and the error allow, with `sleep` in between.
    pub fn call<T>(
        &mut self,
        environment: &dyn Environment,
        sleep: impl Fn(Duration),
        mut request: impl FnMut() -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let mut attempt = 1;
        loop {
            let error = match request() {
                Err(error) if error.is_transient() && attempt < self.policy.attempts => error,
                other => return other,
            };
            let wait = match error.retry_after() {
                Some(asked) => asked,
                None => jitter(self.policy.first_wait, self.policy.longest_wait, attempt, environment.random()),
            };
            if self.waited.saturating_add(wait) > self.policy.total_wait {
                return Err(error);
            }
            sleep(wait);
            self.waited += wait;
            self.retries += 1;
            attempt += 1;
        }
    }
}

/// Anything from nothing to the longest wait after so many failures in a row, at least one, so that a fleet does not come back at
/// once. It doubles from `first` on, up to `longest`.
pub(crate) fn jitter(first: Duration, longest: Duration, failures: u32, random: u64) -> Duration {
    let doubled = first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    let nanos = doubled.min(longest).as_nanos() as u64;
    Duration::from_nanos(random % nanos.saturating_add(1))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use parking_lot::Mutex;

    /// A clock that stands, and notes each wait.
    #[derive(Default)]
    pub(in crate::sync) struct Slept(pub(in crate::sync) Mutex<Vec<Duration>>);

    impl Environment for Slept {
        fn unix_ms(&self) -> u64 {
            0
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
        fn random(&self) -> u64 {
            u64::MAX / 3
        }
        fn sleep(&self, duration: Duration) {
            self.0.lock().push(duration);
        }
    }

    fn unavailable(retry_after: Option<u64>) -> WireError {
        WireError::Unavailable {
            status: 503,
            retry_after: retry_after.map(Duration::from_secs),
            message: String::new(),
        }
    }

    #[test]
    fn a_passing_failure_is_tried_again_with_growing_waits() {
        let slept = Slept::default();
        let mut tries = 0;
        let result = Retry::new(RetryPolicy::default()).call(
            &slept,
            |wait| slept.sleep(wait),
            || {
                tries += 1;
                if tries < 4 { Err(unavailable(None)) } else { Ok(tries) }
            },
        );
        assert_eq!(result.unwrap(), 4);
        let waits = slept.0.into_inner();
        assert_eq!(waits.len(), 3);
        for (attempt, wait) in waits.iter().enumerate() {
            assert!(*wait <= Duration::from_millis(250 << attempt), "{waits:?}");
        }
    }

    #[test]
    fn the_servers_wait_is_kept_or_the_call_gives_up() {
        let slept = Slept::default();
        let mut tries = 0;
        let result = Retry::new(RetryPolicy::default()).call(
            &slept,
            |wait| slept.sleep(wait),
            || {
                tries += 1;
                if tries == 1 { Err(unavailable(Some(7))) } else { Ok(()) }
            },
        );
        assert!(result.is_ok());
        assert_eq!(*slept.0.lock(), [Duration::from_secs(7)]);
        let result: Result<(), _> =
            Retry::new(RetryPolicy::default()).call(&slept, |wait| slept.sleep(wait), || Err(unavailable(Some(3_600))));
        assert_eq!(result.unwrap_err().retry_after(), Some(Duration::from_secs(3_600)));
        assert_eq!(slept.0.lock().len(), 1, "an hour is not waited for");
    }

    #[test]
    fn a_wait_of_all_time_is_not_added_to_what_was_waited() {
        let slept = Slept::default();
        let mut waits = [Duration::from_secs(1), Duration::MAX].into_iter();
        let result: Result<(), _> = Retry::new(RetryPolicy::default()).call(
            &slept,
            |wait| slept.sleep(wait),
            || Err(WireError::Unavailable { status: 503, retry_after: waits.next(), message: String::new() }),
        );
        assert_eq!(result.unwrap_err().retry_after(), Some(Duration::MAX));
        assert_eq!(*slept.0.lock(), [Duration::from_secs(1)]);
    }

    #[test]
    fn what_will_not_pass_is_tried_once() {
        let mut tries = 0;
        let result: Result<(), _> = Retry::new(RetryPolicy::default()).call(
            &Slept::default(),
            |_| {},
            || {
                tries += 1;
                Err(WireError::Forbidden("no".into()))
            },
        );
        assert!(result.is_err());
        assert_eq!(tries, 1);
    }

    #[test]
    fn a_wait_is_drawn_from_what_the_attempt_allows() {
        let policy = RetryPolicy {
            attempts: 6,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(1),
            total_wait: Duration::from_secs(30),
        };
        let slept = Slept::default();
        let mut retry = Retry::new(policy);
        let result: Result<(), _> = retry.call(&slept, |wait| slept.sleep(wait), || Err(unavailable(None)));
        assert!(result.is_err());
        let drawn = |longest: u64| Duration::from_nanos(slept.random() % (longest * 1_000_000 + 1));
        assert_eq!(*slept.0.lock(), [250, 500, 1_000, 1_000, 1_000].map(drawn));
        assert_eq!(retry.retries, 5);
        let slept = Slept::default();
        let at_once = RetryPolicy { first_wait: Duration::ZERO, ..policy }.with_attempts(2);
        let result: Result<(), _> =
            Retry::new(at_once).call(&slept, |wait| slept.sleep(wait), || Err(unavailable(None)));
        assert!(result.is_err());
        assert_eq!(*slept.0.lock(), [Duration::ZERO]);
    }

    #[test]
    fn the_waits_of_a_call_are_bounded_together() {
        let policy = RetryPolicy::default().with_attempts(9).with_total_wait(Duration::from_secs(6));
        assert_eq!((policy.attempts, policy.total_wait), (9, Duration::from_secs(6)));
        assert_eq!(policy.first_wait, RetryPolicy::default().first_wait);
        let slept = Slept::default();
        let mut retry = Retry::new(policy);
        let mut tries = 0;
        // Over several requests, and up to the bound itself.
        for _ in 0..3 {
            let result: Result<(), _> = retry.call(
                &slept,
                |wait| slept.sleep(wait),
                || {
                    tries += 1;
                    if tries % 2 == 1 { Err(unavailable(Some(2))) } else { Ok(()) }
                },
            );
            assert!(result.is_ok());
        }
        let result: Result<(), _> = retry.call(&slept, |wait| slept.sleep(wait), || Err(unavailable(Some(2))));
        assert!(result.is_err());
        assert_eq!((slept.0.lock().len(), retry.retries), (3, 3));
        assert_eq!(RetryPolicy::never().attempts, 1);
    }
}
