//! What a host does about what went otherwise than meant: rejections made again, edited or let go, conflicts resolved by hand.

use crate::device::{Device, Process, read_resources};
use crate::inspect;
use crate::oracle::Item;
use crate::random::Random;
use crate::secrets;
use crate::told::Attempt;
use crate::world::World;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use syncstore::protocol::OpKind;
use syncstore::{
    Conflict, Edit, Error, Object, PendingOp, PendingState, Ref, RejectedOp, Resolution, ResourceName, Store,
};

impl World {
    /// One of these, whatever there is to be dealt with.
    pub fn deal(&self, device: &Device, process: &Process) {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed);
        let mut random = self.random().split();
        self.server.wrote(device.user(), mark);
        let mark = secrets::mark(mark);
        let (store, name) = (&process.store, &device.name);
        match random.below(10) {
            0..=1 => {
                if let Some(taken @ 1..) = device.take_notices(store, 1 + random.below(3) as usize) {
                    self.count("notices taken");
                    self.trace(format_args!("{name} takes {taken} notices"));
                }
            }
            2..=5 => {
                if let Some(done) = device.deal_with_rejection(store, &mut random, &mark) {
                    self.count("rejections dealt with");
                    self.trace(format_args!("{name} {}", self.without_directory(&done)));
                }
            }
            6..=8 => {
                if let Some(done) = device.resolve_one(process, &mut random, &mark) {
                    self.count("conflicts resolved by hand");
                    self.trace(format_args!("{name} {}", self.without_directory(&done)));
                }
            }
            _ => device.pump(process, &self.server),
        }
    }
}

fn item_of(op: &RejectedOp) -> Item {
    (op.collection.clone(), op.key.clone())
}

fn edit_of(resource: &ResourceName, random: &mut Random, mark: &str) -> Edit {
    let value = json!({"log": [mark], "n": mark, "deep": {"x": 0}});
    match (resource, random.below(3)) {
        (_, 0) => Edit::Delete,
        (ResourceName::Value, 1) => Edit::Set(value),
        (ResourceName::Value, _) => {
            let append = json!([{"op": "add", "path": "/log/-", "value": mark}]);
            Edit::Patch(serde_json::from_value(append).expect("a patch"))
        }
        (ResourceName::Index(_), _) => Edit::Order(mark.to_owned()),
        (ResourceName::Relation(_), _) => Edit::Relation {
            predicate: "of".into(),
            object: Object { collection: "open".into(), key: mark.to_owned() },
        },
        // A tag is there or it is not.
        (ResourceName::Tag(_), _) => Edit::Set(value),
    }
}

fn kind_of(edit: &Edit) -> OpKind {
    match edit {
        Edit::Patch(_) => OpKind::Patch,
        Edit::Delete => OpKind::Delete,
        _ => OpKind::Set,
    }
}

impl Device {
    /// Makes one of the rejected operations again, as it was or otherwise, or lets it go; `None`: there is none.
    fn deal_with_rejection(&self, store: &Store, random: &mut Random, mark: &str) -> Option<String> {
        let rejections = self.read(|| store.rejections())?;
        if rejections.is_empty() {
            return None;
        }
        let op = random.pick(&rejections);
        let is_mate = |other: &&RejectedOp| other.op_ref == op.op_ref || op.batch.is_some() && other.batch == op.batch;
        let mates: Vec<&RejectedOp> = rejections.iter().filter(is_mate).collect();
        match random.below(5) {
            0 => Some(self.discard(store, op, &mates)),
            1 | 2 => {
                let edit = edit_of(&op.resource, random, mark);
                Some(self.make_again(store, op, &mates, Some(edit)))
            }
            _ => Some(self.make_again(store, op, &mates, None)),
        }
    }

    fn discard(&self, store: &Store, op: &RejectedOp, mates: &[&RejectedOp]) -> String {
        let faults = self.faults();
        let answer = store.discard(op.op_ref);
        match &answer {
            Ok(was) => assert!(was, "{}: {op:?} was listed, and cannot be let go", self.name),
            Err(error) => assert!(self.explains(error, faults), "{}: {op:?} stays: {error:?}", self.name),
        }
        if answer.is_ok() || self.disk_failed(faults) {
            let told = &mut *self.told();
            for mate in mates {
                told.ops.get_mut(&mate.op_ref).into_iter().for_each(|op| op.discarded = true);
            }
        }
        format!("discards {}: {answer:?}", op.op_ref)
    }

    fn make_again(&self, store: &Store, op: &RejectedOp, mates: &[&RejectedOp], edit: Option<Edit>) -> String {
        let (name, faults) = (&self.name, self.faults());
        let answer = match &edit {
            None => store.retry(op.op_ref),
            Some(edit) => store.edit(op.op_ref, edit.clone()),
        };
        let text = format!("makes {} again as {edit:?}: {answer:?}", op.op_ref);
        let attempts = |kind: Option<OpKind>| {
            let attempt = |mate: &&RejectedOp| {
                let kind = if mate.op_ref == op.op_ref { kind } else { Some(mate.kind) };
                Attempt { item: item_of(mate), resource: mate.resource.clone(), kind }
            };
            mates.iter().map(attempt).collect()
        };
        match answer {
            Ok(new) => {
                self.dealt_with(mates);
                let is_asked = |mate: &RejectedOp| (mate.op_ref == op.op_ref).then_some(new);
                let known = mates.iter().filter(|mate| self.check_made_again(store, mate, is_asked(mate))).count();
                if known < mates.len() {
                    // The disk stopped right behind it: what the others became is found later.
                    match op.batch {
                        None => self.tell(new, &item_of(op)),
                        Some(_) => {
                            self.tell_cut_off(attempts(
                                edit.as_ref().map_or(Some(op.kind), |edit| Some(kind_of(edit))),
                            ));
                        }
                    }
                }
                let (reads, meant) = (self.read(|| store.get::<Value>(&op.collection, &op.key)), &op.meant);
                if let (None, None, OpKind::Set, ResourceName::Value, Some(reads), Some(meant)) =
                    (&edit, op.batch, op.kind, &op.resource, reads, meant)
                {
                    let meant: Value = serde_json::from_str(meant).expect("JSON");
                    assert_eq!(reads, Some(meant), "{name}: {op:?} was made again");
                }
            }
            Err(Error::EditOfAnotherPart { .. }) => {
                let wrong = matches!((&op.resource, &edit), (ResourceName::Tag(_), Some(Edit::Set(_))));
                assert!(wrong, "{name}: {edit:?} is of another part than {op:?}");
            }
            Err(Error::NotFound { .. } | Error::PatchFailed { .. }) => {
                let kind = edit.as_ref().map_or(op.kind, kind_of);
                let plain = op.batch.is_none()
                    && (kind == OpKind::Delete || op.resource == ResourceName::Value && kind == OpKind::Set);
                assert!(!plain, "{name}: {op:?} needs nothing, and was refused: {text}");
            }
            Err(Error::NotKept { collection, key }) => {
                let kept = self.wants(store).map(|keep| keep.has(&collection, &key));
                assert!(kept != Some(true), "{name}: {op:?} is kept");
            }
            // The rest of its batch is not settled yet.
            Err(Error::NotRejected { .. }) if op.batch.is_some() => {}
            Err(error) => {
                assert!(self.explains(&error, faults), "{name}: {op:?} is not made again: {error:?}");
                if self.disk_failed(faults) {
                    self.dealt_with(mates);
                    self.tell_cut_off(attempts(edit.as_ref().map_or(Some(op.kind), |edit| Some(kind_of(edit)))));
                }
            }
        }
        text
    }

    /// Takes note that they were made again, and why they had to be.
    fn dealt_with(&self, mates: &[&RejectedOp]) {
        let told = &mut *self.told();
        for mate in mates {
            if let Some(op) = told.ops.get_mut(&mate.op_ref) {
                op.dealt = true;
                op.refusal = Some((mate.rejection.code.clone(), mate.rejection.seq));
            }
        }
    }

    /// A rejected operation leads to the one that it became, and back; whether that could be read.
    fn check_made_again(&self, store: &Store, old: &RejectedOp, new: Option<Ref>) -> bool {
        let name = &self.name;
        let Some(outcome) = self.read(|| store.outcome(old.op_ref)) else { return false };
        let Some(syncstore::Outcome::RetriedAs(made)) = outcome else {
            panic!("{name}: {old:?} was made again, and is {outcome:?}")
        };
        assert!(new.is_none_or(|new| new == made), "{name}: {old:?} was made again as {new:?}, and leads to {made}");
        assert!(made > old.op_ref, "{name}: {made} was made before {old:?}");
        if let Some(back) = self.read(|| store.retry_of(made)) {
            assert_eq!(back, Some(old.op_ref), "{name}: {made} was made of {old:?}");
        }
        self.tell(made, &item_of(old));
        true
    }

    /// Resolves one of the open conflicts; `None`: there is none.
    fn resolve_one(&self, process: &Process, random: &mut Random, mark: &str) -> Option<String> {
        let store = &process.store;
        let kept = process.listed.lock().expect("no panic while a list is held").take();
        let stale = kept.is_some();
        let conflict = match kept {
            Some(conflict) => conflict,
            None => {
                let open = self.read(|| store.conflicts())?;
                if open.is_empty() {
                    return None;
                }
                let conflict = random.pick(&open).clone();
                if random.percent(25) {
                    // Decided later, when it may have moved.
                    *process.listed.lock().expect("no panic while a list is held") = Some(conflict);
                    return None;
                }
                conflict
            }
        };
        let resolution = match (random.below(5), &conflict.resource, &conflict.local) {
            (0, ..) => Resolution::KeepRebased,
            (1, ..) => Resolution::TakeTheirs,
            (2, ResourceName::Value, _) => Resolution::Merged(json!({"log": [mark], "n": mark, "deep": {"x": mark}})),
            (3, _, Some(local)) => Resolution::Merged(serde_json::from_str(local).expect("a side is JSON")),
            _ => Resolution::KeepOurs,
        };
        Some(self.resolve(store, &conflict, resolution, stale))
    }

    pub fn resolve(&self, store: &Store, conflict: &Conflict, resolution: Resolution, stale: bool) -> String {
        let (name, faults) = (&self.name, self.faults());
        let (item, resource) = ((conflict.collection.clone(), conflict.key.clone()), conflict.resource.clone());
        let answer = store.resolve(conflict, resolution.clone());
        let text = format!("resolves {} on {item:?} {resource:?} by {resolution:?}: {answer:?}", conflict.id);
        match answer {
            Ok(op) => {
                if let Some(op) = op {
                    self.tell(op, &item);
                }
                self.check_claims(store, &item, &resource, &text);
                let wanted = match &resolution {
                    // What is read may be other than what was listed.
                    Resolution::KeepRebased => return text,
                    Resolution::TakeTheirs => conflict.remote.clone(),
                    Resolution::KeepOurs => conflict.local.clone(),
                    Resolution::Merged(value) => Some(value.to_string()),
                    other => panic!("nobody decides {other:?}"),
                };
                self.check_reads(store, &item, &resource, wanted.as_deref(), &text);
            }
            Err(Error::ConflictMoved { .. }) => assert!(stale, "{name}: {conflict:?} was listed, and has moved"),
            Err(Error::NotKept { .. }) => {
                let kept = self.wants(store).map(|keep| keep.has(&item.0, &item.1));
                assert!(kept != Some(true), "{name}: {text}");
            }
            // There is no item to have it.
            Err(Error::NotFound { .. }) => assert!(resource != ResourceName::Value, "{name}: {text}"),
            Err(error) => {
                assert!(self.explains(&error, faults), "{name}: {text}");
                if self.disk_failed(faults) {
                    self.tell_cut_off(vec![Attempt { item, resource, kind: None }]);
                }
            }
        }
        text
    }

    /// What was never sent goes as made in knowledge of theirs.
    fn check_claims(&self, store: &Store, item: &Item, resource: &ResourceName, when: &str) {
        let (Some(pending), Some(confirmed)) = (self.read(|| store.pending()), self.inspect(inspect::confirmed)) else {
            return;
        };
        if confirmed.outside.contains_key(item) {
            return;
        }
        let rev = confirmed.items.get(item).map_or(0, |(_, _, rev)| *rev);
        let on_it = |op: &&PendingOp| (&op.collection, &op.key, &op.resource) == (&item.0, &item.1, resource);
        for op in pending.iter().filter(on_it).filter(|op| op.state == PendingState::Queued) {
            let knows = op.base.is_none_or(|base| base == rev);
            assert!(knows, "{}: {when}; the item is at {rev}, and {op:?} speaks of another", self.name);
        }
    }

    fn check_reads(&self, store: &Store, item: &Item, resource: &ResourceName, wanted: Option<&str>, when: &str) {
        if *resource == ResourceName::Value {
            let wanted: Option<Value> = wanted.map(|text| serde_json::from_str(text).expect("a side is JSON"));
            let Some(reads) = self.read(|| store.get::<Value>(&item.0, &item.1)) else { return };
            return assert_eq!(reads, wanted, "{}: {when}", self.name);
        }
        let Some(reads) = self.read(|| read_resources(store, &item.0, &item.1)) else { return };
        let reads = reads.get(resource);
        assert_eq!(reads.is_some(), wanted.is_some(), "{}: {when}", self.name);
        if let (Some((text, _)), Some(wanted)) = (reads, wanted) {
            let wanted: Value = serde_json::from_str(wanted).expect("a side is JSON");
            let member = wanted.get("order").or(wanted.get("predicate")).and_then(Value::as_str).unwrap_or_default();
            assert_eq!(text, member, "{}: {when}", self.name);
        }
    }

    /// Deals with all that there is, as a host does before it is content.
    pub fn deal_with_all(&self, store: &Store) {
        for conflict in store.conflicts().expect("a healed device reads") {
            self.resolve(store, &conflict, Resolution::KeepOurs, true);
        }
        let rejections = store.rejections().expect("a healed device reads");
        if let Some(op) = rejections.iter().find(|op| op.batch.is_none()) {
            self.make_again(store, op, &[op], None);
        }
    }
}
