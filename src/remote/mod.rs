//! Data of a server without a replica (section 6 of the protocol).

mod batch;
mod error;
mod item;
mod op;
mod precondition;
mod query;
mod received;

#[cfg(feature = "capi")]
pub(crate) use batch::KeptBatch;
pub use batch::{BatchItem, RemoteBatch};
pub use error::{RemoteError, RemoteRejection};
pub use item::RemoteItem;
pub use precondition::Precondition;
pub use query::RemoteQuery;

use crate::cancel::Cancel;
use crate::environment::Environment;
use crate::protocol::{
    CollectionPage, DataItem, DatabaseInfo, ItemIndexes, ItemPage, ItemRelations, ItemTags, Limits, Ref, Relation, Rev,
    check_collection, check_key,
};
use crate::wire::http::{DataCall, Exchange, HttpOptions, encoded};
use crate::wire::{Traffic, WireError};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One database of one server, read and written directly: for a program that wants an item now and keeps no replica.
///
/// Every call is one request, on the thread that calls; nothing is stored, queued or repeated here, and nothing works
/// offline: for that there is [`Store`](crate::Store). Replicas pull what is written here like anything else. Any number of threads
/// may call at once; the time-outs, the sizes of answers and the credentials are those of [`HttpOptions`], as with
/// [`HttpWire`](crate::wire::HttpWire).
///
/// ```
/// use serde_json::{Value, json};
/// use syncstore::wire::HttpOptions;
/// use syncstore::{Precondition, Remote, RemoteError, RemoteQuery};
/// use syncstore_server::{Server, ServerOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let server = Server::start(ServerOptions::dev(dir.path().join("server")))?;
/// let remote = Remote::new(&server.url(), "notes", HttpOptions::default())?;
/// let milk = remote.item("notes", "n1");
/// let rev = milk.clone().when(Precondition::Absent).set(&json!({"title": "Milk"}))?;
/// milk.set_index("by_date", "2026-11-20")?;
///
/// // Somebody else was quicker: the item is not as we know it.
/// let done = json!({"title": "Milk", "done": true});
/// let Err(RemoteError::PreconditionFailed { rev, .. }) = milk.clone().when(Precondition::Rev(rev)).set(&done) else {
///     unreachable!()
/// };
/// milk.clone().when(Precondition::Rev(rev)).set(&done)?;
///
/// let found = remote.get("notes", "n1")?.ok_or("it is gone")?;
/// assert_eq!(found.value.to::<Value>()?, done);
/// assert_eq!(found.indexes["by_date"], "2026-11-20");
///
/// // All of it or nothing.
/// let mut batch = remote.batch();
/// batch.item("accounts", "ada").set(&90)?;
/// batch.item("accounts", "bob").set(&110)?;
/// assert_eq!(batch.commit()?.len(), 2);
///
/// let page = remote.list("accounts", &RemoteQuery::all().prefix("a"))?;
/// assert_eq!(page.items[0].key, "ada");
/// # Ok(())
/// # }
/// ```
///
/// # An answer that was lost
///
/// Every write goes under a [`Ref`], and a server does what has the same ref once: the repeat is told what the first did. When an
/// answer does not come, the error is [`RemoteError::Unconfirmed`], which has the ref; the same call once more,
/// [with that ref](RemoteItem::with_ref), is safe. A program that must be able to repeat a write after a crash makes the ref itself
/// ([`Remote::new_ref`]) and keeps it first. A [`RemoteBatch`] has its refs from the start: commit it again.
pub struct Remote {
    exchange: Exchange,
    shared: Arc<Shared>,
}

/// What the cancellable ones of a `Remote` have in common with it.
struct Shared {
    limits: Mutex<Arc<Limits>>,
    /// The [`Ref::order`] of the last ref made here.
    last_ref: Mutex<i64>,
}

/// What became of an item since its caller read it.
#[derive(Clone, Debug)]
pub enum Newer {
    /// The item still has that rev.
    Unchanged,
    /// The item as it is now.
    Changed(Box<DataItem>),
    /// The caller sees no such item any more.
    Gone,
}

impl Remote {
    /// `database` of the server at `url`, which is `http://host[:port]` or `https://host[:port]`, with a path in front of `/v1`
    /// where a proxy asks for one.
    ///
    /// Opens no connection; connections are kept open between calls.
    ///
    /// # Errors
    ///
    /// [`WireError::Setup`] for a URL, a name of a database or an option that cannot be used.
    pub fn new(url: &str, database: &str, options: HttpOptions) -> Result<Remote, RemoteError> {
        let shared = Shared { limits: Mutex::new(Arc::new(Limits::PROTOCOL)), last_ref: Mutex::new(0) };
        Ok(Remote { exchange: Exchange::new(url, database, options)?, shared: Arc::new(shared) })
    }

    /// The same database, with calls that end once `cancel` is cancelled: those under way soon, and later ones at once, with
    /// [`WireError::Cancelled`].
    ///
    /// It has connections of its own, which are then closed. A look-up of the server's name and a TCP connect go on to their end,
    /// which is bounded by [`HttpOptions::connect_timeout`]. A write that is cancelled is
    /// [`RemoteError::Unconfirmed`].
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use syncstore::wire::HttpOptions;
    /// use syncstore::{Cancel, Remote};
    ///
    /// let remote = Remote::new("https://sync.example.com", "notes", HttpOptions::default())?;
    /// let cancel = Cancel::new();
    /// let asked = remote.cancellable(&cancel);
    /// let reader = std::thread::spawn(move || asked.get("notes", "n1"));
    /// cancel.cancel(); // the window was closed
    /// assert!(reader.join().unwrap().is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancellable(&self, cancel: &Cancel) -> Remote {
        Remote { exchange: self.exchange.cancellable(cancel), shared: Arc::clone(&self.shared) }
    }

    /// What the database takes; also the way to find out that URL, database and credential are right, which the absence of an item does not tell.
    ///
    /// From then on names, values and batches are checked against the limits that it publishes before they are sent; until
    /// then against [`Limits::PROTOCOL`].
    ///
    /// # Errors
    ///
    /// [`RemoteError::Wire`].
    pub fn info(&self) -> Result<DatabaseInfo, RemoteError> {
        let info = self.exchange.info()?;
        *self.shared.limits.lock() = Arc::new(info.limits.clone().readable());
        Ok(info)
    }

    /// A ref for one write, for [`RemoteItem::with_ref`]. Those of one `Remote` grow strictly.
    pub fn new_ref(&self) -> Ref {
        let environment: &dyn Environment = &*self.exchange.options().environment;
        let now = (environment.unix_ms() as i64) << 12;
        let mut last = self.shared.last_ref.lock();
        *last = now.max(last.saturating_add(1)) & Ref::MAX_ORDER;
        Ref::from_parts(*last, environment.random())
    }

    /// One item with its index entries, relations and tags; `None`: there is none, or the caller may not see it.
    ///
    /// [`Json::to`](crate::protocol::Json::to) makes any type of its value. The rev is what [`Precondition::Rev`] takes.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Limit`] for a name of 0 or too many bytes, with nothing sent; [`RemoteError::Wire`].
    pub fn get(&self, collection: &str, key: &str) -> Result<Option<DataItem>, RemoteError> {
        let call = self.of_item(collection, key, "", "data/:collection/:key")?;
        self.read(&call, |item: &DataItem| received::item(item, key))
    }

    /// Like [`Remote::get`], but the item is sent only if its rev is not `rev`, which an earlier read gave.
    ///
    /// # Errors
    ///
    /// Like [`Remote::get`].
    pub fn get_newer(&self, collection: &str, key: &str, rev: Rev) -> Result<Newer, RemoteError> {
        let mut call = self.of_item(collection, key, "", "data/:collection/:key")?;
        call.unless_rev = Some(rev);
        let answer = self.exchange.data(&call, None);
        Ok(match self.found(answer, |item: &DataItem| received::item(item, key))? {
            None => Newer::Gone,
            Some(None) => Newer::Unchanged,
            Some(Some(item)) => Newer::Changed(Box::new(item)),
        })
    }

    /// The index entries of an item, name to ordering key; `None`: the caller sees no such item.
    ///
    /// # Errors
    ///
    /// Like [`Remote::get`].
    pub fn indexes(&self, collection: &str, key: &str) -> Result<Option<BTreeMap<String, String>>, RemoteError> {
        let call = self.of_item(collection, key, "/indexes", "data/:collection/:key/indexes")?;
        let part = self.read(&call, |part: &ItemIndexes| received::indexes(&part.indexes))?;
        Ok(part.map(|part| part.indexes))
    }

    /// The relations of an item as their subject, by id; `None`: the caller sees no such item.
    ///
    /// # Errors
    ///
    /// Like [`Remote::get`].
    pub fn relations(&self, collection: &str, key: &str) -> Result<Option<Vec<Relation>>, RemoteError> {
        let call = self.of_item(collection, key, "/relations", "data/:collection/:key/relations")?;
        let part = self.read(&call, |part: &ItemRelations| received::relations(&part.relations))?;
        Ok(part.map(|part| part.relations))
    }

    /// The tags of an item, in bytewise order; `None`: the caller sees no such item.
    ///
    /// # Errors
    ///
    /// Like [`Remote::get`].
    pub fn tags(&self, collection: &str, key: &str) -> Result<Option<Vec<String>>, RemoteError> {
        let call = self.of_item(collection, key, "/tags", "data/:collection/:key/tags")?;
        let part = self.read(&call, |part: &ItemTags| received::tags(&part.tags))?;
        Ok(part.map(|part| part.tags))
    }

    /// One page of the items of a collection that the caller sees.
    ///
    /// A page may have fewer items than the query's limit, or none, and be followed by another all the same: the last is the one whose
    /// `next` is `None`. Each page is of one moment, all of them together are not.
    ///
    /// # Errors
    ///
    /// Like [`Remote::get`]. A token of [`RemoteQuery::resume`] that is of another query is refused with the code `malformed`.
    pub fn list(&self, collection: &str, query: &RemoteQuery) -> Result<ItemPage, RemoteError> {
        let limits = self.limits();
        check_collection(collection, &limits)?;
        query.check(&limits)?;
        let target = format!("/data/{}{}", segment(collection), query.to_text());
        let call = DataCall::get(target, "data/:collection");
        self.answer(&call, |page: &ItemPage| received::page(page, query))
    }

    /// One page of the collections that have items which the caller sees, by name; `after` is the `next` of the page before.
    ///
    /// # Errors
    ///
    /// Like [`Remote::list`].
    pub fn collections(&self, after: Option<&str>) -> Result<CollectionPage, RemoteError> {
        let after_text = after.map(|after| format!("?after={}", encoded(after))).unwrap_or_default();
        let call = DataCall::get(format!("/data{after_text}"), "data");
        self.answer(&call, |page: &CollectionPage| received::collections(page, after))
    }

    /// An item to write to. Sends nothing.
    pub fn item<'a>(&'a self, collection: &'a str, key: &'a str) -> RemoteItem<'a> {
        RemoteItem::new(self, collection, key)
    }

    /// Begins a batch: writes that are all done, or none.
    pub fn batch(&self) -> RemoteBatch<'_> {
        RemoteBatch::new(self)
    }

    /// What has gone over the network since this was made.
    pub fn traffic(&self) -> Traffic {
        self.exchange.traffic()
    }

    fn limits(&self) -> Arc<Limits> {
        self.shared.limits.lock().clone()
    }

    fn of_item(
        &self,
        collection: &str,
        key: &str,
        part: &'static str,
        name: &'static str,
    ) -> Result<DataCall, RemoteError> {
        let limits = self.limits();
        check_collection(collection, &limits)?;
        check_key(key, &limits)?;
        Ok(DataCall::get(format!("{}{part}", path(collection, key)), name))
    }

    /// What a call answers that is never told that nothing has changed.
    fn answer<T: DeserializeOwned>(
        &self,
        call: &DataCall,
        check: impl FnOnce(&T) -> Result<(), WireError>,
    ) -> Result<T, RemoteError> {
        let answer = self.exchange.data(call, None).map_err(|failure| failure.error)?;
        let answer = answer.ok_or_else(received::unmodified)?;
        check(&answer)?;
        Ok(answer)
    }

    fn read<T: DeserializeOwned>(
        &self,
        call: &DataCall,
        check: impl FnOnce(&T) -> Result<(), WireError>,
    ) -> Result<Option<T>, RemoteError> {
        match self.found(self.exchange.data(call, None), check)? {
            None => Ok(None),
            Some(None) => Err(received::unmodified().into()),
            Some(found) => Ok(found),
        }
    }

    /// What is at an item's place: `None` when there is nothing, `Some(None)` when it has not changed.
    fn found<T>(
        &self,
        answer: Result<Option<T>, crate::wire::http::Failure>,
        check: impl FnOnce(&T) -> Result<(), WireError>,
    ) -> Result<Option<Option<T>>, RemoteError> {
        match answer {
            Ok(found) => {
                found.as_ref().map_or(Ok(()), check)?;
                Ok(Some(found))
            }
            // Only with the protocol's own word: of a wrong URL, or of a database that is not there, no item is absent.
            Err(failure) => match failure.error {
                WireError::Refused { status: 404, code, .. } if code == "not_found" => Ok(None),
                error => Err(error.into()),
            },
        }
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("url", &self.exchange.url())
            .field("options", self.exchange.options())
            .finish_non_exhaustive()
    }
}

/// The place of an item behind the database's URL.
fn path(collection: &str, key: &str) -> String {
    format!("/data/{}/{}", segment(collection), segment(key))
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    // Bare, these two are a way through the path, not a name (RFC 3986, section 5.2.4).
    if name == "." || name == ".." { name.replace('.', "%2E") } else { encoded(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one_segment_of_the_path() {
        for (name, expected) in [
            ("n1", "n1"),
            ("a/b", "a%2Fb"),
            ("100%", "100%25"),
            ("%2F", "%252F"),
            (".", "%2E"),
            ("..", "%2E%2E"),
            ("...", "..."),
            (".hidden", ".hidden"),
            ("a b?c#d&e=f", "a%20b%3Fc%23d%26e%3Df"),
            ("é漢\u{1f388}", "%C3%A9%E6%BC%A2%F0%9F%8E%88"),
            ("\0\n", "%00%0A"),
        ] {
            assert_eq!(segment(name), expected, "{name:?}");
        }
    }

    #[test]
    fn refs_grow_within_one_millisecond_and_when_the_clock_goes_back() {
        let remote = Remote::new("http://127.0.0.1:1", "db", HttpOptions::default()).unwrap();
        let refs: Vec<Ref> = (0..1_000).map(|_| remote.new_ref()).collect();
        assert!(refs.windows(2).all(|pair| pair[0].order() < pair[1].order()));
        assert!(refs.iter().all(Ref::is_v7));
    }
}
