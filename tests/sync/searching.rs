//! A declared search, kept in step by everything that changes items, equals one that is built anew.

use crate::support::{Call, Fault, FaultyWire, Fleet, Random, Server, despite_losses};
use serde_json::{Value, json};
use std::time::Duration;
use syncstore::{Options, SearchQuery, Store};

const WORDS: &[&str] = &["milk", "bread", "butter", "cheese", "apple"];
const COLLECTIONS: &[&str] = &["open", "careful", "other"];

/// Key, rank and snippet of every hit of each word.
fn found(store: &Store, name: &str) -> Vec<Vec<(String, String, String)>> {
    let hits = |word: &&str| {
        let found = store.search(name, &SearchQuery::words(word).limit(10_000)).unwrap();
        assert!(found.complete, "{name}");
        let hits = found.hits.into_iter().map(|hit| (hit.key, format!("{:.9}", hit.rank), hit.snippet));
        let mut hits: Vec<_> = hits.collect();
        hits.sort();
        hits
    };
    WORDS.iter().map(hits).collect()
}

fn assert_like_rebuilt(store: &Store, what: &str) {
    for collection in ["open", "careful"] {
        store.drop_search("anew").unwrap();
        assert!(store.declare_search("anew", collection, &["/title", "/list"]).unwrap());
        store.build_search("anew", &mut |_| {}).unwrap();
        assert_eq!(found(store, collection), found(store, "anew"), "{what}");
    }
    store.drop_search("anew").unwrap();
}

fn value(random: &mut Random) -> Value {
    let mut words = || (0..random.below(4)).map(|_| *random.pick(WORDS)).collect::<Vec<_>>();
    match words().len() {
        0 => json!({"title": 7, "list": words()}),
        1 => json!([words().join(" ")]),
        _ => json!({"title": words().join(" "), "list": words(), "not": words()}),
    }
}

fn edit(store: &Store, random: &mut Random) {
    let (collection, key) = (*random.pick(COLLECTIONS), format!("k{}", random.below(12)));
    match random.below(8) {
        0..=3 => drop(store.set(collection, &key, &value(random)).unwrap()),
        4 | 5 => {
            let word = *random.pick(WORDS);
            let _ = store.update(collection, &key, |now| *now = json!({"title": word}));
        }
        6 => drop(store.delete(collection, &key).unwrap()),
        _ => {
            let mut batch = store.batch();
            batch.set(collection, &key, &value(random)).unwrap();
            batch.set("open", "shared", &value(random)).unwrap();
            batch.commit().unwrap();
        }
    }
}

fn run(seed: u64) {
    let mut random = Random::new(seed);
    let fleet = Fleet::seeded(seed);
    let server = Server::with(|options| options.retention.log_entries = 20);
    let small = |options: &mut Options| options.checkpoint_items = 5;
    let (ours, theirs) = (fleet.open_with("a", small), fleet.open_with("b", small));
    for collection in ["open", "careful"] {
        ours.declare_search(collection, collection, &["/title", "/list"]).unwrap();
        ours.build_search(collection, &mut |_| {}).unwrap();
    }
    for step in 0..60 {
        match random.below(12) {
            0..=5 => edit(&ours, &mut random),
            6..=8 => edit(&theirs, &mut random),
            9 => drop(despite_losses("theirs", theirs.sync(&server.wire()))),
            10 => {
                // Interrupted anywhere, a bootstrap included.
                let percent = random.below(40);
                let faults = std::sync::Mutex::new(Random::new(random.below(u64::MAX)));
                let wire = server.wire();
                let wire = FaultyWire::new(&wire, move |_: &Call| match faults.lock().unwrap().below(100) {
                    at if at < percent => Fault::LoseAnswer,
                    _ => Fault::None,
                });
                despite_losses(&format!("seed {seed}, step {step}"), ours.sync(&wire));
            }
            _ => {
                server.environment.advance(Duration::from_secs(30 * 24 * 3600));
                server.prune();
            }
        }
        if step % 15 == 14 && ours.bootstrap_progress().unwrap().is_none() {
            // What a checkpoint replaced is deleted first, as the next sync would: it counts in the ranks until then.
            ours.compact().unwrap();
            assert_like_rebuilt(&ours, &format!("seed {seed}, step {step}"));
        }
    }
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.sync(&server.wire()).unwrap();
    assert_like_rebuilt(&ours, &format!("seed {seed}, in the end"));
    let report = ours.check().unwrap();
    assert!(report.is_ok(), "{report}");
}

#[test]
fn a_search_equals_one_that_is_built_anew_whatever_happened() {
    (0..12).for_each(run);
}

#[test]
fn a_swap_of_a_checkpoint_takes_the_search_with_it_even_if_it_was_declared_meanwhile() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let theirs = fleet.open("b");
    for n in 0..20 {
        theirs.set("open", &format!("k{n:02}"), &json!({"title": "milk"})).unwrap();
    }
    theirs.sync(&server.wire()).unwrap();
    let ours = fleet.open_with("a", |options| options.checkpoint_items = 5);
    ours.set("open", "own", &json!({"title": "own milk"})).unwrap();
    let other = fleet.open("a");
    let mut pages = 0;
    ours.sync_with(&server.wire(), &mut |_| {
        pages += 1;
        if pages == 2 {
            other.declare_search("open", "open", &["/title"]).unwrap();
            other.build_search("open", &mut |_| {}).unwrap();
            assert_eq!(other.search("open", &SearchQuery::words("milk")).unwrap().hits.len(), 1, "not swapped in yet");
        }
    })
    .unwrap();
    assert_eq!(pages, 4);
    assert_eq!(ours.search("open", &SearchQuery::words("milk")).unwrap().hits.len(), 21);
}
