//! The check of the queue and of the ledger.

use super::ledger::{ACCEPTED, DISCARDED, FOLDED, REJECTED, RETRIED, UNDONE, UNDONE_KEPT, WITHDRAWN};
use super::{Payload, Rejection, kind_from_sql};
use crate::check::{Finding, FindingCode, Findings};
use crate::error::Result;
use crate::protocol::{Content, Json, Limits, OpKind, Ref, ResourceName, patch};
use crate::replica::check::{integer, optional_text, text};
use crate::replica::{parts, resources};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::collections::{HashMap, HashSet};

/// One more than the highest of the random bits of a ref.
const RANDOM_END: i64 = 1 << 62;

/// The table `outbox`; how many rows there are.
pub(crate) fn outbox(connection: &Connection, findings: &mut Findings) -> Result<u64> {
    let mut find = connection.prepare(
        "SELECT o.id, o.random, o.item, o.kind, o.payload, o.base, o.batch, o.batch_of, o.sent, o.answer, o.seq,
                o.failure, o.applies, c.name, i.key, c.life, o.resource, o.name
         FROM outbox o LEFT JOIN items i ON i.id = o.item LEFT JOIN collections c ON c.id = i.collection ORDER BY o.id",
    )?;
    let mut rows = find.query([])?;
    let mut count = 0;
    let mut unsent: HashSet<i64> = HashSet::new();
    let mut batches = Batches::default();
    while let Some(row) = rows.next()? {
        count += 1;
        let id: i64 = row.get(0)?;
        let random = integer(row.get_ref(1)?);
        let (collection, key) = (text(row.get_ref(13)?), text(row.get_ref(14)?));
        let mut add = |code, words: &str| {
            let op = Ref::from_parts(id, random.unwrap_or(0) as u64);
            findings.add(Finding::new(code, "outbox", words).row(id).item(collection, key).op(op));
        };
        if !is_ref(id, random) {
            add(FindingCode::OutboxRef, "the ref has parts that no ref has");
        }
        if integer(row.get_ref(15)?) != Some(0) {
            add(FindingCode::OutboxItem, "its item is not there, or not live");
        }
        if payload(row, 3, 16)?.is_none() {
            add(FindingCode::OutboxPayload, "resource, kind and payload do not go together, or cannot be read");
        }
        if !is_optional_number(row.get_ref(5)?) {
            add(FindingCode::OutboxBase, "the claim is no rev");
        }
        let sent = flag(row.get_ref(8)?);
        if !is_answer(row)? || sent.is_none() {
            add(FindingCode::OutboxAnswer, "the answer, its place in the log and its reason do not go together");
        }
        match (integer(row.get_ref(2)?), sent) {
            (Some(item), Some(false)) => drop(unsent.insert(item)),
            (Some(item), Some(true)) if unsent.contains(&item) => {
                add(FindingCode::SentOrder, "it was sent, and one before it on its item was not");
            }
            _ => {}
        }
        match batches.next(row.get_ref(6)?, row.get_ref(7)?) {
            Place::Fits => {}
            Place::Malformed => add(FindingCode::OutboxBatch, "it is in no batch that could be, or in one too many"),
            Place::Apart => add(FindingCode::BatchOrder, "the operations of its batch do not stand together"),
        }
        if flag(row.get_ref(12)?).is_none() {
            add(FindingCode::Applies, "whether it applies is neither yes nor no");
        }
    }
    Ok(count)
}

/// How an op stands in its batch.
enum Place {
    Fits,
    Malformed,
    Apart,
}

/// The batches of the queue, as far as it was read.
#[derive(Default)]
struct Batches {
    /// Of each batch: how many ops it has, and how many were seen.
    seen: HashMap<[u8; 16], (i64, i64)>,
    last: Option<[u8; 16]>,
}

impl Batches {
    fn next(&mut self, batch: ValueRef<'_>, of: ValueRef<'_>) -> Place {
        let before = self.last.take();
        let (id, of) = match (batch, of) {
            (ValueRef::Null, ValueRef::Null) => return Place::Fits,
            (ValueRef::Blob(id), ValueRef::Integer(of @ 1..)) => match <[u8; 16]>::try_from(id) {
                Ok(id) => (id, of),
                Err(_) => return Place::Malformed,
            },
            _ => return Place::Malformed,
        };
        self.last = Some(id);
        let known = self.seen.contains_key(&id);
        let (expected, seen) = self.seen.entry(id).or_insert((of, 0));
        *seen += 1;
        if known && before != Some(id) {
            Place::Apart
        } else if *expected != of || *seen > of {
            Place::Malformed
        } else {
            Place::Fits
        }
    }
}

/// Whether answer, seq and failure (from column 9 on) go together, and with the mark that the op was sent.
fn is_answer(row: &Row<'_>) -> Result<bool> {
    let (seq, failure) = (row.get_ref(10)?, row.get_ref(11)?);
    let none = (ValueRef::Null, ValueRef::Null);
    let sent = row.get_ref(8)? == ValueRef::Integer(1);
    // One that was given up here may be part of a batch of which not all was sent.
    let given_up = seq == ValueRef::Null;
    Ok(match row.get_ref(9)? {
        ValueRef::Integer(0) => (seq, failure) == none,
        ValueRef::Integer(1) => sent && matches!(seq, ValueRef::Integer(0..)) && failure == ValueRef::Null,
        ValueRef::Integer(2) => (sent || given_up) && is_rejection(seq, failure),
        ValueRef::Integer(3 | 4) => sent && (seq, failure) == none,
        _ => false,
    })
}

fn is_rejection(seq: ValueRef<'_>, failure: ValueRef<'_>) -> bool {
    let rejection = text(failure).and_then(|text| Rejection::from_sql(text).ok());
    rejection.is_some_and(|rejection| match seq {
        ValueRef::Null => rejection.seq.is_none(),
        ValueRef::Integer(seq) => rejection.seq == u64::try_from(seq).ok(),
        _ => false,
    })
}

/// The kind and, in the column behind it, the payload; in two others the resource. `None`: they do not go together.
fn payload(row: &Row<'_>, column: usize, resource: usize) -> Result<Option<Payload>> {
    let Some(Ok(kind)) = integer(row.get_ref(column)?).map(kind_from_sql) else { return Ok(None) };
    let Some(text) = optional_text(row.get_ref(column + 1)?) else { return Ok(None) };
    let (number, name) = (integer(row.get_ref(resource)?), optional_text(row.get_ref(resource + 1)?));
    let resource = number.zip(name).and_then(|(number, name)| resources::from_sql(number, name.map(str::to_owned)));
    let Some(resource) = resource else { return Ok(None) };
    let limits = &Limits::CONFIRMED;
    if resource != ResourceName::Value {
        let payload = Payload { resource, kind, text: text.map(str::to_owned) };
        let within = |content: Option<Content>| content.is_none_or(|content| content.check(limits).is_ok());
        let readable = payload.resource.check(limits).is_ok() && payload.content().is_some_and(within);
        return Ok(readable.then_some(payload));
    }
    let readable = match (kind, text.map(|text| Json::from_stored(text.to_owned()))) {
        (OpKind::Delete, None) => true,
        (OpKind::Set, Some(Ok(value))) => value.check_within(limits).is_ok(),
        (OpKind::Patch, Some(Ok(patch))) => limits.check_patch(&patch).is_ok() && patch::parse(&patch).is_ok(),
        _ => false,
    };
    Ok(readable.then(|| Payload::of_value(kind, text.map(str::to_owned))))
}

/// A pending op as a replay needs it.
pub(crate) struct Replayed {
    pub op_ref: Ref,
    pub payload: Payload,
    pub applies: bool,
}

/// Hands out each item that has pending ops, with these in order; not those whose ops cannot be read.
pub(crate) fn each_item(connection: &Connection, mut take: impl FnMut(i64, Vec<Replayed>) -> Result<()>) -> Result<()> {
    let mut find = connection
        .prepare("SELECT item, id, random, kind, payload, applies, resource, name FROM outbox ORDER BY item, id")?;
    let mut rows = find.query([])?;
    let mut current: Option<(i64, Option<Vec<Replayed>>)> = None;
    while let Some(row) = rows.next()? {
        let Some(item) = integer(row.get_ref(0)?) else { continue };
        if current.as_ref().is_none_or(|(at, _)| *at != item) {
            if let Some((at, Some(ops))) = current.take() {
                take(at, ops)?;
            }
            current = Some((item, Some(Vec::new())));
        }
        let random = integer(row.get_ref(2)?).unwrap_or(0);
        let op = payload(row, 3, 6)?.zip(flag(row.get_ref(5)?)).map(|(payload, applies)| {
            Ok::<_, rusqlite::Error>(Replayed { op_ref: Ref::from_parts(row.get(1)?, random as u64), payload, applies })
        });
        if let Some((_, ops)) = &mut current {
            match op.transpose()? {
                Some(op) => drop(ops.as_mut().map(|ops| ops.push(op))),
                None => *ops = None,
            }
        }
    }
    match current {
        Some((at, Some(ops))) => take(at, ops),
        _ => Ok(()),
    }
}

/// The table `ledger`; how many rows there are, and how many of them are rejections.
pub(crate) fn ledger(connection: &Connection, findings: &mut Findings) -> Result<(u64, u64)> {
    let mut find = connection.prepare(
        "SELECT l.id, l.random, l.outcome, l.kind, l.payload, l.seq, l.failure, l.base, l.collection, l.key, l.at,
                l.into_id, l.into_random, o.id, ifnull(q.random, t.random), l.resource, l.name, l.meant, l.batch, l.batch_of,
                l.told
         FROM ledger l LEFT JOIN outbox o ON o.id = l.id
         LEFT JOIN outbox q ON q.id = l.into_id LEFT JOIN ledger t ON t.id = l.into_id ORDER BY l.id",
    )?;
    let mut rows = find.query([])?;
    let (mut count, mut rejections) = (0, 0);
    while let Some(row) = rows.next()? {
        count += 1;
        let id: i64 = row.get(0)?;
        let random = integer(row.get_ref(1)?);
        let mut add = |code, words: &str| {
            let op = Ref::from_parts(id, random.unwrap_or(0) as u64);
            findings.add(Finding::new(code, "ledger", words).row(id).op(op));
        };
        if !is_ref(id, random) {
            add(FindingCode::LedgerRef, "the ref has parts that no ref has");
        }
        if row.get_ref(13)? != ValueRef::Null {
            add(FindingCode::RefTwice, "it is pending, and settled");
        }
        rejections += u64::from(matches!(row.get_ref(2)?, ValueRef::Integer(REJECTED | UNDONE_KEPT)));
        if !is_outcome(row)? {
            add(FindingCode::LedgerOutcome, "what is kept of it does not go with its outcome");
        } else if let (Some(into), into_random) = (integer(row.get_ref(11)?), row.get_ref(12)?) {
            // One that is gone from both tables was pruned. Ops fold into earlier ones only and are made again as later ones, so no
            // chain is a ring: a fold follows a retry to an op that was pending then.
            let target = row.get_ref(14)?;
            let folded = row.get_ref(2)? == ValueRef::Integer(FOLDED);
            let placed = if folded { into < id } else { into > id };
            if !placed || (target != ValueRef::Null && target != into_random) {
                add(FindingCode::FoldTarget, "it leads to an operation in the wrong place, or to one of another ref");
            }
        }
    }
    Ok((count, rejections))
}

/// Whether an outcome has what it must have, and nothing that it must not.
fn is_outcome(row: &Row<'_>) -> Result<bool> {
    let null = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)? == ValueRef::Null);
    let rejected = row.get_ref(2)? == ValueRef::Integer(REJECTED);
    let (seq, failure) = (row.get_ref(5)?, row.get_ref(6)?);
    let folded = matches!((row.get_ref(11)?, row.get_ref(12)?), (ValueRef::Integer(0..), ValueRef::Integer(0..)));
    let not_folded = null(11)? && null(12)?;
    let base = is_optional_number(row.get_ref(7)?);
    let batch = match (row.get_ref(18)?, row.get_ref(19)?) {
        (ValueRef::Null, ValueRef::Null) => true,
        (ValueRef::Blob(id), ValueRef::Integer(1..)) => id.len() == 16 && rejected,
        _ => false,
    };
    let meant = optional_text(row.get_ref(17)?).is_some_and(|meant| {
        meant.is_none_or(|text| rejected && Json::from_stored(text.to_owned()).is_ok_and(|json| json.check().is_ok()))
    });
    let named = text(row.get_ref(8)?).is_some() && text(row.get_ref(9)?).is_some();
    let fits = match integer(row.get_ref(2)?) {
        // What it was on is kept, and its payload is not; a file of before version 9 has neither.
        Some(ACCEPTED | UNDONE) => {
            let on_an_item = named && is_part(row)?;
            let of_before = null(3)? && null(8)? && null(9)?;
            not_folded && matches!(seq, ValueRef::Integer(0..)) && null(6)? && null(4)? && (on_an_item || of_before)
        }
        Some(UNDONE_KEPT) => {
            let whole = payload(row, 3, 15)?.is_some_and(|payload| payload.kind != OpKind::Patch);
            not_folded
                && named
                && matches!(seq, ValueRef::Integer(0..))
                && is_rejection(seq, failure)
                && whole
                && null(18)?
        }
        Some(REJECTED) => not_folded && named && is_rejection(seq, failure) && payload(row, 3, 15)?.is_some(),
        Some(RETRIED) => folded && named && is_rejection(seq, failure) && null(4)?,
        Some(DISCARDED) => not_folded && named && is_rejection(seq, failure) && null(4)?,
        Some(how @ (FOLDED | WITHDRAWN)) => {
            let leads = folded || (how == WITHDRAWN && not_folded);
            let nothing: rusqlite::Result<Vec<bool>> = [3, 4, 5, 6, 7, 8, 9, 15, 16].map(null).into_iter().collect();
            leads && nothing?.into_iter().all(|null| null)
        }
        _ => false,
    };
    let told = flag(row.get_ref(20)?).is_some();
    Ok(fits && base && batch && meant && told && matches!(row.get_ref(10)?, ValueRef::Integer(0..)))
}

/// Whether the kind and the resource of a row of the ledger can be read.
fn is_part(row: &Row<'_>) -> Result<bool> {
    let kind = matches!(integer(row.get_ref(3)?).map(kind_from_sql), Some(Ok(_)));
    let (number, name) = (integer(row.get_ref(15)?), optional_text(row.get_ref(16)?));
    let resource = number.zip(name).and_then(|(number, name)| resources::from_sql(number, name.map(str::to_owned)));
    Ok(kind && resource.is_some())
}

/// The table `conflicts`; how many rows there are of open ones.
pub(crate) fn conflicts(connection: &Connection, findings: &mut Findings) -> Result<u64> {
    let mut find = connection.prepare(
        "SELECT id, collection, key, resource, name, ending, ended, op, random, base, local, remote, shown, version, offered,
            told, accepted, opened, updated FROM conflicts ORDER BY id",
    )?;
    let mut rows = find.query([])?;
    let mut open = HashSet::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let (collection, key) = (text(row.get_ref(1)?), text(row.get_ref(2)?));
        let mut add = |code, words: &str| {
            findings.add(Finding::new(code, "conflicts", words).row(id).item(collection, key));
        };
        let (number, name) = (integer(row.get_ref(3)?), optional_text(row.get_ref(4)?));
        let resource = number.zip(name).and_then(|(number, name)| resources::from_sql(number, name.map(str::to_owned)));
        let Some((resource, (collection, key))) = resource.zip(collection.zip(key)) else {
            add(FindingCode::ConflictRow, "it is on no part of an item");
            continue;
        };
        let ending = integer(row.get_ref(5)?);
        let ended = row.get_ref(5)? != ValueRef::Null;
        let end_fits = match ending {
            Some(ending) => super::conflicts::ending_from_sql(ending).is_some() && row.get_ref(6)? != ValueRef::Null,
            None => !ended && row.get_ref(6)? == ValueRef::Null && row.get_ref(7)? == ValueRef::Null,
        };
        let op_fits = match (row.get_ref(7)?, row.get_ref(8)?) {
            (ValueRef::Null, ValueRef::Null) => true,
            (ValueRef::Integer(op), ValueRef::Integer(random)) => is_ref(op, Some(random)),
            _ => false,
        };
        let numbers = [6, 13, 14, 17, 18].map(|column| row.get_ref(column).map(is_optional_number));
        let numbers: rusqlite::Result<Vec<bool>> = numbers.into_iter().collect();
        let flags = flag(row.get_ref(15)?).is_some() && flag(row.get_ref(16)?).is_some();
        if !end_fits || !op_fits || !flags || !numbers?.into_iter().all(|fits| fits) {
            add(FindingCode::ConflictRow, "how it stands and what is kept of that do not go together");
        }
        for column in 9..=12 {
            let fits = match optional_text(row.get_ref(column)?) {
                Some(None) => true,
                Some(Some(side)) => !ended && is_side(&resource, side),
                None => false,
            };
            if !fits {
                add(FindingCode::ConflictSide, "a side is none of that part of an item, or is kept after the end");
            }
        }
        if !ended && !open.insert((collection.to_owned(), key.to_owned(), resource)) {
            add(FindingCode::ConflictTwice, "another one is open on the same");
        }
    }
    Ok(open.len() as u64)
}

fn is_side(resource: &ResourceName, side: &str) -> bool {
    match resource {
        ResourceName::Value => {
            let value = Json::from_stored(side.to_owned());
            value.is_ok_and(|value| value.check_within(&Limits::CONFIRMED).is_ok())
        }
        _ => parts::content_of(resource, side).is_some(),
    }
}

fn is_ref(id: i64, random: Option<i64>) -> bool {
    (0..=Ref::MAX_ORDER).contains(&id) && random.is_some_and(|random| (0..RANDOM_END).contains(&random))
}

fn is_optional_number(column: ValueRef<'_>) -> bool {
    matches!(column, ValueRef::Null | ValueRef::Integer(0..))
}

fn flag(column: ValueRef<'_>) -> Option<bool> {
    match column {
        ValueRef::Integer(0) => Some(false),
        ValueRef::Integer(1) => Some(true),
        _ => None,
    }
}
