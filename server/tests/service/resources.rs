//! Index entries and relations of items (section 2), line by line of the table.

use crate::world::*;
use syncstore::protocol::{Json, Op, OpKind, PushOutcome};
use syncstore_server::service::{InboxRequest, Policy, ServiceOptions};

fn strict(options: &mut ServiceOptions) {
    options.policies.insert("c".into(), Policy::RejectStale);
}

fn merging(options: &mut ServiceOptions) {
    options.policies.insert("c".into(), Policy::Merge);
}

#[test]
fn index_entries_and_relations_are_set_replaced_and_deleted() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    world.accept(1, world.index("a", "by_date", "2026"));
    world.accept(2, world.index("a", "by_name", "x"));
    world.accept(2, world.relate("a", "r1", "in", "folder"));
    assert_eq!(world.resources(), ["a: by_date=2026 by_name=x r1>in:folder"]);
    world.accept(1, world.index("a", "by_date", "2027"));
    world.accept(1, world.relate("a", "r1", "near", "nowhere"));
    world.accept(1, world.unindex("a", "by_name"));
    assert_eq!(world.resources(), ["a: by_date=2027 r1>near:nowhere"]);
    world.accept(1, world.unrelate("a", "r1"));
    assert_eq!(world.resources(), ["a: by_date=2027"]);
    assert_eq!(world.items(), ["a=1"]);
}

#[test]
fn the_log_has_them_with_the_items_rev_before_and_after() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    world.accept(1, world.index("a", "by", "x"));
    world.accept(1, world.relate("a", "r", "in", "f"));
    world.accept(1, world.unindex("a", "by"));
    world.accept(1, world.unrelate("a", "r"));
    world.accept(1, world.set("a", "2"));
    let entries = world.pull(2, None).0;
    let revs: Vec<_> = entries.iter().map(|entry| (entry.from.unwrap(), entry.rev.unwrap())).collect();
    assert_eq!(revs, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)]);
    let (index, relation) = (&entries[1], &entries[2]);
    assert_eq!(
        (index.kind, index.index.as_deref(), index.order.as_deref()),
        (Some(OpKind::Set), Some("by"), Some("x"))
    );
    assert_eq!((relation.relation.as_deref(), relation.predicate.as_deref()), (Some("r"), Some("in")));
    assert_eq!(relation.object.as_ref().unwrap().key, "f");
    assert_eq!((entries[3].kind, entries[3].index.as_deref()), (Some(OpKind::Delete), Some("by")));
    assert_eq!((entries[4].kind, entries[4].relation.as_deref()), (Some(OpKind::Delete), Some("r")));
    assert!(entries.iter().all(|entry| entry.change().is_ok()));
}

#[test]
fn own_ones_are_as_sent_and_named_unless_their_payload_is_asked_for() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    world.accept(1, world.index("a", "by", "x"));
    world.accept(1, world.relate("a", "r", "in", "f"));
    let own = world.pull(1, None).0;
    assert!(own[1].as_sent && own[1].index.as_deref() == Some("by") && own[1].order.is_none());
    assert!(own[2].as_sent && own[2].relation.as_deref() == Some("r") && own[2].predicate.is_none());
    let request =
        InboxRequest { client: id(1), cursor: None, limit: 10, own_payloads: true, scope: Default::default() };
    let full = world.service.inbox(DB, &ada(), &request).unwrap().entries;
    assert!(!full[1].as_sent && full[1].order.is_some() && full[2].object.is_some());
}

#[test]
fn a_set_on_a_missing_item_is_not_found() {
    let world = World::new();
    for op in [world.index("a", "by", "x"), world.relate("a", "r", "in", "f")] {
        assert!(words(&world.push(1, &[op]))[0].ends_with("not_found"));
    }
    let file = rusqlite::Connection::open(world.dir.path().join(format!("db-{DB}.sqlite"))).unwrap();
    let count = file.query_row("SELECT count(*) FROM collections", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count, 0, "no collection was made for them");
}

#[test]
fn a_delete_of_something_missing_changes_nothing_and_is_told_to_its_sender_only() {
    let world = World::with(strict);
    world.accept(1, world.unindex("missing", "by"));
    world.accept(1, world.unrelate("missing", "r"));
    world.accept(2, based(world.set("a", "1"), 0));
    // Whatever the policy and the base.
    world.accept(1, based(world.unindex("a", "by"), 0));
    world.accept(1, world.unrelate("a", "r"));
    let others = world.pull(2, None).0;
    assert_eq!(others.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3]);
    let own = world.pull(1, None).0;
    let revs: Vec<_> = own.iter().map(|entry| (entry.seq, entry.from.unwrap(), entry.rev.unwrap())).collect();
    assert_eq!(revs, [(1, 0, 0), (2, 0, 0), (3, 0, 3), (4, 3, 3), (5, 3, 3)]);
    assert_eq!(world.checkpoint(1, None, 10).unwrap().items[0].rev, 3);
}

#[test]
fn the_delete_of_an_item_takes_them_along() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    world.accept(1, world.index("a", "by", "x"));
    world.accept(1, world.relate("a", "r", "in", "f"));
    world.accept(1, world.tag("a", "t"));
    world.accept(1, world.delete("a"));
    world.accept(1, world.set("a", "2"));
    assert_eq!(world.resources(), ["a:"]);
    let file = rusqlite::Connection::open(world.dir.path().join(format!("db-{DB}.sqlite"))).unwrap();
    for table in ["index_entries", "relations", "tags"] {
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        assert_eq!(file.query_row(&format!("SELECT count(*) FROM {table}"), [], count).unwrap(), 0, "{table}");
    }
}

#[test]
fn a_patch_of_one_and_a_payload_that_does_not_fit_are_invalid() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    let cases: [fn(&mut Op); 6] = [
        |op| (op.kind, op.order, op.patch) = (OpKind::Patch, None, Some(Json::parse("[]").unwrap())),
        |op| op.order = None,
        |op| op.kind = OpKind::Delete,
        |op| op.value = Some(Json::null()),
        |op| op.relation = Some("r".into()),
        |op| op.predicate = Some("in".into()),
    ];
    for (number, change) in cases.into_iter().enumerate() {
        let mut op = world.index("a", "by", "x");
        change(&mut op);
        assert!(words(&world.push(1, &[op]))[0].ends_with("invalid"), "case {number}");
    }
    assert_eq!(world.resources(), ["a:"]);
}

#[test]
fn each_name_at_its_limit_and_one_past() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    let op = |part: usize, text: String| {
        let mut op = if part < 2 { world.index("a", "by", "x") } else { world.relate("a", "r", "in", "f") };
        let object = |op: &mut Op, change: fn(&mut syncstore::protocol::Object, String), text| {
            change(op.object.as_mut().unwrap(), text);
        };
        match part {
            0 => op.index = Some(text),
            1 => op.order = Some(text),
            2 => op.relation = Some(text),
            3 => op.predicate = Some(text),
            4 => object(&mut op, |object, text| object.collection = text, text),
            _ => object(&mut op, |object, text| object.key = text, text),
        }
        op
    };
    for part in 0..6 {
        for (bytes, expected) in [(0, "invalid"), (1, "accepted"), (128, "accepted"), (129, "too_large")] {
            let words = words(&world.push(1, &[op(part, "x".repeat(bytes))]));
            assert!(words[0].contains(expected), "part {part}, {bytes} bytes: {words:?}");
        }
    }
}

#[test]
fn an_item_has_at_most_a_thousand_of_them() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    let ops: Vec<_> = (0..999).map(|i| world.index("a", &format!("by{i}"), "x")).collect();
    assert!(world.push(1, &ops).iter().all(|result| result.outcome == PushOutcome::Accepted));
    world.accept(1, world.relate("a", "r", "in", "f"));
    for op in [world.index("a", "more", "x"), world.relate("a", "more", "in", "f")] {
        assert!(words(&world.push(1, &[op]))[0].ends_with("too_large"));
    }
    world.accept(1, world.index("a", "by0", "replaced"));
    world.accept(1, world.unindex("a", "by0"));
    world.accept(1, world.index("a", "more", "x"));
}

#[test]
fn a_repeated_one_is_known_by_its_resource_and_payload() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    for op in [world.index("a", "by", "x"), world.relate("a", "r", "in", "f")] {
        let seq = world.accept(1, op.clone());
        assert_eq!(words(&world.push(1, &[based(op.clone(), 7)])), [format!("accepted {seq}")]);
        let changes: [fn(&mut Op); 8] = [
            |op| op.index = op.index.is_some().then(|| "other".into()),
            |op| op.order = op.order.is_some().then(|| "other".into()),
            |op| op.relation = op.relation.is_some().then(|| "other".into()),
            |op| op.predicate = op.predicate.is_some().then(|| "other".into()),
            |op| op.object.iter_mut().for_each(|object| object.key = "other".into()),
            |op| op.object.iter_mut().for_each(|object| object.collection = "other".into()),
            |op| (op.kind, op.order, op.predicate, op.object) = (OpKind::Delete, None, None, None),
            |op| op.key = "other".into(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut other = op.clone();
            change(&mut other);
            if serde_json::to_string(&other).unwrap() != serde_json::to_string(&op).unwrap() {
                assert_eq!(words(&world.push(1, &[other])), ["rejected - ref_reused"], "change {number}");
            }
        }
    }
    assert_eq!(world.resources(), ["a: by=x r>in:f"]);
}

#[test]
fn a_batch_carries_them_and_fails_with_them() {
    let world = World::new();
    let ops = [
        batch(world.set("a", "1"), 1, 4),
        batch(world.index("a", "by", "x"), 1, 4),
        batch(world.relate("a", "r", "in", "f"), 1, 4),
        batch(world.unindex("a", "by"), 1, 4),
    ];
    assert_eq!(words(&world.push(1, &ops[..2])), ["staged", "staged"]);
    assert_eq!(words(&world.push(1, &ops)), ["accepted 1", "accepted 2", "accepted 3", "accepted 4"]);
    assert_eq!(world.resources(), ["a: r>in:f"]);
    let ops = [batch(world.index("a", "by", "x"), 2, 2), batch(world.index("missing", "by", "x"), 2, 2)];
    assert_eq!(words(&world.push(1, &ops)), ["rejected 5 batch_failed", "rejected 6 not_found"]);
    assert_eq!(world.resources(), ["a: r>in:f"]);
}

#[test]
fn reject_stale_judges_them_by_the_items_base() {
    let world = World::with(strict);
    let base = world.accept(1, based(world.set("a", "1"), 0));
    let other = world.accept(2, based(world.index("a", "by", "x"), base));
    for op in [based(world.relate("a", "r", "in", "f"), base), world.index("a", "other", "x")] {
        let results = world.push(1, &[op]);
        assert!(words(&results)[0].ends_with("stale"));
        assert_eq!(results[0].detail, Some(Json::parse(&format!(r#"{{"rev":{other}}}"#)).unwrap()));
    }
    assert!(words(&world.push(1, &[based(world.set("a", "2"), base)]))[0].ends_with("stale"));
    world.accept(1, based(world.relate("a", "r", "in", "f"), other));
    // Its own do not count against a client.
    world.accept(1, based(world.index("a", "other", "x"), other));
    assert_eq!(world.resources(), ["a: by=x other=x r>in:f"]);
}

#[test]
fn in_a_merge_what_another_touched_stays_and_the_rest_is_taken() {
    let world = World::with(merging);
    world.accept(1, world.set("a", r#"{"x":1}"#));
    world.accept(1, world.index("a", "gone", "1"));
    let base = world.accept(1, world.index("a", "by", "1"));
    world.accept(2, based(world.index("a", "by", "2"), base));
    world.accept(2, based(world.relate("a", "r", "in", "f"), base));
    let rev = world.accept(2, based(world.unindex("a", "gone"), base));
    let mine = [
        based(world.index("a", "by", "3"), base),
        based(world.unrelate("a", "r"), base),
        based(world.index("a", "gone", "3"), base),
    ];
    for op in mine {
        world.accept(1, op);
    }
    assert_eq!(world.resources(), [r"a: by=2 r>in:f"]);
    // The sender is told what stands, and that nothing has changed; nobody else is told anything.
    let own = world.pull(1, None).0.split_off(6);
    assert!(own.iter().all(|entry| (entry.from, entry.rev, entry.as_sent) == (Some(rev), Some(rev), false)));
    assert_eq!((own[0].kind, own[0].order.as_deref()), (Some(OpKind::Set), Some("2")));
    assert_eq!((own[1].kind, own[1].predicate.as_deref()), (Some(OpKind::Set), Some("in")));
    assert_eq!((own[2].kind, own[2].index.as_deref()), (Some(OpKind::Delete), Some("gone")));
    assert_eq!(world.pull(2, None).0.len(), 6);
    // What nobody else touched is taken, its own earlier op on it notwithstanding, and the value too.
    world.accept(1, based(world.index("a", "new", "2"), base));
    world.accept(1, based(world.index("a", "new", "3"), base));
    world.accept(1, based(world.patch("a", r#"[{"op":"replace","path":"/x","value":2}]"#), base));
    assert_eq!(world.resources(), [r"a: by=2 new=3 r>in:f"]);
    assert_eq!(world.items(), [r#"a={"x":2}"#]);
}

#[test]
fn a_merge_beyond_the_log_keeps_the_servers_entry() {
    let world = World::with(|options| {
        merging(options);
        options.retention.log_entries = 1;
    });
    let base = world.accept(1, world.set("a", "1"));
    world.accept(2, based(world.index("a", "other", "1"), base));
    world.accept(2, based(world.index("a", "another", "1"), base));
    world.service.prune(DB).unwrap();
    world.accept(1, based(world.index("a", "by", "1"), base));
    assert_eq!(world.resources(), ["a: another=1 other=1"]);
}

#[test]
fn in_a_merge_the_delete_of_the_item_wins_over_them() {
    let world = World::with(merging);
    let base = world.accept(1, world.set("a", "1"));
    world.accept(2, based(world.index("a", "by", "1"), base));
    world.accept(1, based(world.delete("a"), base));
    assert!(words(&world.push(2, &[based(world.index("a", "by", "2"), base + 1)]))[0].ends_with("not_found"));
    world.accept(2, based(world.unindex("a", "by"), base + 1));
    assert!(world.items().is_empty());
}

#[test]
fn a_checkpoint_page_is_bounded_by_their_bytes_too() {
    let world = World::new();
    let long = "x".repeat(128);
    for item in 0..40 {
        let key = format!("k{item:02}");
        world.accept(1, world.set(&key, "1"));
        let ops: Vec<_> = (0..500).map(|i| world.index(&key, &format!("{i:03}{}", &long[3..]), &long)).collect();
        world.push(1, &ops);
    }
    let page = world.checkpoint(2, None, 1_000).unwrap();
    assert!(page.next.is_some() && page.items.len() == 33, "{}", page.items.len());
}
