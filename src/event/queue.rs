//! The queue between those who tell and the host who listens: bounded, in order, and waking once.
//!
//! Written over the lock and the condition variable of [`super::primitives`], so that a test can try every interleaving.

use super::primitives::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::time::Duration;

/// What stands in a queue.
pub trait Entry: Sized {
    /// Whether it makes an earlier entry superfluous.
    fn replaces(&self, earlier: &Self) -> bool;

    /// Which of the bounds it counts against, if any.
    fn class(&self) -> Option<usize>;

    /// The entry that stands for so many of a class which found no room.
    fn missed(class: usize, count: u64) -> Self;

    /// How many of a class it stands for, if it is such an entry.
    fn count_missed(&mut self, class: usize) -> Option<&mut u64>;

    /// For an entry that stands for others which are fetched only when it is its turn: their source.
    fn source(&self) -> Option<u64>;
}

/// What shows that a queue is not empty, to somebody who cannot look into it.
pub trait Bell {
    /// It is not empty any more. Called with the queue locked; must not wait.
    fn ring(&self);

    /// It is empty again. Likewise.
    fn silence(&self);
}

/// Where an entry stands for a source: one that was told again meanwhile is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub source: u64,
    number: u64,
}

/// What is next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<E> {
    Entry(E),
    /// Fetch what this source has, and [`Queue::expand`] it.
    Source(Place),
    Empty,
}

pub struct Queue<E, B> {
    inner: Mutex<Inner<E, B>>,
    filled: Condvar,
    /// The most entries of each class.
    bounds: Vec<usize>,
    wake: Box<dyn Fn() + Send + Sync>,
}

struct Inner<E, B> {
    /// Each with the number under which it was told.
    entries: VecDeque<(u64, E)>,
    told: u64,
    counts: Vec<usize>,
    bell: Option<B>,
    /// Nobody tells any more.
    ended: bool,
}

impl<E: Entry, B: Bell> Queue<E, B> {
    /// `wake` is called each time that the queue was empty and is not any more, on the thread that tells, with nothing
    /// locked.
    pub fn new(bounds: Vec<usize>, wake: impl Fn() + Send + Sync + 'static) -> Queue<E, B> {
        let counts = vec![0; bounds.len()];
        let inner = Inner { entries: VecDeque::new(), told: 0, counts, bell: None, ended: false };
        Queue { inner: Mutex::new(inner), filled: Condvar::new(), bounds, wake: Box::new(wake) }
    }

    /// Hangs up a bell, unless there is one.
    pub fn hang_up<F>(&self, bell: impl FnOnce() -> Result<B, F>) -> Result<(), F> {
        let mut inner = self.lock();
        if inner.bell.is_none() {
            let bell = bell()?;
            if !inner.entries.is_empty() {
                bell.ring();
            }
            inner.bell = Some(bell);
        }
        Ok(())
    }

    /// Does something with the bell, if there is one.
    pub fn with_bell<T>(&self, look: impl FnOnce(&B) -> T) -> Option<T> {
        self.lock().bell.as_ref().map(look)
    }

    /// Puts an entry in, and wakes.
    pub fn push(&self, entry: E) {
        if self.put(entry) {
            self.wake();
        }
    }

    /// Puts an entry in, without a call of the host's; whether it is to be woken, by [`Queue::wake`].
    #[must_use]
    pub fn put(&self, entry: E) -> bool {
        let mut inner = self.lock();
        let was_empty = inner.entries.is_empty();
        match entry.class() {
            Some(class) if inner.counts.get(class) >= self.bounds.get(class) => inner.miss(class, 1),
            Some(class) => {
                inner.counts[class] += 1;
                inner.append(entry);
            }
            None => {
                inner.entries.retain(|(_, earlier)| !entry.replaces(earlier));
                inner.append(entry);
            }
        }
        self.filled(inner, was_empty)
    }

    /// Wakes, with nothing locked, for an entry that was put in.
    pub fn wake(&self) {
        (self.wake)();
    }

    /// The next entry, out of the queue. One that stands for a source stays until [`Queue::expand`].
    pub fn next(&self) -> Next<E> {
        let mut inner = self.lock();
        if let Some(place) = inner.front_source() {
            return Next::Source(place);
        }
        let Some((_, entry)) = inner.entries.pop_front() else { return Next::Empty };
        if let Some(class) = entry.class() {
            inner.counts[class] -= 1;
        }
        inner.emptied();
        Next::Entry(entry)
    }

    /// Puts what a source had in the place of its entry. It stays told if it was told again since it was looked at.
    pub fn expand(&self, place: Place, fetched: Vec<E>) {
        let mut inner = self.lock();
        let was_empty = inner.entries.is_empty();
        if inner.front_source() == Some(place) {
            inner.entries.pop_front();
        }
        for entry in fetched.into_iter().rev() {
            inner.entries.push_front((0, entry));
        }
        match (was_empty, inner.entries.is_empty()) {
            (_, false) => {
                if self.filled(inner, was_empty) {
                    self.wake();
                }
            }
            (false, true) => inner.emptied(),
            // Another one has taken the entry out meanwhile.
            (true, true) => {}
        }
    }

    /// Removes what no longer matters.
    pub fn retain(&self, matters: impl Fn(&E) -> bool) {
        let mut inner = self.lock();
        let was_empty = inner.entries.is_empty();
        inner.entries.retain(|(_, entry)| matters(entry));
        if !was_empty {
            inner.emptied();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lock().entries.is_empty()
    }

    /// Waits until it is not empty, for so long at most; whether it is not.
    pub fn wait(&self, patience: Duration) -> bool {
        let inner = self.lock();
        if !inner.entries.is_empty() || inner.ended {
            return !inner.entries.is_empty();
        }
        let inner = match self.filled.wait_timeout(inner, patience) {
            Ok((inner, _)) => inner,
            Err(poisoned) => poisoned.into_inner().0,
        };
        !inner.entries.is_empty()
    }

    /// Ends all waits, now and from now on: nobody will tell any more.
    pub fn end(&self) {
        self.lock().ended = true;
        self.filled.notify_all();
    }

    /// Lets go of the lock; whether there is something after there was nothing, which is told to all who wait, but not to the host.
    fn filled(&self, inner: MutexGuard<'_, Inner<E, B>>, was_empty: bool) -> bool {
        if was_empty {
            if let Some(bell) = &inner.bell {
                bell.ring();
            }
            drop(inner);
            self.filled.notify_all();
        }
        was_empty
    }

    /// A panic of one who holds it leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Inner<E, B>> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<E: Entry, B: Bell> Inner<E, B> {
    /// Counts what found no room, in the last entry that does so: an earlier one would be told before what did find room.
    fn miss(&mut self, class: usize, count: u64) {
        match self.entries.iter_mut().rev().find_map(|(_, entry)| entry.count_missed(class)) {
            Some(missed) => *missed += count,
            None => self.append(E::missed(class, count)),
        }
    }

    fn append(&mut self, entry: E) {
        self.told += 1;
        self.entries.push_back((self.told, entry));
    }

    fn front_source(&self) -> Option<Place> {
        let (number, entry) = self.entries.front()?;
        Some(Place { source: entry.source()?, number: *number })
    }

    /// After something was taken out: silences the bell, if that was the last.
    fn emptied(&self) {
        if let (true, Some(bell)) = (self.entries.is_empty(), &self.bell) {
            bell.silence();
        }
    }
}
