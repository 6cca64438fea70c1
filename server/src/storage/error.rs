//! Why the storage failed.

/// The storage failed, or is not what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// SQLite failed.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file or directory could not be made or read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file is no database of this server.
    #[error("the file is not a database of syncstore-server")]
    Foreign,
    /// A newer server made the file.
    #[error("the file has schema version {found}; this server knows up to {known}")]
    Newer {
        /// The file's version.
        found: i64,
        /// The highest version that this server knows.
        known: i64,
    },
    /// The file's content contradicts itself.
    #[error("the file is damaged: {0}")]
    Corrupt(String),
    /// The group of pushes that this one was committed with failed as a whole.
    #[error("the commit failed: {0}")]
    Commit(String),
}

impl StorageError {
    pub(crate) fn corrupt(what: impl std::fmt::Display) -> StorageError {
        StorageError::Corrupt(what.to_string())
    }
}
