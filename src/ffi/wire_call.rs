//! Calls over a wire of the host's own
//!
//! What such a wire is asked, and how it answers. Requests and answers are JSON texts in the shapes that docs/PROTOCOL.md has. A call is the library's: it is
//! good until the callback comes back, and so are the texts that its getters answer. It is answered once, by one of syncstore_wire_call_answer(),
//! syncstore_wire_call_refuse() and syncstore_wire_call_fail(); one that is not fails with SYNCSTORE_PROTOCOL, and is tried again like any
//! broken answer.

use super::error::syncstore_error;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::status::*;
use crate::cancel::Cancel;
use crate::protocol::{
    CheckpointPage, DatabaseInfo, Filter, Format, InboxPage, Problem, PushRequest, PushResponse, Scope,
};
use crate::wire::http::common::{Call, LONGEST_WAIT, of_decoding, of_status, status_code};
use crate::wire::http::printable;
use crate::wire::{CheckpointRequest, Expiry, PullRequest, WireError};
use parking_lot::Mutex;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ffi::c_char;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most bytes of an answer, as over HTTP by default.
const LARGEST_ANSWER: usize = 64 << 20;
/// The most that a host's words have in an error.
const WORDS: usize = 400;

/// One call over a wire of the host's own.
pub struct syncstore_wire_call {
    life: Life,
    asked: Asked,
    request: CText,
    target: CText,
    cancel: Option<Cancel>,
    said: Mutex<Option<Result<Message, WireError>>>,
    /// Bytes of the answer that counts.
    pub(super) received: AtomicU64,
    ops: OnceLock<Vec<BTreeMap<String, CText>>>,
}

impl Handle for syncstore_wire_call {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// What a call asks.
enum Asked {
    Info,
    Push { client: CText, cursor: Option<CText> },
    Pull { request: PullRequest, client: CText, cursor: Option<CText> },
    Checkpoint { request: CheckpointRequest, client: CText, page: Option<CText> },
}

/// What was answered, of whichever call.
pub(super) enum Message {
    Info(DatabaseInfo),
    Push(PushResponse),
    Pull(InboxPage),
    Checkpoint(CheckpointPage),
}

impl syncstore_wire_call {
    fn new(asked: Asked, request: &str, cancel: Option<Cancel>) -> syncstore_wire_call {
        let target = CText::new(&asked.call().target());
        syncstore_wire_call {
            life: Life::new(),
            asked,
            request: CText::new(request),
            target,
            cancel,
            said: Mutex::new(None),
            received: AtomicU64::new(0),
            ops: OnceLock::new(),
        }
    }

    pub(super) fn info(cancel: Option<Cancel>) -> syncstore_wire_call {
        syncstore_wire_call::new(Asked::Info, "{}", cancel)
    }

    pub(super) fn push(request: &PushRequest, cancel: Option<Cancel>) -> Result<syncstore_wire_call, WireError> {
        let (client, cursor) = (request.client.to_string(), request.cursor.as_ref());
        let asked =
            Asked::Push { client: CText::new(&client), cursor: cursor.map(|cursor| CText::new(cursor.as_str())) };
        let text = serde_json::to_string(request);
        let text = text.map_err(|_| WireError::Setup("the request cannot be written as JSON".into()))?;
        Ok(syncstore_wire_call::new(asked, &text, cancel))
    }

    pub(super) fn pull(request: &PullRequest, cancel: Option<Cancel>) -> syncstore_wire_call {
        let (client, cursor) = (request.client.to_string(), request.cursor.as_ref().map(|cursor| cursor.as_str()));
        let mut members = serde_json::Map::from_iter([
            ("client".to_owned(), client.clone().into()),
            ("limit".to_owned(), request.limit.into()),
        ]);
        cursor.map(|cursor| members.insert("cursor".into(), cursor.into()));
        if !request.wait.is_zero() {
            let seconds = request.wait.as_secs() + u64::from(request.wait.subsec_nanos() > 0);
            members.insert("wait".into(), seconds.into());
        }
        if request.own_payloads {
            members.insert("as_sent".into(), "never".into());
        }
        put_scope(&mut members, &request.scope);
        let text = serde_json::Value::from(members).to_string();
        let cursor = cursor.map(CText::new);
        let asked = Asked::Pull { request: request.clone(), client: CText::new(&client), cursor };
        syncstore_wire_call::new(asked, &text, cancel)
    }

    pub(super) fn checkpoint(request: &CheckpointRequest, cancel: Option<Cancel>) -> syncstore_wire_call {
        let (client, page) = (request.client.to_string(), request.page.as_deref());
        let mut members = serde_json::Map::from_iter([
            ("client".to_owned(), client.clone().into()),
            ("limit".to_owned(), request.limit.into()),
        ]);
        page.map(|page| members.insert("page".into(), page.into()));
        put_scope(&mut members, &request.scope);
        let text = serde_json::Value::from(members).to_string();
        let page = page.map(CText::new);
        let asked = Asked::Checkpoint { request: request.clone(), client: CText::new(&client), page };
        syncstore_wire_call::new(asked, &text, cancel)
    }

    pub(super) fn request_len(&self) -> usize {
        self.request.as_str().len()
    }

    /// What was answered by the time that the callback came back.
    pub(super) fn said(&self) -> Result<Message, WireError> {
        let said = self.said.lock().take();
        let said = said.unwrap_or_else(|| {
            Err(WireError::Protocol(format!("{}: the wire came back without an answer", self.asked.call())))
        });
        // What is cut off may be told in other words.
        if said.is_err() && self.is_cancelled() { Err(WireError::Cancelled) } else { said }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(Cancel::is_cancelled)
    }

    /// Takes an answer, if it is the first.
    fn say(&self, said: Result<Message, WireError>) -> Result<(), Failure> {
        let mut kept = self.said.lock();
        if kept.is_some() {
            return Err(Failure::misuse("call", "was answered before"));
        }
        *kept = Some(said);
        Ok(())
    }

    fn decode(&self, json: &str) -> Result<Message, WireError> {
        fn of<T: DeserializeOwned>(json: &str, call: &Call<'_>) -> Result<T, WireError> {
            Format::Json.decode(json.as_bytes()).map_err(|error| of_decoding(&error, call))
        }
        let call = self.asked.call();
        if json.len() > LARGEST_ANSWER {
            return Err(WireError::Protocol(format!("{call}: the answer has more than 64 MiB")));
        }
        Ok(match &self.asked {
            Asked::Info => Message::Info(of(json, &call)?),
            Asked::Push { .. } => Message::Push(of(json, &call)?),
            Asked::Pull { .. } => Message::Pull(of(json, &call)?),
            Asked::Checkpoint { .. } => Message::Checkpoint(of(json, &call)?),
        })
    }

    /// The operations of a push, each member as JSON.
    fn ops(&self) -> &[BTreeMap<String, CText>] {
        #[derive(Deserialize)]
        struct Pushed<'a> {
            #[serde(borrow)]
            ops: Vec<BTreeMap<String, &'a RawValue>>,
        }
        self.ops.get_or_init(|| {
            let Asked::Push { .. } = self.asked else { return Vec::new() };
            let pushed = serde_json::from_str::<Pushed<'_>>(self.request.as_str());
            let members = |op: BTreeMap<String, &RawValue>| {
                op.into_iter().map(|(name, json)| (name, CText::new(json.get()))).collect()
            };
            pushed.map_or_else(|_| Vec::new(), |pushed| pushed.ops.into_iter().map(members).collect())
        })
    }
}

impl Asked {
    fn call(&self) -> Call<'_> {
        match self {
            Asked::Info => Call::Info,
            Asked::Push { .. } => Call::Push,
            Asked::Pull { request, .. } => Call::Pull(request),
            Asked::Checkpoint { request, .. } => Call::Checkpoint(request),
        }
    }
}

fn put_scope(members: &mut serde_json::Map<String, serde_json::Value>, scope: &Scope) {
    let have = scope.have.as_ref().and_then(Filter::text);
    for (name, text) in [("collections", scope.filter.text()), ("have", have)] {
        text.map(|text| members.insert(name.into(), text.into()));
    }
}

/// What is asked, as a JSON object: of a push its body; of a pull and a checkpoint the parameters of the query, by their names; of info {}. Of NULL "".
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_request(call: *const syncstore_wire_call) -> *const c_char {
    read!(call, c"".as_ptr(), |call| Some(call.request.as_ptr()))
}

/// What follows the database's URL when this is asked over HTTP, such as "/sync/inbox?client=7d3c...&limit=500"; of info "". A push is a POST of
/// syncstore_wire_call_request(), the others are a GET. Of NULL "".
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_target(call: *const syncstore_wire_call) -> *const c_char {
    read!(call, c"".as_ptr(), |call| Some(call.target.as_ptr()))
}

/// The replica that asks, a UUID; of info and of NULL it is NULL.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_client(call: *const syncstore_wire_call) -> *const c_char {
    read!(call, ptr::null(), |call| match &call.asked {
        Asked::Info => None,
        Asked::Push { client, .. } | Asked::Pull { client, .. } | Asked::Checkpoint { client, .. } => {
            Some(client.as_ptr())
        }
    })
}

/// Of a push and a pull, the replica's cursor, as the server made it; NULL: it has none, or something else is asked.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_cursor(call: *const syncstore_wire_call) -> *const c_char {
    read!(call, ptr::null(), |call| match &call.asked {
        Asked::Push { cursor, .. } | Asked::Pull { cursor, .. } => cursor.as_ref().map(CText::as_ptr),
        Asked::Info | Asked::Checkpoint { .. } => None,
    })
}

/// Of a checkpoint, which page of it; NULL: it begins with one, or something else is asked.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_page(call: *const syncstore_wire_call) -> *const c_char {
    read!(call, ptr::null(), |call| match &call.asked {
        Asked::Checkpoint { page, .. } => page.as_ref().map(CText::as_ptr),
        Asked::Info | Asked::Push { .. } | Asked::Pull { .. } => None,
    })
}

/// Of a pull the most entries, of a checkpoint the most items that the page may have; else 0.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_limit(call: *const syncstore_wire_call) -> u32 {
    read!(call, 0, |call| match &call.asked {
        Asked::Pull { request, .. } => Some(request.limit),
        Asked::Checkpoint { request, .. } => Some(request.limit),
        Asked::Info | Asked::Push { .. } => None,
    })
}

/// Of a pull, how long the answer may be held while there is nothing new; else 0. A wire that does not hold it answers at once, and is asked again
/// every syncstore_sync_policy.pull_every_ms.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_wait_ms(call: *const syncstore_wire_call) -> i64 {
    read!(call, 0, |call| match &call.asked {
        Asked::Pull { request, .. } => Some(i64::try_from(request.wait.as_millis()).unwrap_or(i64::MAX)),
        Asked::Info | Asked::Push { .. } | Asked::Checkpoint { .. } => None,
    })
}

/// Of a push, how many operations it has; else 0.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_op_count(call: *const syncstore_wire_call) -> usize {
    read!(call, 0, |call| Some(call.ops().len()))
}

/// A member of an operation of a push, as the JSON text that stands there (a name with its quotes); equal names have equal texts.
///
/// place: which operation, from 0.
/// member: such as "ref", "op", "collection", "key", "value", "base", "batch".
/// Answers NULL where there is no such member, or no such operation.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_op_member(
    call: *const syncstore_wire_call,
    place: usize,
    member: *const c_char,
) -> *const c_char {
    // SAFETY: by the conventions of the header a name is NULL or ends with NUL.
    let member = unsafe { super::kit::input::name(member, "member") }.ok().flatten();
    read!(call, ptr::null(), |call| call.ops().get(place)?.get(member?).map(CText::as_ptr))
}

/// 1: nobody waits for the answer any more, and the callback does well to come back; else, and of NULL, 0.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_is_cancelled(call: *const syncstore_wire_call) -> i32 {
    read!(call, 0, |call| Some(i32::from(call.is_cancelled())))
}

/// Answers with the protocol's own answer to what is asked.
///
/// json, json_len: the answer as JSON text, at most 64 MiB; it is read during the call.
/// Errors: SYNCSTORE_PROTOCOL when the text is no such answer, with which the call then fails, too; SYNCSTORE_MISUSE, also where the call was answered
/// before, which changes nothing.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_answer(
    call: *mut syncstore_wire_call,
    json: *const c_char,
    json_len: usize,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |call| {
        let json = text!(json, json_len);
        let said = call.decode(json);
        let failure = said.as_ref().err().cloned();
        call.say(said)?;
        call.received.store(json.len() as u64, Ordering::Relaxed);
        failure.map_or(Ok(SYNCSTORE_OK), |error| Err(error.into()))
    })
}

/// Answers with an HTTP status other than 200, as section 7 of docs/PROTOCOL.md has it: for a wire that speaks HTTP by other means, and one whose backend has a reason for
/// a program, such as a cursor that expired (410).
///
/// http_status: 300 to 599.
/// problem, problem_len: the answer's problem document (RFC 9457) as JSON text; empty: it had none. One that is no such document counts as none.
/// retry_after_ms: how long the server asks to wait before the next try; -1: it does not say. No more than a day is heeded.
/// Errors: SYNCSTORE_MISUSE, also where the call was answered before, which changes nothing.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_refuse(
    call: *mut syncstore_wire_call,
    http_status: i32,
    problem: *const c_char,
    problem_len: usize,
    retry_after_ms: i64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |call| {
        let status = status_code(http_status).filter(|_| (300..600).contains(&http_status));
        let status = status.ok_or_else(|| Failure::misuse("http_status", "is not between 300 and 599"))?;
        let retry_after = retry_after(retry_after_ms)?;
        let problem: Problem = Format::Json.decode(text!(problem, problem_len).as_bytes()).unwrap_or_default();
        let redirects = || "it redirects, and redirects are not followed".to_owned();
        call.say(Err(of_status(status, &problem, &call.asked.call(), || retry_after, redirects)))?;
        Ok(SYNCSTORE_OK)
    })
}

/// Answers that the call failed.
///
/// status: SYNCSTORE_UNREACHABLE, SYNCSTORE_TIMED_OUT, SYNCSTORE_UNAVAILABLE or SYNCSTORE_PROTOCOL, after which it is tried again; SYNCSTORE_UNAUTHENTICATED, after which a
/// background sync waits for syncstore_credential_changed(); SYNCSTORE_FORBIDDEN, SYNCSTORE_REFUSED or SYNCSTORE_SETUP, which end the sync;
/// SYNCSTORE_CURSOR_EXPIRED and SYNCSTORE_CHECKPOINT_EXPIRED, after which the replica is loaded anew; SYNCSTORE_CANCELLED.
/// retry_after_ms: of SYNCSTORE_UNAVAILABLE, how long the server asks to wait before the next try; -1: it does not say. No more than a day is heeded.
/// message: why, for a developer; the first 400 characters come in the error's message: it must not hold a secret. NULL: no words.
/// Errors: SYNCSTORE_MISUSE, also where the call was answered before, which changes nothing.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_call_fail(
    call: *mut syncstore_wire_call,
    status: syncstore_status,
    retry_after_ms: i64,
    message: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |call| {
        let message = printable(maybe_name!(message).unwrap_or("the wire gives no reason"), WORDS);
        let retry_after = retry_after(retry_after_ms)?;
        let failed = match status {
            SYNCSTORE_UNREACHABLE => WireError::Unreachable(message),
            SYNCSTORE_TIMED_OUT => WireError::TimedOut(message),
            SYNCSTORE_UNAVAILABLE => WireError::Unavailable { status: 503, retry_after, message },
            SYNCSTORE_UNAUTHENTICATED => WireError::Unauthenticated(message),
            SYNCSTORE_FORBIDDEN => WireError::Forbidden(message),
            SYNCSTORE_CURSOR_EXPIRED => WireError::CursorExpired(Expiry::Pruned),
            SYNCSTORE_CHECKPOINT_EXPIRED => WireError::CheckpointExpired,
            // Without the protocol's own word, so that no operation is given up for it.
            SYNCSTORE_REFUSED => WireError::Refused { status: 400, code: String::new(), message },
            SYNCSTORE_PROTOCOL => WireError::Protocol(message),
            SYNCSTORE_SETUP => WireError::Setup(message),
            SYNCSTORE_CANCELLED => WireError::Cancelled,
            _ => return Err(Failure::misuse("status", "is none that a wire fails with")),
        };
        call.say(Err(failed))?;
        Ok(SYNCSTORE_OK)
    })
}

fn retry_after(milliseconds: i64) -> Result<Option<Duration>, Failure> {
    match milliseconds {
        -1 => Ok(None),
        _ => u64::try_from(milliseconds)
            .map(|wait| Some(Duration::from_millis(wait).min(LONGEST_WAIT)))
            .map_err(|_| Failure::misuse("retry_after_ms", "is below -1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::kit::handle::show;
    use crate::protocol::{ClientId, Cursor, Op, OpKind, Ref};
    use std::sync::Arc;

    #[test]
    fn a_call_says_in_json_what_its_target_says() {
        let client = ClientId::from_random(7);
        let scope = Scope { filter: Filter::only(["a,b"]), have: Some(Filter::only(["c"])) };
        let wait = Duration::from_millis(1_001);
        let cursor = Some(Cursor::new("c&\"1"));
        let request = PullRequest { client, cursor, limit: 9, wait, own_payloads: true, scope: scope.clone() };
        let call = syncstore_wire_call::pull(&request, None);
        let json: serde_json::Value = serde_json::from_str(call.request.as_str()).unwrap();
        let expected = serde_json::json!({
            "client": client.to_string(), "cursor": "c&\"1", "limit": 9, "wait": 2, "as_sent": "never",
            "collections": "a\\,b", "have": "c",
        });
        assert_eq!(json, expected);
        let query = "cursor=c%26%221&limit=9&wait=2&as_sent=never&collections=a%5C%2Cb&have=c";
        assert_eq!(call.target.as_str(), format!("/sync/inbox?client={client}&{query}"));

        let request = CheckpointRequest { client, page: Some("p".into()), limit: 9, scope };
        let call = syncstore_wire_call::checkpoint(&request, None);
        let json: serde_json::Value = serde_json::from_str(call.request.as_str()).unwrap();
        assert_eq!((&json["page"], &json["limit"], &json["have"]), (&"p".into(), &9.into(), &"c".into()));
        assert!(call.target.as_str().starts_with("/sync/checkpoint?"));
    }

    #[test]
    fn the_members_of_an_operation_are_their_own_texts() {
        let json = crate::protocol::Json::parse("{ \"b\" : [1.0, \"\\u0041\"] }").unwrap();
        let set = Op { value: Some(json), base: Some(3), ..Op::new(Ref::from_parts(1, 1), OpKind::Set, "c", "k\0") };
        let request = PushRequest { client: ClientId::from_random(7), cursor: None, ops: vec![set] };
        let call = syncstore_wire_call::push(&request, None).unwrap();
        let member = |name: &str| call.ops()[0].get(name).map(CText::as_str);
        assert_eq!(member("value"), Some("{ \"b\" : [1.0, \"\\u0041\"] }"));
        assert_eq!((member("base"), member("key"), member("patch")), (Some("3"), Some("\"k\\u0000\""), None));
    }

    #[test]
    fn an_answer_behind_the_first_counts_for_nothing() {
        let info = r#"{"epoch":"e","seq":0,"limits":{},"formats":[],"encodings":[]}"#;
        let call = Arc::new(syncstore_wire_call::info(None));
        let answer = |json: &str| {
            // SAFETY: the call is there, and the text as long as it says.
            show(&call, |call| unsafe {
                syncstore_wire_call_answer(call, json.as_ptr().cast(), json.len(), ptr::null_mut())
            })
        };
        assert_eq!((answer(info), answer("{}"), answer(info)), (SYNCSTORE_OK, SYNCSTORE_MISUSE, SYNCSTORE_MISUSE));
        assert_eq!(call.received.load(Ordering::Relaxed), info.len() as u64);
        assert!(matches!(call.said(), Ok(Message::Info(_))));
    }

    #[test]
    fn a_call_that_was_cancelled_fails_so_unless_it_was_answered_well() {
        let cancel = Cancel::new();
        let call = || syncstore_wire_call::info(Some(cancel.clone()));
        assert!(matches!(call().said(), Err(WireError::Protocol(_))));
        cancel.cancel();
        assert!(matches!(call().said(), Err(WireError::Cancelled)));
        let failed = call();
        failed.say(Err(WireError::TimedOut("no".into()))).unwrap();
        assert!(matches!(failed.said(), Err(WireError::Cancelled)));
        let answered = call();
        let info = r#"{"epoch":"e","seq":0,"limits":{},"formats":[],"encodings":[]}"#;
        answered.say(answered.decode(info)).unwrap();
        assert!(answered.say(Err(WireError::Cancelled)).is_err(), "it was answered before");
        assert!(matches!(answered.said(), Ok(Message::Info(_))));
    }
}
