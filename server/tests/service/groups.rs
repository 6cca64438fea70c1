//! Many at once, and the life of the files.

use crate::world::*;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;
use syncstore::environment::Environment;
use syncstore::protocol::{PushOutcome, PushRequest};
use syncstore_server::service::{Service, ServiceError, ServiceOptions, Writing};
use syncstore_server::storage::StorageError;

fn threaded(options: &mut ServiceOptions) {
    options.writing = Writing::Thread;
}

#[test]
fn fifty_pushes_at_once_get_distinct_contiguous_seqs_each_in_its_own_order() {
    let world = World::with(threaded);
    let barrier = Barrier::new(50);
    let seqs: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let pushes: Vec<_> = (0..50_u128)
            .map(|client| {
                let (world, barrier) = (&world, &barrier);
                scope.spawn(move || {
                    let ops: Vec<_> = (0..4).map(|i| world.set(&format!("{client}-{i}"), "1")).collect();
                    barrier.wait();
                    let results = world.push(client + 1, &ops);
                    results.iter().map(|result| result.seq.unwrap()).collect::<Vec<_>>()
                })
            })
            .collect();
        pushes.into_iter().map(|push| push.join().unwrap()).collect()
    });
    for own in &seqs {
        assert!(own.windows(2).all(|pair| pair[1] == pair[0] + 1), "{own:?}");
    }
    let all: BTreeSet<u64> = seqs.into_iter().flatten().collect();
    assert_eq!(all, (1..=200).collect());
    assert_eq!(world.pull(99, None).0.len(), 200);
    let stats = world.service.stats().remove(0);
    assert_eq!((stats.pushes, stats.accepted, stats.queued), (50, 200, 0));
}

#[test]
fn who_reads_while_others_push_sees_each_seq_once_and_in_order() {
    const PUSHERS: u128 = 8;
    const READERS: u128 = 4;
    const PUSHES: u32 = 40;
    const ALL: u64 = PUSHERS as u64 * PUSHES as u64 * 2;
    let world = World::with(threaded);
    let barrier = Barrier::new((PUSHERS + READERS) as usize);
    std::thread::scope(|scope| {
        for client in 1..=PUSHERS {
            let (world, barrier) = (&world, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for push in 0..PUSHES {
                    let ops = [0, 1].map(|op| world.set(&format!("{client}-{push}-{op}"), "1"));
                    world.push(client, &ops);
                }
            });
        }
        let readers = (1..=READERS).map(|reader| {
            let (world, barrier) = (&world, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let (mut seen, mut cursor) = (0, None);
                while seen < ALL {
                    let page = world.page(PUSHERS + reader, cursor, 3).unwrap();
                    for entry in &page.entries {
                        assert_eq!(entry.seq, seen + 1, "reader {reader}");
                        seen = entry.seq;
                    }
                    if page.entries.is_empty() {
                        std::thread::yield_now();
                    }
                    cursor = Some(page.cursor);
                }
                let last = world.page(PUSHERS + reader, cursor, 3).unwrap();
                assert!(last.entries.is_empty() && !last.more, "{last:?}");
            })
        });
        // All of them before any is waited for.
        for reader in readers.collect::<Vec<_>>() {
            reader.join().unwrap();
        }
    });
}

#[test]
fn a_push_that_is_refused_does_not_touch_the_others_of_its_group() {
    let world = World::with(threaded);
    world.accept(1, world.set("a", "1"));
    let barrier = Barrier::new(20);
    std::thread::scope(|scope| {
        for number in 0..20_u128 {
            let (world, barrier) = (&world, &barrier);
            scope.spawn(move || {
                let op = world.set(&format!("k{number}"), "1");
                barrier.wait();
                if number % 2 == 0 {
                    assert_eq!(world.push(number + 2, &[op])[0].outcome, PushOutcome::Accepted);
                } else {
                    // Another user's client id.
                    let request = PushRequest { client: id(1), cursor: None, ops: vec![op] };
                    let answer = world.service.push(DB, &user("eve"), request);
                    assert!(matches!(answer, Err(ServiceError::Forbidden(_))));
                }
            });
        }
    });
    assert_eq!(world.items().len(), 11);
    assert_eq!(world.service.info(DB, &ada()).unwrap().seq, 11);
}

#[test]
fn a_push_that_the_storage_fails_takes_nothing_and_costs_the_others_nothing() {
    let world = World::with(threaded);
    let rejected = world.patch("missing", "[]");
    world.push(1, std::slice::from_ref(&rejected));
    let file = rusqlite::Connection::open(world.dir.path().join("db-notes.sqlite")).unwrap();
    file.execute_batch("DELETE FROM rejections").unwrap();
    let barrier = Barrier::new(10);
    std::thread::scope(|scope| {
        for number in 0..10_u128 {
            let (world, barrier, rejected) = (&world, &barrier, &rejected);
            scope.spawn(move || {
                let mut op = world.set(&format!("k{number}"), "1");
                op.collection = format!("c{number}");
                barrier.wait();
                if number % 2 == 0 {
                    assert_eq!(world.push(number + 2, &[op])[0].outcome, PushOutcome::Accepted);
                } else {
                    // Its second op's outcome is lost from the file, which is found when the first has been applied.
                    let error = world.try_push(1, &[op, rejected.clone()]).unwrap_err();
                    assert!(matches!(error, ServiceError::Storage(StorageError::Corrupt(_))), "{error}");
                }
            });
        }
    });
    let items: BTreeSet<String> = world.items().into_iter().collect();
    assert_eq!(items, ["k0=1", "k2=1", "k4=1", "k6=1", "k8=1"].map(String::from).into());
    assert_eq!(world.service.info(DB, &ada()).unwrap().seq, 6);
}

#[test]
fn a_subscriber_is_told_of_a_head_that_can_be_read() {
    let world = World::with(threaded);
    let mut head = world.service.subscribe(DB).unwrap();
    assert_eq!(*head.borrow_and_update(), 0);
    world.accept(1, world.set("a", "1"));
    assert!(head.has_changed().unwrap());
    assert_eq!(*head.borrow_and_update(), 1);
    world.service.prune(DB).unwrap();
    assert!(!head.has_changed().unwrap(), "nothing was appended");
}

#[test]
fn everything_answered_is_there_after_a_shutdown_and_later_calls_are_told_to_come_again() {
    let mut world = World::with(threaded);
    let op = world.set("a", "1");
    world.accept(1, op.clone());
    let cursor = world.head(1);
    world.service.shutdown();
    let error = world.try_push(1, &[]).unwrap_err();
    assert_eq!(error.problem().status, 503);
    assert!(error.retry_after().is_some());
    let wal = world.dir.path().join("db-notes.sqlite-wal");
    assert!(!wal.exists() || wal.metadata().unwrap().len() == 0, "the log was written back");
    world.reopen(|_| {});
    assert_eq!(words(&world.push(1, &[op])), ["accepted 1"]);
    assert!(world.pull(1, Some(cursor)).0.is_empty());
}

#[test]
fn more_databases_than_may_be_open_take_turns() {
    let world = World::with(|options| {
        threaded(options);
        options.open_databases = 2;
    });
    for round in 0..2 {
        for name in ["a", "b", "c", "d"] {
            let request = PushRequest { client: id(1), cursor: None, ops: vec![world.set("k", "1")] };
            let answer = world.service.push(name, &ada(), request).unwrap();
            assert_eq!(answer.seq, round + 1);
            assert!(world.service.stats().len() <= 2);
        }
    }
    let _watched = (world.service.subscribe("a").unwrap(), world.service.subscribe("b").unwrap());
    assert!(matches!(world.service.info("c", &ada()), Err(ServiceError::Overloaded(_))));
}

#[test]
fn foreign_newer_and_broken_files_are_told_apart_and_left_alone() {
    let world = World::new();
    let path = |name: &str| world.dir.path().join(format!("db-{name}.sqlite"));
    world.service.info("newer", &ada()).unwrap();
    world.service.shutdown();
    rusqlite::Connection::open(path("newer")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    rusqlite::Connection::open(path("foreign")).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    std::fs::write(path("text"), "this is no database at all, but long enough to be looked at".repeat(99)).unwrap();
    let service = Service::open(options(&world.dir, &world.clock, |_| {})).unwrap();
    for (name, newer) in [("newer", true), ("foreign", false), ("text", false)] {
        let before = std::fs::read(path(name)).unwrap();
        let error = service.info(name, &ada()).unwrap_err();
        match &error {
            ServiceError::Storage(StorageError::Newer { found: 99, .. }) if newer => {}
            ServiceError::Storage(StorageError::Foreign) if !newer => {}
            other => panic!("{name}: {other}"),
        }
        assert_eq!(error.problem().status, 500);
        assert_eq!(std::fs::read(path(name)).unwrap(), before, "{name}");
    }
}

/// A clock that panics once, when it is asked on a thread that writes.
struct Trap {
    clock: Arc<Clock>,
    set: AtomicBool,
}

impl Environment for Trap {
    fn unix_ms(&self) -> u64 {
        let writing = std::thread::current().name().is_some_and(|name| name.starts_with("writer"));
        assert!(!writing || !self.set.swap(false, Ordering::SeqCst), "the trap of a test");
        self.clock.unix_ms()
    }
    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
    fn random(&self) -> u64 {
        self.clock.random()
    }
    fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration);
    }
}

#[test]
fn a_database_whose_writer_panicked_is_opened_again() {
    let mut world = World::with(threaded);
    let trap = Arc::new(Trap { clock: world.clock.clone(), set: AtomicBool::new(false) });
    world.reopen(|options| options.environment = trap.clone());
    world.accept(1, world.set("a", "1"));
    let lost = world.set("b", "1");
    trap.set.store(true, Ordering::SeqCst);
    let answer = world.try_push(1, std::slice::from_ref(&lost)).unwrap_err();
    assert_eq!((answer.problem().status, trap.set.load(Ordering::SeqCst)), (503, false), "{answer}");
    assert_eq!(world.accept(1, lost), 2);
    assert_eq!(world.items(), ["a=1", "b=1"]);
}

#[test]
fn many_threads_that_take_turns_with_few_open_databases_lose_nothing() {
    let world = World::with(|options| {
        threaded(options);
        options.open_databases = 2;
    });
    std::thread::scope(|scope| {
        for thread in 0..4_u128 {
            let world = &world;
            scope.spawn(move || {
                for round in 0..10_u128 {
                    let name = ["a", "b", "c"][((thread + round) % 3) as usize];
                    let ops = vec![world.set(&format!("{thread}-{round}"), "1")];
                    let request = PushRequest { client: id(thread + 1), cursor: None, ops };
                    // Both may be in use by the others.
                    while let Err(error) = world.service.push(name, &ada(), request.clone()) {
                        assert!(matches!(error, ServiceError::Overloaded(_)), "{error}");
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    assert!(world.service.stats().len() <= 2);
    let heads = ["a", "b", "c"].map(|name| world.service.info(name, &ada()).unwrap().seq);
    assert_eq!(heads.iter().sum::<u64>(), 40, "{heads:?}");
}
