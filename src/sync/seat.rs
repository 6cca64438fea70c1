//! Who syncs: one call of a store at a time, and one store of a file.

use super::isolation::Aside;
use super::{Access, Direction, Engine, Given, Settings, Stage, SyncReport};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::replica::Replica;
use crate::replica::turn::{self, Turn};
use crate::wire::Wire;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

/// How often a call that waits for another looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(25);

/// Where a store syncs from: a replica has one push in flight.
pub(crate) struct Seat {
    replica: Arc<Replica>,
    settings: Arc<Settings>,
    /// Held by the call that runs. Within it the turn, where that is kept between calls.
    kept: Mutex<Option<Turn>>,
    /// Whether it is to be kept.
    keeps: AtomicBool,
    /// What the call that runs, and those before it, could not push alone.
    set_aside: Mutex<Aside>,
    /// The thread of the call that runs: what a callback calls on it must not wait for that.
    holder: Mutex<Option<ThreadId>>,
}

/// The seat, and the turn if it was not kept. Dropped in this order.
struct Taken<'a> {
    _holding: Holding<'a>,
    turn: Option<Turn>,
    kept: MutexGuard<'a, Option<Turn>>,
}

/// Names the thread that holds the seat, for as long as it does.
struct Holding<'a>(&'a Seat);

impl<'a> Holding<'a> {
    fn new(seat: &'a Seat) -> Holding<'a> {
        *seat.holder.lock() = Some(std::thread::current().id());
        Holding(seat)
    }
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        *self.0.holder.lock() = None;
    }
}

impl Seat {
    pub fn new(replica: Arc<Replica>, settings: Arc<Settings>) -> Seat {
        Seat {
            replica,
            settings,
            kept: Mutex::new(None),
            keeps: AtomicBool::new(false),
            set_aside: Mutex::default(),
            holder: Mutex::new(None),
        }
    }

    /// One sync, with this store's own settings, as soon as it is this call's turn.
    pub fn run(
        &self,
        wire: &dyn Wire,
        direction: Direction,
        cancel: Option<&Cancel>,
        stage: &mut dyn FnMut(Stage),
    ) -> (SyncReport, Result<()>) {
        let taken = match self.take(cancel, self.replica.patience(), stage) {
            Ok(taken) => taken,
            Err(error) => return (SyncReport::default(), Err(error)),
        };
        let access = Access::new(&self.replica, cancel);
        let ended = Engine::new(access, wire, &self.settings, (None, &mut self.set_aside.lock()), stage).run(direction);
        drop(taken);
        // It may have been released meanwhile, by one who does not wait.
        if !self.keeps.load(Ordering::SeqCst) {
            self.release();
        }
        ended
    }

    /// One sync with other settings, which keeps the turn afterwards; without it, it does not wait for another store's.
    pub fn run_and_keep(
        &self,
        settings: &Settings,
        wire: &dyn Wire,
        direction: Direction,
        given: Option<Given>,
        cancel: &Cancel,
        stage: &mut dyn FnMut(Stage),
    ) -> (SyncReport, Result<()>) {
        let mut taken = match self.take(Some(cancel), Duration::ZERO, stage) {
            Ok(taken) => taken,
            Err(error) => return (SyncReport::default(), Err(error)),
        };
        if let Some(turn) = taken.turn.take() {
            *taken.kept = Some(turn);
        }
        self.keeps.store(true, Ordering::SeqCst);
        let access = Access::new(&self.replica, Some(cancel));
        Engine::new(access, wire, settings, (given, &mut self.set_aside.lock()), stage).run(direction)
    }

    /// Gives the turn to other stores: at once, or when the call that runs has ended. Does not wait.
    pub fn release(&self) {
        self.keeps.store(false, Ordering::SeqCst);
        if let Some(mut kept) = self.kept.try_lock() {
            *kept = None;
        }
    }

    /// Whether the turn is kept between syncs: then no other store has had it since it was taken.
    pub fn keeps(&self) -> bool {
        self.keeps.load(Ordering::SeqCst)
    }

    /// Whether this thread is in a sync: it is a callback of that which asks.
    pub fn is_held_here(&self) -> bool {
        *self.holder.lock() == Some(std::thread::current().id())
    }

    fn take(&self, cancel: Option<&Cancel>, patience: Duration, stage: &mut dyn FnMut(Stage)) -> Result<Taken<'_>> {
        if self.is_held_here() {
            return Err(Error::WithinSync);
        }
        let goes_on = || !cancel.is_some_and(Cancel::is_cancelled);
        let kept = loop {
            match cancel {
                None => break self.kept.lock(),
                Some(_) if !goes_on() => return Err(Error::Cancelled),
                Some(_) => {
                    if let Some(kept) = self.kept.try_lock_for(LOOK) {
                        break kept;
                    }
                    stage(Stage::Waiting);
                }
            }
        };
        let turn = match &*kept {
            Some(_) => None,
            None => Some(turn::take(self.replica.path(), patience, &*self.settings.environment, goes_on)?),
        };
        Ok(Taken { _holding: Holding::new(self), turn, kept })
    }
}
