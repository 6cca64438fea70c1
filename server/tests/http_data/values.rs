//! Items by their name.

use crate::caller::{CONFIG, caller};
use crate::http_support::{Fixture, gunzip, gzip};
use serde_json::json;
use syncstore::protocol::{DataItem, Format, Json, Written};

#[test]
fn an_item_is_put_read_patched_and_deleted() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    assert_eq!(root.put("/data/notes/n1", r#"{"title":"Milk","n":18446744073709551615}"#), 1);
    let answer = root.get_with("/data/notes/n1", &[]);
    assert_eq!(answer.header("etag"), "\"1\"");
    let item = json!({"key": "n1", "value": {"title": "Milk", "n": u64::MAX}, "rev": 1, "indexes": {}, "relations": [], "tags": []});
    assert_eq!(answer.json(), item);
    let patch = r#"[{"op":"replace","path":"/title","value":"Bread"}]"#;
    assert_eq!(root.write("PATCH", "/data/notes/n1", &[], patch), 2);
    let media = [("content-type", "application/json-patch+json")];
    assert_eq!(root.write("PATCH", "/data/notes/n1", &media, r#"[{"op":"remove","path":"/n"}]"#), 3);
    assert_eq!(root.get("/data/notes/n1")["value"], json!({"title": "Bread"}));
    assert_eq!(root.put("/data/notes/n1", "null"), 4);
    assert_eq!(root.get("/data/notes/n1")["value"], json!(null));
    let deleted = root.ask("DELETE", "/data/notes/n1", &[], None);
    assert_eq!((deleted.json(), deleted.header("etag")), (json!({"rev": 5}), ""));
    root.ask("GET", "/data/notes/n1", &[], None).is_problem(404, "not_found");
    assert_eq!(root.delete("/data/notes/n1"), 0);
    assert_eq!(root.get("/data")["collections"], json!([]));
}

#[test]
fn a_patch_that_does_not_apply_says_where() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    root.put("/data/notes/n1", "{}");
    let patch = br#"[{"op":"add","path":"/a","value":1},{"op":"remove","path":"/b"}]"#;
    let problem = root.ask("PATCH", "/data/notes/n1", &[], Some(patch)).is_problem(422, "patch_failed");
    assert_eq!((problem.path.as_deref(), problem.operation), (Some("/b"), Some(1)));
    assert_eq!(root.get("/data/notes/n1")["value"], json!({}));
    root.ask("PATCH", "/data/notes/n2", &[], Some(patch)).is_problem(404, "not_found");
}

#[test]
fn names_may_be_any_text_that_is_percent_encoded() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    for (encoded, key) in [
        ("a%2Fb", "a/b"),
        ("100%25", "100%"),
        ("%E6%BC%A2%20x", "漢 x"),
        ("%00", "\0"),
        ("a+b", "a+b"),
        ("%2e%2e%2e", "..."),
        ("a?b".replace('?', "%3F").leak(), "a?b"),
    ] {
        let path = format!("/data/c%2F1/{encoded}");
        root.put(&path, "7");
        assert_eq!(root.get(&path)["key"], key);
    }
    assert_eq!(root.get("/data")["collections"], json!([{"name": "c/1", "items": 7}]));
    let longest = "é".repeat(64);
    root.put(&format!("/data/c/{}", "%C3%A9".repeat(64)), "1");
    assert_eq!(root.get("/data/c")["items"][0]["key"], longest);
}

#[test]
fn values_come_and_go_in_every_format_and_coding() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    let value = Json::parse(&format!(r#"{{"text":"{}","n":-9223372036854775808,"f":0.1}}"#, "x".repeat(4000))).unwrap();
    for (&format, rev) in Format::ALL.iter().zip(1..) {
        let media_type = format.content_type();
        let path = format!("/data/notes/n{rev}");
        let headers = [("content-type", media_type), ("accept", media_type), ("content-encoding", "gzip")];
        let answer = root.ask("PUT", &path, &headers, Some(&gzip(&format.encode(&value).unwrap())));
        assert_eq!((answer.status, answer.header("content-type")), (200, media_type));
        assert_eq!(format.decode::<Written>(&answer.body).unwrap().rev, rev);
        let answer = root.ask("GET", &path, &[("accept", media_type), ("accept-encoding", "gzip")], None);
        assert_eq!(
            (answer.header("content-encoding"), answer.header("vary")),
            ("gzip", "accept, accept-encoding, authorization")
        );
        let item: DataItem = format.decode(&gunzip(&answer.body)).unwrap();
        assert!(item.value.same_value(&value));
        assert!(root.get(&path)["value"] == value.to_value().unwrap());
    }
}
