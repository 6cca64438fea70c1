//! A connection that fails when the story wants it to.
//!
//! Anything that implements [`Wire`] can carry a store's syncs; this one passes everything on to another.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use syncstore::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, PullRequest, Traffic, Wire, WireError};

/// What becomes of a push.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Arrives,
    /// The server commits it, and its answer never comes back.
    LosesItsAnswer,
    /// It never reaches the server.
    IsLost,
}

pub struct UnreliableWire<'a> {
    wire: &'a dyn Wire,
    fates: Mutex<VecDeque<Fate>>,
}

impl<'a> UnreliableWire<'a> {
    /// The pushes to come, one by one; any after them arrive.
    pub fn new(wire: &'a dyn Wire, fates: impl Into<VecDeque<Fate>>) -> UnreliableWire<'a> {
        UnreliableWire { wire, fates: Mutex::new(fates.into()) }
    }

    fn next_fate(&self) -> Fate {
        let mut fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        fates.pop_front().unwrap_or(Fate::Arrives)
    }
}

impl Wire for UnreliableWire<'_> {
    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        let broken = || Err(WireError::Unreachable("the connection broke".into()));
        match self.next_fate() {
            Fate::Arrives => self.wire.push(request),
            Fate::LosesItsAnswer => self.wire.push(request).and_then(|_| broken()),
            Fate::IsLost => broken(),
        }
    }

    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.wire.info()
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        self.wire.pull(request)
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.wire.checkpoint(request)
    }

    fn traffic(&self) -> Traffic {
        self.wire.traffic()
    }
}
