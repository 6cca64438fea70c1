//! Bootstrap: a checkpoint loaded aside, caught up with the log, and swapped in (section 5).
//!
//! Every step is in the file before the next begins, so an interruption at any point resumes there. The
//! host reads and writes its live items all the while.

mod page;

use self::page::{SLICE, check_page, load_items, slice_len, taken};
use super::contest;
use super::rebase::rebase;
use super::report::{BootstrapReason, Progress};
use super::slice::Slice;
use super::token::Circle;
use super::{Engine, Halt, Stage};
use crate::error::{Error, Result};
use crate::outbox::{Answer, conflicts, queue, undone};
use crate::planted::{Planted, planted};
use crate::protocol::{CheckpointPage, ClientId, Scope, Seq};
use crate::replica::collections::{self, Life};
use crate::replica::resources::{self};
use crate::replica::state::{Bootstrap, Phase, Reason, State};
use crate::replica::{Item, base, items};
use crate::wire::{CheckpointRequest, PullRequest, WireError};
use rusqlite::Connection;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How often one call begins a checkpoint anew that the server gave up before it was read to its end.
const MOST_RESTARTS: u32 = 3;

/// How often one who waits for a page says so.
const STILL: Duration = Duration::from_millis(50);

/// Payload after which the WAL is moved into the file while loading, in bytes.
const WAL_BYTES: u64 = 16 << 20;

impl Engine<'_> {
    /// Begins a bootstrap, over one that may be on its way.
    pub(super) fn begin_bootstrap(&mut self, reason: Reason, restored: Option<Seq>) -> Result<()> {
        let client = ClientId::from_random(self.environment().random_u128());
        let (undone, forgotten) = self.replica.write(|connection| {
            let mut state = State::load(connection)?;
            let mut undone = 0;
            // What a rewound log asks for is owed until the swap, whatever interrupts it.
            let owed = state.bootstrap.take().filter(|bootstrap| bootstrap.reason == Reason::Rewound);
            match reason {
                // What another file may share with this one is its client id.
                Reason::Diverged => state.client = client,
                Reason::Rewound => {
                    forget_bases(connection)?;
                    undone = restored.map_or(Ok(0), |restored| undo_above(connection, restored))?;
                }
                Reason::Fresh | Reason::Expired | Reason::Filter => {}
            }
            let forgotten = forget_answers(connection, reason)?;
            collections::retire(connection, Life::Incoming)?;
            // What was above an earlier one is undone already, or came late and was told so.
            let restored = [restored, owed.as_ref().and_then(|owed| owed.restored)].into_iter().flatten().min();
            let scope = Scope::of(state.keep.clone());
            let reason = if owed.is_some() { Reason::Rewound } else { reason };
            state.bootstrap = Some(Bootstrap { restored, ..Bootstrap::new(reason, scope) });
            state.store(connection)?;
            Ok((undone, forgotten))
        })?;
        self.counted.extend(forgotten);
        self.count_undone(undone);
        Ok(())
    }

    fn count_undone(&mut self, undone: u64) {
        self.report.undone += undone;
        if undone > 0 {
            self.replica.tell_outcomes_uncounted();
        }
    }

    /// Runs the bootstrap on its way to its end.
    pub(super) fn run_bootstrap(&mut self) -> Result<(), Halt> {
        self.replica.begin_bulk()?;
        let result = self.bootstrap_steps();
        let ended = self.replica.end_bulk().and_then(|()| self.replica.checkpoint());
        result.and(ended.map_err(Halt::from))
    }

    fn bootstrap_steps(&mut self) -> Result<(), Halt> {
        self.load_pages()?;
        self.pull_to_end(Life::Incoming)?;
        let up_to = self.replica.read(queue::last_id)?;
        self.push_for_bootstrap(up_to)?;
        self.swap()?;
        self.delete_retired()?;
        Ok(())
    }

    /// Pushes the outbox up to a place while a checkpoint is on its way: nothing settles before the swap.
    pub(super) fn push_for_bootstrap(&mut self, up_to: i64) -> Result<(), Halt> {
        self.replica.write(|connection| {
            if State::load(connection)?.bootstrap.is_some_and(|bootstrap| bootstrap.reason == Reason::Rewound) {
                // Ops made since the bootstrap began still speak of the log that is gone.
                forget_bases(connection)?;
            }
            Ok(())
        })?;
        self.push_pass(up_to, Life::Incoming)
    }

    pub(super) fn load_pages(&mut self) -> Result<(), Halt> {
        let start = self.environment().monotonic();
        let result = self.load_each_page();
        self.report.pull_time += self.environment().monotonic().saturating_sub(start);
        result
    }

    fn load_each_page(&mut self) -> Result<(), Halt> {
        let mut unmoved = 0;
        let mut restarts = 0;
        let mut ahead = None;
        let mut circle = Circle::default();
        loop {
            let state = self.replica.read(State::load)?;
            let Some(bootstrap) = state.bootstrap.clone().filter(|bootstrap| bootstrap.phase == Phase::Load) else {
                return Ok(());
            };
            self.before_page()?;
            if bootstrap.page.is_none() {
                // Part of a first page may be there from a checkpoint whose name was never stored.
                self.replica.write(|connection| collections::retire(connection, Life::Incoming))?;
            }
            let request = CheckpointRequest {
                client: state.client,
                page: bootstrap.page.clone(),
                limit: self.settings.checkpoint_items,
                scope: bootstrap.scope.clone(),
            };
            // What came of fetching it ahead is the first try: a server that asks to be waited for is.
            let page = self.call(|wire| ahead.take().unwrap_or_else(|| wire.checkpoint(&request))).and_then(|page| {
                check_page(&page, &request)?;
                Ok(page)
            });
            let page = match page {
                Err(Halt::Error(Error::Wire(WireError::CheckpointExpired)))
                    if request.page.is_some() && restarts < MOST_RESTARTS =>
                {
                    self.restart()?;
                    restarts += 1;
                    circle = Circle::default();
                    continue;
                }
                other => other?,
            };
            if bootstrap.checkpoint.as_ref().is_some_and(|name| *name != page.checkpoint) {
                return Err(Error::protocol("a page belongs to another checkpoint than the page before").into());
            }
            let is_part = bootstrap.scope.have.is_some();
            let first_of_part = bootstrap.checkpoint.is_none() && is_part;
            if bootstrap.checkpoint.is_none() && !is_part {
                self.ask_whether_rewound(&state, bootstrap.reason)?;
            }
            if let Some(next) = &page.next {
                circle.step(next)?;
            }
            self.after_page(page.items.len(), page.next.is_some())?;
            let next = CheckpointRequest { page: page.next.clone(), ..request };
            let move_wal = unmoved >= WAL_BYTES;
            if move_wal {
                unmoved = 0;
            }
            if self.settings.prefetch && next.page.is_some() {
                let (wire, replica) = (self.wire, self.replica);
                let (fetching, is_fetching) = channel::<()>();
                let (loaded, fetched) = std::thread::scope(|scope| {
                    let fetch = std::thread::Builder::new().name("syncstore-fetch".into());
                    let fetch = fetch.spawn_scoped(scope, || {
                        // Gone with this thread, however it ends.
                        let _fetching = fetching;
                        // What cannot be moved now is moved later.
                        let _ = move_wal.then(|| replica.checkpoint());
                        wire.checkpoint(&next)
                    });
                    let loaded = self.load_page(&page, bootstrap);
                    while is_fetching.recv_timeout(STILL) == Err(RecvTimeoutError::Timeout) {
                        (self.stage)(Stage::Waiting);
                    }
                    (loaded, fetch.ok().map(|fetch| fetch.join()))
                });
                ahead = match fetched {
                    Some(Ok(page)) => Some(page),
                    Some(Err(panic)) => std::panic::resume_unwind(panic),
                    // For want of a thread.
                    None => None,
                };
                unmoved += loaded?;
            } else {
                if move_wal {
                    self.replica.checkpoint()?;
                }
                unmoved += self.load_page(&page, bootstrap)?;
            }
            if first_of_part {
                // The log is kept from the checkpoint's place on, and the cursor of the live items may be of one before. It
                // also tells whether the log was rewound.
                self.pull_to_end(Life::Live)?;
            }
        }
    }

    /// Asks with the cursor of the live items, once a checkpoint is there, whether the log is still the one that they came
    /// from: the server may have been restored before it made the checkpoint, and the swap takes the place of the cursor
    /// that would tell. One that is restored later says so of the checkpoint.
    fn ask_whether_rewound(&mut self, state: &State, reason: Reason) -> Result<(), Halt> {
        let (Some(cursor), true) = (&state.cursor, reason != Reason::Rewound) else { return Ok(()) };
        let request = PullRequest {
            client: state.client,
            cursor: Some(cursor.clone()),
            limit: 1,
            wait: Duration::ZERO,
            own_payloads: false,
            scope: Scope::of(state.asked.clone()),
        };
        match self.call(|wire| wire.pull(&request)) {
            Ok(_) | Err(Halt::Bootstrap { reason: Reason::Expired, .. }) => Ok(()),
            Err(halt) => Err(halt),
        }
    }

    /// Begins the loading anew: the server gave the checkpoint up.
    fn restart(&mut self) -> Result<()> {
        self.replica.write(|connection| {
            let mut state = State::load(connection)?;
            if let Some(bootstrap) = &mut state.bootstrap {
                *bootstrap = bootstrap.anew(bootstrap.scope.clone());
            }
            collections::retire(connection, Life::Incoming)?;
            state.store(connection)
        })?;
        // The next checkpoint needs the room.
        self.delete_retired()
    }

    /// Stores a page; the bytes that it has.
    fn load_page(&mut self, page: &CheckpointPage, was: Bootstrap) -> Result<u64> {
        let mut bytes = 0;
        let mut rest = page.items.as_slice();
        // Without an item there is still the state to store.
        loop {
            let (slice, later) = rest.split_at(slice_len(rest));
            rest = later;
            let last = rest.is_empty();
            let (undone, forgotten) = self.replica.write(|connection| {
                bytes += load_items(connection, slice, &was.scope)?;
                let mut state = State::load(connection)?;
                let Some(bootstrap) = &mut state.bootstrap else { return Ok((0, Vec::new())) };
                bootstrap.loaded += taken(slice, &was.scope);
                bootstrap.total = page.total;
                let (mut undone, mut forgotten) = (0, Vec::new());
                if last {
                    if was.checkpoint.is_none() {
                        bootstrap.checkpoint = Some(page.checkpoint.clone());
                        bootstrap.cursor = Some(page.cursor.clone());
                        bootstrap.position = page.seq;
                        // No cursor of this checkpoint went with the pushes that were answered before it.
                        forgotten = forget_answers(connection, bootstrap.reason)?;
                        if bootstrap.reason == Reason::Rewound {
                            // Whatever the server knows of the restored position: nothing is above its head.
                            undone = undo_above(connection, page.seq)?;
                            bootstrap.restored = Some(bootstrap.restored.map_or(page.seq, |seq| seq.min(page.seq)));
                        }
                    }
                    bootstrap.page.clone_from(&page.next);
                    let Scope { filter, have } = &bootstrap.scope;
                    let skips = planted(Planted::WideningSkipsPages) && have.is_some();
                    if skips || have.as_ref().is_some_and(|have| have.covers(filter)) {
                        // Nothing is missing, whatever a server that knows no filters goes on to send.
                        bootstrap.page = None;
                    }
                    if bootstrap.page.is_none() {
                        bootstrap.phase = Phase::Replay;
                    }
                }
                state.store(connection)?;
                Ok((undone, forgotten))
            })?;
            self.counted.extend(forgotten);
            self.count_undone(undone);
            self.report.loaded += taken(slice, &was.scope);
            if last {
                break;
            }
        }
        let loaded = was.loaded + taken(&page.items, &was.scope);
        (self.stage)(Stage::Loading(Progress { loaded, total: page.total }));
        Ok(bytes)
    }

    /// Makes what was loaded live, with the pending ops on top, in one transaction.
    fn swap(&mut self) -> Result<()> {
        let now = self.environment().unix_ms();
        let (settled, position, reason) = self.replica.write(|connection| {
            let mut state = State::load(connection)?;
            let Some(bootstrap) = state.bootstrap.take() else {
                return Ok((Default::default(), state.position, None));
            };
            if bootstrap.reason == Reason::Rewound {
                // As do those made since the push.
                forget_bases(connection)?;
            }
            let contests = contest::before_swap(connection, &bootstrap.scope.filter)?;
            let pending = items::live_pending(connection)?;
            let carried =
                if planted(Planted::SwapDropsPending) { pending.len().saturating_sub(1) } else { pending.len() };
            let lost_above = bootstrap.lost_above();
            for (old, collection, key) in pending.into_iter().take(carried) {
                let id = collections::find_or_create(connection, &collection, Life::Incoming)?;
                if bootstrap.scope.filter.has(&collection, &key) {
                    put_on_checkpoint(connection, old, (id, &key))?;
                } else {
                    carry_over(connection, old, (id, &key), lost_above)?;
                }
            }
            collections::retire(connection, Life::Live)?;
            collections::incoming_to_live(connection)?;
            connection.reloaded()?;
            let scope = &bootstrap.scope;
            let mut slice = Slice::new(connection, Life::Live, scope, bootstrap.position, now, &self.counted)?;
            // The conflicts go over to what was loaded as a whole.
            slice.any_conflict = false;
            slice.settle_answered(bootstrap.position)?;
            let settled = slice.finish()?;
            for (contest, decided, gone) in contests {
                contest.after(connection, &decided, gone, now)?;
            }
            conflicts::bound(connection)?;
            state.cursor = bootstrap.cursor;
            state.position = bootstrap.position;
            (state.asked, state.kept) = (scope.filter.clone(), scope.filter.clone());
            state.store(connection)?;
            let reason = match bootstrap.reason {
                Reason::Fresh => BootstrapReason::Fresh,
                Reason::Expired | Reason::Filter => BootstrapReason::Expired,
                Reason::Rewound => BootstrapReason::Rewound,
                Reason::Diverged => BootstrapReason::Diverged(String::new()),
            };
            Ok((settled, state.position, Some(reason)))
        })?;
        if let Some(reason) = reason {
            self.report.bootstrapped.get_or_insert(reason);
        }
        self.report.accepted += settled.accepted;
        self.report.rejected += settled.rejected;
        self.report.position = position;
        // Of what was here for its ops alone some may have gone with them.
        let kept = self.replica.read(State::load)?.kept;
        self.end_conflicts_outside(&kept)
    }

    /// Deletes what earlier swaps left, a slice at a time.
    pub(super) fn delete_retired(&mut self) -> Result<()> {
        while self.replica.write(|connection| collections::delete_retired(connection, SLICE as u32))? {}
        Ok(())
    }
}

/// Puts the pending ops of a live row on what the checkpoint has of the item, if it has it.
fn put_on_checkpoint(connection: &Connection, old: i64, (collection, key): (i64, &str)) -> Result<()> {
    let new = match items::find(connection, collection, key)? {
        Some(item) => item,
        None => Item { id: items::insert(connection, collection, key, 0, 0, None)?, rev: 0, pending: 0 },
    };
    let confirmed = items::value(connection, new.id)?;
    queue::move_item(connection, old, new.id)?;
    base::delete(connection, old)?;
    rebase(connection, new, confirmed.as_deref(), &queue::of_item(connection, new.id)?)
}

/// Takes a live row over, of an item that no checkpoint of this filter has and that is here for its ops alone: what is confirmed
/// of it is of the place in the log at which it ceased to be kept, and nothing newer will come. What was confirmed `lost_above` a
/// place is not.
fn carry_over(connection: &Connection, old: i64, (collection, key): (i64, &str), lost_above: Seq) -> Result<()> {
    let row = items::find_by_id(connection, old)?.filter(|row| row.rev <= lost_above);
    let confirmed = row.map_or(Ok(None), |row| base::confirmed(connection, row))?;
    let rev = row.map_or(0, |row| row.rev);
    // A row of its own: the index entries and the searches follow as they do for every other item.
    let new = Item { id: items::insert(connection, collection, key, rev, 0, None)?, rev, pending: 0 };
    if row.is_some() {
        resources::hand_over(connection, old, new.id)?;
    }
    queue::move_item(connection, old, new.id)?;
    base::delete(connection, old)?;
    rebase(connection, new, confirmed.as_deref(), &queue::of_item(connection, new.id)?)
}

fn forget_bases(connection: &Connection) -> Result<()> {
    if planted(Planted::Rule26BasesKept) { Ok(()) } else { queue::forget_bases(connection) }
}

fn forget_answers(connection: &Connection, reason: Reason) -> Result<Vec<(i64, Answer)>> {
    let kept = planted(Planted::Rule24AnsweredNotRepeated) && reason != Reason::Rewound
        || planted(Planted::Rule26HintsKept) && reason == Reason::Rewound;
    if kept { Ok(Vec::new()) } else { queue::forget_answers(connection) }
}

fn undo_above(connection: &Connection, restored: Seq) -> Result<u64> {
    if planted(Planted::Rule26NothingUndone) {
        return Ok(0);
    }
    undone::undo_above(connection, if planted(Planted::Rule26AllUndone) { 0 } else { restored })
}
