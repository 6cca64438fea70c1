//! The table `outbox`: operations in the order in which they were made.

use super::ledger::Rejection;
use super::{kind_from_sql, kind_to_sql};
use crate::error::{Error, Result};
use crate::planted::{Planted, planted};
use crate::protocol::{BatchId, Content, OpKind, Ref, ResourceName, Rev, Seq};
use crate::replica::{Item, resources};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::HashMap;

/// What the server has said of a queued op so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing: it is pushed, or pushed again.
    None = 0,
    /// Accepted, at a seq that the base has not reached.
    Accepted = 1,
    /// Rejected, at a seq that the base has not reached.
    Rejected = 2,
    /// It waits for an approver.
    Queued = 3,
    /// It waits for the rest of its batch.
    Staged = 4,
}

/// What an op does, and to what, with its payload.
///
/// The payload of a set of the value is that value, of a patch the RFC 6902 array, of a set of another resource what
/// [`Content::to_payload`] makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub resource: ResourceName,
    pub kind: OpKind,
    pub text: Option<String>,
}

impl Payload {
    /// Of an op on the item's value, or on the item as a whole.
    pub fn of_value(kind: OpKind, text: Option<String>) -> Payload {
        Payload { resource: ResourceName::Value, kind, text }
    }

    /// Of a set of another resource.
    pub fn set(resource: ResourceName, content: &Content) -> Payload {
        Payload { resource, kind: OpKind::Set, text: content.to_payload() }
    }

    /// Of a delete of another resource.
    pub fn delete(resource: ResourceName) -> Payload {
        Payload { resource, kind: OpKind::Delete, text: None }
    }

    /// How much it is in a push or a batch, in bytes.
    pub fn bytes(&self) -> usize {
        self.text.as_ref().map_or(0, String::len) + self.resource.name().map_or(0, str::len)
    }

    /// Whether it ends the item.
    pub fn ends_item(&self) -> bool {
        self.kind == OpKind::Delete && self.resource == ResourceName::Value
    }

    /// What an op on another resource than the value leaves there; the outer `None`: it is no such payload.
    pub fn content(&self) -> Option<Option<Content>> {
        match (self.kind, &self.text) {
            (OpKind::Set, text) => Content::from_payload(&self.resource, text.as_deref()).map(Some),
            (OpKind::Delete, None) if self.resource != ResourceName::Value => Some(None),
            _ => None,
        }
    }
}

/// A row of the outbox.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub op_ref: Ref,
    pub item: i64,
    pub payload: Payload,
    /// The claim that it makes of the item; `None`: no claim.
    pub base: Option<Rev>,
    pub batch: Option<(BatchId, u32)>,
    /// Whether it may have left this replica; then it never changes.
    pub sent: bool,
    pub answer: Answer,
    /// Whether it applies to what is before it.
    pub applies: bool,
    /// Where the answer says it stands in the log.
    pub seq: Option<Seq>,
    /// Why the answer says it was rejected.
    pub rejection: Option<Rejection>,
}

impl Queued {
    /// The place in the outbox.
    pub fn id(&self) -> i64 {
        self.op_ref.order()
    }
}

const COLUMNS: &str = "o.id, o.random, o.item, o.kind, o.payload, o.base, o.batch, o.batch_of, o.sent, o.answer, o.applies, o.seq, o.failure, o.resource, o.name";
/// How many columns [`COLUMNS`] names.
const WIDTH: usize = 15;

fn read(row: &Row<'_>) -> rusqlite::Result<Queued> {
    let batch: Option<[u8; 16]> = row.get(6)?;
    let batch_of: Option<u32> = row.get(7)?;
    let failure: Option<String> = row.get(12)?;
    Ok(Queued {
        op_ref: Ref::from_parts(row.get(0)?, row.get::<_, i64>(1)? as u64),
        item: row.get(2)?,
        payload: Payload {
            resource: resources::read_name(row, 13, 14)?,
            kind: kind_from_sql(row.get(3)?)?,
            text: row.get(4)?,
        },
        base: row.get::<_, Option<i64>>(5)?.map(|base| base as Rev),
        batch: batch.map(BatchId::from_bytes).zip(batch_of),
        sent: row.get(8)?,
        answer: read_answer(row, 9)?,
        applies: row.get(10)?,
        seq: row.get::<_, Option<i64>>(11)?.map(|seq| seq as Seq),
        rejection: failure.map(|text| Rejection::from_sql(&text)).transpose()?,
    })
}

fn read_answer(row: &Row<'_>, column: usize) -> rusqlite::Result<Answer> {
    match row.get::<_, i64>(column)? {
        0 => Ok(Answer::None),
        1 => Ok(Answer::Accepted),
        2 => Ok(Answer::Rejected),
        3 => Ok(Answer::Queued),
        4 => Ok(Answer::Staged),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    }
}

/// Appends an op that was never sent.
pub(crate) fn insert(
    connection: &Connection,
    op_ref: Ref,
    item: i64,
    payload: &Payload,
    base: Option<Rev>,
    batch: Option<(BatchId, u32)>,
) -> Result<()> {
    let (resource, name) = resources::to_sql(&payload.resource);
    connection
        .prepare_cached(
            "INSERT INTO outbox(id, random, item, kind, base, batch, batch_of, payload, resource, name)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute((
            op_ref.order(),
            op_ref.random() as i64,
            item,
            kind_to_sql(payload.kind),
            base.map(|base| base as i64),
            batch.map(|(id, _)| *id.as_bytes()),
            batch.map(|(_, of)| of),
            payload.text.as_deref(),
            resource,
            name,
        ))?;
    Ok(())
}

/// The op with a ref.
pub(crate) fn find(connection: &Connection, op_ref: Ref) -> Result<Option<Queued>> {
    let mut find =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox o WHERE o.id = ?1 AND o.random = ?2"))?;
    Ok(find.query_row((op_ref.order(), op_ref.random() as i64), read).optional()?)
}

/// Whether an op was sent, and what the server has said of it; without its payload.
pub(crate) fn standing(connection: &Connection, op_ref: Ref) -> Result<Option<(bool, Answer)>> {
    let mut find = connection.prepare_cached("SELECT sent, answer FROM outbox WHERE id = ?1 AND random = ?2")?;
    let row = find.query_row((op_ref.order(), op_ref.random() as i64), |row| Ok((row.get(0)?, read_answer(row, 1)?)));
    Ok(row.optional()?)
}

/// All ops of an item, in order.
pub(crate) fn of_item(connection: &Connection, item: i64) -> Result<Vec<Queued>> {
    let mut find =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox o WHERE o.item = ?1 ORDER BY o.id"))?;
    let rows = find.query_map([item], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether any op is on a part of an item.
pub(crate) fn any_on(connection: &Connection, item: i64, part: &ResourceName) -> Result<bool> {
    let (resource, name) = resources::to_sql(part);
    let mut find =
        connection.prepare_cached("SELECT 1 FROM outbox WHERE item = ?1 AND resource = ?2 AND name IS ?3 LIMIT 1")?;
    Ok(find.exists((item, resource, name))?)
}

/// Whether any op is on a part of an item that the server has not refused, as far as is known.
pub(crate) fn any_unrefused_on(connection: &Connection, item: i64, part: &ResourceName) -> Result<bool> {
    let (resource, name) = resources::to_sql(part);
    let mut find = connection.prepare_cached(
        "SELECT 1 FROM outbox WHERE item = ?1 AND resource = ?2 AND name IS ?3 AND answer <> 2 LIMIT 1",
    )?;
    Ok(find.exists((item, resource, name))?)
}

/// Lets the ops on a part of an item that were never sent claim to know what is confirmed of it now.
pub(crate) fn claim(connection: &Connection, item: Item, part: &ResourceName) -> Result<()> {
    let (resource, name) = resources::to_sql(part);
    connection
        .prepare_cached(
            "UPDATE outbox SET base = ?4
             WHERE item = ?1 AND resource = ?2 AND name IS ?3 AND sent = 0 AND base IS NOT NULL",
        )?
        .execute((item.id, resource, name, item.rev as i64))?;
    Ok(())
}

/// All ops of a batch that are still there, in order.
pub(crate) fn of_batch(connection: &Connection, batch: BatchId) -> Result<Vec<Queued>> {
    let mut find =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox o WHERE o.batch = ?1 ORDER BY o.id"))?;
    let rows = find.query_map([batch.as_bytes()], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The items and the places of the ops that lie staged at the server, by batch.
pub(crate) fn staged_items(connection: &Connection) -> Result<HashMap<BatchId, Vec<(i64, i64)>>> {
    let mut find = connection
        .prepare_cached("SELECT batch, item, id FROM outbox WHERE answer = ?1 AND batch IS NOT NULL ORDER BY id")?;
    let mut rows = find.query([Answer::Staged as i64])?;
    let mut items: HashMap<BatchId, Vec<(i64, i64)>> = HashMap::new();
    while let Some(row) = rows.next()? {
        items.entry(BatchId::from_bytes(row.get(0)?)).or_default().push((row.get(1)?, row.get(2)?));
    }
    Ok(items)
}

/// The last op of an item.
pub(crate) fn last_of_item(connection: &Connection, item: i64) -> Result<Option<Queued>> {
    let mut find = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM outbox o WHERE o.item = ?1 ORDER BY o.id DESC LIMIT 1"))?;
    Ok(find.query_row([item], read).optional()?)
}

/// Ops behind a place, up to another one, in order with their collection and key, for as long as `take` wants more.
pub(crate) fn scan(
    connection: &Connection,
    after: i64,
    up_to: i64,
    take: impl FnMut(Queued, String, String) -> bool,
) -> Result<()> {
    scan_columns(connection, COLUMNS, after, up_to, take)
}

/// The same without the payloads of those that have an answer, which are not read from the disk then.
pub(crate) fn scan_unanswered(
    connection: &Connection,
    after: i64,
    up_to: i64,
    take: impl FnMut(Queued, String, String) -> bool,
) -> Result<()> {
    let columns = COLUMNS.replace("o.payload", "CASE WHEN o.answer = 0 THEN o.payload END");
    scan_columns(connection, &columns, after, up_to, take)
}

fn scan_columns(
    connection: &Connection,
    columns: &str,
    after: i64,
    up_to: i64,
    mut take: impl FnMut(Queued, String, String) -> bool,
) -> Result<()> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT {columns}, c.name, i.key FROM outbox o JOIN items i ON i.id = o.item
         JOIN collections c ON c.id = i.collection WHERE o.id > ?1 AND o.id <= ?2 ORDER BY o.id"
    ))?;
    let mut rows = find.query([after, up_to])?;
    while let Some(row) = rows.next()? {
        if !take(read(row)?, row.get(WIDTH)?, row.get(WIDTH + 1)?) {
            break;
        }
    }
    Ok(())
}

/// The place of the last op; 0: the outbox is empty.
pub(crate) fn last_id(connection: &Connection) -> Result<i64> {
    let mut find = connection.prepare_cached("SELECT ifnull(max(id), 0) FROM outbox")?;
    Ok(find.query_row([], |row| row.get(0))?)
}

/// How many ops up to a place are left, and how many of them have no answer.
pub(crate) fn left(connection: &Connection, up_to: i64) -> Result<(u64, u64)> {
    let mut find =
        connection.prepare_cached("SELECT count(*), ifnull(sum(answer = 0), 0) FROM outbox WHERE id <= ?1")?;
    Ok(find.query_row([up_to], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)))?)
}

/// Whether an op was sent and the server's last word on it is not known.
pub(crate) fn any_in_doubt(connection: &Connection) -> Result<bool> {
    let mut find = connection.prepare_cached("SELECT 1 FROM outbox WHERE sent = 1 AND answer NOT IN (1, 2) LIMIT 1")?;
    Ok(find.exists([])?)
}

/// How many ops wait.
pub(crate) fn count(connection: &Connection) -> Result<u64> {
    let count: i64 = connection.prepare_cached("SELECT count(*) FROM outbox")?.query_row([], |row| row.get(0))?;
    Ok(count as u64)
}

/// Gives an op that was never sent another payload.
pub(crate) fn update_payload(connection: &Connection, id: i64, payload: &Payload) -> Result<()> {
    let (resource, name) = resources::to_sql(&payload.resource);
    let changed = connection
        .prepare_cached(if planted(Planted::FoldsIntoSent) {
            "UPDATE outbox SET kind = ?2, payload = ?3, resource = ?4, name = ?5, applies = 1 WHERE id = ?1"
        } else {
            "UPDATE outbox SET kind = ?2, payload = ?3, resource = ?4, name = ?5, applies = 1
             WHERE id = ?1 AND sent = 0"
        })?
        .execute((id, kind_to_sql(payload.kind), payload.text.as_deref(), resource, name))?;
    if changed == 1 { Ok(()) } else { Err(Error::Corrupt(format!("outbox row {id} is not there to fold into"))) }
}

/// Marks the ops from one place to another, both included, as sent; the mark is never taken back.
pub(crate) fn mark_sent(connection: &Connection, first: i64, last: i64) -> Result<()> {
    if planted(Planted::SentNotMarked) {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE outbox SET sent = 1 WHERE id BETWEEN ?1 AND ?2 AND sent = 0")?
        .execute([first, last])?;
    Ok(())
}

/// Marks an op as sent because the server's log has it, whoever sent it; and those before it on its item, which went first.
pub(crate) fn mark_known(connection: &Connection, op: &Queued) -> Result<()> {
    connection
        .prepare_cached("UPDATE outbox SET sent = 1 WHERE item = ?1 AND id <= ?2 AND sent = 0")?
        .execute([op.item, op.id()])?;
    Ok(())
}

/// Writes the mark of a sent op once more, so that the commit has something to sync.
///
/// Whoever wrote it may have ended before the disk had it. It is in the write-ahead log then, where this process reads
/// it like any other, and a power loss would still take it, after the op has left.
pub(crate) fn mark_sent_again(connection: &Connection, id: i64) -> Result<()> {
    if planted(Planted::SentMarkLeftUnsynced) {
        return Ok(());
    }
    connection.prepare_cached("UPDATE outbox SET sent = 0 WHERE id = ?1 AND sent = 1")?.execute([id])?;
    mark_sent(connection, id, id)
}

/// Records what the server said of an op.
pub(crate) fn record_answer(
    connection: &Connection,
    id: i64,
    answer: Answer,
    seq: Option<Seq>,
    rejection: Option<&Rejection>,
) -> Result<()> {
    connection.prepare_cached("UPDATE outbox SET answer = ?2, seq = ?3, failure = ?4 WHERE id = ?1")?.execute((
        id,
        answer as i64,
        seq.map(|seq| seq as i64),
        rejection.map(Rejection::to_sql),
    ))?;
    Ok(())
}

/// Records whether an op applies to what is before it.
pub(crate) fn mark_applies(connection: &Connection, id: i64, applies: bool) -> Result<()> {
    connection.prepare_cached("UPDATE outbox SET applies = ?2 WHERE id = ?1")?.execute((id, applies))?;
    Ok(())
}

/// Removes an op that is settled.
pub(crate) fn delete(connection: &Connection, id: i64) -> Result<()> {
    connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// The ops that an answer settles now that the base has reached `position`.
pub(crate) fn answered_up_to(connection: &Connection, position: Seq) -> Result<Vec<Queued>> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox o WHERE o.answer IN (1, 2) AND ifnull(o.seq, 0) <= ?1 ORDER BY o.id"
    ))?;
    let rows = find.query_map([position as i64], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Forgets every answer, so that the whole outbox is pushed again; the answers that there were.
pub(crate) fn forget_answers(connection: &Connection) -> Result<Vec<(i64, Answer)>> {
    let mut find = connection.prepare_cached("SELECT id, answer FROM outbox WHERE answer <> 0")?;
    let rows = find.query_map([], |row| Ok((row.get(0)?, read_answer(row, 1)?)))?;
    let answers = rows.collect::<rusqlite::Result<_>>()?;
    connection
        .prepare_cached("UPDATE outbox SET answer = 0, seq = NULL, failure = NULL WHERE answer <> 0")?
        .execute([])?;
    Ok(answers)
}

/// Whether an op was accepted above a place in the log.
pub(crate) fn any_accepted_above(connection: &Connection, position: Seq) -> Result<bool> {
    let mut find = connection.prepare_cached("SELECT 1 FROM outbox WHERE answer = 1 AND seq > ?1 LIMIT 1")?;
    Ok(find.exists([position as i64])?)
}

/// Forgets the acceptances above one place in the log, up to another one, so that their ops are pushed again; which ops.
pub(crate) fn forget_accepted(connection: &Connection, above: Seq, up_to: Seq) -> Result<Vec<i64>> {
    let mut forget = connection.prepare_cached(
        "UPDATE outbox SET answer = 0, seq = NULL, failure = NULL WHERE answer = 1 AND seq > ?1 AND seq <= ?2
         RETURNING id",
    )?;
    let ids = forget.query_map([above as i64, up_to as i64], |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

/// Whether any op up to a place has an answer.
pub(crate) fn any_answered(connection: &Connection, answer: Answer, up_to: i64) -> Result<bool> {
    let mut find = connection.prepare_cached("SELECT 1 FROM outbox WHERE answer = ?1 AND id <= ?2 LIMIT 1")?;
    Ok(find.exists((answer as i64, up_to))?)
}

/// Forgets an answer of ops up to a place that the server should have decided by now; which ops.
pub(crate) fn forget_answer(connection: &Connection, answer: Answer, up_to: i64) -> Result<Vec<i64>> {
    let mut forget = connection.prepare_cached(
        "UPDATE outbox SET answer = 0, seq = NULL, failure = NULL WHERE answer = ?1 AND id <= ?2 RETURNING id",
    )?;
    let ids = forget.query_map((answer as i64, up_to), |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

/// Takes back every claim on a base: the log that they speak of is gone.
pub(crate) fn forget_bases(connection: &Connection) -> Result<()> {
    connection.prepare_cached("UPDATE outbox SET base = NULL WHERE base IS NOT NULL")?.execute([])?;
    Ok(())
}

/// Moves an item's ops to the row that takes its place.
pub(crate) fn move_item(connection: &Connection, from: i64, to: i64) -> Result<()> {
    connection.prepare_cached("UPDATE outbox SET item = ?2 WHERE item = ?1")?.execute([from, to])?;
    Ok(())
}
