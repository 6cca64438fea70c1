//! What the stops of a device may have taken of what its host was told.

use crate::disk::Stop;

/// The stops that struck, as far as it matters for what is found when the replica is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stops {
    /// There was one since the replica was last opened. More may come before it can be: its disk fails, or it is stopped in
    /// the middle of that.
    unchecked: bool,
    /// The power was lost since then.
    lost_power: bool,
    /// What was found when it was last opened, a kill had left, and it may never have been synced.
    found_unsynced: bool,
    /// A kill has left what the file has now.
    left_unsynced: bool,
}

/// What may be missing of what a host was told before its replica stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// What was never synced.
    pub lost_power: bool,
    /// That is so of what nobody was answered, and was found.
    pub found_unsynced: bool,
}

impl Stops {
    pub fn stopped(&mut self, how: Stop) {
        match how {
            Stop::Power => (self.lost_power, self.left_unsynced) = (true, false),
            Stop::Process if !self.unchecked => self.left_unsynced = true,
            // Nobody has written anything in between.
            Stop::Process => {}
        }
        self.unchecked = true;
    }

    /// The replica is opened; `None`: it was since the last stop.
    pub fn opened(&mut self) -> Option<Stopped> {
        let stopped = Stopped { lost_power: self.lost_power, found_unsynced: self.found_unsynced };
        let unchecked = std::mem::take(&mut self.unchecked);
        if unchecked {
            (self.lost_power, self.found_unsynced) = (false, self.left_unsynced);
        }
        unchecked.then_some(stopped)
    }

    /// The files and what is known of them are as at the moment of `then`, and all of it is on the disk.
    pub fn restored(&mut self, then: Stops) {
        // What a power loss had taken by then is still to be found missing.
        let lost_power = then.lost_power;
        let unchecked = self.unchecked || lost_power;
        *self =
            Stops { unchecked, lost_power, found_unsynced: lost_power && then.found_unsynced, left_unsynced: false };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(stops: &[Stop]) -> Stops {
        let mut all = Stops::default();
        stops.iter().for_each(|how| all.stopped(*how));
        all
    }

    #[test]
    fn a_kill_does_not_bring_back_what_a_power_loss_before_it_took() {
        for stops in [&[Stop::Power][..], &[Stop::Power, Stop::Process], &[Stop::Process, Stop::Power]] {
            let opened = after(stops).opened();
            assert_eq!(opened, Some(Stopped { lost_power: true, found_unsynced: false }), "{stops:?}");
        }
    }

    #[test]
    fn a_kill_takes_nothing() {
        let mut stops = after(&[Stop::Process]);
        assert_eq!(stops.opened(), Some(Stopped { lost_power: false, found_unsynced: false }));
        assert_eq!(stops.opened(), None);
    }

    #[test]
    fn a_power_loss_takes_once() {
        let mut stops = after(&[Stop::Power]);
        stops.opened();
        stops.stopped(Stop::Process);
        assert_eq!(stops.opened(), Some(Stopped { lost_power: false, found_unsynced: false }));
    }

    #[test]
    fn what_a_kill_left_may_be_lost_until_a_power_loss_has_left_it() {
        let mut stops = after(&[Stop::Process]);
        stops.opened();
        stops.stopped(Stop::Power);
        stops.stopped(Stop::Process);
        assert_eq!(stops.opened(), Some(Stopped { lost_power: true, found_unsynced: true }));
        stops.stopped(Stop::Power);
        assert_eq!(stops.opened(), Some(Stopped { lost_power: true, found_unsynced: false }));
    }

    #[test]
    fn an_image_is_as_durable_as_it_was_found() {
        let mut stops = after(&[Stop::Power]);
        stops.restored(Stops::default());
        assert_eq!(stops.opened(), Some(Stopped { lost_power: false, found_unsynced: false }));

        let mut stops = Stops::default();
        stops.restored(after(&[Stop::Power]));
        assert_eq!(stops.opened(), Some(Stopped { lost_power: true, found_unsynced: false }));

        let mut stops = Stops::default();
        stops.restored(after(&[Stop::Process]));
        assert_eq!(stops.opened(), None);
    }
}
