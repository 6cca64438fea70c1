//! Whatever the network and the clocks do: what was written arrives, once, soon after they are well.

use crate::listener::*;
use crate::proxy::{Break, Proxy, Way};
use crate::wires::{Broken, Gated, answering};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use syncstore::environment::{Environment, SystemEnvironment};
use syncstore::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, PullRequest, WireError};
use syncstore::wire::{Credential, HttpOptions, HttpWire, Wire};
use syncstore::{Event, Options, Stopped, Store, SyncState};
use syncstore_server::config::Config;

/// A wire whose time-outs come soon.
fn impatient(url: &str) -> Arc<dyn Wire> {
    let mut http = HttpOptions::default();
    http.call_timeout = Duration::from_millis(300);
    Arc::new(HttpWire::new(url, DATABASE, http).unwrap())
}

/// Breaks the connection again and again while writing, then lets it be.
fn survives(seed: u64, how: &[Break]) {
    let site = Site::new();
    let proxy = Proxy::start(site.server.addr());
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let how_many = how.len();
    let mut policy = quick();
    // Answers that are held and never come are missed sooner.
    policy.poll = Duration::from_secs(1);
    store.start(impatient(&proxy.url()), policy).unwrap();
    let mut last = None;
    let (happened, happens) = mpsc::channel();
    for n in 0..12_u64 {
        let nth = n as usize;
        let how = how[nth % how.len()];
        let way = if (nth / how_many).is_multiple_of(2) { Way::Requests } else { Way::Answers };
        let happened = happened.clone();
        // Less than any push has, and any answer to one.
        proxy.set_then(way, (seed + n * 97) % 150, how, move || happened.send(n).unwrap_or_default());
        last = Some(store.set("notes", &format!("n{n}"), &n).unwrap());
        assert_eq!(happens.recv_timeout(PATIENCE), Ok(n), "{way:?} {how:?}");
        // Until it met the fault, or came around it.
        hears.until("a try", |event| match event {
            Event::Status(status) => matches!(status.state, SyncState::Offline | SyncState::Idle).then_some(()),
            _ => None,
        });
        let status = store.status();
        assert!(status.state != SyncState::Offline || status.next_try.unwrap() <= quick().longest_wait);
    }
    assert!(!proxy.clear(), "each fault has happened");
    let begun = Instant::now();
    let settled = |event: &Event| match event {
        Event::Settled { op_ref, .. } => Some(*op_ref),
        _ => None,
    };
    // It may have come along with the status that was waited for.
    if !hears.heard.iter().any(|event| settled(event) == last) {
        hears.until_settled(last.unwrap());
    }
    // A request that hangs, or an answer that is held and does not come, and then the back-off.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    while hears.heard.iter().filter_map(settled).count() < 12 {
        hears.until("an outcome", settled);
    }
    assert_eq!(store.pending_count().unwrap(), 0);
    for n in 0..12_u64 {
        assert_eq!(site.value("notes", &format!("n{n}")), Some(n.into()));
    }
    let mut settled: Vec<_> = hears.heard.iter().filter_map(settled).collect();
    let told = settled.len();
    settled.sort_unstable();
    settled.dedup();
    assert_eq!((told, settled.len()), (12, 12), "each outcome is told once");
}

#[test]
fn connections_that_are_reset() {
    survives(3, &[Break::Reset, Break::Close]);
}

#[test]
fn connections_that_go_dead_without_a_word() {
    survives(40, &[Break::BlackHole]);
}

#[test]
fn connections_that_the_server_has_forgotten() {
    survives(23, &[Break::HalfOpen]);
}

#[test]
fn connections_that_crawl() {
    survives(11, &[Break::Drip, Break::Reset, Break::Drip, Break::BlackHole]);
}

#[test]
fn a_credential_that_is_refused_without_end_is_tried_again_within_the_backstop() {
    const CONFIG: &str = "[[credential]]\ntoken = \"g00d\"\nuser = \"ada\"\ndatabases = [\"db\"]\nall_tags = true\n";
    let site = Site::with(Config::parse(CONFIG).unwrap());
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let good = Arc::new(AtomicBool::new(false));
    let is_good = Arc::clone(&good);
    let http = HttpOptions::default().with_credentials(move |_: bool| {
        Ok(Credential::bearer(if is_good.load(Ordering::SeqCst) { "g00d" } else { "b4d" }))
    });
    let mut policy = quick();
    policy.backstop = Duration::from_millis(200);
    let made = store.set("notes", "n1", &1).unwrap();
    store.start(Arc::new(HttpWire::new(&site.server.url(), DATABASE, http).unwrap()), policy.clone()).unwrap();
    for _ in 0..3 {
        let next_try = hears.until("the refusal, and when it goes on", |event| match event {
            Event::Status(status) if status.state == SyncState::NeedsCredential => status.next_try,
            _ => None,
        });
        assert!(next_try <= policy.backstop, "{next_try:?}");
    }
    // Nobody says so; it finds out.
    good.store(true, Ordering::SeqCst);
    hears.until_settled(made);
}

#[test]
fn a_server_that_asks_to_wait_for_a_day_is_asked_again_within_the_backstop() {
    let busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n";
    let (url, requests) = answering(Some(busy));
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("one.db"));
    let mut hears = Listener::new(&store);
    let mut policy = quick();
    policy.backstop = Duration::from_millis(300);
    store.start(wire(&url), policy.clone()).unwrap();
    for n in 1..=3 {
        let next_try = hears.until("when it goes on", |event| match event {
            Event::Status(status) if status.state == SyncState::Offline => status.next_try,
            _ => None,
        });
        // All of it: what the server asked for is more.
        assert!(next_try <= policy.backstop && next_try > policy.backstop / 2, "{next_try:?}");
        assert!(requests.load(Ordering::SeqCst) >= n);
    }
}

#[test]
fn an_error_that_does_not_pass_is_tried_again_within_the_backstop() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let forbids = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&forbids);
    let refusing = move || still.load(Ordering::SeqCst).then(|| WireError::Forbidden("another user's".into()));
    let mut policy = quick();
    policy.backstop = Duration::from_millis(200);
    let made = store.set("notes", "n1", &1).unwrap();
    store.start(Arc::new(Broken(site.wire(), refusing)), policy.clone()).unwrap();
    for _ in 0..3 {
        let next_try = hears.until("the refusal, and when it goes on", |event| match event {
            Event::Status(status) if status.state == SyncState::Failed => status.next_try,
            _ => None,
        });
        assert!(next_try <= policy.backstop, "{next_try:?}");
    }
    // Nobody says so; it finds out.
    forbids.store(false, Ordering::SeqCst);
    hears.until_settled(made);
}

#[test]
fn a_server_that_goes_and_comes_back() {
    let mut site = Site::new();
    let (store, address) = (site.store("one.db"), site.server.addr());
    let mut hears = Listener::new(&store);
    store.start(site.wire(), quick()).unwrap();
    hears.until_state(SyncState::Idle);
    // Held connections end; new ones are refused.
    let data = site.dir.path().join("server");
    let none = syncstore_server::ServerOptions::dev(site.dir.path().join("elsewhere"));
    std::mem::replace(&mut site.server, syncstore_server::Server::start(none).unwrap()).stop();
    let status = hears.until("being offline", |event| match event {
        Event::Status(status) if status.state == SyncState::Offline => Some(status.clone()),
        _ => None,
    });
    assert!(status.next_try.is_some_and(|next| next <= quick().longest_wait) && status.error.is_some(), "{status:?}");
    let made = store.set("notes", "n1", &1).unwrap();
    let mut again = syncstore_server::ServerOptions::dev(data);
    again.listen = address.to_string();
    site.server = syncstore_server::Server::start(again).unwrap();
    hears.until_settled(made);
}

/// A wall clock that jumps by years with each look, forwards and backwards.
#[derive(Default)]
pub struct Jumping(SystemEnvironment, AtomicU64);

impl Environment for Jumping {
    fn unix_ms(&self) -> u64 {
        let n = self.1.fetch_add(1, Ordering::SeqCst);
        self.0.unix_ms().wrapping_add_signed((n as i64 % 7 - 3) * 50_000_000_000)
    }
    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
    fn random(&self) -> u64 {
        self.0.random()
    }
    fn sleep(&self, duration: Duration) {
        self.0.sleep(duration);
    }
}

#[test]
fn clocks_that_jump() {
    let site = Site::new();
    let proxy = Proxy::start(site.server.addr());
    let mut options = Options::default();
    options.environment = Arc::new(Jumping::default());
    // Or the ledger would be pruned by what the clock says.
    options.retention.age = None;
    let store = Store::open(site.dir.path().join("one.db"), options).unwrap();
    let mut hears = Listener::new(&store);
    store.start(impatient(&proxy.url()), quick()).unwrap();
    for n in 0..10 {
        if n % 3 == 0 {
            proxy.set(Way::Answers, 20, Break::Close);
        }
        let made = store.set("notes", "n1", &n).unwrap();
        hears.until_settled(made);
    }
}

/// A wire whose first call never comes back.
struct Swallowing(Arc<dyn Wire>, AtomicUsize);

impl Swallowing {
    fn pass(&self) -> &dyn Wire {
        if self.1.fetch_add(1, Ordering::SeqCst) == 0 {
            loop {
                std::thread::park();
            }
        }
        &*self.0
    }
}

impl Wire for Swallowing {
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

#[test]
fn a_call_that_never_comes_back_is_given_up_and_made_again() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let mut policy = quick();
    // It is the backstop that ends the wait, and long enough for the status to be told before there is another.
    (policy.backstop, policy.first_wait, policy.longest_wait) =
        (Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(60));
    let made = store.set("notes", "n1", &1).unwrap();
    store.start(Arc::new(Swallowing(site.wire(), AtomicUsize::new(0))), policy.clone()).unwrap();
    let status = hears.until("that it is tried again", |event| match event {
        Event::Status(status) if status.state == SyncState::Offline => Some(status.clone()),
        _ => None,
    });
    assert!(status.next_try.is_some_and(|next| next <= policy.backstop), "{status:?}");
    assert!(status.error.is_some(), "{status:?}");
    hears.until_settled(made);
    // The lost call is nobody's any more, and nobody waits for it.
    assert_eq!(assert_stops(&store), Stopped::RequestLeft);
}

/// A source of credentials that keeps everybody who asks waiting until the sender goes, and how often it was asked.
fn withholding(site: &Site) -> (Arc<dyn Wire>, mpsc::Sender<()>, Arc<AtomicUsize>) {
    let (hand_out, handed_out) = mpsc::channel();
    let (handed_out, asked) = (Mutex::new(handed_out), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    let http = HttpOptions::default().with_credentials(move |_: bool| {
        count.fetch_add(1, Ordering::SeqCst);
        let _: Result<(), _> = handed_out.lock().recv();
        Ok(Credential::bearer("g00d"))
    });
    (Arc::new(HttpWire::new(&site.server.url(), DATABASE, http).unwrap()), hand_out, asked)
}

#[test]
fn a_source_of_credentials_that_does_not_return_is_given_up_and_waited_for_again() {
    for comes_back in [true, false] {
        let site = Site::new();
        let store = site.store("one.db");
        let mut hears = Listener::new(&store);
        let (wire, hand_out, asked) = withholding(&site);
        let mut policy = quick();
        // It is the backstop that ends the wait, as above.
        (policy.backstop, policy.first_wait, policy.longest_wait) =
            (Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(60));
        let made = store.set("notes", "n1", &1).unwrap();
        store.start(wire, policy.clone()).unwrap();
        let status = hears.until("that it is tried again", |event| match event {
            Event::Status(status) if status.state == SyncState::Offline => Some(status.clone()),
            _ => None,
        });
        assert!(status.next_try.is_some_and(|next| next <= policy.backstop), "{status:?}");
        assert!(status.error.as_ref().is_some_and(|error| error.contains("did not come back")), "{status:?}");
        if comes_back {
            drop(hand_out);
            hears.until_settled(made);
            assert_eq!(site.value("notes", "n1"), Some(1.into()));
            assert_stops(&store);
        } else {
            hears.until("the next try, which waits for it too", |event| match event {
                Event::Status(status) if status.state == SyncState::Offline => status.error.clone(),
                _ => None,
            });
            assert_eq!(store.outcome(made).unwrap(), Some(syncstore::Outcome::Queued));
            // Nobody waits for it who stops.
            assert_eq!(assert_stops(&store), Stopped::RequestLeft);
            drop(hand_out);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "it is asked once at a time");
    }
}

#[test]
fn calls_that_were_given_up_are_few_and_change_nothing_when_they_come_back() {
    let site = Site::new();
    let store = site.store("one.db");
    let mut hears = Listener::new(&store);
    let gate = Gated::new(site.wire());
    let mut policy = quick();
    policy.backstop = Duration::from_millis(10);
    store.start(gate.clone(), policy).unwrap();
    hears.until_state(SyncState::Idle);
    gate.shut(true);
    let made = store.set("notes", "n1", &1).unwrap();
    hears.until("that there is no thread left", |event| match event {
        Event::Status(status) => status.error.as_ref()?.contains("have not come back").then_some(()),
        _ => None,
    });
    // Nor are there more for trying again.
    for _ in 0..3 {
        assert!(gate.waiting() <= 8, "{}", gate.waiting());
        hears.until_state(SyncState::Offline);
    }
    let writing = store.set("notes", "n2", &2).unwrap();
    gate.shut(false);
    hears.until_settled(writing);
    hears.until_state(SyncState::Idle);
    assert_eq!(site.value("notes", "n1"), Some(1.into()));
    let settled = |event: &&Event| matches!(event, Event::Settled { op_ref, .. } if *op_ref == made);
    assert_eq!(hears.all().iter().filter(settled).count(), 1);
    assert!(store.check().unwrap().is_ok());
    // And in the middle of such calls it stops as ever.
    gate.shut(true);
    store.set("notes", "n3", &3).unwrap();
    hears.until_state(SyncState::Offline);
    assert_stops(&store);
    gate.shut(false);
}
