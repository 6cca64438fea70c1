//! A rejected operation
//!
//! What was meant, what the server has now, and why, as of the moment at which the list was asked for. What a getter answers belongs to the
//! list.

use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::kit::output::optional;
use super::op_ref::syncstore_ref;
use super::outcomes::CRejection;
use super::resource::{op_kind, resource, syncstore_op_kind, syncstore_resource};
use crate::outbox::RejectedOp;
use crate::protocol::{BatchId, Ref, Rev, Seq};
use std::ffi::c_char;
use std::ptr;

/// A rejected operation, with what the user meant by it. Never to be freed: it belongs to its list.
pub struct syncstore_rejected_op {
    life: Life,
    op: Ref,
    collection: CText,
    key: CText,
    resource: (syncstore_resource, Option<CText>),
    kind: syncstore_op_kind,
    payload: Option<CText>,
    base: Option<Rev>,
    batch: Option<BatchId>,
    meant: Option<CText>,
    present: Option<CText>,
    rejection: CRejection,
    seq: Option<Seq>,
    at: u64,
}

impl syncstore_rejected_op {
    pub(super) fn new(rejected: &RejectedOp) -> syncstore_rejected_op {
        let text = |text: &Option<String>| text.as_deref().map(CText::new);
        syncstore_rejected_op {
            life: Life::new(),
            op: rejected.op_ref,
            collection: CText::new(&rejected.collection),
            key: CText::new(&rejected.key),
            resource: resource(&rejected.resource),
            kind: op_kind(rejected.kind),
            payload: text(&rejected.payload),
            base: rejected.base,
            batch: rejected.batch,
            meant: text(&rejected.meant),
            present: text(&rejected.present),
            rejection: CRejection::new(&rejected.rejection),
            seq: rejected.rejection.seq,
            at: rejected.at,
        }
    }
}

impl Handle for syncstore_rejected_op {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// The rejected operation's ref.
///
/// op: where to put it; of NULL it is zeroed. May be NULL.
/// Answers 1; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_ref(
    rejected: *const syncstore_rejected_op,
    op: *mut syncstore_ref,
) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let op = unsafe { optional(op, "op") };
    read!(rejected, 0, |rejected| Some(i32::from(op.put_ref(rejected.op).is_ok())))
}

/// The collection of its item; of NULL NULL. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_collection(rejected: *const syncstore_rejected_op) -> *const c_char {
    read!(rejected, ptr::null(), |rejected| Some(rejected.collection.as_ptr()))
}

/// The key of its item; of NULL NULL. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_key(rejected: *const syncstore_rejected_op) -> *const c_char {
    read!(rejected, ptr::null(), |rejected| Some(rejected.key.as_ptr()))
}

/// What of its item it was on; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_resource(rejected: *const syncstore_rejected_op) -> syncstore_resource {
    read!(rejected, 0, |rejected| Some(rejected.resource.0))
}

/// The name of the index, the relation or the tag that it was on; NULL: it was on the value. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_resource_name(rejected: *const syncstore_rejected_op) -> *const c_char {
    read!(rejected, ptr::null(), |rejected| rejected.resource.1.as_ref().map(CText::as_ptr))
}

/// What it was to do; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_kind(rejected: *const syncstore_rejected_op) -> syncstore_op_kind {
    read!(rejected, 0, |rejected| Some(rejected.kind))
}

/// The JSON text of a set's value or a patch, or of what an index entry, {"order"}, or a relation, {"predicate", "object"}, was to be; NULL: it
/// has none. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_payload(rejected: *const syncstore_rejected_op) -> *const c_char {
    read!(rejected, ptr::null(), |rejected| rejected.payload.as_ref().map(CText::as_ptr))
}

/// The rev of the item that this replica had confirmed when the operation was made.
///
/// base: where to put it; it is 0 where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_base(rejected: *const syncstore_rejected_op, base: *mut u64) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let base = unsafe { optional(base, "base") };
    read!(rejected, 0, |rejected| rejected.base.map(|known| i32::from(base.put(known).is_ok())))
}

/// The id of its batch, a UUID like a ref. None of the batch was done, and retrying or discarding one of its operations does so with all.
///
/// batch: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_batch(
    rejected: *const syncstore_rejected_op,
    batch: *mut syncstore_ref,
) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let batch = unsafe { optional(batch, "batch") };
    read!(rejected, 0, |rejected| {
        let known = rejected.batch?;
        Some(i32::from(batch.put(syncstore_ref { bytes: *known.as_bytes() }).is_ok()))
    })
}

/// What it was to be with the operation, as JSON text of what it was on: the value, {"order"} of an index entry, {"predicate", "object"} of a
/// relation, {} of a tag. NULL: gone, or not known. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_meant(rejected: *const syncstore_rejected_op) -> *const c_char {
    read!(rejected, ptr::null(), |rejected| rejected.meant.as_ref().map(CText::as_ptr))
}

/// What the server has there now, as far as this replica has pulled; likewise. NULL: nothing. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_present(rejected: *const syncstore_rejected_op) -> *const c_char {
    read!(rejected, ptr::null(), |rejected| rejected.present.as_ref().map(CText::as_ptr))
}

/// Why it was rejected, as a word for a program, such as "stale" or "forbidden"; of NULL NULL. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_code(rejected: *const syncstore_rejected_op) -> *const c_char {
    read!(rejected, ptr::null(), |rejected| Some(rejected.rejection.code.as_ptr()))
}

/// Why it was rejected, in the server's words; of NULL NULL. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_message(rejected: *const syncstore_rejected_op) -> *const c_char {
    read!(rejected, ptr::null(), |rejected| Some(rejected.rejection.message.as_ptr()))
}

/// More on that, as JSON text whose shape depends on the code; NULL: there is none. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_detail(rejected: *const syncstore_rejected_op) -> *const c_char {
    read!(rejected, ptr::null(), |rejected| rejected.rejection.detail.as_ref().map(CText::as_ptr))
}

/// The rejection's place in the server's log; 0: it was refused without being recorded there.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_seq(rejected: *const syncstore_rejected_op) -> u64 {
    read!(rejected, 0, |rejected| rejected.seq)
}

/// When this replica learned of it, in milliseconds since 1970 by this device's clock.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rejected_op_at(rejected: *const syncstore_rejected_op) -> u64 {
    read!(rejected, 0, |rejected| Some(rejected.at))
}
