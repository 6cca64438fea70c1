//! Why a request was not taken as a whole.

use crate::core::Refusal;
use crate::storage::{Rejection, StorageError};
use std::time::Duration;
use syncstore::protocol::{Problem, Rev};
use syncstore::wire::{Expiry, WireError};

/// Why a request was not taken as a whole; nothing of it was applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The name is no database's, or not one that may be made.
    #[error("there is no database {0:?}")]
    UnknownDatabase(String),
    /// The caller may not do this, whatever else: the client id is another user's.
    #[error("{0}")]
    Forbidden(String),
    /// The log is no longer read from the cursor; the replica takes a checkpoint.
    #[error("the log is no longer read from this cursor: {}", expiry_words(.0))]
    CursorExpired(Expiry),
    /// The checkpoint is gone, or was never made; the replica begins a new one.
    #[error("the checkpoint has expired; begin a new one")]
    CheckpointExpired,
    /// There is no such item, or its caller does not see it.
    #[error("there is no such item")]
    NotFound,
    /// The item is not as the request's conditions ask; nothing was recorded.
    #[error("the item is not as the request's conditions ask")]
    Unmet {
        /// Its rev as the caller sees it; 0: it sees none.
        rev: Rev,
    },
    /// The op was rejected, for good.
    #[error("{}", .0.message)]
    Rejected(Rejection),
    /// An op of a batch is at fault, so none of them was applied.
    #[error("operation {failed} of the batch: {}", .rejection.message)]
    BatchFailed {
        /// Its index.
        failed: usize,
        /// What is wrong with it.
        rejection: Rejection,
    },
    /// The request cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// The request is not well formed.
    #[error("{0}")]
    Invalid(String),
    /// The request exceeds a limit as a whole; a part of it may not.
    #[error("{0}")]
    TooLarge(String),
    /// More waits than the service takes, or it is shutting down; later it may.
    #[error("the server cannot take the request now: {0}")]
    Overloaded(&'static str),
    /// There is as much as there may be; later, when something was deleted or pruned, or the operator allows more, there may be room.
    #[error("{0}")]
    Full(String),
    /// The files failed.
    #[error("storage: {0}")]
    Storage(#[from] StorageError),
}

impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> ServiceError {
        match refusal {
            Refusal::Forbidden => ServiceError::Forbidden(refusal.to_string()),
            Refusal::CursorExpired(expiry) => ServiceError::CursorExpired(expiry),
            Refusal::TooLarge(what) => ServiceError::TooLarge(what),
            Refusal::Unmet { rev } => ServiceError::Unmet { rev },
            Refusal::BatchFailed { failed, rejection } => ServiceError::BatchFailed { failed, rejection },
            Refusal::Full => ServiceError::Full(refusal.to_string()),
            Refusal::Storage(error) => ServiceError::Storage(error),
        }
    }
}

// What the detail of a rejection may have.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Told {
    rev: Option<Rev>,
    path: Option<String>,
    operation: Option<usize>,
}

fn expiry_words(expiry: &Expiry) -> &'static str {
    match expiry {
        Expiry::Pruned => "it was pruned past it",
        Expiry::Rewound { .. } => "it was restored from a backup",
        Expiry::Filter => "the caller's tags or filter have changed",
        _ => "it has expired",
    }
}

impl ServiceError {
    /// The error as section 7 tells it.
    pub fn problem(&self) -> Problem {
        let (status, title, code) = match self {
            ServiceError::UnknownDatabase(_) => (404, "Not Found", "unknown_db"),
            ServiceError::Forbidden(_) => (403, "Forbidden", "forbidden"),
            ServiceError::CursorExpired(_) => (410, "Gone", "cursor_expired"),
            ServiceError::CheckpointExpired => (410, "Gone", "checkpoint_expired"),
            ServiceError::NotFound => (404, "Not Found", "not_found"),
            ServiceError::Unmet { .. } => (412, "Precondition Failed", "precondition_failed"),
            ServiceError::Rejected(rejection) => match rejection.code.as_str() {
                code @ "not_found" => (404, "Not Found", code),
                code @ "forbidden" => (403, "Forbidden", code),
                code @ "stale" => (409, "Conflict", code),
                code @ "too_large" => (413, "Content Too Large", code),
                code => (422, "Unprocessable Content", code),
            },
            ServiceError::BatchFailed { rejection, .. } => (422, "Unprocessable Content", rejection.code.as_str()),
            ServiceError::Malformed(_) => (400, "Bad Request", "malformed"),
            ServiceError::Invalid(_) => (422, "Unprocessable Content", "invalid"),
            ServiceError::TooLarge(_) => (413, "Content Too Large", "too_large"),
            ServiceError::Overloaded(_) => (503, "Service Unavailable", "overloaded"),
            ServiceError::Full(_) => (503, "Service Unavailable", "full"),
            ServiceError::Storage(_) => (500, "Internal Server Error", "storage"),
        };
        let (reason, restored_seq) = match self {
            ServiceError::CursorExpired(Expiry::Pruned) => (Some("pruned"), None),
            ServiceError::CursorExpired(Expiry::Rewound { restored }) => (Some("rewound"), *restored),
            ServiceError::CursorExpired(Expiry::Filter) => (Some("filter"), None),
            _ => (None, None),
        };
        let detail = match self {
            // Paths and SQL are the operator's business: they go to the log, not to the caller.
            ServiceError::Storage(_) => "the server's storage failed; its log says how".to_owned(),
            other => other.to_string(),
        };
        let (failed, rejection) = match self {
            ServiceError::Rejected(rejection) => (None, Some(rejection)),
            ServiceError::BatchFailed { failed, rejection } => (Some(*failed), Some(rejection)),
            _ => (None, None),
        };
        let told = rejection.and_then(|rejection| rejection.detail.as_ref()?.to::<Told>().ok()).unwrap_or_default();
        let rev = if let ServiceError::Unmet { rev } = self { Some(*rev) } else { told.rev };
        Problem {
            rev,
            failed,
            path: told.path,
            operation: told.operation,
            title: title.to_owned(),
            status,
            code: code.to_owned(),
            detail,
            reason: reason.map(str::to_owned),
            restored_seq,
            ..Problem::default()
        }
    }

    /// When to try again, for the errors that pass by themselves.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            ServiceError::Overloaded(_) => Some(Duration::from_secs(1)),
            ServiceError::Full(_) => Some(Duration::from_secs(60)),
            _ => None,
        }
    }
}

/// What a replica's wire makes of it, for a wire that calls the service in the same process.
impl From<ServiceError> for WireError {
    fn from(error: ServiceError) -> WireError {
        let problem = error.problem();
        match error {
            ServiceError::CursorExpired(expiry) => WireError::CursorExpired(expiry),
            ServiceError::CheckpointExpired => WireError::CheckpointExpired,
            ServiceError::Forbidden(words) => WireError::Forbidden(words),
            other if problem.status >= 500 => WireError::Unavailable {
                status: problem.status,
                retry_after: other.retry_after(),
                message: problem.detail,
            },
            _ => WireError::Refused { status: problem.status, code: problem.code, message: problem.detail },
        }
    }
}
