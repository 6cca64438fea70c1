//! What a host declares, automatic indexes and full-text searches, equals what is built anew, whatever happened to the items.

use crate::support::{Call, Fault, FaultyWire, Fleet, Random, Server, despite_losses};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;
use syncstore::{Changes, IndexValue, IndexedField, Options, Overflow, Query, SearchQuery, Store, Watcher};

/// One has the server's plain policy, one refuses what is stale.
const COLLECTIONS: &[&str] = &["open", "careful"];
/// Of which a range is watched.
const WATCHED: &str = "open";
const WORDS: &[&str] = &["milk", "bread", "butter"];
const FIELDS: &[&str] = &["/x", "/list", "/list/0", ""];

#[derive(Clone, Debug)]
enum Step {
    /// By the replica that declares, or by the other one.
    Set {
        ours: bool,
        collection: &'static str,
        key: u8,
        value: Value,
    },
    Patch {
        ours: bool,
        collection: &'static str,
        key: u8,
        value: Value,
    },
    Delete {
        ours: bool,
        collection: &'static str,
        key: u8,
    },
    Batch {
        collection: &'static str,
        keys: Vec<u8>,
        value: Value,
    },
    TheirSync,
    /// Of which some answers are lost.
    OurSync {
        lost: u64,
        seed: u64,
    },
    /// Ours has to load a checkpoint.
    Expire,
    Reopen,
    Declare {
        collection: &'static str,
        field: &'static str,
        dates: bool,
    },
    /// A slice of a build, and then the host gives up.
    BuildSome {
        collection: &'static str,
    },
    Build {
        collection: &'static str,
    },
    Drop {
        collection: &'static str,
    },
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        prop_oneof![Just(u64::MAX), Just(1 << 53), Just((1 << 53) + 1)].prop_map(Value::from),
        (-6_i32..6).prop_map(|half| json!(f64::from(half) / 2.0)),
        proptest::sample::select(WORDS).prop_map(Value::from),
        "[\0-\u{3}a]{0,2}".prop_map(Value::from),
        (0..3_u8, 0..3_u8).prop_map(|(hour, offset)| json!(format!("2026-11-21T0{hour}:00:00+0{offset}:00"))),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let words = vec(proptest::sample::select(WORDS), 0..4).prop_map(|words| words.join(" "));
    prop_oneof![
        6 => (scalar(), vec(scalar(), 0..4), words).prop_map(|(x, list, title)| json!({"x": x, "list": list, "title": title})),
        1 => scalar(),
        1 => vec(scalar(), 0..4).prop_map(|list| json!({"x": list, "list": {"0": "inner"}})),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let collection = || proptest::sample::select(COLLECTIONS);
    let key = || 0..6_u8;
    let field = || (proptest::sample::select(FIELDS), any::<bool>());
    prop_oneof![
        8 => (any::<bool>(), collection(), key(), value())
            .prop_map(|(ours, collection, key, value)| Step::Set { ours, collection, key, value }),
        4 => (any::<bool>(), collection(), key(), scalar())
            .prop_map(|(ours, collection, key, value)| Step::Patch { ours, collection, key, value }),
        3 => (any::<bool>(), collection(), key()).prop_map(|(ours, collection, key)| Step::Delete { ours, collection, key }),
        2 => (collection(), vec(key(), 1..4), value())
            .prop_map(|(collection, keys, value)| Step::Batch { collection, keys, value }),
        4 => Just(Step::TheirSync),
        5 => (0..40_u64, any::<u64>()).prop_map(|(lost, seed)| Step::OurSync { lost, seed }),
        1 => Just(Step::Expire),
        1 => Just(Step::Reopen),
        1 => (collection(), field()).prop_map(|(collection, (field, dates))| Step::Declare { collection, field, dates }),
        1 => collection().prop_map(|collection| Step::BuildSome { collection }),
        2 => collection().prop_map(|collection| Step::Build { collection }),
        1 => collection().prop_map(|collection| Step::Drop { collection }),
    ]
}

/// Takes a step; whether it loaded a checkpoint for ours.
fn take(step: &Step, ours: &Store, theirs: &Store, server: &std::sync::Arc<Server>) -> bool {
    let by = |is_ours: bool| if is_ours { ours } else { theirs };
    let name = |key: &u8| format!("k{key}");
    match step {
        Step::Set { ours, collection, key, value } => drop(by(*ours).set(collection, &name(key), value).unwrap()),
        Step::Patch { ours, collection, key, value } => {
            // There may be no such item.
            let _ = by(*ours).update(collection, &name(key), |now| match now {
                Value::Object(members) => drop(members.insert("x".into(), value.clone())),
                other => *other = value.clone(),
            });
        }
        Step::Delete { ours, collection, key } => drop(by(*ours).delete(collection, &name(key)).unwrap()),
        Step::Batch { collection, keys, value } => {
            let mut batch = ours.batch();
            for key in keys {
                batch.set(collection, &name(key), value).unwrap();
            }
            batch.delete(collection, &name(&keys[0])).unwrap();
            batch.commit().unwrap();
        }
        Step::TheirSync => drop(despite_losses("theirs", theirs.sync(&server.wire()))),
        Step::OurSync { lost, seed } => {
            let faults = Mutex::new(Random::new(*seed));
            let wire = server.wire();
            let wire = FaultyWire::new(&wire, |_: &Call| match faults.lock().unwrap().below(100) {
                at if at < *lost => Fault::LoseAnswer,
                _ => Fault::None,
            });
            return despite_losses("ours", ours.sync(&wire)).bootstrapped.is_some();
        }
        Step::Expire => {
            server.environment.advance(Duration::from_secs(30 * 24 * 3600));
            server.prune();
        }
        Step::Reopen => {}
        Step::Declare { collection, field, dates } => {
            let field = if *dates { IndexedField::dates(*field) } else { IndexedField::new(*field) };
            ours.declare_index(collection, "by", field).unwrap();
            ours.declare_search(collection, collection, &["/title", "/list"]).unwrap();
        }
        Step::BuildSome { collection } => {
            let stop = || std::panic::resume_unwind(Box::new("the host gives up"));
            let build = || drop(ours.build_index(collection, "by", &mut |_| stop()));
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(build));
        }
        Step::Build { collection } => {
            let _ = ours.build_index(collection, "by", &mut |_| {});
            let _ = ours.build_search(collection, &mut |_| {});
        }
        Step::Drop { collection } => drop(ours.drop_index(collection, "by").unwrap()),
    }
    false
}

/// Each row of an index: where it stands and its key.
fn rows(store: &Store, collection: &str, index: &str) -> (Vec<(String, String)>, bool) {
    let rows = store.query(collection).index(index).keys_only().run().unwrap();
    let places = rows.iter().map(|row| (row.order.unwrap().to_owned(), row.key.to_owned())).collect();
    (places, rows.is_complete())
}

fn is_declared(store: &Store, collection: &str) -> bool {
    store.build_index(collection, "by", &mut |_| {}).is_ok()
}

/// The values at `/x`, found apart from the index.
fn model(store: &Store, collection: &str) -> usize {
    let rows = store.query(collection).run().unwrap();
    let of = |value: Value| match value.get("x") {
        Some(Value::Array(members)) => {
            let mut texts: Vec<String> = members
                .iter()
                .filter(|member| !(member.is_null() || member.is_object() || member.is_array()))
                .map(|member| {
                    member.as_f64().filter(|_| !member.is_u64()).map_or(member.to_string(), |n| n.to_string())
                })
                .collect();
            texts.sort();
            texts.dedup();
            texts.len()
        }
        Some(value) => usize::from(!value.is_null()),
        None => 0,
    };
    rows.iter().map(|row| of(row.to::<Value>().unwrap().unwrap())).sum()
}

/// What is read in a watched range: where each item stands in it, and its value.
type Read = BTreeMap<String, (BTreeSet<String>, String)>;

fn read(query: &Query<'_>) -> (Read, bool) {
    let mut read = Read::new();
    // Without the index there are texts alone, and nothing is between numbers.
    let Ok(rows) = query.clone().run() else { return (read, true) };
    for row in rows.iter() {
        let item = read.entry(row.key.to_owned()).or_default();
        item.0.insert(row.order.unwrap().to_owned());
        item.1 = row.value.unwrap().to_owned();
    }
    (read, rows.is_complete())
}

/// Whether a watcher was told of those items that read otherwise, and if the index is complete of no others; how many it
/// was told of. To look at everything again is an answer where everything was replaced, or the index.
fn assert_told(
    watcher: &Watcher,
    before: &Read,
    now: &(Read, bool),
    (step, loaded): (&Step, bool),
    what: &str,
) -> usize {
    let items = match watcher.take().unwrap() {
        Changes::Items(items) => items,
        Changes::Overflowed(why) => {
            let reindexes = matches!(
                step,
                Step::Declare { collection, .. }
                    | Step::BuildSome { collection }
                    | Step::Build { collection }
                    | Step::Drop { collection }
                if *collection == WATCHED
            );
            let is_due = match why {
                Overflow::Reloaded => loaded,
                Overflow::Reindexed => reindexes,
                _ => false,
            };
            assert!(is_due, "{what}: {why:?}");
            return 0;
        }
        other => panic!("{what}: {other:?}"),
    };
    let told: BTreeSet<&String> = items.iter().map(|item| &item.key).collect();
    let keys: BTreeSet<&String> = before.keys().chain(now.0.keys()).collect();
    let others: BTreeSet<&String> = keys.into_iter().filter(|key| before.get(*key) != now.0.get(*key)).collect();
    // What a build takes in is told at its end.
    assert!(told.is_superset(&others) || what.starts_with("BuildSome"), "{what}: {others:?}, told {told:?}");
    // Within one step a batch may have an item come and go, and a sync may bring what is overwritten.
    assert!(!now.1 || what.starts_with("Batch") || told == others, "{what}: {others:?}, told {told:?}");
    told.len()
}

fn found(store: &Store, name: &str) -> Vec<Vec<(String, String)>> {
    let hits = |word: &&str| {
        let found = store.search(name, &SearchQuery::words(word).limit(10_000)).unwrap();
        assert!(found.complete, "{name}");
        let mut hits: Vec<_> = found.hits.into_iter().map(|hit| (hit.key, hit.snippet)).collect();
        hits.sort();
        hits
    };
    WORDS.iter().map(hits).collect()
}

fn assert_like_rebuilt(store: &Store, fields: &[(&'static str, IndexedField)]) {
    let report = store.check().unwrap();
    assert!(report.is_ok(), "{report}");
    for (collection, field) in fields {
        store.drop_index(collection, "anew").unwrap();
        assert!(store.declare_index(collection, "anew", field.clone()).unwrap());
        store.build_index(collection, "anew", &mut |_| {}).unwrap();
        let (now, anew) = (rows(store, collection, "by"), rows(store, collection, "anew"));
        assert!(now.1, "{collection}: built");
        assert_eq!(now, anew, "{collection}");
        assert!(now.0.is_sorted());
        store.drop_index(collection, "anew").unwrap();
        assert!(store.declare_search("anew", collection, &["/title", "/list"]).unwrap());
        store.build_search("anew", &mut |_| {}).unwrap();
        store.build_search(collection, &mut |_| {}).unwrap();
        assert_eq!(found(store, collection), found(store, "anew"), "{collection}");
        store.drop_search("anew").unwrap();
    }
}

/// Plays a history; how many changes the watchers were told of.
fn play(steps: &[Step]) -> Result<usize, TestCaseError> {
    let fleet = Fleet::seeded(1);
    let server = Server::with(|options| options.retention.log_entries = 20);
    let small = |options: &mut Options| options.checkpoint_items = 3;
    let (mut ours, theirs) = (fleet.open_with("a", small), fleet.open("b"));
    let mut declared: Vec<(&'static str, IndexedField)> = Vec::new();
    for collection in COLLECTIONS {
        take(&Step::Declare { collection, field: "/x", dates: false }, &ours, &theirs, &server);
        declared.push((collection, "/x".into()));
    }
    let other = fleet.open("a");
    let watch = |store: &Store| {
        let query = store.query(WATCHED).index("by").from(0).to("b");
        (store.watch(query.watch()).unwrap(), read(&query).0)
    };
    let (mut watcher, mut before) = watch(&ours);
    let (trailing, _) = watch(&other);
    let mut told = 0;
    for step in steps {
        let taken = (step, take(step, &ours, &theirs, &server));
        let now = read(&other.query(WATCHED).index("by").from(0).to("b"));
        told += assert_told(&watcher, &before, &now, taken, &format!("{step:?}"));
        told += assert_told(&trailing, &before, &now, taken, &format!("{step:?}, by the trail"));
        before = now.0;
        match step {
            Step::Reopen => {
                drop(ours);
                ours = fleet.open_with("a", small);
                (watcher, before) = watch(&ours);
            }
            Step::Declare { collection, field, dates } => {
                let field = if *dates { IndexedField::dates(*field) } else { IndexedField::new(*field) };
                declared.retain(|(of, _)| of != collection);
                declared.push((collection, field));
            }
            Step::Drop { collection } => declared.retain(|(of, _)| of != collection),
            Step::Expire => {
                let report = ours.check().unwrap();
                prop_assert!(report.is_ok(), "{}", report);
            }
            _ => {}
        }
    }
    for collection in COLLECTIONS {
        prop_assert_eq!(is_declared(&ours, collection), declared.iter().any(|(of, _)| of == collection));
    }
    assert_like_rebuilt(&ours, &declared);
    for _ in 0..2 {
        ours.sync(&server.wire()).unwrap();
        theirs.sync(&server.wire()).unwrap();
    }
    assert_like_rebuilt(&ours, &declared);
    for (collection, field) in &declared {
        if *field == "/x".into() {
            prop_assert_eq!(rows(&ours, collection, "by").0.len(), model(&ours, collection));
        }
    }
    Ok(told)
}

#[test]
fn an_index_and_a_search_equal_those_built_anew_and_a_watched_range_is_told_right() {
    let config = ProptestConfig { cases: 16, max_shrink_iters: 200, failure_persistence: None, ..Default::default() };
    let told = Cell::new(0);
    let result = TestRunner::new(config).run(&vec(step(), 1..80), |steps| -> TestCaseResult {
        told.set(told.get() + play(&steps)?);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(told.get() > 0, "no watcher was ever told of an item");
}

#[test]
fn an_index_that_is_declared_while_a_checkpoint_is_loaded_has_what_is_swapped_in() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let theirs = fleet.open("b");
    for n in 0..20 {
        theirs.set("open", &format!("k{n:02}"), &json!({"x": n})).unwrap();
    }
    theirs.sync(&server.wire()).unwrap();
    let ours = fleet.open_with("a", |options| options.checkpoint_items = 5);
    ours.set("open", "own", &json!({"x": [7, "own"]})).unwrap();
    let other = fleet.open("a");
    let mut pages = 0;
    ours.sync_with(&server.wire(), &mut |_| {
        pages += 1;
        if pages == 2 {
            other.declare_index("open", "by", "/x").unwrap();
            other.build_index("open", "by", &mut |_| {}).unwrap();
            assert_eq!(rows(&other, "open", "by").0.len(), 2, "not swapped in yet");
        }
    })
    .unwrap();
    assert_eq!(pages, 4);
    assert_eq!(rows(&ours, "open", "by").0.len(), 22);
    let sevens = ours.query("open").index("by").from(7).to(8).run().unwrap();
    assert_eq!(sevens.iter().map(|row| row.key).collect::<Vec<_>>(), ["k07", "own"]);
    assert_eq!(sevens.get(0).unwrap().order_value(), Some(IndexValue::Integer(7)));
}
