//! Index entries, relations and tags: written offline, carried as ops, rebased, loaded, and gone with their item.

use crate::support::plain::PlainServer;
use crate::support::scripted::{
    accept_all, as_sent_entry, checkpoint_of, delete_entry, foreign, item, page_of, rejected_entry, result, set_entry,
};
use crate::support::{Fleet, Random, ScriptedWire, Server, patch, view};
use rusqlite::Connection;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use syncstore::protocol::{Code, Entry, Object, OpKind, OpResult, PushOutcome, PushResponse, Relation};
use syncstore::wire::{Expiry, WireError};
use syncstore::{BootstrapReason, Error, FindingCode, Outcome, Ref, ResourceName, Store};

fn index_entry(seq: u64, op_ref: Ref, key: &str, name: &str, order: Option<&str>, from: u64) -> Entry {
    let mut entry = set_entry(seq, op_ref, "c", key, json!(null), from);
    entry.value = None;
    entry.kind = Some(if order.is_some() { OpKind::Set } else { OpKind::Delete });
    entry.index = Some(name.into());
    entry.order = order.map(str::to_owned);
    entry
}

fn link(id: &str, predicate: &str, key: &str) -> Relation {
    Relation { id: id.into(), predicate: predicate.into(), object: Object { collection: "f".into(), key: key.into() } }
}

/// All that a store reads of an item's other resources, in one text.
fn all(store: &Store, key: &str) -> String {
    let relations = store.relations("c", key, None).unwrap();
    let relations: Vec<_> = relations.iter().map(|r| format!("{}:{}>{}", r.id, r.predicate, r.object.key)).collect();
    let indexes = store.indexes("c", key).unwrap();
    let indexes: Vec<_> = indexes.iter().map(|(name, order)| format!("{name}={order}")).collect();
    format!("{} | {} | {}", indexes.join(" "), relations.join(" "), store.tags("c", key).unwrap().join(" "))
}

fn sound(store: &Store) {
    let report = store.check().unwrap();
    assert!(report.is_ok(), "{report}");
}

/// A replica with items at rev 1, loaded from a checkpoint.
fn loaded(fleet: &Fleet, wire: &ScriptedWire, keys: &[&str]) -> Store {
    let store = fleet.open("a");
    let items = keys.iter().map(|key| item("c", key, json!({"n": 0}), 1)).collect();
    wire.on_checkpoint_items(1, items);
    store.sync(wire).unwrap();
    store
}

#[test]
fn what_is_written_is_read_at_once_and_waits_as_operations() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    store.set("c", "k", &1).unwrap();
    store.set_index("c", "k", "by", "b").unwrap();
    store.set_relation("c", "k", "r1", "in", ("f", "home")).unwrap();
    store.add_tag("c", "k", "team").unwrap();
    store.delete_index("c", "k", "other").unwrap();
    assert_eq!(all(&store, "k"), "by=b | r1:in>home | team");
    let pending = store.pending().unwrap();
    let told: Vec<_> = pending.iter().map(|op| (op.resource.clone(), op.kind, op.payload.as_deref())).collect();
    assert_eq!(
        told,
        [
            (ResourceName::Value, OpKind::Set, Some("1")),
            (ResourceName::Index("by".into()), OpKind::Set, Some(r#"{"order":"b"}"#)),
            (
                ResourceName::Relation("r1".into()),
                OpKind::Set,
                Some(r#"{"predicate":"in","object":{"collection":"f","key":"home"}}"#)
            ),
            (ResourceName::Tag("team".into()), OpKind::Set, None),
            (ResourceName::Index("other".into()), OpKind::Delete, None),
        ]
    );
    assert_eq!(store.check().unwrap().resources, 3);
    sound(&store);
    store.delete("c", "k").unwrap();
    assert_eq!(all(&store, "k"), " |  | ");
    sound(&store);
}

#[test]
fn names_and_ordering_keys_are_bounded_and_an_item_must_be_there() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let absent = [
        store.set_index("c", "k", "by", "b"),
        store.set_relation("c", "k", "r", "in", ("f", "x")),
        store.add_tag("c", "k", "t"),
    ];
    assert!(absent.iter().all(|written| matches!(written, Err(Error::NotFound { .. }))));
    store.set("c", "k", &1).unwrap();
    let long = "n".repeat(129);
    for name in ["", &long] {
        let refused = [
            store.set_index("c", "k", name, "b"),
            store.set_index("c", "k", "by", name),
            store.delete_index("c", "k", name),
            store.set_relation("c", "k", name, "in", ("f", "x")),
            store.set_relation("c", "k", "r", name, ("f", "x")),
            store.set_relation("c", "k", "r", "in", (name, "x")),
            store.set_relation("c", "k", "r", "in", ("f", name)),
            store.delete_relation("c", "k", name),
            store.add_tag("c", "k", name),
            store.remove_tag("c", "k", name),
        ];
        assert!(refused.iter().all(|written| matches!(written, Err(Error::Limit(_)))));
    }
    assert_eq!(store.pending_count().unwrap(), 1);
    assert_eq!(all(&store, "k"), " |  | ");
}

#[test]
fn repeated_writes_of_one_resource_fold_and_the_ledger_says_so() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    store.set("c", "k", &1).unwrap();
    let first = store.set_index("c", "k", "by", "1").unwrap();
    let second = store.set_index("c", "k", "by", "2").unwrap();
    assert_eq!(store.outcome(second).unwrap(), Some(Outcome::FoldedInto(first)));
    let third = store.delete_index("c", "k", "by").unwrap();
    assert_eq!(store.outcome(third).unwrap(), Some(Outcome::FoldedInto(first)));
    assert_eq!((store.pending_count().unwrap(), all(&store, "k").as_str()), (2, " |  | "));
    store.set_index("c", "k", "by", "3").unwrap();
    store.add_tag("c", "k", "t").unwrap();
    store.set_index("c", "k", "by", "4").unwrap();
    assert_eq!(store.pending_count().unwrap(), 4, "never across an op on another resource");
    sound(&store);
    store.delete("c", "k").unwrap();
    assert_eq!(store.pending_count().unwrap(), 4, "the end of the item takes the last one's place");
    sound(&store);
}

#[test]
fn operations_travel_with_their_members_and_settle() {
    let fleet = Fleet::new();
    let wire = ScriptedWire::new();
    let store = loaded(&fleet, &wire, &["k"]);
    let refs = [
        store.set_index("c", "k", "by", "b").unwrap(),
        store.set_relation("c", "k", "r1", "in", ("f", "home")).unwrap(),
        store.add_tag("c", "k", "team").unwrap(),
        store.delete_relation("c", "k", "r0").unwrap(),
    ];
    wire.on_push(|request| Ok(accept_all(request, 2)));
    wire.on_pull(move |request| {
        let kinds = [OpKind::Set, OpKind::Set, OpKind::Set, OpKind::Delete];
        let entries = refs.iter().zip(kinds).zip(2..).map(|((op, kind), seq)| {
            let mut entry = as_sent_entry(seq, *op, kind, "c", "k", seq - 1);
            entry.rev = Some(seq);
            match seq {
                2 => entry.index = Some("by".into()),
                3 => entry.relation = Some("r1".into()),
                4 => entry.tag = Some("team".into()),
                // It removed nothing, and the rev stays.
                _ => (entry.relation, entry.rev) = (Some("r0".into()), Some(4)),
            }
            entry
        });
        Ok(page_of(request, entries.collect(), false))
    });
    store.sync(&wire).unwrap();
    let sent: Vec<_> = wire.pushed()[0].ops.iter().map(|op| serde_json::to_value(op).unwrap()).collect();
    let of = |n: usize, members: serde_json::Value| {
        let mut op = json!({"ref": refs[n].to_string(), "collection": "c", "key": "k", "base": 1});
        op.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        op
    };
    assert_eq!(sent[0], of(0, json!({"op": "set", "index": "by", "order": "b"})));
    let object = json!({"collection": "f", "key": "home"});
    assert_eq!(sent[1], of(1, json!({"op": "set", "relation": "r1", "predicate": "in", "object": object})));
    assert_eq!(sent[2], of(2, json!({"op": "set", "tag": "team"})));
    assert_eq!(sent[3], of(3, json!({"op": "delete", "relation": "r0"})));
    assert!(store.pending().unwrap().is_empty());
    assert_eq!(store.outcome(refs[2]).unwrap(), Some(Outcome::Accepted { seq: 4 }));
    assert_eq!(all(&store, "k"), "by=b | r1:in>home | team");
    // The next one follows the rev that stayed.
    wire.on_pull_page(vec![index_entry(6, foreign(1), "k", "by", Some("c"), 4)]);
    store.sync(&wire).unwrap();
    assert_eq!(
        (store.client_id().unwrap(), all(&store, "k").as_str()),
        (wire.pushed()[0].client, "by=c | r1:in>home | team")
    );
    sound(&store);
    assert!(wire.is_over());
}

#[test]
fn what_others_do_comes_beneath_what_is_pending() {
    let fleet = Fleet::new();
    let wire = ScriptedWire::new();
    let store = loaded(&fleet, &wire, &["k"]);
    store.set_index("c", "k", "by", "ours").unwrap();
    wire.on_pull_page(vec![
        index_entry(2, foreign(1), "k", "by", Some("theirs"), 1),
        index_entry(3, foreign(2), "k", "also", Some("theirs"), 2),
        Entry { tag: Some("t".into()), order: None, index: None, ..index_entry(4, foreign(3), "k", "", Some(""), 3) },
        set_entry(5, foreign(4), "c", "k", json!("theirs"), 4),
    ]);
    store.pull(&wire).unwrap();
    assert_eq!(all(&store, "k"), "also=theirs by=ours |  | t");
    assert_eq!(store.get_raw("c", "k").unwrap().as_deref(), Some("\"theirs\""));
    sound(&store);
    wire.on_push(|request| {
        let refused = result(request.ops[0].op_ref, PushOutcome::Rejected, Some(6));
        Ok(PushResponse { seq: 6, results: vec![refused] })
    });
    let op = store.pending().unwrap()[0].op_ref;
    wire.on_pull_page(vec![rejected_entry(6, op, Code::STALE, "no")]);
    store.sync(&wire).unwrap();
    assert_eq!(all(&store, "k"), "also=theirs by=theirs |  | t");
    let rejected = store.rejections().unwrap();
    assert_eq!(rejected[0].resource, ResourceName::Index("by".into()));
    assert_eq!(rejected[0].payload.as_deref(), Some(r#"{"order":"ours"}"#));
    sound(&store);
}

#[test]
fn another_files_op_on_another_part_under_the_same_ref_is_not_taken_for_this_ones() {
    let fleet = Fleet::new();
    let wire = ScriptedWire::new();
    let store = loaded(&fleet, &wire, &["k"]);
    let op = store.add_tag("c", "k", "ours").unwrap();
    wire.on_push(|_| Err(WireError::Unreachable("lost".into())));
    store.push(&wire).unwrap_err();
    let theirs =
        Entry { tag: Some("theirs".into()), index: None, order: None, ..index_entry(2, op, "k", "", Some(""), 1) };
    wire.on_pull_page(vec![theirs]);
    store.pull(&wire).unwrap();
    assert_eq!((store.pending_count().unwrap(), all(&store, "k").as_str()), (1, " |  | ours theirs"));
    sound(&store);
    wire.on_push(|request| {
        let reused = result(request.ops[0].op_ref, PushOutcome::Rejected, None);
        Ok(PushResponse { seq: 2, results: vec![OpResult { code: Some(Code::REF_REUSED), ..reused }] })
    });
    store.push(&wire).unwrap();
    assert_eq!((store.pending_count().unwrap(), all(&store, "k").as_str()), (0, " |  | theirs"));
    sound(&store);
}

#[test]
fn an_op_on_a_part_of_an_item_that_ended_is_marked_and_comes_back_with_it() {
    let fleet = Fleet::new();
    let wire = ScriptedWire::new();
    let store = loaded(&fleet, &wire, &["k"]);
    store.set_index("c", "k", "by", "b").unwrap();
    store.delete_index("c", "k", "other").unwrap();
    let applies = || store.pending().unwrap().iter().map(|op| op.applies).collect::<Vec<_>>();
    wire.on_pull_page(vec![delete_entry(2, foreign(1), "c", "k", 1)]);
    store.pull(&wire).unwrap();
    assert_eq!((applies(), all(&store, "k").as_str()), (vec![false, true], " |  | "));
    sound(&store);
    wire.on_pull_page(vec![set_entry(3, foreign(2), "c", "k", json!(2), 0)]);
    store.pull(&wire).unwrap();
    assert_eq!((applies(), all(&store, "k").as_str()), (vec![true, true], "by=b |  | "));
    sound(&store);
}

#[test]
fn an_item_that_ends_takes_all_it_has_with_it() {
    let fleet = Fleet::new();
    let wire = ScriptedWire::new();
    let store = loaded(&fleet, &wire, &["k", "other"]);
    let tag = |seq, from| Entry {
        tag: Some("t".into()),
        index: None,
        order: None,
        ..index_entry(seq, foreign(seq), "k", "", Some(""), from)
    };
    wire.on_pull_page(vec![index_entry(2, foreign(2), "k", "by", Some("b"), 1), tag(3, 2)]);
    store.pull(&wire).unwrap();
    assert_eq!(all(&store, "k"), "by=b |  | t");
    wire.on_pull_page(vec![
        delete_entry(4, foreign(4), "c", "k", 3),
        set_entry(5, foreign(5), "c", "k", json!("new life"), 0),
        index_entry(6, foreign(6), "k", "again", Some("a"), 5),
    ]);
    store.pull(&wire).unwrap();
    assert_eq!(all(&store, "k"), "again=a |  | ");
    let mut revoked = delete_entry(7, foreign(7), "c", "k", 6);
    revoked.reason = Some("revoked".into());
    wire.on_pull_page(vec![revoked]);
    store.pull(&wire).unwrap();
    assert_eq!((store.get_raw("c", "k").unwrap(), all(&store, "k").as_str()), (None, " |  | "));
    let rows: i64 = Connection::open(fleet.path("a"))
        .unwrap()
        .query_row("SELECT count(*) FROM resources", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 0);
    sound(&store);
}

#[test]
fn a_full_entry_replaces_the_item_with_all_that_it_has() {
    let fleet = Fleet::new();
    let wire = ScriptedWire::new();
    let store = loaded(&fleet, &wire, &["k"]);
    wire.on_pull_page(vec![index_entry(2, foreign(2), "k", "old", Some("b"), 1)]);
    store.pull(&wire).unwrap();
    store.add_tag("c", "k", "ours").unwrap();
    let full = |seq, key: &str| Entry {
        full: true,
        indexes: BTreeMap::from([("by".to_owned(), "f".to_owned())]),
        relations: vec![link("r1", "in", "home")],
        tags: vec!["team".into()],
        ..set_entry(seq, foreign(seq), "c", key, json!("full"), 0)
    };
    wire.on_pull_page(vec![full(9, "k"), full(10, "new"), index_entry(11, foreign(11), "new", "more", Some("m"), 10)]);
    store.pull(&wire).unwrap();
    assert_eq!(all(&store, "k"), "by=f | r1:in>home | ours team");
    assert_eq!(all(&store, "new"), "by=f more=m | r1:in>home | team");
    assert_eq!(store.relations_to("f", "home", None).unwrap().len(), 2);
    sound(&store);
}

#[test]
fn what_does_not_follow_is_divergence_and_what_is_malformed_is_refused() {
    let (absent, gap) = (0, 7);
    let nothing_there = index_entry(2, foreign(1), "none", "by", Some("b"), absent);
    let missed = index_entry(2, foreign(1), "k", "by", Some("b"), gap);
    let missed_delete = index_entry(2, foreign(1), "k", "by", None, gap);
    for entry in [nothing_there, missed, missed_delete] {
        let fleet = Fleet::new();
        let wire = ScriptedWire::new();
        let store = loaded(&fleet, &wire, &["k"]);
        wire.on_pull_page(vec![entry]).on_checkpoint_items(2, vec![item("c", "k", json!(1), 1)]);
        let report = store.sync(&wire).unwrap();
        assert!(matches!(report.bootstrapped, Some(BootstrapReason::Diverged(_))));
    }
    let bad = [
        index_entry(2, foreign(1), "k", "", Some("b"), 1),
        index_entry(2, foreign(1), "k", "by", Some(&"x".repeat(5_000)), 1),
        Entry { value: Some(syncstore::protocol::Json::null()), ..index_entry(2, foreign(1), "k", "by", Some("b"), 1) },
        Entry { full: true, tags: vec![String::new()], ..set_entry(2, foreign(1), "c", "k", json!(1), 1) },
    ];
    for entry in bad {
        let fleet = Fleet::new();
        let wire = ScriptedWire::new();
        let store = loaded(&fleet, &wire, &["k"]);
        wire.on_pull_page(vec![entry]);
        assert!(matches!(store.sync(&wire).unwrap_err().error(), Error::Wire(_)));
        assert_eq!((store.position().unwrap(), all(&store, "k").as_str()), (1, " |  | "));
    }
}

#[test]
fn a_checkpoint_brings_everything_beneath_what_is_pending() {
    let fleet = Fleet::new();
    let wire = ScriptedWire::new();
    let store = fleet.open("a");
    store.set("c", "own", &1).unwrap();
    store.set_index("c", "own", "by", "o").unwrap();
    let whole = |key: &str, rev| {
        let mut whole = item("c", key, json!(rev), rev);
        whole.indexes = BTreeMap::from([("by".to_owned(), key.to_owned())]);
        whole.relations = vec![link("r1", "in", "home")];
        whole.tags = vec!["t".into()];
        whole
    };
    let page = checkpoint_of(4, vec![whole("k", 3), whole("own", 2)]);
    wire.on_checkpoint(move |_| Ok(page));
    // What its page already held is left as it is, what it did not is not.
    wire.on_pull_page(vec![
        index_entry(3, foreign(3), "k", "by", Some("earlier"), 2),
        index_entry(5, foreign(5), "k", "by", Some("later"), 3),
        index_entry(6, foreign(6), "gone", "by", None, 4),
    ]);
    wire.on_push(|request| Ok(accept_all(request, 7)));
    wire.on_pull(|request| Ok(page_of(request, Vec::new(), false)));
    store.sync(&wire).unwrap();
    assert_eq!(all(&store, "k"), "by=later | r1:in>home | t");
    assert_eq!(all(&store, "own"), "by=o | r1:in>home | t");
    assert_eq!(store.relations_to("f", "home", Some("in")).unwrap().len(), 2);
    sound(&store);
}

#[test]
fn what_a_checkpoint_replaces_goes_with_all_that_it_had() {
    let fleet = Fleet::new();
    let wire = ScriptedWire::new();
    let store = fleet.open("a");
    let tagged = |key: &str, tags: u32| {
        let mut whole = item("c", key, json!(1), 1);
        whole.tags = (0..tags).map(|n| format!("t{n:04}")).collect();
        whole
    };
    // More than one transaction takes.
    let items: Vec<_> =
        [2_500, 0, 1_200, 3].iter().enumerate().map(|(n, tags)| tagged(&format!("k{n}"), *tags)).collect();
    wire.on_checkpoint_items(1, items);
    store.sync(&wire).unwrap();
    assert_eq!(store.tags("c", "k0").unwrap().len(), 2_500);
    assert_eq!(store.check().unwrap().resources, 3_703);
    store.add_tag("c", "k3", "ours").unwrap();
    wire.on_pull(|_| Err(WireError::CursorExpired(Expiry::Filter)));
    wire.on_checkpoint_items(9, vec![tagged("k3", 1)]).on_push(|request| Ok(accept_all(request, 10)));
    wire.on_pull_page(Vec::new());
    store.pull(&wire).unwrap();
    assert_eq!(store.tags("c", "k3").unwrap(), ["ours", "t0000"]);
    let count = "SELECT count(*) FROM resources";
    let rows: i64 = Connection::open(fleet.path("a")).unwrap().query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!((rows, store.check().unwrap().retired), (2, 0));
    sound(&store);
}

#[test]
fn a_page_of_a_checkpoint_that_is_loaded_twice_leaves_only_its_last_form() {
    let fleet = Fleet::new();
    let wire = ScriptedWire::new();
    let store = fleet.open("a");
    let with = |name: &str| {
        let mut whole = item("c", "k", json!(name), 1);
        whole.indexes = BTreeMap::from([(name.to_owned(), "1".to_owned())]);
        whole
    };
    // A server may name an item twice, whatever the reason.
    wire.on_checkpoint_items(1, vec![with("first"), with("second")]);
    store.sync(&wire).unwrap();
    assert_eq!(all(&store, "k"), "second=1 |  | ");
    sound(&store);
}

#[test]
fn a_batch_holds_ops_on_every_resource() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let mut batch = store.batch();
    batch.set("c", "k", &1).unwrap().set_index("c", "k", "by", "b").unwrap();
    batch.set_relation("c", "k", "r1", "in", ("f", "home")).unwrap().add_tag("c", "k", "t").unwrap();
    batch
        .delete_index("c", "k", "x")
        .unwrap()
        .delete_relation("c", "k", "x")
        .unwrap()
        .remove_tag("c", "k", "x")
        .unwrap();
    assert!(matches!(batch.add_tag("c", "k", ""), Err(Error::Limit(_))));
    assert_eq!(batch.commit().unwrap().ops.len(), 7);
    assert_eq!(all(&store, "k"), "by=b | r1:in>home | t");
    let mut batch = store.batch();
    batch.set_index("c", "k", "by", "c").unwrap().set_index("c", "none", "by", "c").unwrap();
    assert!(matches!(batch.commit(), Err(Error::NotFound { .. })));
    assert_eq!(all(&store, "k"), "by=b | r1:in>home | t");
    sound(&store);
}

#[test]
fn relations_are_found_from_both_ends_and_by_predicate() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    for key in ["a", "b", "c"] {
        store.set("c", key, &1).unwrap();
        store.set_relation("c", key, "r1", "in", ("f", "home")).unwrap();
        store.set_relation("c", key, "r2", "by", ("f", "home")).unwrap();
    }
    let to = |predicate| {
        let found = store.relations_to("f", "home", predicate).unwrap();
        found.iter().map(|to| format!("{}{}:{}", to.key, to.id, to.predicate)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(to(None), "ar1:in ar2:by br1:in br2:by cr1:in cr2:by");
    assert_eq!(to(Some("in")), "ar1:in br1:in cr1:in");
    assert_eq!(store.relations("c", "a", Some("by")).unwrap(), [link("r2", "by", "home")]);
    store.delete("c", "a").unwrap();
    store.delete_relation("c", "b", "r1").unwrap();
    store.set_relation("c", "c", "r1", "in", ("f", "elsewhere")).unwrap();
    assert_eq!(to(None), "br2:by cr2:by");
    assert!(store.relations_to("f", "none", None).unwrap().is_empty());
}

#[test]
fn a_statement_sees_what_the_host_reads_and_not_what_is_confirmed_beneath() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.set("c", "k", &1).unwrap();
    store.set_index("c", "k", "by", "a").unwrap();
    store.set_relation("c", "k", "r1", "in", ("f", "home")).unwrap();
    store.add_tag("c", "k", "team").unwrap();
    store.sync(&server.wire()).unwrap();
    let seen = || {
        let union = "SELECT name || '=' || order_key FROM index_entries UNION ALL
                     SELECT id || ':' || predicate || '>' || object_key FROM relations UNION ALL SELECT tag FROM tags";
        let rows = store.sql(union).run().unwrap();
        rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(seen(), ["by=a", "r1:in>home", "team"]);
    store.set_index("c", "k", "by", "b").unwrap();
    store.set_relation("c", "k", "r1", "of", ("f", "work")).unwrap();
    assert_eq!(seen(), ["by=b", "r1:of>work", "team"]);
    store.delete_index("c", "k", "by").unwrap();
    store.delete_relation("c", "k", "r1").unwrap();
    store.remove_tag("c", "k", "team").unwrap();
    assert_eq!(seen(), Vec::<String>::new());
}

#[test]
fn each_damage_to_resources_has_its_finding() {
    let fleet = Fleet::new();
    let wire = ScriptedWire::new();
    let store = loaded(&fleet, &wire, &["k", "pending"]);
    wire.on_pull_page(vec![
        index_entry(2, foreign(2), "k", "by", Some("b"), 1),
        index_entry(3, foreign(3), "pending", "by", Some("b"), 1),
    ]);
    store.pull(&wire).unwrap();
    store.set_index("c", "pending", "by", "o").unwrap();
    store.set("c", "new", &1).unwrap();
    store.add_tag("c", "new", "t").unwrap();
    sound(&store);
    let mut copies = 0;
    drop(store);
    let mut found = |sql: &str| {
        copies += 1;
        let name = format!("copy{copies}");
        fleet.copy("a", &name);
        let store = fleet.open(&name);
        Connection::open(fleet.path(&name)).unwrap().execute_batch(sql).unwrap();
        let report = store.check().unwrap();
        (report.findings.iter().map(|finding| finding.code).collect::<BTreeSet<_>>(), report)
    };
    // What is retired is not read again, whatever it is.
    let retired = "INSERT INTO collections(id, name, life) VALUES (99, 'c', 2);
                   UPDATE items SET collection = 99 WHERE key = 'k';
                   UPDATE resources SET collection = 99, view = 'x' WHERE key = 'k'";
    assert_eq!(found(retired).0, BTreeSet::new());
    let mut finds = |code: FindingCode, sql: &str| {
        let (codes, report) = found(sql);
        assert_eq!(codes, BTreeSet::from([code]), "{sql}: {report}");
    };
    finds(FindingCode::ResourceItem, "UPDATE resources SET item = 999 WHERE key = 'k'");
    finds(FindingCode::ResourceItem, "UPDATE resources SET key = 'other' WHERE key = 'k'");
    finds(FindingCode::ResourceItem, "UPDATE resources SET collection = 9 WHERE key = 'k'");
    finds(FindingCode::ResourceContent, "UPDATE resources SET kind = 9 WHERE key = 'k'");
    finds(FindingCode::ResourceContent, "UPDATE resources SET kind = 2 WHERE key = 'k'");
    finds(FindingCode::ResourceContent, "UPDATE resources SET kind = 3 WHERE key = 'k'");
    finds(FindingCode::ResourceContent, "UPDATE resources SET name = '' WHERE key = 'k'");
    finds(FindingCode::ResourceContent, "UPDATE resources SET base = '', view = '' WHERE key = 'k'");
    finds(FindingCode::ResourceContent, "UPDATE resources SET base = NULL, view = NULL WHERE key = 'k'");
    finds(FindingCode::ResourceBase, "UPDATE resources SET base = '' WHERE key = 'new'");
    finds(FindingCode::ResourceView, "UPDATE resources SET view = 'x' WHERE key = 'k'");
    finds(FindingCode::ResourceView, "UPDATE resources SET view = NULL WHERE key = 'k'");
    finds(FindingCode::ResourceView, "UPDATE resources SET view = 'x' WHERE key = 'pending'");
    finds(FindingCode::ResourceView, "DELETE FROM resources WHERE key = 'pending'");
    finds(FindingCode::OutboxPayload, "UPDATE outbox SET resource = 9 WHERE name = 't'");
    finds(FindingCode::OutboxPayload, "UPDATE outbox SET name = NULL WHERE name = 'by'");
    finds(FindingCode::OutboxPayload, "UPDATE outbox SET payload = '{}' WHERE name = 'by'");
}

/// Some write to one of a few items; those that the store refuses are none.
fn write_at_random(store: &Store, random: &mut Random) {
    let key = ["a", "b", "c"][random.below(3) as usize];
    let name = ["x", "y"][random.below(2) as usize];
    let order = format!("{}", random.below(5));
    let written = match random.below(12) {
        0 | 1 => store.set("c", key, &json!({"n": order})),
        2 => store.delete("c", key),
        3 => store.patch("c", key, &patch(json!([{"op": "replace", "path": "/n", "value": order}]))),
        4 | 5 => store.set_index("c", key, name, &order),
        6 => store.delete_index("c", key, name),
        7 => store.set_relation("c", key, name, "in", ("c", &order)),
        8 => store.delete_relation("c", key, name),
        9 => store.add_tag("c", key, name),
        10 => store.remove_tag("c", key, name),
        _ => {
            let mut batch = store.batch();
            batch.set("c", key, &json!({"n": "batch"})).unwrap().set_index("c", key, name, &order).unwrap();
            batch.commit().map(|receipt| receipt.ops[0])
        }
    };
    match written {
        Ok(_) | Err(Error::NotFound { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn replicas_that_write_at_random_end_with_what_plain_maps_have() {
    for seed in 0..8 {
        let fleet = Fleet::seeded(seed);
        let server = PlainServer::default();
        let mut random = Random::new(seed);
        let names = ["one", "two", "three"];
        let stores = names.map(|name| fleet.open_with(name, |options| options.coalescing = name != "three"));
        for _ in 0..60 {
            let store = &stores[random.below(2) as usize + random.below(2) as usize];
            match random.below(6) {
                0 => drop(store.sync(&server).unwrap()),
                1 => drop(store.push(&server).unwrap()),
                2 => drop(store.pull(&server).unwrap()),
                _ => write_at_random(store, &mut random),
            }
            sound(store);
        }
        for _ in 0..3 {
            for store in &stores {
                store.sync(&server).unwrap();
            }
        }
        let late = fleet.open_with("late", |options| options.checkpoint_items = 1);
        late.sync(&server).unwrap();
        let items = server.items();
        for store in stores.iter().chain([&late]) {
            assert_eq!(store.pending_count().unwrap(), 0);
            assert_eq!(view(store).len(), items.len(), "seed {seed}");
            for ((collection, key), whole) in &items {
                assert_eq!(
                    store.get_raw(collection, key).unwrap().as_deref(),
                    Some(whole.value.as_str()),
                    "seed {seed}"
                );
                assert_eq!(store.indexes(collection, key).unwrap(), whole.indexes, "seed {seed}");
                assert_eq!(store.relations(collection, key, None).unwrap(), whole.relations(), "seed {seed}");
                assert_eq!(store.tags(collection, key).unwrap(), whole.tags, "seed {seed}");
            }
        }
    }
}
