//! Less is wanted while a sync is under way, which looked at the list when it began.

use crate::partial::{assert_whole, filled, filter};
use crate::support::{Call, Fault, FaultyWire, Fleet, Server};
use crate::visibility::{compare, seen};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use syncstore::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, PullRequest, Wire, WireError};
use syncstore_server::service::{Caller, Tags};

#[test]
fn what_a_full_replica_is_to_keep_less_of_while_it_pulls_is_not_loaded_again() {
    // While it pulls the log, and while it loads its first checkpoint.
    for fresh in [false, true] {
        let fleet = Fleet::new();
        let (server, full) = filled(&fleet);
        let store = fleet.open("part");
        if !fresh {
            store.sync(&server.wire()).unwrap();
        }
        full.set("a", "1", &"changed").unwrap();
        full.sync(&server.wire()).unwrap();
        let direct = server.wire();
        let wire = FaultyWire::new(&direct, |call| {
            let now = if fresh { matches!(call, Call::Checkpoint(_)) } else { matches!(call, Call::Pull(_)) };
            if now {
                store.keep(&filter("a,b:3")).unwrap();
            }
            Fault::None
        });
        let report = store.sync(&wire).unwrap();
        assert_eq!((report.loaded, report.removed), (if fresh { 30 } else { 0 }, 19), "fresh: {fresh}");
        assert_whole(&store, &server, "a,b:3");
        for call in wire.calls() {
            if let Call::Checkpoint(request) = call
                && !request.scope.filter.is_everything()
            {
                assert_eq!(request.scope.have, Some(filter("a,b:3")), "fresh: {fresh}");
            }
        }
        assert!(store.check().unwrap().is_ok());
    }
}

/// A wire of a user who may see less from some moment on.
struct Revoked<'a> {
    before: &'a dyn Wire,
    after: &'a dyn Wire,
    is_revoked: AtomicBool,
}

impl Revoked<'_> {
    fn now(&self) -> &dyn Wire {
        if self.is_revoked.load(Ordering::SeqCst) { self.after } else { self.before }
    }
}

impl Wire for Revoked<'_> {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.now().info()
    }
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.now().push(request)
    }
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        self.now().pull(request)
    }
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.now().checkpoint(request)
    }
}

/// Found by the simulation: the rights changed between two pages of what was loaded in addition, which was all that is kept.
#[test]
fn nothing_revoked_remains_whenever_in_a_sync_less_is_wanted_and_less_may_be_seen() {
    let of = |tags: &[&str]| Caller {
        user: "ada".into(),
        tags: Tags::Only(tags.iter().map(|tag| (*tag).to_owned()).collect()),
        grant: Vec::new(),
    };
    let (fleet, server) = (Fleet::new(), Server::start());
    let full = fleet.open("full");
    for key in 0..8 {
        let key = format!("k{key}");
        full.set("c", &key, &json!({"n": 1})).unwrap();
        full.add_tag("c", &key, if key.as_str() < "k4" { "a" } else { "b" }).unwrap();
    }
    full.sync(&server.wire()).unwrap();
    let (before, after) = (server.wire_of(of(&["a", "b"])), server.wire_of(of(&["a"])));
    let expected = seen(&server, &of(&["a"]), 0x0b5e);
    assert_eq!(expected.len(), 4);
    for (narrowed_at, revoked_at) in (0..8).flat_map(|first| (0..12).map(move |second| (first, second))) {
        let who = format!("narrowed at {narrowed_at}, revoked at {revoked_at}");
        let store = fleet.open_with(&who, |options| options.checkpoint_items = 2);
        store.sync(&before).unwrap();
        let changing = Revoked { before: &before, after: &after, is_revoked: AtomicBool::new(false) };
        let mut calls = 0;
        let wire = FaultyWire::new(&changing, |_| {
            if calls == narrowed_at {
                store.keep(&filter("c")).unwrap();
            }
            changing.is_revoked.fetch_or(calls == revoked_at, Ordering::SeqCst);
            calls += 1;
            Fault::None
        });
        store.sync(&wire).unwrap_or_else(|error| panic!("{who}: {error}"));
        assert!(store.check().unwrap().is_ok(), "{who}");
        store.sync(&after).unwrap_or_else(|error| panic!("{who}: {error}"));
        compare(&who, &store, &expected);
    }
}
