//! Tags
//!
//! Tags say who may see an item: a server shows it to credentials that have one of its tags. Adding or removing one that the credential has
//! not is rejected "forbidden" there.

use super::error::syncstore_error;
use super::op_ref::syncstore_ref;
use super::status::syncstore_status;
use super::store::syncstore;
use super::text::syncstore_names;
use std::ffi::c_char;

/// Adds a tag to an item.
///
/// collection, key: the item.
/// tag: the tag, 1 to 128 bytes.
/// op: takes the operation's ref; may be NULL.
/// Errors: SYNCSTORE_NO_ITEM, and those of syncstore_set(); then nothing was written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_add_tag(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    tag: *const c_char,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional op], |store| {
        let (collection, key, tag) = (name!(collection), name!(key), name!(tag));
        op.put_ref(store.store()?.add_tag(collection, key, tag)?)
    })
}

/// Removes a tag from an item. Whoever removes the last one by which it is seen sees it no longer: the next sync removes the item here.
///
/// collection, key: the item.
/// tag: the tag.
/// op: takes the operation's ref; may be NULL.
/// Errors: those of syncstore_delete(); then nothing was written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remove_tag(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    tag: *const c_char,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional op], |store| {
        let (collection, key, tag) = (name!(collection), name!(key), name!(tag));
        op.put_ref(store.store()?.remove_tag(collection, key, tag)?)
    })
}

/// The tags of an item, in bytewise order.
///
/// collection, key: the item.
/// tags: takes the list; free it with syncstore_names_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_tags(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    tags: *mut *mut syncstore_names,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required tags], |store| {
        let (collection, key) = (name!(collection), name!(key));
        tags.give(syncstore_names::new(&store.store()?.tags(collection, key)?))
    })
}
