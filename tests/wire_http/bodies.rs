use crate::scripted::*;

use std::time::{Duration, Instant};
use syncstore::wire::{HttpOptions, Wire, WireError};

fn broken(reply: Reply, options: HttpOptions) -> String {
    let server = Server::start(vec![reply]);
    let error = server.wire(options).info().unwrap_err();
    assert!(error.is_transient(), "repeating is safe: {error:?}");
    match error {
        WireError::Protocol(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_type_than_a_format_is_named() {
    let text = broken(Reply::Send(answer("200 OK", &[("Content-Type", "text/html")], b"<p>log in</p>")), options());
    assert!(text.contains("text/html") && !text.contains("log in"), "{text}");
    assert!(broken(Reply::Send(answer("200 OK", &[], INFO.as_bytes())), options()).contains("no content type"));
}

#[test]
fn bodies_that_are_not_the_message_say_what_is_wrong() {
    let typed = |media_type: &str, body: &[u8]| {
        broken(Reply::Send(answer("200 OK", &[("Content-Type", media_type)], body)), options())
    };
    assert!(typed("application/json", b"{\"epoch\":").contains("invalid JSON: it ends too early"));
    assert!(typed("application/json", b"{]").contains("invalid JSON: bad syntax"));
    assert!(typed("application/json", b"").contains("invalid JSON"));
    assert!(typed("application/json; charset=utf-8", b"{}").contains("missing field `epoch`"));
    let secret = typed("application/json", br#"{"epoch":"e","seq":"my diary"}"#);
    assert!(!secret.contains("diary"), "{secret}");
    assert!(typed("application/msgpack", b"\xc1").contains("invalid MessagePack"));
    assert!(typed("application/msgpack", b"\x81\xa5epoch").contains("invalid MessagePack"));
    assert!(typed("application/msgpack", b"").contains("invalid MessagePack"));
    assert!(typed("application/json", &[b'['; 100_000]).contains("invalid JSON"));
}

#[test]
fn a_body_that_breaks_off_is_no_answer() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let length = format!("{head}Content-Length: {}\r\n\r\n{}", INFO.len() + 1, INFO);
    assert!(broken(Reply::SendAndClose(length.into_bytes()), options()).contains("cut off after 86 bytes"));
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{INFO}\r\n", INFO.len());
    assert!(broken(Reply::SendAndClose(chunked.into_bytes()), options()).contains("cut off"));
    let until_close = format!("{head}Connection: close\r\n\r\n{}", &INFO[..40]);
    assert!(broken(Reply::SendAndClose(until_close.into_bytes()), options()).contains("invalid JSON"));
    let not_chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{INFO}");
    assert!(broken(Reply::SendAndClose(not_chunked.into_bytes()), options()).contains("not valid HTTP"));
}

#[test]
fn a_chunked_body_is_read() {
    let (a, b) = INFO.split_at(30);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{a}\r\n{:x}\r\n{b}\r\n0\r\n\r\n",
        a.len(),
        b.len()
    );
    let server = Server::start(vec![Reply::Send(chunked.into_bytes()), json(INFO)]);
    let wire = server.wire(options());
    assert_eq!(wire.info().unwrap().seq, 7);
    assert_eq!(wire.info().unwrap().seq, 7);
    assert_eq!(server.connections(), 1);
    assert_eq!(wire.traffic().received, 2 * INFO.len() as u64);
}

#[test]
fn heads_that_are_not_http_break_the_protocol() {
    assert!(broken(Reply::SendAndClose(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()), options()).contains("not valid HTTP"));
    let vast = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    assert!(broken(Reply::SendAndClose(vast.into_bytes()), options()).contains("headers"));
}

#[test]
fn codings_other_than_gzip_are_named() {
    let headers = [("Content-Type", "application/json"), ("Content-Encoding", "br")];
    assert!(broken(Reply::Send(answer("200 OK", &headers, b"...")), options()).contains("br"));
    let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    assert!(broken(Reply::Send(answer("200 OK", &headers, INFO.as_bytes())), options()).contains("not valid gzip"));
    assert!(broken(Reply::Send(answer("200 OK", &headers, b"")), options()).contains("cut off"));
}

#[test]
fn the_limit_of_an_answer_at_its_edge_and_one_past() {
    let mut at = options();
    at.response_limit = INFO.len();
    at.response_wire_limit = INFO.len();
    let server = Server::start(vec![json(INFO)]);
    assert_eq!(server.wire(at.clone()).info().unwrap().seq, 7);

    let short = INFO.len() - 1;
    let mut message = at.clone();
    message.response_limit -= 1;
    assert!(broken(json(INFO), message).contains(&format!("the option response_limit ({short} bytes)")));
    let mut wire = at.clone();
    wire.response_wire_limit -= 1;
    assert!(broken(json(INFO), wire.clone()).contains(&format!("the option response_wire_limit ({short} bytes)")));
    // Without a length to tell it beforehand.
    let until_close = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{INFO}");
    assert!(broken(Reply::SendAndClose(until_close.into_bytes()), wire).contains("response_wire_limit"));
}

#[test]
fn a_gzip_bomb_of_a_gibibyte_ends_at_the_limit() {
    let bomb = bomb();
    let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    for status in ["200 OK", "404 Not Found"] {
        let server = Server::start(vec![Reply::SendAndClose(answer(status, &headers, &bomb))]);
        let mut options = options();
        options.response_limit = 16 << 20;
        let wire = server.wire(options);
        let start = Instant::now();
        let error = wire.info().unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        match error {
            WireError::Protocol(text) => assert!(text.contains("response_limit (16777216 bytes)"), "{text}"),
            WireError::Refused { status: 404, .. } => {}
            other => panic!("{other:?}"),
        }
        // Neither inflated nor even read to its end.
        let read = wire.traffic().received as usize;
        assert!(read < bomb.len() / 4, "{read} of {}", bomb.len());
    }
}
