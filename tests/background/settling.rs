//! Outcomes where they meet: events, notices, waits, and what is made again or taken back.

use crate::listener::*;
use crate::wires::Gated;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use syncstore::{ConflictNews, Edit, Ending, Event, Notice, Outcome, Ref, Resolution, Store, SyncState};
use syncstore_server::config::{Collection, Config};
use syncstore_server::service::Policy;

/// A server whose collection `careful` rejects what is stale.
fn site() -> Site {
    let mut config = Config::dev();
    config.collections.insert("careful".into(), Collection { policy: Policy::RejectStale });
    Site::with(config)
}

/// Ours and theirs, in step, with an item at `k0`, `k1`, … of `careful` and of `c`.
fn two(site: &Site, keys: u32) -> (Store, Store) {
    let (ours, theirs) = (site.store("ours.db"), site.store("theirs.db"));
    for key in (0..keys).map(|n| format!("k{n}")) {
        ours.set("careful", &key, &json!({"a": 0})).unwrap();
        ours.set("c", &key, &json!({"a": 0})).unwrap();
    }
    ours.sync(&*site.wire()).unwrap();
    theirs.sync(&*site.wire()).unwrap();
    (ours, theirs)
}

/// Theirs sets each item of a collection, and the server has it.
fn they_set(site: &Site, theirs: &Store, collection: &str, keys: u32) {
    for n in 0..keys {
        theirs.set(collection, &format!("k{n}"), &json!({"a": 1})).unwrap();
    }
    theirs.sync(&*site.wire()).unwrap();
}

fn we_set(ours: &Store, collection: &str, keys: u32) -> Vec<Ref> {
    (0..keys).map(|n| ours.set(collection, &format!("k{n}"), &json!({"a": 2})).unwrap()).collect()
}

/// How often each rejection and each beginning of a conflict was told.
fn counted(heard: &[Event]) -> (BTreeMap<String, u32>, BTreeMap<String, u32>) {
    let (mut rejected, mut begun) = (BTreeMap::new(), BTreeMap::new());
    for event in heard {
        match event {
            Event::Settled { op_ref, outcome: Outcome::Rejected(_) } => {
                *rejected.entry(op_ref.to_string()).or_default() += 1;
            }
            Event::Conflict { id, news: ConflictNews::Begun, .. } => *begun.entry(id.to_string()).or_default() += 1,
            _ => {}
        }
    }
    (rejected, begun)
}

#[test]
fn each_rejection_and_each_conflict_is_told_once_and_handed_out_once_across_restarts() {
    const KEYS: u32 = 4;
    let site = site();
    let (ours, theirs) = two(&site, KEYS);
    they_set(&site, &theirs, "careful", KEYS);
    they_set(&site, &theirs, "c", KEYS);
    let refused: BTreeSet<String> = we_set(&ours, "careful", KEYS).iter().map(Ref::to_string).collect();
    let last = *we_set(&ours, "c", KEYS).last().unwrap();
    let mut hears = Listener::new(&ours);
    ours.start(site.wire(), quick()).unwrap();
    hears.until_settled(last);
    hears.until_true("being idle", || ours.status().state == SyncState::Idle);
    let (rejected, begun) = counted(hears.all());
    assert_eq!(rejected, refused.iter().map(|op| (op.clone(), 1)).collect());
    let conflicts = ours.conflicts().unwrap();
    let of_c: BTreeSet<String> = conflicts.iter().map(|one| one.id.to_string()).collect();
    assert_eq!((begun, of_c.len()), (of_c.iter().map(|id| (id.clone(), 1)).collect(), KEYS as usize));

    // Taken a few at a time, by processes that end in between.
    let mut taken = Vec::new();
    let mut store = Some(ours);
    loop {
        let notices = store.as_ref().unwrap().take_notices(3).unwrap();
        drop(store.take());
        if notices.is_empty() {
            break;
        }
        taken.extend(notices.into_iter().map(|notice| match notice {
            Notice::Rejected(op) => op.op_ref.to_string(),
            Notice::Conflict(conflict) => conflict.id.to_string(),
            other => panic!("{other:?}"),
        }));
        let opened = site.store("ours.db");
        let mut hears = Listener::new(&opened);
        opened.start(site.wire(), quick()).unwrap();
        let more = opened.set("c", "more", &taken.len()).unwrap();
        hears.until_settled(more);
        assert_eq!(counted(hears.all()), Default::default(), "what was told once is not told again");
        store = Some(opened);
    }
    let all: BTreeSet<String> = taken.iter().cloned().collect();
    assert_eq!((all.len(), all), (taken.len(), refused.union(&of_c).cloned().collect()));
    let opened = site.store("ours.db");
    assert_eq!((opened.rejections().unwrap().len(), opened.conflicts().unwrap().len()), (KEYS as usize, KEYS as usize));
}

#[test]
fn a_wait_is_woken_by_the_background_sync() {
    let site = site();
    let store = site.store("one.db");
    store.start(site.wire(), quick()).unwrap();
    std::thread::scope(|scope| {
        let (store, ops) = (&store, (0..4).map(|n| store.set("c", &format!("k{n}"), &n).unwrap()));
        let waits: Vec<_> = ops.map(|op| scope.spawn(move || store.wait(op, PATIENCE).unwrap())).collect();
        for wait in waits {
            assert!(matches!(wait.join().unwrap(), Some(Outcome::Accepted { .. })));
        }
    });
}

#[test]
fn a_stop_ends_the_waits_that_are_under_way() {
    let site = site();
    let gated = Gated::new(site.wire());
    gated.shut(true);
    let store = site.store("one.db");
    let op = store.set("c", "k", &1).unwrap();
    store.start(gated.clone(), quick()).unwrap();
    gated.until_waiting();
    std::thread::scope(|scope| {
        let waits: Vec<_> = (0..3).map(|_| scope.spawn(|| store.wait(op, PATIENCE * 2).unwrap())).collect();
        let begun = Instant::now();
        // Which of them have begun to wait nobody can tell: stopping what is stopped ends those that have.
        while waits.iter().any(|wait| !wait.is_finished()) {
            assert!(begun.elapsed() < PATIENCE);
            store.stop(Duration::ZERO);
            std::thread::yield_now();
        }
        waits.into_iter().for_each(|wait| assert_eq!(wait.join().unwrap(), Some(Outcome::Queued)));
    });
    gated.shut(false);
    store.stop(PATIENCE);
    store.start(site.wire(), quick()).unwrap();
    assert!(matches!(store.wait(op, PATIENCE).unwrap(), Some(Outcome::Accepted { .. })));
}

#[test]
fn what_is_made_again_settles_under_its_new_ref_and_a_wait_for_the_old_one_follows() {
    let site = site();
    let (ours, theirs) = two(&site, 1);
    they_set(&site, &theirs, "careful", 1);
    let op = we_set(&ours, "careful", 1)[0];
    let mut hears = Listener::new(&ours);
    ours.start(site.wire(), quick()).unwrap();
    assert!(matches!(hears.until_settled(op), Outcome::Rejected(_)));
    let again = ours.edit(op, Edit::Set(json!({"a": 3}))).unwrap();
    // By a write of its own: the background sync pushes it.
    assert!(matches!(ours.wait(op, PATIENCE).unwrap(), Some(Outcome::Accepted { .. })));
    assert!(matches!(hears.until_settled(again), Outcome::Accepted { .. }));
    hears.until_true("being idle", || ours.status().state == SyncState::Idle);
    let of_op = |event: &&Event| matches!(event, Event::Settled { op_ref, .. } if *op_ref == op);
    assert_eq!(hears.all().iter().filter(of_op).count(), 1, "once rejected, and not again as made again");
    assert_eq!(ours.retry_of(again).unwrap(), Some(op));
    assert_eq!((ours.status().state, ours.status().error), (SyncState::Idle, None));
    assert_eq!(ours.take_notices(9).unwrap(), [], "it was dealt with before anybody took it");
}

#[test]
fn what_a_resolution_takes_back_is_told_as_withdrawn_and_ends_its_waits() {
    let site = site();
    let (ours, theirs) = two(&site, 2);
    let mut hears = Listener::new(&ours);
    for (key, resolution) in [("k0", Resolution::TakeTheirs), ("k1", Resolution::Merged(json!({"a": 4})))] {
        theirs.sync(&*site.wire()).unwrap();
        theirs.set("c", key, &json!({"a": 1})).unwrap();
        theirs.sync(&*site.wire()).unwrap();
        let op = ours.set("c", key, &json!({"a": 2})).unwrap();
        ours.pull(&*site.wire()).unwrap();
        let conflict = ours.conflicts().unwrap().remove(0);
        std::thread::scope(|scope| {
            let wait = scope.spawn(|| ours.wait(op, PATIENCE).unwrap());
            let instead = ours.resolve(&conflict, resolution.clone()).unwrap();
            assert_eq!(instead.is_some(), key == "k1");
            let withdrawn = Outcome::Withdrawn(instead);
            assert_eq!(hears.until_settled(op), withdrawn);
            assert_eq!(wait.join().unwrap(), Some(withdrawn));
        });
        let ending = if key == "k0" { Ending::TookTheirs } else { Ending::Merged };
        hears.until("the ending", |event| match event {
            Event::Conflict { id, news, .. } if *id == conflict.id => {
                assert_eq!(*news, ConflictNews::Ended(ending));
                Some(())
            }
            _ => None,
        });
    }
    ours.start(site.wire(), quick()).unwrap();
    hears.until_true("the end of the outbox", || ours.pending_count().unwrap() == 0);
    assert_eq!((ours.pending_count().unwrap(), site.value("c", "k1")), (0, Some(json!({"a": 4}))));
}
