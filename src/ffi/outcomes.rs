//! Outcomes
//!
//! What became of an operation. An outcome is as of the moment at which it was asked for; nothing changes it.

use super::error::syncstore_error;
use super::items::found;
use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::kit::output::optional;
use super::op_ref::syncstore_ref;
use super::status::syncstore_status;
use super::store::syncstore;
use crate::outbox::{Outcome, Rejection};
use crate::protocol::{Ref, Seq};
use std::ffi::c_char;
use std::ptr;

/// What became of an operation. A later version may know others.
pub type syncstore_outcome_kind = i32;

/// It waits in the outbox and has never been sent.
pub const SYNCSTORE_OUTCOME_QUEUED: syncstore_outcome_kind = 1;
/// It was sent; the server has not said for good what becomes of it.
pub const SYNCSTORE_OUTCOME_IN_FLIGHT: syncstore_outcome_kind = 2;
/// The server committed it, at its seq.
pub const SYNCSTORE_OUTCOME_ACCEPTED: syncstore_outcome_kind = 3;
/// The server refused it: it has a code, a message, and perhaps a detail and a seq.
pub const SYNCSTORE_OUTCOME_REJECTED: syncstore_outcome_kind = 4;
/// It became part of another operation on the same item: ask for that one, by its ref.
pub const SYNCSTORE_OUTCOME_FOLDED_INTO: syncstore_outcome_kind = 5;
/// It was rejected, and then made again as another operation: ask for that one, by its ref.
pub const SYNCSTORE_OUTCOME_RETRIED_AS: syncstore_outcome_kind = 6;
/// It was taken back before it was ever sent, since a conflict was resolved otherwise: by its ref, if it has one.
pub const SYNCSTORE_OUTCOME_WITHDRAWN: syncstore_outcome_kind = 7;
/// The server had committed it, at its seq, and then lost it: its log was restored from an older backup.
pub const SYNCSTORE_OUTCOME_UNDONE: syncstore_outcome_kind = 8;

/// What became of an operation.
pub struct syncstore_outcome {
    life: Life,
    kind: syncstore_outcome_kind,
    seq: Option<Seq>,
    op: Option<Ref>,
    rejection: Option<CRejection>,
}

/// A rejection's texts, as C looks at them.
pub(super) struct CRejection {
    pub code: CText,
    pub message: CText,
    pub detail: Option<CText>,
}

impl CRejection {
    pub fn new(rejection: &Rejection) -> CRejection {
        CRejection {
            code: CText::new(rejection.code.as_str()),
            message: CText::new(&rejection.message),
            detail: rejection.detail.as_ref().map(|detail| CText::new(detail.as_str())),
        }
    }
}

impl syncstore_outcome {
    pub(super) fn new(outcome: &Outcome) -> syncstore_outcome {
        let (kind, seq, op, rejection) = match outcome {
            Outcome::Queued => (SYNCSTORE_OUTCOME_QUEUED, None, None, None),
            Outcome::InFlight => (SYNCSTORE_OUTCOME_IN_FLIGHT, None, None, None),
            Outcome::Accepted { seq } => (SYNCSTORE_OUTCOME_ACCEPTED, Some(*seq), None, None),
            Outcome::Rejected(why) => (SYNCSTORE_OUTCOME_REJECTED, why.seq, None, Some(CRejection::new(why))),
            Outcome::FoldedInto(op) => (SYNCSTORE_OUTCOME_FOLDED_INTO, None, Some(*op), None),
            Outcome::RetriedAs(op) => (SYNCSTORE_OUTCOME_RETRIED_AS, None, Some(*op), None),
            Outcome::Withdrawn(op) => (SYNCSTORE_OUTCOME_WITHDRAWN, None, *op, None),
            Outcome::Undone { seq } => (SYNCSTORE_OUTCOME_UNDONE, Some(*seq), None, None),
        };
        syncstore_outcome { life: Life::new(), kind, seq, op, rejection }
    }
}

impl Handle for syncstore_outcome {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// How many operations are not settled.
///
/// count: takes the number.
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_pending_count(
    store: *mut syncstore,
    count: *mut u64,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required count], |store| count.put(store.store()?.pending_count()?))
}

/// What became of an operation.
///
/// op: the operation.
/// outcome: takes it; free it with syncstore_outcome_free().
/// Answers SYNCSTORE_NOT_FOUND where this replica does not know the operation, or no longer (syncstore_options.retention_age_ms).
/// Errors: when the file cannot be read.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_outcome_of(
    store: *mut syncstore,
    op: *const syncstore_ref,
    outcome: *mut *mut syncstore_outcome,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [required outcome], |store| {
        let op = op_ref!(op);
        found(store.store()?.outcome(op)?, |known| outcome.give(syncstore_outcome::new(&known)))
    })
}

/// Which of the constants it is; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_outcome_kind_of(outcome: *const syncstore_outcome) -> syncstore_outcome_kind {
    read!(outcome, 0, |outcome| Some(outcome.kind))
}

/// Its place in the server's log, the first of which is 1; 0: it has none.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_outcome_seq(outcome: *const syncstore_outcome) -> u64 {
    read!(outcome, 0, |outcome| outcome.seq)
}

/// The other operation that it became, or gave way to.
///
/// op: where to put it; it is zeroed where there is none. NULL only asks whether there is one.
/// Answers 1 where there is one, else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_outcome_ref(outcome: *const syncstore_outcome, op: *mut syncstore_ref) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let op = unsafe { optional(op, "op") };
    read!(outcome, 0, |outcome| outcome.op.map(|other| i32::from(op.put_ref(other).is_ok())))
}

/// Why it was rejected, as a word for a program, such as "stale" or "forbidden"; NULL: it was not. Belongs to the outcome.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_outcome_code(outcome: *const syncstore_outcome) -> *const c_char {
    read!(outcome, ptr::null(), |outcome| outcome.rejection.as_ref().map(|why| why.code.as_ptr()))
}

/// Why it was rejected, in the server's words; NULL: it was not. Belongs to the outcome.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_outcome_message(outcome: *const syncstore_outcome) -> *const c_char {
    read!(outcome, ptr::null(), |outcome| outcome.rejection.as_ref().map(|why| why.message.as_ptr()))
}

/// More on the rejection, as JSON text whose shape depends on the code; NULL: there is none. Belongs to the outcome.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_outcome_detail(outcome: *const syncstore_outcome) -> *const c_char {
    read!(outcome, ptr::null(), |outcome| {
        let detail = outcome.rejection.as_ref().and_then(|why| why.detail.as_ref());
        detail.map(CText::as_ptr)
    })
}

/// Frees an outcome. NULL is ignored.
///
/// Thread: any; no other may be using this outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_outcome_free(outcome: *mut syncstore_outcome) {
    free!(outcome)
}
