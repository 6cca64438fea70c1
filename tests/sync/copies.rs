//! Two files that were one: the same client id, and the same pending op made into two.

use crate::support::scripted::{as_sent_entry, delete_entry, item, page_of, rejected_entry, result, set_entry};
use crate::support::{Fault, FaultyWire, Fleet, Random, ScriptedWire, Server, despite_losses_of_copies, get, view};
use serde_json::{Value, json};
use std::sync::Arc;
use syncstore::environment::SystemEnvironment;
use syncstore::protocol::{Code, Entry, Json, OpKind, PushOutcome, PushResponse};
use syncstore::wire::{Expiry, WireError};
use syncstore::{BootstrapReason, Filter, Outcome, Ref, Store};

/// Two files with one client id and one pending op, which each then folded differently.
fn copies(fleet: &Fleet, server: &std::sync::Arc<Server>) -> (Store, Store, Ref) {
    let store = fleet.open("a");
    store.set("c", "before", &0).unwrap();
    store.sync(&server.wire()).unwrap();
    let shared = store.set("c", "k", &"shared").unwrap();
    drop(store);
    fleet.copy("a", "b");
    let (first, second) = (fleet.open("a"), fleet.open("b"));
    first.set("c", "k", &"first").unwrap();
    second.set("c", "k", &"second").unwrap();
    assert_eq!(first.client_id().unwrap(), second.client_id().unwrap());
    (first, second, shared)
}

fn is_reused(store: &Store, op: Ref) -> bool {
    matches!(store.outcome(op).unwrap(), Some(Outcome::Rejected(why)) if why.code == Code::REF_REUSED)
}

#[test]
fn a_copied_file_is_found_out_and_the_op_that_lost_is_reported() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (first, second, shared) = copies(&fleet, &server);
    first.sync(&server.wire()).unwrap();
    let report = second.sync(&server.wire()).unwrap();
    assert!(matches!(report.bootstrapped, Some(BootstrapReason::Diverged(_))), "{:?}", report.bootstrapped);
    assert_ne!(first.client_id().unwrap(), second.client_id().unwrap());
    assert_eq!(first.outcome(shared).unwrap(), Some(Outcome::Accepted { seq: 2 }));
    assert!(is_reused(&second, shared), "{:?}", second.outcome(shared).unwrap());
    assert_eq!(report.rejected, 1);
    assert_eq!((view(&first), get(&second, "c", "k")), (view(&second), Some(json!("first"))));
    // From here on they are two replicas like any others.
    second.set("c", "k", &"again").unwrap();
    assert_eq!(second.sync(&server.wire()).unwrap().bootstrapped, None);
    assert_eq!(first.sync(&server.wire()).unwrap().bootstrapped, None);
    assert_eq!(get(&first, "c", "k"), Some(json!("again")));
}

#[test]
fn a_pull_before_the_push_does_not_take_the_other_files_op_for_its_own() {
    for sent in [false, true] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let (first, second, shared) = copies(&fleet, &server);
        first.sync(&server.wire()).unwrap();
        let direct = server.wire();
        if sent {
            second.push(&FaultyWire::pushes(&direct, [Fault::LoseAnswer])).unwrap_err();
        }
        // With its own op in doubt it waits for what the push says; without, nothing of the ref can be its own.
        let diverged = matches!(second.pull(&direct).unwrap().bootstrapped, Some(BootstrapReason::Diverged(_)));
        assert_eq!(diverged, !sent);
        assert_ne!(
            second.outcome(shared).unwrap(),
            Some(Outcome::Accepted { seq: 2 }),
            "sent: {sent}: what this file meant was not accepted"
        );
        second.sync(&direct).unwrap();
        assert!(is_reused(&second, shared), "sent: {sent}: {:?}", second.outcome(shared).unwrap());
        assert_eq!(view(&first), view(&second));
        assert!(second.pending().unwrap().is_empty());
    }
}

#[test]
fn the_same_op_unchanged_in_both_is_accepted_in_both() {
    for lost in [false, true] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let store = fleet.open("a");
        store.sync(&server.wire()).unwrap();
        let shared = store.set("c", "k", &"shared").unwrap();
        drop(store);
        fleet.copy("a", "b");
        let (first, second) = (fleet.open("a"), fleet.open("b"));
        let direct = server.wire();
        first.sync(&direct).unwrap();
        if lost {
            second.sync(&FaultyWire::pushes(&direct, [Fault::LoseAnswer])).unwrap_err();
        }
        second.sync(&direct).unwrap();
        for store in [&first, &second] {
            assert_eq!(store.outcome(shared).unwrap(), Some(Outcome::Accepted { seq: 1 }));
        }
        assert_eq!((view(&first), server.log().len()), (view(&second), 1));
    }
}

#[test]
fn a_replay_does_not_take_another_ops_acceptance_for_its_own() {
    // The cursor expired, and the other file's op lies behind the checkpoint.
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let op = store.set("c", "k", &"mine").unwrap();
    let wire = ScriptedWire::new();
    wire.on_pull(|_| Err(WireError::CursorExpired(Expiry::Pruned)))
        .on_checkpoint_items(4, Vec::new())
        .on_pull(move |request| Ok(page_of(request, vec![set_entry(5, op, "c", "k", json!("theirs"), 0)], false)))
        .on_push(move |request| {
            use syncstore::protocol::{PushOutcome, PushResponse};
            let mut refusal = crate::support::scripted::result(op, PushOutcome::Rejected, None);
            refusal.code = Some(Code::REF_REUSED);
            assert_eq!(request.ops.len(), 1);
            Ok(PushResponse { seq: 5, results: vec![refusal] })
        });
    store.pull(&wire).unwrap();
    assert!(is_reused(&store, op), "{:?}", store.outcome(op).unwrap());
    assert_eq!(get(&store, "c", "k"), Some(json!("theirs")));
}

#[test]
fn a_reused_ref_stays_reported_when_the_log_tells_of_the_other_op() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let op = store.set("c", "k", &"mine").unwrap();
    let other = store.set("c", "other", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(move |_| {
        use syncstore::protocol::{PushOutcome, PushResponse};
        let mut refusal = crate::support::scripted::result(op, PushOutcome::Rejected, None);
        refusal.code = Some(Code::REF_REUSED);
        // Another op is in doubt, so that the page brings every payload.
        let queued = crate::support::scripted::result(other, PushOutcome::Queued, None);
        Ok(PushResponse { seq: 2, results: vec![refusal, queued] })
    })
    .on_pull(move |request| {
        assert!(request.own_payloads);
        Ok(page_of(request, vec![set_entry(2, op, "c", "k", json!("theirs"), 0)], false))
    });
    store.sync(&wire).unwrap();
    assert!(is_reused(&store, op), "{:?}", store.outcome(op).unwrap());
    assert_eq!(get(&store, "c", "k"), Some(json!("theirs")));
}

#[test]
fn a_rejected_entry_of_the_other_file_settles_nothing_wrongly() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let wire = ScriptedWire::new();
    wire.on_pull_page(vec![rejected_entry(2, crate::support::scripted::foreign(5), Code::STALE, "theirs")]);
    assert_eq!(store.pull(&wire).unwrap().bootstrapped, None);
}

#[test]
fn copies_converge_whatever_is_lost() {
    for seed in 0..16 {
        let mut random = Random::new(seed);
        let (fleet, server) = (Fleet::seeded(seed), Server::start());
        let (first, second, shared) = copies(&fleet, &server);
        let stores = [&first, &second];
        let direct = server.wire();
        let mut made: Vec<(usize, Ref, Value)> = Vec::new();
        for step in 0..25_u64 {
            let n = random.below(2) as usize;
            let what = format!("seed {seed}, {step}: file {n}");
            let mut chance = Random::new(random.next());
            let wire = FaultyWire::new(&direct, move |_| match chance.below(4) {
                0 => Fault::LoseAnswer,
                1 => Fault::LoseRequest,
                _ => Fault::None,
            });
            match random.below(6) {
                0..=2 => {
                    let key = format!("{n}-{step}");
                    let value = json!({ "by": n, "step": step });
                    made.push((n, stores[n].set("c", &key, &value).unwrap(), value));
                }
                3 => drop(despite_losses_of_copies(&what, stores[n].push(&wire))),
                4 => drop(despite_losses_of_copies(&what, stores[n].pull(&wire))),
                _ => drop(despite_losses_of_copies(&what, stores[n].sync(&wire))),
            }
        }
        for _ in 0..3 {
            for store in stores {
                store.sync(&direct).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            }
        }
        assert_eq!(view(&first), view(&second), "seed {seed}");
        assert_ne!(first.client_id().unwrap(), second.client_id().unwrap(), "seed {seed}");
        for store in stores {
            assert_eq!(store.pending().unwrap(), [], "seed {seed}");
        }
        // Of the op that they shared, one file's form was committed and the other's reported.
        let kept = server.value("c", "k").unwrap();
        let (winner, loser) = if kept == "first" { (&first, &second) } else { (&second, &first) };
        assert!(
            matches!(winner.outcome(shared).unwrap(), Some(Outcome::Accepted { .. })),
            "seed {seed}: {:?}",
            winner.outcome(shared).unwrap()
        );
        assert!(is_reused(loser, shared), "seed {seed}: {:?}", loser.outcome(shared).unwrap());
        let values: Vec<Value> = view(&first).into_values().collect();
        for (n, op, value) in made {
            let outcome = stores[n].outcome(op).unwrap();
            assert!(matches!(outcome, Some(Outcome::Accepted { .. })), "seed {seed}: {outcome:?}");
            assert!(values.contains(&value), "seed {seed}: {value} is lost");
        }
    }
}

#[test]
fn a_wire_to_another_database_is_refused_before_anything_is_sent() {
    let (fleet, server) = (Fleet::new(), Server::start());
    // With a clock and randomness of its own, by which databases differ.
    let random: Arc<dyn syncstore::environment::Environment> = Arc::new(SystemEnvironment::default());
    let other = Server::with(move |options| options.environment = random.clone());
    let store = fleet.open("a");
    store.set("c", "k", &1).unwrap();
    store.sync(&server.wire()).unwrap();
    let op = store.set("c", "offline", &2).unwrap();
    // Within the same opening of the file it shows by the cursor, afterwards by the first question.
    for _ in 0..2 {
        for error in [
            store.sync(&other.wire()).unwrap_err(),
            store.pull(&other.wire()).unwrap_err(),
            fleet.open("a").push(&other.wire()).unwrap_err(),
        ] {
            assert!(matches!(error.error(), syncstore::Error::WrongDatabase { .. }), "{error}");
        }
    }
    assert!(other.items().is_empty());
    assert_eq!(store.outcome(op).unwrap(), Some(syncstore::Outcome::InFlight));
    store.sync(&server.wire()).unwrap();
    assert!(matches!(store.outcome(op).unwrap(), Some(syncstore::Outcome::Accepted { .. })));
    assert_eq!((server.items().len(), view(&store).len()), (2, 2));
}

/// A replica whose only op, a set of {"a": 1, "b": 2}, was sent and has no answer.
fn in_doubt(fleet: &Fleet) -> (Store, Ref) {
    let store = crate::hostile::loaded(fleet, "a", 1, Vec::new());
    let op = store.set("c", "k", &json!({"a": 1, "b": 2})).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|_| Err(WireError::Unreachable("lost".into())));
    store.push(&wire).unwrap_err();
    (store, op)
}

#[test]
fn another_op_under_an_own_ref_settles_nothing_until_the_push_is_told() {
    let of = |op, key: &str, value| set_entry(2, op, "c", key, value, 0);
    type Other<'a> = &'a dyn Fn(Ref) -> Entry;
    let others: [(&str, Other); 3] = [
        ("another item", &|op| of(op, "other", json!({"a": 1, "b": 2}))),
        ("another value", &|op| of(op, "k", json!({"a": 1, "b": 3}))),
        ("another kind", &|op| delete_entry(2, op, "c", "k", 0)),
    ];
    for (what, other) in others {
        let fleet = Fleet::new();
        let (store, op) = in_doubt(&fleet);
        let wire = ScriptedWire::new();
        wire.on_pull_page(vec![other(op)]);
        store.pull(&wire).unwrap();
        assert_eq!(store.outcome(op).unwrap(), Some(Outcome::InFlight), "{what}");
        assert_eq!((store.pending_count().unwrap(), get(&store, "c", "k")), (1, Some(json!({"a": 1, "b": 2}))));
        wire.on_push(move |_| {
            let mut refusal = result(op, PushOutcome::Rejected, None);
            refusal.code = Some(Code::REF_REUSED);
            Ok(PushResponse { seq: 2, results: vec![refusal] })
        });
        store.push(&wire).unwrap();
        assert!(matches!(store.outcome(op).unwrap(), Some(Outcome::Rejected(why)) if why.code == Code::REF_REUSED));
        assert_eq!(store.pending_count().unwrap(), 0, "{what}");
    }
}

#[test]
fn the_own_op_is_known_by_its_value_in_any_spelling() {
    let fleet = Fleet::new();
    let (store, op) = in_doubt(&fleet);
    let value = Some(Json::parse(r#"{ "b": 2, "a": 1 }"#).unwrap());
    let wire = ScriptedWire::new();
    wire.on_pull_page(vec![Entry { value, ..set_entry(2, op, "c", "k", json!(null), 0) }]);
    store.pull(&wire).unwrap();
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 2 }));
    assert_eq!(store.pending_count().unwrap(), 0);
}

#[test]
fn an_own_delete_is_known_without_a_payload() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, vec![item("c", "k", json!(1), 1)]);
    let op = store.delete("c", "k").unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|_| Err(WireError::Unreachable("lost".into()))).on_pull_page(vec![delete_entry(2, op, "c", "k", 1)]);
    store.push(&wire).unwrap_err();
    store.pull(&wire).unwrap();
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 2 }));
    assert_eq!((store.pending_count().unwrap(), get(&store, "c", "k")), (0, None));
}

#[test]
fn an_entry_behind_the_position_that_leaves_its_payload_out_settles_nothing() {
    let fleet = Fleet::new();
    let (store, op) = in_doubt(&fleet);
    let wire = ScriptedWire::new();
    let early = vec![as_sent_entry(1, op, OpKind::Set, "c", "k", 0)];
    wire.on_pull(move |request| Ok(page_of(request, early, false)));
    let report = store.pull(&wire).unwrap();
    assert_eq!((report.bootstrapped, store.outcome(op).unwrap()), (None, Some(Outcome::InFlight)));
}

#[test]
fn a_hidden_entry_is_not_taken_for_that_of_an_op_that_this_file_has_never_sent() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (first, second, shared) = copies(&fleet, &server);
    let direct = server.wire();
    second.keep(&Filter::parse("d").unwrap()).unwrap();
    second.pull(&direct).unwrap();
    first.sync(&direct).unwrap();
    second.pull(&direct).unwrap();
    assert_eq!(second.outcome(shared).unwrap(), Some(Outcome::Queued));
    second.sync(&direct).unwrap();
    assert!(is_reused(&second, shared), "{:?}", second.outcome(shared).unwrap());
    assert_eq!(second.rejections().unwrap()[0].payload.as_deref(), Some(r#""second""#));
}

#[test]
fn a_delete_is_not_taken_for_the_other_files_removal_of_a_tag() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let [_, ada, ..] = crate::visibility::callers();
    let theirs = fleet.open("theirs");
    theirs.set("c", "k", &1).unwrap();
    theirs.add_tag("c", "k", "a").unwrap();
    theirs.sync(&server.wire()).unwrap();
    let wire = server.wire_of(ada);
    let store = fleet.open("a");
    store.sync(&wire).unwrap();
    let shared = store.remove_tag("c", "k", "a").unwrap();
    drop(store);
    fleet.copy("a", "b");
    let (first, second) = (fleet.open("a"), fleet.open("b"));
    let folded = second.delete("c", "k").unwrap();
    assert_eq!(second.outcome(folded).unwrap(), Some(Outcome::FoldedInto(shared)));
    first.sync(&wire).unwrap();
    second.pull(&wire).unwrap();
    assert_eq!(second.outcome(shared).unwrap(), Some(Outcome::Queued));
    second.sync(&wire).unwrap();
    assert!(is_reused(&second, shared), "{:?}", second.outcome(shared).unwrap());
    assert_eq!(server.items().len(), 1);
}

#[test]
fn what_was_refused_here_is_kept_when_the_other_files_op_is_accepted_under_its_ref() {
    for same in [false, true] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let (first, second, shared) = copies(&fleet, &server);
        if same {
            second.set("c", "k", &"first").unwrap();
        }
        let direct = server.wire();
        let too_large = WireError::Refused { status: 413, code: String::new(), message: "too large".into() };
        first.sync(&FaultyWire::pushes(&direct, [Fault::Fail(too_large)])).unwrap();
        second.sync(&direct).unwrap();
        first.sync(&direct).unwrap();
        let kept: Vec<_> = first.rejections().unwrap().into_iter().map(|op| (op.op_ref, op.payload)).collect();
        if same {
            assert_eq!((kept, first.outcome(shared).unwrap()), (vec![], Some(Outcome::Accepted { seq: 2 })));
        } else {
            assert_eq!(kept, [(shared, Some(r#""first""#.to_owned()))]);
            assert_eq!(get(&first, "c", "k"), Some(json!("second")));
        }
    }
}
