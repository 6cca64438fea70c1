//! The disk in memory, as SQLite, the store and the server use it.

use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::sync::Arc;
use std::time::Duration;
use syncstore::Store;
use syncstore_server::service::{Caller, Service, ServiceOptions, Tags, Writing};
use syncstore_simulation::disk::{Disk, Fault, Stop};

const FILE: &str = "/data/test.db";

type Result<T = ()> = rusqlite::Result<T>;

fn open(disk: &Disk, synchronous: &str) -> Result<Connection> {
    let connection = Connection::open_with_flags_and_vfs(FILE, OpenFlags::default(), disk.name())?;
    connection.busy_timeout(Duration::from_millis(200))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute_batch("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")?;
    Ok(connection)
}

fn insert(connection: &Connection, id: i64) -> Result {
    connection.execute("INSERT INTO t VALUES (?1, ?2)", (id, text(id)))?;
    Ok(())
}

fn text(id: i64) -> String {
    format!("{id} ").repeat(100 + id as usize % 7 * 300)
}

/// Inserts rows into a fresh file until the disk refuses, over several openings and with checkpoints in between;
/// returns the ids whose commit was answered.
fn work(disk: &Disk, synchronous: &str) -> (Vec<i64>, Result) {
    let mut committed = Vec::new();
    let mut all = || {
        for opening in 0..2 {
            let connection = open(disk, synchronous)?;
            connection.pragma_update(None, "wal_autocheckpoint", 3)?;
            for id in opening * 10..opening * 10 + 5 {
                insert(&connection, id)?;
                committed.push(id);
            }
        }
        Ok(())
    };
    let end = all();
    (committed, end)
}

fn ids(disk: &Disk) -> Result<Vec<i64>> {
    let connection = open(disk, "FULL")?;
    let mut select = connection.prepare("SELECT id, text FROM t ORDER BY id")?;
    let rows = select.query_map([], |row| {
        let id = row.get(0)?;
        assert_eq!(row.get::<_, String>(1)?, text(id));
        Ok(id)
    })?;
    rows.collect()
}

fn check(disk: &Disk) -> Result<String> {
    open(disk, "FULL")?.query_row("PRAGMA integrity_check", [], |row| row.get(0))
}

fn sqlite_code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

#[test]
fn two_connections_see_each_others_commits_and_lock_each_other_out() {
    let disk = Disk::new(1);
    let (one, other) = (open(&disk, "NORMAL").unwrap(), open(&disk, "NORMAL").unwrap());
    insert(&one, 1).unwrap();
    assert_eq!(other.query_row("SELECT count(*) FROM t", [], |row| row.get(0)), Ok(1));

    one.execute_batch("BEGIN IMMEDIATE").unwrap();
    insert(&one, 2).unwrap();
    let refused = other.execute_batch("BEGIN IMMEDIATE").unwrap_err();
    assert_eq!(sqlite_code(&refused), Some(ErrorCode::DatabaseBusy));
    assert_eq!(
        other.query_row("SELECT count(*) FROM t", [], |row| row.get(0)),
        Ok(1),
        "a reader sees no open transaction"
    );
    one.execute_batch("COMMIT").unwrap();
    insert(&other, 3).unwrap();
    assert_eq!(one.query_row("SELECT count(*) FROM t", [], |row| row.get(0)), Ok(3));

    // A reader keeps its moment through a checkpoint by another connection.
    one.execute_batch("BEGIN").unwrap();
    assert_eq!(one.query_row("SELECT count(*) FROM t", [], |row| row.get(0)), Ok(3));
    insert(&other, 4).unwrap();
    let (busy, log, moved): (i64, i64, i64) = other
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert!(busy == 1 && moved < log, "a reader holds the log: busy {busy}, {moved} of {log} frames");
    assert_eq!(one.query_row("SELECT count(*) FROM t", [], |row| row.get(0)), Ok(3));
    one.execute_batch("COMMIT").unwrap();
    assert_eq!(one.query_row("SELECT count(*) FROM t", [], |row| row.get(0)), Ok(4));
}

#[test]
fn a_rollback_journal_locks_the_file_itself() {
    let disk = Disk::new(1);
    let open = || {
        let connection = Connection::open_with_flags_and_vfs(FILE, OpenFlags::default(), disk.name()).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        connection
    };
    let (one, other) = (open(), open());
    one.execute_batch("CREATE TABLE t (id INTEGER); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)").unwrap();
    assert_eq!(other.query_row("SELECT count(*) FROM t", [], |row| row.get(0)), Ok(0));
    assert!(other.execute_batch("BEGIN IMMEDIATE").is_err());
    other.execute_batch("BEGIN; SELECT * FROM t").unwrap();
    assert_eq!(sqlite_code(&one.execute_batch("COMMIT").unwrap_err()), Some(ErrorCode::DatabaseBusy), "it reads");
    other.execute_batch("COMMIT").unwrap();
    one.execute_batch("COMMIT").unwrap();
    assert_eq!(other.query_row("SELECT count(*) FROM t", [], |row| row.get(0)), Ok(1));
}

/// Stops the work at each of its calls; returns how many stops lost a committed row or damaged the file.
fn stop_everywhere(how: Stop, synchronous: &str) -> (u64, u64) {
    let (mut stops, mut losses) = (0, 0);
    loop {
        let disk = Disk::new(stops);
        disk.stop_after(stops + 1, how);
        let (committed, end) = work(&disk, synchronous);
        assert_eq!(disk.open_files(), 0);
        if !disk.is_stopped() {
            end.unwrap();
            disk.restart();
            assert_eq!(ids(&disk).unwrap(), committed);
            return (stops, losses);
        }
        stops += 1;
        disk.restart();
        let kept = check(&disk).is_ok_and(|answer| answer == "ok")
            && ids(&disk).is_ok_and(|ids| committed.iter().all(|id| ids.contains(id)));
        losses += u64::from(!kept);
    }
}

#[test]
fn what_was_committed_with_full_survives_a_power_loss_at_every_call() {
    let (stops, losses) = stop_everywhere(Stop::Power, "FULL");
    assert!(stops > 100, "only {stops} calls");
    assert_eq!(losses, 0);
}

#[test]
fn what_was_not_synced_can_be_lost() {
    let (stops, losses) = stop_everywhere(Stop::Power, "OFF");
    assert!(losses > stops / 10, "{losses} losses in {stops} stops");
}

#[test]
fn what_was_committed_survives_the_end_of_the_process_whatever_was_synced() {
    for synchronous in ["OFF", "NORMAL"] {
        let (stops, losses) = stop_everywhere(Stop::Process, synchronous);
        assert!(stops > 50, "only {stops} calls");
        assert_eq!(losses, 0, "{synchronous}");
    }
}

#[test]
fn a_power_loss_with_normal_takes_the_last_commits_and_nothing_else() {
    let mut lost = 0;
    for n in 1.. {
        let disk = Disk::new(n);
        disk.stop_after(n, Stop::Power);
        let (committed, end) = work(&disk, "NORMAL");
        if !disk.is_stopped() {
            end.unwrap();
            break;
        }
        disk.restart();
        assert_eq!(check(&disk).unwrap(), "ok", "stopped at call {n}");
        let ids = ids(&disk).unwrap();
        let kept = committed.iter().filter(|id| ids.contains(id)).count();
        assert_eq!(ids[..kept], committed[..kept], "stopped at call {n}: not a beginning of what was committed");
        lost += committed.len() - kept;
    }
    assert!(lost > 0, "a disk that loses nothing shows nothing");
}

#[test]
fn a_stopped_disk_refuses_everything_and_changes_nothing() {
    let disk = Disk::new(1);
    let connection = open(&disk, "FULL").unwrap();
    insert(&connection, 1).unwrap();
    disk.stop_now(Stop::Process);
    let (image, calls) = (disk.image(), disk.calls());
    assert_eq!(sqlite_code(&insert(&connection, 2).unwrap_err()), Some(ErrorCode::SystemIoFailure));
    assert!(open(&disk, "FULL").is_err());
    drop(connection);
    assert_eq!((disk.image(), disk.calls(), disk.open_files()), (image, calls, 0));
    disk.restart();
    assert_eq!(ids(&disk).unwrap(), [1]);
}

#[test]
#[should_panic(expected = "files are open across a restart")]
fn a_restart_with_an_open_file_is_a_bug_of_the_test() {
    let disk = Disk::new(1);
    let _connection = open(&disk, "FULL").unwrap();
    disk.stop_now(Stop::Process);
    disk.restart();
}

#[test]
fn a_full_disk_refuses_growth_and_loses_nothing() {
    let disk = Disk::new(1);
    let connection = open(&disk, "FULL").unwrap();
    disk.set_capacity(Some(disk.used() + 20_000));
    let refused = (1..).find_map(|id| insert(&connection, id).err().map(|error| (id, error)));
    let (refused, error) = refused.unwrap();
    assert_eq!(sqlite_code(&error), Some(ErrorCode::DiskFull));
    assert!(disk.used() <= 60_000);
    disk.set_capacity(None);
    insert(&connection, refused).unwrap();
    drop(connection);
    assert_eq!(check(&disk).unwrap(), "ok");
    assert_eq!(ids(&disk).unwrap(), Vec::from_iter(1..=refused));
}

#[test]
fn one_fault_at_any_call_leaves_a_sound_file_with_all_that_was_committed() {
    for fault in [Fault::Io, Fault::Full, Fault::ShortWrite, Fault::ShortRead] {
        let mut struck = 0;
        for n in 1.. {
            let disk = Disk::new(n);
            disk.fail_after(n, fault);
            let (committed, end) = work(&disk, "FULL");
            if disk.faults() == 0 {
                end.unwrap();
                break;
            }
            struck += 1;
            disk.heal();
            assert_eq!(check(&disk).unwrap(), "ok", "{fault:?} {n}");
            let ids = ids(&disk).unwrap();
            assert!(committed.iter().all(|id| ids.contains(id)), "{fault:?} {n}: {ids:?}, not all of {committed:?}");
        }
        assert!(struck >= 3, "{fault:?} struck {struck} times");
    }
}

#[test]
fn faults_strike_again_and_again_until_healed() {
    let disk = Disk::new(1);
    let connection = open(&disk, "FULL").unwrap();
    disk.fail_every(1, Fault::Full);
    for id in 1..4 {
        assert_eq!(sqlite_code(&insert(&connection, id).unwrap_err()), Some(ErrorCode::DiskFull));
    }
    disk.heal();
    insert(&connection, 1).unwrap();
}

/// The bytes of all files, without what SQLite draws from the process: the salts of a log and the checksums over them.
fn bytes(disk: &Disk) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for (path, _) in disk.files() {
        let mut bytes = disk.read_file(&path).unwrap();
        let name = path.to_str().unwrap().to_owned();
        if name.ends_with("-wal") && !bytes.is_empty() {
            bytes[16..32].fill(0);
            bytes[32..].chunks_mut(24 + 4096).for_each(|frame| frame[8..24].fill(0));
        }
        files.push((name, bytes));
    }
    files
}

#[test]
fn the_same_seed_and_work_give_the_same_calls_and_bytes() {
    let run = |seed| {
        let disk = Disk::new(seed);
        let connection = open(&disk, "NORMAL").unwrap();
        (0..30).for_each(|id| insert(&connection, id).unwrap());
        let before = (disk.calls(), bytes(&disk));
        disk.stop_now(Stop::Power);
        drop(connection);
        (before, bytes(&disk))
    };
    let runs = Vec::from_iter((0..20).map(|seed| (run(seed), run(seed))));
    assert!(runs.iter().all(|(one, other)| one == other));
    assert!(runs.iter().any(|(one, _)| one.1 != runs[0].0.1), "the seed decides nothing");
    assert!(runs.iter().all(|(one, _)| one.0 == runs[0].0.0), "the seed changes what is written");
}

#[test]
fn an_image_brings_back_what_was() {
    let disk = Disk::new(1);
    insert(&open(&disk, "FULL").unwrap(), 1).unwrap();
    let image = disk.image();
    insert(&open(&disk, "FULL").unwrap(), 2).unwrap();
    assert_eq!(ids(&disk).unwrap(), [1, 2]);
    disk.restore(&image);
    assert_eq!(disk.image(), image);
    assert_eq!(ids(&disk).unwrap(), [1]);

    let other = Disk::new(2);
    other.restore(&image);
    assert_eq!(ids(&other).unwrap(), [1], "an image goes to another disk as well");
    let copy = disk.read_file(FILE).unwrap();
    other.remove_file(FILE);
    assert_eq!(other.files(), []);
    other.write_file(FILE, copy);
    assert_eq!(ids(&other).unwrap(), [1]);
}

#[test]
fn the_vfs_goes_with_the_last_clone_and_the_last_file() {
    let disk = Disk::new(1);
    let name = disk.name().to_owned();
    let connection = open(&disk, "FULL").unwrap();
    drop(disk);
    insert(&connection, 1).unwrap();
    let again = || Connection::open_with_flags_and_vfs(FILE, OpenFlags::default(), name.as_str());
    drop(again().expect("the file that is open keeps it"));
    drop(connection);
    assert!(again().is_err());
}

#[test]
fn sql_reads_the_clock_that_is_set() {
    let disk = Disk::new(1);
    let connection = open(&disk, "FULL").unwrap();
    disk.set_clock(1_795_132_800_000);
    let now: String = connection.query_row("SELECT datetime('now')", [], |row| row.get(0)).unwrap();
    assert_eq!(now, "2026-11-20 00:00:00");
}

#[test]
fn threads_may_share_a_disk() {
    let disk = Disk::new(1);
    disk.set_sleeps(true);
    drop(open(&disk, "OFF").unwrap());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let disk = disk.clone();
            scope.spawn(move || {
                let connection = open(&disk, "OFF").unwrap();
                connection.busy_timeout(Duration::from_secs(60)).unwrap();
                for id in 0..40 {
                    insert(&connection, thread * 100 + id).unwrap();
                    connection.query_row("SELECT sum(length(text)) FROM t", [], |_| Ok(())).unwrap();
                }
            });
        }
    });
    assert_eq!(ids(&disk).unwrap().len(), 160);
    assert_eq!(check(&disk).unwrap(), "ok");
}

#[test]
fn a_store_lives_on_it() {
    let disk = Disk::new(1);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("replica.db");
    let mut options = syncstore::Options::default();
    options.vfs = Some(disk.name().into());
    let begun = std::time::Instant::now();
    for turn in 0..50 {
        let store = Store::open(&path, options.clone()).unwrap();
        store.set("notes", "n", &serde_json::json!({ "turn": turn })).unwrap();
    }
    println!("open, set and close of a store: {:?}", begun.elapsed() / 50);
    assert!(!path.exists() && disk.read_file(&path).is_some(), "it is on this disk and no other");
    let store = Store::open(&path, options).unwrap();
    assert_eq!(store.get::<serde_json::Value>("notes", "n").unwrap(), Some(serde_json::json!({ "turn": 49 })));
}

#[test]
fn a_service_lives_on_it() {
    let disk = Disk::new(1);
    let directory = tempfile::tempdir().unwrap();
    let caller = Caller { user: "ada".into(), tags: Tags::All, grant: Vec::new() };
    let open = || {
        let mut options = ServiceOptions::new(directory.path());
        options.writing = Writing::Caller;
        options.vfs = Some(disk.name().into());
        Arc::new(Service::open(options).unwrap())
    };
    let service = open();
    let made = service.info("test", &caller).unwrap();
    service.shutdown();
    drop(service);
    assert_eq!(disk.open_files(), 0);
    assert!(!disk.files().is_empty());
    let service = open();
    assert_eq!(service.info("test", &caller).unwrap().database, made.database);
}
