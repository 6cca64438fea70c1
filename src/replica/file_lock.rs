//! A lock of the operating system on a file, which a forked process neither keeps nor takes away.
//!
//! A fork has every open file too, and its locks with it. Where the holder only closed its own, the lock would stay until the other
//! process becomes another program or ends; and where the other one unlocks as it lets go of what it never took, the holder's is gone.

use std::fs::File;
use std::ops::Deref;

/// An open file whose lock ends with this, in the process that opened it.
#[derive(Debug)]
pub(super) struct FileLock {
    file: File,
    process: u32,
}

impl FileLock {
    pub fn new(file: File) -> FileLock {
        FileLock { file, process: std::process::id() }
    }

    /// Gives the lock back, if there is one. What cannot be unlocked ends with the process.
    pub fn release(&self) {
        if self.process == std::process::id() {
            let _ = self.file.unlock();
        }
    }
}

impl Deref for FileLock {
    type Target = File;
    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_ends_with_its_holder_and_not_with_a_forked_process() {
        let dir = tempfile::tempdir().unwrap();
        let open = || File::options().create(true).truncate(false).write(true).open(dir.path().join("lock")).unwrap();
        let other = open();
        let holder = FileLock::new(open());
        holder.try_lock().unwrap();
        // What a fork makes of each open file.
        let forked = FileLock { file: holder.try_clone().unwrap(), process: 0 };
        let forked_too = FileLock { file: holder.try_clone().unwrap(), process: 0 };
        drop(forked);
        assert!(other.try_lock().is_err(), "the fork let go, the holder has not");
        drop(holder);
        other.try_lock().unwrap();
        drop(forked_too);
    }
}
