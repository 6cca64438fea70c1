//! Requests and answers: formats, codings, limits, errors.

mod http_support;

use http_support::{Fixture, client, gunzip, gzip, push_body, raw, send};
use serde_json::json;
use std::io::{Read, Write};
use syncstore::protocol::{CheckpointPage, DatabaseInfo, Format, InboxPage, PushRequest, PushResponse};
use syncstore_server::config::Config;

const JSON: (&str, &str) = ("content-type", "application/json");
const MESSAGE_PACK: (&str, &str) = ("content-type", "application/msgpack");

#[test]
fn a_push_comes_back_from_inbox_and_checkpoint_in_json() {
    let fixture = Fixture::dev();
    let answer = fixture.post("/v1/notes/sync/outbox", &[JSON], push_body(client(1), &["a", "b"]).as_bytes());
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let pushed: PushResponse = Format::Json.decode(&answer.body).unwrap();
    assert_eq!(pushed.results.len(), 2);

    let answer = fixture.get(&format!("/v1/notes/sync/inbox?client={}", client(2)), &[]);
    assert_eq!((answer.status, answer.header("content-encoding")), (200, ""));
    assert_eq!(answer.header("cache-control"), "no-store");
    let page: InboxPage = Format::Json.decode(&answer.body).unwrap();
    assert_eq!(page.entries.iter().map(|entry| entry.key.as_deref().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((page.seq, page.more), (pushed.seq, false));

    let cursor = form_urlencoded::byte_serialize(page.cursor.as_str().as_bytes()).collect::<String>();
    let answer = fixture.get(&format!("/v1/notes/sync/inbox?client={}&cursor={cursor}", client(2)), &[]);
    let page: InboxPage = Format::Json.decode(&answer.body).unwrap();
    assert!(page.entries.is_empty());

    let answer = fixture.get(&format!("/v1/notes/sync/checkpoint?client={}&limit=1", client(3)), &[]);
    let first: CheckpointPage = Format::Json.decode(&answer.body).unwrap();
    assert_eq!((first.items.len(), first.total, first.seq), (1, 2, pushed.seq));
    let next = form_urlencoded::byte_serialize(first.next.unwrap().as_bytes()).collect::<String>();
    let answer = fixture.get(&format!("/v1/notes/sync/checkpoint?client={}&page={next}", client(3)), &[]);
    let second: CheckpointPage = Format::Json.decode(&answer.body).unwrap();
    assert_eq!((second.items.len(), second.items[0].key.as_str(), second.next), (1, "b", None));
}

#[test]
fn a_request_asks_for_a_part_and_a_bad_list_is_malformed() {
    let fixture = Fixture::dev();
    fixture.post("/v1/notes/sync/outbox", &[JSON], push_body(client(1), &["a", "b1", "b2"]).as_bytes());
    let path = |what: &str, filter: &str| format!("/v1/notes/sync/{what}?client={}&{filter}", client(2));
    let inbox = |filter: &str| fixture.get(&path("inbox", filter), &[]);
    let keys = |filter: &str| {
        let page: InboxPage = Format::Json.decode(&inbox(filter).body).unwrap();
        let loaded: CheckpointPage = Format::Json.decode(&fixture.get(&path("checkpoint", filter), &[]).body).unwrap();
        let keys: Vec<String> = page.entries.into_iter().map(|entry| entry.key.unwrap()).collect();
        assert_eq!(loaded.items.into_iter().map(|item| item.key).collect::<Vec<_>>(), keys);
        assert_eq!(loaded.total, keys.len() as u64);
        keys.join(" ")
    };
    assert_eq!(keys(""), "a b1 b2");
    assert_eq!(keys("collections=notes:b,other"), "b1 b2");
    assert_eq!(keys("collections=notes%3Ab%2Cother&have=notes:b2"), "b1");
    assert_eq!(keys("collections=notes%5C:b"), "", "a colon of the name");
    assert_eq!(keys("collections="), "");
    let long = format!("collections={}", "x".repeat(4_097));
    for bad in ["collections=,", "collections=c&collections=c", "have=c::", "collections=c%5C", &long] {
        inbox(bad).is_problem(400, "malformed");
        fixture.get(&path("checkpoint", bad), &[]).is_problem(400, "malformed");
    }
    let page: InboxPage = Format::Json.decode(&inbox("collections=notes").body).unwrap();
    let problem = inbox(&format!("cursor={}", page.cursor.as_str())).is_problem(410, "cursor_expired");
    assert_eq!(problem.reason.as_deref(), Some("filter"));
}

#[test]
fn every_message_goes_in_message_pack_too() {
    let fixture = Fixture::dev();
    let accept = ("accept", "application/msgpack");
    let request: PushRequest = Format::Json.decode(push_body(client(1), &["a"]).as_bytes()).unwrap();
    let body = Format::MessagePack.encode(&request).unwrap();
    let answer = fixture.post("/v1/notes/sync/outbox", &[MESSAGE_PACK, accept], &body);
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/msgpack"));
    let pushed: PushResponse = Format::MessagePack.decode(&answer.body).unwrap();
    assert_eq!(pushed.results.len(), 1);
    let page = fixture.get(&format!("/v1/notes/sync/inbox?client={}", client(2)), &[accept]);
    let page: InboxPage = Format::MessagePack.decode(&page.body).unwrap();
    assert_eq!(page.entries[0].value.as_ref().unwrap().as_str(), r#"{"text":"a"}"#);
    let page = fixture.get(&format!("/v1/notes/sync/checkpoint?client={}", client(2)), &[accept]);
    let page: CheckpointPage = Format::MessagePack.decode(&page.body).unwrap();
    assert_eq!(page.items.len(), 1);
    let info = fixture.get("/v1/notes", &[accept]);
    let info: DatabaseInfo = Format::MessagePack.decode(&info.body).unwrap();
    assert_eq!(info.seq, pushed.seq);
    // The formats of request and answer do not depend on each other.
    let answer = fixture.post("/v1/notes/sync/outbox", &[MESSAGE_PACK], &body);
    assert_eq!(answer.header("content-type"), "application/json");
}

#[test]
fn the_info_publishes_the_configured_limits_and_retention() {
    let mut config = Config::dev();
    config.limits.log_retention = 9;
    config.limits.body = 4096;
    config.limits.push_ops = 7;
    let fixture = Fixture::with(config);
    let info: DatabaseInfo = Format::Json.decode(&fixture.get("/v1/notes", &[]).body).unwrap();
    assert_eq!((info.limits.body, info.limits.push_ops), (4096, 7));
    assert_eq!((info.retention.log_entries, info.retention.nonce_seconds), (Some(9), Some(300)));
    assert_eq!(info.retention.ref_seconds, Some(90 * 24 * 3600));
}

#[test]
fn the_info_of_a_server_that_is_not_told_otherwise_is_the_protocols() {
    let info = Fixture::dev().get("/v1/notes", &[]).json();
    let limits = json!({"name": 128, "value": 1048576, "nesting": 128, "body": 8388608, "push_ops": 1000,
                        "batch_ops": 10000, "batch": 8388608});
    assert_eq!(info["limits"], limits);
    let mut formats = vec!["application/json", "application/msgpack"];
    if cfg!(feature = "protobuf") {
        formats.push("application/protobuf+json");
    }
    assert_eq!((&info["formats"], &info["encodings"]), (&json!(formats), &json!(["gzip"])));
    let retention = json!({"log_entries": 1000000, "ref_seconds": 7776000, "client_seconds": 31536000,
                           "staged_seconds": 604800, "queued_seconds": 604800, "checkpoint_idle_seconds": 86400,
                           "checkpoint_seconds": 604800, "nonce_seconds": 300});
    assert_eq!(info["retention"], retention);
    assert_eq!(info["seq"], 0);
    assert!(info["database"].is_string() && info["database"] == info["epoch"], "{info}");
}

#[test]
fn gzip_goes_both_ways_for_who_asks() {
    let fixture = Fixture::dev();
    let keys: Vec<String> = (0..100).map(|number| format!("key-{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let body = gzip(push_body(client(1), &keys).as_bytes());
    let answer = fixture.post("/v1/notes/sync/outbox", &[JSON, ("content-encoding", "gzip")], &body);
    assert_eq!((answer.status, answer.header("content-encoding")), (200, ""));
    let path = format!("/v1/notes/sync/inbox?client={}", client(2));
    let answer = fixture.get(&path, &[("accept-encoding", "br, gzip;q=0.5")]);
    assert_eq!(answer.header("content-encoding"), "gzip");
    let page: InboxPage = Format::Json.decode(&gunzip(&answer.body)).unwrap();
    assert_eq!(page.entries.len(), 100);
    assert_eq!(fixture.get(&path, &[("accept-encoding", "gzip;q=0")]).header("content-encoding"), "");
    // Not worth it for a small answer.
    assert_eq!(fixture.get("/v1/notes", &[("accept-encoding", "gzip")]).header("content-encoding"), "");
}

#[test]
fn a_gzip_bomb_is_stopped_at_the_limit() {
    let fixture = Fixture::dev();
    let headers = [JSON, ("content-encoding", "gzip")];
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 8 << 20);
    fixture.post("/v1/notes/sync/outbox", &headers, &bomb).is_problem(413, "too_large");
    fixture.post("/v1/notes/sync/outbox", &headers, b"no gzip").is_problem(400, "malformed");
}

#[test]
fn a_body_at_the_limit_is_read_and_one_byte_more_is_not() {
    let mut config = Config::dev();
    config.limits.body = 2000;
    let fixture = Fixture::with(config);
    let mut body = push_body(client(1), &["a"]);
    body.push_str(&" ".repeat(2000 - body.len()));
    assert_eq!(fixture.post("/v1/notes/sync/outbox", &[JSON], body.as_bytes()).status, 200);
    body.push(' ');
    fixture.post("/v1/notes/sync/outbox", &[JSON], body.as_bytes()).is_problem(413, "too_large");
    let zipped = gzip(body.as_bytes());
    let headers = [JSON, ("content-encoding", "gzip")];
    fixture.post("/v1/notes/sync/outbox", &headers, &zipped).is_problem(413, "too_large");
}

#[test]
fn a_body_without_a_length_is_capped_while_it_is_read() {
    let mut config = Config::dev();
    config.limits.body = 2000;
    let fixture = Fixture::with(config);
    let mut request = b"POST /v1/notes/sync/outbox HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    for _ in 0..30 {
        request.extend_from_slice(b"64\r\n");
        request.extend_from_slice(&[b' '; 100]);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    assert!(raw(&fixture, &request).starts_with("HTTP/1.1 413 "));
}

#[test]
fn a_declared_length_past_the_limit_is_refused_before_the_body() {
    let fixture = Fixture::dev();
    let request = "POST /v1/notes/sync/outbox HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\
        Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n";
    let answer = raw(&fixture, request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn each_bad_request_is_told_by_its_problem() {
    let fixture = Fixture::dev();
    let outbox = "/v1/notes/sync/outbox";
    let good = push_body(client(1), &["a"]);
    fixture.get("/nothing/here", &[]).is_problem(404, "unknown_path");
    fixture.get("/v1/notes/sync/other", &[]).is_problem(404, "unknown_path");
    fixture.get("/v1/no%20database", &[]).is_problem(404, "unknown_db");
    fixture.get("/v1/%ff", &[]).is_problem(404, "unknown_db");
    fixture.get("/v1/%2e%2e", &[]).is_problem(404, "unknown_db");
    fixture.get(&format!("/v1/{}", "x".repeat(65)), &[]).is_problem(404, "unknown_db");
    let answer = fixture.get(outbox, &[]);
    answer.is_problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "POST");
    fixture.post("/v1/notes", &[], b"").is_problem(405, "method_not_allowed");
    fixture.get("/v1/notes", &[("accept", "text/html")]).is_problem(406, "not_acceptable");
    fixture.post(outbox, &[], good.as_bytes()).is_problem(415, "unsupported_media_type");
    fixture.post(outbox, &[("content-type", "text/plain")], b"").is_problem(415, "unsupported_media_type");
    let coding = ("content-encoding", "br");
    fixture.post(outbox, &[JSON, coding], good.as_bytes()).is_problem(415, "unsupported_media_type");
    for body in ["", "{", "[]", "{}", "null", &good[..good.len() - 1], &format!("{good}x")] {
        fixture.post(outbox, &[JSON], body.as_bytes()).is_problem(400, "malformed");
        fixture.post(outbox, &[MESSAGE_PACK], body.as_bytes()).is_problem(400, "malformed");
    }
    for query in ["", "client=7", "client=", "limit=5"] {
        fixture.get(&format!("/v1/notes/sync/inbox?{query}"), &[]).is_problem(400, "malformed");
        fixture.get(&format!("/v1/notes/sync/checkpoint?{query}"), &[]).is_problem(400, "malformed");
    }
    for more in ["limit=0", "limit=x", "wait=-1", "wait=1.5", "as_sent=maybe", "limit=1&limit=2"] {
        let path = format!("/v1/notes/sync/inbox?client={}&{more}", client(1));
        fixture.get(&path, &[]).is_problem(400, "malformed");
    }
    // A refused format has nothing committed.
    fixture.post(outbox, &[JSON, ("accept", "text/html")], good.as_bytes()).is_problem(406, "not_acceptable");
    let info: DatabaseInfo = Format::Json.decode(&fixture.get("/v1/notes", &[]).body).unwrap();
    assert_eq!(info.seq, 0);
}

#[test]
fn what_has_expired_is_gone() {
    let mut config = Config::dev();
    config.limits.log_retention = 1;
    let fixture = Fixture::with(config);
    for key in ["a", "b", "c"] {
        fixture.push_one("notes", &[], client(1), key);
    }
    fixture.server().service().prune("notes").unwrap();
    let path = format!("/v1/notes/sync/inbox?client={}", client(2));
    let problem = fixture.get(&path, &[]).is_problem(410, "cursor_expired");
    assert_eq!(problem.reason.as_deref(), Some("pruned"));
    let path = format!("/v1/notes/sync/checkpoint?client={}&page=bogus", client(1));
    fixture.get(&path, &[]).is_problem(410, "checkpoint_expired");
}

#[test]
fn a_push_that_is_refused_as_a_whole_is_told_why() {
    let mut config = Config::dev();
    config.limits.push_ops = 2;
    let fixture = Fixture::with(config);
    let body = push_body(client(1), &["a", "b", "c"]);
    fixture.post("/v1/notes/sync/outbox", &[JSON], body.as_bytes()).is_problem(413, "too_large");
    // What comes after the first op too many is not looked at, in any format.
    for (keys, status, code) in [(vec!["a", "b"], 413, "too_large"), (vec!["a"], 400, "malformed")] {
        let mut push: serde_json::Value = serde_json::from_str(&push_body(client(1), &keys)).unwrap();
        push["ops"].as_array_mut().unwrap().push(json!(3));
        for format in Format::ALL {
            let sent = ("content-type", format.content_type());
            let body = format.encode(&push).unwrap();
            fixture.post("/v1/notes/sync/outbox", &[sent], &body).is_problem(status, code);
        }
    }
    let body = push_body(client(1), &["a", "b"]);
    assert_eq!(fixture.post("/v1/notes/sync/outbox", &[JSON], body.as_bytes()).status, 200);
}

#[test]
fn a_message_that_is_far_longer_as_json_is_refused_as_too_large() {
    let fixture = Fixture::dev();
    // A sixth of what it is as JSON: less than a body may have, and more than twice as much.
    for (length, status) in [(2 << 20, 200), (3 << 20, 413)] {
        let push = json!({"client": client(1), "ops": [], "later": "\u{1}".repeat(length)});
        for format in Format::ALL.iter().filter(|format| **format != Format::Json) {
            let body = format.encode(&push).unwrap();
            let answer = fixture.post("/v1/notes/sync/outbox", &[("content-type", format.content_type())], &body);
            assert_eq!(answer.status, status, "{format:?}");
        }
    }
}

#[test]
fn health_and_metrics_are_told_without_a_credential() {
    let fixture = Fixture::dev();
    let answer = fixture.get("/healthz", &[]);
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok\n"));
    fixture.push_one("notes", &[], client(1), "a");
    fixture.get("/v1/notes?token=s3cret", &[]);
    fixture.get("/s3cret", &[]);
    let metrics = fixture.get("/metrics", &[]).text();
    for line in [
        r#"syncstore_http_requests_total{method="POST",route="/v1/{db}/sync/outbox",status="200"} 1"#,
        r#"syncstore_http_requests_total{method="GET",route="other",status="404"} 1"#,
        r#"syncstore_push_ops_total{outcome="accepted"} 1"#,
        r#"syncstore_database_log_head{db="notes"} 1"#,
        r#"syncstore_database_groups_total{db="notes"} 1"#,
        "syncstore_long_polls 0",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
    assert!(!metrics.contains("s3cret"));
}

#[test]
fn a_head_without_end_is_refused() {
    let fixture = Fixture::dev();
    let request = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {}", "x".repeat(1 << 20));
    let answer = raw(&fixture, request.as_bytes());
    // The answer is lost where the reset that unread bytes cause overtakes it.
    assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer}");
    assert_eq!(fixture.get("/healthz", &[("x-long", &"x".repeat(30_000))]).status, 200);
}

#[test]
fn one_connection_serves_many_requests() {
    let fixture = Fixture::dev();
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2)
        + "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(&fixture, request.as_bytes()).matches("HTTP/1.1 200 OK").count(), 3);
}

#[test]
fn who_writes_a_body_to_no_path_or_by_another_method_reads_why_it_is_refused() {
    let fixture = Fixture::dev();
    for (path, method, status) in [("/elsewhere/v1", "POST", "404"), ("/v1/notes/sync/outbox", "DELETE", "405")] {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 16777216\r\n\r\n")
                .into_bytes();
        request.resize(request.len() + (16 << 20), b'x');
        // More than the connection's buffers hold, all written before anything is read.
        let (mut stream, mut answer) = (fixture.connect(), String::new());
        stream.write_all(&request).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[test]
fn what_has_no_room_is_told_so_and_when_to_come_back() {
    let mut config = Config::dev();
    (config.limits.databases, config.limits.database) = (1, 1 << 20);
    let fixture = Fixture::with(config);
    let value = json!("x".repeat(100_000)).to_string();
    let put = |db: &str, key: u32| {
        send(&fixture.url, "PUT", &format!("/v1/{db}/data/c/{key}"), &[JSON], Some(value.as_bytes()))
    };
    assert_eq!(put("notes", 0).status, 200);
    let refused = |answer: &http_support::Answer| {
        let problem = answer.is_problem(503, "full");
        assert_eq!(answer.header("retry-after"), "60");
        problem.detail
    };
    assert!(refused(&put("other", 0)).contains("as many databases as there may be, 1"));
    let last = (1..100).map(|key| put("notes", key)).find(|answer| answer.status != 200).expect("it is full at last");
    assert!(refused(&last).contains("full"));
    let push = fixture.post("/v1/notes/sync/outbox", &[JSON], push_body(client(1), &["a"]).as_bytes());
    assert_eq!((push.status, &push.json()["results"][0]["outcome"]), (200, &json!("skipped")));
    assert_eq!(fixture.get(&format!("/v1/notes/sync/inbox?client={}", client(2)), &[]).status, 200);
    let metrics = fixture.get("/metrics", &[]).text();
    let bytes = metrics.lines().find_map(|line| line.strip_prefix("syncstore_database_bytes{db=\"notes\"} "));
    assert!(bytes.expect("a gauge").parse::<u64>().expect("bytes") >= 1 << 20, "{metrics}");
}
