//! A device: a disk, a clock, a link, the processes that have its replica open, and what they were told.

use crate::clock::Machine;
use crate::disk::{Disk, Image, Stop};
use crate::hearing::{Heard, Listener};
use crate::inspect;
use crate::network::Link;
use crate::oracle::{Item, Lineage, Resources, Whole, resources_of};
use crate::plan::Plan;
use crate::random::Random;
use crate::residue::Knowledge;
use crate::resolving::Resolver;
use crate::rights::Sight;
use crate::server::Server;
use crate::stops::Stops;
use crate::told::{Attempt, Op, Told};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use syncstore::protocol::{Code, PushRequest, Rev};
use syncstore::{Conflict, Error, Filter, Options, Ref, Retention, RetryPolicy, Store};

/// A full-text search that hosts declare, and the collection that it is over.
const SEARCH: &str = "marks";
pub const SEARCHED: &str = "open";
/// An automatic index of the same.
const INDEX: &str = "by";

/// A process that has the replica open.
pub struct Process {
    pub store: Store,
    /// It is within a call of `sync`, which waits for the wire.
    pub syncing: AtomicBool,
    pub listener: Option<Listener>,
    /// A conflict as it was listed, to be decided later.
    pub listed: Mutex<Option<Conflict>>,
}

pub struct Device {
    pub name: String,
    path: PathBuf,
    pub disk: Disk,
    pub machine: Arc<Machine>,
    pub plan: Plan,
    user: AtomicU64,
    pub link: Mutex<Link>,
    /// How many checkpoints it has asked for.
    pub checkpoints: AtomicU32,
    processes: Mutex<Vec<Arc<Process>>>,
    inspector: Mutex<Option<rusqlite::Connection>>,
    /// Calls of `sync` that are on their way.
    pub frames: AtomicU32,
    /// The step at which it is switched on again, while it is off.
    pub off_until: AtomicU32,
    told: Mutex<Told>,
    pub heard: Mutex<Heard>,
    pub resolver: Arc<Resolver>,
    /// How often its host has wanted something else kept.
    pub keeps: AtomicU32,
    /// What to keep, of a replica that was never opened.
    begins: Mutex<Option<Filter>>,
    backup: Mutex<Option<(Image, Told, Stops)>>,
    stops: Mutex<Stops>,
    /// It was killed before what it had written was synced.
    unsynced: AtomicBool,
    /// Its file was copied to another device, or from one, or replaced by its backup: somebody else may have done what its client id did.
    shares_file: AtomicBool,
}

impl Device {
    pub fn new(index: usize, directory: &std::path::Path, plan: &Plan, disk: Disk, machine: Arc<Machine>) -> Device {
        // Draws of its own: what else happens does not hang on them.
        let moods = Random::new(plan.seed ^ (index as u64) << 32 ^ 0x000d_ec1d_e000);
        let habit = plan.habits[index];
        Device {
            name: format!("d{index}"),
            path: directory.join(format!("d{index}.db")),
            disk,
            machine,
            plan: plan.clone(),
            user: AtomicU64::new(index as u64 % plan.users),
            link: Mutex::default(),
            checkpoints: AtomicU32::new(0),
            processes: Mutex::default(),
            inspector: Mutex::default(),
            frames: AtomicU32::new(0),
            off_until: AtomicU32::new(0),
            told: Mutex::default(),
            heard: Mutex::default(),
            resolver: Resolver::new(habit, moods),
            keeps: AtomicU32::new(0),
            begins: Mutex::new(plan.partial.then(|| plan.keeps[index].clone())),
            backup: Mutex::default(),
            stops: Mutex::default(),
            unsynced: AtomicBool::new(false),
            shares_file: AtomicBool::new(false),
        }
    }

    pub fn user(&self) -> u64 {
        self.user.load(Ordering::Relaxed)
    }

    /// Whether its replica may share its history with another, from now on.
    pub fn shares_file(&self) -> bool {
        self.shares_file.load(Ordering::Relaxed)
    }

    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("no panic while a device's memory is held")
    }

    pub fn stops(&self) -> MutexGuard<'_, Stops> {
        self.stops.lock().expect("no panic while a device's stops are held")
    }

    pub fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().expect("no panic while a link is held")
    }

    fn inspector(&self) -> MutexGuard<'_, Option<rusqlite::Connection>> {
        self.inspector.lock().expect("no panic while a replica is inspected")
    }

    /// A connection of its own to what the file has, where nothing goes wrong any more.
    pub fn look_again(&self) -> rusqlite::Connection {
        inspect::open(&self.path, self.disk.name()).expect("a healed device reads")
    }

    /// What the file has, unless the disk failed over it.
    pub fn inspect<T>(&self, look: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>) -> Option<T> {
        let faults = self.faults();
        match self.looked(look) {
            Ok(seen) => Some(seen),
            Err(_) if self.disk_failed(faults) || self.disk.is_limited() => None,
            Err(error) => panic!("{}: the replica cannot be read: {error}", self.name),
        }
    }

    fn looked<T>(&self, look: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let mut inspector = self.inspector();
        let connection = match inspector.take() {
            Some(connection) => connection,
            None => inspect::open(&self.path, self.disk.name())?,
        };
        let seen = look(&connection)?;
        *inspector = Some(connection);
        Ok(seen)
    }

    fn processes(&self) -> MutexGuard<'_, Vec<Arc<Process>>> {
        self.processes.lock().expect("no panic while the processes are held")
    }

    /// Whether nothing of this device is on the stack.
    pub fn is_idle(&self) -> bool {
        self.frames.load(Ordering::Relaxed) == 0
    }

    pub fn open_processes(&self) -> usize {
        self.processes().len()
    }

    pub fn process(&self, number: usize) -> Option<Arc<Process>> {
        self.processes().get(number).cloned()
    }

    /// Starts a process; an error leaves things as they are.
    pub fn open(&self) -> Result<(), Error> {
        let mut options = Options::default();
        options.environment = self.machine.clone();
        options.vfs = Some(self.disk.name().to_owned());
        options.durability = self.plan.durability;
        options.coalescing = self.plan.coalescing;
        options.push_ops = self.plan.push_ops;
        options.pull_entries = self.plan.pull_entries;
        options.checkpoint_items = self.plan.checkpoint_items;
        options.cache_bytes = 256 << 10;
        options.busy_timeout = Duration::from_millis(20);
        // Clocks jump by years here, and every outcome is asked for in the end.
        options.retention = Retention::new(None, None);
        // Everything on this thread.
        options.prefetch = false;
        options.retry = RetryPolicy::default().with_attempts(self.plan.attempts);
        options.resolver = self.resolver.of_store();
        let begins = self.begins.lock().expect("no panic while a replica begins").take();
        options.keep.clone_from(&begins);
        let store = Store::open(&self.path, options)?;
        if let Some(keep) = begins {
            self.told().keep = keep;
        }
        if self.plan.searches && store.declare_search(SEARCH, SEARCHED, &["/n"])? {
            store.build_search(SEARCH, &mut |_| {})?;
        }
        // No draw of its own: the other worlds, and where the planted faults were found in them, stay what they are.
        if self.plan.searches && store.declare_index(SEARCHED, INDEX, "/n")? {
            store.build_index(SEARCHED, INDEX, &mut |_| {})?;
        }
        let listener = self.plan.listens.then(|| Listener::new(&store, self.plan.watches));
        let syncing = AtomicBool::new(false);
        self.processes().push(Arc::new(Process { store, syncing, listener, listed: Mutex::default() }));
        Ok(())
    }

    /// Ends the last process, or all.
    pub fn close(&self, all: bool) {
        assert!(self.is_idle(), "a process ends while it syncs");
        *self.inspector() = None;
        *self.heard() = Heard { deaf: true, ..Heard::default() };
        let closed =
            if all { std::mem::take(&mut *self.processes()) } else { self.processes().pop().into_iter().collect() };
        drop(closed);
    }

    pub fn stop_after(&self, calls: u64, how: Stop) {
        self.unsynced.store(false, Ordering::Relaxed);
        self.disk.stop_after(calls, how);
    }

    /// Its processes are killed right before something is synced.
    pub fn kill_at_sync(&self, syncs: u64) {
        self.unsynced.store(true, Ordering::Relaxed);
        self.disk.stop_at_sync(syncs, Stop::Process);
    }

    /// Whether the last stop was such a kill, and none came since.
    pub fn take_unsynced(&self) -> bool {
        self.unsynced.swap(false, Ordering::Relaxed)
    }

    /// Whether it stopped, and is waiting to be switched on.
    pub fn is_stopped(&self) -> bool {
        self.disk.is_stopped()
    }

    /// Switches it on again after a stop.
    pub fn restart(&self) {
        self.close(true);
        let how = self.disk.restart().expect("only what has stopped is switched on");
        self.stops().stopped(how);
    }

    /// Remembers what a write was answered.
    pub fn tell(&self, op_ref: Ref, item: &Item) {
        let loading = self.process(0).and_then(|process| process.store.bootstrap_progress().ok().flatten()).is_some();
        let op = Op { loaded: loading, ..Op::new(item.clone(), self.checkpoints.load(Ordering::Relaxed)) };
        let earlier = self.told().ops.insert(op_ref, op);
        assert!(earlier.is_none(), "{op_ref} was given out twice");
    }

    /// What is in a push was refused with nothing else beside it, and its replica gives it up, whether the server has it or not.
    pub fn hear_refused(&self, push: &PushRequest, code: &Code) {
        let batch = push.ops.first().and_then(|op| op.batch);
        // Of a batch, all of it; if its disk does not tell what that is, it may be anything.
        let rest: Option<BTreeSet<Ref>> = match (batch, self.process(0)) {
            (Some(batch), Some(process)) => process.store.pending().ok().map(|pending| {
                let rest = pending.into_iter().filter(|op| op.batch == Some(batch));
                rest.map(|op| op.op_ref).collect()
            }),
            _ => Some(BTreeSet::new()),
        };
        for (op_ref, op) in &mut self.told().ops {
            if push.ops.iter().any(|pushed| pushed.op_ref == *op_ref)
                || rest.as_ref().is_none_or(|rest| rest.contains(op_ref))
            {
                op.given_up.push(code.clone());
            }
        }
    }

    /// The server calls one of its operations expired.
    pub fn hear_expired(&self, op_ref: &Ref) {
        let checkpoints = self.checkpoints.load(Ordering::Relaxed);
        if let Some(op) = self.told().ops.get_mut(op_ref).filter(|op| !op.expired) {
            op.expired = true;
            op.loaded |= checkpoints > op.checkpoints;
        }
    }

    /// The log no longer reaches back to where the device knows that it has read: what it had read and forgot, and the server called
    /// expired since, it will not find again.
    pub fn hear_pruned(&self) {
        for op in self.told().ops.values_mut().filter(|op| op.expired && op.reopened) {
            op.loaded = true;
        }
    }

    /// Remembers a write that was cut off.
    pub fn tell_cut_off(&self, attempts: Vec<Attempt>) {
        self.told().cut_off(attempts);
    }

    /// How many calls the disk has failed so far, for [`Device::explains`].
    pub fn faults(&self) -> u64 {
        self.disk.faults()
    }

    /// Whether the disk has stopped, or failed since.
    pub fn disk_failed(&self, faults: u64) -> bool {
        self.is_stopped() || self.disk.faults() > faults
    }

    /// Whether something that went wrong on this device since, or goes wrong now, explains an error.
    pub fn explains(&self, error: &Error, faults: u64) -> bool {
        match error {
            Error::Busy | Error::SyncedElsewhere => self.open_processes() > 1,
            Error::DiskFull => self.disk.is_limited() || self.disk_failed(faults),
            Error::Storage(_) => self.disk_failed(faults),
            _ => false,
        }
    }

    /// What was read, unless the disk failed over it.
    pub fn read<T>(&self, read: impl FnOnce() -> Result<T, Error>) -> Option<T> {
        let faults = self.faults();
        match read() {
            Ok(read) => Some(read),
            Err(error) if self.explains(&error, faults) => None,
            Err(error) => panic!("{}: the replica cannot be read: {error:?}", self.name),
        }
    }

    /// What is confirmed is what the log says at the replica's position, in one of its lives, as a whole.
    pub fn check_confirmed(&self, server: &Server) {
        if self.is_stopped() || self.open_processes() == 0 {
            return;
        }
        let Some(confirmed) = self.inspect(inspect::confirmed) else { return };
        let position = confirmed.position;
        let Some(cursor) = &confirmed.cursor else {
            assert!(confirmed.items.is_empty() && position == 0, "{}: items before any checkpoint", self.name);
            return;
        };
        let sight = server.sight_of(cursor);
        let down = server.is_down();
        server.with_history(|lineages, _| {
            if down && lineages.iter().all(|lineage| position > lineage.head) {
                // The server stopped before anybody else could read what this replica has read.
                return;
            }
            let same = |lineage: &Lineage| {
                let items = lineage.all_at(position, &sight, &confirmed.kept);
                let same = |(item, (value, resources, rev)): (&Item, &(serde_json::Value, Resources, Rev))| {
                    let at = items.get(item);
                    at.is_some_and(|(whole, at)| rev == at && *value == *whole.value && *resources == whole.resources)
                };
                items.len() == confirmed.items.len() && confirmed.items.iter().all(same)
            };
            let held: Vec<&Lineage> = lineages.iter().filter(|lineage| lineage.may_hold(position)).collect();
            if !held.iter().any(|lineage| same(lineage)) {
                let name = &self.name;
                let differ = |lineage: &&Lineage| differences(&confirmed, lineage, &sight);
                let differences: Vec<String> = held.iter().map(differ).collect();
                panic!("{name} differs from the server at {position}: {differences:?}");
            }
            let cut = held.iter().all(|lineage| lineage.cuts_batch(position));
            assert!(!cut, "{} stands at {position}, within a batch", self.name);
        });
    }

    /// The store's own check of its file.
    pub fn check_report(&self, store: &Store) {
        let faults = self.faults();
        let Some(report) = self.read(|| store.check()) else { return };
        if self.disk_failed(faults) {
            return;
        }
        assert!(report.is_ok(), "{}: {}", self.name, report.to_json());
    }

    /// Keeps what the device is now for a later [`Device::restore_backup`].
    pub fn back_up(&self) {
        *self.backup.lock().expect("no panic while a backup is held") =
            Some((self.disk.image(), self.told().clone(), *self.stops()));
    }

    /// Becomes what it was at its last backup; false: there is none.
    pub fn restore_backup(&self) -> bool {
        let backup = self.backup.lock().expect("no panic while a backup is held").take();
        let Some((image, mut told, stops)) = backup else { return false };
        self.shares_file.store(true, Ordering::Relaxed);
        self.close(true);
        self.disk.restore(&image);
        self.stops().restored(stops);
        told.ops.values_mut().for_each(Op::forget);
        let present = &mut *self.told();
        for (op_ref, op) in &mut told.ops {
            // The server may have been told so, and says it.
            op.given_up = present.ops.remove(op_ref).map(|known| known.given_up).unwrap_or_default();
        }
        *present = told;
        true
    }

    /// Becomes a copy of another device.
    pub fn become_copy_of(&self, other: &Device) {
        let image = other.disk.image();
        [self, other].iter().for_each(|device| device.shares_file.store(true, Ordering::Relaxed));
        self.close(true);
        self.disk.restore(&image.renamed(&other.path, &self.path));
        self.stops().restored(*other.stops());
        *self.told() = other.told().clone();
        self.told().ops.values_mut().for_each(Op::forget);
        *self.backup.lock().expect("no panic while a backup is held") = None;
        self.user.store(other.user(), Ordering::Relaxed);
    }

    /// What it reads in the end is what its user sees of the server, and it has nothing else.
    pub fn settle_in(&self, lineages: &[Lineage], sight: &Sight, knowledge: &Knowledge) {
        let process = self.process(0).expect("a healed device runs");
        let store = &process.store;
        let pending = store.pending().expect("a healed device reads");
        assert!(pending.is_empty(), "{}: {pending:?} are left", self.name);
        let last = lineages.last().expect("there is always one");
        assert_eq!(store.position().expect("a healed device reads"), last.head, "{} is not at the head", self.name);
        let keep = self.told().keep.clone();
        let items: BTreeMap<Item, Whole> = last
            .all_at(last.head, sight, &keep)
            .into_iter()
            .map(|(item, (whole, _))| (item.clone(), whole.clone()))
            .collect();
        assert_eq!(self.view(store), items, "{} reads something else than its user sees", self.name);
        self.settle_residue(lineages, knowledge, &keep, &items);
        if self.plan.searches {
            let found = store
                .search(SEARCH, &syncstore::SearchQuery::words_so_far("m").limit(1_000))
                .expect("a healed device reads");
            let found: BTreeSet<&str> = found.hits.iter().map(|hit| hit.key.as_str()).collect();
            let searched =
                items.iter().filter(|((collection, _), whole)| collection == SEARCHED && !whole.value["n"].is_null());
            let searched: BTreeSet<&str> = searched.map(|((_, key), _)| key.as_str()).collect();
            assert_eq!(found, searched, "{} finds something else than its user sees", self.name);
            self.settle_index(store, &items);
        }
    }

    /// The automatic index has each of its collection's items where its value says.
    fn settle_index(&self, store: &Store, items: &BTreeMap<Item, Whole>) {
        let mut expected: Vec<(&str, &str, &serde_json::Value)> = Vec::new();
        for ((_, key), whole) in items.iter().filter(|((collection, _), _)| collection == SEARCHED) {
            match &whole.value["n"] {
                serde_json::Value::Null => {}
                n => expected.push((n.as_str().expect("hosts write marks"), key, &whole.value)),
            }
        }
        expected.sort_by_key(|(n, key, _)| (*n, *key));
        let rows = store.query(SEARCHED).index(INDEX).run().expect("a healed device reads");
        assert!(rows.is_complete(), "{} has not all of its index", self.name);
        let values: Vec<serde_json::Value> =
            rows.iter().map(|row| row.to().expect("JSON").expect("values are asked for")).collect();
        let read = rows.iter().zip(&values).map(|(row, value)| (row.order.unwrap_or_default(), row.key, value));
        // A mark stands in the index as it is.
        assert!(read.eq(expected.iter().copied()), "{} has by its index {rows:?}, and not {expected:?}", self.name);
    }
}

/// All that a host reads of an item beside its value.
pub fn read_resources(store: &Store, collection: &str, key: &str) -> Result<Resources, Error> {
    let indexes = store.indexes(collection, key)?;
    let (relations, tags) = (store.relations(collection, key, None)?, store.tags(collection, key)?);
    Ok(resources_of(&indexes, &relations, &tags))
}

/// The items that differ, as the replica and the log have them.
fn differences(confirmed: &inspect::Confirmed, lineage: &Lineage, sight: &Sight) -> String {
    let expected = lineage.all_at(confirmed.position, sight, &confirmed.kept);
    let items: BTreeSet<&Item> = confirmed.items.keys().chain(expected.keys().copied()).collect();
    let differing = items.into_iter().filter_map(|item| {
        let has = confirmed.items.get(item).map(|(value, resources, rev)| (value, resources, *rev));
        let should = expected.get(item).map(|(whole, rev)| (&*whole.value, &whole.resources, *rev));
        (has != should).then(|| format!("{item:?} is {has:?}, the log has {should:?}"))
    });
    differing.collect::<Vec<_>>().join("; ")
}
