//! What a host does with its store while the disk misbehaves, and what must be true afterwards.

use crate::older;
use crate::rig::{Clock, Items, Server};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use syncstore::json_patch::Patch;
use syncstore::{BootstrapReason, Durability, Error, KeyRange, Options, Outcome, Ref, Store};
use syncstore_simulation::disk::Disk;
use tempfile::TempDir;

/// A write that the host tried, with what it was answered.
#[derive(Debug)]
struct Attempt {
    what: What,
    id: u64,
    /// `None`: an error, or the host never saw the answer.
    ops: Option<Vec<Ref>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
enum What {
    /// Adds its id to a list.
    Append(&'static str),
    Set(&'static str),
    Delete(&'static str),
    /// Sets both items of `pairs` to its id, and what the left one has beside its value.
    Pair,
}

pub struct Host {
    pub disk: Disk,
    path: PathBuf,
    clock: Arc<Clock>,
    durability: Durability,
    store: Option<Store>,
    attempts: Vec<Attempt>,
    /// The next write's.
    id: u64,
    /// Every error that the store answered.
    pub errors: Vec<Error>,
    bootstraps: Vec<BootstrapReason>,
    /// Whether the file was one of an earlier version.
    pub turned_back: bool,
}

/// Every which call is tried: all of them take minutes, which `SYNCSTORE_EVERY_CALL=1` asks for.
pub fn step(otherwise: usize) -> usize {
    if std::env::var_os("SYNCSTORE_EVERY_CALL").is_some() { 1 } else { otherwise }
}

const LISTS: [&str; 2] = ["l0", "l1"];

/// The earliest version of a file that has searches and indexes.
const OLDER: i64 = 4;

impl Host {
    pub fn new(disk: Disk, directory: &TempDir, durability: Durability) -> Host {
        let path = directory.path().join("replica.db");
        let clock = Clock::seeded(7);
        Host {
            disk,
            path,
            clock,
            durability,
            store: None,
            attempts: Vec::new(),
            id: 0,
            errors: Vec::new(),
            bootstraps: Vec::new(),
            turned_back: false,
        }
    }

    fn open(&mut self) -> Result<Store, Error> {
        let mut options = Options::default();
        options.vfs = Some(self.disk.name().into());
        options.environment = self.clock.clone();
        options.durability = self.durability;
        options.prefetch = false;
        // Small enough that a page of the log is several requests, and a checkpoint too.
        options.pull_entries = 3;
        options.checkpoint_items = 5;
        options.push_ops = 4;
        let store = Store::open(&self.path, options)?;
        // What is kept in step with each write fails in ways of its own.
        if store.declare_search("words", "own", &["/pad"])? {
            store.build_search("words", &mut |_| {})?;
        }
        if store.declare_index("own", "ids", "/id")? {
            store.build_index("own", "ids", &mut |_| {})?;
        }
        Ok(store)
    }

    /// Opens the store, twice if the first try fails.
    fn reopen(&mut self) {
        self.store = None;
        for _ in 0..2 {
            match self.open() {
                Ok(store) => {
                    self.store = Some(store);
                    return;
                }
                Err(error) => self.errors.push(error),
            }
        }
    }

    fn write(&mut self, what: What) {
        self.id += 1;
        let id = self.id;
        let Some(store) = &self.store else { return };
        let value = json!({"id": id, "pad": "x".repeat(id as usize * 37 % 1500)});
        let result = match &what {
            What::Append(key) => match store.get::<Value>("lists", key) {
                Ok(None) => store.set("lists", key, &json!([id])),
                Ok(Some(_)) => {
                    let patch = json!([{"op": "add", "path": "/-", "value": id}]);
                    store.patch("lists", key, &serde_json::from_value::<Patch>(patch).unwrap())
                }
                Err(error) => Err(error),
            }
            .map(|op| vec![op]),
            What::Set(key) => store.set("own", key, &value).map(|op| vec![op]),
            What::Delete(key) => store.delete("own", key).map(|op| vec![op]),
            What::Pair => {
                let mut batch = store.batch();
                batch.set("pairs", "left", &value).unwrap();
                batch.set_index("pairs", "left", "id", &id.to_string()).unwrap();
                batch.set_relation("pairs", "left", "other", "with", ("pairs", &id.to_string())).unwrap();
                batch.set("pairs", "right", &value).unwrap();
                batch.commit().map(|receipt| receipt.ops)
            }
        };
        let ops = result.map_err(|error| self.errors.push(error)).ok();
        self.attempts.push(Attempt { what, id, ops });
    }

    fn sync(&mut self, server: &Server) {
        let Some(store) = &self.store else { return };
        match store.sync(server) {
            Ok(report) => self.bootstraps.extend(report.bootstrapped),
            Err(error) => {
                self.bootstraps.extend(error.report().bootstrapped.clone());
                self.errors.push(error.into_error());
            }
        }
    }

    fn compact(&mut self) {
        let Some(store) = &self.store else { return };
        if let Err(error) = store.compact() {
            self.errors.push(error);
        }
    }

    /// Makes the file one of an earlier version, if the disk lets it: the next opening migrates it.
    fn turn_back(&mut self) {
        self.close();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let turned = Connection::open_with_flags_and_vfs(&self.path, flags, self.disk.name()).and_then(|file| {
            let present = older::version(&file)? == older::PRESENT;
            if present { older::turn_back(&file, OLDER).map(|()| true) } else { Ok(false) }
        });
        self.turned_back |= turned.unwrap_or(false);
    }

    fn look(&mut self) {
        let Some(store) = &self.store else { return };
        let look = || {
            store.get::<Value>("own", "k0")?;
            store.list("peer", &KeyRange::all())?;
            store.pending()?;
            Ok(())
        };
        if let Err(error) = look() {
            self.errors.push(error);
        }
    }

    /// The whole script, whatever the store answers.
    pub fn run(&mut self, server: &Server) {
        use What::{Append, Delete, Pair, Set};
        self.reopen();
        for what in [Append("l0"), Set("k0"), Append("l0"), Set("k1"), Pair, Set("k1")] {
            self.write(what);
        }
        self.look();
        self.sync(server);
        (0..5).for_each(|key| server.peer_writes(key));
        for what in [Append("l0"), Append("l1"), Delete("k0"), Set("k2"), Append("l1"), Pair] {
            self.write(what);
        }
        self.sync(server);
        self.compact();
        self.turn_back();
        self.reopen();
        for what in [Append("l1"), Set("k0"), Pair, Append("l0"), Delete("k2")] {
            self.write(what);
        }
        // The next sync finds its cursor expired, and loads a checkpoint.
        (3..8).for_each(|key| server.peer_writes(key));
        server.forget_the_log();
        self.sync(server);
        self.look();
        for what in [Set("k3"), Append("l0"), Append("l0"), Delete("k1"), Pair, Append("l1")] {
            self.write(what);
        }
    }

    pub fn close(&mut self) {
        self.store = None;
    }

    /// Opens the store on a sound disk again: all that must be there is there, and as it must be. `losable`: the last
    /// writes that were never sent may be gone; returns how many are.
    pub fn survey(&mut self, server: &Server, losable: bool) -> (Store, usize) {
        self.close();
        assert_eq!(self.integrity(), "ok");
        let store = self.open().expect("the store opens again");
        assert_eq!(self.integrity(), "ok", "after it was opened");
        let report = store.check().expect("the store checks itself");
        assert!(report.is_ok(), "{report}");
        let lost = self.forget_lost(&store, server, losable);
        self.check(&|collection, key| store.get::<Value>(collection, key).unwrap(), "in the store");
        check_resources(&store);
        (store, lost)
    }

    /// As [`Host::survey`], and then the rest of the work gets done.
    pub fn verify(&mut self, server: &Server, losable: bool) -> usize {
        let (store, lost) = self.survey(server, losable);
        let report = store.sync(server).expect("a sync on a sound disk");
        self.bootstraps.extend(report.bootstrapped);
        // Nothing that one of the two has told the other was lost.
        let sound = |reason: &BootstrapReason| matches!(reason, BootstrapReason::Fresh | BootstrapReason::Expired);
        assert!(self.bootstraps.iter().all(sound), "{:?}", self.bootstraps);
        let left = store.pending().unwrap();
        assert!(left.is_empty(), "still pending: {left:?}");
        let items = server.items();
        let mut own = Items::new();
        for collection in store.collections().unwrap() {
            for item in store.list(&collection, &KeyRange::all()).unwrap().iter() {
                own.insert((collection.clone(), item.key.to_owned()), item.to().unwrap());
            }
        }
        assert_eq!(own, items, "store and server differ");
        assert_eq!(resources(&store), server.resources("pairs", "left"), "store and server differ");
        check_resources(&store);
        server.check_peer(&items);
        self.check(&|collection, key| items.get(&(collection.into(), key.into())).cloned(), "on the server");
        for op in self.attempts.iter().flat_map(|attempt| attempt.ops.iter().flatten()) {
            let outcome = store.outcome(*op).unwrap();
            let settled = matches!(outcome, Some(Outcome::Accepted { .. } | Outcome::FoldedInto(_)));
            assert!(settled, "{op}: {outcome:?}");
        }
        drop(store);
        assert_eq!(self.integrity(), "ok", "in the end");
        lost
    }

    fn integrity(&self) -> String {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = Connection::open_with_flags_and_vfs(&self.path, flags, self.disk.name()).unwrap();
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
    }

    /// Every write that was answered is known; returns how many are gone that may be.
    fn forget_lost(&mut self, store: &Store, server: &Server, losable: bool) -> usize {
        let known = |attempt: &Attempt| attempt.ops.iter().flatten().all(|op| store.outcome(*op).unwrap().is_some());
        let first_lost = self.attempts.iter().position(|attempt| !known(attempt)).unwrap_or(self.attempts.len());
        let lost = &mut self.attempts[first_lost..];
        if !lost.is_empty() {
            assert!(losable, "answered and gone: {:?}", lost[0]);
        }
        for attempt in lost.iter_mut().filter(|attempt| attempt.ops.is_some()) {
            for op in attempt.ops.iter().flatten() {
                assert_eq!(store.outcome(*op).unwrap(), None, "not the last writes were lost, but some: {attempt:?}");
                assert!(!server.was_sent(op), "sent and gone: {attempt:?}");
            }
        }
        let lost = self.attempts.split_off(first_lost);
        lost.iter().filter(|attempt| attempt.ops.is_some()).count()
    }

    /// What an item may be: what the last answered write of it made, or a later one that was not answered.
    fn check(&self, get: &dyn Fn(&str, &str) -> Option<Value>, place: &str) {
        let mut may_be: BTreeMap<&str, Vec<Option<u64>>> = BTreeMap::new();
        for key in ["k0", "k1", "k2", "k3", "pair"] {
            may_be.insert(key, vec![None]);
        }
        for attempt in &self.attempts {
            let (key, value) = match attempt.what {
                What::Append(_) => continue,
                What::Set(key) => (key, Some(attempt.id)),
                What::Delete(key) => (key, None),
                What::Pair => ("pair", Some(attempt.id)),
            };
            let values = may_be.get_mut(key).unwrap();
            if attempt.ops.is_some() {
                values.clear();
            }
            values.push(value);
        }
        let id = |value: Option<Value>| value.map(|value| value["id"].as_u64().unwrap());
        for (key, values) in &may_be {
            let found = match *key {
                "pair" => {
                    let (left, right) = (id(get("pairs", "left")), id(get("pairs", "right")));
                    assert_eq!(left, right, "half a batch {place}");
                    left
                }
                key => id(get("own", key)),
            };
            assert!(values.contains(&found), "{key} is {found:?} {place}, none of {values:?}");
        }
        for key in LISTS {
            let list = get("lists", key).unwrap_or_else(|| json!([]));
            let list: Vec<u64> = serde_json::from_value(list).unwrap();
            let ids: BTreeSet<u64> = list.iter().copied().collect();
            assert_eq!(ids.len(), list.len(), "applied twice {place}: {key} is {list:?}");
            let appends = || self.attempts.iter().filter(|attempt| attempt.what == What::Append(key));
            for append in appends().filter(|append| append.ops.is_some()) {
                assert!(ids.contains(&append.id), "{append:?} is missing {place}: {key} is {list:?}");
            }
            let tried: BTreeSet<u64> = appends().map(|append| append.id).collect();
            assert!(ids.is_subset(&tried), "{key} is {list:?} {place}");
        }
    }
}

/// The index entries and the objects of the relations of the left item of `pairs`.
fn resources(store: &Store) -> Vec<(String, String)> {
    let indexes = store.indexes("pairs", "left").unwrap();
    let relations = store.relations("pairs", "left", None).unwrap();
    indexes.into_iter().chain(relations.into_iter().map(|one| (one.id, one.object.key))).collect()
}

/// They are of the write that its value is of.
fn check_resources(store: &Store) {
    let value: Option<Value> = store.get("pairs", "left").unwrap();
    let id = value.map(|value| value["id"].to_string());
    let expected = id.into_iter().flat_map(|id| [("id".to_owned(), id.clone()), ("other".to_owned(), id)]);
    assert_eq!(resources(store), expected.collect::<Vec<_>>(), "a batch in part");
}
