//! The reference server of the SyncStore protocol.
#![forbid(unsafe_code)]

pub mod service;
