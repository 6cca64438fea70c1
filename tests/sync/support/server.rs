//! The real server core on a directory of its own, without HTTP.

use super::direct::DirectWire;
use super::environment::FakeEnvironment;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, RwLock};
use syncstore::protocol::{ClientId, Entry, Format};
use syncstore_server::service::{
    Caller, CheckpointRequest, InboxRequest, Policy, Service, ServiceOptions, Tags, Writing,
};
use tempfile::TempDir;

pub const DB: &str = "test";

type Configure = Box<dyn Fn(&mut ServiceOptions) + Send + Sync>;

pub struct Server {
    directory: TempDir,
    service: RwLock<Option<Service>>,
    pub environment: Arc<FakeEnvironment>,
    configure: Configure,
}

/// What the files of a server were at some moment.
pub struct Backup(TempDir);

impl Server {
    pub fn start() -> Arc<Server> {
        Server::with(|_| {})
    }

    /// A server with other options; the collection `careful` rejects what is stale, `merged` merges.
    pub fn with(configure: impl Fn(&mut ServiceOptions) + Send + Sync + 'static) -> Arc<Server> {
        let server = Server {
            directory: tempfile::tempdir().unwrap(),
            service: RwLock::new(None),
            environment: FakeEnvironment::seeded(0x5e4),
            configure: Box::new(configure),
        };
        server.open(false);
        let server = Arc::new(server);
        // The database is made at its first use; a backup from before that would be of another.
        server.service(|service| service.info(DB, &caller())).unwrap();
        server
    }

    fn open(&self, new_epoch: bool) {
        let mut options = ServiceOptions::new(self.directory.path());
        options.environment = self.environment.clone();
        options.writing = Writing::Caller;
        options.synced = false;
        options.policies.insert("careful".into(), Policy::RejectStale);
        options.policies.insert("merged".into(), Policy::Merge);
        (self.configure)(&mut options);
        options.new_epoch = new_epoch;
        *self.service.write().unwrap() = Some(Service::open(options).unwrap());
    }

    fn close(&self) {
        if let Some(service) = self.service.write().unwrap().take() {
            service.shutdown();
        }
    }

    /// Ends the service and starts it again.
    pub fn restart(&self) {
        self.close();
        self.open(false);
    }

    pub fn backup(&self) -> Backup {
        self.close();
        let copy = tempfile::tempdir().unwrap();
        copy_directory(self.directory.path(), copy.path());
        self.open(false);
        Backup(copy)
    }

    pub fn restore(&self, backup: &Backup, new_epoch: bool) {
        self.close();
        for entry in std::fs::read_dir(self.directory.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
        }
        copy_directory(backup.0.path(), self.directory.path());
        self.open(new_epoch);
    }

    pub fn service<T>(&self, ask: impl FnOnce(&Service) -> T) -> T {
        ask(self.service.read().unwrap().as_ref().unwrap())
    }

    pub fn wire(self: &Arc<Server>) -> DirectWire {
        DirectWire::new(self, caller(), None)
    }

    /// A wire whose every message is encoded and decoded on the way.
    pub fn wire_in(self: &Arc<Server>, format: Format) -> DirectWire {
        DirectWire::new(self, caller(), Some(format))
    }

    pub fn wire_of(self: &Arc<Server>, caller: Caller) -> DirectWire {
        DirectWire::new(self, caller, None)
    }

    /// Every item: (collection, key) to value and rev, as a checkpoint gives them.
    pub fn items(&self) -> BTreeMap<(String, String), (Value, u64)> {
        let mut items = BTreeMap::new();
        let mut page = None;
        loop {
            let request = CheckpointRequest { client: observer(), page, limit: 1_000, scope: Default::default() };
            let answer = self.service(|service| service.checkpoint(DB, &caller(), &request)).unwrap();
            for item in answer.items {
                items.insert((item.collection, item.key), (item.value.to_value().unwrap(), item.rev));
            }
            page = answer.next;
            if page.is_none() {
                return items;
            }
        }
    }

    pub fn value(&self, collection: &str, key: &str) -> Option<Value> {
        self.items().remove(&(collection.to_owned(), key.to_owned())).map(|(value, _)| value)
    }

    /// The log as somebody reads it who sent nothing: the accepted entries.
    pub fn log(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut cursor = None;
        loop {
            let request = InboxRequest {
                client: observer(),
                cursor,
                limit: 1_000,
                own_payloads: true,
                scope: Default::default(),
            };
            let page = self.service(|service| service.inbox(DB, &caller(), &request)).unwrap();
            entries.extend(page.entries);
            if !page.more {
                return entries;
            }
            cursor = Some(page.cursor);
        }
    }

    pub fn prune(&self) {
        self.service(|service| service.prune(DB)).unwrap();
    }
}

fn copy_directory(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The user of all replicas, who sees everything.
pub fn caller() -> Caller {
    Caller { user: "ada".into(), tags: Tags::All, grant: Vec::new() }
}

fn observer() -> ClientId {
    ClientId::from_random(0x0b5e_27e2)
}
