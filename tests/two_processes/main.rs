//! Two processes on one replica, both writing, reading, listening and syncing in the background with a real server, while one of
//! them is killed again and again.
//!
//! `SYNCSTORE_HAMMER_SECONDS=60 cargo test --test two_processes -- --nocapture` goes on for so long, and tells what it did.
//! `SEED=n` draws other moments and other writes; a failure names the seed.
#![cfg(feature = "http")]

mod child;
mod history;
mod pair;
#[path = "../support/process.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod process;

use std::time::Duration;

/// For how long, unless the environment says otherwise.
const USUAL_SECONDS: u64 = 8;

fn from_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

#[test]
#[ignore = "played by a process that another test starts"]
fn part_in_another_process() {
    if process::part().is_some() {
        child::play();
    }
}

#[test]
fn two_processes_hammer_one_file_while_one_is_killed_again_and_again() {
    let seed = from_environment("SEED", 70_000);
    let seconds = Duration::from_secs(from_environment("SYNCSTORE_HAMMER_SECONDS", USUAL_SECONDS));
    println!("SEED={seed}, {seconds:?}");
    pair::hammer(seed, seconds);
}
