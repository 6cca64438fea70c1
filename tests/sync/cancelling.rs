//! A sync that is cancelled from another thread, or by whatever runs within it.

use crate::support::scripted::*;
use serde_json::json;
use std::time::{Duration, Instant};
use syncstore::wire::WireError;
use syncstore::{Cancel, Error, Event, EventOptions, LogLevel, Options, Store};

/// What a cancelled sync may take to end.
const BOUND: Duration = Duration::from_millis(250);

fn assert_cancelled(store: &Store, wire: &ScriptedWire, cancel: &Cancel) {
    let error = store.sync_until(wire, cancel, &mut |_| {}).unwrap_err().into_error();
    assert!(matches!(error, Error::Cancelled), "{error:?}");
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("r.db"), Options::default()).unwrap();
    (dir, store)
}

#[test]
fn a_wait_between_two_tries_ends() {
    let (_dir, store) = store();
    let (wire, cancel) = (ScriptedWire::new(), Cancel::new());
    let cancelling = cancel.clone();
    wire.on_pull(move |_| {
        std::thread::spawn(move || cancelling.cancel());
        let retry_after = Some(Duration::from_secs(20));
        Err(WireError::Unavailable { status: 503, retry_after, message: String::new() })
    });
    let begun = Instant::now();
    assert_cancelled(&store, &wire, &cancel);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    store.sync(&wire).unwrap();
}

#[test]
fn a_page_that_comes_after_the_cancelling_is_left_alone() {
    let (_dir, store) = store();
    let (wire, cancel) = (ScriptedWire::new(), Cancel::new());
    store.sync(&wire).unwrap();
    let cancelling = cancel.clone();
    wire.on_pull(move |request| {
        cancelling.cancel();
        Ok(page_of(request, vec![set_entry(1, foreign(1), "notes", "n1", json!(1), 0)], false))
    });
    assert_cancelled(&store, &wire, &cancel);
    assert_eq!((store.position().unwrap(), store.get_raw("notes", "n1").unwrap()), (0, None));
    wire.on_pull_page(vec![set_entry(1, foreign(1), "notes", "n1", json!(1), 0)]);
    store.sync_until(&wire, &Cancel::new(), &mut |_| {}).unwrap();
    assert_eq!(store.get_raw("notes", "n1").unwrap().as_deref(), Some("1"));
}

#[test]
fn what_is_cancelled_before_it_begins_asks_for_nothing() {
    let (_dir, store) = store();
    let (wire, cancel) = (ScriptedWire::new(), Cancel::new());
    store.set("notes", "n1", &1).unwrap();
    cancel.cancel();
    assert_cancelled(&store, &wire, &cancel);
    assert!(wire.pushed().is_empty() && wire.pulled().is_empty() && wire.checkpointed().is_empty());
    assert_eq!(store.pending_count().unwrap(), 1);
}

#[test]
fn a_sync_that_is_cancelled_by_a_wire_that_fails_says_so() {
    let (_dir, store) = store();
    let (wire, cancel) = (ScriptedWire::new(), Cancel::new());
    let cancelling = cancel.clone();
    wire.on_pull(move |_| {
        cancelling.cancel();
        Err(WireError::Unreachable("the connection was cut off".into()))
    });
    assert_cancelled(&store, &wire, &cancel);
    assert!(wire.is_over());
}

#[test]
fn a_sync_that_waits_for_another_process_to_write_ends() {
    let (dir, store) = store();
    let (wire, cancel) = (ScriptedWire::new(), Cancel::new());
    store.sync(&wire).unwrap();
    let other = rusqlite::Connection::open(dir.path().join("r.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let cancelling = cancel.clone();
    wire.on_pull_page(vec![set_entry(1, foreign(1), "notes", "n1", json!(1), 0)]).on_pull(|_| unreachable!());
    let mut listening = EventOptions::default();
    listening.log_level = Some(LogLevel::Debug);
    let events = store.events(listening, || {});
    let begun = std::thread::scope(|scope| {
        let cancelled = scope.spawn(move || {
            let mut waits = false;
            while !waits {
                assert!(events.wait(Duration::from_secs(30)), "it does not wait");
                let told = |event| waits |= matches!(event, Event::Log(line) if line.text.starts_with("waits for"));
                events.pump(100, Duration::from_secs(1), told).unwrap();
            }
            cancelling.cancel();
            Instant::now()
        });
        assert_cancelled(&store, &wire, &cancel);
        let ended = Instant::now();
        ended.saturating_duration_since(cancelled.join().unwrap())
    });
    assert!(begun < BOUND, "{begun:?}");
    other.execute_batch("ROLLBACK").unwrap();
}
