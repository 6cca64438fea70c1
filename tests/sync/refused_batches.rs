//! Batches that are given up, and what the server has of them.

use crate::batches::{batch_of, code};
use crate::support::faulty::lost;
use crate::support::{Call, Fault, FaultyWire, Fleet, Server, view};
use serde_json::json;
use syncstore::protocol::{Code, PushRequest};
use syncstore::wire::WireError;
use syncstore::{Error, Outcome};

#[test]
fn a_batch_of_which_the_rest_is_refused_leaves_nothing_staged_that_others_wait_for() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.push_ops = 10);
    store.sync(&server.wire()).unwrap();
    let receipt = batch_of(&store, 25);
    let direct = server.wire();
    let wire = FaultyWire::new(&direct, |call| match call {
        Call::Push(request) if request.ops.iter().any(|op| op.key == "k12" && op.value.is_some()) => {
            Fault::Fail(WireError::Refused { status: 413, code: String::new(), message: "too large".into() })
        }
        _ => Fault::None,
    });
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.accepted, report.rejected), (0, 25));
    assert!(receipt.ops.iter().all(|op| code(&store, *op) == Code::TOO_LARGE));
    let later = store.set("c", "k00", &"later").unwrap();
    store.sync(&wire).unwrap();
    assert!(matches!(store.outcome(later).unwrap(), Some(Outcome::Accepted { .. })));
    assert_eq!((view(&store).len(), server.items().len()), (1, 1));
    // What the log says of the batch changes nothing of what was told; made again, it goes.
    assert!(receipt.ops.iter().all(|op| code(&store, *op) == Code::TOO_LARGE));
    store.retry(receipt.ops[0]).unwrap();
    store.sync(&direct).unwrap();
    assert_eq!((server.items().len(), store.pending_count().unwrap()), (25, 0));
}

#[test]
fn what_is_let_go_of_a_batch_is_told_by_an_op_that_the_server_may_have() {
    let refused = |status| WireError::Refused { status, code: String::new(), message: String::new() };
    let failing = WireError::Unavailable { status: 500, retry_after: None, message: String::new() };
    for met in [None, Some(refused(413)), Some(refused(400)), Some(failing)] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let store = fleet.open_with("a", |options| options.push_ops = 10);
        store.sync(&server.wire()).unwrap();
        batch_of(&store, 25);
        let direct = server.wire();
        // The server has the second part, whose last op tells of the rest that is refused.
        let loses = FaultyWire::pushes(&direct, [Fault::None, Fault::LoseAnswer]);
        store.sync(&loses).unwrap_err();
        let wire = FaultyWire::new(&direct, |call| match call {
            Call::Push(request) if is_k12(request) => Fault::Fail(refused(413)),
            Call::Push(request) if tells(request) => met.clone().map_or(Fault::None, Fault::Fail),
            _ => Fault::None,
        });
        let report = store.sync(&wire).unwrap();
        assert_eq!((report.rejected, store.pending_count().unwrap()), (25, 0), "{met:?}");
        let later = store.set("c", "k00", &"later").unwrap();
        store.sync(&wire).unwrap();
        // Where the server does not get to know, it lets go when the batch expires.
        let went = matches!(store.outcome(later).unwrap(), Some(Outcome::Accepted { .. }));
        assert_eq!(went, met.is_none(), "{met:?}");
    }
}

#[test]
fn a_batch_is_given_up_only_once_the_server_was_told() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.push_ops = 10);
    store.sync(&server.wire()).unwrap();
    batch_of(&store, 25);
    let direct = server.wire();
    let too_large = || WireError::Refused { status: 413, code: String::new(), message: String::new() };
    let gateway = FaultyWire::new(&direct, |call| match call {
        Call::Push(request) if is_k12(request) => Fault::Fail(too_large()),
        _ => Fault::None,
    });
    let offline = FaultyWire::new(&gateway, |call| match call {
        Call::Push(request) if tells(request) => Fault::Fail(lost("offline")),
        _ => Fault::None,
    });
    let error = store.sync(&offline).unwrap_err();
    assert!(matches!(error.error(), Error::Wire(WireError::Unreachable(_))), "{error:?}");
    assert_eq!((store.rejections().unwrap().len(), store.pending_count().unwrap()), (0, 25));
    assert_eq!(store.sync(&gateway).unwrap().rejected, 25);
    let later = store.set("c", "k00", &"later").unwrap();
    store.sync(&gateway).unwrap();
    assert!(matches!(store.outcome(later).unwrap(), Some(Outcome::Accepted { .. })));
}

/// Whether it has the op on k12 as it was written.
fn is_k12(request: &PushRequest) -> bool {
    request.ops.iter().any(|op| op.key == "k12" && op.value.is_some())
}

/// Whether it tells the server that a batch is given up.
fn tells(request: &PushRequest) -> bool {
    request.ops[0].of == Some(u32::MAX)
}

#[test]
fn what_a_batch_was_given_up_for_while_a_checkpoint_loads_is_what_is_told() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.push_ops = 10);
    let receipt = batch_of(&store, 25);
    store.set("c", "after", &1).unwrap();
    let direct = server.wire();
    let gateway = FaultyWire::new(&direct, |call| match call {
        Call::Push(request) if request.ops.iter().any(|op| op.key == "k12" && op.value.is_some()) => {
            Fault::Fail(WireError::Refused { status: 413, code: String::new(), message: "a gateway's".into() })
        }
        _ => Fault::None,
    });
    // The server has rejected what it had of the batch by then, which its log tells before anything is settled.
    let interrupted = FaultyWire::new(&gateway, |call| match call {
        Call::Push(request) if request.ops.iter().any(|op| op.key == "after") => Fault::LoseRequest,
        _ => Fault::None,
    });
    let error = store.sync(&interrupted).unwrap_err();
    assert!(store.bootstrap_progress().unwrap().is_some());
    let report = store.sync(&gateway).unwrap();
    assert_eq!((report.pulled, store.pending_count().unwrap()), (12, 0));
    assert_eq!((error.report().rejected, report.rejected), (25, 0), "each is counted once");
    for op in receipt.ops {
        let Some(Outcome::Rejected(why)) = store.outcome(op).unwrap() else { panic!("{op} is not rejected") };
        assert_eq!((why.code, why.message.as_str()), (Code::TOO_LARGE, "a gateway's"));
    }
    assert!(store.check().unwrap().is_ok());
}

#[test]
fn a_batch_of_which_the_first_part_is_refused_leaves_nothing_staged_either() {
    for deletes in [false, true] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let store = fleet.open_with("a", |options| options.push_ops = 10);
        for n in 0..25 {
            store.set("c", &format!("k{n:02}"), &"old").unwrap();
        }
        store.sync(&server.wire()).unwrap();
        let mut batch = store.batch();
        for n in 0..25 {
            let key = format!("k{n:02}");
            if deletes && n != 2 {
                batch.delete("c", &key).unwrap();
            } else {
                batch.set("c", &key, &n).unwrap();
            }
        }
        let receipt = batch.commit().unwrap();
        let direct = server.wire();
        let wire = FaultyWire::new(&direct, |call| match call {
            Call::Push(request) if request.ops.iter().any(|op| op.key == "k02" && op.value.is_some()) => {
                Fault::Fail(WireError::Refused { status: 413, code: String::new(), message: "too large".into() })
            }
            _ => Fault::None,
        });
        assert_eq!(store.sync(&wire).unwrap().rejected, 25);
        assert!(receipt.ops.iter().all(|op| code(&store, *op) == Code::TOO_LARGE));
        // None of these is held back by what the server has of the batch.
        let later: Vec<_> = (5..25).map(|n| store.set("c", &format!("k{n:02}"), &"later").unwrap()).collect();
        store.sync(&wire).unwrap();
        let accepted = |op: &_| matches!(store.outcome(*op).unwrap(), Some(Outcome::Accepted { .. }));
        assert!(later.iter().all(accepted), "{deletes}");
        assert_eq!((server.items().len(), store.pending_count().unwrap()), (25, 0));
        assert_eq!(server.value("c", "k02"), Some(json!("old")));
    }
}
