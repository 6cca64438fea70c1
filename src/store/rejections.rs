//! Rejected operations: listed, taken once, made again, or let go.

use super::Store;
use super::outcomes::outcome;
use super::write::Write;
use crate::conflict::Conflict;
use crate::error::{Error, Result};
use crate::outbox::rejections::{self, Refused};
use crate::outbox::{Payload, RejectedOp, conflicts};
use crate::planted::{Planted, planted};
use crate::protocol::{BatchId, Content, Limits, Object, Ref, ResourceName};
use json_patch::Patch;
use rusqlite::Connection;
use serde_json::Value;

/// What to do in the place of a rejected operation; see [`Store::edit`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Edit {
    /// Sets the item's value.
    Set(Value),
    /// Changes a part of the item's value.
    Patch(Patch),
    /// Removes what the operation was on: the item, or its index entry, relation or tag.
    Delete,
    /// Sets the index entry to this ordering key.
    Order(String),
    /// Sets the relation.
    Relation {
        /// What the object is to the subject.
        predicate: String,
        /// Where it leads.
        object: Object,
    },
}

/// Something that a host should learn of once; see [`Store::take_notices`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// An operation was rejected, or undone by a restored server.
    Rejected(RejectedOp),
    /// Others changed what an operation was pending on; [`Conflict::end`] says whether it has been resolved meanwhile.
    Conflict(Conflict),
}

impl Store {
    /// Every rejected operation that waits to be dealt with, the oldest first: what was meant, what the server has now, and why.
    ///
    /// The item itself reads as the server has it: a rejected operation is no longer part of the view. Make again
    /// what is still wanted ([`Store::retry`], [`Store::edit`]), and let the rest go ([`Store::discard`]). Until then each stays here,
    /// through restarts; [`Options::retention`](crate::Options::retention) says how many at most.
    ///
    /// Operations that a restored server lost ([`Outcome::Undone`](crate::Outcome::Undone)) are here too, with the code [`Code::UNDONE`](crate::Code::UNDONE): of
    /// several on one part of an item the last, as a set of what was confirmed of that part here before the server was restored, or as a
    /// delete. What another client had made of it by then is in that set, for the file does not say whose it was. One that was
    /// written over by an operation that waits in the outbox, or deleted or made anew by another client, is not here, nor is one
    /// in a file that a version without these has synced. Each stands by itself, whatever batch it was in; retry them in order,
    /// since an item comes before its index entries.
    ///
    /// ```no_run
    /// # fn main() -> syncstore::Result<()> {
    /// # let store = syncstore::Store::open("notes.db", syncstore::Options::default())?;
    /// use syncstore::{Code, OpKind};
    ///
    /// for op in store.rejections()? {
    ///     println!("{}/{}: {:?} was refused ({}); it is {:?}", op.collection, op.key, op.meant, op.rejection.code, op.present);
    ///     if op.rejection.code == Code::STALE && op.kind == OpKind::Patch && op.batch.is_none() {
    ///         // Somebody else was quicker; the same change may still apply to what there is now.
    ///         store.retry(op.op_ref)?;
    ///     } else {
    ///         store.discard(op.op_ref)?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn rejections(&self) -> Result<Vec<RejectedOp>> {
        self.replica.read_at_once(rejections::all)
    }

    /// Takes up to so many things that a host should learn of and that nobody has taken before: rejections, then conflicts, the oldest
    /// of each first.
    ///
    /// Each is handed out once, to one caller, whatever ends the process: what was taken is marked in the file before this returns. (With
    /// [`Durability::Normal`](crate::Durability::Normal) a power loss may take back the last marks, and hand those out again.)
    /// It stays in [`Store::rejections`] or [`Store::conflicts`] until it is dealt with, so nothing is lost if the process ends right after. A
    /// rejection that was retried or discarded first is not handed out; a conflict that has ended is, and says so.
    ///
    /// [`Store::events`] says when to ask: at the start, then on each [`Event::Settled`](crate::Event::Settled) with a rejection, [`Event::Conflict`](crate::Event::Conflict) and
    /// [`Event::Missed`](crate::Event::Missed). Events are in memory and told by this store alone; this is in the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; then nothing was taken.
    pub fn take_notices(&self, most: usize) -> Result<Vec<Notice>> {
        // A host may ask with every frame; only what is there to take is worth a write.
        let any =
            |connection: &Connection| Ok(rejections::any_untold(connection)? || conflicts::any_untold(connection)?);
        if !self.replica.read(any)? {
            return Ok(Vec::new());
        }
        self.replica.write(|connection| {
            let rejected = rejections::take(connection, most)?;
            let conflicts = conflicts::take(connection, most.saturating_sub(rejected.len()))?;
            Ok(rejected.into_iter().map(Notice::Rejected).chain(conflicts.into_iter().map(Notice::Conflict)).collect())
        })
    }

    /// Makes a rejected operation again, as it was, on top of what the store reads now; the new operation.
    ///
    /// [`Store::outcome`] of the old one leads to the new one from then on, and [`Store::retry_of`] back. Of a batch the whole is made
    /// again, as a new batch: none of it was done, and half of it was never meant; the answer is the operation that
    /// was asked for, and the outcomes of the others lead to theirs.
    ///
    /// # Errors
    ///
    /// [`Error::NotRejected`] when it is not in [`Store::rejections`] (any more): retried or discarded before, not settled yet, or never
    /// rejected; also when a part of its batch was pruned. [`Error::NotFound`] and [`Error::PatchFailed`] when it makes no sense on what there is
    /// now: [`Store::edit`] it. [`Error::Limit`] when the server takes less than it did, [`Error::NotKept`] for an item that [`Store::keep`] leaves out by
    /// now. Nothing was written then.
    pub fn retry(&self, op: Ref) -> Result<Ref> {
        self.make_again(op, None)
    }

    /// Like [`Store::retry`], with something else in the operation's place, on the same part of the same item.
    ///
    /// ```no_run
    /// # fn main() -> syncstore::Result<()> {
    /// # let store = syncstore::Store::open("notes.db", syncstore::Options::default())?;
    /// use syncstore::Edit;
    ///
    /// for op in store.rejections()? {
    ///     let merged = serde_json::json!({"title": "what the user made of both"});
    ///     store.edit(op.op_ref, Edit::Set(merged))?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::EditOfAnotherPart`] for a value where the operation was on an index entry, and the like; those of [`Store::retry`].
    pub fn edit(&self, op: Ref, edit: Edit) -> Result<Ref> {
        self.make_again(op, Some(&edit))
    }

    /// Lets a rejected operation go, and what was meant by it; of a batch all. Whether it was there.
    ///
    /// Its outcome stays what it was, for as long as the ledger keeps it: rejected, or undone.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn discard(&self, op: Ref) -> Result<bool> {
        self.replica.write(|connection| {
            let ops = rejections::with_batch(connection, op)?;
            for refused in &ops {
                rejections::settle(connection, refused.op_ref, None)?;
            }
            Ok(!ops.is_empty())
        })
    }

    /// The rejected operation that an operation was made of by [`Store::retry`] or [`Store::edit`]; `None`: it was not, or the ledger keeps the old one no longer.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn retry_of(&self, op: Ref) -> Result<Option<Ref>> {
        self.replica.read(|connection| rejections::retry_of(connection, op))
    }

    fn make_again(&self, op: Ref, edit: Option<&Edit>) -> Result<Ref> {
        let limits = self.replica.newest_limits();
        let new_batch = BatchId::from_random(self.settings.environment.random_u128());
        let (new, writes) = self.replica.write(|connection| {
            let ops = rejections::with_batch(connection, op)?;
            let whole = ops.first().and_then(|first| first.batch).is_none_or(|(_, of)| of as usize == ops.len());
            if ops.is_empty() || !whole {
                return Err(not_rejected(connection, op)?);
            }
            let batch = ops[0].batch.map(|(_, of)| (new_batch, of));
            let (mut new, mut bytes) = (None, 0);
            for refused in &ops {
                let edit = edit.filter(|_| refused.op_ref == op);
                let write = write_of(&limits, refused, edit)?;
                bytes += write.payload.bytes() + write.collection.len() + write.key.len();
                let made = self.put(connection, &limits, &write, batch)?;
                if refused.op_ref == op || !planted(Planted::RetryLeavesTheRestOfItsBatch) {
                    rejections::settle(connection, refused.op_ref, Some(made))?;
                }
                if refused.op_ref == op {
                    new = Some(made);
                }
            }
            if batch.is_some() {
                limits.check_batch(ops.len(), bytes)?;
            }
            match new {
                Some(new) => Ok((new, ops.len() as u32)),
                None => Err(not_rejected(connection, op)?),
            }
        })?;
        self.wrote(writes);
        Ok(new)
    }
}

fn not_rejected(connection: &Connection, op: Ref) -> Result<Error> {
    Ok(Error::NotRejected { op, outcome: outcome(connection, op)?.map(Box::new) })
}

/// A refused op, or what is to take its place, as a write.
fn write_of(limits: &Limits, refused: &Refused, edit: Option<&Edit>) -> Result<Write> {
    let Refused { op_ref, collection, key, payload, .. } = refused;
    let another_part = || Error::EditOfAnotherPart { op: *op_ref };
    let content = match (&payload.resource, edit) {
        (_, None) => return Write::again(limits, collection, key, payload),
        (ResourceName::Value, Some(Edit::Set(value))) => return Write::set(limits, collection, key, value),
        (ResourceName::Value, Some(Edit::Patch(patch))) => return Write::patch(limits, collection, key, patch),
        (ResourceName::Value, Some(Edit::Delete)) => return Write::delete(limits, collection, key),
        (_, Some(Edit::Delete)) => None,
        (ResourceName::Index(_), Some(Edit::Order(order))) => Some(Content::Order(order.clone())),
        (ResourceName::Relation(_), Some(Edit::Relation { predicate, object })) => {
            Some(Content::Link { predicate: predicate.clone(), object: object.clone() })
        }
        _ => return Err(another_part()),
    };
    Write::resource(limits, collection, key, payload.resource.clone(), content.as_ref())
}

impl Write {
    /// Of an op that was made before; the limits may be others by now.
    fn again(limits: &Limits, collection: &str, key: &str, payload: &Payload) -> Result<Write> {
        use crate::protocol::{Json, OpKind};
        if payload.resource != ResourceName::Value {
            let content = payload.content().flatten();
            return Write::resource(limits, collection, key, payload.resource.clone(), content.as_ref());
        }
        let text = payload.text.clone().map(Json::from_stored).transpose()?;
        match (payload.kind, text) {
            (OpKind::Set, Some(value)) => Write::set(limits, collection, key, &value),
            (OpKind::Patch, Some(patch)) => Write::patch(limits, collection, key, &patch.to_patch()?),
            (OpKind::Delete, None) => Write::delete(limits, collection, key),
            _ => Err(Error::Corrupt("the payload of a rejected operation does not go with its kind".into())),
        }
    }
}
