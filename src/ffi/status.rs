//! Status
//!
//! What every call that can fail answers. The numbers are fixed for good, and none is ever used again for something else; a later
//! version may answer with others: treat one below 0 that you do not know as an error. "May be tried again" is what
//! syncstore_error_retryable() says.

use crate::error::Error;
use crate::wire::WireError;
use std::ffi::{CStr, c_char};

/// 0: done. Above 0: another answer that is no error. Below 0: an error.
pub type syncstore_status = i32;

/// Done.
pub const SYNCSTORE_OK: syncstore_status = 0;
/// No error: there is no such item, or nothing is known of such an operation.
pub const SYNCSTORE_NOT_FOUND: syncstore_status = 1;
/// No error: there is nothing to pump.
pub const SYNCSTORE_NOTHING_TO_PUMP: syncstore_status = 140;

/// No error: the item is as an earlier read had it.
pub const SYNCSTORE_UNCHANGED: syncstore_status = 170;

/// The call breaks a rule of this header: NULL where it may not be, bad UTF-8, a struct_size or a constant that is none.
pub const SYNCSTORE_MISUSE: syncstore_status = -1;
/// The store was closed.
pub const SYNCSTORE_CLOSED: syncstore_status = -2;
/// The library panicked within this call: a bug. The handle is poisoned.
pub const SYNCSTORE_PANIC: syncstore_status = -3;
/// An earlier call on this handle, or on its store, panicked. Free it.
pub const SYNCSTORE_POISONED: syncstore_status = -4;

/// The file is none of SyncStore's; it was left untouched.
pub const SYNCSTORE_NOT_A_REPLICA: syncstore_status = -10;
/// A newer version wrote the file; it was left untouched.
pub const SYNCSTORE_NEWER_SCHEMA: syncstore_status = -11;
/// The file is damaged. Keep a copy of it, and of its -wal file, before anything else.
pub const SYNCSTORE_CORRUPT: syncstore_status = -12;
/// The disk is full.
pub const SYNCSTORE_DISK_FULL: syncstore_status = -13;
/// Another process kept the file locked for longer than busy_timeout_ms. May be tried again.
pub const SYNCSTORE_BUSY: syncstore_status = -14;
/// SQLite or the file system failed in another way.
pub const SYNCSTORE_STORAGE: syncstore_status = -15;
/// The file has reached its largest size, and takes no more from a server.
pub const SYNCSTORE_TOO_LARGE: syncstore_status = -16;

/// Another store is syncing the same file. May be tried again.
pub const SYNCSTORE_SYNCED_ELSEWHERE: syncstore_status = -20;
/// Cancelled, or the store was stopped or closed meanwhile.
pub const SYNCSTORE_CANCELLED: syncstore_status = -21;
/// The background sync runs already.
pub const SYNCSTORE_ALREADY_STARTED: syncstore_status = -22;
/// The replica is not what the server's log makes.
pub const SYNCSTORE_DIVERGED: syncstore_status = -23;
/// The wire leads to another database than the file's.
pub const SYNCSTORE_WRONG_DATABASE: syncstore_status = -24;
/// A callback of a sync would wait for that sync.
pub const SYNCSTORE_WITHIN_SYNC: syncstore_status = -25;

/// A name, a value or a batch exceeds a limit.
pub const SYNCSTORE_LIMIT: syncstore_status = -30;
/// A value is not JSON, or not of the shape that was asked for.
pub const SYNCSTORE_JSON: syncstore_status = -31;
/// There is no item to do this to.
pub const SYNCSTORE_NO_ITEM: syncstore_status = -32;
/// The patch does not apply to the item.
pub const SYNCSTORE_PATCH_FAILED: syncstore_status = -33;
/// The replica does not keep this item.
pub const SYNCSTORE_NOT_KEPT: syncstore_status = -34;
/// Others kept changing the item. May be tried again.
pub const SYNCSTORE_CONTENDED: syncstore_status = -35;
/// The operation is no rejected one that waits to be dealt with.
pub const SYNCSTORE_NOT_REJECTED: syncstore_status = -36;
/// The edit is of another part of the item than the operation.
pub const SYNCSTORE_EDIT_OF_ANOTHER_PART: syncstore_status = -37;
/// The conflict is not as it was listed.
pub const SYNCSTORE_CONFLICT_MOVED: syncstore_status = -38;

/// The token is not of a query of this kind.
pub const SYNCSTORE_RESUME_TOKEN: syncstore_status = -50;
/// An SQL statement cannot be run, or hit a limit.
pub const SYNCSTORE_SQL: syncstore_status = -51;
/// An automatic index cannot be declared, built or read.
pub const SYNCSTORE_INDEX: syncstore_status = -52;
/// A full-text search cannot be declared or run.
pub const SYNCSTORE_SEARCH: syncstore_status = -53;

/// The server cannot be reached. May be tried again.
pub const SYNCSTORE_UNREACHABLE: syncstore_status = -60;
/// No answer within a time-out. May be tried again.
pub const SYNCSTORE_TIMED_OUT: syncstore_status = -61;
/// The server cannot take the request now. May be tried again.
pub const SYNCSTORE_UNAVAILABLE: syncstore_status = -62;
/// The server does not accept the credential.
pub const SYNCSTORE_UNAUTHENTICATED: syncstore_status = -63;
/// The server forbids the request.
pub const SYNCSTORE_FORBIDDEN: syncstore_status = -64;
/// The server no longer reads from the replica's cursor.
pub const SYNCSTORE_CURSOR_EXPIRED: syncstore_status = -65;
/// The checkpoint is gone on the server.
pub const SYNCSTORE_CHECKPOINT_EXPIRED: syncstore_status = -66;
/// The server refused the request as a whole.
pub const SYNCSTORE_REFUSED: syncstore_status = -67;
/// The server's answer breaks the protocol. May be tried again.
pub const SYNCSTORE_PROTOCOL: syncstore_status = -68;
/// The host's own wire or source of credentials failed in a way that is none.
pub const SYNCSTORE_WIRE_PANICKED: syncstore_status = -69;
/// The wire is set up wrongly.
pub const SYNCSTORE_SETUP: syncstore_status = -70;

/// The item on the server is not as the write asks; syncstore_error_rev() has its rev. Nothing was changed.
pub const SYNCSTORE_PRECONDITION_FAILED: syncstore_status = -170;
/// The server refused the write for good; syncstore_error_rejection() says why. Nothing was changed.
pub const SYNCSTORE_REJECTED: syncstore_status = -171;
/// Whether the write was done is not known; syncstore_error_cause() says what happened. The same write with the same ref is done at most once.
pub const SYNCSTORE_UNCONFIRMED: syncstore_status = -172;
/// The operating system gave no file descriptor, or has none of the kind.
pub const SYNCSTORE_NO_DESCRIPTOR: syncstore_status = -140;

/// Each status with its name.
const NAMES: &[(syncstore_status, &CStr)] = &[
    (SYNCSTORE_OK, c"SYNCSTORE_OK"),
    (SYNCSTORE_NOT_FOUND, c"SYNCSTORE_NOT_FOUND"),
    (SYNCSTORE_NOTHING_TO_PUMP, c"SYNCSTORE_NOTHING_TO_PUMP"),
    (SYNCSTORE_NO_DESCRIPTOR, c"SYNCSTORE_NO_DESCRIPTOR"),
    (SYNCSTORE_MISUSE, c"SYNCSTORE_MISUSE"),
    (SYNCSTORE_CLOSED, c"SYNCSTORE_CLOSED"),
    (SYNCSTORE_PANIC, c"SYNCSTORE_PANIC"),
    (SYNCSTORE_POISONED, c"SYNCSTORE_POISONED"),
    (SYNCSTORE_NOT_A_REPLICA, c"SYNCSTORE_NOT_A_REPLICA"),
    (SYNCSTORE_NEWER_SCHEMA, c"SYNCSTORE_NEWER_SCHEMA"),
    (SYNCSTORE_CORRUPT, c"SYNCSTORE_CORRUPT"),
    (SYNCSTORE_DISK_FULL, c"SYNCSTORE_DISK_FULL"),
    (SYNCSTORE_BUSY, c"SYNCSTORE_BUSY"),
    (SYNCSTORE_STORAGE, c"SYNCSTORE_STORAGE"),
    (SYNCSTORE_TOO_LARGE, c"SYNCSTORE_TOO_LARGE"),
    (SYNCSTORE_SYNCED_ELSEWHERE, c"SYNCSTORE_SYNCED_ELSEWHERE"),
    (SYNCSTORE_CANCELLED, c"SYNCSTORE_CANCELLED"),
    (SYNCSTORE_ALREADY_STARTED, c"SYNCSTORE_ALREADY_STARTED"),
    (SYNCSTORE_DIVERGED, c"SYNCSTORE_DIVERGED"),
    (SYNCSTORE_WRONG_DATABASE, c"SYNCSTORE_WRONG_DATABASE"),
    (SYNCSTORE_WITHIN_SYNC, c"SYNCSTORE_WITHIN_SYNC"),
    (SYNCSTORE_LIMIT, c"SYNCSTORE_LIMIT"),
    (SYNCSTORE_JSON, c"SYNCSTORE_JSON"),
    (SYNCSTORE_NO_ITEM, c"SYNCSTORE_NO_ITEM"),
    (SYNCSTORE_PATCH_FAILED, c"SYNCSTORE_PATCH_FAILED"),
    (SYNCSTORE_NOT_KEPT, c"SYNCSTORE_NOT_KEPT"),
    (SYNCSTORE_CONTENDED, c"SYNCSTORE_CONTENDED"),
    (SYNCSTORE_NOT_REJECTED, c"SYNCSTORE_NOT_REJECTED"),
    (SYNCSTORE_EDIT_OF_ANOTHER_PART, c"SYNCSTORE_EDIT_OF_ANOTHER_PART"),
    (SYNCSTORE_CONFLICT_MOVED, c"SYNCSTORE_CONFLICT_MOVED"),
    (SYNCSTORE_RESUME_TOKEN, c"SYNCSTORE_RESUME_TOKEN"),
    (SYNCSTORE_SQL, c"SYNCSTORE_SQL"),
    (SYNCSTORE_INDEX, c"SYNCSTORE_INDEX"),
    (SYNCSTORE_SEARCH, c"SYNCSTORE_SEARCH"),
    (SYNCSTORE_UNREACHABLE, c"SYNCSTORE_UNREACHABLE"),
    (SYNCSTORE_TIMED_OUT, c"SYNCSTORE_TIMED_OUT"),
    (SYNCSTORE_UNAVAILABLE, c"SYNCSTORE_UNAVAILABLE"),
    (SYNCSTORE_UNAUTHENTICATED, c"SYNCSTORE_UNAUTHENTICATED"),
    (SYNCSTORE_FORBIDDEN, c"SYNCSTORE_FORBIDDEN"),
    (SYNCSTORE_CURSOR_EXPIRED, c"SYNCSTORE_CURSOR_EXPIRED"),
    (SYNCSTORE_CHECKPOINT_EXPIRED, c"SYNCSTORE_CHECKPOINT_EXPIRED"),
    (SYNCSTORE_REFUSED, c"SYNCSTORE_REFUSED"),
    (SYNCSTORE_PROTOCOL, c"SYNCSTORE_PROTOCOL"),
    (SYNCSTORE_WIRE_PANICKED, c"SYNCSTORE_WIRE_PANICKED"),
    (SYNCSTORE_SETUP, c"SYNCSTORE_SETUP"),
    (SYNCSTORE_UNCHANGED, c"SYNCSTORE_UNCHANGED"),
    (SYNCSTORE_PRECONDITION_FAILED, c"SYNCSTORE_PRECONDITION_FAILED"),
    (SYNCSTORE_REJECTED, c"SYNCSTORE_REJECTED"),
    (SYNCSTORE_UNCONFIRMED, c"SYNCSTORE_UNCONFIRMED"),
];

/// The name of a status as this header spells it, such as "SYNCSTORE_BUSY"; of a number that is none, "SYNCSTORE_UNKNOWN".
/// The text stays for good.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn syncstore_status_name(status: syncstore_status) -> *const c_char {
    NAMES.iter().find(|(named, _)| *named == status).map_or(c"SYNCSTORE_UNKNOWN", |(_, name)| name).as_ptr()
}

/// The status of an error of the store.
pub fn of_error(error: &Error) -> syncstore_status {
    match error {
        Error::NotAReplica { .. } => SYNCSTORE_NOT_A_REPLICA,
        Error::NewerSchema { .. } => SYNCSTORE_NEWER_SCHEMA,
        Error::Corrupt(_) => SYNCSTORE_CORRUPT,
        Error::DiskFull => SYNCSTORE_DISK_FULL,
        Error::Busy => SYNCSTORE_BUSY,
        Error::SyncedElsewhere => SYNCSTORE_SYNCED_ELSEWHERE,
        Error::Cancelled => SYNCSTORE_CANCELLED,
        Error::WithinSync => SYNCSTORE_WITHIN_SYNC,
        Error::AlreadyStarted => SYNCSTORE_ALREADY_STARTED,
        Error::TooLarge { .. } => SYNCSTORE_TOO_LARGE,
        Error::Storage(_) => SYNCSTORE_STORAGE,
        Error::Limit(_) => SYNCSTORE_LIMIT,
        Error::Json(_) => SYNCSTORE_JSON,
        Error::NotFound { .. } => SYNCSTORE_NO_ITEM,
        Error::PatchFailed { .. } => SYNCSTORE_PATCH_FAILED,
        Error::NotKept { .. } => SYNCSTORE_NOT_KEPT,
        Error::Contended { .. } => SYNCSTORE_CONTENDED,
        Error::NotRejected { .. } => SYNCSTORE_NOT_REJECTED,
        Error::EditOfAnotherPart { .. } => SYNCSTORE_EDIT_OF_ANOTHER_PART,
        Error::ConflictMoved { .. } => SYNCSTORE_CONFLICT_MOVED,
        Error::ResumeToken => SYNCSTORE_RESUME_TOKEN,
        Error::Diverged(_) => SYNCSTORE_DIVERGED,
        Error::WrongDatabase { .. } => SYNCSTORE_WRONG_DATABASE,
        Error::Sql(_) => SYNCSTORE_SQL,
        Error::Index(_) => SYNCSTORE_INDEX,
        Error::Search(_) => SYNCSTORE_SEARCH,
        Error::Wire(error) => of_wire_error(error),
    }
}

pub fn of_wire_error(error: &WireError) -> syncstore_status {
    match error {
        WireError::Unreachable(_) => SYNCSTORE_UNREACHABLE,
        WireError::TimedOut(_) => SYNCSTORE_TIMED_OUT,
        WireError::Unavailable { .. } => SYNCSTORE_UNAVAILABLE,
        WireError::Unauthenticated(_) => SYNCSTORE_UNAUTHENTICATED,
        WireError::Forbidden(_) => SYNCSTORE_FORBIDDEN,
        WireError::CursorExpired(_) => SYNCSTORE_CURSOR_EXPIRED,
        WireError::CheckpointExpired => SYNCSTORE_CHECKPOINT_EXPIRED,
        WireError::Refused { .. } => SYNCSTORE_REFUSED,
        WireError::Protocol(_) => SYNCSTORE_PROTOCOL,
        WireError::Cancelled => SYNCSTORE_CANCELLED,
        WireError::Panicked => SYNCSTORE_WIRE_PANICKED,
        WireError::Setup(_) => SYNCSTORE_SETUP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_status_has_a_number_and_a_name_of_its_own() {
        let declared =
            include_str!("status.rs").lines().filter(|line| line.starts_with("pub const SYNCSTORE_")).count();
        let numbers: HashSet<_> = NAMES.iter().map(|(number, _)| number).collect();
        let names: HashSet<_> = NAMES.iter().map(|(_, name)| name).collect();
        assert_eq!((numbers.len(), names.len(), NAMES.len()), (declared, declared, declared));
    }
}
