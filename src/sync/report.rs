//! What a sync did.

use crate::protocol::Seq;
use std::fmt;
use std::time::Duration;

/// What one call of `sync`, `push` or `pull` did.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SyncReport {
    /// Operations that the server took from this replica and answered, repeated ones included.
    pub pushed: u64,
    /// Operations that turned out accepted: by a push's answer, or by the inbox where the answer was lost.
    pub accepted: u64,
    /// Operations that turned out rejected, likewise.
    pub rejected: u64,
    /// Operations that the server skipped when they were last offered: it has no room for them, or something on their item, or of
    /// their batch, has to be decided first. They stay pending, and go again with the next push.
    pub skipped: u64,
    /// Whether the server said, as it was last offered what waits, that the database has no room. After that only deletes were offered to it,
    /// and the rest of batches that it had begun (everything, where a checkpoint is loaded); all else stays pending, too.
    pub full: bool,
    /// Entries of the log that were read, this replica's own included.
    pub pulled: u64,
    /// Items that came with a checkpoint.
    pub loaded: u64,
    /// Whether what was to be kept in addition was loaded; its items count as `loaded`.
    pub widened: bool,
    /// Items that were removed because they are no longer kept. The last of those that had operations pending are not counted.
    pub removed: u64,
    /// Request bodies as they went over the wire, in bytes.
    pub bytes_sent: u64,
    /// Response bodies as they came over the wire, in bytes.
    pub bytes_received: u64,
    /// Requests, the failed ones included.
    pub round_trips: u64,
    /// Tries that failed and were repeated.
    pub retries: u64,
    /// Why the replica was loaded anew from a checkpoint, if it was.
    pub bootstrapped: Option<BootstrapReason>,
    /// Accepted operations that the server lost because its log was restored from an older backup; each
    /// one's outcome is `Undone`.
    pub undone: u64,
    /// Where the replica stands in the server's log.
    pub position: Seq,
    /// The time spent in pushes, waiting for the server included.
    pub push_time: Duration,
    /// The time spent in pulls and checkpoints, waiting for the server included.
    pub pull_time: Duration,
    /// The time of the whole call.
    pub elapsed: Duration,
    /// Whether the call failed only for what no push got past, and did everything else.
    pub(crate) aside: bool,
}

/// Why a replica was loaded from a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BootstrapReason {
    /// It was new.
    Fresh,
    /// The server's log no longer reaches back to its cursor, or its tags are others now.
    Expired,
    /// The server's log was restored from a backup older than its cursor.
    Rewound,
    /// It was not what the server's log makes: a restored or copied file, or a fault of the server. It has
    /// a new client id now. The text says what did not fit; it is empty when the bootstrap began in an earlier call.
    Diverged(String),
}

impl fmt::Display for BootstrapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BootstrapReason::Fresh => "the replica was new",
            BootstrapReason::Expired => "the server no longer read from its cursor",
            BootstrapReason::Rewound => "the server was restored from an older backup",
            BootstrapReason::Diverged(_) => "the replica was not what the server's log makes",
        })?;
        match self {
            BootstrapReason::Diverged(why) if !why.is_empty() => write!(f, ": {why}"),
            _ => Ok(()),
        }
    }
}

/// How far a bootstrap has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Items loaded so far.
    pub loaded: u64,
    /// Items there were when the checkpoint was made.
    pub total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_in_words() {
        let diverged = BootstrapReason::Diverged("seq 3 is other".into()).to_string();
        assert_eq!(diverged, "the replica was not what the server's log makes: seq 3 is other");
        assert!(!BootstrapReason::Diverged(String::new()).to_string().contains(':'));
        assert_eq!(BootstrapReason::Fresh.to_string(), "the replica was new");
    }
}
