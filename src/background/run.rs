//! The thread of the background sync: does what the schedule says, and tells it what came of that.

use super::line::Line;
use super::lookout::Lookout;
use super::mailbox::Mailbox;
use super::schedule::{Ended, News, Schedule, Step};
use super::{Leg, SyncPolicy, SyncState, SyncStatus, Told};
use crate::cancel::Cancel;
use crate::conflict::{ConflictId, Decisions, Question, Settled};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::event::LogLevel;
use crate::event::bus::Bus;
use crate::outbox::queue;
use crate::protocol::{Filter, InboxPage, Scope};
use crate::replica::Replica;
use crate::replica::state::{self, State};
use crate::sync::{Access, Direction, Given, RetryPolicy, Seat, Settings, Stage, SyncReport};
use crate::wire::{PullRequest, WireError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// How long it lets be what panicked.
const BREATH: Duration = Duration::from_secs(1);

/// What others tell the thread.
#[derive(Default)]
pub(super) struct Mail {
    pub wrote: bool,
    pub now: bool,
    pub pause: Option<bool>,
    pub credential: bool,
    pub stop: bool,
    pub polled: Option<(PullRequest, Result<InboxPage, WireError>)>,
    /// The resolver has come back.
    pub decided: Option<Question>,
}

pub(super) struct Loop {
    replica: Arc<Replica>,
    seat: Arc<Seat>,
    settings: Settings,
    wait_for_news: Duration,
    leg: Arc<Leg>,
    cancel: Cancel,
    line: Line,
    mailbox: Arc<Mailbox<Mail>>,
    schedule: Schedule,
    status: Arc<Told>,
    bus: Arc<Bus>,
    /// The last failure, while it lasts.
    trouble: Option<String>,
    /// Whether the last run left what the server refuses, without saying why, and did everything else.
    refused: bool,
    /// Whether the last push was told that there is no room: it is logged once.
    server_was_full: bool,
    /// The last operation that a run has begun with.
    covered: i64,
    /// What the host wanted kept when the last run began that can bring it about.
    taken_up: Option<Filter>,
    lookout: Arc<Lookout>,
    given: Option<Given>,
    decisions: Option<Arc<Decisions>>,
    /// Whether the resolver is being asked, on another thread.
    asking: bool,
    /// Whether a run has ended meanwhile, and there may be more to ask.
    ask_again: bool,
    /// Cancelled when it is to stop, for good; pausing does not end what is done with the resolver's answer.
    closing: Cancel,
    stopping: bool,
}

impl Loop {
    pub fn new(
        (replica, seat, settings): (Arc<Replica>, Arc<Seat>, Settings),
        (leg, mailbox): (Arc<Leg>, Arc<Mailbox<Mail>>),
        (policy, lookout): (SyncPolicy, Arc<Lookout>),
        (status, bus): (Arc<Told>, Arc<Bus>),
        (decisions, closing): (Option<Arc<Decisions>>, Cancel),
    ) -> Loop {
        let wait_for_news = policy.poll;
        let (cancel, line, _) = leg.present();
        // The schedule tries again, and says when.
        let settings = Settings { retry: RetryPolicy::never(), ..settings };
        let schedule = Schedule::new(policy, settings.environment.monotonic());
        Loop {
            replica,
            seat,
            settings,
            wait_for_news,
            leg,
            cancel,
            line,
            mailbox,
            schedule,
            status,
            bus,
            trouble: None,
            refused: false,
            server_was_full: false,
            covered: 0,
            taken_up: None,
            lookout,
            given: None,
            decisions,
            asking: false,
            ask_again: false,
            closing,
            stopping: false,
        }
    }

    pub fn run(mut self) {
        self.lookout.settle_here();
        self.bus.log(LogLevel::Info, || "background sync started".into());
        while !self.stopping {
            if catch_unwind(AssertUnwindSafe(|| self.step())).is_err() {
                // Wakers, wires and resolvers are caught where they are called; what is left is the host's clock or this crate.
                self.fail(
                    "the background sync panicked, in the clock that the store was given or in the library".into(),
                );
                // Where that is before anything else, it must not go around without end.
                let mail = self.mailbox.take(BREATH);
                self.read(mail);
            }
        }
        // What comes later has nobody to read it, and a question that lay there would be asked by nobody else.
        self.closing.cancel();
        drop(self.mailbox.take(Duration::ZERO));
        self.seat.release();
        self.bus.log(LogLevel::Info, || "background sync stopped".into());
    }

    fn environment(&self) -> &dyn Environment {
        &*self.settings.environment
    }

    fn now(&self) -> Duration {
        self.environment().monotonic()
    }

    fn step(&mut self) {
        // First, so that an interruption is never of a leg whose mail was not read.
        let (cancel, line, interrupted) = self.leg.present();
        if interrupted {
            (self.cancel, self.line) = (cancel, line);
            self.schedule.poll_dropped(self.now());
        }
        let mail = self.mailbox.take(Duration::ZERO);
        self.read(mail);
        if self.stopping {
            return;
        }
        if !self.schedule.wants_turn() {
            self.lookout.let_go();
        }
        match self.schedule.next(self.now()) {
            Step::Run(direction) => self.sync(direction),
            Step::Poll => self.poll(),
            Step::Look => self.look(),
            Step::Wait(patience) => {
                self.tell(self.schedule.state());
                let mail = self.mailbox.take(patience);
                self.read(mail);
            }
        }
    }

    fn read(&mut self, mail: Mail) {
        let now = self.now();
        let Mail { wrote, now: at_once, pause, credential, stop, polled, decided } = mail;
        self.stopping |= stop;
        // First: what the host asks for now is not put off by what came before it.
        if let Some((request, came)) = polled {
            self.polled(request, came);
        }
        if wrote {
            self.schedule.wrote(now);
        }
        match pause {
            Some(true) => self.schedule.pause(),
            Some(false) => self.schedule.resume(now),
            None => {}
        }
        if credential {
            self.schedule.credential_changed(now);
        }
        if at_once {
            self.schedule.now(now);
        }
        if let Some(question) = decided {
            self.decided(question);
        }
    }

    fn sync(&mut self, direction: Direction) {
        self.schedule.begin_run();
        // Whatever cannot be read shows in the run.
        self.covered = self.replica.read(queue::last_id).unwrap_or(self.covered);
        if direction == Direction::Both {
            self.taken_up = self.replica.read(state::load_keep).ok();
        }
        let given = self.given.take();
        let (status, bus, trouble) = (Arc::clone(&self.status), Arc::clone(&self.bus), self.trouble.clone());
        let lookout = Arc::clone(&self.lookout);
        let mut told = |stage| {
            let state = match stage {
                Stage::Pushing => SyncState::Pushing,
                Stage::Pulling => SyncState::Pulling,
                Stage::Loading(progress) => SyncState::Bootstrapping { loaded: progress.loaded, total: progress.total },
                Stage::Waiting => return lookout.look_if_due(),
            };
            tell(&status, &bus, SyncStatus { error: trouble.clone(), ..SyncStatus::of(state) }, None);
        };
        let (settings, cancel) = (&self.settings, &self.cancel);
        let (report, result) = self.seat.run_and_keep(settings, &self.line, direction, given, cancel, &mut told);
        let (now, random) = (self.now(), self.environment().random());
        let progress = report.pushed + report.pulled + report.loaded > 0;
        self.log(direction, &report);
        let ended = match result {
            Ok(()) => Ended::Well,
            Err(_) if self.cancel.is_cancelled() => {
                self.schedule.interrupted(now);
                return self.decide(ConflictId(0));
            }
            Err(error) => self.trouble(&error),
        };
        if ended == Ended::Well {
            self.trouble = None;
        }
        // What is refused is tried again with the next run; that keeps nothing else from going on.
        self.refused = report.aside && ended == Ended::Failed;
        let ended = if self.refused { Ended::Well } else { ended };
        if self.line.gave_up() {
            // Cuts off what did not come back, where that can be, and goes on over new connections.
            self.leg.interrupt();
        }
        let left = self.replica.read(|connection| queue::left(connection, self.covered)).is_ok_and(|left| left.1 > 0);
        self.schedule.ran(now, direction, ended, progress, left, random);
        self.decide(ConflictId(0));
    }

    /// Has the resolver asked about the first conflict behind another, one at a time, beside everything else.
    fn decide(&mut self, after: ConflictId) {
        let Some(decisions) = &self.decisions else { return };
        if self.asking {
            self.ask_again = true;
            return;
        }
        // What cannot be read now is asked about after the next run.
        if let Ok(Some(question)) = decisions.next(Access::new(&self.replica, Some(&self.closing)), after) {
            self.ask(question);
        } else if std::mem::take(&mut self.ask_again) {
            self.decide(ConflictId(0));
        }
    }

    fn ask(&mut self, mut question: Question) {
        let (mailbox, closing) = (Arc::clone(&self.mailbox), self.closing.clone());
        let asked = self.line.aside(move || {
            question.ask();
            let mut question = Some(question);
            mailbox.post(|mail| {
                // Under the mailbox's lock: either it is taken out at the end of the thread, or not put in.
                if !closing.is_cancelled() {
                    mail.decided = question.take();
                }
            });
        });
        self.asking = asked.is_ok();
    }

    /// The resolver has come back.
    fn decided(&mut self, question: Question) {
        self.asking = false;
        let id = question.id();
        match question.settle(Access::new(&self.replica, Some(&self.closing))) {
            Settled::Again(question) => return self.ask(*question),
            Settled::Wrote => self.schedule.wrote(self.now()),
            Settled::Done => {}
        }
        self.decide(id);
    }

    fn poll(&mut self) {
        let asked = self.replica.read_at_once(|connection| {
            let state = State::load(connection)?;
            Ok(PullRequest {
                client: state.client,
                cursor: state.cursor,
                // What the cursor is of, as the engine asks.
                scope: Scope::of(state.asked),
                limit: self.settings.pull_entries,
                wait: self.wait_for_news,
                own_payloads: queue::any_in_doubt(connection)?,
            })
        });
        self.schedule.poll_begun(self.now());
        let mailbox = Arc::clone(&self.mailbox);
        let sent = asked.and_then(|request| {
            let then = move |request, came| mailbox.post(|mail| mail.polled = Some((request, came)));
            Ok(self.line.pull_then(request, then)?)
        });
        if let Err(error) = sent {
            let (now, random) = (self.now(), self.environment().random());
            let ended = self.trouble(&error);
            self.schedule.polled(now, ended, News::Nothing, random);
        }
    }

    /// The answer to a poll came.
    fn polled(&mut self, request: PullRequest, came: Result<InboxPage, WireError>) {
        let (now, random) = (self.now(), self.environment().random());
        match came {
            Ok(page) => {
                let state = self.replica.read(State::load);
                if !state.is_ok_and(|state| state.cursor == request.cursor && state.client == request.client) {
                    // A run has been there meanwhile.
                    return self.schedule.poll_dropped(now);
                }
                let news = match Some(&page.cursor) == request.cursor.as_ref() {
                    _ if page.more || !page.entries.is_empty() => News::Entries,
                    true => News::Nothing,
                    false => News::Cursor,
                };
                self.given = (news != News::Nothing).then_some(Given { request, page });
                self.schedule.polled(now, Ended::Well, news, random);
            }
            // The engine finds it out again, and knows what to do.
            Err(WireError::CursorExpired(_)) => self.schedule.polled(now, Ended::Well, News::Cursor, random),
            Err(error) => {
                let ended = self.trouble(&Error::Wire(error));
                self.schedule.polled(now, ended, News::Nothing, random);
            }
        }
    }

    fn look(&mut self) {
        self.lookout.look();
        let last = self.replica.read(queue::last_id).unwrap_or(0);
        let now = self.now();
        self.schedule.looked(now, last > self.covered);
        if self.replica.read(State::load).is_ok_and(|state| self.is_to_rescope(&state)) {
            self.schedule.now(now);
        }
    }

    /// Whether another filter was set that no run has begun with, by another store too. What a run has begun with is not compared
    /// again: it may stay another one than what is kept, where one list cannot say that.
    fn is_to_rescope(&self, state: &State) -> bool {
        let is_about = state.kept == state.keep && state.asked == state.keep;
        !is_about && self.taken_up.as_ref().is_some_and(|taken_up| *taken_up != state.keep)
    }

    /// Takes note of a failure, and says of what kind it is.
    fn trouble(&mut self, error: &Error) -> Ended {
        let ended = kind(error);
        let text = error.to_string();
        let level = if ended == Ended::Failed || ended == Ended::Credential { LogLevel::Error } else { LogLevel::Warn };
        if self.trouble.as_ref() != Some(&text) {
            self.bus.log(level, || text.clone());
        }
        self.trouble = Some(text);
        ended
    }

    fn fail(&mut self, text: String) {
        let now = self.now();
        self.bus.log(LogLevel::Error, || text.clone());
        self.trouble = Some(text);
        self.schedule.ran(now, Direction::Both, Ended::Failed, false, false, 0);
    }

    fn log(&mut self, direction: Direction, report: &SyncReport) {
        if report.rejected > 0 {
            self.bus.log(LogLevel::Warn, || format!("{} operations were rejected", report.rejected));
        }
        if report.full && !self.server_was_full {
            self.bus
                .log(LogLevel::Warn, || "the server's database has no room: it takes deletes, all else waits".into());
        } else if report.skipped > 0 && !report.full {
            self.bus
                .log(LogLevel::Info, || format!("{} operations were skipped by the server, and wait", report.skipped));
        }
        if direction != Direction::Pull {
            self.server_was_full = report.full;
        }
        if let Some(reason) = &report.bootstrapped {
            self.bus.log(LogLevel::Info, || format!("loaded {} items from a checkpoint: {reason}", report.loaded));
        }
        if report.undone > 0 {
            self.bus.log(LogLevel::Warn, || format!("{} operations were undone by a restored server", report.undone));
        }
        self.bus.log(LogLevel::Debug, || {
            let SyncReport { pushed, accepted, pulled, elapsed, .. } = report;
            format!("{direction:?}: pushed {pushed}, accepted {accepted}, pulled {pulled} in {elapsed:?}")
        });
    }

    fn tell(&self, state: SyncState) {
        let now = self.now();
        let next_try = self.schedule.next_try(now);
        let state = if self.refused && state == SyncState::Idle { SyncState::Failed } else { state };
        let error = self.trouble.clone().filter(|_| !matches!(state, SyncState::Idle | SyncState::Paused));
        tell(&self.status, &self.bus, SyncStatus { state, next_try, error }, next_try.map(|wait| now + wait));
    }
}

fn tell(told: &Told, bus: &Bus, status: SyncStatus, again: Option<Duration>) {
    if told.set(&status, again) {
        bus.status(&status);
    }
}

/// What a failure means for the next try.
fn kind(error: &Error) -> Ended {
    match error {
        Error::SyncedElsewhere => Ended::Elsewhere,
        Error::Wire(WireError::Unauthenticated(_)) => Ended::Credential,
        // Not by the host's word, which is looked at before: a wire of its own ended the request.
        Error::Wire(WireError::Cancelled) => Ended::Passing(None),
        Error::Wire(error) if error.is_transient() => Ended::Passing(error.retry_after()),
        // A captive portal, or something else that is no SyncStore server.
        Error::Wire(WireError::Refused { code, .. }) if code.is_empty() => Ended::Passing(None),
        error if error.is_transient() => Ended::Passing(None),
        _ => Ended::Failed,
    }
}
