//! Walks
//!
//! A walk goes from an item over relations, step by step along a path, the nearest items first. It is told its steps and bounds, and then run,
//! any number of times. Each item comes once for each place of the path at which it is reached, at its least depth, so rings end.

use super::error::syncstore_error;
use super::kit::call::Answer;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life};
use super::kit::input::{CText, flag};
use super::status::{SYNCSTORE_OK, syncstore_status};
use super::store::syncstore;
use crate::replica::{RelationPath, WalkOptions};
use parking_lot::Mutex;
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;

/// Where a walk begins, and how it goes on.
pub struct syncstore_walk {
    life: Life,
    store: Arc<syncstore>,
    collection: String,
    key: String,
    told: Mutex<Told>,
}

#[derive(Clone, Default)]
struct Told {
    path: Option<RelationPath>,
    depth: Option<usize>,
    limit: Option<usize>,
    values: bool,
}

impl Handle for syncstore_walk {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl syncstore_walk {
    fn tell(&self, tell: impl FnOnce(&mut Told)) -> Answer {
        tell(&mut self.told.lock());
        Ok(SYNCSTORE_OK)
    }
}

/// What a walk found, in the order in which it was reached.
pub struct syncstore_related_items {
    life: Life,
    items: Vec<Item>,
    more: bool,
}

struct Item {
    collection: CText,
    key: CText,
    depth: usize,
    value: Option<String>,
}

impl Handle for syncstore_related_items {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Begins a walk. It needs a step at least before it is run.
///
/// collection, key: the item to begin at.
/// walk: takes it; free it with syncstore_walk_free().
/// Errors: SYNCSTORE_CLOSED.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_walk_new(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    walk: *mut *mut syncstore_walk,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required walk], |store| {
        let (collection, key) = (name!(collection).to_owned(), name!(key).to_owned());
        store.store()?;
        let store = Arc::clone(store);
        walk.give(syncstore_walk { life: Life::new(), store, collection, key, told: Mutex::default() })
    })
}

/// Adds a step to the path: from subjects to their objects.
///
/// predicate: over relations of this one.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_walk_forwards(
    walk: *mut syncstore_walk,
    predicate: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |walk| {
        let predicate = name!(predicate);
        walk.tell(|told| {
            told.path = Some(match told.path.take() {
                None => RelationPath::forwards(predicate),
                Some(path) => path.then_forwards(predicate),
            });
        })
    })
}

/// Adds a step to the path: from objects to their subjects.
///
/// predicate: over relations of this one.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_walk_backwards(
    walk: *mut syncstore_walk,
    predicate: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |walk| {
        let predicate = name!(predicate);
        walk.tell(|told| {
            told.path = Some(match told.path.take() {
                None => RelationPath::backwards(predicate),
                Some(path) => path.then_backwards(predicate),
            });
        })
    })
}

/// So many steps at most. Beyond the end of the path it begins again: one step forwards by "in" with a depth of 9 finds what something is in,
/// what that is in, and so on.
///
/// steps: how many; 0: once along the path, as long as nothing is said.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_walk_depth(
    walk: *mut syncstore_walk,
    steps: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |walk| walk.tell(|told| told.depth = (steps > 0).then_some(steps)))
}

/// At most so many items, the nearest; syncstore_related_items_more() tells whether there are others.
///
/// items: how many; 0: 10,000, as long as nothing is said.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_walk_limit(
    walk: *mut syncstore_walk,
    items: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |walk| walk.tell(|told| told.limit = (items > 0).then_some(items)))
}

/// Whether the items come with their values.
///
/// values: 1: with them; 0: without, as long as nothing is said.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_walk_values(
    walk: *mut syncstore_walk,
    values: i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |walk| {
        let values = flag(values, "values")?;
        walk.tell(|told| told.values = values)
    })
}

/// Walks, all as of one moment. Objects that do not exist are reached like others, and lead nowhere but backwards.
///
/// found: takes what it found, which is held in memory; free it with syncstore_related_items_free().
/// Errors: SYNCSTORE_MISUSE when it has no step; when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_walk_run(
    walk: *mut syncstore_walk,
    found: *mut *mut syncstore_related_items,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required found], |walk| {
        let store = walk.store.store()?;
        let told = walk.told.lock().clone();
        let path = told.path.ok_or_else(|| Failure::misuse("walk", "has no step"))?;
        let mut options = WalkOptions::default();
        if let Some(depth) = told.depth {
            options = options.depth(depth);
        }
        if let Some(limit) = told.limit {
            options = options.limit(limit);
        }
        if told.values {
            options = options.values();
        }
        let related = store.related((&walk.collection, &walk.key), &path, &options)?;
        let item = |item: crate::RelatedItem| Item {
            collection: CText::new(&item.collection),
            key: CText::new(&item.key),
            depth: item.depth,
            value: item.value,
        };
        let items = related.items.into_iter().map(item).collect();
        found.give(syncstore_related_items { life: Life::new(), items, more: related.more })
    })
}

/// Frees a walk. What it found stays to be freed. NULL is ignored.
///
/// Thread: any; no other may be using this walk.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_walk_free(walk: *mut syncstore_walk) {
    free!(walk)
}

/// How many items were found; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_related_items_count(found: *const syncstore_related_items) -> usize {
    read!(found, 0, |found| Some(found.items.len()))
}

/// The collection of the item at a place, from 0; NULL behind the last one. Belongs to what was found.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_related_items_collection(
    found: *const syncstore_related_items,
    place: usize,
) -> *const c_char {
    read!(found, ptr::null(), |found| found.items.get(place).map(|item| item.collection.as_ptr()))
}

/// The key of the item at a place, from 0; NULL behind the last one. Belongs to what was found.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_related_items_key(
    found: *const syncstore_related_items,
    place: usize,
) -> *const c_char {
    read!(found, ptr::null(), |found| found.items.get(place).map(|item| item.key.as_ptr()))
}

/// After how many steps the item at a place was reached, from 1 up; 0 behind the last one.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_related_items_depth(found: *const syncstore_related_items, place: usize) -> usize {
    read!(found, 0, |found| found.items.get(place).map(|item| item.depth))
}

/// The value of the item at a place: its JSON text, as stored, without a NUL behind it; NULL: no values were asked for, or there is no
/// such item. Belongs to what was found.
///
/// len: takes how many bytes; 0 where there is none. May be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_related_items_value(
    found: *const syncstore_related_items,
    place: usize,
    len: *mut usize,
) -> *const c_char {
    read_bytes!(found, len, |found| found.items.get(place).and_then(|item| item.value.as_deref()))
}

/// Whether the limit cut the walk: 1 or 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_related_items_more(found: *const syncstore_related_items) -> i32 {
    read!(found, 0, |found| Some(i32::from(found.more)))
}

/// Frees what a walk found. NULL is ignored.
///
/// Thread: any; no other may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_related_items_free(found: *mut syncstore_related_items) {
    free!(found)
}
