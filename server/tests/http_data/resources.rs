//! Index entries, relations and tags of an item.

use crate::caller::{CONFIG, caller};
use crate::http_support::Fixture;
use serde_json::json;

#[test]
fn index_entries_are_put_listed_and_deleted() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    root.ask("PUT", "/data/notes/n/indexes/by_date", &[], Some(br#"{"order":"1"}"#)).is_problem(404, "not_found");
    let made = root.put("/data/notes/n", "1");
    assert_eq!(root.put("/data/notes/n/indexes/by%2Fdate", r#"{"order":"2026"}"#), made + 1);
    root.put("/data/notes/n/indexes/a", r#"{"order":"x"}"#);
    let rev = root.put("/data/notes/n/indexes/a", r#"{"order":"y"}"#);
    let answer = root.get_with("/data/notes/n/indexes", &[]);
    assert_eq!(answer.json(), json!({"indexes": {"a": "y", "by/date": "2026"}}));
    assert_eq!(answer.header("etag"), format!("\"{rev}\""));
    assert_eq!(root.delete("/data/notes/n/indexes/a"), rev + 1);
    assert_eq!(root.delete("/data/notes/n/indexes/a"), rev + 1, "nothing is left to change");
    assert_eq!(root.get("/data/notes/n")["indexes"], json!({"by/date": "2026"}));
}

#[test]
fn relations_are_put_listed_and_deleted() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    root.put("/data/notes/n", "1");
    let body = |predicate: &str| {
        json!({"predicate": predicate, "object": {"collection": "folders", "key": "f/1"}}).to_string()
    };
    root.put("/data/notes/n/relations/r2", &body("in"));
    root.put("/data/notes/n/relations/r1", &body("in"));
    let rev = root.put("/data/notes/n/relations/r1", &body("of"));
    let object = json!({"collection": "folders", "key": "f/1"});
    let relations =
        json!([{"id": "r1", "predicate": "of", "object": object}, {"id": "r2", "predicate": "in", "object": object}]);
    assert_eq!(root.get("/data/notes/n/relations"), json!({"relations": relations}));
    assert_eq!(root.delete("/data/notes/n/relations/r1"), rev + 1);
    assert_eq!(root.get("/data/notes/n")["relations"][0]["id"], "r2");
}

#[test]
fn tags_are_put_listed_and_deleted_by_those_whose_they_are() {
    let fixture = Fixture::configured(CONFIG);
    let (ada, bob) = (caller(&fixture, "ada"), caller(&fixture, "bob"));
    ada.put("/data/notes/n", "1");
    assert_eq!(ada.get("/data/notes/n/tags"), json!({"tags": ["user:ada"]}));
    bob.ask("GET", "/data/notes/n/tags", &[], None).is_problem(404, "not_found");
    ada.ask("PUT", "/data/notes/n/tags/user:bob", &[], None).is_problem(403, "forbidden");
    let rev = ada.put("/data/notes/n/tags/team:7", "");
    let answer = bob.get_with("/data/notes/n/tags", &[]);
    assert_eq!(answer.json(), json!({"tags": ["team:7", "user:ada"]}));
    assert_eq!(answer.header("etag"), format!("\"{rev}\""));
    bob.ask("DELETE", "/data/notes/n/tags/user:ada", &[], None).is_problem(403, "forbidden");
    bob.delete("/data/notes/n/tags/team:7");
    bob.ask("GET", "/data/notes/n", &[], None).is_problem(404, "not_found");
    assert_eq!(ada.get("/data/notes/n/tags"), json!({"tags": ["user:ada"]}));
}
