//! Stopping and closing in the middle of anything, within the bound, and without a hand left on the file.

use crate::listener::*;
use crate::liveness::Jumping;
use crate::proxy::{Break, Proxy, Way};
use crate::wires::{Gated, Told, answering};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use syncstore::wire::{HttpOptions, HttpWire};
use syncstore::{Options, Stopped, Store, SyncState};

/// Drops the store, in time, after which this process has nothing of its file open.
#[track_caller]
fn assert_closes(store: Store, path: &Path) {
    assert_drops(store);
    assert_eq!(open_descriptors(path), Vec::<String>::new());
}

/// Drops the store, in time.
#[track_caller]
fn assert_drops(store: Store) {
    let begun = Instant::now();
    drop(store);
    assert!(begun.elapsed() < CLOSE, "{:?}", begun.elapsed());
}

/// What of a replica this process has open, where the system tells.
fn open_descriptors(path: &Path) -> Vec<String> {
    let Ok(all) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let targets = all.filter_map(|one| std::fs::read_link(one.ok()?.path()).ok());
    let name = path.to_string_lossy();
    targets.map(|target| target.to_string_lossy().into_owned()).filter(|target| target.starts_with(&*name)).collect()
}

/// Lets a fault happen to the request that a write makes, closes in the middle of it, and syncs with a network that is well.
fn closes_in(way: Way, after: u64, how: Break) {
    let site = Site::new();
    let path = site.dir.path().join("one.db");
    for stops_first in [true, false] {
        // Each its own: what a crawling one still has in hand would meet the next fault.
        let proxy = Proxy::start(site.server.addr());
        let store = open(&path);
        let mut hears = Listener::new(&store);
        store.start(wire(&proxy.url()), quick()).unwrap();
        hears.until_state(SyncState::Idle);
        let (happened, happens) = mpsc::channel();
        proxy.set_then(way, after, how, move || {
            let _ = happened.send(());
        });
        store.set("notes", "n1", &format!("{how:?} {stops_first}")).unwrap();
        happens.recv_timeout(PATIENCE).unwrap();
        if stops_first {
            assert_eq!(assert_stops(&store), Stopped::Entirely, "{way:?} {after} {how:?}");
            assert_eq!(store.get::<String>("notes", "n1").unwrap(), Some(format!("{how:?} true")));
        }
        drop(hears);
        assert_closes(store, &path);
        let store = open(&path);
        store.sync(&*site.wire()).unwrap();
        assert_eq!(store.pending_count().unwrap(), 0);
        assert_eq!(site.value("notes", "n1").unwrap(), format!("{how:?} {stops_first}"));
    }
}

#[test]
fn in_a_network_that_swallows_the_request() {
    closes_in(Way::Requests, 0, Break::BlackHole);
    closes_in(Way::Requests, 300, Break::BlackHole);
}

#[test]
fn in_a_network_that_swallows_the_answer() {
    closes_in(Way::Answers, 0, Break::BlackHole);
    closes_in(Way::Answers, 50, Break::BlackHole);
}

#[test]
fn in_a_network_that_has_forgotten_the_connection_at_one_end() {
    closes_in(Way::Requests, 10, Break::HalfOpen);
    closes_in(Way::Answers, 0, Break::HalfOpen);
}

#[test]
fn in_a_network_that_crawls() {
    closes_in(Way::Requests, 10, Break::Drip);
    closes_in(Way::Answers, 10, Break::Drip);
}

#[test]
fn in_a_network_that_breaks() {
    closes_in(Way::Answers, 10, Break::Reset);
    closes_in(Way::Requests, 10, Break::Close);
}

/// Closes while the first request of all is under way.
fn closes_at_the_first_request(url: &str, is_there: impl Fn() -> bool, stopped: &[Stopped]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.db");
    for stops_first in [true, false] {
        let store = open(&path);
        let mut hears = Listener::new(&store);
        store.start(wire(url), quick()).unwrap();
        hears.until_state(SyncState::Pulling);
        while !is_there() {
            std::thread::yield_now();
        }
        if stops_first {
            let how = assert_stops(&store);
            assert!(stopped.contains(&how), "{how:?}");
        }
        assert_closes(store, &path);
    }
}

#[test]
fn at_a_server_that_never_answers() {
    let (url, requests) = answering(None);
    let seen = || requests.load(std::sync::atomic::Ordering::SeqCst) > 0;
    closes_at_the_first_request(&url, seen, &[Stopped::Entirely]);
}

#[test]
fn at_a_server_that_never_answers_with_a_clock_that_jumps() {
    let (url, requests) = answering(None);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.db");
    for n in 1..=2 {
        let mut options = Options::default();
        options.environment = std::sync::Arc::new(Jumping::default());
        let store = Store::open(&path, options).unwrap();
        store.set("notes", "n1", &n).unwrap();
        store.start(wire(&url), quick()).unwrap();
        while requests.load(std::sync::atomic::Ordering::SeqCst) < n {
            std::thread::yield_now();
        }
        if n == 1 {
            assert_eq!(assert_stops(&store), Stopped::Entirely);
        }
        assert_closes(store, &path);
    }
}

#[test]
fn at_a_server_that_never_lets_in() {
    // One connection waits to be accepted; further ones are not even refused.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let one = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        one.set_nonblocking(true).unwrap();
        let _ = one.connect(&address);
        waiting.push(one);
    }
    let url = format!("http://{}", address.as_socket().unwrap());
    // A connect cannot be cut off; it holds nothing.
    closes_at_the_first_request(&url, || true, &[Stopped::RequestLeft, Stopped::Entirely]);
}

#[test]
fn at_a_name_that_nobody_knows() {
    closes_at_the_first_request("http://nobody.invalid", || true, &[Stopped::RequestLeft, Stopped::Entirely]);
}

#[test]
fn at_a_server_that_refuses_every_credential() {
    let (url, _) = answering(Some(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.db");
    let store = open(&path);
    let mut hears = Listener::new(&store);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let http = HttpOptions::default().with_credentials(move |_: bool| {
        let nth = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(syncstore::wire::Credential::bearer(format!("token{nth}")))
    });
    let mut policy = quick();
    policy.backstop = Duration::from_millis(50);
    store.start(std::sync::Arc::new(HttpWire::new(&url, DATABASE, http).unwrap()), policy).unwrap();
    for _ in 0..3 {
        hears.until_state(SyncState::NeedsCredential);
        hears.until_state(SyncState::Pulling);
    }
    assert_eq!(assert_stops(&store), Stopped::Entirely);
    assert_closes(store, &path);
}

#[test]
fn with_a_wire_that_cannot_be_cancelled() {
    let site = Site::new();
    let path = site.dir.path().join("one.db");
    let gate = Gated::new(site.wire());
    gate.shut(true);
    let store = open(&path);
    store.start(gate.clone(), quick()).unwrap();
    gate.until_waiting();
    assert_eq!(assert_stops(&store), Stopped::RequestLeft);
    assert_closes(store, &path);
    let store = open(&path);
    let made = store.set("notes", "n1", &1).unwrap();
    store.start(gate.clone(), quick()).unwrap();
    gate.until_waiting();
    assert_closes(store, &path);
    // What comes of it now comes too late to be taken for anything.
    gate.shut(false);
    let store = open(&path);
    let mut hears = Listener::new(&store);
    store.start(gate, quick()).unwrap();
    hears.until_settled(made);
}

#[test]
fn while_a_large_replica_is_loaded() {
    let site = Site::new();
    let one = site.store("one.db");
    for part in 0..4 {
        let mut batch = one.batch();
        for n in 0..2_000 {
            batch.set("notes", &format!("{part}-{n}"), &"x".repeat(200)).unwrap();
        }
        batch.commit().unwrap();
    }
    one.sync(&*site.wire()).unwrap();
    let path = site.dir.path().join("new.db");
    let mut options = Options::default();
    options.checkpoint_items = 1_000;
    let mut loads = 0;
    loop {
        let store = Store::open(&path, options.clone()).unwrap();
        let mut hears = Listener::new(&store);
        store.start(site.wire(), quick()).unwrap();
        let loading = hears.until("loading, or all of it", |event| match event {
            syncstore::Event::Status(status) => match status.state {
                SyncState::Bootstrapping { loaded, .. } => Some(Some(loaded)),
                SyncState::Idle => Some(None),
                _ => None,
            },
            _ => None,
        });
        drop(hears);
        assert_closes(store, &path);
        let Some(loaded) = loading else { break };
        assert!(loaded > loads * 1_000, "it goes on where it was");
        loads += 1;
    }
    assert!(loads > 2, "{loads}");
    assert_eq!(open(&path).list("notes", &syncstore::KeyRange::all()).unwrap().len(), 8_000);
}

#[test]
fn while_another_process_writes_and_does_not_end() {
    let site = Site::new();
    let path = site.dir.path().join("one.db");
    for stops_first in [true, false] {
        let store = open(&path);
        let mut hears = Listener::new(&store);
        store.start(site.wire(), quick()).unwrap();
        hears.until_state(SyncState::Idle);
        store.pause();
        hears.until_state(SyncState::Paused);
        store.set("notes", "n1", &stops_first).unwrap();
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        store.resume();
        // It is to mark what it sends, and cannot.
        hears.until("the wait", |event| match event {
            syncstore::Event::Log(line) => (line.text == "waits for another writer of the file").then_some(()),
            _ => None,
        });
        drop(hears);
        if stops_first {
            assert_eq!(assert_stops(&store), Stopped::Entirely);
        }
        assert_drops(store);
        other.execute_batch("ROLLBACK").unwrap();
        drop(other);
        assert_eq!(open_descriptors(&path), Vec::<String>::new());
        let store = open(&path);
        store.sync(&*site.wire()).unwrap();
        assert_eq!(site.value("notes", "n1").unwrap(), stops_first);
    }
}

#[test]
fn while_a_blocking_sync_of_the_hosts_hangs() {
    let site = Site::new();
    let path = site.dir.path().join("one.db");
    let store = open(&path);
    let mut hears = Listener::new(&store);
    store.start(site.wire(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    let gate = Gated::new(site.wire());
    gate.shut(true);
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| store.sync(&*gate).map(drop));
        gate.until_waiting();
        // The background sync may want to push, and cannot; nor can it give the turn to others.
        store.set("notes", "n1", &1).unwrap();
        store.pause();
        hears.until_state(SyncState::Paused);
        assert_eq!(assert_stops(&store), Stopped::Entirely);
        gate.shut(false);
        hanging.join().unwrap().unwrap();
    });
    // The turn went with the call that had it.
    open(&path).sync(&*site.wire()).unwrap();
}

#[test]
fn two_who_stop_at_once_are_told_the_same_and_nobody_starts_meanwhile() {
    let site = Site::new();
    let store = site.store("one.db");
    let (busy, is_busy) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let goes = std::sync::Mutex::new(goes);
    let events = store.events(syncstore::EventOptions::default(), move || {
        if std::thread::current().name() == Some("syncstore-sync") {
            let _ = busy.send(());
            let _ = goes.lock().unwrap().recv();
        }
    });
    let wire = Told::new(site.wire());
    store.start(wire.clone(), quick()).unwrap();
    // In a callback of the host's.
    is_busy.recv_timeout(PATIENCE).unwrap();
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| store.stop(PATIENCE));
        wire.until_cancelled();
        assert_eq!(store.stop(Duration::ZERO), Stopped::Soon);
        assert!(matches!(store.start(site.wire(), quick()), Err(syncstore::Error::AlreadyStarted)));
        drop(go);
        assert_eq!(stopping.join().unwrap(), Stopped::Entirely);
    });
    assert_eq!(store.stop(Duration::ZERO), Stopped::Entirely);
    drop(events);
    store.start(site.wire(), quick()).unwrap();
    assert_eq!(assert_stops(&store), Stopped::Entirely);
}
