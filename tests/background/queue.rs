//! The queue of events: its bounds, what it says of what found no room, and when it wakes.

use crate::listener::*;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use syncstore::environment::{Environment, SystemEnvironment};
use syncstore::{
    ChangeKind, Event, EventOptions, Events, LogLevel, Missed, Options, Overflow, Store, SyncState, Watch,
};

fn local() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("one.db"), Options::default()).unwrap();
    (dir, store)
}

fn all(events: &Events) -> Vec<Event> {
    let mut told = Vec::new();
    assert!(!events.pump(usize::MAX, PATIENCE, |event| told.push(event)).unwrap().more);
    told
}

#[test]
fn a_pump_hands_out_so_many_and_says_whether_there_are_more() {
    let (_dir, store) = local();
    let events = store.events(EventOptions::default(), || {});
    events.subscribe(Watch::all()).unwrap();
    for n in 0..5 {
        store.set("notes", &format!("n{n}"), &n).unwrap();
    }
    let mut keys = Vec::new();
    let mut pump = |max| {
        let pumped = events.pump(max, PATIENCE, |event| match event {
            Event::Changed { change, .. } => keys.push(change.key),
            other => panic!("{other:?}"),
        });
        let pumped = pumped.unwrap();
        (pumped.events, pumped.more)
    };
    assert_eq!(
        [pump(0), pump(2), pump(2), pump(2), pump(2)],
        [(0, true), (2, true), (2, true), (1, false), (0, false)]
    );
    assert_eq!(keys, ["n0", "n1", "n2", "n3", "n4"]);
}

/// A clock that is moved by hand.
#[derive(Default)]
struct ByHand(SystemEnvironment, AtomicU64);

impl Environment for ByHand {
    fn unix_ms(&self) -> u64 {
        self.0.unix_ms()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.1.load(Ordering::SeqCst))
    }
    fn random(&self) -> u64 {
        self.0.random()
    }
    fn sleep(&self, _: Duration) {}
}

#[test]
fn a_pump_ends_when_its_time_is_over_and_not_before_it_has_done_something() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(ByHand::default()));
    let mut options = Options::default();
    options.environment = clock.clone();
    let store = Store::open(dir.path().join("one.db"), options).unwrap();
    let events = store.events(EventOptions::default(), || {});
    events.subscribe(Watch::all()).unwrap();
    for n in 0..10 {
        store.set("notes", &format!("n{n}"), &n).unwrap();
    }
    let pump = |budget| {
        let slow = |_| drop(clock.1.fetch_add(4, Ordering::SeqCst).to_string());
        events.pump(100, Duration::from_millis(budget), slow).unwrap().events
    };
    assert_eq!([pump(10), pump(8), pump(0)], [3, 2, 1]);
}

#[test]
fn changes_are_told_once_for_each_item_and_overflow_by_subscription() {
    let (_dir, store) = local();
    let events = store.events(EventOptions::default(), || {});
    let (few, rest) = (
        events.subscribe(Watch::collection("notes").capacity(3)).unwrap(),
        events.subscribe(Watch::prefix("notes", "n1")).unwrap(),
    );
    assert_ne!(few.number(), rest.number());
    for n in 0..100 {
        store.set("notes", &format!("n{}", n % 2), &n).unwrap();
    }
    store.delete("notes", "n1").unwrap();
    let told = all(&events);
    assert_eq!(told.len(), 3, "{told:?}");
    let deleted = |event: &&Event| matches!(event, Event::Changed { change, .. } if change.kind == ChangeKind::Deleted && change.key == "n1");
    assert_eq!(told.iter().filter(deleted).count(), 2);
    for n in 0..4 {
        store.set("notes", &format!("m{n}"), &n).unwrap();
    }
    assert_eq!(all(&events), [Event::Overflowed { subscription: few, why: Overflow::Full }]);
    store.set("notes", "m1", &9).unwrap();
    assert!(matches!(&all(&events)[..], [Event::Changed { subscription, .. }] if *subscription == few));
    assert!(events.unsubscribe(few) && !events.unsubscribe(few));
    store.set("notes", "m1", &10).unwrap();
    assert_eq!(all(&events), []);
}

#[test]
fn what_changed_is_forgotten_with_its_subscription_even_if_it_waited_to_be_told() {
    let (_dir, store) = local();
    let events = store.events(EventOptions::default(), || {});
    let one = events.subscribe(Watch::all()).unwrap();
    for n in 0..4 {
        store.set("notes", &format!("m{n}"), &n).unwrap();
    }
    assert!(events.pump(1, PATIENCE, |_| {}).unwrap().more);
    assert!(events.unsubscribe(one));
    assert_eq!(all(&events), []);
}

#[test]
fn outcomes_that_find_no_room_are_counted() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut options = EventOptions::default();
    options.outcomes = 3;
    let events = store.events(options, || {});
    let nobody = {
        let mut options = EventOptions::default();
        options.outcomes = 0;
        store.events(options, || {})
    };
    let made: Vec<_> = (0..10).map(|n| store.set("notes", &format!("n{n}"), &n).unwrap()).collect();
    store.sync(&*site.wire()).unwrap();
    let told = all(&events);
    let settled = |event: &Event| match event {
        Event::Settled { op_ref, .. } => Some(*op_ref),
        _ => None,
    };
    assert_eq!(told.iter().filter_map(settled).collect::<Vec<_>>(), made[..3]);
    assert_eq!(told[3..], [Event::Missed(Missed::Outcomes(7))]);
    assert_eq!(all(&nobody), []);
    // There is room again.
    let made = store.set("notes", "n1", &1).unwrap();
    store.sync(&*site.wire()).unwrap();
    assert!(matches!(&all(&events)[..], [Event::Settled { op_ref, .. }] if *op_ref == made));
}

#[test]
fn a_rejection_is_told_with_its_reason() {
    let site = Site::new();
    let (one, other) = (site.store("one.db"), site.store("other.db"));
    one.set("notes", "n1", &json!({"a": 1})).unwrap();
    one.sync(&*site.wire()).unwrap();
    other.sync(&*site.wire()).unwrap();
    one.delete("notes", "n1").unwrap();
    one.sync(&*site.wire()).unwrap();
    let events = other.events(EventOptions::default(), || {});
    let patch = other.patch_raw("notes", "n1", r#"[{"op":"replace","path":"/a","value":2}]"#).unwrap();
    other.sync(&*site.wire()).unwrap();
    let told = all(&events);
    let outcome = match &told[..] {
        [Event::Settled { op_ref, outcome }] if *op_ref == patch => outcome.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(Some(outcome), other.outcome(patch).unwrap());
}

#[test]
fn log_lines_come_by_level_and_are_counted_beyond_their_bound() {
    let site = Site::new();
    let store = site.store("one.db");
    let listen = |level, log_lines| {
        let mut options = EventOptions::default();
        (options.log_level, options.log_lines) = (level, log_lines);
        store.events(options, || {})
    };
    let (debug, few, warn, none) = (
        listen(Some(LogLevel::Debug), 99),
        listen(Some(LogLevel::Debug), 1),
        listen(Some(LogLevel::Warn), 99),
        listen(None, 99),
    );
    let mut hears = Listener::new(&store);
    store.start(site.wire(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    store.stop(PATIENCE);
    let lines = |events: &Events| {
        let lines = |event| if let Event::Log(line) = event { Some(line) } else { None };
        all(events).into_iter().filter_map(lines).collect::<Vec<_>>()
    };
    let told = lines(&debug);
    assert_eq!((told[0].level, told[0].text.as_str()), (LogLevel::Info, "background sync started"));
    assert!(told.iter().any(|line| line.level == LogLevel::Debug), "{told:?}");
    let few = all(&few);
    let missed = few.iter().find_map(|event| if let Event::Missed(missed) = event { Some(*missed) } else { None });
    assert_eq!(missed, Some(Missed::LogLines(told.len() as u64 - 1)), "{few:?}");
    assert_eq!((lines(&warn), lines(&none)), (Vec::new(), Vec::new()));
}

#[test]
fn that_the_server_has_no_room_is_logged_once() {
    let mut config = syncstore_server::config::Config::dev();
    config.limits.database = 1 << 20;
    let site = Site::with(config);
    let store = site.store("one.db");
    let mut options = EventOptions::default();
    options.log_level = Some(LogLevel::Warn);
    let warnings = store.events(options, || {});
    let mut hears = Listener::new(&store);
    let large = "x".repeat(100_000);
    let refs: Vec<_> = (0..60).map(|n| store.set("c", &format!("k{n:02}"), &large).unwrap()).collect();
    store.start(site.wire(), quick()).unwrap();
    hears.until_settled(refs[0]);
    // Each goes with a push of its own, which is told again that there is no room.
    for n in 0..2 {
        let delete = store.delete("c", &format!("k{n:02}")).unwrap();
        hears.until_settled(delete);
    }
    store.stop(PATIENCE);
    assert!(store.pending_count().unwrap() > 10);
    let texts: Vec<String> = all(&warnings)
        .into_iter()
        .filter_map(|event| if let Event::Log(line) = event { Some(line.text) } else { None })
        .collect();
    assert_eq!(texts, ["the server's database has no room: it takes deletes, all else waits"]);
}

#[test]
fn of_several_statuses_the_last_one_is_told() {
    let site = Site::new();
    let store = site.store("one.db");
    let events = store.events(EventOptions::default(), || {});
    let mut hears = Listener::new(&store);
    store.start(site.wire(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    store.stop(PATIENCE);
    let told = all(&events);
    assert!(matches!(&told[..], [Event::Status(status)] if status.state == SyncState::Stopped), "{told:?}");
}

#[test]
fn it_wakes_once_each_time_that_there_is_something_after_nothing() {
    let (_dir, store) = local();
    let woken = Arc::new(AtomicUsize::new(0));
    let wakes = Arc::clone(&woken);
    let events = store.events(EventOptions::default(), move || {
        wakes.fetch_add(1, Ordering::SeqCst);
    });
    events.subscribe(Watch::all()).unwrap();
    assert_eq!(woken.load(Ordering::SeqCst), 0, "there is nothing yet");
    for round in 1..=3 {
        for n in 0..10 {
            store.set("notes", &format!("n{n}"), &(round * n)).unwrap();
        }
        assert_eq!(woken.load(Ordering::SeqCst), round);
        assert!(events.pump(4, PATIENCE, |_| {}).unwrap().more);
        store.set("notes", "other", &round).unwrap();
        assert_eq!(woken.load(Ordering::SeqCst), round, "it was never empty");
        assert!(events.wait(Duration::ZERO));
        all(&events);
        assert!(!events.wait(Duration::ZERO));
    }
}

#[test]
fn what_is_told_is_in_the_file_when_the_wake_comes() {
    let site = Site::new();
    let (store, looks) = (site.store("one.db"), site.store("one.db"));
    store.sync(&*site.wire()).unwrap();
    let found = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let finds = Arc::clone(&found);
    // Another store sees only what is committed.
    let events = store.events(EventOptions::default(), move || {
        let value = looks.get::<i32>("notes", "n1").unwrap();
        finds.lock().push((value, looks.pending_count().unwrap()));
    });
    events.subscribe(Watch::all()).unwrap();
    for n in 0..3 {
        store.set("notes", "n1", &n).unwrap();
        all(&events);
        store.sync(&*site.wire()).unwrap();
        all(&events);
        // At the change, and when it was settled.
        assert_eq!(std::mem::take(&mut *found.lock()), [(Some(n), 1), (Some(n), 0)]);
    }
}

#[cfg(unix)]
#[test]
fn a_host_that_empties_the_descriptor_hangs_nobody() {
    use std::io::Read;
    let (_dir, store) = local();
    let events = std::sync::Arc::new(store.events(EventOptions::default(), || {}));
    events.subscribe(Watch::all()).unwrap();
    let mut descriptor = std::fs::File::from(events.descriptor().unwrap());
    for n in 0..2 {
        store.set("notes", "n0", &n).unwrap();
        assert_eq!(descriptor.read(&mut [0; 8]).unwrap(), 1);
        let (done, is_done) = std::sync::mpsc::channel();
        let pumping = std::sync::Arc::clone(&events);
        std::thread::spawn(move || done.send(pumping.pump(9, PATIENCE, |_| {}).unwrap().events));
        assert_eq!(is_done.recv_timeout(PATIENCE).unwrap(), 1);
    }
}

#[cfg(unix)]
#[test]
fn the_descriptor_is_readable_as_long_as_there_is_something() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let (_dir, store) = local();
    let events = store.events(EventOptions::default(), || {});
    events.subscribe(Watch::all()).unwrap();
    store.set("notes", "n0", &0).unwrap();
    let (one, other) = (events.descriptor().unwrap(), events.descriptor().unwrap());
    let readable = || {
        let mut both = [PollFd::new(&one, PollFlags::IN), PollFd::new(&other, PollFlags::IN)];
        poll(&mut both, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap()
    };
    for n in 1..4 {
        assert_eq!(readable(), 2);
        store.set("notes", &format!("n{n}"), &n).unwrap();
        assert!(events.pump(1, PATIENCE, |_| {}).unwrap().more);
        assert_eq!(readable(), 2);
        all(&events);
        assert_eq!(readable(), 0);
        store.set("notes", "n0", &n).unwrap();
    }
}
