//! Syncing on the calling thread
//!
//! Each call speaks with the server until it is done. Reads and writes of other threads go on meanwhile. A second call on a store waits for the first; another store
//! on the same file is told SYNCSTORE_SYNCED_ELSEWHERE. Whatever a call fails with, what it did stands, what it did not do stays queued, and calling
//! again goes on from there.

use super::cancel::syncstore_cancel;
use super::error::syncstore_error;
use super::items::found;
use super::kit::call::Answer;
use super::kit::failure::Failure;
use super::kit::output::Out;
use super::report::syncstore_report;
use super::status::syncstore_status;
use super::store::syncstore;
use super::wire::syncstore_wire;
use crate::cancel::Cancel;
use crate::sync::{Direction, Progress};
use std::ffi::c_void;
use std::sync::Arc;

/// Tells how far the loading of a checkpoint has come, after each of its pages.
///
/// user_data: what was given with it.
/// loaded: items loaded so far. total: items there were when the checkpoint was made.
///
/// It is called within the call that it was given to, on its thread. It may do anything but sync the same store, which would wait for itself.
pub type syncstore_progress_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, loaded: u64, total: u64)>;

/// One sync of a store, until its own cancelling or the store's end.
fn run(
    store: &syncstore,
    wire: &syncstore_wire,
    direction: Direction,
    asked: Option<Arc<syncstore_cancel>>,
    progress: &mut dyn FnMut(Progress),
    report: Out<*mut syncstore_report>,
) -> Answer {
    let held = store.store()?;
    let ended = match asked {
        None => held.run(&*wire.ending_with(&store.closing), direction, Some(&store.closing), progress),
        Some(asked) => {
            let either = Cancel::new();
            let (one, other) = (either.clone(), either.clone());
            let _hooks =
                (asked.cancel.on_cancel(move || one.cancel()), store.closing.on_cancel(move || other.cancel()));
            let line = wire.wire.cancellable(&either);
            held.run(line.as_deref().unwrap_or(&*wire.wire), direction, Some(&either), progress)
        }
    };
    match ended {
        Ok(done) => report.offer(syncstore_report::new(done)),
        Err(error) => {
            let done = error.report().clone();
            Err(Failure::from(error.into_error()).with_report(done))
        }
    }
}

/// The host's callback, as a closure.
///
/// # Safety
///
/// The callback may be called with its `user_data` on this thread.
unsafe fn telling(callback: syncstore_progress_callback, user_data: *mut c_void) -> impl FnMut(Progress) {
    move |progress| {
        if let Some(callback) = callback {
            // SAFETY: the condition above.
            unsafe { callback(user_data, progress.loaded, progress.total) };
        }
    }
}

/// Pushes everything that was queued when the call began, and pulls to the end of the server's log. Waits for the network.
///
/// A new replica, and one whose place in the log is gone, is loaded from a checkpoint; what is queued stays queued through that.
///
/// wire: leads to the server.
/// cancel: ends the call from another thread; NULL: only closing the store does. A wire with it opens connections of its own.
/// progress, user_data: told how far the loading of a checkpoint has come, during this call alone; progress may be NULL.
/// report: takes what it did, to be freed with syncstore_report_free(); may be NULL. Of a call that fails syncstore_error_report() has it.
/// Errors: SYNCSTORE_SYNCED_ELSEWHERE, SYNCSTORE_CANCELLED, SYNCSTORE_WRONG_DATABASE, SYNCSTORE_DIVERGED, SYNCSTORE_TOO_LARGE; SYNCSTORE_WITHIN_SYNC in a callback of a sync of the same
/// store, on that sync's thread; those of the wire, SYNCSTORE_UNREACHABLE to SYNCSTORE_SETUP, after the tries that the store's options allow; those of the file.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sync(
    store: *mut syncstore,
    wire: *const syncstore_wire,
    cancel: *const syncstore_cancel,
    progress: syncstore_progress_callback,
    user_data: *mut c_void,
    report: *mut *mut syncstore_report,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional report], |store| {
        let (wire, cancel) = (other!(wire), maybe_other!(cancel));
        // SAFETY: by the conventions of the header a callback may be called during this call.
        run(store, &wire, Direction::Both, cancel, &mut unsafe { telling(progress, user_data) }, report)
    })
}

/// Pushes everything that was queued when the call began, each operation once. Waits for the network.
///
/// Operations stay in the outbox until a pull has reached their place in the log; syncstore_outcome_of() tells what the server said. The first call of any kind on an open
/// store asks the server what it takes, before it pushes: of a wire of the host's own that is info, also where there is nothing to push.
///
/// wire, cancel, report, errors: as with syncstore_sync().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_push(
    store: *mut syncstore,
    wire: *const syncstore_wire,
    cancel: *const syncstore_cancel,
    report: *mut *mut syncstore_report,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional report], |store| {
        let (wire, cancel) = (other!(wire), maybe_other!(cancel));
        run(store, &wire, Direction::Push, cancel, &mut |_| {}, report)
    })
}

/// Pulls to the end of the server's log; a new replica, and one whose place in the log is gone, is loaded from a checkpoint, which pushes the
/// outbox too. Waits for the network.
///
/// wire, cancel, progress, user_data, report, errors: as with syncstore_sync().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pull(
    store: *mut syncstore,
    wire: *const syncstore_wire,
    cancel: *const syncstore_cancel,
    progress: syncstore_progress_callback,
    user_data: *mut c_void,
    report: *mut *mut syncstore_report,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional report], |store| {
        let (wire, cancel) = (other!(wire), maybe_other!(cancel));
        // SAFETY: by the conventions of the header a callback may be called during this call.
        run(store, &wire, Direction::Pull, cancel, &mut unsafe { telling(progress, user_data) }, report)
    })
}

/// Where the replica stands in the server's log: every entry at or below it is in what it reads; 0: nothing was read yet.
///
/// seq: takes the place.
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_position(
    store: *mut syncstore,
    seq: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required seq], |store| seq.put(store.store()?.position()?))
}

/// How far the loading of a checkpoint has come that is on its way or was interrupted.
///
/// loaded: takes how many items are loaded; may be NULL.
/// total: takes how many there were when the checkpoint was made; may be NULL.
/// Answers SYNCSTORE_NOT_FOUND where none is on its way.
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_bootstrap_progress(
    store: *mut syncstore,
    loaded: *mut u64,
    total: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional loaded, optional total], |store| {
        found(store.store()?.bootstrap_progress()?, |progress| {
            loaded.put(progress.loaded)?;
            total.put(progress.total)
        })
    })
}
