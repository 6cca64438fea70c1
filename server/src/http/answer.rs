//! An answer that is what the request asked for.

use super::body::deflate;
use super::negotiate::Wanted;
use super::refusal::Refusal;
use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use axum::response::Response;
use serde::Serialize;

/// A message as the client takes it.
pub(crate) struct Answer {
    content_type: &'static str,
    gzip: bool,
    body: Vec<u8>,
}

impl Answer {
    /// Encodes a message, and deflates it for a client that asks: for a thread that may block.
    pub(crate) fn encode<T: Serialize>(wanted: Wanted, message: &T) -> Result<Answer, Refusal> {
        let body = wanted.format.encode(message).map_err(|error| {
            tracing::error!(%error, "an answer cannot be encoded");
            Refusal::internal()
        })?;
        let content_type = wanted.format.content_type();
        match wanted.gzip.then(|| deflate(&body)).flatten() {
            Some(gzip) => Ok(Answer { content_type, gzip: true, body: gzip }),
            None => Ok(Answer { content_type, gzip: false, body }),
        }
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding, authorization"));
        if self.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}
