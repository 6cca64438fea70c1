//! A request of section 6: its place, and the headers that say when it is done and as which op.

use crate::protocol::{Ref, Rev};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// One request of the data API.
pub(crate) struct DataCall {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) name: &'static str,
    /// The op's ref.
    pub(crate) op: Option<Ref>,
    /// Only if the item has this rev.
    pub(crate) if_rev: Option<Rev>,
    /// Only if what the request is on is there, or is not.
    pub(crate) if_there: Option<bool>,
    /// Not if the item has this rev: of a read.
    pub(crate) unless_rev: Option<Rev>,
}

impl DataCall {
    /// A read.
    ///
    /// `target` is what follows the database's URL, percent-encoded; `name` the same in errors, without anything of the user's.
    pub(crate) fn get(target: String, name: &'static str) -> DataCall {
        DataCall::new(Method::GET, target, name)
    }

    /// What sets something to a value of its own.
    pub(crate) fn put(target: String, name: &'static str) -> DataCall {
        DataCall::new(Method::PUT, target, name)
    }

    /// What changes a part.
    pub(crate) fn patch(target: String, name: &'static str) -> DataCall {
        DataCall::new(Method::PATCH, target, name)
    }

    /// What removes something.
    pub(crate) fn delete(target: String, name: &'static str) -> DataCall {
        DataCall::new(Method::DELETE, target, name)
    }

    /// What is none of these.
    pub(crate) fn post(target: String, name: &'static str) -> DataCall {
        DataCall::new(Method::POST, target, name)
    }

    fn new(method: Method, target: String, name: &'static str) -> DataCall {
        DataCall { method, target, name, op: None, if_rev: None, if_there: None, unless_rev: None }
    }

    pub(super) fn fill_headers(&self, headers: &mut HeaderMap) {
        let mut insert = |name: HeaderName, text: String| {
            // A ref and an entity tag are visible ASCII.
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        };
        if let Some(op) = self.op {
            insert(IDEMPOTENCY_KEY, op.to_string());
        }
        if let Some(rev) = self.if_rev {
            insert(header::IF_MATCH, format!("\"{rev}\""));
        }
        if let Some(rev) = self.unless_rev {
            insert(header::IF_NONE_MATCH, format!("\"{rev}\""));
        }
        match self.if_there {
            Some(true) => insert(header::IF_MATCH, "*".to_owned()),
            Some(false) => insert(header::IF_NONE_MATCH, "*".to_owned()),
            None => {}
        }
    }
}
