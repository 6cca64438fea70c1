//! What stays outside the filter for the sake of its pending ops, while the rest is loaded anew.

use crate::approving::{approve, waiting_server};
use crate::partial::filter;
use crate::support::{Fleet, Server, get, view};
use serde_json::json;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use syncstore::wire::Wire;
use syncstore::{BootstrapReason, Outcome, PendingState, SearchQuery, Store};
use syncstore_server::approver::{AskedOp, OpAnswer};

/// Two replicas of a server with a short log, whose collection `ask` has an approver that is there only while it is asked to [`decide`].
fn waiting(fleet: &Fleet) -> (Deciding, Store, Store) {
    let decides = Arc::new(AtomicBool::new(false));
    let there = decides.clone();
    let answer = move |asked: &AskedOp| there.load(Ordering::SeqCst).then(|| OpAnswer::accepted(asked.op.op_ref));
    let server = Deciding { server: waiting_server(answer, |options| options.retention.log_entries = 10), decides };
    let (ours, theirs) = (fleet.open("ours"), fleet.open("theirs"));
    for key in ["1", "2"] {
        theirs.set("ask", key, &json!({"n": 1, "text": "word"})).unwrap();
        theirs.set_index("ask", key, "by", "x").unwrap();
        theirs.add_tag("ask", key, "theirs").unwrap();
        theirs.set("a", key, &1).unwrap();
    }
    theirs.sync(&server.wire()).unwrap();
    decide(&server);
    theirs.sync(&server.wire()).unwrap();
    ours.sync(&server.wire()).unwrap();
    (server, ours, theirs)
}

struct Deciding {
    server: Arc<Server>,
    decides: Arc<AtomicBool>,
}

impl Deref for Deciding {
    type Target = Arc<Server>;
    fn deref(&self) -> &Arc<Server> {
        &self.server
    }
}

fn decide(server: &Deciding) {
    server.decides.store(true, Ordering::SeqCst);
    approve(server);
    server.decides.store(false, Ordering::SeqCst);
}

fn expire(server: &Server, by: &Store, wire: &dyn Wire) {
    for n in 0..30 {
        by.set("a", "filler", &n).unwrap();
        by.sync(wire).unwrap();
    }
    // Longer than the checkpoints hold the log back, and shorter than an approver may take.
    server.environment.advance(Duration::from_secs(2 * 24 * 3600));
    server.prune();
}

fn entries(store: &Store) -> usize {
    store.query("ask").index("n").run().unwrap().len()
}

#[test]
fn what_is_pending_outside_the_filter_can_be_read_behind_a_checkpoint_until_it_is_settled() {
    let fleet = Fleet::new();
    let (server, ours, theirs) = waiting(&fleet);
    ours.declare_search("words", "ask", &["/text"]).unwrap();
    ours.build_search("words", &mut |_| {}).unwrap();
    ours.declare_index("ask", "n", "/n").unwrap();
    ours.build_index("ask", "n", &mut |_| {}).unwrap();
    let patched = ours.update("ask", "1", |value| value["n"] = 100.into()).unwrap().unwrap();
    let tagged = ours.add_tag("ask", "1", "ours").unwrap();
    ours.keep(&filter("a")).unwrap();
    ours.sync(&server.wire()).unwrap();
    let check = |store: &Store| {
        assert_eq!(get(store, "ask", "1"), Some(json!({"n": 100, "text": "word"})));
        assert_eq!(store.tags("ask", "1").unwrap(), ["ours", "theirs"]);
        assert_eq!(store.indexes("ask", "1").unwrap()["by"], "x");
        assert_eq!(get(store, "ask", "2"), None);
        assert_eq!(store.search("words", &SearchQuery::words("word")).unwrap().hits.len(), 1);
        assert_eq!(entries(store), 1);
        assert!(store.pending().unwrap().iter().all(|op| op.state == PendingState::AwaitingApproval));
        let report = store.check().unwrap();
        assert!(report.is_ok(), "{report}");
    };
    check(&ours);
    for _ in 0..2 {
        expire(&server, &theirs, &server.wire());
        let report = ours.sync(&server.wire()).unwrap();
        assert_eq!(report.bootstrapped, Some(BootstrapReason::Expired));
        check(&ours);
    }
    decide(&server);
    ours.sync(&server.wire()).unwrap();
    for op in [patched, tagged] {
        assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    }
    assert!(view(&ours).keys().all(|(collection, _)| collection == "a"), "it goes with its ops");
    assert_eq!((entries(&ours), ours.collections().unwrap()), (0, vec!["a".to_owned()]));
    assert_eq!(server.value("ask", "1"), Some(json!({"n": 100, "text": "word"})));
    let report = ours.check().unwrap();
    assert!(report.is_ok(), "{report}");
}

#[test]
fn a_conflict_outside_the_filter_stays_with_what_is_pending_and_goes_with_it() {
    let fleet = Fleet::new();
    let (server, ours, theirs) = waiting(&fleet);
    theirs.update("ask", "1", |value| value["n"] = 2.into()).unwrap();
    theirs.sync(&server.wire()).unwrap();
    decide(&server);
    let op = ours.update("ask", "1", |value| value["n"] = 100.into()).unwrap().unwrap();
    ours.sync(&server.wire()).unwrap();
    let id = ours.conflicts().unwrap()[0].id;
    ours.keep(&filter("a")).unwrap();
    ours.sync(&server.wire()).unwrap();
    expire(&server, &theirs, &server.wire());
    assert!(ours.sync(&server.wire()).unwrap().bootstrapped.is_some());
    let open: Vec<_> = ours.conflicts().unwrap().iter().map(|conflict| conflict.id).collect();
    assert_eq!((open, get(&ours, "ask", "1").unwrap()["n"].clone()), (vec![id], json!(100)));
    decide(&server);
    // Settled by the entry, and behind it the replica is loaded anew.
    for _ in 0..2 {
        ours.sync(&server.wire()).unwrap();
    }
    assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    assert!(ours.conflicts().unwrap().is_empty() && get(&ours, "ask", "1").is_none());
    assert!(ours.check().unwrap().is_ok());
}

#[test]
fn what_a_restored_log_has_lost_is_no_base_of_what_is_pending_outside_the_filter() {
    for new_epoch in [true, false] {
        let fleet = Fleet::new();
        let (server, ours, theirs) = waiting(&fleet);
        let backup = server.backup();
        theirs.update("ask", "2", |value| value["n"] = 2.into()).unwrap();
        theirs.sync(&server.wire()).unwrap();
        decide(&server);
        theirs.sync(&server.wire()).unwrap();
        ours.sync(&server.wire()).unwrap();
        assert_eq!(get(&ours, "ask", "2").unwrap()["n"], 2);
        for key in ["1", "2"] {
            ours.update("ask", key, |value| value["text"] = "ours".into()).unwrap();
        }
        ours.keep(&filter("a")).unwrap();
        ours.sync(&server.wire()).unwrap();
        server.restore(&backup, new_epoch);
        // The new log grows past what the lost one had.
        for n in 0..5 {
            theirs.set("a", &format!("new{n}"), &n).unwrap();
        }
        theirs.sync(&server.wire()).unwrap();
        let report = ours.sync(&server.wire()).unwrap();
        assert_eq!(report.bootstrapped, Some(BootstrapReason::Rewound), "new epoch: {new_epoch}");
        assert_eq!(get(&ours, "ask", "1"), Some(json!({"n": 1, "text": "ours"})), "new epoch: {new_epoch}");
        // Without an epoch nobody knows how far the log went back: what lies below the checkpoint's place may be in it still.
        if new_epoch {
            assert_eq!(get(&ours, "ask", "2"), None, "it would be read on what is not in the log");
        }
        let report = ours.check().unwrap();
        assert!(report.is_ok(), "{report}");
        decide(&server);
        ours.sync(&server.wire()).unwrap();
        assert_eq!(ours.pending_count().unwrap(), 0);
        let told =
            [("1", 1), ("2", 1)].map(|(key, n)| (server.value("ask", key), Some(json!({"n": n, "text": "ours"}))));
        assert!(told.iter().all(|(found, expected)| found == expected), "{told:?}");
    }
}
