//! Replicas of an earlier version, whose process is killed while it migrates them.

use crate::birth::killed;
use crate::life::{Kills, assert_intact, assert_sound};
use crate::older;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use syncstore::{KeyRange, Options, Ref, Store};
use syncstore_simulation::Random;

/// Files that one process migrates, one after the other: more than it lives for.
pub const FILES: usize = 12;

/// What a host knows of a replica.
#[derive(Debug, PartialEq)]
struct Known {
    client: String,
    items: Vec<(String, Value)>,
    pending: Vec<(Ref, Option<String>)>,
    outcomes: Vec<String>,
}

impl Known {
    fn of(store: &Store, ops: &[Ref]) -> Known {
        let items = store.list("notes", &KeyRange::all()).unwrap();
        Known {
            client: store.client_id().unwrap().to_string(),
            items: items.iter().map(|item| (item.key.to_owned(), item.to().unwrap())).collect(),
            pending: store.pending().unwrap().into_iter().map(|op| (op.op_ref, op.payload)).collect(),
            outcomes: ops.iter().map(|op| format!("{:?}", store.outcome(*op).unwrap())).collect(),
        }
    }
}

/// Kills so many processes that migrate one replica after another; what they were killed at.
pub fn run(seed: u64, deaths: u64) -> Kills {
    let mut random = Random::new(seed);
    let mut kills = Kills::new();
    for death in 0..deaths {
        let dir = tempfile::tempdir().unwrap();
        let version = 1 + random.below(older::PRESENT as u64 - 1) as i64;
        let (known, ops) = make_older(dir.path(), version);
        let after = Duration::from_micros(random.below(25_000));
        let told = killed("migration", dir.path(), after);
        let what = format!("SEED={seed}: death {death}, version {version}, after {after:?}, {:?}", told.last());
        let said = |word: &str| told.iter().filter(|line| line.starts_with(word)).count();
        let (begun, opened) = (said("begin "), said("opened "));
        assert!(begun > 0 && begun - opened <= 1 && begun + opened + said("done") == told.len(), "{what}");
        for n in 0..FILES {
            let path = dir.path().join(format!("r{n}"));
            let file = Connection::open(&path).unwrap();
            let now = older::version(&file).unwrap();
            drop(file);
            let may_be = if n < opened { [older::PRESENT; 2] } else { [version, older::PRESENT] };
            assert!(may_be.contains(&now) && (n < begun || now == version), "{what}: file {n} is of version {now}");
            let store = Store::open(&path, Options::default()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_intact(&path);
            assert_sound(&store);
            assert_eq!(Known::of(&store, &ops), known, "{what}: file {n}");
        }
        let at = if opened < begun { "migrating" } else { "between two files" };
        *kills.entry(at.to_owned()).or_default() += 1;
    }
    kills
}

/// Files of a version, all alike; what a host knew of them before.
fn make_older(dir: &Path, version: i64) -> (Known, Vec<Ref>) {
    let path = dir.join("made");
    let store = Store::open(&path, Options::default()).unwrap();
    let mut ops = Vec::new();
    for n in 0..30 {
        let key = format!("k{:02}", n % 20);
        ops.push(store.set("notes", &key, &json!({"n": n, "pad": "x".repeat(n * 40)})).unwrap());
        ops.push(store.add_tag("notes", &key, "tag").unwrap());
    }
    let mut batch = store.batch();
    batch.set("notes", "left", &1).unwrap().set("notes", "right", &1).unwrap();
    ops.extend(batch.commit().unwrap().ops);
    let known = Known::of(&store, &ops);
    drop(store);
    let file = Connection::open(&path).unwrap();
    older::turn_back(&file, version).unwrap();
    file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(file);
    for n in 0..FILES {
        std::fs::copy(&path, dir.join(format!("r{n}"))).unwrap();
    }
    (known, ops)
}
