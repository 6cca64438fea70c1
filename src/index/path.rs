//! Where in a value an index looks, and what it finds there.

use super::ordering::encode;
use super::{IndexError, IndexValue, IndexedField};
use json_patch::jsonptr::Pointer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The most steps of a pointer: each is a level of the stack.
const MOST_STEPS: usize = 64;

/// The longest pointer that may be declared, in bytes: it stands in triggers, and every step in it is a name.
const LONGEST_POINTER: usize = 4 << 10;

/// The beginning of a pointer that is too long to be declared.
pub(crate) fn beginning_of_long(pointer: &str) -> Option<String> {
    (pointer.len() > LONGEST_POINTER).then(|| pointer.chars().take(64).chain(['…']).collect())
}

/// A field, ready to be looked for.
#[derive(Debug)]
pub(crate) struct Path {
    steps: Vec<Step>,
    dates: bool,
}

#[derive(Debug)]
struct Step {
    name: String,
    /// Of an array's member, if it can name one.
    place: Option<usize>,
}

impl Path {
    pub fn new(field: &IndexedField) -> Result<Path, IndexError> {
        let refused = || IndexError::Pointer(field.pointer.clone());
        let pointer = Pointer::parse(&field.pointer).map_err(|_| refused())?;
        let steps: Vec<Step> = pointer
            .tokens()
            .map(|token| {
                let name = token.decoded().into_owned();
                // RFC 6901: digits without a leading 0.
                let is_number =
                    name.bytes().all(|digit| digit.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
                Step { place: name.parse().ok().filter(|_| is_number), name }
            })
            .collect();
        if steps.len() > MOST_STEPS { Err(refused()) } else { Ok(Path { steps, dates: field.dates }) }
    }

    /// The ordering keys that a value has, each once, in order.
    ///
    /// One for a string, a number or a boolean; one for each such member of an array. None for what is not there, null, an
    /// object, what is in an array within the array, and what is no JSON.
    pub fn ordering_keys(&self, value: &str) -> Vec<String> {
        let mut found = Vec::new();
        let look = At { steps: &self.steps, dates: self.dates, found: &mut found };
        let mut parser = serde_json::Deserializer::from_str(value);
        if look.deserialize(&mut parser).is_err() {
            found.clear();
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Goes on from a value by the steps that are left.
struct At<'a> {
    steps: &'a [Step],
    dates: bool,
    found: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.steps {
            [] => deserializer.deserialize_any(Leaf { members: true, dates: self.dates, found: self.found }),
            _ => deserializer.deserialize_any(self),
        }
    }
}

macro_rules! nothing {
    ($($visit:ident: $type:ty),*) => {$(
        fn $visit<E>(self, _: $type) -> Result<(), E> {
            Ok(())
        }
    )*};
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    nothing!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((step, steps)) = self.steps.split_first() else { return Err(A::Error::custom("no step is left")) };
        while let Some(is_it) = map.next_key_seed(Named(&step.name))? {
            if is_it {
                // Of a name that comes twice the last counts, as everywhere.
                self.found.clear();
                map.next_value_seed(At { steps, dates: self.dates, found: &mut *self.found })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((step, steps)) = self.steps.split_first() else { return Err(A::Error::custom("no step is left")) };
        let mut place = 0;
        loop {
            let more = if step.place == Some(place) {
                seq.next_element_seed(At { steps, dates: self.dates, found: &mut *self.found })?.is_some()
            } else {
                seq.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                return Ok(());
            }
            place += 1;
        }
    }
}

/// Whether a member's name is the one that is looked for.
struct Named<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Named<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// Takes what the index is of; `members`: an array's members too.
struct Leaf<'a> {
    members: bool,
    dates: bool,
    found: &'a mut Vec<String>,
}

impl Leaf<'_> {
    fn take(self, value: IndexValue) {
        self.found.push(encode(&value, self.dates));
    }
}

impl<'de> DeserializeSeed<'de> for Leaf<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! taken {
    ($($visit:ident: $type:ty),*) => {$(
        fn $visit<E>(self, value: $type) -> Result<(), E> {
            self.take(value.into());
            Ok(())
        }
    )*};
}

impl<'de> Visitor<'de> for Leaf<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    taken!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        loop {
            let more = if self.members {
                let leaf = Leaf { members: false, dates: self.dates, found: &mut *self.found };
                seq.next_element_seed(leaf)?.is_some()
            } else {
                seq.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::ordering::decode;

    fn found(pointer: &str, value: &str) -> Vec<IndexValue> {
        let keys = Path::new(&pointer.into()).unwrap().ordering_keys(value);
        keys.iter().map(|key| decode(key).unwrap()).collect()
    }

    #[test]
    fn what_stands_at_a_pointer_is_found() {
        let text = |text: &str| vec![IndexValue::Text(text.into())];
        assert_eq!(found("/a", r#"{"b": [1, {"a": 2}], "a": "x", "c": null}"#), text("x"));
        assert_eq!(found("/a/b", r#"{"a": {"b": "x"}}"#), text("x"));
        assert_eq!(found("/a~1b/~01", r#"{"a/b": {"~1": "x"}}"#), text("x"));
        assert_eq!(found("/\\u0061", r#"{"\u0061": "no", "\\u0061": "x"}"#), text("x"));
        assert_eq!(found("/a", r#"{"\u0061": "\u0000\ud83d\ude00"}"#), text("\0😀"));
        assert_eq!(found("/1/0", r#"[["no"], ["x", "no"], ["no"]]"#), text("x"));
        assert_eq!(found("/1/0", r#"{"1": {"0": "x"}}"#), text("x"));
        assert_eq!(found("", r#" "x" "#), text("x"));
        assert_eq!(found("/", r#"{"": "x"}"#), text("x"));
        assert_eq!(found("/a", r#"{"a": "first", "a": "x"}"#), text("x"));
        assert_eq!(found("/a/b", r#"{"a": {"b": "first"}, "a": {"c": 1}}"#), []);
        for nothing in
            ["null", "1", "[]", r#""a""#, r#"{"a": null}"#, r#"{"a": {}}"#, r#"{"a": {"a": 1}}"#, r#"{"a": []}"#]
        {
            assert_eq!(found("/a", nothing), [], "{nothing}");
        }
        for nothing in [r#"["x"]"#, r#"["y", "x"]"#] {
            assert_eq!(found("/01", nothing), [], "{nothing}");
            assert_eq!(found("/+1", nothing), [], "{nothing}");
            assert_eq!(found("/-", nothing), [], "{nothing}");
        }
    }

    #[test]
    fn an_array_has_an_entry_for_each_member_once() {
        let value = r#"[2, "b", true, null, ["no"], {"no": 1}, 2.0, "b", 18446744073709551615, -1, 1.5, false]"#;
        let expected = [
            IndexValue::Bool(false),
            IndexValue::Bool(true),
            IndexValue::Integer(-1),
            IndexValue::Float(1.5),
            IndexValue::Integer(2),
            IndexValue::Unsigned(u64::MAX),
            IndexValue::Text("b".into()),
        ];
        assert_eq!(found("", value), expected);
    }

    #[test]
    fn what_is_no_json_has_nothing() {
        for value in ["", "{", r#"{"a": "x""#, r#"{"a": "x", "b"}"#, r#"{"a": "\ud800"}"#, "[1e999]"] {
            assert_eq!(found("/a", value), [], "{value}");
        }
        let deep = format!(r#"{{"b": {}1{}, "a": 1}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(found("/a", &deep), [IndexValue::Integer(1)]);
    }

    #[test]
    fn a_pointer_is_checked() {
        for wrong in ["a", "a/b", "/~", "/~2", &"/a".repeat(MOST_STEPS + 1)] {
            assert!(matches!(Path::new(&wrong.into()), Err(IndexError::Pointer(_))), "{wrong}");
        }
        let deep = "/a".repeat(MOST_STEPS);
        assert_eq!(found(&deep, &format!("{}1{}", r#"{"a":"#.repeat(MOST_STEPS), "}".repeat(MOST_STEPS))).len(), 1);
    }
}
