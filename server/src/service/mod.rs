//! The server without HTTP: databases by name, pushes in groups, the inbox, checkpoints.

mod error;
mod options;
mod stats;

pub use crate::core::Policy;
pub use error::ServiceError;
pub use options::{Databases, Durability, Retention, ServiceOptions, Writing};
pub use stats::DatabaseStats;

use syncstore::protocol::{CheckpointPage, ClientId, Cursor, DatabaseInfo, InboxPage, PushRequest, PushResponse, Seq};
use tokio::sync::watch;

/// Who asks, as authentication found out.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user; refs and client ids belong to one.
    pub user: String,
    /// The tags that it may see and assign.
    pub tags: Tags,
    /// The tags put on every item that it creates.
    pub grant: Vec<String>,
}

/// Which tags a caller may see and assign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// Everything.
    All,
    /// These only.
    Only(Vec<String>),
}

/// What to read of a log.
#[derive(Clone, Debug)]
pub struct InboxRequest {
    /// The replica that asks.
    pub client: ClientId,
    /// Where to begin; `None`: at the first entry.
    pub cursor: Option<Cursor>,
    /// The most entries (a batch is never cut).
    pub limit: u32,
    /// Leave no payload out, though the caller sent it itself.
    pub own_payloads: bool,
}

/// Which page of a checkpoint to read.
#[derive(Clone, Debug)]
pub struct CheckpointRequest {
    /// The replica that asks.
    pub client: ClientId,
    /// The page as the one before named it; `None` makes a new checkpoint.
    pub page: Option<String>,
    /// The most items.
    pub limit: u32,
}

/// All databases of one data directory. Every method blocks on SQLite: call it from a thread that may.
pub struct Service {}

impl Service {
    /// Opens the data directory, creating it when missing; databases are opened when they are first used.
    pub fn open(_options: ServiceOptions) -> Result<Service, ServiceError> {
        unimplemented!()
    }

    /// Decides and commits a push, in one transaction with whatever else waits; returns once it is durable.
    pub fn push(&self, _db: &str, _caller: &Caller, _request: PushRequest) -> Result<PushResponse, ServiceError> {
        unimplemented!()
    }

    /// Reads a page of the log. It never waits: a page without entries is what there is now.
    pub fn inbox(&self, _db: &str, _caller: &Caller, _request: &InboxRequest) -> Result<InboxPage, ServiceError> {
        unimplemented!()
    }

    /// Reads a page of a checkpoint.
    pub fn checkpoint(
        &self,
        _db: &str,
        _caller: &Caller,
        _request: &CheckpointRequest,
    ) -> Result<CheckpointPage, ServiceError> {
        unimplemented!()
    }

    /// What the database takes.
    pub fn info(&self, _db: &str, _caller: &Caller) -> Result<DatabaseInfo, ServiceError> {
        unimplemented!()
    }

    /// The head of a database's log, to be told whenever it moves.
    ///
    /// Subscribe before reading a page that may turn out empty, or news between the two is missed. The
    /// sender goes when the service shuts down.
    pub fn subscribe(&self, _db: &str) -> Result<watch::Receiver<Seq>, ServiceError> {
        unimplemented!()
    }

    /// Prunes, to the end, what the retention lets go now. The writer does the same by itself, a slice at a time.
    pub fn prune(&self, _db: &str) -> Result<(), ServiceError> {
        unimplemented!()
    }

    /// Numbers of every database that is open, by name.
    pub fn stats(&self) -> Vec<DatabaseStats> {
        unimplemented!()
    }

    /// Finishes what waits, writes each log back into its file and closes it. Later calls are answered
    /// [`ServiceError::Overloaded`]. Dropping the service does the same.
    pub fn shutdown(&self) {
        unimplemented!()
    }
}
