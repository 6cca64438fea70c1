//! Replicas and callers without one write to the same items.

use crate::office::{office, value};
use serde_json::{Value, json};
use syncstore::{Options, Outcome, Precondition, RemoteError, Store};

#[test]
fn a_replica_pulls_what_was_written_without_one_and_the_other_way_round() {
    let office = office();
    let (remote, wire) = (office.remote("root"), office.wire("root"));
    let store = Store::open(office.dir.path().join("r.db"), Options::default()).unwrap();
    let item = remote.item("notes", "n/1");
    item.set(&json!({"title": "Milk"})).unwrap();
    item.set_index("i", "1").unwrap();
    item.set_relation("r", "in", ("folders", "f")).unwrap();
    item.add_tag("team:7").unwrap();
    let mut batch = remote.batch();
    batch.item("pairs", "a").set(&1).unwrap();
    batch.item("pairs", "b").set(&2).unwrap();
    batch.commit().unwrap();
    store.sync(&wire).unwrap();
    assert_eq!(store.get::<Value>("notes", "n/1").unwrap(), Some(json!({"title": "Milk"})));
    assert_eq!(store.indexes("notes", "n/1").unwrap()["i"], "1");
    assert_eq!(store.relations("notes", "n/1", None).unwrap()[0].object.key, "f");
    assert_eq!(store.tags("notes", "n/1").unwrap(), ["team:7"]);
    assert_eq!(store.get::<u32>("pairs", "b").unwrap(), Some(2));

    store.update("notes", "n/1", |note| note["done"] = true.into()).unwrap();
    store.delete("pairs", "a").unwrap();
    store.set("own", "o", &3).unwrap();
    store.sync(&wire).unwrap();
    let found = remote.get("notes", "n/1").unwrap().unwrap();
    assert_eq!(found.value.to_value().unwrap(), json!({"title": "Milk", "done": true}));
    assert!(remote.get("pairs", "a").unwrap().is_none());
    assert_eq!(value(&remote, "own", "o"), json!(3));

    item.clone().when(Precondition::Rev(found.rev)).delete().unwrap();
    store.sync(&wire).unwrap();
    assert_eq!(store.get::<Value>("notes", "n/1").unwrap(), None);
    assert!(store.check().unwrap().findings.is_empty());
}

#[test]
fn who_comes_second_learns_of_it() {
    let office = office();
    let (remote, wire) = (office.remote("root"), office.wire("root"));
    let store = Store::open(office.dir.path().join("r.db"), Options::default()).unwrap();
    let rev = remote.item("strict", "s").set(&1).unwrap();
    store.sync(&wire).unwrap();
    store.set("strict", "s", &2).unwrap();
    store.sync(&wire).unwrap();
    let unmet = remote.item("strict", "s").when(Precondition::Rev(rev)).set(&3);
    let Err(RemoteError::PreconditionFailed { rev, .. }) = unmet else { panic!("{unmet:?}") };
    let late = store.set("strict", "s", &4).unwrap();
    remote.item("strict", "s").when(Precondition::Rev(rev)).set(&5).unwrap();
    store.sync(&wire).unwrap();
    let outcome = store.outcome(late).unwrap().unwrap();
    assert!(matches!(&outcome, Outcome::Rejected(rejection) if rejection.code.as_str() == "stale"), "{outcome:?}");
    assert_eq!(store.get::<u32>("strict", "s").unwrap(), Some(5));
}
