//! Replicas of a database that has as much as it may.

use crate::support::{Fault, FaultyWire, Fleet, Server, get};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use syncstore::wire::WireError;

#[test]
fn a_full_database_keeps_nobody_from_loading_reading_and_deleting_and_what_waits_goes_later() {
    let limit = Arc::new(AtomicU64::new(u64::MAX));
    let (fleet, largest) = (Fleet::new(), limit.clone());
    let server = Server::with(move |options| options.largest_database = largest.load(Ordering::Relaxed));
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    for key in ["one", "two"] {
        ours.set("c", key, &1).unwrap();
    }
    ours.sync(&server.wire()).unwrap();
    // Accepted, and not read back when the database is full.
    theirs.set("c", "three", &1).unwrap();
    theirs.push(&server.wire()).unwrap();
    limit.store(1, Ordering::Relaxed);
    server.restart();

    theirs.set("c", "four", &1).unwrap();
    let report = theirs.sync(&server.wire()).unwrap();
    assert!(report.bootstrapped.is_some(), "its first sync loads a checkpoint, and pushes everything again");
    assert_eq!((report.skipped, report.full), (1, true), "offered twice by the call, and counted as it was last");
    assert_eq!((get(&theirs, "c", "one"), theirs.pending_count().unwrap()), (Some(json!(1)), 1), "the set waits alone");

    ours.set("c", "five", &1).unwrap();
    ours.delete("c", "one").unwrap();
    let report = ours.sync(&server.wire()).unwrap();
    assert_eq!(ours.pending_count().unwrap(), 1, "the delete went, behind the set that did not");
    assert_eq!((report.pushed, report.accepted, report.skipped), (1, 1, 1));
    theirs.sync(&server.wire()).unwrap();
    assert_eq!((get(&theirs, "c", "one"), get(&theirs, "c", "four")), (None, Some(json!(1))));

    limit.store(u64::MAX, Ordering::Relaxed);
    server.restart();
    for store in [&ours, &theirs] {
        let report = store.sync(&server.wire()).unwrap();
        assert_eq!((report.skipped, report.full, store.pending_count().unwrap()), (0, false, 0));
    }
    assert_eq!(server.items().into_keys().map(|(_, key)| key).collect::<Vec<_>>(), ["five", "four", "three", "two"]);
}

/// The keys of what each push so far had.
fn offered(wire: &FaultyWire<'_>) -> Vec<Vec<String>> {
    let keys = |ops: Vec<syncstore::protocol::Op>| ops.into_iter().map(|op| op.key).collect();
    wire.pushed().into_iter().map(|push| keys(push.ops)).collect()
}

#[test]
fn once_a_server_has_no_room_only_deletes_are_offered_and_one_op_to_ask_again() {
    let limit = Arc::new(AtomicU64::new(u64::MAX));
    let (fleet, largest) = (Fleet::new(), limit.clone());
    let server = Server::with(move |options| options.largest_database = largest.load(Ordering::Relaxed));
    let store = fleet.open_with("a", |options| options.push_ops = 3);
    for key in ["x", "y"] {
        store.set("c", key, &1).unwrap();
    }
    store.sync(&server.wire()).unwrap();
    limit.store(1, Ordering::Relaxed);
    server.restart();

    for n in 0..20 {
        store.set("c", &format!("k{n:02}"), &1).unwrap();
    }
    for key in ["x", "y"] {
        store.delete("c", key).unwrap();
    }
    let inner = server.wire();
    let wire = FaultyWire::recording(&inner);
    let report = store.sync(&wire).unwrap();
    let first: &[&[&str]] = &[&["k00", "k01", "k02"], &["x", "y"]];
    // What it moved, the call looks at once more.
    let again: &[&[&str]] = &[&["k00"]];
    assert_eq!(offered(&wire), [first, again].concat());
    assert_eq!((report.skipped, report.full, report.accepted), (1, true, 2));

    // A delete of what was offered comes behind that.
    store.delete("c", "k01").unwrap();
    let wire = FaultyWire::recording(&inner);
    let report = store.sync(&wire).unwrap();
    assert_eq!(offered(&wire), again);
    assert_eq!((report.skipped, report.full, store.pending_count().unwrap()), (1, true, 21));

    limit.store(u64::MAX, Ordering::Relaxed);
    server.restart();
    let wire = FaultyWire::recording(&inner);
    let report = store.sync(&wire).unwrap();
    assert_eq!(offered(&wire)[..2], [vec!["k00"], vec!["k01", "k02", "k03"]]);
    assert_eq!((report.full, store.pending_count().unwrap()), (false, 0));
    assert_eq!(server.items().len(), 19);
}

#[test]
fn a_batch_that_a_full_server_has_a_part_of_is_offered_to_its_end() {
    for answered in [true, false] {
        ends_a_batch(answered);
    }
}

/// `answered`: the replica was told that the server has the part.
fn ends_a_batch(answered: bool) {
    let limit = Arc::new(AtomicU64::new(u64::MAX));
    let (fleet, largest) = (Fleet::new(), limit.clone());
    let server = Server::with(move |options| options.largest_database = largest.load(Ordering::Relaxed));
    let store = fleet.open_with("a", |options| options.push_ops = 2);
    store.sync(&server.wire()).unwrap();
    store.set("c", "early", &1).unwrap();
    let mut batch = store.batch();
    for key in ["a", "b", "c", "d", "e"] {
        batch.set("c", key, &1).unwrap();
    }
    batch.commit().unwrap();
    let inner = server.wire();
    // A firewall takes offence at the first, which waits; of the batch two ops arrive.
    let firewall = Fault::Fail(WireError::Forbidden("by a firewall".into()));
    let faults =
        if answered { [firewall, Fault::None, Fault::LoseRequest] } else { [firewall, Fault::LoseAnswer, Fault::None] };
    let wire = FaultyWire::pushes(&inner, faults);
    store.sync(&wire).unwrap_err();
    assert_eq!(offered(&wire)[..2], [vec!["early"], vec!["a", "b"]]);
    limit.store(1, Ordering::Relaxed);
    server.restart();
    store.set("c", "late", &1).unwrap();
    let wire = FaultyWire::recording(&inner);
    store.sync(&wire).unwrap();
    let rest: &[&[&str]] = if answered { &[&["c", "d"], &["e"]] } else { &[&["a", "b"], &["c", "d"], &["e"]] };
    assert_eq!(offered(&wire)[0], ["early"]);
    assert_eq!(offered(&wire)[1..=rest.len()], *rest);
    assert_eq!(server.items().len(), 5);
    assert_eq!(store.pending_count().unwrap(), 2, "and what is new waits");
}

#[test]
fn what_may_go_is_found_behind_more_than_one_transaction_looks_at() {
    let limit = Arc::new(AtomicU64::new(u64::MAX));
    let (fleet, largest) = (Fleet::new(), limit.clone());
    let server = Server::with(move |options| options.largest_database = largest.load(Ordering::Relaxed));
    let store = fleet.open("a");
    store.set("c", "x", &1).unwrap();
    store.sync(&server.wire()).unwrap();
    limit.store(1, Ordering::Relaxed);
    server.restart();
    for n in 0..12_000 {
        store.set("c", &format!("k{n:05}"), &1).unwrap();
    }
    store.delete("c", "x").unwrap();
    let inner = server.wire();
    let wire = FaultyWire::recording(&inner);
    store.sync(&wire).unwrap();
    assert_eq!(offered(&wire)[1], ["x"]);
    assert_eq!((server.items().len(), store.pending_count().unwrap()), (0, 12_000));
}
