//! What became of an operation: asked for at once, or waited for.

use super::Store;
use crate::error::{Error, Result};
use crate::outbox::{Outcome, dependents, ledger, queue};
use crate::protocol::Ref;
use rusqlite::Connection;
use std::time::{Duration, Instant};

/// How long a wait goes without looking for itself: what other stores on the file settle is told to nobody here.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many operations a wait follows from one to the next. No honest ledger comes near it, and a damaged one may lead in a circle.
const MOST_STEPS: u32 = 100_000;

impl Store {
    /// What became of an operation; `None`: this replica does not know the ref, or no longer
    /// ([`Options::retention`](crate::Options::retention)).
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn outcome(&self, op: Ref) -> Result<Option<Outcome>> {
        self.replica.read_at_once(|connection| outcome(connection, op))
    }

    /// Blocks until an operation is settled, for at most so long; what became of it, or where it stands when the time is over.
    ///
    /// Follows one that was folded into another, or made again as another, to where that leads: the answer is
    /// [`Outcome::FoldedInto`] or [`Outcome::RetriedAs`] only where the ledger has pruned what it leads to. Settled means for good: an
    /// operation is [`Outcome::Queued`] or [`Outcome::InFlight`] until then, or has the outcome that the server's answer says before a pull has
    /// reached its place in the log. `None`, at once: this replica does not know the ref, or no longer.
    ///
    /// It syncs nothing by itself: the background sync ([`Store::start`]) does, or some other thread or process. What this store settles
    /// wakes it at once; what another store on the file does, in this process or another, it sees within a tenth of a second. It holds
    /// no lock and no read transaction while it waits, so any number of threads may. In a callback on a thread that syncs it does not wait: there it
    /// answers what is settled, and [`Error::WithinSync`] otherwise.
    ///
    /// [`Store::stop`] ends every wait that is under way, as if its time were over. A store is not dropped while a call of it
    /// runs: whoever closes one that others may wait on calls `stop` first, also where nothing was started.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use syncstore::wire::http::{HttpOptions, HttpWire};
    /// # let dir = tempfile::tempdir()?;
    /// # let server = syncstore_server::Server::start(syncstore_server::ServerOptions::dev(dir.path().join("server")))?;
    /// # let wire = HttpWire::new(&server.url(), "notes", HttpOptions::default())?;
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// use std::time::Duration;
    /// use syncstore::Outcome;
    ///
    /// let op = store.set("notes", "n1", &"Milk")?;
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| store.sync(&wire));
    ///     match store.wait(op, Duration::from_secs(10))? {
    ///         Some(Outcome::Accepted { seq }) => println!("on the server, at {seq}"),
    ///         Some(Outcome::Rejected(why)) => println!("refused: {}", why.code),
    ///         other => println!("not yet: {other:?}"),
    ///     }
    ///     Ok::<_, syncstore::Error>(())
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn wait(&self, op: Ref, at_most: Duration) -> Result<Option<Outcome>> {
        // No time is passed in here: whoever blocks a thread does so for time that really goes by.
        let until = Instant::now().checked_add(at_most);
        let pulse = self.replica.bus().pulse();
        // Before the first look: nothing that settles between the two is missed.
        let begun = pulse.now();
        let mut now = begun;
        loop {
            let (outcome, is_settled) = self.replica.read_at_once(|connection| follow(connection, op))?;
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if is_settled || left.is_zero() || now.ends(begun) {
                return Ok(outcome);
            }
            if self.seat.is_held_here() || self.background.is_here() {
                return Err(Error::WithinSync);
            }
            now = pulse.after(now, left.min(LOOK_AGAIN));
        }
    }

    /// The pending operations that depend on a pending one, in their order: as long as it is refused, they are held back, and everything else goes on.
    ///
    /// These are the rest of its batch, later operations on its item, and what depends on those in turn. When a pull has brought
    /// the rejection, the rest of its batch is rejected with it, and the others go, on top of what the server has then. Empty: nothing depends on it,
    /// or it is not pending.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// let made = store.set("notes", "n1", &"Milk")?;
    /// let mut batch = store.batch();
    /// batch.set("notes", "n1", &"Cream")?.set("notes", "n2", &"Bread")?;
    /// let batch = batch.commit()?;
    /// store.set("notes", "n3", &"Salt")?;
    /// assert_eq!(store.depends_on(made)?, batch.ops);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn depends_on(&self, op: Ref) -> Result<Vec<Ref>> {
        self.replica.read(|connection| dependents::of(connection, op))
    }
}

/// What became of an op, as of the moment that the connection reads.
pub(super) fn outcome(connection: &Connection, op: Ref) -> Result<Option<Outcome>> {
    match queue::find(connection, op)? {
        Some(queued) => Ok(Some(queued.outcome())),
        None => ledger::outcome(connection, op),
    }
}

/// What became of an op in the end, and whether it is settled.
fn follow(connection: &Connection, op: Ref) -> Result<(Option<Outcome>, bool)> {
    let (mut at, mut known) = (op, None);
    for _ in 0..MOST_STEPS {
        if let Some(queued) = queue::find(connection, at)? {
            return Ok((Some(queued.outcome()), false));
        }
        match ledger::outcome(connection, at)? {
            Some(leads @ (Outcome::FoldedInto(next) | Outcome::RetriedAs(next))) => (at, known) = (next, Some(leads)),
            None => return Ok((known, true)),
            settled => return Ok((settled, true)),
        }
    }
    Ok((known, true))
}
