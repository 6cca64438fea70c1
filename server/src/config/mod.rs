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
