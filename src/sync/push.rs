//! Push: the outbox to the server, in order, around whatever cannot go yet (section 3).

use super::isolation::Isolation;
use super::slice::Slice;
use super::{Engine, Halt, Stage};
use crate::error::{Error, Result};
use crate::outbox::{Answer, Payload, Queued, Rejection, queue};
use crate::planted::{Planted, planted};
use crate::protocol::{
    BatchId, Code, Content, Filter, Json, Limits, Op, OpKind, OpResult, PushOutcome, PushRequest, PushResponse, Ref,
    ResourceName, Scope,
};
use crate::replica::collections::Life;
use crate::replica::state::{Reason, State};
use crate::wire::WireError;
use rusqlite::Connection;
use std::collections::{HashSet, VecDeque};

/// The most payload in one push, in bytes; under half of the protocol's limit for a body, since a text may grow
/// in the message around it.
const PUSH_BYTES: usize = 3 << 20;

/// An op read for a push.
struct Outgoing {
    row: Queued,
    collection: String,
    key: String,
}

impl Outgoing {
    fn bytes(&self) -> usize {
        self.row.payload.bytes() + self.collection.len() + self.key.len()
    }

    fn op(&self) -> Result<Op> {
        let Queued { op_ref, payload, .. } = &self.row;
        let mut op = Op {
            base: self.row.base,
            batch: self.row.batch.map(|(id, _)| id),
            of: self.row.batch.map(|(_, of)| of),
            ..Op::new(*op_ref, payload.kind, self.collection.clone(), self.key.clone())
        };
        let unreadable =
            |why: String| Error::Corrupt(format!("the payload of operation {op_ref} in the outbox: {why}"));
        if payload.resource == ResourceName::Value {
            let json = payload.text.clone().map(Json::from_stored).transpose();
            let json = json.map_err(|error| unreadable(error.to_string()))?;
            match payload.kind {
                OpKind::Set => op.value = json,
                OpKind::Patch => op.patch = json,
                OpKind::Delete => {}
            }
            return Ok(op);
        }
        match &payload.resource {
            ResourceName::Value => {}
            ResourceName::Index(name) => op.index = Some(name.clone()),
            ResourceName::Relation(id) => op.relation = Some(id.clone()),
            ResourceName::Tag(tag) => op.tag = Some(tag.clone()),
        }
        match payload.content().ok_or_else(|| unreadable("it is not of its resource".into()))? {
            None | Some(Content::Tag) => {}
            Some(Content::Order(order)) => op.order = Some(order),
            Some(Content::Link { predicate, object }) => (op.predicate, op.object) = (Some(predicate), Some(object)),
        }
        Ok(op)
    }
}

/// What one pass over the outbox must leave where it is.
#[derive(Default)]
struct Blocked {
    /// Items with an op whose rejection is not recorded in the base yet.
    items: HashSet<i64>,
    batches: HashSet<BatchId>,
    /// The first ops of units that are not to be tried this time.
    units: HashSet<Ref>,
}

impl Blocked {
    fn blocks(&self, row: &Queued) -> bool {
        self.items.contains(&row.item)
            || self.units.contains(&row.op_ref)
            || row.batch.is_some_and(|(id, _)| self.batches.contains(&id))
    }

    fn add(&mut self, row: &Queued) {
        self.items.insert(row.item);
        if let Some((id, _)) = row.batch {
            self.batches.insert(id);
        }
    }

    /// Holds back all of a batch that begins with this op if one of its ops cannot go: begun, it would lie staged at the server, which skips
    /// what comes on its items and gives it up in the end.
    fn add_batch_in_its_way(&mut self, connection: &Connection, first: &Queued, awaited: &Awaited) -> Result<()> {
        let Some((batch, _)) = first.batch else { return Ok(()) };
        if self.items.is_empty() && awaited.is_nothing() {
            return Ok(());
        }
        let mut waits = false;
        queue::scan_unanswered(connection, first.id() - 1, i64::MAX, |row, collection, key| {
            let of_it = row.batch.is_some_and(|(id, _)| id == batch);
            waits |= of_it && (self.items.contains(&row.item) || awaited.has(&collection, &key));
            of_it && !waits
        })?;
        if waits {
            self.batches.insert(batch);
        }
        Ok(())
    }
}

/// What is to be kept and is not here yet: ops on it wait, or they would be settled and out of sight before the item is there.
struct Awaited {
    keep: Filter,
    here: Filter,
}

impl Awaited {
    fn of(state: &State, life: Life) -> Awaited {
        let here = match (&state.bootstrap, life) {
            (Some(bootstrap), Life::Incoming) => bootstrap.scope.filter.clone(),
            _ => state.kept.clone(),
        };
        Awaited { keep: state.keep.clone(), here }
    }

    fn has(&self, collection: &str, key: &str) -> bool {
        !self.here.has(collection, key) && self.keep.has(collection, key)
    }

    fn is_nothing(&self) -> bool {
        self.here == self.keep
    }
}

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
        let set_aside = &mut *self.set_aside;
        let units = self.replica.read(|connection| {
            set_aside.begin(|op_ref| {
                let standing = queue::standing(connection, op_ref)?;
                Ok(standing.is_some_and(|(_, answer)| answer == Answer::None))
            })
        })?;
        let held_back = !units.is_empty();
        let (mut blocked, mut isolation) = (Blocked { units, ..Blocked::default() }, Isolation::default());
        let mut after = 0;
        loop {
            // On the disk before the first byte leaves: an op that the server may know never changes again,
            // even if the power fails.
            let limits = self.replica.limits();
            let settings = self.settings;
            let (ops, reached) = self.replica.write_synced(|connection| {
                let awaited = Awaited::of(&State::load(connection)?, life);
                take_ops(connection, (after, up_to), &mut blocked, &awaited, &limits, settings.push_ops as usize)
            })?;
            after = reached;
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
                            return Ok(false);
                        }
                    }
                },
                Err(other) => return Err(std::mem::take(isolation).stops(other)),
            }
        }
        Ok(true)
    }

    fn push_request(&mut self, part: &[Outgoing], life: Life) -> Result<PushResponse, Halt> {
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
        for (op, result) in part.iter().zip(&response.results) {
            if matches!(result.outcome, PushOutcome::Rejected | PushOutcome::Skipped) {
                blocked.add(&op.row);
            }
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

    /// Has the server let go of what it holds of a batch, of which it refuses the rest: it would skip whatever comes on the items of those ops until they
    /// expire, days later. An op of the batch that says another number of ops than any batch may have makes it reject them all, and is staged itself by none.
    fn give_up_staged(&mut self, rest: &[Outgoing], life: Life) -> Result<(), Halt> {
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
    fn refuse_locally(&mut self, part: Vec<Outgoing>, error: &WireError, life: Life) -> Result<(), Halt> {
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

/// Reads the next ops that can go and marks them as sent; how far it looked.
fn take_ops(
    connection: &Connection,
    (after, up_to): (i64, i64),
    blocked: &mut Blocked,
    awaited: &Awaited,
    limits: &Limits,
    push_ops: usize,
) -> Result<(Vec<Outgoing>, i64)> {
    let most_ops = push_ops.clamp(1, limits.push_ops.max(1));
    let most_bytes = PUSH_BYTES.min(limits.body / 2);
    let mut ops: Vec<Outgoing> = Vec::new();
    let mut bytes = 0;
    let mut reached = after;
    let mut cut = false;
    let mut left_out = false;
    let mut batch = None;
    let mut looked = Ok(());
    queue::scan_unanswered(connection, after, up_to, |row, collection, key| {
        let op = Outgoing { row, collection, key };
        let full = ops.len() >= most_ops || (!ops.is_empty() && bytes + op.bytes() > most_bytes);
        if full {
            cut = true;
            return false;
        }
        if op.row.batch != batch {
            batch = op.row.batch;
            if !op.row.sent {
                looked = blocked.add_batch_in_its_way(connection, &op.row, awaited);
            }
            if looked.is_err() {
                return false;
            }
        }
        reached = op.row.id();
        let waits = !op.row.sent && awaited.has(&op.collection, &op.key);
        if op.row.answer == Answer::Rejected || blocked.blocks(&op.row) || waits {
            blocked.add(&op.row);
            left_out = true;
            // Its batch may have begun before the op that is blocked; it goes as a whole or not at all.
            if let Some((batch, _)) = op.row.batch {
                for held in ops.iter().filter(|held| held.row.batch.is_some_and(|(id, _)| id == batch)) {
                    blocked.items.insert(held.row.item);
                }
                ops.retain(|held| held.row.batch.is_none_or(|(id, _)| id != batch));
            }
        } else if op.row.answer == Answer::None {
            bytes += op.bytes();
            ops.push(op);
        }
        true
    })?;
    looked?;
    if !cut {
        reached = up_to;
    }
    // A batch is not begun in a push that has no room for it: it may yet fit into one, and if not, what becomes of the ops before it
    // must be known first.
    if cut && let Some((batch, of)) = ops.last().and_then(|op| op.row.batch) {
        let begins = ops.iter().position(|op| op.row.batch.is_some_and(|(id, _)| id == batch)).unwrap_or(0);
        if begins > 0 && ops.len() - begins < of as usize {
            ops.truncate(begins);
            reached = ops.last().map_or(after, |op| op.row.id());
        }
    }
    if let Some(first) = ops.first().filter(|_| ops.iter().all(|op| op.row.sent)) {
        queue::mark_sent_again(connection, first.row.id())?;
    }
    match (ops.first(), ops.last()) {
        // One statement where no op between them stays behind; an answered one was sent before.
        (Some(first), Some(last)) if !left_out => queue::mark_sent(connection, first.row.id(), last.row.id())?,
        _ => {
            for op in ops.iter().filter(|op| !op.row.sent) {
                queue::mark_sent(connection, op.row.id(), op.row.id())?;
            }
        }
    }
    Ok((ops, reached))
}

/// Where to halve a push without cutting a batch; `None`: it is one op or one batch.
fn middle(ops: &[Outgoing]) -> Option<usize> {
    let half = ops.len() / 2;
    (1..=half).rev().chain(half + 1..ops.len()).filter(|index| *index > 0).find(|index| splits(ops, *index))
}

/// Puts a part back in two, to be pushed next, in order.
fn part_at(at: usize, mut part: Vec<Outgoing>, parts: &mut VecDeque<Vec<Outgoing>>) {
    let rest = part.split_off(at);
    parts.push_front(rest);
    parts.push_front(part);
}

/// Where the first op, or its batch, ends, if something follows.
fn first_unit(ops: &[Outgoing]) -> Option<usize> {
    (1..ops.len()).find(|index| splits(ops, *index))
}

/// Whether no batch goes on there.
fn splits(ops: &[Outgoing], index: usize) -> bool {
    let batch = |index: usize| ops[index].row.batch.map(|(id, _)| id);
    batch(index).is_none() || batch(index - 1) != batch(index)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Payload;

    fn ops(batches: &[Option<u128>]) -> Vec<Outgoing> {
        let op = |(n, batch): (usize, &Option<u128>)| {
            let of = batches.iter().filter(|other| *other == batch).count() as u32;
            let row = Queued {
                op_ref: Ref::from_parts(n as i64 + 1, 1),
                item: n as i64,
                payload: Payload::of_value(OpKind::Delete, None),
                base: None,
                batch: batch.map(|id| (BatchId::from_random(id), of)),
                sent: true,
                answer: Answer::None,
                applies: true,
                seq: None,
                rejection: None,
            };
            Outgoing { row, collection: "c".into(), key: n.to_string() }
        };
        batches.iter().enumerate().map(op).collect()
    }

    #[test]
    fn a_push_is_halved_next_to_its_middle_and_never_in_a_batch() {
        let (s, a, b) = (None, Some(1), Some(2));
        for (batches, at) in [
            (&[][..], None),
            (&[s], None),
            (&[s, s], Some(1)),
            (&[s, s, s], Some(1)),
            (&[s, s, s, s], Some(2)),
            (&[a, a], None),
            (&[a, a, a, a], None),
            (&[a, a, b, b], Some(2)),
            (&[s, a, a, s], Some(1)),
            (&[a, a, a, s], Some(3)),
            (&[a, a, a, s, s], Some(3)),
            (&[a, a, a, b], Some(3)),
            (&[s, a, a, a], Some(1)),
        ] {
            assert_eq!(middle(&ops(batches)), at, "{batches:?}");
        }
    }
}
