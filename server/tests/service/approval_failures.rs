//! An approver that cannot take everything: what fails holds nobody else up, and no request is larger than it may be.

use crate::office::Office;
use parking_lot::Mutex;
use std::sync::Arc;
use syncstore::protocol::Op;
use syncstore_server::approver::{ApprovalResponse, ApproverError, OpAnswer};

fn down() -> Result<ApprovalResponse, ApproverError> {
    Err(ApproverError("it is down".into()))
}

/// Fails on each request that asks about one of these keys, and accepts what others ask about.
fn failing_on(keys: &'static [&'static str]) -> Office {
    Office::new(|request| {
        if request.ops.iter().any(|asked| keys.contains(&asked.op.key.as_str())) {
            return down();
        }
        Ok(request.ops.iter().map(|asked| OpAnswer::accepted(asked.op.op_ref)).collect())
    })
}

#[test]
fn an_op_that_the_approver_cannot_take_holds_nobody_else_up() {
    for place in [0, 1, 20, 49] {
        let office = failing_on(&["bad"]);
        let world = &office.world;
        let ops: Vec<Op> = (0..50)
            .map(|n| if n == place { world.set("bad", "1") } else { world.set(&format!("k{n}"), "1") })
            .collect();
        office.push(&ops);
        let mut decided = 0;
        for _ in 0..40 {
            decided += office.approve_later();
        }
        assert_eq!((decided, world.items().len()), (49, 49), "{place}");
        // From then on it is asked about alone, and takes nobody with it.
        let before = office.requests().len();
        let more: Vec<Op> = (0..10).map(|n| world.set(&format!("more{n}"), "1")).collect();
        office.push(&more);
        for _ in 0..40 {
            decided += office.approve_later();
        }
        assert_eq!(decided, 59, "{place}");
        let bad = ops[place].op_ref;
        let later = office.requests().split_off(before);
        assert!(later.iter().all(|refs| !refs.contains(&bad) || refs[..] == [bad]), "{place}: {later:?}");
        assert!(later.iter().any(|refs| refs.contains(&bad)), "{place}: it is asked about again");
        office.answer_each(|asked| OpAnswer::accepted(asked.op.op_ref));
        office.approve_later();
        assert_eq!(world.items().len(), 60, "{place}");
    }
}

#[test]
fn many_ops_that_the_approver_cannot_take_take_turns_with_the_others() {
    let office = failing_on(&["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", "b9"]);
    let world = &office.world;
    office.push(&(0..10).map(|n| world.set(&format!("b{n}"), "1")).collect::<Vec<Op>>());
    // Each is found and asked about alone.
    for _ in 0..40 {
        assert_eq!(office.approve_later(), 0);
    }
    for n in 0..10 {
        office.push(&[world.set(&format!("k{n}"), "1")]);
        let decided: usize = (0..2).map(|_| office.approve_later()).sum();
        assert_eq!(decided, 1, "{n}");
    }
}

#[test]
fn an_approver_that_takes_few_ops_at_a_time_is_given_few() {
    let office = Office::new(|request| match request.ops.len() {
        0..=12 => Ok(request.ops.iter().map(|asked| OpAnswer::accepted(asked.op.op_ref)).collect()),
        _ => down(),
    });
    let world = &office.world;
    let ops: Vec<Op> = (0..200).map(|n| world.set(&format!("k{n}"), "1")).collect();
    office.push(&ops);
    for _ in 0..40 {
        office.approve_later();
    }
    assert_eq!(world.items().len(), 200);
    let sizes: Vec<usize> = office.requests().iter().map(Vec::len).collect();
    let failed = sizes.iter().filter(|size| **size > 12).count();
    assert!(sizes[0] == 100 && failed * 4 < sizes.len(), "{sizes:?}");
}

#[test]
fn a_request_is_no_larger_than_it_says_whatever_its_items_are_made_of() {
    let mut office = Office::lenient();
    office.restart(|options| options.approval = None);
    // Hardly a value, and index entries that six times as many bytes tell.
    let name = "\u{1}".repeat(120);
    for n in 0..20 {
        let key = format!("k{n}");
        let entries = (0..200).map(|n| office.world.index(&key, &format!("{name}{n}"), &name));
        let ops: Vec<Op> = [office.world.set(&key, "1")].into_iter().chain(entries).collect();
        assert!(office.push(&ops).iter().all(|word| word.starts_with("accepted")));
    }
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = sizes.clone();
    office.rescript(move |request| {
        seen.lock().push((request.ops.len(), serde_json::to_vec(request).unwrap().len()));
        Ok(request.ops.iter().map(|asked| OpAnswer::accepted(asked.op.op_ref)).collect())
    });
    office.restart(|_| {});
    let ops: Vec<Op> = (0..20).map(|n| office.world.patch(&format!("k{n}"), "[]")).collect();
    office.push(&ops);
    office.approve_all();
    let sizes = sizes.lock().clone();
    assert_eq!((sizes.iter().map(|(ops, _)| ops).sum::<usize>(), sizes.len()), (20, 2), "{sizes:?}");
    assert!(sizes.iter().all(|(_, bytes)| *bytes <= 4 << 20), "{sizes:?}");
}
