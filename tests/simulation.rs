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

/// Set in the process that is to say what its worlds were.
const CHILD: &str = "SYNCSTORE_SIM_CHILD";

/// In another process, and behind other worlds, too: neither what has a seed of its own in each process, as the order of a hash map's
/// keys, nor what one world leaves may show in the next.
#[test]
fn the_same_seed_makes_the_same_world() {
    let mut seeds: Vec<u64> = if cfg!(debug_assertions) { (0..10).collect() } else { (0..60).collect() };
    let is_child = std::env::var_os(CHILD).is_some();
    if is_child {
        seeds.reverse();
    }
    let mut worlds: Vec<String> = Vec::new();
    for seed in seeds {
        let world = fails(seed).map(|story| story.fingerprint).map_err(|failure| failure.words);
        worlds.push(format!("world {seed}: {world:?}"));
    }
    if is_child {
        return worlds.iter().for_each(|world| println!("\n{world}"));
    }
    let program = std::env::current_exe().expect("a test has a program");
    let mut child = std::process::Command::new(program);
    child.args(["the_same_seed_makes_the_same_world", "--exact", "--nocapture"]).env(CHILD, "1");
    let output = child.output().expect("the program runs once more");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {said}{errors}", output.status);
    for world in worlds {
        assert!(said.lines().any(|line| line == world), "here it is {world}, there: {said}");
    }
}
