//! What hosts hear: each outcome and each news of a conflict once, as the file has it, and of every change.

use crate::device::{Device, Process, read_resources};
use crate::oracle::Whole;
use crate::server::Server;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use syncstore::{
    ConflictId, ConflictNews, Ending, Error, Event, EventOptions, Events, KeyRange, Missed, Outcome, Ref, Store,
    Subscription, Watch,
};

/// The collection of which hosts keep an image by what they hear.
const WATCHED: &str = "merged";

/// What the processes of a device have heard.
#[derive(Debug, Default)]
pub struct Heard {
    pub settled: BTreeSet<Ref>,
    pub begun: BTreeSet<ConflictId>,
    /// Something may have been told to nobody: a process has ended, or a disk has failed.
    pub deaf: bool,
}

/// A process that listens.
pub struct Listener {
    events: Events,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    settled: BTreeMap<Ref, Outcome>,
    begun: BTreeSet<ConflictId>,
    ended: BTreeMap<ConflictId, Ending>,
    image: Option<Image>,
}

/// A collection as a host has it that looks only at what it is told of.
struct Image {
    subscription: Subscription,
    items: BTreeMap<String, Whole>,
}

fn read_item(store: &Store, key: &str) -> Result<Option<Whole>, Error> {
    let Some(value) = store.get(WATCHED, key)? else { return Ok(None) };
    Ok(Some(Whole { value: Arc::new(value), resources: read_resources(store, WATCHED, key)? }))
}

fn read_all(store: &Store) -> Result<BTreeMap<String, Whole>, Error> {
    let keys: Vec<String> = store.list(WATCHED, &KeyRange::all())?.iter().map(|item| item.key.to_owned()).collect();
    let items = keys.into_iter().map(|key| Ok((key.clone(), read_item(store, &key)?)));
    Ok(items.collect::<Result<Vec<_>, Error>>()?.into_iter().filter_map(|(key, item)| Some((key, item?))).collect())
}

impl Listener {
    pub fn new(store: &Store, watches: bool) -> Listener {
        let mut options = EventOptions::default();
        options.log_level = None;
        let events = store.events(options, || {});
        let image = || {
            Some(Image {
                subscription: events.subscribe(Watch::collection(WATCHED)).ok()?,
                items: read_all(store).ok()?,
            })
        };
        let image = if watches { image() } else { None };
        Listener { events, state: Mutex::new(State { image, ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while a host's ears are held")
    }
}

impl Device {
    pub fn listens(&self) -> bool {
        self.plan.listens
    }

    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("no panic while what was heard is held")
    }

    /// Has everything handed out that waits to be.
    pub fn pump_all(&self, server: &Server) {
        let processes = (0..self.open_processes()).filter_map(|number| self.process(number));
        processes.for_each(|process| self.pump(&process, server));
    }

    pub fn pump(&self, process: &Process, server: &Server) {
        let Some(listener) = &process.listener else { return };
        let faults = self.faults();
        let mut told = Vec::new();
        loop {
            match listener.events.pump(20, Duration::MAX, |event| told.push(event)) {
                Ok(pumped) if pumped.more => assert!(pumped.events > 0, "{}: there is more, and none comes", self.name),
                Ok(_) => break,
                Err(error) => {
                    assert!(self.explains(&error, faults), "{}: nothing is handed out: {error:?}", self.name);
                    self.heard().deaf = true;
                    listener.state().image = None;
                    break;
                }
            }
        }
        let restored = server.with_history(|lineages, _| lineages.len() > 1);
        let state = &mut *listener.state();
        for event in told {
            match event {
                Event::Settled { op_ref, outcome } => {
                    self.hear_settled(&process.store, state, op_ref, outcome, restored)
                }
                Event::Conflict { id, news, .. } => self.hear_conflict(state, id, news),
                Event::Changed { .. } | Event::Overflowed { .. } => self.hear_change(&process.store, state, &event),
                Event::Missed(Missed::OutcomesUncounted) => {
                    assert!(restored, "{}: outcomes were undone, and no log was ever lost", self.name);
                }
                other => panic!("{}: {other:?} was told", self.name),
            }
        }
        self.check_image(&process.store, state, faults);
    }

    fn hear_settled(&self, store: &Store, state: &mut State, op_ref: Ref, outcome: Outcome, restored: bool) {
        let name = &self.name;
        self.heard().settled.insert(op_ref);
        let unrecorded = |outcome: &Outcome| matches!(outcome, Outcome::Rejected(why) if why.seq.is_none());
        if let Some(now) = self.read(|| store.outcome(op_ref)) {
            let same = match (&outcome, &now) {
                (Outcome::Rejected(_), Some(Outcome::RetriedAs(_))) => true,
                // What was undone may have been made again meanwhile, or let go.
                (
                    Outcome::Accepted { .. },
                    Some(Outcome::Undone { .. } | Outcome::RetriedAs(_) | Outcome::Accepted { .. }),
                ) if restored => true,
                (was, Some(Outcome::Accepted { .. })) if unrecorded(was) => true,
                // It had been accepted after all, as a pull said meanwhile, and was undone later.
                (was, Some(Outcome::Undone { .. })) if unrecorded(was) && restored => true,
                (was, now) => Some(was) == now.as_ref(),
            };
            assert!(same, "{name}: {op_ref} was told as {outcome:?}, and is {now:?}");
        }
        if let Some(before) = state.settled.insert(op_ref, outcome.clone()) {
            let again = matches!(outcome, Outcome::Accepted { .. }) && (unrecorded(&before) || restored);
            assert!(again, "{name}: {op_ref} was told as {before:?}, and again as {outcome:?}");
        }
    }

    fn hear_conflict(&self, state: &mut State, id: ConflictId, news: ConflictNews) {
        let name = &self.name;
        match news {
            ConflictNews::Begun => {
                self.heard().begun.insert(id);
                assert!(state.begun.insert(id), "{name}: conflict {id} has begun twice");
            }
            ConflictNews::NeedsDeciding => {
                assert!(!state.ended.contains_key(&id), "{name}: conflict {id} has ended and needs deciding");
            }
            ConflictNews::Ended(how) => {
                let before = state.ended.insert(id, how);
                assert_eq!(before, None, "{name}: conflict {id} has ended twice");
            }
            other => panic!("{name}: {id} is {other:?}"),
        }
    }

    fn hear_change(&self, store: &Store, state: &mut State, event: &Event) {
        let Some(image) = &mut state.image else { return };
        let read = match event {
            Event::Changed { subscription, change } if *subscription == image.subscription => {
                self.read(|| read_item(store, &change.key)).map(|item| match item {
                    Some(item) => drop(image.items.insert(change.key.clone(), item)),
                    None => drop(image.items.remove(&change.key)),
                })
            }
            Event::Overflowed { subscription, .. } if *subscription == image.subscription => {
                self.read(|| read_all(store)).map(|items| image.items = items)
            }
            other => panic!("{}: {other:?} is told, and nobody asked", self.name),
        };
        if read.is_none() {
            state.image = None;
        }
    }

    fn check_image(&self, store: &Store, state: &State, faults: u64) {
        let Some(image) = &state.image else { return };
        let Some(items) = self.read(|| read_all(store)) else { return };
        if !self.disk_failed(faults) {
            assert_eq!(image.items, items, "{}: something reads otherwise, and nobody was told", self.name);
        }
    }
}
