//! A client's connection: counts its bytes, and ends when the client takes them too slowly.

use super::memory::Memory;
use super::metrics::Metrics;
use super::pace::Pace;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};

/// A stream whose writes fail when too little gets through in a while; hyper has time-outs for reading only.
pub(crate) struct Connection<S> {
    stream: S,
    metrics: Arc<Metrics>,
    answers: Memory,
    longest_stall: Duration,
    // From the first write that had to wait, until the client has taken all or enough.
    waiting: Option<(Pace, Pin<Box<Sleep>>)>,
}

impl<S> Connection<S> {
    pub(crate) fn new(stream: S, metrics: Arc<Metrics>, answers: Memory, longest_stall: Duration) -> Connection<S> {
        metrics.connections.inc();
        Connection { stream, metrics, answers, longest_stall, waiting: None }
    }

    fn written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(result) => {
                let bytes = *result.as_ref().unwrap_or(&0);
                // Any progress would let a client keep a large answer for as long as it likes.
                if self.waiting.as_mut().is_some_and(|(pace, _)| pace.moved(bytes, self.answers.is_scarce())) {
                    self.waiting = None;
                }
                self.metrics.sent.inc_by(bytes as u64);
                Poll::Ready(result)
            }
            Poll::Pending => {
                let longest = self.longest_stall;
                let (_, stall) = self.waiting.get_or_insert_with(|| {
                    let pace = Pace::begin(longest);
                    let stall = Box::pin(sleep_until(pace.deadline()));
                    (pace, stall)
                });
                stall.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        self.metrics.received.inc_by((into.filled().len() - before) as u64);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Only once all was written.
        self.waiting = None;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    const STALL: Duration = Duration::from_secs(5);

    /// How an answer of that size ends, and when, that is taken `bytes` at a time, once a second.
    async fn taken(answer: usize, bytes: usize, memory: Memory) -> (io::Result<()>, Duration) {
        let (ours, mut theirs) = duplex(1024);
        let mut connection = Connection::new(ours, Arc::new(Metrics::new()), memory, STALL);
        let begun = Instant::now();
        let client = tokio::spawn(async move {
            let mut part = vec![0; bytes];
            while theirs.read_exact(&mut part).await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        let written = async {
            connection.write_all(&vec![b'x'; answer]).await?;
            connection.flush().await
        };
        let ended = written.await;
        drop(connection);
        client.await.unwrap();
        (ended, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_taken_in_crumbs_ends_the_connection() {
        let (ended, after) = taken(1 << 20, 100, Memory::new(2)).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(after < STALL * 4, "{after:?}");
        // A quick start earns nothing.
        let (ours, mut theirs) = duplex(1024);
        let mut connection = Connection::new(ours, Arc::new(Metrics::new()), Memory::new(2), STALL);
        let begun = Instant::now();
        let client = tokio::spawn(async move {
            theirs.read_exact(&mut vec![0; 200_000]).await.unwrap();
            while theirs.read_u8().await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        assert_eq!(connection.write_all(&vec![b'x'; 1 << 20]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < STALL * 2, "{:?}", begun.elapsed());
        drop(connection);
        client.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_gets_its_answer_and_a_small_one_has_its_time() {
        let (ended, after) = taken(100 << 10, 2048, Memory::new(2)).await;
        ended.unwrap();
        assert!(after > STALL * 8, "{after:?}");
        // Below the rate, and done before it counts.
        taken(3 << 10, 700, Memory::new(2)).await.0.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn while_memory_is_scarce_an_answer_is_to_be_taken_more_quickly() {
        let memory = Memory::new(2);
        let held = memory.take(2);
        assert!(held.is_some());
        let (ended, after) = taken(100 << 10, 2048, memory.clone()).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(after < STALL * 2, "{after:?}");
        taken(8 << 10, 2048, memory.clone()).await.0.expect("what takes no longer than the longest stall is in time");
        drop(held);
        taken(100 << 10, 2048, memory).await.0.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_between_two_answers_does_not_count() {
        let (ours, mut theirs) = duplex(1024);
        let mut connection = Connection::new(ours, Arc::new(Metrics::new()), Memory::new(2), STALL);
        let client = tokio::spawn(async move {
            for _ in 0..3 {
                sleep(Duration::from_secs(3)).await;
                theirs.read_exact(&mut vec![0; 2048]).await.unwrap();
            }
        });
        for _ in 0..3 {
            connection.write_all(&[b'x'; 2048]).await.unwrap();
            connection.flush().await.unwrap();
            sleep(Duration::from_secs(10)).await;
        }
        client.await.unwrap();
    }
}
