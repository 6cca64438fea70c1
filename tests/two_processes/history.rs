//! What both processes said, in the order in which it came, and what must be true of that.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use syncstore::Ref;

/// How long it may take until what one process wrote is told to the listener of the other one: many times what it needs, for a busy machine.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// A write as its process said it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Write {
    who: &'static str,
    kind: String,
    id: u64,
    key: String,
}

/// Which item of whose own.
type Own = (&'static str, String);

/// What one process has to be told of.
#[derive(Default)]
struct Sight {
    /// Between its first look and its end.
    looks: bool,
    /// The last that it was told of each item.
    seen: BTreeMap<Own, u64>,
    /// The first write of each item that it was not told of yet.
    due: BTreeMap<Own, (u64, Instant)>,
}

#[derive(Default)]
pub struct History {
    /// Said and not answered, by process.
    open: BTreeMap<&'static str, Write>,
    /// What was not answered when its process was killed: it happened, or it did not.
    unanswered: Vec<Write>,
    sights: BTreeMap<&'static str, Sight>,
    /// Of each item of a process's own, the last that was answered.
    own: BTreeMap<Own, u64>,
    counts: BTreeMap<&'static str, u64>,
    appends: BTreeSet<String>,
    prey: BTreeSet<String>,
    /// Every operation that the store has answered with.
    pub refs: BTreeSet<Ref>,
    pub writes: u64,
    pub contended: u64,
    lags: Vec<Duration>,
}

impl History {
    /// Takes a line that is about a write; whether it was one.
    pub fn hear(&mut self, at: Instant, who: &'static str, line: &str) -> bool {
        let mut words = line.split(' ');
        match words.next() {
            Some("will") => {
                let write = Write::parse(who, &mut words);
                assert_eq!(self.open.insert(who, write), None, "{who}: {line}");
            }
            Some("did") => {
                let write = Write::parse(who, &mut words);
                assert_eq!(self.open.remove(who).as_ref(), Some(&write), "{who}: {line}");
                self.refs.extend(words.map(|op| op.parse::<Ref>().unwrap()));
                self.did(at, write);
            }
            Some("not") => {
                self.open.remove(who);
                self.contended += 1;
            }
            Some("saw") => {
                let mut word = || words.next().unwrap();
                let author = if word() == "steady" { "steady" } else { "mortal" };
                let key = word().to_owned();
                self.saw(at, who, (author, key), word().parse().unwrap());
            }
            _ => return false,
        }
        true
    }

    fn did(&mut self, at: Instant, write: Write) {
        self.writes += 1;
        let Write { who, kind, id, key } = write;
        let mark = format!("{who}{id}");
        match kind.as_str() {
            "own" => {
                let own = (who, key);
                for sight in self.sights.iter_mut().filter(|(other, sight)| **other != who && sight.looks) {
                    if sight.1.seen.get(&own).is_none_or(|seen| *seen < id) {
                        sight.1.due.entry(own.clone()).or_insert((id, at));
                    }
                }
                self.own.insert(own, id);
            }
            "count" => drop(self.counts.insert(who, id)),
            "append" | "batch" => drop(self.appends.insert(mark)),
            "prey" => drop(self.prey.insert(mark)),
            _ => panic!("{kind}"),
        }
    }

    fn saw(&mut self, at: Instant, who: &'static str, own: Own, id: u64) {
        let sight = self.sights.entry(who).or_default();
        if let Some(before) = sight.seen.insert(own.clone(), id) {
            assert!(before <= id, "{who} saw {own:?} go back from {before} to {id}");
        }
        if let Some((wanted, since)) = sight.due.get(&own).copied()
            && id >= wanted
        {
            sight.due.remove(&own);
            let lag = at.saturating_duration_since(since);
            assert!(lag < TOLD_WITHIN, "{who} was told of {own:?} after {lag:?}");
            self.lags.push(lag);
        }
    }

    /// A process has looked at everything, and listens from now on.
    pub fn begins(&mut self, at: Instant, who: &'static str) {
        let sight = self.sights.entry(who).or_default();
        sight.looks = true;
        for (own, id) in &self.own {
            let seen = sight.seen.get(own).copied().unwrap_or_default();
            if own.0 == who {
                // Nothing that was answered is lost, and nothing else is there but what was cut off.
                let cut_off =
                    |write: &Write| write.who == who && write.kind == "own" && write.key == own.1 && write.id == seen;
                assert!(
                    seen == *id || (seen > *id && self.unanswered.iter().any(cut_off)),
                    "{who} finds {seen} at {own:?}, and wrote {id}"
                );
            } else if seen < *id {
                // Written between its look and now.
                sight.due.insert(own.clone(), (*id, at));
            }
        }
    }

    /// A process was killed.
    pub fn ends(&mut self, who: &'static str) {
        self.unanswered.extend(self.open.remove(who));
        self.sights.remove(who);
    }

    /// What a process was not told of yet.
    pub fn untold(&self) -> usize {
        self.sights.values().map(|sight| sight.due.len()).sum()
    }

    /// The time from an answered write to when the other process's listener was told: the median and the longest, and how many.
    pub fn lags(&mut self) -> (Duration, Duration, usize) {
        self.lags.sort_unstable();
        let count = self.lags.len();
        (self.lags[count / 2], self.lags[count - 1], count)
    }

    /// The most operations that there may be besides those that were answered.
    pub fn most_unanswered(&self) -> usize {
        self.unanswered.iter().map(|write| if write.kind == "batch" { 3 } else { 1 }).sum()
    }

    /// Everything answered is there once; what was cut off once or not at all; and nothing else.
    pub fn check(&self, items: &BTreeMap<(String, String), Value>) {
        let cut_off = |kinds: &[&str], mark: &str| {
            self.unanswered
                .iter()
                .any(|write| kinds.contains(&&*write.kind) && format!("{}{}", write.who, write.id) == mark)
        };
        let item = |collection: &str, key: &str| items.get(&(collection.to_owned(), key.to_owned()));
        let mut appended = BTreeSet::new();
        for ((_, key), value) in items.iter().filter(|((collection, _), _)| collection == "lists") {
            for mark in value["ids"].as_array().unwrap().iter().map(|mark| mark.as_str().unwrap()) {
                assert!(appended.insert(mark.to_owned()), "{mark} is twice in {key}");
                let known = self.appends.contains(mark) || cut_off(&["append", "batch"], mark);
                assert!(known, "nobody has appended {mark} to {key}");
            }
        }
        let lost: Vec<_> = self.appends.difference(&appended).collect();
        assert!(lost.is_empty(), "answered and lost: {lost:?}");
        for (own, id) in &self.own {
            let there = item(own.0, &own.1).unwrap()["id"].as_u64().unwrap();
            let mark = format!("{}{there}", own.0);
            assert!(there == *id || (there > *id && cut_off(&["own"], &mark)), "{own:?} is {there}, {id} was answered");
        }
        for (who, id) in &self.counts {
            let there = item("shared", "count").unwrap()[who].as_u64().unwrap();
            assert!(
                there == *id || cut_off(&["count"], &format!("{who}{there}")),
                "{who} counted to {id}, not {there}"
            );
        }
        assert!(item("pairs", "a").is_some());
        assert_eq!(item("pairs", "a"), item("pairs", "b"), "half a batch");
        for (_, value) in items.iter().filter(|((collection, _), _)| collection == "prey") {
            let mark = value.as_str().unwrap();
            assert!(self.prey.contains(mark) || cut_off(&["prey"], mark), "nobody has written {mark}");
        }
    }
}

impl Write {
    fn parse<'a>(who: &'static str, words: &mut impl Iterator<Item = &'a str>) -> Write {
        let mut word = || words.next().unwrap().to_owned();
        Write { who, kind: word(), id: word().parse().unwrap(), key: word() }
    }
}
