//! What a store tells its host, in one queue.

pub(crate) mod bell;
pub(crate) mod bus;
pub(crate) mod queue;

/// What [`queue`] is made of; a test puts others in their place.
mod primitives {
    pub use std::sync::{Condvar, Mutex, MutexGuard};
}

use crate::background::SyncStatus;
use crate::conflict::ConflictId;
use crate::outbox::Outcome;
use crate::protocol::Ref;
use crate::watch::{ItemChange, Overflow};
use std::fmt;

/// Something that a store tells: see [`Store::events`](crate::Store::events).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// An item that a subscription is about reads otherwise than before.
    Changed {
        /// Which subscription.
        subscription: Subscription,
        /// Which item, and what became of it.
        change: ItemChange,
    },
    /// More changed than a subscription can tell: look at everything that it is about again.
    Overflowed {
        /// Which subscription.
        subscription: Subscription,
        /// Why.
        why: Overflow,
    },
    /// An operation is settled: what became of it is final, and in the ledger.
    Settled {
        /// The operation.
        op_ref: Ref,
        /// Accepted, rejected, or withdrawn when a conflict was resolved.
        outcome: Outcome,
    },
    /// Another client changed what an operation of this replica was pending on: see
    /// [`Store::conflicts`](crate::Store::conflicts).
    Conflicted {
        /// The conflict.
        id: ConflictId,
    },
    /// The background sync is at something else. Of several in a row that nobody has looked at, the last one is told.
    Status(SyncStatus),
    /// Something to write into a log.
    Log(LogLine),
    /// There was more than is told.
    Missed(Missed),
}

/// What was not told, so that a host can look itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missed {
    /// So many operations were settled besides those that were told: ask [`Store::outcome`](crate::Store::outcome),
    /// [`Store::rejections`](crate::Store::rejections).
    Outcomes(u64),
    /// Operations may have been settled by another process, or undone by a restored server. Likewise.
    OutcomesUncounted,
    /// So many conflicts began: ask [`Store::conflicts`](crate::Store::conflicts).
    Conflicts(u64),
    /// So many lines.
    LogLines(u64),
}

/// A line for a log. It holds no secret, and no value of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// What happened.
    pub text: String,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Somebody has to do something.
    Error,
    /// It will pass, or is made good.
    Warn,
    /// What happened.
    Info,
    /// Each step.
    Debug,
}

/// Names one subscription of an [`Events`](crate::Events).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subscription(pub(crate) u64);

impl Subscription {
    /// Its number, which no other of its store has, for hosts that know numbers alone.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What to be told, and how much to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventOptions {
    /// The most settled operations that are held; of more, their number is. 0: none are told. Default: 1,024.
    pub outcomes: usize,
    /// The most conflicts that are held; of more, their number is. 0: none are told. Default: 1,024.
    pub conflicts: usize,
    /// The most log lines that are held; of more, their number is. Default: 256.
    pub log_lines: usize,
    /// The level down to which log lines are told; `None`: none are. Default: `Warn`.
    pub log_level: Option<LogLevel>,
}

impl Default for EventOptions {
    fn default() -> EventOptions {
        EventOptions { outcomes: 1_024, conflicts: 1_024, log_lines: 256, log_level: Some(LogLevel::Warn) }
    }
}

/// What one [`Events::pump`](crate::Events::pump) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pumped {
    /// Events handed out.
    pub events: usize,
    /// Whether there are more; no wake comes for them.
    pub more: bool,
}
