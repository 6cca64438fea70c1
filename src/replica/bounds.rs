//! The range that a query asks for, before it is known what it goes by.

use super::items::KeyRange;
use crate::error::Result;
use crate::index::{IndexError, IndexValue, IndexedField, Type, decode, encode, encode_bound, encode_text};

/// Conditions that hold together; those of items' keys, or of the ordering keys of an index.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bounds {
    pub prefix: Option<String>,
    /// Inclusive.
    pub from: Option<IndexValue>,
    /// Exclusive.
    pub to: Option<IndexValue>,
    pub reverse: bool,
}

impl Bounds {
    /// The range of texts; `field` is that of the automatic index it is of, if it is of one.
    pub fn range(&self, field: Option<&IndexedField>) -> Result<KeyRange> {
        let range = if self.reverse { KeyRange::all().reverse() } else { KeyRange::all() };
        let Some(field) = field else { return self.of_texts(range) };
        let encoded = |value: &Option<IndexValue>| value.as_ref().map(|value| encode_bound(value, field.dates));
        let (from, to) = (encoded(&self.from), encoded(&self.to));
        // One bound alone, or a prefix, leads to nothing of another type.
        let of = match (&from, &to, &self.prefix) {
            (_, _, Some(_)) => Some(Type::Text),
            (Some(from), None, None) => Some(Type::of(from)),
            (None, Some(to), None) => Some(Type::of(to)),
            _ => None,
        };
        let start = of.map(|of| of.start().to_owned());
        let end = of.and_then(|of| of.end()).map(str::to_owned);
        let mut range = range;
        if let Some(from) = from.max(start) {
            range = range.from(from);
        }
        if let Some(to) = to.into_iter().chain(end).min() {
            range = range.to(to);
        }
        Ok(match &self.prefix {
            Some(prefix) if !prefix.is_empty() => range.prefix(encode_text(prefix)),
            _ => range,
        })
    }

    /// The first key and the one behind the last; `None`: a bound is no key.
    pub fn keys(&self) -> Option<(String, Option<String>)> {
        let ((first, _), end) = self.range(None).ok()?.bounds();
        Some((first, end))
    }

    /// A text that [`Bounds::from_text`] reads.
    pub fn to_text(&self) -> String {
        let encoded = |value: &Option<IndexValue>| value.as_ref().map(|value| encode(value, false));
        serde_json::json!([encoded(&self.from), encoded(&self.to), self.prefix]).to_string()
    }

    /// Bounds, ascending, from their text.
    pub fn from_text(text: &str) -> Option<Bounds> {
        let (from, to, prefix): (Option<String>, Option<String>, Option<String>) = serde_json::from_str(text).ok()?;
        let decoded = |value: Option<String>| value.map(|value| decode(&value).ok_or(())).transpose().ok();
        Some(Bounds { prefix, from: decoded(from)?, to: decoded(to)?, reverse: false })
    }

    fn of_texts(&self, mut range: KeyRange) -> Result<KeyRange> {
        let text = |value: &IndexValue| match value {
            IndexValue::Text(text) => Ok(text.clone()),
            _ => Err(IndexError::Bound),
        };
        if let Some(prefix) = &self.prefix {
            range = range.prefix(prefix);
        }
        if let Some(from) = &self.from {
            range = range.from(text(from)?);
        }
        if let Some(to) = &self.to {
            range = range.to(text(to)?);
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bound_alone_leads_to_nothing_of_another_type() {
        let field = IndexedField::new("/x");
        let bounds = |from: Option<IndexValue>, to: Option<IndexValue>, prefix: Option<&str>| {
            let bounds = Bounds { from, to, prefix: prefix.map(str::to_owned), reverse: false };
            let ((lower, inclusive), upper) = bounds.range(Some(&field)).unwrap().bounds();
            assert!(inclusive);
            (lower, upper)
        };
        let number = |value: i64| encode(&value.into(), false);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(bounds(None, None, None), (String::new(), None));
        assert_eq!(bounds(Some(3.into()), None, None), (number(3), some("\u{1}o")));
        assert_eq!(bounds(None, Some(3.into()), None), ("\u{1}n".to_owned(), Some(number(3))));
        assert_eq!(bounds(Some(true.into()), None, None), ("\u{1}b1".to_owned(), some("\u{1}c")));
        assert_eq!(bounds(Some("a".into()), None, None), ("a".to_owned(), None));
        assert_eq!(bounds(None, Some("a".into()), None), ("\u{2}".to_owned(), some("a")));
        assert_eq!(bounds(Some(3.into()), Some("a".into()), None), (number(3), some("a")));
        assert_eq!(bounds(None, None, Some("")), ("\u{2}".to_owned(), None));
        assert_eq!(bounds(None, None, Some("a")), ("a".to_owned(), some("b")));
        assert_eq!(bounds(Some("ab".into()), None, Some("a")), ("ab".to_owned(), some("b")));
        assert_eq!(bounds(None, None, Some("\u{1}")), ("\u{2}\u{1}".to_owned(), some("\u{2}\u{2}")));
    }

    #[test]
    fn a_bound_of_dates_may_be_less_than_a_date_and_is_the_first_instant_of_it() {
        let field = IndexedField::dates("/x");
        let lower = |text: &str| {
            let bounds = Bounds { from: Some(text.into()), ..Bounds::default() };
            bounds.range(Some(&field)).unwrap().bounds().0.0
        };
        for (partial, whole) in [
            ("2026", "2026-01-01T00:00:00Z"),
            ("2026-12", "2026-12-01"),
            ("2026-12-24", "2026-12-24T00:00:00Z"),
            ("2026-12-24T18", "2026-12-24T18:00:00Z"),
            ("2026-12-24T18:30", "2026-12-24T18:30:00Z"),
            ("2026-12-24T18:30:15", "2026-12-24T18:30:15Z"),
            ("2026-12-24T18:30:15.25", "2026-12-24T18:30:15.25Z"),
            ("2026-12-24T18:30:15+02:00", "2026-12-24T16:30:15Z"),
        ] {
            assert_eq!(lower(partial), encode(&whole.into(), true), "{partial}");
            assert!(lower(partial).starts_with("\u{1}t"), "{partial}");
        }
        for text in ["", "20", "2026-13", "2026-1", "soon", "abcd", "2026-12-24T25"] {
            assert!(!lower(text).starts_with("\u{1}t"), "{text}");
        }
    }

    #[test]
    fn bounds_are_read_back_from_their_text() {
        for value in [true.into(), (-7).into(), u64::MAX.into(), 1.5.into(), f64::INFINITY.into(), "\0\"".into()] {
            let bounds = Bounds { from: Some(value), prefix: Some("p".into()), ..Bounds::default() };
            assert_eq!(Bounds::from_text(&bounds.to_text()), Some(bounds));
        }
        assert_eq!(Bounds::from_text("[]"), None);
    }

    #[test]
    fn where_there_are_texts_alone_another_bound_is_refused() {
        let bounds = Bounds { from: Some("a".into()), ..Bounds::default() };
        assert_eq!(bounds.range(None).unwrap(), KeyRange::all().from("a"));
        let bounds = Bounds { to: Some(1.into()), ..Bounds::default() };
        assert!(matches!(bounds.range(None), Err(crate::Error::Index(IndexError::Bound))));
    }
}
