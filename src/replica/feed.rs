//! The change feed: who watches, and what each has not been told yet.
//!
//! A store's own commits reach its watchers as they are made; those of other stores are read from the trail in the file
//! ([`super::trail`]), before an own commit is told and whenever a watcher is asked, so that all are told in the order of
//! the commits.

use super::presence::Presence;
use super::ranges::{self, Range};
use super::trail::{self, Step};
use super::watches;
use crate::error::Result;
use crate::watch::{Changes, ItemChange, Overflow, Scope, Told, Watch};
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
    /// The ranges of indexes among both; `None`: to be found out anew.
    ranges: Option<Arc<[Range]>>,
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

/// What a transaction changes, as far as anybody watches it.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub items: Vec<Told>,
    /// Everything may read otherwise.
    pub reload: bool,
    /// Indexes that are others now, by collection and name.
    pub reindexed: Vec<(String, String)>,
}

/// Who is interested in what a transaction changes.
#[derive(Debug)]
pub(super) struct Interest {
    scopes: Arc<[Scope]>,
    others: Arc<[Scope]>,
    ranges: Arc<[Range]>,
}

impl Interest {
    pub fn is_none(&self) -> bool {
        self.scopes.is_empty() && self.others.is_empty()
    }

    /// Whether anybody wants an item by its name.
    pub fn has(&self, collection: &str, key: &str) -> bool {
        self.others.iter().chain(self.scopes.iter()).any(|scope| scope.has(collection, key))
    }

    /// The ranges of a collection's indexes that anybody wants.
    pub fn ranges<'a>(&'a self, collection: &'a str) -> impl Iterator<Item = &'a Range> {
        self.ranges.iter().filter(move |range| range.collection == collection)
    }

    /// Whether anybody wants to know what becomes of an index as a whole.
    pub fn has_index(&self, collection: &str, index: &str) -> bool {
        self.others.contains(&Scope::Unlisted) || self.ranges(collection).any(|range| range.index == index)
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
            ranges: None,
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
            self.ranges = None;
        }
        self.version = Some(version);
        let ranges = match &self.ranges {
            Some(ranges) => Arc::clone(ranges),
            None => ranges::resolve(connection, self.scopes.iter().chain(self.others.iter()))?,
        };
        self.ranges = Some(Arc::clone(&ranges));
        Ok(Interest { scopes: Arc::clone(&self.scopes), others: Arc::clone(&self.others), ranges })
    }

    /// Finds out anew at the next look which indexes there are.
    pub(super) fn forget_ranges(&mut self) {
        self.ranges = None;
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
            watches::add(connection, &watch.scope)?;
        } else {
            if !self.presence.of_others() {
                watches::clear(connection)?;
            }
            // A commit that others notice, so that they look who watches.
            let store = trail::append(connection, 0, &Step::Begin)?;
            // A store that watches alone writes nothing else there.
            trail::cut(connection, store - 1, store)?;
            watches::add(connection, &watch.scope)?;
            self.presence.begin()?;
            // Last: of what fails nothing may stay, least of all a number that another store gets then.
            self.store = store;
            self.told = store;
        }
        self.next += 1;
        let (items, places) = (Vec::new(), HashMap::new());
        self.watchers.insert(self.next, Buffer { watch, waker, items, places, overflow: None });
        self.update_scopes();
        Ok(self.next)
    }

    /// Ends a watcher; its waker, which is the host's and may do anything when it is dropped, so not under a lock.
    #[must_use]
    pub(super) fn end(&mut self, watcher: u64) -> Option<Waker> {
        let ended = self.watchers.remove(&watcher);
        self.update_scopes();
        if self.watchers.is_empty() {
            self.presence.end();
            self.store = 0;
        }
        ended.and_then(|buffer| buffer.waker)
    }

    pub(super) fn has_watchers(&self) -> bool {
        !self.watchers.is_empty()
    }

    fn update_scopes(&mut self) {
        self.scopes = self.watchers.values().map(|buffer| buffer.watch.scope.clone()).collect();
        self.ranges = None;
    }

    /// Writes what the other stores are to learn of the transaction that the connection is in; the last row, if there is one.
    pub(super) fn leave_trail(
        &self,
        connection: &Connection,
        interest: &Interest,
        changed: &Changed,
    ) -> Result<Option<i64>> {
        let Changed { items, reload, reindexed } = changed;
        if interest.others.is_empty() {
            return Ok(None);
        }
        let wanted = || items.iter().filter(|told| interest.others.iter().any(|scope| scope.wants(told)));
        let unlisted = interest.others.contains(&Scope::Unlisted);
        let count = wanted().count();
        let (mut first, mut last) = (None, None);
        let mut append = |step: Step| -> Result<()> {
            let row = trail::append(connection, self.store, &step)?;
            first.get_or_insert(row);
            last = Some(row);
            Ok(())
        };
        if *reload || trail::is_too_long(count) {
            append(Step::Overflow(if *reload { Overflow::Reloaded } else { Overflow::Missed }))?;
        } else {
            for told in wanted() {
                let ranges = told.ranges.clone().filter(|_| !unlisted);
                append(Step::Item(Told { ranges, ..told.clone() }))?;
            }
            for (collection, index) in reindexed {
                append(Step::Reindexed(collection.clone(), index.clone()))?;
            }
        }
        if let (Some(first), Some(last)) = (first, last) {
            trail::cut(connection, first - 1, last)?;
        }
        Ok(last)
    }

    /// Takes note of what was committed, with its last row of the trail if it left one.
    pub(super) fn tell(&mut self, changed: &Changed, last: Option<i64>, wakers: &mut Vec<Waker>) {
        // All before it was read within its transaction.
        self.told = last.unwrap_or(self.told);
        for buffer in self.watchers.values_mut() {
            if changed.reload {
                buffer.overflow(Overflow::Reloaded, wakers);
            }
            for told in &changed.items {
                buffer.add(told, wakers);
            }
            for (collection, index) in &changed.reindexed {
                buffer.reindexed(collection, index, wakers);
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
                    _ if of == store => {}
                    Step::Item(told) => buffer.add(told, wakers),
                    Step::Overflow(why) => buffer.overflow(*why, wakers),
                    Step::Reindexed(collection, index) => buffer.reindexed(collection, index, wakers),
                    Step::Begin => {}
                }
            }
        })?;
        self.told = told;
        Ok(())
    }

    /// What a watcher has not been told yet; it is not woken for what it is told now.
    pub(super) fn take(&mut self, watcher: u64, wakers: &mut Vec<Waker>) -> Changes {
        let Some(buffer) = self.watchers.get_mut(&watcher) else { return Changes::Items(Vec::new()) };
        if let Some(own) = &buffer.waker {
            wakers.retain(|waker| !Arc::ptr_eq(waker, own));
        }
        buffer.places.clear();
        let items = std::mem::take(&mut buffer.items);
        match buffer.overflow.take() {
            Some(overflow) => Changes::Overflowed(overflow),
            None => Changes::Items(items),
        }
    }
}

impl Buffer {
    fn add(&mut self, told: &Told, wakers: &mut Vec<Waker>) {
        if self.overflow.is_some() || !self.watch.scope.wants(told) {
            return;
        }
        let change = &told.change;
        let name = (change.collection.clone(), change.key.clone());
        if let Some(item) = self.places.get(&name).and_then(|place| self.items.get_mut(*place)) {
            let kind = change.kind.after(item.kind);
            *item = ItemChange { kind, ..change.clone() };
        } else if self.items.len() >= self.watch.capacity {
            self.overflow(Overflow::Full, wakers);
        } else {
            self.wake(wakers);
            self.places.insert(name, self.items.len());
            self.items.push(change.clone());
        }
    }

    /// What is watched of an index is all to be looked at again.
    fn reindexed(&mut self, collection: &str, index: &str, wakers: &mut Vec<Waker>) {
        if let Scope::Index(range) = &self.watch.scope
            && range.collection == collection
            && range.index == index
        {
            self.overflow(Overflow::Reindexed, wakers);
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
