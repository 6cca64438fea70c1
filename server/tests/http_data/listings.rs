//! Collections and parts of them, page by page.

use crate::caller::{CONFIG, Caller, caller, keys};
use crate::http_support::Fixture;
use serde_json::json;

fn pages(caller: &Caller, path: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut after = String::new();
    loop {
        let page = caller.get(&format!("{path}{after}"));
        pages.push(keys(&page));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return pages,
        }
    }
}

#[test]
fn collections_are_listed_with_what_the_caller_sees_of_them() {
    let fixture = Fixture::configured(CONFIG);
    let (root, ada, bob) = (caller(&fixture, "root"), caller(&fixture, "ada"), caller(&fixture, "bob"));
    for key in ["1", "2", "3"] {
        ada.put(&format!("/data/notes/{key}"), "1");
    }
    ada.put("/data/a/1", "1");
    bob.put("/data/b/1", "1");
    bob.put("/data/notes/b", "1");
    ada.put("/data/notes/1/tags/team:7", "");
    let counts = |caller: &Caller, more: &str| caller.get(&format!("/data{more}"))["collections"].clone();
    assert_eq!(
        counts(&root, ""),
        json!([{"name": "a", "items": 1}, {"name": "b", "items": 1}, {"name": "notes", "items": 4}])
    );
    assert_eq!(counts(&ada, ""), json!([{"name": "a", "items": 1}, {"name": "notes", "items": 3}]));
    assert_eq!(counts(&bob, ""), json!([{"name": "b", "items": 1}, {"name": "notes", "items": 2}]));
    for caller in [&root, &bob] {
        let mut names = Vec::new();
        let mut after = String::new();
        loop {
            let page = caller.get(&format!("/data?limit=1{after}"));
            names.extend(page["collections"].as_array().unwrap().iter().map(|found| found["name"].clone()));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        let all = counts(caller, "");
        assert_eq!(names, all.as_array().unwrap().iter().map(|found| found["name"].clone()).collect::<Vec<_>>());
    }
}

#[test]
fn a_collection_is_listed_by_key_within_bounds_both_ways_and_in_pages() {
    let fixture = Fixture::configured(CONFIG);
    let (root, ada) = (caller(&fixture, "root"), caller(&fixture, "ada"));
    for key in ["b", "a", "ab", "abc", "ac", "%C3%A9", "B", "other"] {
        let caller = if key == "other" { caller(&fixture, "bob") } else { caller(&fixture, "ada") };
        caller.put(&format!("/data/notes/{key}"), "1");
    }
    root.put("/data/notes/zz", "1");
    let item = json!({"key": "a", "value": 1, "rev": 2});
    assert_eq!(ada.get("/data/notes?limit=2")["items"][1], item);
    for (query, expected) in [
        ("", "B a ab abc ac b é"),
        ("?reverse=false&prefix=", "B a ab abc ac b é"),
        ("?prefix=a", "a ab abc ac"),
        ("?prefix=ab&reverse=true", "abc ab"),
        ("?from=ab&to=b", "ab abc ac"),
        ("?from=ab&to=b&reverse=true", "ac abc ab"),
        ("?from=abc&prefix=ab", "abc"),
        ("?to=ab", "B a"),
        ("?to=", ""),
        ("?prefix=x", ""),
        ("?from=b&to=a", ""),
    ] {
        assert_eq!(ada.keys(&format!("/data/notes{query}")).join(" "), expected, "{query}");
        let all = root.keys(&format!("/data/notes{query}"));
        let own: Vec<_> = all.into_iter().filter(|key| key != "other" && key != "zz").collect();
        assert_eq!(own.join(" "), expected, "{query}, seen by everybody");
    }
    for caller in [&ada, &root] {
        for query in ["?reverse=false", "?reverse=true", "?prefix=a", "?from=ab&to=z", "?from=ab&to=z&reverse=true"] {
            let whole = caller.keys(&format!("/data/notes{query}"));
            let pages = pages(caller, &format!("/data/notes{query}&limit=2"));
            assert!(pages.iter().all(|page| page.len() <= 2 && !page.is_empty()), "{query}: {pages:?}");
            assert_eq!(pages.concat(), whole, "{query}");
        }
    }
    assert_eq!(ada.get("/data/nothing"), json!({"items": []}));
}

#[test]
fn an_index_is_listed_by_its_ordering_keys() {
    let fixture = Fixture::configured(CONFIG);
    let (root, ada, bob) = (caller(&fixture, "root"), caller(&fixture, "ada"), caller(&fixture, "bob"));
    for (caller, collection, key, order) in [
        (&ada, "notes", "n1", "3"),
        (&ada, "notes", "n2", "1"),
        (&ada, "notes", "n3", "2"),
        (&ada, "notes", "n4", "2"),
        (&ada, "others", "x", "2"),
        (&bob, "notes", "b", "2"),
    ] {
        caller.put(&format!("/data/{collection}/{key}"), "1");
        caller.put(&format!("/data/{collection}/{key}/indexes/by_date"), &json!({"order": order}).to_string());
    }
    ada.put("/data/notes/none", "1");
    ada.put("/data/notes/n1/indexes/other", r#"{"order":"0"}"#);
    let page = ada.get("/data/notes?index=by_date");
    assert_eq!(page["items"][0], json!({"key": "n2", "value": 1, "rev": 4, "order": "1"}));
    for (query, expected) in [
        ("", "n2 n3 n4 n1"),
        ("&reverse=true", "n1 n4 n3 n2"),
        ("&from=2", "n3 n4 n1"),
        ("&to=2", "n2"),
        ("&from=2&to=3&reverse=true", "n4 n3"),
        ("&prefix=3", "n1"),
        ("&from=4", ""),
    ] {
        assert_eq!(ada.keys(&format!("/data/notes?index=by_date{query}")).join(" "), expected, "{query}");
        assert_eq!(
            pages(&ada, &format!("/data/notes?index=by_date&limit=1{query}")).concat().join(" "),
            expected,
            "{query}"
        );
    }
    assert_eq!(root.keys("/data/notes?index=by_date").join(" "), "n2 b n3 n4 n1");
    assert_eq!(pages(&root, "/data/notes?index=by_date&reverse=true&limit=2").concat().join(" "), "n1 n4 n3 b n2");
    assert_eq!(bob.keys("/data/notes?index=by_date").join(" "), "b");
    assert_eq!(bob.keys("/data/notes?index=other"), Vec::<String>::new());
    ada.delete("/data/notes/n3");
    ada.delete("/data/notes/n4/indexes/by_date");
    assert_eq!(ada.keys("/data/notes?index=by_date").join(" "), "n2 n1");
}

#[test]
fn a_page_ends_by_its_bytes_and_names_the_next() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    let value = format!("\"{}\"", "x".repeat(1_000_000));
    for number in 0..7 {
        root.put(&format!("/data/notes/{number}"), &value);
    }
    let pages = pages(&root, "/data/notes?limit=100");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [5, 2]);
}

#[test]
fn a_page_name_is_good_for_its_listing_alone() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    for key in ["a", "b"] {
        root.put(&format!("/data/notes/{key}"), "1");
    }
    let next = root.get("/data/notes?limit=1")["next"].as_str().unwrap().to_owned();
    assert_eq!(root.keys(&format!("/data/notes?limit=1&after={next}")), ["b"]);
    for path in [
        "/data/notes?reverse=true",
        "/data/notes?prefix=b",
        "/data/others?limit=1",
        "/data/notes?index=i",
        "/data?limit=1",
    ] {
        root.ask("GET", &format!("{path}&after={next}"), &[], None).is_problem(400, "malformed");
    }
}
