//! Pruning, one small slice at a time, so that no push waits long for it.

use super::Retention;
use super::presence::Presence;
use crate::core::{Rules, approval, expire_batches};
use crate::storage::{BatchKey, ClientKey, Stored, Transaction};
use std::time::Duration;
use syncstore::protocol::Ref;

// Rows looked at in one slice: a few milliseconds.
const SLICE: u32 = 1_000;
// Batches expired in one slice: each may have 10,000 ops.
const BATCHES: u32 = 1;
// Units that waited for an approver, expired in one slice.
const UNITS: u32 = 100;

/// What there is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Nothing: the round is over.
    Over,
    /// Checkpoints first: they hold the log.
    Checkpoints,
    Staged,
    Queued,
    Freed,
    Batches(BatchKey),
    Log,
    Refs(Option<Ref>),
    Clients(ClientKey),
}

impl Round {
    pub const BEGIN: Round = Round::Checkpoints;

    /// Does one slice at `now` (milliseconds since 1970) and says what comes next.
    pub fn slice(
        self,
        transaction: &mut impl Transaction,
        rules: &Rules,
        retention: &Retention,
        presence: &Presence,
        now: u64,
    ) -> Stored<Round> {
        let before = |kept: Duration| now.saturating_sub(u64::try_from(kept.as_millis()).unwrap_or(u64::MAX));
        Ok(match self {
            Round::Over => Round::Over,
            Round::Checkpoints => {
                transaction.prune_checkpoints(before(retention.checkpoint_idle), before(retention.checkpoint))?;
                presence.forget_replays(transaction)?;
                Round::Staged
            }
            Round::Staged => {
                let expired = expire_batches(transaction, rules, before(retention.staged), now, BATCHES)?;
                if expired > 0 { Round::Staged } else { Round::Queued }
            }
            Round::Queued => match approval::expire(transaction, rules, before(retention.queued), now, UNITS)? {
                0 => Round::Freed,
                _ => Round::Queued,
            },
            Round::Freed => match approval::release(transaction, rules, now)?.more_free {
                true => Round::Freed,
                false => Round::Batches(BatchKey(0)),
            },
            // What became of a batch is known for as long as what became of its refs is.
            Round::Batches(after) => match transaction.prune_batches(after, before(retention.refs), SLICE)? {
                Some(last) => Round::Batches(last),
                None => Round::Log,
            },
            Round::Log => match transaction.prune_log(retention.log_entries, &presence.replayed(), SLICE)? {
                0 => Round::Refs(None),
                _ => Round::Log,
            },
            Round::Refs(after) => match transaction.prune_refs(after, before(retention.refs), SLICE)? {
                Some(last) => Round::Refs(Some(last)),
                None => Round::Clients(ClientKey(0)),
            },
            Round::Clients(after) => match transaction.prune_clients(after, before(retention.clients_kept()), SLICE)? {
                Some(last) => Round::Clients(last),
                None => Round::Over,
            },
        })
    }
}
