//! Everything through the real server: each format, with and without compression, with each kind of credential.

use crate::rig::{CONFIG, Contents, DATABASE, Rig, assert_intact, contents, options, plain};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use syncstore::environment::{Environment, SystemEnvironment};
use syncstore::protocol::Format;
use syncstore::wire::{Compression, Credential, HttpOptions, WireError};
use syncstore::{Error, Outcome, Store};
use syncstore_server::config::Config;

fn bearer() -> Credential {
    Credential::bearer("ada-t0ken")
}

fn hmac() -> Credential {
    Credential::hmac("rpa_1", "ada", "rps_s3cret")
}

fn with_credential(credential: Credential) -> HttpOptions {
    let mut http = plain();
    http.credentials = Arc::new(credential);
    http
}

/// Values that a careless codec changes.
fn write_values(store: &Store) {
    let values = json!({
        "integers": [0, -1, i64::MIN, i64::MAX, u64::MAX, 9_007_199_254_740_993_u64],
        "doubles": [0.1, -0.0, 1e308, 5e-324, 1.0, 123456789.125],
        "texts": ["", "\u{0}", "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}", "\"\\\n\t", "\u{feff}"],
        "nothing": [null, true, false, {}, [], {"": {"": []}}],
        "long": "x".repeat(70_000),
    });
    store.set("values", "all", &values).unwrap();
    for number in 0..300 {
        store.set("many", &format!("k{number:04}"), &json!({"number": number, "text": "🎈".repeat(20)})).unwrap();
    }
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    store.set_raw("values", "deep", &deep).unwrap();
    for key in ["\u{0}", "a/b?c=d&e#f%20", "ключ", "🎈", "."] {
        store.set("keys", key, &key).unwrap();
    }
}

#[test]
fn each_format_compression_and_credential_carries_everything() {
    for credential in [bearer, hmac] {
        for format in [Format::Json, Format::MessagePack] {
            for compression in [Compression::Off, Compression::On] {
                let what = format!("{:?} {format:?} {compression:?}", credential());
                let mut http = with_credential(credential());
                (http.format, http.compression) = (format, compression);
                let mut rig = Rig::with(Config::parse(CONFIG).unwrap(), http.clone());
                write_values(&rig.store);
                rig.write();
                let report = rig.store.sync(&rig.wire(http.clone())).unwrap();
                assert_eq!(report.rejected, 0, "{what}");
                rig.assert_converges(http.clone(), &what);
                let payload: usize = 300 * 100;
                if compression == Compression::On {
                    assert!(report.bytes_sent < payload as u64, "{what}: {}", report.bytes_sent);
                } else {
                    assert!(report.bytes_sent > payload as u64, "{what}: {}", report.bytes_sent);
                }
                // The other way, into a replica that has something of its own to rebase.
                let other = Store::open(rig.dir.path().join("other.db"), options()).unwrap();
                other.set("many", "k0007", &"over it").unwrap();
                other.sync(&rig.wire(http.clone())).unwrap();
                rig.store.sync(&rig.wire(http)).unwrap();
                let (mine, theirs): (Contents, Contents) = (contents(&rig.store), contents(&other));
                assert_eq!(mine, theirs, "{what}");
                assert_eq!(mine[&("many".to_owned(), "k0007".to_owned())], "over it");
                let deep = other.get_raw("values", "deep").unwrap().unwrap();
                assert_eq!(deep.matches('[').count(), 120, "{what}");
                let doubles = other.get::<serde_json::Value>("values", "all").unwrap().unwrap()["doubles"].clone();
                assert!(doubles[1].as_f64().unwrap().is_sign_negative() && doubles[4].is_f64(), "{what}: {doubles}");
            }
        }
    }
}

#[test]
fn a_wrong_credential_leaves_everything_queued_until_it_is_right() {
    let config = || Config::parse(CONFIG).unwrap();
    for wrong in [
        Credential::None,
        Credential::bearer("ada-t0keN"),
        Credential::hmac("rpa_1", "ada", "rps_other"),
        Credential::hmac("rpa_2", "ada", "rps_s3cret"),
    ] {
        let mut rig = Rig::with(config(), with_credential(bearer()));
        rig.write();
        rig.reopen();
        let before = rig.snapshot();
        let error = rig.store.sync(&rig.wire(with_credential(wrong.clone()))).unwrap_err().into_error();
        assert!(matches!(error, Error::Wire(WireError::Unauthenticated(_))), "{wrong:?}: {error:?}");
        rig.assert_unchanged(&before, &format!("{wrong:?}"));
        rig.assert_converges(with_credential(bearer()), &format!("{wrong:?}"));
    }
    // Another user's token: the replica's client id is not its.
    let mut rig = Rig::with(config(), with_credential(bearer()));
    rig.write();
    let before = rig.snapshot();
    let error = rig.store.sync(&rig.wire(with_credential(Credential::bearer("bob-t0ken")))).unwrap_err().into_error();
    assert!(matches!(error, Error::Wire(WireError::Forbidden(_))), "{error:?}");
    rig.assert_unchanged(&before, "another user");
    rig.assert_converges(with_credential(hmac()), "the same user by a key");
}

#[test]
fn a_token_that_expires_in_the_middle_is_refreshed_without_the_host_noticing() {
    let mut rig = Rig::with(Config::parse(CONFIG).unwrap(), with_credential(bearer()));
    rig.write();
    let refreshed = Arc::new(AtomicUsize::new(0));
    let mut http = plain();
    let counted = refreshed.clone();
    http.credentials = Arc::new(move |refresh: bool| {
        counted.fetch_add(usize::from(refresh), Ordering::SeqCst);
        Ok(Credential::bearer(if refresh { "ada-t0ken" } else { "an-old-one" }))
    });
    rig.store.sync(&rig.wire(http)).unwrap();
    assert_eq!(refreshed.load(Ordering::SeqCst), 1);
    rig.assert_converges(with_credential(bearer()), "refreshed");
}

/// A clock that is wrong by hours.
struct Wrong(SystemEnvironment, i64);

impl Environment for Wrong {
    fn unix_ms(&self) -> u64 {
        self.0.unix_ms().saturating_add_signed(self.1)
    }
    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
    fn random(&self) -> u64 {
        self.0.random()
    }
    fn sleep(&self, duration: Duration) {
        self.0.sleep(duration);
    }
}

#[test]
fn a_signing_client_with_a_wrong_clock_corrects_it_by_the_servers() {
    for hours in [-30, 30] {
        let mut rig = Rig::with(Config::parse(CONFIG).unwrap(), with_credential(hmac()));
        rig.write();
        let mut http = with_credential(hmac());
        http.environment = Arc::new(Wrong(SystemEnvironment::default(), hours * 3_600_000));
        let wire = rig.wire(http);
        let report = rig.store.sync(&wire).unwrap();
        rig.append();
        let again = rig.store.sync(&wire).unwrap();
        assert!(again.round_trips < report.round_trips + 1, "{hours}: it is corrected once, not with each request");
        rig.assert_converges(with_credential(hmac()), "a wrong clock");
    }
}

/// A replica whose own clock is wrong makes refs of another time; none is refused for it within the server's keeping.
#[test]
fn a_replica_with_a_wrong_clock_syncs() {
    for hours in [-24 * 30, 24 * 30] {
        let mut rig = Rig::with(Config::parse(CONFIG).unwrap(), with_credential(bearer()));
        let mut wrong = options();
        wrong.environment = Arc::new(Wrong(SystemEnvironment::default(), hours * 3_600_000));
        rig.store = Store::open(&rig.file, wrong).unwrap();
        rig.write();
        let ops: Vec<_> = rig.store.pending().unwrap().iter().map(|op| op.op_ref).collect();
        rig.assert_converges(with_credential(bearer()), "a wrong clock");
        for op in ops {
            let outcome = rig.store.outcome(op).unwrap();
            assert!(matches!(outcome, Some(Outcome::Accepted { .. })), "{hours}: {outcome:?}");
        }
    }
}

/// A stopped server on the same data goes on where it was.
#[test]
fn a_server_that_is_restarted_is_the_same_to_its_replicas() {
    let mut rig = Rig::new();
    for round in 0..3 {
        rig.write();
        let old = rig.server.take().unwrap();
        let listen = old.addr().to_string();
        let wire = syncstore::wire::HttpWire::new(&old.url(), DATABASE, plain()).unwrap();
        rig.store.push(&wire).unwrap();
        old.stop();
        assert!(rig.store.pull(&wire).is_err(), "{round}");
        let mut restarted = syncstore_server::ServerOptions::dev(rig.dir.path().join("server"));
        restarted.listen = listen;
        rig.server = Some(syncstore_server::Server::start(restarted).unwrap());
        let report = rig.store.sync(&wire).unwrap();
        assert_eq!(report.bootstrapped, None, "{round}");
        rig.assert_converges(plain(), "restarted");
    }
    rig.assert_log_has_each_ref_once(plain());
    assert_intact(&rig.file);
}
