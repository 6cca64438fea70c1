//! From the text of a file to a configuration that can be used.

use super::{ApproverConfig, Collection, Config, ConfigError, Credential, Databases, Proof, Secret, ServerLimits};
use crate::core::MOST_TAGS;
use crate::http::is_word;
use crate::service::Tags;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use syncstore::protocol::{Limits, check_collection, is_database_name};
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    credential: Vec<Spanned<Entry>>,
    #[serde(default)]
    collections: BTreeMap<String, Collection>,
    #[serde(default)]
    limits: ServerLimits,
    approver: Option<ApproverConfig>,
    metrics: Option<Metrics>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metrics {
    token: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    token: Option<Secret>,
    key: Option<String>,
    secret: Option<Secret>,
    user: Option<String>,
    databases: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    all_tags: bool,
    #[serde(default)]
    grant: Vec<String>,
}

pub(super) fn parse(text: &str) -> Result<Config, ConfigError> {
    // The error's own text shows the line, and with it perhaps a secret; its message does not.
    let file: File = toml::from_str(text).map_err(|error| ConfigError::Syntax {
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        message: error.message().to_owned(),
    })?;
    let mut credentials = Vec::with_capacity(file.credential.len());
    let mut proofs = HashSet::new();
    for (at, entry) in file.credential.into_iter().enumerate() {
        let line = line_of(text, entry.span().start);
        let failed = |message: String| ConfigError::Credential { line, number: at + 1, message };
        let credential = check(entry.into_inner()).map_err(failed)?;
        let (proof, what) = match &credential.proof {
            Proof::Token(token) => ((true, token.expose().to_owned()), "token"),
            Proof::Key { key, .. } => ((false, key.clone()), "key"),
        };
        if !proofs.insert(proof) {
            return Err(failed(format!("an earlier credential has the same {what}")));
        }
        credentials.push(credential);
    }
    if credentials.is_empty() {
        let message = "there is none, so nobody could use the server; add a [[credential]]".to_owned();
        return Err(ConfigError::Value { field: "credential".into(), message });
    }
    for name in file.collections.keys() {
        check_collection(name, &Limits::default())
            .map_err(|error| ConfigError::Value { field: "collections".into(), message: error.to_string() })?;
    }
    if let Some(approver) = &file.approver {
        approver.check()?;
    }
    file.limits.check()?;
    let metrics_token = file.metrics.map(|metrics| metrics.token);
    if metrics_token.as_ref().is_some_and(|token| !is_token(token.expose())) {
        let message = "it is not 1 to 512 visible ASCII characters".to_owned();
        return Err(ConfigError::Value { field: "metrics.token".into(), message });
    }
    let File { collections, approver, limits, .. } = file;
    Ok(Config { credentials, collections, approver, limits, metrics_token, dev: false })
}

fn check(entry: Entry) -> Result<Credential, String> {
    let proof = match (entry.token, entry.key, entry.secret) {
        (Some(token), None, None) if is_token(token.expose()) => Proof::Token(token),
        (Some(_), None, None) => return Err("the token is not 1 to 512 visible ASCII characters".into()),
        (None, Some(key), Some(secret)) => {
            if !is_word(&key, 1..=128) {
                return Err("the key is not 1 to 128 letters, digits, - and _".into());
            }
            if secret.expose().is_empty() {
                return Err("the secret is empty".into());
            }
            Proof::Key { key, secret }
        }
        _ => return Err("it needs either a token, or a key and a secret".into()),
    };
    match (&entry.user, &proof) {
        (None, Proof::Token(_)) => return Err("a token needs the user that it stands for".into()),
        (Some(user), _) if user.is_empty() || user.len() > 128 => return Err("the user is not 1 to 128 bytes".into()),
        _ => {}
    }
    let databases = match entry.databases.as_slice() {
        [] => return Err("databases is empty; name some, or all of them with \"*\"".into()),
        [all] if all == "*" => Databases::All,
        names => match names.iter().find(|name| !is_database_name(name)) {
            Some(name) => return Err(format!("{name:?} is no database: 1 to 64 of A-Z a-z 0-9 . _ -")),
            None => Databases::Only(entry.databases),
        },
    };
    for tag in entry.tags.iter().chain(&entry.grant) {
        if tag.is_empty() || tag.len() > Limits::default().name {
            return Err(format!("the tag {tag:?} is not 1 to 128 bytes"));
        }
    }
    if entry.grant.len() > MOST_TAGS {
        return Err(format!("grant has {} tags; an item has at most {MOST_TAGS}", entry.grant.len()));
    }
    let tags = match (entry.all_tags, entry.tags.is_empty()) {
        (true, true) => Tags::All,
        (true, false) => return Err("it has tags and all_tags; choose one".into()),
        (false, true) => return Err("it has no tags, so it could see nothing; set tags, or all_tags = true".into()),
        (false, false) => Tags::Only(entry.tags),
    };
    Ok(Credential { proof, user: entry.user, databases, tags, grant: entry.grant })
}

pub(super) fn is_token(token: &str) -> bool {
    (1..=512).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Databases, Proof, ServerLimits};
    use crate::service::{Policy, Tags};

    const GOOD: &str = r#"
[[credential]]
token = "s3cret"
user = "ada"
databases = ["notes", "work.2"]
tags = ["user:ada", "team:7"]
grant = ["user:ada"]

[[credential]]
key = "rpa_1"
secret = "rps_1"
databases = ["*"]
all_tags = true

[collections.invoices]
policy = "reject_stale"

[approver]
url = "http://127.0.0.1:9000/approve"
collections = ["ask"]
token = "appr0ver"

[limits]
log_retention = 5000

[metrics]
token = "m3trics"
"#;

    #[test]
    fn a_whole_file_is_read() {
        let config = Config::parse(GOOD).unwrap();
        let [ada, app] = &config.credentials[..] else { panic!("two credentials") };
        assert!(matches!(&ada.proof, Proof::Token(token) if token.expose() == "s3cret"));
        assert_eq!(ada.user.as_deref(), Some("ada"));
        assert_eq!(ada.databases, Databases::Only(vec!["notes".into(), "work.2".into()]));
        assert_eq!(ada.tags, Tags::Only(vec!["user:ada".into(), "team:7".into()]));
        assert_eq!(ada.grant, ["user:ada"]);
        assert!(matches!(&app.proof, Proof::Key { key, secret } if key == "rpa_1" && secret.expose() == "rps_1"));
        assert_eq!((&app.user, &app.databases, &app.tags), (&None, &Databases::All, &Tags::All));
        assert_eq!(config.collections["invoices"].policy, Policy::RejectStale);
        assert_eq!(config.limits, ServerLimits { log_retention: 5000, ..ServerLimits::default() });
        let approver = config.approver.unwrap();
        assert_eq!(
            (approver.url.as_str(), &*approver.collections),
            ("http://127.0.0.1:9000/approve", &["ask".to_owned()][..])
        );
        assert_eq!(
            (approver.token.unwrap().expose(), approver.timeout_seconds, approver.request_ops),
            ("appr0ver", 30, 100)
        );
        assert!(config.metrics_token.is_some() && !config.dev);
    }

    #[test]
    fn each_mistake_is_told_with_its_place_and_without_secrets() {
        for (part, other, expected) in [
            ("user = \"ada\"", "", "line 2: credential 1: a token needs the user"),
            ("token = \"s3cret\"", "", "line 2: credential 1: it needs either a token"),
            ("token = \"s3cret\"", "token = \"s3 cret\"", "line 2: credential 1: the token is not"),
            ("token = \"s3cret\"", "token = \"s3cret", "line 3: "),
            ("token = \"s3cret\"", "token = s3cret", "line 3: "),
            ("token = \"s3cret\"", "token = 53", "line 3: not a string"),
            ("token = \"s3cret\"", "token = [\"s3cret\"]", "line 3: "),
            ("token = \"s3cret\"", "token = \"s3cret\"\nsecret = \"x\"", "line 2: credential 1: it needs either"),
            ("token = \"s3cret\"", "tokn = \"s3cret\"", "line 3: unknown field `tokn`"),
            ("key = \"rpa_1\"", "key = \"rpa.1\"", "line 9: credential 2: the key is not"),
            ("secret = \"rps_1\"", "secret = \"\"", "line 9: credential 2: the secret is empty"),
            ("[\"*\"]", "[\"*\", \"a\"]", "line 9: credential 2: \"*\" is no database"),
            ("[\"*\"]", "[\"..\"]", "line 9: credential 2: \"..\" is no database"),
            ("[\"*\"]", "[]", "line 9: credential 2: databases is empty"),
            ("databases = [\"*\"]", "", "line 9: missing field `databases`"),
            ("all_tags = true", "", "line 9: credential 2: it has no tags"),
            ("all_tags = true", "all_tags = true\ntags = [\"a\"]", "line 9: credential 2: it has tags and all_tags"),
            ("all_tags = true", "tags = [\"\"]", "line 9: credential 2: the tag \"\""),
            ("reject_stale", "refuse", "line 16: unknown variant `refuse`"),
            ("log_retention", "log_retenton", "line 24: unknown field `log_retenton`"),
            ("log_retention = 5000", "log_retention = 0", "limits.log_retention: 0 is not between"),
            ("log_retention = 5000", "log_retention = -1", "line 24: "),
            ("log_retention = 5000", "ref_days = 89", "limits.ref_days: 89 is not between 90"),
            (
                "log_retention = 5000",
                "value = 16777217\nbody = 99999999",
                "limits.value: 16777217 is not between 1 and",
            ),
            ("log_retention = 5000", "batch = 16777217", "limits.batch: 16777217 is not between 1 and 16777216"),
            ("log_retention = 5000", "database = 1048575", "limits.database: 1048575 is not between 1048576"),
            ("log_retention = 5000", "databases = 0", "limits.databases: 0 is not between 1"),
            ("log_retention = 5000", "batch_ops = 16385", "limits.batch_ops: 16385 is not between 1 and 16384"),
            ("log_retention = 5000", "push_ops = 32769", "limits.push_ops: 32769 is not between 1 and 32768"),
            ("log_retention = 5000", "value = 4096\nbody = 4096", "limits.value: 4096 is not less than limits.body"),
            ("log_retention = 5000", "body = 4096", "limits.value: 1048576 is not less than limits.body"),
            ("m3trics", "", "metrics.token: "),
            ("http://127", "https://127", "approver.url: it must begin with http://"),
            ("http://127", "127", "approver.url: it is not a URL"),
            ("http://127.0.0.1", "http://a:s3cret@127.0.0.1", "approver.url: it must hold no user"),
            ("[\"ask\"]", "[]", "approver.collections: it is empty"),
            ("[\"ask\"]", "[\"\"]", "approver.collections: "),
            ("appr0ver", "", "approver.token: it is not 1 to 512"),
            ("\"appr0ver\"", "\"x\"\ntimeout_seconds = 0", "approver.timeout_seconds: 0 is not between 1 and 600"),
            ("\"appr0ver\"", "\"x\"\nrequest_ops = 0", "approver.request_ops: 0 is not between 1 and 10000"),
            ("\"appr0ver\"", "7", "line 21: not a string"),
            ("collections = [\"ask\"]", "", "line 18: missing field `collections`"),
            ("log_retention = 5000", "queued_hours = 0", "limits.queued_hours: 0 is not between 1 and"),
            ("log_retention = 5000", "queued_ops = 0", "limits.queued_ops: 0 is not between 1 and"),
            ("log_retention = 5000", "queued_bytes = 0", "limits.queued_bytes: 0 is not between 1 and"),
            ("[metrics]", "[metric]", "line 26: unknown field `metric`"),
        ] {
            assert!(GOOD.contains(part));
            let error = Config::parse(&GOOD.replacen(part, other, 1)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{other}: {error}");
            assert!(!error.contains("s3") && !error.contains("rps"), "{error}");
        }
    }

    #[test]
    fn one_proof_stands_for_one_credential() {
        let twice = "[[credential]]\ntoken = \"t\"\nuser = \"a\"\ndatabases = [\"*\"]\nall_tags = true\n".repeat(2);
        let error = Config::parse(&twice).unwrap_err().to_string();
        assert_eq!(error, "line 6: credential 2: an earlier credential has the same token");
    }

    #[test]
    fn a_grant_fits_onto_an_item() {
        let config = |tags: usize| {
            let grant: Vec<String> = (0..tags).map(|tag| format!("\"t{tag}\"")).collect();
            let grant = format!("grant = [{}]", grant.join(","));
            Config::parse(&GOOD.replacen("grant = [\"user:ada\"]", &grant, 1))
        };
        assert!(config(100).is_ok());
        let error = config(101).unwrap_err().to_string();
        assert!(error.ends_with("credential 1: grant has 101 tags; an item has at most 100"), "{error}");
    }

    #[test]
    fn a_file_that_lets_nobody_in_is_refused() {
        assert!(Config::parse("").unwrap_err().to_string().contains("[[credential]]"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = format!("{:?}", Config::parse(GOOD).unwrap());
        assert!(
            !text.contains("s3cret")
                && !text.contains("rps_1")
                && !text.contains("m3trics")
                && !text.contains("appr0ver"),
            "{text}"
        );
    }
}
