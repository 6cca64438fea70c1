//! A server on a sound disk, a wire straight into it, and a clock that stands.

use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use syncstore::environment::Environment;
use syncstore::protocol::{
    CheckpointItem, CheckpointPage, ClientId, DatabaseInfo, InboxPage, PushRequest, PushResponse, Ref,
};
use syncstore::wire::{self, PullRequest, Wire, WireError};
use syncstore_server::service::{
    Caller, CheckpointRequest, InboxRequest, Service, ServiceError, ServiceOptions, Tags, Writing,
};
use syncstore_simulation::disk::{Disk, Image};
use tempfile::TempDir;

const DB: &str = "test";

/// 2026-11-20, in milliseconds since 1970.
pub const START: u64 = 1_795_132_800_000;

pub struct Clock {
    elapsed_ms: AtomicU64,
    random: Mutex<Rng>,
}

impl Clock {
    pub fn seeded(seed: u64) -> Arc<Clock> {
        Arc::new(Clock { elapsed_ms: AtomicU64::new(0), random: Mutex::new(Rng::with_seed(seed)) })
    }

    pub fn advance(&self, by: Duration) {
        self.elapsed_ms.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Environment for Clock {
    fn unix_ms(&self) -> u64 {
        START + self.elapsed_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(Ordering::SeqCst))
    }

    fn random(&self) -> u64 {
        self.random.lock().unwrap().u64(..)
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

pub type Items = BTreeMap<(String, String), Value>;

/// The server core on a disk. As a wire it notes which refs were sent.
pub struct Server {
    service: RwLock<Option<Service>>,
    pub disk: Disk,
    directory: Arc<TempDir>,
    clock: Arc<Clock>,
    sent: Mutex<BTreeSet<Ref>>,
    peers_ops: AtomicU64,
    /// Of each key, what the other client's item may be: its last answered write, or a later one that was not answered.
    peers_items: Mutex<BTreeMap<u64, Vec<u64>>>,
    errors: AtomicU64,
}

/// What every server of a test begins from.
pub struct Beginning {
    image: Image,
    directory: Arc<TempDir>,
}

fn caller() -> Caller {
    Caller { user: "ada".into(), tags: Tags::All, grant: Vec::new() }
}

impl Beginning {
    /// A server's files with some items of another client's.
    pub fn new() -> Beginning {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let disk = Disk::new(0);
        let server = Server::on(&disk, &directory);
        (0..12).for_each(|key| server.peer_writes(key));
        server.close();
        Beginning { image: disk.image(), directory }
    }

    pub fn server(&self) -> Server {
        self.server_on(Disk::new(0))
    }

    /// A server on a disk that is empty until then.
    pub fn server_on(&self, disk: Disk) -> Server {
        disk.restore(&self.image);
        let server = Server::on(&disk, &self.directory);
        // After those that the image has.
        server.peers_ops.store(1_000, Ordering::SeqCst);
        server
    }
}

impl Server {
    fn on(disk: &Disk, directory: &Arc<TempDir>) -> Server {
        let server = Server {
            service: RwLock::default(),
            disk: disk.clone(),
            directory: Arc::clone(directory),
            clock: Clock::seeded(0x5e4),
            sent: Mutex::default(),
            peers_ops: AtomicU64::new(1),
            peers_items: Mutex::default(),
            errors: AtomicU64::new(0),
        };
        server.open();
        server
    }

    pub fn open(&self) {
        let mut options = ServiceOptions::new(self.directory.path());
        options.environment = self.clock.clone();
        options.writing = Writing::Caller;
        options.vfs = Some(self.disk.name().into());
        options.retention.log_entries = 4;
        *self.service.write().unwrap() = Some(Service::open(options).unwrap());
    }

    pub fn close(&self) {
        *self.service.write().unwrap() = None;
    }

    fn ask<T>(&self, question: impl FnOnce(&Service) -> Result<T, ServiceError>) -> Result<T, WireError> {
        let answer = question(self.service.read().unwrap().as_ref().unwrap());
        self.errors.fetch_add(u64::from(matches!(answer, Err(ServiceError::Storage(_)))), Ordering::SeqCst);
        answer.map_err(WireError::from)
    }

    /// How often its disk kept it from answering.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::SeqCst)
    }

    /// Another client sets an item of the collection `peer`, if the server can.
    pub fn peer_writes(&self, key: u64) {
        let n = self.peers_ops.fetch_add(1, Ordering::SeqCst);
        let op = Ref::from_parts((START as i64) << 12 | n as i64, n);
        let op = json!({"ref": op, "op": "set", "collection": "peer", "key": format!("p{key}"), "value": {"n": n}});
        let request = json!({"client": peer(), "ops": [op]}).to_string();
        let request: PushRequest = serde_json::from_str(&request).unwrap();
        let answer = self.ask(|service| service.push(DB, &caller(), request));
        let mut items = self.peers_items.lock().unwrap();
        // What the beginning has of it.
        let values = items.entry(key).or_insert_with(|| vec![key + 1]);
        if answer.is_ok() {
            values.clear();
        }
        values.push(n);
    }

    pub fn check_peer(&self, items: &Items) {
        for (key, values) in self.peers_items.lock().unwrap().iter() {
            let found = &items[&("peer".to_owned(), format!("p{key}"))]["n"];
            assert!(values.iter().any(|n| found == n), "peer p{key} is {found}, none of {values:?}");
        }
    }

    /// The log forgets all but its newest entries, if the server can: every cursor expires.
    pub fn forget_the_log(&self) {
        self.clock.advance(Duration::from_secs(3 * 24 * 60 * 60));
        let _ = self.ask(|service| service.prune(DB));
    }

    pub fn was_sent(&self, op: &Ref) -> bool {
        self.sent.lock().unwrap().contains(op)
    }

    pub fn items(&self) -> Items {
        let whole = self.checkpoint_items().into_iter();
        whole.map(|item| ((item.collection, item.key), item.value.to_value().unwrap())).collect()
    }

    /// The index entries and the objects of the relations of an item.
    pub fn resources(&self, collection: &str, key: &str) -> Vec<(String, String)> {
        let is_it = |item: &CheckpointItem| item.collection == collection && item.key == key;
        let Some(item) = self.checkpoint_items().into_iter().find(is_it) else { return Vec::new() };
        item.indexes.into_iter().chain(item.relations.into_iter().map(|one| (one.id, one.object.key))).collect()
    }

    fn checkpoint_items(&self) -> Vec<CheckpointItem> {
        let mut items = Vec::new();
        let mut page = None;
        loop {
            let request = CheckpointRequest { client: peer(), page, limit: 1_000, scope: Default::default() };
            let answer = self.ask(|service| service.checkpoint(DB, &caller(), &request)).unwrap();
            items.extend(answer.items);
            page = answer.next;
            if page.is_none() {
                return items;
            }
        }
    }
}

fn peer() -> ClientId {
    ClientId::from_random(0x9ee2)
}

impl Wire for Server {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.ask(|service| service.info(DB, &caller()))
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.sent.lock().unwrap().extend(request.ops.iter().map(|op| op.op_ref));
        self.ask(|service| service.push(DB, &caller(), request.clone()))
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        let PullRequest { client, cursor, limit, own_payloads, scope, .. } = request.clone();
        let request = InboxRequest { client, cursor, limit, own_payloads, scope };
        self.ask(|service| service.inbox(DB, &caller(), &request))
    }

    fn checkpoint(&self, request: &wire::CheckpointRequest) -> Result<CheckpointPage, WireError> {
        let request = CheckpointRequest {
            client: request.client,
            page: request.page.clone(),
            limit: request.limit,
            scope: request.scope.clone(),
        };
        self.ask(|service| service.checkpoint(DB, &caller(), &request))
    }
}
