use crate::assert_intact;
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use syncstore::protocol::Limits;
use syncstore::{Error, KeyRange, Options, Ref, Store};
use tempfile::TempDir;

const PAGE: u64 = 4096;

type Items = BTreeMap<String, String>;

/// A replica of a few hundred pages, closed, and what it holds.
struct Sound {
    dir: TempDir,
    path: PathBuf,
    items: Items,
    ops: Vec<Ref>,
}

impl Sound {
    fn new(items: u32) -> Sound {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sound.db");
        let store = Store::open(&path, Options::default()).unwrap();
        let mut sound = Sound { dir, path, items: Items::new(), ops: Vec::new() };
        let mut batch = store.batch();
        for number in 0..items {
            let (key, value) = (format!("k{number:05}"), format!("\"{}{number}\"", "v".repeat(200)));
            batch.set("notes", &key, &syncstore::protocol::Json::parse(&value).unwrap()).unwrap();
            sound.items.insert(key, value);
        }
        sound.ops = batch.commit().unwrap().ops;
        drop(store);
        sound
    }

    fn copy(&self) -> PathBuf {
        let path = self.dir.path().join("damaged.db");
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", path.display()));
        }
        fs::copy(&self.path, &path).unwrap();
        path
    }
}

/// What was said of a damaged file.
struct Said {
    /// How many calls were errors.
    errors: u32,
    /// Whether SQLite complained of its structure, if the store opened it at all.
    complained: bool,
}

/// Reads, checks and writes everything there is. Each answer is right, or an error that says what is the matter, and what
/// SQLite complains of the check finds.
fn exercise(sound: &Sound, path: &Path, what: &str) -> Said {
    let before = fs::read(path).unwrap();
    let store = match Store::open(path, Options::default()) {
        Ok(store) => store,
        Err(Error::Corrupt(_) | Error::NotAReplica { .. }) => {
            assert!(fs::read(path).unwrap() == before, "{what}: a refused file was rewritten");
            return Said { errors: 1, complained: false };
        }
        Err(other) => panic!("{what}: opening: {other:?}"),
    };
    let mut errors = 0;
    let mut right = |result: Result<bool, Error>, call: &str| match result {
        Ok(true) => {}
        Ok(false) => panic!("{what}: {call} answered wrongly"),
        Err(Error::Corrupt(_)) => errors += 1,
        Err(other) => panic!("{what}: {call}: {other:?}"),
    };
    let listed = store.list("notes", &KeyRange::all());
    right(
        listed.map(|listed| {
            // An index that lost entries makes a list shorter; what it shows must be right.
            listed.iter().all(|item| sound.items.get(item.key).is_some_and(|value| value == item.value))
        }),
        "list",
    );
    for (key, value) in sound.items.iter().step_by(7) {
        let got = store.get_raw("notes", key);
        right(got.map(|got| got.is_none_or(|got| got == *value)), "get_raw");
    }
    for op in sound.ops.iter().step_by(7) {
        right(store.outcome(*op).map(|_| true), "outcome");
    }
    right(store.pending().map(|_| true), "pending");
    right(store.collections().map(|_| true), "collections");
    let complained = sqlite_complains(path);
    let said = match store.check() {
        Ok(report) => !report.is_ok(),
        Err(Error::Corrupt(_)) => true,
        Err(other) => panic!("{what}: check: {other:?}"),
    };
    assert!(said || !complained, "{what}: SQLite complains of the file, and the check finds nothing");
    assert!(fs::read(path).unwrap() == before, "{what}: reading changed the file");
    right(store.set("notes", "k00003", &1).map(|_| true), "set");
    right(store.set("more", "new", &1).map(|_| true), "set of a new item");
    right(store.update("notes", "k00010", |value| *value = 2.into()).map(|_| true).or_else(missing), "update");
    right(store.delete("notes", "k00020").map(|_| true), "delete");
    drop(store);
    assert!(path.is_file(), "{what}: the file was deleted");
    Said { errors, complained }
}

/// What SQLite itself says of a file, without anything of the store.
fn sqlite_complains(path: &Path) -> bool {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let found = connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    found.map_or(true, |words| words != "ok")
}

/// An index that lost an entry has lost the item.
fn missing(error: Error) -> Result<bool, Error> {
    if matches!(error, Error::NotFound { .. }) { Ok(true) } else { Err(error) }
}

/// A few bytes of noise, the same in each run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..length).map(|_| byte()).collect()
}

#[test]
fn a_page_overwritten_is_an_error_or_not_noticed_and_never_a_panic() {
    let sound = Sound::new(300);
    let pages = fs::metadata(&sound.path).unwrap().len() / PAGE;
    assert!(pages > 40, "{pages}");
    let (mut noticed, mut complained) = (0, 0);
    for page in 0..pages {
        let fill = match page % 3 {
            0 => noise(page, PAGE as usize),
            1 => vec![0; PAGE as usize],
            _ => vec![0xff; PAGE as usize],
        };
        let path = sound.copy();
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&fill, page * PAGE).unwrap();
        let said = exercise(&sound, &path, &format!("page {page} of {pages}"));
        noticed += u64::from(said.errors > 0);
        complained += u64::from(said.complained);
    }
    assert!(noticed > pages / 2, "only {noticed} of {pages} were noticed");
    assert!(complained > pages / 2, "SQLite complained of only {complained} of {pages}");
}

#[test]
fn a_truncated_file_is_an_error_or_reads_right_and_never_a_panic() {
    let sound = Sound::new(100);
    let length = fs::metadata(&sound.path).unwrap().len();
    let lengths = (1..length / PAGE).map(|page| page * PAGE).chain([1, 15, 99, 100, 511, 1000, PAGE + 1, length - 1]);
    for cut in lengths {
        let path = sound.copy();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
        exercise(&sound, &path, &format!("cut to {cut} of {length} bytes"));
    }
}

/// What a checkpoint had not moved into the file is gone with the WAL; the rest is as it was at some earlier moment.
#[test]
fn a_missing_or_damaged_wal_leaves_an_earlier_state() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    let store = Store::open(&path, Options::default()).unwrap();
    store.set("notes", "before", &1).unwrap();
    Connection::open(&path).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    for number in 0..50 {
        store.set("notes", &format!("after{number:02}"), &number).unwrap();
    }
    let wal = fs::read(dir.path().join("r.db-wal")).unwrap();
    let main = fs::read(&path).unwrap();
    drop(store);

    let mut cut = wal.clone();
    cut.truncate(wal.len() / 2);
    let mut flipped = wal.clone();
    flipped[wal.len() / 2] ^= 0x10;
    let cases = [("whole", Some(wal.clone())), ("missing", None), ("cut", Some(cut)), ("flipped", Some(flipped))]
        .into_iter()
        .chain([
            ("noise", Some(noise(1, wal.len()))),
            ("zeros", Some(vec![0; wal.len()])),
            ("empty", Some(Vec::new())),
        ]);
    for (what, wal) in cases {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        fs::write(&path, &main).unwrap();
        if let Some(wal) = &wal {
            fs::write(dir.path().join("r.db-wal"), wal).unwrap();
        }
        let store = Store::open(&path, Options::default()).unwrap();
        let items = store.list("notes", &KeyRange::all()).unwrap();
        let keys: Vec<_> = items.iter().map(|item| item.key.to_owned()).collect();
        let ops = store.pending().unwrap();
        // Some number of the first writes, none of them halved.
        let mut expected: Vec<_> = (0..keys.len() - 1).map(|number| format!("after{number:02}")).collect();
        expected.push("before".into());
        assert_eq!(keys, expected, "{what}");
        assert_eq!(ops.len(), keys.len(), "{what}");
        match what {
            "whole" => assert_eq!(keys.len(), 51),
            "cut" | "flipped" => assert!((2..51).contains(&keys.len()), "{what}: {}", keys.len()),
            _ => assert_eq!(keys.len(), 1, "{what}"),
        }
        store.set("notes", "again", &2).unwrap();
        drop(store);
        assert_intact(&path);
    }
}

/// Rows that SQLite finds in order and this crate cannot have written: the file is not opened, or the check finds them, and no
/// call makes more of them than that.
#[test]
fn rows_that_make_no_sense_are_corrupt_and_never_a_panic() {
    let changes = [
        "DELETE FROM state",
        "UPDATE state SET client = 'x'",
        "UPDATE state SET client = x'00'",
        "UPDATE state SET position = 'far'",
        "UPDATE state SET bootstrap = '{'",
        "UPDATE state SET bootstrap = '{\"phase\":\"Party\"}'",
        "UPDATE state SET limits = '7'",
        "UPDATE state SET limits = '{\"cut\":'",
        "UPDATE outbox SET kind = 77",
        "UPDATE outbox SET answer = 77",
        "UPDATE outbox SET payload = NULL",
        "UPDATE outbox SET payload = '{\"cut\":'",
        "UPDATE outbox SET payload = x'ff'",
        "UPDATE outbox SET item = 123456",
        "UPDATE outbox SET failure = '{'",
        "UPDATE outbox SET batch = x'01'",
        "UPDATE items SET value = x'fffe'",
        "UPDATE items SET value = '{\"cut\":'",
        "UPDATE items SET pending = -1",
        "UPDATE items SET rev = 'x'",
        "UPDATE items SET collection = 9999",
        "UPDATE collections SET life = 5",
        "UPDATE ledger SET outcome = 77",
        "UPDATE ledger SET random = 'x'",
        "UPDATE ledger SET at = 'x'",
        "DROP TABLE ledger",
        "DROP INDEX items_key; DROP INDEX outbox_item",
    ];
    for change in changes {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let store = Store::open(&path, Options::default()).unwrap();
        let first = store.set("notes", "n1", &serde_json::json!({"a": 1})).unwrap();
        let folded = store.set("notes", "n1", &serde_json::json!({"a": 2})).unwrap();
        drop(store);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(change).unwrap();
        // A table or an index that is not there cannot be dropped either.
        assert!(change.starts_with("DROP") || connection.changes() > 0, "{change}: nothing was damaged");
        drop(connection);
        let store = match Store::open(&path, Options::default()) {
            Ok(store) => store,
            Err(Error::Corrupt(_)) => continue,
            Err(other) => panic!("{change}: opening: {other:?}"),
        };
        match store.check() {
            Ok(report) => assert!(!report.is_ok(), "{change}: the check finds nothing"),
            Err(Error::Corrupt(_)) => {}
            Err(other) => panic!("{change}: check: {other:?}"),
        }
        // What a call does not read it does not notice.
        let call = |result: Result<(), Error>, call: &str| match result {
            Ok(()) | Err(Error::Corrupt(_) | Error::Json(_) | Error::NotFound { .. }) => {}
            Err(other) => panic!("{change}: {call}: {other:?}"),
        };
        call(store.get::<serde_json::Value>("notes", "n1").map(drop), "get");
        call(store.list("notes", &KeyRange::all()).map(drop), "list");
        call(store.outcome(first).map(drop), "outcome");
        call(store.outcome(folded).map(drop), "outcome of what was folded");
        call(store.pending().map(drop), "pending");
        call(store.pending_count().map(drop), "pending_count");
        call(store.client_id().map(drop), "client_id");
        call(store.position().map(drop), "position");
        call(store.bootstrap_progress().map(drop), "bootstrap_progress");
        call(store.update("notes", "n1", |value| value["b"] = 1.into()).map(drop), "update");
        call(store.set("notes", "n1", &3).map(drop), "set");
        call(store.delete("notes", "n1").map(drop), "delete");
        call(store.set("notes", "n2", &4).map(drop), "set of a new item");
    }
}

/// Limits that are damaged while the file is open are those that were read before.
#[test]
fn limits_that_are_damaged_under_an_open_store_stay_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    drop(Store::open(&path, Options::default()).unwrap());
    let set =
        |limits: &str| Connection::open(&path).unwrap().execute("UPDATE state SET limits = ?1", [limits]).unwrap();
    set(r#"{"name":10}"#);
    let store = Store::open(&path, Options::default()).unwrap();
    set(r#"{"cut":"#);
    store.set("notes", &"k".repeat(10), &1).unwrap();
    assert!(matches!(store.set("notes", &"k".repeat(11), &1), Err(Error::Limit(_))));
    assert!(!store.check().unwrap().is_ok());
    drop(store);
    assert!(matches!(Store::open(&path, Options::default()).map(drop), Err(Error::Corrupt(_))));
}

/// A server may publish limits that this crate does not know, and leave others out.
#[test]
fn limits_that_name_none_are_those_of_the_protocol_and_no_damage() {
    for limits in ["{}", "[]"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        drop(Store::open(&path, Options::default()).unwrap());
        let changed = Connection::open(&path).unwrap().execute("UPDATE state SET limits = ?1", [limits]).unwrap();
        assert_eq!(changed, 1);
        let store = Store::open(&path, Options::default()).unwrap();
        let most = Limits::PROTOCOL.name;
        store.set("notes", &"k".repeat(most), &1).unwrap();
        assert!(matches!(store.set("notes", &"k".repeat(most + 1), &1), Err(Error::Limit(_))), "{limits}");
        let report = store.check().unwrap();
        assert!(report.is_ok(), "{limits}: {report}");
    }
}
