//! A server that answers what a test wrote down.

use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Mutex;
use syncstore::Ref;
use syncstore::protocol::{
    CheckpointItem, CheckpointPage, Code, Cursor, DatabaseInfo, Entry, EntryOutcome, InboxPage, Json, Limits, OpKind,
    OpResult, PushOutcome, PushRequest, PushResponse,
};
use syncstore::wire::{CheckpointRequest, PullRequest, Wire, WireError};

type Script<Q, A> = Mutex<VecDeque<Box<dyn FnOnce(&Q) -> Result<A, WireError> + Send>>>;

/// Its cursors read `c` and a seq. Pulls that the script does not foresee find nothing new, checkpoints
/// nothing at all, and who asks for one entry, as a bootstrap does to learn whether the log was rewound, learns that it was
/// not; a push that it does not foresee fails the test.
#[derive(Default)]
pub struct ScriptedWire {
    limits: Limits,
    pushes: Script<PushRequest, PushResponse>,
    pulls: Script<PullRequest, InboxPage>,
    checkpoints: Script<CheckpointRequest, CheckpointPage>,
    pushed: Mutex<Vec<PushRequest>>,
    pulled: Mutex<Vec<PullRequest>>,
    checkpointed: Mutex<Vec<CheckpointRequest>>,
}

impl ScriptedWire {
    pub fn new() -> ScriptedWire {
        ScriptedWire::default()
    }

    pub fn publishing(limits: Limits) -> ScriptedWire {
        ScriptedWire { limits, ..ScriptedWire::default() }
    }

    pub fn on_push(
        &self,
        answer: impl FnOnce(&PushRequest) -> Result<PushResponse, WireError> + Send + 'static,
    ) -> &Self {
        self.pushes.lock().unwrap().push_back(Box::new(answer));
        self
    }

    pub fn on_pull(&self, answer: impl FnOnce(&PullRequest) -> Result<InboxPage, WireError> + Send + 'static) -> &Self {
        self.pulls.lock().unwrap().push_back(Box::new(answer));
        self
    }

    /// A page that ends the log.
    pub fn on_pull_page(&self, entries: Vec<Entry>) -> &Self {
        self.on_pull(move |request| Ok(page_of(request, entries, false)))
    }

    pub fn on_checkpoint(
        &self,
        answer: impl FnOnce(&CheckpointRequest) -> Result<CheckpointPage, WireError> + Send + 'static,
    ) -> &Self {
        self.checkpoints.lock().unwrap().push_back(Box::new(answer));
        self
    }

    /// A checkpoint of one page.
    pub fn on_checkpoint_items(&self, seq: u64, items: Vec<CheckpointItem>) -> &Self {
        self.on_checkpoint(move |_| Ok(checkpoint_of(seq, items)))
    }

    /// Whether everything that the script foresaw has happened.
    pub fn is_over(&self) -> bool {
        self.pushes.lock().unwrap().is_empty()
            && self.pulls.lock().unwrap().is_empty()
            && self.checkpoints.lock().unwrap().is_empty()
    }

    pub fn pushed(&self) -> Vec<PushRequest> {
        self.pushed.lock().unwrap().clone()
    }

    pub fn pulled(&self) -> Vec<PullRequest> {
        self.pulled.lock().unwrap().clone()
    }

    pub fn checkpointed(&self) -> Vec<CheckpointRequest> {
        self.checkpointed.lock().unwrap().clone()
    }
}

impl Wire for ScriptedWire {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        Ok(DatabaseInfo {
            database: None,
            epoch: "e".into(),
            seq: 0,
            limits: self.limits.clone(),
            formats: Vec::new(),
            encodings: Vec::new(),
            retention: Default::default(),
        })
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.pushed.lock().unwrap().push(request.clone());
        let answer = self.pushes.lock().unwrap().pop_front();
        answer.unwrap_or_else(|| panic!("a push that the script does not foresee: {request:?}"))(request)
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        if request.limit == 1 {
            return Ok(page_of(request, Vec::new(), false));
        }
        self.pulled.lock().unwrap().push(request.clone());
        let answer = self.pulls.lock().unwrap().pop_front();
        answer.unwrap_or_else(|| Box::new(|request| Ok(page_of(request, Vec::new(), false))))(request)
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.checkpointed.lock().unwrap().push(request.clone());
        let answer = self.checkpoints.lock().unwrap().pop_front();
        answer.unwrap_or_else(|| Box::new(|_| Ok(checkpoint_of(0, Vec::new()))))(request)
    }
}

pub fn cursor(seq: u64) -> Cursor {
    Cursor::new(format!("c{seq}"))
}

/// A page of the log that begins where the request asks and ends with the last entry.
pub fn page_of(request: &PullRequest, entries: Vec<Entry>, more: bool) -> InboxPage {
    let asked = request.cursor.as_ref().map_or(0, |cursor| cursor.as_str()[1..].parse().unwrap());
    let seq = entries.iter().map(|entry| entry.seq).max().unwrap_or(0).max(asked);
    InboxPage { entries, cursor: cursor(seq), seq, more }
}

pub fn checkpoint_of(seq: u64, items: Vec<CheckpointItem>) -> CheckpointPage {
    let total = items.len() as u64;
    CheckpointPage { checkpoint: format!("at{seq}"), cursor: cursor(seq), seq, items, next: None, total }
}

pub fn item(collection: &str, key: &str, value: Value, rev: u64) -> CheckpointItem {
    CheckpointItem::new(collection, key, Json::from_value(&value), rev)
}

fn accepted(seq: u64, op_ref: Ref, kind: OpKind, collection: &str, key: &str, from: u64) -> Entry {
    let mut entry = Entry::new(seq, op_ref, EntryOutcome::Accepted);
    entry.kind = Some(kind);
    entry.collection = Some(collection.into());
    entry.key = Some(key.into());
    entry.from = Some(from);
    entry.rev = Some(if kind == OpKind::Delete { 0 } else { seq });
    entry
}

pub fn set_entry(seq: u64, op_ref: Ref, collection: &str, key: &str, value: Value, from: u64) -> Entry {
    Entry { value: Some(Json::from_value(&value)), ..accepted(seq, op_ref, OpKind::Set, collection, key, from) }
}

pub fn patch_entry(seq: u64, op_ref: Ref, collection: &str, key: &str, patch: Value, from: u64) -> Entry {
    Entry { patch: Some(Json::from_value(&patch)), ..accepted(seq, op_ref, OpKind::Patch, collection, key, from) }
}

pub fn delete_entry(seq: u64, op_ref: Ref, collection: &str, key: &str, from: u64) -> Entry {
    accepted(seq, op_ref, OpKind::Delete, collection, key, from)
}

/// The caller's own op as it was sent: everything but the payload.
pub fn as_sent_entry(seq: u64, op_ref: Ref, kind: OpKind, collection: &str, key: &str, from: u64) -> Entry {
    Entry { as_sent: true, ..accepted(seq, op_ref, kind, collection, key, from) }
}

/// The same entry of an item that the caller does not see.
pub fn hidden(entry: Entry) -> Entry {
    let nothing = Entry { kind: None, collection: None, key: None, value: None, from: None, rev: None, ..entry };
    Entry { hidden: true, ..nothing }
}

pub fn rejected_entry(seq: u64, op_ref: Ref, code: Code, message: &str) -> Entry {
    let mut entry = Entry::new(seq, op_ref, EntryOutcome::Rejected);
    entry.code = Some(code);
    entry.message = Some(message.into());
    entry
}

/// An answer that accepts everything, at the seqs from `first` on.
pub fn accept_all(request: &PushRequest, first: u64) -> PushResponse {
    let results = request.ops.iter().zip(first..);
    let results: Vec<OpResult> = results.map(|(op, seq)| result(op.op_ref, PushOutcome::Accepted, Some(seq))).collect();
    PushResponse { seq: (first + results.len() as u64).saturating_sub(1), results }
}

pub fn result(op_ref: Ref, outcome: PushOutcome, seq: Option<u64>) -> OpResult {
    OpResult { op_ref, outcome, seq, code: None, message: None, detail: None }
}

/// A ref that no replica of a test made.
pub fn foreign(n: u64) -> Ref {
    Ref::from_parts((super::environment::START as i64) << 12, n)
}
