//! How an HTTP wire connects, and its limits.

use super::credential::{Credential, CredentialSource};
use crate::environment::{Environment, SystemEnvironment};
use crate::protocol::Format;
use crate::wire::WireError;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// What can be added to any clock: ureq would panic on more.
pub(super) const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Whether bodies go gzip-compressed over the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// On, but for a server on this machine (`localhost` or a loopback address), where copying is faster.
    #[default]
    Auto,
    /// Requests above [`HttpOptions::compress_above`] are compressed, and compressed answers asked for.
    On,
    /// Requests go as they are and uncompressed answers are asked for; a compressed one is read all the same.
    Off,
}

/// The options of an [`HttpWire`](super::HttpWire); the default suits a server on the internet that asks for no credential.
///
/// `Debug` shows neither credentials nor the values of headers nor a proxy's user and password.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpOptions {
    /// The format of requests, and the one asked for in answers. Default: JSON. Answers are read in either.
    pub format: Format,
    /// Whether bodies are compressed. Default: `Auto`.
    pub compression: Compression,
    /// Requests of at most so many bytes are not compressed. Default: 1,024.
    pub compress_above: usize,
    /// The most bytes of an answer's body once inflated; a larger one is [`WireError::Protocol`]. Default: 64 MiB.
    pub response_limit: usize,
    /// The most bytes of an answer's body as they come over the wire. Default: 64 MiB.
    pub response_wire_limit: usize,
    /// How long resolving the server's name may take, and after that connecting with the TLS handshake. Default: 10 s.
    pub connect_timeout: Duration,
    /// How long a request may take as a whole, from resolving the name to the last byte of the answer. The
    /// time that a pull lets the server wait is added to it. Default: 60 s. Each try of a request that is
    /// repeated with a fresh credential has it anew.
    pub call_timeout: Duration,
    /// A PEM file of the certificate authorities to trust *instead of* the public ones that are built in, so that no
    /// public authority can vouch for a private server. Default: none. Read once, when the wire is made.
    pub ca_file: Option<PathBuf>,
    /// The proxy to go through, `http://`, `https://`, `socks4://`, `socks4a://` or `socks5://` with
    /// `[user:password@]host[:port]`. An HTTP proxy is asked to CONNECT, also for a server without TLS. Default: none; the
    /// environment's (`HTTPS_PROXY`, …) is not looked at. One that answers CONNECT byte by byte is not held to the
    /// time-outs: cancelling ends such a call, and so does the background sync.
    pub proxy: Option<String>,
    /// The `User-Agent` header; empty: none is sent. Default: `syncstore/` and the crate's version.
    pub user_agent: String,
    /// Headers to send along with every request. Those that the protocol or HTTP itself needs are refused:
    /// `Authorization`, `Content-*`, `Accept*`, `If-*`, `Idempotency-Key`, `Host`, `User-Agent` and the ones about the connection.
    pub headers: Vec<(String, String)>,
    /// What requests are authenticated with. Default: nothing.
    pub credentials: Arc<dyn CredentialSource>,
    /// Where the time and the nonces of signatures come from. Default: the system.
    pub environment: Arc<dyn Environment>,
}

impl Default for HttpOptions {
    fn default() -> HttpOptions {
        HttpOptions {
            format: Format::Json,
            compression: Compression::Auto,
            compress_above: 1024,
            response_limit: 64 << 20,
            response_wire_limit: 64 << 20,
            connect_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(60),
            ca_file: None,
            proxy: None,
            user_agent: concat!("syncstore/", env!("CARGO_PKG_VERSION")).to_owned(),
            headers: Vec::new(),
            credentials: Arc::new(Credential::None),
            environment: Arc::new(SystemEnvironment::default()),
        }
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = self.proxy.as_deref().map(|proxy| match ureq::Proxy::new(proxy) {
            Ok(proxy) => format!("{:?} {}:{}", proxy.protocol(), proxy.host(), proxy.port()),
            Err(_) => "unusable".to_owned(),
        });
        f.debug_struct("HttpOptions")
            .field("format", &self.format)
            .field("compression", &self.compression)
            .field("compress_above", &self.compress_above)
            .field("response_limit", &self.response_limit)
            .field("response_wire_limit", &self.response_wire_limit)
            .field("connect_timeout", &self.connect_timeout)
            .field("call_timeout", &self.call_timeout)
            .field("ca_file", &self.ca_file)
            .field("proxy", &proxy)
            .field("user_agent", &self.user_agent)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl HttpOptions {
    /// These options with a credential, or with a source of fresh ones.
    pub fn with_credentials(mut self, credentials: impl CredentialSource + 'static) -> HttpOptions {
        self.credentials = Arc::new(credentials);
        self
    }

    /// The HTTP client with these options; fails with [`WireError::Setup`] when one cannot be used.
    pub(super) fn agent(&self) -> Result<ureq::Agent, WireError> {
        for (name, timeout) in [("connect_timeout", self.connect_timeout), ("call_timeout", self.call_timeout)] {
            if timeout.is_zero() {
                return Err(WireError::Setup(format!("the option {name} is zero")));
            }
        }
        let [connect_timeout, call_timeout] =
            [self.connect_timeout, self.call_timeout].map(|timeout| timeout.min(LONGEST_TIMEOUT));
        // ureq itself would panic on one.
        HeaderValue::from_str(&self.user_agent)
            .map_err(|_| WireError::Setup("the option user_agent has control characters".into()))?;
        let proxy = match &self.proxy {
            Some(url) => Some(
                ureq::Proxy::new(url)
                    .map_err(|_| WireError::Setup("the option proxy is not the URL of a proxy".into()))?,
            ),
            None => None,
        };
        Ok(ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(proxy)
            .user_agent(&self.user_agent)
            .tls_config(TlsConfig::builder().root_certs(self.root_certificates()?).build())
            .timeout_resolve(Some(connect_timeout))
            .timeout_connect(Some(connect_timeout))
            .timeout_global(Some(call_timeout))
            .build()
            .new_agent())
    }

    fn root_certificates(&self) -> Result<RootCerts, WireError> {
        let Some(path) = &self.ca_file else { return Ok(RootCerts::WebPki) };
        let setup = |text: String| WireError::Setup(format!("the option ca_file, {}: {text}", path.display()));
        let pem = std::fs::read(path).map_err(|error| setup(error.to_string()))?;
        let mut certificates: Vec<Certificate<'static>> = Vec::new();
        for item in parse_pem(&pem) {
            match item {
                Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
                Ok(_) => {}
                Err(_) => return Err(setup("is not a PEM file".into())),
            }
        }
        if certificates.is_empty() {
            return Err(setup("holds no certificate".into()));
        }
        Ok(RootCerts::from(certificates))
    }

    /// The extra headers, checked; their values are marked so that no log shows them.
    pub(super) fn extra_headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, WireError> {
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let setup = |text: &str| WireError::Setup(format!("the option headers: {name:?} {text}"));
            let parsed: HeaderName = name.parse().map_err(|_| setup("is not the name of a header"))?;
            if is_reserved(parsed.as_str()) {
                return Err(setup("is a header that the wire sets itself"));
            }
            let mut value = HeaderValue::from_str(value).map_err(|_| setup("has a value with control characters"))?;
            value.set_sensitive(true);
            headers.push((parsed, value));
        }
        Ok(headers)
    }
}

// `name` is in lower case.
fn is_reserved(name: &str) -> bool {
    const RESERVED: &[&str] = &[
        "authorization",
        "connection",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    RESERVED.contains(&name) || ["accept", "content-", "if-", "proxy-"].iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut HttpOptions)) -> String {
        let mut options = HttpOptions::default();
        change(&mut options);
        match options.agent().map(drop).and_then(|()| options.extra_headers().map(drop)) {
            Err(error @ WireError::Setup(_)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_that_cannot_be_used_are_named() {
        assert!(refused(|options| options.call_timeout = Duration::ZERO).contains("call_timeout"));
        assert!(refused(|options| options.connect_timeout = Duration::ZERO).contains("connect_timeout"));
        assert!(refused(|options| options.user_agent = "a\r\nb".into()).contains("user_agent"));
        let proxy = refused(|options| options.proxy = Some("gopher://ada:hunter2@p".into()));
        assert!(proxy.contains("proxy") && !proxy.contains("hunter2"), "{proxy}");
    }

    #[test]
    fn headers_that_would_break_the_protocol_are_refused() {
        for name in [
            "Authorization",
            "content-type",
            "Content-Length",
            "ACCEPT",
            "accept-encoding",
            "Host",
            "TE",
            "Idempotency-Key",
            "a b",
        ] {
            let error = refused(|options| options.headers = vec![(name.into(), "hunter2".into())]);
            assert!(error.contains("headers") && !error.contains("hunter2"), "{error}");
        }
        let error = refused(|options| options.headers = vec![("X-Team".into(), "hunter2\n".into())]);
        assert!(error.contains("headers") && !error.contains("hunter2"), "{error}");
        let options = HttpOptions { headers: vec![("X-Team".into(), "seven".into())], ..HttpOptions::default() };
        assert_eq!(options.extra_headers().unwrap().len(), 1);
    }

    #[test]
    fn a_ca_file_that_cannot_be_used_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let error = |path: &std::path::Path| refused(|options| options.ca_file = Some(path.to_owned()));
        assert!(error(&path).contains("ca.pem"), "missing");
        std::fs::write(&path, "no PEM at all").unwrap();
        assert!(error(&path).contains("holds no certificate"));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap();
        assert!(error(&path).contains("is not a PEM file"));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let options = HttpOptions {
            proxy: Some("http://ada:hunter2@proxy:3128".into()),
            headers: vec![("X-Key".into(), "hunter2".into())],
            credentials: Arc::new(Credential::bearer("hunter2")),
            ..HttpOptions::default()
        };
        let shown = format!("{options:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("ada"), "{shown}");
        assert!(shown.contains("proxy:3128") && shown.contains("X-Key"), "{shown}");
    }
}
