//! Numbers for an operator.

use std::collections::BTreeMap;
use syncstore::protocol::{Code, Seq};

/// What one open database has and has done since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseStats {
    /// The database.
    pub name: String,
    /// The head of its log.
    pub head: Seq,
    /// Its items.
    pub items: u64,
    /// The entries of its log that are kept.
    pub log_entries: u64,
    /// The bytes of their texts, and 128 for each.
    pub log_bytes: u64,
    /// Its bytes, free pages and write-ahead log not counted.
    pub bytes: u64,
    /// Requests that wait for its writer.
    pub queued: u64,
    /// Ops that wait for the approver, or behind one that does.
    pub queued_ops: u64,
    /// The bytes of those.
    pub queued_bytes: u64,
    /// Requests to the approver.
    pub approver_requests: u64,
    /// Those of them that had no answer that could be read.
    pub approver_failures: u64,
    /// Parts of answers that were ignored: malformed, or on ops that did not wait for them.
    pub approver_ignored: u64,
    /// Transactions that committed what it decided, and what waited for that.
    pub approver_commits: u64,
    /// Pushes answered, and writes and batches without a replica.
    pub pushes: u64,
    /// Ops accepted, repeats not counted.
    pub accepted: u64,
    /// Ops rejected, repeats not counted, by their code.
    pub rejected: BTreeMap<String, u64>,
    /// Transactions that committed these.
    pub groups: u64,
    /// The most of them that one transaction committed.
    pub largest_group: u64,
    /// Log entries pruned.
    pub pruned: u64,
    /// Inbox pages read.
    pub inbox_pages: u64,
    /// Checkpoint pages read.
    pub checkpoint_pages: u64,
}

impl DatabaseStats {
    /// Counts an op that was decided: accepted without a code.
    pub(super) fn count(&mut self, rejected: Option<&Code>) {
        match rejected {
            None => self.accepted += 1,
            Some(code) => match self.rejected.get_mut(code.as_str()) {
                Some(count) => *count += 1,
                None => drop(self.rejected.insert(code.as_str().to_owned(), 1)),
            },
        }
    }
}
