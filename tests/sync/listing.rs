//! Listings against a sorted map.

use crate::support::{Fleet, Random, Server};
use serde_json::json;
use std::collections::BTreeMap;
use syncstore::{KeyRange, Store};

const LETTERS: &[&str] = &[
    "",
    "a",
    "b",
    "A",
    "z",
    "~",
    "0",
    "ä",
    "\0",
    "\u{7f}",
    "\u{d7ff}",
    "\u{e000}",
    "漢",
    "\u{ffff}",
    "😀",
    "\u{10ffff}",
    "%",
    "_",
    "'",
];

fn key(random: &mut Random) -> String {
    let mut key = String::new();
    for _ in 0..1 + random.below(4) {
        let letter: &&str = random.pick(LETTERS);
        key.push_str(letter);
    }
    if key.is_empty() { "a".into() } else { key }
}

#[derive(Debug)]
struct Conditions {
    prefix: Option<String>,
    from: Option<String>,
    to: Option<String>,
    after: Option<String>,
    reverse: bool,
    limit: Option<usize>,
}

impl Conditions {
    fn random(random: &mut Random) -> Conditions {
        let mut maybe = |times: u32| {
            let key = key(random);
            random.percent(times).then_some(key)
        };
        let (prefix, from, to, after) = (maybe(40), maybe(40), maybe(40), maybe(40));
        let prefix = prefix.map(|text| text.chars().take(1).collect());
        let limit = random.percent(50).then(|| random.below(6) as usize);
        Conditions { prefix, from, to, after, reverse: random.percent(50), limit }
    }

    fn range(&self) -> KeyRange {
        let mut range = KeyRange::all();
        if let Some(prefix) = &self.prefix {
            range = range.prefix(prefix);
        }
        if let Some(from) = &self.from {
            range = range.from(from);
        }
        if let Some(to) = &self.to {
            range = range.to(to);
        }
        if let Some(after) = &self.after {
            range = range.after(after);
        }
        if self.reverse {
            range = range.reverse();
        }
        if let Some(limit) = self.limit {
            range = range.limit(limit);
        }
        range
    }

    /// What a plain map says, and whether the limit cut it.
    fn expected(&self, model: &BTreeMap<String, u64>) -> (Vec<(String, u64)>, bool) {
        let mut items: Vec<(String, u64)> = model
            .iter()
            .filter(|(key, _)| self.prefix.as_ref().is_none_or(|prefix| key.as_bytes().starts_with(prefix.as_bytes())))
            .filter(|(key, _)| self.from.as_ref().is_none_or(|from| key.as_bytes() >= from.as_bytes()))
            .filter(|(key, _)| self.to.as_ref().is_none_or(|to| key.as_bytes() < to.as_bytes()))
            .filter(|(key, _)| match (&self.after, self.reverse) {
                (None, _) => true,
                (Some(after), false) => key.as_bytes() > after.as_bytes(),
                (Some(after), true) => key.as_bytes() < after.as_bytes(),
            })
            .map(|(key, n)| (key.clone(), *n))
            .collect();
        if self.reverse {
            items.reverse();
        }
        let most = self.limit.unwrap_or(usize::MAX);
        let more = items.len() > most;
        items.truncate(most);
        (items, more)
    }
}

fn check(store: &Store, model: &BTreeMap<String, u64>, random: &mut Random, seed: u64) {
    for _ in 0..200 {
        let conditions = Conditions::random(random);
        let listed = store.list("c", &conditions.range()).unwrap();
        let items: Vec<(String, u64)> = listed.iter().map(|item| (item.key.to_owned(), item.to().unwrap())).collect();
        assert_eq!((items, listed.more()), conditions.expected(model), "seed {seed}: {conditions:?}");
    }
}

#[test]
fn every_combination_of_conditions_lists_what_a_sorted_map_has() {
    for seed in 0..5 {
        let mut random = Random::new(seed);
        let (fleet, server) = (Fleet::seeded(seed), Server::start());
        let (store, other) = (fleet.open("a"), fleet.open("b"));
        let mut model = BTreeMap::new();
        for n in 0..300 {
            let key = key(&mut random);
            if random.percent(20) {
                store.delete("c", &key).unwrap();
                model.remove(&key);
            } else {
                store.set("c", &key, &n).unwrap();
                model.insert(key, n);
            }
            if n == 150 {
                // Half of it confirmed, half of it pending.
                store.sync(&server.wire()).unwrap();
            }
        }
        store.set("another", "a", &0).unwrap();
        check(&store, &model, &mut random, seed);
        store.sync(&server.wire()).unwrap();
        other.sync(&server.wire()).unwrap();
        check(&other, &model, &mut random, seed);
    }
}

#[test]
fn a_listing_resumed_after_each_last_key_has_every_item_once() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let mut random = Random::new(3);
    let mut model = BTreeMap::new();
    for n in 0..200 {
        let key = key(&mut random);
        store.set("c", &key, &n).unwrap();
        model.insert(key, n);
    }
    for reverse in [false, true] {
        for limit in [1, 7, 1_000] {
            let mut seen = Vec::new();
            let mut after: Option<String> = None;
            loop {
                let mut range = KeyRange::all().limit(limit);
                if reverse {
                    range = range.reverse();
                }
                if let Some(after) = &after {
                    range = range.after(after);
                }
                let page = store.list("c", &range).unwrap();
                seen.extend(page.iter().map(|item| item.key.to_owned()));
                if !page.more() {
                    break;
                }
                after = page.last().map(|item| item.key.to_owned());
            }
            let mut expected: Vec<String> = model.keys().cloned().collect();
            if reverse {
                expected.reverse();
            }
            assert_eq!(seen, expected, "reverse {reverse}, limit {limit}");
        }
    }
}

#[test]
fn a_listing_shows_neither_other_collections_nor_what_is_deleted() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.set("c", "gone", &1).unwrap();
    store.set("c", "here", &1).unwrap();
    store.set("d", "other", &1).unwrap();
    store.set("empty", "only", &1).unwrap();
    store.sync(&server.wire()).unwrap();
    store.delete("c", "gone").unwrap();
    store.delete("empty", "only").unwrap();
    let keys = |store: &Store| {
        let listed = store.list("c", &KeyRange::all()).unwrap();
        listed.iter().map(|item| item.key.to_owned()).collect::<Vec<_>>()
    };
    for synced in [false, true] {
        assert_eq!(keys(&store), ["here"], "synced: {synced}");
        assert_eq!(store.collections().unwrap(), ["c", "d"]);
        assert!(store.list("never", &KeyRange::all()).unwrap().is_empty());
        store.sync(&server.wire()).unwrap();
    }
    let item = store.list("c", &KeyRange::all()).unwrap();
    assert_eq!(item.get(0).unwrap().to::<serde_json::Value>().unwrap(), json!(1));
    assert!(item.get(1).is_none());
}
