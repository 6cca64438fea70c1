//! An approver behind HTTP.

use super::{ApprovalRequest, ApprovalResponse, Approver, ApproverError};
use crate::config::Secret;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Uri;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};

// The most bytes of an answer: a batch of the largest kind, changed, with all its escapes.
const LONGEST_ANSWER: u64 = 64 << 20;

/// An approver that takes each request as the JSON body of a POST.
pub struct HttpApprover {
    agent: Agent,
    url: Uri,
    token: Option<Secret>,
}

/// What is wrong with an approver's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It is no URL.
    #[error("it is not a URL like http://127.0.0.1:9000/approve")]
    Form,
    /// Its scheme is another.
    #[error("it must begin with http://; for TLS put a proxy in between")]
    Scheme,
    /// A user or a password is in it.
    #[error("it must hold no user and no password; a bearer token goes into approver.token")]
    Credentials,
}

impl HttpApprover {
    /// An approver at `url`, which has `timeout` for a whole answer.
    pub fn new(url: &str, token: Option<Secret>, timeout: Duration) -> Result<HttpApprover, InvalidUrl> {
        let url = check_url(url)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .accept("application/json")
            .user_agent(concat!("syncstore-server/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(timeout.min(Duration::from_secs(10))))
            .timeout_global(Some(timeout))
            .build();
        Ok(HttpApprover { agent: Agent::new_with_config(config), url, token })
    }
}

/// The URL, if an approver can be asked there.
pub(crate) fn check_url(url: &str) -> Result<Uri, InvalidUrl> {
    let uri: Uri = url.parse().map_err(|_| InvalidUrl::Form)?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(InvalidUrl::Form) };
    if scheme != "http" {
        return Err(InvalidUrl::Scheme);
    }
    if authority.as_str().contains('@') {
        return Err(InvalidUrl::Credentials);
    }
    if uri.host().is_none_or(str::is_empty) { Err(InvalidUrl::Form) } else { Ok(uri) }
}

impl Approver for HttpApprover {
    fn ask(&self, request: &ApprovalRequest) -> Result<ApprovalResponse, ApproverError> {
        let failed = |error: ureq::Error| ApproverError(format!("the approver was not reached: {error}"));
        let body = serde_json::to_vec(request).map_err(|error| ApproverError(error.to_string()))?;
        let mut post = self.agent.post(&self.url).header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            post = post.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let mut response = post.send(&body[..]).map_err(failed)?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(ApproverError(format!("the approver answered {status}")));
        }
        let body = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec().map_err(failed)?;
        serde_json::from_slice(&body).map_err(|error| {
            // Not the decoder's words, which may repeat what it read: that is the users'.
            let (line, column) = (error.line(), error.column());
            ApproverError(format!("the approver's answer is malformed at line {line} column {column}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_one_of_plain_http_without_credentials() {
        assert!(check_url("http://127.0.0.1:9000/approve?x=1").is_ok());
        assert!(check_url("http://approver").is_ok());
        for (url, wrong) in [
            ("", InvalidUrl::Form),
            ("approver", InvalidUrl::Form),
            ("/approve", InvalidUrl::Form),
            ("http://", InvalidUrl::Form),
            ("http:///approve", InvalidUrl::Form),
            ("http://a b/", InvalidUrl::Form),
            ("https://approver/", InvalidUrl::Scheme),
            ("http://user:s3cret@approver/", InvalidUrl::Credentials),
        ] {
            assert_eq!(check_url(url), Err(wrong), "{url}");
        }
    }
}
