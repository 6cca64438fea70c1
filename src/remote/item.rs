//! Writes to one item.

use super::error::of_write;
use super::{Precondition, Remote, RemoteError, op, received};
use crate::protocol::{DataOp, Json, Ref, Rev, Written};
use json_patch::Patch;
use serde::Serialize;

/// An item of a server that is to be written, made by [`Remote::item`].
///
/// Each write is one request, and answers the rev that the item has then. It is decided by the same rules as a replica's: the
/// collection's policy, the caller's rights, the limits.
///
/// # Errors
///
/// The same of every write. Nothing was sent: [`RemoteError::Limit`] for a name of 0 or more than 128 bytes, a value of more than
/// 1 MiB or 128 levels (or whatever limits [`Remote::info`] told); [`RemoteError::Json`] for what JSON cannot hold. Nothing was
/// done: [`RemoteError::PreconditionFailed`], [`RemoteError::NotFound`], [`RemoteError::Rejected`],
/// [`RemoteError::Wire`]. [`RemoteError::Unconfirmed`] where it is not known.
#[must_use = "an item is only named; nothing is written to it yet"]
#[derive(Clone, Debug)]
pub struct RemoteItem<'a> {
    remote: &'a Remote,
    collection: &'a str,
    key: &'a str,
    precondition: Precondition,
    op_ref: Option<Ref>,
}

impl<'a> RemoteItem<'a> {
    pub(super) fn new(remote: &'a Remote, collection: &'a str, key: &'a str) -> RemoteItem<'a> {
        RemoteItem { remote, collection, key, precondition: Precondition::None, op_ref: None }
    }

    /// Writes only if this is so.
    pub fn when(mut self, precondition: Precondition) -> Self {
        self.precondition = precondition;
        self
    }

    /// Writes under this ref, rather than under a new one for each write.
    ///
    /// It makes a repeat safe: a server that has decided an op under this ref tells what became of that, changes nothing and judges no
    /// precondition again. A *different* write under a used ref is rejected `ref_reused`. What was rejected stays so under
    /// its ref: to try that again, take another. A server keeps refs for at least 90 days, and rejects an older one
    /// that it does not know as `expired`.
    pub fn with_ref(mut self, op_ref: Ref) -> Self {
        self.op_ref = Some(op_ref);
        self
    }

    /// Replaces the item's value, or creates the item; `value` is anything that serialises to JSON.
    pub fn set<T: Serialize + ?Sized>(&self, value: &T) -> Result<Rev, RemoteError> {
        self.write(op::set(&self.remote.limits(), self.place(), value)?)
    }

    /// Replaces the item's value by a JSON text, or creates the item.
    pub fn set_raw(&self, json: &str) -> Result<Rev, RemoteError> {
        self.set(&Json::parse(json)?)
    }

    /// Changes a part of the item's value by a JSON Patch (RFC 6902).
    ///
    /// One that does not fit the value is [`RemoteError::Rejected`] with the code `patch_failed`, and says where.
    pub fn patch(&self, patch: &Patch) -> Result<Rev, RemoteError> {
        self.write(op::patch(&self.remote.limits(), self.place(), patch)?)
    }

    /// Like [`RemoteItem::patch`], with the patch as the text of an RFC 6902 array.
    pub fn patch_raw(&self, patch: &str) -> Result<Rev, RemoteError> {
        self.patch(&Json::parse(patch)?.to_patch()?)
    }

    /// Removes the item; answers the rev of the removal, or 0 when there was nothing to remove.
    pub fn delete(&self) -> Result<Rev, RemoteError> {
        self.write(op::delete(&self.remote.limits(), self.place())?)
    }

    /// Puts the item into an index at an ordering key, or moves it there.
    pub fn set_index(&self, name: &str, order: &str) -> Result<Rev, RemoteError> {
        self.write(op::index(&self.remote.limits(), self.place(), name, Some(order))?)
    }

    /// Takes the item out of an index.
    pub fn delete_index(&self, name: &str) -> Result<Rev, RemoteError> {
        self.write(op::index(&self.remote.limits(), self.place(), name, None)?)
    }

    /// Relates the item, the subject, to the object of that collection and key, under an id; or changes that relation.
    pub fn set_relation(&self, id: &str, predicate: &str, object: (&str, &str)) -> Result<Rev, RemoteError> {
        self.write(op::relation(&self.remote.limits(), self.place(), id, Some((predicate, object)))?)
    }

    /// Removes a relation of the item.
    pub fn delete_relation(&self, id: &str) -> Result<Rev, RemoteError> {
        self.write(op::relation(&self.remote.limits(), self.place(), id, None)?)
    }

    /// Adds a tag to the item.
    pub fn add_tag(&self, tag: &str) -> Result<Rev, RemoteError> {
        self.write(op::tag(&self.remote.limits(), self.place(), tag, true)?)
    }

    /// Removes a tag from the item.
    pub fn remove_tag(&self, tag: &str) -> Result<Rev, RemoteError> {
        self.write(op::tag(&self.remote.limits(), self.place(), tag, false)?)
    }

    fn place(&self) -> op::Place<'a> {
        (self.collection, self.key)
    }

    fn write(&self, op: DataOp) -> Result<Rev, RemoteError> {
        let exchange = &self.remote.exchange;
        let (mut call, payload) = op::request(exchange, op)?;
        let op_ref = self.op_ref.unwrap_or_else(|| self.remote.new_ref());
        call.op = Some(op_ref);
        self.precondition.put(&mut call);
        let written = exchange.data::<Written>(&call, payload.as_ref());
        let written = written.and_then(|written| Ok(received::rev(written.ok_or_else(received::unmodified)?.rev)?));
        written.map_err(|failure| of_write(failure, self.place(), op_ref))
    }
}
