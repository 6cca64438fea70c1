//! Reading by SQL: one SELECT over the documented views.

use super::Store;
use crate::error::{Error, Result};
use crate::replica::views::{self, LONGEST_STATEMENT, LONGEST_VALUE, Views};
use crate::sql::{SqlError, SqlLimits, SqlRows, SqlValue};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{ErrorCode, Statement};
use std::sync::Arc;
use std::time::Duration;

/// What each value of a result counts besides its own bytes.
const CELL_BYTES: usize = 16;

const ONLY_READS: &str = "a statement may only read the views, by SELECT";

/// A collection is no table.
const COLLECTIONS: &str = "collections are no tables: SELECT … FROM items WHERE collection = '…'";

/// A SELECT on its way: bind its parameters, then [run](Sql::run) it.
#[must_use = "a statement reads nothing until it is run"]
#[derive(Clone, Debug)]
pub struct Sql<'a> {
    store: &'a Store,
    statement: String,
    positional: Vec<SqlValue>,
    named: Vec<(String, SqlValue)>,
    limits: SqlLimits,
}

impl Store {
    /// Reads by SQL: one SELECT over the views `items`, `index_entries`, `automatic_entries`, `relations`, `tags`, `outbox` and `ledger`,
    /// which `docs/SQL.md` describes. Collections are no tables: `FROM items WHERE collection = 'notes'`.
    ///
    /// SQLite's SELECT with all it has: joins, WITH, window and JSON functions. Nothing can be written, attached or
    /// configured, and no other table is there. Values are bound, never put into the text:
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// use serde_json::json;
    ///
    /// store.set("notes", "n1", &json!({"title": "Milk", "done": false}))?;
    /// store.set("notes", "n2", &json!({"title": "Bread", "done": true}))?;
    /// let open = store
    ///     .sql("SELECT key, value ->> '$.title' AS title FROM items
    ///           WHERE collection = ?1 AND value ->> '$.done' = ?2")
    ///     .bind("notes")
    ///     .bind(false)
    ///     .run()?;
    /// assert_eq!(open.columns(), ["key", "title"]);
    /// assert_eq!(open.get(0).unwrap()[1].as_str(), Some("Milk"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn sql(&self, select: impl Into<String>) -> Sql<'_> {
        Sql {
            store: self,
            statement: select.into(),
            positional: Vec::new(),
            named: Vec::new(),
            limits: SqlLimits::default(),
        }
    }
}

impl Sql<'_> {
    /// Binds the next of the parameters `?`, or `?1`, `?2` and so on.
    pub fn bind(mut self, value: impl Into<SqlValue>) -> Self {
        self.positional.push(value.into());
        self
    }

    /// Binds a parameter by its name, with the sign before it: `:name`, `@name` or `$name`.
    pub fn bind_named(mut self, name: impl Into<String>, value: impl Into<SqlValue>) -> Self {
        self.named.push((name.into(), value.into()));
        self
    }

    /// The most rows it may have; see [`SqlLimits`] for the default.
    pub fn rows(mut self, most: usize) -> Self {
        self.limits.rows = most;
        self
    }

    /// The longest that it may take; see [`SqlLimits`] for the default.
    pub fn time(mut self, most: Duration) -> Self {
        self.limits.time = most;
        self
    }

    /// All limits at once.
    pub fn limits(mut self, limits: SqlLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Runs the statement and reads all of its rows, as of one moment.
    ///
    /// Neither waits for writes nor makes them wait. The time is looked at between the steps of a statement (and while
    /// it is planned): one call of a function over a value of many megabytes is not interrupted. Sorts and
    /// intermediate results larger than [`Options::cache_bytes`](crate::Options::cache_bytes) go to temporary files;
    /// single values are bounded by 65 MiB, and the sum of those that a statement holds at a time is not. So the limits
    /// stop mistakes; a statement by somebody who means harm can change nothing and read nothing else, but take all memory.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] with an [`SqlError`] that says what is wrong with the statement, or which limit was hit; nothing is
    /// cut silently. Other errors when the file cannot be read.
    pub fn run(self) -> Result<SqlRows> {
        let environment = &self.store.settings.environment;
        let end = environment.monotonic().saturating_add(self.limits.time);
        self.store.replica.views(
            || environment.random_u128(),
            |views| {
                let clock = Arc::clone(environment);
                let expired = move || clock.monotonic() >= end;
                let ended = self.rows_of(views, expired);
                ended.map_err(|failed| match failed {
                    Failed::Error(error) => error,
                    Failed::Sqlite(error) => self.explain(views, error),
                })
            },
        )
    }

    fn rows_of(&self, views: &mut Views, expired: impl FnMut() -> bool + Send + 'static) -> Result<SqlRows, Failed> {
        if self.statement.contains('\0') {
            // SQLite would take no notice of what is behind it.
            return Err(refused("it has a zero byte in it"));
        }
        if self.statement.len() > LONGEST_STATEMENT {
            return Err(SqlError::TooLarge { limit: LONGEST_STATEMENT }.into());
        }
        let connection = views.guarded(expired)?;
        let mut statement = match connection.prepare(&self.statement) {
            Err(rusqlite::Error::MultipleStatement) => return Err(refused("there is more than one statement")),
            other => other?,
        };
        if statement.is_explain() != 0 || !statement.readonly() || statement.column_count() == 0 {
            return Err(refused("it is no SELECT"));
        }
        self.bind_all(&mut statement)?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let width = columns.len();
        let mut found = SqlRows { columns, cells: Vec::new() };
        let mut bytes = 0;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if found.len() >= self.limits.rows {
                return Err(SqlError::TooManyRows { limit: self.limits.rows }.into());
            }
            for column in 0..width {
                let cell = row.get_ref(column)?;
                bytes += CELL_BYTES + cell.as_bytes_or_null().ok().flatten().map_or(0, <[u8]>::len);
                if bytes > self.limits.bytes {
                    return Err(SqlError::TooLarge { limit: self.limits.bytes }.into());
                }
                found.cells.push(read(cell, column)?);
            }
        }
        Ok(found)
    }

    fn bind_all(&self, statement: &mut Statement<'_>) -> Result<(), Failed> {
        let count = statement.parameter_count();
        let wrong = |words: String| Failed::from(SqlError::Parameters(words));
        if self.positional.len() > count {
            return Err(wrong(format!("the statement has {count}, and {} were given", self.positional.len())));
        }
        let mut bound = vec![false; count];
        let mut bind = |statement: &mut Statement<'_>, place: usize, value: &SqlValue| {
            bound[place] = true;
            statement.raw_bind_parameter(place + 1, parameter(value))
        };
        for (place, value) in self.positional.iter().enumerate() {
            bind(statement, place, value)?;
        }
        for (name, value) in &self.named {
            let place = statement.parameter_index(name)?.and_then(|index| index.checked_sub(1));
            let place = place.ok_or_else(|| {
                let sign =
                    if name.starts_with([':', '@', '$']) { "" } else { "; a name begins with its sign, as :name does" };
                wrong(format!("the statement has none of the name {name:?}{sign}"))
            })?;
            bind(statement, place, value)?;
        }
        match bound.iter().position(|bound| !bound) {
            Some(place) => Err(wrong(format!("number {} of {count} was not given", place + 1))),
            None => Ok(()),
        }
    }

    /// What a failure of SQLite is to the host.
    fn explain(&self, views: &Views, error: rusqlite::Error) -> Error {
        let refused = views.refused();
        let Some((code, words)) = views::of_statement(&error) else { return error.into() };
        Error::Sql(match (code, refused) {
            (ErrorCode::OperationInterrupted, _) => SqlError::OutOfTime { limit: self.limits.time },
            (ErrorCode::TooBig, _) => SqlError::TooLarge { limit: LONGEST_VALUE },
            (_, Some(why)) => SqlError::Refused(why),
            (ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly, None) => {
                SqlError::Refused(ONLY_READS.to_owned())
            }
            (_, None) if words.starts_with("cannot modify ") => SqlError::Refused(ONLY_READS.to_owned()),
            (_, None) if words.starts_with("no such table: ") => {
                SqlError::Statement(format!("{} ({COLLECTIONS})", views.words(&words)))
            }
            (_, None) => SqlError::Statement(views.words(&words)),
        })
    }
}

/// Why there are no rows.
enum Failed {
    Error(Error),
    Sqlite(rusqlite::Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Error(error)
    }
}

impl From<SqlError> for Failed {
    fn from(error: SqlError) -> Failed {
        Failed::Error(Error::Sql(error))
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Failed {
        Failed::Sqlite(error)
    }
}

fn refused(why: &str) -> Failed {
    SqlError::Refused(why.to_owned()).into()
}

fn parameter(value: &SqlValue) -> ToSqlOutput<'_> {
    match value {
        SqlValue::Null => ToSqlOutput::Owned(Value::Null),
        SqlValue::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
        SqlValue::Real(number) => ToSqlOutput::Owned(Value::Real(*number)),
        SqlValue::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        SqlValue::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
    }
}

fn read(cell: ValueRef<'_>, column: usize) -> Result<SqlValue, Failed> {
    Ok(match cell {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(number) => SqlValue::Integer(number),
        ValueRef::Real(number) => SqlValue::Real(number),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => SqlValue::Text(text.to_owned()),
            Err(_) => return Err(SqlError::NotUtf8 { column }.into()),
        },
        ValueRef::Blob(bytes) => SqlValue::Blob(bytes.to_owned()),
    })
}
