//! Every input of the corpora, and of what fuzzing once found, again.

use std::path::Path;
use syncstore_fuzz_targets::TARGETS;

fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(target, _)| *target == name).unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(name);
    let mut inputs: Vec<_> = std::fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(inputs.len() >= 5, "{} has hardly anything", corpus.display());
    for input in inputs {
        let bytes = std::fs::read(&input).unwrap();
        // The name of the input is what a failure needs to be repeated.
        let run = std::panic::catch_unwind(|| target(&bytes));
        assert!(run.is_ok(), "{} fails", input.display());
    }
}

#[test]
fn messages_to_client() {
    replay("messages_to_client");
}

#[test]
fn requests_to_server() {
    replay("requests_to_server");
}

#[test]
fn json_patch() {
    replay("json_patch");
}

#[test]
fn cursors_and_tokens() {
    replay("cursors_and_tokens");
}

#[test]
fn transcode() {
    replay("transcode");
}

#[test]
fn replica_file() {
    replay("replica_file");
}
