//! What one push may ask of the writer.

use crate::office::{Office, of};
use crate::world::*;
use std::sync::Barrier;
use syncstore::protocol::{BatchRequest, DataOp, Json, Op, OpKind};
use syncstore_server::service::{Caller, Policy, ServiceError, Writing};

fn long(letter: &str, bytes: usize) -> String {
    format!(r#"{{"n":0,"text":"{}"}}"#, letter.repeat(bytes))
}

const COUNT: &str = r#"[{"op":"replace","path":"/n","value":1}]"#;
const FAILS: &str = r#"[{"op":"test","path":"/n","value":7}]"#;

fn accepted(words: &[String]) -> usize {
    words.iter().filter(|word| word.starts_with("accepted")).count()
}

#[test]
fn small_patches_of_a_large_value_take_many_pushes() {
    let world = World::with(|options| options.push_work = 100_000);
    world.accept(1, world.set("a", &long("x", 20_000)));
    let ops: Vec<_> = (0..10).map(|_| world.patch("a", COUNT)).collect();
    // Each takes the value twice.
    let mut pushes = 0;
    loop {
        pushes += 1;
        let words = words(&world.push(1, &ops));
        let done = (3 * pushes).min(10);
        assert_eq!(accepted(&words), done, "push {pushes}: {words:?}");
        assert!(words[done..].iter().all(|word| word == "skipped"), "push {pushes}: {words:?}");
        if done == 10 {
            break;
        }
    }
    assert_eq!((pushes, world.pull(1, None).0.len()), (4, 11));
}

#[test]
fn patches_that_fail_and_tags_that_are_added_take_the_item_too() {
    let world = World::with(|options| options.push_work = 100_000);
    let keys: Vec<_> = (0..5).map(|i| i.to_string()).collect();
    for key in &keys {
        world.accept(1, world.set(key, &long("x", 40_000)));
    }
    let ops: Vec<_> = keys.iter().map(|key| world.patch(key, FAILS)).collect();
    let failed = |seq| format!("rejected {seq} patch_failed");
    assert_eq!(words(&world.push(1, &ops)), [&failed(6), &failed(7), &failed(8), "skipped", "skipped"]);
    let ops: Vec<_> = keys.iter().map(|key| world.tag(key, "t")).collect();
    assert_eq!(accepted(&words(&world.push(1, &ops))), 2, "it is read, and written into the log");
}

/// Takes an element off the front of the array `/l` and puts one there, so many times.
fn turns(times: usize) -> String {
    vec![r#"{"op":"remove","path":"/l/0"},{"op":"add","path":"/l/0","value":0}"#; times].join(",")
}

fn zeros(count: usize) -> String {
    vec!["0"; count].join(",")
}

#[test]
fn patches_that_move_many_elements_take_many_pushes_whether_they_apply_or_not() {
    let world = World::with(|options| options.push_work = 100_000);
    world.accept(1, world.set("a", &format!(r#"{{"l":[{}]}}"#, zeros(1_000))));
    // Each moves 20,000 elements, and takes a value of 2 KB twice.
    let turn = || world.patch("a", &format!("[{}]", turns(10)));
    let told = words(&world.push(1, &[turn(), turn(), turn(), turn()]));
    assert_eq!(told, ["accepted 2", "accepted 3", "skipped", "skipped"]);
    for key in ["b", "c", "d"] {
        world.accept(1, world.set(key, &format!(r#"{{"l":[{}]}}"#, zeros(1_000))));
    }
    let fails = |key| world.patch(key, &format!(r#"[{},{{"op":"test","path":"/l/0","value":7}}]"#, turns(10)));
    let told = words(&world.push(1, &[fails("a"), fails("b"), fails("c"), fails("d")]));
    assert_eq!(told, ["rejected 7 patch_failed", "rejected 8 patch_failed", "skipped", "skipped"]);
    let ops: Vec<_> = (0..30).map(|_| batch(turn(), 1, 30)).collect();
    let results = world.push(1, &ops);
    let too_large = |at: &usize| results[*at].code.as_ref().unwrap().as_str() == "too_large";
    assert_eq!((0..30).filter(too_large).collect::<Vec<_>>(), [19]);
}

#[test]
fn a_push_has_one_op_decided_whatever_the_bound() {
    let world = World::with(|options| options.push_work = 0);
    let ops: Vec<_> = (0..3).map(|i| world.set(&i.to_string(), "1")).collect();
    for done in 1..=3 {
        assert_eq!(accepted(&words(&world.push(1, &ops))), done);
    }
}

#[test]
fn a_batch_is_decided_whole_and_begun_in_the_next_push_if_this_one_has_taken_enough() {
    let world = World::with(|options| options.push_work = 100_000);
    world.accept(1, world.set("a", &long("x", 20_000)));
    let ops: Vec<_> = (0..6).map(|_| batch(world.patch("a", COUNT), 1, 6)).collect();
    let later = world.patch("a", COUNT);
    let all: Vec<_> = ops.iter().cloned().chain([later]).collect();
    let told = words(&world.push(1, &all));
    assert_eq!((accepted(&told), told[6].as_str()), (6, "skipped"), "{told:?}");
    assert_eq!(accepted(&words(&world.push(1, &all))), 7);
    // The op that would complete it comes too late in its push, and first in the next.
    let singles = (0..3).map(|_| world.patch("a", COUNT));
    let halves: Vec<_> = (0..2).map(|_| batch(world.patch("a", COUNT), 2, 2)).collect();
    let mut ops = vec![halves[0].clone()];
    ops.extend((0..3).map(|_| world.set("b", &long("y", 40_000))));
    ops.extend(singles);
    ops.push(halves[1].clone());
    let told = words(&world.push(1, &ops));
    assert_eq!((told[0].as_str(), accepted(&told), told[7].as_str()), ("staged", 3, "skipped"), "{told:?}");
    assert_eq!(accepted(&words(&world.push(1, &halves))), 2);
}

#[test]
fn a_batch_that_takes_far_too_much_is_rejected_whole() {
    let world = World::with(|options| options.push_work = 10_000);
    world.accept(1, world.set("a", &long("x", 20_000)));
    let ops: Vec<_> = (0..4).map(|_| batch(world.patch("a", COUNT), 1, 4)).collect();
    let words = words(&world.push(1, &ops));
    assert_eq!(accepted(&words), 4, "{words:?}");
    let ops: Vec<_> = (0..8).map(|_| batch(world.patch("a", COUNT), 2, 8)).collect();
    let results = world.push(1, &ops);
    let codes: Vec<_> = results.iter().map(|result| result.code.as_ref().unwrap().as_str()).collect();
    let mut expected = ["batch_failed"; 8];
    expected[4] = "too_large";
    assert_eq!(codes, expected);
    assert!(world.items()[0].contains(r#""n":1"#));
    // A caller without a replica is told the same.
    let patch = || {
        let mut op = DataOp::new(OpKind::Patch, "c", "a");
        op.patch = world.patch("a", COUNT).patch;
        op
    };
    let request = BatchRequest { ops: (0..8).map(|_| patch()).collect() };
    match world.service.batch(DB, &ada(), request) {
        Err(ServiceError::BatchFailed { failed: 4, rejection }) => assert_eq!(rejection.code.as_str(), "too_large"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_looked_up_for_ops_that_must_wait_is_work_too() {
    // What looking at 40 rows takes, three times and a half.
    let push_work = 140 * 128;
    let part = |world: &World, id: u128, of: u32, key: &str| batch(world.set(key, "1"), id, of);
    let mut world = World::with(|options| options.limits.batch_ops = 40);
    let begun: Vec<_> = (1..=40).map(|id| part(&world, id, 2, &format!("k{id}"))).collect();
    assert_eq!(words(&world.push(1, &begun)), ["staged"; 40]);
    let last = |world: &World, ops: Vec<Op>| words(&world.push(1, &ops)).pop().unwrap();
    let ops = |world: &World, batches: u128| {
        let others = (0..batches).map(|id| part(world, 100 + id, 2, &format!("o{id}")));
        others.chain([of("open", world.set("x", "1"))]).collect::<Vec<_>>()
    };
    assert_eq!(last(&world, ops(&world, 30)), "accepted 1");
    world.reopen(|options| options.push_work = push_work);
    assert_eq!(last(&world, ops(&world, 3)), "accepted 2");
    assert_eq!(last(&world, ops(&world, 4)), "skipped", "four have looked at the begun batches");

    let mut office = Office::new(|_| Ok([].into_iter().collect()));
    office.restart(|options| options.approval.as_mut().unwrap().queue_ops = 1);
    let staged: Vec<_> = (0..40).map(|n| part(&office.world, 1, 41, &format!("s{n}"))).collect();
    assert_eq!(office.push(&staged), ["staged"; 40]);
    assert_eq!(office.push(&[office.world.set("full", "1")]), ["queued"]);
    let ops = |world: &World, count: u32| {
        let completing = (0..count).map(|n| of("open", part(world, 1, 41, &format!("t{n}"))));
        completing.chain([of("open", world.set("x", "1"))]).collect::<Vec<_>>()
    };
    assert_eq!(last(&office.world, ops(&office.world, 30)), "accepted 1");
    office.restart(|options| {
        options.push_work = push_work;
        options.approval.as_mut().unwrap().queue_ops = 1;
    });
    assert_eq!(last(&office.world, ops(&office.world, 3)), "accepted 2");
    assert_eq!(last(&office.world, ops(&office.world, 4)), "skipped", "four have looked at the staged ops");
}

#[test]
fn a_group_ends_when_it_has_taken_enough() {
    let world = World::with(|options| {
        options.writing = Writing::Thread;
        options.push_work = 1;
    });
    let barrier = Barrier::new(40);
    std::thread::scope(|scope| {
        for client in 0..40_u128 {
            let (world, barrier) = (&world, &barrier);
            scope.spawn(move || {
                let op = world.set(&client.to_string(), "1");
                barrier.wait();
                world.accept(client + 1, op);
            });
        }
    });
    let stats = world.service.stats().remove(0);
    assert_eq!((stats.pushes, stats.groups, stats.largest_group, stats.queued), (40, 40, 1, 0));
}

fn approver_commits(office: &Office) -> u64 {
    office.service().stats()[0].approver_commits
}

#[test]
fn verdicts_that_take_much_are_carried_out_in_several_transactions() {
    let mut office = Office::lenient();
    let ops: Vec<_> = (0..6).map(|i| office.world.set(&i.to_string(), &long("x", 30_000))).collect();
    office.push(&ops);
    assert_eq!((office.approve(), approver_commits(&office)), (6, 1));
    office.restart(|options| options.push_work = 100_000);
    let ops: Vec<_> = (0..6).map(|i| office.world.patch(&i.to_string(), COUNT)).collect();
    office.push(&ops);
    // Each takes a value twice.
    assert_eq!((office.approve(), approver_commits(&office), office.requests().len()), (6, 3, 2));
    let patched = |item: &String| item.contains(r#""n":1"#);
    assert_eq!(office.world.items().iter().filter(|item| patched(item)).count(), 6);
}

#[test]
fn what_waited_behind_a_verdict_is_committed_in_several_transactions_too() {
    let mut office = Office::lenient();
    office.push(&[of("open", office.world.set("a", &long("x", 30_000)))]);
    office.restart(|options| options.push_work = 100_000);
    let world = &office.world;
    let pair = [batch(world.set("b", "1"), 1, 2), batch(of("open", world.patch("a", COUNT)), 1, 2)];
    let behind: Vec<_> = (0..6).map(|_| of("open", world.patch("a", COUNT))).collect();
    let all = [pair.to_vec(), behind].concat();
    assert_eq!(office.push(&all), ["queued"; 8]);
    assert_eq!(office.approve(), 3, "the verdict's transaction has one of those behind it");
    assert_eq!(approver_commits(&office), 4);
    let told: Vec<_> = (2..10).map(|seq| format!("accepted {seq}")).collect();
    assert_eq!(office.push(&all), told);
}

// As a process leaves the database that ends right after it has carried out the verdicts on the first unit.
fn end_after_the_first_unit(office: &Office, left: usize) {
    office.service().shutdown();
    let file = rusqlite::Connection::open(office.world.dir.path().join("db-notes.sqlite")).unwrap();
    file.execute_batch(&format!(
        "DELETE FROM queued WHERE unit = 1; DELETE FROM units WHERE id = 1; UPDATE state SET queued = {left}",
    ))
    .unwrap();
}

#[test]
fn what_a_process_left_that_waits_for_nothing_is_committed_by_the_next() {
    let mut office = Office::new(|_| Ok([].into_iter().collect()));
    let world = &office.world;
    let pair = [batch(world.set("b", "1"), 1, 2), batch(of("open", world.set("a", "1")), 1, 2)];
    let behind = of("open", world.set("a", "2"));
    let all = [pair.to_vec(), vec![behind]].concat();
    assert_eq!(office.push(&all), ["queued"; 3]);
    end_after_the_first_unit(&office, 1);
    office.restart(|_| {});
    assert_eq!(office.push(&all[2..]), ["queued"], "it is answered before anything else is done");
    assert_eq!(office.push(&all[2..]), ["accepted 1"]);
    assert_eq!(office.world.items(), ["a=2"]);
}

#[test]
fn what_asks_behind_what_waits_for_nothing_is_not_asked_about_before_that_is_committed() {
    let mut office = Office::lenient();
    let world = &office.world;
    let pair = |key: &str, value: &str, id| {
        [batch(world.set(key, "1"), id, 2), batch(of("open", world.set("a", value)), id, 2)]
    };
    let (first, free, last) = (pair("z", "1", 1), of("open", world.set("a", "2")), pair("y", "3", 2));
    let all = [first.to_vec(), vec![free], last.to_vec()].concat();
    assert_eq!(office.push(&all), ["queued"; 5]);
    end_after_the_first_unit(&office, 3);
    office.restart(|_| {});
    assert_eq!((office.approve(), office.requests().len()), (0, 0), "what is free comes first");
    assert_eq!(office.push(&all[2..3]), ["queued"], "it is answered before anything else is done");
    assert_eq!((office.approve(), office.requests().len()), (2, 1));
    assert_eq!(office.push(&all[2..]), ["accepted 1", "accepted 2", "accepted 3"]);
    assert_eq!(office.world.items(), ["a=3", "y=1"]);
}

#[test]
fn a_history_that_takes_too_much_to_replay_is_not_and_the_servers_value_wins() {
    // Each patch of others takes a value of 1 MiB twice, each tag of theirs nothing.
    for (patches, tags, mine) in [(20, 90, 2), (40, 0, 0)] {
        let world = World::with(|options| {
            options.policies.insert("c".into(), Policy::Merge);
            options.limits.value = 2 << 20;
        });
        let base = world.accept(1, world.set("a", &long("x", 1 << 20).replace('{', r#"{"mine":0,"#)));
        for _ in 0..patches {
            world.accept(2, world.patch("a", COUNT));
        }
        for tag in 0..tags {
            world.accept(2, world.index("a", &tag.to_string(), "o"));
        }
        let mut sent = long("x", 1 << 20).replace('{', r#"{"mine":2,"#);
        sent.insert_str(sent.len() - 1, r#","more":1"#);
        let results = world.push(1, &[based(world.set("a", &sent), base), world.set("b", "1")]);
        let item = world.items().remove(0);
        assert!(item.contains(&format!(r#""mine":{mine}"#)), "{} {:?}", &item[..40], words(&results));
        assert!(item.contains(r#""n":1"#));
    }
}

#[test]
fn what_patches_of_a_history_move_is_too_much_to_replay_too() {
    // Each moves 3.3 million elements, in a value of 32 KB.
    let value = |mine: u32| format!(r#"{{"mine":{mine},"l":[{}]}}"#, zeros(16_384));
    for (patches, mine) in [(2, 2), (6, 0)] {
        let world = World::with(|options| {
            options.policies.insert("c".into(), Policy::Merge);
            options.push_work = 10 << 20;
        });
        let base = world.accept(1, world.set("a", &value(0)));
        for _ in 0..patches {
            world.accept(2, world.patch("a", &format!("[{}]", turns(101))));
        }
        // What is found out is work of the push.
        let told = words(&world.push(1, &[based(world.set("a", &value(2)), base), world.set("b", "1")]));
        assert_eq!(told, [format!("accepted {}", base + patches + 1).as_str(), "skipped"]);
        assert!(world.items().remove(0).contains(&format!(r#""mine":{mine}"#)), "{patches}");
    }
}

fn grants(count: usize) -> Caller {
    Caller { grant: (0..count).map(|n| format!("{n:0>128}")).collect(), ..ada() }
}

#[test]
fn the_tags_of_the_entries_that_a_merge_looks_at_are_work_too() {
    let decided = |tags: usize, op: fn(&World, usize) -> Op| {
        let world = World::with(|options| {
            options.policies.insert("c".into(), Policy::Merge);
            options.push_work = 4 << 20;
        });
        let base = world.accept_as(&grants(tags), 2, world.set("a", "{}"));
        for entry in 0..200 {
            world.accept(2, world.index("a", &format!("theirs{entry}"), "o"));
        }
        let ops: Vec<_> = (0..60).map(|at| based(op(&world, at), base)).collect();
        accepted(&words(&world.push(1, &ops)))
    };
    let index: fn(&World, usize) -> Op = |world, at| world.index("a", &at.to_string(), "o");
    let patch: fn(&World, usize) -> Op = |world, _| world.patch("a", "[]");
    assert_eq!((decided(0, index), decided(100, index)), (60, 1));
    assert_eq!((decided(0, patch), decided(100, patch)), (60, 1));
}

#[test]
fn the_tags_that_each_entry_has_are_work_of_its_op() {
    let world = World::with(|options| options.push_work = 100_000);
    world.accept_as(&grants(100), 1, world.set("a", "{}"));
    let ops: Vec<_> = (0..10).map(|at| world.index("a", &at.to_string(), "o")).collect();
    assert_eq!(accepted(&words(&world.push(1, &ops))), 4);
}

#[test]
fn what_lies_deep_is_merged_like_what_lies_shallow() {
    let world = World::with(|options| {
        options.policies.insert("c".into(), Policy::Merge);
    });
    let value = |theirs: u32, mine: u32| {
        let theirs: Vec<_> = (0..20_000).map(|name| format!(r#""{name}":{theirs}"#)).collect();
        let innermost = format!(r#"{{"mine":{mine},{}}}"#, theirs.join(","));
        (0..120).fold(innermost, |inner, _| format!(r#"{{"n":{inner}}}"#))
    };
    let base = world.accept(1, world.set("a", &value(0, 0)));
    world.accept(2, world.set("a", &value(1, 0)));
    world.accept(1, based(world.set("a", &value(2, 2)), base));
    let item = world.items().remove(0);
    assert!(Json::parse(&item[2..]).unwrap().same_value(&Json::parse(&value(1, 2)).unwrap()));
}
