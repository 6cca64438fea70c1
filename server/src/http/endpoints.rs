//! One function for each route.

use super::answer::Answer;
use super::auth::{Identity, SKEW, digest};
use super::body::discard_refused;
use super::call::{Call, Entered, blocking};
use super::negotiate::{Sent, Wanted};
use super::record::Noted;
use super::refusal::Refusal;
use super::{App, stopped};
use crate::service::{CheckpointRequest, InboxRequest, ServiceError};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use syncstore::protocol::is_database_name;
use syncstore::protocol::{InboxPage, PushRequest, Seq};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The database of the path; a name that is no text is none, and refused like any other that is not there.
pub(crate) struct Db(String);

impl FromRequestParts<Arc<App>> for Db {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Db, Infallible> {
        Ok(Db(Path::from_request_parts(parts, app).await.map(|Path(db)| db).unwrap_or_default()))
    }
}

/// `GET /v1/:db`.
pub(crate) async fn info(State(app): State<Arc<App>>, Db(db): Db, request: Request) -> Response {
    let answered = async {
        let (call, ()) = Call::read(app.clone(), &db, request, |_| Ok(())).await?;
        let lane = app.lanes.take(&db).await?;
        blocking(lane, move || {
            let wanted = call.wanted;
            let Entered { identity, db, .. } = call.enter()?;
            let mut info = app.service.info(&db, &identity.caller).map_err(refused)?;
            info.retention.nonce_seconds = Some(SKEW);
            Ok((Answer::encode(&app.answers, wanted, &info)?, None))
        })
        .await
    };
    respond(&db, answered.await)
}

/// `POST /v1/:db/sync/outbox`.
pub(crate) async fn outbox(State(app): State<Arc<App>>, Db(db): Db, request: Request) -> Response {
    let answered = async {
        let (call, sent) = Call::read(app.clone(), &db, request, Sent::of).await?;
        let lane = app.lanes.take(&db).await?;
        blocking(lane, move || {
            let wanted = call.wanted;
            let mut entered = call.enter()?;
            let push: PushRequest = entered.message_of_ops(&app, sent, app.push_ops)?;
            let ops = push.ops.len();
            let response = app.service.push(&entered.db, &entered.identity.caller, push).map_err(refused)?;
            app.metrics.pushed(&response);
            Ok((Answer::encode(&app.answers, wanted, &response)?, Some(ops)))
        })
        .await
    };
    respond(&db, answered.await)
}

/// `GET /v1/:db/sync/checkpoint`.
pub(crate) async fn checkpoint(State(app): State<Arc<App>>, Db(db): Db, request: Request) -> Response {
    let answered = async {
        let (call, ()) = Call::read(app.clone(), &db, request, |_| Ok(())).await?;
        let lane = app.lanes.take(&db).await?;
        blocking(lane, move || {
            let wanted = call.wanted;
            let entered = call.enter()?;
            let query = entered.query();
            let (client, page, limit) = (query.client()?, query.page()?, query.limit(1000)?);
            let request = CheckpointRequest { client, page, limit, scope: query.scope()? };
            let caller = &entered.identity.caller;
            let page = app.service.checkpoint(&entered.db, caller, &request).map_err(refused)?;
            Ok((Answer::encode(&app.answers, wanted, &page)?, Some(page.items.len())))
        })
        .await
    };
    respond(&db, answered.await)
}

/// `GET /v1/:db/sync/inbox`.
pub(crate) async fn inbox(State(app): State<Arc<App>>, Db(db): Db, request: Request) -> Response {
    let answered = async {
        let (call, ()) = Call::read(app.clone(), &db, request, |_| Ok(())).await?;
        let wanted = call.wanted;
        let reading = {
            let (lane, app) = (app.lanes.take(&db).await?, app.clone());
            blocking(lane, move || Reading::begin(&app, call)).await?
        };
        match reading {
            Reading::Answered(answer) => Ok(answer),
            Reading::Held(held) => {
                let page = {
                    let _polling = Polling::new(&app);
                    held.until_news(&app).await?
                };
                let lane = app.lanes.take_again(&db).await?;
                blocking(lane, move || answer(&app, wanted, &page)).await
            }
        }
    };
    respond(&db, answered.await)
}

// What became of the first read of a log.
enum Reading {
    Answered((Answer, Option<usize>)),
    Held(Box<Held>),
}

// A client that waits for news.
struct Held {
    db: String,
    identity: Identity,
    request: InboxRequest,
    news: watch::Receiver<Seq>,
    // Without entries; its cursor may stand further on than the one that the client came with.
    page: InboxPage,
    deadline: Instant,
}

impl Reading {
    fn begin(app: &App, call: Call) -> Result<Reading, Refusal> {
        let wanted = call.wanted;
        let entered = call.enter()?;
        let query = entered.query();
        let request = InboxRequest {
            client: query.client()?,
            cursor: query.cursor()?,
            limit: query.limit(500)?,
            own_payloads: query.own_payloads()?,
            scope: query.scope()?,
        };
        let wait = query.wait()?;
        let Entered { identity, db, .. } = entered;
        if wait.is_zero() {
            let page = app.service.inbox(&db, &identity.caller, &request).map_err(refused)?;
            return answer(app, wanted, &page).map(Reading::Answered);
        }
        // Before the read: what is committed in between is news.
        let news = app.service.subscribe(&db).map_err(refused)?;
        let page = app.service.inbox(&db, &identity.caller, &request).map_err(refused)?;
        if has_something(&page) {
            return answer(app, wanted, &page).map(Reading::Answered);
        }
        Ok(Reading::Held(Box::new(Held { db, identity, request, news, page, deadline: Instant::now() + wait })))
    }
}

impl Held {
    async fn until_news(mut self: Box<Held>, app: &Arc<App>) -> Result<InboxPage, Refusal> {
        let mut stopping = app.stopping.clone();
        loop {
            let moved = tokio::select! {
                moved = self.news.changed() => moved.is_ok(),
                () = sleep_until(self.deadline) => false,
                () = stopped(&mut stopping) => false,
            };
            if !moved {
                return Ok(self.page);
            }
            let (lane, app) = (app.lanes.take_again(&self.db).await?, app.clone());
            self = blocking(lane, move || {
                // What stands before the page's cursor is nothing that the client may see.
                self.request.cursor = Some(self.page.cursor.clone());
                self.page = app.service.inbox(&self.db, &self.identity.caller, &self.request).map_err(refused)?;
                Ok(self)
            })
            .await?;
            if has_something(&self.page) {
                return Ok(self.page);
            }
        }
    }
}

fn answer(app: &App, wanted: Wanted, page: &InboxPage) -> Result<(Answer, Option<usize>), Refusal> {
    Ok((Answer::encode(&app.answers, wanted, page)?, Some(page.entries.len())))
}

fn has_something(page: &InboxPage) -> bool {
    !page.entries.is_empty() || page.more
}

// Counts a held answer, and down again also when the client goes away.
struct Polling<'a>(&'a App);

impl<'a> Polling<'a> {
    fn new(app: &'a App) -> Polling<'a> {
        app.metrics.long_polls.inc();
        Polling(app)
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.metrics.long_polls.dec();
    }
}

/// `GET /healthz`.
pub(crate) async fn health(State(app): State<Arc<App>>) -> Response {
    if *app.stopping.borrow() {
        return Refusal::unavailable("the server is stopping", Duration::from_secs(5)).into_response();
    }
    text("text/plain; charset=utf-8", "ok\n".into())
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if let Some(expected) = &app.metrics_token {
        let token = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
        if token.map(|token| digest(token.trim())) != Some(*expected) {
            return Refusal::unauthenticated("the metrics ask for their token").into_response();
        }
    }
    // Names of databases are not for everybody.
    let named = app.dev || app.metrics_token.is_some();
    let rendered = blocking((), move || {
        let stats = named.then(|| app.service.stats());
        Ok(app.metrics.render(stats.as_deref()))
    });
    match rendered.await {
        Ok(rendered) => text(super::metrics::CONTENT_TYPE, rendered),
        Err(refusal) => refusal.into_response(),
    }
}

/// Any other path.
pub(crate) async fn unknown_route(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    discard_refused(&parts.headers, body).await;
    Refusal::unknown_path().into_response()
}

/// A path that there is, with another method.
pub(crate) async fn wrong_method(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    discard_refused(&parts.headers, body).await;
    let detail = "the path does not take this method; Allow says which it takes";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response()
}

fn text(content_type: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(super) fn refused(error: ServiceError) -> Refusal {
    if let ServiceError::Storage(error) = &error {
        tracing::error!(%error, "the storage failed");
    }
    let refusal = Refusal::of_problem(error.problem());
    match error.retry_after() {
        Some(wait) => refusal.after(wait),
        None => refusal,
    }
}

pub(super) fn respond(db: &str, answered: Result<(Answer, Option<usize>), Refusal>) -> Response {
    let (mut response, ops) = match answered {
        Ok((answer, ops)) => (answer.into_response(), ops),
        Err(refusal) => (refusal.into_response(), None),
    };
    response.extensions_mut().insert(Noted { db: is_database_name(db).then(|| db.to_owned()), ops });
    response
}
