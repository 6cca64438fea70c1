//! Pages of a checkpoint (section 5).

use super::{CheckpointRequest, ServiceError};
use crate::core::Tags;
use crate::core::cursor::Position;
use crate::storage::{CheckpointRow, CollectionKey, Snapshot};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use syncstore::protocol::{CheckpointItem, CheckpointPage};

use super::Retention;

// A page ends after this many bytes of values.
const PAGE_BYTES: usize = 4 << 20;
const MOST_ITEMS: u32 = 10_000;

/// A place in a checkpoint: the item that the page before ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken {
    pub id: [u8; 16],
    pub collection: CollectionKey,
    pub key: String,
}

impl PageToken {
    pub fn first(id: [u8; 16]) -> PageToken {
        PageToken { id, collection: CollectionKey(0), key: String::new() }
    }

    fn encode(&self) -> String {
        let mut bytes = self.id.to_vec();
        bytes.extend_from_slice(&self.collection.0.to_be_bytes());
        bytes.extend_from_slice(self.key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` for a text that this server did not make.
    pub fn decode(text: &str) -> Option<PageToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(PageToken {
            id: bytes.get(..16)?.try_into().ok()?,
            collection: CollectionKey(i64::from_be_bytes(bytes.get(16..24)?.try_into().ok()?)),
            key: String::from_utf8(bytes.get(24..)?.to_vec()).ok()?,
        })
    }
}

/// Fails unless the checkpoint is the caller's and has not expired at `now` (milliseconds since 1970).
pub fn check(
    row: &CheckpointRow,
    snapshot: &impl Snapshot,
    request: &CheckpointRequest,
    digest: u64,
    retention: &Retention,
    now: u64,
) -> Result<(), ServiceError> {
    let past = |at: u64, kept: std::time::Duration| now.saturating_sub(at) > kept.as_millis() as u64;
    let expired = past(row.used, retention.checkpoint_idle) || past(row.made, retention.checkpoint);
    let same = row.client == request.client && row.digest == digest && row.epoch == snapshot.state().epoch;
    if expired || !same { Err(ServiceError::CheckpointExpired) } else { Ok(()) }
}

/// Reads the page after `token`: of the items that `tags` see.
pub fn page(
    snapshot: &impl Snapshot,
    row: &CheckpointRow,
    token: &PageToken,
    tags: &Tags,
    limit: u32,
) -> Result<CheckpointPage, ServiceError> {
    let limit = limit.clamp(1, MOST_ITEMS);
    let mut items: Vec<CheckpointItem> = Vec::new();
    let (mut bytes, mut more, mut last) = (0, false, token.collection);
    // One beyond the limit, to know whether there is another page.
    snapshot.items((token.collection, &token.key), tags.needed(), limit + 1, &mut |item| {
        if items.len() >= limit as usize || bytes >= PAGE_BYTES {
            more = true;
            return false;
        }
        bytes += item.image.size() + item.tags.iter().map(String::len).sum::<usize>();
        last = item.collection_key;
        items.push(CheckpointItem {
            indexes: item.image.indexes,
            relations: item.image.relations,
            tags: item.tags,
            ..CheckpointItem::new(item.collection, item.key, item.image.value, item.rev)
        });
        true
    })?;
    let next = items
        .last()
        .filter(|_| more)
        .map(|item| PageToken { id: row.id, collection: last, key: item.key.clone() }.encode());
    let position = Position { epoch: row.epoch, seq: row.seq, entry: row.entry, digest: row.digest };
    Ok(CheckpointPage {
        checkpoint: URL_SAFE_NO_PAD.encode(row.id),
        cursor: position.encode(),
        seq: row.seq,
        items,
        next,
        total: row.total,
    })
}
