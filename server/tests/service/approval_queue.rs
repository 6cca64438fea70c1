//! The queue of what waits for an approver: its order, its bounds, whom it is asked about and when.

use crate::office::*;
use crate::world::*;
use syncstore::protocol::{Op, Ref};
use syncstore_server::approver::{ApprovalResponse, Form, OpAnswer};
use syncstore_server::service::ServiceOptions;

#[test]
fn later_ops_on_the_item_and_their_batches_wait_and_are_decided_in_order() {
    let office = Office::new(|_| silent());
    let world = &office.world;
    let first = world.set("x", "1");
    let second = world.set("x", "2");
    let pair = [batch(world.set("x", "3"), 1, 2), batch(of("open", world.set("y", "3")), 1, 2)];
    let behind = of("open", world.set("y", "4"));
    let free = of("open", world.set("z", "1"));
    let ops = [vec![first, second], pair.to_vec(), vec![behind, free]].concat();
    assert_eq!(office.push(&ops), ["queued", "queued", "queued", "queued", "queued", "accepted 1"]);
    assert_eq!((office.approve(), office.requests()), (0, vec![vec![ops[0].op_ref]]), "one at a time");
    office.answer_each(|asked| OpAnswer::accepted(asked.op.op_ref));
    assert_eq!(office.approve_later(), 1);
    assert_eq!(office.approve(), 1);
    assert_eq!(office.approve(), 3, "a batch, and what needs no approver behind it");
    let asked: Vec<Ref> = office.requests().concat();
    assert_eq!(asked, [ops[0].op_ref, ops[0].op_ref, ops[1].op_ref, ops[2].op_ref]);
    assert_eq!(office.last_request().ops[0].op.of, Some(2));
    let seqs = ["accepted 2", "accepted 3", "accepted 4", "accepted 5", "accepted 6", "accepted 1"];
    assert_eq!(office.push(&ops), seqs);
    assert_eq!(world.items(), ["y=4", "z=1", "x=3"]);
}

#[test]
fn ops_of_other_clients_and_of_other_items_do_not_wait() {
    let office = Office::new(|_| silent());
    let world = &office.world;
    assert_eq!(office.push(&[of("open", world.set("k", "1")), world.set("k", "1")]), ["accepted 1", "queued"]);
    assert_eq!(words(&world.push(2, &[of("open", world.set("k", "2"))])), ["accepted 2"]);
    assert_eq!(words(&world.push(2, &[world.set("k", "2"), world.set("other", "2")])), ["queued", "queued"]);
    office.approve();
    assert_eq!(office.last_request().ops.len(), 3, "the clients' ops on one item are asked about together");
}

#[test]
fn what_an_answer_says_wrongly_twice_or_of_others_decides_nothing() {
    let office = Office::new(|_| silent());
    let world = &office.world;
    let (good, behind) = (world.set("good", "1"), world.set("good", "2"));
    let (bad, foreign) = (world.set("bad", "1"), world.new_ref());
    office.push(&[good.clone(), behind.clone(), bad.clone()]);
    let (good_ref, behind_ref, bad_ref) = (good.op_ref, behind.op_ref, bad.op_ref);
    office.rescript(move |_| {
        let mut response: ApprovalResponse = [
            OpAnswer::accepted(good_ref),
            OpAnswer::rejected(good_ref, "on second thoughts"),
            OpAnswer::rejected(behind_ref, "not asked about"),
            OpAnswer::accepted(foreign),
            replaced(bad_ref, Form { key: Some("elsewhere".into()), ..Form::set(json("1")) }),
        ]
        .into_iter()
        .collect();
        response.answers.extend([json("7"), json(r#"{"ref":"x"}"#), json("{}")]);
        Ok(response)
    });
    assert_eq!(office.approve(), 1);
    assert_eq!(office.push(&[good, behind, bad]), ["accepted 1", "queued", "queued"]);
    assert_eq!(world.service.stats()[0].approver_ignored, 7);
    office.answer_each(|asked| OpAnswer::accepted(asked.op.op_ref));
    office.approve_later();
    assert_eq!(world.items(), ["bad=1", "good=2"]);
}

#[test]
fn an_approver_that_fails_is_asked_again_later_about_no_other_ops() {
    let mut office = Office::new(|_| down());
    let ops = ["a", "b"].map(|key| office.world.set(key, "1"));
    office.push(&ops);
    assert_eq!((office.approve(), office.approve(), office.requests().len()), (0, 0, 1), "not at once");
    assert_eq!(office.approve_later(), 0);
    office.restart(|_| {});
    assert_eq!(office.push(&ops), ["queued", "queued"]);
    assert_eq!(office.approve(), 0, "a new process asks at once");
    let refs: Vec<Ref> = ops.iter().map(|op| op.op_ref).collect();
    assert_eq!(office.requests(), [refs.clone(), refs[..1].to_vec(), refs]);
    let stats = office.service().stats().remove(0);
    assert_eq!((stats.approver_requests, stats.approver_failures, stats.queued_ops), (1, 1, 2));
    office.answer_each(|asked| OpAnswer::accepted(asked.op.op_ref));
    assert_eq!((office.approve_later(), office.approve()), (1, 1), "half as many, and one more again");
    let stats = office.service().stats().remove(0);
    assert_eq!((stats.queued_ops, stats.queued_bytes, stats.accepted), (0, 0, 2));
}

#[test]
fn ops_that_an_answer_leaves_out_are_asked_about_again_and_hold_nobody_else_up() {
    let office = Office::new(|request| {
        let quick = request.ops.iter().filter(|asked| asked.op.key != "slow");
        Ok(quick.map(|asked| OpAnswer::accepted(asked.op.op_ref)).collect())
    });
    let world = &office.world;
    office.push(&[world.set("slow", "1"), world.set("a", "1")]);
    assert_eq!(office.approve(), 1);
    office.push(&[world.set("b", "1")]);
    assert_eq!(office.approve(), 1);
    assert_eq!(office.requests()[1].len(), 1, "the slow one is not due yet");
    assert_eq!(office.approve_later(), 0);
    assert_eq!(office.requests()[2].len(), 1);
}

#[test]
fn a_full_queue_answers_skipped_and_takes_the_ops_later() {
    let mut office = Office::new(|_| silent());
    office.restart(|options| options.approval.as_mut().unwrap().queue_ops = 2);
    let world = &office.world;
    let ops = ["a", "b", "c"].map(|key| world.set(key, "1"));
    let behind = world.set("a", "2");
    let all = [ops.to_vec(), vec![behind.clone(), of("open", world.set("c", "1"))]].concat();
    assert_eq!(office.push(&all), ["queued", "queued", "skipped", "skipped", "accepted 1"]);
    assert_eq!(office.push(&all), ["queued", "queued", "skipped", "skipped", "accepted 1"], "nothing was recorded");
    let staged = [batch(world.set("d", "1"), 1, 2), batch(of("open", world.set("d", "1")), 1, 2)];
    assert_eq!(office.push(&staged), ["skipped", "staged"]);
    office.answer_each(|asked| OpAnswer::accepted(asked.op.op_ref));
    office.approve();
    assert_eq!(office.push(&[ops[2].clone(), behind]), ["queued", "queued"]);
    office.approve();
    assert_eq!(office.push(&staged), ["queued", "queued"]);
    office.approve();
    assert_eq!(world.items(), ["c=1", "d=1", "a=2", "b=1", "c=1", "d=1"]);
}

#[test]
fn a_full_queue_takes_no_batch_that_was_staged_before_it_was_full() {
    let mut office = Office::new(|_| silent());
    office.restart(|options| options.approval.as_mut().unwrap().queue_ops = 2);
    let world = &office.world;
    let part = |id: u128, of: u32, op: Op| batch(op, id, of);
    let ops = |id: u128| {
        let asks = (0..3).map(|n| part(id, 4, world.set(&format!("b{id}-{n}"), "1")));
        asks.chain([part(id, 4, of("open", world.set(&format!("b{id}"), "1")))]).collect::<Vec<_>>()
    };
    let batches: Vec<_> = (1..=3).map(ops).collect();
    for (client, ops) in (1..).zip(&batches) {
        assert_eq!(words(&world.push(client, &ops[..3])), ["staged"; 3]);
    }
    let last = |client: usize| words(&world.push(client as u128, &batches[client - 1][3..])).remove(0);
    assert_eq!(last(1), "queued", "an empty queue takes a batch of any size");
    assert_eq!([last(2), last(3), last(2)], ["skipped"; 3]);
    let overtaking = [batches[1][3].clone(), of("open", world.set("b2", "9"))];
    assert_eq!(words(&world.push(2, &overtaking)), ["skipped"; 2], "nothing overtakes it on its item");
    // Nor when its parts, which two client ids have sent, meet.
    assert_eq!(words(&world.push(4, &batches[1][3..])), ["staged"]);
    assert_eq!(words(&world.push(4, &batches[1][..1])), ["skipped"]);
    let free = [part(9, 2, of("open", world.set("f", "1"))), part(9, 2, of("open", world.set("g", "1")))];
    assert!(words(&world.push(5, &free))[1].starts_with("accepted"), "it does not queue");
    let stats = office.service().stats().remove(0);
    assert_eq!(stats.queued_ops, 4);
    office.answer_each(|asked| OpAnswer::accepted(asked.op.op_ref));
    office.approve_later();
    assert_eq!(words(&world.push(4, &batches[1])), ["queued"; 4]);
    assert_eq!(last(3), "skipped");
    office.approve();
    assert_eq!(last(3), "queued");
    office.approve();
    assert_eq!(world.items().len(), 14);
}

#[test]
fn the_bytes_that_wait_are_bounded_too() {
    let mut office = Office::new(|_| silent());
    office.restart(|options| options.approval.as_mut().unwrap().queue_bytes = 100);
    let world = &office.world;
    let large = format!("\"{}\"", "x".repeat(200));
    assert_eq!(office.push(&[world.set("a", &large), world.set("b", "1")]), ["queued", "skipped"]);
}

#[test]
fn a_request_has_no_more_ops_than_it_may_but_for_a_batch() {
    let mut office = Office::lenient();
    office.restart(|options| options.approval.as_mut().unwrap().request_ops = 2);
    let world = &office.world;
    let ops: Vec<Op> = (0..3).map(|n| world.set(&format!("a{n}"), "1")).collect();
    let pack: Vec<Op> = (0..3).map(|n| batch(world.set(&format!("b{n}"), "1"), 1, 3)).collect();
    office.push(&[ops, pack].concat());
    office.approve_all();
    let sizes: Vec<usize> = office.requests().iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 4]);
}

#[test]
fn an_op_that_waits_too_long_is_rejected_and_what_is_behind_it_goes_on() {
    let office = Office::new(|_| down());
    let world = &office.world;
    let (first, second) = (world.set("x", "1"), world.set("x", "2"));
    let pair = [batch(world.set("y", "1"), 1, 2), batch(of("open", world.set("z", "1")), 1, 2)];
    office.push(&[vec![first.clone()], pair.to_vec()].concat());
    world.pass(6 * DAY);
    let behind = of("open", world.set("z", "2"));
    assert_eq!(office.push(&[second.clone(), behind.clone()]), ["queued", "queued"]);
    world.service.prune(DB).unwrap();
    assert_eq!(office.push(std::slice::from_ref(&first)), ["queued"]);
    world.pass(2 * DAY);
    world.service.prune(DB).unwrap();
    let all = [vec![first], pair.to_vec(), vec![second, behind]].concat();
    let expected = ["rejected 1 undecided", "rejected 2 undecided", "rejected 3 undecided", "queued", "accepted 4"];
    assert_eq!(office.push(&all), expected);
    assert_eq!(world.items(), ["z=2"]);
}

#[test]
fn a_new_client_id_of_the_replica_takes_over_what_waits() {
    let office = Office::new(|_| down());
    let world = &office.world;
    let (first, second) = (world.set("x", "1"), world.set("x", "2"));
    office.push(std::slice::from_ref(&first));
    assert_eq!(words(&world.push(2, &[first.clone(), second.clone()])), ["queued", "queued"]);
    office.rescript(|request| Ok(request.ops.iter().map(|asked| OpAnswer::rejected(asked.op.op_ref, "no")).collect()));
    assert_eq!(office.approve_later(), 1, "the second one waits for the first");
    assert_eq!(office.approve(), 1);
    assert_eq!(office.told_to(2), ["1 rejected policy", "2 rejected policy"]);
    assert!(office.told().is_empty());
}

#[test]
fn a_new_client_id_takes_over_all_that_one_op_is_in_one_order_with() {
    let office = Office::new(|_| down());
    let world = &office.world;
    let first = world.set("x", "1");
    let pair = [batch(world.set("x", "2"), 1, 2), batch(world.set("y", "2"), 1, 2)];
    let (last, other) = (world.set("y", "3"), world.set("z", "1"));
    let all = [vec![first.clone()], pair.to_vec(), vec![last.clone(), other.clone()]].concat();
    assert_eq!(office.push(&all), ["queued"; 5]);
    // Of another client, on the same item.
    let theirs = world.set("x", "4");
    assert_eq!(words(&world.push(3, std::slice::from_ref(&theirs))), ["queued"]);
    // The rest comes in a later push.
    assert_eq!(words(&world.push(2, std::slice::from_ref(&first))), ["queued"]);
    let reluctant = first.op_ref;
    office.rescript(move |request| {
        let others = request.ops.iter().filter(|asked| asked.op.op_ref != reluctant);
        Ok(others.map(|asked| OpAnswer::accepted(asked.op.op_ref)).collect())
    });
    assert_eq!(office.approve_later(), 2);
    assert_eq!(office.last_request().ops.len(), 3, "nothing that waits for the first");
    assert_eq!(world.items(), ["x=4", "z=1"]);
    office.answer_each(|asked| OpAnswer::rejected(asked.op.op_ref, "no"));
    office.approve_later();
    office.approve_all();
    assert_eq!((office.told_to(2).len(), office.told().len()), (4 + 2, 2), "who has it is told of its rejection");
    assert_eq!(
        words(&world.push(2, &all))[..4],
        ["rejected 3 policy", "rejected 4 policy", "rejected 5 policy", "rejected 6 policy"]
    );
}

#[test]
fn without_an_approver_what_waits_goes_on_waiting() {
    let mut office = Office::new(|_| down());
    let (first, second) = (office.world.set("x", "1"), office.world.set("x", "2"));
    office.push(std::slice::from_ref(&first));
    let without = |options: &mut ServiceOptions| options.approval = None;
    office.restart(without);
    assert_eq!(
        office.push(&[first.clone(), second.clone(), office.world.set("y", "1")]),
        ["queued", "queued", "accepted 1"]
    );
    assert_eq!(office.approve(), 0);
    office.world.service.prune(DB).unwrap();
    assert_eq!(office.world.items(), ["y=1"]);
    office.restart(|_| {});
    office.answer_each(|asked| OpAnswer::accepted(asked.op.op_ref));
    office.approve_all();
    assert_eq!(office.push(&[first, second]), ["accepted 2", "accepted 3"]);
}

#[test]
fn a_file_of_the_version_before_approval_is_taken() {
    let mut office = Office::lenient();
    office.world.accept(1, of("open", office.world.set("k", "1")));
    office.world.service.shutdown();
    let file = rusqlite::Connection::open(office.world.dir.path().join("db-notes.sqlite")).unwrap();
    file.execute_batch(
        "DROP TABLE queued; DROP TABLE units; ALTER TABLE state DROP COLUMN queued;
         ALTER TABLE state DROP COLUMN queued_bytes; ALTER TABLE state DROP COLUMN log_bytes; PRAGMA user_version = 1",
    )
    .unwrap();
    drop(file);
    office.restart(|_| {});
    assert_eq!(office.push(&[office.world.set("k", "1")]), ["queued"]);
    office.approve();
    assert_eq!(office.world.items().len(), 2);
}

#[test]
fn a_batch_on_large_items_makes_no_larger_request_than_its_ops_and_a_few_of_them() {
    let office = Office::lenient();
    let world = &office.world;
    let large = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    world.push(1, &[world.set("large", &large)]);
    office.approve_all();
    let ops: Vec<Op> = (0..200).map(|_| batch(world.patch("large", "[]"), 5, 201)).collect();
    world.push(1, &ops);
    world.push(1, &[batch(world.set("new", "1"), 5, 201)]);
    office.rescript(|_| silent());
    office.approve();
    let request = office.last_request();
    assert_eq!(request.ops.len(), 201);
    let told = request.ops.iter().filter(|asked| asked.item.is_some()).count();
    assert!((1..=5).contains(&told), "{told}");
    for asked in &request.ops {
        assert_eq!(asked.item_left_out, asked.item.is_none() && asked.op.key == "large");
    }
    assert!(serde_json::to_vec(&request).unwrap().len() < 6 << 20);
}
