//! A wire straight into the server's core, as one user with the rights of the moment.

use crate::model::Rights;
use std::time::Duration;
use syncstore::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, PullRequest, Wire, WireError};
use syncstore_server::service::{self, Caller, Policy, Service, ServiceOptions, Tags, Writing};
use tempfile::TempDir;

pub const DB: &str = "model";

pub fn serve(directory: &TempDir, vfs: &str) -> Service {
    let mut options = ServiceOptions::new(directory.path());
    options.writing = Writing::Caller;
    options.synced = false;
    options.vfs = Some(vfs.to_owned());
    options.policies.insert("careful".into(), Policy::RejectStale);
    Service::open(options).unwrap()
}

pub fn caller(user: usize, rights: &Rights) -> Caller {
    let tags = match &rights.tags {
        None => Tags::All,
        Some(tags) => Tags::Only(tags.iter().cloned().collect()),
    };
    Caller { user: format!("user{user}"), tags, grant: rights.grant.iter().cloned().collect() }
}

pub struct Direct<'a> {
    pub service: &'a Service,
    pub caller: Caller,
}

impl Wire for Direct<'_> {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        Ok(self.service.info(DB, &self.caller)?)
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        Ok(self.service.push(DB, &self.caller, request.clone())?)
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
        Ok(self.service.inbox(DB, &self.caller, &request)?)
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        let (client, page, limit) = (request.client, request.page.clone(), request.limit);
        Ok(self.service.checkpoint(
            DB,
            &self.caller,
            &service::CheckpointRequest { client, page, limit, scope: request.scope.clone() },
        )?)
    }
}
