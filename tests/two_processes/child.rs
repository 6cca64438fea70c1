//! One of the two processes: it hammers the file, and says what it does, what the store answers and what it is told.

use crate::process::{listen, setting, tell};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use syncstore::json_patch::Patch;
use syncstore::wire::{HttpOptions, HttpWire};
use syncstore::{
    Error, Event, EventOptions, Events, KeyRange, LogLevel, Options, Ref, Store, SyncPolicy, SyncState, SyncStatus,
    Watch,
};
use syncstore_simulation::Random;

/// How many operations may wait before the writer waits for them.
const MOST_PENDING: u64 = 300;

/// How long operations may wait that somebody ought to sync.
const STUCK: Duration = Duration::from_secs(30);

/// The lists that both processes append to.
pub const LISTS: u64 = 64;

/// How often a process looks for what the other one did.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);

pub fn options() -> Options {
    let mut options = Options::default();
    // The test asks for every outcome in the end.
    (options.retention.age, options.retention.outcomes) = (None, None);
    options
}

fn policy() -> SyncPolicy {
    let mut policy = SyncPolicy::default();
    policy.debounce = Duration::from_millis(20);
    policy.longest_debounce = Duration::from_millis(200);
    policy.look_every = LOOK_EVERY;
    policy
}

/// What goes wrong is told, and the parent fails.
fn unexpected(what: &str, why: impl std::fmt::Debug) {
    tell(&format!("error {what}: {why:?}"));
}

pub fn play() {
    let store = Store::open(setting("FILE"), options()).unwrap();
    let mut random = Random::new(setting("SEED_OF_CHILD").parse().unwrap());
    if random.percent(30) {
        // In the middle of what the other process does.
        let report = store.check().unwrap();
        if !report.is_ok() {
            unexpected("check", report.to_string());
        }
    }
    let mut listening = EventOptions::default();
    listening.log_level = Some(LogLevel::Debug);
    let events = store.events(listening, || {});
    events.subscribe(Watch::all()).unwrap();
    look(&store);
    let wire = HttpWire::new(&setting("URL"), "db", HttpOptions::default()).unwrap();
    store.start(Arc::new(wire), policy()).unwrap();
    tell("ready");
    let (writing, over) = (AtomicBool::new(true), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| hear(&store, &events, &over));
        scope.spawn(|| Author::new(&store, random).write(&writing));
        loop {
            match listen().as_str() {
                "pause" => store.pause(),
                "resume" => store.resume(),
                "finish" => writing.store(false, Ordering::SeqCst),
                "show" => show(&store),
                _ => break,
            }
        }
        over.store(true, Ordering::SeqCst);
        store.stop(Duration::from_secs(5));
    });
    drop(store);
    tell("closed");
}

/// Tells what the listener is told, until it is over.
fn hear(store: &Store, events: &Events, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        events.wait(Duration::from_secs(1));
        let mut told = Vec::new();
        if let Err(error) = events.pump(200, Duration::from_millis(50), |event| told.push(event)) {
            unexpected("pump", error);
        }
        for event in told {
            match event {
                Event::Changed { change, .. } => saw(store, &change.collection, &change.key),
                Event::Overflowed { .. } => look(store),
                Event::Status(status) => state(&status),
                Event::Log(line) if line.level <= LogLevel::Warn && line.text != Error::SyncedElsewhere.to_string() => {
                    unexpected("log", line);
                }
                _ => {}
            }
        }
    }
}

fn state(status: &SyncStatus) {
    let usual = Error::SyncedElsewhere.to_string();
    let well = status.error.as_ref().is_none_or(|error| *error == usual)
        && !matches!(status.state, SyncState::Offline | SyncState::Failed | SyncState::NeedsCredential);
    if !well {
        unexpected("status", status);
    }
    // Without the progress of a load.
    let name = format!("{:?}", status.state);
    tell(&format!("state {}", name.split_whitespace().next().unwrap_or_default()));
}

/// Looks at everything, as a listener does that has missed something or has just begun.
fn look(store: &Store) {
    for collection in ["steady", "mortal"] {
        for item in store.list(collection, &KeyRange::all()).unwrap().iter() {
            let value: Value = item.to().unwrap();
            tell(&format!("saw {collection} {} {}", item.key, value["id"]));
        }
    }
}

fn saw(store: &Store, collection: &str, key: &str) {
    if !matches!(collection, "steady" | "mortal") {
        return;
    }
    match store.get::<Value>(collection, key) {
        Ok(Some(value)) => tell(&format!("saw {collection} {key} {}", value["id"])),
        other => unexpected("get", (collection, key, other)),
    }
}

fn show(store: &Store) {
    for collection in store.collections().unwrap() {
        for item in store.list(&collection, &KeyRange::all()).unwrap().iter() {
            tell(&format!("item {collection} {} {}", item.key, item.value));
        }
    }
    tell("shown");
}

/// Who writes.
struct Author<'a> {
    store: &'a Store,
    random: Random,
    who: String,
    id: u64,
}

impl Author<'_> {
    fn new(store: &Store, random: Random) -> Author<'_> {
        Author { store, random, who: setting("WHO"), id: setting("FIRST_ID").parse().unwrap() }
    }

    fn write(mut self, writing: &AtomicBool) {
        let mut last = None;
        while writing.load(Ordering::SeqCst) {
            last = self.act().or(last);
            self.wait_for_fewer_than(MOST_PENDING, last);
        }
        self.wait_for_fewer_than(1, last);
        tell("quiet");
    }

    fn wait_for_fewer_than(&self, most: u64, last: Option<Ref>) {
        let begun = Instant::now();
        while self.store.pending_count().unwrap() >= most {
            if begun.elapsed() > STUCK {
                return unexpected("waiting", self.store.status());
            }
            match last {
                Some(op) => drop(self.store.wait(op, Duration::from_millis(50)).unwrap()),
                None => std::thread::yield_now(),
            }
        }
    }

    /// One write: said before, and again with its refs once the store has answered.
    fn act(&mut self) -> Option<Ref> {
        let (store, id) = (self.store, self.id);
        self.id += 1;
        let (kind, key) = (self.random.below(10), self.random.below(20));
        let list = format!("l{}", id % LISTS);
        let mark = format!("{}{id}", self.who);
        let append: Patch = serde_json::from_value(json!([{"op": "add", "path": "/ids/-", "value": mark}])).unwrap();
        let said = match kind {
            0..=3 => format!("own {id} k{key}"),
            4..=6 => format!("append {id} {list}"),
            7 => format!("batch {id} {list}"),
            8 => format!("count {id} -"),
            _ => format!("prey {id} p{key}"),
        };
        tell(&format!("will {said}"));
        let answer: Result<Vec<Ref>, Error> = match kind {
            0..=3 => self.set_own(&format!("k{key}"), id),
            4..=6 => store.patch("lists", &list, &append).map(|op| vec![op]),
            7 => batch(store, &mark, &list, &append),
            8 => {
                store.update("shared", "count", |count| count[&self.who] = id.into()).map(|op| op.into_iter().collect())
            }
            _ if id.is_multiple_of(2) => store.delete("prey", &format!("p{key}")).map(|op| vec![op]),
            _ => store.set("prey", &format!("p{key}"), &mark).map(|op| vec![op]),
        };
        match answer {
            Ok(ops) => {
                let refs: Vec<_> = ops.iter().map(Ref::to_string).collect();
                tell(&format!("did {said} {}", refs.join(" ")));
                ops.last().copied()
            }
            // The other process was quicker, again and again: the one error that a host has to expect here.
            Err(Error::Contended { .. }) => {
                tell(&format!("not {said}"));
                None
            }
            Err(error) => {
                unexpected(&said, error);
                None
            }
        }
    }

    /// Only this process writes these, so it must read what it wrote.
    fn set_own(&self, key: &str, id: u64) -> Result<Vec<Ref>, Error> {
        let op = self.store.set(&self.who, key, &json!({ "id": id }))?;
        let read = self.store.get::<Value>(&self.who, key)?;
        if read != Some(json!({ "id": id })) {
            unexpected("reading what was written", (key, id, read));
        }
        Ok(vec![op])
    }
}

fn batch(store: &Store, mark: &str, list: &str, append: &Patch) -> Result<Vec<Ref>, Error> {
    let mut batch = store.batch();
    batch.set("pairs", "a", mark)?.patch("lists", list, append)?.set("pairs", "b", mark)?;
    Ok(batch.commit()?.ops)
}
