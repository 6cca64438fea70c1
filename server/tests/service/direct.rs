//! Writes of callers without a replica, where HTTP adds nothing (section 6).

use crate::office::{Office, of};
use crate::world::*;
use syncstore::protocol::{BatchRequest, DataOp, Json, Op, Ref, Rev};
use syncstore_server::approver::OpAnswer;
use syncstore_server::service::{Caller, Conditions, Policy, ServiceError, WriteRequest};

pub fn data_op(op: Op) -> DataOp {
    let Op {
        op_ref, kind, collection, key, value, patch, base, index, order, relation, predicate, object, tag, ..
    } = op;
    let data = DataOp::new(kind, collection, key);
    DataOp { op_ref: Some(op_ref), value, patch, base, index, order, relation, predicate, object, tag, ..data }
}

fn write(world: &World, caller: &Caller, op: Op) -> Result<Rev, ServiceError> {
    let request = WriteRequest { op: data_op(op), conditions: Conditions::default() };
    world.service.write(DB, caller, request).map(|written| written.rev)
}

fn code(refused: Result<Rev, ServiceError>) -> String {
    refused.unwrap_err().problem().code
}

#[test]
fn refs_of_callers_without_a_replica_go_by_time_alone_and_are_never_applied_again() {
    let world = World::new();
    let (op, refused) = (world.set("a", "1"), world.patch("missing", "[]"));
    assert_eq!(write(&world, &ada(), op.clone()).unwrap(), 1);
    assert_eq!(code(write(&world, &ada(), refused.clone())), "not_found");
    world.pass(89 * DAY);
    world.service.prune(DB).unwrap();
    write(&world, &ada(), world.set("a", "2")).unwrap();
    assert_eq!(write(&world, &ada(), op.clone()).unwrap(), 1);
    assert_eq!(code(write(&world, &ada(), refused.clone())), "not_found");
    world.pass(2 * DAY);
    world.service.prune(DB).unwrap();
    for old in [op, refused] {
        assert_eq!(code(write(&world, &ada(), old)), "expired");
    }
    assert_eq!(world.items(), ["a=2"]);
}

#[test]
fn a_user_without_requests_for_long_is_forgotten_and_writes_again() {
    let world = World::new();
    write(&world, &ada(), world.set("a", "1")).unwrap();
    world.pass(400 * DAY);
    world.service.prune(DB).unwrap();
    assert_eq!(write(&world, &ada(), world.set("a", "2")).unwrap(), 2);
    assert_eq!(write(&world, &user("bob"), world.set("a", "3")).unwrap(), 3);
}

#[test]
fn where_the_log_no_longer_has_the_op_a_repeat_is_told_its_seq() {
    let world = World::with(|options| options.retention.log_entries = 1);
    let (set, nothing) = (world.set("a", "1"), world.unindex("a", "none"));
    assert_eq!(write(&world, &ada(), set.clone()).unwrap(), 1);
    assert_eq!(write(&world, &ada(), nothing.clone()).unwrap(), 1, "the rev stays");
    assert_eq!(write(&world, &ada(), nothing.clone()).unwrap(), 1);
    write(&world, &ada(), world.set("b", "1")).unwrap();
    world.service.prune(DB).unwrap();
    assert_eq!(write(&world, &ada(), set).unwrap(), 1);
    assert_eq!(write(&world, &ada(), nothing).unwrap(), 2);
}

#[test]
fn what_one_request_did_is_anothers_to_the_next_also_of_the_same_user() {
    let world = World::with(|options| {
        options.policies.insert("c".into(), Policy::Merge);
    });
    let first = write(&world, &ada(), world.set("a", r#"{"x":1,"y":1}"#)).unwrap();
    write(&world, &ada(), world.patch("a", r#"[{"op":"replace","path":"/x","value":2}]"#)).unwrap();
    let late = [
        based(world.set("a", r#"{"x":3,"y":3}"#), first),
        based(world.patch("a", r#"[{"op":"replace","path":"/y","value":4}]"#), first),
    ];
    let ops = late.into_iter().map(data_op).collect();
    world.service.batch(DB, &ada(), BatchRequest { ops }).unwrap();
    assert_eq!(world.items(), [r#"a={"x":2,"y":4}"#], "x is the other request's, y the batch's own twice");
}

#[test]
fn an_op_that_a_replica_has_sent_is_known_and_one_of_an_incomplete_batch_is_not_decided() {
    let world = World::new();
    let op = world.set("a", "1");
    world.accept(1, op.clone());
    assert_eq!(write(&world, &ada(), op.clone()).unwrap(), 1);
    assert_eq!(code(write(&world, &user("bob"), op)), "ref_reused");
    let staged = world.set("b", "1");
    world.push(1, &[batch(staged.clone(), 7, 2)]);
    assert_eq!(code(write(&world, &ada(), staged.clone())), "ref_reused");
    let other = world.set("c", "1");
    assert_eq!(words(&world.push(1, &[batch(other, 7, 2)])), ["accepted 3"]);
    assert_eq!(write(&world, &ada(), staged).unwrap(), 2);
}

#[test]
fn an_op_that_an_approver_is_to_decide_is_refused_and_leaves_nothing() {
    let office = Office::lenient();
    let world = &office.world;
    let op = world.set("a", "1");
    assert_eq!(code(write(world, &ada(), op.clone())), "policy");
    let request = BatchRequest { ops: vec![data_op(op.clone())] };
    assert_eq!(world.service.batch(DB, &ada(), request).unwrap_err().problem().code, "policy");
    assert!(world.items().is_empty() && office.told().is_empty());
    // Its ref is as good as new.
    assert_eq!(office.push(std::slice::from_ref(&op)), ["queued"]);
    assert_eq!(code(write(world, &ada(), op.clone())), "ref_reused");
    office.approve_all();
    assert_eq!(write(world, &ada(), op).unwrap(), 1);
}

#[test]
fn the_server_makes_the_refs_that_are_not_given() {
    let world = World::new();
    for key in ["a", "b"] {
        let op = DataOp { op_ref: None, value: Some(Json::null()), ..data_op(world.set(key, "1")) };
        let request = WriteRequest { op, conditions: Conditions::default() };
        world.service.write(DB, &ada(), request).unwrap();
    }
    let refs: Vec<Ref> = world.pull(1, None).0.iter().map(|entry| entry.op_ref).collect();
    assert!(refs.len() == 2 && refs[0] != refs[1]);
    assert!(refs.iter().all(|made| made.is_v7() && made.unix_ms() == 1_790_000_000_000));
}

#[test]
fn a_batch_that_was_done_before_its_collection_had_an_approver_is_told_so() {
    let mut office = Office::lenient();
    office.restart(|options| options.approval = None);
    let ops = [office.world.set("a", "1"), office.world.set("b", "1")];
    let commit = |world: &World, ops: &[Op]| {
        let request = BatchRequest { ops: ops.iter().cloned().map(data_op).collect() };
        let done = world.service.batch(DB, &ada(), request);
        done.map(|done| done.results.iter().map(|written| written.rev).collect::<Vec<_>>())
    };
    assert_eq!(commit(&office.world, &ops).unwrap(), [1, 2]);
    office.restart(|_| {});
    assert_eq!(commit(&office.world, &ops).unwrap(), [1, 2]);
    let new = office.world.set("c", "1");
    let [known, _] = ops;
    assert_eq!(commit(&office.world, &[known, new.clone()]).unwrap_err().problem().code, "ref_reused");
    assert_eq!(commit(&office.world, &[new]).unwrap_err().problem().code, "policy");
}

#[test]
fn a_replicas_op_that_is_not_decided_stays_the_replicas() {
    let office = Office::new(|_| Ok(Default::default()));
    let world = &office.world;
    let staged = batch(of("open", world.set("s", "1")), 7, 2);
    let queued = world.set("q", "1");
    assert_eq!(office.push(&[staged.clone(), queued.clone()]), ["staged", "queued"]);
    for op in [&staged, &queued] {
        assert_eq!(code(write(world, &ada(), op.clone())), "ref_reused");
        let ops = vec![data_op(op.clone())];
        let refused = world.service.batch(DB, &ada(), BatchRequest { ops }).unwrap_err();
        assert_eq!(refused.problem().code, "ref_reused");
    }
    // What the replica sends of the batch meets what it has sent, and what was rejected is told to it.
    let rest = batch(of("open", world.set("t", "1")), 7, 2);
    assert_eq!(office.push(&[rest])[0].split(' ').next(), Some("accepted"));
    office.answer_each(|asked| OpAnswer::rejected(asked.op.op_ref, "no"));
    assert_eq!(office.approve_later(), 1);
    assert!(office.told().iter().any(|told| told.ends_with("rejected policy")), "{:?}", office.told());
}
