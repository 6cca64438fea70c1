//! A request on its way to the service: who sends it, to which database, and what it wants back.

use super::App;
use super::auth::{Claim, Identity};
use super::body::{Held, discard_refused};
use super::endpoints::refused;
use super::negotiate::{Sent, Wanted};
use super::ops::{self, ReadError, WithOps};
use super::query::Query;
use super::refusal::Refusal;
use crate::service::ServiceError;
use axum::http::header::EXPECT;
use axum::http::{HeaderMap, Method, Uri};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::sync::Arc;
use syncstore::protocol::is_database_name;
use tokio::task::spawn_blocking;

/// A request that was read, and whose sender is proven by [`Call::enter`].
pub(crate) struct Call {
    app: Arc<App>,
    claim: Claim,
    pub(crate) db: String,
    pub(crate) wanted: Wanted,
    method: Method,
    uri: Uri,
    body: Held,
}

/// A request whose sender may do what it asks for in this database.
pub(crate) struct Entered {
    pub(crate) identity: Identity,
    pub(crate) db: String,
    pub(crate) uri: Uri,
    body: Held,
}

impl Call {
    /// Checks what the head tells, `form` included, then reads the body.
    ///
    /// A request that is refused by its head has its body thrown away, not kept.
    pub(crate) async fn read<T>(
        app: Arc<App>,
        db: &str,
        request: axum::extract::Request,
        form: impl FnOnce(&HeaderMap) -> Result<T, Refusal>,
    ) -> Result<(Call, T), Refusal> {
        let (parts, body) = request.into_parts();
        let checked = head(&app, db, &parts.headers).and_then(|head| Ok((head, form(&parts.headers)?)));
        let ((claim, wanted), form) = match checked {
            Ok(checked) => checked,
            Err(refusal) => {
                discard_refused(&parts.headers, body).await;
                return Err(refusal);
            }
        };
        // Such a client has not sent the body yet.
        let announced = parts.headers.contains_key(EXPECT);
        let body = app.body.read(body, announced).await?;
        Ok((Call { app, claim, db: db.to_owned(), wanted, method: parts.method, uri: parts.uri, body }, form))
    }

    /// Proves the sender and opens the database to it: for a thread that may block.
    pub(crate) fn enter(self) -> Result<Entered, Refusal> {
        let Call { app, claim, db, method, uri, body, .. } = self;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let identity = app.authenticator.prove(claim, method.as_str(), target, &body.bytes)?;
        identity.may_open(&db)?;
        if !is_database_name(&db) {
            return Err(Refusal::unknown_db());
        }
        Ok(Entered { identity, db, uri, body })
    }
}

impl Entered {
    pub(crate) fn query(&self) -> Query<'_> {
        Query::parse(self.uri.query())
    }

    pub(crate) fn has_body(&self) -> bool {
        !self.body.bytes.is_empty()
    }

    /// Takes the body out, as the client wrote it before any coding.
    ///
    /// Its share of the memory for bodies stays taken: by what is made of it.
    pub(crate) fn plain_body(&mut self, app: &App, sent: Sent) -> Result<Bytes, Refusal> {
        if sent.gzip {
            self.body = app.body.inflate(&self.body)?;
        }
        Ok(std::mem::take(&mut self.body.bytes))
    }

    /// The message that the body holds.
    pub(crate) fn message<T: DeserializeOwned>(&mut self, app: &App, sent: Sent) -> Result<T, Refusal> {
        let (body, longest) = (self.plain_body(app, sent)?, longest_text(app));
        let read = sent.format.decode_within(PhantomData, &body, longest).map_err(Refusal::unreadable)?;
        read.ok_or_else(|| too_long(longest))
    }

    /// The message that the body holds, unless it has more than `most` ops.
    pub(crate) fn message_of_ops<M: WithOps>(&mut self, app: &App, sent: Sent, most: usize) -> Result<M, Refusal> {
        let (body, longest) = (self.plain_body(app, sent)?, longest_text(app));
        ops::read(sent.format, &body, most, longest).map_err(|error| match error {
            ReadError::Codec(error) => Refusal::unreadable(error),
            ReadError::TooLong => too_long(longest),
            ReadError::TooMany => {
                let what = format!("the {} has more than {most} operations", M::NAME);
                refused(ServiceError::TooLarge(what))
            }
        })
    }
}

// How many bytes a message has as JSON at the most, which another format may say in a sixth of them: a body of JSON has half as
// many, and so have the payloads of any.
fn longest_text(app: &App) -> usize {
    app.body.size.saturating_mul(2)
}

fn too_long(longest: usize) -> Refusal {
    refused(ServiceError::TooLarge(format!("the message has more than {longest} bytes as JSON")))
}

fn head(app: &App, db: &str, headers: &HeaderMap) -> Result<(Claim, Wanted), Refusal> {
    let claim = app.authenticator.claim(headers)?;
    if let Claim::Proven(identity) = &claim {
        identity.may_open(db)?;
    }
    Ok((claim, Wanted::of(headers)?))
}

/// Runs what blocks where it may, and keeps `lane` until it has ended, though nobody waits for it any more; a panic there
/// is answered 500 and ends nothing else.
pub(crate) async fn blocking<T: Send + 'static>(
    lane: impl Send + 'static,
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let ended = spawn_blocking(move || {
        let _lane = lane;
        work()
    });
    ended.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request was given up");
        Err(Refusal::internal())
    })
}
