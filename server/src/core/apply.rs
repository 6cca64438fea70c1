//! One op on its item: whether it is accepted, and what it changes then.

use super::examine::{Proposal, rejection, shortened};
use super::policy::{changed_by, is_behind};
use super::push::Push;
use super::{Policy, merge};
use crate::storage::{
    CollectionKey, ItemHead, ItemKey, Link, LogRow, Rejection, StorageError, Stored, Tombstone, Transaction,
};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::patch;
use syncstore::protocol::{BatchId, Change, Code, Json, Limits, OpKind, Resource, Rev, Seq};

/// The most index entries and relations of one item: an item must fit into an answer with all that it has.
const MOST_RESOURCES: u32 = 1_000;

/// Where an op stands.
struct Place<'a> {
    op: &'a Proposal<'a>,
    collection: CollectionKey,
    seq: Seq,
    batch: Option<BatchId>,
    // Others have changed the item since the op's base, and the collection merges.
    merging: bool,
}

/// What an op on another resource than the value finds there.
enum Found {
    Order(String),
    Link(Link),
}

impl Found {
    /// The change that makes what is there; `None` found: the change that removes it.
    fn as_change<'a>(found: Option<&'a Found>, resource: Resource<'a>) -> Option<Change<'a>> {
        Some(match (resource, found) {
            (Resource::Index(name), Some(Found::Order(order))) => Change::SetIndex { name, order },
            (Resource::Index(name), None) => Change::DeleteIndex { name },
            (Resource::Relation(id), Some(Found::Link(Link { predicate, object }))) => {
                Change::SetRelation { id, predicate, object }
            }
            (Resource::Relation(id), None) => Change::DeleteRelation { id },
            _ => return None,
        })
    }
}

impl<T: Transaction> Push<'_, T> {
    /// Applies an op in the place `seq` and appends its entry, or says why not, having changed nothing.
    pub fn apply(&mut self, op: &Proposal<'_>, seq: Seq, batch: Option<BatchId>) -> Stored<Result<(), Rejection>> {
        let makes = matches!(op.change, Change::Set(_));
        let removes = op.change.kind() == OpKind::Delete;
        // Collections stay for ever, so none is made for an op that is rejected. (A delete's entry needs one.)
        let based = op.base.is_some_and(|base| base > 0) && self.rules.policy(op.collection) != Policy::Accept;
        let collection = match self.transaction.find_collection(op.collection)? {
            Some(collection) => collection,
            None if makes && based => return Ok(Err(stale(None, op.base))),
            None if makes || removes => self.transaction.collection(op.collection)?,
            None => return Ok(Err(missing())),
        };
        let head = self.transaction.item(collection, op.key)?;
        if head.is_none() && !makes && !removes {
            return Ok(Err(missing()));
        }
        let resource = op.change.resource();
        let found = match &head {
            Some(head) if head.resources > 0 => self.find(head.key, resource)?,
            _ => None,
        };
        let absent = removes && (head.is_none() || resource != Resource::Value && found.is_none());
        let policy = if absent { Policy::Accept } else { self.rules.policy(op.collection) };
        let behind = match (policy, op.base) {
            (Policy::Accept, _) => false,
            (Policy::Merge, None) => false,
            (Policy::RejectStale, None) => head.is_some(),
            (_, Some(base)) => is_behind(self.transaction, collection, op.key, head.as_ref(), base, self.client)?,
        };
        let merging = behind && policy == Policy::Merge;
        if behind && (!merging || head.is_none()) {
            return Ok(Err(stale(head.as_ref(), op.base)));
        }
        let place = Place { op, collection, seq, batch, merging };
        match (resource, head) {
            _ if absent => {
                let from = head.map_or(0, |head| head.rev);
                self.transaction.append(&LogRow { no_op: true, ..self.row(&place, op.change, from) })?;
                Ok(Ok(()))
            }
            (Resource::Value, head) => self.apply_to_value(&place, head),
            (_, Some(head)) => self.apply_to_resource(&place, head, found),
            (_, None) => Ok(Err(missing())),
        }
    }

    // The entry of an op that is accepted as `committed`.
    fn row<'a>(&self, place: &Place<'a>, committed: Change<'a>, from: Rev) -> LogRow<'a> {
        LogRow {
            seq: place.seq,
            op_ref: place.op.op_ref,
            client: self.client,
            collection: place.collection,
            key: place.op.key,
            change: committed,
            from,
            no_op: false,
            as_sent: true,
            batch: place.batch,
            at: self.now,
        }
    }

    fn find(&self, item: ItemKey, resource: Resource<'_>) -> Stored<Option<Found>> {
        Ok(match resource {
            Resource::Index(name) => self.transaction.index_entry(item, name)?.map(Found::Order),
            Resource::Relation(id) => self.transaction.relation(item, id)?.map(Found::Link),
            Resource::Value | Resource::Tag(_) => None,
        })
    }

    fn apply_to_value(&mut self, place: &Place<'_>, head: Option<ItemHead>) -> Stored<Result<(), Rejection>> {
        let (op, limits) = (place.op, &self.rules.limits);
        // The committed payload where it is not the one that was sent.
        let mut merged = None;
        if let (true, Some(head), Change::Set(sent) | Change::Patch(sent)) = (place.merging, &head, op.change) {
            let base = op.base.unwrap_or(0);
            let touched = merge::Touched::since(self.transaction, head, base, self.client, limits)?;
            let result = match op.change {
                Change::Set(_) => merge::set(&self.transaction.item_value(head.key)?, sent, &touched, limits)?,
                _ => merge::patch(sent, &touched)?,
            };
            match result {
                Ok(result) => merged = (result.as_str() != sent.as_str()).then_some(result),
                Err(rejection) => return Ok(Err(rejection)),
            }
        }
        let committed = match (op.change, &merged) {
            (Change::Set(_), Some(merged)) => Change::Set(merged),
            (Change::Patch(_), Some(merged)) => Change::Patch(merged),
            (sent, _) => sent,
        };
        let seq = place.seq;
        match (committed, head) {
            (Change::Set(value), Some(head)) => {
                self.transaction.update_item(&changed_by(&head, self.client, seq), value)?;
            }
            (Change::Set(value), None) => {
                let head = ItemHead { key: ItemKey(0), rev: seq, client: self.client, other: 0, resources: 0 };
                self.transaction.insert_item(place.collection, op.key, &head, value)?;
            }
            (Change::Patch(patch), Some(head)) => {
                let value = self.transaction.item_value(head.key)?;
                match patched(&value, patch, limits) {
                    Ok(value) => self.transaction.update_item(&changed_by(&head, self.client, seq), &value)?,
                    Err(rejection) => return Ok(Err(rejection)),
                }
            }
            (Change::Delete, Some(head)) => {
                let tombstone = Tombstone { seq, client: self.client };
                self.transaction.delete_item(&head, place.collection, op.key, &tombstone)?;
            }
            _ => return Ok(Err(missing())),
        }
        let as_sent = merged.is_none() || planted(Planted::Rule18AsSentWhenMerged);
        let from = head.map_or(0, |head| head.rev);
        self.transaction.append(&LogRow { as_sent, ..self.row(place, committed, from) })?;
        Ok(Ok(()))
    }

    fn apply_to_resource(
        &mut self,
        place: &Place<'_>,
        head: ItemHead,
        found: Option<Found>,
    ) -> Stored<Result<(), Rejection>> {
        let (op, client) = (place.op, self.client);
        let resource = op.change.resource();
        let base = op.base.unwrap_or(0);
        if place.merging && merge::touched(self.transaction, &head, base, client, resource)? {
            let kept = Found::as_change(found.as_ref(), resource).ok_or_else(unlike)?;
            let as_sent = kept == op.change;
            self.transaction.append(&LogRow { no_op: true, as_sent, ..self.row(place, kept, head.rev) })?;
            return Ok(Ok(()));
        }
        let mut changed = changed_by(&head, client, place.seq);
        match (op.change.kind(), &found) {
            (OpKind::Delete, _) => changed.resources = changed.resources.saturating_sub(1),
            (_, Some(_)) => {}
            (_, None) if head.resources >= MOST_RESOURCES => {
                let message = format!("the item has {MOST_RESOURCES} index entries and relations, which is the limit");
                return Ok(Err(rejection(Code::TOO_LARGE, message)));
            }
            (_, None) => changed.resources += 1,
        }
        let item = head.key;
        match op.change {
            Change::SetIndex { name, order } => self.transaction.set_index_entry(item, name, order)?,
            Change::DeleteIndex { name } => self.transaction.delete_index_entry(item, name)?,
            Change::SetRelation { id, predicate, object } => {
                self.transaction.set_relation(item, id, predicate, object)?;
            }
            Change::DeleteRelation { id } => self.transaction.delete_relation(item, id)?,
            _ => return Err(unlike()),
        }
        self.transaction.touch_item(&changed)?;
        let row = self.row(place, op.change, head.rev);
        self.transaction.append(&row)?;
        Ok(Ok(()))
    }
}

fn unlike() -> StorageError {
    StorageError::corrupt("a resource is not what its name says")
}

fn missing() -> Rejection {
    rejection(Code::NOT_FOUND, "there is no such item")
}

fn stale(head: Option<&ItemHead>, base: Option<Rev>) -> Rejection {
    let message = match (head, base) {
        (None, _) => "another client has deleted the item since",
        (Some(_), None) => "the collection takes no change of an item without a base",
        (Some(_), Some(_)) => "another client has changed the item since",
    };
    let detail = serde_json::json!({ "rev": head.map_or(0, |head| head.rev) });
    Rejection { code: Code::STALE, message: message.to_owned(), detail: Some(Json::from_value(&detail)) }
}

fn patched(value: &Json, patch: &Json, limits: &Limits) -> Result<Json, Rejection> {
    patch::apply(value, patch, limits).map_err(|error| {
        let message = error.to_string();
        if patch::parse(patch).is_err() {
            return rejection(Code::INVALID, message);
        }
        let detail = serde_json::json!({ "path": shortened(error.path), "operation": error.operation });
        Rejection { detail: Some(Json::from_value(&detail)), ..rejection(Code::PATCH_FAILED, message) }
    })
}
