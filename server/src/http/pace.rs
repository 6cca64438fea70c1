//! How slowly a client may send a body or take an answer.

use std::time::Duration;
use tokio::time::Instant;

// Below this many bytes a second, a body or an answer is a way to hold memory.
const SLOWEST_RATE: u128 = 1 << 10;

// The same while memory is scarce: a few clients of the slowest rate could otherwise have all of it, for hours.
const SLOWEST_RATE_WHEN_SCARCE: u128 = 64 << 10;

/// What a client moves in a window that begins anew each time it has moved as much as the slowest rate asks of one. So
/// bytes that came quickly earn no time for later ones, and `n` bytes take no longer than the slowest rate and one window.
/// Whatever takes no longer than one window is in time.
#[derive(Debug)]
pub(crate) struct Pace {
    window: Duration,
    since: Instant,
    moved: usize,
}

impl Pace {
    pub(crate) fn begin(window: Duration) -> Pace {
        Pace { window, since: Instant::now(), moved: 0 }
    }

    /// When the client is too slow, unless it has moved enough by then.
    pub(crate) fn deadline(&self) -> Instant {
        self.since + self.window
    }

    /// Notes progress, and whether the memory is `scarce` that it is made in; whether a new window has begun.
    pub(crate) fn moved(&mut self, bytes: usize, scarce: bool) -> bool {
        self.moved = self.moved.saturating_add(bytes);
        let slowest = if scarce { SLOWEST_RATE_WHEN_SCARCE } else { SLOWEST_RATE };
        let enough = self.moved as u128 * 1000 >= slowest * self.window.as_millis();
        if enough {
            *self = Pace::begin(self.window);
        }
        enough
    }
}
