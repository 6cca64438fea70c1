//! Coalescing: a new op that becomes part of the item's last one, when that has never been sent.

use super::queue::{Payload, Queued};
use crate::planted::{Planted, planted};
use crate::protocol::{Json, Limits, OpKind, ResourceName};
use serde_json::{Map, Value};

/// A patch that would grow beyond this many bytes by folding stays a row of its own.
const PATCH_BYTES: usize = 64 << 10;

/// A patch that would grow beyond this many operations by folding stays a row of its own.
const PATCH_OPERATIONS: usize = 256;

/// What the item's last op becomes when `next` folds into it; `None`: it must not.
///
/// `view` is the item's value after `next`. A fold is exact: the server ends with the same value whether it sees
/// the two ops or the one. (An op that the server would refuse is why a set does not fold into a patch: the
/// patch may be refused, and the ledger must be able to say so.) Nor is it larger than `limits` let it be.
pub(crate) fn fold(last: &Queued, next: &Payload, view: Option<&str>, limits: &Limits) -> Option<Payload> {
    // An op that does not apply will be refused, and must not take the new one with it.
    if last.sent && !planted(Planted::FoldsIntoSent) || last.batch.is_some() || !last.applies {
        return None;
    }
    if next.ends_item() {
        return Some(next.clone());
    }
    if last.payload.resource != next.resource && !planted(Planted::FoldsAcrossResources) {
        return None;
    }
    if next.resource != ResourceName::Value {
        if planted(Planted::ResourceFoldKeepsFirst) {
            return Some(last.payload.clone());
        }
        // The last word is the whole of it, and a delete ends nothing that a set would not begin the same way.
        return Some(next.clone());
    }
    match (last.payload.kind, next.kind) {
        (_, OpKind::Delete) | (OpKind::Set, OpKind::Set) => Some(next.clone()),
        (OpKind::Set, OpKind::Patch) => Some(Payload::of_value(OpKind::Set, Some(view?.to_owned()))),
        (OpKind::Patch, OpKind::Patch) => {
            let joined = join_patches(last.payload.text.as_deref()?, next.text.as_deref()?, limits)?;
            let lost = planted(Planted::AcceptedPatchLosesItsFold);
            let joined = if lost { last.payload.text.clone()? } else { joined };
            Some(Payload::of_value(OpKind::Patch, Some(joined)))
        }
        (OpKind::Patch, OpKind::Set) | (OpKind::Delete, _) => None,
    }
}

type Operation = Map<String, Value>;

fn join_patches(first: &str, second: &str, limits: &Limits) -> Option<String> {
    if first.len() + second.len() > 2 * PATCH_BYTES {
        return None;
    }
    let operations = |text: &str| -> Option<Vec<Operation>> {
        let Value::Array(operations) = Json::read_value(text).ok()? else { return None };
        let member = |operation| if let Value::Object(members) = operation { Some(members) } else { None };
        operations.into_iter().map(member).collect()
    };
    let mut joined = operations(first)?;
    for next in operations(second)? {
        if let Some(earlier) = superseded(&joined, &next) {
            joined[earlier].insert("value".into(), next.get("value")?.clone());
        } else {
            joined.push(next);
        }
    }
    if joined.len() > PATCH_OPERATIONS {
        return None;
    }
    let joined = Json::from_serialize(&joined).ok()?;
    let within = joined.as_str().len() <= PATCH_BYTES && limits.check_patch(&joined).is_ok();
    within.then(|| joined.into_string())
}

/// The earlier operation whose value `next` may take over: both replace the same place, and everything
/// between them replaces places that lie neither above nor below it.
fn superseded(earlier: &[Operation], next: &Operation) -> Option<usize> {
    let replaced = |operation: &Operation| match (operation.get("op"), operation.get("path")) {
        (Some(Value::String(op)), Some(Value::String(path))) if op == "replace" => Some(path.clone()),
        _ => None,
    };
    let path = replaced(next)?;
    for (index, operation) in earlier.iter().enumerate().rev() {
        let other = replaced(operation)?;
        if other == path {
            return Some(index);
        }
        let within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
        if within(&path, &other) || within(&other, &path) {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Answer;
    use crate::protocol::patch::apply;
    use crate::protocol::{BatchId, Content, Limits, Ref};

    fn payload(kind: OpKind, text: &str) -> Payload {
        Payload::of_value(kind, (kind != OpKind::Delete).then(|| text.to_owned()))
    }

    fn queued(kind: OpKind, text: &str) -> Queued {
        Queued {
            op_ref: Ref::from_parts(1, 1),
            item: 1,
            payload: payload(kind, text),
            base: None,
            batch: None,
            sent: false,
            answer: Answer::None,
            applies: true,
            seq: None,
            rejection: None,
        }
    }

    #[test]
    fn the_pairs_that_fold() {
        use OpKind::{Delete, Patch, Set};
        let patch = r#"[{"op":"replace","path":"/a","value":2}]"#;
        let view = Some(r#"{"a":2}"#);
        let fold_of = |last, next| {
            fold(
                &queued(last, if last == Patch { patch } else { "1" }),
                &payload(next, if next == Patch { patch } else { "2" }),
                view,
                &Limits::default(),
            )
            .map(|payload| payload.kind)
        };
        assert_eq!(fold_of(Set, Set), Some(Set));
        assert_eq!(fold_of(Set, Patch), Some(Set));
        assert_eq!(fold_of(Patch, Patch), Some(Patch));
        assert_eq!(fold_of(Patch, Set), None);
        assert_eq!(fold_of(Delete, Set), None);
        for last in [Set, Patch, Delete] {
            assert_eq!(fold_of(last, Delete), Some(Delete));
        }
    }

    #[test]
    fn ops_on_one_resource_fold_and_those_on_two_do_not() {
        let by = |name: &str| ResourceName::Index(name.to_owned());
        let set = |name: &str, order: &str| Payload::set(by(name), &Content::Order(order.to_owned()));
        let of = |last: Payload, next: &Payload| {
            fold(&Queued { payload: last, ..queued(OpKind::Set, "1") }, next, None, &Limits::default())
        };
        let delete = Payload::delete(by("a"));
        for (last, next) in [
            (set("a", "1"), set("a", "2")),
            (set("a", "1"), delete.clone()),
            (delete.clone(), set("a", "2")),
            (delete.clone(), delete.clone()),
            (set("a", "1"), Payload::of_value(OpKind::Delete, None)),
            (delete.clone(), Payload::of_value(OpKind::Delete, None)),
        ] {
            assert_eq!(of(last, &next), Some(next));
        }
        let tag = Payload::set(ResourceName::Tag("a".into()), &Content::Tag);
        let value = payload(OpKind::Set, "1");
        for (last, next) in [
            (set("a", "1"), set("b", "2")),
            (set("a", "1"), tag),
            (set("a", "1"), value.clone()),
            (value, set("a", "1")),
            (Payload::of_value(OpKind::Delete, None), set("a", "1")),
            (Payload::of_value(OpKind::Delete, None), delete),
        ] {
            assert_eq!(of(last, &next), None);
        }
    }

    #[test]
    fn what_was_sent_or_is_in_a_batch_or_does_not_apply_stays_as_it_is() {
        let next = payload(OpKind::Set, "2");
        let unfit: [fn(&mut Queued); 3] =
            [|op| op.sent = true, |op| op.batch = Some((BatchId::from_random(1), 2)), |op| op.applies = false];
        for change in unfit {
            let mut last = queued(OpKind::Set, "1");
            change(&mut last);
            assert_eq!(fold(&last, &next, Some("2"), &Limits::default()), None);
        }
    }

    #[test]
    fn a_slider_stays_one_operation() {
        let mut last = queued(OpKind::Patch, r#"[{"op":"replace","path":"/x","value":0}]"#);
        for step in 1..1_000 {
            let path = if step % 2 == 0 { "/x" } else { "/y" };
            let next = payload(OpKind::Patch, &format!(r#"[{{"op":"replace","path":"{path}","value":{step}}}]"#));
            last.payload = fold(&last, &next, None, &Limits::default()).unwrap();
        }
        let patch = Json::parse(last.payload.text.as_deref().unwrap()).unwrap();
        assert_eq!(patch.to::<Vec<Value>>().unwrap().len(), 2);
        let result = apply(&Json::parse(r#"{"x":-1,"y":-1}"#).unwrap(), &patch, &Limits::default()).unwrap();
        assert_eq!(result, Json::parse(r#"{"x":998,"y":999}"#).unwrap());
    }

    #[test]
    fn joined_patches_do_what_the_two_did() {
        let cases = [
            // What lies between replaces within what the second replaces.
            (
                r#"[{"op":"replace","path":"/a","value":{"b":1}},{"op":"replace","path":"/a/b","value":2}]"#,
                r#"[{"op":"replace","path":"/a","value":{"b":3}}]"#,
            ),
            // The second replaces within what lies between.
            (
                r#"[{"op":"replace","path":"/a/b","value":1},{"op":"replace","path":"/a","value":{"b":5,"c":6}}]"#,
                r#"[{"op":"replace","path":"/a/b","value":7}]"#,
            ),
            // Positions shift between the two.
            (
                r#"[{"op":"replace","path":"/l/0","value":1},{"op":"remove","path":"/l/0"}]"#,
                r#"[{"op":"replace","path":"/l/0","value":9}]"#,
            ),
            (
                r#"[{"op":"replace","path":"/l/0","value":1}]"#,
                r#"[{"op":"add","path":"/l/0","value":3},{"op":"replace","path":"/l/0","value":4}]"#,
            ),
            (
                r#"[{"op":"add","path":"/n","value":1}]"#,
                r#"[{"op":"replace","path":"/n","value":2},{"op":"move","from":"/n","path":"/m"}]"#,
            ),
        ];
        let start = Json::parse(r#"{"a":{"b":0},"l":[1,2,3]}"#).unwrap();
        let limits = Limits::default();
        for (first, second) in cases {
            let json = |text: &str| Json::parse(text).unwrap();
            let apart = apply(&apply(&start, &json(first), &limits).unwrap(), &json(second), &limits).unwrap();
            let joined = join_patches(first, second, &limits).unwrap();
            assert_eq!(apply(&start, &json(&joined), &limits).unwrap(), apart, "{joined}");
        }
    }

    #[test]
    fn a_patch_does_not_grow_without_end() {
        let mut last = queued(OpKind::Patch, r#"[{"op":"add","path":"/l/-","value":0}]"#);
        let next = payload(OpKind::Patch, r#"[{"op":"add","path":"/l/-","value":1}]"#);
        let mut folds = 0;
        while let Some(joined) = fold(&last, &next, None, &Limits::default()) {
            last.payload = joined;
            folds += 1;
            assert!(folds <= PATCH_OPERATIONS);
        }
        assert_eq!(folds, PATCH_OPERATIONS - 1);
    }

    #[test]
    fn what_is_joined_is_bounded_before_it_is_read_and_after() {
        let limits = Limits::default();
        let replace = |bytes: usize| {
            let patch = r#"[{"op":"replace","path":"/a","value":1}]"#;
            patch.to_owned() + &" ".repeat(bytes - patch.len())
        };
        assert!(join_patches(&replace(PATCH_BYTES), &replace(PATCH_BYTES), &limits).is_some());
        assert_eq!(join_patches(&replace(PATCH_BYTES), &replace(PATCH_BYTES + 1), &limits), None);
        let add = |bytes: usize| {
            let around = r#"[{"op":"add","path":"/l/-","value":""}]"#.len();
            format!(r#"[{{"op":"add","path":"/l/-","value":"{}"}}]"#, "x".repeat(bytes - around))
        };
        // Joined they are one byte shorter: two brackets go, and a comma comes.
        assert_eq!(join_patches(&add(1_000), &add(PATCH_BYTES - 999), &limits).unwrap().len(), PATCH_BYTES);
        assert_eq!(join_patches(&add(1_000), &add(PATCH_BYTES - 998), &limits), None);
    }

    #[test]
    fn what_is_no_patch_is_joined_to_nothing() {
        let patch = r#"[{"op":"add","path":"/l/-","value":1}]"#;
        let limits = Limits::default();
        assert!(join_patches(patch, patch, &limits).is_some());
        for damaged in ["{}", "[1]", "[", ""] {
            assert_eq!(join_patches(damaged, patch, &limits), None);
            assert_eq!(join_patches(patch, damaged, &limits), None);
        }
    }

    #[test]
    fn what_is_joined_is_a_patch_that_the_server_takes() {
        let limits = Limits { value: 1_000, ..Limits::default() };
        let around = r#"[{"op":"add","path":"/l/-","value":""}]"#.len();
        let add = |bytes: usize| format!(r#"[{{"op":"add","path":"/l/-","value":"{}"}}]"#, "x".repeat(bytes - around));
        let fold_of = |first: usize, second: usize| {
            let next = payload(OpKind::Patch, &add(second));
            fold(&queued(OpKind::Patch, &add(first)), &next, None, &limits)
        };
        let joined = fold_of(1_000, 1_025).unwrap();
        limits.check_patch(&Json::parse(joined.text.as_deref().unwrap()).unwrap()).unwrap();
        assert_eq!(fold_of(1_000, 1_026), None);
    }
}
