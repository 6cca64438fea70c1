//! Servers that never come to an end: every call has one, the disk stays bounded, and an honest server mends the rest.

use crate::hostile::{is_protocol, loaded};
use crate::support::scripted::*;
use crate::support::{Fleet, ScriptedWire, Server, get, view};
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use syncstore::protocol::{
    BatchId, CheckpointPage, Code, Cursor, DatabaseInfo, Entry, InboxPage, Json, Limits, PushOutcome, PushRequest,
    PushResponse,
};
use syncstore::wire::{CheckpointRequest, Expiry, PullRequest, Wire, WireError};
use syncstore::{Error, Outcome, RetryPolicy, Store};

/// Answers the same way for ever: the n-th pull and the n-th page of a checkpoint by `n`, pushes with acceptance.
#[derive(Default)]
struct Endless {
    pull: Option<fn(u64, &PullRequest) -> InboxPage>,
    checkpoint: Option<fn(u64, &CheckpointRequest) -> CheckpointPage>,
    calls: AtomicU64,
    /// The write-ahead log of the replica that calls, and the most bytes that it was found to have.
    log: OnceLock<PathBuf>,
    longest_log: AtomicU64,
}

impl Endless {
    /// The number of this call, from 0 up.
    fn call(&self) -> u64 {
        self.look();
        self.calls.fetch_add(1, Ordering::SeqCst)
    }

    fn look(&self) {
        let log = self.log.get().and_then(|log| std::fs::metadata(log).ok());
        self.longest_log.fetch_max(log.map_or(0, |log| log.len()), Ordering::SeqCst);
    }
}

impl Wire for Endless {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        Ok(DatabaseInfo {
            database: None,
            epoch: "e".into(),
            seq: u64::MAX,
            limits: Limits::default(),
            formats: Vec::new(),
            encodings: Vec::new(),
            retention: Default::default(),
        })
    }
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        Ok(accept_all(request, 1_000_000))
    }
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        let n = self.call();
        match self.pull {
            Some(pull) => Ok(pull(n, request)),
            None => Err(WireError::CursorExpired(Expiry::Pruned)),
        }
    }
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        let n = self.call();
        Ok(self.checkpoint.expect("a checkpoint was not to be asked for")(n, request))
    }
}

fn empty(n: u64) -> InboxPage {
    InboxPage { entries: Vec::new(), cursor: Cursor::new(format!("n{n}")), seq: 10 + n, more: true }
}

fn page(items: Vec<syncstore::protocol::CheckpointItem>, next: String) -> CheckpointPage {
    CheckpointPage { next: Some(next), total: u64::MAX, ..checkpoint_of(5, items) }
}

/// How a call ends with a server that never does.
#[derive(Debug, PartialEq)]
enum End {
    /// The server broke a promise, or was listened to for long enough.
    Protocol,
    /// The file has reached `Options::largest_file`, which is this.
    TooLarge(u64),
}

/// The most that the file may have after a call for what is not large, in bytes.
const SMALL: u64 = 200_000;

/// The most that the write-ahead log may have, in bytes: that of 1,000 pages, and of one transaction.
const LOG: u64 = 1_000 * (4_096 + 24) + SMALL;

/// The same while a checkpoint is loaded: 16 MiB of values are in the log before it is moved, and half as much is left for what
/// is written beside them, and for the page that comes meanwhile.
const LOADING_LOG: u64 = 24 << 20;

/// The call ends so after at most so many requests, and the replica is none the worse and no larger than it may be.
fn ends_within(requests: u64, end: End, options: impl FnOnce(&mut syncstore::Options), wire: &Endless) {
    let fleet = Fleet::new();
    let name = "a";
    drop(loaded(&fleet, name, 1, vec![item("c", "k", json!(1), 1)]));
    let store = fleet.open_with(name, options);
    store.set("c", "mine", &1).unwrap();
    wire.log.set(format!("{}-wal", fleet.path(name).display()).into()).unwrap();
    let error = store.sync(wire).unwrap_err();
    wire.look();
    let found = match error.error() {
        Error::Wire(WireError::Protocol(_)) => End::Protocol,
        Error::TooLarge { limit, .. } => End::TooLarge(*limit),
        _ => panic!("{error}"),
    };
    assert_eq!(found, end, "{error}");
    let calls = wire.calls.load(Ordering::SeqCst);
    assert!(calls <= requests, "{calls} requests");
    assert_eq!(get(&store, "c", "mine"), Some(json!(1)));
    store.set("c", "after", &2).unwrap();
    drop(store);
    let (log, most) = (wire.longest_log.load(Ordering::SeqCst), wire.checkpoint.map_or(LOG, |_| LOADING_LOG));
    assert!(0 < log && log <= most, "{log} bytes of log, which may be {most}");
    let file = std::fs::metadata(fleet.path(name)).unwrap().len();
    let most = if let End::TooLarge(limit) = end { limit + SMALL } else { SMALL };
    assert!(file <= most, "{file} bytes, which may be {most}");
    syncs_with_an_honest_server(&fleet, name);
}

fn syncs_with_an_honest_server(fleet: &Fleet, name: &str) {
    let server: Arc<Server> = Server::start();
    let store: Store = fleet.open(name);
    store.sync(&server.wire()).unwrap();
    let other = fleet.open("other");
    other.sync(&server.wire()).unwrap();
    assert_eq!(view(&store), view(&other));
}

#[test]
fn pages_that_are_empty_for_ever_end_the_call() {
    let wire = Endless { pull: Some(|n, _| empty(n)), ..Endless::default() };
    ends_within(1_100, End::Protocol, |_| {}, &wire);
}

#[test]
fn empty_pages_that_come_to_an_end_are_no_endless_ones_however_often() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    store.set("c", "k1", &1).unwrap();
    store.set("c", "k2", &2).unwrap();
    let wire = ScriptedWire::new();
    // Two pulls in one call, since the first push leaves something over.
    wire.on_push(|request| {
        let mut answer = accept_all(request, 5_000);
        answer.results[1] = result(request.ops[1].op_ref, PushOutcome::Skipped, None);
        Ok(answer)
    })
    .on_push(|request| Ok(accept_all(request, 5_001)));
    // As many as may come in a row, twice.
    for n in 1..=2_002 {
        wire.on_pull(move |_| Ok(InboxPage { more: n % 1_001 != 0, ..empty(n) }));
    }
    let report = store.sync(&wire).unwrap();
    assert!(wire.is_over());
    assert_eq!((report.accepted, report.position), (2, 2_012));
}

#[test]
fn a_cursor_that_advances_without_its_position_ends_the_call() {
    let wire = Endless { pull: Some(|n, _| InboxPage { seq: 10, ..empty(n) }), ..Endless::default() };
    ends_within(2, End::Protocol, |_| {}, &wire);
    let wire = Endless { pull: Some(|n, _| InboxPage { seq: 10_000 - n, ..empty(n) }), ..Endless::default() };
    ends_within(2, End::Protocol, |_| {}, &wire);
}

#[test]
fn entries_without_end_stop_at_the_most_pages_of_a_call() {
    let wire = Endless {
        pull: Some(|n, _| {
            let from = if n == 0 { 0 } else { 9 + n };
            InboxPage { entries: vec![set_entry(10 + n, foreign(n), "c", "same", json!(n), from)], ..empty(n) }
        }),
        ..Endless::default()
    };
    // More than the log holds before it is moved.
    ends_within(700, End::Protocol, |options| options.pages = 700, &wire);
}

#[test]
fn items_without_end_stop_at_the_largest_file() {
    const LARGEST: u64 = 1 << 20;
    let wire = Endless {
        pull: Some(|n, _| {
            let value = json!("x".repeat(50_000));
            InboxPage { entries: vec![set_entry(10 + n, foreign(n), "c", &format!("k{n}"), value, 0)], ..empty(n) }
        }),
        ..Endless::default()
    };
    ends_within(40, End::TooLarge(LARGEST), |options| options.largest_file = LARGEST, &wire);
    let wire = Endless {
        checkpoint: Some(|n, _| page(vec![item("c", &format!("k{n}"), json!("x".repeat(50_000)), 5)], format!("p{n}"))),
        ..Endless::default()
    };
    // Beside what the checkpoint replaces.
    ends_within(60, End::TooLarge(2 * LARGEST), |options| options.largest_file = LARGEST, &wire);
}

#[test]
fn much_that_is_loaded_without_end_does_not_stay_in_the_log() {
    const LARGEST: u64 = 12 << 20;
    let wire = Endless {
        checkpoint: Some(|n, _| {
            page(vec![item("c", &format!("k{n}"), json!("x".repeat(100_000)), 5)], format!("p{n}"))
        }),
        ..Endless::default()
    };
    ends_within(270, End::TooLarge(2 * LARGEST), |options| options.largest_file = LARGEST, &wire);
    assert!(wire.longest_log.load(Ordering::SeqCst) > 16 << 20, "too little was loaded for it to be moved");
}

#[test]
fn a_checkpoint_whose_pages_lead_in_a_circle_ends_the_call() {
    let wire = Endless {
        checkpoint: Some(|_, request| {
            let next = if request.page.as_deref() == Some("a") { "b" } else { "a" };
            page(vec![item("c", "k", json!(1), 5)], next.into())
        }),
        ..Endless::default()
    };
    ends_within(12, End::Protocol, |_| {}, &wire);
}

#[test]
fn a_checkpoint_of_empty_pages_ends_the_call() {
    let wire = Endless { checkpoint: Some(|n, _| page(Vec::new(), format!("p{n}"))), ..Endless::default() };
    ends_within(1_100, End::Protocol, |_| {}, &wire);
}

#[test]
fn texts_too_long_to_send_back_are_not_stored() {
    let long = || "c".repeat(100_000);
    let wire = ScriptedWire::new();
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    wire.on_pull(move |_| Ok(InboxPage { cursor: Cursor::new(long()), more: false, ..empty(0) }));
    assert!(is_protocol(&store.pull(&wire).unwrap_err()));
    let spoils: [fn(&mut CheckpointPage); 3] = [
        |page| page.cursor = Cursor::new("c".repeat(100_000)),
        |page| page.checkpoint = "c".repeat(100_000),
        |page| page.next = Some("c".repeat(100_000)),
    ];
    for spoil in spoils {
        wire.on_pull(|_| Err(WireError::CursorExpired(Expiry::Pruned))).on_checkpoint(move |_| {
            let mut page = checkpoint_of(5, Vec::new());
            spoil(&mut page);
            Ok(page)
        });
        assert!(is_protocol(&store.pull(&wire).unwrap_err()));
    }
    assert_eq!(store.position().unwrap(), 1);
    syncs_with_an_honest_server(&fleet, "a");
}

#[test]
fn names_beyond_all_limits_are_refused() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let long = "n".repeat(5_000);
    for (collection, key) in [(long.as_str(), "k"), ("c", long.as_str()), ("", "k"), ("c", "")] {
        let wire = ScriptedWire::new();
        wire.on_pull_page(vec![set_entry(2, foreign(2), collection, key, json!(1), 0)]);
        assert!(is_protocol(&store.pull(&wire).unwrap_err()), "{} {}", collection.len(), key.len());
        assert!(view(&store).is_empty());
    }
}

#[test]
fn a_servers_words_are_kept_within_bounds() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 1, Vec::new());
    let (pushed, pulled) = (store.set("c", "x", &1).unwrap(), store.set("c", "y", &1).unwrap());
    let wire = ScriptedWire::new();
    // A cut within a letter takes the whole of it.
    let words = format!("x{}", "ä".repeat(1 << 20));
    let detail = Json::parse(&format!("\"{words}\"")).unwrap();
    let (message, more) = (words.clone(), detail.clone());
    wire.on_push(move |request| {
        let mut answer = accept_all(request, 2);
        answer.results[0].outcome = PushOutcome::Rejected;
        (answer.results[0].code, answer.results[0].message) = (Some(Code::new(message.clone())), Some(message));
        answer.results[0].detail = Some(more);
        answer.results[1].outcome = PushOutcome::Queued;
        answer.results[1].seq = None;
        Ok(answer)
    });
    let mut entry = rejected_entry(3, pulled, Code::new(words.clone()), &words);
    entry.detail = Some(detail);
    wire.on_pull_page(vec![entry]);
    store.sync(&wire).unwrap();
    for op in [pushed, pulled] {
        let Some(Outcome::Rejected(told)) = store.outcome(op).unwrap() else { panic!("{op} was rejected") };
        assert_eq!((told.code.as_str().len(), told.message.len(), told.detail), (63, 2_047, None));
    }
    let file = std::fs::metadata(fleet.path("a")).unwrap().len();
    assert!(file < 200_000, "{file} bytes");
}

#[test]
fn a_log_that_ends_before_the_replica_does_is_another_log() {
    let fleet = Fleet::new();
    let store = loaded(&fleet, "a", 50, vec![item("c", "k", json!(1), 9)]);
    let wire = ScriptedWire::new();
    wire.on_pull(|_| Ok(InboxPage { entries: Vec::new(), cursor: cursor(7), seq: 7, more: false }))
        .on_checkpoint_items(7, vec![item("c", "k", json!(2), 7)]);
    let report = store.pull(&wire).unwrap();
    assert!(report.bootstrapped.is_some());
    assert_eq!((report.position, get(&store, "c", "k")), (7, Some(json!(2))));
}

#[test]
fn a_wait_of_centuries_is_not_waited_for() {
    let fleet = Fleet::new();
    drop(loaded(&fleet, "a", 1, Vec::new()));
    let store = fleet.open_with("a", |options| options.retry = RetryPolicy::default());
    let wire = ScriptedWire::new();
    let busy = |wait| WireError::Unavailable { status: 503, retry_after: Some(wait), message: String::new() };
    wire.on_pull(move |_| Err(busy(Duration::from_secs(1)))).on_pull(move |_| Err(busy(Duration::MAX)));
    let error = store.pull(&wire).unwrap_err().into_error();
    assert!(matches!(error, Error::Wire(WireError::Unavailable { status: 503, .. })), "{error:?}");
    assert!(fleet.environment.slept().iter().sum::<Duration>() <= Duration::from_secs(30));
}

#[test]
fn a_batch_that_would_hold_the_writer_for_an_hour_is_refused() {
    let fleet = Fleet::new();
    let array = serde_json::Value::from(vec![0; 1 << 20]);
    let store = loaded(&fleet, "a", 1, vec![item("c", "k", array, 1)]);
    let wire = ScriptedWire::new();
    // Each turns an array of a million elements around so often.
    let turn = serde_json::Value::from(vec![json!({"op": "move", "from": "/0", "path": "/-"}); 60]);
    let batch = Some(BatchId::from_random(1));
    let entry = |seq| Entry { batch, ..patch_entry(seq, foreign(seq), "c", "k", turn.clone(), seq - 1) };
    wire.on_pull_page((2..2_000).map(entry).collect());
    let error = store.pull(&wire).unwrap_err();
    assert!(is_protocol(&error), "{error}");
    assert_eq!(store.get_raw("c", "k").unwrap().unwrap().len(), 2 * (1 << 20) + 1);
}
