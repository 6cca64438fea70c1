//! The table `conflicts`: what another client changed under a pending op, open until it is resolved, and a record of how afterwards.

use super::ledger::read_ref;
use crate::conflict::{Conflict, ConflictEnd, ConflictId, Ending, advance};
use crate::error::Result;
use crate::planted::{Planted, planted};
use crate::protocol::{Ref, ResourceName};
use crate::replica::{parts, resources};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The most conflicts that are kept, open or not.
const MOST: u64 = 10_000;

/// The most bytes that the sides of all conflicts have together.
const MOST_BYTES: u64 = 64 << 20;

/// A row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub conflict: Conflict,
    /// What was read when the sides were last noted.
    pub shown: Option<String>,
    /// An own op on it was accepted since it is open.
    pub accepted: bool,
}

const COLUMNS: &str =
    "id, collection, key, resource, name, version, opened, accepted, base, local, remote, shown, ending,
    ended, op, random";

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let end = match row.get::<_, Option<i64>>(12)? {
        None => None,
        Some(ending) => Some(ConflictEnd {
            how: ending_from_sql(ending).ok_or(rusqlite::Error::IntegralValueOutOfRange(12, ending))?,
            at: row.get::<_, i64>(13)? as u64,
            op: row.get::<_, Option<i64>>(14)?.map(|_| read_ref(row, 14)).transpose()?,
        }),
    };
    let conflict = Conflict {
        id: ConflictId(row.get::<_, i64>(0)? as u64),
        collection: row.get(1)?,
        key: row.get(2)?,
        resource: resources::read_name(row, 3, 4)?,
        base: row.get(8)?,
        local: row.get(9)?,
        remote: row.get(10)?,
        view: None,
        opened_at: row.get::<_, i64>(6)? as u64,
        end,
        version: row.get(5)?,
    };
    Ok(Stored { conflict, shown: row.get(11)?, accepted: row.get(7)? })
}

fn ending_to_sql(ending: Ending) -> i64 {
    match ending {
        Ending::KeptRebased => 1,
        Ending::TookTheirs => 2,
        Ending::KeptOurs => 3,
        Ending::Merged => 4,
        Ending::Rejected => 5,
        Ending::Gone => 6,
    }
}

pub(super) fn ending_from_sql(ending: i64) -> Option<Ending> {
    let all =
        [Ending::KeptRebased, Ending::TookTheirs, Ending::KeptOurs, Ending::Merged, Ending::Rejected, Ending::Gone];
    all.into_iter().find(|one| ending_to_sql(*one) == ending)
}

/// Whether there is an open one.
pub(crate) fn any_open(connection: &Connection) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM conflicts WHERE ending IS NULL LIMIT 1")?.exists([])?)
}

/// The open ones of an item.
pub(crate) fn of_item(connection: &Connection, (collection, key): (&str, &str)) -> Result<Vec<Stored>> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM conflicts WHERE collection = ?1 AND key = ?2 AND ending IS NULL ORDER BY id"
    ))?;
    let rows = find.query_map((collection, key), read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The names of all items that have an open one.
pub(crate) fn open_items(connection: &Connection) -> Result<Vec<(String, String)>> {
    let mut find = connection.prepare_cached(
        "SELECT DISTINCT collection, key FROM conflicts WHERE ending IS NULL ORDER BY collection, key",
    )?;
    let rows = find.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// An open one.
pub(crate) fn find_open(connection: &Connection, id: ConflictId) -> Result<Option<Stored>> {
    let mut find =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM conflicts WHERE id = ?1 AND ending IS NULL"))?;
    Ok(find.query_row([id.0 as i64], read).optional()?)
}

/// An open one, as it is listed.
pub(crate) fn find_complete(connection: &Connection, id: ConflictId) -> Result<Option<Conflict>> {
    let Some(mut stored) = find_open(connection, id)? else { return Ok(None) };
    complete(connection, &mut stored)?;
    Ok(Some(stored.conflict))
}

fn select(connection: &Connection, which: &str, after: i64, most: usize) -> Result<Vec<Conflict>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut find = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM conflicts WHERE id > ?1 AND {which} ORDER BY id LIMIT ?2"))?;
    let rows = find.query_map([after, most], read)?;
    let mut found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    for stored in found.iter_mut().filter(|stored| stored.conflict.end.is_none()) {
        complete(connection, stored)?;
    }
    Ok(found.into_iter().map(|stored| stored.conflict).collect())
}

/// Adds what is read now, and to the local side what was written since.
pub(crate) fn complete(connection: &Connection, stored: &mut Stored) -> Result<()> {
    let Stored { conflict, shown, .. } = stored;
    if let Some(row) = parts::row(connection, (&conflict.collection, &conflict.key))? {
        conflict.view = parts::seen(connection, row, &conflict.resource)?;
    }
    conflict.local = advance(&conflict.resource, shown.as_deref(), conflict.view.as_deref(), conflict.local.take());
    Ok(())
}

/// The open ones, the oldest first.
pub(crate) fn open(connection: &Connection) -> Result<Vec<Conflict>> {
    select(connection, "ending IS NULL", 0, usize::MAX)
}

/// Those that ended, the oldest first.
pub(crate) fn ended(connection: &Connection) -> Result<Vec<Conflict>> {
    select(connection, "ending IS NOT NULL", 0, usize::MAX)
}

/// The first open one behind another that no resolver was asked about as it is.
pub(crate) fn next_unoffered(connection: &Connection, after: ConflictId) -> Result<Option<Conflict>> {
    Ok(select(connection, "ending IS NULL AND offered < version", after.0 as i64, 1)?.pop())
}

/// A resolver has left it open as it is; whether it still is so.
pub(crate) fn mark_offered(connection: &Connection, conflict: &Conflict) -> Result<bool> {
    let marked = connection
        .prepare_cached("UPDATE conflicts SET offered = ?2 WHERE id = ?1 AND version = ?2 AND ending IS NULL")?
        .execute((conflict.id.0 as i64, conflict.version))?;
    Ok(marked > 0)
}

/// Whether there is one that no consumer has taken.
pub(crate) fn any_untold(connection: &Connection) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM conflicts WHERE told = 0 LIMIT 1")?.exists([])?)
}

/// Up to so many that no consumer has taken, which are taken now.
pub(crate) fn take(connection: &Connection, most: usize) -> Result<Vec<Conflict>> {
    let taken = select(connection, "told = 0", 0, most)?;
    let mut mark = connection.prepare_cached("UPDATE conflicts SET told = 1 WHERE id = ?1")?;
    for conflict in &taken {
        mark.execute([conflict.id.0 as i64])?;
    }
    Ok(taken)
}

/// The sides of a conflict that begins.
pub(crate) struct Sides<'a> {
    pub base: Option<&'a str>,
    pub local: Option<&'a str>,
    pub remote: Option<&'a str>,
    pub shown: Option<&'a str>,
}

/// Opens one.
pub(crate) fn insert(
    connection: &Connection,
    (collection, key): (&str, &str),
    resource: &ResourceName,
    sides: &Sides<'_>,
    accepted: bool,
    now: u64,
) -> Result<ConflictId> {
    let (number, name) = resources::to_sql(resource);
    let last: i64 =
        connection.prepare_cached("SELECT ifnull(max(id), 0) FROM conflicts")?.query_row([], |row| row.get(0))?;
    // By the clock, so that no number comes again when the last one was pruned.
    let id = ((now as i64) << 12).max(last.saturating_add(1));
    connection
        .prepare_cached(
            "INSERT INTO conflicts(id, collection, key, resource, name, opened, updated, accepted, base, local, remote,
                shown)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            id,
            collection,
            key,
            number,
            name,
            now as i64,
            accepted,
            sides.base,
            sides.local,
            sides.remote,
            sides.shown
        ])?;
    Ok(ConflictId(id as u64))
}

/// Notes the sides of an open one anew; its base stays.
pub(crate) fn update(connection: &Connection, stored: &Stored, now: u64) -> Result<()> {
    let Conflict { id, version, local, remote, .. } = &stored.conflict;
    if planted(Planted::ConflictLostAtRebase) {
        connection.execute("DELETE FROM conflicts WHERE id = ?1", [id.0 as i64])?;
        return Ok(());
    }
    connection
        .prepare_cached(
            "UPDATE conflicts SET version = ?2, updated = ?3, accepted = ?4, local = ?5, remote = ?6, shown = ?7
             WHERE id = ?1",
        )?
        .execute((id.0 as i64, version, now as i64, stored.accepted, local, remote, &stored.shown))?;
    Ok(())
}

/// Ends an open one; of its sides nothing is kept.
pub(crate) fn end(connection: &Connection, id: ConflictId, how: Ending, op: Option<Ref>, now: u64) -> Result<()> {
    let keeps = planted(Planted::EndedConflictKeepsSides);
    let sides = if keeps { "" } else { ", base = NULL, local = NULL, remote = NULL, shown = NULL" };
    connection
        .prepare_cached(&format!(
            "UPDATE conflicts SET ending = ?2, ended = ?3, op = ?4, random = ?5{sides} WHERE id = ?1"
        ))?
        .execute((
            id.0 as i64,
            ending_to_sql(how),
            now as i64,
            op.map(|op| op.order()),
            op.map(|op| op.random() as i64),
        ))?;
    Ok(())
}

/// Removes those that ended before a time (milliseconds since 1970).
pub(crate) fn prune(connection: &Connection, before: u64) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM conflicts WHERE ended < ?1")?
        .execute([i64::try_from(before).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// Keeps their number and their size within bounds: first those go that ended, the oldest first.
pub(crate) fn bound(connection: &Connection) -> Result<()> {
    let (mut count, mut bytes): (u64, u64) = connection
        .prepare_cached(
            "SELECT count(*), ifnull(sum(ifnull(octet_length(base), 0) + ifnull(octet_length(local), 0)
                + ifnull(octet_length(remote), 0) + ifnull(octet_length(shown), 0)), 0) FROM conflicts",
        )?
        .query_row([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)))?;
    if count <= MOST && bytes <= MOST_BYTES {
        return Ok(());
    }
    let mut find = connection.prepare_cached(
        "SELECT id, ifnull(octet_length(base), 0) + ifnull(octet_length(local), 0) + ifnull(octet_length(remote), 0)
            + ifnull(octet_length(shown), 0) FROM conflicts ORDER BY ending IS NULL, id",
    )?;
    let mut rows = find.query([])?;
    let mut excess = Vec::new();
    while (count > MOST || bytes > MOST_BYTES)
        && let Some(row) = rows.next()?
    {
        excess.push(row.get::<_, i64>(0)?);
        count -= 1;
        bytes = bytes.saturating_sub(row.get::<_, i64>(1)? as u64);
    }
    drop(rows);
    let mut delete = connection.prepare_cached("DELETE FROM conflicts WHERE id = ?1")?;
    for id in excess {
        delete.execute([id])?;
    }
    Ok(())
}
