//! Values as texts whose bytes sort as the values do.
//!
//! A string is itself. Whatever else there is begins with U+0001 and a letter for its type, and a string that could be
//! taken for such (or is empty, and so would come before) has U+0002 in front: so types are kept apart, strings last.

use super::IndexValue;
use std::fmt::Write;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const MARK: char = '\u{1}';
const ESCAPE: char = '\u{2}';

/// What a value is of: each type is one stretch of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Number,
    Instant,
    Text,
}

impl Type {
    /// The least text of the type.
    pub fn start(self) -> &'static str {
        match self {
            Type::Bool => "\u{1}b",
            Type::Number => "\u{1}n",
            Type::Instant => "\u{1}t",
            Type::Text => "\u{2}",
        }
    }

    /// The least text behind all of the type; `None`: it is the last.
    pub fn end(self) -> Option<&'static str> {
        match self {
            Type::Bool => Some("\u{1}c"),
            Type::Number => Some("\u{1}o"),
            Type::Instant => Some("\u{1}u"),
            Type::Text => None,
        }
    }

    /// The type of an encoded value.
    pub fn of(encoded: &str) -> Type {
        match encoded.strip_prefix(MARK).and_then(|rest| rest.chars().next()) {
            Some('b') => Type::Bool,
            Some('n') => Type::Number,
            Some('t') => Type::Instant,
            _ => Type::Text,
        }
    }
}

/// A value as it sorts; `dates`: a text that is a date counts as an instant.
pub(crate) fn encode(value: &IndexValue, dates: bool) -> String {
    match value {
        IndexValue::Bool(value) => format!("{MARK}b{}", u8::from(*value)),
        IndexValue::Integer(value) => number(value.is_negative(), Some(Size::of_integer(value.unsigned_abs()))),
        IndexValue::Unsigned(value) => number(false, Some(Size::of_integer(*value))),
        IndexValue::Float(value) => number(value.is_sign_negative(), Size::of_float(*value)),
        IndexValue::Instant { seconds, nanos } => instant(*seconds, *nanos),
        IndexValue::Text(text) => match dates.then(|| parse_date(text)).flatten() {
            Some((seconds, nanos)) => instant(seconds, nanos),
            None => encode_text(text),
        },
    }
}

/// A bound as it sorts; `dates`: a text that begins a date, or has no offset, is the first instant that it is of, in UTC.
pub(crate) fn encode_bound(value: &IndexValue, dates: bool) -> String {
    match value {
        IndexValue::Text(text) if dates => match first_instant(text) {
            Some((seconds, nanos)) => instant(seconds, nanos),
            None => encode(value, dates),
        },
        _ => encode(value, dates),
    }
}

/// The first instant of a year, a month, an hour or a minute, or of a time that says no offset: it is in UTC.
fn first_instant(text: &str) -> Option<(i64, u32)> {
    let rest = match text.len() {
        4 => "-01-01T00:00:00Z",
        7 => "-01T00:00:00Z",
        13 => ":00:00Z",
        16 => ":00Z",
        19.. => "Z",
        _ => return None,
    };
    parse_date(&format!("{text}{rest}"))
}

/// A text as it sorts. What begins with a text begins so too, but for the empty text.
pub(crate) fn encode_text(text: &str) -> String {
    match text.chars().next() {
        Some(first) if first > ESCAPE => text.to_owned(),
        _ => format!("{ESCAPE}{text}"),
    }
}

/// The value that was encoded; `None`: none was.
pub(crate) fn decode(encoded: &str) -> Option<IndexValue> {
    if let Some(text) = decode_text(encoded) {
        return Some(IndexValue::Text(text.to_owned()));
    }
    let marked = encoded.strip_prefix(MARK)?;
    match marked.split_at_checked(1)? {
        ("b", "0") => Some(IndexValue::Bool(false)),
        ("b", "1") => Some(IndexValue::Bool(true)),
        ("n", "1") => Some(IndexValue::Integer(0)),
        ("n", "3") => Some(IndexValue::Float(f64::NAN)),
        ("n", number) => {
            let (negative, digits) = (number.starts_with('0'), number.get(1..)?);
            let (exponent, significand) = digits.split_at_checked(3)?;
            let (exponent, significand) =
                (u16::from_str_radix(exponent, 16).ok()?, u64::from_str_radix(significand, 16).ok()?);
            let size = match negative {
                true => Size { exponent: 0xfff_u16.checked_sub(exponent)?, significand: !significand },
                false => Size { exponent, significand },
            };
            Some(size.to_value(negative))
        }
        ("t", instant) => {
            let (seconds, nanos) = instant.split_at_checked(16)?;
            let seconds = u64::from_str_radix(seconds, 16).ok()? ^ (1 << 63);
            Some(IndexValue::Instant { seconds: seconds as i64, nanos: u32::from_str_radix(nanos, 16).ok()? })
        }
        _ => None,
    }
}

/// The text that was encoded; `None`: it was another value.
pub(crate) fn decode_text(encoded: &str) -> Option<&str> {
    let is_text = !encoded.starts_with(MARK);
    is_text.then(|| encoded.strip_prefix(ESCAPE).unwrap_or(encoded))
}

/// How far a number other than 0 is from 0: `significand`, whose highest bit is set and has the weight
/// 2^(`exponent` - 1074). It holds every 64-bit integer and every double exactly.
#[derive(Clone, Copy)]
struct Size {
    exponent: u16,
    significand: u64,
}

/// The weight of a double's lowest bit is 2^-1074 at the least.
const BIAS: u32 = 1_074;

/// Above the exponent of every number.
const INFINITE: u16 = 0xfff;

impl Size {
    const ZERO: Size = Size { exponent: 0, significand: 0 };

    /// Of `bits` times 2^(`weight` - 1074).
    fn new(bits: u64, weight: u32) -> Size {
        if bits == 0 {
            return Size::ZERO;
        }
        let shift = bits.leading_zeros();
        Size { exponent: (weight + 63 - shift) as u16, significand: bits << shift }
    }

    fn of_integer(value: u64) -> Size {
        Size::new(value, BIAS)
    }

    /// `None`: it is no number.
    fn of_float(value: f64) -> Option<Size> {
        let (exponent, fraction) = ((value.to_bits() >> 52) as u32 & 0x7ff, value.to_bits() & ((1 << 52) - 1));
        match exponent {
            0x7ff if fraction != 0 => None,
            0x7ff => Some(Size { exponent: INFINITE, significand: 0 }),
            0 => Some(Size::new(fraction, 0)),
            _ => Some(Size::new(fraction | 1 << 52, exponent - 1)),
        }
    }

    fn to_value(self, negative: bool) -> IndexValue {
        let Size { exponent, significand } = self;
        let whole = u32::from(exponent).checked_sub(BIAS).filter(|whole| *whole < 64);
        // The bits below the weight 1 must be 0.
        if let Some(whole) = whole.filter(|whole| *whole == 63 || significand << (whole + 1) == 0) {
            let size = significand >> (63 - whole);
            match (negative, i64::try_from(size)) {
                (false, Ok(value)) => return IndexValue::Integer(value),
                (false, Err(_)) => return IndexValue::Unsigned(size),
                (true, _) if size <= 1 << 63 => return IndexValue::Integer((size as i64).wrapping_neg()),
                (true, _) => {}
            }
        }
        let bits = match exponent {
            INFINITE => f64::INFINITY.to_bits(),
            0..52 => significand >> (63 - u32::from(exponent)),
            _ => (u64::from(exponent) - 51) << 52 | (significand >> 11) & ((1 << 52) - 1),
        };
        let size = f64::from_bits(bits);
        IndexValue::Float(if negative { -size } else { size })
    }
}

fn number(negative: bool, size: Option<Size>) -> String {
    let mut text = format!("{MARK}n");
    // Writing to a string does not fail.
    let _ = match size {
        None => write!(text, "3"),
        Some(Size { exponent: 0, significand: 0 }) => write!(text, "1"),
        Some(Size { exponent, significand }) if negative => {
            write!(text, "0{:03x}{:016x}", INFINITE - exponent, !significand)
        }
        Some(Size { exponent, significand }) => write!(text, "2{exponent:03x}{significand:016x}"),
    };
    text
}

fn instant(seconds: i64, nanos: u32) -> String {
    format!("{MARK}t{:016x}{nanos:08x}", seconds as u64 ^ (1 << 63))
}

/// The instant of a date of RFC 3339, or of the midnight that a date without a time begins with in UTC.
fn parse_date(text: &str) -> Option<(i64, u32)> {
    let parsed = match text.len() {
        10 => OffsetDateTime::parse(&format!("{text}T00:00:00Z"), &Rfc3339),
        _ => OffsetDateTime::parse(text, &Rfc3339),
    };
    let instant = parsed.ok()?;
    Some((instant.unix_timestamp(), instant.nanosecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    /// Numbers at the edges of their kinds, and their neighbours.
    fn numbers() -> impl Strategy<Value = IndexValue> {
        let near = |number: f64| (-3_i64..=3).prop_map(move |by| f64::from_bits((number.to_bits() as i64 + by) as u64));
        prop_oneof![
            any::<i64>().prop_map(IndexValue::Integer),
            any::<u64>().prop_map(IndexValue::from),
            any::<f64>().prop_filter("no number", |value| !value.is_nan()).prop_map(IndexValue::Float),
            (-1_000_i64..1_000).prop_map(IndexValue::Integer),
            (-1_000_i64..1_000).prop_map(|value| IndexValue::Float(value as f64 / 8.0)),
            // Where doubles are as far apart as integers, and farther.
            (0_u64..64, -3_i64..=3).prop_map(|(bit, by)| IndexValue::from((1_u64 << bit).wrapping_add_signed(by))),
            (0_u64..63, -3_i64..=3).prop_map(|(bit, by)| IndexValue::Integer(-(1_i64 << bit).wrapping_add(by))),
            (0_i32..65).prop_flat_map(move |bit| near(2_f64.powi(bit))).prop_map(IndexValue::Float),
            (0_i32..65).prop_flat_map(move |bit| near(-2_f64.powi(bit))).prop_map(IndexValue::Float),
            prop_oneof![Just(f64::MIN_POSITIVE), Just(5e-324), Just(f64::MAX), Just(f64::INFINITY), Just(-0.0)]
                .prop_flat_map(|value| prop_oneof![Just(value), Just(-value)])
                .prop_map(IndexValue::Float),
        ]
    }

    /// Exactly, and apart from the encoding: integers in 128 bits, and a double beside an integer by its parts.
    fn compare(one: &IndexValue, other: &IndexValue) -> Ordering {
        let integer = |value: &IndexValue| match value {
            IndexValue::Integer(value) => Some(i128::from(*value)),
            IndexValue::Unsigned(value) => Some(i128::from(*value)),
            _ => None,
        };
        let float = |value: &IndexValue| if let IndexValue::Float(value) = value { *value } else { unreachable!() };
        let beside = |integer: i128, float: f64| {
            // Beyond every 64-bit integer, so that the rest fits into 128 bits.
            if float.abs() > 1e20 {
                return 0.0_f64.total_cmp(&float);
            }
            integer.cmp(&(float.floor() as i128)).then(if float.fract() == 0.0 {
                Ordering::Equal
            } else {
                Ordering::Less
            })
        };
        match (integer(one), integer(other)) {
            (Some(one), Some(other)) => one.cmp(&other),
            (Some(one), None) => beside(one, float(other)),
            (None, Some(other)) => beside(other, float(one)).reverse(),
            (None, None) => float(one).partial_cmp(&float(other)).unwrap(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn numbers_of_all_kinds_sort_exactly(one in numbers(), other in numbers()) {
            prop_assert_eq!(encode(&one, false).cmp(&encode(&other, false)), compare(&one, &other), "{:?} {:?}", one, other);
        }

        #[test]
        fn a_number_is_read_back(value in numbers()) {
            let back = decode(&encode(&value, false)).unwrap();
            prop_assert_eq!(compare(&value, &back), Ordering::Equal, "{:?} {:?}", value, back);
            // A float only where no integer is the same.
            let is_integer = |value: f64| value.fract() == 0.0 && (-9.3e18..1.8e19).contains(&value);
            prop_assert!(!matches!(back, IndexValue::Float(value) if is_integer(value) && value.abs() < 9e18), "{:?}", back);
        }

        #[test]
        fn strings_sort_bytewise_and_are_read_back(one in "[\0-\u{4}a\u{ff}\u{10ffff}]{0,4}", other in "[\0-\u{4}a\u{ff}\u{10ffff}]{0,4}") {
            let (a, b) = (encode_text(&one), encode_text(&other));
            prop_assert_eq!(a.cmp(&b), one.cmp(&other));
            prop_assert_eq!(decode(&a), Some(IndexValue::Text(one.clone())));
            prop_assert_eq!(!one.is_empty() && b.starts_with(&a), !one.is_empty() && other.starts_with(&one));
        }

        #[test]
        fn instants_sort_by_time(one in (any::<i64>(), 0..1_000_000_000_u32), other in (any::<i64>(), 0..1_000_000_000_u32)) {
            prop_assert_eq!(instant(one.0, one.1).cmp(&instant(other.0, other.1)), one.cmp(&other));
            prop_assert_eq!(decode(&instant(one.0, one.1)), Some(IndexValue::Instant { seconds: one.0, nanos: one.1 }));
        }

        #[test]
        fn types_are_kept_apart(number in numbers(), text in any::<String>(), seconds: i64) {
            let values = [
                IndexValue::Bool(false), IndexValue::Bool(true), number,
                IndexValue::Instant { seconds, nanos: 0 }, IndexValue::Text(String::new()), IndexValue::Text(text),
            ];
            let encoded: Vec<String> = values.iter().map(|value| encode(value, false)).collect();
            prop_assert!(encoded.is_sorted());
            for (value, text) in values.iter().zip(&encoded) {
                let of = Type::of(text);
                let expected = match value {
                    IndexValue::Bool(_) => Type::Bool,
                    IndexValue::Instant { .. } => Type::Instant,
                    IndexValue::Text(_) => Type::Text,
                    _ => Type::Number,
                };
                prop_assert_eq!(of, expected);
                prop_assert!(text.as_str() >= of.start() && of.end().is_none_or(|end| text.as_str() < end));
            }
        }
    }

    #[test]
    fn what_is_no_number_and_what_is_infinite_stand_at_the_ends() {
        let of = |value: f64| encode(&IndexValue::Float(value), false);
        let ends = [f64::NEG_INFINITY, f64::MIN, f64::MAX, f64::INFINITY, f64::NAN].map(of);
        assert!(ends.is_sorted_by(|a, b| a < b), "{ends:?}");
        assert!(ends.iter().all(|end| Type::of(end) == Type::Number && end.as_str() < Type::Number.end().unwrap()));
        assert_eq!(of(-0.0), of(0.0));
        assert_eq!(of(3.0), encode(&IndexValue::Integer(3), false));
    }

    #[test]
    fn dates_are_instants_where_they_are_asked_for() {
        let of = |text: &str| encode(&IndexValue::Text(text.into()), true);
        let sorted =
            ["0000-01-01", "1969-12-31T23:59:59.5Z", "1970-01-01", "2026-11-21T08:00:00+02:00", "2026-11-21T07:00:00Z"];
        assert!(sorted.map(of).is_sorted_by(|a, b| a < b));
        assert_eq!(of("2026-11-21"), of("2026-11-21T01:00:00.000+01:00"));
        for other in ["2026-13-21", "2026-11-21T08:00:00", "today", "", "2026-11-2é", "20261121"] {
            assert_eq!(of(other), encode_text(other), "{other}");
            assert!(of(other) > of("9999-12-31T23:59:59Z"));
        }
        assert_eq!(encode(&IndexValue::Text("2026-11-21".into()), false), "2026-11-21");
    }
}
