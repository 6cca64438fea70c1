//! What a pending op holds back: the rest of its batch, and later ops on its item, with whatever these hold back.

use crate::error::Result;
use crate::protocol::Ref;
use rusqlite::Connection;
use std::collections::HashSet;

/// An op as far as others depend on it.
struct Member {
    op_ref: Ref,
    item: i64,
    batch: Option<[u8; 16]>,
}

/// The pending ops that a push leaves where they are as long as this one is refused, in their order; empty: it is not pending.
pub(crate) fn of(connection: &Connection, op_ref: Ref) -> Result<Vec<Ref>> {
    let mut find = connection.prepare_cached("SELECT id, random, item, batch FROM outbox ORDER BY id")?;
    let rows = find.query_map([], |row| {
        let op_ref = Ref::from_parts(row.get(0)?, row.get::<_, i64>(1)? as u64);
        Ok(Member { op_ref, item: row.get(2)?, batch: row.get(3)? })
    })?;
    let queue = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut items: HashSet<i64> = HashSet::new();
    let mut held = Vec::new();
    // The ops of a batch stand together, and go or stay together.
    for together in queue.chunk_by(|one, next| one.batch.is_some() && one.batch == next.batch) {
        let stays = |member: &Member| member.op_ref == op_ref || items.contains(&member.item);
        let first = together.iter().position(stays);
        let Some(first) = first else { continue };
        let all = if together[0].batch.is_some() { together } else { &together[first..] };
        items.extend(all.iter().map(|member| member.item));
        held.extend(all.iter().map(|member| member.op_ref).filter(|held| *held != op_ref));
    }
    Ok(held)
}
