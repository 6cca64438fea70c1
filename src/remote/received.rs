//! What a server answered, checked before its caller reads it.

use super::query::RemoteQuery;
use crate::protocol::{
    CollectionPage, DataItem, ItemPage, Json, LimitError, Limits, Relation, Rev, check_collection, check_key,
    check_name,
};
use crate::wire::WireError;
use std::collections::BTreeMap;

/// The most bytes that the name of a page has (section 1).
const NEXT_BYTES: usize = 4_096;

const BOUNDS: &Limits = &Limits::CONFIRMED;

/// A 304 to a request that did not ask for it.
pub(super) fn unmodified() -> WireError {
    WireError::Protocol("the answer says that nothing has changed, and was not asked".into())
}

pub(super) fn item(item: &DataItem, key: &str) -> Result<(), WireError> {
    if item.key != key {
        return Err(WireError::Protocol("the answer is another item than was asked for".into()));
    }
    value(&item.value)?;
    rev_of_item(item.rev)?;
    indexes(&item.indexes)?;
    relations(&item.relations)?;
    tags(&item.tags)
}

pub(super) fn indexes(indexes: &BTreeMap<String, String>) -> Result<(), WireError> {
    for (index, order) in indexes {
        name("index name", index)?;
        name("ordering key", order)?;
    }
    Ok(())
}

pub(super) fn relations(relations: &[Relation]) -> Result<(), WireError> {
    for Relation { id, predicate, object } in relations {
        name("relation id", id)?;
        name("predicate", predicate)?;
        name("object's collection name", &object.collection)?;
        name("object's key", &object.key)?;
    }
    Ok(())
}

pub(super) fn tags(tags: &[String]) -> Result<(), WireError> {
    tags.iter().try_for_each(|tag| name("tag", tag))
}

pub(super) fn page(page: &ItemPage, query: &RemoteQuery) -> Result<(), WireError> {
    if page.items.len() > query.most() as usize {
        return Err(WireError::Protocol(format!(
            "the page has {} items; no more than {} were asked for",
            page.items.len(),
            query.most()
        )));
    }
    for item in &page.items {
        check_key(&item.key, BOUNDS).map_err(beyond)?;
        value(&item.value)?;
        rev_of_item(item.rev)?;
        match &item.order {
            Some(order) => name("ordering key", order)?,
            None if query.by_index() => {
                return Err(WireError::Protocol("an item of a listing by an index has no ordering key".into()));
            }
            None => {}
        }
    }
    next(page.next.as_deref(), query.after())
}

pub(super) fn collections(page: &CollectionPage, after: Option<&str>) -> Result<(), WireError> {
    for collection in &page.collections {
        check_collection(&collection.name, BOUNDS).map_err(beyond)?;
    }
    next(page.next.as_deref(), after)
}

/// A rev that a write answers; 0 where there is no item afterwards.
pub(super) fn rev(rev: Rev) -> Result<Rev, WireError> {
    // What no log reaches, and a caller that keeps it in a signed number could not.
    if rev > i64::MAX as u64 { Err(WireError::Protocol(format!("the rev {rev} is out of range"))) } else { Ok(rev) }
}

fn rev_of_item(of_item: Rev) -> Result<(), WireError> {
    match rev(of_item)? {
        0 => Err(WireError::Protocol("an item has the rev 0, which says that there is none".into())),
        _ => Ok(()),
    }
}

// A page that names itself as the next one would be read for ever.
fn next(next: Option<&str>, after: Option<&str>) -> Result<(), WireError> {
    match next {
        Some(next) if next.len() > NEXT_BYTES => {
            Err(WireError::Protocol(format!("the name of the next page has {} bytes", next.len())))
        }
        Some(_) if next == after => Err(WireError::Protocol("the page names itself as the next one".into())),
        _ => Ok(()),
    }
}

fn value(value: &Json) -> Result<(), WireError> {
    // Its text would repeat a piece of the value.
    value.check_within(BOUNDS).map_err(|_| WireError::Protocol("a value is not one that JSON can carry".into()))
}

fn name(what: &'static str, name: &str) -> Result<(), WireError> {
    check_name(what, name, BOUNDS).map_err(beyond)
}

fn beyond(error: LimitError) -> WireError {
    WireError::Protocol(error.to_string())
}
