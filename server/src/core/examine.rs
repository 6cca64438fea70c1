//! What can be said of an op without looking at the item: its form, its limits, its digest.

use super::digest;
use crate::storage::Rejection;
use syncstore::protocol::{
    BatchId, Change, Code, Json, LimitError, Limits, Malformed, Op, OpKind, Ref, Resource, Rev, check_collection,
    check_key, check_name,
};

/// An op in the form in which it is decided, from a push or from a batch that was staged.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    pub op_ref: &'a Ref,
    pub collection: &'a str,
    pub key: &'a str,
    pub change: Change<'a>,
    pub base: Option<Rev>,
}

impl<'a> Proposal<'a> {
    /// Fails as [`Op::change`] does.
    pub fn of(op: &'a Op) -> Result<Proposal<'a>, Malformed> {
        let (op_ref, collection, key) = (&op.op_ref, &*op.collection, &*op.key);
        Ok(Proposal { op_ref, collection, key, change: op.change()?, base: op.base })
    }
}

// The most bytes of a reason: it may repeat what the op has, is kept for long, and an answer has many.
const LONGEST_WORDS: usize = 500;

/// A text that repeats what came from a client, cut to a length.
pub fn shortened(mut words: String) -> String {
    let mut end = LONGEST_WORDS.min(words.len());
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words.truncate(end);
    words
}

/// A rejection without detail.
pub fn rejection(code: Code, message: impl ToString) -> Rejection {
    Rejection { code, message: shortened(message.to_string()), detail: None }
}

pub fn beyond(error: &LimitError) -> Rejection {
    let code = match error {
        LimitError::Empty { .. } => Code::INVALID,
        LimitError::TooLarge { .. } => Code::TOO_LARGE,
    };
    rejection(code, error)
}

/// The digest of an op, and what is wrong with it by itself.
pub fn examine(op: &Op, limits: &Limits) -> (u128, Option<Rejection>) {
    let change = op.change();
    let (payload, fault) = match change {
        Ok(Change::Set(value)) => payload(value, limits.check_value(value).err()),
        Ok(Change::Patch(patch)) => payload(patch, limits.check_patch(patch).err()),
        Ok(Change::Delete) => (0, None),
        Ok(change) => (members(op), names_of(&change, limits).err().map(|error| beyond(&error))),
        Err(malformed) => {
            let text = |json: &Option<Json>| json.as_ref().map_or(0, |json| digest::raw(json.as_str().as_bytes()));
            let payload = text(&op.value).wrapping_add(text(&op.patch).rotate_left(64)).wrapping_add(members(op));
            (payload, Some(rejection(Code::INVALID, malformed)))
        }
    };
    let resource =
        u8::from(op.index.is_some()) | u8::from(op.relation.is_some()) << 1 | u8::from(op.tag.is_some()) << 2;
    let kind = match op.kind {
        OpKind::Set => 0,
        OpKind::Patch => 1,
        OpKind::Delete => 2,
    };
    let names = check_collection(&op.collection, limits).and_then(|()| check_key(&op.key, limits));
    let fault = names.err().map(|error| beyond(&error)).or(fault).or_else(|| membership(op.batch, op.of));
    (digest::op(kind, &op.collection, &op.key, resource, payload), fault)
}

/// Tells apart what a resource is named and given.
fn members(op: &Op) -> u128 {
    let object = op.object.as_ref();
    digest::members(&[
        op.index.as_deref(),
        op.order.as_deref(),
        op.relation.as_deref(),
        op.predicate.as_deref(),
        object.map(|object| object.collection.as_str()),
        object.map(|object| object.key.as_str()),
        op.tag.as_deref(),
    ])
}

fn names_of(change: &Change<'_>, limits: &Limits) -> Result<(), LimitError> {
    match change.resource() {
        Resource::Value => {}
        Resource::Index(name) => check_name("index name", name, limits)?,
        Resource::Relation(id) => check_name("relation id", id, limits)?,
        Resource::Tag(tag) => check_name("tag", tag, limits)?,
    }
    match *change {
        Change::SetIndex { order, .. } => check_name("ordering key", order, limits),
        Change::SetRelation { predicate, object, .. } => {
            check_name("predicate", predicate, limits)?;
            check_collection(&object.collection, limits)?;
            check_key(&object.key, limits)
        }
        _ => Ok(()),
    }
}

/// The deepest that an item's value nests, whatever the limits are: a client refuses to store one that nests deeper than
/// 256, so no such value may be committed; and what nests much deeper could exhaust the stack of a thread that reads it.
pub const MOST_NESTING: usize = 200;

// Of one op the digest is the same under all limits: a repeat may come after they were changed.
fn payload(json: &Json, limit: Option<LimitError>) -> (u128, Option<Rejection>) {
    let fault = limit.map(|error| beyond(&error));
    // Deep nesting must not reach the parser. Around the values of a patch stand its array and its operations.
    if fault.is_some() && json.nesting() > MOST_NESTING + 2 {
        return (digest::raw(json.as_str().as_bytes()), fault);
    }
    match digest::json(json.as_str()) {
        Ok(digest) => (digest, fault),
        Err(error) => (digest::raw(json.as_str().as_bytes()), fault.or_else(|| Some(rejection(Code::INVALID, error)))),
    }
}

fn membership(batch: Option<BatchId>, of: Option<u32>) -> Option<Rejection> {
    match (batch, of) {
        (None, None) => None,
        (Some(_), Some(of)) if of > 0 => None,
        _ => Some(rejection(Code::INVALID, "batch and of come together, and a batch has at least one op")),
    }
}
