//! SQL
//!
//! One SELECT over the views items, index_entries, relations, tags, outbox and ledger (docs/SQL.md). Nothing can be written, attached or
//! configured, and no other table is there. A statement is given its parameters and limits, and then run, any number of times. Values are
//! bound, never put into the text.

use super::error::syncstore_error;
use super::kit::call::Answer;
use super::kit::handle::{Handle, Life};
use super::kit::input::{CText, milliseconds};
use super::kit::output::optional;
use super::status::{SYNCSTORE_OK, syncstore_status};
use super::store::syncstore;
use crate::sql::{SqlLimits, SqlRows, SqlValue};
use parking_lot::Mutex;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::Arc;

/// A SELECT with its parameters.
pub struct syncstore_sql {
    life: Life,
    store: Arc<syncstore>,
    statement: String,
    told: Mutex<Told>,
}

#[derive(Clone, Default)]
struct Told {
    positional: Vec<SqlValue>,
    named: Vec<(String, SqlValue)>,
    limits: SqlLimits,
}

impl Handle for syncstore_sql {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl syncstore_sql {
    fn bind(&self, name: Option<&str>, value: impl Into<SqlValue>) -> Answer {
        let value = value.into();
        let mut told = self.told.lock();
        match name {
            None => told.positional.push(value),
            Some(name) => {
                told.named.retain(|(other, _)| other != name);
                told.named.push((name.to_owned(), value));
            }
        }
        Ok(SYNCSTORE_OK)
    }
}

/// What a statement found: columns, and rows in order.
pub struct syncstore_sql_rows {
    life: Life,
    columns: Vec<CText>,
    found: SqlRows,
}

impl Handle for syncstore_sql_rows {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl syncstore_sql_rows {
    fn value(&self, row: usize, column: usize) -> Option<&SqlValue> {
        self.found.get(row)?.get(column)
    }
}

/// The type of a value, as SQLite says; nothing is converted.
pub type syncstore_sql_type = i32;

/// Nothing.
pub const SYNCSTORE_SQL_NULL: syncstore_sql_type = 1;
/// A 64-bit integer; SQLite has no booleans, true is 1.
pub const SYNCSTORE_SQL_INTEGER: syncstore_sql_type = 2;
/// A 64-bit float, never NaN.
pub const SYNCSTORE_SQL_REAL: syncstore_sql_type = 3;
/// A text.
pub const SYNCSTORE_SQL_TEXT: syncstore_sql_type = 4;
/// Bytes.
pub const SYNCSTORE_SQL_BLOB: syncstore_sql_type = 5;

/// Begins a statement. It is read when it is run.
///
/// select, select_len: one SELECT, of so many bytes.
/// sql: takes it; free it with syncstore_sql_free().
/// Errors: SYNCSTORE_CLOSED.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_new(
    store: *mut syncstore,
    select: *const c_char,
    select_len: usize,
    sql: *mut *mut syncstore_sql,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required sql], |store| {
        let statement = text!(select, select_len).to_owned();
        store.store()?;
        sql.give(syncstore_sql { life: Life::new(), store: Arc::clone(store), statement, told: Mutex::default() })
    })
}

/// Binds a parameter to NULL.
///
/// name: the parameter with the sign before it, ":name", "@name" or "$name", which takes the place of what was bound to it before; NULL: the next
/// of the parameters "?", or "?1", "?2" and so on.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_bind_null(
    sql: *mut syncstore_sql,
    name: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |sql| sql.bind(maybe_name!(name), SqlValue::Null))
}

/// Binds a parameter to an integer; false and true are 0 and 1.
///
/// name: as in syncstore_sql_bind_null().
/// value: the integer.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_bind_integer(
    sql: *mut syncstore_sql,
    name: *const c_char,
    value: i64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |sql| sql.bind(maybe_name!(name), value))
}

/// Binds a parameter to a float; SQLite makes NULL of NaN.
///
/// name: as in syncstore_sql_bind_null().
/// value: the float.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_bind_real(
    sql: *mut syncstore_sql,
    name: *const c_char,
    value: f64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |sql| sql.bind(maybe_name!(name), value))
}

/// Binds a parameter to a text.
///
/// name: as in syncstore_sql_bind_null().
/// value, value_len: the text, of so many bytes.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_bind_text(
    sql: *mut syncstore_sql,
    name: *const c_char,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |sql| {
        let value = text!(value, value_len);
        sql.bind(maybe_name!(name), value)
    })
}

/// Binds a parameter to bytes.
///
/// name: as in syncstore_sql_bind_null().
/// value, value_len: so many bytes.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_bind_blob(
    sql: *mut syncstore_sql,
    name: *const c_char,
    value: *const c_void,
    value_len: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |sql| {
        let value = bytes!(value, value_len);
        sql.bind(maybe_name!(name), value)
    })
}

/// Takes back what was bound, so that the statement can be run with other parameters.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_unbind(
    sql: *mut syncstore_sql,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |sql| {
        let mut told = sql.told.lock();
        *told = Told { limits: told.limits, ..Told::default() };
        Ok(SYNCSTORE_OK)
    })
}

/// What the statement may take; where it would take more it fails, and nothing is cut silently. Of each 0 is the default.
///
/// rows: rows. Default: 10,000.
/// bytes: what the rows hold, in bytes of text and blobs, and 16 for each value. Default: 64 MiB.
/// time_ms: from the call to its last row. Default: 5 seconds.
/// Errors: SYNCSTORE_MISUSE for a time below 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_limits(
    sql: *mut syncstore_sql,
    rows: u64,
    bytes: u64,
    time_ms: i64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |sql| {
        let mut limits = SqlLimits::default();
        let number = |given: u64, default| match given {
            0 => default,
            _ => usize::try_from(given).unwrap_or(usize::MAX),
        };
        limits.rows = number(rows, limits.rows);
        limits.bytes = number(bytes, limits.bytes);
        limits.time = milliseconds(time_ms, "time_ms", limits.time)?;
        sql.told.lock().limits = limits;
        Ok(SYNCSTORE_OK)
    })
}

/// Runs the statement and reads all of its rows, as of one moment.
///
/// rows: takes them; free it with syncstore_sql_rows_free().
/// Errors: SYNCSTORE_SQL, with a message that says what is wrong with the statement or its parameters, or which limit was hit; when the file cannot
/// be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_run(
    sql: *mut syncstore_sql,
    rows: *mut *mut syncstore_sql_rows,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required rows], |sql| {
        let store = sql.store.store()?;
        let Told { positional, named, limits } = sql.told.lock().clone();
        let statement = store.sql(&sql.statement).limits(limits);
        let statement = positional.into_iter().fold(statement, |statement, value| statement.bind(value));
        let found = named.into_iter().fold(statement, |statement, (name, value)| statement.bind_named(name, value)).run()?;
        let columns = found.columns().iter().map(|name| CText::new(name)).collect();
        rows.give(syncstore_sql_rows { life: Life::new(), columns, found })
    })
}

/// Frees a statement. What it found stays to be freed. NULL is ignored.
///
/// Thread: any; no other may be using this statement.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_free(sql: *mut syncstore_sql) {
    free!(sql)
}

/// How many rows there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_rows_count(rows: *const syncstore_sql_rows) -> usize {
    read!(rows, 0, |rows| Some(rows.found.len()))
}

/// How many columns there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_rows_columns(rows: *const syncstore_sql_rows) -> usize {
    read!(rows, 0, |rows| Some(rows.columns.len()))
}

/// The name of the column at a place, from 0; NULL behind the last one. Two may be the same; an expression without AS has its own text as a
/// name. Belongs to the rows.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_rows_column_name(
    rows: *const syncstore_sql_rows,
    column: usize,
) -> *const c_char {
    read!(rows, ptr::null(), |rows| rows.columns.get(column).map(CText::as_ptr))
}

/// The place of the first column of a name, compared byte for byte; -1: there is none, or one of the two is NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_rows_column(rows: *const syncstore_sql_rows, name: *const c_char) -> i64 {
    read!(rows, -1, |rows| {
        // SAFETY: by the conventions of the header a name is NULL or ends with NUL.
        let name = unsafe { super::kit::input::name(name, "name") }.ok().flatten()?;
        i64::try_from(rows.found.column(name)?).ok()
    })
}

/// The type of a value; 0: there is no such place.
///
/// row, column: its place, from 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_rows_type(
    rows: *const syncstore_sql_rows,
    row: usize,
    column: usize,
) -> syncstore_sql_type {
    read!(rows, 0, |rows| {
        Some(match rows.value(row, column)? {
            SqlValue::Null => SYNCSTORE_SQL_NULL,
            SqlValue::Integer(_) => SYNCSTORE_SQL_INTEGER,
            SqlValue::Real(_) => SYNCSTORE_SQL_REAL,
            SqlValue::Text(_) => SYNCSTORE_SQL_TEXT,
            SqlValue::Blob(_) => SYNCSTORE_SQL_BLOB,
        })
    })
}

/// A value that is an integer; of any other 0.
///
/// row, column: its place, from 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_rows_integer(rows: *const syncstore_sql_rows, row: usize, column: usize) -> i64 {
    read!(rows, 0, |rows| rows.value(row, column)?.as_i64())
}

/// A value that is a float; of any other, an integer too, 0.
///
/// row, column: its place, from 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_rows_real(rows: *const syncstore_sql_rows, row: usize, column: usize) -> f64 {
    read!(rows, 0.0, |rows| rows.value(row, column)?.as_f64())
}

/// A value that is a text, without a NUL behind it; of any other NULL. Belongs to the rows.
///
/// row, column: its place, from 0.
/// len: takes how many bytes; 0 where there is none. May be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_rows_text(
    rows: *const syncstore_sql_rows,
    row: usize,
    column: usize,
    len: *mut usize,
) -> *const c_char {
    read_bytes!(rows, len, |rows| rows.value(row, column).and_then(SqlValue::as_str))
}

/// A value that is a blob; of any other, a text too, NULL. Belongs to the rows.
///
/// row, column: its place, from 0.
/// len: takes how many bytes; 0 where there is none. May be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_rows_blob(
    rows: *const syncstore_sql_rows,
    row: usize,
    column: usize,
    len: *mut usize,
) -> *const c_void {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let len = unsafe { optional(len, "len") };
    read!(rows, ptr::null(), |rows| {
        let bytes = rows.value(row, column)?.as_bytes()?;
        len.put(bytes.len()).ok()?;
        Some(bytes.as_ptr().cast())
    })
}

/// Frees rows. NULL is ignored.
///
/// Thread: any; no other may be using these rows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_sql_rows_free(rows: *mut syncstore_sql_rows) {
    free!(rows)
}
