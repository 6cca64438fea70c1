//! How much a push may ask of the one thread that writes.
//!
//! A small op can ask for much: a patch of a few bytes reads and writes the whole value. So what is counted is the bytes of
//! the values that the ops make the server read and write, besides something for each op and for each element of an array
//! that a patch moves.

use super::examine::rejection;
use super::push::Push;
use crate::storage::{Rejection, Transaction};
use syncstore::protocol::Code;

/// What an op takes besides the values and its item's tags, in the bytes that take as long.
pub const OP: usize = 1 << 10;

/// What it takes to look at one entry of the log, besides the tags in it, or at one other row that an op has no part in.
pub const ENTRY: usize = 1 << 7;

/// What it takes to move one element of an array, which has 32 bytes of memory: these are only copied, so it is far less.
pub const MOVED: usize = 4;

// How many times the bound of a push the ops of one batch may take, which no push divides.
const BATCH: u64 = 16;

impl<T: Transaction> Push<'_, T> {
    /// Whether what was decided in this push takes as much as a push may: then the rest of it waits for the next one. Each
    /// push has at least one op decided, with all of the batch that it completes.
    pub fn is_spent(&self) -> bool {
        self.transaction.work() - self.began >= self.rules.most_work.max(1)
    }

    /// Why no further op of the present batch is applied, if the batch takes too much already.
    pub fn beyond_work(&self) -> Option<Rejection> {
        let most = self.rules.most_work.saturating_mul(BATCH);
        let message = "the batch makes the server read, write and move too many bytes of values";
        (self.transaction.work() - self.batch_began > most).then(|| rejection(Code::TOO_LARGE, message))
    }
}
