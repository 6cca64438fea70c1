//! A server with three users, and one of them with short ways to ask.

use crate::http_support::{Answer, Fixture, send};
use crate::{openapi, requests};
use serde_json::Value;

pub const CONFIG: &str = r#"
[[credential]]
token = "root-t0ken"
user = "root"
databases = ["notes"]
all_tags = true

[[credential]]
token = "ada-t0ken"
user = "ada"
databases = ["notes"]
tags = ["user:ada", "team:7"]
grant = ["user:ada"]

[[credential]]
token = "bob-t0ken"
user = "bob"
databases = ["notes"]
tags = ["user:bob", "team:7"]
grant = ["user:bob"]

[collections.strict]
policy = "reject_stale"

[collections.merged]
policy = "merge"
"#;

pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// Asks, and holds the answer against docs/openapi.yaml, and the request too if it was taken.
#[track_caller]
pub fn ask(url: &str, method: &str, target: &str, headers: Headers<'_>, body: Option<&[u8]>) -> Answer {
    let answer = send(url, method, target, headers, body);
    openapi::check(method, target, &answer);
    requests::check_taken(method, target, headers, body, &answer);
    answer
}

/// A user without a replica.
pub struct Caller {
    url: String,
    authorization: String,
}

pub fn caller(fixture: &Fixture, user: &str) -> Caller {
    Caller::at(&fixture.url, user)
}

impl Caller {
    pub fn at(url: &str, user: &str) -> Caller {
        Caller { url: url.to_owned(), authorization: format!("Bearer {user}-t0ken") }
    }

    /// Asks for what stands behind `/v1/notes`; a body is sent as JSON unless the headers say otherwise.
    pub fn ask(&self, method: &str, path: &str, headers: Headers<'_>, body: Option<&[u8]>) -> Answer {
        let mut all = vec![("authorization", self.authorization.as_str())];
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            all.push(("content-type", "application/json"));
        }
        all.extend(headers);
        ask(&self.url, method, &format!("/v1/notes{path}"), &all, body)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.get_with(path, &[]).json()
    }

    #[track_caller]
    pub fn get_with(&self, path: &str, headers: Headers<'_>) -> Answer {
        let answer = self.ask("GET", path, headers, None);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        answer
    }

    /// A write that must be taken; the rev that it tells.
    #[track_caller]
    pub fn write(&self, method: &str, path: &str, headers: Headers<'_>, body: &str) -> u64 {
        let answer = self.ask(method, path, headers, Some(body).filter(|body| !body.is_empty()).map(str::as_bytes));
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        let rev = answer.json()["rev"].as_u64().unwrap();
        let tag = answer.header("etag");
        assert!(tag.is_empty() || tag == format!("\"{rev}\""), "{tag} of {rev}");
        rev
    }

    #[track_caller]
    pub fn put(&self, path: &str, body: &str) -> u64 {
        self.write("PUT", path, &[], body)
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> u64 {
        self.write("DELETE", path, &[], "")
    }

    /// The keys of a listing.
    #[track_caller]
    pub fn keys(&self, path: &str) -> Vec<String> {
        keys(&self.get(path))
    }
}

pub fn keys(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap().to_owned()).collect()
}
