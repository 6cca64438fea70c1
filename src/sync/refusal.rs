//! What becomes of ops that the server refuses as a whole, even alone (section 3 ◆): they are given up.

use super::outgoing::Outgoing;
use super::slice::Slice;
use super::{Engine, Halt};
use crate::error::{Error, Result};
use crate::outbox::{Answer, Payload, Queued, Rejection, queue};
use crate::protocol::{Code, OpKind, Scope};
use crate::replica::collections::Life;
use crate::replica::state::State;
use crate::wire::WireError;
use rusqlite::Connection;
use std::collections::HashSet;

impl Engine<'_> {
    /// Has the server let go of what it holds of a batch, of which it refuses the rest: it would skip whatever comes on the items of those ops until they
    /// expire, days later. An op of the batch that says another number of ops than any batch may have makes it reject them all, and is staged itself by none.
    pub(super) fn give_up_staged(&mut self, rest: &[Outgoing], life: Life) -> Result<(), Halt> {
        let Some(last) = rest.last() else { return Ok(()) };
        let Some((batch, _)) = last.row.batch.filter(|(_, of)| rest.len() < *of as usize) else { return Ok(()) };
        // Not what it was: of an op that the server has it would say what it said before.
        let payload = if last.row.payload.ends_item() {
            Payload::of_value(OpKind::Set, Some("null".to_owned()))
        } else {
            Payload::of_value(OpKind::Delete, None)
        };
        let row = Queued { payload, base: None, batch: Some((batch, u32::MAX)), ..last.row.clone() };
        let told = Outgoing { row, collection: last.collection.clone(), key: last.key.clone() };
        match self.push_request(&[told], life) {
            // Nor does it get past what refuses the rest.
            Err(Halt::Error(Error::Wire(error))) if error.refuses_content() || error.may_be_for_an_op() => Ok(()),
            other => other.map(drop),
        }
    }

    /// Gives up ops that the server refuses even alone, and says why in the ledger.
    pub(super) fn refuse_locally(&mut self, part: Vec<Outgoing>, error: &WireError, life: Life) -> Result<(), Halt> {
        let (status, message) = match error {
            WireError::Refused { status, message, .. } => (*status, message.clone()),
            other => (400, other.to_string()),
        };
        let code = if status == 413 { Code::TOO_LARGE } else { Code::INVALID };
        let rejection = Rejection::told(Some(&code), Some(&message), None, None);
        let now = self.environment().unix_ms();
        let (answered, settled) = self.replica.write(|connection| {
            let State { position, kept, .. } = State::load(connection)?;
            let scope = Scope::of(kept);
            let mut slice = Slice::new(connection, Life::Live, &scope, position, now, &self.counted)?;
            let mut answered = 0;
            for row in with_batches(connection, &part)? {
                if life == Life::Live {
                    slice.settle_rejected(&row, &rejection)?;
                } else {
                    queue::record_answer(connection, row.id(), Answer::Rejected, None, Some(&rejection))?;
                    answered += u64::from(self.counted_as(row.id()) != Answer::Rejected);
                }
            }
            Ok((answered, slice.finish()?))
        })?;
        self.report.rejected += answered + settled.rejected;
        Ok(())
    }
}

/// The rows of a part as they are now, with whatever else is in their batches: a batch larger than a push has
/// ops before and behind it.
fn with_batches(connection: &Connection, part: &[Outgoing]) -> Result<Vec<Queued>> {
    let mut rows = Vec::new();
    let mut batches = HashSet::new();
    for Outgoing { row, .. } in part {
        match row.batch {
            None => rows.extend(queue::find(connection, row.op_ref)?),
            Some((id, _)) if batches.insert(id) => rows.extend(queue::of_batch(connection, id)?),
            Some(_) => {}
        }
    }
    rows.sort_by_key(Queued::id);
    Ok(rows)
}
