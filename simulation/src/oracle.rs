//! The server's log as it should be, kept by somebody who reads every entry as soon as it is there.
//!
//! A model of its own: plain maps and the `json-patch` crate, none of the engine's or the server's code. A server that
//! is restored begins another *lineage* of the log; what a replica holds belongs to one of them.

use crate::residue::Seen;
use crate::rights::Sight;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use syncstore::protocol::{BatchId, Change, Entry, EntryOutcome, Object, OpKind, Rev, Seq};
use syncstore::{Filter, Ref, Relation, ResourceName};

pub type Item = (String, String);

/// What an index entry, a relation or a tag is set to: the ordering key, the predicate, or nothing; and where a
/// relation leads.
pub type Content = (String, Option<Item>);

pub type Resources = BTreeMap<ResourceName, Content>;

/// An item with all that it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    pub value: Arc<Value>,
    pub resources: Resources,
}

impl Whole {
    /// In bytewise order.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.resources.keys().filter_map(|resource| match resource {
            ResourceName::Tag(tag) => Some(tag.as_str()),
            _ => None,
        })
    }
}

/// An item as it was between two seqs; `None`: there was none.
pub type Version = Option<(Arc<Whole>, Rev)>;

/// An entry of the log as far as checks need it.
#[derive(Clone, Debug)]
pub struct Logged {
    pub op_ref: Ref,
    pub item: Item,
    pub kind: OpKind,
    pub resource: ResourceName,
    /// The value or the patch.
    pub payload: Option<Arc<Value>>,
    /// What another resource is set to.
    pub content: Option<Content>,
    pub batch: Option<BatchId>,
}

impl Logged {
    /// Whether it is a delete of the item itself.
    pub fn ends_item(&self) -> bool {
        self.kind == OpKind::Delete && self.resource == ResourceName::Value
    }
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
        let resource = change.resource().to_name();
        let content = content_of(&change);
        let there = || before.clone().unwrap_or_else(|| panic!("entry {seq} is on {item:?}, which is not there")).0;
        let (after, payload) = match change {
            Change::Set(value) => {
                let value = Arc::new(value.to_value().expect("JSON"));
                let mut resources = before.as_ref().map(|(whole, _)| whole.resources.clone()).unwrap_or_default();
                if entry.full {
                    assert!(before.is_none(), "entry {seq} is full to a reader who saw {item:?} before");
                    resources = resources_of_entry(entry);
                }
                (Some(Whole { value: Arc::clone(&value), resources }), Some(value))
            }
            Change::Patch(patch) => {
                let patch = patch.to_value().expect("JSON");
                let before = there();
                let patched = apply(&before.value, &patch)
                    .unwrap_or_else(|error| panic!("entry {seq} has a patch that does not apply: {error}"));
                (Some(Whole { value: Arc::new(patched), ..(*before).clone() }), Some(Arc::new(patch)))
            }
            Change::Delete => (None, None),
            _ => {
                let mut whole = (*there()).clone();
                match &content {
                    Some(content) => drop(whole.resources.insert(resource.clone(), content.clone())),
                    None => {
                        let removed = whole.resources.remove(&resource);
                        assert!(removed.is_some(), "entry {seq} removes {resource:?} of {item:?}, which has none");
                    }
                }
                (Some(whole), None)
            }
        };
        assert_eq!(
            entry.from.filter(|_| !entry.full),
            (!entry.full).then_some(rev_before),
            "entry {seq} says that it follows another rev of {item:?}"
        );
        let kind = entry.kind.expect("an accepted entry has a kind");
        assert_eq!(entry.rev, Some(seq), "the rev of an item is its entry's seq");
        let twice = self.accepted.insert(entry.op_ref, seq);
        assert_eq!(twice, None, "{} was applied twice, at {twice:?} and {seq}", entry.op_ref);
        let version = after.map(|whole| (Arc::new(whole), seq));
        self.versions.entry(item.clone()).or_default().push((seq, version));
        let logged = Logged { op_ref: entry.op_ref, item, kind, resource, payload, content, batch: entry.batch };
        self.log.insert(seq, logged);
        self.head = seq;
    }

    fn now(&self, item: &Item) -> Option<&(Arc<Whole>, Rev)> {
        self.versions.get(item)?.last()?.1.as_ref()
    }

    /// An item right after `seq`.
    pub fn at(&self, item: &Item, seq: Seq) -> Option<&(Arc<Whole>, Rev)> {
        let versions = self.versions.get(item)?;
        let later = versions.partition_point(|(at, _)| *at <= seq);
        versions.get(later.checked_sub(1)?)?.1.as_ref()
    }

    /// Every item of a filter right after `seq`, as far as it is seen.
    pub fn all_at(&self, seq: Seq, sight: &Sight, filter: &Filter) -> BTreeMap<&Item, (&Whole, Rev)> {
        let items = self.versions.keys().filter(|(collection, key)| filter.has(collection, key)).filter_map(|item| {
            let (whole, rev) = self.at(item, seq)?;
            sight.sees(whole).then_some((item, (&**whole, *rev)))
        });
        items.collect()
    }

    /// Entries of an item above one seq and below another, latest first, back to the last delete.
    pub fn present_life(&self, item: &Item, above: Seq, below: Seq) -> Vec<(Seq, &Logged)> {
        let mut life = Vec::new();
        for (seq, logged) in self.log.range(..below).rev().filter(|(_, logged)| logged.item == *item) {
            if *seq <= above || logged.ends_item() {
                break;
            }
            life.push((*seq, logged));
        }
        life
    }

    /// The last delete of an item below a seq.
    pub fn ended(&self, item: &Item, below: Seq) -> Option<(Seq, &Logged)> {
        let mut ends = self.log.range(..below).rev().filter(|(_, logged)| logged.item == *item && logged.ends_item());
        ends.next().map(|(seq, logged)| (*seq, logged))
    }

    /// The marks of all that an item ever was, as far as a reader saw it by one of `sights` while it had that.
    pub fn marks_of(&self, item: &Item, sights: &[Seen]) -> HashSet<u64> {
        marks_seen(self.versions_of(item), sights)
    }

    /// The same of what it was before its last delete.
    pub fn marks_before(&self, item: &Item, sights: &[Seen]) -> HashSet<u64> {
        let versions = self.versions_of(item);
        let ended = versions.iter().rposition(|(_, version)| version.is_none()).unwrap_or(0);
        marks_seen(&versions[..ended], sights)
    }

    fn versions_of(&self, item: &Item) -> &[(Seq, Version)] {
        self.versions.get(item).map_or(&[], Vec::as_slice)
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

/// Whether a restored server has lost a place of the log: the seqs of each life lie above all that those before it had.
pub fn is_lost(lineages: &[Lineage], seq: Seq) -> bool {
    let mut last = 0;
    lineages.iter().any(|lineage| {
        let before = last;
        last = before.max(lineage.head);
        lineage.restored < seq && seq <= before
    })
}

fn marks_seen(versions: &[(Seq, Version)], sights: &[Seen]) -> HashSet<u64> {
    let wholes = versions.iter().filter_map(|(seq, version)| Some((seq, &version.as_ref()?.0)));
    let seen = wholes.filter(|(seq, whole)| {
        sights.iter().any(|sight| sight.until.is_none_or(|until| **seq <= until) && sight.by.sees(whole))
    });
    seen.flat_map(|(_, whole)| whole.marks()).collect()
}

fn place(object: &Object) -> Item {
    (object.collection.clone(), object.key.clone())
}

/// What a set of an index entry, a relation or a tag sets it to.
pub fn content_of(change: &Change<'_>) -> Option<Content> {
    match change {
        Change::SetIndex { order, .. } => Some(((*order).to_owned(), None)),
        Change::SetRelation { predicate, object, .. } => Some(((*predicate).to_owned(), Some(place(object)))),
        Change::AddTag(_) => Some((String::new(), None)),
        _ => None,
    }
}

/// All that an item has beside its value, from how messages say it.
pub fn resources_of(indexes: &BTreeMap<String, String>, relations: &[Relation], tags: &[String]) -> Resources {
    let mut resources = Resources::new();
    for (name, order) in indexes {
        resources.insert(ResourceName::Index(name.clone()), (order.clone(), None));
    }
    for Relation { id, predicate, object } in relations {
        resources.insert(ResourceName::Relation(id.clone()), (predicate.clone(), Some(place(object))));
    }
    resources.extend(tags.iter().map(|tag| (ResourceName::Tag(tag.clone()), (String::new(), None))));
    resources
}

/// Those of a full entry.
pub fn resources_of_entry(entry: &Entry) -> Resources {
    resources_of(&entry.indexes, &entry.relations, &entry.tags)
}

/// Applies an RFC 6902 patch to a copy.
pub fn apply(value: &Value, patch: &Value) -> Result<Value, String> {
    let patch: json_patch::Patch = serde_json::from_value(patch.clone()).map_err(|error| error.to_string())?;
    let mut patched = value.clone();
    json_patch::patch(&mut patched, &patch).map_err(|error| error.to_string())?;
    Ok(patched)
}
