//! A database, and a directory of them, take no more than they may.

use crate::world::{DB, World, ada, id};
use syncstore::protocol::PushRequest;
use syncstore_server::service::{Databases, ServiceError};

const MIB: u64 = 1 << 20;

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

/// Sets large values until there is no room for another; how many there are then.
fn fill(world: &World) -> u64 {
    let value = format!("\"{}\"", "x".repeat(50_000));
    (0..1_000)
        .find(|n| is_full(world.try_push(1, &[world.set(&format!("k{n}"), &value)])))
        .expect("there is an end to it")
}

#[test]
fn a_full_database_takes_deletes_alone_and_everything_again_once_they_are_pruned() {
    let world = World::with(|options| {
        options.largest_database = MIB;
        options.retention.log_entries = 1;
    });
    let filled = fill(&world);
    assert!((5..20).contains(&filled), "{filled} values and their log entries");
    assert!((MIB..MIB + 200_000).contains(&bytes(&world)), "{}", bytes(&world));

    let both = [world.delete("k0"), world.set("other", "1")];
    assert!(is_full(world.try_push(1, &both)), "a push with anything but deletes");
    assert!(world.page(2, None, 1_000).is_ok(), "what there is can be read");
    let deletes: Vec<_> = (0..filled).map(|n| world.delete(&format!("k{n}"))).collect();
    world.push(1, &deletes);
    world.service.prune(DB).unwrap();
    assert!(bytes(&world) < MIB / 2, "{}", bytes(&world));
    world.accept(1, world.set("other", "1"));
}

#[test]
fn deletes_end_a_sixteenth_beyond_the_limit() {
    let world = World::with(|options| options.largest_database = MIB);
    fill(&world);
    let refused = (0..10_000).any(|_| {
        let deletes: Vec<_> = (0..100).map(|n| world.delete(&format!("none{n}"))).collect();
        is_full(world.try_push(1, &deletes))
    });
    assert!(refused && bytes(&world) < MIB * 5 / 4, "{}", bytes(&world));
    assert!(is_full(world.checkpoint_as(&ada(), 3, None, 10)), "another checkpoint");
}

#[test]
fn a_full_database_is_one_that_was_opened_again_too() {
    let mut world = World::with(|options| options.largest_database = MIB);
    fill(&world);
    world.reopen(|_| {});
    assert!(is_full(world.try_push(1, &[world.set("one", "1")])));
    world.reopen(|options| options.largest_database = 2 * MIB);
    world.accept(1, world.set("one", "1"));
}

#[test]
fn no_more_databases_are_made_than_there_may_be() {
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
    world.reopen(|options| options.databases = Databases::Named(["d".to_owned()].into()));
    assert!(!push(&world, "d"), "one that the operator names is made");
}
