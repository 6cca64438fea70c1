//! Replicas of a database that has as much as it may.

use crate::support::{Fleet, Server, get};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn a_full_database_keeps_nobody_from_loading_reading_and_deleting_and_what_waits_goes_later() {
    let limit = Arc::new(AtomicU64::new(u64::MAX));
    let (fleet, largest) = (Fleet::new(), limit.clone());
    let server = Server::with(move |options| options.largest_database = largest.load(Ordering::Relaxed));
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    for key in ["one", "two"] {
        ours.set("c", key, &1).unwrap();
    }
    ours.sync(&server.wire()).unwrap();
    // Accepted, and not read back when the database is full.
    theirs.set("c", "three", &1).unwrap();
    theirs.push(&server.wire()).unwrap();
    limit.store(1, Ordering::Relaxed);
    server.restart();

    theirs.set("c", "four", &1).unwrap();
    let report = theirs.sync(&server.wire()).unwrap();
    assert!(report.bootstrapped.is_some(), "its first sync loads a checkpoint, and pushes everything again");
    assert_eq!(report.skipped, 1, "offered twice by the call, and counted as it was last");
    assert_eq!((get(&theirs, "c", "one"), theirs.pending_count().unwrap()), (Some(json!(1)), 1), "the set waits alone");

    ours.set("c", "five", &1).unwrap();
    ours.delete("c", "one").unwrap();
    let report = ours.sync(&server.wire()).unwrap();
    assert_eq!(ours.pending_count().unwrap(), 1, "the delete went, behind the set that did not");
    assert_eq!((report.pushed, report.accepted, report.skipped), (1, 1, 1));
    theirs.sync(&server.wire()).unwrap();
    assert_eq!((get(&theirs, "c", "one"), get(&theirs, "c", "four")), (None, Some(json!(1))));

    limit.store(u64::MAX, Ordering::Relaxed);
    server.restart();
    for store in [&ours, &theirs] {
        let report = store.sync(&server.wire()).unwrap();
        assert_eq!((report.skipped, store.pending_count().unwrap()), (0, 0));
    }
    assert_eq!(server.items().into_keys().map(|(_, key)| key).collect::<Vec<_>>(), ["five", "four", "three", "two"]);
}
