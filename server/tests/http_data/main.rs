//! Section 6 over HTTP: data for callers without a replica.

#[path = "../http_support/mod.rs"]
mod http_support;

mod bad_input;
mod batches;
mod caller;
mod conditions;
mod deny;
mod heads;
mod listings;
mod openapi;
mod outcomes;
mod repeats;
mod replicas;
mod requests;
mod resources;
mod values;
