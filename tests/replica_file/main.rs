//! The replica's file: which files open, what damage does, two processes on one, a full disk.
#![cfg(all(feature = "http", unix))]

mod compact;
mod damage;
mod disk_full;
#[path = "../support/older.rs"]
mod older;
mod opening;
#[path = "../support/process.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod process;
mod processes;
mod watching;

/// What the other tests run in a process of its own.
#[test]
#[ignore = "played by a process that another test starts"]
fn part_in_another_process() {
    let Some(part) = process::part() else { return };
    match part.as_str() {
        "open at once" => processes::open_at_once_part(),
        "write" => processes::write_part(),
        "write and sync" => processes::write_and_sync_part(),
        "hold a lock" => compact::hold_lock_part(),
        "compact" => disk_full::compact_part(),
        "fill" => disk_full::fill_part(),
        "read-only" => opening::read_only_part(),
        "watch" => watching::watch_part(),
        other => panic!("no part is named {other:?}"),
    }
}

/// The whole file is what SQLite calls intact.
fn assert_intact(path: &std::path::Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}
