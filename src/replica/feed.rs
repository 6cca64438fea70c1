//! The change feed: who watches, and what each has not been told yet.
//!
//! A store's own commits reach its watchers as they are made; those of other stores are read from the trail in the file
//! ([`super::trail`]), before an own commit is told and whenever a watcher is asked, so that all are told in the order of
//! the commits.

use super::presence::Presence;
use super::trail::{self, Step};
use super::watches;
use crate::error::Result;
use crate::watch::{Changes, ItemChange, Overflow, Scope, Watch};
use parking_lot::{Mutex, MutexGuard};
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Item-changing transactions after which a store looks again whether the others still watch.
const LOOK_AGAIN: u32 = 64;

/// Called when a watcher that had nothing to tell has something.
pub(crate) type Waker = Arc<dyn Fn() + Send + Sync>;

/// The watchers of one store.
#[derive(Debug)]
pub(crate) struct Feed(Mutex<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    watchers: BTreeMap<u64, Buffer>,
    /// What they want, all together.
    scopes: Arc<[Scope]>,
    next: u64,
    presence: Presence,
    /// What other stores wanted at the last look, if any was there.
    others: Arc<[Scope]>,
    /// SQLite's `data_version` of the writing connection then: it moves with every commit of others, so also when one begins
    /// to watch.
    version: Option<i64>,
    looks: u32,
    /// The first row of the trail since this store watches; what it writes there is known by it.
    store: i64,
    /// Every row of the trail up to it was told.
    told: i64,
}

struct Buffer {
    watch: Watch,
    waker: Option<Waker>,
    items: Vec<ItemChange>,
    places: HashMap<(String, String), usize>,
    overflow: Option<Overflow>,
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("watch", &self.watch).field("items", &self.items.len()).finish_non_exhaustive()
    }
}

/// Who is interested in what a transaction changes.
#[derive(Debug)]
pub(super) struct Interest {
    scopes: Arc<[Scope]>,
    others: Arc<[Scope]>,
}

impl Interest {
    pub fn is_none(&self) -> bool {
        self.scopes.is_empty() && self.others.is_empty()
    }

    pub fn has(&self, collection: &str, key: &str) -> bool {
        self.others_have(collection, key) || self.scopes.iter().any(|scope| scope.has(collection, key))
    }

    fn others_have(&self, collection: &str, key: &str) -> bool {
        self.others.iter().any(|scope| scope.has(collection, key))
    }
}

impl Feed {
    pub fn new(replica: &Path) -> Feed {
        Feed(Mutex::new(Inner {
            watchers: BTreeMap::new(),
            scopes: Arc::new([]),
            next: 0,
            presence: Presence::new(replica),
            others: Arc::new([]),
            version: None,
            looks: 0,
            store: 0,
            told: 0,
        }))
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock()
    }
}

impl Inner {
    /// Who is interested, as of the write transaction that the connection is in; the wakers of those whom others' commits
    /// woke.
    pub(super) fn interest(&mut self, connection: &Connection, wakers: &mut Vec<Waker>) -> Result<Interest> {
        let version: i64 = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        let moved = self.version != Some(version);
        if moved && !self.watchers.is_empty() {
            self.read_trail(connection, wakers)?;
        }
        self.looks = self.looks.wrapping_add(1);
        if moved || (!self.others.is_empty() && self.looks >= LOOK_AGAIN) {
            self.looks = 0;
            let others = if self.presence.of_others() { watches::load(connection)? } else { Vec::new() };
            self.others = others.into();
        }
        self.version = Some(version);
        Ok(Interest { scopes: Arc::clone(&self.scopes), others: Arc::clone(&self.others) })
    }

    /// Begins to watch, within a write transaction; the watcher's name.
    pub(super) fn begin(
        &mut self,
        connection: &Connection,
        watch: Watch,
        waker: Option<Waker>,
        wakers: &mut Vec<Waker>,
    ) -> Result<u64> {
        if !self.watchers.is_empty() {
            // What is committed already is not for the new one.
            self.read_trail(connection, wakers)?;
        } else {
            if !self.presence.of_others() {
                watches::clear(connection)?;
            }
            self.presence.begin()?;
            // A commit that others notice, so that they look who watches.
            self.store = trail::append(connection, 0, &Step::Begin)?;
            self.told = self.store;
        }
        watches::add(connection, &watch.scope)?;
        self.next += 1;
        let (items, places) = (Vec::new(), HashMap::new());
        self.watchers.insert(self.next, Buffer { watch, waker, items, places, overflow: None });
        self.update_scopes();
        Ok(self.next)
    }

    /// Ends a watcher.
    pub(super) fn end(&mut self, watcher: u64) {
        self.watchers.remove(&watcher);
        self.update_scopes();
        if self.watchers.is_empty() {
            self.presence.end();
            self.store = 0;
        }
    }

    pub(super) fn has_watchers(&self) -> bool {
        !self.watchers.is_empty()
    }

    fn update_scopes(&mut self) {
        self.scopes = self.watchers.values().map(|buffer| buffer.watch.scope.clone()).collect();
    }

    /// Writes what the other stores are to learn of the transaction that the connection is in; the last row, if there is one.
    pub(super) fn leave_trail(
        &self,
        connection: &Connection,
        interest: &Interest,
        changes: &[ItemChange],
        reload: bool,
    ) -> Result<Option<i64>> {
        if interest.others.is_empty() {
            return Ok(None);
        }
        let wanted = || changes.iter().filter(|change| interest.others_have(&change.collection, &change.key));
        let count = wanted().count();
        let (mut first, mut last) = (None, None);
        let mut append = |step: Step| -> Result<()> {
            let row = trail::append(connection, self.store, &step)?;
            first.get_or_insert(row);
            last = Some(row);
            Ok(())
        };
        if reload || trail::is_too_long(count) {
            append(Step::Overflow(if reload { Overflow::Reloaded } else { Overflow::Missed }))?;
        } else {
            for change in wanted() {
                append(Step::Item(change.clone()))?;
            }
        }
        if let (Some(first), Some(last)) = (first, last) {
            trail::cut(connection, first - 1, last)?;
        }
        Ok(last)
    }

    /// Takes note of what was committed, with its last row of the trail if it left one.
    pub(super) fn tell(&mut self, changes: &[ItemChange], reload: bool, last: Option<i64>, wakers: &mut Vec<Waker>) {
        // All before it was read within its transaction.
        self.told = last.unwrap_or(self.told);
        for buffer in self.watchers.values_mut() {
            if reload {
                buffer.overflow(Overflow::Reloaded, wakers);
            }
            for change in changes {
                buffer.add(change, wakers);
            }
        }
    }

    /// Takes what other stores have committed since the last time.
    pub(super) fn read_trail(&mut self, connection: &Connection, wakers: &mut Vec<Waker>) -> Result<()> {
        let (mut told, store) = (self.told, self.store);
        let watchers = &mut self.watchers;
        trail::read(connection, told, |id, of, step| {
            let missed = id != told + 1;
            told = id;
            for buffer in watchers.values_mut() {
                match &step {
                    _ if missed => buffer.overflow(Overflow::Missed, wakers),
                    Step::Item(change) if of != store => buffer.add(change, wakers),
                    Step::Overflow(why) if of != store => buffer.overflow(*why, wakers),
                    Step::Item(_) | Step::Overflow(_) | Step::Begin => {}
                }
            }
        })?;
        self.told = told;
        Ok(())
    }

    /// What a watcher has not been told yet.
    pub(super) fn take(&mut self, watcher: u64) -> Changes {
        let Some(buffer) = self.watchers.get_mut(&watcher) else { return Changes::Items(Vec::new()) };
        buffer.places.clear();
        let items = std::mem::take(&mut buffer.items);
        match buffer.overflow.take() {
            Some(overflow) => Changes::Overflowed(overflow),
            None => Changes::Items(items),
        }
    }
}

impl Buffer {
    fn add(&mut self, change: &ItemChange, wakers: &mut Vec<Waker>) {
        if self.overflow.is_some() || !self.watch.scope.has(&change.collection, &change.key) {
            return;
        }
        let name = (change.collection.clone(), change.key.clone());
        if let Some(item) = self.places.get(&name).and_then(|place| self.items.get_mut(*place)) {
            *item = change.clone();
        } else if self.items.len() >= self.watch.capacity {
            self.overflow(Overflow::Full, wakers);
        } else {
            self.wake(wakers);
            self.places.insert(name, self.items.len());
            self.items.push(change.clone());
        }
    }

    fn overflow(&mut self, why: Overflow, wakers: &mut Vec<Waker>) {
        if self.overflow.is_some() {
            return;
        }
        self.wake(wakers);
        self.overflow = Some(why);
        self.items = Vec::new();
        self.places = HashMap::new();
    }

    /// Wakes, if there was nothing to tell before.
    fn wake(&self, wakers: &mut Vec<Waker>) {
        if self.items.is_empty() && self.overflow.is_none() {
            wakers.extend(self.waker.clone());
        }
    }
}
