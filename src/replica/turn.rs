//! Whose turn it is to sync: one store at a time, of all that have the file open, in any process.
//!
//! A lock of the operating system on a file beside the replica, so that the end of a process, however it
//! comes, gives the turn back: unless one that it had forked, and that is still that program, outlives it.

use super::file_lock::FileLock;
use crate::environment::Environment;
use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks at whether the other store is done.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The turn to sync; given back when dropped. `None`: the file system has no locks.
#[derive(Debug)]
pub(crate) struct Turn {
    _lock: Option<FileLock>,
}

/// Takes the turn, waiting for another store up to `patience`, or for as long as it `goes_on`.
pub(crate) fn take(
    replica: &Path,
    patience: Duration,
    environment: &dyn Environment,
    goes_on: impl Fn() -> bool,
) -> Result<Turn> {
    let path = beside(replica);
    let file = File::options().create(true).truncate(false).read(true).write(true).open(&path);
    let file = file.map_err(|error| Error::Storage(format!("{}: {error}", path.display()).into()))?;
    let file = FileLock::new(file);
    let begun = environment.monotonic();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Turn { _lock: Some(file) }),
            Err(TryLockError::WouldBlock) if environment.monotonic().saturating_sub(begun) >= patience => {
                return Err(Error::SyncedElsewhere);
            }
            Err(TryLockError::WouldBlock) if !goes_on() => return Err(Error::Cancelled),
            Err(TryLockError::WouldBlock) => environment.sleep(LOOK_AGAIN),
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                return Ok(Turn { _lock: None });
            }
            Err(TryLockError::Error(error)) => {
                return Err(Error::Storage(format!("{}: {error}", path.display()).into()));
            }
        }
    }
}

fn beside(replica: &Path) -> PathBuf {
    let mut name = OsString::from(replica);
    name.push("-sync");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::SystemEnvironment;

    #[test]
    fn one_store_has_the_turn_and_its_end_gives_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let environment = SystemEnvironment::default();
        let first = take(&path, Duration::ZERO, &environment, || true).unwrap();
        assert!(matches!(take(&path, Duration::ZERO, &environment, || true), Err(Error::SyncedElsewhere)));
        let long = Duration::from_secs(3_600);
        assert!(matches!(take(&path, long, &environment, || false), Err(Error::Cancelled)));
        drop(first);
        take(&path, Duration::ZERO, &environment, || true).unwrap();
    }

    #[test]
    fn a_forked_process_does_not_keep_the_turn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let environment = SystemEnvironment::default();
        let first = take(&path, Duration::ZERO, &environment, || true).unwrap();
        // What a fork makes of each open file.
        let forked = first._lock.as_ref().unwrap().try_clone().unwrap();
        drop(first);
        take(&path, Duration::ZERO, &environment, || true).unwrap();
        drop(forked);
    }
}
