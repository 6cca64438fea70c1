//! What the host of a replica does: edits, each checked against what it reads before and after.

use crate::device::{Device, read_resources};
use crate::oracle::{Content, Item, Resources, apply};
use crate::random::Random;
use crate::rights::TAGS;
use crate::secrets;
use crate::told::Attempt;
use serde_json::{Value, json};
use syncstore::protocol::OpKind;
use syncstore::{Batch, Error, Ref, ResourceName, Store};

/// Accepts in the order of arrival; rejects what is stale; merges.
pub const COLLECTIONS: &[&str] = &["open", "careful", "merged"];

/// One edit, with the mark of that number as its own. What was done, for the trace.
pub fn edit(device: &Device, store: &Store, random: &mut Random, number: u64) -> String {
    let host = Host::new(device, store, number);
    let item = host.item(random);
    let mark = &host.mark;
    if random.percent(device.plan.resources) {
        let (resource, content) = host.resource(random);
        return host.put(&item, resource, content);
    }
    match random.below(12) {
        0..=2 => host.set(&item, &whole(mark)),
        3..=5 => host.patch(&item, &append(mark)),
        6 => host.patch(&item, &json!([{"op": "replace", "path": "/n", "value": mark}])),
        7 => {
            let guarded = json!([{"op": "test", "path": "/n", "value": host.n(&item)},
                {"op": "replace", "path": "/n", "value": mark}]);
            host.patch(&item, &guarded)
        }
        8 => host.update(&item),
        9 => host.delete(&item),
        _ => host.batch(&item.0, random),
    }
}

/// Another value for an item, with the mark of that number as its own. What was done, for the trace.
pub fn overwrite(device: &Device, store: &Store, item: &Item, number: u64) -> String {
    let host = Host::new(device, store, number);
    host.set(item, &whole(&host.mark))
}

fn whole(mark: &str) -> Value {
    json!({"log": [mark], "n": mark, "deep": {"x": 0}})
}

fn append(mark: &str) -> Value {
    json!([{"op": "add", "path": "/log/-", "value": mark}])
}

struct Host<'a> {
    device: &'a Device,
    store: &'a Store,
    /// The disk's, before the edit.
    faults: u64,
    /// The edit's own.
    mark: String,
}

/// What an item should read as after a write, as far as the write says.
enum After<'a> {
    Unsaid,
    Value(&'a Value),
    Gone,
    Resources(&'a Resources),
}

pub fn any_item(keys: usize, random: &mut Random) -> Item {
    ((*random.pick(COLLECTIONS)).to_owned(), any_key(keys, random))
}

fn any_key(keys: usize, random: &mut Random) -> String {
    format!("k{}", random.below(keys as u64))
}

impl<'a> Host<'a> {
    fn new(device: &'a Device, store: &'a Store, number: u64) -> Host<'a> {
        Host { device, store, faults: device.faults(), mark: secrets::mark(number) }
    }

    fn item(&self, random: &mut Random) -> Item {
        any_item(self.device.plan.keys, random)
    }

    fn key(&self, random: &mut Random) -> String {
        any_key(self.device.plan.keys, random)
    }

    /// An index entry, a relation or a tag, and what it is set to; `None`: it is deleted.
    fn resource(&self, random: &mut Random) -> (ResourceName, Option<Content>) {
        let name = (*random.pick(&["x", "y"])).to_owned();
        let set = random.percent(65);
        let tags = if self.device.plan.several_rights { 5 } else { 1 };
        match random.below(2 + tags) {
            0 => (ResourceName::Index(name), set.then(|| (self.mark.clone(), None))),
            1 => {
                let object = ((*random.pick(COLLECTIONS)).to_owned(), self.mark.clone());
                (ResourceName::Relation(name), set.then(|| ("in".to_owned(), Some(object))))
            }
            _ => (ResourceName::Tag((*random.pick(TAGS)).to_owned()), set.then(|| (String::new(), None))),
        }
    }

    /// An item; `None`: it cannot be read, for the disk fails.
    fn get(&self, (collection, key): &Item) -> Option<Option<Value>> {
        self.device.read(|| self.store.get(collection, key))
    }

    fn resources(&self, (collection, key): &Item) -> Option<Resources> {
        self.device.read(|| read_resources(self.store, collection, key))
    }

    /// Whether the host wants it kept; `None`: that cannot be read.
    fn keeps(&self, (collection, key): &Item) -> Option<bool> {
        self.device.wants(self.store).map(|keep| keep.has(collection, key))
    }

    /// Takes note of a write that failed, which must have a reason.
    fn failed(&self, error: &Error, attempts: Vec<Attempt>) {
        let name = &self.device.name;
        assert!(self.device.explains(error, self.faults), "{name}: {attempts:?} failed: {error:?}");
        if self.device.disk_failed(self.faults) {
            self.device.tell_cut_off(attempts);
        }
    }

    fn n(&self, item: &Item) -> Value {
        self.get(item).flatten().map_or(Value::Null, |value| value["n"].clone())
    }

    fn set(&self, item: &Item, value: &Value) -> String {
        let answer = self.store.set(&item.0, &item.1, value);
        self.written(("set", Some(OpKind::Set)), item, ResourceName::Value, answer, After::Value(value))
    }

    fn patch(&self, item: &Item, patch: &Value) -> String {
        let Some(before) = self.get(item) else { return "cannot read".into() };
        let after = before.as_ref().map(|before| apply(before, patch));
        let operations = serde_json::from_value(patch.clone()).expect("a patch");
        let answer = self.store.patch(&item.0, &item.1, &operations);
        match (&answer, &after) {
            (Err(Error::NotFound { .. }), None) | (Err(Error::PatchFailed { .. }), Some(Err(_))) => {
                return format!("patch {item:?}: refused");
            }
            (Err(Error::NotFound { .. } | Error::PatchFailed { .. }), _) => {
                panic!("{}: {item:?} was {before:?}, and {patch} was refused", self.device.name)
            }
            (Ok(_), None | Some(Err(_))) => panic!("{}: {patch} applied to {before:?}", self.device.name),
            _ => {}
        }
        let after = after.and_then(Result::ok);
        let after = after.as_ref().map_or(After::Gone, After::Value);
        self.written(("patch", Some(OpKind::Patch)), item, ResourceName::Value, answer, after)
    }

    fn update(&self, item: &Item) -> String {
        let Some(before) = self.get(item) else { return "cannot read".into() };
        let change = |value: &mut Value| value["deep"]["x"] = self.mark.clone().into();
        let answer = self.store.update(&item.0, &item.1, change);
        let after = before.map(|mut value| {
            change(&mut value);
            value
        });
        let written = |answer, after| self.written(("update", None), item, ResourceName::Value, answer, after);
        match answer {
            Err(Error::NotFound { .. }) => format!("update {item:?}: refused"),
            Ok(None) => panic!("{}: a new mark changes the value", self.device.name),
            Ok(Some(op_ref)) => written(Ok(op_ref), after.as_ref().map_or(After::Gone, After::Value)),
            Err(error) => written(Err(error), After::Unsaid),
        }
    }

    fn put(&self, item: &Item, resource: ResourceName, content: Option<Content>) -> String {
        let (Some(value), Some(mut resources)) = (self.get(item), self.resources(item)) else {
            return "cannot read".into();
        };
        let answer = put(self.store, item, &resource, content.as_ref());
        let kind = if content.is_some() { OpKind::Set } else { OpKind::Delete };
        if let Err(Error::NotFound { .. }) = &answer {
            let refused = value.is_none() && kind == OpKind::Set;
            assert!(refused, "{}: {item:?} is {value:?}, and {kind:?} of {resource:?} was refused", self.device.name);
            return format!("{kind:?} {item:?} {resource:?}: refused");
        }
        let nothing = value.is_none() && kind == OpKind::Set && answer.is_ok();
        assert!(!nothing, "{}: {resource:?} was set of {item:?}, which is not there", self.device.name);
        match content {
            Some(content) => drop(resources.insert(resource.clone(), content)),
            None => drop(resources.remove(&resource)),
        }
        let what = if kind == OpKind::Set { "set" } else { "delete" };
        self.written((what, Some(kind)), item, resource, answer, After::Resources(&resources))
    }

    fn delete(&self, item: &Item) -> String {
        let answer = self.store.delete(&item.0, &item.1);
        self.written(("delete", Some(OpKind::Delete)), item, ResourceName::Value, answer, After::Gone)
    }

    fn batch(&self, collection: &str, random: &mut Random) -> String {
        let mut batch = self.store.batch();
        let mut attempts = Vec::new();
        for number in 0..1 + random.below(4) {
            let key = self.key(random);
            let collection = if random.percent(80) { collection } else { *random.pick(COLLECTIONS) };
            let item = (collection.to_owned(), key);
            let (resource, kind) = if number > 0 && random.percent(self.device.plan.resources) {
                let (resource, content) = self.resource(random);
                add(&mut batch, &item, &resource, content.as_ref());
                (resource, if content.is_some() { OpKind::Set } else { OpKind::Delete })
            } else {
                let patch = serde_json::from_value(append(&self.mark)).expect("a patch");
                let (kind, added) = match random.below(4) {
                    0 if number > 0 => (OpKind::Patch, batch.patch(&item.0, &item.1, &patch)),
                    1 => (OpKind::Delete, batch.delete(&item.0, &item.1)),
                    _ => (OpKind::Set, batch.set(&item.0, &item.1, &whole(&self.mark))),
                };
                added.expect("small values are within the limits");
                (ResourceName::Value, kind)
            };
            attempts.push(Attempt { item, resource, kind: Some(kind) });
        }
        match batch.commit() {
            Ok(receipt) => {
                for (op_ref, Attempt { item, .. }) in receipt.ops.iter().zip(&attempts) {
                    self.device.tell(*op_ref, item);
                }
                format!("batch {attempts:?} {:?}", receipt.ops)
            }
            Err(Error::NotFound { .. } | Error::PatchFailed { .. }) => format!("batch {attempts:?}: refused"),
            Err(Error::NotKept { collection, key }) => {
                let kept = self.keeps(&(collection, key));
                assert!(kept != Some(true), "{}: {attempts:?} are not kept", self.device.name);
                format!("batch {attempts:?}: not kept")
            }
            Err(error) => {
                let text = format!("batch {attempts:?}: {error}");
                self.failed(&error, attempts);
                text
            }
        }
    }

    /// Takes note of an answer; what was stored is read back as it should be now.
    fn written(
        &self,
        (what, kind): (&str, Option<OpKind>),
        item: &Item,
        resource: ResourceName,
        answer: Result<Ref, Error>,
        after: After<'_>,
    ) -> String {
        let text = format!("{what} {item:?} {resource:?}");
        match answer {
            Ok(op_ref) => {
                self.device.tell(op_ref, item);
                assert!(self.keeps(item) != Some(false), "{}: {text} is not kept", self.device.name);
                self.check(item, &after, format_args!("{}: after {text}, {op_ref}", self.device.name));
                format!("{text} {op_ref}")
            }
            Err(Error::NotKept { .. }) => {
                assert!(self.keeps(item) != Some(true), "{}: {text} is kept", self.device.name);
                format!("{text}: not kept")
            }
            Err(error) => {
                self.failed(&error, vec![Attempt { item: item.clone(), resource, kind }]);
                format!("{text}: {error}")
            }
        }
    }

    fn check(&self, item: &Item, after: &After<'_>, when: std::fmt::Arguments<'_>) {
        let value = |should: Option<&Value>| {
            let Some(now) = self.get(item) else { return };
            assert_eq!(now.as_ref(), should, "{when}");
        };
        let resources = |should: &Resources| {
            let Some(now) = self.resources(item) else { return };
            assert_eq!(&now, should, "{when}");
        };
        match after {
            After::Unsaid => {}
            After::Value(should) => value(Some(should)),
            After::Gone => {
                value(None);
                resources(&Resources::new());
            }
            After::Resources(should) => resources(should),
        }
    }
}

fn put(store: &Store, item: &Item, resource: &ResourceName, content: Option<&Content>) -> Result<Ref, Error> {
    let (collection, key) = (item.0.as_str(), item.1.as_str());
    match (resource, content) {
        (ResourceName::Index(name), Some((order, _))) => store.set_index(collection, key, name, order),
        (ResourceName::Index(name), None) => store.delete_index(collection, key, name),
        (ResourceName::Relation(id), Some((predicate, Some((to, at))))) => {
            store.set_relation(collection, key, id, predicate, (to, at))
        }
        (ResourceName::Relation(id), _) => store.delete_relation(collection, key, id),
        (ResourceName::Tag(tag), Some(_)) => store.add_tag(collection, key, tag),
        (ResourceName::Tag(tag), None) => store.remove_tag(collection, key, tag),
        (ResourceName::Value, _) => unreachable!("values are written otherwise"),
    }
}

fn add(batch: &mut Batch<'_>, item: &Item, resource: &ResourceName, content: Option<&Content>) {
    let (collection, key) = (item.0.as_str(), item.1.as_str());
    let added = match (resource, content) {
        (ResourceName::Index(name), Some((order, _))) => batch.set_index(collection, key, name, order),
        (ResourceName::Index(name), None) => batch.delete_index(collection, key, name),
        (ResourceName::Relation(id), Some((predicate, Some((to, at))))) => {
            batch.set_relation(collection, key, id, predicate, (to, at))
        }
        (ResourceName::Relation(id), _) => batch.delete_relation(collection, key, id),
        (ResourceName::Tag(tag), Some(_)) => batch.add_tag(collection, key, tag),
        (ResourceName::Tag(tag), None) => batch.remove_tag(collection, key, tag),
        (ResourceName::Value, _) => unreachable!("values are written otherwise"),
    };
    added.expect("short names are within the limits");
}
