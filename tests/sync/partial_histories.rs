//! Random histories: each replica ends with what the server has of what it keeps, and of what its user may see.

use crate::support::{Call, Fault, FaultyWire, Fleet, Random, Server, despite_losses, run_seeds};
use crate::visibility::{callers, compare, edit, seen};
use std::time::Duration;
use syncstore::{Filter, Options, Store};

const LISTS: &[&str] = &[
    "",
    "open",
    "careful,merged",
    "open:k1",
    "open:k0,open:k1,merged:k2",
    "open,careful,merged",
    "merged:k,open:k3",
    "careful:k2,open",
];

fn list(random: &mut Random) -> Filter {
    if random.percent(20) { Filter::everything() } else { Filter::parse(random.pick::<&str>(LISTS)).unwrap() }
}

fn trouble(random: &mut Random, call: &Call) -> Fault {
    match (random.below(100), call) {
        (0..10, _) => Fault::LoseRequest,
        (10..20, _) => Fault::LoseAnswer,
        (20..26, _) => Fault::Twice,
        (26..32, Call::Push(_)) => Fault::Late,
        _ => Fault::None,
    }
}

fn run(seed: u64, forgetful: bool) {
    let mut random = Random::new(seed);
    let fleet = Fleet::seeded(seed);
    let server = Server::with(move |options| {
        if forgetful {
            options.retention.log_entries = 15;
        }
    });
    let callers = callers();
    let direct: Vec<_> = callers.iter().map(|caller| server.wire_of(caller.clone())).collect();
    let wires: Vec<_> = direct
        .iter()
        .enumerate()
        .map(|(n, wire)| {
            let mut random = Random::new(seed ^ (n as u64 + 1) << 32);
            FaultyWire::new(wire, move |call| trouble(&mut random, call))
        })
        .collect();
    let configure = |options: &mut Options| {
        options.push_ops = 1 + (seed % 5) as u32;
        options.pull_entries = 1 + (seed % 7) as u32;
        options.checkpoint_items = 1 + (seed % 3) as u32;
    };
    let open = |n: usize| fleet.open_with(&format!("d{n}"), configure);
    let mut stores: Vec<Store> = (0..callers.len()).map(open).collect();
    for (n, store) in stores.iter().enumerate() {
        // The first keeps everything, always.
        if n > 0 {
            store.keep(&list(&mut random)).unwrap();
        }
    }
    for mark in 0..150 {
        let n = random.below(stores.len() as u64) as usize;
        let what = format!("seed {seed}, {mark}: d{n}");
        fleet.environment.advance(Duration::from_millis(random.below(20)));
        if forgetful && random.percent(6) {
            server.environment.advance(Duration::from_secs(26 * 3600));
            server.prune();
        }
        match random.below(20) {
            0..=10 => edit(&stores[n], &mut random, mark),
            11 | 12 if n > 0 => drop(stores[n].keep(&list(&mut random)).unwrap()),
            13 => drop(despite_losses(&what, stores[n].push(&wires[n]))),
            14 => drop(despite_losses(&what, stores[n].pull(&wires[n]))),
            15 => {
                wires[n].deliver_late();
                drop(std::mem::replace(&mut stores[n], open(n)));
            }
            _ => drop(despite_losses(&what, stores[n].sync(&wires[n]))),
        }
        if random.percent(25) {
            let report = stores[n].check().unwrap();
            assert!(report.is_ok(), "seed {seed}, {mark}: d{n}: {report}");
        }
    }
    for _ in 0..4 {
        for (n, store) in stores.iter().enumerate() {
            wires[n].deliver_late();
            let report = store.sync(&direct[n]).unwrap_or_else(|error| panic!("seed {seed}: d{n}: {error}"));
            if let Some(syncstore::BootstrapReason::Diverged(why)) = report.bootstrapped {
                panic!("seed {seed}: d{n}: nobody copied a file, and still: {why}");
            }
        }
    }
    for (n, (store, caller)) in stores.iter().zip(&callers).enumerate() {
        let who = format!("seed {seed}: d{n}");
        let report = store.check().unwrap();
        assert!(report.is_ok(), "{who}: {report}");
        let keep = store.kept().unwrap();
        assert_eq!(keep.keep, keep.here, "{who}");
        assert_eq!(store.pending().unwrap(), [], "{who}");
        assert_eq!(store.position().unwrap(), stores[0].position().unwrap(), "{who}");
        let mut expected = seen(&server, caller, 0x0b5e_0000 + n as u128);
        expected.retain(|(collection, key), _| keep.keep.has(collection, key));
        compare(&format!("{who} with {}", keep.keep), store, &expected);
    }
}

#[test]
fn partial_replicas_end_with_their_part_whatever_is_lost_repeated_or_late() {
    run_seeds(15, |seed| run(seed, false));
}

#[test]
fn partial_replicas_end_with_their_part_while_their_cursors_expire() {
    run_seeds(15, |seed| run(seed, true));
}
