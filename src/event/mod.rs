//! What a store tells its host, in one queue.

pub(crate) mod bell;
pub(crate) mod bus;
pub(crate) mod pulse;
pub(crate) mod queue;

/// What [`queue`] is made of; a test puts others in their place.
mod primitives {
    pub use std::sync::{Condvar, Mutex, MutexGuard};
}

use crate::background::SyncStatus;
use crate::conflict::{ConflictId, Ending};
use crate::outbox::Outcome;
use crate::protocol::{Ref, ResourceName};
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
    /// An operation is settled: what became of it is in the ledger. Told once for each, but that of one which was refused without a place
    /// in the log, and which the log then turns out to have, [`Outcome::Accepted`] is told after the rejection.
    ///
    /// One that was folded into another is not told of: the other one is. Nor is it told again when the host retries a rejected one, or
    /// discards it; the new operation is told under its own ref, and [`Store::retry_of`](crate::Store::retry_of) leads back.
    Settled {
        /// The operation.
        op_ref: Ref,
        /// Accepted, rejected, or withdrawn.
        outcome: Outcome,
    },
    /// Something became of a conflict. [`Store::conflicts`](crate::Store::conflicts) has those that are open, with their sides.
    Conflict {
        /// The conflict.
        id: ConflictId,
        /// The collection of its item.
        collection: String,
        /// The key of its item.
        key: String,
        /// What of the item it is on.
        resource: ResourceName,
        /// What became of it.
        news: ConflictNews,
    },
    /// The background sync is at something else. Of several in a row that nobody has looked at, the last one is told.
    Status(SyncStatus),
    /// Something to write into a log.
    Log(LogLine),
    /// There was more than is told.
    Missed(Missed),
}

/// What became of a conflict: see [`Event::Conflict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConflictNews {
    /// A sync found it: once for each conflict.
    Begun,
    /// The host has to decide it, if anybody is to: there is no [resolver](crate::Options::resolver), or that has left it open, or failed. Told
    /// again when more of theirs came, and the resolver was asked again and has left that open, too.
    NeedsDeciding,
    /// It is over.
    Ended(Ending),
}

/// What was not told, so that a host can look itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missed {
    /// So many operations were settled besides those that were told: ask [`Store::outcome`](crate::Store::outcome),
    /// [`Store::rejections`](crate::Store::rejections).
    Outcomes(u64),
    /// Operations may have been settled by another process, or undone by a restored server, and conflicts may have begun. Likewise.
    OutcomesUncounted,
    /// So much became of conflicts besides what was told: ask [`Store::conflicts`](crate::Store::conflicts),
    /// [`Store::take_notices`](crate::Store::take_notices).
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
#[non_exhaustive]
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
    /// The most news of conflicts that are held; of more, their number is. 0: none are told. Default: 256.
    pub conflicts: usize,
    /// The most log lines that are held; of more, their number is. Default: 256.
    pub log_lines: usize,
    /// The level down to which log lines are told; `None`: none are. Default: `Warn`.
    pub log_level: Option<LogLevel>,
}

impl Default for EventOptions {
    fn default() -> EventOptions {
        EventOptions { outcomes: 1_024, conflicts: 256, log_lines: 256, log_level: Some(LogLevel::Warn) }
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
