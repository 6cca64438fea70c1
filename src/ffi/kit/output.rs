//! Where C wants results: zeroed first, written to on success alone.

use super::call::Answer;
use super::failure::Failure;
use super::handle::{self, Handle};
use crate::ffi::op_ref::syncstore_ref;
use crate::ffi::status::SYNCSTORE_OK;
use crate::protocol::Ref;

/// What may be written as bytes over the boundary.
///
/// # Safety
///
/// All bits zero are a value of it, and it drops nothing.
pub unsafe trait Plain: Copy {}

// SAFETY: 0, or NULL.
unsafe impl Plain for i8 {}
// SAFETY: 0, or NULL.
unsafe impl Plain for u8 {}
// SAFETY: 0, or NULL.
unsafe impl Plain for i32 {}
// SAFETY: 0, or NULL.
unsafe impl Plain for i64 {}
// SAFETY: 0, or NULL.
unsafe impl Plain for u32 {}
// SAFETY: 0, or NULL.
unsafe impl Plain for u64 {}
// SAFETY: 0, or NULL.
unsafe impl Plain for usize {}
// SAFETY: 0, or NULL.
unsafe impl<T> Plain for *mut T {}
// SAFETY: 0, or NULL.
unsafe impl<T> Plain for *const T {}

/// An output.
pub struct Out<T> {
    to: *mut T,
    name: &'static str,
    required: bool,
}

/// An output that may not be NULL.
///
/// # Safety
///
/// The pointer is NULL, or may be written to until the call ends.
pub unsafe fn required<T: Plain>(to: *mut T, name: &'static str) -> Out<T> {
    let out = Out { to, name, required: true };
    // SAFETY: the condition above, and zero is a value of a `Plain`.
    unsafe { out.write(std::mem::zeroed()) };
    out
}

/// Zeroes an output of several values, before anything is done.
///
/// # Safety
///
/// The pointer is NULL, or so many may be written.
pub unsafe fn zero<T: Plain>(to: *mut T, count: usize) {
    if !to.is_null() {
        // SAFETY: the condition above, and zero is a value of a `Plain`.
        unsafe { to.write_bytes(0, count) };
    }
}

/// An output that may be NULL; what has to be freed is put by `offer` alone.
///
/// # Safety
///
/// The pointer is NULL, or may be written to until the call ends.
pub unsafe fn optional<T: Plain>(to: *mut T, name: &'static str) -> Out<T> {
    // SAFETY: the condition above.
    Out { required: false, ..unsafe { required(to, name) } }
}

impl<T: Plain> Out<T> {
    /// Before anything is done.
    pub fn check(&self) -> Result<(), Failure> {
        if self.required && self.to.is_null() { Err(Failure::null(self.name)) } else { Ok(()) }
    }

    /// The last thing that a body does.
    pub fn put(self, value: T) -> Answer {
        // SAFETY: the condition of `required`.
        unsafe { self.write(value) };
        Ok(SYNCSTORE_OK)
    }

    /// # Safety
    ///
    /// That of [`required`].
    unsafe fn write(&self, value: T) {
        if !self.to.is_null() {
            // SAFETY: the condition above.
            unsafe { self.to.write(value) };
        }
    }
}

impl<H: Handle> Out<*mut H> {
    /// Hands out a handle.
    pub fn give(self, value: H) -> Answer {
        self.check()?;
        self.put(handle::give(value))
    }

    /// Hands out a handle where one is wanted: the one optional output that has to be freed.
    pub fn offer(self, value: H) -> Answer {
        if self.to.is_null() { Ok(SYNCSTORE_OK) } else { self.put(handle::give(value)) }
    }
}

impl Out<syncstore_ref> {
    pub fn put_ref(self, op: Ref) -> Answer {
        self.put(syncstore_ref { bytes: *op.as_bytes() })
    }
}
