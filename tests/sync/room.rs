//! `Options::largest_file`: what is no longer taken from a server, and what goes on all the same.

use crate::hostile::loaded;
use crate::support::scripted::*;
use crate::support::{Fleet, view};
use serde_json::json;
use syncstore::protocol::{CheckpointItem, CheckpointPage};
use syncstore::wire::{Expiry, WireError};
use syncstore::{BootstrapReason, Error, Outcome, Store, SyncError};

const ITEMS: u64 = 12;

/// Together they have a bit more than 600,000 bytes.
fn items() -> Vec<CheckpointItem> {
    (0..ITEMS).map(|n| item("c", &format!("k{n:02}"), json!("x".repeat(50_000)), n + 1)).collect()
}

/// A checkpoint at `seq`, one item a page, up to the page `end`.
fn on_pages_to(wire: &ScriptedWire, seq: u64, end: usize) {
    for (n, item) in items().into_iter().enumerate().take(end) {
        let next = (n + 1 < ITEMS as usize).then(|| format!("p{}", n + 1));
        wire.on_checkpoint(move |_| Ok(CheckpointPage { next, total: ITEMS, ..checkpoint_of(seq, vec![item]) }));
    }
}

fn open(fleet: &Fleet, largest_file: u64) -> Store {
    fleet.open_with("a", |options| options.largest_file = largest_file)
}

fn is_too_large(error: &SyncError, most: u64) -> bool {
    matches!(error.error(), Error::TooLarge { bytes, limit } if *limit == most && bytes >= limit)
}

#[test]
fn a_replica_at_its_limit_reads_no_page_and_still_pushes() {
    let fleet = Fleet::new();
    drop(loaded(&fleet, "a", 20, items()));
    let store = open(&fleet, 100_000);
    let wire = ScriptedWire::new();
    for n in 0..2 {
        let op = store.set("c", "mine", &n).unwrap();
        wire.on_push(move |request| Ok(accept_all(request, 21 + n)));
        let error = store.sync(&wire).unwrap_err();
        assert!(is_too_large(&error, 100_000), "{error}");
        assert_eq!((error.report().pushed, error.report().accepted), (1, 1));
        assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 21 + n }));
    }
    store.set("c", "mine", &2).unwrap();
    wire.on_push(|request| Ok(accept_all(request, 23)));
    assert_eq!(store.push(&wire).unwrap().accepted, 1);
    assert!(wire.is_over() && wire.pulled().is_empty());
}

#[test]
fn a_replica_of_more_than_half_its_limit_is_loaded_anew() {
    const LIMIT: u64 = 1_000_000;
    let fleet = Fleet::new();
    drop(loaded(&fleet, "a", 20, items()));
    let store = open(&fleet, LIMIT);
    for seq in [30, 40] {
        let wire = ScriptedWire::new();
        wire.on_pull(|_| Err(WireError::CursorExpired(Expiry::Pruned)));
        on_pages_to(&wire, seq, ITEMS as usize);
        let report = store.sync(&wire).unwrap();
        assert!(wire.is_over());
        assert_eq!((report.bootstrapped, report.position), (Some(BootstrapReason::Expired), seq));
        assert_eq!(view(&store).len() as u64, ITEMS);
    }
}

#[test]
fn a_checkpoint_that_is_begun_again_has_the_room_of_the_one_before() {
    let fleet = Fleet::new();
    let store = open(&fleet, 730_000);
    let wire = ScriptedWire::new();
    for seq in [20, 30] {
        on_pages_to(&wire, seq, ITEMS as usize - 1);
        wire.on_checkpoint(|_| Err(WireError::CheckpointExpired));
    }
    on_pages_to(&wire, 40, ITEMS as usize);
    let report = store.sync(&wire).unwrap();
    assert!(wire.is_over());
    assert_eq!((report.position, view(&store).len() as u64), (40, ITEMS));
}

#[test]
fn without_room_for_a_checkpoint_the_outbox_is_pushed_and_settles_when_there_is() {
    let fleet = Fleet::new();
    let store = open(&fleet, 1);
    let first = store.set("c", "first", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| Ok(accept_all(request, 4)));
    let error = store.sync(&wire).unwrap_err();
    assert!(is_too_large(&error, 2), "{error}");
    assert_eq!((error.report().pushed, error.report().accepted), (1, 1));
    let second = store.set("c", "second", &2).unwrap();
    assert!(is_too_large(&store.pull(&wire).unwrap_err(), 2), "a pull pushes nothing by itself");
    wire.on_push(move |request| {
        assert_eq!(request.ops.iter().map(|op| op.op_ref).collect::<Vec<_>>(), [second]);
        Ok(accept_all(request, 5))
    });
    assert!(is_too_large(&store.push(&wire).unwrap_err(), 2));
    assert!(wire.is_over() && wire.checkpointed().is_empty());
    assert_eq!(store.pending_count().unwrap(), 2, "nothing settles before it is loaded");
    drop(store);

    let store = fleet.open("a");
    // The server lost the second one, and gave its place to another op. No entry tells of it.
    wire.on_checkpoint_items(5, vec![item("c", "first", json!(1), 4), item("c", "theirs", json!(5), 5)]).on_push(
        move |request| {
            assert_eq!(request.ops.iter().map(|op| op.op_ref).collect::<Vec<_>>(), [first, second]);
            let mut answer = accept_all(request, 4);
            answer.results[1].seq = Some(6);
            Ok(answer)
        },
    );
    wire.on_pull_page(Vec::new()).on_pull_page(vec![set_entry(6, second, "c", "second", json!(2), 0)]);
    let report = store.sync(&wire).unwrap();
    assert!(wire.is_over());
    assert_eq!((report.bootstrapped, report.position), (Some(BootstrapReason::Fresh), 6));
    assert_eq!(store.outcome(first).unwrap(), Some(Outcome::Accepted { seq: 4 }));
    assert_eq!(store.outcome(second).unwrap(), Some(Outcome::Accepted { seq: 6 }));
    assert!(store.pending().unwrap().is_empty());
}

#[test]
fn a_push_before_the_first_page_of_a_checkpoint_has_the_cursor_of_the_log_that_there_is() {
    let cases = [(Expiry::Pruned, Some(cursor(3)), Some(3)), (Expiry::Rewound { restored: Some(2) }, None, None)];
    for (expiry, sent, claim) in cases {
        let fleet = Fleet::new();
        let store = loaded(&fleet, "a", 3, vec![item("c", "k", json!(0), 3)]);
        let wire = ScriptedWire::new();
        wire.on_pull(move |_| Err(WireError::CursorExpired(expiry)))
            .on_checkpoint(|_| Err(WireError::Unreachable("lost".into())));
        store.pull(&wire).unwrap_err();
        store.set("c", "k", &1).unwrap();
        drop(store);
        let store = open(&fleet, 1);
        wire.on_push(|request| Ok(accept_all(request, 3)));
        assert!(is_too_large(&store.push(&wire).unwrap_err(), 2));
        assert!(wire.is_over());
        let pushed = &wire.pushed()[0];
        assert_eq!((&pushed.cursor, pushed.ops[0].base), (&sent, claim), "{expiry:?}");
        assert_eq!(store.pending_count().unwrap(), 1, "{expiry:?}: its seq is of another log than the position");
    }
}
