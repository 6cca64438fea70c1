//! The table `[limits]`.

use super::ConfigError;
use crate::service::Retention;
use serde::Deserialize;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Sizes, counts and times; a field that the file leaves out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerLimits {
    /// Bytes of a request's body, as sent and inflated (8 MiB).
    pub body: usize,
    /// Bytes of all bodies that are held at a time; beyond, requests are answered 503 (256 MiB).
    pub body_memory: usize,
    /// Bytes of all answers that are encoded or wait for their clients at a time; beyond, requests are answered 503 (256
    /// MiB).
    pub answer_memory: usize,
    /// Bytes of an item's value as JSON (1 MiB); at most 16 MiB, and less than `body`.
    pub value: usize,
    /// Ops of one push (1,000); at most 32,768.
    pub push_ops: usize,
    /// Ops of one batch (10,000); at most 16,384.
    pub batch_ops: usize,
    /// Bytes of all ops of one batch (8 MiB); at most 16 MiB.
    pub batch: usize,
    /// Entries of a log that are kept; older cursors expire (1,000,000).
    pub log_retention: u64,
    /// Days for which the outcome of a ref is kept (90, which is the least).
    pub ref_days: u64,
    /// Days for which a client id is kept after its last request (365); never less than the outcomes of its ops may be.
    pub client_days: u64,
    /// Hours for which an incomplete batch waits for the rest of its ops (168).
    pub staged_hours: u64,
    /// Hours for which an operation waits for an approver (168).
    pub queued_hours: u64,
    /// Operations of a database that may wait for an approver; beyond, they are answered `skipped` (10,000).
    pub queued_ops: u64,
    /// Bytes of those operations; beyond, they are answered `skipped` (64 MiB).
    pub queued_bytes: u64,
    /// Hours for which a checkpoint is kept after its last page was read (24).
    pub checkpoint_idle_hours: u64,
    /// Hours for which a checkpoint is kept at the most (168).
    pub checkpoint_hours: u64,
    /// Databases open at a time (256).
    pub open_databases: usize,
    /// Databases where a credential may make any; beyond, no other is made (10,000).
    pub databases: usize,
    /// Bytes of a database; from there on little but deletes of items is taken (64 GiB).
    pub database: u64,
    /// Nonces of signed requests that are kept at a time; beyond, signed requests are answered 503 (1,000,000).
    pub nonces: usize,
    /// Connections at a time; beyond, they are answered 503 (4,096).
    pub connections: usize,
    /// Seconds for a request's head, and for an idle connection (30).
    pub header_seconds: u64,
    /// Seconds between two parts of a body, and over which the least rate of a body, and of an answer that its client
    /// takes, is measured: 1 KiB a second, or 64 while more than half of the memory for them is taken (30).
    pub body_seconds: u64,
    /// Seconds that a stopping server gives to requests under way (10).
    pub shutdown_seconds: u64,
}

impl Default for ServerLimits {
    fn default() -> ServerLimits {
        let wire = syncstore::protocol::Limits::default();
        ServerLimits {
            body: wire.body,
            body_memory: 256 << 20,
            answer_memory: 256 << 20,
            value: wire.value,
            push_ops: wire.push_ops,
            batch_ops: wire.batch_ops,
            batch: wire.batch,
            log_retention: 1_000_000,
            ref_days: 90,
            client_days: 365,
            staged_hours: 7 * 24,
            queued_hours: 7 * 24,
            queued_ops: 10_000,
            queued_bytes: 64 << 20,
            checkpoint_idle_hours: 24,
            checkpoint_hours: 7 * 24,
            open_databases: 256,
            databases: 10_000,
            database: 64 << 30,
            nonces: 1_000_000,
            connections: 4096,
            header_seconds: 30,
            body_seconds: 30,
            shutdown_seconds: 10,
        }
    }
}

impl ServerLimits {
    /// What `GET /v1/:db` publishes of them.
    pub fn on_the_wire(&self) -> syncstore::protocol::Limits {
        let mut wire = syncstore::protocol::Limits::default();
        wire.body = self.body;
        wire.value = self.value;
        wire.push_ops = self.push_ops;
        wire.batch_ops = self.batch_ops;
        wire.batch = self.batch;
        wire
    }

    /// How long the service keeps each thing that grows.
    pub fn retention(&self) -> Retention {
        Retention {
            log_entries: self.log_retention,
            refs: HOUR * 24 * self.ref_days as u32,
            clients: HOUR * 24 * self.client_days as u32,
            staged: HOUR * self.staged_hours as u32,
            queued: HOUR * self.queued_hours as u32,
            checkpoint_idle: HOUR * self.checkpoint_idle_hours as u32,
            checkpoint: HOUR * self.checkpoint_hours as u32,
            ..Retention::default()
        }
    }

    pub(crate) fn header_timeout(&self) -> Duration {
        Duration::from_secs(self.header_seconds)
    }

    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_seconds)
    }

    pub(crate) fn shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.shutdown_seconds)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        // The most keeps sums and products of limits, times among them, far from overflow.
        let within = |field: &str, value: u64, least: u64| {
            let most = match field {
                "log_retention" => 1 << 40,
                // A client refuses an answer above 64 MiB, inflated. A value must fit into one with all its escapes,
                // a batch with all of its entries, which no page divides, and a push's results with their reasons.
                "value" | "batch" => 16 << 20,
                "batch_ops" => 16_384,
                "push_ops" => 32_768,
                // The writer looks through all of them, without their payloads, for each answer.
                "queued_ops" => 1_000_000,
                "database" => 1 << 48,
                _ if field.ends_with("_days") || field.ends_with("_hours") || field.ends_with("_seconds") => 1_000_000,
                _ => 1 << 30,
            };
            if (least..=most).contains(&value) {
                return Ok(());
            }
            let message = format!("{value} is not between {least} and {most}");
            Err(ConfigError::Value { field: format!("limits.{field}"), message })
        };
        within("body", self.body as u64, 1024)?;
        within("body_memory", self.body_memory as u64, 1024)?;
        within("answer_memory", self.answer_memory as u64, 1024)?;
        within("value", self.value as u64, 1)?;
        // Else no push could carry the value that the limit allows.
        if self.value >= self.body {
            let message = format!("{} is not less than limits.body, {}", self.value, self.body);
            return Err(ConfigError::Value { field: "limits.value".into(), message });
        }
        within("push_ops", self.push_ops as u64, 1)?;
        within("batch_ops", self.batch_ops as u64, 1)?;
        within("batch", self.batch as u64, 1)?;
        within("log_retention", self.log_retention, 1)?;
        within("ref_days", self.ref_days, 90)?;
        within("staged_hours", self.staged_hours, 1)?;
        within("queued_hours", self.queued_hours, 1)?;
        within("queued_ops", self.queued_ops, 1)?;
        within("queued_bytes", self.queued_bytes, 1)?;
        within("client_days", self.client_days, 1)?;
        within("checkpoint_idle_hours", self.checkpoint_idle_hours, 1)?;
        within("checkpoint_hours", self.checkpoint_hours, 1)?;
        within("open_databases", self.open_databases as u64, 1)?;
        within("databases", self.databases as u64, 1)?;
        // Room for what is made of an empty one.
        within("database", self.database, 1 << 20)?;
        within("nonces", self.nonces as u64, 1)?;
        within("connections", self.connections as u64, 1)?;
        within("header_seconds", self.header_seconds, 1)?;
        within("body_seconds", self.body_seconds, 1)?;
        within("shutdown_seconds", self.shutdown_seconds, 0)
    }
}
