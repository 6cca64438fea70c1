//! What C programs hand to queries, listings, searches, walks and SQL: the calls of tests/c/hostile.c, as the input says.
#![no_main]

// The functions that the C code calls.
use syncstore as _;

use std::ffi::{CString, c_char};
use std::sync::OnceLock;
use tempfile::TempDir;

unsafe extern "C" {
    fn query_arguments_of(path: *const c_char);
    fn query_arguments(input: *const u8, len: usize);
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static ROOM: OnceLock<TempDir> = OnceLock::new();
    ROOM.get_or_init(|| {
        let room = tempfile::tempdir().expect("a directory for a run");
        let path = room.path().join("hostile.db").into_os_string().into_encoded_bytes();
        let path = CString::new(path).expect("a path has no NUL");
        // SAFETY: the path ends with NUL. It is read within the call.
        unsafe { query_arguments_of(path.as_ptr()) };
        room
    });
    // SAFETY: so many bytes, which are read within the call. libFuzzer runs one input at a time, and what the C code keeps is of one thread.
    unsafe { query_arguments(data.as_ptr(), data.len()) };
});
