//! Tags of items: ops on them, what a new item gets, and what a push may do where (sections 1 and 2, ◆4).

use crate::world::*;
use syncstore::protocol::{Json, Op, OpKind};
use syncstore_server::service::{Caller, InboxRequest, Policy, ServiceOptions, Tags};

fn merging(options: &mut ServiceOptions) {
    options.policies.insert("c".into(), Policy::Merge);
}

#[test]
fn tags_are_added_and_removed() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    world.accept(1, world.tag("a", "team:7"));
    world.accept(2, world.tag("a", "team:5"));
    assert_eq!(world.resources(), ["a: #team:5 #team:7"]);
    world.accept(2, world.tag("a", "team:5"));
    world.accept(1, world.untag("a", "team:7"));
    assert_eq!(world.resources(), ["a: #team:5"]);
    let entries = world.pull(3, None).0;
    let seen: Vec<_> = entries.iter().map(|entry| (entry.kind.unwrap(), entry.tag.as_deref())).collect();
    let (set, delete) = (OpKind::Set, OpKind::Delete);
    let expected =
        [(set, None), (set, Some("team:7")), (set, Some("team:5")), (set, Some("team:5")), (delete, Some("team:7"))];
    assert_eq!(seen, expected);
    assert!(entries.iter().all(|entry| entry.change().is_ok() && !entry.full && entry.tags.is_empty()));
    let revs: Vec<_> = entries.iter().map(|entry| (entry.from.unwrap(), entry.rev.unwrap())).collect();
    assert_eq!(revs, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
    assert!(world.pull(1, None).0[1].as_sent);
}

#[test]
fn a_tag_of_a_missing_item_and_a_missing_tag() {
    let world = World::new();
    assert_eq!(words(&world.push(1, &[world.tag("a", "t")])), ["rejected 1 not_found"]);
    world.accept(1, world.untag("a", "t"));
    let rev = world.accept(1, world.set("a", "1"));
    world.accept(1, world.untag("a", "t"));
    assert_eq!(world.checkpoint(1, None, 10).unwrap().items[0].rev, rev);
    assert_eq!(world.pull(2, None).0.len(), 1, "told to its sender only");
}

#[test]
fn the_delete_of_an_item_takes_its_tags_along() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    world.accept(1, world.tag("a", "t"));
    world.accept(1, world.delete("a"));
    world.accept(1, world.set("a", "2"));
    assert_eq!(world.resources(), ["a:"]);
}

#[test]
fn a_tag_has_a_limit_and_so_has_their_number() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    for (bytes, expected) in [(0, "invalid"), (1, "accepted"), (128, "accepted"), (129, "too_large")] {
        let words = words(&world.push(1, &[world.tag("a", &"t".repeat(bytes))]));
        assert!(words[0].contains(expected), "{bytes} bytes: {words:?}");
    }
    let mut patch = world.tag("a", "x");
    (patch.kind, patch.patch) = (OpKind::Patch, Some(Json::parse("[]").unwrap()));
    assert!(words(&world.push(1, &[patch]))[0].ends_with("invalid"));
    for i in 0..98 {
        world.accept(1, world.tag("a", &format!("t{i}")));
    }
    assert!(words(&world.push(1, &[world.tag("a", "more")]))[0].ends_with("too_large"));
    world.accept(1, world.tag("a", "t0"));
    world.accept(1, world.untag("a", "t0"));
    world.accept(1, world.tag("a", "more"));
}

#[test]
fn a_new_item_gets_its_creators_tags_in_the_same_commit() {
    let world = World::new();
    let bob = only("bob", &["user:bob", "team:7"]);
    let seq = world.accept_as(&bob, 1, world.set("a", r#"{"x":1}"#));
    assert_eq!(world.resources(), ["a: #team:7 #user:bob"]);
    // Whoever sees it is told the whole item, who made it too: it is not as sent.
    for entries in [world.pull_as(&bob, 1), world.pull_as(&bob, 2), world.pull(3, None).0] {
        let entry = &entries[0];
        assert_eq!((entries.len(), entry.seq, entry.kind), (1, seq, Some(OpKind::Set)));
        assert_eq!((entry.from, entry.rev), (Some(0), Some(seq)));
        assert!(entry.full && !entry.as_sent && entry.change().is_ok());
        assert_eq!(entry.value.as_ref().unwrap().as_str(), r#"{"x":1}"#);
        assert_eq!(entry.tags, ["team:7", "user:bob"]);
    }
    // Later ops on it are as sent.
    world.accept_as(&bob, 1, world.set("a", "2"));
    let own = world.pull_as(&bob, 1);
    assert!(own[1].as_sent && !own[1].full);
    // In its next life it gets those of who makes it then.
    world.accept(3, world.delete("a"));
    world.accept(3, world.set("a", "3"));
    assert_eq!(world.resources(), ["a:"]);
}

#[test]
fn tags_of_a_batch_stand_or_fall_with_it() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    world.accept(9, world.set("hidden", "1"));
    let ops = [
        batch(world.set("a", "1"), 1, 3),
        batch(world.index("a", "by", "x"), 1, 3),
        batch(world.untag("a", "t"), 1, 3),
    ];
    assert_eq!(words(&world.push_as(&bob, 1, &ops[..2])), ["staged", "staged"]);
    assert_eq!(words(&world.push_as(&bob, 1, &ops[2..])), ["accepted 4"]);
    assert_eq!(world.resources(), ["a: by=x", "hidden:"]);
    let ops = [batch(world.set("b", "1"), 2, 2), batch(world.tag("hidden", "t"), 2, 2)];
    assert_eq!(words(&world.push_as(&bob, 1, &ops)), ["rejected 5 batch_failed", "rejected 6 not_found"]);
    assert_eq!(world.items(), ["a=1", "hidden=1"]);
}

#[test]
fn a_batch_does_not_make_more_visible_than_fits_into_an_answer() {
    let world = World::with(|options| options.limits.batch = 1_000);
    let value = format!("\"{}\"", "x".repeat(300));
    for key in ["a", "b", "c", "d"] {
        world.accept(1, world.set(key, &value));
    }
    let ops = |number| ["a", "b", "c", "d"].map(|key| batch(world.tag(key, "t"), number, 4));
    let words = words(&world.push(1, &ops(1)));
    assert!(words[..3].iter().all(|word| word.ends_with("batch_failed")) && words[3].ends_with("too_large"));
    let three: Vec<_> = ["a", "b", "c"].map(|key| batch(world.tag(key, "t"), 2, 3)).into();
    assert!(world.push(1, &three).iter().all(|result| result.code.is_none()));
    world.accept(1, world.tag("d", "t"));
}

#[test]
fn what_becomes_visible_counts_as_long_as_it_is_written() {
    let world = World::with(|options| options.limits.batch = 1_000);
    for relation in 0..20 {
        world.accept(1, world.set("a", "1"));
        world.accept(1, world.relate("a", &relation.to_string(), "p", "b"));
    }
    // Each relation has some 5 bytes of names, and 70 as JSON.
    assert_eq!(words(&world.push(1, &[batch(world.tag("a", "t"), 1, 1)])), ["rejected 41 too_large"]);
    world.accept(1, world.tag("a", "t"));
}

#[test]
fn in_a_merge_a_tag_that_another_touched_stays_as_it_is() {
    let world = World::with(merging);
    let bob = only("bob", &["t", "u"]);
    let base = world.accept_as(&bob, 2, based(world.set("a", "1"), 0));
    let rev = world.accept_as(&bob, 2, based(world.untag("a", "u"), base));
    // Made before 1 knew of the item: what it got when it was made counts as touched by who made it.
    for op in [based(world.untag("a", "t"), 0), based(world.tag("a", "u"), base)] {
        world.accept(1, op);
    }
    assert_eq!(world.resources(), ["a: #t"]);
    let own = world.pull(1, None).0.split_off(2);
    let seen: Vec<_> = own.iter().map(|entry| (entry.kind.unwrap(), entry.tag.as_deref(), entry.rev)).collect();
    assert_eq!(seen, [(OpKind::Set, Some("t"), Some(rev)), (OpKind::Delete, Some("u"), Some(rev))]);
    world.accept(1, based(world.tag("a", "v"), base));
    assert_eq!(world.resources(), ["a: #t #v"]);
}

#[test]
fn a_caller_adds_and_removes_only_tags_of_its_own() {
    let world = World::new();
    let bob = only("bob", &["t", "u"]);
    world.accept_as(&bob, 1, world.set("a", "1"));
    world.accept(9, world.tag("a", "foreign"));
    for op in [world.tag("a", "other"), world.untag("a", "foreign"), world.untag("a", "other")] {
        assert!(words(&world.push_as(&bob, 1, &[op]))[0].ends_with("forbidden"));
    }
    world.accept_as(&bob, 1, world.untag("a", "u"));
    world.accept_as(&bob, 1, world.tag("a", "u"));
    assert_eq!(world.resources(), ["a: #foreign #t #u"]);
    // Who sees everything may give and take everything.
    world.accept(9, world.untag("a", "t"));
    world.accept(9, world.tag("a", "other"));
}

/// Every kind of op on an item, and what may be wrong with each.
fn ops_on(world: &World, key: &str) -> Vec<(&'static str, Op)> {
    let broken = |mut op: Op, change: fn(&mut Op)| {
        change(&mut op);
        op
    };
    vec![
        ("patch", world.patch(key, "[]")),
        ("patch that fails", world.patch(key, r#"[{"op":"remove","path":"/no"}]"#)),
        ("patch that is none", world.patch(key, "7")),
        ("patch with a base", based(world.patch(key, "[]"), 1)),
        ("index", world.index(key, "by", "x")),
        ("index too long", world.index(key, &"x".repeat(200), "x")),
        ("index without order", broken(world.index(key, "by", "x"), |op| op.order = None)),
        ("relation", world.relate(key, "r", "in", "f")),
        ("tag", world.tag(key, "t")),
        ("foreign tag", world.tag(key, "foreign")),
        ("delete with a payload", broken(world.delete(key), |op| op.value = Some(Json::null()))),
        ("patch of nothing", broken(world.patch(key, "[]"), |op| op.patch = None)),
        ("of without batch", broken(world.patch(key, "[]"), |op| op.of = Some(2))),
        ("in a batch", batch(world.patch(key, "[]"), 77, 1)),
    ]
}

#[test]
fn an_item_that_its_caller_cannot_see_answers_like_a_missing_one() {
    for policy in [Policy::Accept, Policy::RejectStale, Policy::Merge] {
        let mut world = World::new();
        world.reopen(|options| {
            options.policies.insert("c".into(), policy);
        });
        let bob = only("bob", &["t"]);
        world.accept(9, based(world.set("hidden", "{}"), 0));
        let tagged = world.accept(9, based(world.tag("hidden", "foreign"), 9));
        for ((what, hidden), (_, missing)) in ops_on(&world, "hidden").into_iter().zip(ops_on(&world, "missing")) {
            for (client, op) in [(1, hidden), (2, missing)] {
                let result = world.push_as(&bob, client, &[op]).remove(0);
                let told = (result.code.as_ref().map(|code| code.as_str()), result.detail.is_some());
                assert_eq!(told, (Some("not_found"), false), "{what} of client {client}, {policy:?}");
            }
        }
        // The value of a taken key is the one thing that cannot be told like that.
        for op in [world.set("hidden", "1"), based(world.set("hidden", "1"), 1), based(world.set("hidden", "1"), 0)] {
            assert!(words(&world.push_as(&bob, 1, &[op]))[0].ends_with("forbidden"));
        }
        for op in [world.delete("hidden"), world.unindex("hidden", "by"), world.untag("hidden", "foreign")] {
            assert!(words(&world.push_as(&bob, 1, &[op]))[0].ends_with("not_found"));
        }
        let items = world.checkpoint(9, None, 10).unwrap().items;
        assert_eq!((items.len(), items[0].rev, items[0].value.as_str()), (1, tagged, "{}"), "nothing was changed");
        assert_eq!(items[0].tags, ["foreign"]);
    }
}

#[test]
fn a_fault_of_an_op_on_what_its_caller_sees_is_told() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    world.accept_as(&bob, 1, world.set("a", "{}"));
    let codes: Vec<_> = ops_on(&world, "a")
        .into_iter()
        .map(|(_, op)| world.push_as(&bob, 1, &[op]).remove(0).code.map_or("-".into(), |code| code.to_string()))
        .collect();
    let expected = [
        "-",
        "patch_failed",
        "invalid",
        "-",
        "-",
        "too_large",
        "invalid",
        "-",
        "-",
        "forbidden",
        "invalid",
        "invalid",
        "invalid",
        "-",
    ];
    assert_eq!(codes, expected);
    let mut no_value = world.set("new", "1");
    no_value.value = None;
    assert!(words(&world.push_as(&bob, 1, &[no_value]))[0].ends_with("invalid"));
}

#[test]
fn an_item_without_a_tag_of_its_creators_is_hidden_from_it() {
    let world = World::new();
    let eve = Caller { grant: Vec::new(), ..only("eve", &["t"]) };
    let seq = world.accept_as(&eve, 1, world.set("a", "1"));
    assert!(words(&world.push_as(&eve, 1, &[world.patch("a", "[]")]))[0].ends_with("not_found"));
    let own = world.pull_as(&eve, 1);
    assert_eq!(serde_json::to_string(&own[0]).unwrap(), {
        let op_ref = own[0].op_ref;
        format!(r#"{{"seq":{seq},"ref":"{op_ref}","outcome":"accepted","hidden":true}}"#)
    });
    // And an item of somebody who sees everything, with tags or not, is found by them.
    let root = Caller { user: "root".into(), tags: Tags::All, grant: vec!["t".into()] };
    world.accept_as(&root, 2, world.set("b", "1"));
    assert_eq!(world.seen_by(&eve, 1), ["b=1: #t"]);
    let request =
        InboxRequest { client: id(2), cursor: None, limit: 10, own_payloads: true, scope: Default::default() };
    assert!(world.service.inbox(DB, &root, &request).unwrap().entries[1].full);
}
