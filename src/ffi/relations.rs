//! Relations
//!
//! A relation leads from an item, its subject, to an object: the collection and the key of an item, which need not exist. Relations travel to
//! the server as operations, like values. They end with their subject, not with their object.

use super::error::syncstore_error;
use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::op_ref::syncstore_ref;
use super::status::syncstore_status;
use super::store::syncstore;
use std::ffi::c_char;
use std::ptr;

/// Relations of an item, as their subject or as their object.
pub struct syncstore_relation_list {
    life: Life,
    relations: Vec<Relation>,
}

struct Relation {
    id: CText,
    predicate: CText,
    /// The item at the other end.
    collection: CText,
    key: CText,
}

impl Relation {
    fn new(id: &str, predicate: &str, collection: &str, key: &str) -> Relation {
        let [id, predicate, collection, key] = [id, predicate, collection, key].map(CText::new);
        Relation { id, predicate, collection, key }
    }
}

impl Handle for syncstore_relation_list {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Relates an item, the subject, to an object, or changes that relation.
///
/// collection, key: the subject.
/// id: names the relation among those of the subject; the host's choice.
/// predicate: what the object is to the subject.
/// object_collection, object_key: the object. Each name has 1 to 128 bytes.
/// op: takes the operation's ref; may be NULL.
/// Errors: SYNCSTORE_NO_ITEM, and those of syncstore_set(); then nothing was written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_set_relation(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    id: *const c_char,
    predicate: *const c_char,
    object_collection: *const c_char,
    object_key: *const c_char,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional op], |store| {
        let (collection, key, id) = (name!(collection), name!(key), name!(id));
        let (predicate, object) = (name!(predicate), (name!(object_collection), name!(object_key)));
        op.put_ref(store.store()?.set_relation(collection, key, id, predicate, object)?)
    })
}

/// Ends a relation. It is an operation also where this replica has nothing to remove.
///
/// collection, key: the subject.
/// id: the relation.
/// op: takes the operation's ref; may be NULL.
/// Errors: those of syncstore_delete(); then nothing was written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_delete_relation(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    id: *const c_char,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional op], |store| {
        let (collection, key, id) = (name!(collection), name!(key), name!(id));
        op.put_ref(store.store()?.delete_relation(collection, key, id)?)
    })
}

/// The relations of an item as their subject, by id.
///
/// collection, key: the subject.
/// predicate: only those of this one; NULL: all.
/// relations: takes the list, with the objects as items; free it with syncstore_relation_list_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_relations(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    predicate: *const c_char,
    relations: *mut *mut syncstore_relation_list,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required relations], |store| {
        let (collection, key, predicate) = (name!(collection), name!(key), maybe_name!(predicate));
        let found = store.store()?.relations(collection, key, predicate)?;
        let other = |found: &crate::Relation| {
            Relation::new(&found.id, &found.predicate, &found.object.collection, &found.object.key)
        };
        let found = found.iter().map(other).collect();
        relations.give(syncstore_relation_list { life: Life::new(), relations: found })
    })
}

/// The relations that lead to an item as their object, by their subject and id. The object itself need not exist.
///
/// collection, key: the object.
/// predicate: only those of this one; NULL: all.
/// relations: takes the list, with the subjects as items; free it with syncstore_relation_list_free().
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_relations_to(
    store: *mut syncstore,
    collection: *const c_char,
    key: *const c_char,
    predicate: *const c_char,
    relations: *mut *mut syncstore_relation_list,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required relations], |store| {
        let (collection, key, predicate) = (name!(collection), name!(key), maybe_name!(predicate));
        let found = store.store()?.relations_to(collection, key, predicate)?;
        let other =
            |found: &crate::RelationTo| Relation::new(&found.id, &found.predicate, &found.collection, &found.key);
        let found = found.iter().map(other).collect();
        relations.give(syncstore_relation_list { life: Life::new(), relations: found })
    })
}

/// How many relations there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_relation_list_count(relations: *const syncstore_relation_list) -> usize {
    read!(relations, 0, |relations| Some(relations.relations.len()))
}

/// The id of the relation at a place, from 0, among those of its subject; NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_relation_list_id(
    relations: *const syncstore_relation_list,
    place: usize,
) -> *const c_char {
    read!(relations, ptr::null(), |relations| relations.relations.get(place).map(|one| one.id.as_ptr()))
}

/// The predicate of the relation at a place, from 0; NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_relation_list_predicate(
    relations: *const syncstore_relation_list,
    place: usize,
) -> *const c_char {
    read!(relations, ptr::null(), |relations| relations.relations.get(place).map(|one| one.predicate.as_ptr()))
}

/// The collection of the item at the other end of the relation at a place, from 0: of the object in a list by syncstore_relations(), of the
/// subject in one by syncstore_relations_to(). NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_relation_list_collection(
    relations: *const syncstore_relation_list,
    place: usize,
) -> *const c_char {
    read!(relations, ptr::null(), |relations| relations.relations.get(place).map(|one| one.collection.as_ptr()))
}

/// The key of the item at the other end, like its collection. NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_relation_list_key(
    relations: *const syncstore_relation_list,
    place: usize,
) -> *const c_char {
    read!(relations, ptr::null(), |relations| relations.relations.get(place).map(|one| one.key.as_ptr()))
}

/// Frees a list of relations. NULL is ignored.
///
/// Thread: any; no other may be using this list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_relation_list_free(relations: *mut syncstore_relation_list) {
    free!(relations)
}
