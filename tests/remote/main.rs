//! `Remote`, data without a replica, against the real server and against answers that no server means.
#![cfg(feature = "http")]

mod answers;
mod authentication;
mod batches;
mod office;
#[path = "../support/proxy.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod proxy;
mod reads;
mod repeats;
mod replicas;
#[path = "../support/scripted.rs"]
#[allow(dead_code, reason = "other test crates use the rest")]
mod scripted;
mod writes;
