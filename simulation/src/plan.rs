//! What a seed makes of a world: how many replicas, which settings, which faults and how often.

use crate::keeping::any_filter;
use crate::random::Random;
use crate::resolving::Habit;
use crate::rights::Rights;
use std::time::Duration;
use syncstore::protocol::Format;
use syncstore::{Durability, Filter};

/// Times in a thousand that a call of the wire meets each fault.
#[derive(Clone, Debug, Default)]
pub struct WireFaults {
    /// The request never arrives.
    pub lose_request: u32,
    /// The server does what was asked, and the answer never arrives.
    pub lose_answer: u32,
    /// The request arrives twice; either answer comes back.
    pub twice: u32,
    /// The request arrives at another time, behind later ones, and nobody hears the answer.
    pub late: u32,
    /// The answer is cut off somewhere.
    pub truncate: u32,
    /// 429 or 5xx, before or after the server did what was asked.
    pub unavailable: u32,
    /// Others do something while the request or its answer is under way.
    pub interlude: u32,
}

/// Times in a thousand that a step is each of these.
#[derive(Clone, Debug, Default)]
pub struct Mischief {
    /// A link carries nothing in one direction, or in both, for a while.
    pub partition: u32,
    /// A process is killed, or a device loses its power, some I/O calls later.
    pub crash: u32,
    /// A second process opens the replica.
    pub second: u32,
    /// A device's disk has no room left, for a while.
    pub disk_full: u32,
    /// One I/O call of a device fails.
    pub disk_fault: u32,
    /// A replica file is copied to another device.
    pub copy: u32,
    /// A device gets back what it was at its last backup.
    pub own_backup: u32,
    /// A credential is revoked, for a while.
    pub revoke: u32,
    /// A wall clock jumps.
    pub clock: u32,
    /// The server is killed, or loses its power, some I/O calls later.
    pub server_crash: u32,
    /// The server is restored from a backup.
    pub server_restore: u32,
    /// The server's disk has no room left, for a while.
    pub server_full: u32,
    /// Time passes, and the server forgets what it may.
    pub forget: u32,
    /// The server takes smaller requests, for a while.
    pub small_requests: u32,
    /// A user sees, or may assign, other tags from now on.
    pub rights: u32,
    /// What is between a device and the server takes offence at what is written on one item, for a while.
    pub offence: u32,
    /// The server's clock jumps.
    pub server_clock: u32,
    /// The server's database may have no more than it has, for a while.
    pub no_room: u32,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub replicas: usize,
    pub steps: u32,
    pub keys: usize,
    pub users: u64,
    /// Of each user.
    pub rights: Vec<Rights>,
    /// Users differ in what they see, from each other and from time to time.
    pub several_rights: bool,
    /// Edits in a hundred that are of index entries, relations and tags.
    pub resources: u32,
    /// Hosts declare a full-text search.
    pub searches: bool,
    /// Acts in a hundred in which a host deals with rejections, conflicts and notices.
    pub deals: u32,
    /// Replicas keep a part of the database, and their hosts change which.
    pub partial: bool,
    /// What each device keeps in the beginning.
    pub keeps: Vec<Filter>,
    /// How each device decides conflicts.
    pub habits: Vec<Habit>,
    /// Hosts listen to what becomes of operations and conflicts.
    pub listens: bool,
    /// And to what changes.
    pub watches: bool,
    pub format: Option<Format>,
    pub wire: WireFaults,
    pub mischief: Mischief,
    /// Machines come back, and are restored, while calls are under way; they stop again as they come back; and the server's disk fails, too.
    pub harsh: bool,
    /// Whether pulls and requests for checkpoints come late too.
    pub late_reads: bool,
    pub durability: Durability,
    pub coalescing: bool,
    pub attempts: u32,
    pub push_ops: u32,
    pub pull_entries: u32,
    pub checkpoint_items: u32,
    /// Entries that the server's log keeps.
    pub log_entries: u64,
    /// How long the server keeps the outcome of a ref.
    pub refs: Duration,
}

impl Plan {
    /// The world of a seed. Faults come in random company: many worlds have few of them, for a rare fault must not
    /// hide behind frequent ones.
    pub fn of(seed: u64) -> Plan {
        let mut random = Random::new(seed ^ 0x005e_ed0f_51c5);
        let replicas = match random.below(100) {
            0..60 => 2 + random.below(2),
            60..92 => 4 + random.below(3),
            92..98 => 7 + random.below(5),
            _ => 12 + random.below(9),
        } as usize;
        let calm = random.percent(15);
        let mut some = |chance: u32, most: u64| {
            let much = 1 + random.below(most) as u32;
            if !calm && random.percent(chance) { much } else { 0 }
        };
        let wire = WireFaults {
            lose_request: some(50, 150),
            lose_answer: some(60, 200),
            twice: some(40, 120),
            late: some(40, 120),
            truncate: some(30, 100),
            unavailable: some(30, 100),
            interlude: 0,
        };
        // Draws of their own: what else a seed makes does not hang on them.
        let mut other = Random::new(seed ^ 0x0016_4751_7a65);
        let several_rights = other.percent(33);
        let users = if several_rights { 2 + other.below(3) } else { 1 };
        let rights = (0..2.max(users)).map(|_| if several_rights { Rights::any(&mut other) } else { Rights::all() });
        let rights: Vec<Rights> = rights.collect();
        let resources = match (several_rights, other.below(10)) {
            (true, _) => 25 + other.below(40) as u32,
            (false, 0..3) => 0,
            (false, _) => 5 + other.below(60) as u32,
        };
        let mischief = Mischief {
            rights: if several_rights && other.percent(70) { 1 + other.below(30) as u32 } else { 0 },
            partition: some(25, 30),
            crash: some(40, 60),
            second: some(15, 20),
            disk_full: some(15, 15),
            disk_fault: some(20, 40),
            copy: some(18, 40),
            own_backup: some(15, 60),
            revoke: some(15, 20),
            clock: some(25, 40),
            server_crash: some(20, 40),
            server_restore: some(25, 60),
            server_full: some(8, 15),
            forget: some(25, 60),
            small_requests: some(15, 20),
            offence: 0,
            server_clock: 0,
            no_room: 0,
        };
        let searches = other.percent(if several_rights { 25 } else { 10 });
        // Damage to a search begins with a read that failed.
        let disk_fault = if searches && !calm { mischief.disk_fault.max(30) } else { mischief.disk_fault };
        let mischief = Mischief { disk_fault, ..mischief };
        let interlude = if random.percent(70) { 50 + random.below(300) as u32 } else { 0 };
        let small = random.percent(70);
        let mut most = |few: u64, many: u64| (1 + random.below(if small { few } else { many })) as u32;
        let (push_ops, pull_entries, checkpoint_items) = (most(5, 100), most(6, 100), most(4, 100));
        // Draws of their own, again. Every other world has nothing of that, for rare faults of the rest would hide behind it.
        let mut live = Random::new(seed ^ 0x0011_fe0b_1ade);
        let lives = seed.is_multiple_of(2);
        let deals = if live.percent(90) && lives { 5 + live.below(25) as u32 } else { 0 };
        let decides = live.percent(70) && lives;
        let habits = (0..replicas).map(|_| if decides { Habit::any(&mut live) } else { Habit::HandsOnly }).collect();
        let listens = live.percent(50);
        let watches = listens && live.percent(50);
        let partial = live.percent(50) && lives;
        let keys = 2 + random.below(4) as usize;
        let keeps = (0..replicas).map(|_| match partial && live.percent(70) {
            true => any_filter(&mut live, keys),
            false => Filter::everything(),
        });
        let keeps = keeps.collect();
        // One world in four, so that the others stay what they were, and what is rare in them is not hidden.
        let harsh = seed % 4 == 3;
        let mut offences = Random::new(seed ^ 0x000f_fe4c_e500);
        let offence = if harsh && offences.percent(50) { 5 + offences.below(40) as u32 } else { 0 };
        let server_clock = if seed % 4 == 2 { other.below(3) as u32 * 10 } else { 0 };
        // One world in sixteen, which has none of these.
        let no_room = if seed % 16 == 8 { 10 + other.below(30) as u32 } else { 0 };
        let mischief = Mischief { offence, server_clock, no_room, ..mischief };
        // Longer than the healing takes.
        let ref_days = if random.percent(60) { 3 } else { 74 };
        Plan {
            seed,
            replicas,
            steps: (30 + random.below(70) + 5 * replicas as u64) as u32,
            keys,
            users: if random.percent(25) { users.max(2) } else { users },
            rights,
            several_rights,
            resources,
            searches,
            deals,
            partial,
            keeps,
            habits,
            listens,
            watches,
            format: *random.pick(&[None, None, Some(Format::Json), Some(Format::MessagePack)]),
            wire: WireFaults { interlude, ..wire },
            mischief,
            harsh,
            // One world in four again, and others than the harsh ones.
            late_reads: seed % 4 == 1,
            durability: if random.percent(40) { Durability::Full } else { Durability::Normal },
            coalescing: random.percent(75),
            attempts: 1 + random.below(3) as u32,
            push_ops,
            pull_entries,
            checkpoint_items,
            log_entries: 20 + random.below(40),
            refs: Duration::from_secs(24 * 3600 * (17 + random.below(ref_days))),
        }
    }

    /// Whether refs may get too old for the server, by its clock or another's.
    pub fn forgets_refs(&self) -> bool {
        let Mischief { clock, forget, server_clock, .. } = self.mischief;
        clock > 0 || forget > 0 || server_clock > 0
    }

    /// Whether a replica may share its history with another.
    pub fn shares_files(&self) -> bool {
        self.mischief.copy > 0 || self.mischief.own_backup > 0
    }
}
