//! A wire straight into the server core.

use super::server::{DB, Server};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use syncstore::protocol::{CheckpointPage, DatabaseInfo, Format, InboxPage, Limits, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, PullRequest, Traffic, Wire, WireError};
use syncstore_server::service::{self, Caller, ServiceError};

pub struct DirectWire {
    server: Arc<Server>,
    caller: Caller,
    format: Option<Format>,
    sent: AtomicU64,
    received: AtomicU64,
    round_trips: AtomicU64,
}

impl DirectWire {
    pub fn new(server: &Arc<Server>, caller: Caller, format: Option<Format>) -> DirectWire {
        DirectWire {
            server: Arc::clone(server),
            caller,
            format,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
        }
    }

    /// What arrives on the other side of the codec.
    fn carry<T: Serialize + DeserializeOwned>(&self, message: T, count: &AtomicU64) -> (T, usize) {
        let Some(format) = self.format else { return (message, 0) };
        let bytes = format.encode(&message).unwrap();
        count.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        (format.decode(&bytes).unwrap(), bytes.len())
    }

    fn answer<T: Serialize + DeserializeOwned>(&self, answer: Result<T, ServiceError>) -> Result<T, WireError> {
        self.round_trips.fetch_add(1, Ordering::SeqCst);
        answer.map(|answer| self.carry(answer, &self.received).0).map_err(WireError::from)
    }
}

impl Wire for DirectWire {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.answer(self.server.service(|service| service.info(DB, &self.caller)))
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        let (request, bytes) = self.carry(request.clone(), &self.sent);
        if bytes > Limits::PROTOCOL.body {
            return self.answer(Err(ServiceError::TooLarge(format!("the body has {bytes} bytes"))));
        }
        self.answer(self.server.service(|service| service.push(DB, &self.caller, request)))
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        assert_eq!(request.wait, Duration::ZERO, "a sync does not wait for news");
        let request = service::InboxRequest {
            client: request.client,
            cursor: request.cursor.clone(),
            limit: request.limit,
            own_payloads: request.own_payloads,
            scope: request.scope.clone(),
        };
        self.answer(self.server.service(|service| service.inbox(DB, &self.caller, &request)))
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        let request = service::CheckpointRequest {
            client: request.client,
            page: request.page.clone(),
            limit: request.limit,
            scope: request.scope.clone(),
        };
        self.answer(self.server.service(|service| service.checkpoint(DB, &self.caller, &request)))
    }

    fn traffic(&self) -> Traffic {
        let mut traffic = Traffic::default();
        traffic.sent = self.sent.load(Ordering::SeqCst);
        traffic.received = self.received.load(Ordering::SeqCst);
        traffic.round_trips = self.round_trips.load(Ordering::SeqCst);
        traffic
    }
}
