//! Reading: the view, and where the replica stands.

use super::Store;
use crate::error::Result;
use crate::protocol::{Json, Seq};
use crate::replica::state::State;
use crate::replica::{Items, KeyRange, collections, items};
use crate::sync::Progress;
use serde::de::DeserializeOwned;

impl Store {
    /// An item's value as a `T`; `None`: there is no such item.
    ///
    /// Use `serde_json::Value` for a value of any shape but one: serde_json takes an object whose first member is
    /// `$serde_json::private::RawValue` for something of its own, and reads something else, or fails. Whoever must expect such a
    /// value, from users that mean harm, reads [`Store::get_raw`] with [`Json::to_value`].
    ///
    /// # Errors
    ///
    /// [`Error::Json`](crate::Error::Json) when the value is not of `T`'s shape.
    pub fn get<T: DeserializeOwned>(&self, collection: &str, key: &str) -> Result<Option<T>> {
        self.replica.read(|connection| items::view_value(connection, collection, key, |text| Ok(Json::read(text)?)))
    }

    /// An item's value as its JSON text, byte for byte as it was set; `None`: there is no such item.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn get_raw(&self, collection: &str, key: &str) -> Result<Option<String>> {
        self.get_with(collection, key, str::to_owned)
    }

    /// What is made of an item's JSON text while that is in SQLite's memory; `None`: there is no such item.
    pub(crate) fn get_with<T>(&self, collection: &str, key: &str, make: impl Fn(&str) -> T) -> Result<Option<T>> {
        self.replica.read(|connection| items::view_value(connection, collection, key, |text| Ok(make(text))))
    }

    /// The items of a range of keys, all as of one moment.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// use syncstore::KeyRange;
    ///
    /// for day in 1..=3 {
    ///     store.set("diary", &format!("2026-11-{day:02}"), &day)?;
    /// }
    /// let first = store.list("diary", &KeyRange::all().prefix("2026-11-").limit(2))?;
    /// assert_eq!(first.iter().map(|item| item.key).collect::<Vec<_>>(), ["2026-11-01", "2026-11-02"]);
    /// assert!(first.more());
    /// let rest = store.list("diary", &KeyRange::all().prefix("2026-11-").after("2026-11-02"))?;
    /// assert_eq!(rest.get(0).unwrap().to::<u32>()?, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn list(&self, collection: &str, range: &KeyRange) -> Result<Items> {
        self.replica.read(|connection| items::list(connection, collection, range))
    }

    /// The names of all collections that have an item, in bytewise order.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn collections(&self) -> Result<Vec<String>> {
        self.replica.read(collections::names)
    }

    /// Where the replica stands in the server's log: every entry at or below it is in what it reads.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn position(&self) -> Result<Seq> {
        self.replica.read(|connection| Ok(State::load(connection)?.position))
    }

    /// How far a bootstrap has come that is on its way or was interrupted; `None`: there is none.
    ///
    /// May be called from any thread while a sync runs on another.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn bootstrap_progress(&self) -> Result<Option<Progress>> {
        self.replica.read(|connection| {
            let bootstrap = State::load(connection)?.bootstrap;
            Ok(bootstrap.map(|bootstrap| Progress { loaded: bootstrap.loaded, total: bootstrap.total }))
        })
    }
}
