//! A device: a disk, a clock, a link, the processes that have its replica open, and what they were told.

use crate::clock::Machine;
use crate::disk::{Disk, Image, Stop};
use crate::inspect;
use crate::judge::{Decided, Judge};
use crate::network::Link;
use crate::oracle::{Item, Lineage};
use crate::plan::Plan;
use crate::server::Server;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use syncstore::protocol::{Code, Seq};
use syncstore::{Durability, Error, Options, Outcome, Ref, Retention, RetryPolicy, Store};

/// A process that has the replica open.
pub struct Process {
    pub store: Store,
    /// It is within a call of `sync`, which waits for the wire.
    pub syncing: AtomicBool,
}

pub struct Device {
    pub name: String,
    path: PathBuf,
    pub disk: Disk,
    pub machine: Arc<Machine>,
    plan: Plan,
    user: AtomicU64,
    pub link: Mutex<Link>,
    processes: Mutex<Vec<Arc<Process>>>,
    inspector: Mutex<Option<rusqlite::Connection>>,
    /// Calls of `sync` that are on their way.
    pub frames: AtomicU32,
    /// The step at which it is switched on again, while it is off.
    pub off_until: AtomicU32,
    told: Mutex<Told>,
    backup: Mutex<Option<(Image, Told)>>,
    /// It was not opened since the last stop.
    unchecked: AtomicBool,
    /// The last stop took what was not on the disk.
    lost_power: AtomicBool,
}

/// What a host was told of its operations.
#[derive(Clone, Debug, Default)]
struct Told {
    ops: BTreeMap<Ref, Op>,
    /// Writes that failed in such a way that nobody knows whether they were stored.
    limbo: usize,
}

#[derive(Clone, Debug)]
struct Op {
    item: Item,
    fate: Option<Fate>,
    /// It left the outbox with that fate.
    settled: bool,
}

impl Op {
    fn new(item: Item) -> Op {
        Op { item, fate: None, settled: false }
    }

    /// As nobody had ever told anything of it.
    fn reopen(&mut self) {
        (self.fate, self.settled) = (None, false);
    }
}

/// What became of an operation for good.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Accepted(Seq),
    Rejected(Code, Option<Seq>),
    Folded(Ref),
    Undone,
}

impl Device {
    pub fn new(index: usize, directory: &std::path::Path, plan: &Plan, disk: Disk, machine: Arc<Machine>) -> Device {
        Device {
            name: format!("d{index}"),
            path: directory.join(format!("d{index}.db")),
            disk,
            machine,
            plan: plan.clone(),
            user: AtomicU64::new(index as u64 % plan.users),
            link: Mutex::default(),
            processes: Mutex::default(),
            inspector: Mutex::default(),
            frames: AtomicU32::new(0),
            off_until: AtomicU32::new(0),
            told: Mutex::default(),
            backup: Mutex::default(),
            unchecked: AtomicBool::new(false),
            lost_power: AtomicBool::new(false),
        }
    }

    pub fn user(&self) -> u64 {
        self.user.load(Ordering::Relaxed)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("no panic while a device's memory is held")
    }

    pub fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().expect("no panic while a link is held")
    }

    fn inspector(&self) -> MutexGuard<'_, Option<rusqlite::Connection>> {
        self.inspector.lock().expect("no panic while a replica is inspected")
    }

    fn confirmed(&self) -> rusqlite::Result<inspect::Confirmed> {
        let mut inspector = self.inspector();
        let connection = match inspector.take() {
            Some(connection) => connection,
            None => inspect::open(&self.path, self.disk.name())?,
        };
        let confirmed = inspect::confirmed(&connection)?;
        *inspector = Some(connection);
        Ok(confirmed)
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
        options.retention = Retention { age: None, outcomes: None };
        // Everything on this thread.
        options.prefetch = false;
        options.retry = RetryPolicy::default().with_attempts(self.plan.attempts);
        let store = Store::open(&self.path, options)?;
        self.processes().push(Arc::new(Process { store, syncing: AtomicBool::new(false) }));
        Ok(())
    }

    /// Ends the last process, or all.
    pub fn close(&self, all: bool) {
        assert!(self.is_idle(), "a process ends while it syncs");
        *self.inspector() = None;
        let closed =
            if all { std::mem::take(&mut *self.processes()) } else { self.processes().pop().into_iter().collect() };
        drop(closed);
    }

    pub fn stop_after(&self, calls: u64, how: Stop) {
        self.lost_power.store(how == Stop::Power, Ordering::Relaxed);
        self.disk.stop_after(calls, how);
    }

    /// Whether it stopped, and is waiting to be switched on.
    pub fn is_stopped(&self) -> bool {
        self.disk.is_stopped()
    }

    /// Switches it on again after a stop.
    pub fn restart(&self) {
        self.close(true);
        self.unchecked.store(true, Ordering::Relaxed);
        self.disk.restart();
    }

    /// What a host finds that opens the replica after a stop.
    pub fn check_after_stop(&self, server: &Server) {
        let Some(process) = self.process(0).filter(|_| self.unchecked.swap(false, Ordering::Relaxed)) else { return };
        // What was lost can be told now, and not later.
        self.disk.heal();
        let may_lose = self.lost_power.swap(false, Ordering::Relaxed) && self.plan.durability == Durability::Normal;
        let mut told = self.told();
        if may_lose {
            // What was settled may be unsettled again, and is settled in the same way later.
            told.ops.values_mut().for_each(Op::reopen);
            let seen = |op_ref: &Ref| server.with_history(|_, judge| judge.seen.contains(op_ref));
            let mut first_lost: Option<Ref> = None;
            let mut lost = Vec::new();
            for op_ref in told.ops.keys() {
                let Some(outcome) = self.read(process.store.outcome(*op_ref)) else { return };
                let kept = outcome.is_some();
                if kept {
                    assert!(first_lost.is_none(), "{op_ref} was kept, and {first_lost:?} before it was not");
                } else {
                    // Another copy of the file may have sent it.
                    let sent = seen(op_ref) && !self.plan.shares_files();
                    assert!(!sent, "{op_ref} was sent, and the power loss took it");
                    first_lost.get_or_insert(*op_ref);
                    lost.push(*op_ref);
                }
            }
            for op_ref in lost {
                told.ops.remove(&op_ref);
            }
        }
        drop(told);
        self.check_outcomes(server, false);
        self.check_report(&process.store);
    }

    /// Remembers what a write was answered.
    pub fn tell(&self, op_ref: Ref, collection: &str, key: &str) {
        let item = (collection.to_owned(), key.to_owned());
        let earlier = self.told().ops.insert(op_ref, Op::new(item));
        assert!(earlier.is_none(), "{op_ref} was given out twice");
    }

    /// Remembers that nobody knows whether a write was stored.
    pub fn tell_limbo(&self, ops: usize) {
        self.told().limbo += ops;
    }

    /// Every operation that the replica has is one that the host made.
    fn adopt(&self, told: &mut Told, store: &Store) {
        for op in self.read(store.pending()).unwrap_or_default() {
            if !told.ops.contains_key(&op.op_ref) {
                assert!(told.limbo > 0, "{}: {} waits, and nobody made it", self.name, op.op_ref);
                told.limbo -= 1;
                told.ops.insert(op.op_ref, Op::new((op.collection, op.key)));
            }
        }
    }

    /// What was read, unless the disk failed just now, as it was to.
    fn read<T>(&self, read: Result<T, Error>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(_) if self.is_stopped() || self.disk.faults() > 0 => None,
            Err(error) => panic!("{}: the replica cannot be read: {error}", self.name),
        }
    }

    /// Whether every operation has an outcome, the same as before, and the one that the server gave it.
    pub fn check_outcomes(&self, server: &Server, settled: bool) {
        let Some(process) = self.process(0) else { return };
        let told = &mut *self.told();
        self.adopt(told, &process.store);
        self.check_places(server, &process.store, told);
        let name = &self.name;
        let restored = server.with_history(|lineages, _| lineages.len() > 1);
        let items: BTreeMap<Ref, Item> = told.ops.iter().map(|(op_ref, op)| (*op_ref, op.item.clone())).collect();
        let Some(pending) = self.read(process.store.pending()) else { return };
        let waiting: BTreeSet<Ref> = pending.iter().map(|op| op.op_ref).collect();
        for (op_ref, op) in &mut told.ops {
            let Some(outcome) = self.read(process.store.outcome(*op_ref)) else { return };
            let outcome = outcome.unwrap_or_else(|| panic!("{name}: {op_ref} was stored, and is forgotten"));
            let fate = match outcome {
                Outcome::Queued | Outcome::InFlight => {
                    assert!(!settled, "{name}: {op_ref} is not settled: {outcome:?}");
                    // What was only answered is asked again when the replica is loaded anew; what was settled, never.
                    assert!(!op.settled, "{name}: {op_ref} was {:?} and is open again", op.fate);
                    continue;
                }
                Outcome::Accepted { seq } => Fate::Accepted(seq),
                Outcome::Rejected(why) => Fate::Rejected(why.code, why.seq),
                Outcome::FoldedInto(into) => Fate::Folded(into),
                Outcome::Undone { .. } => Fate::Undone,
                other => panic!("{name}: {op_ref} has the outcome {other:?}"),
            };
            op.settled |= !waiting.contains(op_ref);
            if op.fate.as_ref() == Some(&fate) {
                if settled {
                    server.with_history(|lineages, judge| self.check_fate(op_ref, &fate, lineages, judge, true));
                }
                continue;
            }
            let corrected = match (&op.fate, &fate) {
                (None, _) => true,
                _ if restored => true,
                // The log has the last word on what was undone, or refused by nobody's log.
                (Some(Fate::Undone | Fate::Rejected(_, None)), Fate::Accepted(_)) => true,
                (Some(_), Fate::Rejected(code, None)) => *code == Code::EXPIRED,
                _ => false,
            };
            assert!(corrected, "{name}: {op_ref} was {:?} and is now {fate:?}", op.fate);
            if let Fate::Folded(into) = &fate {
                let same = into < op_ref && items.get(into) == Some(&op.item);
                assert!(same, "{name}: {op_ref} became part of {into}");
            } else {
                server.with_history(|lineages, judge| self.check_fate(op_ref, &fate, lineages, judge, settled));
            }
            op.fate = Some(fate);
        }
    }

    /// An operation waits for as long as its entry is above the replica's position, and no longer.
    fn check_places(&self, server: &Server, store: &Store, told: &Told) {
        let read = || Ok((store.pending()?, store.position()?, store.bootstrap_progress()?));
        let Some((pending, position, bootstrap)) = self.read(read()) else { return };
        let lives = server.with_history(|lineages, _| lineages.len());
        if lives > 1 || self.plan.shares_files() {
            return;
        }
        for (op_ref, op) in &told.ops {
            let waits = pending.iter().any(|pending| pending.op_ref == *op_ref);
            let at =
                server.with_history(|lineages, _| lineages.last().and_then(|last| last.accepted.get(op_ref).copied()));
            let name = &self.name;
            if waits && bootstrap.is_none() {
                // One that the server merged, and whose answer was lost, waits for the answer of its repetition; so does
                // one whose repetition into a new checkpoint waits behind another that the server has forgotten.
                let repeats = op.item.0 == "merged" || self.plan.mischief.forget > 0;
                let late = at.is_some_and(|at| at <= position) && !repeats;
                assert!(!late, "{name}: {op_ref} is in the log at {at:?}, below {position}, and still waits");
            } else if let (false, Some(Fate::Accepted(seq))) = (waits, &op.fate) {
                assert!(*seq <= position, "{name}: {op_ref} waits no more for {seq}, and the replica is at {position}");
            }
        }
    }

    /// `last`: what is said must be so in the present life of the log, not in any.
    fn check_fate(&self, op_ref: &Ref, fate: &Fate, lineages: &[Lineage], judge: &Judge, last: bool) {
        let name = &self.name;
        let present = lineages.last().expect("there is always one");
        match fate {
            Fate::Accepted(seq) => {
                let has = |lineage: &Lineage| match lineage.accepted.get(op_ref) {
                    Some(at) => at == seq,
                    None => judge.deletes.contains(op_ref) && !lineage.log.contains_key(seq) && lineage.may_hold(*seq),
                };
                let answered = || judge.answered.get(op_ref) == Some(seq);
                let said = if last { has(present) } else { lineages.iter().any(has) || answered() };
                assert!(said, "{name}: {op_ref} is said to be accepted at {seq}, and the log does not have it there");
            }
            Fate::Rejected(code, seq) => {
                if let (Some(seq), true) = (seq, last)
                    && present.may_hold(*seq)
                    && lineages.len() == 1
                {
                    let decided = judge.decided(op_ref);
                    let same = decided == Some(&Decided::Rejected(code.clone(), Some(*seq)));
                    assert!(same || decided.is_none(), "{name}: {op_ref} is {fate:?}; the server said {decided:?}");
                }
                let expected = *code == Code::NOT_FOUND
                    || *code == Code::PATCH_FAILED
                    || *code == Code::STALE
                    || *code == Code::BATCH_FAILED
                    || *code == Code::EXPIRED && (self.plan.mischief.clock > 0 || self.plan.mischief.forget > 0)
                    || *code == Code::REF_REUSED && self.plan.shares_files();
                assert!(expected, "{name}: {op_ref} was rejected as {code}");
                // What another copy of the file has pulled past is forgotten, and cannot be told again; nor can what was
                // taken before a checkpoint that its sender takes longer to load than the server keeps outcomes.
                let unknown = *code == Code::REF_REUSED || *code == Code::EXPIRED;
                if last && !unknown && lineages.len() == 1 {
                    assert!(!present.accepted.contains_key(op_ref), "{name}: {op_ref} is {fate:?}, and in the log");
                }
            }
            Fate::Undone => {
                assert!(lineages.len() > 1, "{name}: {op_ref} is undone, and no log was ever lost");
            }
            Fate::Folded(_) => {}
        }
    }

    /// What is confirmed is what the log says at the replica's position, in one of its lives, as a whole.
    pub fn check_confirmed(&self, server: &Server) {
        if self.is_stopped() || self.open_processes() == 0 {
            return;
        }
        let confirmed = match self.confirmed() {
            Ok(confirmed) => confirmed,
            Err(_) if self.is_stopped() || self.disk.faults() > 0 => return,
            Err(error) => panic!("{}: the replica cannot be read: {error}", self.name),
        };
        let position = confirmed.position;
        if !confirmed.has_cursor {
            assert!(confirmed.items.is_empty() && position == 0, "{}: items before any checkpoint", self.name);
            return;
        }
        let down = server.is_down();
        server.with_history(|lineages, _| {
            if down && lineages.iter().all(|lineage| position > lineage.head) {
                // The server stopped before anybody else could read what this replica has read.
                return;
            }
            let same = |lineage: &Lineage| {
                let items = lineage.all_at(position);
                items.len() == confirmed.items.len()
                    && confirmed.items.iter().all(|(item, (value, rev))| items.get(item) == Some(&(value, *rev)))
            };
            let held: Vec<&Lineage> = lineages.iter().filter(|lineage| lineage.may_hold(position)).collect();
            if !held.iter().any(|lineage| same(lineage)) {
                let name = &self.name;
                let differences: Vec<String> = held.iter().map(|lineage| differences(&confirmed, lineage)).collect();
                panic!("{name} differs from the server at {position}: {differences:?}");
            }
            let cut = held.iter().all(|lineage| lineage.cuts_batch(position));
            assert!(!cut, "{} stands at {position}, within a batch", self.name);
        });
    }

    /// The store's own check of its file.
    pub fn check_report(&self, store: &Store) {
        let faults = self.disk.faults();
        let Some(report) = self.read(store.check()) else { return };
        if self.is_stopped() || self.disk.faults() > faults {
            return;
        }
        assert!(report.is_ok(), "{}: {}", self.name, report.to_json());
    }

    /// Keeps what the device is now for a later [`Device::restore_backup`].
    pub fn back_up(&self) {
        *self.backup.lock().expect("no panic while a backup is held") = Some((self.disk.image(), self.told().clone()));
    }

    /// Becomes what it was at its last backup; false: there is none.
    pub fn restore_backup(&self) -> bool {
        let backup = self.backup.lock().expect("no panic while a backup is held").take();
        let Some((image, mut told)) = backup else { return false };
        self.close(true);
        self.disk.restore(&image);
        told.ops.values_mut().for_each(Op::reopen);
        *self.told() = told;
        true
    }

    /// Becomes a copy of another device.
    pub fn become_copy_of(&self, other: &Device) {
        let image = other.disk.image();
        self.close(true);
        self.disk.restore(&image.renamed(&other.path, &self.path));
        *self.told() = other.told().clone();
        self.told().ops.values_mut().for_each(Op::reopen);
        *self.backup.lock().expect("no panic while a backup is held") = None;
        self.user.store(other.user(), Ordering::Relaxed);
    }

    pub fn settle_in(&self, lineages: &[Lineage], items: &BTreeMap<Item, serde_json::Value>) {
        let process = self.process(0).expect("a healed device runs");
        let pending = process.store.pending().expect("a healed device reads");
        assert!(pending.is_empty(), "{}: {pending:?} are left", self.name);
        let head = lineages.last().expect("there is always one").head;
        assert_eq!(process.store.position().expect("a healed device reads"), head, "{} is not at the head", self.name);
        let mut view = BTreeMap::new();
        for collection in process.store.collections().expect("a healed device reads") {
            let listed = process.store.list(&collection, &syncstore::KeyRange::all()).expect("a healed device reads");
            for item in listed.iter() {
                view.insert((collection.clone(), item.key.to_owned()), item.to().expect("JSON"));
            }
        }
        assert_eq!(&view, items, "{} reads something else than the server has", self.name);
    }
}

/// The items that differ, as the replica and the log have them.
fn differences(confirmed: &inspect::Confirmed, lineage: &Lineage) -> String {
    let expected = lineage.all_at(confirmed.position);
    let items: BTreeSet<&Item> = confirmed.items.keys().chain(expected.keys().copied()).collect();
    let differing = items.into_iter().filter_map(|item| {
        let has = confirmed.items.get(item).map(|(value, rev)| (value, *rev));
        let should = expected.get(item).copied();
        (has != should).then(|| format!("{item:?} is {has:?}, the log has {should:?}"))
    });
    differing.collect::<Vec<_>>().join("; ")
}
