//! Automatic indexes: a table of entries for each, kept in step by triggers on `items`.
//!
//! What a value's entries are is said by a function of this crate that the triggers call, so a program without it cannot write
//! an item past an index. The entries of a value that is replaced or goes are found again by what it was.

use super::declared::{Declared, literal};
use crate::error::{Error, Result};
use crate::index::{IndexError, IndexedField, Path, beginning_of_long};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

/// The most of a replica: a write asks each whether it is concerned.
const MOST: usize = 256;

/// A declared index.
#[derive(Clone, Debug)]
pub(crate) struct Automatic {
    declared: Declared,
    name: String,
    pub field: IndexedField,
}

impl Automatic {
    fn read(row: &Row<'_>) -> rusqlite::Result<Automatic> {
        let field = IndexedField { pointer: row.get(5)?, dates: row.get(6)? };
        Ok(Automatic { declared: Declared::read(row, "indexes")?, name: row.get(4)?, field })
    }

    /// The collection that it is of.
    pub fn collection(&self) -> &str {
        &self.declared.collection
    }

    /// Whether all of the collection is in it.
    pub fn is_complete(&self) -> bool {
        self.declared.is_complete()
    }

    /// Where in a value its entries are.
    pub fn path(&self) -> Result<Path> {
        Path::new(&self.field).map_err(|error| Error::Corrupt(format!("indexes.field: {error}")))
    }

    /// The table of its entries: `(collection, ordering, key, item)`.
    pub fn table(&self) -> String {
        table(self.declared.id)
    }

    /// What makes the rows `entry.value` of its entries out of an item's value.
    fn rows(&self, value: &str) -> String {
        format!("json_each({}) entry", self.keys(value))
    }

    fn keys(&self, value: &str) -> String {
        format!("{FUNCTION}({value}, {}, {})", literal(&self.field.pointer), u8::from(self.field.dates))
    }

    /// What makes the table and the triggers.
    pub fn objects(&self) -> String {
        let (table, of_collection) = (self.table(), |id| self.declared.of_collection(id));
        let (is_new, is_old) = (of_collection("new.collection"), of_collection("old.collection"));
        let insert = format!(
            "INSERT OR IGNORE INTO {table}(collection, ordering, key, item)
             SELECT new.collection, entry.value, new.key, new.id FROM {};",
            self.rows("new.value")
        );
        let delete = format!(
            "DELETE FROM {table} WHERE collection = old.collection AND key = old.key
             AND ordering IN (SELECT entry.value FROM {});",
            self.rows("old.value")
        );
        format!(
            "CREATE TABLE {table}(
               collection INTEGER NOT NULL,
               ordering TEXT NOT NULL,
               key TEXT NOT NULL,
               item INTEGER NOT NULL,
               PRIMARY KEY (collection, ordering, key)
             ) WITHOUT ROWID;
             CREATE TRIGGER {table}_insert AFTER INSERT ON items WHEN new.value IS NOT NULL AND {is_new} BEGIN
               {insert}
             END;
             CREATE TRIGGER {table}_update AFTER UPDATE OF collection, value ON items
               WHEN (new.collection <> old.collection OR new.value IS NOT old.value) AND {is_new}
                 AND (new.collection <> old.collection OR {old_keys} IS NOT {new_keys}) BEGIN
               {delete}
               {insert}
             END;
             CREATE TRIGGER {table}_delete AFTER DELETE ON items WHEN old.value IS NOT NULL AND {is_old} BEGIN
               {delete}
             END;",
            old_keys = self.keys("old.value"),
            new_keys = self.keys("new.value"),
        )
    }
}

fn table(id: i64) -> String {
    format!("index_{id}")
}

/// What the triggers call: a value, a pointer, and whether texts may be dates.
const FUNCTION: &str = "syncstore_ordering_keys";

/// Makes the function known to a connection that writes items.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    Ok(connection.create_scalar_function(FUNCTION, 3, flags, ordering_keys)?)
}

/// The ordering keys as a JSON array; NULL: there are none. A write must not fail for what is no JSON.
fn ordering_keys(context: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let ValueRef::Text(value) = context.get_raw(0) else { return Ok(None) };
    let path = context.get_or_create_aux(1, |pointer| {
        let field = IndexedField { pointer: pointer.as_str()?.to_owned(), dates: context.get(2)? };
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Path::new(&field)?)
    })?;
    let keys = std::str::from_utf8(value).map(|value| path.ordering_keys(value)).unwrap_or_default();
    if keys.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(&keys).map(Some).map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))
}

/// The schema of a replica that is open by itself.
pub(super) const MAIN: &str = "main";

const COLUMNS: &str = "id, collection, at_collection, at_key, name, field, dates";

/// The automatic index of a name, if there is one.
pub(crate) fn find(connection: &Connection, collection: &str, name: &str) -> Result<Option<Automatic>> {
    let mut find =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM indexes WHERE collection = ?1 AND name = ?2"))?;
    Ok(find.query_row((collection, name), Automatic::read).optional()?)
}

fn known(connection: &Connection, collection: &str, name: &str) -> Result<Automatic> {
    let unknown = || IndexError::Unknown { collection: collection.to_owned(), name: name.to_owned() };
    find(connection, collection, name)?.ok_or_else(|| unknown().into())
}

/// Every automatic index of the replica in a schema.
pub(super) fn all(connection: &Connection, schema: &str) -> Result<Vec<Automatic>> {
    each(connection, schema)?.into_iter().map(|(_, index)| index).collect()
}

/// Every one of them with its table, as far as its declaration can be read.
pub(super) fn each(connection: &Connection, schema: &str) -> Result<Vec<(String, Result<Automatic>)>> {
    let mut find = connection.prepare(&format!("SELECT {COLUMNS} FROM {schema}.indexes ORDER BY id"))?;
    let rows = find.query_map([], |row| Ok((table(row.get(0)?), Automatic::read(row).map_err(Error::from))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Declares an index, over one of the same name that is of another field; whether it must be built, and whether it is new.
pub(crate) fn declare(
    connection: &Connection,
    collection: &str,
    name: &str,
    field: &IndexedField,
) -> Result<(bool, bool)> {
    // Checked before anything is dropped.
    beginning_of_long(&field.pointer).map_or(Ok(()), |begin| Err(IndexError::Pointer(begin)))?;
    Path::new(field)?;
    if let Some(index) = find(connection, collection, name)? {
        if index.field == *field {
            return Ok((!index.is_complete(), false));
        }
        drop_index(connection, collection, name)?;
    }
    let count: i64 = connection.query_row("SELECT count(*) FROM indexes", [], |row| row.get(0))?;
    if count >= MOST as i64 {
        return Err(IndexError::TooMany(MOST).into());
    }
    connection.execute(
        "INSERT INTO indexes(collection, name, field, dates, at_collection, at_key) VALUES (?1, ?2, ?3, ?4, 0, '')",
        (collection, name, &field.pointer, field.dates),
    )?;
    connection.execute_batch(&known(connection, collection, name)?.objects())?;
    Ok((true, true))
}

/// Removes an index; whether it was there.
pub(crate) fn drop_index(connection: &Connection, collection: &str, name: &str) -> Result<bool> {
    let Some(index) = find(connection, collection, name)? else { return Ok(false) };
    let table = index.table();
    connection.execute_batch(&format!(
        "DROP TRIGGER {table}_insert; DROP TRIGGER {table}_update; DROP TRIGGER {table}_delete; DROP TABLE {table};"
    ))?;
    connection.execute("DELETE FROM indexes WHERE id = ?1", [index.declared.id])?;
    Ok(true)
}

/// The entries of all indexes of the replica in a schema as one query.
pub(super) fn view(indexes: &[Automatic], schema: &str) -> String {
    let none = "SELECT NULL AS collection, NULL AS key, NULL AS name, NULL AS order_key WHERE 0".to_owned();
    // CROSS: from a collection to its entries, which are in its order.
    let each = indexes.iter().map(|index| {
        format!(
            "SELECT c.name AS collection, e.key AS key, {} AS name, e.ordering AS order_key
             FROM {schema}.collections c CROSS JOIN {schema}.{} e ON e.collection = c.id WHERE c.life = 0 AND c.name = {}",
            literal(&index.name),
            index.table(),
            literal(&index.declared.collection)
        )
    });
    each.reduce(|all, one| all + " UNION ALL " + &one).unwrap_or(none)
}

/// Takes up to `items` into an index that were there before it; how many, and whether that is all.
pub(crate) fn build(connection: &Connection, collection: &str, name: &str, items: u32) -> Result<(u64, bool)> {
    let index = known(connection, collection, name)?;
    let mut insert = connection.prepare_cached(&format!(
        "INSERT OR IGNORE INTO {}(collection, ordering, key, item)
         SELECT i.collection, entry.value, i.key, i.id FROM items i CROSS JOIN {} WHERE i.id = ?1",
        index.table(),
        index.rows("i.value")
    ))?;
    index.declared.build(connection, items, |item| Ok(insert.execute([item]).map(drop)?))
}

/// Whether an index has all that it should.
pub(crate) fn is_complete(connection: &Connection, collection: &str, name: &str) -> Result<bool> {
    Ok(known(connection, collection, name)?.is_complete())
}

/// How many items an index is of.
pub(crate) fn count(connection: &Connection, collection: &str, name: &str) -> Result<u64> {
    known(connection, collection, name)?.declared.count(connection)
}

/// An entry that an index should have and has not, or the other way round.
pub(super) enum Wrong<'a> {
    /// Of an item by its row, its key and how many of its entries are not there.
    Missing { item: i64, key: &'a str, entries: u64 },
    /// So many entries of no item.
    Unasked(u64),
}

/// Compares an index with what the items make of it now.
pub(super) fn compare(connection: &Connection, index: &Automatic, mut tell: impl FnMut(Wrong<'_>)) -> Result<()> {
    let path = index.path()?;
    let (table, collection) = (index.table(), &index.declared.collection);
    let live = "(SELECT id FROM collections WHERE name = ?1 AND life IN (0, 1))";
    let mut has = connection.prepare(&format!(
        "SELECT count(*) FROM {table} WHERE collection = ?1 AND ordering = ?2 AND key = ?3 AND item = ?4"
    ))?;
    let mut find = connection.prepare(&format!(
        "SELECT id, collection, key, value FROM items WHERE collection IN {live} AND value IS NOT NULL"
    ))?;
    let mut rows = find.query([collection])?;
    let mut found = 0;
    while let Some(row) = rows.next()? {
        let (item, of): (i64, i64) = (row.get(0)?, row.get(1)?);
        // What is no text is found with the items.
        let (ValueRef::Text(key), ValueRef::Text(value)) = (row.get_ref(2)?, row.get_ref(3)?) else { continue };
        let (Ok(key), Ok(value)) = (std::str::from_utf8(key), std::str::from_utf8(value)) else { continue };
        let mut missing = 0;
        for ordering in path.ordering_keys(value) {
            let there: u64 = has.query_row((of, ordering, key, item), |row| row.get::<_, i64>(0))?.unsigned_abs();
            found += there;
            missing += 1 - there.min(1);
        }
        if missing > 0 && index.declared.has_passed(of, key) {
            tell(Wrong::Missing { item, key, entries: missing });
        }
    }
    // What a swap retired has its entries until it is deleted.
    let all: i64 = connection.query_row(
        &format!(
            "SELECT count(*) FROM {table} WHERE collection IN {live}
             OR collection NOT IN (SELECT id FROM collections WHERE name = ?1)"
        ),
        [collection],
        |row| row.get(0),
    )?;
    let unasked = all.unsigned_abs().saturating_sub(found);
    if unasked > 0 {
        tell(Wrong::Unasked(unasked));
    }
    Ok(())
}
