//! Ranges of indexes that are watched: in which of them an item stands.

use super::automatic::{self, Automatic};
use crate::error::{Error, Result};
use crate::index::{IndexError, Path};
use crate::watch::{IndexRange, Scope};
use rusqlite::{Connection, OptionalExtension};
use std::sync::Arc;

/// A watched range, with the index that it is of now.
#[derive(Debug)]
pub(super) struct Range {
    pub collection: String,
    pub text: Arc<str>,
    pub index: String,
    /// How an automatic index finds its entries; `None`: they are set by hand.
    path: Option<Path>,
    /// `None`: nothing can be in it.
    between: Option<(String, Option<String>)>,
}

/// The ranges among these scopes, each once.
pub(super) fn resolve<'a>(connection: &Connection, scopes: impl Iterator<Item = &'a Scope>) -> Result<Arc<[Range]>> {
    let mut ranges: Vec<Range> = Vec::new();
    for scope in scopes {
        let Scope::Index(range) = scope else { continue };
        if !ranges.iter().any(|known| known.collection == range.collection && known.text == range.text) {
            ranges.push(Range::of(connection, range)?);
        }
    }
    Ok(ranges.into())
}

impl Range {
    fn of(connection: &Connection, range: &IndexRange) -> Result<Range> {
        let IndexRange { collection, index, bounds, text } = range;
        let automatic = automatic::find(connection, collection, index)?;
        let field = automatic.as_ref().map(|automatic| &automatic.field);
        let between = match bounds.range(field) {
            Ok(range) => {
                let ((first, _), end) = range.bounds();
                Some((first, end))
            }
            // A number, and the entries are texts.
            Err(Error::Index(IndexError::Bound)) => None,
            Err(error) => return Err(error),
        };
        Ok(Range {
            collection: collection.clone(),
            text: Arc::clone(text),
            index: index.clone(),
            path: automatic.as_ref().map(Automatic::path).transpose()?,
            between,
        })
    }

    fn has_key(&self, ordering: &str) -> bool {
        self.between
            .as_ref()
            .is_some_and(|(first, end)| ordering >= first.as_str() && end.as_deref().is_none_or(|end| ordering < end))
    }

    /// Whether an item that the host sees stands in it.
    pub fn has(&self, connection: &Connection, item: i64, value: &str) -> Result<bool> {
        if let Some(path) = &self.path {
            return Ok(path.ordering_keys(value).iter().any(|ordering| self.has_key(ordering)));
        }
        let mut find = connection.prepare_cached(
            "SELECT view FROM resources WHERE item = ?1 AND kind = 1 AND name = ?2 AND view IS NOT NULL",
        )?;
        let ordering: Option<String> = find.query_row((item, &self.index), |row| row.get(0)).optional()?;
        Ok(ordering.is_some_and(|ordering| self.has_key(&ordering)))
    }
}
