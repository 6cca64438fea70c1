//! One call over the boundary.

use super::failure::{ErrorOut, Failure};
use super::handle::Handle;
use crate::ffi::status::{SYNCSTORE_PANIC, syncstore_status};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a body answers: [`SYNCSTORE_OK`](crate::ffi::status::SYNCSTORE_OK), another answer that is no error, or a failure.
pub type Answer = Result<syncstore_status, Failure>;

/// The body of a function that answers a status.
///
/// `call!(error, [required out, optional out], |handle| body)`, or `||` where there is no handle. Outputs are zeroed before
/// anything else. Handle and outputs have the names of the parameters and are checked for NULL before the body runs;
/// within it `name!`, `text!` and their like read the other parameters.
macro_rules! call {
    ($error:ident, [$($kind:ident $out:ident),* $(,)?], |$handle:ident| $body:expr) => {{
        // SAFETY: by the conventions of the header an error pointer is NULL or may be written to.
        let error = unsafe { $crate::ffi::kit::failure::ErrorOut::new($error) };
        $(
            // SAFETY: by the conventions of the header an output is NULL or may be written to.
            let $out = unsafe { $crate::ffi::kit::output::$kind($out, stringify!($out)) };
        )*
        // SAFETY: by the conventions of the header a handle is NULL, or was given out by this library and is not freed.
        let handle = unsafe { $crate::ffi::kit::handle::lend($handle) };
        $crate::ffi::kit::call::run_on(error, stringify!($handle), handle, |$handle| {
            $($out.check()?;)*
            $body
        })
    }};
    ($error:ident, [$($kind:ident $out:ident),* $(,)?], || $body:expr) => {{
        // SAFETY: by the conventions of the header an error pointer is NULL or may be written to.
        let error = unsafe { $crate::ffi::kit::failure::ErrorOut::new($error) };
        $(
            // SAFETY: by the conventions of the header an output is NULL or may be written to.
            let $out = unsafe { $crate::ffi::kit::output::$kind($out, stringify!($out)) };
        )*
        $crate::ffi::kit::call::run(error, || {
            $($out.check()?;)*
            $body
        })
    }};
}

/// The body of a getter: what a handle has, and of NULL the fallback. It cannot fail, and works on a poisoned handle too.
macro_rules! read {
    ($handle:ident, $fallback:expr, |$inner:ident| $body:expr) => {{
        // SAFETY: by the conventions of the header a handle is NULL, or was given out by this library and is not freed.
        let handle = unsafe { $crate::ffi::kit::handle::lend($handle) };
        $crate::ffi::kit::call::quietly(|| handle.and_then(|$inner| $body)).flatten().unwrap_or($fallback)
    }};
}

/// The body of a `_free`: what else is to be done with the handle may follow its name.
macro_rules! free {
    ($handle:ident $(, |$inner:ident| $last:expr)?) => {{
        // SAFETY: by the conventions of the header a handle is NULL, or was given out by this library and is not freed.
        let handle = unsafe { $crate::ffi::kit::handle::take($handle) };
        $crate::ffi::kit::call::quietly(move || {
            $(if let Some($inner) = &handle { $last; })?
            drop(handle);
        });
    }};
}

/// Runs the body of a call that is on no handle.
pub fn run(error: ErrorOut, body: impl FnOnce() -> Answer) -> syncstore_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => status,
        Ok(Err(failure)) => error.tell(failure),
        Err(panic) => error.tell(panicked(panic)),
    }
}

/// Runs the body of a call on a handle, and poisons that when the body panics.
pub fn run_on<H: Handle>(
    error: ErrorOut,
    name: &str,
    handle: Option<Arc<H>>,
    body: impl FnOnce(&Arc<H>) -> Answer,
) -> syncstore_status {
    run(error, || {
        let handle = handle.ok_or_else(|| Failure::null(name))?;
        handle.life().check()?;
        catch_unwind(AssertUnwindSafe(|| body(&handle))).unwrap_or_else(|panic| {
            handle.life().poison();
            Err(panicked(panic))
        })
    })
}

/// Runs what has no way to tell of a panic; `None` when there was one.
pub fn quietly<T>(body: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(body)).map_err(panicked).ok()
}

fn panicked(panic: Box<dyn Any + Send>) -> Failure {
    let words = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(words), _) => (*words).to_owned(),
        (_, Some(words)) => words.clone(),
        _ => "a panic without words".to_owned(),
    };
    // What was thrown may throw again when it goes.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
    Failure::new(SYNCSTORE_PANIC, &format!("the library panicked: {words}"))
}

#[cfg(test)]
mod tests {
    use super::super::failure::ErrorOut;
    use super::super::handle::{Handle, Life, give, lend, live, take};
    use super::*;
    use crate::ffi::status::{SYNCSTORE_MISUSE, SYNCSTORE_OK, SYNCSTORE_POISONED};
    use std::ptr;

    struct Thing(Life);

    impl Handle for Thing {
        fn life(&self) -> &Life {
            &self.0
        }
    }

    fn on(thing: *const Thing, body: impl FnOnce(&Arc<Thing>) -> Answer) -> syncstore_status {
        // SAFETY: NULL is no error pointer.
        let error = unsafe { ErrorOut::new(ptr::null_mut()) };
        // SAFETY: the tests free what they made at their end.
        run_on(error, "thing", unsafe { lend(thing) }, body)
    }

    #[test]
    fn a_panic_becomes_a_status_and_poisons_the_handle_alone() {
        let (thing, other) = (give(Thing(Life::new())), give(Thing(Life::new())));
        assert_eq!(on(thing, |_| panic!("on purpose")), SYNCSTORE_PANIC);
        assert_eq!(on(thing, |_| Ok(SYNCSTORE_OK)), SYNCSTORE_POISONED);
        assert_eq!(on(other, |_| Ok(SYNCSTORE_OK)), SYNCSTORE_OK);
        assert_eq!(on(ptr::null(), |_| Ok(SYNCSTORE_OK)), SYNCSTORE_MISUSE);
        for thing in [thing, other] {
            // SAFETY: both were given out above.
            drop(unsafe { take(thing) });
        }
        assert!(quietly(|| panic!("on purpose")).is_none());
    }

    #[test]
    fn a_handle_that_a_call_holds_outlives_its_free() {
        let thing = give(Thing(Life::new()));
        let status = on(thing, |held| {
            let before = live();
            // SAFETY: it was given out above, and is freed once.
            drop(unsafe { take(thing) });
            assert!(before > 0 && Arc::strong_count(held) == 1);
            Ok(SYNCSTORE_OK)
        });
        assert_eq!(status, SYNCSTORE_OK);
    }
}
