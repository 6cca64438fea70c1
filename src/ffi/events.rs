//! Events
//!
//! What a store tells, in one bounded queue, until the program has it handed out on a thread of its own choice: what changes of items, after
//! syncstore_events_subscribe(); what became of operations and of conflicts; what the background sync is at; lines for a log.
//! Call syncstore_events_pump() when wake says so, on a timer, or with each frame.

use super::callback::{syncstore_destroy, syncstore_event_callback, syncstore_wake, waker};
use super::error::syncstore_error;
use super::event::syncstore_event;
use super::kit::callback::UserData;
use super::kit::failure::Failure;
use super::kit::handle::{self, Handle, Life};
use super::kit::input::milliseconds_or;
use super::kit::output::Plain;
use super::kit::sized::StructSize;
use super::status::{
    SYNCSTORE_NO_DESCRIPTOR, SYNCSTORE_NOT_FOUND, SYNCSTORE_NOTHING_TO_PUMP, SYNCSTORE_OK, syncstore_status,
};
use super::store::syncstore;
use super::watching::{read_watch, syncstore_watch_options};
use crate::event::{EventOptions, LogLevel, Subscription};
use crate::store::Events;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How much a log line matters.
pub type syncstore_log_level = i32;

/// No lines; for syncstore_event_options.log_level alone.
pub const SYNCSTORE_LOG_NONE: syncstore_log_level = -1;
/// Somebody has to do something.
pub const SYNCSTORE_LOG_ERROR: syncstore_log_level = 1;
/// It will pass, or is made good.
pub const SYNCSTORE_LOG_WARN: syncstore_log_level = 2;
/// What happened.
pub const SYNCSTORE_LOG_INFO: syncstore_log_level = 3;
/// Each step.
pub const SYNCSTORE_LOG_DEBUG: syncstore_log_level = 4;

/// What to be told, and how much to hold; begin with SYNCSTORE_EVENT_OPTIONS_INIT. Of everything 0 is the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_event_options {
    /// Set by SYNCSTORE_EVENT_OPTIONS_INIT.
    pub struct_size: usize,
    /// The level down to which log lines are told, SYNCSTORE_LOG_NONE for none. Default: SYNCSTORE_LOG_WARN.
    pub log_level: i64,
    /// The most settled operations that are held; of more, their number is. -1: none are told. Default: 1,024.
    pub outcomes: i64,
    /// The most news of conflicts that are held; of more, their number is. -1: none are told. Default: 256.
    pub conflicts: i64,
    /// The most log lines that are held; of more, their number is. Default: 256.
    pub log_lines: i64,
}

// SAFETY: numbers.
unsafe impl Plain for syncstore_event_options {}
// SAFETY: it begins with its size, and its last member is as wide as its alignment.
unsafe impl StructSize for syncstore_event_options {
    const FIRST_SIZE: usize = size_up_to!(syncstore_event_options.log_lines);
}

fn read_options(given: syncstore_event_options) -> Result<EventOptions, Failure> {
    let mut options = EventOptions::default();
    let bound = |value: i64, called: &str, default: usize| match value {
        0 => Ok(default),
        -1 => Ok(0),
        _ => usize::try_from(value).map_err(|_| Failure::misuse(called, "is below -1")),
    };
    options.outcomes = bound(given.outcomes, "options.outcomes", options.outcomes)?;
    options.conflicts = bound(given.conflicts, "options.conflicts", options.conflicts)?;
    options.log_lines = bound(given.log_lines, "options.log_lines", options.log_lines)?;
    options.log_level = match i32::try_from(given.log_level) {
        Ok(0) => options.log_level,
        Ok(SYNCSTORE_LOG_NONE) => None,
        Ok(SYNCSTORE_LOG_ERROR) => Some(LogLevel::Error),
        Ok(SYNCSTORE_LOG_WARN) => Some(LogLevel::Warn),
        Ok(SYNCSTORE_LOG_INFO) => Some(LogLevel::Info),
        Ok(SYNCSTORE_LOG_DEBUG) => Some(LogLevel::Debug),
        _ => return Err(Failure::misuse("options.log_level", "is none of the constants")),
    };
    Ok(options)
}

/// Listens to a store.
pub struct syncstore_events {
    life: Life,
    store: Arc<syncstore>,
    events: Events,
    subscriptions: Mutex<BTreeMap<u64, Subscription>>,
    /// By a callback of its own, perhaps: nothing more is handed out.
    freed: AtomicBool,
}

impl Handle for syncstore_events {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// Begins to listen.
///
/// options: what to be told; NULL is the default.
/// wake: called each time that the queue was empty and is not any more, exactly once, on whichever thread tells: one that writes or syncs, the
/// background sync's; may be NULL. It may call everything, close and free included, but what syncs or waits for an operation. One that
/// another thread is about to make may still come after the events were freed.
/// user_data, destroy: see there; destroy may be NULL.
/// events: takes them; free them with syncstore_events_free().
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_events_new(
    store: *mut syncstore,
    options: *const syncstore_event_options,
    wake: syncstore_wake,
    user_data: *mut c_void,
    destroy: syncstore_destroy,
    events: *mut *mut syncstore_events,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    // SAFETY: by the conventions of the header it may be called with that, once, on any thread.
    let data = unsafe { UserData::new(user_data, destroy) };
    call!(error, [required events], |store| {
        let options = read_options(options!(options))?;
        let listening = store.store()?.events(options, waker(wake, data));
        events.give(syncstore_events {
            life: Life::new(),
            store: Arc::clone(store),
            events: listening,
            subscriptions: Mutex::default(),
            freed: AtomicBool::new(false),
        })
    })
}

/// Tells what changes of some items from now on. What other processes change is told when the background sync looks, or, without
/// it, at each pump.
///
/// options: which items; NULL: every item.
/// subscription: takes its number, which no other of the store has, and which is never 0.
/// Errors: SYNCSTORE_BUSY, SYNCSTORE_DISK_FULL, SYNCSTORE_STORAGE, since it needs to write for a moment.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_events_subscribe(
    events: *mut syncstore_events,
    options: *const syncstore_watch_options,
    subscription: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required subscription], |events| {
        let options = options!(options);
        let held = events.store.store()?;
        // SAFETY: by the conventions of the header texts within options are NULL or end with NUL.
        let watch = unsafe { read_watch(&held, options) }?;
        let begun = events.events.subscribe(watch)?;
        events.subscriptions.lock().insert(begun.number(), begun);
        subscription.put(begun.number())
    })
}

/// Ends a subscription; nothing of it is told any more, not even what is in the queue.
///
/// Answers SYNCSTORE_NOT_FOUND where there is none of that number.
/// Errors: SYNCSTORE_CLOSED.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_events_unsubscribe(
    events: *mut syncstore_events,
    subscription: u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |events| {
        let _held = events.store.store()?;
        let known = events.subscriptions.lock().remove(&subscription);
        let ended = known.is_some_and(|known| events.events.unsubscribe(known));
        Ok(if ended { SYNCSTORE_OK } else { SYNCSTORE_NOT_FOUND })
    })
}

/// Hands out what there is, in order: calls the callback for each event, on this thread. Does not wait for any.
///
/// max: the most events.
/// budget_ms: no further event is handed out once so many milliseconds are over; 0: one event at most; -1: time alone ends nothing.
/// callback: called with each event, which is valid until it returns. It may call everything of the library: write, sync, pump, subscribe, close and free the
/// store and these events. After it has closed the store, or freed the store or the events, nothing more is handed out.
/// user_data: given to the callback.
/// pumped: takes how many were handed out; also where an error came behind them. May be NULL.
/// more: takes 1 where there are more, for which no wake comes, else 0. May be NULL.
/// Errors: SYNCSTORE_CLOSED; when the file cannot be read to find out what changed: nothing is lost then, pump again.
///
/// Thread: any, several at a time too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_events_pump(
    events: *mut syncstore_events,
    max: usize,
    budget_ms: i64,
    callback: syncstore_event_callback,
    user_data: *mut c_void,
    pumped: *mut usize,
    more: *mut i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [optional pumped, optional more], |events| {
        let callback = callback.ok_or_else(|| Failure::null("callback"))?;
        let budget = milliseconds_or(budget_ms, "budget_ms", Duration::ZERO, Duration::MAX)?;
        // Looked at, and let go of again: a callback that closes the store is not to wait for its own pump.
        events.store.store()?;
        let mut handed = 0;
        let done = events.events.pump_until(max, budget, |told| {
            let told = Arc::new(syncstore_event::new(&told));
            handed += 1;
            // SAFETY: by the conventions of the header it may be called with an event, on this thread.
            handle::show(&told, |told| unsafe { callback(user_data, told) });
            if events.freed.load(Ordering::SeqCst) || events.store.store().is_err() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let _ = pumped.put(handed);
        more.put(i32::from(done?.more))
    })
}

/// Waits until there is something to pump. Closing the store ends it.
///
/// at_most_ms: the longest, in milliseconds; 0: not at all, -1: without an end. It may come back early.
/// Answers SYNCSTORE_NOTHING_TO_PUMP where there is nothing still.
/// Errors: SYNCSTORE_CLOSED.
///
/// Thread: any; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_events_wait(
    events: *mut syncstore_events,
    at_most_ms: i64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |events| {
        let patience = milliseconds_or(at_most_ms, "at_most_ms", Duration::ZERO, Duration::MAX)?;
        // Let go of at once, or closing would wait for this.
        events.store.store()?;
        let there_is = events.events.wait(patience);
        events.store.store()?;
        Ok(if there_is { SYNCSTORE_OK } else { SYNCSTORE_NOTHING_TO_PUMP })
    })
}

/// A file descriptor that is readable as long as there is something to pump, for poll() and its like. Nothing may be read from it:
/// syncstore_events_pump() does that. It is the caller's, to be closed by close(), and each call answers another one.
///
/// descriptor: takes it; else it is 0, which is none.
/// Errors: SYNCSTORE_NO_DESCRIPTOR when the process has none left, and always where the system is no Unix.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_events_descriptor(
    events: *mut syncstore_events,
    descriptor: *mut i32,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required descriptor], |events| {
        events.store.store()?;
        descriptor.put(open_descriptor(&events.events)?)
    })
}

#[cfg(unix)]
fn open_descriptor(events: &Events) -> Result<i32, Failure> {
    use std::os::fd::IntoRawFd;
    let opened = events.descriptor();
    opened
        .map(IntoRawFd::into_raw_fd)
        .map_err(|error| Failure::new(SYNCSTORE_NO_DESCRIPTOR, &format!("there is no descriptor: {error}")))
}

#[cfg(not(unix))]
fn open_descriptor(_: &Events) -> Result<i32, Failure> {
    Err(Failure::new(SYNCSTORE_NO_DESCRIPTOR, "this system has no such descriptors"))
}

/// Frees events, and what they hold; ends their subscriptions. NULL is ignored.
///
/// Thread: any; no other may be using these events. Their own callback may free them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_events_free(events: *mut syncstore_events) {
    free!(events, |events| events.freed.store(true, Ordering::SeqCst))
}

/// The constant of a level.
pub(super) fn log_level(level: LogLevel) -> syncstore_log_level {
    match level {
        LogLevel::Error => SYNCSTORE_LOG_ERROR,
        LogLevel::Warn => SYNCSTORE_LOG_WARN,
        LogLevel::Info => SYNCSTORE_LOG_INFO,
        LogLevel::Debug => SYNCSTORE_LOG_DEBUG,
    }
}
