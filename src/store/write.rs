//! Writing: one transaction for the view, the op in the outbox, and its ref.

use super::seen::Seen;
use super::{Store, not_found};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::outbox::{Payload, fold, ledger, next_ref, queue};
use crate::planted::{Planted, planted};
use crate::protocol::patch::{self, PatchError};
use crate::protocol::{BatchId, Content, Json, Limits, OpKind, Ref, ResourceName, check_collection, check_key};
use crate::replica::collections::{self, Life};
use crate::replica::resources::{self, Side};
use crate::replica::{Item, Writing, base, items};
use json_patch::{Patch, PatchOperation, ReplaceOperation};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How often an update runs its closure anew because another writer was quicker.
const UPDATE_ATTEMPTS: u32 = 16;

/// Writes between two looks at the ledger's retention.
const PRUNE_EVERY: u32 = 1_024;

/// Outcomes pruned at one such look: as many as there may be new ones, and then some.
const PRUNE_ROWS: u64 = 2_048;

/// A checked write on its way into a transaction.
#[derive(Debug)]
pub(super) struct Write {
    pub collection: String,
    pub key: String,
    pub payload: Payload,
}

impl Write {
    pub fn set<T: Serialize + ?Sized>(limits: &Limits, collection: &str, key: &str, value: &T) -> Result<Write> {
        let value = Json::from_serialize(value)?;
        limits.check_value(&value)?;
        Write::new(limits, collection, key, Payload::of_value(OpKind::Set, Some(value.into_string())))
    }

    pub fn patch(limits: &Limits, collection: &str, key: &str, patch: &Patch) -> Result<Write> {
        let patch = Json::from_serialize(patch)?;
        limits.check_patch(&patch)?;
        Write::new(limits, collection, key, Payload::of_value(OpKind::Patch, Some(patch.into_string())))
    }

    pub fn delete(limits: &Limits, collection: &str, key: &str) -> Result<Write> {
        Write::new(limits, collection, key, Payload::of_value(OpKind::Delete, None))
    }

    /// Of an index entry, a relation or a tag; `None` removes it.
    pub fn resource(
        limits: &Limits,
        collection: &str,
        key: &str,
        resource: ResourceName,
        content: Option<&Content>,
    ) -> Result<Write> {
        resource.check(limits)?;
        let payload = match content {
            Some(content) => {
                content.check(limits)?;
                Payload::set(resource, content)
            }
            None => Payload::delete(resource),
        };
        Write::new(limits, collection, key, payload)
    }

    fn new(limits: &Limits, collection: &str, key: &str, payload: Payload) -> Result<Write> {
        check_collection(collection, limits)?;
        check_key(key, limits)?;
        Ok(Write { collection: collection.to_owned(), key: key.to_owned(), payload })
    }
}

impl Store {
    /// Replaces an item's value, or creates the item.
    ///
    /// `value` is anything that serialises to JSON: a `serde_json::Value`, a struct, a `&RawValue` that is stored
    /// byte for byte. A float that is not finite becomes `null`, as serde_json has it.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] for a name of 0 or more than 128 bytes, a value of more than 1 MiB or 128 levels (or
    /// whatever limits the server publishes); [`Error::Json`] for what JSON cannot hold; [`Error::DiskFull`],
    /// [`Error::Busy`], [`Error::Storage`]; [`Error::NotKept`] for an item that [`Store::keep`] leaves out. Then nothing was written.
    pub fn set<T: Serialize + ?Sized>(&self, collection: &str, key: &str, value: &T) -> Result<Ref> {
        self.write(|limits| Write::set(limits, collection, key, value))
    }

    /// Replaces an item's value by a JSON text, which is stored byte for byte, or creates the item.
    ///
    /// # Errors
    ///
    /// Like [`Store::set`].
    pub fn set_raw(&self, collection: &str, key: &str, json: &str) -> Result<Ref> {
        let value = Json::parse(json)?;
        self.set(collection, key, &value)
    }

    /// Changes a part of an item's value by a JSON Patch (RFC 6902).
    ///
    /// The patch itself travels, so changes that others make to the rest of the item stay.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such item, [`Error::PatchFailed`] when the patch does not apply to what
    /// the store reads now, and like [`Store::set`].
    pub fn patch(&self, collection: &str, key: &str, patch: &Patch) -> Result<Ref> {
        self.write(|limits| Write::patch(limits, collection, key, patch))
    }

    /// Like [`Store::patch`], with the patch as the text of an RFC 6902 array.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// store.set("lists", "shopping", &["milk"])?;
    /// store.patch_raw("lists", "shopping", r#"[{"op": "add", "path": "/-", "value": "bread"}]"#)?;
    /// assert_eq!(store.get_raw("lists", "shopping")?.as_deref(), Some(r#"["milk","bread"]"#));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Like [`Store::patch`], and [`Error::Json`] when the text is not such an array.
    pub fn patch_raw(&self, collection: &str, key: &str, patch: &str) -> Result<Ref> {
        self.patch(collection, key, &Json::parse(patch)?.to_patch()?)
    }

    /// Changes an item's value by a closure; the difference becomes a patch.
    ///
    /// Members of objects are told apart by their names, elements of arrays by their place: for something that several
    /// devices append to, a patch that adds at `/-` says better what is meant. The value is written anew, so that members may
    /// come in another order than they were set in.
    ///
    /// Answers `None` when the closure changed nothing. No lock is held while it runs, so it may use the store,
    /// and it may run again when another writer changes the item meanwhile. A panic of it goes on to the caller, with nothing written:
    /// `value["done"] = …` is one where the value is neither an object nor `null`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such item, [`Error::Contended`] when others keep changing it, and like
    /// [`Store::set`].
    pub fn update(&self, collection: &str, key: &str, mut change: impl FnMut(&mut Value)) -> Result<Option<Ref>> {
        let limits = self.replica.newest_limits();
        for _ in 0..UPDATE_ATTEMPTS {
            let Some(text) = self.get_raw(collection, key)? else {
                self.refuse_unless_kept(collection, key)?;
                return Err(not_found(collection, key));
            };
            let before = Json::from_stored(text)?;
            let from = before.to_value()?;
            let mut to = from.clone();
            change(&mut to);
            let after = Json::from_value(&to);
            limits.check_value(&after)?;
            let patch = difference(&from, to, &after)?;
            if patch.0.is_empty() {
                return Ok(None);
            }
            let write = Write::patch(&limits, collection, key, &patch)?;
            let written = self.replica.write(|connection| {
                let now = items::view_value(connection, collection, key, |now| Ok(now == before.as_str()))?;
                if now != Some(true) {
                    return Ok(None);
                }
                Ok(Some(self.put(connection, &limits, &write, None)?))
            })?;
            if let Some(op) = written {
                self.wrote(1);
                return Ok(Some(op));
            }
        }
        Err(Error::Contended { collection: collection.to_owned(), key: key.to_owned() })
    }

    /// Removes an item.
    ///
    /// Removing what this replica does not have is an operation too: the server may have it.
    ///
    /// # Errors
    ///
    /// Like [`Store::set`].
    pub fn delete(&self, collection: &str, key: &str) -> Result<Ref> {
        self.write(|limits| Write::delete(limits, collection, key))
    }

    /// Makes a write by the limits that are known, or by the newest ones where those refuse it, and writes it if they are the newest.
    pub(super) fn write(&self, make: impl Fn(&Limits) -> Result<Write>) -> Result<Ref> {
        let mut limits = self.replica.limits();
        loop {
            let write = match make(&limits) {
                Err(Error::Limit(_)) => {
                    limits = self.replica.newest_limits();
                    make(&limits)?
                }
                made => made?,
            };
            let written = self.replica.write(|connection| {
                // Another store may have been told others; what the host serialises is never made within the transaction.
                let newest = self.replica.limits();
                if !Arc::ptr_eq(&limits, &newest) {
                    limits = newest;
                    return Ok(None);
                }
                self.put(connection, &limits, &write, None).map(Some)
            })?;
            if let Some(op) = written {
                self.wrote(1);
                return Ok(op);
            }
        }
    }

    /// Like [`Writer::put`].
    pub(super) fn put(
        &self,
        connection: &Writing<'_>,
        limits: &Limits,
        write: &Write,
        batch: Option<(BatchId, u32)>,
    ) -> Result<Ref> {
        self.writer.put(connection, limits, write, batch)
    }

    /// Wakes the background sync, and keeps the ledger within its retention for a host that writes and never syncs.
    pub(super) fn wrote(&self, writes: u32) {
        self.background.wrote();
        if self.unpruned.fetch_add(writes, Ordering::Relaxed) + writes >= PRUNE_EVERY {
            self.unpruned.store(0, Ordering::Relaxed);
            let now = self.settings.environment.unix_ms();
            let retention = self.settings.retention;
            // The write before is stored whatever becomes of this.
            let _ = self.replica.write(|connection| ledger::prune(connection, &retention, now, PRUNE_ROWS));
        }
    }
}

/// How a write is made; it holds nothing of the file.
#[derive(Clone)]
pub(super) struct Writer {
    pub environment: Arc<dyn Environment>,
    coalescing: bool,
}

impl Writer {
    pub fn new(environment: &Arc<dyn Environment>, coalescing: bool) -> Writer {
        Writer { environment: Arc::clone(environment), coalescing }
    }

    /// Writes the view and the op, folded into the item's last one where that is allowed.
    pub fn put(
        &self,
        connection: &Writing<'_>,
        limits: &Limits,
        write: &Write,
        batch: Option<(BatchId, u32)>,
    ) -> Result<Ref> {
        let Write { collection, key, payload } = write;
        if !connection.keeps(collection, key)? {
            return Err(Error::NotKept { collection: collection.clone(), key: key.clone() });
        }
        let collection_id = collections::find_or_create(connection, collection, Life::Live)?;
        let watched = connection.watched(collection, key)?;
        let of_value = payload.resource == ResourceName::Value;
        let (item, before) = if of_value && (watched.at_all() || payload.kind == OpKind::Patch) {
            items::find_with_value(connection, collection_id, key)?
        } else {
            (items::find(connection, collection_id, key)?, None)
        };
        let seen = if watched.at_all() {
            Some(Seen::before(connection, watched, write, item, before.as_deref())?)
        } else {
            None
        };
        let effect = effect(connection, limits, write, item, before.as_deref())?;
        let op = next_ref(connection, &*self.environment)?;
        let row = self.put_effect(connection, limits, write, batch, (op, collection_id, item), &effect)?;
        if let Some(seen) = seen {
            match &effect {
                Effect::Value(value) if before.as_deref() == value.as_deref() => {}
                Effect::Value(value) => seen.value_after(connection, write, row, value.as_deref(), op)?,
                Effect::Resource(content) => seen.resource_after(connection, write, row, content.as_ref(), op)?,
            }
        }
        Ok(op)
    }

    /// Writes what an op makes of an item, and the op; the item's row.
    fn put_effect(
        &self,
        connection: &Connection,
        limits: &Limits,
        Write { key, payload, .. }: &Write,
        batch: Option<(BatchId, u32)>,
        (op, collection, item): (Ref, i64, Option<Item>),
        effect: &Effect<'_>,
    ) -> Result<i64> {
        if let Some(item) = item.filter(|item| item.pending > 0 && self.coalescing && batch.is_none())
            && let Some(last) = queue::last_of_item(connection, item.id)?
            && let Some(folded) = fold(&last, payload, effect.value(), limits)
        {
            queue::update_payload(connection, last.id(), &folded)?;
            ledger::fold(connection, op, last.op_ref, self.environment.unix_ms())?;
            effect.show(connection, item, payload)?;
            return Ok(item.id);
        }
        let (item, rev) = match item {
            None => (items::insert(connection, collection, key, 0, 1, effect.value())?, 0),
            Some(item) => {
                if item.pending == 0 && !planted(Planted::BaseNotKept) {
                    base::keep(connection, item.id)?;
                }
                effect.show(connection, Item { pending: item.pending + 1, ..item }, payload)?;
                (item.id, item.rev)
            }
        };
        queue::insert(connection, op, item, payload, Some(rev), batch)?;
        Ok(item)
    }
}

/// What a write makes of what the host sees.
enum Effect<'a> {
    /// The item's value; `None`: the item is gone.
    Value(Option<Cow<'a, str>>),
    /// An index entry, a relation or a tag; `None`: it is gone.
    Resource(Option<Content>),
}

/// Fails where the write makes no sense on what the host sees; `before` is the value that a patch is of.
fn effect<'a>(
    connection: &Connection,
    limits: &Limits,
    write: &'a Write,
    item: Option<Item>,
    before: Option<&str>,
) -> Result<Effect<'a>> {
    let Write { collection, key, payload } = write;
    if payload.resource != ResourceName::Value {
        // Removing from what this replica does not have is an operation too: the server may have it.
        if payload.kind == OpKind::Set && !item.map_or(Ok(false), |item| items::is_seen(connection, item.id))? {
            return Err(not_found(collection, key));
        }
        return Ok(Effect::Resource(payload.content().flatten()));
    }
    Ok(Effect::Value(match payload.kind {
        OpKind::Set => payload.text.as_deref().map(Cow::Borrowed),
        OpKind::Delete => None,
        OpKind::Patch => {
            let before = before.ok_or_else(|| not_found(collection, key))?;
            let patched = apply(limits, before.to_owned(), payload.text.as_deref())
                .map_err(|error| Error::PatchFailed { collection: collection.clone(), key: key.clone(), error })?;
            Some(Cow::Owned(patched))
        }
    }))
}

impl Effect<'_> {
    /// The value, where that is what it is on.
    fn value(&self) -> Option<&str> {
        match self {
            Effect::Value(value) => value.as_deref(),
            Effect::Resource(_) => None,
        }
    }

    /// Writes it to the view of an item that has a row, with that row.
    fn show(&self, connection: &Connection, item: Item, payload: &Payload) -> Result<()> {
        match self {
            Effect::Value(value) => {
                if value.is_none() && !planted(Planted::DeletedItemKeepsResources) {
                    resources::clear(connection, item.id, Side::View)?;
                }
                items::update(connection, item, value.as_deref())
            }
            Effect::Resource(content) => {
                resources::put(connection, item.id, &payload.resource, Side::View, content.as_ref())?;
                items::update_confirmed(connection, item)
            }
        }
    }
}

fn apply(limits: &Limits, value: String, patch: Option<&str>) -> Result<String, PatchError> {
    let failed =
        |error: crate::protocol::JsonError| PatchError { operation: 0, path: String::new(), reason: error.to_string() };
    let value = Json::from_stored(value).map_err(failed)?;
    let patch = Json::from_stored(patch.unwrap_or("null").to_owned()).map_err(failed)?;
    Ok(patch::apply(&value, &patch, limits)?.into_string())
}

/// The difference as a patch, or as one that replaces the whole when that is shorter by far.
fn difference(from: &Value, to: Value, after: &Json) -> Result<Patch> {
    let patch = patch::diff(from, &to);
    let text = Json::from_serialize(&patch)?;
    // What the operation around a whole value takes.
    const AROUND: usize = 64;
    if text.as_str().len() <= after.as_str().len() + AROUND {
        return Ok(patch);
    }
    Ok(Patch(vec![PatchOperation::Replace(ReplaceOperation { path: Default::default(), value: to })]))
}

#[cfg(test)]
mod tests {
    use crate::{Options, Store};
    use serde_json::json;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_panic_in_the_closure_of_an_update_writes_nothing_and_leaves_the_store_usable() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("s.db"), Options::default()).unwrap();
        store.set("c", "list", &json!([1])).unwrap();
        let before = store.pending().unwrap();
        // Of an array there is no member to set: serde_json panics.
        let update = || store.update("c", "list", |value| value["done"] = true.into());
        assert!(catch_unwind(AssertUnwindSafe(update)).is_err());
        assert_eq!((store.pending().unwrap(), store.get_raw("c", "list").unwrap().as_deref()), (before, Some("[1]")));
        store.set("c", "list", &json!([2])).unwrap();
    }
}
