//! What the background sync is at.

use std::time::Duration;

/// What the background sync of a store is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncState {
    /// It does not run: never started, or stopped.
    Stopped,
    /// All is well: what was written went, or goes in a moment, and news is waited for.
    Idle,
    /// Operations are on their way to the server.
    Pushing,
    /// The server's log is read.
    Pulling,
    /// A checkpoint is loaded.
    Bootstrapping {
        /// Items loaded so far.
        loaded: u64,
        /// Items there were when the checkpoint was made.
        total: u64,
    },
    /// The server could not be reached, or could not take the request; it is tried again.
    Offline,
    /// Another store, perhaps of another process, syncs this file; what it brings shows here too. Taking over is tried
    /// again and again.
    SyncedElsewhere,
    /// By [`Store::pause`](crate::Store::pause), until [`Store::resume`](crate::Store::resume).
    Paused,
    /// The server refused the credential, a fresh one too. [`Store::credential_changed`](crate::Store::credential_changed) goes
    /// on.
    NeedsCredential,
    /// An error that does not pass by itself; [`SyncStatus::error`] says which. It is tried again after
    /// [`SyncPolicy::backstop`](crate::SyncPolicy::backstop), or when [`Store::sync_now`](crate::Store::sync_now) or
    /// [`Store::credential_changed`](crate::Store::credential_changed) says so.
    Failed,
}

/// What the background sync of a store is at, and when it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncStatus {
    /// What it is at.
    pub state: SyncState,
    /// When it tries again, from the moment at which this was told: after a failure, and when a sync that went well has left something
    /// (then the state is [`SyncState::Idle`]). `None`: it is at it, waits for news, or is stopped or paused.
    pub next_try: Option<Duration>,
    /// The last failure, while it lasts; it holds no secret.
    pub error: Option<String>,
}

impl SyncStatus {
    pub(crate) fn of(state: SyncState) -> SyncStatus {
        SyncStatus { state, next_try: None, error: None }
    }
}
