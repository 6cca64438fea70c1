//! The HTTP wire against a server that answers by a script, byte for byte.
#![cfg(feature = "http")]

mod answers;
mod authentication;
mod bodies;
mod cancelling;
mod requests;
#[path = "../support/scripted.rs"]
mod scripted;
mod time_outs;
mod transport;
