//! Whether the server may answer a push as it did, and commit what it did.

use crate::oracle::{Item, Lineage, content_of};
use crate::plan::Plan;
use crate::refusals::Arrivals;
use crate::rights::Rights;
use std::collections::{BTreeSet, HashMap, HashSet};
use syncstore::protocol::{
    BatchId, ClientId, Code, Entry, EntryOutcome, Op, OpKind, PushOutcome, PushRequest, PushResponse, Seq,
};
use syncstore::{Ref, ResourceName};

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
    /// Who ever pushed a ref.
    senders: HashMap<Ref, HashSet<ClientId>>,
    /// How many ops a batch has, and those that have come.
    batches: HashMap<BatchId, (u32, BTreeSet<Ref>)>,
    /// Whether a batch was accepted.
    batch_decided: HashMap<BatchId, bool>,
    /// What the server answered, before its log could be read.
    pub answered: HashMap<Ref, Seq>,
    /// Every refusal that a server has told, in an answer or a page, of whichever life of its log.
    refused: HashMap<Ref, HashSet<(Code, Option<Seq>)>>,
    /// Every ref that ever came near the server.
    pub seen: HashSet<Ref>,
    /// What may be without effect, of which the log tells its sender alone: what it is on, and whether only where there
    /// is nothing.
    ///
    /// Copies of a file may send different ops under one ref.
    pub silent: HashMap<Ref, BTreeSet<(ResourceName, bool)>>,
    pub arrivals: Arrivals,
}

impl Judge {
    pub fn new(plan: &Plan) -> Judge {
        Judge { arrivals: Arrivals::new(plan), ..Judge::default() }
    }

    /// Takes note of a push on its way to the server; `now` is the server's clock.
    pub fn see(&mut self, request: &PushRequest, now: u64) {
        self.arrivals.see(request, now);
        for op in &request.ops {
            self.seen.insert(op.op_ref);
            self.senders.entry(op.op_ref).or_default().insert(request.client);
            if let Some(silent) = silent(op) {
                self.silent.entry(op.op_ref).or_default().insert(silent);
            }
            self.authors.entry(op.op_ref).or_insert(request.client);
            if let (Some(batch), Some(of)) = (op.batch, op.of) {
                self.batches.entry(batch).or_insert((of, BTreeSet::new())).1.insert(op.op_ref);
                // A batch that is not complete goes over, whole, to the client id under which its user repeats it.
                if !self.batch_decided.contains_key(&batch) {
                    let members = self.batches.get(&batch).into_iter().flat_map(|(_, ops)| ops);
                    self.authors.extend(members.map(|member| (*member, request.client)));
                }
            }
        }
    }

    /// Takes note of an answer.
    pub fn hear(&mut self, response: &PushResponse) {
        let accepted = response.results.iter().filter(|result| result.outcome == PushOutcome::Accepted);
        self.answered.extend(accepted.filter_map(|result| Some((result.op_ref, result.seq?))));
        for result in response.results.iter().filter(|result| result.outcome == PushOutcome::Rejected) {
            let code = result.code.clone().expect("a rejected result has a code");
            self.refused.entry(result.op_ref).or_default().insert((code, result.seq));
        }
    }

    /// Takes note of a page of somebody's inbox: a refusal is told to its sender alone.
    pub fn hear_page(&mut self, entries: &[Entry]) {
        for entry in entries.iter().filter(|entry| entry.outcome == EntryOutcome::Rejected) {
            let code = entry.code.clone().expect("a rejected entry has a code");
            self.arrivals.told(&entry.op_ref, &code);
            self.refused.entry(entry.op_ref).or_default().insert((code, Some(entry.seq)));
        }
    }

    /// Whether a server ever said that it refuses a ref so.
    pub fn has_refused(&self, op_ref: &Ref, refusal: &(Code, Option<Seq>)) -> bool {
        self.refused.get(op_ref).is_some_and(|refusals| refusals.contains(refusal))
    }

    /// Forgets what a restored server forgot.
    pub fn rewind(&mut self, restored: Seq) {
        self.decided.retain(|_, decided| match decided {
            Decided::Accepted(seq) | Decided::Rejected(_, Some(seq)) => *seq <= restored,
            Decided::Rejected(_, None) => false,
        });
        self.batch_decided.clear();
        self.arrivals.rewind();
        let decided = &self.decided;
        self.authors.retain(|op_ref, _| decided.contains_key(op_ref));
    }

    /// Whether a client ever pushed a ref.
    pub fn sent_by(&self, op_ref: &Ref, client: &ClientId) -> bool {
        self.senders.get(op_ref).is_some_and(|senders| senders.contains(client))
    }

    /// Who ever pushed a ref.
    pub fn senders(&self, op_ref: &Ref) -> impl Iterator<Item = &ClientId> {
        self.senders.get(op_ref).into_iter().flatten()
    }

    /// Whether a client pushed a ref; `None`: it did, and so did another, as only copies of a file do.
    pub fn made_by(&self, op_ref: &Ref, client: &ClientId) -> Option<bool> {
        let sent = self.sent_by(op_ref, client);
        (!sent || self.senders(op_ref).count() == 1).then_some(sent)
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
            for op_ref in ops {
                // What had no effect has a place in the log that its sender alone is told of.
                let there = entries[first..=last].iter().any(|entry| entry.op_ref == *op_ref);
                assert!(there || self.silent.contains_key(op_ref), "batch {batch} is in the log without its {op_ref}");
            }
        }
    }

    /// The answer of a push, after the log was read; `head` is where the log ended before.
    pub fn judge(
        &mut self,
        lineage: &Lineage,
        head: Seq,
        rights: &Rights,
        request: &PushRequest,
        response: &PushResponse,
    ) {
        assert_eq!(request.ops.len(), response.results.len(), "a push has as many results as operations");
        let mut failed: HashSet<(&str, &str)> = HashSet::new();
        for (op, result) in request.ops.iter().zip(&response.results) {
            assert_eq!(op.op_ref, result.op_ref, "results come in the order of the operations");
            let item = (op.collection.as_str(), op.key.as_str());
            let known = self.decided.get(&op.op_ref).cloned();
            match result.outcome {
                PushOutcome::Accepted => {
                    let seq = result.seq.expect("an accepted result has a seq");
                    // One at or below the head was taken before, and only its answer was never heard.
                    if known.is_none() && op.batch.is_none() && seq > head {
                        assert!(
                            !failed.contains(&item),
                            "{} was taken though an operation before it on {item:?} was not (section 3, skipped)",
                            op.op_ref
                        );
                    }
                    self.decide(op, Decided::Accepted(seq), known);
                    if seq > head {
                        judge_rights(lineage, rights, op, seq);
                        self.not_ended(lineage, (&request.client, op), seq);
                    }
                    self.accepted(lineage, (&request.client, op), seq, seq > head);
                }
                PushOutcome::Rejected => {
                    failed.insert(item);
                    let code = result.code.clone().expect("a rejected result has a code");
                    if code != Code::EXPIRED && code != Code::REF_REUSED {
                        self.decide(op, Decided::Rejected(code.clone(), result.seq), known);
                    } else {
                        assert_eq!(result.seq, None, "what is not recorded has no seq");
                        self.unrecorded(op, &code, known.as_ref());
                    }
                    self.arrivals.refused(&op.op_ref, op.batch, &code);
                    if result.seq.is_none_or(|seq| seq > head) {
                        self.rejected(lineage, rights, (&request.client, op), result, &code);
                    }
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

    fn accepted(&self, lineage: &Lineage, (client, op): (&ClientId, &Op), seq: Seq, new: bool) {
        let merges = op.collection == "merged";
        let op_ref = op.op_ref;
        let resource = op.resource().expect("a replica sends what is well formed").to_name();
        let item = item_of(op);
        let Some(logged) = lineage.log.get(&seq).filter(|logged| logged.op_ref == op_ref) else {
            let silent = silent(op);
            assert!(silent.is_some(), "{op_ref} was accepted at {seq}, where the log does not have it");
            let had = has(lineage, &item, &resource, seq);
            let only_nothing = silent.is_some_and(|(_, only_nothing)| only_nothing);
            assert!(
                !(had && only_nothing),
                "{op_ref} deleted {resource:?} of {item:?} at {seq}, and the log says nothing"
            );
            if new && merges && resource != ResourceName::Value {
                self.kept(lineage, (client, op), &resource, seq);
            }
            return;
        };
        assert_eq!(logged.item, item, "{op_ref} went to another item");
        assert_eq!(logged.resource, resource, "{op_ref} went to another part of {item:?}");
        assert_eq!(logged.kind, op.kind, "{op_ref} became another kind of operation");
        let sent = op.value.as_ref().or(op.patch.as_ref()).map(|json| json.to_value().expect("JSON"));
        let payload = logged.payload.as_deref();
        match (new, resource) {
            _ if !merges => assert_eq!(payload, sent.as_ref(), "{op_ref} was committed with another payload"),
            (true, ResourceName::Value) => {
                let mergers = self.mergers(lineage, (client, op), seq);
                let one = |mergers: Vec<_>| mergers.iter().any(|merger| Some(merger) == payload);
                assert!(
                    mergers.clone().is_none_or(one),
                    "{op_ref} was committed as {payload:?}, and not as {mergers:?}"
                );
            }
            (true, resource) => self.not_merged(lineage, op, &resource, seq),
            (false, _) => {}
        }
        let content = op.change().ok().and_then(|change| content_of(&change));
        assert_eq!(logged.content, content, "{op_ref} was committed with another payload");
        if new && op.collection == "careful" && op.kind != OpKind::Delete {
            self.not_behind(lineage, op, seq);
        }
    }

    /// What a collection that merges lets change an index entry, a relation or a tag, nobody else has changed since.
    fn not_merged(&self, lineage: &Lineage, op: &Op, resource: &ResourceName, seq: Seq) {
        let Some(base) = op.base else { return };
        let author = self.authors.get(&op.op_ref);
        for (at, logged) in lineage.present_life(&item_of(op), base, seq) {
            let other = logged.resource == *resource && self.authors.get(&logged.op_ref) != author;
            assert!(!other, "{} was made on rev {base}; {at} of another changed {resource:?}, and lost", op.op_ref);
        }
    }

    /// What a collection that rejects stale operations accepts was made on top of everything that others did.
    fn not_behind(&self, lineage: &Lineage, op: &Op, seq: Seq) {
        let item = item_of(op);
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

    /// What makes an item again claims none, or was made on top of the end of the one before, unless its sender ended it (◆5).
    fn not_ended(&self, lineage: &Lineage, (client, op): (&ClientId, &Op), seq: Seq) {
        let (op_ref, item) = (&op.op_ref, item_of(op));
        let makes = op.kind == OpKind::Set && lineage.at(&item, seq - 1).is_none() && op.collection != "open";
        let Some(base) = op.base.filter(|base| *base > 0 && makes) else { return };
        let ended = lineage.ended(&item, seq);
        let (end, logged) = ended.unwrap_or_else(|| panic!("{op_ref} was made on rev {base}, and {item:?} never was"));
        if self.arrivals.is_base_known(op) && self.made_by(&logged.op_ref, client) == Some(false) {
            assert!(
                end <= base,
                "{op_ref} was made on rev {base}, another ended {item:?} at {end}, and it was accepted"
            );
        }
    }
}

pub fn item_of(op: &Op) -> Item {
    (op.collection.clone(), op.key.clone())
}

/// Whether an item had this right after `seq`.
pub fn has(lineage: &Lineage, item: &Item, resource: &ResourceName, seq: Seq) -> bool {
    let whole = lineage.at(item, seq).map(|(whole, _)| whole);
    whole.is_some_and(|whole| *resource == ResourceName::Value || whole.resources.contains_key(resource))
}

/// What an op is on that may be accepted without effect, and whether only where there is nothing to delete: others than
/// the value are merged by keeping the server's.
fn silent(op: &Op) -> Option<(ResourceName, bool)> {
    let resource = op.resource().ok()?.to_name();
    let merged = op.collection == "merged" && resource != ResourceName::Value;
    (merged || op.kind == OpKind::Delete).then_some((resource, !merged))
}

/// Whether the sender of a new op had the right to it (◆4).
fn judge_rights(lineage: &Lineage, rights: &Rights, op: &Op, seq: Seq) {
    let item = item_of(op);
    let whole = |seq| lineage.at(&item, seq).map(|(whole, _)| whole);
    let resource = op.resource().expect("a replica sends what is well formed");
    match (whole(seq - 1), whole(seq)) {
        (Some(before), _) => {
            let sees = rights.sight.sees(before);
            assert!(sees, "{} was accepted on {item:?}, which {rights:?} does not see", op.op_ref);
            let owns = !matches!(resource, syncstore::protocol::Resource::Tag(tag) if !rights.sight.owns(tag));
            assert!(owns, "{} of {rights:?} was accepted on {resource:?}", op.op_ref);
        }
        (None, Some(after)) => {
            let granted = rights.grant.iter().copied().eq(after.tags());
            assert!(granted, "{} of {rights:?} made {item:?} with {:?}", op.op_ref, after.resources);
        }
        (None, None) => {}
    }
}
