//! Many worlds, on all cores, and the command that replays the one that failed.

use crate::plan::Plan;
use crate::trace::Trace;
use crate::world::{self, Story};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Which seeds to run, as `SYNCSTORE_SIM_SEEDS` says: `7`, or `0..2000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub Range<u64>);

impl Seeds {
    /// What the environment asks for, or else `usual`.
    pub fn from_environment(usual: Range<u64>) -> Seeds {
        let Ok(text) = std::env::var("SYNCSTORE_SIM_SEEDS") else { return Seeds(usual) };
        Seeds::parse(&text).unwrap_or_else(|| panic!("SYNCSTORE_SIM_SEEDS is {text:?}: a seed, or from..to"))
    }

    fn parse(text: &str) -> Option<Seeds> {
        let Some((from, to)) = text.split_once("..") else {
            let seed: u64 = text.parse().ok()?;
            return Some(Seeds(seed..seed.checked_add(1)?));
        };
        let seeds = from.parse().ok()?..to.parse().ok()?;
        // None would pass whatever is broken.
        (!seeds.is_empty()).then_some(Seeds(seeds))
    }
}

/// How a world failed.
#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub words: String,
    pub trace: String,
}

/// Plays one seed; what it broke, if anything.
pub fn fails(seed: u64) -> Result<Story, Failure> {
    let all = std::env::var_os("SYNCSTORE_SIM_TRACE").is_some();
    let trace = Arc::new(Trace::new(all));
    let story = catch_unwind(AssertUnwindSafe(|| world::run(&Plan::of(seed), &trace)));
    if all && story.is_ok() {
        println!("{}", trace.last_lines());
    }
    story.map_err(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
        Failure { seed, words: words.unwrap_or_default(), trace: trace.last_lines() }
    })
}

/// Plays seeds on all cores; prints what happened in them, and panics with the first that failed.
pub fn run_seeds(seeds: Seeds) -> BTreeMap<&'static str, u64> {
    let started = Instant::now();
    let next = AtomicU64::new(seeds.0.start);
    let failed = AtomicBool::new(false);
    let failure: Mutex<Option<Failure>> = Mutex::new(None);
    let counts: Mutex<BTreeMap<&'static str, u64>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.0.end {
                        return;
                    }
                    match fails(seed) {
                        Ok(story) => {
                            let mut counts = counts.lock().expect("no panic while counting");
                            story
                                .counts
                                .into_iter()
                                .for_each(|(what, times)| *counts.entry(what).or_default() += times);
                        }
                        Err(new) => {
                            failed.store(true, Ordering::Relaxed);
                            let mut failure = failure.lock().expect("no panic while a failure is told");
                            if failure.as_ref().is_none_or(|first| new.seed < first.seed) {
                                *failure = Some(new);
                            }
                        }
                    }
                }
            });
        }
    });
    if let Some(Failure { seed, words, trace }) = failure.into_inner().expect("no panic while a failure is told") {
        // Not everything that a build with assertions finds is found without.
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        let command =
            format!("SYNCSTORE_SIM_SEEDS={seed} cargo test{release} --test simulation no_promise -- --nocapture");
        eprintln!("{trace}\n\nseed {seed}: {words}\nreplay it: {command}\n(SYNCSTORE_SIM_TRACE=1 for the whole trace)");
        panic!("seed {seed}: {words}");
    }
    let counts = counts.into_inner().expect("no panic while counting");
    println!("{} seeds in {:.1} s: {counts:?}", seeds.0.end - seeds.0.start, started.elapsed().as_secs_f64());
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_one_or_a_range() {
        assert_eq!(Seeds::parse("7"), Some(Seeds(7..8)));
        assert_eq!(Seeds::parse("0..2000"), Some(Seeds(0..2_000)));
        for text in ["", "a", "..", "1..b", "-1", "7..7", "9..7"] {
            assert_eq!(Seeds::parse(text), None, "{text:?}");
        }
    }
}
