//! Whatever is done by whomever: the log that each caller reads is the one that the tags at each seq make of the whole
//! log, and replayed it is what that caller's checkpoint has.

use crate::world::*;
use std::collections::{BTreeMap, BTreeSet};
use syncstore::protocol::{Change, CheckpointItem, Entry, Limits, Op, Relation, patch};
use syncstore_server::service::Caller;

type Items = BTreeMap<String, CheckpointItem>;

struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn random_op(world: &World, dice: &mut Dice) -> Op {
    let key = format!("k{}", dice.below(4));
    let name = ["t", "u", "v"][dice.below(3) as usize];
    let number = dice.below(100);
    match dice.below(12) {
        0 => world.delete(&key),
        1 | 2 => world.set(&key, &format!(r#"{{"x":{number}}}"#)),
        3 => world.patch(&key, &format!(r#"[{{"op":"add","path":"/{name}","value":{number}}}]"#)),
        4 => world.index(&key, name, &number.to_string()),
        5 => world.unindex(&key, name),
        6 => world.relate(&key, name, "to", &number.to_string()),
        7 => world.unrelate(&key, name),
        8 | 9 => world.untag(&key, name),
        _ => world.tag(&key, name),
    }
}

/// Takes an entry into the items of the replica that reads it.
fn replay(items: &mut Items, entry: &Entry, what: &str) {
    let key = entry.key.clone().unwrap();
    if !entry.full && entry.kind != Some(syncstore::protocol::OpKind::Delete) {
        assert_eq!(entry.from, Some(items.get(&key).map_or(0, |item| item.rev)), "{what}: {entry:?}");
    }
    if entry.from == entry.rev {
        return; // Without effect: told to its sender alone.
    }
    let change = entry.change().unwrap();
    if let Change::Delete = change {
        assert!(items.remove(&key).is_some(), "{what}: {entry:?}");
        return;
    }
    if let Change::Set(value) = change
        && (entry.full || !items.contains_key(&key))
    {
        let mut item = CheckpointItem::new("c", key.clone(), value.clone(), 0);
        (item.indexes, item.relations, item.tags) =
            (entry.indexes.clone(), entry.relations.clone(), entry.tags.clone());
        items.insert(key.clone(), item);
    }
    let item = items.get_mut(&key).unwrap();
    item.rev = entry.rev.unwrap();
    match change {
        Change::Set(value) => item.value = value.clone(),
        Change::Patch(patch) => item.value = patch::apply(&item.value, patch, &Limits::default()).unwrap(),
        Change::SetIndex { name, order } => drop(item.indexes.insert(name.into(), order.into())),
        Change::DeleteIndex { name } => drop(item.indexes.remove(name)),
        Change::SetRelation { id, predicate, object } => {
            item.relations.retain(|relation| relation.id != id);
            item.relations.push(Relation { id: id.into(), predicate: predicate.into(), object: object.clone() });
            item.relations.sort();
        }
        Change::DeleteRelation { id } => item.relations.retain(|relation| relation.id != id),
        Change::AddTag(tag) => {
            item.tags.push(tag.into());
            item.tags.sort();
            item.tags.dedup();
        }
        Change::RemoveTag(tag) => item.tags.retain(|has| has != tag),
        Change::Delete => {}
    }
}

fn text(item: &CheckpointItem) -> String {
    format!("{} rev {} = {}{}", item.key, item.rev, item.value, resources(item))
}

/// What a caller is to be told of an entry, by what the item was before and after it.
fn expected(tags: &[&str], before: Option<&CheckpointItem>, after: Option<&CheckpointItem>) -> Option<&'static str> {
    let sees =
        |item: Option<&CheckpointItem>| item.is_some_and(|item| tags.iter().any(|t| item.tags.contains(&(*t).into())));
    match (sees(before), sees(after)) {
        (true, true) => Some("op"),
        (false, true) => Some("full"),
        (true, false) if after.is_none() => Some("op"),
        (true, false) => Some("revoked"),
        (false, false) => None,
    }
}

fn run(seed: u64) {
    let world = World::new();
    let mut dice = Dice(seed);
    let callers: [(&[&str], Caller); 4] = [
        (&["t"], only("bob", &["t"])),
        (&["u", "v"], only("eve", &["u", "v"])),
        (&["v"], only("mia", &["v"])),
        (&[], ada()),
    ];
    for round in 0..60_u128 {
        let who = dice.below(4) as usize;
        let mut ops: Vec<Op> = (0..=dice.below(4)).map(|_| random_op(&world, &mut dice)).collect();
        if dice.below(4) == 0 {
            let of = ops.len() as u32;
            ops = ops.into_iter().map(|op| batch(op, round + 1, of)).collect();
        }
        world.push_as(&callers[who].1, who as u128 + 1, &ops);
    }
    // The whole log, and what each reader is to be told of it.
    let mut whole = Items::new();
    let mut told: Vec<Vec<(u64, &str)>> = vec![Vec::new(); 3];
    for entry in world.pull(99, None).0 {
        let key = entry.key.clone().unwrap();
        let before = whole.get(&key).cloned();
        replay(&mut whole, &entry, "all");
        for (reader, told) in told.iter_mut().enumerate() {
            told.extend(expected(callers[reader].0, before.as_ref(), whole.get(&key)).map(|what| (entry.seq, what)));
        }
    }
    for (reader, told) in told.iter().enumerate() {
        let (what, caller) = (format!("seed {seed} reader {reader}"), &callers[reader].1);
        let (mut items, mut seen, mut cursor) = (Items::new(), Vec::new(), None);
        loop {
            // As a client that has sent nothing.
            let page = world.page_as(caller, 50 + reader as u128, cursor, dice.below(9) as u32 + 1).unwrap();
            for entry in &page.entries {
                replay(&mut items, entry, &what);
                let revoked = entry.reason.is_some();
                seen.push((
                    entry.seq,
                    if entry.full {
                        "full"
                    } else if revoked {
                        "revoked"
                    } else {
                        "op"
                    },
                ));
            }
            cursor = Some(page.cursor);
            if !page.more {
                break;
            }
        }
        assert_eq!(seen, *told, "{what}");
        let stored = world.checkpoint_as(caller, 50 + reader as u128, None, 100).unwrap();
        let visible: BTreeSet<String> = stored.items.iter().map(text).collect();
        assert_eq!(items.values().map(text).collect::<BTreeSet<_>>(), visible, "{what}");
        assert_eq!(stored.total, visible.len() as u64, "{what}");
        let of_whole = whole.values().filter(|item| callers[reader].0.iter().any(|t| item.tags.contains(&(*t).into())));
        assert_eq!(of_whole.map(text).collect::<BTreeSet<_>>(), visible, "{what}");
        // As the client that sent its ops: the same, and an outcome for each.
        let mut own = world.pull_as(caller, reader as u128 + 1);
        own.retain(|entry| !entry.hidden && entry.code.is_none() && entry.from != entry.rev);
        assert_eq!(
            own.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
            seen.iter().map(|seen| seen.0).collect::<Vec<_>>()
        );
    }
}

#[test]
fn what_each_caller_reads_is_what_the_tags_at_each_seq_make_of_the_log() {
    for seed in 1..=60_u64 {
        run(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
}
