//! No credential stands in anything that a log may show.

use crate::end_to_end::CONFIG;
use crate::rig::{DATABASE, Rig, options, plain};
use crate::scripted::{Reply, Server, answer, problem};
use std::sync::Arc;
use syncstore::wire::{Credential, HttpOptions, HttpWire, Wire};
use syncstore::{Options, Store, SyncError};
use syncstore_server::config::Config;

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
        let replies: [fn() -> Reply; 5] = [
            || problem("401 Unauthorized", &[("WWW-Authenticate", "Bearer")], "{}"),
            || problem("403 Forbidden", &[], r#"{"detail":"no"}"#),
            || Reply::Send(answer("302 Found", &[("Location", "http://ada:hunter2@h/?token=hunter2")], b"")),
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
