//! A full-text search is kept in step by FTS5, which keeps things of its own in memory: a failed write must leave none of them behind.

use crate::rig::Clock;
use syncstore::{Options, SearchQuery, Store};
use syncstore_simulation::disk::{Disk, Fault};
use tempfile::TempDir;

const TEXTS: usize = 30;

fn open(disk: &Disk, directory: &TempDir) -> Store {
    let mut options = Options::default();
    options.vfs = Some(disk.name().into());
    options.environment = Clock::seeded(1);
    Store::open(directory.path().join("search.db"), options).unwrap()
}

fn words(n: usize) -> serde_json::Value {
    serde_json::json!({"text": format!("one of the words number{n}")})
}

/// Fails each call of a first write, of that key, in turn; what a write after it leaves wrong, and how many writes met the fault.
fn fail_each_call(key: &str) -> Result<u64, String> {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::new(0);
    let store = open(&disk, &directory);
    store.declare_search("words", "docs", &["/text"]).unwrap();
    store.build_search("words", &mut |_| {}).unwrap();
    for n in 0..TEXTS {
        store.set("docs", &format!("k{n}"), &words(n)).unwrap();
    }
    drop(store);
    let beginning = disk.image();
    let mut refused = 0;
    for n in 1.. {
        let disk = Disk::new(n);
        disk.restore(&beginning);
        let store = open(&disk, &directory);
        disk.fail_after(n, Fault::Io);
        let failed = store.set("docs", key, &words(TEXTS)).is_err();
        let struck = disk.faults() > 0;
        disk.heal();
        refused += u64::from(failed);
        store.set("docs", "new", &words(0)).unwrap();
        store.delete("docs", "k1").unwrap();
        let report = store.check().unwrap();
        if !report.is_ok() {
            return Err(format!("after a fault at call {n}: {report}"));
        }
        let hits = store.search("words", &SearchQuery::words("one").limit(100)).unwrap();
        let all = TEXTS + usize::from(!failed && key == "fresh");
        assert_eq!(hits.hits.len(), all, "after a fault at call {n}");
        if !struck {
            return Ok(refused);
        }
    }
    unreachable!("a write makes so many calls")
}

#[test]
fn one_failed_read_before_the_first_write_leaves_a_search_whole() {
    for key in ["k0", "fresh"] {
        let refused = fail_each_call(key).unwrap();
        assert!(refused > 3, "{refused} writes met the fault");
    }
}

#[cfg(feature = "planted")]
#[test]
fn what_fts5_keeps_of_a_failed_write_damages_a_search() {
    use syncstore::planted::{Planted, plant};
    plant(Some(Planted::SearchKeepsWhatFailed));
    let found = fail_each_call("fresh");
    plant(None);
    assert!(found.is_err(), "FTS5 keeps no wrong totals any more: is `forget_indexes` needed?");
}
