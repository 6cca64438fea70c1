//! The library

use super::kit::handle;
use std::ffi::c_char;

/// The version of the library, such as "1.2.3". The text stays for good.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn syncstore_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// How many handles, errors and texts of this library the process holds: those that it was given and has not freed. For a test's
/// end, where it should be 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn syncstore_live_handles() -> usize {
    handle::live()
}
