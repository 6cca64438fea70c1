//! The columns `resource`, `name` and `payload`, which tell what a kept op is on and what it brings.

use super::{StorageError, Stored, json_of};
use crate::storage::{Image, Link, Payload, ResourceName};
use std::borrow::Cow;
use syncstore::protocol::{Change, OpKind, Resource};

pub const VALUE: i64 = 0;
const INDEX: i64 = 1;
const RELATION: i64 = 2;
const TAG: i64 = 3;

pub fn columns<'a>(resource: Resource<'a>) -> (i64, Option<&'a str>) {
    match resource {
        Resource::Value => (VALUE, None),
        Resource::Index(name) => (INDEX, Some(name)),
        Resource::Relation(id) => (RELATION, Some(id)),
        Resource::Tag(tag) => (TAG, Some(tag)),
    }
}

pub fn of_columns(resource: i64, name: Option<String>) -> Stored<ResourceName> {
    match (resource, name) {
        (VALUE, None) => Ok(ResourceName::Value),
        (INDEX, Some(name)) => Ok(ResourceName::Index(name)),
        (RELATION, Some(id)) => Ok(ResourceName::Relation(id)),
        (TAG, Some(tag)) => Ok(ResourceName::Tag(tag)),
        (other, _) => Err(StorageError::corrupt(format_args!("an op on a resource {other}"))),
    }
}

pub fn payload<'a>(change: &Change<'a>, image: Option<&Image>) -> Stored<Option<Cow<'a, str>>> {
    if let Some(image) = image {
        return serde_json::to_string(image).map(Cow::Owned).map(Some).map_err(StorageError::corrupt);
    }
    Ok(match *change {
        Change::Set(json) | Change::Patch(json) => Some(Cow::Borrowed(json.as_str())),
        Change::SetIndex { order, .. } => Some(Cow::Borrowed(order)),
        Change::SetRelation { predicate, object, .. } => {
            let link = Link { predicate: predicate.to_owned(), object: object.clone() };
            Some(Cow::Owned(serde_json::to_string(&link).map_err(StorageError::corrupt)?))
        }
        Change::Delete
        | Change::DeleteIndex { .. }
        | Change::DeleteRelation { .. }
        | Change::AddTag(_)
        | Change::RemoveTag(_) => None,
    })
}

pub fn read(resource: &ResourceName, kind: OpKind, text: Option<String>) -> Stored<Option<Payload>> {
    let Some(text) = text else { return Ok(None) };
    Ok(Some(match (resource, kind) {
        (ResourceName::Value, _) => Payload::Json(json_of(text)?),
        (ResourceName::Index(_), OpKind::Set) => Payload::Order(text),
        (ResourceName::Relation(_), OpKind::Set) => {
            Payload::Link(serde_json::from_str(&text).map_err(StorageError::corrupt)?)
        }
        (ResourceName::Tag(_), OpKind::Set) => {
            Payload::Item(serde_json::from_str(&text).map_err(StorageError::corrupt)?)
        }
        _ => return Err(StorageError::corrupt("an op has a payload and should have none")),
    }))
}
