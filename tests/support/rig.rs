//! A real server, a replica with pending operations, and what must be true of both after any fault.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use syncstore::protocol::EntryOutcome;
use syncstore::wire::{Compression, HttpOptions, HttpWire, PullRequest, Wire};
use syncstore::{ClientId, KeyRange, Options, PendingOp, Ref, RetryPolicy, Store};
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};
use tempfile::TempDir;

pub type Contents = BTreeMap<(String, String), Value>;

pub struct Rig {
    // Stopped before its directory goes.
    pub server: Option<Server>,
    pub dir: TempDir,
    pub file: PathBuf,
    pub store: Store,
    next_id: u64,
    /// The ids that must be in the list `lists/l1`, each once.
    appended: BTreeSet<u64>,
}

/// What a fault must leave as it is.
#[derive(Debug, PartialEq)]
pub struct Snapshot {
    items: Contents,
    /// Without the state: that an op was sent is for good.
    outbox: Vec<Waiting>,
    position: u64,
}

#[derive(Debug, PartialEq)]
struct Waiting {
    op_ref: Ref,
    item: (String, String),
    payload: Option<String>,
    base: Option<u64>,
}

impl Rig {
    /// A replica that has synced, against a server without credentials.
    pub fn new() -> Rig {
        Rig::with(Config::dev(), HttpOptions::default())
    }

    pub fn with(config: Config, http: HttpOptions) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(ServerOptions::new(dir.path().join("server"), config)).unwrap();
        let file = dir.path().join("replica.db");
        let store = Store::open(&file, options()).unwrap();
        store.set("lists", "l1", &json!({"ids": []})).unwrap();
        for key in 0..5 {
            store.set("notes", &format!("n{key}"), &json!({"title": "Ünïcode 🎈", "number": key})).unwrap();
        }
        store.set("notes", "doomed", &1).unwrap();
        store.sync(&HttpWire::new(&server.url(), DATABASE, http).unwrap()).unwrap();
        Rig { server: Some(server), dir, file, store, next_id: 1, appended: BTreeSet::new() }
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// Opens the replica anew, as another start of the application would.
    pub fn reopen(&mut self) {
        self.store = Store::open(&self.file, options()).unwrap();
    }

    pub fn wire(&self, http: HttpOptions) -> HttpWire {
        HttpWire::new(&self.server().url(), DATABASE, http).unwrap()
    }

    /// One write of each kind.
    pub fn write(&mut self) {
        let id = self.append();
        let key = format!("n{}", id % 5);
        self.store.set("notes", &key, &json!({"title": "set", "number": id})).unwrap();
        self.store.update("notes", &key, |note| note["title"] = format!("updated {id}").into()).unwrap();
        self.store.delete("notes", "doomed").unwrap();
        let mut batch = self.store.batch();
        batch.set("pairs", "a", &id).unwrap();
        batch.set("pairs", "b", &id).unwrap();
        batch.commit().unwrap();
    }

    /// Appends a new id to the list that shows what is lost or applied twice.
    pub fn append(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let patch = json!([{"op": "add", "path": "/ids/-", "value": id}]);
        self.store.patch("lists", "l1", &serde_json::from_value(patch).unwrap()).unwrap();
        self.appended.insert(id);
        id
    }

    pub fn snapshot(&self) -> Snapshot {
        let waiting = |op: PendingOp| Waiting {
            op_ref: op.op_ref,
            item: (op.collection, op.key),
            payload: op.payload,
            base: op.base,
        };
        Snapshot {
            items: contents(&self.store),
            outbox: self.store.pending().unwrap().into_iter().map(waiting).collect(),
            position: self.store.position().unwrap(),
        }
    }

    /// The file is sound and the replica as it was.
    pub fn assert_unchanged(&self, before: &Snapshot, what: &str) {
        assert_intact(&self.file);
        assert_eq!(&self.snapshot(), before, "{what}");
    }

    /// Syncs with the real server, after which the replica, a new one, the log and what was written agree.
    pub fn assert_converges(&self, http: HttpOptions, what: &str) {
        let wire = self.wire(http);
        if let Err(error) = self.store.sync(&wire) {
            panic!("{what}: then syncing: {error:?}");
        }
        assert_eq!(self.store.pending().unwrap(), [], "{what}");
        let new = Store::open(self.dir.path().join(format!("new{}.db", self.next_id)), options()).unwrap();
        new.sync(&wire).unwrap();
        let items = contents(&self.store);
        assert_eq!(items, contents(&new), "{what}");
        let list = &items[&("lists".to_owned(), "l1".to_owned())]["ids"];
        let ids: Vec<u64> = serde_json::from_value(list.clone()).unwrap();
        assert_eq!(ids.len(), self.appended.len(), "{what}: {ids:?}");
        assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), self.appended, "{what}");
        assert_intact(&self.file);
    }

    /// No ref stands twice in the server's log.
    pub fn assert_log_has_each_ref_once(&self, http: HttpOptions) {
        let wire = self.wire(http);
        let client = ClientId::from_random(0x5eed);
        let mut request = PullRequest::new(client, 1_000);
        request.own_payloads = true;
        let (mut refs, mut accepted) = (BTreeSet::new(), 0);
        loop {
            let page = wire.pull(&request).unwrap();
            for entry in &page.entries {
                assert!(refs.insert(entry.op_ref), "{} stands twice", entry.op_ref);
                accepted += u64::from(entry.outcome == EntryOutcome::Accepted);
            }
            if !page.more {
                break;
            }
            request.cursor = Some(page.cursor);
        }
        assert!(accepted > 0);
    }
}

pub const DATABASE: &str = "db";

/// A server with two users, one of whom has a key, too.
pub const CONFIG: &str = r#"
[[credential]]
token = "ada-t0ken"
user = "ada"
databases = ["db"]
all_tags = true

[[credential]]
token = "bob-t0ken"
user = "bob"
databases = ["db"]
all_tags = true

[[credential]]
key = "rpa_1"
secret = "rps_s3cret"
databases = ["db"]
all_tags = true
"#;

/// A replica that tries each request once, so that a test sees each failure.
pub fn options() -> Options {
    let mut options = Options::default();
    // Requests in an order that a test can script.
    options.prefetch = false;
    options.retry = RetryPolicy::never();
    options
}

/// Bodies as they are, and a time-out that no test waits for if all is well.
pub fn plain() -> HttpOptions {
    let mut options = HttpOptions::default();
    options.compression = Compression::Off;
    options.call_timeout = Duration::from_secs(20);
    options
}

pub fn impatient() -> HttpOptions {
    let mut options = plain();
    options.call_timeout = Duration::from_millis(250);
    options
}

pub fn contents(store: &Store) -> Contents {
    let mut contents = BTreeMap::new();
    for collection in store.collections().unwrap() {
        for item in store.list(&collection, &KeyRange::all()).unwrap().iter() {
            contents.insert((collection.clone(), item.key.to_owned()), item.to().unwrap());
        }
    }
    contents
}

pub fn assert_intact(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}
