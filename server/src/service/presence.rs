//! Who was here: what readers learn and the next write records.

use crate::core::SEEN_INTERVAL;
use crate::storage::{CheckpointRow, ClientKey, Snapshot, Stored, Transaction};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use syncstore::protocol::{ClientId, Seq};

use super::ServiceError;

/// What readers learned since the last write. It is lost with the process, and then learned again.
#[derive(Debug, Default)]
pub struct Presence {
    waiting: Mutex<Waiting>,
    // Of the clients that were given the last page of their checkpoint, which one that was and up to where each has
    // read the log since. Without it, after a restart, a checkpoint holds the log from its begin.
    replays: Mutex<BTreeMap<ClientId, Replay>>,
}

#[derive(Clone, Copy, Debug)]
struct Replay {
    checkpoint: [u8; 16],
    // A client with another filter reads on with its cursor of before meanwhile; that is no replay.
    digest: u64,
    position: Seq,
}

#[derive(Debug, Default)]
struct Waiting {
    clients: HashMap<ClientId, Seen>,
    checkpoints: HashMap<[u8; 16], u64>,
}

#[derive(Debug)]
struct Seen {
    user: String,
    position: Seq,
    at: u64,
}

impl Presence {
    /// Notes that a client of `user` reads from `position`; its key, unless it is new.
    ///
    /// Fails when the client id is another user's.
    pub fn meet(
        &self,
        snapshot: &impl Snapshot,
        client: &ClientId,
        user: &str,
        position: Seq,
        now: u64,
    ) -> Result<Option<ClientKey>, ServiceError> {
        let known = snapshot.client(client)?;
        let mut waiting = self.waiting.lock();
        let owner = known.as_ref().map(|row| row.user.as_str());
        let owner = owner.or_else(|| waiting.clients.get(client).map(|seen| seen.user.as_str()));
        if owner.is_some_and(|owner| owner != user) {
            return Err(crate::core::Refusal::Forbidden.into());
        }
        let news =
            known.as_ref().is_none_or(|row| position > row.position || now.saturating_sub(row.seen) >= SEEN_INTERVAL);
        if news {
            let seen =
                waiting.clients.entry(*client).or_insert_with(|| Seen { user: user.to_owned(), position, at: now });
            (seen.position, seen.at) = (seen.position.max(position), seen.at.max(now));
        }
        Ok(known.map(|row| row.key))
    }

    /// Notes that a checkpoint was used.
    pub fn use_checkpoint(&self, id: [u8; 16], now: u64) {
        self.waiting.lock().checkpoints.insert(id, now);
    }

    /// Notes that a client was given a page of its checkpoint, and whether that was the last one.
    pub fn give_page(&self, row: &CheckpointRow, last: bool) {
        let mut replays = self.replays.lock();
        if !last {
            // The one that it gave up for this one, if not this one, read again.
            replays.remove(&row.client);
        } else if replays.get(&row.client).is_none_or(|replay| replay.checkpoint != row.id) {
            replays.insert(row.client, Replay { checkpoint: row.id, digest: row.digest, position: row.seq });
        }
    }

    /// Notes that a client has what lies at and below `position`, since it reads the log from there as `digest` sees it.
    pub fn replay_from(&self, client: &ClientId, digest: u64, position: Seq) {
        if let Some(replay) = self.replays.lock().get_mut(client).filter(|replay| replay.digest == digest) {
            replay.position = replay.position.max(position);
        }
    }

    /// The seq that a checkpoint's client needs the log's entries above: where it was made, or, once it was read to its end,
    /// up to where that client has replayed the log since.
    pub fn replayed_to(&self, row: &CheckpointRow) -> Seq {
        let replays = self.replays.lock();
        let replay = replays.get(&row.client).filter(|replay| replay.checkpoint == row.id);
        replay.map_or(row.seq, |replay| row.seq.max(replay.position))
    }

    /// Looks at up to `limit` replays of clients above `after` and forgets those whose checkpoint is gone. Returns where to go
    /// on.
    pub fn forget_replays(
        &self,
        snapshot: &impl Snapshot,
        after: Option<ClientId>,
        limit: u32,
    ) -> Stored<Option<ClientId>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let slice: Vec<(ClientId, [u8; 16])> = {
            let replays = self.replays.lock();
            let slice = replays.range((from, Bound::Unbounded)).take(limit as usize);
            slice.map(|(client, replay)| (*client, replay.checkpoint)).collect()
        };
        for (client, checkpoint) in &slice {
            if snapshot.checkpoint(checkpoint)?.is_none() {
                let mut replays = self.replays.lock();
                if replays.get(client).is_some_and(|present| present.checkpoint == *checkpoint) {
                    replays.remove(client);
                }
            }
        }
        let full = slice.len() == limit as usize;
        Ok(slice.last().filter(|_| full).map(|(client, _)| *client))
    }

    /// Whether there is something to record.
    pub fn has_news(&self) -> bool {
        let waiting = self.waiting.lock();
        !waiting.clients.is_empty() || !waiting.checkpoints.is_empty()
    }

    /// Records what has been noted.
    pub fn record(&self, transaction: &mut impl Transaction) -> Stored<()> {
        let Waiting { clients, checkpoints } = std::mem::take(&mut *self.waiting.lock());
        for (client, seen) in clients {
            if transaction.client(&client)?.is_none() {
                transaction.add_client(&client, &seen.user, seen.at)?;
            }
            transaction.touch_client(&client, seen.position, seen.at)?;
        }
        for (id, at) in checkpoints {
            transaction.touch_checkpoint(&id, at)?;
        }
        Ok(())
    }
}
