//! A conflict: what a host is told of it, and what it may decide.

mod decisions;
mod merge;
mod resolvers;

pub(crate) use decisions::{Decisions, Question, Settled};
pub(crate) use merge::{advance, members};
pub use resolvers::{ConflictResolver, FieldMerge, LastWriter, Prefer, ResolverError};

use crate::protocol::{Ref, ResourceName};
use serde_json::Value;
use std::fmt;

/// Names a conflict within its file; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConflictId(pub u64);

impl fmt::Display for ConflictId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Another client changed what an operation of this replica was pending on: the three sides of it.
///
/// Each side is a text of the part of the item that both are on, `resource`: the JSON of its value, `{"order"}` of an index entry,
/// `{"predicate","object"}` of a relation, `{}` of a tag; `None`: there it is absent. Nothing waits for a conflict: what is read is rebased, what
/// is pending is pushed, and the server decides by its policy, whether anybody resolves it or not.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Conflict {
    /// The conflict.
    pub id: ConflictId,
    /// The collection of the item.
    pub collection: String,
    /// The key of the item.
    pub key: String,
    /// What of the item both changed.
    pub resource: ResourceName,
    /// What was confirmed before theirs; it stays the first while more of theirs comes.
    pub base: Option<String>,
    /// What this replica read before theirs came, with what was written here since.
    pub local: Option<String>,
    /// What theirs made of it, with all that came of others since, and without what was written here.
    pub remote: Option<String>,
    /// What this replica reads now.
    pub view: Option<String>,
    /// When it was found, in milliseconds since 1970 by this device's clock.
    pub opened_at: u64,
    /// What became of it; `None`: it is open. One that ended has no sides any more.
    pub end: Option<ConflictEnd>,
    /// How often its sides have changed.
    pub(crate) version: u32,
}

/// What became of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConflictEnd {
    /// How it ended.
    pub how: Ending,
    /// When, in milliseconds since 1970 by this device's clock.
    pub at: u64,
    /// The operation that was written for it; `None`: none was needed.
    pub op: Option<Ref>,
}

/// How a conflict ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// Resolved by [`Resolution::KeepRebased`].
    KeptRebased,
    /// Resolved by [`Resolution::TakeTheirs`].
    TookTheirs,
    /// Resolved by [`Resolution::KeepOurs`].
    KeptOurs,
    /// Resolved by [`Resolution::Merged`].
    Merged,
    /// The server rejected this replica's side of it: it is a [rejection](crate::Store::rejections) now.
    Rejected,
    /// The item is gone from what this replica may see, and nothing of it is kept; or it is deleted, by whomever, and with it the index entry, the relation
    /// or the tag that the conflict was on. One on a value stays open when the item is deleted.
    Gone,
}

/// What to make of a conflict; see [`Store::resolve`](crate::Store::resolve).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Resolution {
    /// What is read now is right. Nothing is written; what is pending and was never sent goes as made in knowledge of theirs.
    KeepRebased,
    /// The remote side is right.
    TakeTheirs,
    /// The local side is right.
    KeepOurs,
    /// This is right. It takes the place of the whole part; of an index entry or a relation it has the form that the sides have.
    Merged(Value),
}

impl Resolution {
    pub(crate) fn ending(&self) -> Ending {
        match self {
            Resolution::KeepRebased => Ending::KeptRebased,
            Resolution::TakeTheirs => Ending::TookTheirs,
            Resolution::KeepOurs => Ending::KeptOurs,
            Resolution::Merged(_) => Ending::Merged,
        }
    }
}
