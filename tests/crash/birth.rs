//! Replicas whose process is killed while it makes them.

use crate::life::{Kills, assert_intact, assert_sound};
use crate::process::{Part, was_killed};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use syncstore::{Options, Outcome, Ref, Store};
use syncstore_simulation::Random;

/// Kills so many processes that make one replica after another; what they were killed at.
pub fn run(seed: u64, deaths: u64) -> Kills {
    let mut random = Random::new(seed);
    let mut kills = Kills::new();
    for death in 0..deaths {
        let dir = tempfile::tempdir().unwrap();
        let after = Duration::from_micros(random.below(30_000));
        let told = killed("birth", dir.path(), after);
        let words: Vec<Vec<&str>> = told.iter().map(|line| line.split_whitespace().collect()).collect();
        let what = format!("SEED={seed}: death {death}, after {after:?}, {:?}", told.last());
        let mut clients = BTreeMap::new();
        let mut ops = BTreeMap::new();
        let mut begun = 0;
        for line in &words {
            match line[..] {
                ["begin", _] => begun += 1,
                ["opened", n, client] => drop(clients.insert(n.to_owned(), client.to_owned())),
                ["wrote", n, op] => drop(ops.insert(n.to_owned(), op.parse::<Ref>().unwrap())),
                _ => panic!("{what}"),
            }
        }
        assert!(begun > 0, "{what}: no birth began");
        for n in 0..begun {
            let path = dir.path().join(format!("r{n}"));
            let n = n.to_string();
            check(&path, clients.get(&n).map(String::as_str), ops.get(&n).copied(), &what);
        }
        let at = if clients.len() < begun { "opening" } else { "writing" };
        *kills.entry(at.to_owned()).or_default() += 1;
    }
    kills
}

/// What a process that plays a part told, and was killed so long after it had begun.
pub fn killed(part: &str, dir: &Path, after: Duration) -> Vec<String> {
    let mut part = Part::new(part).set("FILE", dir.join("r")).start();
    let killer = part.killer();
    let mut told: Vec<String> = part.hear().into_iter().collect();
    let timer = std::thread::spawn(move || {
        std::thread::sleep(after);
        killer.kill()
    });
    told.extend(std::iter::from_fn(|| part.hear()));
    let status = timer.join().unwrap();
    assert!(was_killed(status), "the process ended by itself: {status}, {:?}", told.last());
    told
}

/// What a host finds that opens the file again, or for the first time.
fn check(path: &Path, client: Option<&str>, op: Option<Ref>, what: &str) {
    let store = Store::open(path, Options::default()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_intact(path);
    assert_sound(&store);
    if let Some(client) = client {
        assert_eq!(store.client_id().unwrap().to_string(), client, "{what}");
    }
    if let Some(op) = op {
        assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Queued), "{what}");
    }
    let there = store.get::<u64>("notes", "first").unwrap().is_some();
    assert!(there || op.is_none(), "{what}: an answered write is lost");
    assert_eq!(store.pending_count().unwrap(), u64::from(there), "{what}");
    store.set("notes", "second", &1).unwrap();
}
