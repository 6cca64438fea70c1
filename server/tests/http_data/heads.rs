//! `HEAD`: what a `GET` would be answered, without the body.

use crate::bad_input::path_of;
use crate::caller::{CONFIG, caller};
use crate::http_support::{Fixture, raw};
use std::collections::BTreeMap;

/// Status line, headers and body, as they came.
fn answer(fixture: &Fixture, method: &str, path: &str, more: &str) -> (String, BTreeMap<String, String>, String) {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer root-t0ken\r\n{more}\r\n"
    );
    let text = raw(fixture, request.as_bytes());
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {text}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().to_owned();
    let split = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let mut headers: BTreeMap<String, String> = lines.map(split).collect();
    assert!(headers.remove("date").is_some(), "{method} {path}: {text}");
    (status, headers, body.to_owned())
}

#[test]
fn head_is_answered_like_get_without_the_body() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    root.put("/data/c/there", &format!("\"{}\"", "x".repeat(4_000)));
    let mut gets = syncstore_server::route_names();
    gets.retain(|(method, _)| method == "GET");
    let mut asked: Vec<(String, &str, &str)> = Vec::new();
    for (_, route) in &gets {
        asked.push((path_of(route), "", "200"));
        asked.push((path_of(route), "Accept: application/msgpack\r\nAccept-Encoding: gzip\r\n", "200"));
    }
    asked.extend([
        ("/v1/notes/data/c/there".to_owned(), "If-None-Match: \"1\"\r\n", "304"),
        ("/v1/notes/data/c/none".to_owned(), "", "404"),
        ("/v1/notes/nothing".to_owned(), "", "404"),
        ("/v1/notes/sync/outbox".to_owned(), "", "405"),
        ("/v1/notes/sync/inbox?client=x".to_owned(), "", "400"),
    ]);
    for (path, more, status) in asked {
        let (get, mut headers, body) = answer(&fixture, "GET", &path, more);
        let (head, mut same, nothing) = answer(&fixture, "HEAD", &path, more);
        assert!(get.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {get}");
        assert!(!body.is_empty() || status == "304", "{path}");
        // It would have to be that of the answer that is not sent.
        assert!(status != "304" || !same.contains_key("content-length"), "{path}: {same:?}");
        if path == "/metrics" || path.contains("/checkpoint") {
            // The numbers go on between the two, and each checkpoint has a name of its own, which is compressed with the rest.
            let length = headers.remove("content-length").is_some();
            assert_eq!(same.remove("content-length").is_some(), length);
        }
        assert_eq!((head, same, &*nothing), (get, headers, ""), "{path} {more}");
    }
}

#[test]
fn after_a_304_the_connection_goes_on() {
    let fixture = Fixture::configured(CONFIG);
    caller(&fixture, "root").put("/data/c/there", "1");
    let ask = |method: &str| {
        format!(
            "{method} /v1/notes/data/c/there HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root-t0ken\r\n\
             If-None-Match: \"1\"\r\n\r\n"
        )
    };
    let requests = ask("GET") + &ask("HEAD") + "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answers = raw(&fixture, requests.as_bytes());
    let heads: Vec<&str> = answers.split("\r\n\r\n").collect();
    assert!(heads[..2].iter().all(|head| head.starts_with("HTTP/1.1 304 ")), "{answers}");
    assert!(heads[2].starts_with("HTTP/1.1 200 ") && heads[3..] == ["ok\n"], "{answers}");
}
