//! Watching
//!
//! A watcher collects which items change: by local writes, of any process that has the file open, and by what a sync brings. It tells of
//! what is committed alone, each item once, and says so when there was more than it could hold. It tells when it is asked; the events of a
//! store bring the same by a queue.

use super::callback::{syncstore_destroy, syncstore_wake, waker};
use super::error::syncstore_error;
use super::kit::callback::UserData;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life};
use super::kit::input::{self, CText};
use super::kit::output::{Plain, optional};
use super::kit::sized::StructSize;
use super::op_ref::syncstore_ref;
use super::status::syncstore_status;
use super::store::syncstore;
use crate::index::IndexValue;
use crate::protocol::Ref;
use crate::store::{Query, Store, Watcher};
use crate::watch::{ChangeKind, Changes, ItemChange, Origin, Overflow, Watch};
use serde_json::Value;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::Arc;

/// What became of an item. A later version may know others: look at the item then.
pub type syncstore_change_kind = i32;

/// It has a value, another than before. Its index entries, relations and tags may be others, too.
pub const SYNCSTORE_CHANGE_SET: syncstore_change_kind = 1;
/// It is gone: it was deleted, or an own operation that made it was rejected.
pub const SYNCSTORE_CHANGE_DELETED: syncstore_change_kind = 2;
/// It is gone from this replica, since the user may not see it any more. It is not deleted.
pub const SYNCSTORE_CHANGE_REVOKED: syncstore_change_kind = 3;
/// Its value is as it was; index entries, relations or tags of it are others.
pub const SYNCSTORE_CHANGE_RESOURCES: syncstore_change_kind = 4;

/// Where a change came from.
pub type syncstore_origin = i32;

/// A write to this replica, by any store that has its file open.
pub const SYNCSTORE_ORIGIN_LOCAL: syncstore_origin = 1;
/// The server: others' operations, or its rejection of an own one.
pub const SYNCSTORE_ORIGIN_REMOTE: syncstore_origin = 2;

/// Why it is not known what changed: look at everything again. A later version may know others.
pub type syncstore_overflow = i32;

/// It is known what changed.
pub const SYNCSTORE_OVERFLOW_NONE: syncstore_overflow = 0;
/// More items changed than syncstore_watch_options.capacity.
pub const SYNCSTORE_OVERFLOW_FULL: syncstore_overflow = 1;
/// Other processes changed more than the file keeps a trail of: some 4,096 items.
pub const SYNCSTORE_OVERFLOW_MISSED: syncstore_overflow = 2;
/// A checkpoint took the place of everything, or the replica keeps more than before, or less.
pub const SYNCSTORE_OVERFLOW_RELOADED: syncstore_overflow = 3;
/// The index that is watched was declared, dropped, or built to its end.
pub const SYNCSTORE_OVERFLOW_REINDEXED: syncstore_overflow = 4;

pub(super) fn overflow(why: Overflow) -> syncstore_overflow {
    match why {
        Overflow::Full => SYNCSTORE_OVERFLOW_FULL,
        Overflow::Missed => SYNCSTORE_OVERFLOW_MISSED,
        Overflow::Reloaded => SYNCSTORE_OVERFLOW_RELOADED,
        Overflow::Reindexed => SYNCSTORE_OVERFLOW_REINDEXED,
    }
}

/// Which items to be told of; begin with SYNCSTORE_WATCH_OPTIONS_INIT. Of everything 0, or NULL, is the default: all of it, every item. The
/// texts are used during the call alone.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_watch_options {
    /// Set by SYNCSTORE_WATCH_OPTIONS_INIT.
    pub struct_size: usize,
    /// Only items of this collection. Everything below but capacity needs it.
    pub collection: *const c_char,
    /// Only this item, whether there is one now or not. With none of the four below.
    pub key: *const c_char,
    /// Only items that stand in this index, in the range that the three below make, and whenever one comes into it or leaves it; NULL: they
    /// are about keys.
    pub index: *const c_char,
    /// Only keys, or ordering keys, that begin so.
    pub prefix: *const c_char,
    /// Only this place and those behind it: JSON text of a string, or, of an automatic index, of a number, true or false, or a date
    /// as {"seconds": s, "nanos": n}, since 1970 in UTC.
    pub from: *const c_char,
    /// Only places before this one; likewise.
    pub to: *const c_char,
    /// How many items may have changed between two looks before it gives up and says SYNCSTORE_OVERFLOW_FULL. It holds their names, and no
    /// values. Default: 4,096.
    pub capacity: u64,
}

// SAFETY: numbers and pointers.
unsafe impl Plain for syncstore_watch_options {}
// SAFETY: it begins with its size, and its last member is as wide as its alignment.
unsafe impl StructSize for syncstore_watch_options {
    const FIRST_SIZE: usize = size_up_to!(syncstore_watch_options.capacity);
}

/// A place in the order of an index, from its JSON text.
pub(super) fn place(text: &str, called: &str) -> Result<IndexValue, Failure> {
    let parsed: Result<Value, _> = serde_json::from_str(text);
    let none = || Failure::misuse(called, "is not the JSON text of a string, a number, true, false or a date");
    match parsed.map_err(|_| none())? {
        Value::String(text) => Ok(IndexValue::Text(text)),
        Value::Bool(value) => Ok(IndexValue::Bool(value)),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Ok(IndexValue::Integer(number)),
            (_, Some(number), _) => Ok(IndexValue::Unsigned(number)),
            (_, _, Some(number)) => Ok(IndexValue::Float(number)),
            _ => Err(none()),
        },
        Value::Object(date) => {
            let seconds = date.get("seconds").and_then(Value::as_i64).ok_or_else(none)?;
            let nanos = date.get("nanos").map_or(Some(0), Value::as_u64).filter(|nanos| *nanos < 1_000_000_000);
            Ok(IndexValue::Instant { seconds, nanos: nanos.ok_or_else(none)? as u32 })
        }
        Value::Null | Value::Array(_) => Err(none()),
    }
}

/// # Safety
///
/// Its texts are NULL, or end with NUL.
pub(super) unsafe fn read_watch(store: &Store, given: syncstore_watch_options) -> Result<Watch, Failure> {
    // SAFETY: the condition above.
    let [collection, key, index, prefix, from, to] = unsafe {
        [
            input::name(given.collection, "options.collection")?,
            input::name(given.key, "options.key")?,
            input::name(given.index, "options.index")?,
            input::name(given.prefix, "options.prefix")?,
            input::name(given.from, "options.from")?,
            input::name(given.to, "options.to")?,
        ]
    };
    let in_range = index.is_some() || from.is_some() || to.is_some();
    let watch = match (collection, key, prefix) {
        (None, None, None) if !in_range => Watch::all(),
        (None, _, _) => return Err(Failure::misuse("options.collection", "is NULL, and more than that is set")),
        (Some(_), Some(_), Some(_)) => return Err(Failure::misuse("options.key", "is set, and so is a range")),
        (Some(_), Some(_), None) if in_range => {
            return Err(Failure::misuse("options.key", "is set, and so is a range"));
        }
        (Some(collection), Some(key), None) => Watch::key(collection, key),
        (Some(collection), None, Some(prefix)) if !in_range => Watch::prefix(collection, prefix),
        (Some(collection), None, None) if !in_range => Watch::collection(collection),
        (Some(collection), None, prefix) => {
            let from = from.map(|from| place(from, "options.from")).transpose()?;
            let to = to.map(|to| place(to, "options.to")).transpose()?;
            if index.is_none() && [&from, &to].into_iter().flatten().any(|at| !matches!(at, IndexValue::Text(_))) {
                return Err(Failure::misuse("options.from", "or options.to is no string, as keys are"));
            }
            let query = store.query(collection);
            let query = index.into_iter().fold(query, Query::index);
            let query = prefix.into_iter().fold(query, Query::prefix);
            let query = from.into_iter().fold(query, Query::from);
            to.into_iter().fold(query, Query::to).watch()
        }
    };
    Ok(match usize::try_from(given.capacity) {
        Ok(0) => watch,
        Ok(capacity) => watch.capacity(capacity),
        Err(_) => watch.capacity(usize::MAX),
    })
}

/// Collects what changes, from syncstore_watch() on.
pub struct syncstore_watcher {
    life: Life,
    store: Arc<syncstore>,
    watcher: Watcher,
}

impl Handle for syncstore_watcher {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Begins to collect what changes. Read what there is now afterwards; what comes later is told.
///
/// options: which items; NULL: every item.
/// wake: called each time that the watcher, having had nothing to tell, has something; may be NULL. It is called on the thread that commits, after the
/// commit and before the call that made it goes on: of a syncstore_set(), a sync, the background sync's. What other processes changed is found, and
/// told of, when something is written here or another watcher is asked. It may call everything but what syncs or waits for an operation. One that
/// another thread is about to make may still come after the watcher was freed.
/// user_data, destroy: see there; destroy may be NULL.
/// watcher: takes it; free it with syncstore_watcher_free().
/// Errors: SYNCSTORE_BUSY, SYNCSTORE_DISK_FULL, SYNCSTORE_STORAGE, since it needs to write for a moment.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_watch(
    store: *mut syncstore,
    options: *const syncstore_watch_options,
    wake: syncstore_wake,
    user_data: *mut c_void,
    destroy: syncstore_destroy,
    watcher: *mut *mut syncstore_watcher,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    // SAFETY: by the conventions of the header it may be called with that, once, on any thread.
    let data = unsafe { UserData::new(user_data, destroy) };
    call!(error, [required watcher], |store| {
        let options = options!(options);
        let held = store.store()?;
        // SAFETY: by the conventions of the header texts within options are NULL or end with NUL.
        let watch = unsafe { read_watch(&held, options) }?;
        let begun = held.watch_with(watch, waker(wake, data))?;
        watcher.give(syncstore_watcher { life: Life::new(), store: Arc::clone(store), watcher: begun })
    })
}

/// Takes what changed since this was called last, or since the watcher began; then the watcher has it no longer.
///
/// changes: takes the list, empty when nothing changed; free it with syncstore_changes_free().
/// Errors: when the file cannot be read; nothing is lost then.
///
/// Thread: any. It may wait for a commit that another thread is making.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_watcher_take(
    watcher: *mut syncstore_watcher,
    changes: *mut *mut syncstore_changes,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required changes], |watcher| {
        let _held = watcher.store.store()?;
        changes.give(syncstore_changes::new(watcher.watcher.take()?))
    })
}

/// Frees a watcher, which ends it. NULL is ignored.
///
/// Thread: any; no other may be using this watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_watcher_free(watcher: *mut syncstore_watcher) {
    free!(watcher)
}

/// What changed: a list.
pub struct syncstore_changes {
    life: Life,
    changes: Vec<Arc<syncstore_change>>,
    overflow: syncstore_overflow,
}

/// One item that reads otherwise than before. Never to be freed: it belongs to what it was asked of.
pub struct syncstore_change {
    life: Life,
    collection: CText,
    key: CText,
    kind: syncstore_change_kind,
    origin: syncstore_origin,
    op: Option<Ref>,
}

impl syncstore_changes {
    fn new(changes: Changes) -> syncstore_changes {
        let (changes, overflow) = match changes {
            Changes::Items(items) => (items, SYNCSTORE_OVERFLOW_NONE),
            Changes::Overflowed(why) => (Vec::new(), overflow(why)),
        };
        let changes = changes.iter().map(|change| Arc::new(syncstore_change::new(change))).collect();
        syncstore_changes { life: Life::new(), changes, overflow }
    }
}

impl syncstore_change {
    pub(super) fn new(change: &ItemChange) -> syncstore_change {
        syncstore_change {
            life: Life::new(),
            collection: CText::new(&change.collection),
            key: CText::new(&change.key),
            kind: match change.kind {
                ChangeKind::Set => SYNCSTORE_CHANGE_SET,
                ChangeKind::Deleted => SYNCSTORE_CHANGE_DELETED,
                ChangeKind::Revoked => SYNCSTORE_CHANGE_REVOKED,
                ChangeKind::Resources => SYNCSTORE_CHANGE_RESOURCES,
            },
            origin: match change.origin {
                Origin::Local => SYNCSTORE_ORIGIN_LOCAL,
                Origin::Remote => SYNCSTORE_ORIGIN_REMOTE,
            },
            op: change.op_ref,
        }
    }
}

impl Handle for syncstore_changes {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl Handle for syncstore_change {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// How many items changed; 0 where that is not known, and of NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_changes_count(changes: *const syncstore_changes) -> usize {
    read!(changes, 0, |changes| Some(changes.changes.len()))
}

/// Why it is not known what changed; SYNCSTORE_OVERFLOW_NONE: it is.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_changes_overflow(changes: *const syncstore_changes) -> syncstore_overflow {
    read!(changes, SYNCSTORE_OVERFLOW_NONE, |changes| Some(changes.overflow))
}

/// The change at a place, from 0, in the order in which each item first changed; NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_changes_at(
    changes: *const syncstore_changes,
    place: usize,
) -> *const syncstore_change {
    read!(changes, ptr::null(), |changes| changes.changes.get(place).map(Arc::as_ptr))
}

/// Frees a list of changes. NULL is ignored.
///
/// Thread: any; no other may be using this list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_changes_free(changes: *mut syncstore_changes) {
    free!(changes)
}

/// The item's collection; of NULL NULL. Belongs to the change.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_change_collection(change: *const syncstore_change) -> *const c_char {
    read!(change, ptr::null(), |change| Some(change.collection.as_ptr()))
}

/// The item's key; of NULL NULL. Belongs to the change.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_change_key(change: *const syncstore_change) -> *const c_char {
    read!(change, ptr::null(), |change| Some(change.key.as_ptr()))
}

/// What became of the item, all changes since the last look together; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_change_kind_of(change: *const syncstore_change) -> syncstore_change_kind {
    read!(change, 0, |change| Some(change.kind))
}

/// Where the change came from; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_change_origin(change: *const syncstore_change) -> syncstore_origin {
    read!(change, 0, |change| Some(change.origin))
}

/// The operation that changed the item last: one that was written, or that the server committed, or an own one that it rejected.
///
/// op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_change_ref(change: *const syncstore_change, op: *mut syncstore_ref) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let op = unsafe { optional(op, "op") };
    read!(change, 0, |change| change.op.map(|known| i32::from(op.put_ref(known).is_ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_any_scalar_of_an_index_and_nothing_else() {
        let at = |text: &str| place(text, "options.from").ok();
        assert_eq!(at("\"a\""), Some(IndexValue::Text("a".into())));
        assert_eq!(at("-1"), Some(IndexValue::Integer(-1)));
        assert_eq!(at("18446744073709551615"), Some(IndexValue::Unsigned(u64::MAX)));
        assert_eq!(at("1.5"), Some(IndexValue::Float(1.5)));
        assert_eq!(at("true"), Some(IndexValue::Bool(true)));
        assert_eq!(at("{\"seconds\": -1}"), Some(IndexValue::Instant { seconds: -1, nanos: 0 }));
        assert_eq!(at("{\"seconds\": 1, \"nanos\": 2}"), Some(IndexValue::Instant { seconds: 1, nanos: 2 }));
        for none in ["", "a", "null", "[]", "{}", "{\"seconds\": 1, \"nanos\": 1000000000}"] {
            assert_eq!(at(none), None, "{none}");
        }
    }
}
