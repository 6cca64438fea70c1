//! Full-text searches that are half built while a replica takes up another filter.

use crate::partial::{assert_whole, filled, filter};
use crate::support::{Call, Fault, FaultyWire, Fleet, Server};
use serde_json::json;
use std::sync::Arc;
use syncstore::{Cancel, Error, SearchQuery, Store};

/// A replica of one filter that was cut off when it had a page of another one.
fn half_loaded(fleet: &Fleet, server: &Arc<Server>, from: &str, to: &str) -> Store {
    let store = fleet.open_with("part", |options| {
        options.keep = Some(filter(from));
        options.checkpoint_items = 4;
    });
    store.sync(&server.wire()).unwrap();
    store.keep(&filter(to)).unwrap();
    let direct = server.wire();
    let mut pages = 0;
    let cut = FaultyWire::new(&direct, |call| {
        pages += usize::from(matches!(call, Call::Checkpoint(_)));
        if pages > 1 { Fault::LoseRequest } else { Fault::None }
    });
    store.sync(&cut).unwrap_err();
    store
}

/// Builds a slice of a search for the texts of a collection.
fn begin_to_build(store: &Store, collection: &str) {
    store.declare_search("s", collection, &["/text"]).unwrap();
    let cancel = Cancel::new();
    let stopped = store.build_search_until("s", &cancel, &mut |_| cancel.cancel());
    assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
}

/// Builds the rest; how many items it finds.
fn found_when_built(store: &Store) -> usize {
    store.build_search("s", &mut |_| {}).unwrap();
    let found = store.search("s", &SearchQuery::words("word").limit(99)).unwrap();
    assert!(found.complete);
    found.hits.len()
}

#[test]
fn what_joins_a_collection_is_in_a_search_that_is_half_built() {
    let fleet = Fleet::new();
    let (server, _) = filled(&fleet);
    let store = half_loaded(&fleet, &server, "a:3", "a");
    begin_to_build(&store, "a");
    store.sync(&server.wire()).unwrap();
    assert_whole(&store, &server, "a");
    assert_eq!(found_when_built(&store), 10);
}

#[test]
fn what_is_pending_in_a_collection_that_is_loaded_is_in_a_search_that_is_half_built() {
    let fleet = Fleet::new();
    let (server, _) = filled(&fleet);
    let store = half_loaded(&fleet, &server, "a", "a,b");
    // Made behind what is being loaded, so that the build comes to it later.
    store.set("b", "pending", &json!({"n": 100, "text": "word"})).unwrap();
    begin_to_build(&store, "b");
    // What is pending has not been sent when the rest is loaded.
    store.pull(&server.wire()).unwrap();
    assert_eq!(store.kept().unwrap().here, filter("a,b"));
    assert_eq!(found_when_built(&store), 11);
}
