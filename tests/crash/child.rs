//! The process that is killed: it writes, says what the store answered, and syncs.

use crate::process::{listen, setting, tell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use syncstore::environment::{Environment, SystemEnvironment};
use syncstore::json_patch::Patch;
use syncstore::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, Expiry, HttpOptions, HttpWire, PullRequest, Wire, WireError};
use syncstore::{Error, Options, Ref, Store};
use syncstore_simulation::Random;

/// Far more than any child lives for.
const MOST_ACTIONS: u64 = 5_000;

/// Counts the steps of this process and stops for ever at the chosen one.
struct Steps {
    taken: AtomicU64,
    last: u64,
}

impl Steps {
    fn step(&self, what: &str) {
        if self.taken.fetch_add(1, Ordering::SeqCst) == self.last {
            tell(&format!("at {what}"));
            listen();
            std::process::exit(4);
        }
    }
}

/// The engine asks for the time or for bits in the middle of most transactions, and between them.
struct SteppedEnvironment {
    system: SystemEnvironment,
    steps: Arc<Steps>,
}

impl Environment for SteppedEnvironment {
    fn unix_ms(&self) -> u64 {
        self.steps.step("unix_ms");
        self.system.unix_ms()
    }
    fn monotonic(&self) -> Duration {
        self.steps.step("monotonic");
        self.system.monotonic()
    }
    fn random(&self) -> u64 {
        self.steps.step("random");
        self.system.random()
    }
    fn sleep(&self, duration: Duration) {
        self.system.sleep(duration);
    }
}

/// A step before and one after each call; now and then it says that the cursor expired, once.
struct SteppedWire {
    http: HttpWire,
    steps: Arc<Steps>,
    expire: AtomicBool,
}

impl SteppedWire {
    fn call<T>(&self, what: &str, call: impl FnOnce(&HttpWire) -> Result<T, WireError>) -> Result<T, WireError> {
        self.steps.step(&format!("before {what}"));
        let answer = call(&self.http);
        self.steps.step(&format!("after {what}"));
        answer
    }
}

impl Wire for SteppedWire {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.call("info", HttpWire::info)
    }
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.call("push", |http| http.push(request))
    }
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        if self.expire.swap(false, Ordering::SeqCst) {
            self.steps.step("expiry");
            return Err(WireError::CursorExpired(Expiry::Pruned));
        }
        self.call("pull", |http| http.pull(request))
    }
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.call("checkpoint", |http| http.checkpoint(request))
    }
}

pub fn options(seed: u64) -> Options {
    let mut random = Random::new(seed);
    let mut options = Options::default();
    if random.percent(75) {
        options.push_ops = 1 + random.below(6) as u32;
        options.pull_entries = 1 + random.below(9) as u32;
        options.checkpoint_items = 1 + random.below(5) as u32;
    }
    options.coalescing = random.percent(75);
    options
}

pub fn play() {
    let seed: u64 = setting("SEED_OF_CHILD").parse().unwrap();
    let last = setting("LAST_STEP").parse().unwrap();
    let steps = Arc::new(Steps { taken: AtomicU64::new(0), last });
    let mut options = options(setting("SEED_OF_LIFE").parse().unwrap());
    options.environment =
        Arc::new(SteppedEnvironment { system: SystemEnvironment::default(), steps: Arc::clone(&steps) });
    let http = HttpWire::new(&setting("URL"), &setting("DATABASE"), HttpOptions::default()).unwrap();
    let wire = SteppedWire { http, steps, expire: AtomicBool::new(false) };
    let store = Store::open(setting("FILE"), options).unwrap();
    let doing = setting("DOING");
    if doing == "compacting" {
        // What there is to compact.
        sync(&store, &wire);
    }
    tell("ready");
    let mut random = Random::new(seed);
    let mut next_id: u64 = setting("FIRST_ID").parse().unwrap();
    let concurrent = random.percent(50);
    for _ in 0..MOST_ACTIONS {
        let (compacts, syncs, expires) = match doing.as_str() {
            "loading" => (0, 30, 100),
            "compacting" => (25, 3, 15),
            _ => (0, 12, 15),
        };
        if random.percent(compacts) {
            while_writing(concurrent, &store, &mut random, &mut next_id, || compact(&store));
        } else if random.percent(syncs) {
            wire.expire.store(random.percent(expires), Ordering::SeqCst);
            while_writing(concurrent, &store, &mut random, &mut next_id, || sync(&store, &wire));
        } else if random.percent(2) {
            let field = *random.pick(&["/id", "/ids", "/kept"]);
            while_writing(concurrent, &store, &mut random, &mut next_id, || declare(&store, field));
        } else {
            write(&store, &mut random, &mut next_id);
        }
    }
    tell("done");
}

/// Does something on a thread of its own while this one writes, or alone.
fn while_writing(concurrent: bool, store: &Store, random: &mut Random, next_id: &mut u64, what: impl FnOnce() + Send) {
    if !concurrent {
        return what();
    }
    std::thread::scope(|scope| {
        let doing = scope.spawn(what);
        while !doing.is_finished() {
            write(store, random, next_id);
        }
    });
}

fn sync(store: &Store, wire: &SteppedWire) {
    let loads = wire.expire.load(Ordering::SeqCst) || !matches!(store.bootstrap_progress(), Ok(None));
    tell(if loads { "begin bootstrapping" } else { "begin syncing" });
    if let Err(error) = store.sync(wire) {
        tell(&format!("error sync: {error:?}"));
    }
    tell("end");
}

/// What is declared over the items is compared with them by the check of whoever opens the replica next.
fn declare(store: &Store, field: &str) {
    tell("begin declaring");
    let declared = ["lists", "own"].iter().try_for_each(|collection| {
        store.declare_index(collection, "by", field)?;
        store.declare_search(collection, collection, &[field])?;
        store.build_index(collection, "by", &mut |_| {})?;
        store.build_search(collection, &mut |_| {})
    });
    if let Err(error) = declared {
        tell(&format!("error declare: {error:?}"));
    }
    tell("end");
}

fn compact(store: &Store) {
    tell("begin compacting");
    if let Err(error) = store.compact() {
        tell(&format!("error compact: {error:?}"));
    }
    tell("end");
}

/// Makes one replica after another, with an item each.
pub fn be_born() {
    for n in 0..MOST_ACTIONS {
        tell(&format!("begin {n}"));
        let store = Store::open(format!("{}{n}", setting("FILE")), Options::default()).unwrap();
        tell(&format!("opened {n} {}", store.client_id().unwrap()));
        let op = store.set("notes", "first", &n).unwrap();
        tell(&format!("wrote {n} {op}"));
    }
    tell("done");
}

/// Migrates one replica after another.
pub fn migrate() {
    for n in 0..crate::migrating::FILES {
        tell(&format!("begin {n}"));
        drop(Store::open(format!("{}{n}", setting("FILE")), Options::default()).unwrap());
        tell(&format!("opened {n}"));
    }
    tell("done");
    listen();
}

/// One write: said before, and again with its refs once the store has answered.
fn write(store: &Store, random: &mut Random, next_id: &mut u64) {
    let id = *next_id;
    *next_id += 1;
    let kind = random.below(12);
    let key = random.below(4);
    let said = match kind {
        0..=2 => format!("append lists l{key} {id}"),
        3 => format!("append prey p{key} {id}"),
        4..=5 => format!("set own o{key} {id}"),
        6 => format!("change own o{key} {id}"),
        7 => format!("delete own o{key} {id}"),
        8..=9 => format!("mark own o{key} {id}"),
        _ => format!("batch pairs l{key} {id}"),
    };
    tell(&format!("will {said}"));
    let answer: Result<Vec<Ref>, Error> = match kind {
        0..=2 => store.patch("lists", &format!("l{key}"), &append(id)).map(|op| vec![op]),
        3 => store.patch("prey", &format!("p{key}"), &append(id)).map(|op| vec![op]),
        4..=5 => store.set("own", &format!("o{key}"), &serde_json::json!({"id": id, "kept": "x"})).map(|op| vec![op]),
        6 => {
            store.update("own", &format!("o{key}"), |value| value["id"] = id.into()).map(|op| op.into_iter().collect())
        }
        7 => store.delete("own", &format!("o{key}")).map(|op| vec![op]),
        8..=9 => mark(store, &format!("o{key}"), id),
        _ => batch(store, key, id),
    };
    match answer {
        Ok(ops) => {
            let ops: Vec<_> = ops.iter().map(Ref::to_string).collect();
            tell(&format!("did {said} {}", ops.join(" ")));
        }
        // What the peer made, or took away again.
        Err(Error::NotFound { .. }) => tell(&format!("not {said}")),
        Err(error) => tell(&format!("error {said}: {error:?}")),
    }
}

fn append(id: u64) -> Patch {
    serde_json::from_value(serde_json::json!([{"op": "add", "path": "/ids/-", "value": id}])).unwrap()
}

/// An index entry, a relation and a tag, all of the same write.
fn mark(store: &Store, key: &str, id: u64) -> Result<Vec<Ref>, Error> {
    let mut batch = store.batch();
    batch.set_index("own", key, "mark", &id.to_string())?;
    batch.set_relation("own", key, "mark", "made", ("lists", &id.to_string()))?;
    match id % 2 {
        0 => batch.remove_tag("own", key, "odd")?,
        _ => batch.add_tag("own", key, "odd")?,
    };
    Ok(batch.commit()?.ops)
}

fn batch(store: &Store, key: u64, id: u64) -> Result<Vec<Ref>, Error> {
    let mut batch = store.batch();
    batch.set("pairs", "a", &id)?;
    batch.patch("lists", &format!("l{key}"), &append(id))?;
    batch.set("pairs", "b", &id)?;
    Ok(batch.commit()?.ops)
}
