//! Ops that stand or fall together (section 3).

use crate::office::Office;
use crate::world::*;
use syncstore::protocol::{Json, PushRequest};
use syncstore_server::approver::{Form, OpAnswer};
use syncstore_server::service::{Policy, Retention};

#[test]
fn a_batch_is_committed_when_all_its_ops_have_come() {
    let world = World::new();
    let ops: Vec<_> = (0..4).map(|i| batch(world.set(&format!("k{i}"), "1"), 1, 4)).collect();
    assert_eq!(words(&world.push(1, &ops[..2])), ["staged", "staged"]);
    assert!(world.items().is_empty());
    assert_eq!(words(&world.push(1, &ops[1..3])), ["staged", "staged"], "a repeat does not count twice");
    world.accept(2, world.set("other", "1"));
    assert_eq!(
        words(&world.push(1, &ops)),
        ["accepted 2", "accepted 3", "accepted 4", "accepted 5"],
        "ops of earlier pushes are answered too"
    );
    assert_eq!(words(&world.push(1, &ops))[0], "accepted 2");
    let entries = world.pull(2, None).0;
    assert!(entries[1..].iter().all(|entry| entry.batch == ops[0].batch) && entries[0].batch.is_none());
}

#[test]
fn a_batch_in_one_push_is_answered_in_it() {
    let world = World::new();
    let ops = [batch(world.set("a", "1"), 1, 2), world.set("x", "1"), batch(world.set("b", "1"), 1, 2)];
    assert_eq!(words(&world.push(1, &ops)), ["accepted 2", "accepted 1", "accepted 3"]);
}

#[test]
fn a_bad_op_spoils_its_batch_and_only_that() {
    let world = World::new();
    world.accept(2, world.set("taken", "{}"));
    let ops = [
        batch(world.set("a", "1"), 1, 3),
        batch(world.patch("taken", r#"[{"op":"remove","path":"/no"}]"#), 1, 3),
        batch(world.patch("missing", "[]"), 1, 3),
        world.set("b", "1"),
        world.set("a", "2"),
        batch(world.set("c", "1"), 2, 1),
    ];
    let expected = [
        "rejected 2 batch_failed",
        "rejected 3 patch_failed",
        "rejected 4 not_found",
        "accepted 5",
        "skipped",
        "accepted 6",
    ];
    assert_eq!(words(&world.push(1, &ops)), expected);
    assert_eq!(words(&world.push(1, &ops)), expected);
    assert_eq!(world.items(), ["b=1", "c=1", "taken={}"]);
    assert!(world.pull(2, None).0.iter().all(|entry| entry.code.is_none()), "rejections are the client's own");
}

#[test]
fn an_op_that_is_bad_by_itself_fails_its_batch_at_once_and_what_comes_later() {
    let world = World::new();
    let good = batch(world.set("a", "1"), 1, 3);
    let bad = batch(world.set("", "1"), 1, 3);
    let late = batch(world.set("z", "1"), 1, 3);
    assert_eq!(words(&world.push(1, &[good, bad])), ["rejected 1 batch_failed", "rejected 2 invalid"]);
    assert_eq!(words(&world.push(1, &[late])), ["rejected 3 batch_failed"]);
    assert!(world.items().is_empty());
}

#[test]
fn ops_that_differ_in_of_or_come_too_late_are_invalid() {
    let world = World::new();
    let ops = [batch(world.set("a", "1"), 1, 3), batch(world.set("b", "1"), 1, 2)];
    assert_eq!(words(&world.push(1, &ops)), ["rejected 1 batch_failed", "rejected 2 invalid"]);
    world.accept(1, batch(world.set("a", "1"), 2, 1));
    assert_eq!(words(&world.push(1, &[batch(world.set("b", "1"), 2, 1)])), ["rejected 4 invalid"]);
    let mut lone = world.set("c", "1");
    lone.of = Some(2);
    assert_eq!(
        words(&world.push(1, &[lone, batch(world.set("d", "1"), 3, 0)])),
        ["rejected 5 invalid", "rejected 6 invalid"]
    );
}

#[test]
fn a_batch_beyond_a_limit_is_too_large() {
    let world = World::with(|options| {
        options.limits.batch_ops = 2;
        options.limits.batch = 50;
    });
    assert_eq!(words(&world.push(1, &[batch(world.set("a", "1"), 1, 3)])), ["rejected 1 too_large"]);
    let large = format!("\"{}\"", "x".repeat(30));
    let ops = [batch(world.set("a", &large), 2, 2), batch(world.set("b", &large), 2, 2)];
    assert_eq!(words(&world.push(1, &ops)), ["rejected 2 batch_failed", "rejected 3 too_large"]);
    let ops = [batch(world.set("a", "1"), 3, 2), batch(world.set("b", "1"), 3, 2)];
    assert_eq!(words(&world.push(1, &ops)), ["accepted 4", "accepted 5"]);
}

#[test]
fn what_a_merge_adds_to_a_batch_must_fit_into_an_answer_too() {
    let world = World::with(|options| {
        options.policies.insert("c".into(), Policy::Merge);
        options.limits.batch = 2_000;
    });
    let keys = ["a", "b", "c", "d"];
    let value = |mine: u32, theirs: usize| format!(r#"{{"mine":{mine},"theirs":"{}"}}"#, "x".repeat(theirs));
    let base = keys.map(|key| world.accept(1, world.set(key, &value(0, 0)))).into_iter().max().unwrap();
    for key in keys {
        world.accept(2, world.set(key, &value(0, 600)));
    }
    let ops = |keys: &[&str], number| -> Vec<_> {
        let op = |key: &&str| batch(based(world.set(key, &value(1, 0)), base), number, keys.len() as u32);
        keys.iter().map(op).collect()
    };
    let told = words(&world.push(1, &ops(&keys, 1)));
    assert!(told[..3].iter().all(|word| word.ends_with("batch_failed")) && told[3].ends_with("too_large"), "{told:?}");
    assert!(world.push(1, &ops(&keys[..3], 2)).iter().all(|result| result.code.is_none()));
    assert_eq!(world.items()[..3], ["a", "b", "c"].map(|key| format!("{key}={}", value(1, 600))));
    // Alone each is as long as it may be.
    world.accept(1, based(world.set("d", &value(1, 0)), base));
}

#[test]
fn what_an_approver_makes_of_a_batch_must_fit_into_an_answer_too() {
    let long = format!("\"{}\"", "x".repeat(600));
    let mut office = Office::answering(move |asked| {
        let form = Form::set(Json::parse(&long).unwrap());
        OpAnswer { op: Some(form), ..OpAnswer::accepted(asked.op.op_ref) }
    });
    office.restart(|options| options.limits.batch = 2_000);
    let world = &office.world;
    let four: Vec<_> = (0..4).map(|op| batch(world.set(&op.to_string(), "1"), 1, 4)).collect();
    let three: Vec<_> = (4..7).map(|op| batch(world.set(&op.to_string(), "1"), 2, 3)).collect();
    office.push(&four);
    office.push(&three);
    office.approve_all();
    let told = office.push(&four);
    assert!(told[..3].iter().all(|word| word.ends_with("batch_failed")) && told[3].ends_with("too_large"), "{told:?}");
    assert!(office.push(&three).iter().all(|word| word.starts_with("accepted")));
}

#[test]
fn what_escapes_add_to_the_names_of_a_batch_must_fit_into_an_answer_too() {
    let world = World::with(|options| options.limits.batch = 1_000);
    let ops = |of: u32, number| -> Vec<_> {
        (0..of).map(|op| batch(world.set(&format!("{op}{}", "\u{1}".repeat(60)), "1"), number, of)).collect()
    };
    let told = words(&world.push(1, &ops(4, 1)));
    assert!(told[..3].iter().all(|word| word.ends_with("batch_failed")) && told[3].ends_with("too_large"), "{told:?}");
    assert!(world.push(1, &ops(3, 2)).iter().all(|result| result.code.is_none()));
}

#[test]
fn batches_of_two_clients_with_one_name_are_two() {
    let world = World::new();
    assert_eq!(words(&world.push(1, &[batch(world.set("a", "1"), 1, 2)])), ["staged"]);
    assert_eq!(words(&world.push(2, &[batch(world.set("b", "1"), 1, 2)])), ["staged"]);
    assert_eq!(words(&world.push(1, &[batch(world.set("c", "1"), 1, 2)])), ["accepted 2"]);
}

#[test]
fn a_batch_that_is_never_completed_expires_and_says_so() {
    let world = World::with(|options| options.retention = Retention::default());
    let ops = [batch(world.set("a", "1"), 1, 2), batch(world.set("b", "1"), 1, 2)];
    assert_eq!(words(&world.push(1, &ops[..1])), ["staged"]);
    world.pass(6 * DAY);
    world.service.prune(DB).unwrap();
    assert_eq!(words(&world.push(1, &ops[..1])), ["staged"]);
    world.pass(2 * DAY);
    world.service.prune(DB).unwrap();
    assert_eq!(words(&world.push(1, &ops)), ["rejected 1 batch_failed", "rejected 2 batch_failed"]);
    assert_eq!(world.pull(1, None).0.len(), 2);
}

#[test]
fn that_a_batch_has_failed_is_known_as_long_as_outcomes_are_from_then_on() {
    let world = World::with(|options| options.retention = Retention::default());
    let ops: Vec<_> = (0..3).map(|i| batch(world.set(&format!("k{i}"), "1"), 1, 3)).collect();
    assert_eq!(words(&world.push(1, &ops[..1])), ["staged"]);
    world.pass(200 * DAY);
    world.service.prune(DB).unwrap();
    assert_eq!(words(&world.push(1, &ops[1..2])), ["rejected 2 batch_failed"]);
    world.pass(89 * DAY);
    world.service.prune(DB).unwrap();
    assert_eq!(words(&world.push(1, &ops[2..])), ["rejected 3 batch_failed"], "it is not begun anew");
}

#[test]
fn what_follows_a_staged_op_on_its_item_waits_for_it() {
    let world = World::new();
    let rejected = world.patch("x", "[]");
    let first = batch(world.set("x", "1"), 1, 2);
    let second = batch(world.set("y", "1"), 1, 2);
    let later = world.set("y", "2");
    let ops = [rejected, first.clone(), second.clone(), later.clone()];
    assert_eq!(words(&world.push(1, &ops)), ["rejected 1 not_found", "skipped", "staged", "skipped"]);
    assert_eq!(words(&world.push(1, std::slice::from_ref(&later))), ["skipped"]);
    assert_eq!(words(&world.push(1, &[first, second, later])), ["accepted 3", "accepted 2", "accepted 4"]);
    assert_eq!(world.items(), ["x=1", "y=2"]);
}

#[test]
fn a_batch_is_completed_by_the_client_id_that_its_replica_took_meanwhile() {
    let world = World::new();
    let ops: Vec<_> = (0..4).map(|i| batch(world.set(&format!("k{i}"), "1"), 1, 4)).collect();
    let later = world.set("k1", "2");
    assert_eq!(words(&world.push(1, &ops[..2])), ["staged", "staged"]);
    assert_eq!(words(&world.push(2, &[ops[0].clone(), later.clone()])), ["staged", "skipped"], "its items are held");
    assert_eq!(words(&world.push(2, &ops[..2])), ["staged", "staged"]);
    assert_eq!(words(&world.push(2, &ops[2..])), ["accepted 3", "accepted 4"]);
    assert_eq!(words(&world.push(2, &ops)), ["accepted 1", "accepted 2", "accepted 3", "accepted 4"]);
    assert_eq!(words(&world.push(2, &[later])), ["accepted 5"]);
    assert_eq!(words(&world.push(1, &ops[..1])), ["accepted 1"]);
    assert!(world.pull(2, None).0.iter().all(|entry| entry.value.is_none()), "they are the new id's own");
}

#[test]
fn the_parts_that_two_client_ids_of_a_replica_sent_of_a_batch_meet() {
    let world = World::new();
    let ops: Vec<_> = (0..3).map(|i| batch(world.set(&format!("k{i}"), "1"), 1, 3)).collect();
    assert_eq!(words(&world.push(1, &ops[..1])), ["staged"]);
    assert_eq!(words(&world.push(2, &ops[1..])), ["staged", "staged"]);
    assert_eq!(words(&world.push(2, &ops)), ["accepted 1", "accepted 2", "accepted 3"]);
    assert_eq!(world.items(), ["k0=1", "k1=1", "k2=1"]);
}

#[test]
fn a_batch_that_is_taken_over_is_as_old_as_its_first_op() {
    let world = World::with(|options| options.retention = Retention::default());
    let ops: Vec<_> = (0..3).map(|i| batch(world.set(&format!("k{i}"), "1"), 1, 3)).collect();
    assert_eq!(words(&world.push(1, &ops[..1])), ["staged"]);
    world.pass(6 * DAY);
    assert_eq!(words(&world.push(2, &ops[1..2])), ["staged"]);
    assert_eq!(words(&world.push(2, &ops[..1])), ["staged"]);
    world.pass(2 * DAY);
    world.service.prune(DB).unwrap();
    assert!(words(&world.push(2, &ops)).iter().all(|word| word.ends_with("batch_failed")));
}

#[test]
fn what_is_taken_over_into_a_batch_that_failed_or_differs_in_of_is_rejected() {
    let world = World::new();
    let first = batch(world.set("a", "1"), 1, 3);
    assert_eq!(words(&world.push(1, std::slice::from_ref(&first))), ["staged"]);
    assert_eq!(words(&world.push(2, &[batch(world.set("", "1"), 1, 3)])), ["rejected 1 invalid"]);
    assert_eq!(words(&world.push(2, &[first])), ["rejected 2 batch_failed"]);
    let first = batch(world.set("a", "1"), 2, 3);
    assert_eq!(words(&world.push(1, std::slice::from_ref(&first))), ["staged"]);
    let ops = [batch(world.set("b", "1"), 2, 2), first];
    assert_eq!(words(&world.push(2, &ops)), ["rejected 4 batch_failed", "rejected 3 batch_failed"]);
    assert!(world.items().is_empty());
}

#[test]
fn what_is_left_of_a_failed_batch_fails_under_the_next_client_id_too() {
    let world = World::new();
    let ops =
        [batch(world.set("a", "1"), 1, 3), batch(world.patch("missing", "[]"), 1, 3), batch(world.set("c", "1"), 1, 3)];
    assert_eq!(words(&world.push(1, &ops[..1])), ["staged"]);
    world.pass(8 * 24 * 3600 * 1000);
    world.service.prune(DB).unwrap();
    assert_eq!(words(&world.push(1, &ops[1..2])), ["rejected 2 batch_failed"]);
    assert_eq!(words(&world.push(3, &ops[1..])), ["rejected 2 batch_failed", "rejected 3 batch_failed"]);
}

#[test]
fn a_staged_op_of_another_user_is_not_taken_over() {
    let world = World::new();
    let ops: Vec<_> = (0..2).map(|i| batch(world.set(&format!("k{i}"), "1"), 1, 2)).collect();
    assert_eq!(words(&world.push(1, &ops[..1])), ["staged"]);
    let request = PushRequest { client: id(2), cursor: None, ops: ops.clone() };
    let answer = world.service.push(DB, &user("eve"), request).unwrap();
    assert!(words(&answer.results)[0].ends_with("ref_reused"), "{answer:?}");
    assert!(words(&world.push(1, &ops[..1])).contains(&"staged".to_owned()));
}

#[test]
fn a_client_begins_no_further_batch_while_it_has_begun_two_of_the_largest() {
    let world = World::with(|options| options.limits.batch_ops = 4);
    let key = |number: u128| format!("k{number}");
    let part = |id: u128, of: u32, part: u128| batch(world.set(&key(id * 10 + part), "1"), id, of);
    // Of each its first op.
    let begun: Vec<_> = (1..=2).map(|id| part(id, 4, 0)).collect();
    assert_eq!(words(&world.push(1, &begun)), ["staged", "staged"]);
    let third = [part(3, 2, 0), part(3, 2, 1)];
    assert_eq!(words(&world.push(1, &third)), ["skipped", "skipped"]);
    assert!(words(&world.push(1, &[part(4, 5, 0)]))[0].ends_with("too_large"), "it would never have room");
    let bad = world.set("", "1");
    let others = [part(2, 4, 1), world.set("x", "1"), bad];
    let told = words(&world.push(1, &others));
    assert_eq!((told[0].as_str(), &told[1][..8], &told[2][..8]), ("staged", "accepted", "rejected"));
    // Nor by taking over what another client id has begun.
    assert_eq!(words(&world.push(2, &third[..1])), ["staged"]);
    assert_eq!(words(&world.push(1, &third[..1])), ["skipped"]);
    // What completes one makes room.
    let rest: Vec<_> = (1..4).map(|number| part(1, 4, number)).collect();
    assert!(words(&world.push(1, &rest)).iter().all(|word| word.starts_with("accepted")));
    let told = words(&world.push(1, &third));
    assert!(told.iter().all(|word| word.starts_with("accepted")), "{told:?}");
}
