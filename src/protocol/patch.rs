//! JSON Patch (RFC 6902) with bounds: what client and server both apply, and so must agree on.

use super::json::{Json, JsonError};
use super::limits::Limits;
use super::tree::Tree;
use json_patch::jsonptr::{Pointer, PointerBuf};
use json_patch::{
    AddOperation, CopyOperation, MoveOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation,
};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

// How many elements of arrays a patch may move up or down, and how many values it may carry about, for each byte that a value may have. Without it a
// patch of some kilobytes, compressed, could take minutes: each element that is taken off the front of an array moves all others.
const MOVES_PER_BYTE: usize = 64;

/// A patch does not apply; the value is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation {operation} of the patch failed at {path:?}: {reason}")]
pub struct PatchError {
    /// The index of the operation within the patch.
    pub operation: usize,
    /// The JSON Pointer that it failed at.
    pub path: String,
    /// What went wrong.
    pub reason: String,
}

/// Reads the RFC 6902 array.
pub fn parse(patch: &Json) -> Result<Patch, PatchError> {
    patch.to_patch().map_err(|error| PatchError { operation: 0, path: String::new(), reason: error.to_string() })
}

impl Json {
    /// The text of an RFC 6902 array as a patch.
    pub(crate) fn to_patch(&self) -> Result<Patch, JsonError> {
        let operations: Vec<Operation> = self.to()?;
        Ok(Patch(operations.into_iter().map(|operation| operation.0).collect()))
    }
}

/// An operation as a message has it. Not read by its own crate, for what it brings may have members of any name.
struct Operation(PatchOperation);

impl<'de> Deserialize<'de> for Operation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Operation, D::Error> {
        deserializer.deserialize_map(Members).map(Operation)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = PatchOperation;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an operation of a patch, which is an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PatchOperation, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(Tree)?;
            // Others may be there any number of times: they are ignored (RFC 6902, section 4).
            if !NAMES.contains(&name.as_str()) {
                continue;
            }
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!("an operation of a patch has {name:?} twice")));
            }
            members.insert(name, value);
        }
        operation_of(members)
            .map_err(|name| A::Error::custom(format!("an operation of a patch has no usable member {name:?}")))
    }
}

const NAMES: [&str; 4] = ["op", "path", "from", "value"];

/// An operation of its members; fails with the name of the one that is missing or of no use.
fn operation_of(mut members: Map<String, Value>) -> Result<PatchOperation, &'static str> {
    let pointer = |members: &Map<String, Value>, name| {
        let text = members.get(name).and_then(Value::as_str);
        text.and_then(|text| PointerBuf::parse(text).ok()).ok_or(name)
    };
    let path = pointer(&members, "path")?;
    let from = pointer(&members, "from");
    let value = members.remove("value").ok_or("value");
    Ok(match members.get("op").and_then(Value::as_str) {
        Some("add") => PatchOperation::Add(AddOperation { path, value: value? }),
        Some("remove") => PatchOperation::Remove(RemoveOperation { path }),
        Some("replace") => PatchOperation::Replace(ReplaceOperation { path, value: value? }),
        Some("move") => PatchOperation::Move(MoveOperation { path, from: from? }),
        Some("copy") => PatchOperation::Copy(CopyOperation { path, from: from? }),
        Some("test") => PatchOperation::Test(TestOperation { path, value: value? }),
        _ => return Err("op"),
    })
}

/// The patch that makes `to` of `from`; empty when they are the same.
pub fn diff(from: &Value, to: &Value) -> Patch {
    json_patch::diff(from, to)
}

/// Applies a patch to a value's text and gives the text of the result.
///
/// Fails when an operation does not apply, when the result would exceed `limits` (an operation
/// `copy` can double a value, so a small patch can ask for any amount of memory), and when it would move too much.
pub fn apply(value: &Json, patch: &Json, limits: &Limits) -> Result<Json, PatchError> {
    apply_counting(value, patch, limits, &mut 0)
}

/// Applies a patch like [`apply`] and adds to `moved` how many elements of arrays, and values, it has moved, also where it
/// fails: a patch of a few bytes can move many times what it and the value have.
pub fn apply_counting(value: &Json, patch: &Json, limits: &Limits, moved: &mut usize) -> Result<Json, PatchError> {
    let patch = parse(patch)?;
    let mut target = value.to_value().map_err(|error| PatchError {
        operation: 0,
        path: String::new(),
        reason: error.to_string(),
    })?;
    let mut moves = 0;
    let applied = apply_to(&mut target, &patch, limits, &mut moves, &mut 0);
    *moved = moved.saturating_add(moves);
    applied?;
    let result = Json::from_value(&target);
    let within = limits.check_value(&result);
    within.map_err(|error| PatchError {
        operation: patch.0.len().saturating_sub(1),
        path: String::new(),
        reason: error.to_string(),
    })?;
    Ok(result)
}

/// What a patch took that was applied in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Took {
    /// How many bytes it has copied within the value.
    pub copied: usize,
    /// How many elements of arrays, and values, it has moved.
    pub moved: usize,
}

/// Applies a patch to a value that others follow on, without a text in between; after an error the value is of no use.
///
/// The size of the result is not looked at: its text may have grown by what was copied and eight bytes for each of the patch's,
/// as a number may be longer when it is written anew (`1e15`).
pub(crate) fn apply_in_place(target: &mut Value, patch: &Json, limits: &Limits) -> Result<Took, PatchError> {
    let (mut moved, mut copied) = (0, 0);
    apply_to(target, &parse(patch)?, limits, &mut moved, &mut copied)?;
    Ok(Took { copied, moved })
}

/// Applies a patch in place; after an error `target` holds the operations before the failed one.
fn apply_to(
    target: &mut Value,
    patch: &Patch,
    limits: &Limits,
    moved: &mut usize,
    // Counted only where a value is multiplied: everything else was within a message's limits.
    copied: &mut usize,
) -> Result<(), PatchError> {
    for (index, operation) in patch.0.iter().enumerate() {
        let failed = |path: String, reason: String| PatchError { operation: index, path, reason };
        let path = operation.path().to_string();
        let added = match operation {
            PatchOperation::Add(add) => {
                *moved += behind(target, &add.path);
                Some(&add.value)
            }
            PatchOperation::Replace(replace) => Some(&replace.value),
            PatchOperation::Remove(remove) => {
                *moved += behind(target, &remove.path);
                None
            }
            PatchOperation::Move(movement) => {
                let source = target.pointer(movement.from.as_str());
                *moved += behind(target, &movement.from) + behind(target, &movement.path) + source.map_or(0, values);
                source
            }
            PatchOperation::Copy(copy) => {
                let source = target.pointer(copy.from.as_str());
                *copied += source.map_or(0, |value| Json::from_value(value).as_str().len());
                *moved += behind(target, &copy.path);
                source
            }
            PatchOperation::Test(_) => None,
        };
        if *moved > limits.value.saturating_mul(MOVES_PER_BYTE) {
            return Err(failed(path, "the patch moves too many elements of arrays".to_owned()));
        }
        if *copied > limits.value {
            return Err(failed(path, format!("the copies exceed {} bytes", limits.value)));
        }
        let levels = path.matches('/').count() + added.map_or(0, levels);
        if added.is_some() && levels > limits.nesting {
            return Err(failed(path, format!("more than {} levels of nesting", limits.nesting)));
        }
        json_patch::patch_unsafe(target, std::slice::from_ref(operation))
            .map_err(|error| failed(path, error.kind.to_string()))?;
    }
    Ok(())
}

/// How many elements of an array move where one is put or taken off at `path`.
fn behind(target: &Value, path: &Pointer) -> usize {
    let Some((parent, last)) = path.split_back() else { return 0 };
    let Some(Value::Array(items)) = target.pointer(parent.as_str()) else { return 0 };
    last.to_index().ok().and_then(|index| index.for_len_incl(items.len()).ok()).map_or(0, |index| items.len() - index)
}

/// How many values there are in one, itself among them.
fn values(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(values).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(values).sum::<usize>(),
        _ => 1,
    }
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn a_patch_applies_or_names_where_it_fails() {
        let patch = json(r#"[{"op":"replace","path":"/a","value":2},{"op":"add","path":"/l/-","value":3}]"#);
        let limits = Limits::default();
        assert_eq!(apply(&json(r#"{"a":1,"l":[1]}"#), &patch, &limits).unwrap(), json(r#"{"a":2,"l":[1,3]}"#));
        let error = apply(&json(r#"{"a":1}"#), &patch, &limits).unwrap_err();
        assert_eq!((error.operation, error.path.as_str()), (1, "/l/-"));
    }

    #[test]
    fn a_patch_is_read_as_its_crate_reads_it() {
        let text = r#"[{"op":"add","path":"/a/-","value":{"x":[1,null]},"more":1},{"op":"remove","path":""},{"op":"replace","path":"/~0~1","value":false},
            {"op":"move","from":"/a","path":"/b"},{"op":"copy","from":"","path":"/b"},{"op":"test","path":"/","value":null}]"#;
        assert_eq!(parse(&json(text)).unwrap(), serde_json::from_str::<Patch>(text).unwrap());
        for bad in [
            "{}",
            "[1]",
            r#"[{"op":"add","path":"/a"}]"#,
            r#"[{"op":"add","value":1}]"#,
            r#"[{"op":"move","path":"/a"}]"#,
            r#"[{"op":"move","path":"/a","from":1}]"#,
            r#"[{"op":"remove","path":"a"}]"#,
            r#"[{"op":"remove","path":"/~2"}]"#,
            r#"[{"op":"Add","path":"/a","value":1}]"#,
            r#"[{"path":"/a","value":1}]"#,
            r#"[{"op":"remove","path":"/a","path":"/b"}]"#,
        ] {
            assert!(serde_json::from_str::<Patch>(bad).is_err(), "{bad}");
            assert!(parse(&json(bad)).is_err(), "{bad}");
        }
        // Which its crate takes for an operation.
        assert!(parse(&json(r#"[["remove","/a"]]"#)).is_err());
    }

    #[test]
    fn a_patch_brings_members_of_any_name() {
        let value = r#"{"$serde_json::private::RawValue":"1"}"#;
        let patch = json(&format!(
            r#"[{{"op":"add","path":"/a","value":{value}}},{{"op":"test","path":"/a","value":{value}}}]"#
        ));
        let made = apply(&json("{}"), &patch, &Limits::default()).unwrap();
        assert_eq!(made.as_str(), format!(r#"{{"a":{value}}}"#));
    }

    #[test]
    fn copies_cannot_grow_or_nest_without_bound() {
        let double = r#"{"op":"copy","from":"","path":"/a"}"#;
        let patch = json(&format!("[{}]", vec![double; 200].join(",")));
        assert!(apply(&json(r#"{"a":0}"#), &patch, &Limits::default()).is_err());
        let double = r#"{"op":"copy","from":"/0","path":"/0/-"}"#;
        let patch = json(&format!("[{}]", vec![double; 64].join(",")));
        assert!(apply(&json("[[1]]"), &patch, &Limits::default()).is_err());
    }

    #[test]
    fn a_patch_moves_no_more_than_a_moment_takes() {
        let limits = Limits { value: 1_000, ..Limits::default() };
        let list = json(&format!("[{}]", vec!["0"; 400].join(",")));
        let patch = |operation: &str, times| json(&format!("[{}]", vec![operation; times].join(",")));
        let front = r#"{"op":"remove","path":"/0"},{"op":"add","path":"/0","value":0}"#;
        let turn = r#"{"op":"move","from":"/0","path":"/-"}"#;
        let carry = r#"{"op":"add","path":"","value":{"a":[0,0,0,0,0,0,0,0]}},{"op":"move","from":"/a","path":"/b"}"#;
        for (operation, fits) in [(front, 60), (turn, 120), (carry, 6_000)] {
            assert_eq!(apply(&list, &patch(operation, fits), &limits).map(drop), Ok(()), "{operation}");
            let error = apply(&list, &patch(operation, 2 * fits), &limits).unwrap_err();
            assert!(error.reason.contains("moves too many"), "{error}");
            assert!(apply(&list, &patch(operation, 2 * fits), &Limits::CONFIRMED).is_ok(), "{operation}");
        }
        // At the end nothing moves.
        let end = r#"{"op":"add","path":"/-","value":0},{"op":"remove","path":"/400"}"#;
        assert!(apply(&list, &patch(end, 10_000), &limits).is_ok());
    }

    #[test]
    fn what_a_patch_moves_is_counted_also_where_it_fails() {
        let value = json(r#"{"l":[0,1,2,3],"o":{"x":[1,2]}}"#);
        let remove = r#"{"op":"remove","path":"/l/0"}"#;
        let cases = [
            (r#"{"op":"replace","path":"/l/0","value":1}"#, 0, true),
            (r#"{"op":"add","path":"/l/-","value":1}"#, 0, true),
            (remove, 4, true),
            (r#"{"op":"add","path":"/l/1","value":1}"#, 3, true),
            (r#"{"op":"move","from":"/o","path":"/p"}"#, 4, true),
            (&format!(r#"{remove},{{"op":"test","path":"/l/0","value":7}}"#), 4, false),
            (&format!(r#"{{"op":"test","path":"/l/0","value":7}},{remove}"#), 0, false),
        ];
        for (operations, moves, applies) in cases {
            let mut moved = 100;
            let applied = apply_counting(&value, &json(&format!("[{operations}]")), &Limits::default(), &mut moved);
            assert_eq!((moved - 100, applied.is_ok()), (moves, applies), "{operations}");
        }
    }

    #[test]
    fn every_member_survives_a_diff() {
        let (from, to) =
            (serde_json::json!({"a": 1, "b/c": [1, 2], "~": null}), serde_json::json!({"b/c": [2], "~": {}}));
        let patch = Json::from_serialize(&diff(&from, &to)).unwrap();
        assert_eq!(apply(&Json::from_value(&from), &patch, &Limits::default()).unwrap(), Json::from_value(&to));
    }
}
