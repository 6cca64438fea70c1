//! What SyncStore does with bytes from outside, one function for each kind of them.
//!
//! Each panics where SyncStore breaks a promise, and returns otherwise. cargo-fuzz calls them with inputs that it makes
//! up (`fuzz/run`), and a test with the inputs of the corpora (`fuzz/corpus`), so that a plain `cargo test` repeats what
//! was found.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod environment;
mod head;
mod messages;
mod patches;
mod peer;
mod replica;
mod requests;
mod room;
mod source;
mod texts;

pub use head::cursors_and_tokens;
pub use messages::messages_to_client;
pub use patches::json_patch;
pub use replica::replica_file;
pub use requests::requests_to_server;
pub use texts::transcode;

/// A target's function.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its corpus too.
pub const TARGETS: [(&str, Target); 6] = [
    ("messages_to_client", messages_to_client),
    ("requests_to_server", requests_to_server),
    ("json_patch", json_patch),
    ("cursors_and_tokens", cursors_and_tokens),
    ("transcode", transcode),
    ("replica_file", replica_file),
];
