//! Index entries
//!
//! An index is an order of items other than that of their keys, for queries. It needs no declaration: it is there as soon as an item is in
//! it. An item has at most one entry in an index of a name. Entries travel to the server as operations, like values, and end with
//! their item.

use super::error::syncstore_error;
use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::op_ref::syncstore_ref;
use super::status::syncstore_status;
use super::store::syncstore;
use std::ffi::c_char;
use std::ptr;

/// The index entries of an item, by the names of the indexes in bytewise order.
pub struct syncstore_index_entries {
    life: Life,
    entries: Vec<(CText, CText)>,
}

impl Handle for syncstore_index_entries {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Puts an item into an index at an ordering key, or moves it there.
///
/// collection, key: the item.
/// name: the index. order: the ordering key. Each has 1 to 128 bytes.
/// op: takes the operation's ref; may be NULL.
/// Errors: SYNCSTORE_NO_ITEM, and those of syncstore_set(); then nothing was written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_set_index(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    name: *const c_char,
    order: *const c_char,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional op], |store| {
        let (collection, key, name, order) = (name!(collection), name!(key), name!(name), name!(order));
        op.put_ref(store.store()?.set_index(collection, key, name, order)?)
    })
}

/// Takes an item out of an index. It is an operation also where this replica has nothing to remove.
///
/// collection, key: the item.
/// name: the index.
/// op: takes the operation's ref; may be NULL.
/// Errors: those of syncstore_delete(); then nothing was written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_delete_index(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    name: *const c_char,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional op], |store| {
        let (collection, key, name) = (name!(collection), name!(key), name!(name));
        op.put_ref(store.store()?.delete_index(collection, key, name)?)
    })
}

/// The index entries of an item; none where there is no item.
///
/// collection, key: the item.
/// entries: takes the list; free it with syncstore_index_entries_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_indexes(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    entries: *mut *mut syncstore_index_entries,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required entries], |store| {
        let (collection, key) = (name!(collection), name!(key));
        let found = store.store()?.indexes(collection, key)?;
        let found = found.iter().map(|(name, order)| (CText::new(name), CText::new(order))).collect();
        entries.give(syncstore_index_entries { life: Life::new(), entries: found })
    })
}

/// How many entries there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_index_entries_count(entries: *const syncstore_index_entries) -> usize {
    read!(entries, 0, |entries| Some(entries.entries.len()))
}

/// The index of the entry at a place, from 0; NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_index_entries_name(
    entries: *const syncstore_index_entries,
    place: usize,
) -> *const c_char {
    read!(entries, ptr::null(), |entries| entries.entries.get(place).map(|(name, _)| name.as_ptr()))
}

/// The ordering key of the entry at a place, from 0; NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_index_entries_order(
    entries: *const syncstore_index_entries,
    place: usize,
) -> *const c_char {
    read!(entries, ptr::null(), |entries| entries.entries.get(place).map(|(_, order)| order.as_ptr()))
}

/// Frees a list of index entries. NULL is ignored.
///
/// Thread: any; no other may be using this list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_index_entries_free(entries: *mut syncstore_index_entries) {
    free!(entries)
}
