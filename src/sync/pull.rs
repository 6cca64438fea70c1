//! Pull: the server's log into the base, slice by slice (section 4).

use super::received::named;
use super::slice::{Settled, Slice};
use super::{Engine, Halt, Stage, token};
use crate::error::{Error, Result};
use crate::outbox::{Answer, ledger, queue};
use crate::planted::{Planted, planted};
use crate::protocol::{Cursor, Entry, InboxPage, Scope, Seq};
use crate::replica::collections::Life;
use crate::replica::state::State;
use crate::wire::PullRequest;
use rusqlite::Connection;
use std::time::Duration;

/// Entries in one transaction: a few milliseconds, which is what a write of the host waits at most.
const SLICE: usize = 250;

impl Engine<'_> {
    /// Reads the log to its end, into the live items or into those of a checkpoint.
    pub(super) fn pull_to_end(&mut self, life: Life) -> Result<(), Halt> {
        self.pull_timed(life, None)
    }

    /// Reads the log into the live items up to a place in it, if they are not beyond that.
    pub(super) fn pull_up_to(&mut self, until: Seq) -> Result<(), Halt> {
        self.pull_timed(Life::Live, Some(until))
    }

    fn pull_timed(&mut self, life: Life, until: Option<Seq>) -> Result<(), Halt> {
        let start = self.environment().monotonic();
        let result = self.pull_pages(life, until);
        self.report.pull_time += self.environment().monotonic().saturating_sub(start);
        result
    }

    fn pull_pages(&mut self, life: Life, until: Option<Seq>) -> Result<(), Halt> {
        let mut in_doubt = false;
        // Where the page before ended, if this one goes on from there.
        let mut reached = None;
        loop {
            if let Some(until) = until
                && self.replica.read(State::load)?.position >= until
            {
                return Ok(());
            }
            self.before_page()?;
            let (state, own_payloads, answers_ahead) = self.replica.read_at_once(|connection| {
                let state = State::load(connection)?;
                // Own ops without an answer may have reached the server in another form, from a copy of this
                // file; a replay reads them as anybody's.
                let own_payloads = in_doubt || life == Life::Incoming || queue::any_in_doubt(connection)?;
                let position = place(&state, life).1;
                // Of another filter the outcomes come with the cursor of the one before.
                let answers_ahead = life == Life::Incoming
                    && scope(&state, life).have.is_none()
                    && queue::any_accepted_above(connection, position)?;
                Ok((state, own_payloads, answers_ahead))
            })?;
            let request = PullRequest {
                client: state.client,
                cursor: place(&state, life).0,
                limit: self.settings.pull_entries,
                wait: Duration::ZERO,
                own_payloads,
                scope: asked_for(&state, life),
            };
            let page = match self.given.take() {
                Some(given) if answers(&given.request, &request) => given.page,
                _ => {
                    (self.stage)(Stage::Pulling);
                    self.call(|wire| wire.pull(&request))?
                }
            };
            check_page(&page, &request)?;
            if page.more && reached.is_some_and(|reached| page.seq <= reached) {
                let text = "the inbox says that there is more and its position does not advance";
                return Err(Error::protocol(text).into());
            }
            self.after_page(page.entries.len(), page.more)?;
            self.report.pulled += page.entries.len() as u64;
            reached = None;
            let part = Part { page: &page, asked: &request, life, answers_ahead, until };
            match self.apply_page(&part)? {
                Applied::Whole if !page.more => return Ok(()),
                Applied::SwappedIn => return Ok(()),
                Applied::InDoubt => in_doubt = true,
                Applied::Whole => (in_doubt, reached) = (false, Some(page.seq)),
                // Another process pulled meanwhile: go on from where things are now.
                Applied::Superseded => in_doubt = false,
            }
        }
    }

    /// Applies a page, or what of it is asked for.
    fn apply_page(&mut self, part: &Part<'_>) -> Result<Applied> {
        let &Part { page, asked, life, answers_ahead, until } = part;
        // Beyond the end of what is asked for neither the cursor goes nor anything that the page says.
        let cut = until.is_some_and(|until| page.seq > until);
        let end = until.filter(|_| cut).unwrap_or(page.seq);
        let mut rest = &page.entries[..page.entries.partition_point(|entry| entry.seq <= end)];
        loop {
            let slice = &rest[..slice_len(rest)];
            let now = self.environment().unix_ms();
            let mut doubted = Vec::new();
            if life == Life::Live {
                self.break_rules_of_a_page(page, slice)?;
            }
            let applied = self.replica.write(|connection| {
                let mut state = State::load(connection)?;
                if life == Life::Incoming && state.bootstrap.is_none() {
                    return Ok(Err(Applied::SwappedIn));
                }
                let (cursor, position) = place(&state, life);
                if cursor != asked.cursor {
                    return Ok(Err(Applied::Superseded));
                }
                if !asked.own_payloads && any_in_doubt(connection, slice)? {
                    return Ok(Err(Applied::InDoubt));
                }
                if !page.more && page.seq < position {
                    let text = format!("the server's log ends at {}; the replica has {position}", page.seq);
                    return Err(Error::Diverged(text));
                }
                if answers_ahead {
                    let last = slice.len() == rest.len();
                    let reached = slice.last().map_or(position, |entry| position.max(entry.seq));
                    let reached = if last { reached.max(end) } else { reached };
                    // Before the entries, which record what they bear out: a replayed one leaves its op in the outbox,
                    // with an answer like any other.
                    doubted = doubt_answers(connection, position, reached)?;
                }
                let scope = scope(&state, life);
                let mut changes = Slice::new(connection, life, &scope, position, now, &self.counted)?;
                let mut taken = 0;
                for entry in slice {
                    changes.entry(entry)?;
                    changes.check_work()?;
                    taken += 1;
                    // What was doubted is doubted up to the slice's end.
                    if changes.is_full() && !answers_ahead && !cuts_batch(slice, taken) {
                        break;
                    }
                }
                let last = taken == rest.len();
                let reached = slice[..taken].last().map_or(position, |entry| position.max(entry.seq));
                let reached = if last { reached.max(end) } else { reached };
                if last && !page.more && !cut && life == Life::Live {
                    doubted = doubt_answers(connection, 0, reached)?;
                    changes.settle_answered(reached)?;
                }
                let answered = std::mem::take(&mut changes.answered);
                let settled = changes.finish()?;
                move_to(&mut state, life, reached, (last && !cut).then(|| page.cursor.clone()));
                state.store(connection)?;
                Ok(Ok((settled, answered, reached, taken)))
            })?;
            let (settled, answered, reached, taken) = match applied {
                Ok(applied) => applied,
                Err(not_applied) => return Ok(not_applied),
            };
            rest = &rest[taken..];
            self.count(settled);
            self.counted.extend(doubted.into_iter().map(|id| (id, Answer::Accepted)));
            for (id, answer) in answered {
                let new = u64::from(self.counted_as(id) != answer);
                match answer {
                    Answer::Rejected => self.report.rejected += new,
                    _ => self.report.accepted += new,
                }
            }
            if life == Life::Live {
                self.report.position = reached;
            }
            if rest.is_empty() {
                return Ok(Applied::Whole);
            }
        }
    }

    /// What a page must not do before its own transaction.
    fn break_rules_of_a_page(&self, page: &InboxPage, slice: &[Entry]) -> Result<()> {
        if planted(Planted::CursorBeforePage) {
            self.replica.write(|connection| {
                let mut state = State::load(connection)?;
                state.position = state.position.max(page.seq);
                state.store(connection)
            })?;
        }
        if planted(Planted::OutcomeBeforeItsTransaction) {
            self.replica.write(|connection| {
                for entry in slice.iter().filter(|entry| entry.outcome == crate::protocol::EntryOutcome::Accepted) {
                    if let (Some(op), Ok(item)) = (queue::find(connection, entry.op_ref)?, named(entry)) {
                        ledger::accept(connection, &op, item, entry.seq, 0)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn count(&mut self, settled: Settled) {
        self.report.accepted += settled.accepted;
        self.report.rejected += settled.rejected;
    }
}

/// Whether the page of one request is what another one asks for; less of it is as good.
fn answers(asked: &PullRequest, wanted: &PullRequest) -> bool {
    asked.client == wanted.client
        && asked.cursor == wanted.cursor
        && asked.scope == wanted.scope
        && (asked.own_payloads || !wanted.own_payloads)
}

/// A page to apply.
struct Part<'a> {
    page: &'a InboxPage,
    asked: &'a PullRequest,
    life: Life,
    /// A replay may come to the places of answers that an earlier call was given.
    answers_ahead: bool,
    /// The place in the log up to which it is asked for, if not to its end.
    until: Option<Seq>,
}

/// What became of a page.
enum Applied {
    Whole,
    /// The replica is no longer where the page begins.
    Superseded,
    /// The checkpoint that the page is for is live already.
    SwappedIn,
    /// The page leaves out the payload of an op that was sent since it was asked for, and has no answer.
    InDoubt,
}

/// Whether entries leave out the payload of an op of which only its own answer could say what was committed.
fn any_in_doubt(connection: &Connection, entries: &[Entry]) -> Result<bool> {
    if planted(Planted::AsSentOfUnanswered) {
        return Ok(false);
    }
    for entry in entries.iter().filter(|entry| entry.as_sent) {
        let in_doubt = match queue::standing(connection, entry.op_ref)? {
            Some((sent, answer)) => sent && answer != Answer::Accepted,
            None => ledger::may_be_accepted(connection, entry.op_ref)?,
        };
        if in_doubt {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgets the acceptances that the log, read from one place up to another, does not bear out, so that their ops are pushed
/// again; which ops.
///
/// A server that lost its last commits in a power loss gives out their seqs again, and the cursor does not tell it of a
/// replica that had not read so far. One that only left an own entry out says again what it said, and that settles the op.
/// An answer at or below the cursor's place was given with it or after it, so the cursor speaks for that one.
fn doubt_answers(connection: &Connection, from: Seq, reached: Seq) -> Result<Vec<i64>> {
    queue::forget_accepted(connection, from, reached)
}

/// Where the live items, or those of a checkpoint, stand in the log.
fn place(state: &State, life: Life) -> (Option<Cursor>, Seq) {
    match (&state.bootstrap, life) {
        (Some(bootstrap), Life::Incoming) => (bootstrap.cursor.clone(), bootstrap.position),
        _ => (state.cursor.clone(), state.position),
    }
}

/// What of the log concerns the live items, or those of a checkpoint.
fn scope(state: &State, life: Life) -> Scope {
    match (&state.bootstrap, life) {
        (Some(bootstrap), Life::Incoming) => bootstrap.scope.clone(),
        _ => Scope::of(state.kept.clone()),
    }
}

/// What the server is asked for: for the live items what their cursor is of, which may be more than what is kept.
fn asked_for(state: &State, life: Life) -> Scope {
    match life {
        Life::Incoming => scope(state, life),
        _ => Scope::of(state.asked.clone()),
    }
}

fn move_to(state: &mut State, life: Life, position: Seq, cursor: Option<Cursor>) {
    let (at_cursor, at_position) = match (&mut state.bootstrap, life) {
        (Some(bootstrap), Life::Incoming) => (&mut bootstrap.cursor, &mut bootstrap.position),
        _ => (&mut state.cursor, &mut state.position),
    };
    if !planted(Planted::PositionNotStored) {
        *at_position = position;
    }
    if cursor.is_some() {
        *at_cursor = cursor;
    }
}

/// How many of these entries go into one transaction, if they do not make it go through too much: a batch is never cut.
fn slice_len(entries: &[Entry]) -> usize {
    if planted(Planted::SlicesCutBatches) {
        return entries.len().min(1);
    }
    let mut end = SLICE.min(entries.len());
    while cuts_batch(entries, end) {
        end += 1;
    }
    end
}

/// Whether the entries before and behind a place are of one batch.
fn cuts_batch(entries: &[Entry], at: usize) -> bool {
    at > 0 && at < entries.len() && entries[at].batch.is_some() && entries[at].batch == entries[at - 1].batch
}

/// Refuses a page whose order no log has, and one that leads nowhere.
fn check_page(page: &InboxPage, request: &PullRequest) -> Result<()> {
    token::check("the cursor of the inbox", page.cursor.as_str())?;
    let in_order = page.entries.windows(2).all(|pair| pair[0].seq < pair[1].seq);
    let within = page.entries.last().is_none_or(|last| last.seq <= page.seq);
    let far = |number: Option<u64>| number.is_some_and(|number| number > i64::MAX as u64);
    let revs_far = page.entries.iter().any(|entry| far(entry.rev));
    if !in_order || !within || far(Some(page.seq)) || revs_far {
        return Err(Error::protocol("the entries of an inbox page are not in the order of the log"));
    }
    if page.more && request.cursor.as_ref() == Some(&page.cursor) {
        return Err(Error::protocol("the inbox says that there is more and its cursor does not advance"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        BatchId, CheckpointPage, ClientId, DatabaseInfo, EntryOutcome, Filter, PushRequest, PushResponse, Ref,
    };
    use crate::replica::Replica;
    use crate::sync::isolation::Aside;
    use crate::sync::retry::tests::Slept;
    use crate::sync::{Access, Given, RetryPolicy, Settings};
    use crate::wire::{CheckpointRequest, Wire, WireError};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn entries(batches: &[Option<u128>]) -> Vec<Entry> {
        let entry = |(n, batch): (usize, &Option<u128>)| {
            let n = n as u64 + 1;
            let mut entry = Entry::new(n, Ref::from_parts(n as i64, n), EntryOutcome::Rejected);
            entry.batch = batch.map(BatchId::from_random);
            entry
        };
        batches.iter().enumerate().map(entry).collect()
    }

    #[test]
    fn a_slice_ends_where_no_batch_is_cut() {
        let single = |count| vec![None; count];
        let of = |batch, count| vec![Some(batch); count];
        let length = |parts: &[Vec<Option<u128>>]| slice_len(&entries(&parts.concat()));
        assert_eq!(length(&[]), 0);
        assert_eq!(length(&[single(7)]), 7);
        assert_eq!(length(&[single(SLICE)]), SLICE);
        assert_eq!(length(&[single(SLICE + 1)]), SLICE);
        assert_eq!(length(&[single(SLICE - 1), of(1, 5), single(9)]), SLICE + 4);
        assert_eq!(length(&[single(SLICE - 1), of(1, 5)]), SLICE + 4);
        assert_eq!(length(&[single(SLICE - 5), of(1, 5), single(9)]), SLICE);
        assert_eq!(length(&[single(SLICE - 5), of(1, 5), of(2, 9)]), SLICE);
        assert_eq!(length(&[single(SLICE), of(1, 5)]), SLICE);
        assert_eq!(length(&[of(1, 3 * SLICE)]), 3 * SLICE);
    }

    fn asked(cursor: &str) -> PullRequest {
        PullRequest {
            client: ClientId::from_random(1),
            cursor: Some(Cursor::new(cursor.to_owned())),
            limit: 10,
            wait: Duration::ZERO,
            own_payloads: false,
            scope: Scope::default(),
        }
    }

    #[test]
    fn a_page_of_another_request_is_no_answer() {
        let wanted = asked("c");
        assert!(answers(&wanted, &wanted));
        // How much it was to be, and how long it waited, is all the same.
        assert!(answers(&PullRequest { limit: 1, wait: Duration::from_secs(9), ..wanted.clone() }, &wanted));
        let more = PullRequest { own_payloads: true, ..wanted.clone() };
        assert!(answers(&more, &wanted) && !answers(&wanted, &more));
        let client = ClientId::from_random(2);
        let scope = Scope::of(Filter::only(["c"]));
        for other in [asked("d"), PullRequest { client, ..wanted.clone() }, PullRequest { scope, ..wanted.clone() }] {
            assert!(!answers(&other, &wanted), "{other:?}");
        }
    }

    /// Its log ends at 7, and it counts who asks.
    #[derive(Default)]
    struct Ended(AtomicU32);

    impl Wire for Ended {
        fn info(&self) -> Result<DatabaseInfo, WireError> {
            unreachable!("a pull asks for nothing else")
        }
        fn push(&self, _: &PushRequest) -> Result<PushResponse, WireError> {
            unreachable!("a pull asks for nothing else")
        }
        fn pull(&self, _: &PullRequest) -> Result<InboxPage, WireError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(InboxPage { entries: Vec::new(), cursor: Cursor::new("end".to_owned()), seq: 7, more: false })
        }
        fn checkpoint(&self, _: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
            unreachable!("a pull asks for nothing else")
        }
    }

    #[test]
    fn a_given_page_is_taken_once_and_only_where_it_begins() {
        let settings = Settings {
            push_ops: 10,
            pull_entries: 10,
            checkpoint_items: 10,
            pages: 10,
            largest_file: u64::MAX,
            prefetch: false,
            retention: crate::Retention::default(),
            retry: RetryPolicy::never(),
            environment: Arc::new(Slept::default()),
        };
        for (begins, position, calls) in [("here", 6, 0), ("before", 7, 1)] {
            let dir = tempfile::tempdir().unwrap();
            let replica = Replica::open_plain(&dir.path().join("s.db"));
            let client = replica
                .write(|connection| {
                    let mut state = State::load(connection)?;
                    (state.cursor, state.position) = (Some(Cursor::new("here".to_owned())), 5);
                    state.store(connection)?;
                    Ok(state.client)
                })
                .unwrap();
            let page = InboxPage { entries: Vec::new(), cursor: Cursor::new("given".to_owned()), seq: 6, more: false };
            let given = Given { request: PullRequest { client, ..asked(begins) }, page };
            let (wire, mut aside, mut stage) = (Ended::default(), Aside::default(), |_| {});
            let access = Access::new(&replica, None);
            let mut engine = Engine::new(access, &wire, &settings, (Some(given), &mut aside), &mut stage);
            let mut pull = || {
                assert!(engine.pull_to_end(Life::Live).is_ok());
                (replica.read(State::load).unwrap().position, wire.0.load(Ordering::SeqCst))
            };
            assert_eq!((pull(), pull()), ((position, calls), (7, calls + 1)), "{begins}");
        }
    }

    #[test]
    fn the_order_and_the_numbers_of_a_page_are_checked_up_to_their_edge() {
        const LAST: u64 = i64::MAX as u64;
        let page = |seqs: &[u64], rev: Option<u64>, seq, more| {
            let mut entries = entries(&vec![None; seqs.len()]);
            entries.iter_mut().zip(seqs).for_each(|(entry, seq)| (entry.seq, entry.rev) = (*seq, rev));
            check_page(&InboxPage { entries, cursor: Cursor::new("next".to_owned()), seq, more }, &asked("before"))
        };
        for (seqs, rev, seq) in
            [(&[][..], None, 0), (&[2, 4], None, 4), (&[2, 4], None, 9), (&[LAST], Some(LAST), LAST)]
        {
            page(seqs, rev, seq, true).unwrap();
        }
        for (seqs, rev, seq) in [
            (&[4, 2][..], None, 4),
            (&[2, 2], None, 2),
            (&[2, 4], None, 3),
            (&[2], Some(LAST + 1), 2),
            (&[], None, LAST + 1),
        ] {
            assert!(page(seqs, rev, seq, false).is_err(), "{seqs:?} {rev:?} {seq}");
        }
        let stays = |more| {
            let page = InboxPage { entries: Vec::new(), cursor: Cursor::new("next".to_owned()), seq: 1, more };
            check_page(&page, &asked("next"))
        };
        assert!(stays(false).is_ok() && stays(true).is_err());
    }
}
