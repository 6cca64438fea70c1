//! Replicas of a part of the database: what they keep, and what becomes of the rest when that changes.

use crate::conflicts::Two;
use crate::support::faulty::lost;
use crate::support::{Call, Fault, FaultyWire, Fleet, Server, get, view};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use syncstore::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse, Scope};
use syncstore::wire::{CheckpointRequest, PullRequest, Wire, WireError};
use syncstore::{BootstrapReason, Ending, Error, Filter, KeyRange, Outcome, Resolution, SearchQuery, Store};

pub fn filter(text: &str) -> Filter {
    Filter::parse(text).unwrap()
}

/// Everything that the server has of a filter.
fn part(server: &Server, keep: &Filter) -> BTreeMap<(String, String), serde_json::Value> {
    let items = server.items().into_iter().map(|(item, (value, _))| (item, value));
    items.filter(|((collection, key), _)| keep.has(collection, key)).collect()
}

/// A server with the collections a, b and c, and the full replica that filled them: keys 0 to 9.
pub fn filled(fleet: &Fleet) -> (Arc<Server>, Store) {
    let server = Server::start();
    let full = fleet.open("full");
    for collection in ["a", "b", "c"] {
        for key in 0..10 {
            full.set(collection, &format!("{key}"), &json!({"n": key, "text": "word"})).unwrap();
        }
    }
    full.sync(&server.wire()).unwrap();
    (server, full)
}

fn partial(fleet: &Fleet, name: &str, keep: &str) -> Store {
    fleet.open_with(name, |options| options.keep = Some(filter(keep)))
}

/// A replica that has what it is to keep, and is what it should be.
pub fn assert_whole(store: &Store, server: &Server, keep: &str) {
    let kept = store.kept().unwrap();
    assert_eq!((&kept.keep, &kept.here), (&filter(keep), &filter(keep)));
    assert_eq!(view(store), part(server, &filter(keep)));
    assert!(store.pending().unwrap().is_empty());
}

#[test]
fn a_new_replica_loads_and_pulls_what_it_keeps_and_asks_for_no_more() {
    let fleet = Fleet::new();
    let (server, full) = filled(&fleet);
    let store = partial(&fleet, "part", "a,b:3,nothing");
    assert_eq!(store.kept().unwrap().here, filter(""), "nothing is here before the first sync");
    let direct = server.wire();
    let wire = FaultyWire::recording(&direct);
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.loaded, report.bootstrapped), (11, Some(BootstrapReason::Fresh)));
    assert_whole(&store, &server, "a,b:3,nothing");
    for call in wire.calls() {
        let scope = match call {
            Call::Pull(request) => request.scope,
            Call::Checkpoint(request) => request.scope,
            Call::Push(_) | Call::Info => continue,
        };
        assert_eq!(scope, Scope::of(filter("a,b:3,nothing")));
    }
    for (collection, key) in [("a", "1"), ("b", "3"), ("b", "33"), ("b", "4"), ("c", "new"), ("nothing", "1")] {
        full.set(collection, key, &"changed").unwrap();
    }
    full.delete("a", "0").unwrap();
    full.sync(&server.wire()).unwrap();
    let report = store.sync(&server.wire()).unwrap();
    assert_eq!((report.pulled, report.loaded), (5, 0));
    assert_whole(&store, &server, "a,b:3,nothing");
    store.set("a", "own", &1).unwrap();
    assert_eq!(store.sync(&server.wire()).unwrap().accepted, 1);
    assert_whole(&store, &server, "a,b:3,nothing");
}

#[test]
fn what_is_not_kept_cannot_be_written_and_the_list_is_the_files() {
    let fleet = Fleet::new();
    let (server, _) = filled(&fleet);
    let store = partial(&fleet, "part", "a,b:3");
    store.sync(&server.wire()).unwrap();
    let refused = |result: syncstore::Result<()>| assert!(matches!(result, Err(Error::NotKept { .. })), "{result:?}");
    refused(store.set("c", "0", &1).map(drop));
    refused(store.set("b", "4", &1).map(drop));
    refused(store.delete("c", "0").map(drop));
    refused(store.patch_raw("c", "0", "[]").map(drop));
    refused(store.update("c", "0", |_| {}).map(drop));
    refused(store.add_tag("c", "0", "t").map(drop));
    refused(store.set_index("b", "4", "by", "1").map(drop));
    let mut batch = store.batch();
    batch.set("a", "in", &1).unwrap().set("c", "out", &1).unwrap();
    refused(batch.commit().map(drop));
    assert_eq!((get(&store, "a", "in"), store.pending_count().unwrap()), (None, 0), "all of a batch or nothing");
    // Where a relation leads is another matter.
    store.set_relation("a", "1", "r", "in", ("c", "0")).unwrap();
    store.set("b", "3x", &1).unwrap();
    drop(store);
    let store = fleet.open("part");
    assert_eq!(store.kept().unwrap().keep, filter("a,b:3"));
    refused(store.set("c", "0", &1).map(drop));
    store.sync(&server.wire()).unwrap();
    assert_whole(&store, &server, "a,b:3");
    assert!(matches!(store.keep(&Filter::only([""])), Err(Error::Limit(_))));
    let mut bad = fleet.options();
    bad.keep = Some(Filter::only((0..101).map(|n| n.to_string())));
    assert!(matches!(Store::open(fleet.path("never"), bad), Err(Error::Limit(_))));
    assert!(!fleet.path("never").exists());
}

#[test]
fn narrowing_removes_offline_and_sends_no_op() {
    let fleet = Fleet::new();
    let (server, full) = filled(&fleet);
    let store = fleet.open("part");
    store.sync(&server.wire()).unwrap();
    store.declare_search("words", "b", &["/text"]).unwrap();
    store.build_search("words", &mut |_| {}).unwrap();
    assert!(store.keep(&filter("a,b:3,b:4")).unwrap() && !store.keep(&filter("b:4,b:3,a")).unwrap());
    assert!(matches!(store.set("c", "0", &1), Err(Error::NotKept { .. })));
    let direct = server.wire();
    let offline = FaultyWire::new(&direct, |_| Fault::Fail(lost("offline")));
    let error = store.sync(&offline).unwrap_err();
    assert_eq!(error.report().removed, 18);
    assert_eq!(view(&store), part(&server, &filter("a,b:3,b:4")));
    assert_eq!(store.kept().unwrap().here, filter("a,b:3,b:4"));
    assert_eq!(store.search("words", &SearchQuery::words("word")).unwrap().hits.len(), 2);
    full.set("b", "33", &1).unwrap();
    full.set("c", "0", &1).unwrap();
    full.sync(&server.wire()).unwrap();
    let wire = FaultyWire::recording(&direct);
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.loaded, report.removed, report.widened, report.bootstrapped), (0, 0, false, None));
    assert!(wire.pushed().is_empty());
    assert_whole(&store, &server, "a,b:3,b:4");
    assert_eq!(server.items().len(), 31);
    // From now on the server leaves the rest out.
    full.set("c", "1", &1).unwrap();
    full.set("a", "1", &1).unwrap();
    full.sync(&server.wire()).unwrap();
    assert_eq!(store.sync(&server.wire()).unwrap().pulled, 1);
    assert_whole(&store, &server, "a,b:3,b:4");
}

#[test]
fn widening_loads_just_what_is_missing() {
    let fleet = Fleet::new();
    let (server, full) = filled(&fleet);
    let store = partial(&fleet, "part", "a:1,b");
    store.sync(&server.wire()).unwrap();
    full.set("a", "12", &1).unwrap();
    full.delete("a", "2").unwrap();
    full.set("b", "1", &1).unwrap();
    full.sync(&server.wire()).unwrap();
    // Two more of a, all of c, nothing new of b.
    store.keep(&filter("a:1,a:2,a:3,b,c")).unwrap();
    assert_eq!(store.kept().unwrap().here, filter("a:1,b"));
    let report = store.sync(&server.wire()).unwrap();
    assert_eq!((report.loaded, report.widened, report.removed, report.bootstrapped), (11, true, 0, None));
    assert_whole(&store, &server, "a:1,a:2,a:3,b,c");
    // Wider and narrower at once.
    store.keep(&filter("a,c:1,d")).unwrap();
    let report = store.sync(&server.wire()).unwrap();
    assert_eq!((report.loaded, report.removed), (7, 19));
    assert_whole(&store, &server, "a,c:1,d");
    store.keep(&Filter::everything()).unwrap();
    assert_eq!(store.sync(&server.wire()).unwrap().loaded, 19);
    assert_eq!(view(&store), view(&full));
    assert!(store.kept().unwrap().here.is_everything());
    let report = store.sync(&server.wire()).unwrap();
    assert_eq!((report.loaded, report.widened, report.round_trips), (0, false, 1), "there is nothing left to do");
}

#[test]
fn a_pull_widens_too_and_a_push_does_not() {
    let fleet = Fleet::new();
    let (server, _) = filled(&fleet);
    let store = partial(&fleet, "part", "a");
    store.sync(&server.wire()).unwrap();
    store.keep(&filter("a,b")).unwrap();
    store.push(&server.wire()).unwrap();
    assert_eq!(store.kept().unwrap().here, filter("a"));
    store.pull(&server.wire()).unwrap();
    assert_whole(&store, &server, "a,b");
}

#[test]
fn what_is_pending_of_what_goes_stays_until_it_is_settled() {
    let fleet = Fleet::new();
    let (server, full) = filled(&fleet);
    let store = fleet.open("part");
    store.sync(&server.wire()).unwrap();
    let changed = store.update("b", "1", |value| value["n"] = 100.into()).unwrap().unwrap();
    let made = store.set("b", "new", &1).unwrap();
    let tagged = store.set_index("c", "5", "by", "x").unwrap();
    let refused = store.patch_raw("b", "2", r#"[{"op":"test","path":"/n","value":2}]"#).unwrap();
    full.set("b", "2", &json!({"n": -1})).unwrap();
    full.set("b", "1", &json!({"n": 1, "by": "full"})).unwrap();
    full.sync(&server.wire()).unwrap();
    store.keep(&filter("a")).unwrap();
    let direct = server.wire();
    let offline = FaultyWire::new(&direct, |_| Fault::Fail(lost("offline")));
    store.sync(&offline).unwrap_err();
    let left: Vec<_> = view(&store).into_keys().filter(|(collection, _)| collection != "a").collect();
    let expected = [("b", "1"), ("b", "2"), ("b", "new"), ("c", "5")].map(|(c, k)| (c.to_owned(), k.to_owned()));
    assert_eq!(left, expected);
    assert_eq!(get(&store, "b", "1").unwrap()["n"], 100);
    assert_eq!(store.pending_count().unwrap(), 4);
    store.sync(&direct).unwrap();
    assert_whole(&store, &server, "a");
    for op in [changed, made, tagged] {
        assert!(matches!(store.outcome(op).unwrap(), Some(Outcome::Accepted { .. })), "{op}");
    }
    assert!(matches!(store.outcome(refused).unwrap(), Some(Outcome::Rejected(_))));
    assert_eq!(store.rejections().unwrap()[0].key, "2");
    assert_eq!(server.value("b", "1").unwrap(), json!({"n": 100, "by": "full"}));
    assert_eq!(server.value("b", "new"), Some(json!(1)));
}

#[test]
fn what_was_narrowed_away_and_is_pending_still_is_there_when_it_is_wanted_again() {
    let fleet = Fleet::new();
    let (server, full) = filled(&fleet);
    let store = fleet.open("part");
    store.sync(&server.wire()).unwrap();
    let direct = server.wire();
    let offline = FaultyWire::new(&direct, |_| Fault::Fail(lost("offline")));
    store.update("b", "1", |value| value["n"] = 100.into()).unwrap();
    store.keep(&filter("a")).unwrap();
    store.sync(&offline).unwrap_err();
    full.update("b", "1", |value| value["more"] = true.into()).unwrap();
    full.set("b", "2", &2).unwrap();
    full.sync(&direct).unwrap();
    store.keep(&filter("a,b")).unwrap();
    store.update("b", "1", |value| value["again"] = true.into()).unwrap();
    store.sync(&direct).unwrap();
    assert_whole(&store, &server, "a,b");
    assert_eq!(get(&store, "b", "1").unwrap(), json!({"n": 100, "text": "word", "more": true, "again": true}));
}

#[test]
fn what_was_deleted_while_it_was_not_kept_is_not_there_when_it_is_wanted_again() {
    // Some of its collection is kept all the while, or nothing; there is something to load of it, or nothing.
    for (keep, emptied) in [("a", false), ("a", true), ("a,b:9", false), ("a,b:9", true)] {
        let fleet = Fleet::new();
        let (server, full) = filled(&fleet);
        let store = partial(&fleet, "part", "a,b");
        store.sync(&server.wire()).unwrap();
        store.set_index("b", "1", "by", "x").unwrap();
        store.update("b", "1", |value| value["n"] = 7.into()).unwrap();
        store.keep(&filter(keep)).unwrap();
        store.pull(&server.wire()).unwrap();
        full.delete("b", "1").unwrap();
        for key in ["0", "2", "3", "4", "5", "6", "7", "8", "9"].iter().filter(|_| emptied) {
            full.delete("b", key).unwrap();
        }
        full.sync(&server.wire()).unwrap();
        store.keep(&filter("a,b")).unwrap();
        store.pull(&server.wire()).unwrap();
        assert_eq!(view(&store), part(&server, &filter("a,b")), "{keep} {emptied}");
        store.sync(&server.wire()).unwrap();
        assert_whole(&store, &server, "a,b");
        assert_eq!(store.rejections().unwrap().len(), 2);
    }
}

#[test]
fn what_is_written_before_it_is_loaded_waits_for_the_rest_and_shows_all_the_while() {
    let fleet = Fleet::new();
    let (server, full) = filled(&fleet);
    let store = fleet.open_with("part", |options| {
        options.keep = Some(filter("a,c:1"));
        options.checkpoint_items = 3;
    });
    store.sync(&server.wire()).unwrap();
    store.keep(&filter("a,b,c")).unwrap();
    let ops =
        [store.set("b", "1", &"mine").unwrap(), store.set("c", "new", &1).unwrap(), store.set("c", "2", &2).unwrap()];
    let mut batch = store.batch();
    batch.set("a", "together", &1).unwrap().set("b", "together", &1).unwrap();
    let together = batch.commit().unwrap().ops;
    let alone = store.set("a", "1", &"mine").unwrap();
    let direct = server.wire();
    let mut pages = 0;
    let cut = FaultyWire::new(&direct, |call| match call {
        Call::Checkpoint(_) => {
            pages += 1;
            if pages > 2 { Fault::LoseAnswer } else { Fault::None }
        }
        _ => Fault::None,
    });
    full.set("b", "1", &"theirs").unwrap();
    full.sync(&direct).unwrap();
    for _ in 0..2 {
        store.sync(&cut).unwrap_err();
        assert!(matches!(store.outcome(alone).unwrap(), Some(Outcome::Accepted { .. })), "what is here does not wait");
        for op in ops.iter().chain(&together) {
            assert_eq!(store.outcome(*op).unwrap(), Some(Outcome::Queued));
        }
        for (collection, key) in [("b", "1"), ("c", "new"), ("c", "2"), ("b", "together")] {
            assert!(get(&store, collection, key).is_some(), "{collection} {key}");
        }
        assert!(store.check().unwrap().is_ok());
    }
    store.sync(&direct).unwrap();
    assert_whole(&store, &server, "a,b,c");
    assert_eq!(get(&store, "b", "1"), Some(json!("mine")));
    assert_eq!(server.value("b", "together"), Some(json!(1)));
}

/// Widens and narrows while others write, with a fault at each call; then goes on.
#[test]
fn another_filter_may_be_interrupted_at_every_call_and_goes_on() {
    for fault in [Fault::LoseRequest, Fault::LoseAnswer] {
        for n in 0.. {
            let fleet = Fleet::new();
            let (server, full) = filled(&fleet);
            let configure =
                |options: &mut syncstore::Options| (options.checkpoint_items, options.pull_entries) = (4, 5);
            let open = || fleet.open_with("part", configure);
            let store = open();
            store.keep(&filter("a,b:1,c")).unwrap();
            store.sync(&server.wire()).unwrap();
            store.keep(&filter("a,b,d")).unwrap();
            store.set("a", "own", &1).unwrap();
            store.set("b", "own", &1).unwrap();
            let direct = server.wire();
            let mut calls = 0;
            let wire = FaultyWire::new(&direct, |_| {
                assert!(calls < 100, "it comes to an end though somebody else is always at it");
                full.set("b", &format!("{}", calls % 13), &calls).unwrap();
                full.update("a", "5", |value| value["n"] = calls.into()).unwrap();
                full.delete("b", &format!("{}", (calls + 5) % 10)).unwrap();
                full.sync(&server.wire()).unwrap();
                calls += 1;
                if calls == n + 1 { fault.clone() } else { Fault::None }
            });
            let interrupted = store.sync(&wire).is_err();
            drop(wire);
            assert!(store.check().unwrap().is_ok(), "{n}");
            drop(store);
            let store = open();
            let report = store.sync(&server.wire()).unwrap();
            assert_eq!(report.bootstrapped, None, "{n}");
            assert_whole(&store, &server, "a,b,d");
            if !interrupted {
                assert!(n > 8, "{n}");
                break;
            }
        }
    }
}

/// A replica that keeps `a`, and has six of the ten items of `b` that it is to keep, too.
fn halfway(fleet: &Fleet, server: &Arc<Server>) -> Store {
    let store = fleet.open_with("part", |options| {
        options.keep = Some(filter("a"));
        options.checkpoint_items = 3;
    });
    store.sync(&server.wire()).unwrap();
    store.keep(&filter("a,b")).unwrap();
    let direct = server.wire();
    let mut pages = 0;
    let cut = FaultyWire::new(&direct, |call| {
        pages += i32::from(matches!(call, Call::Checkpoint(_)));
        if pages > 2 { Fault::LoseRequest } else { Fault::None }
    });
    assert_eq!(store.sync(&cut).unwrap_err().report().loaded, 6);
    store
}

#[test]
fn another_filter_that_was_interrupted_loads_no_page_again() {
    let fleet = Fleet::new();
    let (server, _) = filled(&fleet);
    let store = halfway(&fleet, &server);
    assert_eq!(store.sync(&server.wire()).unwrap().loaded, 4);
    assert_whole(&store, &server, "a,b");
}

#[test]
fn another_filter_given_up_halfway_leaves_nothing_behind() {
    for then in ["a", "a,c", "a,b,c", "c", ""] {
        let fleet = Fleet::new();
        let (server, full) = filled(&fleet);
        let store = halfway(&fleet, &server);
        assert!(store.check().unwrap().incoming > 0);
        full.set("b", "1", &1).unwrap();
        full.sync(&server.wire()).unwrap();
        store.keep(&filter(then)).unwrap();
        store.sync(&server.wire()).unwrap();
        assert_whole(&store, &server, then);
        let report = store.check().unwrap();
        assert_eq!((report.incoming, report.retired, report.bootstrapping), (0, 0, false));
    }
}

/// What the replica had when the call began is more than it is to have, and may be everything.
#[test]
fn a_filter_that_is_set_while_a_call_runs_loads_no_more_than_what_is_missing() {
    for (before, then, missing) in
        [("", "b,c:1", 0), ("", "a", 0), ("a,b", "b,c", 10), ("a", "b", 10), ("a", "a:1,c", 10)]
    {
        for cut in [false, true] {
            let context = format!("{before:?} to {then:?}, cut: {cut}");
            let fleet = Fleet::new();
            let (server, _) = filled(&fleet);
            let store = fleet.open_with("part", |options| {
                options.keep = Some(if before.is_empty() { Filter::everything() } else { filter(before) });
                options.checkpoint_items = 4;
            });
            let direct = server.wire();
            store.sync(&direct).unwrap();
            let mut pages = 0;
            let wire = FaultyWire::new(&direct, |call| {
                match call {
                    Call::Pull(_) => drop(store.keep(&filter(then)).unwrap()),
                    Call::Checkpoint(request) => {
                        let have = request.scope.have.as_ref().expect("something is there");
                        assert!(request.scope.filter.covers(have), "{context}: {have}");
                        pages += 1;
                    }
                    _ => {}
                }
                // After the first page of what is missing.
                if cut && pages > 0 && !matches!(call, Call::Checkpoint(_)) { Fault::LoseRequest } else { Fault::None }
            });
            let report = store.sync(&wire);
            drop(wire);
            let checked = store.check().unwrap();
            assert!(checked.is_ok() && checked.bootstrapping == cut, "{context}: {checked}");
            let had = part(&server, &filter(then))
                .into_iter()
                .filter(|(item, _)| before.is_empty() || filter(before).has(&item.0, &item.1));
            if cut {
                report.unwrap_err();
                assert_eq!(view(&store), had.collect(), "{context}");
                let report = store.sync(&direct).unwrap();
                assert_eq!(report.bootstrapped, None, "{context}");
            } else {
                let report = report.unwrap();
                assert_eq!((report.loaded, report.bootstrapped), (missing, None), "{context}");
            }
            assert_whole(&store, &server, then);
        }
    }
}

#[test]
fn a_first_load_that_is_to_be_narrower_begins_anew_and_one_that_is_to_be_wider_goes_on() {
    for (then, loaded) in [("a", 10), ("a,b,c", 30)] {
        let fleet = Fleet::new();
        let (server, _) = filled(&fleet);
        let store = fleet.open_with("part", |options| {
            options.keep = Some(filter("a,b"));
            options.checkpoint_items = 4;
        });
        let direct = server.wire();
        store.sync(&FaultyWire::nth(&direct, 3, Fault::LoseRequest)).unwrap_err();
        let before = store.check().unwrap().incoming;
        assert!(before > 0);
        store.keep(&filter(then)).unwrap();
        let report = store.sync(&direct).unwrap();
        assert_eq!(report.loaded + if then == "a" { 0 } else { before }, loaded);
        assert_whole(&store, &server, then);
    }
}

/// A crash between the two commits with which a part of a collection joins the rest of it.
#[test]
fn a_crash_while_what_was_loaded_joins_the_rest_loses_nothing() {
    let fleet = Fleet::new();
    let (server, full) = filled(&fleet);
    for key in 0..2_500 {
        full.set("a", &format!("x{key}"), &key).unwrap();
    }
    full.sync(&server.wire()).unwrap();
    for then in ["a,b", "a:1,b", "a:x1"] {
        let name = format!("part {then}");
        let store = partial(&fleet, &name, "a:1");
        store.sync(&server.wire()).unwrap();
        store.keep(&filter("a,b")).unwrap();
        store.set("a", "x7", &"mine").unwrap();
        let (from, to) = (fleet.path(&name), fleet.path(&format!("copy {then}")));
        let copy = move || {
            for end in ["", "-wal"] {
                let with = |path: &std::path::Path| format!("{}{end}", path.display());
                std::fs::copy(with(&from), with(&to)).unwrap();
            }
        };
        let watcher = store.watch_with(syncstore::Watch::collection("b"), copy).unwrap();
        store.sync(&server.wire()).unwrap();
        drop(watcher);
        assert_whole(&store, &server, "a,b");
        let copy = fleet.open(&format!("copy {then}"));
        let report = copy.check().unwrap();
        assert!(report.is_ok() && report.bootstrapping && report.incoming > 2_000, "{report}");
        assert_eq!(copy.kept().unwrap().here, filter("a:1"), "not all of it is here");
        assert_eq!(get(&copy, "a", "x7"), Some(json!("mine")));
        copy.keep(&filter(then)).unwrap();
        copy.sync(&server.wire()).unwrap();
        assert_eq!(view(&copy), part(&server, &filter(then)));
        assert_eq!(copy.check().unwrap().incoming, 0);
    }
}

/// A wire to a server that knows no filters.
struct Older<'a>(&'a dyn Wire);

impl Wire for Older<'_> {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.0.info()
    }
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.0.push(request)
    }
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        let mut all = request.clone();
        all.scope = Scope::default();
        self.0.pull(&all)
    }
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        let mut all = request.clone();
        all.scope = Scope::default();
        self.0.checkpoint(&all)
    }
}

#[test]
fn a_server_that_knows_no_filters_is_filtered_here() {
    let fleet = Fleet::new();
    let (server, full) = filled(&fleet);
    let direct = server.wire();
    let older = Older(&direct);
    let store = fleet.open_with("part", |options| {
        options.keep = Some(filter("a,b:3"));
        options.checkpoint_items = 4;
    });
    assert_eq!(store.sync(&older).unwrap().loaded, 11);
    assert_whole(&store, &server, "a,b:3");
    for (collection, key) in [("a", "1"), ("b", "3"), ("b", "4"), ("c", "new")] {
        full.set(collection, key, &"changed").unwrap();
    }
    full.sync(&direct).unwrap();
    let report = store.sync(&older).unwrap();
    assert_eq!((report.pulled, report.bootstrapped), (4, None));
    assert_whole(&store, &server, "a,b:3");
    store.set("b", "3", &"pending").unwrap();
    for keep in ["a", "a,c", "a:1,b,c", ""] {
        store.keep(&filter(keep)).unwrap();
        assert_eq!(store.sync(&older).unwrap().bootstrapped, None);
        assert_whole(&store, &server, keep);
    }
    store.keep(&filter("a,b")).unwrap();
    store.sync(&older).unwrap();
    // It learns filters: the cursor is of none.
    let report = store.sync(&direct).unwrap();
    assert_eq!((report.bootstrapped, report.loaded), (Some(BootstrapReason::Expired), 20));
    assert_whole(&store, &server, "a,b");
    assert_eq!(store.sync(&direct).unwrap().bootstrapped, None);
}

#[test]
fn a_list_for_a_store_that_another_one_has_open_is_for_both() {
    let fleet = Fleet::new();
    let (server, _) = filled(&fleet);
    let (one, two) = (fleet.open("part"), fleet.open("part"));
    one.sync(&server.wire()).unwrap();
    two.keep(&filter("a")).unwrap();
    assert!(matches!(one.set("b", "1", &1), Err(Error::NotKept { .. })));
    one.sync(&server.wire()).unwrap();
    assert_whole(&two, &server, "a");
    assert_eq!(two.list("b", &KeyRange::all()).unwrap().len(), 0);
}

#[test]
fn conflicts_on_what_is_no_longer_kept_end_with_their_items() {
    // The op is settled when the filter changes, or not.
    for pushed in [true, false] {
        let two = Two::new().conflicting("c");
        if pushed {
            two.ours.sync(&two.server.wire()).unwrap();
        }
        assert_eq!(two.only().collection, "c");
        two.ours.keep(&filter("careful")).unwrap();
        two.ours.sync(&two.server.wire()).unwrap();
        assert_eq!(view(&two.ours).keys().map(|(collection, _)| collection.as_str()).collect::<Vec<_>>(), ["careful"]);
        assert!(two.ours.conflicts().unwrap().is_empty());
        assert_eq!(two.ended(), [(Ending::Gone, None)], "pushed: {pushed}");
        assert!(two.ours.check().unwrap().ok);
    }
}

#[test]
fn what_is_loaded_in_addition_is_in_the_indexes_of_its_collection() {
    let fleet = Fleet::new();
    let (server, _) = filled(&fleet);
    // Some keys of one collection are kept before, and of the other there is only what is pending.
    let store = partial(&fleet, "part", "a:3");
    store.sync(&server.wire()).unwrap();
    for collection in ["a", "b"] {
        store.declare_index(collection, "by", "/n").unwrap();
        store.build_index(collection, "by", &mut |_| {}).unwrap();
    }
    store.keep(&filter("a,b")).unwrap();
    store.set("a", "5", &json!({"n": 50})).unwrap();
    store.set("b", "new", &json!({"n": 100})).unwrap();
    store.sync(&server.wire()).unwrap();
    assert_whole(&store, &server, "a,b");
    let by = |collection: &str| -> Vec<String> {
        let rows = store.query(collection).index("by").run().unwrap();
        rows.iter().map(|row| row.key.to_owned()).collect()
    };
    assert_eq!(by("a"), ["0", "1", "2", "3", "4", "6", "7", "8", "9", "5"]);
    assert_eq!(by("b"), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "new"]);
    store.delete("a", "7").unwrap();
    assert!(!by("a").contains(&"7".to_owned()));
    assert_eq!(view(&store).len(), 20);
}

#[test]
fn two_filters_that_have_more_in_common_than_one_can_say_leave_a_replica_that_syncs() {
    let fleet = Fleet::new();
    let (server, _) = filled(&fleet);
    let crossed = |whole: &str, parts: &str| {
        let prefixes = (0..98).map(|n| format!("{parts}:x{n:02}")).collect::<Vec<_>>().join(",");
        filter(&format!("{whole},{parts}:3,{prefixes}"))
    };
    let (one, two) = (crossed("a", "b"), crossed("b", "a"));
    let store = fleet.open_with("part", |options| options.keep = Some(one));
    store.sync(&server.wire()).unwrap();
    store.keep(&two).unwrap();
    store.sync(&server.wire()).unwrap();
    assert_eq!(store.kept().unwrap().here, two);
    assert_eq!(view(&store), part(&server, &two));
}

#[test]
fn what_is_resolved_while_another_filter_loads_is_not_taken_for_what_is_pending() {
    for keep in ["careful", "careful,c:9"] {
        let two = Two::new().conflicting("c");
        let conflict = two.only();
        two.ours.keep(&filter(keep)).unwrap();
        two.ours.pull(&two.server.wire()).unwrap();
        two.theirs.sync(&two.server.wire()).unwrap();
        two.theirs.delete("c", "k").unwrap();
        two.theirs.sync(&two.server.wire()).unwrap();
        two.ours.keep(&filter("careful,c")).unwrap();
        let direct = two.server.wire();
        let wire = FaultyWire::new(&direct, |call| {
            if let Call::Checkpoint(_) = call {
                two.ours.resolve(&conflict, Resolution::TakeTheirs).unwrap();
            }
            Fault::None
        });
        two.ours.sync(&wire).unwrap();
        assert_eq!(get(&two.ours, "c", "k"), None, "{keep}");
        assert_whole(&two.ours, &two.server, "careful,c");
    }
}

#[test]
fn what_items_have_beside_their_values_is_joined_and_removed_with_them() {
    let fleet = Fleet::new();
    let (server, full) = filled(&fleet);
    let mut batch = full.batch();
    for n in 0..600 {
        let key = format!("many{n:03}");
        batch.set("b", &key, &n).unwrap();
        batch.set_index("b", &key, "by", "x").unwrap().add_tag("b", &key, "tag").unwrap();
    }
    batch.commit().unwrap();
    full.sync(&server.wire()).unwrap();
    let store = partial(&fleet, "part", "a,b:3");
    store.sync(&server.wire()).unwrap();
    store.keep(&filter("a,b")).unwrap();
    let report = store.sync(&server.wire()).unwrap();
    assert_eq!((report.loaded, report.widened), (609, true));
    assert_whole(&store, &server, "a,b");
    let entries = || store.check().unwrap().resources;
    assert_eq!(entries(), 1_200);
    store.keep(&filter("a")).unwrap();
    assert_eq!(store.sync(&server.wire()).unwrap().removed, 610);
    assert_whole(&store, &server, "a");
    assert_eq!(entries(), 0);
}
