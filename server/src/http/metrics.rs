//! What `/metrics` tells, in the OpenMetrics text format.

use crate::service::DatabaseStats;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;
use syncstore::protocol::{PushOutcome, PushResponse};

/// The media type of the text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const DURATIONS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Counts what goes over HTTP.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    push_ops: Family<Outcome, Counter>,
    pub(crate) long_polls: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) connections_refused: Counter,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Db {
    db: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DbCode {
    db: String,
    code: String,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("syncstore");
        let metrics = Metrics {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            push_ops: Family::default(),
            long_polls: Gauge::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            received: Counter::default(),
            sent: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Requests answered", metrics.requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time to an answer, held answers included",
            metrics.durations.clone(),
        );
        registry.register("push_ops", "Ops of answered pushes, by outcome, repeats included", metrics.push_ops.clone());
        registry.register("long_polls", "Answers held until there is news", metrics.long_polls.clone());
        registry.register("http_connections", "Open connections", metrics.connections.clone());
        registry.register(
            "http_connections_refused",
            "Connections refused because of their number",
            metrics.connections_refused.clone(),
        );
        registry.register("http_received_bytes", "Bytes read from connections", metrics.received.clone());
        registry.register("http_sent_bytes", "Bytes written to connections", metrics.sent.clone());
        Metrics { registry, ..metrics }
    }

    pub(crate) fn answered(&self, method: &'static str, route: &'static str, status: u16, duration: Duration) {
        self.requests.get_or_create(&Request { method, route, status }).inc();
        self.durations.get_or_create(&Route { route }).observe(duration.as_secs_f64());
    }

    pub(crate) fn pushed(&self, response: &PushResponse) {
        for (outcome, name) in [
            (PushOutcome::Accepted, "accepted"),
            (PushOutcome::Rejected, "rejected"),
            (PushOutcome::Queued, "queued"),
            (PushOutcome::Staged, "staged"),
            (PushOutcome::Skipped, "skipped"),
        ] {
            let count = response.results.iter().filter(|result| result.outcome == outcome).count();
            if count > 0 {
                self.push_ops.get_or_create(&Outcome { outcome: name }).inc_by(count as u64);
            }
        }
    }

    /// The text; `stats` of each database for those who may know their names.
    pub(crate) fn render(&self, stats: Option<&[DatabaseStats]>) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode_registry(&mut text, &self.registry);
        if let Some(stats) = stats {
            let _ = encode_registry(&mut text, &of_databases(stats));
        }
        let _ = encode_eof(&mut text);
        text
    }
}

fn of_databases(stats: &[DatabaseStats]) -> Registry {
    let mut registry = Registry::with_prefix("syncstore_database");
    let mut gauge = |name: &str, help: &str, value: fn(&DatabaseStats) -> u64| {
        let family = Family::<Db, Gauge>::default();
        for stats in stats {
            let value = i64::try_from(value(stats)).unwrap_or(i64::MAX);
            family.get_or_create(&Db { db: stats.name.clone() }).set(value);
        }
        registry.register(name, help, family);
    };
    gauge("log_head", "The seq of the newest log entry", |stats| stats.head);
    gauge("log_entries", "Log entries kept", |stats| stats.log_entries);
    gauge("log_bytes", "Bytes of the log entries kept", |stats| stats.log_bytes);
    gauge("items", "Items", |stats| stats.items);
    gauge("bytes", "Bytes, without free pages and the write-ahead log", |stats| stats.bytes);
    gauge("awaiting_approval_ops", "Ops that wait for the approver, or behind one that does", |stats| stats.queued_ops);
    gauge("awaiting_approval_bytes", "The bytes of those ops", |stats| stats.queued_bytes);
    gauge("queued_requests", "Requests that wait for the writer", |stats| stats.queued);
    gauge("largest_group", "The most pushes that one transaction committed", |stats| stats.largest_group);
    let mut counter = |name: &str, help: &str, value: fn(&DatabaseStats) -> u64| {
        let family = Family::<Db, Counter>::default();
        for stats in stats {
            family.get_or_create(&Db { db: stats.name.clone() }).inc_by(value(stats));
        }
        registry.register(name, help, family);
    };
    counter("pushes", "Pushes answered", |stats| stats.pushes);
    counter("groups", "Transactions that committed pushes; pushes / groups is the mean group", |stats| stats.groups);
    counter("ops_accepted", "Ops accepted, repeats not counted", |stats| stats.accepted);
    counter("approver_requests", "Requests to the approver", |stats| stats.approver_requests);
    counter("approver_failures", "Requests to the approver without a usable answer", |stats| stats.approver_failures);
    counter("approver_answers_ignored", "Parts of its answers that were ignored", |stats| stats.approver_ignored);
    counter("approver_commits", "Transactions that committed what it decided", |stats| stats.approver_commits);
    counter("log_entries_pruned", "Log entries pruned", |stats| stats.pruned);
    counter("inbox_pages", "Inbox pages read", |stats| stats.inbox_pages);
    counter("checkpoint_pages", "Checkpoint pages read", |stats| stats.checkpoint_pages);
    let rejected = Family::<DbCode, Counter>::default();
    for stats in stats {
        for (code, count) in &stats.rejected {
            let labels = DbCode { db: stats.name.clone(), code: code.clone() };
            rejected.get_or_create(&labels).inc_by(*count);
        }
    }
    registry.register("ops_rejected", "Ops rejected by code, repeats not counted", rejected);
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_databases_only_for_who_may_know_them() {
        let metrics = Metrics::new();
        metrics.answered("GET", "/v1/{db}", 200, Duration::from_millis(3));
        let rejected = [("stale".to_owned(), 2)].into();
        let stats = DatabaseStats { name: "notes".into(), head: 7, rejected, ..DatabaseStats::default() };
        let open = metrics.render(None);
        assert!(open.contains("syncstore_http_requests_total{method=\"GET\",route=\"/v1/{db}\",status=\"200\"} 1\n"));
        assert!(open.contains("syncstore_http_request_duration_seconds_count{route=\"/v1/{db}\"} 1\n"));
        assert!(!open.contains("notes") && open.ends_with("# EOF\n"));
        let full = metrics.render(Some(&[stats]));
        assert!(full.contains("syncstore_database_log_head{db=\"notes\"} 7\n"));
        assert!(full.contains("syncstore_database_ops_rejected_total{db=\"notes\",code=\"stale\"} 2\n"));
    }
}
