//! The storage traits over SQLite connections.

use super::state::MAX_SEQ;
use super::{
    StorageError, Stored, batches, checkpoints, clients, content, index_entries, items, listings, log, refs, relations,
    state, tags,
};
use crate::storage::{
    BatchKey, BatchRow, CheckpointRow, ClientKey, ClientRow, CollectionKey, CountedCollections, EpochId, Image,
    ItemHead, ItemKey, ItemMark, ItemPlace, ItemRow, ItemSpan, Link, Listing, LogKept, LogRow, Part, RefRow, RefState,
    Rejection, Snapshot, State, StoredEntry, Tombstone, Transaction,
};
use rusqlite::{Connection, TransactionBehavior};
use std::collections::HashMap;
use syncstore::protocol::{BatchId, ClientId, Json, Object, Op, Ref, Rev, Seq};

/// A read transaction: everything it gives is of one moment.
pub struct SqliteSnapshot<'c> {
    pub(super) transaction: rusqlite::Transaction<'c>,
    state: State,
}

impl<'c> SqliteSnapshot<'c> {
    /// Begins to read.
    pub fn begin(connection: &'c mut Connection) -> Stored<SqliteSnapshot<'c>> {
        let transaction = connection.transaction()?;
        let state = state::read(&transaction)?;
        Ok(SqliteSnapshot { transaction, state })
    }
}

/// What a writer keeps between its transactions.
#[derive(Debug, Default)]
pub struct WriterCaches {
    // Collections are never removed, so an entry goes stale only when the transaction that made it is undone.
    collections: HashMap<String, CollectionKey>,
}

// Clients choose the names: what is remembered of them must not grow with their number.
const MOST_NAMES: usize = 10_000;

impl WriterCaches {
    fn remember(&mut self, name: &str, collection: CollectionKey) {
        if self.collections.len() >= MOST_NAMES {
            self.collections.clear();
        }
        self.collections.insert(name.to_owned(), collection);
    }
}

/// The write transaction of a group of pushes; dropped, it is undone.
pub struct SqliteTransaction<'c> {
    pub(super) transaction: rusqlite::Transaction<'c>,
    caches: &'c mut WriterCaches,
    pub(super) state: State,
    parts: Vec<State>,
    work: u64,
    committed: bool,
}

impl<'c> SqliteTransaction<'c> {
    /// Begins to write, and waits for another process that does.
    pub fn begin(connection: &'c mut Connection, caches: &'c mut WriterCaches) -> Stored<SqliteTransaction<'c>> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let state = state::read(&transaction)?;
        Ok(SqliteTransaction { transaction, caches, state, parts: Vec::new(), work: 0, committed: false })
    }

    /// Makes everything durable and returns the state it leaves.
    pub fn commit(mut self) -> Stored<State> {
        state::write(&self.transaction, &self.state)?;
        self.transaction.execute_batch("COMMIT")?;
        self.committed = true;
        Ok(self.state)
    }
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        if !self.committed {
            self.caches.collections.clear();
        }
    }
}

macro_rules! snapshot {
    ($type:ident) => {
        impl Snapshot for $type<'_> {
            fn state(&self) -> &State {
                &self.state
            }
            fn bytes(&self) -> Stored<u64> {
                content::bytes(&self.transaction)
            }
            fn entry_ref(&self, seq: Seq) -> Stored<Option<Ref>> {
                log::entry_ref(&self.transaction, seq)
            }
            fn end_of_epoch(&self, epoch: &EpochId) -> Stored<Option<Seq>> {
                state::end_of_epoch(&self.transaction, &self.state, epoch)
            }
            fn first_epoch(&self) -> Stored<EpochId> {
                state::first_epoch(&self.transaction)
            }
            fn start_of_epoch(&self) -> Stored<Seq> {
                state::start_of_epoch(&self.transaction)
            }
            fn client(&self, client: &ClientId) -> Stored<Option<ClientRow>> {
                clients::find(&self.transaction, client)
            }
            fn rejection(&self, seq: Seq) -> Stored<Option<Rejection>> {
                log::rejection(&self.transaction, seq)
            }
            fn checkpoint(&self, id: &[u8; 16]) -> Stored<Option<CheckpointRow>> {
                checkpoints::find(&self.transaction, id)
            }
            fn entries(
                &self,
                after: Seq,
                wanted: &dyn Fn(&StoredEntry) -> bool,
                visit: &mut dyn FnMut(StoredEntry) -> bool,
            ) -> Stored<()> {
                log::entries(&self.transaction, after, wanted, visit)
            }
            fn collection_key(&self, name: &str) -> Stored<Option<CollectionKey>> {
                items::find_collection(&self.transaction, name)
            }
            fn items(
                &self,
                spans: &[ItemSpan],
                after: (CollectionKey, &str),
                needed: Option<&[String]>,
                most: usize,
                visit: &mut dyn FnMut(ItemRow) -> bool,
            ) -> Stored<Option<ItemMark>> {
                items::page(&self.transaction, spans, after, needed, most, visit)
            }
            fn marked(&self, mark: ItemMark) -> Stored<Option<(CollectionKey, String)>> {
                items::marked(&self.transaction, mark)
            }
            fn count_items(&self, needed: &[String]) -> Stored<u64> {
                tags::count_items(&self.transaction, needed)
            }
            fn collection_named(&self, name: &str) -> Stored<Option<CollectionKey>> {
                items::find_collection(&self.transaction, name)
            }
            fn item(&self, collection: CollectionKey, key: &str) -> Stored<Option<ItemHead>> {
                items::find(&self.transaction, collection, key)
            }
            fn image(&self, item: ItemKey) -> Stored<Image> {
                items::image(&self.transaction, item)
            }
            fn tags(&self, item: ItemKey) -> Stored<Vec<String>> {
                tags::of_item(&self.transaction, item)
            }
            fn places(
                &self,
                listing: &Listing<'_>,
                needed: Option<&[String]>,
                most: usize,
            ) -> Stored<(Vec<ItemPlace>, bool)> {
                listings::places(&self.transaction, listing, needed, most)
            }
            fn item_content(&self, item: ItemKey) -> Stored<(Rev, Json)> {
                listings::content(&self.transaction, item)
            }
            fn collections(&self, after: &str, needed: Option<&[String]>, most: usize) -> Stored<CountedCollections> {
                listings::collections(&self.transaction, after, needed, most)
            }
            fn count_spans(&self, spans: &[ItemSpan], needed: Option<&[String]>) -> Stored<u64> {
                items::count(&self.transaction, spans, needed)
            }
        }
    };
}

snapshot!(SqliteSnapshot);
snapshot!(SqliteTransaction);

impl Transaction for SqliteTransaction<'_> {
    fn add_work(&mut self, bytes: usize) {
        self.work = self.work.saturating_add(bytes as u64);
    }
    fn work(&self) -> u64 {
        self.work
    }

    fn next_seq(&mut self) -> Stored<Seq> {
        let seq = self.state.next;
        if seq > MAX_SEQ {
            return Err(StorageError::corrupt("there are no seqs left"));
        }
        self.state.next = seq + 1;
        Ok(seq)
    }
    fn begin_part(&mut self) -> Stored<Part> {
        let part = Part(self.parts.len());
        self.transaction.prepare_cached(&format!("SAVEPOINT part{}", part.0))?.execute([])?;
        self.parts.push(self.state);
        Ok(part)
    }
    fn end_part(&mut self, part: Part, keep: bool) -> Stored<()> {
        let before = *self.parts.get(part.0).ok_or_else(|| StorageError::corrupt("the part is not open"))?;
        self.parts.truncate(part.0);
        if !keep {
            self.transaction.prepare_cached(&format!("ROLLBACK TO part{}", part.0))?.execute([])?;
            self.state = before;
            self.caches.collections.clear();
        }
        self.transaction.prepare_cached(&format!("RELEASE part{}", part.0))?.execute([])?;
        Ok(())
    }

    fn user_of(&self, client: ClientKey) -> Stored<Option<String>> {
        clients::user_of(&self.transaction, client)
    }
    fn add_client(&mut self, client: &ClientId, user: &str, now: u64) -> Stored<ClientKey> {
        clients::add(&self.transaction, client, user, now)
    }
    fn touch_client(&mut self, client: &ClientId, position: Seq, now: u64) -> Stored<()> {
        clients::touch(&self.transaction, client, position, now)
    }

    fn client_without_replica(&mut self, user: &str, now: u64, seen_interval: u64) -> Stored<ClientKey> {
        clients::without_replica(&self.transaction, user, now, seen_interval)
    }

    fn record_ref(&mut self, op_ref: &Ref, row: &RefRow) -> Stored<bool> {
        refs::record(&self.transaction, op_ref, row)
    }
    fn find_ref(&self, op_ref: &Ref) -> Stored<Option<RefRow>> {
        refs::find(&self.transaction, op_ref)
    }
    fn settle_ref(&mut self, op_ref: &Ref, state: RefState, seq: Seq, now: u64) -> Stored<()> {
        refs::settle(&self.transaction, op_ref, state, seq, now)
    }

    fn find_collection(&mut self, name: &str) -> Stored<Option<CollectionKey>> {
        if let Some(known) = self.caches.collections.get(name) {
            return Ok(Some(*known));
        }
        let found = items::find_collection(&self.transaction, name)?;
        if let Some(found) = found {
            self.caches.remember(name, found);
        }
        Ok(found)
    }
    fn collection(&mut self, name: &str) -> Stored<CollectionKey> {
        if let Some(known) = self.find_collection(name)? {
            return Ok(known);
        }
        let made = items::add_collection(&self.transaction, name)?;
        self.caches.remember(name, made);
        Ok(made)
    }
    fn item_value(&self, item: ItemKey) -> Stored<Json> {
        items::value(&self.transaction, item)
    }
    fn insert_item(&mut self, collection: CollectionKey, key: &str, head: &ItemHead, value: &Json) -> Stored<ItemKey> {
        self.state.items += 1;
        items::insert(&self.transaction, collection, key, head, value)
    }
    fn update_item(&mut self, head: &ItemHead, value: &Json) -> Stored<()> {
        items::update(&self.transaction, head, value)
    }
    fn touch_item(&mut self, head: &ItemHead) -> Stored<()> {
        items::touch(&self.transaction, head)
    }
    fn delete_item(
        &mut self,
        head: &ItemHead,
        collection: CollectionKey,
        key: &str,
        tombstone: &Tombstone,
    ) -> Stored<()> {
        self.state.items = self.state.items.saturating_sub(1);
        items::delete(&self.transaction, head, collection, key, tombstone)
    }
    fn tombstone(&self, collection: CollectionKey, key: &str) -> Stored<Option<Tombstone>> {
        items::tombstone(&self.transaction, collection, key)
    }

    fn add_tag(&mut self, item: ItemKey, tag: &str) -> Stored<()> {
        tags::add(&self.transaction, item, tag)
    }
    fn remove_tag(&mut self, item: ItemKey, tag: &str) -> Stored<()> {
        tags::remove(&self.transaction, item, tag)
    }
    fn index_entry(&self, item: ItemKey, name: &str) -> Stored<Option<String>> {
        index_entries::find(&self.transaction, item, name)
    }
    fn set_index_entry(&mut self, item: ItemKey, name: &str, order: &str) -> Stored<()> {
        index_entries::set(&self.transaction, item, name, order)
    }
    fn delete_index_entry(&mut self, item: ItemKey, name: &str) -> Stored<()> {
        index_entries::delete(&self.transaction, item, name)
    }
    fn relation(&self, item: ItemKey, id: &str) -> Stored<Option<Link>> {
        relations::find(&self.transaction, item, id)
    }
    fn set_relation(&mut self, item: ItemKey, id: &str, predicate: &str, object: &Object) -> Stored<()> {
        relations::set(&self.transaction, item, id, predicate, object)
    }
    fn delete_relation(&mut self, item: ItemKey, id: &str) -> Stored<()> {
        relations::delete(&self.transaction, item, id)
    }

    fn append(&mut self, row: &LogRow<'_>) -> Stored<()> {
        self.state.head = row.seq;
        self.state.entries += 1;
        self.state.log_bytes += log::append(&self.transaction, row)?;
        Ok(())
    }
    fn append_rejected(
        &mut self,
        seq: Seq,
        op_ref: &Ref,
        client: ClientKey,
        batch: Option<BatchId>,
        now: u64,
        rejection: &Rejection,
    ) -> Stored<()> {
        self.state.head = seq;
        self.state.entries += 1;
        self.state.log_bytes += log::append_rejected(&self.transaction, seq, op_ref, client, batch, now, rejection)?;
        Ok(())
    }
    fn rev_after(&self, seq: Seq) -> Stored<Option<Rev>> {
        log::rev_after(&self.transaction, seq)
    }
    fn entry(&self, seq: Seq) -> Stored<Option<StoredEntry>> {
        log::entry(&self.transaction, seq)
    }

    fn batch(&self, client: ClientKey, batch: &BatchId) -> Stored<Option<BatchRow>> {
        batches::find(&self.transaction, client, batch)
    }
    fn add_batch(&mut self, row: &BatchRow, now: u64) -> Stored<BatchKey> {
        batches::add(&self.transaction, row, now)
    }
    fn update_batch(&mut self, row: &BatchRow, now: u64) -> Stored<()> {
        batches::update(&self.transaction, row, now)
    }
    fn hand_over(&mut self, batch: BatchKey, to: ClientKey, into: Option<BatchKey>) -> Stored<()> {
        batches::hand_over(&self.transaction, batch, to, into)
    }
    fn stage(&mut self, batch: BatchKey, op: &Op) -> Stored<()> {
        batches::stage(&self.transaction, batch, op)
    }
    fn take_staged(&mut self, batch: BatchKey) -> Stored<Vec<Op>> {
        batches::take(&self.transaction, batch)
    }
    fn staged_items(&self, client: ClientKey) -> Stored<Vec<(String, String, BatchId)>> {
        batches::items(&self.transaction, client)
    }
    fn staged_items_of(&self, batch: BatchKey) -> Stored<Vec<(String, String)>> {
        batches::items_of(&self.transaction, batch)
    }
    fn open_batches(&self, client: ClientKey) -> Stored<(usize, u64)> {
        batches::open(&self.transaction, client)
    }
    fn overdue_batches(&self, before: u64, limit: u32) -> Stored<Vec<BatchRow>> {
        batches::overdue(&self.transaction, before, limit)
    }

    fn add_checkpoint(&mut self, row: &CheckpointRow) -> Stored<()> {
        checkpoints::add(&self.transaction, row)
    }
    fn touch_checkpoint(&mut self, id: &[u8; 16], now: u64) -> Stored<()> {
        checkpoints::touch(&self.transaction, id, now)
    }

    fn checkpoints(&self, after: Option<&[u8; 16]>, limit: u32) -> Stored<Vec<CheckpointRow>> {
        checkpoints::after(&self.transaction, after, limit)
    }
    fn remove_checkpoint(&mut self, id: &[u8; 16]) -> Stored<()> {
        checkpoints::remove(&self.transaction, id)
    }
    fn prune_log(&mut self, keep: LogKept, held: Seq, limit: u32) -> Stored<u64> {
        log::prune(&self.transaction, &mut self.state, keep, held, limit)
    }
    fn prune_refs(&mut self, after: Option<Ref>, before: u64, limit: u32) -> Stored<Option<Ref>> {
        refs::prune(&self.transaction, &mut self.state, after, before, limit)
    }
    fn prune_clients(&mut self, after: ClientKey, before: u64, limit: u32) -> Stored<Option<ClientKey>> {
        clients::prune(&self.transaction, after, before, limit)
    }
    fn prune_batches(&mut self, after: BatchKey, times: (u64, u64), limit: u32) -> Stored<Option<BatchKey>> {
        batches::prune(&self.transaction, after, times, limit)
    }

    fn begin_epoch(&mut self, epoch: EpochId) -> Stored<()> {
        state::begin_epoch(&self.transaction, &mut self.state, epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_are_remembered_are_bounded() {
        let mut caches = WriterCaches::default();
        for number in 0..=MOST_NAMES {
            caches.remember(&number.to_string(), CollectionKey(number as i64));
        }
        assert_eq!(caches.collections, HashMap::from([(MOST_NAMES.to_string(), CollectionKey(MOST_NAMES as i64))]));
    }
}
