//! The end of a world: nothing goes wrong any more, and everything comes to be everywhere.

use crate::device::Device;
use crate::network::{Link, Way};
use crate::rights::Sight;
use crate::world::World;
use std::sync::atomic::Ordering;
use std::time::Duration;
use syncstore::Filter;

/// In so many rounds of syncing everything is everywhere, once nothing goes wrong any more.
const MOST_ROUNDS: u32 = 7;

/// In so many more what hosts and resolvers make of their conflicts is everywhere, too: each causes another at most once.
const MOST_RESOLVING: u32 = 5;

/// As long as the server waits for the rest of a batch, and a day.
const GIVEN_UP: Duration = Duration::from_secs(8 * 24 * 3600);

impl World {
    /// Everything goes right from here on, and in a few rounds everything is everywhere.
    pub fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
        self.trace(format_args!("healed"));
        self.server.disk.heal();
        self.server.machine.set_ahead(0);
        self.server.set_room(true);
        if self.server.is_down() {
            self.server.restart(None);
        }
        for (index, device) in self.devices.iter().enumerate() {
            device.disk.heal();
            device.machine.set_ahead(0);
            // Small requests may stay: a server, or what is before it, takes no larger ones.
            let most_ops = device.link().most_ops;
            *device.link() = Link { most_ops, ..Link::default() };
            if device.is_stopped() {
                self.switch_on(index);
            }
            while device.open_processes() > 1 {
                device.close(false);
            }
            if device.open_processes() == 0 {
                self.start(device);
            }
        }
        let mut rounds = MOST_ROUNDS;
        let mut round = 0;
        // A batch that was half there when a backup was made, and settled before the restore, holds back its
        // items until it expires; so does what a new client id sends of one that the old one had settled.
        // And so does the rest of one of which nobody knows any more that it failed.
        let waits = self.plan.shares_files()
            || self.plan.mischief.forget > 0
            || self.plan.mischief.server_clock > 0
            // Nor may it have been told that the rest of one was given up.
            || self.plan.mischief.offence > 0
            || self.server.with_history(|lineages, _| lineages.len() > 1);
        while round < rounds {
            if waits && (round == 2 || round == 4) {
                // And what came while the server's clock was ahead is given up that much later.
                self.clock.advance(GIVEN_UP + self.server.most_ahead());
                self.server.prune();
            }
            if round == 1 && self.plan.deals > 0 {
                self.devices.iter().for_each(|device| {
                    let process = device.process(0).expect("a healed device runs");
                    device.deal_with_all(&process.store);
                });
            }
            for index in 0..self.devices.len() {
                if round < 2 {
                    self.deliver_late();
                }
                self.sync_healed(index);
            }
            round += 1;
            let resolves = self.plan.deals > 0 || self.devices.iter().any(Device::decides);
            if round == rounds && resolves && rounds < MOST_ROUNDS + MOST_RESOLVING && !self.is_quiet() {
                rounds += 1;
                self.count("rounds more");
            }
            while round == 2 && !self.late.lock().expect("no panic while the post is held").is_empty() {
                self.deliver_late();
            }
        }
        for user in std::iter::once(None).chain((0..self.plan.users).map(Some)) {
            let sight = user.map_or(Sight::ALL, |user| self.server.rights(user).sight);
            let items = self.server.with_history(|lineages, _| {
                let last = lineages.last().expect("there is always one");
                let items = last.all_at(last.head, &sight, &Filter::everything()).into_iter();
                items.map(|(item, (whole, _))| (item.clone(), whole.clone())).collect()
            });
            assert_eq!(self.server.items(user), items, "a checkpoint for {user:?} is not what the log makes");
        }
        self.server.with_history(|_, judge| judge.arrivals.check_batches());
        for device in &self.devices {
            device.check_outcomes(&self.server, true);
            device.check_confirmed(&self.server);
            let sight = self.server.rights(device.user()).sight;
            let knowledge = self.server.knowledge(device.user());
            self.server.with_history(|lineages, _| device.settle_in(lineages, &sight, &knowledge));
            let process = device.process(0).expect("a healed device runs");
            device.check_report(&process.store);
            device.take_all_notices(&process.store);
            if device.always_decides() {
                let open = process.store.conflicts().expect("a healed device reads");
                assert!(open.is_empty(), "{}: {open:?} are open, and the resolver decides", device.name);
            }
        }
    }

    /// Whether everything is everywhere.
    fn is_quiet(&self) -> bool {
        let head = self.server.with_history(|lineages, _| lineages.last().map_or(0, |last| last.head));
        self.devices.iter().all(|device| {
            let process = device.process(0).expect("a healed device runs");
            let pending = process.store.pending().expect("a healed device reads");
            pending.is_empty() && process.store.position().expect("a healed device reads") == head
        })
    }

    fn sync_healed(&self, index: usize) {
        let device = &self.devices[index];
        let process = device.process(0).expect("a healed device runs");
        device.check_view(&process.store);
        let result = process.store.sync(&Way::new(self, index));
        (0..device.learn_decisions(&process.store)).for_each(|_| self.count("conflicts resolved by a resolver"));
        self.tell_result(device, "sync", &result);
        if let Err(error) = result {
            panic!("{}: nothing is wrong any more, and still: {error}", device.name);
        }
        device.check_confirmed(&self.server);
        device.check_kept(&process.store, true);
    }
}
