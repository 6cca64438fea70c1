//! Syncing by itself: one thread that decides, looks and applies, and requests beside it.

mod courier;
mod line;
mod lookout;
mod mailbox;
mod policy;
mod run;
mod schedule;
mod status;

/// What [`courier`] and [`mailbox`] are made of; a test puts others in their place.
mod primitives {
    pub use std::sync::{Condvar, Mutex, MutexGuard, mpsc};
    pub use std::thread;
}

pub use policy::SyncPolicy;
pub use status::{SyncState, SyncStatus};

use crate::cancel::Cancel;
use crate::conflict::Decisions;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::event::bus::Bus;
use crate::replica::Replica;
use crate::sync::{Seat, Settings};
use crate::wire::Wire;
use line::Line;
use lookout::Lookout;
use mailbox::Mailbox;
use parking_lot::{Condvar, Mutex};
use run::{Loop, Mail};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a request that was cut off may take to come back.
const CUT_OFF: Duration = Duration::from_millis(100);

/// What became of a background sync that was to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stopped {
    /// Its thread has ended, and so has every request of it.
    Entirely,
    /// Its thread has ended, and the file is touched no more. A request that cannot be cut off (it looks up the server's name,
    /// or connects; or its wire cannot be cancelled) comes to its end on a thread that holds nothing of the store; or the host's
    /// [resolver](crate::Options::resolver) does so, and what it decides is not heard any more.
    RequestLeft,
    /// It was told to, and ends with the transaction, or with the callback of the host's, that it is in.
    Soon,
}

/// The background sync of a store.
pub(crate) struct Background {
    running: Mutex<Option<Running>>,
    status: Arc<Told>,
    environment: Arc<dyn Environment>,
}

struct Running {
    thread: JoinHandle<()>,
    leg: Arc<Leg>,
    mailbox: Arc<Mailbox<Mail>>,
    closing: Cancel,
    over: Arc<Over>,
}

/// The requests between one interruption and the next, by the host or because one does not come back; each interruption cancels them.
pub(crate) struct Leg {
    wire: Arc<dyn Wire>,
    line: Mutex<(Cancel, Line)>,
}

impl Leg {
    fn new(wire: Arc<dyn Wire>, lookout: Arc<Lookout>, backstop: Duration) -> Leg {
        let cancel = Cancel::new();
        let line = Line::new(&wire, &cancel, lookout, backstop);
        Leg { wire, line: Mutex::new((cancel, line)) }
    }

    /// The present one; a new one, and `true`, after an interruption.
    fn present(&self) -> (Cancel, Line, bool) {
        let mut line = self.line.lock();
        let interrupted = line.0.is_cancelled();
        if interrupted {
            let cancel = Cancel::new();
            *line = (cancel.clone(), line.1.beside(&self.wire, &cancel));
        }
        (line.0.clone(), line.1.clone(), interrupted)
    }

    fn interrupt(&self) {
        let cancel = self.line.lock().0.clone();
        cancel.cancel();
    }

    fn come_back(&self, patience: Duration) -> bool {
        let line = self.line.lock().1.clone();
        line.come_back(patience)
    }
}

/// Whether the thread has come to its end.
#[derive(Default)]
struct Over {
    over: Mutex<bool>,
    changed: Condvar,
}

/// What the background sync is at, with when it goes on, on the environment's clock.
pub(crate) struct Told(Mutex<(SyncStatus, Option<Duration>)>);

impl Told {
    /// Takes a status over; whether it is another one. `again`: when it goes on.
    fn set(&self, status: &SyncStatus, again: Option<Duration>) -> bool {
        let mut told = self.0.lock();
        let same = told.0.state == status.state && told.0.error == status.error && told.1 == again;
        *told = (status.clone(), again);
        !same
    }
}

impl Background {
    pub fn new(environment: Arc<dyn Environment>) -> Background {
        let stopped = (SyncStatus::of(SyncState::Stopped), None);
        Background { running: Mutex::new(None), status: Arc::new(Told(Mutex::new(stopped))), environment }
    }

    pub fn start(
        &self,
        replica: &Arc<Replica>,
        seat: &Arc<Seat>,
        settings: &Settings,
        decisions: Option<Arc<Decisions>>,
        wire: Arc<dyn Wire>,
        policy: SyncPolicy,
    ) -> Result<()> {
        let mut running = self.running.lock();
        if running.as_ref().is_some_and(|running| !*running.over.over.lock()) {
            return Err(Error::AlreadyStarted);
        }
        let (mailbox, over) = (Arc::new(Mailbox::new()), Arc::new(Over::default()));
        let closing = Cancel::new();
        let policy = policy.sound();
        let lookout = Arc::new(Lookout::new(Arc::clone(replica), Arc::clone(seat), policy.look_every));
        let leg = Arc::new(Leg::new(wire, Arc::clone(&lookout), policy.backstop));
        let bus = Arc::clone(replica.bus());
        let looping = Loop::new(
            (Arc::clone(replica), Arc::clone(seat), settings.clone()),
            (Arc::clone(&leg), Arc::clone(&mailbox)),
            (policy, lookout),
            (Arc::clone(&self.status), Arc::clone(&bus)),
            (decisions, closing.clone()),
        );
        let ending = Ending { status: Arc::clone(&self.status), bus: Arc::clone(&bus), over: Arc::clone(&over) };
        bus.attend(true);
        let spawned = std::thread::Builder::new().name("syncstore-sync".into()).spawn(move || {
            // Dropped last: by then this thread has let go of the file.
            let _ending = ending;
            looping.run();
        });
        let thread = spawned.inspect_err(|_| bus.attend(false))?;
        *running = Some(Running { thread, leg, mailbox, closing, over });
        Ok(())
    }

    /// Tells it something, if it runs.
    fn post(&self, add: impl FnOnce(&mut Mail)) {
        if let Some(running) = &*self.running.lock() {
            running.mailbox.post(add);
        }
    }

    pub fn wrote(&self) {
        self.post(|mail| mail.wrote = true);
    }

    pub fn sync_now(&self) {
        self.post(|mail| mail.now = true);
    }

    pub fn credential_changed(&self) {
        self.post(|mail| mail.credential = true);
    }

    pub fn pause(&self) {
        let leg = self.running.lock().as_ref().map(|running| {
            running.mailbox.post(|mail| mail.pause = Some(true));
            Arc::clone(&running.leg)
        });
        // Outside the lock: the hooks of a wire run.
        if let Some(leg) = leg {
            leg.interrupt();
        }
    }

    pub fn resume(&self) {
        self.post(|mail| {
            // A pause that was not noticed yet would have been followed by a sync.
            mail.now |= mail.pause == Some(true);
            mail.pause = Some(false);
        });
    }

    pub fn stop(&self, deadline: Option<Duration>) -> Stopped {
        let begun = Instant::now();
        // It stays where it is until it is over: so long it runs, to whoever else stops it or starts another.
        let (thread, leg, over) = {
            let running = self.running.lock();
            let Some(Running { thread, leg, mailbox, closing, over }) = &*running else { return Stopped::Entirely };
            mailbox.post(|mail| mail.stop = true);
            let found = (thread.thread().id(), Arc::clone(leg), Arc::clone(over));
            let closing = closing.clone();
            // Outside the lock: hooks run.
            drop(running);
            closing.cancel();
            found
        };
        leg.interrupt();
        // In a callback of its own, it ends when that returns.
        if thread == std::thread::current().id() || !over.wait(deadline) {
            return Stopped::Soon;
        }
        let ended = {
            let mut running = self.running.lock();
            // Another one may have taken it out, and started the next.
            if running.as_ref().is_some_and(|running| Arc::ptr_eq(&running.over, &over)) {
                running.take()
            } else {
                None
            }
        };
        // It has nothing left to do but to go.
        ended.map(|running| running.thread.join());
        let left = deadline.map_or(CUT_OFF, |deadline| deadline.saturating_sub(begun.elapsed()).min(CUT_OFF));
        if leg.come_back(left) { Stopped::Entirely } else { Stopped::RequestLeft }
    }

    /// Whether it is its thread that asks, in a callback.
    pub fn is_here(&self) -> bool {
        let running = self.running.lock();
        running.as_ref().is_some_and(|running| running.thread.thread().id() == std::thread::current().id())
    }

    pub fn status(&self) -> SyncStatus {
        let (mut status, again) = self.status.0.lock().clone();
        status.next_try = again.map(|again| again.saturating_sub(self.environment.monotonic()));
        status
    }
}

impl Over {
    /// Waits for it, up to a deadline; whether it came.
    fn wait(&self, deadline: Option<Duration>) -> bool {
        let mut over = self.over.lock();
        match deadline {
            Some(deadline) => !self.changed.wait_while_for(&mut over, |over| !*over, deadline).timed_out(),
            None => {
                self.changed.wait_while(&mut over, |over| !*over);
                true
            }
        }
    }
}

/// Says that the thread is over, however it came to that.
struct Ending {
    status: Arc<Told>,
    bus: Arc<Bus>,
    over: Arc<Over>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.bus.attend(false);
        let stopped = SyncStatus::of(SyncState::Stopped);
        if self.status.set(&stopped, None) {
            self.bus.status(&stopped);
        }
        // Last: once it is over, nothing calls the host any more.
        *self.over.over.lock() = true;
        self.over.changed.notify_all();
    }
}
