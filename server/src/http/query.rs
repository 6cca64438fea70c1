//! The values of a request's query string.

use super::refusal::Refusal;
use form_urlencoded::parse;
use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;
use syncstore::protocol::{ClientId, Cursor, Filter, Scope};

/// The longest that an answer is held.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);

// More than this a page does not have, whatever the client asks for.
const LARGEST_PAGE: u32 = 10_000;

/// A query string; parameters that an endpoint does not ask for do not count.
pub(crate) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    pub(crate) fn parse(text: Option<&'a str>) -> Query<'a> {
        Query(parse(text.unwrap_or_default().as_bytes()).collect())
    }

    /// The replica that asks; it must be there.
    pub(crate) fn client(&self) -> Result<ClientId, Refusal> {
        self.parsed("client", "a UUID")?.ok_or_else(|| Refusal::malformed("the parameter client is missing"))
    }

    pub(crate) fn cursor(&self) -> Result<Option<Cursor>, Refusal> {
        Ok(self.text("cursor")?.map(Cursor::new))
    }

    pub(crate) fn page(&self) -> Result<Option<String>, Refusal> {
        Ok(self.text("page")?.map(str::to_owned))
    }

    /// How many entries or items the page may have: at least one.
    pub(crate) fn limit(&self, default: u32) -> Result<u32, Refusal> {
        match self.parsed("limit", "a number")?.unwrap_or(default) {
            0 => Err(Refusal::malformed("the parameter limit is 0")),
            limit => Ok(limit.min(LARGEST_PAGE)),
        }
    }

    /// How long the answer may be held: whole seconds.
    pub(crate) fn wait(&self) -> Result<Duration, Refusal> {
        let seconds = self.parsed("wait", "a number of seconds")?.unwrap_or(0);
        Ok(Duration::from_secs(seconds).min(LONGEST_WAIT))
    }

    /// Whether the caller's own payloads must come along: `as_sent=never`.
    pub(crate) fn own_payloads(&self) -> Result<bool, Refusal> {
        match self.text("as_sent")? {
            None => Ok(false),
            Some("never") => Ok(true),
            Some(_) => Err(Refusal::malformed("the parameter as_sent can only be never")),
        }
    }

    /// Any text.
    pub(crate) fn given(&self, name: &str) -> Result<Option<String>, Refusal> {
        Ok(self.text(name)?.map(str::to_owned))
    }

    /// `true` or `false`, which is the default.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        Ok(self.parsed(name, "true or false")?.unwrap_or(false))
    }

    /// What of the database the request asks for.
    pub(crate) fn scope(&self) -> Result<Scope, Refusal> {
        Ok(Scope { filter: self.list("collections")?.unwrap_or_default(), have: self.list("have")? })
    }

    fn list(&self, name: &str) -> Result<Option<Filter>, Refusal> {
        let parse =
            |text| Filter::parse(text).map_err(|error| Refusal::malformed(format!("the parameter {name}: {error}")));
        self.text(name)?.map(parse).transpose()
    }

    fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.0.iter().filter(|(found, _)| found == name);
        let first = values.next();
        match values.next() {
            None => Ok(first.map(|(_, value)| &**value)),
            Some(_) => Err(Refusal::malformed(format!("the parameter {name} is there twice"))),
        }
    }

    fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Refusal> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Refusal::malformed(format!("the parameter {name} is not {expected}")))
        };
        self.text(name)?.map(parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "01890a5d-ac96-474b-bcce-b302099a8057";

    #[test]
    fn values_are_decoded_and_have_defaults() {
        let text = format!("client={CLIENT}&cursor=a%2Bb+c&limit=7&wait=2&as_sent=never&other=1&other=2");
        let query = Query::parse(Some(&text));
        assert_eq!(query.client().unwrap().to_string(), CLIENT);
        assert_eq!(query.cursor().unwrap().unwrap().as_str(), "a+b c");
        assert_eq!(query.limit(500).unwrap(), 7);
        assert_eq!(query.wait().unwrap(), Duration::from_secs(2));
        assert!(query.own_payloads().unwrap());
        let empty = Query::parse(None);
        assert_eq!((empty.limit(500).unwrap(), empty.wait().unwrap()), (500, Duration::ZERO));
        assert!(empty.cursor().unwrap().is_none() && empty.page().unwrap().is_none());
        assert!(!empty.own_payloads().unwrap());
    }

    #[test]
    fn a_scope_is_made_of_lists_and_is_everything_without() {
        let scope = |text: &str| Query::parse(Some(text)).scope();
        let found = scope("collections=notes,a%5C,b,orders:2026-&have=notes").unwrap();
        assert_eq!(found.filter, Filter::only(["notes", "a,b"]).and_prefix("orders", "2026-"));
        assert_eq!(found.have, Some(Filter::only(["notes"])));
        assert_eq!(Query::parse(None).scope().unwrap(), Scope::default());
        assert_eq!(scope("collections=").unwrap().filter, Filter::only::<&str>([]));
        for bad in ["collections=,", "collections=a::", "collections=a&collections=a", "collections=%5C"] {
            assert_eq!(scope(bad).unwrap_err().status, 400, "{bad}");
            assert!(scope(&bad.replace("collections", "have")).is_err(), "{bad}");
        }
        assert!(scope(&format!("collections={}", vec!["c"; 101].join(","))).is_err());
    }

    #[test]
    fn large_values_are_capped() {
        let query = Query::parse(Some("limit=4000000000&wait=86400"));
        assert_eq!(query.limit(1).unwrap(), LARGEST_PAGE);
        assert_eq!(query.wait().unwrap(), LONGEST_WAIT);
    }

    #[test]
    fn each_bad_value_is_refused() {
        for text in ["", "client=", "client=7", "client=01890a5d-ac96-474b-bcce-b302099a8057&client=x"] {
            assert!(Query::parse(Some(text)).client().is_err(), "{text}");
        }
        for text in ["limit=0", "limit=-1", "limit=", "limit=1e3", "limit=1&limit=1", "limit=4294967296"] {
            assert!(Query::parse(Some(text)).limit(1).is_err(), "{text}");
        }
        assert!(Query::parse(Some("wait=1.5")).wait().is_err());
        assert!(Query::parse(Some("as_sent=always")).own_payloads().is_err());
        assert!(Query::parse(Some("cursor=a&cursor=b")).cursor().is_err());
        assert!(Query::parse(Some("page=a&page=a")).page().is_err());
    }
}
