//! What must be so of an item for a write to be done.

use crate::protocol::Rev;
use crate::wire::http::DataCall;

/// What must be so for a write to be done; the server judges it in the transaction that decides the write.
///
/// One that is not met is [`RemoteError::PreconditionFailed`](crate::RemoteError::PreconditionFailed), and nothing is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precondition {
    /// Nothing: the write is done to whatever there is.
    #[default]
    None,
    /// What is written does not exist, as far as its writer may see: the item, or of a write to an index entry, a relation
    /// or a tag that one.
    Absent,
    /// What is written exists: the item, or the index entry, the relation, the tag.
    Exists,
    /// The *item* has this rev, also where an index entry, a relation or a tag is written. Never met by 0.
    ///
    /// It is the op's base too, so that a collection with the policy `reject_stale` takes the write.
    Rev(Rev),
}

impl Precondition {
    pub(super) fn put(self, call: &mut DataCall) {
        match self {
            Precondition::None => {}
            Precondition::Absent => call.if_there = Some(false),
            Precondition::Exists => call.if_there = Some(true),
            Precondition::Rev(rev) => call.if_rev = Some(rev),
        }
    }
}
