//! Committing or rejecting a unit as an approver's verdicts say.

use super::super::digest;
use super::super::examine::{Proposal, examine};
use super::super::policy::Author;
use super::super::push::{Push, result};
use super::{Verdict, Word};
use crate::storage::{ClientKey, ItemHead, RefRow, RefState, Rejection, StorageError, Stored, Transaction};
use std::collections::{HashMap, HashSet};
use syncstore::protocol::{BatchId, Change, Limits, Op, OpResult, PushOutcome, Ref, Seq};

// Whose an altered op is to the policies: no client has this key.
const APPROVER: Author = Author { client: ClientKey(0), since: 0 };

impl<T: Transaction> Push<'_, T> {
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
            let why = match verdicts.get(&op.op_ref) {
                Some(Verdict::Rejected(why)) => why.clone(),
                Some(Verdict::Unfit(why)) => self.told_of(op, why.clone())?,
                Some(Verdict::Accepted { .. }) | None => continue,
            };
            faults.insert(op.op_ref, why);
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

/// Whether an approver's form is another op than was sent.
fn alters(op: &Op, form: &Op, limits: &Limits) -> bool {
    examine(op, limits).0 != examine(form, limits).0
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
