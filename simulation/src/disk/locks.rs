//! Who holds what of one file: SQLite's five levels on the file, and eight slots of its shared memory.

/// One opened file, among all of a disk.
pub(super) type HandleId = u64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    #[default]
    None,
    Shared,
    Reserved,
    Pending,
    Exclusive,
}

/// Another one holds what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Busy;

#[derive(Debug, Default)]
pub(super) struct FileLocks(Vec<(HandleId, Level)>);

impl FileLocks {
    pub fn level(&self, handle: HandleId) -> Level {
        self.0.iter().find(|held| held.0 == handle).map_or(Level::None, |held| held.1)
    }

    fn others(&self, handle: HandleId) -> Level {
        self.0.iter().filter(|held| held.0 != handle).map(|held| held.1).max().unwrap_or_default()
    }

    fn set(&mut self, handle: HandleId, level: Level) {
        self.0.retain(|held| held.0 != handle);
        if level > Level::None {
            self.0.push((handle, level));
        }
    }

    /// Raises what `handle` holds. Who waits for readers to leave keeps `Pending`, so that no new ones come.
    pub fn lock(&mut self, handle: HandleId, wanted: Level) -> Result<(), Busy> {
        if self.level(handle) >= wanted {
            return Ok(());
        }
        let others = self.others(handle);
        match wanted {
            Level::None => {}
            Level::Shared if others >= Level::Pending => return Err(Busy),
            Level::Shared => self.set(handle, Level::Shared),
            _ if others >= Level::Reserved => return Err(Busy),
            Level::Exclusive if others > Level::None => {
                self.set(handle, Level::Pending);
                return Err(Busy);
            }
            wanted => self.set(handle, wanted),
        }
        Ok(())
    }

    pub fn unlock(&mut self, handle: HandleId, to: Level) {
        if self.level(handle) > to {
            self.set(handle, to);
        }
    }

    pub fn is_reserved(&self) -> bool {
        self.0.iter().any(|held| held.1 >= Level::Reserved)
    }
}

pub(super) const SLOTS: usize = 8;

#[derive(Debug, Default)]
pub(super) struct SharedLocks {
    /// Which handles share each slot, or the one that has it alone.
    slots: [Slot; SLOTS],
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Free,
    Shared(Vec<HandleId>),
    Exclusive(HandleId),
}

impl SharedLocks {
    /// All of `slots`, or none of them.
    pub fn share(&mut self, handle: HandleId, slots: std::ops::Range<usize>) -> Result<(), Busy> {
        let slots = &mut self.slots[slots];
        if slots.iter().any(|slot| matches!(slot, Slot::Exclusive(holder) if *holder != handle)) {
            return Err(Busy);
        }
        for slot in slots {
            match slot {
                Slot::Free => *slot = Slot::Shared(vec![handle]),
                Slot::Shared(holders) if !holders.contains(&handle) => holders.push(handle),
                Slot::Shared(_) | Slot::Exclusive(_) => {}
            }
        }
        Ok(())
    }

    /// All of `slots`, or none of them.
    pub fn take(&mut self, handle: HandleId, slots: std::ops::Range<usize>) -> Result<(), Busy> {
        let slots = &mut self.slots[slots];
        let held_by_another = |slot: &Slot| match slot {
            Slot::Free => false,
            Slot::Shared(holders) => holders.iter().any(|holder| *holder != handle),
            Slot::Exclusive(holder) => *holder != handle,
        };
        if slots.iter().any(held_by_another) {
            return Err(Busy);
        }
        slots.iter_mut().for_each(|slot| *slot = Slot::Exclusive(handle));
        Ok(())
    }

    pub fn release(&mut self, handle: HandleId, slots: std::ops::Range<usize>) {
        for slot in &mut self.slots[slots] {
            match slot {
                Slot::Shared(holders) => {
                    holders.retain(|holder| *holder != handle);
                    if holders.is_empty() {
                        *slot = Slot::Free;
                    }
                }
                Slot::Exclusive(holder) if *holder == handle => *slot = Slot::Free,
                Slot::Free | Slot::Exclusive(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_reserves_while_others_read_and_waits_for_them_before_it_is_alone() {
        let mut locks = FileLocks::default();
        locks.lock(1, Level::Shared).unwrap();
        locks.lock(2, Level::Shared).unwrap();
        locks.lock(1, Level::Reserved).unwrap();
        assert!(locks.is_reserved());
        assert_eq!(locks.lock(2, Level::Reserved), Err(Busy));
        assert_eq!(locks.lock(1, Level::Exclusive), Err(Busy));
        assert_eq!(locks.lock(3, Level::Shared), Err(Busy), "a new reader while one waits to be alone");
        locks.unlock(2, Level::None);
        locks.lock(1, Level::Exclusive).unwrap();
        assert_eq!(locks.lock(2, Level::Shared), Err(Busy));
        locks.unlock(1, Level::Shared);
        locks.lock(2, Level::Shared).unwrap();
    }

    #[test]
    fn a_slot_is_shared_or_somebodys_alone() {
        let mut locks = SharedLocks::default();
        locks.share(1, 3..4).unwrap();
        locks.share(2, 3..4).unwrap();
        assert_eq!(locks.take(1, 3..4), Err(Busy));
        assert_eq!(locks.take(3, 0..8), Err(Busy), "all or none");
        locks.take(3, 0..3).unwrap();
        locks.release(2, 3..4);
        locks.release(1, 3..4);
        locks.take(1, 3..4).unwrap();
        assert_eq!(locks.share(2, 3..4), Err(Busy));
        locks.release(1, 3..4);
        locks.share(2, 3..4).unwrap();
    }
}
