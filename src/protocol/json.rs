//! JSON kept as text: checked once, handed on as bytes, parsed only for who needs the value.

use super::limits::Limits;
use super::transcode;
use super::tree::Tree;
use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;

/// A text is not a JSON value that every format can carry, or a value has not the shape that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("unusable JSON: {0}")]
pub struct JsonError(#[from] serde_json::Error);

impl JsonError {
    pub(crate) fn other(words: &str) -> JsonError {
        JsonError(serde::de::Error::custom(words))
    }

    pub(crate) fn too_large(bytes: usize, limit: usize) -> JsonError {
        JsonError(serde::de::Error::custom(format!("it has {bytes} bytes; the limit is {limit}")))
    }
}

/// A JSON value as its text.
///
/// It travels through JSON messages unparsed and through MessagePack by transcoding; either way
/// integers within 64 bits and doubles arrive unchanged.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

// Deep enough for every value within the limits together with the message around it, shallow
// enough for the stack of any thread that parses it.
const PARSE_DEPTH: usize = 512;

impl Json {
    /// Checks a text in full: grammar, Unicode escapes, and that every number is a finite double or a
    /// 64-bit integer.
    pub fn parse(text: &str) -> Result<Json, JsonError> {
        let json = Json(RawValue::from_string(text.to_owned())?);
        json.check()?;
        Ok(json)
    }

    /// For a member that may be absent: tells one that is `null` from that, with
    /// `#[serde(default, deserialize_with = "Json::present")]`.
    pub fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
        Json::deserialize(deserializer).map(Some)
    }

    /// Takes a text that was checked before (a row of the replica); still checks the grammar, since a
    /// disk may have changed it.
    pub fn from_stored(text: String) -> Result<Json, JsonError> {
        Ok(Json(RawValue::from_string(text)?))
    }

    /// The text of anything that serialises to JSON.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Json, JsonError> {
        let json = Json(serde_json::value::to_raw_value(value)?);
        // A `RawValue` inside `value` was checked for its grammar only.
        json.check()?;
        Ok(json)
    }

    /// The text of a parsed value.
    pub fn from_value(value: &Value) -> Json {
        Json(serde_json::value::to_raw_value(value).unwrap_or_else(|_| Json::null().0))
    }

    /// The value `null`.
    pub fn null() -> Json {
        Json(RawValue::NULL.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        String::from(Box::<str>::from(self.0))
    }

    /// The value as a `T`; an error when its shape is another.
    ///
    /// [`Json::to_value`] is for a [`Value`]: serde_json, asked for one, takes an object whose first member is `$serde_json::private::RawValue` for something of its own.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        Json::read(self.as_str())
    }

    /// A text as a `T`, without keeping it.
    pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
        read_with(text, PhantomData)
    }

    /// The parsed value, whatever its members are called.
    pub fn to_value(&self) -> Result<Value, JsonError> {
        Json::read_value(self.as_str())
    }

    /// A text as a value, without keeping it.
    pub(crate) fn read_value(text: &str) -> Result<Value, JsonError> {
        read_with(text, Tree)
    }

    /// How many arrays and objects stand within each other; 0 for a scalar.
    pub fn nesting(&self) -> usize {
        nesting(self.as_str().as_bytes())
    }

    /// Whether both are the same JSON value: the order of members and the white space do not count.
    pub fn same_value(&self, other: &Json) -> bool {
        self.as_str() == other.as_str() || matches!((self.to_value(), other.to_value()), (Ok(a), Ok(b)) if a == b)
    }

    /// Parses every part without keeping any: what `RawValue` leaves unchecked are lone surrogates
    /// and numbers beyond a double.
    pub fn check(&self) -> Result<(), JsonError> {
        self.check_nested(PARSE_DEPTH)
    }

    /// Like [`Json::check`], with the bounds of a value.
    pub(crate) fn check_within(&self, limits: &Limits) -> Result<(), JsonError> {
        if self.as_str().len() > limits.value {
            return Err(JsonError::too_large(self.as_str().len(), limits.value));
        }
        self.check_nested(limits.nesting)
    }

    /// Like [`Json::check`], with a bound for arrays and objects within each other.
    pub(crate) fn check_nested(&self, levels: usize) -> Result<(), JsonError> {
        let mut parser = serde_json::Deserializer::from_str(self.as_str());
        parser.disable_recursion_limit();
        Ok(Checked { levels: levels.min(PARSE_DEPTH) }.deserialize(&mut parser)?)
    }
}

fn read_with<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> Result<S::Value, JsonError> {
    if nesting(text.as_bytes()) > PARSE_DEPTH {
        return Err(JsonError::other(&format!("more than {PARSE_DEPTH} levels of nesting")));
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.disable_recursion_limit();
    let value = seed.deserialize(&mut parser)?;
    parser.end()?;
    Ok(value)
}

// A scan rather than a parse: it cannot overflow the stack, whatever the text.
fn nesting(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => {
                            bytes.next();
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

/// Takes any value with so many levels of arrays and objects at most, which bounds the stack too.
struct Checked {
    levels: usize,
}

impl Checked {
    fn inner<E: serde::de::Error>(&self) -> Result<usize, E> {
        self.levels.checked_sub(1).ok_or_else(|| E::custom("too many levels of nesting"))
    }
}

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let levels = self.inner()?;
        while seq.next_element_seed(Checked { levels })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let levels = self.inner()?;
        while map.next_key::<KeyText>()?.is_some() {
            map.next_value_seed(Checked { levels })?;
        }
        Ok(())
    }
}

// `IgnoredAny` would skip a key's escapes unchecked.
struct KeyText;

impl<'de> Deserialize<'de> for KeyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Checked { levels: 0 }).map(|()| KeyText)
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        self.same_value(other)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { self.0.serialize(serializer) } else { transcode::json_to(self, serializer) }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Ok(Json(Box::<RawValue>::deserialize(deserializer)?))
        } else {
            let text = transcode::to_json(deserializer)?;
            RawValue::from_string(text).map(Json).map_err(serde::de::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grammar_alone_lets_through_is_refused() {
        for text in ["\"\\ud800\"", "{\"\\udc00\":1}", "1e400", "-1e999", "[1,2", "", "nul", "\"a\u{1}\""] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
        for text in ["null", "18446744073709551615", "-9223372036854775808", "\"\\u0000\"", "1e308", "{\"\":[]}"] {
            assert_eq!(Json::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn nesting_counts_brackets_outside_strings_only() {
        let deep = |text: &str| Json::parse(text).unwrap().nesting();
        assert_eq!(deep("7"), 0);
        assert_eq!(deep("[]"), 1);
        assert_eq!(deep(r#"{"a":[{"[[[[\"]]":1}]}"#), 3);
    }

    #[test]
    fn a_million_brackets_are_an_error_and_no_overflow() {
        let text = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert!(Json::parse(&text).is_err());
        let stored = Json::from_stored(text).unwrap();
        assert_eq!(stored.nesting(), 1_000_000);
        assert!(stored.to_value().is_err());
    }

    #[test]
    fn no_name_of_a_member_means_anything_to_the_parser() {
        for inner in ["5", "\"1\"", "\"[\"", "{}"] {
            let text = format!(r#"{{"$serde_json::private::RawValue":{inner}}}"#);
            let json = Json::parse(&text).unwrap();
            assert!(json.to_value().unwrap().is_object(), "{text}");
            assert_eq!(Json::from_value(&json.to_value().unwrap()).as_str(), text);
            assert_ne!(json, Json::parse("1").unwrap());
        }
        let text = r#"[null,true,-1,18446744073709551615,0.1,1e300,"\u0000",[[]],{"":{"a":-0.0}}]"#;
        let json = Json::parse(text).unwrap();
        assert_eq!(json.to_value().unwrap(), serde_json::from_str::<Value>(text).unwrap());
        assert!(Json::read_value("1 2").is_err());
    }

    #[test]
    fn the_same_value_in_another_spelling() {
        let json = |text| Json::parse(text).unwrap();
        assert_eq!(json(r#"{"a":1,"b":[2]}"#), json(r#"{ "b" : [2], "a" : 1 }"#));
        assert_ne!(json("1"), json("2"));
    }
}
