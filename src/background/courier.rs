//! Requests on threads of their own, which hold nothing of the store: whoever waits for one can go on without it.

use crate::cancel::Cancel;
use crate::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use crate::wire::{CheckpointRequest, PullRequest, Traffic, Wire, WireError};
use parking_lot::{Condvar, Mutex};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak, mpsc};
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// A job, and the way back to the thread that does it.
struct Errand {
    job: Job,
    back: mpsc::Sender<Errand>,
}

/// The threads that make requests: as many as there are requests at a time, that is, two at most.
#[derive(Default)]
struct Couriers {
    idle: Mutex<Vec<mpsc::Sender<Errand>>>,
    /// Requests on their way, those that nobody waits for included.
    out: Mutex<usize>,
    back: Condvar,
}

impl Couriers {
    /// Has a job done on a thread that is idle, or a new one; an error when there can be none.
    fn send(self: &Arc<Couriers>, job: Job) -> std::io::Result<()> {
        let mut job = job;
        loop {
            let idle = self.idle.lock().pop();
            let Some(back) = idle else { break };
            *self.out.lock() += 1;
            match back.send(Errand { job, back: back.clone() }) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(errand)) => {
                    *self.out.lock() -= 1;
                    job = errand.job;
                }
            }
        }
        let (back, errands) = mpsc::channel::<Errand>();
        let couriers = Arc::downgrade(self);
        std::thread::Builder::new().name("syncstore-wire".into()).spawn(move || {
            // Ends when nobody can send it anything any more: each errand brings along the only way to send the next.
            while let Ok(Errand { job, back }) = errands.recv() {
                job();
                let Some(couriers) = Weak::upgrade(&couriers) else { return };
                couriers.idle.lock().push(back);
                *couriers.out.lock() -= 1;
                couriers.back.notify_all();
            }
        })?;
        *self.out.lock() += 1;
        // Its thread is there, so it takes it.
        let _ = back.send(Errand { job, back: back.clone() });
        Ok(())
    }
}

/// What came back, or that nobody waits any more.
struct Slot<T> {
    came: Mutex<Option<Result<T, WireError>>>,
    changed: Condvar,
}

/// A wire whose every call ends once it is cancelled, whatever the wire beneath does.
#[derive(Clone)]
pub(super) struct Line {
    wire: Arc<dyn Wire>,
    cancel: Cancel,
    couriers: Arc<Couriers>,
}

impl Line {
    pub fn new(wire: &Arc<dyn Wire>, cancel: &Cancel) -> Line {
        Line::with(wire, cancel, Arc::default())
    }

    /// Another one over the same threads, with a cancelling of its own.
    pub fn beside(&self, wire: &Arc<dyn Wire>, cancel: &Cancel) -> Line {
        Line::with(wire, cancel, Arc::clone(&self.couriers))
    }

    fn with(wire: &Arc<dyn Wire>, cancel: &Cancel, couriers: Arc<Couriers>) -> Line {
        let wire = wire.cancellable(cancel).unwrap_or_else(|| Arc::clone(wire));
        Line { wire, cancel: cancel.clone(), couriers }
    }

    /// Waits until no request is on its way, for so long at most; whether none is.
    pub fn come_back(&self, patience: Duration) -> bool {
        let mut out = self.couriers.out.lock();
        !self.couriers.back.wait_while_for(&mut out, |out| *out > 0, patience).timed_out()
    }

    /// Pulls, and hands over what came on the thread that made the request, unless it was cancelled.
    pub fn pull_then(
        &self,
        request: PullRequest,
        then: impl FnOnce(PullRequest, Result<InboxPage, WireError>) + Send + 'static,
    ) -> std::io::Result<()> {
        let (wire, cancel) = (Arc::clone(&self.wire), self.cancel.clone());
        self.couriers.send(Box::new(move || {
            let came = contained(|| wire.pull(&request));
            drop(wire);
            if !cancel.is_cancelled() {
                then(request, came);
            }
        }))
    }

    /// Does something else that may take long on such a thread.
    pub fn aside(&self, job: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        self.couriers.send(Box::new(job))
    }

    fn call<T: Send + 'static>(
        &self,
        request: impl FnOnce(&dyn Wire) -> Result<T, WireError> + Send + 'static,
    ) -> Result<T, WireError> {
        let slot = Arc::new(Slot { came: Mutex::new(None), changed: Condvar::new() });
        let (wire, there) = (Arc::clone(&self.wire), Arc::downgrade(&slot));
        let sent = self.couriers.send(Box::new(move || {
            let came = contained(|| request(&*wire));
            drop(wire);
            if let Some(slot) = there.upgrade() {
                slot.came.lock().get_or_insert(came);
                slot.changed.notify_all();
            }
        }));
        if let Err(error) = sent {
            return Err(WireError::Unreachable(format!("there is no thread for the request: {error}")));
        }
        let cancelled = Arc::clone(&slot);
        let _hook = self.cancel.on_cancel(move || {
            cancelled.came.lock().get_or_insert(Err(WireError::Cancelled));
            cancelled.changed.notify_all();
        });
        let mut came = slot.came.lock();
        loop {
            match came.take() {
                Some(came) => return came,
                None => slot.changed.wait(&mut came),
            }
        }
    }
}

/// A panic of the host's wire, or of its source of credentials, as an error; it says nothing of what the panic said, which may
/// be a secret.
fn contained<T>(request: impl FnOnce() -> Result<T, WireError>) -> Result<T, WireError> {
    catch_unwind(AssertUnwindSafe(request)).unwrap_or(Err(WireError::Panicked))
}

impl Wire for Line {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.call(|wire| wire.info())
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        let request = request.clone();
        self.call(move |wire| wire.push(&request))
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        let request = request.clone();
        self.call(move |wire| wire.pull(&request))
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        let request = request.clone();
        self.call(move |wire| wire.checkpoint(&request))
    }

    fn traffic(&self) -> Traffic {
        self.wire.traffic()
    }
}
