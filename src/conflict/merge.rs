//! Three-way merging of JSON values.

use super::resolvers::Prefer;
use crate::protocol::{Json, ResourceName};
use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation};
use serde_json::{Map, Value};

/// What both made of a base; `None`: it is absent.
///
/// Goes member by member where both sides are objects, at any depth; arrays and scalars are wholes. `prefer` says which side stands where both
/// changed the same thing, each in another way.
pub(super) fn merge(
    base: Option<&Value>,
    ours: Option<&Value>,
    theirs: Option<&Value>,
    prefer: Prefer,
) -> Option<Value> {
    if ours == theirs || theirs == base {
        return ours.cloned();
    }
    if ours == base {
        return theirs.cloned();
    }
    if let (Some(Value::Object(ours)), Some(Value::Object(theirs))) = (ours, theirs) {
        let none = Map::new();
        let base = base.and_then(Value::as_object).unwrap_or(&none);
        let names = theirs.keys().chain(ours.keys().filter(|name| !theirs.contains_key(*name)));
        let members = names
            .filter_map(|name| Some((name.clone(), merge(base.get(name), ours.get(name), theirs.get(name), prefer)?)));
        return Some(Value::Object(members.collect()));
    }
    match prefer {
        Prefer::Ours => ours.cloned(),
        Prefer::Theirs => theirs.cloned(),
    }
}

/// One side of a conflict with a change that belongs to it: from `before` to `after`, made on top of something that is not this side alone.
///
/// Of a value the change is taken member by member, of any other part as a whole.
pub(crate) fn advance(
    part: &ResourceName,
    before: Option<&str>,
    after: Option<&str>,
    side: Option<String>,
) -> Option<String> {
    if before == after {
        return side;
    }
    let read = |text: Option<&str>| text.map(|text| Json::from_stored(text.to_owned())?.to_value()).transpose();
    if *part == ResourceName::Value
        && side.as_deref() != before
        && let (Ok(before), Ok(after), Ok(side)) = (read(before), read(after), read(side.as_deref()))
    {
        let merged = merge(before.as_ref(), after.as_ref(), side.as_ref(), Prefer::Ours);
        return merged.map(|value| Json::from_value(&value).into_string());
    }
    after.map(str::to_owned)
}

/// The patch that makes one object of another and touches nothing that is the same in both; arrays are wholes.
///
/// A whole value in its place would take back what others change meanwhile, which they would take for a change, and so on without end.
pub(crate) fn members(from: &Map<String, Value>, to: &Map<String, Value>) -> Patch {
    let mut operations = Vec::new();
    add_members(from, to, &mut Vec::new(), &mut operations);
    Patch(operations)
}

fn add_members(
    from: &Map<String, Value>,
    to: &Map<String, Value>,
    path: &mut Vec<String>,
    operations: &mut Vec<PatchOperation>,
) {
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        path.push(name.clone());
        operations.push(PatchOperation::Remove(RemoveOperation { path: PointerBuf::from_tokens(&*path) }));
        path.pop();
    }
    for (name, value) in to {
        path.push(name.clone());
        match (from.get(name), value) {
            (Some(was), now) if was == now => {}
            (Some(Value::Object(was)), Value::Object(now)) => add_members(was, now, path, operations),
            // Whether or not it is there by then.
            _ => operations.push(PatchOperation::Add(AddOperation {
                path: PointerBuf::from_tokens(&*path),
                value: value.clone(),
            })),
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(base: Value, ours: Value, theirs: Value) -> (Value, Value) {
        let of = |prefer| merge(Some(&base), Some(&ours), Some(&theirs), prefer).unwrap();
        (of(Prefer::Ours), of(Prefer::Theirs))
    }

    #[test]
    fn what_one_side_alone_changed_stands_at_any_depth() {
        let base = json!({"a": 1, "b": {"c": 1, "d": 1}, "gone": 1, "list": [1]});
        let ours = json!({"a": 2, "b": {"c": 2, "d": 1}, "gone": 1, "list": [1], "new": {}});
        let theirs = json!({"a": 1, "b": {"c": 1, "d": 2, "e": 2}, "list": [1, 2]});
        let expected = json!({"a": 2, "b": {"c": 2, "d": 2, "e": 2}, "list": [1, 2], "new": {}});
        assert_eq!(merged(base, ours, theirs), (expected.clone(), expected));
    }

    #[test]
    fn where_both_changed_the_same_thing_the_preferred_side_stands() {
        let both = |base, ours: Value, theirs: Value| {
            assert_eq!(merged(base, ours.clone(), theirs.clone()), (ours, theirs));
        };
        both(json!({"a": 1}), json!({"a": 2}), json!({"a": 3}));
        both(json!({"a": [1]}), json!({"a": [1, 2]}), json!({"a": [0, 1]}));
        both(json!({"a": 1, "b": 1}), json!({"b": 1}), json!({"a": 2, "b": 1}));
        both(json!({}), json!({"a": 1}), json!({"a": {}}));
        both(json!(1), json!(2), json!({}));
        // Objects that both put where there was none are merged.
        let made = json!({"a": {"x": 1, "y": 1}});
        assert_eq!(merged(json!({}), json!({"a": {"x": 1}}), json!({"a": {"y": 1}})), (made.clone(), made));
    }

    #[test]
    fn a_side_may_be_absent() {
        let (one, two) = (json!(1), json!(2));
        let of = |base, ours, theirs| [Prefer::Ours, Prefer::Theirs].map(|prefer| merge(base, ours, theirs, prefer));
        assert_eq!(of(Some(&one), None, Some(&one)), [None, None]);
        assert_eq!(of(Some(&one), Some(&one), None), [None, None]);
        assert_eq!(of(Some(&one), None, Some(&two)), [None, Some(two.clone())]);
        assert_eq!(of(None, Some(&one), Some(&two)), [Some(one.clone()), Some(two.clone())]);
        assert_eq!(of(None, Some(&one), Some(&one)), [Some(one.clone()), Some(one.clone())]);
    }

    #[test]
    fn a_side_goes_on_with_its_own_changes_and_takes_nothing_of_the_other() {
        let on = |before, after, side: &str| advance(&ResourceName::Value, before, after, Some(side.to_owned()));
        let (shown, local) = (r#"{"mine":1,"theirs":1}"#, r#"{"mine":1,"theirs":0}"#);
        assert_eq!(on(Some(shown), Some(shown), local).as_deref(), Some(local));
        let seen = r#"{"mine":2,"theirs":1,"new":1}"#;
        assert_eq!(on(Some(shown), Some(seen), local).as_deref(), Some(r#"{"mine":2,"new":1,"theirs":0}"#));
        assert_eq!(on(Some(shown), None, local), None);
        assert_eq!(on(Some("1"), Some("2"), "0").as_deref(), Some("2"));
        assert_eq!(on(Some(local), Some(" {} "), local).as_deref(), Some(" {} "), "byte for byte");
        let relation = ResourceName::Relation("r".into());
        let whole =
            advance(&relation, Some(r#"{"p":1,"o":1}"#), Some(r#"{"p":1,"o":2}"#), Some(r#"{"p":2,"o":1}"#.into()));
        assert_eq!(whole.as_deref(), Some(r#"{"p":1,"o":2}"#));
    }

    #[test]
    fn a_patch_of_members_touches_what_differs_and_nothing_else() {
        let from = json!({"same": {"x": 1}, "a/b": 1, "gone": 1, "deep": {"x": 1, "~": [1]}, "was": {"x": 1}});
        let to = json!({"same": {"x": 1}, "a/b": 2, "deep": {"x": 1, "~": [1, 2]}, "was": 1, "new": {"y": 1}});
        let (Value::Object(one), Value::Object(other)) = (&from, &to) else { unreachable!() };
        let patch = members(one, other);
        let mut made = from.clone();
        json_patch::patch(&mut made, &patch).unwrap();
        assert_eq!(made, to);
        let mut paths: Vec<_> = patch.0.iter().map(|operation| operation.path().to_string()).collect();
        paths.sort();
        assert_eq!(paths, ["/a~1b", "/deep/~0", "/gone", "/new", "/was"]);
        assert!(members(one, one).0.is_empty());
    }
}
