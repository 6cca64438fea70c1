//! How a store syncs in the background.

use std::time::Duration;

/// How a store syncs in the background ([`Store::start`](crate::Store::start)); the default suits a desktop application.
///
/// All times are measured on a clock that never jumps; a device that sleeps prolongs them by its sleep.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncPolicy {
    /// How long after a write its push begins, so that writes close together go together. Each further write begins this
    /// time anew. Default: 200 ms.
    pub debounce: Duration,
    /// The most that writes which go on and on can put a push off. Default: 2 seconds.
    pub longest_debounce: Duration,
    /// How long the server may hold an answer until there is news; it is asked again at once. Zero: it is not let wait, but
    /// asked every [`pull_every`](SyncPolicy::pull_every). Default: 25 seconds, whole seconds.
    pub poll: Duration,
    /// How often to pull where nothing is held: with [`poll`](SyncPolicy::poll) at zero, or from a server that answers at
    /// once. Default: 30 seconds.
    pub pull_every: Duration,
    /// The most that a try is put off after the first failure; it doubles with each further one. The wait is drawn from
    /// nothing to this, so that a fleet does not come back at once. Default: 500 ms.
    pub first_wait: Duration,
    /// The most that a try is put off by failures alone. Default: 1 minute.
    pub longest_wait: Duration,
    /// The liveness backstop: unsent operations are tried again after this time at the latest, whatever the last try ended
    /// with: a `Retry-After` of days, a refused credential, an error that needs somebody. Only
    /// [`Store::pause`](crate::Store::pause) and [`Store::stop`](crate::Store::stop) end that. Default: 15 minutes.
    ///
    /// A call of the wire that has not come back by then is given up ([`WireError::TimedOut`](crate::wire::WireError::TimedOut)) and made
    /// again. A backstop below two minutes doubles, up to these, with each call in a row that was given up, so that a slow one gets
    /// through. While eight calls have not come back, none is made, and the status says so.
    pub backstop: Duration,
    /// How often to look for what other processes did with the file: wrote, or ceased to sync it. It also finds a write
    /// of this process whose notification was missed. Default: 1 second.
    pub look_every: Duration,
}

impl Default for SyncPolicy {
    fn default() -> SyncPolicy {
        SyncPolicy {
            debounce: Duration::from_millis(200),
            longest_debounce: Duration::from_secs(2),
            poll: Duration::from_secs(25),
            pull_every: Duration::from_secs(30),
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            backstop: Duration::from_secs(15 * 60),
            look_every: Duration::from_secs(1),
        }
    }
}

impl SyncPolicy {
    /// With every time so long that the loop waits at all, and so short that it can be added to a clock.
    pub(super) fn sound(mut self) -> SyncPolicy {
        const LEAST: Duration = Duration::from_millis(10);
        const MOST: Duration = Duration::from_secs(365 * 24 * 3_600);
        for time in [
            &mut self.pull_every,
            &mut self.first_wait,
            &mut self.longest_wait,
            &mut self.backstop,
            &mut self.look_every,
        ] {
            *time = (*time).clamp(LEAST, MOST);
        }
        for time in [&mut self.debounce, &mut self.longest_debounce, &mut self.poll] {
            *time = (*time).min(MOST);
        }
        self
    }
}
