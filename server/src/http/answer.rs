//! An answer that is what the request asked for.

use super::body::deflate;
use super::conditions::entity_tag;
use super::memory::{AnswerMemory, Share};
use super::negotiate::Wanted;
use super::refusal::Refusal;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, VARY};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyStream, Empty, StreamBody};
use serde::Serialize;
use syncstore::protocol::Rev;

/// A message as the client takes it.
pub(crate) struct Answer {
    // None of an answer without a body.
    content_type: Option<&'static str>,
    gzip: bool,
    body: Bytes,
    rev: Option<Rev>,
}

impl Answer {
    /// Encodes a message, and deflates it for a client that asks: for a thread that may block. 503 when other answers
    /// have the memory.
    pub(crate) fn encode<T: Serialize>(memory: &AnswerMemory, wanted: Wanted, message: &T) -> Result<Answer, Refusal> {
        Answer::within(memory.share(wanted.format, wanted.gzip, message)?, wanted, message)
    }

    /// The same with a share of the memory that was taken before.
    pub(crate) fn within<T: Serialize>(share: Share, wanted: Wanted, message: &T) -> Result<Answer, Refusal> {
        let body = wanted.format.encode(message).map_err(|error| {
            tracing::error!(%error, "an answer cannot be encoded");
            Refusal::internal()
        })?;
        let content_type = Some(wanted.format.content_type());
        match wanted.gzip.then(|| deflate(&body)).flatten() {
            Some(deflated) => Ok(Answer { content_type, gzip: true, body: share.hold(deflated), rev: None }),
            None => Ok(Answer { content_type, gzip: false, body: share.hold(body), rev: None }),
        }
    }

    /// The same with the entity tag of that rev.
    pub(crate) fn of_rev(self, rev: Rev) -> Answer {
        Answer { rev: Some(rev), ..self }
    }

    /// That the client has what there is, at that rev.
    pub(crate) fn not_modified(rev: Rev) -> Answer {
        Answer { content_type: None, gzip: false, body: Bytes::new(), rev: Some(rev) }
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        let headers = response.headers_mut();
        if let Some(content_type) = self.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Some(tag) = self.rev.and_then(|rev| HeaderValue::try_from(entity_tag(rev)).ok()) {
            headers.insert(ETAG, tag);
        }
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding, authorization"));
        if self.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if self.content_type.is_none() {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            // A Content-Length would have to be that of the answer that is not sent (RFC 9110, 8.6): no length is known.
            *response.body_mut() = Body::new(StreamBody::new(BodyStream::new(Empty::new())));
        }
        response
    }
}
