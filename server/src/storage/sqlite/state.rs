//! The tables `state` and `epochs`.

use super::{EpochId, State, StorageError, Stored, int, uint};
use rusqlite::{Connection, OptionalExtension, params};
use syncstore::protocol::{Ref, Seq};

// An unknown later life of a restored log will not have taken more seqs than this.
const EPOCH_GAP: Seq = 1 << 36;

/// Beyond this a seq is no longer exact as a JSON number everywhere.
pub const MAX_SEQ: Seq = (1 << 53) - 1;

pub fn read(connection: &Connection) -> Stored<State> {
    let mut statement = connection.prepare_cached(
        "SELECT epoch, head, next, items, entries, pruned, pruned_ref, horizon, queued, queued_bytes,
         log_bytes FROM state WHERE id = 1",
    )?;
    let state = statement.query_row([], |row| {
        Ok(State {
            epoch: row.get(0)?,
            head: uint(row.get(1)?),
            next: uint(row.get(2)?),
            items: uint(row.get(3)?),
            entries: uint(row.get(4)?),
            pruned: uint(row.get(5)?),
            pruned_ref: row.get::<_, Option<[u8; 16]>>(6)?.map(Ref::from_bytes),
            horizon: uint(row.get(7)?),
            queued: uint(row.get(8)?),
            queued_bytes: uint(row.get(9)?),
            log_bytes: uint(row.get(10)?),
        })
    });
    state.optional()?.ok_or_else(|| StorageError::corrupt("it has no state"))
}

pub fn write(connection: &Connection, state: &State) -> Stored<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE state SET epoch = ?1, head = ?2, next = ?3, items = ?4, entries = ?5, pruned = ?6, pruned_ref = ?7,
         horizon = ?8, queued = ?9, queued_bytes = ?10, log_bytes = ?11 WHERE id = 1",
    )?;
    statement.execute(params![
        state.epoch.as_slice(),
        int(state.head),
        int(state.next),
        int(state.items),
        int(state.entries),
        int(state.pruned),
        state.pruned_ref.as_ref().map(|entry| entry.as_bytes().as_slice()),
        int(state.horizon),
        int(state.queued),
        int(state.queued_bytes),
        int(state.log_bytes),
    ])?;
    Ok(())
}

pub fn begin_epoch(connection: &Connection, state: &mut State, epoch: EpochId) -> Stored<()> {
    let mut statement = connection.prepare_cached("INSERT INTO epochs (epoch, head) VALUES (?1, ?2)")?;
    statement.execute(params![epoch.as_slice(), int(state.head)])?;
    state.epoch = epoch;
    state.next = state.next.saturating_add(EPOCH_GAP);
    if state.next > MAX_SEQ { Err(StorageError::corrupt("there are no seqs left for a new epoch")) } else { Ok(()) }
}

pub fn end_of_epoch(connection: &Connection, state: &State, epoch: &EpochId) -> Stored<Option<Seq>> {
    if *epoch == state.epoch {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(
        "SELECT later.head FROM epochs AS asked JOIN epochs AS later ON later.number > asked.number
         WHERE asked.epoch = ?1 ORDER BY later.number LIMIT 1",
    )?;
    let head: Option<i64> = statement.query_row([epoch.as_slice()], |row| row.get(0)).optional()?;
    Ok(head.map(uint))
}

/// Where the present epoch began.
pub fn first_epoch(connection: &Connection) -> Stored<EpochId> {
    let mut statement = connection.prepare_cached("SELECT epoch FROM epochs ORDER BY number LIMIT 1")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

pub fn start_of_epoch(connection: &Connection) -> Stored<Seq> {
    let mut statement = connection.prepare_cached("SELECT head FROM epochs ORDER BY number DESC LIMIT 1")?;
    let head: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(head.map_or(0, uint))
}
