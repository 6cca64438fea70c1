//! Refs
//!
//! Every write is an operation, and its ref names it for good: ask with it what became of the write.

use super::error::syncstore_error;
use super::kit::failure::Failure;
use super::kit::output::{Plain, zero};
use super::status::{SYNCSTORE_OK, syncstore_status};
use crate::protocol::Ref;
use std::ffi::c_char;

/// What a buffer for the text of a ref needs, with the NUL at its end.
pub const SYNCSTORE_REF_TEXT_SIZE: usize = 37;

/// The name of an operation: the 16 bytes of a UUID in network order. Compare it by memcmp. Refs of one store grow.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_ref {
    /// The UUID.
    pub bytes: [u8; 16],
}

// SAFETY: sixteen times 0.
unsafe impl Plain for syncstore_ref {}

/// Writes a ref as text: 36 characters, and NUL.
///
/// op: the ref.
/// text: where to write to. size: how many bytes there are, at least SYNCSTORE_REF_TEXT_SIZE.
/// Errors: SYNCSTORE_MISUSE; the text is empty then, if there is a byte for that.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_ref_to_text(
    op: *const syncstore_ref,
    text: *mut c_char,
    size: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    // SAFETY: by the conventions of the header there are `size` bytes to write to.
    unsafe { zero(text, size.min(1)) };
    call!(error, [], || {
        let op = op_ref!(op).to_string();
        if text.is_null() || size < SYNCSTORE_REF_TEXT_SIZE {
            return Err(Failure::misuse("text", "is NULL or too short for a ref"));
        }
        // SAFETY: by the conventions of the header there are `size` bytes to write to, which is more than the text and its NUL take.
        unsafe {
            text.cast::<u8>().copy_from_nonoverlapping(op.as_ptr(), op.len());
            text.add(op.len()).write(0);
        }
        Ok(SYNCSTORE_OK)
    })
}

/// Reads a ref from its text.
///
/// text: 36 characters, and NUL.
/// op: takes the ref.
/// Errors: SYNCSTORE_MISUSE for a text that is none.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_ref_from_text(
    text: *const c_char,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required op], || {
        let parsed = name!(text).parse::<Ref>();
        op.put_ref(parsed.map_err(|_| Failure::misuse("text", "is not a ref"))?)
    })
}
