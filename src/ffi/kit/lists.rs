//! Lists and bytes that C gives, and bytes that it may look at.

use super::failure::Failure;
use super::input::name;
use super::output::Out;
use std::ffi::{c_char, c_void};
use std::ptr;

/// Names within `call!`: so many, none of them NULL.
macro_rules! names {
    ($names:ident, $count:ident) => {
        // SAFETY: by the conventions of the header a list is NULL or has so many names, each of which is NULL or ends with NUL.
        unsafe { $crate::ffi::kit::lists::names($names, $count, stringify!($names)) }?
    };
}

/// Bytes within `call!`; NULL with length 0 is none.
macro_rules! bytes {
    ($bytes:ident, $len:ident) => {
        // SAFETY: by the conventions of the header a value is NULL or has so many bytes.
        unsafe { $crate::ffi::kit::lists::bytes($bytes, $len, stringify!($bytes)) }?
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

/// The most that a list may have: more is a length that was not set.
pub const MOST: usize = 1 << 20;

/// # Safety
///
/// The pointer is NULL, or leads to `count` pointers, each of which is NULL or leads to a text that ends with NUL; all stay as they
/// are while the result is used.
pub unsafe fn names<'a>(names: *const *const c_char, count: usize, called: &str) -> Result<Vec<&'a str>, Failure> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if names.is_null() {
        return Err(Failure::misuse(called, "is NULL, and its count is not 0"));
    }
    if count > MOST {
        return Err(Failure::misuse(called, "has more than any list may have"));
    }
    // SAFETY: the condition above.
    let given = unsafe { std::slice::from_raw_parts(names, count) };
    let one = |text: &*const c_char| {
        // SAFETY: likewise.
        let text = unsafe { name(*text, called) }?;
        text.ok_or_else(|| Failure::misuse(called, "has a NULL in it"))
    };
    given.iter().map(one).collect()
}

/// # Safety
///
/// The pointer is NULL, or leads to `len` bytes that stay as they are while the result is used.
pub unsafe fn bytes<'a>(bytes: *const c_void, len: usize, called: &str) -> Result<&'a [u8], Failure> {
    if bytes.is_null() {
        return if len == 0 { Ok(&[]) } else { Err(Failure::misuse(called, "is NULL, and its length is not 0")) };
    }
    if len > isize::MAX as usize {
        return Err(Failure::misuse(called, "is longer than memory"));
    }
    // SAFETY: the conditions above.
    Ok(unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), len) })
}

/// What a handle holds, for C to look at.
pub fn lent(text: Option<&str>, len: Out<usize>) -> *const c_char {
    let Some(text) = text else { return ptr::null() };
    match len.put(text.len()) {
        Ok(_) => text.as_ptr().cast(),
        Err(_) => ptr::null(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_null_only_when_it_is_empty_and_has_no_null_in_it() {
        let list = [c"a".as_ptr(), ptr::null()];
        // SAFETY: the list has two places; NULL is not read, nor is a list that is too long.
        unsafe {
            assert_eq!(names(list.as_ptr(), 1, "names").unwrap(), ["a"]);
            assert!(names(list.as_ptr(), 2, "names").is_err());
            assert!(names(ptr::null(), 0, "names").unwrap().is_empty());
            assert!(names(ptr::null(), 1, "names").is_err());
            assert!(names(list.as_ptr(), usize::MAX, "names").is_err());
            assert!(bytes(ptr::null(), 1, "bytes").is_err() && bytes(ptr::null(), 0, "bytes").unwrap().is_empty());
        }
    }
}
