//! The SQLite file: its schema, its connections, and the rows of items and of the replica's own state.
//!
//! Functions that take a `&Connection` run inside whatever transaction it is in; only [`Replica`] opens
//! transactions.

pub(crate) mod base;
pub(crate) mod check;
pub(crate) mod collections;
mod connection;
pub(crate) mod items;
mod schema;
pub(crate) mod state;
pub(crate) mod turn;

pub(crate) use connection::{Replica, Tuning};
pub(crate) use items::Item;
pub use items::{ItemRef, Items, KeyRange};
