//! The places where threads of the background sync and of the host meet, under every order of steps that a scheduler
//! can think of.
//!
//! The sources of the crate themselves, with locks, condition variables, channels and threads whose every step is a choice (the crate
//! `shuttle`). A lost wake shows as a deadlock: a wait never times out here.

mod primitives {
    pub use shuttle::sync::{Condvar, Mutex, MutexGuard, mpsc};
    pub use shuttle::thread;
}

#[path = "../../src/background/courier.rs"]
#[allow(dead_code, reason = "why there is no thread, which nobody reads here")]
mod courier;

#[path = "../../src/background/mailbox.rs"]
mod mailbox;
#[path = "../../src/event/queue.rs"]
#[allow(dead_code, reason = "what the crate uses besides")]
mod queue;

use courier::{Couriers, MOST, Unsent};
use mailbox::Mailbox;
use queue::{Bell, Entry, Next, Queue};
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;
use std::collections::HashSet;
use std::time::Duration;

/// Schedules that each test tries.
const TRIES: usize = 2_000;

fn every_order(test: impl Fn() + Send + Sync + 'static) {
    shuttle::check_pct(test, TRIES, 4);
}

#[test]
fn what_is_posted_is_taken_and_no_post_is_slept_over() {
    every_order(|| {
        let mailbox = Arc::new(Mailbox::<Vec<usize>>::new());
        let posting: Vec<_> = (0..3)
            .map(|of| {
                let mailbox = Arc::clone(&mailbox);
                thread::spawn(move || (0..2).for_each(|n| mailbox.post(|mail| mail.push(of * 10 + n))))
            })
            .collect();
        let mut taken = Vec::new();
        while taken.len() < 6 {
            taken.extend(mailbox.take(Duration::from_secs(1)));
        }
        posting.into_iter().for_each(|posting| posting.join().unwrap());
        for of in 0..3 {
            let own: Vec<_> = taken.iter().filter(|n| **n / 10 == of).collect();
            assert_eq!(own, [&(of * 10), &(of * 10 + 1)], "in the order in which they were posted");
        }
    });
}

#[test]
fn each_job_is_done_once_and_all_are_once_none_is_under_way() {
    every_order(|| {
        let couriers = Arc::new(Couriers::default());
        let done_by = Arc::new(Mutex::new(Vec::new()));
        let sending: Vec<_> = (0..3)
            .map(|_| {
                let (couriers, done_by) = (Arc::clone(&couriers), Arc::clone(&done_by));
                thread::spawn(move || {
                    for _ in 0..2 {
                        let done_by = Arc::clone(&done_by);
                        let job = move || done_by.lock().unwrap().push(thread::current().id());
                        couriers.send(Box::new(job)).unwrap();
                    }
                })
            })
            .collect();
        sending.into_iter().for_each(|sending| sending.join().unwrap());
        assert!(couriers.come_back(Duration::from_secs(1)));
        assert_eq!(done_by.lock().unwrap().len(), 6);
    });
}

#[test]
fn one_after_the_other_is_done_on_one_thread() {
    every_order(|| {
        let couriers = Arc::new(Couriers::default());
        let done_by = Arc::new(Mutex::new(HashSet::new()));
        for _ in 0..3 {
            let done_by = Arc::clone(&done_by);
            let job = move || {
                done_by.lock().unwrap().insert(thread::current().id());
            };
            couriers.send(Box::new(job)).unwrap();
            assert!(couriers.come_back(Duration::from_secs(1)));
        }
        assert_eq!(done_by.lock().unwrap().len(), 1);
    });
}

#[test]
fn couriers_that_nobody_needs_any_more_end_with_their_jobs() {
    every_order(|| {
        let couriers = Arc::new(Couriers::default());
        let (gate, done) = (Arc::new(Mailbox::<Option<()>>::new()), Arc::new(Mailbox::<Option<()>>::new()));
        let (closed, open) = (Arc::clone(&gate), Arc::clone(&done));
        let job = move || {
            while closed.take(Duration::from_secs(1)).is_none() {}
            open.post_first(());
        };
        couriers.send(Box::new(job)).unwrap();
        couriers.send(Box::new(|| {})).unwrap();
        drop(couriers);
        gate.post_first(());
        while done.take(Duration::from_secs(1)).is_none() {}
        // A thread that waits for another errand would be a deadlock.
    });
}

#[test]
fn no_more_jobs_than_there_may_be_threads_are_under_way() {
    every_order(|| {
        let couriers = Arc::new(Couriers::default());
        let (gates, refused): (Vec<_>, Vec<_>) = (0..MOST + 1)
            .map(|_| {
                let gate = Arc::new(Mailbox::<Option<()>>::new());
                let closed = Arc::clone(&gate);
                (gate, couriers.send(Box::new(move || while closed.take(Duration::from_secs(1)).is_none() {})))
            })
            .unzip();
        assert!(refused[..MOST].iter().all(Result::is_ok));
        assert!(matches!(refused[MOST], Err(Unsent::TooMany)));
        gates.iter().for_each(|gate| gate.post_first(()));
        assert!(couriers.come_back(Duration::from_secs(1)));
        // On a thread that has come back.
        couriers.send(Box::new(|| {})).unwrap();
        assert!(couriers.come_back(Duration::from_secs(1)));
    });
}

#[test]
fn who_waits_gets_what_came_first_and_never_sleeps_over_it() {
    every_order(|| {
        let mailbox = Arc::new(Mailbox::<Option<usize>>::new());
        let putting: Vec<_> = (0..2)
            .map(|n| {
                let mailbox = Arc::clone(&mailbox);
                thread::spawn(move || {
                    mailbox.post_first(2 * n);
                    mailbox.post_first(2 * n + 1);
                })
            })
            .collect();
        let came = loop {
            if let Some(came) = mailbox.take(Duration::from_secs(1)) {
                break came;
            }
        };
        assert!(came % 2 == 0, "{came} came second");
        putting.into_iter().for_each(|putting| putting.join().unwrap());
    });
}

/// What stands in the queue: something to count, the last of its kind, or a source.
#[derive(Debug, PartialEq)]
enum Told {
    Counted(usize),
    Latest(usize),
    Source,
    Fetched(usize),
    Missed(u64),
}

impl Entry for Told {
    fn replaces(&self, earlier: &Told) -> bool {
        matches!((self, earlier), (Told::Latest(_), Told::Latest(_)) | (Told::Source, Told::Source))
    }
    fn class(&self) -> Option<usize> {
        matches!(self, Told::Counted(_)).then_some(0)
    }
    fn missed(_: usize, count: u64) -> Told {
        Told::Missed(count)
    }
    fn count_missed(&mut self, _: usize) -> Option<&mut u64> {
        if let Told::Missed(count) = self { Some(count) } else { None }
    }
    fn source(&self) -> Option<u64> {
        matches!(self, Told::Source).then_some(1)
    }
}

/// Rings twice in a row, or is silenced while silent, and the test fails.
#[derive(Default)]
struct Strict {
    rings: AtomicUsize,
    /// How often it began to ring.
    rung: AtomicUsize,
}

impl Bell for Strict {
    fn ring(&self) {
        assert_eq!(self.rings.swap(1, Ordering::SeqCst), 0, "it rings already");
        self.rung.fetch_add(1, Ordering::SeqCst);
    }
    fn silence(&self) {
        assert_eq!(self.rings.swap(0, Ordering::SeqCst), 1, "it is silent already");
    }
}

fn queue(woken: &Arc<AtomicUsize>) -> Arc<Queue<Told, Strict>> {
    let woken = Arc::clone(woken);
    let queue = Queue::new(vec![2], move || drop(woken.fetch_add(1, Ordering::SeqCst).to_string()));
    queue.hang_up(|| Ok::<_, ()>(Strict::default())).unwrap();
    Arc::new(queue)
}

#[test]
fn nothing_told_is_lost_or_told_twice_and_a_listener_who_sleeps_when_it_is_empty_is_woken() {
    every_order(|| {
        let woken = Arc::new(AtomicUsize::new(0));
        let queue = queue(&woken);
        let telling: Vec<_> = (0..2)
            .map(|of| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || (0..3).for_each(|n| queue.push(Told::Counted(of * 10 + n))))
            })
            .collect();
        let (mut told, mut missed) = (Vec::new(), 0);
        while told.len() + missed < 6 {
            // Woken, or a deadlock.
            queue.wait(Duration::from_secs(1));
            match queue.next() {
                Next::Entry(Told::Counted(n)) => told.push(n),
                Next::Entry(Told::Missed(count)) => missed += count as usize,
                Next::Entry(other) => panic!("{other:?}"),
                Next::Source(_) | Next::Empty => {}
            }
        }
        telling.into_iter().for_each(|telling| telling.join().unwrap());
        assert_eq!(queue.next(), Next::Empty);
        for of in 0..2 {
            let own: Vec<_> = told.iter().filter(|n| **n / 10 == of).collect();
            assert!(own.is_sorted(), "in the order in which they were told: {told:?}");
        }
        let mut expected = vec![0, 1, 2, 10, 11, 12];
        // What was counted as missed is told of nowhere else.
        expected.retain(|n| missed == 0 || told.contains(n));
        told.sort_unstable();
        assert_eq!((&told, told.len() + missed), (&expected, 6));
        let woken = woken.load(Ordering::SeqCst);
        assert!((1..=6).contains(&woken), "{woken}");
    });
}

#[test]
fn a_wake_comes_exactly_once_for_each_time_that_it_was_empty() {
    every_order(|| {
        let woken = Arc::new(AtomicUsize::new(0));
        let queue = queue(&woken);
        let telling: Vec<_> = (0..3)
            .map(|n| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || queue.push(Told::Latest(n)))
            })
            .collect();
        let mut taken = 0;
        for _ in 0..3 {
            taken += usize::from(matches!(queue.next(), Next::Entry(_)));
        }
        telling.into_iter().for_each(|telling| telling.join().unwrap());
        let left = usize::from(!queue.is_empty());
        // With one entry at a time at most, each that was taken, and the one that is left, was told of once.
        let seen = queue.with_bell(|bell| (bell.rings.load(Ordering::SeqCst), bell.rung.load(Ordering::SeqCst)));
        assert_eq!((seen, woken.load(Ordering::SeqCst)), (Some((left, taken + left)), taken + left));
    });
}

#[test]
fn a_source_that_is_told_again_while_it_is_fetched_is_fetched_again() {
    every_order(|| {
        let woken = Arc::new(AtomicUsize::new(0));
        let queue = queue(&woken);
        // What the source has: told after it is there, as the change feed does.
        let there = Arc::new(AtomicUsize::new(0));
        let telling = {
            let (queue, there) = (Arc::clone(&queue), Arc::clone(&there));
            thread::spawn(move || {
                for _ in 0..3 {
                    if there.fetch_add(1, Ordering::SeqCst) == 0 {
                        queue.push(Told::Source);
                    }
                }
            })
        };
        let mut fetched = 0;
        while fetched < 3 {
            queue.wait(Duration::from_secs(1));
            match queue.next() {
                Next::Source(place) => match there.swap(0, Ordering::SeqCst) {
                    0 => queue.expand(place, Vec::new()),
                    some => queue.expand(place, vec![Told::Fetched(some)]),
                },
                Next::Entry(Told::Fetched(some)) => fetched += some,
                Next::Empty => {}
                other => panic!("{other:?}"),
            }
        }
        telling.join().unwrap();
        assert_eq!(fetched, 3);
    });
}

#[test]
fn two_who_fetch_a_source_at_the_same_time_leave_the_bell_as_the_queue_is() {
    every_order(|| {
        let queue = queue(&Arc::new(AtomicUsize::new(0)));
        let there = Arc::new(AtomicUsize::new(2));
        queue.push(Told::Source);
        let fetching: Vec<_> = (0..2)
            .map(|_| {
                let (queue, there) = (Arc::clone(&queue), Arc::clone(&there));
                thread::spawn(move || {
                    let mut fetched = 0;
                    for _ in 0..3 {
                        match queue.next() {
                            Next::Source(place) => {
                                let some = there.swap(0, Ordering::SeqCst);
                                queue.expand(place, (some > 0).then_some(Told::Fetched(some)).into_iter().collect());
                            }
                            Next::Entry(Told::Fetched(some)) => fetched += some,
                            _ => {}
                        }
                    }
                    fetched
                })
            })
            .collect();
        let ended = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.retain(|told| *told != Told::Source))
        };
        let mut fetched: usize = fetching.into_iter().map(|fetching| fetching.join().unwrap()).sum();
        ended.join().unwrap();
        while let Next::Entry(told) = queue.next() {
            fetched += if let Told::Fetched(some) = told { some } else { 0 };
        }
        assert_eq!(fetched + there.load(Ordering::SeqCst), 2);
        assert_eq!(queue.with_bell(|bell| bell.rings.load(Ordering::SeqCst)), Some(0));
    });
}
