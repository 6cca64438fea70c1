use crate::scripted::*;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use syncstore::wire::{Compression, Credential, HttpOptions, Wire, WireError};

fn unauthenticated() -> Reply {
    problem("401 Unauthorized", &[], r#"{"code":"unauthenticated","detail":"no such token"}"#)
}

fn unauthenticated_at(date: &str) -> Reply {
    problem("401 Unauthorized", &[("Date", date)], "{}")
}

/// Options whose source answers by `source` and notes what it was asked.
fn asked(
    source: impl Fn(bool) -> Result<Credential, String> + Send + Sync + 'static,
) -> (HttpOptions, Arc<Mutex<Vec<bool>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut options = options();
    options.credentials = Arc::new({
        let log = log.clone();
        move |refresh: bool| {
            log.lock().push(refresh);
            source(refresh)
        }
    });
    (options, log)
}

#[test]
fn a_refused_token_is_refreshed_once_and_the_call_repeated() {
    let server = Server::start(vec![json(INFO), unauthenticated(), json(PUSHED), json(INFO)]);
    let (options, log) = asked(|refresh| Ok(Credential::bearer(if refresh { "new" } else { "old" })));
    let wire = server.wire(options);
    assert!(wire.info().is_ok());
    assert!(wire.push(&push_of("1")).is_ok());
    assert!(wire.info().is_ok());
    assert_eq!(*log.lock(), [false, true]);
    assert_eq!(wire.traffic().round_trips, 4);
    let requests = server.finish();
    let sent: Vec<_> = requests.iter().map(|request| request.header("authorization").unwrap()).collect();
    assert_eq!(sent, ["Bearer old", "Bearer old", "Bearer new", "Bearer new"]);
    assert_eq!(requests[1].body, requests[2].body);
}

#[test]
fn a_second_refusal_is_an_error_and_the_source_asked_once() {
    let server = Server::start(vec![unauthenticated(), unauthenticated()]);
    let (options, log) = asked(|refresh| Ok(Credential::bearer(if refresh { "hunter2-new" } else { "hunter2-old" })));
    let wire = server.wire(options);
    let error = wire.info().unwrap_err();
    assert_eq!(error, WireError::Unauthenticated("no such token".into()));
    assert!(!error.is_transient());
    assert_eq!(*log.lock(), [false, true]);
    assert_eq!(server.finish().len(), 2);
    assert!(!format!("{error:?} {error} {wire:?}").contains("hunter2"));
}

#[test]
fn a_fixed_credential_is_not_tried_twice() {
    for credential in [Credential::None, Credential::bearer("hunter2")] {
        let server = Server::start(vec![unauthenticated()]);
        let mut options = options();
        options.credentials = Arc::new(credential);
        let error = server.wire(options).info().unwrap_err();
        assert_eq!(error, WireError::Unauthenticated("no such token".into()));
        assert_eq!(server.finish().len(), 1);
    }
}

#[test]
fn a_source_without_a_credential_stops_the_call() {
    let server = Server::start(vec![]);
    let (options, _) = asked(|_| Err("signed out".into()));
    let error = server.wire(options).info().unwrap_err();
    assert_eq!(error, WireError::Unauthenticated("the host has no credential: signed out".into()));
    let server = Server::start(vec![unauthenticated()]);
    let (options, _) = asked(|refresh| if refresh { Err("signed out".into()) } else { Ok(Credential::bearer("old")) });
    let error = server.wire(options).info().unwrap_err();
    assert_eq!(error, WireError::Unauthenticated("the host has no credential: signed out".into()));
}

#[test]
fn a_credential_that_would_break_the_header_is_never_sent() {
    let server = Server::start(vec![]);
    let (options, _) = asked(|_| Ok(Credential::hmac("rpa_1", "ada\"\r\nX: y", "hunter2")));
    let error = server.wire(options).info().unwrap_err();
    assert!(matches!(error, WireError::Setup(_)), "{error:?}");
    assert_eq!(server.connections(), 0);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks a request's signature as a server would; returns its time and its nonce.
fn verify(request: &Recorded, secret: &str) -> (u64, String) {
    let header = request.header("authorization").unwrap();
    let fields: Vec<(&str, &str)> = header
        .strip_prefix("HMAC-SHA256 ")
        .unwrap()
        .split(',')
        .map(|field| field.split_once('=').map(|(name, value)| (name, value.trim_matches('"'))).unwrap())
        .collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["key", "user", "ts", "nonce", "sig"]);
    let [key, user, ts, nonce, sig] = [0, 1, 2, 3, 4].map(|n: usize| fields[n].1);
    assert_eq!((key, user), ("rpa_1", "ada"));
    assert!(nonce.len() == 32 && nonce.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{nonce}");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let body = hex(&Sha256::digest(&request.body));
    mac.update(format!("{ts}.{user}.{key}.{nonce}.{}.{}.{body}", request.method(), request.target()).as_bytes());
    assert_eq!(sig, hex(&mac.finalize().into_bytes()), "{}", request.head);
    (ts.parse().unwrap(), nonce.to_owned())
}

// 06 Nov 1994 08:49:37 UTC
const NOW: u64 = 784_111_777;

fn signing(
    source: impl Fn(bool) -> Result<Credential, String> + Send + Sync + 'static,
) -> (HttpOptions, Arc<Mutex<Vec<bool>>>) {
    let (mut options, log) = asked(source);
    options.environment = Arc::new(Still { unix_ms: NOW * 1000 + 999, drawn: AtomicU64::new(0) });
    (options, log)
}

#[test]
fn every_request_is_signed_over_what_was_sent() {
    let page = r#"{"checkpoint":"k","cursor":"c","seq":7,"items":[],"total":0}"#;
    let server = Server::start(vec![json(INFO), json(PUSHED), json(PUSHED), json(PAGE), json(page)]);
    let (mut options, _) = signing(|_| Ok(Credential::hmac("rpa_1", "ada", "rps_1")));
    options.compression = Compression::On;
    let wire = server.wire(options);
    wire.info().unwrap();
    wire.push(&push_of("1")).unwrap();
    wire.push(&push_of(&format!("{:?}", "x".repeat(5000)))).unwrap();
    let mut pull = pull_of(Duration::from_secs(2));
    pull.cursor = Some(syncstore::protocol::Cursor::new("ä/+ =&?#%41"));
    wire.pull(&pull).unwrap();
    let client = pull.client;
    let mut checkpoint = syncstore::wire::CheckpointRequest::new(client, 1);
    checkpoint.page = Some("p q".into());
    wire.checkpoint(&checkpoint).unwrap();
    let requests = server.finish();
    assert_eq!(requests[2].header("content-encoding"), Some("gzip"), "the compressed bytes are signed");
    let mut nonces = Vec::new();
    for request in &requests {
        let (ts, nonce) = verify(request, "rps_1");
        assert_eq!(ts, NOW);
        nonces.push(nonce);
    }
    nonces.dedup();
    assert_eq!(nonces.len(), 5);
    assert!(requests.iter().all(|request| !request.head.contains("rps_1")));
}

#[test]
fn the_clock_is_corrected_once_by_the_answers_date_and_stays_so() {
    // An hour ahead of this machine.
    let server = Server::start(vec![unauthenticated_at("Sun, 06 Nov 1994 09:49:37 GMT"), json(INFO), json(INFO)]);
    let (options, log) = signing(|_| Ok(Credential::hmac("rpa_1", "ada", "rps_1")));
    let wire = server.wire(options);
    assert!(wire.info().is_ok());
    assert!(wire.info().is_ok());
    assert_eq!(*log.lock(), [false], "no fresh credential is needed");
    let requests = server.finish();
    let times: Vec<u64> = requests.iter().map(|request| verify(request, "rps_1").0).collect();
    assert_eq!(times, [NOW, NOW + 3600, NOW + 3600]);
}

#[test]
fn a_refusal_after_the_correction_asks_for_a_fresh_secret() {
    // Half an hour behind; the server's clock moves on between the two answers.
    let server = Server::start(vec![
        unauthenticated_at("Sun, 06 Nov 1994 08:19:37 GMT"),
        unauthenticated_at("Sun, 06 Nov 1994 08:19:47 GMT"),
        json(INFO),
    ]);
    let (options, log) =
        signing(|refresh| Ok(Credential::hmac("rpa_1", "ada", if refresh { "rps_2" } else { "rps_1" })));
    assert!(server.wire(options).info().is_ok());
    assert_eq!(*log.lock(), [false, true]);
    let requests = server.finish();
    assert_eq!(verify(&requests[0], "rps_1").0, NOW);
    assert_eq!(verify(&requests[1], "rps_1").0, NOW - 1800);
    assert_eq!(verify(&requests[2], "rps_2").0, NOW - 1800);
}

#[test]
fn a_signature_that_is_refused_though_the_clock_is_right_is_not_repeated() {
    let server = Server::start(vec![unauthenticated_at("Sun, 06 Nov 1994 08:49:38 GMT")]);
    let (options, log) = signing(|_| Ok(Credential::hmac("rpa_1", "ada", "rps_1")));
    assert!(matches!(server.wire(options).info(), Err(WireError::Unauthenticated(_))));
    assert_eq!(*log.lock(), [false, true]);
    assert_eq!(server.finish().len(), 1);
}
