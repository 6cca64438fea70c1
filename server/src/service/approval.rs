//! Asking the approver: what it may be asked now goes to it, what it answers to the writer.

use super::database::Database;
use super::inbox::rfc3339;
use super::{ServiceError, ServiceOptions};
use crate::approver::{ApprovalRequest, ApprovalResponse, Approver, AskedOp, ItemNow, OpAnswer};
use crate::core::approval::{Approval, Verdict, heads};
use crate::storage::queued::{QueueSnapshot, UnitKey};
use crate::storage::{Image, StorageError, Stored};
use parking_lot::{Condvar, Mutex};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
use syncstore::protocol::{Limits, Op, Ref, Rev};

/// Which ops wait for an approver, and how it is asked; [`ApprovalOptions::new`] gives the defaults.
#[derive(Clone)]
#[non_exhaustive]
pub struct ApprovalOptions {
    /// Who decides.
    pub approver: Arc<dyn Approver>,
    /// The collections whose ops wait for it.
    pub collections: BTreeSet<String>,
    /// The most ops of one request, but for a batch, which is not divided. Default: 100.
    pub request_ops: usize,
    /// While that many ops of a database wait, no more are taken in: pushes are answered `skipped`. Default: 10,000.
    pub queue_ops: u64,
    /// While that many bytes of ops of a database wait, no more are taken in. Default: 64 MiB.
    pub queue_bytes: u64,
}

impl ApprovalOptions {
    /// The defaults, for an approver and its collections.
    pub fn new(approver: Arc<dyn Approver>, collections: impl IntoIterator<Item = String>) -> ApprovalOptions {
        let collections = collections.into_iter().collect();
        ApprovalOptions { approver, collections, request_ops: 100, queue_ops: 10_000, queue_bytes: 64 << 20 }
    }

    pub(super) fn rules(&self) -> Approval {
        Approval { collections: self.collections.clone(), most_ops: self.queue_ops, most_bytes: self.queue_bytes }
    }
}

// A request is no larger than this as JSON, unless one unit is by itself.
const REQUEST_BYTES: usize = 4 << 20;

// How long nothing is asked after a request that failed, and how long a unit is not asked about that was left out of an
// answer, or was all of a request that failed; doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is known between two requests. It is lost with the process: then everything is asked at once.
#[derive(Debug, Default)]
pub struct Asking {
    backing_off: HashMap<UnitKey, BackOff>,
    // Until when nothing is asked after a failure, and the pause after the next.
    paused: Option<(Duration, Duration)>,
    // The most units of the next request; `None`: as many as fit. Halved by each failure, so that a unit that the approver
    // cannot take is found and holds up no other; one more after each answer, so that an approver that cannot take so much
    // at a time is seldom asked for more.
    most_units: Option<usize>,
    // Whether the last request was about a unit that is asked about alone: then it is the turn of the others.
    others_first: bool,
}

/// A unit that is not asked about for a while.
#[derive(Clone, Copy, Debug)]
struct BackOff {
    due: Duration,
    // The pause after the next time.
    next: Duration,
    // The approver failed on it alone: it is asked about by itself, or it would take others with it again.
    alone: bool,
}

/// When there is something to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Now,
    After(Duration),
    WhenRung,
}

/// A request, and what was asked with it.
struct Question {
    request: ApprovalRequest,
    asked: HashMap<Ref, (UnitKey, Op)>,
    units: HashSet<UnitKey>,
    // Of the request as JSON.
    bytes: usize,
}

impl Asking {
    fn failed(&mut self, units: &HashSet<UnitKey>, now: Duration, random: u64) {
        match units.iter().next() {
            Some(unit) if units.len() == 1 => self.back_off(*unit, true, now),
            _ => self.most_units = Some((units.len() / 2).max(1)),
        }
        let pause = self.paused.map_or(FIRST_PAUSE, |(_, next)| next);
        // Half of it at random, so that the databases of a server do not all ask at the same moment.
        let jittered = pause / 2 + pause.mul_f64(random as f64 / u64::MAX as f64) / 2;
        self.paused = Some((now + jittered, (pause * 2).min(LONGEST_PAUSE)));
    }

    fn answered(&mut self, most: usize) {
        self.paused = None;
        self.most_units = self.most_units.map(|units| units + 1).filter(|units| *units < most);
    }

    fn back_off(&mut self, unit: UnitKey, alone: bool, now: Duration) {
        let pause = self.backing_off.get(&unit).map_or(FIRST_PAUSE, |back_off| back_off.next);
        let next = (pause * 2).min(LONGEST_PAUSE);
        self.backing_off.insert(unit, BackOff { due: now + pause, next, alone });
    }

    /// The next request; else when there may be one.
    fn question(
        &mut self,
        snapshot: &impl QueueSnapshot,
        database: &str,
        most: usize,
        now: Duration,
    ) -> Stored<Result<Question, Next>> {
        if let Some((until, _)) = self.paused.filter(|(until, _)| *until > now) {
            return Ok(Err(Next::After(until - now)));
        }
        let asking = heads(snapshot)?.asking;
        let present: HashSet<UnitKey> = asking.iter().copied().collect();
        self.backing_off.retain(|unit, _| present.contains(unit));
        let (mut alone, mut others, mut next) = (None, Vec::new(), Next::WhenRung);
        for unit in asking {
            match self.backing_off.get(&unit) {
                Some(BackOff { due, .. }) if *due > now => {
                    let wait = *due - now;
                    next = if let Next::After(other) = next { Next::After(other.min(wait)) } else { Next::After(wait) };
                }
                Some(BackOff { alone: true, .. }) => alone = alone.or(Some(unit)),
                _ => others.push(unit),
            }
        }
        if let Some(unit) = alone.filter(|_| others.is_empty() || !self.others_first) {
            others = vec![unit];
            self.others_first = true;
        } else {
            self.others_first = false;
        }
        let mut question = Question::about(database)?;
        for unit in others {
            let full = self.most_units.is_some_and(|most| question.units.len() >= most);
            if full || question.request.ops.len() >= most.max(1) || !question.add(snapshot, unit)? {
                break;
            }
        }
        Ok(if question.request.ops.is_empty() { Err(next) } else { Ok(question) })
    }
}

fn item_now((rev, image, tags): (Rev, Image, Vec<String>)) -> ItemNow {
    let Image { value, indexes, relations } = image;
    ItemNow { rev, value, indexes, relations, tags }
}

// The bytes of a part of the request as it is sent.
fn encoded_len(part: &impl Serialize) -> Stored<usize> {
    Ok(serde_json::to_vec(part).map_err(StorageError::corrupt)?.len())
}

impl Question {
    fn about(database: &str) -> Stored<Question> {
        let request = ApprovalRequest { database: database.to_owned(), ops: Vec::new() };
        let bytes = encoded_len(&request)?;
        Ok(Question { request, asked: HashMap::new(), units: HashSet::new(), bytes })
    }

    // Adds the ops of a unit, unless it would make the request too large; whether there may be room for another.
    fn add(&mut self, snapshot: &impl QueueSnapshot, key: UnitKey) -> Stored<bool> {
        let Some((unit, queued)) = snapshot.unit(key)? else { return Ok(true) };
        let of = u32::try_from(queued.len()).map_err(StorageError::corrupt)?;
        let (mut bytes, mut ops, mut asked) = (0, Vec::new(), Vec::new());
        // Of the items that are left out, whether they are there.
        let mut left_out: HashMap<(String, String), bool> = HashMap::new();
        for op in queued.into_iter().filter(|queued| queued.asks).map(|queued| queued.op) {
            let name = (op.collection.clone(), op.key.clone());
            let (item, item_left_out) = if bytes < REQUEST_BYTES {
                (snapshot.item_now(&op.collection, &op.key)?.map(item_now), false)
            } else if let Some(there) = left_out.get(&name) {
                (None, *there)
            } else {
                // A batch is not divided, however large the items are that its many small ops are on.
                let there = snapshot.item_now(&op.collection, &op.key)?.is_some();
                left_out.insert(name, there);
                (None, there)
            };
            asked.push((op.op_ref, (key, op.clone())));
            let op = Op { batch: unit.batch, of: unit.batch.map(|_| of), ..op };
            let op = AskedOp { op, user: unit.user.clone(), at: rfc3339(unit.at), item, item_left_out };
            // With the comma before it.
            bytes += encoded_len(&op)? + 1;
            ops.push(op);
        }
        if !self.units.is_empty() && self.bytes + bytes > REQUEST_BYTES {
            return Ok(false);
        }
        self.bytes += bytes;
        self.units.insert(key);
        self.asked.extend(asked);
        self.request.ops.extend(ops);
        Ok(self.bytes < REQUEST_BYTES)
    }

    // What the answer says of what was asked, and how many parts of it say nothing that can be carried out.
    fn read(&self, response: ApprovalResponse, limits: &Limits) -> (HashMap<Ref, Verdict>, u64) {
        let (mut verdicts, mut ignored) = (HashMap::new(), 0);
        for answer in response.answers {
            // Not the decoder's words, which may repeat what it read: that is the users'.
            let answer = answer.to::<OpAnswer>().map_err(|_| "it is no answer about an op".to_owned());
            let verdict = answer.and_then(|answer| {
                let op_ref = answer.op_ref;
                let (_, op) = self.asked.get(&op_ref).ok_or_else(|| format!("{op_ref} was not asked about"))?;
                if verdicts.contains_key(&op_ref) {
                    return Err(format!("{op_ref} is answered twice"));
                }
                let verdict = answer.verdict(op, limits).map_err(|error| format!("{op_ref}: {error}"))?;
                if let Verdict::Unfit(why) = &verdict {
                    let (database, why) = (&self.request.database, &why.message);
                    tracing::warn!(database, %op_ref, why, "an op is rejected for what the approver made of it");
                }
                Ok((op_ref, verdict))
            });
            match verdict {
                Ok((op_ref, verdict)) => drop(verdicts.insert(op_ref, verdict)),
                Err(error) => {
                    ignored += 1;
                    let database = &self.request.database;
                    tracing::warn!(database, error, "a part of the approver's answer is ignored");
                }
            }
        }
        (verdicts, ignored)
    }
}

impl Database {
    /// Asks about what waits, once, and commits the answers; how many ops were decided. An approver that fails decides
    /// none.
    pub fn approve(&self) -> Result<usize, ServiceError> {
        let Some(approval) = self.options().approval.clone() else { return Ok(0) };
        let Ok(question) = self.question()? else { return Ok(0) };
        let answer = approval.approver.ask(&question.request);
        self.take_answer(question, answer)
    }

    fn question(&self) -> Result<Result<Question, Next>, ServiceError> {
        let options = self.options();
        let Some(approval) = &options.approval else { return Ok(Err(Next::WhenRung)) };
        let now = options.environment.monotonic();
        let name = self.name();
        self.read(|snapshot| {
            let mut asking = self.shared().asking.lock();
            Ok(asking.question(snapshot, &name, approval.request_ops, now)?)
        })
    }

    fn take_answer(
        &self,
        question: Question,
        answer: Result<ApprovalResponse, crate::approver::ApproverError>,
    ) -> Result<usize, ServiceError> {
        let ServiceOptions { environment, limits, approval, .. } = self.options();
        let (database, now) = (&question.request.database, environment.monotonic());
        self.shared().stats.lock().approver_requests += 1;
        let response = match answer {
            Ok(response) => response,
            Err(error) => {
                self.shared().stats.lock().approver_failures += 1;
                self.shared().asking.lock().failed(&question.units, now, environment.random());
                let units = question.units.len();
                tracing::warn!(database, units, %error, "the approver failed; it is asked again later");
                return Ok(0);
            }
        };
        let most = approval.as_ref().map_or(0, |approval| approval.request_ops);
        self.shared().asking.lock().answered(most);
        let (verdicts, ignored) = question.read(response, limits);
        let decided = if verdicts.is_empty() { Default::default() } else { self.decide(verdicts)? };
        self.shared().stats.lock().approver_ignored += ignored + decided.ignored;
        // Those that are still there were left out, or not answered so that they could be decided.
        let left = self.read(|snapshot| {
            let mut left = Vec::new();
            for unit in question.units {
                if snapshot.unit(unit)?.is_some() {
                    left.push(unit);
                }
            }
            Ok(left)
        })?;
        let mut asking = self.shared().asking.lock();
        left.into_iter().for_each(|unit| asking.back_off(unit, false, now));
        Ok(decided.codes.len())
    }

    /// Starts the thread that asks, which ends with the database, or when its present request has.
    pub fn start_asking(self: &Arc<Database>) -> Result<(), ServiceError> {
        let (database, shared) = (Arc::downgrade(self), self.shared().clone());
        let thread = std::thread::Builder::new().name(format!("approver {}", self.name()));
        thread.spawn(move || keep_asking(&database, &shared.bell)).map_err(StorageError::from)?;
        Ok(())
    }
}

fn keep_asking(database: &Weak<Database>, bell: &Bell) {
    let mut next = Next::Now;
    while bell.wait(next) {
        // Not held while the approver is asked, which may take long: the database may be closed meanwhile.
        let Some(open) = database.upgrade() else { return };
        let Some(approval) = open.options().approval.clone() else { return };
        let question = open.question();
        drop(open);
        next = match question {
            Ok(Ok(question)) => {
                let answer = approval.approver.ask(&question.request);
                let Some(open) = database.upgrade() else { return };
                match open.take_answer(question, answer) {
                    Ok(_) => Next::Now,
                    Err(error) => failed(&error),
                }
            }
            Ok(Err(next)) => next,
            Err(error) => failed(&error),
        };
    }
}

fn failed(error: &ServiceError) -> Next {
    tracing::warn!(%error, "the answers of the approver were not committed; it is asked again later");
    Next::After(FIRST_PAUSE)
}

/// Wakes the thread that asks.
#[derive(Debug)]
pub struct Bell {
    state: Mutex<Sound>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sound {
    Silent,
    Rung,
    Closed,
}

impl Default for Bell {
    fn default() -> Bell {
        Bell { state: Mutex::new(Sound::Silent), changed: Condvar::new() }
    }
}

impl Bell {
    /// Something waits that did not before.
    pub fn ring(&self) {
        let mut state = self.state.lock();
        if *state == Sound::Silent {
            *state = Sound::Rung;
            self.changed.notify_one();
        }
    }

    /// There is nothing to ask any more, ever.
    pub fn close(&self) {
        *self.state.lock() = Sound::Closed;
        self.changed.notify_one();
    }

    /// Waits until it is time or the bell rings; `false`: it was closed.
    fn wait(&self, next: Next) -> bool {
        let mut state = self.state.lock();
        while *state == Sound::Silent {
            match next {
                Next::Now => break,
                Next::After(pause) if self.changed.wait_for(&mut state, pause).timed_out() => break,
                Next::After(_) => {}
                Next::WhenRung => self.changed.wait(&mut state),
            }
        }
        let open = *state != Sound::Closed;
        if open {
            *state = Sound::Silent;
        }
        open
    }
}
