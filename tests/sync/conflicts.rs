//! Conflicts: what a pull records of both sides, and for how long. `resolving` has the ways out.

use crate::support::scripted::{accept_all, delete_entry, foreign, item, rejected_entry, result, set_entry};
use crate::support::{Fault, FaultyWire, Fleet, ScriptedWire, Server, get, view};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use syncstore::environment::Environment;
use syncstore::protocol::{CheckpointItem, Entry, PushOutcome, PushResponse};
use syncstore::wire::WireError;
use syncstore::{Code, Conflict, Ending, Error, FieldMerge, Notice, Options, Prefer, Resolution, ResourceName, Store};

/// A fleet of two replicas, in step, of a server that has `{"a": 0, "b": 0}` at `k` of `c` and of `careful`.
pub struct Two {
    pub fleet: Fleet,
    pub server: Arc<Server>,
    pub ours: Store,
    pub theirs: Store,
}

impl Two {
    pub fn new() -> Two {
        Two::with(|_| {})
    }

    pub fn with(configure: impl FnOnce(&mut Options)) -> Two {
        let (fleet, server) = (Fleet::new(), Server::start());
        let (ours, theirs) = (fleet.open_with("a", configure), fleet.open("b"));
        for collection in ["c", "careful"] {
            ours.set(collection, "k", &json!({"a": 0, "b": 0})).unwrap();
        }
        ours.sync(&server.wire()).unwrap();
        theirs.sync(&server.wire()).unwrap();
        Two { fleet, server, ours, theirs }
    }

    /// Theirs sets `b` of an item, and the server has it.
    pub fn they_set(&self, collection: &str, b: u32) {
        self.theirs.sync(&self.server.wire()).unwrap();
        self.theirs.update(collection, "k", |value| value["b"] = b.into()).unwrap();
        self.theirs.sync(&self.server.wire()).unwrap();
    }

    /// Ours sets the whole of an item, without its `b` of theirs; then pulls, and pushes nothing.
    pub fn conflicting(self, collection: &str) -> Two {
        self.they_set(collection, 1);
        self.ours.set(collection, "k", &json!({"a": 1, "b": 0})).unwrap();
        self.ours.pull(&self.server.wire()).unwrap();
        self
    }

    pub fn only(&self) -> Conflict {
        let mut open = self.ours.conflicts().unwrap();
        assert_eq!(open.len(), 1, "{open:?}");
        open.remove(0)
    }

    pub fn ended(&self) -> Vec<(Ending, Option<syncstore::Ref>)> {
        let ended = self.ours.ended_conflicts().unwrap();
        assert!(ended.iter().all(|one| (&one.base, &one.local, &one.remote) == (&None, &None, &None)));
        ended.iter().map(|one| one.end.map(|end| (end.how, end.op)).unwrap()).collect()
    }

    pub fn sync(&self) {
        self.ours.sync(&self.server.wire()).unwrap();
        view(&self.ours);
    }

    pub fn reopen(self) -> Two {
        let Two { fleet, server, ours, theirs } = self;
        drop(ours);
        let ours = fleet.open("a");
        view(&ours);
        Two { fleet, server, ours, theirs }
    }
}

pub fn sides(conflict: &Conflict) -> [Option<Value>; 4] {
    let Conflict { base, local, remote, view, .. } = conflict;
    [base, local, remote, view].map(|side| side.as_ref().map(|text| serde_json::from_str(text).unwrap()))
}

pub fn value(a: u32, b: u32) -> Option<Value> {
    Some(json!({"a": a, "b": b}))
}

#[test]
fn a_pull_under_a_pending_op_records_all_three_sides() {
    let two = Two::new().conflicting("c").reopen();
    let conflict = two.only();
    assert_eq!(sides(&conflict), [value(0, 0), value(1, 0), value(0, 1), value(1, 0)]);
    assert_eq!((conflict.collection.as_str(), conflict.key.as_str()), ("c", "k"));
    assert_eq!((conflict.resource, conflict.end, conflict.opened_at > 0), (ResourceName::Value, None, true));
    assert_eq!(two.ours.check().unwrap().conflicts, 1);
    // Nothing waits for it.
    two.sync();
    assert_eq!(two.server.value("c", "k"), value(1, 0));
    assert_eq!(sides(&two.only()), [value(0, 0), value(1, 0), value(0, 1), value(1, 0)]);
}

#[test]
fn a_sync_that_pushes_first_finds_the_conflict_too() {
    let two = Two::new();
    two.they_set("c", 1);
    two.ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    two.sync();
    assert_eq!(two.ours.pending_count().unwrap(), 0);
    assert_eq!(sides(&two.only()), [value(0, 0), value(1, 0), value(0, 1), value(1, 0)]);
    // Whoever was first has none: nobody changed anything under that.
    two.theirs.sync(&two.server.wire()).unwrap();
    assert!(two.theirs.conflicts().unwrap().is_empty());
}

#[test]
fn what_is_no_conflict() {
    let two = Two::new();
    // The own echo, with another own op behind it.
    two.ours.update("c", "k", |value| value["a"] = 1.into()).unwrap();
    two.ours.push(&two.server.wire()).unwrap();
    two.ours.update("c", "k", |value| value["a"] = 2.into()).unwrap();
    two.ours.pull(&two.server.wire()).unwrap();
    // Another item, and another part of the same.
    two.they_set("careful", 1);
    two.theirs.set_index("c", "k", "by_a", "1").unwrap();
    two.theirs.sync(&two.server.wire()).unwrap();
    two.ours.pull(&two.server.wire()).unwrap();
    two.ours.set_index("careful", "k", "by_a", "1").unwrap();
    two.they_set("careful", 2);
    two.ours.pull(&two.server.wire()).unwrap();
    two.sync();
    // Both did the same.
    two.they_set("c", 5);
    two.ours.update("c", "k", |value| value["b"] = 5.into()).unwrap();
    two.sync();
    // Nothing pends.
    two.they_set("c", 6);
    two.sync();
    assert_eq!(two.ours.conflicts().unwrap(), []);
    assert_eq!(two.ours.ended_conflicts().unwrap(), []);
}

#[test]
fn an_own_op_that_was_thought_to_be_refused_is_not_another_clients() {
    for open in [false, true] {
        let fleet = Fleet::new();
        let store = crate::hostile::loaded(&fleet, "a", 1, vec![item("c", "k", json!(0), 1)]);
        let mut before = Vec::new();
        let wire = ScriptedWire::new();
        if open {
            wire.on_push(|request| Ok(accept_all(request, 3)));
            let own = store.set("c", "k", &"ours").unwrap();
            let theirs = set_entry(2, foreign(2), "c", "k", json!("theirs"), 1);
            wire.on_pull_page(vec![theirs, set_entry(3, own, "c", "k", json!("ours"), 2)]);
            store.sync(&wire).unwrap();
            before = store.conflicts().unwrap();
            assert_eq!(before.len(), 1);
        }
        let rev = if open { 3 } else { 1 };
        let first = store.set("c", "k", &1).unwrap();
        wire.on_push(|request| {
            let results = request.ops.iter().map(|op| result(op.op_ref, PushOutcome::Rejected, None));
            Ok(PushResponse { seq: 1, results: results.collect() })
        });
        store.push(&wire).unwrap();
        store.set("c", "k", &2).unwrap();
        // A repetition of its push, of which the answer was lost, had been taken.
        let wire = ScriptedWire::new();
        wire.on_pull_page(vec![set_entry(rev + 1, first, "c", "k", json!(1), rev)]);
        store.pull(&wire).unwrap();
        assert_eq!(store.outcome(first).unwrap(), Some(syncstore::Outcome::Accepted { seq: rev + 1 }));
        let after = store.conflicts().unwrap();
        let remote = |conflicts: &[Conflict]| conflicts.iter().map(|one| one.remote.clone()).collect::<Vec<_>>();
        assert_eq!(remote(&after), remote(&before));
        assert_eq!(store.ended_conflicts().unwrap(), []);
        view(&store);
    }
}

#[test]
fn more_of_theirs_is_one_conflict_with_the_first_base_and_the_last_remote() {
    let two = Two::new().conflicting("c");
    let first = two.only();
    two.they_set("c", 2);
    two.ours.pull(&two.server.wire()).unwrap();
    two.they_set("c", 3);
    two.sync();
    let last = two.only();
    assert_eq!((last.id, sides(&last)), (first.id, [value(0, 0), value(1, 0), value(0, 3), value(1, 0)]));
    assert!(
        matches!(two.ours.resolve(&first, Resolution::TakeTheirs), Err(Error::ConflictMoved { id }) if id == first.id)
    );
    // Also when nothing pends any more; and what they built upon ours is not all that they did.
    two.theirs.sync(&two.server.wire()).unwrap();
    two.theirs.update("c", "k", |value| value["new"] = 1.into()).unwrap();
    two.theirs.sync(&two.server.wire()).unwrap();
    two.sync();
    assert_eq!(sides(&two.only())[2], Some(json!({"a": 0, "b": 3, "new": 1})));
}

#[test]
fn more_of_theirs_behind_the_own_op_is_part_of_the_remote_side_however_it_comes() {
    for pages in [vec![3], vec![2, 1], vec![1, 2]] {
        let fleet = Fleet::new();
        let store = crate::hostile::loaded(&fleet, "a", 1, vec![item("c", "k", json!(0), 1)]);
        let own = store.set("c", "k", &1).unwrap();
        let mut entries = vec![
            set_entry(2, foreign(2), "c", "k", json!(5), 1),
            set_entry(3, own, "c", "k", json!(1), 2),
            set_entry(4, foreign(4), "c", "k", json!(7), 3),
        ];
        for page in pages {
            let wire = ScriptedWire::new();
            wire.on_pull_page(entries.drain(..page).collect());
            store.pull(&wire).unwrap();
        }
        let conflict = store.conflicts().unwrap().remove(0);
        assert_eq!(sides(&conflict), [Some(json!(0)), Some(json!(1)), Some(json!(7)), Some(json!(7))]);
    }
}

#[test]
fn what_theirs_did_to_the_whole_item_is_part_of_the_remote_side_of_its_tag() {
    let untag = |seq, from| Entry { tag: Some("t".into()), ..delete_entry(seq, foreign(seq), "c", "k", from) };
    let full = |seq| {
        let made = set_entry(seq, foreign(seq), "c", "k", json!(1), 0);
        Entry { full: true, tags: vec!["t".into()], ..made }
    };
    let fleet = Fleet::new();
    let tagged = |name| {
        let loaded = CheckpointItem { tags: vec!["t".into()], ..item("c", "k", json!(0), 1) };
        let store = crate::hostile::loaded(&fleet, name, 1, vec![loaded]);
        store.add_tag("c", "k", "t").unwrap();
        store
    };
    let pull = |store: &Store, entries| {
        let wire = ScriptedWire::new();
        wire.on_pull_page(entries);
        store.pull(&wire).unwrap();
    };
    let store = tagged("a");
    let (tag, none) = (Some(json!({})), None);
    let mut before: Option<Conflict> = None;
    for (entry, remote) in
        [(untag(2, 1), &none), (full(3), &tag), (delete_entry(4, foreign(4), "c", "k", 3), &none), (full(5), &tag)]
    {
        pull(&store, vec![entry]);
        let now = store.conflicts().unwrap().remove(0);
        assert_eq!(sides(&now)[..3], [tag.clone(), tag.clone(), remote.clone()]);
        if let Some(before) = before.replace(now) {
            let moved = store.resolve(&before, Resolution::TakeTheirs);
            assert!(matches!(moved, Err(Error::ConflictMoved { .. })), "{moved:?}");
        }
    }
    view(&store);
    // In one slice they have changed nothing.
    let store = tagged("b");
    pull(&store, vec![untag(2, 1), full(3)]);
    assert_eq!(store.conflicts().unwrap(), []);
}

#[test]
fn what_was_contested_of_an_item_is_gone_when_that_is_deleted_but_for_its_value() {
    let tagged = || {
        let two = Two::with(|options| options.coalescing = false);
        two.theirs.add_tag("c", "k", "t").unwrap();
        two.theirs.sync(&two.server.wire()).unwrap();
        two.ours.remove_tag("c", "k", "t").unwrap();
        two
    };
    let two = tagged().conflicting("c");
    let open = |two: &Two| -> Vec<ResourceName> {
        two.ours.conflicts().unwrap().into_iter().map(|conflict| conflict.resource).collect()
    };
    let tag = ResourceName::Tag("t".into());
    assert_eq!(open(&two), [tag.clone(), ResourceName::Value]);
    two.sync();
    two.ours.delete("c", "k").unwrap();
    // The server has not said what becomes of that.
    assert_eq!(open(&two), [tag, ResourceName::Value]);
    two.sync();
    assert_eq!((open(&two), two.ended()), (vec![ResourceName::Value], vec![(Ending::Gone, None)]));
    two.ours.resolve(&two.only(), Resolution::TakeTheirs).unwrap();
    two.sync();
    assert_eq!(two.server.value("c", "k"), value(0, 1));
    // All of it in one answer.
    let two = tagged();
    two.ours.delete("c", "k").unwrap();
    two.sync();
    assert_eq!((open(&two), two.ended()), (vec![], vec![]));
}

#[test]
fn what_is_written_while_it_is_open_is_part_of_the_local_side() {
    let two = Two::new();
    two.they_set("c", 1);
    two.ours.update("c", "k", |value| value["a"] = 1.into()).unwrap();
    two.ours.pull(&two.server.wire()).unwrap();
    let before = two.only();
    assert_eq!(sides(&before), [value(0, 0), value(1, 0), value(0, 1), value(1, 1)]);
    two.ours.update("c", "k", |value| value["later"] = true.into()).unwrap();
    for resolution in [Resolution::TakeTheirs, Resolution::KeepOurs, Resolution::Merged(json!(1))] {
        assert!(matches!(two.ours.resolve(&before, resolution), Err(Error::ConflictMoved { .. })));
    }
    let local = Some(json!({"a": 1, "b": 0, "later": true}));
    assert_eq!(sides(&two.only())[1], local);
    // Through more of theirs, and the server's own acceptance.
    two.they_set("c", 2);
    two.sync();
    assert_eq!(sides(&two.only())[1], local);
    assert_eq!(sides(&two.only())[2], value(0, 2));
    let merged = FieldMerge(Prefer::Ours).merge(&two.only()).unwrap();
    assert_eq!(merged, Some(json!({"a": 1, "b": 2, "later": true})));
}

#[test]
fn an_own_op_that_is_rejected_is_a_rejection_and_no_conflict() {
    let two = Two::new();
    two.they_set("careful", 1);
    two.ours.set("careful", "k", &json!({"a": 1, "b": 0})).unwrap();
    two.sync();
    assert_eq!((two.ours.conflicts().unwrap().len(), two.ours.rejections().unwrap().len()), (0, 1));
    assert_eq!(two.ours.take_notices(9).unwrap().len(), 1);
    // Found by a pull first, and rejected then.
    let two = Two::new().conflicting("careful");
    assert_eq!(two.ours.take_notices(9).unwrap().len(), 1);
    two.sync();
    assert_eq!((two.ours.conflicts().unwrap().len(), two.ours.rejections().unwrap().len()), (0, 1));
    assert_eq!(two.ended(), [(Ending::Rejected, None)]);
    assert!(matches!(two.ours.take_notices(9).unwrap()[..], [Notice::Rejected(_)]));
    // One of two ops is in the log, so there is something to decide.
    let two = Two::with(|options| options.coalescing = false);
    two.they_set("c", 1);
    two.ours.update("c", "k", |value| value["a"] = 1.into()).unwrap();
    let test = json!([{"op": "test", "path": "/b", "value": 0}]);
    two.ours.patch("c", "k", &crate::support::patch(test)).unwrap();
    two.ours.pull(&two.server.wire()).unwrap();
    two.sync();
    assert_eq!((two.ours.conflicts().unwrap().len(), two.ours.rejections().unwrap().len()), (1, 1));
}

#[test]
fn each_part_of_an_item_has_its_own_conflict() {
    let two = Two::new();
    let object = |key: &'static str| ("folders", key);
    for (store, order, key) in [(&two.theirs, "2", "theirs"), (&two.ours, "1", "ours")] {
        store.set_index("c", "k", "by_a", order).unwrap();
        store.set_relation("c", "k", "r", "in", object(key)).unwrap();
        store.update("c", "k", |value| value[key] = 1.into()).unwrap();
        if order == "2" {
            store.sync(&two.server.wire()).unwrap();
        }
    }
    two.ours.pull(&two.server.wire()).unwrap();
    let two = two.reopen();
    let open = two.ours.conflicts().unwrap();
    let of = |resource: ResourceName| open.iter().find(|one| one.resource == resource).unwrap();
    assert_eq!(open.len(), 3);
    let index = of(ResourceName::Index("by_a".into()));
    assert_eq!((index.base.as_deref(), index.local.as_deref()), (None, Some(r#"{"order":"1"}"#)));
    assert_eq!((index.remote.as_deref(), index.view.as_deref()), (Some(r#"{"order":"2"}"#), Some(r#"{"order":"1"}"#)));
    two.ours.resolve(index, Resolution::TakeTheirs).unwrap();
    assert_eq!(two.ours.indexes("c", "k").unwrap()["by_a"], "2");
    let relation = of(ResourceName::Relation("r".into()));
    let wrong = two.ours.resolve(relation, Resolution::Merged(json!({"order": "2"}))).unwrap_err();
    assert!(matches!(wrong, Error::Json(_)), "{wrong}");
    let merged = json!({"predicate": "of", "object": {"collection": "folders", "key": "both"}});
    two.ours.resolve(relation, Resolution::Merged(merged)).unwrap();
    two.ours.resolve(of(ResourceName::Value), Resolution::KeepRebased).unwrap();
    two.sync();
    two.theirs.sync(&two.server.wire()).unwrap();
    assert_eq!(two.theirs.indexes("c", "k").unwrap()["by_a"], "2");
    let relation = two.theirs.relations("c", "k", None).unwrap().remove(0);
    assert_eq!((relation.predicate.as_str(), relation.object.key.as_str()), ("of", "both"));
    assert_eq!(two.server.value("c", "k"), Some(json!({"a": 0, "b": 0, "ours": 1, "theirs": 1})));
}

#[test]
fn of_an_item_that_may_not_be_seen_any_more_no_side_is_kept() {
    let fleet = Fleet::new();
    let loaded = vec![item("c", "k", json!({"n": 0}), 1)];
    let store = crate::hostile::loaded(&fleet, "a", 1, loaded);
    store.set("c", "k", &json!({"n": 1})).unwrap();
    let wire = ScriptedWire::new();
    wire.on_pull_page(vec![set_entry(2, foreign(2), "c", "k", json!({"n": "s3cret"}), 1)]);
    store.pull(&wire).unwrap();
    assert_eq!(store.conflicts().unwrap().len(), 1);
    let wire = ScriptedWire::new();
    let mut revoked = delete_entry(3, foreign(3), "c", "k", 2);
    revoked.reason = Some("revoked".into());
    wire.on_pull_page(vec![revoked]);
    store.pull(&wire).unwrap();
    view(&store);
    assert!(store.conflicts().unwrap().is_empty());
    assert_eq!(store.ended_conflicts().unwrap()[0].end.unwrap().how, Ending::Gone);
    let file = rusqlite::Connection::open(fleet.path("a")).unwrap();
    let kept: u32 = file
        .query_row("SELECT count(*) FROM conflicts WHERE ifnull(base, '') || ifnull(remote, '') <> ''", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(kept, 0);
}

#[test]
fn a_checkpoint_that_takes_the_place_of_the_base_leaves_a_conflict_too() {
    let fleet = Fleet::new();
    let server = Server::with(|options| options.retention.log_entries = 3);
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    for key in ["k", "same", "accepted", "open"] {
        ours.set("c", key, &json!({"a": 0, "b": 0})).unwrap();
    }
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    // Open before the checkpoint.
    theirs.update("c", "open", |value| value["b"] = 1.into()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.set("c", "open", &json!({"a": 1, "b": 0})).unwrap();
    ours.sync(&server.wire()).unwrap();
    assert_eq!(ours.conflicts().unwrap().len(), 1);
    theirs.sync(&server.wire()).unwrap();
    for round in 2..12 {
        theirs.update("c", "k", |value| value["b"] = round.into()).unwrap();
        theirs.update("c", "open", |value| value["b"] = round.into()).unwrap();
        theirs.sync(&server.wire()).unwrap();
    }
    ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    ours.set("c", "same", &json!({"a": 1, "b": 0})).unwrap();
    ours.set("c", "accepted", &json!({"a": 1, "b": 0})).unwrap();
    server.environment.advance(Duration::from_secs(26 * 3600));
    server.prune();
    let report = ours.pull(&server.wire()).unwrap();
    assert_eq!(report.bootstrapped, Some(syncstore::BootstrapReason::Expired));
    view(&ours);
    let open = ours.conflicts().unwrap();
    assert_eq!(open.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["open"], "ours were answered first");
    assert_eq!(sides(&open[0]), [value(0, 0), value(1, 0), value(0, 11), value(1, 11)]);
}

#[test]
fn a_checkpoint_under_an_op_that_waits_leaves_a_conflict() {
    let fleet = Fleet::new();
    let store =
        crate::hostile::loaded(&fleet, "a", 1, vec![item("c", "k", json!(0), 1), item("c", "gone", json!(0), 1)]);
    for key in ["k", "gone", "new"] {
        store.set("c", key, &1).unwrap();
    }
    let wire = ScriptedWire::new();
    wire.on_pull(|_| Err(syncstore::wire::WireError::CursorExpired(syncstore::wire::Expiry::Pruned)));
    wire.on_checkpoint_items(9, vec![item("c", "k", json!(2), 7), item("c", "new", json!(2), 8)]);
    wire.on_push(|request| {
        let results = request.ops.iter().map(|op| result(op.op_ref, PushOutcome::Queued, None));
        Ok(PushResponse { seq: 9, results: results.collect() })
    });
    store.pull(&wire).unwrap();
    view(&store);
    let open = store.conflicts().unwrap();
    assert_eq!(open.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["k", "new"]);
    let [one, two] = [1, 2].map(|n| Some(json!(n)));
    assert_eq!(sides(&open[0]), [Some(json!(0)), one.clone(), two.clone(), one.clone()]);
    assert_eq!(sides(&open[1]), [None, one.clone(), two, one]);
}

#[test]
fn each_conflict_is_taken_once_whatever_becomes_of_it() {
    let two = Two::new().conflicting("c");
    let Notice::Conflict(told) = two.ours.take_notices(9).unwrap().remove(0) else { panic!("no conflict") };
    assert_eq!(told, two.only());
    let two = two.reopen();
    two.they_set("c", 2);
    two.sync();
    two.ours.resolve(&two.only(), Resolution::KeepRebased).unwrap();
    assert_eq!(two.ours.take_notices(9).unwrap(), []);
    // One that ended first is told all the same, with its end.
    let two = Two::new().conflicting("c");
    two.ours.resolve(&two.only(), Resolution::KeepRebased).unwrap();
    let Notice::Conflict(told) = two.ours.take_notices(9).unwrap().remove(0) else { panic!("no conflict") };
    assert_eq!((told.end.map(|end| end.how), told.base), (Some(Ending::KeptRebased), None));
    assert_eq!(two.ours.take_notices(9).unwrap(), []);
}

#[test]
fn a_crash_between_any_two_steps_loses_no_side_and_tells_nothing_twice() {
    let mut two = Two::new();
    two.they_set("c", 1);
    two.ours.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
    let direct = two.server.wire();
    let mut told = 0;
    // Each call of the sync fails once, and the process ends after it.
    for n in 0.. {
        two = two.reopen();
        let wire = FaultyWire::nth(&direct, n, Fault::LoseAnswer);
        let done = two.ours.sync(&wire).is_ok() && wire.calls().len() <= n;
        two = two.reopen();
        told += two.ours.take_notices(9).unwrap().len();
        if done {
            break;
        }
    }
    assert_eq!(told, 1);
    assert_eq!(sides(&two.only()), [value(0, 0), value(1, 0), value(0, 1), value(1, 0)]);
    let new = two.ours.resolve(&two.only(), Resolution::Merged(json!({"a": 1, "b": 1}))).unwrap();
    let two = two.reopen();
    assert_eq!((two.ended(), get(&two.ours, "c", "k")), (vec![(Ending::Merged, new)], value(1, 1)));
    two.sync();
    assert_eq!((two.server.value("c", "k"), two.ours.take_notices(9).unwrap()), (value(1, 1), vec![]));
}

#[test]
fn an_op_that_is_known_to_be_refused_is_in_no_conflict() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 10, vec![item("c", "k", json!(0), 5)]);
    let op = store.set("c", "k", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| {
        let mut answer = accept_all(request, 12);
        (answer.results[0].outcome, answer.results[0].code) = (PushOutcome::Rejected, Some(Code::STALE));
        Ok(answer)
    });
    store.push(&wire).unwrap();
    wire.on_pull_page(vec![set_entry(11, foreign(11), "c", "k", json!(2), 5)]);
    store.pull(&wire).unwrap();
    assert_eq!((store.conflicts().unwrap(), store.pending_count().unwrap()), (vec![], 1));
    wire.on_pull_page(vec![rejected_entry(12, op, Code::STALE, "")]);
    store.pull(&wire).unwrap();
    assert_eq!((get(&store, "c", "k"), store.ended_conflicts().unwrap()), (Some(json!(2)), vec![]));
}

#[test]
fn none_begins_on_what_is_revoked_in_the_same_breath() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 10, vec![item("c", "k", json!(0), 5)]);
    store.set("c", "k", &1).unwrap();
    let wire = ScriptedWire::new();
    let revoked = Entry { reason: Some("revoked".into()), ..delete_entry(12, foreign(12), "c", "k", 11) };
    wire.on_pull_page(vec![set_entry(11, foreign(11), "c", "k", json!(2), 5), revoked]);
    store.pull(&wire).unwrap();
    assert_eq!((store.conflicts().unwrap(), store.ended_conflicts().unwrap()), (vec![], vec![]));
}

#[test]
fn one_ends_as_rejected_only_once_nothing_of_its_part_is_pending_any_more() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 10, vec![item("c", "k", json!(0), 5)]);
    let wire = ScriptedWire::new();
    let first = store.set("c", "k", &1).unwrap();
    // No answer comes: it never changes again, and the next one is an op of its own.
    wire.on_push(|_| Err(WireError::TimedOut("no answer".into())));
    store.push(&wire).unwrap_err();
    let second = store.set("c", "k", &2).unwrap();
    wire.on_pull_page(vec![set_entry(11, foreign(11), "c", "k", json!(3), 5)]);
    store.pull(&wire).unwrap();
    assert_eq!(store.conflicts().unwrap().len(), 1);
    wire.on_pull_page(vec![rejected_entry(12, first, Code::STALE, "")]);
    store.pull(&wire).unwrap();
    assert_eq!((store.conflicts().unwrap().len(), get(&store, "c", "k")), (1, Some(json!(2))));
    wire.on_pull_page(vec![rejected_entry(13, second, Code::STALE, "")]);
    store.pull(&wire).unwrap();
    let ended: Vec<_> = store.ended_conflicts().unwrap().into_iter().map(|one| one.end.unwrap().how).collect();
    assert_eq!((ended, get(&store, "c", "k")), (vec![Ending::Rejected], Some(json!(3))));
}

#[test]
fn no_conflict_has_the_number_of_one_that_was_dropped() {
    let two = Two::new().conflicting("c");
    let first = two.ours.resolve(&two.only(), Resolution::KeepRebased).map(|_| two.ended()).unwrap();
    assert_eq!(first.len(), 1);
    let dropped = two.ours.ended_conflicts().unwrap()[0].id;
    Connection::open(two.fleet.path("a")).unwrap().execute("DELETE FROM conflicts", []).unwrap();
    two.sync();
    two.fleet.environment.advance(Duration::from_millis(1));
    let two = two.conflicting("careful");
    assert!(two.only().id > dropped, "{} {dropped}", two.only().id);
}

#[test]
fn asking_for_notices_waits_for_nobody_where_there_is_none() {
    let two = Two::with(|options| options.busy_timeout = Duration::ZERO);
    let other = Connection::open(two.fleet.path("a")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(two.ours.take_notices(9).unwrap(), []);
    other.execute_batch("ROLLBACK").unwrap();
}

#[test]
fn conflicts_are_kept_for_as_long_and_as_many_as_said() {
    let two = Two::new().conflicting("c");
    // An open one is as old as it is, whatever the clock says.
    two.fleet.environment.advance(Duration::from_secs(1_000 * 24 * 3600));
    two.ours.pull(&two.server.wire()).unwrap();
    two.ours.resolve(&two.only(), Resolution::KeepRebased).unwrap();
    two.fleet.environment.advance(Duration::from_secs(89 * 24 * 3600));
    two.ours.pull(&two.server.wire()).unwrap();
    assert_eq!(two.ended().len(), 1);
    // A clock that is ahead for a moment makes none old.
    let right = two.fleet.environment.unix_ms();
    two.fleet.environment.set_clock(right + 365 * 24 * 3600 * 1000);
    (0..3).for_each(|_| drop(two.ours.pull(&two.server.wire()).unwrap()));
    two.fleet.environment.set_clock(right);
    two.ours.pull(&two.server.wire()).unwrap();
    assert_eq!(two.ended().len(), 1);
    for left in [1, 0] {
        two.fleet.environment.advance(Duration::from_secs(2 * 24 * 3600));
        two.ours.pull(&two.server.wire()).unwrap();
        assert_eq!(two.ended().len(), left);
    }
    // One more than there may be, the one that is open the youngest of them.
    two.they_set("c", 2);
    two.ours.pull(&two.server.wire()).unwrap();
    let copies = "WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < 10000)
        INSERT INTO conflicts(id, collection, key, resource, opened, updated, accepted, ending, ended)
        SELECT id - n, collection, key, resource, opened, updated, accepted, 1, updated FROM conflicts, copy";
    Connection::open(two.fleet.path("a")).unwrap().execute_batch(copies).unwrap();
    let oldest = two.ours.ended_conflicts().unwrap()[0].id;
    two.ours.pull(&two.server.wire()).unwrap();
    let ended = two.ours.ended_conflicts().unwrap();
    assert_eq!((ended.len(), two.only().end), (9_999, None));
    assert!(ended[0].id > oldest);
    // Four sides of half a MiB each: 32 of them fit into 64 MiB.
    let fleet = Fleet::new();
    let large = |n: u32| json!(n.to_string().repeat(1 << 19));
    let keys: Vec<String> = (0..40).map(|n| format!("k{n:02}")).collect();
    let items = keys.iter().map(|key| item("c", key, large(0), 1)).collect();
    let store = crate::hostile::loaded(&fleet, "a", 1, items);
    for key in &keys {
        store.set("c", key, &large(1)).unwrap();
    }
    let wire = ScriptedWire::new();
    let entries = keys.iter().zip(2..).map(|(key, seq)| set_entry(seq, foreign(seq), "c", key, large(2), 1));
    wire.on_pull_page(entries.collect());
    store.pull(&wire).unwrap();
    let open = store.conflicts().unwrap();
    assert_eq!((open.len(), open[0].key.as_str(), open[30].key.as_str()), (31, "k09", "k39"));
    view(&store);
}
