#![cfg_attr(feature = "http", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "http"), doc = "An embedded offline-first JSON store that syncs; this build has no HTTP.")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod check;
pub mod environment;
mod error;
mod outbox;
#[doc(hidden)]
pub mod planted;
pub mod protocol;
mod replica;
mod store;
mod sync;
pub mod wire;

pub use check::{CheckReport, Finding, FindingCode};
pub use error::{Error, Result};
pub use json_patch;
pub use outbox::ledger::Retention;
pub use outbox::{Outcome, RejectedOp, Rejection};
pub use protocol::{BatchId, ClientId, Code, Object, OpKind, Ref, Relation, ResourceName, Seq};
pub use replica::{ItemRef, Items, KeyRange, Related, RelatedItem, RelationPath, RelationTo, RowRef, WalkOptions};
pub use store::{
    Batch, BatchReceipt, CompactReport, Durability, Options, PendingOp, PendingState, Query, Rows, Store, SyncError,
};
pub use sync::{BootstrapReason, Progress, RetryPolicy, SyncReport};
