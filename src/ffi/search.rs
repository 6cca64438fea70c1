//! Full-text search
//!
//! A search makes some fields of a collection searchable: every write, sync and rejection keeps it in step. It is local, and travels nowhere.
//! Words are told apart without regard to case and diacritics.

use super::error::syncstore_error;
use super::indexes::{build, syncstore_progress};
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::kit::output::Plain;
use super::kit::sized::StructSize;
use super::status::syncstore_status;
use super::store::syncstore;
use crate::search::{SearchHits, SearchQuery};
use std::ffi::{c_char, c_void};
use std::ptr;

/// How a text is searched for.
pub type syncstore_search_mode = i32;

/// All of these words, in any field and order. What a user typed will do: no sign has a meaning.
pub const SYNCSTORE_SEARCH_WORDS: syncstore_search_mode = 1;
/// Likewise, and the last word may go on: for a search while the user still types it.
pub const SYNCSTORE_SEARCH_WORDS_SO_FAR: syncstore_search_mode = 2;
/// An expression of SQLite's FTS5, of at most 2 KiB: milk AND (bread OR butter*), "whole phrase", NEAR(a b). Fields have the names f0, f1 and so
/// on, in the order in which they were declared: f0: milk.
pub const SYNCSTORE_SEARCH_EXPRESSION: syncstore_search_mode = 3;

/// How hits are given; begin with SYNCSTORE_SEARCH_OPTIONS_INIT. Of everything 0, or NULL, is the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_search_options {
    /// Set by SYNCSTORE_SEARCH_OPTIONS_INIT.
    pub struct_size: usize,
    /// At most so many hits. Default: 50.
    pub limit: u64,
    /// What a snippet has before each word that was found. Default: "[".
    pub mark_before: *const c_char,
    /// What a snippet has behind each word that was found. Default: "]".
    pub mark_behind: *const c_char,
}

// SAFETY: numbers and pointers.
unsafe impl Plain for syncstore_search_options {}
// SAFETY: it begins with its size, and its last member is as wide as its alignment.
unsafe impl StructSize for syncstore_search_options {
    const FIRST_SIZE: usize = size_up_to!(syncstore_search_options.mark_behind);
}

/// # Safety
///
/// Its texts are NULL, or end with NUL.
unsafe fn with_options(mut query: SearchQuery, given: syncstore_search_options) -> Result<SearchQuery, Failure> {
    use super::kit::input::name;
    // SAFETY: the condition above.
    let (before, behind) =
        unsafe { (name(given.mark_before, "options.mark_before")?, name(given.mark_behind, "options.mark_behind")?) };
    if given.limit > 0 {
        query = query.limit(usize::try_from(given.limit).unwrap_or(usize::MAX));
    }
    if before.is_some() || behind.is_some() {
        query = query.marks(before.unwrap_or("["), behind.unwrap_or("]"));
    }
    Ok(query)
}

/// What a search found, the best first.
pub struct syncstore_hits {
    life: Life,
    keys: Vec<CText>,
    found: SearchHits,
}

impl Handle for syncstore_hits {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Makes some fields of a collection searchable. What the collection holds already is taken in by syncstore_build_search(). Declaring the same
/// again, at every start of the program, changes nothing; other fields or another collection begin anew.
///
/// name: the search; the host's choice.
/// collection: the collection.
/// fields, count: 1 to 16 JSON Pointers of at most 4,096 bytes: of a string that is searched, or an array whose strings are.
/// must_build: takes 1 where syncstore_build_search() has something to do, else 0; may be NULL.
/// Errors: SYNCSTORE_SEARCH for fields that cannot be searched; SYNCSTORE_LIMIT; those of a write.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_declare_search(
    store: *mut syncstore,
    name: *const c_char,
    collection: *const c_char,
    fields: *const *const c_char,
    count: usize,
    must_build: *mut i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional must_build], |store| {
        let (name, collection, fields) = (name!(name), name!(collection), names!(fields, count));
        must_build.put(store.store()?.declare_search(name, collection, &fields)?.into())
    })
}

/// Removes a search. No item is touched.
///
/// name: the search.
/// was_there: takes 1 where there was one, else 0; may be NULL.
/// Errors: those of a write.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_drop_search(
    store: *mut syncstore,
    name: *const c_char,
    was_there: *mut i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional was_there], |store| {
        let name = name!(name);
        was_there.put(store.store()?.drop_search(name)?.into())
    })
}

/// Takes into a search what its collection held when it was declared, a slice of 250 items at a time. It blocks until all is done; writes of
/// other threads go on between the slices. However it ends, the next call goes on from there.
///
/// name: the search.
/// progress: called after each slice, within this call; it may use the store. NULL: nobody is told.
/// user_data: what it is handed.
/// Errors: SYNCSTORE_CANCELLED when progress ended it, SYNCSTORE_CLOSED when the store was closed meanwhile; SYNCSTORE_SEARCH when no such search is declared; those of a write.
///
/// Thread: any; it waits for the disk.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_build_search(
    store: *mut syncstore,
    name: *const c_char,
    progress: syncstore_progress,
    user_data: *mut c_void,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |store| {
        let name = name!(name);
        // SAFETY: by the conventions of the header a callback may be called with its user_data.
        unsafe { build(store, progress, user_data, |held, cancel, told| held.build_search_until(name, cancel, told)) }
    })
}

/// The items that fit a text, as of one moment, the best first.
///
/// name: the search.
/// mode: SYNCSTORE_SEARCH_WORDS, SYNCSTORE_SEARCH_WORDS_SO_FAR or SYNCSTORE_SEARCH_EXPRESSION.
/// text, text_len: what is searched for, of so many bytes.
/// options: NULL is the default.
/// hits: takes them; free it with syncstore_hits_free().
/// Errors: SYNCSTORE_SEARCH when no such search is declared, or the expression cannot be read or is too long; when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_search(
    store: *mut syncstore,
    name: *const c_char,
    mode: syncstore_search_mode,
    text: *const c_char,
    text_len: usize,
    options: *const syncstore_search_options,
    hits: *mut *mut syncstore_hits,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required hits], |store| {
        let (name, text) = (name!(name), text!(text, text_len));
        let query = match mode {
            SYNCSTORE_SEARCH_WORDS => SearchQuery::words(text),
            SYNCSTORE_SEARCH_WORDS_SO_FAR => SearchQuery::words_so_far(text),
            SYNCSTORE_SEARCH_EXPRESSION => SearchQuery::expression(text),
            _ => return Err(Failure::misuse("mode", "is none of the constants")),
        };
        let given = options!(options);
        // SAFETY: by the conventions of the header texts within options are NULL or end with NUL.
        let query = unsafe { with_options(query, given) }?;
        let found = store.store()?.search(name, &query)?;
        let keys = found.hits.iter().map(|hit| CText::new(&hit.key)).collect();
        hits.give(syncstore_hits { life: Life::new(), keys, found })
    })
}

/// How many hits there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_hits_count(hits: *const syncstore_hits) -> usize {
    read!(hits, 0, |hits| Some(hits.keys.len()))
}

/// The key of the item at a place, from 0; NULL behind the last one. Belongs to the hits.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_hits_key(hits: *const syncstore_hits, place: usize) -> *const c_char {
    read!(hits, ptr::null(), |hits| hits.keys.get(place).map(CText::as_ptr))
}

/// How well the item at a place fits, by BM25: the smaller the better, and always below 0 or about it. 0 behind the last one.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_hits_rank(hits: *const syncstore_hits, place: usize) -> f64 {
    read!(hits, 0.0, |hits| hits.found.hits.get(place).map(|hit| hit.rank))
}

/// A piece of the field of the item at a place in which most was found, some 16 words, with the marks around what was found, and without a NUL
/// behind it; NULL behind the last one. Belongs to the hits.
///
/// len: takes how many bytes; 0 where there is none. May be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_hits_snippet(
    hits: *const syncstore_hits,
    place: usize,
    len: *mut usize,
) -> *const c_char {
    read_bytes!(hits, len, |hits| hits.found.hits.get(place).map(|hit| hit.snippet.as_str()))
}

/// Whether all of the collection was looked through: 0 until syncstore_build_search() has ended, and of NULL; else 1.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_hits_is_complete(hits: *const syncstore_hits) -> i32 {
    read!(hits, 0, |hits| Some(i32::from(hits.found.complete)))
}

/// Frees hits. NULL is ignored.
///
/// Thread: any; no other may be using these hits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_hits_free(hits: *mut syncstore_hits) {
    free!(hits)
}
