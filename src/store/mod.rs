//! What a host holds: a store, its writes, its reads, and its syncs.

mod background;
mod batch;
mod build;
mod check;
mod compact;
mod conflicts;
mod events;
mod indexes;
mod keep;
#[cfg(feature = "capi")]
mod opened;
mod options;
mod outcomes;
mod pending;
mod query;
mod read;
mod rejections;
mod resources;
mod search;
mod seen;
mod sql;
mod sync;
mod watch;
mod write;

#[cfg(feature = "capi")]
pub(crate) use batch::Writes;
pub use batch::{Batch, BatchReceipt};
pub use compact::CompactReport;
pub use events::Events;
pub use keep::Kept;
#[cfg(feature = "capi")]
pub(crate) use opened::{Held, Opened};
pub use options::{Durability, Options};
pub use pending::{PendingOp, PendingState};
pub use query::{Query, Rows};
pub use rejections::{Edit, Notice};
pub use sql::Sql;
pub use sync::SyncError;
pub use watch::Watcher;

use crate::background::Background;
use crate::conflict::{Conflict, Decisions, Resolution};
use crate::error::{Error, Result};
use crate::protocol::{ClientId, Filter};
use crate::replica::{Replica, Tuning};
use crate::sync::{Access, Seat, Settings};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use write::Writer;

/// A local store of JSON documents that syncs with a server.
///
/// Every read and write is local: none waits for the network, and reads do not wait for writes. A write is
/// durable when it answers (see [`Durability`]), together with the operation that will carry it to the server.
///
/// A store may be used from any number of threads at a time. Several stores, of several processes too, may
/// have one file open. Dropping a store closes it; nothing needs to be saved.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// use syncstore::{Options, Store};
///
/// let store = Store::open(dir.path().join("notes.db"), Options::default())?;
/// let made = store.set("notes", "n1", &serde_json::json!({"title": "Milk", "done": false}))?;
/// store.update("notes", "n1", |note| note["done"] = true.into())?;
///
/// let note: Option<serde_json::Value> = store.get("notes", "n1")?;
/// assert_eq!(note.unwrap()["done"], true);
/// // Neither op was sent yet, so the second became part of the first.
/// assert_eq!(store.pending()?.len(), 1);
/// assert_eq!(store.outcome(made)?, Some(syncstore::Outcome::Queued));
/// # Ok(())
/// # }
/// ```
pub struct Store {
    /// Watchers know it, and do not keep it.
    replica: Arc<Replica>,
    settings: Arc<Settings>,
    writer: Writer,
    seat: Arc<Seat>,
    background: Background,
    /// `None`: there is no resolver, and conflicts wait for the host.
    decisions: Option<Arc<Decisions>>,
    /// Writes since outcomes were last pruned: folding makes outcomes without any sync.
    unpruned: AtomicU32,
}

impl Store {
    /// Opens the replica at a path, creating it when there is no file. Its directory must be there: that is not created.
    ///
    /// # Errors
    ///
    /// [`Error::NotAReplica`], [`Error::NewerSchema`] and [`Error::Corrupt`] leave the file as it is: nothing is ever
    /// deleted to repair. [`Error::Storage`] when the file cannot be opened or created; [`Error::Limit`] for what
    /// `Options::keep` cannot be.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Store> {
        options.keep.as_ref().map_or(Ok(()), Filter::check)?;
        let tuning = Tuning {
            full: options.durability == Durability::Full,
            cache_bytes: options.cache_bytes,
            busy_timeout: options.busy_timeout,
            vfs: options.vfs,
        };
        let environment = Arc::clone(&options.environment);
        let client = || *ClientId::from_random(environment.random_u128()).as_bytes();
        let replica = Replica::open(path.as_ref(), tuning, client)?;
        if let Some(keep) = &options.keep {
            keep::store(&replica, keep)?;
        }
        let replica = Arc::new(replica);
        let settings = Arc::new(Settings {
            push_ops: options.push_ops.max(1),
            pull_entries: options.pull_entries.max(1),
            checkpoint_items: options.checkpoint_items.max(1),
            pages: options.pages.max(1),
            largest_file: options.largest_file,
            prefetch: options.prefetch,
            retention: options.retention,
            retry: options.retry,
            environment: options.environment,
        });
        let writer = Writer::new(&settings.environment, options.coalescing);
        let decisions = options.resolver.map(|resolver| {
            replica.bus().expect_decisions();
            let writer = writer.clone();
            let resolve =
                move |access: Access<'_>, conflict: &Conflict, how: &Resolution| writer.resolve(access, conflict, how);
            Arc::new(Decisions::new(resolver, Box::new(resolve)))
        });
        Ok(Store {
            seat: Arc::new(Seat::new(Arc::clone(&replica), Arc::clone(&settings))),
            background: Background::new(Arc::clone(&settings.environment)),
            replica,
            settings,
            writer,
            decisions,
            unpruned: AtomicU32::new(0),
        })
    }

    /// The replica's name to the server; another one after it diverged.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn client_id(&self) -> Result<ClientId> {
        self.replica.read(|connection| Ok(crate::replica::state::State::load(connection)?.client))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.replica.path()).finish_non_exhaustive()
    }
}

fn not_found(collection: &str, key: &str) -> Error {
    Error::NotFound { collection: collection.to_owned(), key: key.to_owned() }
}
