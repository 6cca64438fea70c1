//! What a host can do about a rejected op, through restarts.

use crate::support::scripted::result;
use crate::support::{Fleet, ScriptedWire, Server, get, patch, view};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use syncstore::protocol::{Code, Limits, PushOutcome, PushResponse};
use syncstore::{Edit, Error, Notice, OpKind, Outcome, Ref, RejectedOp, ResourceName, Retention, Store};

/// Two replicas; the first one's op on `careful/k` was rejected since the second was quicker.
struct Refused {
    fleet: Fleet,
    server: Arc<Server>,
    ours: Store,
    theirs: Store,
    op: Ref,
}

impl Refused {
    /// The item is `{"n": 0, "m": 0}`, then theirs sets `m` to 1; `write` is what is refused.
    fn by(write: impl FnOnce(&Store) -> Ref) -> Refused {
        let (fleet, server) = (Fleet::new(), Server::start());
        let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
        ours.set("careful", "k", &json!({"n": 0, "m": 0})).unwrap();
        ours.sync(&server.wire()).unwrap();
        theirs.sync(&server.wire()).unwrap();
        theirs.update("careful", "k", |value| value["m"] = 1.into()).unwrap();
        theirs.sync(&server.wire()).unwrap();
        let op = write(&ours);
        ours.sync(&server.wire()).unwrap();
        Refused { fleet, server, ours, theirs, op }
    }

    fn reopen(self) -> Refused {
        let Refused { fleet, server, ours, theirs, op } = self;
        drop(ours);
        let ours = fleet.open("a");
        Refused { fleet, server, ours, theirs, op }
    }

    fn only(&self) -> RejectedOp {
        let mut listed = self.ours.rejections().unwrap();
        assert_eq!(listed.len(), 1);
        listed.remove(0)
    }
}

fn set_n(store: &Store) -> Ref {
    store.update("careful", "k", |value| value["n"] = 7.into()).unwrap().unwrap()
}

fn sound(store: &Store) {
    view(store);
}

#[test]
fn a_rejected_op_tells_what_was_meant_and_what_there_is() {
    let refused = Refused::by(set_n).reopen();
    let op = refused.only();
    assert_eq!((op.op_ref, op.kind, op.resource, op.batch), (refused.op, OpKind::Patch, ResourceName::Value, None));
    assert_eq!((op.collection.as_str(), op.key.as_str(), op.base), ("careful", "k", Some(1)));
    assert_eq!(op.payload.as_deref(), Some(r#"[{"op":"replace","path":"/n","value":7}]"#));
    assert_eq!(op.meant.as_deref(), Some(r#"{"m":0,"n":7}"#));
    assert_eq!(op.present.as_deref(), Some(r#"{"m":1,"n":0}"#));
    assert_eq!((&op.rejection.code, op.at > 0), (&Code::STALE, true));
    assert!(!op.rejection.message.is_empty() && op.rejection.detail.is_some(), "{:?}", op.rejection);
    assert_eq!(refused.ours.outcome(op.op_ref).unwrap(), Some(Outcome::Rejected(op.rejection)));
    let refused = Refused::by(|store| store.set("careful", "k", &7).unwrap());
    assert_eq!(refused.only().meant.as_deref(), Some("7"));
    let refused = Refused::by(|store| store.delete("careful", "k").unwrap());
    assert_eq!((refused.only().kind, refused.only().meant), (OpKind::Delete, None));
    let refused = Refused::by(|store| store.set_index("careful", "k", "by_n", "7").unwrap());
    assert_eq!(refused.only().meant.as_deref(), Some(r#"{"order":"7"}"#));
    assert_eq!(refused.only().present, None);
    let refused = Refused::by(|store| store.add_tag("careful", "k", "red").unwrap());
    assert_eq!(refused.only().meant.as_deref(), Some("{}"));
    sound(&refused.ours);
}

#[test]
fn a_patch_that_had_ceased_to_apply_meant_nothing_that_can_be_told() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set("c", "k", &json!({"n": 0})).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("c", "k", &json!([])).unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.update("c", "k", |value| value["n"] = 1.into()).unwrap();
    ours.pull(&server.wire()).unwrap();
    assert!(!ours.pending().unwrap()[0].applies);
    ours.sync(&server.wire()).unwrap();
    let op = ours.rejections().unwrap().remove(0);
    assert_eq!((op.rejection.code, op.meant, op.present.as_deref()), (Code::PATCH_FAILED, None, Some("[]")));
}

#[test]
fn what_later_ops_were_meant_on_top_of_is_part_of_what_they_meant() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open_with("a", |options| options.coalescing = false), fleet.open("b"));
    ours.set("careful", "k", &json!({"log": []})).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("careful", "k", &json!({"log": ["theirs"]})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let add = |n: u32| patch(json!([{"op": "add", "path": "/log/-", "value": n}]));
    for n in 1..=3 {
        ours.patch("careful", "k", &add(n)).unwrap();
    }
    // The second and third are held back until the first one's rejection is there, and then are on what is.
    ours.sync(&server.wire()).unwrap();
    let meant: Vec<_> = ours.rejections().unwrap().into_iter().map(|op| op.meant.unwrap()).collect();
    assert_eq!(meant, [r#"{"log":[1]}"#, r#"{"log":["theirs",2]}"#, r#"{"log":["theirs",3]}"#]);
    sound(&ours);
}

#[test]
fn what_was_settled_just_before_it_counts_as_what_it_was_meant_on_top_of() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open_with("a", |options| options.coalescing = false), fleet.open("b"));
    ours.set("c", "k", &json!({"n": 0, "x": 0})).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.patch("c", "k", &patch(json!([{"op": "remove", "path": "/x"}]))).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let replace = |path: &str| patch(json!([{"op": "replace", "path": path, "value": 1}]));
    ours.patch("c", "k", &replace("/n")).unwrap();
    ours.patch("c", "k", &replace("/x")).unwrap();
    // One pull brings theirs, the first as accepted and the second as rejected.
    ours.sync(&server.wire()).unwrap();
    let op = ours.rejections().unwrap().remove(0);
    assert_eq!((op.meant.as_deref(), op.present.as_deref()), (Some(r#"{"n":1,"x":1}"#), Some(r#"{"n":1}"#)));
    sound(&ours);
}

#[test]
fn a_retry_is_linked_both_ways_and_goes_with_the_present_base() {
    let refused = Refused::by(set_n).reopen();
    let new = refused.ours.retry(refused.op).unwrap();
    assert_eq!(refused.ours.outcome(refused.op).unwrap(), Some(Outcome::RetriedAs(new)));
    assert_eq!(refused.ours.retry_of(new).unwrap(), Some(refused.op));
    assert_eq!(refused.ours.retry_of(refused.op).unwrap(), None);
    assert!(refused.ours.rejections().unwrap().is_empty());
    assert_eq!(get(&refused.ours, "careful", "k"), Some(json!({"m": 1, "n": 7})));
    sound(&refused.ours);
    let refused = refused.reopen();
    refused.ours.sync(&refused.server.wire()).unwrap();
    assert!(matches!(refused.ours.outcome(new).unwrap(), Some(Outcome::Accepted { .. })));
    assert_eq!(refused.ours.outcome(refused.op).unwrap(), Some(Outcome::RetriedAs(new)));
    assert_eq!(refused.server.value("careful", "k"), Some(json!({"m": 1, "n": 7})));
    sound(&refused.ours);
}

#[test]
fn a_retry_may_be_rejected_and_retried_again() {
    let refused = Refused::by(set_n);
    let first = refused.ours.retry(refused.op).unwrap();
    refused.theirs.update("careful", "k", |value| value["m"] = 2.into()).unwrap();
    refused.theirs.sync(&refused.server.wire()).unwrap();
    refused.ours.sync(&refused.server.wire()).unwrap();
    let second = refused.ours.retry(first).unwrap();
    refused.ours.sync(&refused.server.wire()).unwrap();
    assert_eq!(refused.ours.outcome(refused.op).unwrap(), Some(Outcome::RetriedAs(first)));
    assert_eq!(refused.ours.outcome(first).unwrap(), Some(Outcome::RetriedAs(second)));
    assert_eq!(refused.server.value("careful", "k"), Some(json!({"m": 2, "n": 7})));
}

#[test]
fn what_is_no_open_rejection_cannot_be_retried_edited_or_discarded() {
    let refused = Refused::by(set_n);
    let (store, op) = (&refused.ours, refused.op);
    let unknown = refused.fleet.open("c").set("c", "k", &1).unwrap();
    let accepted = store.set("c", "k", &1).unwrap();
    store.sync(&refused.server.wire()).unwrap();
    let pending = store.set("c", "k", &2).unwrap();
    let folded = store.set("c", "k", &3).unwrap();
    let refuses = |op: Ref, expected: Option<Outcome>| {
        for error in [store.retry(op).unwrap_err(), store.edit(op, Edit::Delete).unwrap_err()] {
            let Error::NotRejected { op: of, outcome } = error else { panic!("{error}") };
            assert_eq!((of, outcome.map(|outcome| *outcome)), (op, expected.clone()));
        }
        assert!(!store.discard(op).unwrap());
    };
    refuses(unknown, None);
    refuses(accepted, store.outcome(accepted).unwrap());
    refuses(pending, Some(Outcome::Queued));
    refuses(folded, Some(Outcome::FoldedInto(pending)));
    let rejection = store.outcome(op).unwrap();
    let new = store.retry(op).unwrap();
    refuses(op, Some(Outcome::RetriedAs(new)));
    let other = Refused::by(set_n);
    assert!(other.ours.discard(other.op).unwrap());
    assert!(!other.ours.discard(other.op).unwrap());
    let error = other.ours.retry(other.op).unwrap_err();
    assert!(matches!(&error, Error::NotRejected { outcome: Some(was), .. } if Some(&**was) == rejection.as_ref()));
    sound(&other.ours);
}

#[test]
fn a_rejection_that_only_an_answer_tells_of_cannot_be_retried_yet() {
    let refused = Refused::by(set_n);
    refused.ours.discard(refused.op).unwrap();
    refused.theirs.update("careful", "k", |value| value["m"] = 2.into()).unwrap();
    refused.theirs.sync(&refused.server.wire()).unwrap();
    let op = set_n(&refused.ours);
    refused.ours.push(&refused.server.wire()).unwrap();
    assert!(matches!(refused.ours.outcome(op).unwrap(), Some(Outcome::Rejected(_))));
    assert!(matches!(refused.ours.retry(op), Err(Error::NotRejected { .. })));
    refused.ours.pull(&refused.server.wire()).unwrap();
    refused.ours.retry(op).unwrap();
}

#[test]
fn a_discarded_op_keeps_its_outcome_and_nothing_of_what_was_meant() {
    let refused = Refused::by(|store| store.set("careful", "k", &"s3cret").unwrap());
    let before = refused.ours.outcome(refused.op).unwrap();
    assert!(refused.ours.discard(refused.op).unwrap());
    let refused = refused.reopen();
    assert!(refused.ours.rejections().unwrap().is_empty());
    assert_eq!(refused.ours.outcome(refused.op).unwrap(), before);
    sound(&refused.ours);
    let rows = refused.ours.sql("SELECT outcome, payload FROM ledger WHERE code = 'stale'").run().unwrap();
    assert_eq!((rows.get(0).unwrap()[0].as_str(), rows.get(0).unwrap()[1].as_str()), (Some("discarded"), None));
}

#[test]
fn an_edit_takes_the_ops_place_on_the_same_part_of_the_item() {
    let refused = Refused::by(set_n);
    let new = refused.ours.edit(refused.op, Edit::Set(json!("both"))).unwrap();
    assert_eq!(refused.ours.outcome(refused.op).unwrap(), Some(Outcome::RetriedAs(new)));
    refused.ours.sync(&refused.server.wire()).unwrap();
    assert_eq!(refused.server.value("careful", "k"), Some(json!("both")));
    let refused = Refused::by(set_n);
    refused.ours.edit(refused.op, Edit::Patch(patch(json!([{"op": "add", "path": "/x", "value": 1}])))).unwrap();
    assert_eq!(get(&refused.ours, "careful", "k"), Some(json!({"m": 1, "n": 0, "x": 1})));
    let refused = Refused::by(set_n);
    refused.ours.edit(refused.op, Edit::Delete).unwrap();
    assert_eq!(get(&refused.ours, "careful", "k"), None);

    let refused = Refused::by(|store| store.set_index("careful", "k", "by_n", "7").unwrap());
    let error = refused.ours.edit(refused.op, Edit::Set(json!(1))).unwrap_err();
    assert!(matches!(error, Error::EditOfAnotherPart { op } if op == refused.op));
    assert_eq!(refused.ours.rejections().unwrap().len(), 1);
    refused.ours.edit(refused.op, Edit::Order("8".into())).unwrap();
    refused.ours.sync(&refused.server.wire()).unwrap();
    assert_eq!(refused.ours.indexes("careful", "k").unwrap()["by_n"], "8");
    assert!(refused.ours.rejections().unwrap().is_empty());
    let refused = Refused::by(|store| store.set_relation("careful", "k", "r", "in", ("folders", "f")).unwrap());
    let object = syncstore::Object { collection: "folders".into(), key: "g".into() };
    refused.ours.edit(refused.op, Edit::Relation { predicate: "in".into(), object }).unwrap();
    assert_eq!(refused.ours.relations("careful", "k", None).unwrap()[0].object.key, "g");
    let refused = Refused::by(|store| store.add_tag("careful", "k", "red").unwrap());
    refused.ours.retry(refused.op).unwrap();
    assert_eq!(refused.ours.tags("careful", "k").unwrap(), ["red"]);
    let refused = Refused::by(|store| store.delete("careful", "k").unwrap());
    refused.ours.retry(refused.op).unwrap();
    refused.ours.sync(&refused.server.wire()).unwrap();
    assert_eq!(refused.server.value("careful", "k"), None);
    sound(&refused.ours);
}

#[test]
fn what_makes_no_sense_any_more_stays_rejected_when_it_is_retried() {
    let refused = Refused::by(set_n);
    refused.theirs.delete("careful", "k").unwrap();
    refused.theirs.sync(&refused.server.wire()).unwrap();
    refused.ours.pull(&refused.server.wire()).unwrap();
    assert!(matches!(refused.ours.retry(refused.op), Err(Error::NotFound { .. })));
    assert_eq!(
        (refused.only().op_ref, refused.only().present, refused.ours.pending_count().unwrap()),
        (refused.op, None, 0)
    );
    refused.ours.edit(refused.op, Edit::Set(json!({"n": 7}))).unwrap();
    refused.ours.sync(&refused.server.wire()).unwrap();
    assert_eq!(refused.server.value("careful", "k"), Some(json!({"n": 7})));
}

#[test]
fn a_batch_is_made_again_and_let_go_as_a_whole() {
    let begin = || {
        let refused = Refused::by(set_n);
        refused.ours.discard(refused.op).unwrap();
        refused.theirs.update("careful", "k", |value| value["m"] = 2.into()).unwrap();
        refused.theirs.sync(&refused.server.wire()).unwrap();
        let mut batch = refused.ours.batch();
        batch.set("c", "a", &1).unwrap().set("careful", "k", &7).unwrap().delete("c", "b").unwrap();
        let ops = batch.commit().unwrap().ops;
        refused.ours.sync(&refused.server.wire()).unwrap();
        assert_eq!(refused.ours.rejections().unwrap().len(), 3);
        (refused.reopen(), ops)
    };
    let (refused, ops) = begin();
    let listed = refused.ours.rejections().unwrap();
    assert!(listed[0].batch.is_some() && listed.iter().all(|op| op.batch == listed[0].batch));
    let new = refused.ours.edit(ops[1], Edit::Set(json!("edited"))).unwrap();
    let pending = refused.ours.pending().unwrap();
    assert_eq!((pending.len(), pending[1].op_ref), (3, new));
    assert!(pending[0].batch.is_some() && pending.iter().all(|op| op.batch == pending[0].batch));
    assert_ne!(pending[0].batch, listed[0].batch);
    for (old, new) in ops.iter().zip(&pending) {
        assert_eq!(refused.ours.outcome(*old).unwrap(), Some(Outcome::RetriedAs(new.op_ref)));
        assert_eq!(refused.ours.retry_of(new.op_ref).unwrap(), Some(*old));
    }
    assert!(matches!(refused.ours.retry(ops[0]), Err(Error::NotRejected { .. })));
    sound(&refused.ours);
    refused.ours.sync(&refused.server.wire()).unwrap();
    assert_eq!(refused.server.value("c", "a"), Some(json!(1)));
    assert_eq!(refused.server.value("careful", "k"), Some(json!("edited")));

    let (refused, ops) = begin();
    assert!(refused.ours.discard(ops[2]).unwrap());
    assert!(refused.ours.rejections().unwrap().is_empty());
    assert!(!refused.ours.discard(ops[0]).unwrap());
    sound(&refused.ours);
}

#[test]
fn a_batch_of_which_a_part_is_pruned_is_not_made_again_by_halves() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let mut batch = store.batch();
    batch.set("c", "a", &1).unwrap().set("c", "b", &2).unwrap();
    let ops = batch.commit().unwrap().ops;
    let wire = ScriptedWire::new();
    wire.on_push(|request| {
        let results = request.ops.iter().map(|op| result(op.op_ref, PushOutcome::Rejected, None));
        Ok(PushResponse { seq: 1, results: results.collect() })
    });
    store.sync(&wire).unwrap();
    drop(store);
    let store = fleet.open_with("a", |options| options.retention = Retention::new(None, Some(1)));
    store.pull(&ScriptedWire::new()).unwrap();
    assert_eq!(store.rejections().unwrap().len(), 1);
    assert!(matches!(store.retry(ops[1]), Err(Error::NotRejected { outcome: Some(_), .. })));
    assert_eq!(store.pending_count().unwrap(), 0);
    assert!(store.discard(ops[1]).unwrap());
}

#[test]
fn a_retry_is_checked_against_what_the_server_takes_now() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let op = store.set("c", "k", &"123456789").unwrap();
    let mut limits = Limits::default();
    limits.value = 10;
    let wire = ScriptedWire::publishing(limits);
    wire.on_push(|request| {
        let results = request.ops.iter().map(|op| result(op.op_ref, PushOutcome::Rejected, None));
        Ok(PushResponse { seq: 1, results: results.collect() })
    });
    drop(store);
    let store = fleet.open("a");
    store.sync(&wire).unwrap();
    assert!(matches!(store.retry(op), Err(Error::Limit(_))));
    assert_eq!((store.rejections().unwrap().len(), store.pending_count().unwrap()), (1, 0));
}

#[test]
fn each_rejection_is_taken_once_and_listed_until_it_is_dealt_with() {
    let refused = Refused::by(set_n);
    let taken = refused.ours.take_notices(10).unwrap();
    assert_eq!(taken, [Notice::Rejected(refused.only())]);
    assert!(refused.ours.take_notices(10).unwrap().is_empty());
    let refused = refused.reopen();
    assert!(refused.ours.take_notices(10).unwrap().is_empty());
    assert_eq!(refused.only().op_ref, refused.op);
    // One that was dealt with before anybody took it is not told of.
    let refused = Refused::by(set_n);
    refused.ours.discard(refused.op).unwrap();
    assert!(refused.ours.take_notices(10).unwrap().is_empty());
}

#[test]
fn takers_share_the_rejections_and_none_is_taken_twice() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 1, Vec::new());
    let mut refs: Vec<_> = (0..40).map(|n| store.set("c", &format!("k{n:02}"), &n).unwrap()).collect();
    let wire = ScriptedWire::new();
    wire.on_push(|request| {
        let results = request.ops.iter().map(|op| result(op.op_ref, PushOutcome::Rejected, None));
        Ok(PushResponse { seq: 1, results: results.collect() })
    });
    store.sync(&wire).unwrap();
    let stores = [&store, &fleet.open("a"), &fleet.open("a")];
    let mut taken: Vec<Ref> = std::thread::scope(|scope| {
        let takers = stores.map(|store| {
            scope.spawn(move || {
                let mut all = Vec::new();
                loop {
                    let some = store.take_notices(3).unwrap();
                    if some.is_empty() {
                        return all;
                    }
                    all.extend(some.into_iter().map(|notice| match notice {
                        Notice::Rejected(op) => op.op_ref,
                        other => panic!("{other:?}"),
                    }));
                }
            })
        });
        takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
    });
    taken.sort_by_key(|op| op.order());
    refs.sort_by_key(|op| op.order());
    assert_eq!(taken, refs);
}

#[test]
fn a_rejection_that_nobody_dealt_with_outlives_the_retention_by_age() {
    let hour = Duration::from_secs(3_600);
    let keeping = |options: &mut syncstore::Options| options.retention = Retention::new(Some(hour), None);
    for taken in [false, true] {
        let refused = Refused::by(set_n);
        drop(refused.ours);
        let ours = refused.fleet.open_with("a", keeping);
        if taken {
            assert_eq!(ours.take_notices(1).unwrap().len(), 1);
        }
        refused.fleet.environment.advance(2 * hour);
        ours.pull(&refused.server.wire()).unwrap();
        assert_eq!(ours.rejections().unwrap().len(), 1);
        ours.discard(refused.op).unwrap();
        refused.fleet.environment.advance(hour);
        ours.pull(&refused.server.wire()).unwrap();
        assert_eq!(ours.outcome(refused.op).unwrap(), None);
    }
}
