//! Queries by key and by index: order, bounds, pages that hold while others write.

use crate::support::Fleet;
use serde_json::json;
use std::ops::ControlFlow;
use syncstore::{Error, Query, Rows, Store};

fn filled(fleet: &Fleet) -> Store {
    let store = fleet.open("a");
    let mut batch = store.batch();
    for (key, order) in [("a", "2"), ("b", "1"), ("c", "2"), ("d", "3"), ("e", "10"), ("f", "ä")] {
        batch.set("c", key, &json!({"key": key})).unwrap().set_index("c", key, "by", order).unwrap();
    }
    batch.set("c", "unlisted", &1).unwrap().set("other", "a", &1).unwrap();
    batch.set_index("other", "a", "by", "2").unwrap().set_index("c", "a", "another", "9").unwrap();
    batch.commit().unwrap();
    store
}

fn keys(rows: &Rows) -> String {
    rows.iter().map(|row| row.key).collect::<Vec<_>>().join(" ")
}

fn run(query: Query<'_>) -> String {
    keys(&query.run().unwrap())
}

#[test]
fn an_index_is_read_by_ordering_key_and_then_by_key() {
    let fleet = Fleet::new();
    let store = filled(&fleet);
    let by = || store.query("c").index("by");
    assert_eq!(run(by()), "b e a c d f");
    assert_eq!(run(by().reverse()), "f d c a e b");
    assert_eq!(run(by().from("2")), "a c d f");
    assert_eq!(run(by().to("2")), "b e");
    assert_eq!(run(by().from("10").to("3").reverse()), "c a e");
    assert_eq!(run(by().prefix("1")), "b e");
    assert_eq!(run(by().prefix("ä")), "f");
    assert_eq!(run(store.query("c").index("another")), "a");
    assert_eq!(
        (run(store.query("c").index("none")), run(store.query("none").index("by"))),
        (String::new(), String::new())
    );
    let rows = by().limit(1).run().unwrap();
    let row = rows.get(0).unwrap();
    assert_eq!((row.order, row.key, row.value), (Some("1"), "b", Some(r#"{"key":"b"}"#)));
    assert_eq!(row.to::<serde_json::Value>().unwrap().unwrap()["key"], "b");
    let rows = by().keys_only().run().unwrap();
    assert_eq!(
        (keys(&rows).as_str(), rows.get(0).unwrap().value, rows.get(0).unwrap().order),
        ("b e a c d f", None, Some("1"))
    );
}

#[test]
fn a_collection_is_read_by_key_without_an_index() {
    let fleet = Fleet::new();
    let store = filled(&fleet);
    store.delete("c", "b").unwrap();
    assert_eq!(run(store.query("c").to("e")), "a c d");
    assert_eq!(run(store.query("c").from("d").reverse().keys_only()), "unlisted f e d");
    assert_eq!(run(store.query("c").prefix("un")), "unlisted");
    let rows = store.query("c").limit(1).run().unwrap();
    let row = rows.get(0).unwrap();
    assert_eq!((row.order, row.key, row.value), (None, "a", Some(r#"{"key":"a"}"#)));
    assert!(rows.more() && rows.get(1).is_none());
}

#[test]
fn what_is_deleted_moved_or_taken_out_is_found_no_more_where_it_was() {
    let fleet = Fleet::new();
    let store = filled(&fleet);
    store.delete("c", "a").unwrap();
    store.set_index("c", "b", "by", "9").unwrap();
    store.delete_index("c", "d", "by").unwrap();
    assert_eq!(run(store.query("c").index("by")), "e c b f");
}

#[test]
fn pages_of_every_size_add_up_to_the_whole_in_both_directions() {
    let fleet = Fleet::new();
    let store = filled(&fleet);
    for index in [false, true] {
        for reverse in [false, true] {
            for values in [false, true] {
                let query = || {
                    let mut query = store.query("c");
                    query = if index { query.index("by").from("10").to("zz") } else { query.from("b") };
                    query = if reverse { query.reverse() } else { query };
                    if values { query } else { query.keys_only() }
                };
                let whole = run(query());
                for size in 1..=8 {
                    let (mut pages, mut token) = (Vec::new(), None::<String>);
                    loop {
                        let page =
                            token.iter().fold(query().limit(size), |query, token| query.resume(token)).run().unwrap();
                        pages.push(keys(&page));
                        assert!(pages.len() <= 7, "it comes to no end: {pages:?}");
                        assert!(page.len() <= size && page.more() == page.next().is_some());
                        match page.next() {
                            Some(next) => token = Some(next.to_owned()),
                            None => break,
                        }
                    }
                    assert_eq!(pages.join(" "), whole, "{index} {reverse} {values} {size}");
                }
            }
        }
    }
}

#[test]
fn a_token_holds_while_what_it_stands_for_changes() {
    let fleet = Fleet::new();
    let store = filled(&fleet);
    let by = |store: &Store, reverse: bool| {
        let query = store.query("c").index("by").limit(3);
        if reverse { query.reverse().run() } else { query.run() }.unwrap()
    };
    let (up, down) = (by(&store, false), by(&store, true));
    assert_eq!((keys(&up).as_str(), keys(&down).as_str()), ("b e a", "f d c"));
    // The rows that both stand behind go, and others come on either side.
    store.delete("c", "a").unwrap();
    store.delete_index("c", "c", "by").unwrap();
    for (key, order) in [("before", "1"), ("b2", "2"), ("a0", "2"), ("z", "2")] {
        store.set("c", key, &1).unwrap();
        store.set_index("c", key, "by", order).unwrap();
    }
    drop(store);
    let store = fleet.open("a");
    assert_eq!(run(store.query("c").index("by").resume(up.next().unwrap())), "a0 b2 z d f");
    assert_eq!(run(store.query("c").index("by").reverse().resume(down.next().unwrap())), "b2 a0 e before b");
    // In another range it is a place all the same.
    assert_eq!(run(store.query("c").index("by").from("3").resume(up.next().unwrap())), "d f");
    assert_eq!(run(store.query("c").index("by").to("2").resume(up.next().unwrap())), "");
    assert_eq!(run(store.query("c").index("by").reverse().to("2").resume(up.next().unwrap())), "e before b");
}

#[test]
fn a_token_of_another_kind_of_query_is_refused() {
    let fleet = Fleet::new();
    let store = filled(&fleet);
    let by_index = store.query("c").index("by").limit(1).run().unwrap();
    let by_key = store.query("c").limit(1).run().unwrap();
    let refused = [
        store.query("c").resume(by_index.next().unwrap()).run(),
        store.query("c").index("by").resume(by_key.next().unwrap()).run(),
        store.query("c").resume("").run(),
    ];
    assert!(refused.iter().all(|rows| matches!(rows, Err(Error::ResumeToken))));
    // A limit of nothing stays where it is.
    let token = by_key.next().unwrap();
    assert_eq!(store.query("c").limit(0).resume(token).run().unwrap().next(), Some(token));
}

#[test]
fn rows_are_handed_out_one_by_one_until_there_are_enough() {
    let fleet = Fleet::new();
    let store = filled(&fleet);
    let read = |query: Query<'_>, most: usize| {
        let mut seen = Vec::new();
        query
            .for_each(|row| {
                seen.push(row.key.to_owned());
                // The store is free for use meanwhile, and what is read stays as of its moment.
                store.delete("c", row.key).unwrap();
                if seen.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        seen.join(" ")
    };
    assert_eq!(read(store.query("c").index("by"), 2), "b e");
    assert_eq!(read(store.query("c").index("by").limit(1), 9), "a");
    assert_eq!(read(store.query("c").index("by").limit(0), 9), "");
    assert_eq!(read(store.query("c").index("by"), 9), "c d f");
    assert_eq!(read(store.query("c"), 9), "unlisted");
}
