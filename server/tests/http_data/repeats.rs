//! `Idempotency-Key`: a write that is sent again.

use crate::caller::{CONFIG, Caller, caller};
use crate::http_support::{Fixture, client, new_ref};
use serde_json::json;
use syncstore::protocol::Ref;
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};

#[test]
fn a_repeat_is_told_what_the_first_did_also_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let start = || Server::start(ServerOptions::new(data.path(), Config::parse(CONFIG).unwrap())).unwrap();
    let refs: Vec<String> = (0..5).map(|_| new_ref().to_string()).collect();
    let all = |url: &str| {
        let ada = Caller::at(url, "ada");
        let send = |number: usize, method: &str, path: &str, more: &[(&str, &str)], body: &str| {
            let mut headers = vec![("idempotency-key", refs[number].as_str())];
            headers.extend(more);
            let body = Some(body.as_bytes()).filter(|body| !body.is_empty());
            let ask = || {
                let answer = ada.ask(method, path, &headers, body);
                (answer.status, answer.header("etag").to_owned(), answer.json())
            };
            let first = ask();
            // At once, when the op itself has made its condition untrue.
            assert_eq!(ask(), first);
            first
        };
        vec![
            send(0, "PUT", "/data/notes/n", &[("if-none-match", "*")], "1"),
            send(1, "PATCH", "/data/notes/n", &[("if-match", "\"1\"")], r#"[{"op":"replace","path":"","value":2}]"#),
            send(2, "PATCH", "/data/notes/n", &[], r#"[{"op":"remove","path":"/x"}]"#),
            send(3, "DELETE", "/data/notes/n/indexes/i", &[], ""),
            send(4, "DELETE", "/data/notes/n", &[], ""),
        ]
    };
    let server = start();
    let first = all(&server.url());
    assert_eq!(first.iter().map(|(status, ..)| *status).collect::<Vec<_>>(), [200, 200, 422, 200, 200]);
    assert_eq!(first[3].2, json!({"rev": 2}));
    let seq = |url: &str| Caller::at(url, "ada").get("")["seq"].clone();
    let head = seq(&server.url());
    assert_eq!(all(&server.url()), first);
    server.stop();
    let server = start();
    assert_eq!(all(&server.url()), first);
    assert_eq!(seq(&server.url()), head, "nothing was written");
    Caller::at(&server.url(), "ada").ask("GET", "/data/notes/n", &[], None).is_problem(404, "not_found");
}

#[test]
fn a_ref_is_good_for_one_op_of_one_user() {
    let fixture = Fixture::configured(CONFIG);
    let (ada, bob) = (caller(&fixture, "ada"), caller(&fixture, "bob"));
    let key = new_ref().to_string();
    let headers = [("idempotency-key", key.as_str())];
    ada.write("PUT", "/data/notes/n", &headers, "{\"a\":1,\"b\":2}");
    assert_eq!(ada.write("PUT", "/data/notes/n", &headers, "{\"b\":2, \"a\":1}"), 1, "the same value");
    ada.ask("PUT", "/data/notes/n", &headers, Some(b"2")).is_problem(422, "ref_reused");
    ada.ask("PUT", "/data/notes/m", &headers, Some(b"{\"a\":1,\"b\":2}")).is_problem(422, "ref_reused");
    bob.ask("PUT", "/data/notes/n", &headers, Some(b"{\"a\":1,\"b\":2}")).is_problem(422, "ref_reused");
    let old = Ref::from_parts(0, 7).to_string();
    ada.ask("PUT", "/data/notes/old", &[("idempotency-key", &old)], Some(b"1")).is_problem(422, "expired");
    let v4 = client(7).to_string();
    ada.ask("PUT", "/data/notes/v4", &[("idempotency-key", &v4)], Some(b"1")).is_problem(422, "invalid");
}
