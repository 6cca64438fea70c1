//! Listings of a server
//!
//! A listing comes in pages, each of one moment. A page may have fewer items than were asked for, or none, and be followed by another all the same: the last
//! one is that without a next.

use super::error::syncstore_error;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life};
use super::kit::input::{CText, flag, name};
use super::kit::output::Plain;
use super::kit::sized::StructSize;
use super::remote::syncstore_remote;
use super::status::syncstore_status;
use crate::remote::RemoteQuery;
use std::ffi::c_char;
use std::ptr;

/// Which items of a collection to list; begin with SYNCSTORE_REMOTE_QUERY_INIT. All conditions hold together; 0, or NULL, is none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_remote_query {
    /// Set by SYNCSTORE_REMOTE_QUERY_INIT.
    pub struct_size: usize,
    /// Only items with an entry in this index, by their ordering keys, then by key; the bounds then speak of ordering keys. NULL: by key.
    pub index: *const c_char,
    /// What they begin with.
    pub prefix: *const c_char,
    /// The first.
    pub from: *const c_char,
    /// The one before which to stop, whatever the direction.
    pub to: *const c_char,
    /// Goes on with the page that syncstore_remote_page_next() of an earlier one of the same query named.
    pub after: *const c_char,
    /// 1: from the last to the first.
    pub reverse: i32,
    /// The most items on a page. Default: 500.
    pub limit: u32,
}

// SAFETY: numbers and pointers.
unsafe impl Plain for syncstore_remote_query {}
// SAFETY: it begins with its size, and its last two members are together as wide as a pointer, or each is.
unsafe impl StructSize for syncstore_remote_query {
    const FIRST_SIZE: usize = size_up_to!(syncstore_remote_query.limit);
}

/// # Safety
///
/// Its texts are NULL, or end with NUL.
unsafe fn read_query(given: &syncstore_remote_query) -> Result<RemoteQuery, Failure> {
    // SAFETY: the condition above.
    let (index, prefix, from, to, after) = unsafe {
        (
            name(given.index, "query.index")?,
            name(given.prefix, "query.prefix")?,
            name(given.from, "query.from")?,
            name(given.to, "query.to")?,
            name(given.after, "query.after")?,
        )
    };
    let mut query = RemoteQuery::all();
    type Put = fn(RemoteQuery, String) -> RemoteQuery;
    let put: [(Option<&str>, Put); 5] = [
        (index, RemoteQuery::index),
        (prefix, RemoteQuery::prefix),
        (from, RemoteQuery::from),
        (to, RemoteQuery::to),
        (after, RemoteQuery::resume),
    ];
    for (text, put) in put {
        query = text.map(str::to_owned).into_iter().fold(query, put);
    }
    if flag(given.reverse, "query.reverse")? {
        query = query.reverse();
    }
    Ok(if given.limit == 0 { query } else { query.limit(given.limit) })
}

/// A page of a listing: of items, or of collections.
pub struct syncstore_remote_page {
    life: Life,
    lines: Vec<Line>,
    next: Option<CText>,
}

struct Line {
    key: CText,
    value: Option<CText>,
    order: Option<CText>,
    /// Of an item its rev, of a collection how many items it has.
    number: u64,
}

impl Handle for syncstore_remote_page {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// One page of the items of a collection that the caller sees. Waits for the network.
///
/// collection: its name.
/// query: which items; NULL: all, by key.
/// page: takes the page; free it with syncstore_remote_page_free().
/// Errors: SYNCSTORE_LIMIT for a name of 0 or too many bytes, with nothing sent; SYNCSTORE_REFUSED for what to go on after, if it is of another query;
/// those of the wire.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_list(
    remote: *const syncstore_remote,
    collection: *const c_char,
    query: *const syncstore_remote_query,
    page: *mut *mut syncstore_remote_page,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required page], |remote| {
        let collection = name!(collection);
        let given = options!(query);
        // SAFETY: by the conventions of the header texts within options are NULL or end with NUL.
        let query = unsafe { read_query(&given) }?;
        let listed = remote.remote.list(collection, &query)?;
        let lines = listed.items.iter().map(|item| Line {
            key: CText::new(&item.key),
            value: Some(CText::new(item.value.as_str())),
            order: item.order.as_deref().map(CText::new),
            number: item.rev,
        });
        page.give(syncstore_remote_page {
            life: Life::new(),
            lines: lines.collect(),
            next: listed.next.as_deref().map(CText::new),
        })
    })
}

/// One page of the collections that have items which the caller sees, by name: their names are the page's keys. Waits for the network.
///
/// after: what syncstore_remote_page_next() of the page before named; NULL: the first page.
/// page: takes the page; free it with syncstore_remote_page_free().
/// Errors: those of the wire.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_collections(
    remote: *const syncstore_remote,
    after: *const c_char,
    page: *mut *mut syncstore_remote_page,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required page], |remote| {
        let listed = remote.remote.collections(maybe_name!(after))?;
        let line =
            |name: &str, items| Line { key: CText::new(name), value: None, order: None, number: items };
        let lines = listed.collections.iter().map(|collection| line(&collection.name, collection.items));
        page.give(syncstore_remote_page {
            life: Life::new(),
            lines: lines.collect(),
            next: listed.next.as_deref().map(CText::new),
        })
    })
}

/// How many items, or collections, are on the page; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_page_count(page: *const syncstore_remote_page) -> usize {
    read!(page, 0, |page| Some(page.lines.len()))
}

/// The key of the item, or the name of the collection, at a place, from 0; NULL behind the last one. Belongs to the page.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_page_key(page: *const syncstore_remote_page, place: usize) -> *const c_char {
    read!(page, ptr::null(), |page| Some(page.lines.get(place)?.key.as_ptr()))
}

/// The value of the item at a place as JSON text; NULL behind the last one, and of collections. Belongs to the page.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_page_value(
    page: *const syncstore_remote_page,
    place: usize,
) -> *const c_char {
    read!(page, ptr::null(), |page| page.lines.get(place)?.value.as_ref().map(CText::as_ptr))
}

/// The rev of the item at a place; 0 behind the last one, and of collections.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_page_rev(page: *const syncstore_remote_page, place: usize) -> u64 {
    read!(page, 0, |page| page.lines.get(place).filter(|line| line.value.is_some()).map(|line| line.number))
}

/// How many items of the collection at a place the caller sees; 0 behind the last one, and of items.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_page_items(page: *const syncstore_remote_page, place: usize) -> u64 {
    read!(page, 0, |page| page.lines.get(place).filter(|line| line.value.is_none()).map(|line| line.number))
}

/// The ordering key of the item at a place, in a listing by an index; else NULL. Belongs to the page.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_page_order(
    page: *const syncstore_remote_page,
    place: usize,
) -> *const c_char {
    read!(page, ptr::null(), |page| page.lines.get(place)?.order.as_ref().map(CText::as_ptr))
}

/// The name of the next page; NULL: this is the last. Belongs to the page.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_page_next(page: *const syncstore_remote_page) -> *const c_char {
    read!(page, ptr::null(), |page| page.next.as_ref().map(CText::as_ptr))
}

/// Frees a page. NULL is ignored.
///
/// Thread: any; no other may be using this page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_page_free(page: *mut syncstore_remote_page) {
    free!(page)
}
