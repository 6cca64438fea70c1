//! The tables `units` and `queued`: what waits for an approver.

use super::batches::{OpColumns, op_columns, read_op};
use super::{SqliteSnapshot, SqliteTransaction, Stored, int, items, tags, uint};
use crate::storage::queued::{QueueLine, QueueSnapshot, QueueTransaction, QueuedOp, TiedUnits, UnitKey, UnitRow};
use crate::storage::{ClientKey, Image, ItemKey, StorageError};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};
use syncstore::protocol::{BatchId, Ref, Rev};

// What the sender might do, as it is kept.
#[derive(Serialize, Deserialize)]
struct Rights {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    grant: Vec<String>,
}

fn lines(connection: &Connection, visit: &mut dyn FnMut(QueueLine)) -> Stored<()> {
    let mut statement = connection.prepare_cached(
        "SELECT units.id, units.client, queued.collection, queued.key, queued.asks
         FROM queued CROSS JOIN units ON units.id = queued.unit ORDER BY queued.unit, queued.id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(QueueLine {
            unit: UnitKey(row.get(0)?),
            client: ClientKey(row.get(1)?),
            collection: row.get(2)?,
            key: row.get(3)?,
            asks: row.get(4)?,
        });
    }
    Ok(())
}

fn unit(connection: &Connection, unit: UnitKey) -> Stored<Option<(UnitRow, Vec<QueuedOp>)>> {
    let mut statement = connection.prepare_cached("SELECT client, batch, user, rights, at FROM units WHERE id = ?1")?;
    let mut rows = statement.query([unit.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let rights: Rights = serde_json::from_str(&row.get::<_, String>(3)?).map_err(StorageError::corrupt)?;
    let found = UnitRow {
        key: unit,
        client: ClientKey(row.get(0)?),
        batch: row.get::<_, Option<[u8; 16]>>(1)?.map(BatchId::from_bytes),
        user: row.get(2)?,
        tags: rights.tags,
        grant: rights.grant,
        at: uint(row.get(4)?),
    };
    let mut statement = connection.prepare_cached(
        "SELECT ref, kind, collection, key, base, resource, name, payload, asks FROM queued WHERE unit = ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([unit.0])?;
    let mut ops = Vec::new();
    while let Some(row) = rows.next()? {
        ops.push(QueuedOp { op: read_op(row)?, asks: row.get(8)? });
    }
    Ok(Some((found, ops)))
}

fn unit_of(connection: &Connection, op_ref: &Ref) -> Stored<Option<UnitKey>> {
    let mut statement = connection.prepare_cached("SELECT unit FROM queued WHERE ref = ?1")?;
    Ok(statement.query_row([op_ref.as_bytes().as_slice()], |row| row.get(0).map(UnitKey)).optional()?)
}

const ITEMS_OF_UNIT: &str = "SELECT collection, key FROM queued WHERE unit = ?1";
// CROSS JOIN: from the item's ops to their units, not from all of the client's.
const UNITS_ON_ITEM: &str = "SELECT units.id FROM queued CROSS JOIN units ON units.id = queued.unit
                             WHERE queued.collection = ?1 AND queued.key = ?2
                               AND units.client = (SELECT client FROM units WHERE id = ?3)";

// Each unit and each item is looked up once.
fn tied(connection: &Connection, unit: UnitKey) -> Stored<TiedUnits> {
    let mut items_of = connection.prepare_cached(ITEMS_OF_UNIT)?;
    let mut units_on = connection.prepare_cached(UNITS_ON_ITEM)?;
    let (mut units, mut items) = (BTreeSet::from([unit]), HashSet::new());
    let mut new = vec![unit];
    while let Some(next) = new.pop() {
        let mut rows = items_of.query([next.0])?;
        while let Some(row) = rows.next()? {
            let item: (String, String) = (row.get(0)?, row.get(1)?);
            if items.contains(&item) {
                continue;
            }
            let found = units_on.query_map(params![item.0, item.1, unit.0], |row| row.get(0).map(UnitKey))?;
            for found in found {
                let found = found?;
                if units.insert(found) {
                    new.push(found);
                }
            }
            items.insert(item);
        }
    }
    Ok((units, items))
}

fn item_now(connection: &Connection, collection: &str, key: &str) -> Stored<Option<(Rev, Image, Vec<String>)>> {
    let mut statement = connection.prepare_cached(
        "SELECT items.id, items.rev FROM collections CROSS JOIN items ON items.collection = collections.id
         WHERE collections.name = ?1 AND items.key = ?2",
    )?;
    let found = statement.query_row([collection, key], |row| Ok((ItemKey(row.get(0)?), row.get(1)?)));
    let Some((item, rev)) = found.optional()? else { return Ok(None) };
    Ok(Some((uint(rev), items::image(connection, item)?, tags::of_item(connection, item)?)))
}

macro_rules! queue_snapshot {
    ($type:ident) => {
        impl QueueSnapshot for $type<'_> {
            fn queue_lines(&self, visit: &mut dyn FnMut(QueueLine)) -> Stored<()> {
                lines(&self.transaction, visit)
            }
            fn unit(&self, key: UnitKey) -> Stored<Option<(UnitRow, Vec<QueuedOp>)>> {
                unit(&self.transaction, key)
            }
            fn unit_of(&self, op_ref: &Ref) -> Stored<Option<UnitKey>> {
                unit_of(&self.transaction, op_ref)
            }
            fn item_now(&self, collection: &str, key: &str) -> Stored<Option<(Rev, Image, Vec<String>)>> {
                item_now(&self.transaction, collection, key)
            }
        }
    };
}

queue_snapshot!(SqliteSnapshot);
queue_snapshot!(SqliteTransaction);

impl QueueTransaction for SqliteTransaction<'_> {
    fn add_unit(&mut self, row: &UnitRow, ops: &[QueuedOp]) -> Stored<UnitKey> {
        let connection = &self.transaction;
        let rights = Rights { tags: row.tags.clone(), grant: row.grant.clone() };
        let rights = serde_json::to_string(&rights).map_err(StorageError::corrupt)?;
        let mut statement = connection.prepare_cached(
            "INSERT INTO units (client, batch, user, rights, ops, bytes, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let bytes: usize = ops.iter().map(|queued| queued.op.payload_len()).sum();
        let batch = row.batch.as_ref().map(|batch| batch.as_bytes().as_slice());
        let (count, bytes) = (ops.len() as u64, bytes as u64);
        let unit =
            statement.insert(params![row.client.0, batch, row.user, rights, int(count), int(bytes), int(row.at)])?;
        let mut statement = connection.prepare_cached(
            "INSERT INTO queued (unit, ref, kind, collection, key, base, resource, name, payload, asks)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        for QueuedOp { op, asks } in ops {
            let OpColumns { kind, resource, name, payload } = op_columns(op)?;
            let op_ref = op.op_ref.as_bytes().as_slice();
            let base = op.base.map(int);
            statement.execute(params![
                unit,
                op_ref,
                kind,
                op.collection,
                op.key,
                base,
                resource,
                name,
                payload,
                asks
            ])?;
        }
        self.state.queued = self.state.queued.saturating_add(count);
        self.state.queued_bytes = self.state.queued_bytes.saturating_add(bytes);
        Ok(UnitKey(unit))
    }

    fn remove_unit(&mut self, unit: UnitKey) -> Stored<()> {
        let connection = &self.transaction;
        connection.prepare_cached("DELETE FROM queued WHERE unit = ?1")?.execute([unit.0])?;
        let mut statement = connection.prepare_cached("DELETE FROM units WHERE id = ?1 RETURNING ops, bytes")?;
        let gone = statement.query_row([unit.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (ops, bytes) = gone.unwrap_or((0, 0));
        self.state.queued = self.state.queued.saturating_sub(uint(ops));
        self.state.queued_bytes = self.state.queued_bytes.saturating_sub(uint(bytes));
        Ok(())
    }

    fn tied_units(&self, unit: UnitKey) -> Stored<TiedUnits> {
        tied(&self.transaction, unit)
    }

    fn hand_over_unit(&mut self, unit: UnitKey, to: ClientKey) -> Stored<()> {
        let connection = &self.transaction;
        // A ref is kept until its client has pulled past it: that is now the other.
        connection
            .prepare_cached("UPDATE refs SET client = ?2 WHERE ref IN (SELECT ref FROM queued WHERE unit = ?1)")?
            .execute([unit.0, to.0])?;
        connection.prepare_cached("UPDATE units SET client = ?2 WHERE id = ?1")?.execute([unit.0, to.0])?;
        Ok(())
    }

    fn queued_items(&self, client: ClientKey) -> Stored<Vec<(String, String)>> {
        let mut statement = self.transaction.prepare_cached(
            "SELECT DISTINCT queued.collection, queued.key FROM units CROSS JOIN queued ON queued.unit = units.id
             WHERE units.client = ?1",
        )?;
        let rows = statement.query_map([client.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn overdue_units(&self, before: u64, limit: u32) -> Stored<Vec<UnitKey>> {
        let mut statement =
            self.transaction.prepare_cached("SELECT id FROM units WHERE at < ?1 ORDER BY id LIMIT ?2")?;
        let rows = statement.query_map(params![int(before), limit], |row| row.get(0).map(UnitKey))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{plan, schema};
    use super::*;

    #[test]
    fn what_finds_tied_units_looks_through_no_whole_table() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::ensure(&mut connection, [1; 16]).unwrap();
        let (items, units) = (plan(&connection, ITEMS_OF_UNIT), plan(&connection, UNITS_ON_ITEM));
        assert!(items.starts_with("SEARCH queued USING INDEX queued_by_unit (unit=?)"), "{items}");
        assert!(units.starts_with("SEARCH queued USING INDEX queued_by_item (collection=? AND key=?)"), "{units}");
        assert!(!units.contains("SCAN"), "{units}");
    }
}
