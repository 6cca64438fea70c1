//! A world: its machines, what happens in it step by step, and what must hold in the end.

use crate::clock::{Clock, Machine};
use crate::device::{Device, Process};
use crate::disk::{Disk, Fault, Stop};
use crate::network::{Late, Link, Way};
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
use syncstore::wire::WireError;
use syncstore::{Error, SyncError, SyncReport};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How deep calls that are under way may be within one another.
const DEEPEST: u32 = 2;

/// The most that happens within the calls of one step.
const MOST_INTERLUDES: u32 = 20;

/// In so many rounds of syncing everything is everywhere, once nothing goes wrong any more.
const MOST_ROUNDS: u32 = 7;

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
    clock: Arc<Clock>,
    random: Mutex<Random>,
    pub server: Server,
    pub devices: Vec<Device>,
    late: Mutex<Vec<Late>>,
    repairs: Mutex<Vec<(u32, Repair)>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    marks: AtomicU64,
    step: AtomicU32,
    depth: AtomicU32,
    /// Things that happened within the present step's calls.
    interludes: AtomicU32,
    healed: AtomicBool,
}

/// What ends a trouble.
#[derive(Clone, Copy, Debug)]
enum Repair {
    DeviceDisk(usize),
    ServerDisk,
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

    fn trace_error(&self, what: fmt::Arguments<'_>, error: &Error) {
        let error = error.to_string().replace(&self.directory, "");
        self.trace(format_args!("{what}: {error}"));
    }

    pub fn random(&self) -> MutexGuard<'_, Random> {
        self.random.lock().expect("no panic while drawing")
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.counts.lock().expect("no panic while counting")
    }

    fn count(&self, what: &'static str) {
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

    fn below(&self, bound: u64) -> u64 {
        self.random().below(bound)
    }

    /// What others do while a request or its answer is under way.
    pub fn interlude(&self) {
        let depth = self.depth.load(Ordering::Relaxed);
        if depth >= DEEPEST || self.is_healed() || !self.random().permille(self.plan.wire.interlude) {
            return;
        }
        self.depth.store(depth + 1, Ordering::Relaxed);
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
            self.trace(format_args!("the server starts again"));
            self.server.restart();
        }
        for device in &self.devices {
            if device.is_stopped() {
                let until = device.off_until.load(Ordering::Relaxed);
                if until == 0 {
                    device.off_until.store(now + 1 + self.below(6) as u32, Ordering::Relaxed);
                } else if until <= now {
                    self.switch_on(device);
                }
            } else if device.open_processes() == 0 {
                self.start(device);
            }
        }
    }

    fn repair(&self, repair: Repair) {
        match repair {
            Repair::DeviceDisk(index) => self.devices[index].disk.set_capacity(None),
            Repair::ServerDisk => self.server.disk.set_capacity(None),
        }
    }

    fn switch_on(&self, device: &Device) {
        self.trace(format_args!("{} is switched on", device.name));
        device.off_until.store(0, Ordering::Relaxed);
        self.trace(format_args!(
            "{} had {:?}",
            device.name,
            device.disk.files().iter().map(|f| f.1).collect::<Vec<_>>()
        ));
        device.restart();
        self.trace(format_args!(
            "{} has {:?}",
            device.name,
            device.disk.files().iter().map(|f| f.1).collect::<Vec<_>>()
        ));
        self.start(device);
    }

    fn start(&self, device: &Device) {
        match device.open() {
            Ok(()) => {
                device.check_after_stop(&self.server);
                device.check_confirmed(&self.server);
            }
            Err(error) => {
                self.trace_error(format_args!("{} does not open", device.name), &error);
                self.expect_failure(device, &error);
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
        match self.below(100) {
            0..58 => self.edit(device, &process),
            58..90 => self.sync(index, &process),
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
        if !device.is_stopped() {
            device.check_confirmed(&self.server);
            if self.random().percent(20) && !device.disk.has_faults() {
                device.check_outcomes(&self.server, false);
            }
        }
    }

    fn edit(&self, device: &Device, process: &Process) {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed);
        let mut random = self.random().split();
        let done = workload::edit(device, &process.store, &mut random, self.plan.keys, mark);
        self.count("edits");
        self.trace(format_args!("{} {}", device.name, done.replace(&self.directory, "")));
    }

    fn sync(&self, index: usize, process: &Process) {
        let device = &self.devices[index];
        if process.syncing.swap(true, Ordering::Relaxed) {
            return;
        }
        device.frames.fetch_add(1, Ordering::Relaxed);
        let way = Way::new(self, index);
        let (what, result) = match self.below(10) {
            0 | 1 => ("push", process.store.push(&way)),
            2 | 3 => ("pull", process.store.pull(&way)),
            _ => ("sync", process.store.sync(&way)),
        };
        device.frames.fetch_sub(1, Ordering::Relaxed);
        process.syncing.store(false, Ordering::Relaxed);
        self.count("syncs");
        self.tell_result(device, what, &result);
    }

    fn tell_result(&self, device: &Device, what: &str, result: &Result<SyncReport, SyncError>) {
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
                self.expect_failure(device, error.error());
            }
        }
    }

    /// An error that nothing in this world explains is one too many.
    fn expect_failure(&self, device: &Device, error: &Error) {
        let mischief = &self.plan.mischief;
        let explained = match error {
            Error::Wire(WireError::Protocol(_)) => self.plan.wire.truncate > 0,
            Error::Wire(WireError::Refused { status, .. }) => *status == 413,
            Error::Wire(WireError::Setup(_)) => false,
            Error::Wire(WireError::Forbidden(_) | WireError::Unauthenticated(_)) => mischief.revoke > 0,
            Error::Wire(_) => true,
            Error::Busy | Error::SyncedElsewhere => mischief.second > 0,
            Error::DiskFull => mischief.disk_full > 0 || mischief.disk_fault > 0 || mischief.crash > 0,
            Error::Storage(_) => device.is_stopped() || mischief.disk_fault > 0 || mischief.crash > 0,
            Error::Diverged(_) => self.plan.shares_files(),
            _ => false,
        };
        assert!(explained, "{}: {error:?}", device.name);
    }

    fn deliver_late(&self) {
        let late = {
            let mut late = self.late.lock().expect("no panic while the post is held");
            if late.is_empty() {
                return;
            }
            let at = self.below(late.len() as u64) as usize;
            late.swap_remove(at)
        };
        let refs: String = late.request.ops.iter().map(|op| format!(" {}", op.op_ref)).collect();
        self.trace(format_args!("late from {}:{refs}", late.sender));
        self.count("late requests");
        // Nobody hears the answer, be it an error.
        let _ = self.server.push(late.user, &late.request);
    }

    /// Something goes wrong, perhaps; whether it did.
    fn mischief(&self, index: usize, nested: bool) -> bool {
        let device = &self.devices[index];
        let plan = &self.plan.mischief;
        let now = self.now();
        let mut draw = self.below(1_000) as u32;
        let mut is = |times: u32| {
            let it_is = draw < times;
            draw = if it_is { u32::MAX } else { draw - times };
            it_is
        };
        let for_a_while = now + 1 + self.below(12) as u32;
        let what = if is(plan.partition) {
            let way = self.below(3);
            let mut link = device.link();
            if way != 0 {
                link.requests_lost_until = for_a_while;
            }
            if way != 1 {
                link.answers_lost_until = for_a_while;
            }
            "partitions"
        } else if is(plan.crash) {
            if device.is_stopped() {
                return true;
            }
            let how = if self.random().percent(50) { Stop::Process } else { Stop::Power };
            let far = if self.random().percent(50) { 30 } else { 300 };
            device.stop_after(self.below(far), how);
            match how {
                Stop::Process => "kills",
                Stop::Power => "power losses",
            }
        } else if is(plan.second) {
            if device.is_stopped() || device.open_processes() != 1 {
                return true;
            }
            self.start(device);
            "second processes"
        } else if is(plan.disk_full) {
            device.disk.set_capacity(Some(device.disk.used() + self.below(20_000)));
            self.later(for_a_while, Repair::DeviceDisk(index));
            "full disks"
        } else if is(plan.disk_fault) {
            let fault = *self.random().pick(&[Fault::Io, Fault::Full, Fault::ShortWrite, Fault::ShortRead]);
            device.disk.fail_after(self.below(60), fault);
            "disk faults"
        } else if is(plan.copy) {
            if nested || !self.copy(index) {
                return true;
            }
            "copied files"
        } else if is(plan.own_backup) {
            if nested || !self.turn_back(device) {
                return true;
            }
            "replicas restored from a backup"
        } else if is(plan.revoke) {
            device.link().revoked_until = for_a_while;
            "revoked credentials"
        } else if is(plan.clock) {
            let far = *self.random().pick(&[HOUR, 2 * DAY, 100 * DAY, 5 * 365 * DAY]);
            let ahead = self.below(2 * far.as_millis() as u64) as i64 - far.as_millis() as i64;
            device.machine.set_ahead(if self.random().percent(30) { 0 } else { ahead });
            "clock jumps"
        } else if is(plan.server_crash) {
            if self.server.is_down() {
                return true;
            }
            let how = if self.random().percent(50) { Stop::Process } else { Stop::Power };
            self.server.stop_after(self.below(120), how);
            "server crashes"
        } else if is(plan.server_restore) {
            if nested || self.server.is_down() {
                return true;
            }
            if self.random().percent(40) && self.server.restore() {
                "server restored"
            } else {
                self.server.back_up();
                "server backups"
            }
        } else if is(plan.server_full) {
            self.server.disk.set_capacity(Some(self.server.disk.used() + self.below(20_000)));
            self.later(for_a_while, Repair::ServerDisk);
            "server's disk full"
        } else if is(plan.forget) {
            let far = *self.random().pick(&[HOUR, 2 * DAY, 20 * DAY, 200 * DAY]);
            self.clock.advance(far);
            self.server.prune();
            "forgotten logs"
        } else if is(plan.small_requests) {
            let most = Some(5 + self.below(3) as usize);
            let mut link = device.link();
            link.most_ops = if link.most_ops.is_some() { None } else { most };
            "small requests"
        } else {
            return false;
        };
        self.count(what);
        self.trace(format_args!("{}: {what}", device.name));
        true
    }

    fn later(&self, step: u32, repair: Repair) {
        self.repairs.lock().expect("no panic while repairing").push((step, repair));
    }

    /// Copies a replica over another device's; false: this cannot be done now.
    fn copy(&self, from: usize) -> bool {
        let to = self.below(self.devices.len() as u64) as usize;
        let (from, to) = (&self.devices[from], &self.devices[to]);
        if from.name == to.name || from.is_stopped() || to.is_stopped() || from.open_processes() == 0 {
            return false;
        }
        self.trace(format_args!("{} becomes a copy of {}", to.name, from.name));
        to.become_copy_of(from);
        self.start(to);
        true
    }

    /// Makes a backup of a device, or restores it.
    fn turn_back(&self, device: &Device) -> bool {
        if device.is_stopped() {
            return false;
        }
        if self.random().percent(50) && device.restore_backup() {
            // A request that outlives the restore brings operations that the replica knows nothing of any more: the
            // hole that no rule of the wire closes (docs/RELIABILITY.md).
            self.late.lock().expect("no panic while the post is held").retain(|late| late.sender != device.name);
            self.start(device);
            return true;
        }
        device.back_up();
        false
    }

    /// Everything goes right from here on, and in a few rounds everything is everywhere.
    fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
        self.trace(format_args!("healed"));
        self.server.disk.heal();
        if self.server.is_down() {
            self.server.restart();
        }
        for device in &self.devices {
            device.disk.heal();
            device.machine.set_ahead(0);
            // Small requests may stay: a server, or what is before it, takes no larger ones.
            let most_ops = device.link().most_ops;
            *device.link() = Link { most_ops, ..Link::default() };
            if device.is_stopped() {
                self.switch_on(device);
            }
            while device.open_processes() > 1 {
                device.close(false);
            }
            if device.open_processes() == 0 {
                self.start(device);
            }
        }
        for round in 0..MOST_ROUNDS {
            if round == 2 || round == 4 {
                // A batch that was half there when a backup was made, and settled before the restore, holds back its
                // items until it expires; so does what a new client id sends of one that the old one had settled.
                self.clock.advance(8 * DAY);
                self.server.prune();
            }
            for index in 0..self.devices.len() {
                if round < 2 {
                    self.deliver_late();
                }
                self.sync_healed(index);
            }
            while round == 1 && !self.late.lock().expect("no panic while the post is held").is_empty() {
                self.deliver_late();
            }
        }
        let items = self.server.with_history(|lineages, _| {
            let last = lineages.last().expect("there is always one");
            let items = last.all_at(last.head).into_iter();
            items.map(|(item, (value, _))| (item.clone(), value.clone())).collect()
        });
        assert_eq!(self.server.items(), items, "a checkpoint is not what the log makes");
        for device in &self.devices {
            device.check_outcomes(&self.server, true);
            device.check_confirmed(&self.server);
            self.server.with_history(|lineages, _| device.settle_in(lineages, &items));
            let process = device.process(0).expect("a healed device runs");
            device.check_report(&process.store);
        }
    }

    fn sync_healed(&self, index: usize) {
        let device = &self.devices[index];
        let process = device.process(0).expect("a healed device runs");
        let result = process.store.sync(&Way::new(self, index));
        self.tell_result(device, "sync", &result);
        if let Err(error) = result {
            panic!("{}: nothing is wrong any more, and still: {error}", device.name);
        }
        device.check_confirmed(&self.server);
    }
}
