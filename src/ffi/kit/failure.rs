//! Why a call fails, on its way to C.

use super::handle;
use super::input::CText;
use crate::error::Error;
use crate::ffi::error::syncstore_error;
use crate::ffi::status::{SYNCSTORE_MISUSE, of_error, syncstore_status};
use crate::sync::SyncReport;
use std::ptr;

/// Why a call fails; becomes a `syncstore_error` where the caller wants one.
#[derive(Debug)]
pub struct Failure(Box<syncstore_error>);

impl Failure {
    pub fn new(status: syncstore_status, message: &str) -> Failure {
        Failure(Box::new(syncstore_error::new(status, message)))
    }

    /// The host broke a convention; the message begins with the parameter's name.
    pub fn misuse(name: &str, words: &str) -> Failure {
        Failure::new(SYNCSTORE_MISUSE, &format!("{name} {words}"))
    }

    pub fn of(error: syncstore_error) -> Failure {
        Failure(Box::new(error))
    }

    /// What a sync did before it failed so.
    pub fn with_report(mut self, report: SyncReport) -> Failure {
        self.0.report = Some(Box::new(report));
        self
    }

    pub fn null(name: &str) -> Failure {
        Failure::misuse(name, "is NULL")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let mut failure = syncstore_error::new(of_error(&error), &error.to_string());
        failure.sqlite_code = error.sqlite_code().unwrap_or(0);
        failure.http_status = error.http_status().map_or(0, i32::from);
        failure.retryable = error.is_transient();
        failure.retry_after = error.retry_after();
        failure.op = error.op_ref();
        failure.item = error.item().map(|(collection, key)| (CText::new(collection), CText::new(key)));
        Failure(Box::new(failure))
    }
}

/// Where C wants the error; it is set to NULL first.
pub struct ErrorOut(*mut *mut syncstore_error);

impl ErrorOut {
    /// # Safety
    ///
    /// The pointer is NULL, or may be written to until the call ends.
    pub unsafe fn new(error: *mut *mut syncstore_error) -> ErrorOut {
        if !error.is_null() {
            // SAFETY: the condition above.
            unsafe { error.write(ptr::null_mut()) };
        }
        ErrorOut(error)
    }

    pub fn tell(&self, failure: Failure) -> syncstore_status {
        let status = failure.0.status;
        if !self.0.is_null() {
            // SAFETY: the condition of `new`.
            unsafe { self.0.write(handle::give(*failure.0)) };
        }
        status
    }
}
