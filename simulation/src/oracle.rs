//! The server's log as it should be, kept by somebody who reads every entry as soon as it is there.
//!
//! A model of its own: plain maps and the `json-patch` crate, none of the engine's or the server's code. A server that
//! is restored begins another *lineage* of the log; what a replica holds belongs to one of them.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use syncstore::Ref;
use syncstore::protocol::{BatchId, Change, Entry, EntryOutcome, OpKind, Rev, Seq};

pub type Item = (String, String);

/// An item as it was between two seqs; `None`: there was none.
pub type Version = Option<(Arc<Value>, Rev)>;

/// An entry of the log as far as checks need it.
#[derive(Clone, Debug)]
pub struct Logged {
    pub op_ref: Ref,
    pub item: Item,
    pub kind: OpKind,
    pub payload: Option<Arc<Value>>,
    pub batch: Option<BatchId>,
}

/// One life of the log, from its first entry.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    /// The head that it had in common with the lineage before; entries above it are its own.
    pub restored: Seq,
    /// The first seq of its own, at the least.
    pub start: Seq,
    pub head: Seq,
    pub log: BTreeMap<Seq, Logged>,
    pub accepted: HashMap<Ref, Seq>,
    versions: BTreeMap<Item, Vec<(Seq, Version)>>,
}

impl Lineage {
    /// Another life that begins with this one, as a restored server's does; its own seqs are at least `gap` above.
    pub fn again(self, gap: Seq) -> Lineage {
        Lineage { restored: self.head, start: self.head + gap, ..self }
    }

    /// Takes what a page of the log says, and checks that it can be true.
    pub fn read(&mut self, entries: &[Entry], head: Seq) {
        for entry in entries {
            self.read_entry(entry);
        }
        assert!(head >= self.head, "the log's head went back from {} to {head} unannounced", self.head);
        self.head = head;
    }

    fn read_entry(&mut self, entry: &Entry) {
        let seq = entry.seq;
        assert!(entry.outcome == EntryOutcome::Accepted, "somebody else's rejection is in the log: {entry:?}");
        assert!(seq > self.head, "entry {seq} came after the head was {}", self.head);
        let (collection, key) = entry.item().expect("an accepted entry names its item");
        let item = (collection.to_owned(), key.to_owned());
        let before = self.now(&item).cloned();
        let rev_before = before.as_ref().map_or(0, |(_, rev)| *rev);
        let change = entry.change().expect("an accepted entry has a change");
        let (after, payload) = match change {
            Change::Set(value) => {
                let value = Arc::new(value.to_value().expect("JSON"));
                (Some(Arc::clone(&value)), Some(value))
            }
            Change::Patch(patch) => {
                let patch = patch.to_value().expect("JSON");
                let (value, _) = before.unwrap_or_else(|| panic!("entry {seq} patches {item:?}, which is not there"));
                let patched = apply(&value, &patch)
                    .unwrap_or_else(|error| panic!("entry {seq} has a patch that does not apply: {error}"));
                (Some(Arc::new(patched)), Some(Arc::new(patch)))
            }
            Change::Delete => (None, None),
            other => panic!("entry {seq} does {other:?}"),
        };
        assert_eq!(entry.from, Some(rev_before), "entry {seq} says that it follows another rev of {item:?}");
        let kind = entry.kind.expect("an accepted entry has a kind");
        if kind != OpKind::Delete {
            assert_eq!(entry.rev, Some(seq), "the rev of an item is its entry's seq");
        }
        let twice = self.accepted.insert(entry.op_ref, seq);
        assert_eq!(twice, None, "{} was applied twice, at {twice:?} and {seq}", entry.op_ref);
        let version = after.map(|value| (value, seq));
        self.versions.entry(item.clone()).or_default().push((seq, version));
        self.log.insert(seq, Logged { op_ref: entry.op_ref, item, kind, payload, batch: entry.batch });
        self.head = seq;
    }

    fn now(&self, item: &Item) -> Option<&(Arc<Value>, Rev)> {
        self.versions.get(item)?.last()?.1.as_ref()
    }

    /// An item right after `seq`.
    pub fn at(&self, item: &Item, seq: Seq) -> Option<&(Arc<Value>, Rev)> {
        let versions = self.versions.get(item)?;
        let later = versions.partition_point(|(at, _)| *at <= seq);
        versions.get(later.checked_sub(1)?)?.1.as_ref()
    }

    /// Every item right after `seq`.
    pub fn all_at(&self, seq: Seq) -> BTreeMap<&Item, (&Value, Rev)> {
        let items = self.versions.keys().filter_map(|item| {
            let (value, rev) = self.at(item, seq)?;
            Some((item, (&**value, *rev)))
        });
        items.collect()
    }

    /// Entries of an item above one seq and below another, oldest first, back to the last delete.
    pub fn present_life(&self, item: &Item, above: Seq, below: Seq) -> Vec<(Seq, &Logged)> {
        let mut life = Vec::new();
        for (seq, logged) in self.log.range(..below).rev().filter(|(_, logged)| logged.item == *item) {
            if *seq <= above || logged.kind == OpKind::Delete {
                break;
            }
            life.push((*seq, logged));
        }
        life
    }

    /// Whether a reader may stand there: not between two entries of one batch.
    pub fn cuts_batch(&self, position: Seq) -> bool {
        let before = self.log.range(..=position).next_back();
        let after = self.log.range(position + 1..).next();
        match (before, after) {
            (Some((_, before)), Some((_, after))) => before.batch.is_some() && before.batch == after.batch,
            _ => false,
        }
    }

    /// Whether a replica at that position may be a reader of this lineage.
    pub fn may_hold(&self, position: Seq) -> bool {
        position <= self.head && (position <= self.restored || position >= self.start)
    }
}

/// Applies an RFC 6902 patch to a copy.
pub fn apply(value: &Value, patch: &Value) -> Result<Value, String> {
    let patch: json_patch::Patch = serde_json::from_value(patch.clone()).map_err(|error| error.to_string())?;
    let mut patched = value.clone();
    json_patch::patch(&mut patched, &patch).map_err(|error| error.to_string())?;
    Ok(patched)
}
