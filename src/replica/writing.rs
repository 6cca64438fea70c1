//! A write transaction, and what it changes of what the host reads.

use super::feed::{Changed, Feed, Interest, Waker};
use crate::conflict::{Conflict, ConflictId};
use crate::error::Result;
use crate::event::bus::News;
use crate::event::{ConflictNews, Event};
use crate::outbox::Outcome;
use crate::protocol::{Filter, Ref, ResourceName};
use crate::watch::{ItemChange, Told, Watch};
use rusqlite::Connection;
use std::cell::{Cell, OnceCell, RefCell};
use std::ops::Deref;
use std::sync::Arc;

/// The transaction that its connection is in.
pub(crate) struct Writing<'a> {
    connection: &'a Connection,
    feed: &'a Feed,
    /// Asked for by the first item that changes.
    interest: OnceCell<Interest>,
    /// What the host wants kept, asked for by the first write.
    keep: OnceCell<Filter>,
    changed: RefCell<Changed>,
    wakers: RefCell<Vec<Waker>>,
    /// Whether anybody listens to it.
    heard: bool,
    /// Whether something happened that nobody listened to.
    untold: Cell<bool>,
    news: RefCell<News>,
}

/// How an item is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    /// By its name.
    pub named: bool,
    /// Perhaps, by where it stands in an index.
    pub ranged: bool,
}

/// Watched ranges of indexes that an item stands in, by their texts.
pub(crate) type Stands = Vec<Arc<str>>;

impl Watched {
    /// Whether it is worth finding out whether it reads otherwise now.
    pub fn at_all(self) -> bool {
        self.named || self.ranged
    }
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'a> Writing<'a> {
    pub(super) fn new(connection: &'a Connection, feed: &'a Feed, heard: bool) -> Writing<'a> {
        Writing {
            connection,
            feed,
            interest: OnceCell::new(),
            keep: OnceCell::new(),
            changed: RefCell::default(),
            wakers: RefCell::new(Vec::new()),
            heard,
            untold: Cell::new(false),
            news: RefCell::default(),
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

    /// Whether and how anybody watches an item.
    pub fn watched(&self, collection: &str, key: &str) -> Result<Watched> {
        let interest = self.interest()?;
        Ok(Watched { named: interest.has(collection, key), ranged: interest.ranges(collection).next().is_some() })
    }

    /// The watched ranges that an item stands in now, by its row; without a value it stands in none.
    pub fn stands(&self, collection: &str, item: Option<i64>, value: Option<&str>) -> Result<Stands> {
        let mut stands = Stands::new();
        let (Some(item), Some(value)) = (item, value) else { return Ok(stands) };
        for range in self.interest()?.ranges(collection) {
            if range.has(self.connection, item, value)? {
                stands.push(Arc::clone(&range.text));
            }
        }
        Ok(stands)
    }

    /// Takes note that an item reads otherwise than before, if it is watched by its name, or by a range that it `stood` in or, by its
    /// row and value, stands in now.
    pub fn changed(
        &self,
        watched: Watched,
        mut stood: Stands,
        (row, value): (Option<i64>, Option<&str>),
        change: ItemChange,
    ) -> Result<()> {
        if watched.ranged {
            stood.extend(self.stands(&change.collection, row, value)?);
        }
        if watched.named || !stood.is_empty() {
            self.changed.borrow_mut().items.push(Told { change, ranges: Some(stood) });
        }
        Ok(())
    }

    /// Takes note that an operation is settled.
    pub fn settled(&self, op_ref: Ref, outcome: impl FnOnce() -> Outcome) {
        let mut news = self.news.borrow_mut();
        news.settled = true;
        if self.heard {
            news.events.push(Event::Settled { op_ref, outcome: outcome() });
        } else {
            self.untold.set(true);
        }
    }

    /// Takes note of what becomes of a conflict, on a part of an item.
    pub fn contested(&self, id: ConflictId, on: (&str, &str, &ResourceName), news: ConflictNews) {
        if self.heard {
            self.news.borrow_mut().events.push(Event::Conflict {
                id,
                collection: on.0.to_owned(),
                key: on.1.to_owned(),
                resource: on.2.clone(),
                news,
            });
        } else {
            self.untold.set(true);
        }
    }

    /// The same of one that is known as a whole.
    pub fn conflict(&self, conflict: &Conflict, news: ConflictNews) {
        self.contested(conflict.id, (&conflict.collection, &conflict.key, &conflict.resource), news);
    }

    /// Takes note that everything may read otherwise than before.
    pub fn reloaded(&self) -> Result<()> {
        if self.is_watched()? {
            self.changed.borrow_mut().reload = true;
        }
        Ok(())
    }

    /// Takes note that an index of a collection has other entries than before, without any item having changed.
    pub fn reindexed(&self, collection: &str, index: &str) -> Result<()> {
        if self.interest()?.has_index(collection, index) {
            self.changed.borrow_mut().reindexed.push((collection.to_owned(), index.to_owned()));
        }
        // What was found out within this transaction may not be so, should it fail.
        self.feed.lock().forget_ranges();
        Ok(())
    }

    /// Commits, and then tells those who watch.
    pub(super) fn commit(&self) -> Result<()> {
        let changed = self.changed.borrow();
        let commit = || Ok::<_, crate::Error>(self.connection.prepare_cached("COMMIT")?.execute([]).map(drop)?);
        if changed.items.is_empty() && !changed.reload && changed.reindexed.is_empty() {
            return commit();
        }
        // Locked over the commit: nobody may tell a later one before.
        let mut inner = self.feed.lock();
        let last = match self.interest.get() {
            Some(interest) => inner.leave_trail(self.connection, interest, &changed)?,
            None => None,
        };
        commit()?;
        inner.tell(&changed, last, &mut self.wakers.borrow_mut());
        Ok(())
    }

    /// Begins to watch; the watcher's name.
    pub(super) fn begin_watch(&self, watch: Watch, waker: Option<Waker>) -> Result<u64> {
        self.feed.lock().begin(self.connection, watch, waker, &mut self.wakers.borrow_mut())
    }

    /// Once no lock is held: whom to wake, whatever became of the transaction, and what to tell, if it was committed; and whether there is
    /// more, which was not kept because nobody listened when it began.
    pub(super) fn into_told(self) -> (Vec<Waker>, News, bool) {
        (self.wakers.into_inner(), self.news.into_inner(), self.untold.get())
    }
}
