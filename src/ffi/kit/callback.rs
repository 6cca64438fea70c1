//! What the host hands over with a callback.

use std::ffi::c_void;

/// The host's `user_data`, with the `destroy` that is called exactly once: when the last owner of this lets go.
///
/// Made before anything can fail, so that a registration that fails destroys it too.
pub struct UserData {
    data: *mut c_void,
    destroy: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: by the conventions of the header a callback and its `user_data` may be used on any thread that its comment names.
unsafe impl Send for UserData {}
// SAFETY: likewise; calls at the same time happen only where the comment says so.
unsafe impl Sync for UserData {}

impl UserData {
    /// # Safety
    ///
    /// `destroy` may be called with `data`, once, on any thread.
    pub unsafe fn new(data: *mut c_void, destroy: Option<unsafe extern "C" fn(*mut c_void)>) -> UserData {
        UserData { data, destroy }
    }

    pub fn get(&self) -> *mut c_void {
        self.data
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the condition of `new`; nothing is dropped twice.
            unsafe { destroy(self.data) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    unsafe extern "C" fn count(data: *mut c_void) {
        // SAFETY: the test below hands over a number.
        unsafe { *data.cast::<u32>() += 1 };
    }

    #[test]
    fn user_data_is_destroyed_once_by_its_last_owner() {
        let mut destroyed = 0_u32;
        // SAFETY: the number outlives it.
        let data = Arc::new(unsafe { UserData::new((&raw mut destroyed).cast(), Some(count)) });
        let other = Arc::clone(&data);
        drop(data);
        // SAFETY: nobody writes to it now.
        assert_eq!(unsafe { other.get().cast::<u32>().read() }, 0);
        drop(other);
        assert_eq!(destroyed, 1);
    }
}
