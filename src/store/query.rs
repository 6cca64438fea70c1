//! Queries: items by key or by an index, a page at a time.

use super::Store;
use crate::error::Result;
use crate::index::IndexValue;
use crate::protocol::Json;
use crate::replica::scan::{RowRef, Scan};
use crate::watch::{IndexRange, Scope, Watch};
use rusqlite::Connection;
use std::ops::ControlFlow;

/// A query of a collection, made by [`Store::query`]; it reads when it is [run](Query::run).
///
/// All conditions hold together. Keys and ordering keys sort bytewise, which for UTF-8 is the order of their code points; an
/// [automatic index](Store::declare_index) in the order of [`IndexValue`].
#[must_use = "a query reads nothing until it is run"]
#[derive(Clone, Debug)]
pub struct Query<'a> {
    store: &'a Store,
    scan: Scan,
    limit: Option<usize>,
}

impl Store {
    /// Begins a query of a collection: all of its items by key, unless it is told otherwise.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// for (key, due) in [("milk", "2026-11-23"), ("bread", "2026-11-21"), ("tax", "2027-01-31")] {
    ///     store.set("tasks", key, &key)?;
    ///     store.set_index("tasks", key, "by_due", due)?;
    /// }
    /// let soon = store.query("tasks").index("by_due").to("2026-12").limit(1);
    /// let first = soon.clone().run()?;
    /// assert_eq!(first.get(0).unwrap().key, "bread");
    /// let rest = soon.resume(first.next().unwrap()).run()?;
    /// assert_eq!(rest.get(0).unwrap().order, Some("2026-11-23"));
    /// assert!(rest.next().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn query(&self, collection: &str) -> Query<'_> {
        let scan = Scan { collection: collection.to_owned(), values: true, ..Scan::default() };
        Query { store: self, scan, limit: None }
    }
}

impl Query<'_> {
    /// Goes by the ordering keys of an index, ties by key; only items that are in it. The conditions then speak of
    /// ordering keys.
    ///
    /// The index is the [automatic](Store::declare_index) one of that name, if the collection has one, and otherwise that of
    /// the entries that were [set](Store::set_index). In an automatic index an item stands once for each of its values.
    ///
    /// A name is not checked: one that is misspelt, or of an index that is not declared on this device, finds nothing, as an index without entries
    /// does. [`Store::declare_index`] at the start of the program, with the name from the same constant, keeps that from happening.
    pub fn index(mut self, name: impl Into<String>) -> Self {
        self.scan.index = Some(name.into());
        self
    }

    /// Only those that begin so; texts.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.scan.bounds.prefix = Some(prefix.into());
        self
    }

    /// Only this one and those behind it (inclusive), whatever the direction.
    ///
    /// Of an automatic index it may be a number, a boolean, a date ([or the beginning of one](crate::IndexedField::dates)): what it stands for in a value. Without a [`Query::to`] it
    /// leads to the last value of its own type, and not on into those of the next.
    pub fn from(mut self, first: impl Into<IndexValue>) -> Self {
        self.scan.bounds.from = Some(first.into());
        self
    }

    /// Only those before this one (exclusive), whatever the direction.
    ///
    /// As with [`Query::from`]; without that, it leads from the first value of its own type.
    pub fn to(mut self, end: impl Into<IndexValue>) -> Self {
        self.scan.bounds.to = Some(end.into());
        self
    }

    /// Descending.
    pub fn reverse(mut self) -> Self {
        self.scan.bounds.reverse = true;
        self
    }

    /// At most so many rows; [`Rows::next`] tells where others begin.
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Goes on behind the last row of an earlier page, with what its [`Rows::next`] told.
    ///
    /// The token is a place and nothing that is kept: it holds across changes, restarts and syncs. What is not changed
    /// between two pages comes exactly once; what is added, moved or removed comes where it is when its page is read.
    pub fn resume(mut self, token: impl Into<String>) -> Self {
        self.scan.after = Some(token.into());
        self
    }

    /// Leaves the values out, which is quicker: of an index nothing else is read.
    pub fn keys_only(mut self) -> Self {
        self.scan.values = false;
        self
    }

    /// What the query goes over, for [`Store::watch`]: the items between its bounds.
    ///
    /// A watcher of a range of an index is told of an item when an entry of it comes into the range or leaves it, and when the
    /// item reads otherwise while it is there. Which of these, a query tells. A limit, a token and the direction do not count. The
    /// index is the one that a query would read when something changes; that it was declared, dropped or built to its end is
    /// told as [`Overflow::Reindexed`](crate::Overflow::Reindexed).
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// use serde_json::json;
    /// use syncstore::Changes;
    ///
    /// if store.declare_index("tasks", "by_due", "/due")? {
    ///     store.build_index("tasks", "by_due", &mut |_| {})?;
    /// }
    /// let soon = store.query("tasks").index("by_due").to("2026-12");
    /// let watcher = store.watch(soon.watch())?;
    /// store.set("tasks", "tax", &json!({"due": "2027-01-31"}))?;
    /// assert!(watcher.take()?.is_empty());
    /// store.update("tasks", "tax", |task| task["due"] = "2026-11-30".into())?;
    /// assert!(matches!(watcher.take()?, Changes::Items(items) if items[0].key == "tax"));
    /// assert_eq!(soon.run()?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self) -> Watch {
        let Scan { collection, index, bounds, .. } = &self.scan;
        Watch::new(match index {
            Some(index) => Scope::Index(IndexRange::new(collection, index, bounds.clone())),
            None => bounds.keys().map_or(Scope::Nothing, |(first, end)| Scope::Keys(collection.clone(), first, end)),
        })
    }

    /// Reads the rows, all as of one moment.
    ///
    /// Values are handed out as the texts that they are stored as; none is parsed.
    ///
    /// # Errors
    ///
    /// [`Error::ResumeToken`](crate::Error::ResumeToken) for a token that is none of such a query;
    /// [`Error::Index`](crate::Error::Index) for a bound that is no text where there are only texts; when the file cannot be read.
    pub fn run(self) -> Result<Rows> {
        let mut rows = Rows { by_index: self.scan.index.is_some(), values: self.scan.values, ..Rows::default() };
        let limit = self.limit.unwrap_or(usize::MAX);
        let complete = self.read(|connection| {
            self.scan.run(connection, |row| {
                if rows.len() >= limit {
                    rows.more = true;
                    return Ok(ControlFlow::Break(()));
                }
                rows.push(row);
                Ok(ControlFlow::Continue(()))
            })
        })?;
        rows.incomplete = !complete;
        rows.next = match rows.last().filter(|_| rows.more) {
            Some(last) => Some(last.place().to_token()),
            // A limit of nothing leads nowhere else than where it began.
            None => self.scan.after.filter(|_| rows.more),
        };
        Ok(rows)
    }

    /// Hands each row to `take` as it is read, without a copy, until that breaks off or the limit is reached.
    ///
    /// All rows are as of one moment, however long it takes; until then the write-ahead log cannot be moved into the file past
    /// that moment. `take` runs on the calling thread and may use the store.
    ///
    /// # Errors
    ///
    /// Like [`Query::run`].
    pub fn for_each(self, mut take: impl FnMut(RowRef<'_>) -> ControlFlow<()>) -> Result<()> {
        let mut left = self.limit.unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(());
        }
        self.read(|connection| {
            self.scan.run(connection, |row| {
                left -= 1;
                Ok(if take(row).is_break() || left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })
        })?;
        Ok(())
    }

    /// What an index is must be found out at the same moment at which it is read.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        match &self.scan.index {
            Some(_) => self.store.replica.read_at_once(work),
            None => self.store.replica.read(work),
        }
    }
}

/// What a query read: rows in order, in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    text: String,
    /// Where the ordering key, the key and the value of each row end in `text`.
    ends: Vec<(usize, usize, usize)>,
    by_index: bool,
    values: bool,
    automatic: bool,
    more: bool,
    incomplete: bool,
    next: Option<String>,
}

impl Rows {
    fn push(&mut self, row: RowRef<'_>) {
        self.automatic = row.automatic;
        let mut end = |part: Option<&str>| {
            self.text.push_str(part.unwrap_or_default());
            self.text.len()
        };
        let ends = (end(row.order), end(Some(row.key)), end(row.value));
        self.ends.push(ends);
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether the limit cut the rows.
    pub fn more(&self) -> bool {
        self.more
    }

    /// Whether the index that the query went by has all of its collection: not so for an automatic one until
    /// [`Store::build_index`] has ended, and always for any other.
    pub fn is_complete(&self) -> bool {
        !self.incomplete
    }

    /// Where the rows go on that the limit cut off, for [`Query::resume`]; `None`: these were the last.
    ///
    /// An opaque text. It contains names of the item that it stands behind.
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// The row at a place.
    pub fn get(&self, index: usize) -> Option<RowRef<'_>> {
        let (order, key, value) = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1].2 };
        Some(RowRef {
            order: self.by_index.then_some(&self.text[start..order]),
            key: &self.text[order..key],
            value: self.values.then_some(&self.text[key..value]),
            automatic: self.automatic,
        })
    }

    /// The last row.
    pub fn last(&self) -> Option<RowRef<'_>> {
        self.get(self.len().checked_sub(1)?)
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = RowRef<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl RowRef<'_> {
    /// The value as a `T`; `None` when the query is for keys only, an error when its shape is another. For a `serde_json::Value`
    /// what [`Store::get`] says holds here too.
    pub fn to<T: serde::de::DeserializeOwned>(&self) -> Result<Option<T>> {
        self.value.map(|value| Ok(Json::read(value)?)).transpose()
    }
}
