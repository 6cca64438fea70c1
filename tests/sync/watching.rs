//! What a watcher is told of a sync.

use crate::support::scripted::{accept_all, as_sent_entry, delete_entry, foreign, item, rejected_entry, set_entry};
use crate::support::{Fleet, ScriptedWire, Server, get};
use serde_json::json;
use syncstore::protocol::{Code, Entry, OpKind, Ref};
use syncstore::{ChangeKind, Changes, Filter, ItemChange, Origin, Overflow, SearchQuery, Store, Watch, Watcher};
use syncstore_server::service::{Caller, Tags};

fn told(watcher: &Watcher) -> Vec<ItemChange> {
    match watcher.take().unwrap() {
        Changes::Items(items) => items,
        overflowed => panic!("{overflowed:?}"),
    }
}

/// A replica of an empty database.
fn synced(fleet: &Fleet) -> Store {
    let store = fleet.open("a");
    store.sync(&ScriptedWire::new()).unwrap();
    store
}

#[test]
fn what_others_did_is_told_with_their_refs_and_only_what_is_watched() {
    let fleet = Fleet::new();
    let store = synced(&fleet);
    let watcher = store.watch(Watch::prefix("c", "k")).unwrap();
    let wire = ScriptedWire::new();
    wire.on_pull_page(vec![
        set_entry(1, foreign(1), "c", "k1", json!(1), 0),
        set_entry(2, foreign(2), "c", "other", json!(1), 0),
        set_entry(3, foreign(3), "c", "k2", json!(1), 0),
        set_entry(4, foreign(4), "c", "k1", json!(2), 1),
    ]);
    store.sync(&wire).unwrap();
    let changes = told(&watcher);
    assert_eq!(changes.iter().map(|change| change.key.as_str()).collect::<Vec<_>>(), ["k1", "k2"]);
    assert_eq!(changes.iter().map(|change| change.op_ref).collect::<Vec<_>>(), [Some(foreign(4)), Some(foreign(3))]);
    assert!(changes.iter().all(|change| (change.origin, change.kind) == (Origin::Remote, ChangeKind::Set)));
    let wire = ScriptedWire::new();
    wire.on_pull_page(vec![
        delete_entry(5, foreign(5), "c", "k1", 4),
        set_entry(6, foreign(6), "c", "k2", json!(1), 3),
    ]);
    store.sync(&wire).unwrap();
    let changes = told(&watcher);
    assert_eq!((changes[0].kind, changes.len()), (ChangeKind::Deleted, 1), "the same value again is no change");
}

#[test]
fn the_own_ops_that_come_back_as_they_were_sent_change_nothing() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    let watcher = store.watch(Watch::all()).unwrap();
    let made = store.set("c", "k", &1).unwrap();
    assert_eq!(told(&watcher)[0].op_ref, Some(made));
    store.sync(&server.wire()).unwrap();
    assert!(store.pending().unwrap().is_empty());
    assert!(watcher.take().unwrap().is_empty());
}

#[test]
fn index_entries_relations_and_tags_are_told_as_such_under_their_own_ops() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set("c", "k", &1).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let watcher = ours.watch(Watch::all()).unwrap();
    let others = fleet.open("a");
    let other = others.watch(Watch::key("c", "k")).unwrap();
    let expect = |op, origin, kind| {
        for watcher in [&watcher, &other] {
            let changes = told(watcher);
            assert_eq!(changes.len(), 1);
            assert_eq!((changes[0].op_ref, changes[0].origin, changes[0].kind), (Some(op), origin, kind));
        }
    };
    expect_each(&ours, |op| expect(op, Origin::Local, ChangeKind::Resources));
    ours.set_index("c", "k", "by", "b").unwrap();
    ours.delete_index("c", "k", "none").unwrap();
    ours.add_tag("c", "k", "team").unwrap();
    assert!(watcher.take().unwrap().is_empty() && other.take().unwrap().is_empty(), "as they were");
    ours.sync(&server.wire()).unwrap();
    assert!(ours.pending().unwrap().is_empty() && watcher.take().unwrap().is_empty());
    let op = theirs.set_index("c", "k", "other", "b").unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.sync(&server.wire()).unwrap();
    assert_eq!(ours.indexes("c", "k").unwrap()["other"], "b");
    expect(op, Origin::Remote, ChangeKind::Resources);
    // With the value it is one change, under the op that changed that.
    let op = theirs.set("c", "k", &2).unwrap();
    theirs.set_index("c", "k", "other", "c").unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.set_index("c", "k", "by", "c").unwrap();
    ours.sync(&server.wire()).unwrap();
    expect(op, Origin::Remote, ChangeKind::Set);
    let op = theirs.delete("c", "k").unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.sync(&server.wire()).unwrap();
    expect(op, Origin::Remote, ChangeKind::Deleted);
}

/// Writes one resource after the other.
fn expect_each(store: &Store, told: impl Fn(Ref)) {
    told(store.set_index("c", "k", "by", "a").unwrap());
    told(store.set_index("c", "k", "by", "b").unwrap());
    told(store.set_relation("c", "k", "r1", "in", ("f", "home")).unwrap());
    told(store.add_tag("c", "k", "team").unwrap());
    told(store.delete_relation("c", "k", "r1").unwrap());
}

#[test]
fn an_item_that_may_not_be_seen_any_more_is_told_as_revoked_and_not_as_deleted() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let tags = Tags::Only(["team".to_owned()].into());
    let bob = Caller { user: "bob".into(), tags, grant: vec!["team".into()] };
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    for key in ["taken", "deleted", "given up"] {
        theirs.set("c", key, &1).unwrap();
        theirs.add_tag("c", key, "team").unwrap();
    }
    theirs.sync(&server.wire()).unwrap();
    ours.sync(&server.wire_of(bob.clone())).unwrap();
    assert_eq!(ours.list("c", &Default::default()).unwrap().len(), 3);
    let watcher = ours.watch(Watch::all()).unwrap();
    let others = fleet.open("a");
    let other = others.watch(Watch::all()).unwrap();
    let taken = theirs.remove_tag("c", "taken", "team").unwrap();
    let deleted = theirs.delete("c", "deleted").unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.sync(&server.wire_of(bob.clone())).unwrap();
    for watcher in [&watcher, &other] {
        let mut changes = told(watcher);
        changes.sort_by(|a, b| b.key.cmp(&a.key));
        let kinds: Vec<_> = changes.iter().map(|change| (change.key.as_str(), change.kind, change.op_ref)).collect();
        let expected = [("taken", ChangeKind::Revoked, Some(taken)), ("deleted", ChangeKind::Deleted, Some(deleted))];
        assert_eq!(kinds, expected);
        assert!(changes.iter().all(|change| change.origin == Origin::Remote));
    }
    // By an own op: a local change of its tags, and then it is gone.
    let op = ours.remove_tag("c", "given up", "team").unwrap();
    assert_eq!(told(&watcher)[0].kind, ChangeKind::Resources);
    ours.sync(&server.wire_of(bob)).unwrap();
    let changes = told(&watcher);
    assert_eq!((changes[0].kind, changes[0].op_ref), (ChangeKind::Revoked, Some(op)));
    assert_eq!(get(&ours, "c", "given up"), None);
}

#[test]
fn a_credential_that_sees_less_than_before_is_told_as_reloaded_and_nothing_more_is_read_of_what_it_saw() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let bob = |tags: &[&str]| {
        let tags = Tags::Only(tags.iter().map(|tag| (*tag).to_owned()).collect());
        server.wire_of(Caller { user: "bob".into(), tags, grant: vec!["team".into()] })
    };
    let theirs = fleet.open("b");
    for (key, tag) in [("stays", "team"), ("taken", "board")] {
        theirs.set("c", key, &json!({"title": "milk", "n": 1})).unwrap();
        theirs.set_index("c", key, "set", "1").unwrap();
        theirs.set_relation("c", key, "r1", "in", ("c", "folder")).unwrap();
        theirs.add_tag("c", key, tag).unwrap();
    }
    theirs.sync(&server.wire()).unwrap();
    let (ours, other) = (fleet.open("a"), fleet.open("a"));
    ours.declare_search("words", "c", &["/title"]).unwrap();
    ours.build_search("words", &mut |_| {}).unwrap();
    ours.declare_index("c", "by", "/n").unwrap();
    ours.build_index("c", "by", &mut |_| {}).unwrap();
    ours.sync(&bob(&["team", "board"])).unwrap();
    let read = |store: &Store| {
        let rows = ["by", "set"].map(|index| store.query("c").index(index).run().unwrap());
        let mut read: Vec<String> = rows.iter().flat_map(|rows| rows.iter().map(|row| row.key.to_owned())).collect();
        let found = store.search("words", &SearchQuery::words("milk")).unwrap();
        let mut found: Vec<_> = found.hits.into_iter().map(|hit| hit.key).collect();
        found.sort();
        read.extend(found);
        read.extend(store.relations_to("c", "folder", None).unwrap().into_iter().map(|relation| relation.key));
        for view in ["items", "index_entries", "automatic_entries", "relations", "tags"] {
            let rows = store.sql(format!("SELECT key FROM {view} ORDER BY key")).run().unwrap();
            read.extend(rows.iter().map(|row| row[0].as_str().unwrap().to_owned()));
        }
        read
    };
    let watchers = [&ours, &other].map(|store| (store, store.watch(Watch::all()).unwrap()));
    assert_eq!([&ours, &other].map(read), [(); 2].map(|()| ["stays", "taken"].repeat(9)));
    assert_eq!(get(&ours, "c", "taken"), Some(json!({"title": "milk", "n": 1})));
    for _ in 0..2 {
        ours.sync(&bob(&["team"])).unwrap();
    }
    for (store, watcher) in &watchers {
        assert_eq!(watcher.take().unwrap(), Changes::Overflowed(Overflow::Reloaded));
        assert!(watcher.take().unwrap().is_empty(), "once");
        assert_eq!((get(store, "c", "taken"), read(store)), (None, vec!["stays".to_owned(); 9]));
    }
    // And what happens then is told item by item again.
    theirs.set("c", "stays", &json!({"title": "bread"})).unwrap();
    theirs.set("c", "taken", &json!({"title": "bread"})).unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.sync(&bob(&["team"])).unwrap();
    for (_, watcher) in &watchers {
        assert_eq!(told(watcher).into_iter().map(|change| change.key).collect::<Vec<_>>(), ["stays"]);
    }
}

#[test]
fn a_range_of_an_index_is_told_of_what_a_sync_brings_into_it_out_of_it_and_within_it() {
    let fleet = Fleet::new();
    let (store, others) = (synced(&fleet), fleet.open("a"));
    store.declare_index("c", "by", "/n").unwrap();
    store.build_index("c", "by", &mut |_| {}).unwrap();
    let range = |store: &Store, index: &str| {
        let query = store.query("c").index(index);
        let query = if index == "by" { query.from(5).to(10) } else { query.from("5").to("6") };
        store.watch(query.watch()).unwrap()
    };
    let watchers = [range(&store, "by"), range(&others, "by"), range(&store, "set"), range(&others, "set")];
    let names = |watcher: &Watcher| {
        told(watcher).iter().map(|change| format!("{} {:?}", change.key, change.kind)).collect::<Vec<_>>().join(", ")
    };
    let all = || watchers.iter().map(names).collect::<Vec<_>>();
    let set = |seq, key: &str, n: i64, from| set_entry(seq, foreign(seq), "c", key, json!({"n": n}), from);
    let order = |seq, key: &str, order: &str, from| Entry {
        index: Some("set".into()),
        order: Some(order.into()),
        value: None,
        ..set_entry(seq, foreign(seq), "c", key, json!(0), from)
    };
    let pull = |entries: Vec<Entry>| {
        let wire = ScriptedWire::new();
        wire.on_pull_page(entries);
        store.pull(&wire).unwrap();
    };
    pull(vec![set(1, "in", 5, 0), set(2, "out", 10, 0), set(3, "leaves", 7, 0), set(4, "comes", 1, 0)]);
    assert_eq!(all(), ["in Set, leaves Set", "in Set, leaves Set", "", ""]);
    pull(vec![set(5, "in", 6, 1), set(6, "out", 11, 2), set(7, "leaves", 4, 3), set(8, "comes", 9, 4)]);
    assert_eq!(all(), ["comes Set, in Set, leaves Set", "comes Set, in Set, leaves Set", "", ""]);
    pull(vec![order(9, "in", "5", 5), order(10, "out", "6", 6), order(11, "leaves", "55", 7)]);
    let expected = "in Resources, leaves Resources";
    assert_eq!(all(), ["in Resources", "in Resources", expected, expected]);
    pull(vec![order(12, "leaves", "7", 11), delete_entry(13, foreign(13), "c", "in", 9)]);
    let expected = "in Deleted, leaves Resources";
    assert_eq!(all(), ["in Deleted", "in Deleted", expected, expected]);
}

#[test]
fn a_rejection_that_reverts_the_view_is_a_remote_change_under_the_rejected_ref() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    theirs.set("careful", "k", &"theirs").unwrap();
    theirs.sync(&server.wire()).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.set("careful", "k", &"theirs again").unwrap();
    theirs.sync(&server.wire()).unwrap();
    let watcher = ours.watch(Watch::key("careful", "k")).unwrap();
    let op = ours.set("careful", "k", &"ours").unwrap();
    assert_eq!(told(&watcher)[0].origin, Origin::Local);
    ours.push(&server.wire()).unwrap();
    ours.pull(&server.wire()).unwrap();
    assert_eq!(get(&ours, "careful", "k"), Some(json!("theirs again")));
    let changes = told(&watcher);
    assert_eq!((changes[0].origin, changes[0].kind, changes.len()), (Origin::Remote, ChangeKind::Set, 1));
    assert_eq!(changes[0].op_ref, Some(op));
    let why = ours.sql("SELECT code, key, op, payload FROM ledger WHERE outcome = 'rejected'").run().unwrap();
    assert_eq!(why.get(0).unwrap(), ["stale".into(), "k".into(), "set".into(), "\"ours\"".into()]);
}

#[test]
fn a_new_item_that_is_rejected_is_deleted_again() {
    let fleet = Fleet::new();
    let store = synced(&fleet);
    let watcher = store.watch(Watch::all()).unwrap();
    let op = store.set("c", "k", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| Ok(accept_all(request, 1)));
    wire.on_pull_page(vec![rejected_entry(1, op, Code::POLICY, "no")]);
    store.sync(&wire).unwrap();
    let changes = told(&watcher);
    assert_eq!(
        (changes[0].kind, changes[0].origin, changes[0].op_ref),
        (ChangeKind::Deleted, Origin::Remote, Some(op))
    );
    assert_eq!(changes.len(), 1);
}

#[test]
fn a_pending_op_hides_what_others_did_and_nothing_is_told() {
    let fleet = Fleet::new();
    let store = synced(&fleet);
    let op = store.set("c", "k", &"ours").unwrap();
    let watcher = store.watch(Watch::all()).unwrap();
    let wire = ScriptedWire::new();
    wire.on_pull_page(vec![set_entry(1, foreign(1), "c", "k", json!("theirs"), 0)]);
    store.pull(&wire).unwrap();
    assert_eq!(get(&store, "c", "k"), Some(json!("ours")));
    assert!(watcher.take().unwrap().is_empty(), "what is read is the same");
    let wire = ScriptedWire::new();
    wire.on_push(|request| Ok(accept_all(request, 2)));
    wire.on_pull_page(vec![as_sent_entry(2, op, OpKind::Set, "c", "k", 1)]);
    store.sync(&wire).unwrap();
    assert!(store.pending().unwrap().is_empty() && watcher.take().unwrap().is_empty());
}

#[test]
fn a_checkpoint_that_is_swapped_in_says_to_look_at_everything_again() {
    let fleet = Fleet::new();
    let (store, other) = (fleet.open("a"), fleet.open("a"));
    let (ours, theirs) = (store.watch(Watch::key("c", "k")).unwrap(), other.watch(Watch::all()).unwrap());
    store.set("c", "k", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_checkpoint_items(5, vec![item("c", "x", json!(1), 5)]);
    wire.on_push(|request| Ok(accept_all(request, 6)));
    store.sync(&wire).unwrap();
    for watcher in [&ours, &theirs] {
        assert_eq!(watcher.take().unwrap(), Changes::Overflowed(Overflow::Reloaded));
        assert!(watcher.take().unwrap().is_empty());
    }
}

#[test]
fn what_is_not_kept_any_more_is_told_as_reloaded_and_nothing_is_where_nothing_goes() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let wire = ScriptedWire::new();
    wire.on_checkpoint_items(5, vec![item("c", "x", json!(1), 5), item("d", "x", json!(1), 5)]);
    store.sync(&wire).unwrap();
    let watcher = store.watch(Watch::all()).unwrap();
    let keeps = |keep: &str| {
        store.keep(&Filter::parse(keep).unwrap()).unwrap();
        wire.on_checkpoint_items(5, Vec::new());
        (store.pull(&wire).unwrap().removed, watcher.take().unwrap())
    };
    assert_eq!(keeps("c"), (1, Changes::Overflowed(Overflow::Reloaded)));
    let (removed, told) = keeps("c:x");
    assert!(removed == 0 && told.is_empty(), "{told:?}");
}

#[test]
fn what_another_stores_sync_brought_is_told_as_remote() {
    let fleet = Fleet::new();
    let store = synced(&fleet);
    let watching = fleet.open("a");
    let watcher = watching.watch(Watch::all()).unwrap();
    let wire = ScriptedWire::new();
    wire.on_pull_page(vec![set_entry(1, foreign(1), "c", "k", json!(1), 0)]);
    store.sync(&wire).unwrap();
    let changes = told(&watcher);
    assert_eq!((changes[0].origin, changes[0].op_ref, changes.len()), (Origin::Remote, Some(foreign(1)), 1));
}
