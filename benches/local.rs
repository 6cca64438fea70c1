//! Local reads and writes beside the same done by hand with rusqlite on the same tables.
//!
//! `cargo bench --bench local`. The table at the end holds the medians, and the ratios of
//! rounds in which both take turns; docs/PERFORMANCE.md says what they mean.

#[allow(dead_code)]
mod support;

use criterion::{BatchSize, Criterion, Throughput};
use rusqlite::Connection;
use serde_json::value::RawValue;
use std::hint::black_box;
use support::{Raw, criterion, document, documents, key, line, median, open, scrambled, share};
use syncstore::{KeyRange, RelationPath, SearchQuery, Store, WalkOptions, Watch};

const DOCUMENTS: usize = 100_000;
const LISTED: usize = 1_000;
const SEARCHED: usize = 20_000;

/// Documents that no earlier call has had.
fn fresh(next: &mut usize, count: usize) -> Vec<(usize, String, Box<RawValue>)> {
    (0..count)
        .map(|_| {
            *next += 1;
            (*next, key(*next), RawValue::from_string(document(*next)).unwrap())
        })
        .collect()
}

fn list(store: &Store, from: &str) -> usize {
    let items = store.list("docs", &KeyRange::all().from(from).limit(LISTED)).unwrap();
    items.iter().map(|item| item.key.len() + black_box(item.value).len()).sum()
}

fn set(criterion: &mut Criterion) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let raw = Raw::open(&dir.path().join("raw.db"));
    let store = open(&dir.path().join("store.db"));
    let (mut floor_next, mut next) = (0, 0);
    let mut group = criterion.benchmark_group("set");
    group.throughput(Throughput::Elements(1));
    group.bench_function("floor", |bench| {
        let set = |(n, key, value): (usize, String, Box<RawValue>)| raw.set(n, &key, value.get());
        bench.iter_batched(|| fresh(&mut floor_next, 1).remove(0), set, BatchSize::SmallInput);
    });
    group.bench_function("syncstore", |bench| {
        let set = |(_, key, value): (usize, String, Box<RawValue>)| store.set("docs", &key, &value).unwrap();
        bench.iter_batched(|| fresh(&mut next, 1).remove(0), set, BatchSize::SmallInput);
    });
    group.finish();
    // Made beforehand, so that the rounds time nothing but the sets.
    let rounds = 30;
    let floor_documents: Vec<_> = (0..rounds).map(|_| fresh(&mut floor_next, 1_000)).collect();
    let documents: Vec<_> = (0..rounds).map(|_| fresh(&mut next, 1_000)).collect();
    let (mut floor_round, mut round) = (floor_documents.iter(), documents.iter());
    share(
        rounds,
        || floor_round.next().unwrap().iter().for_each(|(n, key, value)| raw.set(*n, key, value.get())),
        || {
            for (_, key, value) in round.next().unwrap() {
                store.set("docs", key, value).unwrap();
            }
        },
    )
}

/// A set while another collection is watched; its floor is the same set without any watcher.
fn watched_set(criterion: &mut Criterion) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let floor = open(&dir.path().join("floor.db"));
    let store = open(&dir.path().join("store.db"));
    let watcher = store.watch(Watch::collection("others")).unwrap();
    let (mut floor_next, mut next) = (0, 0);
    let mut group = criterion.benchmark_group("watched_set");
    group.throughput(Throughput::Elements(1));
    for (name, store, next) in [("floor", &floor, &mut floor_next), ("syncstore", &store, &mut next)] {
        group.bench_function(name, |bench| {
            let set = |(_, key, value): (usize, String, Box<RawValue>)| store.set("docs", &key, &value).unwrap();
            bench.iter_batched(|| fresh(next, 1).remove(0), set, BatchSize::SmallInput);
        });
    }
    group.finish();
    let rounds = 60;
    let floor_documents: Vec<_> = (0..rounds).map(|_| fresh(&mut floor_next, 1_000)).collect();
    let documents: Vec<_> = (0..rounds).map(|_| fresh(&mut next, 1_000)).collect();
    let (mut floor_round, mut round) = (floor_documents.iter(), documents.iter());
    let set = |store: &Store, documents: &[(usize, String, Box<RawValue>)]| {
        for (_, key, value) in documents {
            store.set("docs", key, value).unwrap();
        }
    };
    let share = share(rounds, || set(&floor, floor_round.next().unwrap()), || set(&store, round.next().unwrap()));
    assert!(watcher.take().unwrap().is_empty());
    share
}

fn read(criterion: &mut Criterion) -> (f64, f64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docs.db");
    Raw::open(&path).load(&documents(DOCUMENTS));
    // Both begin with empty caches and a file without a write-ahead log.
    let raw = Raw::open(&path);
    let store = open(&path);
    let keys: Vec<String> = scrambled(DOCUMENTS).take(DOCUMENTS).map(key).collect();
    let starts: Vec<String> = scrambled(DOCUMENTS - LISTED).take(1_000).map(key).collect();

    let mut group = criterion.benchmark_group("get_raw");
    group.throughput(Throughput::Elements(1));
    let mut next = keys.iter().cycle();
    group.bench_function("floor", |bench| bench.iter(|| raw.get(next.next().unwrap()).unwrap()));
    let mut next = keys.iter().cycle();
    group.bench_function("syncstore", |bench| {
        bench.iter(|| store.get_raw("docs", next.next().unwrap()).unwrap().unwrap());
    });
    group.finish();
    let point = share(
        30,
        || keys.iter().take(10_000).for_each(|key| drop(black_box(raw.get(key)))),
        || keys.iter().take(10_000).for_each(|key| drop(black_box(store.get_raw("docs", key).unwrap()))),
    );

    let mut group = criterion.benchmark_group("list");
    group.throughput(Throughput::Elements(LISTED as u64));
    let mut next = starts.iter().cycle();
    group.bench_function("floor", |bench| bench.iter(|| raw.scan(next.next().unwrap())));
    let mut next = starts.iter().cycle();
    group.bench_function("syncstore", |bench| bench.iter(|| list(&store, next.next().unwrap())));
    group.finish();
    let mut listed = (0, 0);
    let scan = share(
        30,
        || starts.iter().take(50).for_each(|from| listed.0 += raw.scan(from)),
        || starts.iter().take(50).for_each(|from| listed.1 += list(&store, from)),
    );
    assert_eq!(listed.0, listed.1);
    (point, scan)
}

/// A thousand documents in the order of their titles, out of 100,000: by an automatic index and by entries set by hand, each beside
/// a secondary index of SQLite on a column of its own.
fn index_scan(criterion: &mut Criterion) -> (f64, f64) {
    let dir = tempfile::tempdir().unwrap();
    let documents = documents(DOCUMENTS);
    let raw = Connection::open(dir.path().join("raw.db")).unwrap();
    raw.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA cache_size = -16384;
         CREATE TABLE docs(id INTEGER PRIMARY KEY, key TEXT NOT NULL, title TEXT NOT NULL, value TEXT NOT NULL);
         CREATE UNIQUE INDEX docs_key ON docs(key); CREATE INDEX docs_title ON docs(title); BEGIN",
    )
    .unwrap();
    for (n, (key, value)) in documents.iter().enumerate() {
        raw.prepare_cached("INSERT INTO docs(key, title, value) VALUES (?1, ?2, ?3)")
            .unwrap()
            .execute((key, title(n), value))
            .unwrap();
    }
    raw.execute_batch("COMMIT").unwrap();
    let path = dir.path().join("store.db");
    {
        let rows = Raw::open(&path);
        rows.load(&documents);
        rows.0
            .execute_batch(
                "INSERT INTO resources(item, kind, name, collection, key, base, view)
                 SELECT id, 1, 'set', collection, key, value ->> '$.title', value ->> '$.title' FROM items",
            )
            .unwrap();
    }
    let store = open(&path);
    store.declare_index("docs", "automatic", "/title").unwrap();
    store.build_index("docs", "automatic", &mut |_| {}).unwrap();
    let starts: Vec<String> =
        scrambled(DOCUMENTS).take(1_000).map(title).filter(|from| from.as_str() < "Document number 98").collect();
    let by_hand = |from: &str| -> usize {
        let mut scan = raw
            .prepare_cached("SELECT title, key, value FROM docs WHERE title >= ?1 ORDER BY title LIMIT 1000")
            .unwrap();
        let mut rows = scan.query([from]).unwrap();
        let mut bytes = 0;
        while let Some(row) = rows.next().unwrap() {
            let text = |column| black_box(row.get_ref(column).unwrap().as_str().unwrap()).len();
            bytes += text(0) + text(1) + text(2);
        }
        bytes
    };
    let ours = |index: &str, from: &str| -> usize {
        let rows = store.query("docs").index(index).from(from).limit(LISTED).run().unwrap();
        rows.iter().map(|row| row.order.unwrap().len() + row.key.len() + black_box(row.value.unwrap()).len()).sum()
    };
    let shares = ["automatic", "set"].map(|index| {
        let mut group = criterion.benchmark_group(format!("index_scan_{index}"));
        group.throughput(Throughput::Elements(LISTED as u64));
        let mut next = starts.iter().cycle();
        group.bench_function("floor", |bench| bench.iter(|| by_hand(next.next().unwrap())));
        let mut next = starts.iter().cycle();
        group.bench_function("syncstore", |bench| bench.iter(|| ours(index, next.next().unwrap())));
        group.finish();
        let mut scanned = (0, 0);
        let share = share(
            30,
            || starts.iter().take(50).for_each(|from| scanned.0 += by_hand(from)),
            || starts.iter().take(50).for_each(|from| scanned.1 += ours(index, from)),
        );
        assert_eq!(scanned.0, scanned.1);
        share
    });
    (shares[0], shares[1])
}

/// A set while a range of an index of its collection is watched that it does not come into; the floor is the same without a watcher.
fn ranged_set(criterion: &mut Criterion) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let [floor, store] = ["floor.db", "store.db"].map(|name| {
        let store = open(&dir.path().join(name));
        store.declare_index("docs", "automatic", "/priority").unwrap();
        store.build_index("docs", "automatic", &mut |_| {}).unwrap();
        store
    });
    let watcher = store.watch(store.query("docs").index("automatic").from(1_000).watch()).unwrap();
    let mut next = 0;
    // Each twice: the second is another value of an item that there is.
    let mut round = || fresh(&mut next, 500);
    let rounds: Vec<_> = (0..60).map(|_| round()).collect();
    let set = |store: &Store, documents: &[(usize, String, Box<RawValue>)]| {
        for (_, key, value) in documents {
            store.set("docs", key, value).unwrap();
            store.set("docs", key, &serde_json::json!({"priority": 7, "text": "other"})).unwrap();
        }
    };
    let mut group = criterion.benchmark_group("ranged_set");
    group.throughput(Throughput::Elements(1_000));
    for (name, store) in [("floor", &floor), ("syncstore", &store)] {
        let mut rounds = rounds.iter().cycle();
        group.bench_function(name, |bench| bench.iter(|| set(store, rounds.next().unwrap())));
    }
    group.finish();
    let (mut floor_rounds, mut our_rounds) = (rounds.iter(), rounds.iter());
    let share = share(60, || set(&floor, floor_rounds.next().unwrap()), || set(&store, our_rounds.next().unwrap()));
    assert!(watcher.take().unwrap().is_empty());
    share
}

fn title(n: usize) -> String {
    format!("Document number {n}")
}

/// A word that one document in 200 has, by turns; 50 hits with rank and snippet, beside FTS5 by hand.
fn search(criterion: &mut Criterion) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store.db"));
    let raw = Connection::open(dir.path().join("raw.db")).unwrap();
    raw.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA cache_size = -16384;
         CREATE VIRTUAL TABLE docs USING fts5(key UNINDEXED, title, text, tokenize = 'unicode61 remove_diacritics 2');
         BEGIN",
    )
    .unwrap();
    store.declare_search("docs", "docs", &["/title", "/text"]).unwrap();
    for chunk in (0..SEARCHED).collect::<Vec<_>>().chunks(1_000) {
        let mut batch = store.batch();
        for n in chunk {
            let (title, text) = (format!("Document w{}", n % 200), "lorem ipsum dolor sit amet ".repeat(8));
            raw.execute("INSERT INTO docs(key, title, text) VALUES (?1, ?2, ?3)", (key(*n), &title, &text)).unwrap();
            batch.set("docs", &key(*n), &serde_json::json!({"title": title, "text": text})).unwrap();
        }
        batch.commit().unwrap();
    }
    raw.execute_batch("COMMIT").unwrap();
    store.build_search("docs", &mut |_| {}).unwrap();
    let by_hand = |n: usize| -> usize {
        let mut find = raw
            .prepare_cached(
                "SELECT key, rank, snippet(docs, -1, '[', ']', '…', 16) FROM docs WHERE docs MATCH ?1
                 ORDER BY rank LIMIT 50",
            )
            .unwrap();
        let hit = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let rows = find.query_map([format!("\"w{}\"", n % 200)], hit).unwrap();
        rows.collect::<rusqlite::Result<Vec<(String, f64, String)>>>().unwrap().len()
    };
    let ours = |n: usize| store.search("docs", &SearchQuery::words(&format!("w{}", n % 200))).unwrap().hits.len();
    assert_eq!((by_hand(7), ours(7)), (50, 50));
    let mut group = criterion.benchmark_group("search");
    let mut next = 0..;
    group.bench_function("floor", |bench| bench.iter(|| by_hand(next.next().unwrap())));
    let mut next = 0..;
    group.bench_function("syncstore", |bench| bench.iter(|| ours(next.next().unwrap())));
    group.finish();
    share(30, || (0..100).for_each(|n| assert_eq!(by_hand(n), 50)), || (0..100).for_each(|n| assert_eq!(ours(n), 50)))
}

/// Two steps over 100,000 relations: ten from each item, so 110 items are reached; the same by one statement on the same rows.
fn walk(criterion: &mut Criterion) -> f64 {
    const ITEMS: usize = 10_000;
    const EACH: usize = 10;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let raw = Raw::open(&path);
    raw.load(&documents(ITEMS));
    raw.0.execute_batch("BEGIN").unwrap();
    for n in 0..ITEMS {
        for leg in 0..EACH {
            raw.0
                .prepare_cached(
                    "INSERT INTO resources(item, kind, name, collection, key, base, base_collection, base_key,
                         view, view_collection, view_key)
                     SELECT id, 2, ?2, collection, key, 'to', 'docs', ?3, 'to', 'docs', ?3 FROM items
                     WHERE collection = 1 AND key = ?1",
                )
                .unwrap()
                .execute((key(n), format!("r{leg}"), key((n * EACH + leg + 7_919) % ITEMS)))
                .unwrap();
        }
    }
    raw.0.execute_batch("COMMIT").unwrap();
    let store = open(&path);
    let by_hand = |from: &str| -> Vec<(i64, String, String)> {
        let mut find = raw
            .0
            .prepare_cached(
                "WITH near(collection, key) AS (
                     SELECT view_collection, view_key FROM resources
                     WHERE item = (SELECT id FROM items WHERE key = ?1
                         AND collection = (SELECT id FROM collections WHERE name = 'docs' AND life = 0))
                     AND kind = 2 AND view = 'to')
                 SELECT 1, collection, key FROM near UNION
                 SELECT 2, r.view_collection, r.view_key FROM near
                 CROSS JOIN collections c ON c.name = near.collection AND c.life = 0
                 CROSS JOIN items i ON i.collection = c.id AND i.key = near.key
                 CROSS JOIN resources r ON r.item = i.id AND r.kind = 2 AND r.view = 'to'",
            )
            .unwrap();
        let rows = find.query_map([from], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    };
    let steps = RelationPath::forwards("to").then_forwards("to");
    let ours = |from: &str| store.related(("docs", from), &steps, &WalkOptions::default()).unwrap().items;
    // The statement has the start among what the second step leads back to, the walk has not.
    let is_apart = |from: &String| by_hand(from).iter().all(|(_, _, key)| key != from);
    let starts: Vec<String> = scrambled(ITEMS).take(1_000).map(key).filter(is_apart).collect();
    for start in &starts {
        let mut reached: Vec<_> =
            ours(start).into_iter().map(|item| (item.depth as i64, item.collection, item.key)).collect();
        reached.sort_unstable();
        assert_eq!((reached.len(), &reached), (110, &by_hand(start)));
    }
    let mut group = criterion.benchmark_group("walk");
    let mut next = starts.iter().cycle();
    group.bench_function("floor", |bench| bench.iter(|| by_hand(next.next().unwrap())));
    let mut next = starts.iter().cycle();
    group.bench_function("syncstore", |bench| bench.iter(|| ours(next.next().unwrap())));
    group.finish();
    share(
        30,
        || starts.iter().take(200).for_each(|from| drop(black_box(by_hand(from)))),
        || starts.iter().take(200).for_each(|from| drop(black_box(ours(from)))),
    )
}

fn main() {
    let mut criterion = criterion();
    let set = set(&mut criterion);
    let watched = watched_set(&mut criterion);
    let (point, scan) = read(&mut criterion);
    let ranged = ranged_set(&mut criterion);
    let (automatic, by_hand) = index_scan(&mut criterion);
    let walked = walk(&mut criterion);
    let searched = search(&mut criterion);
    criterion.final_summary();
    println!();
    let lines = [
        ("set", 1.0, set, 0.75),
        ("watched_set", 1.0, watched, 0.95),
        ("ranged_set", 1_000.0, ranged, 0.95),
        ("get_raw", 1.0, point, 0.80),
        ("list", LISTED as f64, scan, 0.70),
        ("index_scan_automatic", LISTED as f64, automatic, 0.60),
        ("index_scan_set", LISTED as f64, by_hand, 0.60),
        ("walk", 1.0, walked, 0.50),
        ("search", 1.0, searched, 0.80),
    ];
    for (group, items, share, at_least) in lines {
        if let (Some(ours), Some(floor)) = (median(group, "syncstore"), median(group, "floor")) {
            line(group, items, ours, floor, share, at_least);
        }
    }
}
