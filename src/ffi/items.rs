//! Items
//!
//! An item is a JSON value under a collection's name and a key. A write is durable when it answers, together with the operation that will carry
//! it to the server, and the operation's ref names it for good.

use super::error::syncstore_error;
use super::kit::call::Answer;
use super::op_ref::syncstore_ref;
use super::status::{SYNCSTORE_NOT_FOUND, syncstore_status};
use super::store::syncstore;
use super::text::{syncstore_names, syncstore_text};
use std::ffi::c_char;

/// Puts what there is, or says that there is nothing.
pub(super) fn found<T>(what: Option<T>, put: impl FnOnce(T) -> Answer) -> Answer {
    what.map_or(Ok(SYNCSTORE_NOT_FOUND), put)
}

/// Replaces an item's value, or creates the item.
///
/// collection, key: the item, 1 to 128 bytes each.
/// json, json_len: its value as JSON text of so many bytes; it is stored byte for byte.
/// op: takes the operation's ref; may be NULL.
/// Errors: SYNCSTORE_LIMIT, SYNCSTORE_JSON, SYNCSTORE_NOT_KEPT, SYNCSTORE_DISK_FULL, SYNCSTORE_BUSY, SYNCSTORE_STORAGE; then nothing was written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_set(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    json: *const c_char,
    json_len: usize,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional op], |store| {
        let (collection, key, json) = (name!(collection), name!(key), text!(json, json_len));
        op.put_ref(store.store()?.set_raw(collection, key, json)?)
    })
}

/// Changes a part of an item's value by a JSON Patch (RFC 6902). The patch itself travels, so changes that others make to the rest of the
/// item stay.
///
/// collection, key: the item.
/// patch, patch_len: the patch, a JSON array, as text of so many bytes.
/// op: takes the operation's ref; may be NULL.
/// Errors: SYNCSTORE_NO_ITEM, SYNCSTORE_PATCH_FAILED, and those of syncstore_set(); then nothing was written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_patch(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    patch: *const c_char,
    patch_len: usize,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional op], |store| {
        let (collection, key, patch) = (name!(collection), name!(key), text!(patch, patch_len));
        op.put_ref(store.store()?.patch_raw(collection, key, patch)?)
    })
}

/// Removes an item. Removing what this replica does not have is an operation too: the server may have it.
///
/// collection, key: the item.
/// op: takes the operation's ref; may be NULL.
/// Errors: those of syncstore_set(); then nothing was written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_delete(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional op], |store| {
        let (collection, key) = (name!(collection), name!(key));
        op.put_ref(store.store()?.delete(collection, key)?)
    })
}

/// Reads an item's value, byte for byte as it was set.
///
/// collection, key: the item.
/// json: takes its JSON text; free it with syncstore_text_free().
/// Answers SYNCSTORE_NOT_FOUND where there is no such item.
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_get(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    json: *mut syncstore_text,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required json], |store| {
        let (collection, key) = (name!(collection), name!(key));
        found(store.store()?.get_with(collection, key, syncstore_text::new)?, |text| json.put(text))
    })
}

/// The names of all collections that have an item, in bytewise order.
///
/// names: takes the list; free it with syncstore_names_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_collections(
    store: *mut syncstore,
    names: *mut *mut syncstore_names,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required names], |store| names.give(syncstore_names::new(&store.store()?.collections()?)))
}
