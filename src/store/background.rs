//! Syncing by itself.

use super::Store;
use crate::background::{Stopped, SyncPolicy, SyncStatus};
use crate::error::Result;
use crate::wire::Wire;
use std::sync::Arc;
use std::time::Duration;

impl Store {
    /// Syncs in the background from now on: pushes after a write, brings news as they come, and tries again what fails.
    ///
    /// It has one thread, `syncstore-sync`, and makes its requests, and asks the [resolver](crate::Options::resolver), on up to three others that
    /// hold nothing of the store (eight, where calls do not come back). Reads
    /// and writes never wait for it. It keeps other stores from syncing this file; where another one does so already, it says so,
    /// and takes over when that ends. [`Store::sync`] and its like may be called all the same, and take turns with it.
    ///
    /// [`Store::events`] tells what it does; [`Store::status`] what it is at. [`Store::stop`] ends it, and so does dropping the
    /// store, which waits for at most the transaction that it is in and a wake of the host that it calls, and never for a request.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let server = syncstore_server::Server::start(syncstore_server::ServerOptions::dev(dir.path().join("server")))?;
    /// # let url = server.url();
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use syncstore::wire::http::{HttpOptions, HttpWire};
    /// use syncstore::{Event, EventOptions, Options, Store, SyncPolicy};
    ///
    /// let store = Store::open(dir.path().join("notes.db"), Options::default())?;
    /// let events = store.events(EventOptions::default(), || {});
    /// let wire = HttpWire::new(&url, "notes", HttpOptions::default())?;
    /// store.start(Arc::new(wire), SyncPolicy::default())?;
    ///
    /// let made = store.set("notes", "n1", &"Milk")?;
    /// let mut settled = false;
    /// while !settled {
    ///     events.wait(Duration::from_secs(1));
    ///     events.pump(100, Duration::from_millis(4), |event| {
    ///         settled |= matches!(event, Event::Settled { op_ref, .. } if op_ref == made);
    ///     })?;
    /// }
    /// store.stop(Duration::from_millis(250));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyStarted`](crate::Error::AlreadyStarted), also while one that was told to stop has not ended; [`Error::Storage`](crate::Error::Storage) when the system gives it no
    /// thread. What fails later shows in the status.
    pub fn start(&self, wire: Arc<dyn Wire>, policy: SyncPolicy) -> Result<()> {
        self.background.start(&self.replica, &self.seat, &self.settings, self.decisions.clone(), wire, policy)
    }

    /// Ends the background sync: cuts off its requests, and waits for its thread up to `deadline`.
    ///
    /// The thread ends within milliseconds, whatever the server and the network do, since it never waits for a request
    /// without looking out for this; only a long transaction, such as the last step of loading a large checkpoint, takes its
    /// time. On the thread of the background sync itself (in a `wake`) it answers [`Stopped::Soon`]. Nothing is lost: what was
    /// under way is repeated when a store syncs again. Where nothing runs, it answers [`Stopped::Entirely`].
    ///
    /// It also ends every [`Store::wait`] that is under way, whether anything runs or not.
    pub fn stop(&self, deadline: Duration) -> Stopped {
        self.replica.bus().pulse().end_waits();
        self.background.stop(Some(deadline))
    }

    /// Makes no more requests until [`Store::resume`], cuts off those under way, and lets other stores sync the file.
    pub fn pause(&self) {
        self.background.pause();
    }

    /// Goes on after [`Store::pause`], with a sync at once.
    pub fn resume(&self) {
        self.background.resume();
    }

    /// Syncs at once, whatever it waits for (but for [`Store::resume`]): the network is back, the user pulled the list.
    pub fn sync_now(&self) {
        self.background.sync_now();
    }

    /// Goes on where the credential was refused, or where an error stopped the sync that does not pass by itself
    /// ([`SyncState::Failed`](crate::SyncState::Failed)): the wire's [`CredentialSource`](crate::wire::CredentialSource) has another one now.
    pub fn credential_changed(&self) {
        self.background.credential_changed();
    }

    /// What the background sync is at, and when it goes on. Never waits.
    pub fn status(&self) -> SyncStatus {
        self.background.status()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.replica.bus().end();
        self.background.stop(None);
    }
}
