//! What a check of a replica found; the checks themselves are beside the tables that they read.

use crate::error::{Error, Result};
use crate::protocol::{Ref, Seq};
use serde::Serialize;
use std::fmt;

/// The most findings that a report lists; it counts the others.
pub(crate) const LISTED: usize = 100;

/// What [`Store::check`](crate::Store::check) found, and how large the replica is.
///
/// Its JSON (by `Display`, [`CheckReport::to_json`] or serde) has the names of the fields here; they stay as they are, and
/// later versions may add others. No value and no payload is ever in it; the collections and keys of what is wrong are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// Whether there are no findings.
    pub ok: bool,
    /// How many findings there are, the unlisted ones included; of SQLite's own complaints at most 50 count.
    pub findings_total: u64,
    /// The first 100 findings.
    pub findings: Vec<Finding>,
    /// Where the replica stands in the server's log.
    pub position: Seq,
    /// Whether a checkpoint is on its way.
    pub bootstrapping: bool,
    /// Items that the host can read.
    pub items: u64,
    /// Index entries, relations and tags that the host can read.
    pub resources: u64,
    /// Items of a checkpoint that is on its way.
    pub incoming: u64,
    /// Items that a checkpoint replaced and that are not deleted yet.
    pub retired: u64,
    /// Operations in the outbox.
    pub pending: u64,
    /// Settled operations in the ledger, the rejected ones included.
    pub outcomes: u64,
    /// Rejected operations in the ledger.
    pub rejections: u64,
    /// Open conflicts.
    pub conflicts: u64,
    /// The size of the database as of the moment of the check, in bytes.
    pub file_bytes: u64,
    /// What of it holds nothing and is used for later writes, in bytes; [`Store::compact`](crate::Store::compact) gives it back.
    pub free_bytes: u64,
    /// The size of the write-ahead log beside the file, in bytes; `None`: there is none where the system looks.
    pub wal_bytes: Option<u64>,
}

impl CheckReport {
    /// Whether the replica is what it should be.
    pub fn is_ok(&self) -> bool {
        self.ok
    }

    /// The report as one line of JSON.
    pub fn to_json(&self) -> String {
        // Numbers, strings and lists of them: it always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong, for a program.
    pub code: FindingCode,
    /// The table that it was found in; empty: it is of the file as a whole.
    pub table: &'static str,
    /// The number of the row within its table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<i64>,
    /// The collection of the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// The key of the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The operation.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub op_ref: Option<Ref>,
    /// What is wrong, for a person.
    pub words: String,
}

impl Finding {
    pub(crate) fn new(code: FindingCode, table: &'static str, words: impl Into<String>) -> Finding {
        Finding { code, table, row: None, collection: None, key: None, op_ref: None, words: words.into() }
    }

    pub(crate) fn row(self, row: i64) -> Finding {
        Finding { row: Some(row), ..self }
    }

    pub(crate) fn item(self, collection: Option<&str>, key: Option<&str>) -> Finding {
        Finding { collection: collection.map(str::to_owned), key: key.map(str::to_owned), ..self }
    }

    pub(crate) fn op(self, op_ref: Ref) -> Finding {
        Finding { op_ref: Some(op_ref), ..self }
    }
}

/// What is wrong, for a program; in JSON the name in small letters and underscores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingCode {
    /// SQLite's own `integrity_check` complains.
    Integrity,
    /// A table or index is missing, altered, or not of this schema.
    Schema,
    /// A table, an index or a search cannot be read to its end, or the declaration of one of these cannot; what is behind the damage was not checked.
    Unreadable,
    /// The replica's row about itself is missing, or not the only one.
    StateRow,
    /// The client id is no 16 bytes.
    StateClient,
    /// Cursor and position do not go together, or are none.
    StatePosition,
    /// What is kept of the server (its limits, its database's name) cannot be read.
    StateServer,
    /// What the replica is to keep, or what it keeps, cannot be read, or does not go together.
    StateFilter,
    /// The bootstrap on its way cannot be read, or is in no phase of one.
    StateBootstrap,
    /// A collection's name is no text, or two live or two incoming ones have the same.
    CollectionName,
    /// A collection is neither live nor incoming nor retired.
    CollectionLife,
    /// A collection is incoming and no bootstrap is on its way.
    IncomingWithoutBootstrap,
    /// An item is of no collection.
    ItemCollection,
    /// An item's key is no text.
    ItemKey,
    /// An item's rev is no number from 0 up, or 0 although nothing of the item is pending.
    ItemRev,
    /// An item's rev is above the position: the base has what the replica has not come to. (A server that numbers
    /// an item above its own log makes this, too.)
    ItemRevAhead,
    /// An item does not count as many pending operations as the outbox has.
    ItemPending,
    /// An item's value is no JSON that a replica takes, or missing although nothing of the item is pending.
    ItemValue,
    /// A base is kept for an item that has none apart: nothing of it is pending, it is not live, or its rev is 0.
    BaseUnasked,
    /// An item with pending operations and a rev has no base.
    BaseMissing,
    /// A base is no JSON that a replica takes.
    BaseValue,
    /// An index entry, a relation or a tag is of no item, or says of its item what that is not.
    ResourceItem,
    /// An index entry, a relation or a tag has a name or a content that none has, or none on either side.
    ResourceContent,
    /// An index entry, a relation or a tag is confirmed of an item that is not.
    ResourceBase,
    /// What the host reads of an item's index entries, relations and tags is not what is confirmed of them with the
    /// pending operations on top.
    ResourceView,
    /// An automatic index has not the entries that the items of its collection make.
    IndexEntries,
    /// A full-text search has not the texts that the items of its collection have.
    SearchTexts,
    /// An operation's ref has parts that no ref has.
    OutboxRef,
    /// A pending operation is on no live item.
    OutboxItem,
    /// A pending operation's resource, kind and payload do not go together, or the payload is not what its kind asks for.
    OutboxPayload,
    /// A pending operation's claim is no rev.
    OutboxBase,
    /// A pending operation's batch is none, has more operations than it should, or they disagree on how many.
    OutboxBatch,
    /// The operations of a batch do not stand together.
    BatchOrder,
    /// An operation that was sent follows one on the same item that was not.
    SentOrder,
    /// What is kept of the server's answer does not go together.
    OutboxAnswer,
    /// A pending operation is marked as applying and does not, or the other way round.
    Applies,
    /// What the host reads of an item is not its base with the pending operations on top.
    View,
    /// A settled operation's ref has parts that no ref has.
    LedgerRef,
    /// An operation is both pending and settled.
    RefTwice,
    /// What is kept of a settled operation does not go with its outcome.
    LedgerOutcome,
    /// A conflict is on no part of an item, or what is kept of how it stands does not go together.
    ConflictRow,
    /// A side of a conflict is none, or is kept though the conflict has ended.
    ConflictSide,
    /// Two conflicts are open on the same part of an item.
    ConflictTwice,
    /// An operation is folded into one that it cannot have been folded into, or was made again as one that it cannot be.
    FoldTarget,
}

/// Findings on their way into a report.
#[derive(Default)]
pub(crate) struct Findings {
    pub total: u64,
    pub listed: Vec<Finding>,
}

impl Findings {
    pub fn add(&mut self, finding: Finding) {
        self.total += 1;
        if self.listed.len() < LISTED {
            self.listed.push(finding);
        }
    }

    /// What a part of the check read; a damaged table is a finding, and the other parts go on.
    pub fn part<T>(&mut self, table: &'static str, read: Result<T>) -> Result<Option<T>> {
        self.readable(table, "the table cannot be read to its end", read)
    }

    /// The same of one index or search, of which `declared` has the declaration.
    pub fn declared_part<T>(&mut self, declared: &'static str, table: &str, read: Result<T>) -> Result<Option<T>> {
        self.readable(declared, format!("{table} cannot be read to its end, or its declaration cannot"), read)
    }

    fn readable<T>(&mut self, table: &'static str, words: impl Into<String>, read: Result<T>) -> Result<Option<T>> {
        match read {
            Err(error) if is_damage(&error) => {
                // Without SQLite's words: a row's content may be in them.
                self.add(Finding::new(FindingCode::Unreadable, table, words));
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}

/// Whether an error says that the file is damaged: of a table that is missing, or a virtual table whose own tables are, SQLite says no more than that the
/// statement is wrong.
pub(crate) fn is_damage(error: &Error) -> bool {
    match error {
        Error::Corrupt(_) => true,
        Error::Storage(error) => match error.downcast_ref::<rusqlite::Error>() {
            Some(rusqlite::Error::SqlInputError { .. }) => true,
            Some(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::Unknown),
            None => false,
        },
        _ => false,
    }
}
