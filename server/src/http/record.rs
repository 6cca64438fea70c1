//! One line of log and a few numbers for each request, and the headers that every answer has.

use super::App;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, DATE, HeaderValue};
use axum::http::{Extensions, Method};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// What an endpoint tells of a request for its line in the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    /// The database, when its name is one.
    pub(crate) db: Option<String>,
    /// Ops of the push, or entries or items of the page.
    pub(crate) ops: Option<usize>,
}

/// Times the request, counts it and logs it. The line has the route, not the path, and nothing of the query.
pub(crate) async fn record(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = name_of(request.method());
    let route = route_of(&app.paths, request.extensions());
    let mut response = next.run(request).await;
    let duration = start.elapsed();
    let status = response.status().as_u16();
    let noted = response.extensions_mut().remove::<Noted>().unwrap_or_default();
    let headers = response.headers_mut();
    // The clock that signatures are measured by.
    let now = UNIX_EPOCH + Duration::from_millis(app.environment.unix_ms());
    if let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(now)) {
        headers.insert(DATE, date);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    app.metrics.answered(method, route, status, duration);
    let duration_ms = duration.as_micros() as f64 / 1000.0;
    let (db, ops) = (noted.db.as_deref(), noted.ops);
    if status >= 500 {
        tracing::warn!(method, route, db, status, duration_ms, ops, "request");
    } else {
        tracing::info!(method, route, db, status, duration_ms, ops, "request");
    }
    response
}

// A closed set: what a client makes up must not become a label of a metric.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn route_of(paths: &[&'static str], extensions: &Extensions) -> &'static str {
    let matched = extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    paths.iter().find(|path| matched == Some(path)).copied().unwrap_or("other")
}
