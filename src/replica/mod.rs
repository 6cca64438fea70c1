//! The SQLite file: its schema, its connections, and the rows of items and of the replica's own state.
//!
//! Functions that take a `&Connection` run inside whatever transaction it is in; only [`Replica`] opens
//! transactions.

pub(crate) mod base;
pub(crate) mod collections;
mod connection;
pub(crate) mod items;
mod schema;
pub(crate) mod state;

pub(crate) use connection::{Replica, Tuning};
pub(crate) use items::Item;
pub use items::{ItemRef, Items, KeyRange};

use crate::error::Result;
use crate::protocol::{Json, JsonError};
use serde::de::DeserializeOwned;

/// A stored text as a `T`.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    Ok(Json::from_stored(text.to_owned()).and_then(|json| json.to()).map_err(JsonError::from)?)
}
