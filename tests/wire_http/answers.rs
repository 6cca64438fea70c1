use crate::scripted::*;
use std::time::Duration;
use syncstore::wire::{CheckpointRequest, Expiry, Wire, WireError};

fn refused(reply: Reply, call: impl FnOnce(&dyn Wire) -> WireError) -> WireError {
    let server = Server::start(vec![reply]);
    let wire = server.wire(options());
    let error = call(&wire);
    assert_eq!(server.finish().len(), 1, "one try");
    error
}

fn info(wire: &dyn Wire) -> WireError {
    wire.info().unwrap_err()
}

fn pull(wire: &dyn Wire) -> WireError {
    wire.pull(&pull_of(Duration::ZERO)).unwrap_err()
}

fn push(wire: &dyn Wire) -> WireError {
    wire.push(&push_of("1")).unwrap_err()
}

fn checkpoint(wire: &dyn Wire) -> WireError {
    let client = syncstore::protocol::ClientId::from_random(1);
    wire.checkpoint(&CheckpointRequest::new(client, 1)).unwrap_err()
}

#[test]
fn a_refusal_keeps_the_servers_status_code_and_words() {
    for (line, status) in [
        ("400 Bad Request", 400),
        ("404 Not Found", 404),
        ("405 Method Not Allowed", 405),
        ("406 Not Acceptable", 406),
        ("409 Conflict", 409),
        ("413 Content Too Large", 413),
        ("415 Unsupported Media Type", 415),
        ("422 Unprocessable Content", 422),
    ] {
        let error = refused(problem(line, &[], r#"{"code":"too_large","detail":"9 MiB"}"#), push);
        let expected = WireError::Refused { status, code: "too_large".into(), message: "9 MiB".into() };
        assert_eq!(error, expected);
        assert!(!error.is_transient());
    }
}

#[test]
fn a_refusal_without_a_problem_document_is_known_by_its_status() {
    let page = b"<html>\x1b[31m nginx</html>";
    for body in [answer("404 Not Found", &[("Content-Type", "text/html")], page), answer("404 Not Found", &[], b"")] {
        let expected = WireError::Refused { status: 404, code: String::new(), message: "Not Found".into() };
        assert_eq!(refused(Reply::Send(body), info), expected);
    }
    // Cut off, and larger than any problem document.
    let cut = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\nContent-Length: 99\r\n\r\n{\"deta"
        .to_vec();
    assert_eq!(refused(Reply::SendAndClose(cut), info), WireError::Forbidden("Forbidden".into()));
    let vast = format!(r#"{{"detail":"{}"}}"#, "x".repeat(100_000));
    assert_eq!(refused(problem("403 Forbidden", &[], &vast), info), WireError::Forbidden("Forbidden".into()));
}

#[test]
fn a_servers_words_are_cut_to_a_length_and_cleared_of_control_characters() {
    let detail = format!(r#"{{"detail":"a\u001b[31mb\n{}"}}"#, "x".repeat(1000));
    match refused(problem("403 Forbidden", &[], &detail), info) {
        WireError::Forbidden(text) => assert!(text.starts_with("a[31mbxx") && text.len() == 400, "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn unavailable_servers_say_when_to_try_again() {
    for (line, status) in [
        ("408 Request Timeout", 408),
        ("425 Too Early", 425),
        ("429 Too Many Requests", 429),
        ("500 Internal Server Error", 500),
        ("502 Bad Gateway", 502),
        ("503 Service Unavailable", 503),
        ("504 Gateway Timeout", 504),
        ("599 Whatever", 599),
    ] {
        let error = refused(problem(line, &[("Retry-After", "17")], r#"{"detail":"busy"}"#), pull);
        let retry_after = Some(Duration::from_secs(17));
        assert_eq!(error, WireError::Unavailable { status, retry_after, message: "busy".into() });
        assert!(error.is_transient());
    }
    let dated = [("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Retry-After", "Sun, 06 Nov 1994 08:50:07 GMT")];
    let error = refused(problem("503 Service Unavailable", &dated, "{}"), pull);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    assert_eq!(refused(problem("503 Service Unavailable", &[], "{}"), pull).retry_after(), None);
}

#[test]
fn gone_is_told_by_its_code_and_by_the_call() {
    let gone = |body: &str, call: fn(&dyn Wire) -> WireError| refused(problem("410 Gone", &[], body), call);
    let expired = |reason: &str| format!(r#"{{"code":"cursor_expired"{reason}}}"#);
    assert_eq!(gone(&expired(""), pull), WireError::CursorExpired(Expiry::Pruned));
    assert_eq!(gone(&expired(r#","reason":"pruned""#), push), WireError::CursorExpired(Expiry::Pruned));
    assert_eq!(gone(&expired(r#","reason":"filter""#), pull), WireError::CursorExpired(Expiry::Filter));
    assert_eq!(
        gone(&expired(r#","reason":"rewound""#), push),
        WireError::CursorExpired(Expiry::Rewound { restored: None })
    );
    assert_eq!(
        gone(&expired(r#","reason":"rewound","restored_seq":41"#), pull),
        WireError::CursorExpired(Expiry::Rewound { restored: Some(41) })
    );
    assert_eq!(gone(r#"{"code":"checkpoint_expired"}"#, checkpoint), WireError::CheckpointExpired);
    for call in [push, pull, checkpoint, info] {
        assert!(
            matches!(gone("<html>", call), WireError::Refused { status: 410, .. }),
            "a gateway's, for some seconds"
        );
    }
    assert!(matches!(gone(&expired(""), info), WireError::Refused { status: 410, .. }));
}

#[test]
fn a_redirect_is_not_followed_and_only_its_host_is_named() {
    let elsewhere = Server::start(vec![json(INFO)]);
    let location = format!("http://ada:hunter2@localhost:{}/v1/db?token=hunter2", elsewhere.address.port());
    for line in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        for call in [info, push] {
            let error = refused(Reply::Send(answer(line, &[("Location", &location)], b"")), call);
            assert!(matches!(error, WireError::Refused { status: 300..=399, .. }), "{error:?}");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("localhost") && !shown.contains("hunter2"), "{shown}");
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_success_other_than_200_breaks_the_protocol() {
    let error = refused(Reply::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()), info);
    assert!(matches!(&error, WireError::Protocol(text) if text.contains("204")), "{error:?}");
}
