//! What stopped a call that got no whole answer, in the words of [`WireError`].

use super::body::BodyError;
use super::endpoint::Call;
use super::options::HttpOptions;
use crate::protocol::CodecError;
use crate::wire::WireError;
use std::io;
use ureq::Timeout;

/// A request could not be sent, or its answer's head not be read.
pub(super) fn of_transport(error: ureq::Error, call: &Call<'_>, options: &HttpOptions) -> WireError {
    match error {
        ureq::Error::Timeout(timeout) => timed_out(timeout, call, options),
        ureq::Error::HostNotFound => WireError::Unreachable("the host's name is not known".into()),
        ureq::Error::Io(error) => of_io(&error, options),
        ureq::Error::Rustls(error) => tls(&error.to_string(), options),
        ureq::Error::Tls(text) => tls(text, options),
        ureq::Error::ConnectProxyFailed(text) => WireError::Unreachable(format!("by the option proxy: {text}")),
        ureq::Error::ConnectionFailed => WireError::Unreachable("no connection could be made".into()),
        // Its texts may repeat what the server sent.
        ureq::Error::Protocol(_) => WireError::Protocol(format!("{call}: the answer is not valid HTTP/1.1")),
        ureq::Error::LargeResponseHeader(..) => {
            WireError::Protocol(format!("{call}: the headers of the answer are too large"))
        }
        ureq::Error::Http(_) | ureq::Error::BadUri(_) | ureq::Error::InvalidProxyUrl => {
            WireError::Setup(format!("{call}: the request cannot be written as HTTP"))
        }
        _ => WireError::Unreachable("the connection failed".into()),
    }
}

fn of_io(error: &io::Error, options: &HttpOptions) -> WireError {
    match error.kind() {
        // rustls reports what it finds wrong with the peer as invalid data.
        io::ErrorKind::InvalidData => tls(&error.to_string(), options),
        io::ErrorKind::UnexpectedEof => {
            WireError::Unreachable("the connection was closed before there was an answer".into())
        }
        _ => WireError::Unreachable(error.to_string()),
    }
}

/// Whether it came before any part of the request went to the server: no connection was made.
pub(super) fn is_before_sending(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
        // Nothing but connecting fails so. Not what has no route: a connection that was made ends so too, when its
        // packets have none any more.
        ureq::Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable)
                || is_lookup(error)
        }
        _ => false,
    }
}

/// Whether a name could not be looked up: the standard library has no kind for it.
fn is_lookup(error: &io::Error) -> bool {
    match error.raw_os_error() {
        // WSAHOST_NOT_FOUND, WSATRY_AGAIN, WSANO_RECOVERY, WSANO_DATA
        Some(code) => cfg!(windows) && (11_001..=11_004).contains(&code),
        None => error.to_string().starts_with("failed to lookup address"),
    }
}

fn tls(text: &str, options: &HttpOptions) -> WireError {
    // What comes back is no record of TLS.
    if text.contains("InvalidContentType") {
        return WireError::Unreachable("the server does not speak TLS on this port; is its URL http://?".into());
    }
    let trusted = match &options.ca_file {
        Some(path) => format!("trusted are the authorities in the option ca_file, {}", path.display()),
        None => "trusted are the public authorities; the option ca_file can name others".to_owned(),
    };
    WireError::Unreachable(format!("TLS: {text} ({trusted})"))
}

fn timed_out(timeout: Timeout, call: &Call<'_>, options: &HttpOptions) -> WireError {
    WireError::TimedOut(match timeout {
        Timeout::Resolve => {
            format!(
                "resolving the host's name took longer than the option connect_timeout, {:?}",
                options.connect_timeout
            )
        }
        Timeout::Connect => {
            format!("connecting took longer than the option connect_timeout, {:?}", options.connect_timeout)
        }
        _ if call.hold().is_zero() => {
            format!("{call} took longer than the option call_timeout, {:?}", options.call_timeout)
        }
        _ => format!(
            "{call} took longer than the option call_timeout, {:?}, and the {:?} that the server was let wait",
            options.call_timeout,
            call.hold()
        ),
    })
}

/// The body of a good answer could not be read.
pub(super) fn of_body(error: BodyError, call: &Call<'_>, options: &HttpOptions) -> WireError {
    match error {
        BodyError::Transport(error) => of_transport(error, call, options),
        error => WireError::Protocol(format!("{call}: {error}")),
    }
}

/// A good answer's body is not the message.
pub(crate) fn of_decoding(error: &CodecError, call: &Call<'_>) -> WireError {
    let text = match error {
        CodecError::Json(error) => {
            let what = structure(&error.to_string()).unwrap_or_else(|| {
                if error.is_eof() {
                    "it ends too early".into()
                } else if error.is_data() {
                    "not the message's structure".into()
                } else {
                    "bad syntax".into()
                }
            });
            format!("invalid JSON: {what}, at line {} column {}", error.line(), error.column())
        }
        CodecError::MessagePackDecode(error) => {
            format!("invalid MessagePack: {}", structure(&error.to_string()).unwrap_or("not to be decoded".into()))
        }
        #[cfg(feature = "protobuf")]
        CodecError::Protobuf(error) => format!("invalid Protocol Buffers: {error}"),
        CodecError::Structure(error) => structure(&error.to_string()).unwrap_or("not the message's structure".into()),
        CodecError::Trailing(bytes) => format!("{bytes} bytes follow the message"),
        CodecError::Value(_) | CodecError::MessagePackEncode(_) => "not to be decoded".to_owned(),
    };
    WireError::Protocol(format!("{call}: {text}"))
}

// Serde's texts repeat pieces of the document, which are the user's; those that name a field of the protocol do not.
fn structure(text: &str) -> Option<String> {
    let named = ["missing field `", "duplicate field `"].iter().any(|prefix| text.starts_with(prefix));
    let end = text.match_indices('`').nth(1)?.0;
    named.then(|| text[..=end].to_owned())
}

/// A request cannot be written in the wire's format.
///
/// Told as the server would tell it, so that the engine finds the op at fault and rejects that one alone.
pub(super) fn of_encoding(error: CodecError) -> WireError {
    WireError::Refused { status: 422, code: "invalid".into(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Format, InboxPage};

    fn text(format: Format, bytes: &[u8]) -> String {
        let error = format.decode::<InboxPage>(bytes).unwrap_err();
        match of_decoding(&error, &Call::Info) {
            WireError::Protocol(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_that_is_not_known_is_told_from_a_connection_that_ended() {
        // No name has a part this long, so that no server is asked.
        let unknown = std::net::ToSocketAddrs::to_socket_addrs(&("a".repeat(64).as_str(), 80)).map(drop).unwrap_err();
        assert!(is_before_sending(&ureq::Error::Io(unknown)));
        for kind in [io::ErrorKind::ConnectionReset, io::ErrorKind::HostUnreachable, io::ErrorKind::NetworkUnreachable]
        {
            assert!(!is_before_sending(&ureq::Error::Io(kind.into())), "{kind:?}");
        }
        assert!(!is_before_sending(&ureq::Error::Io(io::Error::other("failed"))));
    }

    #[test]
    fn decoding_errors_say_what_and_where_but_repeat_nothing_of_the_document() {
        let text_of = |json: &str| text(Format::Json, json.as_bytes());
        assert_eq!(
            text_of(r#"{"entries":[],"cursor":"c","more":false}"#),
            "GET /v1/:db: invalid JSON: missing field `seq`, at line 1 column 40"
        );
        assert!(text_of(r#"{"entries":["#).contains("ends too early"));
        assert!(text_of("{\n \"entries\": [}").contains("bad syntax, at line 2 column 14"));
        let wrong = text_of(r#"{"entries":"diary","cursor":"c"}"#);
        assert!(wrong.contains("not the message's structure") && !wrong.contains("diary"), "{wrong}");
        let cut = text(Format::MessagePack, b"\xa9diary");
        assert!(cut.contains("invalid MessagePack") && !cut.contains("diary"), "{cut}");
        let pack = text(Format::MessagePack, b"\xa5diary");
        assert!(pack.contains("not the message's structure") && !pack.contains("diary"), "{pack}");
    }
}
