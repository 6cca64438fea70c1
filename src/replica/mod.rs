//! The SQLite file: its schema, its connections, and the rows of items and of the replica's own state.
//!
//! Functions that take a `&Connection` run inside whatever transaction it is in; only [`Replica`] opens
//! transactions.

pub(crate) mod base;
pub(crate) mod collections;
mod connection;
pub(crate) mod items;
mod schema;
pub(crate) mod state;
pub(crate) mod turn;

pub(crate) use connection::{Replica, Tuning};
pub(crate) use items::Item;
pub use items::{ItemRef, Items, KeyRange};

use crate::error::Result;
use rusqlite::Connection;

/// The size of the file in bytes, without its log.
pub(crate) fn size(connection: &Connection) -> Result<u64> {
    let pragma = |name: &str| connection.prepare_cached(name)?.query_row([], |row| row.get::<_, i64>(0));
    Ok((pragma("PRAGMA page_count")? as u64).saturating_mul(pragma("PRAGMA page_size")? as u64))
}
