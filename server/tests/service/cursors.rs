//! When a cursor is no longer one of this log (sections 1 and 4).

use crate::world::*;
use syncstore::protocol::Cursor;
use syncstore::wire::Expiry;
use syncstore_server::service::{InboxRequest, ServiceError, Tags};

fn expiry<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> Expiry {
    match result.unwrap_err() {
        ServiceError::CursorExpired(expiry) => expiry,
        other => panic!("{other}"),
    }
}

#[test]
fn a_pruned_log_expires_the_cursors_behind_it_and_no_other() {
    let world = World::with(|options| options.retention.log_entries = 3);
    let start = world.head(9);
    let mut cursors = Vec::new();
    for i in 0..6 {
        world.accept(1, world.set(&format!("k{i}"), "1"));
        cursors.push(world.head(9));
    }
    world.service.prune(DB).unwrap();
    // Entries 4, 5 and 6 are left: cursors at 3 and above can go on.
    for old in [&start, &cursors[0], &cursors[1]] {
        let error = world.page(2, Some(old.clone()), 10).unwrap_err();
        assert_eq!((error.problem().status, error.problem().reason.as_deref()), (410, Some("pruned")));
        assert!(world.push_at(2, Some(old.clone()), &[]).is_ok(), "a push does not mind");
    }
    for (index, cursor) in cursors.iter().enumerate().skip(2) {
        assert_eq!(world.pull(2, Some(cursor.clone())).0.len(), 5 - index);
    }
    assert_eq!(expiry(world.page(2, None, 10)), Expiry::Pruned);
}

#[test]
fn a_cursor_of_other_tags_expires_as_filter() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    let cursor = world.head(1);
    let mut caller = ada();
    caller.tags = Tags::Only(vec!["team:7".into()]);
    let request =
        InboxRequest { client: id(1), cursor: Some(cursor), limit: 1, own_payloads: false, scope: Default::default() };
    assert_eq!(expiry(world.service.inbox(DB, &caller, &request)), Expiry::Filter);
}

#[test]
fn garbage_is_an_expired_cursor() {
    let world = World::new();
    assert_eq!(expiry(world.page(1, Some(Cursor::new("garbage")), 1)), Expiry::Pruned);
}

/// Puts back the file as it was after the first `keep` ops, and lets another client go on from there.
fn put_back(world: &mut World, first: usize, then: usize) -> Cursor {
    for i in 0..first {
        world.accept(1, world.set(&format!("k{i}"), "1"));
    }
    world.reopen(|_| {});
    let file = world.dir.path().join("db-notes.sqlite");
    let copy = world.dir.path().join("backup");
    std::fs::copy(&file, &copy).unwrap();
    for i in 0..then {
        world.accept(1, world.set(&format!("late{i}"), "1"));
    }
    let cursor = world.head(1);
    world.service.shutdown();
    std::fs::rename(&copy, &file).unwrap();
    cursor
}

#[test]
fn a_log_put_back_is_rewound_for_a_cursor_beyond_its_head() {
    let mut world = World::new();
    let cursor = put_back(&mut world, 2, 2);
    world.reopen(|_| {});
    assert_eq!(expiry(world.page(1, Some(cursor.clone()), 10)), Expiry::Rewound { restored: None });
    let op = world.set("x", "1");
    assert_eq!(expiry(world.push_at(1, Some(cursor), &[op])), Expiry::Rewound { restored: None });
    assert_eq!(world.items().len(), 2, "nothing of it was taken");
}

#[test]
fn a_log_put_back_and_gone_on_is_rewound_for_a_cursor_at_another_entry() {
    let mut world = World::new();
    let cursor = put_back(&mut world, 2, 1);
    world.reopen(|_| {});
    world.accept(2, world.set("other", "1"));
    world.accept(2, world.set("other", "2"));
    assert_eq!(expiry(world.page(1, Some(cursor.clone()), 10)), Expiry::Rewound { restored: None });
    assert_eq!(expiry(world.push_at(1, Some(cursor), &[])), Expiry::Rewound { restored: None });
}

#[test]
fn a_new_epoch_tells_where_the_log_was_restored_and_its_seqs_are_above_all() {
    let mut world = World::new();
    let shared = {
        world.accept(1, world.set("a", "1"));
        world.head(1)
    };
    let cursor = put_back(&mut world, 2, 5);
    world.reopen(|options| options.new_epoch = true);
    for old in [shared, cursor] {
        let error = world.page(1, Some(old.clone()), 10).unwrap_err();
        assert_eq!(error.problem().restored_seq, Some(3));
        assert_eq!(expiry(world.push_at(1, Some(old), &[])), Expiry::Rewound { restored: Some(3) });
    }
    let fresh = world.head(2);
    let seq = world.accept(2, world.set("x", "1"));
    assert!(seq > 1 << 36);
    assert_eq!(world.pull(2, Some(fresh)).0[0].seq, seq);
    let before = world.service.info(DB, &ada()).unwrap().epoch;
    world.reopen(|_| {});
    assert_eq!(world.service.info(DB, &ada()).unwrap().epoch, before, "one epoch only");
    assert_eq!(world.accept(2, world.set("x", "2")), seq + 1);
}

#[test]
fn an_epoch_that_the_backup_does_not_know_is_rewound_to_the_restored_head() {
    let mut world = World::new();
    world.accept(1, world.set("a", "1"));
    world.reopen(|_| {});
    let file = world.dir.path().join("db-notes.sqlite");
    let copy = world.dir.path().join("backup");
    std::fs::copy(&file, &copy).unwrap();
    world.reopen(|options| options.new_epoch = true);
    let unknown = world.head(1);
    world.service.shutdown();
    std::fs::rename(&copy, &file).unwrap();
    world.reopen(|options| options.new_epoch = true);
    assert_eq!(expiry(world.page(1, Some(unknown), 10)), Expiry::Rewound { restored: Some(1) });
}
