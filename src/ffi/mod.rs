//! The C interface: each file is a section of include/syncstore.h, and `kit` is what they are made with.
//!
//! There is no rule of the store's in here. docs/C-API.md has the conventions, and how a function is added.

// The names are C's.
#![allow(non_camel_case_types)]
#![deny(clippy::undocumented_unsafe_blocks)]

#[macro_use]
mod kit;

mod background;
mod cancel;
mod credentials;
mod error;
mod items;
mod library;
mod op_ref;
mod outcomes;
mod remote;
mod remote_batch;
mod remote_page;
mod remote_write;
mod report;
mod status;
mod store;
mod sync;
mod sync_status;
mod text;
mod wire;
mod wire_call;
mod wire_custom;
