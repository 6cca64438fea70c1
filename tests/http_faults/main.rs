//! A store over HTTP when the server, the network or the answers fail: each failure ends in the right error within its
//! time-out, the replica is as it was, and the next sync with the real server brings both together.
#![cfg(feature = "http")]

mod answers;
mod cuts;
mod end_to_end;
mod hostile;
mod lost_logs;
#[path = "../support/proxy.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod proxy;
#[path = "../support/rig.rs"]
mod rig;
#[path = "../support/scripted.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod scripted;
mod sizes;
