//! Ending what is under way, from another thread.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends a call that is under way on another thread, for good: once cancelled, it stays so.
///
/// Clones are the same one. A sync that was given one ([`Store::sync_until`](crate::Store::sync_until)) ends with
/// [`Error::Cancelled`](crate::Error::Cancelled) soon after [`Cancel::cancel`]: what it did stands, what it did not do stays
/// queued, as after any other error. So does the building of an index or a search
/// ([`Store::build_index_until`](crate::Store::build_index_until), [`Store::build_search_until`](crate::Store::build_search_until)).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use syncstore::Cancel;
///
/// let cancel = Cancel::new();
/// let elsewhere = cancel.clone();
/// std::thread::spawn(move || elsewhere.cancel()).join().unwrap();
/// assert!(cancel.is_cancelled());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    hooks: Mutex<Hooks>,
}

#[derive(Default)]
struct Hooks {
    next: u64,
    waiting: BTreeMap<u64, Box<dyn FnOnce() + Send>>,
}

impl Cancel {
    /// One that is not cancelled.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Cancels, and runs what waits for that on the calling thread. Any thread may, any number of times.
    pub fn cancel(&self) {
        let hooks = {
            let mut hooks = self.0.hooks.lock();
            self.0.cancelled.store(true, Ordering::SeqCst);
            std::mem::take(&mut hooks.waiting)
        };
        hooks.into_values().for_each(|hook| hook());
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Calls `hook` when it is cancelled, on the thread that cancels, or at once if it is already; not after the guard
    /// was dropped.
    ///
    /// For a [`Wire`](crate::wire::Wire) that has a connection to close. The hook must not wait for anything.
    pub fn on_cancel(&self, hook: impl FnOnce() + Send + 'static) -> OnCancel {
        let mut hooks = self.0.hooks.lock();
        if self.is_cancelled() {
            drop(hooks);
            hook();
            return OnCancel { cancel: self.clone(), id: 0 };
        }
        hooks.next += 1;
        let id = hooks.next;
        hooks.waiting.insert(id, Box::new(hook));
        OnCancel { cancel: self.clone(), id }
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("cancelled", &self.is_cancelled()).finish()
    }
}

/// Keeps a hook of [`Cancel::on_cancel`] until it is dropped.
#[derive(Debug)]
#[must_use = "the hook is forgotten when this is dropped"]
pub struct OnCancel {
    cancel: Cancel,
    id: u64,
}

impl Drop for OnCancel {
    fn drop(&mut self) {
        // Dropped without the lock: what the hook holds may have a hook itself.
        let _hook = self.cancel.0.hooks.lock().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn a_hook_runs_once_at_the_cancelling_or_at_once_after_it() {
        let cancel = Cancel::new();
        let ran = Arc::new(AtomicU32::new(0));
        let hook = || {
            let ran = Arc::clone(&ran);
            move || {
                ran.fetch_add(1, Ordering::SeqCst);
            }
        };
        let kept = cancel.on_cancel(hook());
        drop(cancel.on_cancel(hook()));
        assert_eq!(ran.load(Ordering::SeqCst), 0);
        cancel.clone().cancel();
        cancel.cancel();
        assert_eq!(ran.load(Ordering::SeqCst), 1, "neither the dropped one, nor twice");
        drop(cancel.on_cancel(hook()));
        assert_eq!(ran.load(Ordering::SeqCst), 2);
        drop(kept);
    }
}
