//! Ops that leave the outbox for the ledger, with the entries that say what became of them.

use super::{Slice, Theirs, item_name};
use crate::error::Result;
use crate::outbox::{Answer, Outcome, Queued, Rejection, ledger, queue};
use crate::planted::{Planted, planted};
use crate::protocol::{OpKind, ResourceName, Seq};
use crate::replica::base;
use crate::sync::touched::Meant;

/// How many ops a slice settled, by outcome.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::sync) struct Settled {
    pub accepted: u64,
    pub rejected: u64,
}

impl Slice<'_> {
    /// Settles an op that the server committed.
    pub fn settle_accepted(&mut self, op: &Queued, seq: Seq) -> Result<()> {
        if planted(Planted::EchoAppliedTwice) && op.answer == Answer::Accepted {
            return Ok(());
        }
        self.settle(op)?;
        self.decide(op, true);
        let (_, collection, key) = item_name(self.connection, op.item)?;
        ledger::accept(self.connection, op, (&collection, &key), seq, self.now)?;
        self.connection.settled(op.op_ref, || Outcome::Accepted { seq });
        queue::delete(self.connection, op.id())?;
        self.settled.accepted += u64::from(!self.was_counted(op, Answer::Accepted));
        Ok(())
    }

    /// Settles an op that the server, or this replica for it, refused.
    pub fn settle_rejected(&mut self, op: &Queued, rejection: &Rejection) -> Result<()> {
        let mut meant = None;
        if !planted(Planted::RejectedStaysInView) {
            meant = self.meant(op)?;
            self.settle(op)?;
            self.decide(op, false);
        }
        let (_, collection, key) = item_name(self.connection, op.item)?;
        self.go_through(&[&op.payload.text, &meant]);
        ledger::reject(self.connection, op, (&collection, &key), rejection, meant.as_deref(), self.now)?;
        if !planted(Planted::RejectionToldToNobody) {
            self.connection.settled(op.op_ref, || Outcome::Rejected(rejection.clone()));
        }
        queue::delete(self.connection, op.id())?;
        self.settled.rejected += u64::from(!self.was_counted(op, Answer::Rejected));
        Ok(())
    }

    /// What the host read of an item before the slice, with no other op on top of a patch that is rejected, if it applied.
    fn meant(&mut self, op: &Queued) -> Result<Option<String>> {
        if op.payload.kind != OpKind::Patch || !op.applies {
            return Ok(None);
        }
        let connection = self.connection;
        let at = self.touch_row(op.item)?;
        let touched = self.touched(&at)?;
        let Some(row) = touched.row else { return Ok(None) };
        let meant = match &mut touched.meant {
            Some(meant) => meant,
            none => {
                let mut ops = std::mem::take(&mut touched.gone);
                let queued = queue::of_item(connection, op.item)?.into_iter();
                let on_value = queued.filter(|other| other.applies && other.payload.resource == ResourceName::Value);
                ops.extend(on_value.map(|other| (other.id(), other.payload)));
                none.insert(Meant::new(base::confirmed(connection, row)?, ops))
            }
        };
        let before = meant.bytes();
        let value = meant.at(op.id(), || base::confirmed(connection, row))?.map(str::to_owned);
        let bytes = meant.bytes() - before;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(value)
    }

    /// Takes note of what became of an own op, where that matters to a conflict.
    fn decide(&mut self, op: &Queued, accepted: bool) {
        let part = &op.payload.resource;
        let touched = self.rows.get(&op.item).and_then(|at| self.items.get_mut(at));
        if let Some(touched) = touched.filter(|touched| self.any_conflict || !touched.theirs.is_empty()) {
            if accepted {
                Theirs::accepted(&mut touched.theirs, part);
            }
            touched.decided.push((part.clone(), accepted));
        }
    }

    /// Whether an answer, forgotten or not, has counted an op as what it settles as.
    fn was_counted(&self, op: &Queued, settles_as: Answer) -> bool {
        op.answer == settles_as || self.counted.get(&op.id()) == Some(&settles_as)
    }

    /// Settles every op whose answer lies at or below `position`.
    pub fn settle_answered(&mut self, position: Seq) -> Result<()> {
        for op in queue::answered_up_to(self.connection, position)? {
            match (&op.rejection, op.seq) {
                (Some(rejection), _) => self.settle_rejected(&op, &rejection.clone())?,
                (None, Some(seq)) => self.settle_accepted(&op, seq)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Takes note that an op of this item is about to leave the outbox.
    fn settle(&mut self, op: &Queued) -> Result<()> {
        let at = self.touch_row(op.item)?;
        let touched = self.touched(&at)?;
        touched.settled += 1;
        if op.payload.resource != ResourceName::Value {
            touched.resource_op = Some(op.op_ref);
            return Ok(());
        }
        touched.op = Some(op.op_ref);
        if op.applies && touched.meant.is_none() && touched.row.is_some_and(|row| row.pending > touched.settled) {
            touched.gone.push((op.id(), op.payload.clone()));
        }
        Ok(())
    }
}
