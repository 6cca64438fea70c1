//! The server without HTTP: databases by name, pushes in groups, the inbox, checkpoints.

use std::path::PathBuf;
use syncstore::protocol::{CheckpointPage, ClientId, Cursor, DatabaseInfo, InboxPage, PushRequest, PushResponse, Seq};

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

/// How a service keeps its databases.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// Where the files are, one per database.
    pub data: PathBuf,
}

/// Why a request was not taken as a whole.
#[derive(Debug)]
pub enum ServiceError {}

impl Service {
    /// Opens the data directory, creating it when missing.
    pub fn open(_options: ServiceOptions) -> Result<Service, ServiceError> {
        unimplemented!()
    }
    /// Decides and commits a push, in one transaction with whatever else waits; returns once it is durable.
    pub fn push(&self, _db: &str, _caller: &Caller, _request: PushRequest) -> Result<PushResponse, ServiceError> {
        unimplemented!()
    }
    /// Reads a page of the log.
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
    /// The head of a database's log, and a way to wait for it to move: called after each commit that
    /// appended entries, on the thread that committed.
    pub fn head(&self, _db: &str) -> Result<Seq, ServiceError> {
        unimplemented!()
    }
}
