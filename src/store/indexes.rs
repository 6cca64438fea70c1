//! Automatic indexes.

use super::Store;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::index::IndexedField;
use crate::protocol::{ResourceName, check_collection};
use crate::replica::automatic;
use crate::sync::Progress;

impl Store {
    /// Keeps an index of a collection by a part of its values, under a name of the host's own; whether
    /// [`Store::build_index`] has something to do.
    ///
    /// From now on every write, sync and rejection keeps the index in step, in its own transaction and in every process; it is
    /// local, and travels nowhere. What the collection holds already is taken in by [`Store::build_index`]. Declaring the
    /// same again, at every start of the application, changes nothing; another field begins anew. [`Store::query`] reads it.
    ///
    /// The field is a JSON Pointer, or one to [dates](IndexedField::dates). A value has an entry for a string, a number or a boolean
    /// there, and one for each such member of an array; none for null, an object, an array within the array, or what
    /// is not there. [`IndexValue`](crate::IndexValue) says in which order they are.
    ///
    /// Entries that were set with [`Store::set_index`] are something else, also those under the same name:
    /// they stay, travel, and are what [`Store::indexes`] reads. Only a query by that name reads the automatic index while
    /// there is one.
    ///
    /// An index takes disk space, for each entry its value, the key and some bytes, and makes each write of the collection a little
    /// slower. A replica has at most 256.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// use serde_json::json;
    ///
    /// store.set("tasks", "milk", &json!({"due": "2026-11-23", "effort": 3}))?;
    /// for (name, field) in [("by_due", "/due"), ("by_effort", "/effort")] {
    ///     if store.declare_index("tasks", name, field)? {
    ///         store.build_index("tasks", name, &mut |_| {})?;
    ///     }
    /// }
    /// store.set("tasks", "tax", &json!({"due": "2027-01-31", "effort": 40.5}))?;
    /// store.set("tasks", "cat", &json!({"effort": 7}))?;
    ///
    /// let soon = store.query("tasks").index("by_due").to("2026-12").run()?;
    /// assert_eq!(soon.iter().map(|row| row.key).collect::<Vec<_>>(), ["milk"]);
    /// let hard = store.query("tasks").index("by_effort").from(5).reverse().keys_only().run()?;
    /// assert_eq!(hard.iter().map(|row| row.key).collect::<Vec<_>>(), ["tax", "cat"]);
    /// assert_eq!(hard.get(0).unwrap().order_value(), Some(40.5.into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Index`](crate::Error::Index) for what is no JSON Pointer, and when there are too many;
    /// [`Error::Limit`](crate::Error::Limit) for a collection's or an index's name; those of a write.
    pub fn declare_index(&self, collection: &str, name: &str, field: impl Into<IndexedField>) -> Result<bool> {
        let (limits, field) = (self.replica.newest_limits(), field.into());
        check_collection(collection, &limits)?;
        ResourceName::Index(name.to_owned()).check(&limits)?;
        self.replica.write(|connection| {
            let (must_be_built, is_new) = automatic::declare(connection, collection, name, &field)?;
            if is_new {
                connection.reindexed(collection, name)?;
            }
            Ok(must_be_built)
        })
    }

    /// Removes an automatic index; whether it was there. No item is touched.
    ///
    /// # Errors
    ///
    /// Those of a write.
    pub fn drop_index(&self, collection: &str, name: &str) -> Result<bool> {
        self.replica.write(|connection| {
            let was_there = automatic::drop_index(connection, collection, name)?;
            if was_there {
                connection.reindexed(collection, name)?;
            }
            Ok(was_there)
        })
    }

    /// Takes into an automatic index what its collection held when it was declared, a slice of 250 items at a time.
    ///
    /// Blocks until all is done; writes of other threads go on between the slices. `progress` is called after each, on this
    /// thread, with the items of this call and about how many there are in all. However it ends, the next call goes on from
    /// there; until the end queries find what is in it, and say that it is not [complete](crate::Rows::is_complete).
    ///
    /// # Errors
    ///
    /// [`Error::Index`](crate::Error::Index) when no such index is declared; those of a write.
    pub fn build_index(&self, collection: &str, name: &str, progress: &mut dyn FnMut(Progress)) -> Result<()> {
        self.build_index_while(collection, name, None, progress)
    }

    /// Like [`Store::build_index`], until it is cancelled: from another thread, or by `progress`.
    ///
    /// It then ends with [`Error::Cancelled`](crate::Error::Cancelled) behind the slice that it is at, which stands, and soon while
    /// it waits for another writer. The next call goes on from there.
    ///
    /// # Errors
    ///
    /// Like [`Store::build_index`], and [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn build_index_until(
        &self,
        collection: &str,
        name: &str,
        cancel: &Cancel,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        self.build_index_while(collection, name, Some(cancel), progress)
    }

    fn build_index_while(
        &self,
        collection: &str,
        name: &str,
        cancel: Option<&Cancel>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        self.build_in_slices(
            cancel,
            |connection| automatic::count(connection, collection, name),
            |connection, items| {
                let was_complete = automatic::is_complete(connection, collection, name)?;
                let (count, done) = automatic::build(connection, collection, name, items)?;
                if done && !was_complete {
                    connection.reindexed(collection, name)?;
                }
                Ok((count, done))
            },
            progress,
        )
    }
}
