//! Which random histories a test plays.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Plays the histories of as many seeds as are usual. SYNCSTORE_SEED has one seed played, the one that a failure names;
/// SYNCSTORE_SEEDS so many, for a longer search.
pub fn run_seeds(usual: u64, run: impl Fn(u64)) {
    let wanted = |name: &str| std::env::var_os(name).map(|text| number(name, &text.to_string_lossy()));
    for seed in seeds(wanted("SYNCSTORE_SEED"), wanted("SYNCSTORE_SEEDS"), usual) {
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
            eprintln!("the seed is {seed}");
            resume_unwind(failure);
        }
    }
}

fn number(name: &str, text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number"))
}

fn seeds(one: Option<u64>, many: Option<u64>, usual: u64) -> Range<u64> {
    assert_ne!(many, Some(0), "SYNCSTORE_SEEDS=0 plays nothing; leave it out to play {usual}");
    one.map_or(0..many.unwrap_or(usual), |seed| seed..seed + 1)
}

#[test]
fn a_seed_or_a_number_of_them_may_be_asked_for() {
    assert_eq!((seeds(None, None, 7), seeds(None, Some(3), 7), seeds(Some(5), Some(3), 7)), (0..7, 0..3, 5..6));
    assert_eq!(number("SYNCSTORE_SEEDS", "12"), 12);
}

#[test]
#[should_panic(expected = "SYNCSTORE_SEEDS=0 plays nothing")]
fn no_seed_at_all_is_refused() {
    seeds(None, Some(0), 7);
}

#[test]
#[should_panic(expected = "SYNCSTORE_SEEDS=many is no number")]
fn what_is_no_number_is_refused() {
    number("SYNCSTORE_SEEDS", "many");
}
