//! What a request with a filter is told (sections 4 and 5).

use crate::world::*;
use std::collections::BTreeSet;
use syncstore::protocol::{Entry, EntryOutcome, Filter, InboxPage, Op, Scope};
use syncstore::wire::Expiry;
use syncstore_server::service::{Caller, CheckpointRequest, InboxRequest, ServiceError};

fn filter(text: &str) -> Filter {
    Filter::parse(text).unwrap()
}

fn scope(of: &str, have: Option<&str>) -> Scope {
    Scope { filter: filter(of), have: have.map(filter) }
}

fn read(
    world: &World,
    caller: &Caller,
    client: u128,
    cursor: Option<syncstore::protocol::Cursor>,
    scope: &Scope,
) -> Result<InboxPage, ServiceError> {
    let request = InboxRequest { client: id(client), cursor, limit: 10_000, own_payloads: false, scope: scope.clone() };
    world.service.inbox(DB, caller, &request)
}

fn inbox(world: &World, caller: &Caller, client: u128, scope: &Scope) -> Vec<Entry> {
    let page = read(world, caller, client, None, scope).unwrap();
    assert!(!page.more);
    page.entries
}

/// The items of a checkpoint as "collection/key", read in pages of two.
fn checkpoint(world: &World, caller: &Caller, client: u128, scope: &Scope) -> Vec<String> {
    let (mut items, mut page, mut total) = (Vec::new(), None, None);
    loop {
        let request = CheckpointRequest { client: id(client), page, limit: 2, scope: scope.clone() };
        let read = world.service.checkpoint(DB, caller, &request).unwrap();
        assert!(read.items.len() <= 2);
        assert_eq!(*total.get_or_insert(read.total), read.total);
        items.extend(read.items.iter().map(|item| format!("{}/{}", item.collection, item.key)));
        page = read.next;
        if page.is_none() {
            assert_eq!(total, Some(items.len() as u64));
            return items;
        }
    }
}

fn of(op: Op, collection: &str) -> Op {
    Op { collection: collection.into(), ..op }
}

/// a/1, a/2, b/1, b/21, b/22, b/3 and c/1, made by client 9.
fn filled() -> World {
    let world = World::new();
    for (collection, key) in [("b", "1"), ("b", "21"), ("a", "1"), ("c", "1"), ("b", "3"), ("a", "2"), ("b", "22")] {
        world.accept(9, of(world.set(key, "1"), collection));
    }
    world
}

#[test]
fn the_inbox_tells_of_what_is_kept_and_its_cursor_passes_the_rest() {
    let world = filled();
    let seqs = |scope: &Scope| inbox(&world, &ada(), 1, scope).iter().map(|entry| entry.seq).collect::<Vec<_>>();
    assert_eq!(seqs(&scope("a", None)), [3, 6]);
    assert_eq!(seqs(&scope("a,b:2", None)), [2, 3, 6, 7]);
    assert_eq!(seqs(&scope("b:21,b:3,nothing", None)), [2, 5]);
    assert_eq!(seqs(&scope("", None)), [0; 0]);
    assert_eq!(seqs(&scope("a,b", Some("b:2,a"))), [1, 5]);
    assert_eq!(seqs(&Scope { filter: Filter::everything(), have: Some(filter("b,a:1")) }), [4, 6]);
    let page = read(&world, &ada(), 1, None, &scope("c", None)).unwrap();
    assert_eq!((page.seq, page.more), (7, false));
    world.accept(9, of(world.set("2", "1"), "b"));
    let page = read(&world, &ada(), 1, Some(page.cursor.clone()), &scope("c", None)).unwrap();
    assert!(page.entries.is_empty() && page.seq == 8, "it moves on though there is nothing");
}

#[test]
fn a_page_looks_at_so_many_entries_that_are_left_out_and_moves_on() {
    let world = filled();
    let file = rusqlite::Connection::open(world.dir.path().join(format!("db-{DB}.sqlite"))).unwrap();
    file.execute_batch(
        "WITH RECURSIVE number(i) AS (SELECT 8 UNION ALL SELECT i + 1 FROM number WHERE i < 60007)
         INSERT INTO log SELECT i, randomblob(16), client, kind, flags, collection, key, from_rev, at, batch, resource, name,
            tags, tags_before, payload FROM log, number WHERE seq = 1;
         UPDATE state SET head = 60007, next = 60008, entries = 60007",
    )
    .unwrap();
    let first = read(&world, &ada(), 1, None, &scope("a", None)).unwrap();
    assert_eq!((first.entries.len(), first.seq, first.more), (2, 50_000, true));
    let second = read(&world, &ada(), 1, Some(first.cursor), &scope("a", None)).unwrap();
    assert_eq!((second.entries.len(), second.seq, second.more), (0, 60_007, false));
}

#[test]
fn the_outcomes_of_own_ops_come_whatever_is_kept() {
    let world = World::new();
    let (kept, other) = (of(world.set("k", "1"), "a"), of(world.set("k", "1"), "b"));
    let (refused, nothing) = (of(world.patch("x", "[]"), "b"), of(world.delete("y"), "b"));
    world.push(1, &[kept, other.clone(), refused, nothing]);
    let words = |scope: &Scope| {
        let word = |entry: &Entry| match entry {
            _ if entry.outcome == EntryOutcome::Rejected => "rejected",
            _ if entry.hidden => "hidden",
            _ => "shown",
        };
        inbox(&world, &ada(), 1, scope).iter().map(|entry| (entry.seq, word(entry))).collect::<Vec<_>>()
    };
    let hidden = [(1, "shown"), (2, "hidden"), (3, "rejected"), (4, "hidden")];
    assert_eq!(words(&scope("a", None)), hidden);
    let entry = inbox(&world, &ada(), 1, &scope("a", None)).remove(1);
    assert_eq!((entry.op_ref, entry.collection, entry.kind, entry.rev), (other.op_ref, None, None, None));
    // What the replica has is told with another cursor; that a rejected op was on it nobody can say.
    assert_eq!(words(&scope("a", Some("b"))), [(1, "shown"), (3, "rejected")]);
    assert_eq!(words(&scope("a,b", Some("b"))), [(1, "shown"), (3, "rejected")]);
    assert_eq!(inbox(&world, &ada(), 2, &scope("a", None)).len(), 1, "others are told of what is kept alone");
}

#[test]
fn a_cursor_is_of_its_filter_and_not_of_what_the_replica_has() {
    let world = filled();
    let cursor = read(&world, &ada(), 1, None, &scope("a,b:2", Some("a"))).unwrap().cursor;
    assert!(
        read(&world, &ada(), 1, Some(cursor.clone()), &scope("b:2,a,a:1", None)).is_ok(),
        "the same, in other words"
    );
    for other in [scope("a", None), scope("a,b", None), Scope::default()] {
        let error = read(&world, &ada(), 1, Some(cursor.clone()), &other).unwrap_err();
        assert!(matches!(error, ServiceError::CursorExpired(Expiry::Filter)), "{error}");
        assert_eq!(error.problem().reason.as_deref(), Some("filter"));
    }
    let with_tags = only("ada", &["t"]);
    let error = read(&world, &with_tags, 1, Some(cursor.clone()), &scope("a,b:2", None)).unwrap_err();
    assert!(matches!(error, ServiceError::CursorExpired(Expiry::Filter)), "{error}");
    // A push does not mind.
    assert!(world.push_at(1, Some(cursor), &[world.set("k", "1")]).is_ok());
    // The cursor of a checkpoint is the one of its filter, too.
    let request = CheckpointRequest { client: id(1), page: None, limit: 10, scope: scope("a,c", Some("a")) };
    let page = world.service.checkpoint(DB, &ada(), &request).unwrap();
    assert!(read(&world, &ada(), 1, Some(page.cursor.clone()), &scope("a,c", None)).is_ok());
    assert!(read(&world, &ada(), 1, Some(page.cursor), &scope("c", None)).is_err());
}

#[test]
fn a_checkpoint_has_what_is_kept_and_is_not_had() {
    let world = filled();
    let at = |of: &str, have: Option<&str>| checkpoint(&world, &ada(), 1, &scope(of, have));
    assert_eq!(at("a,c", None), ["a/1", "a/2", "c/1"]);
    assert_eq!(at("b:2,b:3", None), ["b/21", "b/22", "b/3"]);
    assert_eq!(at("a,b", Some("b:2,a:1")), ["b/1", "b/3", "a/2"]);
    assert_eq!(at("a", Some("a")), [""; 0]);
    assert_eq!(at("", None), [""; 0]);
    assert_eq!(at("missing,a:2", Some("missing")), ["a/2"]);
    let all = |have: Option<&str>| {
        checkpoint(&world, &ada(), 1, &Scope { filter: Filter::everything(), have: have.map(filter) })
    };
    assert_eq!(all(None).len(), 7);
    assert_eq!(all(Some("b:2,c,b:1")), ["b/3", "a/1", "a/2"]);
}

#[test]
fn the_pages_of_a_checkpoint_are_of_one_filter() {
    let world = filled();
    let page = |page, filter: &str| {
        let request = CheckpointRequest { client: id(1), page, limit: 1, scope: scope(filter, None) };
        world.service.checkpoint(DB, &ada(), &request)
    };
    let first = page(None, "a,b").unwrap();
    assert!(page(first.next.clone(), "b,a").is_ok());
    assert!(matches!(page(first.next, "a"), Err(ServiceError::CheckpointExpired)));
}

#[test]
fn the_log_is_kept_behind_the_checkpoint_of_another_filter_though_its_client_reads_on_with_the_one_before() {
    let world = World::with(|options| options.retention.log_entries = 2);
    for n in 0..5 {
        world.accept(9, of(world.set(&format!("{n}"), "1"), "a"));
    }
    let before = Scope::of(filter("b"));
    let cursor = world.checkpoint(1, None, 1).unwrap();
    let request = CheckpointRequest { client: id(1), page: None, limit: 10, scope: before.clone() };
    let old = world.service.checkpoint(DB, &ada(), &request).unwrap().cursor;
    assert_ne!(old, cursor.cursor);
    let request = CheckpointRequest { client: id(1), page: None, limit: 10, scope: scope("a,b", Some("b")) };
    let new = world.service.checkpoint(DB, &ada(), &request).unwrap();
    assert_eq!((new.items.len(), new.next), (5, None));
    for n in 0..5 {
        world.accept(9, of(world.set(&format!("{n}"), "2"), "a"));
    }
    // With the cursor of before it has read all of this.
    let page = read(&world, &ada(), 1, Some(old), &before).unwrap();
    read(&world, &ada(), 1, Some(page.cursor), &before).unwrap();
    world.service.prune(DB).unwrap();
    assert_eq!(read(&world, &ada(), 1, Some(new.cursor), &scope("a,b", Some("b"))).unwrap().entries.len(), 5);
}

#[test]
fn a_filter_shows_nothing_that_is_not_shown_without() {
    let world = World::new();
    let bob = only("bob", &["t"]);
    for (n, collection) in ["a", "b", "a", "b", "c"].into_iter().enumerate() {
        let key = format!("k{n}");
        world.accept(9, of(world.set(&key, r#"{"secret":1}"#), collection));
        if n % 2 == 0 {
            world.accept(9, of(world.tag(&key, "t"), collection));
            world.accept(9, of(world.index(&key, "by", "1"), collection));
        }
        if n == 2 {
            world.accept(9, of(world.untag(&key, "t"), collection));
        }
        world.accept_as(&bob, 1, of(world.set(&format!("own{n}"), "1"), collection));
    }
    world.push_as(&bob, 1, &[of(world.set("k1", "0"), "b"), of(world.patch("k1", "[]"), "b")]);
    let json = |entry: &Entry| serde_json::to_string(entry).unwrap();
    for client in [1, 2] {
        let without: BTreeSet<String> = inbox(&world, &bob, client, &Scope::default()).iter().map(json).collect();
        let items: BTreeSet<String> = checkpoint(&world, &bob, client, &Scope::default()).into_iter().collect();
        for (of, have) in [("a", None), ("a,b:k", None), ("", None), ("a,b,c", Some("a")), ("b", Some("a,c:own"))] {
            let scope = scope(of, have);
            for entry in inbox(&world, &bob, client, &scope) {
                let outcome = Entry { hidden: true, ..Entry::new(entry.seq, entry.op_ref, entry.outcome) };
                let own = client == 1 && json(&entry) == json(&outcome);
                assert!(own || without.contains(&json(&entry)), "{of}: {entry:?}");
            }
            for item in checkpoint(&world, &bob, client, &scope) {
                let (collection, key) = item.split_once('/').unwrap();
                assert!(scope.has(collection, key) && items.contains(&item), "{of}: {item}");
            }
        }
        // And nothing of what is kept is left out.
        let all = scope("a,b,c", None);
        assert_eq!(inbox(&world, &bob, client, &all).iter().map(json).collect::<BTreeSet<_>>(), without);
        assert_eq!(checkpoint(&world, &bob, client, &all).into_iter().collect::<BTreeSet<_>>(), items);
    }
}

#[test]
fn pages_of_a_filtered_checkpoint_and_its_replay_make_what_is_there() {
    let world = World::new();
    let key = |n: u64| format!("{}{:02}", n % 3, n % 20);
    for n in 0..60 {
        world.accept(9, of(world.set(&key(n), "0"), ["a", "b"][n as usize % 2]));
    }
    let wanted = scope("a:1,b", Some("b:2"));
    let mut found = std::collections::BTreeMap::new();
    let (mut page, mut cursor) = (None, None);
    for step in 0.. {
        let request = CheckpointRequest { client: id(1), page, limit: 3, scope: wanted.clone() };
        let read = world.service.checkpoint(DB, &ada(), &request).unwrap();
        cursor.get_or_insert(read.cursor);
        found.extend(
            read.items.into_iter().map(|item| ((item.collection, item.key), (item.rev, item.value.to_string()))),
        );
        world.push(9, &[of(world.set(&key(step * 7), "1"), "a"), of(world.delete(&key(step * 11)), "b")]);
        page = read.next;
        if page.is_none() {
            break;
        }
    }
    for entry in read(&world, &ada(), 1, cursor, &wanted).unwrap().entries {
        let at = (entry.collection.clone().unwrap(), entry.key.clone().unwrap());
        let known = found.get(&at).map(|(rev, _)| *rev);
        if known.is_some_and(|known| entry.seq <= known) || (known.is_none() && entry.from != Some(0)) {
            continue;
        }
        match entry.value {
            Some(value) => found.insert(at, (entry.rev.unwrap(), value.to_string())),
            None => found.remove(&at),
        };
    }
    let found: Vec<String> = found.into_keys().map(|(collection, key)| format!("{collection}/{key}")).collect();
    assert_eq!(found, checkpoint(&world, &ada(), 2, &wanted));
}
