//! What the benches share: documents, a server, the floor under each figure, and the table of ratios.

use criterion::Criterion;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use syncstore::{Options, Store};

/// Documents of 272 bytes, keys in order.
pub fn documents(count: usize) -> Vec<(String, String)> {
    (0..count).map(|n| (key(n), document(n))).collect()
}

pub fn key(n: usize) -> String {
    format!("doc-{n:08}")
}

pub fn document(n: usize) -> String {
    let head = format!(
        r#"{{"id":{n},"title":"Document number {n}","done":{},"priority":{},"tags":["alpha","beta","gamma"],"text":""#,
        n.is_multiple_of(2),
        n % 7
    );
    let tail = "\"}";
    format!("{head}{}{tail}", "lorem ipsum dolor sit amet ".repeat(12).get(..272 - head.len() - tail.len()).unwrap())
}

/// A scrambled order of `0..count`, the same every time.
pub fn scrambled(count: usize) -> impl Iterator<Item = usize> {
    // A step that shares no divisor with any count of the form 10^k.
    (0..).map(move |n: usize| n.wrapping_mul(7_919) % count)
}

pub fn open(path: &Path) -> Store {
    Store::open(path, Options::default()).unwrap()
}

/// The floor: SQLite by hand on a file with the store's own tables and settings.
pub struct Raw(pub Connection);

impl Raw {
    pub fn open(path: &Path) -> Raw {
        drop(open(path));
        let raw = Connection::open(path).unwrap();
        raw.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384;
             PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 16777216; PRAGMA temp_store = MEMORY;",
        )
        .unwrap();
        raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
        raw.set_prepared_statement_cache_capacity(64);
        raw.execute("INSERT OR IGNORE INTO collections(id, name, life) VALUES (1, 'docs', 0)", []).unwrap();
        Raw(raw)
    }

    /// The rows that a set of a new item writes, in a transaction of their own.
    pub fn set(&self, n: usize, key: &str, value: &str) {
        let raw = &self.0;
        raw.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
        raw.prepare_cached("INSERT INTO items(collection, key, rev, pending, value) VALUES (1, ?1, 0, 1, ?2)")
            .unwrap()
            .execute((key, value))
            .unwrap();
        let item = raw.last_insert_rowid();
        raw.prepare_cached(
            "INSERT INTO outbox(id, random, item, kind, base, batch, batch_of, payload)
             VALUES (?1, ?2, ?3, 0, 0, NULL, NULL, ?4)",
        )
        .unwrap()
        .execute((n as i64 + (1_790_000_000_000_i64 << 12), n as i64 * 0x9E37_79B9_7F4A, item, value))
        .unwrap();
        raw.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
    }

    /// All documents as confirmed items, in one transaction.
    pub fn load(&self, documents: &[(String, String)]) {
        let raw = &self.0;
        raw.execute_batch("PRAGMA wal_autocheckpoint = 10000; BEGIN IMMEDIATE").unwrap();
        {
            let mut insert = raw
                .prepare("INSERT INTO items(collection, key, rev, pending, value) VALUES (1, ?1, ?2, 0, ?3)")
                .unwrap();
            for (n, (key, value)) in documents.iter().enumerate() {
                insert.execute((key, n as i64 + 1, value)).unwrap();
            }
        }
        raw.execute_batch("COMMIT").unwrap();
    }

    /// A point read, as a text of its own.
    pub fn get(&self, key: &str) -> Option<String> {
        let mut find = self.0.prepare_cached("SELECT value FROM items WHERE collection = 1 AND key = ?1").unwrap();
        let mut rows = find.query([key]).unwrap();
        rows.next().unwrap().map(|row| row.get(0).unwrap())
    }

    /// The bytes of a thousand items, each looked at and none copied.
    pub fn scan(&self, from: &str) -> usize {
        let mut scan = self
            .0
            .prepare_cached("SELECT key, value FROM items WHERE collection = 1 AND key >= ?1 ORDER BY key LIMIT 1000")
            .unwrap();
        let mut rows = scan.query([from]).unwrap();
        let mut bytes = 0;
        while let Some(row) = rows.next().unwrap() {
            bytes += row.get_ref(0).unwrap().as_str().unwrap().len();
            bytes += black_box(row.get_ref(1).unwrap().as_str().unwrap()).len();
        }
        bytes
    }
}

/// Criterion with its figures where [`median`] finds them.
pub fn criterion() -> Criterion {
    Criterion::default().output_directory(&figures()).configure_from_args()
}

fn figures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures")
}

/// The median time of one iteration, as criterion measured it in this run or an earlier one.
pub fn median(group: &str, bench: &str) -> Option<Duration> {
    let file = figures().join(group).join(bench).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    Some(Duration::from_secs_f64(estimates["median"]["point_estimate"].as_f64()? / 1e9))
}

/// What share of the floor's speed is reached: the median over rounds in which both take turns, so that whatever
/// else the machine does hits both.
pub fn share(rounds: usize, mut floor: impl FnMut(), mut ours: impl FnMut()) -> f64 {
    let timed = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let mut shares: Vec<f64> = (0..rounds).map(|_| timed(&mut floor) / timed(&mut ours)).collect();
    shares.sort_by(f64::total_cmp);
    shares[rounds / 2]
}

/// One line of the table: how fast, how fast the floor is, and what share of it that makes.
pub fn line(name: &str, per_iteration: f64, ours: Duration, floor: Duration, share: f64, at_least: f64) {
    let (ours, floor) = (per_iteration / ours.as_secs_f64(), per_iteration / floor.as_secs_f64());
    let verdict = if share >= at_least { "" } else { "   below" };
    println!("{name:<28}{ours:>12.0}/s   floor {floor:>12.0}/s   ratio {share:>5.2}, at least {at_least:.2}{verdict}");
}
