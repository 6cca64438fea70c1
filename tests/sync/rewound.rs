//! A server restored from an older backup.

use crate::support::faulty::lost;
use crate::support::scripted::{accept_all, checkpoint_of, item};
use crate::support::{Call, Fault, FaultyWire, Fleet, ScriptedWire, Server, get, view};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use syncstore::wire::{Expiry, Wire, WireError};
use syncstore::{BootstrapReason, Outcome};

#[test]
fn ops_above_the_restored_position_are_undone_and_pending_ones_go_without_a_claim() {
    for new_epoch in [true, false] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
        let kept = ours.set("c", "kept", &1).unwrap();
        ours.set("careful", "k", &0).unwrap();
        ours.sync(&server.wire()).unwrap();
        theirs.sync(&server.wire()).unwrap();
        let backup = server.backup();
        let lost = ours.set("c", "lost", &1).unwrap();
        ours.set("careful", "k", &1).unwrap();
        let undone_as_well = ours.sync(&server.wire()).map(|_| lost).unwrap();
        theirs.sync(&server.wire()).unwrap();
        let hinted = ours.set("c", "hinted", &1).unwrap();
        ours.push(&server.wire()).unwrap();
        assert!(matches!(ours.outcome(hinted).unwrap(), Some(Outcome::Accepted { .. })));
        let pending = ours.set("careful", "k", &2).unwrap();
        assert_eq!(ours.pending().unwrap()[1].base, Some(4));
        server.restore(&backup, new_epoch);
        let direct = server.wire();
        let wire = FaultyWire::recording(&direct);
        let report = ours.sync(&wire).unwrap();
        assert_eq!(report.bootstrapped, Some(BootstrapReason::Rewound), "new epoch: {new_epoch}");
        assert_eq!(report.undone, 2, "new epoch: {new_epoch}");
        assert_eq!(ours.outcome(undone_as_well).unwrap(), Some(Outcome::Undone { seq: 3 }));
        assert_eq!(ours.outcome(kept).unwrap(), Some(Outcome::Accepted { seq: 1 }));
        // What was only hinted at was still pending: it went again, and now it is there.
        assert!(matches!(ours.outcome(hinted).unwrap(), Some(Outcome::Accepted { .. })), "new epoch: {new_epoch}");
        let last = wire.pushed().pop().unwrap();
        assert!(last.ops.iter().all(|op| op.base.is_none()), "a claim on a log that is gone");
        // No claim on an existing item is what `careful` refuses; it is told, and nothing is lost silently.
        assert!(matches!(ours.outcome(pending).unwrap(), Some(Outcome::Rejected(_))));
        assert!(ours.pending().unwrap().is_empty());
        let report = theirs.sync(&direct).unwrap();
        assert_eq!(report.bootstrapped, Some(BootstrapReason::Rewound));
        assert_eq!(view(&ours), view(&theirs));
        assert_eq!(get(&ours, "c", "lost"), None);
        assert_eq!(get(&ours, "c", "hinted"), Some(json!(1)));
        assert_eq!(server.items().len(), view(&ours).len());
    }
}

#[test]
fn a_rewound_log_that_has_grown_past_the_cursor_is_still_found_out() {
    for new_epoch in [true, false] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
        ours.set("c", "k", &0).unwrap();
        ours.sync(&server.wire()).unwrap();
        theirs.sync(&server.wire()).unwrap();
        let backup = server.backup();
        let lost = ours.set("c", "k", &"lost").unwrap();
        ours.sync(&server.wire()).unwrap();
        server.restore(&backup, new_epoch);
        for n in 0..5 {
            theirs.set("c", &format!("new{n}"), &n).unwrap();
        }
        theirs.sync(&server.wire()).unwrap();
        let report = ours.sync(&server.wire()).unwrap();
        assert_eq!(report.bootstrapped, Some(BootstrapReason::Rewound));
        assert_eq!(view(&ours), view(&theirs));
        assert_eq!(get(&ours, "c", "k"), Some(json!(0)));
        if new_epoch {
            assert_eq!(ours.outcome(lost).unwrap(), Some(Outcome::Undone { seq: 2 }));
        }
    }
}

#[test]
fn an_answered_op_that_the_log_lost_before_its_entry_was_read_is_pushed_again() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.sync(&server.wire()).unwrap();
    let backup = server.backup();
    let op = ours.set("c", "mine", &1).unwrap();
    ours.push(&server.wire()).unwrap();
    assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 1 })));
    // As after a power loss: in the same epoch, and the cursor of the replica is in the log still.
    server.restore(&backup, false);
    theirs.set("c", "theirs", &2).unwrap();
    theirs.sync(&server.wire()).unwrap();

    let report = ours.sync(&server.wire()).unwrap();
    assert_eq!((report.bootstrapped, report.accepted), (None, 0), "it was counted when it was answered");
    assert_eq!(server.value("c", "mine"), Some(json!(1)));
    assert_eq!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 2 }));
    assert!(ours.pending().unwrap().is_empty());
    theirs.sync(&server.wire()).unwrap();
    assert_eq!(view(&ours), view(&theirs));
}

#[test]
fn a_bootstrap_that_goes_on_after_the_server_lost_what_it_had_answered_pushes_that_again() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open_with("a", |options| options.push_ops = 1), fleet.open("b"));
    let op = ours.set("c", "mine", &1).unwrap();
    ours.set("c", "more", &2).unwrap();
    let backup = server.backup();
    let direct = server.wire();
    ours.sync(&FaultyWire::pushes(&direct, [Fault::None, Fault::LoseRequest])).unwrap_err();
    assert_eq!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 1 }));
    server.restore(&backup, false);
    theirs.set("c", "theirs", &3).unwrap();
    theirs.sync(&server.wire()).unwrap();

    let report = ours.sync(&server.wire()).unwrap();
    assert_eq!((report.bootstrapped, report.accepted), (Some(BootstrapReason::Fresh), 1));
    assert_eq!(server.value("c", "mine"), Some(json!(1)));
    assert_eq!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 2 }));
    theirs.sync(&server.wire()).unwrap();
    assert_eq!(view(&ours), view(&theirs));
}

#[test]
fn a_push_alone_finds_the_rewound_log_too_and_nothing_of_it_is_taken_before() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let ours = fleet.open("a");
    ours.set("careful", "k", &0).unwrap();
    ours.sync(&server.wire()).unwrap();
    let backup = server.backup();
    ours.set("careful", "k", &1).unwrap();
    ours.sync(&server.wire()).unwrap();
    ours.set("c", "new", &2).unwrap();
    server.restore(&backup, true);
    let direct = server.wire();
    let wire = FaultyWire::recording(&direct);
    let report = ours.push(&wire).unwrap();
    assert_eq!(report.bootstrapped, Some(BootstrapReason::Rewound));
    assert_eq!(report.undone, 1);
    assert_eq!(wire.pushed()[0].ops.len(), 1);
    ours.sync(&direct).unwrap();
    assert_eq!(server.value("c", "new"), Some(json!(2)));
    assert_eq!(get(&ours, "careful", "k"), Some(json!(0)));
}

#[test]
fn writes_made_while_it_recovers_make_no_claim_either_even_when_the_recovery_begins_again() {
    let fleet = Fleet::new();
    let store = std::sync::Arc::new(crate::hostile::loaded(&fleet, "a", 7, vec![item("c", "k", json!(1), 7)]));
    let writer = std::sync::Arc::clone(&store);
    let wire = ScriptedWire::new();
    wire.on_pull(|_| Err(WireError::CursorExpired(Expiry::Rewound { restored: Some(3) })))
        .on_checkpoint(move |_| {
            writer.set("c", "k", &2).unwrap();
            Ok(checkpoint_of(3, vec![item("c", "k", json!(0), 2)]))
        })
        // The log was pruned meanwhile: another checkpoint.
        .on_pull(|_| Err(WireError::CursorExpired(Expiry::Pruned)))
        .on_checkpoint_items(4, vec![item("c", "k", json!(0), 2)])
        .on_pull_page(Vec::new())
        .on_push(|request| Ok(accept_all(request, 5)));
    let report = store.pull(&wire).unwrap();
    assert_eq!(report.bootstrapped, Some(BootstrapReason::Rewound));
    let pushed = wire.pushed();
    assert_eq!(pushed.len(), 1);
    assert_eq!(pushed[0].ops[0].base, None, "it speaks of a log that is gone");
}

#[test]
fn an_interrupted_recovery_still_undoes_and_makes_no_claims() {
    for n in 1..8 {
        let (fleet, server) = (Fleet::new(), Server::start());
        let ours = fleet.open_with("a", |options| options.checkpoint_items = 1);
        ours.set("c", "k1", &0).unwrap();
        ours.set("c", "k2", &0).unwrap();
        ours.sync(&server.wire()).unwrap();
        let backup = server.backup();
        let lost = ours.set("c", "k1", &1).unwrap();
        ours.sync(&server.wire()).unwrap();
        let pending = ours.set("c", "k2", &2).unwrap();
        server.restore(&backup, true);
        let direct = server.wire();
        let wire = FaultyWire::nth(&direct, n, Fault::LoseAnswer);
        let mut undone = 0;
        for _ in 0..3 {
            undone += match ours.sync(&wire) {
                Ok(report) => report.undone,
                Err(error) => error.report().undone,
            };
        }
        assert_eq!(undone, 1, "interrupted at {n}");
        assert_eq!(ours.outcome(lost).unwrap(), Some(Outcome::Undone { seq: 3 }), "interrupted at {n}");
        assert!(matches!(ours.outcome(pending).unwrap(), Some(Outcome::Accepted { .. })), "interrupted at {n}");
        assert_eq!((get(&ours, "c", "k1"), get(&ours, "c", "k2")), (Some(json!(0)), Some(json!(2))));
        assert_eq!(server.items().len(), 2);
    }
}

#[test]
fn a_restored_replica_file_is_found_out_and_loses_nothing() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.set("c", "k", &json!({"n": 0})).unwrap();
    store.sync(&server.wire()).unwrap();
    drop(store);
    fleet.copy("a", "backup");
    let store = fleet.open("a");
    store.update("c", "k", |value| value["n"] = 1.into()).unwrap();
    store.sync(&server.wire()).unwrap();
    drop(store);
    std::fs::remove_file(fleet.path("a")).unwrap();
    fleet.copy("backup", "a");
    let store = fleet.open("a");
    let before = store.client_id().unwrap();
    store.set("c", "new", &1).unwrap();
    let report = store.sync(&server.wire()).unwrap();
    assert!(matches!(report.bootstrapped, Some(BootstrapReason::Diverged(_))), "{:?}", report.bootstrapped);
    assert_ne!(store.client_id().unwrap(), before);
    assert_eq!((get(&store, "c", "k"), get(&store, "c", "new")), (Some(json!({"n": 1})), Some(json!(1))));
    assert!(store.pending().unwrap().is_empty());
}

#[test]
fn a_log_rewound_while_an_expired_replica_loads_is_found_out() {
    // Lost after the pull that is told that the cursor expired: the first page, the question about the log, the second.
    (1..=3).for_each(rewound_while_loading);
}

fn rewound_while_loading(lost_call: usize) {
    let (fleet, server) = (Fleet::new(), Server::with(|options| options.retention.log_entries = 5));
    let (ours, theirs) = (fleet.open_with("a", |options| options.checkpoint_items = 2), fleet.open("b"));
    theirs.sync(&server.wire()).unwrap();
    for n in 0..6 {
        theirs.set("c", &format!("k{n}"), &n).unwrap();
    }
    theirs.sync(&server.wire()).unwrap();
    let backup = server.backup();
    ours.sync(&server.wire()).unwrap();
    let lost = ours.set("c", "lost", &1).unwrap();
    ours.sync(&server.wire()).unwrap();
    let Some(Outcome::Accepted { seq }) = ours.outcome(lost).unwrap() else { panic!("not accepted") };
    for n in 0..20 {
        theirs.set("d", &format!("k{n}"), &n).unwrap();
    }
    theirs.sync(&server.wire()).unwrap();
    server.environment.advance(std::time::Duration::from_secs(30 * 24 * 3600));
    server.prune();
    let direct = server.wire();
    ours.pull(&FaultyWire::nth(&direct, lost_call, Fault::LoseRequest)).unwrap_err();
    assert_eq!(ours.bootstrap_progress().unwrap().unwrap().loaded > 0, lost_call == 3);
    server.restore(&backup, true);
    let report = ours.sync(&direct).unwrap();
    assert_eq!((report.bootstrapped, report.undone), (Some(BootstrapReason::Rewound), 1));
    assert_eq!(ours.outcome(lost).unwrap(), Some(Outcome::Undone { seq }));
    assert_eq!(get(&ours, "c", "lost"), None);
}

#[test]
fn an_undone_op_that_arrives_late_in_the_restored_log_is_accepted_after_all() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let ours = fleet.open("a");
    ours.set("c", "k", &0).unwrap();
    ours.sync(&server.wire()).unwrap();
    let backup = server.backup();
    let op = ours.set("c", "late", &1).unwrap();
    let direct = server.wire();
    let wire = FaultyWire::recording(&direct);
    ours.sync(&wire).unwrap();
    server.restore(&backup, true);
    ours.sync(&direct).unwrap();
    assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Undone { .. })));
    let before = ours.client_id().unwrap();
    // A copy of the request that was on its way all the while, from before there was a cursor.
    let mut copy = wire.pushed().remove(0);
    copy.cursor = None;
    direct.push(&copy).unwrap();
    let report = ours.sync(&direct).unwrap();
    assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })), "{:?}", ours.outcome(op).unwrap());
    assert_eq!((report.bootstrapped, ours.client_id().unwrap()), (None, before));
    assert_eq!(get(&ours, "c", "late"), Some(json!(1)));
}

#[test]
fn a_second_restore_undoes_nothing_that_it_did_not_lose() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open_with("a", |options| options.pull_entries = 1), fleet.open("b"));
    ours.set("c", "k", &0).unwrap();
    ours.sync(&server.wire()).unwrap();
    let backup = server.backup();
    let op = ours.set("c", "late", &1).unwrap();
    let direct = server.wire();
    let recording = FaultyWire::recording(&direct);
    ours.sync(&recording).unwrap();
    let mut copy = recording.pushed().remove(0);
    copy.cursor = None;
    server.restore(&backup, true);
    // It comes late, while the checkpoint loads; its replay is cut off, before the swap.
    let (loading, replayed) = (AtomicBool::new(false), AtomicBool::new(false));
    let wire = FaultyWire::new(&direct, |call| match call {
        Call::Checkpoint(_) => {
            loading.store(true, Ordering::SeqCst);
            Fault::None
        }
        Call::Pull(_) if loading.load(Ordering::SeqCst) => {
            if replayed.swap(true, Ordering::SeqCst) {
                return Fault::Fail(lost("offline"));
            }
            direct.push(&copy).unwrap();
            theirs.set("c", "more", &1).unwrap();
            theirs.sync(&direct).unwrap();
            Fault::None
        }
        _ => Fault::None,
    });
    ours.sync(&wire).unwrap_err();
    assert!(replayed.load(Ordering::SeqCst) && ours.bootstrap_progress().unwrap().is_some());
    assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    let second = server.backup();
    server.restore(&second, true);
    ours.sync(&direct).unwrap();
    assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })), "{:?}", ours.outcome(op).unwrap());
    assert_eq!((get(&ours, "c", "late"), ours.rejections().unwrap().len()), (Some(json!(1)), 0));
}
