//! Lists of refs

use super::kit::handle::{Handle, Life};
use super::kit::output::optional;
use super::op_ref::syncstore_ref;
use crate::protocol::Ref;

/// A list of refs.
pub struct syncstore_refs {
    life: Life,
    refs: Vec<Ref>,
}

impl syncstore_refs {
    pub(super) fn new(refs: Vec<Ref>) -> syncstore_refs {
        syncstore_refs { life: Life::new(), refs }
    }
}

impl Handle for syncstore_refs {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// How many refs there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_refs_count(refs: *const syncstore_refs) -> usize {
    read!(refs, 0, |refs| Some(refs.refs.len()))
}

/// The ref at a place, from 0.
///
/// op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_refs_at(refs: *const syncstore_refs, place: usize, op: *mut syncstore_ref) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let op = unsafe { optional(op, "op") };
    read!(refs, 0, |refs| refs.refs.get(place).map(|known| i32::from(op.put_ref(*known).is_ok())))
}

/// Frees a list of refs. NULL is ignored.
///
/// Thread: any; no other may be using this list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_refs_free(refs: *mut syncstore_refs) {
    free!(refs)
}
