//! Lanes: the threads that may block are shared among the databases, so that one that is slow leaves some to the others.
//!
//! Each request holds a thread from when it is read until its answer is encoded, waits for the database's writer or for one
//! of its readers included. One database's requests have `OF_ONE` of the `THREADS`; as many as `WAITING` more wait
//! without a thread, in the order in which they came, and any beyond are refused at once.

use super::refusal::Refusal;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The threads for all that blocks.
pub(crate) const THREADS: usize = 1_024;

// A writer commits what waits for it together: enough for large groups, and few enough that it takes sixteen databases
// to leave no thread.
const OF_ONE: usize = 64;

const WAITING: usize = 1_024;

/// The lanes of each database that has any.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    databases: Mutex<HashMap<String, Arc<Places>>>,
}

#[derive(Debug)]
struct Places {
    threads: Arc<Semaphore>,
    waiting: AtomicUsize,
    // Changed while the map is locked.
    visits: AtomicUsize,
}

/// A request's right to a thread, for as long as it is kept.
#[derive(Debug)]
pub(crate) struct Lane {
    _thread: OwnedSemaphorePermit,
    _visit: Visit,
}

impl Lanes {
    /// Waits for a lane; 503 when too many wait already.
    pub(crate) async fn take(self: &Arc<Lanes>, db: &str) -> Result<Lane, Refusal> {
        let visit = self.visit(db);
        let threads = visit.places.threads.clone();
        if let Ok(thread) = threads.clone().try_acquire_owned() {
            return Ok(Lane { _thread: thread, _visit: visit });
        }
        let waiting = Waiting::begin(&visit.places.waiting);
        if waiting.before >= WAITING {
            return Err(Refusal::overloaded("too many requests wait for this database", Duration::from_secs(1)));
        }
        let thread = threads.acquire_owned().await.map_err(|_| Refusal::internal())?;
        drop(waiting);
        Ok(Lane { _thread: thread, _visit: visit })
    }

    /// Waits for a further lane of a request that had one, and is not refused any more.
    pub(crate) async fn take_again(self: &Arc<Lanes>, db: &str) -> Result<Lane, Refusal> {
        let visit = self.visit(db);
        let thread = visit.places.threads.clone().acquire_owned().await.map_err(|_| Refusal::internal())?;
        Ok(Lane { _thread: thread, _visit: visit })
    }

    fn visit(self: &Arc<Lanes>, db: &str) -> Visit {
        let mut databases = self.databases.lock();
        let places = databases.entry(db.to_owned()).or_insert_with(|| {
            let threads = Arc::new(Semaphore::new(OF_ONE));
            Arc::new(Places { threads, waiting: AtomicUsize::new(0), visits: AtomicUsize::new(0) })
        });
        places.visits.fetch_add(1, Ordering::Relaxed);
        let places = places.clone();
        Visit { lanes: self.clone(), db: db.to_owned(), places }
    }
}

/// Keeps a database's places known while a request uses them or waits for one.
#[derive(Debug)]
struct Visit {
    lanes: Arc<Lanes>,
    db: String,
    places: Arc<Places>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        // Names are the clients': those that nobody uses are not kept.
        let mut databases = self.lanes.databases.lock();
        if self.places.visits.fetch_sub(1, Ordering::Relaxed) == 1 {
            databases.remove(&self.db);
        }
    }
}

// Counts one that waits, and down again also when its client goes away.
struct Waiting<'a> {
    all: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn begin(all: &'a AtomicUsize) -> Waiting<'a> {
        Waiting { all, before: all.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    #[tokio::test]
    async fn beyond_its_threads_and_those_that_wait_a_database_refuses_at_once() {
        let lanes = Arc::new(Lanes::default());
        let mut taken = Vec::new();
        for _ in 0..OF_ONE {
            taken.push(lanes.take("a").await.unwrap());
        }
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let lanes = lanes.clone();
                tokio::spawn(async move { lanes.take("a").await.map(drop) })
            })
            .collect();
        let known = || lanes.databases.lock()["a"].waiting.load(Ordering::Relaxed);
        while known() < WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(lanes.take("a").await.unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        drop(lanes.take("b").await.unwrap());
        let again = {
            let lanes = lanes.clone();
            tokio::spawn(async move { lanes.take_again("a").await.map(drop) })
        };
        drop(taken);
        for request in waiting.into_iter().chain([again]) {
            request.await.unwrap().unwrap();
        }
        assert!(lanes.databases.lock().is_empty(), "nothing is kept of names that nobody uses");
    }

    #[tokio::test]
    async fn one_that_goes_away_while_it_waits_leaves_nothing() {
        let lanes = Arc::new(Lanes::default());
        let mut taken = Vec::new();
        for _ in 0..OF_ONE {
            taken.push(lanes.take("a").await.unwrap());
        }
        {
            let mut waits = Box::pin(lanes.take("a"));
            assert!(now(&mut waits).is_none());
            assert_eq!(lanes.databases.lock()["a"].waiting.load(Ordering::Relaxed), 1);
        }
        assert_eq!(lanes.databases.lock()["a"].waiting.load(Ordering::Relaxed), 0);
        taken.clear();
        assert!(lanes.databases.lock().is_empty());
    }

    // What a future is now, without waiting.
    fn now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
