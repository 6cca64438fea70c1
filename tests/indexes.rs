//! Automatic indexes: declared by the host, kept in step by the store.

use rusqlite::Connection;
use serde_json::json;
use std::time::{Duration, SystemTime};
use syncstore::{Cancel, Error, FindingCode, IndexError, IndexValue, IndexedField, Options, Progress, Query, Store};
use tempfile::TempDir;

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("s.db"), Options::default()).unwrap();
    (dir, store)
}

fn declare(store: &Store, name: &str, field: impl Into<IndexedField>) {
    if store.declare_index("c", name, field).unwrap() {
        store.build_index("c", name, &mut |_| {}).unwrap();
    }
}

/// The keys of all rows, which are the same whether values are read, with that of a page of one after the other.
fn run(query: Query<'_>) -> String {
    let whole = query.clone().run().unwrap();
    let keys: Vec<&str> = whole.iter().map(|row| row.key).collect();
    assert!(whole.iter().all(|row| row.value.is_some()));
    let names = query.clone().keys_only().run().unwrap();
    let places = |rows: &syncstore::Rows| {
        rows.iter().map(|row| (row.order.map(str::to_owned), row.key.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(places(&names), places(&whole));
    let (mut paged, mut token) = (Vec::new(), None);
    loop {
        let page = query.clone().limit(1);
        let page = match &token {
            Some(token) => page.resume(String::clone(token)),
            None => page,
        };
        let page = page.run().unwrap();
        paged.extend(places(&page));
        match page.next() {
            Some(next) => token = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(paged, places(&whole));
    keys.join(" ")
}

fn error<T: std::fmt::Debug>(result: Result<T, Error>) -> IndexError {
    match result {
        Err(Error::Index(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_of_write_keeps_the_index_in_step() {
    let (_dir, store) = store();
    store.set("c", "old", &json!({"x": "m"})).unwrap();
    declare(&store, "by_x", "/x");
    let all = || run(store.query("c").index("by_x"));
    assert_eq!(all(), "old");
    store.set("c", "new", &json!({"x": "a"})).unwrap();
    store.set("other", "new", &json!({"x": "a"})).unwrap();
    assert_eq!(all(), "new old");
    store.update("c", "new", |value| value["x"] = "z".into()).unwrap();
    assert_eq!(all(), "old new");
    store.update("c", "new", |value| value["y"] = 1.into()).unwrap();
    store.set("c", "new", &json!({"x": ["b", "y", "b"]})).unwrap();
    assert_eq!(all(), "new old new");
    store.delete("c", "old").unwrap();
    store.set("c", "new", &json!({"y": "b"})).unwrap();
    assert_eq!(all(), "");
    let mut batch = store.batch();
    batch.set("c", "a", &json!({"x": 2})).unwrap().set("c", "b", &json!({"x": 1})).unwrap();
    batch.set("c", "a", &json!({"x": 0})).unwrap();
    batch.commit().unwrap();
    assert_eq!(all(), "a b");
    let report = store.check().unwrap();
    assert!(report.is_ok(), "{report}");
}

#[test]
fn values_stand_in_the_order_of_their_types_and_bounds_are_typed() {
    let (_dir, store) = store();
    declare(&store, "by", "/x");
    let values = [
        ("f", json!(false)),
        ("t", json!(true)),
        ("low", json!(i64::MIN)),
        ("minus", json!(-1.5)),
        ("zero", json!(0)),
        ("exact", json!(9_007_199_254_740_993_i64)),
        ("next", json!(9_007_199_254_740_994.0)),
        ("high", json!(u64::MAX)),
        ("huge", json!(1e300)),
        ("empty", json!("")),
        ("nul", json!("\0x")),
        ("date", json!("2026-11-21")),
        ("ä", json!("ä")),
    ];
    for (key, value) in values.iter().rev() {
        store.set("c", key, &json!({"x": value})).unwrap();
    }
    let by = || store.query("c").index("by");
    let keys: Vec<&str> = values.iter().map(|(key, _)| *key).collect();
    assert_eq!(run(by()), keys.join(" "));
    assert_eq!(run(by().reverse()), keys.iter().rev().copied().collect::<Vec<_>>().join(" "));
    assert_eq!(run(by().from(0)), "zero exact next high huge");
    assert_eq!(run(by().to(0)), "low minus");
    assert_eq!(run(by().to(0).reverse()), "minus low");
    assert_eq!(run(by().from(9_007_199_254_740_993_i64).to(9_007_199_254_740_994_i64)), "exact");
    assert_eq!(run(by().from(i64::MAX as u64 + 1).to(f64::INFINITY)), "high huge");
    assert_eq!(run(by().from(f64::NAN)), "");
    assert_eq!(run(by().from(true)), "t");
    assert_eq!(run(by().to(true)), "f");
    assert_eq!(run(by().to("a")), "empty nul date");
    assert_eq!(run(by().from("2026")), "date ä");
    assert_eq!(run(by().prefix("2026-")), "date");
    assert_eq!(run(by().prefix("")), "empty nul date ä");
    assert_eq!(run(by().prefix("\0")), "nul");
    assert_eq!(run(by().from(1e299).to("a")), "huge empty nul date");
    let rows = by().run().unwrap();
    assert_eq!(rows.get(5).unwrap().order_value(), Some(IndexValue::Integer(9_007_199_254_740_993)));
    assert_eq!(rows.get(10).unwrap().order_value(), Some("\0x".into()));
    assert_eq!(rows.last().unwrap().order, Some("ä"), "a string is itself");
    assert!(matches!(error(store.query("c").from(1).run()), IndexError::Bound));
    assert!(matches!(error(store.query("c").index("set").to(true).run()), IndexError::Bound));
}

#[test]
fn dates_are_ordered_by_instant_where_the_field_is_one() {
    let (_dir, store) = store();
    declare(&store, "by_text", "/at");
    declare(&store, "by_date", IndexedField::dates("/at"));
    for (key, at) in [
        ("a", json!("2026-11-21T09:00:00+02:00")),
        ("b", json!("2026-11-21T08:00:00Z")),
        ("c", json!("2026-11-21T08:00:00.25Z")),
        ("d", json!("2026-11-22")),
        ("e", json!("some day")),
        ("f", json!(7)),
    ] {
        store.set("c", key, &json!({"at": at})).unwrap();
    }
    let by = || store.query("c").index("by_date");
    assert_eq!(run(store.query("c").index("by_text")), "f c b a d e");
    assert_eq!(run(by()), "f a b c d e");
    assert_eq!(run(by().from("2026-11-21T10:00:00+02:00")), "b c d");
    let nine = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_248_000);
    assert_eq!(run(by().to(nine)), "a");
    assert_eq!(by().run().unwrap().get(2).unwrap().order_value(), Some(nine.into()));
    let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1_500);
    assert_eq!(IndexValue::from(before), IndexValue::Instant { seconds: -2, nanos: 500_000_000 });
}

#[test]
fn entries_set_by_hand_stay_apart() {
    let (_dir, store) = store();
    store.set("c", "a", &json!({"x": 1})).unwrap();
    store.set("c", "b", &json!({"x": 2})).unwrap();
    store.set_index("c", "b", "by", "1").unwrap();
    let by = || run(store.query("c").index("by"));
    assert_eq!(by(), "b");
    declare(&store, "by", "/x");
    assert_eq!(by(), "a b");
    store.set_index("c", "a", "by", "2").unwrap();
    store.set("d", "k", &1).unwrap();
    store.set_index("d", "k", "by", "\u{1}b1").unwrap();
    let rows = store.query("d").index("by").run().unwrap();
    assert_eq!(rows.get(0).unwrap().order_value(), Some("\u{1}b1".into()), "a text that looks like another value");
    assert_eq!(store.indexes("c", "a").unwrap()["by"], "2");
    assert_eq!(run(store.query("d").index("by")), "k", "an index is of one collection");
    assert_eq!(store.pending().unwrap().len(), 6, "nothing of it travels");
    assert!(store.drop_index("c", "by").unwrap());
    assert!(!store.drop_index("c", "by").unwrap());
    assert_eq!(by(), "b a");
    assert!(store.check().unwrap().is_ok());
}

#[test]
fn what_is_there_is_built_in_slices_and_an_interrupted_build_goes_on() {
    let (dir, store) = store();
    for n in 0..1_100 {
        store.set("c", &format!("k{n:04}"), &json!({"x": n % 7})).unwrap();
    }
    assert!(store.declare_index("c", "by", "/x").unwrap());
    assert!(!store.query("c").index("by").run().unwrap().is_complete());
    let mut told = Vec::new();
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.build_index("c", "by", &mut |progress| {
            told.push((progress.loaded, progress.total));
            // On both sides of where it has come to.
            store.set("c", "k0001", &json!({"x": [8, told.len()]})).unwrap();
            store.set("c", "k1099", &json!({"x": [8, told.len()]})).unwrap();
            store.delete("c", "k1098").unwrap();
            let report = store.check().unwrap();
            assert!(report.is_ok(), "{report}");
            assert!(told.len() < 2, "interrupted");
        })
    }));
    assert!(stopped.is_err());
    assert_eq!(told, [(250, 1_100), (500, 1_100)]);
    // What it has come past is to be there, and is looked for.
    let file = Connection::open(dir.path().join("s.db")).unwrap();
    file.execute("DELETE FROM index_1 WHERE key = 'k0002'", []).unwrap();
    let lacks = || -> Vec<_> { store.check().unwrap().findings.into_iter().map(|finding| finding.key).collect() };
    assert_eq!(lacks(), [Some("k0002".to_owned())]);
    store.set("c", "k0002", &json!({"x": 3})).unwrap();
    assert_eq!(lacks(), []);
    drop(store);
    let store = Store::open(dir.path().join("s.db"), Options::default()).unwrap();
    assert!(store.declare_index("c", "by", "/x").unwrap(), "there is still something to build");
    let mut rest = 0;
    store.build_index("c", "by", &mut |progress| rest = progress.loaded).unwrap();
    assert!((590..=600).contains(&rest), "{rest}");
    assert!(!store.declare_index("c", "by", "/x").unwrap());
    let rows = store.query("c").index("by").run().unwrap();
    assert!(rows.is_complete());
    assert_eq!(rows.len(), 1_101);
    assert_eq!(run(store.query("c").index("by").from(8)), "k0001 k1099");
    let report = store.check().unwrap();
    assert!(report.is_ok(), "{report}");
}

#[test]
fn a_build_takes_no_more_at_once_than_a_transaction_should_go_through() {
    let (dir, store) = store();
    for key in ["a", "b", "c", "d", "e"] {
        store.set("c", key, &json!({"x": key, "text": "x".repeat(1_000_000)})).unwrap();
    }
    store.declare_index("c", "by", "/x").unwrap();
    let mut told = Vec::new();
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.build_index("c", "by", &mut |progress| {
            told.push(progress.loaded);
            assert!(progress.loaded < 5, "interrupted before it knows that this was the last");
        })
    }));
    assert!(stopped.is_err());
    assert_eq!(told, [3, 5]);
    // All of the collection is passed.
    let file = Connection::open(dir.path().join("s.db")).unwrap();
    file.execute("DELETE FROM index_1 WHERE key = 'e'", []).unwrap();
    let report = store.check().unwrap();
    assert_eq!(report.findings.iter().map(|finding| finding.key.as_deref()).collect::<Vec<_>>(), [Some("e")]);
}

#[test]
fn a_build_that_is_cancelled_ends_behind_its_slice_and_goes_on_at_the_next_call() {
    let (_dir, store) = store();
    for n in 0..600 {
        store.set("c", &format!("k{n:03}"), &json!({"x": n})).unwrap();
    }
    assert!(store.declare_index("c", "by", "/x").unwrap());
    let cancel = Cancel::new();
    let mut told = Vec::new();
    let mut cancelling = |progress: Progress| {
        told.push(progress.loaded);
        cancel.cancel();
    };
    let ended = store.build_index_until("c", "by", &cancel, &mut cancelling);
    assert!(matches!(ended, Err(Error::Cancelled)));
    // It stays cancelled, and does nothing more.
    assert!(matches!(store.build_index_until("c", "by", &cancel, &mut cancelling), Err(Error::Cancelled)));
    assert_eq!(told, [250]);
    let rows = store.query("c").index("by").run().unwrap();
    assert_eq!((rows.len(), rows.is_complete()), (250, false));
    let mut rest = 0;
    store.build_index_until("c", "by", &Cancel::new(), &mut |progress| rest = progress.loaded).unwrap();
    assert_eq!(rest, 350);
    let rows = store.query("c").index("by").run().unwrap();
    assert_eq!((rows.len(), rows.is_complete()), (600, true));
    assert!(store.check().unwrap().is_ok());
}

#[test]
fn a_build_that_waits_for_another_writer_can_be_cancelled() {
    let (dir, store) = store();
    store.set("c", "k", &json!({"x": 1})).unwrap();
    assert!(store.declare_index("c", "by", "/x").unwrap());
    let other = Connection::open(dir.path().join("s.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let cancel = Cancel::new();
    let (store, ended) = std::thread::scope(|scope| {
        let builds = scope.spawn(|| store.build_index_until("c", "by", &cancel, &mut |_| {}));
        cancel.cancel();
        (&store, builds.join().unwrap())
    });
    // Rather than `Busy` after 5 seconds.
    assert!(matches!(ended, Err(Error::Cancelled)));
    other.execute_batch("ROLLBACK").unwrap();
    store.build_index("c", "by", &mut |_| {}).unwrap();
    assert!(store.query("c").index("by").run().unwrap().is_complete());
}

#[test]
fn a_build_that_another_writer_keeps_out_for_too_long_is_busy_and_goes_on_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let mut options = Options::default();
    options.busy_timeout = Duration::from_millis(50);
    let store = Store::open(&path, options).unwrap();
    store.set("c", "k", &json!({"x": 1})).unwrap();
    store.declare_index("c", "by", "/x").unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(store.build_index("c", "by", &mut |_| {}), Err(Error::Busy)));
    assert!(!store.query("c").index("by").run().unwrap().is_complete());
    other.execute_batch("ROLLBACK").unwrap();
    store.build_index("c", "by", &mut |_| {}).unwrap();
    assert_eq!(run(store.query("c").index("by")), "k");
}

#[test]
fn another_field_begins_anew_and_any_process_keeps_it_in_step() {
    let (dir, store) = store();
    let other = Store::open(dir.path().join("s.db"), Options::default()).unwrap();
    store.set("c", "k", &json!({"x": 1, "y": "a"})).unwrap();
    declare(&store, "by", "/x");
    other.set("c", "l", &json!({"x": 0, "y": "b"})).unwrap();
    assert_eq!(run(store.query("c").index("by")), "l k");
    assert!(other.declare_index("c", "by", "/y").unwrap());
    other.build_index("c", "by", &mut |_| {}).unwrap();
    store.set("c", "m", &json!({"x": -1, "y": "c"})).unwrap();
    assert_eq!(run(store.query("c").index("by")), "k l m");
    assert!(store.declare_index("c", "by", IndexedField::dates("/y")).unwrap(), "dates are another field");
    assert!(store.check().unwrap().is_ok());
}

#[test]
fn what_cannot_be_declared_changes_nothing() {
    let (_dir, store) = store();
    store.set("c", "k", &json!({"x": 1})).unwrap();
    declare(&store, "by", "/x");
    assert!(matches!(error(store.declare_index("c", "by", "x")), IndexError::Pointer(pointer) if pointer == "x"));
    let longest = "/".to_owned() + &"x".repeat(4 << 10);
    assert!(store.declare_index("d", "long", &longest[..4 << 10]).unwrap() && store.drop_index("d", "long").unwrap());
    let told = error(store.declare_index("c", "by", longest.as_str()));
    assert!(matches!(told, IndexError::Pointer(begin) if begin.ends_with("xx…") && begin.len() < 100));
    assert!(matches!(store.declare_index("c", "", "/x"), Err(Error::Limit(_))));
    assert!(matches!(store.declare_index("", "by", "/x"), Err(Error::Limit(_))));
    assert!(matches!(error(store.build_index("c", "none", &mut |_| {})), IndexError::Unknown { .. }));
    assert_eq!(run(store.query("c").index("by")), "k");
    for n in 1..256 {
        store.declare_index("d", &format!("i{n}"), "/x").unwrap();
    }
    assert!(matches!(error(store.declare_index("d", "one more", "/x")), IndexError::TooMany(256)));
    assert!(!store.declare_index("c", "by", "/x").unwrap());
    let count = store.sql("SELECT count(*) FROM automatic_entries").run().unwrap();
    assert_eq!(count.get(0).unwrap()[0].as_i64(), Some(1));
}

#[test]
fn names_and_fields_with_quotes_are_taken_as_they_are() {
    let (_dir, store) = store();
    let (nul, name) = ("c\0d", "by\0x");
    store.set(nul, "k", &json!({"a\0b": "v"})).unwrap();
    store.set("c", "k", &json!({"a\0b": "v"})).unwrap();
    assert!(store.declare_index(nul, name, "/a\0b").unwrap());
    store.build_index(nul, name, &mut |_| {}).unwrap();
    store.set(nul, "l", &json!({"a\0b": "v"})).unwrap();
    assert_eq!(run(store.query(nul).index(name)), "k l");
    let found = store.sql("SELECT collection, name FROM automatic_entries WHERE key = 'l'").run().unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), [[nul.into(), name.into()]]);
    assert!(store.check().unwrap().is_ok());
    let (collection, name) = ("c'\"--", "by'\"x");
    store.set(collection, "k", &json!({"a'b\"c": {"\\": "v"}})).unwrap();
    assert!(store.declare_index(collection, name, "/a'b\"c/\\").unwrap());
    store.build_index(collection, name, &mut |_| {}).unwrap();
    assert_eq!(run(store.query(collection).index(name).prefix("v")), "k");
    let found = store.sql("SELECT * FROM automatic_entries WHERE name = ?").bind(name).run().unwrap();
    assert_eq!(found.columns(), ["collection", "key", "name", "order_key"]);
    assert_eq!(found.get(0).unwrap()[3].as_str(), Some("v"));
}

#[test]
fn sql_sees_the_indexes_that_there_are_and_their_tables_never() {
    let (_dir, store) = store();
    let keys = || {
        let found =
            store.sql("SELECT key FROM automatic_entries WHERE name = 'by' AND order_key >= 'b' ORDER BY 1").run();
        found.unwrap().iter().map(|row| row[0].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for key in ["a", "b", "c"] {
        store.set("c", key, &json!({"x": key})).unwrap();
    }
    assert_eq!(keys(), [""; 0]);
    declare(&store, "by", "/x");
    assert_eq!(keys(), ["b", "c"]);
    for table in ["index_1", "indexes"] {
        assert!(store.sql(format!("SELECT * FROM {table}")).run().is_err(), "{table}");
    }
    store.drop_index("c", "by").unwrap();
    assert_eq!(keys(), [""; 0]);
}

#[test]
fn a_check_finds_entries_that_are_missing_or_too_many() {
    let (dir, store) = store();
    declare(&store, "by", "/x");
    for key in ["a", "b"] {
        store.set("c", key, &json!({"x": [1, 2, key]})).unwrap();
    }
    let findings = |damage: &str| {
        let file = Connection::open(dir.path().join("s.db")).unwrap();
        file.execute_batch(&format!("BEGIN; {damage}; COMMIT")).unwrap();
        let report = store.check().unwrap();
        let found: Vec<_> = report.findings.iter().map(|found| (found.code, found.key.clone())).collect();
        found
    };
    let missing = findings("DELETE FROM index_1 WHERE key = 'a' AND ordering = 'a'");
    assert_eq!(missing, [(FindingCode::IndexEntries, Some("a".to_owned()))]);
    let moved = findings("INSERT INTO index_1 SELECT collection, 'b', key, item FROM index_1 WHERE key = 'a' LIMIT 1");
    assert_eq!(moved, [(FindingCode::IndexEntries, Some("a".to_owned())), (FindingCode::IndexEntries, None)]);
    let gone = findings("DELETE FROM index_1; DROP TRIGGER index_1_delete");
    assert_eq!(gone.len(), 3, "{gone:?}");
    assert_eq!(gone[0].0, FindingCode::Schema);
}

#[test]
fn what_is_no_text_is_a_finding_of_its_item_and_of_no_index() {
    let (dir, store) = store();
    declare(&store, "by", "/x");
    for key in ["a", "b", "c"] {
        store.set("c", key, &json!({"n": 1})).unwrap();
    }
    let file = Connection::open(dir.path().join("s.db")).unwrap();
    // The triggers call what only a store's connection has.
    let triggers = "FROM sqlite_schema WHERE type = 'trigger'";
    let read = |what: &str| -> String {
        file.query_row(&format!("SELECT group_concat({what}, ';') {triggers}"), [], |row| row.get(0)).unwrap()
    };
    let (drop, make) = (read("'DROP TRIGGER ' || name"), read("sql"));
    let damage = "UPDATE items SET value = CAST(x'fffe' AS TEXT) WHERE key = 'a';
                  UPDATE items SET value = x'00' WHERE key = 'b';
                  UPDATE items SET key = x'ff' WHERE key = 'c'";
    file.execute_batch(&format!("BEGIN; {drop}; {damage}; {make}; COMMIT")).unwrap();
    let report = store.check().unwrap();
    let found: Vec<_> = report.findings.iter().map(|found| (found.code, found.key.as_deref())).collect();
    let value = FindingCode::ItemValue;
    assert_eq!(found, [(value, Some("a")), (value, Some("b")), (FindingCode::ItemKey, None)], "{report}");
}

#[test]
fn an_index_that_cannot_be_read_hides_no_other() {
    for damaged in ["field = x'ff'", "field = 'nope'", "dates = x'ff'", "at_key = x'ff'", "collection = x'ff'"] {
        let (dir, store) = store();
        store.set("c", "k", &json!({"x": 1, "y": 2})).unwrap();
        declare(&store, "damaged", "/x");
        declare(&store, "other", "/y");
        let file = Connection::open(dir.path().join("s.db")).unwrap();
        let damage = format!("UPDATE indexes SET at_collection = 1, {damaged} WHERE name = 'damaged'");
        file.execute_batch(&format!("{damage}; DELETE FROM index_2")).unwrap();
        let report = store.check().unwrap();
        let found: Vec<_> =
            report.findings.iter().map(|found| (found.code, found.table, found.key.as_deref())).collect();
        let (unreadable, missing) = (FindingCode::Unreadable, FindingCode::IndexEntries);
        assert_eq!(found, [(unreadable, "indexes", None), (missing, "indexes", Some("k"))], "{damaged}: {report}");
        assert!(report.findings[0].words.contains("index_1"), "{report}");
    }
}

#[test]
fn what_is_missing_of_the_indexes_keeps_the_check_from_nothing_else() {
    let (dir, store) = store();
    store.set("c", "k", &json!({"x": 1})).unwrap();
    declare(&store, "by", "/x");
    let file = Connection::open(dir.path().join("s.db")).unwrap();
    file.execute_batch("DROP TABLE index_1; UPDATE outbox SET base = 'x'").unwrap();
    let report = store.check().unwrap();
    let codes: Vec<_> = report.findings.iter().map(|found| found.code).collect();
    assert!(codes.starts_with(&[FindingCode::Schema]) && codes.ends_with(&[FindingCode::OutboxBase]), "{report}");
    assert!(codes.contains(&FindingCode::Unreadable), "{report}");
}

#[test]
fn any_json_that_a_store_takes_can_be_written_to_an_indexed_collection() {
    let (_dir, store) = store();
    declare(&store, "by", "/t");
    for (n, text) in [
        r#"{"t": "nul \u0000 inside"}"#,
        r#"{"t": "\u0000"}"#,
        r#"{"\u0074": "escaped name \"\\ \ud83d\ude00 \u2028"}"#,
        r#"{"t": ["\u0001n1", "\u0002", ""]}"#,
        r#"{"t": -0.0}"#,
        r#"{"t": 123456789012345678901234567890}"#,
        r#"{"t": "twice", "t": "needle"}"#,
        r#"[ ]"#,
        r#""""#,
    ]
    .iter()
    .enumerate()
    {
        let key = n.to_string();
        store.set_raw("c", &key, text).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_ok(), "{text}: {report}");
    }
    let report = store.query("c").index("by").prefix("nul \0 inside").run().unwrap();
    assert_eq!((report.len(), report.last().unwrap().order), (1, Some("nul \0 inside")));
    for key in store.query("c").run().unwrap().iter().map(|row| row.key.to_owned()) {
        store.delete("c", &key).unwrap();
    }
    assert!(store.query("c").index("by").run().unwrap().is_empty());
}
