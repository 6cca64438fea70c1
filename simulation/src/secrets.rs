//! Marks that must not come to those who may not see them: every write has one of its own.
//!
//! This looks at the text of an answer alone, whatever member it may stand in.

use crate::oracle::{Logged, Whole};
use crate::rights::Sight;
use std::collections::{BTreeMap, HashSet};

/// The mark of a write, as it stands in values, ordering keys and objects.
pub fn mark(number: u64) -> String {
    format!("m{number}m")
}

#[derive(Debug, Default)]
pub struct Secrets {
    /// What was in the log, with the items right before and after it of which a reader must see both.
    shown: Vec<(Vec<u64>, [Option<Tags>; 2])>,
    /// What each kind of reader may know, and how many of `shown` are in it.
    known: BTreeMap<Sight, (usize, HashSet<u64>)>,
    own: BTreeMap<u64, HashSet<u64>>,
}

/// An item with its tags alone.
type Tags = Whole;

fn tags_of(whole: &Whole) -> Tags {
    let tags = whole.resources.iter().filter(|(resource, _)| matches!(resource, syncstore::ResourceName::Tag(_)));
    let resources = tags.map(|(resource, content)| (resource.clone(), content.clone())).collect();
    Whole { value: Default::default(), resources }
}

/// The numbers of the marks in a text.
pub fn marks(text: &str) -> impl Iterator<Item = u64> + '_ {
    text.match_indices("\"m").filter_map(|(at, _)| {
        let rest = &text[at + 2..];
        let end = rest.find("m\"")?;
        rest[..end].parse().ok()
    })
}

/// The numbers of the marks in a text of any kind, each a word of its own.
pub fn marks_of_words(text: &str) -> impl Iterator<Item = u64> + '_ {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
    words.filter_map(|word| word.strip_prefix('m')?.strip_suffix('m')?.parse().ok())
}

/// The numbers of the marks in bytes, whatever stands around them: a length or a type may look like a letter.
pub fn marks_of_bytes(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'm').map(|(at, _)| &bytes[at + 1..]);
    starts.filter_map(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if rest.get(digits) != Some(&b'm') {
            return None;
        }
        std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
    })
}

impl Whole {
    /// The numbers of the marks in a value and what its resources hold.
    pub fn marks(&self) -> Vec<u64> {
        let contents: Vec<_> = self.resources.values().collect();
        marks(&serde_json::to_string(&(&*self.value, contents)).expect("JSON")).collect()
    }
}

impl Secrets {
    /// A user wrote this one.
    pub fn wrote(&mut self, user: u64, mark: u64) {
        self.own.entry(user).or_default().insert(mark);
    }

    /// All that a user wrote.
    pub fn own(&self, user: u64) -> HashSet<u64> {
        self.own.get(&user).cloned().unwrap_or_default()
    }

    /// The log has an entry, which made `after` of an item.
    pub fn entry(&mut self, logged: &Logged, before: Option<&Whole>, after: Option<&Whole>) {
        let Some(after) = after else { return };
        self.shown.push((after.marks(), [Some(tags_of(after)), None]));
        if let Some(payload) = &logged.payload {
            // A patch may name what is in no version, for it tests or replaces it.
            let found: Vec<u64> = marks(&payload.to_string()).collect();
            self.shown.push((found, [Some(tags_of(after)), before.map(tags_of)]));
        }
    }

    /// Fails if an answer has a mark of something that its reader never could see.
    pub fn check(&mut self, user: u64, sight: &Sight, what: &str, answer: &str) {
        let (from, known) = self.known.entry(sight.clone()).or_default();
        for (marks, items) in &self.shown[*from..] {
            if items.iter().flatten().all(|item| sight.sees(item)) {
                known.extend(marks);
            }
        }
        *from = self.shown.len();
        let own = self.own.get(&user);
        for mark in marks(answer) {
            let may = known.contains(&mark) || own.is_some_and(|own| own.contains(&mark));
            assert!(may, "user{user}, who sees {sight:?}, is told m{mark}m by {what}: {answer}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_wherever_they_stand() {
        let found = |text: &str| marks_of_words(text).collect::<Vec<_>>();
        assert_eq!(found(&mark(7)), [7]);
        assert_eq!(found(r#"{"n":"m1m","in":"{\"o\":\"m2m\"}"}"#), [1, 2]);
        let found_in_bytes = marks_of_bytes(b"\xffGm12m34m mm m5 \x17m6m\0").collect::<Vec<_>>();
        assert_eq!(found_in_bytes, [12, 34, 6]);
        assert!(found("mm m-1m m3 xm4m m5mx a-m6m").is_empty());
    }
}
