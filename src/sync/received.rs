//! What a server sent of an item or of a change to it, checked before anything of it is stored.

use crate::error::{Error, Result};
use crate::outbox::Payload;
use crate::protocol::{
    Change, Content, Entry, Json, JsonError, LimitError, Limits, OpKind, Relation, ResourceName, Rev, check_collection,
    check_key,
};
use std::collections::BTreeMap;

/// Checks a value that a server sent: its size, its nesting, and what the grammar alone lets through.
pub(super) fn check_received(value: &Json) -> Result<(), JsonError> {
    value.check_within(&Limits::CONFIRMED)
}

/// Checks an item's name that a server sent.
pub(super) fn check_received_name(collection: &str, key: &str) -> Result<(), LimitError> {
    check_collection(collection, &Limits::CONFIRMED)?;
    check_key(key, &Limits::CONFIRMED)
}

/// Checks a resource that a server sent.
fn check_resource(resource: &ResourceName, content: Option<&Content>) -> Result<(), LimitError> {
    resource.check(&Limits::CONFIRMED)?;
    content.map_or(Ok(()), |content| content.check(&Limits::CONFIRMED))
}

/// The resources of a whole item as a server sent them, checked.
pub(super) fn received_resources(
    indexes: &BTreeMap<String, String>,
    relations: &[Relation],
    tags: &[String],
) -> Result<Vec<(ResourceName, Content)>, LimitError> {
    let mut resources = Vec::with_capacity(indexes.len() + relations.len() + tags.len());
    for (name, order) in indexes {
        resources.push((ResourceName::Index(name.clone()), Content::Order(order.clone())));
    }
    for Relation { id, predicate, object } in relations {
        let link = Content::Link { predicate: predicate.clone(), object: object.clone() };
        resources.push((ResourceName::Relation(id.clone()), link));
    }
    resources.extend(tags.iter().map(|tag| (ResourceName::Tag(tag.clone()), Content::Tag)));
    for (resource, content) in &resources {
        check_resource(resource, Some(content))?;
    }
    Ok(resources)
}

/// The rev of an item after an entry that left it there.
pub(super) fn rev_after(entry: &Entry) -> Rev {
    entry.rev.filter(|rev| *rev > 0).unwrap_or(entry.seq)
}

/// What an entry does, checked as far as a later reader of the value depends on it.
pub(super) fn payload(entry: &Entry) -> Result<Payload> {
    let change = entry.change().map_err(|error| broken(entry, error))?;
    let content = match change {
        Change::Set(value) => return Ok(Payload::of_value(OpKind::Set, Some(checked(entry, value)?))),
        Change::Patch(patch) => return Ok(Payload::of_value(OpKind::Patch, Some(patch.as_str().to_owned()))),
        Change::Delete => return Ok(Payload::of_value(OpKind::Delete, None)),
        Change::SetIndex { order, .. } => Some(Content::Order(order.to_owned())),
        Change::SetRelation { predicate, object, .. } => {
            Some(Content::Link { predicate: predicate.to_owned(), object: object.clone() })
        }
        Change::AddTag(_) => Some(Content::Tag),
        Change::DeleteIndex { .. } | Change::DeleteRelation { .. } | Change::RemoveTag(_) => None,
    };
    let resource = change.resource().to_name();
    check_resource(&resource, content.as_ref()).map_err(|error| broken(entry, error))?;
    Ok(match content {
        Some(content) => Payload::set(resource, &content),
        None => Payload::delete(resource),
    })
}

/// All resources that a full entry brings.
pub(super) fn resources_of(entry: &Entry) -> Result<Vec<(ResourceName, Option<Content>)>> {
    let resources =
        received_resources(&entry.indexes, &entry.relations, &entry.tags).map_err(|error| broken(entry, error))?;
    Ok(resources.into_iter().map(|(resource, content)| (resource, Some(content))).collect())
}

/// The item that an accepted entry is on.
pub(super) fn named(entry: &Entry) -> Result<(&str, &str)> {
    let (collection, key) = entry.item().map_err(|error| broken(entry, error))?;
    check_received_name(collection, key).map_err(|error| broken(entry, error))?;
    Ok((collection, key))
}

fn checked(entry: &Entry, value: &Json) -> Result<String> {
    check_received(value).map_err(|error| broken(entry, error))?;
    Ok(value.as_str().to_owned())
}

/// An entry that no server should send.
pub(super) fn broken(entry: &Entry, error: impl std::fmt::Display) -> Error {
    Error::protocol(format!("entry {} of the inbox: {error}", entry.seq))
}

/// An entry that does not follow what the replica has.
pub(super) fn diverged(entry: &Entry, why: &str) -> Error {
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    Error::Diverged(format!(
        "entry {} ({}) of item {:?} in collection {:?}: {why}",
        entry.seq,
        entry.op_ref,
        name(&entry.key),
        name(&entry.collection)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{EntryOutcome, Ref};

    #[test]
    fn what_a_server_sends_is_bounded_at_its_edge() {
        let text = |bytes: usize| Json::from_stored(format!("\"{}\"", "x".repeat(bytes - 2))).unwrap();
        check_received(&text(Limits::CONFIRMED.value)).unwrap();
        let error = check_received(&text(Limits::CONFIRMED.value + 1)).unwrap_err();
        assert!(error.to_string().contains("limit"), "{error}");
        let nested = |levels| Json::from_stored("[".repeat(levels) + &"]".repeat(levels)).unwrap();
        check_received(&nested(Limits::CONFIRMED.nesting)).unwrap();
        assert!(check_received(&nested(Limits::CONFIRMED.nesting + 1)).is_err());
    }

    #[test]
    fn a_rev_is_the_entrys_or_its_seq() {
        let entry = |rev| Entry { rev, ..Entry::new(7, Ref::from_parts(1, 1), EntryOutcome::Accepted) };
        assert_eq!([Some(5), Some(0), None].map(|rev| rev_after(&entry(rev))), [5, 7, 7]);
    }
}
