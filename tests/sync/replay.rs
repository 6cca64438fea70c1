//! Checkpoints and replays as a server might tell them at their oddest.

use crate::hostile::{is_protocol, loaded};
use crate::support::scripted::*;
use crate::support::{Fleet, ScriptedWire, get, patch, view};
use serde_json::{Value, json};
use syncstore::protocol::{BatchId, Code, Entry, Json, OpKind};
use syncstore::wire::{Expiry, WireError};
use syncstore::{BootstrapReason, KeyRange, Outcome, Ref, Store};

#[test]
fn a_checkpoint_that_no_server_makes_is_refused_and_leaves_what_there_is() {
    type Spoil = fn(&mut syncstore::protocol::CheckpointPage);
    let spoils: [Spoil; 3] = [
        |page| page.items[0].rev = 0,
        |page| page.items[0].rev = u64::MAX,
        |page| page.items[0].value = Json::parse(&format!("{}{}", "[".repeat(400), "]".repeat(400))).unwrap(),
    ];
    for spoil in spoils {
        let fleet = Fleet::new();
        let store = fleet.open("a");
        store.set("c", "mine", &1).unwrap();
        let wire = ScriptedWire::new();
        wire.on_checkpoint(move |_| {
            let mut page = checkpoint_of(5, vec![item("c", "k", json!(1), 5)]);
            spoil(&mut page);
            Ok(page)
        });
        assert!(is_protocol(&store.pull(&wire).unwrap_err()));
        assert_eq!(view(&store).len(), 1);
        assert_eq!(store.position().unwrap(), 0);
    }
}

#[test]
fn a_page_that_names_itself_next_and_a_page_of_another_checkpoint_are_refused() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let wire = ScriptedWire::new();
    let page = |next: &str| {
        let next = Some(next.to_owned());
        move |_: &_| Ok(syncstore::protocol::CheckpointPage { next, ..checkpoint_of(5, Vec::new()) })
    };
    wire.on_checkpoint(page("p2")).on_checkpoint(page("p2"));
    assert!(is_protocol(&store.pull(&wire).unwrap_err()));
    wire.on_checkpoint(|request| {
        assert_eq!(request.page.as_deref(), Some("p2"), "it resumes");
        Ok(checkpoint_of(6, Vec::new()))
    });
    assert!(is_protocol(&store.pull(&wire).unwrap_err()));
    wire.on_checkpoint(|_| Ok(checkpoint_of(5, Vec::new())));
    assert_eq!(store.pull(&wire).unwrap().position, 5);
}

#[test]
fn a_replay_leaves_what_the_pages_already_hold_and_takes_every_outcome() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let (first, second) = (store.set("c", "own", &"first").unwrap(), store.set("c", "other", &"second").unwrap());
    let wire = ScriptedWire::new();
    let append = |seq, key: &str, from| {
        patch_entry(seq, foreign(seq), "c", key, json!([{"op": "add", "path": "/-", "value": seq}]), from)
    };
    wire.on_push(|_| Err(WireError::Unreachable("lost".into())));
    store.push(&wire).unwrap_err();
    let entries = vec![
        append(11, "ahead", 9),
        append(12, "deleted later", 8),
        set_entry(13, foreign(13), "c", "short-lived", json!([]), 0),
        append(14, "short-lived", 13),
        delete_entry(15, foreign(15), "c", "short-lived", 14),
        set_entry(16, first, "c", "own", json!("first"), 0),
        rejected_entry(17, second, Code::POLICY, "no"),
        append(18, "behind", 10),
        append(21, "ahead", 20),
        delete_entry(22, foreign(22), "c", "deleted later", 12),
        delete_entry(23, foreign(23), "c", "ahead of its delete", 10),
        set_entry(24, foreign(24), "c", "ahead of its delete", json!("made again"), 0),
    ];
    wire.on_checkpoint_items(
        10,
        vec![
            item("c", "ahead", json!(["to 20"]), 20),
            item("c", "behind", json!(["to 10"]), 10),
            item("c", "ahead of its delete", json!("made again"), 24),
            item("c", "own", json!("first"), 16),
        ],
    )
    .on_pull(|request| {
        assert!(request.own_payloads, "a checkpoint's items know nothing of what this replica sent");
        Ok(page_of(request, entries, false))
    });
    let report = store.pull(&wire).unwrap();
    assert!(wire.is_over());
    assert_eq!(report.bootstrapped, Some(BootstrapReason::Fresh));
    let expected = [
        ("ahead", json!(["to 20", 21])),
        ("ahead of its delete", json!("made again")),
        ("behind", json!(["to 10", 18])),
        ("own", json!("first")),
    ];
    let seen: Vec<(String, Value)> = view(&store).into_iter().map(|((_, key), value)| (key, value)).collect();
    assert_eq!(seen, expected.map(|(key, value)| (key.to_owned(), value)));
    assert_eq!(store.outcome(first).unwrap(), Some(Outcome::Accepted { seq: 16 }));
    assert!(matches!(store.outcome(second).unwrap(), Some(Outcome::Rejected(why)) if why.message == "no"));
    assert!(store.pending().unwrap().is_empty());
}

#[test]
fn a_bootstrap_pushes_the_whole_outbox_again_and_settles_it_in_the_swap() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 5, vec![item("c", "k", json!([1]), 5)]);
    let append = patch(json!([{"op": "add", "path": "/-", "value": 2}]));
    let op = store.patch("c", "k", &append).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| Ok(accept_all(request, 6)));
    store.push(&wire).unwrap();
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 6 }));
    // The log was pruned past the cursor; the checkpoint has the op in it, and no entry tells of that.
    let watched = std::sync::Arc::new(fleet.open("a"));
    let seen = |when: &'static str| {
        let watched = std::sync::Arc::clone(&watched);
        move || assert_eq!(get(&watched, "c", "k"), Some(json!([1, 2])), "{when}")
    };
    let (loading, pushing) = (seen("while loading"), seen("while pushing"));
    wire.on_pull(|_| Err(WireError::CursorExpired(syncstore::wire::Expiry::Pruned)))
        .on_checkpoint(move |_| {
            loading();
            Ok(checkpoint_of(9, vec![item("c", "k", json!([1, 2]), 6)]))
        })
        .on_pull_page(Vec::new())
        .on_push(move |request| {
            pushing();
            assert_eq!(request.ops[0].op_ref, op);
            Ok(accept_all(request, 6))
        });
    let report = store.pull(&wire).unwrap();
    assert!(wire.is_over());
    assert_eq!(report.bootstrapped, Some(BootstrapReason::Expired));
    assert_eq!(get(&store, "c", "k"), Some(json!([1, 2])));
    assert!(store.pending().unwrap().is_empty());
}

/// An older copy of a file may find an op in the log that it has not sent itself.
#[test]
fn no_later_write_folds_into_an_op_that_the_replayed_log_has() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let known = store.set("c", "k", &1).unwrap();
    store.set("c", "other", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_checkpoint_items(5, Vec::new())
        .on_pull_page(vec![set_entry(6, known, "c", "k", json!(1), 0)])
        .on_push(|_| Err(WireError::Unreachable("lost".into())));
    store.pull(&wire).unwrap_err();
    assert_eq!(store.outcome(known).unwrap(), Some(Outcome::Accepted { seq: 6 }));
    let later = store.set("c", "k", &2).unwrap();
    assert_eq!(store.outcome(later).unwrap(), Some(Outcome::Queued));
    assert!(store.check().unwrap().is_ok());
    wire.on_push(|request| Ok(accept_all(request, 7)));
    store.pull(&wire).unwrap();
    assert!(wire.pushed().last().unwrap().ops.iter().any(|op| op.op_ref == later));
    assert_eq!(get(&store, "c", "k"), Some(json!(2)));
}

#[test]
fn a_replay_that_does_not_fit_its_pages_is_divergence_and_a_new_checkpoint_mends_it() {
    let bad = [
        ("a payload that was asked for is left out", as_sent_entry(6, foreign(6), OpKind::Set, "c", "k", 5)),
        ("a step between is missing", set_entry(7, foreign(7), "c", "k", json!("late"), 6)),
    ];
    for (what, entry) in bad {
        let fleet = Fleet::new();
        let store = fleet.open("a");
        let before = store.client_id().unwrap();
        let wire = ScriptedWire::new();
        wire.on_checkpoint_items(5, vec![item("c", "k", json!("early"), 5)])
            .on_pull_page(vec![entry])
            .on_checkpoint_items(8, vec![item("c", "k", json!("whole"), 7)]);
        let report = store.pull(&wire).unwrap();
        assert!(wire.is_over(), "{what}");
        assert!(matches!(report.bootstrapped, Some(BootstrapReason::Diverged(_))), "{what}: {:?}", report.bootstrapped);
        assert_ne!(store.client_id().unwrap(), before, "{what}");
        assert_eq!((report.position, get(&store, "c", "k")), (8, Some(json!("whole"))), "{what}");
    }
}

#[test]
fn an_outcome_of_the_replay_shows_with_the_swap_and_counts_once() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let (known, unknown) = (store.set("c", "known", &1).unwrap(), store.set("c", "unknown", &2).unwrap());
    let refused = store.set("c", "refused", &3).unwrap();
    let wire = ScriptedWire::new();
    wire.on_checkpoint_items(5, Vec::new())
        .on_pull_page(vec![
            set_entry(6, known, "c", "known", json!(1), 0),
            rejected_entry(7, refused, Code::POLICY, "no"),
        ])
        .on_push(|_| Err(WireError::Unreachable("lost".into())));
    let error = store.sync(&wire).unwrap_err();
    // The call ended before the swap.
    assert_eq!((error.report().bootstrapped.clone(), store.pending_count().unwrap()), (None, 3));
    assert_eq!(view(&store).len(), 3);
    assert_eq!((error.report().accepted, error.report().rejected), (1, 1));
    wire.on_push(move |request| {
        assert_eq!(request.ops.iter().map(|op| op.op_ref).collect::<Vec<_>>(), [unknown]);
        Ok(accept_all(request, 4))
    });
    let report = store.sync(&wire).unwrap();
    assert_eq!(store.outcome(known).unwrap(), Some(Outcome::Accepted { seq: 6 }));
    assert!(matches!(store.outcome(refused).unwrap(), Some(Outcome::Rejected(_))));
    assert_eq!((report.accepted, report.rejected), (1, 0));
    assert_eq!(view(&store).len(), 1, "what the base never got is not in the view");
}

/// A new replica whose bootstrap ended after its first op was accepted at `seq`, above or below the position 5 of its
/// checkpoint; the second op never left.
fn interrupted_between_two_pushes(fleet: &Fleet, seq: u64) -> (Store, ScriptedWire, [Ref; 2]) {
    let store = fleet.open_with("a", |options| options.push_ops = 1);
    let ops = [store.set("c", "first", &1).unwrap(), store.set("c", "second", &2).unwrap()];
    let wire = ScriptedWire::new();
    wire.on_checkpoint_items(5, vec![item("c", "first", json!(1), 5)])
        .on_pull_page(Vec::new())
        .on_push(move |request| Ok(accept_all(request, seq)))
        .on_push(|_| Err(WireError::Unreachable("lost".into())));
    let error = store.sync(&wire).unwrap_err();
    assert_eq!((error.report().accepted, store.outcome(ops[0]).unwrap()), (1, Some(Outcome::Accepted { seq })));
    (store, wire, ops)
}

#[test]
fn an_answer_of_an_interrupted_bootstrap_that_the_log_lost_is_not_settled_but_pushed_again() {
    let fleet = Fleet::new();
    let (store, wire, [first, second]) = interrupted_between_two_pushes(&fleet, 6);
    // As after a power loss of the server: the place is another op's, and the cursor of the replay is in the log still.
    wire.on_pull_page(vec![set_entry(6, foreign(6), "c", "theirs", json!(6), 0)])
        .on_push(|request| Ok(accept_all(request, 7)))
        .on_push(|request| Ok(accept_all(request, 8)))
        .on_pull_page(vec![
            set_entry(7, first, "c", "first", json!(1), 5),
            set_entry(8, second, "c", "second", json!(2), 0),
        ]);
    let report = store.sync(&wire).unwrap();
    assert!(wire.is_over());
    assert_eq!(wire.pushed()[2].ops[0].op_ref, first);
    assert_eq!(store.outcome(first).unwrap(), Some(Outcome::Accepted { seq: 7 }));
    assert_eq!((report.accepted, report.pushed), (1, 1), "the first was counted when it was answered first");
    assert!(store.pending().unwrap().is_empty());
    assert_eq!(view(&store).len(), 3);
}

#[test]
fn an_answer_of_an_interrupted_bootstrap_that_the_log_bears_out_is_not_asked_for_again() {
    for seq in [5, 6] {
        let fleet = Fleet::new();
        let (store, wire, [first, second]) = interrupted_between_two_pushes(&fleet, seq);
        let entry = match seq {
            // The cursor was in the log when it was given: so is all before it.
            5 => set_entry(6, foreign(6), "c", "theirs", json!(6), 0),
            _ => set_entry(6, first, "c", "first", json!(1), 5),
        };
        wire.on_pull_page(vec![entry]).on_push(|request| Ok(accept_all(request, 7)));
        let report = store.pull(&wire).unwrap();
        assert!(wire.is_over());
        assert_eq!(wire.pushed()[2].ops[0].op_ref, second);
        assert_eq!(store.outcome(first).unwrap(), Some(Outcome::Accepted { seq }));
        assert_eq!(
            (report.accepted, store.pending_count().unwrap()),
            (1, 1),
            "the second, which the base has not reached"
        );
    }
}

/// One page makes several transactions, of which the last one comes to the answer's place.
#[test]
fn an_answer_far_ahead_of_a_replay_is_settled_or_doubted_by_the_last_transaction_of_its_page() {
    for borne_out in [true, false] {
        let fleet = Fleet::new();
        let last = 605;
        let (store, wire, [first, second]) = interrupted_between_two_pushes(&fleet, last);
        wire.on_pull(move |request| {
            // These alone are more than a transaction goes through.
            let value = |seq: u64| json!(if (550..556).contains(&seq) { "x".repeat(1 << 20) } else { String::new() });
            let mut entries: Vec<_> =
                (6..last).map(|seq| set_entry(seq, foreign(seq), "c", &format!("k{seq}"), value(seq), 0)).collect();
            entries.push(match borne_out {
                true => set_entry(last, first, "c", "first", json!(1), 5),
                false => set_entry(last, foreign(last), "c", "theirs", json!(1), 0),
            });
            Ok(page_of(request, entries, false))
        });
        let mut seq = last;
        if !borne_out {
            seq += 1;
            wire.on_push(move |request| Ok(accept_all(request, seq)));
        }
        wire.on_push(move |request| Ok(accept_all(request, seq + 1)));
        wire.on_pull_page(if borne_out { Vec::new() } else { vec![set_entry(seq, first, "c", "first", json!(1), 5)] });
        store.sync(&wire).unwrap();
        let asked_again: Vec<_> = wire.pushed()[2..].iter().map(|request| request.ops[0].op_ref).collect();
        assert_eq!(asked_again, if borne_out { vec![second] } else { vec![first, second] });
        assert_eq!(store.outcome(first).unwrap(), Some(Outcome::Accepted { seq }));
        assert_eq!(get(&store, "c", "k604"), Some(json!("")));
        assert!(store.check().unwrap().is_ok());
    }
}

#[test]
fn an_op_that_is_refused_alone_in_one_bootstrap_and_in_the_next_counts_once() {
    let fleet = Fleet::new();
    let store = fleet.open_with("a", |options| options.push_ops = 1);
    let [refused, taken] = ["refused", "taken"].map(|key| store.set("c", key, &1).unwrap());
    let too_large = || WireError::Refused { status: 413, code: String::new(), message: "too large".into() };
    let wire = ScriptedWire::new();
    wire.on_checkpoint_items(5, Vec::new())
        .on_push(move |_| Err(too_large()))
        .on_push(|_| Err(WireError::CursorExpired(Expiry::Rewound { restored: None })))
        .on_checkpoint_items(5, Vec::new())
        .on_push(move |_| Err(too_large()))
        .on_push(|request| Ok(accept_all(request, 5)));
    let report = store.pull(&wire).unwrap();
    assert!(wire.is_over());
    assert_eq!((report.accepted, report.rejected), (1, 1));
    assert!(matches!(store.outcome(refused).unwrap(), Some(Outcome::Rejected(_))));
    assert_eq!(store.outcome(taken).unwrap(), Some(Outcome::Accepted { seq: 5 }));
}

#[test]
fn a_full_set_and_a_delete_are_replayed_whatever_they_follow() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let wire = ScriptedWire::new();
    let full = |seq, key, from| syncstore::protocol::Entry {
        full: true,
        ..set_entry(seq, foreign(seq), "c", key, json!("full"), from)
    };
    wire.on_checkpoint_items(5, vec![item("c", "seen", json!(1), 4), item("c", "gone", json!(1), 5)])
        .on_pull_page(vec![full(6, "seen", 2), full(7, "new", 3), delete_entry(8, foreign(8), "c", "gone", 1)]);
    let report = store.pull(&wire).unwrap();
    assert_eq!((report.bootstrapped, report.position), (Some(BootstrapReason::Fresh), 8));
    let seen = ["seen", "new", "gone"].map(|key| get(&store, "c", key));
    assert_eq!(seen, [Some(json!("full")), Some(json!("full")), None]);
}

#[test]
fn an_op_made_while_a_bootstrap_pushes_makes_no_claim_only_after_a_rewound_log() {
    let cases = [(Expiry::Filter, Some(3)), (Expiry::Rewound { restored: Some(3) }, None)];
    for (expiry, claim) in cases {
        let fleet = Fleet::new();
        let store = std::sync::Arc::new(loaded(&fleet, "a", 3, vec![item("c", "k", json!(0), 3)]));
        store.set("c", "mine", &1).unwrap();
        let host = std::sync::Arc::clone(&store);
        let wire = ScriptedWire::new();
        wire.on_pull(move |_| Err(WireError::CursorExpired(expiry)))
            .on_checkpoint_items(3, vec![item("c", "k", json!(0), 3)])
            .on_push(move |request| {
                host.set("c", "k", &"late").unwrap();
                Ok(accept_all(request, 3))
            })
            .on_push(move |request| {
                assert_eq!(request.ops.iter().map(|op| op.base).collect::<Vec<_>>(), [claim]);
                Ok(accept_all(request, 4))
            });
        store.pull(&wire).unwrap();
        assert_eq!(get(&store, "c", "k"), Some(json!("late")), "{expiry:?}");
        store.push(&wire).unwrap();
        assert!(wire.is_over(), "{expiry:?}");
    }
}

/// A replica with these items at seq 1, after a page of which the last entry is not to be read: what came before that stays as
/// far as its transactions were over.
fn after_a_page_that_breaks(items: &[(&str, Value)], mut entries: Vec<Entry>) -> (Fleet, Store) {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, items.iter().map(|(key, value)| item("c", key, value.clone(), 1)).collect());
    let seq = entries.last().unwrap().seq + 1;
    entries.push(Entry { value: None, ..set_entry(seq, foreign(seq), "c", "broken", Value::Null, 0) });
    let wire = ScriptedWire::new();
    wire.on_pull_page(entries);
    assert!(is_protocol(&store.pull(&wire).unwrap_err()));
    (fleet, store)
}

#[test]
fn what_one_transaction_reads_and_writes_is_bounded_by_bytes_too() {
    let megabyte = "x".repeat(1 << 20);
    let keys = |store: &Store| store.list("c", &KeyRange::all()).unwrap().len();
    let sets = || (2..10).map(|seq| set_entry(seq, foreign(seq), "c", &format!("k{seq}"), json!(megabyte), 0));
    let (_fleet, store) = after_a_page_that_breaks(&[], sets().collect());
    assert_eq!(keys(&store), 8);
    let (_fleet, store) = after_a_page_that_breaks(&[], sets().take(7).collect());
    assert_eq!(keys(&store), 4, "what the fourth one ended is written");
    // A batch is whole, and what follows it begins anew.
    let batch = Some(BatchId::from_random(1));
    let batched = |entry: Entry| Entry { batch: batch.filter(|_| (3..9).contains(&entry.seq)), ..entry };
    let (_fleet, store) = after_a_page_that_breaks(&[], sets().map(batched).collect());
    assert_eq!(keys(&store), 7);
    let (_fleet, store) = after_a_page_that_breaks(&[], sets().take(7).map(batched).collect());
    assert_eq!(keys(&store), 7);
    // Patches are worth what they read and write: here both values in turn.
    let items = [("a", json!({"n": 1, "text": megabyte})), ("b", json!({"n": 1, "text": megabyte}))];
    let replace = |seq: u64| json!([{"op": "replace", "path": "/n", "value": seq}]);
    let patches = (2..=250).map(|seq| {
        let from = (seq - 2).max(1);
        patch_entry(seq, foreign(seq), "c", ["a", "b"][seq as usize % 2], replace(seq), from)
    });
    let (_fleet, store) = after_a_page_that_breaks(&items, patches.take(7).collect());
    let n = |key| get(&store, "c", key).unwrap()["n"].clone();
    assert_eq!((n("a"), n("b")), (json!(6), json!(7)), "two for a transaction");
}

#[test]
fn patches_of_one_value_that_follow_each_other_read_and_write_it_once() {
    let items = [("k", json!({"n": 1.0, "text": "x".repeat(1 << 20)})), ("l", json!(0))];
    let replace = |seq: u64| json!([{"op": "replace", "path": "/n", "value": seq}]);
    let patches = |to| (2..=to).map(|seq| patch_entry(seq, foreign(seq), "c", "k", replace(seq), seq - 1));
    let (_fleet, store) = after_a_page_that_breaks(&items, patches(200).collect());
    assert_eq!(get(&store, "c", "k").unwrap()["n"], json!(1.0), "all of them are one transaction, with what is broken");
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, items.iter().map(|(key, value)| item("c", key, value.clone(), 1)).collect());
    let wire = ScriptedWire::new();
    let other = set_entry(251, foreign(251), "c", "l", json!(7), 1);
    wire.on_pull_page(patches(250).chain([other]).collect());
    store.pull(&wire).unwrap();
    assert_eq!(get(&store, "c", "k").unwrap()["n"], json!(250));
    assert_eq!(get(&store, "c", "l"), Some(json!(7)));
}
