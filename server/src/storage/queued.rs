//! What is kept of ops that wait for an approver, and the primitives on it.

use super::{ClientKey, Image, Stored};
use std::collections::{BTreeSet, HashSet};
use syncstore::protocol::{BatchId, Op, Ref, Rev};

/// Ops of the queue that are decided together: one op, or a batch. Never used twice; a higher one came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitKey(pub i64);

/// A unit without its ops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitRow {
    /// Its number here.
    pub key: UnitKey,
    /// Whose ops they are.
    pub client: ClientKey,
    /// The batch that it is.
    pub batch: Option<BatchId>,
    /// The user who sent it.
    pub user: String,
    /// The tags that the user might see and assign then; `None`: everything.
    pub tags: Option<Vec<String>>,
    /// The tags that go on what it makes.
    pub grant: Vec<String>,
    /// When it came, in milliseconds since 1970.
    pub at: u64,
}

/// An op of a unit.
#[derive(Clone, Debug)]
pub struct QueuedOp {
    /// The op, without `batch` and `of`.
    pub op: Op,
    /// The approver is to decide it; otherwise it only waits for others.
    pub asks: bool,
}

/// An op of the queue without its payload.
#[derive(Clone, Debug)]
pub struct QueueLine {
    /// The unit that it belongs to.
    pub unit: UnitKey,
    /// Whose op it is.
    pub client: ClientKey,
    /// The collection.
    pub collection: String,
    /// The key.
    pub key: String,
    /// The approver is to decide it.
    pub asks: bool,
}

/// What of the queue can be read.
pub trait QueueSnapshot {
    /// The queue's ops in the order in which they came; those of a unit stand together.
    fn queue_lines(&self, visit: &mut dyn FnMut(QueueLine)) -> Stored<()>;
    /// A unit with its ops in the client's order, unless it was decided.
    fn unit(&self, unit: UnitKey) -> Stored<Option<(UnitRow, Vec<QueuedOp>)>>;
    /// The unit of an op that waits.
    fn unit_of(&self, op_ref: &Ref) -> Stored<Option<UnitKey>>;
    /// An item as it is, with its rev and its tags, sorted.
    fn item_now(&self, collection: &str, key: &str) -> Stored<Option<(Rev, Image, Vec<String>)>>;
}

/// Units of one client, and the items of their ops.
pub type TiedUnits = (BTreeSet<UnitKey>, HashSet<(String, String)>);

/// What changes the queue.
pub trait QueueTransaction: QueueSnapshot {
    /// Adds a unit at the end; its own `key` does not count.
    fn add_unit(&mut self, row: &UnitRow, ops: &[QueuedOp]) -> Stored<UnitKey>;
    /// Removes a unit with its ops.
    fn remove_unit(&mut self, unit: UnitKey) -> Stored<()>;
    /// A unit with those of the same client that have an item in common with it, or with one that has, and so on, and
    /// the items of all of them.
    fn tied_units(&self, unit: UnitKey) -> Stored<TiedUnits>;
    /// Gives a unit, with the refs of its ops, to another client.
    fn hand_over_unit(&mut self, unit: UnitKey, to: ClientKey) -> Stored<()>;
    /// The items of the client's ops in the queue.
    fn queued_items(&self, client: ClientKey) -> Stored<Vec<(String, String)>>;
    /// Units that came before that time, the oldest first.
    fn overdue_units(&self, before: u64, limit: u32) -> Stored<Vec<UnitKey>>;
}
