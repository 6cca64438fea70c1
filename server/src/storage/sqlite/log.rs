//! The tables `log` and `rejections`.

use super::{State, StorageError, Stored, int, json_of, kind_number, kind_of, resource, tags, uint};
use crate::storage::{ClientKey, LogKept, LogRow, Payload, Rejection, ResourceName, StoredEntry};
use rusqlite::{Connection, OptionalExtension, Row, params};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::{BatchId, Code, OpKind, Ref, Rev, Seq};

const REJECTED: i64 = 1;
const NO_OP: i64 = 2;
const AS_SENT: i64 = 4;
const RETAGGED: i64 = 8;
const ALTERED: i64 = 16;

const COLUMNS: &str = "log.seq, log.ref, log.client, log.kind, log.flags, collections.name, log.key, log.from_rev, \
                       log.at, log.batch, log.resource, log.name, log.tags, \
                       log.tags_before";

fn blob(batch: &Option<BatchId>) -> Option<&[u8]> {
    batch.as_ref().map(|batch| batch.as_bytes().as_slice())
}

// What an entry has beside its texts, about: so many small entries do not count as nothing.
const ENTRY_BYTES: u64 = 128;

/// What an entry counts for `State::log_bytes`, in SQL; `append` counts the same. SQLite does not read a text for its length.
pub const BYTES: &str = "128 + coalesce(octet_length(key), 0) + coalesce(octet_length(name), 0) + coalesce(octet_length(tags), 0) \
                         + coalesce(octet_length(tags_before), 0) + coalesce(octet_length(payload), 0)";

/// Returns the bytes that it counts.
pub fn append(connection: &Connection, row: &LogRow<'_>) -> Stored<u64> {
    let mut statement = connection
        .prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)")?;
    let (on, name) = resource::columns(row.change.resource());
    let retagged = row.tags_before != row.tags_after;
    let flags = [(row.no_op, NO_OP), (row.as_sent, AS_SENT), (retagged, RETAGGED), (row.altered, ALTERED)];
    let flags = flags.iter().filter(|(on, _)| *on).fold(0, |flags, (_, flag)| flags | flag);
    let before = if retagged { tags::column(row.tags_before)? } else { None };
    let (after, payload) = (tags::column(row.tags_after)?, resource::payload(&row.change, row.image)?);
    let texts = [Some(row.key), name, after.as_deref(), before.as_deref(), payload.as_deref()];
    let bytes: usize = texts.into_iter().flatten().map(str::len).sum();
    statement.execute(params![
        int(row.seq),
        row.op_ref.as_bytes().as_slice(),
        row.client.0,
        kind_number(row.change.kind()),
        flags,
        row.collection.0,
        row.key,
        int(row.from),
        int(row.at),
        blob(&row.batch),
        on,
        name,
        after,
        before,
        payload,
    ])?;
    Ok(ENTRY_BYTES + bytes as u64)
}

pub fn append_rejected(
    connection: &Connection,
    seq: Seq,
    op_ref: &Ref,
    client: ClientKey,
    batch: Option<BatchId>,
    now: u64,
    rejection: &Rejection,
) -> Stored<u64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO log VALUES (?1, ?2, ?3, 0, ?4, NULL, NULL, 0, ?5, ?6, 0, NULL, NULL, NULL, NULL)",
    )?;
    statement.execute(params![int(seq), op_ref.as_bytes().as_slice(), client.0, REJECTED, int(now), blob(&batch),])?;
    let mut statement = connection.prepare_cached("INSERT INTO rejections VALUES (?1, ?2, ?3, ?4)")?;
    let detail = rejection.detail.as_ref().map(|detail| detail.as_str());
    statement.execute(params![int(seq), rejection.code.as_str(), rejection.message, detail])?;
    Ok(ENTRY_BYTES)
}

pub fn rejection(connection: &Connection, seq: Seq) -> Stored<Option<Rejection>> {
    let mut statement = connection.prepare_cached("SELECT code, message, detail FROM rejections WHERE seq = ?1")?;
    let found = statement.query_row([int(seq)], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
    });
    let Some((code, message, detail)) = found.optional()? else { return Ok(None) };
    Ok(Some(Rejection { code: Code::new(code), message, detail: detail.map(json_of).transpose()? }))
}

pub fn entry_ref(connection: &Connection, seq: Seq) -> Stored<Option<Ref>> {
    let mut statement = connection.prepare_cached("SELECT ref FROM log WHERE seq = ?1")?;
    Ok(statement.query_row([int(seq)], |row| row.get(0).map(Ref::from_bytes)).optional()?)
}

// SQLite reads each column of a row that a statement names, so the payload, which may be large, is not named.
fn read(row: &Row<'_>) -> Stored<StoredEntry> {
    let flags: i64 = row.get(4)?;
    let column = |index| row.get_ref(index)?.as_str_or_null().map_err(StorageError::corrupt);
    let tags_after = tags::of_column(column(12)?)?;
    let tags_before = if flags & RETAGGED == 0 { tags_after.clone() } else { tags::of_column(column(13)?)? };
    Ok(StoredEntry {
        seq: uint(row.get(0)?),
        op_ref: Ref::from_bytes(row.get(1)?),
        client: ClientKey(row.get(2)?),
        kind: kind_of(row.get(3)?)?,
        rejected: flags & REJECTED != 0,
        no_op: flags & NO_OP != 0,
        as_sent: flags & AS_SENT != 0,
        altered: flags & ALTERED != 0,
        collection: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
        key: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
        from: uint(row.get(7)?),
        at: uint(row.get(8)?),
        batch: row.get::<_, Option<[u8; 16]>>(9)?.map(BatchId::from_bytes),
        resource: resource::of_columns(row.get(10)?, row.get(11)?)?,
        tags_before,
        tags_after,
        payload: None,
    })
}

fn payload(connection: &Connection, entry: &StoredEntry) -> Stored<Option<Payload>> {
    let mut statement = connection.prepare_cached("SELECT payload FROM log WHERE seq = ?1")?;
    resource::read(&entry.resource, entry.kind, statement.query_row([int(entry.seq)], |row| row.get(0))?)
}

pub fn rev_after(connection: &Connection, seq: Seq) -> Stored<Option<Rev>> {
    let mut statement = connection.prepare_cached("SELECT flags, from_rev FROM log WHERE seq = ?1")?;
    let found = statement.query_row([int(seq)], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()?;
    Ok(match found {
        Some((flags, _)) if flags & REJECTED != 0 => None,
        Some((flags, from)) if flags & NO_OP != 0 => Some(uint(from)),
        Some(_) => Some(seq),
        None => None,
    })
}

pub fn entry(connection: &Connection, seq: Seq) -> Stored<Option<StoredEntry>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM log LEFT JOIN collections ON collections.id = log.collection
         WHERE log.seq = ?1",
    ))?;
    let mut rows = statement.query([int(seq)])?;
    let Some(mut entry) = rows.next()?.map(read).transpose()? else { return Ok(None) };
    if entry.resource == ResourceName::Value {
        entry.payload = payload(connection, &entry)?;
    }
    Ok(Some(entry))
}

pub fn entries(
    connection: &Connection,
    after: Seq,
    wanted: &dyn Fn(&StoredEntry) -> bool,
    visit: &mut dyn FnMut(StoredEntry) -> bool,
) -> Stored<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM log LEFT JOIN collections ON collections.id = log.collection
         WHERE log.seq > ?1 ORDER BY log.seq",
    ))?;
    let mut rows = statement.query([int(after)])?;
    while let Some(row) = rows.next()? {
        let mut entry = read(row)?;
        if wanted(&entry) {
            entry.payload = payload(connection, &entry)?;
        }
        if !visit(entry) {
            break;
        }
    }
    Ok(())
}

pub fn prune(connection: &Connection, state: &mut State, keep: LogKept, held: Seq, limit: u32) -> Stored<u64> {
    if keep.holds(state) {
        return Ok(0);
    }
    let mut oldest = connection.prepare_cached(&format!(
        "SELECT seq, ref, kind, flags, collection, key, resource, {BYTES} FROM log WHERE seq <= ?1 ORDER BY seq LIMIT ?2",
    ))?;
    let mut tombstone =
        connection.prepare_cached("DELETE FROM tombstones WHERE collection = ?1 AND key = ?2 AND seq = ?3")?;
    // A reason lives as long as the ref or the entry, whichever goes later.
    let mut reason = connection
        .prepare_cached("DELETE FROM rejections WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM refs WHERE ref = ?2)")?;
    let held = if planted(Planted::Rule21PrunesBehindCheckpoints) { state.head } else { held };
    let mut rows = oldest.query(params![int(held), limit])?;
    let mut removed = 0;
    while !keep.holds(state)
        && let Some(row) = rows.next()?
    {
        let seq: i64 = row.get(0)?;
        let op_ref: [u8; 16] = row.get(1)?;
        let (kind, flags): (i64, i64) = (row.get(2)?, row.get(3)?);
        if flags & REJECTED != 0 {
            reason.execute(params![seq, op_ref.as_slice()])?;
        } else if kind_of(kind)? == OpKind::Delete && row.get::<_, i64>(6)? == resource::VALUE {
            tombstone.execute(params![
                row.get::<_, i64>(4)?,
                row.get_ref(5)?.as_str().map_err(StorageError::corrupt)?,
                seq
            ])?;
        }
        (state.pruned, state.pruned_ref) = (uint(seq), Some(Ref::from_bytes(op_ref)));
        state.entries = state.entries.saturating_sub(1);
        state.log_bytes = state.log_bytes.saturating_sub(uint(row.get(7)?));
        removed += 1;
    }
    drop(rows);
    if state.entries == 0 {
        state.log_bytes = 0;
    }
    connection.prepare_cached("DELETE FROM log WHERE seq <= ?1")?.execute([int(state.pruned)])?;
    Ok(removed)
}
