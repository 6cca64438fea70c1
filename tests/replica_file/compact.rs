use crate::assert_intact;
use crate::process::{self, Part};
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use syncstore::{Error, KeyRange, Options, Ref, Store};

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// A replica of about 3 MB, nearly all of which was deleted again; the ops, the last of which is on an item that is left.
fn emptied(path: &Path) -> (Store, Vec<Ref>) {
    let store = Store::open(path, Options::default()).unwrap();
    let mut ops = Vec::new();
    for number in 0..600 {
        ops.push(store.set("notes", &format!("k{number:03}"), &"x".repeat(5_000)).unwrap());
    }
    for number in 0..595 {
        ops.push(store.delete("notes", &format!("k{number:03}")).unwrap());
    }
    ops.push(store.set("notes", "k599", &"last").unwrap());
    (store, ops)
}

#[test]
fn a_replica_shrinks_after_a_large_delete_and_keeps_everything_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    let (store, ops) = emptied(&path);
    let before = store.check().unwrap();
    assert!(before.free_bytes > 2_000_000, "{before}");
    let (outcomes, pending) = (ops.iter().map(|op| store.outcome(*op).unwrap()).collect::<Vec<_>>(), store.pending());
    let report = store.compact().unwrap();
    assert!(report.bytes_before > 3_000_000 && report.bytes_after < 500_000, "{report:?}");
    assert_eq!(length(&path) + length(&dir.path().join("r.db-wal")), report.bytes_after);
    let after = store.check().unwrap();
    assert!(after.is_ok(), "{after}");
    assert_eq!((after.free_bytes, after.items, after.pending), (0, 5, before.pending));
    assert_eq!(ops.iter().map(|op| store.outcome(*op).unwrap()).collect::<Vec<_>>(), outcomes);
    assert_eq!(store.pending().unwrap(), pending.unwrap());
    assert_eq!(store.get::<String>("notes", "k599").unwrap().as_deref(), Some("last"));
    store.set("notes", "new", &1).unwrap();
    drop(store);
    assert_intact(&path);
}

#[test]
fn another_store_reads_and_writes_through_a_compaction() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    let (store, _) = emptied(&path);
    let other = Store::open(&path, Options::default()).unwrap();
    let done = AtomicBool::new(false);
    let (reads, writes) = std::thread::scope(|scope| {
        /// The others end however this ends.
        struct Done<'a>(&'a AtomicBool);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let done_at_the_end = Done(&done);
        let reading = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::SeqCst) || reads == 0 {
                assert!(other.list("notes", &KeyRange::all()).unwrap().len() >= 5);
                reads += 1;
            }
            reads
        });
        let writing = scope.spawn(|| {
            let mut writes = 0;
            while !done.load(Ordering::SeqCst) || writes == 0 {
                other.set("others", &format!("k{}", writes % 50), &writes).unwrap();
                store.set("own", &format!("k{}", writes % 50), &writes).unwrap();
                writes += 1;
            }
            writes
        });
        for _ in 0..5 {
            store.compact().unwrap();
            let report = other.check().unwrap();
            assert!(report.is_ok(), "{report}");
        }
        drop(done_at_the_end);
        (reading.join().unwrap(), writing.join().unwrap())
    });
    assert!(reads > 0 && writes > 0);
    for collection in ["others", "own"] {
        let last: u32 = store.get(collection, &format!("k{}", (writes - 1) % 50)).unwrap().unwrap();
        assert_eq!(last, writes - 1, "{collection}");
    }
    assert_eq!(other.check().unwrap().items, store.check().unwrap().items);
}

/// Holds the file's write lock until told to let go.
pub fn hold_lock_part() {
    let connection = Connection::open(process::setting("FILE")).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    process::tell("held");
    process::listen();
}

#[test]
fn a_compaction_that_another_process_keeps_out_is_busy_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    drop(emptied(&path));
    let mut options = Options::default();
    options.busy_timeout = Duration::from_millis(50);
    let store = Store::open(&path, options).unwrap();
    let before = length(&path);
    let mut part = Part::new("hold a lock").set("FILE", &path).start();
    assert_eq!(part.hear().as_deref(), Some("held"));
    let error = store.compact().unwrap_err();
    assert!(matches!(error, Error::Busy) && error.is_transient(), "{error:?}");
    assert_eq!(length(&path), before);
    part.say("let go");
    part.finish();
    assert!(store.compact().unwrap().bytes_after < before / 2);
    assert!(store.check().unwrap().is_ok());
}

#[test]
fn a_compaction_with_a_reader_in_the_way_is_busy_and_takes_effect_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    drop(emptied(&path));
    let mut options = Options::default();
    options.busy_timeout = Duration::from_millis(50);
    let store = Store::open(&path, options).unwrap();
    let before = length(&path);
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM items").unwrap();
    assert!(matches!(store.compact(), Err(Error::Busy)));
    assert!(store.check().unwrap().is_ok());
    assert_eq!(store.get::<String>("notes", "k599").unwrap().as_deref(), Some("last"));
    reader.execute_batch("COMMIT").unwrap();
    store.compact().unwrap();
    assert!(length(&path) < before / 2);
}
