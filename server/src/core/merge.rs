//! The policy `merge`: property by property against what others changed since `base`.
//!
//! A property is a member of an object; arrays and scalars are taken as wholes. An index entry, a relation and a
//! tag are properties of their own. "Changed" is what ops of *other*
//! clients, and those that an approver altered, touched: a client's second op on an item must not lose against its own first.

use super::examine::rejection;
use super::policy::Author;
use super::work;
use crate::storage::{ItemHead, Payload, Rejection, ResourceName, StorageError, Stored, StoredEntry, Transaction};
use json_patch::PatchOperation;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::ops::Bound;
use syncstore::protocol::patch;
use syncstore::protocol::{Code, Json, Limits, OpKind, Resource, Rev, Seq};

/// Which properties others touched since a base.
#[derive(Debug, PartialEq)]
pub struct Touched(BTreeSet<Vec<String>>);

// How far back the log is followed for one op; beyond that everything counts as touched.
const MOST_ENTRIES: usize = 1_000;

// The most bytes of payload that are held for one op, on the one thread that writes; beyond that everything counts
// as touched.
const MOST_BYTES: usize = 16 << 20;

// The most bytes of values that are read and made for one op when those payloads are replayed, a small patch taking the whole
// value twice; beyond that everything counts as touched.
const MOST_REPLAYED: usize = 64 << 20;

// The most properties that are told apart; beyond that everything counts as touched.
const MOST_PATHS: usize = 100_000;

impl Touched {
    fn everything() -> Touched {
        Touched(BTreeSet::from([Vec::new()]))
    }

    // The property itself, one that holds it, or one within it.
    fn meets(&self, path: &[String]) -> bool {
        let within = || self.0.range::<[String], _>((Bound::Included(path), Bound::Unbounded)).next();
        self.covers(path) || within().is_some_and(|touched| touched.starts_with(path))
    }

    // The property itself or one that holds it.
    fn covers(&self, path: &[String]) -> bool {
        (0..=path.len()).any(|names| self.0.contains(&path[..names]))
    }

    /// Replays the item's entries since `base` from the log.
    ///
    /// Where the log no longer reaches back to a full value at or before `base`, what has changed cannot be known, and
    /// everything counts as touched: the server's value wins. So it does where that is too far, or too much to read.
    pub fn since<T: Transaction>(
        transaction: &mut T,
        head: &ItemHead,
        base: Rev,
        author: Author,
        limits: &Limits,
    ) -> Stored<Touched> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut seq = head.rev;
        loop {
            let Some(entry) = transaction.entry(seq)? else { return Ok(Touched::everything()) };
            let whole = entry.kind == OpKind::Set && entry.resource == ResourceName::Value;
            let from = entry.from;
            let reached = whole && (seq <= base || from == 0);
            let payload = entry.payload.as_ref().map_or(0, Payload::size);
            transaction.add_work(payload + work::ENTRY);
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
        let mut touched = Touched(BTreeSet::new());
        let mut value: Option<Json> = None;
        let mut replayed = 0;
        // What is on another resource leaves the value as it is.
        for entry in entries.iter().rev().filter(|entry| entry.resource == ResourceName::Value) {
            let Some(after) = replay(value.as_ref(), entry, limits) else { return Ok(Touched::everything()) };
            let bytes = value.as_ref().map_or(0, |before| before.as_str().len()) + after.as_str().len();
            transaction.add_work(bytes);
            replayed += bytes;
            if replayed > MOST_REPLAYED {
                return Ok(Touched::everything());
            }
            if entry.seq > base && (!author.made(entry.client, entry.seq) || entry.altered) {
                match &value {
                    Some(before) => changed(&parsed(before)?, &parsed(&after)?, &mut Vec::new(), &mut touched.0),
                    None => return Ok(Touched::everything()),
                }
                if touched.0.len() > MOST_PATHS {
                    return Ok(Touched::everything());
                }
            }
            value = Some(after);
        }
        Ok(touched)
    }
}

/// Whether others touched this resource, which is not the value, since `base`; so it counts where the log does not tell.
pub fn touched(
    transaction: &mut impl Transaction,
    head: &ItemHead,
    base: Rev,
    author: Author,
    resource: Resource<'_>,
) -> Stored<bool> {
    let mut seq = head.rev;
    for _ in 0..MOST_ENTRIES {
        transaction.add_work(work::ENTRY);
        let Some(entry) = named(transaction, seq)? else { return Ok(true) };
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
fn replay(before: Option<&Json>, entry: &StoredEntry, limits: &Limits) -> Option<Json> {
    match (entry.kind, before, &entry.payload) {
        (OpKind::Set, _, Some(Payload::Json(value))) => Some(value.clone()),
        (OpKind::Patch, Some(before), Some(Payload::Json(patch))) => patch::apply(before, patch, limits).ok(),
        _ => None,
    }
}

// Adds the paths of the properties by which `after` differs from `before`.
fn changed(before: &Value, after: &Value, path: &mut Vec<String>, out: &mut BTreeSet<Vec<String>>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
                path.push(name.clone());
                match (before.get(name), after.get(name)) {
                    (Some(before), Some(after)) => changed(before, after, path, out),
                    _ => drop(out.insert(path.clone())),
                }
                path.pop();
            }
        }
        (before, after) if before == after => {}
        _ => drop(out.insert(path.clone())),
    }
}

/// The value to commit for a set that is behind: what was sent, but for what others touched.
pub fn set(current: &Json, sent: &Json, touched: &Touched, limits: &Limits) -> Stored<Result<Json, Rejection>> {
    let sent_value = parsed(sent)?;
    let merged = merged(Some(&parsed(current)?), Some(&sent_value), &mut Vec::new(), touched);
    let merged = merged.unwrap_or(Value::Null);
    if merged == sent_value {
        return Ok(Ok(sent.clone()));
    }
    let merged = Json::from_value(&merged);
    Ok(match limits.check_value(&merged) {
        Ok(()) => Ok(merged),
        Err(error) => Err(rejection(Code::TOO_LARGE, format_args!("merged with the server's: {error}"))),
    })
}

fn merged(current: Option<&Value>, sent: Option<&Value>, path: &mut Vec<String>, touched: &Touched) -> Option<Value> {
    if !touched.meets(path) {
        return sent.cloned();
    }
    match (current, sent) {
        (Some(Value::Object(current)), Some(Value::Object(sent))) if !touched.covers(path) => {
            let mut members = Map::new();
            for name in current.keys().chain(sent.keys().filter(|name| !current.contains_key(*name))) {
                path.push(name.clone());
                if let Some(value) = merged(current.get(name), sent.get(name), path, touched) {
                    members.insert(name.clone(), value);
                }
                path.pop();
            }
            Some(Value::Object(members))
        }
        (current, _) => current.cloned(),
    }
}

/// The patch to commit for one that is behind: its operations but for those on what others touched. A `test` stays:
/// it is the client's own condition and touches nothing.
pub fn patch(sent: &Json, touched: &Touched) -> Stored<Result<Json, Rejection>> {
    let mut operations = match patch::parse(sent) {
        Ok(operations) => operations,
        Err(error) => return Ok(Err(rejection(Code::INVALID, error.reason))),
    };
    let all = operations.0.len();
    operations.0.retain(|operation| match operation {
        PatchOperation::Test(_) => true,
        PatchOperation::Move(moved) => {
            !touched.meets(&names(moved.from.as_str())) && !touched.meets(&names(moved.path.as_str()))
        }
        other => !touched.meets(&names(other.path().as_str())),
    });
    if operations.0.len() == all {
        return Ok(Ok(sent.clone()));
    }
    Json::from_serialize(&operations).map(Ok).map_err(StorageError::corrupt)
}

// The members that a JSON Pointer (RFC 6901) leads through.
fn names(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    fn touched_by(before: &str, after: &str) -> Touched {
        let mut out = BTreeSet::new();
        changed(&json(before).to_value().unwrap(), &json(after).to_value().unwrap(), &mut Vec::new(), &mut out);
        Touched(out)
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
    fn a_property_meets_what_holds_it_and_what_is_within_it() {
        let path = |text: &str| names(text);
        let touched = Touched(["/a/b", "/c", "/a/b/d", "/aa"].map(path).into());
        for (text, meets, covers) in [
            ("", true, false),
            ("/a", true, false),
            ("/a/b", true, true),
            ("/a/b/x/y", true, true),
            ("/a/bb", false, false),
            ("/a/a", false, false),
            ("/b", false, false),
            ("/c/x", true, true),
            ("/z", false, false),
        ] {
            assert_eq!((touched.meets(&path(text)), touched.covers(&path(text))), (meets, covers), "{text}");
        }
        assert!(Touched::everything().covers(&[]) && Touched::everything().meets(&path("/a")));
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
            let patch = patch(&json(sent), &touched).unwrap().unwrap();
            assert_eq!(patch::parse(&patch).unwrap().0.len(), left, "{sent}");
        }
    }
}
