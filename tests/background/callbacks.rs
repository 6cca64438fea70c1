//! What a callback of the host's may do.

use crate::listener::*;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use syncstore::wire::{Credential, HttpOptions, HttpWire};
use syncstore::{
    Cancel, Conflict, Error, Event, EventOptions, Options, Outcome, Resolution, Stopped, Store, SyncError, SyncState,
    Watch, Watcher,
};

/// A store that anybody may take out and drop.
type Shelf = Arc<Mutex<Option<Store>>>;

fn options() -> EventOptions {
    EventOptions::default()
}

#[test]
fn a_pump_may_close_the_store_and_goes_on() {
    let site = Site::new();
    let store = site.store("one.db");
    let events = store.events(options(), || {});
    events.subscribe(Watch::all()).unwrap();
    for n in 0..5 {
        store.set("notes", &format!("n{n}"), &n).unwrap();
    }
    store.start(site.wire(), quick()).unwrap();
    let mut shelf = Some(store);
    let mut told = 0;
    events
        .pump(3, PATIENCE, |_| {
            told += 1;
            drop(shelf.take());
        })
        .unwrap();
    assert!(shelf.is_none());
    // Its path is free for anybody.
    let again = site.store("one.db");
    again.sync(&*site.wire()).unwrap();
    let rest = events.pump(100, PATIENCE, |_| told += 1).unwrap();
    assert!(!rest.more && told >= 3, "{told}");
    // Of a store that is gone there is nothing to subscribe to, or to wait for.
    let none = events.subscribe(Watch::all()).unwrap();
    assert!(!events.unsubscribe(none));
    assert!(!events.wait(PATIENCE));
}

#[test]
fn a_pump_may_use_the_store_and_pump() {
    let site = Site::new();
    let store = site.store("one.db");
    let events = store.events(options(), || {});
    let all = events.subscribe(Watch::all()).unwrap();
    store.set("notes", "n1", &1).unwrap();
    let mut inner = 0;
    events
        .pump(1, PATIENCE, |event| {
            assert!(matches!(event, Event::Changed { subscription, .. } if subscription == all));
            store.set("notes", "n2", &2).unwrap();
            store.sync(&*site.wire()).unwrap();
            events.pump(100, PATIENCE, |_| inner += 1).unwrap();
            assert!(events.unsubscribe(all));
        })
        .unwrap();
    assert_eq!(inner, 3, "the second change and two outcomes");
}

#[test]
fn a_pump_may_stop_the_background_sync_and_goes_on() {
    let site = Site::new();
    let store = site.store("one.db");
    let events = store.events(options(), || {});
    events.subscribe(Watch::all()).unwrap();
    for n in 0..5 {
        store.set("notes", &format!("n{n}"), &n).unwrap();
    }
    store.start(site.wire(), quick()).unwrap();
    let mut stopped = None;
    let pump = |_| stopped = stopped.or_else(|| Some(assert_stops(&store)));
    assert!(events.pump(100, PATIENCE, pump).unwrap().events >= 5);
    assert_eq!((stopped, store.status().state), (Some(Stopped::Entirely), SyncState::Stopped));
    store.set("notes", "n9", &9).unwrap();
    assert!(events.pump(100, PATIENCE, |_| {}).unwrap().events > 0);
}

#[test]
fn a_watchers_wake_may_end_the_watcher() {
    let site = Site::new();
    let store = site.store("one.db");
    let shelf: Arc<Mutex<Option<Watcher>>> = Arc::default();
    let woken = Arc::new(AtomicUsize::new(0));
    let (ending, counted) = (Arc::clone(&shelf), Arc::clone(&woken));
    let wake = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        // Out of the lock first: dropping it is what is tried.
        let watcher = ending.lock().take();
        drop(watcher);
    };
    *shelf.lock() = Some(store.watch_with(Watch::all(), wake).unwrap());
    for n in 0..3 {
        store.set("notes", "n1", &n).unwrap();
    }
    assert_eq!((woken.load(Ordering::SeqCst), shelf.lock().is_none()), (1, true));
    // And it holds nothing that a later one needs.
    let next = store.watch(Watch::all()).unwrap();
    store.set("notes", "n1", &3).unwrap();
    assert!(!next.take().unwrap().is_empty());
}

/// A store with a conflict that its next sync finds, whose resolver syncs and stops the first time that it is asked, and then tells what
/// came of that.
fn resolving(site: &Site) -> (Arc<Store>, mpsc::Receiver<(bool, Stopped)>) {
    let held = Arc::new(OnceLock::<Weak<Store>>::new());
    let (tells, told) = mpsc::channel();
    let (shelf, wire, asked) = (Arc::clone(&held), site.wire(), AtomicUsize::new(0));
    let mut options = Options::default();
    options.resolver = Some(Arc::new(move |_: &Conflict| {
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            let store = shelf.get().and_then(Weak::upgrade).unwrap();
            let synced = store.sync(&*wire).is_ok();
            let _ = tells.send((synced, store.stop(PATIENCE)));
        }
        Ok(Some(Resolution::KeepOurs))
    }));
    let store = Arc::new(Store::open(site.dir.path().join("one.db"), options).unwrap());
    held.set(Arc::downgrade(&store)).unwrap();
    let other = site.store("other.db");
    store.set("notes", "n1", &1).unwrap();
    store.sync(&*site.wire()).unwrap();
    other.sync(&*site.wire()).unwrap();
    store.set("notes", "n1", &2).unwrap();
    other.set("notes", "n1", &3).unwrap();
    other.sync(&*site.wire()).unwrap();
    (store, told)
}

#[test]
fn a_resolver_of_the_background_sync_may_sync_and_stop_it() {
    let site = Site::new();
    let (store, told) = resolving(&site);
    store.start(site.wire(), quick()).unwrap();
    // What is left is the thread that it runs on.
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), (true, Stopped::RequestLeft));
    assert_eq!(store.status().state, SyncState::Stopped);
    assert_eq!(store.conflicts().unwrap().len(), 1, "what it said after that is not heard");
    let mut hears = Listener::new(&store);
    store.start(site.wire(), quick()).unwrap();
    hears.until_true("its end", || store.conflicts().unwrap().is_empty() && store.pending_count().unwrap() == 0);
    assert_eq!(site.value("notes", "n1"), Some(2.into()));
}

#[test]
fn a_resolver_of_a_blocking_sync_may_sync_and_stop() {
    let site = Site::new();
    let (store, told) = resolving(&site);
    store.sync(&*site.wire()).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), (true, Stopped::Entirely));
    assert_eq!(store.conflicts().unwrap(), []);
    store.sync(&*site.wire()).unwrap();
    assert_eq!(site.value("notes", "n1"), Some(2.into()));
}

/// Starts a store whose wake does something the first time that it is called on the thread of the background sync.
fn wakes(site: &Site, act: impl Fn(&Shelf) + Send + Sync + 'static) -> Shelf {
    let shelf: Shelf = Arc::default();
    let (weak, once) = (Arc::downgrade(&shelf), OnceLock::new());
    let store = site.store("one.db");
    let events = store.events(options(), move || {
        let on_its_thread = std::thread::current().name() == Some("syncstore-sync");
        if let (true, Some(shelf)) = (on_its_thread, Weak::upgrade(&weak)) {
            once.get_or_init(|| act(&shelf));
        }
    });
    let mut held = shelf.lock();
    store.start(site.wire(), quick()).unwrap();
    *held = Some(store);
    drop(held);
    std::mem::forget(events);
    shelf
}

#[test]
fn a_wake_may_stop_the_store() {
    let site = Site::new();
    let (told, tells) = mpsc::channel();
    let shelf = wakes(&site, move |shelf| told.send(shelf.lock().as_ref().unwrap().stop(PATIENCE)).unwrap());
    assert_eq!(tells.recv_timeout(PATIENCE).unwrap(), Stopped::Soon);
    let store = shelf.lock().take().unwrap();
    assert_eq!(store.stop(PATIENCE), Stopped::Entirely, "from another thread it waits for the end");
    assert_eq!(store.status().state, SyncState::Stopped);
    store.start(site.wire(), quick()).unwrap();
}

#[test]
fn a_wake_may_drop_the_store() {
    let site = Site::new();
    let (told, tells) = mpsc::channel();
    let shelf = wakes(&site, move |shelf| {
        drop(shelf.lock().take());
        told.send(()).unwrap();
    });
    tells.recv_timeout(PATIENCE).unwrap();
    assert!(shelf.lock().is_none());
    // The thread lets go of the turn as it ends.
    site.store("one.db").sync(&*site.wire()).unwrap();
}

#[test]
fn a_source_of_credentials_may_drop_the_store() {
    let site = Site::new();
    let shelf: Shelf = Arc::default();
    let weak = Arc::downgrade(&shelf);
    let (told, tells) = mpsc::channel();
    let http = HttpOptions::default().with_credentials(move |_: bool| {
        let store = weak.upgrade().and_then(|shelf| shelf.lock().take());
        if store.is_some() {
            drop(store);
            let _ = told.send(());
        }
        Ok(Credential::None)
    });
    let store = site.store("one.db");
    let mut held = shelf.lock();
    store.start(Arc::new(HttpWire::new(&site.server.url(), DATABASE, http).unwrap()), quick()).unwrap();
    *held = Some(store);
    drop(held);
    tells.recv_timeout(PATIENCE).unwrap();
    site.store("one.db").sync(&*site.wire()).unwrap();
}

#[test]
fn a_panic_of_a_wake_is_nobodys() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("one.db"), Options::default()).unwrap();
    let events = store.events(options(), || panic!("of the host's"));
    events.subscribe(Watch::all()).unwrap();
    store.set("notes", "n1", &1).unwrap();
    assert_eq!(events.pump(9, PATIENCE, |_| {}).unwrap().events, 1);
}

#[test]
fn a_panic_of_a_watchers_wake_neither_fails_a_write_nor_stops_the_sync() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut listener = Listener::new(&store);
    let woken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&woken);
    let watcher = store
        .watch_with(Watch::all(), move || {
            counted.fetch_add(1, Ordering::SeqCst);
            panic!("of the host's");
        })
        .unwrap();
    store.set("notes", "n1", &1).unwrap();
    assert!(!watcher.take().unwrap().is_empty());
    let other = site.store("two.db");
    other.set("notes", "n2", &2).unwrap();
    other.sync(&*site.wire()).unwrap();
    store.start(site.wire(), quick()).unwrap();
    listener.until_true("the other's write", || store.get_raw("notes", "n2").unwrap().is_some());
    listener.until_state(SyncState::Idle);
    assert_eq!((store.status().error, woken.load(Ordering::SeqCst) >= 2), (None, true));
    assert_stops(&store);
}

#[test]
fn what_would_wait_for_the_sync_that_it_is_called_in_is_refused() {
    let site = Site::new();
    let store = site.store("one.db");
    let wire = site.wire();
    let op = store.set("notes", "n1", &1).unwrap();
    let mut told = 0;
    store
        .sync_with(&*wire, &mut |_| {
            told += 1;
            assert!(matches!(store.sync(&*wire).unwrap_err().error(), Error::WithinSync));
            assert!(matches!(store.push(&*wire).unwrap_err().error(), Error::WithinSync));
            assert!(matches!(store.pull(&*wire).unwrap_err().error(), Error::WithinSync));
            let until = store.sync_until(&*wire, &Cancel::new(), &mut |_| {});
            assert!(matches!(until.unwrap_err().error(), Error::WithinSync));
            assert!(matches!(store.wait(op, Duration::MAX), Err(Error::WithinSync)));
        })
        .unwrap();
    assert!(told > 0);
    assert!(matches!(store.wait(op, Duration::MAX).unwrap(), Some(Outcome::Accepted { .. })));
    store.sync(&*wire).unwrap();
}

#[test]
fn on_the_thread_of_the_background_sync_nobody_waits_for_it() {
    let site = Site::new();
    let store = Arc::new(site.store("one.db"));
    let never = store.set("notes", "n1", &1).unwrap();
    let (tells, told) = mpsc::channel();
    let (weak, wire) = (Arc::downgrade(&store), site.wire());
    let watcher = store
        .watch_with(Watch::key("notes", "theirs"), move || {
            let Some(store) = weak.upgrade() else { return };
            let synced = [
                store.sync(&*wire),
                store.push(&*wire),
                store.pull(&*wire),
                store.sync_until(&*wire, &Cancel::new(), &mut |_| {}),
            ];
            let synced = synced.map(|synced| synced.map(drop).map_err(SyncError::into_error));
            let _ = tells.send((synced, store.wait(never, Duration::MAX)));
        })
        .unwrap();
    let other = site.store("two.db");
    other.set("notes", "theirs", &2).unwrap();
    other.sync(&*site.wire()).unwrap();
    // Loads a checkpoint: what is pending settles with that, and not before it is told.
    store.start(site.wire(), quick()).unwrap();
    let (synced, waited) = told.recv_timeout(PATIENCE).unwrap();
    assert!(synced.iter().all(|synced| matches!(synced, Err(Error::WithinSync))), "{synced:?}");
    assert!(matches!(waited, Err(Error::WithinSync) | Ok(Some(Outcome::Accepted { .. }))), "{waited:?}");
    drop(watcher);
    assert_stops(&store);
}
