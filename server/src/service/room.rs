//! Whether a database has room for a job.

use super::writer::Job;
use super::{ServiceError, ServiceOptions};
use syncstore::protocol::{Op, OpKind};

/// What a job does to the size of its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Growth {
    /// It brings what stays.
    Content,
    /// It brings what goes in time (log entries, refs, a checkpoint), and may take content away.
    Records,
    /// Nothing, or what had room when it was taken in.
    Nothing,
}

impl Growth {
    fn of(job: &Job) -> Growth {
        let of_ops = |ops: &[Op]| {
            let deletes = ops.iter().all(|op| op.kind == OpKind::Delete);
            if deletes { Growth::Records } else { Growth::Content }
        };
        match job {
            Job::Push { request, .. } => of_ops(&request.ops),
            Job::Batch { ops, .. } => of_ops(ops),
            Job::Write { op, .. } => of_ops(std::slice::from_ref(op)),
            Job::Checkpoint { .. } => Growth::Records,
            Job::Prune { .. } | Job::Decide { .. } => Growth::Nothing,
        }
    }
}

/// Fails where a database of so many bytes has no room for a job; nothing of it is done then.
///
/// A sixteenth more than the limit is for deletes, which make room once the log is pruned behind them.
pub fn check(job: &Job, bytes: u64, options: &ServiceOptions) -> Result<(), ServiceError> {
    let limit = options.largest_database;
    let most = match Growth::of(job) {
        Growth::Content => limit,
        Growth::Records => limit.saturating_add(limit / 16),
        Growth::Nothing => return Ok(()),
    };
    if bytes < most {
        return Ok(());
    }
    Err(ServiceError::Full(format!(
        "the database has {bytes} bytes and may have {limit}: delete what is not needed, or ask its operator for more room"
    )))
}
