//! The queue of operations that the server has not confirmed, and the ledger of what became of each.

pub(crate) mod check;
pub(crate) mod conflicts;
pub(crate) mod dependents;
mod fold;
pub(crate) mod ledger;
pub(crate) mod queue;
pub(crate) mod rejections;
pub(crate) mod undone;

pub(crate) use fold::fold;
pub use ledger::{Outcome, Rejection};
pub(crate) use queue::{Answer, Payload, Queued};
pub use rejections::RejectedOp;

use crate::environment::Environment;
use crate::error::Result;
use crate::planted::{Planted, planted};
use crate::protocol::{OpKind, Ref};
use rusqlite::Connection;

/// The place of the next op: by the clock, and always behind every op that this file has seen.
///
/// So refs of one replica grow whatever the clock does, and `id` alone tells ops apart within the file.
pub(crate) fn next_ref(connection: &Connection, environment: &dyn Environment) -> Result<Ref> {
    let last: i64 = connection
        .prepare_cached("SELECT max(ifnull((SELECT max(id) FROM outbox), 0), ifnull((SELECT max(id) FROM ledger), 0))")?
        .query_row([], |row| row.get(0))?;
    let now = (environment.unix_ms() as i64) << 12;
    let last = if planted(Planted::RefsByClockAlone) { 0 } else { last };
    // A damaged file may have any number there.
    Ok(Ref::from_parts(now.max(last.saturating_add(1)), environment.random()))
}

fn kind_to_sql(kind: OpKind) -> i64 {
    match kind {
        OpKind::Set => 0,
        OpKind::Patch => 1,
        OpKind::Delete => 2,
    }
}

fn kind_from_sql(kind: i64) -> rusqlite::Result<OpKind> {
    match kind {
        0 => Ok(OpKind::Set),
        1 => Ok(OpKind::Patch),
        2 => Ok(OpKind::Delete),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(0, other)),
    }
}
