//! A server in memory that takes ops on every resource, from plain maps: what a replica ends with is compared with it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use syncstore::protocol::{
    Change, CheckpointItem, CheckpointPage, ClientId, Code, Cursor, DatabaseInfo, Entry, EntryOutcome, InboxPage, Json,
    Object, Op, OpResult, PushOutcome, PushRequest, PushResponse, Relation, patch,
};
use syncstore::protocol::{Limits, Ref, Seq};
use syncstore::wire::{CheckpointRequest, PullRequest, Wire, WireError};

/// An item with all that it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    pub value: Json,
    pub rev: Seq,
    pub indexes: BTreeMap<String, String>,
    /// Id to predicate and object.
    pub relations: BTreeMap<String, (String, Object)>,
    pub tags: Vec<String>,
}

impl Whole {
    fn new(value: Json) -> Whole {
        let (indexes, relations) = (BTreeMap::new(), BTreeMap::new());
        Whole { value, rev: 0, indexes, relations, tags: Vec::new() }
    }

    pub fn relations(&self) -> Vec<Relation> {
        let relation = |(id, (predicate, object)): (&String, &(String, Object))| Relation {
            id: id.clone(),
            predicate: predicate.clone(),
            object: object.clone(),
        };
        self.relations.iter().map(relation).collect()
    }
}

type Items = BTreeMap<(String, String), Whole>;

#[derive(Default)]
struct State {
    items: Items,
    /// With who sent each.
    log: Vec<(ClientId, Entry)>,
    outcomes: HashMap<Ref, OpResult>,
}

#[derive(Default)]
pub struct PlainServer(Mutex<State>);

impl PlainServer {
    pub fn items(&self) -> Items {
        self.0.lock().unwrap().items.clone()
    }
}

/// What an op makes of an item; `None`: it is refused.
fn apply(item: Option<Whole>, op: &Op) -> Option<Option<Whole>> {
    let change = op.change().unwrap();
    let mut whole = match (item, change) {
        (_, Change::Delete) => return Some(None),
        (None, Change::Set(value)) => return Some(Some(Whole::new(value.clone()))),
        (None, Change::DeleteIndex { .. } | Change::DeleteRelation { .. } | Change::RemoveTag(_)) => return Some(None),
        (None, _) => return None,
        (Some(whole), _) => whole,
    };
    match change {
        Change::Set(value) => whole.value = value.clone(),
        Change::Patch(operations) => whole.value = patch::apply(&whole.value, operations, &Limits::default()).ok()?,
        Change::Delete => {}
        Change::SetIndex { name, order } => drop(whole.indexes.insert(name.into(), order.into())),
        Change::DeleteIndex { name } => drop(whole.indexes.remove(name)),
        Change::SetRelation { id, predicate, object } => {
            whole.relations.insert(id.into(), (predicate.into(), object.clone()));
        }
        Change::DeleteRelation { id } => drop(whole.relations.remove(id)),
        Change::AddTag(tag) => {
            whole.tags.push(tag.into());
            whole.tags.sort();
            whole.tags.dedup();
        }
        Change::RemoveTag(tag) => whole.tags.retain(|other| other != tag),
    }
    Some(Some(whole))
}

impl State {
    fn take(&mut self, client: ClientId, op: &Op) -> OpResult {
        let at = (op.collection.clone(), op.key.clone());
        let before = self.items.get(&at).cloned();
        let seq = self.log.len() as Seq + 1;
        let result =
            |outcome| OpResult { op_ref: op.op_ref, outcome, seq: Some(seq), code: None, message: None, detail: None };
        let Some(after) = apply(before.clone(), op) else {
            let entry = Entry { code: Some(Code::NOT_FOUND), ..Entry::new(seq, op.op_ref, EntryOutcome::Rejected) };
            self.log.push((client, entry));
            return OpResult { code: Some(Code::NOT_FOUND), ..result(PushOutcome::Rejected) };
        };
        let from = before.as_ref().map_or(0, |whole| whole.rev);
        let unchanged = before == after && op.kind == syncstore::OpKind::Delete;
        let rev = match (&after, unchanged) {
            (_, true) => from,
            (None, false) => seq,
            (Some(_), false) => seq,
        };
        match after {
            Some(whole) => drop(self.items.insert(at, Whole { rev, ..whole })),
            None => drop(self.items.remove(&at)),
        }
        let mut entry = Entry::new(seq, op.op_ref, EntryOutcome::Accepted);
        entry.kind = Some(op.kind);
        (entry.collection, entry.key) = (Some(op.collection.clone()), Some(op.key.clone()));
        (entry.from, entry.rev, entry.hidden) = (Some(from), Some(rev), false);
        (entry.value, entry.patch) = (op.value.clone(), op.patch.clone());
        (entry.index, entry.order) = (op.index.clone(), op.order.clone());
        (entry.relation, entry.predicate) = (op.relation.clone(), op.predicate.clone());
        (entry.object, entry.tag) = (op.object.clone(), op.tag.clone());
        // Told to its sender only.
        entry.reason = unchanged.then(|| "unchanged".to_owned());
        self.log.push((client, entry));
        result(PushOutcome::Accepted)
    }
}

impl Wire for PlainServer {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        Ok(DatabaseInfo {
            database: None,
            epoch: "e".into(),
            seq: self.0.lock().unwrap().log.len() as Seq,
            limits: Limits::default(),
            formats: Vec::new(),
            encodings: Vec::new(),
            retention: Default::default(),
        })
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        let mut state = self.0.lock().unwrap();
        let mut refused = std::collections::HashSet::new();
        let mut results = Vec::new();
        for op in &request.ops {
            let at = (op.collection.clone(), op.key.clone());
            let result = if let Some(known) = state.outcomes.get(&op.op_ref) {
                known.clone()
            } else if refused.contains(&at) {
                let outcome = PushOutcome::Skipped;
                OpResult { op_ref: op.op_ref, outcome, seq: None, code: None, message: None, detail: None }
            } else {
                let result = state.take(request.client, op);
                state.outcomes.insert(op.op_ref, result.clone());
                result
            };
            if result.outcome == PushOutcome::Rejected {
                refused.insert(at);
            }
            results.push(result);
        }
        Ok(PushResponse { seq: state.log.len() as Seq, results })
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        let state = self.0.lock().unwrap();
        let from: usize = request.cursor.as_ref().map_or(0, |cursor| cursor.as_str().parse().unwrap());
        let to = state.log.len().min(from + request.limit as usize);
        let mut entries = Vec::new();
        for (client, entry) in &state.log[from..to] {
            let own = *client == request.client;
            let for_sender = entry.outcome == EntryOutcome::Rejected || entry.reason.is_some();
            if for_sender && !own {
                continue;
            }
            let mut entry = entry.clone();
            if own && !request.own_payloads && entry.outcome == EntryOutcome::Accepted {
                entry.as_sent = true;
                (entry.value, entry.patch, entry.order) = (None, None, None);
                (entry.predicate, entry.object) = (None, None);
            }
            entries.push(entry);
        }
        let cursor = Cursor::new(to.to_string());
        Ok(InboxPage { entries, cursor, seq: to as Seq, more: to < state.log.len() })
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        let state = self.0.lock().unwrap();
        let (seq, skip): (usize, usize) = match &request.page {
            None => (state.log.len(), 0),
            Some(page) => page.split_once(' ').map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).unwrap(),
        };
        let limit = request.limit as usize;
        let items = state.items.iter().skip(skip).take(limit).map(|((collection, key), whole)| CheckpointItem {
            indexes: whole.indexes.clone(),
            relations: whole.relations(),
            tags: whole.tags.clone(),
            ..CheckpointItem::new(collection, key, whole.value.clone(), whole.rev)
        });
        let next = (skip + limit < state.items.len()).then(|| format!("{seq} {}", skip + limit));
        Ok(CheckpointPage {
            checkpoint: format!("at{seq}"),
            cursor: Cursor::new(seq.to_string()),
            seq: seq as Seq,
            items: items.collect(),
            next,
            total: state.items.len() as u64,
        })
    }
}
