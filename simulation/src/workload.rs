//! What the host of a replica does: edits, each checked against what it reads before and after.

use crate::device::Device;
use crate::oracle::apply;
use crate::random::Random;
use crate::told::Attempt;
use serde_json::{Value, json};
use syncstore::protocol::OpKind;
use syncstore::{Error, Ref, Store};

/// Accepts in the order of arrival; rejects what is stale; merges.
pub const COLLECTIONS: &[&str] = &["open", "careful", "merged"];

/// One edit, with `mark` as its own number. What was done, for the trace.
pub fn edit(device: &Device, store: &Store, random: &mut Random, keys: usize, mark: u64) -> String {
    let collection = *random.pick(COLLECTIONS);
    let key = format!("k{}", random.below(keys as u64));
    let host = Host { device, store, faults: device.faults() };
    match random.below(12) {
        0..=2 => host.set(collection, &key, &whole(mark)),
        3..=5 => host.patch(collection, &key, &append(mark)),
        6 => host.patch(collection, &key, &json!([{"op": "replace", "path": "/n", "value": mark}])),
        7 => {
            let guarded = json!([{"op": "test", "path": "/n", "value": host.n(collection, &key)},
                {"op": "replace", "path": "/n", "value": mark}]);
            host.patch(collection, &key, &guarded)
        }
        8 => host.update(collection, &key, mark),
        9 => host.delete(collection, &key),
        _ => host.batch(collection, random, keys, mark),
    }
}

fn whole(mark: u64) -> Value {
    json!({"log": [mark], "n": mark, "deep": {"x": 0}})
}

fn append(mark: u64) -> Value {
    json!([{"op": "add", "path": "/log/-", "value": mark}])
}

struct Host<'a> {
    device: &'a Device,
    store: &'a Store,
    /// The disk's, before the edit.
    faults: u64,
}

impl Host<'_> {
    /// An item; `None`: it cannot be read, for the disk fails.
    fn get(&self, collection: &str, key: &str) -> Option<Option<Value>> {
        self.device.read(|| self.store.get(collection, key))
    }

    /// Takes note of a write that failed, which must have a reason.
    fn failed(&self, error: &Error, attempts: Vec<Attempt>) {
        let name = &self.device.name;
        assert!(self.device.explains(error, self.faults), "{name}: {attempts:?} failed: {error:?}");
        if self.device.disk_failed(self.faults) {
            self.device.tell_cut_off(attempts);
        }
    }

    fn n(&self, collection: &str, key: &str) -> Value {
        self.get(collection, key).flatten().map_or(Value::Null, |value| value["n"].clone())
    }

    fn set(&self, collection: &str, key: &str, value: &Value) -> String {
        let answer = self.store.set(collection, key, value);
        self.written(("set", Some(OpKind::Set)), collection, key, answer, Some(value))
    }

    fn patch(&self, collection: &str, key: &str, patch: &Value) -> String {
        let Some(before) = self.get(collection, key) else { return "cannot read".into() };
        let after = before.as_ref().map(|before| apply(before, patch));
        let operations = serde_json::from_value(patch.clone()).expect("a patch");
        let answer = self.store.patch(collection, key, &operations);
        match (&answer, &after) {
            (Err(Error::NotFound { .. }), None) | (Err(Error::PatchFailed { .. }), Some(Err(_))) => {
                return format!("patch {collection}/{key}: refused");
            }
            (Err(Error::NotFound { .. } | Error::PatchFailed { .. }), _) => {
                panic!("{}: {collection}/{key} was {before:?}, and {patch} was refused", self.device.name)
            }
            (Ok(_), None | Some(Err(_))) => panic!("{}: {patch} applied to {before:?}", self.device.name),
            _ => {}
        }
        let after = after.and_then(Result::ok);
        self.written(("patch", Some(OpKind::Patch)), collection, key, answer, after.as_ref())
    }

    fn update(&self, collection: &str, key: &str, mark: u64) -> String {
        let Some(before) = self.get(collection, key) else { return "cannot read".into() };
        let change = |value: &mut Value| value["deep"]["x"] = mark.into();
        let answer = self.store.update(collection, key, change);
        let after = before.map(|mut value| {
            change(&mut value);
            value
        });
        match answer {
            Err(Error::NotFound { .. }) => format!("update {collection}/{key}: refused"),
            Ok(None) => panic!("{}: a new mark changes the value", self.device.name),
            Ok(Some(op_ref)) => self.written(("update", None), collection, key, Ok(op_ref), after.as_ref()),
            Err(error) => self.written(("update", None), collection, key, Err(error), None),
        }
    }

    fn delete(&self, collection: &str, key: &str) -> String {
        let answer = self.store.delete(collection, key);
        self.written(("delete", Some(OpKind::Delete)), collection, key, answer, None)
    }

    fn batch(&self, collection: &str, random: &mut Random, keys: usize, mark: u64) -> String {
        let mut batch = self.store.batch();
        let mut items = Vec::new();
        for number in 0..1 + random.below(4) {
            let key = format!("k{}", random.below(keys as u64));
            let collection = if random.percent(80) { collection } else { *random.pick(COLLECTIONS) };
            let patch = serde_json::from_value(append(mark)).expect("a patch");
            let (kind, added) = match random.below(4) {
                0 if number > 0 => (OpKind::Patch, batch.patch(collection, &key, &patch)),
                1 => (OpKind::Delete, batch.delete(collection, &key)),
                _ => (OpKind::Set, batch.set(collection, &key, &whole(mark))),
            };
            added.expect("small values are within the limits");
            items.push(Attempt { item: (collection.to_owned(), key), kind: Some(kind) });
        }
        match batch.commit() {
            Ok(receipt) => {
                for (op_ref, Attempt { item: (collection, key), .. }) in receipt.ops.iter().zip(&items) {
                    self.device.tell(*op_ref, collection, key);
                }
                format!("batch {items:?} {:?}", receipt.ops)
            }
            Err(Error::NotFound { .. } | Error::PatchFailed { .. }) => format!("batch {items:?}: refused"),
            Err(error) => {
                let text = format!("batch {items:?}: {error}");
                self.failed(&error, items);
                text
            }
        }
    }

    /// Takes note of an answer; what was stored is read back as it should be now.
    fn written(
        &self,
        (what, kind): (&str, Option<OpKind>),
        collection: &str,
        key: &str,
        answer: Result<Ref, Error>,
        after: Option<&Value>,
    ) -> String {
        match answer {
            Ok(op_ref) => {
                self.device.tell(op_ref, collection, key);
                if let Some(now) = self.get(collection, key) {
                    let name = &self.device.name;
                    assert_eq!(now.as_ref(), after, "{name}: {collection}/{key} after {what}, {op_ref}");
                }
                format!("{what} {collection}/{key} {op_ref}")
            }
            Err(error) => {
                let item = (collection.to_owned(), key.to_owned());
                self.failed(&error, vec![Attempt { item, kind }]);
                format!("{what} {collection}/{key}: {error}")
            }
        }
    }
}
