//! Going around an op that no push gets past: a firewall that takes offence at its text, or a server that fails on it.
//!
//! Such an answer does not say that it is for the op, so nothing is given up for it (section 3 ◆13). What cannot go alone waits for the next call, and the rest goes.

use super::Halt;
use crate::error::Error;
use crate::wire::WireError;

/// Units that fail alone before anything has gone: then it is not for what is in them.
const MOST_BEFORE_ANY: u32 = 2;

/// And in a call in which others do go.
const MOST: u32 = 32;

/// What a pass over the outbox has learned of that.
#[derive(Default)]
pub(super) struct Isolation {
    any_gone: bool,
    alone: u32,
    first: Option<WireError>,
}

impl Isolation {
    /// The server has taken a push.
    pub fn gone(&mut self) {
        self.any_gone = true;
    }

    /// Whether a part that failed is to be halved; otherwise its first unit is tried alone, which tells soonest whether everything fails.
    pub fn halves(&self) -> bool {
        self.any_gone
    }

    /// A unit has failed alone. It is set aside, unless too many have.
    pub fn set_aside(&mut self, error: WireError) -> Result<(), Halt> {
        if self.alone >= if self.any_gone { MOST } else { MOST_BEFORE_ANY } {
            return Err(Error::Wire(error).into());
        }
        self.alone += 1;
        self.first.get_or_insert(error);
        Ok(())
    }

    /// The end of the pass: why something was set aside, where the rest has gone.
    pub fn end(self) -> Result<Option<WireError>, Halt> {
        match self.first {
            Some(error) if !self.any_gone => Err(Error::Wire(error).into()),
            first => Ok(first),
        }
    }
}
