//! Writes of callers without a replica (section 6): one op under conditions, or a batch as a whole.

use super::examine::{Proposal, examine, rejection};
use super::policy::Author;
use super::push::{Push, SEEN_INTERVAL};
use super::{Caller, Refusal, Rules};
use crate::storage::{RefRow, RefState, Rejection, Stored, Transaction};
use std::collections::HashSet;
use syncstore::protocol::{BatchId, Code, Op, OpKind, PushOutcome, Resource, Rev};

/// What a request asks of its item before anything is done to it: `If-Match` and `If-None-Match`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// What must be so.
    pub matching: Option<Expected>,
    /// What must not be so.
    pub unlike: Option<Expected>,
}

/// What a condition speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// That there is what the request is on: the item, or its index entry, relation or tag.
    There,
    /// That the item's rev is one of these.
    Revs(Vec<Rev>),
}

impl Expected {
    fn is(&self, rev: Rev, there: bool) -> bool {
        match self {
            Expected::There => there,
            Expected::Revs(revs) => rev > 0 && revs.contains(&rev),
        }
    }
}

impl Conditions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.matching.is_none() && self.unlike.is_none()
    }

    /// Whether they are met by an item of that rev (0: the caller sees none) with or without what the request is on.
    pub fn met(&self, rev: Rev, there: bool) -> bool {
        self.matching.as_ref().is_none_or(|expected| expected.is(rev, there))
            && !self.unlike.as_ref().is_some_and(|expected| expected.is(rev, there))
    }

    // What they claim of an item that meets them, as the op's base.
    fn base(&self, rev: Rev, resource: Option<Resource<'_>>) -> Option<Rev> {
        match (&self.matching, &self.unlike) {
            (Some(Expected::Revs(_)), _) => Some(rev),
            (_, Some(Expected::There)) if rev == 0 && resource == Some(Resource::Value) => Some(0),
            _ => None,
        }
    }
}

fn begin<'a, T: Transaction>(
    transaction: &'a mut T,
    rules: &'a Rules,
    caller: &'a Caller,
    now: u64,
) -> Stored<Push<'a, T>> {
    let client = transaction.client_without_replica(&caller.user, now, SEEN_INTERVAL)?;
    // One request of a user knows nothing of the others: what they did is another's to it.
    let author = Author { client, since: transaction.state().next };
    let bytes = transaction.bytes()?;
    Ok(Push { author, bytes, ..Push::new(transaction, rules, caller, client, now) })
}

// A caller without a replica has nowhere to learn later what an approver has said.
fn unapproved(rules: &Rules, op: &Op) -> Option<Rejection> {
    let waits = rules.approval.collections.contains(&op.collection);
    waits.then(|| rejection(Code::POLICY, "operations of this collection wait for an approver: push them"))
}

/// Decides one op of a caller without a replica at `now` (milliseconds since 1970) and tells the rev that its item has
/// then, or why the op was rejected; either is recorded under its ref, and what a repeat is told.
///
/// Fails, with nothing recorded, when the item does not meet the conditions, which a repeat is not asked for, and when there is no room.
pub fn write(
    transaction: &mut impl Transaction,
    rules: &Rules,
    caller: &Caller,
    op: &Op,
    conditions: &Conditions,
    now: u64,
) -> Result<Result<Rev, Rejection>, Refusal> {
    let mut push = begin(transaction, rules, caller, now)?;
    let mut base = op.base;
    let refused = unapproved(rules, op);
    let asks = refused.is_some() || !conditions.is_empty();
    if asks && push.transaction.find_ref(&op.op_ref)?.is_none() {
        if let Some(refused) = refused {
            return Ok(Err(refused));
        }
        let (rev, there) = push.seen(op)?;
        // What needs an item is told that there is none, with or without conditions.
        let needs_item = op.kind == OpKind::Patch || op.kind == OpKind::Set && op.resource() != Ok(Resource::Value);
        if rev > 0 || !needs_item {
            if !conditions.met(rev, there) {
                return Err(Refusal::Unmet { rev });
            }
            base = conditions.base(rev, op.resource().ok()).or(base);
        }
    }
    if push.has_no_room_for(op, None)? && push.transaction.find_ref(&op.op_ref)?.is_none() {
        return Err(Refusal::Full);
    }
    Ok(push.decide_alone(op, base)?)
}

/// Applies all ops of a batch of a caller without a replica, or none, and tells the rev that each leaves its item at.
///
/// Fails, with nothing recorded, at the first op at fault, and when there is no room.
pub fn batch(
    transaction: &mut impl Transaction,
    rules: &Rules,
    caller: &Caller,
    ops: &[Op],
    batch: BatchId,
    now: u64,
) -> Result<Vec<Rev>, Refusal> {
    let bytes = ops.iter().map(Op::payload_len).sum();
    rules.limits.check_batch(ops.len(), bytes).map_err(|error| Refusal::TooLarge(error.to_string()))?;
    let mut push = begin(transaction, rules, caller, now)?;
    let at = |failed| move |rejection| Refusal::BatchFailed { failed, rejection };
    let mut refs = HashSet::new();
    let mut known = Vec::new();
    for (index, op) in ops.iter().enumerate() {
        if !op.op_ref.is_v7() {
            return Err(at(index)(rejection(Code::INVALID, "the ref is not a UUIDv7")));
        }
        if !refs.insert(op.op_ref) {
            return Err(at(index)(rejection(Code::REF_REUSED, "the ref is there twice")));
        }
        if push.transaction.find_ref(&op.op_ref)?.is_some() {
            known.push(index);
        }
    }
    let mut revs = Vec::with_capacity(ops.len());
    if known.len() == ops.len() {
        for (index, op) in ops.iter().enumerate() {
            revs.push(push.decide_alone(op, None)?.map_err(at(index))?);
        }
        return Ok(revs);
    }
    if let Some(index) = known.first() {
        let message = "the ref was used before, and not all of this batch were";
        return Err(at(*index)(rejection(Code::REF_REUSED, message)));
    }
    for op in ops {
        if push.has_no_room_for(op, None)? {
            return Err(Refusal::Full);
        }
    }
    for (index, op) in ops.iter().enumerate() {
        if let Some(refused) = unapproved(rules, op) {
            return Err(at(index)(refused));
        }
        if op.op_ref.unix_ms() <= push.transaction.state().horizon {
            let message = "the ref is older than the outcomes that are kept";
            return Err(at(index)(rejection(Code::EXPIRED, message)));
        }
        revs.push(push.apply_of_batch(op, batch)?.map_err(at(index))?);
    }
    Ok(revs)
}

impl<'a, T: Transaction> Push<'a, T> {
    /// The rev of an op's item as the caller sees it, 0 without one, and whether there is what the op is on.
    pub fn seen(&mut self, op: &Op) -> Stored<(Rev, bool)> {
        let Some(collection) = self.transaction.find_collection(&op.collection)? else { return Ok((0, false)) };
        let Some(head) = self.transaction.item(collection, &op.key)? else { return Ok((0, false)) };
        let tags = self.transaction.tags(head.key)?;
        if !self.caller.tags.see(&tags) {
            return Ok((0, false));
        }
        let there = match op.resource() {
            Ok(Resource::Value) | Err(_) => true,
            Ok(resource) => self.find(head.key, resource, &tags)?.is_some(),
        };
        Ok((head.rev, there))
    }

    // What becomes of an op, or became of it where its ref is known.
    fn decide_alone(&mut self, op: &'a Op, base: Option<Rev>) -> Stored<Result<Rev, Rejection>> {
        let result = self.decide(op, base)?;
        Ok(match (result.outcome, result.code) {
            (PushOutcome::Accepted, _) => {
                let seq = result.seq.unwrap_or_default();
                Ok(self.transaction.rev_after(seq)?.unwrap_or(seq))
            }
            (PushOutcome::Rejected, Some(code)) => {
                Err(Rejection { code, message: result.message.unwrap_or_default(), detail: result.detail })
            }
            // Of a replica's batch that is not complete.
            _ => Err(rejection(Code::REF_REUSED, "the ref is of an operation that is not decided yet")),
        })
    }

    fn apply_of_batch(&mut self, op: &Op, batch: BatchId) -> Stored<Result<Rev, Rejection>> {
        let (digest, fault) = examine(op, &self.rules.limits);
        if let Some(fault) = fault {
            return Ok(Err(self.told_of(op, fault)?));
        }
        let seq = self.transaction.next_seq()?;
        let row = RefRow { client: self.author.client, digest, state: RefState::Accepted, seq, at: self.now };
        self.transaction.record_ref(&op.op_ref, &row)?;
        let proposal = match Proposal::of(op) {
            Ok(proposal) => proposal,
            Err(malformed) => return Ok(Err(rejection(Code::INVALID, malformed))),
        };
        match self.apply(&proposal, seq, Some(batch))? {
            Ok(()) => Ok(Ok(self.transaction.rev_after(seq)?.unwrap_or(seq))),
            Err(rejection) => Ok(Err(rejection)),
        }
    }
}
