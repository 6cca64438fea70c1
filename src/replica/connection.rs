//! The connections to the file: one that writes, a few that read.

use super::automatic;
use super::feed::{Feed, Waker};
use super::schema;
use super::state;
use super::writing::Writing;
use crate::error::{Error, Result};
use crate::event::LogLevel;
use crate::event::bus::{Bus, Filled, News};
use crate::planted::{Planted, planted};
use crate::protocol::Limits;
use crate::watch::{Changes, Watch};
use parking_lot::{Mutex, MutexGuard, RwLock};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// How the file is kept; see the fields of `Options`, which these come from.
#[derive(Clone, Debug)]
pub(crate) struct Tuning {
    /// fsync at every commit.
    pub full: bool,
    /// Of each connection, in bytes.
    pub cache_bytes: usize,
    pub busy_timeout: Duration,
    /// `None`: SQLite's default.
    pub vfs: Option<String>,
}

/// Readers kept open for the next read; more may be open at a time.
const IDLE_READERS: usize = 8;

/// WAL pages after which a commit moves them into the file; SQLite's own default.
const AUTO_CHECKPOINT: i64 = 1_000;

/// The same while a checkpoint is loaded, which moves the WAL itself, on a connection of its own.
const BULK_CHECKPOINT: i64 = 10_000;

/// How often a write that may be cancelled looks whether it was, while it waits for another writer.
const LOOK: Duration = Duration::from_millis(25);

/// What the WAL file may keep on disk after it was moved into the file, in bytes.
const WAL_KEPT: i64 = 16 << 20;

/// The longest time-out that SQLite counts, in 31 bits of milliseconds: 24 days.
const LONGEST_BUSY_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// The largest cache that SQLite counts, in 31 bits of KiB; of more it would make none.
const LARGEST_CACHE: u64 = (i32::MAX as u64) << 10;

impl Tuning {
    fn within_sqlite(self) -> Tuning {
        let largest = usize::try_from(LARGEST_CACHE).unwrap_or(usize::MAX);
        Tuning {
            cache_bytes: self.cache_bytes.min(largest),
            busy_timeout: self.busy_timeout.min(LONGEST_BUSY_TIMEOUT),
            ..self
        }
    }
}

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
        let mut writer = open(path, flags, &tuning)?;
        writer.busy_timeout(tuning.busy_timeout)?;
        automatic::register(&writer)?;
        schema::prepare(&mut writer, path, new_client)?;
        tune(&writer, &tuning)?;
        writer.pragma_update(None, "wal_autocheckpoint", AUTO_CHECKPOINT)?;
        writer.pragma_update(None, "journal_size_limit", WAL_KEPT)?;
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

    /// What the server takes as of the last time that it was asked, by this store or another on the file; the protocol's own limits before.
    ///
    /// While another thread writes they are as of the beginning of its write.
    pub fn limits(&self) -> Arc<Limits> {
        if let Some(writer) = self.writer.try_lock() {
            self.refresh_limits(&writer);
        }
        Arc::clone(&self.limits.read())
    }

    /// Takes what another store was told meanwhile. What cannot be read stays as it was: whoever writes next hears of that.
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

    /// Runs `work` in one transaction that sees the newest commit and excludes every other writer.
    ///
    /// An error rolls everything back. `work` must not wait for anything.
    pub fn write<T>(&self, work: impl FnOnce(&Writing<'_>) -> Result<T>) -> Result<T> {
        let writer = self.writer.lock();
        begin(&writer)?;
        self.finish(writer, false, work)
    }

    /// Like [`Replica::write`], and on the disk itself before it returns, whatever the durability setting.
    pub fn write_synced<T>(&self, work: impl FnOnce(&Writing<'_>) -> Result<T>) -> Result<T> {
        let writer = self.writer.lock();
        let raised = self.raise_synchronous(&writer)?;
        match begin(&writer) {
            Ok(()) => self.finish(writer, raised, work),
            Err(error) => self.lower_synchronous(&writer, raised).and(Err(error)),
        }
    }

    /// Like [`Replica::write`] or, `synced`, [`Replica::write_synced`], for a caller that must be able to end while it waits for
    /// other writers, in this process and others: [`Error::Cancelled`] soon after `goes_on` says no.
    pub fn write_while<T>(
        &self,
        goes_on: impl Fn() -> bool,
        synced: bool,
        work: impl FnOnce(&Writing<'_>) -> Result<T>,
    ) -> Result<T> {
        let since = Instant::now();
        let mut told = false;
        loop {
            if !goes_on() {
                return Err(Error::Cancelled);
            }
            let Some(writer) = self.writer.try_lock_for(LOOK) else { continue };
            let raised = synced && self.raise_synchronous(&writer)?;
            writer.busy_timeout(LOOK.min(self.tuning.busy_timeout))?;
            let begun = begin(&writer);
            writer.busy_timeout(self.tuning.busy_timeout)?;
            match begun {
                Ok(()) => return self.finish(writer, raised, work),
                Err(error) => {
                    self.lower_synchronous(&writer, raised)?;
                    if !matches!(error, Error::Busy) || since.elapsed() >= self.tuning.busy_timeout {
                        return Err(error);
                    }
                    drop(writer);
                    if !std::mem::replace(&mut told, true) {
                        self.bus.log(LogLevel::Debug, || "waits for another writer of the file".into());
                    }
                }
            }
        }
    }

    /// Runs `work` in the transaction that was begun, and ends that.
    fn finish<T>(
        &self,
        writer: MutexGuard<'_, Connection>,
        raised: bool,
        work: impl FnOnce(&Writing<'_>) -> Result<T>,
    ) -> Result<T> {
        self.refresh_limits(&writer);
        let (result, (wakers, news, untold)) = transaction(&writer, &self.feed, self.bus.is_heard(), work);
        let lowered = self.lower_synchronous(&writer, raised);
        let filled = if result.is_ok() { self.bus.committed(news) } else { Filled::default() };
        // A loop of slices would otherwise win the lock back before a waiting host's write.
        MutexGuard::unlock_fair(writer);
        wake(wakers);
        filled.wake();
        // Who began to listen since may have looked before the commit.
        if result.is_ok() && untold && self.bus.is_heard() {
            self.bus.outcomes_uncounted();
        }
        lowered.and(result)
    }

    /// Has the next commit synced; whether it would not be otherwise. A WAL is synced from its start to the commit, so all
    /// earlier commits become durable too.
    fn raise_synchronous(&self, writer: &Connection) -> Result<bool> {
        let raised = !(self.tuning.full || planted(Planted::SentNotSynced));
        if raised {
            set_synchronous(writer, true)?;
        }
        Ok(raised)
    }

    fn lower_synchronous(&self, writer: &Connection, raised: bool) -> Result<()> {
        if raised { set_synchronous(writer, false) } else { Ok(()) }
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

    /// Lets the WAL grow longer until [`Replica::end_bulk`], for a load that moves it itself.
    pub fn begin_bulk(&self) -> Result<()> {
        Ok(self.writer.lock().pragma_update(None, "wal_autocheckpoint", BULK_CHECKPOINT)?)
    }

    /// Ends what [`Replica::begin_bulk`] began; waits for other writers of this store only while it `goes_on`.
    pub fn end_bulk(&self, goes_on: impl Fn() -> bool) -> Result<()> {
        loop {
            if let Some(writer) = self.writer.try_lock_for(LOOK) {
                return Ok(writer.pragma_update(None, "wal_autocheckpoint", AUTO_CHECKPOINT)?);
            }
            if !goes_on() {
                return Ok(());
            }
        }
    }

    /// Moves what it can of the WAL into the file without making any reader or writer wait.
    pub fn checkpoint(&self) -> Result<()> {
        // A connection of its own: the writer's lock would make the host's writes wait for the disk.
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Writes the file anew without its free pages, and cuts it.
    pub fn compact(&self) -> Result<()> {
        let writer = self.writer.lock();
        // The copy goes into the WAL, which has room for it then.
        self.truncate_wal(&writer)?;
        // In memory, where everything else that is temporary is, the copy may be more than the process can have.
        writer.pragma_update(None, "temp_store", "FILE")?;
        let vacuumed = writer.execute_batch("VACUUM").map_err(Error::from);
        writer.pragma_update(None, "temp_store", "MEMORY")?;
        vacuumed?;
        let moved = self.move_wal(&writer);
        self.truncate_wal(&writer)?;
        MutexGuard::unlock_fair(writer);
        moved
    }

    /// Moves all of the WAL into the file, which is cut to its new size by that.
    fn move_wal(&self, writer: &Connection) -> Result<()> {
        let begun = Instant::now();
        loop {
            // It waits for readers of what was before, and not for another connection that is at the same.
            let busy: bool = writer.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| row.get(0))?;
            if !busy {
                return Ok(());
            }
            if begun.elapsed() >= self.tuning.busy_timeout {
                return Err(Error::Busy);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Moves the WAL into the file and cuts it to nothing, unless anybody is reading from it; then it is cut later.
    fn truncate_wal(&self, writer: &Connection) -> Result<()> {
        writer.busy_timeout(Duration::ZERO)?;
        let cut = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(Error::from);
        writer.busy_timeout(self.tuning.busy_timeout)?;
        match cut {
            Err(Error::Busy) => Ok(()),
            other => other,
        }
    }

    fn open_reader(&self) -> Result<Connection> {
        let reader = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Not opened read-only: a reader of a WAL needs to write its shared memory.
        reader.pragma_update(None, "query_only", true)?;
        Ok(reader)
    }

    fn connect(&self, access: OpenFlags) -> Result<Connection> {
        let connection = open(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX, &self.tuning)?;
        connection.busy_timeout(self.tuning.busy_timeout)?;
        tune(&connection, &self.tuning)?;
        Ok(connection)
    }
}

fn open(path: &Path, flags: OpenFlags, tuning: &Tuning) -> Result<Connection> {
    Ok(match &tuning.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
        None => Connection::open_with_flags(path, flags)?,
    })
}

pub(super) fn tune(connection: &Connection, tuning: &Tuning) -> Result<()> {
    // SQLite as it is bundled would plan a statement anew for each value bound to it, which takes longer than
    // running it. There are no statistics in the file that a plan could depend on.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    // What a disk of Apple's systems needs to sync in earnest; nothing elsewhere. Once for each connection, since setting
    // them makes SQLite plan every prepared statement anew.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    set_synchronous(connection, tuning.full)?;
    // Negative: in KiB rather than in pages.
    let kib = i64::try_from(tuning.cache_bytes / 1024).unwrap_or(i64::MAX);
    connection.pragma_update(None, "cache_size", -kib.max(64))?;
    // No mmap: an I/O error under a mapping is a signal that ends the host's process.
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

fn set_synchronous(connection: &Connection, full: bool) -> Result<()> {
    Ok(connection.pragma_update(None, "synchronous", if full { "FULL" } else { "NORMAL" })?)
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

fn begin(writer: &Connection) -> Result<()> {
    // Cached, unlike rusqlite's own transactions: this is on the path of every write.
    writer.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    Ok(())
}

/// Runs `work` in the transaction that the connection is in, and commits or rolls back.
fn transaction<T>(
    connection: &Connection,
    feed: &Feed,
    heard: bool,
    work: impl FnOnce(&Writing<'_>) -> Result<T>,
) -> (Result<T>, (Vec<Waker>, News, bool)) {
    let writing = Writing::new(connection, feed, heard);
    let result = within_transaction(&writing, work);
    if matches!(result, Err(Error::Storage(_) | Error::DiskFull | Error::Corrupt(_))) {
        forget_indexes(connection);
    }
    (result, writing.into_told())
}

/// Makes the connection read its schema anew, and FTS5 with it what it keeps of each index in memory.
///
/// Where the number of indexed rows cannot be read, FTS5 takes it for 0, keeps that through the rollback, and writes it with the next
/// change (SQLite 3.54, `fts5StorageLoadTotals`): the index would be damaged by one failed read.
fn forget_indexes(connection: &Connection) {
    if planted(Planted::SearchKeepsWhatFailed) {
        return;
    }
    // It reads nothing by itself, and what cannot be read later fails there.
    let _ = connection.execute_batch("PRAGMA writable_schema = RESET");
}

fn within_transaction<T>(writing: &Writing<'_>, work: impl FnOnce(&Writing<'_>) -> Result<T>) -> Result<T> {
    /// Rolls back unless disarmed, also when `work` unwinds.
    struct Rollback<'a>(Option<&'a Connection>);
    impl Drop for Rollback<'_> {
        fn drop(&mut self) {
            if let Some(connection) = self.0
                && !connection.is_autocommit()
            {
                // Nothing better can be done: SQLite rolls back at the latest when the connection closes.
                let _ = connection.execute_batch("ROLLBACK");
            }
        }
    }
    let mut guard = Rollback(Some(writing));
    let result = match work(writing) {
        Err(error) if planted(Planted::ErrorAfterHalfAWrite) => {
            writing.prepare_cached("COMMIT")?.execute([])?;
            return Err(error);
        }
        result => result?,
    };
    writing.commit()?;
    guard.0 = None;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conflict::ConflictId;
    use crate::event::{ConflictNews, EventOptions};
    use crate::outbox::Outcome;
    use crate::protocol::{Ref, ResourceName};
    use rusqlite::StatementStatus;
    use std::time::Duration;

    #[test]
    fn a_directory_that_is_not_there_is_named_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let error = crate::Store::open(missing.join("s.db"), crate::Options::default()).unwrap_err().to_string();
        assert!(error.contains(&format!("the directory {} does not exist", missing.display())), "{error}");
        assert!(!missing.exists());
    }

    #[test]
    fn what_sqlite_cannot_count_is_the_most_that_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let tuning = Tuning { full: false, cache_bytes: usize::MAX, busy_timeout: Duration::MAX, vfs: None };
        let replica = Replica::open(&dir.path().join("s.db"), tuning, || [7; 16]).unwrap();
        let told = |pragma: &str| {
            let ask = format!("PRAGMA {pragma}");
            replica.read(|reader| Ok(reader.query_row(&ask, [], |row| row.get::<_, i64>(0))?)).unwrap()
        };
        assert_eq!(told("busy_timeout"), i64::from(i32::MAX));
        let most = LARGEST_CACHE.min(usize::MAX as u64) >> 10;
        assert_eq!(told("cache_size"), -i64::try_from(most).unwrap());
    }

    #[test]
    fn who_begins_to_listen_during_a_transaction_is_told_that_it_settled_something() {
        let dir = tempfile::tempdir().unwrap();
        let tuning = Tuning { full: false, cache_bytes: 1 << 20, busy_timeout: Duration::from_secs(1), vfs: None };
        let replica = Replica::open(&dir.path().join("s.db"), tuning, || [7; 16]).unwrap();
        let next = |settles: bool| {
            let listening = replica.write(|writing| {
                let listening = replica.bus().listen(EventOptions::default(), || {});
                if settles {
                    writing.settled(Ref::from_parts(1, 1), || Outcome::Withdrawn(None));
                } else {
                    let on = ("c", "k", &ResourceName::Value);
                    writing.contested(ConflictId(1), on, ConflictNews::Begun);
                }
                Ok(listening)
            });
            let listening = listening.unwrap();
            let told = [listening.next(), listening.next()];
            replica.bus().cease(&listening);
            format!("{told:?}")
        };
        for settles in [true, false] {
            assert_eq!(next(settles), "[Entry(Event(Missed(OutcomesUncounted))), Empty]", "{settles}");
        }
        let listening = replica.write(|_| Ok(replica.bus().listen(EventOptions::default(), || {}))).unwrap();
        assert!(listening.is_empty(), "nothing was settled");
    }

    #[test]
    fn a_synced_commit_leaves_statements_as_they_were_planned() {
        let dir = tempfile::tempdir().unwrap();
        let tuning = Tuning { full: false, cache_bytes: 1 << 20, busy_timeout: Duration::from_secs(1), vfs: None };
        let replica = Replica::open(&dir.path().join("s.db"), tuning, || [7; 16]).unwrap();
        let planned_anew = || {
            let status = |writing: &Writing<'_>| -> Result<i32> {
                let mut find = writing.prepare_cached("SELECT position FROM state WHERE id = 1")?;
                find.query_row([], |row| row.get::<_, i64>(0))?;
                Ok(find.get_status(StatementStatus::RePrepare))
            };
            replica.write(status).unwrap()
        };
        assert_eq!(planned_anew(), 0);
        replica.write_synced(|_| Ok(())).unwrap();
        assert_eq!(planned_anew(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn what_could_not_be_read_of_others_changes_is_read_the_next_time() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join("s.db"), dir.path().join("aside.db"));
        let writing = crate::Store::open(&path, crate::Options::default()).unwrap();
        let tuning = Tuning { full: false, cache_bytes: 1 << 20, busy_timeout: Duration::from_secs(1), vfs: None };
        let replica = Replica::open(&path, tuning, || [7; 16]).unwrap();
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
