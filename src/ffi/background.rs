//! Syncing in the background
//!
//! A store that was started has a thread that syncs by itself: it pushes after a write, brings news as they come, and tries again what fails. Reads and writes
//! never wait for it.

use super::error::syncstore_error;
use super::items::found;
use super::kit::failure::Failure;
use super::kit::input::{milliseconds, milliseconds_or};
use super::kit::output::Plain;
use super::kit::sized::StructSize;
use super::op_ref::syncstore_ref;
use super::outcomes::syncstore_outcome;
use super::status::{SYNCSTORE_OK, syncstore_status};
use super::store::{stopped, syncstore, syncstore_stopped};
use super::sync_status::syncstore_sync_status;
use super::wire::syncstore_wire;
use crate::background::SyncPolicy;
use std::sync::Arc;
use std::time::Duration;

/// How a store syncs in the background; begin with SYNCSTORE_SYNC_POLICY_INIT. Of everything 0 is the default, which suits a desktop application.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_sync_policy {
    /// Set by SYNCSTORE_SYNC_POLICY_INIT.
    pub struct_size: usize,
    /// How long after a write its push begins, so that writes close together go together. Default: 200 ms; -1: at once.
    pub debounce_ms: i64,
    /// The most that writes which go on and on can put a push off. Default: 2 seconds; -1: not at all.
    pub longest_debounce_ms: i64,
    /// How long the server may hold an answer until there is news, in whole seconds. Default: 25 seconds; -1: it is not let wait, but asked every pull_every_ms.
    pub poll_ms: i64,
    /// How often to pull where nothing is held. Default: 30 seconds.
    pub pull_every_ms: i64,
    /// The most that a try is put off after the first failure; it doubles with each further one. Default: 500 ms.
    pub first_wait_ms: i64,
    /// The most that a try is put off by failures alone. Default: 1 minute.
    pub longest_wait_ms: i64,
    /// Unsent operations are tried again after this time at the latest, whatever the last try ended with; a call of the wire that has not come back by then is given up. Default: 15 minutes.
    pub backstop_ms: i64,
    /// How often to look for what other processes did with the file. Default: 1 second.
    pub look_every_ms: i64,
}

// SAFETY: numbers.
unsafe impl Plain for syncstore_sync_policy {}
// SAFETY: it begins with its size, and its last member is as wide as its alignment.
unsafe impl StructSize for syncstore_sync_policy {
    const FIRST_SIZE: usize = size_up_to!(syncstore_sync_policy.look_every_ms);
}

fn read_policy(given: &syncstore_sync_policy) -> Result<SyncPolicy, Failure> {
    let default = SyncPolicy::default();
    let or_zero = |value, called: &str, default| milliseconds_or(value, called, default, Duration::ZERO);
    // Every member by name: one that is added in Rust is missed here.
    Ok(SyncPolicy {
        debounce: or_zero(given.debounce_ms, "policy.debounce_ms", default.debounce)?,
        longest_debounce: or_zero(given.longest_debounce_ms, "policy.longest_debounce_ms", default.longest_debounce)?,
        poll: or_zero(given.poll_ms, "policy.poll_ms", default.poll)?,
        pull_every: milliseconds(given.pull_every_ms, "policy.pull_every_ms", default.pull_every)?,
        first_wait: milliseconds(given.first_wait_ms, "policy.first_wait_ms", default.first_wait)?,
        longest_wait: milliseconds(given.longest_wait_ms, "policy.longest_wait_ms", default.longest_wait)?,
        backstop: milliseconds(given.backstop_ms, "policy.backstop_ms", default.backstop)?,
        look_every: milliseconds(given.look_every_ms, "policy.look_every_ms", default.look_every)?,
    })
}

/// Syncs in the background from now on.
///
/// It has one thread, and makes its requests and asks the resolver on up to three others (eight, where calls do not come back), which hold nothing of the store: a wire of the host's own, and its source of credentials, are
/// called there. syncstore_sync() and its like may be called all the same. It keeps other stores from syncing this file; where one does so already, it
/// takes over when that ends. syncstore_stop(), closing and freeing the store end it.
///
/// wire: leads to the server; it may be freed at once.
/// policy: NULL is the default.
/// Errors: SYNCSTORE_ALREADY_STARTED, also while one that was told to stop has not ended; SYNCSTORE_STORAGE when the system gives it no thread. What fails later shows
/// in the status.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_start(
    store: *mut syncstore,
    wire: *const syncstore_wire,
    policy: *const syncstore_sync_policy,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |store| {
        let (wire, policy) = (other!(wire), read_policy(&options!(policy))?);
        store.store()?.start(Arc::clone(&wire.wire), policy)?;
        Ok(SYNCSTORE_OK)
    })
}

/// Ends the background sync: cuts off its requests, and waits for its thread up to a deadline. Nothing is lost. Where nothing runs, it answers
/// SYNCSTORE_STOPPED_ENTIRELY. It also ends every syncstore_wait() that is under way.
///
/// The thread ends within milliseconds, whatever server and network do; only a long transaction takes its time. Within a callback on the thread of the background sync
/// itself it is SYNCSTORE_STOPPED_SOON.
///
/// deadline_ms: how long to wait; 0: not at all.
/// how: takes what became of it; may be NULL.
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_stop(
    store: *mut syncstore,
    deadline_ms: i64,
    how: *mut syncstore_stopped,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional how], |store| {
        let deadline = milliseconds(deadline_ms, "deadline_ms", Duration::ZERO)?;
        how.put(stopped(store.store()?.stop(deadline)))
    })
}

/// Makes no more requests until syncstore_resume(), cuts off those under way, and lets other stores sync the file. Does not wait.
///
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pause(store: *mut syncstore, error: *mut *mut syncstore_error) -> syncstore_status {
    call!(error, [], |store| {
        store.store()?.pause();
        Ok(SYNCSTORE_OK)
    })
}

/// Goes on after syncstore_pause(), with a sync at once. Does not wait.
///
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_resume(store: *mut syncstore, error: *mut *mut syncstore_error) -> syncstore_status {
    call!(error, [], |store| {
        store.store()?.resume();
        Ok(SYNCSTORE_OK)
    })
}

/// Syncs at once in the background, whatever it waits for, but for syncstore_resume(): the network is back, the user pulled the list. Does not wait.
///
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sync_now(
    store: *mut syncstore,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |store| {
        store.store()?.sync_now();
        Ok(SYNCSTORE_OK)
    })
}

/// Goes on where the credential was refused: the host has another one now, for which its callback is asked. Does not wait.
///
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_credential_changed(
    store: *mut syncstore,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |store| {
        store.store()?.credential_changed();
        Ok(SYNCSTORE_OK)
    })
}

/// What the background sync is at, and when it goes on. Never waits.
///
/// status: takes it; free it with syncstore_sync_status_free().
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sync_status_of(
    store: *mut syncstore,
    status: *mut *mut syncstore_sync_status,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required status], |store| status.give(syncstore_sync_status::new(&store.store()?.status())))
}

/// Frees a status. NULL is ignored.
///
/// Thread: any; no other may be using this status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sync_status_free(status: *mut syncstore_sync_status) {
    free!(status)
}

/// Waits until an operation is settled, for at most so long; what became of it, or where it stands when the time is over. Follows one that was folded into another,
/// or made again as another. It syncs nothing by itself. It holds no lock, so any number of threads may wait; a callback of something that syncs should not.
/// syncstore_stop() and closing the store end it, as if its time were over.
///
/// op: the operation.
/// at_most_ms: how long; 0: not at all, -1: without an end.
/// outcome: takes it; free it with syncstore_outcome_free().
/// Answers SYNCSTORE_NOT_FOUND where this replica does not know the operation, or no longer.
/// Errors: SYNCSTORE_WITHIN_SYNC in a callback of a sync of the same store, on that sync's thread; when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wait(
    store: *mut syncstore,
    op: *const syncstore_ref,
    at_most_ms: i64,
    outcome: *mut *mut syncstore_outcome,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required outcome], |store| {
        let at_most = milliseconds_or(at_most_ms, "at_most_ms", Duration::ZERO, Duration::MAX)?;
        let op = op_ref!(op);
        found(store.store()?.wait(op, at_most)?, |known| outcome.give(syncstore_outcome::new(&known)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_member_by_member() {
        // SAFETY: zero is a value of a `Plain`.
        let zero: syncstore_sync_policy = unsafe { std::mem::zeroed() };
        assert_eq!(read_policy(&zero).unwrap(), SyncPolicy::default());
        let given = syncstore_sync_policy {
            struct_size: size_of::<syncstore_sync_policy>(),
            debounce_ms: -1,
            longest_debounce_ms: 2,
            poll_ms: -1,
            pull_every_ms: 4,
            first_wait_ms: 5,
            longest_wait_ms: 6,
            backstop_ms: 7,
            look_every_ms: 8,
        };
        let policy = read_policy(&given).unwrap();
        let times = [policy.debounce, policy.longest_debounce, policy.poll, policy.pull_every];
        assert_eq!(times.map(|time| time.as_millis()), [0, 2, 0, 4]);
        let times = [policy.first_wait, policy.longest_wait, policy.backstop, policy.look_every];
        assert_eq!(times.map(|time| time.as_millis()), [5, 6, 7, 8]);
        assert!(read_policy(&syncstore_sync_policy { backstop_ms: -1, ..zero }).is_err());
    }
}
