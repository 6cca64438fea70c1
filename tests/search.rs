//! Full-text search over declared fields.

use rusqlite::Connection;
use serde_json::json;
use std::time::{Duration, Instant};
use syncstore::{Cancel, Error, FindingCode, Options, SearchError, SearchQuery, Store};
use tempfile::TempDir;

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("s.db"), Options::default()).unwrap();
    (dir, store)
}

fn declare(store: &Store, fields: &[&str]) {
    if store.declare_search("s", "notes", fields).unwrap() {
        store.build_search("s", &mut |_| {}).unwrap();
    }
}

/// The keys that fit, in order of their names.
fn keys(store: &Store, query: &SearchQuery) -> Vec<String> {
    let mut keys: Vec<String> = store.search("s", query).unwrap().hits.into_iter().map(|hit| hit.key).collect();
    keys.sort();
    keys
}

fn words(store: &Store, words: &str) -> Vec<String> {
    keys(store, &SearchQuery::words(words))
}

fn error(result: Result<impl std::fmt::Debug, Error>) -> SearchError {
    match result {
        Err(Error::Search(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_of_write_keeps_the_search_in_step() {
    let (_dir, store) = store();
    store.set("notes", "old", &json!({"title": "already there"})).unwrap();
    declare(&store, &["/title", "/tags"]);
    assert_eq!(words(&store, "already"), ["old"]);
    store.set("notes", "n", &json!({"title": "Milk", "tags": ["food", 7, "white things"]})).unwrap();
    assert_eq!(words(&store, "white"), ["n"]);
    store.set("other", "n", &json!({"title": "Milk"})).unwrap();
    store.update("notes", "n", |note| note["title"] = "Cream".into()).unwrap();
    assert_eq!((words(&store, "milk"), words(&store, "cream food")), (vec![], vec!["n".to_owned()]));
    store.delete("notes", "n").unwrap();
    assert!(words(&store, "cream").is_empty());
    let mut batch = store.batch();
    batch.set("notes", "a", &json!({"title": "one word"})).unwrap();
    batch.set("notes", "b", &json!({"title": "another word"})).unwrap();
    batch.commit().unwrap();
    assert_eq!(words(&store, "word"), ["a", "b"]);
    assert!(store.check().unwrap().is_ok(), "{}", store.check().unwrap());
}

#[test]
fn only_texts_at_the_fields_are_searched() {
    let (_dir, store) = store();
    declare(&store, &["/a/b", "/l/0", "/o~1x", "", "/12345678901"]);
    let values = [
        ("nested", json!({"a": {"b": "needle"}})),
        ("element", json!({"l": ["needle", "no"]})),
        ("member", json!({"l": {"0": "needle"}})),
        ("escaped", json!({"o/x": "needle"})),
        ("whole", json!("needle")),
        ("whole array", json!(["needle"])),
        ("long number", json!({"12345678901": "needle"})),
        ("elsewhere", json!({"b": "needle"})),
        ("second", json!({"l": ["no", "needle"]})),
        ("name", json!({"a": {"needle": 1}})),
        ("object", json!({"a": {"b": {"c": "needle"}}})),
        ("number", json!({"a": {"b": 5}})),
        ("null", json!(null)),
    ];
    for (key, value) in values {
        store.set("notes", key, &value).unwrap();
    }
    assert_eq!(
        words(&store, "needle"),
        ["element", "escaped", "long number", "member", "nested", "whole", "whole array"]
    );
    assert!(words(&store, "5").is_empty());
}

#[test]
fn any_json_that_a_store_takes_can_be_written_to_a_searched_collection() {
    let (_dir, store) = store();
    declare(&store, &["/t"]);
    for (n, text) in [
        r#"{"t": "nul \u0000 inside"}"#,
        r#"{"t": "half \ud83d"}"#,
        r#"{"\u0074": "escaped name"}"#,
        r#"{"t": 1e400}"#,
        r#"{"t": ""}"#,
        r#"{"t": "twice", "t": "needle"}"#,
        r#"[ ]"#,
        r#""""#,
    ]
    .iter()
    .enumerate()
    {
        let key = n.to_string();
        let Ok(_) = store.set_raw("notes", &key, text) else { continue };
        assert_eq!(store.get_raw("notes", &key).unwrap().as_deref(), Some(*text));
        store.delete("notes", &key).unwrap();
    }
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    store.set_raw("notes", "deep", &deep).unwrap();
    store.set("notes", "long", &json!({"t": "word ".repeat(100_000)})).unwrap();
    assert_eq!(words(&store, "word"), ["long"]);
}

#[test]
fn hits_are_ranked_and_have_snippets() {
    let (_dir, store) = store();
    declare(&store, &["/title", "/body"]);
    let long = "nothing of interest and then some more of the same ".repeat(20);
    store.set("notes", "far", &json!({"title": "x", "body": format!("{long} milk {long}")})).unwrap();
    store.set("notes", "near", &json!({"title": "Milk", "body": "milk, milk"})).unwrap();
    for n in 0..20 {
        store.set("notes", &format!("other{n}"), &json!({"title": "bread"})).unwrap();
    }
    let found = store.search("s", &SearchQuery::words("MILK").marks("<b>", "</b>")).unwrap();
    assert_eq!(found.hits.iter().map(|hit| hit.key.as_str()).collect::<Vec<_>>(), ["near", "far"]);
    assert!(found.hits[0].rank < found.hits[1].rank && found.hits[1].rank < 0.0);
    assert!(found.hits[1].snippet.contains("<b>milk</b>") && found.hits[1].snippet.len() < 200);
    assert_eq!(store.search("s", &SearchQuery::words("bread").limit(7)).unwrap().hits.len(), 7);
}

/// What takes time by the square of what is found takes minutes here, and the rest some seconds on a slow machine.
#[test]
fn a_long_text_full_of_finds_takes_no_longer_than_it_is_long() {
    let (_dir, store) = store();
    declare(&store, &["/title", "/body"]);
    let body = format!("{}milk and {}eel", "cat ".repeat(100_000), "dog ".repeat(100_000));
    store.set("notes", "long", &json!({"title": "unsaid", "body": body})).unwrap();
    let begun = Instant::now();
    let snippet = |query: SearchQuery| {
        let mut found = store.search("s", &query).unwrap();
        assert_eq!(found.hits.len(), 1);
        found.hits.remove(0).snippet
    };
    let cat = snippet(SearchQuery::words("cat"));
    assert!(cat.starts_with("[cat] [cat]") && cat.ends_with('…') && cat.len() < 200, "{cat}");
    let milk = snippet(SearchQuery::words_so_far("MIL"));
    assert!(milk.contains("cat [milk] and dog") && milk.starts_with('…') && milk.ends_with('…'), "{milk}");
    // Each is in a place of its own, and the other field says more.
    assert!(snippet(SearchQuery::words("dog milk cat")).contains("[cat]"));
    let unsaid = snippet(SearchQuery::words("unsaid cat"));
    assert_eq!(unsaid, "[unsaid]");
    // Nowhere together, so nothing is marked.
    assert_eq!(snippet(SearchQuery::expression("cat AND eel")), "unsaid");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn what_is_typed_again_and_again_is_searched_once_and_what_is_too_long_is_refused() {
    let (_dir, store) = store();
    declare(&store, &["/t"]);
    store.set("notes", "a", &json!({"t": "milk and bread"})).unwrap();
    assert_eq!(words(&store, &"milk BREAD bread Milk ".repeat(20_000)), ["a"]);
    assert_eq!(keys(&store, &SearchQuery::words_so_far(&"milk ".repeat(20_000))), ["a"]);
    let many: String = (0..10_000).map(|n| format!("word{n} ")).collect();
    for query in [SearchQuery::words(&many), SearchQuery::expression("milk ".repeat(1_000))] {
        assert_eq!(error(store.search("s", &query)), SearchError::TooLong { limit: 2_048 });
    }
}

#[test]
fn what_a_user_types_has_no_special_signs_and_an_expression_has() {
    let (_dir, store) = store();
    declare(&store, &["/t", "/u"]);
    store.set("notes", "a", &json!({"t": "say \"hello\" AND goodbye", "u": "café"})).unwrap();
    store.set("notes", "b", &json!({"t": "hello there", "u": "crème"})).unwrap();
    assert_eq!(words(&store, "\"hello\" and"), ["a"]);
    for typed in ["\"", "hello OR", "NEAR(", "t:", "*", "-", "(", "^", "a\0b", "' OR 1=1 --", "☃"] {
        let _ = words(&store, typed);
    }
    assert!(words(&store, "").is_empty() && words(&store, "  ").is_empty());
    assert_eq!(words(&store, "CAFE"), ["a"]);
    assert_eq!(keys(&store, &SearchQuery::words_so_far("hello th")), ["b"]);
    assert_eq!(keys(&store, &SearchQuery::expression("hello NOT there")), ["a"]);
    assert_eq!(keys(&store, &SearchQuery::expression("f1: cr*")), ["b"]);
    for broken in ["\"", "NEAR(", "nofield: x", "AND", "*id", " *reads", "*"] {
        let error = error(store.search("s", &SearchQuery::expression(broken)));
        assert!(matches!(error, SearchError::Expression(_)), "{broken}: {error:?}");
    }
}

#[test]
fn wrong_declarations_are_refused_and_change_nothing() {
    let (_dir, store) = store();
    declare(&store, &["/t"]);
    store.set("notes", "a", &json!({"t": "word"})).unwrap();
    assert_eq!(error(store.declare_search("s", "notes", &[])), SearchError::Fields(0));
    assert_eq!(error(store.declare_search("s", "notes", &["/x"; 17])), SearchError::Fields(17));
    for wrong in ["t", "/a\"b", "/a\\b", "/~x", "/1/2/3/4"] {
        assert_eq!(error(store.declare_search("s", "notes", &["/t", wrong])), SearchError::Pointer(wrong.into()));
    }
    // A pointer of five million steps: what is made of it would take the square of that.
    let told = error(store.declare_search("s", "notes", &[&"/a".repeat(5_000_000)]));
    assert!(matches!(told, SearchError::Pointer(begin) if begin.ends_with("/a…") && begin.len() < 100));
    assert!(matches!(store.declare_search("s", "", &["/t"]), Err(Error::Limit(_))));
    assert_eq!(words(&store, "word"), ["a"]);
    assert_eq!(error(store.search("none", &SearchQuery::words("x"))), SearchError::Unknown("none".into()));
    assert_eq!(error(store.build_search("none", &mut |_| {})), SearchError::Unknown("none".into()));
    // Quotation marks in names are only that.
    assert!(store.declare_search("it's \"s\"", "col'lection", &["/it's", "/a)--"]).unwrap());
    store.set("col'lection", "k", &json!({"it's": "fine"})).unwrap();
    assert_eq!(store.search("it's \"s\"", &SearchQuery::words("fine")).unwrap().hits.len(), 1);
}

#[test]
fn a_full_collection_is_built_in_slices_and_goes_on_after_an_interruption() {
    let (dir, store) = store();
    for n in 0..1_100 {
        store.set("notes", &format!("k{n:04}"), &json!({"t": format!("word number{n}")})).unwrap();
    }
    assert!(store.declare_search("s", "notes", &["/t"]).unwrap());
    assert!(!store.search("s", &SearchQuery::words("word")).unwrap().complete);
    // Written while it is built, on both sides of where it has come to.
    let mut told = Vec::new();
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.build_search("s", &mut |progress| {
            told.push((progress.loaded, progress.total));
            store.set("notes", "k0001", &json!({"t": "changed behind"})).unwrap();
            store.set("notes", "k1099", &json!({"t": "changed before"})).unwrap();
            store.delete("notes", "k1098").unwrap();
            assert!(told.len() < 2, "interrupted");
        })
    }));
    assert!(stopped.is_err());
    assert_eq!(told, [(250, 1_100), (500, 1_100)]);
    drop(store);
    let store = Store::open(dir.path().join("s.db"), Options::default()).unwrap();
    assert!(store.declare_search("s", "notes", &["/t"]).unwrap(), "there is still something to build");
    let mut rest = 0;
    store.build_search("s", &mut |progress| rest = progress.loaded).unwrap();
    assert!((500..=600).contains(&rest), "{rest}");
    let found = store.search("s", &SearchQuery::words("word").limit(2_000)).unwrap();
    assert_eq!((found.hits.len(), found.complete), (1_097, true));
    assert_eq!(words(&store, "changed"), ["k0001", "k1099"]);
    assert!(!store.declare_search("s", "notes", &["/t"]).unwrap());
    assert!(store.check().unwrap().is_ok());
}

#[test]
fn a_build_that_is_cancelled_ends_behind_its_slice_and_goes_on_at_the_next_call() {
    let (_dir, store) = store();
    for n in 0..600 {
        store.set("notes", &format!("k{n:03}"), &json!({"t": "word"})).unwrap();
    }
    assert!(store.declare_search("s", "notes", &["/t"]).unwrap());
    let cancel = Cancel::new();
    let mut told = Vec::new();
    let ended = store.build_search_until("s", &cancel, &mut |progress| {
        told.push(progress.loaded);
        cancel.cancel();
    });
    assert!(matches!(ended, Err(Error::Cancelled)));
    assert_eq!(told, [250]);
    let all = SearchQuery::words("word").limit(1_000);
    let found = store.search("s", &all).unwrap();
    assert_eq!((found.hits.len(), found.complete), (250, false));
    let mut rest = 0;
    store.build_search_until("s", &Cancel::new(), &mut |progress| rest = progress.loaded).unwrap();
    assert_eq!(rest, 350);
    let found = store.search("s", &all).unwrap();
    assert_eq!((found.hits.len(), found.complete), (600, true));
    assert!(store.check().unwrap().is_ok());
}

#[test]
fn other_fields_begin_anew_and_a_dropped_search_leaves_nothing() {
    let (dir, store) = store();
    store.set("notes", "a", &json!({"t": "one", "u": "two"})).unwrap();
    declare(&store, &["/t"]);
    declare(&store, &["/u"]);
    assert_eq!((words(&store, "one").len(), words(&store, "two").len()), (0, 1));
    store.set("letters", "a", &json!({"u": "three"})).unwrap();
    store.declare_search("s", "letters", &["/u"]).unwrap();
    store.build_search("s", &mut |_| {}).unwrap();
    let hits = |words: &str| store.search("s", &SearchQuery::words(words)).unwrap().hits.len();
    assert_eq!((hits("two"), hits("three")), (0, 1), "another collection is another search");
    assert!(store.drop_search("s").unwrap() && !store.drop_search("s").unwrap());
    store.set("notes", "b", &json!({"u": "two"})).unwrap();
    let raw = Connection::open(dir.path().join("s.db")).unwrap();
    let left: i64 = raw
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'search\\_%' ESCAPE '\\'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
    assert!(store.check().unwrap().is_ok());
}

#[test]
fn another_stores_writes_are_found_and_sql_does_not_reach_the_index() {
    let (dir, store) = store();
    assert_eq!(store.sql("SELECT count(*) FROM items").run().unwrap().get(0).unwrap()[0].as_i64(), Some(0));
    declare(&store, &["/t"]);
    let other = Store::open(dir.path().join("s.db"), Options::default()).unwrap();
    other.set("notes", "a", &json!({"t": "word"})).unwrap();
    assert_eq!(words(&store, "word"), ["a"]);
    for statement in ["SELECT * FROM search_1", "SELECT count(*) FROM search_1_data", "SELECT * FROM searches"] {
        assert!(matches!(store.sql(statement).run(), Err(Error::Sql(syncstore::SqlError::Refused(_)))), "{statement}");
    }
}

#[test]
fn a_check_after_a_check_finds_nothing_wrong_with_what_was_written_between() {
    let (_dir, store) = store();
    declare(&store, &["/t"]);
    for n in 0..3 {
        store.set("notes", "n", &json!({"t": format!("word number{n}")})).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_ok(), "{report}");
    }
}

#[test]
fn a_check_finds_texts_that_are_missing_others_or_too_many() {
    let (dir, store) = store();
    store.set("notes", "a", &json!({"title": "milk", "tags": ["s3cret"]})).unwrap();
    declare(&store, &["/title", "/tags"]);
    store.set("notes", "b", &json!({"title": "bread"})).unwrap();
    store.set("other", "c", &json!({"title": "cheese"})).unwrap();
    let found = |damage: &str| {
        let file = Connection::open(dir.path().join("s.db")).unwrap();
        file.execute_batch(&format!("BEGIN; {damage}")).unwrap();
        file.execute_batch("COMMIT").unwrap();
        let report = store.check().unwrap();
        assert!(!report.to_json().contains("s3cret"), "{report}");
        report.findings.into_iter().map(|found| (found.code, found.key)).collect::<Vec<_>>()
    };
    assert_eq!(found("SELECT 1"), []);
    let texts = |key: Option<&str>| (FindingCode::SearchTexts, key.map(str::to_owned));
    let of = |key: &str| format!("(SELECT id FROM items WHERE key = '{key}')");
    // By FTS5 itself, whose own check has nothing against it then.
    let change = |sql: &str, key: &str| format!("{sql} WHERE rowid = {}", of(key));
    assert_eq!(found(&change("UPDATE search_1 SET f1 = 'else'", "a")), [texts(Some("a"))]);
    assert_eq!(found(&change("UPDATE search_1 SET f1 = NULL", "a")), [texts(Some("a"))]);
    assert_eq!(found(&change("UPDATE search_1 SET f1 = 's3cret'", "a")), []);
    assert_eq!(found(&change("DELETE FROM search_1", "b")), [texts(Some("b"))]);
    assert_eq!(found(&format!("INSERT INTO search_1(rowid, f0) VALUES ({}, 'bread')", of("b"))), []);
    assert_eq!(found(&format!("INSERT INTO search_1(rowid, f0) VALUES ({}, 'cheese')", of("c"))), [texts(None)]);
    assert_eq!(found("INSERT INTO search_1(rowid, f0) VALUES (99, 'of no item')"), [texts(None)]);
    // Past FTS5, which complains too.
    let under = found("UPDATE search_1_content SET c0 = 'other'");
    assert_eq!(under.iter().filter(|found| found.0 == FindingCode::SearchTexts).count(), 3, "{under:?}");
    assert!(under.iter().any(|found| found.0 == FindingCode::Integrity), "{under:?}");
}

#[test]
fn a_search_that_cannot_be_read_hides_no_other() {
    let (dir, store) = store();
    for n in 0..200 {
        store.set("notes", &format!("k{n:03}"), &json!({"t": "word ".repeat(200)})).unwrap();
    }
    for name in ["damaged", "other"] {
        store.declare_search(name, "notes", &["/t"]).unwrap();
        store.build_search(name, &mut |_| {}).unwrap();
    }
    drop(store);
    let path = dir.path().join("s.db");
    let file = Connection::open(&path).unwrap();
    file.execute("DELETE FROM search_2 WHERE rowid = 7", []).unwrap();
    file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'search_1_content'";
    let root: u32 = file.query_row(root, [], |row| row.get(0)).unwrap();
    drop(file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(root as usize - 1) * 4096..][..4096].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let report = Store::open(&path, Options::default()).unwrap().check().unwrap();
    let told = |code| report.findings.iter().filter(move |finding| finding.code == code).collect::<Vec<_>>();
    let unreadable = told(FindingCode::Unreadable);
    assert!(unreadable.len() == 1 && unreadable[0].words.contains("search_1"), "{report}");
    let texts = told(FindingCode::SearchTexts);
    assert_eq!(texts.iter().map(|finding| finding.key.as_deref()).collect::<Vec<_>>(), [Some("k006")], "{report}");
}

#[test]
fn a_search_whose_declaration_cannot_be_read_hides_no_other() {
    let many = format!("fields = '[{}\"/t\"]'", "\"/t\",".repeat(16));
    for damage in ["fields = x'ff'", "fields = '{'", "fields = '[]'", "fields = '[\"t\"]'", &many, "name = x'ff'"] {
        let (dir, store) = store();
        store.set("notes", "k", &json!({"t": "word"})).unwrap();
        for name in ["damaged", "other"] {
            store.declare_search(name, "notes", &["/t"]).unwrap();
            store.build_search(name, &mut |_| {}).unwrap();
        }
        let file = Connection::open(dir.path().join("s.db")).unwrap();
        file.execute_batch(&format!("UPDATE searches SET {damage} WHERE name = 'damaged'; DELETE FROM search_2"))
            .unwrap();
        let report = store.check().unwrap();
        let found: Vec<_> =
            report.findings.iter().map(|found| (found.code, found.table, found.key.as_deref())).collect();
        let (unreadable, missing) = (FindingCode::Unreadable, FindingCode::SearchTexts);
        assert_eq!(found, [(unreadable, "searches", None), (missing, "searches", Some("k"))], "{damage}: {report}");
        assert!(report.findings[0].words.contains("search_1"), "{report}");
        assert!(store.search("damaged", &SearchQuery::words("word")).is_err(), "{damage}");
        assert_eq!(store.search("other", &SearchQuery::words("word")).unwrap().hits.len(), 0);
    }
}

#[test]
fn what_is_missing_of_a_search_keeps_the_check_from_nothing_else() {
    for damage in [
        "DROP TABLE search_1",
        "DELETE FROM search_1_config",
        "DROP TABLE search_1_content",
        "UPDATE searches SET fields = '[\"/t\",\"/u\"]' WHERE name = 's'",
    ] {
        let (dir, store) = store();
        store.set("notes", "k", &json!({"t": "word"})).unwrap();
        declare(&store, &["/t"]);
        drop(store);
        let file = Connection::open(dir.path().join("s.db")).unwrap();
        file.execute_batch(&format!("{damage}; UPDATE outbox SET base = 'x'")).unwrap();
        drop(file);
        let report = Store::open(dir.path().join("s.db"), Options::default()).unwrap().check().unwrap();
        let codes: Vec<_> = report.findings.iter().map(|found| found.code).collect();
        assert!(codes.contains(&FindingCode::OutboxBase) && codes.len() > 1, "{damage}: {report}");
        assert_eq!((report.items, report.pending), (1, 1), "{damage}");
    }
}

#[test]
fn a_check_of_a_search_that_is_half_built_misses_nothing_that_is_yet_to_come() {
    let (dir, store) = store();
    for n in 0..9 {
        store.set("notes", &format!("n{n}"), &json!({"title": format!("note {n}")})).unwrap();
    }
    assert!(store.declare_search("s", "notes", &["/title"]).unwrap());
    let report = store.check().unwrap();
    assert!(report.is_ok(), "{report}");
    store.set("notes", "n5", &json!({"title": "written since"})).unwrap();
    let file = Connection::open(dir.path().join("s.db")).unwrap();
    let came = "UPDATE searches SET at_collection = (SELECT id FROM collections WHERE name = 'notes'), at_key = ";
    file.execute_batch(&format!("{came} 'n1'")).unwrap();
    let report = store.check().unwrap();
    let missing: Vec<_> = report.findings.iter().map(|found| (found.code, found.key.as_deref())).collect();
    assert_eq!(missing, [(FindingCode::SearchTexts, Some("n0")), (FindingCode::SearchTexts, Some("n1"))]);
    file.execute_batch("UPDATE searches SET at_collection = 0, at_key = ''").unwrap();
    store.build_search("s", &mut |_| {}).unwrap();
    let report = store.check().unwrap();
    assert!(report.is_ok(), "{report}");
}
