//! What a host's SQL takes and gives: values, rows, limits, and what can go wrong.

use std::time::Duration;

/// One value of SQLite, as a parameter or in a column: its type is what SQLite says, and nothing is converted.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// Nothing.
    Null,
    /// A 64-bit integer; SQLite has no booleans, `true` is 1.
    Integer(i64),
    /// A 64-bit float, never NaN: SQLite makes NULL of that.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl SqlValue {
    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        *self == SqlValue::Null
    }

    /// The integer, if it is one.
    pub fn as_i64(&self) -> Option<i64> {
        if let SqlValue::Integer(number) = self { Some(*number) } else { None }
    }

    /// The float, if it is one; an integer is none.
    pub fn as_f64(&self) -> Option<f64> {
        if let SqlValue::Real(number) = self { Some(*number) } else { None }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let SqlValue::Text(text) = self { Some(text) } else { None }
    }

    /// The bytes, if it is a blob; a text is none.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let SqlValue::Blob(bytes) = self { Some(bytes) } else { None }
    }
}

macro_rules! value_from {
    ($($from:ty, $value:ident => $into:expr;)*) => {$(
        impl From<$from> for SqlValue {
            fn from($value: $from) -> SqlValue {
                $into
            }
        }
    )*};
}

value_from! {
    bool, value => SqlValue::Integer(value.into());
    u32, value => SqlValue::Integer(value.into());
    i32, value => SqlValue::Integer(value.into());
    i64, value => SqlValue::Integer(value);
    f64, value => SqlValue::Real(value);
    &str, value => SqlValue::Text(value.to_owned());
    &String, value => SqlValue::Text(value.clone());
    String, value => SqlValue::Text(value);
    &[u8], value => SqlValue::Blob(value.to_owned());
    Vec<u8>, value => SqlValue::Blob(value);
}

impl<T: Into<SqlValue>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> SqlValue {
        value.map_or(SqlValue::Null, Into::into)
    }
}

/// What a statement found: the columns' names, and the rows in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlRows {
    pub(crate) columns: Vec<String>,
    /// Row by row; as long as rows times columns.
    pub(crate) cells: Vec<SqlValue>,
}

impl SqlRows {
    /// The columns' names in order. Two may be the same; an expression without `AS` has its own text as a name.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The place of the first column of a name, which is compared byte for byte.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.cells.len() / self.columns.len().max(1)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The rows in order, each with a value for every column.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[SqlValue]> {
        self.cells.chunks_exact(self.columns.len().max(1))
    }

    /// A row by its place.
    pub fn get(&self, row: usize) -> Option<&[SqlValue]> {
        self.iter().nth(row)
    }
}

/// What a statement may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqlLimits {
    /// Rows. Default: 10,000.
    pub rows: usize,
    /// What the rows hold, in bytes of text and blobs, and 16 for each value. Default: 64 MiB.
    pub bytes: usize,
    /// Time, from the call to its last row. Default: 5 seconds.
    pub time: Duration,
}

impl Default for SqlLimits {
    fn default() -> SqlLimits {
        SqlLimits { rows: 10_000, bytes: 64 << 20, time: Duration::from_secs(5) }
    }
}

/// Why a statement gave no rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// It does what only the store itself may: anything but reading the views by a SELECT, with the functions that
    /// `docs/SQL.md` lists.
    #[error("the statement is refused: {0}")]
    Refused(String),
    /// SQLite cannot run it: a wrong word, an unknown view or column, a value that is no JSON where JSON must be.
    #[error("the statement cannot be run: {0}")]
    Statement(String),
    /// A parameter was given that the statement has not got, or the other way round.
    #[error("the parameters do not fit: {0}")]
    Parameters(String),
    /// It has more rows than allowed; none were given. Narrow it, put a LIMIT into it, or raise the limit.
    #[error("the statement has more than {limit} rows")]
    TooManyRows {
        /// The limit that was hit.
        limit: usize,
    },
    /// The statement, its rows, or one value on the way to them, are larger than allowed; none were given.
    #[error("the statement, its result or a value in it has more than {limit} bytes")]
    TooLarge {
        /// The limit that was hit.
        limit: usize,
    },
    /// It took longer than allowed, and was interrupted.
    #[error("the statement took longer than {limit:?}")]
    OutOfTime {
        /// The limit that was hit.
        limit: Duration,
    },
    /// A column holds a text that is no UTF-8, which only a CAST from a blob can make, or `char()`.
    #[error("column {column} holds a text that is no UTF-8")]
    NotUtf8 {
        /// The place of the column, from 0.
        column: usize,
    },
}
