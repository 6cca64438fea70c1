//! The simulation finds every fault that is planted: it is only as good as what it finds.
//!
//! `cargo test --release -p syncstore-simulation --features planted --test planted -- --nocapture`
//!
//! `planted.seeds` notes a world that each fault breaks, which is tried first: one such world is the proof, and to come to
//! it through all before it takes half an hour. With `SYNCSTORE_PLANTED_SEEDS=write` nothing noted is believed, every
//! fault is looked for from world 0, and the notes are written anew.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use syncstore::planted::{Planted, plant};
use syncstore_simulation::fails;

/// A fault must break a promise within so many worlds.
const MOST_SEEDS: u64 = 2_000;

/// Not broken in so many worlds: `tests/disk_faults/search.rs` finds it, at the one call of the disk that it takes.
const ELSEWHERE: Planted = Planted::SearchKeepsWhatFailed;

fn notes() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/planted.seeds")
}

/// The world noted for each fault.
fn noted() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(notes()).expect("simulation/tests/planted.seeds");
    text.lines()
        .map(|line| {
            let (fault, seed) = line.split_once(' ').expect("a fault and its seed in each line");
            (fault.to_owned(), seed.parse().expect("a seed is a number"))
        })
        .collect()
}

#[test]
fn every_planted_fault_is_found() {
    // Thousands of worlds end in a panic here, as they should.
    std::panic::set_hook(Box::new(|_| {}));
    let only = std::env::var("SYNCSTORE_PLANTED").ok();
    let writes = std::env::var_os("SYNCSTORE_PLANTED_SEEDS").is_some_and(|what| what == "write");
    let noted = if writes { BTreeMap::new() } else { noted() };
    let wanted =
        |fault: &&Planted| **fault != ELSEWHERE && only.as_ref().is_none_or(|only| format!("{fault:?}").contains(only));
    let faults: Vec<Planted> = Planted::ALL.iter().filter(wanted).copied().collect();
    assert!(!faults.is_empty(), "SYNCSTORE_PLANTED is {only:?}, which is the name of none that worlds find");
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::new());
    let missed = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let first = noted.get(&format!("{fault:?}")).copied().filter(|seed| *seed < MOST_SEEDS);
                    plant(Some(*fault));
                    let failure = first.into_iter().chain(0..MOST_SEEDS).find_map(|seed| fails(seed).err());
                    plant(None);
                    let Some(failure) = failure else {
                        missed.lock().expect("no panic while a fault is missed").push(*fault);
                        continue;
                    };
                    // It is the fault that was found, and not a promise that is broken without it.
                    let healthy = fails(failure.seed);
                    assert!(healthy.is_ok(), "seed {} fails without {fault:?}: {healthy:?}", failure.seed);
                    let words: String = failure.words.lines().next().unwrap_or_default().chars().take(150).collect();
                    println!("{fault:?}: seed {}: {words}", failure.seed);
                    found.lock().expect("no panic while a fault is noted").insert(format!("{fault:?}"), failure.seed);
                }
            });
        }
    });
    let _ = std::panic::take_hook();
    let missed = missed.into_inner().expect("no panic while a fault is missed");
    let found = found.into_inner().expect("no panic while a fault is noted");
    println!("{} of {} faults were found within {MOST_SEEDS} worlds", found.len(), faults.len());
    if writes && only.is_none() {
        let lines: String = found.iter().map(|(fault, seed)| format!("{fault} {seed}\n")).collect();
        std::fs::write(notes(), lines).expect("planted.seeds is written");
    }
    assert!(missed.is_empty(), "{missed:?} broke nothing in {MOST_SEEDS} worlds");
}
