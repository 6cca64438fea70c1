//! The table `refs`.

use super::{State, StorageError, Stored, int, uint};
use crate::storage::{ClientKey, RefRow, RefState};
use rusqlite::{Connection, params};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::{Ref, Seq};

const REJECTED: i64 = 1;
const STAGED: i64 = 2;
const QUEUED: i64 = 3;

fn number(state: RefState) -> i64 {
    match state {
        RefState::Accepted => 0,
        RefState::Rejected => REJECTED,
        RefState::Staged => STAGED,
        RefState::Queued => QUEUED,
    }
}

fn state_of(number: i64) -> Stored<RefState> {
    match number {
        0 => Ok(RefState::Accepted),
        REJECTED => Ok(RefState::Rejected),
        STAGED => Ok(RefState::Staged),
        QUEUED => Ok(RefState::Queued),
        other => Err(StorageError::corrupt(format_args!("a ref in state {other}"))),
    }
}

pub fn record(connection: &Connection, op_ref: &Ref, row: &RefRow) -> Stored<bool> {
    let mut statement =
        connection.prepare_cached("INSERT INTO refs VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING")?;
    let inserted = statement.execute(params![
        op_ref.as_bytes().as_slice(),
        row.client.0,
        row.digest.to_be_bytes().as_slice(),
        number(row.state),
        int(row.seq),
        int(row.at),
    ])?;
    Ok(inserted == 1)
}

pub fn find(connection: &Connection, op_ref: &Ref) -> Stored<Option<RefRow>> {
    let mut statement = connection.prepare_cached("SELECT client, digest, state, seq, at FROM refs WHERE ref = ?1")?;
    let mut rows = statement.query([op_ref.as_bytes().as_slice()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(RefRow {
        client: ClientKey(row.get(0)?),
        digest: u128::from_be_bytes(row.get(1)?),
        state: state_of(row.get(2)?)?,
        seq: uint(row.get(3)?),
        at: uint(row.get(4)?),
    }))
}

pub fn settle(connection: &Connection, op_ref: &Ref, state: RefState, seq: Seq, now: u64) -> Stored<()> {
    let mut statement = connection.prepare_cached("UPDATE refs SET state = ?2, seq = ?3, at = ?4 WHERE ref = ?1")?;
    statement.execute(params![op_ref.as_bytes().as_slice(), number(state), int(seq), int(now)])?;
    Ok(())
}

pub fn prune(
    connection: &Connection,
    state: &mut State,
    after: Option<Ref>,
    before: u64,
    limit: u32,
) -> Stored<Option<Ref>> {
    // Refs sort by the time within them: everything from this one on is too young.
    let young = Ref::from_parts(int(before) << 12, 0);
    let mut old = connection.prepare_cached(
        "SELECT refs.ref, refs.state, refs.seq, refs.at, clients.position
         FROM refs LEFT JOIN clients ON clients.id = refs.client
         WHERE refs.ref > ?1 AND refs.ref < ?2 ORDER BY refs.ref LIMIT ?3",
    )?;
    let after = after.as_ref().map_or([].as_slice(), |after| after.as_bytes().as_slice());
    let mut rows = old.query(params![after, young.as_bytes().as_slice(), limit])?;
    let (mut looked_at, mut last, mut gone) = (0, None, Vec::new());
    while let Some(row) = rows.next()? {
        let op_ref = Ref::from_bytes(row.get(0)?);
        let (outcome, seq, at): (i64, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let position: Option<i64> = row.get(4)?;
        let pulled_past = position.is_none_or(|position| position >= seq) || planted(Planted::Rule8ForgetsUnpulled);
        if outcome != STAGED && outcome != QUEUED && uint(at) < before && pulled_past {
            gone.push((op_ref, outcome, seq));
        }
        looked_at += 1;
        last = Some(op_ref);
    }
    drop(rows);
    let mut forget = connection.prepare_cached("DELETE FROM refs WHERE ref = ?1")?;
    let mut reason = connection.prepare_cached("DELETE FROM rejections WHERE seq = ?1")?;
    for (op_ref, outcome, seq) in gone {
        forget.execute([op_ref.as_bytes().as_slice()])?;
        state.horizon = state.horizon.max(op_ref.unix_ms());
        if outcome == REJECTED && uint(seq) <= state.pruned {
            reason.execute([seq])?;
        }
    }
    Ok(if looked_at == limit { last } else { None })
}
