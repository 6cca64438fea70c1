//! Automatic indexes
//!
//! An automatic index is kept by a part of a collection's values: every write, sync and rejection keeps it in step. It is local, and travels
//! nowhere. Queries by its name read it. Entries that are set by hand are something else, also those under the same name.

use super::error::syncstore_error;
use super::kit::call::Answer;
use super::kit::input::flag;
use super::status::{SYNCSTORE_OK, syncstore_status};
use super::store::syncstore;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::index::IndexedField;
use crate::store::Store;
use crate::sync::Progress;
use std::ffi::{c_char, c_void};

/// Is told how far a build has come: items of this call, and about how many there are in all. 0 goes on; any other number ends it, and the
/// next call goes on from there.
pub type syncstore_progress = Option<unsafe extern "C" fn(user_data: *mut c_void, done: u64, total: u64) -> i32>;

/// Runs a build that the callback, or the closing of the store, may end.
///
/// # Safety
///
/// The callback may be called with its `user_data`.
pub(super) unsafe fn build(
    store: &syncstore,
    progress: syncstore_progress,
    user_data: *mut c_void,
    build: impl FnOnce(&Store, &Cancel, &mut dyn FnMut(Progress)) -> crate::Result<()>,
) -> Answer {
    let (held, cancel) = (store.store()?, Cancel::new());
    let mut told = |Progress { loaded, total }: Progress| {
        // SAFETY: the condition above.
        let ends = progress.is_some_and(|progress| unsafe { progress(user_data, loaded, total) } != 0);
        if ends || store.store().is_err() {
            cancel.cancel();
        }
    };
    match build(&held, &cancel, &mut told) {
        Err(Error::Cancelled) => store.store().and_then(|_| Err(Error::Cancelled.into())),
        built => Ok(built.map(|()| SYNCSTORE_OK)?),
    }
}

/// Keeps an index of a collection by a part of its values. What the collection holds already is taken in by syncstore_build_index().
/// Declaring the same again, at every start of the program, changes nothing; another field begins anew. A replica has at most 256.
///
/// collection: the collection.
/// name: the index; the host's choice, 1 to 128 bytes.
/// pointer: the part, a JSON Pointer (RFC 6901) of at most 4,096 bytes and 64 steps: "/due", "/author/name", "" for the value itself. A value has an entry for a string, a number or
/// a boolean there, and one for each such member of an array.
/// dates: 1: strings that are dates of RFC 3339 count as instants, whatever their offset; 0: strings are what they are.
/// must_build: takes 1 where syncstore_build_index() has something to do, else 0; may be NULL.
/// Errors: SYNCSTORE_INDEX for what is no JSON Pointer, and when there are too many; SYNCSTORE_LIMIT; those of a write.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_declare_index(
    store: *mut syncstore,
    collection: *const c_char,
    name: *const c_char,
    pointer: *const c_char,
    dates: i32,
    must_build: *mut i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional must_build], |store| {
        let (collection, name, pointer) = (name!(collection), name!(name), name!(pointer));
        let field =
            if flag(dates, "dates")? { IndexedField::dates(pointer) } else { IndexedField::new(pointer) };
        must_build.put(store.store()?.declare_index(collection, name, field)?.into())
    })
}

/// Removes an automatic index. No item is touched.
///
/// collection, name: the index.
/// was_there: takes 1 where there was one, else 0; may be NULL.
/// Errors: those of a write.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_drop_index(
    store: *mut syncstore,
    collection: *const c_char,
    name: *const c_char,
    was_there: *mut i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional was_there], |store| {
        let (collection, name) = (name!(collection), name!(name));
        was_there.put(store.store()?.drop_index(collection, name)?.into())
    })
}

/// Takes into an automatic index what its collection held when it was declared, a slice of 250 items at a time. It blocks until all is done;
/// writes of other threads go on between the slices. However it ends, the next call goes on from there; until the end queries find what is
/// in it, and syncstore_rows_is_complete() answers 0.
///
/// collection, name: the index.
/// progress: called after each slice, within this call; it may use the store. NULL: nobody is told.
/// user_data: what it is handed.
/// Errors: SYNCSTORE_CANCELLED when progress ended it, SYNCSTORE_CLOSED when the store was closed meanwhile; SYNCSTORE_INDEX when no such index is declared; those of a write.
///
/// Thread: any; it waits for the disk.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_build_index(
    store: *mut syncstore,
    collection: *const c_char,
    name: *const c_char,
    progress: syncstore_progress,
    user_data: *mut c_void,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |store| {
        let (collection, name) = (name!(collection), name!(name));
        // SAFETY: by the conventions of the header a callback may be called with its user_data.
        unsafe {
            build(store, progress, user_data, |held, cancel, told| {
                held.build_index_until(collection, name, cancel, told)
            })
        }
    })
}
