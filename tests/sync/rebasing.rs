//! What the app sees while its ops wait, arrive, are refused and are overtaken.

use crate::support::scripted::{as_sent_entry, foreign, item, rejected_entry, result, set_entry};
use crate::support::{Call, Fault, FaultyWire, Fleet, ScriptedWire, Server, get, patch};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use syncstore::protocol::{Code, OpKind, PushOutcome, PushResponse};
use syncstore::wire::WireError;
use syncstore::{Outcome, PendingState, Store};

fn pair(fleet: &Fleet, server: &Arc<Server>, collection: &str, value: Value) -> (Store, Store) {
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set(collection, "k", &value).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    (ours, theirs)
}

#[test]
fn the_view_stays_between_a_pushs_answer_and_its_pull() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = pair(&fleet, &server, "c", json!({"l": []}));
    theirs.set("c", "k", &json!({"l": ["theirs"]})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let append = patch(json!([{"op": "add", "path": "/l/-", "value": "ours"}]));
    let op = ours.patch("c", "k", &append).unwrap();
    let mine = json!({"l": ["ours"]});
    ours.push(&server.wire()).unwrap();
    assert_eq!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 3 }), "the ledger may know early");
    assert_eq!(ours.pending().unwrap()[0].state, PendingState::Accepted);
    assert_eq!(get(&ours, "c", "k"), Some(mine), "the base has not moved");
    ours.pull(&server.wire()).unwrap();
    assert_eq!(get(&ours, "c", "k"), Some(json!({"l": ["theirs", "ours"]})));
    assert!(ours.pending().unwrap().is_empty());
}

#[test]
fn the_view_never_flickers_during_a_sync() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| (options.push_ops, options.pull_entries) = (2, 1));
    let value = |n: u64| json!({ "n": n });
    for n in 0..4 {
        store.set("c", &format!("k{n}"), &value(0)).unwrap();
    }
    store.sync(&server.wire()).unwrap();
    for n in 0..4 {
        store.set("c", &format!("k{n}"), &value(1)).unwrap();
        store.update("c", &format!("k{n}"), |value| value["n"] = 2.into()).unwrap();
    }
    let watcher = fleet.open("a");
    let direct = server.wire();
    let seen = Mutex::new(0);
    let wire = FaultyWire::new(&direct, |_| {
        for n in 0..4 {
            assert_eq!(get(&watcher, "c", &format!("k{n}")), Some(value(2)));
        }
        *seen.lock().unwrap() += 1;
        Fault::None
    });
    store.sync(&wire).unwrap();
    assert!(*seen.lock().unwrap() >= 6);
    assert_eq!(server.value("c", "k3"), Some(value(2)));
}

#[test]
fn a_remote_patch_and_a_pending_local_patch_are_both_seen() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = pair(&fleet, &server, "c", json!({"a": 0, "b": 0}));
    theirs.update("c", "k", |value| value["a"] = 1.into()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.update("c", "k", |value| value["b"] = 2.into()).unwrap();
    ours.pull(&server.wire()).unwrap();
    assert_eq!(get(&ours, "c", "k"), Some(json!({"a": 1, "b": 2})));
    assert_eq!(ours.pending_count().unwrap(), 1);
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    assert_eq!(get(&theirs, "c", "k"), Some(json!({"a": 1, "b": 2})));
}

#[test]
fn a_pending_set_hides_what_others_do_until_it_is_decided() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = pair(&fleet, &server, "c", json!(0));
    ours.set("c", "k", &"ours").unwrap();
    theirs.delete("c", "k").unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.pull(&server.wire()).unwrap();
    assert_eq!(get(&ours, "c", "k"), Some(json!("ours")));
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    assert_eq!(get(&theirs, "c", "k"), Some(json!("ours")));
}

#[test]
fn an_op_that_no_longer_applies_is_marked_and_comes_back_when_it_does() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = pair(&fleet, &server, "c", json!({"a": {"b": 0}}));
    let op = ours.update("c", "k", |value| value["a"]["b"] = 1.into()).unwrap().unwrap();
    let applies = |store: &Store| store.pending().unwrap().iter().map(|op| op.applies).collect::<Vec<_>>();
    assert_eq!(applies(&ours), [true]);
    theirs.set("c", "k", &json!({"other": 1})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.pull(&server.wire()).unwrap();
    assert_eq!(applies(&ours), [false]);
    assert_eq!(get(&ours, "c", "k"), Some(json!({"other": 1})), "reads do not show it");
    theirs.delete("c", "k").unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.pull(&server.wire()).unwrap();
    assert_eq!((applies(&ours), get(&ours, "c", "k")), (vec![false], None));
    theirs.set("c", "k", &json!({"a": {"b": 7}, "new": 1})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.pull(&server.wire()).unwrap();
    assert_eq!(applies(&ours), [true]);
    assert_eq!(get(&ours, "c", "k"), Some(json!({"a": {"b": 1}, "new": 1})));
    ours.sync(&server.wire()).unwrap();
    assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    assert_eq!(server.value("c", "k"), Some(json!({"a": {"b": 1}, "new": 1})));
}

#[test]
fn nothing_folds_into_an_op_that_does_not_apply() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = pair(&fleet, &server, "c", json!({"a": {"b": 0}, "n": 0}));
    let doomed = ours.update("c", "k", |value| value["a"]["b"] = 1.into()).unwrap().unwrap();
    theirs.set("c", "k", &json!({"n": 1})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.pull(&server.wire()).unwrap();
    let good = ours.update("c", "k", |value| value["n"] = 2.into()).unwrap().unwrap();
    assert_eq!(ours.outcome(good).unwrap(), Some(Outcome::Queued));
    let report = ours.sync(&server.wire()).unwrap();
    assert_eq!((report.rejected, report.accepted), (1, 1));
    assert!(matches!(ours.outcome(doomed).unwrap(), Some(Outcome::Rejected(_))));
    assert_eq!(server.value("c", "k"), Some(json!({"n": 2})));
    assert_eq!(get(&ours, "c", "k"), Some(json!({"n": 2})));
}

#[test]
fn a_skipped_op_is_rebased_and_pushed_again_in_the_same_sync() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let ours = fleet.open_with("a", |options| options.coalescing = false);
    let theirs = fleet.open("b");
    ours.set("c", "k", &json!({"a": {"b": 0}, "n": 0})).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("c", "k", &json!({"n": 1})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let bad = ours.update("c", "k", |value| value["a"]["b"] = 1.into()).unwrap().unwrap();
    let good = ours.update("c", "k", |value| value["n"] = 2.into()).unwrap().unwrap();
    let direct = server.wire();
    let wire = FaultyWire::recording(&direct);
    let report = ours.sync(&wire).unwrap();
    let pushed: Vec<Vec<_>> =
        wire.pushed().iter().map(|request| request.ops.iter().map(|op| op.op_ref).collect()).collect();
    assert_eq!(pushed, [vec![bad, good], vec![good]]);
    assert_eq!((report.pushed, report.accepted, report.rejected), (2, 1, 1));
    assert!(ours.pending().unwrap().is_empty());
    assert_eq!(get(&ours, "c", "k"), Some(json!({"n": 2})));
}

#[test]
fn a_merge_by_the_server_is_what_everybody_ends_with() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = pair(&fleet, &server, "merged", json!({"a": 0, "b": 0, "c": 0}));
    theirs.set("merged", "k", &json!({"a": "theirs", "b": "theirs", "c": 0})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let op = ours.set("merged", "k", &json!({"a": 0, "b": "ours", "c": "ours"})).unwrap();
    for by_pull in [true, false] {
        if by_pull {
            // The answer is lost: the replica learns from the log what was committed.
            let direct = server.wire();
            ours.push(&FaultyWire::pushes(&direct, [Fault::LoseAnswer])).unwrap_err();
            ours.pull(&direct).unwrap();
        }
        ours.sync(&server.wire()).unwrap();
        theirs.sync(&server.wire()).unwrap();
        let merged = server.value("merged", "k");
        assert_eq!(get(&ours, "merged", "k"), merged);
        assert_eq!(get(&theirs, "merged", "k"), merged);
        let merged = merged.unwrap();
        assert_eq!((&merged["b"], &merged["c"]), (&json!("theirs"), &json!("ours")));
    }
    assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    assert!(ours.pending().unwrap().is_empty());
}

#[test]
fn writes_made_while_a_sync_runs_stay_for_the_next_one_and_are_seen() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = Arc::new(fleet.open("a"));
    store.set("c", "k", &json!({"n": 0})).unwrap();
    let direct = server.wire();
    let writer = Arc::clone(&store);
    let mut n = 0;
    let wire = FaultyWire::new(&direct, move |call| {
        if !matches!(call, Call::Info) {
            n += 1;
            writer.update("c", "k", |value| value["n"] = n.into()).unwrap();
            writer.set("c", &format!("made {n}"), &n).unwrap();
        }
        Fault::None
    });
    store.sync(&wire).unwrap();
    drop(wire);
    let mine = crate::support::view(&store);
    assert!(mine.len() > 3 && store.pending_count().unwrap() > 0);
    store.sync(&direct).unwrap();
    assert_eq!(crate::support::view(&store), mine);
    assert_eq!(store.pending_count().unwrap(), 0);
    assert_eq!(server.items().len(), mine.len());
}

#[test]
fn the_own_second_op_is_not_stale_because_of_the_first() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.coalescing = false);
    for n in 0..5 {
        store.set("careful", "k", &n).unwrap();
    }
    let report = store.sync(&server.wire()).unwrap();
    assert_eq!((report.accepted, report.rejected), (5, 0));
    store.set("careful", "k", &5).unwrap();
    store.push(&server.wire()).unwrap();
    store.set("careful", "k", &6).unwrap();
    store.delete("careful", "k").unwrap();
    store.set("careful", "k", &7).unwrap();
    let report = store.sync(&server.wire()).unwrap();
    assert_eq!((report.rejected, server.value("careful", "k")), (0, Some(json!(7))));
}

#[test]
fn a_rejected_op_leaves_the_view_to_the_one_before_it_in_the_same_page() {
    let fleet = Fleet::new();
    let store = fleet.open_with("a", |options| options.coalescing = false);
    store.sync(&ScriptedWire::new()).unwrap();
    let (taken, refused) = (store.set("c", "k", &"taken").unwrap(), store.set("c", "k", &"refused").unwrap());
    let wire = ScriptedWire::new();
    wire.on_push(move |_| {
        let results =
            vec![result(taken, PushOutcome::Accepted, Some(2)), result(refused, PushOutcome::Rejected, Some(3))];
        Ok(PushResponse { seq: 3, results })
    })
    .on_pull_page(vec![
        as_sent_entry(2, taken, OpKind::Set, "c", "k", 0),
        rejected_entry(3, refused, Code::POLICY, "no"),
    ]);
    store.sync(&wire).unwrap();
    assert_eq!((store.pending_count().unwrap(), get(&store, "c", "k")), (0, Some(json!("taken"))));
}

#[test]
fn the_base_is_kept_apart_only_while_ops_are_pending() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, _) = pair(&fleet, &server, "c", json!(1));
    let kept = || -> i64 {
        let file = rusqlite::Connection::open(fleet.path("a")).unwrap();
        file.query_row("SELECT count(*) FROM base", [], |row| row.get(0)).unwrap()
    };
    ours.set("c", "k", &2).unwrap();
    ours.set("c", "new", &1).unwrap();
    assert_eq!(kept(), 1);
    ours.sync(&server.wire()).unwrap();
    assert_eq!((kept(), ours.pending_count().unwrap()), (0, 0));
}

#[test]
fn an_item_that_is_deleted_in_the_view_counts_the_ops_that_are_left() {
    let fleet = Fleet::new();
    let store = fleet.open_with("a", |options| options.coalescing = false);
    store.sync(&ScriptedWire::new()).unwrap();
    let (made, gone) = (store.set("c", "k", &1).unwrap(), store.delete("c", "k").unwrap());
    let wire = ScriptedWire::new();
    wire.on_push(move |_| {
        let results = vec![result(made, PushOutcome::Accepted, Some(2)), result(gone, PushOutcome::Skipped, None)];
        Ok(PushResponse { seq: 2, results })
    })
    .on_pull_page(vec![as_sent_entry(2, made, OpKind::Set, "c", "k", 0)])
    .on_push(|_| Err(WireError::Unreachable("lost".into())));
    store.sync(&wire).unwrap_err();
    assert_eq!((store.pending_count().unwrap(), get(&store, "c", "k")), (1, None));
    let file = rusqlite::Connection::open(fleet.path("a")).unwrap();
    let count: u32 = file.query_row("SELECT pending FROM items", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[test]
fn what_a_rejected_patch_was_to_make_is_without_one_before_it_that_no_longer_applies() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, vec![item("c", "k", json!({"n": 0}), 1)]);
    let first = r#"[{"op":"test","path":"/n","value":0},{"op":"add","path":"/first","value":1}]"#;
    store.patch_raw("c", "k", first).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|_| Err(WireError::Unreachable("lost".into())));
    store.push(&wire).unwrap_err();
    let second = store.patch_raw("c", "k", r#"[{"op":"add","path":"/second","value":2}]"#).unwrap();
    wire.on_pull_page(vec![set_entry(2, foreign(2), "c", "k", json!({"n": 5}), 1)]);
    store.pull(&wire).unwrap();
    assert_eq!(store.pending().unwrap().iter().map(|op| op.applies).collect::<Vec<_>>(), [false, true]);
    wire.on_pull_page(vec![rejected_entry(3, second, Code::INVALID, "no")]);
    store.pull(&wire).unwrap();
    let rejected = store.rejections().unwrap().remove(0);
    assert_eq!((rejected.op_ref, rejected.meant.as_deref()), (second, Some(r#"{"n":5,"second":2}"#)));
    assert_eq!(get(&store, "c", "k"), Some(json!({"n": 5})));
}
