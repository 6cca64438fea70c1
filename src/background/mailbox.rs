//! Where a thread waits for what others post.
//!
//! Written over the lock and the condition variable of [`super::primitives`], so that a test can try every interleaving.

use super::primitives::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// What was posted and not taken, folded into one `M` by those who post.
pub struct Mailbox<M> {
    content: Mutex<Content<M>>,
    posted: Condvar,
}

struct Content<M> {
    mail: M,
    any: bool,
}

impl<M: Default> Mailbox<M> {
    pub fn new() -> Mailbox<M> {
        Mailbox { content: Mutex::new(Content { mail: M::default(), any: false }), posted: Condvar::new() }
    }

    /// Adds to what is there, and wakes who waits.
    pub fn post(&self, add: impl FnOnce(&mut M)) {
        let mut content = self.lock();
        add(&mut content.mail);
        if !std::mem::replace(&mut content.any, true) {
            self.posted.notify_all();
        }
    }

    /// Takes what is there; waits for it for so long at most.
    pub fn take(&self, patience: Duration) -> M {
        let mut content = self.lock();
        if !content.any && !patience.is_zero() {
            // One that wakes for nothing takes nothing, and its caller comes again.
            content = match self.posted.wait_timeout(content, patience) {
                Ok((content, _)) => content,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        content.any = false;
        std::mem::take(&mut content.mail)
    }

    /// A panic of one who holds it leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Content<M>> {
        self.content.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<T> Mailbox<Option<T>> {
    /// Adds it, unless something is there: what comes first counts.
    pub fn post_first(&self, what: T) {
        self.post(|mail| {
            mail.get_or_insert(what);
        });
    }
}
