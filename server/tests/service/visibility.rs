//! What a caller with tags is told by every read (sections 4 and 5, ◆14 to ◆19).

use crate::world::*;
use syncstore::protocol::{Code, Entry, EntryOutcome, Json, OpKind, PushOutcome};
use syncstore::wire::Expiry;
use syncstore_server::service::{Caller, InboxRequest, Policy, ServiceError, Tags};

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// "2 set 0>2", "3 full", "4 revoked", "5 hidden".
fn told(entries: &[Entry]) -> Vec<String> {
    let word = |entry: &Entry| match entry {
        _ if entry.hidden => "hidden".into(),
        _ if entry.outcome == EntryOutcome::Rejected => "rejected".into(),
        _ if entry.full => "full".into(),
        _ if entry.reason.as_deref() == Some("revoked") => "revoked".into(),
        _ => format!("{:?} {}>{}", entry.kind.unwrap(), entry.from.unwrap(), entry.rev.unwrap()),
    };
    entries.iter().map(|entry| format!("{} {}", entry.seq, word(entry))).collect()
}

#[test]
fn each_entry_is_judged_by_the_tags_right_before_and_right_after_it() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    world.accept(9, world.set("a", "1"));
    let before = world.page_as(&bob, 1, None, 10).unwrap();
    assert!(before.entries.is_empty() && before.seq == 1);
    world.accept(9, world.set("a", "2"));
    world.accept(9, world.tag("a", "t"));
    world.accept(9, world.set("a", "3"));
    world.accept(9, world.tag("a", "u"));
    world.accept(9, world.untag("a", "t"));
    world.accept(9, world.set("a", "4"));
    world.accept(9, world.tag("a", "t"));
    world.accept(9, world.delete("a"));
    world.accept(9, world.set("a", "5"));
    let expected = ["3 full", "4 Set 3>4", "5 Set 4>5", "6 revoked", "8 full", "9 Delete 8>9"];
    assert_eq!(told(&world.pull_as(&bob, 1)), expected);
    // Whoever pulls when: the same log.
    let rest = world.page_as(&bob, 2, Some(before.cursor), 10).unwrap();
    assert_eq!(told(&rest.entries), expected);
    assert_eq!(world.pull(3, None).0.len(), 10);
}

#[test]
fn what_becomes_visible_comes_whole_as_it_was_right_after_that_seq() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    world.accept(9, world.set("a", r#"{"x":1}"#));
    world.accept(9, world.index("a", "by", "1"));
    world.accept(9, world.relate("a", "r", "in", "f"));
    world.accept(9, world.tag("a", "other"));
    let op = world.tag("a", "t");
    world.accept(9, op.clone());
    world.accept(9, world.patch("a", r#"[{"op":"replace","path":"/x","value":2}]"#));
    world.accept(9, world.unindex("a", "by"));
    world.accept(9, world.unrelate("a", "r"));
    world.accept(9, world.untag("a", "other"));
    let entries = world.pull_as(&bob, 1);
    let full = &entries[0];
    assert_eq!((full.seq, full.op_ref, full.kind, full.full), (5, op.op_ref, Some(OpKind::Set), true));
    assert_eq!((full.from, full.rev), (Some(0), Some(5)));
    assert_eq!(full.value, Some(json(r#"{"x":1}"#)));
    assert_eq!(full.indexes, [("by".to_owned(), "1".to_owned())].into());
    assert_eq!((full.relations.len(), full.relations[0].id.as_str()), (1, "r"));
    assert_eq!((&full.tags[..], full.tag.as_deref()), (&["other".to_owned(), "t".to_owned()][..], None));
    assert!(full.change().is_ok());
    assert_eq!(told(&entries)[1..], ["6 Patch 5>6", "7 Delete 6>7", "8 Delete 7>8", "9 Delete 8>9"]);
    // For who sees it anyway it is the tag that was added.
    let plain = &world.pull(2, None).0[4];
    assert!(!plain.full && plain.value.is_none() && plain.tag.as_deref() == Some("t"));
}

#[test]
fn it_comes_whole_though_the_log_no_longer_has_how_it_came_to_be_and_the_item_is_gone() {
    let world = World::with(|options| options.retention.log_entries = 2);
    let bob = only("bob", &["t"]);
    world.accept(9, world.set("a", r#"{"x":1}"#));
    let cursor = world.page_as(&bob, 1, None, 10).unwrap().cursor;
    world.accept(9, world.tag("a", "t"));
    world.accept(9, world.delete("a"));
    world.service.prune(DB).unwrap();
    let entries = world.page_as(&bob, 1, Some(cursor), 10).unwrap().entries;
    assert_eq!(told(&entries), ["2 full", "3 Delete 2>3"]);
    assert_eq!(entries[0].value, Some(json(r#"{"x":1}"#)));
}

#[test]
fn what_ceases_to_be_visible_is_revoked_for_who_did_it_too() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    world.accept_as(&bob, 1, world.set("a", "1"));
    let op = world.untag("a", "t");
    world.accept_as(&bob, 1, op.clone());
    let entries = world.pull_as(&bob, 1);
    assert_eq!(told(&entries), ["1 full", "2 revoked"]);
    let revoked = &entries[1];
    assert_eq!((revoked.op_ref, revoked.kind, revoked.key.as_deref()), (op.op_ref, Some(OpKind::Delete), Some("a")));
    assert!(!revoked.as_sent && revoked.change().is_ok() && revoked.tag.is_none());
    assert!(words(&world.push_as(&bob, 1, &[world.patch("a", "[]")]))[0].ends_with("not_found"));
    assert!(world.seen_by(&bob, 1).is_empty());
}

#[test]
fn own_ops_on_what_the_caller_does_not_see_have_an_outcome_and_nothing_else() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    let hidden = Caller { grant: vec!["u".into()], ..bob.clone() };
    let ops = [
        batch(world.set("a", "1"), 1, 2),
        batch(world.set("b", "1"), 1, 2),
        world.patch("a", "[]"),
        world.delete("missing"),
    ];
    world.push_as(&hidden, 1, &ops);
    let own = world.pull_as(&bob, 1);
    assert_eq!(told(&own), ["1 hidden", "2 hidden", "3 rejected", "4 Delete 0>0"]);
    assert_eq!((own[0].op_ref, own[0].batch), (ops[0].op_ref, ops[0].batch), "a batch stays together");
    assert!(own[0].key.is_none() && own[0].value.is_none() && own[0].rev.is_none());
    assert!(world.pull_as(&bob, 2).is_empty());
}

#[test]
fn the_cursor_passes_what_is_hidden_and_pages_hold_what_is_seen() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    for i in 0..30 {
        world.accept(9, world.set(&format!("hidden{i}"), "1"));
        if i % 10 == 0 {
            world.accept_as(&bob, 1, world.set(&format!("seen{i}"), "1"));
        }
    }
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let page = world.page_as(&bob, 2, cursor, 1).unwrap();
        seen.extend(page.entries.iter().map(|entry| entry.key.clone().unwrap()));
        cursor = Some(page.cursor);
        if !page.more {
            assert_eq!(page.seq, 33);
            break;
        }
    }
    assert_eq!(seen, ["seen0", "seen10", "seen20"]);
    world.accept(9, world.set("hidden", "1"));
    let page = world.page_as(&bob, 2, cursor, 1).unwrap();
    assert_eq!((page.entries.len(), page.seq, page.more), (0, 34, false));
}

#[test]
fn a_checkpoint_has_and_counts_what_is_visible() {
    let world = World::new();
    let bob = only("bob", &["t", "u"]);
    for i in 0..25 {
        let key = format!("k{i:02}");
        world.accept(9, world.set(&key, &i.to_string()));
        if i % 2 == 0 {
            world.accept(9, world.tag(&key, "t"));
        }
        if i % 5 == 0 {
            world.accept(9, world.tag(&key, "u"));
        }
        world.accept(9, world.tag(&key, "other"));
    }
    world.accept(9, world.index("k00", "by", "x"));
    let (mut page, mut keys) = (None, Vec::new());
    loop {
        let read = world.checkpoint_as(&bob, 1, page, 3).unwrap();
        assert_eq!((read.total, read.items.len() <= 3), (15, true));
        keys.extend(read.items.iter().map(|item| format!("{}{}", item.key, resources(item))));
        page = read.next;
        if page.is_none() {
            break;
        }
    }
    assert_eq!(keys.len(), 15);
    assert_eq!(keys[0], "k00 by=x #other #t #u");
    assert_eq!(keys[3], "k05 #other #u");
    assert_eq!(world.checkpoint(2, None, 1).unwrap().total, 25);
    assert!(world.seen_by(&only("eve", &["none"]), 3).is_empty());
}

#[test]
fn a_checkpoint_and_its_replay_make_what_is_visible() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    for i in 0..20 {
        world.accept(9, world.set(&format!("k{i:02}"), "0"));
        if i % 3 == 0 {
            world.accept(9, world.tag(&format!("k{i:02}"), "t"));
        }
    }
    let mut items = std::collections::BTreeMap::new();
    let (mut page, mut cursor) = (None, None);
    for step in 0_u32.. {
        let read = world.checkpoint_as(&bob, 1, page, 2).unwrap();
        cursor.get_or_insert(read.cursor);
        items.extend(read.items.into_iter().map(|item| (item.key.clone(), item)));
        for (key, what) in [(step * 7 % 20, 0), (step * 11 % 20, 1), (step * 3 % 20, 2), (step * 13 % 20, 3)] {
            let key = format!("k{key:02}");
            let op = match what {
                0 => world.set(&key, &step.to_string()),
                1 => world.tag(&key, "t"),
                2 => world.untag(&key, "t"),
                _ => world.index(&key, "by", &step.to_string()),
            };
            world.push(9, &[op]);
        }
        page = read.next;
        if page.is_none() {
            break;
        }
    }
    for entry in world.page_as(&bob, 1, cursor, 10_000).unwrap().entries {
        let key = entry.key.clone().unwrap();
        let known = items.get(&key).map(|item: &syncstore::protocol::CheckpointItem| item.rev);
        if known.is_some_and(|known| entry.seq <= known) || (known.is_none() && entry.from != Some(0)) {
            continue;
        }
        if entry.kind == Some(OpKind::Delete) && entry.index.is_none() && entry.tag.is_none() {
            items.remove(&key);
            continue;
        }
        if entry.full {
            let value = entry.value.clone().unwrap();
            let fresh = syncstore::protocol::CheckpointItem {
                indexes: entry.indexes.clone(),
                relations: entry.relations.clone(),
                tags: entry.tags.clone(),
                ..syncstore::protocol::CheckpointItem::new("c", key.clone(), value, 0)
            };
            items.insert(key.clone(), fresh);
        } else {
            assert_eq!(entry.from, known, "{entry:?}");
        }
        let item = items.get_mut(&key).unwrap();
        item.rev = entry.rev.unwrap();
        match (entry.value, entry.index, entry.order) {
            (Some(value), ..) => item.value = value,
            (None, Some(index), Some(order)) => {
                item.indexes.insert(index, order);
            }
            _ => {}
        }
    }
    let replayed: Vec<String> =
        items.values().map(|item| format!("{}={}:{}", item.key, item.value, resources(item))).collect();
    assert_eq!(replayed, world.seen_by(&bob, 1));
    assert!(!replayed.is_empty());
}

#[test]
fn other_tags_are_another_log_and_another_checkpoint() {
    let world = World::new();
    let (bob, more) = (only("bob", &["t"]), only("bob", &["t", "u"]));
    for i in 0..5 {
        world.accept_as(&bob, 1, world.set(&format!("k{i}"), "1"));
    }
    let cursor = world.page_as(&bob, 1, None, 10).unwrap().cursor;
    let page = world.checkpoint_as(&bob, 1, None, 2).unwrap().next;
    let error = world.page_as(&more, 1, Some(cursor.clone()), 10).unwrap_err();
    assert!(matches!(error, ServiceError::CursorExpired(Expiry::Filter)), "{error}");
    assert_eq!((error.problem().status, error.problem().reason.as_deref()), (410, Some("filter")));
    let error = world.checkpoint_as(&more, 1, page, 2).unwrap_err();
    assert!(matches!(error, ServiceError::CheckpointExpired), "{error}");
    // The same tags in another order are the same; a push takes either.
    let same = Caller { tags: Tags::Only(vec!["t".into(), "t".into()]), ..bob.clone() };
    assert!(world.page_as(&same, 1, Some(cursor.clone()), 10).is_ok());
    let request =
        syncstore::protocol::PushRequest { client: id(1), cursor: Some(cursor), ops: vec![world.set("k0", "2")] };
    assert!(world.service.push(DB, &more, request).is_ok());
}

/// All that a caller can read of a database, as text.
fn everything(world: &World, caller: &Caller, client: u128) -> String {
    let request =
        InboxRequest { client: id(client), cursor: None, limit: 10_000, own_payloads: true, scope: Default::default() };
    let inbox = world.service.inbox(DB, caller, &request).unwrap();
    let checkpoint = world.checkpoint_as(caller, client, None, 10_000).unwrap();
    let info = world.service.info(DB, caller).unwrap();
    let text = (
        serde_json::to_string(&inbox.entries).unwrap(),
        serde_json::to_string(&checkpoint.items).unwrap(),
        serde_json::to_string(&info).unwrap(),
    );
    format!("{} total {} {} {}", text.0, checkpoint.total, text.1, text.2)
}

#[test]
fn no_endpoint_tells_anything_of_an_item_without_the_callers_tag() {
    let world = World::new();
    let eve = only("eve", &["t"]);
    let empty = everything(&world, &eve, 1);
    // What somebody else does with an item, one op after the other.
    let steps = [
        world.set("secret", r#"{"secret":1}"#),
        world.index("secret", "secret", "secret"),
        world.relate("secret", "secret", "secret", "secret"),
        world.tag("secret", "secret"),
        world.patch("secret", r#"[{"op":"replace","path":"/secret","value":2}]"#),
        world.untag("secret", "secret"),
        world.unindex("secret", "secret"),
        world.unrelate("secret", "secret"),
        batch(world.set("secret", "2"), 5, 1),
        world.patch("secret", r#"[{"op":"remove","path":"/secret"}]"#),
        world.delete("secret"),
        world.set("secret", "3"),
    ];
    for op in steps {
        world.push(9, &[op]);
        let seq = world.service.info(DB, &eve).unwrap().seq;
        let told = everything(&world, &eve, 1);
        assert_eq!(told, empty.replace(r#""seq":0"#, &format!(r#""seq":{seq}"#)));
    }
    // And what she does changes nothing of it, and tells her no more.
    let before = everything(&world, &ada(), 9);
    for op in [
        world.patch("secret", "[]"),
        world.delete("secret"),
        world.set("secret", "0"),
        world.index("secret", "by", "x"),
        world.unindex("secret", "by"),
        world.relate("secret", "r", "in", "f"),
        world.unrelate("secret", "r"),
        world.tag("secret", "t"),
        world.untag("secret", "t"),
    ] {
        let result = world.push_as(&eve, 1, &[op]).remove(0);
        let told = serde_json::to_string(&result).unwrap();
        assert!(!told.contains("secret") && result.code.is_some() && result.detail.is_none(), "{told}");
    }
    let seq = world.service.info(DB, &ada()).unwrap().seq;
    assert_eq!(
        everything(&world, &ada(), 9),
        before.replace(r#""seq":12,"limits""#, &format!(r#""seq":{seq},"limits""#))
    );
    assert!(!everything(&world, &eve, 1).contains("secret"));
}

#[test]
fn a_base_tells_nothing_of_a_hidden_item_that_was_deleted() {
    for policy in [Policy::RejectStale, Policy::Merge, Policy::Accept] {
        let mut world = World::new();
        world.reopen(|options| options.policies = [("c".to_owned(), policy)].into());
        let bob = only("bob", &["t"]);
        world.accept(9, world.set("once", "1"));
        let hidden = world.accept(9, based(world.delete("once"), 1));
        // One that he saw, in its last moment, and one that he saw before that only.
        world.accept_as(&bob, 1, world.set("seen", "1"));
        let seen = world.accept(9, based(world.delete("seen"), 3));
        world.accept_as(&bob, 1, world.set("lost", "1"));
        world.accept(9, based(world.untag("lost", "t"), 5));
        world.accept(9, based(world.delete("lost"), 6));
        let told = |client: u128, key: &str, base: u64| {
            let result = world.push_as(&bob, client, &[based(world.set(key, "2"), base)]).remove(0);
            (result.outcome, result.code, result.message, result.detail)
        };
        for base in (1..hidden + 9).filter(|_| policy != Policy::Accept) {
            let nothing = told(2, "never", base);
            assert_eq!(nothing.1, Some(Code::STALE));
            assert_eq!(told(2, "once", base), nothing, "{policy:?} {base}");
            assert_eq!(told(2, "lost", base), nothing, "{policy:?} {base}");
        }
        assert_eq!(told(2, "seen", seen - 1).1.is_some(), policy != Policy::Accept);
        assert_eq!(told(2, "seen", seen).0, PushOutcome::Accepted);
        for key in ["never", "once", "lost"] {
            assert_eq!(told(2, key, 0).0, PushOutcome::Accepted, "{key}");
        }
    }
}

#[test]
fn hidden_bytes_do_not_fill_a_page_and_those_of_whole_items_do() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    let value = format!("\"{}\"", "x".repeat(1_000_000));
    for i in 0..8 {
        world.accept(9, world.set(&format!("hidden{i}"), &value));
    }
    world.accept_as(&bob, 1, world.set("seen", "1"));
    // Hidden bytes do not fill a page.
    let page = world.page_as(&bob, 2, None, 10).unwrap();
    assert_eq!((page.entries.len(), page.more), (1, false));
    for i in 0..8 {
        world.accept(9, world.tag(&format!("hidden{i}"), "t"));
    }
    let page = world.page_as(&bob, 2, Some(page.cursor), 100).unwrap();
    assert!(page.more && page.entries.len() == 5, "{}", page.entries.len());
}

// Bob sees the first and the last of 60,002 items.
fn with_many_hidden(world: &World, bob: &Caller) -> rusqlite::Connection {
    world.accept_as(bob, 1, world.set("a", "1"));
    world.accept_as(bob, 1, world.set("z", "1"));
    let file = rusqlite::Connection::open(world.dir.path().join(format!("db-{DB}.sqlite"))).unwrap();
    file.execute_batch(
        "WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < 60000)
         INSERT INTO items (collection, key, rev, client, other, resources, value)
         SELECT (SELECT collection FROM items LIMIT 1), 'hidden' || i, i + 2, 1, 0, 0, '1' FROM number",
    )
    .unwrap();
    file
}

#[test]
fn a_page_looks_at_so_many_hidden_items_and_names_none_of_them() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    let file = with_many_hidden(&world, &bob);
    let (mut page, mut pages) = (None, Vec::new());
    for step in 0.. {
        let read = world.checkpoint_as(&bob, 2, page, 1).unwrap();
        assert_eq!(read.total, 2);
        pages.push(read.items.iter().map(|item| item.key.clone()).collect::<String>());
        page = read.next;
        let Some(next) = &page else { break };
        let token = base64::engine::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, next).unwrap();
        assert!(!String::from_utf8_lossy(&token).contains("hidden"));
        if step == 0 {
            // The last that was looked at among them: all is looked at again.
            file.execute_batch("UPDATE items SET rev = rev + 200000 WHERE key LIKE 'hidden%'").unwrap();
        }
    }
    assert!(pages[0] == "a" && pages.concat() == "az" && pages.len() <= 3, "{pages:?}");
}

#[test]
fn a_hidden_item_that_changes_all_the_time_ends_no_more_than_one_page() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    let file = with_many_hidden(&world, &bob);
    let (mut page, mut pages) = (None, Vec::new());
    while pages.len() < 5 {
        let read = world.checkpoint_as(&bob, 2, page, 1).unwrap();
        pages.push(read.items.iter().map(|item| item.key.clone()).collect::<String>());
        page = read.next;
        if page.is_none() {
            break;
        }
        // The last that a page looks at from the first item on, and from behind it.
        file.execute_batch(
            "UPDATE items SET rev = rev + 200000 WHERE key IN
                 (SELECT key FROM items WHERE key LIKE 'hidden%' ORDER BY key LIMIT 2 OFFSET 49998)",
        )
        .unwrap();
    }
    assert_eq!((pages.concat().as_str(), page), ("az", None), "{pages:?}");
}
