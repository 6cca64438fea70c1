//! Writes that are all done, or none.

use crate::office::{office, rejection, value, ways};
use serde_json::json;
use syncstore::protocol::Code;
use syncstore::{Remote, RemoteError};

#[test]
fn a_batch_does_each_kind_of_write_in_order() {
    for options in ways() {
        let office = office();
        let remote = Remote::new(&office.server.url(), "db", options).unwrap();
        let mut batch = remote.batch();
        batch.item("notes", "n").set(&json!({"a": null})).unwrap();
        let patch = serde_json::from_str(r#"[{"op": "add", "path": "/b", "value": [1]}]"#).unwrap();
        batch.item("notes", "n").patch(&patch).unwrap();
        batch.item("notes", "n").set_index("i", "1").unwrap();
        batch.item("notes", "n").set_index("j", "2").unwrap();
        batch.item("notes", "n").delete_index("j").unwrap();
        batch.item("notes", "n").set_relation("r", "in", ("f", "1")).unwrap();
        batch.item("notes", "n").set_relation("s", "in", ("f", "2")).unwrap();
        batch.item("notes", "n").delete_relation("s").unwrap();
        batch.item("notes", "n").add_tag("t").unwrap();
        batch.item("notes", "n").add_tag("u").unwrap();
        batch.item("notes", "n").remove_tag("u").unwrap();
        batch.item("notes", "m").set(&1).unwrap();
        batch.item("notes", "m").delete().unwrap();
        let revs = batch.commit().unwrap();
        assert_eq!(revs.len(), 13);
        let found = remote.get("notes", "n").unwrap().unwrap();
        assert_eq!((found.rev, found.value.to_value().unwrap()), (revs[10], json!({"a": null, "b": [1]})));
        assert_eq!((found.indexes.len(), found.relations.len(), found.tags), (1, 1, vec!["t".to_owned()]));
        assert!(remote.get("notes", "m").unwrap().is_none());
    }
}

#[test]
fn a_batch_with_one_write_at_fault_does_nothing_and_says_which() {
    let office = office();
    let remote = office.remote("root");
    let rev = remote.item("strict", "s").set(&1).unwrap();
    remote.item("strict", "s").when(syncstore::Precondition::Rev(rev)).set(&2).unwrap();
    let mut batch = remote.batch();
    batch.item("notes", "n").set(&1).unwrap();
    batch.item("strict", "s").base(rev).set(&3).unwrap();
    let stale = rejection(batch.commit());
    assert_eq!((stale.failed, stale.code), (Some(1), Code::STALE));
    assert_eq!(stale.item, Some(("strict".into(), "s".into())));
    assert!(remote.get("notes", "n").unwrap().is_none());

    let mut batch = remote.batch();
    batch.item("notes", "n").set(&1).unwrap();
    batch.item("notes", "absent").add_tag("t").unwrap();
    let missing = rejection(batch.commit());
    assert_eq!((missing.failed, missing.code.clone()), (Some(1), Code::NOT_FOUND));
    assert!(missing.to_string().contains("write 1 of the batch"), "{missing}");
    // A refused batch leaves not even its refs: it may be committed again once it can be done.
    remote.item("notes", "absent").set(&0).unwrap();
    assert_eq!(batch.commit().unwrap().len(), 2);
}

#[test]
fn a_batch_committed_twice_is_done_once() {
    let office = office();
    let remote = office.remote("root");
    remote.item("lists", "l").set(&json!([])).unwrap();
    let mut batch = remote.batch();
    let append = serde_json::from_str(r#"[{"op": "add", "path": "/-", "value": 1}]"#).unwrap();
    batch.item("lists", "l").patch(&append).unwrap();
    batch.item("lists", "l").patch(&append).unwrap();
    let revs = batch.commit().unwrap();
    assert_eq!(batch.commit().unwrap(), revs);
    assert_eq!(value(&remote, "lists", "l"), json!([1, 1]));
}

#[test]
fn a_batch_keeps_to_its_limits_and_an_empty_one_sends_nothing() {
    let office = office();
    let remote = office.remote("root");
    assert_eq!(remote.batch().commit().unwrap(), [0; 0]);
    let mut batch = remote.batch();
    let large = "x".repeat((1 << 20) - 2);
    for n in 0..7 {
        batch.item("c", &n.to_string()).set(&large).unwrap();
    }
    assert!(matches!(batch.item("c", "8").set(&large), Err(RemoteError::Limit(_))));
    assert!(matches!(batch.item("", "8").set(&1), Err(RemoteError::Limit(_))));
    assert_eq!(batch.len(), 7);
    let mut many = remote.batch();
    for _ in 0..10_000 {
        many.item("c", "k").delete().unwrap();
    }
    assert!(matches!(many.item("c", "k").delete(), Err(RemoteError::Limit(_))));
    assert_eq!(remote.traffic().round_trips, 0);
    assert_eq!(batch.commit().unwrap().len(), 7);
}
