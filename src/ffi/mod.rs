//! The C interface: each file is a section of include/syncstore.h, and `kit` is what they are made with.
//!
//! There is no rule of the store's in here. docs/C-API.md has the conventions, and how a function is added.

// The names are C's.
#![allow(non_camel_case_types)]
#![deny(clippy::undocumented_unsafe_blocks)]

#[macro_use]
mod kit;

mod background;
mod batches;
mod callback;
mod cancel;
mod conflicts;
mod credentials;
mod error;
mod event;
mod events;
mod index_entries;
mod indexes;
mod items;
mod keep;
mod library;
mod op_ref;
mod outcomes;
mod pending;
mod queries;
mod query_bounds;
mod ref_list;
mod rejected_op;
mod rejections;
mod relations;
mod remote;
mod remote_batch;
mod remote_page;
mod remote_write;
mod report;
mod resolver;
mod resource;
mod rows;
mod search;
mod sql;
mod status;
mod store;
mod sync;
mod sync_status;
mod tags;
mod text;
mod upkeep;
mod walks;
mod watching;
mod wire;
mod wire_call;
mod wire_custom;
