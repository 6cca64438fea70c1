//! Removing what a replica no longer keeps.

use super::collections::{self, Life};
use super::items::{self, Share};
use crate::error::Result;
use crate::planted::{Planted, planted};
use crate::protocol::{Filter, KeySpan};
use rusqlite::Connection;

/// What a removal is to go through: ranges of live collections that are not kept.
pub(crate) fn gaps(connection: &Connection, kept: &Filter) -> Result<Vec<(i64, KeySpan)>> {
    if kept.is_everything() || planted(Planted::NarrowedIsLeft) {
        return Ok(Vec::new());
    }
    let mut gaps = Vec::new();
    for (id, name) in collections::of_life(connection, Life::Live)? {
        gaps.extend(KeySpan::gaps(&kept.ranges(&name)).into_iter().map(|gap| (id, gap)));
    }
    Ok(gaps)
}

/// Removes items of a range that have nothing pending, until so many rows or a transaction's share of bytes are gone, and how many items went; a range of
/// which none went has none left.
pub(crate) fn remove(connection: &Connection, collection: i64, span: &KeySpan, rows: usize) -> Result<u64> {
    let upper = if span.to.is_some() { "AND key < ?4" } else { "AND ?4 IS NULL" };
    let idle = if planted(Planted::NarrowingForgetsPending) { "" } else { "AND pending = 0" };
    let mut find = connection.prepare_cached(&format!(
        "SELECT id, ifnull(octet_length(value), 0) FROM items
         WHERE collection = ?1 AND key >= ?2 {upper} {idle} ORDER BY key LIMIT ?3"
    ))?;
    let found =
        find.query_map((collection, &span.from, rows as i64, &span.to), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found: Vec<(i64, i64)> = found.collect::<rusqlite::Result<_>>()?;
    let (mut items, mut gone) = (0, 0);
    let mut share = Share::default();
    for (id, bytes) in found {
        if gone >= rows {
            break;
        }
        if idle.is_empty() {
            connection.execute("DELETE FROM outbox WHERE item = ?1", [id])?;
        }
        gone += 1 + items::remove(connection, id)?;
        items += 1;
        if !share.take(bytes) {
            break;
        }
    }
    Ok(items)
}
