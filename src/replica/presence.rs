//! Whether another store watches the file: each that does holds a shared lock on a file beside it.
//!
//! A lock of the operating system, which the end of a process gives back. All but the unlocking happens within write
//! transactions, of which there is one at a time for a file, so that one store's look is never another's obstacle.

use super::file_lock::FileLock;
use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// This store's hand on the file.
#[derive(Debug)]
pub(super) struct Presence {
    path: PathBuf,
    file: Option<FileLock>,
    held: bool,
}

impl Presence {
    pub fn new(replica: &Path) -> Presence {
        let mut name = OsString::from(replica);
        name.push("-watch");
        Presence { path: PathBuf::from(name), file: None, held: false }
    }

    /// Shows the other stores that this one watches.
    pub fn begin(&mut self) -> Result<()> {
        let storage = |error: std::io::Error| Error::Storage(format!("{}: {error}", self.path.display()).into());
        let file = match self.file.take() {
            Some(file) => file,
            None => File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&self.path)
                .map(FileLock::new)
                .map_err(storage)?,
        };
        match file.try_lock_shared() {
            // Without locks others take its being there for a watcher.
            Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => return Err(storage(error)),
            // Another program's; the next look tries again.
            Ok(()) | Err(_) => {}
        }
        self.file = Some(file);
        self.held = true;
        Ok(())
    }

    /// Takes that back.
    pub fn end(&mut self) {
        if let Some(file) = self.file.as_ref().filter(|_| self.held) {
            // What cannot be unlocked makes others write a trail that nobody reads.
            file.release();
        }
        self.held = false;
    }

    /// Whether another store watches, or cannot be told not to.
    pub fn of_others(&mut self) -> bool {
        if self.file.is_none() {
            match File::options().read(true).write(true).open(&self.path) {
                Ok(file) => self.file = Some(FileLock::new(file)),
                Err(error) => return error.kind() != ErrorKind::NotFound,
            }
        }
        let Some(file) = &self.file else { return true };
        if self.held {
            let _ = file.unlock();
        }
        let alone = file.try_lock().is_ok();
        if alone {
            let _ = file.unlock();
        }
        if self.held {
            let _ = file.try_lock_shared();
        }
        !alone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_sees_the_others_and_never_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let (mut one, mut other) = (Presence::new(&path), Presence::new(&path));
        assert!(!one.of_others());
        one.begin().unwrap();
        assert!(!one.of_others() && other.of_others());
        other.begin().unwrap();
        assert!(one.of_others() && other.of_others());
        one.end();
        assert!(one.of_others() && !other.of_others());
        drop(other);
        assert!(!one.of_others());
    }

    #[test]
    fn a_forked_process_is_no_watcher() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let (mut one, mut other) = (Presence::new(&path), Presence::new(&path));
        other.begin().unwrap();
        // What a fork makes of each open file.
        let forked = other.file.as_ref().unwrap().try_clone().unwrap();
        drop(other);
        assert!(!one.of_others());
        drop(forked);
    }
}
