//! Why a call over a wire failed, and whether to try again.

use crate::protocol::Seq;
use std::fmt;
use std::time::Duration;

/// Why a server no longer reads from a cursor (sections 1 and 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// The log was pruned past it.
    Pruned,
    /// The log was restored from a backup that is older than it.
    Rewound {
        /// The last seq that both logs share, when the server knows it.
        restored: Option<Seq>,
    },
    /// The caller's tags or its filter are others now.
    Filter,
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Expiry::Pruned => "the log was pruned past it",
            Expiry::Rewound { .. } => "the log was restored from an older backup",
            Expiry::Filter => "the caller's tags or its filter are others now",
        })
    }
}

/// A call over a wire failed.
///
/// No variant's text holds a credential. [`WireError::is_transient`] says whether the same call may
/// succeed later without anybody doing something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The server could not be reached, or the connection broke.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// No answer came within a time-out of the wire's options.
    #[error("no answer within the time-out: {0}")]
    TimedOut(String),
    /// The server is there but cannot take the request now (429, 502, 503, 504, or another 5xx).
    #[error("the server cannot take the request now (HTTP {status}): {message}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// The server's words.
        message: String,
    },
    /// The credential was refused (401), a fresh one too where the host gave one.
    #[error("the server does not accept the credential: {0}")]
    Unauthenticated(String),
    /// The server does not let this caller do that (403).
    #[error("the server forbids the request: {0}")]
    Forbidden(String),
    /// The cursor's log is gone (410 `cursor_expired`); the engine takes a checkpoint.
    #[error("the server no longer reads from the replica's cursor: {0}")]
    CursorExpired(Expiry),
    /// The checkpoint is gone (410 `checkpoint_expired`); the engine begins a new one.
    #[error("the checkpoint expired on the server")]
    CheckpointExpired,
    /// The server refuses the request as a whole (another 4xx, or a redirect, which is not followed).
    #[error("the server refused the request (HTTP {status}, {code}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The protocol's word for it, or empty.
        code: String,
        /// The server's words.
        message: String,
    },
    /// The answer is not what the protocol says: cut off, another type, not to be decoded, or too large.
    #[error("the server's answer breaks the protocol: {0}")]
    Protocol(String),
    /// The call was cancelled from another thread, see [`Wire::cancellable`](super::Wire::cancellable). What it asked for
    /// may have been done or not.
    #[error("the call was cancelled")]
    Cancelled,
    /// The host's own code panicked within a call: its wire, or its source of credentials.
    #[error("the wire, or its source of credentials, panicked")]
    Panicked,
    /// The wire is set up wrongly: a bad URL, an unreadable CA file, an unusable credential.
    #[error("the wire is not usable: {0}")]
    Setup(String),
}

impl WireError {
    /// Whether the same call may succeed later on its own.
    ///
    /// A broken answer counts: a proxy may have cut it, and what the request did is safe to repeat.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            WireError::Unreachable(_) | WireError::TimedOut(_) | WireError::Unavailable { .. } | WireError::Protocol(_)
        )
    }

    /// How long the server asked to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            WireError::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The HTTP status that the server answered with, where it is one that says why.
    pub fn http_status(&self) -> Option<u16> {
        match self {
            WireError::Unavailable { status, .. } | WireError::Refused { status, .. } => Some(*status),
            WireError::Unauthenticated(_) => Some(401),
            WireError::Forbidden(_) => Some(403),
            WireError::CursorExpired(_) | WireError::CheckpointExpired => Some(410),
            _ => None,
        }
    }

    /// Whether a push as a whole was refused for what is in it, so that a part of it may be taken (section 3).
    ///
    /// A 400 or 422 counts only with the protocol's own word for it: a captive portal or a firewall says 400 to
    /// everything, and no operation may be given up for that. 413 is what a proxy with a lower limit says.
    pub(crate) fn refuses_content(&self) -> bool {
        match self {
            WireError::Refused { status: 413, .. } => true,
            WireError::Refused { status: 400 | 422, code, .. } => !code.is_empty(),
            _ => false,
        }
    }

    /// Whether a push as a whole may have failed for one of its operations though the answer does not say so: a firewall that takes offence at a text, a server
    /// that fails on one. Nothing may be given up for that.
    pub(crate) fn may_be_for_an_op(&self) -> bool {
        match self {
            WireError::Forbidden(_) | WireError::Unavailable { status: 500, .. } => true,
            WireError::Refused { status: 400..=499, code, .. } => code.is_empty(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_cursor_is_told_in_words() {
        let text = |expiry| WireError::CursorExpired(expiry).to_string();
        assert!(
            text(Expiry::Rewound { restored: Some(3) }).ends_with("cursor: the log was restored from an older backup")
        );
        assert!(text(Expiry::Pruned).contains("pruned") && text(Expiry::Filter).contains("filter"));
    }
}
