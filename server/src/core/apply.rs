//! One op on its item: whether it is accepted, and what it changes then.

use super::approval::Word;
use super::examine::{Proposal, rejection, shortened};
use super::policy::{changed_by, is_behind};
use super::push::Push;
use super::{Policy, Tags, merge, work};
use crate::storage::{
    CollectionKey, ItemHead, ItemKey, Link, LogRow, Rejection, StorageError, Stored, Tombstone, Transaction, size,
};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::patch;
use syncstore::protocol::{BatchId, Change, Code, Json, Limits, Op, OpKind, Resource, Rev, Seq};

/// The most index entries, relations and tags of one item: an item must fit into an answer with all that it has.
const MOST_RESOURCES: u32 = 1_000;

/// The most tags of one item: each entry of the log on the item has them.
pub const MOST_TAGS: usize = 100;

/// Where an op stands.
struct Place<'a> {
    op: &'a Proposal<'a>,
    collection: CollectionKey,
    seq: Seq,
    batch: Option<BatchId>,
    // The item's tags before the op, sorted.
    tags: &'a [String],
    // Others have changed the item since the op's base, and the collection merges.
    merging: bool,
}

/// What an op on another resource than the value finds there.
pub(super) enum Found {
    Order(String),
    Link(Link),
    Tag,
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
            (Resource::Tag(tag), Some(Found::Tag)) => Change::AddTag(tag),
            (Resource::Tag(tag), None) => Change::RemoveTag(tag),
            _ => return None,
        })
    }
}

impl<T: Transaction> Push<'_, T> {
    /// Applies an op in the place `seq` and appends its entry, or says why not, having changed nothing.
    pub fn apply(&mut self, op: &Proposal<'_>, seq: Seq, batch: Option<BatchId>) -> Stored<Result<(), Rejection>> {
        if let Some(beyond) = batch.and_then(|_| self.beyond_work()) {
            return Ok(Err(beyond));
        }
        // A batch's own count has only the names.
        let escapes = names(op).map(size::of_escapes).sum();
        if let Err(rejection) = self.show(batch, escapes) {
            return Ok(Err(rejection));
        }
        self.transaction.add_work(work::OP);
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
        let (mut tags, mut found) = (Vec::new(), None);
        if let Some(head) = head.as_ref().filter(|head| head.resources > 0) {
            tags = self.transaction.tags(head.key)?;
            // Read here, and written into the log.
            self.transaction.add_work(2 * size::of_tags(&tags));
            found = self.find(head.key, resource, &tags)?;
        }
        let sees = self.word == Word::Tagging || self.caller.tags.see(&tags);
        if head.is_some() && !sees && !planted(Planted::Rule4ActsOnHidden) {
            return Ok(Err(if makes || planted(Planted::Rule4HiddenToldApart) { taken() } else { missing() }));
        }
        if let (Resource::Tag(tag), Some(_)) = (resource, &head)
            && self.word == Word::Sender
            && !self.caller.tags.own(tag)
            && !planted(Planted::Rule4ForeignTags)
        {
            return Ok(Err(rejection(Code::FORBIDDEN, "the tag is not one of the caller's")));
        }
        let absent = removes && (head.is_none() || resource != Resource::Value && found.is_none());
        let policy = if absent { Policy::Accept } else { self.rules.policy(op.collection) };
        let behind = match (policy, op.base) {
            (Policy::Accept, _) => false,
            (Policy::Merge, None) => false,
            (Policy::RejectStale, None) => head.as_ref().is_some_and(|head| !self.author.has_just_left(head)),
            (_, Some(base)) => {
                let item = (collection, op.key);
                is_behind(self.transaction, item, head.as_ref(), base, self.author, &self.caller.tags)?
            }
        };
        let merging = behind && policy == Policy::Merge;
        if behind && (!merging || head.is_none()) {
            return Ok(Err(stale(head.as_ref(), op.base)));
        }
        let place = Place { op, collection, seq, batch, tags: &tags, merging };
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
            client: self.author.client,
            collection: place.collection,
            key: place.op.key,
            change: committed,
            image: None,
            tags_before: place.tags,
            tags_after: place.tags,
            from,
            no_op: false,
            as_sent: self.word == Word::Sender,
            altered: self.word == Word::Altered,
            batch: place.batch,
            at: self.now,
        }
    }

    /// What its caller may learn of a fault that an op has by itself: nothing, if it cannot see the item, for a missing
    /// one must answer the same.
    pub fn told_of(&mut self, op: &Op, fault: Rejection) -> Stored<Rejection> {
        if self.caller.tags == Tags::All {
            return Ok(fault);
        }
        let makes = op.kind == OpKind::Set && op.resource() == Ok(Resource::Value);
        let head = match self.transaction.find_collection(&op.collection)? {
            Some(collection) => self.transaction.item(collection, &op.key)?,
            None => None,
        };
        let seen = match &head {
            Some(head) => self.caller.tags.see(&self.transaction.tags(head.key)?),
            None => false,
        };
        Ok(match (head, makes) {
            _ if seen => fault,
            (None, true) => fault,
            (Some(_), true) => taken(),
            (_, false) => missing(),
        })
    }

    // The tags of what the present op makes, sorted.
    fn granted(&self) -> Vec<String> {
        let mut tags = self.caller.granted();
        tags.extend(self.added.iter().cloned());
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    // A batch stands on one page, and may have more bytes in it than were counted when it came.
    fn show(&mut self, batch: Option<BatchId>, bytes: usize) -> Result<(), Rejection> {
        self.shown = self.shown.saturating_add(bytes);
        if batch.is_some() && self.shown > self.rules.limits.batch {
            let message = "what the batch makes visible, and what it is merged with, have too many bytes together";
            return Err(rejection(Code::TOO_LARGE, message));
        }
        Ok(())
    }

    pub(super) fn find(&self, item: ItemKey, resource: Resource<'_>, tags: &[String]) -> Stored<Option<Found>> {
        Ok(match resource {
            Resource::Index(name) => self.transaction.index_entry(item, name)?.map(Found::Order),
            Resource::Relation(id) => self.transaction.relation(item, id)?.map(Found::Link),
            Resource::Tag(tag) => tags.iter().any(|has| has == tag).then_some(Found::Tag),
            Resource::Value => None,
        })
    }

    fn apply_to_value(&mut self, place: &Place<'_>, head: Option<ItemHead>) -> Stored<Result<(), Rejection>> {
        let (op, limits) = (place.op, &self.rules.limits);
        // The committed payload where it is not the one that was sent.
        let mut merged = None;
        if let (true, Some(head), Change::Set(sent) | Change::Patch(sent)) = (place.merging, &head, op.change) {
            let base = op.base.unwrap_or(0);
            let touched = merge::touched_since(self.transaction, head, base, self.author, limits)?;
            let result = match op.change {
                Change::Set(_) => {
                    let current = self.transaction.item_value(head.key)?;
                    self.transaction.add_work(current.as_str().len() + sent.as_str().len());
                    merge::set(&current, sent, &touched, limits)?
                }
                _ => merge::patch(sent, &touched, limits)?,
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
        let counted = if self.word == Word::Altered { 0 } else { json_len(op.change) };
        if let Err(rejection) = self.show(place.batch, json_len(committed).saturating_sub(counted)) {
            return Ok(Err(rejection));
        }
        let seq = place.seq;
        let grants = head.is_none() && !planted(Planted::Rule4NothingGranted);
        let granted = if grants { self.granted() } else { Vec::new() };
        if granted.len() > MOST_TAGS {
            return Ok(Err(full(MOST_TAGS, "tags")));
        }
        let author = self.changer();
        if let Change::Set(value) = committed {
            self.transaction.add_work(value.as_str().len());
        }
        match (committed, head) {
            (Change::Set(value), Some(head)) => {
                self.transaction.update_item(&changed_by(&head, author, seq), value)?;
            }
            (Change::Set(value), None) => {
                if let Err(rejection) = self.show(place.batch, size::of_tags(&granted)) {
                    return Ok(Err(rejection));
                }
                let resources = u32::try_from(granted.len()).unwrap_or(u32::MAX);
                let head = ItemHead { key: ItemKey(0), rev: seq, client: author.client, other: 0, resources };
                let item = self.transaction.insert_item(place.collection, op.key, &head, value)?;
                for tag in &granted {
                    self.transaction.add_tag(item, tag)?;
                }
            }
            (Change::Patch(patch), Some(head)) => {
                let value = self.transaction.item_value(head.key)?;
                self.transaction.add_work(value.as_str().len());
                let mut moved = 0;
                let patched = patched(&value, patch, limits, &mut moved);
                self.transaction.add_work(moved.saturating_mul(work::MOVED));
                match patched {
                    Ok(value) => {
                        self.transaction.add_work(value.as_str().len());
                        self.transaction.update_item(&changed_by(&head, author, seq), &value)?;
                    }
                    Err(rejection) => return Ok(Err(rejection)),
                }
            }
            (Change::Delete, Some(head)) => {
                let tombstone = Tombstone { seq, client: author.client };
                self.transaction.delete_item(&head, place.collection, op.key, &tombstone)?;
            }
            _ => return Ok(Err(missing())),
        }
        let unchanged = merged.is_none() || planted(Planted::Rule18AsSentWhenMerged);
        let as_sent = unchanged && granted.is_empty() && self.word == Word::Sender;
        let from = head.map_or(0, |head| head.rev);
        let tags_after = match committed {
            Change::Delete => &[],
            _ if head.is_none() => &*granted,
            _ => place.tags,
        };
        self.transaction.append(&LogRow { as_sent, tags_after, ..self.row(place, committed, from) })?;
        Ok(Ok(()))
    }

    fn apply_to_resource(
        &mut self,
        place: &Place<'_>,
        head: ItemHead,
        found: Option<Found>,
    ) -> Stored<Result<(), Rejection>> {
        let op = place.op;
        let resource = op.change.resource();
        let base = op.base.unwrap_or(0);
        if place.merging
            && !planted(Planted::MergeTakesResources)
            && merge::touched(self.transaction, &head, base, self.author, resource)?
        {
            let kept = Found::as_change(found.as_ref(), resource).ok_or_else(unlike)?;
            let as_sent = kept == op.change && self.word == Word::Sender;
            self.transaction.append(&LogRow { no_op: true, as_sent, ..self.row(place, kept, head.rev) })?;
            return Ok(Ok(()));
        }
        let mut changed = changed_by(&head, self.changer(), place.seq);
        match (op.change.kind(), &found) {
            (OpKind::Delete, _) => changed.resources = changed.resources.saturating_sub(1),
            (_, Some(_)) => {}
            (_, None) if head.resources >= MOST_RESOURCES => {
                return Ok(Err(full(MOST_RESOURCES as usize, "index entries, relations and tags")));
            }
            (_, None) if matches!(resource, Resource::Tag(_)) && place.tags.len() >= MOST_TAGS => {
                return Ok(Err(full(MOST_TAGS, "tags")));
            }
            (_, None) => changed.resources += 1,
        }
        let item = head.key;
        let mut tags_after = place.tags.to_vec();
        let mut image = None;
        match op.change {
            Change::AddTag(tag) => {
                if let Err(after) = tags_after.binary_search_by(|has| has.as_str().cmp(tag)) {
                    let shown = self.transaction.image(item)?;
                    // Read here, and written into the log.
                    self.transaction.add_work(2 * shown.size());
                    tags_after.insert(after, tag.to_owned());
                    if let Err(rejection) = self.show(place.batch, shown.size() + size::of_tags(&tags_after)) {
                        return Ok(Err(rejection));
                    }
                    image = Some(shown);
                    self.transaction.add_tag(item, tag)?;
                }
            }
            Change::RemoveTag(tag) => {
                tags_after.retain(|has| has != tag);
                self.transaction.remove_tag(item, tag)?;
            }
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
        let row = LogRow { tags_after: &tags_after, image: image.as_ref(), ..row };
        self.transaction.append(&row)?;
        Ok(Ok(()))
    }
}

// The bytes of a value or a patch.
fn json_len(change: Change<'_>) -> usize {
    match change {
        Change::Set(json) | Change::Patch(json) => json.as_str().len(),
        _ => 0,
    }
}

// All that an op names, its payload among it.
fn names<'a>(op: &Proposal<'a>) -> impl Iterator<Item = &'a str> {
    let [first, second, third, fourth] = match op.change {
        Change::Set(_) | Change::Patch(_) | Change::Delete => [""; 4],
        Change::SetIndex { name, order } => [name, order, "", ""],
        Change::SetRelation { id, predicate, object } => [id, predicate, &*object.collection, &*object.key],
        Change::DeleteIndex { name: one }
        | Change::DeleteRelation { id: one }
        | Change::AddTag(one)
        | Change::RemoveTag(one) => [one, "", "", ""],
    };
    [op.collection, op.key, first, second, third, fourth].into_iter()
}

fn taken() -> Rejection {
    rejection(Code::FORBIDDEN, "the key is taken")
}

fn full(most: usize, what: &str) -> Rejection {
    rejection(Code::TOO_LARGE, format_args!("the item has {most} {what}, which is the most"))
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

fn patched(value: &Json, patch: &Json, limits: &Limits, moved: &mut usize) -> Result<Json, Rejection> {
    patch::apply_counting(value, patch, limits, moved).map_err(|error| {
        let message = error.to_string();
        if patch::parse(patch).is_err() {
            return rejection(Code::INVALID, message);
        }
        let detail = serde_json::json!({ "path": shortened(error.path), "operation": error.operation });
        Rejection { detail: Some(Json::from_value(&detail)), ..rejection(Code::PATCH_FAILED, message) }
    })
}
