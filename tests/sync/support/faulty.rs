//! A wire between a replica and another wire, on which requests and answers meet what a test decides.

use std::sync::Mutex;
use syncstore::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, PullRequest, Traffic, Wire, WireError};
use syncstore::{BootstrapReason, Error, SyncError, SyncReport};

/// What happens to one call.
#[derive(Clone, Debug)]
pub enum Fault {
    None,
    /// The request never arrives.
    LoseRequest,
    /// The server does what was asked, and its answer never arrives.
    LoseAnswer,
    /// The request arrives twice; the second answer is the one that comes back.
    Twice,
    /// The request is under way, and arrives when [`FaultyWire::deliver_late`] says so.
    Late,
    /// The call fails like this before anything arrives.
    Fail(WireError),
}

/// A call on its way.
#[derive(Clone, Debug)]
pub enum Call {
    Info,
    Push(PushRequest),
    Pull(PullRequest),
    Checkpoint(CheckpointRequest),
}

type Decide<'a> = Box<dyn FnMut(&Call) -> Fault + Send + 'a>;

pub struct FaultyWire<'a> {
    inner: &'a dyn Wire,
    decide: Mutex<Decide<'a>>,
    calls: Mutex<Vec<Call>>,
    late: Mutex<Vec<Call>>,
}

impl<'a> FaultyWire<'a> {
    pub fn new(inner: &'a dyn Wire, decide: impl FnMut(&Call) -> Fault + Send + 'a) -> FaultyWire<'a> {
        FaultyWire { inner, decide: Mutex::new(Box::new(decide)), calls: Mutex::default(), late: Mutex::default() }
    }

    /// A wire without faults that remembers what went over it.
    pub fn recording(inner: &'a dyn Wire) -> FaultyWire<'a> {
        FaultyWire::new(inner, |_| Fault::None)
    }

    /// Lets the pushes meet these faults, one each, and everything after them none.
    pub fn pushes(inner: &'a dyn Wire, faults: impl IntoIterator<Item = Fault>) -> FaultyWire<'a> {
        let mut faults: Vec<Fault> = faults.into_iter().collect();
        faults.reverse();
        FaultyWire::new(inner, move |call| match call {
            Call::Push(_) => faults.pop().unwrap_or(Fault::None),
            _ => Fault::None,
        })
    }

    /// Lets the n-th call (from 0) of any kind meet a fault.
    pub fn nth(inner: &'a dyn Wire, n: usize, fault: Fault) -> FaultyWire<'a> {
        let mut count = 0;
        FaultyWire::new(inner, move |_| {
            count += 1;
            if count == n + 1 { fault.clone() } else { Fault::None }
        })
    }

    /// Every call so far, those that met a fault included.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// Every push so far, those that met a fault included.
    pub fn pushed(&self) -> Vec<PushRequest> {
        let calls = self.calls.lock().unwrap();
        let pushes = calls.iter().filter_map(|call| match call {
            Call::Push(request) => Some(request.clone()),
            _ => None,
        });
        pushes.collect()
    }

    /// Lets the delayed requests arrive now; nobody waits for their answers any more.
    pub fn deliver_late(&self) -> usize {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        let delivered = late.len();
        for call in late {
            match call {
                Call::Push(request) => drop(self.inner.push(&request)),
                Call::Pull(request) => drop(self.inner.pull(&request)),
                Call::Checkpoint(request) => drop(self.inner.checkpoint(&request)),
                Call::Info => drop(self.inner.info()),
            }
        }
        delivered
    }

    /// Loses the delayed requests.
    pub fn drop_late(&self) {
        self.late.lock().unwrap().clear();
    }

    fn meet<T>(&self, call: Call, ask: impl Fn() -> Result<T, WireError>) -> Result<T, WireError> {
        self.calls.lock().unwrap().push(call.clone());
        let fault = (self.decide.lock().unwrap())(&call);
        match fault {
            Fault::None => ask(),
            Fault::LoseRequest => Err(lost("the request was lost")),
            Fault::LoseAnswer => {
                // The server may refuse it as well; nobody hears of that either.
                let _ = ask();
                Err(lost("the answer was lost"))
            }
            Fault::Twice => {
                let _ = ask();
                ask()
            }
            Fault::Late => {
                self.late.lock().unwrap().push(call);
                Err(lost("the request is late"))
            }
            Fault::Fail(error) => Err(error),
        }
    }
}

pub fn lost(words: &str) -> WireError {
    WireError::Unreachable(words.into())
}

/// What a call did of which messages may have been lost, repeated or late, and nothing worse: any other error is the engine's
/// own, and so is a divergence where nobody copied a file.
#[track_caller]
pub fn despite_losses(what: &str, result: Result<SyncReport, SyncError>) -> SyncReport {
    let report = despite_losses_of_copies(what, result);
    if let Some(BootstrapReason::Diverged(why)) = &report.bootstrapped {
        panic!("{what}: nobody copied a file, and still: {why}");
    }
    report
}

/// The same where files were copied, so that one of them diverges.
#[track_caller]
pub fn despite_losses_of_copies(what: &str, result: Result<SyncReport, SyncError>) -> SyncReport {
    match result {
        Ok(report) => report,
        Err(error) => match error.error() {
            // What `lost` makes, and no real server's core.
            Error::Wire(WireError::Unreachable(_)) => error.report().clone(),
            other => panic!("{what}: no lost message is the reason: {other:?}"),
        },
    }
}

impl Wire for FaultyWire<'_> {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.meet(Call::Info, || self.inner.info())
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.meet(Call::Push(request.clone()), || self.inner.push(request))
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        self.meet(Call::Pull(request.clone()), || self.inner.pull(request))
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.meet(Call::Checkpoint(request.clone()), || self.inner.checkpoint(request))
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}
