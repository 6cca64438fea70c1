//! The deciding core: given a transaction of the storage and a push, what becomes of every op.
//!
//! It has no clock, no randomness and no I/O but the transaction it is given, so a test or a
//! simulation can drive it. [`push`] is the most of it, [`write()`] and [`write_batch`] decide by the same rules for
//! callers without a replica; the rules are those of sections 2, 3 and 6 of the protocol.

mod apply;
pub mod approval;
mod batch;
mod caller;
pub mod cursor;
mod digest;
mod direct;
mod examine;
mod merge;
mod policy;
mod push;
mod room;
mod touched;
mod work;

pub use apply::MOST_TAGS;
pub use batch::expire as expire_batches;
pub use caller::{Caller, Tags};
pub use direct::{Conditions, Expected, batch as write_batch, write};
pub use examine::MOST_NESTING;
pub use policy::Policy;
pub use push::{SEEN_INTERVAL, claim, push};
pub use room::Room;

use crate::storage::{Rejection, StorageError};
use approval::Approval;
use std::collections::BTreeMap;
use syncstore::protocol::{Limits, Rev};
use syncstore::wire::Expiry;

/// What a database is held to.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The limits that it publishes.
    pub limits: Limits,
    /// The policy of each collection by its name; any other accepts in the order of arrival.
    pub policies: BTreeMap<String, Policy>,
    /// Which ops wait for an approver.
    pub approval: Approval,
    /// How much a database may have.
    pub room: Room,
    /// The bytes of values that one push makes the server read and write before the rest of it is skipped.
    pub most_work: u64,
}

impl Rules {
    fn policy(&self, collection: &str) -> Policy {
        self.policies.get(collection).copied().unwrap_or_default()
    }
}

/// Why a request is not taken as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The client id is another user's.
    #[error(
        "the client id belongs to another user: this replica's file has synced as that user; open another file for this one"
    )]
    Forbidden,
    /// The replica's cursor is not of this log.
    #[error("the cursor has expired")]
    CursorExpired(Expiry),
    /// The push exceeds a limit.
    #[error("{0}")]
    TooLarge(String),
    /// The item is not as a condition of the request asks.
    #[error("the item is not as the request's conditions ask")]
    Unmet {
        /// Its rev as the caller sees it; 0: it sees none.
        rev: Rev,
    },
    /// An op of a batch is at fault, so none was applied.
    #[error("operation {failed} of the batch: {}", .rejection.message)]
    BatchFailed {
        /// Its index.
        failed: usize,
        /// What is wrong with it.
        rejection: Rejection,
    },
    /// The database has no room for it.
    #[error("the database is full: delete what is not needed, or ask its operator for more room")]
    Full,
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
