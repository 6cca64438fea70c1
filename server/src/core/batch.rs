//! Batches: staged until all their ops have come, then committed or rejected as one.

use super::examine::rejection;
use super::push::{Push, rejected, result};
use super::{Caller, Rules, Tags, work};
use crate::storage::{
    BatchKey, BatchRow, BatchState, ClientKey, RefState, Rejection, StorageError, Stored, Transaction,
};
use std::collections::HashMap;
use syncstore::planted::{Planted, planted};
use syncstore::protocol::{BatchId, Code, Op, OpResult, PushOutcome, Ref};

// How many ops, in the largest batches, a client may have begun; so one that was lost does not keep the next from beginning.
const OPEN_BATCHES: u64 = 2;

pub fn begin(
    transaction: &mut impl Transaction,
    client: ClientKey,
    batch: BatchId,
    of: u32,
    now: u64,
) -> Stored<BatchRow> {
    let row = BatchRow { key: BatchKey(0), client, batch, of, ops: 0, bytes: 0, state: BatchState::Staged };
    let key = transaction.add_batch(&row, now)?;
    Ok(BatchRow { key, ..row })
}

/// Why an op is rejected that only shares its batch with one at fault.
pub fn not_at_fault() -> Rejection {
    rejection(Code::BATCH_FAILED, "another operation of the batch was rejected")
}

impl<T: Transaction> Push<'_, T> {
    /// Commits a batch whose ops have all come, or rejects them all; or queues them, if one of them must be.
    pub fn complete(&mut self, mut row: BatchRow) -> Stored<()> {
        let ops = self.transaction.take_staged(row.key)?;
        let answers = if ops.iter().any(|op| self.must_queue(op)) {
            for op in &ops {
                self.transaction.settle_ref(&op.op_ref, RefState::Queued, 0, self.now)?;
            }
            self.enqueue(ops.clone(), Some(row.batch))?;
            ops.iter().map(|op| result(op.op_ref, PushOutcome::Queued, None)).collect()
        } else {
            self.commit_together(&ops, Some(row.batch), &HashMap::new())?
        };
        let rejected = answers.iter().any(|answer| answer.outcome == PushOutcome::Rejected);
        row.state = if rejected { BatchState::Failed } else { BatchState::Done };
        self.transaction.update_batch(&row, self.now)?;
        self.settled(row.batch, &ops, answers);
        Ok(())
    }

    /// Whether an op would begin a batch while its client has begun too many ops in others. A replica completes one batch before
    /// the next, but may have lost one that it had begun; a client that begins them without end would have each of its pushes
    /// look through them all.
    pub fn must_begin_later(&mut self, op: &Op, known: Option<BatchRow>) -> Stored<bool> {
        let most = self.rules.limits.batch_ops as u64;
        // One that is larger than any batch may be is rejected as such.
        let Some(of) = op.of.map(u64::from).filter(|of| op.batch.is_some() && known.is_none() && *of <= most) else {
            return Ok(false);
        };
        let (batches, open) = self.transaction.open_batches(self.author.client)?;
        self.transaction.add_work(batches * work::ENTRY);
        Ok(open > 0 && open + of > OPEN_BATCHES * most)
    }

    /// Whether the next op of a batch would complete it while there is no room for it in the queue that it belongs into.
    pub fn must_complete_later(&mut self, known: Option<BatchRow>) -> Stored<bool> {
        match known.filter(|row| row.state == BatchState::Staged && row.ops.saturating_add(1) >= row.of) {
            Some(row) => self.queue_bars(&[row]),
            None => Ok(false),
        }
    }

    /// Makes the batch of an op the present client's, which repeats it after `from`, another client of the user, has had
    /// it staged: the replica has a new client id, and what it sends of the batch from now on must meet what it has sent.
    pub fn take_over(&mut self, op: &Op, from: ClientKey) -> Stored<OpResult> {
        let staged = result(op.op_ref, PushOutcome::Staged, None);
        let Some(batch) = op.batch else { return Ok(staged) };
        let theirs = self.transaction.batch(from, &batch)?.filter(|row| row.state == BatchState::Staged);
        let Some(theirs) = theirs else { return Ok(staged) };
        let own = self.transaction.batch(self.author.client, &batch)?;
        let completes =
            own.filter(|own| own.state == BatchState::Staged && own.ops.saturating_add(theirs.ops) == own.of);
        let barred = match completes {
            Some(own) => self.queue_bars(&[own, theirs])?,
            None => false,
        };
        if barred || self.must_begin_later(op, own)? {
            self.failed.insert((op.collection.clone().into(), op.key.clone().into()));
            return Ok(result(op.op_ref, PushOutcome::Skipped, None));
        }
        // Another batch under the same id: what is staged stays and expires.
        if own.is_some_and(|own| own.state == BatchState::Done) {
            return Ok(staged);
        }
        self.transaction.hand_over(theirs.key, self.author.client, own.map(|own| own.key))?;
        let row = match own {
            None => BatchRow { client: self.author.client, ..theirs },
            Some(own) => BatchRow {
                ops: own.ops.saturating_add(theirs.ops),
                bytes: own.bytes.saturating_add(theirs.bytes),
                state: BatchState::Staged,
                ..own
            },
        };
        self.transaction.update_batch(&row, self.now)?;
        let limits = &self.rules.limits;
        let bytes = usize::try_from(row.bytes).unwrap_or(usize::MAX);
        let fits = row.of == theirs.of && row.ops <= row.of && limits.check_batch(row.ops as usize, bytes).is_ok();
        // The answer for this op is written into its place like those of the ops before it.
        self.results.push(staged);
        if own.is_some_and(|own| own.state == BatchState::Failed) || (own.is_some() && !fits) {
            self.fail_batch(batch, row.of)?;
        } else if row.ops == row.of {
            self.complete(row)?;
        } else {
            for (collection, key) in self.transaction.staged_items_of(row.key)? {
                self.held.insert((collection.into(), key.into()), batch);
            }
        }
        self.results.pop().ok_or_else(|| StorageError::corrupt("a result went missing"))
    }

    /// Rejects what has come of a batch because of an op that is not among it, and whatever will come of it.
    pub fn fail_batch(&mut self, batch: BatchId, of: u32) -> Stored<()> {
        let mut row = match self.transaction.batch(self.author.client, &batch)? {
            Some(row) if row.state != BatchState::Staged => return Ok(()),
            // Where even the reserve is gone: what comes of it is skipped then.
            None if self.rules.room.is_used_up(self.bytes) => return Ok(()),
            Some(row) => row,
            None => begin(self.transaction, self.author.client, batch, of, self.now)?,
        };
        let ops = self.transaction.take_staged(row.key)?;
        let answers = self.reject_all(&ops, Some(batch), |_| None)?;
        row.state = BatchState::Failed;
        self.transaction.update_batch(&row, self.now)?;
        self.settled(batch, &ops, answers);
        Ok(())
    }

    /// Rejects ops that stand or fall together.
    pub fn reject_all(
        &mut self,
        ops: &[Op],
        batch: Option<BatchId>,
        mut fault: impl FnMut(&Ref) -> Option<Rejection>,
    ) -> Stored<Vec<OpResult>> {
        let mut answers = Vec::with_capacity(ops.len());
        let mut details = 0;
        for op in ops {
            self.transaction.add_work(work::OP);
            let fault = fault(&op.op_ref).filter(|_| !planted(Planted::Rule10NobodyAtFault));
            let mut why = fault.unwrap_or_else(not_at_fault);
            // They stand on one page of the inbox.
            details += why.detail.as_ref().map_or(0, |detail| detail.as_str().len());
            why.detail = why.detail.filter(|_| details <= self.rules.limits.batch);
            let seq = self.transaction.next_seq()?;
            self.record_rejection(&op.op_ref, seq, batch, &why)?;
            self.failed.insert((op.collection.clone().into(), op.key.clone().into()));
            answers.push(rejected(op.op_ref, Some(seq), why));
        }
        Ok(answers)
    }

    // Ops of the batch that this push answered `staged` before are answered with what has become of them.
    fn settled(&mut self, batch: BatchId, ops: &[Op], answers: Vec<OpResult>) {
        if !ops.is_empty() {
            self.held.retain(|_, held| *held != batch);
        }
        let answers: HashMap<Ref, OpResult> = answers.into_iter().map(|answer| (answer.op_ref, answer)).collect();
        for result in self.results.iter_mut().filter(|result| result.outcome == PushOutcome::Staged) {
            if let Some(answer) = answers.get(&result.op_ref) {
                *result = answer.clone();
            }
        }
    }
}

/// Rejects up to `limit` batches that were begun before `before` (milliseconds since 1970) and are still not
/// complete. Returns how many there were.
pub fn expire(transaction: &mut impl Transaction, rules: &Rules, before: u64, now: u64, limit: u32) -> Stored<usize> {
    let overdue = transaction.overdue_batches(before, limit)?;
    let why = rejection(Code::BATCH_FAILED, "the batch was not completed in time");
    let nobody = Caller { user: String::new(), tags: Tags::Only(Vec::new()), grant: Vec::new() };
    for mut row in overdue.iter().copied() {
        let mut push = Push::new(transaction, rules, &nobody, row.client, now);
        let ops = push.transaction.take_staged(row.key)?;
        push.reject_all(&ops, Some(row.batch), |_| Some(why.clone()))?;
        row.state = BatchState::Failed;
        push.transaction.update_batch(&row, now)?;
    }
    Ok(overdue.len())
}
