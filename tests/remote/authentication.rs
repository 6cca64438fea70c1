//! Credentials: as with every call over HTTP, one fresh one after a 401, and the server's clock for signatures.

use crate::office::{office, options};
use crate::scripted::{self, Server, Still, json, problem};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use syncstore::wire::{Compression, Credential, WireError};
use syncstore::{Remote, RemoteError, RemoteQuery};

#[test]
fn a_refused_token_is_refreshed_once_and_the_write_repeated_under_the_same_ref() {
    let refused = || problem("401 Unauthorized", &[], r#"{"code":"unauthenticated","detail":"no such token"}"#);
    let server = Server::start(vec![refused(), json(r#"{"rev":7}"#), refused(), refused()]);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let source = {
        let asked = Arc::clone(&asked);
        move |refresh: bool| {
            let mut asked = asked.lock();
            asked.push(refresh);
            Ok(Credential::bearer(format!("hunter2-{}", asked.len())))
        }
    };
    let remote = Remote::new(&server.url(), "db", scripted::options().with_credentials(source)).unwrap();
    assert_eq!(remote.item("notes", "n").set(&1).unwrap(), 7);
    let error = remote.item("notes", "n").set(&2).unwrap_err();
    assert!(matches!(&error, RemoteError::Wire(WireError::Unauthenticated(_))), "{error:?}");
    assert_eq!(*asked.lock(), [false, true, true]);
    assert!(!format!("{error} {error:?} {remote:?}").contains("hunter2"));
    let requests = server.finish();
    let key = |n: usize| requests[n].header("idempotency-key").unwrap();
    assert_eq!(key(0), key(1));
    assert_ne!(key(1), key(2));
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(requests[1].header("authorization"), Some("Bearer hunter2-2"));
}

#[test]
fn a_real_server_takes_the_fresh_token() {
    let office = office();
    let source = |refresh: bool| Ok(Credential::bearer(if refresh { "root-t0ken" } else { "old" }));
    let remote = Remote::new(&office.server.url(), "db", options("root").with_credentials(source)).unwrap();
    remote.item("notes", "n").set(&1).unwrap();
    assert!(remote.get("notes", "n").unwrap().is_some());
    assert_eq!(remote.traffic().round_trips, 3);
}

#[test]
fn every_request_is_signed_over_the_target_and_the_body_that_are_sent() {
    let office = office();
    for compression in [Compression::Off, Compression::On] {
        let mut signing = options("root").with_credentials(Credential::hmac("rpa_1", "ada", "rps_s3cret"));
        (signing.compression, signing.compress_above) = (compression, 0);
        // Half a life off: the first answer's date sets it right.
        signing.environment =
            Arc::new(Still { unix_ms: 784_111_777_000, drawn: AtomicU64::new(compression as u64 * 9999) });
        let remote = Remote::new(&office.server.url(), "db", signing).unwrap();
        remote.info().unwrap();
        let item = remote.item("a/b %", "..");
        item.set(&"x".repeat(500)).unwrap();
        item.add_tag("ä").unwrap();
        assert_eq!(remote.list("a/b %", &RemoteQuery::all().prefix("..").to("é&")).unwrap().items.len(), 1);
        item.delete().unwrap();
        let mut batch = remote.batch();
        batch.item("b", "1").set(&"y".repeat(500)).unwrap();
        batch.commit().unwrap();
    }
}
