//! The endpoints of section 6: data for callers without a replica.

use super::App;
use super::answer::Answer;
use super::call::{Call, Entered, blocking};
use super::conditions::{conditions, idempotency_key};
use super::endpoints::{refused, respond};
use super::negotiate::{Sent, Wanted};
use super::place::Place;
use super::refusal::Refusal;
use crate::service::{CollectionsRequest, Conditions, ListRequest, WriteRequest};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use syncstore::protocol::{
    BatchRequest, BatchResponse, DataItem, DataOp, IndexBody, ItemIndexes, ItemRelations, ItemTags, Json, OpKind, Ref,
    RelationBody, Rev, Written,
};

type Answered = Result<(Answer, Option<usize>), Refusal>;

// A request that may be answered now.
struct Asked<H> {
    app: Arc<App>,
    place: Place,
    entered: Entered,
    wanted: Wanted,
    head: H,
}

// Reads a request and what `head` asks of its headers, proves its sender, and answers where it may block.
async fn answer<H: Send + 'static>(
    app: Arc<App>,
    place: Place,
    request: Request,
    head: fn(&HeaderMap) -> Result<H, Refusal>,
    work: fn(Asked<H>) -> Answered,
) -> Response {
    let db = place.db.clone();
    let answered = async {
        let (call, head) = Call::read(app.clone(), &db, request, head).await?;
        let lane = app.lanes.take(&db).await?;
        blocking(lane, move || {
            let wanted = call.wanted;
            let entered = call.enter()?;
            place.check()?;
            work(Asked { app, place, entered, wanted, head })
        })
        .await
    };
    respond(&db, answered.await)
}

/// `GET /v1/:db/data`.
pub(crate) async fn collections(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(
        app,
        place,
        request,
        |_| Ok(()),
        |asked| {
            let query = asked.entered.query();
            let request = CollectionsRequest { after: query.given("after")?, limit: query.limit(500)? };
            let (db, caller) = (&asked.entered.db, &asked.entered.identity.caller);
            let page = asked.app.service.collections(db, caller, &request).map_err(refused)?;
            Ok((Answer::encode(&asked.app.answers, asked.wanted, &page)?, Some(page.collections.len())))
        },
    )
    .await
}

/// `GET /v1/:db/data/:collection`.
pub(crate) async fn list(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(
        app,
        place,
        request,
        |_| Ok(()),
        |asked| {
            let query = asked.entered.query();
            let request = ListRequest {
                collection: asked.place.collection,
                index: query.given("index")?,
                prefix: query.given("prefix")?,
                from: query.given("from")?,
                to: query.given("to")?,
                reverse: query.flag("reverse")?,
                after: query.given("after")?,
                limit: query.limit(500)?,
            };
            let (db, caller) = (&asked.entered.db, &asked.entered.identity.caller);
            let page = asked.app.service.list(db, caller, &request).map_err(refused)?;
            Ok((Answer::encode(&asked.app.answers, asked.wanted, &page)?, Some(page.items.len())))
        },
    )
    .await
}

/// `GET /v1/:db/data/:collection/:key`.
pub(crate) async fn item(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(app, place, request, conditions, |asked| asked.of_item(|item| item)).await
}

/// `GET …/:key/indexes`.
pub(crate) async fn indexes(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    let part = |asked: Asked<_>| asked.of_item(|DataItem { indexes, .. }| ItemIndexes { indexes });
    answer(app, place, request, conditions, part).await
}

/// `GET …/:key/relations`.
pub(crate) async fn relations(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    let part = |asked: Asked<_>| asked.of_item(|DataItem { relations, .. }| ItemRelations { relations });
    answer(app, place, request, conditions, part).await
}

/// `GET …/:key/tags`.
pub(crate) async fn tags(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    let part = |asked: Asked<_>| asked.of_item(|DataItem { tags, .. }| ItemTags { tags });
    answer(app, place, request, conditions, part).await
}

impl Asked<Conditions> {
    // The item, or a part of it, unless the request's conditions are against it.
    fn of_item<T: Serialize>(self, part: fn(DataItem) -> T) -> Answered {
        let (db, caller) = (&self.entered.db, &self.entered.identity.caller);
        let Place { collection, key, .. } = &self.place;
        let item = self.app.service.item(db, caller, collection, key).map_err(refused)?;
        let rev = item.rev;
        if !(Conditions { unlike: None, ..self.head.clone() }).met(rev, true) {
            return Err(refused(crate::service::ServiceError::Unmet { rev }));
        }
        if !self.head.met(rev, true) {
            return Ok((Answer::not_modified(rev), None));
        }
        Ok((Answer::encode(&self.app.answers, self.wanted, &part(item))?.of_rev(rev), None))
    }
}

// What the headers of a write say.
struct Writing {
    sent: Option<Sent>,
    conditions: Conditions,
    op_ref: Option<Ref>,
}

impl Writing {
    fn bare(headers: &HeaderMap) -> Result<Writing, Refusal> {
        Ok(Writing { sent: None, conditions: conditions(headers)?, op_ref: idempotency_key(headers)? })
    }

    fn with_body(headers: &HeaderMap) -> Result<Writing, Refusal> {
        Ok(Writing { sent: Some(Sent::of(headers)?), ..Writing::bare(headers)? })
    }

    fn with_patch(headers: &HeaderMap) -> Result<Writing, Refusal> {
        Ok(Writing { sent: Some(Sent::of_patch(headers)?), ..Writing::bare(headers)? })
    }
}

impl Asked<Writing> {
    // What the path names of the item.
    fn name(&self) -> Option<String> {
        Some(self.place.name.clone())
    }

    // The body, which must not be there where nothing is taken from it.
    fn json(&mut self) -> Result<Json, Refusal> {
        let sent = self.head.sent.ok_or_else(Refusal::internal)?;
        let plain = self.entered.plain_body(&self.app, sent)?;
        Json::decode(sent.format, &plain).map_err(Refusal::unreadable)
    }

    fn message<T: DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        let sent = self.head.sent.ok_or_else(Refusal::internal)?;
        self.entered.message(&self.app, sent)
    }

    // Writes what `fill` makes of an op on the item.
    fn write(mut self, kind: OpKind, fill: fn(&mut Self, DataOp) -> Result<DataOp, Refusal>) -> Answered {
        let Place { collection, key, .. } = &self.place;
        let bare = DataOp { op_ref: self.head.op_ref, ..DataOp::new(kind, collection.clone(), key.clone()) };
        let op = fill(&mut self, bare)?;
        if self.head.sent.is_none() && self.entered.has_body() {
            return Err(Refusal::malformed("this request takes no body"));
        }
        // Of an item that is gone there is nothing that a tag could be of.
        let ends = op.kind == OpKind::Delete && op.index.is_none() && op.relation.is_none() && op.tag.is_none();
        let (db, caller) = (&self.entered.db, &self.entered.identity.caller);
        let request = WriteRequest { op, conditions: self.head.conditions };
        let written = self.app.service.write(db, caller, request).map_err(refused)?;
        let answer = Answer::encode(&self.app.answers, self.wanted, &written)?;
        Ok((if ends || written.rev == 0 { answer } else { answer.of_rev(written.rev) }, Some(1)))
    }
}

/// `PUT /v1/:db/data/:collection/:key`.
pub(crate) async fn put_item(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(app, place, request, Writing::with_body, |asked| {
        asked.write(OpKind::Set, |asked, op| Ok(DataOp { value: Some(asked.json()?), ..op }))
    })
    .await
}

/// `PATCH /v1/:db/data/:collection/:key`.
pub(crate) async fn patch_item(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(app, place, request, Writing::with_patch, |asked| {
        asked.write(OpKind::Patch, |asked, op| Ok(DataOp { patch: Some(asked.json()?), ..op }))
    })
    .await
}

/// `DELETE /v1/:db/data/:collection/:key`.
pub(crate) async fn delete_item(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(app, place, request, Writing::bare, |asked| asked.write(OpKind::Delete, |_, op| Ok(op))).await
}

/// `PUT …/indexes/:name`.
pub(crate) async fn put_index(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(app, place, request, Writing::with_body, |asked| {
        asked.write(OpKind::Set, |asked, op| {
            let IndexBody { order } = asked.message()?;
            Ok(DataOp { index: asked.name(), order: Some(order), ..op })
        })
    })
    .await
}

/// `DELETE …/indexes/:name`.
pub(crate) async fn delete_index(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(app, place, request, Writing::bare, |asked| {
        asked.write(OpKind::Delete, |asked, op| Ok(DataOp { index: asked.name(), ..op }))
    })
    .await
}

/// `PUT …/relations/:id`.
pub(crate) async fn put_relation(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(app, place, request, Writing::with_body, |asked| {
        asked.write(OpKind::Set, |asked, op| {
            let RelationBody { predicate, object } = asked.message()?;
            Ok(DataOp { relation: asked.name(), predicate: Some(predicate), object: Some(object), ..op })
        })
    })
    .await
}

/// `DELETE …/relations/:id`.
pub(crate) async fn delete_relation(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(app, place, request, Writing::bare, |asked| {
        asked.write(OpKind::Delete, |asked, op| Ok(DataOp { relation: asked.name(), ..op }))
    })
    .await
}

/// `PUT …/tags/:tag`.
pub(crate) async fn put_tag(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(app, place, request, Writing::bare, |asked| {
        asked.write(OpKind::Set, |asked, op| Ok(DataOp { tag: asked.name(), ..op }))
    })
    .await
}

/// `DELETE …/tags/:tag`.
pub(crate) async fn delete_tag(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    answer(app, place, request, Writing::bare, |asked| {
        asked.write(OpKind::Delete, |asked, op| Ok(DataOp { tag: asked.name(), ..op }))
    })
    .await
}

/// `POST /v1/:db/batch`.
pub(crate) async fn batch(State(app): State<Arc<App>>, place: Place, request: Request) -> Response {
    let head = |headers: &HeaderMap| {
        let Writing { sent, conditions, op_ref } = Writing::with_body(headers)?;
        if op_ref.is_some() || !conditions.is_empty() {
            // Passed over, they would let a caller believe what is not so.
            return Err(Refusal::malformed(
                "each op of a batch has its own ref and base; the headers for one op do not count",
            ));
        }
        sent.ok_or_else(Refusal::internal)
    };
    answer(app, place, request, head, |mut asked: Asked<Sent>| {
        let batch: BatchRequest = asked.entered.message_of_ops(&asked.app, asked.head, asked.app.batch_ops)?;
        let ops = batch.ops.len();
        let (db, caller) = (&asked.entered.db, &asked.entered.identity.caller);
        // Before it is done: a batch that was refused must not be one that was applied.
        let wanted = asked.wanted;
        let likely = BatchResponse { results: vec![Written { rev: Rev::MAX }; ops] };
        let share = asked.app.answers.share(wanted.format, wanted.gzip, &likely)?;
        let response = asked.app.service.batch(db, caller, batch).map_err(refused)?;
        Ok((Answer::within(share, wanted, &response)?, Some(ops)))
    })
    .await
}
