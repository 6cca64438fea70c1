//! Loading a replica from a checkpoint, and everything that may come between.

use crate::support::scripted::{checkpoint_of, cursor, foreign, item, page_of, set_entry};
use crate::support::{Call, Fault, FaultyWire, Fleet, Random, ScriptedWire, Server, get, patch, view};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use syncstore::protocol::{CheckpointPage, ClientId, Op, OpKind, PushRequest, Ref};
use syncstore::wire::{Expiry, Wire, WireError};
use syncstore::{BootstrapReason, Error, KeyRange, Outcome, RetryPolicy, Store};

/// Puts items on the server without a replica.
fn fill(server: &Arc<Server>, collection: &str, count: u64) {
    let wire = server.wire();
    let client = ClientId::from_random(0xf111);
    let start = (crate::support::environment::START as i64) << 12;
    let ops: Vec<u64> = (0..count).collect();
    for chunk in ops.chunks(1_000) {
        let ops = chunk.iter().map(|n| Op {
            value: Some(serde_json::from_value(json!({"n": n, "title": "an item", "tags": ["a", "b"]})).unwrap()),
            ..Op::new(Ref::from_parts(start + *n as i64, *n), OpKind::Set, collection, format!("k{n:06}"))
        });
        let answer = wire.push(&PushRequest { client, cursor: None, ops: ops.collect() }).unwrap();
        assert!(answer.results.iter().all(|result| result.seq.is_some()));
    }
}

/// A server that keeps few entries, so that the cursors of a replica that is away expire.
fn forgetful() -> Arc<Server> {
    Server::with(|options| options.retention.log_entries = 10)
}

fn expire(server: &Arc<Server>, by: &Store) {
    for n in 0..30 {
        by.set("filler", &format!("f{n}"), &server.environment.slept().len()).unwrap();
    }
    by.sync(&server.wire()).unwrap();
    // Checkpoints of earlier bootstraps hold the log back until they are idle for long.
    server.environment.advance(Duration::from_secs(30 * 24 * 3600));
    server.prune();
}

#[test]
fn a_fresh_replica_is_loaded_page_by_page_and_tells_how_far_it_is() {
    let (fleet, server) = (Fleet::new(), Server::start());
    fill(&server, "c", 2_345);
    let store = fleet.open_with("a", |options| options.checkpoint_items = 1_000);
    let watcher = fleet.open("a");
    let mut told = Vec::new();
    let report = store
        .sync_with(&server.wire(), &mut |progress| {
            told.push((progress.loaded, progress.total));
            let stored = watcher.bootstrap_progress().unwrap().unwrap();
            assert_eq!((stored.loaded, stored.total), (progress.loaded, progress.total));
            assert!(view(&watcher).is_empty(), "nothing shows before the swap");
        })
        .unwrap();
    assert_eq!(told, [(1_000, 2_345), (2_000, 2_345), (2_345, 2_345)]);
    assert_eq!((report.loaded, report.bootstrapped, report.position), (2_345, Some(BootstrapReason::Fresh), 2_345));
    assert_eq!(store.bootstrap_progress().unwrap(), None);
    assert_eq!(view(&store).len(), 2_345);
}

#[test]
fn an_expired_cursor_loads_a_checkpoint_and_keeps_the_outbox() {
    let (fleet, server) = (Fleet::new(), forgetful());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set("c", "k", &json!({"l": [0]})).unwrap();
    ours.sync(&server.wire()).unwrap();
    let before = ours.client_id().unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("c", "theirs", &1).unwrap();
    theirs.delete("c", "gone").unwrap();
    expire(&server, &theirs);
    let append = patch(json!([{"op": "add", "path": "/l/-", "value": 1}]));
    let op = ours.patch("c", "k", &append).unwrap();
    let made = ours.set("c", "made", &1).unwrap();
    let direct = server.wire();
    let wire = FaultyWire::recording(&direct);
    let report = ours.sync(&wire).unwrap();
    assert_eq!(report.bootstrapped, Some(BootstrapReason::Expired));
    assert_eq!(ours.client_id().unwrap(), before, "an expired cursor is no divergence");
    let pushed: Vec<usize> = wire.pushed().iter().map(|request| request.ops.len()).collect();
    assert_eq!(pushed, [2, 2], "before the cursor is found expired, and once for the checkpoint");
    assert_eq!(get(&ours, "c", "k"), Some(json!({"l": [0, 1]})));
    for op in [op, made] {
        assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    }
    theirs.sync(&server.wire()).unwrap();
    assert_eq!(view(&ours), view(&theirs));
    assert!(ours.pending().unwrap().is_empty());
}

#[test]
fn items_deleted_behind_an_expired_cursor_go() {
    let (fleet, server) = (Fleet::new(), forgetful());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set("c", "doomed", &1).unwrap();
    ours.set("other", "doomed", &1).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.delete("c", "doomed").unwrap();
    theirs.delete("other", "doomed").unwrap();
    expire(&server, &theirs);
    ours.sync(&server.wire()).unwrap();
    assert_eq!(ours.collections().unwrap(), ["filler"]);
    assert_eq!(view(&ours), view(&theirs));
}

#[test]
fn a_lost_answer_behind_an_expired_cursor_is_not_applied_twice() {
    let (fleet, server) = (Fleet::new(), forgetful());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    ours.set("c", "k", &json!([])).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let op = ours.patch("c", "k", &patch(json!([{"op": "add", "path": "/-", "value": 1}]))).unwrap();
    let direct = server.wire();
    ours.push(&FaultyWire::pushes(&direct, [Fault::LoseAnswer])).unwrap_err();
    expire(&server, &theirs);
    for by_pull in [true, false] {
        let report = if by_pull { ours.pull(&direct) } else { ours.sync(&direct) }.unwrap();
        assert_eq!(report.bootstrapped.is_some(), by_pull);
        assert_eq!(get(&ours, "c", "k"), Some(json!([1])));
        assert_eq!(server.value("c", "k"), Some(json!([1])));
        assert_eq!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 2 }));
        assert!(ours.pending().unwrap().is_empty());
    }
}

#[test]
fn a_bootstrap_may_be_interrupted_at_every_call_and_resumes() {
    for fault in [Fault::LoseRequest, Fault::LoseAnswer] {
        for n in 0.. {
            let (fleet, server) = (Fleet::new(), Server::start());
            fill(&server, "c", 28);
            let open = || {
                fleet.open_with("a", |options| {
                    (options.checkpoint_items, options.pull_entries, options.push_ops) = (7, 3, 3);
                })
            };
            let other = fleet.open("b");
            other.sync(&server.wire()).unwrap();
            let mut store = open();
            for k in 0..8 {
                store.set("c", &format!("mine{k}"), &k).unwrap();
            }
            let direct = server.wire();
            // Others write while the pages come: the checkpoint is fuzzy, and there is something to replay.
            let mut page = 0;
            let mut count = 0;
            let wire = FaultyWire::new(&direct, |call| {
                count += 1;
                if let Call::Checkpoint(_) = call {
                    page += 1;
                    other.set("c", &format!("k{:06}", page * 5), &"changed").unwrap();
                    other.delete("c", &format!("k{:06}", page * 5 + 1)).unwrap();
                    other.set("c", &format!("new{page}"), &page).unwrap();
                    other.sync(&direct).unwrap();
                }
                if count == n + 1 { fault.clone() } else { Fault::None }
            });
            let first = store.sync(&wire);
            let failed = first.is_err();
            if failed {
                // A process that ended; what it had loaded is not loaded again.
                drop(store);
                store = open();
                store.set("c", "made meanwhile", &1).unwrap();
                store.sync(&wire).unwrap();
            }
            let pages = wire.calls().iter().filter(|call| matches!(call, Call::Checkpoint(_))).count();
            assert!(pages <= 8, "{pages} pages after {fault:?} at {n}: it began again");
            drop(wire);
            store.sync(&direct).unwrap();
            other.sync(&direct).unwrap();
            assert_eq!(view(&store), view(&other), "{fault:?} at call {n}");
            assert_eq!(store.pending().unwrap(), [], "{fault:?} at call {n}");
            assert_eq!(get(&store, "c", "mine7"), Some(json!(7)));
            if !failed {
                assert!(n > 10, "{n} calls are too few");
                break;
            }
        }
    }
}

#[test]
fn a_hundred_thousand_documents_arrive_through_interruptions_at_random_pages() {
    const DOCUMENTS: u64 = 100_000;
    let (fleet, server) = (Fleet::new(), Server::start());
    fill(&server, "c", DOCUMENTS);
    let open = || fleet.open_with("a", |options| options.checkpoint_items = 2_500);
    let mut store = open();
    let mine = store.set("c", "mine", &1).unwrap();
    let mut random = Random::new(7);
    let direct = server.wire();
    let (mut interruptions, mut loaded, mut pages) = (0, 0, 0);
    loop {
        let at = random.below(9) as usize;
        let fault = if random.percent(50) { Fault::LoseRequest } else { Fault::LoseAnswer };
        let wire = FaultyWire::nth(&direct, at, fault);
        let result = store.sync(&wire);
        pages += wire.calls().iter().filter(|call| matches!(call, Call::Checkpoint(_))).count();
        match result {
            Ok(report) => {
                loaded += report.loaded;
                break;
            }
            Err(error) => {
                loaded += error.report().loaded;
                interruptions += 1;
                let under_way = store.bootstrap_progress().unwrap();
                assert!(under_way.is_none_or(|progress| progress.loaded <= DOCUMENTS));
                let seen = view(&store).len() as u64;
                let expected = if under_way.is_some() { 1 } else { DOCUMENTS + 1 };
                assert_eq!(seen, expected, "what is on its way does not show");
                if random.percent(30) {
                    drop(store);
                    store = open();
                }
            }
        }
        assert!(interruptions < 200, "it makes no progress");
    }
    assert!(interruptions >= 5, "{interruptions}");
    assert_eq!(loaded, DOCUMENTS, "each document was loaded once");
    assert!(pages <= 40 + interruptions, "{pages} pages");
    let items = store.list("c", &KeyRange::all()).unwrap();
    assert_eq!(items.len() as u64, DOCUMENTS + 1);
    for (n, item) in items.iter().enumerate().take(DOCUMENTS as usize).step_by(997) {
        assert_eq!(item.key, format!("k{n:06}"));
        assert!(item.value.contains(&format!("\"n\":{n}")), "{}", item.value);
    }
    assert!(matches!(store.outcome(mine).unwrap(), Some(Outcome::Accepted { .. })));
}

#[test]
fn a_checkpoint_that_expired_is_begun_again() {
    let (fleet, server) = (Fleet::new(), Server::start());
    fill(&server, "c", 50);
    let store = fleet.open_with("a", |options| options.checkpoint_items = 10);
    let direct = server.wire();
    // Away for a month in the middle of it.
    store.sync(&FaultyWire::nth(&direct, 3, Fault::LoseRequest)).unwrap_err();
    let reached = store.bootstrap_progress().unwrap().unwrap();
    assert_eq!((reached.loaded, reached.total), (20, 50));
    let other = fleet.open("b");
    other.sync(&direct).unwrap();
    other.delete("c", "k000003").unwrap();
    other.set("c", "k000004", &"changed").unwrap();
    other.sync(&direct).unwrap();
    server.environment.advance(Duration::from_secs(60 * 24 * 3600));
    server.prune();
    let report = store.sync(&direct).unwrap();
    assert_eq!((report.loaded, report.bootstrapped), (49, Some(BootstrapReason::Fresh)));
    assert_eq!(view(&store), view(&other));
    assert_eq!(store.bootstrap_progress().unwrap(), None);
}

#[test]
fn a_log_pruned_behind_the_checkpoint_begins_again_and_a_server_that_keeps_doing_so_is_left() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let op = store.set("c", "mine", &1).unwrap();
    let wire = ScriptedWire::new();
    wire.on_checkpoint_items(5, vec![item("c", "old", json!(1), 5)])
        .on_pull(|_| Err(WireError::CursorExpired(Expiry::Pruned)))
        .on_checkpoint_items(9, vec![item("c", "new", json!(1), 9)])
        .on_pull_page(Vec::new());
    wire.on_push(|request| Ok(crate::support::scripted::accept_all(request, 9)));
    store.pull(&wire).unwrap();
    assert_eq!(view(&store).into_keys().map(|(_, key)| key).collect::<Vec<_>>(), ["new"]);
    assert_eq!(store.outcome(op).unwrap(), Some(Outcome::Accepted { seq: 9 }));
    let wire = ScriptedWire::new();
    for _ in 0..50 {
        wire.on_pull(|_| Err(WireError::CursorExpired(Expiry::Pruned)));
    }
    store.set("c", "more", &1).unwrap();
    let error = store.pull(&wire).unwrap_err();
    assert!(wire.checkpointed().len() <= 5, "{error}");
    assert_eq!(store.pending_count().unwrap(), 1);
    assert_eq!(get(&store, "c", "new"), Some(json!(1)), "what there was is still read");
}

#[test]
fn a_checkpoint_that_expires_again_and_again_does_not_hold_a_sync_for_ever() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let wire = ScriptedWire::new();
    for round in 0..200 {
        wire.on_checkpoint(move |_| {
            let next = Some(format!("p{round}"));
            Ok(CheckpointPage { next, ..checkpoint_of(5, Vec::new()) })
        })
        .on_checkpoint(|_| Err(WireError::CheckpointExpired));
    }
    store.pull(&wire).unwrap_err();
    assert_eq!(wire.checkpointed().len(), 2 * 4);
}

#[test]
fn a_checkpoint_that_expired_before_it_was_begun_is_the_servers_mistake() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let wire = ScriptedWire::new();
    wire.on_checkpoint(|_| Err(WireError::CheckpointExpired));
    let error = store.pull(&wire).unwrap_err();
    assert!(matches!(error.error(), Error::Wire(WireError::CheckpointExpired)), "{error:?}");
    assert!(wire.is_over());
    wire.on_checkpoint_items(5, vec![item("c", "k", json!(1), 5)]).on_pull_page(Vec::new());
    store.pull(&wire).unwrap();
    assert_eq!(get(&store, "c", "k"), Some(json!(1)));
}

#[test]
fn local_writes_survive_while_the_bootstrap_runs() {
    let (fleet, server) = (Fleet::new(), forgetful());
    let (ours, theirs) = (Arc::new(fleet.open_with("a", |options| options.checkpoint_items = 5)), fleet.open("b"));
    ours.set("c", "k", &json!({"n": 0, "l": []})).unwrap();
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    theirs.set("c", "theirs", &1).unwrap();
    expire(&server, &theirs);
    let direct = server.wire();
    let writer = Arc::clone(&ours);
    let made = Arc::new(Mutex::new(Vec::new()));
    let refs = Arc::clone(&made);
    let mut n = 0_u64;
    let wire = FaultyWire::new(&direct, move |_| {
        n += 1;
        let append = patch(json!([{"op": "add", "path": "/l/-", "value": n}]));
        let mut refs = refs.lock().unwrap();
        refs.push(writer.patch("c", "k", &append).unwrap());
        refs.push(writer.set("c", &format!("made {n}"), &n).unwrap());
        let mut batch = writer.batch();
        batch.set("c", "x", &n).unwrap().set("c", "y", &n).unwrap();
        refs.extend(batch.commit().unwrap().ops);
        let length = get(&writer, "c", "k").unwrap()["l"].as_array().unwrap().len() as u64;
        assert_eq!(length, n, "a write shows at once and stays");
        Fault::None
    });
    let report = ours.sync(&wire).unwrap();
    assert_eq!(report.bootstrapped, Some(BootstrapReason::Expired));
    let calls = wire.calls().len() as u64;
    drop(wire);
    ours.sync(&direct).unwrap();
    theirs.sync(&direct).unwrap();
    assert_eq!(view(&ours), view(&theirs));
    assert_eq!(get(&theirs, "c", "k").unwrap()["l"], json!((1..=calls).collect::<Vec<_>>()));
    assert!(ours.pending().unwrap().is_empty());
    for op in made.lock().unwrap().iter() {
        let outcome = ours.outcome(*op).unwrap();
        assert!(matches!(outcome, Some(Outcome::Accepted { .. } | Outcome::FoldedInto(_))), "{outcome:?}");
    }
}

#[test]
fn an_outbox_larger_than_a_push_goes_again_in_order() {
    let (fleet, server) = (Fleet::new(), forgetful());
    let (ours, theirs) = (fleet.open_with("a", |options| options.push_ops = 4), fleet.open("b"));
    ours.sync(&server.wire()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    let mut refs: Vec<Ref> = (0..10).map(|n| ours.set("c", &format!("k{n}"), &n).unwrap()).collect();
    let direct = server.wire();
    ours.push(&FaultyWire::pushes(&direct, [Fault::None, Fault::LoseAnswer])).unwrap_err();
    refs.push(ours.set("c", "k0", &"later").unwrap());
    expire(&server, &theirs);
    let wire = FaultyWire::recording(&direct);
    let report = ours.sync(&wire).unwrap();
    assert_eq!(report.bootstrapped, Some(BootstrapReason::Expired));
    assert!(ours.pending().unwrap().is_empty());
    for op in &refs {
        assert!(matches!(ours.outcome(*op).unwrap(), Some(Outcome::Accepted { .. })));
    }
    assert_eq!(get(&ours, "c", "k0"), Some(json!("later")));
    theirs.sync(&direct).unwrap();
    assert_eq!(view(&ours), view(&theirs));
}

#[test]
fn an_empty_server_bootstraps_to_an_empty_replica() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    let report = store.sync(&server.wire()).unwrap();
    assert_eq!((report.loaded, report.position), (0, 0));
    assert_eq!(report.bootstrapped, Some(BootstrapReason::Fresh));
    assert_eq!(store.sync(&server.wire()).unwrap().bootstrapped, None);
}

#[test]
fn other_tags_than_before_load_a_checkpoint_like_an_expired_cursor() {
    let fleet = Fleet::new();
    let store = crate::hostile::loaded(&fleet, "a", 3, vec![item("c", "k", json!(1), 3)]);
    let before = store.client_id().unwrap();
    let wire = ScriptedWire::new();
    wire.on_pull(|_| Err(WireError::CursorExpired(Expiry::Filter)))
        .on_checkpoint_items(3, vec![item("c", "other", json!(2), 2)]);
    let report = store.pull(&wire).unwrap();
    assert_eq!((report.bootstrapped, report.undone), (Some(BootstrapReason::Expired), 0));
    assert_eq!(view(&store).into_keys().map(|(_, key)| key).collect::<Vec<_>>(), ["other"]);
    // What it replaced is deleted.
    let file = rusqlite::Connection::open(fleet.path("a")).unwrap();
    let rows = "SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM collections)";
    assert_eq!(file.query_row(rows, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap(), (1, 1));
    assert_eq!(store.client_id().unwrap(), before);
}

#[test]
fn a_page_that_is_fetched_ahead_and_fails_is_asked_for_again() {
    let (fleet, server) = (Fleet::new(), Server::start());
    fill(&server, "c", 1_000);
    let store = fleet.open_with("a", |options| {
        options.prefetch = true;
        options.checkpoint_items = 100;
        options.retry = RetryPolicy::default();
    });
    let direct = server.wire();
    let mut pages = 0;
    let wire = FaultyWire::new(&direct, move |call| match call {
        Call::Checkpoint(_) => {
            pages += 1;
            if pages % 3 == 2 { Fault::LoseAnswer } else { Fault::None }
        }
        _ => Fault::None,
    });
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.loaded, view(&store).len()), (1_000, 1_000));
    let asked = wire.calls().iter().filter(|call| matches!(call, Call::Checkpoint(_))).count();
    assert!(asked > 10, "some were asked for twice: {asked}");
}

#[test]
fn a_page_that_is_fetched_ahead_is_asked_for_again_when_the_server_says() {
    let fleet = Fleet::new();
    let store = fleet.open_with("a", |options| {
        options.prefetch = true;
        options.retry = RetryPolicy::default();
    });
    let wire = ScriptedWire::new();
    let (wait, environment) = (Duration::from_secs(7), fleet.environment.clone());
    wire.on_checkpoint(|_| {
        Ok(CheckpointPage { next: Some("p2".into()), ..checkpoint_of(5, vec![item("c", "k", json!(1), 5)]) })
    })
    .on_checkpoint(move |_| {
        Err(WireError::Unavailable { status: 503, retry_after: Some(wait), message: String::new() })
    })
    .on_checkpoint(move |_| {
        assert_eq!(environment.slept(), [wait]);
        Ok(checkpoint_of(5, vec![item("c", "l", json!(2), 4)]))
    });
    store.sync(&wire).unwrap();
    assert!(wire.is_over());
    assert_eq!(view(&store).len(), 2);
}

#[test]
fn a_large_checkpoint_moves_its_log_into_the_file_on_the_way() {
    for prefetch in [false, true] {
        let fleet = Fleet::new();
        let store = fleet.open_with("a", |options| options.prefetch = prefetch);
        let wire = ScriptedWire::new();
        let page = |n: u64, next: Option<&str>, items| {
            let next = next.map(str::to_owned);
            move |_: &_| Ok(CheckpointPage { next, total: 18, ..checkpoint_of(n, items) })
        };
        let text = "x".repeat(1 << 20);
        let large = (0..17).map(|n| item("c", &format!("k{n:02}"), json!(text), 1)).collect();
        wire.on_checkpoint(page(5, Some("p2"), large))
            .on_checkpoint(page(5, Some("p3"), Vec::new()))
            .on_checkpoint(page(5, None, vec![item("c", "last", json!(1), 5)]));
        let mut sizes = Vec::new();
        store.sync_with(&wire, &mut |_| sizes.push(std::fs::metadata(fleet.path("a")).unwrap().len() >> 20)).unwrap();
        assert!(wire.is_over());
        assert_eq!((sizes.len(), sizes[0]), (3, 0), "{sizes:?} MiB with prefetch {prefetch}");
        assert!(sizes[2] >= 17, "{sizes:?} MiB with prefetch {prefetch}");
        assert_eq!(store.list("c", &KeyRange::all()).unwrap().len(), 18);
    }
}

#[test]
fn a_wire_that_panics_while_it_fetches_ahead_panics_in_the_call_and_the_next_one_resumes() {
    let fleet = Fleet::new();
    let store = fleet.open_with("a", |options| options.prefetch = true);
    let wire = ScriptedWire::new();
    wire.on_checkpoint(|_| {
        Ok(CheckpointPage { next: Some("p2".into()), ..checkpoint_of(5, vec![item("c", "k", json!(1), 5)]) })
    })
    .on_checkpoint(|_| panic!("the wire's own fault"));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.sync(&wire))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the wire's own fault"));
    wire.on_checkpoint(|request| {
        assert_eq!(request.page.as_deref(), Some("p2"), "what was loaded is kept");
        Ok(checkpoint_of(5, vec![item("c", "l", json!(2), 4)]))
    });
    store.sync(&wire).unwrap();
    assert_eq!(view(&store).len(), 2);
    assert!(wire.is_over());
    assert_eq!(wire.checkpointed().len(), 3, "after the last page there is none to fetch");
}

#[test]
fn a_bootstrap_that_another_store_ends_first_goes_on_from_there() {
    let fleet = Fleet::new();
    let (store, other) = (fleet.open("a"), fleet.open("a"));
    let entry = || set_entry(6, foreign(6), "c", "k", json!("replayed"), 5);
    let wire = ScriptedWire::new();
    let lock = fleet.path("a-sync");
    wire.on_checkpoint_items(5, vec![item("c", "k", json!("loaded"), 5)])
        .on_pull(move |request| {
            // While this answer is under way, on a file system without locks.
            std::fs::remove_file(&lock).unwrap();
            let quicker = ScriptedWire::new();
            quicker.on_pull_page(vec![entry()]);
            assert_eq!(other.sync(&quicker).unwrap().bootstrapped, Some(BootstrapReason::Fresh));
            Ok(page_of(request, vec![entry()], false))
        })
        .on_pull(|request| {
            assert_eq!(request.cursor, Some(cursor(6)));
            Ok(page_of(request, vec![set_entry(7, foreign(7), "c", "k", json!("live"), 6)], false))
        });
    let report = store.sync(&wire).unwrap();
    assert!(wire.is_over());
    assert_eq!((report.bootstrapped, report.position), (None, 7));
    assert_eq!(get(&store, "c", "k"), Some(json!("live")));
    assert_eq!(store.bootstrap_progress().unwrap(), None);
}

#[test]
fn after_a_load_the_write_ahead_log_is_moved_into_the_file_as_often_as_before() {
    let (fleet, server) = (Fleet::new(), Server::start());
    fill(&server, "c", 10);
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    // Each is in the view and in the outbox: 32 MB.
    let value = "x".repeat(200_000);
    for n in 0..80 {
        store.set("mine", &format!("k{n}"), &value).unwrap();
    }
    let mut log = fleet.path("a").into_os_string();
    log.push("-wal");
    let bytes = std::fs::metadata(log).unwrap().len();
    assert!(bytes < 8 << 20, "{bytes}");
}
