//! What can go wrong with data of a server, in the application developer's terms.

use super::op::Place;
use crate::protocol::{Code, DataOp, JsonError, LimitError, Problem, Ref, Rev};
use crate::wire::WireError;
use crate::wire::http::{Failure, printable};
use std::fmt;
use std::time::Duration;

/// A call of [`Remote`](crate::Remote) failed.
///
/// Whatever it is but [`RemoteError::Unconfirmed`], nothing was changed on the server. No text holds a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// A name, a value or a batch exceeds a limit; nothing was sent.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A value is not JSON that every format can carry; nothing was sent.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// There is no such item to patch, or to give an index entry, a relation or a tag; or the caller may not see it.
    #[error("there is no item {key:?} in collection {collection:?} that the caller sees")]
    NotFound {
        /// The collection.
        collection: String,
        /// The key.
        key: String,
    },
    /// The item is not as the [`Precondition`](crate::Precondition) asks. Read it again, and decide anew.
    #[error("item {key:?} in collection {collection:?} is not as the write asks: its rev is {rev}")]
    PreconditionFailed {
        /// The collection.
        collection: String,
        /// The key.
        key: String,
        /// The item's present rev; 0: the caller sees no item.
        rev: Rev,
    },
    /// The server refused the write for good; the code says why.
    #[error("{0}")]
    Rejected(Box<RemoteRejection>),
    /// No answer to a write came, or none that can be read, or the server cannot take it now, or it was cancelled: it may have been done.
    ///
    /// Make the same call again with this ref, or commit the batch again: that is done at most once.
    #[error("whether the write was done is not known: {error}")]
    Unconfirmed {
        /// What the write went under, for [`RemoteItem::with_ref`](crate::RemoteItem::with_ref); `None`: a batch keeps its refs itself.
        op: Option<Ref>,
        /// What happened instead of an answer.
        #[source]
        error: WireError,
    },
    /// The server could not be reached, or refused the request; [`WireError`] says whether trying again is of use.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// Why a server refused a write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteRejection {
    /// Of a batch, which of its writes is at fault, counted from 0; `None` of a single write, and of a batch that is too large as a whole.
    pub failed: Option<usize>,
    /// The collection and the key of the item; `None` of a batch as a whole.
    pub item: Option<(String, String)>,
    /// Why: `stale`, `forbidden`, `patch_failed`, `too_large`, `ref_reused`, `policy`, ….
    pub code: Code,
    /// The same in the server's words.
    pub message: String,
    /// Of `stale`, the item's present rev.
    pub rev: Option<Rev>,
    /// Of `patch_failed`, the JSON Pointer at which the patch failed.
    pub path: Option<String>,
    /// Of `patch_failed`, the index of the operation of the patch that failed.
    pub operation: Option<usize>,
}

impl fmt::Display for RemoteRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.item, self.failed) {
            (Some((collection, key)), Some(failed)) => {
                write!(f, "write {failed} of the batch, to item {key:?} in collection {collection:?}, was rejected")?;
            }
            (Some((collection, key)), None) => {
                write!(f, "the write to item {key:?} in collection {collection:?} was rejected")?;
            }
            (None, _) => f.write_str("the batch was rejected")?,
        }
        write!(f, " ({}): {}", self.code, self.message)
    }
}

impl RemoteError {
    /// Whether the same call, with the same ref, may succeed later without anybody doing something.
    pub fn is_transient(&self) -> bool {
        match self {
            RemoteError::Unconfirmed { error, .. } | RemoteError::Wire(error) => error.is_transient(),
            _ => false,
        }
    }

    /// How long the server asked to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            RemoteError::Unconfirmed { error, .. } | RemoteError::Wire(error) => error.retry_after(),
            _ => None,
        }
    }

    /// The ref of a single write whose answer did not come, for [`RemoteItem::with_ref`](crate::RemoteItem::with_ref).
    pub fn op_ref(&self) -> Option<Ref> {
        match self {
            RemoteError::Unconfirmed { op, .. } => *op,
            _ => None,
        }
    }
}

// What the texts of a server may have here.
const TEXT_CHARACTERS: usize = 400;
const CODE_CHARACTERS: usize = 64;

/// Why a single write failed.
pub(super) fn of_write(failure: Failure, (collection, key): Place<'_>, op: Ref) -> RemoteError {
    let Some((status, problem, message)) = verdict(&failure) else { return of_wire(failure.error, Some(op)) };
    let (collection, key) = (collection.to_owned(), key.to_owned());
    match (status, problem.code.as_str(), problem.rev) {
        (404, "not_found", _) => RemoteError::NotFound { collection, key },
        (412, "precondition_failed", Some(rev)) => RemoteError::PreconditionFailed { collection, key, rev },
        _ => rejected(problem, message, None, Some((collection, key))),
    }
}

/// Why a batch failed.
pub(super) fn of_batch(failure: Failure, ops: &[DataOp]) -> RemoteError {
    let Some((_, problem, message)) = verdict(&failure) else { return of_wire(failure.error, None) };
    let failed = problem.failed.filter(|failed| *failed < ops.len());
    let item = failed.and_then(|failed| ops.get(failed)).map(|op| (op.collection.clone(), op.key.clone()));
    rejected(problem, message, failed, item)
}

/// What a server that speaks the protocol says of a write: the status, the problem, and its text.
///
/// Without the protocol's own word nobody has judged the write: a proxy or a captive portal may answer anything.
fn verdict(failure: &Failure) -> Option<(u16, &Problem, String)> {
    let problem = failure.problem.as_deref()?;
    let (status, message) = match &failure.error {
        WireError::Forbidden(message) => (403, message),
        WireError::Refused { status: status @ (404 | 409 | 412 | 413 | 422), message, .. } => (*status, message),
        _ => return None,
    };
    let is_verdict = !matches!(problem.code.as_str(), "" | "unknown_db" | "unknown_path");
    is_verdict.then(|| (status, problem, message.clone()))
}

fn rejected(problem: &Problem, message: String, failed: Option<usize>, item: Option<(String, String)>) -> RemoteError {
    RemoteError::Rejected(Box::new(RemoteRejection {
        failed,
        item,
        code: Code::new(printable(&problem.code, CODE_CHARACTERS)),
        message,
        rev: problem.rev,
        path: problem.path.as_deref().map(|path| printable(path, TEXT_CHARACTERS)),
        operation: problem.operation,
    }))
}

fn of_wire(error: WireError, op: Option<Ref>) -> RemoteError {
    // What is cancelled may be on its way already.
    let open = error.is_transient() || error == WireError::Cancelled;
    if open { RemoteError::Unconfirmed { op, error } } else { RemoteError::Wire(error) }
}
