//! What a collection that merges makes of an operation whose base is behind (section 2), in a model of its own.

use crate::judge::{Judge, has, item_of};
use crate::oracle::{Lineage, Logged, apply};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use syncstore::ResourceName;
use syncstore::protocol::{ClientId, Op, OpKind, Seq};

/// The properties of a value that others have changed, by the names that lead to them; none leads to the whole.
#[derive(Debug, Default)]
struct Changed(BTreeSet<Vec<String>>);

impl Changed {
    fn everything() -> Changed {
        Changed(BTreeSet::from([Vec::new()]))
    }

    fn add(&mut self, before: Option<&Value>, after: Option<&Value>, path: &mut Vec<String>) {
        match (before, after) {
            (Some(Value::Object(before)), Some(Value::Object(after))) => {
                for name in before.keys().chain(after.keys()) {
                    path.push(name.clone());
                    self.add(before.get(name), after.get(name), path);
                    path.pop();
                }
            }
            _ if before == after => {}
            _ => drop(self.0.insert(path.clone())),
        }
    }

    fn has_within(&self, path: &[String]) -> bool {
        self.0.iter().any(|changed| changed.starts_with(path))
    }

    /// Whether a property, one that holds it or one within it was changed.
    fn meets(&self, pointer: &str) -> bool {
        let names = pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
        let path: Vec<String> = names.collect();
        self.has_within(&path) || self.0.iter().any(|changed| path.starts_with(changed))
    }

    fn set(&self, now: Option<&Value>, sent: Option<&Value>, path: &mut Vec<String>) -> Option<Value> {
        if !self.has_within(path) {
            return sent.cloned();
        }
        match (now, sent) {
            (Some(Value::Object(now)), Some(Value::Object(sent))) if !self.0.contains(path) => {
                let names: BTreeSet<&String> = now.keys().chain(sent.keys()).collect();
                let mut members = Map::new();
                for name in names {
                    path.push(name.clone());
                    members.extend(self.set(now.get(name), sent.get(name), path).map(|value| (name.clone(), value)));
                    path.pop();
                }
                Some(Value::Object(members))
            }
            _ => now.cloned(),
        }
    }

    fn patch(&self, sent: &Value) -> Value {
        let stays = |operation: &&Value| {
            let meets = |member: &str| operation[member].as_str().is_some_and(|pointer| self.meets(pointer));
            operation["op"] == "test" || !(meets("path") || operation["op"] == "move" && meets("from"))
        };
        sent.as_array().expect("a patch is an array").iter().filter(stays).cloned().collect()
    }

    fn merge(&self, kind: OpKind, now: &Value, sent: &Value) -> Value {
        match kind {
            OpKind::Patch => self.patch(sent),
            _ => self.set(Some(now), Some(sent), &mut Vec::new()).expect("a value stays one"),
        }
    }
}

impl Judge {
    /// The payloads with which a set or a patch of a value may be committed, right when it was decided; `None`: that cannot be said.
    ///
    /// There is a second where the server's log may no longer tell what others changed: then that is everything.
    pub fn mergers(&self, lineage: &Lineage, (client, op): (&ClientId, &Op), seq: Seq) -> Option<Vec<Value>> {
        let sent = op.value.as_ref().or(op.patch.as_ref())?.to_value().expect("JSON");
        let item = item_of(op);
        let now = lineage.at(&item, seq - 1).map(|(whole, _)| whole);
        let (Some(base), Some(now)) = (op.base, now) else { return Some(vec![sent]) };
        if !self.arrivals.is_base_known(op) {
            return None;
        }
        let life = lineage.present_life(&item, base, seq);
        let mut changed = Changed::default();
        let mut others = false;
        for (at, logged) in &life {
            if self.made_by(&logged.op_ref, client)? {
                continue;
            }
            others = true;
            if logged.resource == ResourceName::Value {
                let value = |seq| lineage.at(&item, seq).map(|(whole, _)| &*whole.value);
                changed.add(value(at - 1), value(*at), &mut Vec::new());
            }
        }
        if !others {
            return Some(vec![sent]);
        }
        let mut mergers = vec![changed.merge(op.kind, &now.value, &sent)];
        // It begins with a whole value at or below the base, or with the first one that there was.
        let whole = |at: Seq, logged: &Logged| {
            let sets = logged.kind == OpKind::Set && logged.resource == ResourceName::Value;
            sets && (at <= base || lineage.at(&item, at - 1).is_none())
        };
        let from = lineage.present_life(&item, 0, seq).into_iter().find(|(at, logged)| whole(*at, logged));
        if !from.is_some_and(|(at, _)| self.arrivals.is_kept(at, seq)) {
            mergers.push(Changed::everything().merge(op.kind, &now.value, &sent));
        }
        Some(mergers)
    }

    /// A patch that failed does not apply as it would have been committed.
    pub fn patch_failed(&self, lineage: &Lineage, by: (&ClientId, &Op), seq: Seq) {
        let op = by.1;
        let before = lineage.at(&item_of(op), seq - 1).expect("a patch that failed had something to patch");
        let patches = match op.collection.as_str() {
            "merged" => self.mergers(lineage, by, seq),
            _ => op.patch.as_ref().map(|patch| vec![patch.to_value().expect("JSON")]),
        };
        let failed = patches.is_none_or(|patches| patches.iter().any(|patch| apply(&before.0.value, patch).is_err()));
        assert!(failed, "{} applies, and was rejected", op.op_ref);
    }

    /// What a collection that merges lets an index entry, a relation or a tag be, another has changed since.
    pub fn kept(&self, lineage: &Lineage, (client, op): (&ClientId, &Op), resource: &ResourceName, seq: Seq) {
        let item = item_of(op);
        if op.kind == OpKind::Delete && !has(lineage, &item, resource, seq) || !self.arrivals.is_base_known(op) {
            return;
        }
        let op_ref = &op.op_ref;
        let base = op.base.unwrap_or_else(|| panic!("{op_ref} claims nothing of {resource:?}, and is without effect"));
        let life = lineage.present_life(&item, base, seq);
        // Who makes an item gives it its first tags.
        let changes = |at: Seq, logged: &Logged| {
            let granted = lineage.at(&item, at - 1).is_none() && has(lineage, &item, resource, at);
            logged.resource == *resource || granted
        };
        let changed =
            life.iter().any(|(at, logged)| changes(*at, logged) && self.made_by(&logged.op_ref, client) != Some(true));
        let others = life.iter().any(|(_, logged)| self.made_by(&logged.op_ref, client) != Some(true));
        let forgotten = others && life.last().is_some_and(|(at, _)| !self.arrivals.is_kept(*at, seq));
        assert!(changed || forgotten, "{op_ref} was made on rev {base} of {resource:?}, and is without effect");
    }
}
