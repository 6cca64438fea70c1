//! Rebase: the view of an item is its base with the pending ops in order.

use crate::error::Result;
use crate::outbox::{Payload, Queued, queue};
use crate::protocol::patch::{self, PatchError};
use crate::protocol::{Json, JsonError, LimitError, Limits, OpKind, check_collection, check_key};
use crate::replica::{Item, base, items};
use rusqlite::Connection;

/// A server's limits, within what a replica can read back, and such that something can be written at all.
pub(super) fn readable(limits: Limits) -> Limits {
    Limits {
        name: limits.name.clamp(1, Limits::CONFIRMED.name),
        value: limits.value.clamp(1, Limits::CONFIRMED.value),
        nesting: limits.nesting.clamp(1, Limits::CONFIRMED.nesting),
        body: limits.body.max(1),
        push_ops: limits.push_ops.max(1),
        batch_ops: limits.batch_ops.max(1),
        batch: limits.batch.max(1),
    }
}

/// Checks a value that a server sent: its size, its nesting, and what the grammar alone lets through.
pub(super) fn check_received(value: &Json) -> Result<(), JsonError> {
    value.check_within(&Limits::CONFIRMED)
}

/// Checks an item's name that a server sent.
pub(super) fn check_received_name(collection: &str, key: &str) -> Result<(), LimitError> {
    check_collection(collection, &Limits::CONFIRMED)?;
    check_key(key, &Limits::CONFIRMED)
}

/// The value after an op; `None`: there is no item then. Fails when the op does not apply.
pub(crate) fn apply_payload(value: Option<&str>, payload: &Payload) -> Result<Option<String>, PatchError> {
    let failed = |reason: String| PatchError { operation: 0, path: String::new(), reason };
    match payload.kind {
        OpKind::Set => Ok(payload.text.clone()),
        OpKind::Delete => Ok(None),
        OpKind::Patch => {
            let value = value.ok_or_else(|| failed("there is no item to patch".into()))?;
            let json = |text: &str| Json::from_stored(text.to_owned()).map_err(|error| failed(error.to_string()));
            let patch = json(payload.text.as_deref().unwrap_or("null"))?;
            Ok(Some(patch::apply(&json(value)?, &patch, &Limits::CONFIRMED)?.into_string()))
        }
    }
}

/// Writes an item's row and its base anew from what is confirmed of it and its pending ops.
///
/// An op that does not apply stays queued and is marked: the server decides.
pub(crate) fn rebase(connection: &Connection, row: Item, confirmed: Option<&str>, ops: &[Queued]) -> Result<()> {
    let Some(value) = fold_view(connection, confirmed, ops)? else {
        if ops.is_empty() {
            base::delete(connection, row.id)?;
            return items::delete(connection, row.id);
        }
        keep_base(connection, row.id, confirmed)?;
        return items::update(connection, Item { pending: ops.len() as u32, ..row }, None);
    };
    keep_base(connection, row.id, confirmed.filter(|_| !ops.is_empty()))?;
    items::update(connection, Item { pending: ops.len() as u32, ..row }, Some(&value))
}

fn keep_base(connection: &Connection, item: i64, value: Option<&str>) -> Result<()> {
    match value {
        Some(value) => base::insert(connection, item, value),
        None => base::delete(connection, item),
    }
}

fn fold_view(connection: &Connection, confirmed: Option<&str>, ops: &[Queued]) -> Result<Option<String>> {
    let mut view = confirmed.map(str::to_owned);
    for op in ops {
        let applied = apply_payload(view.as_deref(), &op.payload);
        if applied.is_ok() != op.applies {
            queue::mark_applies(connection, op.id(), applied.is_ok())?;
        }
        if let Ok(next) = applied {
            view = next;
        }
    }
    Ok(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_sends_is_bounded_at_its_edge() {
        let text = |bytes: usize| Json::from_stored(format!("\"{}\"", "x".repeat(bytes - 2))).unwrap();
        check_received(&text(Limits::CONFIRMED.value)).unwrap();
        let error = check_received(&text(Limits::CONFIRMED.value + 1)).unwrap_err();
        assert!(error.to_string().contains("limit"), "{error}");
        let nested = |levels| Json::from_stored("[".repeat(levels) + &"]".repeat(levels)).unwrap();
        check_received(&nested(Limits::CONFIRMED.nesting)).unwrap();
        assert!(check_received(&nested(Limits::CONFIRMED.nesting + 1)).is_err());
    }
}
