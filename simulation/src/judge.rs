//! Whether the server may answer a push as it did, and commit what it did.

use crate::oracle::{Lineage, apply};
use std::collections::{BTreeMap, HashMap, HashSet};
use syncstore::Ref;
use syncstore::protocol::{
    BatchId, ClientId, Code, Entry, Op, OpKind, OpResult, PushOutcome, PushRequest, PushResponse, Seq,
};

/// What the server said of a ref for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    Accepted(Seq),
    Rejected(Code, Option<Seq>),
}

#[derive(Debug, Default)]
pub struct Judge {
    decided: HashMap<Ref, Decided>,
    /// Who pushed a ref first, of those that were decided or staged.
    authors: HashMap<Ref, ClientId>,
    /// How many ops a batch has, and those that have come.
    batches: HashMap<BatchId, (u32, BTreeMap<Ref, OpKind>)>,
    /// Whether a batch was accepted.
    batch_decided: HashMap<BatchId, bool>,
    /// What the server answered, before its log could be read.
    pub answered: HashMap<Ref, Seq>,
    /// Every ref that ever came near the server.
    pub seen: HashSet<Ref>,
    /// Those of deletes: of a delete of nothing the log tells its sender alone.
    pub deletes: HashSet<Ref>,
}

impl Judge {
    /// Takes note of a push on its way to the server.
    pub fn see(&mut self, request: &PushRequest) {
        for op in &request.ops {
            self.seen.insert(op.op_ref);
            if op.kind == OpKind::Delete {
                self.deletes.insert(op.op_ref);
            }
            self.authors.entry(op.op_ref).or_insert(request.client);
            if let (Some(batch), Some(of)) = (op.batch, op.of) {
                self.batches.entry(batch).or_insert((of, BTreeMap::new())).1.insert(op.op_ref, op.kind);
                // A batch that is not complete goes over, whole, to the client id under which its user repeats it.
                if !self.batch_decided.contains_key(&batch) {
                    let members = self.batches.get(&batch).into_iter().flat_map(|(_, ops)| ops.keys());
                    self.authors.extend(members.map(|member| (*member, request.client)));
                }
            }
        }
    }

    /// Takes note of an answer.
    pub fn hear(&mut self, response: &PushResponse) {
        let accepted = response.results.iter().filter(|result| result.outcome == PushOutcome::Accepted);
        self.answered.extend(accepted.filter_map(|result| Some((result.op_ref, result.seq?))));
    }

    /// Forgets what a restored server forgot.
    pub fn rewind(&mut self, restored: Seq) {
        self.decided.retain(|_, decided| match decided {
            Decided::Accepted(seq) | Decided::Rejected(_, Some(seq)) => *seq <= restored,
            Decided::Rejected(_, None) => false,
        });
        self.batch_decided.clear();
        let decided = &self.decided;
        self.authors.retain(|op_ref, _| decided.contains_key(op_ref));
    }

    /// What the server said of a ref in the present life of its log.
    pub fn decided(&self, op_ref: &Ref) -> Option<&Decided> {
        self.decided.get(op_ref)
    }

    /// A page of the log: batches are whole, and their entries stand together (section 4).
    pub fn read(&mut self, entries: &[Entry]) {
        let batches: HashSet<BatchId> = entries.iter().filter_map(|entry| entry.batch).collect();
        for batch in batches {
            let is_of = |entry: &Entry| entry.batch == Some(batch);
            let first = entries.iter().position(is_of).unwrap_or(0);
            let last = entries.iter().rposition(is_of).unwrap_or(0);
            let strangers = entries[first..=last].iter().filter(|entry| !is_of(entry)).count();
            assert_eq!(strangers, 0, "something stands between the entries of batch {batch}");
            let (of, ops) = self.batches.get(&batch).unwrap_or_else(|| panic!("nobody made batch {batch}"));
            assert_eq!(ops.len(), *of as usize, "batch {batch} is in the log, and its operations had not all come");
            for (op_ref, kind) in ops {
                // A delete of nothing has a place in the log that its sender alone is told of.
                let there = entries[first..=last].iter().any(|entry| entry.op_ref == *op_ref);
                assert!(there || *kind == OpKind::Delete, "batch {batch} is in the log without its {op_ref}");
            }
        }
    }

    /// The answer of a push, after the log was read; `head` is where the log ended before.
    pub fn judge(&mut self, lineage: &Lineage, head: Seq, request: &PushRequest, response: &PushResponse) {
        assert_eq!(request.ops.len(), response.results.len(), "a push has as many results as operations");
        let mut failed: HashSet<(&str, &str)> = HashSet::new();
        for (op, result) in request.ops.iter().zip(&response.results) {
            assert_eq!(op.op_ref, result.op_ref, "results come in the order of the operations");
            let item = (op.collection.as_str(), op.key.as_str());
            let known = self.decided.get(&op.op_ref).cloned();
            match result.outcome {
                PushOutcome::Accepted => {
                    let seq = result.seq.expect("an accepted result has a seq");
                    if known.is_none() && op.batch.is_none() {
                        assert!(
                            !failed.contains(&item),
                            "{} was taken though an operation before it on {item:?} was not (section 3, skipped)",
                            op.op_ref
                        );
                    }
                    self.decide(op, Decided::Accepted(seq), known);
                    self.accepted(lineage, op, seq, seq > head);
                }
                PushOutcome::Rejected => {
                    failed.insert(item);
                    let code = result.code.clone().expect("a rejected result has a code");
                    if code != Code::EXPIRED && code != Code::REF_REUSED {
                        self.decide(op, Decided::Rejected(code.clone(), result.seq), known);
                    } else {
                        assert_eq!(result.seq, None, "what is not recorded has no seq");
                    }
                    self.rejected(lineage, op, result, &code);
                }
                PushOutcome::Skipped => {
                    assert!(known.is_none(), "{} was decided before and is skipped now", op.op_ref);
                    // Nothing is recorded: another copy of the file may be the one that has it decided.
                    self.authors.remove(&op.op_ref);
                }
                PushOutcome::Staged => {
                    assert!(op.batch.is_some(), "{} is in no batch and staged", op.op_ref);
                    assert!(known.is_none(), "{} was decided before and is staged now", op.op_ref);
                }
                PushOutcome::Queued => panic!("nobody approves here: {result:?}"),
            }
        }
    }

    fn decide(&mut self, op: &Op, now: Decided, known: Option<Decided>) {
        if let Some(batch) = op.batch {
            let accepted = matches!(now, Decided::Accepted(_));
            let other = *self.batch_decided.entry(batch).or_insert(accepted);
            assert_eq!(other, accepted, "batch {batch} was taken in part: {} is {now:?}", op.op_ref);
        }
        if let Some(known) = known {
            assert_eq!(known, now, "{} was decided twice", op.op_ref);
        }
        self.decided.insert(op.op_ref, now);
    }

    fn accepted(&self, lineage: &Lineage, op: &Op, seq: Seq, new: bool) {
        let op_ref = op.op_ref;
        let Some(logged) = lineage.log.get(&seq).filter(|logged| logged.op_ref == op_ref) else {
            let item = (op.collection.clone(), op.key.clone());
            assert!(op.kind == OpKind::Delete, "{op_ref} was accepted at {seq}, where the log does not have it");
            assert!(lineage.at(&item, seq).is_none(), "{op_ref} deleted {item:?} at {seq}, and the log says nothing");
            return;
        };
        assert_eq!((&*logged.item.0, &*logged.item.1), (&*op.collection, &*op.key), "{op_ref} went to another item");
        if op.collection == "merged" {
            return;
        }
        assert_eq!(logged.kind, op.kind, "{op_ref} became another kind of operation");
        let sent = op.value.as_ref().or(op.patch.as_ref()).map(|json| json.to_value().expect("JSON"));
        assert_eq!(logged.payload.as_deref(), sent.as_ref(), "{op_ref} was committed with another payload");
        if new && op.collection == "careful" && op.kind != OpKind::Delete {
            self.not_behind(lineage, op, seq);
        }
    }

    /// What a collection that rejects stale operations accepts was made on top of everything that others did.
    fn not_behind(&self, lineage: &Lineage, op: &Op, seq: Seq) {
        let item = (op.collection.clone(), op.key.clone());
        let before = lineage.at(&item, seq - 1);
        let Some(base) = op.base else {
            assert!(before.is_none(), "{} claims no base, {item:?} is there, and it was accepted", op.op_ref);
            return;
        };
        let known = base == 0 || lineage.log.get(&base).is_some_and(|logged| logged.item == item);
        assert!(known, "{} was made on rev {base} of {item:?}, which this log never had", op.op_ref);
        let author = self.authors.get(&op.op_ref);
        for (at, logged) in lineage.present_life(&item, base, seq) {
            assert_eq!(
                self.authors.get(&logged.op_ref),
                author,
                "{} was made on rev {base}; {} by another client stands at {at}, and it was accepted",
                op.op_ref,
                logged.op_ref
            );
        }
    }

    fn rejected(&self, lineage: &Lineage, op: &Op, result: &OpResult, code: &Code) {
        let item = (op.collection.clone(), op.key.clone());
        assert!(!result.message.as_deref().unwrap_or_default().is_empty(), "a rejection says why: {result:?}");
        // A rejection without a seq, and one of a batch, were decided at a moment that is not known here.
        let Some(seq) = result.seq.filter(|_| op.batch.is_none()) else { return };
        assert!(!lineage.accepted.contains_key(&op.op_ref), "{} is rejected, and in the log", op.op_ref);
        let before = lineage.at(&item, seq.saturating_sub(1));
        if *code == Code::NOT_FOUND {
            assert!(op.kind == OpKind::Patch, "{} needs no item, and found none", op.op_ref);
            assert!(before.is_none(), "{} did not find {item:?}, which is there", op.op_ref);
        } else if *code == Code::PATCH_FAILED && op.collection != "merged" {
            let (value, _) = before.expect("a patch that failed had something to patch");
            let patch = op.patch.as_ref().expect("a patch that failed").to_value().expect("JSON");
            assert!(apply(value, &patch).is_err(), "{} applies, and was rejected", op.op_ref);
        } else if *code == Code::STALE {
            assert!(op.collection != "open", "{} is stale where nothing is", op.op_ref);
        }
    }
}
