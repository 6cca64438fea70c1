//! How a store is opened.

use crate::conflict::ConflictResolver;
use crate::environment::{Environment, SystemEnvironment};
use crate::outbox::ledger::Retention;
use crate::protocol::Filter;
use crate::sync::RetryPolicy;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a write that was answered survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The end of the process, however it comes; a power loss may take the last writes that were not sent
    /// yet. (What is sent is on the disk before it leaves.)
    #[default]
    Normal,
    /// Power loss too: each write waits for the disk.
    Full,
}

/// How a store is opened; the default suits a desktop application.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// What a write that was answered survives.
    pub durability: Durability,
    /// The page cache of each connection to the file, in bytes: one that writes, and one for each thread that
    /// reads at the same time. Default: 16 MiB.
    pub cache_bytes: usize,
    /// Whether an operation folds into the item's last one while neither was sent. Default: yes.
    pub coalescing: bool,
    /// How long settled outcomes are kept.
    pub retention: Retention,
    /// Decides conflicts as a sync finds them, by [`Store::sync`](crate::Store::sync) before the call returns, by the background sync beside it (see
    /// [`ConflictResolver::resolve`]); [`FieldMerge`](crate::FieldMerge) and [`LastWriter`](crate::LastWriter) are ready-made. What it writes
    /// goes with the next sync. Default: none, they wait in [`Store::conflicts`](crate::Store::conflicts).
    pub resolver: Option<Arc<dyn ConflictResolver>>,
    /// How long a write waits for another process that holds the file; 24 days at most. Default: 5 seconds.
    pub busy_timeout: Duration,
    /// The most operations in a push; the server's own limit counts too. Default: 1,000.
    pub push_ops: u32,
    /// The most entries to ask for in a pull. Default: 1,000.
    pub pull_entries: u32,
    /// The most items to ask for in a page of a checkpoint. Default: 4,000.
    pub checkpoint_items: u32,
    /// The most pages, of the log and of checkpoints together, that one call of `sync`, `push` or `pull` reads; it then
    /// ends with an error, and the next call goes on from there. No honest server comes near it; a broken one that has
    /// always more to say is not listened to for ever. Default: 100,000.
    pub pages: u32,
    /// The size of the replica's file, in bytes, from which on a sync takes no further page from the server; twice that
    /// while a checkpoint is loaded, since the items that it replaces stay until it is complete. Free space in the file and
    /// the write-ahead log beside it do not count.
    ///
    /// A call that would need such a page first pushes what is queued (`sync` and `push`), and then ends with
    /// [`Error::TooLarge`](crate::Error::TooLarge); local writes go on. What is pushed stays pending, and its
    /// [`Outcome`](crate::Outcome) is what the server answered, until there is room again. The last page may go beyond the
    /// limit by its own size. A replica that is larger than the limit may find too little room to be loaded anew: raise the
    /// limit then. Default: 16 GiB; an application for phones should set less.
    pub largest_file: u64,
    /// Whether the next page of a checkpoint is fetched, on a thread of its own, while the one before is stored. Without
    /// it everything happens on the thread that calls. Default: yes.
    pub prefetch: bool,
    /// Which collections, and which keys of them, the replica keeps: it is kept in the file, and another one than before
    /// is taken up like one that [`Store::keep`](crate::Store::keep) sets. Default: `None`, as the file has it; a new one
    /// keeps everything.
    pub keep: Option<Filter>,
    /// How often and for how long a sync tries again by itself.
    pub retry: RetryPolicy,
    /// Where time and randomness come from. Default: the system.
    pub environment: Arc<dyn Environment>,
    /// The SQLite VFS to open the file through, by the name under which the process registered it with the SQLite that
    /// rusqlite brings along; it must offer shared memory, or there is no write-ahead log. Which store syncs
    /// is settled by a file lock of the operating system all the same, beside the path,
    /// whose directory must exist. Default: SQLite's own.
    pub vfs: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            durability: Durability::Normal,
            cache_bytes: 16 << 20,
            coalescing: true,
            retention: Retention::default(),
            resolver: None,
            busy_timeout: Duration::from_secs(5),
            push_ops: 1_000,
            pull_entries: 1_000,
            checkpoint_items: 4_000,
            pages: 100_000,
            largest_file: 16 << 30,
            prefetch: true,
            keep: None,
            retry: RetryPolicy::default(),
            environment: Arc::new(SystemEnvironment::default()),
            vfs: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("durability", &self.durability)
            .field("cache_bytes", &self.cache_bytes)
            .field("coalescing", &self.coalescing)
            .field("retention", &self.retention)
            .field("resolver", &self.resolver.is_some())
            .field("busy_timeout", &self.busy_timeout)
            .field("push_ops", &self.push_ops)
            .field("pull_entries", &self.pull_entries)
            .field("checkpoint_items", &self.checkpoint_items)
            .field("pages", &self.pages)
            .field("largest_file", &self.largest_file)
            .field("prefetch", &self.prefetch)
            .field("keep", &self.keep)
            .field("retry", &self.retry)
            .field("vfs", &self.vfs)
            .finish_non_exhaustive()
    }
}
