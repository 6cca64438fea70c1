//! Programs that sync: each has a server of its own, and is told its URL and what to come in with.

use crate::building::root;
use crate::programs::{failing_program, program_with};
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};
use tempfile::TempDir;

/// What the programs know by heart, but for the credentials.
const CONFIG: &str = r#"
[[credential]]
token = "t0ken-of-ada"
user = "ada"
databases = ["notes"]
all_tags = true

[[credential]]
key = "rpa_1"
secret = "rps_s3cret"
databases = ["notes"]
all_tags = true

[collections.strict]
policy = "reject_stale"
"#;

/// A server, with its directory; and the program's arguments: its URL, a token, a key and the secret of that.
pub fn served() -> ((Server, TempDir), Vec<String>) {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(ServerOptions::new(data.path(), Config::parse(CONFIG).unwrap())).unwrap();
    let arguments = [server.url().as_str(), "t0ken-of-ada", "rpa_1", "rps_s3cret"].map(str::to_owned).to_vec();
    ((server, data), arguments)
}

fn program(name: &str) {
    program_with(&root().join("tests/c").join(name).with_extension("c"), &served);
}

#[test]
fn sync() {
    program("sync");
}

#[test]
fn misuse_sync() {
    program("misuse_sync");
}

#[test]
fn wire() {
    program("wire");
}

#[test]
fn misuse_wire() {
    program("misuse_wire");
}

#[test]
fn remote() {
    program("remote");
}

#[test]
fn misuse_remote() {
    program("misuse_remote");
}

#[test]
fn two_replicas_sync_through_a_file() {
    program_with(&root().join("examples/c/custom_wire.c"), &|| ((), Vec::new()));
}

#[test]
fn the_example_of_notes() {
    program_with(&root().join("examples/c/notes.c"), &served);
}

#[test]
fn the_example_of_a_loop_that_pumps_events() {
    program_with(&root().join("examples/c/pump.c"), &served);
}

#[test]
fn an_example_that_fails_says_why() {
    for source in ["examples/c/notes.c", "examples/c/pump.c"] {
        failing_program(
            &root().join(source),
            &["localhost", "t0ken-of-ada"],
            "the URL has no http:// or https:// in front",
        );
    }
}
