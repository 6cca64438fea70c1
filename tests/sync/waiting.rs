//! Waiting for an outcome, and what waits for an op.

use crate::support::scripted::{accept_all, result};
use crate::support::{Fleet, ScriptedWire, Server, patch};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use syncstore::protocol::{PushOutcome, PushResponse};
use syncstore::{Edit, Outcome, PendingState, Ref, Store};

/// Longer than any of these tests takes.
const LONG: Duration = Duration::from_secs(120);

fn accepted(outcome: Option<Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Accepted { .. }))
}

#[test]
fn a_settled_op_an_unknown_one_and_one_whose_time_is_over_are_answered_at_once() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    let op = store.set("c", "k", &1).unwrap();
    store.sync(&server.wire()).unwrap();
    assert!(accepted(store.wait(op, LONG).unwrap()));
    let stranger = fleet.open("b").set("c", "k", &1).unwrap();
    assert_eq!(store.wait(stranger, LONG).unwrap(), None);
    let op = store.set("c", "k", &2).unwrap();
    assert_eq!(store.wait(op, Duration::ZERO).unwrap(), Some(Outcome::Queued));
    assert_eq!(store.wait(op, Duration::from_millis(5)).unwrap(), Some(Outcome::Queued));
    // What an answer says is told, and is not settled: the time is over first.
    store.push(&server.wire()).unwrap();
    assert_eq!(store.wait(op, Duration::from_millis(5)).unwrap(), Some(Outcome::Accepted { seq: 2 }));
    assert_eq!(store.pending_count().unwrap(), 1);
}

#[test]
fn a_wait_follows_folds_and_retries_to_where_they_lead() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set("careful", "k", &0).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("careful", "k", &1).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let op = ours.set("careful", "k", &2).unwrap();
    let folded = ours.set("careful", "k", &3).unwrap();
    ours.sync(&server.wire()).unwrap();
    assert!(matches!(ours.wait(folded, LONG).unwrap(), Some(Outcome::Rejected(_))));
    let again = ours.edit(op, Edit::Set(json!(4))).unwrap();
    assert_eq!(ours.wait(folded, Duration::ZERO).unwrap(), Some(Outcome::Queued));
    let last = ours.set("careful", "k", &5).unwrap();
    let ours = &ours;
    std::thread::scope(|scope| {
        let waits = [op, folded, again, last].map(|op| scope.spawn(move || ours.wait(op, LONG).unwrap()));
        ours.sync(&server.wire()).unwrap();
        assert!(waits.into_iter().all(|wait| accepted(wait.join().unwrap())));
    });
}

#[test]
fn any_number_of_threads_wait_while_others_write_and_sync() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    let refs: Vec<Ref> = (0..24).map(|n| store.set("c", &format!("k{n}"), &n).unwrap()).collect();
    let store = &store;
    std::thread::scope(|scope| {
        let waits: Vec<_> = refs.iter().map(|op| scope.spawn(move || store.wait(*op, LONG).unwrap())).collect();
        for n in 0..50 {
            store.set("d", "k", &n).unwrap();
        }
        store.sync(&server.wire()).unwrap();
        store.compact().unwrap();
        assert!(waits.into_iter().all(|wait| accepted(wait.join().unwrap())));
    });
}

#[test]
fn what_another_store_on_the_file_settles_ends_a_wait_too() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (store, other) = (fleet.open("a"), fleet.open("a"));
    let op = store.set("c", "k", &1).unwrap();
    let begin = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        let wait = scope.spawn(|| {
            begin.wait();
            store.wait(op, LONG).unwrap()
        });
        begin.wait();
        // Long enough for the other one to have looked, and to sleep.
        for n in 0..300 {
            other.set("d", "k", &n).unwrap();
        }
        other.sync(&server.wire()).unwrap();
        let settled = Instant::now();
        assert!(accepted(wait.join().unwrap()));
        assert!(settled.elapsed() < LONG / 4, "it looked when its time was over, and not before");
    });
}

#[test]
fn a_store_that_a_thread_waits_in_is_closed_when_the_wait_is_over() {
    let fleet = Fleet::new();
    let store = Arc::new(fleet.open("a"));
    let op = store.set("c", "k", &1).unwrap();
    let waiting = Arc::clone(&store);
    let wait = std::thread::spawn(move || waiting.wait(op, Duration::from_millis(20)).unwrap());
    drop(store);
    assert_eq!(wait.join().unwrap(), Some(Outcome::Queued));
    // The last handle is gone with the thread: the file is closed, its log emptied.
    assert!(!fleet.path("a-wal").exists());
}

/// The ops that a push left where they were.
fn never_sent(store: &Store) -> BTreeSet<Ref> {
    let pending = store.pending().unwrap().into_iter();
    pending.filter(|op| op.state == PendingState::Queued).map(|op| op.op_ref).collect()
}

#[test]
fn what_depends_on_an_op_is_what_a_push_holds_back_when_it_is_refused() {
    let fleet = Fleet::new();
    let store = fleet.open_with("a", |options| (options.coalescing, options.push_ops) = (false, 2));
    store.sync(&ScriptedWire::new()).unwrap();
    let bad = store.set("c", "bad", &json!({})).unwrap();
    let free = store.set("c", "free", &1).unwrap();
    let behind = store.patch("c", "bad", &patch(json!([{"op": "add", "path": "/n", "value": 1}]))).unwrap();
    let mut batch = store.batch();
    batch.set("c", "first", &1).unwrap().delete("c", "bad").unwrap().set("c", "last", &1).unwrap();
    let batch = batch.commit().unwrap().ops;
    let after = store.set("c", "first", &2).unwrap();
    let tagged = store.add_tag("c", "last", "red").unwrap();
    let mut other = store.batch();
    other.set("c", "free", &2).unwrap().set("c", "more", &1).unwrap();
    let other = other.commit().unwrap().ops;
    let mut expected = vec![behind];
    expected.extend(&batch);
    expected.extend([after, tagged]);
    assert_eq!(store.depends_on(bad).unwrap(), expected);
    assert_eq!(store.depends_on(free).unwrap(), other);
    assert_eq!(store.depends_on(batch[1]).unwrap(), [batch[0], batch[2], after, tagged]);
    assert_eq!(store.depends_on(after).unwrap(), []);
    let wire = ScriptedWire::new();
    wire.on_push(move |request| {
        let results = request.ops.iter().map(|op| match op.op_ref == bad {
            true => result(op.op_ref, PushOutcome::Rejected, Some(1)),
            false => result(op.op_ref, PushOutcome::Accepted, Some(2)),
        });
        Ok(PushResponse { seq: 2, results: results.collect() })
    });
    wire.on_push(|request| Ok(accept_all(request, 3)));
    store.push(&wire).unwrap();
    assert_eq!(never_sent(&store), expected.iter().copied().collect());
    assert!(wire.is_over());
    assert_eq!(fleet.open("b").depends_on(bad).unwrap(), []);
}
