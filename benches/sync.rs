//! Syncing with the reference server over loopback HTTP, beside what SQLite alone needs for the same rows.
//!
//! `cargo bench --bench sync`. `SYNCSTORE_BENCH_DOCUMENTS` is the size of the large replica (1,000,000).

#[path = "support/one_write.rs"]
mod one_write;
#[allow(dead_code)]
mod support;

use criterion::{Criterion, SamplingMode};
use serde_json::value::RawValue;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{Raw, criterion, document, documents, key, line, median, open, scrambled};
use syncstore::protocol::{ClientId, Format, Json, Op, OpKind, PushRequest, Ref};
use syncstore::wire::{HttpOptions, HttpWire};
use syncstore::{Outcome, Store};
use syncstore_server::service::{Caller, Tags};
use syncstore_server::{Server, ServerOptions};
use tempfile::TempDir;

const LOADED: usize = 100_000;
const PUSHED: usize = 10_000;
const SMALL: usize = 1_000;

struct Hosted {
    server: Server,
    dir: TempDir,
}

impl Hosted {
    fn start() -> Hosted {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(ServerOptions::dev(dir.path().join("server"))).unwrap();
        Hosted { server, dir }
    }

    fn wire(&self, database: &str, format: Format) -> HttpWire {
        let mut options = HttpOptions::default();
        options.format = format;
        HttpWire::new(&self.server.url(), database, options).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts documents on the server without a replica of their own.
    fn fill(&self, database: &str, count: usize) {
        let caller = Caller { user: "dev".into(), tags: Tags::All, grant: Vec::new() };
        let client = ClientId::from_random(1);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        for start in (0..count).step_by(1_000) {
            let ops = (start..count.min(start + 1_000)).map(|n| Op {
                value: Some(Json::parse(&document(n)).unwrap()),
                ..Op::new(Ref::from_parts((now << 12) + n as i64, n as u64), OpKind::Set, "docs", key(n))
            });
            let request = PushRequest { client, cursor: None, ops: ops.collect() };
            self.server.service().push(database, &caller, request).unwrap();
        }
    }
}

fn raw_value(n: usize) -> Box<RawValue> {
    RawValue::from_string(document(n)).unwrap()
}

fn bootstrap(criterion: &mut Criterion, hosted: &Hosted) {
    let mut group = criterion.benchmark_group("bootstrap");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    let documents = documents(LOADED);
    group.bench_function("floor", |bench| {
        bench.iter_custom(|iterations| {
            (0..iterations)
                .map(|_| {
                    let dir = tempfile::tempdir().unwrap();
                    let raw = Raw::open(&dir.path().join("raw.db"));
                    let start = Instant::now();
                    raw.load(&documents);
                    start.elapsed()
                })
                .sum()
        });
    });
    for (name, format) in [("json", Format::Json), ("msgpack", Format::MessagePack)] {
        let wire = hosted.wire("loaded", format);
        group.bench_function(name, |bench| {
            bench.iter_custom(|iterations| {
                (0..iterations)
                    .map(|_| {
                        let dir = tempfile::tempdir().unwrap();
                        let store = open(&dir.path().join("store.db"));
                        let start = Instant::now();
                        let report = store.pull(&wire).unwrap();
                        let elapsed = start.elapsed();
                        assert_eq!(report.loaded, LOADED as u64);
                        elapsed
                    })
                    .sum()
            });
        });
    }
}

fn push(criterion: &mut Criterion, hosted: &Hosted) {
    let mut group = criterion.benchmark_group("push");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    let mut database = 0;
    for (name, format) in [("json", Format::Json), ("msgpack", Format::MessagePack)] {
        group.bench_function(name, |bench| {
            bench.iter_custom(|iterations| {
                (0..iterations)
                    .map(|_| {
                        database += 1;
                        let wire = hosted.wire(&format!("pushed-{database}"), format);
                        let dir = tempfile::tempdir().unwrap();
                        let store = open(&dir.path().join("store.db"));
                        store.sync(&wire).unwrap();
                        let refs: Vec<Ref> =
                            (0..PUSHED).map(|n| store.set("docs", &key(n), &raw_value(n)).unwrap()).collect();
                        let start = Instant::now();
                        let report = store.sync(&wire).unwrap();
                        let elapsed = start.elapsed();
                        assert_eq!((report.accepted, store.pending_count().unwrap()), (PUSHED as u64, 0));
                        assert!(matches!(store.outcome(refs[PUSHED / 2]).unwrap(), Some(Outcome::Accepted { .. })));
                        elapsed
                    })
                    .sum()
            });
        });
    }
}

/// How long a sync takes that has one change to pull: the medians with a small and a large replica, which take turns.
fn one_change(hosted: &Hosted, large: usize) -> (Duration, Duration) {
    let mut sides = [("small", SMALL), ("large", large)].map(|(database, count)| {
        let wire = hosted.wire(database, Format::Json);
        let reader = open(&hosted.path(&format!("{database}-reader.db")));
        let writer = open(&hosted.path(&format!("{database}-writer.db")));
        reader.sync(&wire).unwrap();
        writer.sync(&wire).unwrap();
        (wire, reader, writer, scrambled(count), Vec::new())
    });
    for _ in 0..1_000 {
        for (wire, reader, writer, order, times) in &mut sides {
            let n = order.next().unwrap();
            writer.set("docs", &key(n), &raw_value(n + 1)).unwrap();
            writer.sync(wire).unwrap();
            let start = Instant::now();
            let report = reader.sync(wire).unwrap();
            times.push(start.elapsed());
            assert_eq!(report.pulled, 1);
        }
    }
    let [small, large] = sides.map(|(.., mut times)| {
        times.sort();
        times[times.len() / 2]
    });
    (small, large)
}

/// The 99th percentile and the longest of single calls on another thread while a replica is loaded.
fn while_loading(hosted: &Hosted, call: impl Fn(&Store, usize) + Sync) -> (Duration, Duration) {
    let mut times = Vec::new();
    for round in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("store.db"));
        for n in 0..1_000 {
            store.set("mine", &key(n), &n).unwrap();
        }
        let wire = hosted.wire("loaded", Format::Json);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                store.pull(&wire).unwrap();
                done.store(true, Ordering::Release);
            });
            let mut n = round;
            while !done.load(Ordering::Acquire) {
                n += 1;
                let start = Instant::now();
                call(&store, n);
                times.push(start.elapsed());
                // A host that reads or writes a few thousand times a second.
                std::thread::sleep(Duration::from_micros(200));
            }
        });
    }
    times.sort();
    (times[times.len() * 99 / 100], times[times.len() - 1])
}

fn settle_one_write(hosted: &Hosted) {
    let wire = || hosted.wire("one", Format::Json);
    let (request, by_hand, in_background) = one_write::one_write(|name| open(&hosted.path(name)), wire);
    println!("one request: {request:?}");
    println!("one write, `sync` by hand: {by_hand}");
    println!("one write, background sync: {in_background}");
}

fn main() {
    let mut criterion = criterion();
    let large = std::env::var("SYNCSTORE_BENCH_DOCUMENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let hosted = Hosted::start();
    settle_one_write(&hosted);
    if std::env::args().any(|arg| arg == "one_write") {
        return;
    }
    hosted.fill("loaded", LOADED);
    hosted.fill("small", SMALL);
    bootstrap(&mut criterion, &hosted);
    push(&mut criterion, &hosted);
    if !std::env::args().any(|arg| arg == "--test" || arg == "bootstrap" || arg == "push") {
        hosted.fill("large", large);
        let (small, large_time) = one_change(&hosted, large);
        let ratio = large_time.as_secs_f64() / small.as_secs_f64();
        println!(
            "one change waiting: {large_time:?} with {large} documents, {small:?} with {SMALL}: {ratio:.2} times (at most 1.20)"
        );
    }
    criterion.final_summary();
    println!();
    if let Some(floor) = median("bootstrap", "floor") {
        for (format, least) in [("json", 0.40), ("msgpack", 0.25)] {
            if let Some(ours) = median("bootstrap", format) {
                let share = floor.as_secs_f64() / ours.as_secs_f64();
                line(&format!("bootstrap of {LOADED}, {format}"), LOADED as f64, ours, floor, share, least);
            }
        }
    }
    for format in ["json", "msgpack"] {
        if let Some(ours) = median("push", format) {
            println!(
                "push of {PUSHED}, {format:<12} {:>12.0} ops/s (at least 20000)",
                PUSHED as f64 / ours.as_secs_f64()
            );
        }
    }
    let (p99, longest) = while_loading(&hosted, |store, n| {
        assert!(store.get_raw("mine", &key(n % 1_000)).unwrap().is_some());
    });
    println!("get while loading: p99 {p99:?} (at most 1 ms), longest {longest:?}");
    let (p99, longest) = while_loading(&hosted, |store, n| {
        store.set("mine", &key(n), &n).unwrap();
    });
    println!("set while loading: p99 {p99:?} (at most 15 ms), longest {longest:?}");
}
