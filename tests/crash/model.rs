//! What must be in the replica, and in the end on the server, by what the store answered.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use syncstore::{KeyRange, Outcome, Ref, Store};

/// A write as the child said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub kind: String,
    pub collection: String,
    pub key: String,
    pub id: u64,
}

impl Write {
    fn parse(words: &mut std::str::SplitWhitespace<'_>) -> Write {
        let mut word = || words.next().unwrap().to_owned();
        Write { kind: word(), collection: word(), key: word(), id: word().parse().unwrap() }
    }
}

/// An append whose fate is known from its op.
#[derive(Clone, Debug)]
struct Append {
    collection: String,
    key: String,
    op: Ref,
}

#[derive(Default)]
pub struct Model {
    appends: BTreeMap<u64, Append>,
    /// Of each key in `own`, the id of its value; `None`: deleted, or never there.
    own: BTreeMap<String, Option<u64>>,
    /// Of each key in `own`, the id of the write that its index entry, relation and tag are of.
    marks: BTreeMap<String, Option<u64>>,
    pair: Option<u64>,
    pub refs: BTreeSet<Ref>,
    /// Said and not answered when the process was killed.
    open: Option<Write>,
    /// Every id that was ever said.
    said: BTreeSet<u64>,
    log: Vec<String>,
}

impl Model {
    /// Takes a line that the child told.
    pub fn hear(&mut self, line: &str) {
        self.log.push(line.to_owned());
        let mut words = line.split_whitespace();
        match words.next() {
            Some("will") => {
                let write = Write::parse(&mut words);
                self.said.insert(write.id);
                self.open = Some(write);
            }
            Some("did") => {
                let write = Write::parse(&mut words);
                assert_eq!(self.open.take().as_ref(), Some(&write));
                let ops: Vec<Ref> = words.map(|word| word.parse().unwrap()).collect();
                for op in &ops {
                    assert!(self.refs.insert(*op), "ref {op} was given twice");
                }
                self.answered(write, &ops);
            }
            Some("not") => self.open = None,
            Some("at" | "ready" | "done") => {}
            _ => panic!("{line}"),
        }
    }

    fn answered(&mut self, write: Write, ops: &[Ref]) {
        match write.kind.as_str() {
            "append" => {
                let op = ops[0];
                self.appends.insert(write.id, Append { collection: write.collection, key: write.key, op });
            }
            "set" | "change" => drop(self.own.insert(write.key, Some(write.id))),
            "delete" => {
                self.own.insert(write.key.clone(), None);
                self.marks.insert(write.key, None);
            }
            "mark" => drop(self.marks.insert(write.key, Some(write.id))),
            "batch" => {
                self.pair = Some(write.id);
                self.appends.insert(write.id, Append { collection: "lists".into(), key: write.key, op: ops[1] });
            }
            other => panic!("{other}"),
        }
    }

    /// The lines of the last child, for a failure's message.
    pub fn last_lines(&self) -> String {
        self.log[self.log.len().saturating_sub(12)..].join("\n")
    }

    /// Compares what the replica shows right after a kill; a write that was not answered is either there or not, and from
    /// now on counts as what it is.
    pub fn check_after_kill(&mut self, store: &Store) {
        for op in &self.refs {
            assert!(store.outcome(*op).unwrap().is_some(), "ref {op} was answered and is not known");
        }
        let open = self.open.take();
        let pair = |key: &str| store.get::<u64>("pairs", key).unwrap();
        let (a, b) = (pair("a"), pair("b"));
        assert_eq!(a, b, "half a batch");
        if let Some(write) = &open {
            match write.kind.as_str() {
                "set" | "change" | "delete" => {
                    let shown = own(store, &write.key);
                    let new = (write.kind != "delete").then_some(write.id);
                    if shown == new {
                        self.own.insert(write.key.clone(), new);
                    }
                    if shown.is_none() {
                        self.marks.insert(write.key.clone(), None);
                    }
                }
                "mark" if marked(store, &write.key) == Some(write.id) => {
                    self.marks.insert(write.key.clone(), Some(write.id));
                }
                "batch" => {
                    let whole = ids(store, "lists", &write.key).is_some_and(|ids| ids.contains(&write.id));
                    assert_eq!(a == Some(write.id), whole, "half a batch");
                    if whole {
                        self.pair = a;
                    }
                }
                _ => {}
            }
        }
        assert_eq!(a, self.pair, "pairs");
        for (key, id) in &self.own {
            assert_eq!(own(store, key), *id, "own {key}");
        }
        for (key, id) in &self.marks {
            assert_eq!(marked(store, key), *id, "marks of {key}");
        }
        self.check_appends(store);
    }

    /// Every append that the server did not refuse is there once, and nothing that nobody appended.
    pub fn check_appends(&self, store: &Store) {
        for collection in ["lists", "prey"] {
            for item in store.list(collection, &KeyRange::all()).unwrap().iter() {
                let ids = ids(store, collection, item.key).unwrap();
                let distinct: BTreeSet<u64> = ids.iter().copied().collect();
                assert_eq!(ids.len(), distinct.len(), "{collection} {}: twice in {ids:?}", item.key);
                let strange = distinct.iter().find(|id| !self.said.contains(id) && **id < crate::peer::FIRST_ID);
                assert_eq!(strange, None, "{collection} {}: never appended", item.key);
            }
        }
        for (id, append) in self.appends.iter().filter(|(_, append)| append.collection == "lists") {
            let there = ids(store, "lists", &append.key).is_some_and(|ids| ids.contains(id));
            assert!(there, "{id} is lost from {append:?}, which is {:?}", fate(store, append.op));
        }
    }

    /// Compares the replica with the model once nothing is pending.
    pub fn check_settled(&self, store: &Store) {
        for op in &self.refs {
            match fate(store, *op) {
                Outcome::Accepted { .. } => {}
                // Only what was patched while the peer had deleted it.
                Outcome::Rejected(rejection) => assert_eq!(rejection.code.as_str(), "not_found", "{op}: {rejection:?}"),
                other => panic!("{op} is {other:?} with nothing pending"),
            }
        }
        for (key, id) in &self.own {
            assert_eq!(own(store, key), *id, "own {key}");
        }
        for (key, id) in &self.marks {
            assert_eq!(marked(store, key), *id, "marks of {key}");
        }
        assert_eq!(store.get::<u64>("pairs", "a").unwrap(), self.pair);
        assert_eq!(store.get::<u64>("pairs", "b").unwrap(), self.pair);
        self.check_appends(store);
    }
}

/// What became of an op, or of the one that it became part of.
pub fn fate(store: &Store, op: Ref) -> Outcome {
    let mut outcome = store.outcome(op).unwrap();
    while let Some(Outcome::FoldedInto(into)) = outcome {
        outcome = store.outcome(into).unwrap();
    }
    outcome.unwrap_or_else(|| panic!("{op} leads to an op that is not known"))
}

fn own(store: &Store, key: &str) -> Option<u64> {
    let value: Option<Value> = store.get("own", key).unwrap();
    value.map(|value| value["id"].as_u64().unwrap())
}

/// The write that the index entry, the relation and the tag of an item are of: the same, or it was done in part.
fn marked(store: &Store, key: &str) -> Option<u64> {
    let index = store.indexes("own", key).unwrap().remove("mark");
    let relations = store.relations("own", key, None).unwrap();
    let id: Option<u64> = index.map(|order| order.parse().unwrap());
    let related: Vec<u64> = relations.iter().map(|one| one.object.key.parse().unwrap()).collect();
    assert_eq!(related, id.into_iter().collect::<Vec<_>>(), "the relations of {key}");
    let tags = store.tags("own", key).unwrap();
    assert_eq!(tags.iter().any(|tag| tag == "odd"), id.is_some_and(|id| id % 2 == 1), "the tags of {key}: {tags:?}");
    id
}

fn ids(store: &Store, collection: &str, key: &str) -> Option<Vec<u64>> {
    let value: Option<Value> = store.get(collection, key).unwrap();
    value.map(|value| value["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect())
}
