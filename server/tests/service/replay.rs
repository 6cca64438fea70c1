//! Whatever is pushed in whatever order, the log replayed is the items, and every op has one outcome.

use crate::world::*;
use std::collections::{BTreeMap, HashMap};
use syncstore::protocol::{Change, CheckpointItem, EntryOutcome, Json, Limits, Op, PushOutcome, Ref, Relation, patch};
use syncstore_server::service::Policy;

pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn random_op(world: &World, dice: &mut Dice, head: u64) -> Op {
    let key = format!("k{}", dice.below(6));
    let (name, number) = (["x", "y", "z"][dice.below(3) as usize], dice.below(100));
    let mut op = match dice.below(14) {
        0 => world.delete(&key),
        1 | 2 => world.patch(&key, &format!(r#"[{{"op":"add","path":"/{name}","value":{number}}}]"#)),
        3 => world.patch(&key, &format!(r#"[{{"op":"remove","path":"/{name}"}}]"#)),
        4 => world.index(&key, name, &format!("{number}")),
        5 => world.unindex(&key, name),
        6 | 7 => world.relate(&key, name, "to", &format!("{number}")),
        8 => world.unrelate(&key, name),
        9 => world.tag(&key, name),
        10 => world.untag(&key, name),
        _ => world.set(&key, &format!(r#"{{"{name}":{number},"w":1}}"#)),
    };
    op.collection = ["accept", "strict", "merge"][dice.below(3) as usize].into();
    op.base = [None, Some(0), Some(dice.below(head + 1)), Some(head)][dice.below(4) as usize];
    op
}

fn run(seed: u64) {
    let world = World::with(|options| {
        options.policies.insert("strict".into(), Policy::RejectStale);
        options.policies.insert("merge".into(), Policy::Merge);
    });
    let mut dice = Dice(seed);
    let mut outcomes: HashMap<Ref, String> = HashMap::new();
    let mut sent: Vec<(u128, Vec<Op>)> = Vec::new();
    for round in 0..40 {
        let client = u128::from(dice.below(3)) + 1;
        let head = world.service.info(DB, &ada()).unwrap().seq;
        let ops = if !sent.is_empty() && dice.below(4) == 0 {
            // An answer was lost: the same push again.
            let (who, ops) = sent[dice.below(sent.len() as u64) as usize].clone();
            (who, ops)
        } else {
            let mut ops: Vec<Op> = (0..=dice.below(5)).map(|_| random_op(&world, &mut dice, head)).collect();
            if dice.below(3) == 0 {
                let of = ops.len() as u32;
                ops = ops.into_iter().map(|op| batch(op, round + 1, of)).collect();
            }
            (client, ops)
        };
        let cut = if dice.below(4) == 0 { dice.below(ops.1.len() as u64) as usize } else { ops.1.len() };
        for result in world.push(ops.0, &ops.1[..cut]) {
            if matches!(result.outcome, PushOutcome::Accepted | PushOutcome::Rejected) {
                let words = words(std::slice::from_ref(&result)).remove(0);
                let first = outcomes.entry(result.op_ref).or_insert_with(|| words.clone());
                assert_eq!(*first, words, "seed {seed}: an outcome changed");
            }
        }
        sent.push(ops);
    }
    let mut items: BTreeMap<(String, String), CheckpointItem> = BTreeMap::new();
    let mut seen = HashMap::new();
    for entry in world.pull(9, None).0 {
        assert_eq!(entry.outcome, EntryOutcome::Accepted);
        assert!(seen.insert(entry.op_ref, entry.seq).is_none(), "seed {seed}: an op was applied twice");
        let item = (entry.collection.clone().unwrap(), entry.key.clone().unwrap());
        let known = items.get(&item).cloned();
        assert_eq!(entry.from, Some(known.as_ref().map_or(0, |item| item.rev)), "seed {seed}");
        let fresh = CheckpointItem::new(item.0.clone(), item.1.clone(), Json::null(), 0);
        let mut after = known.unwrap_or(fresh);
        match entry.change().unwrap() {
            Change::Set(value) => after.value = value.clone(),
            Change::Patch(patch) => after.value = patch::apply(&after.value, patch, &Limits::default()).unwrap(),
            Change::Delete => {
                items.remove(&item);
                continue;
            }
            Change::SetIndex { name, order } => {
                after.indexes.insert(name.into(), order.into());
            }
            Change::DeleteIndex { name } => assert!(after.indexes.remove(name).is_some(), "seed {seed}"),
            Change::SetRelation { id, predicate, object } => {
                after.relations.retain(|relation| relation.id != id);
                let object = object.clone();
                after.relations.push(Relation { id: id.into(), predicate: predicate.into(), object });
                after.relations.sort();
            }
            Change::DeleteRelation { id } => after.relations.retain(|relation| relation.id != id),
            Change::AddTag(tag) => {
                after.tags.retain(|has| has != tag);
                after.tags.push(tag.into());
                after.tags.sort();
            }
            Change::RemoveTag(tag) => after.tags.retain(|has| has != tag),
        }
        after.rev = entry.rev.unwrap();
        items.insert(item, after);
    }
    let page = world.checkpoint(9, None, 10_000).unwrap();
    let parts = |item: CheckpointItem| (item.rev, item.value, item.indexes, item.relations, item.tags);
    let stored: BTreeMap<_, _> =
        page.items.into_iter().map(|item| ((item.collection.clone(), item.key.clone()), parts(item))).collect();
    let items: BTreeMap<_, _> = items.into_iter().map(|(name, item)| (name, parts(item))).collect();
    assert_eq!(items, stored, "seed {seed}");
    let stats = world.service.stats().remove(0);
    assert_eq!(stats.items as usize, stored.len(), "seed {seed}");
}

#[test]
fn the_log_replayed_is_the_items_and_no_op_has_two_outcomes() {
    for seed in 1..=60_u64 {
        run(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
}
