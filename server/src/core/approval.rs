//! Ops that wait for an approver (◆11): which of them it may be asked for now, and what its answers make of them.
//!
//! The queue consists of units: an op by itself, or the ops of a batch. A unit waits for every earlier one of its client
//! that has an op on one of its items, so that ops on an item are decided in their client's order.

use super::batch::not_at_fault;
use super::examine::{Proposal, examine, rejection, shortened};
use super::policy::Author;
use super::push::{Push, result};
use super::{Caller, MOST_TAGS, Rules, Tags, digest, work};
use crate::storage::queued::{QueueLine, QueueSnapshot, QueuedOp, UnitKey, UnitRow};
use crate::storage::{BatchRow, ClientKey, ItemHead, RefRow, RefState, Rejection, StorageError, Stored, Transaction};
use std::collections::{BTreeSet, HashMap, HashSet};
use syncstore::protocol::{BatchId, Change, Code, Limits, Op, OpResult, PushOutcome, Ref, Seq, check_name};

/// Which ops an approver decides, and how many may wait for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approval {
    /// The collections whose ops wait for it.
    pub collections: BTreeSet<String>,
    /// While that many ops wait, no more are taken in.
    pub most_ops: u64,
    /// While that many bytes of ops wait, no more are taken in.
    pub most_bytes: u64,
}

/// What an approver says of one op.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It may be committed.
    Accepted {
        /// In this form, on the same item; its ref does not count. `None`: as it was sent.
        form: Option<Box<Op>>,
        /// With these tags on its item.
        tags: Vec<String>,
    },
    /// It is refused.
    Rejected(Rejection),
}

/// What verdicts came to.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// What became of each op that has left the queue.
    pub codes: Vec<Option<Code>>,
    /// Verdicts on ops that do not wait, or not for the approver yet.
    pub ignored: u64,
    /// Verdicts that are still to be carried out: the others made as much work as one transaction may.
    pub left: HashMap<Ref, Verdict>,
    /// Whether units that wait for nothing any more are still to be committed, for the same reason.
    pub more_free: bool,
}

/// On whose word an op is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Its sender's.
    Sender,
    /// The approver's, who has changed it.
    Altered,
    /// The approver's, who adds a tag to what the sender's op is on.
    Tagging,
}

// Whose an altered op is to the policies: no client has this key.
const APPROVER: Author = Author { client: ClientKey(0), since: 0 };

/// Units that nothing before them holds back.
#[derive(Debug, Default)]
pub struct Heads {
    /// The approver is to decide them.
    pub asking: Vec<UnitKey>,
    /// They only waited for others.
    pub free: Vec<UnitKey>,
}

/// The units that may be decided now, in the order in which they came.
pub fn heads(snapshot: &impl QueueSnapshot) -> Stored<Heads> {
    let mut heads = Heads::default();
    let mut held: HashSet<(ClientKey, String, String)> = HashSet::new();
    // Items of free units: verdicts are carried out before these are committed, so what asks behind one waits for it.
    let mut freed: HashSet<(ClientKey, String, String)> = HashSet::new();
    let mut unit: Vec<QueueLine> = Vec::new();
    let mut end = |unit: &mut Vec<QueueLine>| {
        let Some(key) = unit.first().map(|line| line.unit) else { return };
        let asks = unit.iter().any(|line| line.asks);
        let lines = unit.drain(..).map(|line| (line.client, line.collection, line.key));
        let items: Vec<(ClientKey, String, String)> = lines.collect();
        let behind = items.iter().any(|item| held.contains(item));
        let behind_free = asks && items.iter().any(|item| freed.contains(item));
        match (behind || behind_free, asks) {
            (false, false) => {
                heads.free.push(key);
                return freed.extend(items);
            }
            (false, true) => heads.asking.push(key),
            (true, _) => {}
        }
        held.extend(items);
    };
    snapshot.queue_lines(&mut |line| {
        if unit.first().is_some_and(|first| first.unit != line.unit) {
            end(&mut unit);
        }
        unit.push(line);
    })?;
    end(&mut unit);
    Ok(heads)
}

/// Commits or rejects what an approver has said its word on, and what waited for nothing else, until that is as much work
/// as a push may make.
///
/// A unit of which an op has no verdict stays as it is, unless another of its ops is rejected. A verdict on an op that
/// does not wait any more, or that waits behind others, does nothing: whatever comes late or twice decides nothing twice.
pub fn decide(
    transaction: &mut impl Transaction,
    rules: &Rules,
    verdicts: &HashMap<Ref, Verdict>,
    now: u64,
) -> Stored<Decided> {
    let began = transaction.work();
    let mut decided = Decided::default();
    let mut units: HashMap<UnitKey, Vec<Ref>> = HashMap::new();
    for op_ref in verdicts.keys() {
        match transaction.unit_of(op_ref)? {
            Some(unit) => units.entry(unit).or_default().push(*op_ref),
            None => decided.ignored += 1,
        }
    }
    if !units.is_empty() {
        for head in heads(transaction)?.asking {
            let Some(answered) = units.remove(&head) else { continue };
            if is_spent(transaction, rules, began) {
                let left = |op_ref| verdicts.get(&op_ref).map(|verdict| (op_ref, verdict.clone()));
                decided.left.extend(answered.into_iter().filter_map(left));
            } else if !settle(transaction, rules, head, Some(verdicts), now, &mut decided)? {
                decided.ignored += answered.len() as u64;
            }
        }
    }
    decided.ignored += units.values().map(|answered| answered.len() as u64).sum::<u64>();
    release_from(transaction, rules, now, began, &mut decided)?;
    Ok(decided)
}

/// Commits what only waited behind others that are decided now, until that is as much work as a push may make.
pub fn release(transaction: &mut impl Transaction, rules: &Rules, now: u64) -> Stored<Decided> {
    let (began, mut decided) = (transaction.work(), Decided::default());
    release_from(transaction, rules, now, began, &mut decided)?;
    Ok(decided)
}

fn release_from(
    transaction: &mut impl Transaction,
    rules: &Rules,
    now: u64,
    began: u64,
    decided: &mut Decided,
) -> Stored<()> {
    for unit in heads(transaction)?.free {
        if is_spent(transaction, rules, began) {
            decided.more_free = true;
            break;
        }
        settle(transaction, rules, unit, None, now, decided)?;
    }
    Ok(())
}

// Never of what has done nothing yet, so that each slice gets on.
fn is_spent(transaction: &impl Transaction, rules: &Rules, began: u64) -> bool {
    transaction.work() - began >= rules.most_work.max(1)
}

/// Rejects up to `limit` units that came before `before` (milliseconds since 1970) and are not decided. Returns how many
/// there were. What waited behind them is to be released.
pub fn expire(transaction: &mut impl Transaction, rules: &Rules, before: u64, now: u64, limit: u32) -> Stored<usize> {
    let overdue = transaction.overdue_units(before, limit)?;
    for key in &overdue {
        let Some((unit, queued)) = transaction.unit(*key)? else { continue };
        transaction.remove_unit(*key)?;
        let ops: Vec<Op> = queued.into_iter().map(|queued| queued.op).collect();
        let caller = caller_of(&unit);
        let why = rejection(Code::UNDECIDED, "no approver has decided it in time");
        Push::new(transaction, rules, &caller, unit.client, now).reject_all(&ops, unit.batch, |_| Some(why.clone()))?;
    }
    Ok(overdue.len())
}

/// Decides a unit; `false`: its verdicts are not complete. `None`: none is needed.
fn settle(
    transaction: &mut impl Transaction,
    rules: &Rules,
    key: UnitKey,
    verdicts: Option<&HashMap<Ref, Verdict>>,
    now: u64,
    decided: &mut Decided,
) -> Stored<bool> {
    let Some((unit, queued)) = transaction.unit(key)? else { return Ok(false) };
    let nothing = HashMap::new();
    let given = verdicts.unwrap_or(&nothing);
    let refused = |queued: &QueuedOp| queued.asks && matches!(given.get(&queued.op.op_ref), Some(Verdict::Rejected(_)));
    let missing = |queued: &QueuedOp| queued.asks && !given.contains_key(&queued.op.op_ref);
    if verdicts.is_some() && queued.iter().any(missing) && !queued.iter().any(refused) {
        return Ok(false);
    }
    transaction.remove_unit(key)?;
    // What the approver was not asked for it has no word on.
    let asked = |queued: &QueuedOp| queued.asks.then(|| given.get(&queued.op.op_ref).cloned()).flatten();
    let words: HashMap<Ref, Verdict> =
        queued.iter().filter_map(|queued| Some((queued.op.op_ref, asked(queued)?))).collect();
    let ops: Vec<Op> = queued.into_iter().map(|queued| queued.op).collect();
    let caller = caller_of(&unit);
    let mut push = Push::new(transaction, rules, &caller, unit.client, now);
    let answers = push.commit_together(&ops, unit.batch, &words)?;
    decided.codes.extend(answers.into_iter().map(|answer| answer.code));
    Ok(true)
}

fn caller_of(unit: &UnitRow) -> Caller {
    let tags = unit.tags.clone().map_or(Tags::All, Tags::Only);
    Caller { user: unit.user.clone(), tags, grant: unit.grant.clone() }
}

/// Whether an op may be committed in a form that an approver gave it, by itself; else what is wrong with it.
pub fn check_form(op: &Op, form: &Op, limits: &Limits) -> Result<(), String> {
    if (&form.collection, &form.key) != (&op.collection, &op.key) {
        return Err("it is on another item".to_owned());
    }
    form.change().map_err(|malformed| malformed.to_string())?;
    let alone = Op { batch: None, of: None, ..form.clone() };
    examine(&alone, limits).1.map_or(Ok(()), |fault| Err(fault.message))
}

/// Whether an approver's tags may go on an item; else what is wrong with them.
pub fn check_tags(tags: &[String], limits: &Limits) -> Result<(), String> {
    if tags.len() > MOST_TAGS {
        return Err(format!("there are {} tags; an item has at most {MOST_TAGS}", tags.len()));
    }
    tags.iter().try_for_each(|tag| check_name("tag", tag, limits)).map_err(|error| error.to_string())
}

// The most bytes of a detail: what a client keeps.
const LONGEST_DETAIL: usize = 16 << 10;

/// An approver's rejection in a form that can be kept and told.
pub fn told(refused: Rejection) -> Rejection {
    let word = refused.code.as_str();
    let is_word =
        (1..=64).contains(&word.len()) && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let detail = refused.detail.filter(|detail| detail.as_str().len() <= LONGEST_DETAIL && detail.nesting() <= 128);
    let message = if refused.message.is_empty() { "the approver refused it".to_owned() } else { refused.message };
    Rejection { code: if is_word { refused.code } else { Code::POLICY }, message: shortened(message), detail }
}

/// Whether an approver's form is another op than was sent.
fn alters(op: &Op, form: &Op, limits: &Limits) -> bool {
    examine(op, limits).0 != examine(form, limits).0
}

impl<'a, T: Transaction> Push<'a, T> {
    /// A push of nothing, to decide ops of an earlier one.
    pub fn new(
        transaction: &'a mut T,
        rules: &'a Rules,
        caller: &'a Caller,
        client: ClientKey,
        now: u64,
    ) -> Push<'a, T> {
        let began = transaction.work();
        Push {
            transaction,
            rules,
            caller,
            author: Author { client, since: 0 },
            now,
            failed: HashSet::new(),
            held: HashMap::new(),
            waiting: HashSet::new(),
            word: Word::Sender,
            added: Vec::new(),
            shown: 0,
            began,
            batch_began: began,
            results: Vec::new(),
        }
    }

    /// Whether an op must not be decided in this push, since an approver is to decide it or an earlier one on its item.
    pub fn must_queue(&self, op: &Op) -> bool {
        self.waits(&op.collection, &op.key)
    }

    fn waits(&self, collection: &str, key: &str) -> bool {
        self.rules.approval.collections.contains(collection) || self.waiting.contains(&(collection.into(), key.into()))
    }

    /// Whether the ops of these batches must not come together now: one of them must queue, and no more are taken in.
    pub fn queue_bars(&mut self, batches: &[BatchRow]) -> Stored<bool> {
        if self.queue_is_full() {
            for batch in batches {
                let items = self.transaction.staged_items_of(batch.key)?;
                self.transaction.add_work(items.len() * work::ENTRY);
                if items.iter().any(|(collection, key)| self.waits(collection, key)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether no more ops are taken in.
    pub fn queue_is_full(&self) -> bool {
        let (state, approval) = (self.transaction.state(), &self.rules.approval);
        // Where the approver was taken away there is no limit, and what comes behind the ops that still wait does too.
        let limited = !approval.collections.is_empty();
        limited && (state.queued >= approval.most_ops || state.queued_bytes >= approval.most_bytes)
    }

    /// Notes the items of the client's ops that wait.
    pub fn await_queue(&mut self) -> Stored<()> {
        if self.transaction.state().queued > 0 {
            for (collection, key) in self.transaction.queued_items(self.author.client)? {
                self.waiting.insert((collection.into(), key.into()));
            }
        }
        Ok(())
    }

    /// Puts ops at the end of the queue, to be decided together. Their refs are recorded.
    pub fn enqueue(&mut self, ops: Vec<Op>, batch: Option<BatchId>) -> Stored<()> {
        let mut queued = Vec::with_capacity(ops.len());
        for op in ops {
            self.waiting.insert((op.collection.clone().into(), op.key.clone().into()));
            let asks = self.rules.approval.collections.contains(&op.collection);
            queued.push(QueuedOp { op, asks });
        }
        let unit = UnitRow {
            key: UnitKey(0),
            client: self.author.client,
            batch,
            user: self.caller.user.clone(),
            tags: self.caller.tags.needed().map(<[String]>::to_vec),
            grant: self.caller.grant.clone(),
            at: self.now,
        };
        self.transaction.add_unit(&unit, &queued)?;
        Ok(())
    }

    /// Makes the unit of an op the present client's, which repeats it after another client of the user: the replica
    /// has a new client id, and what it sends from now on must be decided behind it. With it go the units of the other
    /// client that it is in one order with: their repeats may come in a later push, and must not be decided before.
    pub fn take_over_queued(&mut self, op: &Op) -> Stored<OpResult> {
        if let Some(unit) = self.transaction.unit_of(&op.op_ref)? {
            let (units, items) = self.transaction.tied_units(unit)?;
            self.transaction.add_work((units.len() + items.len()) * work::ENTRY);
            for unit in units {
                self.transaction.hand_over_unit(unit, self.author.client)?;
            }
            self.waiting.extend(items.into_iter().map(|(collection, key)| (collection.into(), key.into())));
        }
        Ok(result(op.op_ref, PushOutcome::Queued, None))
    }

    /// Whose the present op is to the policies.
    pub fn changer(&self) -> Author {
        if self.word == Word::Altered { APPROVER } else { self.author }
    }

    /// Commits ops that stand or fall together as the verdicts say, those without one as they are; or rejects them all.
    pub fn commit_together(
        &mut self,
        ops: &[Op],
        batch: Option<BatchId>,
        verdicts: &HashMap<Ref, Verdict>,
    ) -> Stored<Vec<OpResult>> {
        let mut faults: HashMap<Ref, Rejection> = HashMap::new();
        for op in ops {
            if let Some(Verdict::Rejected(why)) = verdicts.get(&op.op_ref) {
                faults.insert(op.op_ref, why.clone());
            }
        }
        let mut answers = Vec::with_capacity(ops.len());
        if faults.is_empty() {
            (self.shown, self.batch_began) = (0, self.transaction.work());
            let part = self.transaction.begin_part()?;
            let mut failed: HashSet<(&str, &str)> = HashSet::new();
            for op in ops {
                // What follows a faulty op on its item is not judged: it was made on top of it.
                if failed.contains(&(op.collection.as_str(), op.key.as_str())) {
                    continue;
                }
                let seq = self.transaction.next_seq()?;
                match self.commit_as(op, seq, batch, verdicts.get(&op.op_ref))? {
                    Ok(()) => answers.push(result(op.op_ref, PushOutcome::Accepted, Some(seq))),
                    Err(fault) => {
                        failed.insert((&op.collection, &op.key));
                        faults.insert(op.op_ref, fault);
                    }
                }
            }
            self.transaction.end_part(part, faults.is_empty())?;
        }
        if !faults.is_empty() {
            return self.reject_all(ops, batch, |op_ref| faults.remove(op_ref));
        }
        for answer in &answers {
            let seq = answer.seq.unwrap_or_default();
            self.transaction.settle_ref(&answer.op_ref, RefState::Accepted, seq, self.now)?;
        }
        Ok(answers)
    }

    fn commit_as(
        &mut self,
        op: &Op,
        seq: Seq,
        batch: Option<BatchId>,
        verdict: Option<&Verdict>,
    ) -> Stored<Result<(), Rejection>> {
        let Some(Verdict::Accepted { form, tags }) = verdict else {
            let proposal = Proposal::of(op).map_err(StorageError::corrupt)?;
            return self.apply(&proposal, seq, batch);
        };
        let form = form.as_deref().filter(|form| alters(op, form, &self.rules.limits));
        let change = form.unwrap_or(op).change().map_err(StorageError::corrupt)?;
        let base = form.and_then(|form| form.base).or(op.base);
        let (collection, key) = (op.collection.as_str(), op.key.as_str());
        let proposal = Proposal { op_ref: &op.op_ref, collection, key, change, base };
        // The tags of an item that is there are entries of their own, which stand together with this one.
        let there = !tags.is_empty() && self.head_of(op)?.is_some();
        let together = there.then(|| batch.unwrap_or_else(|| made_batch(&op.op_ref)));
        (self.word, self.added) = (if form.is_some() { Word::Altered } else { Word::Sender }, tags.clone());
        let applied = self.apply(&proposal, seq, together.or(batch))?;
        (self.word, self.added) = (Word::Tagging, Vec::new());
        let tagged = match applied {
            Ok(()) => self.tag_item(op, tags, together)?,
            refused => refused,
        };
        self.word = Word::Sender;
        Ok(tagged)
    }

    fn head_of(&mut self, op: &Op) -> Stored<Option<ItemHead>> {
        match self.transaction.find_collection(&op.collection)? {
            Some(collection) => self.transaction.item(collection, &op.key),
            None => Ok(None),
        }
    }

    // Adds to an item, if it is there, the tags that it does not have.
    fn tag_item(&mut self, op: &Op, tags: &[String], batch: Option<BatchId>) -> Stored<Result<(), Rejection>> {
        for tag in tags {
            let Some(head) = self.head_of(op)? else { return Ok(Ok(())) };
            if head.resources > 0 && self.transaction.tags(head.key)?.contains(tag) {
                continue;
            }
            let seq = self.transaction.next_seq()?;
            let op_ref = made_ref(&op.op_ref, tag, self.now);
            let row = RefRow { client: self.author.client, digest: 0, state: RefState::Accepted, seq, at: self.now };
            self.transaction.record_ref(&op_ref, &row)?;
            let change = Change::AddTag(tag);
            // A base that nothing is ahead of.
            let base = Some(Seq::MAX);
            let proposal = Proposal { op_ref: &op_ref, collection: &op.collection, key: &op.key, change, base };
            if let Err(refused) = self.apply(&proposal, seq, batch)? {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(()))
    }
}

// Names that no client makes, the same whenever the same verdict is carried out at the same time.
fn made_batch(op_ref: &Ref) -> BatchId {
    BatchId::from_random(digest::raw(op_ref.as_bytes()))
}

fn made_ref(op_ref: &Ref, tag: &str, now: u64) -> Ref {
    let name = digest::raw(&[op_ref.as_bytes().as_slice(), tag.as_bytes()].concat());
    let (time, counter) = (i64::try_from(now).unwrap_or(0) << 12, (name >> 64) as i64 & 0xfff);
    Ref::from_parts(time | counter, name as u64)
}

impl<T: Transaction> Push<'_, T> {
    /// Rejects ops that stand or fall together.
    pub fn reject_all(
        &mut self,
        ops: &[Op],
        batch: Option<BatchId>,
        mut fault: impl FnMut(&Ref) -> Option<Rejection>,
    ) -> Stored<Vec<OpResult>> {
        let mut answers = Vec::with_capacity(ops.len());
        let mut details = 0;
        for op in ops {
            self.transaction.add_work(work::OP);
            let mut why = fault(&op.op_ref).unwrap_or_else(not_at_fault);
            // They stand on one page of the inbox.
            details += why.detail.as_ref().map_or(0, |detail| detail.as_str().len());
            why.detail = why.detail.filter(|_| details <= self.rules.limits.batch);
            let seq = self.transaction.next_seq()?;
            self.record_rejection(&op.op_ref, seq, batch, &why)?;
            self.failed.insert((op.collection.clone().into(), op.key.clone().into()));
            answers.push(super::push::rejected(op.op_ref, Some(seq), why));
        }
        Ok(answers)
    }
}
