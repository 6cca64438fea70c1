//! All resources, several users with tags of their own, the real server: each replica ends with what its user may see.

use crate::support::{Fault, FaultyWire, Fleet, Server, despite_losses, run_seeds};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use syncstore::protocol::{CheckpointItem, ClientId};
use syncstore::{Error, KeyRange, Outcome, Store};
use syncstore_server::service::{Caller, CheckpointRequest, Tags};
use syncstore_simulation::Random;

pub const COLLECTIONS: &[&str] = &["open", "careful", "merged"];
pub const TAGS: &[&str] = &["a", "b", "both"];

pub fn callers() -> [Caller; 4] {
    let of = |user: &str, tags: &[&str], grant: &[&str]| Caller {
        user: user.into(),
        tags: Tags::Only(tags.iter().map(|tag| (*tag).to_owned()).collect()),
        grant: grant.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    let root = Caller { user: "root".into(), tags: Tags::All, grant: vec!["both".into()] };
    [root, of("ada", &["a", "both"], &["a"]), of("ada", &["a", "both"], &["a"]), of("bob", &["b", "both"], &["b"])]
}

/// What a caller sees of the server.
pub fn seen(server: &Arc<Server>, caller: &Caller, client: u128) -> BTreeMap<(String, String), CheckpointItem> {
    let mut items = BTreeMap::new();
    let mut page = None;
    loop {
        let request =
            CheckpointRequest { client: ClientId::from_random(client), page, limit: 100, scope: Default::default() };
        let answer =
            server.service(|service| service.checkpoint(crate::support::server::DB, caller, &request)).unwrap();
        items.extend(answer.items.into_iter().map(|item| ((item.collection.clone(), item.key.clone()), item)));
        page = answer.next;
        if page.is_none() {
            return items;
        }
    }
}

/// What the replica does not keep it refuses.
pub fn edit(store: &Store, random: &mut Random, mark: u64) {
    let collection = *random.pick(COLLECTIONS);
    let key = format!("k{}", random.below(4));
    let name = format!("n{}", random.below(2));
    let tag = *random.pick(TAGS);
    let done = match random.below(14) {
        0..=2 => store.set(collection, &key, &json!({"n": mark, "list": []})).map(drop),
        3 => store.update(collection, &key, |value| value["n"] = mark.into()).map(drop),
        4 => store.delete(collection, &key).map(drop),
        5 | 6 => store.set_index(collection, &key, &name, &format!("o{mark}")).map(drop),
        7 => store.delete_index(collection, &key, &name).map(drop),
        8 => {
            let to = format!("k{}", random.below(4));
            store.set_relation(collection, &key, &name, "likes", ("open", to.as_str())).map(drop)
        }
        9 => store.delete_relation(collection, &key, &name).map(drop),
        10 | 11 => store.add_tag(collection, &key, tag).map(drop),
        12 => store.remove_tag(collection, &key, tag).map(drop),
        _ => {
            let mut batch = store.batch();
            let made = batch
                .set(collection, &key, &json!({"n": mark}))
                .and_then(|batch| batch.set_index(collection, &key, &name, "batch"))
                .and_then(|batch| batch.add_tag(collection, &key, tag))
                .map(drop);
            made.and_then(|()| batch.commit().map(drop))
        }
    };
    match done {
        Ok(()) | Err(Error::NotFound { .. } | Error::NotKept { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

pub fn compare(who: &str, store: &Store, seen: &BTreeMap<(String, String), CheckpointItem>) {
    let mut keys = Vec::new();
    for collection in store.collections().unwrap() {
        for item in store.list(&collection, &KeyRange::all()).unwrap().iter() {
            keys.push((collection.clone(), item.key.to_owned()));
            let expected = seen.get(keys.last().unwrap());
            let expected =
                expected.unwrap_or_else(|| panic!("{who} has {:?}, which its user may not see", keys.last()));
            assert_eq!(item.to::<serde_json::Value>().unwrap(), expected.value.to_value().unwrap(), "{who} {keys:?}");
            let (indexes, relations, tags) = (
                store.indexes(&collection, item.key).unwrap(),
                store.relations(&collection, item.key, None).unwrap(),
                store.tags(&collection, item.key).unwrap(),
            );
            assert_eq!(indexes, expected.indexes, "{who} {:?}", keys.last());
            assert_eq!(relations, expected.relations, "{who} {:?}", keys.last());
            assert_eq!(tags, expected.tags, "{who} {:?}", keys.last());
        }
    }
    keys.sort();
    assert_eq!(keys, seen.keys().cloned().collect::<Vec<_>>(), "{who}");
}

#[test]
fn every_replica_ends_with_what_its_user_may_see_of_everything() {
    run_seeds(40, |seed| {
        let mut random = Random::new(seed);
        let (fleet, server) = (Fleet::new(), Server::start());
        let callers = callers();
        let stores: Vec<Store> = (0..callers.len())
            .map(|n| fleet.open_with(&format!("d{n}"), |options| options.pull_entries = 1 + (seed % 5) as u32))
            .collect();
        for mark in 0..120 {
            let at = random.below(stores.len() as u64) as usize;
            if random.percent(75) {
                edit(&stores[at], &mut random, mark);
                continue;
            }
            let wire = server.wire_of(callers[at].clone());
            if random.percent(20) {
                // What was lost is asked again by a later sync.
                let wire = FaultyWire::pushes(&wire, [Fault::LoseAnswer]);
                despite_losses(&format!("seed {seed}, {mark}: d{at}"), stores[at].sync(&wire));
            } else {
                stores[at].sync(&wire).unwrap_or_else(|error| panic!("seed {seed}: d{at}: {error}"));
            }
            let report = stores[at].check().unwrap();
            assert!(report.is_ok(), "seed {seed}: d{at}: {}", report.to_json());
        }
        for _ in 0..3 {
            for (store, caller) in stores.iter().zip(&callers) {
                store.sync(&server.wire_of(caller.clone())).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            }
        }
        for (n, (store, caller)) in stores.iter().zip(&callers).enumerate() {
            let who = format!("seed {seed}: d{n}");
            assert_eq!(store.pending().unwrap(), [], "{who}");
            compare(&who, store, &seen(&server, caller, 0x0b5e_0000 + n as u128));
            let fresh = fleet.open(&format!("fresh{n}"));
            fresh.sync(&server.wire_of(caller.clone())).unwrap();
            compare(&format!("{who}, fresh"), &fresh, &seen(&server, caller, 0x0b5e_0000 + n as u128));
        }
    });
}

#[test]
fn a_removed_tag_whose_answer_was_lost_is_settled_by_the_entry_that_takes_its_item_out_of_sight() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let [_, ada, ..] = callers();
    let (theirs, ours) = (fleet.open("theirs"), fleet.open("ours"));
    theirs.set("open", "k", &1).unwrap();
    theirs.add_tag("open", "k", "a").unwrap();
    theirs.sync(&server.wire()).unwrap();
    let wire = server.wire_of(ada);
    ours.sync(&wire).unwrap();
    let op = ours.remove_tag("open", "k", "a").unwrap();
    ours.push(&FaultyWire::pushes(&wire, [Fault::LoseAnswer])).unwrap_err();
    let report = ours.pull(&wire).unwrap();
    assert_eq!((report.accepted, report.bootstrapped), (1, None));
    assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })));
    assert_eq!((ours.get::<i32>("open", "k").unwrap(), ours.pending_count().unwrap()), (None, 0));
    assert!(ours.check().unwrap().is_ok());
}
