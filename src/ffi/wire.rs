//! Wires
//!
//! A wire leads to one database of one server. This is the one over HTTP; syncstore_wire_custom() makes one of the host's own. A wire holds nothing of
//! a store: one may serve several, and be freed while they sync with it.

use super::credentials::syncstore_credentials;
use super::error::syncstore_error;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life, other};
use super::kit::input::{milliseconds, name};
use super::kit::output::Plain;
use super::kit::sized::StructSize;
#[cfg(not(feature = "protobuf"))]
use super::status;
use super::status::syncstore_status;
use super::text::syncstore_text;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::protocol::Format;
use crate::wire::{Compression, Credential, CredentialSource, HttpOptions, HttpWire, Traffic, Wire, WireError};
use parking_lot::Mutex;
use std::ffi::c_char;
use std::sync::{Arc, Weak};

/// The most headers that are read, so that a list without its end does not go on for ever.
const MOST_HEADERS: usize = 100;

/// How many stores a wire keeps connections for.
const MOST_LINES: usize = 8;

/// A connection to one database of one server. It may be used by any number of threads at a time.
pub struct syncstore_wire {
    life: Life,
    pub(super) wire: Arc<dyn Wire>,
    /// The wire as one that ends with a store: kept, so that its connections stay open from one sync to the next.
    lines: Mutex<Vec<Line>>,
}

/// A wire whose calls end when a store is closed.
struct Line {
    closing: Weak<Cancel>,
    wire: Arc<dyn Wire>,
}

impl syncstore_wire {
    pub(super) fn new(wire: impl Wire + 'static) -> syncstore_wire {
        syncstore_wire { life: Life::new(), wire: Arc::new(wire), lines: Mutex::default() }
    }

    /// The wire with calls that end when a store is closed.
    pub(super) fn ending_with(&self, closing: &Arc<Cancel>) -> Arc<dyn Wire> {
        let mut lines = self.lines.lock();
        lines.retain(|line| line.closing.strong_count() > 0);
        if let Some(line) = lines.iter().find(|line| line.closing.as_ptr() == Arc::as_ptr(closing)) {
            return Arc::clone(&line.wire);
        }
        let wire = self.wire.cancellable(closing).unwrap_or_else(|| Arc::clone(&self.wire));
        lines.truncate(MOST_LINES - 1);
        lines.push(Line { closing: Arc::downgrade(closing), wire: Arc::clone(&wire) });
        wire
    }
}

impl Handle for syncstore_wire {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Failure {
        Error::Wire(error).into()
    }
}

/// The format of requests: a value of syncstore_http_options.format.
pub type syncstore_format = i32;

/// JSON.
pub const SYNCSTORE_FORMAT_JSON: syncstore_format = 0;
/// MessagePack.
pub const SYNCSTORE_FORMAT_MESSAGE_PACK: syncstore_format = 1;
/// Protocol Buffers, in a library that was built with the cargo feature protobuf; else SYNCSTORE_SETUP.
pub const SYNCSTORE_FORMAT_PROTOBUF: syncstore_format = 2;

/// Whether bodies are compressed: a value of syncstore_http_options.compression.
pub type syncstore_compression = i32;

/// They are, but for a server on this machine.
pub const SYNCSTORE_COMPRESSION_AUTO: syncstore_compression = 0;
/// They are.
pub const SYNCSTORE_COMPRESSION_ON: syncstore_compression = 1;
/// They are not.
pub const SYNCSTORE_COMPRESSION_OFF: syncstore_compression = 2;

/// How an HTTP wire connects; begin with SYNCSTORE_HTTP_OPTIONS_INIT. Of everything 0, or NULL, is the default. All of it is copied.
///
/// Of bearer_token, the three of hmac and credentials at most one kind is set, and of hmac all three or none: anything else is SYNCSTORE_MISUSE. Without any, requests go without a
/// credential. No error has a credential, the value
/// of a header, or the proxy's password in it. Certificates are always verified, redirects never followed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_http_options {
    /// Set by SYNCSTORE_HTTP_OPTIONS_INIT.
    pub struct_size: usize,
    /// The format of requests, and the one asked for in answers. Default: SYNCSTORE_FORMAT_JSON.
    pub format: syncstore_format,
    /// Default: SYNCSTORE_COMPRESSION_AUTO.
    pub compression: syncstore_compression,
    /// A token that does not change: visible ASCII.
    pub bearer_token: *const c_char,
    /// The name of an application's key, with hmac_user and hmac_secret: each request is signed, the secret never sent.
    pub hmac_key: *const c_char,
    /// The user on whose behalf it signs.
    pub hmac_user: *const c_char,
    /// The key's secret.
    pub hmac_secret: *const c_char,
    /// Asks the host for credentials; it may be freed as soon as the wire is made.
    pub credentials: *const syncstore_credentials,
    /// A PEM file of the authorities to trust instead of the public ones; it is read once, now.
    pub ca_file: *const c_char,
    /// The proxy to go through: http, https, socks4, socks4a or socks5, "://", and [user:password@]host[:port]. The environment's is not used. One that answers
    /// CONNECT byte by byte is not held to the time-outs; cancelling ends such a call.
    pub proxy: *const c_char,
    /// The header User-Agent; "": none. Default: "syncstore/" and the version.
    pub user_agent: *const c_char,
    /// Further headers of every request: name, value, name, value, and so on, and NULL behind the last; at most 100.
    pub headers: *const *const c_char,
    /// Requests of at most so many bytes are not compressed. Default: 1,024.
    pub compress_above: u64,
    /// The most bytes of an answer, once inflated. Default: 64 MiB.
    pub response_limit: u64,
    /// The most bytes of an answer as they come. Default: 64 MiB.
    pub response_wire_limit: u64,
    /// How long resolving the server's name may take, and after that connecting. Default: 10 seconds.
    pub connect_timeout_ms: i64,
    /// How long a request may take as a whole; what the server was let wait is added. Default: 60 seconds.
    pub call_timeout_ms: i64,
}

// SAFETY: numbers and pointers.
unsafe impl Plain for syncstore_http_options {}
// SAFETY: it begins with its size, and its last member is as wide as its alignment.
unsafe impl StructSize for syncstore_http_options {
    const FIRST_SIZE: usize = size_up_to!(syncstore_http_options.call_timeout_ms);
}

/// # Safety
///
/// Its texts are NULL, or end with NUL; its list of headers is NULL, or ends with NULL; its handle is NULL, or is not freed.
pub(super) unsafe fn http_options(given: syncstore_http_options) -> Result<HttpOptions, Failure> {
    let compression = match given.compression {
        SYNCSTORE_COMPRESSION_AUTO => Compression::Auto,
        SYNCSTORE_COMPRESSION_ON => Compression::On,
        SYNCSTORE_COMPRESSION_OFF => Compression::Off,
        _ => return Err(Failure::misuse("options.compression", "is none of the constants")),
    };
    // SAFETY: the condition above.
    let (ca_file, proxy, user_agent) = unsafe {
        (
            name(given.ca_file, "options.ca_file")?,
            name(given.proxy, "options.proxy")?,
            name(given.user_agent, "options.user_agent")?,
        )
    };
    let default = HttpOptions::default();
    // Every member by name: one that is added in Rust is missed here. Time and nonces are the system's.
    Ok(HttpOptions {
        format: format(given.format)?,
        compression,
        compress_above: bytes(given.compress_above, "options.compress_above", default.compress_above)?,
        response_limit: bytes(given.response_limit, "options.response_limit", default.response_limit)?,
        response_wire_limit: bytes(
            given.response_wire_limit,
            "options.response_wire_limit",
            default.response_wire_limit,
        )?,
        connect_timeout: milliseconds(given.connect_timeout_ms, "options.connect_timeout_ms", default.connect_timeout)?,
        call_timeout: milliseconds(given.call_timeout_ms, "options.call_timeout_ms", default.call_timeout)?,
        ca_file: ca_file.map(Into::into),
        proxy: proxy.map(str::to_owned),
        user_agent: user_agent.map_or(default.user_agent, str::to_owned),
        // SAFETY: the condition above.
        headers: unsafe { headers(given.headers) }?,
        // SAFETY: the condition above.
        credentials: unsafe { credentials(&given) }?,
        environment: default.environment,
    })
}

fn format(format: syncstore_format) -> Result<Format, Failure> {
    match format {
        SYNCSTORE_FORMAT_JSON => Ok(Format::Json),
        SYNCSTORE_FORMAT_MESSAGE_PACK => Ok(Format::MessagePack),
        #[cfg(feature = "protobuf")]
        SYNCSTORE_FORMAT_PROTOBUF => Ok(Format::Protobuf),
        #[cfg(not(feature = "protobuf"))]
        SYNCSTORE_FORMAT_PROTOBUF => Err(Failure::new(
            status::SYNCSTORE_SETUP,
            "options.format: this library was built without Protocol Buffers",
        )),
        _ => Err(Failure::misuse("options.format", "is none of the constants")),
    }
}

fn bytes(value: u64, called: &str, default: usize) -> Result<usize, Failure> {
    match value {
        0 => Ok(default),
        _ => usize::try_from(value).map_err(|_| Failure::misuse(called, "is more than memory")),
    }
}

/// # Safety
///
/// The list is NULL, or ends with NULL, and its texts end with NUL.
unsafe fn headers(list: *const *const c_char) -> Result<Vec<(String, String)>, Failure> {
    const CALLED: &str = "options.headers";
    let mut headers = Vec::new();
    if list.is_null() {
        return Ok(headers);
    }
    for place in 0..=MOST_HEADERS {
        // SAFETY: the condition above; nothing behind a NULL is read.
        let Some(header) = (unsafe { name(*list.add(2 * place), CALLED) })? else { return Ok(headers) };
        // SAFETY: likewise.
        let value = unsafe { name(*list.add(2 * place + 1), CALLED) }?;
        let value = value.ok_or_else(|| Failure::misuse(CALLED, "has a name without a value"))?;
        headers.push((header.to_owned(), value.to_owned()));
    }
    Err(Failure::misuse(CALLED, "has more than 100 headers"))
}

/// # Safety
///
/// That of [`http_options`].
unsafe fn credentials(given: &syncstore_http_options) -> Result<Arc<dyn CredentialSource>, Failure> {
    // SAFETY: the condition above.
    let (token, credentials) =
        unsafe { (name(given.bearer_token, "options.bearer_token")?, other(given.credentials)?) };
    // SAFETY: the condition above.
    let (key, user, secret) = unsafe {
        (
            name(given.hmac_key, "options.hmac_key")?,
            name(given.hmac_user, "options.hmac_user")?,
            name(given.hmac_secret, "options.hmac_secret")?,
        )
    };
    match (token, (key, user, secret), credentials) {
        (None, (None, None, None), None) => Ok(Arc::new(Credential::None)),
        (Some(token), (None, None, None), None) => Ok(Arc::new(Credential::bearer(token))),
        (None, (Some(key), Some(user), Some(secret)), None) => Ok(Arc::new(Credential::hmac(key, user, secret))),
        (None, (None, None, None), Some(credentials)) => {
            Ok(Arc::clone(&credentials.source) as Arc<dyn CredentialSource>)
        }
        (None, _, None) => Err(Failure::misuse("options", "has not all three of hmac_key, hmac_user and hmac_secret")),
        _ => Err(Failure::misuse("options", "has more than one of bearer_token, hmac_key and credentials")),
    }
}

/// A wire over HTTP/1.1, with or without TLS. It opens no connection; connections are kept open between calls.
///
/// url: "http://host[:port]" or "https://host[:port]", with a path in front of /v1 where a proxy asks for one.
/// database: the database's name.
/// options: NULL is the default.
/// wire: takes the wire; free it with syncstore_wire_free().
/// Errors: SYNCSTORE_SETUP for a URL, a database's name or an option that cannot be used; SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_http(
    url: *const c_char,
    database: *const c_char,
    options: *const syncstore_http_options,
    wire: *mut *mut syncstore_wire,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required wire], || {
        let (url, database, given) = (name!(url), name!(database), options!(options));
        // SAFETY: by the conventions of the header what is within options is NULL or as its comment says.
        let options = unsafe { http_options(given) }?;
        let http = HttpWire::new(url, database, options)?;
        wire.give(syncstore_wire::new(http))
    })
}

/// What has gone over a wire since it was made.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_traffic {
    /// Bytes of request bodies as sent, compressed if they were.
    pub sent: u64,
    /// Bytes of response bodies as received, compressed if they were.
    pub received: u64,
    /// Requests that were answered or failed.
    pub round_trips: u64,
}

// SAFETY: three times 0.
unsafe impl Plain for syncstore_traffic {}

impl syncstore_traffic {
    pub(super) fn new(traffic: Traffic) -> syncstore_traffic {
        let Traffic { sent, received, round_trips } = traffic;
        syncstore_traffic { sent, received, round_trips }
    }
}

/// What has gone over a wire since it was made.
///
/// traffic: takes it.
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_traffic(
    wire: *const syncstore_wire,
    traffic: *mut syncstore_traffic,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required traffic], |wire| traffic.put(syncstore_traffic::new(wire.wire.traffic())))
}

/// Asks the server what the database takes; also the way to find out that URL, database and credential are right. Waits for the network.
///
/// json: takes the answer of GET /v1/:db as JSON text; free it with syncstore_text_free().
/// Errors: those of the wire, SYNCSTORE_UNREACHABLE to SYNCSTORE_SETUP.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_info(
    wire: *const syncstore_wire,
    json: *mut syncstore_text,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required json], |wire| json.put(syncstore_text::of_json(&wire.wire.info()?)?))
}

/// Frees a wire; a background sync that was started with it keeps what it needs. NULL is ignored.
///
/// Thread: any; no other may begin a call with this wire any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_free(wire: *mut syncstore_wire) {
    free!(wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    #[test]
    fn each_option_gets_to_its_place() {
        let listed = [c"X-A".as_ptr(), c"a".as_ptr(), c"X-B".as_ptr(), c"b".as_ptr(), ptr::null()];
        let given = syncstore_http_options {
            struct_size: size_of::<syncstore_http_options>(),
            format: SYNCSTORE_FORMAT_MESSAGE_PACK,
            compression: SYNCSTORE_COMPRESSION_OFF,
            bearer_token: c"t0ken".as_ptr(),
            hmac_key: ptr::null(),
            hmac_user: ptr::null(),
            hmac_secret: ptr::null(),
            credentials: ptr::null(),
            ca_file: c"ca.pem".as_ptr(),
            proxy: c"http://proxy".as_ptr(),
            user_agent: c"".as_ptr(),
            headers: listed.as_ptr(),
            compress_above: 1,
            response_limit: 2,
            response_wire_limit: 3,
            connect_timeout_ms: 4,
            call_timeout_ms: 5,
        };
        // SAFETY: the texts end with NUL, and the list with NULL.
        let options = unsafe { http_options(given) }.unwrap();
        assert_eq!((options.format, options.compression), (Format::MessagePack, Compression::Off));
        assert_eq!((options.compress_above, options.response_limit, options.response_wire_limit), (1, 2, 3));
        assert_eq!((options.connect_timeout.as_millis(), options.call_timeout.as_millis()), (4, 5));
        assert_eq!(options.ca_file.unwrap().to_str(), Some("ca.pem"));
        assert_eq!((options.proxy.as_deref(), options.user_agent.as_str()), (Some("http://proxy"), ""));
        assert_eq!(options.headers, [("X-A", "a"), ("X-B", "b")].map(|(name, value)| (name.into(), value.into())));
        assert_eq!(options.credentials.credential(false), Ok(Credential::bearer("t0ken")));
    }
}
