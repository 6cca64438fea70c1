//! Checkpoints (section 5).

use crate::world::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeMap;
use syncstore::wire::Expiry;
use syncstore_server::service::ServiceError;

#[test]
fn a_checkpoint_read_while_writes_go_on_and_its_replay_make_the_present_state() {
    let world = World::new();
    for i in 0..50 {
        world.accept(1, world.set(&format!("k{i:02}"), "0"));
    }
    let mut items = BTreeMap::new();
    let (mut page, mut first) = (None, None);
    for step in 0.. {
        let read = world.checkpoint(2, page, 10).unwrap();
        let first = first.get_or_insert((read.checkpoint.clone(), read.cursor.clone(), read.seq, read.total));
        assert_eq!(*first, (read.checkpoint, read.cursor, read.seq, read.total), "the same on every page");
        items.extend(read.items.into_iter().map(|item| (item.key.clone(), item)));
        world.accept(1, world.set(&format!("k{:02}", step * 7 % 50), "9"));
        world.accept(1, world.delete(&format!("k{:02}", step * 11 % 50)));
        world.accept(1, world.set(&format!("new{step}"), "1"));
        page = read.next;
        if page.is_none() {
            break;
        }
    }
    let (_, cursor, seq, total) = first.unwrap();
    assert_eq!((seq, total), (50, 50));
    let mut state: BTreeMap<String, (u64, String)> =
        items.into_iter().map(|(key, item)| (key, (item.rev, item.value.to_string()))).collect();
    for entry in world.pull(2, Some(cursor)).0 {
        let (key, rev) = (entry.key.clone().unwrap(), entry.rev.unwrap());
        let known = state.get(&key).map(|(rev, _)| *rev);
        if known.is_some_and(|known| rev <= known) || (known.is_none() && entry.from != Some(0)) {
            continue;
        }
        match entry.value {
            Some(value) => state.insert(key, (rev, value.to_string())),
            None => state.remove(&key),
        };
    }
    let state: Vec<String> = state.into_iter().map(|(key, (_, value))| format!("{key}={value}")).collect();
    assert_eq!(state, world.items());
}

#[test]
fn the_log_is_not_pruned_behind_a_checkpoint_until_it_expires() {
    let world = World::with(|options| options.retention.log_entries = 2);
    for i in 0..5 {
        world.accept(1, world.set(&format!("k{i}"), "1"));
    }
    let checkpoint = world.checkpoint(2, None, 2).unwrap();
    for i in 0..5 {
        world.accept(1, world.set(&format!("k{i}"), "2"));
    }
    world.service.prune(DB).unwrap();
    assert_eq!(world.pull(2, Some(checkpoint.cursor.clone())).0.len(), 5);
    // Using it keeps it.
    world.pass(DAY * 3 / 4);
    let second = world.checkpoint(2, checkpoint.next, 2).unwrap();
    world.pass(DAY * 3 / 4);
    world.service.prune(DB).unwrap();
    assert_eq!(world.pull(2, Some(checkpoint.cursor.clone())).0.len(), 5);
    world.pass(DAY * 5 / 4);
    world.service.prune(DB).unwrap();
    let error = world.checkpoint(2, second.next, 2).unwrap_err();
    assert_eq!((error.problem().status, error.problem().code.as_str()), (410, "checkpoint_expired"));
    assert!(matches!(world.page(2, Some(checkpoint.cursor), 9), Err(ServiceError::CursorExpired(_))));
}

#[test]
fn the_log_is_not_kept_behind_a_checkpoint_that_another_took_the_place_of() {
    let world = World::with(|options| options.retention.log_entries = 2);
    let write_five = |value: &str| {
        for i in 0..5 {
            world.accept(1, world.set(&format!("k{i}"), value));
        }
    };
    write_five("1");
    let before = world.checkpoint(2, None, 9).unwrap().cursor;
    write_five("2");
    let after = world.checkpoint(2, None, 9).unwrap().cursor;
    write_five("3");
    world.service.prune(DB).unwrap();
    let gone = world.page(2, Some(before), 9);
    assert!(matches!(gone, Err(ServiceError::CursorExpired(Expiry::Pruned))), "{gone:?}");
    assert_eq!(world.pull(2, Some(after)).0.len(), 5);
}

#[test]
fn a_page_token_that_is_garbage_or_anothers_is_an_expired_checkpoint() {
    let world = World::new();
    for i in 0..5 {
        world.accept(1, world.set(&format!("k{i}"), "1"));
    }
    let next = world.checkpoint(2, None, 2).unwrap().next.unwrap();
    let expired = |client, page: &str| {
        matches!(world.checkpoint(client, Some(page.to_owned()), 2), Err(ServiceError::CheckpointExpired))
    };
    assert!(expired(2, "garbage") && expired(2, "") && expired(2, &next[..20]) && expired(3, &next));
    assert!(!expired(2, &next));
    // A new checkpoint takes the place of the replica's earlier one.
    world.checkpoint(2, None, 2).unwrap();
    assert!(expired(2, &next));
}

#[test]
fn pages_are_bounded_by_bytes_and_have_every_item_once() {
    let world = World::new();
    let value = format!("\"{}\"", "x".repeat(1_000_000));
    for i in 0..6 {
        world.accept(1, world.set(&format!("k{i}"), &value));
    }
    let first = world.checkpoint(2, None, 100).unwrap();
    assert_eq!(first.items.len(), 5);
    let second = world.checkpoint(2, first.next, 100).unwrap();
    assert_eq!((second.items.len(), second.next), (1, None));
}

#[test]
fn a_checkpoint_that_was_read_holds_the_log_only_from_where_its_replay_has_come() {
    let world = World::with(|options| options.retention.log_entries = 2);
    for i in 0..5 {
        world.accept(1, world.set(&format!("k{i}"), "1"));
    }
    let first = world.checkpoint(2, None, 3).unwrap();
    let write_ten = |value: &str| {
        for i in 0..10 {
            world.accept(1, world.set(&format!("k{}", i % 5), value));
        }
    };
    write_ten("2");
    // Read from while its pages are loaded, as by another store: it holds the log all the same.
    world.pull(2, Some(world.head_or_new(1)));
    world.service.prune(DB).unwrap();
    let last = world.checkpoint(2, first.next.clone(), 3).unwrap();
    assert_eq!(last.next, None);
    // Its answer may be lost: the page is read again, and the replay can still begin.
    assert_eq!(world.checkpoint(2, first.next, 3).unwrap().cursor, last.cursor);
    world.service.prune(DB).unwrap();
    let page = world.page(2, Some(last.cursor.clone()), 4).unwrap();
    world.service.prune(DB).unwrap();
    // Neither may this page have arrived.
    assert_eq!(world.page(2, Some(last.cursor.clone()), 4).unwrap().cursor, page.cursor);
    let (entries, head) = world.pull(2, Some(page.cursor));
    assert_eq!(entries.len(), 6);
    world.service.prune(DB).unwrap();
    let gone = world.page(2, Some(last.cursor), 4);
    assert!(matches!(gone, Err(ServiceError::CursorExpired(_))), "it has asked for what comes after: {gone:?}");
    // At the head it holds nothing back.
    write_ten("3");
    let (_, head) = world.pull(2, Some(head));
    world.pull(2, Some(head));
    world.service.prune(DB).unwrap();
    assert_eq!(world.service.stats()[0].log_entries, 2);
}

#[test]
fn the_name_of_a_page_that_a_caller_makes_up_tells_nothing_of_hidden_items() {
    let world = World::new();
    let bob = only("bob", &["b"]);
    for key in ["a", "c", "e"] {
        world.accept_as(&bob, 2, world.set(key, "1"));
    }
    // The fourth item, behind two of Bob's.
    let rev = world.accept(1, world.set("d", "1"));
    let page = world.checkpoint_as(&bob, 2, None, 1).unwrap();
    assert_eq!(page.items[0].key, "a");
    let mut name = URL_SAFE_NO_PAD.decode(page.next.unwrap()).unwrap();
    name[16..24].copy_from_slice(&4_i64.to_be_bytes());
    name[24..32].copy_from_slice(&rev.to_be_bytes());
    let keys = |name: &[u8]| {
        let page = world.checkpoint_as(&bob, 2, Some(URL_SAFE_NO_PAD.encode(name)), 10)?;
        Ok::<_, ServiceError>(page.items.into_iter().map(|item| item.key).collect::<Vec<_>>())
    };
    assert!(keys(&name).is_err(), "otherwise it tells whether there is a hidden item, and that it lies behind c");
    // One that another process of this server may have sealed.
    name.extend([7; 16]);
    assert_eq!(keys(&name).unwrap(), ["c", "e"]);
}
