//! What a commit settled, told to whoever listens: those who wait for an outcome, and what tells the host.

use crate::conflict::ConflictId;
use crate::outbox::Outcome;
use crate::protocol::Ref;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What became of pending ops by one commit of this store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settled {
    /// The ops that left the outbox, in the order in which they did, with what became of each.
    pub ops: Vec<(Ref, Outcome)>,
    /// The conflicts that began.
    pub conflicts: Vec<ConflictId>,
}

impl Settled {
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.conflicts.is_empty()
    }
}

/// Called after a commit that settled something, on the thread that made it, with no lock held. It must not panic.
pub(crate) type Listener = Arc<dyn Fn(&Settled) + Send + Sync>;

/// Who listens to a store's commits.
#[derive(Default)]
pub(super) struct Listeners(Mutex<(u64, BTreeMap<u64, Listener>)>);

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listeners").field(&self.0.lock().1.len()).finish()
    }
}

impl Listeners {
    /// Listens until what is returned is dropped.
    pub fn add(&self, listener: Listener) -> Listening<'_> {
        let mut listeners = self.0.lock();
        listeners.0 += 1;
        let id = listeners.0;
        listeners.1.insert(id, listener);
        Listening { listeners: self, id }
    }

    /// Tells all of a commit.
    pub fn tell(&self, settled: &Settled) {
        if settled.is_empty() {
            return;
        }
        let all: Vec<Listener> = self.0.lock().1.values().cloned().collect();
        all.iter().for_each(|listener| listener(settled));
    }
}

/// A listener's place among those of its store.
pub(crate) struct Listening<'a> {
    listeners: &'a Listeners,
    id: u64,
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.listeners.0.lock().1.remove(&self.id);
    }
}
