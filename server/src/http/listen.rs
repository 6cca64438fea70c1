//! Takes connections, so many at a time, until it is told to stop.

use super::connection::Connection;
use super::{App, stopped};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

// Told without reading the request: whoever comes now costs as little as can be.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n\
    Content-Length: 126\r\nRetry-After: 5\r\nConnection: close\r\n\r\n\
    {\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"code\":\"overloaded\",\"detail\":\"too many connections are open\"}";

// A cursor, a signature and a proxy's additions fit several times; a larger head is answered 431.
const LARGEST_HEAD: usize = 64 << 10;

/// Times and counts of connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) header: Duration,
    pub(crate) stall: Duration,
    pub(crate) shutdown: Duration,
}

/// Serves until `stopping` turns true, then lets what is under way come to its end, for `limits.shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    router: Router,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    // As many refusals at a time as fit beside; beyond, connections are dropped without a word.
    let refusals = Arc::new(Semaphore::new(64));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stopping) => break,
        };
        while connections.try_join_next().is_some() {}
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most often: others must end first.
                tracing::warn!(%error, "a connection could not be taken");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        match places.clone().try_acquire_owned() {
            Ok(place) => {
                let serving = converse(stream, app.clone(), router.clone(), limits, stopping.clone());
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Err(_) => {
                app.metrics.connections_refused.inc();
                if let Ok(place) = refusals.clone().try_acquire_owned() {
                    connections.spawn(async move {
                        refuse(stream).await;
                        drop(place);
                    });
                }
            }
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.shutdown, all_ended).await.is_err() {
        tracing::warn!(left = connections.len(), "connections were cut off, their requests took too long");
        connections.shutdown().await;
    }
}

async fn converse(
    stream: TcpStream,
    app: Arc<App>,
    router: Router,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Connection::new(stream, app.metrics.clone(), app.answers.0.clone(), limits.stall));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header).max_buf_size(LARGEST_HEAD);
    let mut conversation = pin!(builder.serve_connection(io, TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        () = stopped(&mut stopping) => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn refuse(mut stream: TcpStream) {
    let told = async {
        stream.write_all(FULL).await?;
        stream.shutdown().await?;
        // Read on, or the refusal is lost in the reset that unread bytes cause.
        tokio::io::copy(&mut tokio::io::AsyncReadExt::take(&mut stream, 1 << 20), &mut tokio::io::sink()).await
    };
    let _ = timeout(Duration::from_secs(1), told).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_has_the_length_that_it_says() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
        let problem: syncstore::protocol::Problem = serde_json::from_str(body).unwrap();
        assert_eq!(problem.status, 503);
    }
}
