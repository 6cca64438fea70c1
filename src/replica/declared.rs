//! What is declared over the items of a collection, a search or an index, and how far it has come with those that were there
//! before it.
//!
//! Triggers on `items` keep it in step from its declaration on: whatever writes an item, in any process, does so in its own
//! transaction. Items of incoming collections have their part too: the swap of a checkpoint leaves it as it is.

use super::items;
use crate::error::Result;
use rusqlite::{Connection, Row};

/// A row of a table of such declarations.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    table: &'static str,
    pub id: i64,
    pub collection: String,
    /// Where the build goes on; `None`: it is complete.
    at: Option<(i64, String)>,
}

impl Declared {
    /// From the columns `id, collection, at_collection, at_key` of a row, which come first.
    pub fn read(row: &Row<'_>, table: &'static str) -> rusqlite::Result<Declared> {
        let at: Option<i64> = row.get(2)?;
        Ok(Declared { table, id: row.get(0)?, collection: row.get(1)?, at: at.zip(row.get(3)?) })
    }

    /// Whether all that was there before was taken in.
    pub fn is_complete(&self) -> bool {
        self.at.is_none()
    }

    /// Whether an item of that collection's id and key was taken in, whatever became of it.
    pub fn has_passed(&self, collection: i64, key: &str) -> bool {
        self.at.as_ref().is_none_or(|(at, after)| collection < *at || (collection == *at && key <= after.as_str()))
    }

    /// The condition that a collection of this id is the one.
    pub fn of_collection(&self, id: &str) -> String {
        format!("(SELECT name FROM collections WHERE id = {id}) = {}", literal(&self.collection))
    }

    /// How many items it is of.
    pub fn count(&self, connection: &Connection) -> Result<u64> {
        let count: i64 = connection.query_row(
            "SELECT count(*) FROM items WHERE collection IN
             (SELECT id FROM collections WHERE name = ?1 AND life IN (0, 1))",
            [&self.collection],
            |row| row.get(0),
        )?;
        Ok(count.max(0) as u64)
    }

    /// Hands up to `items` that were there before to `take`, by the ids of their rows, and no more than a transaction's share of bytes; how many, and whether that is all.
    pub fn build(
        &self,
        connection: &Connection,
        items: u32,
        mut take: impl FnMut(i64) -> Result<()>,
    ) -> Result<(u64, bool)> {
        let Some((collection, key)) = &self.at else { return Ok((0, true)) };
        // Collections made later, with higher ids, have been taken in from their first item on.
        let next = connection
            .query_row(
                "SELECT min(id) FROM collections WHERE id >= ?1 AND name = ?2 AND life IN (0, 1)",
                (collection, &self.collection),
                |row| row.get::<_, Option<i64>>(0),
            )?
            .map(|next| (next, if next == *collection { key.as_str() } else { "" }));
        let at: Option<(i64, String)>;
        let mut count = 0;
        match next {
            None => at = None,
            Some((collection, after)) => {
                let (rows, cut) = items::first_behind(connection, (collection, after), items as usize)?;
                rows.iter().try_for_each(|(item, _)| take(*item))?;
                count = rows.len() as u64;
                // The next id, should this be the last page.
                at = match rows.into_iter().next_back() {
                    Some((_, key)) if cut || count == u64::from(items) => Some((collection, key)),
                    _ => collection.checked_add(1).map(|next| (next, String::new())),
                };
            }
        }
        connection.execute(
            &format!("UPDATE {} SET at_collection = ?2, at_key = ?3 WHERE id = ?1", self.table),
            (self.id, at.as_ref().map(|at| at.0), at.as_ref().map(|at| at.1.as_str())),
        )?;
        Ok((count, at.is_none()))
    }
}

/// A text within a statement.
pub(super) fn literal(text: &str) -> String {
    if text.contains('\0') {
        // Which would end the statement.
        let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        return format!("CAST(x'{digits}' AS TEXT)");
    }
    format!("'{}'", text.replace('\'', "''"))
}
