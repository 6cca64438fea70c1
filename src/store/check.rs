//! The store's check of itself: nothing is believed that can be made anew.

use super::Store;
use crate::check::{CheckReport, Finding, FindingCode, Findings};
use crate::error::{Error, Result};
use crate::outbox::check::{self as outbox, Replayed};
use crate::protocol::{Content, Json, Limits, OpKind, ResourceName, patch};
use crate::replica::check::{self as replica, Counts, Standing};
use crate::replica::resources;
use crate::sync::is_same;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::ffi::OsString;

impl Store {
    /// Checks that the replica is what it should be, and counts what it holds; nothing is changed or repaired.
    ///
    /// What is checked, each thing apart from the code that keeps it so: SQLite's own `integrity_check` and the
    /// schema; that every item's row, base and pending operations go together; that what is read of an item is its
    /// base with the pending operations on top, made anew; values, payloads, refs, batches, answers and outcomes; and
    /// where the replica stands. `docs/DESIGN.md` has the list.
    ///
    /// It reads the whole file, every page and every row (and parses every value), at one consistent moment. Reads,
    /// writes and syncs of any thread or process go on meanwhile; the write-ahead log cannot be moved into the file
    /// past that moment, and grows by what they write. It takes memory for what is pending, not for all items.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// store.set("notes", "n1", &"Milk")?;
    /// let report = store.check()?;
    /// assert!(report.is_ok(), "{report}");
    /// assert_eq!((report.items, report.pending), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong with the replica is no error but a finding in the report, also when SQLite cannot make sense of a part of
    /// the file. [`Error::Storage`](crate::Error::Storage) and [`Error::Busy`](crate::Error::Busy) when the disk does not
    /// give it, in part or at all; [`Error::NewerSchema`](crate::Error::NewerSchema) when another process has brought it to a newer
    /// version meanwhile.
    pub fn check(&self) -> Result<CheckReport> {
        let mut findings = Findings::default();
        let found = self.replica.read_at_once(|connection| {
            let checked = self.check_at_once(connection, &mut findings);
            findings.part("", checked)
        })?;
        let Found { standing, items, resources, pending, outcomes, rejections, conflicts, size } =
            found.unwrap_or_default();
        Ok(CheckReport {
            ok: findings.total == 0,
            findings_total: findings.total,
            findings: findings.listed,
            position: standing.position.unwrap_or(0),
            bootstrapping: standing.bootstrapping.unwrap_or(false),
            items: items.live,
            resources,
            incoming: items.incoming,
            retired: items.retired,
            pending,
            outcomes,
            rejections,
            conflicts,
            file_bytes: size.0,
            free_bytes: size.1,
            wal_bytes: self.wal_bytes(),
        })
    }

    fn check_at_once(&self, connection: &Connection, findings: &mut Findings) -> Result<Found> {
        let checked = replica::integrity(connection, findings);
        findings.part("", checked)?;
        let mut found = Found { size: replica::file_and_free_bytes(connection)?, ..Found::default() };
        let readable = replica::schema(connection, self.replica.path(), findings);
        if findings.part("", readable)? != Some(true) {
            return Ok(found);
        }
        let state = replica::state(connection, findings);
        found.standing = findings.part("state", state)?.unwrap_or_default();
        let collections = replica::collections(connection, &found.standing, findings);
        if let Some(collections) = findings.part("collections", collections)? {
            let items = replica::items(connection, &found.standing, &collections, findings);
            found.items = findings.part("items", items)?.unwrap_or_default();
        }
        let bases = replica::bases(connection, findings);
        findings.part("base", bases)?;
        let resources = replica::resources(connection, findings);
        found.resources = findings.part("resources", resources)?.unwrap_or_default();
        let entries = replica::automatic_entries(connection, findings);
        findings.part("indexes", entries)?;
        let texts = replica::search_texts(connection, findings);
        findings.part("searches", texts)?;
        let pending = outbox::outbox(connection, findings);
        found.pending = findings.part("outbox", pending)?.unwrap_or_default();
        let views = check_views(connection, findings);
        findings.part("items", views)?;
        let outcomes = outbox::ledger(connection, findings);
        (found.outcomes, found.rejections) = findings.part("ledger", outcomes)?.unwrap_or_default();
        let conflicts = outbox::conflicts(connection, findings);
        found.conflicts = findings.part("conflicts", conflicts)?.unwrap_or_default();
        Ok(found)
    }

    pub(super) fn wal_bytes(&self) -> Option<u64> {
        let mut name = OsString::from(self.replica.path());
        name.push("-wal");
        Some(std::fs::metadata(name).ok()?.len())
    }
}

/// What the report tells besides findings.
#[derive(Default)]
struct Found {
    standing: Standing,
    items: Counts,
    resources: u64,
    pending: u64,
    outcomes: u64,
    rejections: u64,
    conflicts: u64,
    size: (u64, u64),
}

/// Makes the view of every item with pending operations anew.
fn check_views(connection: &Connection, findings: &mut Findings) -> Result<()> {
    outbox::each_item(connection, |item, ops| {
        let Some(viewed) = replica::viewed(connection, item)? else { return Ok(()) };
        let mut add = |finding: Finding| findings.add(finding.item(Some(&viewed.collection), Some(&viewed.key)));
        let mut view = viewed.base.clone();
        let rows = match resources::of_item(connection, item) {
            // Found with the table.
            Err(Error::Corrupt(_)) => return Ok(()),
            rows => rows?,
        };
        let confirmed = rows.iter().filter(|_| viewed.base.is_some());
        let mut parts: BTreeMap<&ResourceName, Content> =
            confirmed.filter_map(|row| Some((&row.resource, row.base.clone()?))).collect();
        for op in &ops {
            let resource = &op.payload.resource;
            let applies = match (resource, op.payload.content()) {
                (ResourceName::Value, _) => after(view.as_deref(), op).map(|next| view = next).is_some(),
                (_, Some(Some(content))) if view.is_some() => {
                    parts.insert(resource, content);
                    true
                }
                (_, Some(None)) => {
                    parts.remove(resource);
                    true
                }
                _ => false,
            };
            if view.is_none() {
                parts.clear();
            }
            if applies != op.applies {
                let words = format!("it is marked as {}applying", if op.applies { "" } else { "not " });
                add(Finding::new(FindingCode::Applies, "outbox", words).op(op.op_ref).row(op.op_ref.order()));
            }
        }
        let shown = rows.iter().filter_map(|row| Some((&row.resource, row.view.as_ref()?)));
        if !shown.eq(parts.iter().map(|(resource, content)| (*resource, content))) {
            let words = "what is read is not what is confirmed with the pending operations on top";
            add(Finding::new(FindingCode::ResourceView, "resources", words).row(item));
        }
        // Patches that were joined may have left the members in another order.
        if !is_same(viewed.view.as_deref(), view.as_deref()) {
            let words = "what is read is not the base with the pending operations on top";
            add(Finding::new(FindingCode::View, "items", words).row(item));
        }
        Ok(())
    })
}

/// What an operation makes of a value; `None`: it does not apply.
fn after(value: Option<&str>, op: &Replayed) -> Option<Option<String>> {
    let json = |text: &str| Json::from_stored(text.to_owned()).ok();
    match (op.payload.kind, &op.payload.text) {
        (OpKind::Set, text) => Some(text.clone()),
        (OpKind::Delete, _) => Some(None),
        (OpKind::Patch, text) => {
            let patched = patch::apply(&json(value?)?, &json(text.as_deref()?)?, &Limits::CONFIRMED).ok()?;
            Some(Some(patched.into_string()))
        }
    }
}
