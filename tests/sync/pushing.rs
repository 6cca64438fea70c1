//! Which ops go into one push, and what is on the disk before it leaves.

use crate::hostile::loaded;
use crate::support::scripted::{accept_all, result};
use crate::support::{Call, FaultyWire, Fleet, ScriptedWire, Server, get};
use syncstore::protocol::{Code, Limits, PushOutcome, PushResponse};
use syncstore::wire::WireError;
use syncstore::{Outcome, Store};

/// Queues single ops (1) and batches of so many, each of a value of so many bytes.
fn queue(store: &Store, layout: &[usize], bytes: usize) {
    let value = "x".repeat(bytes);
    for (n, ops) in layout.iter().enumerate() {
        let mut batch = store.batch();
        for k in 0..*ops {
            let key = format!("{n} {k}");
            if *ops == 1 {
                store.set("c", &key, &value).unwrap();
            } else {
                batch.set("c", &key, &value).unwrap();
            }
        }
        batch.commit().unwrap();
    }
}

/// How many ops each push has.
fn pushes(push_ops: u32, layout: &[usize], bytes: usize) -> Vec<usize> {
    pushes_within(Limits::PROTOCOL, push_ops, layout, bytes)
}

fn pushes_within(limits: Limits, push_ops: u32, layout: &[usize], bytes: usize) -> Vec<usize> {
    let fleet = Fleet::new();
    drop(loaded(&fleet, "a", 1, Vec::new()));
    let store = fleet.open_with("a", |options| options.push_ops = push_ops);
    queue(&store, layout, bytes);
    let wire = ScriptedWire::publishing(limits);
    for n in 1..=layout.len() as u64 + 2 {
        wire.on_push(move |request| Ok(accept_all(request, n * 100)));
    }
    let report = store.push(&wire).unwrap();
    assert_eq!(report.pushed, layout.iter().sum::<usize>() as u64);
    wire.pushed().iter().map(|request| request.ops.len()).collect()
}

#[test]
fn a_batch_is_not_begun_in_a_push_without_room() {
    for (push_ops, layout, expected) in [
        (4, &[1, 1, 3][..], &[2, 3][..]),
        (5, &[1, 1, 3, 1], &[5, 1]),
        (4, &[1, 1, 3, 1], &[2, 4]),
        (4, &[1, 4], &[1, 4]),
        (3, &[1, 3, 1], &[1, 3, 1]),
        (4, &[2, 3], &[2, 3]),
        (4, &[4, 1], &[4, 1]),
        (3, &[1, 1, 1, 1], &[3, 1]),
        // One that fits into none has its own pushes, so that what becomes of the ops before it is known first.
        (4, &[1, 1, 6, 1], &[2, 4, 3]),
    ] {
        assert_eq!(pushes(push_ops, layout, 1), expected, "{layout:?} in pushes of {push_ops}");
    }
}

#[test]
fn a_push_holds_three_mebibytes_and_a_batch_beyond_that_goes_in_several() {
    assert_eq!(pushes(100, &[1, 1, 1, 1], 900_000), [3, 1]);
    assert_eq!(pushes(100, &[4], 900_000), [3, 1]);
    assert_eq!(pushes(100, &[1, 3], 900_000), [1, 3]);
}

#[test]
fn a_push_holds_half_of_what_the_server_takes_up_to_the_byte_and_one_op_in_any_case() {
    let mut small = Limits::PROTOCOL;
    small.body = 200_000;
    // With its quotes, its collection and its key each op has six bytes more.
    assert_eq!(pushes_within(small.clone(), 100, &[1; 5], 24_994), [4, 1]);
    assert_eq!(pushes_within(small.clone(), 100, &[1; 5], 24_995), [3, 2]);
    assert_eq!(pushes_within(small, 100, &[1; 2], 150_000), [1, 1]);
}

#[test]
fn an_op_beside_one_that_is_held_back_counts_as_sent_too() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let held = store.set("c", "held", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(move |_| {
        let mut refusal = result(held, PushOutcome::Rejected, Some(9));
        refusal.code = Some(Code::POLICY);
        Ok(PushResponse { seq: 9, results: vec![refusal] })
    })
    .on_push(|_| Err(WireError::Unreachable("lost".into())));
    store.push(&wire).unwrap();
    let beside = store.set("c", "beside", &1).unwrap();
    let waits = store.set("c", "held", &2).unwrap();
    let last = store.set("c", "last", &1).unwrap();
    store.push(&wire).unwrap_err();
    assert_eq!(wire.pushed()[1].ops.iter().map(|op| op.op_ref).collect::<Vec<_>>(), [beside, last]);
    for (op, outcome) in [(beside, Outcome::InFlight), (waits, Outcome::Queued), (last, Outcome::InFlight)] {
        assert_eq!(store.outcome(op).unwrap(), Some(outcome));
    }
    // So it folds into nothing any more.
    let later = store.set("c", "beside", &2).unwrap();
    assert_eq!(store.outcome(later).unwrap(), Some(Outcome::Queued));
}

#[test]
fn what_is_refused_alone_leaves_the_outbox_with_the_push() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let op = store.set("c", "k", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|_| Err(WireError::Refused { status: 422, code: "invalid".into(), message: "no".into() }));
    let report = store.push(&wire).unwrap();
    assert_eq!((report.rejected, store.pending_count().unwrap()), (1, 0));
    assert!(matches!(store.outcome(op).unwrap(), Some(Outcome::Rejected(_))));
    assert_eq!(get(&store, "c", "k"), None);
}

#[test]
fn a_batch_that_is_held_back_takes_no_other_batch_with_it() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let held = store.set("c", "held", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(move |_| Ok(PushResponse { seq: 9, results: vec![result(held, PushOutcome::Rejected, Some(9))] }))
        .on_push(|request| Ok(accept_all(request, 10)));
    store.push(&wire).unwrap();
    for keys in [["x", "y"], ["z", "held"]] {
        let mut batch = store.batch();
        keys.iter().for_each(|key| _ = batch.set("c", key, &1).unwrap());
        batch.commit().unwrap();
    }
    store.push(&wire).unwrap();
    assert_eq!(wire.pushed()[1].ops.iter().map(|op| op.key.as_str()).collect::<Vec<_>>(), ["x", "y"]);
}

#[test]
fn a_server_that_decides_a_few_ops_of_a_push_is_given_the_others_until_all_are_decided() {
    let server = Server::with(|options| options.push_work = 100_000);
    let (fleet, direct) = (Fleet::new(), server.wire());
    let wire = FaultyWire::recording(&direct);
    let ada = fleet.open("ada");
    for number in 0..30 {
        ada.set("notes", &format!("n{number:02}"), &"x".repeat(20_000)).unwrap();
    }
    ada.sync(&wire).unwrap();
    assert_eq!((ada.pending().unwrap().len(), server.items().len()), (0, 30));
    let pushes = wire.calls().iter().filter(|call| matches!(call, Call::Push(_))).count();
    assert_eq!(pushes, 6, "of 100,000 bytes each");
    let order: Vec<String> = server.log().iter().map(|entry| entry.key.clone().unwrap()).collect();
    assert!(order.is_sorted(), "{order:?}");
}
