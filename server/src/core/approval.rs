//! Ops that wait for an approver (◆11): which of them it may be asked for now, and what its answers make of them.
//!
//! The queue consists of units: an op by itself, or the ops of a batch. A unit waits for every earlier one of its client
//! that has an op on one of its items, so that ops on an item are decided in their client's order.

mod queue;
mod verdict;

use super::examine::{beyond, examine, rejection, shortened};
use super::push::Push;
use super::{Caller, MOST_TAGS, Rules, Tags};
use crate::storage::queued::{QueueLine, QueueSnapshot, QueuedOp, UnitKey, UnitRow};
use crate::storage::{ClientKey, Rejection, Stored, Transaction};
use std::collections::{BTreeSet, HashMap, HashSet};
use syncstore::protocol::{Code, Limits, Op, Ref, check_name};

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
    /// It may be committed, but as something that is beyond a limit: it is rejected, and told why as of any op that is.
    Unfit(Rejection),
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
    let refuses = |op_ref: &Ref| matches!(given.get(op_ref), Some(Verdict::Rejected(_) | Verdict::Unfit(_)));
    let refused = |queued: &QueuedOp| queued.asks && refuses(&queued.op.op_ref);
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

/// Whether an op may be committed in a form that an approver gave it, by itself; else what is wrong with it: `too_large` is a
/// word on the op, since the same approver would say the same again, and `invalid` is none.
pub fn check_form(op: &Op, form: &Op, limits: &Limits) -> Result<(), Rejection> {
    if (&form.collection, &form.key) != (&op.collection, &op.key) {
        return Err(rejection(Code::INVALID, "it is on another item"));
    }
    let alone = Op { batch: None, of: None, ..form.clone() };
    examine(&alone, limits).1.map_or(Ok(()), Err)
}

/// Whether an approver's tags may go on an item; else what is wrong with them, told apart like that of a form.
pub fn check_tags(tags: &[String], limits: &Limits) -> Result<(), Rejection> {
    if tags.len() > MOST_TAGS {
        let words = format!("there are {} tags; an item has at most {MOST_TAGS}", tags.len());
        return Err(rejection(Code::TOO_LARGE, words));
    }
    tags.iter().try_for_each(|tag| check_name("tag", tag, limits)).map_err(|error| beyond(&error))
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
