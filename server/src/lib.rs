//! The reference server of the SyncStore protocol.
//!
//! The program `syncstore-server` is a command line around [`Server`], which any program can run
//! within itself:
//!
//! ```
//! use syncstore_server::{Server, ServerOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = tempfile::tempdir()?;
//! let server = Server::start(ServerOptions::dev(directory.path()))?;
//! println!("any database below {}/v1/", server.url());
//! server.stop();
//! # Ok(())
//! # }
//! ```
//!
//! Below it, [`service`] is the server without HTTP, [`core`] decides what becomes of an operation,
//! and [`storage`] keeps it.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod approver;
pub mod config;
pub mod core;
mod http;
mod server;
pub mod service;
pub mod storage;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use http::fuzzing;
#[doc(hidden)]
pub use http::route_names;
pub use server::{Server, ServerOptions, StartError};
