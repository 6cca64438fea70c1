//! Pending operations
//!
//! The outbox: every operation that the server has not confirmed, in the order in which they were made, as of the moment of the call.

use super::error::syncstore_error;
use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::kit::output::optional;
use super::op_ref::syncstore_ref;
use super::resource::{op_kind, resource, syncstore_op_kind, syncstore_resource};
use super::status::syncstore_status;
use super::store::syncstore;
use crate::store::{PendingOp, PendingState};
use std::ffi::c_char;
use std::ptr;

/// Where a pending operation stands. A later version may know others.
pub type syncstore_pending_state = i32;

/// Never sent.
pub const SYNCSTORE_PENDING_QUEUED: syncstore_pending_state = 1;
/// Sent, and not answered yet.
pub const SYNCSTORE_PENDING_IN_FLIGHT: syncstore_pending_state = 2;
/// The server committed it; its place in the log is not pulled yet.
pub const SYNCSTORE_PENDING_ACCEPTED: syncstore_pending_state = 3;
/// The server refused it; its place in the log is not pulled yet.
pub const SYNCSTORE_PENDING_REJECTED: syncstore_pending_state = 4;
/// The server holds it for an approver.
pub const SYNCSTORE_PENDING_AWAITING_APPROVAL: syncstore_pending_state = 5;
/// The server holds it until the rest of its batch has come.
pub const SYNCSTORE_PENDING_STAGED: syncstore_pending_state = 6;

/// Pending operations, in order.
pub struct syncstore_pending_ops {
    life: Life,
    ops: Vec<Pending>,
}

struct Pending {
    op: PendingOp,
    collection: CText,
    key: CText,
    resource: syncstore_resource,
    name: Option<CText>,
}

impl Pending {
    fn new(op: PendingOp) -> Pending {
        let (resource, name) = resource(&op.resource);
        Pending { collection: CText::new(&op.collection), key: CText::new(&op.key), resource, name, op }
    }
}

impl Handle for syncstore_pending_ops {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Every operation that is not settled, in the order in which they were made; syncstore_pending_count() tells how many there are without reading
/// them.
///
/// ops: takes the list; free it with syncstore_pending_ops_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending(
    store: *mut syncstore,
    ops: *mut *mut syncstore_pending_ops,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required ops], |store| {
        let pending = store.store()?.pending()?;
        ops.give(syncstore_pending_ops { life: Life::new(), ops: pending.into_iter().map(Pending::new).collect() })
    })
}

/// How many operations there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_count(ops: *const syncstore_pending_ops) -> usize {
    read!(ops, 0, |ops| Some(ops.ops.len()))
}

/// The ref of the operation at a place, from 0.
///
/// op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_ref(
    ops: *const syncstore_pending_ops,
    place: usize,
    op: *mut syncstore_ref,
) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let op = unsafe { optional(op, "op") };
    read!(ops, 0, |ops| ops.ops.get(place).map(|one| i32::from(op.put_ref(one.op.op_ref).is_ok())))
}

/// The collection of the item of the operation at a place; NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_collection(
    ops: *const syncstore_pending_ops,
    place: usize,
) -> *const c_char {
    read!(ops, ptr::null(), |ops| ops.ops.get(place).map(|one| one.collection.as_ptr()))
}

/// The key of the item of the operation at a place; NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_key(ops: *const syncstore_pending_ops, place: usize) -> *const c_char {
    read!(ops, ptr::null(), |ops| ops.ops.get(place).map(|one| one.key.as_ptr()))
}

/// What the operation at a place does; 0 behind the last one.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_kind(
    ops: *const syncstore_pending_ops,
    place: usize,
) -> syncstore_op_kind {
    read!(ops, 0, |ops| { ops.ops.get(place).map(|one| op_kind(one.op.kind)) })
}

/// What of its item the operation at a place is on; 0 behind the last one.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_resource(
    ops: *const syncstore_pending_ops,
    place: usize,
) -> syncstore_resource {
    read!(ops, 0, |ops| ops.ops.get(place).map(|one| one.resource))
}

/// The name of the index or the tag, or the id of the relation, that the operation at a place is on; NULL: it is on the value, or there is none.
/// Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_resource_name(
    ops: *const syncstore_pending_ops,
    place: usize,
) -> *const c_char {
    read!(ops, ptr::null(), |ops| ops.ops.get(place)?.name.as_ref().map(CText::as_ptr))
}

/// What the operation at a place sets or patches, without a NUL behind it: the JSON text of a set's value or of a patch, or of what an index entry
/// ({"order"}) or a relation ({"predicate","object"}) is set to. NULL: it has none. Belongs to the list.
///
/// len: takes how many bytes; 0 where there is none. May be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_payload(
    ops: *const syncstore_pending_ops,
    place: usize,
    len: *mut usize,
) -> *const c_char {
    read_bytes!(ops, len, |ops| ops.ops.get(place).and_then(|one| one.op.payload.as_deref()))
}

/// The rev of the item that this replica had confirmed when the operation at a place was made.
///
/// base: where to put it; 0 where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one; 0: it makes no claim, or there is no such operation.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_base(
    ops: *const syncstore_pending_ops,
    place: usize,
    base: *mut u64,
) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let base = unsafe { optional(base, "base") };
    read!(ops, 0, |ops| ops.ops.get(place)?.op.base.map(|rev| i32::from(base.put(rev).is_ok())))
}

/// The batch that the operation at a place is in.
///
/// batch: where to put its id; it is zeroed where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_batch(
    ops: *const syncstore_pending_ops,
    place: usize,
    batch: *mut syncstore_ref,
) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let batch = unsafe { optional(batch, "batch") };
    read!(ops, 0, |ops| {
        let id = ops.ops.get(place)?.op.batch?;
        Some(i32::from(batch.put(syncstore_ref { bytes: *id.as_bytes() }).is_ok()))
    })
}

/// Where the operation at a place stands; 0 behind the last one.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_state(
    ops: *const syncstore_pending_ops,
    place: usize,
) -> syncstore_pending_state {
    read!(ops, 0, |ops| {
        ops.ops.get(place).map(|one| match one.op.state {
            PendingState::Queued => SYNCSTORE_PENDING_QUEUED,
            PendingState::InFlight => SYNCSTORE_PENDING_IN_FLIGHT,
            PendingState::Accepted => SYNCSTORE_PENDING_ACCEPTED,
            PendingState::Rejected => SYNCSTORE_PENDING_REJECTED,
            PendingState::AwaitingApproval => SYNCSTORE_PENDING_AWAITING_APPROVAL,
            PendingState::Staged => SYNCSTORE_PENDING_STAGED,
        })
    })
}

/// Whether the operation at a place still applies to what this replica knows of its item: 1, or 0 where not; the server will likely reject it then,
/// and reads do not show it. 0 behind the last one too.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_applies(ops: *const syncstore_pending_ops, place: usize) -> i32 {
    read!(ops, 0, |ops| ops.ops.get(place).map(|one| i32::from(one.op.applies)))
}

/// Frees a list of pending operations. NULL is ignored.
///
/// Thread: any; no other may be using this list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_ops_free(ops: *mut syncstore_pending_ops) {
    free!(ops)
}
