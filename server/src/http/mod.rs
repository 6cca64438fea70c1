//! The protocol over HTTP/1.1: from requests to the service and back.

mod answer;
mod auth;
mod body;
mod call;
mod connection;
mod endpoints;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod listen;
mod metrics;
mod negotiate;
mod nonces;
mod query;
mod record;
mod refusal;
mod signature;

pub(crate) use listen::{Limits, serve};
pub(crate) use signature::is_word;
#[cfg(test)]
pub(crate) use signature::to_hex;

use crate::config::Config;
use crate::service::Service;
use auth::{Authenticator, digest};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use body::BodyLimits;
use metrics::Metrics;
use std::sync::Arc;
use syncstore::environment::Environment;
use tokio::sync::{Semaphore, watch};

/// What every request shares.
pub(crate) struct App {
    service: Arc<Service>,
    authenticator: Authenticator,
    body: BodyLimits,
    metrics: Arc<Metrics>,
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
                memory: Arc::new(Semaphore::new(config.limits.body_memory.max(config.limits.body.saturating_mul(2)))),
            },
            metrics: Arc::new(Metrics::new()),
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
    Router::new()
        .route("/v1/{db}", get(endpoints::info))
        .route("/v1/{db}/sync/outbox", post(endpoints::outbox))
        .route("/v1/{db}/sync/inbox", get(endpoints::inbox))
        .route("/v1/{db}/sync/checkpoint", get(endpoints::checkpoint))
        .route("/healthz", get(endpoints::health))
        .route("/metrics", get(endpoints::metrics))
        .fallback(endpoints::unknown_route)
        .method_not_allowed_fallback(endpoints::wrong_method)
        .layer(from_fn_with_state(app.clone(), record::record))
        .with_state(app)
}
