//! The policy `merge`: property by property against what others changed since `base`.
//!
//! A property is a member of an object; arrays and scalars are taken as wholes. An index entry, a relation and a
//! tag are properties of their own. "Changed" is what ops of *other*
//! clients, and those that an approver altered, touched: a client's second op on an item must not lose against its own first.

use super::examine::rejection;
use super::policy::Author;
use super::touched::{Node, Touched};
use super::work;
use crate::storage::{
    ItemHead, Payload, Rejection, ResourceName, StorageError, Stored, StoredEntry, Transaction, size,
};
use json_patch::PatchOperation;
use serde_json::{Map, Value};
use syncstore::planted::{Planted, planted};
use syncstore::protocol::patch;
use syncstore::protocol::{Code, Json, LimitError, Limits, OpKind, Resource, Rev, Seq};

// How far back the log is followed for one op; beyond that everything counts as touched.
const MOST_ENTRIES: usize = 1_000;

// The most bytes of payload that are held for one op, on the one thread that writes; beyond that everything counts
// as touched.
const MOST_BYTES: usize = 16 << 20;

// The most bytes of values that are read and made for one op when those payloads are replayed, a small patch taking the whole
// value twice, and what it moves within arrays besides; beyond that everything counts as touched.
const MOST_REPLAYED: usize = 64 << 20;

/// Which properties of the value others touched since `base`: replays the item's entries from the log.
///
/// Where the log no longer reaches back to a full value at or before `base`, what has changed cannot be known, and
/// everything counts as touched: the server's value wins. So it does where that is too far, or too much to read.
pub fn touched_since<T: Transaction>(
    transaction: &mut T,
    head: &ItemHead,
    base: Rev,
    author: Author,
    limits: &Limits,
) -> Stored<Touched> {
    if planted(Planted::MergeTouchesNothing) {
        return Ok(Touched::nothing());
    }
    if planted(Planted::MergeTouchesEverything) {
        return Ok(Touched::everything());
    }
    let mut entries = Vec::new();
    let mut bytes = 0;
    let mut seq = head.rev;
    loop {
        let Some(entry) = transaction.entry(seq)? else { return Ok(Touched::everything()) };
        let whole = entry.kind == OpKind::Set && entry.resource == ResourceName::Value;
        let from = entry.from;
        let reached = whole && (seq <= base || from == 0);
        let payload = entry.payload.as_ref().map_or(0, Payload::size);
        transaction.add_work(payload + looked_at(&entry));
        bytes += payload;
        if bytes > MOST_BYTES {
            return Ok(Touched::everything());
        }
        entries.push(entry);
        if reached {
            break;
        }
        if from == 0 || from >= seq || entries.len() > MOST_ENTRIES {
            return Ok(Touched::everything());
        }
        seq = from;
    }
    let mut touched = Touched::nothing();
    let mut value: Option<Json> = None;
    let mut replayed = 0_usize;
    // What is on another resource leaves the value as it is.
    for entry in entries.iter().rev().filter(|entry| entry.resource == ResourceName::Value) {
        let mut moved = 0;
        let after = replay(value.as_ref(), entry, limits, &mut moved);
        let size = |value: Option<&Json>| value.map_or(0, |value| value.as_str().len());
        let took = size(value.as_ref()) + size(after.as_ref()) + moved.saturating_mul(work::MOVED);
        transaction.add_work(took);
        replayed = replayed.saturating_add(took);
        let Some(after) = after.filter(|_| replayed <= MOST_REPLAYED) else { return Ok(Touched::everything()) };
        if entry.seq > base && (!author.made(entry.client, entry.seq) || entry.altered) {
            match &value {
                Some(before) => touched.add(&parsed(before)?, &parsed(&after)?),
                None => return Ok(Touched::everything()),
            }
            if touched.is_everything() {
                return Ok(touched);
            }
        }
        value = Some(after);
    }
    Ok(touched)
}

/// Whether others touched this resource, which is not the value, since `base`; so it counts where the log does not tell.
pub fn touched(
    transaction: &mut impl Transaction,
    head: &ItemHead,
    base: Rev,
    author: Author,
    resource: Resource<'_>,
) -> Stored<bool> {
    if planted(Planted::MergeKeepsResources) {
        return Ok(true);
    }
    let mut seq = head.rev;
    for _ in 0..MOST_ENTRIES {
        let Some(entry) = named(transaction, seq)? else { return Ok(true) };
        transaction.add_work(looked_at(&entry));
        // Who made the item gave it its first tags.
        let granted = |tag: &str| entry.from == 0 && entry.tags_after.iter().any(|granted| granted == tag);
        let touches =
            entry.resource.as_resource() == resource || matches!(resource, Resource::Tag(tag) if granted(tag));
        if (!author.made(entry.client, entry.seq) || entry.altered) && touches {
            return Ok(true);
        }
        if entry.from <= base || entry.from >= seq {
            return Ok(entry.from >= seq);
        }
        seq = entry.from;
    }
    Ok(true)
}

// What it took to read an entry without its payload: it has the item's tags, before it and after it.
fn looked_at(entry: &StoredEntry) -> usize {
    work::ENTRY + size::of_tags(&entry.tags_before) + size::of_tags(&entry.tags_after)
}

// An entry without its payload.
fn named(transaction: &impl Transaction, seq: Seq) -> Stored<Option<StoredEntry>> {
    let mut found = None;
    transaction.entries(seq.saturating_sub(1), &|_| false, &mut |entry| {
        found = Some(entry).filter(|entry| entry.seq == seq);
        false
    })?;
    Ok(found)
}

fn parsed(json: &Json) -> Stored<Value> {
    json.to_value().map_err(StorageError::corrupt)
}

// What an entry on the value made of it; `None` where the log does not tell: limits that were lowered since may refuse a patch of that time.
// Adds to `moved` what a patch moved.
fn replay(before: Option<&Json>, entry: &StoredEntry, limits: &Limits, moved: &mut usize) -> Option<Json> {
    match (entry.kind, before, &entry.payload) {
        (OpKind::Set, _, Some(Payload::Json(value))) => Some(value.clone()),
        (OpKind::Patch, Some(before), Some(Payload::Json(patch))) => {
            patch::apply_counting(before, patch, limits, moved).ok()
        }
        _ => None,
    }
}

/// The value to commit for a set that is behind: what was sent, but for what others touched.
pub fn set(current: &Json, sent: &Json, touched: &Touched, limits: &Limits) -> Stored<Result<Json, Rejection>> {
    let sent_value = parsed(sent)?;
    let merged = merged(Some(&parsed(current)?), Some(&sent_value), touched.root());
    let merged = merged.unwrap_or(Value::Null);
    if merged == sent_value {
        return Ok(Ok(sent.clone()));
    }
    let merged = Json::from_value(&merged);
    Ok(fitting(limits.check_value(&merged), merged))
}

fn fitting(checked: Result<(), LimitError>, merged: Json) -> Result<Json, Rejection> {
    match checked {
        Ok(()) => Ok(merged),
        Err(error) => Err(rejection(Code::TOO_LARGE, format_args!("merged with the server's: {error}"))),
    }
}

fn merged(current: Option<&Value>, sent: Option<&Value>, touched: Option<&Node>) -> Option<Value> {
    match (current, sent, touched) {
        (_, _, None) => sent.cloned(),
        (Some(Value::Object(current)), Some(Value::Object(sent)), Some(Node::Within(touched))) => {
            let mut members = Map::new();
            for name in current.keys().chain(sent.keys().filter(|name| !current.contains_key(*name))) {
                if let Some(value) = merged(current.get(name), sent.get(name), touched.get(name)) {
                    members.insert(name.clone(), value);
                }
            }
            Some(Value::Object(members))
        }
        _ => current.cloned(),
    }
}

/// The patch to commit for one that is behind: its operations but for those on what others touched. A `test` stays:
/// it is the client's own condition and touches nothing.
pub fn patch(sent: &Json, touched: &Touched, limits: &Limits) -> Stored<Result<Json, Rejection>> {
    let mut operations = match patch::parse(sent) {
        Ok(operations) => operations,
        Err(error) => return Ok(Err(rejection(Code::INVALID, error.reason))),
    };
    let all = operations.0.len();
    operations.0.retain(|operation| match operation {
        PatchOperation::Test(_) => true,
        PatchOperation::Move(moved) => !touched.meets(moved.from.as_str()) && !touched.meets(moved.path.as_str()),
        other => !touched.meets(other.path().as_str()),
    });
    if operations.0.len() == all {
        return Ok(Ok(sent.clone()));
    }
    // Written anew it can be longer: a number may have been short for its digits.
    let merged = Json::from_serialize(&operations).map_err(StorageError::corrupt)?;
    Ok(fitting(limits.check_patch(&merged), merged))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    fn touched_by(before: &str, after: &str) -> Touched {
        let mut touched = Touched::nothing();
        touched.add(&json(before).to_value().unwrap(), &json(after).to_value().unwrap());
        touched
    }

    #[test]
    fn a_set_keeps_what_others_touched_and_takes_the_rest() {
        // base, the server's value, the sent value, the merged one
        let cases = [
            (r#"{"a":1,"b":1}"#, r#"{"a":2,"b":1}"#, r#"{"a":1,"b":3}"#, r#"{"a":2,"b":3}"#),
            (r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, r#"{}"#, r#"{"a":3,"b":1}"#, r#"{"b":1}"#),
            (r#"{"a":1}"#, r#"{"a":1,"n":0}"#, r#"{}"#, r#"{"n":0}"#),
            (r#"{"o":{"x":1,"y":1}}"#, r#"{"o":{"x":2,"y":1}}"#, r#"{"o":{"x":1,"y":5}}"#, r#"{"o":{"x":2,"y":5}}"#),
            (r#"{"o":{"x":1}}"#, r#"{"o":{"x":2}}"#, r#"{"o":7,"p":1}"#, r#"{"o":{"x":2},"p":1}"#),
            (r#"{"o":{"x":1}}"#, r#"{"o":7}"#, r#"{"o":{"x":9}}"#, r#"{"o":7}"#),
            (r#"{"l":[1,2],"m":1}"#, r#"{"l":[1],"m":1}"#, r#"{"l":[1,2,3],"m":2}"#, r#"{"l":[1],"m":2}"#),
            (r#"[1]"#, r#"[2]"#, r#"{"a":1}"#, r#"[2]"#),
            (r#"{"a":1}"#, r#"{"a":1}"#, r#"{"a":9}"#, r#"{"a":9}"#),
        ];
        for (base, current, sent, expected) in cases {
            let touched = touched_by(base, current);
            let merged = set(&json(current), &json(sent), &touched, &Limits::default()).unwrap().unwrap();
            assert_eq!(merged, json(expected), "{base} {current} {sent}");
        }
    }

    #[test]
    fn a_patch_loses_the_operations_on_what_others_touched() {
        let touched = touched_by(r#"{"a":{"x":1},"l":[1],"n/m":1}"#, r#"{"a":{"x":2},"l":[2],"n/m":2}"#);
        let cases = [
            (r#"[{"op":"replace","path":"/a/x","value":3}]"#, 0),
            (r#"[{"op":"replace","path":"/a","value":3}]"#, 0),
            (r#"[{"op":"add","path":"/a/x/deeper","value":3}]"#, 0),
            (r#"[{"op":"add","path":"/a/y","value":3}]"#, 1),
            (r#"[{"op":"add","path":"/l/-","value":3}]"#, 0),
            (r#"[{"op":"remove","path":"/n~1m"}]"#, 0),
            (r#"[{"op":"move","from":"/a/x","path":"/z"}]"#, 0),
            (r#"[{"op":"test","path":"/a/x","value":2},{"op":"add","path":"/b","value":1}]"#, 2),
            (r#"[{"op":"replace","path":"","value":1}]"#, 0),
        ];
        for (sent, left) in cases {
            let patch = patch(&json(sent), &touched, &Limits::default()).unwrap().unwrap();
            assert_eq!(patch::parse(&patch).unwrap().0.len(), left, "{sent}");
        }
    }
}
