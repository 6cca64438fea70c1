//! A page of a checkpoint: what it may say, and its items put into the file, a slice at a time (section 5).

use crate::error::{Error, Result};
use crate::planted::{Planted, planted};
use crate::protocol::{CheckpointItem, CheckpointPage, ResourceName, Scope};
use crate::replica::collections::{self, Life};
use crate::replica::items;
use crate::replica::resources::{self, Side};
use crate::sync::received::{check_received, check_received_name, received_resources};
use crate::sync::token;
use crate::wire::CheckpointRequest;
use rusqlite::Connection;
use std::collections::HashMap;

/// Rows of a page in one transaction, and items that one transaction deletes: a few milliseconds.
pub(super) const SLICE: usize = 1_000;

/// How many of these items go into one transaction: each is a row, and so is each of its resources.
pub(super) fn slice_len(items: &[CheckpointItem]) -> usize {
    let mut rows = 0;
    let fits = |item: &&CheckpointItem| {
        let first = rows == 0;
        rows += 1 + item.indexes.len() + item.relations.len() + item.tags.len();
        first || rows <= SLICE
    };
    items.iter().take_while(fits).count()
}

/// How many of these items are asked for.
pub(super) fn taken(items: &[CheckpointItem], scope: &Scope) -> u64 {
    if scope.is_everything() {
        return items.len() as u64;
    }
    items.iter().filter(|item| scope.has(&item.collection, &item.key)).count() as u64
}

pub(super) fn load_items(connection: &Connection, slice: &[CheckpointItem], scope: &Scope) -> Result<u64> {
    let mut loader = items::Loader::new(connection)?;
    let mut ids: HashMap<&str, i64> = HashMap::new();
    // Items come by collection, as a rule.
    let mut last: Option<(&str, i64)> = None;
    let mut bytes = 0;
    let everything = scope.is_everything();
    for item in slice.iter().filter(|item| everything || scope.has(&item.collection, &item.key)) {
        let collection = item.collection.as_str();
        let known = last.filter(|(name, _)| *name == collection).map(|(_, id)| id);
        let id = match known.or_else(|| ids.get(collection).copied()) {
            Some(id) => id,
            None => collections::find_or_create(connection, collection, Life::Incoming)?,
        };
        if known.is_none() {
            ids.insert(collection, id);
            last = Some((collection, id));
        }
        let value = item.value.as_str();
        let row = loader.load(id, &item.key, item.rev, value)?;
        let resources =
            received_resources(&item.indexes, &item.relations, &item.tags).map_err(|error| broken(item, error))?;
        let left_out = |resource: &ResourceName| {
            planted(Planted::CheckpointWithoutRelations) && matches!(resource, ResourceName::Relation(_))
        };
        for (resource, content) in resources.iter().filter(|(resource, _)| !left_out(resource)) {
            resources::put(connection, row, resource, Side::Both, Some(content))?;
            bytes += resource.name().map_or(0, str::len) as u64;
        }
        bytes += (value.len() + item.key.len()) as u64;
    }
    Ok(bytes)
}

/// Refuses a page that no checkpoint has.
pub(super) fn check_page(page: &CheckpointPage, request: &CheckpointRequest) -> Result<()> {
    token::check("the cursor of the checkpoint", page.cursor.as_str())?;
    token::check("the name of the checkpoint", &page.checkpoint)?;
    token::check("the next page of the checkpoint", page.next.as_deref().unwrap_or_default())?;
    if page.next.is_some() && page.next == request.page {
        return Err(Error::protocol("a page of the checkpoint names itself as the next"));
    }
    if page.seq > i64::MAX as u64 {
        return Err(Error::protocol(format!("the checkpoint has the seq {}", page.seq)));
    }
    for item in &page.items {
        if item.rev == 0 || item.rev > i64::MAX as u64 {
            return Err(Error::protocol(format!("item {:?} of the checkpoint has rev {}", item.key, item.rev)));
        }
        check_received_name(&item.collection, &item.key)
            .map_err(|error| Error::protocol(format!("an item of the checkpoint: {error}")))?;
        check_received(&item.value).map_err(|error| broken(item, error))?;
        received_resources(&item.indexes, &item.relations, &item.tags).map_err(|error| broken(item, error))?;
    }
    Ok(())
}

fn broken(item: &CheckpointItem, error: impl std::fmt::Display) -> Error {
    Error::protocol(format!("item {:?} of the checkpoint: {error}", item.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ClientId, Cursor, Json};

    #[test]
    fn a_slice_of_a_page_has_so_many_rows_and_at_least_an_item() {
        let with = |tags: usize| CheckpointItem {
            tags: (0..tags).map(|n| n.to_string()).collect(),
            ..CheckpointItem::new("c", "k", Json::null(), 1)
        };
        let length = |tags: &[usize]| slice_len(&tags.iter().map(|tags| with(*tags)).collect::<Vec<_>>());
        assert_eq!(length(&[]), 0);
        assert_eq!(length(&[0; SLICE]), SLICE);
        assert_eq!(length(&[0; SLICE + 1]), SLICE);
        assert_eq!(length(&[SLICE - 2, 0, 0]), 2);
        assert_eq!(length(&[SLICE - 1, 0]), 1);
        assert_eq!(length(&[5 * SLICE, 0]), 1);
        assert_eq!(length(&[0, 5 * SLICE]), 1);
    }

    #[test]
    fn the_numbers_of_a_page_are_checked_up_to_their_edge() {
        const LAST: u64 = i64::MAX as u64;
        let check = |seq, rev, next: Option<&str>, asked: Option<&str>| {
            let item = CheckpointItem::new("c", "k", Json::null(), rev);
            let page = CheckpointPage {
                checkpoint: "one".into(),
                cursor: Cursor::new("c".to_owned()),
                seq,
                items: vec![item],
                next: next.map(str::to_owned),
                total: 1,
            };
            let client = ClientId::from_random(1);
            check_page(
                &page,
                &CheckpointRequest { client, page: asked.map(str::to_owned), limit: 1, scope: Default::default() },
            )
        };
        check(LAST, LAST, Some("p2"), None).unwrap();
        check(0, 1, None, None).unwrap();
        check(0, 1, Some("p3"), Some("p2")).unwrap();
        for (seq, rev) in [(LAST + 1, 1), (1, LAST + 1), (1, 0)] {
            assert!(check(seq, rev, None, None).is_err(), "{seq} {rev}");
        }
        assert!(check(1, 1, Some("p2"), Some("p2")).is_err());
    }
}
