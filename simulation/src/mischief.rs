//! What goes wrong, other than on the wire.

use crate::device::Device;
use crate::disk::{Fault, Stop};
use crate::offence::Offence;
use crate::workload;
use crate::world::World;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What ends a trouble.
#[derive(Clone, Copy, Debug)]
pub enum Repair {
    DeviceDisk(usize),
    ServerDisk,
    ServerRoom,
}

impl World {
    /// Something goes wrong, perhaps; whether it did.
    pub fn mischief(&self, index: usize, nested: bool) -> bool {
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
            match self.below(6) {
                0 => {
                    device.kill_at_sync(1 + self.below(4));
                    "kills at a sync"
                }
                1 | 2 => {
                    device.stop_after(self.crash_far(), Stop::Process);
                    "kills"
                }
                _ => {
                    device.stop_after(self.crash_far(), Stop::Power);
                    "power losses"
                }
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
            device.machine.set_ahead(self.any_lead(&[HOUR, 2 * DAY, 100 * DAY, 5 * 365 * DAY]));
            "clock jumps"
        } else if is(plan.server_clock) {
            self.server.machine.set_ahead(self.any_lead(&[HOUR, 2 * DAY, 100 * DAY]));
            "server's clock jumps"
        } else if is(plan.server_crash) {
            if self.server.is_down() {
                return true;
            }
            if self.plan.harsh && self.random().percent(40) {
                let fault = *self.random().pick(&[Fault::Io, Fault::Full, Fault::ShortWrite, Fault::ShortRead]);
                self.server.disk.fail_after(self.below(120), fault);
                "server's disk faults"
            } else {
                match self.below(6) {
                    0 | 1 => self.server.kill_at_sync(1 + self.below(3)),
                    2 | 3 => self.server.stop_after(self.below(120), Stop::Process),
                    _ => self.server.stop_after(self.below(120), Stop::Power),
                }
                "server crashes"
            }
        } else if is(plan.server_restore) {
            let is_down = self.server.is_down();
            if (nested || is_down) && !self.plan.harsh {
                return true;
            }
            if self.random().percent(40) && self.server.restore() {
                "server restored"
            } else if is_down {
                return true;
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
        } else if is(plan.rights) {
            let user = self.below(self.plan.users);
            let rights = self.server.rights(user).changed(&mut self.random());
            self.trace(format_args!("user{user} has {rights:?}"));
            self.server.set_rights(user, rights);
            "rights changed"
        } else if is(plan.small_requests) {
            let most = Some(5 + self.below(3) as usize);
            let mut link = device.link();
            link.most_ops = if link.most_ops.is_some() { None } else { most };
            "small requests"
        } else if is(plan.offence) {
            let item = workload::any_item(self.plan.keys, &mut self.random());
            let until = for_a_while + self.below(30) as u32;
            let offence = Offence::any(&mut self.random(), item, until);
            device.link().offence = Some(offence);
            "offences"
        } else if is(plan.no_room) {
            if nested || self.server.is_down() {
                return true;
            }
            self.server.set_room(false);
            self.later(for_a_while, Repair::ServerRoom);
            "databases without room"
        } else {
            return false;
        };
        self.count(what);
        self.trace(format_args!("{}: {what}", device.name));
        true
    }

    /// What was answered is not heard, and it is long before anybody asks again: the server may forget what it may.
    pub fn perhaps_long_after(&self) {
        let forgets = self.plan.mischief.forget > 0 && !self.is_healed();
        if forgets && self.random().percent(10) {
            self.count("forgotten logs");
            self.trace(format_args!("long after"));
            self.clock.advance(200 * DAY);
            self.server.prune();
        }
    }

    /// How far a clock that jumps is ahead then, or behind, in milliseconds; it may be right again.
    fn any_lead(&self, fars: &[Duration]) -> i64 {
        let far = *self.random().pick(fars);
        let ahead = self.below(2 * far.as_millis() as u64) as i64 - far.as_millis() as i64;
        if self.random().percent(30) { 0 } else { ahead }
    }

    /// So many I/O calls later.
    fn crash_far(&self) -> u64 {
        let far = if self.random().percent(50) { 30 } else { 300 };
        self.below(far)
    }

    fn later(&self, step: u32, repair: Repair) {
        self.repairs.lock().expect("no panic while repairing").push((step, repair));
    }

    /// Copies a replica over another device's; false: this cannot be done now.
    fn copy(&self, from: usize) -> bool {
        let (first, second) = (from, self.below(self.devices.len() as u64) as usize);
        let (from, to) = (&self.devices[first], &self.devices[second]);
        if from.name == to.name || from.is_stopped() || to.is_stopped() || from.open_processes() == 0 {
            return false;
        }
        self.trace(format_args!("{} becomes a copy of {}", to.name, from.name));
        to.become_copy_of(from);
        self.start(to);
        if self.random().percent(50) {
            self.fold_apart(first, second);
        }
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
            self.late
                .lock()
                .expect("no panic while the post is held")
                .retain(|late| late.sender != device.name || late.request.push().is_none());
            self.start(device);
            return true;
        }
        device.back_up();
        false
    }
}
