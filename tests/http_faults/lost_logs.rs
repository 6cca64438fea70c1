//! Logs that are pruned, and logs that are restored from a backup, over HTTP.

use crate::rig::{DATABASE, Rig, contents, options, plain};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use syncstore::environment::{Environment, SystemEnvironment};
use syncstore::wire::{Expiry, HttpWire, PullRequest, Wire, WireError};
use syncstore::{BootstrapReason, ClientId, Outcome, Store};
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};

/// The server's clock, which a test moves on.
#[derive(Default)]
struct Moved {
    system: SystemEnvironment,
    ahead_ms: AtomicU64,
}

impl Environment for Moved {
    fn unix_ms(&self) -> u64 {
        self.system.unix_ms() + self.ahead_ms.load(Ordering::SeqCst)
    }
    fn monotonic(&self) -> Duration {
        self.system.monotonic() + Duration::from_millis(self.ahead_ms.load(Ordering::SeqCst))
    }
    fn random(&self) -> u64 {
        self.system.random()
    }
    fn sleep(&self, duration: Duration) {
        self.system.sleep(duration);
    }
}

fn expired(wire: &HttpWire, cursor: Option<syncstore::protocol::Cursor>) -> Option<WireError> {
    let client = ClientId::from_random(99);
    let mut request = PullRequest::new(client, 1);
    request.cursor = cursor;
    wire.pull(&request).err()
}

#[test]
fn a_cursor_that_real_pruning_left_behind_takes_a_checkpoint_and_keeps_the_outbox() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Moved::default());
    let mut config = Config::dev();
    config.limits.log_retention = 20;
    let mut server = ServerOptions::new(dir.path().join("server"), config);
    server.environment = clock.clone();
    let server = Server::start(server).unwrap();
    let wire = HttpWire::new(&server.url(), DATABASE, plain()).unwrap();
    let behind = Store::open(dir.path().join("behind.db"), options()).unwrap();
    let busy = Store::open(dir.path().join("busy.db"), options()).unwrap();
    behind.set("notes", "stays", &1).unwrap();
    behind.set("notes", "goes", &1).unwrap();
    behind.set("lists", "l1", &json!({"ids": []})).unwrap();
    behind.sync(&wire).unwrap();
    busy.sync(&wire).unwrap();
    for number in 0..200 {
        busy.set("many", &format!("k{:02}", number % 50), &number).unwrap();
        if number % 50 == 49 {
            busy.sync(&wire).unwrap();
        }
    }
    busy.delete("notes", "goes").unwrap();
    busy.sync(&wire).unwrap();
    let patch = serde_json::from_value(json!([{"op": "add", "path": "/ids/-", "value": 1}])).unwrap();
    let kept = behind.patch("lists", "l1", &patch).unwrap();
    let own = behind.set("notes", "own", &2).unwrap();
    // The server prunes between pushes, once its interval is over.
    let mut pushes = 0;
    // By then the checkpoints of both replicas, behind which nothing is pruned, are given up.
    clock.ahead_ms.fetch_add(25 * 3_600_000, Ordering::SeqCst);
    while expired(&wire, None).is_none() {
        clock.ahead_ms.fetch_add(61_000, Ordering::SeqCst);
        busy.set("many", "k00", &json!({"push": pushes})).unwrap();
        busy.sync(&wire).unwrap();
        pushes += 1;
        assert!(pushes < 100, "the log is never pruned");
    }
    assert_eq!(expired(&wire, None), Some(WireError::CursorExpired(Expiry::Pruned)));
    let report = behind.sync(&wire).unwrap();
    assert_eq!(report.bootstrapped, Some(BootstrapReason::Expired));
    for op in [kept, own] {
        assert!(matches!(behind.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    }
    assert_eq!(behind.pending().unwrap(), []);
    busy.sync(&wire).unwrap();
    let items = contents(&behind);
    assert_eq!(items, contents(&busy));
    assert_eq!(items[&("lists".into(), "l1".into())], json!({"ids": [1]}));
    assert!(!items.contains_key(&("notes".into(), "goes".into())));
    assert_eq!(behind.sync(&wire).unwrap().bootstrapped, None, "once is enough");
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The operator restores yesterday's directory: with a new epoch as told, and without, which must be found out too.
#[test]
fn a_log_restored_from_a_backup_is_found_out_and_what_it_lost_is_said() {
    for new_epoch in [true, false] {
        let mut rig = Rig::new();
        let data = rig.dir.path().join("server");
        let listen = rig.server().addr().to_string();
        rig.server.take().unwrap().stop();
        let backup = rig.dir.path().join("backup");
        copy_directory(&data, &backup);
        let start = |new_epoch| {
            let config = Config::dev();
            let mut options = ServerOptions::new(&data, config);
            options.listen = listen.clone();
            options.new_epoch = new_epoch;
            Server::start(options).unwrap()
        };
        rig.server = Some(start(false));
        let wire = rig.wire(plain());
        let lost = rig.store.set("notes", "lost", &"with the backup").unwrap();
        rig.store.sync(&wire).unwrap();
        assert!(matches!(rig.store.outcome(lost).unwrap(), Some(Outcome::Accepted { .. })));
        let waiting = rig.store.set("notes", "waiting", &"since before").unwrap();

        rig.server.take().unwrap().stop();
        fs::remove_dir_all(&data).unwrap();
        copy_directory(&backup, &data);
        rig.server = Some(start(new_epoch));
        let other = Store::open(rig.dir.path().join("other.db"), options()).unwrap();
        if new_epoch {
            // In the old epoch it would fill the seqs that are free again, and nobody could tell which ops are lost.
            for number in 0..3 {
                other.set("notes", &format!("other{number}"), &number).unwrap();
            }
        }
        other.sync(&wire).unwrap();

        let report = rig.store.sync(&wire).unwrap();
        assert_eq!(report.bootstrapped, Some(BootstrapReason::Rewound), "new epoch: {new_epoch}");
        let outcome = rig.store.outcome(lost).unwrap();
        assert!(matches!(outcome, Some(Outcome::Undone { .. })), "new epoch: {new_epoch}: {outcome:?}");
        assert_eq!(report.undone, 1);
        assert!(matches!(rig.store.outcome(waiting).unwrap(), Some(Outcome::Accepted { .. })));
        assert_eq!(rig.store.get_raw("notes", "lost").unwrap(), None);
        other.sync(&wire).unwrap();
        assert_eq!(contents(&rig.store), contents(&other));
        rig.assert_converges(plain(), "restored");
    }
}

/// The same for the client's side: an older copy of its file, and two copies at once.
#[test]
fn a_replica_restored_from_a_copy_converges_and_applies_nothing_twice() {
    let mut rig = Rig::new();
    rig.append();
    let wire = rig.wire(plain());
    // With an op in the outbox that the original goes on to fold and to push.
    let copied = rig.store.set("notes", "n1", &"as copied").unwrap();
    rusqlite::Connection::open(&rig.file)
        .unwrap()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let copy = rig.dir.path().join("copy.db");
    fs::copy(&rig.file, &copy).unwrap();
    rig.store.set("notes", "n1", &"folded after the copy").unwrap();
    rig.append();
    rig.store.sync(&wire).unwrap();

    let twin = Store::open(&copy, options()).unwrap();
    assert_eq!(twin.client_id().unwrap(), rig.store.client_id().unwrap());
    let own = twin.set("notes", "twin", &"own").unwrap();
    twin.sync(&wire).unwrap();
    assert_eq!(twin.pending().unwrap(), []);
    assert!(matches!(twin.outcome(own).unwrap(), Some(Outcome::Accepted { .. })));
    assert!(twin.outcome(copied).unwrap().is_some());
    for round in 0..5 {
        rig.append();
        twin.set("notes", "twin", &round).unwrap();
        rig.store.sync(&wire).unwrap();
        twin.sync(&wire).unwrap();
    }
    rig.store.sync(&wire).unwrap();
    assert_eq!(contents(&twin), contents(&rig.store));
    rig.assert_converges(plain(), "a copy");
    rig.assert_log_has_each_ref_once(plain());
}
