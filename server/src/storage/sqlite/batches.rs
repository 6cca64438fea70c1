//! The tables `batches` and `staged`.

use super::{StorageError, Stored, int, kind_number, kind_of, resource, uint};
use crate::storage::{BatchKey, BatchRow, BatchState, ClientKey, Link, Payload, ResourceName};
use rusqlite::{Connection, Row, params};
use std::borrow::Cow;
use syncstore::protocol::{BatchId, Op, OpKind, Ref};

const STAGED: i64 = 0;

fn number(state: BatchState) -> i64 {
    match state {
        BatchState::Staged => STAGED,
        BatchState::Done => 1,
        BatchState::Failed => 2,
    }
}

fn state_of(number: i64) -> Stored<BatchState> {
    match number {
        STAGED => Ok(BatchState::Staged),
        1 => Ok(BatchState::Done),
        2 => Ok(BatchState::Failed),
        other => Err(StorageError::corrupt(format_args!("a batch in state {other}"))),
    }
}

fn read(row: &Row<'_>) -> Stored<BatchRow> {
    Ok(BatchRow {
        key: BatchKey(row.get(0)?),
        client: ClientKey(row.get(1)?),
        batch: BatchId::from_bytes(row.get(2)?),
        of: row.get(3)?,
        ops: row.get(4)?,
        bytes: uint(row.get(5)?),
        state: state_of(row.get(6)?)?,
    })
}

const COLUMNS: &str = "id, client, batch, ops_of, ops, bytes, state";

pub fn find(connection: &Connection, client: ClientKey, batch: &BatchId) -> Stored<Option<BatchRow>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM batches WHERE client = ?1 AND batch = ?2"))?;
    let mut rows = statement.query(params![client.0, batch.as_bytes().as_slice()])?;
    rows.next()?.map(read).transpose()
}

pub fn add(connection: &Connection, row: &BatchRow, now: u64) -> Stored<BatchKey> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO batches (client, batch, ops_of, ops, bytes, state, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let id = statement.insert(params![
        row.client.0,
        row.batch.as_bytes().as_slice(),
        row.of,
        row.ops,
        int(row.bytes),
        number(row.state),
        int(now)
    ])?;
    Ok(BatchKey(id))
}

pub fn update(connection: &Connection, row: &BatchRow, now: u64) -> Stored<()> {
    // From its end on it is kept as long as the outcomes of its ops, however long before it was begun.
    let mut statement = connection.prepare_cached(&format!(
        "UPDATE batches SET ops = ?2, bytes = ?3, state = ?4, at = iif(?4 = {STAGED}, at, ?5) WHERE id = ?1"
    ))?;
    statement.execute(params![row.key.0, row.ops, int(row.bytes), number(row.state), int(now)])?;
    Ok(())
}

pub fn hand_over(connection: &Connection, batch: BatchKey, to: ClientKey, into: Option<BatchKey>) -> Stored<()> {
    // A ref is kept until its client has pulled past it: that is now the other.
    connection
        .prepare_cached("UPDATE refs SET client = ?2 WHERE ref IN (SELECT ref FROM staged WHERE batch = ?1)")?
        .execute([batch.0, to.0])?;
    let Some(into) = into else {
        connection.prepare_cached("UPDATE batches SET client = ?2 WHERE id = ?1")?.execute([batch.0, to.0])?;
        return Ok(());
    };
    // The batch was begun when the first of its ops came, to whom ever.
    connection
        .prepare_cached("UPDATE batches SET at = min(at, (SELECT at FROM batches WHERE id = ?1)) WHERE id = ?2")?
        .execute([batch.0, into.0])?;
    connection.prepare_cached("UPDATE staged SET batch = ?2 WHERE batch = ?1")?.execute([batch.0, into.0])?;
    connection.prepare_cached("DELETE FROM batches WHERE id = ?1")?.execute([batch.0])?;
    Ok(())
}

pub fn stage(connection: &Connection, batch: BatchKey, op: &Op) -> Stored<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO staged (batch, ref, kind, collection, key, base, resource, name, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let OpColumns { kind, resource, name, payload } = op_columns(op)?;
    let op_ref = op.op_ref.as_bytes().as_slice();
    statement.execute(params![
        batch.0,
        op_ref,
        kind,
        op.collection,
        op.key,
        op.base.map(int),
        resource,
        name,
        payload
    ])?;
    Ok(())
}

pub struct OpColumns<'a> {
    pub kind: i64,
    pub resource: i64,
    pub name: Option<&'a str>,
    pub payload: Option<Cow<'a, str>>,
}

/// What tells of an op that is kept what it does.
pub fn op_columns(op: &Op) -> Stored<OpColumns<'_>> {
    let change = op.change().map_err(StorageError::corrupt)?;
    let (resource, name) = resource::columns(change.resource());
    Ok(OpColumns { kind: kind_number(op.kind), resource, name, payload: resource::payload(&change, None)? })
}

/// An op from the columns `ref`, `kind`, `collection`, `key`, `base`, `resource`, `name` and `payload`.
pub fn read_op(row: &Row<'_>) -> Stored<Op> {
    let kind = kind_of(row.get(1)?)?;
    let mut op = Op::new(Ref::from_bytes(row.get(0)?), kind, row.get::<_, String>(2)?, row.get::<_, String>(3)?);
    op.base = row.get::<_, Option<i64>>(4)?.map(uint);
    let on = resource::of_columns(row.get(5)?, row.get(6)?)?;
    match resource::read(&on, kind, row.get(7)?)? {
        Some(Payload::Json(json)) if kind == OpKind::Patch => op.patch = Some(json),
        Some(Payload::Json(json)) => op.value = Some(json),
        Some(Payload::Order(order)) => op.order = Some(order),
        Some(Payload::Link(Link { predicate, object })) => {
            (op.predicate, op.object) = (Some(predicate), Some(object));
        }
        Some(Payload::Item(_)) | None => {}
    }
    match on {
        ResourceName::Value => {}
        ResourceName::Index(name) => op.index = Some(name),
        ResourceName::Relation(id) => op.relation = Some(id),
        ResourceName::Tag(tag) => op.tag = Some(tag),
    }
    Ok(op)
}

pub fn take(connection: &Connection, batch: BatchKey) -> Stored<Vec<Op>> {
    let mut statement = connection.prepare_cached(
        "SELECT ref, kind, collection, key, base, resource, name, payload FROM staged WHERE batch = ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([batch.0])?;
    let mut ops = Vec::new();
    while let Some(row) = rows.next()? {
        ops.push(read_op(row)?);
    }
    connection.prepare_cached("DELETE FROM staged WHERE batch = ?1")?.execute([batch.0])?;
    Ok(ops)
}

pub fn items(connection: &Connection, client: ClientKey) -> Stored<Vec<(String, String, BatchId)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT staged.collection, staged.key, batches.batch FROM batches INDEXED BY open_batches CROSS JOIN staged ON staged.batch = batches.id
         WHERE batches.client = ?1 AND batches.state = {STAGED}",
    ))?;
    let rows =
        statement.query_map([client.0], |row| Ok((row.get(0)?, row.get(1)?, BatchId::from_bytes(row.get(2)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn items_of(connection: &Connection, batch: BatchKey) -> Stored<Vec<(String, String)>> {
    let mut statement = connection.prepare_cached("SELECT collection, key FROM staged WHERE batch = ?1")?;
    let rows = statement.query_map([batch.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn open(connection: &Connection, client: ClientKey) -> Stored<(usize, u64)> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT count(*), total(ops_of) FROM batches INDEXED BY open_batches WHERE client = ?1 AND state = {STAGED}",
    ))?;
    Ok(statement.query_row([client.0], |row| Ok((row.get::<_, u32>(0)? as usize, row.get::<_, f64>(1)? as u64)))?)
}

// Asked again for each few of them, so it looks at none but these.
const OVERDUE: &str = "SELECT id, client, batch, ops_of, ops, bytes, state FROM batches INDEXED BY overdue_batches \
                       WHERE state = 0 AND at < ?1 ORDER BY at, id LIMIT ?2";

pub fn overdue(connection: &Connection, before: u64, limit: u32) -> Stored<Vec<BatchRow>> {
    let mut statement = connection.prepare_cached(OVERDUE)?;
    let mut rows = statement.query(params![int(before), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

const NEXT: &str =
    "SELECT count(*), max(id), min(at) FROM (SELECT id, at FROM batches WHERE id > ?1 ORDER BY id LIMIT ?2)";
const FORGET: &str = "DELETE FROM batches WHERE id > ?1 AND id <= ?2 AND state <> 0 AND at < ?3";

pub fn prune(
    connection: &Connection,
    after: BatchKey,
    (before, now): (u64, u64),
    limit: u32,
) -> Stored<Option<BatchKey>> {
    let mut next = connection.prepare_cached(NEXT)?;
    let found = next.query_row(params![after.0, limit], |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, Option<i64>>(2)?))
    });
    let (looked_at, Some(last), Some(oldest)) = found? else { return Ok(None) };
    // They are in the order of their beginnings, so where all are young those behind them are about as young: one that ended
    // before its forerunner waits for that. But not where the clock was ahead.
    if (before..=now).contains(&uint(oldest)) {
        return Ok(None);
    }
    connection.prepare_cached(FORGET)?.execute(params![after.0, last, int(before)])?;
    Ok(if looked_at == limit { Some(BatchKey(last)) } else { None })
}

#[cfg(test)]
mod tests {
    use super::super::{plan, schema};
    use super::*;

    fn connection() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::ensure(&mut connection, [1; 16]).unwrap();
        connection
    }

    #[test]
    fn what_prunes_batches_looks_through_no_whole_table() {
        let connection = connection();
        let overdue = plan(&connection, OVERDUE);
        assert_eq!(overdue, "SEARCH batches USING INDEX overdue_batches (at<?)\n");
        for (sql, bounds) in [(NEXT, "rowid>?"), (FORGET, "rowid>? AND rowid<?")] {
            let plan = plan(&connection, sql);
            let search = format!("SEARCH batches USING INTEGER PRIMARY KEY ({bounds})");
            assert!(plan.contains(&search) && !plan.contains("SCAN batches"), "{sql}\n{plan}");
        }
    }

    #[test]
    fn old_batches_that_ended_are_forgotten_a_slice_of_all_at_a_time() {
        let connection = connection();
        // Of each ten but the third the first two are old, of which one is still staged.
        connection
            .execute_batch(
                "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 45)
                 INSERT INTO batches SELECT n, 1, randomblob(16), 2, 1, 1, n % 10 <> 1,
                     iif(n % 10 IN (1, 2) AND n NOT BETWEEN 21 AND 30, 5, 50)
                 FROM n",
            )
            .unwrap();
        let left = || connection.query_row("SELECT count(*) FROM batches", [], |row| row.get::<_, i64>(0)).unwrap();
        let (mut after, mut slices) = (Some(BatchKey(0)), Vec::new());
        while let Some(place) = after {
            after = prune(&connection, place, (50, 1_000), 10).unwrap();
            slices.push((after.map(|key| key.0), left()));
        }
        assert_eq!(slices, [(Some(10), 44), (Some(20), 43), (None, 43)]);
        assert_eq!(prune(&connection, BatchKey(30), (50, 1_000), 10).unwrap(), Some(BatchKey(40)));
        assert_eq!((prune(&connection, BatchKey(40), (50, 1_000), 10).unwrap(), left()), (None, 41));
        // Those of a clock that was ahead keep none behind them.
        connection.execute("UPDATE batches SET at = 5000 WHERE id < 20", []).unwrap();
        connection.execute("UPDATE batches SET at = 5 WHERE id = 20", []).unwrap();
        let mut after = Some(BatchKey(0));
        while let Some(place) = after {
            after = prune(&connection, place, (50, 1_000), 10).unwrap();
        }
        assert_eq!(left(), 40);
    }
}
