//! The rows that pass between the core and the storage.

use std::collections::BTreeMap;
use syncstore::protocol::{BatchId, Change, ClientId, Code, Json, Object, OpKind, Ref, Relation, Resource, Rev, Seq};

/// Names one life of a log.
pub type EpochId = [u8; 16];

/// A client within one database; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientKey(pub i64);

/// A collection within one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionKey(pub i64);

/// An item within one database, for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemKey(pub i64);

/// A batch within one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchKey(pub i64);

/// A part of a transaction: how many are open around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part(pub usize);

/// What there is one of in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The present life of the log.
    pub epoch: EpochId,
    /// The seq of the last entry, 0 before the first.
    pub head: Seq,
    /// The lowest seq that the next entry may have.
    pub next: Seq,
    /// How many items there are.
    pub items: u64,
    /// How many entries the log still has.
    pub entries: u64,
    /// The bytes of those, as [`crate::storage::LogKept`] counts them.
    pub log_bytes: u64,
    /// The seq of the last entry that was pruned, 0 before any was.
    pub pruned: Seq,
    /// Its ref, so that a cursor at exactly that entry can still be told from one of another log.
    pub pruned_ref: Option<Ref>,
    /// The latest time, in milliseconds since 1970, within a ref that was forgotten; 0: none was.
    pub horizon: u64,
    /// How many ops wait for an approver, or behind one that does.
    pub queued: u64,
    /// The bytes of their payloads, collections and keys.
    pub queued_bytes: u64,
}

/// How much of the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogKept {
    /// The most entries.
    pub entries: u64,
    /// The most bytes: those of the texts of each entry, and 128.
    pub bytes: u64,
}

impl LogKept {
    /// Whether the log has no more than is kept.
    pub fn holds(&self, state: &State) -> bool {
        state.entries <= self.entries && state.log_bytes <= self.bytes
    }
}

/// Whose a client id is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// Its number here.
    pub key: ClientKey,
    /// The user who first used it.
    pub user: String,
    /// How far it has pulled.
    pub position: Seq,
    /// When it was last seen, in milliseconds since 1970.
    pub seen: u64,
}

/// What became of a ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefState {
    /// Its op was accepted.
    Accepted,
    /// Its op was rejected.
    Rejected,
    /// Its op waits for the rest of its batch.
    Staged,
    /// Its op waits for an approver, or behind one that does.
    Queued,
}

/// A known ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefRow {
    /// Who pushed it first.
    pub client: ClientKey,
    /// Tells its op from another.
    pub digest: u128,
    /// What became of it.
    pub state: RefState,
    /// Its place in the log, 0 without one.
    pub seq: Seq,
    /// When that became of it, in milliseconds since 1970.
    pub at: u64,
}

/// Why an op was rejected.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// The protocol's word.
    pub code: Code,
    /// The reason in words.
    pub message: String,
    /// The reason for a program.
    pub detail: Option<Json>,
}

/// An item without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemHead {
    /// Its number here.
    pub key: ItemKey,
    /// Its rev.
    pub rev: Rev,
    /// Whose op the rev is of.
    pub client: ClientKey,
    /// The highest seq of another client's op in the item's present life, 0 without one.
    pub other: Seq,
    /// How many index entries, relations and tags it has.
    pub resources: u32,
}

/// An item at one rev, told without its name: of an item that was made anew under the same number the rev is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemMark {
    /// The item.
    pub item: ItemKey,
    /// Its rev.
    pub rev: Rev,
}

/// A range of items, in the order of (collection key, key).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemSpan {
    /// The first place in it.
    pub from: (CollectionKey, String),
    /// The first place behind it.
    pub to: (CollectionKey, String),
}

impl ItemSpan {
    /// Every item.
    pub fn all() -> ItemSpan {
        ItemSpan { from: (CollectionKey(0), String::new()), to: (CollectionKey(i64::MAX), String::new()) }
    }

    /// Whether a place lies behind it.
    pub fn ends_before(&self, collection: CollectionKey, key: &str) -> bool {
        (self.to.0, self.to.1.as_str()) <= (collection, key)
    }
}

/// What of an item a kept change is on: a [`Resource`] with a name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceName {
    /// Its value, or the item as a whole.
    Value,
    /// Its entry in the index of that name.
    Index(String),
    /// Its relation of that id.
    Relation(String),
    /// Its tag.
    Tag(String),
}

impl ResourceName {
    /// What it names.
    pub fn as_resource(&self) -> Resource<'_> {
        match self {
            ResourceName::Value => Resource::Value,
            ResourceName::Index(name) => Resource::Index(name),
            ResourceName::Relation(id) => Resource::Relation(id),
            ResourceName::Tag(tag) => Resource::Tag(tag),
        }
    }
}

/// The payload of a kept change.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A value or a patch.
    Json(Json),
    /// The ordering key of an index entry.
    Order(String),
    /// Where a relation leads.
    Link(Link),
    /// The item, with the tag that was added to it.
    Item(Image),
}

/// An item as it was at one moment, but for its name and its tags.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Image {
    /// Its value.
    pub value: Json,
    /// Its index entries, name to ordering key.
    pub indexes: BTreeMap<String, String>,
    /// Its relations.
    pub relations: Vec<Relation>,
}

/// A relation but for its id.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Link {
    /// What the object is to the subject.
    pub predicate: String,
    /// Where it leads.
    pub object: Object,
}

/// The delete that ended an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Its place in the log.
    pub seq: Seq,
    /// Whose it was.
    pub client: ClientKey,
}

/// An item with its value.
#[derive(Clone, Debug)]
pub struct ItemRow {
    /// Its collection's number here.
    pub collection_key: CollectionKey,
    /// Its collection.
    pub collection: String,
    /// Its key.
    pub key: String,
    /// Its rev.
    pub rev: Rev,
    /// What it has.
    pub image: Image,
    /// Its tags, sorted.
    pub tags: Vec<String>,
}

/// An accepted entry on its way into the log.
#[derive(Clone, Copy, Debug)]
pub struct LogRow<'a> {
    /// Its place.
    pub seq: Seq,
    /// The op.
    pub op_ref: &'a Ref,
    /// Whose op it was.
    pub client: ClientKey,
    /// The collection.
    pub collection: CollectionKey,
    /// The key.
    pub key: &'a str,
    /// What the committed op does.
    pub change: Change<'a>,
    /// Of a tag that was added, the item with it: who sees the item by it has to be told all of it.
    pub image: Option<&'a Image>,
    /// The item's tags right before, sorted; none without an item.
    pub tags_before: &'a [String],
    /// And right after.
    pub tags_after: &'a [String],
    /// The item's rev before.
    pub from: Rev,
    /// It changed nothing.
    pub no_op: bool,
    /// The committed form is what was sent.
    pub as_sent: bool,
    /// The committed form is an approver's: it counts as another client's op.
    pub altered: bool,
    /// Its batch.
    pub batch: Option<BatchId>,
    /// When it was committed, in milliseconds since 1970.
    pub at: u64,
}

/// An entry as the log has it.
#[derive(Clone, Debug)]
pub struct StoredEntry {
    /// Its place.
    pub seq: Seq,
    /// The op.
    pub op_ref: Ref,
    /// Whose op it was.
    pub client: ClientKey,
    /// What the committed op does.
    pub kind: OpKind,
    /// What of the item it is on.
    pub resource: ResourceName,
    /// It was rejected; its reason is kept apart.
    pub rejected: bool,
    /// It changed nothing.
    pub no_op: bool,
    /// The committed form is what was sent.
    pub as_sent: bool,
    /// The committed form is an approver's: it counts as another client's op.
    pub altered: bool,
    /// The collection's name; empty when rejected.
    pub collection: String,
    /// The key; empty when rejected.
    pub key: String,
    /// The item's rev before.
    pub from: Rev,
    /// The item's tags right before, sorted; none without an item.
    pub tags_before: Vec<String>,
    /// And right after.
    pub tags_after: Vec<String>,
    /// When it was committed, in milliseconds since 1970.
    pub at: u64,
    /// Its batch.
    pub batch: Option<BatchId>,
    /// The committed payload, unless left out.
    pub payload: Option<Payload>,
}

/// How far a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchState {
    /// It is not complete.
    Staged,
    /// It was committed.
    Done,
    /// It was rejected.
    Failed,
}

/// A batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRow {
    /// Its number here.
    pub key: BatchKey,
    /// Whose it is.
    pub client: ClientKey,
    /// Its name.
    pub batch: BatchId,
    /// How many ops it has when it is complete.
    pub of: u32,
    /// How many have come.
    pub ops: u32,
    /// Their bytes together.
    pub bytes: u64,
    /// How far it has come.
    pub state: BatchState,
}

/// A checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Its name.
    pub id: [u8; 16],
    /// Whose it is.
    pub client: ClientId,
    /// The life of the log.
    pub epoch: EpochId,
    /// The log's head when it was made.
    pub seq: Seq,
    /// The ref of the entry there.
    pub entry: Option<Ref>,
    /// What the caller could see then.
    pub digest: u64,
    /// How many items there were.
    pub total: u64,
    /// When it was made, in milliseconds since 1970.
    pub made: u64,
    /// When it was last used, in milliseconds since 1970.
    pub used: u64,
}
