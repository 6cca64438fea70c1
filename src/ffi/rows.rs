//! Rows
//!
//! What a query or a listing read, all as of one moment. It is held in memory until it is freed, and nothing that happens to the store
//! changes it. It is read as a cursor, by syncstore_rows_next(), or by place.

use super::error::syncstore_error;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life};
use super::kit::input::flag;
use super::kit::lists::lent;
use super::kit::output::{Out, Plain, optional};
use super::kit::sized::StructSize;
use super::status::syncstore_status;
use super::store::syncstore;
use crate::index::IndexValue;
use crate::replica::{Items, KeyRange, RowRef};
use crate::store::Rows;
use std::ffi::c_char;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One row: texts with their lengths, without a NUL behind them. They belong to what gave the row, and cost no copy.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_row {
    /// The item's key.
    pub key: *const c_char,
    /// Its length in bytes.
    pub key_len: usize,
    /// The value's JSON text, as stored; NULL: the query is for keys only.
    pub value: *const c_char,
    /// Its length in bytes.
    pub value_len: usize,
    /// The ordering key; NULL: the query goes by key. In an automatic index it is a string itself (but for one that is empty or
    /// begins with U+0000 to U+0002), and of anything else a text that sorts so: syncstore_rows_order_value() has the value.
    pub order: *const c_char,
    /// Its length in bytes.
    pub order_len: usize,
}

// SAFETY: NULL and 0.
unsafe impl Plain for syncstore_row {}

impl syncstore_row {
    pub(super) fn new(key: &str, value: Option<&str>, order: Option<&str>) -> syncstore_row {
        let (value, value_len) = parts(value);
        let (order, order_len) = parts(order);
        syncstore_row { key: key.as_ptr().cast(), key_len: key.len(), value, value_len, order, order_len }
    }
}

fn parts(text: Option<&str>) -> (*const c_char, usize) {
    text.map_or((ptr::null(), 0), |text| (text.as_ptr().cast(), text.len()))
}

/// The type of a value in an index. A later version may know others.
pub type syncstore_index_type = i32;

/// False or true.
pub const SYNCSTORE_INDEX_BOOL: syncstore_index_type = 1;
/// An integer of JSON within 64 bits with a sign, or a float that is one.
pub const SYNCSTORE_INDEX_INTEGER: syncstore_index_type = 2;
/// An integer above those.
pub const SYNCSTORE_INDEX_UNSIGNED: syncstore_index_type = 3;
/// Any other number.
pub const SYNCSTORE_INDEX_REAL: syncstore_index_type = 4;
/// A date, in an index of such.
pub const SYNCSTORE_INDEX_INSTANT: syncstore_index_type = 5;
/// A string.
pub const SYNCSTORE_INDEX_TEXT: syncstore_index_type = 6;

/// What a row stands at in an index. Members that are not of its type are 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_index_value {
    /// One of SYNCSTORE_INDEX_….
    pub index_type: syncstore_index_type,
    /// Of an instant: what is beyond the seconds, in nanoseconds, below 1,000,000,000.
    pub nanos: u32,
    /// Of an integer: it; of a bool: 0 or 1; of an instant: seconds since the beginning of 1970 in UTC, rounded down.
    pub integer: i64,
    /// Of an unsigned: it.
    pub unsigned_integer: u64,
    /// Of a real: it.
    pub real: f64,
}

// SAFETY: numbers.
unsafe impl Plain for syncstore_index_value {}

impl syncstore_index_value {
    fn new(value: &IndexValue) -> syncstore_index_value {
        let none = syncstore_index_value {
            index_type: SYNCSTORE_INDEX_TEXT,
            nanos: 0,
            integer: 0,
            unsigned_integer: 0,
            real: 0.0,
        };
        match *value {
            IndexValue::Bool(value) => {
                syncstore_index_value { index_type: SYNCSTORE_INDEX_BOOL, integer: value.into(), ..none }
            }
            IndexValue::Integer(integer) => {
                syncstore_index_value { index_type: SYNCSTORE_INDEX_INTEGER, integer, ..none }
            }
            IndexValue::Unsigned(unsigned_integer) => {
                syncstore_index_value { index_type: SYNCSTORE_INDEX_UNSIGNED, unsigned_integer, ..none }
            }
            IndexValue::Float(real) => syncstore_index_value { index_type: SYNCSTORE_INDEX_REAL, real, ..none },
            IndexValue::Instant { seconds: integer, nanos } => {
                syncstore_index_value { index_type: SYNCSTORE_INDEX_INSTANT, nanos, integer, ..none }
            }
            IndexValue::Text(_) => none,
        }
    }
}

/// Rows that were read, in order.
pub struct syncstore_rows {
    life: Life,
    read: Read,
    /// How many syncstore_rows_next() has given.
    given: AtomicUsize,
}

enum Read {
    Query(Rows),
    List(Items),
}

impl Handle for syncstore_rows {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl syncstore_rows {
    pub(super) fn of_query(rows: Rows) -> syncstore_rows {
        syncstore_rows { life: Life::new(), read: Read::Query(rows), given: AtomicUsize::new(0) }
    }

    fn len(&self) -> usize {
        match &self.read {
            Read::Query(rows) => rows.len(),
            Read::List(items) => items.len(),
        }
    }

    fn row(&self, place: usize) -> Option<syncstore_row> {
        match &self.read {
            Read::Query(rows) => {
                let RowRef { key, value, order, .. } = rows.get(place)?;
                Some(syncstore_row::new(key, value, order))
            }
            Read::List(items) => {
                let item = items.get(place)?;
                Some(syncstore_row::new(item.key, Some(item.value), None))
            }
        }
    }

    fn query(&self) -> Option<&Rows> {
        if let Read::Query(rows) = &self.read { Some(rows) } else { None }
    }
}

/// Which keys are listed; begin with SYNCSTORE_LIST_OPTIONS_INIT. Of everything 0, or NULL, is the default: every key, ascending.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_list_options {
    /// Set by SYNCSTORE_LIST_OPTIONS_INIT.
    pub struct_size: usize,
    /// Only keys that begin so.
    pub prefix: *const c_char,
    /// Only this key and those behind it (inclusive), whatever the direction.
    pub from: *const c_char,
    /// Only keys before this one (exclusive), whatever the direction.
    pub to: *const c_char,
    /// Resumes a listing after this key (exclusive), in the direction of the listing.
    pub after: *const c_char,
    /// At most so many items; syncstore_rows_more() tells whether there are others. Default: all.
    pub limit: u64,
    /// 1: descending.
    pub reverse: i64,
}

// SAFETY: numbers and pointers.
unsafe impl Plain for syncstore_list_options {}
// SAFETY: it begins with its size, and its last member is as wide as its alignment.
unsafe impl StructSize for syncstore_list_options {
    const FIRST_SIZE: usize = size_up_to!(syncstore_list_options.reverse);
}

/// # Safety
///
/// Its texts are NULL, or end with NUL.
unsafe fn read_options(given: syncstore_list_options) -> Result<KeyRange, Failure> {
    use super::kit::input::name;
    // SAFETY: the condition above.
    let (prefix, from, to, after) = unsafe {
        (
            name(given.prefix, "options.prefix")?,
            name(given.from, "options.from")?,
            name(given.to, "options.to")?,
            name(given.after, "options.after")?,
        )
    };
    let mut range = KeyRange::all();
    if let Some(prefix) = prefix {
        range = range.prefix(prefix);
    }
    if let Some(from) = from {
        range = range.from(from);
    }
    if let Some(to) = to {
        range = range.to(to);
    }
    if let Some(after) = after {
        range = range.after(after);
    }
    if given.limit > 0 {
        range = range.limit(usize::try_from(given.limit).unwrap_or(usize::MAX));
    }
    if flag(i32::try_from(given.reverse).unwrap_or(-1), "options.reverse")? {
        range = range.reverse();
    }
    Ok(range)
}

/// Reads the items of a range of keys with their values. syncstore_query_new() begins a query, which can do more.
///
/// collection: the collection.
/// options: NULL lists all of it.
/// rows: takes them; free it with syncstore_rows_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_list(
    store: *mut syncstore,
    collection: *const c_char,
    options: *const syncstore_list_options,
    rows: *mut *mut syncstore_rows,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required rows], |store| {
        let collection = name!(collection);
        let given = options!(options);
        // SAFETY: by the conventions of the header texts within options are NULL or end with NUL.
        let range = unsafe { read_options(given) }?;
        let read = Read::List(store.store()?.list(collection, &range)?);
        rows.give(syncstore_rows { life: Life::new(), read, given: AtomicUsize::new(0) })
    })
}

/// How many rows there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rows_count(rows: *const syncstore_rows) -> usize {
    read!(rows, 0, |rows| Some(rows.len()))
}

/// The next row, from the first one on. Several threads that ask get different rows.
///
/// row: takes it; it is zeroed behind the last one. Its texts belong to the rows.
/// Answers 1 where there is one, 0 behind the last one, and of NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rows_next(rows: *mut syncstore_rows, row: *mut syncstore_row) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let row = unsafe { optional(row, "row") };
    read!(rows, 0, |rows| {
        let next = |given: usize| (given < rows.len()).then_some(given + 1);
        let place = rows.given.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        put(row, rows.row(place))
    })
}

/// The row at a place, from 0.
///
/// row: takes it; it is zeroed behind the last one. Its texts belong to the rows.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rows_at(rows: *const syncstore_rows, place: usize, row: *mut syncstore_row) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let row = unsafe { optional(row, "row") };
    read!(rows, 0, |rows| put(row, rows.row(place)))
}

fn put<T: Plain>(out: Out<T>, found: Option<T>) -> Option<i32> {
    found.map(|found| i32::from(out.put(found).is_ok()))
}

/// What the row at a place stands at in the index that the query went by. Of an automatic index it is what is in the values; of
/// entries that were set by hand, a text. A number is the integer that it is the same as, if there is one.
///
/// value: takes it; it is zeroed where there is none. May be NULL.
/// text, len: take the text of a SYNCSTORE_INDEX_TEXT, without a NUL behind it; it belongs to the rows. Otherwise NULL and 0. Both may be NULL.
/// Answers 1 where there is one; 0: the query went by key, or there is no such row.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rows_order_value(
    rows: *const syncstore_rows,
    place: usize,
    value: *mut syncstore_index_value,
    text: *mut *const c_char,
    len: *mut usize,
) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let (value, text, len) = unsafe { (optional(value, "value"), optional(text, "text"), optional(len, "len")) };
    read!(rows, 0, |rows| {
        let row = rows.query()?.get(place)?;
        let known = row.order_value()?;
        if matches!(known, IndexValue::Text(_)) {
            let _ = text.put(lent(row.order_text(), len));
        }
        put(value, Some(syncstore_index_value::new(&known)))
    })
}

/// Whether the limit cut the rows: 1 or 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rows_more(rows: *const syncstore_rows) -> i32 {
    read!(rows, 0, |rows| {
        Some(i32::from(match &rows.read {
            Read::Query(rows) => rows.more(),
            Read::List(items) => items.more(),
        }))
    })
}

/// Where a query's rows go on that the limit cut off, for syncstore_query_resume(); NULL: these were the last, or are of a listing, which
/// resumes after its last key. Opaque bytes without a NUL behind them, which hold across changes and restarts, and contain
/// names of the item that they stand behind. They belong to the rows.
///
/// len: takes how many bytes; 0 where there are none. May be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rows_token(rows: *const syncstore_rows, len: *mut usize) -> *const c_char {
    read_bytes!(rows, len, |rows| rows.query().and_then(Rows::next))
}

/// Whether the index that the query went by has all of its collection: 0 for an automatic one until syncstore_build_index() has
/// ended, and of NULL; else 1.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rows_is_complete(rows: *const syncstore_rows) -> i32 {
    read!(rows, 0, |rows| Some(i32::from(rows.query().is_none_or(Rows::is_complete))))
}

/// Frees rows, and the texts of each. NULL is ignored.
///
/// Thread: any; no other may be using these rows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_rows_free(rows: *mut syncstore_rows) {
    free!(rows)
}
