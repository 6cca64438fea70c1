use crate::older;
use crate::process::{self, Part};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;
use syncstore::{Error, Options, Outcome, Store};
use tempfile::TempDir;

fn open(path: &Path) -> Result<Store, Error> {
    Store::open(path, Options::default())
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The error of opening, which must leave every file in the directory byte for byte as it is.
fn refused(path: &Path) -> Error {
    let files = |dir: &Path| {
        let mut files: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files(path.parent().unwrap());
    let error = open(path).expect_err("opened");
    assert!(files(path.parent().unwrap()) == before, "files changed: {error}");
    error
}

#[test]
fn a_newer_file_is_refused_and_untouched() {
    let dir = directory();
    let path = dir.path().join("r.db");
    open(&path).unwrap().set("notes", "n1", &1).unwrap();
    let present: i64 =
        Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = refused(&path);
    assert!(matches!(error, Error::NewerSchema { found: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("r.db") && error.to_string().contains("99"), "{error}");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", present).unwrap();
    assert_eq!(open(&path).unwrap().get::<u32>("notes", "n1").unwrap(), Some(1));
}

#[test]
fn a_file_of_any_earlier_version_is_migrated_and_keeps_what_it_has() {
    for version in 1..older::PRESENT {
        let dir = directory();
        let path = dir.path().join("r.db");
        let store = open(&path).unwrap();
        let ops = [store.set("notes", "n1", &1).unwrap(), store.set("notes", "n1", &2).unwrap()];
        store.set_index("notes", "n1", "by", "x").unwrap();
        let client = store.client_id().unwrap();
        drop(store);
        older::turn_back(&Connection::open(&path).unwrap(), version).unwrap();
        let store = open(&path).unwrap();
        assert_eq!((store.client_id().unwrap(), store.pending_count().unwrap()), (client, 2), "{version}");
        assert_eq!(store.outcome(ops[1]).unwrap(), Some(Outcome::FoldedInto(ops[0])), "{version}");
        assert_eq!(store.get::<u32>("notes", "n1").unwrap(), Some(2), "{version}");
        assert_eq!(store.indexes("notes", "n1").unwrap()["by"], "x", "{version}");
        let report = store.check().unwrap();
        assert!(report.is_ok(), "{version}: {report}");
    }
}

#[test]
fn a_damaged_file_of_an_earlier_version_is_refused_and_untouched() {
    for damage in ["DELETE FROM state", "UPDATE state SET limits = '{'", "DROP TABLE outbox", "DROP TABLE ledger"] {
        let dir = directory();
        let path = dir.path().join("r.db");
        open(&path).unwrap().set("notes", "n1", &1).unwrap();
        let file = Connection::open(&path).unwrap();
        older::turn_back(&file, 5).unwrap();
        file.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).unwrap();
        file.execute_batch(damage).unwrap();
        drop(file);
        let error = refused(&path);
        assert!(matches!(error, Error::Corrupt(_)), "{damage}: {error:?}");
    }
}

#[test]
fn another_applications_database_is_refused_and_untouched() {
    for (mode, id) in [("DELETE", 0), ("WAL", 0), ("DELETE", 0x1234_5678), ("WAL", 0x1234_5678)] {
        let dir = directory();
        let path = dir.path().join("theirs.db");
        let theirs = Connection::open(&path).unwrap();
        theirs.pragma_update(None, "journal_mode", mode).unwrap();
        theirs.pragma_update(None, "application_id", id).unwrap();
        theirs.execute_batch("CREATE TABLE theirs(x); INSERT INTO theirs VALUES (7)").unwrap();
        drop(theirs);
        let error = refused(&path);
        assert!(matches!(error, Error::NotAReplica { .. }), "{mode} {id}: {error:?}");
        assert!(error.to_string().contains("theirs.db"), "{error}");
    }
}

#[test]
fn a_damaged_file_that_is_refused_is_given_no_other_journal_mode() {
    for damage in [
        "DROP TABLE outbox",
        "DELETE FROM state",
        "UPDATE state SET limits = '{'",
        "DELETE FROM state; PRAGMA user_version = 3",
        "DROP TABLE state; PRAGMA user_version = 3",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -1",
        "PRAGMA user_version = 3",
        "PRAGMA user_version = 9",
    ] {
        let dir = directory();
        let path = dir.path().join("r.db");
        open(&path).unwrap().set("notes", "n1", &1).unwrap();
        let file = Connection::open(&path).unwrap();
        file.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).unwrap();
        file.execute_batch(damage).unwrap();
        drop(file);
        let error = refused(&path);
        assert!(matches!(error, Error::Corrupt(_)), "{damage}: {error:?}");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_and_untouched() {
    let texts = [
        b"x".to_vec(),
        b"a short text\n".to_vec(),
        "a long text, many times over\n".repeat(10_000).into_bytes(),
        vec![0; 4096],
        b"SQLite format 2\0".repeat(300),
    ];
    for text in texts {
        let dir = directory();
        let path = dir.path().join("notes.txt");
        fs::write(&path, &text).unwrap();
        let error = refused(&path);
        assert!(matches!(error, Error::NotAReplica { .. } | Error::Corrupt(_)), "{} bytes: {error:?}", text.len());
    }
}

#[test]
fn an_empty_file_becomes_a_replica() {
    let dir = directory();
    let path = dir.path().join("r.db");
    fs::write(&path, b"").unwrap();
    let op = open(&path).unwrap().set("notes", "n1", &1).unwrap();
    let store = open(&path).unwrap();
    assert_eq!(store.get::<u32>("notes", "n1").unwrap(), Some(1));
    assert!(store.outcome(op).unwrap().is_some());
    crate::assert_intact(&path);
}

#[test]
fn a_path_where_no_file_can_be_is_a_clear_error() {
    let dir = directory();
    fs::create_dir(dir.path().join("folder")).unwrap();
    for (path, named) in [("folder", Some("folder")), ("missing/r.db", Some("missing does not exist")), ("", None)] {
        let path = if path.is_empty() { Path::new("").to_owned() } else { dir.path().join(path) };
        let error = open(&path).expect_err("opened");
        assert!(matches!(error, Error::Storage(_) | Error::NotAReplica { .. }), "{path:?}: {error:?}");
        if let Some(named) = named {
            assert!(error.to_string().contains(named), "{error}");
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn names_that_mean_something_to_sqlite_are_names_of_files() {
    let dir = directory();
    for name in ["a b.db", "a?mode=memory", "file:a.db?mode=memory", "100%25.db", "ключ-鍵.db", "a#b.db"] {
        let path = dir.path().join(name);
        open(&path).unwrap().set("notes", "n1", &name).unwrap();
        assert_eq!(open(&path).unwrap().get::<String>("notes", "n1").unwrap().as_deref(), Some(name));
        assert!(path.is_file(), "{name}");
    }
    let error = open(Path::new(":memory:")).expect_err("a database in memory is no file");
    assert!(matches!(error, Error::Storage(_)), "{error:?}");
}

#[test]
fn a_file_in_another_journal_mode_is_brought_back_to_a_wal() {
    let dir = directory();
    let path = dir.path().join("r.db");
    open(&path).unwrap().set("notes", "n1", &1).unwrap();
    let mode: String =
        Connection::open(&path).unwrap().query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
    let store = open(&path).unwrap();
    store.set("notes", "n1", &2).unwrap();
    let mode: String = Connection::open(&path).unwrap().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn a_file_that_another_process_keeps_in_another_journal_mode_is_busy() {
    let dir = directory();
    let path = dir.path().join("r.db");
    open(&path).unwrap().set("notes", "n1", &1).unwrap();
    let other = Connection::open(&path).unwrap();
    other.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut options = Options::default();
    options.busy_timeout = Duration::from_millis(50);
    let error = Store::open(&path, options).map(drop).unwrap_err();
    assert!(matches!(error, Error::Busy) && error.is_transient(), "{error:?}");
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    assert_eq!(open(&path).unwrap().get::<u32>("notes", "n1").unwrap(), Some(1));
}

/// What cannot be written is an error at once and says so, rather than at the first write.
#[test]
fn a_file_or_directory_that_cannot_be_written_is_a_clear_error() {
    let dir = directory();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let path = dir.path().join("r.db");
    open(&path).unwrap().set("notes", "n1", &1).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let sealed = dir.path().join("sealed");
    fs::create_dir(&sealed).unwrap();
    fs::set_permissions(&sealed, fs::Permissions::from_mode(0o555)).unwrap();
    let before = fs::read(&path).unwrap();
    let mut part = Part::copied(dir.path(), "read-only").set("FILE", &path).set("SEALED", sealed.join("new.db"));
    // Permissions do not bind root.
    if std::fs::write(sealed.join("probe"), b"").is_ok() {
        part.command().uid(65_534).gid(65_534);
    }
    let (told, status) = part.start().finish();
    assert!(status.success(), "{told:?}");
    assert_eq!(told, ["file refused", "directory refused"]);
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(open(&path).unwrap().get::<u32>("notes", "n1").unwrap(), Some(1));
}

pub fn read_only_part() {
    for (what, setting) in [("file", "FILE"), ("directory", "SEALED")] {
        match open(Path::new(&process::setting(setting))) {
            Ok(_) => process::tell(&format!("{what} opened")),
            Err(Error::Storage(_)) => process::tell(&format!("{what} refused")),
            Err(other) => process::tell(&format!("{what}: {other:?}")),
        }
    }
}
