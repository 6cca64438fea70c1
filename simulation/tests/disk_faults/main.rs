//! A store, and a server, on a disk that fails, runs full, stops and loses power, at every call of a script in turn.

mod faults;
#[path = "../../../tests/support/older.rs"]
mod older;
mod recovered;
mod rig;
mod script;
mod search;
mod server;
mod stops;
