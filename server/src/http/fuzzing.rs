//! What reads the head of a request, for the project's own fuzzing.

use super::auth::{Authenticator, Claim};
use super::conditions::{conditions, idempotency_key};
use super::negotiate::{Sent, Wanted};
use super::query::Query;
use crate::config::Config;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;
use syncstore::environment::Environment;
use syncstore::protocol::{ClientId, Cursor, Scope};

/// Whom a value of `Authorization` proves its sender to be, for a `GET` of `target` without a body.
pub fn authorize(
    config: &Config,
    environment: Arc<dyn Environment>,
    authorization: &[u8],
    target: &str,
) -> Option<String> {
    let authenticator = Authenticator::new(config, environment);
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(authorization).ok()?)]);
    let claim = authenticator.claim(&headers).ok()?;
    let signed = matches!(claim, Claim::Signed(..));
    let identity = authenticator.prove(claim, "GET", target, b"").ok()?;
    // A nonce is good once.
    let again = authenticator.claim(&headers).and_then(|claim| authenticator.prove(claim, "GET", target, b""));
    assert_eq!(again.is_err(), signed, "a nonce was taken twice");
    Some(identity.caller.user.clone())
}

/// What a query string may say: whose request it is, where it goes on, how much it asks for, and of what.
type Parameters = (Option<ClientId>, Option<Cursor>, Option<String>, Option<u32>, Option<Scope>);

/// The parameters of a query string, each as far as it can be read.
pub fn query(text: &str) -> Parameters {
    let query = Query::parse(Some(text));
    assert!(query.wait().is_err() || query.wait().is_ok_and(|wait| wait <= super::query::LONGEST_WAIT));
    let _ = query.own_payloads();
    let (cursor, page) = (query.cursor().ok().flatten(), query.page().ok().flatten());
    (query.client().ok(), cursor, page, query.limit(500).ok(), query.scope().ok())
}

/// Whether the headers by which formats and codings are agreed on, or under which a write is done, can be read, each
/// with this value.
pub fn negotiate(value: &[u8]) -> bool {
    let Ok(value) = HeaderValue::from_bytes(value) else { return false };
    let headers = |names: [_; 2]| HeaderMap::from_iter(names.map(|name| (name, value.clone())));
    let wanted = Wanted::of(&headers([ACCEPT, ACCEPT_ENCODING]));
    let sent = Sent::of(&headers([CONTENT_TYPE, CONTENT_ENCODING]));
    let asked = conditions(&headers([IF_MATCH, IF_NONE_MATCH]));
    let key = idempotency_key(&HeaderMap::from_iter([(HeaderName::from_static("idempotency-key"), value.clone())]));
    wanted.is_ok() || sent.is_ok() || asked.is_ok() || key.is_ok()
}
