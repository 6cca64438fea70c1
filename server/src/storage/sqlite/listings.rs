//! Parts of a collection in the order of keys or of an index, and collections with their numbers of items.
//!
//! Every statement here reads an index in its order, from where the page begins; of items that the caller does not see
//! none is read but those between two entries of one index, and of these no more than [`MOST_PASSED`].

use super::{Stored, index_entries, json_of, tags, uint};
use crate::storage::{CollectionKey, CountedCollections, ItemKey, ItemPlace, Listing};
use rusqlite::{Connection, OptionalExtension, ToSql, params};
use std::collections::BTreeMap;
use std::ops::Bound;
use syncstore::protocol::{Json, Rev};

/// Entries of an index that are passed over because their items are hidden, before what the caller sees of the
/// collection is looked up instead; and collections that are looked at for one page.
const MOST_PASSED: usize = 50_000;

#[derive(Clone, Copy)]
enum Source {
    Keys,
    // The items with one tag.
    Tagged,
    Index,
}

/// The statement that reads a listing from a source; its parameters have the names of what they are.
fn statement(source: Source, listing: &Listing<'_>) -> String {
    let (from, columns, order) = match source {
        Source::Keys => ("SELECT id, key FROM items WHERE collection = :collection", "key", "key"),
        Source::Tagged => ("SELECT item, key FROM tags WHERE tag = :tag AND collection = :collection", "key", "key"),
        Source::Index => (
            "SELECT item, key, ordering FROM index_entries WHERE collection = :collection AND name = :name",
            "ordering",
            "ordering, key",
        ),
    };
    let mut text = from.to_owned();
    let mut and = |column: &str, comparison: &str| {
        text.push_str(" AND ");
        text.push_str(column);
        text.push_str(comparison);
    };
    let (low, high) = bounds(listing);
    match low {
        Some(Bound::Included(_)) => and(columns, " >= :from"),
        Some(Bound::Excluded(_)) => and(columns, " > :from"),
        _ => {}
    }
    match high {
        Some(Bound::Included(_)) => and(columns, " <= :to"),
        Some(Bound::Excluded(_)) => and(columns, " < :to"),
        _ => {}
    }
    let than = if listing.reverse { "<" } else { ">" };
    match (listing.after, source) {
        (Some(_), Source::Index) => and("(ordering, key)", &format!(" {than} (:after_order, :after_key)")),
        (Some(_), _) => and("key", &format!(" {than} :after_key")),
        (None, _) => {}
    }
    let direction = if listing.reverse { " DESC" } else { "" };
    let order = order.replace(',', &format!("{direction},"));
    text + &format!(" ORDER BY {order}{direction} LIMIT :most")
}

type Side<'a> = Option<Bound<&'a str>>;

/// The bounds that are asked for in a statement: where it goes on after a place, which lies within them, the bound
/// behind it would only tempt SQLite to begin there.
fn bounds<'a>(listing: &'a Listing<'_>) -> (Side<'a>, Side<'a>) {
    let side = |bound: &'a Bound<std::borrow::Cow<'_, str>>, behind: bool| match bound {
        _ if behind && listing.after.is_some() => None,
        Bound::Included(text) => Some(Bound::Included(&**text)),
        Bound::Excluded(text) => Some(Bound::Excluded(&**text)),
        Bound::Unbounded => None,
    };
    (side(&listing.from, !listing.reverse), side(&listing.to, listing.reverse))
}

/// Up to `most` places; all of them, whoever sees them.
fn read(
    connection: &Connection,
    source: Source,
    listing: &Listing<'_>,
    tag: Option<&str>,
    most: usize,
    visit: &mut dyn FnMut(ItemPlace) -> Stored<bool>,
) -> Stored<()> {
    let text = statement(source, listing);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut bound: Vec<(&str, &dyn ToSql)> = vec![(":collection", &listing.collection.0), (":most", &most)];
    let (low, high) = bounds(listing);
    let text_of = |side: Side<'_>| match side {
        Some(Bound::Included(text) | Bound::Excluded(text)) => Some(text.to_owned()),
        _ => None,
    };
    let (low, high) = (text_of(low), text_of(high));
    let (after_order, after_key) = listing.after.unwrap_or_default();
    if low.is_some() {
        bound.push((":from", &low));
    }
    if high.is_some() {
        bound.push((":to", &high));
    }
    if listing.after.is_some() {
        bound.push((":after_key", &after_key));
    }
    match source {
        Source::Keys => {}
        Source::Tagged => bound.push((":tag", &tag)),
        Source::Index => {
            bound.push((":name", &listing.index));
            if listing.after.is_some() {
                bound.push((":after_order", &after_order));
            }
        }
    }
    let mut prepared = connection.prepare_cached(&text)?;
    let mut rows = prepared.query(&*bound)?;
    while let Some(row) = rows.next()? {
        let order = if matches!(source, Source::Index) { Some(row.get(2)?) } else { None };
        if !visit(ItemPlace { item: ItemKey(row.get(0)?), order, key: row.get(1)? })? {
            break;
        }
    }
    Ok(())
}

/// Up to `most` places in the order of the listing, of items with one of the tags in `needed`, if there is such a list;
/// and whether there may be more after the last of them.
pub fn places(
    connection: &Connection,
    listing: &Listing<'_>,
    needed: Option<&[String]>,
    most: usize,
) -> Stored<(Vec<ItemPlace>, bool)> {
    places_past(connection, listing, needed, most, MOST_PASSED)
}

fn places_past(
    connection: &Connection,
    listing: &Listing<'_>,
    needed: Option<&[String]>,
    most: usize,
    most_passed: usize,
) -> Stored<(Vec<ItemPlace>, bool)> {
    let (mut places, more) = match (needed, listing.index) {
        (Some(needed), None) => (of_tags(connection, listing, needed, most + 1)?, false),
        (Some(needed), Some(index)) => of_index(connection, listing, index, needed, (most + 1, most_passed))?,
        (None, index) => {
            let source = if index.is_some() { Source::Index } else { Source::Keys };
            let mut places = Vec::new();
            read(connection, source, listing, None, most + 1, &mut |place| {
                places.push(place);
                Ok(true)
            })?;
            (places, false)
        }
    };
    let more = more || places.len() > most;
    places.truncate(most);
    Ok((places, more))
}

/// The first of what is found in any order: up to `most`, in the order of a listing.
struct First<K> {
    most: usize,
    reverse: bool,
    found: BTreeMap<K, ItemKey>,
}

impl<K: Ord> First<K> {
    fn of(listing: &Listing<'_>, most: usize) -> First<K> {
        First { most, reverse: listing.reverse, found: BTreeMap::new() }
    }

    fn add(&mut self, place: K, item: ItemKey) {
        self.found.insert(place, item);
        if self.found.len() > self.most {
            if self.reverse {
                self.found.pop_first()
            } else {
                self.found.pop_last()
            };
        }
    }

    fn places(self, place: impl Fn(K, ItemKey) -> ItemPlace) -> Vec<ItemPlace> {
        let mut places: Vec<ItemPlace> = self.found.into_iter().map(|(key, item)| place(key, item)).collect();
        if self.reverse {
            places.reverse();
        }
        places
    }
}

// Each tag's items are in the order of keys, so the first of all of them are among the first of each.
fn of_tags(connection: &Connection, listing: &Listing<'_>, needed: &[String], most: usize) -> Stored<Vec<ItemPlace>> {
    let mut first = First::of(listing, most);
    for tag in needed {
        read(connection, Source::Tagged, listing, Some(tag), most, &mut |ItemPlace { item, key, .. }| {
            first.add(key, item);
            Ok(true)
        })?;
    }
    Ok(first.places(|key, item| ItemPlace { item, order: None, key }))
}

fn of_index(
    connection: &Connection,
    listing: &Listing<'_>,
    index: &str,
    needed: &[String],
    (most, most_passed): (usize, usize),
) -> Stored<(Vec<ItemPlace>, bool)> {
    let (mut places, mut passed, mut ended) = (Vec::new(), 0, true);
    read(connection, Source::Index, listing, None, usize::MAX, &mut |place| {
        let has = tags::of_item(connection, place.item)?;
        if needed.iter().any(|tag| has.binary_search(tag).is_ok()) {
            places.push(place);
        } else {
            passed += 1;
        }
        ended = places.len() < most && passed < most_passed;
        Ok(ended)
    })?;
    if ended || !places.is_empty() {
        return Ok((places, !ended));
    }
    // Nothing of it is the caller's so far, and a page must get on: what the caller sees of the collection is looked up
    // in the index instead.
    let mut first = First::of(listing, most);
    let whole = Listing::whole(listing.collection);
    for tag in needed {
        read(connection, Source::Tagged, &whole, Some(tag), usize::MAX, &mut |ItemPlace { item, key, .. }| {
            if let Some(order) = index_entries::find(connection, item, index)?
                && listing.has(&order, &key)
            {
                first.add((order, key), item);
            }
            Ok(true)
        })?;
    }
    Ok((first.places(|(order, key), item| ItemPlace { item, order: Some(order), key }), false))
}

pub fn content(connection: &Connection, item: ItemKey) -> Stored<(Rev, Json)> {
    let mut statement = connection.prepare_cached("SELECT rev, value FROM items WHERE id = ?1")?;
    let (rev, value) = statement.query_row([item.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((uint(rev), json_of(value)?))
}

const COUNT_ALL: &str = "SELECT count(*) FROM items WHERE collection = ?1";
const COUNT_TAGGED: &str = "SELECT count(*) FROM tags WHERE tag = ?1 AND collection = ?2";
const NAMES: &str = "SELECT name, id FROM collections WHERE name > ?1 ORDER BY name";
const NEXT_OF_TAG: &str = "SELECT collection FROM tags WHERE tag = ?1 AND collection > ?2 ORDER BY collection LIMIT 1";
const NAME: &str = "SELECT name FROM collections WHERE id = ?1";

/// Up to `most` collections after that name with the numbers of their items, of those that have one of the tags in
/// `needed`, if there is such a list; none without items.
pub fn collections(
    connection: &Connection,
    after: &str,
    needed: Option<&[String]>,
    most: usize,
) -> Stored<CountedCollections> {
    let mut collections: Vec<(String, u64)> = Vec::new();
    let full = |collections: Vec<(String, u64)>| {
        let next = collections.last().map(|(name, _)| name.clone());
        Ok(CountedCollections { collections, next })
    };
    let Some(needed) = needed else {
        let mut names = connection.prepare_cached(NAMES)?;
        let mut count = connection.prepare_cached(COUNT_ALL)?;
        let mut rows = names.query([after])?;
        let mut passed = 0;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let items = uint(count.query_row([row.get::<_, i64>(1)?], |row| row.get(0))?);
            passed += 1;
            if items > 0 && collections.len() == most {
                return full(collections);
            }
            if items > 0 {
                collections.push((name.clone(), items));
            }
            // Collections stay when they are empty, however many there are.
            if passed >= MOST_PASSED {
                return Ok(CountedCollections { collections, next: Some(name) });
            }
        }
        return Ok(CountedCollections { collections, next: None });
    };
    for (name, collection) in of_caller(connection, needed)?.range::<str, _>((Bound::Excluded(after), Bound::Unbounded))
    {
        if collections.len() == most {
            return full(collections);
        }
        collections.push((name.clone(), count(connection, *collection, needed)?));
    }
    Ok(CountedCollections { collections, next: None })
}

// The collections with items of these tags: one step in the index for each collection and tag.
fn of_caller(connection: &Connection, needed: &[String]) -> Stored<BTreeMap<String, CollectionKey>> {
    let mut found = BTreeMap::new();
    let mut next = connection.prepare_cached(NEXT_OF_TAG)?;
    let mut name = connection.prepare_cached(NAME)?;
    for tag in needed {
        let mut last = 0;
        while let Some(collection) = next.query_row(params![tag, last], |row| row.get(0)).optional()? {
            last = collection;
            found.insert(name.query_row([last], |row| row.get(0))?, CollectionKey(last));
        }
    }
    Ok(found)
}

// An item with several of the tags counts once, for the first of them.
fn count(connection: &Connection, collection: CollectionKey, needed: &[String]) -> Stored<u64> {
    let mut tagged = connection.prepare_cached(COUNT_TAGGED)?;
    let whole = Listing::whole(collection);
    let mut items = 0;
    for (number, tag) in needed.iter().enumerate() {
        let earlier = needed.get(..number).unwrap_or_default();
        if items == 0 {
            items = uint(tagged.query_row(params![tag, collection.0], |row| row.get(0))?);
            continue;
        }
        read(connection, Source::Tagged, &whole, Some(tag), usize::MAX, &mut |place| {
            let has = tags::of_item(connection, place.item)?;
            items += u64::from(!earlier.iter().any(|tag| has.binary_search(tag).is_ok()));
            Ok(true)
        })?;
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::super::{plan, schema};
    use super::*;

    #[test]
    fn every_statement_searches_an_index_and_sorts_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::ensure(&mut connection, [1; 16]).unwrap();
        let (low, high) = (Bound::Included("a".into()), Bound::Excluded("b".into()));
        for source in [Source::Keys, Source::Tagged, Source::Index] {
            for (from, to) in [
                (&low, &high),
                (&Bound::Unbounded, &high),
                (&low, &Bound::Unbounded),
                (&Bound::Unbounded, &Bound::Unbounded),
            ] {
                for reverse in [false, true] {
                    for after in [None, Some(("o", "k"))] {
                        let index = matches!(source, Source::Index).then_some("i");
                        let collection = CollectionKey(1);
                        let listing = Listing { collection, index, from: from.clone(), to: to.clone(), reverse, after };
                        let sql = statement(source, &listing);
                        let plan = plan(&connection, &sql);
                        assert!(plan.starts_with("SEARCH") && plan.contains("COVERING INDEX"), "{sql}\n{plan}");
                        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{sql}\n{plan}");
                        if after.is_some() {
                            let begins = if reverse { "<" } else { ">" };
                            let by = if index.is_some() {
                                format!("(ordering,key){begins}(?,?)")
                            } else {
                                format!("key{begins}?")
                            };
                            assert!(plan.contains(&by), "{sql}\n{plan}");
                        }
                    }
                }
            }
        }
        for sql in [COUNT_ALL, COUNT_TAGGED, NAMES, NEXT_OF_TAG, NAME] {
            let plan = plan(&connection, sql);
            assert!(
                plan.starts_with("SEARCH") && !plan.contains("TEMP B-TREE") && !plan.contains("SCAN"),
                "{sql}\n{plan}"
            );
        }
    }
    /// The keys of all pages, with `most` on each, and how many pages that took.
    fn pages(connection: &Connection, index: Option<&str>, reverse: bool, most: usize) -> (Vec<String>, usize) {
        let (mut keys, mut after, mut count) = (Vec::new(), None::<(String, String)>, 0);
        loop {
            let after_last = after.as_ref().map(|(order, key)| (order.as_str(), key.as_str()));
            let listing = Listing { index, reverse, after: after_last, ..Listing::whole(CollectionKey(1)) };
            let needed = ["own".to_owned(), "too".to_owned()];
            let (places, more) = places_past(connection, &listing, Some(&needed), most, 100).unwrap();
            count += 1;
            after = places.last().map(|place| (place.order.clone().unwrap_or_default(), place.key.clone()));
            keys.extend(places.into_iter().map(|place| place.key));
            if !more {
                return (keys, count);
            }
            assert!(after.is_some(), "a page that names another has something");
        }
    }

    #[test]
    fn a_listing_gets_on_however_much_of_an_index_is_hidden() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::ensure(&mut connection, [1; 16]).unwrap();
        // Own items are the first, one in the middle and the last three of 1,200; all in the index, in the order of keys.
        connection
            .execute_batch(
                "INSERT INTO collections VALUES (1, 'c');
                 WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1200)
                 INSERT INTO items SELECT n, 1, printf('k%06d', n), n, 1, 0, 2, '1' FROM n;
                 INSERT INTO index_entries SELECT id, 'i', 'o' || key, 1, key FROM items;
                 INSERT INTO tags SELECT id,
                     CASE WHEN id IN (1, 600, 1198, 1199, 1200) THEN 'own' ELSE 'other' END, 1, key FROM items;
                 INSERT INTO tags SELECT item, 'too', 1, key FROM tags WHERE item IN (1, 1199);",
            )
            .unwrap();
        let own = ["k000001", "k000600", "k001198", "k001199", "k001200"];
        for index in [None, Some("i")] {
            let (keys, _) = pages(&connection, index, false, 2);
            assert_eq!(keys, own, "{index:?}");
            let (mut keys, _) = pages(&connection, index, true, 2);
            keys.reverse();
            assert_eq!(keys, own, "{index:?}");
        }
        let (keys, count) = pages(&connection, Some("i"), false, 100);
        assert_eq!((keys.len(), count), (5, 2), "the first, since much is hidden behind it, and the rest");
        let counted = collections(&connection, "", Some(&["own".to_owned(), "too".to_owned()]), 10).unwrap();
        assert_eq!(counted, CountedCollections { collections: vec![("c".to_owned(), 5)], next: None });
        let counted = collections(&connection, "", Some(&["nobody".to_owned()]), 10).unwrap();
        assert_eq!(counted, CountedCollections::default());
    }
}
