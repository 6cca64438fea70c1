//! The SyncStore wire over blocking HTTP/1.1, with or without TLS.
//!
//! ```no_run
//! use syncstore::wire::Wire;
//! use syncstore::wire::http::{Credential, HttpOptions, HttpWire};
//!
//! # fn main() -> Result<(), syncstore::wire::WireError> {
//! // Asked before the first request, and once more when the server answers 401.
//! let options = HttpOptions::default().with_credentials(|refresh: bool| {
//!     let token = if refresh { "a new token" } else { "the token at hand" };
//!     Ok(Credential::bearer(token))
//! });
//! let wire = HttpWire::new("https://sync.example.com", "notes", options)?;
//! println!("the log stands at {}", wire.info()?.seq);
//! # Ok(())
//! # }
//! ```
//!
//! Certificates are always verified; there is no switch that turns it off. Redirects are not followed,
//! so a credential never reaches a host other than the one in the URL. Proxies of the process's
//! environment are not used; [`HttpOptions::proxy`] names one.
//!
//! This crate logs nothing. The HTTP client beneath it, `ureq`, does so through the `log` crate, and at the level
//! `TRACE` its target `ureq_proto` writes requests byte for byte, credentials included: a host that logs at that
//! level leaves this target at `DEBUG`, where credentials and the values of extra headers are blanked out.

mod body;
mod credential;
mod data;
mod endpoint;
mod exchange;
mod failure;
mod options;
mod refusal;
mod signature;

pub use credential::{Credential, CredentialSource, Secret};
pub use options::{Compression, HttpOptions};

pub(crate) use body::{Payload, printable};
pub(crate) use data::DataCall;
pub(crate) use endpoint::encoded;
pub(crate) use exchange::{Exchange, Failure};
/// What a wire of the host's own has in common with this one.
#[cfg(feature = "capi")]
pub(crate) mod common {
    pub(crate) use super::endpoint::Call;
    pub(crate) use super::failure::of_decoding;
    pub(crate) use super::refusal::{LONGEST_WAIT, of_status};

    /// A status by its number.
    pub(crate) fn status_code(number: i32) -> Option<ureq::http::StatusCode> {
        ureq::http::StatusCode::from_u16(u16::try_from(number).ok()?).ok()
    }
}

use super::{CheckpointRequest, PullRequest, Traffic, Wire, WireError};
use crate::cancel::Cancel;
use crate::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use endpoint::Call;
use std::sync::Arc;

/// A [`Wire`] to one database of one server over HTTP.
///
/// Connections are kept open between calls. Any number of threads may call at once, each over a
/// connection of its own; while one of them asks the host for a fresh credential, others that need one wait
/// for that answer. Nothing is sent before the first call.
pub struct HttpWire {
    exchange: Exchange,
}

impl HttpWire {
    /// A wire to `database` of the server at `url`, which is `http://host[:port]` or `https://host[:port]`,
    /// with a path in front of `/v1` where a proxy asks for one.
    ///
    /// Opens no connection. Fails with [`WireError::Setup`] when the URL is of another form or holds a user or a
    /// password, when the database's name is not 1 to 64 of `A-Z a-z 0-9 . _ -`, when the CA file cannot be read or holds no
    /// certificate, and when another option cannot be used.
    pub fn new(url: &str, database: &str, options: HttpOptions) -> Result<HttpWire, WireError> {
        Ok(HttpWire { exchange: Exchange::new(url, database, options)? })
    }
}

impl Wire for HttpWire {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.exchange.call(&Call::Info, None)
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        let payload = self.exchange.payload(request).map_err(failure::of_encoding)?;
        self.exchange.call(&Call::Push, Some(&payload))
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        self.exchange.call(&Call::Pull(request), None)
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.exchange.call(&Call::Checkpoint(request), None)
    }

    /// With connections of its own. Of a call that is cancelled they are closed, in the middle of an answer or of a TLS
    /// handshake too; only a look-up of the server's name and a TCP connect go on to their end, which is bounded by
    /// [`HttpOptions::connect_timeout`].
    fn cancellable(&self, cancel: &Cancel) -> Option<Arc<dyn Wire>> {
        Some(Arc::new(HttpWire { exchange: self.exchange.cancellable(cancel) }))
    }

    fn traffic(&self) -> Traffic {
        self.exchange.traffic()
    }
}

impl std::fmt::Debug for HttpWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpWire")
            .field("url", &self.exchange.url())
            .field("options", self.exchange.options())
            .finish_non_exhaustive()
    }
}
