//! What a background sync is at

use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use crate::background::{SyncState, SyncStatus};
use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

/// What a background sync is at. A later version may know others.
pub type syncstore_sync_state = i32;

/// It does not run: never started, or stopped.
pub const SYNCSTORE_SYNC_STOPPED: syncstore_sync_state = 1;
/// All is well: what was written went, or goes in a moment, and news is waited for.
pub const SYNCSTORE_SYNC_IDLE: syncstore_sync_state = 2;
/// Operations are on their way to the server.
pub const SYNCSTORE_SYNC_PUSHING: syncstore_sync_state = 3;
/// The server's log is read.
pub const SYNCSTORE_SYNC_PULLING: syncstore_sync_state = 4;
/// A checkpoint is loaded; the status has how far that has come.
pub const SYNCSTORE_SYNC_BOOTSTRAPPING: syncstore_sync_state = 5;
/// The server could not be reached, or could not take the request; it is tried again.
pub const SYNCSTORE_SYNC_OFFLINE: syncstore_sync_state = 6;
/// Another store, perhaps of another process, syncs this file; what it brings shows here too. Taking over is tried again and again.
pub const SYNCSTORE_SYNC_ELSEWHERE: syncstore_sync_state = 7;
/// Paused by the program, until it resumes.
pub const SYNCSTORE_SYNC_PAUSED: syncstore_sync_state = 8;
/// The server refused the credential, a fresh one too. A changed credential goes on.
pub const SYNCSTORE_SYNC_NEEDS_CREDENTIAL: syncstore_sync_state = 9;
/// An error that does not pass by itself; the status says which.
pub const SYNCSTORE_SYNC_FAILED: syncstore_sync_state = 10;

/// What a background sync is at, as of the moment at which it was asked.
pub struct syncstore_sync_status {
    life: Life,
    state: syncstore_sync_state,
    loaded: (u64, u64),
    next_try: Option<Duration>,
    error: Option<CText>,
}

impl Handle for syncstore_sync_status {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl syncstore_sync_status {
    pub(super) fn new(status: &SyncStatus) -> syncstore_sync_status {
        let (state, loaded) = match status.state {
            SyncState::Stopped => (SYNCSTORE_SYNC_STOPPED, (0, 0)),
            SyncState::Idle => (SYNCSTORE_SYNC_IDLE, (0, 0)),
            SyncState::Pushing => (SYNCSTORE_SYNC_PUSHING, (0, 0)),
            SyncState::Pulling => (SYNCSTORE_SYNC_PULLING, (0, 0)),
            SyncState::Bootstrapping { loaded, total } => (SYNCSTORE_SYNC_BOOTSTRAPPING, (loaded, total)),
            SyncState::Offline => (SYNCSTORE_SYNC_OFFLINE, (0, 0)),
            SyncState::SyncedElsewhere => (SYNCSTORE_SYNC_ELSEWHERE, (0, 0)),
            SyncState::Paused => (SYNCSTORE_SYNC_PAUSED, (0, 0)),
            SyncState::NeedsCredential => (SYNCSTORE_SYNC_NEEDS_CREDENTIAL, (0, 0)),
            SyncState::Failed => (SYNCSTORE_SYNC_FAILED, (0, 0)),
        };
        let error = status.error.as_deref().map(CText::new);
        syncstore_sync_status { life: Life::new(), state, loaded, next_try: status.next_try, error }
    }
}

/// Which of the constants it is; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sync_status_state(status: *const syncstore_sync_status) -> syncstore_sync_state {
    read!(status, 0, |status| Some(status.state))
}

/// In how many milliseconds it tries again, from when the status was asked for; -1: it is at it, waits for news, or is stopped or paused.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sync_status_next_try_ms(status: *const syncstore_sync_status) -> i64 {
    read!(status, -1, |status| status.next_try.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
}

/// Of SYNCSTORE_SYNC_BOOTSTRAPPING, how many items are loaded; else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sync_status_loaded(status: *const syncstore_sync_status) -> u64 {
    read!(status, 0, |status| Some(status.loaded.0))
}

/// Of SYNCSTORE_SYNC_BOOTSTRAPPING, how many items there were when the checkpoint was made; else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sync_status_total(status: *const syncstore_sync_status) -> u64 {
    read!(status, 0, |status| Some(status.loaded.1))
}

/// The last failure, while it lasts, in English; NULL: there is none. No credential is in it. Belongs to the status.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sync_status_error(status: *const syncstore_sync_status) -> *const c_char {
    read!(status, ptr::null(), |status| status.error.as_ref().map(CText::as_ptr))
}
