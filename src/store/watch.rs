//! Being told what changed.

use super::Store;
use crate::error::Result;
use crate::replica::Replica;
use crate::watch::{Changes, Watch};
use std::fmt;
use std::sync::{Arc, Weak};

/// Collects what changes, from [`Store::watch`] on, until it is dropped.
///
/// It may be moved to and asked from any thread. It does not keep its store open; once that is dropped, it has nothing more to
/// tell.
pub struct Watcher {
    replica: Weak<Replica>,
    id: u64,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Store {
    /// Collects what changes of some items from now on: local writes, of any store that has the file open, and what a
    /// sync brings.
    ///
    /// Nothing happens by itself: ask the watcher when it suits, say once for each frame or turn of an event loop. It tells of
    /// what is committed alone, each item once, and says so when there was more than it could hold.
    ///
    /// Each change has the item's name, what became of it, whether that came from here or from the server, and the operation. It
    /// tells apart that the value came or is another, that the item is gone, that the user may not see it any more, and
    /// that index entries, relations or tags are others while the value is not ([`ChangeKind`](crate::ChangeKind)).
    ///
    /// [`Query::watch`](crate::Query::watch) makes a watch of a range of an index, or of keys.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// use syncstore::{ChangeKind, Changes, Watch};
    ///
    /// let watcher = store.watch(Watch::collection("notes"))?;
    /// // Read what there is now; what comes later is told.
    /// store.set("notes", "n1", &"Milk")?;
    /// store.set("notes", "n1", &"Cream")?;
    /// store.set("other", "n1", &"not watched")?;
    /// match watcher.take()? {
    ///     Changes::Items(items) => {
    ///         assert_eq!(items.len(), 1);
    ///         assert_eq!((items[0].key.as_str(), items[0].kind), ("n1", ChangeKind::Set));
    ///     }
    ///     // `Overflowed`: more than it could hold.
    ///     _ => println!("list the collection again"),
    /// }
    /// assert!(watcher.take()?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// While a store watches, the writes of other stores on its file leave a trail in the file, which makes them a little slower. Its
    /// own writes find out, for an item that is watched, whether it reads otherwise than before; for any other, watching costs
    /// next to nothing. For a watched range of an index each write to its collection finds out where the item stood and stands. With more
    /// than 64 different watches of all stores on a file, the others' ranges are told of all changes in their collection.
    ///
    /// # Errors
    ///
    /// It needs a write transaction for a moment: [`Error::Busy`](crate::Error::Busy),
    /// [`Error::DiskFull`](crate::Error::DiskFull), [`Error::Storage`](crate::Error::Storage).
    pub fn watch(&self, watch: Watch) -> Result<Watcher> {
        let id = self.replica.begin_watch(watch, None)?;
        Ok(Watcher { replica: Arc::downgrade(&self.replica), id })
    }

    /// Like [`Store::watch`], and calls `wake` each time that the watcher, having had nothing to tell, has something.
    ///
    /// It is called on the thread that commits, after the commit and before the call that made it (a write, a sync) goes on. It
    /// should do no more than to wake an event loop: send a message, set a flag. It may read and write the store and end
    /// watchers; a sync, push or pull from within it would wait for itself if it is one that woke it. It must not panic. Commits
    /// of other stores are found when something is written here, or a watcher is asked (another than this); only then does it come.
    ///
    /// A call that another thread is about to make may still come after the watcher was dropped. What it holds is dropped after the last.
    ///
    /// # Errors
    ///
    /// Like [`Store::watch`].
    pub fn watch_with(&self, watch: Watch, wake: impl Fn() + Send + Sync + 'static) -> Result<Watcher> {
        let id = self.replica.begin_watch(watch, Some(Arc::new(wake)))?;
        Ok(Watcher { replica: Arc::downgrade(&self.replica), id })
    }
}

impl Watcher {
    /// What changed since this was asked last, or since the watcher began.
    ///
    /// Returns at once; at most it waits for a commit that another thread is making just then.
    ///
    /// # Errors
    ///
    /// When the file cannot be read. Nothing is lost then: ask again.
    pub fn take(&self) -> Result<Changes> {
        match self.replica.upgrade() {
            Some(replica) => replica.take_changes(self.id),
            None => Ok(Changes::Items(Vec::new())),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(replica) = self.replica.upgrade() {
            replica.end_watch(self.id);
        }
    }
}
