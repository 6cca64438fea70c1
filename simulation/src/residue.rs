//! What a replica still has, in the end, of what its user does not see, whatever table it may stand in.

use crate::device::Device;
use crate::inspect::{self, Sides};
use crate::oracle::{Item, Lineage, Whole};
use crate::rights::Sight;
use crate::secrets::marks_of_words;
use std::collections::{BTreeMap, HashSet};
use syncstore::Filter;
use syncstore::protocol::Seq;

/// What a user may have come to know.
#[derive(Debug)]
pub struct Knowledge {
    /// The marks that it wrote.
    pub own: HashSet<u64>,
    /// All that it ever saw by.
    pub sights: Vec<Seen>,
}

/// A sight that a user had, up to where.
#[derive(Clone, Debug)]
pub struct Seen {
    pub by: Sight,
    /// The last seq when the sight was taken from it. Those of a later life of the log lie above all of an earlier one.
    pub until: Option<Seq>,
}

impl Knowledge {
    /// The marks of what an item ever was, as far as its user saw it.
    fn of(&self, lineages: &[Lineage], item: &Item) -> HashSet<u64> {
        lineages.iter().flat_map(|lineage| lineage.marks_of(item, &self.sights)).collect()
    }
}

impl Device {
    /// It has nothing but `items`, what its user sees of the part `keep`, and what its user wrote.
    pub fn settle_residue(
        &self,
        lineages: &[Lineage],
        knowledge: &Knowledge,
        keep: &Filter,
        items: &BTreeMap<Item, Whole>,
    ) {
        let connection = self.look_again();
        let rows = inspect::rows(&connection).expect("a healed device reads");
        let resources = items.values().map(|whole| whole.resources.len() as i64).sum();
        let expected = [0, items.len() as i64, resources, 0, 0];
        let expected =
            ["collections WHERE life <> 0", "items", "resources", "base", "outbox"].into_iter().zip(expected);
        assert_eq!(rows, expected.collect(), "{} has more than it reads", self.name);

        let seen: HashSet<u64> = items.values().flat_map(Whole::marks).chain(knowledge.own.iter().copied()).collect();
        for text in inspect::marked(&connection).expect("a healed device reads") {
            // What an op meant that was rejected, or lost, its user keeps as it saw it.
            let kept = text.meant_on.as_ref().map(|item| knowledge.of(lineages, item)).unwrap_or_default();
            let strange = text.marks.iter().find(|mark| !seen.contains(mark) && !kept.contains(mark));
            let place = &text.place;
            assert!(strange.is_none(), "{}: {place} has {strange:?}, which its user neither sees nor wrote", self.name);
        }
        for sides in inspect::with_sides(&connection).expect("a healed device reads") {
            self.settle_sides(lineages, (knowledge, &seen), keep, items, &sides);
        }
    }

    /// Conflicts keep what their user saw of their item, and nothing of an item that is hidden from it.
    fn settle_sides(
        &self,
        lineages: &[Lineage],
        (knowledge, seen): (&Knowledge, &HashSet<u64>),
        keep: &Filter,
        items: &BTreeMap<Item, Whole>,
        sides: &Sides,
    ) {
        assert!(sides.is_open, "{} keeps the sides of what ended: {sides:?}", self.name);
        let ever = knowledge.of(lineages, &sides.item);
        let said: HashSet<u64> = sides.texts.iter().flat_map(|text| marks_of_words(text)).collect();
        let strange = said.iter().find(|mark| !seen.contains(mark) && !ever.contains(mark));
        assert!(strange.is_none(), "{} has a conflict on what its user never saw: {sides:?}", self.name);

        let last = lineages.last().expect("there is always one");
        let theirs: HashSet<u64> = said.difference(&knowledge.own).copied().collect();
        if theirs.is_empty() || last.at(&sides.item, last.head).is_none() || items.contains_key(&sides.item) {
            return;
        }
        // A life that ended while its user saw it leaves the conflict on its value, and the next one may be hidden.
        let before = last.marks_before(&sides.item, &knowledge.sights);
        let of_before = sides.of_value && keep.has(&sides.item.0, &sides.item.1) && before.is_superset(&theirs);
        assert!(of_before, "{} has a conflict on what its user does not see: {sides:?}", self.name);
    }
}
