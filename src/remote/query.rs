//! Which items of a collection to list, and in which order.

use crate::protocol::{LimitError, Limits, check_name};
use crate::wire::http::encoded;
use std::fmt::Write;

/// What a listing has at most when nothing else is said (section 6).
const DEFAULT_LIMIT: u32 = 500;

/// Which items [`Remote::list`](crate::Remote::list) tells; all conditions hold together.
///
/// Keys and ordering keys sort bytewise, which for UTF-8 is the order of their code points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteQuery {
    index: Option<String>,
    prefix: Option<String>,
    from: Option<String>,
    to: Option<String>,
    reverse: bool,
    limit: Option<u32>,
    after: Option<String>,
}

impl RemoteQuery {
    /// Every item, by key.
    pub fn all() -> RemoteQuery {
        RemoteQuery::default()
    }

    /// Only items with an entry in this index, by their ordering keys, then by key. The bounds then speak of ordering keys.
    ///
    /// The automatic indexes of a [`Store`](crate::Store) are its own: a server does not have them.
    pub fn index(mut self, name: impl Into<String>) -> Self {
        self.index = Some(name.into());
        self
    }

    /// Only those that begin so.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Only this one and those behind it (inclusive), whatever the direction.
    pub fn from(mut self, first: impl Into<String>) -> Self {
        self.from = Some(first.into());
        self
    }

    /// Only those before this one (exclusive), whatever the direction.
    pub fn to(mut self, end: impl Into<String>) -> Self {
        self.to = Some(end.into());
        self
    }

    /// Descending.
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// At most so many items on a page, at least 1; 500 without it. A server may have a bound of its own.
    pub fn limit(mut self, items: u32) -> Self {
        self.limit = Some(items.max(1));
        self
    }

    /// Goes on with the page that an earlier one of the same query named as its `next`.
    pub fn resume(mut self, next: impl Into<String>) -> Self {
        self.after = Some(next.into());
        self
    }

    /// The most items that a page may have.
    pub(super) fn most(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }

    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    pub(super) fn by_index(&self) -> bool {
        self.index.is_some()
    }

    pub(super) fn check(&self, limits: &Limits) -> Result<(), LimitError> {
        if let Some(index) = &self.index {
            check_name("index name", index, limits)?;
        }
        // Empty bounds are none.
        let bounds = [("prefix", &self.prefix), ("lower bound", &self.from), ("upper bound", &self.to)];
        for (what, bound) in bounds {
            if let Some(bound) = bound.as_deref().filter(|bound| !bound.is_empty()) {
                check_name(what, bound, limits)?;
            }
        }
        Ok(())
    }

    /// The query string, with its `?`; empty when nothing is said.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        let mut put = |name: &str, value: &str| {
            let lead = if text.is_empty() { '?' } else { '&' };
            // Writing to a String does not fail.
            let _ = write!(text, "{lead}{name}={}", encoded(value));
        };
        let texts = [
            ("index", &self.index),
            ("prefix", &self.prefix),
            ("from", &self.from),
            ("to", &self.to),
            ("after", &self.after),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                put(name, value);
            }
        }
        if self.reverse {
            put("reverse", "true");
        }
        if let Some(limit) = self.limit {
            put("limit", &limit.to_string());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_written_as_section_6_has_it() {
        assert_eq!(RemoteQuery::all().to_text(), "");
        let query =
            RemoteQuery::all().index("by due").prefix("2026-").from("a&b").to("ü").reverse().limit(0).resume("n+x");
        let expected = "?index=by%20due&prefix=2026-&from=a%26b&to=%C3%BC&after=n%2Bx&reverse=true&limit=1";
        assert_eq!(query.to_text(), expected);
        assert_eq!((query.most(), RemoteQuery::all().most()), (1, 500));
    }

    #[test]
    fn bounds_at_their_limit_and_one_past() {
        let limits = Limits::default();
        let (fits, long) = ("x".repeat(128), "x".repeat(129));
        let all = RemoteQuery::all;
        for bound in [&fits, ""] {
            assert!(all().prefix(bound).from(bound).to(bound).check(&limits).is_ok());
        }
        for query in [all().prefix(&long), all().from(&long), all().to(&long), all().index(&long), all().index("")] {
            assert!(query.check(&limits).is_err(), "{query:?}");
        }
    }
}
