//! A replica's file that a disk, a copy or a neighbour has changed.

use crate::environment::Still;
use crate::peer::{files, honest_with_resources, options, read_all};
use crate::room::room;
use crate::source::Source;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use syncstore::Store;

/// Changes the file as the input says, and uses it for everything that a host does.
pub fn replica_file(data: &[u8]) {
    let mut source = Source::new(data);
    let mut bytes = files().rich.clone();
    change(&mut bytes, &mut source);
    let room = room();
    let path = room.path().join("replica.db");
    std::fs::write(&path, &bytes).expect("room for a file");
    match Store::open(&path, options(Still::new(6))) {
        // A damaged file may be found damaged at any of its pages: each call answers for itself.
        Ok(store) => {
            let said = store.check().map_or(true, |report| !report.is_ok());
            assert!(said || !sqlite_complains(&path), "SQLite complains of the file, and the check finds nothing");
            use_it(&store, room.path());
        }
        Err(error) => {
            let left = std::fs::read(&path).expect("the file is still there");
            assert!(left == bytes, "a file that was refused was written to: {error}");
        }
    }
}

fn change(bytes: &mut Vec<u8>, source: &mut Source<'_>) {
    let pages = bytes.len() / 4096;
    while !source.is_empty() {
        // The first bytes of a page say most about it.
        let page = source.below(pages) * 4096;
        match source.below(8) {
            0 => {
                let at = source.below(100);
                bytes[at] = source.below(256) as u8;
            }
            1..=3 => {
                let at = page + source.below(64);
                bytes[at] = source.below(256) as u8;
            }
            4 | 5 => {
                let at = page + source.below(4096);
                let len = source.below(16).min(bytes.len() - at);
                let piece = source.bytes(len);
                bytes[at..at + piece.len()].copy_from_slice(piece);
            }
            6 => {
                let from = source.below(pages) * 4096;
                bytes.copy_within(from..from + 4096, page);
            }
            _ if source.one_in(8) => return bytes.truncate(page + source.below(4096)),
            _ => bytes[page + source.below(4096)] ^= 1 << source.below(8),
        }
    }
}

/// What SQLite itself says of the file, without anything of the store.
fn sqlite_complains(path: &Path) -> bool {
    let found = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .and_then(|file| file.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)));
    found.map_or(true, |words| words != "ok")
}

fn use_it(store: &Store, room: &Path) {
    let _ = read_all(store);
    let _ = store.set("notes", "k0", &1);
    let _ = store.update("notes", "k1", |value| *value = 2.into());
    let _ = store.set_index("notes", "k4", "x", "later");
    let _ = store.delete_relation("notes", "k5", "x");
    let _ = store.add_tag("notes", "k0", "u");
    let _ = store.delete("notes", "k5");
    let _ = store.delete("lists", "k0");
    let _ = store.sync(&honest_with_resources(room));
    let _ = read_all(store);
    let _ = store.sync(&honest_with_resources(room));
}
