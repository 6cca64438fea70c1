use crate::scripted::*;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use syncstore::wire::{HttpOptions, HttpWire, Wire, WireError};

const SHORT: Duration = Duration::from_millis(200);
// Far above what any call needs, far below what a hang would take.
const BOUND: Duration = Duration::from_secs(10);

fn impatient() -> HttpOptions {
    let mut options = options();
    options.call_timeout = SHORT;
    options
}

fn timed_out(call: impl FnOnce() -> WireError, at_least: Duration) -> String {
    let start = Instant::now();
    let error = call();
    let elapsed = start.elapsed();
    assert!(elapsed >= at_least && elapsed < BOUND, "{elapsed:?}");
    assert!(error.is_transient());
    match error {
        WireError::TimedOut(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_never_answers_ends_in_the_call_time_out() {
    let server = Server::start(vec![Reply::Silence]);
    let wire = server.wire(impatient());
    let text = timed_out(|| wire.push(&push_of("1")).unwrap_err(), SHORT);
    assert_eq!(text, "POST sync/outbox took longer than the option call_timeout, 200ms");
}

#[test]
fn a_connection_that_nobody_accepts_ends_in_the_call_time_out() {
    // The system completes the handshake; no program ever reads from it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let wire = HttpWire::new(&format!("http://{}", listener.local_addr().unwrap()), "db", impatient()).unwrap();
    assert!(timed_out(|| wire.info().unwrap_err(), SHORT).contains("call_timeout"));
}

#[test]
fn a_tls_handshake_that_never_comes_ends_in_the_connect_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options();
    options.connect_timeout = SHORT;
    let wire = HttpWire::new(&format!("https://{}", listener.local_addr().unwrap()), "db", options).unwrap();
    let text = timed_out(|| wire.info().unwrap_err(), SHORT);
    assert_eq!(text, "connecting took longer than the option connect_timeout, 200ms");
}

#[test]
fn bytes_that_drip_do_not_prolong_the_call() {
    let head = b"HTTP/1.1 200 OK\r\nX-Slow: a".to_vec();
    let body = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\n\r\n ".to_vec();
    for drip in [head, body] {
        let server = Server::start(vec![Reply::Drip(drip)]);
        let wire = server.wire(impatient());
        assert!(timed_out(|| wire.info().unwrap_err(), SHORT).contains("call_timeout"));
    }
}

#[test]
fn the_servers_wait_is_added_to_the_time_out_of_a_pull() {
    let server = Server::start(vec![Reply::Silence]);
    let wire = server.wire(impatient());
    let wait = Duration::from_secs(1);
    let text = timed_out(|| wire.pull(&pull_of(wait)).unwrap_err(), SHORT + wait);
    assert!(text.contains("call_timeout, 200ms, and the 1s that the server was let wait"), "{text}");
}

#[test]
fn a_time_out_without_an_end_is_a_long_one() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut options = options();
    (options.connect_timeout, options.call_timeout) = (Duration::MAX, Duration::MAX);
    let wire = HttpWire::new(&format!("http://{nobody}"), "db", options).unwrap();
    assert!(matches!(wire.info(), Err(WireError::Unreachable(_))));
    assert!(matches!(wire.pull(&pull_of(Duration::MAX)), Err(WireError::Unreachable(_))));
}
