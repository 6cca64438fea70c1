//! What the server refuses for its size or its content: halved until the culprit stands alone.

use crate::rig::{Rig, plain};
use crate::scripted::{INFO, Reply, Server, json, problem};
use serde_json::json;
use syncstore::protocol::Code;
use syncstore::{Error, Outcome};
use syncstore_server::config::Config;

/// A server of this kind publishes a limit for values that is above its limit for bodies, and a proxy might as well.
#[test]
fn the_real_servers_413_rejects_the_culprit_alone() {
    let mut config = Config::dev();
    config.limits.body = 32 << 10;
    let rig = Rig::with(config, plain());
    let mut ops = Vec::new();
    for number in 0..40 {
        ops.push(rig.store.set("notes", &format!("small{number:02}"), &"x".repeat(700)).unwrap());
        if number == 17 {
            let culprit = rig.store.set("notes", "huge", &"y".repeat(60_000)).unwrap();
            ops.push(culprit);
        }
    }
    let after = rig.store.set("other", "after", &1).unwrap();
    let report = rig.store.sync(&rig.wire(plain())).unwrap();
    assert_eq!((report.accepted, report.rejected), (41, 1));
    for op in ops.iter().chain([&after]) {
        match rig.store.outcome(*op).unwrap() {
            Some(Outcome::Accepted { .. }) => assert_ne!(*op, ops[18]),
            Some(Outcome::Rejected(rejection)) => {
                assert_eq!((*op, &rejection.code, rejection.seq), (ops[18], &Code::TOO_LARGE, None));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rig.store.get_raw("notes", "huge").unwrap(), None, "the view is the server's again");
    rig.assert_converges(plain(), "413");
}

/// The pushes as their lengths in ops, for a server that refuses each one with the poison.
fn pushes(status: &str, poison: usize, count: usize, batch: bool) -> (Rig, Vec<usize>, u64) {
    let mut rig = Rig::new();
    let mut script = vec![json(INFO)];
    // A push that has the poison is refused; the others never come to their answer here.
    let mut length = count;
    let mut at = poison;
    while length > 1 && !(batch && length <= 2) {
        script.push(problem(status, &[], r#"{"code":"x","detail":"no"}"#));
        let half = length / 2;
        if at < half {
            length = half;
        } else {
            // The first half has to be taken before the second comes.
            break;
        }
        at %= half.max(1);
    }
    script.push(problem(status, &[], r#"{"code":"x","detail":"no"}"#));
    script.push(Reply::SendAndClose(Vec::new()));
    if batch {
        let mut batch = rig.store.batch();
        batch.set("batch", "a", &1).unwrap();
        batch.set("batch", "b", &1).unwrap();
        batch.commit().unwrap();
    } else {
        rig.store.set("poison", "p", &"poison").unwrap();
    }
    for number in 0..count - if batch { 2 } else { 1 } {
        rig.store.set("good", &format!("g{number}"), &number).unwrap();
    }
    rig.reopen();
    let server = Server::start(script);
    let error = rig.store.push(&server.wire(plain())).unwrap_err();
    assert!(matches!(error.error(), Error::Wire(error) if error.is_transient()), "{error:?}");
    let rejected = error.report().rejected;
    let lengths = server.finish()[1..]
        .iter()
        .map(|request| {
            serde_json::from_slice::<serde_json::Value>(&request.body).unwrap()["ops"].as_array().unwrap().len()
        })
        .collect();
    (rig, lengths, rejected)
}

#[test]
fn a_push_refused_as_a_whole_is_halved_down_to_the_culprit() {
    for (status, code) in [
        ("400 Bad Request", Code::INVALID),
        ("413 Content Too Large", Code::TOO_LARGE),
        ("422 Unprocessable", Code::INVALID),
    ] {
        let (rig, lengths, rejected) = pushes(status, 0, 8, false);
        assert_eq!(lengths, [8, 4, 2, 1, 1], "{status}");
        assert_eq!(rejected, 1);
        // The others are as they were, and the culprit is gone from the view.
        assert_eq!(rig.store.pending().unwrap().len(), 7, "{status}");
        assert_eq!(rig.store.get_raw("poison", "p").unwrap(), None, "{status}");
        let rejected = rig.store.list("good", &syncstore::KeyRange::all()).unwrap().len();
        assert_eq!(rejected, 7);
        rig.assert_converges(plain(), status);
        drop(code);
    }
}

#[test]
fn a_batch_is_never_halved_and_fails_as_a_whole() {
    let (rig, lengths, rejected) = pushes("413 Content Too Large", 0, 8, true);
    assert_eq!(lengths, [8, 4, 2, 2], "{lengths:?}");
    assert_eq!(rejected, 2);
    assert_eq!(rig.store.list("batch", &syncstore::KeyRange::all()).unwrap().len(), 0);
    rig.assert_converges(plain(), "a batch");
}

/// An op refused locally whose first push had arrived after all: the log has the last word.
#[test]
fn a_refusal_that_the_log_knows_better_is_corrected() {
    let mut rig = Rig::new();
    let op = rig.store.set("notes", "n1", &json!({"title": "arrived"})).unwrap();
    let proxy = crate::proxy::Proxy::start(rig.server().addr());
    // The server commits; the answer is lost.
    rig.reopen();
    let through = syncstore::wire::HttpWire::new(&proxy.url(), crate::rig::DATABASE, plain()).unwrap();
    rig.store.pull(&through).unwrap();
    proxy.set(crate::proxy::Way::Answers, 0, crate::proxy::Break::Close);
    rig.store.push(&through).unwrap_err();
    // What answers now refuses the same op.
    rig.reopen();
    let refusal = problem("413 Content Too Large", &[], r#"{"code":"too_large"}"#);
    let server = Server::start(vec![json(INFO), refusal]);
    rig.store.push(&server.wire(plain())).unwrap();
    assert!(matches!(rig.store.outcome(op).unwrap(), Some(Outcome::Rejected(_))));
    rig.assert_converges(plain(), "corrected");
    assert!(matches!(rig.store.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    let note: serde_json::Value = rig.store.get("notes", "n1").unwrap().unwrap();
    assert_eq!(note["title"], "arrived");
}
