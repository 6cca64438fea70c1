//! Resolvers
//!
//! A resolver decides conflicts as syncs find them, for the stores that were opened with it (syncstore_options.resolver). It may be freed
//! once those are open; they keep what they need of it.

use super::callback::syncstore_destroy;
use super::conflicts::{preferred, resolution, syncstore_conflict, syncstore_prefer, syncstore_resolution};
use super::error::syncstore_error;
use super::kit::callback::UserData;
use super::kit::failure::Failure;
use super::kit::handle::{self, Handle, Life};
use super::status::{SYNCSTORE_OK, syncstore_status};
use crate::conflict::{Conflict, ConflictResolver, FieldMerge, LastWriter, Resolution, ResolverError};
use parking_lot::Mutex;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// Decides conflicts.
pub struct syncstore_resolver {
    life: Life,
    resolver: Arc<dyn ConflictResolver>,
}

impl syncstore_resolver {
    fn new(resolver: impl ConflictResolver + 'static) -> syncstore_resolver {
        syncstore_resolver { life: Life::new(), resolver: Arc::new(resolver) }
    }

    /// For the options of a store.
    pub(super) fn shared(&self) -> Arc<dyn ConflictResolver> {
        Arc::clone(&self.resolver)
    }
}

impl Handle for syncstore_resolver {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// What a resolver says of a conflict; valid until the callback that got it returns. Never to be freed.
pub struct syncstore_answer {
    life: Life,
    said: Mutex<Said>,
}

/// What the resolver trait answers.
type Said = Result<Option<Resolution>, String>;

impl Handle for syncstore_answer {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Decides a conflict: says what to make of it by syncstore_answer_resolve(), or that it cannot by syncstore_answer_fail(); where it says
/// nothing the conflict stays open.
pub type syncstore_resolver_callback = Option<
    unsafe extern "C" fn(user_data: *mut c_void, conflict: *const syncstore_conflict, answer: *mut syncstore_answer),
>;

/// A callback of the host's as a resolver.
struct Callback {
    callback: unsafe extern "C" fn(*mut c_void, *const syncstore_conflict, *mut syncstore_answer),
    data: UserData,
}

impl ConflictResolver for Callback {
    fn resolve(&self, conflict: &Conflict) -> Result<Option<Resolution>, ResolverError> {
        let conflict = Arc::new(syncstore_conflict::new(conflict.clone()));
        let answer = Arc::new(syncstore_answer { life: Life::new(), said: Mutex::new(Ok(None)) });
        handle::show(&conflict, |conflict| {
            // SAFETY: by the conventions of the header it may be called with these, on any thread, until `data` is destroyed.
            handle::show(&answer, |answer| unsafe { (self.callback)(self.data.get(), conflict, answer) });
        });
        let said = std::mem::replace(&mut *answer.said.lock(), Ok(None));
        said.map_err(ResolverError::from)
    }
}

/// Makes a resolver of the program's own.
///
/// callback: called after what a sync brought is stored, in no transaction: at the end of syncstore_sync() and its like on the thread that called; for the background
/// sync on a thread beside it, for which nothing waits. Several threads at a time may call it, but for each conflict one, and again when more of theirs came; after a failure the next
/// sync asks again. It may call everything of the library, and take its time. What a closed store asked is not heard any more.
/// user_data, destroy: see there; destroy is called when the resolver is freed, and the last store that was opened with it is closed; it may be NULL.
/// resolver: takes it; free it with syncstore_resolver_free().
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_resolver_new(
    callback: syncstore_resolver_callback,
    user_data: *mut c_void,
    destroy: syncstore_destroy,
    resolver: *mut *mut syncstore_resolver,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    // SAFETY: by the conventions of the header it may be called with that, once, on any thread.
    let data = unsafe { UserData::new(user_data, destroy) };
    call!(error, [required resolver], || {
        let callback = callback.ok_or_else(|| Failure::null("callback"))?;
        resolver.give(syncstore_resolver::new(Callback { callback, data }))
    })
}

/// Makes a resolver that merges values member by member, like syncstore_conflict_merge().
///
/// prefer: whose stands where both changed the same thing: SYNCSTORE_PREFER_OURS or SYNCSTORE_PREFER_THEIRS.
/// resolver: takes it; free it with syncstore_resolver_free().
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_resolver_field_merge(
    prefer: syncstore_prefer,
    resolver: *mut *mut syncstore_resolver,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required resolver], || {
        resolver.give(syncstore_resolver::new(FieldMerge(preferred(prefer)?)))
    })
}

/// Makes a resolver that takes the side that was written last, by a timestamp that the program keeps in each value. Numbers are compared as numbers, texts
/// bytewise; at the same time theirs stands. A conflict of anything but values, or where a side is absent or has no such member, stays open.
///
/// pointer: the JSON Pointer (RFC 6901) of the member, such as "/updated_at".
/// resolver: takes it; free it with syncstore_resolver_free().
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_resolver_last_writer(
    pointer: *const c_char,
    resolver: *mut *mut syncstore_resolver,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required resolver], || {
        resolver.give(syncstore_resolver::new(LastWriter::by(name!(pointer))))
    })
}

/// Frees a resolver. Stores that were opened with it go on to ask it. NULL is ignored.
///
/// Thread: any; no other may be using this resolver.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_resolver_free(resolver: *mut syncstore_resolver) {
    free!(resolver)
}

/// Says what to make of the conflict. What is said last counts.
///
/// answer: what the resolver's callback got.
/// resolution: one of SYNCSTORE_RESOLUTION_....
/// json, json_len: for SYNCSTORE_RESOLUTION_MERGED the value, as JSON text of so many bytes; else NULL and 0.
/// Errors: SYNCSTORE_JSON; SYNCSTORE_MISUSE. What was said before stands then.
///
/// Thread: any, until the callback returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_answer_resolve(
    answer: *mut syncstore_answer,
    resolution: syncstore_resolution,
    json: *const c_char,
    json_len: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |answer| {
        let decided = self::resolution(resolution, text!(json, json_len))?;
        *answer.said.lock() = Ok(decided);
        Ok(SYNCSTORE_OK)
    })
}

/// Says that the resolver failed: the conflict stays open, the program's log hears so, and the next sync asks again.
///
/// answer: what the resolver's callback got.
/// message: why. It stays within the library: no log and no event has it, since it may hold what the item does.
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any, until the callback returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_answer_fail(
    answer: *mut syncstore_answer,
    message: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |answer| {
        *answer.said.lock() = Err(name!(message).to_owned());
        Ok(SYNCSTORE_OK)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conflict::{ConflictId, Ending};
    use crate::event::{ConflictNews, Event, EventOptions};
    use crate::ffi::conflicts::{
        SYNCSTORE_PREFER_OURS, SYNCSTORE_RESOLUTION_KEEP_OURS, SYNCSTORE_RESOLUTION_KEEP_REBASED,
        SYNCSTORE_RESOLUTION_LEAVE_OPEN, SYNCSTORE_RESOLUTION_MERGED, SYNCSTORE_RESOLUTION_TAKE_THEIRS,
        syncstore_conflict_merge,
    };
    use crate::ffi::items::syncstore_get;
    use crate::ffi::status::{SYNCSTORE_JSON, SYNCSTORE_MISUSE};
    use crate::ffi::store::{syncstore, syncstore_free, syncstore_open, syncstore_options};
    use crate::ffi::text::{syncstore_text, syncstore_text_free};
    use crate::protocol::{
        CheckpointItem, CheckpointPage, Cursor, DatabaseInfo, Entry, EntryOutcome, InboxPage, Json, Limits, OpKind,
        PublishedRetention, PushRequest, PushResponse, Ref, ResourceName,
    };
    use crate::wire::{CheckpointRequest, PullRequest, Wire, WireError};
    use serde_json::{Value, json};
    use std::ffi::CString;
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
    use std::time::Duration;

    /// What a callback is to say, and what became of its data.
    #[derive(Default)]
    struct Part {
        says: i32,
        destroyed: AtomicU32,
        asked: AtomicU32,
        store: AtomicPtr<syncstore>,
    }

    const FAIL: i32 = 100;
    const NOTHING: i32 = 101;
    const NONSENSE: i32 = 102;
    const MERGE: i32 = 103;

    unsafe extern "C" fn destroyed(data: *mut c_void) {
        // SAFETY: each test hands over a part that outlives its resolver.
        unsafe { &*data.cast::<Part>() }.destroyed.fetch_add(1, Ordering::SeqCst);
    }

    unsafe extern "C" fn decide(data: *mut c_void, conflict: *const syncstore_conflict, answer: *mut syncstore_answer) {
        // SAFETY: likewise.
        let part = unsafe { &*data.cast::<Part>() };
        part.asked.fetch_add(1, Ordering::SeqCst);
        let say = |which, json: &str| {
            // SAFETY: the answer is one, and the text as long as it says.
            unsafe { syncstore_answer_resolve(answer, which, json.as_ptr().cast(), json.len(), ptr::null_mut()) }
        };
        match part.says {
            NOTHING => {}
            FAIL => {
                // SAFETY: the text ends with NUL.
                let said = unsafe { syncstore_answer_fail(answer, c"why".as_ptr(), ptr::null_mut()) };
                assert_eq!(said, SYNCSTORE_OK);
            }
            NONSENSE => {
                assert_eq!(say(SYNCSTORE_RESOLUTION_TAKE_THEIRS, ""), SYNCSTORE_OK);
                assert_eq!(say(SYNCSTORE_RESOLUTION_MERGED, "{"), SYNCSTORE_JSON);
                assert_eq!(say(SYNCSTORE_RESOLUTION_KEEP_OURS, "1"), SYNCSTORE_MISUSE);
                assert_eq!(say(77, ""), SYNCSTORE_MISUSE);
            }
            MERGE => {
                let mut merged = syncstore_text { data: ptr::null_mut(), len: 0 };
                // It may call the store that asks.
                let store = part.store.load(Ordering::SeqCst);
                let mut read = merged;
                // SAFETY: all of them are handles, names and outputs.
                unsafe {
                    let status = syncstore_get(store, c"c".as_ptr(), c"k".as_ptr(), &raw mut read, ptr::null_mut());
                    assert_eq!(status, SYNCSTORE_OK);
                    syncstore_text_free(&raw mut read);
                    let prefer = SYNCSTORE_PREFER_OURS;
                    assert_eq!(
                        syncstore_conflict_merge(conflict, prefer, &raw mut merged, ptr::null_mut()),
                        SYNCSTORE_OK
                    );
                    let which = SYNCSTORE_RESOLUTION_MERGED;
                    let said = syncstore_answer_resolve(answer, which, merged.data, merged.len, ptr::null_mut());
                    assert_eq!(said, SYNCSTORE_OK);
                    syncstore_text_free(&raw mut merged);
                }
            }
            which => {
                let merged = if which == SYNCSTORE_RESOLUTION_MERGED { "[1]" } else { "" };
                assert_eq!(say(which, merged), SYNCSTORE_OK);
            }
        }
    }

    fn resolver(part: &Part) -> *mut syncstore_resolver {
        let (mut resolver, data) = (ptr::null_mut(), (&raw const *part).cast_mut().cast());
        // SAFETY: the part outlives the resolver.
        let made =
            unsafe { syncstore_resolver_new(Some(decide), data, Some(destroyed), &raw mut resolver, ptr::null_mut()) };
        assert_eq!(made, SYNCSTORE_OK);
        resolver
    }

    fn conflict() -> Conflict {
        Conflict {
            id: ConflictId(1),
            collection: "c".into(),
            key: "k".into(),
            resource: ResourceName::Value,
            base: None,
            local: None,
            remote: None,
            view: None,
            opened_at: 0,
            end: None,
            version: 1,
        }
    }

    #[test]
    fn what_the_callback_says_is_what_the_resolver_answers() {
        for (says, expected) in [
            (NOTHING, Ok(None)),
            (SYNCSTORE_RESOLUTION_LEAVE_OPEN, Ok(None)),
            (SYNCSTORE_RESOLUTION_KEEP_REBASED, Ok(Some(Resolution::KeepRebased))),
            (SYNCSTORE_RESOLUTION_TAKE_THEIRS, Ok(Some(Resolution::TakeTheirs))),
            (SYNCSTORE_RESOLUTION_KEEP_OURS, Ok(Some(Resolution::KeepOurs))),
            (SYNCSTORE_RESOLUTION_MERGED, Ok(Some(Resolution::Merged(json!([1]))))),
            (NONSENSE, Ok(Some(Resolution::TakeTheirs))),
            (FAIL, Err("why".to_owned())),
        ] {
            let part = Part { says, ..Part::default() };
            let resolver = resolver(&part);
            // SAFETY: it was made above.
            let shared = unsafe { handle::lend(resolver) }.unwrap().shared();
            assert_eq!(shared.resolve(&conflict()).map_err(|error| error.to_string()), expected);
            // SAFETY: it was made above.
            unsafe { syncstore_resolver_free(resolver) };
            assert_eq!(part.destroyed.load(Ordering::SeqCst), 0);
            drop(shared);
            assert_eq!(part.destroyed.load(Ordering::SeqCst), 1);
        }
    }

    /// A server whose log has one item, and then a change of it by somebody else.
    struct Theirs {
        changed: bool,
    }

    impl Wire for Theirs {
        fn info(&self) -> Result<DatabaseInfo, WireError> {
            Ok(DatabaseInfo {
                database: None,
                epoch: "e".into(),
                seq: 1,
                limits: Limits::PROTOCOL,
                formats: vec!["application/json".into()],
                encodings: Vec::new(),
                retention: PublishedRetention::default(),
            })
        }

        fn push(&self, _: &PushRequest) -> Result<PushResponse, WireError> {
            Err(WireError::Unreachable("nothing is pushed".into()))
        }

        fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
            let at = request.cursor.as_ref().map_or("0", |cursor| cursor.as_str());
            let mut entry = Entry::new(2, Ref::from_bytes([7; 16]), EntryOutcome::Accepted);
            entry.kind = Some(OpKind::Set);
            (entry.collection, entry.key) = (Some("c".into()), Some("k".into()));
            entry.value = Some(Json::from_value(&json!({"a": 0, "b": 1})));
            (entry.from, entry.rev) = (Some(1), Some(2));
            let news = self.changed && at == "1";
            let seq = if news || at == "2" { 2 } else { 1 };
            let entries = if news { vec![entry] } else { Vec::new() };
            Ok(InboxPage { entries, cursor: Cursor::new(seq.to_string()), seq, more: false })
        }

        fn checkpoint(&self, _: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
            let value = Json::from_value(&json!({"a": 0, "b": 0}));
            let items = vec![CheckpointItem::new("c", "k", value, 1)];
            let (checkpoint, cursor) = ("1".into(), Cursor::new("1"));
            Ok(CheckpointPage { checkpoint, cursor, seq: 1, items, next: None, total: 1 })
        }
    }

    /// A store that was opened with a callback, and has pulled what is in conflict with its own change.
    fn contested(part: &Part, path: &std::path::Path, then: impl FnOnce(&crate::Store)) {
        let resolver = resolver(part);
        let path = CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: zero is a value of every member.
        let mut options: syncstore_options = unsafe { std::mem::zeroed() };
        options.struct_size = size_of::<syncstore_options>();
        options.resolver = resolver;
        let mut store = ptr::null_mut();
        // SAFETY: all of them are handles and outputs; the store does not need the resolver's handle.
        unsafe {
            let opened = syncstore_open(path.as_ptr(), &raw const options, &raw mut store, ptr::null_mut());
            assert_eq!(opened, SYNCSTORE_OK);
            syncstore_resolver_free(resolver);
        }
        part.store.store(store, Ordering::SeqCst);
        // SAFETY: it was opened above.
        let held = unsafe { handle::lend(store) }.unwrap().store().unwrap_or_else(|_| panic!("it is open"));
        held.pull(&Theirs { changed: false }).unwrap();
        held.set("c", "k", &json!({"a": 1, "b": 0})).unwrap();
        then(&held);
        assert_eq!(part.destroyed.load(Ordering::SeqCst), 0);
        drop(held);
        // SAFETY: it was opened above.
        unsafe { syncstore_free(store) };
        // Closing may go on behind the call, and has the data until its end.
        while part.destroyed.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_store_opened_with_a_callback_asks_it_as_it_pulls() {
        let dir = tempfile::tempdir().unwrap();
        let part = Part { says: MERGE, ..Part::default() };
        contested(&part, &dir.path().join("s.db"), |store| {
            store.pull(&Theirs { changed: true }).unwrap();
            assert_eq!(part.asked.load(Ordering::SeqCst), 1);
            assert_eq!(store.get::<Value>("c", "k").unwrap(), Some(json!({"a": 1, "b": 1})));
            assert_eq!(store.ended_conflicts().unwrap()[0].end.unwrap().how, Ending::Merged);
        });
    }

    #[test]
    fn a_callback_that_fails_leaves_the_conflict_to_the_host_and_its_words_are_in_no_log() {
        let dir = tempfile::tempdir().unwrap();
        let part = Part { says: FAIL, ..Part::default() };
        contested(&part, &dir.path().join("s.db"), |store| {
            let events = store.events(EventOptions::default(), || {});
            store.pull(&Theirs { changed: true }).unwrap();
            let (mut news, mut lines) = (Vec::new(), Vec::new());
            let pumped = events.pump(100, Duration::MAX, |event| match event {
                Event::Conflict { news: told, .. } => news.push(told),
                Event::Log(line) => lines.push(line.text),
                _ => {}
            });
            assert!(!pumped.unwrap().more);
            assert_eq!(news, [ConflictNews::Begun, ConflictNews::NeedsDeciding]);
            assert!(lines.iter().any(|line| line.contains("the resolver failed")), "{lines:?}");
            assert!(!lines.iter().any(|line| line.contains("why")), "{lines:?}");
            assert_eq!(store.conflicts().unwrap().len(), 1);
        });
    }
}
