//! The connections to the file: one that writes, a few that read.

mod transaction;
mod tuning;
mod wal;

pub(crate) use tuning::Tuning;
pub(super) use tuning::tune;

use super::automatic;
use super::feed::{Feed, Waker};
use super::schema;
use super::state;
use crate::error::{Error, Result};
use crate::event::bus::Bus;
use crate::protocol::Limits;
use crate::watch::{Changes, Watch};
use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// Readers kept open for the next read; more may be open at a time.
const IDLE_READERS: usize = 8;

/// How often a wait for another writer that may be cancelled looks whether it was.
const LOOK: Duration = Duration::from_millis(25);

/// The open file.
#[derive(Debug)]
pub(crate) struct Replica {
    path: PathBuf,
    tuning: Tuning,
    /// Before the writer, which moves the write-ahead log into the file if it is closed last; these cannot.
    pub(super) idle_views: super::views::Idle,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    feed: Feed,
    /// What SQLite said of others' commits when they were last looked for, by whichever background sync.
    seen: AtomicI64,
    /// Whether what others changed could not be read then.
    unread: AtomicBool,
    bus: Arc<Bus>,
    /// What the server takes, as far as is known.
    limits: RwLock<Arc<Limits>>,
    /// The writer's `data_version` when they were read: another store may have been told others since.
    limits_version: AtomicI64,
    /// Whether the server was asked since the file was opened.
    limits_asked: AtomicBool,
    waiting_forgotten: AtomicBool,
}

impl Replica {
    /// Opens the file, creating or migrating it; `new_client` gives a new file's client id.
    pub fn open(path: &Path, tuning: Tuning, new_client: impl FnOnce() -> [u8; 16]) -> Result<Replica> {
        let tuning = tuning.within_sqlite();
        // Readers open the file anew, and the process may change its directory meanwhile. The names of databases in
        // memory stay as they are, and are refused below.
        let in_memory = path.as_os_str().is_empty() || path == Path::new(":memory:");
        let path = &if in_memory { path.to_owned() } else { std::path::absolute(path)? };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if let Some(directory) = path.parent().filter(|directory| !in_memory && !directory.as_os_str().is_empty())
            && directory.metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        {
            return Err(Error::Storage(format!("the directory {} does not exist", directory.display()).into()));
        }
        let mut writer = tuning::open(path, flags, &tuning)?;
        writer.busy_timeout(tuning.busy_timeout)?;
        automatic::register(&writer)?;
        schema::prepare(&mut writer, path, new_client)?;
        tune(&writer, &tuning)?;
        wal::bound(&writer)?;
        // The files beside it have SQLite's idea of its name, which follows links.
        let path = &if path.is_symlink() { std::fs::canonicalize(path)? } else { path.to_owned() };
        // Before what it is of.
        let version = data_version(&writer)?;
        let limits = state::load_limits(&writer)?.unwrap_or_default();
        Ok(Replica {
            path: path.to_owned(),
            tuning,
            idle_views: Mutex::new(Vec::new()),
            writer: Mutex::new(writer),
            readers: Mutex::new(Vec::new()),
            feed: Feed::new(path),
            seen: AtomicI64::new(version),
            unread: AtomicBool::new(false),
            bus: Arc::default(),
            limits: RwLock::new(Arc::new(limits)),
            limits_version: AtomicI64::new(version),
            limits_asked: AtomicBool::new(false),
            waiting_forgotten: AtomicBool::new(false),
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who is told what.
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// How the file is kept.
    pub(super) fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// How long to wait for another process.
    pub fn patience(&self) -> Duration {
        self.tuning.busy_timeout
    }

    /// What the server takes as of the last time that it was asked, as far as was known when somebody last wrote here; the
    /// protocol's own limits before it was ever asked. Within a write it is [`Replica::newest_limits`].
    pub fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits.read())
    }

    /// The same, whichever store on the file asked. To look for that takes microseconds, too much to do before each write.
    ///
    /// While another thread writes they are as of the beginning of its write.
    pub fn newest_limits(&self) -> Arc<Limits> {
        if let Some(writer) = self.writer.try_lock() {
            self.refresh_limits(&writer);
        }
        self.limits()
    }

    /// Takes what another store was told meanwhile. What cannot be read stays as it was; a check of the file says so.
    fn refresh_limits(&self, writer: &Connection) {
        let Ok(version) = data_version(writer) else { return };
        if self.limits_version.load(Ordering::Relaxed) == version {
            return;
        }
        let Ok(limits) = state::load_limits(writer) else { return };
        if let Some(limits) = limits.filter(|limits| *limits != **self.limits.read()) {
            *self.limits.write() = Arc::new(limits);
        }
        self.limits_version.store(version, Ordering::Relaxed);
    }

    /// Whether the server was asked for its limits since the file was opened.
    pub fn limits_asked(&self) -> bool {
        self.limits_asked.load(Ordering::Relaxed)
    }

    /// Takes what the server published; the caller stores it in the file.
    pub fn set_limits(&self, limits: Limits) {
        *self.limits.write() = Arc::new(limits);
        self.limits_asked.store(true, Ordering::Relaxed);
    }

    /// Whether the server is asked again, since the file was opened, about what waits for an approver.
    pub fn waiting_forgotten(&self) -> bool {
        self.waiting_forgotten.load(Ordering::Relaxed)
    }

    /// Takes note that it is: the file says that nothing is known of it.
    pub fn set_waiting_forgotten(&self) {
        self.waiting_forgotten.store(true, Ordering::Relaxed);
    }

    /// Begins to watch; the watcher's name.
    pub fn begin_watch(&self, watch: Watch, waker: Option<Waker>) -> Result<u64> {
        let mut begun = None;
        // Another hand on it: should it not come to a watcher, it is dropped here, where no lock is held.
        let _waker = waker.clone();
        // A write transaction, so that each commit is either before, and read by the host, or after, and told.
        let committed = self.write(|writing| {
            begun = Some(writing.begin_watch(watch, waker)?);
            Ok(())
        });
        match (committed, begun) {
            (Ok(()), Some(watcher)) => Ok(watcher),
            (failed, begun) => {
                begun.into_iter().for_each(|watcher| self.end_watch(watcher));
                failed.and(Err(Error::Storage("a watcher was not begun".into())))
            }
        }
    }

    /// What a watcher has not been told yet, of this store's commits and of others'.
    pub fn take_changes(&self, watcher: u64) -> Result<Changes> {
        let mut wakers = Vec::new();
        let changes = self.read(|reader| {
            let mut feed = self.feed.lock();
            feed.read_trail(reader, &mut wakers)?;
            Ok(feed.take(watcher, &mut wakers))
        });
        wake(wakers);
        changes
    }

    /// Takes what other stores have changed, and wakes the watchers that have something to tell by that.
    pub fn read_trail(&self) -> Result<()> {
        let mut wakers = Vec::new();
        let result = self.read(|reader| {
            let mut feed = self.feed.lock();
            if feed.has_watchers() { feed.read_trail(reader, &mut wakers) } else { Ok(()) }
        });
        wake(wakers);
        result
    }

    /// Whether others, in this process or another, have committed since this was asked, or, at first, since the file was opened.
    /// `None`: it is not known while somebody writes here, and said at the next call.
    pub fn others_committed(&self) -> Result<Option<bool>> {
        // Of the connection that makes all commits of this store, which do not count for it.
        let Some(writer) = self.writer.try_lock() else { return Ok(None) };
        let now = data_version(&writer)?;
        Ok(Some(self.seen.swap(now, Ordering::SeqCst) != now))
    }

    /// Like [`Replica::read_trail`], where others `committed`, or where it failed the last time: their commit is said only once.
    pub fn catch_up(&self, committed: bool) {
        if self.unread.swap(false, Ordering::SeqCst) || committed {
            let failed = self.read_trail().is_err();
            self.unread.fetch_or(failed, Ordering::SeqCst);
        }
    }

    /// Ends a watcher.
    pub fn end_watch(&self, watcher: u64) {
        let waker = self.feed.lock().end(watcher);
        drop(waker);
    }

    /// Runs `work` with a connection that reads; each statement sees one consistent moment.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.readers.lock().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => self.open_reader()?,
        };
        let result = work(&reader);
        // One that failed within a transaction is still in it.
        if reader.is_autocommit() {
            let mut readers = self.readers.lock();
            if readers.len() < IDLE_READERS {
                readers.push(reader);
            }
        }
        result
    }

    /// Runs `work` with a connection that reads, all of it at one consistent moment.
    pub fn read_at_once<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.read(|reader| {
            let moment = reader.unchecked_transaction()?;
            let result = work(&moment)?;
            moment.finish()?;
            Ok(result)
        })
    }

    fn open_reader(&self) -> Result<Connection> {
        let reader = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Not opened read-only: a reader of a WAL needs to write its shared memory.
        reader.pragma_update(None, "query_only", true)?;
        Ok(reader)
    }

    fn connect(&self, access: OpenFlags) -> Result<Connection> {
        let connection = tuning::open(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX, &self.tuning)?;
        connection.busy_timeout(self.tuning.busy_timeout)?;
        tune(&connection, &self.tuning)?;
        Ok(connection)
    }
}

/// Calls the wakers of the host. A panic of one is swallowed: it must not pass for one of whoever committed.
fn wake(wakers: Vec<Waker>) {
    for waker in &wakers {
        drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| waker())));
    }
}

/// A number that moves with every commit of other connections.
fn data_version(connection: &Connection) -> Result<i64> {
    Ok(connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}

#[cfg(test)]
impl Replica {
    /// Opens a file as unit tests do that do not care how it is kept.
    pub fn open_plain(path: &Path) -> Replica {
        let tuning = Tuning { full: false, cache_bytes: 1 << 20, busy_timeout: Duration::from_secs(1), vfs: None };
        Replica::open(path, tuning, || [7; 16]).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_named_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let error = crate::Store::open(missing.join("s.db"), crate::Options::default()).unwrap_err().to_string();
        assert!(error.contains(&format!("the directory {} does not exist", missing.display())), "{error}");
        assert!(!missing.exists());
    }

    #[cfg(unix)]
    #[test]
    fn what_could_not_be_read_of_others_changes_is_read_the_next_time() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join("s.db"), dir.path().join("aside.db"));
        let writing = crate::Store::open(&path, crate::Options::default()).unwrap();
        let replica = Replica::open_plain(&path);
        let woken = Arc::new(AtomicBool::new(false));
        let wake = Arc::clone(&woken);
        let watcher =
            replica.begin_watch(Watch::all(), Some(Arc::new(move || wake.store(true, Ordering::SeqCst)))).unwrap();
        assert_eq!(replica.others_committed().unwrap(), Some(false));
        writing.set("notes", "n1", &1).unwrap();
        assert_eq!(replica.others_committed().unwrap(), Some(true));
        // The reader that is idle is taken, and another one does not find the file.
        let read = |_: &Connection| {
            std::fs::rename(&path, &aside)?;
            replica.catch_up(true);
            Ok(std::fs::rename(&aside, &path)?)
        };
        replica.read(read).unwrap();
        assert!(!woken.load(Ordering::SeqCst), "it was to fail");
        assert_eq!(replica.others_committed().unwrap(), Some(false));
        replica.catch_up(false);
        assert!(woken.load(Ordering::SeqCst));
        assert!(matches!(replica.take_changes(watcher).unwrap(), Changes::Items(items) if items.len() == 1));
    }
}
