//! Scans of a collection, by key or by an index, row by row.

use super::automatic::{self, Automatic};
use super::bounds::Bounds;
use crate::error::{Error, Result};
#[cfg(feature = "capi")]
use crate::index::decode_text;
use crate::index::{IndexValue, decode};
use rusqlite::{Connection, params_from_iter};
use std::ops::ControlFlow;

/// Where a row stands in its scan: its ordering key, if the scan goes by an index, and its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub order: Option<&'a str>,
    pub key: &'a str,
}

impl<'a> Place<'a> {
    /// A text that [`Place::from_token`] reads.
    pub fn to_token(self) -> String {
        match self.order {
            None => format!("k{}", self.key),
            // The length first: either may have any character.
            Some(order) => format!("i{}:{order}{}", order.len(), self.key),
        }
    }

    /// Reads a token of a scan that goes by an index, or by key.
    pub fn from_token(token: &'a str, by_index: bool) -> Result<Place<'a>> {
        let place = match (token.strip_prefix('k'), token.strip_prefix('i')) {
            (Some(key), _) if !by_index => Some(Place { order: None, key }),
            (_, Some(rest)) if by_index => rest.split_once(':').and_then(|(len, names)| {
                let (order, key) = names.split_at_checked(len.parse().ok()?)?;
                Some(Place { order: Some(order), key })
            }),
            _ => None,
        };
        place.ok_or(Error::ResumeToken)
    }
}

/// What to scan, as the host sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scan {
    pub collection: String,
    /// `None`: by key.
    pub index: Option<String>,
    /// Of ordering keys, or of keys.
    pub bounds: Bounds,
    /// The token of a row; the scan begins behind it, in its direction.
    pub after: Option<String>,
    pub values: bool,
}

/// One row of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRef<'a> {
    /// The ordering key, when the query goes by an index: what was set, or, in an automatic index, a string itself (but for
    /// one that is empty or begins with U+0000 to U+0002) and of anything else a text that sorts so; see
    /// [`RowRef::order_value`].
    pub order: Option<&'a str>,
    /// The item's key.
    pub key: &'a str,
    /// The value's JSON text, as stored; `None`: the query is for keys only.
    pub value: Option<&'a str>,
    /// Whether the ordering key is an automatic index's.
    pub(crate) automatic: bool,
}

impl<'a> RowRef<'a> {
    pub(crate) fn place(&self) -> Place<'a> {
        Place { order: self.order, key: self.key }
    }

    /// The text of an [`IndexValue::Text`] that it stands at, without a copy.
    #[cfg(feature = "capi")]
    pub(crate) fn order_text(&self) -> Option<&'a str> {
        if self.automatic { decode_text(self.order?) } else { self.order }
    }
}

impl RowRef<'_> {
    /// What the row stands at in an automatic index; `None`: the query goes by key. Of an entry that was set by hand, its text.
    ///
    /// A number is the integer that it is the same as, if there is one.
    pub fn order_value(&self) -> Option<IndexValue> {
        let order = self.order?;
        if self.automatic { decode(order) } else { Some(IndexValue::Text(order.to_owned())) }
    }
}

/// A statement and what is bound to it.
struct Plan<'a> {
    sql: String,
    bound: Vec<&'a str>,
}

/// The index that a scan goes by.
#[derive(Clone, Copy)]
enum Order<'a> {
    /// The entries of a name that items have as resources.
    Set(&'a str),
    Automatic(&'a Automatic),
}

impl Scan {
    /// Hands out the rows in order, all as of one moment, for as long as `take` wants more; whether the index has all that it
    /// should.
    ///
    /// The connection must be in a transaction if the scan is by an index.
    pub fn run(
        &self,
        connection: &Connection,
        mut take: impl FnMut(RowRef<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<bool> {
        let after = self.after.as_deref().map(|token| Place::from_token(token, self.index.is_some())).transpose()?;
        let automatic = match &self.index {
            Some(index) => automatic::find(connection, &self.collection, index)?,
            None => None,
        };
        let order = match (&automatic, &self.index) {
            (Some(automatic), _) => Some(Order::Automatic(automatic)),
            (None, Some(index)) => Some(Order::Set(index)),
            (None, None) => None,
        };
        let range = self.bounds.range(automatic.as_ref().map(|automatic| &automatic.field))?;
        let range = match after {
            Some(Place { order: None, key }) => range.after(key),
            _ => range,
        };
        let ((lower, inclusive), upper) = range.bounds();
        let plan = match order {
            None => self.by_key((&lower, inclusive), upper.as_deref()),
            Some(order) => self.by_index(order, &lower, upper.as_deref(), after),
        };
        let mut find = connection.prepare_cached(&plan.sql)?;
        let mut rows = find.query(params_from_iter(plan.bound))?;
        while let Some(row) = rows.next()? {
            let text = |column| -> Result<Option<&str>> {
                Ok(row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?)
            };
            let Some(key) = text(1)? else { continue };
            let row = RowRef { order: text(0)?, key, value: text(2)?, automatic: automatic.is_some() };
            if take(row)?.is_break() {
                break;
            }
        }
        Ok(automatic.is_none_or(|automatic| automatic.is_complete()))
    }

    fn by_key<'a>(&'a self, (lower, inclusive): (&'a str, bool), upper: Option<&'a str>) -> Plan<'a> {
        let value = if self.values { "value" } else { "NULL" };
        let lower_is = if inclusive { ">=" } else { ">" };
        let mut sql = format!(
            "SELECT NULL, key, {value} FROM items
             WHERE collection = (SELECT id FROM collections WHERE name = ?1 AND life = 0)
             AND value IS NOT NULL AND key {lower_is} ?2"
        );
        let mut bound = vec![self.collection.as_str(), lower];
        if let Some(upper) = upper {
            sql += " AND key < ?3";
            bound.push(upper);
        }
        sql += if self.bounds.reverse { " ORDER BY key DESC" } else { " ORDER BY key" };
        Plan { sql, bound }
    }

    fn by_index<'a>(
        &'a self,
        order: Order<'a>,
        lower: &'a str,
        upper: Option<&'a str>,
        after: Option<Place<'a>>,
    ) -> Plan<'a> {
        let (value, items) = match self.values {
            true => ("i.value", "CROSS JOIN items i ON i.id = r.item"),
            // The index has all that is asked for.
            false => ("NULL", ""),
        };
        let reverse = self.bounds.reverse;
        let mut bound = vec![self.collection.as_str()];
        let (table, column, of_index) = match order {
            Order::Automatic(index) => (index.table(), "r.ordering", ""),
            Order::Set(index) => {
                bound.push(index);
                ("resources".to_owned(), "r.view", "AND r.kind = 1 AND r.view IS NOT NULL AND r.name = ?2")
            }
        };
        let mut sql = format!(
            "SELECT {column}, r.key, {value} FROM {table} r {items}
             WHERE r.collection = (SELECT id FROM collections WHERE name = ?1 AND life = 0) {of_index}"
        );
        let mut condition = |condition: &str, values: &[&'a str]| {
            let marks = (0..values.len()).map(|_| "?").collect::<Vec<_>>().join(", ");
            sql += &match values.len() {
                1 => format!(" AND {column} {condition} {marks}"),
                _ => format!(" AND ({column}, r.key) {condition} ({marks})"),
            };
            bound.extend(values);
        };
        // A place outside the range adds nothing to that, or leaves nothing of it.
        let place = after.and_then(|place| Some((place.order?, place.key)));
        match place.filter(|(order, _)| !reverse && *order >= lower) {
            Some((order, key)) => condition(">", &[order, key]),
            None => condition(">=", &[lower]),
        }
        match place.filter(|(order, _)| reverse && upper.is_none_or(|upper| *order < upper)) {
            Some((order, key)) => condition("<", &[order, key]),
            None => upper.into_iter().for_each(|upper| condition("<", &[upper])),
        }
        sql += &match reverse {
            true => format!(" ORDER BY {column} DESC, r.key DESC"),
            false => format!(" ORDER BY {column}, r.key"),
        };
        Plan { sql, bound }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_by_scans_of_its_own_kind_only() {
        for place in [
            Place { order: None, key: "k:1" },
            Place { order: Some("ä:1"), key: ":ö" },
            Place { order: Some(""), key: "k" },
        ] {
            let token = place.to_token();
            let by_index = place.order.is_some();
            assert_eq!(Place::from_token(&token, by_index).unwrap(), place);
            assert!(matches!(Place::from_token(&token, !by_index), Err(Error::ResumeToken)));
        }
        // The last one would cut a character in two.
        for token in ["", "x", "i", "ik", "i9:abc", "i-1:abc", "i1:äb"] {
            assert!(matches!(Place::from_token(token, true), Err(Error::ResumeToken)), "{token}");
        }
    }

    #[test]
    fn every_scan_goes_by_an_index_in_its_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.db");
        let mut connection = Connection::open(&path).unwrap();
        super::super::schema::prepare(&mut connection, &path, || [7; 16]).unwrap();
        let explain = |plan: Plan<'_>| {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", plan.sql)).unwrap();
            let rows = explain.query_map(params_from_iter(plan.bound), |row| row.get::<_, String>(3)).unwrap();
            rows.map(|row| row.unwrap()).collect::<Vec<_>>().join("; ")
        };
        automatic::declare(&connection, "c", "automatic", &"/x".into()).unwrap();
        let index = automatic::find(&connection, "c", "automatic").unwrap().unwrap();
        let after = Some(Place { order: Some("b"), key: "k" });
        for reverse in [false, true] {
            for values in [false, true] {
                let bounds = Bounds { reverse, ..Bounds::default() };
                let scan = Scan { collection: "c".into(), bounds, values, ..Scan::default() };
                let plan = explain(scan.by_key(("a", true), Some("z")));
                assert!(plan.contains("INDEX items_key (collection=? AND key>? AND key<?)"), "{plan}");
                for (after, upper) in [(None, None), (None, Some("z")), (after, None), (after, Some("z"))] {
                    let plan = explain(scan.by_index(Order::Set("by"), "a", upper, after));
                    let covering = if values { "" } else { "COVERING " };
                    let used = format!("{covering}INDEX resources_order (collection=? AND name=? AND ");
                    assert!(plan.contains(&used) && !plan.contains("TEMP B-TREE"), "{plan}");
                    let plan = explain(scan.by_index(Order::Automatic(&index), "a", upper, after));
                    let used = "r USING PRIMARY KEY (collection=? AND ";
                    assert!(plan.contains(used) && !plan.contains("TEMP B-TREE"), "{plan}");
                }
            }
        }
    }
}
