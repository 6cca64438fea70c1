//! Names that C need not give, and bytes that it may look at.

use super::output::Out;
use std::ffi::c_char;
use std::ptr;

/// A name within `call!` that may be NULL.
macro_rules! optional_name {
    ($name:ident) => {
        // SAFETY: by the conventions of the header a name is NULL or ends with NUL.
        unsafe { $crate::ffi::kit::input::name($name, stringify!($name)) }?
    };
}

/// The getter of a text within a handle, with its length: NULL where there is none.
macro_rules! read_bytes {
    ($handle:ident, $len:ident, |$inner:ident| $body:expr) => {{
        // SAFETY: by the conventions of the header an output is NULL or may be written to.
        let length = unsafe { $crate::ffi::kit::output::optional($len, stringify!($len)) };
        read!($handle, std::ptr::null(), |$inner| {
            let found = $body;
            Some($crate::ffi::kit::lists::lent(found, length))
        })
    }};
}

/// What a handle holds, for C to look at.
pub fn lent(text: Option<&str>, len: Out<usize>) -> *const c_char {
    let Some(text) = text else { return ptr::null() };
    match len.put(text.len()) {
        Ok(_) => text.as_ptr().cast(),
        Err(_) => ptr::null(),
    }
}
