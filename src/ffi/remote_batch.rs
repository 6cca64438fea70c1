//! Batches of writes to a server
//!
//! Writes that a server does all, in the order in which they were added, or none. Each has its ref since it was added: after SYNCSTORE_UNCONFIRMED commit the same batch
//! again, and if it was done, that only tells the revs.

use super::error::syncstore_error;
use super::kit::call::Answer;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life};
use super::kit::lists::MOST;
use super::kit::output::zero;
use super::remote::syncstore_remote;
use super::remote_write::{How, how, syncstore_write_options};
use super::status::{SYNCSTORE_OK, syncstore_status};
use crate::protocol::Json;
use crate::remote::{BatchItem, KeptBatch, Precondition, Remote, RemoteError};
use parking_lot::Mutex;
use std::ffi::c_char;
use std::sync::Arc;

/// Writes that are all done, or none. Calls on one batch wait for each other.
pub struct syncstore_remote_batch {
    life: Life,
    remote: Arc<Remote>,
    kept: Mutex<KeptBatch>,
}

impl Handle for syncstore_remote_batch {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// # Safety
///
/// The ref of the options is NULL, or may be read.
unsafe fn add(
    batch: &syncstore_remote_batch,
    (collection, key): (&str, &str),
    options: syncstore_write_options,
    add: impl FnOnce(BatchItem<'_, '_>) -> Result<(), RemoteError>,
) -> Answer {
    // SAFETY: the condition above.
    let How { precondition, base, op } = unsafe { how(&options) }?;
    if precondition != Precondition::None {
        return Err(Failure::misuse("options.precondition", "is for a single write: one of a batch has a base"));
    }
    let mut kept = batch.kept.lock();
    let mut open = batch.remote.batch_of(std::mem::take(&mut *kept));
    let item = open.item(collection, key);
    let item = base.into_iter().fold(item, BatchItem::base);
    let added = add(op.into_iter().fold(item, BatchItem::with_ref));
    *kept = open.kept();
    added?;
    Ok(SYNCSTORE_OK)
}

/// A value from its text.
fn value(json: &str) -> Result<Json, RemoteError> {
    Ok(Json::parse(json)?)
}

/// Begins a batch.
///
/// batch: takes it; free it with syncstore_remote_batch_free().
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_new(
    remote: *const syncstore_remote,
    batch: *mut *mut syncstore_remote_batch,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required batch], |remote| {
        let remote = Arc::clone(&remote.remote);
        batch.give(syncstore_remote_batch { life: Life::new(), remote, kept: Mutex::default() })
    })
}

/// How many writes it has; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_count(batch: *const syncstore_remote_batch) -> usize {
    read!(batch, 0, |batch| Some(batch.kept.lock().len()))
}

/// Does all writes, or none. Without any it sends nothing. The batch stays as it is. Waits for the network.
///
/// revs, room: takes the rev that each write left its item at, and zeros behind them, and where it fails; room says for how many there is room, which has to
/// be for all. revs may be NULL, with room 0.
/// Errors: SYNCSTORE_REJECTED when one of them cannot be done: syncstore_error_failed_write() says which, and nothing of the batch was done;
/// SYNCSTORE_UNCONFIRMED where it is not known; else those of the wire, with nothing done.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_commit(
    batch: *mut syncstore_remote_batch,
    revs: *mut u64,
    room: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    // SAFETY: by the conventions of the header there is room for so many; more than any batch has is a length that was not set.
    unsafe { zero(revs, room.min(MOST)) };
    call!(error, [], |batch| {
        let mut kept = batch.kept.lock();
        if revs.is_null() != (room == 0) || (!revs.is_null() && room < kept.len()) {
            return Err(Failure::misuse("revs", "has no room for a rev of each write"));
        }
        let open = batch.remote.batch_of(std::mem::take(&mut *kept));
        let done = open.commit();
        *kept = open.kept();
        for (place, rev) in done?.into_iter().enumerate().take(room) {
            // SAFETY: by the conventions of the header there is room for so many.
            unsafe { revs.add(place).write(rev) };
        }
        Ok(SYNCSTORE_OK)
    })
}

/// Frees a batch. NULL is ignored.
///
/// Thread: any; no other may be using this batch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_free(batch: *mut syncstore_remote_batch) {
    free!(batch)
}

/// Adds a write: replaces the item's value, or creates the item.
///
/// collection, key: the item.
/// json, json_len: its value as JSON text of so many bytes.
/// options: how; NULL is the default. It has no precondition.
/// Errors: SYNCSTORE_LIMIT, of the batch as a whole too, and SYNCSTORE_JSON; the batch is as it was then.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_set(
    batch: *mut syncstore_remote_batch,
    collection: *const c_char,
    key: *const c_char,
    json: *const c_char,
    json_len: usize,
    options: *const syncstore_write_options,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let json = text!(json, json_len);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { add(batch, place, options, |item| item.set(&value(json)?)) }
    })
}

/// Adds a write: changes a part of the item's value by a JSON Patch (RFC 6902).
///
/// collection, key: the item.
/// patch, patch_len: the patch, a JSON array, as text of so many bytes.
/// options, errors: as with syncstore_remote_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_patch(
    batch: *mut syncstore_remote_batch,
    collection: *const c_char,
    key: *const c_char,
    patch: *const c_char,
    patch_len: usize,
    options: *const syncstore_write_options,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let patch = text!(patch, patch_len);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { add(batch, place, options, |item| item.patch(&value(patch)?.to_patch()?)) }
    })
}

/// Adds a write: removes the item.
///
/// collection, key: the item.
/// options, errors: as with syncstore_remote_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_delete(
    batch: *mut syncstore_remote_batch,
    collection: *const c_char,
    key: *const c_char,
    options: *const syncstore_write_options,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { add(batch, place, options, |item| item.delete()) }
    })
}

/// Adds a write: puts the item into an index at an ordering key, or moves it there.
///
/// collection, key: the item.
/// index, order: the index and the ordering key.
/// options, errors: as with syncstore_remote_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_set_index(
    batch: *mut syncstore_remote_batch,
    collection: *const c_char,
    key: *const c_char,
    index: *const c_char,
    order: *const c_char,
    options: *const syncstore_write_options,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let (index, order) = (name!(index), name!(order));
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { add(batch, place, options, |item| item.set_index(index, order)) }
    })
}

/// Adds a write: takes the item out of an index.
///
/// collection, key: the item.
/// index: the index.
/// options, errors: as with syncstore_remote_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_delete_index(
    batch: *mut syncstore_remote_batch,
    collection: *const c_char,
    key: *const c_char,
    index: *const c_char,
    options: *const syncstore_write_options,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let index = name!(index);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { add(batch, place, options, |item| item.delete_index(index)) }
    })
}

/// Adds a write: relates the item, the subject, to an object under an id, or changes that relation.
///
/// collection, key: the item.
/// id, predicate: the relation's name among those of the item, and what the object is to it.
/// object_collection, object_key: the object.
/// options, errors: as with syncstore_remote_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_set_relation(
    batch: *mut syncstore_remote_batch,
    collection: *const c_char,
    key: *const c_char,
    id: *const c_char,
    predicate: *const c_char,
    object_collection: *const c_char,
    object_key: *const c_char,
    options: *const syncstore_write_options,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let (id, predicate) = (name!(id), name!(predicate));
        let object = (name!(object_collection), name!(object_key));
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { add(batch, place, options, |item| item.set_relation(id, predicate, object)) }
    })
}

/// Adds a write: removes a relation of the item.
///
/// collection, key: the item.
/// id: the relation.
/// options, errors: as with syncstore_remote_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_delete_relation(
    batch: *mut syncstore_remote_batch,
    collection: *const c_char,
    key: *const c_char,
    id: *const c_char,
    options: *const syncstore_write_options,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let id = name!(id);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { add(batch, place, options, |item| item.delete_relation(id)) }
    })
}

/// Adds a write: adds a tag to the item.
///
/// collection, key: the item.
/// tag: the tag.
/// options, errors: as with syncstore_remote_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_add_tag(
    batch: *mut syncstore_remote_batch,
    collection: *const c_char,
    key: *const c_char,
    tag: *const c_char,
    options: *const syncstore_write_options,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let tag = name!(tag);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { add(batch, place, options, |item| item.add_tag(tag)) }
    })
}

/// Adds a write: removes a tag from the item.
///
/// collection, key: the item.
/// tag: the tag.
/// options, errors: as with syncstore_remote_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_batch_remove_tag(
    batch: *mut syncstore_remote_batch,
    collection: *const c_char,
    key: *const c_char,
    tag: *const c_char,
    options: *const syncstore_write_options,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let tag = name!(tag);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { add(batch, place, options, |item| item.remove_tag(tag)) }
    })
}
