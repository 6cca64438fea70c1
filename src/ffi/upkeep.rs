//! Checking and compacting

use super::error::syncstore_error;
use super::status::syncstore_status;
use super::store::syncstore;
use super::text::syncstore_text;

/// Checks that the replica is what it should be, and counts what it holds; nothing is changed or repaired. It reads the whole file, at one
/// consistent moment; reads, writes and syncs go on meanwhile.
///
/// is_ok: takes 1 where nothing is wrong, else 0; may be NULL.
/// report: takes what was found and counted, one line of JSON ("ok", "findings", "items", "pending", "file_bytes", "free_bytes" and others; a later
/// version may have more): for people and logs, without any value. Free it with syncstore_text_free().
/// Errors: what is wrong with the replica is none; SYNCSTORE_STORAGE and SYNCSTORE_BUSY when the disk does not give it.
///
/// Thread: any; it waits for the disk.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_check(
    store: *mut syncstore,
    is_ok: *mut i32,
    report: *mut syncstore_text,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional is_ok, required report], |store| {
        let checked = store.store()?.check()?;
        is_ok.put(checked.is_ok().into())?;
        report.put(syncstore_text::new(&checked.to_json()))
    })
}

/// Writes the file anew without its free space, and gives that back to the file system. It copies the whole file: reads go on, writes wait
/// meanwhile. It needs free disk space for two copies of what the file holds. Interrupted at any point it leaves the file as it was or
/// compacted.
///
/// bytes_before, bytes_after: take the size of the file and its log before and after, in bytes; may be NULL.
/// Errors: SYNCSTORE_DISK_FULL; SYNCSTORE_BUSY when another process writes, or any store reads, for longer than busy_timeout_ms. Whatever
/// the error, nothing is lost.
///
/// Thread: any; it waits for the disk.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_compact(
    store: *mut syncstore,
    bytes_before: *mut u64,
    bytes_after: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional bytes_before, optional bytes_after], |store| {
        let report = store.store()?.compact()?;
        bytes_before.put(report.bytes_before)?;
        bytes_after.put(report.bytes_after)
    })
}
