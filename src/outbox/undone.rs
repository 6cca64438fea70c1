//! Ops that a restored server lost, kept with what they left on their items, so that the host can make them again.
//!
//! The base has that until the checkpoint of the restored log is swapped in. Of several ops on one part of an item the last is kept.

use super::ledger::{ACCEPTED, Rejection, UNDONE, UNDONE_KEPT, read_ref};
use super::{kind_from_sql, kind_to_sql};
use crate::error::Result;
use crate::protocol::{Code, OpKind, Ref, ResourceName, Seq};
use crate::replica::{parts, resources};
use rusqlite::{Connection, params};
use std::collections::HashSet;

const MESSAGE: &str = "the server had accepted it, and lost it: it was restored from an older backup";

/// An accepted op above the restored position, as far as its row tells.
struct Lost {
    op_ref: Ref,
    seq: i64,
    item: (String, String),
    resource: ResourceName,
    kind: OpKind,
}

/// Undoes the accepted ops above the position that a restored log begins anew from; how many there are.
pub(crate) fn undo_above(connection: &Connection, restored: Seq) -> Result<u64> {
    let restored = i64::try_from(restored).unwrap_or(i64::MAX);
    let mut undone = 0;
    let mut decided = HashSet::new();
    for lost in lost_above(connection, restored)? {
        if decided.insert((lost.item.clone(), lost.resource.clone())) {
            undone += u64::from(keep(connection, &lost)?);
        }
    }
    undone += connection
        .prepare_cached("UPDATE ledger SET outcome = ?2 WHERE outcome = ?3 AND seq > ?1")?
        .execute((restored, UNDONE, ACCEPTED))? as u64;
    Ok(undone)
}

/// The last first.
fn lost_above(connection: &Connection, restored: i64) -> Result<Vec<Lost>> {
    let mut find = connection.prepare_cached(
        "SELECT id, random, seq, collection, key, ifnull(resource, 0), name, kind FROM ledger
         WHERE outcome = ?1 AND seq > ?2 AND collection IS NOT NULL AND key IS NOT NULL AND kind IS NOT NULL ORDER BY seq DESC",
    )?;
    let rows = find.query_map((ACCEPTED, restored), |row| {
        Ok(Lost {
            op_ref: read_ref(row, 0)?,
            seq: row.get(2)?,
            item: (row.get(3)?, row.get(4)?),
            resource: resources::read_name(row, 5, 6)?,
            kind: kind_from_sql(row.get(7)?)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Undoes one, if the base has what it did; whether it has.
fn keep(connection: &Connection, lost: &Lost) -> Result<bool> {
    let row = parts::row(connection, (&lost.item.0, &lost.item.1))?;
    let confirmed = match row {
        Some(row) if is_written_over(connection, row.id, &lost.resource)? => return Ok(false),
        Some(row) => parts::confirmed(connection, row, &lost.resource)?,
        None => None,
    };
    let kind = match (lost.kind, &confirmed) {
        (OpKind::Set | OpKind::Patch, Some(_)) => OpKind::Set,
        (OpKind::Delete, None) => OpKind::Delete,
        // Somebody has written over it since.
        _ => return Ok(false),
    };
    let payload = confirmed.filter(|_| !matches!(lost.resource, ResourceName::Tag(_)));
    let why = Rejection::told(Some(&Code::UNDONE), Some(MESSAGE), None, Some(lost.seq as Seq));
    connection
        .prepare_cached(
            "UPDATE ledger SET outcome = ?2, kind = ?3, payload = ?4, failure = ?5, base = NULL, told = 0 WHERE id = ?1",
        )?
        .execute(params![lost.op_ref.order(), UNDONE_KEPT, kind_to_sql(kind), payload, why.to_sql()])?;
    Ok(true)
}

/// Whether a pending op says anew what the part is: that is what the user meant last.
fn is_written_over(connection: &Connection, item: i64, part: &ResourceName) -> Result<bool> {
    let (resource, name) = resources::to_sql(part);
    let mut find = connection.prepare_cached(
        "SELECT 1 FROM outbox WHERE item = ?1 AND answer <> 2
         AND ((kind <> 1 AND resource = ?2 AND name IS ?3) OR (kind = 2 AND resource = 0)) LIMIT 1",
    )?;
    Ok(find.exists(params![item, resource, name])?)
}
