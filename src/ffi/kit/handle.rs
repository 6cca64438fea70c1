//! Handles: what C holds by a pointer.
//!
//! The pointer is a strong reference. A call takes another one for as long as it runs, and a child keeps its parent, so that
//! handles may be freed in any order, from within callbacks too.

use super::failure::Failure;
use crate::ffi::status::SYNCSTORE_POISONED;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What was given out and not freed yet: handles, errors and texts. The one static of the crate; leaks are of the process, not of a
/// store, and no call asks it for anything but the count.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// What C may hold.
pub trait Handle: Send + Sync {
    /// Whether a call may still be made on it.
    fn life(&self) -> &Life;
}

/// Whether a handle was poisoned: a call on it panicked, and nobody knows how far that had come.
#[derive(Debug, Default)]
pub struct Life(AtomicBool);

impl Life {
    pub fn new() -> Life {
        Life::default()
    }

    pub fn poison(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn check(&self) -> Result<(), Failure> {
        if self.0.load(Ordering::Acquire) {
            return Err(Failure::new(SYNCSTORE_POISONED, "an earlier call on this handle panicked: free it"));
        }
        Ok(())
    }
}

/// How much is not freed.
pub fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// Counts something that was given out.
pub fn gave() {
    LIVE.fetch_add(1, Ordering::Relaxed);
}

/// Counts something that was freed.
pub fn took() {
    LIVE.fetch_sub(1, Ordering::Relaxed);
}

/// Hands a handle to C.
pub fn give<H: Handle>(handle: H) -> *mut H {
    gave();
    Arc::into_raw(Arc::new(handle)).cast_mut()
}

/// The handle for the time of a call; `None` of NULL.
///
/// # Safety
///
/// The pointer is NULL, or from [`give`] and not yet taken.
pub unsafe fn lend<H: Handle>(handle: *const H) -> Option<Arc<H>> {
    if handle.is_null() {
        return None;
    }
    // SAFETY: C holds a strong reference, by the condition above.
    unsafe {
        Arc::increment_strong_count(handle);
        Some(Arc::from_raw(handle))
    }
}

/// A handle among the other parameters; `None` of NULL.
///
/// # Safety
///
/// That of [`lend`].
pub unsafe fn other<H: Handle>(handle: *const H) -> Result<Option<Arc<H>>, Failure> {
    // SAFETY: the condition above.
    let handle = unsafe { lend(handle) };
    handle.as_ref().map_or(Ok(()), |handle| handle.life().check())?;
    Ok(handle)
}

/// Shows a handle to C for the time of a callback; it stays this library's.
pub fn show<H: Handle, T>(handle: &Arc<H>, callback: impl FnOnce(*mut H) -> T) -> T {
    let shown = Arc::into_raw(Arc::clone(handle));
    let said = callback(shown.cast_mut());
    // SAFETY: it was made above, and C has no part in it any more.
    drop(unsafe { Arc::from_raw(shown) });
    said
}

/// Takes a handle back from C; `None` of NULL.
///
/// # Safety
///
/// The pointer is NULL, or from [`give`] and not yet taken.
pub unsafe fn take<H: Handle>(handle: *mut H) -> Option<Arc<H>> {
    if handle.is_null() {
        return None;
    }
    took();
    // SAFETY: C gives back the strong reference that it holds, by the condition above.
    Some(unsafe { Arc::from_raw(handle) })
}
