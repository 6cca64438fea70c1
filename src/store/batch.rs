//! Batches: operations that stand or fall together.

use super::Store;
use super::write::Write;
use crate::error::Result;
use crate::protocol::{BatchId, Json, Limits, Ref};
use json_patch::Patch;
use serde::Serialize;
use std::sync::Arc;

/// Operations that are written at once, and that the server commits all or none of.
///
/// At most 10,000 operations and 8 MiB (or what the server publishes). They are never coalesced. Dropping a
/// batch without [`Batch::commit`] writes nothing.
///
/// ```
/// # fn main() -> syncstore::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
/// let mut batch = store.batch();
/// batch.set("accounts", "ada", &90)?;
/// batch.set("accounts", "bob", &110)?;
/// let receipt = batch.commit()?;
/// assert_eq!(receipt.ops.len(), 2);
/// # Ok(())
/// # }
/// ```
#[must_use = "a batch writes nothing until it is committed"]
#[derive(Debug)]
pub struct Batch<'a> {
    store: &'a Store,
    pub(super) limits: Arc<Limits>,
    writes: Writes,
}

/// The operations of a batch, apart from its store.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    list: Vec<Write>,
    bytes: usize,
}

/// What a committed batch is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchReceipt {
    /// The batch; `None`: it had no operations, and nothing was written.
    pub batch: Option<BatchId>,
    /// The operations, in the order in which they were added.
    pub ops: Vec<Ref>,
}

impl Store {
    /// Begins a batch.
    pub fn batch(&self) -> Batch<'_> {
        self.batch_of(Writes::default())
    }

    /// A batch that goes on from [`Batch::into_writes`], for a host that cannot hold a borrow.
    pub(crate) fn batch_of(&self, writes: Writes) -> Batch<'_> {
        Batch { store: self, limits: self.replica.newest_limits(), writes }
    }

    /// Like [`Batch::commit`], which may be tried again with the same.
    pub(crate) fn commit(&self, Writes { list, .. }: &Writes) -> Result<BatchReceipt> {
        if list.is_empty() {
            return Ok(BatchReceipt { batch: None, ops: Vec::new() });
        }
        let batch = BatchId::from_random(self.settings.environment.random_u128());
        let of = list.len() as u32;
        let ops = self.replica.write(|connection| {
            let limits = self.replica.limits();
            let puts = list.iter().map(|write| self.put(connection, &limits, write, Some((batch, of))));
            puts.collect::<Result<Vec<_>>>()
        })?;
        self.wrote(of);
        Ok(BatchReceipt { batch: Some(batch), ops })
    }
}

impl Batch<'_> {
    /// Adds a set; see [`Store::set`].
    ///
    /// # Errors
    ///
    /// [`Error::Limit`](crate::Error::Limit), for the batch as a whole too; [`Error::Json`](crate::Error::Json). The
    /// batch is as it was then.
    pub fn set<T: Serialize + ?Sized>(&mut self, collection: &str, key: &str, value: &T) -> Result<&mut Self> {
        let write = Write::set(&self.limits, collection, key, value)?;
        self.add(write)
    }

    /// Adds a set to a JSON text; see [`Store::set_raw`].
    ///
    /// # Errors
    ///
    /// Like [`Batch::set`].
    pub fn set_raw(&mut self, collection: &str, key: &str, json: &str) -> Result<&mut Self> {
        let value = Json::parse(json)?;
        self.set(collection, key, &value)
    }

    /// Adds a patch; see [`Store::patch`]. Whether it applies shows in [`Batch::commit`].
    ///
    /// # Errors
    ///
    /// Like [`Batch::set`].
    pub fn patch(&mut self, collection: &str, key: &str, patch: &Patch) -> Result<&mut Self> {
        let write = Write::patch(&self.limits, collection, key, patch)?;
        self.add(write)
    }

    /// Adds a patch that is the text of an RFC 6902 array; see [`Store::patch_raw`].
    ///
    /// # Errors
    ///
    /// Like [`Batch::patch`], and [`Error::Json`](crate::Error::Json) when the text is not such an array.
    pub fn patch_raw(&mut self, collection: &str, key: &str, patch: &str) -> Result<&mut Self> {
        self.patch(collection, key, &Json::parse(patch)?.to_patch()?)
    }

    /// Adds a delete; see [`Store::delete`].
    ///
    /// # Errors
    ///
    /// Like [`Batch::set`].
    pub fn delete(&mut self, collection: &str, key: &str) -> Result<&mut Self> {
        let write = Write::delete(&self.limits, collection, key)?;
        self.add(write)
    }

    pub(super) fn add(&mut self, write: Write) -> Result<&mut Self> {
        let bytes = write.payload.bytes() + write.collection.len() + write.key.len();
        self.limits.check_batch(self.writes.list.len() + 1, self.writes.bytes + bytes)?;
        self.writes.bytes += bytes;
        self.writes.list.push(write);
        Ok(self)
    }

    /// Writes all operations in one transaction, in order.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound) for a patch, a set of an index entry or relation, or a tag on an item that
    /// is not, [`Error::PatchFailed`](crate::Error::PatchFailed) for a patch that does not apply, and those of [`Store::set`]. Nothing of the batch was written then.
    pub fn commit(self) -> Result<BatchReceipt> {
        self.store.commit(&self.writes)
    }

    #[cfg(feature = "capi")]
    pub(crate) fn into_writes(self) -> Writes {
        self.writes
    }
}

#[cfg(test)]
mod tests {
    use crate::{Error, Options, Store};

    #[test]
    fn texts_of_values_and_of_patches_go_into_a_batch_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("s.db"), Options::default()).unwrap();
        let mut batch = store.batch();
        batch.set_raw("c", "k", r#"{"n": 1.0}"#).unwrap();
        batch.patch_raw("c", "k", r#"[{"op": "add", "path": "/m", "value": 2}]"#).unwrap();
        assert!(matches!(batch.set_raw("c", "k", "{"), Err(Error::Json(_))));
        assert!(matches!(batch.patch_raw("c", "k", r#"{"op": "add"}"#), Err(Error::Json(_))));
        assert_eq!(batch.commit().unwrap().ops.len(), 2);
        let pending: Vec<_> = store.pending().unwrap().into_iter().map(|op| op.payload.unwrap()).collect();
        assert_eq!(pending[0], r#"{"n": 1.0}"#);
        assert_eq!(store.get_raw("c", "k").unwrap().as_deref(), Some(r#"{"m":2,"n":1.0}"#));
    }
}
