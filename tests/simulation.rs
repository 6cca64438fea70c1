//! Fleets in one thread, faults at every step: see the crate in `simulation/`.
//!
//! `SYNCSTORE_SIM_SEEDS=0..2000 cargo test --release --test simulation` runs two thousand worlds; a failing one
//! prints the command that replays it.

use syncstore_simulation::{Seeds, fails, run_seeds};

#[test]
fn no_promise_is_broken_in_any_world() {
    let usual = if cfg!(debug_assertions) { 0..60 } else { 0..2_000 };
    run_seeds(Seeds::from_environment(usual));
}

#[test]
fn the_same_seed_makes_the_same_world() {
    for seed in 0..10 {
        let fingerprint = || fails(seed).map(|story| story.fingerprint).map_err(|failure| failure.words);
        assert_eq!(fingerprint(), fingerprint(), "seed {seed}");
    }
}
