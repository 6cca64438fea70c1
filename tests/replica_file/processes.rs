use crate::assert_intact;
use crate::process::{self, Part};
use std::collections::HashSet;
use std::sync::Barrier;
use std::time::Duration;
use syncstore::wire::{HttpOptions, HttpWire};
use syncstore::{KeyRange, Options, Outcome, Ref, Store};
use syncstore_server::{Server, ServerOptions};

pub fn open_at_once_part() {
    process::tell("ready");
    process::listen();
    let result = Store::open(process::setting("FILE"), Options::default()).and_then(|store| store.client_id());
    process::tell(&result.map_or_else(|error| format!("{error:?}"), |client| client.to_string()));
}

#[test]
fn a_new_file_may_be_opened_by_any_number_at_once() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let mut parts: Vec<_> = (0..4).map(|_| Part::new("open at once").set("FILE", &path).start()).collect();
        for part in &mut parts {
            assert_eq!(part.hear().as_deref(), Some("ready"));
        }
        for part in &mut parts {
            part.say("go");
        }
        let clients: HashSet<_> = parts.iter_mut().map(|part| part.hear().unwrap()).collect();
        assert_eq!(clients.len(), 1, "{clients:?}");
        assert!(clients.iter().all(|client| client.parse::<syncstore::ClientId>().is_ok()), "{clients:?}");
    }
}

#[test]
fn a_new_file_may_be_opened_by_many_threads_at_once() {
    for _ in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let barrier = Barrier::new(6);
        let clients: HashSet<_> = std::thread::scope(|scope| {
            let open = || {
                barrier.wait();
                Store::open(&path, Options::default()).unwrap().client_id().unwrap()
            };
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(clients.len(), 1);
    }
}

const WRITES: u32 = 400;

pub fn write_part() {
    let store = Store::open(process::setting("FILE"), Options::default()).unwrap();
    process::tell("ready");
    process::listen();
    for number in 0..WRITES {
        write(&store, "child", number);
    }
    process::tell("done");
}

fn write(store: &Store, who: &str, number: u32) {
    store.set(who, &format!("k{number:04}"), &number).unwrap();
    // Both at one item: neither update may take the other's away.
    loop {
        match store.update("shared", "count", |count| count[who] = number.into()) {
            Ok(_) => break,
            Err(syncstore::Error::Contended { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn two_processes_write_one_file_and_neither_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    let mut options = Options::default();
    options.busy_timeout = Duration::from_secs(20);
    let store = Store::open(&path, options).unwrap();
    store.set("shared", "count", &serde_json::json!({"child": 0, "parent": 0})).unwrap();
    let mut part = Part::new("write").set("FILE", &path).start();
    assert_eq!(part.hear().as_deref(), Some("ready"));
    part.say("go");
    for number in 0..WRITES {
        write(&store, "parent", number);
    }
    let (told, status) = part.finish();
    assert!(status.success() && told == ["done"], "{told:?}");
    for who in ["child", "parent"] {
        assert_eq!(store.list(who, &KeyRange::all()).unwrap().len(), WRITES as usize);
    }
    let count: serde_json::Value = store.get("shared", "count").unwrap().unwrap();
    assert_eq!(count, serde_json::json!({"child": WRITES - 1, "parent": WRITES - 1}));
    assert_eq!(store.pending().unwrap().len(), 2 * WRITES as usize + 1);
    drop(store);
    assert_intact(&path);
}

const SYNCED_WRITES: u32 = 150;

fn small_pages() -> Options {
    let mut options = Options::default();
    (options.push_ops, options.pull_entries, options.checkpoint_items) = (7, 11, 13);
    options
}

/// Writes, and syncs now and then if it is told to; tells each ref once the store has answered.
pub fn write_and_sync_part() {
    let store = Store::open(process::setting("FILE"), small_pages()).unwrap();
    let wire = HttpWire::new(&process::setting("URL"), "db", HttpOptions::default()).unwrap();
    let syncs = process::setting("SYNCS") == "yes";
    process::tell("ready");
    process::listen();
    for op in write_and_sync(&store, "child", syncs.then_some(&wire)) {
        process::tell(&op.to_string());
    }
}

fn write_and_sync(store: &Store, who: &str, wire: Option<&HttpWire>) -> Vec<Ref> {
    let mut ops = Vec::new();
    for number in 0..SYNCED_WRITES {
        ops.push(store.set(who, &format!("k{:02}", number % 40), &number).unwrap());
        let patch = serde_json::json!([{"op": "add", "path": "/ids/-", "value": format!("{who}{number}")}]);
        ops.push(store.patch("shared", "list", &serde_json::from_value(patch).unwrap()).unwrap());
        if let Some(wire) = wire
            && number % 10 == 0
        {
            store.sync(wire).unwrap();
        }
    }
    ops
}

fn two_processes_sync(child_syncs: bool) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(ServerOptions::dev(dir.path().join("server"))).unwrap();
    let wire = HttpWire::new(&server.url(), "db", HttpOptions::default()).unwrap();
    let path = dir.path().join("r.db");
    let store = Store::open(&path, small_pages()).unwrap();
    store.set("shared", "list", &serde_json::json!({"ids": []})).unwrap();
    store.sync(&wire).unwrap();
    let mut part = Part::new("write and sync")
        .set("FILE", &path)
        .set("URL", server.url())
        .set("SYNCS", if child_syncs { "yes" } else { "no" })
        .start();
    assert_eq!(part.hear().as_deref(), Some("ready"));
    part.say("go");
    let mut ops = write_and_sync(&store, "parent", Some(&wire));
    let (told, status) = part.finish();
    assert!(status.success(), "{told:?}");
    ops.extend(told.iter().map(|line| line.parse::<Ref>().unwrap()));
    assert_eq!(ops.len(), 4 * SYNCED_WRITES as usize);
    store.sync(&wire).unwrap();
    assert_eq!(store.pending().unwrap(), []);
    for op in ops {
        let mut outcome = store.outcome(op).unwrap();
        while let Some(Outcome::FoldedInto(into)) = outcome {
            outcome = store.outcome(into).unwrap();
        }
        assert!(matches!(outcome, Some(Outcome::Accepted { .. })), "{op}: {outcome:?}");
    }
    let list: serde_json::Value = store.get("shared", "list").unwrap().unwrap();
    let ids: Vec<&str> = list["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2 * SYNCED_WRITES as usize);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    let new = Store::open(dir.path().join("new.db"), Options::default()).unwrap();
    new.sync(&wire).unwrap();
    for collection in ["parent", "child", "shared"] {
        let all = |store: &Store| -> Vec<(String, String)> {
            let items = store.list(collection, &KeyRange::all()).unwrap();
            items.iter().map(|item| (item.key.to_owned(), item.value.to_owned())).collect()
        };
        assert_eq!(all(&store), all(&new), "{collection}");
    }
    drop(store);
    assert_intact(&path);
}

#[test]
fn a_process_writes_while_another_syncs_the_same_file() {
    two_processes_sync(false);
}

#[test]
fn two_processes_sync_the_same_file() {
    two_processes_sync(true);
}
