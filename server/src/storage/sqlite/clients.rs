//! The table `clients`.

use super::{Stored, int, uint};
use crate::storage::{ClientKey, ClientRow};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use syncstore::protocol::{ClientId, Seq};

pub fn find(connection: &Connection, client: &ClientId) -> Stored<Option<ClientRow>> {
    let mut statement = connection.prepare_cached("SELECT id, user, position, seen FROM clients WHERE client = ?1")?;
    let found = statement.query_row([client.as_bytes().as_slice()], |row| {
        Ok(ClientRow {
            key: ClientKey(row.get(0)?),
            user: row.get(1)?,
            position: uint(row.get(2)?),
            seen: uint(row.get(3)?),
        })
    });
    Ok(found.optional()?)
}

pub fn user_of(connection: &Connection, client: ClientKey) -> Stored<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT user FROM clients WHERE id = ?1")?;
    Ok(statement.query_row([client.0], |row| row.get(0)).optional()?)
}

pub fn add(connection: &Connection, client: &ClientId, user: &str, now: u64) -> Stored<ClientKey> {
    let mut statement =
        connection.prepare_cached("INSERT INTO clients (client, user, position, seen) VALUES (?1, ?2, 0, ?3)")?;
    Ok(ClientKey(statement.insert(params![client.as_bytes().as_slice(), user, int(now)])?))
}

/// The client as which a user writes without a replica, made when missing.
///
/// It is found by more than 16 bytes, so no client id that a replica makes up is ever it; and it has pulled past
/// everything, since nobody pulls for it.
pub fn without_replica(connection: &Connection, user: &str, now: u64, seen_interval: u64) -> Stored<ClientKey> {
    let name: [u8; 32] = Sha256::digest(user.as_bytes()).into();
    let mut find = connection.prepare_cached("SELECT id, seen FROM clients WHERE client = ?1")?;
    let found = find.query_row([name.as_slice()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    let Some((id, seen)) = found.optional()? else {
        let mut add =
            connection.prepare_cached("INSERT INTO clients (client, user, position, seen) VALUES (?1, ?2, ?3, ?4)")?;
        return Ok(ClientKey(add.insert(params![name.as_slice(), user, i64::MAX, int(now)])?));
    };
    if now.saturating_sub(uint(seen)) >= seen_interval {
        connection.prepare_cached("UPDATE clients SET seen = ?2 WHERE id = ?1")?.execute(params![id, int(now)])?;
    }
    Ok(ClientKey(id))
}

pub fn touch(connection: &Connection, client: &ClientId, position: Seq, now: u64) -> Stored<()> {
    // A replica with a checkpoint may be replaying the log from there: it has not seen what became of its
    // ops before the checkpoint, and learns it by pushing them again. Until the checkpoint goes, its position stands.
    let mut statement = connection.prepare_cached(
        "UPDATE clients SET seen = max(seen, ?3),
         position = CASE WHEN EXISTS (SELECT 1 FROM checkpoints WHERE checkpoints.client = ?1)
                    THEN position ELSE max(position, ?2) END
         WHERE client = ?1",
    )?;
    statement.execute(params![client.as_bytes().as_slice(), int(position), int(now)])?;
    Ok(())
}

pub fn prune(connection: &Connection, after: ClientKey, before: u64, limit: u32) -> Stored<Option<ClientKey>> {
    let mut statement = connection.prepare_cached("SELECT id, seen FROM clients WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let rows =
        statement.query_map(params![after.0, limit], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let clients = rows.collect::<Result<Vec<_>, _>>()?;
    let mut forget = connection.prepare_cached("DELETE FROM clients WHERE id = ?1")?;
    for (id, _) in clients.iter().filter(|(_, seen)| uint(*seen) < before) {
        forget.execute([id])?;
    }
    let full = clients.len() == limit as usize;
    Ok(clients.last().filter(|_| full).map(|(id, _)| ClientKey(*id)))
}
