//! What can go wrong, in the application developer's terms.

use crate::conflict::ConflictId;
use crate::index::IndexError;
use crate::outbox::Outcome;
use crate::protocol::patch::PatchError;
use crate::protocol::{JsonError, LimitError, Ref};
use crate::search::SearchError;
use crate::sql::SqlError;
use crate::wire::WireError;
use std::path::PathBuf;
use std::time::Duration;

/// The result of every fallible call of the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the store.
///
/// Whatever it is, nothing that was stored before is lost, and a write that answers with an error has
/// changed nothing. One exception: of a write that ends with [`Error::Storage`] because the disk failed within its commit
/// nobody can say whether it got there. It may be found, whole and with its operations, when the file is next opened: look
/// at the item before repeating what must not happen twice.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file exists and is not a replica of this crate; it was left untouched. Choose another path.
    #[error("{} is not a SyncStore replica: {found}", path.display())]
    NotAReplica {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// The file was written by a newer version of the crate; it was left untouched. Update the application.
    #[error("{} has schema version {found}; this library reads up to {supported}: update it", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The newest version this library knows.
        supported: i64,
    },
    /// The file is damaged. Nothing was deleted or repaired: keep a copy of it, and of its `-wal` file, before
    /// anything else; unsynced operations may still be readable.
    #[error("the replica is damaged: {0}")]
    Corrupt(String),
    /// The disk is full. What was stored before is intact; the call may be repeated once there is room.
    #[error("the disk is full")]
    DiskFull,
    /// Another process kept the file locked for longer than `Options::busy_timeout`.
    #[error("another process holds the replica locked")]
    Busy,
    /// Another store, of this process or another, was syncing the same file for longer than
    /// `Options::busy_timeout`. What it brings shows in this store too; sync again later.
    #[error("another store is syncing this replica")]
    SyncedElsewhere,
    /// The call was cancelled: by [`Cancel::cancel`](crate::Cancel::cancel), or because its store was stopped. What it did
    /// stands; the next one goes on from there.
    #[error("the call was cancelled")]
    Cancelled,
    /// The store syncs in the background already. Stop that first.
    #[error("the background sync runs already")]
    AlreadyStarted,
    /// The replica's file has reached `Options::largest_file` (or twice that, while a checkpoint is loaded), and nothing more
    /// is taken from the server. What is there is intact, what is queued is still pushed, and local writes go on. Raise
    /// the option, if the server is to be trusted with more.
    #[error("the replica has {bytes} bytes; no more than {limit} are taken from a server")]
    TooLarge {
        /// The size of the file.
        bytes: u64,
        /// The size from which on no more is taken.
        limit: u64,
    },
    /// SQLite or the file system failed in another way.
    #[error("the replica cannot be read or written: {0}")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A collection's name, a key, a value or a batch exceeds a limit that the server publishes.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A value is not JSON that every format can carry, or has not the shape that was asked for.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// There is no such item to patch or update. Use `set` to create it.
    #[error("there is no item {key:?} in collection {collection:?}")]
    NotFound {
        /// The collection.
        collection: String,
        /// The key.
        key: String,
    },
    /// A patch does not apply to the item as the application sees it now. Nothing was queued.
    #[error("the patch does not apply to item {key:?} in collection {collection:?}: {error}")]
    PatchFailed {
        /// The collection.
        collection: String,
        /// The key.
        key: String,
        /// The operation that failed, and where.
        #[source]
        error: PatchError,
    },
    /// The replica is not to keep this item (`Store::keep`), so it cannot be written here. Nothing was queued. Keep the
    /// collection, or write through a replica that does.
    #[error("item {key:?} in collection {collection:?} is not among what this replica keeps")]
    NotKept {
        /// The collection.
        collection: String,
        /// The key.
        key: String,
    },
    /// An update's closure kept losing to other writers of the same item. Try again.
    #[error("item {key:?} in collection {collection:?} kept changing while it was updated")]
    Contended {
        /// The collection.
        collection: String,
        /// The key.
        key: String,
    },
    /// An operation is not one that the host may retry, edit or discard: it was not rejected, is not settled yet, or was dealt with
    /// before; or of the batch that it was in not all is kept any more. Nothing was written.
    #[error("operation {op} is no rejected one that waits to be dealt with")]
    NotRejected {
        /// The operation.
        op: Ref,
        /// What became of it; `None`: this replica does not know it, or no longer.
        outcome: Option<Box<Outcome>>,
    },
    /// An [`Edit`](crate::Edit) is of another part of an item than the rejected operation. Nothing was written.
    #[error("the edit is of another part of the item than operation {op}")]
    EditOfAnotherPart {
        /// The operation.
        op: Ref,
    },
    /// A conflict is not as it was listed: more of theirs has come, something was written here, or it has ended. List it again. Nothing was
    /// written.
    #[error("conflict {id} is not as it was listed")]
    ConflictMoved {
        /// The conflict.
        id: ConflictId,
    },
    /// A text that is to resume a query is none that such a query gave out. Begin the query anew.
    #[error("the token is not of a query of this kind")]
    ResumeToken,
    /// The replica is not what the server's log makes, and fresh checkpoints did not mend it. Operations stay
    /// queued; the server, or something between, answers inconsistently.
    #[error("the replica diverged from the server: {0}")]
    Diverged(String),
    /// The wire leads to another database, or another server's, than the one that this replica is of. Nothing was
    /// sent. Correct the URL or the name, or open another file: a replica stays with one database.
    #[error("the replica is of database {expected}, and the wire leads to {found}")]
    WrongDatabase {
        /// The database's permanent id, as its server named it at the first sync.
        expected: String,
        /// The id of the database at the other end of the wire.
        found: String,
    },
    /// A statement of [`Store::sql`](crate::Store::sql) cannot be run, or hit a limit.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// An automatic index cannot be declared, built or read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A full-text search cannot be declared or run.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The server could not be reached, or refused; [`WireError`] says whether trying again is of use.
    /// Operations stay queued.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) | Some(ErrorCode::NotADatabase) => Error::Corrupt(error.to_string()),
            Some(ErrorCode::DiskFull) => Error::DiskFull,
            Some(ErrorCode::DatabaseBusy) | Some(ErrorCode::DatabaseLocked) => Error::Busy,
            _ => match error {
                // A column that has not the type it was written with, or a row that is always there.
                rusqlite::Error::QueryReturnedNoRows
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::Utf8Error(..) => Error::Corrupt(error.to_string()),
                _ => Error::Storage(Box::new(error)),
            },
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::Storage(Box::new(error))
    }
}

impl Error {
    /// Whether the same call may succeed later without the application doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Wire(error) => error.is_transient(),
            Error::Busy | Error::SyncedElsewhere | Error::Contended { .. } => true,
            _ => false,
        }
    }

    /// How long the server asked to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Error::Wire(error) = self { error.retry_after() } else { None }
    }

    /// The HTTP status that the server answered with; see [`WireError::http_status`].
    pub fn http_status(&self) -> Option<u16> {
        if let Error::Wire(error) = self { error.http_status() } else { None }
    }

    /// SQLite's extended result code, where SQLite failed; of a full disk, a locked and a damaged file the code that says that.
    pub fn sqlite_code(&self) -> Option<i32> {
        match self {
            Error::Corrupt(_) => Some(rusqlite::ffi::SQLITE_CORRUPT),
            Error::DiskFull => Some(rusqlite::ffi::SQLITE_FULL),
            Error::Busy => Some(rusqlite::ffi::SQLITE_BUSY),
            Error::Storage(error) => match error.downcast_ref::<rusqlite::Error>() {
                Some(rusqlite::Error::SqliteFailure(failure, _)) => Some(failure.extended_code),
                _ => None,
            },
            _ => None,
        }
    }

    /// The operation that it is about.
    pub fn op_ref(&self) -> Option<Ref> {
        match self {
            Error::NotRejected { op, .. } | Error::EditOfAnotherPart { op } => Some(*op),
            _ => None,
        }
    }

    /// The collection and the key of the item that it is about.
    pub fn item(&self) -> Option<(&str, &str)> {
        match self {
            Error::NotFound { collection, key }
            | Error::PatchFailed { collection, key, .. }
            | Error::NotKept { collection, key }
            | Error::Contended { collection, key } => Some((collection, key)),
            _ => None,
        }
    }

    /// A broken promise of the server, as an error of the wire.
    pub(crate) fn protocol(message: impl Into<String>) -> Error {
        Error::Wire(WireError::Protocol(message.into()))
    }
}
