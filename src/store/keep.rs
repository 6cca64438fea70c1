//! What of the database the replica keeps.

use super::Store;
use crate::error::{Error, Result};
use crate::protocol::Filter;
use crate::replica::Replica;
use crate::replica::state::{self, State};

/// What a replica is to keep, and what of that is here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// What it is to keep, as [`Store::keep`] or [`Options::keep`](crate::Options::keep) set it last.
    pub keep: Filter,
    /// What is here: all that the server's log has of this, as of [`Store::position`]. Another filter than `keep` until a sync has
    /// come to its end since.
    pub here: Filter,
}

impl Store {
    /// Says which collections, and which keys of them, this replica keeps: [`Filter::everything`], or a list. It is kept in the
    /// file, for every store that opens it. Whether that changes anything.
    ///
    /// What is left out cannot be written here ([`Error::NotKept`]), as of now. All else is done by the next call of
    /// [`sync`](Store::sync), `push` or `pull`, or by the background sync, at once:
    ///
    /// - What is no longer kept is removed from the file, before the server is asked for anything, so offline too. No operation is sent by that: others
    ///   keep it. An item with pending operations stays, and can be read, until they are settled (nothing that was written is
    ///   lost), and goes then. It reads as it was with the operations that are still pending; no news of it comes.
    /// - What is kept in addition is loaded by `sync` and `pull`, and only that, after everything else they do. It appears at once when it is complete,
    ///   the further keys of a collection of which some are kept already a thousand at a time. It can be written before that: what is written waits
    ///   for the rest to be there before it is sent.
    ///
    /// Relations may lead to items that are not kept, as they may lead to items that do not exist; a walk ends there. The
    /// same holds for what a search, a query, SQL or a watcher tells: of what is here.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// use syncstore::{Error, Filter, Options, Store};
    ///
    /// let store = Store::open(dir.path().join("phone.db"), Options::default())?;
    /// store.keep(&Filter::only(["notes"]).and_prefix("orders", "2026-"))?;
    /// store.set("notes", "n1", &"Milk")?;
    /// assert!(matches!(store.set("logs", "l1", &1), Err(Error::NotKept { .. })));
    ///
    /// store.keep(&Filter::everything())?;
    /// store.set("logs", "l1", &1)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] for a list that [`Filter::check`] refuses; errors of the file.
    pub fn keep(&self, filter: &Filter) -> Result<bool> {
        filter.check()?;
        let changed = store(&self.replica, filter)?;
        if changed {
            self.background.sync_now();
        }
        Ok(changed)
    }

    /// What this replica is to keep, and what of that is here.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn kept(&self) -> Result<Kept> {
        let state = self.replica.read(State::load)?;
        let here = if state.cursor.is_none() { Filter::only::<String>([]) } else { state.here().and(&state.keep) };
        Ok(Kept { keep: state.keep, here })
    }

    /// Fails where the replica is not to keep an item.
    pub(super) fn refuse_unless_kept(&self, collection: &str, key: &str) -> Result<()> {
        let keep = self.replica.read(state::load_keep)?;
        if keep.has(collection, key) {
            return Ok(());
        }
        Err(Error::NotKept { collection: collection.to_owned(), key: key.to_owned() })
    }
}

/// Sets what a replica is to keep; whether it was something else before.
pub(super) fn store(replica: &Replica, keep: &Filter) -> Result<bool> {
    if replica.read(state::load_keep)? == *keep {
        return Ok(false);
    }
    replica.write(|connection| state::store_keep(connection, keep))
}
