//! Where a database is on the web, and the URL of each call.

use super::data::DataCall;
use crate::protocol::{Filter, Scope, is_database_name};
use crate::wire::{CheckpointRequest, PullRequest, WireError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::{self, Write};
use std::net::IpAddr;
use std::time::Duration;
use ureq::http::{Method, Uri, uri::Scheme};

// RFC 3986's unreserved characters pass through a query as they are; everything else is encoded.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as a part of a path or a query.
pub(crate) fn encoded(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, QUERY)
}

/// One call of the protocol.
pub(crate) enum Call<'a> {
    Info,
    Push,
    Pull(&'a PullRequest),
    Checkpoint(&'a CheckpointRequest),
    Data(&'a DataCall),
}

impl Call<'_> {
    pub(super) fn method(&self) -> Method {
        match self {
            Call::Push => Method::POST,
            Call::Info | Call::Pull(_) | Call::Checkpoint(_) => Method::GET,
            Call::Data(call) => call.method.clone(),
        }
    }

    /// How long the server may hold the answer back.
    pub(super) fn hold(&self) -> Duration {
        match self {
            Call::Pull(request) => Duration::from_secs(whole_seconds(request.wait)),
            Call::Info | Call::Push | Call::Checkpoint(_) | Call::Data(_) => Duration::ZERO,
        }
    }

    /// Whether an answer may be that nothing has changed (304).
    pub(super) fn takes_unmodified(&self) -> bool {
        matches!(self, Call::Data(call) if call.unless_rev.is_some())
    }

    /// What follows the database's URL.
    #[cfg(feature = "capi")]
    pub(crate) fn target(&self) -> String {
        let mut target = String::new();
        // Writing to a String does not fail.
        let _ = self.write_target(&mut target);
        target
    }

    fn write_target(&self, url: &mut String) -> fmt::Result {
        match self {
            Call::Info => Ok(()),
            Call::Push => url.write_str("/sync/outbox"),
            Call::Pull(request) => {
                write!(url, "/sync/inbox?client={}", request.client)?;
                if let Some(cursor) = &request.cursor {
                    write!(url, "&cursor={}", encoded(cursor.as_str()))?;
                }
                write!(url, "&limit={}", request.limit)?;
                if !request.wait.is_zero() {
                    write!(url, "&wait={}", whole_seconds(request.wait))?;
                }
                if request.own_payloads {
                    url.write_str("&as_sent=never")?;
                }
                write_scope(url, &request.scope)
            }
            Call::Checkpoint(request) => {
                write!(url, "/sync/checkpoint?client={}&limit={}", request.client, request.limit)?;
                if let Some(page) = &request.page {
                    write!(url, "&page={}", encoded(page))?;
                }
                write_scope(url, &request.scope)
            }
            Call::Data(call) => url.write_str(&call.target),
        }
    }
}

fn write_scope(url: &mut String, scope: &Scope) -> fmt::Result {
    let have = scope.have.as_ref().and_then(Filter::text);
    for (name, text) in [("collections", scope.filter.text()), ("have", have)] {
        if let Some(text) = text {
            write!(url, "&{name}={}", encoded(&text))?;
        }
    }
    Ok(())
}

// Rounded up: a wait shorter than a second must not become none, which would make the caller spin.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

/// The call's name in errors: no query, which may hold cursors.
impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Call::Info => "GET /v1/:db",
            Call::Push => "POST sync/outbox",
            Call::Pull(_) => "GET sync/inbox",
            Call::Checkpoint(_) => "GET sync/checkpoint",
            Call::Data(call) => return write!(f, "{} {}", call.method, call.name),
        })
    }
}

/// A database's URL.
pub(super) struct Endpoint {
    base: String,
    host: String,
}

impl Endpoint {
    /// No error repeats the URL, which may hold a password.
    pub(super) fn new(url: &str, database: &str) -> Result<Endpoint, WireError> {
        const FORM: &str = "the URL is not of the form http(s)://host[:port]";
        let setup = |text: &str| WireError::Setup(text.to_owned());
        if url.contains(['?', '#']) {
            return Err(setup("the URL has a query or a fragment"));
        }
        if !url.contains("://") {
            return Err(setup("the URL has no http:// or https:// in front"));
        }
        let uri: Uri = url.parse().map_err(|_| setup(FORM))?;
        if uri.scheme() != Some(&Scheme::HTTP) && uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(setup(FORM));
        }
        let authority = uri.authority().ok_or_else(|| setup(FORM))?;
        if authority.as_str().contains('@') {
            return Err(setup("the URL holds a user or a password; a credential is an option of its own"));
        }
        let port = authority.as_str().strip_prefix(authority.host()).ok_or_else(|| setup(FORM))?;
        if authority.host().is_empty() || (!port.is_empty() && authority.port_u16().is_none_or(|port| port == 0)) {
            return Err(setup(FORM));
        }
        check_database(database)?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let path = uri.path().trim_end_matches('/');
        if path.ends_with("/v1") || path.ends_with(&format!("/v1/{database}")) {
            return Err(setup("the URL goes on to /v1, which is put behind it here: leave out /v1 and what follows"));
        }
        Ok(Endpoint { base: format!("{scheme}://{authority}{path}/v1/{database}"), host: authority.host().to_owned() })
    }

    /// The URL of the database, which holds no secret.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The URL of a call.
    pub(super) fn uri(&self, call: &Call<'_>) -> Result<Uri, WireError> {
        let mut url = String::with_capacity(self.base.len() + 256);
        url.push_str(&self.base);
        call.write_target(&mut url).map_err(|_| WireError::Setup("the request's URL cannot be written".into()))?;
        url.parse().map_err(|_| WireError::Setup("the request's URL is too long".into()))
    }

    /// Whether the host is this machine by its name or address alone, without asking a resolver.
    pub(super) fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

fn check_database(name: &str) -> Result<(), WireError> {
    if !is_database_name(name) {
        return Err(WireError::Setup("the database's name is not 1 to 64 of A-Z a-z 0-9 . _ -".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ClientId, Cursor};

    fn target(call: &Call<'_>) -> String {
        let endpoint = Endpoint::new("http://h:1", "db").unwrap();
        endpoint.uri(call).unwrap().path_and_query().unwrap().as_str().to_owned()
    }

    #[test]
    fn each_call_has_the_protocols_target() {
        let client = ClientId::from_random(1);
        let mut pull = PullRequest {
            client,
            cursor: None,
            limit: 500,
            wait: Duration::ZERO,
            own_payloads: false,
            scope: Default::default(),
        };
        assert_eq!(target(&Call::Info), "/v1/db");
        assert_eq!(target(&Call::Push), "/v1/db/sync/outbox");
        assert_eq!(target(&Call::Pull(&pull)), format!("/v1/db/sync/inbox?client={client}&limit=500"));
        pull.cursor = Some(Cursor::new("a b&c=d+%/é~"));
        pull.wait = Duration::from_millis(24_001);
        pull.own_payloads = true;
        assert_eq!(
            target(&Call::Pull(&pull)),
            format!(
                "/v1/db/sync/inbox?client={client}&cursor=a%20b%26c%3Dd%2B%25%2F%C3%A9~&limit=500&wait=25&as_sent=never"
            )
        );
        let mut checkpoint = CheckpointRequest { client, page: None, limit: 7, scope: Default::default() };
        assert_eq!(target(&Call::Checkpoint(&checkpoint)), format!("/v1/db/sync/checkpoint?client={client}&limit=7"));
        checkpoint.page = Some("p#2".into());
        assert_eq!(
            target(&Call::Checkpoint(&checkpoint)),
            format!("/v1/db/sync/checkpoint?client={client}&limit=7&page=p%232")
        );
        checkpoint.page = None;
        checkpoint.scope.filter = Filter::only(["a,b", "notes"]).and_prefix("ö", "2026-");
        let filter = "collections=a%5C%2Cb%2Cnotes%2C%C3%B6%3A2026-";
        let begin = format!("/v1/db/sync/checkpoint?client={client}&limit=7&{filter}");
        assert_eq!(target(&Call::Checkpoint(&checkpoint)), begin);
        checkpoint.scope.have = Some(Filter::only::<&str>([]));
        assert_eq!(target(&Call::Checkpoint(&checkpoint)), format!("{begin}&have="));
    }

    #[test]
    fn urls_that_are_no_servers_are_refused_without_being_repeated() {
        for url in [
            "",
            "host",
            "host:80",
            "/path",
            "ftp://host",
            "http://",
            "http://user:hunter2@host",
            "http://hunter2@host",
            "http://host:",
            "http://host:0",
            "http://host:65536",
            "http://host:hunter2",
            "http://host?q=hunter2",
            "http://host/#hunter2",
            "http://ho st",
        ] {
            let error = Endpoint::new(url, "db").err().unwrap_or_else(|| panic!("{url} was taken"));
            assert!(matches!(&error, WireError::Setup(_)), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_url_without_its_scheme_or_with_too_much_says_so() {
        for (url, expected) in [
            ("localhost:7878", "no http:// or https:// in front"),
            ("sync.example.com", "no http:// or https:// in front"),
            ("http://h/v1", "leave out /v1"),
            ("https://h/api/v1/", "leave out /v1"),
            ("http://h/v1/db", "leave out /v1"),
        ] {
            let error = Endpoint::new(url, "db").err().unwrap_or_else(|| panic!("{url} was taken"));
            assert!(error.to_string().contains(expected), "{url}: {error}");
        }
    }

    #[test]
    fn a_path_in_front_of_v1_is_kept() {
        for url in ["https://h/api", "https://h/api/"] {
            assert_eq!(Endpoint::new(url, "db").unwrap().base(), "https://h/api/v1/db");
        }
    }

    #[test]
    fn database_names_at_their_edge_and_one_past() {
        for name in ["a", "A.b_c-9", "...", &"x".repeat(64)] {
            assert!(Endpoint::new("http://h", name).is_ok(), "{name}");
        }
        for name in ["", ".", "..", "a/b", "a b", "é", "a%20", "a?b", &"x".repeat(65)] {
            assert!(Endpoint::new("http://h", name).is_err(), "{name}");
        }
    }

    #[test]
    fn loopback_is_told_by_name_or_address() {
        for (url, expected) in [
            ("http://localhost:1", true),
            ("http://LOCALHOST", true),
            ("http://127.0.0.1", true),
            ("http://127.9.9.9:80", true),
            ("http://[::1]:80", true),
            ("http://10.0.0.1", false),
            ("http://[::2]", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(Endpoint::new(url, "db").unwrap().is_loopback(), expected, "{url}");
        }
    }
}
