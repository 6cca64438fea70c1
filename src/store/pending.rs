//! The outbox as the host sees it.

use super::Store;
use crate::error::Result;
use crate::outbox::{Answer, Outcome, Queued, queue};
use crate::protocol::{BatchId, OpKind, Ref, ResourceName, Rev};

/// An operation that the server has not confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingOp {
    /// The operation.
    pub op_ref: Ref,
    /// The collection of its item.
    pub collection: String,
    /// The key of its item.
    pub key: String,
    /// What of the item it is on.
    pub resource: ResourceName,
    /// What it does.
    pub kind: OpKind,
    /// The JSON text of a set's value or a patch's operations, or of what an index entry (`{"order"}`) or a relation
    /// (`{"predicate","object"}`) is set to.
    pub payload: Option<String>,
    /// The rev of the item that this replica had confirmed when it was made; `None`: no claim.
    pub base: Option<Rev>,
    /// Its batch, if it is in one.
    pub batch: Option<BatchId>,
    /// Where it stands.
    pub state: PendingState,
    /// Whether it still applies to what this replica knows of the item; if not, the server will likely reject it,
    /// and reads do not show it.
    pub applies: bool,
}

/// Where a pending operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PendingState {
    /// Never sent.
    Queued,
    /// Sent, and not answered yet.
    InFlight,
    /// The server committed it; its place in the log is not pulled yet.
    Accepted,
    /// The server refused it; its place in the log is not pulled yet.
    Rejected,
    /// The server holds it for an approver.
    AwaitingApproval,
    /// The server holds it until the rest of its batch has come.
    Staged,
}

impl Queued {
    fn state(&self) -> PendingState {
        match self.answer {
            Answer::None if self.sent => PendingState::InFlight,
            Answer::None => PendingState::Queued,
            Answer::Accepted => PendingState::Accepted,
            Answer::Rejected => PendingState::Rejected,
            Answer::Queued => PendingState::AwaitingApproval,
            Answer::Staged => PendingState::Staged,
        }
    }

    /// What the ledger says of it as long as it is queued.
    pub(super) fn outcome(self) -> Outcome {
        match (self.state(), self.seq, self.rejection) {
            (PendingState::Queued, ..) => Outcome::Queued,
            (PendingState::Accepted, Some(seq), _) => Outcome::Accepted { seq },
            (PendingState::Rejected, _, Some(rejection)) => Outcome::Rejected(rejection),
            _ => Outcome::InFlight,
        }
    }
}

impl Store {
    /// Every operation that is not settled, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn pending(&self) -> Result<Vec<PendingOp>> {
        self.replica.read(|connection| {
            let mut pending = Vec::new();
            queue::scan(connection, 0, i64::MAX, |row, collection, key| {
                pending.push(PendingOp {
                    op_ref: row.op_ref,
                    collection,
                    key,
                    kind: row.payload.kind,
                    state: row.state(),
                    base: row.base,
                    batch: row.batch.map(|(id, _)| id),
                    applies: row.applies,
                    resource: row.payload.resource,
                    payload: row.payload.text,
                });
                true
            })?;
            Ok(pending)
        })
    }

    /// How many operations are not settled.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn pending_count(&self) -> Result<u64> {
        self.replica.read(queue::count)
    }
}
