//! The C interface: each file is a section of include/syncstore.h, and `kit` is what they are made with.
//!
//! There is no rule of the store's in here. docs/C-API.md has the conventions, and how a function is added.

// The names are C's.
#![allow(non_camel_case_types)]
#![deny(clippy::undocumented_unsafe_blocks)]

#[macro_use]
mod kit;

mod batches;
mod error;
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
mod relations;
mod resource;
mod rows;
mod search;
mod sql;
mod status;
mod store;
mod tags;
mod text;
mod upkeep;
mod walks;
