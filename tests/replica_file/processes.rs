use crate::assert_intact;
use crate::process::{self, Part};
use std::collections::HashSet;
use std::sync::Barrier;
use std::time::Duration;
use syncstore::{Options, Store};

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
        assert_eq!(store.list(who, &syncstore::KeyRange::all()).unwrap().len(), WRITES as usize);
    }
    let count: serde_json::Value = store.get("shared", "count").unwrap().unwrap();
    assert_eq!(count, serde_json::json!({"child": WRITES - 1, "parent": WRITES - 1}));
    assert_eq!(store.pending().unwrap().len(), 2 * WRITES as usize + 1);
    drop(store);
    assert_intact(&path);
}
