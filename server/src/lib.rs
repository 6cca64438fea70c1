//! The reference server of the SyncStore protocol.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod config;
pub mod core;
mod http;
mod server;
pub mod service;
pub mod storage;

pub use server::{Server, ServerOptions, StartError};
