//! Writes to a server
//!
//! Each is one request, decided by the same rules as an operation of a replica, and goes under a ref: a server does what has the same ref once, and tells the
//! repeat what the first did. So after SYNCSTORE_UNCONFIRMED make the same call with the ref of the error (syncstore_error_ref()) as
//! syncstore_write_options.op.

use super::error::syncstore_error;
use super::kit::call::Answer;
use super::kit::failure::Failure;
use super::kit::input::{flag, op_ref};
use super::kit::output::{Out, Plain};
use super::kit::sized::StructSize;
use super::op_ref::syncstore_ref;
use super::remote::syncstore_remote;
use super::status::syncstore_status;
use crate::protocol::{Ref, Rev};
use crate::remote::{Precondition, RemoteError, RemoteItem};
use std::ffi::c_char;

/// What has to be so for a write to be done: a value of syncstore_write_options.precondition.
pub type syncstore_precondition = i32;

/// Nothing.
pub const SYNCSTORE_PRECONDITION_NONE: syncstore_precondition = 0;
/// What is written does not exist: the item, or the index entry, the relation, the tag.
pub const SYNCSTORE_PRECONDITION_ABSENT: syncstore_precondition = 1;
/// What is written exists.
pub const SYNCSTORE_PRECONDITION_EXISTS: syncstore_precondition = 2;
/// The item has the rev of syncstore_write_options.rev, also where an index entry, a relation or a tag is written.
pub const SYNCSTORE_PRECONDITION_REV: syncstore_precondition = 3;

/// How a write is made; begin with SYNCSTORE_WRITE_OPTIONS_INIT. Of everything 0, or NULL, is the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_write_options {
    /// Set by SYNCSTORE_WRITE_OPTIONS_INIT.
    pub struct_size: usize,
    /// What has to be so; a write of a batch has none.
    pub precondition: syncstore_precondition,
    /// 1: of a write of a batch, it was made for the item at the rev of base. That is no precondition: what becomes of a base that is behind is the collection's policy.
    pub has_base: i32,
    /// The ref to write under; NULL: a new one.
    pub op: *const syncstore_ref,
    /// Of SYNCSTORE_PRECONDITION_REV, the rev.
    pub rev: u64,
    /// With has_base, the rev; 0: there was no item.
    pub base: u64,
}

// SAFETY: numbers and a pointer.
unsafe impl Plain for syncstore_write_options {}
// SAFETY: it begins with its size, and its last member is as wide as its alignment.
unsafe impl StructSize for syncstore_write_options {
    const FIRST_SIZE: usize = size_up_to!(syncstore_write_options.base);
}

/// How a write is made.
#[derive(Default)]
pub(super) struct How {
    pub precondition: Precondition,
    pub base: Option<Rev>,
    pub op: Option<Ref>,
}

/// # Safety
///
/// Its ref is NULL, or may be read.
pub(super) unsafe fn how(given: &syncstore_write_options) -> Result<How, Failure> {
    let precondition = match given.precondition {
        SYNCSTORE_PRECONDITION_NONE => Precondition::None,
        SYNCSTORE_PRECONDITION_ABSENT => Precondition::Absent,
        SYNCSTORE_PRECONDITION_EXISTS => Precondition::Exists,
        SYNCSTORE_PRECONDITION_REV => Precondition::Rev(given.rev),
        _ => return Err(Failure::misuse("options.precondition", "is none of the constants")),
    };
    let base = flag(given.has_base, "options.has_base")?.then_some(given.base);
    // SAFETY: the condition above.
    let op = (!given.op.is_null()).then(|| unsafe { op_ref(given.op, "options.op") }).transpose()?;
    Ok(How { precondition, base, op })
}

/// # Safety
///
/// That of [`how`].
unsafe fn write(
    remote: &syncstore_remote,
    (collection, key): (&str, &str),
    options: syncstore_write_options,
    rev: Out<u64>,
    write: impl FnOnce(RemoteItem<'_>) -> Result<Rev, RemoteError>,
) -> Answer {
    // SAFETY: the condition above.
    let How { precondition, base, op } = unsafe { how(&options) }?;
    if base.is_some() {
        return Err(Failure::misuse("options.has_base", "is for a write of a batch: this one has a precondition"));
    }
    let item = remote.remote.item(collection, key).when(precondition);
    rev.put(write(op.into_iter().fold(item, RemoteItem::with_ref))?)
}

/// Replaces the item's value, or creates the item. Waits for the network.
///
/// collection, key: the item.
/// json, json_len: its value as JSON text of so many bytes.
/// options: how; NULL is the default.
/// rev: takes the rev that the item has then; may be NULL. Of a removal that removed nothing it is 0.
/// Errors: SYNCSTORE_LIMIT and SYNCSTORE_JSON, with nothing sent; SYNCSTORE_PRECONDITION_FAILED, SYNCSTORE_NO_ITEM, SYNCSTORE_REJECTED and those of the wire,
/// with nothing done; SYNCSTORE_UNCONFIRMED where it is not known.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_set(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    json: *const c_char,
    json_len: usize,
    options: *const syncstore_write_options,
    rev: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional rev], |remote| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let json = text!(json, json_len);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { write(remote, place, options, rev, |item| item.set_raw(json)) }
    })
}

/// Changes a part of the item's value by a JSON Patch (RFC 6902). Waits for the network.
///
/// collection, key: the item.
/// patch, patch_len: the patch, a JSON array, as text of so many bytes.
/// options, rev, errors: as with syncstore_remote_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_patch(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    patch: *const c_char,
    patch_len: usize,
    options: *const syncstore_write_options,
    rev: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional rev], |remote| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let patch = text!(patch, patch_len);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { write(remote, place, options, rev, |item| item.patch_raw(patch)) }
    })
}

/// Removes the item. Waits for the network.
///
/// collection, key: the item.
/// options, rev, errors: as with syncstore_remote_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_delete(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    options: *const syncstore_write_options,
    rev: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional rev], |remote| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { write(remote, place, options, rev, |item| item.delete()) }
    })
}

/// Puts the item into an index at an ordering key, or moves it there. Waits for the network.
///
/// collection, key: the item.
/// index, order: the index and the ordering key.
/// options, rev, errors: as with syncstore_remote_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_set_index(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    index: *const c_char,
    order: *const c_char,
    options: *const syncstore_write_options,
    rev: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional rev], |remote| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let (index, order) = (name!(index), name!(order));
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { write(remote, place, options, rev, |item| item.set_index(index, order)) }
    })
}

/// Takes the item out of an index. Waits for the network.
///
/// collection, key: the item.
/// index: the index.
/// options, rev, errors: as with syncstore_remote_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_delete_index(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    index: *const c_char,
    options: *const syncstore_write_options,
    rev: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional rev], |remote| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let index = name!(index);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { write(remote, place, options, rev, |item| item.delete_index(index)) }
    })
}

/// Relates the item, the subject, to an object under an id, or changes that relation. Waits for the network.
///
/// collection, key: the item.
/// id, predicate: the relation's name among those of the item, and what the object is to it.
/// object_collection, object_key: the object.
/// options, rev, errors: as with syncstore_remote_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_set_relation(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    id: *const c_char,
    predicate: *const c_char,
    object_collection: *const c_char,
    object_key: *const c_char,
    options: *const syncstore_write_options,
    rev: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional rev], |remote| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let (id, predicate) = (name!(id), name!(predicate));
        let object = (name!(object_collection), name!(object_key));
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { write(remote, place, options, rev, |item| item.set_relation(id, predicate, object)) }
    })
}

/// Removes a relation of the item. Waits for the network.
///
/// collection, key: the item.
/// id: the relation.
/// options, rev, errors: as with syncstore_remote_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_delete_relation(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    id: *const c_char,
    options: *const syncstore_write_options,
    rev: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional rev], |remote| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let id = name!(id);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { write(remote, place, options, rev, |item| item.delete_relation(id)) }
    })
}

/// Adds a tag to the item. Waits for the network.
///
/// collection, key: the item.
/// tag: the tag.
/// options, rev, errors: as with syncstore_remote_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_add_tag(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    tag: *const c_char,
    options: *const syncstore_write_options,
    rev: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional rev], |remote| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let tag = name!(tag);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { write(remote, place, options, rev, |item| item.add_tag(tag)) }
    })
}

/// Removes a tag from the item. Waits for the network.
///
/// collection, key: the item.
/// tag: the tag.
/// options, rev, errors: as with syncstore_remote_set().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_remove_tag(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    tag: *const c_char,
    options: *const syncstore_write_options,
    rev: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional rev], |remote| {
        let (place, options) = ((name!(collection), name!(key)), options!(options));
        let tag = name!(tag);
        // SAFETY: by the conventions of the header a ref within options is NULL or may be read.
        unsafe { write(remote, place, options, rev, |item| item.remove_tag(tag)) }
    })
}
