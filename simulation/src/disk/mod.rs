//! A disk in memory, as an SQLite VFS, that can stop, lose power, run full and fail, all from one seed.
//!
//! What is on it is as durable as SQLite may assume of a careful system, and no more:
//!
//! - A successful `xSync` makes the file's bytes and its size durable. Until then a power loss decides for
//!   each sector of 512 bytes which of its changes it keeps, and for the size apart from them: a sector is as of one
//!   moment, never mixed, and bytes that were synced stay (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`). What a file grew by
//!   and never got reads as zeros, or as garbage.
//! - A new name and a delete may be undone, each by itself, until their directory is synced: by a delete with `syncDir`, and,
//!   as under unix, by the first sync of a new file in it.
//! - One power loss in four loses everything that was not synced, one in four keeps all of it, one in four keeps what
//!   came before some moment, and one decides sector by sector.
//!
//! The disk makes no system calls and draws nothing from the system. What differs between two runs of one seed is in the
//! bytes alone: SQLite draws the salts of its write-ahead log from the process.

mod content;
mod faults;
mod locks;
mod state;
mod vfs;

pub use faults::{Fault, Stop};

use parking_lot::Mutex;
use state::State;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vfs::Registration;

/// A disk with its files; clones are the same disk.
///
/// Keep one clone for as long as anything may open files on it; the VFS goes when the last clone and the last open file
/// are gone. It may be used from any thread.
#[derive(Clone)]
pub struct Disk {
    registration: Arc<Registration>,
}

/// What a disk had at some moment, as if all of it were synced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image(BTreeMap<String, Arc<Vec<u8>>>);

impl Image {
    /// The same files where those of a database at `from`, its log among them, are those of one at `to`.
    pub fn renamed(&self, from: &Path, to: &Path) -> Image {
        let (from, to) = (name_of(from), name_of(to));
        let renamed = self.0.iter().map(|(name, bytes)| {
            let name = name.strip_prefix(&from).map_or_else(|| name.clone(), |suffix| format!("{to}{suffix}"));
            (name, Arc::clone(bytes))
        });
        Image(renamed.collect())
    }
}

impl Disk {
    /// An empty disk, under a name that no other has; SQLite's default VFS stays what it is.
    pub fn new(seed: u64) -> Disk {
        Disk { registration: Registration::new(Arc::new(Mutex::new(State::new(seed)))) }
    }

    /// The name of its VFS.
    pub fn name(&self) -> &str {
        self.registration.name()
    }

    fn state(&self) -> parking_lot::MutexGuard<'_, State> {
        self.registration.state().lock()
    }

    /// Sets the clock that SQL's date functions read; it begins at 1970 and stands.
    pub fn set_clock(&self, unix_ms: u64) {
        self.state().unix_ms = unix_ms;
    }

    /// Whether a busy handler that waits really does, for tests with threads; by default it comes back at once.
    pub fn set_sleeps(&self, sleeps: bool) {
        self.state().sleeps = sleeps;
    }

    /// How many calls there were so far, of those that can fail: open, delete, access, read, write, truncate, sync, size
    /// and the mapping of shared memory. Locks do not count, nor what a stopped disk was asked.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// At the n-th call from now the machine stops: it and all later ones fail and change nothing. It takes
    /// the place of a stop that is still to come.
    pub fn stop_after(&self, calls: u64, how: Stop) {
        self.state().stop_after(calls, how);
    }

    /// At the n-th sync from now the machine stops, before anything of it is done, and in place of any other stop.
    pub fn stop_at_sync(&self, syncs: u64, how: Stop) {
        self.state().stop_at_sync(syncs, how);
    }

    /// Stops the machine.
    pub fn stop_now(&self, how: Stop) {
        self.state().stop(how);
    }

    /// Whether the machine stands still.
    pub fn is_stopped(&self) -> bool {
        self.state().stopped.is_some()
    }

    /// Lets the machine run again, with what the stop left; a stop that is still to come is called off. How it was stopped;
    /// `None`: it was not.
    ///
    /// Panics while a file is open: a connection must not outlive its machine.
    pub fn restart(&self) -> Option<Stop> {
        let mut state = self.state();
        assert_eq!(state.opened, 0, "files are open across a restart");
        state.restart()
    }

    /// One call fails, the n-th from now of those that can fail so, and the disk goes on.
    pub fn fail_after(&self, calls: u64, fault: Fault) {
        self.state().faults.once(calls, fault);
    }

    /// Every n-th call fails, of those that can fail so.
    pub fn fail_every(&self, n: u64, fault: Fault) {
        self.state().faults.every(n, fault);
    }

    /// How many calls failed by `fail_after` and `fail_every` so far.
    pub fn faults(&self) -> u64 {
        self.state().faults.struck
    }

    /// Whether a call is still to fail by `fail_after` or `fail_every`.
    pub fn has_faults(&self) -> bool {
        self.state().faults.are_to_come()
    }

    /// Nothing goes wrong any more: no call fails by `fail_after` and `fail_every`, no stop is to come, and there is
    /// room for everything.
    pub fn heal(&self) {
        self.state().heal();
    }

    /// The most bytes that all files may have; a write beyond it gets `SQLITE_FULL` and changes nothing.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Whether there is a limit on that.
    pub fn is_limited(&self) -> bool {
        self.state().capacity.is_some()
    }

    /// The bytes of all files, deleted ones that are still open among them.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// How many files are open; a connection to a database with a write-ahead log has two.
    pub fn open_files(&self) -> usize {
        self.state().opened
    }

    /// All files by name, with their size.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        self.state().contents().map(|(name, bytes)| (PathBuf::from(name), bytes.len() as u64)).collect()
    }

    /// The bytes of a file, synced or not.
    pub fn read_file(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.state().content(&name_of(path.as_ref())).map(|bytes| bytes.to_vec())
    }

    /// Puts a file on the disk, synced, in place of what was there.
    pub fn write_file(&self, path: impl AsRef<Path>, bytes: Vec<u8>) {
        self.state().put(&name_of(path.as_ref()), Arc::new(bytes));
    }

    /// Removes a file if it is there; who has it open keeps it.
    pub fn remove_file(&self, path: impl AsRef<Path>) {
        self.state().remove(&name_of(path.as_ref()));
    }

    /// What all files have now, synced or not; files are shared with it until one of them is written.
    pub fn image(&self) -> Image {
        Image(self.state().contents().map(|(name, bytes)| (name.clone(), Arc::clone(bytes))).collect())
    }

    /// Makes the files those of the image, in place of all others. Panics while a file is open.
    pub fn restore(&self, image: &Image) {
        let mut state = self.state();
        assert_eq!(state.opened, 0, "files are open while an image is restored");
        let names: Vec<String> = state.contents().map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| state.remove(name));
        image.0.iter().for_each(|(name, bytes)| state.put(name, Arc::clone(bytes)));
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// The name under which the VFS knows a path.
fn name_of(path: &Path) -> String {
    full_name(&path.to_string_lossy())
}

fn full_name(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}
