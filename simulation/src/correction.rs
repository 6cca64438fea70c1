//! Whether what is said of an operation may become something else.

use crate::oracle::{Lineage, is_lost};
use crate::told::{Fate, Op};
use syncstore::protocol::Code;

/// Whether an operation of which that was said may be `now`; `settled`: it had left the outbox with what was said.
pub fn may_become(op: &Op, settled: bool, now: &Fate, lineages: &[Lineage]) -> bool {
    let Some(before) = &op.fate else { return op.dealt || !matches!(now, Fate::Retried(_)) };
    let lost = before.place().is_some_and(|seq| is_lost(lineages, seq));
    let expired = matches!(now, Fate::Rejected(code, None) if *code == Code::EXPIRED);
    match (before, now) {
        (Fate::Folded(_) | Fate::Withdrawn(_), _) | (_, Fate::Folded(_) | Fate::Withdrawn(_)) => false,
        (Fate::Rejected(..) | Fate::Undone(_), Fate::Retried(_)) => op.dealt,
        // Of what was accepted it may have been said otherwise meanwhile, unseen.
        (Fate::Accepted(_), Fate::Retried(_)) => {
            let late = matches!(&op.refusal, Some((code, None)) if *code == Code::EXPIRED);
            op.dealt && (lost || late && !settled)
        }
        // The log has the last word on what was undone, or refused by nobody's log.
        (Fate::Retried(_), Fate::Accepted(_)) => {
            matches!(&op.refusal, Some((code, seq)) if seq.is_none() || *code == Code::UNDONE)
        }
        (Fate::Retried(_), _) => false,
        (Fate::Undone(_), Fate::Accepted(_) | Fate::Undone(_)) => true,
        // Nobody asks again.
        (Fate::Undone(_), Fate::Rejected(..)) => false,
        (Fate::Accepted(_), Fate::Accepted(_) | Fate::Undone(_)) => lost,
        // What was only answered is asked again when the replica is loaded anew, and may be forgotten by then.
        // Nor does what is between let everything pass that it has let pass before.
        (Fate::Accepted(_), Fate::Rejected(code, seq)) => !settled && (lost || expired || op.is_given_up((code, *seq))),
        // What the log has under a reused ref is another operation.
        (Fate::Rejected(code, None), Fate::Accepted(_) | Fate::Undone(_)) => !settled || *code != Code::REF_REUSED,
        // What a batch is let go with is refused by the server, too.
        (Fate::Rejected(code, None), Fate::Rejected(..)) => {
            !settled && (expired || lineages.len() > 1 || op.is_given_up((code, None)))
        }
        (Fate::Rejected(_, Some(_)), Fate::Accepted(_) | Fate::Undone(_)) => !settled && lost,
        // Refused all the same, for the reason of what is between.
        (Fate::Rejected(_, Some(_)), Fate::Rejected(code, seq)) => {
            !settled && (lost || expired || op.is_given_up((code, *seq)))
        }
    }
}
