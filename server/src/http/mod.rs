//! The protocol over HTTP/1.1: from requests to the service and back.

mod answer;
mod auth;
mod body;
mod call;
mod conditions;
mod connection;
mod data;
mod endpoints;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod lanes;
mod listen;
mod memory;
mod metrics;
mod negotiate;
mod nonces;
mod ops;
mod pace;
mod place;
mod query;
mod record;
mod refusal;
mod routes;
mod signature;

pub(crate) use lanes::THREADS;
pub(crate) use listen::{Limits, serve};
pub(crate) use signature::is_word;
#[cfg(test)]
pub(crate) use signature::to_hex;

use crate::config::Config;
use crate::service::Service;
use auth::{Authenticator, digest};
use axum::Router;
use axum::middleware::from_fn_with_state;
use body::BodyLimits;
use lanes::Lanes;
use memory::{AnswerMemory, Memory};
use metrics::Metrics;
use std::sync::Arc;
use syncstore::environment::Environment;
use tokio::sync::watch;

/// What every request shares.
pub(crate) struct App {
    service: Arc<Service>,
    authenticator: Authenticator,
    body: BodyLimits,
    // The most ops of a push, and of a batch.
    push_ops: usize,
    batch_ops: usize,
    answers: AnswerMemory,
    lanes: Arc<Lanes>,
    metrics: Arc<Metrics>,
    // The paths that there are, as labels of metrics.
    paths: Vec<&'static str>,
    // The digest of the token that `/metrics` asks for.
    metrics_token: Option<[u8; 32]>,
    dev: bool,
    environment: Arc<dyn Environment>,
    stopping: watch::Receiver<bool>,
}

impl App {
    pub(crate) fn new(
        config: &Config,
        service: Arc<Service>,
        environment: Arc<dyn Environment>,
        stopping: watch::Receiver<bool>,
    ) -> App {
        App {
            service,
            authenticator: Authenticator::new(config, environment.clone()),
            body: BodyLimits {
                size: config.limits.body,
                pause: config.limits.body_timeout(),
                // One body must always fit, as sent and inflated.
                memory: Memory::new(config.limits.body_memory.max(config.limits.body.saturating_mul(2))),
            },
            push_ops: config.limits.push_ops,
            batch_ops: config.limits.batch_ops,
            answers: AnswerMemory::new(config.limits.answer_memory),
            lanes: Arc::default(),
            metrics: Arc::new(Metrics::new()),
            paths: routes::routes().into_iter().map(|route| route.path).collect(),
            metrics_token: config.metrics_token.as_ref().map(|token| digest(token.expose())),
            dev: config.dev,
            environment,
            stopping,
        }
    }
}

// Returns once the server is told to stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    drop(stopping.wait_for(|stopping| *stopping).await);
}

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    let all = routes::routes().into_iter();
    all.fold(Router::new(), |router, route| router.route(route.path, route.handler))
        .fallback(endpoints::unknown_route)
        .method_not_allowed_fallback(endpoints::wrong_method)
        .layer(from_fn_with_state(app.clone(), record::record))
        .with_state(app)
}

/// Every method of every path, for the project's own tests.
#[doc(hidden)]
pub fn route_names() -> Vec<(String, &'static str)> {
    routes::routes().into_iter().map(|route| (route.method.to_string(), route.path)).collect()
}
