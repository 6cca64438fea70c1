//! The server without HTTP: databases by name, pushes in groups, the inbox, checkpoints.

mod approval;
mod checkpoint;
mod data;
mod database;
mod error;
mod inbox;
mod options;
mod presence;
mod readers;
mod registry;
mod retention;
mod rounds;
mod scope;
mod seal;
mod sight;
mod stats;
mod writer;

pub use crate::core::{Caller, Conditions, Expected, Policy, Tags};
pub use approval::ApprovalOptions;
pub use data::{CollectionsRequest, ListRequest, WriteRequest};
pub use error::ServiceError;
pub use options::{Databases, Retention, ServiceOptions, Writing};
pub use stats::DatabaseStats;

use registry::Registry;

use syncstore::protocol::{
    BatchRequest, BatchResponse, CheckpointPage, ClientId, CollectionPage, Cursor, DataItem, DatabaseInfo, InboxPage,
    ItemPage, PushRequest, PushResponse, Scope, Seq, Written,
};
use tokio::sync::watch;

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
    /// The items that it asks for; of others that it does not have it is told the outcomes of its own ops.
    pub scope: Scope,
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
    /// The items that it asks for.
    pub scope: Scope,
}

/// All databases of one data directory. Every method blocks on SQLite: call it from a thread that may.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use syncstore_server::service::{Service, ServiceOptions};
/// let service = Service::open(ServiceOptions::new("data"))?;
/// # Ok(()) }
/// ```
pub struct Service {
    registry: Registry,
}

impl Service {
    /// Opens the data directory, creating it when missing; databases are opened when they are first used.
    ///
    /// With [`ServiceOptions::new_epoch`], begins a new epoch in each database that is there. Fails when
    /// the directory cannot be made, and when a file in the place of a database is none.
    pub fn open(options: ServiceOptions) -> Result<Service, ServiceError> {
        Ok(Service { registry: Registry::open(options)? })
    }

    /// Decides and commits a push, in one transaction with whatever else waits; returns once it is durable.
    ///
    /// An error means that nothing of it was taken, but for [`ServiceError::Storage`], after which it is not known.
    pub fn push(&self, db: &str, caller: &Caller, request: PushRequest) -> Result<PushResponse, ServiceError> {
        self.registry.database(db)?.push(caller, request)
    }

    /// Reads a page of the log. It never waits: a page without entries is what there is now.
    pub fn inbox(&self, db: &str, caller: &Caller, request: &InboxRequest) -> Result<InboxPage, ServiceError> {
        self.registry.database(db)?.inbox(caller, request)
    }

    /// Reads a page of a checkpoint.
    pub fn checkpoint(
        &self,
        db: &str,
        caller: &Caller,
        request: &CheckpointRequest,
    ) -> Result<CheckpointPage, ServiceError> {
        self.registry.database(db)?.checkpoint(caller, request)
    }

    /// What the database takes.
    pub fn info(&self, db: &str, _caller: &Caller) -> Result<DatabaseInfo, ServiceError> {
        self.registry.database(db)?.info()
    }

    /// One page of the collections that the caller sees something of.
    pub fn collections(
        &self,
        db: &str,
        caller: &Caller,
        request: &CollectionsRequest,
    ) -> Result<CollectionPage, ServiceError> {
        self.registry.database(db)?.collections(caller, request)
    }

    /// One page of a collection, in the order of its keys or of one of its indexes.
    pub fn list(&self, db: &str, caller: &Caller, request: &ListRequest) -> Result<ItemPage, ServiceError> {
        self.registry.database(db)?.list(caller, request)
    }

    /// One item with all that it has. [`ServiceError::NotFound`] for one that the caller does not see.
    pub fn item(&self, db: &str, caller: &Caller, collection: &str, key: &str) -> Result<DataItem, ServiceError> {
        self.registry.database(db)?.item(caller, collection, key)
    }

    /// Decides and commits one op of a caller without a replica; returns once it is durable.
    ///
    /// Fails with [`ServiceError::Rejected`] as a push rejects, and with [`ServiceError::Unmet`], with nothing recorded,
    /// when the item is not as the conditions ask.
    pub fn write(&self, db: &str, caller: &Caller, request: WriteRequest) -> Result<Written, ServiceError> {
        self.registry.database(db)?.write(caller, request)
    }

    /// Applies all ops of a batch of a caller without a replica, or none; returns once it is durable.
    ///
    /// Fails with [`ServiceError::BatchFailed`], with nothing recorded, at the first op at fault.
    pub fn batch(&self, db: &str, caller: &Caller, request: BatchRequest) -> Result<BatchResponse, ServiceError> {
        self.registry.database(db)?.batch(caller, request)
    }

    /// The head of a database's log, to be told whenever it moves.
    ///
    /// Subscribe before reading a page that may turn out empty, or news between the two is missed. The
    /// sender goes when the service shuts down.
    pub fn subscribe(&self, db: &str) -> Result<watch::Receiver<Seq>, ServiceError> {
        Ok(self.registry.database(db)?.subscribe())
    }

    /// Prunes, to the end, what the retention lets go now. The writer does the same by itself, a slice at a time.
    pub fn prune(&self, db: &str) -> Result<(), ServiceError> {
        self.registry.database(db)?.prune()
    }

    /// Asks the approver about what waits for it in a database, once, and commits its answers; how many ops that decided,
    /// those that only waited behind others included.
    ///
    /// With [`Writing::Thread`] a thread of the database does this by itself. An approver that fails decides nothing; it
    /// is not asked again before a pause is over, nor about an op that its answer has left out.
    pub fn approve(&self, db: &str) -> Result<usize, ServiceError> {
        self.registry.database(db)?.approve()
    }

    /// Numbers of every database that is open, by name.
    pub fn stats(&self) -> Vec<DatabaseStats> {
        self.registry.stats()
    }

    /// Finishes what waits, writes each log back into its file and closes it. Later calls are answered
    /// [`ServiceError::Overloaded`]. Dropping the service does the same.
    pub fn shutdown(&self) {
        self.registry.shutdown();
    }
}
