//! What an automatic index is of, what it holds, and what can go wrong with it.

mod ordering;
mod path;

#[cfg(feature = "capi")]
pub(crate) use ordering::decode_text;
pub(crate) use ordering::{Type, decode, encode, encode_bound, encode_text};
pub(crate) use path::{Path, beginning_of_long};

use std::time::{SystemTime, UNIX_EPOCH};

/// Which part of the values an automatic index goes by; see [`Store::declare_index`](crate::Store::declare_index).
///
/// A JSON Pointer (RFC 6901) by itself will do: `"/due"`, `"/author/name"`, `"/parts/0"`; `""` is the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedField {
    pub(crate) pointer: String,
    pub(crate) dates: bool,
}

impl IndexedField {
    /// The part at a JSON Pointer: strings bytewise, as they are.
    ///
    /// Dates are strings in JSON. As long as all are written alike, `2026-11-21T08:00:00Z` say, their bytes are in their
    /// order; otherwise see [`IndexedField::dates`].
    pub fn new(pointer: impl Into<String>) -> IndexedField {
        IndexedField { pointer: pointer.into(), dates: false }
    }

    /// The part at a JSON Pointer, where strings that are dates of RFC 3339 count as instants, whatever their offset and
    /// their fractions of a second: `2026-11-21T08:00:00+02:00` comes before `2026-11-21T07:00:00Z`. A date without a time is
    /// its midnight in UTC. Any other string stays one.
    ///
    /// As a bound of a query ([`Query::from`](crate::Query::from), [`Query::to`](crate::Query::to)) a text may be less than a date, and stands for the
    /// first instant that it is of, in UTC: `2026`, `2026-12`, `2026-12-24T18`, `2026-12-24T18:00`, and a time without an offset. Any other text that is
    /// no date is bytewise among the strings of the index, and not among its dates.
    pub fn dates(pointer: impl Into<String>) -> IndexedField {
        IndexedField { pointer: pointer.into(), dates: true }
    }
}

impl From<&str> for IndexedField {
    fn from(pointer: &str) -> IndexedField {
        IndexedField::new(pointer)
    }
}

impl From<String> for IndexedField {
    fn from(pointer: String) -> IndexedField {
        IndexedField::new(pointer)
    }
}

/// A place in the order of an index: what a query is bounded by, and what a row of it stands at.
///
/// An automatic index has, in this order: `false`, `true`; numbers by what they are, integers and floats among each
/// other, exactly; instants, in an index of [dates](IndexedField::dates); texts bytewise, which for UTF-8 is the order of their code
/// points. By key, and in an index whose entries are set by hand, there are texts alone.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum IndexValue {
    /// `false` or `true`.
    Bool(bool),
    /// An integer of JSON within 64 bits with a sign, or a float that is one.
    Integer(i64),
    /// An integer above those.
    Unsigned(u64),
    /// Any other number. As a bound infinities stand at the ends, and NaN behind all numbers.
    Float(f64),
    /// A date, in an index of such.
    Instant {
        /// Seconds since the beginning of 1970 in UTC, rounded down.
        seconds: i64,
        /// The rest, in nanoseconds, below 1,000,000,000.
        nanos: u32,
    },
    /// A string.
    Text(String),
}

impl From<SystemTime> for IndexValue {
    fn from(time: SystemTime) -> IndexValue {
        let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => IndexValue::Instant { seconds: signed(after.as_secs()), nanos: after.subsec_nanos() },
            Err(error) => {
                let before = error.duration();
                match before.subsec_nanos() {
                    0 => IndexValue::Instant { seconds: -signed(before.as_secs()), nanos: 0 },
                    nanos => IndexValue::Instant {
                        seconds: (-signed(before.as_secs())).saturating_sub(1),
                        nanos: 1_000_000_000 - nanos,
                    },
                }
            }
        }
    }
}

macro_rules! value_from {
    ($($from:ty, $value:ident => $into:expr;)*) => {$(
        impl From<$from> for IndexValue {
            fn from($value: $from) -> IndexValue {
                $into
            }
        }
    )*};
}

value_from! {
    bool, value => IndexValue::Bool(value);
    i32, value => IndexValue::Integer(value.into());
    u32, value => IndexValue::Integer(value.into());
    i64, value => IndexValue::Integer(value);
    u64, value => i64::try_from(value).map_or(IndexValue::Unsigned(value), IndexValue::Integer);
    f64, value => IndexValue::Float(value);
    &str, value => IndexValue::Text(value.to_owned());
    &String, value => IndexValue::Text(value.clone());
    String, value => IndexValue::Text(value);
}

/// Why an automatic index cannot be declared, built or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// No automatic index of that name is declared.
    #[error("collection {collection:?} has no automatic index {name:?}")]
    Unknown {
        /// The collection.
        collection: String,
        /// The index.
        name: String,
    },
    /// A field is no JSON Pointer (RFC 6901), or one of more than 64 steps, or of more than 4 KiB, of which only the beginning is here.
    #[error("{0:?} is no JSON Pointer to a field that can be indexed")]
    Pointer(String),
    /// A replica has at most 256 automatic indexes: each costs every write a little.
    #[error("there are {0} automatic indexes, which is the most")]
    TooMany(usize),
    /// A bound is no text, and keys and entries that are set by hand are texts alone.
    #[error("what the query goes by has texts alone, and a bound is none")]
    Bound,
}
