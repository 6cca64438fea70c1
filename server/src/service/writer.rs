//! The one who writes: pushes in groups, one transaction each; pruning in between.

use super::approval::{Asking, Bell};
use super::presence::Presence;
use super::retention::Round;
use super::rounds::Rounds;
use super::{Caller, DatabaseStats, ServiceError, ServiceOptions};
use crate::core::approval::{self, Decided, Verdict};
use crate::core::cursor::Position;
use crate::core::{Conditions, Refusal, Rules, claim, push, write, write_batch};
use crate::storage::sqlite::{LogBound, SqliteTransaction, WriterCaches};
use crate::storage::{CheckpointRow, Rejection, Snapshot, State, StorageError, Stored, Transaction};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::time::Duration;
use syncstore::protocol::{BatchId, ClientId, Op, OpResult, PushOutcome, PushRequest, PushResponse, Ref, Rev, Seq};
use tokio::sync::watch;

/// Where the answer to a job goes.
pub type Reply<T> = SyncSender<Result<T, ServiceError>>;

/// What the writer is asked to do. `total` counts the items of a checkpoint that has not all there are.
pub enum Job {
    Push { caller: Caller, request: PushRequest, bytes: usize, reply: Reply<PushResponse> },
    Write { caller: Caller, op: Box<Op>, conditions: Conditions, bytes: usize, reply: Reply<Result<Rev, Rejection>> },
    Batch { caller: Caller, ops: Vec<Op>, batch: BatchId, bytes: usize, reply: Reply<Vec<Rev>> },
    Checkpoint { client: ClientId, user: String, digest: u64, total: Option<u64>, reply: Reply<CheckpointRow> },
    Prune { reply: Reply<()> },
    Decide { verdicts: HashMap<Ref, Verdict>, reply: Reply<Decided> },
}

/// What the writer shares with the readers, and with who asks the approver.
#[derive(Debug)]
pub struct Shared {
    pub presence: Presence,
    pub head: watch::Sender<Seq>,
    pub stats: Mutex<DatabaseStats>,
    pub queue: Mutex<Queue>,
    pub asking: Mutex<Asking>,
    pub bell: Bell,
}

/// How much waits for the writer.
#[derive(Debug, Default)]
pub struct Queue {
    pub jobs: usize,
    pub bytes: usize,
}

pub struct Writer {
    pub connection: Connection,
    pub caches: WriterCaches,
    pub log_bound: LogBound,
    pub options: Arc<ServiceOptions>,
    pub rules: Arc<Rules>,
    pub shared: Arc<Shared>,
    pub round: Round,
    // When the last round of pruning began; the last that was finished, until this writer has begun one.
    pub pruned_at: Duration,
    pub rounds: Arc<Rounds>,
    // Whether there may be queued units that wait for nothing: verdicts left them, or the process before.
    pub more_free: bool,
    // What the database has, as of the last commit: without its free pages and its write-ahead log.
    pub bytes: u64,
}

// A group this large takes a fraction of a second, unless its values are large: then `ServiceOptions::push_work` ends it.
// What comes later waits for the next.
const GROUP_JOBS: usize = 256;
const GROUP_OPS: usize = 20_000;

// What tells repeats from new outcomes: the seq that a job's first new entry would have had, and whether there is one.
struct Since {
    first: Seq,
    decided: bool,
}

enum Answer {
    Push(PushResponse),
    Write(Result<Rev, Rejection>),
    Batch(Vec<Rev>),
    Checkpoint(CheckpointRow),
    Decided(Decided),
    None,
}

impl Writer {
    /// Works until the other end of the channel is gone and everything in it is done.
    pub fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let first = if self.is_idle() {
                match jobs.recv_timeout(self.rest()) {
                    Ok(job) => Some(job),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            } else {
                match jobs.try_recv() {
                    Ok(job) => Some(job),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => break,
                }
            };
            if let Some(first) = first {
                let mut ops = first.ops();
                let mut group = vec![first];
                while group.len() < GROUP_JOBS && ops < GROUP_OPS {
                    let Ok(job) = jobs.try_recv() else { break };
                    ops += job.ops();
                    group.push(job);
                }
                self.commit(group);
            }
            self.tidy();
        }
        self.close();
    }

    // How long there is nothing to do but what somebody asks for.
    fn rest(&self) -> Duration {
        let since = self.options.environment.monotonic().saturating_sub(self.pruned_at);
        self.options.retention.interval.saturating_sub(since)
    }

    /// Records what readers noted and writes the log back into the file.
    pub fn close(&mut self) {
        if self.shared.presence.has_news()
            && let Err(error) = self.transact(|_| Ok(()))
        {
            tracing::warn!(%error, "positions of clients were not recorded");
        }
        if let Err(error) = self.connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "the write-ahead log stays for the next start");
        }
    }

    fn transact<R>(&mut self, work: impl FnOnce(&mut SqliteTransaction<'_>) -> Stored<R>) -> Stored<(R, State)> {
        let mut transaction = SqliteTransaction::begin(&mut self.connection, &mut self.caches)?;
        self.shared.presence.record(&mut transaction)?;
        let result = work(&mut transaction)?;
        let bytes = transaction.bytes()?;
        let state = transaction.commit()?;
        if self.rules.room.is_full(bytes) && !self.rules.room.is_full(self.bytes) {
            let database = self.name();
            tracing::warn!(database, bytes, "the database has become full");
        }
        self.bytes = bytes;
        self.shared.stats.lock().bytes = bytes;
        Ok((result, state))
    }

    /// Does a group of jobs in one transaction, or in several when it takes long, and answers each with its own.
    pub fn commit(&mut self, mut group: Vec<Job>) {
        {
            let mut queue = self.shared.queue.lock();
            queue.jobs = queue.jobs.saturating_sub(group.len());
            queue.bytes = queue.bytes.saturating_sub(group.iter().map(Job::bytes).sum());
        }
        while !group.is_empty() {
            match self.decide(&group) {
                Ok(answers) => {
                    let rest = group.split_off(answers.len());
                    answer(std::mem::replace(&mut group, rest), answers);
                }
                // What one job ran into must not cost the others: each has its own transaction now.
                Err(_) if group.len() > 1 => {
                    for job in std::mem::take(&mut group) {
                        match self.decide(std::slice::from_ref(&job)) {
                            Ok(answers) => answer(vec![job], answers),
                            Err(error) => job.fail(&error),
                        }
                    }
                }
                Err(error) => std::mem::take(&mut group).into_iter().for_each(|job| job.fail(&error)),
            }
        }
    }

    // The answers to the first of the jobs, at least one: as many as one transaction does before it has worked enough.
    fn decide(&mut self, group: &[Job]) -> Stored<Vec<Result<Answer, ServiceError>>> {
        let (rules, options) = (self.rules.clone(), self.options.clone());
        let now = options.environment.unix_ms();
        let (answers, state) = self.transact(|transaction| {
            let mut answers = Vec::with_capacity(group.len());
            for job in group {
                let part = transaction.begin_part()?;
                let first = transaction.state().next;
                let answer = job.decide(transaction, &rules, &options, now);
                let decided = transaction.state().next > first;
                transaction.end_part(part, answer.is_ok())?;
                answers.push((Since { first, decided }, answer.map_err(ServiceError::from)));
                if transaction.work() >= rules.most_work {
                    break;
                }
            }
            Ok(answers)
        })?;
        self.shared.record(&state, &answers);
        let more_free = |(_, answer): &_| matches!(answer, Ok(Answer::Decided(Decided { more_free: true, .. })));
        self.more_free |= answers.iter().any(more_free);
        for job in &group[..answers.len()] {
            if matches!(job, Job::Prune { .. }) {
                self.begin_round();
                while self.round != Round::Over {
                    self.slice()?;
                }
            }
        }
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// Whether nothing is left to do unless somebody asks for it, or time passes.
    pub fn is_idle(&self) -> bool {
        self.round == Round::Over && !self.more_free
    }

    /// Keeps the write-ahead log short. Does a slice of what verdicts left to commit; else of pruning when it is time.
    pub fn tidy(&mut self) {
        if let Err(error) = self.log_bound.hold(&self.connection) {
            tracing::warn!(%error, "the write-ahead log was not written back; it is tried again later");
        }
        if self.more_free {
            if let Err(error) = self.release() {
                tracing::warn!(%error, "what waited behind decided ops was not committed; it is tried again later");
                self.more_free = false;
            }
            return;
        }
        if self.round == Round::Over {
            if !self.rest().is_zero() {
                return;
            }
            self.begin_round();
            self.pruned_at = self.options.environment.monotonic();
        }
        match self.slice() {
            Ok(()) if self.round == Round::Over => {
                self.rounds.finished(&self.name(), self.pruned_at);
            }
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(%error, "pruning failed; it is tried again later");
                self.round = Round::Over;
            }
        }
    }

    fn release(&mut self) -> Stored<()> {
        let (rules, now) = (self.rules.clone(), self.options.environment.unix_ms());
        let ((since, decided), state) = self.transact(|transaction| {
            let first = transaction.state().next;
            Ok((Since { first, decided: true }, approval::release(transaction, &rules, now)?))
        })?;
        self.more_free = decided.more_free;
        self.shared.record(&state, &[(since, Ok(Answer::Decided(decided)))]);
        Ok(())
    }

    fn begin_round(&mut self) {
        self.round = Round::BEGIN;
        if self.rules.room.is_full(self.bytes) {
            let database = self.name();
            tracing::warn!(database, bytes = self.bytes, "the database is full: deletes are taken at the most");
        }
    }

    // A subscriber may ask for the numbers, so that they are not held while it is told.
    fn name(&self) -> String {
        self.shared.stats.lock().name.clone()
    }

    fn slice(&mut self) -> Stored<()> {
        let (rules, round) = (self.rules.clone(), self.round);
        let now = self.options.environment.unix_ms();
        let options = self.options.clone();
        let before = self.shared.stats.lock().log_entries;
        let shared = self.shared.clone();
        let (next, state) =
            self.transact(|transaction| round.slice(transaction, &rules, &options.retention, &shared.presence, now))?;
        self.round = next;
        self.shared.record(&state, &[]);
        self.shared.stats.lock().pruned += before.saturating_sub(state.entries);
        Ok(())
    }
}

impl Job {
    fn ops(&self) -> usize {
        match self {
            Job::Push { request, .. } => request.ops.len(),
            Job::Batch { ops, .. } => ops.len(),
            Job::Decide { verdicts, .. } => verdicts.len(),
            _ => 1,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Job::Push { bytes, .. } | Job::Write { bytes, .. } | Job::Batch { bytes, .. } => *bytes,
            _ => 0,
        }
    }

    fn decide(
        &self,
        transaction: &mut SqliteTransaction<'_>,
        rules: &Rules,
        options: &ServiceOptions,
        now: u64,
    ) -> Result<Answer, Refusal> {
        match self {
            Job::Push { caller, request, .. } => Ok(Answer::Push(push(transaction, rules, caller, request, now)?)),
            Job::Write { caller, op, conditions, .. } => {
                Ok(Answer::Write(write(transaction, rules, caller, op, conditions, now)?))
            }
            Job::Batch { caller, ops, batch, .. } => {
                Ok(Answer::Batch(write_batch(transaction, rules, caller, ops, *batch, now)?))
            }
            Job::Checkpoint { client, user, digest, total, .. } => {
                claim(transaction, rules, client, user, now)?;
                let digest = *digest;
                let position = Position::head(transaction, digest)?;
                let id = (u128::from(options.environment.random()) << 64) | u128::from(options.environment.random());
                let row = CheckpointRow {
                    id: id.to_be_bytes(),
                    client: *client,
                    epoch: position.epoch,
                    seq: position.seq,
                    entry: position.entry,
                    digest,
                    total: total.unwrap_or(transaction.state().items),
                    made: now,
                    used: now,
                };
                transaction.add_checkpoint(&row)?;
                Ok(Answer::Checkpoint(row))
            }
            Job::Prune { .. } => Ok(Answer::None),
            Job::Decide { verdicts, .. } => Ok(Answer::Decided(approval::decide(transaction, rules, verdicts, now)?)),
        }
    }

    fn fail(self, error: &StorageError) {
        tracing::error!(%error, "a group of requests failed");
        let error = ServiceError::Storage(StorageError::Commit(error.to_string()));
        answer(vec![self], vec![Err(error)]);
    }
}

// Who asked may have gone away: then nobody is left to be told.
fn answer(group: Vec<Job>, answers: Vec<Result<Answer, ServiceError>>) {
    for (job, answer) in group.into_iter().zip(answers) {
        let _ = match (job, answer) {
            (Job::Push { reply, .. }, Ok(Answer::Push(response))) => reply.send(Ok(response)).is_ok(),
            (Job::Write { reply, .. }, Ok(Answer::Write(decided))) => reply.send(Ok(decided)).is_ok(),
            (Job::Batch { reply, .. }, Ok(Answer::Batch(revs))) => reply.send(Ok(revs)).is_ok(),
            (Job::Checkpoint { reply, .. }, Ok(Answer::Checkpoint(row))) => reply.send(Ok(row)).is_ok(),
            (Job::Prune { reply }, Ok(_)) => reply.send(Ok(())).is_ok(),
            (Job::Decide { reply, .. }, Ok(Answer::Decided(decided))) => reply.send(Ok(decided)).is_ok(),
            (Job::Decide { reply, .. }, Err(error)) => reply.send(Err(error)).is_ok(),
            (Job::Push { reply, .. }, Err(error)) => reply.send(Err(error)).is_ok(),
            (Job::Write { reply, .. }, Err(error)) => reply.send(Err(error)).is_ok(),
            (Job::Batch { reply, .. }, Err(error)) => reply.send(Err(error)).is_ok(),
            (Job::Checkpoint { reply, .. }, Err(error)) => reply.send(Err(error)).is_ok(),
            (Job::Prune { reply }, Err(error)) => reply.send(Err(error)).is_ok(),
            _ => false,
        };
    }
}

impl Shared {
    // After a commit: what was committed is announced and counted.
    fn record(&self, state: &State, answers: &[(Since, Result<Answer, ServiceError>)]) {
        let mut stats = self.stats.lock();
        (stats.head, stats.items) = (state.head, state.items);
        (stats.log_entries, stats.log_bytes) = (state.entries, state.log_bytes);
        let waits = (stats.queued_ops, stats.queued_bytes) != (state.queued, state.queued_bytes);
        (stats.queued_ops, stats.queued_bytes) = (state.queued, state.queued_bytes);
        let mut pushes = 0;
        for (since, answer) in answers {
            match answer {
                Ok(Answer::Push(response)) => {
                    let new = |result: &&OpResult| result.seq.is_some_and(|seq| seq >= since.first);
                    for result in response.results.iter().filter(new) {
                        stats.count(result.code.as_ref().filter(|_| result.outcome == PushOutcome::Rejected));
                    }
                }
                Ok(Answer::Write(Err(rejection))) if since.decided => stats.count(Some(&rejection.code)),
                Ok(Answer::Write(_)) => stats.accepted += u64::from(since.decided),
                Ok(Answer::Batch(revs)) if since.decided => stats.accepted += revs.len() as u64,
                Ok(Answer::Batch(_)) => {}
                Ok(Answer::Decided(decided)) => {
                    decided.codes.iter().for_each(|code| stats.count(code.as_ref()));
                    stats.approver_commits += u64::from(!decided.codes.is_empty());
                    continue;
                }
                _ => continue,
            }
            pushes += 1;
        }
        if pushes > 0 {
            stats.pushes += pushes;
            stats.groups += 1;
            stats.largest_group = stats.largest_group.max(pushes);
        }
        drop(stats);
        if waits {
            self.bell.ring();
        }
        self.head.send_if_modified(|head| std::mem::replace(head, state.head) != state.head);
    }
}
