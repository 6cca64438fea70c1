//! When to do what: the decisions of the background sync, without a thread, a clock or a file.
//!
//! Times are what [`Environment::monotonic`](crate::environment::Environment::monotonic) says. Whatever is fed in, unsent work is
//! due again within the policy's `backstop`, unless the host paused.

use super::policy::SyncPolicy;
use super::status::SyncState;
use crate::sync::{Direction, jitter};
use std::time::Duration;

/// How long after a push its entries are waited for in the held answer before they are pulled.
const SETTLE: Duration = Duration::from_secs(1);

/// How long after an answer that was not held the next one is asked for; it doubles with each in a row.
const UNHELD: Duration = Duration::from_millis(500);

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Sync; [`Schedule::begin_run`] and [`Schedule::ran`] tell how it went.
    Run(Direction),
    /// Ask for news with an answer that may be held; [`Schedule::polled`] tells what came.
    Poll,
    /// Look what other processes did; [`Schedule::looked`] tells what was found.
    Look,
    /// Nothing, for so long.
    Wait(Duration),
}

/// How a run or a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    /// It may go well the next time; the server may have said when.
    Passing(Option<Duration>),
    /// Another store syncs the file.
    Elsewhere,
    /// The credential is refused.
    Credential,
    /// It will not pass by itself.
    Failed,
}

/// What an answer to a request for news brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Nothing,
    /// No entry, but another cursor, or that the one before is worth nothing: something to pull, and no reason to have answered at once.
    Cursor,
    Entries,
}

/// Why nothing is tried before some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hold {
    until: Duration,
    state: SyncState,
}

#[derive(Debug)]
pub(super) struct Schedule {
    policy: SyncPolicy,
    paused: bool,
    hold: Option<Hold>,
    failures: u32,
    /// Whether the log was read to its end since the beginning, so that there is something to wait for news from.
    caught_up: bool,
    /// The first and the last write that no run has begun with.
    written: Option<(Duration, Duration)>,
    /// When to sync in any case.
    run_at: Option<Duration>,
    /// When to pull what a push did, unless it comes by itself.
    settle_at: Option<Duration>,
    pull_at: Duration,
    poll_at: Duration,
    /// Since when an answer is held.
    polling: Option<Duration>,
    /// Answers in a row that were not held and had no entries.
    unheld: u32,
    look_at: Duration,
}

impl Schedule {
    pub fn new(policy: SyncPolicy, now: Duration) -> Schedule {
        Schedule {
            policy,
            paused: false,
            hold: None,
            failures: 0,
            caught_up: false,
            written: None,
            run_at: Some(now),
            settle_at: None,
            pull_at: now,
            poll_at: now,
            polling: None,
            unheld: 0,
            look_at: now,
        }
    }

    pub fn next(&self, now: Duration) -> Step {
        if self.look_at <= now {
            return Step::Look;
        }
        if self.paused {
            return wait(now, [self.look_at]);
        }
        if let Some(hold) = self.hold {
            return if hold.until <= now { Step::Run(Direction::Both) } else { wait(now, [hold.until, self.look_at]) };
        }
        let never = Duration::MAX;
        let run_at = self.run_at.unwrap_or(never);
        let push_at = self.push_at().unwrap_or(never);
        let settle_at = self.settle_at.unwrap_or(never);
        if run_at <= now {
            return Step::Run(Direction::Both);
        }
        if push_at <= now {
            // What it does comes with the answer that is held.
            return Step::Run(if self.polling.is_some() { Direction::Push } else { Direction::Both });
        }
        if settle_at <= now {
            return Step::Run(Direction::Both);
        }
        let news_at = match (self.policy.poll.is_zero(), self.polling) {
            (true, _) if self.pull_at <= now => return Step::Run(Direction::Both),
            (true, _) => self.pull_at,
            // One that does not come back is done without.
            (false, Some(begun)) => {
                let at = self.pull_at.max(begun + self.policy.poll + self.policy.pull_every);
                if at <= now {
                    return Step::Run(Direction::Both);
                }
                at
            }
            (false, None) if self.caught_up && self.poll_at <= now => return Step::Poll,
            (false, None) if self.caught_up => self.poll_at,
            // The run that is due brings it there.
            (false, None) => never,
        };
        wait(now, [run_at, push_at, settle_at, news_at, self.look_at])
    }

    /// When the writes so far are to go.
    fn push_at(&self) -> Option<Duration> {
        let (first, last) = self.written?;
        Some((last + self.policy.debounce).min(first + self.policy.longest_debounce))
    }

    /// What to tell of it while nothing is under way.
    pub fn state(&self) -> SyncState {
        match (self.paused, self.hold) {
            (true, _) => SyncState::Paused,
            (false, Some(hold)) => hold.state,
            (false, None) => SyncState::Idle,
        }
    }

    /// When it goes on, if something is put off, or was left by a run that went well.
    pub fn next_try(&self, now: Duration) -> Option<Duration> {
        let until = self.hold.map(|hold| hold.until).or(self.run_at.filter(|at| *at > now));
        until.filter(|_| !self.paused).map(|until| until.saturating_sub(now))
    }

    /// Whether it may hold the turn to sync.
    pub fn wants_turn(&self) -> bool {
        let waits = |hold: Hold| matches!(hold.state, SyncState::NeedsCredential | SyncState::Failed);
        !self.paused && !self.hold.is_some_and(waits)
    }

    /// There is a new operation.
    pub fn wrote(&mut self, now: Duration) {
        let first = self.written.map_or(now, |(first, _)| first);
        self.written = Some((first, now));
    }

    /// The host wants a sync at once, whatever the last one ended with.
    pub fn now(&mut self, now: Duration) {
        self.hold = None;
        self.run_at = Some(now);
    }

    pub fn pause(&mut self) {
        self.paused = true;
    }

    pub fn resume(&mut self, now: Duration) {
        if std::mem::take(&mut self.paused) {
            self.now(now);
        }
    }

    /// The host has another credential than the one that was refused, or that something else failed with.
    pub fn credential_changed(&mut self, now: Duration) {
        let waits = |hold: Hold| matches!(hold.state, SyncState::NeedsCredential | SyncState::Failed);
        if self.hold.is_some_and(waits) {
            self.now(now);
        }
    }

    /// A look at the file; whether it `found` an operation that no run has begun with.
    pub fn looked(&mut self, now: Duration, found: bool) {
        self.look_at = now + self.policy.look_every;
        if found && self.written.is_none() {
            self.wrote(now);
        }
    }

    pub fn begin_run(&mut self) {
        self.written = None;
        self.run_at = None;
        self.settle_at = None;
    }

    /// A run was cut off by the host, not by a failure.
    pub fn interrupted(&mut self, now: Duration) {
        self.run_at = Some(now);
    }

    /// A run ended: what it was, whether it did anything for its trouble, and whether operations are left that it should
    /// have got rid of.
    pub fn ran(&mut self, now: Duration, run: Direction, ended: Ended, progress: bool, left: bool, random: u64) {
        if ended != Ended::Well {
            if progress {
                self.failures = 0;
            }
            return self.failed(now, ended, random);
        }
        (self.hold, self.failures) = (None, 0);
        if run == Direction::Push {
            self.settle_at = Some(now + SETTLE);
        } else {
            self.caught_up = true;
            self.pull_at = now + self.policy.pull_every;
        }
        if left {
            self.run_at = Some(now + self.policy.backstop);
        }
    }

    pub fn poll_begun(&mut self, now: Duration) {
        self.polling = Some(now);
    }

    /// The held answer came, with what news it has, or failed.
    pub fn polled(&mut self, now: Duration, ended: Ended, news: News, random: u64) {
        let Some(begun) = self.polling.take() else { return };
        match ended {
            Ended::Well => {
                if news != News::Nothing {
                    // The server is there again, whatever a run found before.
                    self.hold = self.hold.filter(|hold| hold.state != SyncState::Offline);
                    self.run_at = Some(now);
                }
                if news == News::Entries || now.saturating_sub(begun) >= self.policy.poll / 2 {
                    (self.unheld, self.poll_at) = (0, now);
                } else {
                    // A server that is about to stop lets go of what it holds.
                    self.poll_later(now);
                }
            }
            // What put off everything else was told already.
            _ if self.hold.is_some() || self.paused => self.poll_at = now,
            // It may be of a credential, or of something else, that was changed while it was under way: a run finds it out.
            Ended::Credential | Ended::Failed => {
                self.run_at = Some(now);
                self.poll_later(now);
            }
            _ => {
                self.poll_at = now;
                self.failed(now, ended, random);
            }
        }
    }

    /// A server that never holds an answer, or refuses to, is asked seldom.
    fn poll_later(&mut self, now: Duration) {
        let wait = UNHELD.saturating_mul(1_u32.checked_shl(self.unheld).unwrap_or(u32::MAX));
        self.unheld = self.unheld.saturating_add(1);
        self.poll_at = now + wait.min(self.policy.pull_every);
    }

    /// The request for news was given up before it was answered.
    pub fn poll_dropped(&mut self, now: Duration) {
        self.polling = None;
        self.poll_at = now;
    }

    fn failed(&mut self, now: Duration, ended: Ended, random: u64) {
        let policy = &self.policy;
        let (wait, state) = match ended {
            Ended::Well => return,
            Ended::Passing(asked) => {
                self.failures = self.failures.saturating_add(1);
                let drawn = jitter(policy.first_wait, policy.longest_wait, self.failures, random);
                (asked.map_or(drawn, |asked| asked.saturating_add(drawn)), SyncState::Offline)
            }
            Ended::Elsewhere => (policy.look_every, SyncState::SyncedElsewhere),
            Ended::Credential => (policy.backstop, SyncState::NeedsCredential),
            Ended::Failed => (policy.backstop, SyncState::Failed),
        };
        self.hold = Some(Hold { until: now + wait.min(policy.backstop), state });
    }
}

/// Until the first of some times.
fn wait<const N: usize>(now: Duration, times: [Duration; N]) -> Step {
    let first = times.into_iter().min().unwrap_or(Duration::MAX);
    Step::Wait(first.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Both, Push};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Far from the clock's own beginning.
    const START: Duration = ms(1_000_000);

    fn policy() -> SyncPolicy {
        SyncPolicy { look_every: Duration::from_secs(3_600), ..SyncPolicy::default() }
    }

    /// One that has looked at the file, and synced once.
    fn settled(policy: SyncPolicy) -> Schedule {
        let mut schedule = Schedule::new(policy, START);
        assert_eq!(schedule.next(START), Step::Look);
        schedule.looked(START, false);
        assert_eq!(schedule.next(START), Step::Run(Both));
        schedule.begin_run();
        schedule.ran(START, Both, Ended::Well, false, false, 0);
        schedule
    }

    fn polling(policy: SyncPolicy) -> Schedule {
        let mut schedule = settled(policy);
        assert_eq!(schedule.next(START), Step::Poll);
        schedule.poll_begun(START);
        schedule
    }

    /// How long it waits from `now` on, with nothing told, until it does something else than to look.
    fn waits(schedule: &mut Schedule, now: Duration) -> (Duration, Step) {
        let mut at = now;
        loop {
            match schedule.next(at) {
                Step::Wait(wait) => {
                    assert!(!wait.is_zero(), "it would spin");
                    at += wait;
                }
                Step::Look => schedule.looked(at, false),
                step => return (at - now, step),
            }
        }
    }

    #[test]
    fn writes_close_together_go_together_and_writes_without_end_go_too() {
        let mut schedule = polling(policy());
        schedule.wrote(START);
        assert_eq!(waits(&mut schedule, START), (ms(200), Step::Run(Push)));
        schedule.wrote(START + ms(150));
        assert_eq!(waits(&mut schedule, START), (ms(350), Step::Run(Push)));
        for n in 0..100 {
            schedule.wrote(START + ms(150 + n * 50));
        }
        assert_eq!(waits(&mut schedule, START), (ms(2_000), Step::Run(Push)));
        schedule.begin_run();
        schedule.ran(START + ms(2_000), Push, Ended::Well, true, false, 0);
        // The entries are to come with the answer that is held; if not, they are fetched.
        assert_eq!(waits(&mut schedule, START + ms(2_000)), (SETTLE, Step::Run(Both)));
    }

    #[test]
    fn without_a_held_answer_it_pulls_now_and_then() {
        let mut schedule = settled(SyncPolicy { poll: Duration::ZERO, ..policy() });
        assert_eq!(waits(&mut schedule, START), (ms(30_000), Step::Run(Both)));
        schedule.wrote(START);
        assert_eq!(waits(&mut schedule, START), (ms(200), Step::Run(Both)));
    }

    #[test]
    fn a_server_that_does_not_hold_its_answers_is_not_asked_without_end() {
        let mut schedule = polling(policy());
        let mut now = START;
        for wait in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            schedule.polled(now, Ended::Well, News::Nothing, 0);
            assert_eq!(waits(&mut schedule, now), (ms(wait), Step::Poll));
            now += ms(wait);
            schedule.poll_begun(now);
        }
        // One that was held makes up for it.
        schedule.polled(now + ms(13_000), Ended::Well, News::Nothing, 0);
        assert_eq!(schedule.next(now + ms(13_000)), Step::Poll);
        schedule.poll_begun(now + ms(13_000));
        schedule.polled(now + ms(13_001), Ended::Well, News::Nothing, 0);
        assert_eq!(waits(&mut schedule, now + ms(13_001)), (ms(500), Step::Poll));
        let mut schedule = polling(policy());
        schedule.polled(START + ms(25_000), Ended::Well, News::Nothing, 0);
        assert_eq!(schedule.next(START + ms(25_000)), Step::Poll);
        schedule.poll_begun(START + ms(25_000));
        schedule.polled(START + ms(25_001), Ended::Well, News::Entries, 0);
        assert_eq!(schedule.next(START + ms(25_001)), Step::Run(Both));
    }

    #[test]
    fn a_server_that_answers_at_once_with_another_cursor_is_pulled_from_and_not_asked_without_end() {
        let mut schedule = polling(policy());
        let mut now = START;
        for wait in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            schedule.polled(now, Ended::Well, News::Cursor, 0);
            assert_eq!(schedule.next(now), Step::Run(Both));
            schedule.begin_run();
            schedule.ran(now, Both, Ended::Well, false, false, 0);
            assert_eq!(waits(&mut schedule, now), (ms(wait), Step::Poll));
            now += ms(wait);
            schedule.poll_begun(now);
        }
        // Entries make up for it, and so does an answer that was held.
        for (later, news) in [(1, News::Entries), (13_000, News::Cursor)] {
            schedule.polled(now + ms(later), Ended::Well, news, 0);
            now += ms(later);
            schedule.begin_run();
            schedule.ran(now, Both, Ended::Well, true, false, 0);
            assert_eq!(schedule.next(now), Step::Poll);
            schedule.poll_begun(now);
        }
    }

    #[test]
    fn news_that_are_asked_for_in_vain_are_pulled() {
        let mut schedule = polling(policy());
        let longest = policy().poll + policy().pull_every;
        assert_eq!(waits(&mut schedule, START), (longest, Step::Run(Both)));
        let later = START + longest;
        schedule.begin_run();
        schedule.ran(later, Both, Ended::Well, false, false, 0);
        assert_eq!(waits(&mut schedule, later), (policy().pull_every, Step::Run(Both)));
        schedule.polled(later, Ended::Well, News::Nothing, 0);
        assert_eq!(schedule.next(later), Step::Poll, "it came after all");
    }

    #[test]
    fn failures_put_tries_off_for_longer_and_longer_up_to_a_bound() {
        let mut schedule = settled(policy());
        let mut now = START;
        for longest in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            schedule.begin_run();
            schedule.ran(now, Both, Ended::Passing(None), false, false, longest * 1_000_000);
            assert_eq!(schedule.state(), SyncState::Offline);
            assert_eq!(schedule.next_try(now), Some(ms(longest)), "the most that may be drawn");
            // A write does not bring it forward.
            schedule.wrote(now);
            assert_eq!(waits(&mut schedule, now), (ms(longest), Step::Run(Both)));
            now += ms(longest);
        }
        schedule.ran(now, Both, Ended::Passing(None), true, false, 500 * 1_000_000);
        assert_eq!(schedule.next_try(now), Some(ms(500)), "what got somewhere counts as the first");
        schedule.begin_run();
        schedule.ran(now, Both, Ended::Well, false, false, 0);
        assert_eq!((schedule.state(), schedule.next_try(now)), (SyncState::Idle, None));
    }

    #[test]
    fn when_what_a_good_run_left_is_tried_again_is_told() {
        let mut schedule = settled(policy());
        schedule.begin_run();
        schedule.ran(START, Both, Ended::Well, false, true, 0);
        let told = |schedule: &Schedule, now| (schedule.state(), schedule.next_try(now));
        assert_eq!(told(&schedule, START), (SyncState::Idle, Some(policy().backstop)));
        assert_eq!(told(&schedule, START + ms(9)), (SyncState::Idle, Some(policy().backstop - ms(9))));
        schedule.pause();
        assert_eq!(told(&schedule, START), (SyncState::Paused, None));
        schedule.resume(START);
        schedule.begin_run();
        schedule.ran(START, Both, Ended::Well, false, false, 0);
        assert_eq!(told(&schedule, START), (SyncState::Idle, None));
    }

    #[test]
    fn a_wait_that_the_server_asks_for_is_kept_up_to_the_backstop() {
        let mut schedule = settled(policy());
        let mut wait = |asked| {
            schedule.begin_run();
            schedule.ran(START, Both, Ended::Passing(Some(asked)), false, false, 0);
            waits(&mut schedule, START)
        };
        assert_eq!(wait(ms(7_000)), (ms(7_000), Step::Run(Both)));
        assert_eq!(wait(Duration::from_secs(86_400 * 30)), (policy().backstop, Step::Run(Both)));
        assert_eq!(wait(Duration::MAX), (policy().backstop, Step::Run(Both)));
    }

    #[test]
    fn trouble_that_needs_somebody_waits_for_them_or_for_the_backstop() {
        for (ended, state) in [(Ended::Credential, SyncState::NeedsCredential), (Ended::Failed, SyncState::Failed)] {
            let mut schedule = settled(policy());
            schedule.begin_run();
            schedule.ran(START, Both, ended, false, false, 0);
            assert_eq!((schedule.state(), schedule.wants_turn()), (state, false));
            assert_eq!(waits(&mut schedule, START), (policy().backstop, Step::Run(Both)));
            schedule.credential_changed(START);
            assert_eq!(schedule.next(START), Step::Run(Both));
            schedule.ran(START, Both, ended, false, false, 0);
            schedule.now(START);
            assert_eq!(schedule.next(START), Step::Run(Both));
        }
    }

    #[test]
    fn where_another_store_syncs_it_tries_at_each_look() {
        let mut schedule = settled(SyncPolicy::default());
        schedule.begin_run();
        schedule.ran(START, Both, Ended::Elsewhere, false, true, 0);
        assert_eq!((schedule.state(), schedule.wants_turn()), (SyncState::SyncedElsewhere, true));
        assert_eq!(waits(&mut schedule, START), (SyncPolicy::default().look_every, Step::Run(Both)));
    }

    #[test]
    fn paused_it_does_nothing_and_resumed_it_syncs_at_once() {
        let mut schedule = settled(policy());
        schedule.ran(START, Both, Ended::Failed, false, false, 0);
        schedule.pause();
        schedule.wrote(START);
        schedule.now(START);
        assert_eq!(schedule.state(), SyncState::Paused);
        let looks = START + policy().look_every;
        assert_eq!(schedule.next(START), Step::Wait(looks - START));
        assert_eq!(schedule.next(looks), Step::Look, "what others do is still told");
        schedule.looked(looks, true);
        assert!(matches!(schedule.next(looks), Step::Wait(_)));
        let later = looks + ms(9);
        schedule.resume(later);
        assert_eq!(schedule.next(later), Step::Run(Both));
        schedule.begin_run();
        schedule.ran(later, Both, Ended::Well, false, false, 0);
        schedule.resume(later);
        assert_eq!(schedule.next(later), Step::Poll, "resuming what was not paused does nothing");
    }

    #[test]
    fn news_of_a_poll_end_being_offline_and_its_failure_makes_it_no_worse() {
        let mut schedule = polling(policy());
        schedule.begin_run();
        schedule.ran(START, Push, Ended::Passing(Some(ms(60_000))), false, false, 0);
        schedule.polled(START, Ended::Passing(None), News::Nothing, u64::MAX);
        assert_eq!(waits(&mut schedule, START), (ms(60_000), Step::Run(Both)));
        schedule.poll_begun(START);
        schedule.polled(START + ms(1), Ended::Well, News::Entries, 0);
        assert_eq!(schedule.next(START + ms(1)), Step::Run(Both));
    }

    #[test]
    fn a_poll_that_fails_for_good_is_found_out_by_a_run_and_is_not_repeated_without_end() {
        for ended in [Ended::Credential, Ended::Failed] {
            let mut schedule = polling(policy());
            let mut now = START;
            for wait in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
                schedule.polled(now, ended, News::Nothing, 0);
                assert_eq!((schedule.state(), schedule.next(now)), (SyncState::Idle, Step::Run(Both)));
                schedule.begin_run();
                schedule.ran(now, Both, Ended::Well, false, false, 0);
                assert_eq!(waits(&mut schedule, now), (ms(wait), Step::Poll));
                now += ms(wait);
                schedule.poll_begun(now);
            }
        }
    }

    #[test]
    fn whatever_happens_unsent_work_is_tried_again_in_time() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = move |below: u64| {
            // xorshift64.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let policy = SyncPolicy { backstop: ms(100_000), ..SyncPolicy::default() };
        let mut schedule = Schedule::new(policy.clone(), START);
        let (mut now, mut tried, mut unsent) = (START, START, false);
        // Whether the schedule was told of it.
        let mut known = false;
        for _ in 0..200_000 {
            let ended = match draw(6) {
                0 => Ended::Passing(Some(ms(draw(10_000_000)))),
                1 => Ended::Passing(None),
                2 => Ended::Elsewhere,
                3 => Ended::Credential,
                4 => Ended::Failed,
                _ => Ended::Well,
            };
            // Seldom, or the host would save what the schedule must.
            match draw(500) {
                0 => schedule.now(now),
                1 => schedule.credential_changed(now),
                2 => schedule.poll_dropped(now),
                3 => {
                    let news = [News::Nothing, News::Cursor, News::Entries][draw(3) as usize];
                    schedule.polled(now, ended, news, draw(u64::MAX));
                }
                4 => schedule.interrupted(now),
                // A write, told or not.
                5..50 if !unsent => {
                    (unsent, tried) = (true, now);
                    known = draw(2) == 0;
                    if known {
                        schedule.wrote(now);
                    }
                }
                _ => {}
            }
            match schedule.next(now) {
                Step::Run(run) => {
                    schedule.begin_run();
                    let left = unsent && draw(2) == 0;
                    unsent &= ended != Ended::Well || left;
                    (tried, known) = (now, unsent);
                    schedule.ran(now, run, ended, draw(2) == 0, left, draw(u64::MAX));
                }
                Step::Poll => schedule.poll_begun(now),
                Step::Look => {
                    known = unsent;
                    schedule.looked(now, unsent);
                }
                Step::Wait(wait) => {
                    let soon = now + policy.longest_debounce + policy.look_every;
                    let due = schedule.push_at().is_some_and(|at| at <= soon);
                    assert!(!unsent || !known || due || schedule.next_try(now).is_some(), "{schedule:?}");
                    now += wait.min(ms(1 + draw(5_000)));
                }
            }
            let bound = policy.backstop + policy.look_every + policy.longest_debounce + ms(1);
            assert!(!unsent || now - tried <= bound, "{:?}: {schedule:?}", now - tried);
        }
    }
}
