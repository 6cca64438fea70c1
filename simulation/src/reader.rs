//! Whether what a server shows is what its reader may see: no more, no less, and in the right form (◆15, ◆17, ◆19).

use crate::oracle::{Item, Lineage, Logged, Whole, content_of, resources_of, resources_of_entry};
use crate::rights::Sight;
use std::ops::Bound;
use syncstore::protocol::{CheckpointPage, Entry, EntryOutcome, InboxPage, OpKind, Scope, Seq};
use syncstore::{Ref, ResourceName};

/// In which form an entry of the log is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Op,
    Full,
    Revoked,
    Nothing,
}

fn form(sight: &Sight, logged: &Logged, before: Option<&Whole>, after: Option<&Whole>) -> Form {
    let sees = |whole: Option<&Whole>| whole.is_some_and(|whole| sight.sees(whole));
    match (sees(before), sees(after)) {
        (true, true) => Form::Op,
        // Who sees everything is told of a new item without tags by its op.
        (false, true) if after.is_some_and(|whole| whole.tags().next().is_none()) => Form::Op,
        (false, true) => Form::Full,
        (true, false) if logged.ends_item() => Form::Op,
        (true, false) => Form::Revoked,
        (false, false) => Form::Nothing,
    }
}

/// Judges a page that begins behind `from`; `own`: whether a ref is the reader's.
pub fn judge_page(
    lineage: &Lineage,
    (sight, scope): (&Sight, &Scope),
    from: Seq,
    page: &InboxPage,
    own: impl Fn(&Ref) -> bool,
) {
    let mut told = page.entries.iter().peekable();
    assert!(page.seq >= from, "a page that begins behind {from} ends at {}", page.seq);
    for (seq, logged) in lineage.log.range((Bound::Excluded(from), Bound::Included(page.seq))) {
        while let Some(entry) = told.next_if(|entry| entry.seq < *seq) {
            judge_silent(lineage, (sight, scope), entry);
        }
        let (collection, key) = &logged.item;
        if scope.is_had(collection, key) {
            let entry = told.next_if(|entry| entry.seq == *seq);
            assert!(entry.is_none(), "{entry:?} is told, which its reader asks for with another cursor");
            continue;
        }
        let whole = |seq: Seq| lineage.at(&logged.item, seq).map(|(whole, _)| &**whole);
        let (before, after) = (whole(seq - 1), whole(*seq));
        let within = scope.filter.has(collection, key);
        let form = if within { form(sight, logged, before, after) } else { Form::Nothing };
        let entry = told.next_if(|entry| entry.seq == *seq);
        let Some(entry) = entry else {
            assert!(form == Form::Nothing, "{sight:?} is not told of entry {seq}: {form:?} of {:?}", logged.item);
            continue;
        };
        assert_eq!(entry.op_ref, logged.op_ref, "entry {seq} has another ref");
        assert_eq!(entry.outcome, EntryOutcome::Accepted, "entry {seq} was accepted");
        if form == Form::Nothing {
            assert!(own(&entry.op_ref), "{sight:?} is told of entry {seq}, of an item that it does not see");
            judge_hidden(entry);
            continue;
        }
        assert!(!entry.hidden, "entry {seq} is hidden from {sight:?}, who sees its item");
        let item = entry.item().map(|(collection, key)| (collection.to_owned(), key.to_owned()));
        assert_eq!(item.ok().as_ref(), Some(&logged.item), "entry {seq} is of another item");
        let rev_before = lineage.at(&logged.item, seq - 1).map_or(0, |(_, rev)| *rev);
        let revoked = entry.reason.as_deref() == Some("revoked");
        assert_eq!((entry.full, revoked), (form == Form::Full, form == Form::Revoked), "entry {seq} for {sight:?}");
        match form {
            Form::Full => {
                let whole = after.expect("what is seen is there");
                let value = entry.value.as_ref().map(|value| value.to_value().expect("JSON"));
                assert_eq!(value.as_ref(), Some(&*whole.value), "entry {seq} shows {:?} as it was not", logged.item);
                assert_eq!(resources_of_entry(entry), whole.resources, "entry {seq} shows {:?}", logged.item);
            }
            Form::Revoked => {
                assert_eq!(entry.kind, Some(OpKind::Delete), "entry {seq} takes the item away");
                assert!(is_bare(entry), "entry {seq} takes an item away and says more: {entry:?}");
            }
            _ => judge_op(entry, logged, rev_before, own(&entry.op_ref)),
        }
    }
    told.for_each(|entry| judge_silent(lineage, (sight, scope), entry));
}

fn judge_op(entry: &Entry, logged: &Logged, rev_before: Seq, own: bool) {
    let seq = entry.seq;
    assert_eq!((entry.kind, entry.from), (Some(logged.kind), Some(rev_before)), "entry {seq}");
    if entry.as_sent {
        assert!(own, "entry {seq} is said to be as its reader sent it, who did not");
        return;
    }
    let change = entry.change().expect("an entry that is told has a change");
    assert_eq!(change.resource().to_name(), logged.resource, "entry {seq} is on something else");
    assert_eq!(content_of(&change), logged.content, "entry {seq} has another payload");
    let payload = entry.value.as_ref().or(entry.patch.as_ref()).map(|json| json.to_value().expect("JSON"));
    assert_eq!(payload.as_ref(), logged.payload.as_deref(), "entry {seq} has another payload");
}

/// An entry that the log does not tell to others: a rejection, or an op without effect.
fn judge_silent(lineage: &Lineage, (sight, scope): (&Sight, &Scope), entry: &Entry) {
    if entry.outcome == EntryOutcome::Rejected {
        let bare = is_bare(entry) && entry.key.is_none();
        return assert!(bare, "rejected {} says more than why: {entry:?}", entry.op_ref);
    }
    if entry.hidden {
        return judge_hidden(entry);
    }
    let (collection, key) = entry.item().expect("an accepted entry names its item");
    let item: Item = (collection.to_owned(), key.to_owned());
    let there = lineage.at(&item, entry.seq);
    assert!(scope.has(collection, key), "{item:?} is told of, which nobody asked for: {entry:?}");
    assert_eq!(entry.from, entry.rev, "entry {} is told to its sender alone, and changed something", entry.seq);
    assert_eq!(entry.from, Some(there.map_or(0, |(_, rev)| *rev)), "entry {} is of another rev", entry.seq);
    if let Some((whole, _)) = there {
        assert!(sight.sees(whole), "{sight:?} is told of {item:?} by an op without effect: {entry:?}");
        // One that is as it was sent may lack what it sets.
        let resource = entry.resource().map(|resource| resource.to_name()).expect("a resource");
        assert!(resource != ResourceName::Value, "entry {} is on a value and had no effect", entry.seq);
        let content = entry.change().ok().and_then(|change| content_of(&change));
        let stands = whole.resources.get(&resource);
        let same = entry.as_sent || content.as_ref() == stands;
        assert!(same, "entry {} tells {content:?} of {resource:?}, where {stands:?} stands", entry.seq);
    }
}

fn judge_hidden(entry: &Entry) {
    let bare = is_bare(entry) && entry.key.is_none() && entry.collection.is_none() && entry.from.is_none();
    assert!(entry.hidden && bare, "{} is hidden, and says more: {entry:?}", entry.op_ref);
}

/// Whether it has nothing of the item's content.
fn is_bare(entry: &Entry) -> bool {
    let Entry { value, patch, index, order, relation, predicate, object, tag, indexes, relations, tags, .. } = entry;
    let payload = value.is_none() && patch.is_none() && order.is_none() && predicate.is_none() && object.is_none();
    let named = index.is_some() || relation.is_some() || tag.is_some();
    payload && !named && indexes.is_empty() && relations.is_empty() && tags.is_empty()
}

/// Judges a page of a checkpoint, read at the log's head: each item as it is now.
pub fn judge_checkpoint(lineage: &Lineage, (sight, scope): (&Sight, &Scope), page: &CheckpointPage) {
    for item in &page.items {
        let name: Item = (item.collection.clone(), item.key.clone());
        let Some((whole, rev)) = lineage.at(&name, lineage.head) else {
            panic!("a checkpoint has {name:?}, which is not there")
        };
        assert!(scope.has(&name.0, &name.1), "a checkpoint shows {name:?}, which nobody asked for");
        assert!(sight.sees(whole), "a checkpoint shows {name:?} to {sight:?}");
        let resources = resources_of(&item.indexes, &item.relations, &item.tags);
        let value = item.value.to_value().expect("JSON");
        let shown = (&value, &resources, item.rev);
        assert_eq!(shown, (&*whole.value, &whole.resources, *rev), "a checkpoint shows {name:?} as it is not");
    }
}
