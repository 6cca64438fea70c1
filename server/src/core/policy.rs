//! What happens to an op whose base is behind (section 2).

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

/// The highest seq of an op of another client than `client` in the item's present life; 0 without one.
pub fn last_of_others(head: &ItemHead, client: ClientKey) -> Seq {
    if head.client == client { head.other } else { head.rev }
}

/// The item's head after an op of `client`.
pub fn changed_by(head: &ItemHead, client: ClientKey, rev: Rev) -> ItemHead {
    ItemHead { rev, client, other: last_of_others(head, client), ..*head }
}

/// Whether a base is behind for `client`.
pub fn is_behind(
    transaction: &impl Transaction,
    collection: CollectionKey,
    key: &str,
    head: Option<&ItemHead>,
    base: Rev,
    client: ClientKey,
) -> Stored<bool> {
    if planted(Planted::Rule5OthersIgnored) {
        return Ok(false);
    }
    match head {
        Some(head) => Ok(last_of_others(head, client) > base),
        None if base == 0 => Ok(false),
        None => match transaction.tombstone(collection, key)? {
            Some(tombstone) => Ok(tombstone.client != client && tombstone.seq > base),
            // The delete is older than the log: whose it was is forgotten, and no replica of today relies on it.
            None => Ok(true),
        },
    }
}
