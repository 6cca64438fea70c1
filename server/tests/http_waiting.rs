//! Held answers, slow clients and the end of the server.

mod http_support;

use http_support::{Fixture, client, push_body, send};
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};
use syncstore::protocol::{Format, InboxPage};
use syncstore_server::config::Config;

fn poll(fixture: &Fixture, wait: u64) -> thread::JoinHandle<(InboxPage, Duration)> {
    let url = fixture.url.clone();
    thread::spawn(move || {
        let start = Instant::now();
        let path = format!("/v1/notes/sync/inbox?client={}&wait={wait}", client(2));
        let answer = send(&url, "GET", &path, &[], None);
        assert_eq!(answer.status, 200, "{}", answer.text());
        (Format::Json.decode(&answer.body).unwrap(), start.elapsed())
    })
}

#[test]
fn a_held_answer_comes_with_the_news() {
    let fixture = Fixture::dev();
    let held: Vec<_> = (0..3).map(|_| poll(&fixture, 60)).collect();
    fixture.wait_for_long_polls(3);
    fixture.push_one("notes", &[], client(1), "a");
    for held in held {
        let (page, time) = held.join().unwrap();
        assert_eq!(page.entries.len(), 1);
        assert_eq!(page.entries[0].key.as_deref(), Some("a"));
        assert!(time < Duration::from_secs(30), "{time:?}");
    }
    fixture.wait_for_long_polls(0);
}

#[test]
fn what_is_there_is_answered_at_once() {
    let fixture = Fixture::dev();
    fixture.push_one("notes", &[], client(1), "a");
    let (page, time) = poll(&fixture, 60).join().unwrap();
    assert_eq!(page.entries.len(), 1);
    assert!(time < Duration::from_secs(30), "{time:?}");
}

#[test]
fn a_held_answer_comes_at_its_time_out_with_a_cursor() {
    let fixture = Fixture::dev();
    let seq = fixture.push_one("notes", &[], client(1), "a");
    let path = format!("/v1/notes/sync/inbox?client={}", client(2));
    let page: InboxPage = Format::Json.decode(&fixture.get(&path, &[]).body).unwrap();
    let cursor = form_urlencoded::byte_serialize(page.cursor.as_str().as_bytes()).collect::<String>();
    let start = Instant::now();
    let answer = fixture.get(&format!("{path}&cursor={cursor}&wait=1"), &[]);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    let page: InboxPage = Format::Json.decode(&answer.body).unwrap();
    assert_eq!((page.entries.len(), page.seq, page.more), (0, seq, false));
}

#[test]
fn a_held_answer_of_a_client_that_went_is_given_up() {
    let fixture = Fixture::dev();
    let mut stream = fixture.connect();
    write!(stream, "GET /v1/notes/sync/inbox?client={}&wait=60 HTTP/1.1\r\nHost: x\r\n\r\n", client(2)).unwrap();
    fixture.wait_for_long_polls(1);
    drop(stream);
    fixture.wait_for_long_polls(0);
}

#[test]
fn stopping_answers_what_is_held_and_finishes_what_is_under_way() {
    let mut fixture = Fixture::dev();
    let held = poll(&fixture, 60);
    fixture.wait_for_long_polls(1);
    // A push of which the server has the head and half of the body.
    let body = push_body(client(1), &["a"]);
    let mut pushing = fixture.connect();
    let (head, tail) = body.as_bytes().split_at(body.len() / 2);
    write!(
        pushing,
        "POST /v1/notes/sync/outbox HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    let mut proceed = [0; 25];
    pushing.read_exact(&mut proceed).unwrap();
    assert_eq!(&proceed, b"HTTP/1.1 100 Continue\r\n\r\n");
    pushing.write_all(head).unwrap();
    let addr = fixture.server().addr();
    let stopping = thread::spawn(move || {
        let start = Instant::now();
        fixture.stop();
        start.elapsed()
    });
    // The held answer tells that the server is stopping.
    let (page, time) = held.join().unwrap();
    assert!(page.entries.is_empty() && time < Duration::from_secs(30));
    pushing.write_all(tail).unwrap();
    let mut answer = String::new();
    pushing.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("accepted"), "{answer}");
    assert!(stopping.join().unwrap() < Duration::from_secs(9));
    assert!(std::net::TcpStream::connect(addr).is_err());
}

#[test]
fn what_was_answered_is_there_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let options = || syncstore_server::ServerOptions::dev(data.path());
    let server = syncstore_server::Server::start(options()).unwrap();
    let body = push_body(client(1), &["a"]);
    let json = ("content-type", "application/json");
    let answer = send(&server.url(), "POST", "/v1/notes/sync/outbox", &[json], Some(body.as_bytes()));
    assert_eq!(answer.status, 200);
    server.stop();
    let server = syncstore_server::Server::start(options()).unwrap();
    let path = format!("/v1/notes/sync/inbox?client={}", client(2));
    let page: InboxPage = Format::Json.decode(&send(&server.url(), "GET", &path, &[], None).body).unwrap();
    assert_eq!(page.entries.len(), 1);
}

fn impatient() -> Fixture {
    let mut config = Config::dev();
    config.limits.header_seconds = 1;
    config.limits.body_seconds = 1;
    Fixture::with(config)
}

#[test]
fn a_head_that_does_not_come_is_closed_while_others_are_served() {
    let fixture = impatient();
    let mut slow: Vec<_> = (0..20).map(|_| fixture.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    }
    assert_eq!(fixture.get("/healthz", &[]).status, 200);
    for stream in &mut slow {
        let mut rest = Vec::new();
        // Closed or reset, before the read times out.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
}

#[test]
fn a_body_that_does_not_come_is_answered_and_closed() {
    let fixture = impatient();
    let mut stream = fixture.connect();
    let head = "POST /v1/notes/sync/outbox HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[test]
fn one_connection_too_many_is_told_to_come_back() {
    let mut config = Config::dev();
    config.limits.connections = 1;
    let fixture = Fixture::with(config);
    let mut first = fixture.connect();
    first.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).unwrap();
    let refused = fixture.get("/healthz", &[]);
    refused_is_overloaded(&refused);
}

fn refused_is_overloaded(answer: &http_support::Answer) {
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert_eq!(answer.json()["code"], "overloaded");
}
