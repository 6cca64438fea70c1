//! Users of one database who mean each other, or the server, no good.

use crate::world::*;
use syncstore::protocol::{Cursor, PushOutcome, PushRequest};
use syncstore_server::service::{CheckpointRequest, InboxRequest, ServiceError};

fn forbidden<T: std::fmt::Debug>(answer: Result<T, ServiceError>) {
    assert!(matches!(answer, Err(ServiceError::Forbidden(_))), "{answer:?}");
}

/// Rows of a table of the database's file.
fn rows(world: &World, table: &str) -> u64 {
    let file = rusqlite::Connection::open(world.dir.path().join(format!("db-{DB}.sqlite"))).unwrap();
    file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap() as u64
}

#[test]
fn anothers_client_id_page_and_refs_tell_nothing() {
    let world = World::new();
    for i in 0..5 {
        world.accept(1, world.set(&format!("k{i}"), "\"secret\""));
    }
    let refused = world.patch("missing", "[]");
    world.push(1, std::slice::from_ref(&refused));
    let pages = world.checkpoint(1, None, 2).unwrap();
    let bob = user("bob");
    // As the owner's client: nothing at all.
    let inbox = InboxRequest { client: id(1), cursor: None, limit: 10, own_payloads: true, scope: Default::default() };
    forbidden(world.service.inbox(DB, &bob, &inbox));
    forbidden(world.service.checkpoint(
        DB,
        &bob,
        &CheckpointRequest { client: id(1), page: None, limit: 2, scope: Default::default() },
    ));
    let page = pages.next.clone();
    forbidden(world.service.checkpoint(
        DB,
        &bob,
        &CheckpointRequest { client: id(1), page: page.clone(), limit: 2, scope: Default::default() },
    ));
    forbidden(world.service.push(DB, &bob, PushRequest { client: id(1), cursor: None, ops: Vec::new() }));
    // As a client of his own with the owner's page.
    let stolen = world.service.checkpoint(
        DB,
        &bob,
        &CheckpointRequest { client: id(9), page, limit: 2, scope: Default::default() },
    );
    assert!(matches!(stolen, Err(ServiceError::CheckpointExpired)), "{stolen:?}");
    // The owner's ref: neither its outcome nor the reason of its rejection.
    let request = PushRequest { client: id(9), cursor: None, ops: vec![refused] };
    let results = world.service.push(DB, &bob, request).unwrap().results;
    assert_eq!(words(&results), ["rejected - ref_reused"]);
    assert_eq!(results[0].detail, None);
    // The log tells him of no rejection but his own.
    let inbox = InboxRequest {
        client: id(9),
        cursor: Some(pages.cursor),
        limit: 10,
        own_payloads: true,
        scope: Default::default(),
    };
    assert_eq!(world.service.inbox(DB, &bob, &inbox).unwrap().entries.len(), 0);
}

#[test]
fn anothers_incomplete_batch_is_out_of_reach() {
    let world = World::new();
    let (first, second) = (batch(world.set("a", "1"), 7, 2), batch(world.set("b", "1"), 7, 2));
    assert_eq!(words(&world.push(1, std::slice::from_ref(&first))), ["staged"]);
    let bob = user("bob");
    let other = batch(world.set("c", "1"), 7, 2);
    let request = PushRequest { client: id(9), cursor: None, ops: vec![other, first] };
    let results = world.service.push(DB, &bob, request).unwrap().results;
    assert!(results.iter().all(|result| result.outcome != PushOutcome::Accepted), "{results:?}");
    // His own op took the first seq, rejected with the batch of which it was; the owner's took the next two.
    assert_eq!(words(&world.push(1, &[second])), ["accepted 3"], "the batch is as its owner left it");
}

#[test]
fn what_thousands_of_clients_leave_behind_goes_with_its_retention() {
    let world = World::with(|options| options.retention.log_entries = 10);
    world.accept(1, world.set("kept", "1"));
    for n in 0..300 {
        // Each with a client id, a checkpoint and an incomplete batch of its own, and some that only read.
        world.push(1_000 + n, &[batch(world.set("staged", "1"), n, 2)]);
        world.checkpoint(1_000 + n, None, 1).unwrap();
        world.page(9_000 + n, None, 1).unwrap();
    }
    assert!(rows(&world, "clients") >= 300 && rows(&world, "checkpoints") >= 300 && rows(&world, "staged") == 300);
    for _ in 0..8 {
        world.pass(91 * DAY);
        world.service.prune(DB).unwrap();
        // Who is still there stays.
        let head = world.head_or_new(1);
        world.pull(1, Some(head));
    }
    let left: Vec<u64> = ["clients", "checkpoints", "staged", "batches"].map(|table| rows(&world, table)).into();
    assert!(left[0] <= 2 && left[1] <= 1 && left[2..] == [0, 0], "{left:?}");
    assert!(
        rows(&world, "log") <= 11 && rows(&world, "refs") <= 11,
        "{} {}",
        rows(&world, "log"),
        rows(&world, "refs")
    );
    assert_eq!(world.items(), ["kept=1"]);
}

#[test]
fn a_reason_repeats_little_of_what_was_sent() {
    let world = World::new();
    world.accept(1, world.set("k", "{}"));
    let long = "x".repeat(500_000);
    let ops = [
        world.patch("k", &format!(r#"[{{"op":"remove","path":"/{long}"}}]"#)),
        world.patch("k2", &format!(r#"[{{"op":"remove","path":"/{long}"}}]"#)),
        world.patch("k", &format!(r#"[{{"op":"{long}","path":""}}]"#)),
    ];
    for op in ops {
        let results = world.push(1, &[op]);
        let told = serde_json::to_string(&results).unwrap();
        assert_eq!(results[0].outcome, PushOutcome::Rejected);
        assert!(told.len() < 2_000, "{} bytes", told.len());
    }
}

#[test]
fn a_cursor_made_up_is_a_gone_log() {
    let world = World::new();
    world.accept(1, world.set("k", "1"));
    for text in ["", "A", &"A".repeat(44), &"_".repeat(66), &"x".repeat(1 << 20), "\0"] {
        let answer = world.page(1, Some(Cursor::new(text)), 10);
        assert!(matches!(answer, Err(ServiceError::CursorExpired(_))), "{answer:?}");
    }
}
