//! Who decides a conflict: a host's own resolver, or a ready-made one.

use super::merge::merge;
use super::{Conflict, Resolution};
use crate::protocol::{Json, JsonError, ResourceName};
use serde_json::Value;
use std::cmp::Ordering;

/// Why a resolver did not come to a decision.
pub type ResolverError = Box<dyn std::error::Error + Send + Sync>;

/// Decides conflicts as they come; see [`Options::resolver`](crate::Options::resolver).
///
/// Any `Fn(&Conflict) -> Result<Option<Resolution>, ResolverError>` is one.
pub trait ConflictResolver: Send + Sync {
    /// What to make of a conflict; `None`: leave it open, for the host to decide later.
    ///
    /// Called after what a sync brought is stored, in no transaction and with nothing locked: by [`Store::sync`](crate::Store::sync) and its like at the end of the
    /// call, on the thread that called; by the [background sync](crate::Store::start) after each of its runs, on a thread beside it, for which
    /// nothing waits. One conflict at a time, each once and again when more of theirs comes; after an error, or a panic, the
    /// conflict stays open, and the next sync asks again. What it writes is pushed like any write.
    ///
    /// It may call anything of the store, and take its time. [`Store::stop`](crate::Store::stop) and dropping the store do not wait for one that the
    /// background sync has asked: what it says afterwards is not heard, and the conflict stays open, to be asked about the next time. In
    /// [`Event::Conflict`](crate::Event::Conflict) the host hears of what is left open.
    fn resolve(&self, conflict: &Conflict) -> Result<Option<Resolution>, ResolverError>;
}

impl<F> ConflictResolver for F
where
    F: Fn(&Conflict) -> Result<Option<Resolution>, ResolverError> + Send + Sync,
{
    fn resolve(&self, conflict: &Conflict) -> Result<Option<Resolution>, ResolverError> {
        self(conflict)
    }
}

/// Which side stands where both changed the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// What this replica wrote.
    Ours,
    /// What others wrote.
    Theirs,
}

/// Merges values member by member: what one side alone changed stands.
///
/// Goes through objects at any depth. Arrays, texts, numbers and whole items that one side deleted are wholes, of which the preferred side's stands where both
/// changed them; so are index entries, relations and tags.
#[derive(Clone, Copy, Debug)]
pub struct FieldMerge(
    /// Which side stands where both changed the same thing.
    pub Prefer,
);

impl FieldMerge {
    /// What a merge makes of the three sides of a conflict; `None`: the item is to be absent.
    ///
    /// # Errors
    ///
    /// [`Error::Json`](crate::Error::Json) when a side is no JSON text, which none of a listed conflict is.
    pub fn merge(&self, conflict: &Conflict) -> crate::Result<Option<Value>> {
        let sides = [&conflict.base, &conflict.local, &conflict.remote];
        if conflict.resource != ResourceName::Value {
            // Wholes, whatever they look like.
            let [base, local, remote] = sides.map(|side| side.clone().map(Value::String));
            let merged = merge(base.as_ref(), local.as_ref(), remote.as_ref(), self.0);
            return Ok(read(&merged.and_then(|text| text.as_str().map(str::to_owned)))?);
        }
        let [base, local, remote] = sides.map(read);
        Ok(merge(base?.as_ref(), local?.as_ref(), remote?.as_ref(), self.0))
    }
}

impl ConflictResolver for FieldMerge {
    fn resolve(&self, conflict: &Conflict) -> Result<Option<Resolution>, ResolverError> {
        let merged = self.merge(conflict)?;
        // What is read says it with the ops that were meant, rather than with one that replaces the whole.
        Ok(Some(if merged == read(&conflict.view)? {
            Resolution::KeepRebased
        } else if merged == read(&conflict.remote)? {
            Resolution::TakeTheirs
        } else if merged == read(&conflict.local)? {
            Resolution::KeepOurs
        } else {
            match merged {
                Some(value) => Resolution::Merged(value),
                None => return Ok(None),
            }
        }))
    }
}

/// Takes the side that was written last, by a timestamp that the application keeps in each value.
///
/// Numbers are compared as numbers, texts bytewise (so RFC 3339 of one time zone and one precision). At the same time theirs stands. A conflict of anything but
/// values, or where a side is absent or has no such member, stays open.
#[derive(Clone, Debug)]
pub struct LastWriter {
    pointer: String,
}

impl LastWriter {
    /// By the member that a JSON Pointer (RFC 6901) leads to: `/updated_at`.
    pub fn by(pointer: impl Into<String>) -> LastWriter {
        LastWriter { pointer: pointer.into() }
    }
}

impl ConflictResolver for LastWriter {
    fn resolve(&self, conflict: &Conflict) -> Result<Option<Resolution>, ResolverError> {
        if conflict.resource != ResourceName::Value {
            return Ok(None);
        }
        let (local, remote) = (read(&conflict.local)?, read(&conflict.remote)?);
        let at = |side: &Option<Value>| side.as_ref().and_then(|value| value.pointer(&self.pointer)).cloned();
        Ok(match (at(&local), at(&remote)) {
            (Some(ours), Some(theirs)) => later(&ours, &theirs).map(|order| match order {
                Ordering::Greater => Resolution::KeepOurs,
                Ordering::Less | Ordering::Equal => Resolution::TakeTheirs,
            }),
            _ => None,
        })
    }
}

fn later(ours: &Value, theirs: &Value) -> Option<Ordering> {
    match (ours, theirs) {
        (Value::String(ours), Value::String(theirs)) => Some(ours.cmp(theirs)),
        (Value::Number(ours), Value::Number(theirs)) => match (ours.as_i128(), theirs.as_i128()) {
            (Some(ours), Some(theirs)) => Some(ours.cmp(&theirs)),
            _ => ours.as_f64()?.partial_cmp(&theirs.as_f64()?),
        },
        _ => None,
    }
}

fn read(side: &Option<String>) -> Result<Option<Value>, JsonError> {
    side.as_ref().map(|text| Json::from_stored(text.clone())?.to_value()).transpose()
}

#[cfg(test)]
mod tests {
    use super::super::ConflictId;
    use super::*;
    use serde_json::json;

    fn conflict(base: Option<Value>, local: Option<Value>, remote: Option<Value>, view: Option<Value>) -> Conflict {
        let text = |side: Option<Value>| side.map(|value| value.to_string());
        Conflict {
            id: ConflictId(1),
            collection: "c".into(),
            key: "k".into(),
            resource: ResourceName::Value,
            base: text(base),
            local: text(local),
            remote: text(remote),
            view: text(view),
            opened_at: 0,
            end: None,
            version: 1,
        }
    }

    #[test]
    fn a_merge_says_with_which_side_or_none_it_ends() {
        let (base, ours, theirs) = (json!({"a": 0, "b": 0}), json!({"a": 1, "b": 0}), json!({"a": 0, "b": 1}));
        let both = json!({"a": 1, "b": 1});
        let resolve = |local: &Value, remote: &Value, view: &Value| {
            let [base, local, remote, view] = [&base, local, remote, view].map(|value| Some(value.clone()));
            FieldMerge(Prefer::Ours).resolve(&conflict(base, local, remote, view)).unwrap().unwrap()
        };
        assert_eq!(resolve(&ours, &theirs, &ours), Resolution::Merged(both.clone()));
        assert_eq!(resolve(&ours, &theirs, &both), Resolution::KeepRebased);
        assert_eq!(resolve(&base, &theirs, &base), Resolution::TakeTheirs);
        assert_eq!(resolve(&ours, &base, &base), Resolution::KeepOurs);
        assert_eq!(resolve(&json!(1), &theirs, &json!(2)), Resolution::KeepOurs);
        let deleted = conflict(Some(base.clone()), None, Some(theirs.clone()), None);
        assert_eq!(FieldMerge(Prefer::Ours).resolve(&deleted).unwrap(), Some(Resolution::KeepRebased));
        assert_eq!(FieldMerge(Prefer::Theirs).resolve(&deleted).unwrap(), Some(Resolution::TakeTheirs));
    }

    #[test]
    fn the_last_writer_is_the_one_with_the_later_time() {
        let resolve = |ours: Value, theirs: Value| {
            let side = |at: Value| Some(json!({"meta": {"at": at}}));
            LastWriter::by("/meta/at").resolve(&conflict(None, side(ours), side(theirs), None)).unwrap()
        };
        assert_eq!(resolve(json!(2), json!(1)), Some(Resolution::KeepOurs));
        assert_eq!(resolve(json!(1), json!(1)), Some(Resolution::TakeTheirs));
        assert_eq!(resolve(json!(1.5), json!(2)), Some(Resolution::TakeTheirs));
        assert_eq!(resolve(json!(u64::MAX), json!(u64::MAX - 1)), Some(Resolution::KeepOurs));
        assert_eq!(resolve(json!("2026-11-20T10"), json!("2026-11-20T09")), Some(Resolution::KeepOurs));
        assert_eq!(resolve(json!("2"), json!(1)), None);
        assert_eq!(resolve(json!(null), json!(1)), None);
        let deleted = conflict(None, None, Some(json!({"meta": {"at": 1}})), None);
        assert_eq!(LastWriter::by("/meta/at").resolve(&deleted).unwrap(), None);
    }
}
