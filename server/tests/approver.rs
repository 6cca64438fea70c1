//! The story of examples/approver.rs is true: a gateway, a server that asks it, and replicas, over HTTP.

// Its `main` is for the command line.
#[allow(dead_code)]
#[path = "../../examples/approver.rs"]
mod approver;

#[test]
fn the_example_tells_a_true_story() {
    approver::story().unwrap();
}
