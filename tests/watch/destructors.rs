//! What a host gives along with a wake is let go of exactly once, and never on the way of a write.

use super::File;
use rusqlite::Connection;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;
use syncstore::{Error, EventOptions, Options, Store, Watch};

/// What only a hang waits for.
const LONG: Duration = Duration::from_secs(20);

/// Stands for what a C host has behind its `user_data`: its end counts, and writes to the store, which waits for ever where the
/// writer is held.
struct UserData {
    store: Weak<Store>,
    drops: Arc<AtomicU32>,
    /// Whether it could; `None`: it still waits.
    wrote: Sender<Option<bool>>,
}

impl Drop for UserData {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        let (store, (done, is_done)) = (self.store.clone(), channel());
        std::thread::spawn(move || {
            let written = store.upgrade().is_none_or(|store| store.set("ends", "k", &1).is_ok());
            let _ = done.send(written);
        });
        let _ = self.wrote.send(is_done.recv_timeout(LONG).ok());
    }
}

struct Ends {
    drops: Arc<AtomicU32>,
    wrote: Receiver<Option<bool>>,
}

impl Ends {
    fn none(&self) {
        assert_eq!(self.drops.load(Ordering::SeqCst), 0);
    }

    fn once(&self) {
        let wrote = self.wrote.recv_timeout(2 * LONG).unwrap();
        assert_eq!(wrote, Some(true), "let go of where nobody can write");
        assert_eq!(self.drops.load(Ordering::SeqCst), 1);
        assert!(self.wrote.try_recv().is_err());
    }
}

fn user_data(store: &Arc<Store>) -> (UserData, Ends) {
    let (drops, (told, wrote)) = (Arc::new(AtomicU32::new(0)), channel());
    let data = UserData { store: Arc::downgrade(store), drops: Arc::clone(&drops), wrote: told };
    (data, Ends { drops, wrote })
}

/// A wake that does nothing but hold it.
fn hold(data: UserData) -> impl Fn() + Send + Sync + 'static {
    move || assert_eq!(data.drops.load(Ordering::SeqCst), 0, "called after its end")
}

/// A wake that stays where it is until it is let go; tells when it is there.
fn block(data: UserData, there: Sender<()>, go: Receiver<()>) -> impl Fn() + Send + Sync + 'static {
    let go = std::sync::Mutex::new(go);
    move || {
        there.send(()).unwrap();
        go.lock().unwrap().recv_timeout(LONG).unwrap();
        assert_eq!(data.drops.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn with_the_watcher() {
    let file = File::new();
    let store = Arc::new(file.open());
    let (data, ends) = user_data(&store);
    let watcher = store.watch_with(Watch::collection("c"), hold(data)).unwrap();
    store.set("c", "k", &1).unwrap();
    assert!(!watcher.take().unwrap().is_empty());
    store.set("c", "k", &2).unwrap();
    ends.none();
    drop(watcher);
    ends.once();
    store.set("c", "k", &3).unwrap();
}

#[test]
fn with_the_store_when_the_watcher_outlives_it() {
    let file = File::new();
    let store = Arc::new(file.open());
    let (data, ends) = user_data(&store);
    let watcher = store.watch_with(Watch::all(), hold(data)).unwrap();
    drop(store);
    ends.once();
    drop(watcher);
    assert_eq!(ends.drops.load(Ordering::SeqCst), 1);
}

#[test]
fn after_the_call_that_was_under_way_when_the_watcher_ended() {
    let file = File::new();
    let store = Arc::new(file.open());
    let ((data, ends), (there, is_there), (go, going)) = (user_data(&store), channel(), channel());
    let watcher = store.watch_with(Watch::collection("c"), block(data, there, going)).unwrap();
    std::thread::scope(|scope| {
        let writes = scope.spawn(|| store.set("c", "k", &1));
        is_there.recv_timeout(LONG).unwrap();
        drop(watcher);
        ends.none();
        go.send(()).unwrap();
        writes.join().unwrap().unwrap();
    });
    ends.once();
}

#[test]
fn at_once_when_the_watcher_cannot_begin() {
    let file = File::new();
    let mut options = Options::default();
    options.busy_timeout = Duration::ZERO;
    let store = Arc::new(Store::open(&file.path, options).unwrap());
    let (data, ends) = user_data(&store);
    let other = Connection::open(&file.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let dropped = std::thread::scope(|scope| {
        let begins = scope.spawn(|| store.watch_with(Watch::all(), hold(data)).unwrap_err());
        let error = begins.join().unwrap();
        other.execute_batch("ROLLBACK").unwrap();
        error
    });
    assert!(matches!(dropped, Error::Busy));
    assert_eq!(ends.drops.load(Ordering::SeqCst), 1);
    // It could not write, since another process did; but it was not in its own way either.
    assert_eq!(ends.wrote.recv_timeout(2 * LONG).unwrap(), Some(false));
}

#[test]
fn with_the_events() {
    let file = File::new();
    let store = Arc::new(file.open());
    let (data, ends) = user_data(&store);
    let events = store.events(EventOptions::default(), hold(data));
    events.subscribe(Watch::collection("c")).unwrap();
    store.set("c", "k", &1).unwrap();
    assert_eq!(events.pump(10, LONG, |_| {}).unwrap().events, 1);
    store.set("c", "k", &2).unwrap();
    ends.none();
    drop(events);
    ends.once();
    store.set("c", "k", &3).unwrap();
}

#[test]
fn with_the_events_and_not_with_their_store() {
    let file = File::new();
    let store = Arc::new(file.open());
    let (data, ends) = user_data(&store);
    let events = store.events(EventOptions::default(), hold(data));
    events.subscribe(Watch::all()).unwrap();
    drop(store);
    ends.none();
    drop(events);
    ends.once();
}

#[test]
fn after_the_call_that_was_under_way_when_the_events_ended() {
    let file = File::new();
    let store = Arc::new(file.open());
    let ((data, ends), (there, is_there), (go, going)) = (user_data(&store), channel(), channel());
    let events = store.events(EventOptions::default(), block(data, there, going));
    events.subscribe(Watch::collection("c")).unwrap();
    std::thread::scope(|scope| {
        let writes = scope.spawn(|| store.set("c", "k", &1));
        is_there.recv_timeout(LONG).unwrap();
        drop(events);
        ends.none();
        go.send(()).unwrap();
        writes.join().unwrap().unwrap();
    });
    ends.once();
}
