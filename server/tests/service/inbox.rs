//! Reading the log (section 4).

use crate::world::*;
use syncstore::protocol::{EntryOutcome, OpKind};
use syncstore_server::service::InboxRequest;

#[test]
fn entries_come_in_seq_order_with_the_rev_before_and_after() {
    let world = World::new();
    world.accept(1, world.set("a", "{}"));
    world.accept(2, world.set("b", "1"));
    world.accept(2, world.patch("a", r#"[{"op":"add","path":"/x","value":1}]"#));
    world.accept(1, world.delete("a"));
    world.accept(1, world.set("a", "2"));
    let entries = world.pull(3, None).0;
    let seen: Vec<_> = entries.iter().map(|entry| (entry.seq, entry.from.unwrap(), entry.rev.unwrap())).collect();
    assert_eq!(seen, [(1, 0, 1), (2, 0, 2), (3, 1, 3), (4, 3, 4), (5, 0, 5)]);
    assert_eq!(entries[2].kind, Some(OpKind::Patch));
    assert!(entries[2].patch.is_some() && entries[2].value.is_none());
    assert_eq!(entries[0].at.as_deref(), Some("2026-09-21T14:13:20.000Z"));
}

#[test]
fn own_payloads_are_left_out_unless_asked_for_and_others_never() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    let own = world.pull(1, None).0.remove(0);
    assert!(own.as_sent && own.value.is_none() && own.key.is_some());
    let request =
        InboxRequest { client: id(1), cursor: None, limit: 10, own_payloads: true, scope: Default::default() };
    let full = world.service.inbox(DB, &ada(), &request).unwrap().entries.remove(0);
    assert!(!full.as_sent && full.value.is_some());
    let other = world.pull(2, None).0.remove(0);
    assert!(!other.as_sent && other.value.is_some());
}

#[test]
fn rejections_reach_their_client_alone_and_the_cursor_passes_them() {
    let world = World::new();
    world.push(1, &[world.patch("a", "[]")]);
    let own = world.page(1, None, 10).unwrap();
    assert_eq!(own.entries[0].outcome, EntryOutcome::Rejected);
    assert_eq!(own.entries[0].code.as_ref().unwrap().as_str(), "not_found");
    assert!(own.entries[0].message.is_some());
    let other = world.page(2, None, 10).unwrap();
    assert!(other.entries.is_empty() && !other.more);
    assert_eq!(other.seq, 1);
    assert!(world.pull(2, Some(other.cursor)).0.is_empty());
}

#[test]
fn pages_follow_one_another_without_gap_or_repeat() {
    let world = World::new();
    for i in 0..25 {
        world.accept(1, world.set(&format!("k{i}"), "1"));
    }
    let (mut cursor, mut seqs) = (None, Vec::new());
    loop {
        let page = world.page(2, cursor, 10).unwrap();
        assert_eq!(page.seq, page.entries.last().unwrap().seq);
        seqs.extend(page.entries.iter().map(|entry| entry.seq));
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
    }
    assert_eq!(seqs, (1..=25).collect::<Vec<_>>());
    let page = world.page(2, cursor.clone(), 10).unwrap();
    assert!(page.entries.is_empty() && !page.more && page.seq == 25);
    assert_eq!(Some(page.cursor), cursor);
}

#[test]
fn a_batch_is_never_cut_by_a_page() {
    let world = World::new();
    world.accept(1, world.set("a", "1"));
    let ops: Vec<_> = (0..5).map(|i| batch(world.set(&format!("k{i}"), "1"), 1, 5)).collect();
    world.push(1, &ops);
    world.accept(1, world.set("z", "1"));
    let first = world.page(2, None, 2).unwrap();
    assert_eq!(first.entries.len(), 6);
    assert!(first.more);
    let second = world.page(2, Some(first.cursor), 2).unwrap();
    assert_eq!(second.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [7]);
}

#[test]
fn a_page_is_bounded_by_bytes_too() {
    let world = World::new();
    let value = format!("\"{}\"", "x".repeat(1_000_000));
    for i in 0..6 {
        world.accept(1, world.set(&format!("k{i}"), &value));
    }
    let page = world.page(2, None, 100).unwrap();
    assert!(page.more && page.entries.len() == 5, "{}", page.entries.len());
}

#[test]
fn the_tags_of_whole_items_count_towards_the_bytes_of_a_page() {
    let world = World::new();
    let tags: Vec<String> = (0..100).map(|n| format!("{n:0>128}")).collect();
    let maker = only("maker", &tags.iter().map(String::as_str).collect::<Vec<_>>());
    let ops: Vec<_> = (0..500).map(|i| world.set(&format!("k{i}"), "1")).collect();
    world.push_as(&maker, 1, &ops);
    let page = world.page(2, None, 1_000).unwrap();
    assert!(page.entries[0].full && page.entries[0].tags.len() == 100);
    // With the quotes and the comma.
    let bytes = page.entries.iter().flat_map(|entry| &entry.tags).map(|tag| tag.len() + 3).sum::<usize>();
    assert!(page.more && (4 << 20..5 << 20).contains(&bytes), "{} entries, {bytes}", page.entries.len());
    assert_eq!(world.page(2, Some(page.cursor), 1_000).unwrap().entries.len(), 500 - page.entries.len());
}

#[test]
fn an_empty_log_has_a_cursor_at_zero() {
    let world = World::new();
    let page = world.page(1, None, 10).unwrap();
    assert_eq!((page.seq, page.more), (0, false));
    world.accept(2, world.set("a", "1"));
    assert_eq!(world.pull(1, Some(page.cursor)).0.len(), 1);
}
