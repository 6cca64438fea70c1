//! What is wrong with a configuration.

/// A configuration cannot be used. No text repeats a secret, nor a line that may hold one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// It is no TOML, or has other fields or types than a configuration.
    #[error("line {line}: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A credential cannot be used.
    #[error("line {line}: credential {number}: {message}")]
    Credential {
        /// The line where the credential begins, from 1.
        line: usize,
        /// Which one, from 1.
        number: usize,
        /// What is wrong.
        message: String,
    },
    /// Another value cannot be used.
    #[error("{field}: {message}")]
    Value {
        /// Which one.
        field: String,
        /// What is wrong.
        message: String,
    },
}
