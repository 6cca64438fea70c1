//! The messages of section 6: data for callers without a replica.

use super::json::Json;
use super::message::{Op, OpKind};
use super::name::{Ref, Rev};
use super::resource::{Members, Object, Relation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A collection with items that the caller sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionCount {
    /// Its name.
    pub name: String,
    /// How many of its items the caller sees.
    pub items: u64,
}

/// The answer of `GET …/data`: collections in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionPage {
    /// The collections of this page.
    pub collections: Vec<CollectionCount>,
    /// The next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One item of a listing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListedItem {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Json,
    /// Its rev.
    pub rev: Rev,
    /// Its ordering key, in a listing by an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

/// The answer of `GET …/data/:collection`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ItemPage {
    /// The items of this page.
    pub items: Vec<ListedItem>,
    /// The next page, for `after`; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The answer of `GET …/data/:collection/:key`: an item with all that it has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DataItem {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Json,
    /// Its rev.
    pub rev: Rev,
    /// Its index entries, name to ordering key.
    pub indexes: BTreeMap<String, String>,
    /// Its relations, by id.
    pub relations: Vec<Relation>,
    /// Its tags, sorted.
    pub tags: Vec<String>,
}

/// The answer of `GET …/:key/indexes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemIndexes {
    /// The item's index entries, name to ordering key.
    pub indexes: BTreeMap<String, String>,
}

/// The answer of `GET …/:key/relations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRelations {
    /// The item's relations, by id.
    pub relations: Vec<Relation>,
}

/// The answer of `GET …/:key/tags`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemTags {
    /// The item's tags, sorted.
    pub tags: Vec<String>,
}

/// The body of `PUT …/indexes/:name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexBody {
    /// The ordering key.
    pub order: String,
}

/// The body of `PUT …/relations/:id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationBody {
    /// What the object is to the item.
    pub predicate: String,
    /// Where the relation leads.
    pub object: Object,
}

/// What a write of the data API made of its item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The item's rev after it; of a delete that ended the item its seq, 0 if there was no item.
    pub rev: Rev,
}

/// An operation of the data API: one of section 2, for which the server makes the ref when there is none.
///
/// ```
/// use syncstore::protocol::{DataOp, Json, OpKind};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let milk = Json::parse(r#"{"title":"Milk"}"#)?;
/// let set = DataOp { value: Some(milk), ..DataOp::new(OpKind::Set, "notes", "n1") };
/// let tag = DataOp { tag: Some("team:7".into()), ..DataOp::new(OpKind::Set, "notes", "n1") };
/// # let _ = (set, tag);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DataOp {
    /// The operation's idempotency key.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub op_ref: Option<Ref>,
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
    /// The item's rev that the caller had seen when it made the op; `None`: no claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Rev>,
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

impl DataOp {
    /// An op on an item's value, without ref, payload and base.
    pub fn new(kind: OpKind, collection: impl Into<String>, key: impl Into<String>) -> DataOp {
        DataOp {
            op_ref: None,
            kind,
            collection: collection.into(),
            key: key.into(),
            value: None,
            patch: None,
            base: None,
            index: None,
            order: None,
            relation: None,
            predicate: None,
            object: None,
            tag: None,
        }
    }

    /// The bytes of its payload, as [`Op::payload_len`] counts them.
    pub fn payload_len(&self) -> usize {
        let members = Members {
            kind: self.kind,
            value: self.value.as_ref(),
            patch: self.patch.as_ref(),
            index: self.index.as_deref(),
            order: self.order.as_deref(),
            relation: self.relation.as_deref(),
            predicate: self.predicate.as_deref(),
            object: self.object.as_ref(),
            tag: self.tag.as_deref(),
        };
        members.payload_len() + self.collection.len() + self.key.len()
    }

    /// The op under its ref, or under the one that `make` gives it.
    pub fn into_op(self, make: impl FnOnce() -> Ref) -> Op {
        let DataOp { op_ref, kind, collection, key, value, patch, base, .. } = self;
        let DataOp { index, order, relation, predicate, object, tag, .. } = self;
        let op = Op::new(op_ref.unwrap_or_else(make), kind, collection, key);
        Op { value, patch, base, index, order, relation, predicate, object, tag, ..op }
    }
}

/// The body of `POST …/batch`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BatchRequest {
    /// The ops, in their order; all are applied or none.
    pub ops: Vec<DataOp>,
}

/// The answer to a batch that was applied: one result for each op.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchResponse {
    /// What each op made of its item, in the order of the ops.
    pub results: Vec<Written>,
}
