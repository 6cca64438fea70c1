//! What is kept
//!
//! A replica keeps everything, or what a filter has: a list of at most 100 collections, or collections with a prefix of keys. What is left out
//! cannot be written here, and is removed by the next sync; what is kept in addition is loaded by it. As a text (syncstore_options.keep) a filter is
//! "notes,orders:2026-": entries with commas between them, a colon before a prefix, a backslash before a comma, a colon or a backslash in a name.

use super::error::syncstore_error;
use super::items::found;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life, lend};
use super::kit::input::name;
use super::status::{SYNCSTORE_OK, syncstore_status};
use super::store::{filter as parsed, syncstore};
use super::text::{syncstore_names, syncstore_text};
use crate::protocol::Filter;
use parking_lot::Mutex;
use std::ffi::c_char;

/// Which collections, and which keys of them, are kept.
pub struct syncstore_filter {
    life: Life,
    filter: Mutex<Filter>,
}

impl Handle for syncstore_filter {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl syncstore_filter {
    fn new(filter: Filter) -> syncstore_filter {
        syncstore_filter { life: Life::new(), filter: Mutex::new(filter) }
    }

    fn get(&self) -> Filter {
        self.filter.lock().clone()
    }
}

/// Another handle within `call!`: not NULL, not poisoned.
macro_rules! filter {
    ($filter:ident) => {{
        // SAFETY: by the conventions of the header a handle is NULL, or was given out by this library and is not freed.
        let filter = unsafe { lend($filter) }.ok_or_else(|| Failure::null(stringify!($filter)))?;
        filter.life.check()?;
        filter.get()
    }};
}

/// Says what this replica keeps. It is in the file, for every store that opens it. Items that are no longer kept and have pending operations stay until
/// these are settled. No operation is sent by that: others keep the items.
///
/// filter: what to keep.
/// changed: takes 1 where it was another before, else 0; may be NULL.
/// Errors: SYNCSTORE_LIMIT for a filter with more than 100 entries or 4,096 bytes of text, or a name that no collection can have; those of a write.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_keep(
    store: *mut syncstore,
    filter: *const syncstore_filter,
    changed: *mut i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional changed], |store| {
        let filter = filter!(filter);
        changed.put(store.store()?.keep(&filter)?.into())
    })
}

/// What this replica is to keep, and what of that is here.
///
/// keep: takes what it is to keep; free it with syncstore_filter_free().
/// here: takes what of that is here; free it with syncstore_filter_free(). It is another until a sync has come to its end since.
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_kept(
    store: *mut syncstore,
    keep: *mut *mut syncstore_filter,
    here: *mut *mut syncstore_filter,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required keep, required here], |store| {
        let kept = store.store()?.kept()?;
        keep.give(syncstore_filter::new(kept.keep))?;
        here.give(syncstore_filter::new(kept.here))
    })
}

/// A filter that has all collections, whatever they are called.
///
/// filter: takes it; free it with syncstore_filter_free().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_everything(
    filter: *mut *mut syncstore_filter,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required filter], || filter.give(syncstore_filter::new(Filter::everything())))
}

/// A filter that has these collections and no others; with syncstore_filter_and_prefix() more can be added.
///
/// collections, count: so many names; NULL, and 0: none at all.
/// filter: takes it; free it with syncstore_filter_free().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_only(
    collections: *const *const c_char,
    count: usize,
    filter: *mut *mut syncstore_filter,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required filter], || {
        let collections = names!(collections, count);
        filter.give(syncstore_filter::new(Filter::only(collections)))
    })
}

/// A filter from the text of a list.
///
/// text: the text.
/// filter: takes it; free it with syncstore_filter_free().
/// Errors: SYNCSTORE_MISUSE for a text that is none; SYNCSTORE_LIMIT as for syncstore_keep().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_from_text(
    text: *const c_char,
    filter: *mut *mut syncstore_filter,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required filter], || filter.give(syncstore_filter::new(parsed(name!(text), "text")?)))
}

/// Adds the keys of a collection that begin so; no change to what has everything.
///
/// collection: the collection.
/// prefix: how its keys begin; "": all of them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_and_prefix(
    filter: *mut syncstore_filter,
    collection: *const c_char,
    prefix: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |filter| {
        let (collection, prefix) = (name!(collection), name!(prefix));
        let mut held = filter.filter.lock();
        *held = std::mem::take(&mut *held).and_prefix(collection, prefix);
        Ok(SYNCSTORE_OK)
    })
}

/// What two filters both have.
///
/// other: the other one.
/// both: takes a filter of its own; free it with syncstore_filter_free().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_and(
    filter: *const syncstore_filter,
    other: *const syncstore_filter,
    both: *mut *mut syncstore_filter,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required both], |filter| {
        let other = filter!(other);
        both.give(syncstore_filter::new(filter.get().and(&other)))
    })
}

/// Whether a filter has all that another one has: 1 or 0; 0 too where one is NULL. Two that cover each other are the same.
///
/// other: the other one.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_covers(
    filter: *const syncstore_filter,
    other: *const syncstore_filter,
) -> i32 {
    read!(filter, 0, |filter| {
        // SAFETY: by the conventions of the header a handle is NULL, or was given out by this library and is not freed.
        let other = unsafe { lend(other) }?.get();
        Some(i32::from(filter.get().covers(&other)))
    })
}

/// Whether a filter leaves nothing out: 1 or 0, and of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_is_everything(filter: *const syncstore_filter) -> i32 {
    read!(filter, 0, |filter| Some(i32::from(filter.filter.lock().is_everything())))
}

/// Whether a filter has an item: 1 or 0; 0 too where one is NULL, or no name.
///
/// collection, key: the item.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_has(
    filter: *const syncstore_filter,
    collection: *const c_char,
    key: *const c_char,
) -> i32 {
    read!(filter, 0, |filter| {
        // SAFETY: by the conventions of the header a name is NULL or ends with NUL.
        let (collection, key) = unsafe { (name(collection, "collection"), name(key, "key")) };
        let (collection, key) = (collection.ok().flatten()?, key.ok().flatten()?);
        Some(i32::from(filter.filter.lock().has(collection, key)))
    })
}

/// The text of a filter that is a list.
///
/// text: takes it; free it with syncstore_text_free(). Of a list that has nothing it is "".
/// Answers SYNCSTORE_NOT_FOUND for a filter that has everything.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_to_text(
    filter: *const syncstore_filter,
    text: *mut syncstore_text,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required text], |filter| found(filter.get().text(), |list| text.put(syncstore_text::new(&list))))
}

/// The collections of which a filter has any key.
///
/// collections: takes the list; free it with syncstore_names_free().
/// Answers SYNCSTORE_NOT_FOUND for a filter that has everything.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_collections(
    filter: *const syncstore_filter,
    collections: *mut *mut syncstore_names,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required collections], |filter| {
        let filter = filter.get();
        let names = filter.collections().map(|names| names.map(str::to_owned).collect::<Vec<_>>());
        found(names, |names| collections.give(syncstore_names::new(&names)))
    })
}

/// The keys of a collection that a filter has: those that begin with one of these. "" is every key, none is no key.
///
/// collection: the collection.
/// prefixes: takes the list; free it with syncstore_names_free().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_prefixes(
    filter: *const syncstore_filter,
    collection: *const c_char,
    prefixes: *mut *mut syncstore_names,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required prefixes], |filter| {
        let collection = name!(collection);
        prefixes.give(syncstore_names::new(filter.get().prefixes(collection)))
    })
}

/// Frees a filter. NULL is ignored.
///
/// Thread: any; no other may be using this filter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_filter_free(filter: *mut syncstore_filter) {
    free!(filter)
}
