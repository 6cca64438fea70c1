//! Rejections: the ops that the server refused, or lost, kept with what the user meant until the host has dealt with each.
//!
//! They are rows of the ledger. A retried or discarded one loses what was meant and stays as an outcome like any other; one that was
//! lost and is discarded is undone again.

use super::ledger::{DISCARDED, RETRIED, Rejection, read_ref};
use super::queue::Payload;
use super::{kind_from_sql, ledger};
use crate::error::Result;
use crate::planted::{Planted, planted};
use crate::protocol::{BatchId, OpKind, Ref, ResourceName, Rev};
use crate::replica::{parts, resources};
use rusqlite::{Connection, OptionalExtension, Row};

/// A rejected operation, with what the user meant by it.
///
/// Or one that the server accepted and lost, when it was restored from an older backup: its code is [`Code::UNDONE`](crate::Code::UNDONE), and it
/// is to set what its part of the item last was as confirmed here, or to delete it.
///
/// `meant` and `present` are texts of the part of the item that the operation was on, `resource`: the JSON of its value, `{"order"}` of an index
/// entry, `{"predicate","object"}` of a relation, `{}` of a tag.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RejectedOp {
    /// The operation.
    pub op_ref: Ref,
    /// The collection of its item.
    pub collection: String,
    /// The key of its item.
    pub key: String,
    /// What of the item it was on.
    pub resource: ResourceName,
    /// What it was to do.
    pub kind: OpKind,
    /// The JSON text of a set's value or a patch's operations, or of what an index entry (`{"order"}`) or a relation
    /// (`{"predicate","object"}`) was to be.
    pub payload: Option<String>,
    /// The rev of the item that this replica had confirmed when it was made; `None`: no claim.
    pub base: Option<Rev>,
    /// Its batch, if it was in one. None of the batch was done, and retrying or discarding one of its operations does so with all.
    pub batch: Option<BatchId>,
    /// What it was to be with this operation. Of a set that is what it set; of a patch what the item last read as with it here, up to
    /// 256 KiB. `None`: a delete, or a patch that had ceased to apply, or made more than that.
    pub meant: Option<String>,
    /// What the server has there now, as far as this replica has pulled; `None`: nothing.
    pub present: Option<String>,
    /// Why it was rejected.
    pub rejection: Rejection,
    /// When this replica learned of it, in milliseconds since 1970 by this device's clock.
    pub at: u64,
}

const COLUMNS: &str = "id, random, collection, key, kind, payload, base, failure, ifnull(resource, 0), name, batch,
    batch_of, meant, at";

fn read_batch(row: &Row<'_>) -> rusqlite::Result<Option<(BatchId, u32)>> {
    let batch: Option<[u8; 16]> = row.get(10)?;
    Ok(batch.map(BatchId::from_bytes).zip(row.get(11)?))
}

fn read(row: &Row<'_>) -> rusqlite::Result<RejectedOp> {
    let (kind, payload) = (kind_from_sql(row.get(4)?)?, row.get::<_, Option<String>>(5)?);
    let resource = resources::read_name(row, 8, 9)?;
    let meant = match kind {
        OpKind::Set if matches!(resource, ResourceName::Tag(_)) => Some("{}".into()),
        OpKind::Set => payload.clone(),
        OpKind::Patch => row.get(12)?,
        OpKind::Delete => None,
    };
    Ok(RejectedOp {
        op_ref: read_ref(row, 0)?,
        collection: row.get(2)?,
        key: row.get(3)?,
        resource,
        kind,
        payload,
        base: row.get::<_, Option<i64>>(6)?.map(|base| base as Rev),
        batch: read_batch(row)?.map(|(batch, _)| batch),
        meant,
        present: None,
        rejection: Rejection::from_sql(&row.get::<_, String>(7)?)?,
        at: row.get::<_, i64>(13)? as u64,
    })
}

fn select(connection: &Connection, which: &str, most: usize) -> Result<Vec<RejectedOp>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut find = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM ledger WHERE outcome IN (2, 8) {which} ORDER BY id LIMIT ?1"
    ))?;
    let rows = find.query_map([most], read)?;
    let mut found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    for op in &mut found {
        if let Some(row) = parts::row(connection, (&op.collection, &op.key))? {
            op.present = parts::confirmed(connection, row, &op.resource)?;
        }
    }
    Ok(found)
}

/// The rejected ops that wait to be dealt with, the oldest first.
pub(crate) fn all(connection: &Connection) -> Result<Vec<RejectedOp>> {
    select(connection, "", usize::MAX)
}

/// Whether there is one that no consumer has taken.
pub(crate) fn any_untold(connection: &Connection) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM ledger WHERE outcome IN (2, 8) AND told = 0 LIMIT 1")?.exists([])?)
}

/// Up to so many that no consumer has taken, which are taken now.
pub(crate) fn take(connection: &Connection, most: usize) -> Result<Vec<RejectedOp>> {
    let taken = select(connection, "AND told = 0", most)?;
    if planted(Planted::NoticesLeftUnmarked) {
        return Ok(taken);
    }
    let mut mark = connection.prepare_cached("UPDATE ledger SET told = 1 WHERE id = ?1")?;
    for op in &taken {
        mark.execute([op.op_ref.order()])?;
    }
    if planted(Planted::NoticesMarkedUnheard) {
        connection.execute("UPDATE ledger SET told = 1 WHERE outcome = 2", [])?;
    }
    Ok(taken)
}

/// What it takes to make a rejected op again.
pub(crate) struct Refused {
    pub op_ref: Ref,
    pub collection: String,
    pub key: String,
    pub payload: Payload,
    pub batch: Option<(BatchId, u32)>,
}

fn read_refused(row: &Row<'_>) -> rusqlite::Result<Refused> {
    let payload =
        Payload { resource: resources::read_name(row, 8, 9)?, kind: kind_from_sql(row.get(4)?)?, text: row.get(5)? };
    Ok(Refused {
        op_ref: read_ref(row, 0)?,
        collection: row.get(2)?,
        key: row.get(3)?,
        payload,
        batch: read_batch(row)?,
    })
}

/// A rejected op that waits to be dealt with, in the form in which it was refused; not one that was undone, of which something else is kept.
pub(crate) fn find(connection: &Connection, op_ref: Ref) -> Result<Option<Refused>> {
    let mut find = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM ledger WHERE outcome = 2 AND id = ?1 AND random = ?2"))?;
    Ok(find.query_row((op_ref.order(), op_ref.random() as i64), read_refused).optional()?)
}

/// A rejected op that waits to be dealt with, in its order with all that are left of its batch; empty: there is none.
pub(crate) fn with_batch(connection: &Connection, op_ref: Ref) -> Result<Vec<Refused>> {
    let mut find = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM ledger WHERE outcome IN (2, 8) AND id = ?1 AND random = ?2"))?;
    let asked = find.query_row((op_ref.order(), op_ref.random() as i64), read_refused).optional()?;
    let Some(asked) = asked else { return Ok(Vec::new()) };
    let Some((batch, _)) = asked.batch else { return Ok(vec![asked]) };
    let mut find = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM ledger WHERE outcome = 2 AND batch = ?1 ORDER BY id"))?;
    let rows = find.query_map([*batch.as_bytes()], read_refused)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Lets go of what was meant by a rejected op; `into`: what it was made again as.
pub(crate) fn settle(connection: &Connection, op_ref: Ref, into: Option<Ref>) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE ledger SET outcome = CASE WHEN ?3 IS NULL AND outcome = 8 THEN 4 ELSE ?2 END,
                failure = CASE WHEN ?3 IS NULL AND outcome = 8 THEN NULL ELSE failure END,
                into_id = ?3, into_random = ?4, payload = NULL, meant = NULL, batch = NULL, batch_of = NULL, told = 1
             WHERE id = ?1",
        )?
        .execute((
            op_ref.order(),
            if into.is_some() { RETRIED } else { DISCARDED },
            into.map(|into| into.order()),
            into.map(|into| into.random() as i64),
        ))?;
    Ok(())
}

/// The rejected op that one was made of.
pub(crate) fn retry_of(connection: &Connection, op_ref: Ref) -> Result<Option<Ref>> {
    let mut find = connection
        .prepare_cached("SELECT id, random FROM ledger WHERE outcome = 5 AND into_id = ?1 AND into_random = ?2")?;
    Ok(find.query_row((op_ref.order(), op_ref.random() as i64), |row| ledger::read_ref(row, 0)).optional()?)
}
