//! A beat for each commit that settles something, so that nobody who waits for an outcome has to look all the time.

use parking_lot::{Condvar, Mutex};
use std::time::Duration;

/// How far a store has come: compared, not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    beats: u64,
    /// How often all waits were ended.
    endings: u64,
}

impl Moment {
    /// Whether a wait that began at another moment is to end.
    pub fn ends(self, begun: Moment) -> bool {
        self.endings != begun.endings
    }
}

/// Where those wait who wait for an outcome.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    now: Mutex<Moment>,
    changed: Condvar,
}

impl Pulse {
    pub fn now(&self) -> Moment {
        *self.now.lock()
    }

    /// Something was settled.
    pub fn beat(&self) {
        self.now.lock().beats += 1;
        self.changed.notify_all();
    }

    /// Ends all waits that are under way.
    pub fn end_waits(&self) {
        self.now.lock().endings += 1;
        self.changed.notify_all();
    }

    /// Waits for the next moment after one, for so long at most; which it is.
    pub fn after(&self, moment: Moment, patience: Duration) -> Moment {
        let mut now = self.now.lock();
        if *now == moment {
            self.changed.wait_for(&mut now, patience);
        }
        *now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_since_a_moment_is_not_waited_for_and_an_ending_is_of_waits_that_had_begun() {
        let pulse = Pulse::default();
        let begun = pulse.now();
        assert_eq!(pulse.after(begun, Duration::ZERO), begun);
        pulse.beat();
        let beaten = pulse.after(begun, Duration::MAX);
        assert!(beaten != begun && !beaten.ends(begun));
        pulse.end_waits();
        assert!(pulse.after(beaten, Duration::MAX).ends(begun));
        assert!(!pulse.now().ends(pulse.now()));
    }
}
