//! What a host was told of its operations.

use crate::notices::Notices;
use crate::oracle::Item;
use crate::resolving::Known;
use std::collections::BTreeMap;
use syncstore::protocol::{Code, OpKind, Seq};
use syncstore::{ConflictId, Filter, PendingOp, Ref, ResourceName};

/// The memory of a host.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub ops: BTreeMap<Ref, Op>,
    /// Writes that were cut off: nobody knows whether they were stored. Each is there as a whole, or not at all.
    limbo: Vec<Vec<Attempt>>,
    pub notices: Notices,
    /// What is to be kept.
    pub keep: Filter,
    /// What was to be kept when the call was cut off.
    pub keep_cut_off: Vec<Filter>,
    /// Every conflict that was ever listed.
    pub conflicts: BTreeMap<ConflictId, Known>,
}

/// An operation that was to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub item: Item,
    pub resource: ResourceName,
    /// `None`: the engine chose.
    pub kind: Option<OpKind>,
}

/// An operation that was answered.
#[derive(Clone, Debug)]
pub struct Op {
    pub item: Item,
    pub fate: Option<Fate>,
    /// What it was before a power loss took it back: it will be that again.
    pub before: Option<Fate>,
    /// A power loss may have taken back what its replica had read of it.
    pub reopened: bool,
    /// It left the outbox with that fate.
    pub settled: bool,
    /// How many checkpoints the device had asked for, when it was made.
    pub checkpoints: u32,
    /// Whether a checkpoint was loaded between when it was made, or before, and when the server first called it expired; or
    /// had to be then, since the log was pruned.
    pub loaded: bool,
    /// The server has called it expired.
    pub expired: bool,
    /// Its write was never answered, and was found to be there after a kill.
    pub found: bool,
    /// It was rejected, and its host has made it again, or tried to.
    pub dealt: bool,
    /// It was rejected, and its host has let it go, or tried to.
    pub discarded: bool,
    /// Why it was rejected, and its place in the log.
    pub refusal: Option<(Code, Option<Seq>)>,
    /// As what its own replica may give it up, since no push gets past it.
    pub given_up: Vec<Code>,
}

/// What became of an operation for good.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    Accepted(Seq),
    Rejected(Code, Option<Seq>),
    Folded(Ref),
    /// From this place.
    Undone(Seq),
    Retried(Ref),
    Withdrawn(Option<Ref>),
}

impl Fate {
    /// Its place in the log.
    pub fn place(&self) -> Option<Seq> {
        match self {
            Fate::Accepted(seq) | Fate::Undone(seq) => Some(*seq),
            Fate::Rejected(_, seq) => *seq,
            Fate::Folded(_) | Fate::Retried(_) | Fate::Withdrawn(_) => None,
        }
    }
}

impl Op {
    pub fn new(item: Item, checkpoints: u32) -> Op {
        Op {
            item,
            fate: None,
            before: None,
            settled: false,
            checkpoints,
            loaded: false,
            expired: false,
            reopened: false,
            found: false,
            dealt: false,
            discarded: false,
            refusal: None,
            given_up: Vec::new(),
        }
    }

    fn found(op: &PendingOp, checkpoints: u32) -> Op {
        Op { found: true, ..Op::new((op.collection.clone(), op.key.clone()), checkpoints) }
    }

    /// Whether no server had a say in its refusal.
    pub fn is_given_up(&self, (code, seq): (&Code, Option<Seq>)) -> bool {
        seq.is_none() && self.given_up.contains(code)
    }

    /// As if nobody had ever told anything of it.
    pub fn forget(&mut self) {
        (self.fate, self.before, self.settled) = (None, None, false);
    }

    /// What was settled is open again, and settled in the same way later.
    pub fn reopen(&mut self) {
        self.before = self.fate.take().or(self.before.take());
        self.reopened = true;
        self.settled = false;
    }
}

impl Told {
    pub fn cut_off(&mut self, attempts: Vec<Attempt>) {
        self.limbo.push(attempts);
    }

    /// What was cut off before a stop, and was not found after it, will not be found.
    pub fn end_cut_off(&mut self) {
        self.limbo.clear();
        self.notices.end_cut_off();
    }

    /// Takes what the replica has and nobody was told of: a write that was cut off, and nothing else.
    ///
    /// `folds`: a later write may have become part of it, and have made another kind of it.
    pub fn adopt(&mut self, name: &str, pending: &[PendingOp], folds: bool, checkpoints: u32) {
        for op in pending.iter().filter(|op| op.batch.is_none()) {
            self.adopt_one(name, op, folds, checkpoints);
        }
        for first in pending.iter().filter(|op| op.batch.is_some()) {
            if self.ops.contains_key(&first.op_ref) {
                continue;
            }
            let batch: Vec<&PendingOp> = pending.iter().filter(|op| op.batch == first.batch).collect();
            let is = |attempts: &Vec<Attempt>| {
                attempts.len() == batch.len() && attempts.iter().zip(&batch).all(|(attempt, op)| attempt.is(op, false))
            };
            let at = self.limbo.iter().position(is);
            let at = at.unwrap_or_else(|| panic!("{name}: batch {batch:?} waits, and nobody made it so"));
            self.limbo.swap_remove(at);
            self.ops.extend(batch.into_iter().map(|op| (op.op_ref, Op::found(op, checkpoints))));
        }
    }

    fn adopt_one(&mut self, name: &str, op: &PendingOp, folds: bool, checkpoints: u32) {
        if self.ops.contains_key(&op.op_ref) {
            return;
        }
        let at = self.limbo.iter().position(|attempts| attempts.len() == 1 && attempts[0].is(op, folds));
        let at = at.unwrap_or_else(|| panic!("{name}: {} waits, and nobody made it: {:?}", op.op_ref, self.limbo));
        self.limbo.swap_remove(at);
        self.ops.insert(op.op_ref, Op::found(op, checkpoints));
    }
}

impl Attempt {
    fn is(&self, op: &PendingOp, folds: bool) -> bool {
        let same = self.resource == op.resource && self.kind.is_none_or(|kind| kind == op.kind);
        self.item.0 == op.collection && self.item.1 == op.key && (folds || same)
    }
}
