//! Pruning, one small slice at a time, so that no push waits long for it.

use super::Retention;
use super::presence::Presence;
use crate::core::{Rules, approval, expire_batches};
use crate::storage::{BatchKey, ClientKey, LogKept, Stored, Transaction};
use std::time::Duration;
use syncstore::protocol::{ClientId, Ref, Seq};

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
    Staged,
    Queued,
    Freed,
    Batches(BatchKey),
    /// Checkpoints before the log, which they hold: nothing above the lowest place that one of those before `after` needs
    /// is to go, nor what is younger than this look at them.
    Checkpoints {
        after: Option<[u8; 16]>,
        held: Seq,
    },
    Log {
        held: Seq,
    },
    Refs(Option<Ref>),
    Clients(ClientKey),
    Replays(Option<ClientId>),
}

impl Round {
    pub const BEGIN: Round = Round::Staged;

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
            Round::Batches(after) => match transaction.prune_batches(after, (before(retention.refs), now), SLICE)? {
                Some(last) => Round::Batches(last),
                None => Round::Checkpoints { after: None, held: transaction.state().head },
            },
            Round::Checkpoints { after, mut held } => {
                let (idle, made) = (before(retention.checkpoint_idle), before(retention.checkpoint));
                let rows = transaction.checkpoints(after.as_ref(), SLICE)?;
                for row in &rows {
                    if row.used < idle || row.made < made {
                        transaction.remove_checkpoint(&row.id)?;
                    } else {
                        held = held.min(presence.replayed_to(row));
                    }
                }
                match rows.last().filter(|_| rows.len() == SLICE as usize) {
                    Some(last) => Round::Checkpoints { after: Some(last.id), held },
                    None => Round::Log { held },
                }
            }
            Round::Log { held } => match transaction.prune_log(
                LogKept { entries: retention.log_entries, bytes: rules.room.log() },
                held,
                SLICE,
            )? {
                0 => Round::Refs(None),
                _ => Round::Log { held },
            },
            Round::Refs(after) => match transaction.prune_refs(after, before(retention.refs), SLICE)? {
                Some(last) => Round::Refs(Some(last)),
                None => Round::Clients(ClientKey(0)),
            },
            Round::Clients(after) => match transaction.prune_clients(after, before(retention.clients_kept()), SLICE)? {
                Some(last) => Round::Clients(last),
                None => Round::Replays(None),
            },
            Round::Replays(after) => match presence.forget_replays(transaction, after, SLICE)? {
                Some(last) => Round::Replays(Some(last)),
                None => Round::Over,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::approval::Approval;
    use crate::storage::sqlite::{SqliteFile, SqliteTransaction, WriterCaches};
    use std::collections::HashMap;
    use syncstore::protocol::Limits;

    fn rules() -> Rules {
        Rules {
            limits: Limits::default(),
            policies: Default::default(),
            approval: Approval::default(),
            room: crate::core::Room { limit: u64::MAX, reserve: 0 },
            most_work: u64::MAX,
        }
    }

    // How many slices of each kind a round has at 10,000,000 seconds after 1970, and where checkpoints held the log.
    fn round(transaction: &mut impl Transaction, presence: &Presence) -> (HashMap<&'static str, u32>, Seq) {
        let (retention, rules) = (Retention::default(), rules());
        let (mut round, mut slices, mut held_at) = (Round::BEGIN, HashMap::new(), 0);
        while round != Round::Over {
            match round {
                Round::Checkpoints { .. } => *slices.entry("checkpoints").or_default() += 1,
                Round::Batches(_) => *slices.entry("batches").or_default() += 1,
                Round::Replays(_) => *slices.entry("replays").or_default() += 1,
                Round::Log { held } => held_at = held,
                _ => {}
            }
            round = round.slice(transaction, &rules, &retention, presence, 10_000_000_000).unwrap();
        }
        (slices, held_at)
    }

    #[test]
    fn a_slice_looks_at_a_bounded_number_of_rows_and_a_checkpoint_among_thousands_holds_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let file = SqliteFile::new(directory.path().join("db.sqlite"), false, None);
        let mut connection = file.writer([1; 16]).unwrap();
        // Every tenth checkpoint has not been used for long, those at and below 7 among them; the next is read to its end.
        connection
            .execute_batch(
                "UPDATE state SET head = 9000, next = 9001;
                 CREATE TEMP TABLE n AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2500)
                 SELECT n FROM n;
                 INSERT INTO batches SELECT n, 1, randomblob(16), 2, 2, 1, 1, 5 FROM n;
                 INSERT INTO checkpoints SELECT CAST(printf('%016d', n) AS BLOB), CAST(printf('%016d', n) AS BLOB),
                     zeroblob(16), iif(n = 1234, 50, iif(n % 10 = 0, 7, 100)), NULL, 0, 0, 10000000000,
                     iif(n % 10 = 0, 5, 10000000000) FROM n",
            )
            .unwrap();
        let mut caches = WriterCaches::default();
        let mut transaction = SqliteTransaction::begin(&mut connection, &mut caches).unwrap();
        let presence = Presence::default();
        let all = transaction.checkpoints(None, 10_000).unwrap();
        all.iter().for_each(|row| presence.give_page(row, true));
        let (slices, held) = round(&mut transaction, &presence);
        assert_eq!(slices, HashMap::from([("batches", 3), ("checkpoints", 3), ("replays", 3)]));
        assert_eq!((held, transaction.checkpoints(None, 10_000).unwrap().len()), (50, 2250));
        // Its client has read the log up to 60 since; those of the checkpoints that are gone are forgotten.
        presence.replay_from(&all[1233].client, 0, 60);
        assert_eq!(round(&mut transaction, &presence).1, 60);
        assert_eq!((presence.replayed_to(&all[9]), presence.replayed_to(&all[1233])), (7, 60));
        let gone = |presence: &Presence| {
            presence.replay_from(&all[9].client, 0, 8);
            presence.replayed_to(&all[9])
        };
        assert_eq!(gone(&presence), 7);
        presence.give_page(&all[9], true);
        assert_eq!(gone(&presence), 8, "as one that is not forgotten");
        for row in &all {
            transaction.remove_checkpoint(&row.id).unwrap();
        }
        assert_eq!(round(&mut transaction, &presence).1, 9000, "what is younger than the look at them is not pruned");
    }
}
