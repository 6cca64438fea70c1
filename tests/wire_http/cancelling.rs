use crate::scripted::*;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};
use syncstore::Cancel;
use syncstore::wire::{HttpWire, Wire, WireError};

/// What a cancelled call may take to end.
const BOUND: Duration = Duration::from_millis(250);

/// Cancels a call that is under way once `is_there`, and measures how long it then takes to end.
fn cancelled(wire: &HttpWire, is_there: impl Fn() -> bool, call: impl FnOnce(&dyn Wire) -> WireError + Send) {
    let cancel = Cancel::new();
    let cancellable: Arc<dyn Wire> = wire.cancellable(&cancel).unwrap();
    std::thread::scope(|scope| {
        let calling = scope.spawn(|| (call(&*cancellable), Instant::now()));
        while !is_there() {
            std::thread::yield_now();
        }
        let begun = Instant::now();
        cancel.cancel();
        let (error, ended) = calling.join().unwrap();
        assert_eq!(error, WireError::Cancelled);
        assert!(ended.saturating_duration_since(begun) < BOUND, "{:?}", ended - begun);
    });
    assert_eq!(cancellable.info().unwrap_err(), WireError::Cancelled, "for good");
}

#[test]
fn a_call_that_waits_for_an_answer_ends_and_its_connection_with_it() {
    let server = Server::start(vec![Reply::Silence, json(INFO)]);
    let wire = server.wire(options());
    cancelled(&wire, || server.seen() == 1, |wire| wire.pull(&pull_of(Duration::from_secs(15))).unwrap_err());
    // The server comes to its next connection only when it sees the end of the first one.
    wire.info().unwrap();
    assert_eq!(wire.traffic().round_trips, 2, "the wire and what is made of it count together");
    server.finish();
}

#[test]
fn a_call_whose_answer_drips_ends_in_its_head_and_in_its_body() {
    let head = b"HTTP/1.1 200 OK\r\nX-Slow: a".to_vec();
    let body = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\n\r\n ".to_vec();
    for drip in [head, body] {
        let server = Server::start(vec![Reply::Drip(drip)]);
        let wire = server.wire(options());
        cancelled(&wire, || server.seen() == 1, |wire| wire.push(&push_of("1")).unwrap_err());
        server.finish();
    }
}

#[test]
fn a_tls_handshake_that_never_comes_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let wire = HttpWire::new(&url, "db", options()).unwrap();
    let accepted = std::cell::RefCell::new(None);
    let is_there = || {
        let mut accepted = accepted.borrow_mut();
        if accepted.is_none() {
            *accepted = listener.accept().ok();
        }
        accepted.is_some()
    };
    cancelled(&wire, is_there, |wire| wire.info().unwrap_err());
}

#[test]
fn what_is_cancelled_before_it_begins_sends_nothing() {
    let server = Server::start(vec![json(INFO)]);
    let wire = server.wire(options());
    let cancel = Cancel::new();
    let cancellable = wire.cancellable(&cancel).unwrap();
    cancel.cancel();
    assert_eq!(cancellable.push(&push_of("1")).unwrap_err(), WireError::Cancelled);
    assert_eq!(server.connections(), 0);
    wire.info().unwrap();
    server.finish();
}
