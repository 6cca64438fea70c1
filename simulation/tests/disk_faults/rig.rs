//! A server on a sound disk, a wire straight into it, and a clock that stands.

use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use syncstore::environment::Environment;
use syncstore::protocol::{CheckpointPage, ClientId, DatabaseInfo, InboxPage, PushRequest, PushResponse, Ref};
use syncstore::wire::{self, PullRequest, Wire, WireError};
use syncstore_server::service::{
    Caller, CheckpointRequest, InboxRequest, Service, ServiceError, ServiceOptions, Tags, Writing,
};
use syncstore_simulation::disk::{Disk, Image};
use tempfile::TempDir;

const DB: &str = "test";

/// 2026-11-20, in milliseconds since 1970.
const START: u64 = 1_795_132_800_000;

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

/// The server core. As a wire it notes which refs were sent.
pub struct Server {
    service: Service,
    pub clock: Arc<Clock>,
    sent: Mutex<BTreeSet<Ref>>,
    peers_ops: AtomicU64,
    // Both outlive the service.
    _disk: Disk,
    _directory: Arc<TempDir>,
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
        let server = Server::open(&disk, &directory);
        (0..12).for_each(|key| server.peer_writes(key));
        drop(server);
        Beginning { image: disk.image(), directory }
    }

    pub fn server(&self) -> Server {
        let disk = Disk::new(0);
        disk.restore(&self.image);
        Server::open(&disk, &self.directory)
    }
}

impl Server {
    fn open(disk: &Disk, directory: &Arc<TempDir>) -> Server {
        let clock = Clock::seeded(0x5e4);
        let mut options = ServiceOptions::new(directory.path());
        options.environment = clock.clone();
        options.writing = Writing::Caller;
        options.vfs = Some(disk.name().into());
        options.durability = syncstore_server::service::Durability::Normal;
        options.retention.log_entries = 4;
        Server {
            service: Service::open(options).unwrap(),
            clock,
            sent: Mutex::default(),
            peers_ops: AtomicU64::new(1),
            _disk: disk.clone(),
            _directory: Arc::clone(directory),
        }
    }

    /// Another client sets an item of the collection `peer`.
    pub fn peer_writes(&self, key: u64) {
        let n = self.peers_ops.fetch_add(1, Ordering::SeqCst);
        let op = Ref::from_parts((START as i64) << 12 | n as i64, n);
        let op = json!({"ref": op, "op": "set", "collection": "peer", "key": format!("p{key}"), "value": {"n": n}});
        let request = json!({"client": peer(), "ops": [op]}).to_string();
        let request: PushRequest = serde_json::from_str(&request).unwrap();
        self.service.push(DB, &caller(), request).unwrap();
    }

    /// The log forgets all but its newest entries: every cursor expires.
    pub fn forget_the_log(&self) {
        self.clock.advance(Duration::from_secs(3 * 24 * 60 * 60));
        self.service.prune(DB).unwrap();
    }

    pub fn was_sent(&self, op: &Ref) -> bool {
        self.sent.lock().unwrap().contains(op)
    }

    pub fn items(&self) -> Items {
        let mut items = Items::new();
        let mut page = None;
        loop {
            let request = CheckpointRequest { client: peer(), page, limit: 1_000 };
            let answer = self.service.checkpoint(DB, &caller(), &request).unwrap();
            for item in answer.items {
                items.insert((item.collection, item.key), item.value.to_value().unwrap());
            }
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

/// What the HTTP wire makes of such an answer; a sound server gives no other.
fn as_wire_error(error: ServiceError) -> WireError {
    match error {
        ServiceError::CursorExpired(expiry) => WireError::CursorExpired(expiry),
        ServiceError::CheckpointExpired => WireError::CheckpointExpired,
        other => panic!("the server answers {other}"),
    }
}

impl Wire for Server {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.service.info(DB, &caller()).map_err(as_wire_error)
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.sent.lock().unwrap().extend(request.ops.iter().map(|op| op.op_ref));
        self.service.push(DB, &caller(), request.clone()).map_err(as_wire_error)
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        let PullRequest { client, cursor, limit, own_payloads, .. } = request.clone();
        let request = InboxRequest { client, cursor, limit, own_payloads };
        self.service.inbox(DB, &caller(), &request).map_err(as_wire_error)
    }

    fn checkpoint(&self, request: &wire::CheckpointRequest) -> Result<CheckpointPage, WireError> {
        let request = CheckpointRequest { client: request.client, page: request.page.clone(), limit: request.limit };
        self.service.checkpoint(DB, &caller(), &request).map_err(as_wire_error)
    }
}
