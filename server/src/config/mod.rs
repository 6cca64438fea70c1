//! What an operator writes: `server.toml`, read and checked.

mod approver;
mod check;
mod error;
mod limits;
mod secret;

pub use approver::ApproverConfig;
pub use error::ConfigError;
pub use limits::ServerLimits;
pub use secret::Secret;

use crate::service::{Policy, Tags};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Who may use the server for what, and within which limits.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Who may come in; with none and no `dev`, nobody.
    pub credentials: Vec<Credential>,
    /// What the server does with concurrent changes, by collection; others have the default policy.
    pub collections: BTreeMap<String, Collection>,
    /// Who decides on the operations of some collections.
    pub approver: Option<ApproverConfig>,
    /// Sizes, counts and times.
    pub limits: ServerLimits,
    /// The bearer token that `/metrics` asks for; without one the metrics are open, but name no database.
    pub metrics_token: Option<Secret>,
    /// Everybody is the user `dev` and may do everything in every database; only on loopback addresses.
    pub dev: bool,
}

/// One way to come in.
#[derive(Clone, Debug)]
pub struct Credential {
    /// What proves it.
    pub proof: Proof,
    /// The user that it stands for; `None` (keys only): any user that the application names.
    pub user: Option<String>,
    /// The databases that it opens.
    pub databases: Databases,
    /// What it sees and may assign.
    pub tags: Tags,
    /// The tags put on every item that it creates.
    pub grant: Vec<String>,
}

/// What proves that a request comes from who it says.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A bearer token.
    Token(Secret),
    /// An application's key, which signs each request with its secret (HMAC-SHA256).
    Key {
        /// The key, sent with each request.
        key: String,
        /// The secret, never sent.
        secret: Secret,
    },
}

/// The databases that a credential opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Databases {
    /// Each, by any name (`["*"]`).
    All,
    /// These.
    Only(Vec<String>),
}

impl Databases {
    /// Whether `name` is among them.
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Databases::All => true,
            Databases::Only(names) => names.iter().any(|found| found == name),
        }
    }
}

/// What the server does in one collection.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collection {
    /// What becomes of an op on an item that another client has changed meanwhile.
    pub policy: Policy,
}

impl Config {
    /// What can be used, and is probably not meant; no text holds a secret.
    pub fn warnings(&self) -> Vec<String> {
        let is_blind = |credential: &Credential| match &credential.tags {
            Tags::All => false,
            Tags::Only(tags) => !credential.grant.iter().any(|tag| tags.contains(tag)),
        };
        let numbered = self.credentials.iter().enumerate().filter(|(_, credential)| is_blind(credential));
        let warning = |(at, credential): (usize, &Credential)| {
            let of = credential.user.as_ref().map(|user| format!(" of {user:?}")).unwrap_or_default();
            format!("credential {}{of} has none of its tags in grant: it does not see the items that it makes", at + 1)
        };
        numbered.map(warning).collect()
    }

    /// The configuration of `--dev`.
    pub fn dev() -> Config {
        Config { dev: true, ..Config::default() }
    }

    /// Reads and checks a file. The error names the line, and never repeats what stands there.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(ConfigError::Unreadable)?;
        Config::parse(&text)
    }

    /// Reads and checks the text of a file.
    pub fn parse(text: &str) -> Result<Config, ConfigError> {
        check::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_that_does_not_see_what_it_makes_is_warned_of() {
        let entry = |token: &str, rest: &str| {
            format!("[[credential]]\ntoken = \"{token}\"\nuser = \"u-{token}\"\ndatabases = [\"*\"]\n{rest}\n")
        };
        let text = [
            entry("one", "tags = [\"a\", \"b\"]\ngrant = [\"b\"]"),
            entry("two", "tags = [\"a\"]\ngrant = [\"b\"]"),
            entry("three", "all_tags = true"),
            entry("four", "tags = [\"a\"]"),
        ];
        let warnings = Config::parse(&text.concat()).unwrap().warnings();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("credential 2 of \"u-two\" has none of its tags in grant"), "{warnings:?}");
        assert!(warnings[1].starts_with("credential 4"), "{warnings:?}");
        assert!(Config::dev().warnings().is_empty());
    }
}
