//! Clients, a server and an approver that end at random, in every order: nothing is lost, and nothing is decided twice.

use crate::office::{Office, of};
use crate::replay::Dice;
use crate::world::*;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use syncstore::protocol::{Entry, EntryOutcome, Json, Op, Ref};
use syncstore_server::approver::{ApprovalResponse, ApproverError, AskedOp, Form, OpAnswer};

/// What an approver has said, and all that it has ever said of each op: where it remembers, that is one thing.
#[derive(Default)]
struct Memory {
    said: HashMap<Ref, u64>,
    ever: HashMap<Ref, HashSet<u64>>,
}

fn whim(memory: &mut Memory, random: &mut Dice, asked: &AskedOp) -> Option<OpAnswer> {
    let op_ref = asked.op.op_ref;
    let whim = *memory.said.entry(op_ref).or_insert_with(|| random.below(10));
    memory.ever.entry(op_ref).or_default().insert(whim);
    Some(match whim {
        0..=3 => OpAnswer::accepted(op_ref),
        4 | 5 => OpAnswer::rejected(op_ref, "no"),
        6 => OpAnswer { op: Some(Form::set(Json::from_value(&"theirs".into()))), ..OpAnswer::accepted(op_ref) },
        7 => OpAnswer { tags: vec!["seen".into()], ..OpAnswer::accepted(op_ref) },
        8 => OpAnswer {
            op: Some(Form { key: Some("elsewhere".into()), ..Form::set(Json::null()) }),
            ..OpAnswer::accepted(op_ref)
        },
        _ => return None,
    })
}

/// The ops that a client has pushed, in its order, and those of its batches.
struct Client {
    id: u128,
    ops: Vec<Op>,
    /// How many of them, from the first on, the server has.
    taken: usize,
}

impl Client {
    /// Pushes the ops from a place on, or what the server does not have yet.
    fn push(&mut self, office: &Office, from: usize) -> Vec<String> {
        let from = from.min(self.taken);
        let words = words(&office.world.push(self.id, &self.ops[from..]));
        let has = |word: &String| word != "skipped" && word != "staged";
        self.taken = from + words.iter().take_while(|word| has(word)).count();
        words
    }
}

fn make(office: &Office, random: &mut Dice, client: &mut Client, mark: u64) {
    let world = &office.world;
    let key = format!("k{}", random.below(3));
    let value = format!("{{\"n\":{mark}}}");
    let op = match random.below(8) {
        0..=3 => world.set(&key, &value),
        4 => world.patch(&key, &format!("[{{\"op\":\"add\",\"path\":\"/m\",\"value\":{mark}}}]")),
        5 => world.delete(&key),
        6 => world.tag(&key, "own"),
        _ => world.index(&key, "i", &value),
    };
    let collection = ["c", "ask", "open"][random.below(3) as usize];
    if random.below(100) < 20 {
        let name = u128::from(mark) << 8 | client.id;
        client.ops.push(batch(of(collection, op), name, 2));
        client.ops.push(batch(of("ask", world.set("shared", &value)), name, 2));
    } else {
        client.ops.push(of(collection, op));
    }
}

fn run(seed: u64) {
    let (mut random, mut whims) = (Dice(seed), Dice(!seed));
    let memory: Arc<Mutex<Memory>> = Arc::default();
    let insists = Arc::new(Mutex::new(false));
    let (remembers, insisted) = (memory.clone(), insists.clone());
    let mut office = Office::new(move |request| {
        let mut memory = remembers.lock();
        let insists = *insisted.lock();
        if !insists && whims.below(100) < 20 {
            return Err(ApproverError("it is down".into()));
        }
        if !insists && whims.below(100) < 5 {
            // It ended, and what it knew is gone.
            memory.said.clear();
        }
        let answers: Vec<Option<OpAnswer>> = request
            .ops
            .iter()
            .map(|asked| match insists {
                true if matches!(memory.said.get(&asked.op.op_ref), None | Some(8 | 9)) => {
                    Some(OpAnswer::accepted(asked.op.op_ref))
                }
                _ => whim(&mut memory, &mut whims, asked),
            })
            .collect();
        if !insists && whims.below(100) < 20 {
            // It has decided, and its answer is lost.
            return Err(ApproverError("the answer was lost".into()));
        }
        let mut answers: Vec<OpAnswer> = answers.into_iter().flatten().collect();
        if whims.below(100) < 10 {
            answers.extend(answers.clone());
        }
        if whims.below(100) < 30 {
            answers.reverse();
        }
        Ok(answers.into_iter().collect::<ApprovalResponse>())
    });
    let mut clients: Vec<Client> = (1..=3).map(|id| Client { id, ops: Vec::new(), taken: 0 }).collect();
    for mark in 0..60 {
        let at = random.below(3) as usize;
        match random.below(10) {
            0..=4 => {
                let sent = clients[at].ops.len();
                for _ in 0..=random.below(3) {
                    make(&office, &mut random, &mut clients[at], mark * 4);
                }
                // A client repeats what it may not have had an answer for.
                let from = sent.saturating_sub(random.below(3) as usize);
                clients[at].push(&office, from);
            }
            5 => drop(clients[at].push(&office, 0)),
            6 => office.restart(|_| {}),
            7 => drop(office.approve()),
            _ => drop(office.approve_later()),
        }
    }
    *insists.lock() = true;
    for _ in 0..400 {
        for client in &mut clients {
            // Not those before: a rejected one that is repeated holds back what has not been taken yet.
            client.push(&office, client.ops.len());
        }
        let queued = office.service().stats()[0].queued_ops;
        if queued == 0 && clients.iter().all(|client| client.taken == client.ops.len()) {
            break;
        }
        office.approve_later();
    }
    check(seed, &office, &clients, &memory.lock());
}

fn check(seed: u64, office: &Office, clients: &[Client], memory: &Memory) {
    let mut told: BTreeMap<Ref, Entry> = BTreeMap::new();
    for client in clients {
        for entry in office.world.pull(client.id, None).0 {
            let own = client.ops.iter().any(|op| op.op_ref == entry.op_ref);
            if own && let Some(other) = told.insert(entry.op_ref, entry) {
                panic!("seed {seed}: {other:?} stands twice");
            }
        }
        // Each op has an outcome, those on one item in the client's order (those that were skipped by one before them, and
        // pushed again later, aside: nothing here is skipped for good).
        let mut last: HashMap<(&str, &str), u64> = HashMap::new();
        let results = office.world.push(client.id, &client.ops);
        for (op, result) in client.ops.iter().zip(&results) {
            let entry = told.get(&op.op_ref).unwrap_or_else(|| panic!("seed {seed}: {op:?}: {result:?} has no entry"));
            assert_eq!(result.seq, Some(entry.seq), "seed {seed}: {op:?}");
            let whims = memory.ever.get(&op.op_ref).cloned().unwrap_or_default();
            if op.collection != "open" && entry.outcome == EntryOutcome::Accepted {
                let allowed = whims.is_empty() || whims.iter().any(|whim| !matches!(whim, 4 | 5));
                assert!(allowed, "seed {seed}: {op:?} was refused and is {entry:?}");
            }
            if entry.code.as_ref().is_some_and(|code| code.as_str() == "policy") {
                assert!(whims.contains(&4) || whims.contains(&5), "seed {seed}: {op:?} was never refused");
            }
            let accepted = entry.outcome == EntryOutcome::Accepted;
            let seq = last.entry((&op.collection, &op.key)).or_default();
            if accepted {
                assert!(entry.seq > *seq, "seed {seed}: {op:?} overtook another");
                *seq = entry.seq;
            }
        }
    }
    let stats = office.service().stats().remove(0);
    assert_eq!((stats.queued_ops, stats.queued_bytes), (0, 0), "seed {seed}");
    // The log, replayed, is what there is: the revs follow each other item by item.
    let mut revs: HashMap<(String, String), u64> = HashMap::new();
    for entry in office.world.pull(0xeee, None).0 {
        let item = (entry.collection.unwrap(), entry.key.unwrap());
        let before = revs.remove(&item).unwrap_or(0);
        assert!(entry.full || entry.from == Some(before), "seed {seed}: {} follows {before}", entry.seq);
        let ends = entry.kind == Some(syncstore::protocol::OpKind::Delete)
            && entry.index.is_none()
            && entry.tag.is_none()
            && entry.relation.is_none();
        if !ends {
            revs.insert(item, entry.rev.unwrap());
        }
    }
}

#[test]
fn nothing_is_lost_or_decided_twice_whoever_ends_when() {
    for seed in 1..=40_u64 {
        run(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
}
