//! What a server and its replicas should have, in plain maps: no files, no protocol, none of the code that it is compared
//! with.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use syncstore::{Code, ResourceName};

pub type Item = (&'static str, u8);

/// Collections: the first takes what comes, the second refuses what is stale.
pub const COLLECTIONS: [&str; 2] = ["open", "careful"];

/// What a resource is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// The ordering key of an index entry.
    Order(String),
    /// The predicate of a relation, and the collection and the key that it leads to.
    Link(String, (String, String)),
    Tag,
}

pub type Resources = BTreeMap<ResourceName, Content>;

#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    pub value: Value,
    pub resources: Resources,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Set(Value),
    /// RFC 6902.
    Patch(Vec<Value>),
    Delete,
    Put(ResourceName, Content),
    Remove(ResourceName),
}

impl Change {
    fn resource(&self) -> ResourceName {
        match self {
            Change::Put(resource, _) | Change::Remove(resource) => resource.clone(),
            _ => ResourceName::Value,
        }
    }

    fn tag(&self) -> Option<String> {
        match self.resource() {
            ResourceName::Tag(tag) => Some(tag),
            _ => None,
        }
    }

    /// Takes effect on an item, if it applies.
    fn apply(&self, item: &mut Option<Whole>) -> Result<(), Code> {
        match (self, item.as_mut()) {
            (Change::Set(value), Some(whole)) => whole.value = value.clone(),
            (Change::Set(value), None) => *item = Some(Whole { value: value.clone(), resources: Resources::new() }),
            (Change::Delete, _) => *item = None,
            (Change::Remove(resource), Some(whole)) => drop(whole.resources.remove(resource)),
            (Change::Remove(_), None) => {}
            (_, None) => return Err(Code::NOT_FOUND),
            (Change::Put(resource, content), Some(whole)) => {
                whole.resources.insert(resource.clone(), content.clone());
            }
            (Change::Patch(patch), Some(whole)) => {
                let patch: json_patch::Patch = serde_json::from_value(json!(patch)).unwrap();
                let mut value = whole.value.clone();
                json_patch::patch(&mut value, &patch).map_err(|_| Code::PATCH_FAILED)?;
                whole.value = value;
            }
        }
        Ok(())
    }
}

/// What a user sees and assigns; `None`: everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    pub tags: Option<BTreeSet<String>>,
    pub grant: BTreeSet<String>,
}

impl Rights {
    fn owns(&self, tag: &str) -> bool {
        self.tags.as_ref().is_none_or(|tags| tags.contains(tag))
    }

    pub fn sees(&self, whole: &Whole) -> bool {
        let owns = |resource: &ResourceName| matches!(resource, ResourceName::Tag(tag) if self.owns(tag));
        self.tags.is_none() || whole.resources.keys().any(owns)
    }
}

#[derive(Clone, Debug)]
struct Stored {
    whole: Whole,
    rev: u64,
    /// Who changed it when, in its present life.
    changes: Vec<(u64, usize)>,
}

#[derive(Clone, Default)]
pub struct Server {
    items: BTreeMap<Item, Stored>,
    /// When the last life of an item ended, and by whom.
    ended: BTreeMap<Item, (u64, usize)>,
    seq: u64,
}

impl Server {
    pub fn seen_by(&self, rights: &Rights) -> BTreeMap<Item, (Whole, u64)> {
        let seen = self.items.iter().filter(|(_, stored)| rights.sees(&stored.whole));
        seen.map(|(item, stored)| (*item, (stored.whole.clone(), stored.rev))).collect()
    }

    fn is_behind(&self, client: usize, item: &Item, base: u64) -> bool {
        let others = |at: u64, who: usize| who != client && at > base;
        match (self.items.get(item), self.ended.get(item)) {
            (Some(stored), _) => stored.changes.iter().any(|(at, who)| others(*at, *who)),
            (None, _) if base == 0 => false,
            (None, Some((at, who))) => others(*at, *who),
            (None, None) => true,
        }
    }

    fn decide(&mut self, client: usize, rights: &Rights, op: &Queued) -> Result<(), Code> {
        let change = &op.change;
        let makes = matches!(change, Change::Set(_));
        let there = self.items.get(&op.item);
        if let Some(stored) = there {
            if !rights.sees(&stored.whole) {
                return Err(if makes { Code::FORBIDDEN } else { Code::NOT_FOUND });
            }
            if change.tag().is_some_and(|tag| !rights.owns(&tag)) {
                return Err(Code::FORBIDDEN);
            }
        }
        let without_effect = match (change, there) {
            (Change::Delete | Change::Remove(_), None) => true,
            (Change::Remove(resource), Some(stored)) => !stored.whole.resources.contains_key(resource),
            (Change::Patch(_) | Change::Put(..), None) => return Err(Code::NOT_FOUND),
            _ => false,
        };
        if without_effect {
            return Ok(());
        }
        if op.item.0 == "careful" && self.is_behind(client, &op.item, op.base) {
            return Err(Code::STALE);
        }
        let mut whole = there.map(|stored| stored.whole.clone());
        let mut changes = there.map(|stored| stored.changes.clone()).unwrap_or_default();
        let new = whole.is_none();
        change.apply(&mut whole)?;
        self.seq += 1;
        changes.push((self.seq, client));
        match whole {
            None => {
                self.items.remove(&op.item);
                self.ended.insert(op.item, (self.seq, client));
            }
            Some(mut whole) => {
                if new {
                    let granted = rights.grant.iter().map(|tag| (ResourceName::Tag(tag.clone()), Content::Tag));
                    whole.resources.extend(granted);
                }
                self.items.insert(op.item, Stored { whole, rev: self.seq, changes });
            }
        }
        Ok(())
    }

    /// All or none.
    fn decide_batch(&mut self, client: usize, rights: &Rights, ops: &[Queued]) -> Vec<Result<(), Code>> {
        let before = self.clone();
        let (mut faults, mut failed) = (BTreeMap::new(), BTreeSet::new());
        for (n, op) in ops.iter().enumerate().filter(|(_, op)| op.batch.is_some()) {
            // What follows a faulty one on its item is not judged.
            if !failed.contains(&op.item)
                && let Err(code) = self.decide(client, rights, op)
            {
                failed.insert(op.item);
                faults.insert(n, code);
            }
        }
        if faults.is_empty() {
            return vec![Ok(()); ops.len()];
        }
        *self = before;
        (0..ops.len()).map(|n| Err(faults.remove(&n).unwrap_or(Code::BATCH_FAILED))).collect()
    }
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    Waits,
    Accepted,
    Rejected(Code),
    Folded,
}

#[derive(Clone, Debug)]
pub struct Queued {
    item: Item,
    change: Change,
    base: u64,
    batch: Option<usize>,
    sent: bool,
    answer: Option<Result<(), Code>>,
    /// Which write of the replica it is.
    write: usize,
}

/// One replica, and the user whose it is.
pub struct Replica {
    pub client: usize,
    pub folds: bool,
    base: BTreeMap<Item, (Whole, u64)>,
    queue: Vec<Queued>,
    pub fates: Vec<Fate>,
    batches: usize,
    /// With which rights it has last pulled.
    pub pulled_as: Option<Rights>,
}

impl Replica {
    pub fn new(client: usize, folds: bool) -> Replica {
        let (base, queue, fates) = (BTreeMap::new(), Vec::new(), Vec::new());
        Replica { client, folds, base, queue, fates, batches: 0, pulled_as: None }
    }

    pub fn waits(&self) -> usize {
        self.queue.len()
    }

    /// What its host reads, and whether each queued op applies.
    fn read(&self) -> (BTreeMap<Item, Whole>, Vec<bool>) {
        let mut view: BTreeMap<Item, Whole> =
            self.base.iter().map(|(item, (whole, _))| (*item, whole.clone())).collect();
        let mut applies = Vec::new();
        for op in &self.queue {
            let mut item = view.remove(&op.item);
            applies.push(op.change.apply(&mut item).is_ok());
            view.extend(item.map(|whole| (op.item, whole)));
        }
        (view, applies)
    }

    pub fn view(&self) -> BTreeMap<Item, Whole> {
        self.read().0
    }

    /// Whether the server has confirmed an item, as far as the replica knows, and how many ops on it wait.
    pub fn stands(&self, item: &Item) -> (bool, usize) {
        (self.base.contains_key(item), self.queue.iter().filter(|op| op.item == *item).count())
    }

    /// Writes, alone or as a batch; the code with which the store itself refuses.
    pub fn write(&mut self, ops: &[(Item, Change)], batch: bool) -> Result<(), Code> {
        let (queued, fates) = (self.queue.clone(), self.fates.clone());
        let number = batch.then_some(self.batches);
        self.batches += 1;
        for (item, change) in ops {
            let (mut view, applies) = self.read();
            let mut whole = view.remove(item);
            if let Err(code) = change.apply(&mut whole) {
                (self.queue, self.fates) = (queued, fates);
                return Err(code);
            }
            let last = self.queue.iter().rposition(|op| op.item == *item);
            let folded = last.filter(|_| self.folds && !batch).and_then(|last| {
                let op = &self.queue[last];
                let open = !op.sent && op.batch.is_none() && applies[last];
                open.then(|| fold(&op.change, change, whole.as_ref())).flatten().map(|change| (last, change))
            });
            if let Some((last, change)) = folded {
                self.queue[last].change = change;
                self.fates.push(Fate::Folded);
                continue;
            }
            let base = self.base.get(item).map_or(0, |(_, rev)| *rev);
            let (change, write) = (change.clone(), self.fates.len());
            self.queue.push(Queued { item: *item, change, base, batch: number, sent: false, answer: None, write });
            self.fates.push(Fate::Waits);
        }
        Ok(())
    }

    pub fn push(&mut self, server: &mut Server, rights: &Rights) {
        let refused = |op: &&Queued| matches!(op.answer, Some(Err(_)));
        let mut held: HashSet<Item> = self.queue.iter().filter(refused).map(|op| op.item).collect();
        // What waits behind a rejection that is not settled is not sent.
        for group in groups(&self.queue) {
            if group.clone().any(|n| self.queue[n].answer.is_none() && held.contains(&self.queue[n].item)) {
                held.extend(group.map(|n| self.queue[n].item));
            } else {
                group.for_each(|n| self.queue[n].sent = true);
            }
        }
        let mut failed: HashSet<Item> = HashSet::new();
        for group in groups(&self.queue) {
            let ops = &self.queue[group.clone()];
            if ops.iter().any(|op| op.answer.is_some() || !op.sent) {
                continue;
            }
            if ops.iter().any(|op| failed.contains(&op.item)) {
                failed.extend(ops.iter().map(|op| op.item));
                continue;
            }
            let answers = match ops {
                [op] if op.batch.is_none() => vec![server.decide(self.client, rights, op)],
                ops => server.decide_batch(self.client, rights, ops),
            };
            for (n, answer) in group.zip(answers) {
                if answer.is_err() {
                    failed.insert(self.queue[n].item);
                }
                self.queue[n].answer = Some(answer);
            }
        }
    }

    pub fn pull(&mut self, server: &Server, rights: &Rights) {
        self.base = server.seen_by(rights);
        self.pulled_as = Some(rights.clone());
        for op in self.queue.extract_if(.., |op| op.answer.is_some()) {
            self.fates[op.write] = match op.answer {
                Some(Err(code)) => Fate::Rejected(code),
                _ => Fate::Accepted,
            };
        }
    }

    /// Until nothing waits any more.
    pub fn sync(&mut self, server: &mut Server, rights: &Rights) {
        loop {
            self.push(server, rights);
            self.pull(server, rights);
            if self.queue.is_empty() {
                return;
            }
        }
    }
}

/// Where each batch, or op by itself, stands in a queue.
fn groups(queue: &[Queued]) -> Vec<std::ops::Range<usize>> {
    let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
    for (n, op) in queue.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if op.batch.is_some() && queue[group.start].batch == op.batch => group.end = n + 1,
            _ => groups.push(n..n + 1),
        }
    }
    groups
}

/// The one change that does what two do.
fn fold(last: &Change, next: &Change, after: Option<&Whole>) -> Option<Change> {
    match (last, next) {
        (_, Change::Delete) => Some(Change::Delete),
        _ if last.resource() != next.resource() => None,
        (Change::Put(..) | Change::Remove(_), _) | (Change::Set(_), Change::Set(_)) => Some(next.clone()),
        (Change::Set(_), Change::Patch(_)) => after.map(|whole| Change::Set(whole.value.clone())),
        (Change::Patch(one), Change::Patch(other)) => Some(Change::Patch([&one[..], other].concat())),
        _ => None,
    }
}
