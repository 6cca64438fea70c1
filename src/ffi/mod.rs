//! The C interface: each file is a section of include/syncstore.h, and `kit` is what they are made with.
//!
//! There is no rule of the store's in here. docs/C-API.md has the conventions, and how a function is added.

// The names are C's.
#![allow(non_camel_case_types)]
#![deny(clippy::undocumented_unsafe_blocks)]

#[macro_use]
mod kit;

mod callback;
mod conflicts;
mod error;
mod event;
mod events;
mod items;
mod library;
mod op_ref;
mod outcomes;
mod ref_list;
mod rejected_op;
mod rejections;
mod resolver;
mod resource;
mod status;
mod store;
mod sync_status;
mod text;
mod watching;
