//! What of an entry its reader may see (section 4).

use crate::core::Tags;
use crate::storage::{ResourceName, StoredEntry};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::OpKind;

/// What of an accepted entry its reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The op.
    Plain,
    /// The whole item: it has become visible, or was made with tags that the op does not have.
    Full,
    /// That the item is gone: it has ceased to be visible.
    Revoked,
    /// Nothing.
    None,
}

impl Sight {
    /// By the item's tags right before and right after the entry, whatever they are now.
    pub fn of(tags: &Tags, entry: &StoredEntry) -> Sight {
        let on_value = entry.resource == ResourceName::Value;
        if entry.no_op && entry.from == 0 {
            // There was no item that could be hidden.
            return Sight::Plain;
        }
        let (before, after) = (tags.see(&entry.tags_before), tags.see(&entry.tags_after));
        let before = if planted(Planted::Rule15TagsAfterAlone) { after } else { before };
        let after = if planted(Planted::Rule15TagsBeforeAlone) { before } else { after };
        match (before, after) {
            (true, true) if on_value && entry.from == 0 && !entry.tags_after.is_empty() => Sight::Full,
            (true, true) => Sight::Plain,
            (false, true) if planted(Planted::Rule17OpInsteadOfFull) => Sight::Plain,
            (false, true) => Sight::Full,
            (true, false) if on_value && entry.kind == OpKind::Delete => Sight::Plain,
            (true, false) => Sight::Revoked,
            (false, false) => Sight::None,
        }
    }
}
