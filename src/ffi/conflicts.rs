//! Conflicts
//!
//! Another client changed what an operation of this replica was pending on: the sides of it. Nothing waits for a conflict: what is read is rebased, what
//! is pending is pushed, and the server decides by its policy, whether anybody resolves it or not. Sides are JSON texts of the part of the item that both are on:
//! its value, {"order"} of an index entry, {"predicate", "object"} of a relation, {} of a tag; NULL: there it is absent.

use super::error::syncstore_error;
use super::event::{SYNCSTORE_ENDING_NONE, ending, syncstore_ending};
use super::items::found;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::kit::output::optional;
use super::op_ref::syncstore_ref;
use super::resource::{resource, syncstore_resource};
use super::status::{SYNCSTORE_OK, syncstore_status};
use super::store::syncstore;
use super::text::syncstore_text;
use crate::conflict::{Conflict, FieldMerge, Prefer, Resolution};
use crate::protocol::Json;
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;

/// What to make of a conflict.
pub type syncstore_resolution = i32;

/// Nothing now: it stays open. For a resolver's answer alone.
pub const SYNCSTORE_RESOLUTION_LEAVE_OPEN: syncstore_resolution = 0;
/// What is read now is right. Nothing is written; what was never sent goes as made in knowledge of theirs.
pub const SYNCSTORE_RESOLUTION_KEEP_REBASED: syncstore_resolution = 1;
/// The remote side is right.
pub const SYNCSTORE_RESOLUTION_TAKE_THEIRS: syncstore_resolution = 2;
/// The local side is right.
pub const SYNCSTORE_RESOLUTION_KEEP_OURS: syncstore_resolution = 3;
/// The value that is given is right. It takes the place of the whole part, in the form that the sides have.
pub const SYNCSTORE_RESOLUTION_MERGED: syncstore_resolution = 4;

/// Which side stands where both changed the same thing.
pub type syncstore_prefer = i32;

/// What this replica wrote.
pub const SYNCSTORE_PREFER_OURS: syncstore_prefer = 1;
/// What others wrote.
pub const SYNCSTORE_PREFER_THEIRS: syncstore_prefer = 2;

pub(super) fn preferred(prefer: syncstore_prefer) -> Result<Prefer, Failure> {
    match prefer {
        SYNCSTORE_PREFER_OURS => Ok(Prefer::Ours),
        SYNCSTORE_PREFER_THEIRS => Ok(Prefer::Theirs),
        _ => Err(Failure::misuse("prefer", "is none of the constants")),
    }
}

/// What is meant by a constant; `None`: to leave it open.
pub(super) fn resolution(which: syncstore_resolution, merged: &str) -> Result<Option<Resolution>, Failure> {
    if which != SYNCSTORE_RESOLUTION_MERGED && !merged.is_empty() {
        return Err(Failure::misuse("json", "is given, and the resolution is not SYNCSTORE_RESOLUTION_MERGED"));
    }
    Ok(Some(match which {
        SYNCSTORE_RESOLUTION_LEAVE_OPEN => return Ok(None),
        SYNCSTORE_RESOLUTION_KEEP_REBASED => Resolution::KeepRebased,
        SYNCSTORE_RESOLUTION_TAKE_THEIRS => Resolution::TakeTheirs,
        SYNCSTORE_RESOLUTION_KEEP_OURS => Resolution::KeepOurs,
        SYNCSTORE_RESOLUTION_MERGED => {
            let value = Json::parse(merged).and_then(|json| json.to_value());
            Resolution::Merged(value.map_err(crate::Error::from)?)
        }
        _ => return Err(Failure::misuse("resolution", "is none of the constants")),
    }))
}

/// A conflict, as it was when it was listed. Never to be freed: it belongs to its list, or to the callback that got it.
pub struct syncstore_conflict {
    life: Life,
    conflict: Conflict,
    collection: CText,
    key: CText,
    resource: (syncstore_resource, Option<CText>),
    base: Option<CText>,
    local: Option<CText>,
    remote: Option<CText>,
    view: Option<CText>,
}

impl syncstore_conflict {
    pub(super) fn new(conflict: Conflict) -> syncstore_conflict {
        let text = |side: &Option<String>| side.as_deref().map(CText::new);
        syncstore_conflict {
            life: Life::new(),
            collection: CText::new(&conflict.collection),
            key: CText::new(&conflict.key),
            resource: resource(&conflict.resource),
            base: text(&conflict.base),
            local: text(&conflict.local),
            remote: text(&conflict.remote),
            view: text(&conflict.view),
            conflict,
        }
    }
}

impl Handle for syncstore_conflict {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// A list of conflicts.
pub struct syncstore_conflict_list {
    life: Life,
    list: Vec<Arc<syncstore_conflict>>,
}

impl syncstore_conflict_list {
    fn new(conflicts: Vec<Conflict>) -> syncstore_conflict_list {
        let list = conflicts.into_iter().map(|conflict| Arc::new(syncstore_conflict::new(conflict))).collect();
        syncstore_conflict_list { life: Life::new(), list }
    }
}

impl Handle for syncstore_conflict_list {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// The open conflicts, the oldest first. There is one for each value, index entry, relation or tag, however often either side changes it; it stays
/// open, through restarts, until syncstore_resolve().
///
/// list: takes them; free it with syncstore_conflict_list_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflicts(
    store: *mut syncstore,
    list: *mut *mut syncstore_conflict_list,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required list], |store| list.give(syncstore_conflict_list::new(store.store()?.conflicts()?)))
}

/// The conflicts that have ended, the oldest first, without their sides: which, when, and how.
///
/// list: takes them; free it with syncstore_conflict_list_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_ended_conflicts(
    store: *mut syncstore,
    list: *mut *mut syncstore_conflict_list,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required list], |store| list.give(syncstore_conflict_list::new(store.store()?.ended_conflicts()?)))
}

/// Resolves a conflict as it was listed. Operations on the same part that were never sent, and are in no batch, are withdrawn where the resolution is another than what
/// is read; what was sent stays, and one more operation follows it.
///
/// conflict: the conflict, of a list that is not freed.
/// resolution: one of SYNCSTORE_RESOLUTION_..., but SYNCSTORE_RESOLUTION_LEAVE_OPEN.
/// json, json_len: for SYNCSTORE_RESOLUTION_MERGED the value, as JSON text of so many bytes; else NULL and 0.
/// op: takes the ref of the operation that was written, zeros where none was needed; may be NULL.
/// Errors: SYNCSTORE_CONFLICT_MOVED when either side has changed, or it has ended, since it was listed; SYNCSTORE_LIMIT, SYNCSTORE_JSON for
/// a merged value that is none; SYNCSTORE_NO_ITEM for a part of an item that is gone; those of syncstore_set(). It is open then.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_resolve(
    store: *mut syncstore,
    conflict: *const syncstore_conflict,
    resolution: syncstore_resolution,
    json: *const c_char,
    json_len: usize,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional op], |store| {
        let (conflict, json) = (other!(conflict), text!(json, json_len));
        let decided = self::resolution(resolution, json)?;
        let decided = decided.ok_or_else(|| Failure::misuse("resolution", "is to leave it open"))?;
        match store.store()?.resolve(&conflict.conflict, decided)? {
            Some(written) => op.put_ref(written),
            None => Ok(SYNCSTORE_OK),
        }
    })
}

/// Merges the sides of a conflict member by member: what one side alone changed stands. Goes through objects at any depth; arrays, texts, numbers, and
/// everything but values, are wholes.
///
/// conflict: the conflict.
/// prefer: whose stands where both changed the same thing: SYNCSTORE_PREFER_OURS or SYNCSTORE_PREFER_THEIRS.
/// json: takes the merged value, for SYNCSTORE_RESOLUTION_MERGED; free it with syncstore_text_free().
/// Answers SYNCSTORE_NOT_FOUND where it is to be absent.
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_merge(
    conflict: *const syncstore_conflict,
    prefer: syncstore_prefer,
    json: *mut syncstore_text,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required json], |conflict| {
        let merged = FieldMerge(preferred(prefer)?).merge(&conflict.conflict)?;
        found(merged, |value| json.put(syncstore_text::new(&value.to_string())))
    })
}

/// How many conflicts there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_list_count(list: *const syncstore_conflict_list) -> usize {
    read!(list, 0, |list| Some(list.list.len()))
}

/// The conflict at a place, from 0; NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_list_at(
    list: *const syncstore_conflict_list,
    place: usize,
) -> *const syncstore_conflict {
    read!(list, ptr::null(), |list| list.list.get(place).map(Arc::as_ptr))
}

/// Frees a list of conflicts. NULL is ignored.
///
/// Thread: any; no other may be using this list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_list_free(list: *mut syncstore_conflict_list) {
    free!(list)
}

/// Names the conflict within its file; never given twice. Of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_id(conflict: *const syncstore_conflict) -> u64 {
    read!(conflict, 0, |conflict| Some(conflict.conflict.id.0))
}

/// The collection of its item; of NULL NULL. Belongs to the conflict.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_collection(conflict: *const syncstore_conflict) -> *const c_char {
    read!(conflict, ptr::null(), |conflict| Some(conflict.collection.as_ptr()))
}

/// The key of its item; of NULL NULL. Belongs to the conflict.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_key(conflict: *const syncstore_conflict) -> *const c_char {
    read!(conflict, ptr::null(), |conflict| Some(conflict.key.as_ptr()))
}

/// What of its item both changed; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_resource(conflict: *const syncstore_conflict) -> syncstore_resource {
    read!(conflict, 0, |conflict| Some(conflict.resource.0))
}

/// The name of the index, the relation or the tag that both changed; NULL: it is the value. Belongs to the conflict.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_resource_name(conflict: *const syncstore_conflict) -> *const c_char {
    read!(conflict, ptr::null(), |conflict| conflict.resource.1.as_ref().map(CText::as_ptr))
}

/// What was confirmed before theirs; it stays the first while more of theirs comes. Belongs to the conflict.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_base(conflict: *const syncstore_conflict) -> *const c_char {
    read!(conflict, ptr::null(), |conflict| conflict.base.as_ref().map(CText::as_ptr))
}

/// What this replica read before theirs came, with what was written here since. Belongs to the conflict.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_local(conflict: *const syncstore_conflict) -> *const c_char {
    read!(conflict, ptr::null(), |conflict| conflict.local.as_ref().map(CText::as_ptr))
}

/// What theirs made of it, with all that came of others since, and without what was written here. Belongs to the conflict.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_remote(conflict: *const syncstore_conflict) -> *const c_char {
    read!(conflict, ptr::null(), |conflict| conflict.remote.as_ref().map(CText::as_ptr))
}

/// What this replica reads now. Belongs to the conflict.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_view(conflict: *const syncstore_conflict) -> *const c_char {
    read!(conflict, ptr::null(), |conflict| conflict.view.as_ref().map(CText::as_ptr))
}

/// When it was found, in milliseconds since 1970 by this device's clock.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_opened_at(conflict: *const syncstore_conflict) -> u64 {
    read!(conflict, 0, |conflict| Some(conflict.conflict.opened_at))
}

/// How it ended; SYNCSTORE_ENDING_NONE: it was open.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_ending(conflict: *const syncstore_conflict) -> syncstore_ending {
    read!(conflict, SYNCSTORE_ENDING_NONE, |conflict| conflict.conflict.end.map(|end| ending(end.how)))
}

/// When it ended, in milliseconds since 1970 by this device's clock; 0: it was open.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_ended_at(conflict: *const syncstore_conflict) -> u64 {
    read!(conflict, 0, |conflict| conflict.conflict.end.map(|end| end.at))
}

/// The operation that was written to end it.
///
/// op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_conflict_ref(conflict: *const syncstore_conflict, op: *mut syncstore_ref) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let op = unsafe { optional(op, "op") };
    read!(conflict, 0, |conflict| {
        let written = conflict.conflict.end.and_then(|end| end.op)?;
        Some(i32::from(op.put_ref(written).is_ok()))
    })
}
