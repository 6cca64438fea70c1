//! Going around an op that no push gets past: a firewall that takes offence at its text, or a server that fails on it.
//!
//! Such an answer does not say that it is for the op, so nothing is given up for it (section 3 ◆13). What cannot go alone waits for the next call, and the rest goes.

use super::Halt;
use crate::error::{Error, Result};
use crate::protocol::Ref;
use crate::wire::WireError;
use std::collections::{HashSet, VecDeque};

/// Units that fail alone before anything has gone: then it is not for what is in them.
const MOST_BEFORE_ANY: u32 = 8;

/// The same of a server that fails, which more requests do not help.
const MOST_OF_A_FAILING_SERVER: u32 = 2;

/// And in a pass in which others do go.
const MOST: u32 = 32;

/// Of the units that were set aside, so many are tried again in each pass.
const RETRIED: usize = MOST_OF_A_FAILING_SERVER as usize;

/// The units that the passes so far have set aside, each by its first op; the one whose turn it is next comes first.
///
/// Otherwise each pass would begin with the same ones, and where they are too many, never get behind them. In memory alone: another process finds it out again.
#[derive(Default)]
pub(crate) struct Aside {
    units: VecDeque<Ref>,
    /// Those whose turn it is in the present pass; they come last in `units`, whether they are tried or something else holds them back.
    turn: Vec<Ref>,
    /// Whether one of those whose turn it was has gone.
    one_went: bool,
    /// Whether the server had no room when it was last asked: then a pass begins with one op, and not with as many as go into a push.
    pub is_server_full: bool,
}

impl Aside {
    /// Forgets those that do not wait any more. What is not to be tried in the pass that begins.
    pub fn begin(&mut self, mut waits: impl FnMut(Ref) -> Result<bool>) -> Result<HashSet<Ref>> {
        let mut left = VecDeque::with_capacity(self.units.len());
        for unit in &self.units {
            if waits(*unit)? {
                left.push_back(*unit);
            }
        }
        self.turn = left.drain(..RETRIED.min(left.len())).collect();
        self.units = left;
        self.one_went = false;
        let held_back = self.units.iter().copied().collect();
        self.units.extend(&self.turn);
        Ok(held_back)
    }

    /// A unit has failed alone: it is the turn of the others first.
    pub fn failed(&mut self, unit: Ref) {
        self.units.retain(|other| *other != unit);
        self.units.push_back(unit);
    }

    /// An op has gone.
    pub fn went(&mut self, op_ref: Ref) {
        self.one_went |= self.turn.contains(&op_ref);
    }

    /// Whether whatever it was has passed, so that all are to be tried at once.
    pub fn is_over(&mut self) -> bool {
        let over = std::mem::take(&mut self.one_went);
        if over {
            self.units.clear();
        }
        over
    }
}

/// What a pass over the outbox has learned of that.
#[derive(Default)]
pub(super) struct Isolation {
    any_gone: bool,
    alone: u32,
    looked_ahead: bool,
    /// The first such answer.
    first: Option<WireError>,
}

impl Isolation {
    /// The server has taken a push.
    pub fn gone(&mut self) {
        self.any_gone = true;
    }

    /// A part of several units has failed. Whether it is to be halved; otherwise its first unit is tried alone, which tells soonest whether everything fails.
    pub fn halves(&mut self, error: WireError) -> bool {
        self.first.get_or_insert(error);
        self.any_gone
    }

    /// A unit has failed alone, and is set aside. Whether the pass goes on: not where too many have.
    pub fn set_aside(&mut self, error: WireError) -> bool {
        let most = match error {
            _ if self.any_gone => MOST,
            WireError::Unavailable { .. } => MOST_OF_A_FAILING_SERVER,
            _ => MOST_BEFORE_ANY,
        };
        self.first.get_or_insert(error);
        self.alone += 1;
        self.alone <= most
    }

    /// Whether, before the pass stops, one further behind is to be tried: once, where nothing has gone. Where each process makes one pass, the same
    /// ones would keep back all behind them for ever.
    pub fn looks_ahead(&mut self) -> bool {
        !self.any_gone && !std::mem::replace(&mut self.looked_ahead, true)
    }

    /// Why the pass stops where it meets another failure: what failed first is more to the point than what came of trying around it.
    pub fn stops(self, halt: Halt) -> Halt {
        match (halt, self.first) {
            (Halt::Error(Error::Wire(error)), Some(first)) if !self.any_gone && error.is_transient() => {
                Error::Wire(first).into()
            }
            (halt, _) => halt,
        }
    }

    /// The end of the pass: why something was set aside, and whether anything has gone.
    pub fn end(self) -> (Option<WireError>, bool) {
        (self.first.filter(|_| self.alone > 0), self.any_gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> WireError {
        WireError::Forbidden("a firewall's".into())
    }

    fn failing() -> WireError {
        WireError::Unavailable { status: 500, retry_after: None, message: "it fails".into() }
    }

    #[test]
    fn a_pass_sets_as_many_aside_as_what_has_gone_allows() {
        for (gone, error, most) in [
            (false, refused(), MOST_BEFORE_ANY),
            (false, failing(), MOST_OF_A_FAILING_SERVER),
            (true, refused(), MOST),
            (true, failing(), MOST),
        ] {
            let mut pass = Isolation { any_gone: gone, ..Isolation::default() };
            let passed = (0..100).take_while(|_| pass.set_aside(error.clone())).count();
            assert_eq!(passed, most as usize, "{error} {gone}");
        }
    }

    #[test]
    fn the_first_failure_is_told_where_nothing_went_and_the_last_one_passes() {
        let unreachable = || WireError::Unreachable("no network".into());
        for (gone, first, last, told) in [
            (false, Some(refused()), unreachable(), refused()),
            (true, Some(refused()), unreachable(), unreachable()),
            (false, Some(refused()), failing(), refused()),
            (false, Some(failing()), refused(), refused()),
            (false, None, unreachable(), unreachable()),
        ] {
            let pass = Isolation { any_gone: gone, first, ..Isolation::default() };
            let Halt::Error(Error::Wire(error)) = pass.stops(Error::Wire(last).into()) else { panic!("an error") };
            assert_eq!(error.to_string(), told.to_string());
        }
    }

    #[test]
    fn a_pass_looks_ahead_once_where_nothing_has_gone() {
        let mut pass = Isolation::default();
        assert!(pass.looks_ahead());
        assert!(!pass.looks_ahead());
        let mut pass = Isolation::default();
        pass.gone();
        assert!(!pass.looks_ahead(), "what is behind has its turn");
    }

    #[test]
    fn a_pass_that_set_nothing_aside_ends_without_an_error() {
        let mut pass = Isolation::default();
        assert!(!pass.halves(refused()), "before anything has gone one is tried alone");
        pass.gone();
        assert!(pass.halves(failing()));
        assert!(matches!(pass.end(), (None, true)));
        let mut pass = Isolation::default();
        assert!(pass.set_aside(refused()));
        assert!(matches!(pass.end(), (Some(WireError::Forbidden(_)), false)));
    }

    #[test]
    fn each_pass_is_the_turn_of_the_next_two_whether_they_are_tried_or_not() {
        let units: Vec<Ref> = (1..=5).map(|n| Ref::from_parts(n, 1)).collect();
        let mut aside = Aside::default();
        units.iter().for_each(|unit| aside.failed(*unit));
        let mut held = |went: &[usize], failed: &[usize]| {
            let held = aside.begin(|_| Ok(true)).unwrap();
            went.iter().for_each(|n| aside.went(units[*n]));
            failed.iter().for_each(|n| aside.failed(units[*n]));
            let turn: Vec<usize> = (0..5).filter(|n| !held.contains(&units[*n])).collect();
            (turn, aside.is_over())
        };
        assert_eq!(held(&[], &[]), (vec![0, 1], false));
        assert_eq!(held(&[], &[3]), (vec![2, 3], false));
        assert_eq!(held(&[2], &[]), (vec![0, 4], false));
        assert_eq!(held(&[1], &[]), (vec![1, 2], true));
        assert_eq!(held(&[], &[]).0.len(), 5, "all at once");
    }
}
