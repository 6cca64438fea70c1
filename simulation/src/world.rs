//! A world: its machines, what happens in it step by step, and what must hold in the end.

use crate::clock::{Clock, Machine};
use crate::device::{Device, Process};
use crate::disk::{Disk, Stop};
use crate::mischief::Repair;
use crate::network::{Late, Request, Way};
use crate::plan::Plan;
use crate::random::Random;
use crate::server::Server;
use crate::trace::Trace;
use crate::workload;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use syncstore::protocol::OpKind;
use syncstore::{BootstrapReason, Error, PendingOp, ResourceName, SyncError, SyncReport};

/// How deep calls that are under way may be within one another.
const DEEPEST: u32 = 2;

/// The most that happens within the calls of one step.
const MOST_INTERLUDES: u32 = 20;

/// What a sync does.
enum Direction {
    Push,
    Pull,
    Both,
}

/// What came of a world.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// Equal for runs in which the same things happened.
    pub fingerprint: u64,
    /// How often each thing happened.
    pub counts: BTreeMap<&'static str, u64>,
}

pub struct World {
    pub plan: Plan,
    directory: String,
    trace: Arc<Trace>,
    pub clock: Arc<Clock>,
    random: Mutex<Random>,
    pub server: Server,
    pub devices: Vec<Device>,
    pub late: Mutex<Vec<Late>>,
    pub repairs: Mutex<Vec<(u32, Repair)>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    pub marks: AtomicU64,
    step: AtomicU32,
    depth: AtomicU32,
    /// Things that happened within the present step's calls.
    interludes: AtomicU32,
    pub healed: AtomicBool,
}

/// Plays a plan to its end; panics at the first promise that is broken.
pub fn run(plan: &Plan, trace: &Arc<Trace>) -> Story {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let world = World::new(plan, trace, directory.path());
    for step in 0..plan.steps {
        world.step.store(step, Ordering::Relaxed);
        world.interludes.store(0, Ordering::Relaxed);
        world.tend();
        world.act(false);
        world.look_around();
    }
    world.heal();
    let counts = std::mem::take(&mut *world.counts());
    Story { fingerprint: trace.fingerprint(), counts }
}

impl World {
    fn new(plan: &Plan, trace: &Arc<Trace>, directory: &std::path::Path) -> World {
        let mut random = Random::new(plan.seed);
        let clock = Arc::new(Clock::default());
        let machine = Machine::new(&clock, random.split());
        let server = Server::new(directory.join("server"), plan, machine, &mut random);
        let devices = (0..plan.replicas).map(|index| {
            let machine = Machine::new(&clock, random.split());
            Device::new(index, directory, plan, Disk::new(random.next()), machine)
        });
        let devices = devices.collect();
        let world = World {
            plan: plan.clone(),
            directory: directory.display().to_string(),
            trace: Arc::clone(trace),
            clock,
            random: Mutex::new(random),
            server,
            devices,
            late: Mutex::default(),
            repairs: Mutex::default(),
            counts: Mutex::default(),
            marks: AtomicU64::new(1),
            step: AtomicU32::new(0),
            depth: AtomicU32::new(0),
            interludes: AtomicU32::new(0),
            healed: AtomicBool::new(false),
        };
        world.trace(format_args!("{plan:?}"));
        for device in &world.devices {
            device.open().expect("a new replica opens");
        }
        world
    }

    /// Adds a line to the trace; what differs from run to run must not be in it.
    pub fn trace(&self, line: fmt::Arguments<'_>) {
        self.trace.line(format_args!("{} {line}", self.now()));
    }

    /// A text in which nothing differs from run to run.
    pub fn without_directory(&self, text: &str) -> String {
        text.replace(&self.directory, "")
    }

    fn trace_error(&self, what: fmt::Arguments<'_>, error: &Error) {
        let error = self.without_directory(&error.to_string());
        self.trace(format_args!("{what}: {error}"));
    }

    pub fn random(&self) -> MutexGuard<'_, Random> {
        self.random.lock().expect("no panic while drawing")
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.counts.lock().expect("no panic while counting")
    }

    pub fn count(&self, what: &'static str) {
        *self.counts().entry(what).or_default() += 1;
    }

    /// The number of the step.
    pub fn now(&self) -> u32 {
        self.step.load(Ordering::Relaxed)
    }

    pub fn is_healed(&self) -> bool {
        self.healed.load(Ordering::Relaxed)
    }

    /// Takes a request that arrives later.
    pub fn post(&self, late: Late) {
        self.late.lock().expect("no panic while the post is held").push(late);
    }

    pub fn below(&self, bound: u64) -> u64 {
        self.random().below(bound)
    }

    /// What others do while a request or its answer is under way.
    pub fn interlude(&self) {
        let depth = self.depth.load(Ordering::Relaxed);
        if depth >= DEEPEST || self.is_healed() || !self.random().permille(self.plan.wire.interlude) {
            return;
        }
        self.depth.store(depth + 1, Ordering::Relaxed);
        if self.plan.harsh && self.server.is_down() && self.random().percent(30) {
            self.start_server();
        }
        for _ in 0..1 + self.below(3) {
            // Or others write faster than a replica with small pages can read, and its call never ends.
            if self.interludes.fetch_add(1, Ordering::Relaxed) < MOST_INTERLUDES {
                self.act(true);
            }
        }
        self.depth.store(depth, Ordering::Relaxed);
    }

    /// Switches on what was off long enough, and ends troubles whose time has come.
    fn tend(&self) {
        self.clock.advance(Duration::from_millis(self.below(2_000)));
        let now = self.now();
        let due: Vec<Repair> = {
            let mut repairs = self.repairs.lock().expect("no panic while repairing");
            let (due, later) = repairs.drain(..).partition(|(at, _)| *at <= now);
            *repairs = later;
            due.into_iter().map(|(_, repair): (u32, Repair)| repair).collect()
        };
        due.into_iter().for_each(|repair| self.repair(repair));
        if self.server.is_down() && self.random().percent(40) {
            self.start_server();
        }
        for (index, device) in self.devices.iter().enumerate() {
            if device.is_stopped() {
                let until = device.off_until.load(Ordering::Relaxed);
                if until == 0 {
                    device.off_until.store(now + 1 + self.below(6) as u32, Ordering::Relaxed);
                } else if until <= now {
                    self.switch_on(index);
                }
            } else if device.open_processes() == 0 {
                self.start(device);
            }
        }
    }

    fn start_server(&self) {
        self.trace(format_args!("the server starts again"));
        let again = self.stop_again();
        self.server.restart(again);
        // What it is then asked for must be on the disk when the power fails.
        if again.is_none() && self.server.take_unsynced() && self.random().percent(60) {
            self.server.stop_after(1 + self.below(20), Stop::Power);
        }
    }

    /// How soon a machine that comes back stops again, if it does: before it has recovered, perhaps.
    fn stop_again(&self) -> Option<(u64, Stop)> {
        if !self.plan.harsh || self.is_healed() || !self.random().percent(15) {
            return None;
        }
        self.count("stops within a start");
        Some((1 + self.below(40), *self.random().pick(&[Stop::Process, Stop::Power])))
    }

    fn repair(&self, repair: Repair) {
        match repair {
            Repair::DeviceDisk(index) => self.devices[index].disk.set_capacity(None),
            Repair::ServerDisk => self.server.disk.set_capacity(None),
            Repair::ServerRoom => self.server.set_room(true),
        }
    }

    pub fn switch_on(&self, index: usize) {
        let device = &self.devices[index];
        self.trace(format_args!("{} is switched on", device.name));
        device.off_until.store(0, Ordering::Relaxed);
        self.trace(format_args!(
            "{} had {:?}",
            device.name,
            device.disk.files().iter().map(|f| f.1).collect::<Vec<_>>()
        ));
        device.restart();
        let unsynced = device.take_unsynced();
        if let Some((calls, how)) = self.stop_again() {
            device.stop_after(calls, how);
        }
        self.trace(format_args!(
            "{} has {:?}",
            device.name,
            device.disk.files().iter().map(|f| f.1).collect::<Vec<_>>()
        ));
        self.start(device);
        // What it then sends of what it finds must be on the disk when the power fails.
        if unsynced && !self.is_healed() && self.random().percent(70) {
            if self.random().percent(60)
                && let Some(process) = device.process(0)
            {
                self.sync(index, &process, Direction::Push);
            }
            device.stop_after(1 + self.below(60), Stop::Power);
        }
    }

    pub fn start(&self, device: &Device) {
        let faults = device.faults();
        match device.open() {
            Ok(()) => {
                device.check_after_stop(&self.server);
                device.check_confirmed(&self.server);
            }
            Err(error) => {
                self.trace_error(format_args!("{} does not open", device.name), &error);
                let another = matches!(error, Error::Busy) && device.open_processes() > 0;
                assert!(another || device.explains(&error, faults), "{} does not open: {error:?}", device.name);
            }
        }
    }

    /// One thing that happens. `nested`: while a call of some device is under way.
    fn act(&self, nested: bool) {
        let index = self.below(self.devices.len() as u64) as usize;
        let device = &self.devices[index];
        if self.mischief(index, nested) || device.is_stopped() {
            return;
        }
        let processes = device.open_processes() as u64;
        if processes == 0 {
            return;
        }
        let Some(process) = device.process(self.below(processes) as usize) else { return };
        if self.plan.partial && self.random().percent(4) {
            let mut random = self.random().split();
            let done = device.change_keep(&process.store, &mut random);
            self.count("filters changed");
            self.trace(format_args!("{} {}", device.name, self.without_directory(&done)));
            return self.look_at(device);
        }
        if self.plan.deals > 0 && self.random().percent(self.plan.deals) {
            self.deal(device, &process);
            return self.look_at(device);
        }
        match self.below(100) {
            0..58 => self.edit(device, &process),
            58..90 => {
                let direction = match self.below(10) {
                    0 | 1 => Direction::Push,
                    2 | 3 => Direction::Pull,
                    _ => Direction::Both,
                };
                self.sync(index, &process, direction);
            }
            90..95 => self.deliver_late(),
            _ if device.is_idle() => {
                let all = self.random().percent(50);
                self.trace(format_args!("{} ends a process", device.name));
                drop(process);
                device.close(all);
                if device.open_processes() == 0 {
                    self.start(device);
                }
            }
            _ => {}
        }
        self.look_at(device);
    }

    /// The replica that acted.
    fn look_at(&self, device: &Device) {
        if !device.is_stopped() {
            device.check_confirmed(&self.server);
            if self.random().percent(20) && !device.disk.has_faults() {
                device.check_outcomes(&self.server, false);
            }
        }
    }

    /// Every replica, whatever it was that acted.
    fn look_around(&self) {
        for device in self.devices.iter().filter(|device| !device.is_stopped() && device.open_processes() > 0) {
            if self.random().percent(10) {
                device.check_confirmed(&self.server);
            }
            if self.random().percent(3)
                && let Some(process) = device.process(0)
            {
                device.check_report(&process.store);
            }
        }
    }

    fn edit(&self, device: &Device, process: &Process) {
        let mut random = self.random().split();
        self.write(device, |mark| workload::edit(device, &process.store, &mut random, mark));
    }

    fn write(&self, device: &Device, write: impl FnOnce(u64) -> String) {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed);
        self.server.wrote(device.user(), mark);
        let done = write(mark);
        self.count("edits");
        self.trace(format_args!("{} {}", device.name, self.without_directory(&done)));
    }

    /// Each of two devices, one of them just made a copy of the other, sets what waits in both: where it folds into that,
    /// one ref is two operations. One pushes, and the other hears of it before it pushes.
    pub fn fold_apart(&self, first: usize, second: usize) {
        let devices = [first, second].map(|index| (index, &self.devices[index]));
        let Some(process) = devices[0].1.process(0) else { return };
        let Some(waiting) = devices[0].1.read(|| process.store.pending()) else { return };
        let sets = |op: &PendingOp| op.kind == OpKind::Set && op.resource == ResourceName::Value;
        let Some(item) = waiting.into_iter().find(sets).map(|op| (op.collection, op.key)) else { return };
        self.count("ops folded apart");
        for (_, device) in devices {
            if let Some(process) = device.process(0) {
                self.write(device, |mark| workload::overwrite(device, &process.store, &item, mark));
            }
        }
        for ((index, device), direction) in devices.into_iter().zip([Direction::Push, Direction::Pull]) {
            if let Some(process) = device.process(0) {
                self.sync(index, &process, direction);
            }
        }
    }

    fn sync(&self, index: usize, process: &Process, direction: Direction) {
        let device = &self.devices[index];
        if process.syncing.swap(true, Ordering::Relaxed) {
            return;
        }
        device.frames.fetch_add(1, Ordering::Relaxed);
        let (way, faults) = (Way::new(self, index), device.faults());
        let keeps = device.keeps.load(Ordering::Relaxed);
        let (what, result) = match direction {
            Direction::Push => ("push", process.store.push(&way)),
            Direction::Pull => ("pull", process.store.pull(&way)),
            Direction::Both => ("sync", process.store.sync(&way)),
        };
        device.frames.fetch_sub(1, Ordering::Relaxed);
        process.syncing.store(false, Ordering::Relaxed);
        self.count("syncs");
        (0..device.learn_decisions(&process.store)).for_each(|_| self.count("conflicts resolved by a resolver"));
        self.tell_result(device, what, &result);
        // What was changed meanwhile is the next call's.
        if result.is_ok() && device.keeps.load(Ordering::Relaxed) == keeps {
            device.check_kept(&process.store, what != "push");
        }
        if let Err(error) = &result {
            let explained = match error.error() {
                Error::Wire(error) => way.explains(error),
                Error::Diverged(_) => device.shares_file(),
                error => device.explains(error, faults),
            };
            assert!(explained, "{}: {:?}", device.name, error.error());
        }
    }

    pub fn tell_result(&self, device: &Device, what: &str, result: &Result<SyncReport, SyncError>) {
        let report = result.as_ref().unwrap_or_else(SyncError::report);
        if let Some(BootstrapReason::Diverged(why)) = &report.bootstrapped {
            assert!(device.shares_file(), "{} {what}: the replica and the server differ: {why}", device.name);
        }
        match result {
            Ok(report) => {
                if report.bootstrapped.is_some() {
                    self.count("checkpoints loaded");
                }
                let SyncReport { pushed, accepted, rejected, position, bootstrapped, .. } = report;
                self.trace(format_args!(
                    "{} {what}: {pushed} {accepted} {rejected} {position} {bootstrapped:?}",
                    device.name
                ));
            }
            Err(error) => {
                self.count("syncs that failed");
                self.trace_error(format_args!("{} {what}", device.name), error.error());
            }
        }
    }

    pub fn deliver_late(&self) {
        let late = {
            let mut late = self.late.lock().expect("no panic while the post is held");
            if late.is_empty() {
                return;
            }
            let at = self.below(late.len() as u64) as usize;
            late.swap_remove(at)
        };
        self.trace(format_args!("late from {}: {}", late.sender, late.request));
        // Nobody hears the answer, be it an error.
        match &late.request {
            Request::Info => unreachable!("a request for the limits is never late"),
            Request::Push(push) => {
                self.count("late requests");
                let _ = self.server.push(late.user, push);
            }
            Request::Pull(pull) => {
                self.count("late reads");
                let _ = self.server.pull(late.user, pull);
            }
            Request::Checkpoint(checkpoint) => {
                self.count("late reads");
                let _ = self.server.checkpoint(late.user, checkpoint);
            }
        }
    }
}
