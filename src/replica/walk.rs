//! Walks over relations, from item to item.

use super::items;
use crate::error::Result;
use crate::protocol::Object;
use rusqlite::{Connection, Row};
use std::collections::{HashSet, VecDeque};

/// The steps of a walk over relations, in order; each leads from items to others.
///
/// ```
/// use syncstore::RelationPath;
///
/// // From a note to its folder, and on to the other notes in that.
/// let siblings = RelationPath::forwards("in").then_backwards("in");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelationPath {
    first: Step,
    rest: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Step {
    predicate: String,
    backwards: bool,
}

impl Step {
    fn forwards(predicate: impl Into<String>) -> Step {
        Step { predicate: predicate.into(), backwards: false }
    }

    fn backwards(predicate: impl Into<String>) -> Step {
        Step { predicate: predicate.into(), backwards: true }
    }
}

impl RelationPath {
    /// A step from subjects to their objects.
    pub fn forwards(predicate: impl Into<String>) -> RelationPath {
        RelationPath { first: Step::forwards(predicate), rest: Vec::new() }
    }

    /// A step from objects to their subjects.
    pub fn backwards(predicate: impl Into<String>) -> RelationPath {
        RelationPath { first: Step::backwards(predicate), rest: Vec::new() }
    }

    /// Another step from subjects to their objects.
    pub fn then_forwards(mut self, predicate: impl Into<String>) -> RelationPath {
        self.rest.push(Step::forwards(predicate));
        self
    }

    /// Another step from objects to their subjects.
    pub fn then_backwards(mut self, predicate: impl Into<String>) -> RelationPath {
        self.rest.push(Step::backwards(predicate));
        self
    }

    fn len(&self) -> usize {
        1 + self.rest.len()
    }

    fn step(&self, place: usize) -> &Step {
        place.checked_sub(1).and_then(|behind| self.rest.get(behind)).unwrap_or(&self.first)
    }
}

/// How far a walk goes, and what it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkOptions {
    depth: Option<usize>,
    limit: usize,
    values: bool,
}

impl Default for WalkOptions {
    /// Once along the path, at most 10,000 items, without their values.
    fn default() -> WalkOptions {
        WalkOptions { depth: None, limit: 10_000, values: false }
    }
}

impl WalkOptions {
    /// So many steps at most. Beyond the end of the path it begins again: `RelationPath::forwards("in")` with a depth of 9 finds
    /// what something is in, what that is in, and so on.
    pub fn depth(mut self, steps: usize) -> WalkOptions {
        self.depth = Some(steps);
        self
    }

    /// At most so many items, the nearest; [`Related::more`] tells whether there are others.
    pub fn limit(mut self, items: usize) -> WalkOptions {
        self.limit = items;
        self
    }

    /// With the items' values.
    pub fn values(mut self) -> WalkOptions {
        self.values = true;
        self
    }
}

/// What a walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Related {
    /// The items in the order in which they were reached.
    pub items: Vec<RelatedItem>,
    /// Whether the limit cut the walk; a smaller depth or a longer path leads to fewer.
    pub more: bool,
}

/// An item that a walk reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelatedItem {
    /// Its collection.
    pub collection: String,
    /// Its key.
    pub key: String,
    /// After how many steps it was reached, from 1 up.
    pub depth: usize,
    /// The value's JSON text, as stored; `None`: no values were asked for, or there is no such item.
    pub value: Option<String>,
}

/// Walks breadth first, within whatever transaction `connection` is in.
pub(crate) fn related(
    connection: &Connection,
    start: (&str, &str),
    path: &RelationPath,
    options: &WalkOptions,
) -> Result<Related> {
    let depth = options.depth.unwrap_or(path.len());
    let start = Object { collection: start.0.to_owned(), key: start.1.to_owned() };
    // An item may be come upon at each place of the path, where different steps lead on, and once at each: rings end there.
    let mut reached = HashSet::from([(0, start.clone())]);
    let mut ahead = VecDeque::from([(0, start)]);
    let mut found = Related::default();
    while let Some((walked, item)) = ahead.pop_front() {
        if walked >= depth {
            break;
        }
        let place = (walked + 1) % path.len();
        let ended = step(connection, &item, path.step(walked % path.len()), |next| {
            if !reached.insert((place, next.clone())) {
                return Ok(false);
            }
            if found.items.len() >= options.limit {
                found.more = true;
                return Ok(true);
            }
            found.items.push(RelatedItem {
                collection: next.collection.clone(),
                key: next.key.clone(),
                depth: walked + 1,
                value: None,
            });
            ahead.push_back((walked + 1, next));
            Ok(false)
        })?;
        if ended {
            break;
        }
    }
    if options.values {
        for item in &mut found.items {
            let read = |value: &str| Ok(value.to_owned());
            item.value = items::view_value(connection, &item.collection, &item.key, read)?;
        }
    }
    Ok(found)
}

/// Hands out what a step leads to from an item until `take` has enough; whether it had.
fn step(
    connection: &Connection,
    from: &Object,
    step: &Step,
    mut take: impl FnMut(Object) -> Result<bool>,
) -> Result<bool> {
    // In an order that is the same on every replica: of relations, or of subjects.
    let mut find = connection.prepare_cached(if step.backwards {
        "SELECT c.name, r.key FROM resources r CROSS JOIN collections c ON c.id = r.collection
         WHERE r.view_collection = ?1 AND r.view_key = ?2 AND r.view = ?3
         AND r.kind = 2 AND r.view IS NOT NULL AND c.life = 0 ORDER BY c.name, r.key"
    } else {
        "SELECT view_collection, view_key FROM resources
         WHERE item = (SELECT id FROM items WHERE key = ?2
            AND collection = (SELECT id FROM collections WHERE name = ?1 AND life = 0))
         AND kind = 2 AND view = ?3 ORDER BY name"
    })?;
    let mut rows = find.query((&from.collection, &from.key, &step.predicate))?;
    while let Some(row) = rows.next()? {
        if take(object(row)?)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn object(row: &Row<'_>) -> rusqlite::Result<Object> {
    Ok(Object { collection: row.get(0)?, key: row.get(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_again_behind_its_last_step() {
        let path = RelationPath::forwards("a").then_backwards("b").then_forwards("c");
        let predicates: Vec<_> = (0..7).map(|walked| path.step(walked % path.len()).predicate.as_str()).collect();
        assert_eq!(predicates, ["a", "b", "c", "a", "b", "c", "a"]);
        assert!(path.step(1).backwards && !path.step(2).backwards);
    }
}
