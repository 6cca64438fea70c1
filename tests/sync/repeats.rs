//! Requests that arrive twice, late or not at all, and answers that never come.

use crate::support::faulty::lost;
use crate::support::scripted::{accept_all, cursor};
use crate::support::{Call, Fault, FaultyWire, Fleet, ScriptedWire, Server, get, patch};
use serde_json::json;
use syncstore::protocol::{Format, InboxPage, PushOutcome};
use syncstore::wire::Wire;
use syncstore::{Error, Outcome, PendingState, Store};

fn append(store: &Store, mark: u64) -> syncstore::Ref {
    store.patch("c", "list", &patch(json!([{"op": "add", "path": "/-", "value": mark}]))).unwrap()
}

#[test]
fn a_push_that_arrives_twice_is_applied_once() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.set("c", "list", &json!([])).unwrap();
    store.sync(&server.wire()).unwrap();
    let op = append(&store, 1);
    let direct = server.wire();
    store.sync(&FaultyWire::pushes(&direct, [Fault::Twice])).unwrap();
    assert_eq!(server.value("c", "list"), Some(json!([1])));
    assert_eq!(get(&store, "c", "list"), Some(json!([1])));
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 2 }));
}

#[test]
fn a_push_that_is_sent_again_gets_its_first_outcomes() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    store.set("c", "list", &json!([])).unwrap();
    store.sync(&server.wire()).unwrap();
    append(&store, 1);
    store.set("careful", "k", &1).unwrap();
    let direct = server.wire_in(Format::MessagePack);
    let wire = FaultyWire::recording(&direct);
    store.push(&wire).unwrap();
    let request = wire.pushed().pop().unwrap();
    let first = direct.push(&request).unwrap();
    let second = direct.push(&request).unwrap();
    let read = |response: &syncstore::protocol::PushResponse| {
        response.results.iter().map(|result| (result.op_ref, result.outcome, result.seq)).collect::<Vec<_>>()
    };
    assert_eq!(read(&first), read(&second));
    assert_eq!(first.seq, second.seq, "a repeat adds nothing to the log");
    assert!(first.results.iter().all(|result| result.outcome == PushOutcome::Accepted));
    assert_eq!(server.value("c", "list"), Some(json!([1])));
}

#[test]
fn a_lost_answer_is_made_good_by_pushing_again_or_by_pulling() {
    for by_pull in [false, true] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let store = fleet.open("a");
        store.set("c", "list", &json!([])).unwrap();
        store.sync(&server.wire()).unwrap();
        let op = append(&store, 1);
        let direct = server.wire();
        let wire = FaultyWire::pushes(&direct, [Fault::LoseAnswer]);
        let error = store.sync(&wire).unwrap_err();
        assert!(matches!(error.error(), Error::Wire(_)) && error.error().is_transient());
        assert_eq!(server.value("c", "list"), Some(json!([1])), "the server did commit it");
        assert_eq!(store.outcome(op).unwrap(), Some(Outcome::InFlight));
        assert_eq!(get(&store, "c", "list"), Some(json!([1])));
        append(&store, 2);
        assert_eq!(store.pending_count().unwrap(), 2, "nothing folds into what was sent");
        if by_pull {
            let report = store.pull(&wire).unwrap();
            assert_eq!((report.accepted, report.bootstrapped), (1, None));
            assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 2 }));
        }
        let report = store.sync(&wire).unwrap();
        assert_eq!(report.bootstrapped, None);
        assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 2 }));
        assert_eq!(get(&store, "c", "list"), Some(json!([1, 2])));
        assert_eq!(server.value("c", "list"), Some(json!([1, 2])));
    }
}

#[test]
fn a_lost_rejection_is_told_again() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set("careful", "k", &0).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("careful", "k", &"theirs").unwrap();
    theirs.sync(&server.wire()).unwrap();
    let op = ours.set("careful", "k", &"ours").unwrap();
    let direct = server.wire();
    let wire = FaultyWire::pushes(&direct, [Fault::LoseAnswer]);
    ours.push(&wire).unwrap_err();
    ours.sync(&wire).unwrap();
    let Some(Outcome::Rejected(why)) = ours.outcome(op).unwrap() else { panic!("not rejected") };
    assert_eq!((why.code.as_str(), why.seq), ("stale", Some(3)));
    assert_eq!(get(&ours, "careful", "k"), Some(json!("theirs")));
}

#[test]
fn a_late_push_after_its_repeat_changes_nothing() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    let first = store.set("c", "k", &1).unwrap();
    let direct = server.wire();
    let wire = FaultyWire::pushes(&direct, [Fault::Late]);
    store.sync(&wire).unwrap_err();
    store.sync(&wire).unwrap();
    store.set("c", "k", &2).unwrap();
    store.sync(&wire).unwrap();
    assert_eq!(wire.deliver_late(), 1);
    assert_eq!(server.value("c", "k"), Some(json!(2)), "the old set came after the new one");
    store.sync(&wire).unwrap();
    assert_eq!(get(&store, "c", "k"), Some(json!(2)));
    assert_eq!(store.outcome(first).unwrap(), Some(Outcome::Accepted { seq: 1 }));
}

#[test]
fn an_unanswered_push_is_repeated_from_its_first_op_and_as_it_was() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    for n in 0..5 {
        store.set("c", &format!("k{n}"), &n).unwrap();
    }
    let direct = server.wire();
    let wire = FaultyWire::pushes(&direct, [Fault::LoseRequest]);
    store.sync(&wire).unwrap_err();
    store.set("c", "k0", &"later").unwrap();
    store.sync(&wire).unwrap();
    let pushed = wire.pushed();
    let refs = |n: usize| pushed[n].ops.iter().map(|op| op.op_ref).collect::<Vec<_>>();
    assert_eq!(refs(0), refs(1)[..5]);
    for (old, new) in pushed[0].ops.iter().zip(&pushed[1].ops) {
        assert_eq!(serde_json::to_string(old).unwrap(), serde_json::to_string(new).unwrap());
    }
    assert_eq!(server.value("c", "k0"), Some(json!("later")));
}

#[test]
fn every_single_call_of_a_sync_may_fail_and_the_next_sync_goes_on() {
    for fault in [Fault::LoseRequest, Fault::LoseAnswer, Fault::Twice, Fault::Late, Fault::Fail(lost("no route"))] {
        for n in 0.. {
            let (fleet, server) = (Fleet::new(), Server::start());
            let other = fleet.open("b");
            for k in 0..5 {
                other.set("c", &format!("theirs{k}"), &k).unwrap();
            }
            other.set("c", "list", &json!([])).unwrap();
            other.sync(&server.wire()).unwrap();
            let store = fleet.open_with("a", |options| {
                (options.push_ops, options.pull_entries, options.checkpoint_items) = (2, 2, 2);
            });
            store.set("c", "mine", &1).unwrap();
            let direct = server.wire();
            let wire = FaultyWire::nth(&direct, n, fault.clone());
            let mut done = store.sync(&wire).is_ok();
            append_if_there(&store);
            done &= store.sync(&wire).is_ok();
            let met = wire.calls().len() > n;
            wire.deliver_late();
            store.sync(&direct).unwrap();
            other.sync(&direct).unwrap();
            let context = format!("{fault:?} at call {n}");
            assert!(done || met, "{context}");
            assert_eq!(store.pending().unwrap(), [], "{context}");
            assert_eq!(crate::support::view(&store), crate::support::view(&other), "{context}");
            assert_eq!(server.items().len(), 7, "{context}");
            let appended = server.value("c", "list").unwrap();
            assert!(appended.as_array().unwrap().len() <= 1, "{context}: {appended}");
            if !met {
                assert!(n > 6, "{n} calls are too few");
                break;
            }
        }
    }
}

fn append_if_there(store: &Store) {
    if get(store, "c", "list").is_some() {
        append(store, 1);
    }
}

#[test]
fn a_push_before_the_first_pull_has_no_cursor_and_one_after_has_the_replicas() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.set("c", "k", &1).unwrap();
    let direct = server.wire();
    let wire = FaultyWire::recording(&direct);
    store.push(&wire).unwrap();
    assert_eq!(wire.pushed()[0].cursor, None);
    assert!(!wire.calls().iter().any(|call| matches!(call, Call::Checkpoint(_) | Call::Pull(_))), "a push only pushes");
    assert_eq!(store.pending().unwrap()[0].state, PendingState::Accepted);
    store.sync(&wire).unwrap();
    store.set("c", "k", &2).unwrap();
    store.push(&wire).unwrap();
    let last = wire.pushed().pop().unwrap();
    let pulled = wire.calls().into_iter().filter_map(|call| match call {
        Call::Pull(request) => request.cursor,
        _ => None,
    });
    assert!(last.cursor.is_some() && last.ops.len() == 1);
    assert!(pulled.count() > 0);
    assert_eq!(last.ops[0].base, Some(1));
    assert!(last.ops[0].op_ref.is_v7());
}

#[test]
fn what_was_answered_is_not_pushed_again() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    store.set("c", "k", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| Ok(accept_all(request, 3)))
        .on_pull(|_| Ok(InboxPage { entries: Vec::new(), cursor: cursor(2), seq: 2, more: false }));
    store.sync(&wire).unwrap();
    store.sync(&wire).unwrap();
    store.push(&wire).unwrap();
    assert_eq!(wire.pushed().len(), 1);
    assert_eq!(store.pending_count().unwrap(), 1, "its seq is not reached yet");
}

#[test]
fn refs_grow_when_the_clock_goes_back() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    let mut last = store.set("c", "k0", &0).unwrap();
    for n in 1..10 {
        fleet.environment.set_clock(crate::support::environment::START - n * 1_000_000);
        let next = store.set("c", &format!("k{n}"), &n).unwrap();
        assert!(next > last && next.is_v7(), "{next} after {last}");
        last = next;
        if n == 5 {
            store.sync(&server.wire()).unwrap();
        }
    }
    store.sync(&server.wire()).unwrap();
    assert_eq!(server.items().len(), 10);
}
