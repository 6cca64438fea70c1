//! Wires and servers that a host, or the world, may come with.

use crate::listener::*;
use parking_lot::{Condvar, Mutex};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use syncstore::protocol::{CheckpointPage, Cursor, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, Credential, Expiry, HttpOptions, HttpWire, PullRequest, Wire, WireError};
use syncstore::{Cancel, Event, EventOptions, LogLevel, OnCancel, Options, Outcome, Store, SyncState};
use syncstore_server::config::Config;

/// A wire that cannot be cancelled, whose calls wait at a gate.
pub struct Gated {
    wire: Arc<dyn Wire>,
    shut: Mutex<bool>,
    changed: Condvar,
    waiting: AtomicUsize,
}

impl Gated {
    pub fn new(wire: Arc<dyn Wire>) -> Arc<Gated> {
        Arc::new(Gated { wire, shut: Mutex::new(false), changed: Condvar::new(), waiting: AtomicUsize::new(0) })
    }

    pub fn shut(&self, shut: bool) {
        *self.shut.lock() = shut;
        self.changed.notify_all();
    }

    /// Shuts it until the guard goes, also where a test fails: whoever waits at the gate would keep it from ending.
    pub fn shut_for_a_while(&self) -> impl Drop + '_ {
        struct Opens<'a>(&'a Gated);
        impl Drop for Opens<'_> {
            fn drop(&mut self) {
                self.0.shut(false);
            }
        }
        self.shut(true);
        Opens(self)
    }

    /// Waits until a call waits at the gate.
    pub fn until_waiting(&self) {
        let mut shut = self.shut.lock();
        while self.waiting.load(Ordering::SeqCst) == 0 {
            self.changed.wait(&mut shut);
        }
    }

    /// How many calls wait at the gate, or are just let through.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    fn pass(&self) -> &dyn Wire {
        let mut shut = self.shut.lock();
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_all();
        while *shut {
            self.changed.wait(&mut shut);
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        &*self.wire
    }
}

impl Wire for Gated {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.pass().info()
    }
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.pass().push(request)
    }
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        self.pass().pull(request)
    }
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.pass().checkpoint(request)
    }
}

/// A wire that tells when it is cancelled, which ends none of its calls.
pub struct Told {
    wire: Arc<dyn Wire>,
    cancelled: Arc<(Mutex<bool>, Condvar)>,
    hooks: Mutex<Vec<OnCancel>>,
}

impl Told {
    pub fn new(wire: Arc<dyn Wire>) -> Arc<Told> {
        Arc::new(Told { wire, cancelled: Arc::default(), hooks: Mutex::default() })
    }

    pub fn until_cancelled(&self) {
        let (cancelled, changed) = &*self.cancelled;
        let mut cancelled = cancelled.lock();
        assert!(!changed.wait_while_for(&mut cancelled, |cancelled| !*cancelled, PATIENCE).timed_out());
    }
}

impl Wire for Told {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.wire.info()
    }
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.wire.push(request)
    }
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        self.wire.pull(request)
    }
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.wire.checkpoint(request)
    }
    fn cancellable(&self, cancel: &Cancel) -> Option<Arc<dyn Wire>> {
        let told = Arc::clone(&self.cancelled);
        self.hooks.lock().push(cancel.on_cancel(move || {
            *told.0.lock() = true;
            told.1.notify_all();
        }));
        None
    }
}

/// A wire with something the matter with its pushes.
pub struct Broken<F>(pub Arc<dyn Wire>, pub F);

impl<F: Fn() -> Option<WireError> + Send + Sync> Wire for Broken<F> {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.0.info()
    }
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        match (self.1)() {
            Some(error) => Err(error),
            None => self.0.push(request),
        }
    }
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        self.0.pull(request)
    }
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.0.checkpoint(request)
    }
}

/// A server that answers every request with the same bytes, or never.
pub fn answering(bytes: Option<&'static [u8]>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let count = Arc::clone(&count);
            std::thread::spawn(move || serve(stream, bytes, &count));
        }
    });
    (url, requests)
}

fn serve(mut stream: TcpStream, bytes: Option<&[u8]>, count: &AtomicUsize) {
    let (mut buffer, mut tail) = ([0; 4096], Vec::new());
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        tail.extend_from_slice(&buffer[..read]);
        if tail.windows(4).any(|four| four == b"\r\n\r\n") {
            tail.clear();
            count.fetch_add(1, Ordering::SeqCst);
            if bytes.is_some_and(|bytes| stream.write_all(bytes).is_err()) {
                return;
            }
        }
    }
}

#[test]
fn a_panic_of_the_wire_stops_it_with_an_error_and_nothing_else() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let panics = Arc::new(AtomicUsize::new(1));
    let left = Arc::clone(&panics);
    let wire = Broken(site.wire(), move || {
        assert!(left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err(), "s3cret");
        None
    });
    store.start(Arc::new(wire), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    let made = store.set("notes", "n1", &1).unwrap();
    hears.until_state(SyncState::Failed);
    let status = store.status();
    assert_eq!(
        (status.state, status.error.as_deref()),
        (SyncState::Failed, Some("the wire, or its source of credentials, panicked"))
    );
    assert!(status.next_try.unwrap() > std::time::Duration::from_secs(14 * 60), "{status:?}");
    assert!(!format!("{:?}", hears.heard).contains("s3cret"));
    store.sync_now();
    hears.until_settled(made);
    hears.until_true("being well", || store.status().error.is_none());
}

#[test]
fn what_a_firewall_refuses_is_told_and_keeps_no_news_away() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let forbids = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let still = Arc::clone(&forbids);
    let refusing = move || still.load(Ordering::SeqCst).then(|| WireError::Forbidden("a word in it".into()));
    let made = store.set("notes", "n1", &1).unwrap();
    store.start(Arc::new(Broken(site.wire(), refusing)), quick()).unwrap();
    hears.until_state(SyncState::Failed);
    let theirs = site.store("two.db");
    for n in 0..3 {
        theirs.set("notes", "theirs", &n).unwrap();
        theirs.sync(&*site.wire()).unwrap();
        hears.until_true("news", || store.get::<i32>("notes", "theirs").unwrap() == Some(n));
    }
    assert_eq!(store.outcome(made).unwrap(), Some(Outcome::InFlight));
    hears.until_true("the refusal", || store.status().state == SyncState::Failed);
    assert!(store.status().error.is_some_and(|error| error.contains("a word in it")));
    forbids.store(false, Ordering::SeqCst);
    store.sync_now();
    hears.until_settled(made);
    hears.until_true("being well", || store.status().error.is_none());
}

#[test]
fn an_error_that_does_not_pass_waits_for_the_host() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let forbids = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let still = Arc::clone(&forbids);
    let unknown = || WireError::Refused { status: 404, code: "unknown_db".into(), message: String::new() };
    let refusing = move || still.load(Ordering::SeqCst).then(unknown);
    store.start(Arc::new(Broken(site.wire(), refusing)), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    let made = store.set("notes", "n1", &1).unwrap();
    hears.until_state(SyncState::Failed);
    // Other stores may try meanwhile.
    site.store("one.db").sync(&*site.wire()).unwrap();
    let made = (made, store.set("notes", "n1", &2).unwrap());
    for _ in 0..2 {
        store.sync_now();
        hears.until_state(SyncState::Failed);
    }
    forbids.store(false, Ordering::SeqCst);
    store.sync_now();
    hears.until_settled(made.1);
    let errors = hears.heard.iter().filter(|event| matches!(event, Event::Log(line) if line.level == LogLevel::Error));
    assert_eq!(errors.count(), 1, "the same trouble is one line, however often it is met: {:#?}", hears.heard);
}

#[test]
fn a_refused_credential_is_refreshed_once_and_then_waits_for_the_host() {
    const CONFIG: &str = "[[credential]]\ntoken = \"g00d\"\nuser = \"ada\"\ndatabases = [\"db\"]\nall_tags = true\n";
    let site = Site::with(Config::parse(CONFIG).unwrap());
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let (refreshed, good) = (Arc::new(AtomicUsize::new(0)), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let (asked, is_good) = (Arc::clone(&refreshed), Arc::clone(&good));
    let http = HttpOptions::default().with_credentials(move |refresh: bool| {
        let nth = asked.fetch_add(usize::from(refresh), Ordering::SeqCst);
        let bad = format!("wr0ng-{refresh}-{nth}");
        Ok(Credential::bearer(if is_good.load(Ordering::SeqCst) { "g00d".to_owned() } else { bad }))
    });
    let wire = Arc::new(HttpWire::new(&site.server.url(), DATABASE, http).unwrap());
    let made = store.set("notes", "n1", &1).unwrap();
    store.start(Arc::clone(&wire) as Arc<dyn Wire>, quick()).unwrap();
    hears.until_state(SyncState::NeedsCredential);
    assert_eq!((refreshed.load(Ordering::SeqCst), wire.traffic().round_trips), (1, 2));
    for n in 0..10 {
        store.set("notes", "n2", &n).unwrap();
    }
    assert_eq!(store.status().state, SyncState::NeedsCredential);
    let next_try = store.status().next_try.unwrap();
    assert!(next_try > std::time::Duration::from_secs(14 * 60), "{next_try:?}");
    store.credential_changed();
    hears.until_state(SyncState::NeedsCredential);
    assert_eq!(refreshed.load(Ordering::SeqCst), 2, "and it is still refused");
    good.store(true, Ordering::SeqCst);
    store.credential_changed();
    hears.until_settled(made);
    assert!(!format!("{:?}", hears.heard).contains("wr0ng"), "no secret is told");
}

/// A wire of which the first request for news is held at a gate, and then refused.
struct Late(Arc<dyn Wire>, Arc<Gated>, AtomicUsize);

impl Wire for Late {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.0.info()
    }
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.0.push(request)
    }
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        if !request.wait.is_zero() && self.2.fetch_add(1, Ordering::SeqCst) == 0 {
            self.1.pass();
            return Err(WireError::Unauthenticated("it has expired".into()));
        }
        self.0.pull(request)
    }
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.0.checkpoint(request)
    }
}

#[test]
fn a_request_for_news_that_is_refused_late_puts_nothing_off() {
    let site = Site::new();
    let (store, gate) = (site.store("one.db"), Gated::new(site.wire()));
    let mut hears = Listener::new(&store);
    gate.shut(true);
    let late = Arc::new(Late(site.wire(), Arc::clone(&gate), AtomicUsize::new(0)));
    store.start(late.clone(), quick()).unwrap();
    gate.until_waiting();
    // Meanwhile there is another credential.
    let made = store.set("notes", "n1", &1).unwrap();
    hears.until_settled(made);
    store.credential_changed();
    gate.shut(false);
    hears.until_true("the next request for news", || late.2.load(Ordering::SeqCst) > 1);
    let made = store.set("notes", "n1", &2).unwrap();
    hears.until_settled(made);
    let waits = |event: &Event| matches!(event, Event::Status(status) if status.state == SyncState::NeedsCredential);
    assert!(!hears.heard.iter().any(waits), "{:#?}", hears.heard);
}

#[test]
fn resumed_before_its_pause_was_noticed_it_syncs_at_once_all_the_same() {
    let site = Site::new();
    let store = site.store("one.db");
    let (busy, is_busy) = std::sync::mpsc::channel();
    let (go, goes) = std::sync::mpsc::channel::<()>();
    let goes = Mutex::new(goes);
    let events = store.events(EventOptions::default(), move || {
        if std::thread::current().name() == Some("syncstore-sync") && busy.send(()).is_ok() {
            let _ = goes.lock().recv();
        }
    });
    let fails = std::sync::atomic::AtomicBool::new(true);
    let failing = move || fails.swap(false, Ordering::SeqCst).then(|| WireError::Unauthenticated("not yet".into()));
    let made = store.set("notes", "n1", &1).unwrap();
    store.start(Arc::new(Broken(site.wire(), failing)), quick()).unwrap();
    let begun = std::time::Instant::now();
    loop {
        let called = is_busy.recv_timeout(std::time::Duration::from_millis(20)).is_ok();
        if called && store.status().state == SyncState::NeedsCredential {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", store.status());
        // So that the next event wakes.
        while events.pump(100, PATIENCE, drop).unwrap().more {}
        if called {
            go.send(()).unwrap();
        }
    }
    // While the thread is in a callback of the host's.
    store.pause();
    store.resume();
    drop((go, is_busy));
    let begun = std::time::Instant::now();
    while !matches!(store.outcome(made).unwrap(), Some(Outcome::Accepted { .. })) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", store.status());
        events.wait(std::time::Duration::from_millis(20));
        while events.pump(100, PATIENCE, drop).unwrap().more {}
    }
}

#[test]
fn a_wire_that_ends_its_requests_by_itself_is_tried_again() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let left = AtomicUsize::new(2);
    let ending = move || {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
            .then_some(WireError::Cancelled)
    };
    store.start(Arc::new(Broken(site.wire(), ending)), quick()).unwrap();
    let made = store.set("notes", "n1", &1).unwrap();
    hears.until_settled(made);
}

/// A wire that answers each request for news at once, with no entry and another cursor, or none at all; it notes when.
struct Restless {
    wire: Arc<dyn Wire>,
    expires: bool,
    asked: Mutex<Vec<Instant>>,
}

impl Wire for Restless {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.wire.info()
    }
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.wire.push(request)
    }
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        let mut request = request.clone();
        let polls = !std::mem::take(&mut request.wait).is_zero();
        request.cursor = request.cursor.map(|cursor| Cursor::new(cursor.as_str().split('~').next().unwrap()));
        let mut page = self.wire.pull(&request)?;
        if polls {
            let mut asked = self.asked.lock();
            asked.push(Instant::now());
            if self.expires {
                return Err(WireError::CursorExpired(Expiry::Pruned));
            }
            page.cursor = Cursor::new(format!("{}~{}", page.cursor.as_str(), asked.len()));
        }
        Ok(page)
    }
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.wire.checkpoint(request)
    }
}

#[test]
fn a_server_that_answers_at_once_without_entries_is_asked_for_news_after_longer_and_longer_waits() {
    for expires in [false, true] {
        let site = Site::new();
        let store = site.store("one.db");
        let mut hears = Listener::new(&store);
        let restless = Arc::new(Restless { wire: site.wire(), expires, asked: Mutex::default() });
        store.start(restless.clone(), quick()).unwrap();
        hears.until_true("three requests", || restless.asked.lock().len() >= 3);
        let asked = restless.asked.lock().clone();
        let waits = [asked[1] - asked[0], asked[2] - asked[1]];
        assert!(waits[0] >= Duration::from_millis(500) && waits[1] >= Duration::from_secs(1), "{waits:?}");
    }
}

#[test]
fn a_captive_portal_is_no_reason_to_give_up() {
    let (url, requests) = answering(Some(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("one.db"), Options::default()).unwrap();
    let mut hears = Listener::new(&store);
    store.start(wire(&url), quick()).unwrap();
    for _ in 0..3 {
        hears.until("a try", |event| match event {
            Event::Status(status) if status.state == SyncState::Offline => Some(()),
            _ => None,
        });
    }
    assert!(requests.load(Ordering::SeqCst) >= 3);
    assert_stops(&store);
}
