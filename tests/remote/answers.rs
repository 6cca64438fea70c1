//! What is sent byte for byte, and answers that no server means.

use crate::scripted::{Recorded, Reply, Server, answer, bomb, json, options, problem};
use std::time::{Duration, Instant};
use syncstore::protocol::{Code, Ref};
use syncstore::wire::{HttpOptions, WireError};
use syncstore::{Precondition, Remote, RemoteError, RemoteQuery};

const ITEM: &str = r#"{"key":"n","value":1,"rev":7,"indexes":{},"relations":[],"tags":[]}"#;

fn remote(server: &Server, options: HttpOptions) -> Remote {
    Remote::new(&server.url(), "db", options).unwrap()
}

#[test]
fn each_call_is_sent_as_the_protocol_says() {
    let written = || json(r#"{"rev":7}"#);
    let server = Server::start(vec![
        json(ITEM),
        Reply::Send(answer("304 Not Modified", &[], b"")),
        json(r#"{"items":[]}"#),
        written(),
        written(),
        written(),
        written(),
        written(),
        json(r#"{"results":[{"rev":7}]}"#),
    ]);
    let remote = remote(&server, options());
    let op: Ref = "019aa0b2-7a10-7000-8f3e-5b1c2a9d4e01".parse().unwrap();
    let item = remote.item("notes", "n").with_ref(op);
    remote.get("notes", "n").unwrap();
    remote.get_newer("notes", "n", 7).unwrap();
    remote.list("notes", &RemoteQuery::all().prefix("a").limit(2)).unwrap();
    item.clone().when(Precondition::Rev(41)).set_raw(r#"{"a":1.0}"#).unwrap();
    item.clone().when(Precondition::Exists).patch_raw("[]").unwrap();
    item.clone().when(Precondition::Absent).add_tag("t/1").unwrap();
    item.set_relation("r", "in", ("f", "1")).unwrap();
    item.delete_index("i").unwrap();
    let mut batch = remote.batch();
    batch.item("notes", "n").base(3).with_ref(op).set(&1).unwrap();
    batch.commit().unwrap();

    let requests = server.finish();
    let lines: Vec<&str> = requests.iter().map(|request| request.head.lines().next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/db/data/notes/n HTTP/1.1",
            "GET /v1/db/data/notes/n HTTP/1.1",
            "GET /v1/db/data/notes?prefix=a&limit=2 HTTP/1.1",
            "PUT /v1/db/data/notes/n HTTP/1.1",
            "PATCH /v1/db/data/notes/n HTTP/1.1",
            "PUT /v1/db/data/notes/n/tags/t%2F1 HTTP/1.1",
            "PUT /v1/db/data/notes/n/relations/r HTTP/1.1",
            "DELETE /v1/db/data/notes/n/indexes/i HTTP/1.1",
            "POST /v1/db/batch HTTP/1.1",
        ]
    );
    let header = |n: usize, name| requests[n].header(name);
    assert_eq!(header(1, "if-none-match"), Some("\"7\""));
    let conditions: Vec<_> = (3..9).map(|n| (header(n, "if-match"), header(n, "if-none-match"))).collect();
    let none = (None, None);
    assert_eq!(conditions, [(Some("\"41\""), None), (Some("*"), None), (None, Some("*")), none, none, none]);
    for (n, request) in requests.iter().enumerate() {
        let of_write = (3..8).contains(&n).then_some("019aa0b2-7a10-7000-8f3e-5b1c2a9d4e01");
        assert_eq!(request.header("idempotency-key"), of_write, "{n}");
        let body = [3, 4, 6, 8].contains(&n).then_some("application/json");
        assert_eq!(request.header("content-type"), body, "{n}");
        assert_eq!(request.header("accept"), Some("application/json"));
    }
    let body = |request: &Recorded| String::from_utf8(request.body.clone()).unwrap();
    assert_eq!(body(&requests[3]), r#"{"a":1.0}"#, "values pass through");
    assert_eq!((body(&requests[5]).as_str(), header(5, "content-length")), ("", Some("0")));
    assert_eq!(body(&requests[6]), r#"{"predicate":"in","object":{"collection":"f","key":"1"}}"#);
    let batch = format!(r#"{{"ops":[{{"ref":"{op}","op":"set","collection":"notes","key":"n","value":1,"base":3}}]}}"#);
    assert_eq!(body(&requests[8]), batch);
}

#[test]
fn a_read_that_is_answered_with_nonsense_is_an_error_that_repeats_nothing_of_it() {
    let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
    let long = "diary".repeat(1000);
    let item = |change: (&str, &str)| ITEM.replace(change.0, change.1);
    let answers = [
        String::new(),
        "null".into(),
        "[]".into(),
        "{".into(),
        ITEM[..40].into(),
        format!("{ITEM}{ITEM}"),
        item(("\"key\":\"n\"", "\"key\":\"diary\"")),
        item(("\"rev\":7", "\"rev\":0")),
        item(("\"rev\":7", "\"rev\":-1")),
        item(("\"rev\":7", "\"rev\":18446744073709551615")),
        item(("\"value\":1", "\"value\":1e999")),
        item(("\"value\":1", r#""value":"\ud800diary""#)),
        item(("\"value\":1", &format!("\"value\":{deep}"))),
        item(("\"value\":1,", "")),
        item(("\"tags\":[]", "\"tags\":\"diary\"")),
        item(("\"tags\":[]", &format!("\"tags\":[{long:?}]"))),
        item(("\"tags\":[]", "\"tags\":[\"\"]")),
        item(("\"indexes\":{}", &format!("\"indexes\":{{\"i\":{long:?}}}"))),
        item(("\"relations\":[]", r#""relations":[{"id":"","predicate":"p","object":{"collection":"c","key":"k"}}]"#)),
    ];
    let server = Server::start(answers.iter().map(|answer| json(answer)).collect());
    let remote = remote(&server, options());
    for answer in &answers {
        let error = remote.get("notes", "n").unwrap_err();
        assert!(matches!(&error, RemoteError::Wire(WireError::Protocol(_))), "{answer}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("diary"), "{error:?}");
    }
    server.finish();
}

#[test]
fn a_page_that_makes_no_sense_is_refused() {
    let next = |next: &str| format!(r#"{{"items":[],"next":{next:?}}}"#);
    let listed = |items: &str| format!(r#"{{"items":[{items}]}}"#);
    let one = r#"{"key":"a","value":1,"rev":1}"#;
    let pages = [
        listed(&format!("{one},{one},{one}")),
        listed(r#"{"key":"","value":1,"rev":1}"#),
        listed(r#"{"key":"a","value":1,"rev":0}"#),
        listed(one),
        next("here"),
        next(&"n".repeat(4097)),
        r#"{"items":null}"#.to_owned(),
    ];
    let mut script: Vec<_> = pages.iter().map(|page| json(page)).collect();
    script.extend([json(&next(&"n".repeat(4096))), json(r#"{"collections":[],"next":"here"}"#)]);
    let server = Server::start(script);
    let remote = remote(&server, options());
    let query = RemoteQuery::all().index("i").limit(2).resume("here");
    for page in &pages {
        let error = remote.list("notes", &query).unwrap_err();
        assert!(matches!(&error, RemoteError::Wire(WireError::Protocol(_))), "{page}: {error:?}");
    }
    assert_eq!(remote.list("notes", &query).unwrap().next.unwrap().len(), 4096);
    let error = remote.collections(Some("here")).unwrap_err();
    assert!(matches!(&error, RemoteError::Wire(WireError::Protocol(_))), "{error:?}");
    server.finish();
}

#[test]
fn a_write_that_is_answered_with_nonsense_may_have_been_done() {
    let html = || Reply::Send(answer("200 OK", &[("Content-Type", "text/html")], b"<html>sign in</html>"));
    let huge = answer("200 OK", &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")], &bomb());
    let server = Server::start(vec![
        html(),
        json("{}"),
        json(r#"{"rev":18446744073709551615}"#),
        Reply::Send(answer("304 Not Modified", &[("Date", "x")], b"")),
        Reply::Send(answer("204 No Content", &[], b"")),
        Reply::SendAndClose(answer("200 OK", &[("Content-Type", "application/json")], b"{\"rev\":7}")[..60].to_vec()),
        Reply::SendAndClose(huge),
        problem("503 Service Unavailable", &[("Retry-After", "3")], "{}"),
    ]);
    let mut small = options();
    small.response_limit = 1 << 20;
    let remote = remote(&server, small);
    for n in 0..8 {
        let error = remote.item("notes", "n").set(&n).unwrap_err();
        if n == 3 {
            assert!(matches!(&error, RemoteError::Wire(WireError::Refused { status: 304, .. })), "{error:?}");
            continue;
        }
        assert!(matches!(&error, RemoteError::Unconfirmed { op: Some(_), .. }), "{n}: {error:?}");
        assert!(error.is_transient());
        assert_eq!(error.retry_after(), (n == 7).then_some(Duration::from_secs(3)));
    }
    server.finish();
}

#[test]
fn only_a_verdict_in_the_protocols_own_words_is_one() {
    let html = |status| Reply::Send(answer(status, &[("Content-Type", "text/html")], b"<html>"));
    let says = |status, body: &str| problem(status, &[], body);
    let server = Server::start(vec![
        html("404 Not Found"),
        says("404 Not Found", r#"{"code":"unknown_db"}"#),
        says("404 Not Found", r#"{"code":"unknown_path"}"#),
        html("404 Not Found"),
        html("412 Precondition Failed"),
        html("403 Forbidden"),
        html("422 Unprocessable Content"),
        says("404 Not Found", r#"{"code":"unknown_db"}"#),
        says("404 Not Found", r#"{"code":"unknown_path"}"#),
        says("422 Unprocessable Content", r#"{"failed":0}"#),
        says("412 Precondition Failed", r#"{"rev":9}"#),
        says("412 Precondition Failed", r#"{"code":"precondition_failed","rev":9}"#),
        says("413 Content Too Large", r#"{"code":"too_large","detail":"a\u0000b"}"#),
        says("409 Conflict", r#"{"code":"stale","rev":9}"#),
        says("422 Unprocessable Content", r#"{"code":"not_found","failed":7}"#),
        says("422 Unprocessable Content", r#"{"code":"not_found","failed":0}"#),
    ]);
    let remote = remote(&server, options());
    for _ in 0..3 {
        let read = remote.get("notes", "n");
        assert!(matches!(read, Err(RemoteError::Wire(WireError::Refused { status: 404, .. }))), "{read:?}");
    }
    for _ in 0..8 {
        let error = remote.item("notes", "n").set(&1).unwrap_err();
        assert!(matches!(error, RemoteError::Wire(_)) && !error.is_transient(), "{error:?}");
    }
    let unmet = remote.item("notes", "n").set(&1).unwrap_err();
    assert!(matches!(unmet, RemoteError::PreconditionFailed { rev: 9, .. }), "{unmet:?}");
    for (code, message) in [(Code::TOO_LARGE, "ab"), (Code::STALE, "Conflict")] {
        let Err(RemoteError::Rejected(rejection)) = remote.item("notes", "n").set(&1) else { panic!("{code}") };
        assert_eq!((rejection.code, rejection.message.as_str()), (code, message));
    }
    let mut batch = remote.batch();
    batch.item("notes", "n").set(&1).unwrap();
    for failed in [None, Some(0)] {
        let Err(RemoteError::Rejected(rejection)) = batch.commit() else { panic!("{failed:?}") };
        assert_eq!((rejection.failed, rejection.item.is_some()), (failed, failed.is_some()));
    }
    server.finish();
}

#[test]
fn a_batch_answered_with_other_results_than_it_has_writes_may_have_been_done() {
    let answers = [r#"{"results":[]}"#, r#"{"results":[{"rev":1},{"rev":2}]}"#, r#"{"results":[{"rev":-1}]}"#];
    let server = Server::start(answers.iter().map(|answer| json(answer)).collect());
    let remote = remote(&server, options());
    let mut batch = remote.batch();
    batch.item("notes", "n").set(&1).unwrap();
    for answer in answers {
        let error = batch.commit().unwrap_err();
        assert!(matches!(&error, RemoteError::Unconfirmed { op: None, .. }), "{answer}: {error:?}");
    }
    server.finish();
}

#[test]
fn limits_of_zero_or_without_end_stop_nothing_for_ever() {
    let info = |limits: &str| crate::scripted::INFO.replace("\"limits\":{}", &format!("\"limits\":{limits}"));
    let zero = info(r#"{"body":0,"push_ops":0,"batch":0,"batch_ops":0,"value":0,"nesting":0,"name":0}"#);
    let endless = info(r#"{"name":18446744073709551615,"value":18446744073709551615,"nesting":18446744073709551615}"#);
    let server = Server::start(vec![json(&zero), json(r#"{"rev":1}"#), json(&endless)]);
    let remote = remote(&server, options());
    remote.info().unwrap();
    remote.item("c", "k").set(&1).unwrap();
    remote.info().unwrap();
    let name = "n".repeat(5000);
    assert!(matches!(remote.item(&name, &name).set(&1), Err(RemoteError::Limit(_))));
    server.finish();
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    let server = Server::start(vec![Reply::Silence, Reply::Drip(b"HTTP/1.1 200 OK\r\nX: y".to_vec())]);
    let mut impatient = options();
    impatient.call_timeout = Duration::from_millis(300);
    let remote = remote(&server, impatient);
    let start = Instant::now();
    let read = remote.get("notes", "n");
    assert!(matches!(read, Err(RemoteError::Wire(WireError::TimedOut(_)))), "{read:?}");
    let written = remote.item("notes", "n").set(&1);
    assert!(matches!(written, Err(RemoteError::Unconfirmed { error: WireError::TimedOut(_), .. })), "{written:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
}
