//! Answers that the reference server never gives.

use crate::support::scripted::*;
use crate::support::{Fleet, ScriptedWire, get, patch, view};
use serde_json::{Value, json};
use syncstore::protocol::{CheckpointItem, Code, Entry, InboxPage, Json, OpKind, OpResult, PushOutcome, PushResponse};
use syncstore::wire::WireError;
use syncstore::{BootstrapReason, Error, Outcome, PendingState, Store, SyncError};

/// A replica that has loaded these items and stands at `seq`.
pub fn loaded(fleet: &Fleet, name: &str, seq: u64, items: Vec<CheckpointItem>) -> Store {
    let store = fleet.open(name);
    load(&store, seq, items);
    store
}

fn load(store: &Store, seq: u64, items: Vec<CheckpointItem>) {
    let wire = ScriptedWire::new();
    wire.on_checkpoint_items(seq, items);
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.bootstrapped, report.position), (Some(BootstrapReason::Fresh), seq));
}

pub fn is_protocol(error: &SyncError) -> bool {
    matches!(error.error(), Error::Wire(WireError::Protocol(_)))
}

fn is_diverged(reason: &Option<BootstrapReason>) -> bool {
    matches!(reason, Some(BootstrapReason::Diverged(why)) if !why.is_empty())
}

#[test]
fn results_that_are_not_those_of_the_push_settle_nothing() {
    type Spoil = fn(&mut Vec<OpResult>);
    let spoils: [Spoil; 5] = [
        |results| results.swap(0, 1),
        |results| drop(results.pop()),
        |results| results.push(result(foreign(1), PushOutcome::Accepted, Some(9))),
        |results| results[1].op_ref = foreign(1),
        |results| results.clear(),
    ];
    for spoil in spoils {
        let fleet = Fleet::new();
        let store = loaded(&fleet, "a", 1, Vec::new());
        let refs = [store.set("c", "k1", &1).unwrap(), store.set("c", "k2", &2).unwrap()];
        let wire = ScriptedWire::new();
        wire.on_push(move |request| {
            let mut response = accept_all(request, 2);
            spoil(&mut response.results);
            Ok(response)
        });
        assert!(is_protocol(&store.push(&wire).unwrap_err()));
        for op in refs {
            assert_eq!(store.outcome(op).unwrap(), Some(Outcome::InFlight));
        }
        wire.on_push(|request| Ok(accept_all(request, 2)));
        store.push(&wire).unwrap();
        assert_eq!(store.outcome(refs[1]).unwrap(), Some(Outcome::Accepted { seq: 3 }));
    }
}

#[test]
fn an_acceptance_without_a_seq_is_refused_and_the_whole_answer_with_it() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let refs = [store.set("c", "k1", &1).unwrap(), store.set("c", "k2", &2).unwrap()];
    let wire = ScriptedWire::new();
    wire.on_push(|request| {
        let mut response = accept_all(request, 2);
        response.results[1].seq = None;
        Ok(response)
    });
    assert!(is_protocol(&store.push(&wire).unwrap_err()));
    for op in refs {
        assert_eq!(store.outcome(op).unwrap(), Some(Outcome::InFlight));
    }
}

#[test]
fn a_page_out_of_order_is_not_applied() {
    type Page = fn() -> (Vec<u64>, u64);
    let pages: [Page; 3] = [|| (vec![3, 2], 3), || (vec![2, 2], 2), || (vec![2, 5], 4)];
    for page in pages {
        let fleet = Fleet::new();
        let store = loaded(&fleet, "a", 1, Vec::new());
        let wire = ScriptedWire::new();
        wire.on_pull(move |_| {
            let (seqs, seq) = page();
            let entries = seqs.iter().map(|n| set_entry(*n, foreign(*n), "c", &format!("k{n}"), json!(1), 0));
            Ok(InboxPage { entries: entries.collect(), cursor: cursor(seq), seq, more: false })
        });
        assert!(is_protocol(&store.pull(&wire).unwrap_err()));
        assert!(view(&store).is_empty());
        assert_eq!(store.position().unwrap(), 1);
    }
}

#[test]
fn seqs_and_revs_that_no_log_reaches_are_refused() {
    for far in [u64::MAX, (i64::MAX as u64) + 1] {
        let fleet = Fleet::new();
        let store = loaded(&fleet, "a", 1, Vec::new());
        let wire = ScriptedWire::new();
        wire.on_pull_page(vec![set_entry(far, foreign(1), "c", "k", json!(1), 0)]);
        assert!(is_protocol(&store.pull(&wire).unwrap_err()));
        wire.on_pull_page(vec![Entry { rev: Some(far), ..set_entry(2, foreign(1), "c", "k", json!(1), 0) }]);
        assert!(is_protocol(&store.pull(&wire).unwrap_err()));
        assert_eq!((store.position().unwrap(), get(&store, "c", "k")), (1, None));
        // An answer to a push says where the base must get to, so it is believed no more.
        let op = store.set("c", "k", &1).unwrap();
        wire.on_push(move |request| {
            let results = vec![result(request.ops[0].op_ref, PushOutcome::Accepted, Some(far))];
            Ok(PushResponse { seq: far, results })
        })
        .on_push(|request| Ok(accept_all(request, 2)));
        assert!(is_protocol(&store.push(&wire).unwrap_err()));
        store.push(&wire).unwrap();
        assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 2 }));
    }
}

#[test]
fn more_without_progress_ends_in_an_error() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let wire = ScriptedWire::new();
    wire.on_pull(|request| Ok(page_of(request, Vec::new(), true)));
    assert!(is_protocol(&store.pull(&wire).unwrap_err()));
    assert_eq!(wire.pulled().len(), 1);
}

#[test]
fn pages_may_end_early_and_be_empty_with_more_to_come() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let wire = ScriptedWire::new();
    wire.on_pull(|request| Ok(page_of(request, vec![set_entry(2, foreign(2), "c", "k", json!(1), 0)], true)))
        .on_pull(|_| Ok(InboxPage { entries: Vec::new(), cursor: cursor(7), seq: 7, more: true }))
        .on_pull(|request| {
            assert_eq!(request.cursor, Some(cursor(7)));
            Ok(page_of(request, vec![set_entry(8, foreign(8), "c", "k", json!(2), 2)], false))
        });
    let report = store.pull(&wire).unwrap();
    assert!(wire.is_over());
    assert_eq!((report.pulled, report.position, get(&store, "c", "k")), (2, 8, Some(json!(2))));
}

#[test]
fn an_op_whose_seq_the_position_passes_without_an_entry_is_pushed_again_and_settles_by_its_answer() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let op = store.set("c", "k", &"mine").unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| Ok(accept_all(request, 5)))
        .on_pull(|_| Ok(InboxPage { entries: Vec::new(), cursor: cursor(4), seq: 4, more: false }));
    let report = store.sync(&wire).unwrap();
    assert_eq!(store.pending().unwrap()[0].state, PendingState::Accepted, "4 is not 5");
    assert_eq!(get(&store, "c", "k"), Some(json!("mine")));
    // The entry is one that the replica may not see: the cursor passes it.
    let nothing = || InboxPage { entries: Vec::new(), cursor: cursor(5), seq: 5, more: false };
    wire.on_pull(move |_| Ok(nothing())).on_push(|request| Ok(accept_all(request, 5))).on_pull(move |_| Ok(nothing()));
    let again = store.sync(&wire).unwrap();
    assert_eq!((report.accepted, again.accepted), (1, 0), "it counts once, though it was answered twice");
    assert!(store.pending().unwrap().is_empty());
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 5 }));
    assert_eq!(get(&store, "c", "k"), None, "what the base never got is not in the view");
}

#[test]
fn an_answer_at_or_below_the_position_settles_at_once() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 5, vec![item("c", "k", json!("base"), 4)]);
    let op = store.set("c", "k", &"mine").unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| Ok(accept_all(request, 4)));
    store.push(&wire).unwrap();
    assert!(store.pending().unwrap().is_empty());
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 4 }));
    assert_eq!(get(&store, "c", "k"), Some(json!("base")));
}

#[test]
fn what_does_not_fit_is_divergence_and_a_checkpoint_under_a_new_client_id_mends_it() {
    type Bad = fn() -> Entry;
    let bad: [(&str, Bad); 6] = [
        ("as_sent of an unknown ref", || as_sent_entry(2, foreign(2), OpKind::Set, "c", "k", 1)),
        ("from of another rev", || set_entry(2, foreign(2), "c", "k", json!("x"), 7)),
        ("from of a missing item", || set_entry(2, foreign(2), "c", "new", json!("x"), 1)),
        ("from 0 of an item", || set_entry(2, foreign(2), "c", "k", json!("x"), 0)),
        ("no from", || Entry { from: None, ..set_entry(2, foreign(2), "c", "k", json!("x"), 1) }),
        ("a patch that does not apply", || {
            patch_entry(2, foreign(2), "c", "k", json!([{"op": "remove", "path": "/not/there"}]), 1)
        }),
    ];
    for (what, entry) in bad {
        let fleet = Fleet::new();
        let store = loaded(&fleet, "a", 1, vec![item("c", "k", json!({"a": 1}), 1)]);
        let before = store.client_id().unwrap();
        let kept = store.set("d", "mine", &1).unwrap();
        let wire = ScriptedWire::new();
        wire.on_pull_page(vec![set_entry(2, foreign(22), "c", "untouched", json!(1), 0), Entry { seq: 3, ..entry() }])
            .on_checkpoint_items(3, vec![item("c", "k", json!({"a": 2}), 3)])
            .on_pull_page(Vec::new())
            .on_push(|request| Ok(accept_all(request, 4)))
            .on_pull(|request| {
                Ok(page_of(request, vec![as_sent_entry(4, request_ref(request), OpKind::Set, "d", "mine", 0)], false))
            });
        // The script cannot name the op before it is made.
        set_request_ref(kept);
        let report = store.pull(&wire).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(wire.is_over(), "{what}");
        assert!(is_diverged(&report.bootstrapped), "{what}: {:?}", report.bootstrapped);
        let after = store.client_id().unwrap();
        assert_ne!(before, after, "{what}");
        assert_eq!(wire.pushed()[0].client, after, "{what}");
        assert_eq!(wire.pushed()[0].ops[0].op_ref, kept, "{what}: the outbox goes again under the same refs");
        assert_eq!(
            view(&store).into_iter().map(|((_, key), value)| (key, value)).collect::<Vec<_>>(),
            [("k".to_owned(), json!({"a": 2})), ("mine".to_owned(), json!(1))]
        );
        assert!(store.pending().unwrap().is_empty());
    }
}

std::thread_local! {
    static REQUEST_REF: std::cell::Cell<Option<syncstore::Ref>> = const { std::cell::Cell::new(None) };
}

fn set_request_ref(op: syncstore::Ref) {
    REQUEST_REF.set(Some(op));
}

fn request_ref(_: &syncstore::wire::PullRequest) -> syncstore::Ref {
    REQUEST_REF.get().unwrap()
}

#[test]
fn divergence_that_no_checkpoint_mends_ends_in_an_error_after_few_tries() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let op = store.set("c", "mine", &1).unwrap();
    let wire = ScriptedWire::new();
    for _ in 0..20 {
        wire.on_push(|request| Ok(accept_all(request, 50)));
        wire.on_pull(|request| {
            let asked: u64 = request.cursor.as_ref().unwrap().as_str()[1..].parse().unwrap();
            Ok(page_of(request, vec![set_entry(asked + 1, foreign(9), "c", "k", json!(1), 77)], false))
        });
        // The replay of each checkpoint goes well.
        wire.on_pull_page(Vec::new());
    }
    let error = store.sync(&wire).unwrap_err();
    assert!(matches!(error.error(), Error::Diverged(_)), "{error}");
    assert_eq!(wire.checkpointed().len(), 3);
    // What is queued is still there, and still seen.
    assert_eq!(store.pending().unwrap()[0].op_ref, op);
    assert_eq!(get(&store, "c", "mine"), Some(json!(1)));
}

#[test]
fn a_full_set_and_a_delete_are_not_checked_against_from() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, vec![item("c", "seen", json!(1), 1), item("c", "gone", json!(1), 1)]);
    let wire = ScriptedWire::new();
    let full = |seq, key, from| Entry { full: true, ..set_entry(seq, foreign(seq), "c", key, json!("full"), from) };
    wire.on_pull_page(vec![
        full(2, "new", 77),
        full(3, "seen", 0),
        Entry { reason: Some("revoked".into()), ..delete_entry(4, foreign(4), "c", "gone", 99) },
        Entry { reason: Some("revoked".into()), ..delete_entry(5, foreign(5), "c", "never", 3) },
        // The next change of each follows what the full one said.
        set_entry(6, foreign(6), "c", "new", json!("next"), 2),
        set_entry(7, foreign(7), "c", "gone", json!("again"), 0),
    ]);
    let report = store.pull(&wire).unwrap();
    assert_eq!(report.bootstrapped, None);
    let seen: Vec<Value> = ["new", "seen", "gone"].map(|key| get(&store, "c", key).unwrap()).into();
    assert_eq!(seen, [json!("next"), json!("full"), json!("again")]);
    assert_eq!(get(&store, "c", "never"), None);
}

#[test]
fn a_hidden_outcome_settles_the_op_and_shows_nothing() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let (taken, refused) = (store.set("c", "x", &1).unwrap(), store.set("c", "y", &1).unwrap());
    let wire = ScriptedWire::new();
    wire.on_push(|_| Err(WireError::Unreachable("lost".into()))).on_pull_page(vec![
        hidden(set_entry(2, taken, "c", "x", json!(1), 0)),
        hidden(rejected_entry(3, refused, Code::NOT_FOUND, "no")),
    ]);
    store.push(&wire).unwrap_err();
    store.pull(&wire).unwrap();
    assert_eq!(store.outcome(taken).unwrap(), Some(Outcome::Accepted { seq: 2 }));
    assert!(matches!(store.outcome(refused).unwrap(), Some(Outcome::Rejected(why)) if why.seq == Some(3)));
    assert!(view(&store).is_empty() && store.pending().unwrap().is_empty());
}

#[test]
fn what_the_log_accepts_after_a_refusal_counts_unless_the_log_has_rejected_it() {
    for (in_log, is_hidden) in [(false, false), (false, true), (true, false), (true, true)] {
        let fleet = Fleet::new();
        let store = loaded(&fleet, "a", 1, Vec::new());
        let op = store.set("c", "k", &1).unwrap();
        let wire = ScriptedWire::new();
        if in_log {
            let entry = rejected_entry(2, op, Code::INVALID, "no");
            wire.on_push(|_| Err(WireError::Unreachable("lost".into()))).on_pull_page(vec![entry]);
            store.push(&wire).unwrap_err();
            store.pull(&wire).unwrap();
        } else {
            let (status, code) = (422, "invalid".to_owned());
            wire.on_push(move |_| Err(WireError::Refused { status, code, message: "no".into() }));
            store.push(&wire).unwrap();
        }
        assert!(matches!(store.outcome(op).unwrap(), Some(Outcome::Rejected(_))));
        let entry = set_entry(3, op, "c", "k", json!(1), 0);
        wire.on_pull_page(vec![if is_hidden { hidden(entry) } else { entry }]);
        store.pull(&wire).unwrap();
        assert!(wire.is_over());
        let accepted = store.outcome(op).unwrap() == Some(Outcome::Accepted { seq: 3 });
        assert_eq!((accepted, view(&store).len()), (!in_log, usize::from(!is_hidden)), "{in_log} {is_hidden}");
        assert!(store.check().unwrap().is_ok());
    }
}

#[test]
fn rejected_entries_of_unknown_refs_change_nothing() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, vec![item("c", "k", json!(1), 1)]);
    let wire = ScriptedWire::new();
    wire.on_pull_page(vec![rejected_entry(2, foreign(2), Code::POLICY, "no")]);
    assert_eq!(store.pull(&wire).unwrap().position, 2);
    assert_eq!(store.outcome(foreign(2)).unwrap(), None);
    assert_eq!(get(&store, "c", "k"), Some(json!(1)));
}

#[test]
fn an_entry_at_or_below_the_position_moves_no_base_but_its_outcome_counts() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 3, vec![item("c", "k", json!([1]), 3)]);
    let op = store.set("c", "mine", &1).unwrap();
    let append = json!([{"op": "add", "path": "/-", "value": 2}]);
    let wire = ScriptedWire::new();
    wire.on_push(|_| Err(WireError::Unreachable("lost".into())));
    store.push(&wire).unwrap_err();
    // As after a crash between two slices: the page begins before what is applied already.
    let first = vec![patch_entry(4, foreign(4), "c", "k", append.clone(), 3)];
    let both = vec![
        set_entry(2, op, "c", "mine", json!(1), 0),
        patch_entry(4, foreign(4), "c", "k", append.clone(), 3),
        patch_entry(5, foreign(5), "c", "k", append, 4),
    ];
    wire.on_pull(|_| Ok(InboxPage { entries: first, cursor: cursor(3), seq: 4, more: false })).on_pull_page(both);
    store.pull(&wire).unwrap();
    let report = store.pull(&wire).unwrap();
    assert_eq!((report.bootstrapped, report.position), (None, 5));
    assert_eq!(get(&store, "c", "k"), Some(json!([1, 2, 2])));
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 2 }));
    assert_eq!(get(&store, "c", "mine"), None, "its change lies behind the position: it is not in the base");
}

#[test]
fn a_page_for_a_cursor_that_another_store_moved_on_from_is_not_applied() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 3, vec![item("c", "k", json!([1]), 3)]);
    let other = fleet.open("a");
    let append =
        |seq, from| patch_entry(seq, foreign(seq), "c", "k", json!([{"op": "add", "path": "/-", "value": seq}]), from);
    let wire = ScriptedWire::new();
    let lock = fleet.path("a-sync");
    wire.on_pull(move |request| {
        // While this answer is under way, the other store reads further, on a file system without locks.
        std::fs::remove_file(&lock).unwrap();
        let quicker = ScriptedWire::new();
        quicker.on_pull_page(vec![append(4, 3), append(5, 4)]);
        other.pull(&quicker).unwrap();
        Ok(page_of(request, vec![append(4, 3)], false))
    })
    .on_pull(move |request| {
        assert_eq!(request.cursor, Some(cursor(5)));
        Ok(page_of(request, vec![append(6, 5)], false))
    });
    let report = store.pull(&wire).unwrap();
    assert!(wire.is_over());
    assert_eq!((report.bootstrapped, report.position), (None, 6));
    assert_eq!(get(&store, "c", "k"), Some(json!([1, 4, 5, 6])));
}

#[test]
fn an_entry_of_another_resource_is_not_mistaken_for_the_value() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, vec![item("c", "k", json!(1), 1)]);
    let wire = ScriptedWire::new();
    wire.on_pull(|_| {
        let text = json!({"entries": [{"seq": 2, "ref": foreign(2), "outcome": "accepted", "op": "delete",
            "collection": "c", "key": "k", "tag": "t", "from": 1, "rev": 2}], "cursor": "c2", "seq": 2, "more": false});
        Ok(serde_json::from_value(text).unwrap())
    });
    let report = store.pull(&wire).unwrap();
    assert_eq!((report.pulled, report.position, report.bootstrapped), (1, 2, None));
    assert_eq!(get(&store, "c", "k"), Some(json!(1)));
    // The rev that it brings is the item's: a change of the value follows it.
    wire.on_pull_page(vec![patch_entry(
        3,
        foreign(3),
        "c",
        "k",
        json!([{"op": "replace", "path": "", "value": 3}]),
        2,
    )]);
    let report = store.pull(&wire).unwrap();
    assert_eq!((report.pulled, report.position, report.bootstrapped), (1, 3, None));
    assert_eq!(get(&store, "c", "k"), Some(json!(3)));
    assert!(wire.is_over() && wire.checkpointed().is_empty());
}

#[test]
fn a_patched_value_may_be_larger_than_a_client_may_write() {
    // The server's limits may have been others when the item was written.
    let fleet = Fleet::new();
    let large = "x".repeat((1 << 20) + 10);
    let store = loaded(&fleet, "a", 1, vec![item("c", "k", json!({"t": large, "n": 0}), 1)]);
    let wire = ScriptedWire::new();
    wire.on_pull_page(vec![patch_entry(
        2,
        foreign(2),
        "c",
        "k",
        json!([{"op": "replace", "path": "/n", "value": 1}]),
        1,
    )]);
    let report = store.pull(&wire).unwrap();
    assert_eq!(report.bootstrapped, None);
    assert_eq!(get(&store, "c", "k").unwrap()["n"], 1);
}

#[test]
fn a_stranger_form_of_an_own_op_is_what_counts() {
    // An approver may have changed it: the entry's payload, not the one that was sent, becomes the base.
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, vec![item("c", "k", json!({"n": 0}), 1)]);
    let op = store.set("c", "k", &json!({"n": 1})).unwrap();
    let later = store.patch("c", "k", &patch(json!([{"op": "add", "path": "/m", "value": 5}]))).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| Ok(accept_all(request, 2))).on_pull_page(vec![set_entry(
        2,
        op,
        "c",
        "k",
        json!({"n": 100}),
        1,
    )]);
    // Folded: both are one op.
    assert_eq!(store.outcome(later).unwrap(), Some(Outcome::FoldedInto(op)));
    store.sync(&wire).unwrap();
    assert_eq!(get(&store, "c", "k"), Some(json!({"n": 100})));
    assert!(store.pending().unwrap().is_empty());
}

#[test]
fn queued_for_an_approver_waits_and_the_inbox_brings_the_outcome() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let op = store.set("c", "k", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| {
        let results = request.ops.iter().map(|op| result(op.op_ref, PushOutcome::Queued, None)).collect();
        Ok(PushResponse { seq: 1, results })
    });
    store.sync(&wire).unwrap();
    assert_eq!(store.pending().unwrap()[0].state, PendingState::AwaitingApproval);
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::InFlight));
    assert_eq!(get(&store, "c", "k"), Some(json!(1)));
    // It is not pushed again while it waits.
    wire.on_pull_page(vec![set_entry(2, op, "c", "k", json!("approved"), 0)]);
    store.sync(&wire).unwrap();
    assert_eq!(wire.pushed().len(), 1);
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 2 }));
    assert_eq!(get(&store, "c", "k"), Some(json!("approved")));
}

#[test]
fn an_unknown_code_is_kept_as_it_came() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let op = store.set("c", "k", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| {
        let mut refusal = result(request.ops[0].op_ref, PushOutcome::Rejected, Some(2));
        refusal.code = Some(Code::new("of_a_later_version"));
        refusal.message = Some("words".into());
        refusal.detail = Some(Json::parse(r#"{"why":[1]}"#).unwrap());
        Ok(PushResponse { seq: 2, results: vec![refusal] })
    })
    .on_pull(|_| Ok(InboxPage { entries: Vec::new(), cursor: cursor(2), seq: 2, more: false }));
    store.sync(&wire).unwrap();
    let Some(Outcome::Rejected(why)) = store.outcome(op).unwrap() else { panic!("not rejected") };
    assert_eq!((why.code.as_str(), why.message.as_str(), why.seq), ("of_a_later_version", "words", Some(2)));
    assert_eq!(why.detail.unwrap().to_value().unwrap(), json!({"why": [1]}));
    assert_eq!(get(&store, "c", "k"), None, "a rejected op leaves the fold");
}
