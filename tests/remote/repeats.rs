//! Answers that are lost: what is repeated under its ref is done once.

use crate::office::{office, options, rejection, value};
use crate::proxy::{Break, Proxy, Way};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use syncstore::protocol::Code;
use syncstore::wire::WireError;
use syncstore::{Cancel, Precondition, Remote, RemoteError, json_patch};

fn append(n: u64) -> json_patch::Patch {
    serde_json::from_value(json!([{"op": "add", "path": "/-", "value": n}])).unwrap()
}

#[test]
fn a_write_whose_connection_breaks_at_any_byte_is_done_once_under_its_ref() {
    let office = office();
    let root = office.remote("root");
    root.item("lists", "l").set(&json!([])).unwrap();
    let proxy = Proxy::start(office.server.addr());
    let (mut written, mut lost) = (0, 0);
    for (way, bytes) in [(Way::Requests, 440), (Way::Answers, 260)] {
        for byte in (0..bytes).step_by(11) {
            // A connection of its own for each: one that was kept is repeated by the HTTP client itself.
            let remote = Remote::new(&proxy.url(), "db", options("root")).unwrap();
            let how = if byte % 2 == 0 { Break::Close } else { Break::Reset };
            proxy.set(way, byte, how);
            let item = remote.item("lists", "l");
            if let Err(error) = item.patch(&append(written)) {
                assert!(error.is_transient(), "{error:?}");
                let op = error.op_ref().unwrap_or_else(|| panic!("{error:?}"));
                proxy.clear();
                item.clone().with_ref(op).patch(&append(written)).unwrap();
                lost += 1;
            }
            proxy.clear();
            written += 1;
        }
    }
    assert!(lost * 2 > written, "{lost} of {written} were lost");
    let list: Vec<u64> = serde_json::from_value(value(&root, "lists", "l")).unwrap();
    assert_eq!(list.len() as u64, written, "{list:?}");
    assert_eq!(list.into_iter().collect::<BTreeSet<_>>(), (0..written).collect());
}

#[test]
fn a_batch_whose_answer_is_lost_is_committed_again_and_done_once() {
    let office = office();
    let root = office.remote("root");
    root.item("lists", "l").set(&json!([])).unwrap();
    let proxy = Proxy::start(office.server.addr());
    let remote = Remote::new(&proxy.url(), "db", options("root")).unwrap();
    let mut batch = remote.batch();
    batch.item("lists", "l").patch(&append(1)).unwrap();
    batch.item("notes", "n").set(&1).unwrap();
    proxy.set(Way::Answers, 20, Break::Close);
    let error = batch.commit().unwrap_err();
    assert!(matches!(&error, RemoteError::Unconfirmed { op: None, .. }), "{error:?}");
    assert_eq!(value(&root, "lists", "l"), json!([1]), "it was done all the same");
    proxy.clear();
    assert_eq!(batch.commit().unwrap().len(), 2);
    assert_eq!(value(&root, "lists", "l"), json!([1]));
}

#[test]
fn a_write_that_is_cancelled_ends_at_once_and_may_have_been_done() {
    let office = office();
    let proxy = Proxy::start(office.server.addr());
    let remote = Remote::new(&proxy.url(), "db", options("root")).unwrap();
    let cancel = Cancel::new();
    let asked = remote.cancellable(&cancel);
    let start = Instant::now();
    // The answer has begun, and nothing more of it comes: only then is there something to end.
    let cancelling = cancel.clone();
    proxy.set_then(Way::Answers, 10, Break::BlackHole, move || cancelling.cancel());
    let error = asked.item("notes", "n").set(&1).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let RemoteError::Unconfirmed { op: Some(op), error: WireError::Cancelled } = error else { panic!("{error:?}") };
    let read = asked.get("notes", "n");
    assert!(matches!(read, Err(RemoteError::Wire(WireError::Cancelled))), "{read:?}");
    let rev = remote.get("notes", "n").unwrap().unwrap().rev;
    assert_eq!(remote.item("notes", "n").with_ref(op).set(&1).unwrap(), rev, "the others go on");
}

#[test]
fn a_repeat_is_told_what_the_first_did_whatever_has_become_of_the_item() {
    let office = office();
    let remote = office.remote("root");
    let op = remote.new_ref();
    let item = remote.item("notes", "n").with_ref(op);
    let first = item.clone().when(Precondition::Absent).set(&1).unwrap();
    remote.item("notes", "n").set(&2).unwrap();
    assert_eq!(item.clone().when(Precondition::Absent).set(&1).unwrap(), first, "no precondition is judged again");
    assert_eq!(value(&remote, "notes", "n"), json!(2));
    assert_eq!(rejection(item.set(&3)).code, Code::REF_REUSED);
    assert_eq!(rejection(remote.item("notes", "other").with_ref(op).set(&1)).code, Code::REF_REUSED);
    assert!(remote.get("notes", "other").unwrap().is_none());
}

#[test]
fn a_network_that_swallows_the_answer_ends_in_the_time_out() {
    let office = office();
    let mut impatient = options("root");
    impatient.call_timeout = Duration::from_millis(400);
    for how in [Break::BlackHole, Break::Drip] {
        let start = Instant::now();
        // One for each request: what the last one left to drip would take the next one's fault.
        let through = || {
            let proxy = Proxy::start(office.server.addr());
            proxy.set(Way::Answers, 10, how);
            let remote = Remote::new(&proxy.url(), "db", impatient.clone()).unwrap();
            (proxy, remote)
        };
        let (_proxy, remote) = through();
        let error = remote.item("notes", "n").set(&"x".repeat(1000)).unwrap_err();
        let RemoteError::Unconfirmed { op: Some(op), error } = error else { panic!("{error:?}") };
        assert!(matches!(error, WireError::TimedOut(_)), "{error:?}");
        let (_proxy, remote) = through();
        let error = remote.get("notes", "n").unwrap_err();
        assert!(matches!(error, RemoteError::Wire(WireError::TimedOut(_))), "{error:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        let patient = Remote::new(&office.server.url(), "db", options("root")).unwrap();
        patient.item("notes", "n").with_ref(op).set(&"x".repeat(1000)).unwrap();
        assert!(matches!(value(&patient, "notes", "n"), Value::String(_)));
    }
}
