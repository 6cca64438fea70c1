//! Pages of the log (section 4).

use super::sight::Sight;
use super::{InboxRequest, ServiceError};
use crate::core::Tags;
use crate::core::cursor::Position;
use crate::storage::{
    ClientKey, Image, Link, Payload, Rejection, ResourceName, Snapshot, StorageError, Stored, StoredEntry, size,
};
use std::time::{Duration, UNIX_EPOCH};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::{BatchId, Entry, EntryOutcome, InboxPage, OpKind};
use syncstore::wire::Expiry;

// Why an item that can no longer be seen is deleted.
const REVOKED: &str = "revoked";

// A page ends after this many bytes of payloads, of the tags that are told with them and of the reasons of rejections, but
// never inside a batch.
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

/// Reads a page that begins at `position`, as `tags` see it, for the client `own` (`None`: it has never pushed).
pub fn page(
    snapshot: &impl Snapshot,
    mut position: Position,
    own: Option<ClientKey>,
    tags: &Tags,
    request: &InboxRequest,
) -> Result<InboxPage, ServiceError> {
    let limit = request.limit.clamp(1, MOST_ENTRIES) as usize;
    let start = position.seq;
    let mut entries: Vec<Entry> = Vec::new();
    let (mut bytes, mut looked_at, mut more) = (0, 0, false);
    let mut last_batch: Option<(ClientKey, BatchId)> = None;
    let mut failed = None;
    let shown = |stored: &StoredEntry| {
        let mine = own == Some(stored.client);
        let (collection, key) = (stored.collection.as_str(), stored.key.as_str());
        match Sight::of(tags, stored) {
            _ if !mine && (stored.rejected || stored.no_op) => Shown::Nothing,
            _ if stored.rejected => Shown::Rejected,
            // Asked for with another cursor.
            _ if request.scope.is_had(collection, key) => Shown::Nothing,
            _ if !mine && !request.scope.filter.has(collection, key) => Shown::Nothing,
            _ if !request.scope.filter.has(collection, key) => Shown::Hidden,
            Sight::None if mine => Shown::Hidden,
            Sight::None => Shown::Nothing,
            Sight::Revoked if planted(Planted::Rule17NothingRevoked) => Shown::Nothing,
            Sight::Revoked => Shown::Revoked,
            Sight::Full => Shown::Full,
            Sight::Plain if mine && stored.as_sent && !request.own_payloads => Shown::AsSent,
            Sight::Plain => Shown::Change,
        }
    };
    // Of a tag that was added only who sees the item by it is told more than the tag.
    let wanted = |stored: &StoredEntry| match shown(stored) {
        Shown::Full => true,
        Shown::Change => !matches!(stored.resource, ResourceName::Tag(_)),
        _ => false,
    };
    snapshot.entries(position.seq, &wanted, &mut |stored| {
        let batch = stored.batch.map(|batch| (stored.client, batch));
        let same_batch = batch.is_some() && batch == last_batch && !planted(Planted::Rule16BatchOverPages);
        if !same_batch && (entries.len() >= limit || bytes >= PAGE_BYTES || looked_at >= MOST_LOOKED_AT) {
            more = true;
            return false;
        }
        last_batch = batch;
        looked_at += 1;
        (position.seq, position.entry) = (stored.seq, Some(stored.op_ref));
        bytes += stored.payload.as_ref().map_or(0, Payload::size);
        let shown = shown(&stored);
        if matches!(shown, Shown::Full) {
            bytes += size::of_tags(&stored.tags_after);
        }
        match entry(stored, shown).and_then(|entry| with_reason(snapshot, entry)) {
            Ok((entry, reason)) => {
                entries.extend(entry);
                bytes += reason;
            }
            Err(error) => failed = Some(error),
        }
        failed.is_none()
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let mut seq = position.seq;
    if planted(Planted::Rule14SeqOfLastVisible) {
        seq = entries.last().map_or(start, |entry| entry.seq);
    }
    Ok(InboxPage { entries, cursor: position.encode(), seq, more })
}

// In which form an entry is told.
#[derive(Clone, Copy)]
enum Shown {
    Nothing,
    Rejected,
    Hidden,
    Revoked,
    Full,
    AsSent,
    Change,
}

// An entry with the reason why it was rejected, if it was, and the bytes that this takes.
fn with_reason(snapshot: &impl Snapshot, mut entry: Option<Entry>) -> Stored<(Option<Entry>, usize)> {
    let mut bytes = 0;
    if let Some(entry) = entry.as_mut().filter(|entry| entry.outcome == EntryOutcome::Rejected)
        && let Some(reason) = snapshot.rejection(entry.seq)?
    {
        bytes = reason.size();
        let Rejection { code, message, detail } = reason;
        (entry.code, entry.message, entry.detail) = (Some(code), Some(message), detail);
    }
    Ok((entry, bytes))
}

fn entry(stored: StoredEntry, shown: Shown) -> Stored<Option<Entry>> {
    let outcome = if stored.rejected { EntryOutcome::Rejected } else { EntryOutcome::Accepted };
    let mut entry = Entry::new(stored.seq, stored.op_ref, outcome);
    entry.batch = stored.batch;
    match shown {
        Shown::Nothing => return Ok(None),
        Shown::Hidden => {
            entry.hidden = true;
            if planted(Planted::Rule19HiddenIsNamed) {
                (entry.collection, entry.key) = (Some(stored.collection), Some(stored.key));
            }
            return Ok(Some(entry));
        }
        Shown::Rejected => {
            entry.at = Some(rfc3339(stored.at));
            return Ok(Some(entry));
        }
        Shown::Revoked | Shown::Full | Shown::AsSent | Shown::Change => {}
    }
    entry.at = Some(rfc3339(stored.at));
    entry.kind = Some(stored.kind);
    (entry.collection, entry.key) = (Some(stored.collection), Some(stored.key));
    entry.from = Some(stored.from);
    entry.rev = Some(if stored.no_op { stored.from } else { stored.seq });
    if matches!(shown, Shown::Revoked) {
        (entry.kind, entry.reason) = (Some(OpKind::Delete), Some(REVOKED.to_owned()));
        return Ok(Some(entry));
    }
    if matches!(shown, Shown::Full) {
        (entry.full, entry.from, entry.tags) = (true, Some(0), stored.tags_after);
        match stored.payload {
            Some(Payload::Json(value)) => entry.value = Some(value),
            Some(Payload::Item(Image { value, .. })) if planted(Planted::Rule17FullWithoutResources) => {
                entry.value = Some(value);
            }
            Some(Payload::Item(Image { value, indexes, relations })) => {
                (entry.value, entry.indexes, entry.relations) = (Some(value), indexes, relations);
            }
            _ => return Err(StorageError::corrupt("an item became visible and its entry does not have it")),
        }
        return Ok(Some(entry));
    }
    match stored.resource {
        ResourceName::Value => {}
        ResourceName::Index(name) => entry.index = Some(name),
        ResourceName::Relation(id) => entry.relation = Some(id),
        ResourceName::Tag(tag) => entry.tag = Some(tag),
    }
    entry.as_sent = matches!(shown, Shown::AsSent);
    match stored.payload {
        Some(Payload::Json(json)) if stored.kind == OpKind::Patch => entry.patch = Some(json),
        Some(Payload::Json(json)) => entry.value = Some(json),
        Some(Payload::Order(order)) => entry.order = Some(order),
        Some(Payload::Link(Link { predicate, object })) => {
            (entry.predicate, entry.object) = (Some(predicate), Some(object));
        }
        Some(Payload::Item(_)) | None => {}
    }
    Ok(Some(entry))
}

// The last millisecond that RFC 3339 can write; a clock may say anything.
const LAST: u64 = 253_402_300_799_999;

pub fn rfc3339(unix_ms: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms.min(LAST))).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_millis(time).to_string()
}
