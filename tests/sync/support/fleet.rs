//! Replicas in a directory of their own.

use super::environment::FakeEnvironment;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use syncstore::{KeyRange, Options, RetryPolicy, Store};
use tempfile::TempDir;

/// A directory for replicas, with one environment for all of them.
pub struct Fleet {
    directory: TempDir,
    pub environment: Arc<FakeEnvironment>,
}

impl Fleet {
    pub fn new() -> Fleet {
        Fleet::seeded(1)
    }

    pub fn seeded(seed: u64) -> Fleet {
        Fleet { directory: tempfile::tempdir().unwrap(), environment: FakeEnvironment::seeded(seed) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// One try for each request, so that a test sees every fault.
    pub fn options(&self) -> Options {
        let mut options = Options::default();
        options.environment = self.environment.clone();
        options.retry = RetryPolicy::never();
        options.cache_bytes = 4 << 20;
        // Requests in an order that a test can script.
        options.prefetch = false;
        options
    }

    /// Opens the replica of that name; the same name is the same file.
    pub fn open(&self, name: &str) -> Store {
        self.open_with(name, |_| {})
    }

    pub fn open_with(&self, name: &str, configure: impl FnOnce(&mut Options)) -> Store {
        let mut options = self.options();
        configure(&mut options);
        Store::open(self.path(name), options).unwrap()
    }

    /// Lets two stores of a replica sync at the same time, as on a file system that has no locks.
    pub fn lift_lock(&self, name: &str) {
        std::fs::remove_file(self.path(&format!("{name}-sync"))).unwrap();
    }

    /// Copies a replica that no store has open.
    pub fn copy(&self, from: &str, to: &str) {
        assert!(!self.path(&format!("{from}-wal")).exists(), "{from} is still open");
        std::fs::copy(self.path(from), self.path(to)).unwrap();
    }
}

/// Everything that a replica reads, which must be sound: (collection, key) to value.
pub fn view(store: &Store) -> BTreeMap<(String, String), Value> {
    let report = store.check().unwrap();
    assert!(report.is_ok(), "{report}");
    let mut items = BTreeMap::new();
    for collection in store.collections().unwrap() {
        for item in store.list(&collection, &KeyRange::all()).unwrap().iter() {
            items.insert((collection.clone(), item.key.to_owned()), item.to().unwrap());
        }
    }
    items
}

/// The value of one item as a replica reads it.
pub fn get(store: &Store, collection: &str, key: &str) -> Option<Value> {
    store.get(collection, key).unwrap()
}

pub fn patch(operations: Value) -> syncstore::json_patch::Patch {
    serde_json::from_value(operations).unwrap()
}
