//! The sync engine: push, pull, rebase and bootstrap between a replica and a wire.

mod access;
mod bootstrap;
mod contest;
mod isolation;
mod outgoing;
mod pull;
mod push;
mod rebase;
mod received;
mod refusal;
mod report;
mod rescope;
mod retry;
mod seat;
mod seen;
mod slice;
mod token;
mod touched;

pub(crate) use access::Access;
pub(crate) use contest::is_same;
pub(crate) use rebase::rebase;
pub use report::{BootstrapReason, Progress, SyncReport};
pub use retry::RetryPolicy;
pub(crate) use retry::jitter;
pub(crate) use seat::Seat;
pub(crate) use seen::{Cause, Seen};

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::outbox::ledger::Retention;
use crate::outbox::{Answer, conflicts, ledger, queue};
use crate::protocol::InboxPage;
use crate::replica::collections::Life;
use crate::replica::state::{Phase, Reason, State, load_database, store_server};
use crate::wire::{Expiry, PullRequest, Traffic, Wire, WireError};
use isolation::Aside;
use retry::Retry;
use std::collections::HashMap;
use std::sync::Arc;

/// How often one call loads the replica anew before it says that this does not help.
const MOST_BOOTSTRAPS: u32 = 3;

/// How many pages without anything may follow each other while the server says that there is more. The reference server
/// passes 50,000 hidden entries with each.
const MOST_EMPTY_PAGES: u32 = 1_000;

/// Outcomes that one transaction prunes.
const PRUNE_SLICE: u64 = 2_000;

/// What the engine needs to know of the store's options.
#[derive(Clone)]
pub(crate) struct Settings {
    pub push_ops: u32,
    pub pull_entries: u32,
    pub checkpoint_items: u32,
    pub pages: u32,
    pub largest_file: u64,
    pub prefetch: bool,
    pub retention: Retention,
    pub retry: RetryPolicy,
    pub environment: Arc<dyn Environment>,
}

/// What to do of the two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Push,
    Pull,
    Both,
}

/// What a call is at, told as it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Pushing,
    Pulling,
    Loading(Progress),
    /// As before, and there is nothing to do but to wait.
    Waiting,
}

/// A page of the log that was asked for before the call, and what for.
#[derive(Debug)]
pub(crate) struct Given {
    pub request: PullRequest,
    pub page: InboxPage,
}

/// Why a step stopped.
enum Halt {
    Error(Error),
    /// The replica needs a checkpoint before anything else can go on.
    Bootstrap {
        reason: Reason,
        restored: Option<u64>,
        error: Error,
    },
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        let (reason, restored) = match &error {
            Error::Diverged(_) => (Reason::Diverged, None),
            Error::Wire(WireError::CursorExpired(Expiry::Rewound { restored })) => (Reason::Rewound, *restored),
            Error::Wire(WireError::CursorExpired(_)) => (Reason::Expired, None),
            _ => return Halt::Error(error),
        };
        Halt::Bootstrap { reason, restored, error }
    }
}

/// One call of `sync`, `push` or `pull`.
pub(crate) struct Engine<'a> {
    replica: Access<'a>,
    wire: &'a dyn Wire,
    settings: &'a Settings,
    retry: Retry,
    report: SyncReport,
    /// Ops whose answer a report has counted and this call has forgotten, to ask again: they count once.
    counted: HashMap<i64, Answer>,
    /// Pages that the call has read, and how many of the last ones had nothing in them though more were to follow.
    pages: u32,
    empty_pages: u32,
    /// Why the last pass over the outbox left something for the next call.
    aside: Option<WireError>,
    /// What this call and those before it have set aside.
    set_aside: &'a mut Aside,
    /// Taken by the first pull that asks for the same.
    given: Option<Given>,
    stage: &'a mut dyn FnMut(Stage),
}

impl<'a> Engine<'a> {
    pub fn new(
        replica: Access<'a>,
        wire: &'a dyn Wire,
        settings: &'a Settings,
        (given, set_aside): (Option<Given>, &'a mut Aside),
        stage: &'a mut dyn FnMut(Stage),
    ) -> Engine<'a> {
        let retry = Retry::new(settings.retry);
        Engine {
            replica,
            wire,
            settings,
            retry,
            report: SyncReport::default(),
            counted: HashMap::new(),
            pages: 0,
            empty_pages: 0,
            aside: None,
            set_aside,
            given,
            stage,
        }
    }

    /// Runs to the end of what the direction asks for; the report tells what was done even when it fails.
    pub fn run(mut self, direction: Direction) -> (SyncReport, Result<()>) {
        let start = self.environment().monotonic();
        let before = self.wire.traffic();
        let result = self.steps(direction);
        let Traffic { sent, received, round_trips } = self.wire.traffic();
        self.report.bytes_sent = sent.saturating_sub(before.sent);
        self.report.bytes_received = received.saturating_sub(before.received);
        self.report.round_trips = round_trips.saturating_sub(before.round_trips);
        self.report.retries = self.retry.retries;
        self.report.elapsed = self.environment().monotonic().saturating_sub(start);
        (self.report, result)
    }

    fn steps(&mut self, direction: Direction) -> Result<()> {
        // A load that was cancelled beside another writer could not.
        self.replica.end_bulk()?;
        let state = self.replica.read(State::load)?;
        self.report.position = state.position;
        // Ops made while the call runs wait for the next one, so that it ends however fast the host writes.
        let up_to = self.replica.read(queue::last_id)?;
        let mut bootstraps = 0;
        let mut begun: Option<BootstrapReason> = None;
        if state.cursor.is_none() && state.bootstrap.is_none() && direction != Direction::Push {
            self.begin_bootstrap(Reason::Fresh, None)?;
        }
        loop {
            let (reason, restored, error) = match self.attempt(direction, up_to) {
                Ok(()) => break,
                Err(Halt::Error(error)) => return Err(error),
                Err(Halt::Bootstrap { reason, restored, error }) => (reason, restored, error),
            };
            bootstraps += 1;
            if bootstraps > MOST_BOOTSTRAPS {
                return Err(error);
            }
            if reason == Reason::Rewound
                && let Err(Halt::Error(error)) = self.meet_server()
            {
                return Err(error);
            }
            self.begin_bootstrap(reason, restored)?;
            if let Error::Diverged(why) = error {
                begun = Some(BootstrapReason::Diverged(why));
            }
        }
        if begun.is_some() && self.report.bootstrapped.is_some() {
            self.report.bootstrapped = begun;
        }
        self.prune()?;
        self.report.aside = self.aside.is_some();
        self.aside.take().map_or(Ok(()), |error| Err(error.into()))
    }

    fn attempt(&mut self, direction: Direction, up_to: i64) -> Result<(), Halt> {
        self.narrow()?;
        // Once for each opening of the file.
        if !self.replica.limits_asked() {
            self.meet_server()?;
        }
        // As often, and noted apart: either may fail when the other is done.
        if !self.replica.waiting_forgotten() {
            // A copy of this file may have been told what became of them, and the server may have been restored.
            self.forget_waiting(Answer::Queued, up_to)?;
            self.replica.set_waiting_forgotten();
        }
        self.delete_retired()?;
        let bootstrap = self.replica.read(State::load)?.bootstrap;
        if bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.phase == Phase::Join) {
            self.join()?;
        } else if bootstrap.is_some_and(|bootstrap| bootstrap.scope.have.is_none()) {
            match self.run_bootstrap() {
                // There may never be room for the checkpoint; the user's ops do not wait for that.
                Err(Halt::Error(error @ Error::TooLarge { .. })) if direction != Direction::Pull => {
                    self.push_for_bootstrap(up_to)?;
                    return Err(error.into());
                }
                ended => ended?,
            }
        }
        match direction {
            Direction::Push => self.push_pass(up_to, Life::Live),
            Direction::Pull => {
                self.pull_to_end(Life::Live)?;
                if self.rescope()? { self.pull_to_end(Life::Live) } else { Ok(()) }
            }
            // What is missing of another filter may take long to load, and nothing else waits for it.
            Direction::Both => {
                self.push_and_pull(up_to)?;
                if self.rescope()? { self.push_and_pull(up_to) } else { Ok(()) }
            }
        }
    }

    /// Pushes and pulls until nothing that waited at the call's begin can go any further.
    fn push_and_pull(&mut self, up_to: i64) -> Result<(), Halt> {
        let mut unstaged = false;
        let mut before = self.replica.read(|connection| queue::left(connection, up_to))?;
        loop {
            self.push_pass(up_to, Life::Live)?;
            self.pull_to_end(Life::Live)?;
            let left = self.replica.read(|connection| queue::left(connection, up_to))?;
            // What is left would be left the next time, too. (A pull that settles a rejection frees what waits behind it, even
            // when nothing went.) But for a batch that the server has forgotten a part of: that is asked about once.
            if left.1 == 0 || left == before {
                if unstaged || !self.forget_waiting(Answer::Staged, up_to)? {
                    return Ok(());
                }
                unstaged = true;
            }
            before = left;
        }
    }

    /// Asks what the server takes, so that the store can refuse locally what the server would, and which database
    /// it is: another one's log must not pass for this replica's, restored from a backup.
    fn meet_server(&mut self) -> Result<(), Halt> {
        (self.stage)(Stage::Pulling);
        let info = self.call(|wire| wire.info())?;
        let limits = info.limits.readable();
        self.replica.write(|connection| {
            if let (Some(expected), Some(found)) = (load_database(connection)?, &info.database)
                && expected != *found
            {
                return Err(Error::WrongDatabase { expected, found: found.clone() });
            }
            store_server(connection, &limits, info.database.as_deref())
        })?;
        self.replica.set_limits(limits);
        Ok(())
    }

    /// Whether a page may be asked for: a server that never comes to an end gets one from this call, and does not fill
    /// the disk.
    fn before_page(&mut self) -> Result<()> {
        if self.pages >= self.settings.pages {
            return Err(Error::protocol(format!("there was more after {} pages; the next call goes on", self.pages)));
        }
        self.pages += 1;
        let (bytes, loading) = self.replica.read_at_once(|connection| {
            let bootstrap = State::load(connection)?.bootstrap;
            let replaces = bootstrap.is_some_and(|bootstrap| bootstrap.scope.have.is_none());
            Ok((crate::replica::content_bytes(connection)?, replaces))
        })?;
        // What a checkpoint replaces is there until the swap.
        let limit = self.settings.largest_file.saturating_mul(if loading { 2 } else { 1 });
        if bytes >= limit { Err(Error::TooLarge { bytes, limit }) } else { Ok(()) }
    }

    /// Counts a page, if it had nothing in it and `more` are to follow.
    fn after_page(&mut self, len: usize, more: bool) -> Result<()> {
        self.empty_pages = if more && len == 0 { self.empty_pages + 1 } else { 0 };
        if self.empty_pages > MOST_EMPTY_PAGES {
            return Err(Error::protocol(format!("{MOST_EMPTY_PAGES} pages in a row had nothing in them")));
        }
        Ok(())
    }

    fn prune(&mut self) -> Result<()> {
        let now = self.environment().unix_ms();
        let retention = self.settings.retention;
        while self.replica.write(|connection| ledger::prune(connection, &retention, now, PRUNE_SLICE))? >= PRUNE_SLICE {
        }
        self.replica.write(|connection| conflicts::bound(connection))
    }

    /// Makes a request over the wire, tried again as the policy allows. No lock is held.
    fn call<T>(&mut self, mut request: impl FnMut(&dyn Wire) -> Result<T, WireError>) -> Result<T, Halt> {
        let environment = self.environment();
        let replica = self.replica;
        replica.check()?;
        let result = self.retry.call(environment, |wait| replica.sleep(environment, wait), || request(self.wire));
        // A wire that was cut off in the middle may tell it in other words.
        result.map_err(|error| Halt::from(replica.check().err().unwrap_or(Error::from(error))))
    }

    fn environment(&self) -> &'a dyn Environment {
        &*self.settings.environment
    }
}
