//! From start to stop, with a server that is well.

use crate::listener::*;
use crate::proxy::{Break, Proxy, Way};
use crate::wires::{Broken, Gated};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use syncstore::{Error, Event, Outcome, Stopped, Store, SyncState, Watch};

#[test]
fn a_write_gets_to_another_replica_by_itself() {
    let site = Site::new();
    let (one, other) = (site.store("one.db"), site.store("other.db"));
    let (mut hears_one, mut hears_other) = (Listener::new(&one), Listener::new(&other));
    one.start(site.wire(), quick()).unwrap();
    other.start(site.wire(), quick()).unwrap();
    hears_one.until_state(SyncState::Idle);
    hears_other.until_state(SyncState::Idle);
    let notes = hears_other.events.subscribe(Watch::collection("notes")).unwrap();
    for n in 0..3 {
        let made = one.set("notes", "n1", &n).unwrap();
        assert!(matches!(hears_one.until_settled(made), Outcome::Accepted { .. }));
        let change = hears_other.until("the change", |event| match event {
            Event::Changed { subscription, change } if *subscription == notes => Some(change.clone()),
            _ => None,
        });
        assert_eq!((change.key.as_str(), change.op_ref), ("n1", Some(made)));
        assert_eq!(other.get::<i32>("notes", "n1").unwrap(), Some(n));
    }
    assert_eq!(one.pending_count().unwrap(), 0);
    assert_eq!((assert_stops(&one), assert_stops(&other)), (Stopped::Entirely, Stopped::Entirely));
}

#[test]
fn a_held_answer_does_not_delay_a_push_nor_a_push_a_held_answer() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let wire = site.wire();
    store.start(wire.clone(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    let before = wire.traffic().round_trips;
    let begun = Instant::now();
    for n in 0..5 {
        let made = store.set("notes", "n1", &n).unwrap();
        hears.until_settled(made);
    }
    // The answers are held for 25 seconds.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let requests = wire.traffic().round_trips - before;
    // A push, and the held answer that brings its entry; a pull of its own where that took longer.
    assert!((10..=20).contains(&requests), "{requests}");
}

#[test]
fn it_starts_once_at_a_time_and_again_after_a_stop() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    assert_eq!(store.status().state, SyncState::Stopped);
    store.start(site.wire(), quick()).unwrap();
    assert!(matches!(store.start(site.wire(), quick()), Err(Error::AlreadyStarted)));
    hears.until_state(SyncState::Idle);
    assert_eq!(assert_stops(&store), Stopped::Entirely);
    hears.until_state(SyncState::Stopped);
    assert_eq!(store.status().state, SyncState::Stopped);
    assert_eq!(assert_stops(&store), Stopped::Entirely, "nothing to stop");
    store.start(site.wire(), quick()).unwrap();
    let made = store.set("notes", "n1", &1).unwrap();
    hears.until_settled(made);
}

#[test]
fn paused_it_sends_nothing_and_resumed_it_does() {
    let site = Site::new();
    let (store, other) = (site.store("one.db"), site.store("one.db"));
    let mut hears = Listener::new(&store);
    let wire = site.wire();
    let mut policy = quick();
    // Without being paused, it would send something between any two looks.
    (policy.poll, policy.pull_every) = (Duration::ZERO, Duration::from_millis(10));
    store.start(wire.clone(), policy).unwrap();
    hears.until_state(SyncState::Idle);
    store.pause();
    hears.until_state(SyncState::Paused);
    assert_eq!((store.status().state, store.status().next_try), (SyncState::Paused, None));
    let made = store.set("notes", "n1", &json!({"title": "Milk"})).unwrap();
    hears.events.subscribe(Watch::collection("looks")).unwrap();
    let (mut requests, mut quiet) = (0, 0);
    for n in 0.. {
        store.sync_now();
        other.set("looks", "l1", &n).unwrap();
        hears.until("a look", |event| matches!(event, Event::Changed { .. }).then_some(()));
        let sent = wire.traffic().round_trips;
        // What was cut off is counted as it comes back.
        quiet = if sent == requests { quiet + 1 } else { 0 };
        requests = sent;
        assert!(n < 50, "it goes on sending: {sent}");
        if quiet == 5 {
            break;
        }
    }
    assert_eq!(store.outcome(made).unwrap(), Some(Outcome::Queued));
    // Another store of the file may sync meanwhile.
    other.sync(&*site.wire()).unwrap();
    assert!(matches!(store.outcome(made).unwrap(), Some(Outcome::Accepted { .. })));
    let next = store.set("notes", "n1", &json!({"title": "Bread"})).unwrap();
    assert_eq!(store.outcome(next).unwrap(), Some(Outcome::Queued));
    store.resume();
    hears.until_settled(next);
    assert_eq!(site.value("notes", "n1"), Some(json!({"title": "Bread"})));
}

/// Pauses in the middle of the push of an op, in time, and resumes once `well` has made the network so.
fn pauses_in_a_push(store: &Store, hears: &mut Listener, op: syncstore::Ref, well: impl FnOnce()) {
    let begun = Instant::now();
    store.pause();
    hears.until_state(SyncState::Paused);
    assert!(begun.elapsed() < CLOSE, "{:?}", begun.elapsed());
    well();
    store.resume();
    hears.until_settled(op);
    hears.until_state(SyncState::Idle);
    let settled = |event: &&Event| matches!(event, Event::Settled { op_ref, .. } if *op_ref == op);
    assert_eq!(hears.all().iter().filter(settled).count(), 1);
}

#[test]
fn pausing_cuts_off_a_push_that_is_not_answered() {
    let site = Site::new();
    let proxy = Proxy::start(site.server.addr());
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let mut policy = quick();
    // Or the fault would meet the request for news.
    policy.poll = Duration::ZERO;
    store.start(wire(&proxy.url()), policy).unwrap();
    hears.until_state(SyncState::Idle);
    let (happened, happens) = mpsc::channel();
    proxy.set_then(Way::Requests, 200, Break::BlackHole, move || happened.send(()).unwrap_or_default());
    let made = store.set("notes", "n1", &1).unwrap();
    happens.recv_timeout(PATIENCE).unwrap();
    hears.until_state(SyncState::Pushing);
    pauses_in_a_push(&store, &mut hears, made, || assert!(!proxy.clear()));
}

#[test]
fn pausing_leaves_a_push_behind_that_cannot_be_cut_off() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let gate = Gated::new(site.wire());
    store.start(gate.clone(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    gate.shut(true);
    let made = store.set("notes", "n1", &1).unwrap();
    hears.until_state(SyncState::Pushing);
    gate.until_waiting();
    pauses_in_a_push(&store, &mut hears, made, || gate.shut(false));
}

#[test]
fn a_burst_of_writes_is_one_request() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let pushes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pushes);
    let counting = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        None
    };
    let mut policy = quick();
    // Far more than two writes can be apart.
    (policy.debounce, policy.longest_debounce) = (Duration::from_secs(1), PATIENCE);
    store.start(Arc::new(Broken(site.wire(), counting)), policy).unwrap();
    hears.until_state(SyncState::Idle);
    let before = pushes.load(Ordering::SeqCst);
    let writes = (0..20).map(|n| {
        // As fast as somebody moves a slider: each could go by itself before the next.
        std::thread::sleep(Duration::from_millis(10));
        store.set("notes", &format!("n{n}"), &n).unwrap()
    });
    hears.until_settled(writes.last().unwrap());
    assert_eq!(pushes.load(Ordering::SeqCst) - before, 1);
    assert_eq!(store.pending_count().unwrap(), 0);
}

#[test]
fn each_change_of_what_it_is_at_is_told_while_it_lasts() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let gate = Gated::new(site.wire());
    gate.shut(true);
    let told = |hears: &mut Listener, state| {
        let status = hears.until(&format!("{state:?}"), |event| match event {
            Event::Status(status) if status.state == state => Some(status.clone()),
            _ => None,
        });
        assert_eq!((store.status().state, &status.error), (state, &None), "{status:?}");
    };
    store.start(gate.clone(), quick()).unwrap();
    told(&mut hears, SyncState::Pulling);
    gate.shut(false);
    hears.until_state(SyncState::Idle);
    gate.shut(true);
    store.set("notes", "n1", &1).unwrap();
    told(&mut hears, SyncState::Pushing);
    gate.shut(false);
    hears.until_state(SyncState::Idle);
    store.pause();
    told(&mut hears, SyncState::Paused);
    store.resume();
    hears.until_state(SyncState::Idle);
    store.stop(PATIENCE);
    told(&mut hears, SyncState::Stopped);
}

#[test]
fn a_blocking_sync_takes_turns_with_it() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    store.start(site.wire(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    for n in 0..20 {
        let made = store.set("notes", &format!("n{n}"), &n).unwrap();
        store.sync(&*site.wire()).unwrap();
        assert!(matches!(store.outcome(made).unwrap(), Some(Outcome::Accepted { .. })));
    }
    let made = store.set("notes", "last", &1).unwrap();
    hears.until_settled(made);
}

#[test]
fn a_new_replica_tells_how_far_it_has_come() {
    let site = Site::new();
    let one = site.store("one.db");
    for n in 0..300 {
        one.set("notes", &format!("n{n}"), &n).unwrap();
    }
    one.sync(&*site.wire()).unwrap();
    let mut options = syncstore::Options::default();
    options.checkpoint_items = 100;
    let new = syncstore::Store::open(site.dir.path().join("new.db"), options).unwrap();
    let mut hears = Listener::new(&new);
    new.start(site.wire(), quick()).unwrap();
    let total = hears.until("the loading", |event| match event {
        Event::Status(status) => match status.state {
            SyncState::Bootstrapping { loaded, total } => Some((loaded > 0, total)),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(total, (true, 300));
    hears.until_state(SyncState::Idle);
    assert_eq!(new.get::<i32>("notes", "n299").unwrap(), Some(299));
}

#[test]
fn a_conflict_is_told_and_a_resolver_asked_without_anybody_calling() {
    let site = Site::new();
    let other = site.store("other.db");
    other.set("notes", "n1", &json!({"a": 1, "b": 1})).unwrap();
    other.sync(&*site.wire()).unwrap();
    let mut options = syncstore::Options::default();
    let ours = |_: &syncstore::Conflict| Ok(Some(syncstore::Resolution::KeepOurs));
    options.resolver = Some(std::sync::Arc::new(ours));
    let store = syncstore::Store::open(site.dir.path().join("one.db"), options).unwrap();
    let mut hears = Listener::new(&store);
    store.start(site.wire(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    store.pause();
    hears.until_state(SyncState::Paused);
    store.set("notes", "n1", &json!({"a": 2, "b": 1})).unwrap();
    other.set("notes", "n1", &json!({"a": 3, "b": 1})).unwrap();
    other.sync(&*site.wire()).unwrap();
    store.resume();
    hears.until("the conflict", |event| matches!(event, Event::Conflict { .. }).then_some(()));
    hears.until_true("its end", || store.conflicts().unwrap().is_empty() && store.pending_count().unwrap() == 0);
    assert_eq!(site.value("notes", "n1").unwrap()["a"], 2);
}

#[test]
fn another_filter_is_brought_about_without_anybody_calling() {
    let site = Site::new();
    let other = site.store("other.db");
    other.set("notes", "n1", &1).unwrap();
    other.set("logs", "l1", &1).unwrap();
    other.sync(&*site.wire()).unwrap();
    let store = site.store("one.db");
    store.keep(&syncstore::Filter::only(["notes"])).unwrap();
    let mut hears = Listener::new(&store);
    store.start(site.wire(), quick()).unwrap();
    hears.until_true("the notes", || store.get::<i32>("notes", "n1").unwrap() == Some(1));
    assert_eq!(store.get::<i32>("logs", "l1").unwrap(), None);
    // News come by the held request, which asks for what is kept.
    other.set("notes", "n2", &2).unwrap();
    other.sync(&*site.wire()).unwrap();
    hears.until_true("news", || store.get::<i32>("notes", "n2").unwrap() == Some(2));
    assert!(store.keep(&syncstore::Filter::everything()).unwrap());
    hears.until_true("the logs", || store.get::<i32>("logs", "l1").unwrap() == Some(1));
    assert!(store.keep(&syncstore::Filter::only(["logs"])).unwrap());
    hears.until_true("the end of the notes", || store.get::<i32>("notes", "n1").unwrap().is_none());
    assert_eq!(store.get::<i32>("logs", "l1").unwrap(), Some(1));
}
