//! The table `state`: the replica's one row about itself.

use crate::error::{Error, Result};
use crate::protocol::{ClientId, Cursor, Filter, Limits, Scope, Seq};
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
    /// What the host wants kept; it is the host's to write.
    pub keep: Filter,
    /// What is kept: all of this is in the base, but for what [`Phase::Join`] is still to bring.
    pub kept: Filter,
    /// The filter that the cursor is of; it has all that is kept.
    pub asked: Filter,
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
    /// The host wants more kept, or less: only what is missing is loaded.
    Filter,
}

/// How far a bootstrap has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Pages are being loaded aside.
    Load,
    /// The inbox is replayed, the outbox pushed again, and the whole swapped in.
    Replay,
    /// What was loaded for another filter belongs to the live items, and is being moved there.
    Join,
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
    /// What is loaded. With `have` it is for another filter, and the rest stays as it is.
    #[serde(default)]
    pub scope: Scope,
    /// Of a rewound log: what is known of the place that it was restored to. It may be below this, and is not above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Seq>,
}

impl Bootstrap {
    pub fn new(reason: Reason, scope: Scope) -> Bootstrap {
        Bootstrap {
            reason,
            phase: Phase::Load,
            checkpoint: None,
            page: None,
            cursor: None,
            position: 0,
            loaded: 0,
            total: 0,
            scope,
            restored: None,
        }
    }

    /// The same, begun again for what is wanted now.
    pub fn anew(&self, scope: Scope) -> Bootstrap {
        Bootstrap { restored: self.restored, ..Bootstrap::new(self.reason, scope) }
    }

    /// The place in the log above which nothing that was confirmed before is known to be in it still.
    pub fn lost_above(&self) -> Seq {
        self.restored.map_or(self.position, |restored| restored.min(self.position))
    }
}

impl State {
    pub fn load(connection: &Connection) -> Result<State> {
        let mut find = connection
            .prepare_cached("SELECT client, cursor, position, bootstrap, keep, kept, asked FROM state WHERE id = 1")?;
        type Columns = ([u8; 16], Option<String>, i64, Option<String>, [Option<String>; 3]);
        let (client, cursor, position, bootstrap, [keep, kept, asked]): Columns = find.query_row([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, [row.get(4)?, row.get(5)?, row.get(6)?]))
        })?;
        let bootstrap = bootstrap.map(|text| serde_json::from_str(&text)).transpose();
        Ok(State {
            client: ClientId::from_bytes(client),
            cursor: cursor.map(Cursor::new),
            position: position as Seq,
            bootstrap: bootstrap.map_err(|error| Error::Corrupt(format!("state.bootstrap: {error}")))?,
            keep: filter(keep)?,
            kept: filter(kept)?,
            asked: filter(asked)?,
        })
    }

    pub fn store(&self, connection: &Connection) -> Result<()> {
        let bootstrap = self.bootstrap.as_ref().map(serde_json::to_string).transpose();
        let bootstrap = bootstrap.map_err(|error| Error::Storage(Box::new(error)))?;
        let mut update = connection.prepare_cached(
            "UPDATE state SET client = ?1, cursor = ?2, position = ?3, bootstrap = ?4, kept = ?5, asked = ?6
                 WHERE id = 1",
        )?;
        let cursor = self.cursor.as_ref().map(Cursor::as_str);
        let client = self.client.as_bytes().as_slice();
        update.execute((client, cursor, self.position as i64, bootstrap, self.kept.text(), self.asked.text()))?;
        Ok(())
    }

    /// What is in the base whole.
    pub fn here(&self) -> &Filter {
        match &self.bootstrap {
            Some(Bootstrap { phase: Phase::Join, scope: Scope { have: Some(have), .. }, .. }) => have,
            _ => &self.kept,
        }
    }
}

/// The filter in a column.
pub(super) fn filter(text: Option<String>) -> Result<Filter> {
    let read =
        |text: String| Filter::parse(&text).map_err(|error| Error::Corrupt(format!("a filter in state: {error}")));
    text.map_or(Ok(Filter::everything()), read)
}

/// What the host wants kept.
pub(crate) fn load_keep(connection: &Connection) -> Result<Filter> {
    let mut find = connection.prepare_cached("SELECT keep FROM state WHERE id = 1")?;
    filter(find.query_row([], |row| row.get(0))?)
}

/// Sets what the host wants kept; whether it was something else before.
pub(crate) fn store_keep(connection: &Connection, keep: &Filter) -> Result<bool> {
    let changed = load_keep(connection)? != *keep;
    if changed {
        connection.execute("UPDATE state SET keep = ?1 WHERE id = 1", [keep.text()])?;
    }
    Ok(changed)
}

/// When the ledger was last looked through for what is too old, in milliseconds since 1970; `None`: it never was, or what is there is no number.
pub(crate) fn load_looked(connection: &Connection) -> Result<Option<u64>> {
    let mut find = connection.prepare_cached("SELECT looked FROM state WHERE id = 1")?;
    let looked = find.query_row([], |row| Ok(row.get_ref(0)?.as_i64_or_null().ok().flatten()))?;
    Ok(looked.map(|looked| looked as u64))
}

/// Takes note of such a look.
pub(crate) fn store_looked(connection: &Connection, now: u64) -> Result<()> {
    connection.prepare_cached("UPDATE state SET looked = ?1 WHERE id = 1")?.execute([now as i64])?;
    Ok(())
}

/// The limits that the server published last; `None`: it was never asked.
pub(crate) fn load_limits(connection: &Connection) -> Result<Option<Limits>> {
    let mut find = connection.prepare_cached("SELECT limits FROM state WHERE id = 1")?;
    let text: Option<String> = find.query_row([], |row| row.get(0))?;
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
