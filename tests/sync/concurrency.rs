//! Several threads, and several stores on one file.

use crate::support::{Call, Fault, FaultyWire, Fleet, Server, get, patch, view};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use syncstore::environment::SystemEnvironment;
use syncstore::protocol::{BatchId, ClientId, Format, Json, Op, OpKind, PushRequest, Ref};
use syncstore::wire::Wire;
use syncstore::{KeyRange, Options, Outcome, Store};

/// One batch on the server that gives all items the same value.
fn write_together(server: &Arc<Server>, round: usize, items: usize) {
    let ops = (0..items).map(|n| Op {
        value: Some(Json::from_value(&json!(round))),
        batch: Some(BatchId::from_random(round as u128)),
        of: Some(items as u32),
        ..Op::new(
            Ref::from_parts(crate::support::scripted::foreign(0).order() + (round * items + n) as i64, 1),
            OpKind::Set,
            "c",
            format!("k{n:05}"),
        )
    });
    let request = PushRequest { client: ClientId::from_random(5), cursor: None, ops: ops.collect() };
    let answer = server.wire().push(&request).unwrap();
    assert!(answer.results.iter().all(|result| result.seq.is_some()));
}

#[test]
fn a_pull_of_a_hundred_thousand_entries_stops_neither_readers_nor_writers() {
    const ENTRIES: usize = 100_000;
    const ITEMS: usize = 500;
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = Arc::new(fleet.open("reader"));
    store.sync(&server.wire()).unwrap();
    // Items that only ever change together: a reader must never see them apart.
    for round in 0..ENTRIES / ITEMS {
        write_together(&server, round, ITEMS);
    }
    assert_eq!(server.service(|service| service.stats())[0].name, crate::support::server::DB);
    let done = Arc::new(AtomicBool::new(false));
    let (reader, ended) = (Arc::clone(&store), Arc::clone(&done));
    let reading = std::thread::spawn(move || {
        let mut reads = 0_u64;
        let mut last = 0;
        while !ended.load(Ordering::SeqCst) {
            let items = reader.list("c", &KeyRange::all()).unwrap();
            assert!(items.is_empty() || items.len() == ITEMS, "{} items are seen", items.len());
            let round = items.get(0).map(|item| item.value.to_owned());
            assert!(items.iter().all(|item| Some(item.value) == round.as_deref()), "half a batch is seen");
            let first: u64 = items.get(0).map_or(0, |item| item.to().unwrap());
            assert!(first >= last, "the past came back");
            last = first;
            reads += 1;
        }
        reads
    });
    let (writer, ended) = (Arc::clone(&store), Arc::clone(&done));
    let writing = std::thread::spawn(move || {
        let mut refs = Vec::new();
        let mut longest = Duration::ZERO;
        while !ended.load(Ordering::SeqCst) {
            let start = Instant::now();
            let n = refs.len();
            refs.push(writer.set("mine", &format!("m{n:06}"), &n).unwrap());
            longest = longest.max(start.elapsed());
            assert_eq!(get(&writer, "mine", &format!("m{n:06}")), Some(json!(n)));
        }
        (refs, longest)
    });
    let report = store.pull(&server.wire()).unwrap();
    done.store(true, Ordering::SeqCst);
    let reads = reading.join().unwrap();
    let (refs, longest) = writing.join().unwrap();
    assert_eq!((report.pulled, report.bootstrapped), (ENTRIES as u64, None));
    assert!(reads > 5 && refs.len() > 20, "{reads} reads, {} writes", refs.len());
    // A slice takes milliseconds; this is an unoptimised build on a busy machine.
    assert!(longest < Duration::from_secs(3), "a write waited for {longest:?}");
    store.sync(&server.wire()).unwrap();
    for op in &refs {
        assert!(matches!(store.outcome(*op).unwrap(), Some(Outcome::Accepted { .. })));
    }
    assert_eq!(server.items().len(), ITEMS + refs.len());
    assert_eq!(view(&store).len(), ITEMS + refs.len());
}

#[test]
fn two_stores_on_one_file_lose_nothing() {
    let (fleet, server) = (Fleet::new(), Server::start());
    // They take turns, for which time must pass.
    let real = |options: &mut Options| {
        options.environment = Arc::new(SystemEnvironment::default());
        options.busy_timeout = Duration::from_secs(60);
    };
    let stores = [fleet.open_with("a", real), fleet.open_with("a", real)];
    stores[0].set("c", "list", &json!([])).unwrap();
    stores[0].sync(&server.wire()).unwrap();
    let threads: Vec<_> = stores
        .into_iter()
        .enumerate()
        .map(|(n, store)| {
            let server = Arc::clone(&server);
            std::thread::spawn(move || {
                let wire = server.wire_in(Format::Json);
                let mut refs = Vec::new();
                for step in 0..60 {
                    let append = patch(json!([{"op": "add", "path": "/-", "value": format!("{n}-{step}")}]));
                    refs.push(store.patch("c", "list", &append).unwrap());
                    refs.push(store.set("c", &format!("k{n}-{step}"), &step).unwrap());
                    if step % 3 == n {
                        let report = store.sync(&wire).unwrap();
                        assert_eq!(report.bootstrapped, None, "neither has diverged");
                    }
                }
                (store, refs)
            })
        })
        .collect();
    let ended: Vec<(Store, Vec<_>)> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    ended[0].0.sync(&server.wire()).unwrap();
    let list = server.value("c", "list").unwrap();
    let mut appended: Vec<&str> = list.as_array().unwrap().iter().map(|mark| mark.as_str().unwrap()).collect();
    appended.sort_unstable();
    let mut expected: Vec<String> = (0..2).flat_map(|n| (0..60).map(move |step| format!("{n}-{step}"))).collect();
    expected.sort_unstable();
    assert_eq!(appended, expected, "each once");
    for (store, refs) in &ended {
        assert!(store.pending().unwrap().is_empty());
        assert_eq!(view(store).len(), 121);
        for op in refs {
            let outcome = store.outcome(*op).unwrap();
            assert!(matches!(outcome, Some(Outcome::Accepted { .. } | Outcome::FoldedInto(_))), "{outcome:?}");
        }
    }
    let other = fleet.open("b");
    other.sync(&server.wire()).unwrap();
    assert_eq!(view(&other), view(&ended[0].0));
}

#[test]
fn while_one_store_syncs_another_on_the_file_writes_and_does_not_sync() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (store, other) = (fleet.open("a"), fleet.open("a"));
    store.set("c", "k", &1).unwrap();
    let direct = server.wire();
    let wire = FaultyWire::new(&direct, |_| {
        let error = other.sync(&direct).unwrap_err();
        assert!(matches!(error.error(), syncstore::Error::SyncedElsewhere), "{error}");
        assert!(error.error().is_transient());
        other.set("c", "other", &json!({})).unwrap();
        Fault::None
    });
    store.sync(&wire).unwrap();
    assert!(wire.calls().len() > 2);
    other.sync(&direct).unwrap();
    assert_eq!((view(&store).len(), server.items().len()), (2, 2));
}

#[test]
fn a_pull_that_crosses_another_stores_push_is_no_divergence() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let puller = fleet.open("a");
    puller.sync(&server.wire()).unwrap();
    let pusher = fleet.open("a");
    let op = pusher.set("c", "k", &1).unwrap();
    let (committed, wait_committed) = mpsc::channel();
    let (applied, wait_applied) = mpsc::channel::<()>();
    let (asked, wait_asked) = mpsc::channel::<()>();
    let pushing = {
        let server = Arc::clone(&server);
        std::thread::spawn(move || {
            wait_asked.recv().unwrap();
            let direct = server.wire();
            // The server has committed, and the answer is not in the file yet.
            struct Held<'a>(&'a dyn Wire, mpsc::Sender<()>, Mutex<mpsc::Receiver<()>>);
            impl Wire for Held<'_> {
                fn info(&self) -> Result<syncstore::protocol::DatabaseInfo, syncstore::wire::WireError> {
                    self.0.info()
                }
                fn push(
                    &self,
                    request: &syncstore::protocol::PushRequest,
                ) -> Result<syncstore::protocol::PushResponse, syncstore::wire::WireError> {
                    let answer = self.0.push(request);
                    self.1.send(()).unwrap();
                    self.2.lock().unwrap().recv().unwrap();
                    answer
                }
                fn pull(
                    &self,
                    request: &syncstore::wire::PullRequest,
                ) -> Result<syncstore::protocol::InboxPage, syncstore::wire::WireError> {
                    self.0.pull(request)
                }
                fn checkpoint(
                    &self,
                    request: &syncstore::wire::CheckpointRequest,
                ) -> Result<syncstore::protocol::CheckpointPage, syncstore::wire::WireError> {
                    self.0.checkpoint(request)
                }
            }
            pusher.push(&Held(&direct, committed, Mutex::new(wait_applied))).unwrap();
            pusher
        })
    };
    let direct = server.wire();
    let mut pulls = 0;
    let wire = FaultyWire::new(&direct, move |call| {
        if let Call::Pull(_) = call {
            pulls += 1;
            if pulls == 1 {
                // Asked before the op was sent, answered after it was committed.
                fleet.lift_lock("a");
                asked.send(()).unwrap();
                wait_committed.recv().unwrap();
            }
        }
        Fault::None
    });
    let report = puller.pull(&wire).unwrap();
    applied.send(()).unwrap();
    let pusher = pushing.join().unwrap();
    assert_eq!(report.bootstrapped, None);
    assert_eq!(pusher.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 1 }));
    pusher.sync(&direct).unwrap();
    assert!(pusher.pending().unwrap().is_empty());
    assert_eq!(get(&pusher, "c", "k"), Some(json!(1)));
}

#[test]
fn a_second_sync_waits_for_the_first() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = Arc::new(fleet.open("a"));
    store.sync(&server.wire()).unwrap();
    store.set("c", "k", &1).unwrap();
    let busy = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let (store, server, busy) = (Arc::clone(&store), Arc::clone(&server), Arc::clone(&busy));
            std::thread::spawn(move || {
                let direct = server.wire();
                let wire = FaultyWire::new(&direct, |_| {
                    assert!(!busy.swap(true, Ordering::SeqCst), "two requests of one store at a time");
                    std::thread::yield_now();
                    busy.store(false, Ordering::SeqCst);
                    Fault::None
                });
                for step in 0..10 {
                    store.set("c", &format!("k{n}-{step}"), &step).unwrap();
                    store.sync(&wire).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    store.sync(&server.wire()).unwrap();
    assert_eq!(server.items().len(), 41);
}

#[test]
fn updates_of_one_item_from_several_threads_all_count() {
    let fleet = Fleet::new();
    let stores = [Arc::new(fleet.open("a")), Arc::new(fleet.open("a"))];
    stores[0].set("c", "counter", &json!({"n": 0})).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let store = Arc::clone(&stores[n % 2]);
            std::thread::spawn(move || {
                let mut counted = 0;
                for _ in 0..50 {
                    match store.update("c", "counter", |value| value["n"] = (value["n"].as_u64().unwrap() + 1).into()) {
                        Ok(Some(_)) => counted += 1,
                        Err(syncstore::Error::Contended { .. }) => {}
                        other => panic!("{other:?}"),
                    }
                }
                counted
            })
        })
        .collect();
    let counted: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(get(&stores[1], "c", "counter"), Some(json!({ "n": counted })));
    assert!(counted > 50);
}
