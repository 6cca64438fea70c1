//! Conflicts as a pull finds them: others changed a part of an item that an own op is pending on.
//!
//! What there was before goes into the table in the transaction that takes it away, so that no crash loses a side.

use super::rebase::Draft;
use crate::conflict::{Conflict, Ending, advance};
use crate::error::Result;
use crate::event::ConflictNews;
use crate::outbox::conflicts::{self, Sides, Stored};
use crate::outbox::{Answer, ledger, queue};
use crate::planted::{Planted, planted};
use crate::protocol::{Entry, Filter, Json, Ref, ResourceName};
use crate::replica::collections::{self, Life};
use crate::replica::{Item, Writing, base, items, parts};
use rusqlite::Connection;
use std::collections::BTreeSet;

/// What was confirmed before entries of others, and what they alone made of it.
#[derive(Debug)]
struct Line {
    before: Option<String>,
    after: Option<String>,
}

impl Line {
    /// Goes on by one more entry. What own ops did in between is no part of it.
    fn add(line: &mut Option<Line>, part: &ResourceName, (before, after): (&Option<String>, &Option<String>)) {
        match line {
            Some(line) => line.after = advance(part, before.as_deref(), after.as_deref(), line.after.take()),
            None => *line = Some(Line { before: before.clone(), after: after.clone() }),
        }
    }
}

/// What entries of others did to a part of an item.
#[derive(Debug)]
pub(super) struct Theirs {
    pub resource: ResourceName,
    all: Option<Line>,
    /// From the first of them on that met a pending op; `None`: none did.
    met: Option<Line>,
    /// Whether the log has an own op on it behind one that met it.
    accepted: bool,
}

impl Theirs {
    /// Takes one more entry into what is known of an item.
    pub fn add(
        all: &mut Vec<Theirs>,
        resource: &ResourceName,
        (before, after): (Option<String>, Option<String>),
        met: bool,
    ) {
        let at = all.iter().position(|theirs| theirs.resource == *resource).unwrap_or_else(|| {
            all.push(Theirs { resource: resource.clone(), all: None, met: None, accepted: false });
            all.len() - 1
        });
        let theirs = &mut all[at];
        Line::add(&mut theirs.all, resource, (&before, &after));
        if met || theirs.met.is_some() {
            Line::add(&mut theirs.met, resource, (&before, &after));
        }
    }

    /// Takes note of an own op behind them.
    pub fn accepted(all: &mut [Theirs], resource: &ResourceName) {
        let on_it = all.iter_mut().filter(|theirs| theirs.resource == *resource);
        on_it.for_each(|theirs| theirs.accepted |= theirs.met.is_some());
    }
}

/// Whether an entry is another client's.
pub(super) fn is_foreign(connection: &Connection, op: Ref) -> Result<bool> {
    Ok(queue::standing(connection, op)?.is_none() && ledger::outcome(connection, op)?.is_none())
}

/// Whether an entry took the item out of what this replica may see.
pub(super) fn revokes(entry: &Entry) -> bool {
    entry.reason.as_deref() == Some("revoked")
}

/// The parts of an item but one that a conflict is open on, or may begin.
pub(super) fn other_parts(
    connection: &Connection,
    name: (&str, &str),
    but: &ResourceName,
    theirs: &[Theirs],
    any_open: bool,
) -> Result<Vec<ResourceName>> {
    let open = if any_open { conflicts::of_item(connection, name)? } else { Vec::new() };
    let open = open.into_iter().map(|stored| stored.conflict.resource);
    let parts: BTreeSet<ResourceName> = open.chain(theirs.iter().map(|theirs| theirs.resource.clone())).collect();
    Ok(parts.into_iter().filter(|part| part != but).collect())
}

/// What became of own ops on an item: on which part, and whether they were accepted.
pub(super) type Decided = Vec<(ResourceName, bool)>;

/// The parts of an item that others changed, or that a conflict is open on, as they are before a transaction changes them.
pub(super) struct Contest {
    collection: String,
    key: String,
    parts: Vec<Part>,
}

struct Part {
    resource: ResourceName,
    open: Option<Stored>,
    theirs: Option<Theirs>,
    /// What the host reads.
    seen: Option<String>,
}

impl Contest {
    /// `None`: there is no conflict that could begin or go on.
    pub fn before(
        connection: &Connection,
        (collection, key): (&str, &str),
        row: Option<Item>,
        theirs: Vec<Theirs>,
        any_open: bool,
    ) -> Result<Option<Contest>> {
        let open = if any_open { conflicts::of_item(connection, (collection, key))? } else { Vec::new() };
        if open.is_empty() && !theirs.iter().any(|theirs| theirs.met.is_some()) {
            return Ok(None);
        }
        let seen = |resource: &ResourceName| row.map_or(Ok(None), |row| parts::seen(connection, row, resource));
        let mut parts = Vec::new();
        for stored in open {
            let resource = stored.conflict.resource.clone();
            parts.push(Part { seen: seen(&resource)?, resource, open: Some(stored), theirs: None });
        }
        for theirs in theirs {
            match parts.iter_mut().find(|part| part.resource == theirs.resource) {
                Some(part) => part.theirs = Some(theirs),
                None if theirs.met.is_some() => {
                    let resource = theirs.resource.clone();
                    parts.push(Part { seen: seen(&resource)?, resource, open: None, theirs: Some(theirs) });
                }
                None => {}
            }
        }
        Ok(Some(Contest { collection: collection.to_owned(), key: key.to_owned(), parts }))
    }

    /// Opens, notes anew or ends each conflict by what the transaction has made of the item; `gone`: this replica may not see it any more.
    pub fn after(self, connection: &Writing<'_>, decided: &Decided, gone: bool, now: u64) -> Result<()> {
        let name = (self.collection.as_str(), self.key.as_str());
        let row = parts::row(connection, name)?;
        // Nothing but a value can be made again of an item that is not there any more.
        let is_moot = |resource: &ResourceName| row.is_none() && *resource != ResourceName::Value;
        let gone = gone && !planted(Planted::ConflictOutlivesRevoke);
        for Part { resource, open, theirs, seen } in self.parts {
            let shown = row.map_or(Ok(None), |row| parts::seen(connection, row, &resource))?;
            let left = row.map_or(Ok(false), |row| queue::any_on(connection, row.id, &resource))?;
            let was = |accepted| decided.iter().any(|(on, how)| *on == resource && *how == accepted);
            match (open, theirs) {
                (Some(stored), _) if gone => end(connection, &stored.conflict, Ending::Gone, now)?,
                (None, _) if gone => {}
                (Some(stored), theirs) => {
                    let accepted = stored.accepted || was(true);
                    if was(false) && !left && !accepted {
                        end(connection, &stored.conflict, Ending::Rejected, now)?;
                        continue;
                    }
                    if is_moot(&resource) {
                        end(connection, &stored.conflict, Ending::Gone, now)?;
                        continue;
                    }
                    let Stored { conflict, shown: shown_before, .. } = stored;
                    let local = advance(&resource, shown_before.as_deref(), seen.as_deref(), conflict.local);
                    let remote = match theirs.and_then(|theirs| theirs.all) {
                        Some(Line { before, after }) => {
                            advance(&resource, before.as_deref(), after.as_deref(), conflict.remote.clone())
                        }
                        None => conflict.remote.clone(),
                    };
                    // One that a resolver has left open is asked about again only if there is more of theirs.
                    let version = conflict.version + u32::from(!is_same(remote.as_deref(), conflict.remote.as_deref()));
                    let conflict = Conflict { local, remote, version, ..conflict };
                    conflicts::update(connection, &Stored { conflict, shown, accepted }, now)?;
                }
                (None, Some(Theirs { met: Some(met), accepted, .. })) if (left || accepted) && !is_moot(&resource) => {
                    let (base, remote) = (met.before.as_deref(), met.after.as_deref());
                    if is_same(base, remote) || is_same(seen.as_deref(), remote) {
                        continue;
                    }
                    let sides = Sides { base, local: seen.as_deref(), remote, shown: shown.as_deref() };
                    let id = conflicts::insert(connection, name, &resource, &sides, accepted, now)?;
                    if !planted(Planted::ConflictBeginsUntold) {
                        connection.contested(id, (name.0, name.1, &resource), ConflictNews::Begun);
                    }
                }
                (None, _) => {}
            }
        }
        Ok(())
    }
}

/// Ends an open one for which nothing was written.
pub(super) fn end(connection: &Writing<'_>, conflict: &Conflict, how: Ending, now: u64) -> Result<()> {
    conflicts::end(connection, conflict.id, how, None, now)?;
    connection.conflict(conflict, ConflictNews::Ended(how));
    Ok(())
}

/// The contests that the swap of a checkpoint settles, before it, with what it is about to settle of each item and whether that is gone.
///
/// A checkpoint does not say who changed what. So a value that differs from what was confirmed, with the own ops on it that
/// were accepted, is another client's; index entries, relations and tags are not looked at, but where a conflict is open. Of
/// what is not in the filter it says nothing.
pub(super) fn before_swap(connection: &Connection, filter: &Filter) -> Result<Vec<(Contest, Decided, bool)>> {
    let mut names: BTreeSet<(String, String)> = conflicts::open_items(connection)?.into_iter().collect();
    let any_open = !names.is_empty();
    names.extend(items::live_pending(connection)?.into_iter().map(|(_, collection, key)| (collection, key)));
    let mut contests = Vec::new();
    for (collection, key) in names.into_iter().filter(|(collection, key)| filter.has(collection, key)) {
        let name = (collection.as_str(), key.as_str());
        let row = parts::row(connection, name)?;
        let incoming = collections::find_or_create(connection, &collection, Life::Incoming)?;
        let incoming = items::find(connection, incoming, &key)?;
        let confirmed = incoming.map_or(Ok(None), |row| items::value(connection, row.id))?;
        let before = row.map_or(Ok(None), |row| base::confirmed(connection, row))?;
        let ops = row.map_or(Ok(Vec::new()), |row| queue::of_item(connection, row.id))?;
        let (mut expected, mut unanswered) = (Draft::new(before.clone()), false);
        for op in ops.iter().filter(|op| op.payload.resource == ResourceName::Value) {
            match op.answer {
                // The server's is what counts, where it does not apply here.
                Answer::Accepted => drop(expected.apply(&op.payload)),
                Answer::Rejected => {}
                Answer::None | Answer::Queued | Answer::Staged => unanswered = true,
            }
        }
        let gone = confirmed.is_none();
        let changed = !is_same(expected.into_text().as_deref(), confirmed.as_deref());
        let mut theirs = Vec::new();
        if changed {
            Theirs::add(&mut theirs, &ResourceName::Value, (before, confirmed), unanswered && !gone);
        }
        let decided = ops.iter().filter_map(|op| match op.answer {
            Answer::Accepted => Some((op.payload.resource.clone(), true)),
            Answer::Rejected => Some((op.payload.resource.clone(), false)),
            Answer::None | Answer::Queued | Answer::Staged => None,
        });
        let decided = decided.collect();
        if any_open && let Some(incoming) = incoming {
            for stored in conflicts::of_item(connection, name)? {
                let resource = &stored.conflict.resource;
                if *resource != ResourceName::Value {
                    let after = parts::confirmed(connection, incoming, resource)?;
                    Theirs::add(&mut theirs, resource, (None, after), false);
                }
            }
        }
        if let Some(contest) = Contest::before(connection, name, row, theirs, any_open)? {
            contests.push((contest, decided, gone));
        }
    }
    Ok(contests)
}

/// Whether two texts say the same JSON value, or both are absent.
pub(crate) fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            let value = |text: &str| Json::from_stored(text.to_owned());
            matches!((value(one), value(other)), (Ok(one), Ok(other)) if one.same_value(&other))
        }
        (one, other) => one == other,
    }
}
