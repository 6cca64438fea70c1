//! What a host reads, beside what is confirmed with its pending operations on top: folded with plain maps, and none of the engine's code.

use crate::device::{Device, read_resources};
use crate::inspect;
use crate::oracle::{self, Content, Item, Whole};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use syncstore::protocol::OpKind;
use syncstore::{PendingOp, ResourceName, Store};

impl Device {
    /// What it reads is what is confirmed with what is pending on top, in order; only where its disk does not fail any more.
    pub fn check_view(&self, store: &Store) {
        let mut folded = self.inspect(inspect::beneath).expect("a healed device reads");
        for op in store.pending().expect("a healed device reads") {
            fold(&mut folded, &op);
        }
        assert_eq!(self.view(store), folded, "{} reads something else than what is confirmed and pending", self.name);
    }

    /// All that a host reads, where its disk does not fail any more.
    pub fn view(&self, store: &Store) -> BTreeMap<Item, Whole> {
        let mut view = BTreeMap::new();
        for collection in store.collections().expect("a healed device reads") {
            let listed = store.list(&collection, &syncstore::KeyRange::all()).expect("a healed device reads");
            for item in listed.iter() {
                let resources = read_resources(store, &collection, item.key).expect("a healed device reads");
                let value = Arc::new(item.to().expect("JSON"));
                view.insert((collection.clone(), item.key.to_owned()), Whole { value, resources });
            }
        }
        view
    }
}

/// What does not apply changes nothing.
fn fold(view: &mut BTreeMap<Item, Whole>, op: &PendingOp) {
    let item = (op.collection.clone(), op.key.clone());
    let payload: Option<Value> =
        op.payload.as_ref().map(|text| serde_json::from_str(text).expect("a stored payload is JSON"));
    match (&op.resource, op.kind, payload) {
        (ResourceName::Value, OpKind::Set, Some(value)) => {
            let resources = view.remove(&item).map(|whole| whole.resources).unwrap_or_default();
            view.insert(item, Whole { value: Arc::new(value), resources });
        }
        (ResourceName::Value, OpKind::Patch, Some(patch)) => {
            if let Some(whole) = view.get_mut(&item)
                && let Ok(patched) = oracle::apply(&whole.value, &patch)
            {
                whole.value = Arc::new(patched);
            }
        }
        (ResourceName::Value, OpKind::Delete, None) => drop(view.remove(&item)),
        (resource, OpKind::Set, payload) if *resource != ResourceName::Value => {
            if let Some(whole) = view.get_mut(&item) {
                whole.resources.insert(resource.clone(), content(resource, payload.unwrap_or_default()));
            }
        }
        (resource, OpKind::Delete, None) => {
            if let Some(whole) = view.get_mut(&item) {
                whole.resources.remove(resource);
            }
        }
        _ => panic!("{op:?} is no operation"),
    }
}

fn content(resource: &ResourceName, payload: Value) -> Content {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    match resource {
        ResourceName::Index(_) => (text(&payload["order"]), None),
        ResourceName::Relation(_) => {
            let object = &payload["object"];
            (text(&payload["predicate"]), Some((text(&object["collection"]), text(&object["key"]))))
        }
        _ => (String::new(), None),
    }
}
