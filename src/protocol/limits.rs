//! The limits of section 1: what a server publishes, and what a client refuses locally.

use super::json::Json;
use serde::{Deserialize, Serialize};

/// The limits of a database; the default is the protocol's own.
///
/// All sizes are in bytes; a value's size is that of its JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Limits {
    /// A collection's name, a key, an index name, an ordering key, a relation id, a predicate, a tag.
    pub name: usize,
    /// An item's value as JSON.
    pub value: usize,
    /// Arrays and objects within each other.
    pub nesting: usize,
    /// The body of a request, after decompression.
    pub body: usize,
    /// Operations in one push.
    pub push_ops: usize,
    /// Operations in one batch.
    pub batch_ops: usize,
    /// All operations of one batch together.
    pub batch: usize,
}

impl Limits {
    /// The limits that the protocol recommends.
    pub const PROTOCOL: Limits = Limits {
        name: 128,
        value: 1 << 20,
        nesting: 128,
        body: 8 << 20,
        push_ops: 1_000,
        batch_ops: 10_000,
        batch: 8 << 20,
    };

    /// Bounds for what a server sends or confirmed: far above its own limits, which a replica may not know, and low
    /// enough that no answer exhausts memory or a stack.
    pub(crate) const CONFIRMED: Limits = Limits { name: 4 << 10, value: 64 << 20, nesting: 256, ..Limits::PROTOCOL };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::PROTOCOL
    }
}

/// A limit that something exceeds, or a name that is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// A name is empty.
    #[error("the {what} is empty; it needs 1 to {limit} bytes")]
    Empty {
        /// What is empty.
        what: &'static str,
        /// The most bytes it may have.
        limit: usize,
    },
    /// Something is larger than its limit.
    #[error("the {what} has {actual} {unit}; the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        actual: usize,
        /// The most it may have.
        limit: usize,
        /// What is counted.
        unit: &'static str,
    },
}

/// Whether a text can name a database (section 1): 1 to 64 of `A-Z a-z 0-9 . _ -`, but not `.` and `..`, which paths
/// and proxies give a meaning of their own.
pub fn is_database_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && name != "."
        && name != ".."
}

/// Checks a collection's name: 1 to `limits.name` bytes.
pub fn check_collection(name: &str, limits: &Limits) -> Result<(), LimitError> {
    check_name("collection name", name, limits)
}

/// Checks a key: 1 to `limits.name` bytes.
pub fn check_key(key: &str, limits: &Limits) -> Result<(), LimitError> {
    check_name("key", key, limits)
}

/// Checks a name of any kind, which an error calls `what`: 1 to `limits.name` bytes.
pub fn check_name(what: &'static str, name: &str, limits: &Limits) -> Result<(), LimitError> {
    if name.is_empty() {
        return Err(LimitError::Empty { what, limit: limits.name });
    }
    within(what, name.len(), limits.name, "bytes")
}

fn within(what: &'static str, actual: usize, limit: usize, unit: &'static str) -> Result<(), LimitError> {
    if actual > limit { Err(LimitError::TooLarge { what, actual, limit, unit }) } else { Ok(()) }
}

impl Limits {
    /// A server's limits, within what a client can read back, and such that something can be written at all.
    pub(crate) fn readable(self) -> Limits {
        Limits {
            name: self.name.clamp(1, Limits::CONFIRMED.name),
            value: self.value.clamp(1, Limits::CONFIRMED.value),
            nesting: self.nesting.clamp(1, Limits::CONFIRMED.nesting),
            body: self.body.max(1),
            push_ops: self.push_ops.max(1),
            batch_ops: self.batch_ops.max(1),
            batch: self.batch.max(1),
        }
    }

    /// Checks an item's value: its size and its nesting.
    pub fn check_value(&self, value: &Json) -> Result<(), LimitError> {
        within("value", value.as_str().len(), self.value, "bytes")?;
        within("value", value.nesting(), self.nesting, "levels of nesting")
    }

    /// Checks a patch: its text is bounded like a value's, and may be nested as far as the value that it carries. Small
    /// values take a hundred times their text in memory, so a patch must not bring many more than a value has.
    pub fn check_patch(&self, patch: &Json) -> Result<(), LimitError> {
        // The array and the operation around the value.
        const AROUND: usize = 1 << 10;
        within("patch", patch.as_str().len(), self.value.saturating_add(AROUND), "bytes")?;
        within("patch", patch.nesting(), self.nesting.saturating_add(2), "levels of nesting")
    }

    /// Checks a batch: the number of its operations and their size together.
    pub fn check_batch(&self, ops: usize, bytes: usize) -> Result<(), LimitError> {
        within("batch", ops, self.batch_ops, "operations")?;
        within("batch", bytes, self.batch, "bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_limit_at_its_edge_and_one_past() {
        let limits = Limits::default();
        for check in [check_collection, check_key] {
            assert!(check("", &limits).is_err());
            assert!(check("k", &limits).is_ok());
            assert!(check(&"k".repeat(128), &limits).is_ok());
            assert!(check(&"k".repeat(129), &limits).is_err());
            // Bytes count, not characters: 64 two-byte letters fit, 65 do not.
            assert!(check(&"ä".repeat(64), &limits).is_ok());
            assert!(check(&"ä".repeat(65), &limits).is_err());
        }
    }

    #[test]
    fn value_limits_at_their_edge_and_one_past() {
        let limits = Limits::default();
        let text = |bytes: usize| Json::parse(&format!("\"{}\"", "x".repeat(bytes - 2))).unwrap();
        assert!(limits.check_value(&text(1 << 20)).is_ok());
        assert!(limits.check_value(&text((1 << 20) + 1)).is_err());
        let nested = |n: usize| Json::parse(&format!("{}{}", "[".repeat(n), "]".repeat(n))).unwrap();
        assert!(limits.check_value(&nested(128)).is_ok());
        assert!(limits.check_value(&nested(129)).is_err());
    }

    #[test]
    fn patch_limits_at_their_edge_and_one_past() {
        let limits = Limits { value: 100, nesting: 3, ..Limits::default() };
        let patch = |value: &str| Json::parse(&format!(r#"[{{"op":"add","path":"/a","value":{value}}}]"#)).unwrap();
        let around = patch("0").as_str().len() - 1;
        let text = |bytes: usize| patch(&format!("\"{}\"", "x".repeat(bytes - around - 2)));
        assert!(limits.check_patch(&text(100 + 1024)).is_ok());
        assert!(limits.check_patch(&text(100 + 1025)).is_err());
        assert!(limits.check_patch(&patch("[[[]]]")).is_ok());
        assert!(limits.check_patch(&patch("[[[[]]]]")).is_err());
    }

    #[test]
    fn batch_limits_at_their_edge_and_one_past() {
        let limits = Limits::default();
        assert!(limits.check_batch(10_000, 8 << 20).is_ok());
        assert!(limits.check_batch(10_001, 0).is_err());
        assert!(limits.check_batch(1, (8 << 20) + 1).is_err());
    }
}
