//! What other stores did with the file: looked for between the runs of the background sync, and within one while it waits.

use crate::event::bus::Bus;
use crate::replica::Replica;
use crate::sync::Seat;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

pub(super) struct Lookout {
    replica: Arc<Replica>,
    seat: Arc<Seat>,
    bus: Arc<Bus>,
    every: Duration,
    /// The only thread that looks: what a look tells wakes the host, and on another thread nobody would know that this is
    /// within a sync, which it must not wait for.
    home: OnceLock<ThreadId>,
    seen: Mutex<Seen>,
}

struct Seen {
    /// Whether another store may have had the turn to sync since the last look, and settled what this one does not count.
    shared: bool,
    next: Instant,
}

impl Lookout {
    pub fn new(replica: Arc<Replica>, seat: Arc<Seat>, every: Duration) -> Lookout {
        let bus = Arc::clone(replica.bus());
        let seen = Mutex::new(Seen { shared: true, next: Instant::now() });
        Lookout { replica, seat, bus, every, home: OnceLock::new(), seen }
    }

    /// It is this thread that looks from now on.
    pub fn settle_here(&self) {
        let _ = self.home.set(std::thread::current().id());
    }

    /// How long until the next look; for ever on another thread than the one that looks.
    pub fn due(&self) -> Duration {
        if self.home.get() != Some(&std::thread::current().id()) {
            return Duration::MAX;
        }
        self.seen.lock().next.saturating_duration_since(Instant::now())
    }

    pub fn look_if_due(&self) {
        if self.due().is_zero() {
            self.look();
        }
    }

    pub fn look(&self) {
        let (committed, shared) = {
            let mut seen = self.seen.lock();
            seen.next = Instant::now() + self.every;
            // Asked first: what another store did while it had the turn is committed by now, if this one has it.
            let keeps = self.seat.keeps();
            match self.replica.others_committed() {
                Ok(Some(committed)) => (committed, std::mem::replace(&mut seen.shared, !keeps) || !keeps),
                // What cannot be read now is read at the next look.
                Ok(None) | Err(_) => (false, false),
            }
        };
        self.replica.catch_up(committed);
        if committed && shared {
            self.bus.outcomes_uncounted();
        }
    }

    /// Gives the turn to sync to other stores.
    pub fn let_go(&self) {
        self.seen.lock().shared = true;
        self.seat.release();
    }
}
