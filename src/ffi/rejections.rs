//! Rejections
//!
//! An operation that the server refused is no longer part of what is read, but is kept, with what was meant by it, until the program has dealt with it: makes
//! it again, as it was or edited, or lets it go. What stands in a list is as of the moment at which it was asked for.

use super::conflicts::syncstore_conflict;
use super::error::syncstore_error;
use super::items::found;
use super::kit::handle::{Handle, Life};
use super::op_ref::syncstore_ref;
use super::ref_list::syncstore_refs;
use super::rejected_op::syncstore_rejected_op;
use super::status::{SYNCSTORE_NOT_FOUND, SYNCSTORE_OK, syncstore_status};
use super::store::syncstore;
use crate::protocol::{Json, Object};
use crate::store::{Edit, Notice};
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;

/// A list of rejected operations.
pub struct syncstore_rejected_list {
    life: Life,
    list: Vec<Arc<syncstore_rejected_op>>,
}

impl Handle for syncstore_rejected_list {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Things that a program should learn of once: rejected operations, and conflicts.
pub struct syncstore_notices {
    life: Life,
    notices: Vec<CNotice>,
}

enum CNotice {
    Rejected(Arc<syncstore_rejected_op>),
    Conflict(Arc<syncstore_conflict>),
}

impl Handle for syncstore_notices {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Every rejected operation that waits to be dealt with, the oldest first.
///
/// list: takes them; free it with syncstore_rejected_list_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejections(
    store: *mut syncstore,
    list: *mut *mut syncstore_rejected_list,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required list], |store| {
        let rejections = store.store()?.rejections()?;
        let of = rejections.iter().map(|rejected| Arc::new(syncstore_rejected_op::new(rejected))).collect();
        list.give(syncstore_rejected_list { life: Life::new(), list: of })
    })
}

/// Makes a rejected operation again, as it was, on top of what the store reads now. The outcome of the old one leads to the new one from then
/// on. Of a batch the whole is made again, as a new batch.
///
/// op: the rejected operation.
/// made: takes the new operation's ref; may be NULL.
/// Errors: SYNCSTORE_NOT_REJECTED when it does not wait to be dealt with; SYNCSTORE_NO_ITEM and SYNCSTORE_PATCH_FAILED when it makes no sense on what
/// there is now; SYNCSTORE_LIMIT; those of syncstore_set(). Nothing was written then.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_retry(
    store: *mut syncstore,
    op: *const syncstore_ref,
    made: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    op_ref_first!(op);
    call!(error, [optional made], |store| {
        let op = op?;
        made.put_ref(store.store()?.retry(op)?)
    })
}

/// Like syncstore_retry(), with a set of the item's value in the operation's place.
///
/// op: the rejected operation, on the value of an item.
/// json, json_len: the value as JSON text of so many bytes.
/// made: takes the new operation's ref; may be NULL.
/// Errors: SYNCSTORE_EDIT_OF_ANOTHER_PART when it was on another part of the item; SYNCSTORE_JSON; those of syncstore_retry().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_edit_set(
    store: *mut syncstore,
    op: *const syncstore_ref,
    json: *const c_char,
    json_len: usize,
    made: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    op_ref_first!(op);
    call!(error, [optional made], |store| {
        let (op, json) = (op?, text!(json, json_len));
        let value = Json::parse(json).and_then(|json| json.to_value()).map_err(crate::Error::from)?;
        made.put_ref(store.store()?.edit(op, Edit::Set(value))?)
    })
}

/// Like syncstore_retry(), with a JSON Patch of the item's value in the operation's place.
///
/// op: the rejected operation, on the value of an item.
/// patch, patch_len: the patch, a JSON array, as text of so many bytes.
/// made: takes the new operation's ref; may be NULL.
/// Errors: those of syncstore_edit_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_edit_patch(
    store: *mut syncstore,
    op: *const syncstore_ref,
    patch: *const c_char,
    patch_len: usize,
    made: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    op_ref_first!(op);
    call!(error, [optional made], |store| {
        let (op, patch) = (op?, text!(patch, patch_len));
        let patch = Json::parse(patch).and_then(|patch| patch.to_patch()).map_err(crate::Error::from)?;
        made.put_ref(store.store()?.edit(op, Edit::Patch(patch))?)
    })
}

/// Like syncstore_retry(), with a delete of what the operation was on in its place: the item, or its index entry, relation or tag.
///
/// op: the rejected operation.
/// made: takes the new operation's ref; may be NULL.
/// Errors: those of syncstore_retry().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_edit_delete(
    store: *mut syncstore,
    op: *const syncstore_ref,
    made: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    op_ref_first!(op);
    call!(error, [optional made], |store| {
        let op = op?;
        made.put_ref(store.store()?.edit(op, Edit::Delete)?)
    })
}

/// Like syncstore_retry(), with a set of the index entry to another ordering key in the operation's place.
///
/// op: the rejected operation, on an index entry.
/// order: the ordering key.
/// made: takes the new operation's ref; may be NULL.
/// Errors: those of syncstore_edit_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_edit_order(
    store: *mut syncstore,
    op: *const syncstore_ref,
    order: *const c_char,
    made: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    op_ref_first!(op);
    call!(error, [optional made], |store| {
        let (op, order) = (op?, name!(order).to_owned());
        made.put_ref(store.store()?.edit(op, Edit::Order(order))?)
    })
}

/// Like syncstore_retry(), with another relation in the operation's place.
///
/// op: the rejected operation, on a relation.
/// predicate: what the object is to the subject.
/// object_collection, object_key: the object.
/// made: takes the new operation's ref; may be NULL.
/// Errors: those of syncstore_edit_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_edit_relation(
    store: *mut syncstore,
    op: *const syncstore_ref,
    predicate: *const c_char,
    object_collection: *const c_char,
    object_key: *const c_char,
    made: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    op_ref_first!(op);
    call!(error, [optional made], |store| {
        let (op, predicate) = (op?, name!(predicate).to_owned());
        let (collection, key) = (name!(object_collection).to_owned(), name!(object_key).to_owned());
        let object = Object { collection, key };
        made.put_ref(store.store()?.edit(op, Edit::Relation { predicate, object })?)
    })
}

/// Lets a rejected operation go, and what was meant by it; of a batch all. Its outcome stays what it was.
///
/// op: the rejected operation.
/// Answers SYNCSTORE_NOT_FOUND where it does not wait to be dealt with.
/// Errors: when the file cannot be written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_discard(
    store: *mut syncstore,
    op: *const syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |store| {
        let op = op_ref!(op);
        Ok(if store.store()?.discard(op)? { SYNCSTORE_OK } else { SYNCSTORE_NOT_FOUND })
    })
}

/// The rejected operation that an operation was made of by syncstore_retry() or a syncstore_edit.
///
/// op: the operation that was made.
/// rejected: takes the old one.
/// Answers SYNCSTORE_NOT_FOUND where it was not made so, or the old one is not known any more.
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_retry_of(
    store: *mut syncstore,
    op: *const syncstore_ref,
    rejected: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    op_ref_first!(op);
    call!(error, [required rejected], |store| {
        let op = op?;
        found(store.store()?.retry_of(op)?, |old| rejected.put_ref(old))
    })
}

/// The pending operations that depend on a pending one, in their order: as long as it is refused they are held back, and everything else
/// goes on. Empty: none does, or it is not pending.
///
/// op: the pending operation.
/// refs: takes the list; free it with syncstore_refs_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_depends_on(
    store: *mut syncstore,
    op: *const syncstore_ref,
    refs: *mut *mut syncstore_refs,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required refs], |store| {
        let op = op_ref!(op);
        refs.give(syncstore_refs::new(store.store()?.depends_on(op)?))
    })
}

/// Takes things that a program should learn of and that nobody has taken before: rejections, then conflicts, the oldest of each first. Each is handed out
/// once, whatever ends the process, and stays in syncstore_rejections() or syncstore_conflicts() until it is dealt with. Ask at the start, and whenever
/// an event tells of a rejection, a conflict, or something missed.
///
/// most: how many at most.
/// notices: takes the list, empty where there is nothing; free it with syncstore_notices_free().
/// Errors: when the file cannot be written; then nothing was taken.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_take_notices(
    store: *mut syncstore,
    most: usize,
    notices: *mut *mut syncstore_notices,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required notices], |store| {
        let taken = store.store()?.take_notices(most)?;
        let of = taken.into_iter().map(|notice| match notice {
            Notice::Rejected(rejected) => CNotice::Rejected(Arc::new(syncstore_rejected_op::new(&rejected))),
            Notice::Conflict(conflict) => CNotice::Conflict(Arc::new(syncstore_conflict::new(conflict))),
        });
        notices.give(syncstore_notices { life: Life::new(), notices: of.collect() })
    })
}

/// How many rejected operations there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_list_count(list: *const syncstore_rejected_list) -> usize {
    read!(list, 0, |list| Some(list.list.len()))
}

/// The rejected operation at a place, from 0; NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_list_at(
    list: *const syncstore_rejected_list,
    place: usize,
) -> *const syncstore_rejected_op {
    read!(list, ptr::null(), |list| list.list.get(place).map(Arc::as_ptr))
}

/// Frees a list of rejected operations. NULL is ignored.
///
/// Thread: any; no other may be using this list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_list_free(list: *mut syncstore_rejected_list) {
    free!(list)
}

/// How many notices there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_notices_count(notices: *const syncstore_notices) -> usize {
    read!(notices, 0, |notices| Some(notices.notices.len()))
}

/// The notice at a place, from 0, where it is a rejected operation; else NULL. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_notices_rejected(
    notices: *const syncstore_notices,
    place: usize,
) -> *const syncstore_rejected_op {
    read!(notices, ptr::null(), |notices| match notices.notices.get(place) {
        Some(CNotice::Rejected(rejected)) => Some(Arc::as_ptr(rejected)),
        _ => None,
    })
}

/// The notice at a place, from 0, where it is a conflict; else NULL. One that has ended meanwhile says so. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_notices_conflict(
    notices: *const syncstore_notices,
    place: usize,
) -> *const syncstore_conflict {
    read!(notices, ptr::null(), |notices| match notices.notices.get(place) {
        Some(CNotice::Conflict(conflict)) => Some(Arc::as_ptr(conflict)),
        _ => None,
    })
}

/// Frees a list of notices. NULL is ignored.
///
/// Thread: any; no other may be using this list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_notices_free(notices: *mut syncstore_notices) {
    free!(notices)
}
