//! Whether the server may refuse an operation as it did.

use crate::judge::{Decided, Judge, has, item_of};
use crate::oracle::{Item, Lineage};
use crate::plan::Plan;
use crate::rights::Rights;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use syncstore::protocol::{BatchId, ClientId, Code, Op, OpKind, OpResult, PushRequest, Rev, Seq};
use syncstore::{Ref, ResourceName};

/// How long the server waits for the rest of a batch, in milliseconds.
const STAGED: u64 = 7 * 24 * 3600 * 1000;

/// What came near the server, as far as refusals hang on it.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// What the server's clock said, each time that the server was asked something.
    readings: Vec<u64>,
    /// How long the server keeps the outcome of a ref, in milliseconds.
    kept: u64,
    /// Entries that the server's log keeps.
    log_entries: u64,
    refs: HashMap<Ref, Arrived>,
    batches: HashMap<BatchId, Members>,
    /// The highest place from which a client has read on.
    pulled: HashMap<ClientId, Seq>,
}

/// When something came to the server, by its clock, which may jump.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// In milliseconds since 1970; the earliest, where it came again.
    at: u64,
    /// The reading of the clock at which it came first.
    reading: usize,
}

impl Moment {
    fn age(self, readings: &[u64]) -> u64 {
        let latest = readings[self.reading..].iter().max();
        latest.map_or(0, |latest| latest.saturating_sub(self.at))
    }
}

#[derive(Debug)]
struct Arrived {
    /// When it came first.
    at: Moment,
    batch: Option<BatchId>,
    /// What ◆7 compares of it. Copies of a file may send different ops under one ref.
    ops: BTreeSet<String>,
    bases: BTreeSet<Option<Rev>>,
}

/// A batch, as far as its ops have come.
#[derive(Debug)]
struct Members {
    of: u32,
    /// When its first op came first.
    at: Moment,
    items: BTreeMap<Ref, Item>,
    /// Those that were told that another op is at fault.
    not_at_fault: HashSet<Ref>,
    /// One was told another reason, or the batch may have expired before it was told any.
    explained: bool,
}

impl Arrivals {
    pub fn new(plan: &Plan) -> Arrivals {
        let kept = plan.refs.as_millis() as u64;
        // Where there is no room, of the log a quarter is kept of what there is room for.
        let log_entries = if plan.mischief.no_room > 0 { 0 } else { plan.log_entries };
        Arrivals { kept, log_entries, ..Arrivals::default() }
    }

    /// The server is asked something when its clock is `now`.
    pub fn read_clock(&mut self, now: u64) -> Moment {
        self.readings.push(now);
        Moment { at: now, reading: self.readings.len() - 1 }
    }

    /// The latest that the server's clock said.
    pub fn latest(&self) -> u64 {
        self.readings.iter().copied().max().unwrap_or_default()
    }

    /// The most that the server can have taken as the time since, in milliseconds.
    pub fn age(&self, since: Moment) -> u64 {
        since.age(&self.readings)
    }

    /// `now` is the server's clock.
    pub fn see(&mut self, request: &PushRequest, now: u64) {
        let moment = self.read_clock(now);
        for op in &request.ops {
            let alike = Op { base: None, batch: None, of: None, ..op.clone() };
            let text = serde_json::to_string(&alike).expect("an op encodes");
            let arrived = self.refs.entry(op.op_ref);
            let new = || Arrived { at: moment, batch: op.batch, ops: BTreeSet::new(), bases: BTreeSet::new() };
            let arrived = arrived.or_insert_with(new);
            // The server may have been down, or full, before.
            arrived.at.at = arrived.at.at.min(now);
            arrived.ops.insert(text);
            arrived.bases.insert(op.base);
            if let (Some(batch), Some(of)) = (op.batch, op.of) {
                let members = self.batches.entry(batch).or_insert_with(|| Members {
                    of,
                    at: moment,
                    items: BTreeMap::new(),
                    not_at_fault: HashSet::new(),
                    explained: false,
                });
                members.at.at = members.at.at.min(now);
                // Its sender lets go of it so.
                members.explained |= members.of != of;
                members.items.insert(op.op_ref, item_of(op));
            }
        }
    }

    /// The server has lost what it decided last, and may decide it otherwise: who was at fault need never have been told.
    pub fn rewind(&mut self) {
        self.batches.values_mut().for_each(|members| members.not_at_fault.clear());
    }

    /// A client reads on from there; `now` is the server's clock.
    pub fn pull(&mut self, client: ClientId, from: Seq, now: u64) {
        self.read_clock(now);
        let pulled = self.pulled.entry(client).or_default();
        *pulled = from.max(*pulled);
    }

    /// A refusal that its sender is told by an entry.
    pub fn told(&mut self, op_ref: &Ref, code: &Code) {
        let batch = self.refs.get(op_ref).and_then(|arrived| arrived.batch);
        self.refused(op_ref, batch, code);
    }

    /// An op of a batch, if it is one, was refused.
    pub fn refused(&mut self, op_ref: &Ref, batch: Option<BatchId>, code: &Code) {
        let Some(members) = batch.and_then(|batch| self.batches.get_mut(&batch)) else { return };
        if *code == Code::BATCH_FAILED {
            let overdue = members.at.age(&self.readings) > STAGED;
            members.explained |= overdue && members.not_at_fault.is_empty();
            members.not_at_fault.insert(*op_ref);
        } else {
            members.explained = true;
        }
    }

    /// Of each batch that was refused at least one op is at fault, or it was not completed in time (◆10, ◆12).
    pub fn check_batches(&self) {
        for (batch, members) in &self.batches {
            let all = members.not_at_fault.len() >= members.of as usize;
            assert!(members.explained || !all, "batch {batch} was refused, and none of its ops is at fault");
        }
    }

    /// Whether another op of the batch is on the same item: what that had been made of, nobody knows.
    fn shares_item(&self, op: &Op) -> bool {
        let members = op.batch.and_then(|batch| self.batches.get(&batch));
        let item = item_of(op);
        members.is_some_and(|members| members.items.iter().any(|(other, on)| *other != op.op_ref && *on == item))
    }

    /// Whether a new op was decided by the base that came with it. One that is staged keeps the base that it first came with.
    pub fn is_base_known(&self, op: &Op) -> bool {
        op.batch.is_none() || self.refs.get(&op.op_ref).is_none_or(|arrived| arrived.bases.len() == 1)
    }

    /// Whether what stands at `seq` was surely in the server's log when it decided at `now`.
    pub fn is_kept(&self, seq: Seq, now: Seq) -> bool {
        now.saturating_sub(seq) <= self.log_entries
    }
}

impl Judge {
    /// A refusal that the server does not record (◆7, ◆8).
    pub fn unrecorded(&self, op: &Op, code: &Code, known: Option<&Decided>) {
        let (op_ref, arrivals) = (&op.op_ref, &self.arrivals);
        let arrived = &arrivals.refs[op_ref];
        if *code == Code::REF_REUSED {
            let shared = arrived.ops.len() > 1 || self.senders(op_ref).count() > 1;
            assert!(shared, "{op_ref} is said to be another op, and nobody sent one");
            return;
        }
        let oldest = arrivals.latest().saturating_sub(arrivals.kept);
        assert!(op_ref.unix_ms() < oldest, "{op_ref} expired before its time");
        if let Some(known) = known {
            assert!(
                arrivals.age(arrived.at) > arrivals.kept,
                "{op_ref} was {known:?}, which was forgotten before its time"
            );
            let (Decided::Accepted(seq) | Decided::Rejected(_, Some(seq))) = known else { return };
            let pulled = |client| arrivals.pulled.get(client).is_some_and(|pulled| pulled >= seq);
            assert!(self.senders(op_ref).any(pulled), "{op_ref} was {known:?}, and its client has not pulled past it");
        }
    }

    /// A refusal that the server records, right when it was decided.
    pub fn rejected(
        &self,
        lineage: &Lineage,
        rights: &Rights,
        (client, op): (&ClientId, &Op),
        result: &OpResult,
        code: &Code,
    ) {
        let item = item_of(op);
        assert!(!result.message.as_deref().unwrap_or_default().is_empty(), "a rejection says why: {result:?}");
        let Some(seq) = result.seq else { return };
        assert!(!lineage.accepted.contains_key(&op.op_ref), "{} is rejected, and in the log", op.op_ref);
        let unknown = || self.arrivals.shares_item(op) || !self.arrivals.is_base_known(op);
        // That a batch says too many ops has nothing to do with what they are on.
        if op.batch.is_some() && (*code == Code::BATCH_FAILED || *code == Code::TOO_LARGE || unknown()) {
            return;
        }
        let resource = op.resource().expect("a replica sends what is well formed").to_name();
        let makes = op.kind == OpKind::Set && resource == ResourceName::Value;
        let before = lineage.at(&item, seq.saturating_sub(1)).map(|(whole, _)| &**whole);
        let hidden = before.is_some_and(|whole| !rights.sight.sees(whole));
        if hidden {
            // Nothing tells it from a missing one, but that the key is taken.
            let expected = if makes { Code::FORBIDDEN } else { Code::NOT_FOUND };
            assert_eq!(*code, expected, "{} is on {item:?}, which its sender does not see", op.op_ref);
            assert_eq!(result.detail, None, "{} is told more of {item:?}", op.op_ref);
        } else if *code == Code::NOT_FOUND {
            let needs = op.kind == OpKind::Patch || !makes && op.kind == OpKind::Set;
            assert!(needs, "{} needs no item, and found none", op.op_ref);
            assert!(before.is_none(), "{} did not find {item:?}, which is there", op.op_ref);
        } else if *code == Code::FORBIDDEN {
            let foreign = matches!(&resource, ResourceName::Tag(tag) if !rights.sight.owns(tag));
            assert!(foreign && before.is_some(), "{} was forbidden", op.op_ref);
        } else if *code == Code::PATCH_FAILED {
            self.patch_failed(lineage, (client, op), seq);
        } else if *code == Code::STALE {
            self.stale(lineage, (client, op), (seq, &resource));
        } else {
            // What a batch is refused for as a whole.
            assert!(op.batch.is_some(), "{} was refused as {code}", op.op_ref);
        }
    }

    /// A base is behind by what others did, and by nothing else (◆5).
    fn stale(&self, lineage: &Lineage, (client, op): (&ClientId, &Op), (seq, resource): (Seq, &ResourceName)) {
        let (op_ref, item) = (&op.op_ref, item_of(op));
        assert!(op.collection != "open", "{op_ref} is stale where nothing is");
        let deletes_nothing = op.kind == OpKind::Delete && !has(lineage, &item, resource, seq - 1);
        assert!(!deletes_nothing, "{op_ref} deletes nothing, and is stale");
        if lineage.at(&item, seq - 1).is_none() {
            let makes = op.kind == OpKind::Set && *resource == ResourceName::Value;
            assert!(makes, "{op_ref} is stale, and {item:?} is missing");
            let claims = op.base.is_some_and(|base| base > 0);
            assert!(claims, "{op_ref} claims no item, {item:?} is missing, and it is stale");
            return self.stale_of_ended(lineage, (client, op_ref), (&item, seq));
        }
        assert!(op.collection != "merged", "{op_ref} is stale where {item:?} could be merged");
        // Without a base it claims that there is nothing.
        let Some(base) = op.base else { return };
        let life = lineage.present_life(&item, base, seq);
        let own = life.iter().all(|(_, logged)| self.made_by(&logged.op_ref, client) == Some(true));
        assert!(!own, "{op_ref} was made on rev {base} of {item:?}, which nobody else has changed, and is stale");
    }

    /// One that claims an item which has ended, by another's delete.
    fn stale_of_ended(&self, lineage: &Lineage, (client, op_ref): (&ClientId, &Ref), (item, seq): (&Item, Seq)) {
        // Of a delete that is older than the log nobody knows whose it was.
        let ended = lineage.ended(item, seq).filter(|(end, _)| self.arrivals.is_kept(*end, seq));
        let Some((end, logged)) = ended else { return };
        let own = self.made_by(&logged.op_ref, client) == Some(true);
        assert!(!own, "{op_ref} is stale by its own sender's delete at {end}");
    }
}
