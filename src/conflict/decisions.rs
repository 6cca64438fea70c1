//! Asking the host's resolver: which conflicts, once each, and what becomes of its answers.
//!
//! Asking holds nothing of the file, so that a resolver may take its time, or never come back.

use super::{Conflict, ConflictId, ConflictResolver, Resolution};
use crate::error::{Error, Result};
use crate::event::{ConflictNews, Event, LogLevel};
use crate::outbox::conflicts;
use crate::protocol::{Ref, ResourceName};
use crate::sync::Access;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How often a resolver is asked anew because its conflict changed while it decided.
const ATTEMPTS: u32 = 3;

/// Writes what was decided.
type Resolve = Box<dyn Fn(Access<'_>, &Conflict, &Resolution) -> Result<Option<Ref>> + Send + Sync>;

/// A part of an item: collection, key and which.
type Part = (String, String, ResourceName);

/// The parts that operations were written on, by the present round of questions and by the one before.
#[derive(Default)]
struct Wrote {
    now: BTreeSet<Part>,
    before: BTreeSet<Part>,
}

/// A store's resolver, and what it is asked about.
pub(crate) struct Decisions {
    resolver: Arc<dyn ConflictResolver>,
    resolve: Resolve,
    /// What it is being asked about, on whichever thread.
    asked: Mutex<BTreeSet<ConflictId>>,
    /// Which conflicts it failed to decide, and as of which version last: each failure is told once, and asked about again and again.
    failed: Mutex<BTreeMap<ConflictId, u32>>,
    wrote: Mutex<Wrote>,
}

/// A conflict that the resolver is asked about, and nobody else asks about meanwhile.
pub(crate) struct Question {
    decisions: Arc<Decisions>,
    conflict: Conflict,
    attempts: u32,
    answer: Option<Answer>,
}

enum Answer {
    Decided(Resolution),
    Left,
    /// What it says of why is the host's, and stays with it.
    Failed,
}

/// What came of a question.
pub(crate) enum Settled {
    /// The conflict is resolved; an operation was written.
    Wrote,
    /// There is nothing to do about it now.
    Done,
    /// It changed meanwhile.
    Again(Box<Question>),
}

impl Decisions {
    pub fn new(resolver: Arc<dyn ConflictResolver>, resolve: Resolve) -> Decisions {
        Decisions { resolver, resolve, asked: Mutex::default(), failed: Mutex::default(), wrote: Mutex::default() }
    }

    /// The first open conflict behind another that the resolver was not asked about as it is, and is not being asked about. Behind 0 a
    /// round of questions begins.
    ///
    /// A part that the round before wrote an operation on is left for the next: that operation has met another's on its way, and two
    /// resolvers that give way to each other would go on to, each with the other's last word but one, for ever. Left alone for a round, the log
    /// has one last word, and both see it.
    pub fn next(self: &Arc<Decisions>, access: Access<'_>, after: ConflictId) -> Result<Option<Question>> {
        let mut after = after;
        if after == ConflictId(0) {
            let mut wrote = self.wrote.lock();
            wrote.before = std::mem::take(&mut wrote.now);
        }
        loop {
            let next = access.read_at_once(|connection| conflicts::next_unoffered(connection, after))?;
            let Some(conflict) = next else { return Ok(None) };
            after = conflict.id;
            if self.wrote.lock().before.contains(&part_of(&conflict)) {
                continue;
            }
            if self.asked.lock().insert(conflict.id) {
                return Ok(Some(Question { decisions: Arc::clone(self), conflict, attempts: 0, answer: None }));
            }
        }
    }

    /// Asks about all there are, on this thread; whether something was written.
    pub fn decide(self: &Arc<Decisions>, access: Access<'_>) -> bool {
        let (mut after, mut wrote) = (ConflictId(0), false);
        while let Ok(Some(question)) = self.next(access, after) {
            after = question.id();
            let mut asking = Some(question);
            while let Some(mut question) = asking.take() {
                question.ask();
                match question.settle(access) {
                    Settled::Wrote => wrote = true,
                    Settled::Done => {}
                    Settled::Again(question) => asking = Some(*question),
                }
            }
        }
        wrote
    }
}

impl Question {
    pub fn id(&self) -> ConflictId {
        self.conflict.id
    }

    /// Asks, for as long as the host takes.
    pub fn ask(&mut self) {
        let resolver = &self.decisions.resolver;
        let answer = catch_unwind(AssertUnwindSafe(|| resolver.resolve(&self.conflict)));
        self.answer = Some(match answer {
            Ok(Ok(Some(resolution))) => Answer::Decided(resolution),
            Ok(Ok(None)) => Answer::Left,
            Ok(Err(_)) | Err(_) => Answer::Failed,
        });
    }

    /// Does what was answered. What cannot be written is asked about again after the next sync.
    pub fn settle(mut self, access: Access<'_>) -> Settled {
        match self.answer.take() {
            None => Settled::Done,
            Some(Answer::Decided(resolution)) => match (self.decisions.resolve)(access, &self.conflict, &resolution) {
                Ok(Some(_)) => {
                    self.decisions.wrote.lock().now.insert(part_of(&self.conflict));
                    Settled::Wrote
                }
                Ok(None) | Err(Error::Cancelled | Error::Busy | Error::DiskFull) => Settled::Done,
                Err(Error::ConflictMoved { .. }) => self.again(access),
                Err(error) => self.failed(access, &format!("what was decided cannot be written: {error}")),
            },
            Some(Answer::Left) => {
                let left = access.write(|connection| {
                    let left = conflicts::mark_offered(connection, &self.conflict)?;
                    if left {
                        connection.conflict(&self.conflict, ConflictNews::NeedsDeciding);
                    }
                    Ok(left)
                });
                if matches!(left, Ok(false)) { self.again(access) } else { Settled::Done }
            }
            Some(Answer::Failed) => self.failed(access, "the resolver failed"),
        }
    }

    fn again(mut self, access: Access<'_>) -> Settled {
        self.attempts += 1;
        let id = self.conflict.id;
        match access.read_at_once(|connection| conflicts::find_complete(connection, id)) {
            Ok(Some(conflict)) if self.attempts < ATTEMPTS => {
                self.conflict = conflict;
                Settled::Again(Box::new(self))
            }
            _ => Settled::Done,
        }
    }

    fn failed(self, access: Access<'_>, why: &str) -> Settled {
        let Conflict { id, version, collection, key, resource, .. } = &self.conflict;
        if self.decisions.failed.lock().insert(*id, *version) != Some(*version) {
            let (id, news) = (*id, ConflictNews::NeedsDeciding);
            let (collection, key, resource) = (collection.clone(), key.clone(), resource.clone());
            access.bus().log(LogLevel::Warn, || format!("conflict {id} stays open: {why}"));
            access.bus().happened(Event::Conflict { id, collection, key, resource, news });
        }
        Settled::Done
    }
}

fn part_of(conflict: &Conflict) -> Part {
    (conflict.collection.clone(), conflict.key.clone(), conflict.resource.clone())
}

impl Drop for Question {
    fn drop(&mut self) {
        self.decisions.asked.lock().remove(&self.conflict.id);
    }
}
