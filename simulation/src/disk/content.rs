//! The bytes of one file, and how to take back what was written since its last sync.

use fastrand::Rng;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a power loss keeps whole or loses whole, in bytes.
pub(super) const SECTOR: u64 = 512;

/// What a power loss keeps of the changes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Nothing,
    Everything,
    /// The changes up to this call of the disk.
    Until(u64),
    /// Each sector, and the size, by itself: how likely the newest of its changes is there, in eighths.
    Sectors(u8),
}

/// A change since the last sync.
#[derive(Clone, Debug)]
struct Change {
    /// The disk's count of calls when it happened.
    call: u64,
    offset: u64,
    /// How many bytes were written; 0: the size was set.
    len: u64,
    /// What was at `offset` before, as far as the file went.
    old: Vec<u8>,
    old_size: u64,
    new_size: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    bytes: Arc<Vec<u8>>,
    unsynced: Vec<Change>,
}

impl Content {
    /// A file that has these bytes for good.
    pub fn synced(bytes: Arc<Vec<u8>>) -> Content {
        Content { bytes, unsynced: Vec::new() }
    }

    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub fn bytes(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }

    /// Fills `buffer` from the file; what is past its end becomes zeros. Returns how many bytes the file had.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let there = buffer.len().min(self.bytes.len() - start);
        buffer[..there].copy_from_slice(&self.bytes[start..start + there]);
        buffer[there..].fill(0);
        there
    }

    pub fn write(&mut self, call: u64, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let old_size = self.size();
        let (start, end) = (offset as usize, offset as usize + data.len());
        let bytes = Arc::make_mut(&mut self.bytes);
        let old = bytes.get(start..end.min(bytes.len())).map_or_else(Vec::new, <[u8]>::to_vec);
        if start == bytes.len() {
            bytes.extend_from_slice(data);
        } else {
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(data);
        }
        let new_size = bytes.len() as u64;
        self.unsynced.push(Change { call, offset, len: data.len() as u64, old, old_size, new_size });
    }

    pub fn set_size(&mut self, call: u64, new_size: u64) {
        let old_size = self.size();
        if new_size == old_size {
            return;
        }
        let bytes = Arc::make_mut(&mut self.bytes);
        let old = bytes.get(new_size as usize..).map_or_else(Vec::new, <[u8]>::to_vec);
        bytes.resize(new_size as usize, 0);
        self.unsynced.push(Change { call, offset: new_size.min(old_size), len: 0, old, old_size, new_size });
    }

    pub fn sync(&mut self) {
        self.unsynced.clear();
    }

    /// The call of the oldest change that was not synced.
    pub fn oldest_unsynced(&self) -> Option<u64> {
        self.unsynced.first().map(|change| change.call)
    }

    /// The power is lost.
    pub fn lose(&mut self, kept: Kept, random: &mut Rng) {
        let unsynced = std::mem::take(&mut self.unsynced);
        let bytes = Arc::make_mut(&mut self.bytes);
        match kept {
            Kept::Everything => {}
            Kept::Nothing => unsynced.iter().rev().for_each(|change| take_back(bytes, change)),
            Kept::Until(call) => {
                unsynced.iter().rev().filter(|change| change.call > call).for_each(|change| take_back(bytes, change));
            }
            Kept::Sectors(eighths) => lose_sectors(bytes, &unsynced, eighths, random),
        }
    }
}

/// Undoes the newest change.
fn take_back(bytes: &mut Vec<u8>, change: &Change) {
    bytes.resize(change.old_size as usize, 0);
    let start = change.offset as usize;
    if !change.old.is_empty() {
        bytes[start..start + change.old.len()].copy_from_slice(&change.old);
    }
}

/// Goes back from the newest change: a sector stays as of the first of its changes that the draw keeps, and so does the
/// size, apart from the sectors.
fn lose_sectors(bytes: &mut Vec<u8>, unsynced: &[Change], eighths: u8, random: &mut Rng) {
    let mut size = bytes.len() as u64;
    let mut size_settled = false;
    let mut settled = BTreeSet::new();
    for change in unsynced.iter().rev() {
        if change.old_size != change.new_size && !size_settled {
            if random.u8(0..8) < eighths {
                size_settled = true;
            } else {
                size = change.old_size;
            }
        }
        let end = change.offset + change.len.max(change.old.len() as u64);
        if (bytes.len() as u64) < end {
            bytes.resize(end as usize, 0);
        }
        let mut start = change.offset;
        while start < end {
            let sector = start / SECTOR;
            let stop = end.min((sector + 1) * SECTOR);
            // What was cut off is still where it was until something is written there.
            let keep = settled.contains(&sector) || change.len > 0 && random.u8(0..8) < eighths;
            if keep {
                settled.insert(sector);
            } else {
                let fresh = sector * SECTOR >= change.old_size;
                let garbage = fresh && random.u8(0..4) == 0;
                for at in start..stop {
                    let old = change.old.get((at - change.offset) as usize).copied();
                    bytes[at as usize] = old.unwrap_or_else(|| if garbage { random.u8(..) } else { 0 });
                }
            }
            start = stop;
        }
    }
    bytes.resize(size as usize, 0);
}
