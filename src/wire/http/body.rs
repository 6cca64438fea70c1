//! Bodies on their way out and in: compressed, inflated, counted and capped.

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};
use ureq::Body;

/// A request's body as it goes over the wire.
pub(crate) struct Payload {
    pub(super) bytes: Vec<u8>,
    pub(super) gzipped: bool,
}

impl Payload {
    /// The body of a message, compressed if it has more than `compress_above` bytes and that makes it smaller.
    pub(super) fn new(message: Vec<u8>, compress_above: Option<usize>) -> Payload {
        match compress_above.filter(|limit| message.len() > *limit).and_then(|_| gzip(&message)) {
            Some(bytes) if bytes.len() < message.len() => Payload { bytes, gzipped: true },
            _ => Payload { bytes: message, gzipped: false },
        }
    }
}

fn gzip(message: &[u8]) -> Option<Vec<u8>> {
    // Level 1: six times as fast as the default level for two thirds of its ratio.
    let mut encoder = GzEncoder::new(Vec::with_capacity(message.len() / 4), Compression::fast());
    encoder.write_all(message).and_then(|()| encoder.finish()).ok()
}

/// Why an answer's body could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body is larger than the option {option} ({limit} bytes)")]
    TooLarge { option: &'static str, limit: usize },
    #[error("the body was cut off after {0} bytes")]
    CutOff(u64),
    #[error("the body is not valid gzip")]
    NotGzip,
    #[error("the content coding is not supported: {0}")]
    Coding(String),
    #[error("{0}")]
    Transport(ureq::Error),
}

/// The most that is read of a body.
#[derive(Clone, Copy)]
pub(super) struct Caps {
    /// Inflated.
    pub(super) message: usize,
    /// As it comes.
    pub(super) wire: usize,
}

/// Reads a body to its end; also tells how many bytes came over the wire.
pub(super) fn read(body: &mut Body, coding: Option<&str>, caps: Caps) -> (Result<Vec<u8>, BodyError>, u64) {
    let length = body.content_length();
    let mut received = Received { inner: body.as_reader(), bytes: 0, cap: caps.wire as u64, failure: None };
    let result = match coding.map(str::trim) {
        None | Some("") => plain(&mut received, length, caps),
        Some(coding) if coding.eq_ignore_ascii_case("identity") => plain(&mut received, length, caps),
        Some(coding) if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") => {
            inflated(&mut received, length, caps)
        }
        Some(coding) => Err(BodyError::Coding(printable(coding, 40))),
    };
    let bytes = received.bytes;
    (received.failure.map_or(result, Err), bytes)
}

fn plain(received: &mut Received<impl Read>, length: Option<u64>, caps: Caps) -> Result<Vec<u8>, BodyError> {
    within_wire_cap(length, caps)?;
    // What the server announces is reserved only up to what would be accepted.
    let expected = length.unwrap_or(0).min(caps.message as u64) as usize;
    collect(received, expected, caps.message)
}

fn inflated(received: &mut Received<impl Read>, length: Option<u64>, caps: Caps) -> Result<Vec<u8>, BodyError> {
    within_wire_cap(length, caps)?;
    // JSON inflates to some four times; a first guess that is too low costs a copy or two.
    let expected = (length.unwrap_or(0).saturating_mul(4)).min(caps.message as u64) as usize;
    collect(&mut MultiGzDecoder::new(received), expected, caps.message)
}

fn within_wire_cap(length: Option<u64>, caps: Caps) -> Result<(), BodyError> {
    match length {
        Some(length) if length > caps.wire as u64 => Err(wire_cap(caps.wire as u64)),
        _ => Ok(()),
    }
}

fn wire_cap(cap: u64) -> BodyError {
    BodyError::TooLarge { option: "response_wire_limit", limit: cap as usize }
}

fn collect(reader: &mut impl Read, expected: usize, cap: usize) -> Result<Vec<u8>, BodyError> {
    // One byte more than expected, so that the read which finds the end does not grow the buffer.
    let mut bytes = Vec::with_capacity(expected.saturating_add(1));
    // One byte past the cap is enough to know that there is more; the rest of a bomb is never inflated.
    match reader.take((cap as u64).saturating_add(1)).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() > cap => Err(BodyError::TooLarge { option: "response_limit", limit: cap }),
        Ok(_) => Ok(bytes),
        // What the connection itself failed with has been noted in `Received` and goes before this.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(BodyError::CutOff(bytes.len() as u64)),
        Err(_) => Err(BodyError::NotGzip),
    }
}

// Counts what comes over the wire, and keeps the connection's own error, which a decoder would blur.
struct Received<R> {
    inner: R,
    bytes: u64,
    cap: u64,
    failure: Option<BodyError>,
}

impl<R: Read> Read for Received<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(n) => {
                self.bytes += n as u64;
                if self.bytes > self.cap {
                    self.failure = Some(wire_cap(self.cap));
                    return Err(io::ErrorKind::Other.into());
                }
                Ok(n)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.failure = Some(match ureq::Error::from(error) {
                    ureq::Error::Io(error) if is_broken(error.kind()) => BodyError::CutOff(self.bytes),
                    error => BodyError::Transport(error),
                });
                Err(io::ErrorKind::Other.into())
            }
        }
    }
}

fn is_broken(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// What of a server's text may stand in an error: a beginning, without control characters.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(inner: &[u8], cap: u64) -> Received<&[u8]> {
        Received { inner, bytes: 0, cap, failure: None }
    }

    #[test]
    fn requests_are_compressed_above_the_threshold_when_that_helps() {
        let text = vec![b'a'; 2000];
        assert!(!Payload::new(text.clone(), None).gzipped);
        assert!(!Payload::new(text.clone(), Some(2000)).gzipped);
        let payload = Payload::new(text.clone(), Some(1999));
        assert!(payload.gzipped && payload.bytes.len() < 100);
        let caps = Caps { message: 2000, wire: 100 };
        assert_eq!(inflated(&mut received(&payload.bytes, 100), None, caps).unwrap(), text);
        assert!(!Payload::new(payload.bytes, Some(0)).gzipped, "twice compressed is larger");
    }

    #[test]
    fn both_caps_at_their_edge_and_one_past() {
        let caps = Caps { message: 10, wire: 10 };
        assert_eq!(plain(&mut received(&[7; 10], 10), Some(10), caps).unwrap(), [7; 10]);
        assert!(plain(&mut received(&[7; 11], 11), None, caps).is_err());
        assert!(matches!(
            plain(&mut received(&[7; 11], 10), Some(11), caps),
            Err(BodyError::TooLarge { option: "response_wire_limit", .. })
        ));
        let mut over = received(&[7; 11], 10);
        assert!(plain(&mut over, None, caps).is_err());
        assert!(matches!(over.failure, Some(BodyError::TooLarge { .. })));
        let bomb = Payload::new(vec![0; 1 << 20], Some(0)).bytes;
        let inflate = |message| inflated(&mut received(&bomb, 1 << 20), None, Caps { message, wire: 1 << 20 });
        assert_eq!(inflate(1 << 20).unwrap().len(), 1 << 20);
        assert!(matches!(inflate((1 << 20) - 1), Err(BodyError::TooLarge { .. })));
    }

    #[test]
    fn an_announced_length_reserves_no_more_than_the_cap() {
        let caps = Caps { message: 1000, wire: usize::MAX };
        let bytes = plain(&mut received(&[1], u64::MAX), Some(u64::MAX), caps).unwrap();
        assert!(bytes.capacity() <= 1001);
    }

    #[test]
    fn gzip_that_is_cut_or_broken_is_told_apart() {
        let caps = Caps { message: 1 << 20, wire: 1 << 20 };
        let noise: Vec<u8> = (0..3000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut bytes = gzip(&noise).unwrap();
        let cut = &bytes[..bytes.len() / 2];
        assert!(matches!(inflated(&mut received(cut, 1 << 20), None, caps), Err(BodyError::CutOff(_))));
        let crc = bytes.len() - 6;
        bytes[crc] ^= 1;
        assert!(matches!(inflated(&mut received(&bytes, 1 << 20), None, caps), Err(BodyError::NotGzip)));
        assert!(matches!(inflated(&mut received(b"{\"a\":1}     ", 100), None, caps), Err(BodyError::NotGzip)));
    }
}
