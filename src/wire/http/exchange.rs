//! One call: a request, its answer, and the one repetition that a refused credential asks for.

use super::body::{self, Caps, Payload, printable};
use super::credential::{Credential, Keyring};
use super::data::DataCall;
use super::endpoint::{Call, Endpoint};
use super::options::{Compression, HttpOptions, LONGEST_TIMEOUT};
use super::signature::{self, Signed};
use super::{failure, refusal};
use crate::cancel::{Cancel, OnCancel};
use crate::protocol::{CodecError, DatabaseInfo, Format, Problem};
use crate::wire::{Traffic, WireError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use ureq::{Agent, Body};

// A problem document is a few hundred bytes; a gateway's page may be more, and none of it is of use.
const PROBLEM_CAPS: Caps = Caps { message: 64 << 10, wire: 64 << 10 };

// From here on the server's consent is waited for before the body is sent. It costs one round trip, and a
// server that refuses the size or the credential can say so: one that closes the connection on a body it
// does not read takes its own answer with it, and the push would be repeated for ever.
const ASK_FIRST_ABOVE: usize = 1 << 20;

// Less than this is no reason for a signature to be refused, so that correcting it would not help.
const CLOCK_TOLERANCE_S: u64 = 2;

/// Sends requests to one database, with the options' limits and the host's credentials.
pub(crate) struct Exchange {
    shared: Arc<Shared>,
    agent: Agent,
    /// What ends the calls of this exchange alone; the hook closes the agent's connections.
    cancel: Option<(Cancel, OnCancel)>,
}

/// What the exchanges of one wire have in common, cancellable ones and others.
struct Shared {
    endpoint: Endpoint,
    options: HttpOptions,
    headers: Vec<(HeaderName, HeaderValue)>,
    compresses: bool,
    keyring: Keyring,
    /// What to add to this machine's clock to get the server's, in seconds.
    clock_offset: AtomicI64,
    sent: AtomicU64,
    received: AtomicU64,
    round_trips: AtomicU64,
}

/// Why a call failed, and what a server that speaks the protocol says of it.
pub(crate) struct Failure {
    pub(crate) error: WireError,
    /// The problem document of an answer that had one. Its texts are the server's, of any length and content.
    pub(crate) problem: Option<Box<Problem>>,
    /// Whether it is certain that no part of the request reached the server.
    pub(crate) unsent: bool,
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Failure {
        Failure { error, problem: None, unsent: false }
    }
}

impl Exchange {
    pub(crate) fn new(url: &str, database: &str, options: HttpOptions) -> Result<Exchange, WireError> {
        let endpoint = Endpoint::new(url, database)?;
        options.credentials.check()?;
        let compresses = match options.compression {
            Compression::On => true,
            Compression::Off => false,
            Compression::Auto => !endpoint.is_loopback(),
        };
        let agent = options.agent()?;
        let shared = Shared {
            headers: options.extra_headers()?,
            compresses,
            keyring: Keyring::new(options.credentials.clone()),
            clock_offset: AtomicI64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
            endpoint,
            options,
        };
        Ok(Exchange { shared: Arc::new(shared), agent, cancel: None })
    }

    /// The same with connections of its own, which are closed once `cancel` is cancelled.
    pub(crate) fn cancellable(&self, cancel: &Cancel) -> Exchange {
        let agent = self.agent.config().clone().new_agent();
        let closed = agent.clone();
        let hook = cancel.on_cancel(move || closed.shutdown());
        Exchange { shared: Arc::clone(&self.shared), agent, cancel: Some((cancel.clone(), hook)) }
    }

    /// The URL of the database, which holds no secret.
    pub(crate) fn url(&self) -> &str {
        self.shared.endpoint.base()
    }

    pub(crate) fn options(&self) -> &HttpOptions {
        &self.shared.options
    }

    /// A message as a request's body.
    pub(crate) fn payload<T: Serialize>(&self, message: &T) -> Result<Payload, CodecError> {
        let Shared { options, compresses, .. } = &*self.shared;
        Ok(Payload::new(options.format.encode(message)?, compresses.then_some(options.compress_above)))
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            sent: self.shared.sent.load(Ordering::Relaxed),
            received: self.shared.received.load(Ordering::Relaxed),
            round_trips: self.shared.round_trips.load(Ordering::Relaxed),
        }
    }

    /// Sends a call and reads its answer.
    pub(super) fn call<T: DeserializeOwned>(&self, call: &Call<'_>, payload: Option<&Payload>) -> Result<T, WireError> {
        self.uncancelled(|| {
            let mut response = self.answered(call, payload)?;
            Ok(self.message(call, &mut response)?)
        })
        .map_err(|failure| failure.error)
    }

    /// What the database takes.
    pub(crate) fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.call(&Call::Info, None)
    }

    /// Sends a call of section 6 and reads its answer; `None`: what was asked for is as its caller has it (304).
    pub(crate) fn data<T: DeserializeOwned>(
        &self,
        call: &DataCall,
        payload: Option<&Payload>,
    ) -> Result<Option<T>, Failure> {
        let call = Call::Data(call);
        self.uncancelled(|| {
            let mut response = self.answered(&call, payload)?;
            if response.status() == StatusCode::NOT_MODIFIED {
                return Ok(None);
            }
            Ok(Some(self.message(&call, &mut response)?))
        })
    }

    /// Does it unless that is of no use any more; what fails because of that is told so.
    fn uncancelled<T>(&self, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        self.check()?;
        work().map_err(|failure| self.check().map_or_else(Failure::from, |()| failure))
    }

    fn check(&self) -> Result<(), WireError> {
        match &self.cancel {
            Some((cancel, _)) if cancel.is_cancelled() => Err(WireError::Cancelled),
            _ => Ok(()),
        }
    }

    /// The answer to a call that is what it asked for: its body is yet to be read.
    fn answered(&self, call: &Call<'_>, payload: Option<&Payload>) -> Result<Response<Body>, Failure> {
        let uri = self.shared.endpoint.uri(call)?;
        let mut credential = self.shared.keyring.current()?;
        let (mut clock_corrected, mut refreshed) = (false, false);
        let mut asks_first = payload.is_some_and(|payload| payload.bytes.len() > ASK_FIRST_ABOVE);
        loop {
            let mut response = self.send(call, &uri, payload, &credential, asks_first)?;
            if response.status() == StatusCode::OK
                || response.status() == StatusCode::NOT_MODIFIED && call.takes_unmodified()
            {
                return Ok(response);
            }
            let problem = self.problem(&mut response, &credential);
            // RFC 9110, section 10.1.1: something on the way does not do it, and the request may be repeated without.
            if asks_first && response.status() == StatusCode::EXPECTATION_FAILED {
                asks_first = false;
                continue;
            }
            if response.status() == StatusCode::UNAUTHORIZED {
                let signs = matches!(*credential, Credential::Hmac { .. });
                if signs && !clock_corrected && self.correct_clock(response.headers()) {
                    clock_corrected = true;
                    continue;
                }
                if !refreshed && let Some(fresh) = self.shared.keyring.fresh(&credential)? {
                    (credential, refreshed) = (fresh, true);
                    continue;
                }
            }
            let environment = &*self.shared.options.environment;
            let problem = problem.map(Box::new);
            let empty = Problem::default();
            let of = problem.as_deref().unwrap_or(&empty);
            let error = refusal::of_answer(response.status(), response.headers(), of, call, environment);
            return Err(Failure { error, problem, unsent: false });
        }
    }

    fn send(
        &self,
        call: &Call<'_>,
        uri: &Uri,
        payload: Option<&Payload>,
        credential: &Arc<Credential>,
        asks_first: bool,
    ) -> Result<Response<Body>, Failure> {
        let failed = |error| {
            let unsent = failure::is_before_sending(&error);
            Failure { error: failure::of_transport(error, call, &self.shared.options), problem: None, unsent }
        };
        let mut request = Request::builder()
            .method(call.method())
            .uri(uri)
            .body(())
            .map_err(|error| failed(ureq::Error::Http(error)))?;
        self.fill_headers(request.headers_mut(), call, uri, payload, credential)?;
        if asks_first {
            request.headers_mut().insert(header::EXPECT, HeaderValue::from_static("100-continue"));
        }
        let result = contained(|| match payload {
            // A PUT without a body says so: of no length it would be sent in chunks.
            None if call.method() == Method::PUT => self.agent.run(request.map(|()| &[][..])),
            // The agent's own time-out is that of a call whose answer is not held.
            _ if !call.hold().is_zero() => {
                let timeout = self.shared.options.call_timeout.saturating_add(call.hold()).min(LONGEST_TIMEOUT);
                let request = self.agent.configure_request(request).timeout_global(Some(timeout)).build();
                self.agent.run(request)
            }
            None => self.agent.run(request),
            Some(payload) => self.agent.run(request.map(|()| payload.bytes.as_slice())),
        });
        self.shared.round_trips.fetch_add(1, Ordering::Relaxed);
        let response = result?.map_err(failed)?;
        self.shared.sent.fetch_add(payload.map_or(0, |payload| payload.bytes.len() as u64), Ordering::Relaxed);
        Ok(response)
    }

    fn fill_headers(
        &self,
        headers: &mut HeaderMap,
        call: &Call<'_>,
        uri: &Uri,
        payload: Option<&Payload>,
        credential: &Credential,
    ) -> Result<(), WireError> {
        for (name, value) in &self.shared.headers {
            headers.append(name.clone(), value.clone());
        }
        if let Call::Data(call) = call {
            call.fill_headers(headers);
        }
        let media_type = HeaderValue::from_static(self.shared.options.format.content_type());
        headers.insert(header::ACCEPT, media_type.clone());
        let coding = if self.shared.compresses { "gzip" } else { "identity" };
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding));
        if let Some(payload) = payload {
            headers.insert(header::CONTENT_TYPE, media_type);
            if payload.gzipped {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
        }
        let method = call.method();
        let signed = Signed {
            ts: self.server_time(),
            nonce: self.shared.options.environment.random_u128(),
            method: method.as_str(),
            target: uri.path_and_query().map_or("/", |target| target.as_str()),
            body: payload.map_or(&[], |payload| &payload.bytes),
        };
        if let Some(text) = signature::authorization(credential, &signed)? {
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| WireError::Setup("the credential cannot stand in a header".into()))?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(())
    }

    fn message<T: DeserializeOwned>(&self, call: &Call<'_>, response: &mut Response<Body>) -> Result<T, WireError> {
        let content_type = text_of(response.headers(), &header::CONTENT_TYPE);
        let Some(format) = content_type.as_deref().and_then(Format::of_content_type) else {
            return Err(WireError::Protocol(match content_type {
                Some(other) => format!("{call}: the answer's type is {:?}", printable(&other, 80)),
                None => format!("{call}: the answer has no content type"),
            }));
        };
        let caps = Caps { message: self.shared.options.response_limit, wire: self.shared.options.response_wire_limit };
        let bytes = self.read(response, caps).map_err(|error| failure::of_body(error, call, &self.shared.options))?;
        format.decode(&bytes).map_err(|error| failure::of_decoding(&error, call))
    }

    /// The problem document of an answer, when it is one; its status says enough otherwise.
    ///
    /// Reading it to its end is also what lets the connection be used again.
    fn problem(&self, response: &mut Response<Body>, credential: &Credential) -> Option<Problem> {
        let bytes = self.read(response, PROBLEM_CAPS).ok()?;
        let content_type = text_of(response.headers(), &header::CONTENT_TYPE)?;
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut problem: Problem = match media_type.as_str() {
            "application/problem+json" | "application/json" => Format::Json.decode(&bytes).ok()?,
            _ => return None,
        };
        // Some gateways repeat what they were sent, and these texts go into errors and logs.
        let headers = self.shared.headers.iter().map(|(_, value)| String::from_utf8_lossy(value.as_bytes()));
        // Very short ones are no secrets, and stand in every other text.
        let headers = headers.filter(|value| value.len() >= 8);
        let secrets: Vec<Cow<'_, str>> = headers.chain(credential.secret().map(Cow::Borrowed)).collect();
        let tells = |text: &str| secrets.iter().any(|secret| text.contains(&**secret));
        let Problem { kind, title, code, detail, reason, path, .. } = &mut problem;
        for text in [kind, title, detail].into_iter().chain(reason).chain(path).filter(|text| tells(text)) {
            "(not shown: it repeats a credential)".clone_into(text);
        }
        // A word of the protocol stays one, also where a credential happens to be part of it.
        let is_word =
            code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_')) && !secrets.iter().any(|secret| code == secret);
        if tells(code) && !is_word {
            code.clear();
        }
        Some(problem)
    }

    fn read(&self, response: &mut Response<Body>, caps: Caps) -> Result<Vec<u8>, body::BodyError> {
        let coding = text_of(response.headers(), &header::CONTENT_ENCODING);
        let (result, received) = body::read(response.body_mut(), coding.as_deref(), caps);
        self.shared.received.fetch_add(received, Ordering::Relaxed);
        result
    }

    /// The server's clock as far as it is known, in seconds since 1970.
    fn server_time(&self) -> u64 {
        self.local_time().saturating_add_signed(self.shared.clock_offset.load(Ordering::Relaxed))
    }

    fn local_time(&self) -> u64 {
        self.shared.options.environment.unix_ms() / 1000
    }

    /// Takes over the server's clock; `false` when there is nothing to correct.
    fn correct_clock(&self, headers: &HeaderMap) -> bool {
        match refusal::date(headers) {
            Some(date) if date.abs_diff(self.server_time()) >= CLOCK_TOLERANCE_S => {
                // Both are seconds since 1970 and far below what 63 bits hold.
                self.shared.clock_offset.store(date as i64 - self.local_time() as i64, Ordering::Relaxed);
                true
            }
            _ => false,
        }
    }
}

// A panic of the HTTP client as an error: where the system has no thread left to look up a name with, ureq panics.
fn contained<T>(request: impl FnOnce() -> T) -> Result<T, WireError> {
    catch_unwind(AssertUnwindSafe(request))
        .map_err(|_| WireError::Unreachable("the HTTP client panicked; has the system run out of threads?".into()))
}

// A header that is no text counts as one with a value that nothing knows.
fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_http_client_is_a_failure_that_may_pass() {
        let error = contained(|| -> () { panic!("failed to spawn thread") }).unwrap_err();
        assert!(error.is_transient() && !error.to_string().contains("spawn"), "{error}");
        assert_eq!(contained(|| 7).unwrap(), 7);
    }
}
