//! Reports
//!
//! What one sync did. A call that failed has one too, since what it did before stands: ask its error for it, by syncstore_error_report().

use super::error::syncstore_error;
use super::kit::handle::{Handle, Life};
use super::kit::input::CText;
use super::kit::output::optional;
use crate::sync::{BootstrapReason, SyncReport};
use serde_json::json;
use std::ffi::c_char;
use std::time::Duration;

/// What one call of syncstore_sync(), syncstore_push() or syncstore_pull() did.
pub struct syncstore_report {
    life: Life,
    report: SyncReport,
    json: CText,
}

impl Handle for syncstore_report {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl syncstore_report {
    pub(super) fn new(report: SyncReport) -> syncstore_report {
        let json = CText::new(&as_json(&report));
        syncstore_report { life: Life::new(), report, json }
    }
}

fn as_json(report: &SyncReport) -> String {
    // Every member by name: one that is added in Rust is missed here.
    let SyncReport {
        pushed,
        accepted,
        rejected,
        skipped,
        full,
        pulled,
        loaded,
        widened,
        removed,
        undone,
        position,
        bytes_sent,
        bytes_received,
        round_trips,
        retries,
        bootstrapped,
        push_time,
        pull_time,
        elapsed,
        // The error tells it.
        aside: _,
    } = report;
    let (bootstrapped, diverged) = match bootstrapped {
        None => (None, None),
        Some(BootstrapReason::Fresh) => (Some("fresh"), None),
        Some(BootstrapReason::Expired) => (Some("expired"), None),
        Some(BootstrapReason::Rewound) => (Some("rewound"), None),
        Some(BootstrapReason::Diverged(why)) => (Some("diverged"), Some(why)),
    };
    json!({
        "pushed": pushed, "accepted": accepted, "rejected": rejected, "skipped": skipped, "full": full, "pulled": pulled,
        "loaded": loaded, "widened": widened, "removed": removed, "undone": undone, "bytes_sent": bytes_sent,
        "bytes_received": bytes_received, "round_trips": round_trips, "retries": retries,
        "bootstrapped": bootstrapped, "diverged": diverged, "position": position, "push_ms": ms(*push_time),
        "pull_ms": ms(*pull_time), "elapsed_ms": ms(*elapsed),
    })
    .to_string()
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Why a replica was loaded from a checkpoint. A later version may know others.
pub type syncstore_bootstrap = i32;

/// It was not.
pub const SYNCSTORE_BOOTSTRAP_NONE: syncstore_bootstrap = 0;
/// It was new.
pub const SYNCSTORE_BOOTSTRAP_FRESH: syncstore_bootstrap = 1;
/// The server's log no longer reaches back to where it stood, or it may see other items now.
pub const SYNCSTORE_BOOTSTRAP_EXPIRED: syncstore_bootstrap = 2;
/// The server's log was restored from an older backup.
pub const SYNCSTORE_BOOTSTRAP_REWOUND: syncstore_bootstrap = 3;
/// It was not what the server's log makes: a restored or copied file, or a fault of the server. It has a new client id now.
pub const SYNCSTORE_BOOTSTRAP_DIVERGED: syncstore_bootstrap = 4;

/// Operations that the server took from this replica and answered, repeated ones included.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_pushed(report: *const syncstore_report) -> u64 {
    read!(report, 0, |report| Some(report.report.pushed))
}

/// Operations that turned out accepted.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_accepted(report: *const syncstore_report) -> u64 {
    read!(report, 0, |report| Some(report.report.accepted))
}

/// Operations that turned out rejected.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_rejected(report: *const syncstore_report) -> u64 {
    read!(report, 0, |report| Some(report.report.rejected))
}

/// Operations that the server skipped when they were last offered: it has no room for them, or something on their item, or of their
/// batch, has to be decided first. They stay pending, and go again with the next push.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_skipped(report: *const syncstore_report) -> u64 {
    read!(report, 0, |report| Some(report.report.skipped))
}

/// 1 where the server said, as it was last offered what waits, that the database has no room. After that only deletes were offered to it,
/// and the rest of batches that it had begun (everything, where a checkpoint is loaded); all else stays pending, too. Otherwise 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_full(report: *const syncstore_report) -> i32 {
    read!(report, 0, |report| Some(i32::from(report.report.full)))
}

/// Entries of the server's log that were read, this replica's own included.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_pulled(report: *const syncstore_report) -> u64 {
    read!(report, 0, |report| Some(report.report.pulled))
}

/// Items that came with a checkpoint.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_loaded(report: *const syncstore_report) -> u64 {
    read!(report, 0, |report| Some(report.report.loaded))
}

/// Accepted operations that the server lost, because its log was restored from an older backup.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_undone(report: *const syncstore_report) -> u64 {
    read!(report, 0, |report| Some(report.report.undone))
}

/// Where the replica stands in the server's log.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_position(report: *const syncstore_report) -> u64 {
    read!(report, 0, |report| Some(report.report.position))
}

/// Why the replica was loaded anew, if it was: which of the constants it is.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_bootstrapped(report: *const syncstore_report) -> syncstore_bootstrap {
    read!(report, SYNCSTORE_BOOTSTRAP_NONE, |report| {
        Some(match report.report.bootstrapped {
            None => SYNCSTORE_BOOTSTRAP_NONE,
            Some(BootstrapReason::Fresh) => SYNCSTORE_BOOTSTRAP_FRESH,
            Some(BootstrapReason::Expired) => SYNCSTORE_BOOTSTRAP_EXPIRED,
            Some(BootstrapReason::Rewound) => SYNCSTORE_BOOTSTRAP_REWOUND,
            Some(BootstrapReason::Diverged(_)) => SYNCSTORE_BOOTSTRAP_DIVERGED,
        })
    })
}

/// How many milliseconds the whole call took.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_elapsed_ms(report: *const syncstore_report) -> u64 {
    read!(report, 0, |report| Some(ms(report.report.elapsed)))
}

/// All of it as a JSON object: what the other getters tell, under their names, and widened, removed, bytes_sent, bytes_received, round_trips, retries,
/// diverged (what did not fit), push_ms and pull_ms. Later versions may have more members. Of NULL "". Belongs to the report.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_json(report: *const syncstore_report) -> *const c_char {
    read!(report, c"".as_ptr(), |report| Some(report.json.as_ptr()))
}

/// Frees a report. NULL is ignored.
///
/// Thread: any; no other may be using this report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_report_free(report: *mut syncstore_report) {
    free!(report)
}

/// What a sync did before it failed.
///
/// report: takes it, to be freed with syncstore_report_free(); NULL where there is none. It may be NULL, which only asks whether there is one.
/// Answers 1 where there is one, that is, of an error of syncstore_sync(), syncstore_push() or syncstore_pull() but SYNCSTORE_MISUSE and
/// SYNCSTORE_CLOSED; else 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_error_report(
    error: *const syncstore_error,
    report: *mut *mut syncstore_report,
) -> i32 {
    // SAFETY: by the conventions of the header an output is NULL or may be written to.
    let report = unsafe { optional(report, "report") };
    read!(error, 0, |error| {
        let kept = error.report.as_deref()?.clone();
        Some(i32::from(report.offer(syncstore_report::new(kept)).is_ok()))
    })
}
