//! The way between a device and the server, and everything that goes wrong on it.

use crate::offence::Offence;
use crate::random::Random;
use crate::world::World;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use syncstore::protocol::{CheckpointPage, Code, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, Expiry, PullRequest, Wire, WireError};

/// A device's link, as it is now.
#[derive(Debug, Default)]
pub struct Link {
    /// The steps at which requests and answers are carried again.
    pub requests_lost_until: u32,
    pub answers_lost_until: u32,
    /// The step at which the credential is taken again.
    pub revoked_until: u32,
    /// The most operations that the server takes in a push now.
    pub most_ops: Option<usize>,
    pub offence: Option<Offence>,
}

/// A request that arrives later than its sender waited for.
#[derive(Clone, Debug)]
pub struct Late {
    pub user: u64,
    pub sender: String,
    pub request: Request,
}

/// What a request asks for; one for the database's limits changes nothing, however late.
#[derive(Clone, Debug)]
pub enum Request {
    Info,
    Push(PushRequest),
    Pull(PullRequest),
    Checkpoint(CheckpointRequest),
}

impl Request {
    pub fn push(&self) -> Option<&PushRequest> {
        match self {
            Request::Push(push) => Some(push),
            _ => None,
        }
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Request::Info => out.write_str("info"),
            Request::Pull(_) => out.write_str("pull"),
            Request::Checkpoint(_) => out.write_str("checkpoint"),
            Request::Push(push) => {
                out.write_str("push")?;
                push.ops.iter().try_for_each(|op| write!(out, " {}", op.op_ref))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Carried,
    RequestLost,
    AnswerLost,
    Twice { second: bool },
    Late,
    Truncated,
    UnavailableBefore,
    UnavailableAfter,
}

/// A call that does not come to an end after so many calls of the wire never will.
const MOST_CALLS: u32 = 3_000;

/// So often a call begins anew what expired on the server, before it gives up.
const MOST_EXPIRED: u32 = 3;

/// One call of `sync`, `push` or `pull` of a device.
pub struct Way<'w> {
    world: &'w World,
    device: usize,
    calls: AtomicU32,
    met: Mutex<Met>,
}

/// What went wrong in the calls so far.
#[derive(Debug, Default)]
struct Met {
    lost: bool,
    unavailable: bool,
    truncated: bool,
    revoked: bool,
    refused: BTreeSet<u16>,
    expired: u32,
}

impl<'w> Way<'w> {
    pub fn new(world: &'w World, device: usize) -> Way<'w> {
        Way { world, device, calls: AtomicU32::new(0), met: Mutex::default() }
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().expect("no panic while the way's memory is held")
    }

    /// Whether something that went wrong on this way explains an error of its call.
    pub fn explains(&self, error: &WireError) -> bool {
        let met = self.met();
        match error {
            WireError::Unreachable(_) => met.lost,
            WireError::Unavailable { .. } => met.unavailable,
            WireError::Protocol(_) => met.truncated,
            WireError::Unauthenticated(_) | WireError::Forbidden(_) => met.revoked,
            WireError::Refused { status, .. } => met.refused.contains(status),
            // A server that is restored again and again.
            WireError::CursorExpired(_) | WireError::CheckpointExpired => met.expired > MOST_EXPIRED,
            _ => false,
        }
    }

    fn note(&self, error: &WireError) {
        let mut met = self.met();
        match error {
            WireError::Unreachable(_) => met.lost = true,
            WireError::Unavailable { .. } => met.unavailable = true,
            WireError::Protocol(_) => met.truncated = true,
            WireError::Unauthenticated(_) | WireError::Forbidden(_) => met.revoked = true,
            WireError::Refused { status, .. } => drop(met.refused.insert(*status)),
            WireError::CursorExpired(_) | WireError::CheckpointExpired => met.expired += 1,
            _ => {}
        }
    }

    fn fate(&self, request: &Request) -> Fate {
        let faults = &self.world.plan.wire;
        let may_be_late = match request {
            Request::Info => false,
            Request::Push(_) => true,
            Request::Pull(_) | Request::Checkpoint(_) => self.world.plan.late_reads,
        };
        if self.world.is_healed() {
            return Fate::Carried;
        }
        let mut random = self.world.random();
        let mut draw = random.below(1_000) as u32;
        let mut fates = vec![
            (faults.lose_request, Fate::RequestLost),
            (faults.lose_answer, Fate::AnswerLost),
            (faults.twice, Fate::Twice { second: random.percent(50) }),
            (faults.truncate, Fate::Truncated),
            (faults.unavailable / 2, Fate::UnavailableBefore),
            (faults.unavailable / 2, Fate::UnavailableAfter),
        ];
        if may_be_late {
            fates.push((faults.late, Fate::Late));
        }
        for (times, fate) in fates {
            if draw < times {
                return fate;
            }
            draw -= times;
        }
        Fate::Carried
    }

    fn meet<T: Serialize + DeserializeOwned>(
        &self,
        request: &Request,
        ask: impl Fn(u64) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        self.carry(request, ask).inspect_err(|error| self.note(error))
    }

    fn carry<T: Serialize + DeserializeOwned>(
        &self,
        request: &Request,
        ask: impl Fn(u64) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let push = request.push();
        let world = self.world;
        let device = &world.devices[self.device];
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        assert!(calls < MOST_CALLS, "{}: a sync does not come to its end", device.name);
        world.interlude();
        let (no_request, no_answer, revoked, most_ops) = {
            let (link, now) = (device.link(), world.now());
            (link.requests_lost_until > now, link.answers_lost_until > now, link.revoked_until > now, link.most_ops)
        };
        let fate = self.fate(request);
        world.trace(format_args!("{} {request} {fate:?} {no_request} {no_answer} {revoked}", device.name));
        if no_request || fate == Fate::RequestLost {
            return Err(lost("the request"));
        }
        if revoked {
            return Err(match world.random().percent(50) {
                true => WireError::Unauthenticated("the credential was revoked".into()),
                false => WireError::Forbidden("the credential was revoked".into()),
            });
        }
        if let (Some(push), Some(most)) = (push, most_ops)
            && push.ops.len() > most
        {
            let message = format!("no more than {most} operations now");
            return Err(WireError::Refused { status: 413, code: "too_large".into(), message });
        }
        let offence = device.link().offence.clone().filter(|offence| offence.until > world.now());
        if let (Some(push), Some(offence)) = (push, offence)
            && let Some(error) = offence.meets(push)
        {
            world.count("pushes that offend");
            if let Some(code) = offence.gives_up(push) {
                device.hear_refused(push, &code);
            }
            return Err(error);
        }
        let user = device.user();
        let answer = match fate {
            Fate::UnavailableBefore => return Err(unavailable(&mut world.random())),
            Fate::Late => {
                world.post(Late { user, sender: device.name.clone(), request: request.clone() });
                return Err(lost("the request"));
            }
            Fate::Twice { second } => {
                let first = ask(user);
                let again = ask(user);
                if second { again } else { first }
            }
            _ => ask(user),
        };
        let text = summary(&answer);
        if world.plan.several_rights {
            world.server.check_secrets(user, &request.to_string(), &text);
        }
        world.trace(format_args!("  {text}"));
        world.interlude();
        if no_answer || fate == Fate::AnswerLost {
            if push.is_some() {
                world.perhaps_long_after();
            }
            return Err(lost("the answer"));
        }
        match fate {
            Fate::UnavailableAfter => Err(unavailable(&mut world.random())),
            Fate::Truncated => answer.and_then(|answer| self.truncated(&answer)),
            _ => self.carried(answer?),
        }
    }

    /// What arrives on the other side of the codec.
    fn carried<T: Serialize + DeserializeOwned>(&self, answer: T) -> Result<T, WireError> {
        let Some(format) = self.world.plan.format else { return Ok(answer) };
        let bytes = format.encode(&answer).expect("an answer encodes");
        Ok(format.decode(&bytes).expect("an answer decodes"))
    }

    fn truncated<T: Serialize + DeserializeOwned>(&self, answer: &T) -> Result<T, WireError> {
        let format = self.world.plan.format.unwrap_or(syncstore::protocol::Format::Json);
        let mut bytes = format.encode(answer).expect("an answer encodes");
        bytes.truncate(self.world.random().below(bytes.len() as u64) as usize);
        let decoded: Result<T, _> = format.decode(&bytes);
        Err(match decoded {
            Ok(_) => panic!("a part of an answer was taken for the whole"),
            Err(error) => WireError::Protocol(error.to_string()),
        })
    }
}

fn summary<T: Serialize>(answer: &Result<T, WireError>) -> String {
    match answer {
        Ok(answer) => serde_json::to_string(answer).expect("an answer encodes"),
        Err(error) => error.to_string(),
    }
}

fn lost(what: &str) -> WireError {
    WireError::Unreachable(format!("{what} was lost"))
}

fn unavailable(random: &mut Random) -> WireError {
    let status = *random.pick(&[429, 500, 502, 503, 504]);
    let retry_after = random.percent(50).then(|| Duration::from_secs(random.below(60)));
    WireError::Unavailable { status, retry_after, message: "not now".into() }
}

impl Wire for Way<'_> {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.meet(&Request::Info, |user| self.world.server.info(user))
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        let request = &self.sent(request)?;
        let device = &self.world.devices[self.device];
        self.meet(&Request::Push(request.clone()), |user| {
            let answer = self.world.server.push(user, request);
            let results = answer.iter().flat_map(|answer| &answer.results);
            let expired = results.filter(|result| result.code == Some(Code::EXPIRED));
            expired.for_each(|result| device.hear_expired(&result.op_ref));
            answer
        })
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        assert_eq!(request.wait, Duration::ZERO, "a sync does not wait for news");
        self.meet(&Request::Pull(request.clone()), |user| {
            let answer = self.world.server.pull(user, request);
            if matches!(answer, Err(WireError::CursorExpired(Expiry::Pruned))) {
                self.world.devices[self.device].hear_pruned();
            }
            for entry in answer.iter().flat_map(|page| &page.entries) {
                let told = [(entry.full, "full entries"), (entry.hidden, "hidden entries")];
                told.iter().filter(|(is, _)| *is).for_each(|(_, what)| self.world.count(what));
                if entry.reason.is_some() {
                    self.world.count("revoked entries");
                }
            }
            answer
        })
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        if request.page.is_none() {
            self.world.devices[self.device].checkpoints.fetch_add(1, Ordering::Relaxed);
        }
        self.meet(&Request::Checkpoint(request.clone()), |user| self.world.server.checkpoint(user, request))
    }
}

impl Way<'_> {
    fn sent(&self, request: &PushRequest) -> Result<PushRequest, WireError> {
        self.carried(request.clone())
    }
}
