//! A server begins with a write-ahead log that the one before left unsynced.

use crate::rig::{Clock, START};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use syncstore::protocol::{ClientId, PushOutcome, PushRequest, Ref, Seq};
use syncstore_server::service::{Caller, InboxRequest, Service, ServiceError, ServiceOptions, Tags, Writing};
use syncstore_simulation::disk::{Disk, Fault, Stop};
use tempfile::TempDir;

const DB: &str = "test";

/// Of four power losses, one loses all that was not synced: so many seeds miss that once in 10,000 times.
const SEEDS: u64 = 32;

/// A disk with the files of a server's one database.
struct Machine {
    disk: Disk,
    directory: TempDir,
}

impl Machine {
    fn new(seed: u64) -> Machine {
        Machine { disk: Disk::new(seed), directory: tempfile::tempdir().unwrap() }
    }

    fn server(&self, synced: bool) -> Server {
        let mut options = ServiceOptions::new(self.directory.path());
        options.environment = Clock::seeded(0);
        options.writing = Writing::Caller;
        options.synced = synced;
        options.vfs = Some(self.disk.name().into());
        Server(Service::open(options).unwrap())
    }

    /// What another process may open.
    fn connection(&self) -> Connection {
        let path = self.directory.path().join(format!("db-{DB}.sqlite"));
        Connection::open_with_flags_and_vfs(path, OpenFlags::SQLITE_OPEN_READ_WRITE, self.disk.name()).unwrap()
    }

    /// Stops so, with everything that is open, and starts again.
    fn stop(&self, how: Stop, open: impl Sized) {
        self.disk.stop_now(how);
        drop(open);
        self.disk.heal();
        self.disk.restart();
    }

    /// Has a log of `ops` entries that nobody has synced.
    fn with_an_unsynced_log(seed: u64, ops: u64) -> Machine {
        let machine = Machine::new(seed);
        let server = machine.server(false);
        (1..=ops).for_each(|n| server.push(n).unwrap());
        machine.stop(Stop::Process, server);
        machine
    }
}

struct Server(Service);

fn caller() -> Caller {
    Caller { user: "ada".into(), tags: Tags::All, grant: Vec::new() }
}

impl Server {
    fn push(&self, n: u64) -> Result<(), ServiceError> {
        let op = Ref::from_parts((START as i64) << 12 | n as i64, n);
        let value = "x".repeat(3_000);
        let op = json!({"ref": op, "op": "set", "collection": "c", "key": format!("k{n}"), "value": value});
        let request = json!({"client": ClientId::from_random(1), "ops": [op]}).to_string();
        let request: PushRequest = serde_json::from_str(&request).unwrap();
        let answer = self.0.push(DB, &caller(), request)?;
        assert_eq!(answer.results[0].outcome, PushOutcome::Accepted);
        Ok(())
    }

    fn head(&self) -> Result<Seq, ServiceError> {
        self.0.info(DB, &caller()).map(|info| info.seq)
    }

    /// Up to which seq another client is shown the log.
    fn shows(&self) -> Result<Seq, ServiceError> {
        let request = InboxRequest {
            client: ClientId::from_random(2),
            cursor: None,
            limit: 1_000,
            own_payloads: true,
            scope: Default::default(),
        };
        let page = self.0.inbox(DB, &caller(), &request)?;
        Ok(page.entries.last().map_or(0, |entry| entry.seq))
    }
}

#[test]
fn what_a_server_shows_while_another_process_reads_the_log_survives_a_power_loss() {
    for seed in 0..SEEDS {
        let machine = Machine::new(seed);
        let before = machine.server(false);
        before.push(1).unwrap();
        // All of the log is in the file; who reads now lets no later entry be written back.
        let reader = machine.connection();
        reader.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM state").unwrap();
        before.push(2).unwrap();
        drop(before);
        let after = machine.server(true);
        assert_eq!((after.head().unwrap(), after.shows().unwrap()), (2, 2), "seed {seed}");
        machine.stop(Stop::Power, (after, reader));
        assert_eq!(machine.server(true).head().unwrap(), 2, "seed {seed}");
    }
}

#[test]
fn a_full_disk_is_read_and_what_was_shown_survives_a_power_loss() {
    for seed in 0..SEEDS {
        let machine = Machine::with_an_unsynced_log(seed, 20);
        machine.disk.set_capacity(Some(machine.disk.used()));
        let full = machine.server(true);
        assert_eq!((full.head().unwrap(), full.shows().unwrap()), (20, 20), "seed {seed}");
        assert!(matches!(full.push(21), Err(ServiceError::Storage(_))), "there is no room");
        machine.stop(Stop::Power, full);
        let again = machine.server(true);
        assert_eq!(again.head().unwrap(), 20, "seed {seed}");
        again.push(21).unwrap();
        assert_eq!(again.shows().unwrap(), 21);
    }
}

#[test]
fn a_disk_that_takes_no_write_at_all_is_read_and_what_was_shown_survives_a_power_loss() {
    for seed in 0..SEEDS {
        let machine = Machine::with_an_unsynced_log(seed, 20);
        // Some say that they are full, others that the write failed.
        machine.disk.fail_every(1, Fault::ShortWrite);
        let full = machine.server(true);
        assert_eq!((full.head().unwrap(), full.shows().unwrap()), (20, 20), "seed {seed}");
        machine.stop(Stop::Power, full);
        assert_eq!(machine.server(true).head().unwrap(), 20, "seed {seed}");
    }
}

#[test]
fn a_full_disk_that_another_process_reads_is_opened_once_the_log_can_be_synced() {
    let machine = Machine::new(1);
    let before = machine.server(false);
    before.push(1).unwrap();
    let reader = machine.connection();
    reader.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM state").unwrap();
    before.push(2).unwrap();
    drop(before);
    machine.disk.set_capacity(Some(machine.disk.used()));
    let full = machine.server(true);
    let Err(ServiceError::Storage(error)) = full.head() else { panic!("nothing of it may be shown") };
    assert!(error.to_string().contains("full"), "{error}");
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(full.head().unwrap(), 2, "the log is synced now, and can be read");
}
