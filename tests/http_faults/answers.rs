use crate::rig::{Rig, impatient, options, plain};
use crate::scripted::{INFO, Reply, Server, answer, bomb, json, problem};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use syncstore::protocol::Format;
use syncstore::wire::{Credential, HttpOptions, WireError};
use syncstore::{Error, Options, RetryPolicy, Store};

/// Which request of a sync gets the faulty answer.
const CALLS: [&str; 4] = ["info", "push", "pull", "checkpoint"];

struct Fault {
    name: &'static str,
    reply: fn() -> Reply,
    error: fn(&WireError) -> bool,
    http: fn() -> HttpOptions,
}

fn ok(content_type: &str, body: &[u8]) -> Reply {
    Reply::SendAndClose(answer("200 OK", &[("Content-Type", content_type)], body))
}

fn status(line: &str) -> Reply {
    problem(line, &[("Retry-After", "7")], r#"{"code":"x","detail":"no"}"#)
}

fn is_protocol(error: &WireError) -> bool {
    matches!(error, WireError::Protocol(_))
}

fn is_unavailable(error: &WireError, expected: u16) -> bool {
    let seconds = Some(Duration::from_secs(7));
    matches!(error, WireError::Unavailable { status, retry_after, .. } if *status == expected && *retry_after == seconds)
}

fn faults() -> Vec<Fault> {
    let fault = |name, reply, error| Fault { name, reply, error, http: plain };
    vec![
        fault("401", || status("401 Unauthorized"), |error| matches!(error, WireError::Unauthenticated(_))),
        fault("403", || status("403 Forbidden"), |error| matches!(error, WireError::Forbidden(_))),
        fault("404", || status("404 Not Found"), |error| matches!(error, WireError::Refused { status: 404, .. })),
        fault("409", || status("409 Conflict"), |error| matches!(error, WireError::Refused { status: 409, .. })),
        fault("429", || status("429 Too Many Requests"), |error| is_unavailable(error, 429)),
        fault("500", || status("500 Internal Server Error"), |error| is_unavailable(error, 500)),
        fault("503", || status("503 Service Unavailable"), |error| is_unavailable(error, 503)),
        fault(
            "a redirect",
            || Reply::Send(answer("302 Found", &[("Location", "http://127.0.0.1:1/")], b"")),
            |error| matches!(error, WireError::Refused { status: 302, .. }),
        ),
        fault("no content", || Reply::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()), is_protocol),
        fault("a wrong content type", || ok("text/html", b"<html>log in</html>"), is_protocol),
        fault("invalid JSON", || ok("application/json", b"{\"entries\":[}"), is_protocol),
        fault("JSON of another shape", || ok("application/json", b"[1,2,3]"), is_protocol),
        fault("JSON without end", || ok("application/json", &b"[".repeat(1 << 20)), is_protocol),
        fault("invalid UTF-8", || ok("application/json", b"{\"cursor\":\"\xff\xfe\"}"), is_protocol),
        fault("an empty body", || ok("application/json", b""), is_protocol),
        fault("invalid MessagePack", || ok("application/msgpack", b"\xc1\xc1\xc1"), is_protocol),
        fault("MessagePack without end", || ok("application/msgpack", &b"\x91".repeat(1 << 20)), is_protocol),
        fault("MessagePack that promises too much", || ok("application/msgpack", b"\xdf\xff\xff\xff\xff"), is_protocol),
        fault("MessagePack of another shape", || ok("application/msgpack", b"\x93\x01\x02\x03"), is_protocol),
        fault(
            "a truncated body",
            || {
                let mut bytes = answer("200 OK", &[("Content-Type", "application/json")], &[b' '; 5_000]);
                bytes.truncate(3_000);
                Reply::SendAndClose(bytes)
            },
            is_protocol,
        ),
        fault(
            "a truncated chunk",
            || {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
                Reply::SendAndClose(format!("{head}ff\r\n{{\"seq\":").into_bytes())
            },
            is_protocol,
        ),
        fault(
            "gzip that is none",
            || {
                let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
                Reply::SendAndClose(answer("200 OK", &headers, b"{\"seq\":7}"))
            },
            is_protocol,
        ),
        Fault {
            name: "a gzip bomb of a gibibyte",
            reply: || {
                let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
                Reply::SendAndClose(answer("200 OK", &headers, &bomb()))
            },
            error: is_protocol,
            http: || {
                let mut options = plain();
                options.response_limit = 4 << 20;
                options
            },
        },
        fault(
            "an end without an answer",
            || Reply::SendAndClose(Vec::new()),
            |error| matches!(error, WireError::Unreachable(_) | WireError::Protocol(_)),
        ),
        fault(
            "no HTTP at all",
            || Reply::SendAndClose(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec()),
            |error| matches!(error, WireError::Protocol(_) | WireError::Unreachable(_)),
        ),
        fault(
            "a head without end",
            || Reply::SendAndClose([&b"HTTP/1.1 200 OK\r\nX: "[..], &b"x".repeat(4 << 20)].concat()),
            |error| matches!(error, WireError::Protocol(_) | WireError::Unreachable(_)),
        ),
        Fault {
            name: "silence",
            reply: || Reply::Silence,
            error: |error| matches!(error, WireError::TimedOut(_)),
            http: impatient,
        },
        Fault {
            name: "a drip",
            reply: || Reply::Drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n ".to_vec()),
            error: |error| matches!(error, WireError::TimedOut(_)),
            http: impatient,
        },
    ]
}

#[test]
fn every_bad_answer_to_every_request_is_the_right_error_and_leaves_the_replica_as_it_was() {
    let mut rig = Rig::new();
    for fault in faults() {
        for call in CALLS {
            let what = format!("{} to {call}", fault.name);
            rig.write();
            // The limits are asked for first after each opening.
            rig.reopen();
            let before = rig.snapshot();
            let script = if call == "info" { vec![(fault.reply)()] } else { vec![json(INFO), (fault.reply)()] };
            let server = Server::start(script);
            let wire = server.wire((fault.http)());
            let start = Instant::now();
            let failed = match call {
                "pull" => rig.store.pull(&wire),
                "checkpoint" => {
                    let file = rig.dir.path().join("fresh.db");
                    let fresh = Store::open(&file, options()).unwrap();
                    fresh.set("notes", "own", &1).unwrap();
                    let failed = fresh.sync(&wire);
                    assert_eq!(fresh.get::<u32>("notes", "own").unwrap(), Some(1), "{what}");
                    assert_eq!(fresh.pending().unwrap().len(), 1, "{what}");
                    drop(fresh);
                    crate::rig::assert_intact(&file);
                    std::fs::remove_file(&file).unwrap();
                    failed
                }
                _ => rig.store.push(&wire),
            };
            match failed {
                Err(error) => match error.into_error() {
                    Error::Wire(error) => assert!((fault.error)(&error), "{what}: {error:?}"),
                    other => panic!("{what}: {other:?}"),
                },
                Ok(report) => panic!("{what}: {report:?}"),
            }
            assert!(start.elapsed() < Duration::from_secs(15), "{what}: {:?}", start.elapsed());
            rig.assert_unchanged(&before, &what);
        }
        rig.assert_converges(plain(), fault.name);
    }
    rig.assert_log_has_each_ref_once(plain());
}

/// A push answered 410 needs a checkpoint, and so does a pull; whatever comes of that, the outbox is kept.
#[test]
fn an_expired_cursor_begins_a_bootstrap_that_survives_its_own_faults() {
    let mut rig = Rig::new();
    for call in ["push", "pull"] {
        for (reason, second) in [("pruned", "503 Service Unavailable"), ("filter", "403 Forbidden")] {
            let what = format!("{reason} to {call}, then {second}");
            rig.write();
            rig.reopen();
            let before = rig.snapshot();
            let gone = format!(r#"{{"code":"cursor_expired","reason":"{reason}"}}"#);
            let script = vec![json(INFO), problem("410 Gone", &[], &gone), status(second)];
            let server = Server::start(script);
            let wire = server.wire(plain());
            let failed = if call == "push" { rig.store.push(&wire) } else { rig.store.pull(&wire) };
            let error = failed.expect_err(&what).into_error();
            match second {
                "403 Forbidden" => assert!(matches!(error, Error::Wire(WireError::Forbidden(_))), "{what}: {error:?}"),
                _ => assert!(matches!(error, Error::Wire(WireError::Unavailable { .. })), "{what}: {error:?}"),
            }
            let asked: Vec<_> = server.finish().iter().map(|request| request.target().to_owned()).collect();
            assert!(asked[2].contains("/sync/checkpoint"), "{what}: {asked:?}");
            rig.assert_unchanged(&before, &what);
            assert!(rig.store.bootstrap_progress().unwrap().is_some(), "{what}");
            rig.assert_converges(plain(), &what);
            assert_eq!(rig.store.bootstrap_progress().unwrap(), None, "{what}");
        }
    }
}

#[test]
fn an_expired_checkpoint_is_begun_again_and_not_for_ever() {
    let mut rig = Rig::new();
    rig.write();
    let file = rig.dir.path().join("fresh.db");
    let fresh = Store::open(&file, options()).unwrap();
    let first = r#"{"checkpoint":"c","cursor":"x","seq":9,"items":[],"next":"p2","total":9}"#;
    let gone = || problem("410 Gone", &[], r#"{"code":"checkpoint_expired"}"#);
    let mut script = vec![json(INFO)];
    for _ in 0..4 {
        script.extend([json(first), gone()]);
    }
    let server = Server::start(script);
    let error = fresh.sync(&server.wire(plain())).expect_err("no checkpoint was ever whole").into_error();
    assert_eq!(error.to_string(), "the checkpoint expired on the server");
    server.finish();
    fresh.sync(&rig.wire(plain())).unwrap();
    rig.assert_converges(plain(), "after checkpoints that expired");
}

/// The server asks to wait; a short wait is kept, a long one is the host's business.
#[test]
fn retry_after_is_kept() {
    let mut rig = Rig::new();
    for (seconds, line) in
        [(0, "429 Too Many Requests"), (1, "503 Service Unavailable"), (3_600, "429 Too Many Requests")]
    {
        rig.write();
        let mut options = Options::default();
        options.retry = RetryPolicy::default();
        rig.store = Store::open(&rig.file, options).unwrap();
        let before = rig.snapshot();
        let busy = problem(line, &[("Retry-After", &seconds.to_string())], "{}");
        let forbidden = || problem("403 Forbidden", &[], "{}");
        let kept = seconds < 100;
        let script = if kept { vec![busy, forbidden()] } else { vec![busy] };
        let server = Server::start(script);
        let start = Instant::now();
        let error = rig.store.sync(&server.wire(plain())).unwrap_err();
        assert_eq!(error.report().retries, u64::from(kept));
        match error.into_error() {
            Error::Wire(WireError::Forbidden(_)) if kept => assert!(start.elapsed() >= Duration::from_secs(seconds)),
            Error::Wire(error @ WireError::Unavailable { .. }) if !kept => {
                assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)));
                assert!(start.elapsed() < Duration::from_secs(10));
            }
            other => panic!("{line}, {seconds}: {other:?}"),
        }
        server.finish();
        rig.assert_unchanged(&before, line);
        rig.assert_converges(plain(), line);
    }
}

/// The host is asked once for a fresh credential; when that is refused too, everything stays queued.
#[test]
fn a_refused_credential_is_refreshed_once() {
    let mut rig = Rig::new();
    rig.write();
    rig.reopen();
    let before = rig.snapshot();
    let asked = Arc::new(AtomicUsize::new(0));
    let mut http = plain();
    let counted = asked.clone();
    http.credentials = Arc::new(move |refresh: bool| {
        counted.fetch_add(usize::from(refresh), Ordering::SeqCst);
        Ok(Credential::bearer(if refresh { "fresh" } else { "stale" }))
    });
    let server = Server::start(vec![status("401 Unauthorized"), status("401 Unauthorized")]);
    let error = rig.store.sync(&server.wire(http)).unwrap_err().into_error();
    assert!(matches!(error, Error::Wire(WireError::Unauthenticated(_))), "{error:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let tokens: Vec<_> =
        server.finish().iter().map(|request| request.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(tokens, ["Bearer stale", "Bearer fresh"]);
    rig.assert_unchanged(&before, "401 twice");
    rig.assert_converges(plain(), "401 twice");
}

/// Both formats are read whatever was asked for, and both may break.
#[test]
fn a_client_of_message_pack_survives_the_same_answers() {
    let mut rig = Rig::new();
    for reply in [
        || ok("application/msgpack", b"\xc1"),
        || ok("application/msgpack", b"\x81\xa3seq"),
        || ok("application/json", b"{\"results\":"),
        || ok("application/x-msgpack-but-not-really", b"\x80"),
    ] {
        rig.write();
        rig.reopen();
        let before = rig.snapshot();
        let mut http = plain();
        http.format = Format::MessagePack;
        let server = Server::start(vec![json(INFO), reply()]);
        let error = rig.store.push(&server.wire(http.clone())).unwrap_err().into_error();
        assert!(matches!(&error, Error::Wire(WireError::Protocol(_))), "{error:?}");
        rig.assert_unchanged(&before, "MessagePack");
        rig.assert_converges(http, "MessagePack");
    }
}
