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

#[test]
fn a_limit_on_the_files_size_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    // The shell's blocks have 512 bytes or 1 KiB.
    let shell = ["sh", "-c", "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\""];
    let part = Part::through(&shell, "fill").set("FILE", &path).set("THEN", "end");
    let (told, status) = part.start().finish();
    assert!(status.success(), "{told:?}");
    assert!(told.iter().any(|line| line == "full" || line.starts_with("storage ")), "{told:?}");
    check(&told, &path);
}

/// Where the system lets an ordinary user make a small file system of its own.
#[test]
fn a_full_disk_is_disk_full_and_loses_nothing() {
    let namespace = ["unshare", "--user", "--map-root-user", "--mount"];
    let mount = "mount -t tmpfs -o size=2m tmpfs \"$MOUNT\"";
    let dir = tempfile::tempdir().unwrap();
    let small = dir.path().join("small");
    fs::create_dir(&small).unwrap();
    let works = Command::new(namespace[0])
        .args(&namespace[1..])
        .args(["sh", "-c", mount])
        .env("MOUNT", &small)
        .output()
        .is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("this system does not let a user mount a file system: the test with a file size limit stands alone");
        return;
    }
    let script = format!("{mount} && head -c 700000 /dev/zero > \"$MOUNT/ballast\" && exec \"$0\" \"$@\"");
    let wrapper: Vec<&str> = namespace.into_iter().chain(["sh", "-c", &script]).collect();
    let path = dir.path().join("r.db");
    let part = Part::through(&wrapper, "fill")
        .set("MOUNT", &small)
        .set("FILE", small.join("r.db"))
        .set("THEN", "copy out")
        .set("TARGET", &path);
    let (told, status) = part.start().finish();
    assert!(status.success(), "{told:?}");
    assert!(told.iter().any(|line| line == "full"), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("wrote on"), "{told:?}");
    check(&told, &path);
}
