//! Writes as ops of the protocol, checked, and as the requests that carry them.

use super::{RemoteError, path, segment};
use crate::protocol::{
    DataOp, IndexBody, Json, Limits, Object, OpKind, RelationBody, check_collection, check_key, check_name,
};
use crate::wire::WireError;
use crate::wire::http::{DataCall, Exchange, Payload};
use json_patch::Patch;
use serde::Serialize;

type Checked = Result<DataOp, RemoteError>;

/// The collection and the key of an item.
pub(super) type Place<'a> = (&'a str, &'a str);

fn op(limits: &Limits, kind: OpKind, (collection, key): Place<'_>) -> Checked {
    check_collection(collection, limits)?;
    check_key(key, limits)?;
    Ok(DataOp::new(kind, collection, key))
}

pub(super) fn set<T: Serialize + ?Sized>(limits: &Limits, item: Place<'_>, value: &T) -> Checked {
    let value = Json::from_serialize(value)?;
    limits.check_value(&value)?;
    Ok(DataOp { value: Some(value), ..op(limits, OpKind::Set, item)? })
}

pub(super) fn patch(limits: &Limits, item: Place<'_>, patch: &Patch) -> Checked {
    let patch = Json::from_serialize(patch)?;
    limits.check_patch(&patch)?;
    Ok(DataOp { patch: Some(patch), ..op(limits, OpKind::Patch, item)? })
}

pub(super) fn delete(limits: &Limits, item: Place<'_>) -> Checked {
    op(limits, OpKind::Delete, item)
}

/// Sets an index entry; `None` deletes it.
pub(super) fn index(limits: &Limits, item: Place<'_>, name: &str, order: Option<&str>) -> Checked {
    check_name("index name", name, limits)?;
    order.map_or(Ok(()), |order| check_name("ordering key", order, limits))?;
    let (index, order) = (Some(name.to_owned()), order.map(str::to_owned));
    let kind = if order.is_some() { OpKind::Set } else { OpKind::Delete };
    Ok(DataOp { index, order, ..op(limits, kind, item)? })
}

/// Sets a relation to a predicate and an object; `None` deletes it.
pub(super) fn relation(limits: &Limits, item: Place<'_>, id: &str, link: Option<(&str, Place<'_>)>) -> Checked {
    check_name("relation id", id, limits)?;
    let relation = Some(id.to_owned());
    let Some((predicate, (collection, key))) = link else {
        return Ok(DataOp { relation, ..op(limits, OpKind::Delete, item)? });
    };
    check_name("predicate", predicate, limits)?;
    check_name("object's collection name", collection, limits)?;
    check_name("object's key", key, limits)?;
    let object = Some(Object { collection: collection.to_owned(), key: key.to_owned() });
    Ok(DataOp { relation, predicate: Some(predicate.to_owned()), object, ..op(limits, OpKind::Set, item)? })
}

/// Adds a tag or removes it.
pub(super) fn tag(limits: &Limits, item: Place<'_>, tag: &str, there: bool) -> Checked {
    check_name("tag", tag, limits)?;
    let kind = if there { OpKind::Set } else { OpKind::Delete };
    Ok(DataOp { tag: Some(tag.to_owned()), ..op(limits, kind, item)? })
}

/// The request of a single op.
pub(super) fn request(exchange: &Exchange, op: DataOp) -> Result<(DataCall, Option<Payload>), RemoteError> {
    let item = path(&op.collection, &op.key);
    let (target, name) = if let Some(index) = &op.index {
        (format!("{item}/indexes/{}", segment(index)), "data/:collection/:key/indexes/:name")
    } else if let Some(id) = &op.relation {
        (format!("{item}/relations/{}", segment(id)), "data/:collection/:key/relations/:id")
    } else if let Some(tag) = &op.tag {
        (format!("{item}/tags/{}", segment(tag)), "data/:collection/:key/tags/:tag")
    } else {
        (item, "data/:collection/:key")
    };
    let call = match op.kind {
        OpKind::Set => DataCall::put(target, name),
        OpKind::Patch => DataCall::patch(target, name),
        OpKind::Delete => DataCall::delete(target, name),
    };
    let DataOp { value, patch, order, predicate, object, .. } = op;
    let payload = match (value.or(patch), order, predicate.zip(object)) {
        (Some(json), ..) => Some(payload(exchange, &json)?),
        (_, Some(order), _) => Some(payload(exchange, &IndexBody { order })?),
        (.., Some((predicate, object))) => Some(payload(exchange, &RelationBody { predicate, object })?),
        _ => None,
    };
    Ok((call, payload))
}

/// A message as a body; fails for a value that the format of the options cannot carry.
pub(super) fn payload<T: Serialize>(exchange: &Exchange, message: &T) -> Result<Payload, WireError> {
    exchange.payload(message).map_err(|error| WireError::Setup(format!("the request cannot be written: {error}")))
}
