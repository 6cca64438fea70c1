//! Which collections, and which keys of them, a replica keeps (sections 4 and 5).

use super::limits::{LimitError, Limits, check_collection};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// The most entries of a filter.
const MOST_ENTRIES: usize = 100;

/// The longest text of a filter, in bytes: with a cursor, it has to fit into a request's head.
const LONGEST: usize = 4 << 10;

/// Which collections, and which keys of them, a replica keeps: everything, or what is on a list.
///
/// A list has at most 100 entries, each a collection, or a collection with a prefix of keys, and its text at most 4,096 bytes. What is
/// covered by another entry does not count, so filters that keep the same are equal.
///
/// ```
/// use syncstore::Filter;
///
/// let filter = Filter::only(["notes", "folders"]).and_prefix("orders", "2026-");
/// assert!(filter.has("notes", "n1") && filter.has("orders", "2026-11-20"));
/// assert!(!filter.has("orders", "2025-01-01") && !filter.has("logs", "l1"));
/// assert_eq!(filter.to_string(), "folders,notes,orders:2026-");
/// assert!(Filter::everything().has("logs", "l1"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of each collection the prefixes, sorted, none of them a prefix of another; `None`: everything.
    only: Option<BTreeMap<String, Vec<String>>>,
}

impl Filter {
    /// All collections, whatever they are called.
    pub fn everything() -> Filter {
        Filter::default()
    }

    /// These collections and no others; none at all, if the list is empty.
    pub fn only<T: Into<String>>(collections: impl IntoIterator<Item = T>) -> Filter {
        let none = Filter { only: Some(BTreeMap::new()) };
        collections.into_iter().fold(none, |filter, collection| filter.and_prefix(collection, ""))
    }

    /// These, and the keys of a collection that begin so; no change to what has everything.
    pub fn and_prefix(mut self, collection: impl Into<String>, prefix: impl Into<String>) -> Filter {
        let prefix = prefix.into();
        if let Some(only) = &mut self.only {
            let prefixes = only.entry(collection.into()).or_default();
            if !prefixes.iter().any(|wider| prefix.starts_with(wider.as_str())) {
                prefixes.retain(|narrower| !narrower.starts_with(&prefix));
                prefixes.push(prefix);
                prefixes.sort_unstable();
            }
        }
        self
    }

    /// Whether it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        self.only.is_none()
    }

    /// Whether an item is kept.
    pub fn has(&self, collection: &str, key: &str) -> bool {
        self.prefixes(collection).iter().any(|prefix| key.starts_with(prefix.as_str()))
    }

    /// Whether it has all that another one has.
    pub fn covers(&self, other: &Filter) -> bool {
        match (&self.only, &other.only) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(only)) => {
                only.iter().all(|(collection, prefixes)| prefixes.iter().all(|prefix| self.has(collection, prefix)))
            }
        }
    }

    /// What both have.
    pub fn and(&self, other: &Filter) -> Filter {
        let (Some(one), Some(two)) = (&self.only, &other.only) else {
            return if self.is_everything() { other.clone() } else { self.clone() };
        };
        let narrower = [(one, other), (two, self)].into_iter().flat_map(|(entries, within)| {
            entries.iter().flat_map(move |(collection, prefixes)| {
                let inside = prefixes.iter().filter(move |prefix| within.has(collection, prefix));
                inside.map(move |prefix| (collection.as_str(), prefix.as_str()))
            })
        });
        let none = Filter::only::<String>([]);
        narrower.fold(none, |filter, (collection, prefix)| filter.and_prefix(collection, prefix))
    }

    /// As much of it as one list can say: what two lists have in common may take more entries than either.
    pub(crate) fn fitting(mut self) -> Filter {
        while self.check().is_err() {
            let Some(mut last) = self.only.as_mut().and_then(BTreeMap::last_entry) else { break };
            last.get_mut().pop();
            if last.get().is_empty() {
                last.remove();
            }
        }
        self
    }

    /// The collections of which it has any key; `None`: all.
    pub fn collections(&self) -> Option<impl Iterator<Item = &str>> {
        self.only.as_ref().map(|only| only.keys().map(String::as_str))
    }

    /// The keys of a collection that it has: each of which begins with one of these. None: no key.
    pub fn prefixes(&self, collection: &str) -> &[String] {
        static EVERY_KEY: [String; 1] = [String::new()];
        match &self.only {
            None => &EVERY_KEY,
            Some(only) => only.get(collection).map_or(&[], Vec::as_slice),
        }
    }

    /// The keys of a collection that it has, as ranges in order that have no key in common.
    pub fn ranges(&self, collection: &str) -> Vec<KeySpan> {
        self.prefixes(collection).iter().map(|prefix| KeySpan::of_prefix(prefix)).collect()
    }

    /// The text of it in a query; `None`: everything.
    pub fn text(&self) -> Option<String> {
        self.only.as_ref().map(|_| self.to_string())
    }

    /// Reads the text of a list.
    ///
    /// # Errors
    ///
    /// For a text that is none, and like [`Filter::check`].
    pub fn parse(text: &str) -> Result<Filter, FilterError> {
        within("filter", text.len(), LONGEST, "bytes")?;
        let mut filter = Filter::only::<String>([]);
        if text.is_empty() {
            return Ok(filter);
        }
        let (mut names, mut entries) = (vec![String::new()], 1);
        let mut characters = text.chars();
        loop {
            let next = characters.next();
            match next {
                Some('\\') => match (characters.next(), names.last_mut()) {
                    (Some(escaped), Some(name)) => name.push(escaped),
                    _ => return Err(FilterError::Malformed("it ends within an escape")),
                },
                Some(':') if names.len() == 1 => names.push(String::new()),
                Some(':') => return Err(FilterError::Malformed("an entry has two prefixes")),
                Some(',') | None => {
                    let mut parts = std::mem::replace(&mut names, vec![String::new()]).into_iter();
                    let (collection, prefix) = (parts.next().unwrap_or_default(), parts.next());
                    filter.check_entry(&collection, prefix.as_deref().unwrap_or_default())?;
                    filter = filter.and_prefix(collection, prefix.unwrap_or_default());
                    if next.is_none() {
                        return Ok(filter);
                    }
                    entries += 1;
                    within("filter", entries, MOST_ENTRIES, "entries")?;
                }
                Some(other) => names.last_mut().into_iter().for_each(|name| name.push(other)),
            }
        }
    }

    /// Whether its names are names, and it has not too many.
    ///
    /// # Errors
    ///
    /// [`LimitError`] for a collection without a name, a name or prefix of more than 4 KiB, more than 100 entries, and a text of more
    /// than 4,096 bytes.
    pub fn check(&self) -> Result<(), LimitError> {
        let mut entries = 0;
        for (collection, prefixes) in self.only.iter().flatten() {
            for prefix in prefixes {
                self.check_entry(collection, prefix)?;
                entries += 1;
            }
        }
        within("filter", entries, MOST_ENTRIES, "entries")?;
        within("filter", self.to_string().len(), LONGEST, "bytes")
    }

    fn check_entry(&self, collection: &str, prefix: &str) -> Result<(), LimitError> {
        check_collection(collection, &Limits::CONFIRMED)?;
        within("prefix of keys", prefix.len(), Limits::CONFIRMED.name, "bytes")
    }
}

fn within(what: &'static str, actual: usize, limit: usize, unit: &'static str) -> Result<(), LimitError> {
    if actual > limit { Err(LimitError::TooLarge { what, actual, limit, unit }) } else { Ok(()) }
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// Its form is none.
    #[error("the filter is malformed: {0}")]
    Malformed(&'static str),
    /// It has too much, or a name that is none.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

/// The text of a list, as section 4 has it; of everything a word that is none.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(only) = &self.only else { return f.write_str("(everything)") };
        let escaped = |name: &str| {
            name.chars().fold(String::with_capacity(name.len()), |mut text, next| {
                if matches!(next, '\\' | ',' | ':') {
                    text.push('\\');
                }
                text.push(next);
                text
            })
        };
        let entries =
            only.iter().flat_map(|(collection, prefixes)| prefixes.iter().map(move |prefix| (collection, prefix)));
        for (place, (collection, prefix)) in entries.enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{}", escaped(collection))?;
            if !prefix.is_empty() {
                write!(f, ":{}", escaped(prefix))?;
            }
        }
        Ok(())
    }
}

/// As its text, or nothing for everything.
impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Filter, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map_or(Ok(Filter::everything()), |text| Filter::parse(&text).map_err(serde::de::Error::custom))
    }
}

/// What a request asks for: what its replica keeps, but for what that has already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// What the replica keeps. The answer's cursor is of this.
    #[serde(default)]
    pub filter: Filter,
    /// What the answer leaves out, because the replica has it or asks for it with another cursor; `None`: nothing. Never
    /// everything: its text is none, so that it would be read as nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub have: Option<Filter>,
}

impl Scope {
    /// All that is kept.
    pub fn of(filter: Filter) -> Scope {
        Scope { filter, have: None }
    }

    /// Whether it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        self.filter.is_everything() && self.have.is_none()
    }

    /// Whether an item is in it.
    pub fn has(&self, collection: &str, key: &str) -> bool {
        self.filter.has(collection, key) && !self.is_had(collection, key)
    }

    /// Whether an item is left out though it may be kept.
    pub fn is_had(&self, collection: &str, key: &str) -> bool {
        self.have.as_ref().is_some_and(|have| have.has(collection, key))
    }
}

/// A range of keys, in the order of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpan {
    /// The first key that it may have.
    pub from: String,
    /// The first key behind it; `None`: there is none.
    pub to: Option<String>,
}

impl KeySpan {
    /// All keys that begin so.
    pub fn of_prefix(prefix: &str) -> KeySpan {
        KeySpan { from: prefix.to_owned(), to: after_prefix(prefix) }
    }

    /// The keys of a collection that none of these ranges has, which are in order and have no key in common.
    pub fn gaps(spans: &[KeySpan]) -> Vec<KeySpan> {
        let mut gaps = Vec::new();
        let mut from = Some(String::new());
        for span in spans {
            if let Some(from) = from.filter(|from| *from < span.from) {
                gaps.push(KeySpan { from, to: Some(span.from.clone()) });
            }
            from = span.to.clone();
        }
        gaps.extend(from.map(|from| KeySpan { from, to: None }));
        gaps
    }
}

/// The least string behind all that begin with `prefix`; `None`: there is none.
pub(crate) fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            char::MAX => continue,
            // The surrogates are no characters.
            '\u{d7ff}' => '\u{e000}',
            other => char::from_u32(other as u32 + 1)?,
        };
        chars.push(next);
        return Some(chars.into_iter().collect());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Filter {
        Filter::parse(text).unwrap()
    }

    #[test]
    fn what_is_covered_by_another_entry_does_not_count() {
        assert_eq!(list("b,a:2,a:20,a:1,b:x").to_string(), "a:1,a:2,b");
        assert_eq!(list("a:20,a:2"), list("a:2"));
        assert_eq!(list("a:,a:x"), Filter::only(["a"]));
        assert_eq!(Filter::everything().and_prefix("a", "x"), Filter::everything());
    }

    #[test]
    fn every_name_survives_its_text() {
        for name in ["a,b", "a:b", "a\\", "\\,", ":", "ä,ö", "\u{0}", "%2C", " "] {
            let filter = Filter::only([name]).and_prefix("c", name);
            assert_eq!(list(&filter.to_string()), filter, "{name:?}");
            assert!(filter.has(name, "any") && filter.has("c", &format!("{name}more")) && !filter.has("c", "zzz"));
        }
        assert_eq!(list(r"\a\,\b"), Filter::only(["a,b"]));
        let nothing = Filter::only::<&str>([]);
        assert_eq!((list(""), nothing.to_string().as_str(), nothing.has("a", "a")), (nothing.clone(), "", false));
        for filter in [nothing, Filter::everything(), list("a,b:x")] {
            let json = serde_json::to_string(&filter).unwrap();
            assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), filter);
        }
    }

    #[test]
    fn a_text_that_is_no_list_is_refused_and_so_is_one_too_long() {
        for text in [",", "a,", ",a", ":p", "a::", "a:b:c", "a\\", "a:b\\"] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
        let of = |entries: usize| (0..entries).map(|entry| format!("c{entry}")).collect::<Vec<_>>();
        assert!(Filter::parse(&of(100).join(",")).is_ok() && Filter::only(of(100)).check().is_ok());
        assert!(Filter::parse(&of(101).join(",")).is_err() && Filter::only(of(101)).check().is_err());
        // Covered or not: what is read has a bound of its own.
        assert!(Filter::parse(&["a"; 101].join(",")).is_err());
        let long = |bytes: usize| format!("a,{}", "x".repeat(bytes - 2));
        assert!(Filter::parse(&long(4_096)).is_ok() && Filter::parse(&long(4_097)).is_err());
        assert!(Filter::only(["a".to_owned(), "x".repeat(4_094)]).check().is_ok());
        assert!(Filter::only(["a".to_owned(), "x".repeat(4_095)]).check().is_err());
        assert!(Filter::only([""]).check().is_err() && Filter::everything().check().is_ok());
    }

    #[test]
    fn what_two_have_and_whether_one_has_all_of_the_other() {
        let everything = Filter::everything();
        let cases = [
            ("a,b", "b,c", "b"),
            ("a:1", "a", "a:1"),
            ("a:1,a:2", "a:12,a:2,a:3", "a:12,a:2"),
            ("a", "b", ""),
            ("", "a", ""),
        ];
        for (one, two, both) in cases {
            assert_eq!(list(one).and(&list(two)), list(both), "{one} {two}");
            assert_eq!(list(two).and(&list(one)), list(both), "{two} {one}");
            assert!(list(one).covers(&list(both)) && list(two).covers(&list(both)));
            assert_eq!(list(both).covers(&list(one)), one == both, "{one} {both}");
            assert!(everything.covers(&list(one)) && !list(one).covers(&everything));
            assert_eq!((everything.and(&list(one)), list(one).and(&everything)), (list(one), list(one)));
        }
        assert!(everything.covers(&everything));
    }

    #[test]
    fn what_fits_is_a_list_and_has_nothing_more() {
        let list = |whole: &str, parts: &str| {
            let parts = (0..99).map(|n| format!("{parts}:{n:02}"));
            Filter::parse(&parts.chain([whole.to_owned()]).collect::<Vec<_>>().join(",")).unwrap()
        };
        let both = list("a", "b").and(&list("b", "a"));
        assert!(both.check().is_err());
        let fits = both.clone().fitting();
        assert!(fits.check().is_ok() && both.covers(&fits) && fits.has("a", "98") && !fits.has("b", "98"));
        for same in [Filter::everything(), Filter::only::<&str>([]), list("a", "b")] {
            assert_eq!(same.clone().fitting(), same);
        }
    }

    #[test]
    fn ranges_and_the_gaps_between_them_share_out_all_keys() {
        let filter = list("a:b,a:\u{10ffff},a:c,b");
        for key in ["a", "b", "ba", "bz", "c", "cc", "d", "\u{10ffff}", "\u{10ffff}x"] {
            let is_in = |spans: &[KeySpan]| {
                let within =
                    |span: &&KeySpan| *span.from <= *key && span.to.as_ref().is_none_or(|to| key < to.as_str());
                spans.iter().filter(within).count()
            };
            for collection in ["a", "b", "c"] {
                let ranges = filter.ranges(collection);
                let kept = usize::from(filter.has(collection, key));
                assert_eq!((is_in(&ranges), is_in(&KeySpan::gaps(&ranges))), (kept, 1 - kept), "{collection} {key}");
            }
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_the_next_character() {
        assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{10ffff}"), None);
        assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_prefix(""), None);
    }
}
