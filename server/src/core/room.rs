//! How much a database may have, and what is taken where it has that.

use super::Refusal;
use super::push::Push;
use crate::storage::{BatchRow, BatchState, Snapshot, Stored, Transaction};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::{ClientId, Op, OpKind, Resource};

/// Bytes of a database, its free pages and its write-ahead log not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// From here on an op is taken only if it deletes an item.
    pub limit: u64,
    /// So many bytes above that not even a delete is taken, nor a client that was not here before. What one push brings is
    /// less, a batch that it completes included: it must not come from below the limit to here.
    pub reserve: u64,
}

impl Room {
    /// The bytes that the log may have after a round of pruning, so that what fills a database is its items, and deleting them makes room.
    pub fn log(&self) -> u64 {
        self.limit / 4
    }

    /// Whether a database of so many bytes takes only what makes room.
    pub fn is_full(&self, bytes: u64) -> bool {
        bytes >= self.limit
    }

    /// Whether it takes nothing more.
    pub fn is_used_up(&self, bytes: u64) -> bool {
        bytes >= self.limit.saturating_add(self.reserve)
    }

    /// Fails for a client that is new where there is room for none: anybody can make up ids.
    pub fn admit(&self, snapshot: &impl Snapshot, client: &ClientId) -> Result<(), Refusal> {
        let refused = self.is_used_up(snapshot.bytes()?) && snapshot.client(client)?.is_none();
        if refused { Err(Refusal::Full) } else { Ok(()) }
    }
}

impl<T: Transaction> Push<'_, T> {
    /// Whether an op that is not known is not to be taken now, for want of room.
    ///
    /// A delete of what its caller does not see would leave a log entry and a ref, as often as it is repeated. `batch`: the op's, as far as
    /// it has come: what is staged takes its room anyway, and is to come to its end.
    pub fn has_no_room_for(&mut self, op: &Op, batch: Option<BatchRow>) -> Stored<bool> {
        if !self.rules.room.is_full(self.bytes) || planted(Planted::FullTakesAll) {
            return Ok(false);
        }
        if self.rules.room.is_used_up(self.bytes) {
            return Ok(true);
        }
        if op.batch.is_some() {
            return Ok(batch.is_none_or(|batch| batch.state != BatchState::Staged));
        }
        let deletes = op.kind == OpKind::Delete && op.resource() == Ok(Resource::Value);
        Ok(!deletes || self.seen(op)?.0 == 0)
    }
}
