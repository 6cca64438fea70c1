//! The reference server of the SyncStore protocol.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod core;
pub mod service;
pub mod storage;
