//! What a host reads of items by way of indexes, relations and SQL, beside plain walks over the model's maps.

use crate::model::{COLLECTIONS, Content, Item};
use crate::{INDEXES, Named, PREDICATES, key};
use serde_json::Value;
use std::collections::BTreeSet;
use syncstore::{Query, RelationPath, ResourceName, SqlValue, Store, WalkOptions};

type Name = (String, String);

/// A relation of an item that is there.
struct Link<'a> {
    subject: &'a Name,
    id: &'a str,
    predicate: &'a str,
    object: &'a Name,
}

/// `stands` tells of an item whether it is confirmed, and how many ops on it wait.
pub fn compare(store: &Store, items: &Named, stands: impl Fn(&Item) -> (bool, usize), at: usize) {
    compare_indexes(store, items, at);
    let links = links(items);
    for object in names() {
        compare_relations(store, &links, &object, at);
        compare_walks(store, items, &links, &object, at);
    }
    compare_views(store, items, &links, at);
    let stands = |item: Item| {
        let (confirmed, waits) = stands(&item);
        items.get(&named(item)).map(|_| [item.0.into(), key(&item).into(), confirmed.into(), (waits as i64).into()])
    };
    let expected: Vec<[SqlValue; 4]> = every_item().filter_map(stands).collect();
    let read = rows(store, "SELECT collection, key, rev > 0, pending FROM items ORDER BY collection, key");
    assert_eq!(read, expected, "user{at}: what is confirmed, and what waits");
}

/// Every item that there may be, in the order of names.
fn every_item() -> impl Iterator<Item = Item> {
    let collections: BTreeSet<&str> = COLLECTIONS.into();
    collections.into_iter().flat_map(|collection| (0..3).map(move |n| (collection, n)))
}

fn named(item: Item) -> Name {
    (item.0.to_owned(), key(&item))
}

fn names() -> impl Iterator<Item = Name> {
    every_item().map(named)
}

fn compare_indexes(store: &Store, items: &Named, at: usize) {
    for (collection, index) in COLLECTIONS.iter().flat_map(|name| INDEXES.map(|index| (*name, index))) {
        let mut there: Vec<(String, String, Value)> = Vec::new();
        for ((_, key), whole) in items.iter().filter(|((of, _), _)| of == collection) {
            if let Some(Content::Order(order)) = whole.resources.get(&ResourceName::Index(index.to_owned())) {
                there.push((order.clone(), key.clone(), whole.value.clone()));
            }
        }
        there.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        let query = store.query(collection).index(index);
        assert_eq!(pages(&query), there, "user{at}: {collection} by {index}");
        let between = there.iter().filter(|(order, ..)| ("q".."r").contains(&order.as_str())).cloned();
        let between: Vec<_> = between.collect();
        assert_eq!(pages(&query.clone().from("q").to("r")), between, "user{at}: {collection} by {index}, q to r");
        there.reverse();
        assert_eq!(pages(&query.reverse()), there, "user{at}: {collection} by {index}, reverse");
    }
}

/// What a query finds, two rows at a time.
fn pages(query: &Query<'_>) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    let mut rows = query.clone().limit(2).run().unwrap();
    loop {
        found.extend(rows.iter().map(|row| {
            let value = row.to().unwrap().unwrap();
            (row.order.unwrap().to_owned(), row.key.to_owned(), value)
        }));
        match rows.next().map(str::to_owned) {
            Some(next) => rows = query.clone().limit(2).resume(next).run().unwrap(),
            None => return found,
        }
    }
}

/// By subject and id.
fn links(items: &Named) -> Vec<Link<'_>> {
    let of = |(subject, whole)| {
        let whole: &crate::model::Whole = whole;
        whole.resources.iter().filter_map(move |(resource, content)| match (resource, content) {
            (ResourceName::Relation(id), Content::Link(predicate, object)) => {
                Some(Link { subject, id, predicate, object })
            }
            _ => None,
        })
    };
    items.iter().flat_map(of).collect()
}

fn compare_relations(store: &Store, links: &[Link<'_>], item: &Name, at: usize) {
    for wanted in PREDICATES.map(Some).into_iter().chain([None]) {
        let fits = |link: &&Link<'_>| wanted.is_none_or(|wanted| link.predicate == wanted);
        let read = store.relations_to(&item.0, &item.1, wanted).unwrap();
        let read: Vec<_> = read.into_iter().map(|to| ((to.collection, to.key), to.id, to.predicate)).collect();
        let to = links.iter().filter(fits).filter(|link| link.object == item);
        let to: Vec<_> = to.map(|link| (link.subject.clone(), link.id.to_owned(), link.predicate.to_owned())).collect();
        assert_eq!(read, to, "user{at}: relations to {item:?}, {wanted:?}");
        let read = store.relations(&item.0, &item.1, wanted).unwrap();
        let read: Vec<_> =
            read.into_iter().map(|of| (of.id, of.predicate, (of.object.collection, of.object.key))).collect();
        let of = links.iter().filter(fits).filter(|link| link.subject == item);
        let of: Vec<_> = of.map(|link| (link.id.to_owned(), link.predicate.to_owned(), link.object.clone())).collect();
        assert_eq!(read, of, "user{at}: relations of {item:?}, {wanted:?}");
    }
}

const DEPTH: usize = 3;

fn compare_walks(store: &Store, items: &Named, links: &[Link<'_>], start: &Name, at: usize) {
    let walks: [(RelationPath, &[(&str, bool)]); 4] = [
        (RelationPath::forwards("in"), &[("in", false)]),
        (RelationPath::backwards("in"), &[("in", true)]),
        (RelationPath::forwards("of").then_backwards("in"), &[("of", false), ("in", true)]),
        (RelationPath::backwards("of").then_backwards("of"), &[("of", true), ("of", true)]),
    ];
    for (path, steps) in walks {
        let options = WalkOptions::default().depth(DEPTH).values();
        let read = store.related((&start.0, &start.1), &path, &options).unwrap();
        assert!(!read.more);
        let read: Vec<_> = read
            .items
            .into_iter()
            .map(|item| {
                let value = item.value.map(|value| serde_json::from_str(&value).unwrap());
                ((item.collection, item.key), item.depth, value)
            })
            .collect();
        let walked = walk(links, start, steps).into_iter();
        let walked: Vec<_> = walked
            .map(|(item, depth)| {
                let value: Option<Value> = items.get(item).map(|whole| whole.value.clone());
                (item.clone(), depth, value)
            })
            .collect();
        assert_eq!(read, walked, "user{at}: from {start:?} along {steps:?}");
    }
}

/// Level by level; each step is a predicate, and whether it leads backwards.
fn walk<'a>(links: &[Link<'a>], start: &'a Name, steps: &[(&str, bool)]) -> Vec<(&'a Name, usize)> {
    let mut reached = BTreeSet::from([(0, start)]);
    let (mut found, mut level) = (Vec::new(), vec![start]);
    for depth in 1..=DEPTH {
        let ((predicate, backwards), place) = (steps[(depth - 1) % steps.len()], depth % steps.len());
        let mut next = Vec::new();
        for from in level {
            for link in links.iter().filter(|link| link.predicate == predicate) {
                let (here, there) = if backwards { (link.object, link.subject) } else { (link.subject, link.object) };
                if here == from && reached.insert((place, there)) {
                    found.push((there, depth));
                    next.push(there);
                }
            }
        }
        level = next;
    }
    found
}

fn rows(store: &Store, statement: &str) -> Vec<Vec<SqlValue>> {
    store.sql(statement).run().unwrap().iter().map(<[SqlValue]>::to_vec).collect()
}

fn compare_views(store: &Store, items: &Named, links: &[Link<'_>], at: usize) {
    let texts = |statement: &str| {
        let texts = |row: Vec<SqlValue>| row.iter().map(|cell| cell.as_str().unwrap().to_owned()).collect::<Vec<_>>();
        rows(store, statement).into_iter().map(texts).collect::<Vec<_>>()
    };
    let read = texts("SELECT collection, key, value FROM items ORDER BY collection, key");
    let read: Vec<_> =
        read.iter().map(|row| (&row[0], &row[1], serde_json::from_str::<Value>(&row[2]).unwrap())).collect();
    let values: Vec<_> = items.iter().map(|((of, key), whole)| (of, key, whole.value.clone())).collect();
    assert_eq!(read, values, "user{at}: the view items");
    let (mut entries, mut tags) = (Vec::new(), Vec::new());
    for ((collection, key), whole) in items {
        for (resource, content) in &whole.resources {
            match (resource, content) {
                (ResourceName::Index(name), Content::Order(order)) => {
                    entries.push([collection, key, name, order].map(String::clone))
                }
                (ResourceName::Tag(tag), _) => tags.push([collection, key, tag].map(String::clone)),
                _ => {}
            }
        }
    }
    let read = texts("SELECT collection, key, name, order_key FROM index_entries ORDER BY collection, key, name");
    assert_eq!(read, entries, "user{at}: the view index_entries");
    let read = texts("SELECT collection, key, tag FROM tags ORDER BY collection, key, tag");
    assert_eq!(read, tags, "user{at}: the view tags");
    let links = links.iter().map(|link| {
        let (subject, object) = (link.subject, link.object);
        [&subject.0, &subject.1, link.id, link.predicate, &object.0, &object.1].map(str::to_owned)
    });
    let read = texts(
        "SELECT collection, key, id, predicate, object_collection, object_key FROM relations
         ORDER BY collection, key, id",
    );
    assert_eq!(read, links.collect::<Vec<_>>(), "user{at}: the view relations");
}
