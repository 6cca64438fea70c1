//! Notices: each rejection and each conflict is handed out once.

use crate::device::Device;
use crate::inspect;
use crate::told::Fate;
use std::collections::{BTreeMap, BTreeSet};
use syncstore::{ConflictId, Notice, Ref, Store};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    Rejected(Ref),
    Conflict(ConflictId),
}

/// What the hosts of a file have taken.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    /// Each with the number of the call that took it.
    taken: BTreeMap<Name, u64>,
    calls: u64,
    /// Calls that were cut off: what they took may be marked, and nobody got it.
    cut_off: u32,
    /// What they marked.
    unheard: BTreeSet<Name>,
}

impl Notices {
    /// What the calls that were cut off have marked is known.
    pub fn end_cut_off(&mut self) {
        self.cut_off = 0;
    }
}

fn name_of(notice: &Notice) -> Name {
    match notice {
        Notice::Rejected(op) => Name::Rejected(op.op_ref),
        Notice::Conflict(conflict) => Name::Conflict(conflict.id),
        other => panic!("nobody knows {other:?}"),
    }
}

impl Device {
    /// Takes up to so many; how many there were, unless the disk failed.
    pub fn take_notices(&self, store: &Store, most: usize) -> Option<usize> {
        let faults = self.faults();
        let taken = match store.take_notices(most) {
            Ok(taken) => taken,
            Err(error) => {
                assert!(self.explains(&error, faults), "{}: notices cannot be taken: {error:?}", self.name);
                self.told().notices.cut_off += u32::from(self.disk_failed(faults));
                return None;
            }
        };
        let names: Vec<Name> = taken.iter().map(name_of).collect();
        assert!(names.len() <= most && names.is_sorted(), "{}: {names:?} are the next {most}", self.name);
        let notices = &mut self.told().notices;
        notices.calls += 1;
        for name in &names {
            let before = notices.taken.insert(*name, notices.calls);
            assert_eq!(before, None, "{}: {name:?} is handed out twice", self.name);
            assert!(!notices.unheard.contains(name), "{}: {name:?} was marked, and is handed out", self.name);
        }
        Some(names.len())
    }

    /// What waits to be taken is what was not; `lost`: but for what a power loss may take back.
    pub fn check_notices(&self, store: &Store, notices: &mut Notices, lost: bool) {
        let Some(rejections) = self.read(|| store.rejections()) else { return };
        let Some((open, ended)) = self.read(|| Ok((store.conflicts()?, store.ended_conflicts()?))) else { return };
        let Some(untold) = self.inspect(inspect::untold) else { return };
        let rejected = rejections.iter().map(|op| Name::Rejected(op.op_ref));
        let there: BTreeSet<Name> =
            rejected.chain(open.iter().chain(&ended).map(|conflict| Name::Conflict(conflict.id))).collect();
        if lost {
            let again = notices.taken.iter().filter(|(name, _)| untold.contains(name)).map(|(_, call)| *call).min();
            for (name, call) in notices.taken.iter().filter(|(name, _)| there.contains(name)) {
                let tail = again.is_none_or(|again| *call < again) != untold.contains(name);
                assert!(tail, "{}: that {name:?} was taken is lost otherwise than as one of the last", self.name);
            }
            // What is there no more may come again under the same name.
            notices.taken.retain(|name, _| there.contains(name) && !untold.contains(name));
            notices.unheard.retain(|name| there.contains(name) && !untold.contains(name));
        }
        for name in there {
            let taken = notices.taken.contains_key(&name);
            if untold.contains(&name) {
                assert!(!taken, "{}: {name:?} was handed out, and will be again", self.name);
            } else if !taken && !notices.unheard.contains(&name) {
                assert!(notices.cut_off > 0, "{}: {name:?} is marked as taken, and nobody took it", self.name);
                notices.unheard.insert(name);
            }
        }
    }

    /// Takes what is left, after which everything was taken.
    pub fn take_all_notices(&self, store: &Store) {
        while self.take_notices(store, 7).expect("a healed device reads") > 0 {}
        let told = &mut *self.told();
        self.check_notices(store, &mut told.notices, false);
        let has = |name| told.notices.taken.contains_key(&name) || told.notices.unheard.contains(&name);
        for (op_ref, op) in &told.ops {
            let waits = matches!(op.fate, Some(Fate::Rejected(..))) && !op.discarded;
            assert!(!waits || has(Name::Rejected(*op_ref)), "{}: nobody was told of {op_ref}: {op:?}", self.name);
        }
        for (id, known) in &told.conflicts {
            assert!(has(Name::Conflict(*id)), "{}: nobody was told of {id}: {known:?}", self.name);
        }
    }
}
