//! What happens to an op whose base is behind (section 2).

use super::Tags;
use crate::storage::{ClientKey, CollectionKey, ItemHead, Stored, Transaction};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::{Rev, Seq};

/// What happens to an op whose base is behind (section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The order of arrival decides.
    #[default]
    Accept,
    /// A base that is behind, and no claim on an existing item, is refused.
    RejectStale,
    /// Property by property: the server's value wins where both touched the same, a delete wins over an update.
    Merge,
}

/// Whose ops do not count as another's.
#[derive(Clone, Copy, Debug)]
pub struct Author {
    /// The client.
    pub client: ClientKey,
    /// Where its ops begin: before, others wrote as the same client. 0 for a replica's.
    pub since: Seq,
}

impl Author {
    /// Whether it pulls what becomes of its ops.
    pub fn is_replica(self) -> bool {
        self.since == 0
    }

    /// Whether the op at that seq is its own.
    pub fn made(self, client: ClientKey, seq: Seq) -> bool {
        self.client == client && seq >= self.since
    }

    /// Whether the item is as this request, one without a replica, has just left it.
    pub fn has_just_left(self, head: &ItemHead) -> bool {
        self.since > 0 && self.made(head.client, head.rev)
    }
}

/// The highest seq of an op of another than `author` in the item's present life; 0 without one.
pub fn last_of_others(head: &ItemHead, author: Author) -> Seq {
    if author.made(head.client, head.rev) { head.other } else { head.rev }
}

/// The item's head after an op of `author`.
pub fn changed_by(head: &ItemHead, author: Author, rev: Rev) -> ItemHead {
    ItemHead { rev, client: author.client, other: last_of_others(head, author), ..*head }
}

/// Whether a base is behind for `author`, who sees the item if there is one, and of ended ones those with such tags.
pub fn is_behind(
    transaction: &impl Transaction,
    (collection, key): (CollectionKey, &str),
    head: Option<&ItemHead>,
    base: Rev,
    author: Author,
    sees: &Tags,
) -> Stored<bool> {
    if planted(Planted::Rule5OthersIgnored) {
        return Ok(false);
    }
    match head {
        Some(head) if planted(Planted::Rule5OwnOpsCount) => Ok(head.rev > base),
        Some(head) => Ok(last_of_others(head, author) > base),
        None if base == 0 || planted(Planted::Rule5TombstonesNotAsked) => Ok(false),
        None => match transaction.tombstone(collection, key)? {
            Some(tombstone) if author.made(tombstone.client, tombstone.seq) => Ok(false),
            Some(tombstone) if tombstone.seq > base => Ok(true),
            // A base at or above it must not tell that there was an item from that there never was one.
            Some(tombstone) => Ok(!saw_end(transaction, tombstone.seq, sees)?),
            // The delete is older than the log: whose it was is forgotten, and no replica of today relies on it.
            None => Ok(true),
        },
    }
}

// Whether a caller saw the item that ended with the entry at that seq.
fn saw_end(transaction: &impl Transaction, seq: Seq, sees: &Tags) -> Stored<bool> {
    Ok(*sees == Tags::All || transaction.entry(seq)?.is_some_and(|entry| sees.see(&entry.tags_before)))
}
