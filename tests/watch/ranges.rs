//! What is told of a range of an index, or of keys.

use super::{File, deleted, set, told};
use serde_json::json;
use syncstore::{ChangeKind, Changes, Overflow, Store, Watch};

fn declare(store: &Store, field: &str) {
    if store.declare_index("c", "by", field).unwrap() {
        store.build_index("c", "by", &mut |_| {}).unwrap();
    }
}

#[test]
fn a_range_of_an_index_is_told_of_what_comes_leaves_and_changes_within_it() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    declare(&ours, "/n");
    let query = ours.query("c").index("by").from(5).to(10);
    let watchers = [ours.watch(query.watch()).unwrap(), theirs.watch(query.watch()).unwrap()];
    let all = || watchers.each_ref().map(told);
    let value = |n: u32, text: &str| json!({"n": [n, 100], "text": text});
    let expect = |names: &[&str]| {
        let expected: Vec<_> = names.iter().map(|name| set(name)).collect();
        assert_eq!(all(), [expected.clone(), expected]);
    };
    ours.set("c", "out", &value(4, "")).unwrap();
    ours.set("d", "in", &value(5, "")).unwrap();
    expect(&[]);
    ours.set("c", "k", &value(5, "")).unwrap();
    theirs.set("c", "l", &value(9, "")).unwrap();
    expect(&["c/k", "c/l"]);
    theirs.set("c", "k", &value(5, "changed")).unwrap();
    ours.set("c", "l", &value(10, "left")).unwrap();
    ours.set("c", "out", &value(3, "changed")).unwrap();
    expect(&["c/k", "c/l"]);
    ours.set("c", "l", &value(11, "outside")).unwrap();
    theirs.update("c", "out", |value| value["n"] = 7.into()).unwrap();
    expect(&["c/out"]);
    ours.add_tag("c", "out", "tag").unwrap();
    theirs.add_tag("c", "l", "tag").unwrap();
    let resources = ("c/out".to_owned(), ChangeKind::Resources);
    assert_eq!(all(), [vec![resources.clone()], vec![resources]]);
    ours.delete("c", "k").unwrap();
    ours.delete("c", "l").unwrap();
    assert_eq!(all(), [vec![deleted("c/k")], vec![deleted("c/k")]]);
}

#[test]
fn a_range_of_entries_set_by_hand_is_told_of_them() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    let query = ours.query("c").index("by").prefix("a");
    let watchers = [ours.watch(query.watch()).unwrap(), theirs.watch(query.watch()).unwrap()];
    let all = || watchers.each_ref().map(told);
    let both = |name: &str, kind| {
        let change = vec![(name.to_owned(), kind)];
        [change.clone(), change]
    };
    ours.set("c", "k", &1).unwrap();
    ours.set_index("c", "k", "by", "b").unwrap();
    ours.set_index("c", "k", "other", "a").unwrap();
    assert_eq!(all(), [vec![], vec![]]);
    ours.set_index("c", "k", "by", "a1").unwrap();
    assert_eq!(all(), both("c/k", ChangeKind::Resources));
    theirs.set("c", "k", &2).unwrap();
    theirs.set_index("c", "k", "by", "a2").unwrap();
    assert_eq!(all(), both("c/k", ChangeKind::Set));
    theirs.delete_index("c", "k", "by").unwrap();
    assert_eq!(all(), both("c/k", ChangeKind::Resources));
    ours.set("c", "k", &3).unwrap();
    assert_eq!(all(), [vec![], vec![]]);
    let mut batch = ours.batch();
    batch.set("c", "m", &1).unwrap().set_index("c", "m", "by", "a").unwrap();
    batch.commit().unwrap();
    assert_eq!(all(), both("c/m", ChangeKind::Resources), "it came when its entry did");
    // A bound that is no text is for an automatic index alone.
    let numbers = ours.watch(ours.query("c").index("by").from(1).watch()).unwrap();
    ours.set("c", "m", &2).unwrap();
    assert!(numbers.take().unwrap().is_empty());
}

#[test]
fn a_range_of_keys_is_told_like_any_other() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    let query = ours.query("c").from("b").to("d");
    let watchers = [ours.watch(query.watch()).unwrap(), theirs.watch(query.watch()).unwrap()];
    let nothing = ours.watch(ours.query("c").from(1).watch()).unwrap();
    for key in ["a", "b", "c", "cz", "d", "e"] {
        ours.set("c", key, &1).unwrap();
        ours.set("d", key, &1).unwrap();
    }
    let expected = vec![set("c/b"), set("c/c"), set("c/cz")];
    assert_eq!(watchers.each_ref().map(told), [expected.clone(), expected]);
    assert!(nothing.take().unwrap().is_empty());
}

#[test]
fn an_index_that_becomes_another_says_to_look_again() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    ours.set("c", "k", &json!({"n": 1, "m": 2})).unwrap();
    let watchers = [&ours, &theirs].map(|store| store.watch(ours.query("c").index("by").watch()).unwrap());
    let bystanders = [&ours, &theirs].map(|store| store.watch(Watch::collection("c")).unwrap());
    let others =
        [("c", "other"), ("d", "by")].map(|(c, index)| ours.watch(ours.query(c).index(index).watch()).unwrap());
    let looked_again = || {
        let taken = watchers.each_ref().map(|watcher| watcher.take().unwrap());
        assert!(bystanders.iter().chain(&others).all(|watcher| watcher.take().unwrap().is_empty()));
        taken.map(|changes| changes == Changes::Overflowed(Overflow::Reindexed))
    };
    assert!(ours.declare_index("c", "by", "/n").unwrap());
    assert_eq!(looked_again(), [true, true]);
    theirs.build_index("c", "by", &mut |_| {}).unwrap();
    assert_eq!(looked_again(), [true, true]);
    theirs.build_index("c", "by", &mut |_| {}).unwrap();
    assert!(!ours.declare_index("c", "by", "/n").unwrap());
    assert_eq!(looked_again(), [false, false]);
    // What the new field says counts from then on, in either store.
    declare(&theirs, "/m");
    assert_eq!(looked_again(), [true, true]);
    let range = ours.watch(ours.query("c").index("by").from(5).watch()).unwrap();
    theirs.update("c", "k", |value| value["n"] = 9.into()).unwrap();
    assert!(range.take().unwrap().is_empty());
    ours.update("c", "k", |value| value["m"] = 9.into()).unwrap();
    assert_eq!(told(&range), [set("c/k")]);
    assert!(ours.drop_index("c", "by").unwrap());
    assert_eq!(range.take().unwrap(), Changes::Overflowed(Overflow::Reindexed));
}

#[test]
fn with_more_than_another_store_looks_through_a_range_is_told_of_all_of_its_collection() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    declare(&ours, "/n");
    let ranges: Vec<_> =
        (0..80).map(|n| ours.watch(ours.query("c").index("by").from(n).to(n + 1).watch()).unwrap()).collect();
    theirs.set("c", "k", &json!({"n": 3})).unwrap();
    theirs.set("d", "k", &json!({"n": 3})).unwrap();
    assert!(ranges.iter().all(|range| told(range) == [set("c/k")]));
    ours.set("c", "k", &json!({"n": 4})).unwrap();
    let told: Vec<bool> = ranges.iter().map(|range| !range.take().unwrap().is_empty()).collect();
    assert_eq!((0..80).filter(|n| told[*n]).collect::<Vec<_>>(), [3, 4], "its own it knows");
    theirs.drop_index("c", "by").unwrap();
    let again = Changes::Overflowed(Overflow::Reindexed);
    assert!(ranges.iter().all(|range| range.take().unwrap() == again));
}
