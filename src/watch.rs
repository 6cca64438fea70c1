//! What a watcher is asked for, and what it tells.

use crate::protocol::Ref;
use crate::replica::Bounds;
use std::sync::Arc;

/// How many items a watcher holds by default.
const CAPACITY: usize = 4_096;

/// Which items to be told of.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    pub(crate) scope: Scope,
    pub(crate) capacity: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scope {
    All,
    Collection(String),
    Key(String, String),
    Prefix(String, String),
    /// Those of a collection between two keys; the second is not among them.
    Keys(String, String, Option<String>),
    /// Those of a collection that stand in a range of an index.
    Index(IndexRange),
    /// None.
    Nothing,
    /// More than is worth listing: everything, and it is not known which ranges of indexes.
    Unlisted,
}

/// A range of an index, whichever that is when something changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IndexRange {
    pub collection: String,
    pub index: String,
    pub bounds: Bounds,
    /// Names it among all of the collection.
    pub text: Arc<str>,
}

impl IndexRange {
    pub fn new(collection: &str, index: &str, bounds: Bounds) -> IndexRange {
        let text = serde_json::json!([index, bounds.to_text()]).to_string().into();
        IndexRange { collection: collection.to_owned(), index: index.to_owned(), bounds, text }
    }

    /// From the text that another store has made.
    pub fn from_text(collection: &str, text: &str) -> Option<IndexRange> {
        let (index, bounds): (String, String) = serde_json::from_str(text).ok()?;
        Some(IndexRange::new(collection, &index, Bounds::from_text(&bounds)?))
    }
}

impl Watch {
    pub(crate) fn new(scope: Scope) -> Watch {
        Watch { scope, capacity: CAPACITY }
    }

    /// Every item.
    pub fn all() -> Watch {
        Watch::new(Scope::All)
    }

    /// The items of a collection.
    pub fn collection(collection: impl Into<String>) -> Watch {
        Watch::new(Scope::Collection(collection.into()))
    }

    /// One item, whether there is one now or not.
    pub fn key(collection: impl Into<String>, key: impl Into<String>) -> Watch {
        Watch::new(Scope::Key(collection.into(), key.into()))
    }

    /// The items of a collection whose keys begin so.
    pub fn prefix(collection: impl Into<String>, prefix: impl Into<String>) -> Watch {
        Watch::new(Scope::Prefix(collection.into(), prefix.into()))
    }

    /// How many items may have changed between two looks before the watcher gives up and says [`Overflow::Full`].
    /// Default: 4,096. It holds their names, and no values.
    pub fn capacity(mut self, items: usize) -> Watch {
        self.capacity = items;
        self
    }
}

/// A change on its way to who watches.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub change: ItemChange,
    /// The texts of the watched ranges in which the item stood before or stands now; `None`: it is not known.
    pub ranges: Option<Vec<Arc<str>>>,
}

impl Scope {
    /// Whether a change of an item concerns it.
    pub fn wants(&self, told: &Told) -> bool {
        match (self, &told.ranges) {
            (Scope::Index(range), None) => range.collection == told.change.collection,
            (Scope::Index(range), Some(ranges)) => {
                range.collection == told.change.collection && ranges.contains(&range.text)
            }
            _ => self.has(&told.change.collection, &told.change.key),
        }
    }

    /// Whether it is of an item by its name; of a range of an index that is not known so.
    pub fn has(&self, collection: &str, key: &str) -> bool {
        match self {
            Scope::All | Scope::Unlisted => true,
            Scope::Index(_) | Scope::Nothing => false,
            Scope::Keys(of, first, end) => {
                of == collection && key >= first.as_str() && end.as_deref().is_none_or(|end| key < end)
            }
            Scope::Collection(of) => of == collection,
            Scope::Key(of, one) => one == key && of == collection,
            Scope::Prefix(of, prefix) => of == collection && key.starts_with(prefix),
        }
    }
}

/// What changed since a watcher was asked last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what a watcher has told once it does not tell again"]
#[non_exhaustive]
pub enum Changes {
    /// Each item that changed, once, with what became of it last, in the order in which each first changed. Empty: nothing did.
    Items(Vec<ItemChange>),
    /// More may have changed than can be told: look at everything again.
    Overflowed(Overflow),
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        matches!(self, Changes::Items(items) if items.is_empty())
    }
}

/// One item that reads otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemChange {
    /// The item's collection.
    pub collection: String,
    /// The item's key.
    pub key: String,
    /// What became of it, all changes since the last look together.
    pub kind: ChangeKind,
    /// Where the change came from.
    pub origin: Origin,
    /// The operation that changed it last, or its index entries, relations and tags where the value is as it was: the one that was written, the one that the server committed, or the own one
    /// that it rejected, so that it left what is read.
    pub op_ref: Option<Ref>,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It has a value, another than before. Its index entries, relations and tags may be others, too.
    Set,
    /// It is gone: it was deleted, or an own operation that made it was rejected.
    Deleted,
    /// It is gone from this replica, since the user may not see it any more: a tag was taken from it, or from the user's
    /// credential. It is not deleted.
    Revoked,
    /// Its value is as it was; index entries, relations or tags of it, that were set or synced, are others.
    Resources,
}

impl ChangeKind {
    /// What became of an item by this change after an earlier one.
    pub(crate) fn after(self, earlier: ChangeKind) -> ChangeKind {
        match (earlier, self) {
            (ChangeKind::Resources, now) => now,
            // It is there, with a value that was not told of, or as one that had gone.
            (_, ChangeKind::Resources) => ChangeKind::Set,
            (_, now) => now,
        }
    }
}

/// Where a change came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A write to this replica, by any store that has its file open.
    Local,
    /// The server: others' operations, or its rejection of an own one.
    Remote,
}

/// Why a watcher cannot tell what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// More items changed than it holds; see [`Watch::capacity`].
    Full,
    /// Other stores that have the file open changed more than the file keeps a trail of: some 4,096 items.
    Missed,
    /// A checkpoint took the place of everything: the replica was new, or its cursor had expired. Or the replica keeps more
    /// than before, or less ([`Store::keep`](crate::Store::keep)).
    Reloaded,
    /// The index that is watched was declared, dropped, or built to its end.
    Reindexed,
}
