//! Replicas that keep a part of the database, and hosts that change which.

use crate::device::Device;
use crate::inspect;
use crate::oracle::Item;
use crate::random::Random;
use crate::workload::COLLECTIONS;
use std::sync::atomic::Ordering;
use syncstore::{Filter, Store};

/// Everything, a list of collections and of prefixes of keys, or nothing.
pub fn any_filter(random: &mut Random, keys: usize) -> Filter {
    if random.percent(20) {
        return Filter::everything();
    }
    let mut filter = Filter::only::<String>([]);
    for collection in COLLECTIONS {
        for _ in 0..1 + random.below(2) {
            filter = match random.below(5) {
                0 | 1 => filter.and_prefix(*collection, ""),
                2 | 3 => filter.and_prefix(*collection, format!("k{}", random.below(keys as u64))),
                _ => filter,
            };
        }
    }
    filter
}

/// Another one: more, less, or just different.
fn changed(filter: &Filter, random: &mut Random, keys: usize) -> Filter {
    let other = any_filter(random, keys);
    match random.below(4) {
        0 | 1 => filter.and(&other),
        2 if !filter.is_everything() && !other.is_everything() => {
            let both = COLLECTIONS.iter().flat_map(|collection| {
                let prefixes = filter.prefixes(collection).iter().chain(other.prefixes(collection));
                prefixes.map(move |prefix| (*collection, prefix.clone()))
            });
            both.fold(Filter::only::<String>([]), |filter, (collection, prefix)| filter.and_prefix(collection, prefix))
        }
        _ => other,
    }
}

impl Device {
    /// What its host wants kept, as the file has it; `None`: the disk failed.
    pub fn wants(&self, store: &Store) -> Option<Filter> {
        if !self.plan.partial {
            return Some(Filter::everything());
        }
        self.read(|| store.kept()).map(|kept| kept.keep)
    }

    /// Its host wants something else kept; what.
    pub fn change_keep(&self, store: &Store, random: &mut Random) -> String {
        let filter = changed(&self.told().keep, random, self.plan.keys);
        let faults = self.faults();
        let answer = store.keep(&filter);
        let text = format!("keeps {:?}: {answer:?}", filter.text());
        self.keeps.fetch_add(1, Ordering::Relaxed);
        match answer {
            Ok(is_other) => {
                let before = std::mem::replace(&mut self.told().keep, filter.clone());
                assert!(is_other == (before != filter), "{}: kept {before:?}, and {text}", self.name);
                if let Some(keep) = self.wants(store) {
                    assert_eq!(keep, filter, "{}: {text}", self.name);
                }
            }
            Err(error) => {
                assert!(self.explains(&error, faults), "{}: {text}", self.name);
                if self.disk_failed(faults) {
                    self.told().keep_cut_off.push(filter);
                }
            }
        }
        text
    }

    /// What is to be kept is what the host said last, or was about to say when it was cut off; `lost`: or before.
    pub fn check_keep(&self, store: &Store, lost: bool) {
        let Some(keep) = self.wants(store) else { return };
        let told = &mut *self.told();
        let cut_off = std::mem::take(&mut told.keep_cut_off);
        let said = lost || keep == told.keep || cut_off.contains(&keep);
        assert!(said, "{}: {keep:?} is to be kept, and the host said {:?}", self.name, told.keep);
        told.keep = keep;
    }

    /// What a call that came to its end has left: nothing beyond what is kept but for what is pending; `whole`: all that is to be kept.
    pub fn check_kept(&self, store: &Store, whole: bool) {
        if !self.plan.partial {
            return;
        }
        let Some(confirmed) = self.inspect(inspect::confirmed) else { return };
        let idle: Vec<&Item> =
            confirmed.outside.iter().filter(|(_, pending)| !**pending).map(|(item, _)| item).collect();
        assert!(idle.is_empty(), "{}: {idle:?} are left of what is not kept: {:?}", self.name, confirmed.kept);
        let Some(kept) = self.read(|| store.kept()) else { return };
        if whole {
            assert_eq!(kept.here, kept.keep, "{}: a sync has come to its end, and something is missing", self.name);
        }
    }
}
