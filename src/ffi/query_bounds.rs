//! Bounds of queries
//!
//! "From" is the first that is read, and "to" the first that is not, whatever the direction. By key, and in an index whose entries are set by
//! hand, they are texts; of an automatic index they may be whatever stands in a value. Where only one is given, the query does not lead on
//! into values of another type than that. Each takes the place of the bound that was told before.

use super::error::syncstore_error;
use super::kit::call::Answer;
use super::kit::failure::Failure;
use super::kit::input::flag;
use super::queries::syncstore_query;
use super::status::syncstore_status;
use crate::index::IndexValue;
use std::ffi::c_char;

fn from(query: &syncstore_query, bound: impl Into<IndexValue>) -> Answer {
    let bound = bound.into();
    query.tell(|told| told.from = Some(bound))
}

fn to(query: &syncstore_query, bound: impl Into<IndexValue>) -> Answer {
    let bound = bound.into();
    query.tell(|told| told.to = Some(bound))
}

fn instant(seconds: i64, nanos: u32) -> Result<IndexValue, Failure> {
    if nanos >= 1_000_000_000 {
        return Err(Failure::misuse("nanos", "is a second or more"));
    }
    Ok(IndexValue::Instant { seconds, nanos })
}

/// The first that is read is a text: a key, an ordering key, or a string in a value. In an index of dates it may be a date of RFC 3339.
///
/// text, text_len: so many bytes; NULL, and 0: no bound.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_from_text(
    query: *mut syncstore_query,
    text: *const c_char,
    text_len: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| {
        let bound = text!(text, text_len);
        if text.is_null() { query.tell(|told| told.from = None) } else { from(query, bound) }
    })
}

/// The first that is read is an integer.
///
/// number: it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_from_integer(
    query: *mut syncstore_query,
    number: i64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| from(query, number))
}

/// The first that is read is an integer without a sign.
///
/// number: it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_from_unsigned(
    query: *mut syncstore_query,
    number: u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| from(query, number))
}

/// The first that is read is a number. Infinities stand at the ends, and NaN behind all numbers.
///
/// number: it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_from_real(
    query: *mut syncstore_query,
    number: f64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| from(query, number))
}

/// The first that is read is false or true.
///
/// value: 0 or 1.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_from_bool(
    query: *mut syncstore_query,
    value: i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| from(query, flag(value, "value")?))
}

/// The first that is read is an instant, in an index of dates.
///
/// seconds: since the beginning of 1970 in UTC, rounded down. nanos: what is beyond them, below 1,000,000,000.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_from_instant(
    query: *mut syncstore_query,
    seconds: i64,
    nanos: u32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| from(query, instant(seconds, nanos)?))
}

/// The first that is not read is a text: a key, an ordering key, or a string in a value. In an index of dates it may be a date of RFC 3339.
///
/// text, text_len: so many bytes; NULL, and 0: no bound.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_to_text(
    query: *mut syncstore_query,
    text: *const c_char,
    text_len: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| {
        let bound = text!(text, text_len);
        if text.is_null() { query.tell(|told| told.to = None) } else { to(query, bound) }
    })
}

/// The first that is not read is an integer.
///
/// number: it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_to_integer(
    query: *mut syncstore_query,
    number: i64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| to(query, number))
}

/// The first that is not read is an integer without a sign.
///
/// number: it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_to_unsigned(
    query: *mut syncstore_query,
    number: u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| to(query, number))
}

/// The first that is not read is a number. Infinities stand at the ends, and NaN behind all numbers.
///
/// number: it.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_to_real(
    query: *mut syncstore_query,
    number: f64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| to(query, number))
}

/// The first that is not read is false or true.
///
/// value: 0 or 1.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_to_bool(
    query: *mut syncstore_query,
    value: i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| to(query, flag(value, "value")?))
}

/// The first that is not read is an instant, in an index of dates.
///
/// seconds: since the beginning of 1970 in UTC, rounded down. nanos: what is beyond them, below 1,000,000,000.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_to_instant(
    query: *mut syncstore_query,
    seconds: i64,
    nanos: u32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| to(query, instant(seconds, nanos)?))
}
