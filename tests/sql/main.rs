//! `Store::sql`: what the views show, and everything that a statement must not do.

mod hostile;
mod limits;
mod views;

use serde_json::json;
use syncstore::{Error, Options, Result, SqlError, SqlRows, Store};
use tempfile::TempDir;

/// A store with two notes, which has never synced.
fn notes() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("s.db"), Options::default()).unwrap();
    store.set("notes", "n1", &json!({"title": "Milk", "done": false})).unwrap();
    store.set("notes", "n2", &json!({"title": "Bread", "done": true})).unwrap();
    (dir, store)
}

fn error(result: Result<SqlRows>) -> SqlError {
    match result {
        Err(Error::Sql(error)) => error,
        other => panic!("{other:?}"),
    }
}
