//! Cursors: a place in one life of a log, as one caller sees it (section 1).

use crate::storage::{EpochId, Snapshot, Stored};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use syncstore::planted::{Planted, planted};
use syncstore::protocol::{Cursor, Ref, Seq};
use syncstore::wire::Expiry;

/// What a cursor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The life of the log.
    pub epoch: EpochId,
    /// The last entry that lies behind.
    pub seq: Seq,
    /// The ref of that entry; none before the first.
    pub entry: Option<Ref>,
    /// What the caller may see ([`super::Caller::digest`]).
    pub digest: u64,
}

const VERSION: u8 = 1;
// version, epoch, seq, digest, and the ref unless there is none
const SHORT: usize = 1 + 16 + 8 + 8;
const LONG: usize = SHORT + 16;

impl Position {
    /// The head of a log as `digest` sees it.
    pub fn head(snapshot: &impl Snapshot, digest: u64) -> Stored<Position> {
        let state = snapshot.state();
        let entry = if state.head == state.pruned { state.pruned_ref } else { snapshot.entry_ref(state.head)? };
        Ok(Position { epoch: state.epoch, seq: state.head, entry, digest })
    }

    /// The cursor's text.
    pub fn encode(&self) -> Cursor {
        let mut bytes = Vec::with_capacity(LONG);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.epoch);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.digest.to_be_bytes());
        bytes.extend_from_slice(self.entry.as_ref().map_or(&[], |entry| entry.as_bytes().as_slice()));
        Cursor::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a cursor; `None` for a text that this server did not make.
    pub fn decode(cursor: &Cursor) -> Option<Position> {
        // A cursor of ours is 44 or 66 characters; decoding must not be made to allocate more.
        if cursor.as_str().len() > 2 * LONG {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor.as_str()).ok()?;
        if bytes.first() != Some(&VERSION) || (bytes.len() != SHORT && bytes.len() != LONG) {
            return None;
        }
        Some(Position {
            epoch: bytes.get(1..17)?.try_into().ok()?,
            seq: Seq::from_be_bytes(bytes.get(17..25)?.try_into().ok()?),
            digest: u64::from_be_bytes(bytes.get(25..33)?.try_into().ok()?),
            entry: bytes.get(SHORT..LONG).and_then(|entry| Some(Ref::from_bytes(entry.try_into().ok()?))),
        })
    }

    /// Whether the log is another than the one that this is a place of.
    ///
    /// An entry that was pruned cannot be compared and counts as the same.
    pub fn rewound(&self, snapshot: &impl Snapshot) -> Stored<Option<Expiry>> {
        let state = snapshot.state();
        if planted(Planted::Rule2RewindUnseen) {
            return Ok(None);
        }
        if self.epoch != state.epoch {
            // An epoch that is not known began after the backup that was restored, so it shares no more than what
            // was there when the present one was begun.
            let restored = match snapshot.end_of_epoch(&self.epoch)? {
                Some(head) => head,
                None => snapshot.start_of_epoch()?,
            };
            return Ok(Some(Expiry::Rewound { restored: Some(restored) }));
        }
        let same = match self.seq {
            seq if seq > state.head => false,
            seq if seq < state.pruned => true,
            seq if seq == state.pruned => self.entry == state.pruned_ref,
            seq => self.entry.is_some() && snapshot.entry_ref(seq)? == self.entry,
        };
        Ok(if same { None } else { Some(Expiry::Rewound { restored: None }) })
    }

    /// Whether the log can be read from here by a caller who sees `digest`.
    pub fn expired(&self, snapshot: &impl Snapshot, digest: u64) -> Stored<Option<Expiry>> {
        if let Some(rewound) = self.rewound(snapshot)? {
            return Ok(Some(rewound));
        }
        Ok(if self.seq < snapshot.state().pruned {
            Some(Expiry::Pruned)
        } else if self.digest != digest && !planted(Planted::Rule2FilterUnseen) {
            Some(Expiry::Filter)
        } else {
            None
        })
    }
}

/// Reads a cursor from outside. One that is not this server's is treated as one whose log is gone: the replica
/// recovers by a checkpoint, where any other error would stop it for good.
pub fn decode(cursor: &Cursor) -> Result<Position, Expiry> {
    Position::decode(cursor).ok_or(Expiry::Pruned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_keeps_its_parts_and_garbage_is_none() {
        for entry in [None, Some(Ref::from_parts(7, 9))] {
            let position = Position { epoch: [7; 16], seq: 1 << 52, entry, digest: u64::MAX };
            assert_eq!(Position::decode(&position.encode()), Some(position));
            let text = position.encode().as_str().to_owned();
            for cut in 0..text.len() {
                let read = Position::decode(&Cursor::new(&text[..cut]));
                assert!(read.is_none() || entry.is_some() && cut == 44, "{cut}");
            }
        }
        for text in ["", "!", "AAAA", &"A".repeat(1_000_000)] {
            assert_eq!(Position::decode(&Cursor::new(text)), None);
        }
    }
}
