//! Writes that are all done, or none.

use super::error::of_batch;
use super::{Remote, RemoteError, op, received};
use crate::protocol::{BatchRequest, BatchResponse, DataOp, Ref, Rev};
use crate::wire::WireError;
use crate::wire::http::DataCall;
use json_patch::Patch;
use serde::Serialize;

/// Writes that a server does all or none of, made by [`Remote::batch`].
///
/// At most 10,000 of them and 8 MiB (or what [`Remote::info`] told).
#[must_use = "a batch writes nothing until it is committed"]
#[derive(Clone, Debug)]
pub struct RemoteBatch<'a> {
    remote: &'a Remote,
    request: BatchRequest,
    bytes: usize,
}

/// A batch apart from what it is committed to, for whoever cannot borrow that.
#[cfg(feature = "capi")]
#[derive(Debug, Default)]
pub(crate) struct KeptBatch {
    ops: Vec<DataOp>,
    bytes: usize,
}

#[cfg(feature = "capi")]
impl KeptBatch {
    /// How many writes there are.
    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }
}

#[cfg(feature = "capi")]
impl Remote {
    /// Goes on with a batch.
    pub(crate) fn batch_of(&self, KeptBatch { ops, bytes }: KeptBatch) -> RemoteBatch<'_> {
        RemoteBatch { remote: self, request: BatchRequest { ops }, bytes }
    }
}

#[cfg(feature = "capi")]
impl RemoteBatch<'_> {
    /// Lets go of what it is committed to.
    pub(crate) fn kept(self) -> KeptBatch {
        KeptBatch { ops: self.request.ops, bytes: self.bytes }
    }
}

/// The item of the next write of a batch, made by [`RemoteBatch::item`].
///
/// Each method adds one write, whose place among them an error tells. They are those of [`RemoteItem`](crate::RemoteItem).
///
/// # Errors
///
/// [`RemoteError::Limit`], for the batch as a whole too, and [`RemoteError::Json`]. The batch is as it was then.
#[must_use = "an item is only named; the batch has no write to it yet"]
#[derive(Debug)]
pub struct BatchItem<'b, 'a> {
    batch: &'b mut RemoteBatch<'a>,
    collection: &'b str,
    key: &'b str,
    base: Option<Rev>,
    op_ref: Option<Ref>,
}

impl<'a> RemoteBatch<'a> {
    pub(super) fn new(remote: &'a Remote) -> RemoteBatch<'a> {
        RemoteBatch { remote, request: BatchRequest { ops: Vec::new() }, bytes: 0 }
    }

    /// The item that the next write is to.
    pub fn item<'b>(&'b mut self, collection: &'b str, key: &'b str) -> BatchItem<'b, 'a> {
        BatchItem { batch: self, collection, key, base: None, op_ref: None }
    }

    /// How many writes there are.
    pub fn len(&self) -> usize {
        self.request.ops.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.request.ops.is_empty()
    }

    /// Does all writes, in the order in which they were added; answers the rev that each left its item at. Without any it
    /// sends nothing.
    ///
    /// Each write has its ref since it was added. So after [`RemoteError::Unconfirmed`] the same batch may be committed again: if it was
    /// done, that only tells the revs.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Rejected`] when one of them cannot be done: it says which, and nothing of the batch was done.
    /// [`RemoteError::Wire`]: nothing was done. [`RemoteError::Unconfirmed`] where it is not known.
    pub fn commit(&self) -> Result<Vec<Rev>, RemoteError> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let exchange = &self.remote.exchange;
        let payload = op::payload(exchange, &self.request)?;
        let answer = exchange.data(&DataCall::post("/batch".into(), "batch"), Some(&payload));
        let revs = answer.and_then(|answer| {
            let BatchResponse { results } = answer.ok_or_else(received::unmodified)?;
            if results.len() != self.len() {
                let (results, ops) = (results.len(), self.len());
                return Err(WireError::Protocol(format!("the batch has {ops} ops and {results} results")).into());
            }
            Ok(results.iter().map(|written| received::rev(written.rev)).collect::<Result<Vec<_>, _>>()?)
        });
        revs.map_err(|failure| of_batch(failure, &self.request.ops))
    }

    fn add(&mut self, op: DataOp) -> Result<(), RemoteError> {
        let bytes = self.bytes + op.payload_len();
        self.remote.limits().check_batch(self.len() + 1, bytes)?;
        self.bytes = bytes;
        self.request.ops.push(op);
        Ok(())
    }
}

impl BatchItem<'_, '_> {
    /// Says that the write was made for the item at this rev, 0 without one: its base.
    ///
    /// It is no precondition: what happens to a base that is behind is the collection's policy (section 2 of the protocol).
    pub fn base(mut self, rev: Rev) -> Self {
        self.base = Some(rev);
        self
    }

    /// Writes under this ref rather than a new one; see [`RemoteItem::with_ref`](crate::RemoteItem::with_ref).
    ///
    /// A batch is repeated as a whole: one of which a server knows some refs and not all is refused.
    pub fn with_ref(mut self, op_ref: Ref) -> Self {
        self.op_ref = Some(op_ref);
        self
    }

    /// Adds a set of the item's value.
    pub fn set<T: Serialize + ?Sized>(self, value: &T) -> Result<(), RemoteError> {
        let op = op::set(&self.batch.remote.limits(), self.place(), value)?;
        self.add(op)
    }

    /// Adds a patch of the item's value.
    pub fn patch(self, patch: &Patch) -> Result<(), RemoteError> {
        let op = op::patch(&self.batch.remote.limits(), self.place(), patch)?;
        self.add(op)
    }

    /// Adds the removal of the item.
    pub fn delete(self) -> Result<(), RemoteError> {
        let op = op::delete(&self.batch.remote.limits(), self.place())?;
        self.add(op)
    }

    /// Adds a set of an index entry.
    pub fn set_index(self, name: &str, order: &str) -> Result<(), RemoteError> {
        let op = op::index(&self.batch.remote.limits(), self.place(), name, Some(order))?;
        self.add(op)
    }

    /// Adds a delete of an index entry.
    pub fn delete_index(self, name: &str) -> Result<(), RemoteError> {
        let op = op::index(&self.batch.remote.limits(), self.place(), name, None)?;
        self.add(op)
    }

    /// Adds a set of a relation.
    pub fn set_relation(self, id: &str, predicate: &str, object: (&str, &str)) -> Result<(), RemoteError> {
        let op = op::relation(&self.batch.remote.limits(), self.place(), id, Some((predicate, object)))?;
        self.add(op)
    }

    /// Adds a delete of a relation.
    pub fn delete_relation(self, id: &str) -> Result<(), RemoteError> {
        let op = op::relation(&self.batch.remote.limits(), self.place(), id, None)?;
        self.add(op)
    }

    /// Adds the adding of a tag.
    pub fn add_tag(self, tag: &str) -> Result<(), RemoteError> {
        let op = op::tag(&self.batch.remote.limits(), self.place(), tag, true)?;
        self.add(op)
    }

    /// Adds the removal of a tag.
    pub fn remove_tag(self, tag: &str) -> Result<(), RemoteError> {
        let op = op::tag(&self.batch.remote.limits(), self.place(), tag, false)?;
        self.add(op)
    }

    fn place(&self) -> op::Place<'_> {
        (self.collection, self.key)
    }

    fn add(self, op: DataOp) -> Result<(), RemoteError> {
        let op_ref = Some(self.op_ref.unwrap_or_else(|| self.batch.remote.new_ref()));
        self.batch.add(DataOp { op_ref, base: self.base, ..op })
    }
}
