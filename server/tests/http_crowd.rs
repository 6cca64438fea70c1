//! More connections than anybody means well with.

mod http_support;

use http_support::{Fixture, push_body, send};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use syncstore::environment::{Environment, SystemEnvironment};
use syncstore::protocol::ClientId;
use syncstore_server::config::Config;

/// Idle ones, slow heads and slow bodies, a third each.
fn crowd(fixture: &Fixture, size: usize) -> Vec<TcpStream> {
    (0..size)
        .map(|n| {
            let mut stream = fixture.connect();
            let part: &[u8] = match n % 3 {
                0 => b"",
                1 => b"GET /v1/notes HTTP/1.1\r\nHost: x\r\nX-Slow: ",
                _ => {
                    b"POST /v1/notes/sync/outbox HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                      Content-Length: 8000000\r\n\r\n{"
                }
            };
            // Who is refused may be gone already.
            let _ = stream.write_all(part);
            stream
        })
        .collect()
}

#[test]
fn a_good_client_is_served_while_a_thousand_connections_stand_idle_or_drip() {
    let fixture = Fixture::dev();
    let mut crowd = crowd(&fixture, 1_000);
    let client = ClientId::from_random(1);
    let begun = Instant::now();
    for n in 0..20 {
        fixture.push_one("notes", &[], client, &format!("k{n}"));
        // They keep dripping meanwhile.
        for stream in crowd.iter_mut().skip(n % 3).step_by(97) {
            let _ = stream.write_all(b"x");
        }
    }
    let answered = begun.elapsed();
    assert!(answered < Duration::from_secs(10), "20 pushes took {answered:?}");
    let open = fixture.get("/metrics", &[]).text();
    let open = open.lines().find_map(|line| line.strip_prefix("syncstore_http_connections ")).unwrap().to_owned();
    assert!(open.parse::<u64>().unwrap() >= 1_000, "{open} are open, so the crowd was there");
}

#[test]
fn a_crowd_beyond_the_limit_is_refused_while_those_within_it_are_served() {
    const LIMIT: usize = 100;
    const BEYOND: usize = 200;
    let mut config = Config::dev();
    config.limits.connections = LIMIT;
    // Nobody within the limit makes room.
    config.limits.header_seconds = 600;
    let fixture = Fixture::with(config);
    let mut within: Vec<TcpStream> = (0..LIMIT).map(|_| fixture.connect()).collect();
    within.iter_mut().for_each(|stream| assert!(ask(stream, "/healthz").starts_with("HTTP/1.1 200 ")));
    let beyond: Vec<TcpStream> = (0..BEYOND).map(|_| fixture.connect()).collect();
    let answers: Vec<String> = beyond.into_iter().map(to_the_end).collect();
    let (told, dropped): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| !answer.is_empty());
    for answer in &told {
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"code\":\"overloaded\""), "{answer}");
    }
    assert!(told.len() >= 64, "so many are told at a time, and {} were, {} were not", told.len(), dropped.len());
    within.iter_mut().for_each(|stream| assert!(ask(stream, "/healthz").starts_with("HTTP/1.1 200 ")));
    let metrics = ask(&mut within[0], "/metrics");
    for line in [format!("syncstore_http_connections {LIMIT}\n"), format!("connections_refused_total {BEYOND}\n")] {
        assert!(metrics.contains(&line), "{line} {metrics}");
    }
}

#[test]
fn a_crowd_that_fills_the_limit_is_gone_with_its_time_out() {
    let mut config = Config::dev();
    config.limits.connections = 100;
    config.limits.header_seconds = 1;
    config.limits.body_seconds = 1;
    let fixture = Fixture::with(config);
    let standing = crowd(&fixture, 100);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_let_in(&fixture) {
        assert!(Instant::now() < deadline, "nobody is let in");
    }
    fixture.push_one("notes", &[], ClientId::from_random(1), "k");
    standing.into_iter().for_each(|stream| drop(to_the_end(stream)));
}

#[test]
fn large_bodies_that_trickle_after_a_quick_start_give_their_memory_back() {
    const BODY: usize = 64 << 10;
    let mut config = Config::dev();
    (config.limits.body, config.limits.value) = (BODY, 1 << 10);
    (config.limits.body_memory, config.limits.body_seconds) = (BODY * 2, 1);
    let fixture = Fixture::with(config);
    // All but the last few bytes at once: two of them leave no memory for anybody else.
    let mut crowd: Vec<TcpStream> = (0..2).map(|_| fixture.connect()).collect();
    for stream in &mut crowd {
        let head = "POST /v1/notes/sync/outbox HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        write!(stream, "{head}Content-Length: {BODY}\r\n\r\n").unwrap();
        stream.write_all(&vec![b' '; BODY - 64]).unwrap();
    }
    let begun = Instant::now();
    let trickling: Vec<_> = crowd.into_iter().map(|stream| std::thread::spawn(move || trickle(stream))).collect();
    for trickling in trickling {
        let answer = trickling.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    fixture.push_one("notes", &[], ClientId::from_random(1), "k");
}

#[test]
fn answers_that_nobody_takes_leave_the_memory_for_answers_to_no_more_than_their_share() {
    // More than the system's buffers take for a client that does not read.
    const VALUE: usize = 15 << 20;
    let mut config = Config::dev();
    (config.limits.body, config.limits.value) = (16 << 20, 16_000_000);
    config.limits.answer_memory = 1 << 20;
    let fixture = Fixture::with(config);
    let (path, json) = ("/v1/notes/data/notes/large", [("content-type", "application/json")]);
    let value = format!("\"{}\"", "x".repeat(VALUE));
    assert_eq!(send(&fixture.url, "PUT", path, &json, Some(value.as_bytes())).status, 200);
    let mut taker = fixture.connect();
    write!(taker, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    taker.read_exact(&mut [0; 64]).unwrap();
    let refused = fixture.get(path, &[]);
    refused.is_problem(503, "overloaded");
    assert_eq!(refused.header("retry-after"), "1");
    let op = |n| format!(r#"{{"op":"set","collection":"notes","key":"b{n}","value":1}}"#);
    let ops: Vec<String> = (0..4_000).map(op).collect();
    let batch = format!(r#"{{"ops":[{}]}}"#, ops.join(","));
    fixture.post("/v1/notes/batch", &json, batch.as_bytes()).is_problem(503, "overloaded");
    assert_eq!(fixture.get("/v1/notes/data/notes/b0", &[]).status, 404, "what is refused was not done");
    // What is small needs no share.
    fixture.push_one("notes", &[], ClientId::from_random(1), "k");
    drop(taker);
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut answer = fixture.get(path, &[]);
    while answer.status == 503 && Instant::now() < deadline {
        answer = fixture.get(path, &[]);
    }
    assert_eq!((answer.status, answer.body.len() > VALUE), (200, true), "{}", answer.status);
}

/// A clock that holds a database's writer up when it is asked by it.
#[derive(Default)]
struct Gate {
    clock: SystemEnvironment,
    closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn set(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
        self.opened.notify_all();
    }
}

impl Environment for Gate {
    fn unix_ms(&self) -> u64 {
        if std::thread::current().name() == Some("writer crowded") {
            let closed = self.closed.lock().unwrap();
            drop(self.opened.wait_while(closed, |closed| *closed).unwrap());
        }
        self.clock.unix_ms()
    }
    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
    fn random(&self) -> u64 {
        self.clock.random()
    }
    fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration);
    }
}

/// Opens it whatever the test ends with: a server does not stop before its writers.
struct Opened(Arc<Gate>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[test]
fn a_crowd_that_waits_for_one_database_leaves_the_others_their_threads() {
    // More than tokio has threads by itself.
    const CROWD: usize = 1_040;
    let gate = Arc::new(Gate::default());
    let fixture = Fixture::in_environment(Config::dev(), gate.clone());
    let client = ClientId::from_random(1);
    fixture.push_one("crowded", &[], client, "k");
    gate.set(true);
    let opened = Opened(gate);
    let mut sent = 0;
    let crowd: Vec<TcpStream> = (0..CROWD)
        .map(|n| {
            let mut stream = fixture.connect();
            let body = push_body(ClientId::from_random(n as u128 + 2), &["k"]);
            let head = "POST /v1/crowded/sync/outbox HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
            let request = format!("{head}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(request.as_bytes()).unwrap();
            sent += request.len() as u64;
            stream
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(20);
    while received(&fixture) < sent {
        assert!(Instant::now() < deadline, "the crowd is not let in");
    }
    let begun = Instant::now();
    fixture.push_one("other", &[], client, "k");
    assert_eq!(fixture.get("/v1/other", &[]).status, 200);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(opened);
    for stream in crowd {
        let answer = to_the_end(stream);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("accepted"), "{answer}");
    }
}

/// The bytes of requests that the server has read.
fn received(fixture: &Fixture) -> u64 {
    let metrics = fixture.get("/metrics", &[]).text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("syncstore_http_received_bytes_total "));
    line.unwrap().parse().unwrap()
}

/// Sends a byte now and then until an answer comes, which it must while there are bytes of the body left.
fn trickle(mut stream: TcpStream) -> String {
    let mut answer = [0; 1024];
    for _ in 0..60 {
        // The wait for an answer is the pause between two bytes.
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        match stream.read(&mut answer) {
            Ok(length) => return String::from_utf8_lossy(&answer[..length]).into_owned(),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}"),
        }
        stream.write_all(b" ").unwrap();
    }
    panic!("a body that trickles is waited for")
}

/// The answer to a GET, on a connection that stays open.
fn ask(stream: &mut TcpStream, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = BufReader::new(stream);
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        assert!(answer.read_line(&mut text).unwrap() > 0, "it ended after {text:?}");
    }
    let length = text.to_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    answer.take(length.parse().unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// What comes until the server ends the connection, which it must.
fn to_the_end(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    if let Err(error) = stream.read_to_end(&mut text) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8(text).unwrap()
}

fn is_let_in(fixture: &Fixture) -> bool {
    let mut stream = fixture.connect();
    let mut answer = String::new();
    // A connection beyond the limit is refused, or dropped without a word.
    let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let _ = stream.read_to_string(&mut answer);
    answer.starts_with("HTTP/1.1 200 ")
}
