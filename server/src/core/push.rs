//! One push, op by op, in the client's order.

use super::approval::Word;
use super::examine::{Proposal, beyond, examine, rejection};
use super::policy::Author;
use super::{Caller, Refusal, Rules, batch, cursor};
use crate::storage::{BatchRow, BatchState, ClientKey, RefRow, RefState, Rejection, StorageError, Stored, Transaction};
use std::collections::{HashMap, HashSet};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::{
    BatchId, ClientId, Code, Op, OpResult, PushOutcome, PushRequest, PushResponse, Ref, Rev, Seq,
};

/// Decides a push of `caller` at `now` (milliseconds since 1970) within a transaction, which the caller
/// commits, or undoes when this fails.
///
/// Fails, with nothing taken, when the push exceeds a limit as a whole, when the client id is another user's, and when
/// the replica's cursor is of another life of the log.
pub fn push(
    transaction: &mut impl Transaction,
    rules: &Rules,
    caller: &Caller,
    request: &PushRequest,
    now: u64,
) -> Result<PushResponse, Refusal> {
    let (most, ops) = (rules.limits.push_ops, request.ops.len());
    if ops > most {
        return Err(Refusal::TooLarge(format!("the push has {ops} operations; the limit is {most}")));
    }
    let client = claim(transaction, rules, &request.client, &caller.user, now)?;
    if let Some(cursor) = request.cursor.as_ref().filter(|_| !planted(Planted::Rule6PushReadsNoCursor)) {
        // Another expiry is for the next pull to tell: what the log was is all that matters to a push.
        if let Ok(position) = cursor::decode(cursor)
            && let Some(rewound) = position.rewound(transaction)?
        {
            return Err(Refusal::CursorExpired(rewound));
        }
    }
    let mut push = Push::new(transaction, rules, caller, client, now);
    push.bytes = push.transaction.bytes()?;
    push.results.reserve(ops);
    if ops > 0 {
        push.hold()?;
        push.await_queue()?;
    }
    for op in &request.ops {
        let result = push.decide(op, op.base)?;
        push.results.push(result);
    }
    let results = push.results;
    Ok(PushResponse { seq: transaction.state().head, results })
}

/// A client that does not move is recorded as seen this often, in milliseconds.
pub const SEEN_INTERVAL: u64 = 60 * 60 * 1000;

/// The client, recorded as the user's when it is new. Fails when it is another user's, and when it is new and there is no room.
pub fn claim(
    transaction: &mut impl Transaction,
    rules: &Rules,
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
        None => {
            rules.room.admit(transaction, client)?;
            Ok(transaction.add_client(client, user, now)?)
        }
    }
}

pub type Item<'a> = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>);

pub struct Push<'a, T> {
    pub transaction: &'a mut T,
    pub rules: &'a Rules,
    pub caller: &'a Caller,
    pub author: Author,
    pub now: u64,
    // Items of ops rejected in this push: what follows on them was made on top of what was not to be.
    pub failed: HashSet<Item<'a>>,
    // Items of staged ops: what follows on them must not be decided before them.
    pub held: HashMap<Item<'a>, BatchId>,
    // Items of ops that wait for an approver: what follows on them waits behind them.
    pub waiting: HashSet<Item<'a>>,
    // On whose word the present op is applied, and the tags that the approver puts on what it makes.
    pub word: Word,
    pub added: Vec<String>,
    // Bytes that the present batch has in an answer besides those of its ops: items that it has made visible, what was merged
    // into its payloads.
    pub shown: usize,
    // What the transaction had worked when this push began, and when the present batch did.
    pub began: u64,
    pub batch_began: u64,
    // What the database had before a request, which alone looks for room; 0 where ops of an earlier one are decided.
    pub bytes: u64,
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
    /// A push of nothing, to decide ops of an earlier one.
    pub fn new(
        transaction: &'a mut T,
        rules: &'a Rules,
        caller: &'a Caller,
        client: ClientKey,
        now: u64,
    ) -> Push<'a, T> {
        let began = transaction.work();
        Push {
            transaction,
            rules,
            caller,
            author: Author { client, since: 0 },
            now,
            failed: HashSet::new(),
            held: HashMap::new(),
            waiting: HashSet::new(),
            word: Word::Sender,
            added: Vec::new(),
            shown: 0,
            began,
            batch_began: began,
            bytes: 0,
            results: Vec::new(),
        }
    }

    /// Decides one op as if it had this `base`.
    pub fn decide(&mut self, op: &'a Op, base: Option<Rev>) -> Stored<OpResult> {
        let (digest, fault) = examine(op, &self.rules.limits);
        if !op.op_ref.is_v7() {
            return self.refuse(op, rejection(Code::INVALID, "the ref is not a UUIDv7"));
        }
        let item: Item<'a> = (op.collection.as_str().into(), op.key.as_str().into());
        let held = self.held.get(&item).is_some_and(|batch| Some(*batch) != op.batch);
        let failed = self.failed.contains(&item) && !planted(Planted::Rule12NothingSkipped);
        let queues = self.must_queue(op);
        let batch = match op.batch {
            Some(batch) => self.transaction.batch(self.author.client, &batch)?,
            None => None,
        };
        let full = queues && self.queue_is_full();
        let no_room = self.has_no_room_for(op, batch)?;
        let blocked = held
            || failed
            || full
            || self.is_spent()
            || no_room
            || self.must_begin_later(op, batch)?
            || self.must_complete_later(batch)?;
        let perhaps_forgotten =
            op.op_ref.unix_ms() <= self.transaction.state().horizon && !planted(Planted::Rule8OldRefsTaken);
        if blocked || perhaps_forgotten {
            let forgotten = perhaps_forgotten && planted(Planted::Rule8ExpiresTheKnown);
            if let Some(known) = self.transaction.find_ref(&op.op_ref)?.filter(|_| !forgotten) {
                return self.present(op, digest, &known);
            }
            if perhaps_forgotten {
                let old = rejection(Code::EXPIRED, "the ref is older than the outcomes that are kept");
                return self.refuse(op, old);
            }
            // What comes behind it on its item would overtake it.
            self.failed.insert(item);
            let code = no_room.then_some(Code::FULL);
            return Ok(OpResult { code, ..result(op.op_ref, PushOutcome::Skipped, None) });
        }
        let fault = match fault {
            Some(fault) => Some(self.told_of(op, fault)?),
            None => None,
        };
        // Recorded as what it most likely becomes, so that a new op costs one statement less.
        let state = match op.batch {
            Some(_) => RefState::Staged,
            None if queues => RefState::Queued,
            None => RefState::Accepted,
        };
        let seq = if state == RefState::Accepted { self.transaction.state().next } else { 0 };
        let row = RefRow { client: self.author.client, digest, state, seq, at: self.now };
        if !self.transaction.record_ref(&op.op_ref, &row)? && !planted(Planted::Rule7RefsNotLookedUp) {
            return match self.transaction.find_ref(&op.op_ref)? {
                Some(known) => self.present(op, digest, &known),
                None => Err(StorageError::corrupt("a ref is there and is not")),
            };
        }
        if let (Some(id), Some(of)) = (op.batch, op.of)
            && !planted(Planted::Rule10HalfABatch)
        {
            return self.stage(op, (id, batch), of, fault);
        }
        if queues && fault.is_none() {
            self.enqueue(vec![op.clone()], None)?;
            return Ok(result(op.op_ref, PushOutcome::Queued, None));
        }
        let seq = self.transaction.next_seq()?;
        let verdict = match fault {
            Some(fault) => Err(fault),
            None => match Proposal::of(op) {
                Ok(proposal) => self.apply(&Proposal { base, ..proposal }, seq, None)?,
                Err(malformed) => Err(rejection(Code::INVALID, malformed)),
            },
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
        for (collection, key, batch) in self.transaction.staged_items(self.author.client)? {
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
        self.transaction.append_rejected(seq, op_ref, self.author.client, batch, self.now, rejection)
    }

    /// What became of a ref that was seen before.
    fn present(&mut self, op: &'a Op, digest: u128, known: &RefRow) -> Stored<OpResult> {
        let own = known.client == self.author.client
            || self.transaction.user_of(known.client)?.is_some_and(|user| user == self.caller.user);
        if !own || known.digest != digest && !planted(Planted::Rule7OpsNotCompared) {
            let by = if own { "for another operation" } else { "by another user" };
            return self.refuse(op, rejection(Code::REF_REUSED, format_args!("the ref was used before {by}")));
        }
        // What takes an op over must be there to be told of it.
        let takes_over = known.client != self.author.client && self.author.is_replica();
        if takes_over && self.is_spent() && matches!(known.state, RefState::Staged | RefState::Queued) {
            self.failed.insert((op.collection.as_str().into(), op.key.as_str().into()));
            return Ok(result(op.op_ref, PushOutcome::Skipped, None));
        }
        match known.state {
            RefState::Accepted => Ok(result(op.op_ref, PushOutcome::Accepted, Some(known.seq))),
            RefState::Staged if takes_over => self.take_over(op, known.client),
            RefState::Staged => Ok(result(op.op_ref, PushOutcome::Staged, None)),
            RefState::Queued if takes_over => self.take_over_queued(op),
            RefState::Queued => Ok(result(op.op_ref, PushOutcome::Queued, None)),
            RefState::Rejected => {
                if let Some(batch) = op.batch.filter(|_| known.client != self.author.client) {
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

    // `known`: the batch as it is, if it was begun.
    fn stage(
        &mut self,
        op: &'a Op,
        (batch, known): (BatchId, Option<BatchRow>),
        of: u32,
        fault: Option<Rejection>,
    ) -> Stored<OpResult> {
        let item: Item<'a> = (op.collection.as_str().into(), op.key.as_str().into());
        let limits = &self.rules.limits;
        let mut row = match known {
            Some(row) => row,
            None => batch::begin(self.transaction, self.author.client, batch, of, self.now)?,
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
        self.transaction.stage(row.key, op)?;
        self.held.insert(item, batch);
        if row.ops < row.of {
            self.transaction.update_batch(&row, self.now)?;
            return Ok(result(op.op_ref, PushOutcome::Staged, None));
        }
        // The answer for this op is written into its place like those of the ops before it.
        self.results.push(result(op.op_ref, PushOutcome::Staged, None));
        self.complete(row)?;
        self.results.pop().ok_or_else(|| StorageError::corrupt("a result went missing"))
    }
}
