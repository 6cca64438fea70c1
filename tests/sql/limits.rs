use crate::{error, notes};
use std::time::{Duration, Instant};
use syncstore::{SqlError, SqlLimits};

const ENDLESS: &str = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n)";

#[test]
fn a_statement_that_never_ends_is_interrupted() {
    let (_dir, store) = notes();
    let limit = Duration::from_millis(50);
    for statement in [format!("{ENDLESS} SELECT count(*) FROM n"), format!("{ENDLESS} SELECT sum(n) FROM n")] {
        let begun = Instant::now();
        let error = error(store.sql(statement.as_str()).time(limit).run());
        assert_eq!(error, SqlError::OutOfTime { limit }, "{statement}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{statement}");
    }
    store.sql("SELECT key FROM items").run().unwrap();
}

#[test]
fn the_time_of_one_statement_is_not_that_of_the_next() {
    let (_dir, store) = notes();
    // Each is over before its time is looked at; what the next finds is a connection whose time is up.
    for n in 0..600 {
        store.sql("SELECT 1").time(Duration::ZERO).run().unwrap_or_else(|error| panic!("{n}: {error}"));
    }
}

#[test]
fn few_steps_that_each_take_long_are_out_of_time_too() {
    let (_dir, store) = notes();
    let limit = Duration::from_millis(1);
    let columns = (0..150).map(|n| format!("length(hex(zeroblob(500000 + {n})))")).collect::<Vec<_>>().join(", ");
    assert_eq!(error(store.sql(format!("SELECT {columns}")).time(limit).run()), SqlError::OutOfTime { limit });
}

#[test]
fn a_pattern_is_no_longer_than_a_thousand_bytes() {
    let (_dir, store) = notes();
    for operator in ["LIKE", "GLOB"] {
        let matches = |length: usize| {
            let statement = format!("SELECT printf('%.*c', 5000, 'a') {operator} printf('%.*c', ?1, 'a')");
            store.sql(statement).bind(length as i64).run()
        };
        assert_eq!(matches(1_000).unwrap().get(0).unwrap()[0].as_i64(), Some(0));
        assert!(matches!(error(matches(1_001)), SqlError::Statement(words) if words.contains("pattern")));
    }
}

#[test]
fn a_statement_that_takes_for_ever_to_plan_ends_too() {
    let (_dir, store) = notes();
    for steps in [8, 12, 20, 40] {
        // Twice as much to plan with each step.
        let each: Vec<String> =
            (1..=steps).map(|n| format!("t{n} AS (SELECT a.x FROM t{0} a, t{0} b)", n - 1)).collect();
        let statement = format!("WITH t0 AS (SELECT 1 AS x), {} SELECT count(*) FROM t{steps}", each.join(", "));
        let begun = Instant::now();
        let _ = store.sql(statement).time(Duration::from_millis(50)).run();
        assert!(begun.elapsed() < Duration::from_secs(20), "{steps}");
    }
}

#[test]
fn a_result_without_end_hits_the_row_limit() {
    let (_dir, store) = notes();
    assert_eq!(error(store.sql(format!("{ENDLESS} SELECT n FROM n")).run()), SqlError::TooManyRows { limit: 10_000 });
    assert_eq!(error(store.sql("SELECT key FROM items").rows(1).run()), SqlError::TooManyRows { limit: 1 });
    assert_eq!(store.sql("SELECT key FROM items").rows(2).run().unwrap().len(), 2);
    assert_eq!(error(store.sql("SELECT 1").rows(0).run()), SqlError::TooManyRows { limit: 0 });
}

#[test]
fn large_results_and_values_hit_their_limits() {
    let (_dir, store) = notes();
    let mut limits = SqlLimits::default();
    limits.bytes = 1_000;
    assert_eq!(error(store.sql("SELECT zeroblob(985)").limits(limits).run()), SqlError::TooLarge { limit: 1_000 });
    assert_eq!(store.sql("SELECT zeroblob(984)").limits(limits).run().unwrap().len(), 1);
    for statement in [
        "SELECT length(printf('%.*c', 70000000, 'x'))",
        "SELECT length(zeroblob(1000000000))",
        "SELECT length(replace(hex(zeroblob(5000000)), '0', 'twenty bytes instead'))",
    ] {
        let error = error(store.sql(statement).run());
        assert!(matches!(error, SqlError::TooLarge { limit } if limit > 64 << 20), "{statement}: {error:?}");
    }
}

#[test]
fn a_very_long_statement_and_a_very_deep_one_are_errors() {
    let (_dir, store) = notes();
    let long = format!("SELECT '{}'", "x".repeat(300 << 10));
    let refused = error(store.sql(long).run());
    assert_eq!(refused, SqlError::TooLarge { limit: 256 << 10 });
    assert!(refused.to_string().contains("262144 bytes"), "{refused}");
    let longest = format!("SELECT 1{}", " ".repeat((256 << 10) - 8));
    assert_eq!(store.sql(longest).run().unwrap().len(), 1);
    let deep = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(matches!(error(store.sql(deep).run()), SqlError::Statement(_)));
    let wide = (0..70).map(|n| format!("items i{n}")).collect::<Vec<_>>().join(", ");
    assert!(matches!(error(store.sql(format!("SELECT 1 FROM {wide}")).run()), SqlError::Statement(_)));
}
