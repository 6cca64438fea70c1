//! One bad op among many good ones.

use crate::support::scripted::{accept_all, as_sent_entry, page_of, rejected_entry, result};
use crate::support::{Call, Fault, FaultyWire, Fleet, ScriptedWire, Server, get, view};
use serde_json::json;
use syncstore::protocol::{Code, Json, OpKind, PushOutcome, PushResponse};
use syncstore::wire::{Expiry, WireError};
use syncstore::{Outcome, Rejection, Store};

fn rejection(store: &Store, op: syncstore::Ref) -> Rejection {
    match store.outcome(op).unwrap() {
        Some(Outcome::Rejected(why)) => why,
        other => panic!("{op} is {other:?}"),
    }
}

#[test]
fn a_poison_op_among_a_thousand_is_rejected_and_the_rest_arrive() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set("careful", "poison", &0).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("careful", "poison", &"theirs").unwrap();
    theirs.sync(&server.wire()).unwrap();
    let mut good = Vec::new();
    for n in 0..500 {
        good.push(ours.set("c", &format!("k{n:04}"), &n).unwrap());
    }
    let poison = ours.set("careful", "poison", &"ours").unwrap();
    for n in 500..1_000 {
        good.push(ours.set("c", &format!("k{n:04}"), &n).unwrap());
    }
    let report = ours.sync(&server.wire()).unwrap();
    assert_eq!((report.pushed, report.accepted, report.rejected), (1_001, 1_000, 1));
    assert!(ours.pending().unwrap().is_empty());
    for op in good {
        assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    }
    let why = rejection(&ours, poison);
    assert_eq!(why.code, Code::STALE);
    assert!(!why.message.is_empty() && why.detail.is_some() && why.seq.is_some());
    assert_eq!(get(&ours, "careful", "poison"), Some(json!("theirs")));
    assert_eq!(server.items().len(), 1_001);
}

/// Refuses every push that holds an op of this key, as a proxy or a server does that looks at the whole.
fn refusing<'a>(inner: &'a dyn syncstore::wire::Wire, key: &'static str, status: u16) -> FaultyWire<'a> {
    FaultyWire::new(inner, move |call| match call {
        Call::Push(request) if request.ops.iter().any(|op| op.key == key) => Fault::Fail(WireError::Refused {
            status,
            code: "invalid".into(),
            message: format!("refused with {status}"),
        }),
        _ => Fault::None,
    })
}

#[test]
fn a_push_refused_as_a_whole_is_halved_down_to_the_op_at_fault() {
    for (status, code) in [(400, Code::INVALID), (413, Code::TOO_LARGE), (422, Code::INVALID)] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let store = fleet.open("a");
        store.sync(&server.wire()).unwrap();
        for n in 0..1_000 {
            store.set("c", &format!("k{n:04}"), &n).unwrap();
        }
        let poison = store.set("c", "poison", &0).unwrap();
        for n in 0..20 {
            store.set("c", &format!("l{n:04}"), &n).unwrap();
        }
        let direct = server.wire();
        let wire = refusing(&direct, "poison", status);
        let report = store.sync(&wire).unwrap();
        assert_eq!((report.accepted, report.rejected), (1_020, 1), "{status}");
        let requests = wire.pushed().len();
        assert!(requests <= 2 * 11 + 4, "{status}: {requests} requests are no halving");
        let why = rejection(&store, poison);
        assert_eq!((why.code, why.seq), (code, None));
        assert!(why.message.contains(&format!("refused with {status}")), "{}", why.message);
        assert!(store.pending().unwrap().is_empty());
        assert_eq!((server.items().len(), get(&store, "c", "poison")), (1_020, None));
        // The order on each item and over all was kept.
        let sent: Vec<_> = server.log().into_iter().map(|entry| entry.op_ref).collect();
        assert!(sent.is_sorted());
    }
}

#[test]
fn other_refusals_stop_the_sync_and_reject_nothing() {
    let others = [
        WireError::Refused { status: 404, code: "unknown_db".into(), message: String::new() },
        WireError::Forbidden("no".into()),
        WireError::Unauthenticated("who".into()),
        WireError::Refused { status: 415, code: String::new(), message: String::new() },
    ];
    for error in others {
        let (fleet, server) = (Fleet::new(), Server::start());
        let store = fleet.open("a");
        store.sync(&server.wire()).unwrap();
        let op = store.set("c", "k", &1).unwrap();
        let direct = server.wire();
        let wire = FaultyWire::pushes(&direct, [Fault::Fail(error.clone())]);
        let stopped = store.sync(&wire).unwrap_err();
        assert!(matches!(stopped.error(), syncstore::Error::Wire(same) if *same == error));
        assert_eq!(wire.pushed().len(), 1, "{error} is not tried again");
        assert_eq!(store.outcome(op).unwrap(), Some(Outcome::InFlight));
        store.sync(&wire).unwrap();
        assert_eq!(server.value("c", "k"), Some(json!(1)));
    }
}

/// Answers that do not say that they are for an op.
fn unsaid() -> [WireError; 4] {
    let refused = |status| WireError::Refused { status, code: String::new(), message: String::new() };
    let failed = WireError::Unavailable { status: 500, retry_after: None, message: String::new() };
    [WireError::Forbidden("a firewall".into()), refused(400), refused(406), failed]
}

#[test]
fn an_op_that_no_push_gets_past_waits_and_the_others_go() {
    for error in unsaid() {
        for before in [0, 1, 700] {
            let (fleet, server) = (Fleet::new(), Server::start());
            let (store, theirs) = (fleet.open("a"), fleet.open("b"));
            store.sync(&server.wire()).unwrap();
            theirs.set("c", "theirs", &1).unwrap();
            theirs.sync(&server.wire()).unwrap();
            let set = |keys: std::ops::Range<u32>| {
                for n in keys {
                    store.set("c", &format!("k{n:04}"), &n).unwrap();
                }
            };
            set(0..before);
            let poison = store.set("c", "poison", &0).unwrap();
            set(before..1_000);
            let direct = server.wire();
            let wire = FaultyWire::new(&direct, |call| match call {
                Call::Push(request) if request.ops.iter().any(|op| op.key == "poison") => Fault::Fail(error.clone()),
                _ => Fault::None,
            });
            let stopped = store.sync(&wire).unwrap_err();
            assert!(matches!(stopped.error(), syncstore::Error::Wire(same) if *same == error), "{stopped:?}");
            assert_eq!((stopped.report().accepted, stopped.report().rejected), (1_000, 0), "{error} at {before}");
            assert_eq!(get(&store, "c", "theirs"), Some(json!(1)), "what others wrote came");
            let requests = wire.pushed().len();
            assert!(requests <= 3 * 14, "{error} at {before}: {requests} requests are no halving");
            assert_eq!(store.outcome(poison).unwrap(), Some(Outcome::InFlight));
            assert_eq!(store.pending_count().unwrap(), 1);
            // Alone it keeps nothing from being pulled.
            theirs.set("c", "theirs", &2).unwrap();
            theirs.sync(&server.wire()).unwrap();
            store.sync(&wire).unwrap_err();
            assert_eq!(get(&store, "c", "theirs"), Some(json!(2)));
            // What is on its item waits with it, and something else does not.
            store.set("c", "poison", &1).unwrap();
            store.set("c", "other", &1).unwrap();
            store.sync(&wire).unwrap_err();
            assert_eq!((store.pending_count().unwrap(), server.value("c", "other")), (2, Some(json!(1))));
            store.sync(&direct).unwrap();
            assert_eq!((store.pending_count().unwrap(), server.value("c", "poison")), (0, Some(json!(1))));
        }
    }
}

#[test]
fn many_ops_that_no_push_gets_past_keep_back_the_others_for_a_few_calls_at_most() {
    for error in unsaid() {
        let (fleet, server) = (Fleet::new(), Server::start());
        let store = fleet.open_with("a", |options| options.retry.attempts = 1);
        store.sync(&server.wire()).unwrap();
        for n in 0..12 {
            store.set("c", &format!("poison{n:02}"), &n).unwrap();
        }
        for n in 0..50 {
            store.set("c", &format!("k{n:02}"), &n).unwrap();
        }
        let direct = server.wire();
        let wire = FaultyWire::new(&direct, |call| match call {
            Call::Push(request) if request.ops.iter().any(|op| op.key.starts_with("poison")) => {
                Fault::Fail(error.clone())
            }
            _ => Fault::None,
        });
        let mut calls = 0;
        while server.items().is_empty() {
            let stopped = store.sync(&wire).unwrap_err();
            assert!(matches!(stopped.error(), syncstore::Error::Wire(same) if *same == error), "{stopped:?}");
            calls += 1;
            assert!(calls <= 12, "{error}");
        }
        let before = wire.calls().len();
        store.sync(&wire).unwrap_err();
        assert_eq!((server.items().len(), store.pending_count().unwrap()), (50, 12), "{error}");
        // Two are tried again, together and then each alone; and one pull.
        assert!(wire.calls().len() - before <= 4, "{:?}", &wire.calls()[before..]);
        // What is on one of their items waits with it, whether it is its turn or not.
        for n in 0..12 {
            store.set("c", &format!("poison{n:02}"), &"later").unwrap();
        }
        store.sync(&wire).unwrap_err();
        assert_eq!(server.items().len(), 50);
        // As soon as one gets through, all are tried.
        assert_eq!(store.push(&direct).unwrap().accepted, 24, "{error}");
        store.sync(&direct).unwrap();
        assert_eq!((server.items().len(), store.pending_count().unwrap()), (62, 0), "{error}");
        assert_eq!(server.value("c", "poison11"), Some(json!("later")));
    }
}

#[test]
fn a_batch_on_the_item_of_what_waits_waits_whole() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    store.set("c", "poison", &0).unwrap();
    let mut batch = store.batch();
    batch.set("c", "j", &1).unwrap().set("c", "poison", &1).unwrap();
    batch.commit().unwrap();
    store.set("c", "j", &2).unwrap();
    store.set("c", "other", &3).unwrap();
    let direct = server.wire();
    let wire = FaultyWire::new(&direct, |call| match call {
        Call::Push(request) if request.ops[0].key == "poison" => Fault::Fail(WireError::Forbidden("no".into())),
        _ => Fault::None,
    });
    for _ in 0..2 {
        store.sync(&wire).unwrap_err();
        assert_eq!((server.items().len(), server.value("c", "other")), (1, Some(json!(3))));
    }
    store.sync(&direct).unwrap();
    assert_eq!((server.value("c", "j"), server.value("c", "poison")), (Some(json!(2)), Some(json!(1))));
}

#[test]
fn what_waits_stands_in_the_way_of_no_checkpoint_and_no_filter() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (store, theirs) = (fleet.open("a"), fleet.open("b"));
    store.sync(&server.wire()).unwrap();
    theirs.set("d", "k", &1).unwrap();
    theirs.sync(&server.wire()).unwrap();
    store.set("c", "poison", &0).unwrap();
    let direct = server.wire();
    let wire = FaultyWire::new(&direct, |call| match call {
        Call::Push(_) => Fault::Fail(WireError::Forbidden("no".into())),
        _ => Fault::None,
    });
    let expired = FaultyWire::new(&wire, |call| match call {
        Call::Pull(request) if request.cursor.is_some() => Fault::Fail(WireError::CursorExpired(Expiry::Pruned)),
        _ => Fault::None,
    });
    // The cursor that the checkpoint gives expires as well, but its swap needs none.
    store.sync(&expired).unwrap_err();
    store.sync(&wire).unwrap_err();
    assert_eq!(get(&store, "d", "k"), Some(json!(1)));
    store.keep(&syncstore::Filter::only(["d"])).unwrap();
    store.sync(&wire).unwrap_err();
    assert_eq!(store.kept().unwrap().here, syncstore::Filter::only(["d"]));
    store.sync(&direct).unwrap();
    assert_eq!((server.value("c", "poison"), store.pending_count().unwrap()), (Some(json!(0)), 0));
}

#[test]
fn a_checkpoint_is_not_swapped_in_on_the_word_of_a_server_that_takes_nothing() {
    for takes_one in [false, true] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let (store, theirs) = (fleet.open("a"), fleet.open("b"));
        theirs.set("d", "k", &1).unwrap();
        theirs.sync(&server.wire()).unwrap();
        // More than are tried where nothing goes, and more than may be set aside where something does.
        for n in 0..100 {
            store.set("c", &format!("k{n:02}"), &n).unwrap();
        }
        let direct = server.wire();
        let wire = FaultyWire::new(&direct, |call| match call {
            Call::Push(request) if takes_one && request.ops.iter().all(|op| op.key == "k00") => Fault::None,
            Call::Push(_) => Fault::Fail(WireError::Forbidden("no".into())),
            _ => Fault::None,
        });
        let error = store.sync(&wire).unwrap_err();
        assert!(matches!(error.error(), syncstore::Error::Wire(WireError::Forbidden(_))), "{error:?}");
        let swapped = error.report().bootstrapped.is_some();
        assert_eq!((swapped, get(&store, "d", "k").is_some()), (takes_one, takes_one));
        assert_eq!(get(&store, "c", "k99"), Some(json!(99)));
        store.sync(&direct).unwrap();
        assert_eq!((server.items().len(), view(&store).len(), store.pending_count().unwrap()), (101, 101, 0));
    }
}

#[test]
fn a_failure_that_has_passed_is_not_told() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.retry.attempts = 1);
    store.sync(&server.wire()).unwrap();
    for key in ["a", "b"] {
        store.set("c", key, &1).unwrap();
    }
    let direct = server.wire();
    let failed = || Fault::Fail(WireError::Unavailable { status: 500, retry_after: None, message: String::new() });
    let wire = FaultyWire::pushes(&direct, [failed(), failed()]);
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.accepted, store.pending_count().unwrap()), (2, 0));
}

#[test]
fn where_every_push_fails_a_few_tell() {
    for error in unsaid() {
        let (fleet, server) = (Fleet::new(), Server::start());
        let store = fleet.open_with("a", |options| options.retry.attempts = 1);
        store.sync(&server.wire()).unwrap();
        for n in 0..2_000 {
            store.set("c", &format!("k{n:04}"), &n).unwrap();
        }
        let direct = server.wire();
        let wire = FaultyWire::new(&direct, |call| match call {
            Call::Push(_) => Fault::Fail(error.clone()),
            _ => Fault::None,
        });
        let stopped = store.sync(&wire).unwrap_err();
        assert!(matches!(stopped.error(), syncstore::Error::Wire(same) if *same == error), "{stopped:?}");
        let most = if error.http_status() == Some(500) { 2 } else { 8 };
        // And the one further behind that it looks at.
        assert_eq!(wire.pushed().len(), 2 * most + 3, "{error}");
        assert_eq!((store.pending_count().unwrap(), store.rejections().unwrap().len()), (2_000, 0));
    }
}

#[test]
fn a_rejected_op_holds_back_later_ops_on_its_item_until_they_are_rebased() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, vec![crate::support::scripted::item("c", "k", json!(0), 1)]);
    // Uncoalesced, since the first was sent.
    let first = store.set("c", "k", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|_| Err(WireError::Unreachable("lost".into())));
    store.push(&wire).unwrap_err();
    let second = store.set("c", "k", &2).unwrap();
    let elsewhere = store.set("c", "other", &3).unwrap();
    wire.on_push(move |request| {
        let refs: Vec<_> = request.ops.iter().map(|op| op.op_ref).collect();
        assert_eq!(refs, [first, second, elsewhere]);
        let mut results = vec![
            result(first, PushOutcome::Rejected, Some(2)),
            result(second, PushOutcome::Skipped, None),
            result(elsewhere, PushOutcome::Accepted, Some(3)),
        ];
        results[0].code = Some(Code::POLICY);
        Ok(PushResponse { seq: 3, results })
    })
    .on_pull(move |request| {
        let entries = vec![
            rejected_entry(2, first, Code::POLICY, "no"),
            as_sent_entry(3, elsewhere, OpKind::Set, "c", "other", 0),
        ];
        Ok(page_of(request, entries, false))
    })
    .on_push(move |request| {
        assert_eq!(request.ops.iter().map(|op| op.op_ref).collect::<Vec<_>>(), [second], "pushed again, alone");
        Ok(accept_all(request, 4))
    })
    .on_pull(move |request| Ok(page_of(request, vec![as_sent_entry(4, second, OpKind::Set, "c", "k", 1)], false)));
    let report = store.sync(&wire).unwrap();
    assert!(wire.is_over(), "one sync does all of it");
    assert_eq!((report.accepted, report.rejected, report.bootstrapped), (2, 1, None));
    assert_eq!(get(&store, "c", "k"), Some(json!(2)));
    assert!(store.pending().unwrap().is_empty());
}

#[test]
fn the_server_skips_what_followed_a_rejected_op_and_takes_it_the_next_time() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let ours = fleet.open_with("a", |options| options.coalescing = false);
    let theirs = fleet.open("b");
    ours.set("careful", "k", &json!({"n": 0})).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("careful", "k", &json!({"n": "theirs"})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let stale = ours.set("careful", "k", &json!({"n": 1})).unwrap();
    let later = ours.update("careful", "k", |value| value["m"] = 2.into()).unwrap().unwrap();
    let report = ours.sync(&server.wire()).unwrap();
    assert_eq!(rejection(&ours, stale).code, Code::STALE);
    // It claims the base that it was made on, which the other's set left behind.
    assert_eq!(rejection(&ours, later).code, Code::STALE);
    assert_eq!((report.rejected, ours.pending_count().unwrap()), (2, 0));
    assert_eq!(get(&ours, "careful", "k"), Some(json!({"n": "theirs"})));
}

#[test]
fn a_rejection_keeps_its_detail() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set("c", "k", &json!({"a": {"b": 1}})).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("c", "k", &json!({"other": 1})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let op = ours.update("c", "k", |value| value["a"]["b"] = 2.into()).unwrap().unwrap();
    ours.sync(&server.wire()).unwrap();
    let why = rejection(&ours, op);
    assert_eq!(why.code, Code::PATCH_FAILED);
    assert_eq!(why.detail.map(|detail: Json| detail.to_value().unwrap()["path"].clone()), Some(json!("/a/b")));
}

#[test]
fn an_op_refused_alone_that_had_arrived_before_is_corrected_by_the_log() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    let op = store.set("c", "k", &1).unwrap();
    let direct = server.wire();
    let refused = Fault::Fail(WireError::Refused { status: 422, code: "invalid".into(), message: "no".into() });
    let wire = FaultyWire::pushes(&direct, [Fault::LoseAnswer, refused]);
    store.sync(&wire).unwrap_err();
    store.sync(&wire).unwrap();
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 1 }));
    assert_eq!(get(&store, "c", "k"), Some(json!(1)));
}

#[test]
fn an_op_older_than_the_outcomes_that_the_server_keeps_is_rejected_and_reported() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    let old = store.set("c", "old", &1).unwrap();
    // What the server forgets in the meantime is younger.
    fleet.environment.advance(std::time::Duration::from_secs(1));
    let other = fleet.open("b");
    other.set("c", "other", &1).unwrap();
    other.sync(&server.wire()).unwrap();
    other.sync(&server.wire()).unwrap();
    // A server forgets nothing that a client with a checkpoint, or behind it, has not read.
    server.environment.advance(std::time::Duration::from_secs(2 * 24 * 3600));
    server.prune();
    other.pull(&server.wire()).unwrap();
    other.set("c", "other", &2).unwrap();
    other.sync(&server.wire()).unwrap();
    let away = std::time::Duration::from_secs(200 * 24 * 3600);
    server.environment.advance(away);
    fleet.environment.advance(away);
    server.prune();
    let new = store.set("c", "new", &1).unwrap();
    store.sync(&server.wire()).unwrap();
    assert_eq!(rejection(&store, old).code, Code::EXPIRED);
    assert!(matches!(store.outcome(new).unwrap(), Some(Outcome::Accepted { .. })));
    assert_eq!((get(&store, "c", "old"), store.pending_count().unwrap()), (None, 0));
}

#[test]
fn a_replica_that_belongs_to_another_user_is_refused_and_keeps_what_it_has() {
    use syncstore_server::service::Caller;
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.set("c", "k", &1).unwrap();
    store.sync(&server.wire()).unwrap();
    let op = store.set("c", "k", &2).unwrap();
    let other = server.wire_of(Caller { user: "bob".into(), ..crate::support::server::caller() });
    let error = store.sync(&other).unwrap_err();
    assert!(matches!(error.error(), syncstore::Error::Wire(WireError::Forbidden(_))), "{error}");
    let error = store.pull(&other).unwrap_err();
    assert!(matches!(error.error(), syncstore::Error::Wire(WireError::Forbidden(_))), "{error}");
    assert_eq!((store.outcome(op).unwrap(), get(&store, "c", "k")), (Some(Outcome::InFlight), Some(json!(2))));
    store.sync(&server.wire()).unwrap();
    assert_eq!(server.value("c", "k"), Some(json!(2)));
}

#[test]
fn a_firewall_that_refuses_everything_costs_no_op() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    for n in 0..10 {
        store.set("c", &format!("k{n}"), &n).unwrap();
    }
    let direct = server.wire();
    for status in [400, 422] {
        let wire = FaultyWire::new(&direct, move |call| match call {
            Call::Push(_) => Fault::Fail(WireError::Refused { status, code: String::new(), message: String::new() }),
            _ => Fault::None,
        });
        let error = store.sync(&wire).unwrap_err();
        assert!(matches!(error.error(), syncstore::Error::Wire(WireError::Refused { .. })), "{error}");
        assert_eq!((error.report().rejected, store.pending_count().unwrap()), (0, 10));
    }
    store.sync(&direct).unwrap();
    assert_eq!((server.items().len(), store.pending_count().unwrap()), (10, 0));
}

#[test]
fn a_push_refused_while_a_checkpoint_loads_is_reported_with_the_swap() {
    for (status, code) in [(422, Code::INVALID), (413, Code::TOO_LARGE)] {
        let fleet = Fleet::new();
        let store = fleet.open("a");
        let op = store.set("c", "mine", &1).unwrap();
        let wire = ScriptedWire::new();
        wire.on_checkpoint_items(5, vec![crate::support::scripted::item("c", "k", json!(0), 5)])
            .on_push(move |_| Err(WireError::Refused { status, code: "invalid".into(), message: "no".into() }));
        let report = store.sync(&wire).unwrap();
        assert!(wire.is_over());
        assert_eq!((report.rejected, report.accepted, report.position), (1, 0, 5));
        let why = rejection(&store, op);
        assert_eq!((why.code, why.message.as_str(), why.seq), (code, "no", None));
        assert_eq!((get(&store, "c", "mine"), get(&store, "c", "k")), (None, Some(json!(0))));
        assert!(store.pending().unwrap().is_empty());
    }
}

#[test]
fn what_waits_behind_a_rejection_that_the_log_has_not_reached_does_not_hold_the_call() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let first = store.set("c", "k", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|_| Err(WireError::Unreachable("lost".into())));
    store.push(&wire).unwrap_err();
    let second = store.set("c", "k", &2).unwrap();
    // The inbox stays behind, however often it is asked.
    wire.on_push(move |_| {
        let results = vec![result(first, PushOutcome::Rejected, Some(9)), result(second, PushOutcome::Skipped, None)];
        Ok(PushResponse { seq: 9, results })
    });
    let report = store.sync(&wire).unwrap();
    assert_eq!((wire.pushed().len(), wire.pulled().len()), (2, 2));
    assert_eq!((report.pushed, report.rejected, report.position), (1, 1, 1));
    assert_eq!(rejection(&store, first).seq, Some(9));
    assert_eq!(store.outcome(second).unwrap(), Some(Outcome::InFlight));
    assert_eq!((store.pending_count().unwrap(), get(&store, "c", "k")), (2, Some(json!(2))));
}

#[test]
fn an_op_whose_payload_is_damaged_is_named_and_not_sent() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let op = store.set("c", "k", &json!({"n": 1})).unwrap();
    drop(store);
    let file = rusqlite::Connection::open(fleet.path("a")).unwrap();
    file.execute("UPDATE outbox SET payload = '{\"n\":'", []).unwrap();
    drop(file);
    let store = fleet.open("a");
    let wire = ScriptedWire::new();
    let error = store.push(&wire).unwrap_err();
    let syncstore::Error::Corrupt(why) = error.error() else { panic!("{error}") };
    assert!(why.contains(&op.to_string()), "{why}");
    assert!(wire.pushed().is_empty());
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::InFlight));
}

#[test]
fn many_ops_that_no_push_gets_past_do_not_keep_back_the_others_of_processes_that_sync_once() {
    for error in unsaid() {
        let (fleet, server) = (Fleet::new(), Server::start());
        let open = || fleet.open_with("a", |options| options.retry.attempts = 1);
        let theirs = fleet.open("b");
        open().sync(&server.wire()).unwrap();
        for n in 0..12 {
            open().set("c", &format!("poison{n:02}"), &n).unwrap();
            open().set_index("c", &format!("poison{n:02}"), "by", "a").unwrap();
        }
        for n in 0..50 {
            open().set("c", &format!("k{n:02}"), &n).unwrap();
        }
        theirs.set("d", "k", &1).unwrap();
        theirs.sync(&server.wire()).unwrap();
        let direct = server.wire();
        let expired = std::sync::Mutex::new(false);
        let wire = FaultyWire::new(&direct, |call| match call {
            Call::Push(request) if request.ops.iter().any(|op| op.key.starts_with("poison")) => {
                Fault::Fail(error.clone())
            }
            // The checkpoint that it loads is swapped in, too.
            Call::Pull(_) if !std::mem::replace(&mut *expired.lock().unwrap(), true) => {
                Fault::Fail(WireError::CursorExpired(Expiry::Pruned))
            }
            _ => Fault::None,
        });
        open().sync(&wire).unwrap_err();
        assert_eq!((server.items().len(), get(&open(), "d", "k")), (51, Some(json!(1))), "{error}");
        assert_eq!(open().pending_count().unwrap(), 24);
        open().sync(&direct).unwrap();
        assert_eq!((server.items().len(), open().pending_count().unwrap()), (63, 0));
    }
}

#[test]
fn what_waits_for_an_op_that_was_set_aside_holds_back_nothing_that_came_before_it() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.retry.attempts = 1);
    store.sync(&server.wire()).unwrap();
    for key in ["a", "b", "poison"] {
        store.set("c", key, &1).unwrap();
    }
    let direct = server.wire();
    let failed = WireError::Unavailable { status: 500, retry_after: None, message: String::new() };
    let wire = FaultyWire::new(&direct, |call| match call {
        Call::Push(_) => Fault::Fail(failed.clone()),
        _ => Fault::None,
    });
    store.sync(&wire).unwrap_err();
    // It goes as a whole or not at all, and it is not the turn of the one that it is behind.
    let mut batch = store.batch();
    batch.set("c", "poison", &2).unwrap().set("c", "a", &2).unwrap().set("c", "b", &2).unwrap();
    batch.commit().unwrap();
    store.sync(&direct).unwrap();
    assert_eq!((server.items().len(), store.pending_count().unwrap()), (3, 0));
    assert_eq!(server.value("c", "a"), Some(json!(2)));
}
