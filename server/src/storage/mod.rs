//! What the server keeps: the primitives that the deciding core and the readers need, and SQLite behind them.

mod error;
mod listing;
pub mod queued;
mod row;
pub mod size;
pub mod sqlite;

pub use error::StorageError;
pub use listing::{CountedCollections, ItemPlace, Listing};
pub use row::{BatchKey, ClientKey, CollectionKey, EpochId, ItemKey, Part};
pub use row::{
    BatchRow, BatchState, CheckpointRow, ClientRow, Image, ItemHead, ItemMark, ItemRow, ItemSpan, Link, LogKept,
    LogRow, Payload, RefRow, RefState, Rejection, ResourceName, State, StoredEntry, Tombstone,
};

use queued::{QueueSnapshot, QueueTransaction};
use syncstore::protocol::{BatchId, ClientId, Json, Object, Op, Ref, Rev, Seq};

/// The result of every primitive.
pub type Stored<T> = Result<T, StorageError>;

/// A view of one database as it was at one moment.
pub trait Snapshot: QueueSnapshot {
    /// The head of the log and everything else that there is one of.
    fn state(&self) -> &State;
    /// What the database has, in bytes: without its free pages and without its write-ahead log.
    fn bytes(&self) -> Stored<u64>;
    /// The ref of the log's entry at exactly `seq`.
    fn entry_ref(&self, seq: Seq) -> Stored<Option<Ref>>;
    /// The head that the log had when the epoch after `epoch` was begun; `None` for an unknown or the present epoch.
    fn end_of_epoch(&self, epoch: &EpochId) -> Stored<Option<Seq>>;
    /// The database's first epoch, which names it for good.
    fn first_epoch(&self) -> Stored<EpochId>;
    /// The head that the log had when the present epoch was begun.
    fn start_of_epoch(&self) -> Stored<Seq>;
    /// Whose a client id is.
    fn client(&self, client: &ClientId) -> Stored<Option<ClientRow>>;
    /// Why the op with that seq was rejected.
    fn rejection(&self, seq: Seq) -> Stored<Option<Rejection>>;
    /// A checkpoint that has not been removed.
    fn checkpoint(&self, id: &[u8; 16]) -> Stored<Option<CheckpointRow>>;
    /// The log's entries above `after` in their order, for as long as `visit` says to go on. The payload is left out
    /// of those that are not `wanted` with it.
    fn entries(
        &self,
        after: Seq,
        wanted: &dyn Fn(&StoredEntry) -> bool,
        visit: &mut dyn FnMut(StoredEntry) -> bool,
    ) -> Stored<()>;
    /// The number of a collection that has or had items.
    fn collection_key(&self, name: &str) -> Stored<Option<CollectionKey>>;
    /// The items of these ranges, which must be in order, after that place in the order of (collection key, key), for as
    /// long as `visit` says to go on; of those that have one of the tags in `needed`, if there is such a list.
    ///
    /// Ends after `most` items were looked at, if the last of them was left out, and returns that one.
    fn items(
        &self,
        spans: &[ItemSpan],
        after: (CollectionKey, &str),
        needed: Option<&[String]>,
        most: usize,
        visit: &mut dyn FnMut(ItemRow) -> bool,
    ) -> Stored<Option<ItemMark>>;
    /// Where an item stands, unless it was changed or deleted since.
    fn marked(&self, mark: ItemMark) -> Stored<Option<(CollectionKey, String)>>;
    /// How many items have one of these tags.
    fn count_items(&self, needed: &[String]) -> Stored<u64>;
    /// How many items there are in these ranges, or how many of them have one of the tags in `needed`.
    fn count_spans(&self, spans: &[ItemSpan], needed: Option<&[String]>) -> Stored<u64>;

    /// The number of a collection that has or had items.
    fn collection_named(&self, name: &str) -> Stored<Option<CollectionKey>>;
    /// An item without its value.
    fn item(&self, collection: CollectionKey, key: &str) -> Stored<Option<ItemHead>>;
    /// An item with everything but its tags.
    fn image(&self, item: ItemKey) -> Stored<Image>;
    /// An item's tags, sorted.
    fn tags(&self, item: ItemKey) -> Stored<Vec<String>>;
    /// Up to `most` places of a listing in its order, and whether there may be more after the last of them; of items that
    /// have one of the tags in `needed`, if there is such a list, which must be sorted and without repetitions.
    fn places(&self, listing: &Listing<'_>, needed: Option<&[String]>, most: usize) -> Stored<(Vec<ItemPlace>, bool)>;
    /// An item's rev and value.
    fn item_content(&self, item: ItemKey) -> Stored<(Rev, Json)>;
    /// Up to `most` collections after that name, in the order of names, and how many items each has: of those that have
    /// one of the tags in `needed`, if there is such a list, which must be sorted and without repetitions. None without items.
    fn collections(&self, after: &str, needed: Option<&[String]>, most: usize) -> Stored<CountedCollections>;
}

/// A transaction that may write; what it did is kept only once its owner commits it.
pub trait Transaction: Snapshot + QueueTransaction {
    /// Notes that so many bytes of values were read or written, or that something took as long.
    fn add_work(&mut self, bytes: usize);
    /// All that was noted since the transaction began, for parts that were undone too.
    fn work(&self) -> u64;

    /// Takes the next seq; the log's entry with it must follow.
    fn next_seq(&mut self) -> Stored<Seq>;
    /// Begins a part that may be undone by itself; parts nest.
    fn begin_part(&mut self) -> Stored<Part>;
    /// Keeps a part, or undoes it, with all that were begun within it.
    fn end_part(&mut self, part: Part, keep: bool) -> Stored<()>;

    /// The user of a client, unless its id has expired.
    fn user_of(&self, client: ClientKey) -> Stored<Option<String>>;
    /// Records the first use of a client id.
    fn add_client(&mut self, client: &ClientId, user: &str, now: u64) -> Stored<ClientKey>;
    /// Records that a client was seen, and how far it has pulled.
    fn touch_client(&mut self, client: &ClientId, position: Seq, now: u64) -> Stored<()>;

    /// The client as which a user writes without a replica, made when missing; it counts as having pulled everything.
    /// That it was seen is recorded every `seen_interval` milliseconds.
    fn client_without_replica(&mut self, user: &str, now: u64, seen_interval: u64) -> Stored<ClientKey>;

    /// Records a ref; `false` when it is known, which changes nothing.
    fn record_ref(&mut self, op_ref: &Ref, row: &RefRow) -> Stored<bool>;
    /// What became of a ref.
    fn find_ref(&self, op_ref: &Ref) -> Stored<Option<RefRow>>;
    /// Records what became of a known ref.
    fn settle_ref(&mut self, op_ref: &Ref, state: RefState, seq: Seq, now: u64) -> Stored<()>;

    /// A collection that has or had items.
    fn find_collection(&mut self, name: &str) -> Stored<Option<CollectionKey>>;
    /// A collection, made when missing.
    fn collection(&mut self, name: &str) -> Stored<CollectionKey>;
    /// An item's value.
    fn item_value(&self, item: ItemKey) -> Stored<Json>;
    /// Makes an item.
    fn insert_item(&mut self, collection: CollectionKey, key: &str, head: &ItemHead, value: &Json) -> Stored<ItemKey>;
    /// Replaces an item's value.
    fn update_item(&mut self, head: &ItemHead, value: &Json) -> Stored<()>;
    /// Records that an op changed something of an item other than its value.
    fn touch_item(&mut self, head: &ItemHead) -> Stored<()>;
    /// Removes an item with everything that it has and leaves its tombstone.
    fn delete_item(
        &mut self,
        head: &ItemHead,
        collection: CollectionKey,
        key: &str,
        tombstone: &Tombstone,
    ) -> Stored<()>;
    /// The delete that ended an item, for as long as the log reaches back to it.
    fn tombstone(&self, collection: CollectionKey, key: &str) -> Stored<Option<Tombstone>>;

    /// Adds a tag that the item does not have.
    fn add_tag(&mut self, item: ItemKey, tag: &str) -> Stored<()>;
    /// Removes a tag.
    fn remove_tag(&mut self, item: ItemKey, tag: &str) -> Stored<()>;
    /// The ordering key of an index entry.
    fn index_entry(&self, item: ItemKey, name: &str) -> Stored<Option<String>>;
    /// Makes or replaces an index entry.
    fn set_index_entry(&mut self, item: ItemKey, name: &str, order: &str) -> Stored<()>;
    /// Removes an index entry.
    fn delete_index_entry(&mut self, item: ItemKey, name: &str) -> Stored<()>;
    /// Where a relation leads.
    fn relation(&self, item: ItemKey, id: &str) -> Stored<Option<Link>>;
    /// Makes or replaces a relation.
    fn set_relation(&mut self, item: ItemKey, id: &str, predicate: &str, object: &Object) -> Stored<()>;
    /// Removes a relation.
    fn delete_relation(&mut self, item: ItemKey, id: &str) -> Stored<()>;

    /// Appends an accepted entry.
    fn append(&mut self, row: &LogRow<'_>) -> Stored<()>;
    /// Appends a rejected entry with its reason.
    fn append_rejected(
        &mut self,
        seq: Seq,
        op_ref: &Ref,
        client: ClientKey,
        batch: Option<BatchId>,
        now: u64,
        rejection: &Rejection,
    ) -> Stored<()>;
    /// The rev that the accepted entry with that seq left its item at; `None`: there is none, or it was pruned.
    fn rev_after(&self, seq: Seq) -> Stored<Option<Rev>>;
    /// One entry of the log, with the payload if it is on the value.
    fn entry(&self, seq: Seq) -> Stored<Option<StoredEntry>>;

    /// A batch of a client.
    fn batch(&self, client: ClientKey, batch: &BatchId) -> Stored<Option<BatchRow>>;
    /// Begins a batch.
    fn add_batch(&mut self, row: &BatchRow, now: u64) -> Stored<BatchKey>;
    /// Replaces a batch's counts and state; `now`: when it ended, if it has.
    fn update_batch(&mut self, row: &BatchRow, now: u64) -> Stored<()>;
    /// Gives a batch that is not complete, with its ops and their refs, to another client: as it is, or into the row that
    /// this client has for it, whose counts are left to the caller.
    fn hand_over(&mut self, batch: BatchKey, to: ClientKey, into: Option<BatchKey>) -> Stored<()>;
    /// Adds an op to a batch.
    fn stage(&mut self, batch: BatchKey, op: &Op) -> Stored<()>;
    /// Takes the ops of a batch out, in the order in which they came, without `batch` and `of`.
    fn take_staged(&mut self, batch: BatchKey) -> Stored<Vec<Op>>;
    /// The items with a staged op of the client, and the op's batch.
    fn staged_items(&self, client: ClientKey) -> Stored<Vec<(String, String, BatchId)>>;
    /// The items with a staged op of a batch.
    fn staged_items_of(&self, batch: BatchKey) -> Stored<Vec<(String, String)>>;
    /// How many batches of the client are not complete, and how many ops they will have when they are.
    fn open_batches(&self, client: ClientKey) -> Stored<(usize, u64)>;
    /// Batches begun before that time which are still not complete.
    fn overdue_batches(&self, before: u64, limit: u32) -> Stored<Vec<BatchRow>>;

    /// Keeps a checkpoint, in the place of the client's earlier one.
    fn add_checkpoint(&mut self, row: &CheckpointRow) -> Stored<()>;
    /// Records that a checkpoint was used.
    fn touch_checkpoint(&mut self, id: &[u8; 16], now: u64) -> Stored<()>;

    /// Up to `limit` checkpoints whose ids are above `after`, in the order of ids.
    fn checkpoints(&self, after: Option<&[u8; 16]>, limit: u32) -> Stored<Vec<CheckpointRow>>;
    /// Removes a checkpoint.
    fn remove_checkpoint(&mut self, id: &[u8; 16]) -> Stored<()>;
    /// Removes up to `limit` of the oldest entries of the log that are more than `keep`, but for those above `held`, with the
    /// tombstones of deletes among them. Returns how many.
    fn prune_log(&mut self, keep: LogKept, held: Seq, limit: u32) -> Stored<u64>;
    /// Looks at up to `limit` refs above `after` whose own time and commit are before `before`, and
    /// removes those that their client has pulled past or whose client is gone. Returns where to go on.
    fn prune_refs(&mut self, after: Option<Ref>, before: u64, limit: u32) -> Stored<Option<Ref>>;
    /// Looks at up to `limit` clients above `after` and removes those not seen since `before`. Returns where to go on.
    fn prune_clients(&mut self, after: ClientKey, before: u64, limit: u32) -> Stored<Option<ClientKey>>;
    /// Looks at up to `limit` batches above `after` and removes those that ended before that time. Returns
    /// where to go on; nowhere, where all of them were begun or ended later.
    fn prune_batches(&mut self, after: BatchKey, times: (u64, u64), limit: u32) -> Stored<Option<BatchKey>>;

    /// Begins a new epoch: its seqs are far above all that an unknown later life of the log may have had.
    fn begin_epoch(&mut self, epoch: EpochId) -> Stored<()>;
}
