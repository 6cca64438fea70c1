//! The machine-readable reasons of a rejection (section 3).

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// Why an operation was rejected, or skipped: one of the constants below, or a word a later server made up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(Cow<'static, str>);

impl Code {
    /// The item is missing, or its caller may not see it.
    pub const NOT_FOUND: Code = Code(Cow::Borrowed("not_found"));
    /// The patch does not apply to the server's value; the detail names the failing path.
    pub const PATCH_FAILED: Code = Code(Cow::Borrowed("patch_failed"));
    /// Another client changed the item since `base`, and the collection's policy refuses that.
    pub const STALE: Code = Code(Cow::Borrowed("stale"));
    /// The caller may not do this.
    pub const FORBIDDEN: Code = Code(Cow::Borrowed("forbidden"));
    /// The operation is malformed.
    pub const INVALID: Code = Code(Cow::Borrowed("invalid"));
    /// A limit of the database is exceeded.
    pub const TOO_LARGE: Code = Code(Cow::Borrowed("too_large"));
    /// The ref was used before, for another operation or by another user.
    pub const REF_REUSED: Code = Code(Cow::Borrowed("ref_reused"));
    /// The ref is older than the outcomes that the server keeps, so it cannot tell a repeat from a new op.
    pub const EXPIRED: Code = Code(Cow::Borrowed("expired"));
    /// Another operation of the same batch was rejected.
    pub const BATCH_FAILED: Code = Code(Cow::Borrowed("batch_failed"));
    /// An approver's own reason; see the message and the detail.
    pub const POLICY: Code = Code(Cow::Borrowed("policy"));

    /// No approver decided on the operation for as long as the server keeps what waits for one.
    pub const UNDECIDED: Code = Code(Cow::Borrowed("undecided"));

    /// The database has no room for the operation: of one that is skipped, not rejected.
    pub const FULL: Code = Code(Cow::Borrowed("full"));

    /// The server accepted the operation and lost it: it was restored from an older backup. No server says this; a replica does.
    pub const UNDONE: Code = Code(Cow::Borrowed("undone"));

    /// A code by its word on the wire.
    pub fn new(word: impl Into<String>) -> Code {
        Code(Cow::Owned(word.into()))
    }

    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
