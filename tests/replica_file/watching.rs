use crate::process::{self, Part, was_killed};
use rusqlite::Connection;
use std::collections::BTreeSet;
use syncstore::{Changes, Options, Store, Watch};

pub fn watch_part() {
    let store = Store::open(process::setting("FILE"), Options::default()).unwrap();
    let watcher = store.watch(Watch::collection("parent")).unwrap();
    process::tell("watching");
    loop {
        process::listen();
        match watcher.take().unwrap() {
            Changes::Items(items) => process::tell(&items.len().to_string()),
            overflowed => process::tell(&format!("{overflowed:?}")),
        }
    }
}

#[test]
fn what_another_process_writes_is_told_and_a_killed_watcher_costs_nothing_for_long() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    let store = Store::open(&path, Options::default()).unwrap();
    let trail = || -> i64 {
        Connection::open(&path).unwrap().query_row("SELECT max(id) FROM changes", [], |row| row.get(0)).unwrap()
    };
    let mut part = Part::new("watch").set("FILE", &path).start();
    assert_eq!(part.hear().as_deref(), Some("watching"));
    let write = |count: u32| {
        for n in 0..count {
            store.set("parent", &n.to_string(), &fresh(n)).unwrap();
        }
    };
    write(30);
    part.say("take");
    assert_eq!(part.hear().as_deref(), Some("30"));
    assert_eq!(trail(), 31);
    assert!(was_killed(part.killer().kill()));
    write(100);
    let left = trail();
    write(100);
    assert_eq!(trail(), left, "a trail that nobody can read");
}

/// Another value each time.
fn fresh(n: u32) -> String {
    format!("{n} {:?}", std::time::Instant::now())
}

#[test]
fn a_watcher_sees_every_item_that_another_process_writes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    let store = Store::open(&path, Options::default()).unwrap();
    store.set("shared", "count", &serde_json::json!({"child": 0, "parent": 0})).unwrap();
    let watcher = store.watch(Watch::all()).unwrap();
    let mut part = Part::new("write").set("FILE", &path).start();
    assert_eq!(part.hear().as_deref(), Some("ready"));
    part.say("go");
    let mut seen = BTreeSet::new();
    let mut take = || match watcher.take().unwrap() {
        Changes::Items(items) => seen.extend(items.into_iter().map(|item| (item.collection, item.key))),
        overflowed => panic!("{overflowed:?}"),
    };
    for n in 0..50 {
        store.set("parent", &n.to_string(), &n).unwrap();
        take();
    }
    assert!(part.finish().1.success());
    take();
    let expected = store.sql("SELECT collection, key FROM items").run().unwrap();
    let text = |value: &syncstore::SqlValue| value.as_str().unwrap().to_owned();
    assert_eq!(seen, expected.iter().map(|row| (text(&row[0]), text(&row[1]))).collect());
}
