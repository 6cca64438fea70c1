//! Index entries, relations and tags of items: written and read like values.

use super::Store;
use super::batch::Batch;
use super::write::Write;
use crate::error::Result;
use crate::protocol::{Content, Limits, Object, Ref, Relation, ResourceName};
use crate::replica::{Related, RelationPath, RelationTo, WalkOptions, resources, walk};
use std::collections::BTreeMap;

fn index(limits: &Limits, item: (&str, &str), name: &str, order: Option<&str>) -> Result<Write> {
    let content = order.map(|order| Content::Order(order.to_owned()));
    Write::resource(limits, item.0, item.1, ResourceName::Index(name.to_owned()), content.as_ref())
}

fn relation(limits: &Limits, item: (&str, &str), id: &str, link: Option<(&str, (&str, &str))>) -> Result<Write> {
    let content = link.map(|(predicate, (collection, key))| Content::Link {
        predicate: predicate.to_owned(),
        object: Object { collection: collection.to_owned(), key: key.to_owned() },
    });
    Write::resource(limits, item.0, item.1, ResourceName::Relation(id.to_owned()), content.as_ref())
}

fn tag(limits: &Limits, item: (&str, &str), tag: &str, there: bool) -> Result<Write> {
    Write::resource(limits, item.0, item.1, ResourceName::Tag(tag.to_owned()), there.then_some(&Content::Tag))
}

impl Store {
    /// Puts an item into an index at an ordering key, or moves it there.
    ///
    /// An index is an order of items other than that of their keys, for [`Store::query`]. It needs no declaration: it is there as soon as an
    /// item is in it. An item has at most one entry in an index of a name, and ordering keys sort bytewise. Entries
    /// travel to the server as operations, like values, and end with their item.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// store.set("notes", "n1", &"Milk")?;
    /// store.set_index("notes", "n1", "by_date", "2026-11-20")?;
    /// assert_eq!(store.indexes("notes", "n1")?["by_date"], "2026-11-20");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such item; [`Error::Limit`](crate::Error::Limit) for a
    /// name or an ordering key of 0 or more than 128 bytes (or what the server publishes); errors of the file as of
    /// [`Store::set`]. Then nothing was written.
    pub fn set_index(&self, collection: &str, key: &str, name: &str, order: &str) -> Result<Ref> {
        self.write(|limits| index(limits, (collection, key), name, Some(order)))
    }

    /// Takes an item out of an index.
    ///
    /// Like [`Store::delete`], it is an operation also where this replica has nothing to remove.
    ///
    /// # Errors
    ///
    /// Like [`Store::delete`].
    pub fn delete_index(&self, collection: &str, key: &str, name: &str) -> Result<Ref> {
        self.write(|limits| index(limits, (collection, key), name, None))
    }

    /// The index entries of an item, name to ordering key; none where there is no item.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn indexes(&self, collection: &str, key: &str) -> Result<BTreeMap<String, String>> {
        self.replica.read(|connection| resources::indexes(connection, (collection, key)))
    }

    /// Relates an item, the subject, to an object, under an id of the host's choice; or changes that relation.
    ///
    /// `object` is the collection and the key of an item, which need not exist. Relations end with their subject, not
    /// with their object.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// store.set("notes", "n1", &"Milk")?;
    /// store.set_relation("notes", "n1", "r1", "in", ("folders", "home"))?;
    /// assert_eq!(store.relations("notes", "n1", None)?[0].object.key, "home");
    /// assert_eq!(store.relations_to("folders", "home", Some("in"))?[0].key, "n1");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Like [`Store::set_index`]; each name has 1 to 128 bytes.
    pub fn set_relation(
        &self,
        collection: &str,
        key: &str,
        id: &str,
        predicate: &str,
        object: (&str, &str),
    ) -> Result<Ref> {
        self.write(|limits| relation(limits, (collection, key), id, Some((predicate, object))))
    }

    /// Removes a relation of an item.
    ///
    /// Like [`Store::delete`], it is an operation also where this replica has nothing to remove.
    ///
    /// # Errors
    ///
    /// Like [`Store::delete`].
    pub fn delete_relation(&self, collection: &str, key: &str, id: &str) -> Result<Ref> {
        self.write(|limits| relation(limits, (collection, key), id, None))
    }

    /// The relations of an item as their subject, by id; of one predicate, or all.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn relations(&self, collection: &str, key: &str, predicate: Option<&str>) -> Result<Vec<Relation>> {
        self.replica.read(|connection| resources::relations(connection, (collection, key), predicate))
    }

    /// The relations that lead to an item as their object, by their subject and id; of one predicate, or all.
    ///
    /// The object itself need not exist.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn relations_to(&self, collection: &str, key: &str, predicate: Option<&str>) -> Result<Vec<RelationTo>> {
        self.replica.read(|connection| resources::relations_to(connection, (collection, key), predicate))
    }

    /// Walks from an item over relations, step by step along a path, the nearest items first.
    ///
    /// Each item comes once for each place of the path at which it is reached, at its least depth, so rings end; the start
    /// itself is not told again at its own place. Objects that do not exist are reached like others, and lead nowhere
    /// but backwards. All is as of one moment. It takes memory for what it finds.
    ///
    /// ```
    /// # fn main() -> syncstore::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = syncstore::Store::open(dir.path().join("s.db"), syncstore::Options::default())?;
    /// use syncstore::{RelationPath, WalkOptions};
    ///
    /// for note in ["n1", "n2"] {
    ///     store.set("notes", note, &note)?;
    ///     store.set_relation("notes", note, "r1", "in", ("folders", "home"))?;
    /// }
    /// let siblings = RelationPath::forwards("in").then_backwards("in");
    /// let found = store.related(("notes", "n1"), &siblings, &WalkOptions::default().values())?;
    /// let notes: Vec<_> = found.items.iter().filter(|item| item.depth == 2).collect();
    /// assert_eq!(notes[0].key, "n2");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn related(&self, start: (&str, &str), path: &RelationPath, options: &WalkOptions) -> Result<Related> {
        self.replica.read_at_once(|connection| walk::related(connection, start, path, options))
    }

    /// Adds a tag to an item.
    ///
    /// Tags say who may see an item: a server shows it to credentials that have one of its tags. Adding or removing
    /// one that the credential has not is rejected `forbidden` there.
    ///
    /// # Errors
    ///
    /// Like [`Store::set_index`].
    pub fn add_tag(&self, collection: &str, key: &str, tag_name: &str) -> Result<Ref> {
        self.write(|limits| tag(limits, (collection, key), tag_name, true))
    }

    /// Removes a tag from an item.
    ///
    /// Whoever removes the last one by which it is seen sees it no longer: the next sync removes the item here.
    ///
    /// # Errors
    ///
    /// Like [`Store::delete`].
    pub fn remove_tag(&self, collection: &str, key: &str, tag_name: &str) -> Result<Ref> {
        self.write(|limits| tag(limits, (collection, key), tag_name, false))
    }

    /// The tags of an item, in bytewise order.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn tags(&self, collection: &str, key: &str) -> Result<Vec<String>> {
        self.replica.read(|connection| resources::tags(connection, (collection, key)))
    }
}

impl Batch<'_> {
    /// Adds a set of an index entry; see [`Store::set_index`]. Whether there is an item shows in [`Batch::commit`].
    ///
    /// # Errors
    ///
    /// Like [`Batch::set`].
    pub fn set_index(&mut self, collection: &str, key: &str, name: &str, order: &str) -> Result<&mut Self> {
        let write = index(&self.limits, (collection, key), name, Some(order))?;
        self.add(write)
    }

    /// Adds a delete of an index entry; see [`Store::delete_index`].
    ///
    /// # Errors
    ///
    /// Like [`Batch::set`].
    pub fn delete_index(&mut self, collection: &str, key: &str, name: &str) -> Result<&mut Self> {
        let write = index(&self.limits, (collection, key), name, None)?;
        self.add(write)
    }

    /// Adds a set of a relation; see [`Store::set_relation`]. Whether there is an item shows in [`Batch::commit`].
    ///
    /// # Errors
    ///
    /// Like [`Batch::set`].
    pub fn set_relation(
        &mut self,
        collection: &str,
        key: &str,
        id: &str,
        predicate: &str,
        object: (&str, &str),
    ) -> Result<&mut Self> {
        let write = relation(&self.limits, (collection, key), id, Some((predicate, object)))?;
        self.add(write)
    }

    /// Adds a delete of a relation; see [`Store::delete_relation`].
    ///
    /// # Errors
    ///
    /// Like [`Batch::set`].
    pub fn delete_relation(&mut self, collection: &str, key: &str, id: &str) -> Result<&mut Self> {
        let write = relation(&self.limits, (collection, key), id, None)?;
        self.add(write)
    }

    /// Adds the adding of a tag; see [`Store::add_tag`]. Whether there is an item shows in [`Batch::commit`].
    ///
    /// # Errors
    ///
    /// Like [`Batch::set`].
    pub fn add_tag(&mut self, collection: &str, key: &str, tag_name: &str) -> Result<&mut Self> {
        let write = tag(&self.limits, (collection, key), tag_name, true)?;
        self.add(write)
    }

    /// Adds the removing of a tag; see [`Store::remove_tag`].
    ///
    /// # Errors
    ///
    /// Like [`Batch::set`].
    pub fn remove_tag(&mut self, collection: &str, key: &str, tag_name: &str) -> Result<&mut Self> {
        let write = tag(&self.limits, (collection, key), tag_name, false)?;
        self.add(write)
    }
}
