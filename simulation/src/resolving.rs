//! Who decides a device's conflicts, and what the device has seen of them.

use crate::device::Device;
use crate::oracle::Item;
use crate::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use syncstore::{
    Conflict, ConflictId, ConflictResolver, Ending, FieldMerge, LastWriter, Prefer, Ref, Resolution, ResolverError,
    ResourceName, Store,
};

/// How a device's resolver decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// There is none.
    HandsOnly,
    Merges(Prefer),
    LastWriter,
    /// Now this way, now that; sometimes not, and sometimes it breaks.
    Moody,
}

impl Habit {
    pub fn any(random: &mut Random) -> Habit {
        match random.below(10) {
            0..4 => Habit::HandsOnly,
            4 | 5 => Habit::Merges(Prefer::Ours),
            6 => Habit::Merges(Prefer::Theirs),
            7 => Habit::LastWriter,
            _ => Habit::Moody,
        }
    }
}

/// A device's resolver, and what it has decided since that was last looked at.
pub struct Resolver {
    habit: Habit,
    random: Mutex<Random>,
    decided: Mutex<Vec<Decision>>,
}

#[derive(Clone, Debug)]
struct Decision {
    id: ConflictId,
    item: Item,
    resource: ResourceName,
}

impl Resolver {
    pub fn new(habit: Habit, random: Random) -> Arc<Resolver> {
        Arc::new(Resolver { habit, random: Mutex::new(random), decided: Mutex::default() })
    }

    /// What a store is opened with.
    pub fn of_store(self: &Arc<Resolver>) -> Option<Arc<dyn ConflictResolver>> {
        let resolver = Arc::clone(self);
        let asked = move |conflict: &Conflict| resolver.ask(conflict);
        (self.habit != Habit::HandsOnly).then(|| Arc::new(asked) as Arc<dyn ConflictResolver>)
    }

    fn ask(&self, conflict: &Conflict) -> Result<Option<Resolution>, ResolverError> {
        let answer = match self.habit {
            Habit::HandsOnly => Ok(None),
            Habit::Merges(prefer) => FieldMerge(prefer).resolve(conflict),
            Habit::LastWriter => LastWriter::by("/n").resolve(conflict),
            Habit::Moody => {
                let mood = self.random.lock().expect("no panic while drawing").below(10);
                match mood {
                    0 | 1 => Ok(None),
                    2 => Err("it does not know".into()),
                    // Without the words of a panic hook.
                    3 => std::panic::resume_unwind(Box::new("it breaks")),
                    4 => Ok(Some(Resolution::KeepOurs)),
                    5 => Ok(Some(Resolution::TakeTheirs)),
                    6 => Ok(Some(Resolution::KeepRebased)),
                    _ => FieldMerge(Prefer::Ours).resolve(conflict),
                }
            }
        };
        if let Ok(Some(_)) = &answer {
            let item = (conflict.collection.clone(), conflict.key.clone());
            let decision = Decision { id: conflict.id, item, resource: conflict.resource.clone() };
            self.decided.lock().expect("no panic while a decision is noted").push(decision);
        }
        answer
    }
}

/// A conflict as a host has seen it.
#[derive(Clone, Debug)]
pub struct Known {
    /// On which part of which item.
    pub part: (Item, ResourceName),
    /// How it ended, and by which operation.
    pub ended: Option<(Ending, Option<Ref>)>,
}

impl Device {
    /// Takes note of the operations that the resolver has written; how often it has decided.
    pub fn learn_decisions(&self, store: &Store) -> usize {
        let decided = std::mem::take(&mut *self.resolver.decided.lock().expect("no panic while a decision is noted"));
        if decided.is_empty() {
            return 0;
        }
        let decisions = decided.len();
        let Some(ended) = self.read(|| store.ended_conflicts()) else {
            for Decision { item, resource, .. } in decided {
                self.tell_cut_off(vec![crate::told::Attempt { item, resource, kind: None }]);
            }
            return decisions;
        };
        for Decision { id, item, .. } in decided {
            let end = ended.iter().find(|conflict| conflict.id == id).and_then(|conflict| conflict.end);
            if let Some(op_ref) = end.and_then(|end| end.op)
                && !self.told().ops.contains_key(&op_ref)
            {
                self.tell(op_ref, &item);
            }
        }
        decisions
    }

    pub fn decides(&self) -> bool {
        self.resolver.habit != Habit::HandsOnly
    }

    /// Whether its resolver decides whatever it is asked.
    pub fn always_decides(&self) -> bool {
        matches!(self.resolver.habit, Habit::Merges(_))
    }

    /// Every conflict that was ever seen is still there, open or ended as it was; `lost`: but for what a power loss may take back.
    pub fn check_conflicts(&self, store: &Store, known: &mut BTreeMap<ConflictId, Known>, lost: bool) -> bool {
        let Some((open, ended)) = self.read(|| Ok((store.conflicts()?, store.ended_conflicts()?))) else {
            return false;
        };
        let name = &self.name;
        let mut parts = BTreeSet::new();
        for conflict in &open {
            assert_eq!(conflict.end, None, "{name}: {conflict:?} is listed as open");
            let part = (&conflict.collection, &conflict.key, &conflict.resource);
            assert!(parts.insert(part), "{name}: two conflicts are open on {part:?}");
        }
        for conflict in &ended {
            let sides = [&conflict.base, &conflict.local, &conflict.remote, &conflict.view];
            assert!(sides.iter().all(|side| side.is_none()), "{name}: {conflict:?} has ended, and has sides");
            assert!(conflict.end.is_some(), "{name}: {conflict:?} is listed as ended");
        }
        let now: BTreeMap<ConflictId, &Conflict> =
            open.iter().chain(&ended).map(|conflict| (conflict.id, conflict)).collect();
        assert_eq!(now.len(), open.len() + ended.len(), "{name}: a conflict is listed twice");
        if lost {
            let gone: Vec<ConflictId> = known.keys().filter(|id| !now.contains_key(id)).copied().collect();
            let kept = known.keys().rfind(|id| now.contains_key(id));
            let tail = gone.first().is_none_or(|first| kept.is_none_or(|kept| kept < first));
            assert!(tail, "{name}: {kept:?} was kept, and {gone:?} was not");
            gone.iter().for_each(|id| drop(known.remove(id)));
            for (id, known) in known.iter_mut() {
                known.ended = known.ended.filter(|_| now[id].end.is_some());
            }
        }
        for (id, known) in known.iter() {
            let now = now.get(id).unwrap_or_else(|| panic!("{name}: conflict {id} on {known:?} is forgotten"));
            let end = now.end.map(|end| (end.how, end.op));
            assert!(known.ended.is_none() || known.ended == end, "{name}: {id} was {known:?}, and is {now:?}");
        }
        for (id, conflict) in now {
            if !known.contains_key(&id) && self.listens() {
                let heard = self.heard();
                assert!(heard.deaf || heard.begun.contains(&id), "{name}: nobody was told that {conflict:?} began");
            }
            let end = conflict.end.map(|end| (end.how, end.op));
            if let Some(op_ref) = end.and_then(|(_, op)| op) {
                let Some(outcome) = self.read(|| store.outcome(op_ref)) else { return false };
                assert!(outcome.is_some(), "{name}: {conflict:?} was resolved by an operation that is unknown");
            }
            let item = (conflict.collection.clone(), conflict.key.clone());
            let part = (item, conflict.resource.clone());
            let before = known.insert(id, Known { part: part.clone(), ended: end });
            assert!(before.is_none_or(|before| before.part == part), "{name}: {conflict:?} was on another part");
        }
        true
    }
}
