//! Batches
//!
//! Operations that are written at once, and that the server commits all or none of: at most 10,000, and 8 MiB (or what the server
//! publishes). They never fold into others. A batch that is freed without syncstore_batch_commit() writes nothing.

use super::error::syncstore_error;
use super::kit::call::Answer;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life};
use super::kit::output::optional;
use super::op_ref::syncstore_ref;
use super::status::{SYNCSTORE_OK, syncstore_status};
use super::store::syncstore;
use crate::store::{Batch, BatchReceipt, Writes};
use parking_lot::Mutex;
use std::ffi::c_char;
use std::sync::Arc;

/// Operations that stand or fall together.
pub struct syncstore_batch {
    life: Life,
    store: Arc<syncstore>,
    state: Mutex<State>,
}

/// Where a batch stands. While it is written no lock is held.
enum State {
    Open(Writes),
    InUse,
    Committed(BatchReceipt),
}

impl Handle for syncstore_batch {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl State {
    fn open(&mut self) -> Result<&mut Writes, Failure> {
        match self {
            State::Open(writes) => Ok(writes),
            State::InUse => Err(Failure::misuse("batch", "is being committed by another call")),
            State::Committed(_) => Err(Failure::misuse("batch", "was committed before: begin another")),
        }
    }
}

impl syncstore_batch {
    /// Adds an operation; threads that add to one batch take turns.
    fn add(&self, add: impl FnOnce(&mut Batch<'_>) -> crate::Result<()>) -> Answer {
        let store = self.store.store()?;
        let mut state = self.state.lock();
        let writes = state.open()?;
        let mut batch = store.batch_of(std::mem::take(writes));
        let added = add(&mut batch);
        *writes = batch.into_writes();
        added?;
        Ok(SYNCSTORE_OK)
    }

    fn commit(&self) -> Answer {
        let store = self.store.store()?;
        let writes = {
            let mut state = self.state.lock();
            let writes = std::mem::take(state.open()?);
            *state = State::InUse;
            writes
        };
        match store.commit(&writes) {
            Ok(receipt) => {
                *self.state.lock() = State::Committed(receipt);
                Ok(SYNCSTORE_OK)
            }
            Err(error) => {
                *self.state.lock() = State::Open(writes);
                Err(error.into())
            }
        }
    }

    fn receipt<T>(&self, read: impl FnOnce(&BatchReceipt) -> Option<T>) -> Option<T> {
        if let State::Committed(receipt) = &*self.state.lock() { read(receipt) } else { None }
    }
}

/// Begins a batch.
///
/// batch: takes it; free it with syncstore_batch_free().
/// Errors: SYNCSTORE_CLOSED.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_new(
    store: *mut syncstore,
    batch: *mut *mut syncstore_batch,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required batch], |store| {
        store.store()?;
        let state = Mutex::new(State::Open(Writes::default()));
        batch.give(syncstore_batch { life: Life::new(), store: Arc::clone(store), state })
    })
}

/// Adds a set; see syncstore_set().
///
/// collection, key: the item, 1 to 128 bytes each.
/// json, json_len: its value as JSON text of so many bytes.
/// Errors: SYNCSTORE_LIMIT, for the batch as a whole too; SYNCSTORE_JSON; SYNCSTORE_MISUSE when it was committed. The batch is as it was then.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_set(
    batch: *mut syncstore_batch,
    collection: *const c_char,
    key: *const c_char,
    json: *const c_char,
    json_len: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (collection, key, json) = (name!(collection), name!(key), text!(json, json_len));
        batch.add(|batch| batch.set_raw(collection, key, json).map(drop))
    })
}

/// Adds a patch; see syncstore_patch(). Whether it applies shows in syncstore_batch_commit().
///
/// collection, key: the item.
/// patch, patch_len: the patch, a JSON array, as text of so many bytes.
/// Errors: those of syncstore_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_patch(
    batch: *mut syncstore_batch,
    collection: *const c_char,
    key: *const c_char,
    patch: *const c_char,
    patch_len: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (collection, key, patch) = (name!(collection), name!(key), text!(patch, patch_len));
        batch.add(|batch| batch.patch_raw(collection, key, patch).map(drop))
    })
}

/// Adds a delete; see syncstore_delete().
///
/// collection, key: the item.
/// Errors: those of syncstore_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_delete(
    batch: *mut syncstore_batch,
    collection: *const c_char,
    key: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (collection, key) = (name!(collection), name!(key));
        batch.add(|batch| batch.delete(collection, key).map(drop))
    })
}

/// Adds a set of an index entry; see syncstore_set_index(). Whether there is an item shows in syncstore_batch_commit().
///
/// collection, key: the item.
/// name: the index. order: the ordering key. Each has 1 to 128 bytes.
/// Errors: those of syncstore_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_set_index(
    batch: *mut syncstore_batch,
    collection: *const c_char,
    key: *const c_char,
    name: *const c_char,
    order: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (collection, key, name, order) = (name!(collection), name!(key), name!(name), name!(order));
        batch.add(|batch| batch.set_index(collection, key, name, order).map(drop))
    })
}

/// Adds a delete of an index entry; see syncstore_delete_index().
///
/// collection, key: the item.
/// name: the index.
/// Errors: those of syncstore_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_delete_index(
    batch: *mut syncstore_batch,
    collection: *const c_char,
    key: *const c_char,
    name: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (collection, key, name) = (name!(collection), name!(key), name!(name));
        batch.add(|batch| batch.delete_index(collection, key, name).map(drop))
    })
}

/// Adds a set of a relation; see syncstore_set_relation(). Whether there is an item shows in syncstore_batch_commit().
///
/// collection, key: the item that is the subject.
/// id: names the relation among those of the subject.
/// predicate: what the object is to the subject.
/// object_collection, object_key: the object.
/// Errors: those of syncstore_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_set_relation(
    batch: *mut syncstore_batch,
    collection: *const c_char,
    key: *const c_char,
    id: *const c_char,
    predicate: *const c_char,
    object_collection: *const c_char,
    object_key: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (collection, key, id) = (name!(collection), name!(key), name!(id));
        let (predicate, object) = (name!(predicate), (name!(object_collection), name!(object_key)));
        batch.add(|batch| batch.set_relation(collection, key, id, predicate, object).map(drop))
    })
}

/// Adds a delete of a relation; see syncstore_delete_relation().
///
/// collection, key: the item that is the subject.
/// id: the relation.
/// Errors: those of syncstore_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_delete_relation(
    batch: *mut syncstore_batch,
    collection: *const c_char,
    key: *const c_char,
    id: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (collection, key, id) = (name!(collection), name!(key), name!(id));
        batch.add(|batch| batch.delete_relation(collection, key, id).map(drop))
    })
}

/// Adds the adding of a tag; see syncstore_add_tag(). Whether there is an item shows in syncstore_batch_commit().
///
/// collection, key: the item.
/// tag: the tag.
/// Errors: those of syncstore_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_add_tag(
    batch: *mut syncstore_batch,
    collection: *const c_char,
    key: *const c_char,
    tag: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (collection, key, tag) = (name!(collection), name!(key), name!(tag));
        batch.add(|batch| batch.add_tag(collection, key, tag).map(drop))
    })
}

/// Adds the removing of a tag; see syncstore_remove_tag().
///
/// collection, key: the item.
/// tag: the tag.
/// Errors: those of syncstore_batch_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_remove_tag(
    batch: *mut syncstore_batch,
    collection: *const c_char,
    key: *const c_char,
    tag: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| {
        let (collection, key, tag) = (name!(collection), name!(key), name!(tag));
        batch.add(|batch| batch.remove_tag(collection, key, tag).map(drop))
    })
}

/// Writes all operations in one transaction, in the order in which they were added. Afterwards the batch takes no more, and tells by
/// syncstore_batch_id() and syncstore_batch_op() what it is known by.
///
/// Errors: SYNCSTORE_NO_ITEM for a patch, a set of an index entry or relation, or a tag on an item that is not; SYNCSTORE_PATCH_FAILED;
/// those of syncstore_set(). Nothing of the batch was written then, and it is as it was: it may be committed again. SYNCSTORE_MISUSE when
/// it was committed before.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_commit(
    batch: *mut syncstore_batch,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |batch| batch.commit())
}

/// The id of a batch that was committed, a UUID like a ref.
///
/// id: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one; 0: it was not committed, or had no operations, and nothing was written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_id(batch: *const syncstore_batch, id: *mut syncstore_ref) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let id = unsafe { optional(id, "id") };
    read!(batch, 0, |batch| {
        let known = batch.receipt(|receipt| receipt.batch)?;
        Some(i32::from(id.put(syncstore_ref { bytes: *known.as_bytes() }).is_ok()))
    })
}

/// How many operations a batch has that was committed; before that 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_count(batch: *const syncstore_batch) -> usize {
    read!(batch, 0, |batch| batch.receipt(|receipt| Some(receipt.ops.len())))
}

/// The ref of an operation of a batch that was committed, by its place from 0, in the order in which they were added.
///
/// op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_op(
    batch: *const syncstore_batch,
    place: usize,
    op: *mut syncstore_ref,
) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let op = unsafe { optional(op, "op") };
    read!(batch, 0, |batch| {
        let known = batch.receipt(|receipt| receipt.ops.get(place).copied())?;
        Some(i32::from(op.put_ref(known).is_ok()))
    })
}

/// Frees a batch. What was not committed was not written. NULL is ignored.
///
/// Thread: any; no other may be using this batch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_batch_free(batch: *mut syncstore_batch) {
    free!(batch)
}
