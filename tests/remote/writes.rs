//! Writes to one item, and what must be so for them.

use crate::office::{office, rejection, value, ways};
use serde_json::json;
use syncstore::protocol::{Code, LimitError};
use syncstore::{Precondition, Remote, RemoteError, RemoteItem};

#[test]
fn each_write_is_done_and_answers_the_items_rev_in_every_format() {
    for options in ways() {
        let office = office();
        let remote = Remote::new(&office.server.url(), "db", options).unwrap();
        let item = remote.item("notes", "n1");
        let revs = [
            item.set(&json!({"title": "Milk", "big": u64::MAX})).unwrap(),
            item.patch_raw(r#"[{"op": "add", "path": "/done", "value": true}]"#).unwrap(),
            item.set_index("by_date", "2026-11-20").unwrap(),
            item.set_index("by_name", "m").unwrap(),
            item.delete_index("by_name").unwrap(),
            item.set_relation("r1", "in", ("folders", "home")).unwrap(),
            item.set_relation("r2", "in", ("folders", "work")).unwrap(),
            item.delete_relation("r2").unwrap(),
            item.add_tag("team:7").unwrap(),
            item.add_tag("team:8").unwrap(),
            item.remove_tag("team:8").unwrap(),
        ];
        assert!(revs.windows(2).all(|pair| pair[0] < pair[1]), "{revs:?}");
        let found = remote.get("notes", "n1").unwrap().unwrap();
        assert_eq!(found.rev, revs[10]);
        assert_eq!(
            found.value.to_value().unwrap(),
            json!({"title": "Milk", "big": u64::MAX, "done": true}),
            "every number as it was"
        );
        assert_eq!(found.indexes.into_iter().collect::<Vec<_>>(), [("by_date".into(), "2026-11-20".into())]);
        assert_eq!((found.relations.len(), found.relations[0].object.key.as_str()), (1, "home"));
        assert_eq!(found.tags, ["team:7"]);
        let gone = item.delete().unwrap();
        assert!(gone > revs[10]);
        assert!(remote.get("notes", "n1").unwrap().is_none());
        assert_eq!(item.delete().unwrap(), 0, "there was nothing to remove");
        item.set_raw(" 1e2 ").unwrap();
        assert_eq!(value(&remote, "notes", "n1"), json!(100.0));
    }
}

#[test]
fn every_name_reaches_the_server_as_it_is() {
    let office = office();
    let remote = office.remote("root");
    let long = "ü".repeat(64);
    let names =
        ["a/b", "%", "%2F", "100%25", ".", "..", "...", "a b", "?q=1#f", "\0\n\u{7f}", "é漢🎈", "+", "data", &long];
    for name in names {
        let item = remote.item(name, name);
        item.set(&name).unwrap();
        item.set_index(name, name).unwrap();
        item.set_relation(name, name, (name, name)).unwrap();
        item.add_tag(name).unwrap();
        let found = remote.get(name, name).unwrap().unwrap();
        assert_eq!(found.value.to::<String>().unwrap(), name);
        assert_eq!(found.indexes[name], name);
        assert_eq!((&*found.relations[0].id, &*found.relations[0].object.collection), (name, name));
        assert_eq!(found.tags, [name]);
    }
    let page = remote.collections(None).unwrap();
    assert_eq!(page.collections.len(), names.len());
    for name in names {
        let item = remote.item(name, name);
        item.delete_index(name).unwrap();
        item.delete_relation(name).unwrap();
        item.remove_tag(name).unwrap();
        let found = remote.get(name, name).unwrap().unwrap();
        assert!(found.indexes.is_empty() && found.relations.is_empty() && found.tags.is_empty(), "{name:?}");
        item.delete().unwrap();
    }
    assert!(remote.collections(None).unwrap().collections.is_empty());
}

type Write = fn(&RemoteItem<'_>) -> Result<u64, RemoteError>;

#[track_caller]
fn unmet(result: Result<u64, RemoteError>) -> u64 {
    match result {
        Err(RemoteError::PreconditionFailed { collection, key, rev }) => {
            assert_eq!((collection.as_str(), key.as_str()), ("notes", "n"));
            rev
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_write_is_done_only_when_its_precondition_is_met() {
    let office = office();
    let remote = office.remote("root");
    let n = |precondition| remote.item("notes", "n").when(precondition);
    assert_eq!(unmet(n(Precondition::Exists).set(&1)), 0);
    assert_eq!(unmet(n(Precondition::Rev(7)).set(&1)), 0);
    let first = n(Precondition::Absent).set(&1).unwrap();
    assert_eq!(unmet(n(Precondition::Absent).set(&2)), first);
    let second = n(Precondition::Rev(first)).set(&2).unwrap();
    let writes: [Write; 9] = [
        |item| item.set(&3),
        |item| item.patch_raw("[]"),
        |item| item.delete(),
        |item| item.set_index("i", "1"),
        |item| item.delete_index("i"),
        |item| item.set_relation("r", "p", ("c", "k")),
        |item| item.delete_relation("r"),
        |item| item.add_tag("t"),
        |item| item.remove_tag("t"),
    ];
    for write in writes {
        assert_eq!(unmet(write(&n(Precondition::Rev(first)))), second);
        assert_eq!(unmet(write(&n(Precondition::Rev(0)))), second);
    }
    let third = n(Precondition::Exists).set(&3).unwrap();
    let tagged = n(Precondition::Absent).add_tag("t").unwrap();
    assert_eq!(unmet(n(Precondition::Absent).add_tag("t")), tagged, "it is about the tag");
    assert_eq!(unmet(n(Precondition::Exists).delete_index("i")), tagged);
    assert!(n(Precondition::Rev(tagged)).set_index("i", "1").unwrap() > third);
    assert_eq!(value(&remote, "notes", "n"), json!(3));
}

#[test]
fn what_needs_an_item_says_that_there_is_none() {
    let office = office();
    let remote = office.remote("root");
    let none = remote.item("notes", "none");
    for result in [
        none.patch_raw("[]"),
        none.set_index("i", "1"),
        none.set_relation("r", "p", ("c", "k")),
        none.add_tag("t"),
        none.clone().when(Precondition::Rev(3)).patch_raw("[]"),
    ] {
        let Err(RemoteError::NotFound { collection, key }) = result else { panic!("{result:?}") };
        assert_eq!((collection.as_str(), key.as_str()), ("notes", "none"));
    }
}

#[test]
fn a_rejection_says_which_item_and_why() {
    let office = office();
    let remote = office.remote("root");
    let item = remote.item("strict", "s");
    let rev = item.set(&json!({"a": 1})).unwrap();

    let stale = rejection(item.set(&2));
    assert_eq!((stale.code, stale.rev), (Code::STALE, Some(rev)));
    assert_eq!((stale.item, stale.failed), (Some(("strict".into(), "s".into())), None));
    item.clone().when(Precondition::Rev(rev)).set(&json!({"a": 2})).unwrap();

    remote.item("notes", "n").set(&json!({"a": 1})).unwrap();
    let patch = r#"[{"op": "test", "path": "/a", "value": 1}, {"op": "remove", "path": "/b/c"}]"#;
    let failed = rejection(remote.item("notes", "n").patch_raw(patch));
    assert_eq!((failed.code, failed.operation, failed.path.as_deref()), (Code::PATCH_FAILED, Some(1), Some("/b/c")));
    let shown = format!("{}", RemoteError::Rejected(Box::new(rejection(remote.item("notes", "n").patch_raw(patch)))));
    assert!(shown.contains(r#"item "n" in collection "notes""#) && shown.contains("patch_failed"), "{shown}");

    office.remote("ada").item("notes", "hers").set(&1).unwrap();
    let taken = rejection(office.remote("bob").item("notes", "hers").set(&2));
    assert_eq!(taken.code, Code::FORBIDDEN);
    let rights = rejection(office.remote("ada").item("notes", "hers").add_tag("user:bob"));
    assert_eq!(rights.code, Code::FORBIDDEN);
}

#[test]
fn what_is_beyond_a_limit_is_told_before_anything_is_sent() {
    let office = office();
    let remote = office.remote("root");
    let (long, fits) = ("x".repeat(129), "x".repeat(128));
    let limit = |result: Result<u64, RemoteError>| assert!(matches!(result, Err(RemoteError::Limit(_))), "{result:?}");
    for name in ["", &long] {
        limit(remote.item(name, "k").set(&1));
        limit(remote.item("c", name).delete());
        let item = remote.item("c", "k");
        limit(item.set_index(name, "1"));
        limit(item.set_index("i", name));
        limit(item.delete_index(name));
        limit(item.set_relation(name, "p", ("c", "k")));
        limit(item.set_relation("r", name, ("c", "k")));
        limit(item.set_relation("r", "p", (name, "k")));
        limit(item.set_relation("r", "p", ("c", name)));
        limit(item.delete_relation(name));
        limit(item.add_tag(name));
        limit(item.remove_tag(name));
        assert!(matches!(remote.get(name, "k"), Err(RemoteError::Limit(_))));
        assert!(matches!(
            remote.tags("c", name),
            Err(RemoteError::Limit(LimitError::Empty { .. } | LimitError::TooLarge { .. }))
        ));
    }
    limit(remote.item("c", "k").set(&"x".repeat((1 << 20) - 1)));
    assert!(matches!(remote.item("c", "k").set_raw("{"), Err(RemoteError::Json(_))));
    assert!(matches!(remote.item("c", "k").set_raw("1e999"), Err(RemoteError::Json(_))));
    assert!(matches!(remote.item("c", "k").patch_raw("{}"), Err(RemoteError::Json(_))));
    assert_eq!(remote.traffic().round_trips, 0);
    remote.item(&fits, &fits).set(&"x".repeat((1 << 20) - 2)).unwrap();
    assert_eq!(remote.traffic().round_trips, 1);
}

#[test]
fn threads_that_share_one_lose_no_change_when_each_asks_for_the_rev_that_it_read() {
    const THREADS: usize = 4;
    const EACH: usize = 10;
    let office = office();
    let remote = office.remote("root");
    let counter = remote.item("counters", "c");
    counter.set(&0).unwrap();
    let count = || {
        for _ in 0..EACH {
            loop {
                let found = remote.get("counters", "c").unwrap().unwrap();
                let next = found.value.to::<usize>().unwrap() + 1;
                match counter.clone().when(Precondition::Rev(found.rev)).set(&next) {
                    Ok(_) => break,
                    Err(RemoteError::PreconditionFailed { rev, .. }) => assert!(rev > found.rev),
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    };
    std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(count))));
    assert_eq!(value(&remote, "counters", "c"), json!(THREADS * EACH));
}
