//! What became of every operation of a device, against what its host was told and what the server's log says.

use crate::correction;
use crate::device::Device;
use crate::judge::{Decided, Judge, has};
use crate::oracle::{Item, Lineage, is_lost};
use crate::server::Server;
use crate::told::{Fate, Op, Told};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use syncstore::protocol::{Code, Seq};
use syncstore::{Durability, Outcome, Ref, RejectedOp, Store};

impl Device {
    /// What a host finds that opens the replica after a stop.
    pub fn check_after_stop(&self, server: &Server) {
        let Some(process) = self.process(0) else { return };
        if self.is_stopped() {
            // It opened, and stopped with its last calls: the next start finds what is lost.
            return;
        }
        let Some(stopped) = self.stops().opened() else { return };
        // What was lost can be told now, and not later.
        self.disk.heal();
        // Of what was answered nothing; but what a killed process was writing may be found after the kill, and be lost
        // for it was never synced.
        let full = self.plan.durability == Durability::Full;
        let mut told = self.told();
        let lost = stopped.lost_power && (!full || stopped.found_unsynced);
        if lost {
            // What was settled may be unsettled again, and is settled in the same way later.
            told.ops.values_mut().for_each(Op::reopen);
            let seen = |op_ref: &Ref| server.with_history(|_, judge| judge.seen.contains(op_ref));
            let mut first_lost: Option<Ref> = None;
            let mut lost = Vec::new();
            for (op_ref, op) in &told.ops {
                let Some(outcome) = self.read(|| process.store.outcome(*op_ref)) else { return };
                let kept = outcome.is_some();
                if kept {
                    assert!(first_lost.is_none(), "{op_ref} was kept, and {first_lost:?} before it was not");
                } else {
                    // Another copy of the file may have sent it.
                    let sent = seen(op_ref) && !self.shares_file();
                    assert!(!sent, "{op_ref} was sent, and the power loss took it");
                    assert!(!full || op.found, "{op_ref} was answered, and the power loss took it");
                    first_lost.get_or_insert(*op_ref);
                    lost.push(*op_ref);
                }
            }
            for op_ref in lost {
                told.ops.remove(&op_ref);
            }
            let Told { notices, conflicts, .. } = &mut *told;
            if !self.check_conflicts(&process.store, conflicts, true) {
                return;
            }
            self.check_notices(&process.store, notices, true);
            let Some(rejections) = self.read(|| process.store.rejections()) else { return };
            for op in rejections {
                // That it was let go may be lost, too.
                told.ops.get_mut(&op.op_ref).into_iter().for_each(|op| op.discarded = false);
            }
        }
        drop(told);
        self.check_keep(&process.store, lost);
        if self.check_outcomes(server, false) {
            self.told().end_cut_off();
        }
        self.check_report(&process.store);
    }

    /// Whether every operation has an outcome, the same as before, and the one that the server gave it; `false`: not all could be read.
    pub fn check_outcomes(&self, server: &Server, settled: bool) -> bool {
        let Some(process) = self.process(0) else { return false };
        self.pump_all(server);
        let told = &mut *self.told();
        let Some(pending) = self.read(|| process.store.pending()) else { return false };
        let Some(rejections) = self.read(|| process.store.rejections()) else { return false };
        let rejections: BTreeMap<Ref, RejectedOp> = rejections.into_iter().map(|op| (op.op_ref, op)).collect();
        if !self.check_conflicts(&process.store, &mut told.conflicts, false) {
            return false;
        }
        self.check_notices(&process.store, &mut told.notices, false);
        let checkpoints = self.checkpoints.load(Ordering::Relaxed);
        told.adopt(&self.name, &pending, self.plan.coalescing, checkpoints);
        self.check_places(server, &process.store, told);
        let name = &self.name;
        let items: BTreeMap<Ref, Item> = told.ops.iter().map(|(op_ref, op)| (*op_ref, op.item.clone())).collect();
        let waiting: BTreeSet<Ref> = pending.iter().map(|op| op.op_ref).collect();
        for (op_ref, op) in &mut told.ops {
            let Some(outcome) = self.read(|| process.store.outcome(*op_ref)) else { return false };
            let outcome = outcome.unwrap_or_else(|| panic!("{name}: {op_ref} was stored, and is forgotten"));
            let fate = match outcome {
                Outcome::Queued | Outcome::InFlight => {
                    assert!(!settled, "{name}: {op_ref} is not settled: {outcome:?}");
                    // What was only answered is asked again when the replica is loaded anew; what was settled, never.
                    assert!(!op.settled, "{name}: {op_ref} was {:?} and is open again", op.fate);
                    continue;
                }
                Outcome::Accepted { seq } => Fate::Accepted(seq),
                Outcome::Rejected(why) => Fate::Rejected(why.code, why.seq),
                Outcome::FoldedInto(into) => Fate::Folded(into),
                Outcome::Undone { seq } => Fate::Undone(seq),
                Outcome::RetriedAs(new) => Fate::Retried(new),
                Outcome::Withdrawn(instead) => Fate::Withdrawn(instead),
                other => panic!("{name}: {op_ref} has the outcome {other:?}"),
            };
            let settles = !op.settled && !waiting.contains(op_ref);
            if settles && self.listens() && !matches!(fate, Fate::Folded(_) | Fate::Undone(_)) {
                let heard = self.heard();
                assert!(
                    heard.deaf || heard.settled.contains(op_ref),
                    "{name}: nobody was told that {op_ref} is {fate:?}"
                );
            }
            let was_settled = op.settled;
            op.settled |= settles;
            if let (Fate::Rejected(code, seq), true) = (&fate, op.settled) {
                op.refusal = Some((code.clone(), *seq));
                let listed = rejections.contains_key(op_ref);
                assert!(listed || op.discarded, "{name}: {op_ref} was rejected ({code}), and is not listed");
            }
            if op.fate.as_ref() == Some(&fate) {
                if settled {
                    server.with_history(|lineages, judge| self.check_fate(op_ref, op, &fate, lineages, judge, true));
                }
                continue;
            }
            let corrected = server.with_history(|lineages, _| correction::may_become(op, was_settled, &fate, lineages));
            assert!(corrected, "{name}: {op_ref} was {:?} and is now {fate:?}", op.fate);
            let lost = |before: &Fate| {
                let seq = before.place();
                server.with_history(|lineages, _| seq.is_some_and(|seq| is_lost(lineages, seq)))
            };
            if let Some(before) = op.before.as_ref().filter(|before| !lost(before) && !self.shares_file()) {
                // What the power loss took back was told by the server, or made by the host.
                let late = matches!(&fate, Fate::Rejected(code, None) if *code == Code::EXPIRED);
                let local =
                    matches!(before, Fate::Undone(_) | Fate::Rejected(_, None) | Fate::Retried(_) | Fate::Withdrawn(_));
                let again = matches!(fate, Fate::Retried(_));
                let between = matches!(&fate, Fate::Rejected(code, seq) if op.is_given_up((code, *seq)));
                assert!(
                    *before == fate || late || local || again || between,
                    "{name}: {op_ref} was {before:?} before the power loss"
                );
            }
            if let Fate::Folded(into) = &fate {
                let same = into < op_ref && items.get(into).is_none_or(|item| *item == op.item);
                assert!(same, "{name}: {op_ref} became part of {into}");
                self.check_leads(&process.store, op_ref, *into);
            } else {
                server.with_history(|lineages, judge| self.check_fate(op_ref, op, &fate, lineages, judge, settled));
            }
            if let Fate::Retried(new) | Fate::Withdrawn(Some(new)) = fate {
                let same = new > *op_ref && items.get(&new).is_none_or(|item| *item == op.item);
                assert!(same, "{name}: {op_ref} leads to {new}");
                self.check_leads(&process.store, op_ref, new);
            }
            op.fate = Some(fate);
        }
        self.heard().deaf = false;
        true
    }

    /// What an operation leads to is known.
    fn check_leads(&self, store: &Store, op_ref: &Ref, to: Ref) {
        let Some(outcome) = self.read(|| store.outcome(to)) else { return };
        assert!(outcome.is_some(), "{}: {op_ref} leads to {to}, which is unknown", self.name);
    }

    /// An operation waits for as long as its entry is above the replica's position, and no longer.
    fn check_places(&self, server: &Server, store: &Store, told: &Told) {
        let read = || Ok((store.pending()?, store.position()?, store.bootstrap_progress()?));
        let Some((pending, position, bootstrap)) = self.read(read) else { return };
        if self.shares_file() {
            return;
        }
        for (op_ref, op) in &told.ops {
            let waits = pending.iter().any(|pending| pending.op_ref == *op_ref);
            let name = &self.name;
            if waits && bootstrap.is_none() {
                // One that the server merged, and whose answer was lost, waits for the answer of its repetition; so does
                // one whose repetition into a new checkpoint waits behind a rejected one.
                let loaded = op.loaded || self.checkpoints.load(Ordering::Relaxed) > op.checkpoints;
                let repeats = op.item.0 == "merged" || loaded;
                let late = server.with_history(|lineages, _| {
                    let mut held = lineages.iter().filter(|lineage| lineage.may_hold(position)).peekable();
                    let has = |lineage: &Lineage| lineage.accepted.get(op_ref).is_some_and(|at| *at <= position);
                    held.peek().is_some() && held.all(has)
                });
                assert!(!late || repeats, "{name}: {op_ref} is in the log, below {position}, and still waits");
            } else if let (false, Some(Fate::Accepted(seq))) = (waits, &op.fate) {
                let lost = server.with_history(|lineages, _| is_lost(lineages, *seq));
                let there = *seq <= position || lost;
                assert!(there, "{name}: {op_ref} waits no more for {seq}, and the replica is at {position}");
            }
        }
    }

    /// `last`: what is said must be so in the present life of the log, not in any.
    fn check_fate(&self, op_ref: &Ref, op: &Op, fate: &Fate, lineages: &[Lineage], judge: &Judge, last: bool) {
        let name = &self.name;
        let present = lineages.last().expect("there is always one");
        let logs = |lineage: &Lineage, seq: Seq| match lineage.accepted.get(op_ref) {
            Some(at) => *at == seq,
            // Of what had no effect the log tells its sender alone.
            None => {
                let free = !lineage.log.contains_key(&seq) && lineage.may_hold(seq);
                let mut silent = judge.silent.get(op_ref).into_iter().flatten();
                free && silent.any(|(resource, only_nothing)| !only_nothing || !has(lineage, &op.item, resource, seq))
            }
        };
        let was_accepted =
            |seq: Seq| lineages.iter().any(|lineage| logs(lineage, seq)) || judge.answered.get(op_ref) == Some(&seq);
        let lost = |seq: Seq| is_lost(lineages, seq);
        match fate {
            Fate::Accepted(seq) => {
                let said = if last { logs(present, *seq) } else { was_accepted(*seq) };
                assert!(said, "{name}: {op_ref} is said to be accepted at {seq}, and the log does not have it there");
            }
            Fate::Rejected(code, seq) => {
                if let (Some(seq), true) = (seq, last)
                    && !lost(*seq)
                {
                    let decided = judge.decided(op_ref);
                    let same = decided == Some(&Decided::Rejected(code.clone(), Some(*seq)));
                    assert!(same || decided.is_none(), "{name}: {op_ref} is {fate:?}; the server said {decided:?}");
                }
                let expected = *code == Code::NOT_FOUND
                    || *code == Code::PATCH_FAILED
                    || *code == Code::STALE
                    || *code == Code::FORBIDDEN && self.plan.several_rights
                    || *code == Code::BATCH_FAILED
                    || *code == Code::EXPIRED && self.plan.forgets_refs()
                    || *code == Code::REF_REUSED && self.shares_file()
                    // What a batch is let go with, too.
                    || (*code == Code::INVALID || *code == Code::TOO_LARGE) && seq.is_some() && !op.given_up.is_empty()
                    || op.is_given_up((code, *seq));
                assert!(expected, "{name}: {op_ref} was rejected as {code}");
                let said = op.is_given_up((code, *seq)) || judge.has_refused(op_ref, &(code.clone(), *seq));
                assert!(said, "{name}: {op_ref} is {fate:?}, and no server ever said so");
                // What another copy of the file has pulled past is forgotten, and cannot be told again; nor can what was
                // taken before a checkpoint that its sender takes longer to load than the server keeps outcomes.
                // And one that the server merged waits for the answer of its repetition, however late that comes.
                let late = op.loaded || op.item.0 == "merged";
                let forgotten = *code == Code::EXPIRED && (late || self.shares_file());
                // What has its ref in the log is another operation, of another copy of the file.
                // Nor can what was taken before its repetition was refused, unless the log is yet to be read there.
                let loaded = late || self.checkpoints.load(Ordering::Relaxed) > op.checkpoints;
                let given_up = op.is_given_up((code, *seq)) && (loaded || self.shares_file());
                let unknown = forgotten || given_up || *code == Code::REF_REUSED;
                // What a restored server has lost may come again, behind the checkpoint that its sender loads.
                let again = seq.map_or(lineages.len() > 1, lost);
                if last && !unknown && !again {
                    assert!(!present.accepted.contains_key(op_ref), "{name}: {op_ref} is {fate:?}, and in the log");
                }
            }
            Fate::Undone(seq) => {
                assert!(was_accepted(*seq), "{name}: {op_ref} is undone, and was never accepted at {seq}");
                assert!(lost(*seq), "{name}: {op_ref} is undone, and no server has lost its place {seq}");
            }
            Fate::Folded(_) => {}
            Fate::Withdrawn(_) => {
                let sent = judge.seen.contains(op_ref) && !self.shares_file();
                assert!(!sent, "{name}: {op_ref} was sent, and is said to have been taken back before");
            }
            Fate::Retried(new) => {
                if let Some(refusal) = op.refusal.as_ref().filter(|(code, _)| *code != Code::UNDONE) {
                    let said = op.is_given_up((&refusal.0, refusal.1)) || judge.has_refused(op_ref, refusal);
                    assert!(said, "{name}: {op_ref} became {new} for {refusal:?}, and no server ever said so");
                }
                let late =
                    matches!(&op.refusal, Some((code, None)) if *code == Code::EXPIRED || *code == Code::REF_REUSED);
                let late = late || op.refusal.as_ref().is_some_and(|(code, seq)| op.is_given_up((code, *seq)));
                let place = op.refusal.as_ref().and_then(|(_, seq)| *seq);
                let again = place.map_or(lineages.len() > 1, lost);
                if last && !late && !again && !self.shares_file() {
                    assert!(!present.accepted.contains_key(op_ref), "{name}: {op_ref} became {new}, and is in the log");
                }
            }
        }
    }
}
