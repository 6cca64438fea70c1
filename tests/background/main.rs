//! The background sync against the real server, through networks that fail, and what a store tells of it.
#![cfg(feature = "http")]

mod callbacks;
mod closing;
mod contested;
mod files;
mod life;
mod listener;
mod liveness;
#[path = "../support/proxy.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod proxy;
mod queue;
#[path = "../support/scripted.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod scripted;
mod settling;
mod wires;
