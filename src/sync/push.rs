//! Push: the outbox to the server, in order, around whatever cannot go yet (section 3).

use super::isolation::Isolation;
use super::outgoing::{Awaited, Blocked, Outgoing, bring_forward, first_unit, middle, part_at, take_ops};
use super::slice::Slice;
use super::{Engine, Halt, Stage};
use crate::error::{Error, Result};
use crate::outbox::{Answer, Rejection, queue};
use crate::planted::{Planted, planted};
use crate::protocol::{Code, OpResult, PushOutcome, PushRequest, PushResponse, Scope};
use crate::replica::collections::Life;
use crate::replica::state::{Reason, State};
use std::collections::VecDeque;

impl Engine<'_> {
    /// One pass over the outbox up to a place: everything that can go is pushed once.
    pub(super) fn push_pass(&mut self, up_to: i64, life: Life) -> Result<(), Halt> {
        let start = self.environment().monotonic();
        let result = self.push_all(up_to, life);
        self.report.push_time += self.environment().monotonic().saturating_sub(start);
        result
    }

    fn push_all(&mut self, up_to: i64, life: Life) -> Result<(), Halt> {
        loop {
            let held_back = self.push_around(up_to, life)?;
            if !self.set_aside.is_over() || !held_back {
                return Ok(());
            }
        }
    }

    /// Whether there was anything that it was not to try.
    fn push_around(&mut self, up_to: i64, life: Life) -> Result<bool, Halt> {
        (self.report.skipped, self.report.full) = (0, false);
        let set_aside = &mut *self.set_aside;
        let (units, staged) = self.replica.read(|connection| {
            let units = set_aside.begin(|op_ref| {
                let standing = queue::standing(connection, op_ref)?;
                Ok(standing.is_some_and(|(_, answer)| answer == Answer::None))
            })?;
            Ok((units, queue::staged_items(connection)?))
        })?;
        let held_back = !units.is_empty();
        let (mut blocked, mut isolation) = (Blocked::by(units, staged), Isolation::default());
        blocked.is_server_full = self.set_aside.is_server_full && planted(Planted::FullServerForEver);
        let mut after = 0;
        loop {
            // On the disk before the first byte leaves: an op that the server may know never changes again,
            // even if the power fails.
            let limits = self.replica.newest_limits();
            let settings = self.settings;
            let most = if after == 0 && self.set_aside.is_server_full { 1 } else { settings.push_ops as usize };
            let (ops, reached) = self.replica.write_synced(|connection| {
                let awaited = Awaited::of(&State::load(connection)?, life);
                take_ops(connection, (after, up_to), &mut blocked, &awaited, &limits, most)
            })?;
            after = reached;
            if ops.is_empty() && after < up_to {
                continue;
            }
            let done = ops.is_empty();
            if !done && self.push_split(ops, life, &mut blocked, &mut isolation)? {
                continue;
            }
            let (aside, any_gone) = isolation.end();
            return match aside {
                // A checkpoint is not swapped in on the word of a server that takes nothing, unless all that is left was tried by now.
                Some(error) if !done && !any_gone && life == Life::Incoming => Err(Error::Wire(error).into()),
                aside => {
                    self.aside = aside;
                    Ok(held_back)
                }
            };
        }
    }

    /// Pushes ops; what the server refuses as a whole is halved until it takes the parts (section 3 ◆). `false`: there is no use in going on.
    fn push_split(
        &mut self,
        ops: Vec<Outgoing>,
        life: Life,
        blocked: &mut Blocked,
        isolation: &mut Isolation,
    ) -> Result<bool, Halt> {
        let mut parts = VecDeque::from([ops]);
        while let Some(mut part) = parts.pop_front() {
            // A part that failed may have left ops on the same items behind it. A batch stays together: of one that cannot go whole nothing goes, nor what is
            // on the items of its other ops.
            let mut before = usize::MAX;
            while part.len() < before {
                before = part.len();
                part.retain(|op| {
                    let free = !blocked.blocks(&op.row);
                    if !free {
                        blocked.add(&op.row);
                    }
                    free
                });
            }
            if part.is_empty() {
                continue;
            }
            match self.push_request(&part, life) {
                Ok(response) => {
                    isolation.gone();
                    part.iter().for_each(|op| self.set_aside.went(op.row.op_ref));
                    self.record(part, response, life, blocked)?;
                }
                Err(Halt::Error(Error::Wire(error)))
                    if error.refuses_content() && !planted(Planted::Rule13NoHalving) =>
                {
                    match middle(&part) {
                        Some(middle) => part_at(middle, part, &mut parts),
                        None => {
                            self.give_up_staged(&part, life)?;
                            self.refuse_locally(part, &error, life)?;
                        }
                    }
                }
                Err(Halt::Error(Error::Wire(error))) if error.may_be_for_an_op() => match first_unit(&part) {
                    Some(first) => {
                        let halves = isolation.halves(error);
                        let at = middle(&part).filter(|_| halves).unwrap_or(first);
                        part_at(at, part, &mut parts);
                    }
                    None => {
                        part.iter().for_each(|op| blocked.add(&op.row));
                        part.first().into_iter().for_each(|op| self.set_aside.failed(op.row.op_ref));
                        if !isolation.set_aside(error) {
                            let random = self.environment().random();
                            if !isolation.looks_ahead() || !bring_forward(&mut parts, blocked, random) {
                                return Ok(false);
                            }
                        }
                    }
                },
                Err(other) => return Err(std::mem::take(isolation).stops(other)),
            }
        }
        Ok(true)
    }

    pub(super) fn push_request(&mut self, part: &[Outgoing], life: Life) -> Result<PushResponse, Halt> {
        let state = self.replica.read(State::load)?;
        let cursor = match (life, state.bootstrap) {
            // Before its first page a checkpoint has none; the live items' is of a log that is gone, if the log was rewound.
            (Life::Incoming, Some(bootstrap)) if bootstrap.cursor.is_some() || bootstrap.reason == Reason::Rewound => {
                bootstrap.cursor
            }
            _ => state.cursor,
        };
        let ops = part.iter().map(Outgoing::op).collect::<Result<Vec<_>>>()?;
        let request = PushRequest { client: state.client, cursor, ops };
        (self.stage)(Stage::Pushing);
        let response = self.call(|wire| wire.push(&request))?;
        let matches = response.results.len() == part.len()
            && response.results.iter().zip(part).all(|(result, op)| result.op_ref == op.row.op_ref);
        if !matches {
            return Err(Error::protocol("the results of a push are not those of its operations").into());
        }
        Ok(response)
    }

    /// Takes the answer of a push into the outbox, and settles what the base has reached already.
    fn record(
        &mut self,
        part: Vec<Outgoing>,
        response: PushResponse,
        life: Life,
        blocked: &mut Blocked,
    ) -> Result<(), Halt> {
        let now = self.environment().unix_ms();
        let (mut accepted, mut rejected) = (0, 0);
        let settled = self.replica.write(|connection| {
            let State { position, kept, .. } = State::load(connection)?;
            let scope = Scope::of(kept);
            let mut slice = Slice::new(connection, Life::Live, &scope, position, now, &self.counted)?;
            for (op, result) in part.iter().zip(&response.results) {
                let row = &op.row;
                let said = read_result(result)?;
                let settles = life == Life::Live
                    && match &said {
                        Said::Accepted(_) if planted(Planted::Rule9SettlesAtOnce) => true,
                        Said::Accepted(seq) => *seq <= position,
                        Said::Rejected(rejection) => rejection.seq.unwrap_or(0) <= position,
                        Said::Waits(_) | Said::Skipped => false,
                    };
                if settles {
                    // As it is now: a bootstrap gives its item another row.
                    let Some(row) = queue::find(connection, row.op_ref)? else { continue };
                    match said {
                        Said::Rejected(rejection) => slice.settle_rejected(&row, &rejection)?,
                        Said::Accepted(seq) => slice.settle_accepted(&row, seq)?,
                        Said::Waits(_) | Said::Skipped => {}
                    }
                    continue;
                }
                match said {
                    Said::Accepted(seq) => {
                        queue::record_answer(connection, row.id(), Answer::Accepted, Some(seq), None)?;
                        accepted += u64::from(self.counted_as(row.id()) != Answer::Accepted);
                    }
                    Said::Rejected(rejection) => {
                        queue::record_answer(connection, row.id(), Answer::Rejected, rejection.seq, Some(&rejection))?;
                        rejected += u64::from(self.counted_as(row.id()) != Answer::Rejected);
                    }
                    Said::Waits(answer) => queue::record_answer(connection, row.id(), answer, None, None)?,
                    Said::Skipped => {}
                }
            }
            slice.finish()
        })?;
        let full = Some(Code::FULL);
        if response.results.iter().any(|result| result.outcome == PushOutcome::Skipped && result.code == full) {
            // What became of an op is told as a push is answered, where a checkpoint has taken the log's place.
            blocked.is_server_full = life == Life::Live;
            (self.set_aside.is_server_full, self.report.full) = (true, true);
        } else if !blocked.is_server_full {
            self.set_aside.is_server_full = false;
        }
        for (op, result) in part.iter().zip(&response.results) {
            if matches!(result.outcome, PushOutcome::Rejected | PushOutcome::Skipped) {
                blocked.add(&op.row);
            }
            if result.outcome == PushOutcome::Staged {
                blocked.stage(&op.row);
            }
            self.report.skipped += u64::from(result.outcome == PushOutcome::Skipped);
            let first = !self.counted.contains_key(&op.row.id());
            self.report.pushed += u64::from(first && result.outcome != PushOutcome::Skipped);
        }
        self.report.accepted += accepted + settled.accepted;
        self.report.rejected += rejected + settled.rejected;
        Ok(())
    }

    /// The answer under which an op was counted already.
    pub(super) fn counted_as(&self, id: i64) -> Answer {
        self.counted.get(&id).copied().unwrap_or(Answer::None)
    }

    /// Forgets that ops wait, so that they are pushed again: once a call, batches that the server holds incomplete though
    /// all their ops were sent; once for each opening of the file, what waits for an approver.
    pub(super) fn forget_waiting(&mut self, answer: Answer, up_to: i64) -> Result<bool> {
        if !self.replica.read(|connection| queue::any_answered(connection, answer, up_to))? {
            return Ok(false);
        }
        let waiting = self.replica.write(|connection| queue::forget_answer(connection, answer, up_to))?;
        self.counted.extend(waiting.iter().map(|id| (*id, answer)));
        Ok(!waiting.is_empty())
    }
}

/// A result, checked for what its outcome needs.
enum Said {
    Accepted(u64),
    Rejected(Rejection),
    Waits(Answer),
    Skipped,
}

fn read_result(result: &OpResult) -> Result<Said> {
    Ok(match result.outcome {
        PushOutcome::Accepted => match result.seq {
            Some(seq) if seq <= i64::MAX as u64 => Said::Accepted(seq),
            Some(seq) => return Err(Error::protocol(format!("operation {} has the seq {seq}", result.op_ref))),
            None => return Err(Error::protocol(format!("operation {} was accepted without a seq", result.op_ref))),
        },
        PushOutcome::Rejected => Said::Rejected(Rejection::told(
            result.code.as_ref(),
            result.message.as_deref(),
            result.detail.as_ref(),
            // One that no log has is none.
            result.seq.filter(|seq| *seq <= i64::MAX as u64),
        )),
        PushOutcome::Queued => Said::Waits(Answer::Queued),
        PushOutcome::Staged => Said::Waits(Answer::Staged),
        PushOutcome::Skipped => Said::Skipped,
    })
}
