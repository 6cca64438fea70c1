//! Programs that deal with what a server has said before: the file has been synced, and its copy is the program's argument.

use crate::building::root;
use crate::programs::program_with;
use serde_json::json;
use std::path::Path;
use syncstore::wire::http::{HttpOptions, HttpWire};
use syncstore::{Options, Store};
use syncstore_server::{Server, ServerOptions};

/// Keys of items that others delete before a patch of ours arrives.
const DELETED: [&str; 5] = ["again", "set", "patch", "delete", "discard"];

/// Keys of items that both sides change.
const CONTESTED: [&str; 6] = ["rebased", "theirs", "ours", "merged", "moved", "later"];

/// Leaves a replica at a path: of the collection `gone` all operations were rejected, of `both` all are in conflict.
fn contested(path: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(ServerOptions::dev(dir.path().join("server"))).unwrap();
    let wire = HttpWire::new(&server.url(), "notes", HttpOptions::default()).unwrap();
    let ours = Store::open(path, Options::default()).unwrap();
    let theirs = Store::open(dir.path().join("theirs.db"), Options::default()).unwrap();
    let further = ["index", "relation", "tag", "batch1", "batch2"];
    for key in DELETED.iter().chain(&further) {
        ours.set("gone", key, &json!({"a": 0})).unwrap();
    }
    for key in CONTESTED {
        ours.set("both", key, &json!({"a": 0, "b": 0})).unwrap();
    }
    ours.sync(&wire).unwrap();
    theirs.sync(&wire).unwrap();

    for key in DELETED.iter().chain(&further) {
        theirs.delete("gone", key).unwrap();
    }
    theirs.sync(&wire).unwrap();
    for key in DELETED {
        ours.update("gone", key, |value| value["a"] = 1.into()).unwrap();
    }
    ours.set_index("gone", "index", "by_due", "2026").unwrap();
    ours.set_relation("gone", "relation", "r1", "in", ("lists", "l1")).unwrap();
    ours.add_tag("gone", "tag", "team").unwrap();
    let mut batch = ours.batch();
    for key in ["batch1", "batch2"] {
        batch
            .patch("gone", key, &serde_json::from_value(json!([{"op": "add", "path": "/b", "value": 1}])).unwrap())
            .unwrap();
    }
    batch.commit().unwrap();
    ours.sync(&wire).unwrap();
    assert_eq!(ours.rejections().unwrap().len(), DELETED.len() + further.len());

    for key in CONTESTED {
        theirs.set("both", key, &json!({"a": 0, "b": 1})).unwrap();
        ours.set("both", key, &json!({"a": 1, "b": 0})).unwrap();
    }
    theirs.sync(&wire).unwrap();
    ours.pull(&wire).unwrap();
    assert_eq!(ours.conflicts().unwrap().len(), CONTESTED.len());
}

#[test]
fn mending() {
    let made = tempfile::tempdir().unwrap();
    contested(&made.path().join("contested.db"));
    program_with(&root().join("tests/c/mending.c"), &|| {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("contested.db");
        std::fs::copy(made.path().join("contested.db"), &copy).unwrap();
        let path = copy.to_str().unwrap().to_owned();
        (dir, vec![path])
    });
}

/// How long the threads go on, in milliseconds.
const THREADS: &str = "SYNCSTORE_THREADS_MS";

#[test]
fn threads() {
    let time = std::env::var(THREADS).unwrap_or_else(|_| "2000".to_owned());
    program_with(&root().join("tests/c/threads.c"), &|| ((), vec![time.clone()]));
}
