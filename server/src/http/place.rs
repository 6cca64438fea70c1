//! What the path of a request names.

use super::App;
use super::refusal::Refusal;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use std::convert::Infallible;
use std::sync::Arc;

/// The names in a path, decoded; those that the route does not have are empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// The database; a name that is no text is none, and refused like any other that is not there.
    pub(crate) db: String,
    pub(crate) collection: String,
    pub(crate) key: String,
    /// The index, the relation's id or the tag.
    pub(crate) name: String,
    // A part that is no text: told only to who may open the database.
    unreadable: bool,
}

impl FromRequestParts<Arc<App>> for Place {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Place, Infallible> {
        let mut place = Place::default();
        match RawPathParams::from_request_parts(parts, app).await {
            Ok(names) => {
                for (what, name) in &names {
                    let part = match what {
                        "db" => &mut place.db,
                        "collection" => &mut place.collection,
                        "key" => &mut place.key,
                        _ => &mut place.name,
                    };
                    name.clone_into(part);
                }
            }
            Err(_) => {
                // No name of a database needs decoding.
                parts.uri.path().split('/').nth(2).unwrap_or_default().clone_into(&mut place.db);
                place.unreadable = true;
            }
        }
        Ok(place)
    }
}

impl Place {
    /// 400 where a part is not UTF-8.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.unreadable {
            return Err(Refusal::malformed("a name in the path is not UTF-8"));
        }
        Ok(())
    }
}
