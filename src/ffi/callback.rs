//! Callbacks
//!
//! What a registration takes besides the callback itself: user_data, which every call of it gets, and destroy, which is called with it exactly once,
//! when there will be no further call, on whichever thread lets go last.

use super::event::syncstore_event;
use super::kit::callback::UserData;
use std::ffi::c_void;

/// Frees user_data, or does whatever else there is to do when no further call will get it.
pub type syncstore_destroy = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Is told that there is something to take or to pump. It should do no more than wake an event loop.
pub type syncstore_wake = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Is given each event, which is valid until it returns.
pub type syncstore_event_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, event: *const syncstore_event)>;

/// A waker for the store, that lets go of the host's data when it is dropped.
pub(super) fn waker(wake: syncstore_wake, data: UserData) -> impl Fn() + Send + Sync + 'static {
    move || {
        if let Some(wake) = wake {
            // SAFETY: by the conventions of the header it may be called on any thread until `data` is destroyed.
            unsafe { wake(data.get()) };
        }
    }
}
