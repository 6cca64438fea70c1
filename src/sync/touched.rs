//! An item within a slice: what it was, and what has become of it so far.

use super::contest::{Decided, Theirs};
use super::rebase::apply_payload;
use crate::error::Result;
use crate::outbox::Payload;
use crate::protocol::{Content, Ref, ResourceName, Rev};
use crate::replica::Item;
use crate::replica::resources::{self, Side};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// What a rejected patch made of a value is kept up to so many bytes: a small patch may be of a large value.
const LONGEST_MEANT: usize = 256 << 10;

/// How much is made again for ops that do not settle in their order, in bytes: a server may tell their outcomes backwards.
const MOST_AGAIN: u64 = 16 << 20;

/// What was confirmed of an item, as far as this slice knows.
pub(super) enum Base {
    /// As the file has it.
    Stored,
    /// A value, or that there is no item.
    Known(Option<String>),
    /// What the slice's draft is.
    Drafted,
}

/// What entries did to the resources of an item.
#[derive(Default)]
pub(super) struct Moved {
    /// All that there were are gone.
    pub cleared: bool,
    /// After that; `None`: this one is gone.
    pub changed: BTreeMap<ResourceName, Option<Content>>,
}

impl Moved {
    pub fn clear(&mut self) {
        *self = Moved { cleared: true, changed: BTreeMap::new() };
    }

    pub fn write(&self, connection: &Connection, item: i64, side: Side) -> Result<()> {
        if self.cleared {
            resources::clear(connection, item, side)?;
        }
        for (resource, content) in &self.changed {
            resources::put(connection, item, resource, side, content.as_ref())?;
        }
        Ok(())
    }
}

/// An item that a slice changes, or settles ops of.
pub(super) struct Touched {
    /// The row as it was; `None`: there was none.
    pub row: Option<Item>,
    /// The rev of the base as of the last entry; 0: no item.
    pub rev: Rev,
    pub base: Base,
    /// What became of its resources.
    pub moved: Moved,
    /// The row's value is the base already: the item's only op was committed as sent.
    pub view_is_base: bool,
    /// How many of its ops this slice has settled.
    pub settled: u32,
    /// Those of them on its value that others are behind, by their places; as long as `meant` has not got them.
    pub gone: Vec<(i64, Payload)>,
    /// What its ops made of its value; `None`: nobody has asked.
    pub meant: Option<Meant>,
    /// The last operation that changed its value, or ceased to.
    pub op: Option<Ref>,
    /// The same of its resources.
    pub resource_op: Option<Ref>,
    /// What others did to parts of it.
    pub theirs: Vec<Theirs>,
    /// What became of own ops on it.
    pub decided: Decided,
    /// The user may not see it any more.
    pub revoked: bool,
}

/// What its own ops made of an item's value, one on top of the other, from what was confirmed before the slice.
///
/// Ops settle in their order as a rule, so each goes on from where the one before it was: a rejected batch of patches
/// on one item takes as many steps as it has ops.
pub(super) struct Meant {
    /// The ops on it that apply, by their places: those that the slice has settled, and those that wait.
    ops: Vec<(i64, Payload)>,
    /// How many of them were taken.
    taken: usize,
    /// The value after those; the outer `None`: the last of them fails, and so does whatever is on top of it.
    value: Option<Option<String>>,
    /// What it has read and written since it began with what was confirmed, in bytes.
    bytes: u64,
    /// The same of all the times before that.
    again: u64,
}

impl Meant {
    pub fn new(confirmed: Option<String>, mut ops: Vec<(i64, Payload)>) -> Meant {
        ops.sort_by_key(|(id, _)| *id);
        Meant { ops, taken: 0, value: Some(confirmed), bytes: 0, again: 0 }
    }

    /// What there was with the op at a place on top, if all up to it apply, up to [`LONGEST_MEANT`].
    ///
    /// Ops that settle in another order begin again with what was confirmed, up to [`MOST_AGAIN`].
    pub fn at(&mut self, id: i64, confirmed: impl FnOnce() -> Result<Option<String>>) -> Result<Option<&str>> {
        let end = self.ops.partition_point(|(place, _)| *place <= id);
        if end < self.taken {
            self.again += std::mem::take(&mut self.bytes);
            if self.again > MOST_AGAIN {
                return Ok(None);
            }
            (self.taken, self.value) = (0, Some(confirmed()?));
        }
        while self.taken < end
            && let Some(before) = self.value.take()
        {
            let payload = &self.ops[self.taken].1;
            let length = |value: &Option<String>| value.as_ref().map_or(0, String::len);
            self.bytes += (length(&before) + payload.bytes()) as u64;
            self.value = apply_payload(before.as_deref(), payload).ok();
            self.bytes += self.value.as_ref().map_or(0, length) as u64;
            self.taken += 1;
        }
        Ok(self.value.as_ref().and_then(Option::as_deref).filter(|value| value.len() <= LONGEST_MEANT))
    }

    /// How many bytes it has read and written.
    pub fn bytes(&self) -> u64 {
        self.again + self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::OpKind;

    /// As it is said: all ops up to one, on top of what was confirmed.
    fn from_the_start(confirmed: Option<&str>, ops: &[(i64, Payload)], id: i64) -> Option<String> {
        let mut value = confirmed.map(str::to_owned);
        for (_, payload) in ops.iter().take_while(|(place, _)| *place <= id) {
            value = apply_payload(value.as_deref(), payload).ok()?;
        }
        value.filter(|value| value.len() <= LONGEST_MEANT)
    }

    fn patch(operations: &str) -> Payload {
        Payload::of_value(OpKind::Patch, Some(format!("[{operations}]")))
    }

    #[test]
    fn what_was_meant_is_what_all_ops_up_to_one_make_of_the_value() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let long = "x".repeat(LONGEST_MEANT);
        let (mut told, mut untold) = (0, 0);
        for _ in 0..100 {
            let mut ops = Vec::new();
            for place in 1..=1 + random(12) {
                let payload = match random(24) {
                    0 => Payload::of_value(OpKind::Delete, None),
                    1 | 2 => Payload::of_value(OpKind::Set, Some(format!(r#"{{"l":[0.1,{place}]}}"#))),
                    3 => patch(r#"{"op":"remove","path":"/missing"}"#),
                    4 => patch(&format!(r#"{{"op":"add","path":"/long","value":"{long}"}}"#)),
                    5 => patch(r#"{"op":"add","path":"/long","value":-0.0}"#),
                    6 => patch(r#"{"op":"remove","path":"/l/0"}"#),
                    _ => patch(&format!(r#"{{"op":"add","path":"/l/-","value":{place}}}"#)),
                };
                ops.push((place as i64 * 3, payload));
            }
            let confirmed = (random(8) > 0).then(|| r#"{"l":[1e300]}"#.to_owned());
            let mut meant = Meant::new(confirmed.clone(), ops.iter().rev().cloned().collect());
            let mut asked: Vec<i64> = ops.iter().map(|(place, _)| *place).filter(|_| random(4) > 0).collect();
            if random(3) == 0 {
                asked.reverse();
            }
            for id in asked {
                let expected = from_the_start(confirmed.as_deref(), &ops, id);
                assert_eq!(meant.at(id, || Ok(confirmed.clone())).unwrap(), expected.as_deref(), "{ops:?} {id}");
                *if expected.is_some() { &mut told } else { &mut untold } += 1;
            }
        }
        assert!(told > 100 && untold > 100, "{told} {untold}");
    }

    #[test]
    fn a_rejected_batch_on_one_item_takes_as_many_steps_as_it_has_ops() {
        const OPS: i64 = 400;
        let text = format!(r#"{{"n":0,"text":"{}"}}"#, "x".repeat(5_000));
        let ops = (1..=OPS).map(|id| (id, patch(r#"{"op":"replace","path":"/n","value":1}"#)));
        let ops: Vec<_> = ops.collect();
        let step = (2 * text.len() + ops[0].1.bytes()) as u64;
        let never = || panic!("it does not begin again");
        let mut meant = Meant::new(Some(text.clone()), ops.clone());
        for id in 1..=OPS {
            assert!(meant.at(id, never).unwrap().is_some());
        }
        assert_eq!(meant.bytes(), OPS as u64 * step);
        // Backwards, it ends somewhere.
        let mut meant = Meant::new(Some(text.clone()), ops);
        let told = (1..=OPS).rev().filter(|id| meant.at(*id, || Ok(Some(text.clone()))).unwrap().is_some()).count();
        assert!((2..OPS as usize).contains(&told), "{told}");
        assert!(meant.bytes() <= MOST_AGAIN + OPS as u64 * step);
    }
}
