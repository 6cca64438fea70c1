//! What a push leaves in the queue of the approver, and behind what waits there.

use super::super::push::{Push, result};
use super::super::work;
use crate::storage::queued::{QueuedOp, UnitKey, UnitRow};
use crate::storage::{BatchRow, Stored, Transaction};
use syncstore::protocol::{BatchId, Op, OpResult, PushOutcome};

impl<T: Transaction> Push<'_, T> {
    /// Whether an op must not be decided in this push, since an approver is to decide it or an earlier one on its item.
    pub fn must_queue(&self, op: &Op) -> bool {
        self.waits(&op.collection, &op.key)
    }

    fn waits(&self, collection: &str, key: &str) -> bool {
        self.rules.approval.collections.contains(collection) || self.waiting.contains(&(collection.into(), key.into()))
    }

    /// Whether the ops of these batches must not come together now: one of them must queue, and no more are taken in.
    pub fn queue_bars(&mut self, batches: &[BatchRow]) -> Stored<bool> {
        if self.queue_is_full() {
            for batch in batches {
                let items = self.transaction.staged_items_of(batch.key)?;
                self.transaction.add_work(items.len() * work::ENTRY);
                if items.iter().any(|(collection, key)| self.waits(collection, key)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether no more ops are taken in.
    pub fn queue_is_full(&self) -> bool {
        let (state, approval) = (self.transaction.state(), &self.rules.approval);
        // Where the approver was taken away there is no limit, and what comes behind the ops that still wait does too.
        let limited = !approval.collections.is_empty();
        limited && (state.queued >= approval.most_ops || state.queued_bytes >= approval.most_bytes)
    }

    /// Notes the items of the client's ops that wait.
    pub fn await_queue(&mut self) -> Stored<()> {
        if self.transaction.state().queued > 0 {
            for (collection, key) in self.transaction.queued_items(self.author.client)? {
                self.waiting.insert((collection.into(), key.into()));
            }
        }
        Ok(())
    }

    /// Puts ops at the end of the queue, to be decided together. Their refs are recorded.
    pub fn enqueue(&mut self, ops: Vec<Op>, batch: Option<BatchId>) -> Stored<()> {
        let mut queued = Vec::with_capacity(ops.len());
        for op in ops {
            self.waiting.insert((op.collection.clone().into(), op.key.clone().into()));
            let asks = self.rules.approval.collections.contains(&op.collection);
            queued.push(QueuedOp { op, asks });
        }
        let unit = UnitRow {
            key: UnitKey(0),
            client: self.author.client,
            batch,
            user: self.caller.user.clone(),
            tags: self.caller.tags.needed().map(<[String]>::to_vec),
            grant: self.caller.grant.clone(),
            at: self.now,
        };
        self.transaction.add_unit(&unit, &queued)?;
        Ok(())
    }

    /// Makes the unit of an op the present client's, which repeats it after another client of the user: the replica
    /// has a new client id, and what it sends from now on must be decided behind it. With it go the units of the other
    /// client that it is in one order with: their repeats may come in a later push, and must not be decided before.
    pub fn take_over_queued(&mut self, op: &Op) -> Stored<OpResult> {
        if let Some(unit) = self.transaction.unit_of(&op.op_ref)? {
            let (units, items) = self.transaction.tied_units(unit)?;
            self.transaction.add_work((units.len() + items.len()) * work::ENTRY);
            for unit in units {
                self.transaction.hand_over_unit(unit, self.author.client)?;
            }
            self.waiting.extend(items.into_iter().map(|(collection, key)| (collection.into(), key.into())));
        }
        Ok(result(op.op_ref, PushOutcome::Queued, None))
    }
}
