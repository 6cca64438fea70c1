//! The store
//!
//! A store is one file: everything in it is read and written at once, without the network. Several stores, of several processes too, may
//! have one file open.

use super::error::syncstore_error;
use super::kit::failure::Failure;
use super::kit::handle::{self, Handle, Life};
use super::kit::input::{flag, milliseconds};
use super::kit::output::Plain;
use super::kit::sized::StructSize;
use super::resolver::syncstore_resolver;
use super::status::{SYNCSTORE_CLOSED, syncstore_status};
use super::text::syncstore_text;
use crate::background::Stopped;
use crate::cancel::Cancel;
use crate::protocol::{Filter, FilterError};
use crate::store::{Durability, Held, Opened, Options, Store};
use std::ffi::c_char;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The longest that closing waits.
const CLOSING: Duration = Duration::from_millis(250);

/// A store. It may be used by any number of threads at a time.
pub struct syncstore {
    life: Life,
    opened: Opened,
    /// Ends the syncs of other threads when it is closed, in the middle of a request too.
    pub(super) closing: Arc<Cancel>,
}

impl Handle for syncstore {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl syncstore {
    /// The store, for the time of a call; a child asks it of the store that it keeps, so that it ends with it.
    pub fn store(&self) -> Result<Arc<Held>, Failure> {
        self.life.check()?;
        self.opened.get().ok_or_else(closed)
    }

    fn close(&self) -> Result<Stopped, Failure> {
        self.closing.cancel();
        self.opened.close(CLOSING).ok_or_else(closed)
    }
}

fn closed() -> Failure {
    Failure::new(SYNCSTORE_CLOSED, "the store was closed")
}

/// What a write that was answered survives: a value of syncstore_options.durability.
pub type syncstore_durability = i32;

/// The end of the process, however it comes; a power loss may take the last writes that were not sent yet.
pub const SYNCSTORE_DURABILITY_NORMAL: syncstore_durability = 0;
/// Power loss too: each write waits for the disk.
pub const SYNCSTORE_DURABILITY_FULL: syncstore_durability = 1;

/// What became of what was to stop.
pub type syncstore_stopped = i32;

/// All of it has ended.
pub const SYNCSTORE_STOPPED_ENTIRELY: syncstore_stopped = 1;
/// All has ended but a request that cannot be cut off, or a callback of the host's; it ends by itself, and holds nothing of the store.
pub const SYNCSTORE_STOPPED_REQUEST_LEFT: syncstore_stopped = 2;
/// It was told to, and ends with the transaction, the call or the callback that it is in.
pub const SYNCSTORE_STOPPED_SOON: syncstore_stopped = 3;

pub(super) fn stopped(stopped: Stopped) -> syncstore_stopped {
    match stopped {
        Stopped::Entirely => SYNCSTORE_STOPPED_ENTIRELY,
        Stopped::RequestLeft => SYNCSTORE_STOPPED_REQUEST_LEFT,
        Stopped::Soon => SYNCSTORE_STOPPED_SOON,
    }
}

/// How a store is opened; begin with SYNCSTORE_OPTIONS_INIT. Of everything 0, or NULL, is the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_options {
    /// Set by SYNCSTORE_OPTIONS_INIT.
    pub struct_size: usize,
    /// SYNCSTORE_DURABILITY_NORMAL or SYNCSTORE_DURABILITY_FULL.
    pub durability: syncstore_durability,
    /// 1: no operation folds into the item's last one, though neither was sent.
    pub no_coalescing: i32,
    /// 1: the next page of a checkpoint is not fetched while the one before is stored.
    pub no_prefetch: i32,
    /// 1: the replica keeps everything, whatever the file says. Not with keep.
    pub keep_everything: i32,
    /// Which collections and keys the replica keeps, as the text of a filter ("notes,orders:2026-"); NULL: as the file has it.
    pub keep: *const c_char,
    /// The SQLite VFS to open the file through, registered with the SQLite within this library; NULL: SQLite's own.
    pub vfs: *const c_char,
    /// Decides conflicts as syncs find them; the store keeps what it needs of it. NULL: they wait in syncstore_conflicts().
    pub resolver: *mut syncstore_resolver,
    /// How long a write waits for another process that holds the file; 24 days at most. Default: 5 seconds.
    pub busy_timeout_ms: i64,
    /// The page cache of each connection to the file, in bytes. Default: 16 MiB.
    pub cache_bytes: u64,
    /// Settled outcomes older than this go, and conflicts that ended; rejections that wait to be dealt with and open conflicts never do by age. Default: 90 days; -1: age alone removes none.
    pub retention_age_ms: i64,
    /// The oldest settled outcomes beyond so many go. Default: 100,000; -1: number alone removes none.
    pub retention_outcomes: i64,
    /// The size of the file, in bytes, from which on no more is taken from a server. Default: 16 GiB.
    pub largest_file: u64,
    /// The most operations in a push. Default: 1,000.
    pub push_ops: u32,
    /// The most entries to ask for in a pull. Default: 1,000.
    pub pull_entries: u32,
    /// The most items to ask for in a page of a checkpoint. Default: 4,000.
    pub checkpoint_items: u32,
    /// The most pages that one sync reads. Default: 100,000.
    pub pages: u32,
    /// How often a request is tried in all by one sync; 1: once. Default: 4.
    pub retry_attempts: u64,
    /// The longest wait after the first failure; it doubles with each one. Default: 250 ms.
    pub retry_first_wait_ms: i64,
    /// No wait is longer, but one that the server asks for. Default: 10 seconds.
    pub retry_longest_wait_ms: i64,
    /// A sync gives up rather than wait longer than this in all. Default: 30 seconds; -1: it never waits.
    pub retry_total_wait_ms: i64,
}

// SAFETY: numbers and pointers.
unsafe impl Plain for syncstore_options {}
// SAFETY: it begins with its size, and its last member is as wide as its alignment.
unsafe impl StructSize for syncstore_options {
    const FIRST_SIZE: usize = size_up_to!(syncstore_options.retry_total_wait_ms);
}

/// 0 is the default, -1 is none.
fn or_none(value: i64, name: &str, default: Option<u64>) -> Result<Option<u64>, Failure> {
    match value {
        0 => Ok(default),
        -1 => Ok(None),
        _ => u64::try_from(value).map(Some).map_err(|_| Failure::misuse(name, "is below -1")),
    }
}

fn or_default<T: Default + PartialEq>(value: T, default: T) -> T {
    if value == T::default() { default } else { value }
}

/// # Safety
///
/// Its texts are NULL, or end with NUL.
unsafe fn read_options(given: syncstore_options) -> Result<Options, Failure> {
    use super::kit::input::name;
    let durability = match given.durability {
        SYNCSTORE_DURABILITY_NORMAL => Durability::Normal,
        SYNCSTORE_DURABILITY_FULL => Durability::Full,
        _ => return Err(Failure::misuse("options.durability", "is none of the constants")),
    };
    let coalescing = !flag(given.no_coalescing, "options.no_coalescing")?;
    let prefetch = !flag(given.no_prefetch, "options.no_prefetch")?;
    let mut options = Options { durability, coalescing, prefetch, ..Options::default() };
    // SAFETY: the condition above.
    let (keep, vfs) = unsafe { (name(given.keep, "options.keep")?, name(given.vfs, "options.vfs")?) };
    options.vfs = vfs.map(str::to_owned);
    // SAFETY: by the conventions of the header a handle is NULL, or was given out by this library and is not freed.
    options.resolver = unsafe { handle::other(given.resolver) }?.map(|resolver| resolver.shared());
    options.keep = match (keep, flag(given.keep_everything, "options.keep_everything")?) {
        (None, everything) => everything.then(Filter::everything),
        (Some(keep), false) => Some(filter(keep, "options.keep")?),
        (Some(_), true) => return Err(Failure::misuse("options.keep", "is set, and so is keep_everything")),
    };
    options.busy_timeout = milliseconds(given.busy_timeout_ms, "options.busy_timeout_ms", options.busy_timeout)?;
    let cache_bytes = usize::try_from(given.cache_bytes);
    let cache_bytes = cache_bytes.map_err(|_| Failure::misuse("options.cache_bytes", "is more than memory"))?;
    options.cache_bytes = or_default(cache_bytes, options.cache_bytes);
    let age = options.retention.age.map(|age| age.as_millis() as u64);
    let age = or_none(given.retention_age_ms, "options.retention_age_ms", age)?;
    options.retention.age = age.map(Duration::from_millis);
    options.retention.outcomes =
        or_none(given.retention_outcomes, "options.retention_outcomes", options.retention.outcomes)?;
    options.largest_file = or_default(given.largest_file, options.largest_file);
    options.push_ops = or_default(given.push_ops, options.push_ops);
    options.pull_entries = or_default(given.pull_entries, options.pull_entries);
    options.checkpoint_items = or_default(given.checkpoint_items, options.checkpoint_items);
    options.pages = or_default(given.pages, options.pages);
    let retry = &mut options.retry;
    retry.attempts = or_default(u32::try_from(given.retry_attempts).unwrap_or(u32::MAX), retry.attempts);
    retry.first_wait = milliseconds(given.retry_first_wait_ms, "options.retry_first_wait_ms", retry.first_wait)?;
    retry.longest_wait =
        milliseconds(given.retry_longest_wait_ms, "options.retry_longest_wait_ms", retry.longest_wait)?;
    let total = or_none(given.retry_total_wait_ms, "options.retry_total_wait_ms", Some(30_000))?;
    retry.total_wait = Duration::from_millis(total.unwrap_or(0));
    Ok(options)
}

/// A filter from its text.
pub(super) fn filter(text: &str, name: &str) -> Result<Filter, Failure> {
    Filter::parse(text).map_err(|error| match error {
        FilterError::Malformed(why) => Failure::misuse(name, &format!("is no filter: {why}")),
        FilterError::Limit(error) => crate::error::Error::from(error).into(),
    })
}

/// Opens the replica at a path, and creates it where there is no file.
///
/// path: the file, in a directory that exists.
/// options: NULL is the default.
/// store: takes the store; close it by syncstore_close() or syncstore_free().
/// Errors: SYNCSTORE_NOT_A_REPLICA, SYNCSTORE_NEWER_SCHEMA and SYNCSTORE_CORRUPT leave the file as it is; SYNCSTORE_STORAGE
/// when it cannot be opened or created; SYNCSTORE_LIMIT for what options.keep cannot be; SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_open(
    path: *const c_char,
    options: *const syncstore_options,
    store: *mut *mut syncstore,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required store], || {
        let path = Path::new(name!(path));
        let given = options!(options);
        // SAFETY: by the conventions of the header texts within options are NULL or end with NUL.
        let options = unsafe { read_options(given) }?;
        let opened = Opened::new(Store::open(path, options)?);
        store.give(syncstore { life: Life::new(), opened, closing: Arc::default() })
    })
}

/// Closes a store: cuts off its syncs, ends every wait, and closes the file. Nothing is lost. It waits at most 250 ms, and may be
/// called within a callback. Later calls on the store, and on what was made of it, answer SYNCSTORE_CLOSED; calls that other threads are within
/// come to their end. The handle has to be freed all the same.
///
/// how: takes what became of it: SYNCSTORE_STOPPED_ENTIRELY, when the file is closed; with SYNCSTORE_STOPPED_SOON it is about to be. May be NULL.
/// Errors: SYNCSTORE_CLOSED when it was closed before.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_close(
    store: *mut syncstore,
    how: *mut syncstore_stopped,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional how], |store| how.put(stopped(store.close()?)))
}

/// Frees a store, and closes it like syncstore_close() where that was not done. What was made of it stays to be freed. NULL is ignored.
///
/// Thread: any; no other may begin a call on this store any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_free(store: *mut syncstore) {
    free!(store, |store| {
        // Closed before is just as well.
        let _ = store.close();
    })
}

/// The replica's name to the server, a UUID; another one after it diverged.
///
/// client_id: takes the text; free it with syncstore_text_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_client_id(
    store: *mut syncstore,
    client_id: *mut syncstore_text,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required client_id], |store| {
        let id = store.store()?.client_id()?;
        client_id.put(syncstore_text::new(&id.to_string()))
    })
}
