//! What credentials with tags are told over HTTP.

mod http_support;

use http_support::{Fixture, client, new_ref};
use std::thread;
use syncstore::protocol::{CheckpointPage, ClientId, Format, InboxPage};

const CONFIG: &str = r#"
[[credential]]
token = "root-t0ken"
user = "root"
databases = ["notes"]
all_tags = true

[[credential]]
token = "ada-t0ken"
user = "ada"
databases = ["notes"]
tags = ["user:ada", "team:7"]
grant = ["user:ada"]

[[credential]]
token = "bob-t0ken"
user = "bob"
databases = ["notes"]
tags = ["user:bob", "team:7"]
grant = ["user:bob"]
"#;

type Header = (&'static str, &'static str);
const ROOT: Header = ("authorization", "Bearer root-t0ken");
const ADA: Header = ("authorization", "Bearer ada-t0ken");
const BOB: Header = ("authorization", "Bearer bob-t0ken");

/// Pushes one op with these members; its result.
fn push(fixture: &Fixture, who: Header, client: ClientId, op: &str) -> serde_json::Value {
    let op = format!(r#"{{"ref":"{}","collection":"notes",{op}}}"#, new_ref());
    let body = format!(r#"{{"client":"{client}","ops":[{op}]}}"#);
    let headers = [who, ("content-type", "application/json")];
    let answer = fixture.post("/v1/notes/sync/outbox", &headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["results"][0].clone()
}

fn inbox(fixture: &Fixture, who: Header, client: ClientId, more: &str) -> InboxPage {
    let answer = fixture.get(&format!("/v1/notes/sync/inbox?client={client}{more}"), &[who]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    Format::Json.decode(&answer.body).unwrap()
}

fn checkpoint(fixture: &Fixture, who: Header, client: ClientId) -> CheckpointPage {
    let answer = fixture.get(&format!("/v1/notes/sync/checkpoint?client={client}"), &[who]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    Format::Json.decode(&answer.body).unwrap()
}

#[test]
fn a_credential_sees_what_has_its_tags_and_a_new_item_has_those_of_its_grant() {
    let fixture = Fixture::configured(CONFIG);
    assert_eq!(push(&fixture, ADA, client(1), r#""op":"set","key":"a","value":1"#)["outcome"], "accepted");
    assert_eq!(inbox(&fixture, ADA, client(1), "").entries[0].tags, ["user:ada"]);
    assert_eq!(inbox(&fixture, BOB, client(2), "").entries.len(), 0);
    assert_eq!(checkpoint(&fixture, BOB, client(2)).total, 0);
    assert_eq!(push(&fixture, BOB, client(2), r#""op":"patch","key":"a","patch":[]"#)["code"], "not_found");
    assert_eq!(push(&fixture, ADA, client(1), r#""op":"set","key":"a","tag":"team:7""#)["outcome"], "accepted");
    let page = inbox(&fixture, BOB, client(2), "");
    let entry = page.entries.last().unwrap();
    assert!(entry.full && entry.tags == ["team:7", "user:ada"], "{entry:?}");
    assert_eq!(checkpoint(&fixture, BOB, client(2)).items[0].key, "a");
    assert_eq!(push(&fixture, BOB, client(2), r#""op":"patch","key":"a","patch":[]"#)["outcome"], "accepted");
    assert_eq!(push(&fixture, BOB, client(2), r#""op":"delete","key":"a","tag":"user:ada""#)["code"], "forbidden");
    assert_eq!(inbox(&fixture, ROOT, client(3), "").entries.len(), 3, "a set, a tag and a patch");
}

#[test]
fn hidden_entries_do_not_end_a_held_answer_and_its_cursor_passes_them() {
    let fixture = Fixture::configured(CONFIG);
    let seen = thread::scope(|scope| {
        let held = scope.spawn(|| inbox(&fixture, BOB, client(2), "&wait=60"));
        fixture.wait_for_long_polls(1);
        for key in ["a", "b", "c"] {
            push(&fixture, ADA, client(1), &format!(r#""op":"set","key":"{key}","value":1"#));
        }
        assert!(!held.is_finished());
        push(&fixture, ROOT, client(3), r#""op":"set","key":"b","tag":"user:bob""#);
        held.join().unwrap()
    });
    assert_eq!((seen.entries.len(), seen.entries[0].key.as_deref(), seen.seq), (1, Some("b"), 4));
    let page = thread::scope(|scope| {
        let more = format!("&wait=5&cursor={}", seen.cursor.as_str());
        let held = scope.spawn(|| inbox(&fixture, BOB, client(2), &{ more }));
        fixture.wait_for_long_polls(1);
        push(&fixture, ADA, client(1), r#""op":"set","key":"d","value":1"#);
        held.join().unwrap()
    });
    assert_eq!((page.entries.len(), page.seq), (0, 5));
}

#[test]
fn other_tags_in_the_configuration_expire_the_cursor_as_filter() {
    let data = tempfile::tempdir().unwrap();
    let start = |text: &str| {
        let config = syncstore_server::config::Config::parse(text).unwrap();
        syncstore_server::Server::start(syncstore_server::ServerOptions::new(data.path(), config)).unwrap()
    };
    let read = |server: &syncstore_server::Server, more: &str| {
        let path = format!("/v1/notes/sync/inbox?client={}{more}", client(2));
        http_support::send(&server.url(), "GET", &path, &[BOB], None)
    };
    let server = start(CONFIG);
    let page: InboxPage = Format::Json.decode(&read(&server, "").body).unwrap();
    server.stop();
    let server = start(&CONFIG.replace(r#""user:bob", "team:7""#, r#""user:bob""#));
    let problem = read(&server, &format!("&cursor={}", page.cursor.as_str())).is_problem(410, "cursor_expired");
    assert_eq!(problem.reason.as_deref(), Some("filter"));
    assert_eq!(read(&server, "").status, 200);
}
