//! The messages of sections 2 to 5, as they stand on the wire.
//!
//! Fields that a later version of the protocol adds are ignored.

use super::code::Code;
use super::json::Json;
use super::limits::Limits;
use super::name::{BatchId, ClientId, Cursor, Ref, Rev, Seq};
use super::resource::{Change, Members, Object, Relation, Resource};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpKind {
    /// Replaces the whole value, or creates the item.
    Set,
    /// Applies a JSON Patch (RFC 6902) to the value.
    Patch,
    /// Removes the item.
    Delete,
}

/// A message lacks what its own form asks for; the text says what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// One operation on its way to the server (section 2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Op {
    /// The operation's idempotency key.
    #[serde(rename = "ref")]
    pub op_ref: Ref,
    /// What it does.
    #[serde(rename = "op")]
    pub kind: OpKind,
    /// The collection of the item.
    pub collection: String,
    /// The key of the item.
    pub key: String,
    /// The new value of a `set`; `Some` of `null` is the JSON null.
    #[serde(default, deserialize_with = "Json::present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// The RFC 6902 array of a `patch`.
    #[serde(default, deserialize_with = "Json::present", skip_serializing_if = "Option::is_none")]
    pub patch: Option<Json>,
    /// The item's rev that the client had confirmed when the op was made; `None`: no claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Rev>,
    /// Shared by the ops that stand or fall together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// How many ops the batch has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
    /// The index, when the op is on an entry of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The ordering key of a set of an index entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The relation's id, when the op is on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
    /// The predicate of a set of a relation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// The object of a set of a relation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    /// The tag, when the op is on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

impl Op {
    /// An op on an item's value, without payload, base and batch.
    pub fn new(op_ref: Ref, kind: OpKind, collection: impl Into<String>, key: impl Into<String>) -> Op {
        Op {
            op_ref,
            kind,
            collection: collection.into(),
            key: key.into(),
            value: None,
            patch: None,
            base: None,
            batch: None,
            of: None,
            index: None,
            order: None,
            relation: None,
            predicate: None,
            object: None,
            tag: None,
        }
    }

    /// What the op does.
    ///
    /// Fails when it has not exactly the payload that its kind and its resource ask for (section 2).
    pub fn change(&self) -> Result<Change<'_>, Malformed> {
        self.members().change()
    }

    /// What of the item the op is on; fails when it names more than one resource.
    pub fn resource(&self) -> Result<Resource<'_>, Malformed> {
        self.members().resource()
    }

    fn members(&self) -> Members<'_> {
        Members {
            kind: self.kind,
            value: self.value.as_ref(),
            patch: self.patch.as_ref(),
            index: self.index.as_deref(),
            order: self.order.as_deref(),
            relation: self.relation.as_deref(),
            predicate: self.predicate.as_deref(),
            object: self.object.as_ref(),
            tag: self.tag.as_deref(),
        }
    }

    /// The bytes of its payload, the measure of a push's and a batch's size.
    pub fn payload_len(&self) -> usize {
        self.members().payload_len() + self.collection.len() + self.key.len()
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// The body of `POST …/sync/outbox` (section 3).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PushRequest {
    /// The replica.
    pub client: ClientId,
    /// The replica's cursor; absent before its first pull.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// The ops in the client's order.
    pub ops: Vec<Op>,
}

/// What a push said of one op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushOutcome {
    /// Committed.
    Accepted,
    /// Refused for good.
    Rejected,
    /// Waits for an approver; the outcome comes by the inbox.
    Queued,
    /// Waits for the rest of its batch.
    Staged,
    /// Cannot be taken now, and nothing is recorded: for what came before it on its item, or for want of room.
    Skipped,
}

/// One line of a push's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpResult {
    /// The op.
    #[serde(rename = "ref")]
    pub op_ref: Ref,
    /// What became of it.
    pub outcome: PushOutcome,
    /// Its place in the log, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// Why it was rejected; or skipped, where that is for want of room ([`Code::FULL`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The reason in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The reason for a program.
    #[serde(default, deserialize_with = "Json::present", skip_serializing_if = "Option::is_none")]
    pub detail: Option<Json>,
}

/// The answer to a push: results in the order of its ops.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PushResponse {
    /// The head of the log.
    pub seq: Seq,
    /// One result for each op.
    pub results: Vec<OpResult>,
}

/// What the log says of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryOutcome {
    /// Committed.
    Accepted,
    /// Refused for good.
    Rejected,
}

/// One entry of the log, as the inbox tells it (section 4).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the log.
    pub seq: Seq,
    /// The op.
    #[serde(rename = "ref")]
    pub op_ref: Ref,
    /// Accepted or rejected.
    pub outcome: EntryOutcome,
    /// What the committed op does; absent when rejected or hidden.
    #[serde(rename = "op", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<OpKind>,
    /// The collection of the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// The key of the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The committed value of a `set`.
    #[serde(default, deserialize_with = "Json::present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// The committed patch of a `patch`.
    #[serde(default, deserialize_with = "Json::present", skip_serializing_if = "Option::is_none")]
    pub patch: Option<Json>,
    /// The item's rev before; 0: there was no item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Rev>,
    /// The item's rev after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<Rev>,
    /// When it was committed (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Its batch; entries of one batch stand together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// Committed exactly as the caller sent it; the payload is left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub as_sent: bool,
    /// The whole item, because it has just become visible.
    #[serde(default, skip_serializing_if = "is_false")]
    pub full: bool,
    /// The caller may learn the outcome of its op, but not see the item.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// Why a `delete` came: `revoked` when the item ceased to be visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why the op was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The reason in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The reason for a program.
    #[serde(default, deserialize_with = "Json::present", skip_serializing_if = "Option::is_none")]
    pub detail: Option<Json>,
    /// The index, when the op is on an entry of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The ordering key of a set of an index entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The relation's id, when the op is on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
    /// The predicate of a set of a relation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// The object of a set of a relation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    /// The tag, when the op is on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The item's index entries, name to ordering key; of a full entry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub indexes: BTreeMap<String, String>,
    /// The item's relations; of a full entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<Relation>,
    /// The item's tags; of a full entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Entry {
    /// An entry with nothing but its place, its op and its outcome.
    pub fn new(seq: Seq, op_ref: Ref, outcome: EntryOutcome) -> Entry {
        Entry {
            seq,
            op_ref,
            outcome,
            kind: None,
            collection: None,
            key: None,
            value: None,
            patch: None,
            from: None,
            rev: None,
            at: None,
            batch: None,
            as_sent: false,
            full: false,
            hidden: false,
            reason: None,
            code: None,
            message: None,
            detail: None,
            index: None,
            order: None,
            relation: None,
            predicate: None,
            object: None,
            tag: None,
            indexes: BTreeMap::new(),
            relations: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// The item of the entry; fails when either part is missing.
    pub fn item(&self) -> Result<(&str, &str), Malformed> {
        match (&self.collection, &self.key) {
            (Some(collection), Some(key)) => Ok((collection, key)),
            _ => Err(Malformed("an accepted entry needs its collection and key")),
        }
    }

    /// What the committed op does; fails like [`Op::change`].
    pub fn change(&self) -> Result<Change<'_>, Malformed> {
        let kind = self.kind.ok_or(Malformed("an accepted entry needs its op"))?;
        self.members(kind).change()
    }

    /// What of the item the committed op is on; fails like [`Op::resource`].
    pub fn resource(&self) -> Result<Resource<'_>, Malformed> {
        let kind = self.kind.ok_or(Malformed("an accepted entry needs its op"))?;
        self.members(kind).resource()
    }

    fn members(&self, kind: OpKind) -> Members<'_> {
        Members {
            kind,
            value: self.value.as_ref(),
            patch: self.patch.as_ref(),
            index: self.index.as_deref(),
            order: self.order.as_deref(),
            relation: self.relation.as_deref(),
            predicate: self.predicate.as_deref(),
            object: self.object.as_ref(),
            tag: self.tag.as_deref(),
        }
    }
}

/// The answer of `GET …/sync/inbox` (section 4).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InboxPage {
    /// The entries in seq order.
    pub entries: Vec<Entry>,
    /// Where the next page begins.
    pub cursor: Cursor,
    /// The position that the cursor stands for.
    pub seq: Seq,
    /// Whether there is more to be had at once.
    pub more: bool,
}

/// One item of a checkpoint (section 5).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckpointItem {
    /// The collection of the item.
    pub collection: String,
    /// The key of the item.
    pub key: String,
    /// The value when the page was read.
    pub value: Json,
    /// The rev when the page was read.
    pub rev: Rev,
    /// The index entries when the page was read, name to ordering key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub indexes: BTreeMap<String, String>,
    /// The relations when the page was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<Relation>,
    /// The tags when the page was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl CheckpointItem {
    /// An item with nothing but a value.
    pub fn new(collection: impl Into<String>, key: impl Into<String>, value: Json, rev: Rev) -> CheckpointItem {
        CheckpointItem {
            collection: collection.into(),
            key: key.into(),
            value,
            rev,
            indexes: BTreeMap::new(),
            relations: Vec::new(),
            tags: Vec::new(),
        }
    }
}

/// The answer of `GET …/sync/checkpoint` (section 5).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckpointPage {
    /// Names the checkpoint that the page belongs to.
    pub checkpoint: String,
    /// Where the replay of the inbox begins; the same on every page.
    pub cursor: Cursor,
    /// The position that the cursor stands for.
    pub seq: Seq,
    /// The items of this page.
    pub items: Vec<CheckpointItem>,
    /// The next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many items there were when page one was made; for progress only.
    pub total: u64,
}

/// The answer of `GET /v1/:db` (section 6).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatabaseInfo {
    /// Names the database for good: backups and new epochs keep it. `None`: the server has no such name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Names this life of the log.
    pub epoch: String,
    /// The head of the log.
    pub seq: Seq,
    /// What the database takes.
    pub limits: Limits,
    /// Media types of messages.
    pub formats: Vec<String>,
    /// Content codings.
    pub encodings: Vec<String>,
    /// How long the server keeps what grows.
    #[serde(default)]
    pub retention: PublishedRetention,
}

/// How long a server keeps each thing that grows (section 7); `None`: it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PublishedRetention {
    /// Entries of the log, rejected ones included; the cursors of older ones expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_entries: Option<u64>,
    /// The outcome of a ref, in seconds after its commit and after the time within it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ref_seconds: Option<u64>,
    /// A client id, in seconds after its last request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_seconds: Option<u64>,
    /// The ops of an incomplete batch, in seconds after its first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staged_seconds: Option<u64>,
    /// An op that waits for an approver, in seconds after it was pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_seconds: Option<u64>,
    /// A checkpoint, in seconds after its last use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_idle_seconds: Option<u64>,
    /// A checkpoint in any case, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_seconds: Option<u64>,
    /// A nonce of a signed request, in seconds: the skew that clocks may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce_seconds: Option<u64>,
}

/// An error's body: RFC 9457 with the protocol's members (section 7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// A URI of the kind of problem; `about:blank` here.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The protocol's word for it.
    pub code: String,
    /// This case in words.
    pub detail: String,
    /// Why a cursor expired: `pruned`, `rewound` or `filter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last seq that a rewound log still shares with the log that the cursor is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_seq: Option<Seq>,
    /// The item's present rev, of a write that was refused because of it (section 6); 0: there is no item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rev: Option<Rev>,
    /// The index of the first op at fault in a batch (section 6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<usize>,
    /// The JSON Pointer at which a patch failed (section 6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The index of the operation at which a patch failed (section 6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<usize>,
}

impl Default for Problem {
    fn default() -> Problem {
        Problem {
            kind: "about:blank".into(),
            title: String::new(),
            status: 0,
            code: String::new(),
            detail: String::new(),
            reason: None,
            restored_seq: None,
            rev: None,
            failed: None,
            path: None,
            operation: None,
        }
    }
}
