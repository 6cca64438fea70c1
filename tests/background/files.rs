//! Several stores on one file.

use crate::listener::*;
use crate::wires::{Broken, Gated};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use syncstore::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, PullRequest, Wire, WireError};
use syncstore::{Event, Filter, Missed, Notice, Options, Outcome, Ref, Store, SyncState, Watch};
use syncstore_server::config::{Collection, Config};
use syncstore_server::service::Policy;

#[test]
fn one_store_syncs_a_file_at_a_time_and_the_next_takes_over() {
    let site = Site::new();
    let (first, second) = (site.store("one.db"), site.store("one.db"));
    let (mut hears_first, mut hears_second) = (Listener::new(&first), Listener::new(&second));
    first.start(site.wire(), quick()).unwrap();
    hears_first.until_state(SyncState::Idle);
    second.start(site.wire(), quick()).unwrap();
    hears_second.until_state(SyncState::SyncedElsewhere);
    assert!(second.status().next_try.unwrap() <= quick().look_every);
    // What the second writes the first one pushes, and the second hears that there is something to ask for.
    let made = second.set("notes", "n1", &1).unwrap();
    while !matches!(second.outcome(made).unwrap(), Some(Outcome::Accepted { .. })) {
        hears_second.until("that outcomes may have changed", |event| {
            matches!(event, Event::Missed(Missed::OutcomesUncounted)).then_some(())
        });
    }
    hears_first.until_settled(made);
    // Dropped, as by the end of its process.
    drop(first);
    let made = second.set("notes", "n1", &2).unwrap();
    hears_second.until_settled(made);
    hears_second.until_true("being well", || second.status().error.is_none());
}

#[test]
fn what_a_store_writes_that_does_not_sync_is_found_and_pushed() {
    let site = Site::new();
    let (syncing, writing) = (site.store("one.db"), site.store("one.db"));
    let mut hears = Listener::new(&syncing);
    syncing.start(site.wire(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    let notes = hears.events.subscribe(Watch::all()).unwrap();
    for n in 0..5 {
        let begun = Instant::now();
        let made = writing.set("notes", "n1", &n).unwrap();
        hears.until("the change", |event| match event {
            Event::Changed { subscription, change } if *subscription == notes => {
                assert_eq!(change.op_ref, Some(made));
                Some(())
            }
            _ => None,
        });
        hears.until_settled(made);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

#[test]
fn another_filter_set_in_a_store_that_does_not_sync_is_brought_about() {
    let site = Site::new();
    let (first, second) = (site.store("one.db"), site.store("one.db"));
    first.set("notes", "n1", &1).unwrap();
    first.set("logs", "l1", &1).unwrap();
    first.sync(&*site.wire()).unwrap();
    let (mut hears_first, mut hears_second) = (Listener::new(&first), Listener::new(&second));
    first.start(site.wire(), quick()).unwrap();
    hears_first.until_state(SyncState::Idle);
    second.start(site.wire(), quick()).unwrap();
    hears_second.until_state(SyncState::SyncedElsewhere);
    second.keep(&Filter::only(["notes"])).unwrap();
    hears_first.until_true("the end of the logs", || first.get::<i32>("logs", "l1").unwrap().is_none());
    let is_here = |filter| first.kept().unwrap().here == filter;
    hears_first.until_true("the filter", || is_here(Filter::only(["notes"])));
    second.keep(&Filter::everything()).unwrap();
    hears_first.until_true("the logs", || first.get::<i32>("logs", "l1").unwrap() == Some(1));
}

#[test]
fn without_a_background_sync_a_pump_looks_for_others_itself() {
    let site = Site::new();
    let (one, other) = (site.store("one.db"), site.store("one.db"));
    let events = one.events(Default::default(), || {});
    events.subscribe(Watch::all()).unwrap();
    let made = other.set("notes", "n1", &1).unwrap();
    let mut told = Vec::new();
    events.pump(9, PATIENCE, |event| told.push(event)).unwrap();
    assert!(matches!(&told[..], [Event::Changed { change, .. }] if change.op_ref == Some(made)), "{told:?}");
}

#[test]
fn what_others_wrote_before_it_was_started_again_is_told_offline_too() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    hears.events.subscribe(Watch::all()).unwrap();
    store.start(site.wire(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    assert_stops(&store);
    let made = site.store("one.db").set("notes", "n1", &1).unwrap();
    let gate = Gated::new(site.wire());
    let _shut = gate.shut_for_a_while();
    store.start(gate.clone(), quick()).unwrap();
    let change = hears.until("the change", |event| match event {
        Event::Changed { change, .. } => Some(change.clone()),
        _ => None,
    });
    assert_eq!(change.op_ref, Some(made));
}

#[test]
fn that_others_settled_something_before_it_was_started_is_told() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    for n in 0..2 {
        let made = store.set("notes", "n1", &n).unwrap();
        site.store("one.db").sync(&*site.wire()).unwrap();
        store.start(site.wire(), quick()).unwrap();
        hears.until("that outcomes may have changed", |event| {
            matches!(event, Event::Missed(Missed::OutcomesUncounted)).then_some(())
        });
        assert!(matches!(store.outcome(made).unwrap(), Some(Outcome::Accepted { .. })));
        hears.until_state(SyncState::Idle);
        assert_stops(&store);
        hears.all();
    }
}

#[test]
fn a_store_that_hangs_with_the_turn_is_told_of_and_followed() {
    let site = Site::new();
    let (hanging, waiting) = (site.store("one.db"), site.store("one.db"));
    let gate = Gated::new(site.wire());
    gate.shut(true);
    hanging.start(gate.clone(), quick()).unwrap();
    gate.until_waiting();
    let mut hears = Listener::new(&waiting);
    waiting.start(site.wire(), quick()).unwrap();
    hears.until_state(SyncState::SyncedElsewhere);
    let made = waiting.set("notes", "n1", &1).unwrap();
    for _ in 0..3 {
        // Each try is announced with the time of the next.
        assert!(waiting.status().next_try.is_some_and(|next| next <= quick().look_every));
        hears.events.wait(quick().look_every);
    }
    hanging.stop(PATIENCE);
    hears.until_settled(made);
    gate.shut(false);
}

#[test]
fn a_paused_store_still_hears_what_others_write() {
    let site = Site::new();
    let (paused, writing) = (site.store("one.db"), site.store("one.db"));
    let mut hears = Listener::new(&paused);
    paused.start(site.wire(), quick()).unwrap();
    paused.pause();
    hears.until_state(SyncState::Paused);
    hears.events.subscribe(Watch::all()).unwrap();
    for n in 0..3 {
        let made = writing.set("notes", "n1", &n).unwrap();
        hears.until("the change", |event| match event {
            Event::Changed { change, .. } => {
                assert_eq!(change.op_ref, Some(made));
                Some(())
            }
            _ => None,
        });
    }
}

#[test]
fn while_a_request_hangs_what_others_write_is_told() {
    let site = Site::new();
    let (hanging, writing) = (site.store("one.db"), site.store("one.db"));
    let gate = Gated::new(site.wire());
    let mut hears = Listener::new(&hanging);
    hanging.start(gate.clone(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    gate.shut(true);
    hanging.set("notes", "n1", &1).unwrap();
    hears.until_state(SyncState::Pushing);
    hears.events.subscribe(Watch::collection("theirs")).unwrap();
    for n in 0..3 {
        let begun = Instant::now();
        let made = writing.set("theirs", "n1", &n).unwrap();
        hears.until("the change", |event| match event {
            Event::Changed { change, .. } => {
                assert_eq!(change.op_ref, Some(made));
                Some(())
            }
            _ => None,
        });
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert_eq!(hanging.status().state, SyncState::Pushing);
    }
    gate.shut(false);
}

/// Writes an item of `theirs` and waits until it is told.
fn hears_of_a_write(hears: &mut Listener, writing: &Store, value: i32) {
    let made = writing.set("theirs", "n1", &value).unwrap();
    let change = hears.until("the change", |event| match event {
        Event::Changed { change, .. } => Some(change.clone()),
        _ => None,
    });
    assert_eq!(change.op_ref, Some(made));
}

#[test]
fn while_a_blocking_sync_of_the_hosts_hangs_what_others_write_is_told() {
    let site = Site::new();
    let (store, writing) = (site.store("one.db"), site.store("one.db"));
    let mut hears = Listener::new(&store);
    store.start(site.wire(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    let gate = Gated::new(site.wire());
    std::thread::scope(|scope| {
        let shut = gate.shut_for_a_while();
        let hanging = scope.spawn(|| store.sync(&*gate).map(drop));
        gate.until_waiting();
        // The background sync is to push it, and waits for the other one.
        store.set("notes", "n1", &1).unwrap();
        hears.events.subscribe(Watch::collection("theirs")).unwrap();
        // A look that was due before may find the first one.
        for n in 0..3 {
            hears_of_a_write(&mut hears, &writing, n);
        }
        drop(shut);
        hanging.join().unwrap().unwrap();
    });
}

/// A wire whose gate shuts at the second page of a checkpoint.
struct Stalling(Arc<Gated>, AtomicUsize);

impl Wire for Stalling {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.0.info()
    }
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.0.push(request)
    }
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        self.0.pull(request)
    }
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        if self.1.fetch_add(1, Ordering::SeqCst) == 1 {
            self.0.shut(true);
        }
        self.0.checkpoint(request)
    }
}

#[test]
fn while_a_page_of_a_checkpoint_hangs_what_others_write_is_told() {
    let site = Site::new();
    let full = site.store("full.db");
    for n in 0..30 {
        full.set("notes", &format!("n{n}"), &n).unwrap();
    }
    full.sync(&*site.wire()).unwrap();
    let mut options = Options::default();
    options.checkpoint_items = 10;
    let store = Store::open(site.dir.path().join("new.db"), options).unwrap();
    let mut hears = Listener::new(&store);
    let gate = Gated::new(site.wire());
    store.start(Arc::new(Stalling(gate.clone(), AtomicUsize::new(0))), quick()).unwrap();
    hears.until("the first page", |event| match event {
        Event::Status(status) => matches!(status.state, SyncState::Bootstrapping { loaded: 10, .. }).then_some(()),
        _ => None,
    });
    let writing = site.store("new.db");
    hears.events.subscribe(Watch::collection("theirs")).unwrap();
    for n in 0..3 {
        hears_of_a_write(&mut hears, &writing, n);
        assert!(matches!(store.status().state, SyncState::Bootstrapping { .. }));
    }
    gate.shut(false);
    hears.until_true("the end", || store.get::<i32>("notes", "n29").unwrap() == Some(29));
}

/// A site whose server refuses what is stale, a store on `one.db` whose op on `careful` is so, and another store on that file.
fn stale() -> (Site, Store, Store, Ref) {
    let mut config = Config::dev();
    config.collections.insert("careful".into(), Collection { policy: Policy::RejectStale });
    let site = Site::with(config);
    let (store, theirs) = (site.store("one.db"), site.store("theirs.db"));
    store.set("careful", "k", &json!({"a": 0})).unwrap();
    store.sync(&*site.wire()).unwrap();
    theirs.sync(&*site.wire()).unwrap();
    theirs.set("careful", "k", &json!({"a": 1})).unwrap();
    theirs.sync(&*site.wire()).unwrap();
    let refused = store.set("careful", "k", &json!({"a": 2})).unwrap();
    let other = site.store("one.db");
    (site, store, other, refused)
}

/// Hears that outcomes have changed, and finds the refusal among the notices.
fn hears_of_the_refusal(hears: &mut Listener, store: &Store, refused: Ref) {
    hears.until("that outcomes may have changed", |event| {
        assert!(!matches!(event, Event::Settled { .. }), "it did not settle it itself: {event:?}");
        matches!(event, Event::Missed(Missed::OutcomesUncounted)).then_some(())
    });
    let notices = store.take_notices(9).unwrap();
    assert!(matches!(&notices[..], [Notice::Rejected(op)] if op.op_ref == refused), "{notices:?}");
}

#[test]
fn a_paused_store_hears_of_a_refusal_that_another_one_found() {
    let (site, store, other, refused) = stale();
    let mut hears = Listener::new(&store);
    let gate = Gated::new(site.wire());
    gate.shut(true);
    store.start(gate.clone(), quick()).unwrap();
    store.pause();
    hears.until_state(SyncState::Paused);
    gate.shut(false);
    other.sync(&*site.wire()).unwrap();
    hears_of_the_refusal(&mut hears, &store, refused);
}

#[test]
fn a_store_without_a_credential_hears_of_a_refusal_that_another_one_found() {
    let (site, store, other, refused) = stale();
    let mut hears = Listener::new(&store);
    let refusing = || Some(WireError::Unauthenticated("expired".into()));
    store.start(Arc::new(Broken(site.wire(), refusing)) as Arc<dyn Wire>, quick()).unwrap();
    hears.until_state(SyncState::NeedsCredential);
    other.sync(&*site.wire()).unwrap();
    hears_of_the_refusal(&mut hears, &store, refused);
}
