//! A write transaction, and what it changes of what the host reads.

use super::feed::{Feed, Interest, Waker};
use crate::error::Result;
use crate::protocol::{Filter, Ref};
use crate::watch::{ChangeKind, ItemChange, Origin, Watch};
use rusqlite::Connection;
use std::cell::{OnceCell, RefCell};
use std::ops::Deref;

/// The transaction that its connection is in.
pub(crate) struct Writing<'a> {
    connection: &'a Connection,
    feed: &'a Feed,
    /// Asked for by the first item that changes.
    interest: OnceCell<Interest>,
    /// What the host wants kept, asked for by the first write.
    keep: OnceCell<Filter>,
    changes: RefCell<Vec<ItemChange>>,
    reload: RefCell<bool>,
    wakers: RefCell<Vec<Waker>>,
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'a> Writing<'a> {
    pub(super) fn new(connection: &'a Connection, feed: &'a Feed) -> Writing<'a> {
        Writing {
            connection,
            feed,
            interest: OnceCell::new(),
            keep: OnceCell::new(),
            changes: RefCell::new(Vec::new()),
            reload: RefCell::new(false),
            wakers: RefCell::new(Vec::new()),
        }
    }

    fn interest(&self) -> Result<&Interest> {
        if let Some(interest) = self.interest.get() {
            return Ok(interest);
        }
        let asked = self.feed.lock().interest(self.connection, &mut self.wakers.borrow_mut())?;
        Ok(self.interest.get_or_init(|| asked))
    }

    /// Whether the host wants an item kept.
    pub fn keeps(&self, collection: &str, key: &str) -> Result<bool> {
        if let Some(keep) = self.keep.get() {
            return Ok(keep.has(collection, key));
        }
        let keep = super::state::load_keep(self.connection)?;
        Ok(self.keep.get_or_init(|| keep).has(collection, key))
    }

    /// Whether anybody watches anything.
    pub fn is_watched(&self) -> Result<bool> {
        Ok(!self.interest()?.is_none())
    }

    /// Whether anybody watches an item, so that it is worth finding out whether it reads otherwise now.
    pub fn watches(&self, collection: &str, key: &str) -> Result<bool> {
        Ok(self.interest()?.has(collection, key))
    }

    /// Takes note that an item which is watched reads otherwise than before; `exists`: it has a value.
    pub fn changed(&self, collection: &str, key: &str, exists: bool, origin: Origin, op: Option<Ref>) {
        self.changes.borrow_mut().push(ItemChange {
            collection: collection.to_owned(),
            key: key.to_owned(),
            kind: if exists { ChangeKind::Set } else { ChangeKind::Deleted },
            origin,
            op_ref: op,
        });
    }

    /// Takes note that everything may read otherwise than before.
    pub fn reloaded(&self) -> Result<()> {
        if self.is_watched()? {
            self.reload.replace(true);
        }
        Ok(())
    }

    /// Commits, and then tells those who watch.
    pub(super) fn commit(&self) -> Result<()> {
        let (changes, reload) = (self.changes.borrow(), *self.reload.borrow());
        let commit = || Ok::<_, crate::Error>(self.connection.prepare_cached("COMMIT")?.execute([]).map(drop)?);
        if changes.is_empty() && !reload {
            return commit();
        }
        // Locked over the commit: nobody may tell a later one before.
        let mut inner = self.feed.lock();
        let last = match self.interest.get() {
            Some(interest) => inner.leave_trail(self.connection, interest, &changes, reload)?,
            None => None,
        };
        commit()?;
        inner.tell(&changes, reload, last, &mut self.wakers.borrow_mut());
        Ok(())
    }

    /// Begins to watch; the watcher's name.
    pub(super) fn begin_watch(&self, watch: Watch, waker: Option<Waker>) -> Result<u64> {
        self.feed.lock().begin(self.connection, watch, waker, &mut self.wakers.borrow_mut())
    }

    /// Whom to wake once no lock is held, whatever became of the transaction.
    pub(super) fn into_wakers(self) -> Vec<Waker> {
        self.wakers.into_inner()
    }
}
