//! Pages of the log (section 4).

use super::{InboxRequest, ServiceError};
use crate::core::cursor::Position;
use crate::storage::{ClientKey, Link, Payload, Rejection, ResourceName, Snapshot, StoredEntry};
use std::time::{Duration, UNIX_EPOCH};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::{BatchId, Entry, EntryOutcome, InboxPage, OpKind};
use syncstore::wire::Expiry;

// A page ends after this many bytes of payload, but never inside a batch.
const PAGE_BYTES: usize = 4 << 20;
const MOST_ENTRIES: u32 = 10_000;
// Entries looked at for one page, for a caller who may see few of them.
const MOST_LOOKED_AT: usize = 50_000;

/// Where a reading begins.
pub fn start(snapshot: &impl Snapshot, request: &InboxRequest, digest: u64) -> Result<Position, ServiceError> {
    let state = snapshot.state();
    let Some(cursor) = &request.cursor else {
        if state.pruned > 0 {
            return Err(ServiceError::CursorExpired(Expiry::Pruned));
        }
        return Ok(Position { epoch: state.epoch, seq: 0, entry: None, digest });
    };
    let position = crate::core::cursor::decode(cursor).map_err(ServiceError::CursorExpired)?;
    match position.expired(snapshot, digest)? {
        Some(expiry) => Err(ServiceError::CursorExpired(expiry)),
        None => Ok(position),
    }
}

/// Reads a page that begins at `position`, for the client `own` (`None`: it has never pushed).
pub fn page(
    snapshot: &impl Snapshot,
    mut position: Position,
    own: Option<ClientKey>,
    request: &InboxRequest,
) -> Result<InboxPage, ServiceError> {
    let limit = request.limit.clamp(1, MOST_ENTRIES) as usize;
    let start = position.seq;
    let mut entries: Vec<Entry> = Vec::new();
    let (mut bytes, mut looked_at, mut more) = (0, 0, false);
    let mut last_batch: Option<(ClientKey, BatchId)> = None;
    let sender_has = |stored: &StoredEntry| own == Some(stored.client) && stored.as_sent && !request.own_payloads;
    snapshot.entries(position.seq, &|stored| !sender_has(stored), &mut |stored| {
        let batch = stored.batch.map(|batch| (stored.client, batch));
        let same_batch = batch.is_some() && batch == last_batch && !planted(Planted::Rule16BatchOverPages);
        if !same_batch && (entries.len() >= limit || bytes >= PAGE_BYTES || looked_at >= MOST_LOOKED_AT) {
            more = true;
            return false;
        }
        last_batch = batch;
        looked_at += 1;
        (position.seq, position.entry) = (stored.seq, Some(stored.op_ref));
        let mine = own == Some(stored.client);
        if mine || !(stored.rejected || stored.no_op) {
            bytes += stored.payload.as_ref().map_or(0, Payload::size);
            let as_sent = sender_has(&stored);
            entries.push(entry(stored, as_sent));
        }
        true
    })?;
    for entry in entries.iter_mut().filter(|entry| entry.outcome == EntryOutcome::Rejected) {
        if let Some(Rejection { code, message, detail }) = snapshot.rejection(entry.seq)? {
            (entry.code, entry.message, entry.detail) = (Some(code), Some(message), detail);
        }
    }
    let mut seq = position.seq;
    if planted(Planted::Rule14SeqOfLastVisible) {
        seq = entries.last().map_or(start, |entry| entry.seq);
    }
    Ok(InboxPage { entries, cursor: position.encode(), seq, more })
}

fn entry(stored: StoredEntry, as_sent: bool) -> Entry {
    let outcome = if stored.rejected { EntryOutcome::Rejected } else { EntryOutcome::Accepted };
    let mut entry = Entry::new(stored.seq, stored.op_ref, outcome);
    entry.at = Some(rfc3339(stored.at));
    entry.batch = stored.batch;
    if stored.rejected {
        return entry;
    }
    entry.kind = Some(stored.kind);
    (entry.collection, entry.key) = (Some(stored.collection), Some(stored.key));
    entry.from = Some(stored.from);
    entry.rev = Some(if stored.no_op { stored.from } else { stored.seq });
    match stored.resource {
        ResourceName::Value => {}
        ResourceName::Index(name) => entry.index = Some(name),
        ResourceName::Relation(id) => entry.relation = Some(id),
        ResourceName::Tag(tag) => entry.tag = Some(tag),
    }
    entry.as_sent = as_sent;
    match stored.payload {
        Some(Payload::Json(json)) if stored.kind == OpKind::Patch => entry.patch = Some(json),
        Some(Payload::Json(json)) => entry.value = Some(json),
        Some(Payload::Order(order)) => entry.order = Some(order),
        Some(Payload::Link(Link { predicate, object })) => {
            (entry.predicate, entry.object) = (Some(predicate), Some(object));
        }
        None => {}
    }
    entry
}

// The last millisecond that RFC 3339 can write; a clock may say anything.
const LAST: u64 = 253_402_300_799_999;

fn rfc3339(unix_ms: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms.min(LAST))).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_millis(time).to_string()
}
