//! Taking into what is declared what its collection held before, a slice at a time.

use super::Store;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::replica::Writing;
use crate::sync::{Access, Progress};
use rusqlite::Connection;

/// Items that one transaction of a build takes: some milliseconds.
const SLICE: u32 = 250;

impl Store {
    /// Calls `slice` until it says that it is done, each time in a transaction of its own; it answers how many items it took.
    pub(super) fn build_in_slices(
        &self,
        cancel: Option<&Cancel>,
        count: impl FnOnce(&Connection) -> Result<u64>,
        mut slice: impl FnMut(&Writing<'_>, u32) -> Result<(u64, bool)>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let access = Access::new(&self.replica, cancel);
        let total = access.read(count)?;
        let mut loaded = 0;
        loop {
            let (items, done) = access.write(|connection| slice(connection, SLICE))?;
            loaded += items;
            if items > 0 {
                progress(Progress { loaded, total });
            }
            if done {
                return Ok(());
            }
        }
    }
}
