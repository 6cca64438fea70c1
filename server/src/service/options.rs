//! How a service keeps its databases.

use super::ApprovalOptions;
use crate::core::{Policy, SEEN_INTERVAL};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use syncstore::environment::{Environment, SystemEnvironment};
use syncstore::protocol::{Limits, PublishedRetention};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How a service keeps its databases; [`ServiceOptions::new`] gives the defaults.
#[derive(Clone)]
#[non_exhaustive]
pub struct ServiceOptions {
    /// Where the files are, one per database; created when missing.
    pub data: PathBuf,
    /// Which databases there may be. Default: any valid name.
    pub databases: Databases,
    /// The policy of each collection by its name; any other accepts in the order of arrival.
    pub policies: BTreeMap<String, Policy>,
    /// Which ops wait for an approver. Default: none.
    pub approval: Option<ApprovalOptions>,
    /// What a database takes, as `GET /v1/:db` publishes it; values nest at most 200 deep, whatever is set here.
    pub limits: Limits,
    /// How long things are kept.
    pub retention: Retention,
    /// Clock and randomness. Default: the system's.
    pub environment: Arc<dyn Environment>,
    /// Begin a new epoch in each database when it is first opened by this service: once, after
    /// restoring the data directory from a backup.
    pub new_epoch: bool,
    /// Whether each group of pushes is on the disk before it is answered. Default: yes. Only tests without power losses
    /// may do without: a server that lost the end of its log gives its seqs out again, and no replica that has read
    /// that end can tell.
    #[doc(hidden)]
    pub synced: bool,
    /// Where pushes are decided. Default: on one thread per database, in groups.
    pub writing: Writing,
    /// The SQLite VFS to open the databases through, by the name under which the process registered it. Default:
    /// SQLite's own.
    pub vfs: Option<String>,
    /// The most databases open at a time; the least recently used one that nobody uses is closed
    /// for the next. Default: 256.
    pub open_databases: usize,
    /// Names for which there is always room, where any database may be made. Default: none.
    pub named: BTreeSet<String>,
    /// The most databases where any may be made: those that are there stay, and no other is made. Counted when the service is
    /// opened, and as they are made. Default: 10,000.
    pub most_databases: usize,
    /// The bytes of a database, its free pages and its write-ahead log not counted, from which on only deletes of items are taken and
    /// everything else is answered `skipped`, or [`ServiceError::Full`](super::ServiceError::Full) where there is no replica. Its
    /// log has a quarter of that at the most. With a sixteenth more, or twenty times `push_work` where that is more, nothing is taken. Default: 64 GiB.
    pub largest_database: u64,
    /// The most requests that may wait for one database's writer. Default: 1,024. Each has a thread of its caller's; the
    /// server lets fewer of one database in at a time.
    pub queue: usize,
    /// The most bytes of payload that may wait for one database's writer. Default: 64 MiB.
    pub queue_bytes: usize,
    /// The bytes of values that the ops of one push make the server read and write before the rest of the push is answered
    /// `skipped`: a patch of a few bytes takes the whole value twice. An element that a patch moves within an array counts as 4. It ends a group of pushes too, and a batch that takes
    /// 16 times as much is rejected `too_large`. Default: 64 MiB, which is about a second.
    pub push_work: u64,
}

impl ServiceOptions {
    /// The defaults, with the files in `data`.
    pub fn new(data: impl Into<PathBuf>) -> ServiceOptions {
        ServiceOptions {
            data: data.into(),
            databases: Databases::Any,
            policies: BTreeMap::new(),
            approval: None,
            limits: Limits::default(),
            retention: Retention::default(),
            environment: Arc::new(SystemEnvironment::default()),
            new_epoch: false,
            synced: true,
            writing: Writing::Thread,
            vfs: None,
            open_databases: 256,
            named: BTreeSet::new(),
            most_databases: 10_000,
            largest_database: 64 << 30,
            queue: 1_024,
            queue_bytes: 64 << 20,
            push_work: 64 << 20,
        }
    }
}

/// Which databases a service may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Databases {
    /// Any valid name; a database comes to be when it is first used.
    Any,
    /// These; each comes to be when it is first used.
    Named(BTreeSet<String>),
}

/// Where pushes are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// On one thread per database, which commits all that waits together and prunes between groups.
    Thread,
    /// On the thread that calls, one at a time, pruning included: for simulations that must be deterministic.
    Caller,
}

/// How long each thing that grows is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Entries of the log; older cursors expire. The tombstones of deleted items go with the entry of their delete.
    /// Default: 1,000,000.
    pub log_entries: u64,
    /// The outcome of a ref, with the reason of a rejection: at least this long after its commit and
    /// after the time within it, and until its client has pulled past it. Default: 90 days.
    pub refs: Duration,
    /// A client id, after its last request; never less than a ref of the client's may be kept, which is `refs` after the longer of
    /// `staged` and `queued`: without the id nobody could tell whose the ref is. Default: 365 days.
    pub clients: Duration,
    /// A batch that is not complete, after its first op; then its ops are rejected `batch_failed`. Default: 7 days.
    pub staged: Duration,
    /// An op that waits for an approver, after it was pushed; then it is rejected `undecided`. Default: 7 days.
    pub queued: Duration,
    /// A checkpoint, after its last page was read; the log is not pruned behind it. Default: 1 day.
    pub checkpoint_idle: Duration,
    /// A checkpoint in any case, after it was made. Default: 7 days.
    pub checkpoint: Duration,
    /// How often there is a look for what may go. Default: 1 minute.
    pub interval: Duration,
}

impl Retention {
    /// How long a client id is kept after its last request, as it was last noted.
    pub(super) fn clients_kept(&self) -> Duration {
        let decided = self.staged.max(self.queued).saturating_add(Duration::from_millis(SEEN_INTERVAL));
        self.clients.max(self.refs.saturating_add(decided))
    }

    /// What clients are told of it.
    pub(super) fn published(&self) -> PublishedRetention {
        let mut published = PublishedRetention::default();
        published.log_entries = Some(self.log_entries);
        published.ref_seconds = Some(self.refs.as_secs());
        published.client_seconds = Some(self.clients_kept().as_secs());
        published.staged_seconds = Some(self.staged.as_secs());
        published.queued_seconds = Some(self.queued.as_secs());
        published.checkpoint_idle_seconds = Some(self.checkpoint_idle.as_secs());
        published.checkpoint_seconds = Some(self.checkpoint.as_secs());
        published
    }
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            log_entries: 1_000_000,
            refs: 90 * DAY,
            clients: 365 * DAY,
            staged: 7 * DAY,
            queued: 7 * DAY,
            checkpoint_idle: DAY,
            checkpoint: 7 * DAY,
            interval: Duration::from_secs(60),
        }
    }
}
