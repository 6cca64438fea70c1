//! Full-text search.

use super::Store;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::protocol::check_collection;
use crate::replica::search;
use crate::search::{SearchHits, SearchQuery};
use crate::sync::Progress;

impl Store {
    /// Makes some fields of a collection searchable, under a name of the host's own; whether
    /// [`Store::build_search`] has something to do.
    ///
    /// Fields are JSON Pointers: of a string that is searched, or an array whose strings are. From now on every write,
    /// sync and rejection keeps the search in step, in its own transaction and in every process; it is local, and travels nowhere.
    /// What the collection holds already is taken in by [`Store::build_search`]. Declaring the same again, at every start of the
    /// application, changes nothing; other fields or another collection begin anew.
    ///
    /// Words are told apart as FTS5's `unicode61` does it, without regard to case and diacritics. A search
    /// takes disk space: the texts of its fields once more, and about half of that for the index.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// use serde_json::json;
    /// use syncstore::SearchQuery;
    ///
    /// store.set("notes", "n1", &json!({"title": "Shopping", "body": "Milk, bread and Käse"}))?;
    /// if store.declare_search("notes", "notes", &["/title", "/body"])? {
    ///     store.build_search("notes", &mut |_| {})?;
    /// }
    /// store.set("notes", "n2", &json!({"title": "Milk", "body": "for the cat"}))?;
    ///
    /// let found = store.search("notes", &SearchQuery::words("milk"))?;
    /// assert!(found.complete && found.hits.len() == 2);
    /// let found = store.search("notes", &SearchQuery::words_so_far("shopping kas"))?;
    /// assert_eq!(found.hits[0].key, "n1");
    /// assert!(found.hits[0].snippet.contains('['));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Search`](crate::Error::Search) for fields that cannot be searched; [`Error::Limit`](crate::Error::Limit)
    /// for a collection's name; those of a write.
    pub fn declare_search(&self, name: &str, collection: &str, fields: &[&str]) -> Result<bool> {
        check_collection(collection, &self.replica.newest_limits())?;
        self.replica.write(|connection| search::declare(connection, name, collection, fields))
    }

    /// Removes a search; whether it was there. No item is touched.
    ///
    /// It is one transaction, since SQLite gives the pages back without writing them: a fraction of a second for 100,000 items.
    ///
    /// # Errors
    ///
    /// Those of a write.
    pub fn drop_search(&self, name: &str) -> Result<bool> {
        self.replica.write(|connection| search::drop_search(connection, name))
    }

    /// Takes into a search what its collection held when it was declared, a slice of 250 items at a time.
    ///
    /// Blocks until all is done; writes of other threads go on between the slices. `progress` is called after each, on this
    /// thread, with the items of this call and about how many there are in all. However it ends, the next call goes on from there.
    ///
    /// # Errors
    ///
    /// [`Error::Search`](crate::Error::Search) when no such search is declared; those of a write.
    pub fn build_search(&self, name: &str, progress: &mut dyn FnMut(Progress)) -> Result<()> {
        self.build_search_while(name, None, progress)
    }

    /// Like [`Store::build_search`], until it is cancelled: from another thread, or by `progress`.
    ///
    /// It then ends with [`Error::Cancelled`](crate::Error::Cancelled) behind the slice that it is at, which stands, and soon while
    /// it waits for another writer. The next call goes on from there.
    ///
    /// # Errors
    ///
    /// Like [`Store::build_search`], and [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn build_search_until(&self, name: &str, cancel: &Cancel, progress: &mut dyn FnMut(Progress)) -> Result<()> {
        self.build_search_while(name, Some(cancel), progress)
    }

    fn build_search_while(
        &self,
        name: &str,
        cancel: Option<&Cancel>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        self.build_in_slices(
            cancel,
            |connection| search::count(connection, name),
            |connection, items| search::build(connection, name, items),
            progress,
        )
    }

    /// The items that fit a query, as of one moment, the best first.
    ///
    /// # Errors
    ///
    /// [`Error::Search`](crate::Error::Search) when no such search is declared, or the expression cannot be read.
    pub fn search(&self, name: &str, query: &SearchQuery) -> Result<SearchHits> {
        self.replica.read_at_once(|connection| search::run(connection, name, query))
    }
}
