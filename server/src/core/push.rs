//! One push, op by op, in the client's order.

use super::examine::{Proposal, beyond, examine, rejection, shortened};
use super::policy::{changed_by, is_behind};
use super::{Policy, Refusal, Rules, batch, cursor, merge};
use crate::storage::{
    BatchState, ClientKey, CollectionKey, ItemHead, ItemKey, LogRow, RefRow, RefState, Rejection, StorageError, Stored,
    Tombstone, Transaction,
};
use std::collections::{HashMap, HashSet};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::patch;
use syncstore::protocol::{
    BatchId, ClientId, Code, Json, Limits, Op, OpKind, OpResult, PushOutcome, PushRequest, PushResponse, Ref, Rev, Seq,
};

/// Decides a push of `user` at `now` (milliseconds since 1970) within a transaction, which the caller
/// commits, or undoes when this fails.
///
/// Fails, with nothing taken, when the push exceeds a limit as a whole, when the client id is another user's, and when
/// the replica's cursor is of another life of the log.
pub fn push(
    transaction: &mut impl Transaction,
    rules: &Rules,
    user: &str,
    request: &PushRequest,
    now: u64,
) -> Result<PushResponse, Refusal> {
    let (most, ops) = (rules.limits.push_ops, request.ops.len());
    if ops > most {
        return Err(Refusal::TooLarge(format!("the push has {ops} operations; the limit is {most}")));
    }
    let client = claim(transaction, &request.client, user, now)?;
    if let Some(cursor) = request.cursor.as_ref().filter(|_| !planted(Planted::Rule6PushReadsNoCursor)) {
        // Another expiry is for the next pull to tell: what the log was is all that matters to a push.
        if let Ok(position) = cursor::decode(cursor)
            && let Some(rewound) = position.rewound(transaction)?
        {
            return Err(Refusal::CursorExpired(rewound));
        }
    }
    let mut push = Push {
        transaction,
        rules,
        user,
        client,
        now,
        failed: HashSet::new(),
        held: HashMap::new(),
        results: Vec::with_capacity(ops),
    };
    push.hold()?;
    for op in &request.ops {
        let result = push.decide(op)?;
        push.results.push(result);
    }
    let results = push.results;
    Ok(PushResponse { seq: transaction.state().head, results })
}

/// A client that does not move is recorded as seen this often, in milliseconds.
pub const SEEN_INTERVAL: u64 = 60 * 60 * 1000;

/// The client, recorded as the user's when it is new. Fails when it is another user's.
pub fn claim(
    transaction: &mut impl Transaction,
    client: &ClientId,
    user: &str,
    now: u64,
) -> Result<ClientKey, Refusal> {
    match transaction.client(client)? {
        Some(row) if row.user != user => Err(Refusal::Forbidden),
        Some(row) => {
            if now.saturating_sub(row.seen) >= SEEN_INTERVAL {
                transaction.touch_client(client, row.position, now)?;
            }
            Ok(row.key)
        }
        None => Ok(transaction.add_client(client, user, now)?),
    }
}

pub type Item<'a> = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>);

pub struct Push<'a, T> {
    pub transaction: &'a mut T,
    pub rules: &'a Rules,
    pub user: &'a str,
    pub client: ClientKey,
    pub now: u64,
    // Items of ops rejected in this push: what follows on them was made on top of what was not to be.
    pub failed: HashSet<Item<'a>>,
    // Items of staged ops: what follows on them must not be decided before them.
    pub held: HashMap<Item<'a>, BatchId>,
    pub results: Vec<OpResult>,
}

pub fn result(op_ref: Ref, outcome: PushOutcome, seq: Option<Seq>) -> OpResult {
    OpResult { op_ref, outcome, seq, code: None, message: None, detail: None }
}

pub fn rejected(op_ref: Ref, seq: Option<Seq>, rejection: Rejection) -> OpResult {
    OpResult {
        op_ref,
        outcome: PushOutcome::Rejected,
        seq,
        code: Some(rejection.code),
        message: Some(rejection.message),
        detail: rejection.detail,
    }
}

impl<'a, T: Transaction> Push<'a, T> {
    fn decide(&mut self, op: &'a Op) -> Stored<OpResult> {
        let (digest, fault) = examine(op, &self.rules.limits);
        if !op.op_ref.is_v7() {
            return self.refuse(op, rejection(Code::INVALID, "the ref is not a UUIDv7"));
        }
        let item: Item<'a> = (op.collection.as_str().into(), op.key.as_str().into());
        let held = self.held.get(&item).is_some_and(|batch| Some(*batch) != op.batch);
        let failed = self.failed.contains(&item) && !planted(Planted::Rule12NothingSkipped);
        let blocked = held || failed;
        let perhaps_forgotten =
            op.op_ref.unix_ms() <= self.transaction.state().horizon && !planted(Planted::Rule8OldRefsTaken);
        if blocked || perhaps_forgotten {
            if let Some(known) = self.transaction.find_ref(&op.op_ref)? {
                return self.present(op, digest, &known);
            }
            if perhaps_forgotten {
                let old = rejection(Code::EXPIRED, "the ref is older than the outcomes that are kept");
                return self.refuse(op, old);
            }
            return Ok(result(op.op_ref, PushOutcome::Skipped, None));
        }
        // Recorded as what it most likely becomes, so that a new op costs one statement less.
        let state = if op.batch.is_some() { RefState::Staged } else { RefState::Accepted };
        let seq = if op.batch.is_some() { 0 } else { self.transaction.state().next };
        let row = RefRow { client: self.client, digest, state, seq, at: self.now };
        if !self.transaction.record_ref(&op.op_ref, &row)? && !planted(Planted::Rule7RefsNotLookedUp) {
            return match self.transaction.find_ref(&op.op_ref)? {
                Some(known) => self.present(op, digest, &known),
                None => Err(StorageError::corrupt("a ref is there and is not")),
            };
        }
        if let (Some(batch), Some(of)) = (op.batch, op.of)
            && !planted(Planted::Rule10HalfABatch)
        {
            return self.stage(op, batch, of, fault);
        }
        let seq = self.transaction.next_seq()?;
        let verdict = match fault {
            Some(fault) => Err(fault),
            None => self.apply(&Proposal::of(op), seq, None)?,
        };
        match verdict {
            Ok(()) => Ok(result(op.op_ref, PushOutcome::Accepted, Some(seq))),
            Err(rejection) => {
                self.failed.insert(item);
                self.record_rejection(&op.op_ref, seq, None, &rejection)?;
                Ok(rejected(op.op_ref, Some(seq), rejection))
            }
        }
    }

    /// Holds the items of the client's staged ops.
    pub fn hold(&mut self) -> Stored<()> {
        for (collection, key, batch) in self.transaction.staged_items(self.client)? {
            self.held.insert((collection.into(), key.into()), batch);
        }
        Ok(())
    }

    /// Rejects an op without recording anything: it would be rejected again in the same way.
    fn refuse(&mut self, op: &'a Op, why: Rejection) -> Stored<OpResult> {
        self.failed.insert((op.collection.as_str().into(), op.key.as_str().into()));
        if let Some(batch) = op.batch {
            self.fail_batch(batch, op.of.unwrap_or(1))?;
        }
        Ok(rejected(op.op_ref, None, why))
    }

    pub fn record_rejection(
        &mut self,
        op_ref: &Ref,
        seq: Seq,
        batch: Option<BatchId>,
        rejection: &Rejection,
    ) -> Stored<()> {
        self.transaction.settle_ref(op_ref, RefState::Rejected, seq, self.now)?;
        self.transaction.append_rejected(seq, op_ref, self.client, batch, self.now, rejection)
    }

    /// What became of a ref that was seen before.
    fn present(&mut self, op: &'a Op, digest: u128, known: &RefRow) -> Stored<OpResult> {
        let own = known.client == self.client
            || self.transaction.user_of(known.client)?.is_some_and(|user| user == self.user);
        if !own || known.digest != digest && !planted(Planted::Rule7OpsNotCompared) {
            let by = if own { "for another operation" } else { "by another user" };
            return self.refuse(op, rejection(Code::REF_REUSED, format_args!("the ref was used before {by}")));
        }
        match known.state {
            RefState::Accepted => Ok(result(op.op_ref, PushOutcome::Accepted, Some(known.seq))),
            RefState::Staged if known.client != self.client => self.take_over(op, known.client),
            RefState::Staged => Ok(result(op.op_ref, PushOutcome::Staged, None)),
            RefState::Rejected => {
                if let Some(batch) = op.batch.filter(|_| known.client != self.client) {
                    // It failed under the replica's earlier id; what is left of it must not begin it anew.
                    self.fail_batch(batch, op.of.unwrap_or(1))?;
                }
                let reason = self.transaction.rejection(known.seq)?;
                let reason = reason.ok_or_else(|| StorageError::corrupt("a rejection has no reason"))?;
                self.failed.insert((op.collection.as_str().into(), op.key.as_str().into()));
                Ok(rejected(op.op_ref, Some(known.seq), reason))
            }
        }
    }

    fn stage(&mut self, op: &'a Op, batch: BatchId, of: u32, fault: Option<Rejection>) -> Stored<OpResult> {
        let item: Item<'a> = (op.collection.as_str().into(), op.key.as_str().into());
        let limits = &self.rules.limits;
        let mut row = match self.transaction.batch(self.client, &batch)? {
            Some(row) => row,
            None => batch::begin(self.transaction, self.client, batch, of, self.now)?,
        };
        let (ops, bytes) = (row.ops.saturating_add(1), row.bytes.saturating_add(op.payload_len() as u64));
        let size = limits.check_batch(ops.max(of) as usize, usize::try_from(bytes).unwrap_or(usize::MAX));
        let fault = fault
            .or_else(|| (row.of != of).then(|| rejection(Code::INVALID, "the ops of the batch differ in its `of`")))
            .or_else(|| size.err().map(|error| beyond(&error)))
            .or_else(|| match row.state {
                BatchState::Staged => None,
                BatchState::Done => Some(rejection(Code::INVALID, "the batch is complete")),
                BatchState::Failed => Some(batch::not_at_fault()),
            });
        if let Some(fault) = fault {
            if row.state == BatchState::Staged {
                self.fail_batch(batch, of)?;
            }
            let seq = self.transaction.next_seq()?;
            self.failed.insert(item);
            self.record_rejection(&op.op_ref, seq, None, &fault)?;
            return Ok(rejected(op.op_ref, Some(seq), fault));
        }
        (row.ops, row.bytes) = (ops, bytes);
        self.transaction.stage(row.key, &batch::pending(op))?;
        self.held.insert(item, batch);
        if row.ops < row.of {
            self.transaction.update_batch(&row)?;
            return Ok(result(op.op_ref, PushOutcome::Staged, None));
        }
        // The answer for this op is written into its place like those of the ops before it.
        self.results.push(result(op.op_ref, PushOutcome::Staged, None));
        self.complete(row)?;
        self.results.pop().ok_or_else(|| StorageError::corrupt("a result went missing"))
    }

    /// Applies an op in the place `seq` and appends its entry, or says why not, having changed nothing.
    pub fn apply(&mut self, op: &Proposal<'_>, seq: Seq, batch: Option<BatchId>) -> Stored<Result<(), Rejection>> {
        // Collections stay for ever, so none is made for an op that is rejected. (A delete's entry needs one.)
        let based = op.base.is_some_and(|base| base > 0) && self.rules.policy(op.collection) != Policy::Accept;
        let collection = match (self.transaction.find_collection(op.collection)?, op.kind) {
            (Some(collection), _) => collection,
            (None, OpKind::Patch) => return Ok(Err(missing())),
            (None, OpKind::Set) if based => return Ok(Err(stale(None, op.base))),
            (None, OpKind::Set | OpKind::Delete) => self.transaction.collection(op.collection)?,
        };
        let head = self.transaction.item(collection, op.key)?;
        if head.is_none() && op.kind == OpKind::Patch {
            return Ok(Err(missing()));
        }
        let absent_delete = head.is_none() && op.kind == OpKind::Delete;
        let policy = if absent_delete { Policy::Accept } else { self.rules.policy(op.collection) };
        let behind = match (policy, op.base) {
            (Policy::Accept, _) => false,
            (Policy::Merge, None) => false,
            (Policy::RejectStale, None) => head.is_some(),
            (_, Some(base)) => is_behind(self.transaction, collection, op.key, head.as_ref(), base, self.client)?,
        };
        let merging = behind && policy == Policy::Merge;
        if behind && (!merging || head.is_none()) {
            return Ok(Err(stale(head.as_ref(), op.base)));
        }
        // The committed payload where it is not the one that was sent.
        let mut merged = None;
        if let (true, Some(head), Some(sent)) = (merging, &head, op.payload) {
            let base = op.base.unwrap_or(0);
            let limits = &self.rules.limits;
            let touched = merge::Touched::since(self.transaction, head, base, self.client, limits)?;
            let result = match op.kind {
                OpKind::Set => merge::set(&self.transaction.item_value(head.key)?, sent, &touched, limits)?,
                _ => merge::patch(sent, &touched)?,
            };
            match result {
                Ok(result) => merged = (result.as_str() != sent.as_str()).then_some(result),
                Err(rejection) => return Ok(Err(rejection)),
            }
        }
        let payload = merged.as_ref().or(op.payload);
        let row = LogRow {
            seq,
            op_ref: op.op_ref,
            client: self.client,
            kind: op.kind,
            collection,
            key: op.key,
            payload,
            from: head.map_or(0, |head| head.rev),
            no_op: absent_delete,
            as_sent: merged.is_none() || planted(Planted::Rule18AsSentWhenMerged),
            batch,
            at: self.now,
        };
        match (op.kind, payload, head) {
            (OpKind::Set, Some(value), Some(head)) => {
                self.transaction.update_item(&changed_by(&head, self.client, seq), value)?;
            }
            (OpKind::Set, Some(value), None) => {
                let head = ItemHead { key: ItemKey(0), rev: seq, client: self.client, other: 0 };
                self.transaction.insert_item(collection, op.key, &head, value)?;
            }
            (OpKind::Patch, Some(patch), Some(head)) => {
                let value = self.transaction.item_value(head.key)?;
                match patched(&value, patch, &self.rules.limits) {
                    Ok(value) => self.transaction.update_item(&changed_by(&head, self.client, seq), &value)?,
                    Err(rejection) => return Ok(Err(rejection)),
                }
            }
            (OpKind::Delete, _, Some(head)) => self.delete(collection, op.key, &head, seq)?,
            (OpKind::Delete, _, None) => {}
            _ => return Ok(Err(rejection(Code::INVALID, "the op has no payload"))),
        }
        self.transaction.append(&row)?;
        Ok(Ok(()))
    }

    fn delete(&mut self, collection: CollectionKey, key: &str, head: &ItemHead, seq: Seq) -> Stored<()> {
        self.transaction.delete_item(head.key, collection, key, &Tombstone { seq, client: self.client })
    }
}

fn missing() -> Rejection {
    rejection(Code::NOT_FOUND, "there is no such item")
}

fn stale(head: Option<&ItemHead>, base: Option<Rev>) -> Rejection {
    let message = match (head, base) {
        (None, _) => "another client has deleted the item since",
        (Some(_), None) => "the collection takes no change of an item without a base",
        (Some(_), Some(_)) => "another client has changed the item since",
    };
    let detail = serde_json::json!({ "rev": head.map_or(0, |head| head.rev) });
    Rejection { code: Code::STALE, message: message.to_owned(), detail: Some(Json::from_value(&detail)) }
}

fn patched(value: &Json, patch: &Json, limits: &Limits) -> Result<Json, Rejection> {
    patch::apply(value, patch, limits).map_err(|error| {
        let message = error.to_string();
        if patch::parse(patch).is_err() {
            return rejection(Code::INVALID, message);
        }
        let detail = serde_json::json!({ "path": shortened(error.path), "operation": error.operation });
        Rejection { detail: Some(Json::from_value(&detail)), ..rejection(Code::PATCH_FAILED, message) }
    })
}
