//! The table `ledger`: every ref that is settled, and what became of it.

use super::queue::Queued;
use super::{conflicts, kind_to_sql};
use crate::error::Result;
use crate::protocol::{Code, Json, Ref, Seq};
use crate::replica::{resources, state};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What became of an operation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It waits in the outbox and has never been sent.
    Queued,
    /// It was sent; the server has not said for good what becomes of it (or said that it waits for the rest of
    /// its batch, or for an approver).
    InFlight,
    /// The server committed it.
    Accepted {
        /// Its place in the server's log.
        seq: Seq,
    },
    /// The server refused it, or nothing that holds it can be sent.
    Rejected(Rejection),
    /// It became part of an operation on the same item that had not been sent either: ask for that one.
    FoldedInto(Ref),
    /// It was rejected, and then made again as another operation ([`Store::retry`](crate::Store::retry),
    /// [`Store::edit`](crate::Store::edit)): ask for that one.
    RetriedAs(Ref),
    /// It was taken back before it was ever sent: a conflict was resolved otherwise ([`Store::resolve`](crate::Store::resolve)), by that
    /// operation, if one was needed.
    Withdrawn(Option<Ref>),
    /// The server had committed it, and then lost it: its log was restored from an older backup. What it had left on its item is in
    /// [`Store::rejections`](crate::Store::rejections), with the code `undone`, unless something else was written over it.
    Undone {
        /// Its place in the log that is gone.
        seq: Seq,
    },
}

/// Why an operation was rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rejection {
    /// The reason for a program; cut to 64 bytes.
    pub code: Code,
    /// The reason in the server's words; cut to 2 KiB.
    pub message: String,
    /// More for a program; its shape depends on the code. Left out above 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Json>,
    /// Its place in the server's log; `None`: it was refused without being recorded there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

// What is kept of a server's words, in bytes: the ledger keeps many rejections, and they may come from anybody.
const LONGEST_CODE: usize = 64;
const LONGEST_MESSAGE: usize = 2 << 10;
const LONGEST_DETAIL: usize = 16 << 10;

fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Rejection {
    /// What a server said, within bounds: longer words are cut, and a longer detail, or one that is no JSON, is left out.
    pub(crate) fn told(
        code: Option<&Code>,
        message: Option<&str>,
        detail: Option<&Json>,
        seq: Option<Seq>,
    ) -> Rejection {
        let code = code.map_or(Code::POLICY, |code| Code::new(cut(code.as_str(), LONGEST_CODE)));
        let detail = detail.filter(|detail| detail.as_str().len() <= LONGEST_DETAIL && detail.check().is_ok());
        let message = cut(message.unwrap_or_default(), LONGEST_MESSAGE).to_owned();
        Rejection { code, message, detail: detail.cloned(), seq }
    }

    pub(super) fn to_sql(&self) -> String {
        // Strings, a number and a value that is JSON already: it always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn from_sql(text: &str) -> rusqlite::Result<Rejection> {
        serde_json::from_str(text)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
    }
}

pub(super) const ACCEPTED: i64 = 1;
pub(super) const REJECTED: i64 = 2;
pub(super) const FOLDED: i64 = 3;
pub(super) const UNDONE: i64 = 4;
pub(super) const RETRIED: i64 = 5;
/// Rejected, and let go by the host, with what was meant.
pub(super) const DISCARDED: i64 = 6;
pub(super) const WITHDRAWN: i64 = 7;
/// Undone, and what it had left on its item is kept for the host.
pub(super) const UNDONE_KEPT: i64 = 8;

/// An op that the server committed.
///
/// Replaces what was said before: the server's log has the last word. What it was on is kept for [`super::undone`].
pub(crate) fn accept(connection: &Connection, op: &Queued, item: (&str, &str), seq: Seq, now: u64) -> Result<()> {
    let (resource, name) = resources::to_sql(&op.payload.resource);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO ledger(id, random, outcome, at, seq, kind, collection, key, resource, name)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            op.id(),
            op.op_ref.random() as i64,
            ACCEPTED,
            now as i64,
            seq as i64,
            kind_to_sql(op.payload.kind),
            item.0,
            item.1,
            resource,
            name,
        ])?;
    Ok(())
}

/// An op that was refused, with what the user meant; `meant`: what a patch made of the value.
pub(crate) fn reject(
    connection: &Connection,
    op: &Queued,
    item: (&str, &str),
    rejection: &Rejection,
    meant: Option<&str>,
    now: u64,
) -> Result<()> {
    let (resource, name) = resources::to_sql(&op.payload.resource);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO ledger(id, random, outcome, at, seq, kind, base, collection, key, failure, payload,
                resource, name, meant, batch, batch_of)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            op.id(),
            op.op_ref.random() as i64,
            REJECTED,
            now as i64,
            rejection.seq.map(|seq| seq as i64),
            kind_to_sql(op.payload.kind),
            op.base.map(|base| base as i64),
            item.0,
            item.1,
            rejection.to_sql(),
            op.payload.text.as_deref(),
            resource,
            name,
            meant,
            op.batch.map(|(id, _)| *id.as_bytes()),
            op.batch.map(|(_, of)| of),
        ])?;
    Ok(())
}

/// An op that became part of another.
pub(crate) fn fold(connection: &Connection, op_ref: Ref, into: Ref, now: u64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO ledger(id, random, outcome, at, into_id, into_random) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((op_ref.order(), op_ref.random() as i64, FOLDED, now as i64, into.order(), into.random() as i64))?;
    Ok(())
}

/// An op that is taken back before it was sent.
pub(crate) fn withdraw(connection: &Connection, op_ref: Ref, now: u64) -> Result<()> {
    connection.prepare_cached("INSERT INTO ledger(id, random, outcome, at) VALUES (?1, ?2, ?3, ?4)")?.execute((
        op_ref.order(),
        op_ref.random() as i64,
        WITHDRAWN,
        now as i64,
    ))?;
    Ok(())
}

/// The op that was made in the place of one that was taken back.
pub(crate) fn withdrawn_for(connection: &Connection, op_ref: Ref, instead: Ref) -> Result<()> {
    connection.prepare_cached("UPDATE ledger SET into_id = ?2, into_random = ?3 WHERE id = ?1")?.execute((
        op_ref.order(),
        instead.order(),
        instead.random() as i64,
    ))?;
    Ok(())
}

/// Whether an op was refused without a place in the log, or undone, and the log may know better: the request that
/// brought it was taken, and its answer lost, before the one that was refused; or it came late, when the log had been
/// restored.
pub(crate) fn may_be_accepted(connection: &Connection, op_ref: Ref) -> Result<bool> {
    let mut find = connection.prepare_cached(
        "SELECT outcome, failure FROM ledger WHERE id = ?1 AND random = ?2 AND outcome IN (2, 4, 5, 6, 8)",
    )?;
    let row = find.query_row((op_ref.order(), op_ref.random() as i64), |row| {
        if matches!(row.get(0)?, UNDONE | UNDONE_KEPT) {
            return Ok(true);
        }
        let rejection = Rejection::from_sql(&row.get::<_, String>(1)?)?;
        // What was undone has been made again.
        if rejection.code == Code::UNDONE {
            return Ok(true);
        }
        // What the log has under a reused ref is another op.
        Ok(rejection.seq.is_none() && rejection.code != Code::REF_REUSED)
    });
    Ok(row.optional()?.unwrap_or(false))
}

/// An op that [may be accepted](may_be_accepted), and was.
pub(crate) fn correct(connection: &Connection, op_ref: Ref, seq: Seq) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE ledger SET outcome = ?4, seq = ?3, failure = NULL, payload = NULL, meant = NULL, batch = NULL,
                batch_of = NULL, into_id = NULL, into_random = NULL
             WHERE id = ?1 AND random = ?2",
        )?
        .execute((op_ref.order(), op_ref.random() as i64, seq as i64, ACCEPTED))?;
    Ok(())
}

/// What became of a settled op.
pub(crate) fn outcome(connection: &Connection, op_ref: Ref) -> Result<Option<Outcome>> {
    let mut find = connection.prepare_cached(
        "SELECT outcome, ifnull(seq, 0), into_id, into_random, failure FROM ledger WHERE id = ?1 AND random = ?2",
    )?;
    let row = find.query_row((op_ref.order(), op_ref.random() as i64), |row| {
        let seq = row.get::<_, i64>(1)? as Seq;
        Ok(match row.get::<_, i64>(0)? {
            ACCEPTED => Outcome::Accepted { seq },
            UNDONE | UNDONE_KEPT => Outcome::Undone { seq },
            REJECTED | DISCARDED => Outcome::Rejected(Rejection::from_sql(&row.get::<_, String>(4)?)?),
            FOLDED => Outcome::FoldedInto(read_ref(row, 2)?),
            RETRIED => Outcome::RetriedAs(read_ref(row, 2)?),
            WITHDRAWN => {
                let instead: Option<i64> = row.get(2)?;
                Outcome::Withdrawn(instead.map(|_| read_ref(row, 2)).transpose()?)
            }
            other => return Err(rusqlite::Error::IntegralValueOutOfRange(0, other)),
        })
    });
    Ok(row.optional()?)
}

/// The ref in two columns of a row.
pub(super) fn read_ref(row: &Row<'_>, first: usize) -> rusqlite::Result<Ref> {
    Ok(Ref::from_parts(row.get(first)?, row.get::<_, i64>(first + 1)? as u64))
}

fn count(connection: &Connection, query: &str) -> Result<u64> {
    Ok(connection.prepare_cached(query)?.query_row([], |row| row.get::<_, i64>(0))? as u64)
}

/// How long settled outcomes are kept. An operation that is still pending is never pruned.
///
/// A rejection that nobody has dealt with does not go by age, for it may have the only copy of what a user meant, and a clock that is ahead for a moment makes
/// everything old. It goes only as one of too many, those that somebody has taken ([`Store::take_notices`](crate::Store::take_notices)) first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Outcomes older than this go, and conflicts that ended longer ago, once they were found to be twice, a day apart, so that a clock that is
    /// ahead for a moment takes nothing away (or this long apart, if it is less than a day); `None`: age alone removes nothing.
    pub age: Option<Duration>,
    /// The oldest beyond so many go, of rejections and of all other outcomes apart; `None`: number alone removes
    /// nothing.
    pub outcomes: Option<u64>,
}

impl Retention {
    /// By age and by number; `None`: not by that.
    pub fn new(age: Option<Duration>, outcomes: Option<u64>) -> Retention {
        Retention { age, outcomes }
    }
}

impl Default for Retention {
    /// 90 days, and at most 100,000 outcomes.
    fn default() -> Retention {
        Retention { age: Some(Duration::from_secs(90 * 24 * 3600)), outcomes: Some(100_000) }
    }
}

/// How long apart two looks at the clock must find an outcome too old before it goes, unless the retention is shorter still.
const BETWEEN_LOOKS: u64 = 24 * 3600 * 1000;

/// Removes up to `rows` outcomes that the retention no longer keeps, and conflicts that ended too long ago; how many outcomes went.
pub(crate) fn prune(connection: &Connection, retention: &Retention, now: u64, rows: u64) -> Result<u64> {
    let mut pruned = 0;
    if let Some(age) = retention.age {
        pruned += prune_by_age(connection, age.as_millis() as u64, now, rows)?;
    }
    if let Some(outcomes) = retention.outcomes {
        // Apart, or a slider's folds would push out the rejections, which alone hold what the user meant.
        let rejected = count(connection, "SELECT count(*) FROM ledger WHERE outcome IN (2, 8)")?;
        let all = count(connection, "SELECT count(*) FROM ledger")?;
        let oldest = [
            (
                rejected,
                "DELETE FROM ledger WHERE id IN (SELECT id FROM ledger WHERE outcome IN (2, 8) ORDER BY told DESC, id LIMIT ?1)",
            ),
            (
                // A damaged index may count more rejections than there are outcomes.
                all.saturating_sub(rejected),
                "DELETE FROM ledger WHERE id IN (SELECT id FROM ledger WHERE outcome NOT IN (2, 8) ORDER BY id LIMIT ?1)",
            ),
        ];
        for (number, delete) in oldest {
            let excess = number.saturating_sub(outcomes).min(rows);
            if excess > 0 {
                pruned += connection.prepare_cached(delete)?.execute([excess as i64])? as u64;
            }
        }
    }
    Ok(pruned)
}

/// Removes what was too old at the last look already, if that is some time ago. The clock alone says what is old: one that is ahead for a moment
/// takes nothing away, for the next look finds it to have gone back, and all begins anew.
fn prune_by_age(connection: &Connection, age: u64, now: u64, rows: u64) -> Result<u64> {
    let looked = match state::load_looked(connection)? {
        Some(looked) if looked <= now && now - looked < BETWEEN_LOOKS.min(age) => return Ok(0),
        Some(looked) if looked <= now => looked,
        _ => return state::store_looked(connection, now).map(|()| 0),
    };
    let before = looked.saturating_sub(age);
    conflicts::prune(connection, before)?;
    // By place, the oldest first: an old op that was settled late keeps those behind it a little longer. What became part of an op
    // that is pending is pending with it.
    let pruned = connection
        .prepare_cached(
            "DELETE FROM ledger WHERE id IN (SELECT id FROM (
               SELECT id, at FROM ledger l WHERE outcome NOT IN (2, 8)
               AND NOT (outcome = 3 AND EXISTS (SELECT 1 FROM outbox o WHERE o.id = l.into_id))
               ORDER BY id LIMIT ?2) WHERE at < ?1)",
        )?
        .execute((before as i64, rows as i64))? as u64;
    if pruned < rows {
        state::store_looked(connection, now)?;
    }
    Ok(pruned)
}
