//! Listening to a store.

use super::Store;
use crate::environment::Environment;
use crate::error::Result;
use crate::event::bus::{Bus, Listening, Told};
use crate::event::queue::Next;
use crate::event::{Event, EventOptions, Pumped, Subscription};
use crate::replica::Replica;
use crate::watch::{Changes, Watch};
use parking_lot::Mutex;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What a store tells, held until the host has it handed out on a thread of its own choice: see [`Store::events`].
///
/// It may be used from any thread, several at a time too, and does not keep its store open: once that is dropped, it hands out
/// what it holds and has nothing more to tell.
pub struct Events {
    queue: Arc<Listening>,
    replica: Weak<Replica>,
    bus: Arc<Bus>,
    environment: Arc<dyn Environment>,
    subscriptions: Mutex<Vec<Subscription>>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("subscriptions", &*self.subscriptions.lock()).finish_non_exhaustive()
    }
}

/// A subscription's name, once it is known, and whether there was something to tell before.
#[derive(Default)]
struct Number {
    subscription: Option<Subscription>,
    early: bool,
}

impl Store {
    /// Listens: from now on, what becomes of operations, what the background sync is at, and lines for a log are held in
    /// one queue, and, after [`Events::subscribe`], what changes of items. [`Events::pump`] hands them out.
    ///
    /// `wake` is called each time that the queue was empty and is not any more, exactly once, on whichever thread tells
    /// (one that writes or syncs, the background sync's) with nothing locked. It should do no more than wake an event loop. It
    /// may call anything of the store and of its events, also stop the store or drop it. What would wait for the sync that tells ([`Store::sync`]
    /// and its like, [`Store::wait`]) answers [`Error::WithinSync`](crate::Error::WithinSync) there. A panic of it is swallowed.
    ///
    /// The queue is bounded: of statuses the last one is held, changes are held as by a [`Watcher`](crate::Watcher), once for
    /// each item, and of outcomes, news of conflicts and log lines as many as `options` say; [`Event::Missed`] tells when there were more.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// use std::time::Duration;
    /// use syncstore::{Event, EventOptions, Watch};
    ///
    /// let events = store.events(EventOptions::default(), || { /* wake the event loop */ });
    /// let notes = events.subscribe(Watch::collection("notes"))?;
    /// store.set("notes", "n1", &"Milk")?;
    ///
    /// // On a timer, or whenever woken: at most 100 events, and no new one after 4 ms.
    /// let pumped = events.pump(100, Duration::from_millis(4), |event| match event {
    ///     Event::Changed { subscription, change } if subscription == notes => assert_eq!(change.key, "n1"),
    ///     other => println!("{other:?}"),
    /// })?;
    /// assert_eq!((pumped.events, pumped.more), (1, false));
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self, options: EventOptions, wake: impl Fn() + Send + Sync + 'static) -> Events {
        let bus = Arc::clone(self.replica.bus());
        Events {
            queue: bus.listen(options, wake),
            replica: Arc::downgrade(&self.replica),
            bus,
            environment: Arc::clone(&self.settings.environment),
            subscriptions: Mutex::new(Vec::new()),
        }
    }
}

#[cfg(feature = "capi")]
impl Store {
    /// Ends the waits of all who listen, for good: it is being closed, though a call may still hold it.
    pub(crate) fn end_listening(&self) {
        self.replica.bus().end();
    }
}

impl Events {
    /// Tells what changes of some items from now on, as [`Store::watch`] does.
    ///
    /// What other processes change is told when the background sync looks ([`SyncPolicy::look_every`](crate::SyncPolicy::look_every)),
    /// or, without it, at each pump.
    ///
    /// Of a store that was dropped nothing is ever told.
    ///
    /// # Errors
    ///
    /// Like [`Store::watch`].
    pub fn subscribe(&self, watch: Watch) -> Result<Subscription> {
        let Some(replica) = self.replica.upgrade() else { return Ok(Subscription(0)) };
        // Its number is known only once it is there, and the first change may come before that.
        let number = Arc::new(Mutex::new(Number::default()));
        let (queue, known) = (Arc::downgrade(&self.queue), Arc::clone(&number));
        let id = replica.begin_watch(
            watch,
            Some(Arc::new(move || {
                let mut known = known.lock();
                known.early |= known.subscription.is_none();
                let subscription = known.subscription;
                drop(known);
                if let (Some(queue), Some(subscription)) = (queue.upgrade(), subscription) {
                    queue.push(Told::Changes(subscription));
                }
            })),
        )?;
        let subscription = Subscription(id);
        self.subscriptions.lock().push(subscription);
        let early = {
            let mut number = number.lock();
            number.subscription = Some(subscription);
            number.early
        };
        if early {
            self.queue.push(Told::Changes(subscription));
        }
        Ok(subscription)
    }

    /// Ends a subscription; nothing of it is told any more. Whether there was one.
    pub fn unsubscribe(&self, subscription: Subscription) -> bool {
        let mut subscriptions = self.subscriptions.lock();
        let before = subscriptions.len();
        subscriptions.retain(|one| *one != subscription);
        let there_was = subscriptions.len() < before;
        drop(subscriptions);
        if there_was {
            if let Some(replica) = self.replica.upgrade() {
                replica.end_watch(subscription.0);
            }
            self.queue.retain(|told| match told {
                Told::Changes(of) => *of != subscription,
                Told::Event(Event::Changed { subscription: of, .. } | Event::Overflowed { subscription: of, .. }) => {
                    *of != subscription
                }
                Told::Event(_) => true,
            });
        }
        there_was
    }

    /// Hands out what there is, in order, on the calling thread: at most `max` events, and no further one once `budget` is
    /// over. Does not wait for any.
    ///
    /// `hand` may call anything: read, write and sync the store, pump and subscribe, stop the store or drop it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read to find out what changed. Nothing is lost then: pump again.
    pub fn pump(&self, max: usize, budget: Duration, mut hand: impl FnMut(Event)) -> Result<Pumped> {
        self.pump_until(max, budget, |event| {
            hand(event);
            ControlFlow::Continue(())
        })
    }

    /// Like [`Events::pump`], until `hand` breaks off.
    pub(crate) fn pump_until(
        &self,
        max: usize,
        budget: Duration,
        mut hand: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Pumped> {
        let begun = self.environment.monotonic();
        self.look()?;
        let mut events = 0;
        while events < max && (events == 0 || self.environment.monotonic().saturating_sub(begun) < budget) {
            match self.queue.next() {
                Next::Entry(Told::Event(event)) if self.is_wanted(&event) => {
                    events += 1;
                    if hand(event).is_break() {
                        break;
                    }
                }
                // Its subscription ended while it was fetched.
                Next::Entry(Told::Event(_)) => {}
                Next::Source(place) => self.queue.expand(place, self.fetch(Subscription(place.source))?),
                Next::Entry(Told::Changes(_)) | Next::Empty => break,
            }
        }
        Ok(Pumped { events, more: !self.queue.is_empty() })
    }

    /// Waits until there is something to pump, for so long at most; whether there is.
    ///
    /// For a host without an event loop. It may come back a little early; it does when the store is dropped, and of a store that was
    /// dropped it waits for nothing.
    pub fn wait(&self, patience: Duration) -> bool {
        self.queue.wait(patience)
    }

    /// A file descriptor that is readable as long as there is something to pump, for `poll` and its like.
    ///
    /// Each call answers another descriptor of the same, which does not block. Nothing is to be read from it: [`Events::pump`] does that, and
    /// what is read elsewhere makes it say that there is nothing.
    ///
    /// # Errors
    ///
    /// When the process has no descriptor left.
    #[cfg(unix)]
    pub fn descriptor(&self) -> std::io::Result<std::os::fd::OwnedFd> {
        use crate::event::bell::Pipe;
        self.queue.hang_up(Pipe::new)?;
        match self.queue.with_bell(Pipe::descriptor) {
            Some(descriptor) => descriptor,
            None => Err(std::io::ErrorKind::NotFound.into()),
        }
    }

    /// What other processes changed, where nobody else looks for it.
    fn look(&self) -> Result<()> {
        if self.bus.is_attended() || self.subscriptions.lock().is_empty() {
            return Ok(());
        }
        self.replica.upgrade().map_or(Ok(()), |replica| replica.read_trail())
    }

    fn is_wanted(&self, event: &Event) -> bool {
        match event {
            Event::Changed { subscription, .. } | Event::Overflowed { subscription, .. } => {
                self.subscriptions.lock().contains(subscription)
            }
            _ => true,
        }
    }

    fn fetch(&self, subscription: Subscription) -> Result<Vec<Told>> {
        let Some(replica) = self.replica.upgrade() else { return Ok(Vec::new()) };
        Ok(match replica.take_changes(subscription.0)? {
            Changes::Items(items) => {
                let changed = |change| Told::Event(Event::Changed { subscription, change });
                items.into_iter().map(changed).collect()
            }
            Changes::Overflowed(why) => vec![Told::Event(Event::Overflowed { subscription, why })],
        })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if let Some(replica) = self.replica.upgrade() {
            self.subscriptions.lock().drain(..).for_each(|subscription| replica.end_watch(subscription.0));
        }
        self.bus.cease(&self.queue);
    }
}
