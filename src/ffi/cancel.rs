//! Cancelling
//!
//! Ends a call that is under way on another thread, and stays so for good: for the next call, make another one.

use super::kit::handle::{self, Handle, Life};
use crate::cancel::Cancel;
use std::ptr;

/// Ends the calls that it is given to.
pub struct syncstore_cancel {
    life: Life,
    pub(super) cancel: Cancel,
}

impl Handle for syncstore_cancel {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// One that is not cancelled. Free it with syncstore_cancel_free(), also while a call that it was given to is under way.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn syncstore_cancel_new() -> *mut syncstore_cancel {
    let new = || handle::give(syncstore_cancel { life: Life::new(), cancel: Cancel::new() });
    super::kit::call::quietly(new).unwrap_or(ptr::null_mut())
}

/// Cancels: calls that it was given to end soon, with SYNCSTORE_CANCELLED, and later ones at once. It does not wait for them. The callback
/// `cancel` of a wire of the host's own is called within it. Any number of times; NULL is ignored.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_cancel_cancel(cancel: *mut syncstore_cancel) {
    read!(cancel, (), |cancel| {
        cancel.cancel.cancel();
        Some(())
    })
}

/// 1: it was cancelled; else, and of NULL, 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_cancel_is_cancelled(cancel: *const syncstore_cancel) -> i32 {
    read!(cancel, 0, |cancel| Some(i32::from(cancel.cancel.is_cancelled())))
}

/// Frees it, which cancels nothing. NULL is ignored.
///
/// Thread: any; no other may begin a call with it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_cancel_free(cancel: *mut syncstore_cancel) {
    free!(cancel)
}
