//! Replicas beside callers without one: what these write arrives everywhere, and what they read is what replicas have.

use crate::support::server::DB;
use crate::support::{Fleet, Server, run_seeds};
use crate::visibility::{COLLECTIONS, TAGS, callers, compare, edit, seen};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use syncstore::protocol::{BatchRequest, CheckpointItem, DataOp, Json, ListedItem, Object, OpKind};
use syncstore::{BootstrapReason, Store, SyncError};
use syncstore_server::service::{
    Caller, CollectionsRequest, Conditions, Expected, ListRequest, ServiceError, WriteRequest,
};
use syncstore_simulation::Random;

fn op(random: &mut Random, mark: u64) -> DataOp {
    let collection = *random.pick(COLLECTIONS);
    let key = format!("k{}", random.below(4));
    let name = Some(format!("n{}", random.below(2)));
    let set = DataOp::new(OpKind::Set, collection, key.as_str());
    let delete = DataOp::new(OpKind::Delete, collection, key.as_str());
    let tag = Some((*random.pick(TAGS)).to_owned());
    let json = |value: serde_json::Value| Some(Json::from_value(&value));
    match random.below(11) {
        0..=2 => DataOp { value: json(json!({"n": mark, "list": []})), ..set },
        3 => {
            let patch = json(json!([{"op": "add", "path": "/m", "value": mark}]));
            DataOp { patch, kind: OpKind::Patch, ..set }
        }
        4 => delete,
        5 => DataOp { index: name, order: Some(format!("o{mark}")), ..set },
        6 => DataOp { index: name, ..delete },
        7 => {
            let object = Some(Object { collection: "open".into(), key: "k1".into() });
            DataOp { relation: name, predicate: Some("likes".into()), object, ..set }
        }
        8 => DataOp { relation: name, ..delete },
        9 => DataOp { tag, ..set },
        _ => DataOp { tag, ..delete },
    }
}

fn refused(error: &ServiceError) -> bool {
    use ServiceError::{BatchFailed, Rejected, Unmet};
    matches!(error, Rejected(_) | BatchFailed { .. } | Unmet { .. })
}

fn write(server: &Arc<Server>, caller: &Caller, random: &mut Random, mark: u64) {
    let done = server.service(|service| {
        if random.percent(25) {
            let ops = (0..1 + random.below(3)).map(|_| op(random, mark)).collect();
            return service.batch(DB, caller, BatchRequest { ops }).map(drop);
        }
        let op = op(random, mark);
        let mut conditions = Conditions::default();
        if random.percent(60)
            && let Ok(item) = service.item(DB, caller, &op.collection, &op.key)
        {
            conditions.matching = Some(Expected::Revs(vec![item.rev]));
        }
        service.write(DB, caller, WriteRequest { op, conditions }).map(drop)
    });
    match done {
        Ok(()) => {}
        Err(error) if refused(&error) => {}
        Err(error) => panic!("{error}"),
    }
}

fn list(server: &Arc<Server>, caller: &Caller, mut request: ListRequest) -> Vec<ListedItem> {
    let mut items = Vec::new();
    loop {
        let page = server.service(|service| service.list(DB, caller, &request)).unwrap();
        items.extend(page.items);
        request.after = page.next;
        if request.after.is_none() {
            return items;
        }
    }
}

/// What a caller reads is what it sees.
fn read(who: &str, server: &Arc<Server>, caller: &Caller, seen: &BTreeMap<(String, String), CheckpointItem>) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (collection, _) in seen.keys() {
        *counts.entry(collection).or_default() += 1;
    }
    let page =
        server.service(|service| service.collections(DB, caller, &CollectionsRequest { after: None, limit: 10 }));
    let page = page.unwrap();
    let told: Vec<_> = page.collections.iter().map(|found| (found.name.as_str(), found.items)).collect();
    assert_eq!(told, counts.into_iter().collect::<Vec<_>>(), "{who}");
    for collection in COLLECTIONS {
        let of: Vec<&CheckpointItem> = seen.values().filter(|item| item.collection == *collection).collect();
        for reverse in [false, true] {
            for index in [None, Some("n0"), Some("n1")] {
                let sorted = |item: &CheckpointItem| index.map(|index| item.indexes.get(index).cloned());
                let mut expected: Vec<_> = of
                    .iter()
                    .filter(|item| sorted(item) != Some(None))
                    .map(|item| (sorted(item), &item.key, item.rev))
                    .collect();
                expected.sort();
                if reverse {
                    expected.reverse();
                }
                let index = index.map(str::to_owned);
                let request = ListRequest {
                    collection: (*collection).to_owned(),
                    index,
                    reverse,
                    limit: 2,
                    ..ListRequest::default()
                };
                let items = list(server, caller, request);
                let found: Vec<_> =
                    items.iter().map(|item| (item.order.clone().map(Some), &item.key, item.rev)).collect();
                assert_eq!(found, expected, "{who} {collection}");
            }
        }
        for number in 0..4 {
            let key = format!("k{number}");
            let found = server.service(|service| service.item(DB, caller, collection, &key));
            match (found, seen.get(&((*collection).to_owned(), key.clone()))) {
                (Ok(found), Some(expected)) => {
                    assert_eq!((found.rev, &found.indexes), (expected.rev, &expected.indexes), "{who} {key}");
                    assert_eq!((&found.relations, &found.tags), (&expected.relations, &expected.tags), "{who} {key}");
                    assert!(found.value.same_value(&expected.value), "{who} {key}");
                }
                (Err(ServiceError::NotFound), None) => {}
                (found, expected) => panic!("{who}: {found:?} for {expected:?}"),
            }
        }
    }
}

/// Syncs, by the log alone.
fn sync(store: &Store, server: &Arc<Server>, caller: &Caller) -> Result<(), SyncError> {
    let report = store.sync(&server.wire_of(caller.clone()))?;
    assert!(matches!(report.bootstrapped, None | Some(BootstrapReason::Fresh)), "{report:?}");
    Ok(())
}

#[test]
fn replicas_end_with_what_callers_without_one_write_and_these_read_what_replicas_have() {
    run_seeds(12, |seed| {
        let mut random = Random::new(0xda7a_0000 + seed);
        let (fleet, server) = (Fleet::new(), Server::start());
        let callers = callers();
        let stores: Vec<Store> = (0..callers.len()).map(|n| fleet.open(&format!("d{n}"))).collect();
        for mark in 0..150 {
            let at = random.below(stores.len() as u64) as usize;
            match random.below(10) {
                0..=5 => write(&server, &callers[at], &mut random, mark),
                6..=7 => edit(&stores[at], &mut random, mark),
                _ => sync(&stores[at], &server, &callers[at])
                    .unwrap_or_else(|error| panic!("seed {seed}: d{at}: {error}")),
            }
        }
        for _ in 0..3 {
            for (store, caller) in stores.iter().zip(&callers) {
                sync(store, &server, caller).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            }
        }
        for (n, (store, caller)) in stores.iter().zip(&callers).enumerate() {
            let who = format!("seed {seed}: d{n}");
            let seen = seen(&server, caller, 0x0b5e_0000 + n as u128);
            compare(&who, store, &seen);
            read(&who, &server, caller, &seen);
        }
    });
}
