//! What of a collection to list, and in which order.

use super::{CollectionKey, ItemKey};
use std::borrow::Cow;
use std::ops::Bound;

/// A part of a collection, in the order of its keys or of one of its indexes.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// The collection.
    pub collection: CollectionKey,
    /// The index: `from` and `to` then speak of ordering keys, and items without an entry are left out.
    pub index: Option<&'a str>,
    /// Where it begins, in the order of bytes.
    pub from: Bound<Cow<'a, str>>,
    /// Where it ends.
    pub to: Bound<Cow<'a, str>>,
    /// From the end to the beginning.
    pub reverse: bool,
    /// The place, with its ordering key by an index, after which to go on.
    pub after: Option<(&'a str, &'a str)>,
}

impl Listing<'_> {
    /// All of a collection.
    pub fn whole(collection: CollectionKey) -> Listing<'static> {
        let (from, to) = (Bound::Unbounded, Bound::Unbounded);
        Listing { collection, index: None, from, to, reverse: false, after: None }
    }

    /// Whether an item of that ordering key, or key without an index, is in it and comes after `after`.
    pub fn has(&self, order: &str, key: &str) -> bool {
        let sorted = if self.index.is_some() { order } else { key };
        let low = match &self.from {
            Bound::Included(from) => sorted >= &**from,
            Bound::Excluded(from) => sorted > &**from,
            Bound::Unbounded => true,
        };
        let high = match &self.to {
            Bound::Included(to) => sorted <= &**to,
            Bound::Excluded(to) => sorted < &**to,
            Bound::Unbounded => true,
        };
        let place = (if self.index.is_some() { order } else { "" }, key);
        let later = self.after.is_none_or(|after| if self.reverse { place < after } else { place > after });
        low && high && later
    }
}

/// Where an item stands in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemPlace {
    /// The item.
    pub item: ItemKey,
    /// Its ordering key, by an index.
    pub order: Option<String>,
    /// Its key.
    pub key: String,
}

/// Collections in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedCollections {
    /// Each with how many items it has.
    pub collections: Vec<(String, u64)>,
    /// The name after which to go on, if there may be more.
    pub next: Option<String>,
}
