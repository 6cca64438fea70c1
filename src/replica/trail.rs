//! The table `changes`: a short trail of what was changed, by which the watchers of other stores on the file learn of it.
//!
//! It is written only while another store watches. Its ids have no gaps, so that a reader knows when some are gone.

use crate::error::{Error, Result};
use crate::protocol::Ref;
use crate::watch::{ChangeKind, ItemChange, Origin, Overflow, Told};
use rusqlite::Connection;
use std::sync::Arc;

/// Rows that it keeps; it may have [`CUT`] more.
const LENGTH: i64 = 4_096;

/// Rows after which what is too long ago is forgotten.
const CUT: i64 = 128;

/// What a row tells.
#[derive(Debug)]
pub(super) enum Step {
    Item(Told),
    /// More may have changed than is told.
    Overflow(Overflow),
    /// An index of a collection was declared, dropped or built.
    Reindexed(String, String),
    /// A store began to watch.
    Begin,
}

const SET: i64 = 0;
const DELETED: i64 = 1;
const RELOAD: i64 = 2;
const BEGIN: i64 = 3;
const MISSED: i64 = 4;
const RESOURCES: i64 = 5;
const REVOKED: i64 = 6;
const REINDEXED: i64 = 7;

/// Appends a row; its id. `store` is that of [`Step::Begin`] of the store that writes, or 0 if it does not watch.
pub(super) fn append(connection: &Connection, store: i64, step: &Step) -> Result<i64> {
    let item = if let Step::Item(told) = step { Some(&told.change) } else { None };
    let kind = match step {
        Step::Item(told) => match told.change.kind {
            ChangeKind::Set => SET,
            ChangeKind::Deleted => DELETED,
            ChangeKind::Resources => RESOURCES,
            ChangeKind::Revoked => REVOKED,
        },
        Step::Overflow(Overflow::Reloaded) => RELOAD,
        Step::Overflow(_) => MISSED,
        Step::Reindexed(..) => REINDEXED,
        Step::Begin => BEGIN,
    };
    let (collection, key) = match step {
        Step::Item(Told { change, .. }) => (Some(&change.collection), Some(&change.key)),
        Step::Reindexed(collection, index) => (Some(collection), Some(index)),
        Step::Overflow(_) | Step::Begin => (None, None),
    };
    let ranges = match step {
        Step::Item(Told { ranges: Some(ranges), .. }) => {
            let ranges: Vec<&str> = ranges.iter().map(|range| &**range).collect();
            Some(serde_json::to_string(&ranges).map_err(|error| Error::Storage(Box::new(error)))?)
        }
        _ => None,
    };
    let op = item.and_then(|change| change.op_ref);
    connection
        .prepare_cached(
            "INSERT INTO changes(store, kind, remote, collection, key, op, random, ranges)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            store,
            kind,
            item.is_some_and(|change| change.origin == Origin::Remote),
            collection,
            key,
            op.map(|op| op.order()),
            op.map(|op| op.random() as i64),
            ranges,
        ))?;
    Ok(connection.last_insert_rowid())
}

/// Forgets what is too long ago, now and then; the last row was `before`, and is `last` now.
pub(super) fn cut(connection: &Connection, before: i64, last: i64) -> Result<()> {
    if before / CUT != last / CUT {
        connection.prepare_cached("DELETE FROM changes WHERE id <= ?1")?.execute([last - LENGTH])?;
    }
    Ok(())
}

/// Whether the trail would not hold so many changes.
pub(super) fn is_too_long(changes: usize) -> bool {
    changes as i64 >= LENGTH
}

/// Hands out the rows behind a place, each with its id and its store.
pub(super) fn read(connection: &Connection, after: i64, mut take: impl FnMut(i64, i64, Step)) -> Result<()> {
    let mut find = connection.prepare_cached(
        "SELECT id, store, kind, remote, collection, key, op, random, ranges FROM changes WHERE id > ?1 ORDER BY id",
    )?;
    let mut rows = find.query([after])?;
    while let Some(row) = rows.next()? {
        let kind = match row.get(2)? {
            SET => Some(ChangeKind::Set),
            DELETED => Some(ChangeKind::Deleted),
            RESOURCES => Some(ChangeKind::Resources),
            REVOKED => Some(ChangeKind::Revoked),
            _ => None,
        };
        let step = match (kind, row.get::<_, i64>(2)?) {
            (Some(kind), _) => {
                let change = ItemChange {
                    collection: row.get(4)?,
                    key: row.get(5)?,
                    kind,
                    origin: if row.get(3)? { Origin::Remote } else { Origin::Local },
                    op_ref: match (row.get::<_, Option<i64>>(6)?, row.get::<_, Option<i64>>(7)?) {
                        (Some(order), Some(random)) => Some(Ref::from_parts(order, random as u64)),
                        _ => None,
                    },
                };
                let ranges: Option<String> = row.get(8)?;
                // What cannot be read is not known.
                let ranges: Option<Vec<String>> = ranges.and_then(|ranges| serde_json::from_str(&ranges).ok());
                let ranges = ranges.map(|ranges| ranges.into_iter().map(Arc::from).collect());
                Step::Item(Told { change, ranges })
            }
            (None, REINDEXED) => Step::Reindexed(row.get(4)?, row.get(5)?),
            (None, BEGIN) => Step::Begin,
            (None, RELOAD) => Step::Overflow(Overflow::Reloaded),
            (None, _) => Step::Overflow(Overflow::Missed),
        };
        take(row.get(0)?, row.get(1)?, step);
    }
    Ok(())
}
