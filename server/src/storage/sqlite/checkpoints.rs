//! The table `checkpoints`.

use super::{Stored, int, uint};
use crate::storage::CheckpointRow;
use rusqlite::{Connection, OptionalExtension, Row, params};
use syncstore::protocol::{ClientId, Ref};

fn read(row: &Row<'_>) -> rusqlite::Result<CheckpointRow> {
    Ok(CheckpointRow {
        id: row.get(0)?,
        client: ClientId::from_bytes(row.get(1)?),
        epoch: row.get(2)?,
        seq: uint(row.get(3)?),
        entry: row.get::<_, Option<[u8; 16]>>(4)?.map(Ref::from_bytes),
        digest: u64::from_be_bytes(row.get::<_, i64>(5)?.to_be_bytes()),
        total: uint(row.get(6)?),
        made: uint(row.get(7)?),
        used: uint(row.get(8)?),
    })
}

const COLUMNS: &str = "id, client, epoch, seq, entry, digest, total, made, used";

pub fn find(connection: &Connection, id: &[u8; 16]) -> Stored<Option<CheckpointRow>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM checkpoints WHERE id = ?1"))?;
    Ok(statement.query_row([id.as_slice()], read).optional()?)
}

pub fn after(connection: &Connection, after: Option<&[u8; 16]>, limit: u32) -> Stored<Vec<CheckpointRow>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM checkpoints WHERE id > ?1 ORDER BY id LIMIT ?2"))?;
    let after = after.map_or([].as_slice(), |after| after.as_slice());
    Ok(statement.query_map(params![after, limit], read)?.collect::<Result<_, _>>()?)
}

pub fn add(connection: &Connection, row: &CheckpointRow) -> Stored<()> {
    // A replica begins a new one only when it has given up the one before.
    let mut statement =
        connection.prepare_cached("REPLACE INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    statement.execute(params![
        row.id.as_slice(),
        row.client.as_bytes().as_slice(),
        row.epoch.as_slice(),
        int(row.seq),
        row.entry.as_ref().map(|entry| entry.as_bytes().as_slice()),
        i64::from_be_bytes(row.digest.to_be_bytes()),
        int(row.total),
        int(row.made),
        int(row.used),
    ])?;
    Ok(())
}

pub fn touch(connection: &Connection, id: &[u8; 16], now: u64) -> Stored<()> {
    let mut statement = connection.prepare_cached("UPDATE checkpoints SET used = max(used, ?2) WHERE id = ?1")?;
    statement.execute(params![id.as_slice(), int(now)])?;
    Ok(())
}

pub fn remove(connection: &Connection, id: &[u8; 16]) -> Stored<()> {
    connection.prepare_cached("DELETE FROM checkpoints WHERE id = ?1")?.execute([id.as_slice()])?;
    Ok(())
}
