//! Data for callers without a replica (section 6).

use super::ServiceError;
use crate::core::{Caller, Conditions};
use crate::storage::{Listing, Snapshot};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::borrow::Cow;
use std::ops::Bound;
use syncstore::protocol::{
    CollectionCount, CollectionPage, DataItem, DataOp, ItemPage, LimitError, Limits, ListedItem, check_collection,
    check_key, check_name,
};
use xxhash_rust::xxh3::xxh3_64;

// A page ends after this many bytes of values.
const PAGE_BYTES: usize = 4 << 20;
const MOST_ITEMS: u32 = 10_000;

/// Which collections to list.
#[derive(Clone, Debug, Default)]
pub struct CollectionsRequest {
    /// The page as the one before named it.
    pub after: Option<String>,
    /// The most collections.
    pub limit: u32,
}

/// Which items of a collection to list.
#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    /// The collection.
    pub collection: String,
    /// The index to go by: the bounds then speak of ordering keys, and items without an entry are left out.
    pub index: Option<String>,
    /// What keys begin with.
    pub prefix: Option<String>,
    /// The first key.
    pub from: Option<String>,
    /// The key before which to stop.
    pub to: Option<String>,
    /// From the last to the first.
    pub reverse: bool,
    /// The page as the one before named it.
    pub after: Option<String>,
    /// The most items.
    pub limit: u32,
}

/// One op of a caller without a replica.
#[derive(Clone, Debug)]
pub struct WriteRequest {
    /// The op.
    pub op: DataOp,
    /// What it asks of its item.
    pub conditions: Conditions,
}

/// One page of the collections that the caller sees something of.
pub fn collections(
    snapshot: &impl Snapshot,
    caller: &Caller,
    request: &CollectionsRequest,
) -> Result<CollectionPage, ServiceError> {
    let most = request.limit.clamp(1, MOST_ITEMS) as usize;
    let after = match &request.after {
        Some(token) => Token::decode(token, LISTS_COLLECTIONS)?.key,
        None => String::new(),
    };
    let counted = snapshot.collections(&after, needed(caller).as_deref(), most)?;
    let collections = counted.collections.into_iter().map(|(name, items)| CollectionCount { name, items }).collect();
    let next = counted.next.map(|last| Token::encode(LISTS_COLLECTIONS, "", &last));
    Ok(CollectionPage { collections, next })
}

/// One page of a collection.
pub fn list(
    snapshot: &impl Snapshot,
    limits: &Limits,
    caller: &Caller,
    request: &ListRequest,
) -> Result<ItemPage, ServiceError> {
    check_collection(&request.collection, limits)?;
    if let Some(index) = &request.index {
        check_name("index name", index, limits)?;
    }
    for (what, bound) in [("prefix", &request.prefix), ("from", &request.from), ("to", &request.to)] {
        if let Some(bound) = bound.as_ref().filter(|bound| !bound.is_empty()) {
            check_name(what, bound, limits)?;
        }
    }
    let of = request.digest();
    let after = request.after.as_ref().map(|token| Token::decode(token, of)).transpose()?;
    let most = request.limit.clamp(1, MOST_ITEMS) as usize;
    let (from, to) = request.bounds();
    let empty = ItemPage { items: Vec::new(), next: None };
    let Some(collection) = snapshot.collection_named(&request.collection)? else { return Ok(empty) };
    let listing = Listing {
        collection,
        index: request.index.as_deref(),
        from,
        to,
        reverse: request.reverse,
        after: after.as_ref().map(|token| (token.order.as_str(), token.key.as_str())),
    };
    let (places, mut more) = snapshot.places(&listing, needed(caller).as_deref(), most)?;
    let (mut items, mut bytes) = (Vec::with_capacity(places.len()), 0);
    for place in places {
        if bytes >= PAGE_BYTES {
            more = true;
            break;
        }
        let (rev, value) = snapshot.item_content(place.item)?;
        bytes += value.as_str().len();
        items.push(ListedItem { key: place.key, value, rev, order: place.order });
    }
    let last = items.last().filter(|_| more);
    let next = last.map(|last| Token::encode(of, last.order.as_deref().unwrap_or_default(), &last.key));
    Ok(ItemPage { items, next })
}

/// One item with all that it has; one that the caller does not see is not found.
pub fn item(
    snapshot: &impl Snapshot,
    limits: &Limits,
    caller: &Caller,
    collection: &str,
    key: &str,
) -> Result<DataItem, ServiceError> {
    check_collection(collection, limits)?;
    check_key(key, limits)?;
    let Some(collection) = snapshot.collection_named(collection)? else { return Err(ServiceError::NotFound) };
    let Some(head) = snapshot.item(collection, key)? else { return Err(ServiceError::NotFound) };
    let tags = snapshot.tags(head.key)?;
    if !caller.tags.see(&tags) {
        return Err(ServiceError::NotFound);
    }
    let image = snapshot.image(head.key)?;
    let (indexes, relations) = (image.indexes, image.relations);
    Ok(DataItem { key: key.to_owned(), value: image.value, rev: head.rev, indexes, relations, tags })
}

impl From<LimitError> for ServiceError {
    fn from(error: LimitError) -> ServiceError {
        match error {
            LimitError::Empty { .. } => ServiceError::Invalid(error.to_string()),
            LimitError::TooLarge { .. } => ServiceError::TooLarge(error.to_string()),
        }
    }
}

// As the storage asks for them.
fn needed(caller: &Caller) -> Option<Vec<String>> {
    caller.tags.needed().map(|needed| {
        let mut needed = needed.to_vec();
        needed.sort_unstable();
        needed.dedup();
        needed
    })
}

impl ListRequest {
    // What of it a page's name is good for: all but the place and the size.
    fn digest(&self) -> u64 {
        let ListRequest { collection, index, prefix, from, to, reverse, .. } = self;
        let of = (collection, index, prefix, from, to, reverse);
        xxh3_64(&serde_json::to_vec(&of).unwrap_or_default())
    }

    fn bounds(&self) -> (Bound<Cow<'_, str>>, Bound<Cow<'_, str>>) {
        let given = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
        let prefix = given(&self.prefix);
        // An absent bound is below, or above, everything.
        let from = given(&self.from).max(prefix.clone());
        let end = prefix.as_deref().and_then(after_prefix);
        let to = match (self.to.clone(), end) {
            (Some(to), Some(end)) => Some(to.min(end)),
            (to, end) => to.or(end),
        };
        let from = from.map_or(Bound::Unbounded, |from| Bound::Included(from.into()));
        (from, to.map_or(Bound::Unbounded, |to| Bound::Excluded(to.into())))
    }
}

/// The first text after all that begin with `prefix`, in the order of bytes; `None`: there is no text after them.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // UTF-8 sorts like the characters' numbers, in which the surrogates are a gap.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            _ => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// Names a page: the place after which it begins, in which listing.
struct Token {
    order: String,
    key: String,
}

const LISTS_COLLECTIONS: u64 = 0;

// A listing's digest, the length of the ordering key, the ordering key and the key.
const HEAD: usize = 8 + 2;
// Two names of the longest that a server may be set to, in base64.
const LONGEST: usize = 4_096;

impl Token {
    fn encode(of: u64, order: &str, key: &str) -> String {
        let mut bytes = of.to_be_bytes().to_vec();
        bytes.extend_from_slice(&u16::try_from(order.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(order.as_bytes());
        bytes.extend_from_slice(key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Fails for a text that this server did not make, and for one of another listing.
    fn decode(text: &str, of: u64) -> Result<Token, ServiceError> {
        let parts = || {
            let bytes = URL_SAFE_NO_PAD.decode(Some(text).filter(|text| text.len() <= LONGEST)?).ok()?;
            if bytes.get(..8)? != of.to_be_bytes() {
                return None;
            }
            let middle = HEAD + usize::from(u16::from_be_bytes(bytes.get(8..HEAD)?.try_into().ok()?));
            let order = String::from_utf8(bytes.get(HEAD..middle)?.to_vec()).ok()?;
            Some(Token { order, key: String::from_utf8(bytes.get(middle..)?.to_vec()).ok()? })
        };
        parts().ok_or_else(|| ServiceError::Malformed("after names no page of this listing".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_prefix_is_after_all_that_begin_with_it_and_before_the_rest() {
        assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_prefix("\u{10ffff}\u{10ffff}"), None);
        for prefix in ["a", "\u{7f}", "\u{7ff}", "\u{ffff}", "x\u{d7ff}"] {
            let after = after_prefix(prefix).unwrap();
            assert!(format!("{prefix}\u{10ffff}\u{10ffff}").as_bytes() < after.as_bytes(), "{prefix:?}");
        }
    }

    #[test]
    fn bounds_and_prefix_hold_together() {
        let bounds = |prefix: &str, from: &str, to: Option<&str>| {
            let (prefix, from) = (Some(prefix.to_owned()), Some(from.to_owned()));
            let request = ListRequest { prefix, from, to: to.map(str::to_owned), ..ListRequest::default() };
            let (from, to) = request.bounds();
            (from.map(Cow::into_owned), to.map(Cow::into_owned))
        };
        let (included, excluded) =
            (|text: &str| Bound::Included(text.into()), |text: &str| Bound::Excluded(text.into()));
        assert_eq!(bounds("", "", None), (Bound::Unbounded, Bound::Unbounded));
        assert_eq!(bounds("b", "", None), (included("b"), excluded("c")));
        assert_eq!(bounds("b", "a", Some("z")), (included("b"), excluded("c")));
        assert_eq!(bounds("b", "ba", Some("bz")), (included("ba"), excluded("bz")));
        assert_eq!(bounds("", "", Some("")), (Bound::Unbounded, excluded("")));
    }

    #[test]
    fn a_token_is_good_for_its_listing_alone() {
        let token = Token::encode(7, "o", "k");
        let read = Token::decode(&token, 7).map(|token| (token.order, token.key));
        assert_eq!(read.unwrap(), ("o".to_owned(), "k".to_owned()));
        for text in [&*token, "", "AAAA", "?", &"A".repeat(5_000)] {
            assert!(Token::decode(text, 8).is_err(), "{text}");
        }
    }
}
