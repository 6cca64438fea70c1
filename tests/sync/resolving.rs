//! Every way out of a conflict, by hand and by a resolver.

use crate::conflicts::{Two, sides, value};
use crate::support::scripted::{foreign, item, result, set_entry};
use crate::support::{Fault, FaultyWire, Fleet, ScriptedWire, Server, get};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use syncstore::protocol::{PushOutcome, PushResponse};
use syncstore::{
    ChangeKind, Changes, Conflict, ConflictNews, ConflictResolver, Ending, Error, Event, EventOptions, Events,
    FieldMerge, LastWriter, Outcome, Prefer, Resolution, Store,
};

#[test]
fn keeping_the_rebased_view_writes_nothing_and_is_not_stale() {
    let two = Two::new().conflicting("careful").reopen();
    assert_eq!(two.ours.resolve(&two.only(), Resolution::KeepRebased).unwrap(), None);
    assert_eq!(two.ended(), [(Ending::KeptRebased, None)]);
    let two = two.reopen();
    assert_eq!((two.ours.pending_count().unwrap(), two.ours.pending().unwrap()[0].base), (1, Some(3)));
    two.sync();
    assert_eq!(two.server.value("careful", "k"), value(1, 0));
    assert_eq!((two.ours.rejections().unwrap(), two.ours.conflicts().unwrap()), (vec![], vec![]));
}

#[test]
fn taking_theirs_withdraws_what_was_never_sent() {
    let two = Two::new();
    two.they_set("c", 1);
    let op = two.ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    let folded = two.ours.set("c", "k", &json!({"a": 2, "b": 0})).unwrap();
    two.ours.pull(&two.server.wire()).unwrap();
    let watcher = two.ours.watch(syncstore::Watch::all()).unwrap();
    assert_eq!(two.ours.resolve(&two.only(), Resolution::TakeTheirs).unwrap(), None);
    assert!(!watcher.take().unwrap().is_empty());
    assert_eq!((get(&two.ours, "c", "k"), two.ours.pending_count().unwrap()), (value(0, 1), 0));
    assert_eq!(two.ours.outcome(op).unwrap(), Some(Outcome::Withdrawn(None)));
    assert_eq!(two.ours.wait(folded, Duration::from_secs(60)).unwrap(), Some(Outcome::Withdrawn(None)));
    let two = two.reopen();
    two.sync();
    assert_eq!((two.server.value("c", "k"), two.ended()), (value(0, 1), vec![(Ending::TookTheirs, None)]));
}

#[test]
fn taking_theirs_of_an_op_in_flight_writes_one_that_follows_it() {
    let two = Two::new();
    two.they_set("c", 1);
    let op = two.ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    let direct = two.server.wire();
    two.ours.push(&FaultyWire::pushes(&direct, [Fault::LoseRequest])).unwrap_err();
    two.ours.pull(&direct).unwrap();
    let new = two.ours.resolve(&two.only(), Resolution::TakeTheirs).unwrap().unwrap();
    assert_eq!((get(&two.ours, "c", "k"), two.ours.pending_count().unwrap()), (value(0, 1), 2));
    let two = two.reopen();
    two.sync();
    assert_eq!(two.server.value("c", "k"), value(0, 1));
    assert!(matches!(two.ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    assert!(matches!(two.ours.outcome(new).unwrap(), Some(Outcome::Accepted { .. })));
    assert_eq!((two.ended(), two.ours.conflicts().unwrap()), (vec![(Ending::TookTheirs, Some(new))], vec![]));
}

#[test]
fn taking_theirs_days_later_takes_what_theirs_has_become() {
    let two = Two::new();
    two.they_set("c", 1);
    two.ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    two.sync();
    let two = two.reopen();
    two.they_set("c", 7);
    two.fleet.environment.advance(Duration::from_secs(3 * 24 * 3600));
    two.sync();
    let new = two.ours.resolve(&two.only(), Resolution::TakeTheirs).unwrap().unwrap();
    two.sync();
    assert_eq!((two.server.value("c", "k"), two.ended()), (value(0, 7), vec![(Ending::TookTheirs, Some(new))]));
}

#[test]
fn keeping_ours_or_a_merged_value_goes_with_the_base_of_theirs() {
    for (resolution, expected) in
        [(Resolution::KeepOurs, value(1, 0)), (Resolution::Merged(json!({"a": 1, "b": 1})), value(1, 1))]
    {
        let two = Two::new();
        two.they_set("careful", 1);
        let op = two.ours.update("careful", "k", |value| value["a"] = 1.into()).unwrap().unwrap();
        two.ours.pull(&two.server.wire()).unwrap();
        let two = two.reopen();
        let merged = resolution != Resolution::KeepOurs;
        let new = two.ours.resolve(&two.only(), resolution).unwrap();
        // A merge that is what is read already takes no op of its own.
        assert_eq!(new.is_none(), merged);
        assert_eq!(two.ours.pending().unwrap()[0].base, Some(3));
        match new {
            Some(new) => assert_eq!(two.ours.outcome(op).unwrap(), Some(Outcome::Withdrawn(Some(new)))),
            None => assert_eq!(two.ours.outcome(op).unwrap(), Some(Outcome::Queued)),
        }
        two.sync();
        assert_eq!(two.server.value("careful", "k"), expected);
        assert_eq!(two.ours.rejections().unwrap(), []);
    }
}

#[test]
fn a_merged_value_takes_the_place_of_both() {
    let two = Two::new().conflicting("careful");
    let new = two.ours.resolve(&two.only(), Resolution::Merged(json!({"a": 1, "b": 1}))).unwrap().unwrap();
    let pending = two.ours.pending().unwrap();
    assert_eq!((pending.len(), pending[0].op_ref, pending[0].base), (1, new, Some(3)));
    let two = two.reopen();
    two.sync();
    assert_eq!((two.server.value("careful", "k"), two.ended()), (value(1, 1), vec![(Ending::Merged, Some(new))]));
    let two = Two::new().conflicting("c");
    let long = "x".repeat(2 << 20);
    assert!(matches!(two.ours.resolve(&two.only(), Resolution::Merged(json!(long))), Err(Error::Limit(_))));
    assert_eq!((sides(&two.only())[3].clone(), two.ours.pending_count().unwrap()), (value(1, 0), 1));
}

#[test]
fn a_resolution_that_takes_an_item_out_of_a_watched_range_is_told_to_who_watches_it() {
    let two = Two::new();
    two.ours.declare_index("c", "by", "/a").unwrap();
    two.ours.build_index("c", "by", &mut |_| {}).unwrap();
    let beside = two.fleet.open("a");
    let watchers = [&two.ours, &beside].map(|store| {
        let range = store.query("c").index("by").from(1).to(2);
        store.watch(range.watch()).unwrap()
    });
    let all = || {
        watchers.each_ref().map(|watcher| match watcher.take().unwrap() {
            Changes::Items(items) => {
                items.into_iter().map(|item| (item.key, item.kind, item.op_ref)).collect::<Vec<_>>()
            }
            overflowed => panic!("{overflowed:?}"),
        })
    };
    let told = |op| {
        let change = vec![("k".to_owned(), ChangeKind::Set, Some(op))];
        [change.clone(), change]
    };
    // Confirmed it is outside, and the unsent op has brought it in.
    two.they_set("c", 1);
    let op = two.ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    assert_eq!(all(), told(op));
    two.ours.pull(&two.server.wire()).unwrap();
    assert_eq!(all(), [vec![], vec![]]);
    let op = two.ours.resolve(&two.only(), Resolution::Merged(json!({"a": 7, "b": 1}))).unwrap().unwrap();
    assert_eq!(all(), told(op));
}

#[test]
fn what_says_the_same_in_another_order_takes_no_op() {
    let two = Two::new();
    two.they_set("c", 1);
    two.ours.set_raw("c", "k", r#"{ "b": 0, "a": 1 }"#).unwrap();
    two.ours.pull(&two.server.wire()).unwrap();
    assert_eq!(two.ours.resolve(&two.only(), Resolution::Merged(json!({"a": 1, "b": 0}))).unwrap(), None);
    assert_eq!(two.ours.pending().unwrap()[0].payload.as_deref(), Some(r#"{ "b": 0, "a": 1 }"#));
}

#[test]
fn a_merge_that_takes_more_to_name_than_to_say_goes_as_a_whole() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    let many = |value: u32| {
        let members = (0..60_000).map(|n| (format!("m{n}"), json!(value)));
        Value::Object(members.collect())
    };
    ours.set("c", "k", &json!({})).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("c", "k", &many(1)).unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.set("c", "k", &json!({"ours": 1})).unwrap();
    ours.sync(&server.wire()).unwrap();
    let conflict = ours.conflicts().unwrap().remove(0);
    ours.resolve(&conflict, Resolution::Merged(many(2))).unwrap().unwrap();
    assert_eq!(ours.pending().unwrap()[0].kind, syncstore::OpKind::Set);
    ours.sync(&server.wire()).unwrap();
    assert_eq!(server.value("c", "k"), Some(many(2)));
}

#[test]
fn a_conflict_is_resolved_once() {
    let two = Two::new().conflicting("c");
    let conflict = two.only();
    two.ours.resolve(&conflict, Resolution::KeepOurs).unwrap();
    for resolution in [Resolution::KeepRebased, Resolution::TakeTheirs] {
        assert!(matches!(two.ours.resolve(&conflict, resolution), Err(Error::ConflictMoved { .. })));
    }
    assert_eq!(two.ended().len(), 1);
}

#[test]
fn what_was_written_since_it_was_listed_is_not_kept_unseen_though_it_was_refused() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, vec![item("c", "k", json!(0), 1)]);
    let first = store.set("c", "k", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_pull_page(vec![
        set_entry(2, foreign(2), "c", "k", json!(5), 1),
        set_entry(3, first, "c", "k", json!(1), 2),
    ]);
    store.pull(&wire).unwrap();
    let listed = store.conflicts().unwrap().remove(0);
    assert_eq!(sides(&listed), [Some(json!(0)), Some(json!(1)), Some(json!(5)), Some(json!(1))]);
    // What is read is soon as it was listed, and the local side is not.
    store.set("c", "k", &2).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| {
        let results = request.ops.iter().map(|op| result(op.op_ref, PushOutcome::Rejected, None));
        Ok(PushResponse { seq: 3, results: results.collect() })
    });
    store.push(&wire).unwrap();
    let now = store.conflicts().unwrap().remove(0);
    assert_eq!(sides(&now), [Some(json!(0)), Some(json!(2)), Some(json!(5)), Some(json!(1))]);
    for resolution in [Resolution::KeepOurs, Resolution::TakeTheirs, Resolution::Merged(json!(3))] {
        assert!(matches!(store.resolve(&listed, resolution), Err(Error::ConflictMoved { id }) if id == listed.id));
    }
    assert_eq!((store.pending_count().unwrap(), store.conflicts().unwrap()), (0, vec![now.clone()]));
    store.resolve(&now, Resolution::KeepOurs).unwrap();
    assert_eq!(get(&store, "c", "k"), Some(json!(2)));
}

#[test]
fn a_delete_is_a_side_like_any_other() {
    for (resolution, expected) in [(Resolution::TakeTheirs, None), (Resolution::KeepOurs, value(1, 0))] {
        let two = Two::new();
        two.theirs.delete("c", "k").unwrap();
        two.theirs.sync(&two.server.wire()).unwrap();
        two.ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
        two.sync();
        assert_eq!(sides(&two.only()), [value(0, 0), value(1, 0), None, value(1, 0)]);
        two.ours.resolve(&two.only(), resolution).unwrap();
        two.sync();
        assert_eq!(two.server.value("c", "k"), expected);
    }
    let two = Two::new();
    two.they_set("c", 1);
    two.ours.delete("c", "k").unwrap();
    two.ours.pull(&two.server.wire()).unwrap();
    assert_eq!(sides(&two.only()), [value(0, 0), None, value(0, 1), None]);
    two.ours.resolve(&two.only(), Resolution::TakeTheirs).unwrap();
    two.sync();
    assert_eq!(two.server.value("c", "k"), value(0, 1));
    // An item that both made.
    two.theirs.set("c", "new", &1).unwrap();
    two.theirs.sync(&two.server.wire()).unwrap();
    two.ours.set("c", "new", &2).unwrap();
    two.ours.pull(&two.server.wire()).unwrap();
    assert_eq!(sides(&two.only()), [None, Some(json!(2)), Some(json!(1)), Some(json!(2))]);
}

#[test]
fn a_batch_is_not_taken_apart() {
    let two = Two::new();
    two.they_set("c", 1);
    let mut batch = two.ours.batch();
    batch.set("c", "k", &json!({"a": 1, "b": 0})).unwrap().set("c", "other", &1).unwrap();
    batch.commit().unwrap();
    two.ours.pull(&two.server.wire()).unwrap();
    let new = two.ours.resolve(&two.only(), Resolution::TakeTheirs).unwrap();
    assert!(new.is_some() && two.ours.pending_count().unwrap() == 3);
    two.sync();
    assert_eq!((two.server.value("c", "k"), two.server.value("c", "other")), (value(0, 1), Some(json!(1))));
}

/// What has been told of conflicts since this was asked.
fn news(events: &Events) -> Vec<ConflictNews> {
    let mut told = Vec::new();
    let mut hears = |event| {
        if let Event::Conflict { news, .. } = event {
            told.push(news);
        }
    };
    while events.pump(100, Duration::from_secs(60), &mut hears).unwrap().more {}
    told
}

fn resolving(resolver: impl ConflictResolver + 'static) -> Two {
    Two::with(|options| options.resolver = Some(Arc::new(resolver)))
}

#[test]
fn the_resolver_of_the_options_decides_before_the_sync_returns() {
    let two = resolving(FieldMerge(Prefer::Ours));
    two.they_set("c", 1);
    two.ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    two.sync();
    assert_eq!((get(&two.ours, "c", "k"), two.ours.conflicts().unwrap()), (value(1, 1), vec![]));
    assert_eq!(two.ended()[0].0, Ending::Merged);
    two.sync();
    assert_eq!(two.server.value("c", "k"), value(1, 1));

    let two = resolving(LastWriter::by("/b"));
    two.they_set("c", 1);
    two.ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    two.sync();
    assert_eq!((get(&two.ours, "c", "k"), two.ended()[0].0), (value(0, 1), Ending::TookTheirs));
    two.they_set("c", 1);
    two.ours.set("c", "k", &json!({"a": 1, "b": 2})).unwrap();
    two.sync();
    assert_eq!(get(&two.ours, "c", "k"), value(1, 2));
}

#[test]
fn a_resolver_that_fails_or_panics_leaves_the_conflict_open_and_is_asked_again() {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let two = resolving(move |_: &Conflict| match counter.fetch_add(1, Ordering::SeqCst) {
        0 => Err("not today".into()),
        1 => panic!("not today either"),
        _ => Ok(Some(Resolution::TakeTheirs)),
    });
    two.they_set("c", 1);
    two.ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    let events = two.ours.events(EventOptions::default(), || {});
    for (times, told) in [(1, &[ConflictNews::Begun, ConflictNews::NeedsDeciding][..]), (2, &[])] {
        two.sync();
        assert_eq!((asked.load(Ordering::SeqCst), two.only().end), (times, None));
        assert_eq!(news(&events), told, "once, as long as nothing of theirs comes");
    }
    two.sync();
    assert_eq!((two.ended()[0].0, two.ours.conflicts().unwrap().len()), (Ending::TookTheirs, 0));
    assert_eq!(news(&events), [ConflictNews::Ended(Ending::TookTheirs)]);
    two.sync();
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[test]
fn what_a_resolver_leaves_open_and_the_host_resolves_meanwhile_needs_no_deciding() {
    let store: Arc<Mutex<Option<Arc<Store>>>> = Arc::default();
    let within = Arc::clone(&store);
    let two = resolving(move |conflict: &Conflict| {
        let store = within.lock().unwrap().clone().unwrap();
        store.resolve(conflict, Resolution::TakeTheirs)?;
        Ok(None)
    });
    let Two { fleet: _fleet, server, ours, theirs } = two;
    let ours = Arc::new(ours);
    *store.lock().unwrap() = Some(Arc::clone(&ours));
    theirs.update("c", "k", |value| value["b"] = 1.into()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    let events = ours.events(EventOptions::default(), || {});
    ours.sync(&server.wire()).unwrap();
    assert_eq!(news(&events), [ConflictNews::Begun, ConflictNews::Ended(Ending::TookTheirs)]);
    *store.lock().unwrap() = None;
}

#[test]
fn what_a_resolver_leaves_open_it_is_asked_about_again_when_more_of_theirs_comes() {
    let seen: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let two = resolving(move |conflict: &Conflict| {
        noted.lock().unwrap().push(conflict.remote.clone());
        Ok(None)
    });
    two.they_set("c", 1);
    two.ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    (0..3).for_each(|_| two.sync());
    assert_eq!(seen.lock().unwrap().len(), 1);
    two.they_set("c", 2);
    (0..3).for_each(|_| two.sync());
    assert_eq!(seen.lock().unwrap()[1..], [Some(r#"{"a":0,"b":2}"#.to_owned())]);
    two.ours.resolve(&two.only(), Resolution::KeepOurs).unwrap();
}

#[test]
fn a_resolver_may_use_the_store_and_what_it_writes_is_not_overlooked() {
    let store: Arc<Mutex<Option<Arc<Store>>>> = Arc::default();
    let (within, asked) = (Arc::clone(&store), Arc::new(AtomicU32::new(0)));
    let counter = Arc::clone(&asked);
    let fleet_store = move |conflict: &Conflict| {
        let store = within.lock().unwrap().clone().unwrap();
        if counter.fetch_add(1, Ordering::SeqCst) == 0 {
            store.update("c", "k", |value| value["written"] = true.into())?;
        }
        FieldMerge(Prefer::Ours).resolve(conflict)
    };
    let (fleet, server) = (Fleet::new(), Server::start());
    let ours = Arc::new(fleet.open_with("a", |options| options.resolver = Some(Arc::new(fleet_store))));
    *store.lock().unwrap() = Some(Arc::clone(&ours));
    let theirs = fleet.open("b");
    ours.set("c", "k", &json!({"a": 0, "b": 0})).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.update("c", "k", |value| value["b"] = 1.into()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    ours.sync(&server.wire()).unwrap();
    assert_eq!(get(&ours, "c", "k"), Some(json!({"a": 1, "b": 1, "written": true})));
    // The resolver was asked again, since the conflict had moved under its first answer.
    assert_eq!((asked.load(Ordering::SeqCst), ours.conflicts().unwrap().len()), (2, 0));
    *store.lock().unwrap() = None;
}

#[test]
fn two_who_give_way_to_each_other_come_to_an_end() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let open = |name| fleet.open_with(name, |options| options.resolver = Some(Arc::new(FieldMerge(Prefer::Theirs))));
    let (one, other) = (open("a"), open("b"));
    let set = |store: &Store, n: u32| {
        store.update("c", "k", |value| value["n"] = n.into()).unwrap();
    };
    let sync = |store: &Store| drop(store.sync(&server.wire()).unwrap());
    one.set("c", "k", &json!({"n": 0})).unwrap();
    sync(&one);
    sync(&other);
    set(&one, 1);
    set(&other, 2);
    sync(&one);
    // What this writes to give way meets what the first writes next.
    sync(&other);
    set(&one, 3);
    for _ in 0..6 {
        sync(&one);
        sync(&other);
    }
    sync(&one);
    assert_eq!((one.pending_count().unwrap(), other.pending_count().unwrap()), (0, 0));
    assert_eq!((one.conflicts().unwrap(), other.conflicts().unwrap()), (vec![], vec![]));
    assert_eq!(get(&one, "c", "k"), get(&other, "c", "k"));
    assert_eq!(get(&one, "c", "k"), server.value("c", "k"));
}
