//! JSON Patch as client and server apply it, against the crate beneath it.

use crate::source::Source;
use json_patch::Patch;
use serde_json::Value;
use syncstore::protocol::{Json, Limits, patch};

/// Applies a patch to a value: made up of the input's choices, or its text with the two parts between a NUL.
pub fn json_patch(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let (value, patch_text) = if mode & 1 == 0 {
        let mut source = Source::new(rest);
        (source.json_text(), source.patch_text())
    } else {
        let Ok(text) = std::str::from_utf8(rest) else { return };
        let Some((value, patch)) = text.split_once('\0') else { return };
        (value.to_owned(), patch.to_owned())
    };
    let (Ok(value), Ok(patch_json)) = (Json::parse(&value), Json::parse(&patch_text)) else { return };
    let mut limits = Limits::default();
    (limits.value, limits.nesting) = if mode & 2 == 0 { (1 << 16, 128) } else { (1 << 20, 8) };
    let ours = patch::apply(&value, &patch_json, &limits);
    if let Ok(result) = &ours {
        limits.check_value(result).expect("the result is within the limits");
        result.check().expect("the result is JSON that every format carries");
    }
    let read = patch::parse(&patch_json);
    // The crate's own reader takes an array for an operation, and one name of a member for something of serde_json's.
    let is_of_objects = patch_json
        .to_value()
        .is_ok_and(|patch| patch.as_array().is_some_and(|operations| operations.iter().all(Value::is_object)));
    if is_of_objects && !patch_json.as_str().contains("$serde_json") {
        assert_eq!(read.as_ref().ok(), patch_json.to::<Patch>().ok().as_ref(), "both read {patch_json}");
    }
    let (Ok(before), Ok(parsed)) = (value.to_value(), read) else {
        assert!(ours.is_err(), "what does not parse does not apply");
        return;
    };
    differs_nowhere(&before, &parsed, &ours, &limits);
}

fn differs_nowhere(before: &Value, parsed: &Patch, ours: &Result<Json, patch::PatchError>, limits: &Limits) {
    // Doubling by copies is what our bounds are for; theirs has none.
    let copies = parsed.0.iter().filter(|operation| matches!(operation, json_patch::PatchOperation::Copy(_))).count();
    if copies > 12 {
        return;
    }
    let mut theirs = before.clone();
    // Not `patch`, which undoes what it began and panics where its undoing fails.
    match (json_patch::patch_unsafe(&mut theirs, parsed), ours) {
        (Ok(()), Ok(ours)) => {
            assert_eq!(ours.to_value().expect("a result parses"), theirs, "both applied {parsed}");
            let back = patch::diff(before, &theirs);
            let back = Json::from_serialize(&back).expect("a difference serialises");
            if let (Ok(result), true) =
                (patch::apply(&Json::from_value(before), &back, limits), back.nesting() < limits.nesting)
            {
                assert_eq!(result.to_value().expect("a result parses"), theirs, "the difference makes the same");
            }
        }
        (Ok(()), Err(error)) => {
            let bounds = ["exceed", "levels of nesting", "the limit is", "moves too many"];
            assert!(bounds.iter().any(|words| error.reason.contains(words)), "only bounds refuse more: {error}");
        }
        (Err(_), Ok(_)) => panic!("{parsed} does not apply to {before}"),
        (Err(_), Err(_)) => {}
    }
}
