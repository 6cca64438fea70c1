//! An answer that is an error: a problem of RFC 9457 (section 7).

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use std::time::Duration;
use syncstore::protocol::{CodecError, Problem};

/// Why a request is not answered with what it asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    problem: Box<Problem>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with the protocol's word for it and this case in words.
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Refusal {
        let title = status.canonical_reason().unwrap_or_default().to_owned();
        let (code, detail) = (code.to_owned(), detail.into());
        let problem = Problem { title, status: status.as_u16(), code, detail, ..Problem::default() };
        Refusal { status, problem: Box::new(problem), retry_after: None }
    }

    /// The same, as a problem that says more.
    pub(crate) fn of_problem(mut problem: Problem) -> Refusal {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        problem.status = status.as_u16();
        if problem.title.is_empty() {
            problem.title = status.canonical_reason().unwrap_or_default().to_owned();
        }
        Refusal { status, problem: Box::new(problem), retry_after: None }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    pub(crate) fn unreadable(error: CodecError) -> Refusal {
        // The decoder may repeat what it read: keep it short.
        Refusal::malformed(error.to_string().chars().take(300).collect::<String>())
    }

    pub(crate) fn unauthenticated(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Not `not_found`, which says of an item that there is none.
    pub(crate) fn unknown_path() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "unknown_path", "there is nothing at this path")
    }

    pub(crate) fn unknown_db() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "unknown_db", "there is no such database")
    }

    pub(crate) fn not_acceptable(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail)
    }

    pub(crate) fn unsupported(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    pub(crate) fn too_large(limit: usize) -> Refusal {
        let detail = format!("the body has more than {limit} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// 503, with when to try again.
    pub(crate) fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).after(retry_after)
    }

    /// 503 since others have what the request needs, with when to try again.
    pub(crate) fn overloaded(detail: impl Into<String>, retry_after: Duration) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).after(retry_after)
    }

    /// 500; the cause is for the log, not for the client.
    pub(crate) fn internal() -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed; its log says why")
    }

    pub(crate) fn after(mut self, retry_after: Duration) -> Refusal {
        self.retry_after = Some(retry_after);
        self
    }

    /// The answer.
    pub(crate) fn into_response(self) -> Response<Body> {
        let body = serde_json::to_vec(&self.problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after {
            // Whole seconds, rounded up: a client that comes too early is refused again.
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000) as u64));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"syncstore\""));
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("HMAC-SHA256 realm=\"syncstore\""));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_seconds_rounded_up() {
        let response = Refusal::unavailable("later", Duration::from_millis(1200)).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "2");
    }

    #[test]
    fn a_problem_without_a_status_is_the_servers_fault() {
        let refusal = Refusal::of_problem(Problem::default());
        assert_eq!(refusal.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(refusal.problem.status, 500);
    }
}
