//! Errors
//!
//! Why a call failed, for whoever gave it a place to put that. Each belongs to the caller, who frees it; none is kept by the library.
//! Every getter takes NULL too and then answers 0, or "" for the message.

use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::op_ref::syncstore_ref;
use super::remote::Refusal;
use super::status::{SYNCSTORE_OK, syncstore_status};
use crate::protocol::Ref;
use crate::sync::SyncReport;
use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

/// Why a call failed.
#[derive(Debug)]
pub struct syncstore_error {
    life: Life,
    pub(super) status: syncstore_status,
    message: CText,
    pub(super) sqlite_code: i32,
    pub(super) http_status: i32,
    pub(super) retryable: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) op: Option<Ref>,
    pub(super) item: Option<(CText, CText)>,
    /// Of a sync.
    pub(super) report: Option<Box<SyncReport>>,
    /// Of a write to a server.
    pub(super) refusal: Option<Box<Refusal>>,
}

impl syncstore_error {
    pub(super) fn new(status: syncstore_status, message: &str) -> syncstore_error {
        syncstore_error {
            life: Life::new(),
            status,
            message: CText::new(message),
            sqlite_code: 0,
            http_status: 0,
            retryable: false,
            retry_after: None,
            op: None,
            item: None,
            report: None,
            refusal: None,
        }
    }
}

impl Handle for syncstore_error {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// What the failed call answered.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_code(error: *const syncstore_error) -> syncstore_status {
    read!(error, SYNCSTORE_OK, |error| Some(error.status))
}

/// What went wrong, in English, for a developer; never NULL, and never with a credential in it. Belongs to the error.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_message(error: *const syncstore_error) -> *const c_char {
    read!(error, c"".as_ptr(), |error| Some(error.message.as_ptr()))
}

/// SQLite's (extended) result code, where SQLite failed; else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_sqlite_code(error: *const syncstore_error) -> i32 {
    read!(error, 0, |error| Some(error.sqlite_code))
}

/// The HTTP status, where a server answered with one; else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_http_status(error: *const syncstore_error) -> i32 {
    read!(error, 0, |error| Some(error.http_status))
}

/// 1: the same call may succeed later without anybody doing something. 0: it will not.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_retryable(error: *const syncstore_error) -> i32 {
    read!(error, 0, |error| Some(i32::from(error.retryable)))
}

/// How many milliseconds the server asks to wait before the next try; -1: it does not say.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_retry_after_ms(error: *const syncstore_error) -> i64 {
    read!(error, -1, |error| { error.retry_after.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)) })
}

/// The operation that the error is about.
///
/// op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_ref(error: *const syncstore_error, op: *mut syncstore_ref) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let op = unsafe { super::kit::output::optional(op, "op") };
    read!(error, 0, |error| error.op.map(|known| i32::from(op.put_ref(known).is_ok())))
}

/// The collection of the item that the error is about; NULL: it is about none. Belongs to the error.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_collection(error: *const syncstore_error) -> *const c_char {
    read!(error, ptr::null(), |error| error.item.as_ref().map(|(collection, _)| collection.as_ptr()))
}

/// The key of the item that the error is about; NULL: it is about none. Belongs to the error.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_key(error: *const syncstore_error) -> *const c_char {
    read!(error, ptr::null(), |error| error.item.as_ref().map(|(_, key)| key.as_ptr()))
}

/// Frees an error. NULL is ignored.
///
/// Thread: any; no other may be using this error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_free(error: *mut syncstore_error) {
    free!(error)
}
