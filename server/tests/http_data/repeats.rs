//! `Idempotency-Key`: a write that is sent again.

use crate::caller::{CONFIG, Caller, caller};
use crate::http_support::{Answer, Fixture, client, new_ref};
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

const LINK: &str = r#"{"predicate":"in","object":{"collection":"folders","key":"f"}}"#;

/// Every write on an item: its method, what stands behind the item's path, its body.
const WRITES: [(&str, &str, &str); 9] = [
    ("PUT", "", "1"),
    ("PATCH", "", r#"[{"op":"replace","path":"","value":2}]"#),
    ("DELETE", "", ""),
    ("PUT", "/indexes/i", r#"{"order":"o"}"#),
    ("DELETE", "/indexes/i", ""),
    ("PUT", "/relations/r", LINK),
    ("DELETE", "/relations/r", ""),
    ("PUT", "/tags/team:7", ""),
    ("DELETE", "/tags/team:7", ""),
];

/// An item, with one of each resource for a write that removes them.
fn make(ada: &Caller, item: &str, method: &str) {
    ada.put(item, "0");
    if method == "DELETE" {
        for (_, path, body) in WRITES.iter().filter(|(method, path, _)| *method == "PUT" && !path.is_empty()) {
            ada.put(&format!("{item}{path}"), body);
        }
    }
}

#[test]
fn each_write_is_repeated_after_a_later_change_and_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let start = || Server::start(ServerOptions::new(data.path(), Config::parse(CONFIG).unwrap())).unwrap();
    let refs: Vec<String> = WRITES.iter().map(|_| new_ref().to_string()).collect();
    let item = |number: usize| format!("/data/notes/n{number}");
    let send = |ada: &Caller, number: usize, item: &str| {
        let (method, path, body) = WRITES[number];
        let body = Some(body.as_bytes()).filter(|body| !body.is_empty());
        ada.ask(method, &format!("{item}{path}"), &[("idempotency-key", &refs[number])], body)
    };
    let told = |answer: Answer| (answer.status, answer.header("etag").to_owned(), answer.json());
    let state = |ada: &Caller| {
        let items = (0..WRITES.len()).map(|number| ada.get(&item(number))).collect::<Vec<_>>();
        (ada.get("")["seq"].clone(), items)
    };

    let server = start();
    let ada = Caller::at(&server.url(), "ada");
    let mut first = Vec::new();
    for (number, (method, path, _)) in WRITES.into_iter().enumerate() {
        make(&ada, &item(number), method);
        let answer = told(send(&ada, number, &item(number)));
        let rev = ada.get("")["seq"].clone();
        let gone = method == "DELETE" && path.is_empty();
        let tag = if gone { String::new() } else { format!("\"{rev}\"") };
        assert_eq!(answer, (200, tag, json!({ "rev": rev })), "{method} {path}");
        // What it did is undone, or done otherwise.
        match (method, path) {
            (_, "") => ada.put(&item(number), "\"later\""),
            ("PUT", _) => ada.delete(&format!("{}{path}", item(number))),
            _ => ada.put(&format!("{}{path}", item(number)), WRITES[number - 1].2),
        };
        first.push(answer);
    }
    let before = state(&ada);
    let repeat = |ada: &Caller| {
        for (number, first) in first.iter().enumerate() {
            assert_eq!(&told(send(ada, number, &item(number))), first, "{:?}", WRITES[number]);
        }
        assert_eq!(state(ada), before, "nothing was written");
    };
    repeat(&ada);
    server.stop();
    let server = start();
    let ada = Caller::at(&server.url(), "ada");
    repeat(&ada);

    // The same key with anything else: the same write on another item, and another resource of the same item.
    make(&ada, "/data/notes/other", "DELETE");
    let before = (state(&ada), ada.get("/data/notes/other"));
    for number in 0..WRITES.len() {
        send(&ada, number, "/data/notes/other").is_problem(422, "ref_reused");
        for (method, path, body) in WRITES.into_iter().filter(|write| *write != WRITES[number]) {
            let body = Some(body.as_bytes()).filter(|body| !body.is_empty());
            let path = format!("{}{path}", item(number));
            ada.ask(method, &path, &[("idempotency-key", &refs[number])], body).is_problem(422, "ref_reused");
        }
    }
    assert_eq!((state(&ada), ada.get("/data/notes/other")), before, "nothing was written");
}

#[test]
fn the_table_has_every_write_on_an_item() {
    let routes = syncstore_server::route_names();
    let mut routes: Vec<_> = routes
        .iter()
        .filter_map(|(method, path)| {
            let path = path.strip_prefix("/v1/{db}/data/{collection}/{key}")?;
            Some((method.as_str(), path.split('/').nth(1).unwrap_or_default())).filter(|(method, _)| *method != "GET")
        })
        .collect();
    let mut table: Vec<_> =
        WRITES.iter().map(|(method, path, _)| (*method, path.split('/').nth(1).unwrap_or_default())).collect();
    routes.sort_unstable();
    table.sort_unstable();
    assert_eq!(table, routes);
}
