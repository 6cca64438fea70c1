//! How the engine reaches a server: the trait [`Wire`] and the wires that implement it.

mod error;
#[cfg(feature = "http")]
pub mod http;

pub use error::{Expiry, WireError};
#[cfg(feature = "http")]
pub use http::{Compression, Credential, CredentialSource, HttpOptions, HttpWire, Secret};

use crate::cancel::Cancel;
use crate::protocol::{CheckpointPage, ClientId, Cursor, DatabaseInfo, InboxPage, PushRequest, PushResponse, Scope};
use std::sync::Arc;
use std::time::Duration;

/// A connection to one database of one server.
///
/// Calls block. For a replica there is one at a time, and beside it at most one pull with a [`PullRequest::wait`], from
/// another thread; and those that were cut off or given up and have not come back, whose answers are not heard any more. A call should
/// come back in bounded time: [`Store::sync`](crate::Store::sync) waits for it, and the background sync up to
/// [`SyncPolicy::backstop`](crate::SyncPolicy::backstop). An implementation holds no state that a replica's
/// correctness depends on: whatever was in flight when a call failed may or may not have arrived, and the
/// engine repeats it. It tries each call once; when to try again is the engine's business, and the
/// returned [`WireError`] says whether that is of use. (A refreshed credential is part of the one try.)
pub trait Wire: Send + Sync {
    /// What the database takes, and which life of its log this is (section 6, `GET /v1/:db`).
    fn info(&self) -> Result<DatabaseInfo, WireError>;

    /// Sends ops to the server (section 3). Results come in the order of the ops.
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError>;

    /// Reads the log from a cursor on (section 4).
    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError>;

    /// Reads a page of a checkpoint (section 5).
    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError>;

    /// This wire, with calls that end once `cancel` is cancelled: those under way soon, with [`WireError::Cancelled`], and
    /// later ones at once.
    ///
    /// `None`, which is what a wire that does not implement it answers: its calls run to their end. A sync that is cancelled
    /// goes on without them then: one in the background at once, [`Store::sync_until`](crate::Store::sync_until) when the
    /// call comes back.
    fn cancellable(&self, cancel: &Cancel) -> Option<Arc<dyn Wire>> {
        let _ = cancel;
        None
    }

    /// What has gone over this wire since it was made, for reports.
    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

/// What to read of the log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PullRequest {
    /// The replica.
    pub client: ClientId,
    /// Where to begin; `None`: at the first entry.
    pub cursor: Option<Cursor>,
    /// The most entries that the page may have; a batch is never cut, so it may have more.
    pub limit: u32,
    /// How long the server may hold the answer while there is nothing new.
    pub wait: Duration,
    /// Whether the payload of the caller's own ops must come along even when they were committed as sent.
    pub own_payloads: bool,
    /// Which items to read of; a server that cannot filter sends more, and the engine leaves that out.
    pub scope: Scope,
}

impl PullRequest {
    /// From the log's first entry on, without waiting, of all items; own payloads only where they were changed.
    pub fn new(client: ClientId, limit: u32) -> PullRequest {
        let wait = Duration::ZERO;
        PullRequest { client, cursor: None, limit, wait, own_payloads: false, scope: Scope::default() }
    }
}

/// Which page of a checkpoint to read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckpointRequest {
    /// The replica.
    pub client: ClientId,
    /// The page, as the one before named it; `None` makes a new checkpoint.
    pub page: Option<String>,
    /// The most items that the page may have.
    pub limit: u32,
    /// Which items to read, as with [`PullRequest::scope`]; the same for each page.
    pub scope: Scope,
}

impl CheckpointRequest {
    /// The first page of a new checkpoint of all items.
    pub fn new(client: ClientId, limit: u32) -> CheckpointRequest {
        CheckpointRequest { client, page: None, limit, scope: Scope::default() }
    }
}

/// What has gone over a wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes of request bodies as sent, compressed if they were.
    pub sent: u64,
    /// Bytes of response bodies as received, compressed if they were.
    pub received: u64,
    /// Requests that were answered or failed.
    pub round_trips: u64,
}
