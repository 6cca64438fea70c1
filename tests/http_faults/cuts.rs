//! Connections that break, hang or crawl at a chosen byte, between the client and the real server.

use crate::proxy::{Break, Proxy, Way};
use crate::rig::{DATABASE, Rig, impatient, options, plain};
use std::time::{Duration, Instant};
use syncstore::wire::{HttpOptions, HttpWire, WireError};
use syncstore::{Error, Store};

fn through(proxy: &Proxy, http: HttpOptions) -> HttpWire {
    HttpWire::new(&proxy.url(), DATABASE, http).unwrap()
}

/// An error that the network, and nothing else, makes.
fn is_network(error: &Error) -> bool {
    match error {
        Error::Wire(error) => {
            assert!(error.is_transient(), "{error:?}");
            matches!(error, WireError::Unreachable(_) | WireError::Protocol(_) | WireError::TimedOut(_))
        }
        _ => false,
    }
}

/// How many bytes a sync of one write sends and receives.
fn conversation(rig: &mut Rig, proxy: &Proxy) -> [(Way, u64); 2] {
    rig.append();
    rig.reopen();
    proxy.set(Way::Requests, u64::MAX, Break::Close);
    rig.store.sync(&through(proxy, plain())).unwrap();
    [Way::Requests, Way::Answers].map(|way| (way, proxy.passed(way)))
}

/// Cuts the conversation of a sync at each `step`th byte, each time with a new write to lose or to apply twice.
fn cut_everywhere(how: Break, step: usize) {
    let mut rig = Rig::new();
    let proxy = Proxy::start(rig.server().addr());
    let lengths = conversation(&mut rig, &proxy);
    let (mut broken, mut cuts) = (0, 0);
    for (way, length) in lengths {
        assert!(length > 500, "{length}");
        for byte in (0..length).step_by(step) {
            let what = format!("{how:?} at byte {byte} of {length} of {way:?}");
            rig.append();
            rig.reopen();
            proxy.set(way, byte, how);
            cuts += 1;
            match rig.store.sync(&through(&proxy, plain())) {
                Ok(_) => {}
                Err(error) => {
                    assert!(is_network(error.error()), "{what}: {error:?}");
                    broken += 1;
                }
            }
            proxy.clear();
            rig.store.sync(&through(&proxy, plain())).unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!(rig.store.pending().unwrap(), [], "{what}");
            if cuts % 20 == 0 {
                rig.assert_converges(plain(), &what);
            }
        }
    }
    // A request on a kept connection that broke before its first answer byte may be sent again by the HTTP client.
    assert!(broken * 2 > cuts, "{broken} of {cuts} were noticed");
    rig.assert_converges(plain(), "after all cuts");
    rig.assert_log_has_each_ref_once(plain());
}

#[test]
fn a_connection_closed_at_any_byte_loses_nothing_and_repeats_nothing() {
    cut_everywhere(Break::Close, 9);
}

#[test]
fn a_connection_reset_at_any_byte_loses_nothing_and_repeats_nothing() {
    cut_everywhere(Break::Reset, 9);
}

#[test]
fn a_bootstrap_cut_at_any_byte_is_resumed_and_ends_like_one_that_was_not() {
    let mut rig = Rig::new();
    rig.write();
    rig.assert_converges(plain(), "at first");
    let proxy = Proxy::start(rig.server().addr());
    let mut small = options();
    small.checkpoint_items = 2;
    let fresh = |name: String| {
        let store = Store::open(rig.dir.path().join(name), small.clone()).unwrap();
        store.set("own", "o1", &"of a replica that never synced").unwrap();
        store
    };
    proxy.set(Way::Answers, u64::MAX, Break::Close);
    let whole = fresh("whole.db".into());
    whole.sync(&through(&proxy, plain())).unwrap();
    let expected = crate::rig::contents(&whole);
    let length = proxy.passed(Way::Answers);
    for byte in (0..length).step_by(41) {
        let store = fresh(format!("cut{byte}.db"));
        proxy.set(Way::Answers, byte, if byte % 2 == 0 { Break::Close } else { Break::Reset });
        if let Err(error) = store.sync(&through(&proxy, plain())) {
            assert!(is_network(error.error()), "{byte}: {error:?}");
            assert_eq!(store.get::<String>("own", "o1").unwrap().as_deref(), Some("of a replica that never synced"));
        }
        proxy.clear();
        // Through many cuts in a row it still comes to its end, since each page that came is kept.
        let mut tries = 0;
        loop {
            proxy.set(Way::Answers, 1_500, Break::Close);
            tries += 1;
            match store.sync(&through(&proxy, plain())) {
                Ok(_) => break,
                Err(error) => assert!(is_network(error.error()) && tries < 30, "{byte}: {error:?}"),
            }
        }
        assert_eq!(crate::rig::contents(&store), expected, "{byte}");
        assert_eq!(store.pending().unwrap(), [], "{byte}");
    }
}

#[test]
fn a_network_that_swallows_bytes_ends_in_the_time_out() {
    let mut rig = Rig::new();
    let proxy = Proxy::start(rig.server().addr());
    let [(_, requests), (_, answers)] = conversation(&mut rig, &proxy);
    for (way, byte) in [
        (Way::Requests, 0),
        (Way::Requests, requests / 3),
        (Way::Requests, requests / 2),
        (Way::Requests, requests - 1),
        (Way::Answers, 0),
        (Way::Answers, 1),
        (Way::Answers, answers / 3),
        (Way::Answers, answers / 2),
        (Way::Answers, answers - 1),
    ] {
        let what = format!("byte {byte} of {way:?}");
        // On a busy machine the time-out may come before that byte does; then once more.
        let swallowed = (0..5).any(|_| {
            rig.write();
            rig.reopen();
            proxy.set(way, byte, Break::BlackHole);
            let start = Instant::now();
            let error = rig.store.sync(&through(&proxy, impatient())).expect_err(&what).into_error();
            assert!(matches!(error, Error::Wire(WireError::TimedOut(_))), "{what}: {error:?}");
            assert!(start.elapsed() < Duration::from_secs(10), "{what}: {:?}", start.elapsed());
            !proxy.clear()
        });
        assert!(swallowed, "{what}: nothing was swallowed");
        rig.assert_converges(plain(), &what);
    }
    rig.assert_log_has_each_ref_once(plain());
}

#[test]
fn a_network_that_crawls_ends_in_the_time_out_or_arrives() {
    let mut rig = Rig::new();
    let proxy = Proxy::start(rig.server().addr());
    for way in [Way::Requests, Way::Answers] {
        rig.write();
        rig.reopen();
        proxy.set(way, 100, Break::Drip);
        let start = Instant::now();
        let error = rig.store.sync(&through(&proxy, impatient())).expect_err("too slow").into_error();
        assert!(matches!(error, Error::Wire(WireError::TimedOut(_))), "{way:?}: {error:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "{way:?}: {:?}", start.elapsed());
        proxy.clear();
        rig.assert_converges(plain(), &format!("{way:?} crawl"));
        rig.append();
        proxy.set(way, 100, Break::Drip);
        rig.store.sync(&through(&proxy, plain())).unwrap();
        proxy.clear();
        assert_eq!(rig.store.pending().unwrap(), []);
    }
    rig.assert_converges(plain(), "after all");
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let mut rig = Rig::new();
    rig.write();
    let before = rig.snapshot();
    let wire = rig.wire(plain());
    rig.server.take().unwrap().stop();
    let error = rig.store.sync(&wire).unwrap_err().into_error();
    assert!(matches!(error, Error::Wire(WireError::Unreachable(_))), "{error:?}");
    rig.assert_unchanged(&before, "no server");
}
