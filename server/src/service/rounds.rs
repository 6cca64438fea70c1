//! When each database was last pruned, also of those that are closed for others in between.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;

// Clients choose the names: what is remembered of them must not grow with their number.
const MOST_NAMES: usize = 10_000;

/// When the last finished round of pruning of each database began, on the monotonic clock.
#[derive(Debug)]
pub struct Rounds {
    // Counts for what is not known: a new process prunes nothing before a whole interval.
    began: Duration,
    last: Mutex<HashMap<String, Duration>>,
}

impl Rounds {
    pub fn new(began: Duration) -> Rounds {
        Rounds { began, last: Mutex::default() }
    }

    pub fn of(&self, database: &str) -> Duration {
        self.last.lock().get(database).copied().unwrap_or(self.began)
    }

    pub fn finished(&self, database: &str, began: Duration) {
        let mut last = self.last.lock();
        if last.len() >= MOST_NAMES && !last.contains_key(database) {
            // They are pruned once too often.
            last.clear();
        }
        last.insert(database.to_owned(), began);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_are_remembered_are_bounded_and_one_that_is_forgotten_is_due() {
        let (rounds, now) = (Rounds::new(Duration::ZERO), Duration::from_secs(9));
        for number in 0..=MOST_NAMES {
            rounds.finished(&number.to_string(), now);
        }
        assert_eq!(rounds.last.lock().len(), 1);
        assert_eq!((rounds.of("0"), rounds.of(&MOST_NAMES.to_string())), (Duration::ZERO, now));
    }
}
