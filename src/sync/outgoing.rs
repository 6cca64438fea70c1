//! What a push takes from the outbox: in order, around whatever cannot go yet, and where it is halved (section 3).

use crate::error::{Error, Result};
use crate::outbox::{Answer, Queued, queue};
use crate::protocol::{BatchId, Content, Filter, Json, Limits, Op, OpKind, Ref, ResourceName};
use crate::replica::collections::Life;
use crate::replica::state::State;
use rusqlite::Connection;
use std::collections::{HashMap, HashSet, VecDeque};

/// The most payload in one push, in bytes; under half of the protocol's limit for a body, since a text may grow
/// in the message around it.
const PUSH_BYTES: usize = 3 << 20;

/// What one transaction reads to find them: where most of the outbox cannot go, the host's writes are not to wait for all of it.
const MOST_ROWS: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;

/// An op read for a push.
pub(super) struct Outgoing {
    pub row: Queued,
    pub collection: String,
    pub key: String,
}

impl Outgoing {
    fn bytes(&self) -> usize {
        self.row.payload.bytes() + self.collection.len() + self.key.len()
    }

    pub fn op(&self) -> Result<Op> {
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
pub(super) struct Blocked {
    /// Items with an op that cannot go, or whose rejection is not recorded in the base yet, and the place of the first one: what came before it may go.
    items: HashMap<i64, i64>,
    batches: HashSet<BatchId>,
    /// The items of ops that lie staged at the server, which holds back what is on them until the rest of their batch has come.
    staged: HashMap<BatchId, Vec<(i64, i64)>>,
    /// The first ops of units that are not to be tried this time.
    units: HashSet<Ref>,
    /// The server has no room for anything but what makes some, and what completes a batch that it has begun.
    pub is_server_full: bool,
    /// Batches whose first op was sent: the server may have begun them, though its answer was lost.
    begun: HashSet<BatchId>,
}

impl Blocked {
    pub fn by(units: HashSet<Ref>, staged: HashMap<BatchId, Vec<(i64, i64)>>) -> Blocked {
        Blocked { units, staged, ..Blocked::default() }
    }

    /// An op that the server has staged.
    pub fn stage(&mut self, row: &Queued) {
        if let Some((id, _)) = row.batch {
            self.staged.entry(id).or_default().push((row.item, row.id()));
        }
    }

    pub fn blocks(&self, row: &Queued) -> bool {
        self.is_behind(row)
            || self.units.contains(&row.op_ref)
            || row.batch.is_some_and(|(id, _)| self.batches.contains(&id))
            || (self.is_server_full && !self.may_have_room(row))
    }

    fn may_have_room(&self, row: &Queued) -> bool {
        match row.batch {
            Some((id, _)) => self.staged.contains_key(&id) || self.begun.contains(&id),
            None => row.payload.kind == OpKind::Delete && row.payload.resource == ResourceName::Value,
        }
    }

    /// Whether an op on the same item that cannot go came before it.
    fn is_behind(&self, row: &Queued) -> bool {
        self.items.get(&row.item).is_some_and(|first| *first < row.id())
    }

    fn add_item(&mut self, item: i64, id: i64) {
        let first = self.items.entry(item).or_insert(id);
        *first = id.min(*first);
    }

    pub fn add(&mut self, row: &Queued) {
        self.add_item(row.item, row.id());
        if let Some((id, _)) = row.batch {
            self.add_batch(id);
        }
    }

    fn add_batch(&mut self, id: BatchId) {
        self.batches.insert(id);
        for (item, id) in self.staged.remove(&id).unwrap_or_default() {
            self.add_item(item, id);
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
            waits |= of_it && (self.is_behind(&row) || awaited.has(&collection, &key));
            of_it && !waits
        })?;
        if waits {
            self.add_batch(batch);
        }
        Ok(())
    }
}

/// What is to be kept and is not here yet: ops on it wait, or they would be settled and out of sight before the item is there.
pub(super) struct Awaited {
    keep: Filter,
    here: Filter,
}

impl Awaited {
    pub fn of(state: &State, life: Life) -> Awaited {
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

/// Reads the next ops that can go and marks them as sent; how far it looked.
pub(super) fn take_ops(
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
    let (mut rows_looked_at, mut bytes_looked_at) = (0, 0);
    queue::scan_unanswered(connection, after, up_to, |row, collection, key| {
        let op = Outgoing { row, collection, key };
        let begins = op.row.batch.is_none() || op.row.batch != batch;
        let looked_enough = begins && (rows_looked_at >= MOST_ROWS || bytes_looked_at >= MOST_BYTES);
        (rows_looked_at, bytes_looked_at) = (rows_looked_at + 1, bytes_looked_at + op.bytes());
        let full = looked_enough || ops.len() >= most_ops || (!ops.is_empty() && bytes + op.bytes() > most_bytes);
        if full {
            cut = true;
            return false;
        }
        if op.row.batch != batch {
            batch = op.row.batch;
            if let Some((id, _)) = batch.filter(|_| op.row.sent) {
                blocked.begun.insert(id);
            }
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
                    blocked.add_item(held.row.item, held.row.id());
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
pub(super) fn middle(ops: &[Outgoing]) -> Option<usize> {
    let half = ops.len() / 2;
    (1..=half).rev().chain(half + 1..ops.len()).filter(|index| *index > 0).find(|index| splits(ops, *index))
}

/// Puts a part back in two, to be pushed next, in order.
pub(super) fn part_at(at: usize, mut part: Vec<Outgoing>, parts: &mut VecDeque<Vec<Outgoing>>) {
    let rest = part.split_off(at);
    parts.push_front(rest);
    parts.push_front(part);
}

/// Brings one of the units that nothing before them holds back to the front, any of them; `false`: there is none.
pub(super) fn bring_forward(parts: &mut VecDeque<Vec<Outgoing>>, blocked: &Blocked, random: u64) -> bool {
    let mut rest: Vec<Outgoing> = parts.drain(..).flatten().collect();
    let mut before: HashSet<i64> = HashSet::new();
    let mut free = Vec::new();
    let mut begin = 0;
    while begin < rest.len() {
        let end = first_unit(&rest[begin..]).map_or(rest.len(), |length| begin + length);
        let unit = &rest[begin..end];
        let is_whole = unit[0].row.batch.is_none_or(|(_, of)| unit.len() == of as usize);
        if is_whole && unit.iter().all(|op| !blocked.blocks(&op.row) && !before.contains(&op.row.item)) {
            free.push(begin..end);
        }
        before.extend(unit.iter().map(|op| op.row.item));
        begin = end;
    }
    let chosen = random.checked_rem(free.len() as u64).map(|at| free.swap_remove(at as usize));
    let found = chosen.is_some();
    if let Some(unit) = chosen {
        parts.push_back(rest.drain(unit).collect());
    }
    parts.push_back(rest);
    found
}

/// Where the first op, or its batch, ends, if something follows.
pub(super) fn first_unit(ops: &[Outgoing]) -> Option<usize> {
    (1..ops.len()).find(|index| splits(ops, *index))
}

/// Whether no batch goes on there.
fn splits(ops: &[Outgoing], index: usize) -> bool {
    let batch = |index: usize| ops[index].row.batch.map(|(id, _)| id);
    batch(index).is_none() || batch(index - 1) != batch(index)
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

    #[test]
    fn what_is_brought_forward_is_a_whole_unit_that_nothing_before_it_holds_back() {
        let (s, a, b, c) = (None, Some(1), Some(2), Some(3));
        let mut all = ops(&[s, a, a, s, b, b, c, s]);
        // The third is behind the first, the batch `b` has lost its last op, and `c` is of another batch that is refused.
        all[3].row.item = all[0].row.item;
        all.remove(5);
        let mut blocked = Blocked::default();
        blocked.add(&all[5].row);
        let keys = |parts: &VecDeque<Vec<Outgoing>>| -> Vec<Vec<String>> {
            parts.iter().map(|part| part.iter().map(|op| op.key.clone()).collect()).collect()
        };
        let mut chosen = Vec::new();
        for random in 0..3 {
            let mut parts = VecDeque::from([std::mem::take(&mut all)]);
            assert!(bring_forward(&mut parts, &blocked, random));
            let now = keys(&parts);
            assert_eq!(now.iter().map(Vec::len).sum::<usize>(), 7, "none is lost");
            assert!(now[1].is_sorted(), "the others stay in order: {now:?}");
            chosen.push(now[0].clone());
            all = parts.into_iter().flatten().collect();
            all.sort_by(|one, other| one.key.cmp(&other.key));
        }
        chosen.sort();
        assert_eq!(chosen, [vec!["0"], vec!["1", "2"], vec!["7"]]);
        let mut parts = VecDeque::from([all.drain(4..6).collect::<Vec<_>>()]);
        assert!(!bring_forward(&mut parts, &blocked, 0), "there is none");
        assert_eq!(keys(&parts).concat(), ["4", "6"]);
    }
}
