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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Content, ResourceName};
    use crate::replica::Replica;
    use crate::replica::resources::{self, Side};

    #[test]
    fn a_removal_takes_no_more_rows_than_it_may_whatever_the_items_have_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        let replica = Replica::open_plain(&dir.path().join("s.db"));
        let collection = replica
            .write(|connection| {
                let collection = collections::find_or_create(connection, "c", Life::Live)?;
                for n in 0..10 {
                    let item = items::insert(connection, collection, &format!("k{n}"), 1, 0, Some("1"))?;
                    for tag in ["a", "b"].map(|tag| ResourceName::Tag(tag.into())) {
                        resources::put(connection, item, &tag, Side::Both, Some(&Content::Tag))?;
                    }
                }
                Ok(collection)
            })
            .unwrap();
        let all = KeySpan::gaps(&[]).remove(0);
        let removed = || replica.write(|connection| remove(connection, collection, &all, 12)).unwrap();
        assert_eq!([removed(), removed(), removed(), removed()], [4, 4, 2, 0], "three rows each");
    }
}
