//! Parameters that C gives, and texts that it may look at.

use super::failure::Failure;
use super::lists::bytes;
use crate::ffi::op_ref::syncstore_ref;
use crate::protocol::Ref;
use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

/// A name within `call!`: not NULL, UTF-8.
macro_rules! name {
    ($name:ident) => {
        // SAFETY: by the conventions of the header a name is NULL or ends with NUL.
        unsafe { $crate::ffi::kit::input::name($name, stringify!($name)) }?
            .ok_or_else(|| $crate::ffi::kit::failure::Failure::null(stringify!($name)))?
    };
}

/// A value within `call!`: UTF-8 of a length; NULL with length 0 is the empty text.
macro_rules! text {
    ($text:ident, $len:ident) => {
        // SAFETY: by the conventions of the header a value is NULL or has so many bytes.
        unsafe { $crate::ffi::kit::input::text($text, $len, stringify!($text)) }?
    };
}

/// A ref within `call!`: not NULL.
macro_rules! op_ref {
    ($op:ident) => {
        // SAFETY: by the conventions of the header a ref is NULL or may be read.
        unsafe { $crate::ffi::kit::input::op_ref($op, stringify!($op)) }?
    };
}

/// A ref that an output of the same call may overwrite: read before `call!` zeroes that, and taken by `op?` within it.
macro_rules! op_ref_first {
    ($op:ident) => {
        // SAFETY: by the conventions of the header a ref is NULL or may be read.
        let $op = unsafe { $crate::ffi::kit::input::op_ref($op, stringify!($op)) };
    };
}

/// Another handle within `call!`: not NULL.
macro_rules! other {
    ($handle:ident) => {
        maybe_other!($handle).ok_or_else(|| $crate::ffi::kit::failure::Failure::null(stringify!($handle)))?
    };
}

/// Another handle within `call!`, or NULL.
macro_rules! maybe_other {
    ($handle:ident) => {
        // SAFETY: by the conventions of the header a handle is NULL, or was given out by this library and is not freed.
        unsafe { $crate::ffi::kit::handle::other($handle) }?
    };
}

/// A name within `call!`, or NULL.
macro_rules! maybe_name {
    ($name:ident) => {
        // SAFETY: by the conventions of the header a name is NULL or ends with NUL.
        unsafe { $crate::ffi::kit::input::name($name, stringify!($name)) }?
    };
}

/// # Safety
///
/// The pointer is NULL, or leads to a text that ends with NUL and stays as it is while the result is used.
pub unsafe fn name<'a>(name: *const c_char, called: &str) -> Result<Option<&'a str>, Failure> {
    if name.is_null() {
        return Ok(None);
    }
    // SAFETY: the condition above.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().map(Some).map_err(|_| Failure::misuse(called, "is not UTF-8"))
}

/// # Safety
///
/// The pointer is NULL, or leads to `len` bytes that stay as they are while the result is used.
pub unsafe fn text<'a>(text: *const c_char, len: usize, called: &str) -> Result<&'a str, Failure> {
    // SAFETY: the condition above.
    let bytes = unsafe { bytes(text.cast(), len, called) }?;
    std::str::from_utf8(bytes).map_err(|_| Failure::misuse(called, "is not UTF-8"))
}

/// # Safety
///
/// The pointer is NULL or may be read.
pub unsafe fn op_ref(op: *const syncstore_ref, called: &str) -> Result<Ref, Failure> {
    // SAFETY: the condition above.
    let op = unsafe { op.as_ref() }.ok_or_else(|| Failure::null(called))?;
    Ok(Ref::from_bytes(op.bytes))
}

/// Milliseconds; 0 is the default. What below 0 means is said by whoever may be.
pub fn milliseconds(value: i64, called: &str, default: Duration) -> Result<Duration, Failure> {
    match u64::try_from(value) {
        Ok(0) => Ok(default),
        Ok(value) => Ok(Duration::from_millis(value)),
        Err(_) => Err(Failure::misuse(called, "is below 0")),
    }
}

/// The same, where -1 has a meaning of its own.
pub fn milliseconds_or(value: i64, called: &str, default: Duration, minus_one: Duration) -> Result<Duration, Failure> {
    match value {
        -1 => Ok(minus_one),
        ..-1 => Err(Failure::misuse(called, "is below -1")),
        _ => milliseconds(value, called, default),
    }
}

/// A choice of yes or no.
pub fn flag(value: i32, called: &str) -> Result<bool, Failure> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failure::misuse(called, "is neither 0 nor 1")),
    }
}

/// A text that ends with NUL, for C to look at. A NUL within becomes U+FFFD.
#[derive(Clone, Debug, Default)]
pub struct CText(CString);

impl CText {
    pub fn new(text: &str) -> CText {
        CText(CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default())
    }

    pub fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr()
    }

    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    #[test]
    fn a_value_is_null_only_without_a_length() {
        // SAFETY: NULL is not read, nor is what is longer than memory.
        unsafe {
            assert_eq!(text(ptr::null(), 0, "json").unwrap(), "");
            assert!(text(ptr::null(), 1, "json").is_err());
            assert!(text(c"x".as_ptr(), usize::MAX, "json").is_err());
        }
    }

    #[test]
    fn a_text_for_c_ends_at_its_end() {
        assert_eq!(CText::new("a\0b").0.to_str().unwrap(), "a\u{fffd}b");
    }
}
