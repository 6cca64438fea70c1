//! The SQLite file: its schema, its connections, and the rows of items and of the replica's own state.
//!
//! Functions that take a `&Connection` run inside whatever transaction it is in; only [`Replica`] opens
//! transactions.

pub(crate) mod automatic;
pub(crate) mod base;
mod bounds;
pub(crate) mod check;
pub(crate) mod collections;
mod connection;
mod declared;
mod feed;
mod file_lock;
pub(crate) mod items;
pub(crate) mod parts;
mod presence;
mod ranges;
pub(crate) mod resources;
pub(crate) mod scan;
mod schema;
pub(crate) mod search;
mod snippets;
pub(crate) mod state;
pub(crate) mod sweep;
mod trail;
pub(crate) mod turn;
pub(crate) mod views;
pub(crate) mod walk;
mod watches;
mod writing;

pub(crate) use bounds::Bounds;
pub(crate) use connection::{Replica, Tuning};
pub(crate) use items::Item;
pub use items::{ItemRef, Items, KeyRange};
pub use resources::RelationTo;
pub use scan::RowRef;
pub use walk::{Related, RelatedItem, RelationPath, WalkOptions};
pub(crate) use writing::{Stands, Watched, Writing};

use crate::error::Result;
use rusqlite::Connection;

/// What the file holds, in bytes: without its free pages and without its write-ahead log.
pub(crate) fn content_bytes(connection: &Connection) -> Result<u64> {
    let pragma = |name: &str| connection.prepare_cached(name)?.query_row([], |row| row.get::<_, i64>(0));
    let pages = pragma("PRAGMA page_count")?.saturating_sub(pragma("PRAGMA freelist_count")?);
    Ok((pages.max(0) as u64).saturating_mul(pragma("PRAGMA page_size")?.max(0) as u64))
}
