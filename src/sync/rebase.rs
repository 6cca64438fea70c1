//! Rebase: the view of an item is its base with the pending ops in order.

use crate::error::Result;
use crate::outbox::{Answer, Payload, Queued, Rejection, queue};
use crate::planted::{Planted, planted};
use crate::protocol::patch::{self, PatchError};
use crate::protocol::{Code, Content, Json, Limits, OpKind, ResourceName};
use crate::replica::resources::{self, Side};
use crate::replica::{Item, base, items};
use rusqlite::Connection;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The value after an op on it; `None`: there is no item then. Fails when the op does not apply.
pub(crate) fn apply_payload(value: Option<&str>, payload: &Payload) -> Result<Option<String>, PatchError> {
    match payload.kind {
        OpKind::Set => Ok(payload.text.clone()),
        OpKind::Delete => Ok(None),
        OpKind::Patch => {
            let value = value.ok_or_else(|| failed("there is no item to patch".into()))?;
            let patch = stored(payload.text.as_deref().unwrap_or("null"))?;
            Ok(Some(patch::apply(&stored(value)?, &patch, &Limits::CONFIRMED)?.into_string()))
        }
    }
}

/// A value as ops change it, one after the other: its text is read once and written once, however many patches follow each
/// other. What becomes of it is what [`apply_payload`] makes of it op by op.
pub(super) struct Draft {
    /// As of before the patches in `since`; `None`: there is no item.
    text: Option<String>,
    /// The value with those; `None`: nobody has read the text.
    tree: Option<Value>,
    since: Vec<Json>,
    /// The most bytes that the text of `tree` may have; above the limit: nobody knows.
    longest: usize,
}

impl Draft {
    pub fn new(text: Option<String>) -> Draft {
        Draft { text, tree: None, since: Vec::new(), longest: 0 }
    }

    /// Takes an op; how many bytes that was worth, of reading, writing and moving. After an error all is as before.
    pub fn apply(&mut self, payload: &Payload) -> Result<usize, PatchError> {
        if payload.kind != OpKind::Patch {
            *self = Draft::new(apply_payload(None, payload)?);
            return Ok(self.text.as_ref().map_or(0, String::len));
        }
        let before = self.text.as_ref().ok_or_else(|| failed("there is no item to patch".into()))?;
        let patch = stored(payload.text.as_deref().unwrap_or("null"))?;
        let mut bytes = payload.bytes();
        let mut tree = match self.tree.take() {
            Some(tree) => tree,
            None => {
                let text = stored(before)?;
                // To be written once, too.
                bytes += 2 * before.len();
                let fits = Limits::CONFIRMED.check_value(&text).is_ok();
                self.longest = if fits { before.len() } else { usize::MAX };
                text.to_value().map_err(|error| failed(error.to_string()))?
            }
        };
        let took = match patch::apply_in_place(&mut tree, &patch, &Limits::CONFIRMED) {
            Ok(took) => took,
            Err(error) => {
                self.reread();
                return Err(error);
            }
        };
        bytes = bytes.saturating_add(took.copied).saturating_add(took.moved);
        self.longest = self.longest.saturating_add(patch.as_str().len() * 8).saturating_add(took.copied);
        if self.longest > Limits::CONFIRMED.value {
            let text = Json::from_value(&tree);
            bytes = bytes.saturating_add(text.as_str().len());
            if let Err(error) = Limits::CONFIRMED.check_value(&text) {
                drop(tree);
                self.reread();
                return Err(failed(error.to_string()));
            }
            (self.longest, self.text) = (text.as_str().len(), Some(text.into_string()));
            self.since.clear();
        } else {
            self.since.push(patch);
        }
        self.tree = Some(tree);
        Ok(bytes)
    }

    pub fn is_some(&self) -> bool {
        self.text.is_some()
    }

    /// The text as it is now.
    pub fn text(&self) -> Option<String> {
        match &self.tree {
            Some(tree) if !self.since.is_empty() => Some(Json::from_value(tree).into_string()),
            _ => self.text.clone(),
        }
    }

    pub fn into_text(self) -> Option<String> {
        if self.since.is_empty() { self.text } else { self.text() }
    }

    /// Makes the value again that a patch has spoiled.
    fn reread(&mut self) {
        self.tree = None;
        let since = std::mem::take(&mut self.since);
        let Some(text) = self.text.as_deref().filter(|_| !since.is_empty()) else { return };
        // All of it has gone well before.
        let Ok(mut tree) = Json::read_value(text) else { return };
        for patch in &since {
            if patch::apply_in_place(&mut tree, patch, &Limits::CONFIRMED).is_err() {
                return;
            }
        }
        // The next failure has nothing to apply again.
        self.text = Some(Json::from_value(&tree).into_string());
    }
}

fn failed(reason: String) -> PatchError {
    PatchError { operation: 0, path: String::new(), reason }
}

fn stored(text: &str) -> Result<Json, PatchError> {
    Json::from_stored(text.to_owned()).map_err(|error| failed(error.to_string()))
}

/// An item as its pending ops leave it.
struct View {
    /// If there is no item, there are none of the others either.
    value: Draft,
    resources: BTreeMap<ResourceName, Content>,
}

impl View {
    /// Takes an op; whether it applies.
    fn apply(&mut self, payload: &Payload) -> bool {
        if payload.resource == ResourceName::Value {
            if self.value.apply(payload).is_err() {
                return false;
            }
            if !self.value.is_some() {
                self.resources.clear();
            }
            return true;
        }
        match payload.content() {
            Some(Some(content)) if self.value.is_some() => {
                self.resources.insert(payload.resource.clone(), content);
                true
            }
            Some(None) => {
                self.resources.remove(&payload.resource);
                true
            }
            _ => false,
        }
    }
}

/// Writes an item's row, its base and what its resources look like anew from what is confirmed of it and its pending ops.
///
/// The resources' base is in their rows already. An op that does not apply stays queued and is marked: the server
/// decides.
pub(crate) fn rebase(connection: &Connection, row: Item, confirmed: Option<&str>, ops: &[Queued]) -> Result<()> {
    let rows = resources::of_item(connection, row.id)?;
    let of_view = planted(Planted::ResourceRebasedOnView);
    let below = |row: &resources::Stored| if of_view { row.view.clone() } else { row.base.clone() };
    let confirmed_resources = rows.iter().filter_map(|row| Some((row.resource.clone(), below(row)?)));
    let mut view = View { value: Draft::new(confirmed.map(str::to_owned)), resources: confirmed_resources.collect() };
    for op in ops {
        let applies = view.apply(&op.payload);
        if applies != op.applies {
            queue::mark_applies(connection, op.id(), applies)?;
            if planted(Planted::UnappliedIsRejected) && !applies && !op.sent && op.payload.kind == OpKind::Patch {
                let why = Rejection::told(Some(&Code::PATCH_FAILED), Some("it no longer applies"), None, None);
                queue::record_answer(connection, op.id(), Answer::Rejected, None, Some(&why))?;
            }
        }
    }
    show(connection, row.id, &rows, &view.resources)?;
    let value = view.value.into_text();
    if value.is_none() && ops.is_empty() {
        base::delete(connection, row.id)?;
        return items::delete(connection, row.id);
    }
    keep_base(connection, row.id, confirmed.filter(|_| !ops.is_empty()))?;
    items::update(connection, Item { pending: ops.len() as u32, ..row }, value.as_deref())
}

/// Writes the resources whose view is another now.
fn show(
    connection: &Connection,
    item: i64,
    rows: &[resources::Stored],
    view: &BTreeMap<ResourceName, Content>,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    for row in rows {
        let content = view.get(&row.resource);
        seen.insert(&row.resource);
        if content != row.view.as_ref() {
            resources::put(connection, item, &row.resource, Side::View, content)?;
        }
    }
    for (resource, content) in view.iter().filter(|(resource, _)| !seen.contains(resource)) {
        resources::put(connection, item, resource, Side::View, Some(content))?;
    }
    Ok(())
}

fn keep_base(connection: &Connection, item: i64, value: Option<&str>) -> Result<()> {
    match value {
        Some(value) => base::insert(connection, item, value),
        None => base::delete(connection, item),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(operations: &str) -> Payload {
        Payload::of_value(OpKind::Patch, Some(format!("[{operations}]")))
    }

    #[test]
    fn a_draft_is_what_its_ops_make_of_the_value_one_by_one() {
        let mut state = 11_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let numbers =
            ["-0", "-0.0", "1e15", "1e16", "1E-7", "0.1", "18446744073709551615", "18446744073709551616", "5e-324"];
        let operations = |random: &mut dyn FnMut(usize) -> usize| {
            let number = numbers[random(numbers.len())];
            match random(14) {
                0 => r#"{"op":"remove","path":"/l/0"}"#.to_owned(),
                1 => r#"{"op":"move","from":"/l/0","path":"/a~1\u0001"}"#.to_owned(),
                2 => r#"{"op":"copy","from":"/l","path":"/l/0"}"#.to_owned(),
                3 => format!(r#"{{"op":"test","path":"/l/0","value":{number}}}"#),
                4 => r#"{"op":"remove","path":"/missing"}"#.to_owned(),
                5 => format!(r#"{{"op":"replace","path":"","value":{{"l":[{number}],"l":[{number}, 1]}}}}"#),
                _ => format!(r#"{{"op":"add","path":"/l/-","value":{number}}}"#),
            }
        };
        let (mut applied, mut failed) = (0, 0);
        for _ in 0..400 {
            let mut value =
                [None, Some(r#"{ "l":[1.0], "x":1, "x":2 }"#.to_owned()), Some("[".to_owned())][random(3)].clone();
            let mut draft = Draft::new(value.clone());
            for _ in 0..random(12) {
                let payload = match random(16) {
                    0 => Payload::of_value(OpKind::Delete, None),
                    1 => Payload::of_value(OpKind::Set, Some(r#"{"l": [2.50, "\u0041"]}"#.to_owned())),
                    2 => Payload::of_value(OpKind::Patch, Some("{".to_owned())),
                    _ => patch(&(0..1 + random(2)).map(|_| operations(&mut random)).collect::<Vec<_>>().join(",")),
                };
                let next = apply_payload(value.as_deref(), &payload);
                let same = draft.apply(&payload);
                assert_eq!(next.as_ref().map(drop), same.as_ref().map(drop), "{value:?} {payload:?}");
                match next {
                    Ok(next) => (value, applied) = (next, applied + 1),
                    Err(_) => failed += 1,
                }
                if random(3) == 0 {
                    assert_eq!(draft.text(), value);
                }
                assert_eq!(draft.is_some(), value.is_some());
            }
            assert_eq!(draft.into_text(), value);
        }
        assert!(applied > 300 && failed > 300, "{applied} {failed}");
    }

    #[test]
    fn a_draft_is_read_once_and_never_larger_than_a_value_may_be() {
        let text = format!(r#"{{"n":0,"text":"{}"}}"#, "x".repeat(1 << 20));
        let small = patch(r#"{"op":"replace","path":"/n","value":1}"#);
        let mut draft = Draft::new(Some(text.clone()));
        assert!(draft.apply(&small).unwrap() > 2 * text.len());
        for _ in 0..100 {
            assert!(draft.apply(&small).unwrap() < 1_000);
        }
        let text = format!(r#"{{"n":0,"text":"{}"}}"#, "x".repeat(33 << 20));
        let mut draft = Draft::new(Some(text.clone()));
        assert!(draft.apply(&small).is_ok());
        let copy = patch(r#"{"op":"copy","from":"/text","path":"/more"}"#);
        assert!(draft.apply(&copy).unwrap_err().to_string().contains("limit"), "of 64 MiB");
        assert!(draft.apply(&small).is_ok());
        assert_eq!(draft.into_text().unwrap().len(), text.len());
        // What only might be too long is looked at, and goes on from there.
        let text = format!(r#"{{"n":0,"text":"{}"}}"#, "x".repeat((64 << 20) - 10_000));
        let mut draft = Draft::new(Some(text.clone()));
        let zeros = patch(&format!(r#"{{"op":"replace","path":"/n","value":[{}0]}}"#, "0,".repeat(2_000)));
        assert!(draft.apply(&zeros).unwrap() > 3 * text.len());
        assert_eq!(draft.text().unwrap().len(), text.len() + 2 * 2_000 + 2);
        assert!(draft.apply(&small).is_ok());
        assert_eq!(draft.into_text().unwrap().len(), text.len());
        // A number may be four times as long as in the patch.
        let text = format!(r#"{{"n":0,"text":"{}"}}"#, "x".repeat((64 << 20) - 100_000));
        let mut draft = Draft::new(Some(text.clone()));
        let numbers = format!(r#"{{"op":"replace","path":"/n","value":[{}1]}}"#, "1e15,".repeat(10_000));
        assert!(draft.apply(&patch(&numbers)).unwrap_err().to_string().contains("limit"), "of 64 MiB");
        assert!(draft.apply(&small).is_ok());
        assert_eq!(draft.into_text().unwrap().len(), text.len());
    }
}
