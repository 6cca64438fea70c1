//! Wires of the host's own
//!
//! Functions of the host carry requests to a backend of its own: over another HTTP client, a message queue, or a file.

use super::error::syncstore_error;
use super::kit::callback::UserData;
use super::kit::failure::Failure;
use super::kit::handle::show;
use super::kit::output::Plain;
use super::kit::sized::{self, StructSize};
use super::status::syncstore_status;
use super::wire::syncstore_wire;
use super::wire_call::{Message, syncstore_wire_call};
use crate::cancel::Cancel;
use crate::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use crate::wire::{CheckpointRequest, PullRequest, Traffic, Wire, WireError};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Carries one call to the backend and back, and answers it before it comes back.
///
/// user_data: what was registered with it.
/// call: what is asked, and what takes the answer.
///
/// It blocks for as long as it takes. For one store there is one at a time, and beside it at most one pull with syncstore_wire_call_wait_ms(); a wire that serves several
/// stores is called by all of them at a time. syncstore_sync() and its like call it on their own thread, but for the page of a checkpoint that is
/// fetched ahead, which has a thread of its own; a background sync on its threads for requests, syncstore_wire_info() on its caller's. It tries once: trying again is the library's business, and whatever
/// was in flight when a call failed is repeated. info is asked before anything else, until it was answered once since the store was opened, and again when the server's log was
/// restored. It may call everything of the library but what waits for a sync of the same store.
pub type syncstore_wire_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, call: *mut syncstore_wire_call)>;

/// The functions of a wire; begin with SYNCSTORE_WIRE_CALLBACKS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_wire_callbacks {
    /// Set by SYNCSTORE_WIRE_CALLBACKS_INIT.
    pub struct_size: usize,
    /// What each function gets.
    pub user_data: *mut c_void,
    /// Called with user_data when the wire was freed and nothing syncs over it any more, on whichever thread let go last; may be NULL.
    pub destroy: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// What the database takes (section 6 of docs/PROTOCOL.md, GET /v1/:db).
    pub info: syncstore_wire_callback,
    /// Takes operations (section 3).
    pub push: syncstore_wire_callback,
    /// Reads the log from a cursor on (section 4).
    pub pull: syncstore_wire_callback,
    /// Reads a page of a checkpoint (section 5).
    pub checkpoint: syncstore_wire_callback,
    /// Says that nobody waits for a call any more, on the thread that cancels, while the call's own function runs, or just before or after: it cuts that off, by the address of the call,
    /// and must not wait. A function that can be cut off only once it has begun asks syncstore_wire_call_is_cancelled() then. May be NULL: a call then ends by itself, or asks so now and
    /// then.
    pub cancel: syncstore_wire_callback,
}

// SAFETY: NULL, and functions that may be.
unsafe impl Plain for syncstore_wire_callbacks {}
// SAFETY: it begins with its size, and its last member is as wide as its alignment.
unsafe impl StructSize for syncstore_wire_callbacks {
    const FIRST_SIZE: usize = size_up_to!(syncstore_wire_callbacks.cancel);
}

type Function = unsafe extern "C" fn(*mut c_void, *mut syncstore_wire_call);

/// What the host gave, until the last that may call it lets go.
struct Functions {
    info: Function,
    push: Function,
    pull: Function,
    checkpoint: Function,
    cancel: Option<Function>,
    user_data: UserData,
    sent: AtomicU64,
    received: AtomicU64,
    round_trips: AtomicU64,
}

/// A wire of the host's own, with what ends its calls.
struct CustomWire {
    functions: Arc<Functions>,
    cancel: Option<Cancel>,
}

impl CustomWire {
    fn call(&self, function: Function, call: syncstore_wire_call) -> Result<Message, WireError> {
        if self.cancel.as_ref().is_some_and(Cancel::is_cancelled) {
            return Err(WireError::Cancelled);
        }
        let functions = &self.functions;
        let call = Arc::new(call);
        let cut_off = self.cancel.as_ref().zip(functions.cancel).map(|(cancel, cut_off)| {
            let (functions, call) = (Arc::clone(functions), Arc::clone(&call));
            cancel.on_cancel(move || {
                // SAFETY: by the conventions of the header it may be called with its `user_data` on any thread.
                show(&call, |call| unsafe { cut_off(functions.user_data.get(), call) });
            })
        });
        // It was cut off before it began: nobody would tell the function.
        if self.cancel.as_ref().is_some_and(Cancel::is_cancelled) {
            return Err(WireError::Cancelled);
        }
        // SAFETY: likewise.
        show(&call, |call| unsafe { function(functions.user_data.get(), call) });
        drop(cut_off);
        functions.sent.fetch_add(call.request_len() as u64, Ordering::Relaxed);
        functions.received.fetch_add(call.received.load(Ordering::Relaxed), Ordering::Relaxed);
        functions.round_trips.fetch_add(1, Ordering::Relaxed);
        call.said()
    }
}

/// Nobody answers one call with another's message: they are decoded by what is asked.
fn other() -> WireError {
    WireError::Protocol("the answer is of another call".into())
}

impl Wire for CustomWire {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        match self.call(self.functions.info, syncstore_wire_call::info(self.cancel.clone()))? {
            Message::Info(info) => Ok(info),
            _ => Err(other()),
        }
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        match self.call(self.functions.push, syncstore_wire_call::push(request, self.cancel.clone())?)? {
            Message::Push(response) => Ok(response),
            _ => Err(other()),
        }
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        match self.call(self.functions.pull, syncstore_wire_call::pull(request, self.cancel.clone()))? {
            Message::Pull(page) => Ok(page),
            _ => Err(other()),
        }
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        match self.call(self.functions.checkpoint, syncstore_wire_call::checkpoint(request, self.cancel.clone()))? {
            Message::Checkpoint(page) => Ok(page),
            _ => Err(other()),
        }
    }

    fn cancellable(&self, cancel: &Cancel) -> Option<Arc<dyn Wire>> {
        Some(Arc::new(CustomWire { functions: Arc::clone(&self.functions), cancel: Some(cancel.clone()) }))
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            sent: self.functions.sent.load(Ordering::Relaxed),
            received: self.functions.received.load(Ordering::Relaxed),
            round_trips: self.functions.round_trips.load(Ordering::Relaxed),
        }
    }
}

/// What has to be destroyed, of a struct that is long enough to have it.
///
/// # Safety
///
/// The pointer is NULL, or leads to as many bytes as its `struct_size` says; its `destroy` may be called with its `user_data`, once.
unsafe fn registered(callbacks: *const syncstore_wire_callbacks) -> Option<UserData> {
    if callbacks.is_null() {
        return None;
    }
    // SAFETY: the condition above: each struct of options begins with its size.
    let size = unsafe { callbacks.cast::<usize>().read() };
    if !sized::is_size::<syncstore_wire_callbacks>(size) {
        return None;
    }
    // SAFETY: the condition above, and it is as long.
    unsafe { Some(UserData::new((*callbacks).user_data, (*callbacks).destroy)) }
}

/// A wire of the host's own.
///
/// callbacks: what it is made of, which is copied; info, push, pull and checkpoint may not be NULL.
/// wire: takes the wire; free it with syncstore_wire_free().
/// Errors: SYNCSTORE_MISUSE; then destroy was called, but for a struct_size that is none.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_wire_custom(
    callbacks: *const syncstore_wire_callbacks,
    wire: *mut *mut syncstore_wire,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    // SAFETY: by the conventions of the header.
    let user_data = unsafe { registered(callbacks) };
    call!(error, [required wire], || {
        let given = options!(callbacks);
        let user_data = user_data.ok_or_else(|| Failure::null("callbacks"))?;
        let needed = |function: syncstore_wire_callback, name| function.ok_or_else(|| Failure::null(name));
        let functions = Functions {
            info: needed(given.info, "callbacks.info")?,
            push: needed(given.push, "callbacks.push")?,
            pull: needed(given.pull, "callbacks.pull")?,
            checkpoint: needed(given.checkpoint, "callbacks.checkpoint")?,
            cancel: given.cancel,
            user_data,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
        };
        wire.give(syncstore_wire::new(CustomWire { functions: Arc::new(functions), cancel: None }))
    })
}
