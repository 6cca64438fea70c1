//! Refs, order, limits and whose is what (sections 2 and 3).

use crate::world::*;
use syncstore::protocol::{Cursor, Json, Limits, Op, PushRequest};
use syncstore_server::service::{ServiceError, ServiceOptions};

#[test]
fn the_same_push_twice_applies_once_and_answers_the_same() {
    let world = World::new();
    let ops = [world.set("a", "1"), world.patch("missing", "[]"), world.delete("a"), world.delete("nothing")];
    let first = world.push(1, &ops);
    assert_eq!(words(&first), ["accepted 1", "rejected 2 not_found", "accepted 3", "accepted 4"]);
    let second = world.push(1, &ops);
    assert_eq!(words(&first), words(&second));
    assert_eq!(first[1].message, second[1].message);
    assert_eq!(world.pull(1, None).0.len(), 4);
}

#[test]
fn a_ref_gets_its_present_outcome_though_the_item_has_moved_on() {
    let world = World::new();
    let op = world.set("a", "1");
    world.accept(1, op.clone());
    world.accept(2, world.set("a", "2"));
    assert_eq!(words(&world.push(1, &[op])), ["accepted 1"]);
    assert_eq!(world.items(), ["a=2"]);
}

#[test]
fn the_same_op_in_another_spelling_base_or_batch_is_the_same() {
    let world = World::new();
    let op = world.set("a", r#"{"x":1,"y":[1.5,"é"]}"#);
    world.accept(1, op.clone());
    let mut again = op;
    again.value = Some(Json::parse(r#"{ "y" : [15e-1, "\u00e9"], "x" : 1 }"#).unwrap());
    assert_eq!(words(&world.push(1, &[batch(based(again, 7), 1, 3)])), ["accepted 1"]);
    assert_eq!(world.pull(1, None).0.len(), 1);
}

#[test]
fn a_ref_reused_for_another_op_is_rejected_and_its_outcome_stays() {
    let world = World::new();
    let op = world.set("a", "1");
    world.accept(1, op.clone());
    let change = |change: fn(&mut Op)| {
        let mut other = op.clone();
        change(&mut other);
        other
    };
    for other in [
        change(|op| op.value = Some(Json::parse("2").unwrap())),
        change(|op| op.key = "b".into()),
        change(|op| op.collection = "d".into()),
        change(|op| (op.kind, op.value) = (syncstore::protocol::OpKind::Delete, None)),
        on(&op, "tag"),
    ] {
        assert_eq!(words(&world.push(1, &[other])), ["rejected - ref_reused"]);
    }
    assert_eq!(words(&world.push(1, &[op])), ["accepted 1"]);
    assert_eq!(world.pull(1, None).0.len(), 1);
}

/// The op as one on another resource.
fn on(op: &Op, resource: &str) -> Op {
    let text = serde_json::to_string(op).unwrap();
    serde_json::from_str(&text.replacen('{', &format!("{{\"{resource}\":\"x\","), 1)).unwrap()
}

#[test]
fn a_ref_of_another_user_is_reused_and_of_another_client_of_the_user_is_not() {
    let world = World::new();
    let op = world.set("a", "1");
    world.accept(1, op.clone());
    assert_eq!(words(&world.push(2, std::slice::from_ref(&op))), ["accepted 1"]);
    let request = PushRequest { client: id(3), cursor: None, ops: vec![op] };
    let answer = world.service.push(DB, &user("eve"), request).unwrap();
    assert_eq!(words(&answer.results), ["rejected - ref_reused"]);
}

#[test]
fn a_client_id_belongs_to_the_user_who_first_used_it() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    world.head(2);
    for client in [1, 2] {
        let request = PushRequest { client: id(client), cursor: None, ops: Vec::new() };
        let error = world.service.push(DB, &user("eve"), request).unwrap_err();
        assert!(matches!(error, ServiceError::Forbidden(_)));
        assert_eq!((error.problem().status, error.problem().code.as_str()), (403, "forbidden"));
        let request = syncstore_server::service::InboxRequest {
            client: id(client),
            cursor: None,
            limit: 1,
            own_payloads: false,
            scope: Default::default(),
        };
        assert!(matches!(world.service.inbox(DB, &user("eve"), &request), Err(ServiceError::Forbidden(_))));
        let request = syncstore_server::service::CheckpointRequest {
            client: id(client),
            page: None,
            limit: 1,
            scope: Default::default(),
        };
        assert!(matches!(world.service.checkpoint(DB, &user("eve"), &request), Err(ServiceError::Forbidden(_))));
    }
}

#[test]
fn what_follows_a_rejected_op_on_its_item_is_skipped_and_nothing_else() {
    let world = World::new();
    let ops = [world.patch("a", "[]"), world.set("a", "1"), world.set("b", "1"), world.set("a", "2")];
    assert_eq!(words(&world.push(1, &ops)), ["rejected 1 not_found", "skipped", "accepted 2", "skipped"]);
    // The answer was lost: the client does not know of the rejection yet.
    assert_eq!(words(&world.push(1, &ops)), ["rejected 1 not_found", "skipped", "accepted 2", "skipped"]);
    // Now it does: what was skipped was not recorded and can be pushed.
    assert_eq!(words(&world.push(1, &ops[1..])), ["accepted 3", "accepted 2", "accepted 4"]);
}

#[test]
fn a_delete_of_something_missing_is_accepted_and_changes_nothing() {
    let world = World::new();
    world.accept(1, world.delete("a"));
    assert!(world.pull(2, None).0.is_empty());
    let (own, _) = world.pull(1, None);
    assert_eq!((own[0].from, own[0].rev), (Some(0), Some(0)));
    assert_eq!(world.accept(1, world.set("a", "1")), 2);
    assert_eq!(world.pull(2, None).0[0].from, Some(0));
}

#[test]
fn a_patch_that_does_not_apply_names_where() {
    let world = World::new();
    world.accept(1, world.set("a", r#"{"x":1}"#));
    let patch = r#"[{"op":"add","path":"/y","value":1},{"op":"remove","path":"/z"}]"#;
    let results = world.push(1, &[world.patch("a", patch)]);
    assert_eq!(words(&results), ["rejected 2 patch_failed"]);
    assert_eq!(results[0].detail, Some(Json::parse(r#"{"path":"/z","operation":1}"#).unwrap()));
    assert_eq!(world.items(), [r#"a={"x":1}"#]);
    assert_eq!(words(&world.push(1, &[world.patch("a", r#"{"no":"array"}"#)])), ["rejected 3 invalid"]);
    world.accept(1, world.patch("a", r#"[{"op":"replace","path":"/x","value":2}]"#));
    assert_eq!(world.items(), [r#"a={"x":2}"#]);
}

#[test]
fn each_limit_of_an_op_at_its_edge_and_one_past() {
    let world = World::new();
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let patch = |bytes: usize, value: &str| {
        let patch = format!(r#"[{{"op":"replace","path":"","value":{value}}}"#);
        format!("{patch}{}]", " ".repeat(bytes - patch.len() - 1))
    };
    let mut wrong = world.set("a", "1");
    wrong.value = Some(serde_json::from_str(r#""\ud800""#).unwrap());
    let index = on(&world.set("a", "1"), "index");
    let mut unnamed = world.set("a", "1");
    unnamed.collection = String::new();
    let cases = [
        (world.set(&"k".repeat(128), "1"), "accepted"),
        (world.set(&"k".repeat(129), "1"), "too_large"),
        (world.set("", "1"), "invalid"),
        (unnamed, "invalid"),
        (world.set("v", &text(1 << 20)), "accepted"),
        (world.set("v", &text((1 << 20) + 1)), "too_large"),
        (world.set("n", &nested(128)), "accepted"),
        (world.set("n", &nested(129)), "too_large"),
        (world.patch("n", &patch((1 << 20) + 1024, "1")), "accepted"),
        (world.patch("n", &patch((1 << 20) + 1025, "1")), "too_large"),
        (world.patch("n", &patch(1_000, &nested(128))), "accepted"),
        (world.patch("n", &patch(1_000, &nested(129))), "too_large"),
        (wrong, "invalid"),
        (index, "invalid"),
    ];
    for (op, expected) in cases {
        let what = format!("{} {}", op.collection, op.key);
        let words = words(&world.push(1, &[op]));
        assert!(words[0].contains(expected), "{what}: {words:?}");
    }
}

#[test]
fn a_repeat_is_told_what_became_of_the_op_under_other_limits() {
    let wide = |options: &mut ServiceOptions| options.limits.nesting = 200;
    let narrow = |options: &mut ServiceOptions| (options.limits.value, options.limits.nesting) = (100, 10);
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), " ]".repeat(levels));
    let long = |gap: &str| format!(r#"{{"a":"{}",{gap}"b":1}}"#, "x".repeat(200));
    let mut world = World::new();
    world.reopen(wide);
    let patch = |value: &str| format!(r#"[{{"op":"add","path":"/c","value":{value}}}]"#);
    let mut ops = [world.set("long", &long("")), world.set("deep", &nested(150)), world.set("p", "{}")].to_vec();
    ops.push(world.patch("p", &patch(&nested(199))));
    let expected = ["accepted 1", "accepted 2", "accepted 3", "accepted 4"];
    assert_eq!(words(&world.push(1, &ops)), expected);
    // In other words, too.
    ops[0].value = Some(Json::parse(&long(" ")).unwrap());
    ops[1].value = Some(Json::parse(&nested(150).replace(' ', "")).unwrap());
    world.reopen(narrow);
    assert_eq!(words(&world.push(1, &ops)), expected);
    // And the other way round; what nests so deeply that no limit lets it pass is compared as it is.
    let mut refused = [world.set("l", &long("")), world.set("d", &nested(150)), world.set("e", &nested(250))];
    let expected = ["rejected 5 too_large", "rejected 6 too_large", "rejected 7 too_large"];
    assert_eq!(words(&world.push(1, &refused)), expected);
    refused[1].value = Some(Json::parse(&nested(150).replace(' ', "")).unwrap());
    world.reopen(wide);
    assert_eq!(words(&world.push(1, &refused)), expected);
}

#[test]
fn a_push_beyond_a_limit_is_refused_as_a_whole() {
    let world = World::with(|options| {
        options.limits = Limits::default();
        options.limits.push_ops = 3;
        options.limits.body = 1_000;
    });
    let ops = |count: usize| (0..count).map(|i| world.set(&format!("k{i}"), "1")).collect::<Vec<_>>();
    assert_eq!(world.push(1, &ops(3)).len(), 3);
    for ops in [ops(4), vec![world.set("a", &format!("\"{}\"", "x".repeat(1_000)))]] {
        let error = world.try_push(1, &ops).unwrap_err();
        assert_eq!((error.problem().status, error.problem().code.as_str()), (413, "too_large"));
    }
    assert_eq!(world.items().len(), 3);
}

#[test]
fn a_ref_that_is_no_uuid_v7_is_invalid_and_leaves_no_trace() {
    let world = World::new();
    let mut op = world.set("a", "1");
    op.op_ref = "9f0c2f2e-5d0b-4b7e-8c43-6a4b7a3f1c11".parse().unwrap();
    for _ in 0..2 {
        assert_eq!(words(&world.push(1, &[op.clone(), world.set("b", "1")]))[0], "rejected - invalid");
    }
    assert_eq!(world.items(), ["b=1"]);
}

#[test]
fn keys_of_every_kind_survive() {
    let world = World::new();
    for key in ["nul\0inside", "é", "漢字", "😀", "\u{10ffff}", "%_'\""] {
        world.accept(1, world.set(key, "1"));
    }
    let keys: Vec<String> = world.pull(2, None).0.into_iter().map(|entry| entry.key.unwrap()).collect();
    assert_eq!(keys, ["nul\0inside", "é", "漢字", "😀", "\u{10ffff}", "%_'\""]);
    assert_eq!(world.items().len(), 6);
}

#[test]
fn databases_are_apart_and_only_those_that_may_be() {
    let world = World::with(|options| {
        options.databases =
            syncstore_server::service::Databases::Named(["notes".to_owned(), "Notes".to_owned()].into());
    });
    world.accept(1, world.set("a", "1"));
    let info = |name: &str| world.service.info(name, &ada());
    assert_eq!((info("notes").unwrap().seq, info("Notes").unwrap().seq), (1, 0));
    assert_ne!(info("notes").unwrap().epoch, info("Notes").unwrap().epoch);
    for name in ["other", "..", "a/b", ""] {
        assert_eq!(info(name).unwrap_err().problem().code, "unknown_db");
    }
}

#[test]
fn a_garbage_cursor_does_not_keep_a_push_away() {
    let world = World::new();
    assert!(world.push_at(1, Some(Cursor::new("garbage")), &[world.set("a", "1")]).is_ok());
}

#[test]
fn values_nest_no_deeper_than_clients_store_whatever_is_set() {
    let world = World::with(|options| options.limits.nesting = 10_000);
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(world.service.info(DB, &ada()).unwrap().limits.nesting, 200);
    world.accept(1, world.set("a", &nested(200)));
    assert_eq!(words(&world.push(1, &[world.set("b", &nested(201))])), ["rejected 2 too_large"]);
}
