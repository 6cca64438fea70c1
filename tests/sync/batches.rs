//! Batches: all or nothing, here and on the server.

use crate::support::{Call, Fault, FaultyWire, Fleet, Server, get, patch, view};
use serde_json::json;
use std::time::Duration;
use syncstore::protocol::Code;
use syncstore::wire::WireError;
use syncstore::{BatchReceipt, Error, Outcome, PendingState, Store};

pub fn code(store: &Store, op: syncstore::Ref) -> Code {
    match store.outcome(op).unwrap() {
        Some(Outcome::Rejected(why)) => why.code,
        other => panic!("{op} is {other:?}"),
    }
}

/// Writes the first `count` of `k00`, `k01` and so on as one batch.
pub fn batch_of(store: &Store, count: i32) -> BatchReceipt {
    let mut batch = store.batch();
    for n in 0..count {
        batch.set("c", &format!("k{n:02}"), &n).unwrap();
    }
    batch.commit().unwrap()
}

#[test]
fn a_batch_that_fails_locally_writes_nothing() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    store.set("c", "there", &json!({"n": 1})).unwrap();
    let before = view(&store);
    let mut batch = store.batch();
    batch.set("c", "new", &1).unwrap().delete("c", "there").unwrap();
    batch.patch("c", "missing", &patch(json!([{"op": "add", "path": "/a", "value": 1}]))).unwrap();
    assert!(matches!(batch.commit(), Err(Error::NotFound { .. })));
    let mut batch = store.batch();
    batch.set("c", "new", &1).unwrap();
    batch.patch("c", "there", &patch(json!([{"op": "remove", "path": "/nowhere"}]))).unwrap();
    assert!(matches!(batch.commit(), Err(Error::PatchFailed { .. })));
    let mut dropped = store.batch();
    dropped.set("c", "dropped", &1).unwrap();
    drop(dropped);
    assert_eq!(store.batch().commit().unwrap().ops, []);
    assert_eq!((view(&store), store.pending_count().unwrap()), (before, 1));
}

#[test]
fn a_batch_sees_its_own_writes_in_order() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    let mut batch = store.batch();
    batch.set("c", "k", &json!([1])).unwrap();
    batch.patch("c", "k", &patch(json!([{"op": "add", "path": "/-", "value": 2}]))).unwrap();
    batch.delete("c", "gone").unwrap();
    batch.commit().unwrap();
    assert_eq!(get(&store, "c", "k"), Some(json!([1, 2])));
    store.sync(&server.wire()).unwrap();
    assert_eq!(server.value("c", "k"), Some(json!([1, 2])));
    assert_eq!(store.pending_count().unwrap(), 0);
}

#[test]
fn a_batch_over_several_pushes_is_committed_with_its_last_op() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    let mut batch = store.batch();
    for n in 0..2_500 {
        batch.set("c", &format!("k{n:04}"), &n).unwrap();
    }
    let receipt = batch.commit().unwrap();
    let direct = server.wire();
    let mut pushes = 0;
    let watching = std::sync::Arc::clone(&server);
    let wire = FaultyWire::new(&direct, |call| {
        if matches!(call, Call::Push(_)) {
            assert!(watching.items().is_empty(), "nothing of it may be seen before the last push");
            pushes += 1;
        }
        Fault::None
    });
    let report = store.sync(&wire).unwrap();
    drop(wire);
    assert_eq!(pushes, 3);
    assert_eq!((report.accepted, report.bootstrapped), (2_500, Some(syncstore::BootstrapReason::Fresh)));
    assert_eq!(server.items().len(), 2_500);
    assert!(store.pending().unwrap().is_empty());
    for op in [receipt.ops[0], receipt.ops[2_499]] {
        assert!(matches!(store.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    }
    // Its entries stand together, and all of them or none reach another replica, whatever it asks for.
    let other = fleet.open_with("b", |options| options.pull_entries = 10);
    other.sync(&server.wire()).unwrap();
    assert_eq!(view(&other), view(&store));
}

#[test]
fn a_batch_of_another_replica_arrives_in_one_piece() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open_with("b", |options| options.pull_entries = 3));
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("c", "before", &0).unwrap();
    ours.set("c", "first", &0).unwrap();
    let mut batch = ours.batch();
    for n in 0..700 {
        batch.set("c", &format!("k{n:03}"), &n).unwrap();
    }
    batch.commit().unwrap();
    ours.set("c", "last", &0).unwrap();
    ours.sync(&server.wire()).unwrap();
    let watcher = fleet.open("b");
    let direct = server.wire();
    let mut sizes = Vec::new();
    let wire = FaultyWire::new(&direct, |call| {
        if let Call::Pull(_) = call {
            sizes.push(view(&watcher).len());
        }
        Fault::None
    });
    theirs.sync(&wire).unwrap();
    drop(wire);
    assert_eq!(view(&theirs).len(), 703);
    let torn = sizes.iter().filter(|size| (4..=700).contains(*size)).count();
    assert_eq!(torn, 0, "{sizes:?}");
}

#[test]
fn one_bad_op_rejects_the_whole_batch_and_the_view_reverts() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set("careful", "k", &"base").unwrap();
    ours.set("c", "k", &"base").unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("careful", "k", &"theirs").unwrap();
    theirs.sync(&server.wire()).unwrap();
    let mut batch = ours.batch();
    batch.set("c", "k", &"ours").unwrap().set("careful", "k", &"ours").unwrap().set("c", "new", &"ours").unwrap();
    let receipt = batch.commit().unwrap();
    let after = ours.set("c", "unrelated", &1).unwrap();
    assert_eq!(get(&ours, "c", "k"), Some(json!("ours")));
    let report = ours.sync(&server.wire()).unwrap();
    assert_eq!((report.accepted, report.rejected), (1, 3));
    assert_eq!(
        receipt.ops.iter().map(|op| code(&ours, *op)).collect::<Vec<_>>(),
        [Code::BATCH_FAILED, Code::STALE, Code::BATCH_FAILED]
    );
    assert_eq!(get(&ours, "c", "k"), Some(json!("base")));
    assert_eq!((get(&ours, "careful", "k"), get(&ours, "c", "new")), (Some(json!("theirs")), None));
    assert!(matches!(ours.outcome(after).unwrap(), Some(Outcome::Accepted { .. })));
    assert_eq!(server.value("c", "k"), Some(json!("base")));
    assert!(ours.pending().unwrap().is_empty());
}

#[test]
fn a_long_batch_with_a_bad_op_in_its_last_push_is_rejected_from_its_first() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open_with("a", |options| options.push_ops = 100), fleet.open("b"));
    ours.set("careful", "k", &"base").unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("careful", "k", &"theirs").unwrap();
    theirs.sync(&server.wire()).unwrap();
    let mut batch = ours.batch();
    for n in 0..249 {
        batch.set("c", &format!("k{n:03}"), &n).unwrap();
    }
    batch.set("careful", "k", &"ours").unwrap();
    let receipt = batch.commit().unwrap();
    ours.sync(&server.wire()).unwrap();
    assert!(ours.pending().unwrap().is_empty());
    assert_eq!((code(&ours, receipt.ops[0]), code(&ours, receipt.ops[249])), (Code::BATCH_FAILED, Code::STALE));
    assert_eq!(view(&ours).len(), 1);
    assert_eq!(server.items().len(), 1);
}

#[test]
fn a_staged_batch_waits_and_goes_on_where_it_was_interrupted() {
    for fault in [Fault::LoseRequest, Fault::LoseAnswer, Fault::Late] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let store = fleet.open_with("a", |options| options.push_ops = 10);
        store.sync(&server.wire()).unwrap();
        let receipt = batch_of(&store, 25);
        let direct = server.wire();
        let wire = FaultyWire::pushes(&direct, [Fault::None, fault.clone()]);
        store.sync(&wire).unwrap_err();
        assert!(server.items().is_empty());
        let pending = store.pending().unwrap();
        assert_eq!((pending[0].state, pending[10].state), (PendingState::Staged, PendingState::InFlight));
        assert_eq!(store.outcome(receipt.ops[0]).unwrap(), Some(Outcome::InFlight));
        let report = store.sync(&wire).unwrap();
        assert_eq!(report.bootstrapped, None, "{fault:?}");
        assert_eq!((server.items().len(), store.pending_count().unwrap()), (25, 0), "{fault:?}");
        wire.deliver_late();
        assert_eq!(server.log().len(), 25);
    }
}

#[test]
fn a_batch_that_expired_incomplete_on_the_server_is_told_so() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.push_ops = 10);
    store.sync(&server.wire()).unwrap();
    let receipt = batch_of(&store, 15);
    let direct = server.wire();
    let wire = FaultyWire::pushes(&direct, [Fault::None, Fault::LoseRequest]);
    store.push(&wire).unwrap_err();
    server.environment.advance(Duration::from_secs(30 * 24 * 3600));
    server.prune();
    let report = store.sync(&wire).unwrap();
    assert_eq!(report.bootstrapped, None);
    assert!(store.pending().unwrap().is_empty());
    for op in receipt.ops {
        assert_eq!(code(&store, op), Code::BATCH_FAILED);
    }
    assert!(view(&store).is_empty() && server.items().is_empty());
}

#[test]
fn a_batch_that_the_server_forgot_is_pushed_again() {
    use crate::support::ScriptedWire;
    use crate::support::scripted::{accept_all, page_of, result, set_entry};
    use syncstore::protocol::{PushOutcome, PushResponse};
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let mut batch = store.batch();
    batch.set("c", "x", &1).unwrap().set("c", "y", &2).unwrap();
    let receipt = batch.commit().unwrap();
    let wire = ScriptedWire::new();
    let staged = |request: &syncstore::protocol::PushRequest| {
        let results = request.ops.iter().map(|op| result(op.op_ref, PushOutcome::Staged, None)).collect();
        Ok(PushResponse { seq: 1, results })
    };
    let (x, y) = (receipt.ops[0], receipt.ops[1]);
    wire.on_push(staged).on_pull_page(Vec::new()).on_push(|request| Ok(accept_all(request, 2))).on_pull(
        move |request| {
            Ok(page_of(
                request,
                vec![set_entry(2, x, "c", "x", json!(1), 0), set_entry(3, y, "c", "y", json!(2), 0)],
                false,
            ))
        },
    );
    store.sync(&wire).unwrap();
    assert!(wire.is_over(), "all ops of the batch were sent, and still it is staged");
    assert!(store.pending().unwrap().is_empty());
    // One that stays staged does not keep a sync going for ever.
    let mut batch = store.batch();
    batch.set("c", "z", &1).unwrap();
    batch.commit().unwrap();
    wire.on_push(staged).on_push(staged);
    store.sync(&wire).unwrap();
    assert_eq!(store.pending_count().unwrap(), 1);
}

#[test]
fn a_batch_that_the_server_forgot_is_pushed_again_though_another_op_finds_no_answer() {
    use crate::support::ScriptedWire;
    use crate::support::scripted::result;
    use syncstore::protocol::{PushOutcome, PushResponse};
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let mut batch = store.batch();
    batch.set("c", "x", &1).unwrap().set("c", "y", &2).unwrap();
    let receipt = batch.commit().unwrap();
    let lone = store.set("c", "lone", &1).unwrap();
    let wire = ScriptedWire::new();
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    for _ in 0..9 {
        let (asked, x) = (asked.clone(), receipt.ops[0]);
        wire.on_push(move |request| {
            if request.ops.iter().any(|op| op.op_ref == x) {
                asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            let again = asked.load(std::sync::atomic::Ordering::SeqCst) > 1;
            let results = request.ops.iter().map(|op| match op.op_ref {
                found if found == lone => result(found, PushOutcome::Skipped, None),
                found if again => result(found, PushOutcome::Accepted, Some(1)),
                found => result(found, PushOutcome::Staged, None),
            });
            Ok(PushResponse { seq: 1, results: results.collect() })
        });
    }
    store.sync(&wire).unwrap();
    let left: Vec<_> = store.pending().unwrap().iter().map(|op| op.op_ref).collect();
    assert_eq!(left, [lone]);
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[test]
fn halving_never_cuts_a_batch() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    let mut lone = Vec::new();
    for n in 0..10 {
        lone.push(store.set("c", &format!("a{n}"), &n).unwrap());
    }
    let mut batch = store.batch();
    for n in 0..30 {
        batch.set("c", &format!("b{n:02}"), &n).unwrap();
    }
    let receipt = batch.commit().unwrap();
    for n in 0..10 {
        lone.push(store.set("c", &format!("d{n}"), &n).unwrap());
    }
    let direct = server.wire();
    let wire = FaultyWire::new(&direct, |call| match call {
        Call::Push(request) => {
            let of_batch = request.ops.iter().filter(|op| op.batch.is_some()).count();
            assert!(of_batch == 0 || of_batch == 30, "{of_batch} of 30");
            if request.ops.iter().any(|op| op.key == "b07") {
                let message = "poison".to_owned();
                return Fault::Fail(WireError::Refused { status: 422, code: "invalid".into(), message });
            }
            Fault::None
        }
        _ => Fault::None,
    });
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.accepted, report.rejected), (20, 30));
    for op in receipt.ops {
        assert_eq!(code(&store, op), Code::INVALID);
    }
    assert!(store.pending().unwrap().is_empty());
    assert_eq!(server.items().len(), 20);
    assert_eq!(view(&store).len(), 20);
}

#[test]
fn a_batch_behind_a_rejected_op_waits_as_a_whole() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open_with("a", |options| options.push_ops = 2), fleet.open("b"));
    ours.set("careful", "k", &json!({})).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("careful", "k", &json!({"theirs": 1})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    // The first is stale; the batch touches its item in the middle.
    ours.set("careful", "k", &json!({"ours": 1})).unwrap();
    let mut batch = ours.batch();
    batch.set("c", "x", &1).unwrap().set("careful", "k", &json!({"ours": 2})).unwrap().set("c", "y", &1).unwrap();
    let receipt = batch.commit().unwrap();
    ours.sync(&server.wire()).unwrap();
    assert!(ours.pending().unwrap().is_empty());
    let codes: Vec<Code> = receipt.ops.iter().map(|op| code(&ours, *op)).collect();
    assert_eq!(codes, [Code::BATCH_FAILED, Code::STALE, Code::BATCH_FAILED]);
    assert_eq!(view(&ours).len(), 1);
    assert_eq!(server.items().len(), 1, "nothing of the batch is on the server");
}

#[test]
fn nothing_overtakes_a_batch_that_is_held_back() {
    use crate::support::ScriptedWire;
    use crate::support::scripted::{page_of, result};
    use syncstore::protocol::{InboxPage, PushOutcome, PushResponse};
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let refused = store.set("c", "k", &0).unwrap();
    let wire = ScriptedWire::new();
    // Refused at a seq that the base does not reach yet.
    wire.on_push(move |_| Ok(PushResponse { seq: 9, results: vec![result(refused, PushOutcome::Rejected, Some(9))] }));
    store.push(&wire).unwrap();
    let mut batch = store.batch();
    batch.set("c", "x", &1).unwrap().set("c", "k", &1).unwrap();
    batch.commit().unwrap();
    let after = store.set("c", "x", &2).unwrap();
    let free = store.set("c", "free", &3).unwrap();
    wire.on_push(move |request| {
        let pushed: Vec<_> = request.ops.iter().map(|op| op.op_ref).collect();
        assert_eq!(pushed, [free], "{after} was made on top of the batch");
        Ok(PushResponse { seq: 10, results: vec![result(free, PushOutcome::Accepted, Some(10))] })
    });
    store.push(&wire).unwrap();
    assert!(wire.is_over());
    // The rejection is in the base now: all of it goes, in order.
    let position = |request: &_| {
        Ok(InboxPage { seq: 10, cursor: crate::support::scripted::cursor(10), ..page_of(request, Vec::new(), false) })
    };
    wire.on_pull(position).on_push(|request| Ok(crate::support::scripted::accept_all(request, 11)));
    store.pull(&wire).unwrap();
    store.push(&wire).unwrap();
    // And `free` once more, whose entry the log did not have.
    let pushed: Vec<_> = wire.pushed()[2].ops.iter().map(|op| op.op_ref).collect();
    assert_eq!((pushed.len(), pushed[2], pushed[3]), (4, after, free));
    assert_eq!(get(&store, "c", "x"), Some(json!(2)));
}

/// What was on the wire, push by push.
fn pushed(wire: &crate::support::ScriptedWire) -> Vec<Vec<syncstore::Ref>> {
    wire.pushed().iter().map(|request| request.ops.iter().map(|op| op.op_ref).collect()).collect()
}

#[test]
fn a_batch_larger_than_a_push_is_not_begun_while_one_of_its_last_ops_cannot_go() {
    use crate::support::ScriptedWire;
    use crate::support::scripted::{accept_all, page_of, result};
    use syncstore::protocol::{InboxPage, PushOutcome, PushResponse};
    let fleet = Fleet::new();
    drop(crate::hostile::loaded(&fleet, "a", 1, Vec::new()));
    let store = fleet.open_with("a", |options| options.push_ops = 2);
    let wire = ScriptedWire::new();
    let refused = store.set("c", "k", &0).unwrap();
    wire.on_push(move |_| Ok(PushResponse { seq: 9, results: vec![result(refused, PushOutcome::Rejected, Some(9))] }));
    store.push(&wire).unwrap();
    let mut batch = store.batch();
    batch.set("c", "w", &1).unwrap().set("c", "x", &1).unwrap().set("c", "y", &1).unwrap().set("c", "k", &1).unwrap();
    let ops = batch.commit().unwrap().ops;
    let (after, free) = (store.set("c", "w", &2).unwrap(), store.set("c", "free", &3).unwrap());
    wire.on_push(|request| Ok(accept_all(request, 10)));
    store.push(&wire).unwrap();
    assert_eq!(pushed(&wire), [vec![refused], vec![free]], "half of it would lie at the server");
    // The rejection is in the base now: all of it goes.
    wire.on_pull(|request| {
        Ok(InboxPage { seq: 9, cursor: crate::support::scripted::cursor(9), ..page_of(request, Vec::new(), false) })
    });
    store.pull(&wire).unwrap();
    let staged = |request: &syncstore::protocol::PushRequest| {
        let results = request.ops.iter().map(|op| result(op.op_ref, PushOutcome::Staged, None)).collect();
        Ok(PushResponse { seq: 10, results })
    };
    wire.on_push(staged).on_push(staged).on_push(staged);
    store.push(&wire).unwrap();
    assert_eq!(pushed(&wire)[2..], [vec![ops[0], ops[1]], vec![ops[2], ops[3]], vec![after]]);
    assert!(wire.is_over());
}

#[test]
fn a_batch_larger_than_a_push_waits_for_what_becomes_of_the_ops_before_it() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open_with("a", |options| options.push_ops = 3), fleet.open("b"));
    ours.set("careful", "k", &json!({})).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("careful", "k", &json!({"theirs": 1})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let stale = ours.set("careful", "k", &json!({"ours": 1})).unwrap();
    let mut batch = ours.batch();
    for n in 0..4 {
        batch.set("c", &format!("b{n}"), &n).unwrap();
    }
    batch.set("careful", "k", &json!({"ours": 2})).unwrap();
    let ops = batch.commit().unwrap().ops;
    let direct = server.wire();
    let mut calls = Vec::new();
    let wire = FaultyWire::new(&direct, |call| {
        match call {
            Call::Push(request) => calls.push(request.ops.iter().map(|op| op.op_ref).collect()),
            Call::Pull(_) => calls.push(Vec::new()),
            _ => {}
        }
        Fault::None
    });
    ours.sync(&wire).unwrap();
    drop(wire);
    // In the same push, two of it would have been staged behind the one that is refused, and the last one held back.
    let first: Vec<Vec<syncstore::Ref>> = vec![vec![stale], Vec::new(), ops[..3].to_vec(), ops[3..].to_vec()];
    assert_eq!(calls[..4], first);
    assert!(ours.pending().unwrap().is_empty());
}

#[test]
fn no_batch_is_begun_that_would_wait_for_one_that_stands_still() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.push_ops = 10);
    store.sync(&server.wire()).unwrap();
    let first = batch_of(&store, 15);
    let mut second = store.batch();
    second.set("c", "j", &1).unwrap().set("c", "k03", &"second").unwrap();
    let second = second.commit().unwrap();
    let direct = server.wire();
    let wire = FaultyWire::new(&direct, |call| match call {
        Call::Push(request) if request.ops.iter().any(|op| op.key == "k12") => {
            Fault::Fail(WireError::Forbidden("by a firewall".into()))
        }
        Call::Push(request) => {
            let begun = request.ops.iter().any(|op| second.ops.contains(&op.op_ref));
            assert!(!begun, "the server would skip what is on k03, and give up the rest with the first batch");
            Fault::None
        }
        _ => Fault::None,
    });
    for _ in 0..2 {
        store.sync(&wire).unwrap_err();
    }
    let staged = store.pending().unwrap().iter().filter(|op| op.state == PendingState::Staged).count();
    assert_eq!(staged, 10);
    server.environment.advance(Duration::from_secs(8 * 24 * 3600));
    server.prune();
    for _ in 0..2 {
        store.sync(&direct).unwrap();
    }
    assert!(first.ops.iter().all(|op| code(&store, *op) == Code::BATCH_FAILED));
    let accepted = |op: &_| matches!(store.outcome(*op).unwrap(), Some(Outcome::Accepted { .. }));
    assert!(second.ops.iter().all(accepted));
}
