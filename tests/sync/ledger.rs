//! What became of each op, for as long as it is kept; and how a sync tries again.

use crate::support::scripted::{item, result};
use crate::support::{Fault, FaultyWire, Fleet, ScriptedWire, Server, get};
use serde_json::json;
use std::time::Duration;
use syncstore::environment::Environment;
use syncstore::protocol::{Code, Limits, PushOutcome, PushResponse};
use syncstore::wire::WireError;
use syncstore::{Error, Outcome, Retention, RetryPolicy};

#[test]
fn every_state_of_an_op_has_its_outcome() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    let op = store.set("c", "k", &1).unwrap();
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Queued));
    let folded = store.set("c", "k", &2).unwrap();
    assert_eq!(store.outcome(folded).unwrap(), Some(Outcome::FoldedInto(op)));
    let direct = server.wire();
    store.push(&FaultyWire::pushes(&direct, [Fault::LoseRequest])).unwrap_err();
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::InFlight));
    store.push(&direct).unwrap();
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 1 }));
    store.pull(&direct).unwrap();
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 1 }));
    let stranger = fleet.open("b").set("c", "k", &1).unwrap();
    assert_eq!(store.outcome(stranger).unwrap(), None);
    let other = fleet.open("b");
    other.sync(&direct).unwrap();
    other.set("careful", "k", &1).unwrap();
    other.sync(&direct).unwrap();
    let refused = store.set("careful", "k", &2).unwrap();
    store.push(&direct).unwrap();
    let Some(Outcome::Rejected(early)) = store.outcome(refused).unwrap() else { panic!("not rejected") };
    assert_eq!(early.code, Code::STALE);
    store.pull(&direct).unwrap();
    assert_eq!(store.outcome(refused).unwrap(), Some(Outcome::Rejected(early)));
    // Outcomes outlive the process.
    drop(store);
    let store = fleet.open("a");
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 1 }));
    assert_eq!(store.outcome(folded).unwrap(), Some(Outcome::FoldedInto(op)));
}

#[test]
fn outcomes_are_pruned_by_age_and_pending_ones_never() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| {
        options.retention = Retention::new(Some(Duration::from_secs(3_600)), None);
    });
    let old = store.set("c", "old", &1).unwrap();
    store.sync(&server.wire()).unwrap();
    let pending = store.set("c", "pending", &1).unwrap();
    // Found to be too young, then too old, and so once more.
    for (seconds, is_there) in [(3_600, true), (3_599, true), (2, true), (3_598, true), (2, false)] {
        fleet.environment.advance(Duration::from_secs(seconds));
        store.pull(&server.wire()).unwrap();
        assert_eq!(store.outcome(old).unwrap().is_some(), is_there, "{seconds}");
    }
    assert_eq!(store.outcome(pending).unwrap(), Some(Outcome::Queued));
    assert_eq!(get(&store, "c", "old"), Some(json!(1)), "the item stays");
}

#[test]
fn a_clock_that_is_ahead_for_a_moment_takes_no_outcome_away() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let day = Duration::from_secs(24 * 3600);
    let store = fleet.open("a");
    let accepted = store.set("c", "k", &1).unwrap();
    store.sync(&server.wire()).unwrap();
    let pending = store.set("c", "k", &2).unwrap();
    let folded = store.set("c", "k", &3).unwrap();
    let right = fleet.environment.unix_ms();
    for years in [1, 10, 2] {
        fleet.environment.set_clock(right + years * 365 * 24 * 3600 * 1000);
        for _ in 0..3 {
            store.pull(&server.wire()).unwrap();
            fleet.environment.advance(day / 4);
        }
        fleet.environment.set_clock(right);
        store.pull(&server.wire()).unwrap();
    }
    assert!(matches!(store.outcome(accepted).unwrap(), Some(Outcome::Accepted { .. })));
    // When it is long ago indeed it goes, and what became part of an op that is pending does not.
    for _ in 0..2 {
        fleet.environment.advance(91 * day);
        store.pull(&server.wire()).unwrap();
    }
    assert_eq!(store.outcome(accepted).unwrap(), None);
    assert_eq!(store.outcome(folded).unwrap(), Some(Outcome::FoldedInto(pending)));
    store.sync(&server.wire()).unwrap();
    for _ in 0..2 {
        fleet.environment.advance(91 * day);
        store.pull(&server.wire()).unwrap();
    }
    assert_eq!(store.outcome(folded).unwrap(), None);
}

#[test]
fn outcomes_are_pruned_by_number_the_oldest_first() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.retention = Retention::new(None, Some(10)));
    let mut refs = Vec::new();
    for n in 0..30 {
        refs.push(store.set("c", &format!("k{n:02}"), &n).unwrap());
    }
    store.sync(&server.wire()).unwrap();
    let kept = refs.iter().filter(|op| store.outcome(**op).unwrap().is_some()).count();
    assert_eq!(kept, 10);
    assert!(store.outcome(refs[29]).unwrap().is_some() && store.outcome(refs[19]).unwrap().is_none());
    let pending: Vec<_> = (0..30).map(|n| store.set("c", &format!("p{n:02}"), &n).unwrap()).collect();
    store.pull(&server.wire()).unwrap();
    assert!(pending.iter().all(|op| store.outcome(*op).unwrap() == Some(Outcome::Queued)));
}

#[test]
fn a_host_that_never_syncs_keeps_its_ledger_small_too() {
    let fleet = Fleet::new();
    let store = fleet.open_with("a", |options| options.retention = Retention::new(None, Some(100)));
    let first = store.set("c", "k", &0).unwrap();
    let mut refs = Vec::new();
    for n in 0..5_000 {
        refs.push(store.set("c", "k", &n).unwrap());
    }
    let known = refs.iter().filter(|op| store.outcome(**op).unwrap().is_some()).count();
    assert!((100..=1_200).contains(&known), "{known}");
    assert_eq!(store.outcome(first).unwrap(), Some(Outcome::Queued));
}

fn unavailable(seconds: Option<u64>) -> Fault {
    let retry_after = seconds.map(Duration::from_secs);
    Fault::Fail(WireError::Unavailable { status: 503, retry_after, message: "busy".into() })
}

#[test]
fn the_wait_that_the_server_asks_for_is_kept() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.retry = RetryPolicy::default());
    store.sync(&server.wire()).unwrap();
    let op = store.set("c", "k", &1).unwrap();
    let direct = server.wire();
    let wire = FaultyWire::pushes(&direct, [unavailable(Some(7)), Fault::LoseAnswer, unavailable(Some(3))]);
    let report = store.sync(&wire).unwrap();
    let slept = fleet.environment.slept();
    assert_eq!((slept[0], slept[2]), (Duration::from_secs(7), Duration::from_secs(3)));
    assert!(slept[1] <= Duration::from_millis(500), "{slept:?}");
    assert_eq!((report.retries, slept.len()), (3, 3));
    assert!(report.elapsed >= Duration::from_secs(10) && report.push_time >= Duration::from_secs(10));
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 1 }));
}

#[test]
fn a_sync_gives_up_in_time_and_keeps_everything() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| {
        options.retry = RetryPolicy::default();
        options.push_ops = 1;
    });
    store.sync(&server.wire()).unwrap();
    store.set("c", "k", &1).unwrap();
    let direct = server.wire();
    let down = FaultyWire::new(&direct, |_| Fault::LoseRequest);
    let error = store.sync(&down).unwrap_err();
    assert_eq!(down.calls().len(), 4);
    assert_eq!((error.report().retries, error.report().pushed), (3, 0));
    assert!(error.error().is_transient());
    let asked = fleet.environment.slept().len();
    // An hour is not waited for, and the host is told of it.
    let busy = FaultyWire::new(&direct, |_| unavailable(Some(3_600)));
    let error = store.sync(&busy).unwrap_err();
    assert_eq!((busy.calls().len(), fleet.environment.slept().len()), (1, asked));
    let Error::Wire(wire) = error.error() else { panic!("{error}") };
    assert_eq!(wire.retry_after(), Some(Duration::from_secs(3_600)));
    // The waits of one call add up, over all its requests.
    let mut count = 0;
    let slow = FaultyWire::new(&direct, |_| {
        count += 1;
        if count % 2 == 1 { unavailable(Some(12)) } else { Fault::None }
    });
    store.set("c", "k2", &1).unwrap();
    let error = store.sync(&slow).unwrap_err();
    // Both pushes got through at their second try; a third wait would have been more than half a minute in all.
    assert_eq!((error.report().pushed, error.report().retries), (2, 2), "{error}");
    assert_eq!(fleet.environment.slept()[asked..], [Duration::from_secs(12); 2]);
    let Error::Wire(wire) = error.error() else { panic!("{error}") };
    assert_eq!(wire.retry_after(), Some(Duration::from_secs(12)));
    store.sync(&direct).unwrap();
    assert_eq!(server.items().len(), 2);
}

#[test]
fn a_broken_answer_is_tried_again() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.retry = RetryPolicy::default());
    store.set("c", "k", &1).unwrap();
    let direct = server.wire();
    let mut count = 0;
    let wire = FaultyWire::new(&direct, |_| {
        count += 1;
        if count % 2 == 0 { Fault::Fail(WireError::Protocol("cut off".into())) } else { Fault::None }
    });
    store.sync(&wire).unwrap();
    assert_eq!(server.items().len(), 1);
}

#[test]
fn a_report_counts_each_thing_once() {
    use syncstore::protocol::Format;
    let (fleet, server) = (Fleet::new(), Server::start());
    let other = fleet.open("b");
    for n in 0..7 {
        other.set("c", &format!("k{n}"), &n).unwrap();
    }
    other.sync(&server.wire()).unwrap();
    let store = fleet.open_with("a", |options| {
        (options.push_ops, options.pull_entries, options.checkpoint_items) = (2, 2, 3);
    });
    for n in 0..3 {
        store.set("d", &format!("k{n}"), &n).unwrap();
    }
    let wire = server.wire_in(Format::Json);
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.pushed, report.accepted, report.rejected, report.loaded), (3, 3, 0, 7));
    assert_eq!(report.bootstrapped, Some(syncstore::BootstrapReason::Fresh));
    assert_eq!((report.position, store.position().unwrap()), (10, 10));
    assert!(report.bytes_sent > 0 && report.bytes_received > report.bytes_sent);
    assert!(report.round_trips >= 3 + 2 + 2, "{}", report.round_trips);
    other.set("c", "k0", &"again").unwrap();
    other.sync(&server.wire()).unwrap();
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.pushed, report.pulled, report.loaded, report.bootstrapped), (0, 1, 0, None));
    assert_eq!((report.round_trips, report.retries, report.undone, report.position), (1, 0, 0, 11));
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.pulled, report.round_trips, report.bytes_sent), (0, 1, 0));
}

#[test]
fn what_the_server_publishes_is_what_the_store_refuses() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let mut limits = Limits::default();
    (limits.value, limits.name, limits.batch_ops) = (10, 4, 2);
    let wire = ScriptedWire::publishing(limits);
    wire.on_checkpoint_items(1, vec![item("c", "k", json!({"n": 1}), 1)]);
    store.pull(&wire).unwrap();
    assert!(matches!(store.set("c", "k", &"123456789"), Err(Error::Limit(_))));
    store.set("c", "k", &"12345678").unwrap();
    assert!(matches!(store.set("c", "12345", &1), Err(Error::Limit(_))));
    let mut batch = store.batch();
    batch.set("c", "a", &1).unwrap().set("c", "b", &1).unwrap();
    assert!(matches!(batch.set("c", "d", &1), Err(Error::Limit(_))));
    drop(batch);
    drop(store);
    // It knows them when the process begins anew, before any request.
    let store = fleet.open("a");
    assert!(matches!(store.set("c", "k", &"123456789"), Err(Error::Limit(_))));
}

#[test]
fn what_the_server_publishes_to_one_store_of_a_file_holds_for_all_of_them() {
    let fleet = Fleet::new();
    let (writes, syncs, syncs_later) = (fleet.open("a"), fleet.open("a"), fleet.open("a"));
    let publishing = |value| {
        let mut limits = Limits::default();
        limits.value = value;
        ScriptedWire::publishing(limits)
    };
    let text = |bytes: usize| "x".repeat(bytes - 2);
    let wire = publishing(4 << 20);
    wire.on_checkpoint_items(1, vec![item("c", "k", json!({"a": 1}), 1)]);
    syncs.pull(&wire).unwrap();
    writes.set("c", "large", &text(2 << 20)).unwrap();
    let wire = publishing(1_000);
    wire.on_pull_page(vec![]);
    syncs_later.pull(&wire).unwrap();
    assert!(matches!(writes.set("c", "large", &text(1_001)), Err(Error::Limit(_))), "the first one already");
    // Each fits, and one that was made of both would not: beside the value, a patch has a kibibyte.
    let operations = vec![json!({"op": "add", "path": "/a", "value": ""}); 30];
    for _ in 0..2 {
        writes.patch_raw("c", "k", &json!(operations).to_string()).unwrap();
    }
    assert_eq!(writes.pending_count().unwrap(), 3);
    assert!(matches!(writes.set("c", "large", &text(1_001)), Err(Error::Limit(_))));
    writes.set("c", "large", &text(1_000)).unwrap();
}

#[test]
fn a_rejected_op_is_listed_with_what_was_meant_until_it_is_discarded() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set("careful", "k", &0).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("careful", "k", &"theirs").unwrap();
    theirs.sync(&server.wire()).unwrap();
    let op = ours.set("careful", "k", &"ours").unwrap();
    ours.sync(&server.wire()).unwrap();
    drop(ours);
    let ours = fleet.open("a");
    let listed = ours.rejections().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].op_ref, listed[0].collection.as_str(), listed[0].key.as_str()), (op, "careful", "k"));
    assert_eq!((listed[0].payload.as_deref(), listed[0].base), (Some(r#""ours""#), Some(1)));
    assert_eq!(listed[0].rejection.code, Code::STALE);
    let outcome = ours.outcome(op).unwrap();
    assert!(ours.discard(op).unwrap());
    assert!(!ours.discard(op).unwrap());
    assert_eq!((ours.rejections().unwrap().len(), ours.outcome(op).unwrap()), (0, outcome));
}

#[test]
fn a_sliders_folds_do_not_push_out_a_rejection() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let few = Retention::new(None, Some(5));
    let (ours, theirs) = (fleet.open_with("a", |options| options.retention = few), fleet.open("b"));
    ours.set("careful", "k", &0).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("careful", "k", &1).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let op = ours.set("careful", "k", &2).unwrap();
    ours.sync(&server.wire()).unwrap();
    for step in 0..3_000 {
        ours.set("c", "slider", &step).unwrap();
    }
    ours.sync(&server.wire()).unwrap();
    assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Rejected(_))));
}

#[test]
fn one_sync_prunes_all_that_is_due() {
    let by_age = Retention::new(Some(Duration::from_secs(3_600)), None);
    let by_number = Retention::new(None, Some(7));
    for (retention, kept) in [(by_age, 0), (by_number, 7)] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let store = fleet.open_with("a", |options| options.retention = Retention::new(None, None));
        // More than one transaction prunes.
        let refs: Vec<_> = (0..4_100).map(|n| store.set("c", "k", &n).unwrap()).collect();
        assert_eq!(store.outcome(refs[1]).unwrap(), Some(Outcome::FoldedInto(refs[0])));
        store.sync(&server.wire()).unwrap();
        drop(store);
        fleet.environment.advance(Duration::from_secs(7_200));
        let store = fleet.open_with("a", |options| options.retention = retention);
        if retention.age.is_some() {
            store.pull(&server.wire()).unwrap();
            assert!(refs.iter().all(|op| store.outcome(*op).unwrap().is_some()), "this is the first look");
            fleet.environment.advance(Duration::from_secs(3_600));
        }
        store.pull(&server.wire()).unwrap();
        let left = refs[1..].iter().filter(|op| store.outcome(**op).unwrap().is_some()).count();
        assert_eq!(left, kept, "{retention:?}");
    }
}

#[test]
fn full_durability_syncs_all_the_same() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.durability = syncstore::Durability::Full);
    let op = store.set("c", "k", &1).unwrap();
    let report = store.sync(&server.wire()).unwrap();
    assert_eq!((report.pushed, report.accepted), (1, 1));
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 1 }));
    assert_eq!(server.value("c", "k"), Some(json!(1)));
}

#[test]
fn rejections_and_other_outcomes_are_counted_apart() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let refs: Vec<_> = (0..15).map(|n| store.set("c", &format!("k{n:02}"), &n).unwrap()).collect();
    let wire = ScriptedWire::new();
    wire.on_push(|request| {
        let results = request.ops.iter().zip(0..).map(|(op, n)| match n {
            0..5 => result(op.op_ref, PushOutcome::Rejected, None),
            _ => result(op.op_ref, PushOutcome::Accepted, Some(1)),
        });
        Ok(PushResponse { seq: 1, results: results.collect() })
    });
    store.sync(&wire).unwrap();
    drop(store);
    for (kept, outcomes) in [(15, 10), (14, 9), (8, 4)] {
        let store = fleet.open_with("a", |options| {
            options.retention = Retention::new(None, Some(outcomes));
        });
        store.pull(&ScriptedWire::new()).unwrap();
        let left = refs.iter().filter(|op| store.outcome(**op).unwrap().is_some()).count();
        assert_eq!(left, kept, "of {outcomes}");
    }
}

#[test]
fn a_ref_tells_when_its_op_was_made_and_grows_whatever_the_clock_does() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let start = crate::support::environment::START;
    let made = |unix_ms| {
        fleet.environment.set_clock(unix_ms);
        store.set("c", "k", &unix_ms).unwrap().order()
    };
    let first = made(start);
    assert_eq!(first >> 12, start as i64);
    assert_eq!(made(start), first + 1);
    assert_eq!(made(start - 1_000), first + 2, "the clock went back");
    assert_eq!(made(start + 1_000) >> 12, start as i64 + 1_000);
}
