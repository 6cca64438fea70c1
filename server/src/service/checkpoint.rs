//! Pages of a checkpoint (section 5).

use super::seal::{self, Seal};
use super::{CheckpointRequest, ServiceError, scope};
use crate::core::Tags;
use crate::core::cursor::Position;
use crate::storage::{CheckpointRow, CollectionKey, ItemKey, ItemMark, ItemSpan, Snapshot};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use syncstore::planted::{Planted, planted};
use syncstore::protocol::{CheckpointItem, CheckpointPage};

use super::Retention;

// A page ends after this many bytes of values.
const PAGE_BYTES: usize = 4 << 20;
const MOST_ITEMS: u32 = 10_000;

// Items looked at for one page, for a caller who may see few of them.
const MOST_LOOKED_AT: usize = 50_000;

/// A place in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken {
    pub id: [u8; 16],
    /// The last item that the caller was given.
    pub collection: CollectionKey,
    pub key: String,
    /// The last one after it that was looked at and is hidden. The caller has the token: it must not name what is hidden,
    /// and one that the caller makes up must not be told whether there is such an item, and where.
    pub hidden: Option<ItemMark>,
}

impl PageToken {
    pub fn first(id: [u8; 16]) -> PageToken {
        PageToken { id, collection: CollectionKey(0), key: String::new(), hidden: None }
    }

    fn encode(&self, seal: &Seal) -> String {
        let mut bytes = self.id.to_vec();
        // Neither is ever 0 of an item.
        let (item, rev) = self.hidden.map_or((0, 0), |mark| (mark.item.0, mark.rev));
        bytes.extend_from_slice(&item.to_be_bytes());
        bytes.extend_from_slice(&rev.to_be_bytes());
        bytes.extend_from_slice(&self.collection.0.to_be_bytes());
        bytes.extend_from_slice(self.key.as_bytes());
        if self.hidden.is_some() {
            bytes.extend_from_slice(&seal.of(&bytes));
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` for a text that this server did not make. What is hidden does not count where another process has sealed it:
    /// then it is passed over once more.
    pub fn decode(text: &str, seal: &Seal) -> Option<PageToken> {
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let number = |bytes: &[u8], at: usize| Some(i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let rev = u64::try_from(number(&bytes, 24)?).ok()?;
        let mut hidden = None;
        if rev > 0 {
            let made = bytes.split_off(bytes.len().checked_sub(seal::LENGTH).filter(|rest| *rest >= NAMES)?);
            let mark = ItemMark { item: ItemKey(number(&bytes, 16)?), rev };
            hidden = seal.is(&bytes, &made).then_some(mark);
        }
        Some(PageToken {
            id: bytes.get(..16)?.try_into().ok()?,
            collection: CollectionKey(number(&bytes, 32)?),
            key: String::from_utf8(bytes.get(NAMES..)?.to_vec()).ok()?,
            hidden,
        })
    }
}

// The checkpoint, the hidden item with its rev, and the collection; the key and the seal follow.
const NAMES: usize = 16 + 8 + 8 + 8;

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
    let same_sight = row.digest == digest || planted(Planted::Rule2FilterUnseen);
    let same = row.client == request.client && same_sight && row.epoch == snapshot.state().epoch;
    if expired || !same { Err(ServiceError::CheckpointExpired) } else { Ok(()) }
}

/// How many items there are that `tags` see and the request asks for; `None`: every item of the database.
pub fn total(snapshot: &impl Snapshot, request: &CheckpointRequest, tags: &Tags) -> Result<Option<u64>, ServiceError> {
    let spans = scope::spans(snapshot, &request.scope)?;
    Ok(match (spans, tags.needed()) {
        (Some(spans), needed) => Some(snapshot.count_spans(&spans, needed)?),
        (None, Some(needed)) => Some(snapshot.count_items(needed)?),
        (None, None) => None,
    })
}

/// Reads the page after `token`: of the items that `tags` see and the request asks for. `random` makes random bits.
pub fn page(
    snapshot: &impl Snapshot,
    row: &CheckpointRow,
    token: &PageToken,
    tags: &Tags,
    request: &CheckpointRequest,
    (seal, random): (&Seal, impl FnOnce() -> u64),
) -> Result<CheckpointPage, ServiceError> {
    let spans = scope::spans(snapshot, &request.scope)?;
    let spans = spans.unwrap_or_else(|| vec![ItemSpan::all()]);
    let limit = request.limit.clamp(1, MOST_ITEMS) as usize;
    let mut items: Vec<CheckpointItem> = Vec::new();
    let (mut bytes, mut more) = (0, false);
    let mut last = PageToken { hidden: None, ..token.clone() };
    let hidden = token.hidden.map(|mark| snapshot.marked(mark)).transpose()?.flatten();
    // What was hidden and has changed since may be anywhere now: on from what the caller has, once more.
    let (collection, key) = hidden.as_ref().map_or((token.collection, &token.key), |(at, key)| (*at, key));
    // And by another number of items: one that changes all the time would end each page.
    let again = token.hidden.is_some() && hidden.is_none();
    let further = if again { 1 + random() as usize % MOST_LOOKED_AT } else { 0 };
    // One beyond the limit, to know whether there is another page.
    let needed = tags.needed().filter(|_| !planted(Planted::CheckpointShowsHidden));
    last.hidden = snapshot.items(&spans, (collection, key), needed, MOST_LOOKED_AT + further, &mut |item| {
        if items.len() >= limit || bytes >= PAGE_BYTES {
            more = true;
            return false;
        }
        bytes += item.image.size() + item.tags.iter().map(String::len).sum::<usize>();
        (last.collection, last.key) = (item.collection_key, item.key.clone());
        items.push(CheckpointItem {
            indexes: item.image.indexes,
            relations: item.image.relations,
            tags: item.tags,
            ..CheckpointItem::new(item.collection, item.key, item.image.value, item.rev)
        });
        true
    })?;
    let next = (more || last.hidden.is_some()).then(|| last.encode(seal));
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
