//! Queries
//!
//! Items of a collection by key, or by an index, a page at a time. A query is told what to read, and then run, any number of times; what
//! it is told twice holds as it was told last. All conditions hold together. Keys and ordering keys sort bytewise; an automatic
//! index in the order of its values: false, true; numbers; dates; texts.

use super::error::syncstore_error;
use super::kit::call::Answer;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life};
use super::kit::input::flag;
use super::rows::{syncstore_row, syncstore_rows};
use super::status::{SYNCSTORE_OK, syncstore_status};
use super::store::syncstore;
use crate::index::IndexValue;
use crate::store::{Query, Store};
use parking_lot::Mutex;
use std::ffi::{c_char, c_void};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What to read of a collection.
pub struct syncstore_query {
    life: Life,
    store: Arc<syncstore>,
    told: Mutex<Told>,
}

#[derive(Clone, Default)]
pub(super) struct Told {
    collection: String,
    index: Option<String>,
    prefix: Option<String>,
    pub from: Option<IndexValue>,
    pub to: Option<IndexValue>,
    reverse: bool,
    limit: Option<usize>,
    after: Option<String>,
    keys_only: bool,
}

impl Told {
    /// The query of a store.
    pub fn of<'a>(&self, store: &'a Store) -> Query<'a> {
        let mut query = store.query(&self.collection);
        if let Some(index) = &self.index {
            query = query.index(index);
        }
        if let Some(prefix) = &self.prefix {
            query = query.prefix(prefix);
        }
        if let Some(from) = &self.from {
            query = query.from(from.clone());
        }
        if let Some(to) = &self.to {
            query = query.to(to.clone());
        }
        if self.reverse {
            query = query.reverse();
        }
        if let Some(limit) = self.limit {
            query = query.limit(limit);
        }
        if let Some(after) = &self.after {
            query = query.resume(after);
        }
        if self.keys_only { query.keys_only() } else { query }
    }
}

impl Handle for syncstore_query {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl syncstore_query {
    pub(super) fn tell(&self, tell: impl FnOnce(&mut Told)) -> Answer {
        tell(&mut self.told.lock());
        Ok(SYNCSTORE_OK)
    }

    /// What it was told by now: whoever runs it holds no lock.
    pub(super) fn told(&self) -> Told {
        self.told.lock().clone()
    }
}

/// Begins a query of a collection: all of its items by key, unless it is told otherwise.
///
/// collection: the collection.
/// query: takes it; free it with syncstore_query_free().
/// Errors: SYNCSTORE_CLOSED.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_new(
    store: *mut syncstore,
    collection: *const c_char,
    query: *mut *mut syncstore_query,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required query], |store| {
        let collection = name!(collection).to_owned();
        store.store()?;
        let told = Mutex::new(Told { collection, ..Told::default() });
        query.give(syncstore_query { life: Life::new(), store: Arc::clone(store), told })
    })
}

/// Goes by the ordering keys of an index, ties by key; only items that are in it. The conditions then speak of ordering keys. The index
/// is the automatic one of that name (syncstore_declare_index()), if the collection has one, where an item stands once for each of its
/// values; otherwise that of the entries that were set (syncstore_set_index()).
///
/// name: the index; NULL goes by key again.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_index(
    query: *mut syncstore_query,
    name: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| {
        let name = maybe_name!(name).map(str::to_owned);
        query.tell(|told| told.index = name)
    })
}

/// Only those that begin so; texts.
///
/// prefix, prefix_len: a text of so many bytes; NULL, and 0: any.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_prefix(
    query: *mut syncstore_query,
    prefix: *const c_char,
    prefix_len: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| {
        let given = text!(prefix, prefix_len).to_owned();
        query.tell(|told| told.prefix = (!prefix.is_null()).then_some(given))
    })
}

/// The direction.
///
/// reverse: 1: descending; 0: ascending.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_reverse(
    query: *mut syncstore_query,
    reverse: i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| {
        let reverse = flag(reverse, "reverse")?;
        query.tell(|told| told.reverse = reverse)
    })
}

/// At most so many rows; syncstore_rows_token() tells where others begin.
///
/// rows: how many; -1: all.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_limit(
    query: *mut syncstore_query,
    rows: i64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| {
        let limit = match rows {
            -1 => None,
            _ => Some(usize::try_from(rows).map_err(|_| Failure::misuse("rows", "is below -1"))?),
        };
        query.tell(|told| told.limit = limit)
    })
}

/// Goes on behind the last row of an earlier page. The token is a place and nothing that is kept: what is not changed between two pages
/// comes exactly once; what is added, moved or removed comes where it is when its page is read.
///
/// token, token_len: what syncstore_rows_token() answered; NULL, and 0: from the first row.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_resume(
    query: *mut syncstore_query,
    token: *const c_char,
    token_len: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| {
        let given = text!(token, token_len).to_owned();
        query.tell(|told| told.after = (!token.is_null()).then_some(given))
    })
}

/// Leaves the values out, which is quicker: of an index nothing else is read.
///
/// keys_only: 1: without values; 0: with them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_keys_only(
    query: *mut syncstore_query,
    keys_only: i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| {
        let keys_only = flag(keys_only, "keys_only")?;
        query.tell(|told| told.keys_only = keys_only)
    })
}

/// Reads the rows, all as of one moment. No value is parsed.
///
/// rows: takes them; free it with syncstore_rows_free().
/// Errors: SYNCSTORE_RESUME_TOKEN for a token that is none of such a query; SYNCSTORE_INDEX for a bound that is no text where there are
/// only texts; when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_run(
    query: *mut syncstore_query,
    rows: *mut *mut syncstore_rows,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required rows], |query| {
        let store = query.store.store()?;
        rows.give(syncstore_rows::of_query(query.told().of(&store).run()?))
    })
}

/// Is handed a row, whose texts are there until it answers. 0 goes on, any other number ends the query.
pub type syncstore_row_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, row: *const syncstore_row) -> i32>;

/// Hands each row to a callback as it is read, without a copy, until that breaks off or the limit is reached. All are as of one
/// moment, however long it takes; until then SQLite's log of writes grows.
///
/// callback: called for each row, within this call; it may use the store.
/// user_data: what it is handed.
/// Errors: those of syncstore_query_run(). That the callback ended it is none.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_for_each(
    query: *mut syncstore_query,
    callback: syncstore_row_callback,
    user_data: *mut c_void,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |query| {
        let callback = callback.ok_or_else(|| Failure::null("callback"))?;
        let store = query.store.store()?;
        query.told().of(&store).for_each(|row| {
            let row = syncstore_row::new(row.key, row.value, row.order);
            // SAFETY: by the conventions of the header a callback may be called with its user_data.
            match unsafe { callback(user_data, &raw const row) } {
                0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })?;
        Ok(SYNCSTORE_OK)
    })
}

/// Frees a query. What it read stays to be freed. NULL is ignored.
///
/// Thread: any; no other may be using this query.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_query_free(query: *mut syncstore_query) {
    free!(query)
}
