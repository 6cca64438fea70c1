//! Processes that are killed in the middle of writing and syncing: nothing is lost, and nothing happens twice.
//!
//! A failure names its seed; `SEED=n cargo test --test crash` makes each test run the life of that seed alone.
#![cfg(feature = "http")]

mod child;
mod life;
mod model;
mod peer;
#[path = "../support/process.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod process;
#[path = "../support/proxy.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod proxy;
#[path = "../support/random.rs"]
mod random;

use life::{Death, Life};
use std::sync::atomic::{AtomicU64, Ordering};
use syncstore_server::config::{Config, Durability};
use syncstore_server::{Server, ServerOptions};

#[test]
#[ignore = "played by a process that another test starts"]
fn part_in_another_process() {
    if process::part().is_some() {
        child::play();
    }
}

/// Lives of replicas, each with so many deaths, two at a time.
fn lives(first_seed: u64, lives: u64, deaths: u32, how: Death) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::dev();
    // Only replicas are killed here.
    config.durability = Durability::Normal;
    let server = Server::start(ServerOptions::new(dir.path(), config)).unwrap();
    if let Ok(seed) = std::env::var("SEED") {
        Life::new(seed.parse().unwrap(), &server, how).run(deaths);
        return;
    }
    let next = AtomicU64::new(first_seed);
    let died = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first_seed + lives {
                        break;
                    }
                    died.fetch_add(Life::new(seed, &server, how).run(deaths), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(died.into_inner(), lives * u64::from(deaths), "each child is killed before it ends by itself");
}

#[test]
fn a_process_killed_between_any_two_steps_loses_nothing_and_repeats_nothing() {
    lives(1_000, 10, 11, Death::Step);
}

#[test]
fn a_process_killed_with_a_request_or_an_answer_on_its_way_loses_nothing_and_repeats_nothing() {
    lives(2_000, 6, 10, Death::Byte);
}

#[test]
fn a_process_killed_at_any_time_loses_nothing_and_repeats_nothing() {
    lives(3_000, 6, 10, Death::Time);
}
