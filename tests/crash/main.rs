//! Processes that are killed in the middle of opening, migrating, writing, syncing, bootstrapping and compacting: nothing is
//! lost, and nothing happens twice.
//!
//! `SYNCSTORE_KILLS=5000 cargo test --test crash -- --nocapture` kills so many, and tells how many at what.
//! A failure names its seed; `SEED=n cargo test --test crash` with the name of the test runs the life of that seed alone.
#![cfg(feature = "http")]

mod birth;
mod child;
mod life;
mod migrating;
mod model;
#[path = "../support/older.rs"]
mod older;
mod peer;
#[path = "../support/process.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod process;
#[path = "../support/proxy.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod proxy;

use life::{Death, Doing, Kills, Life};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};

/// Kills of all tests together; each has its share.
const USUAL_KILLS: u64 = 240;

/// Kills in one life.
const DEATHS: u64 = 10;

#[test]
#[ignore = "played by a process that another test starts"]
fn part_in_another_process() {
    match process::part().as_deref() {
        Some("birth") => child::be_born(),
        Some("migration") => child::migrate(),
        Some(_) => child::play(),
        None => {}
    }
}

/// The lives that have a share, in percent, of all kills; two at a time, and what they were killed at.
fn lives(first_seed: u64, percent: u64, live: impl Fn(u64, u64) -> Kills + Sync) {
    if let Ok(seed) = std::env::var("SEED") {
        live(seed.parse().unwrap(), DEATHS);
        return;
    }
    let wanted = std::env::var("SYNCSTORE_KILLS").map_or(USUAL_KILLS, |kills| kills.parse().unwrap());
    let lives = (wanted * percent).div_ceil(100 * DEATHS).max(1);
    let begun = Instant::now();
    let next = AtomicU64::new(first_seed);
    let kills = Mutex::new(Kills::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first_seed + lives {
                        break;
                    }
                    for (at, count) in live(seed, DEATHS) {
                        *kills.lock().entry(at).or_default() += count;
                    }
                }
            });
        }
    });
    let kills = kills.into_inner();
    let seeds = first_seed..first_seed + lives;
    println!("seeds {seeds:?}: killed while {kills:?}, in {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!(kills.values().sum::<u64>(), lives * DEATHS);
}

fn lives_of_a_replica(first_seed: u64, percent: u64, how: Death, doing: Doing) {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::dev();
    // Only replicas are killed here.
    let server = Server::start(ServerOptions::new(dir.path(), config)).unwrap();
    lives(first_seed, percent, |seed, deaths| Life::new(seed, &server, how, doing).run(deaths));
}

#[test]
fn a_process_killed_between_any_two_steps_loses_nothing_and_repeats_nothing() {
    lives_of_a_replica(10_000, 34, Death::Step, Doing::Anything);
}

#[test]
fn a_process_killed_with_a_request_or_an_answer_on_its_way_loses_nothing_and_repeats_nothing() {
    lives_of_a_replica(20_000, 16, Death::Byte, Doing::Anything);
}

#[test]
fn a_process_killed_at_any_time_loses_nothing_and_repeats_nothing() {
    lives_of_a_replica(30_000, 16, Death::Time, Doing::Anything);
}

#[test]
fn a_process_killed_while_it_loads_a_checkpoint_loses_nothing_and_repeats_nothing() {
    lives_of_a_replica(40_000, 12, Death::Time, Doing::Loading);
}

#[test]
fn a_process_killed_while_it_compacts_loses_nothing_and_repeats_nothing() {
    lives_of_a_replica(50_000, 12, Death::Time, Doing::Compacting);
}

#[test]
fn a_process_killed_while_it_makes_a_replica_leaves_none_or_a_sound_one() {
    lives(60_000, 12, birth::run);
}

#[test]
fn a_process_killed_while_it_migrates_a_replica_leaves_the_old_or_the_new_one() {
    lives(70_000, 12, migrating::run);
}
