//! Data of a server without a replica
//!
//! One database of one server, read and written directly: for a program that wants an item now. Each call is one request on the thread that calls; nothing is stored,
//! queued or repeated, and nothing works offline. What goes wrong before a write was sent, or is refused, changed nothing; SYNCSTORE_UNCONFIRMED alone
//! leaves it open.

use super::cancel::syncstore_cancel;
use super::error::syncstore_error;
use super::items::found;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::op_ref::syncstore_ref;
use super::status::{
    SYNCSTORE_NO_ITEM, SYNCSTORE_NOT_FOUND, SYNCSTORE_OK, SYNCSTORE_PRECONDITION_FAILED, SYNCSTORE_REJECTED,
    SYNCSTORE_UNCHANGED, SYNCSTORE_UNCONFIRMED, of_wire_error, syncstore_status,
};
use super::text::syncstore_text;
use super::wire::{http_options, syncstore_http_options, syncstore_traffic};
use crate::error::Error;
use crate::protocol::{DataItem, Rev};
use crate::remote::{Newer, Remote, RemoteError};
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;

/// One database of one server. It may be used by any number of threads at a time.
pub struct syncstore_remote {
    life: Life,
    pub(super) remote: Arc<Remote>,
}

impl Handle for syncstore_remote {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Why a server did not do a write, as far as it says so.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    rev: Rev,
    code: Option<CText>,
    failed: Option<usize>,
    path: Option<CText>,
    operation: Option<usize>,
    cause: syncstore_status,
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Failure {
        let message = error.to_string();
        let of = |status, item: Option<(String, String)>, refusal| {
            let mut failure = syncstore_error::new(status, &message);
            failure.item = item.map(|(collection, key)| (CText::new(&collection), CText::new(&key)));
            failure.refusal = Some(Box::new(refusal));
            failure
        };
        let failure = match error {
            RemoteError::Limit(error) => return Error::from(error).into(),
            RemoteError::Json(error) => return Error::from(error).into(),
            RemoteError::Wire(error) => return error.into(),
            RemoteError::NotFound { collection, key } => {
                of(SYNCSTORE_NO_ITEM, Some((collection, key)), Refusal::default())
            }
            RemoteError::PreconditionFailed { collection, key, rev } => {
                let refusal = Refusal { rev, ..Refusal::default() };
                of(SYNCSTORE_PRECONDITION_FAILED, Some((collection, key)), refusal)
            }
            RemoteError::Rejected(why) => {
                let refusal = Refusal {
                    rev: why.rev.unwrap_or(0),
                    code: Some(CText::new(why.code.as_str())),
                    failed: why.failed,
                    path: why.path.as_deref().map(CText::new),
                    operation: why.operation,
                    cause: SYNCSTORE_OK,
                };
                of(SYNCSTORE_REJECTED, why.item, refusal)
            }
            RemoteError::Unconfirmed { op, error } => {
                let refusal = Refusal { cause: of_wire_error(&error), ..Refusal::default() };
                let mut failure = of(SYNCSTORE_UNCONFIRMED, None, refusal);
                failure.http_status = error.http_status().map_or(0, i32::from);
                (failure.retryable, failure.retry_after) = (error.is_transient(), error.retry_after());
                failure.op = op;
                failure
            }
        };
        Failure::of(failure)
    }
}

/// Of SYNCSTORE_PRECONDITION_FAILED, and of a write that was rejected as stale, the item's present rev; else, and where there is no item, 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_rev(error: *const syncstore_error) -> u64 {
    read!(error, 0, |error| Some(error.refusal.as_ref()?.rev))
}

/// Of SYNCSTORE_REJECTED, why, as a word for a program, such as "stale" or "forbidden"; else NULL. Belongs to the error.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_rejection(error: *const syncstore_error) -> *const c_char {
    read!(error, ptr::null(), |error| error.refusal.as_ref()?.code.as_ref().map(CText::as_ptr))
}

/// Of a batch that was rejected, which of its writes is at fault, from 0; else -1.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_failed_write(error: *const syncstore_error) -> i64 {
    read!(error, -1, |error| i64::try_from(error.refusal.as_ref()?.failed?).ok())
}

/// Of a patch that was rejected, the JSON Pointer at which it failed; else NULL. Belongs to the error.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_patch_path(error: *const syncstore_error) -> *const c_char {
    read!(error, ptr::null(), |error| error.refusal.as_ref()?.path.as_ref().map(CText::as_ptr))
}

/// Of a patch that was rejected, which of its operations failed, from 0; else -1.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_patch_operation(error: *const syncstore_error) -> i64 {
    read!(error, -1, |error| i64::try_from(error.refusal.as_ref()?.operation?).ok())
}

/// Of SYNCSTORE_UNCONFIRMED, what happened instead of an answer, such as SYNCSTORE_TIMED_OUT; else SYNCSTORE_OK.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_cause(error: *const syncstore_error) -> syncstore_status {
    read!(error, SYNCSTORE_OK, |error| Some(error.refusal.as_ref()?.cause))
}

/// A database of a server. It opens no connection; connections are kept open between calls.
///
/// url, database, options: as with syncstore_wire_http().
/// remote: takes the handle; free it with syncstore_remote_free().
/// Errors: SYNCSTORE_SETUP for a URL, a database's name or an option that cannot be used; SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_new(
    url: *const c_char,
    database: *const c_char,
    options: *const syncstore_http_options,
    remote: *mut *mut syncstore_remote,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required remote], || {
        let (url, database, given) = (name!(url), name!(database), options!(options));
        // SAFETY: by the conventions of the header what is within options is NULL or as its comment says.
        let options = unsafe { http_options(given) }?;
        let made = Arc::new(Remote::new(url, database, options)?);
        remote.give(syncstore_remote { life: Life::new(), remote: made })
    })
}

/// The same database, with calls that end once they are cancelled: those under way soon, and later ones at once, with SYNCSTORE_CANCELLED; a write
/// with SYNCSTORE_UNCONFIRMED. It has connections of its own.
///
/// cancel: what ends them; it may be freed at once.
/// other: takes the handle; free it with syncstore_remote_free().
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_cancellable(
    remote: *const syncstore_remote,
    cancel: *const syncstore_cancel,
    other: *mut *mut syncstore_remote,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required other], |remote| {
        let cancel = other!(cancel);
        let made = Arc::new(remote.remote.cancellable(&cancel.cancel));
        other.give(syncstore_remote { life: Life::new(), remote: made })
    })
}

/// Frees it; batches that were begun with it keep what they need. NULL is ignored.
///
/// Thread: any; no other may begin a call with this handle any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_free(remote: *mut syncstore_remote) {
    free!(remote)
}

/// What the database takes; also the way to find out that URL, database and credential are right. From then on names, values and batches are checked against the
/// limits that it publishes before they are sent.
///
/// json: takes the answer of GET /v1/:db as JSON text; free it with syncstore_text_free().
/// Errors: those of the wire, SYNCSTORE_UNREACHABLE to SYNCSTORE_SETUP.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_info(
    remote: *const syncstore_remote,
    json: *mut syncstore_text,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required json], |remote| json.put(syncstore_text::of_json(&remote.remote.info()?)?))
}

/// What has gone over the network since it was made.
///
/// traffic: takes it.
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_traffic(
    remote: *const syncstore_remote,
    traffic: *mut syncstore_traffic,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required traffic], |remote| traffic.put(syncstore_traffic::new(remote.remote.traffic())))
}

/// A ref for one write, for syncstore_write_options.op: kept before the write is made, it makes the same write again safe, after a crash too. Those of
/// one handle grow.
///
/// op: takes the ref.
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_new_ref(
    remote: *const syncstore_remote,
    op: *mut syncstore_ref,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required op], |remote| op.put_ref(remote.remote.new_ref()))
}

/// An item as a server had it.
pub struct syncstore_remote_item {
    life: Life,
    rev: Rev,
    value: CText,
    json: CText,
}

impl Handle for syncstore_remote_item {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl syncstore_remote_item {
    fn new(item: &DataItem) -> Result<syncstore_remote_item, Failure> {
        let json = crate::protocol::Json::from_serialize(item).map_err(Error::from)?;
        let (value, json) = (CText::new(item.value.as_str()), CText::new(json.as_str()));
        Ok(syncstore_remote_item { life: Life::new(), rev: item.rev, value, json })
    }
}

/// Its rev, for syncstore_write_options.rev; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_item_rev(item: *const syncstore_remote_item) -> u64 {
    read!(item, 0, |item| Some(item.rev))
}

/// Its value as JSON text; of NULL it is NULL. Belongs to the item.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_item_value(item: *const syncstore_remote_item) -> *const c_char {
    read!(item, ptr::null(), |item| Some(item.value.as_ptr()))
}

/// All of it as a JSON object: key, value, rev, indexes, relations and tags; of NULL it is NULL. Belongs to the item.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_item_json(item: *const syncstore_remote_item) -> *const c_char {
    read!(item, ptr::null(), |item| Some(item.json.as_ptr()))
}

/// Frees an item. NULL is ignored.
///
/// Thread: any; no other may be using this item.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_item_free(item: *mut syncstore_remote_item) {
    free!(item)
}

/// One item with its index entries, relations and tags. Waits for the network.
///
/// collection, key: the item.
/// item: takes it; free it with syncstore_remote_item_free().
/// Answers SYNCSTORE_NOT_FOUND where there is none, or the caller may not see it.
/// Errors: SYNCSTORE_LIMIT for a name of 0 or too many bytes, with nothing sent; those of the wire.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_get(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    item: *mut *mut syncstore_remote_item,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required item], |remote| {
        let (collection, key) = (name!(collection), name!(key));
        found(remote.remote.get(collection, key)?, |there| item.give(syncstore_remote_item::new(&there)?))
    })
}

/// Like syncstore_remote_get(), but the item is sent only if it has another rev than that of an earlier read.
///
/// collection, key: the item.
/// rev: the rev of the earlier read.
/// item: takes it; free it with syncstore_remote_item_free().
/// Answers SYNCSTORE_UNCHANGED where it still has that rev, SYNCSTORE_NOT_FOUND where the caller sees no such item any more.
/// Errors: those of syncstore_remote_get().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_get_newer(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    rev: u64,
    item: *mut *mut syncstore_remote_item,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required item], |remote| {
        let (collection, key) = (name!(collection), name!(key));
        match remote.remote.get_newer(collection, key, rev)? {
            Newer::Unchanged => Ok(SYNCSTORE_UNCHANGED),
            Newer::Changed(there) => item.give(syncstore_remote_item::new(&there)?),
            Newer::Gone => Ok(SYNCSTORE_NOT_FOUND),
        }
    })
}

/// The index entries of an item, as a JSON object of names and ordering keys. Waits for the network.
///
/// collection, key: the item.
/// json: takes the text; free it with syncstore_text_free().
/// Answers SYNCSTORE_NOT_FOUND where the caller sees no such item.
/// Errors: those of syncstore_remote_get().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_indexes(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    json: *mut syncstore_text,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required json], |remote| {
        let (collection, key) = (name!(collection), name!(key));
        found(remote.remote.indexes(collection, key)?, |there| json.put(syncstore_text::of_json(&there)?))
    })
}

/// The relations of an item as their subject, as a JSON array of {"id","predicate","object":{"collection","key"}}. Waits for the network.
///
/// collection, key, json, answers, errors: as with syncstore_remote_indexes().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_relations(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    json: *mut syncstore_text,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required json], |remote| {
        let (collection, key) = (name!(collection), name!(key));
        found(remote.remote.relations(collection, key)?, |there| json.put(syncstore_text::of_json(&there)?))
    })
}

/// The tags of an item, as a JSON array in bytewise order. Waits for the network.
///
/// collection, key, json, answers, errors: as with syncstore_remote_indexes().
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_remote_tags(
    remote: *const syncstore_remote,
    collection: *const c_char,
    key: *const c_char,
    json: *mut syncstore_text,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required json], |remote| {
        let (collection, key) = (name!(collection), name!(key));
        found(remote.remote.tags(collection, key)?, |there| json.put(syncstore_text::of_json(&there)?))
    })
}
