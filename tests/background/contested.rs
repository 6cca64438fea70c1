//! Conflicts under the background sync: found, told, and decided by a resolver that nothing waits for.

use crate::listener::*;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use syncstore::{
    Conflict, ConflictNews, ConflictResolver, Ending, Event, EventOptions, FieldMerge, LogLevel, Missed, Options,
    Prefer, Resolution, ResolverError, Stopped, Store, SyncState,
};
use syncstore_server::config::Config;

/// Two replicas of a server that has `{"a": 0, "b": 0}` at `k0`, `k1`, … of `c`.
struct Two {
    site: Site,
    ours: Store,
    theirs: Store,
}

impl Two {
    fn new(keys: u32) -> Two {
        Two::with(keys, |_| {})
    }

    fn with(keys: u32, configure: impl FnOnce(&mut Options)) -> Two {
        let site = Site::with(Config::dev());
        let mut options = Options::default();
        configure(&mut options);
        let ours = Store::open(site.dir.path().join("ours.db"), options).unwrap();
        let theirs = site.store("theirs.db");
        for n in 0..keys {
            ours.set("c", &format!("k{n}"), &json!({"a": 0, "b": 0})).unwrap();
        }
        ours.sync(&*site.wire()).unwrap();
        theirs.sync(&*site.wire()).unwrap();
        Two { site, ours, theirs }
    }

    fn resolving(resolver: impl ConflictResolver + 'static) -> Two {
        Two::with(1, |options| options.resolver = Some(Arc::new(resolver)))
    }

    /// Theirs sets `b` of an item, and the server has it.
    fn they_set(&self, key: &str, b: u32) {
        self.theirs.sync(&*self.site.wire()).unwrap();
        self.theirs.update("c", key, |value| value["b"] = b.into()).unwrap();
        self.theirs.sync(&*self.site.wire()).unwrap();
    }

    /// Both change an item, so that the next sync of ours finds a conflict.
    fn contest(&self, key: &str) {
        self.they_set(key, 1);
        self.ours.set("c", key, &json!({"a": 1, "b": 0})).unwrap();
    }
}

fn value(a: u32, b: u32) -> Option<Value> {
    Some(json!({"a": a, "b": b}))
}

/// What was told of conflicts so far.
fn news(heard: &[Event]) -> Vec<ConflictNews> {
    let of = |event: &Event| match event {
        Event::Conflict { news, .. } => Some(*news),
        _ => None,
    };
    heard.iter().filter_map(of).collect()
}

/// All that is told now, of conflicts.
fn told(hears: &mut Listener) -> Vec<ConflictNews> {
    hears.all();
    news(&std::mem::take(&mut hears.heard))
}

fn until_news(hears: &mut Listener, wanted: ConflictNews) {
    hears.until(&format!("{wanted:?}"), |event| match event {
        Event::Conflict { news, .. } if *news == wanted => Some(()),
        _ => None,
    });
}

#[test]
fn the_resolver_is_asked_beside_the_sync_and_what_it_decides_is_pushed() {
    let two = Two::resolving(FieldMerge(Prefer::Ours));
    let mut hears = Listener::new(&two.ours);
    two.contest("k0");
    two.ours.start(two.site.wire(), quick()).unwrap();
    until_news(&mut hears, ConflictNews::Ended(Ending::Merged));
    let op = two.ours.ended_conflicts().unwrap()[0].end.unwrap().op.unwrap();
    hears.until_settled(op);
    assert_eq!(two.site.value("c", "k0"), value(1, 1));
    // And one that comes while it runs.
    two.ours.pause();
    two.they_set("k0", 2);
    two.ours.set("c", "k0", &json!({"a": 2, "b": 1})).unwrap();
    two.ours.resume();
    until_news(&mut hears, ConflictNews::Begun);
    until_news(&mut hears, ConflictNews::Ended(Ending::Merged));
    hears.until_settled(two.ours.ended_conflicts().unwrap()[1].end.unwrap().op.unwrap());
    assert_eq!(two.site.value("c", "k0"), value(2, 2));
    let ended = ConflictNews::Ended(Ending::Merged);
    assert_eq!(news(&hears.heard), [ConflictNews::Begun, ended, ConflictNews::Begun, ended]);
    assert_eq!(assert_stops(&two.ours), Stopped::Entirely);
}

/// A resolver that tells when it is asked, and answers when it is told to; it holds `held`.
fn slow(held: Arc<()>) -> (impl ConflictResolver, Receiver<Conflict>, Sender<Option<Resolution>>) {
    let (asks, asked) = channel();
    let (answers, answer) = channel();
    let ends = Mutex::new((asks, answer));
    let resolver = move |conflict: &Conflict| -> Result<Option<Resolution>, ResolverError> {
        let _held = &held;
        let ends = ends.lock();
        ends.0.send(conflict.clone())?;
        Ok(ends.1.recv()?)
    };
    (resolver, asked, answers)
}

#[test]
fn a_resolver_that_takes_its_time_stalls_nothing_and_decides_in_the_end_while_paused_too() {
    let (resolver, asked, answers) = slow(Arc::new(()));
    let two = Two::resolving(resolver);
    let mut hears = Listener::new(&two.ours);
    two.contest("k0");
    two.ours.start(two.site.wire(), quick()).unwrap();
    let conflict = asked.recv_timeout(PATIENCE).unwrap();
    let beside = two.ours.set("c", "beside", &1).unwrap();
    hears.until_settled(beside);
    // A sync on this thread does not ask about the same again.
    two.ours.sync(&*two.site.wire()).unwrap();
    assert!(asked.try_recv().is_err());
    two.ours.pause();
    answers.send(Some(Resolution::TakeTheirs)).unwrap();
    until_news(&mut hears, ConflictNews::Ended(Ending::TookTheirs));
    assert_eq!(two.ours.ended_conflicts().unwrap()[0].id, conflict.id);
    assert_eq!(two.ours.get::<Value>("c", "k0").unwrap(), value(0, 1));
    two.ours.resume();
    hears.until_settled(two.ours.ended_conflicts().unwrap()[0].end.unwrap().op.unwrap());
    assert_eq!(two.site.value("c", "k0"), value(0, 1));
}

#[test]
fn a_resolver_that_hangs_keeps_no_stop_from_returning_and_is_not_heard_afterwards() {
    let held = Arc::new(());
    let gone = Arc::downgrade(&held);
    let (resolver, asked, answers) = slow(held);
    let two = Two::resolving(resolver);
    two.contest("k0");
    two.ours.start(two.site.wire(), quick()).unwrap();
    let first = asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(assert_stops(&two.ours), Stopped::RequestLeft);
    let begun = Instant::now();
    drop(two.ours);
    assert!(begun.elapsed() < CLOSE, "{:?}", begun.elapsed());
    // The file is free, and what it says now is nobody's.
    let (resolver, asked_again, answers_again) = slow(Arc::new(()));
    let mut options = Options::default();
    options.resolver = Some(Arc::new(resolver));
    let ours = Store::open(two.site.dir.path().join("ours.db"), options).unwrap();
    answers.send(Some(Resolution::TakeTheirs)).unwrap();
    let begun = Instant::now();
    while Weak::strong_count(&gone) > 0 {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    assert_eq!(ours.conflicts().unwrap().len(), 1);
    let mut hears = Listener::new(&ours);
    ours.start(two.site.wire(), quick()).unwrap();
    assert_eq!(asked_again.recv_timeout(PATIENCE).unwrap().id, first.id);
    answers_again.send(Some(Resolution::KeepOurs)).unwrap();
    until_news(&mut hears, ConflictNews::Ended(Ending::KeptOurs));
}

#[test]
fn what_a_resolver_says_after_a_stop_is_not_heard_and_it_is_asked_again_by_the_next_sync() {
    let (resolver, asked, answers) = slow(Arc::new(()));
    let two = Two::resolving(resolver);
    two.contest("k0");
    two.ours.start(two.site.wire(), quick()).unwrap();
    let first = asked.recv_timeout(PATIENCE).unwrap();
    // Nobody comes to see how it ended.
    two.ours.stop(Duration::ZERO);
    let begun = Instant::now();
    while two.ours.status().state != SyncState::Stopped {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    answers.send(Some(Resolution::KeepOurs)).unwrap();
    // For the second time.
    answers.send(Some(Resolution::TakeTheirs)).unwrap();
    let again = loop {
        two.ours.sync(&*two.site.wire()).unwrap();
        match asked.try_recv() {
            Ok(conflict) => break conflict,
            Err(_) => assert!(begun.elapsed() < PATIENCE, "it was not asked again"),
        }
    };
    assert_eq!(again.id, first.id);
    let ended = two.ours.ended_conflicts().unwrap();
    assert_eq!(ended[0].end.unwrap().how, Ending::TookTheirs);
}

#[test]
fn a_resolver_may_drop_the_store() {
    let shelf: Arc<Mutex<Option<Store>>> = Arc::default();
    let (weak, (dropped, drops)) = (Arc::downgrade(&shelf), channel());
    let two = Two::resolving(move |_: &Conflict| {
        drop(weak.upgrade().and_then(|shelf| shelf.lock().take()));
        dropped.send(())?;
        Ok(Some(Resolution::TakeTheirs))
    });
    two.contest("k0");
    let mut on_it = shelf.lock();
    two.ours.start(two.site.wire(), quick()).unwrap();
    *on_it = Some(two.ours);
    drop(on_it);
    drops.recv_timeout(PATIENCE).unwrap();
    assert!(shelf.lock().is_none());
    let again = two.site.store("ours.db");
    again.sync(&*two.site.wire()).unwrap();
    assert_eq!(again.conflicts().unwrap().len(), 1, "nobody was there to hear it");
}

#[test]
fn without_a_resolver_a_conflict_needs_deciding_as_it_begins() {
    let two = Two::new(1);
    let mut hears = Listener::new(&two.ours);
    two.contest("k0");
    two.ours.start(two.site.wire(), quick()).unwrap();
    let (id, item) = hears.until("the conflict", |event| match event {
        Event::Conflict { id, collection, key, news: ConflictNews::NeedsDeciding, .. } => {
            Some((*id, (collection.clone(), key.clone())))
        }
        _ => None,
    });
    assert_eq!((item.0.as_str(), item.1.as_str()), ("c", "k0"));
    let conflict = two.ours.conflicts().unwrap().remove(0);
    assert_eq!(conflict.id, id);
    let op = two.ours.resolve(&conflict, Resolution::TakeTheirs).unwrap().unwrap();
    hears.until_settled(op);
    let all = [ConflictNews::Begun, ConflictNews::NeedsDeciding, ConflictNews::Ended(Ending::TookTheirs)];
    assert_eq!(news(&hears.heard), all);
}

#[test]
fn what_a_wake_resolves_at_once_is_told_after_what_it_was_woken_for() {
    let two = Two::new(1);
    two.contest("k0");
    let Two { site, ours, theirs: _theirs } = two;
    let ours = Arc::new(ours);
    let weak = Arc::downgrade(&ours);
    let mut options = EventOptions::default();
    options.outcomes = 0;
    let another = ours.events(options.clone(), || {});
    let events = ours.events(options.clone(), move || {
        let Some(ours) = weak.upgrade() else { return };
        for conflict in ours.conflicts().unwrap() {
            ours.resolve(&conflict, Resolution::TakeTheirs).unwrap();
        }
    });
    let last = ours.events(options, || {});
    ours.sync(&*site.wire()).unwrap();
    let all = [ConflictNews::Begun, ConflictNews::NeedsDeciding, ConflictNews::Ended(Ending::TookTheirs)];
    for events in [another, events, last] {
        let mut heard = Vec::new();
        events.pump(9, PATIENCE, |event| heard.push(event)).unwrap();
        assert_eq!(news(&heard), all);
    }
}

#[test]
fn what_a_resolver_leaves_open_is_told_once_until_more_of_theirs_comes() {
    for fails in [false, true] {
        let asked = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&asked);
        let two = Two::resolving(move |_: &Conflict| match counter.fetch_add(1, Ordering::SeqCst) {
            _ if fails => Err("not today".into()),
            _ => Ok(None),
        });
        let mut hears = Listener::new(&two.ours);
        let sync = || two.ours.sync(&*two.site.wire()).unwrap();
        two.contest("k0");
        (0..3).for_each(|_| drop(sync()));
        assert_eq!(asked.load(Ordering::SeqCst), if fails { 3 } else { 1 });
        assert_eq!(told(&mut hears), [ConflictNews::Begun, ConflictNews::NeedsDeciding]);
        two.they_set("k0", 2);
        (0..3).for_each(|_| drop(sync()));
        assert_eq!(asked.load(Ordering::SeqCst), if fails { 6 } else { 2 });
        assert_eq!(told(&mut hears), [ConflictNews::NeedsDeciding]);
    }
}

#[test]
fn more_news_of_conflicts_than_are_held_are_counted() {
    let two = Two::new(3);
    let mut options = EventOptions::default();
    (options.conflicts, options.outcomes, options.log_level) = (2, 0, Some(LogLevel::Error));
    let events = two.ours.events(options, || {});
    (0..3).for_each(|n| two.contest(&format!("k{n}")));
    two.ours.sync(&*two.site.wire()).unwrap();
    let mut heard = Vec::new();
    events.pump(100, PATIENCE, |event| heard.push(event)).unwrap();
    assert_eq!(news(&heard), [ConflictNews::Begun, ConflictNews::NeedsDeciding]);
    assert_eq!(heard[2..], [Event::Missed(Missed::Conflicts(4))]);
    assert_eq!(two.ours.status().state, SyncState::Stopped);
}
