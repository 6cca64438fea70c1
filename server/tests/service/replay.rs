//! Whatever is pushed in whatever order, the log replayed is the items, and every op has one outcome.

use crate::world::*;
use std::collections::{BTreeMap, HashMap};
use syncstore::protocol::{EntryOutcome, Json, Limits, Op, OpKind, PushOutcome, Ref, patch};
use syncstore_server::service::Policy;

struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn random_op(world: &World, dice: &mut Dice, head: u64) -> Op {
    let key = format!("k{}", dice.below(6));
    let (name, number) = (["x", "y", "z"][dice.below(3) as usize], dice.below(100));
    let mut op = match dice.below(6) {
        0 => world.delete(&key),
        1 | 2 => world.patch(&key, &format!(r#"[{{"op":"add","path":"/{name}","value":{number}}}]"#)),
        3 => world.patch(&key, &format!(r#"[{{"op":"remove","path":"/{name}"}}]"#)),
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
    let mut items: BTreeMap<(String, String), (u64, Json)> = BTreeMap::new();
    let mut seen = HashMap::new();
    for entry in world.pull(9, None).0 {
        assert_eq!(entry.outcome, EntryOutcome::Accepted);
        assert!(seen.insert(entry.op_ref, entry.seq).is_none(), "seed {seed}: an op was applied twice");
        let item = (entry.collection.clone().unwrap(), entry.key.clone().unwrap());
        let known = items.get(&item).cloned();
        assert_eq!(entry.from, Some(known.as_ref().map_or(0, |(rev, _)| *rev)), "seed {seed}");
        let value = match entry.kind.unwrap() {
            OpKind::Set => entry.value,
            OpKind::Patch => Some(patch::apply(&known.unwrap().1, &entry.patch.unwrap(), &Limits::default()).unwrap()),
            OpKind::Delete => None,
        };
        match value {
            Some(value) => items.insert(item, (entry.rev.unwrap(), value)),
            None => items.remove(&item),
        };
    }
    let page = world.checkpoint(9, None, 10_000).unwrap();
    let stored: BTreeMap<_, _> =
        page.items.into_iter().map(|item| ((item.collection, item.key), (item.rev, item.value))).collect();
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
