//! The other client of the database: it changes the same items, and takes some away.

use serde_json::json;
use std::path::Path;
use syncstore::wire::{HttpOptions, HttpWire};
use syncstore::{Error, Options, Store};
use syncstore_simulation::Random;

/// Its ids are this and up; the children's are below.
pub const FIRST_ID: u64 = 1 << 40;

pub struct Peer {
    pub store: Store,
    wire: HttpWire,
    next_id: u64,
}

impl Peer {
    pub fn new(file: &Path, url: &str, database: &str) -> Peer {
        let wire = HttpWire::new(url, database, HttpOptions::default()).unwrap();
        let store = Store::open(file, Options::default()).unwrap();
        for key in 0..4 {
            store.set("lists", &format!("l{key}"), &json!({"ids": []})).unwrap();
            store.set("prey", &format!("p{key}"), &json!({"ids": []})).unwrap();
        }
        for key in 0..20 {
            store.set("scenery", &format!("s{key:02}"), &key).unwrap();
        }
        let peer = Peer { store, wire, next_id: FIRST_ID };
        peer.sync();
        peer
    }

    pub fn sync(&self) {
        self.store.sync(&self.wire).unwrap();
    }

    /// Makes some thousand items, so that loading and compacting a replica of them takes a while.
    pub fn stock(&self) {
        let mut batch = self.store.batch();
        for number in 0..3_000 {
            batch.set("stock", &format!("s{number:04}"), &json!({"number": number, "text": "x".repeat(150)})).unwrap();
        }
        batch.commit().unwrap();
        self.sync();
    }

    pub fn act(&mut self, random: &mut Random) {
        for _ in 0..1 + random.below(6) {
            let id = self.next_id;
            self.next_id += 1;
            let key = random.below(4);
            let done = match random.below(4) {
                0 => self.store.set("scenery", &format!("s{:02}", random.below(30)), &id).map(drop),
                1 => self.store.delete("prey", &format!("p{key}")).map(drop),
                2 => self.store.set("prey", &format!("p{key}"), &json!({"ids": [id]})).map(drop),
                _ => {
                    let patch = json!([{"op": "add", "path": "/ids/-", "value": id}]);
                    let patch = serde_json::from_value(patch).unwrap();
                    self.store.patch("lists", &format!("l{key}"), &patch).map(drop)
                }
            };
            match done {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        if random.percent(80) {
            self.sync();
        }
    }
}
