//! Batches: staged until all their ops have come, then committed or rejected as one.

use super::examine::{Proposal, rejection};
use super::push::{Item, Push, rejected, result};
use super::{Caller, Rules, Tags};
use crate::storage::{
    BatchKey, BatchRow, BatchState, ClientKey, RefState, Rejection, StorageError, Stored, Transaction,
};
use std::collections::{HashMap, HashSet};
use syncstore::protocol::{BatchId, Code, Op, OpResult, PushOutcome, Ref};

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
    /// Commits a batch whose ops have all come, or rejects them all.
    pub fn complete(&mut self, mut row: BatchRow) -> Stored<()> {
        let ops = self.transaction.take_staged(row.key)?;
        self.shown = 0;
        let part = self.transaction.begin_part()?;
        let mut answers = Vec::with_capacity(ops.len());
        let mut faults: HashMap<Ref, Rejection> = HashMap::new();
        let mut failed: HashSet<(&str, &str)> = HashSet::new();
        for op in &ops {
            // What follows a faulty op on its item is not judged: it was made on top of it.
            if failed.contains(&(op.collection.as_str(), op.key.as_str())) {
                continue;
            }
            let seq = self.transaction.next_seq()?;
            let proposal = Proposal::of(op).map_err(StorageError::corrupt)?;
            match self.apply(&proposal, seq, Some(row.batch))? {
                Ok(()) => answers.push(result(op.op_ref, PushOutcome::Accepted, Some(seq))),
                Err(fault) => {
                    failed.insert((&op.collection, &op.key));
                    faults.insert(op.op_ref, fault);
                }
            }
        }
        self.transaction.end_part(part, faults.is_empty())?;
        if faults.is_empty() {
            for answer in &answers {
                let seq = answer.seq.unwrap_or_default();
                self.transaction.settle_ref(&answer.op_ref, RefState::Accepted, seq, self.now)?;
            }
            row.state = BatchState::Done;
        } else {
            answers = self.reject_all(&ops, row.batch, |op_ref| faults.remove(op_ref))?;
            row.state = BatchState::Failed;
        }
        self.transaction.update_batch(&row)?;
        self.settled(row.batch, &ops, answers);
        Ok(())
    }

    /// Makes the batch of an op the present client's, which repeats it after `from`, another client of the user, has had
    /// it staged: the replica has a new client id, and what it sends of the batch from now on must meet what it has sent.
    pub fn take_over(&mut self, op: &Op, from: ClientKey) -> Stored<OpResult> {
        let staged = result(op.op_ref, PushOutcome::Staged, None);
        let Some(batch) = op.batch else { return Ok(staged) };
        let theirs = self.transaction.batch(from, &batch)?.filter(|row| row.state == BatchState::Staged);
        let Some(theirs) = theirs else { return Ok(staged) };
        let own = self.transaction.batch(self.author.client, &batch)?;
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
        self.transaction.update_batch(&row)?;
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
            self.hold()?;
        }
        self.results.pop().ok_or_else(|| StorageError::corrupt("a result went missing"))
    }

    /// Rejects what has come of a batch because of an op that is not among it, and whatever will come of it.
    pub fn fail_batch(&mut self, batch: BatchId, of: u32) -> Stored<()> {
        let mut row = match self.transaction.batch(self.author.client, &batch)? {
            Some(row) if row.state != BatchState::Staged => return Ok(()),
            Some(row) => row,
            None => begin(self.transaction, self.author.client, batch, of, self.now)?,
        };
        let ops = self.transaction.take_staged(row.key)?;
        let answers = self.reject_all(&ops, batch, |_| None)?;
        row.state = BatchState::Failed;
        self.transaction.update_batch(&row)?;
        self.settled(batch, &ops, answers);
        Ok(())
    }

    fn reject_all(
        &mut self,
        ops: &[Op],
        batch: BatchId,
        mut fault: impl FnMut(&Ref) -> Option<Rejection>,
    ) -> Stored<Vec<OpResult>> {
        let mut answers = Vec::with_capacity(ops.len());
        for op in ops {
            let why = fault(&op.op_ref).unwrap_or_else(not_at_fault);
            let seq = self.transaction.next_seq()?;
            self.record_rejection(&op.op_ref, seq, Some(batch), &why)?;
            let item: Item<'_> = (op.collection.clone().into(), op.key.clone().into());
            self.failed.insert(item);
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
        let mut push = Push::of(transaction, rules, &nobody, row.client, now);
        let ops = push.transaction.take_staged(row.key)?;
        push.reject_all(&ops, row.batch, |_| Some(why.clone()))?;
        row.state = BatchState::Failed;
        push.transaction.update_batch(&row)?;
    }
    Ok(overdue.len())
}
