//! How much a database's file holds.

use super::{Stored, uint};
use rusqlite::Connection;

/// In bytes: without its free pages and without its write-ahead log. Within a transaction it reads nothing.
pub fn bytes(connection: &Connection) -> Stored<u64> {
    let pragma = |name: &str| connection.prepare_cached(name)?.query_row([], |row| row.get::<_, i64>(0));
    let pages = pragma("PRAGMA page_count")?.saturating_sub(pragma("PRAGMA freelist_count")?);
    Ok(uint(pages.saturating_mul(pragma("PRAGMA page_size")?)))
}
