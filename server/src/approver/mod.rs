//! The approver: who is asked what becomes of the operations of some collections, and how.
//!
//! docs/SERVER.md has these messages as they stand on the wire.

mod http;
mod message;

pub(crate) use http::check_url;
pub use http::{HttpApprover, InvalidUrl};
pub use message::{ApprovalRequest, ApprovalResponse, AskedOp, Form, ItemNow, OpAnswer};

/// Decides on operations before they are committed.
///
/// It is asked by one thread for each database. What it was asked comes again, under the same refs, whenever its answer did
/// not arrive or left an operation out.
pub trait Approver: Send + Sync {
    /// What becomes of these operations; those that the answer leaves out are asked for again later.
    ///
    /// Any error means that nothing is decided, and that it is asked again after a pause.
    fn ask(&self, request: &ApprovalRequest) -> Result<ApprovalResponse, ApproverError>;
}

/// An approver gave no answer that could be used. The text goes to the server's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ApproverError(pub String);
