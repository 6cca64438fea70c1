//! Every path with its methods.

use super::{App, data, endpoints};
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use std::sync::Arc;

/// One method of one path.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) handler: MethodRouter<Arc<App>>,
}

fn route<T: 'static>(method: Method, path: &'static str, handler: impl Handler<T, Arc<App>>) -> Route {
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
    Route { method, path, handler: on(filter, handler) }
}

const ITEM: &str = "/v1/{db}/data/{collection}/{key}";
const INDEX: &str = "/v1/{db}/data/{collection}/{key}/indexes/{name}";
const RELATION: &str = "/v1/{db}/data/{collection}/{key}/relations/{id}";
const TAG: &str = "/v1/{db}/data/{collection}/{key}/tags/{tag}";

/// All of them; `HEAD` goes with `GET`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        route(Method::GET, "/v1/{db}", endpoints::info),
        route(Method::POST, "/v1/{db}/sync/outbox", endpoints::outbox),
        route(Method::GET, "/v1/{db}/sync/inbox", endpoints::inbox),
        route(Method::GET, "/v1/{db}/sync/checkpoint", endpoints::checkpoint),
        route(Method::GET, "/v1/{db}/data", data::collections),
        route(Method::GET, "/v1/{db}/data/{collection}", data::list),
        route(Method::GET, ITEM, data::item),
        route(Method::PUT, ITEM, data::put_item),
        route(Method::PATCH, ITEM, data::patch_item),
        route(Method::DELETE, ITEM, data::delete_item),
        route(Method::GET, "/v1/{db}/data/{collection}/{key}/indexes", data::indexes),
        route(Method::PUT, INDEX, data::put_index),
        route(Method::DELETE, INDEX, data::delete_index),
        route(Method::GET, "/v1/{db}/data/{collection}/{key}/relations", data::relations),
        route(Method::PUT, RELATION, data::put_relation),
        route(Method::DELETE, RELATION, data::delete_relation),
        route(Method::GET, "/v1/{db}/data/{collection}/{key}/tags", data::tags),
        route(Method::PUT, TAG, data::put_tag),
        route(Method::DELETE, TAG, data::delete_tag),
        route(Method::POST, "/v1/{db}/batch", data::batch),
        route(Method::GET, "/healthz", endpoints::health),
        route(Method::GET, "/metrics", endpoints::metrics),
    ]
}
