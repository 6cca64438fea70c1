//! Three replicas, one server, and everything between them going wrong.

use crate::support::{Call, Fault, FaultyWire, Fleet, Random, Server, despite_losses, patch, run_seeds, view};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use syncstore::protocol::{EntryOutcome, Format, OpKind};
use syncstore::wire::Wire;
use syncstore::{Outcome, Ref, Store};

const REPLICAS: usize = 3;
const STEPS: u64 = 60;
const KEYS: &[&str] = &["a", "b", "c"];
const COLLECTIONS: &[&str] = &["open", "careful", "merged"];

/// One edit; the refs of the ops that it made.
fn edit(store: &Store, random: &mut Random, mark: u64) -> Vec<Ref> {
    let (collection, key) = (*random.pick(COLLECTIONS), *random.pick(KEYS));
    let value = json!({"log": [mark], "n": mark, "deep": {"x": 0}});
    let append = patch(json!([{"op": "add", "path": "/log/-", "value": mark}]));
    match random.below(10) {
        0..=2 => vec![store.set(collection, key, &value).unwrap()],
        // Where there is nothing to patch, the store says so and nothing is queued.
        3..=5 => store.patch(collection, key, &append).into_iter().collect(),
        6 | 7 => {
            store.update(collection, key, |now| now["deep"]["x"] = mark.into()).ok().flatten().into_iter().collect()
        }
        8 => vec![store.delete(collection, key).unwrap()],
        _ => {
            let mut batch = store.batch();
            for key in KEYS.iter().take(1 + random.below(3) as usize) {
                batch.set(collection, key, &value).unwrap();
            }
            if random.percent(50) {
                batch.patch(collection, KEYS[0], &append).unwrap();
            }
            batch.commit().unwrap().ops
        }
    }
}

fn trouble(random: &mut Random, call: &Call) -> Fault {
    match (random.below(100), call) {
        (0..12, _) => Fault::LoseRequest,
        (12..24, _) => Fault::LoseAnswer,
        (24..32, _) => Fault::Twice,
        (32..40, Call::Push(_)) => Fault::Late,
        _ => Fault::None,
    }
}

/// What the server does behind the replicas' backs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mischief {
    Nothing,
    /// It prunes its log.
    Forgets,
    /// It is restored from an older backup, with a new epoch.
    Rewinds,
}

fn run(seed: u64, mischief: Mischief) {
    let forgetful = mischief == Mischief::Forgets;
    let mut random = Random::new(seed);
    let fleet = Fleet::seeded(seed);
    let server = Server::with(move |options| {
        if forgetful {
            options.retention.log_entries = 15;
        }
    });
    let format = *random.pick(&[None, Some(Format::Json), Some(Format::MessagePack)]);
    let direct: Vec<Box<dyn Wire>> = (0..REPLICAS)
        .map(|_| -> Box<dyn Wire> {
            match format {
                Some(format) => Box::new(server.wire_in(format)),
                None => Box::new(server.wire()),
            }
        })
        .collect();
    let wires: Vec<FaultyWire> = direct
        .iter()
        .enumerate()
        .map(|(n, wire)| {
            let mut random = Random::new(seed ^ (n as u64 + 1) << 32);
            FaultyWire::new(&**wire, move |call| trouble(&mut random, call))
        })
        .collect();
    let open = |n: usize| {
        fleet.open_with(&format!("r{n}"), |options| {
            options.coalescing = !seed.is_multiple_of(4);
            options.push_ops = 1 + (seed % 5) as u32;
            options.pull_entries = 1 + (seed % 7) as u32;
            options.checkpoint_items = 1 + (seed % 3) as u32;
        })
    };
    let mut stores: Vec<Store> = (0..REPLICAS).map(open).collect();
    let mut made: Vec<Vec<Ref>> = vec![Vec::new(); REPLICAS];
    let mut deletes: HashSet<Ref> = HashSet::new();
    let mut backup = None;
    let backup_at = random.below(STEPS / 2);
    let restore_at = backup_at + 1 + random.below(STEPS / 2);
    for mark in 0..STEPS {
        if mischief == Mischief::Rewinds {
            if mark == backup_at {
                backup = Some(server.backup());
            }
            if let Some(backup) = backup.as_ref().filter(|_| mark == restore_at) {
                server.restore(backup, true);
                // A request that outlived the restore would bring back what its sender knows to be undone; that is
                // `rewound::an_undone_op_that_arrives_late_in_the_restored_log_is_accepted_after_all`.
                wires.iter().for_each(FaultyWire::drop_late);
            }
        }
        let n = random.below(REPLICAS as u64) as usize;
        let what = format!("seed {seed}, {mark}: replica {n}");
        fleet.environment.advance(Duration::from_millis(random.below(20)));
        if forgetful && random.percent(8) {
            // Checkpoints that nobody reads hold the log back for a day.
            server.environment.advance(Duration::from_secs(26 * 3600));
            server.prune();
        }
        match random.below(10) {
            0..=5 => {
                let refs = edit(&stores[n], &mut random, mark);
                // What a delete folded into is a delete, and so is what folded into that before.
                let pending = stores[n].pending().unwrap();
                deletes.extend(pending.iter().filter(|op| op.kind == OpKind::Delete).map(|op| op.op_ref));
                made[n].extend(refs);
            }
            6 => drop(despite_losses(&what, stores[n].push(&wires[n]))),
            7 => drop(despite_losses(&what, stores[n].pull(&wires[n]))),
            8 => {
                wires[n].deliver_late();
                if random.percent(20) {
                    // A process that ends and begins anew.
                    let closed = std::mem::replace(&mut stores[n], open(n));
                    drop(closed);
                    let report = stores[n].check().unwrap();
                    assert!(report.is_ok(), "seed {seed}: {report}");
                }
            }
            _ => drop(despite_losses(&what, stores[n].sync(&wires[n]))),
        }
    }
    // The network heals; what was under way arrives, at any time.
    for round in 0..4 {
        if mischief == Mischief::Rewinds && round == 1 {
            // A batch that was half there when the backup was made, and settled before the restore, holds back its
            // items until it expires.
            server.environment.advance(Duration::from_secs(8 * 24 * 3600));
            server.prune();
        }
        for n in 0..REPLICAS {
            let report = stores[n].sync(&*direct[n]).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            if let Some(syncstore::BootstrapReason::Diverged(why)) = report.bootstrapped {
                panic!("seed {seed}: nobody copied a file, and still: {why}");
            }
            if round < 2 {
                wires[n].deliver_late();
            }
        }
    }
    let expected: BTreeMap<(String, String), Value> =
        server.items().into_iter().map(|(item, (value, _))| (item, value)).collect();
    let log = if forgetful { Vec::new() } else { server.log() };
    let mut seqs: HashMap<Ref, u64> = HashMap::new();
    for entry in log.iter().filter(|entry| entry.outcome == EntryOutcome::Accepted) {
        assert_eq!(seqs.insert(entry.op_ref, entry.seq), None, "seed {seed}: {} twice", entry.op_ref);
    }
    let mut known = HashSet::new();
    for n in 0..REPLICAS {
        let report = stores[n].check().unwrap();
        assert!(report.is_ok(), "seed {seed}: replica {n}: {report}");
        assert_eq!(stores[n].pending().unwrap(), [], "seed {seed}: replica {n}");
        assert_eq!(view(&stores[n]), expected, "seed {seed}: replica {n}");
        assert_eq!(stores[n].position().unwrap(), stores[0].position().unwrap(), "seed {seed}");
        for op in &made[n] {
            assert!(known.insert(*op), "seed {seed}: {op} was made twice");
            let survivor = survivor_of(&stores[n], *op);
            let outcome =
                stores[n].outcome(survivor).unwrap().unwrap_or_else(|| panic!("seed {seed}: {op} is forgotten"));
            if forgetful {
                assert!(matches!(outcome, Outcome::Accepted { .. } | Outcome::Rejected(_)), "seed {seed}: {outcome:?}");
                continue;
            }
            match (seqs.get(&survivor).copied(), outcome) {
                (None, Outcome::Undone { .. }) if mischief == Mischief::Rewinds => {}
                // A delete of something missing is told to its sender only.
                (None, Outcome::Accepted { .. }) if deletes.contains(&survivor) => {}
                (Some(seq), Outcome::Accepted { seq: said }) => assert_eq!(seq, said, "seed {seed}"),
                (None, Outcome::Rejected(why)) => assert!(!why.message.is_empty(), "seed {seed}"),
                (entry, outcome) => panic!("seed {seed}: {op} is {outcome:?}, its entry {entry:?}"),
            }
        }
    }
    // Every entry is an op that some replica made and knows to be accepted.
    for op in seqs.keys() {
        assert!(known.contains(op), "seed {seed}: {op} came from nowhere");
    }
}

/// The op that a ref ended in.
fn survivor_of(store: &Store, op: Ref) -> Ref {
    let mut op = op;
    while let Some(Outcome::FoldedInto(other)) = store.outcome(op).unwrap() {
        op = other;
    }
    op
}

#[test]
fn three_replicas_converge_whatever_is_lost_repeated_or_late() {
    run_seeds(40, |seed| run(seed, Mischief::Nothing));
}

#[test]
fn three_replicas_converge_while_their_cursors_expire() {
    run_seeds(40, |seed| run(seed, Mischief::Forgets));
}

#[test]
fn three_replicas_converge_after_the_server_was_restored() {
    run_seeds(40, |seed| run(seed, Mischief::Rewinds));
}
