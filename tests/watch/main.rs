//! Watchers: what local writes tell, of one store and of several on one file.

mod destructors;
mod ranges;

use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use syncstore::{ChangeKind, Changes, ItemChange, Options, Origin, Overflow, Ref, Store, Watch, Watcher};
use tempfile::TempDir;

struct File {
    _dir: TempDir,
    path: PathBuf,
}

impl File {
    fn new() -> File {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        File { _dir: dir, path }
    }

    fn open(&self) -> Store {
        Store::open(&self.path, Options::default()).unwrap()
    }
}

fn items(watcher: &Watcher) -> Vec<ItemChange> {
    match watcher.take().unwrap() {
        Changes::Items(items) => items,
        overflowed => panic!("{overflowed:?}"),
    }
}

/// The names and kinds alone.
fn told(watcher: &Watcher) -> Vec<(String, ChangeKind)> {
    items(watcher).into_iter().map(|item| (format!("{}/{}", item.collection, item.key), item.kind)).collect()
}

fn set(name: &str) -> (String, ChangeKind) {
    (name.to_owned(), ChangeKind::Set)
}

fn deleted(name: &str) -> (String, ChangeKind) {
    (name.to_owned(), ChangeKind::Deleted)
}

fn trail(path: &Path) -> i64 {
    Connection::open(path).unwrap().query_row("SELECT count(*) FROM changes", [], |row| row.get(0)).unwrap()
}

#[test]
fn each_write_is_told_once_with_its_ref() {
    let file = File::new();
    let store = file.open();
    store.set("c", "before", &1).unwrap();
    let watcher = store.watch(Watch::all()).unwrap();
    assert!(watcher.take().unwrap().is_empty());
    let made = store.set("c", "k", &1).unwrap();
    let change = &items(&watcher)[0];
    assert_eq!((change.collection.as_str(), change.key.as_str()), ("c", "k"));
    assert_eq!((change.kind, change.origin, change.op_ref), (ChangeKind::Set, Origin::Local, Some(made)));
    assert!(watcher.take().unwrap().is_empty());
    store.patch_raw("c", "before", r#"[{"op": "replace", "path": "", "value": 2}]"#).unwrap();
    assert_eq!(told(&watcher), [set("c/before")]);
    store.delete("c", "before").unwrap();
    assert_eq!(told(&watcher), [deleted("c/before")]);
}

#[test]
fn a_store_that_begins_to_watch_again_and_again_keeps_no_more_of_the_trail_than_any() {
    let file = File::new();
    let store = file.open();
    drop(store.watch(Watch::all()).unwrap());
    // As many watchers that have come and gone.
    let begun = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 4200)
        INSERT INTO changes(store, kind, remote) SELECT 0, 3, 0 FROM n";
    Connection::open(&file.path).unwrap().execute(begun, []).unwrap();
    for _ in 0..256 {
        drop(store.watch(Watch::all()).unwrap());
    }
    assert!(trail(&file.path) <= 4_096 + 128, "{}", trail(&file.path));
    let watcher = store.watch(Watch::all()).unwrap();
    store.set("c", "k", &1).unwrap();
    assert_eq!(told(&watcher), [set("c/k")]);
}

#[test]
fn a_batch_is_told_whole_and_items_once_in_the_order_of_their_first_change() {
    let file = File::new();
    let store = file.open();
    let watcher = store.watch(Watch::collection("c")).unwrap();
    let mut batch = store.batch();
    batch.set("c", "b", &1).unwrap().set("c", "a", &1).unwrap().set("c", "b", &2).unwrap();
    let receipt = batch.commit().unwrap();
    let changes = items(&watcher);
    let told: Vec<(&str, Option<Ref>)> = changes.iter().map(|item| (item.key.as_str(), item.op_ref)).collect();
    assert_eq!(told, [("b", Some(receipt.ops[2])), ("a", Some(receipt.ops[1]))]);
    store.set("c", "x", &1).unwrap();
    store.set("c", "y", &1).unwrap();
    store.delete("c", "x").unwrap();
    assert_eq!(self::told(&watcher), [deleted("c/x"), set("c/y")]);
}

#[test]
fn what_changes_nothing_is_not_told() {
    let file = File::new();
    let store = file.open();
    store.set("c", "k", &1).unwrap();
    let watcher = store.watch(Watch::all()).unwrap();
    store.set("c", "k", &1).unwrap();
    store.delete("c", "never").unwrap();
    store.patch_raw("c", "k", r#"[{"op": "test", "path": "", "value": 1}]"#).unwrap();
    assert!(watcher.take().unwrap().is_empty());
}

#[test]
fn what_fails_is_not_told() {
    let file = File::new();
    let store = file.open();
    let watcher = store.watch(Watch::all()).unwrap();
    assert!(store.patch_raw("c", "none", "[]").is_err());
    let mut batch = store.batch();
    batch.set("c", "a", &1).unwrap();
    batch.patch("c", "none", &Default::default()).unwrap();
    assert!(batch.commit().is_err());
    assert!(watcher.take().unwrap().is_empty());
    store.set("c", "a", &1).unwrap();
    assert_eq!(told(&watcher), [set("c/a")]);
}

#[test]
fn a_watcher_is_told_of_what_it_asked_for() {
    let file = File::new();
    let store = file.open();
    let scopes = [
        (Watch::all(), vec!["c/a1", "c/a2", "c/b", "d/a1"]),
        (Watch::collection("c"), vec!["c/a1", "c/a2", "c/b"]),
        (Watch::prefix("c", "a"), vec!["c/a1", "c/a2"]),
        (Watch::key("c", "a1"), vec!["c/a1"]),
        (Watch::prefix("c", "a11"), vec![]),
        (Watch::collection("C"), vec![]),
        (Watch::key("d", "a"), vec![]),
    ];
    let watchers: Vec<_> = scopes.iter().map(|(watch, _)| store.watch(watch.clone()).unwrap()).collect();
    for (collection, key) in [("c", "a1"), ("c", "a2"), ("c", "b"), ("d", "a1")] {
        store.set(collection, key, &1).unwrap();
    }
    for (watcher, (watch, expected)) in watchers.iter().zip(&scopes) {
        assert_eq!(told(watcher), expected.iter().map(|name| set(name)).collect::<Vec<_>>(), "{watch:?}");
    }
}

#[test]
fn a_full_watcher_says_so_and_begins_anew() {
    let file = File::new();
    let store = file.open();
    let watcher = store.watch(Watch::collection("c").capacity(3)).unwrap();
    for key in ["a", "b", "c", "a", "b"] {
        store.set("c", key, &key.len()).unwrap();
    }
    assert_eq!(told(&watcher).len(), 3, "an item that changes again needs no more room");
    for key in ["a", "b", "c", "d", "e"] {
        store.set("c", key, &2).unwrap();
    }
    assert_eq!(watcher.take().unwrap(), Changes::Overflowed(Overflow::Full));
    assert!(watcher.take().unwrap().is_empty());
    store.delete("c", "a").unwrap();
    assert_eq!(told(&watcher), [deleted("c/a")]);
}

#[test]
fn a_watcher_wakes_once_until_it_is_asked() {
    let file = File::new();
    let store = file.open();
    let (woken, count) = (Arc::new(AtomicU32::new(0)), || Arc::new(AtomicU32::new(0)));
    let (full, other) = (count(), count());
    let wake = |counter: &Arc<AtomicU32>| {
        let counter = Arc::clone(counter);
        move || {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    };
    let watcher = store.watch_with(Watch::collection("c"), wake(&woken)).unwrap();
    let small = store.watch_with(Watch::collection("c").capacity(0), wake(&full)).unwrap();
    let _unconcerned = store.watch_with(Watch::collection("d"), wake(&other)).unwrap();
    for round in 1..=3 {
        store.set("c", "a", &round).unwrap();
        store.set("c", "b", &round).unwrap();
        let counts = [&woken, &full, &other].map(|counter| counter.load(Ordering::SeqCst));
        assert_eq!(counts, [round, round, 0]);
        assert_eq!(told(&watcher).len(), 2);
        assert_eq!(small.take().unwrap(), Changes::Overflowed(Overflow::Full));
    }
}

#[test]
fn a_waker_may_read_what_woke_it() {
    let file = File::new();
    let (store, reader) = (file.open(), Arc::new(file.open()));
    let seen = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&seen);
    let _watcher = store
        .watch_with(Watch::all(), move || {
            let found: Option<u32> = reader.get("c", "k").unwrap();
            counter.store(found.unwrap_or(0), Ordering::SeqCst);
        })
        .unwrap();
    store.set("c", "k", &7).unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 7, "it is called after the commit");
}

#[test]
fn a_waker_may_own_what_ends_with_it() {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let file = File::new();
        let store = file.open();
        let inner = store.watch(Watch::all()).unwrap();
        let outer = store
            .watch_with(Watch::all(), move || {
                let _ = &inner;
            })
            .unwrap();
        drop(outer);
        store.set("c", "k", &1).unwrap();
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(20)).expect("the end of a watcher waits for itself");
}

#[test]
fn what_a_watcher_finds_when_it_is_asked_does_not_wake_it() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    let woken = [(), ()].map(|()| Arc::new(AtomicU32::new(0)));
    let watch = |counter: &Arc<AtomicU32>| {
        let counter = Arc::clone(counter);
        let wake = move || {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        ours.watch_with(Watch::all(), wake).unwrap()
    };
    let (asked, other) = (watch(&woken[0]), watch(&woken[1]));
    theirs.set("c", "k", &1).unwrap();
    assert_eq!(told(&asked), [set("c/k")]);
    assert_eq!([&woken[0], &woken[1]].map(|counter| counter.load(Ordering::SeqCst)), [0, 1]);
    assert_eq!(told(&other), [set("c/k")]);
    ours.set("c", "k", &2).unwrap();
    assert_eq!([&woken[0], &woken[1]].map(|counter| counter.load(Ordering::SeqCst)), [1, 2]);
}

#[cfg(unix)]
#[test]
fn a_store_that_was_opened_by_a_link_is_told_and_tells_too() {
    let file = File::new();
    let store = file.open();
    let link = file.path.with_file_name("link.db");
    std::os::unix::fs::symlink(&file.path, &link).unwrap();
    let linked = Store::open(&link, Options::default()).unwrap();
    let (there, here) = (linked.watch(Watch::all()).unwrap(), store.watch(Watch::all()).unwrap());
    store.set("c", "one", &1).unwrap();
    linked.set("c", "two", &1).unwrap();
    assert_eq!(told(&there), [set("c/one"), set("c/two")]);
    assert_eq!(told(&here), [set("c/one"), set("c/two")]);
}

#[test]
fn the_writes_of_another_store_are_told_too() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    theirs.set("c", "before", &1).unwrap();
    let watcher = ours.watch(Watch::collection("c")).unwrap();
    let made = theirs.set("c", "k", &1).unwrap();
    theirs.set("d", "k", &1).unwrap();
    theirs.delete("c", "before").unwrap();
    let changes = items(&watcher);
    assert_eq!((changes[0].origin, changes[0].op_ref), (Origin::Local, Some(made)));
    assert_eq!((changes[1].key.as_str(), changes[1].kind, changes.len()), ("before", ChangeKind::Deleted, 2));
    assert!(watcher.take().unwrap().is_empty());
    // And both ways.
    let other = theirs.watch(Watch::all()).unwrap();
    ours.set("c", "ours", &1).unwrap();
    assert_eq!(told(&watcher), [set("c/ours")], "its own it is told once");
    assert_eq!(told(&other), [set("c/ours")]);
}

#[test]
fn writes_of_two_stores_are_told_in_the_order_of_their_commits() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    let watcher = ours.watch(Watch::all()).unwrap();
    theirs.set("c", "one", &1).unwrap();
    ours.set("c", "two", &1).unwrap();
    theirs.delete("c", "two").unwrap();
    ours.delete("c", "one").unwrap();
    theirs.set("c", "one", &2).unwrap();
    ours.set("c", "three", &1).unwrap();
    assert_eq!(told(&watcher), [set("c/one"), deleted("c/two"), set("c/three")]);
}

#[test]
fn another_stores_writes_leave_a_trail_only_while_somebody_watches() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    theirs.set("c", "a", &1).unwrap();
    assert_eq!(trail(&file.path), 0);
    let watcher = ours.watch(Watch::all()).unwrap();
    ours.set("c", "a", &2).unwrap();
    assert_eq!(trail(&file.path), 1, "the watcher's own mark: nobody else watches");
    theirs.set("c", "a", &3).unwrap();
    assert_eq!(trail(&file.path), 2);
    drop(watcher);
    // It is noticed after a while.
    for n in 0..100 {
        theirs.set("c", "b", &n).unwrap();
    }
    let left = trail(&file.path);
    for n in 0..100 {
        theirs.set("c", "c", &n).unwrap();
    }
    assert_eq!(trail(&file.path), left);
    assert!(theirs.check().unwrap().is_ok());
}

#[test]
fn a_trail_is_left_of_what_others_watch_and_of_nothing_else() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    let first = ours.watch(Watch::prefix("c", "a")).unwrap();
    theirs.set("c", "b", &1).unwrap();
    theirs.set("d", "a", &1).unwrap();
    assert_eq!(trail(&file.path), 1);
    let second = ours.watch(Watch::key("d", "a")).unwrap();
    theirs.set("d", "a", &2).unwrap();
    theirs.set("c", "a", &2).unwrap();
    assert_eq!(trail(&file.path), 3);
    assert_eq!((told(&first), told(&second)), (vec![set("c/a")], vec![set("d/a")]));
    // More scopes than are worth looking through.
    let many: Vec<_> = (0..100).map(|n| ours.watch(Watch::key("e", n.to_string())).unwrap()).collect();
    theirs.set("f", "unwatched", &1).unwrap();
    theirs.set("e", "99", &1).unwrap();
    assert_eq!(told(&many[99]), [set("e/99")]);
    // The next to watch alone begins anew.
    drop((first, second, many));
    let _third = ours.watch(Watch::collection("c")).unwrap();
    let before = trail(&file.path);
    theirs.set("f", "unwatched", &2).unwrap();
    assert_eq!(trail(&file.path), before);
}

#[test]
fn more_than_the_trail_holds_is_said_and_not_missed_silently() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    let watcher = ours.watch(Watch::all().capacity(100_000)).unwrap();
    let write = |count: usize, value: &str| {
        for chunk in (0..count).collect::<Vec<_>>().chunks(1_000) {
            let mut batch = theirs.batch();
            for n in chunk {
                batch.set("c", &format!("k{n}"), value).unwrap();
            }
            batch.commit().unwrap();
        }
    };
    write(4_000, "1");
    assert_eq!(items(&watcher).len(), 4_000);
    write(5_000, "2");
    assert_eq!(watcher.take().unwrap(), Changes::Overflowed(Overflow::Missed));
    assert!(trail(&file.path) <= 4_096 + 128);
    theirs.set("c", "k", &3).unwrap();
    assert_eq!(told(&watcher), [set("c/k")]);
    // One transaction alone that is longer than the trail.
    let mut batch = theirs.batch();
    for n in 0..4_100 {
        batch.set("d", &format!("k{n}"), &n).unwrap();
    }
    batch.commit().unwrap();
    assert_eq!(watcher.take().unwrap(), Changes::Overflowed(Overflow::Missed));
}

#[test]
fn own_writes_that_push_the_trail_on_are_not_missed() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    let watcher = ours.watch(Watch::all().capacity(100_000)).unwrap();
    let _other = theirs.watch(Watch::collection("c").capacity(1)).unwrap();
    for part in 0..6 {
        let mut batch = ours.batch();
        for n in 0..1_000 {
            batch.set("c", &format!("k{part}-{n}"), &n).unwrap();
        }
        batch.commit().unwrap();
    }
    theirs.set("c", "last", &1).unwrap();
    assert_eq!(items(&watcher).len(), 6_001);
}

#[test]
fn a_later_watcher_is_not_told_of_what_was_before_it() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    let first = ours.watch(Watch::all()).unwrap();
    theirs.set("c", "early", &1).unwrap();
    let second = ours.watch(Watch::all()).unwrap();
    theirs.set("c", "late", &1).unwrap();
    assert_eq!(told(&second), [set("c/late")]);
    assert_eq!(told(&first), [set("c/early"), set("c/late")]);
}

#[test]
fn a_watcher_may_outlive_its_store() {
    let file = File::new();
    let store = file.open();
    let watcher = store.watch(Watch::all()).unwrap();
    drop(store);
    assert!(!file.path.with_file_name("s.db-wal").exists(), "the file is closed");
    assert!(watcher.take().unwrap().is_empty());
}

#[test]
fn many_threads_write_and_nothing_is_lost() {
    let file = File::new();
    let (ours, theirs) = (file.open(), file.open());
    let watcher = ours.watch(Watch::all()).unwrap();
    let mut names = std::collections::BTreeSet::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> = [(&ours, "a"), (&ours, "b"), (&theirs, "c")]
            .into_iter()
            .map(|(store, collection)| {
                scope.spawn(move || {
                    for n in 0..200 {
                        store.set(collection, &n.to_string(), &n).unwrap();
                    }
                })
            })
            .collect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            names.extend(told(&watcher).into_iter().map(|(name, _)| name));
        }
    });
    names.extend(told(&watcher).into_iter().map(|(name, _)| name));
    assert_eq!(names.len(), 600);
}

#[test]
fn changes_of_an_item_are_told_together() {
    let file = File::new();
    let store = file.open();
    let watcher = store.watch(Watch::all()).unwrap();
    store.set("c", "a", &1).unwrap();
    let last = store.set_index("c", "a", "by", "1").unwrap();
    let changes = items(&watcher);
    assert_eq!((changes[0].kind, changes[0].op_ref, changes.len()), (ChangeKind::Set, Some(last), 1));
    store.add_tag("c", "a", "tag").unwrap();
    store.set("c", "a", &2).unwrap();
    assert_eq!(told(&watcher), [set("c/a")]);
    store.add_tag("c", "a", "other").unwrap();
    store.delete("c", "a").unwrap();
    assert_eq!(told(&watcher), [deleted("c/a")]);
    store.set("c", "a", &3).unwrap();
    store.delete("c", "a").unwrap();
    store.set("c", "a", &4).unwrap();
    store.set_relation("c", "a", "r", "in", ("c", "b")).unwrap();
    assert_eq!(told(&watcher), [set("c/a")]);
    // In a range it comes back to with an entry alone.
    let range = store.watch(store.query("c").index("by").watch()).unwrap();
    store.set_index("c", "a", "by", "1").unwrap();
    store.delete("c", "a").unwrap();
    store.set("c", "a", &5).unwrap();
    store.set_index("c", "a", "by", "1").unwrap();
    assert_eq!(told(&range), [set("c/a")]);
}
