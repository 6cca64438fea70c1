//! The table `[approver]`.

use super::check::is_token;
use super::{ConfigError, Secret};
use crate::approver::{HttpApprover, InvalidUrl, check_url};
use crate::service::ApprovalOptions;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use syncstore::protocol::{Limits, check_collection};

/// Who decides on the operations of some collections.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproverConfig {
    /// Where requests are posted to; `http://` only.
    pub url: String,
    /// The collections whose operations wait for it.
    pub collections: Vec<String>,
    /// The bearer token that is sent with each request.
    pub token: Option<Secret>,
    /// Seconds for a whole answer (30); at most 600.
    #[serde(default = "thirty")]
    pub timeout_seconds: u64,
    /// The most operations of one request, but for a batch, which is not divided (100).
    #[serde(default = "hundred")]
    pub request_ops: usize,
}

fn thirty() -> u64 {
    30
}

fn hundred() -> usize {
    100
}

impl ApproverConfig {
    /// The approver of that URL with the defaults.
    pub fn new(url: impl Into<String>, collections: impl IntoIterator<Item = String>) -> ApproverConfig {
        let collections = collections.into_iter().collect();
        ApproverConfig { url: url.into(), collections, token: None, timeout_seconds: thirty(), request_ops: hundred() }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong =
            |field: &str, message: String| Err(ConfigError::Value { field: format!("approver.{field}"), message });
        if let Err(error) = check_url(&self.url) {
            return wrong("url", error.to_string());
        }
        if self.collections.is_empty() {
            return wrong("collections", "it is empty; name those whose operations wait for the approver".into());
        }
        for name in &self.collections {
            if let Err(error) = check_collection(name, &Limits::default()) {
                return wrong("collections", error.to_string());
            }
        }
        if self.token.as_ref().is_some_and(|token| !is_token(token.expose())) {
            return wrong("token", "it is not 1 to 512 visible ASCII characters".into());
        }
        if !(1..=600).contains(&self.timeout_seconds) {
            return wrong("timeout_seconds", format!("{} is not between 1 and 600", self.timeout_seconds));
        }
        if !(1..=10_000).contains(&self.request_ops) {
            return wrong("request_ops", format!("{} is not between 1 and 10000", self.request_ops));
        }
        Ok(())
    }

    /// What a service makes of it.
    pub(crate) fn options(&self) -> Result<ApprovalOptions, InvalidUrl> {
        let timeout = Duration::from_secs(self.timeout_seconds);
        let approver = HttpApprover::new(&self.url, self.token.clone(), timeout)?;
        let mut options = ApprovalOptions::new(Arc::new(approver), self.collections.iter().cloned());
        options.request_ops = self.request_ops;
        Ok(options)
    }
}
