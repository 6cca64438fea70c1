//! No credential stands in anything that a log may show.
#![cfg(feature = "http")]

#[path = "../support/rig.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod rig;
#[path = "../support/scripted.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod scripted;

use parking_lot::Mutex;
use rig::{CONFIG, DATABASE, Rig, options, plain};
use scripted::{Reply, Server, answer, problem};
use std::sync::Arc;
use syncstore::wire::{Credential, HttpOptions, HttpWire, Wire};
use syncstore::{Options, Store, SyncError};
use syncstore_server::config::Config;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

const SECRETS: [&str; 5] = ["ada-t0ken", "rps_s3cret", "hunter2", "pr0xy-pass", "header-s3cret"];

fn assert_silent(shown: &str) {
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

fn secretive(credential: Credential) -> HttpOptions {
    let mut http = plain();
    http.credentials = Arc::new(credential);
    http.headers = vec![("X-Api-Key".into(), "header-s3cret".into())];
    http
}

fn credentials() -> [Credential; 2] {
    [Credential::bearer("ada-t0ken"), Credential::hmac("rpa_1", "ada", "rps_s3cret")]
}

fn shown(error: &SyncError) -> String {
    let mut shown = format!("{error} {error:?} {:?} {}", error.report(), error.error());
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        shown += &format!(" {error} {error:?}");
        source = error.source();
    }
    shown
}

#[test]
fn debug_and_display_of_what_holds_a_secret_do_not_show_it() {
    for credential in credentials() {
        assert_silent(&format!("{credential:?}"));
        let mut http = secretive(credential);
        http.proxy = Some("http://ada:pr0xy-pass@127.0.0.1:1".into());
        assert_silent(&format!("{http:?}"));
        let wire = HttpWire::new("http://127.0.0.1:1", DATABASE, http.clone()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("r.db"), options()).unwrap();
        let error = store.sync(&wire).unwrap_err();
        assert_silent(&shown(&error));
        assert_silent(&format!("{store:?} {:?} {:?}", Options::default(), wire.traffic()));
        http.proxy = None;
        for url in ["http://ada:hunter2@127.0.0.1:1", "ftp://hunter2@h", "http://127.0.0.1:1/?token=hunter2", "hunter2"]
        {
            let Err(error) = HttpWire::new(url, DATABASE, http.clone()) else { panic!("{url}") };
            // A URL that is no URL at all may be shown; a user's password may not.
            if url != "hunter2" {
                assert_silent(&format!("{error} {error:?}"));
            }
        }
    }
    let config = Config::parse(CONFIG).unwrap();
    assert_silent(&format!("{config:?}"));
    let wrong = CONFIG.replace("databases", "databanks");
    let error = Config::parse(&wrong).unwrap_err();
    assert_silent(&format!("{error} {error:?}"));
}

#[test]
fn errors_of_refused_and_broken_requests_do_not_show_a_secret() {
    let mut rig = Rig::with(Config::parse(CONFIG).unwrap(), secretive(credentials()[0].clone()));
    for credential in credentials() {
        let replies: [fn() -> Reply; 7] = [
            || problem("401 Unauthorized", &[], r#"{"detail":"ada-t0ken and rps_s3cret are not known"}"#),
            || {
                problem(
                    "400 Bad Request",
                    &[],
                    r#"{"title":"ada-t0ken rps_s3cret","code":"header-s3cret","path":"ada-t0ken rps_s3cret"}"#,
                )
            },
            || problem("401 Unauthorized", &[("WWW-Authenticate", "Bearer")], "{}"),
            || problem("403 Forbidden", &[], r#"{"detail":"no"}"#),
            || Reply::Send(answer("302 Found", &[("Location", "http://ada:el5ewhere@h/?token=el5ewhere")], b"")),
            || Reply::Send(answer("200 OK", &[("Content-Type", "text/plain")], b"?")),
            || Reply::SendAndClose(b"nonsense\r\n\r\n".to_vec()),
        ];
        for reply in replies {
            rig.write();
            rig.reopen();
            // A refused credential may be tried again with the same one.
            let server = Server::start(vec![reply(), reply()]);
            let error = rig.store.sync(&server.wire(secretive(credential.clone()))).unwrap_err();
            assert_silent(&shown(&error));
            // What a server redirects to may hold a token of its own.
            assert!(!shown(&error).contains("el5ewhere"), "{error:?}");
        }
    }
    // Nor does the file.
    drop(rig.store);
    for file in
        std::fs::read_dir(rig.dir.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    {
        assert_silent(&String::from_utf8_lossy(&std::fs::read(file).unwrap()));
    }
}

/// What is logged in this process by the client, the server and what they are built from.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_log_of_client_and_server_shows_no_secret_at_the_documented_levels() {
    let captured = Captured::default();
    let writer = captured.clone();
    // What the documentation of the wire asks of a host that logs everything.
    let levels = Targets::new().with_default(LevelFilter::TRACE).with_target("ureq_proto", LevelFilter::DEBUG);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    tracing_subscriber::registry().with(lines).with(levels).init();
    let [bearer, hmac] = credentials();
    let mut rig = Rig::with(Config::parse(CONFIG).unwrap(), secretive(bearer));
    for credential in [hmac, Credential::bearer("hunter2"), Credential::hmac("rpa_1", "ada", "hunter2")] {
        rig.write();
        // The last two are refused.
        let _ = rig.store.sync(&rig.wire(secretive(credential)));
    }
    rig.assert_converges(secretive(credentials()[0].clone()), "logged");
    rig.server.take().unwrap().stop();
    let log = String::from_utf8_lossy(&captured.0.lock()).into_owned();
    for seen in ["/sync/outbox", "syncstore_server", "ureq"] {
        assert!(log.contains(seen), "nothing of {seen} was captured");
    }
    for line in log.lines() {
        assert_silent(line);
    }
}
