use crate::assert_intact;
use crate::process::{self, Part};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use syncstore::{Error, Options, Store};

/// Writes until the disk takes no more, then tells what was answered and with what error.
pub fn fill_part() {
    let path = PathBuf::from(process::setting("FILE"));
    let store = Store::open(&path, Options::default()).unwrap();
    for number in 0.. {
        let value = format!("{number}{}", "x".repeat(3_000));
        match store.set("notes", &format!("k{number:05}"), &value) {
            Ok(op) => process::tell(&format!("wrote {number} {op}")),
            Err(error) => {
                let what = match error {
                    Error::DiskFull => "full".to_owned(),
                    Error::Storage(error) => format!("storage {error}"),
                    other => format!("unexpected {other:?}"),
                };
                process::tell(&what);
                break;
            }
        }
    }
    // Reads go on, and the next write says the same rather than hanging or panicking.
    assert!(store.get::<String>("notes", "k00000").unwrap().is_some());
    let written = store.pending().unwrap().len();
    let large = "y".repeat(200_000);
    assert!(matches!(store.set("notes", "large", &large), Err(Error::DiskFull | Error::Storage(_))));
    assert_eq!(store.pending().unwrap().len(), written, "a failed write left an operation");
    process::tell("read on");
    if process::setting("THEN") == "copy out" {
        // The file system goes away with this process.
        let target = PathBuf::from(process::setting("TARGET"));
        for suffix in ["", "-wal"] {
            let file = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
            fs::copy(file(&path), file(&target)).unwrap();
        }
        // Room again: the same store goes on.
        fs::remove_file(path.with_file_name("ballast")).unwrap();
        store.set("notes", "large", &large).unwrap();
        process::tell("wrote on");
    }
}

fn check(told: &[String], path: &Path) {
    let mut written = BTreeMap::new();
    for line in told {
        if let Some((number, op)) = line.strip_prefix("wrote ").and_then(|rest| rest.split_once(' ')) {
            written.insert(format!("k{number:0>5}"), (number.to_owned(), op.parse().unwrap()));
        }
    }
    assert!(written.len() > 10, "{told:?}");
    assert!(told.iter().any(|line| line == "read on"), "{told:?}");
    let store = Store::open(path, Options::default()).unwrap();
    for (key, (number, op)) in &written {
        let value: String = store.get("notes", key).unwrap().expect("an answered write is lost");
        assert_eq!(value, format!("{number}{}", "x".repeat(3_000)));
        assert!(store.outcome(*op).unwrap().is_some());
    }
    assert_eq!(store.pending().unwrap().len(), written.len());
    store.set("notes", "after", &"there is room again").unwrap();
    assert_eq!(store.get::<String>("notes", "after").unwrap().as_deref(), Some("there is room again"));
    drop(store);
    assert_intact(path);
}

/// Grows the replica until there is no room for a compaction, which then loses nothing; and deletes most of it.
pub fn compact_part() {
    let path = PathBuf::from(process::setting("FILE"));
    let store = Store::open(&path, Options::default()).unwrap();
    let mut keys = Vec::new();
    let error = loop {
        for _ in 0..5 {
            let key = format!("k{:05}", keys.len());
            store.set("notes", &key, &"x".repeat(3_000)).unwrap();
            keys.push(key);
        }
        match store.compact() {
            Ok(_) => process::tell("compacted"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::DiskFull | Error::Storage(_)), "{error:?}");
    let report = store.check().unwrap();
    assert!(report.is_ok(), "{report}");
    assert_eq!((report.items, report.pending), (keys.len() as u64, keys.len() as u64));
    process::tell(&format!("kept {}", if matches!(error, Error::DiskFull) { "full" } else { "storage" }));
    if process::setting("THEN") == "end" {
        // The file has reached the most that it may have: no write can make room.
        return;
    }
    let before = report.file_bytes;
    for chunk in keys[10..].chunks(5) {
        for key in chunk {
            store.delete("notes", key).unwrap();
        }
        // As long as there is no room for the copy, it makes room in the write-ahead log at least.
        let _ = store.compact();
    }
    assert!(store.compact().unwrap().bytes_after * 2 < before);
    let report = store.check().unwrap();
    assert!(report.is_ok() && report.items == 10, "{report}");
    process::tell("shrunk");
}

/// Plays a part whose files cannot grow beyond half a MiB, or one.
fn with_small_files(part: &str, path: &Path) -> Vec<String> {
    // The shell's blocks have 512 bytes or 1 KiB.
    let shell = ["sh", "-c", "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\""];
    let part = Part::through(&shell, part).set("FILE", path).set("THEN", "end");
    let (told, status) = part.start().finish();
    assert!(status.success(), "{told:?}");
    told
}

/// Plays a part on a disk of 2 MB with a file `ballast` of 700 KB, where the system lets an ordinary user make one.
fn on_a_small_disk(part: &str, target: &Path) -> Option<Vec<String>> {
    let namespace = ["unshare", "--user", "--map-root-user", "--mount"];
    let mount = "mount -t tmpfs -o size=2m tmpfs \"$MOUNT\"";
    let small = target.with_file_name("small");
    fs::create_dir(&small).unwrap();
    let works = Command::new(namespace[0])
        .args(&namespace[1..])
        .args(["sh", "-c", mount])
        .env("MOUNT", &small)
        .output()
        .is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("this system does not let a user mount a file system: the test with a file size limit stands alone");
        return None;
    }
    let script = format!("{mount} && head -c 700000 /dev/zero > \"$MOUNT/ballast\" && exec \"$0\" \"$@\"");
    let wrapper: Vec<&str> = namespace.into_iter().chain(["sh", "-c", &script]).collect();
    let part = Part::through(&wrapper, part)
        .set("MOUNT", &small)
        .set("FILE", small.join("r.db"))
        .set("THEN", "copy out")
        .set("TARGET", target);
    let (told, status) = part.start().finish();
    assert!(status.success(), "{told:?}");
    Some(told)
}

#[test]
fn a_limit_on_the_files_size_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    let told = with_small_files("fill", &path);
    assert!(told.iter().any(|line| line == "full" || line.starts_with("storage ")), "{told:?}");
    check(&told, &path);
}

#[test]
fn a_full_disk_is_disk_full_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    let Some(told) = on_a_small_disk("fill", &path) else { return };
    assert!(told.iter().any(|line| line == "full"), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("wrote on"), "{told:?}");
    check(&told, &path);
}

#[test]
fn a_compaction_without_room_for_the_copy_is_an_error_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    let told = with_small_files("compact", &path);
    assert!(told.len() > 1 && told.last().is_some_and(|line| line.starts_with("kept ")), "{told:?}");
    assert_intact(&path);
    if let Some(told) = on_a_small_disk("compact", &path) {
        assert!(told.len() > 2 && told.ends_with(&["kept full".to_owned(), "shrunk".to_owned()]), "{told:?}");
    }
}
