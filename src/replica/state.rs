//! The table `state`: the replica's one row about itself.

use crate::error::{Error, Result};
use crate::protocol::{ClientId, Cursor, Limits, Seq};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// Where the replica stands.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub client: ClientId,
    /// `None` before the first checkpoint.
    pub cursor: Option<Cursor>,
    /// Every entry at or below it is in the base.
    pub position: Seq,
    /// A checkpoint on its way, if one is.
    pub bootstrap: Option<Bootstrap>,
}

/// Why a checkpoint is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reason {
    /// The replica is new.
    Fresh,
    /// Its cursor expired.
    Expired,
    /// The server's log was restored from an older backup.
    Rewound,
    /// The replica found that it is not what the server's log makes.
    Diverged,
}

/// How far a bootstrap has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Pages are being loaded aside.
    Load,
    /// The inbox is replayed, the outbox pushed again, and the whole swapped in.
    Replay,
}

/// A checkpoint that is being loaded; survives restarts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bootstrap {
    pub reason: Reason,
    pub phase: Phase,
    pub checkpoint: Option<String>,
    /// The page to load next; `None` before the first.
    pub page: Option<String>,
    /// Where the replay stands.
    pub cursor: Option<Cursor>,
    /// Every entry at or below it is in what was loaded.
    pub position: Seq,
    pub loaded: u64,
    pub total: u64,
}

impl Bootstrap {
    pub fn new(reason: Reason) -> Bootstrap {
        Bootstrap {
            reason,
            phase: Phase::Load,
            checkpoint: None,
            page: None,
            cursor: None,
            position: 0,
            loaded: 0,
            total: 0,
        }
    }
}

impl State {
    pub fn load(connection: &Connection) -> Result<State> {
        let mut find =
            connection.prepare_cached("SELECT client, cursor, position, bootstrap FROM state WHERE id = 1")?;
        let (client, cursor, position, bootstrap): ([u8; 16], Option<String>, i64, Option<String>) =
            find.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let bootstrap = bootstrap.map(|text| serde_json::from_str(&text)).transpose();
        Ok(State {
            client: ClientId::from_bytes(client),
            cursor: cursor.map(Cursor::new),
            position: position as Seq,
            bootstrap: bootstrap.map_err(|error| Error::Corrupt(format!("state.bootstrap: {error}")))?,
        })
    }

    pub fn store(&self, connection: &Connection) -> Result<()> {
        let bootstrap = self.bootstrap.as_ref().map(serde_json::to_string).transpose();
        let bootstrap = bootstrap.map_err(|error| Error::Storage(Box::new(error)))?;
        let mut update = connection
            .prepare_cached("UPDATE state SET client = ?1, cursor = ?2, position = ?3, bootstrap = ?4 WHERE id = 1")?;
        let cursor = self.cursor.as_ref().map(Cursor::as_str);
        update.execute((self.client.as_bytes().as_slice(), cursor, self.position as i64, bootstrap))?;
        Ok(())
    }
}

/// The limits that the server published last; `None`: it was never asked.
pub(crate) fn load_limits(connection: &Connection) -> Result<Option<Limits>> {
    let text: Option<String> = connection.query_row("SELECT limits FROM state WHERE id = 1", [], |row| row.get(0))?;
    let limits = text.map(|text| serde_json::from_str(&text)).transpose();
    limits.map_err(|error| Error::Corrupt(format!("state.limits: {error}")))
}

/// The database that the replica syncs with, as its server names it; `None`: it never has, or its server has no names.
pub(crate) fn load_database(connection: &Connection) -> Result<Option<String>> {
    Ok(connection.query_row("SELECT database FROM state WHERE id = 1", [], |row| row.get(0))?)
}

/// Keeps what the server says of itself.
pub(crate) fn store_server(connection: &Connection, limits: &Limits, database: Option<&str>) -> Result<()> {
    let text = serde_json::to_string(limits).map_err(|error| Error::Storage(Box::new(error)))?;
    connection
        .execute("UPDATE state SET limits = ?1, database = ifnull(?2, database) WHERE id = 1", (text, database))?;
    Ok(())
}
