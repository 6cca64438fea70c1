//! What folds, and what must not.

use crate::support::{Fault, FaultyWire, Fleet, Server, get, patch};
use serde_json::json;
use syncstore::protocol::OpKind;
use syncstore::{Outcome, Store};

#[test]
fn ten_thousand_moves_are_one_op_on_the_wire() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.set("c", "slider", &json!({"x": 0})).unwrap();
    store.sync(&server.wire()).unwrap();
    let moved = |x: u64| patch(json!([{"op": "replace", "path": "/x", "value": x}]));
    let first = store.patch("c", "slider", &moved(1)).unwrap();
    let mut last = first;
    for x in 2..=10_000 {
        last = store.patch("c", "slider", &moved(x)).unwrap();
    }
    assert_eq!(store.outcome(last).unwrap(), Some(Outcome::FoldedInto(first)));
    let direct = server.wire();
    let wire = FaultyWire::recording(&direct);
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.pushed, report.accepted), (1, 1));
    let ops: Vec<_> = wire.pushed().into_iter().flat_map(|request| request.ops).collect();
    assert_eq!(ops.len(), 1);
    assert_eq!((ops[0].op_ref, ops[0].kind, ops[0].base), (first, OpKind::Patch, Some(1)));
    assert!(ops[0].payload_len() < 200, "{} bytes", ops[0].payload_len());
    assert_eq!(server.value("c", "slider"), Some(json!({"x": 10_000})));
    assert_eq!(store.outcome(first).unwrap(), Some(Outcome::Accepted { seq: 2 }));
}

#[test]
fn the_survivor_keeps_the_earlier_place_ref_and_base() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.set("c", "k", &1).unwrap();
    store.sync(&server.wire()).unwrap();
    let survivor = store.set("c", "k", &2).unwrap();
    let between = store.set("c", "between", &0).unwrap();
    // The base moves on while the op waits; its claim stays the one it was made with.
    let other = fleet.open("b");
    other.sync(&server.wire()).unwrap();
    other.set("c", "k", &"theirs").unwrap();
    other.sync(&server.wire()).unwrap();
    store.pull(&server.wire()).unwrap();
    let folded = store.set("c", "k", &3).unwrap();
    let pending = store.pending().unwrap();
    assert_eq!(pending.iter().map(|op| op.op_ref).collect::<Vec<_>>(), [survivor, between]);
    assert_eq!((pending[0].payload.as_deref(), pending[0].base), (Some("3"), Some(1)));
    assert_eq!(store.outcome(folded).unwrap(), Some(Outcome::FoldedInto(survivor)));
    store.sync(&server.wire()).unwrap();
    assert_eq!(server.value("c", "k"), Some(json!(3)));
}

#[test]
fn each_pair_folds_to_what_the_two_would_have_done() {
    type Edit = fn(&Store) -> syncstore::Ref;
    let set: Edit = |store| store.set("c", "k", &json!({"a": 1, "l": []})).unwrap();
    let append: Edit =
        |store| store.patch("c", "k", &patch(json!([{"op": "add", "path": "/l/-", "value": 1}]))).unwrap();
    let replace: Edit =
        |store| store.patch("c", "k", &patch(json!([{"op": "replace", "path": "/a", "value": 2}]))).unwrap();
    let delete: Edit = |store| store.delete("c", "k").unwrap();
    let pairs: [(&str, &[Edit], u64); 8] = [
        ("set set", &[set, set], 1),
        ("set patch", &[set, append], 1),
        ("set delete", &[set, delete], 1),
        ("patch patch", &[append, replace], 1),
        ("patch delete", &[append, delete], 1),
        ("delete delete", &[delete, delete], 1),
        ("delete set", &[delete, set], 2),
        ("five", &[append, append, replace, append, replace], 1),
    ];
    for (name, edits, rows) in pairs {
        let mut results = Vec::new();
        for coalescing in [true, false] {
            let (fleet, server) = (Fleet::new(), Server::start());
            let store = fleet.open_with("a", |options| options.coalescing = coalescing);
            set(&store);
            store.sync(&server.wire()).unwrap();
            for edit in edits {
                edit(&store);
            }
            let expected = if coalescing { rows } else { edits.len() as u64 };
            assert_eq!(store.pending_count().unwrap(), expected, "{name}, coalescing {coalescing}");
            let before = get(&store, "c", "k");
            store.sync(&server.wire()).unwrap();
            assert_eq!(before, get(&store, "c", "k"), "{name}");
            assert_eq!(before, server.value("c", "k"), "{name}");
            results.push(before);
        }
        assert_eq!(results[0], results[1], "{name}");
    }
}

#[test]
fn nothing_folds_into_what_was_sent_even_when_it_never_arrived() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    let sent = store.set("c", "k", &1).unwrap();
    let direct = server.wire();
    let wire = FaultyWire::pushes(&direct, [Fault::LoseRequest]);
    store.push(&wire).unwrap_err();
    drop(store);
    // The mark survives the process.
    let store = fleet.open("a");
    let second = store.set("c", "k", &2).unwrap();
    let third = store.set("c", "k", &3).unwrap();
    let pending = store.pending().unwrap();
    assert_eq!(pending.iter().map(|op| op.op_ref).collect::<Vec<_>>(), [sent, second]);
    assert_eq!(pending[0].payload.as_deref(), Some("1"));
    assert_eq!(store.outcome(third).unwrap(), Some(Outcome::FoldedInto(second)), "the last one was not sent");
    store.sync(&wire).unwrap();
    assert_eq!(server.value("c", "k"), Some(json!(3)));
    assert_eq!(server.log().len(), 2);
}

#[test]
fn an_op_is_marked_sent_before_the_wire_sees_it() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    let op = store.set("c", "k", &1).unwrap();
    let watcher = fleet.open("a");
    let direct = server.wire();
    let wire = FaultyWire::new(&direct, |_| {
        assert_eq!(watcher.outcome(op).unwrap(), Some(Outcome::InFlight));
        // A write while the request is under way folds into nothing, and waits for nothing.
        watcher.set("c", "k", &2).unwrap();
        Fault::None
    });
    store.push(&wire).unwrap();
    assert!(store.pending_count().unwrap() >= 2);
    store.sync(&direct).unwrap();
    assert_eq!(server.value("c", "k"), Some(json!(2)));
}

#[test]
fn ops_of_a_batch_neither_fold_nor_are_folded_into() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let before = store.set("c", "k", &1).unwrap();
    let mut batch = store.batch();
    batch.set("c", "k", &2).unwrap().set("c", "k", &3).unwrap();
    let receipt = batch.commit().unwrap();
    let after = store.set("c", "k", &4).unwrap();
    let last = store.set("c", "k", &5).unwrap();
    let pending: Vec<_> = store.pending().unwrap().into_iter().map(|op| op.op_ref).collect();
    assert_eq!(pending, [before, receipt.ops[0], receipt.ops[1], after]);
    assert_eq!(store.outcome(last).unwrap(), Some(Outcome::FoldedInto(after)));
}

#[test]
fn an_op_folds_into_the_last_op_only() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.set("c", "k", &json!({"n": 0})).unwrap();
    store.sync(&server.wire()).unwrap();
    store.delete("c", "k").unwrap();
    let recreated = store.set("c", "k", &json!({"n": 1})).unwrap();
    store.update("c", "k", |value| value["n"] = 2.into()).unwrap();
    let pending = store.pending().unwrap();
    assert_eq!(pending.len(), 2);
    assert_eq!((pending[0].kind, pending[1].op_ref), (OpKind::Delete, recreated));
    store.sync(&server.wire()).unwrap();
    assert_eq!(server.value("c", "k"), Some(json!({"n": 2})));
}
