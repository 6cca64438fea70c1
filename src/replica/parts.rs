//! A part of an item (its value, or one of its resources) as a JSON text: as the server confirmed it, and as the host reads it.
//!
//! The value is its own text; an index entry is `{"order"}`, a relation `{"predicate","object"}`, a tag `{}`.

use super::{Item, base, collections, items, resources};
use crate::error::Result;
use crate::protocol::{Content, ResourceName};
use rusqlite::Connection;

/// The text of a resource.
pub(crate) fn text_of(content: &Content) -> String {
    content.to_payload().unwrap_or_else(|| "{}".into())
}

/// The resource that a text says; `None`: it is none of that name.
pub(crate) fn content_of(resource: &ResourceName, text: &str) -> Option<Content> {
    match resource {
        ResourceName::Tag(_) => Some(Content::Tag),
        _ => Content::from_payload(resource, Some(text)),
    }
}

/// The row of a live item.
pub(crate) fn row(connection: &Connection, (collection, key): (&str, &str)) -> Result<Option<Item>> {
    match collections::live(connection, collection)? {
        Some(collection) => items::find(connection, collection, key),
        None => Ok(None),
    }
}

/// What is confirmed of a part of an item that has a row.
pub(crate) fn confirmed(connection: &Connection, row: Item, part: &ResourceName) -> Result<Option<String>> {
    if *part == ResourceName::Value {
        return base::confirmed(connection, row);
    }
    let rows = resources::of_item(connection, row.id)?;
    let found = rows.into_iter().find(|stored| stored.resource == *part);
    Ok(found.and_then(|stored| stored.base).as_ref().map(text_of))
}

/// What the host reads of a part of an item that has a row.
pub(crate) fn seen(connection: &Connection, row: Item, part: &ResourceName) -> Result<Option<String>> {
    if *part == ResourceName::Value {
        return items::value(connection, row.id);
    }
    let rows = resources::of_item(connection, row.id)?;
    let found = rows.into_iter().find(|stored| stored.resource == *part);
    Ok(found.and_then(|stored| stored.view).as_ref().map(text_of))
}
