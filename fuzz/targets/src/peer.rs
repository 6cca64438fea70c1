//! An honest server, a replica that has synced with it and has operations waiting, and what must hold of a replica.

use crate::environment::Still;
use crate::room::room;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use syncstore::json_patch::Patch;
use syncstore::protocol::{CheckpointPage, DatabaseInfo, InboxPage, PushRequest, PushResponse};
use syncstore::wire::{CheckpointRequest, PullRequest, Wire, WireError};
use syncstore::{KeyRange, Options, PendingState, RetryPolicy, Store};
use syncstore_server::service::{self, Caller, Service, ServiceOptions, Tags, Writing};

pub const DB: &str = "notes";
const SERVER_FILE: &str = "db-notes.sqlite";

pub fn user(name: &str) -> Caller {
    Caller { user: name.into(), tags: Tags::All, grant: Vec::new() }
}

/// A service that decides on the calling thread.
pub fn service(data: &Path, environment: Arc<Still>, change: impl FnOnce(&mut ServiceOptions)) -> Service {
    let mut options = ServiceOptions::new(data);
    options.environment = environment;
    options.writing = Writing::Caller;
    options.synced = false;
    change(&mut options);
    Service::open(options).expect("a service")
}

/// A store whose calls all happen on this thread, once each.
pub fn options(environment: Arc<Still>) -> Options {
    let mut options = Options::default();
    options.cache_bytes = 1 << 20;
    options.environment = environment;
    options.prefetch = false;
    options.retry = RetryPolicy::never();
    options
}

/// The files of a replica and of its server's database, made once.
pub struct Files {
    pub replica: Vec<u8>,
    server: Vec<u8>,
    /// Of another replica, which has index entries, relations and tags too.
    pub rich: Vec<u8>,
    rich_server: Vec<u8>,
}

/// The files that every run begins with: a replica with an operation of each kind waiting.
pub fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let room = room();
        let path = room.path().join("replica.db");
        let store = Store::open(&path, options(Still::new(1))).expect("a replica");
        let honest = Honest(service(room.path(), Still::new(2), |_| {}));
        for n in 0..8 {
            let value = serde_json::json!({"a": n, "b": [n, {"a": "text"}], "long": "x".repeat(50 * n)});
            store.set("notes", &format!("k{n}"), &value).expect("a write");
        }
        store.set("lists", "k0", &[1, 2]).expect("a write");
        store.sync(&honest).expect("a sync with an honest server");
        write_each_kind(&store);
        drop(store);
        drop(honest);
        let read = |path: PathBuf| std::fs::read(path).expect("a file that was closed");
        let (replica, server) = (read(path), read(room.path().join(SERVER_FILE)));
        let path = room.path().join("rich.db");
        let store = Store::open(&path, options(Still::new(8))).expect("a replica");
        let honest = Honest(service(room.path(), Still::new(9), |_| {}));
        store.sync(&honest).expect("a sync with an honest server");
        write_resources(&store);
        store.sync(&honest).expect("a sync with an honest server");
        write_each_kind(&store);
        drop(store);
        drop(honest);
        Files { replica, server, rich: read(path), rich_server: read(room.path().join(SERVER_FILE)) }
    })
}

fn write_each_kind(store: &Store) {
    store.set("notes", "k0", &"set").expect("a write");
    let patch = r#"[{"op":"add","path":"/b/-","value":7}]"#;
    let patch: Patch = serde_json::from_str(patch).expect("a patch");
    store.patch("notes", "k1", &patch).expect("a write");
    store.delete("notes", "k2").expect("a write");
    store.set("new", "k9", &1).expect("a write");
    let mut batch = store.batch();
    batch.set("lists", "k0", &[3]).expect("a write");
    batch.delete("notes", "k3").expect("a write");
    batch.commit().expect("a write");
    store.set_index("notes", "k1", "y", "1").expect("a write");
    store.delete_index("notes", "k4", "x").expect("a write");
    store.set_relation("notes", "k4", "x", "of", ("notes", "k1")).expect("a write");
    store.delete_relation("notes", "k5", "x").expect("a write");
    store.add_tag("new", "k9", "u").expect("a write");
    store.remove_tag("notes", "k1", "t").expect("a write");
    let mut batch = store.batch();
    batch.set_index("lists", "k0", "x", "2").expect("a write");
    batch.add_tag("lists", "k0", "t").expect("a write");
    batch.commit().expect("a write");
}

/// Gives items what they may have beside a value.
fn write_resources(store: &Store) {
    for key in ["k0", "k1", "k4", "k5"] {
        store.set_index("notes", key, "x", key).expect("a write");
        store.set_relation("notes", key, "x", "in", ("lists", "k0")).expect("a write");
        store.add_tag("notes", key, "t").expect("a write");
    }
}

/// The honest server with what [`files`] holds, in this directory.
pub fn honest(data: &Path) -> Honest {
    std::fs::write(data.join(SERVER_FILE), &files().server).expect("room for a file");
    Honest(service(data, Still::new(3), |_| {}))
}

/// The one that the other replica has synced with.
pub fn honest_with_resources(data: &Path) -> Honest {
    std::fs::write(data.join(SERVER_FILE), &files().rich_server).expect("room for a file");
    Honest(service(data, Still::new(3), |_| {}))
}

/// The reference server without HTTP.
pub struct Honest(pub Service);

impl Wire for Honest {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.0.info(DB, &user("ada")).map_err(WireError::from)
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.0.push(DB, &user("ada"), request.clone()).map_err(WireError::from)
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        let PullRequest { client, cursor, limit, own_payloads, scope, .. } = request.clone();
        let request = service::InboxRequest { client, cursor, limit, own_payloads, scope };
        self.0.inbox(DB, &user("ada"), &request).map_err(WireError::from)
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        let CheckpointRequest { client, page, limit, scope, .. } = request.clone();
        self.0
            .checkpoint(DB, &user("ada"), &service::CheckpointRequest { client, page, limit, scope })
            .map_err(WireError::from)
    }
}

/// Everything that a host can read can be read.
pub fn read_all(store: &Store) -> syncstore::Result<()> {
    for collection in store.collections()? {
        for item in store.list(&collection, &KeyRange::all())?.iter() {
            store.get::<serde_json::Value>(&collection, item.key)?;
            store.indexes(&collection, item.key)?;
            store.relations(&collection, item.key, None)?;
            store.relations_to(&collection, item.key, None)?;
            store.tags(&collection, item.key)?;
        }
    }
    for op in store.pending()? {
        store.outcome(op.op_ref)?;
    }
    store.rejections()?;
    store.position()?;
    store.bootstrap_progress()?;
    Ok(())
}

/// The file is sound, and its tables agree with each other.
pub fn assert_sound(path: &Path) {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a file that opens");
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(found, "ok");
    for (what, query) in [
        (
            "items count their operations",
            "SELECT count(*) FROM items i JOIN collections c ON c.id = i.collection WHERE c.life = 0
             AND pending <> (SELECT count(*) FROM outbox o WHERE o.item = i.id)",
        ),
        (
            "the base is apart for items that have one and operations, and for no others",
            "SELECT count(*) FROM items i JOIN collections c ON c.id = i.collection WHERE c.life = 0
             AND (pending > 0 AND rev > 0) <> EXISTS (SELECT 1 FROM base b WHERE b.item = i.id)",
        ),
        (
            "every operation has its item among the live ones",
            "SELECT count(*) FROM outbox o WHERE NOT EXISTS (SELECT 1 FROM items i JOIN collections c
             ON c.id = i.collection WHERE i.id = o.item AND c.life = 0)",
        ),
        (
            "every index entry, relation and tag has its item, under its name",
            "SELECT count(*) FROM resources r WHERE NOT EXISTS (SELECT 1 FROM items i WHERE i.id = r.item
             AND i.collection = r.collection AND i.key = r.key)",
        ),
        (
            "they read as confirmed where nothing waits",
            "SELECT count(*) FROM resources r JOIN items i ON i.id = r.item JOIN collections c ON c.id = i.collection
             WHERE c.life = 0 AND i.pending = 0 AND (r.base, r.base_collection, r.base_key)
             IS NOT (r.view, r.view_collection, r.view_key)",
        ),
        (
            "no operation waits and is settled",
            "SELECT count(*) FROM outbox o JOIN ledger l ON l.id = o.id AND l.random = o.random",
        ),
    ] {
        let broken: i64 = connection.query_row(query, [], |row| row.get(0)).expect("a query");
        assert_eq!(broken, 0, "{what}");
    }
}

/// What no wire has spoilt for good: the replica syncs with its honest server, and holds nothing back.
pub fn assert_syncs(path: &Path, room: &Path) {
    let honest = honest(room);
    let store = Store::open(path, options(Still::new(4))).expect("the replica opens");
    store.sync(&honest).expect("the replica syncs with an honest server");
    let pending = store.pending().expect("the outbox is readable");
    let unsent = [PendingState::Queued, PendingState::InFlight];
    // A rejection is believed until the log has come to its place, and half a batch waits for what the other server
    // is said to have of it; what depends on either waits as long.
    let holds = [PendingState::Rejected, PendingState::Staged];
    let waits = pending.iter().any(|op| holds.contains(&op.state));
    let held_back = pending.iter().find(|op| unsent.contains(&op.state));
    assert!(waits || held_back.is_none(), "{held_back:?} was held back");
    read_all(&store).expect("the replica is readable");
    let kept = store.kept().expect("what is kept is readable");
    assert_eq!(kept.here, kept.keep, "not all that is kept is here");
    for collection in store.collections().expect("the collections are readable") {
        for item in store.list(&collection, &KeyRange::all()).expect("the items are readable").iter() {
            let waits = pending.iter().any(|op| op.collection == collection && op.key == item.key);
            assert!(waits || kept.keep.has(&collection, item.key), "{collection:?} {:?} is not kept", item.key);
        }
    }
    drop(store);
    assert_sound(path);
}
