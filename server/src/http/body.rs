//! Bodies: read within a size and a time, inflated within a size, deflated for who asks.

use super::memory::Memory;
use super::pace::Pace;
use super::refusal::Refusal;
use axum::body::{Body, HttpBody};
use axum::http::header::EXPECT;
use axum::http::{HeaderMap, StatusCode};
use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use std::io::{Read, Write};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

// Smaller answers gain nothing by compression.
const SMALLEST_GZIP: usize = 1024;

const INFLATED_PIECE: usize = 64 << 10;

// How much of a refused body is read and thrown away, so that a client that writes before it reads
// finds the answer rather than a reset connection.
const LARGEST_DISCARD: usize = 64 << 20;
const LONGEST_DISCARD: Duration = Duration::from_secs(5);

/// How large a body may be, how slowly it may come, and how much memory all of them have.
#[derive(Clone, Debug)]
pub(crate) struct BodyLimits {
    /// Bytes, as sent and after inflating.
    pub(crate) size: usize,
    /// The longest pause between two parts, and the time over which the slowest rate is measured.
    pub(crate) pause: Duration,
    /// Of all bodies that are held at a time.
    pub(crate) memory: Memory,
}

/// A body as it was sent or inflated, and its share of the memory for bodies.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl BodyLimits {
    /// Reads a body as it was sent; `announced`: its sender waits to be told to send it.
    ///
    /// 413 as soon as it is known to be too large, by what it declares or by what came; 408 when it
    /// comes too slowly; 400 when it breaks off; 503 when others have all the memory.
    pub(crate) async fn read(&self, mut body: Body, announced: bool) -> Result<Held, Refusal> {
        let declared = body.size_hint();
        if declared.lower() > self.size as u64 {
            if !announced {
                discard(body).await;
            }
            return Err(Refusal::too_large(self.size));
        }
        let mut pace = Pace::begin(self.pause);
        let mut read = BytesMut::new();
        let mut share: Option<OwnedSemaphorePermit> = None;
        loop {
            let frame = match timeout_at(pace.deadline(), body.frame()).await {
                Err(_) => return Err(too_slow()),
                Ok(None) => return Ok(Held { bytes: read.freeze(), _share: share }),
                Ok(Some(Err(_))) => return Err(Refusal::malformed("the body broke off")),
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(data) = frame.into_data() {
                if data.len() > self.size - read.len() {
                    discard(body).await;
                    return Err(Refusal::too_large(self.size));
                }
                // By what has come, not by what is declared: a promise of many bytes costs nothing.
                let more = match self.share(data.len()) {
                    Ok(more) => more,
                    Err(refusal) => {
                        discard(body).await;
                        return Err(refusal);
                    }
                };
                match &mut share {
                    Some(share) => share.merge(more),
                    None => share = Some(more),
                }
                if read.is_empty() && declared.exact() == Some(data.len() as u64) {
                    return Ok(Held { bytes: data, _share: share });
                }
                pace.moved(data.len(), self.memory.is_scarce());
                read.extend_from_slice(&data);
            }
        }
    }

    /// Inflates a gzip body, which stays held; 413 as soon as it grows past the limit, 400 when it is no gzip, 503 when
    /// others have all the memory.
    pub(crate) fn inflate(&self, held: &Held) -> Result<Held, Refusal> {
        let gzip = &held.bytes[..];
        // What is inflated piece by piece takes its share piece by piece: an estimate would refuse what fits.
        let mut plain = Vec::new();
        let mut share = self.share(0)?;
        let mut reader = MultiGzDecoder::new(gzip).take(self.size as u64 + 1);
        let mut piece = vec![0; INFLATED_PIECE];
        loop {
            let read = reader.read(&mut piece).map_err(|_| Refusal::malformed("the body is not valid gzip"))?;
            if read == 0 {
                return Ok(Held { bytes: Bytes::from(plain), _share: Some(share) });
            }
            if read > self.size - plain.len() {
                return Err(Refusal::too_large(self.size));
            }
            share.merge(self.share(read)?);
            plain.extend_from_slice(&piece[..read]);
        }
    }

    fn share(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        self.memory
            .take(bytes)
            .ok_or_else(|| Refusal::unavailable("too many bodies come at a time", Duration::from_secs(1)))
    }
}

/// Throws away the body of a request that is refused by its head.
pub(crate) async fn discard_refused(headers: &HeaderMap, body: Body) {
    // Who waits to be told to send it has not sent it.
    if !body.is_end_stream() && !headers.contains_key(EXPECT) {
        discard(body).await;
    }
}

/// Reads on and forgets, up to a size and a time.
async fn discard(mut body: Body) {
    let deadline = Instant::now() + LONGEST_DISCARD;
    let mut left = LARGEST_DISCARD;
    while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
        let len = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(len) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// The body as gzip, when that is worth it.
pub(crate) fn deflate(plain: &[u8]) -> Option<Vec<u8>> {
    if plain.len() < SMALLEST_GZIP {
        return None;
    }
    let mut writer = GzEncoder::new(Vec::with_capacity(plain.len() / 3), Compression::fast());
    writer.write_all(plain).ok()?;
    writer.finish().ok()
}

fn too_slow() -> Refusal {
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body comes too slowly")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(size: usize) -> BodyLimits {
        BodyLimits { size, pause: Duration::from_secs(5), memory: Memory::new(100_000) }
    }

    fn read(limits: BodyLimits, body: Body) -> Result<Bytes, Refusal> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(limits.read(body, false)).map(|held| held.bytes)
    }

    struct Parts(Vec<&'static [u8]>, Duration, Option<std::pin::Pin<Box<tokio::time::Sleep>>>);

    impl axum::body::HttpBody for Parts {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            let pause = self.1;
            let sleep = self.2.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            std::task::ready!(sleep.as_mut().poll(cx));
            self.2 = None;
            let part = if self.0.is_empty() { None } else { Some(self.0.remove(0)) };
            std::task::Poll::Ready(part.map(|part| Ok(hyper::body::Frame::data(Bytes::from_static(part)))))
        }
    }

    fn parts(parts: Vec<&'static [u8]>, pause: Duration) -> Body {
        Body::new(Parts(parts, pause, None))
    }

    #[test]
    fn a_body_is_read_up_to_its_limit_and_not_past_it() {
        assert_eq!(read(limits(4), Body::from("abcd")).unwrap(), "abcd");
        assert_eq!(read(limits(4), Body::from("abcde")), Err(Refusal::too_large(4)));
        let second = Duration::from_secs(1);
        assert_eq!(read(limits(4), parts(vec![b"ab", b"cd"], second)).unwrap(), "abcd");
        assert_eq!(read(limits(4), parts(vec![b"ab", b"cd", b"e"], second)), Err(Refusal::too_large(4)));
        assert_eq!(read(limits(0), Body::empty()).unwrap(), "");
    }

    #[test]
    fn a_body_that_pauses_or_trickles_is_given_up() {
        assert_eq!(read(limits(100), parts(vec![b"a", b"b"], Duration::from_secs(6))), Err(too_slow()));
        assert_eq!(read(limits(100), parts(vec![b"a"; 50], Duration::from_secs(1))), Err(too_slow()));
        assert_eq!(read(limits(100), parts(vec![b"a"; 3], Duration::from_secs(1))).unwrap(), "aaa");
    }

    #[test]
    fn what_comes_quickly_earns_no_time_for_what_trickles_after_it() {
        static PART: [u8; 60_000] = [b'a'; 60_000];
        let second = Duration::from_secs(1);
        let trickle = [vec![&PART[..]], vec![&b"a"[..]; 20]].concat();
        assert_eq!(read(limits(100_000), parts(trickle, second)), Err(too_slow()));
        let steady = vec![&PART[..1100]; 40];
        assert_eq!(read(limits(100_000), parts(steady, second)).unwrap().len(), 44_000);
    }

    #[test]
    fn while_memory_is_scarce_a_body_is_to_come_more_quickly() {
        static PART: [u8; 2_000] = [b'a'; 2_000];
        let second = Duration::from_secs(1);
        let of = |seconds: usize| parts(vec![&PART[..]; seconds], second);
        let scarce = || {
            let limits = BodyLimits { memory: Memory::new(1 << 20), ..limits(100_000) };
            let others = limits.memory.take((1 << 19) + 1);
            (limits, others.unwrap())
        };
        let (short, held) = scarce();
        assert_eq!(read(short, of(4)).unwrap().len(), 8_000, "what takes no longer than the pause is in time");
        drop(held);
        let (limits, held) = scarce();
        assert_eq!(read(limits.clone(), of(20)), Err(too_slow()));
        drop(held);
        assert_eq!(read(limits, of(20)).unwrap().len(), 40_000);
    }

    #[tokio::test]
    async fn bodies_share_the_memory_and_give_it_back() {
        let limits = BodyLimits { memory: Memory::new(5), ..limits(4) };
        let first = limits.read(Body::from("abcd"), false).await.unwrap();
        assert_eq!(limits.read(Body::from("ab"), false).await.unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(limits.read(Body::from("a"), false).await.unwrap().bytes, "a");
        drop(first);
        assert_eq!(limits.read(Body::from("abcd"), false).await.unwrap().bytes, "abcd");
    }

    #[tokio::test]
    async fn an_inflated_body_has_its_share_of_the_memory_too() {
        let plain = b"syncstore ".repeat(20_000);
        let gzip = deflate(&plain).unwrap();
        let memory = Memory::new(gzip.len() + plain.len());
        let limits = BodyLimits { memory: memory.clone(), ..limits(plain.len()) };
        let sent = limits.read(Body::from(gzip.clone()), false).await.unwrap();
        let inflated = limits.inflate(&sent).unwrap();
        assert_eq!((inflated.bytes.len(), memory.free()), (plain.len(), 0));
        drop(inflated);
        let other = limits.read(Body::from("a"), false).await.unwrap();
        assert_eq!(limits.inflate(&sent).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        drop((sent, other));
        assert_eq!(memory.free(), gzip.len() + plain.len(), "what was refused has given all back");
    }

    #[test]
    fn gzip_goes_both_ways() {
        let plain = b"syncstore ".repeat(1000);
        let gzip = deflate(&plain).unwrap();
        assert!(gzip.len() < plain.len() / 10);
        let held = || Held { bytes: Bytes::from(gzip.clone()), _share: None };
        assert_eq!(limits(plain.len()).inflate(&held()).unwrap().bytes, plain);
        assert_eq!(limits(plain.len() - 1).inflate(&held()).unwrap_err(), Refusal::too_large(plain.len() - 1));
        assert!(deflate(b"short").is_none());
    }

    #[test]
    fn what_is_no_gzip_or_cut_or_followed_by_rubbish_is_malformed() {
        let gzip = deflate(&b"x".repeat(2000)).unwrap();
        for bytes in [&b"plain"[..], &gzip[..gzip.len() - 1], &[&gzip[..], b"rubbish"].concat()] {
            let held = Held { bytes: Bytes::copy_from_slice(bytes), _share: None };
            assert_eq!(limits(4000).inflate(&held).unwrap_err().status, StatusCode::BAD_REQUEST);
        }
    }
}
