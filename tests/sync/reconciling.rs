//! Random histories of three replicas whose every conflict is resolved by a merge: they end alike, and each conflict is told of once.
//!
//! Where everybody says what of a value is to change, nobody's last word is lost. A set speaks for the whole value: what its writer
//! had not seen it takes back, and others cannot tell that from a change that is meant.

use crate::support::{Call, Fault, FaultyWire, Fleet, Random, Server, despite_losses, view};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use syncstore::{ConflictId, Error, FieldMerge, Notice, Prefer, Resolution, Store};

const REPLICAS: usize = 3;
const STEPS: u64 = 80;
const KEYS: &[&str] = &["x", "y"];

fn trouble(random: &mut Random, call: &Call) -> Fault {
    match (random.below(100), call) {
        (0..10, _) => Fault::LoseRequest,
        (10..20, _) => Fault::LoseAnswer,
        (20..26, _) => Fault::Twice,
        (26..32, Call::Push(_)) => Fault::Late,
        _ => Fault::None,
    }
}

/// Writes a replica's own member of some items: as a difference, or with `sets` as a whole or within a batch too.
fn write(
    store: &Store,
    (n, mark): (usize, u64),
    sets: bool,
    random: &mut Random,
    last: &mut BTreeMap<&'static str, u64>,
) {
    let (member, key) = (format!("r{n}"), *random.pick(KEYS));
    let whole = |key: &str| {
        let mut value: Value = store.get("c", key).unwrap().unwrap();
        value[&member] = mark.into();
        value
    };
    match random.below(5) {
        0 | 1 if sets => {
            store.set("c", key, &whole(key)).unwrap();
        }
        2 if sets => {
            let mut batch = store.batch();
            for key in KEYS {
                batch.set("c", key, &whole(key)).unwrap();
                last.insert(key, mark);
            }
            batch.commit().unwrap();
        }
        _ => {
            store.update("c", key, |value| value[&member] = mark.into()).unwrap();
        }
    }
    last.insert(key, mark);
}

/// Resolves what is open, as a host does that looks at it in its own time.
fn resolve(store: &Store) {
    for conflict in store.conflicts().unwrap() {
        let merged = FieldMerge(Prefer::Ours).merge(&conflict).unwrap().unwrap();
        match store.resolve(&conflict, Resolution::Merged(merged)) {
            Ok(_) | Err(Error::ConflictMoved { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn take(store: &Store, told: &mut HashSet<ConflictId>) {
    loop {
        let some = store.take_notices(3).unwrap();
        if some.is_empty() {
            return;
        }
        for notice in some {
            let Notice::Conflict(conflict) = notice else { panic!("{notice:?}") };
            assert!(told.insert(conflict.id), "{conflict:?} is told twice");
        }
    }
}

/// How many conflicts there were.
fn run(seed: u64, automatic: bool, sets: bool) -> usize {
    let mut random = Random::new(seed);
    let (fleet, server) = (Fleet::seeded(seed), Server::start());
    let direct = server.wire();
    let wires: Vec<FaultyWire> = (0..REPLICAS as u64)
        .map(|n| {
            let mut random = Random::new(seed ^ (n + 1) << 32);
            FaultyWire::new(&direct, move |call| trouble(&mut random, call))
        })
        .collect();
    let open = |n: usize| {
        fleet.open_with(&format!("r{n}"), |options| {
            options.coalescing = !seed.is_multiple_of(3);
            options.push_ops = 1 + (seed % 4) as u32;
            options.pull_entries = 1 + (seed % 5) as u32;
            if automatic {
                options.resolver = Some(Arc::new(FieldMerge(Prefer::Ours)));
            }
        })
    };
    let mut stores: Vec<Store> = (0..REPLICAS).map(open).collect();
    for key in KEYS {
        stores[0].set("c", key, &json!({"r0": 0, "r1": 0, "r2": 0})).unwrap();
    }
    stores.iter().for_each(|store| drop(store.sync(&direct).unwrap()));
    let mut last: Vec<BTreeMap<&str, u64>> = vec![KEYS.iter().map(|key| (*key, 0)).collect(); REPLICAS];
    let mut told: Vec<HashSet<ConflictId>> = vec![HashSet::new(); REPLICAS];
    for mark in 1..=STEPS {
        let n = random.below(REPLICAS as u64) as usize;
        let what = format!("seed {seed}, {mark}: replica {n}");
        match random.below(12) {
            0..=4 => write(&stores[n], (n, mark), sets, &mut random, &mut last[n]),
            5 => drop(despite_losses(&what, stores[n].push(&wires[n]))),
            6 => drop(despite_losses(&what, stores[n].pull(&wires[n]))),
            7 if !automatic => resolve(&stores[n]),
            8 => drop(wires[n].deliver_late()),
            9 => {
                take(&stores[n], &mut told[n]);
                stores[n] = open(n);
                view(&stores[n]);
            }
            _ => drop(despite_losses(&what, stores[n].sync(&wires[n]))),
        }
    }
    // Each round settles at least what the one before has written.
    for _ in 0..8 {
        for (n, store) in stores.iter().enumerate() {
            wires[n].deliver_late();
            store.sync(&direct).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            resolve(store);
        }
    }
    let all = server.items();
    for (n, store) in stores.iter().enumerate() {
        take(store, &mut told[n]);
        assert_eq!(store.conflicts().unwrap(), [], "seed {seed}, replica {n}");
        assert_eq!((store.pending_count().unwrap(), store.rejections().unwrap()), (0, vec![]), "seed {seed}");
        let ended: HashSet<_> = store.ended_conflicts().unwrap().iter().map(|conflict| conflict.id).collect();
        assert_eq!(ended, told[n], "seed {seed}: what replica {n} was told of");
        let expected: BTreeMap<_, _> = all.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect();
        assert_eq!(view(store), expected, "seed {seed}, replica {n}");
        for (key, mark) in last[n].iter().filter(|_| !sets) {
            let value = &expected[&("c".to_owned(), (*key).to_owned())];
            assert_eq!(value[format!("r{n}")], *mark, "seed {seed}: {key} of replica {n}: {value}");
        }
    }
    told.iter().map(HashSet::len).sum()
}

#[test]
fn a_resolver_that_merges_loses_nobodys_last_word() {
    assert!((0..16).map(|seed| run(seed, true, false)).sum::<usize>() > 50);
}

#[test]
fn a_host_that_merges_in_its_own_time_loses_nobodys_last_word() {
    assert!((100..116).map(|seed| run(seed, false, false)).sum::<usize>() > 50);
}

#[test]
fn merges_of_whole_values_come_to_an_end_and_to_the_same_everywhere() {
    assert!((200..216).map(|seed| run(seed, seed % 2 == 0, true)).sum::<usize>() > 50);
}
