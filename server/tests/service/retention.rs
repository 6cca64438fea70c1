//! What is forgotten, when, and what is not (section 3 and the retention that the server publishes).

use crate::world::*;
use std::time::Duration;
use syncstore::protocol::PushRequest;

#[test]
fn a_forgotten_ref_is_expired_and_never_applied_again() {
    let world = World::new();
    let op = world.set("a", "1");
    world.accept(1, op.clone());
    let unknown = world.set("b", "1");
    world.head(1);
    let cursor = world.head(1);
    world.pull(1, Some(cursor));
    world.pass(91 * DAY);
    world.service.prune(DB).unwrap();
    for old in [op, unknown] {
        let results = world.push(1, &[old, world.set("later", "1")]);
        assert_eq!(words(&results[..1]), ["rejected - expired"]);
    }
    assert_eq!(world.items(), ["a=1", "later=1"]);
}

#[test]
fn a_ref_is_kept_until_its_client_has_pulled_past_it() {
    let world = World::new();
    let ops = [world.set("a", "1"), world.patch("missing", "[]")];
    world.push(1, &ops);
    world.pass(200 * DAY);
    world.service.prune(DB).unwrap();
    assert_eq!(words(&world.push(1, &ops)), ["accepted 1", "rejected 2 not_found"]);
    // Having the page is not enough: the next pull says that it was applied.
    let cursor = world.head(1);
    world.service.prune(DB).unwrap();
    assert_eq!(words(&world.push(1, &ops)), ["accepted 1", "rejected 2 not_found"]);
    world.pull(1, Some(cursor));
    world.service.prune(DB).unwrap();
    assert_eq!(words(&world.push(1, &ops)), ["rejected - expired", "rejected - expired"]);
}

#[test]
fn a_replica_that_replays_from_a_checkpoint_keeps_its_refs() {
    let world = World::new();
    let op = world.set("a", "1");
    world.accept(1, op.clone());
    world.pass(200 * DAY);
    let checkpoint = world.checkpoint(1, None, 10).unwrap();
    // Its cursor stands past the op, of which the replica has not seen what became.
    world.pull(1, Some(checkpoint.cursor));
    world.service.prune(DB).unwrap();
    assert_eq!(words(&world.push(1, &[op])), ["accepted 1"]);
}

#[test]
fn a_young_commit_of_an_old_ref_is_kept() {
    let world = World::new();
    let old = world.set("a", "1");
    world.pass(100 * DAY);
    world.accept(1, old.clone());
    let cursor = world.head(1);
    world.pull(1, Some(cursor));
    world.service.prune(DB).unwrap();
    assert_eq!(words(&world.push(1, &[old])), ["accepted 1"]);
}

#[test]
fn refs_of_an_expired_client_go() {
    let world = World::new();
    let op = world.set("a", "1");
    world.accept(1, op.clone());
    world.pass(400 * DAY);
    world.service.prune(DB).unwrap();
    world.service.prune(DB).unwrap();
    assert_eq!(words(&world.push(1, &[op])), ["rejected - expired"]);
}

#[test]
fn the_log_keeps_as_many_entries_as_it_says_and_items_stay() {
    let world = World::with(|options| options.retention.log_entries = 10);
    for _ in 0..25 {
        world.push(1, &(0..100).map(|i| world.set(&format!("k{}", i % 20), "1")).collect::<Vec<_>>());
    }
    world.push(1, &[world.patch("missing", "[]"), world.delete("k0")]);
    world.service.prune(DB).unwrap();
    let stats = world.service.stats().remove(0);
    assert_eq!((stats.log_entries, stats.items, stats.head), (10, 19, 2_502));
    assert_eq!(stats.pruned, 2_492);
    assert_eq!((stats.accepted, stats.rejected.get("not_found")), (2_501, Some(&1)));
}

#[test]
fn pruning_needs_no_call_when_its_time_has_come() {
    let world = World::with(|options| options.retention.log_entries = 10);
    for i in 0..20 {
        world.accept(1, world.set(&format!("k{i}"), "1"));
    }
    world.pass(61_000);
    world.accept(1, world.set("k", "1"));
    assert_eq!(world.service.stats()[0].log_entries, 10);
}

#[test]
fn databases_that_take_turns_in_being_open_are_pruned_too() {
    let world = World::with(|options| {
        options.retention.log_entries = 10;
        options.open_databases = 1;
    });
    let push = |name: &str| {
        let ops = (0..5).map(|i| world.set(&format!("k{i}"), "1")).collect();
        world.service.push(name, &ada(), PushRequest { client: id(1), cursor: None, ops }).unwrap();
        world.service.stats().remove(0)
    };
    for round in 1..=10 {
        for name in ["a", "b"] {
            let stats = push(name);
            assert_eq!((stats.name.as_str(), stats.head), (name, 5 * round));
            // Never open for as long as the interval, which is over after three rounds; and not pruned more often.
            let kept = [20, 10, 15][round as usize % 3];
            assert_eq!(stats.log_entries, kept.min(5 * round), "{name} in round {round}");
            world.pass(10_100);
        }
    }
}

#[test]
fn a_client_id_is_kept_for_as_long_as_its_refs_may_be() {
    // The first op is decided when the batch expires, days after the client was last seen.
    for clients in [10 * DAY, 90 * DAY] {
        let mut world = World::new();
        world.reopen(|options| options.retention.clients = Duration::from_millis(clients));
        let staged = batch(world.set("b", "1"), 1, 2);
        assert_eq!(words(&world.push(1, std::slice::from_ref(&staged))), ["staged"]);
        let op = world.set("a", "1");
        world.accept(1, op.clone());
        let told = |world: &World| words(&world.push(2, &[op.clone(), staged.clone()]));
        for days in [8, 3] {
            world.pass(days * DAY);
            world.service.prune(DB).unwrap();
        }
        assert_eq!(told(&world), ["accepted 1", "rejected 2 batch_failed"]);
        world.pass(80 * DAY);
        world.service.prune(DB).unwrap();
        assert!(told(&world)[1].ends_with("batch_failed"), "{:?}", told(&world));
        world.pass(10 * DAY);
        world.service.prune(DB).unwrap();
        world.service.prune(DB).unwrap();
        assert_eq!(told(&world), ["rejected - expired"; 2]);
        let published = world.service.info(DB, &ada()).unwrap().retention;
        assert_eq!(published.client_seconds, Some((90 + 7) * 24 * 3600 + 3600), "what is kept is what is published");
    }
}

#[test]
fn a_client_that_only_pushes_is_seen() {
    let world = World::new();
    let op = world.set("a", "1");
    world.accept(1, op.clone());
    for _ in 0..3 {
        world.pass(200 * DAY);
        world.push(1, &[]);
        world.service.prune(DB).unwrap();
    }
    assert_eq!(words(&world.push(1, &[op])), ["accepted 1"]);
}
