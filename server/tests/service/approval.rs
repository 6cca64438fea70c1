//! Ops that wait for an approver (section 3, ◆11).

use crate::office::*;
use crate::world::*;
use syncstore::protocol::{Code, Entry, Json, Op, OpKind, PushRequest};
use syncstore_server::approver::{AskedOp, Form, OpAnswer};
use syncstore_server::service::{Policy, Tags};

#[test]
fn an_op_is_committed_as_the_answer_says() {
    let office = Office::answering(|asked| match asked.op.key.as_str() {
        "yes" => OpAnswer::accepted(asked.op.op_ref),
        "no" => OpAnswer {
            code: Some(Code::new("too_dear")),
            detail: Some(json(r#"{"most":7}"#)),
            ..OpAnswer::rejected(asked.op.op_ref, "it costs too much")
        },
        "other" => replaced(asked.op.op_ref, Form::set(json("2"))),
        _ => tagged(asked.op.op_ref, &["team"]),
    });
    let world = &office.world;
    let ops = ["yes", "no", "other", "tagged"].map(|key| world.set(key, "1"));
    assert_eq!(office.push(&ops), ["queued"; 4]);
    assert!(world.items().is_empty() && office.told().is_empty());
    assert_eq!(office.approve(), 4);
    assert_eq!(
        office.told(),
        ["1 accepted yes as sent", "2 rejected too_dear", "3 accepted other=2", "4 accepted tagged=1"]
    );
    let no = world.pull(1, None).0.remove(1);
    assert_eq!(
        (no.message.unwrap(), no.detail.unwrap().into_string()),
        ("it costs too much".into(), r#"{"most":7}"#.into())
    );
    assert_eq!(office.told_to(2), ["1 accepted yes=1", "3 accepted other=2", "4 accepted tagged=1"]);
    assert_eq!(world.resources()[1], "tagged: #team");
    assert!(world.pull(1, None).0.iter().all(|entry| entry.batch.is_none()), "each is alone");
    assert_eq!(office.push(&ops), ["accepted 1", "rejected 2 too_dear", "accepted 3", "accepted 4"]);
    assert_eq!((office.approve(), office.requests().len()), (0, 1), "nothing is decided twice");
}

#[test]
fn an_approver_is_told_who_asks_for_what_on_which_item() {
    let office = Office::lenient();
    let world = &office.world;
    office.push(&[world.set("k", "1"), world.index("k", "i", "o")]);
    office.approve_all();
    let patch = based(world.patch("k", "[]"), 2);
    office.push(std::slice::from_ref(&patch));
    office.approve();
    let request = office.last_request();
    let [asked] = &request.ops[..] else { panic!("one op") };
    assert_eq!((request.database.as_str(), asked.user.as_str()), (DB, "ada"));
    assert_eq!((asked.op.op_ref, asked.op.kind, asked.op.base), (patch.op_ref, OpKind::Patch, Some(2)));
    assert!(asked.at.starts_with("20") && asked.at.ends_with('Z'), "{}", asked.at);
    let item = asked.item.as_ref().unwrap();
    assert_eq!((item.rev, item.value.as_str(), item.indexes["i"].as_str()), (2, "1", "o"));
}

#[test]
fn a_rejected_op_leaves_those_behind_it_to_be_judged_by_themselves() {
    let office = Office::answering(|asked| match &asked.item {
        None if asked.op.kind == OpKind::Set => OpAnswer::rejected(asked.op.op_ref, "nothing new"),
        _ => OpAnswer::accepted(asked.op.op_ref),
    });
    let world = &office.world;
    let ops = [world.set("x", "1"), world.patch("x", "[]"), of("open", world.set("x", "1"))];
    assert_eq!(office.push(&ops), ["queued", "queued", "accepted 1"]);
    office.approve_all();
    assert_eq!(office.push(&ops), ["rejected 2 policy", "rejected 3 not_found", "accepted 1"]);
}

#[test]
fn a_repeat_is_answered_queued_and_another_op_under_the_ref_is_refused() {
    let office = Office::lenient();
    let world = &office.world;
    let op = world.set("k", "1");
    assert_eq!(office.push(std::slice::from_ref(&op)), ["queued"]);
    assert_eq!(office.push(&[op.clone(), op.clone()]), ["queued", "queued"]);
    let other = Op { value: Some(json("2")), ..op.clone() };
    assert_eq!(office.push(&[other]), ["rejected - ref_reused"]);
    let request = PushRequest { client: id(9), cursor: None, ops: vec![op.clone()] };
    let eve = world.service.push(DB, &user("eve"), request).unwrap();
    assert_eq!(words(&eve.results), ["rejected - ref_reused"]);
    assert_eq!(office.approve(), 1);
    assert_eq!(office.push(&[op]), ["accepted 1"]);
    assert_eq!(world.items(), ["k=1"]);
}

#[test]
fn a_malformed_op_is_rejected_at_once_and_never_asked_about() {
    let office = Office::lenient();
    let world = &office.world;
    let ops = [world.set("", "1"), Op { value: None, ..world.set("k", "1") }, world.set("k", "2")];
    assert_eq!(office.push(&ops), ["rejected 1 invalid", "rejected 2 invalid", "skipped"]);
    assert_eq!((office.approve(), office.requests().len()), (0, 0));
}

// Rejects each op with a detail of 16 KiB.
fn at_length(asked: &AskedOp) -> OpAnswer {
    let detail = json(&format!("\"{}\"", "x".repeat((16 << 10) - 2)));
    OpAnswer { detail: Some(detail), ..OpAnswer::rejected(asked.op.op_ref, "no") }
}

#[test]
fn the_reasons_of_rejections_count_towards_the_bytes_of_a_page() {
    let office = Office::answering(at_length);
    let world = &office.world;
    let ops: Vec<Op> = (0..400).map(|n| world.set(&n.to_string(), "1")).collect();
    office.push(&ops);
    office.approve_all();
    let page = world.page(1, None, 10_000).unwrap();
    let details = |entries: &[Entry]| entries.iter().flat_map(|entry| &entry.detail).count();
    // 256 of them are 4 MiB.
    assert!(page.more && (200..=256).contains(&page.entries.len()), "{}", page.entries.len());
    assert_eq!(details(&page.entries), page.entries.len());
    let rest = world.pull(1, Some(page.cursor)).0;
    assert_eq!(details(&rest), 400 - page.entries.len());
}

#[test]
fn the_details_of_a_rejected_batch_are_no_more_than_a_batch_may_be() {
    let mut office = Office::answering(at_length);
    office.restart(|options| options.limits.batch = 1 << 20);
    let world = &office.world;
    let ops: Vec<Op> = (0..100).map(|n| batch(world.set(&n.to_string(), "1"), 1, 100)).collect();
    office.push(&ops);
    assert_eq!(office.approve(), 100);
    let entries = world.pull(1, None).0;
    assert!(entries.iter().all(|entry| entry.code == Some(Code::POLICY)));
    assert_eq!(entries.iter().flat_map(|entry| &entry.detail).count(), 64);
}

#[test]
fn a_batch_is_decided_as_a_whole() {
    let office = Office::new(|_| silent());
    let world = &office.world;
    let ops = [
        batch(world.set("a", "1"), 1, 3),
        batch(of("open", world.set("b", "1")), 1, 3),
        batch(of("ask", world.set("c", "1")), 1, 3),
    ];
    assert_eq!(office.push(&ops[..2]), ["staged", "staged"]);
    assert_eq!((office.approve(), office.requests().len()), (0, 0), "it is not complete");
    assert_eq!(office.push(&ops), ["queued", "queued", "queued"]);
    // Not what another collection of the batch has.
    assert_eq!((office.approve(), office.requests()), (0, vec![vec![ops[0].op_ref, ops[2].op_ref]]));
    office.rescript(|request| Ok([OpAnswer::accepted(request.ops[0].op.op_ref)].into_iter().collect()));
    assert_eq!(office.approve_later(), 0, "one of its ops has no answer");
    assert!(world.items().is_empty());
    office.answer_each(|asked| match asked.op.key.as_str() {
        "a" => replaced(asked.op.op_ref, Form::set(json("7"))),
        _ => OpAnswer::accepted(asked.op.op_ref),
    });
    assert_eq!(office.approve_later(), 3);
    assert_eq!(world.items(), ["a=7", "b=1", "c=1"]);
    let entries = world.pull(2, None).0;
    assert!(entries.iter().all(|entry| entry.batch == ops[0].batch));
    let more = [batch(world.set("a", "2"), 2, 2), batch(of("ask", world.set("c", "2")), 2, 2)];
    office.push(&more);
    office.rescript(|request| Ok([OpAnswer::rejected(request.ops[1].op.op_ref, "no")].into_iter().collect()));
    assert_eq!(office.approve(), 2, "one rejection is enough");
    assert_eq!(office.push(&more), ["rejected 4 batch_failed", "rejected 5 policy"]);
    assert_eq!(world.items(), ["a=7", "b=1", "c=1"]);
}

#[test]
fn what_an_approver_changed_counts_as_another_clients() {
    for (policy, becomes, value) in [
        (Policy::Accept, "accepted 2", "k=3"),
        (Policy::RejectStale, "rejected 2 stale", "k={\"n\":2}"),
        (Policy::Merge, "accepted 2", "k={\"n\":2}"),
    ] {
        let mut office = Office::answering(|asked| match asked.op.value.as_ref().map(Json::as_str) {
            Some("{\"n\":1}") => replaced(asked.op.op_ref, Form::set(json("{\"n\":2}"))),
            _ => OpAnswer::accepted(asked.op.op_ref),
        });
        office.restart(|options| options.policies = [("c".into(), policy)].into());
        let world = &office.world;
        let second = based(world.set("k", if policy == Policy::Merge { "{\"n\":3}" } else { "3" }), 0);
        office.push(&[based(world.set("k", "{\"n\":1}"), 0), second.clone()]);
        office.approve_all();
        assert_eq!((office.push(&[second]), world.items()), (vec![becomes.to_owned()], vec![value.to_owned()]));
    }
}

#[test]
fn a_form_that_is_what_was_sent_and_tags_change_nothing_of_whose_op_it_is() {
    let mut office = Office::answering(|asked| OpAnswer {
        op: Some(Form::set(json(&format!(" {} ", asked.op.value.as_ref().unwrap())))),
        ..tagged(asked.op.op_ref, &["team"])
    });
    office.restart(|options| options.policies = [("c".into(), Policy::RejectStale)].into());
    let world = &office.world;
    let ops = ["1", "2"].map(|value| based(world.set("k", value), 0));
    office.push(&ops);
    office.approve_all();
    assert_eq!(office.push(&ops), ["accepted 1", "accepted 2"]);
    assert_eq!(
        office.told(),
        ["1 accepted k=1", "2 accepted k as sent"],
        "as another form or with tags it is not as sent"
    );
}

#[test]
fn a_form_is_judged_like_an_op_and_may_have_a_base_of_its_own() {
    let mut office = Office::answering(|asked| match asked.op.key.as_str() {
        "patch" => replaced(
            asked.op.op_ref,
            Form { patch: Some(json(r#"[{"op":"remove","path":"/no"}]"#)), ..Form::of(OpKind::Patch) },
        ),
        "delete" => replaced(asked.op.op_ref, Form::of(OpKind::Delete)),
        "index" => replaced(
            asked.op.op_ref,
            Form { index: Some("i".into()), order: Some("o".into()), ..Form::of(OpKind::Set) },
        ),
        _ => replaced(asked.op.op_ref, Form { base: asked.item.as_ref().map(|item| item.rev), ..Form::set(json("9")) }),
    });
    office.restart(|options| options.policies = [("ask".into(), Policy::RejectStale)].into());
    let world = &office.world;
    let keys = ["patch", "delete", "index"];
    let ops = keys.map(|key| world.set(key, "1"));
    office.push(&ops);
    office.approve_all();
    assert_eq!(office.push(&ops), ["rejected 1 not_found", "accepted 2", "rejected 3 not_found"]);
    let mine = of("ask", based(world.set("k", "1"), 0));
    office.push(std::slice::from_ref(&mine));
    office.approve_all();
    let behind = of("ask", based(world.set("k", "2"), 0));
    assert_eq!(words(&world.push(2, std::slice::from_ref(&behind))), ["queued"]);
    office.approve_all();
    assert_eq!(words(&world.push(2, &[behind])), ["accepted 5"], "the form's base is the item's rev");
}

#[test]
fn tags_that_an_approver_adds_to_an_item_are_entries_beside_the_op() {
    let office = Office::lenient();
    let world = &office.world;
    office.push(&[world.set("k", "1"), world.tag("k", "old")]);
    office.approve_all();
    office.answer_each(|asked| tagged(asked.op.op_ref, &["old", "team", "all"]));
    let op = world.set("k", "2");
    office.push(std::slice::from_ref(&op));
    assert_eq!(office.approve(), 1);
    assert_eq!(world.resources(), ["k: #all #old #team"]);
    assert_eq!(office.told()[2..], ["3 accepted k as sent", "4 accepted k #team", "5 accepted k #all"]);
    let entries = world.pull(2, None).0;
    let chain: Vec<_> = entries[2..].iter().map(|entry| (entry.from, entry.rev)).collect();
    assert_eq!(chain, [(Some(2), Some(3)), (Some(3), Some(4)), (Some(4), Some(5))]);
    assert!(entries[2].batch.is_some() && entries[2..].iter().all(|entry| entry.batch == entries[2].batch));
    assert_ne!(entries[3].op_ref, entries[4].op_ref);
    let team = world.pull_as(&only("bob", &["team"]), 7);
    assert_eq!((team.len(), team[0].full, team[0].value.as_ref().unwrap().as_str()), (2, true, "2"));
    office.answer_each(|asked| tagged(asked.op.op_ref, &["gone"]));
    office.push(&[world.delete("k")]);
    assert_eq!((office.approve(), world.items().len()), (1, 0), "a deleted item takes no tags");
}

#[test]
fn an_item_takes_no_more_tags_from_an_approver_than_from_others() {
    let many: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    let office = Office::answering(move |asked| OpAnswer { tags: many.clone(), ..OpAnswer::accepted(asked.op.op_ref) });
    let world = &office.world;
    let made = world.set("made", "1");
    let ada = only("ada", &["own"]);
    assert_eq!(words(&world.push_as(&ada, 1, std::slice::from_ref(&made))), ["queued"]);
    let there = of("open", world.set("there", "1"));
    world.accept(2, there);
    let ops = [made, world.set("full", "1")];
    office.push(&ops[1..]);
    office.approve_all();
    assert_eq!(
        office.push(&ops),
        ["rejected 2 too_large", "accepted 3"],
        "with the tag that is granted it is one more"
    );
    let op = world.tag("full", "one more");
    office.push(std::slice::from_ref(&op));
    office.approve_all();
    assert_eq!(office.push(&[op]), ["rejected 4 too_large"]);
}

#[test]
fn an_approver_gives_nobody_what_is_hidden_and_may_use_any_tag() {
    let office = Office::answering(|asked| match asked.op.key.as_str() {
        "tag" => replaced(asked.op.op_ref, Form { tag: Some("boss".into()), ..Form::of(OpKind::Set) }),
        _ => tagged(asked.op.op_ref, &["boss"]),
    });
    let world = &office.world;
    office.push(&[world.set("hidden", "1")]);
    office.approve_all();
    let ada = only("ada", &["own"]);
    let ops = [world.set("hidden", "2"), world.set("mine", "1"), world.set("tag", "1"), world.patch("hidden", "[]")];
    let results = world.push_as(&ada, 2, &ops);
    assert_eq!(words(&results), ["queued", "queued", "queued", "queued"]);
    office.approve_all();
    let told = words(&world.push_as(&ada, 2, &ops));
    assert_eq!(told[..2], ["rejected 2 forbidden", "accepted 3"]);
    assert_eq!((told[2].as_str(), told[3].as_str()), ("rejected 4 not_found", "rejected 5 not_found"));
    assert_eq!(world.resources(), ["hidden: #boss", "mine: #boss #own"]);
    let mine = [world.untag("mine", "own"), world.tag("mine", "boss")];
    world.push_as(&ada, 2, &mine[..1]);
    office.approve_all();
    assert_eq!(world.resources()[1], "mine: #boss");
}

#[test]
fn what_an_approver_makes_too_large_is_rejected_at_once_and_gives_nothing_hidden_away() {
    let office = Office::lenient();
    let world = &office.world;
    office.push(&[world.set("hidden", "1")]);
    office.approve_all();
    office.answer_each(|asked| replaced(asked.op.op_ref, Form::set(json(&format!("\"{}\"", "x".repeat(2 << 20))))));
    let ada = only("ada", &["own"]);
    let alone = [world.set("mine", "1"), world.set("hidden", "2"), world.patch("hidden", "[]")];
    let pair = [batch(world.set("a", "1"), 1, 2), batch(world.set("b", "1"), 1, 2)];
    let ops = [&alone[..], &pair[..]].concat();
    world.push_as(&ada, 2, &ops);
    office.approve_all();
    let told = words(&world.push_as(&ada, 2, &ops));
    let codes: Vec<_> = told.iter().map(|told| told.rsplit(' ').next().unwrap_or_default()).collect();
    assert_eq!(codes, ["too_large", "forbidden", "not_found", "too_large", "too_large"]);
    assert_eq!((office.approve(), world.items()), (0, vec!["hidden=1".to_owned()]), "nothing is asked about again");
}

#[test]
fn an_op_is_decided_under_the_rights_that_its_sender_had() {
    let mut office = Office::new(|_| down());
    let ada = only("ada", &["own"]);
    let op = office.world.set("k", "1");
    office.world.push_as(&ada, 1, std::slice::from_ref(&op));
    office.restart(|_| {});
    office.answer_each(|asked| OpAnswer::accepted(asked.op.op_ref));
    assert_eq!(office.approve(), 1);
    assert_eq!(office.world.resources(), ["k: #own"]);
    assert_eq!(ada.tags, Tags::Only(vec!["own".into()]));
}
