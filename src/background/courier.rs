//! Threads that do what may take long, and hold nothing of the store.
//!
//! Written over [`super::primitives`], so that a test can try every interleaving.

use super::primitives::{Condvar, Mutex, MutexGuard, mpsc, thread};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

/// The most threads at a time. Three have something to do (a request, a poll, the resolver); the others are left with calls that were
/// given up, interrupted ones included, and have not come back.
pub const MOST: usize = 8;

type Job = Box<dyn FnOnce() + Send>;

/// A job, and the way back to the thread that does it.
struct Errand {
    job: Job,
    under_way: UnderWay,
    back: mpsc::Sender<Errand>,
}

/// Why a job is not done.
#[derive(Debug)]
pub enum Unsent {
    /// [`MOST`] are not done yet.
    TooMany,
    NoThread(std::io::Error),
}

/// The threads, as many as there are jobs at a time.
#[derive(Default)]
pub struct Couriers {
    idle: Mutex<Vec<mpsc::Sender<Errand>>>,
    /// Jobs under way, those that nobody waits for included.
    out: Mutex<usize>,
    back: Condvar,
}

/// A job that is under way until this is dropped: even one that panics, on whose thread nothing more is done, comes back.
struct UnderWay(Weak<Couriers>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(couriers) = self.0.upgrade() {
            *lock(&couriers.out) -= 1;
            couriers.back.notify_all();
        }
    }
}

impl Couriers {
    /// Has a job done on a thread that is idle, or a new one.
    pub fn send(self: &Arc<Couriers>, job: Job) -> Result<(), Unsent> {
        {
            let mut out = lock(&self.out);
            if *out >= MOST {
                return Err(Unsent::TooMany);
            }
            *out += 1;
        }
        self.hand_over(job, UnderWay(Arc::downgrade(self))).map_err(Unsent::NoThread)
    }

    fn hand_over(self: &Arc<Couriers>, job: Job, under_way: UnderWay) -> std::io::Result<()> {
        let (mut job, mut under_way) = (job, under_way);
        loop {
            let idle = lock(&self.idle).pop();
            let Some(back) = idle else { break };
            match back.send(Errand { job, under_way, back: back.clone() }) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(errand)) => (job, under_way) = (errand.job, errand.under_way),
            }
        }
        let (back, errands) = mpsc::channel::<Errand>();
        let couriers = Arc::downgrade(self);
        thread::Builder::new().name("syncstore-wire".into()).spawn(move || {
            // Ends when nobody can send it anything any more: each errand brings along the only way to send the next.
            while let Ok(Errand { job, under_way, back }) = errands.recv() {
                job();
                let Some(couriers) = Weak::upgrade(&couriers) else { return };
                // First idle, then back, or the next job would have a thread of its own.
                lock(&couriers.idle).push(back);
                drop(under_way);
            }
        })?;
        // Its thread is there, so it takes it.
        let _ = back.send(Errand { job, under_way, back: back.clone() });
        Ok(())
    }

    /// Waits until no job is under way, for so long at most; whether none is.
    pub fn come_back(&self, patience: Duration) -> bool {
        let waited = self.back.wait_timeout_while(lock(&self.out), patience, |out| *out > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0 == 0
    }
}

/// A panic of one who holds it leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
