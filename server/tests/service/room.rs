//! A database, and a directory of them, take no more than they may, and less again when there is less.

use crate::direct::data_op;
use crate::world::{DB, World, ada, id};
use syncstore::protocol::{BatchId, BatchRequest, Code, Op, OpResult, PushOutcome, PushRequest};
use syncstore_server::service::{Caller, Databases, ServiceError, ServiceOptions, WriteRequest};

const MIB: u64 = 1 << 20;

fn small(options: &mut ServiceOptions) {
    options.largest_database = MIB;
    // What is kept above that is twenty times as much.
    options.push_work = 100_000;
}

fn is_full<T: std::fmt::Debug>(answer: Result<T, ServiceError>) -> bool {
    match answer {
        Err(error @ ServiceError::Full(_)) => {
            assert_eq!((error.problem().status, error.problem().code.as_str()), (503, "full"), "{error}");
            assert!(error.retry_after().is_some(), "{error}");
            true
        }
        Err(other) => panic!("{other}"),
        Ok(_) => false,
    }
}

fn bytes(world: &World) -> u64 {
    world.service.stats()[0].bytes
}

fn outcomes(results: &[OpResult]) -> Vec<PushOutcome> {
    results.iter().map(|result| result.outcome).collect()
}

fn large(world: &World, key: &str) -> Op {
    world.set(key, &format!("\"{}\"", "x".repeat(50_000)))
}

/// Sets large values until one is not taken; those that are.
fn fill(world: &World) -> Vec<Op> {
    let mut taken = Vec::new();
    loop {
        let op = large(world, &format!("k{}", taken.len()));
        match world.push(1, std::slice::from_ref(&op))[0].outcome {
            PushOutcome::Accepted => taken.push(op),
            other => {
                assert_eq!(other, PushOutcome::Skipped, "what has no room is neither taken nor refused for good");
                return taken;
            }
        }
        assert!(taken.len() < 1_000, "there is an end to it");
    }
}

#[test]
fn a_full_database_takes_deletes_of_what_there_is_and_tells_what_became_of_the_rest() {
    let world = World::with(small);
    let taken = fill(&world);
    assert!((MIB..MIB + 200_000).contains(&bytes(&world)), "{}", bytes(&world));
    let mut batched = world.delete("k1");
    (batched.batch, batched.of) = (Some(BatchId::from_random(7)), Some(2));
    let ops = [
        taken[0].clone(),
        world.set("other", "1"),
        world.delete("none"),
        world.delete("k0"),
        world.index("k2", "by", "1"),
        batched,
        world.delete("k1"),
    ];
    use PushOutcome::{Accepted, Skipped};
    // What comes behind a skipped op on its item is skipped with it.
    let expected = [Accepted, Skipped, Skipped, Accepted, Skipped, Skipped, Skipped];
    let results = world.push(1, &ops);
    assert_eq!(outcomes(&results), expected);
    let told: Vec<bool> = results.iter().map(|result| result.code == Some(Code::FULL)).collect();
    assert_eq!(told, [false, true, true, false, true, true, false], "the last one is skipped for what came before it");
    assert_eq!(outcomes(&world.push(1, &[world.delete("k1")])), [Accepted]);
    assert!(world.page(2, None, 1_000).is_ok(), "what there is can be read, by a new client too");
}

#[test]
fn a_log_of_large_entries_has_a_quarter_of_its_database_after_each_round_however_few_they_are() {
    let world = World::with(small);
    for n in 0..64 {
        world.accept(1, world.set("small", &n.to_string()));
    }
    // One item, over and over: all but its last value is log, of which a million entries may be kept.
    let mut sets = 0;
    while world.push(1, &[large(&world, "k")])[0].outcome == PushOutcome::Accepted {
        sets += 1;
        assert!(sets < 1_000, "there is an end to it");
    }
    let log = || (world.service.stats()[0].log_entries, world.service.stats()[0].log_bytes);
    let bytes_of = |entries| entries * (50_002 + 128 + 1);
    let small_ones: u64 = (0..64).map(|n: u64| 128 + 5 + n.to_string().len() as u64).sum();
    assert_eq!(log(), (64 + sets, small_ones + bytes_of(sets)));
    world.pass(61_000);
    // The next one finds what the round of pruning has left, whatever becomes of itself.
    world.push(1, &[world.set("other", "1")]);
    assert_eq!(log(), (5, bytes_of(5)), "as many as a quarter holds");
    world.accept(1, large(&world, "k"));
}

#[test]
fn what_a_log_has_is_counted_alike_as_it_grows_in_an_older_file_and_as_it_is_pruned() {
    let mut world = World::with(|options| options.retention.log_entries = 1);
    let grants = Caller { grant: vec!["t".into()], ..ada() };
    world.accept(1, world.set("k", "\"ä\""));
    world.accept(1, world.index("k", "by", "1"));
    world.accept(1, world.relate("k", "r", "on", "other"));
    world.accept_as(&grants, 1, world.tag("k", "t"));
    world.accept(1, world.patch("k", r#"[{"op":"replace","path":"","value":2}]"#));
    world.accept_as(&grants, 1, world.untag("k", "t"));
    world.push(1, &[world.patch("none", "[]")]);
    world.accept(1, world.delete("k"));
    let log = |world: &World| (world.service.stats()[0].log_entries, world.service.stats()[0].log_bytes);
    let before = log(&world);
    assert_eq!(before.0, 8);
    world.service.shutdown();
    let file = rusqlite::Connection::open(world.dir.path().join(format!("db-{DB}.sqlite"))).unwrap();
    file.execute_batch("ALTER TABLE state DROP COLUMN log_bytes; PRAGMA user_version = 2").unwrap();
    drop(file);
    world.reopen(|_| {});
    world.page(1, None, 1).unwrap();
    assert_eq!(log(&world), before, "as the server before had counted");
    world.accept(1, world.set("k", "1"));
    world.pass(61_000);
    world.service.prune(DB).unwrap();
    assert_eq!(log(&world), (1, 128 + 1 + 1), "and of what is gone nothing is left");
}

#[test]
fn deletes_in_a_full_database_do_not_cost_it_its_log() {
    let mut world = World::with(small);
    for n in 0..20 {
        world.accept(1, world.set(&format!("small{n}"), "1"));
    }
    // Full of items: a round prunes the log to its quarter, and what that frees is filled again.
    for _ in 0..10 {
        fill(&world);
        world.pass(61_000);
        world.service.prune(DB).unwrap();
    }
    fill(&world);
    let kept = world.service.stats()[0].log_entries;
    for n in 0..20 {
        world.accept(1, world.delete(&format!("small{n}")));
        world.pass(61_000);
        world.service.prune(DB).unwrap();
    }
    let after = world.service.stats()[0].log_entries;
    assert!(after >= 20, "{kept} before, {after} after");
    // The file itself, with the write-ahead log in it: what its free pages have is used again.
    world.reopen(small);
    let file = std::fs::metadata(world.dir.path().join(format!("db-{DB}.sqlite"))).unwrap().len();
    assert!((MIB / 2..MIB + MIB / 4).contains(&file), "{file} bytes");
}

#[test]
fn a_batch_of_which_a_part_is_there_comes_to_its_end() {
    let of_batch = |op: Op, of| Op { batch: Some(BatchId::from_random(7)), of: Some(of), ..op };
    use PushOutcome::{Accepted, Rejected, Staged};
    for gives_up in [false, true] {
        let world = World::with(small);
        let first = of_batch(world.set("b", "1"), 2);
        assert_eq!(outcomes(&world.push(1, std::slice::from_ref(&first))), [Staged]);
        fill(&world);
        // As a replica lets go of a batch (◆13).
        let rest = of_batch(world.set("c", "1"), if gives_up { u32::MAX } else { 2 });
        let last = if gives_up { Rejected } else { Accepted };
        assert_eq!(outcomes(&world.push(1, &[rest])), [last]);
        assert_eq!(outcomes(&world.push(1, &[first])), [last]);
    }
}

#[test]
fn a_database_that_its_items_have_filled_takes_others_once_some_are_deleted() {
    let world = World::with(small);
    let taken = fill(&world);
    let mut deleted = 0;
    while bytes(&world) >= MIB {
        world.accept(1, world.delete(&format!("k{deleted}")));
        deleted += 1;
    }
    assert!(deleted < taken.len() / 2, "{deleted} of {}", taken.len());
    world.accept(1, world.set("other", "1"));
}

#[test]
fn a_write_without_a_replica_is_told_that_there_is_no_room() {
    let world = World::with(small);
    fill(&world);
    let write = |op: Op| {
        let request = WriteRequest { op: data_op(op), conditions: Default::default() };
        is_full(world.service.write(DB, &ada(), request))
    };
    assert!(write(world.set("other", "1")) && write(world.delete("none")));
    let batch = |ops: Vec<Op>| {
        let ops = ops.into_iter().map(data_op).collect();
        is_full(world.service.batch(DB, &ada(), BatchRequest { ops }))
    };
    assert!(batch(vec![world.delete("k1"), world.set("other", "1")]));
    assert!(!batch(vec![world.delete("k1"), world.delete("k2")]));
    fill(&world);
    assert!(write(world.set("other", "1")) && !write(world.delete("k3")));
}

#[test]
fn where_even_the_reserve_is_used_up_nobody_new_is_let_in() {
    let mut world = World::with(small);
    let taken = fill(&world);
    world.reopen(|options| {
        options.largest_database = MIB / 4;
        options.push_work = 1_000;
    });
    assert!(is_full(world.page(2, None, 10)), "to read");
    assert!(is_full(world.checkpoint_as(&ada(), 2, None, 10)), "to load");
    assert!(is_full(world.try_push(2, &[world.delete("k0")])), "to push");
    let repeated = world.push(1, &[taken[0].clone(), world.delete("k0")]);
    assert_eq!(outcomes(&repeated), [PushOutcome::Accepted, PushOutcome::Skipped]);
    assert!(world.checkpoint_as(&ada(), 1, None, 10).is_ok(), "who was here loads anew");
    let before = bytes(&world);
    for n in 0..200 {
        // Refused before anything is looked for, and nothing is noted of their batches.
        let mut op = world.set("k", "1");
        op.op_ref = syncstore::Ref::from_bytes([n; 16]);
        (op.batch, op.of) = (Some(BatchId::from_random(n.into())), Some(2));
        world.push(1, &[op]);
    }
    assert_eq!(bytes(&world), before);
    world.reopen(|options| options.largest_database = 2 * MIB);
    assert!(!is_full(world.page(2, None, 10)), "and when there is more room, it is let in");
}

#[test]
fn no_more_databases_are_made_than_there_may_be_but_those_that_are_named() {
    let mut world = World::with(|options| options.most_databases = 3);
    let push = |world: &World, name: &str| {
        let request = PushRequest { client: id(1), cursor: None, ops: vec![world.set("k", "1")] };
        is_full(world.service.push(name, &ada(), request))
    };
    for name in ["a", "b", "c", "a"] {
        assert!(!push(&world, name), "{name}");
    }
    assert!(push(&world, "d"));
    world.reopen(|options| options.open_databases = 1);
    assert!(
        push(&world, "d") && !push(&world, "b") && !push(&world, "c"),
        "those that are there were counted, and stay"
    );
    world.reopen(|options| options.named = ["d".to_owned()].into());
    assert!(!push(&world, "d") && push(&world, "e"));
    world.reopen(|options| options.databases = Databases::Named(["e".to_owned()].into()));
    assert!(!push(&world, "e"));
}
