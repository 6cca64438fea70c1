//! The life of one replica: killed, opened, checked, and killed again; in the end it is what the server is.

use crate::child;
use crate::model::{Model, fate};
use crate::peer::Peer;
use crate::process::{Part, was_killed};
use crate::proxy::{Break, Proxy, Way};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use syncstore::protocol::EntryOutcome;
use syncstore::wire::{HttpOptions, HttpWire, PullRequest, Wire};
use syncstore::{ClientId, KeyRange, Options, Outcome, Ref, Store};
use syncstore_server::Server;
use syncstore_simulation::Random;
use tempfile::TempDir;

/// When a child is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Before or after a call of the wire, or where the engine asks for the time or for bits.
    Step,
    /// With so many bytes of its requests, or of the answers to them, through.
    Byte,
    /// After so many microseconds.
    Time,
}

/// What a child does most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Writing, and syncing now and then.
    Anything,
    /// Loading some thousand items from a checkpoint, again and again.
    Loading,
    /// Compacting a replica of some thousand items.
    Compacting,
}

/// How many children were killed at what.
pub type Kills = BTreeMap<String, u64>;

pub struct Life {
    seed: u64,
    random: Random,
    how: Death,
    doing: Doing,
    database: String,
    url: String,
    proxy: Proxy,
    dir: TempDir,
    file: PathBuf,
    peer: Peer,
    model: Model,
    deaths: u32,
    /// How many children had opened the replica before they were killed.
    ready: u32,
    place: String,
    kills: Kills,
}

impl Life {
    pub fn new(seed: u64, server: &Server, how: Death, doing: Doing) -> Life {
        let dir = tempfile::tempdir().unwrap();
        let database = format!("life{seed}");
        let peer = Peer::new(&dir.path().join("peer.db"), &server.url(), &database);
        if doing != Doing::Anything {
            peer.stock();
        }
        Life {
            seed,
            random: Random::new(seed),
            how,
            doing,
            url: server.url(),
            proxy: Proxy::start(server.addr()),
            file: dir.path().join("replica.db"),
            dir,
            database,
            peer,
            model: Model::default(),
            deaths: 0,
            ready: 0,
            place: String::new(),
            kills: Kills::new(),
        }
    }

    /// Lives through so many deaths.
    pub fn run(mut self, deaths: u64) -> Kills {
        let lived = catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..deaths {
                self.die();
                self.check();
            }
            assert!(self.ready > 0, "no child came to do anything");
            self.converge();
            std::mem::take(&mut self.kills)
        }));
        lived.unwrap_or_else(|panic| {
            let Life { seed, how, doing, deaths, place, .. } = &self;
            eprintln!("SEED={seed}: {how:?} while {doing:?}, death {deaths}, {place}\n{}", self.model.last_lines());
            resume_unwind(panic)
        })
    }

    /// Runs a child until it is killed.
    fn die(&mut self) {
        self.deaths += 1;
        let through_proxy = self.how == Death::Byte;
        let url = if through_proxy { self.proxy.url() } else { self.url.clone() };
        let far = if self.random.percent(50) { 80 } else { 700 };
        let last = if self.how == Death::Step { 1 + self.random.below(far) } else { u64::MAX };
        let mut part = Part::new("child")
            .set("SEED_OF_CHILD", self.random.next().to_string())
            .set("SEED_OF_LIFE", self.seed.to_string())
            .set("FIRST_ID", (u64::from(self.deaths) * 1_000_000).to_string())
            .set("LAST_STEP", last.to_string())
            .set("DOING", format!("{:?}", self.doing).to_lowercase())
            .set("URL", url)
            .set("DATABASE", &self.database)
            .set("FILE", &self.file)
            .start();
        let killer = part.killer();
        self.place = format!("step {last}");
        if through_proxy {
            let way = if self.random.percent(50) { Way::Requests } else { Way::Answers };
            let far = if self.random.percent(50) { 3_000 } else { 20_000 };
            let after = self.random.below(far);
            self.place = format!("byte {after} of {way:?}");
            let killer = killer.clone();
            self.proxy.set_then(way, after, Break::BlackHole, move || {
                killer.kill();
            });
        }
        let longest = if self.doing == Doing::Loading { 400_000 } else { 150_000 };
        let mut timer = None;
        let mut at = "writing".to_owned();
        while let Some(line) = part.hear() {
            match line.strip_prefix("begin ") {
                Some(what) => at = what.to_owned(),
                None if line == "end" => at = "writing".to_owned(),
                None => self.model.hear(&line),
            }
            self.ready += u32::from(line == "ready");
            if line == "ready" && self.how == Death::Time {
                let after = Duration::from_micros(self.random.below(longest));
                self.place = format!("{after:?}");
                let killer = killer.clone();
                timer = Some(std::thread::spawn(move || {
                    std::thread::sleep(after);
                    killer.kill();
                }));
            }
            if let Some(step) = line.strip_prefix("at ") {
                self.place = format!("step {last}, {step}");
                killer.kill();
            }
            assert_ne!(line, "done", "each child is killed before it ends by itself");
        }
        let status = killer.kill();
        assert!(was_killed(status), "the child ended by itself: {status}");
        self.proxy.clear();
        if let Some(timer) = timer {
            timer.join().unwrap();
        }
        *self.kills.entry(at).or_default() += 1;
    }

    /// What a host finds that opens the file again.
    fn check(&mut self) {
        assert_intact(&self.file);
        let store = self.open();
        assert_sound(&store);
        self.model.check_after_kill(&store);
        drop(store);
        if self.random.percent(70) {
            self.peer.act(&mut self.random);
        }
        if self.random.percent(20) {
            self.converge();
        }
    }

    fn open(&self) -> Store {
        Store::open(&self.file, child::options(self.seed)).unwrap()
    }

    fn wire(&self) -> HttpWire {
        HttpWire::new(&self.url, &self.database, HttpOptions::default()).unwrap()
    }

    /// Syncs to the end, and compares the replica, its peer, a new replica, the log and the model.
    fn converge(&mut self) {
        self.place += ", converging";
        let wire = self.wire();
        let store = self.open();
        store.sync(&wire).unwrap();
        let pending = store.pending().unwrap();
        assert!(pending.is_empty(), "{pending:?}");
        self.model.check_settled(&store);
        self.peer.sync();
        assert!(self.peer.store.pending().unwrap().is_empty());
        store.sync(&wire).unwrap();
        let file = self.dir.path().join(format!("new{}.db", self.deaths));
        let new = Store::open(&file, Options::default()).unwrap();
        new.sync(&wire).unwrap();
        let items = contents(&store);
        assert_eq!(items, contents(&self.peer.store), "the replica and its peer");
        assert_eq!(items, contents(&new), "the replica and the server");
        let log = self.read_log(store.client_id().unwrap());
        for op in &self.model.refs {
            if let Outcome::Accepted { seq } = fate(&store, *op) {
                assert!(log.contains(&seq), "the log has no entry {seq} of {op}");
            }
        }
        assert_sound(&store);
        drop((store, new));
        assert_intact(&self.file);
    }

    /// The accepted seqs of the whole log as the replica sees it, which is told of its deletes of nothing too; no ref
    /// stands twice.
    fn read_log(&self, client: ClientId) -> BTreeSet<u64> {
        let wire = self.wire();
        let mut request = PullRequest::new(client, 1_000);
        request.own_payloads = true;
        let mut refs: BTreeSet<Ref> = BTreeSet::new();
        let mut accepted = BTreeSet::new();
        loop {
            let page = wire.pull(&request).unwrap();
            for entry in &page.entries {
                assert!(refs.insert(entry.op_ref), "{} stands twice in the log", entry.op_ref);
                if entry.outcome == EntryOutcome::Accepted {
                    accepted.insert(entry.seq);
                }
            }
            if !page.more {
                return accepted;
            }
            request.cursor = Some(page.cursor);
        }
    }
}

fn contents(store: &Store) -> BTreeMap<(String, String), serde_json::Value> {
    let mut contents = BTreeMap::new();
    for collection in store.collections().unwrap() {
        for item in store.list(&collection, &KeyRange::all()).unwrap().iter() {
            contents.insert((collection.clone(), item.key.to_owned()), item.to().unwrap());
        }
    }
    contents
}

pub fn assert_sound(store: &Store) {
    let report = store.check().unwrap();
    assert!(report.is_ok(), "{report}");
}

pub fn assert_intact(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}
