// The README's links to files beside it lead nowhere from these pages: the first definition of a link counts.
#![doc = "[docs/PROTOCOL.md]: #more"]
#![doc = "[docs/SQL.md]: #more"]
#![doc = "[docs/GUIDE.md]: #more"]
#![doc = "[docs/PROTOCOL.md#3-push-post-v1dbsyncoutbox]: #more"]
#![doc = "[docs/SERVER.md]: #more"]
#![doc = "[docs/DESIGN.md]: #more"]
#![doc = "[docs/RELIABILITY.md]: #more"]
#![doc = "[docs/PERFORMANCE.md]: #more"]
#![doc = "[CHANGELOG.md]: #more"]
#![doc = "[CONTRIBUTING.md]: #more"]
#![doc = "[LICENSE-MIT]: #more"]
#![doc = "[LICENSE-APACHE]: #more"]
#![cfg_attr(feature = "http", doc = include_str!("../README.md"))]
#![cfg_attr(
    feature = "http",
    doc = "\n---\n\nThe files named here (`docs/…`, `CHANGELOG.md` and so on) are in the repository, and not part of these pages."
)]
#![cfg_attr(not(feature = "http"), doc = "An embedded offline-first JSON store that syncs; this build has no HTTP.")]
#![cfg_attr(not(feature = "capi"), forbid(unsafe_code))]
#![cfg_attr(feature = "capi", deny(unsafe_code))]
#![deny(missing_docs)]

/// Its examples compile and run.
#[cfg(doctest)]
#[doc = include_str!("../docs/SQL.md")]
mod sql_document {}

/// Its examples compile and run.
#[cfg(doctest)]
#[cfg(feature = "http")]
#[doc = include_str!("../docs/GUIDE.md")]
mod guide_document {}

mod background;
mod cancel;
mod check;
mod conflict;
pub mod environment;
mod error;
mod event;
/// The C interface, the one place with `unsafe`.
#[cfg(feature = "capi")]
#[allow(unsafe_code)]
mod ffi;
mod index;
mod outbox;
#[doc(hidden)]
pub mod planted;
pub mod protocol;
#[cfg(feature = "http")]
mod remote;
mod replica;
mod search;
mod sql;
mod store;
mod sync;
mod watch;
pub mod wire;

pub use background::{Stopped, SyncPolicy, SyncState, SyncStatus};
pub use cancel::{Cancel, OnCancel};
pub use check::{CheckReport, Finding, FindingCode};
pub use conflict::{
    Conflict, ConflictEnd, ConflictId, ConflictResolver, Ending, FieldMerge, LastWriter, Prefer, Resolution,
    ResolverError,
};
pub use error::{Error, Result};
pub use event::{ConflictNews, Event, EventOptions, LogLevel, LogLine, Missed, Pumped, Subscription};
pub use index::{IndexError, IndexValue, IndexedField};
pub use json_patch;
pub use outbox::ledger::Retention;
pub use outbox::{Outcome, RejectedOp, Rejection};
pub use protocol::{BatchId, ClientId, Code, Filter, Object, OpKind, Ref, Relation, ResourceName, Seq};
#[cfg(feature = "http")]
pub use remote::{
    BatchItem, Newer, Precondition, Remote, RemoteBatch, RemoteError, RemoteItem, RemoteQuery, RemoteRejection,
};
pub use replica::{ItemRef, Items, KeyRange, Related, RelatedItem, RelationPath, RelationTo, RowRef, WalkOptions};
pub use search::{SearchError, SearchHit, SearchHits, SearchQuery};
pub use sql::{SqlError, SqlLimits, SqlRows, SqlValue};
pub use store::{
    Batch, BatchReceipt, CompactReport, Durability, Edit, Events, Kept, Notice, Options, PendingOp, PendingState,
    Query, Rows, Sql, Store, SyncError, Watcher,
};
pub use sync::{BootstrapReason, Progress, RetryPolicy, SyncReport};
pub use watch::{ChangeKind, Changes, ItemChange, Origin, Overflow, Watch};
