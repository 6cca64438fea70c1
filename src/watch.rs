//! What a watcher is asked for, and what it tells.

use crate::protocol::Ref;

/// How many items a watcher holds by default.
const CAPACITY: usize = 4_096;

/// Which items to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    pub(crate) scope: Scope,
    pub(crate) capacity: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    All,
    Collection(String),
    Key(String, String),
    Prefix(String, String),
}

impl Watch {
    fn new(scope: Scope) -> Watch {
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

impl Scope {
    pub fn has(&self, collection: &str, key: &str) -> bool {
        match self {
            Scope::All => true,
            Scope::Collection(of) => of == collection,
            Scope::Key(of, one) => one == key && of == collection,
            Scope::Prefix(of, prefix) => of == collection && key.starts_with(prefix),
        }
    }
}

/// What changed since a watcher was asked last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what a watcher has told once it does not tell again"]
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

/// One item whose value reads otherwise than before; its index entries, relations and tags do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemChange {
    /// The item's collection.
    pub collection: String,
    /// The item's key.
    pub key: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// Where the change came from.
    pub origin: Origin,
    /// The operation that changed it last: the one that was written, the one that the server committed, or the own one
    /// that it rejected, so that it left what is read.
    pub op_ref: Option<Ref>,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It has a value, another than before.
    Set,
    /// It is gone.
    Deleted,
}

/// Where a change came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}
