//! JSON text to and from any other self-describing format.
//!
//! The other format must be able to say all that JSON can and is held to saying no more: map keys are
//! strings, numbers are finite, and there are no binary or extension types (section 7).

use super::json::Json;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{self, Serialize, Serializer};
use std::{fmt, io};

/// Writes the JSON value of `json` into `serializer`.
///
/// Through a tree, because lengths come first in MessagePack and JSON tells them last.
pub(super) fn json_to<S: Serializer>(json: &Json, serializer: S) -> Result<S::Ok, S::Error> {
    json.to_value().map_err(ser::Error::custom)?.serialize(serializer)
}

/// Reads one value from `deserializer` as JSON text.
pub(super) fn to_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let mut text = JsonText::new(usize::MAX);
    to_json_within(deserializer, &mut text)?;
    Ok(text.text)
}

/// The same up to the bound of `text`, beyond which it may fail or not.
pub(super) fn to_json_within<'de, D: Deserializer<'de>>(deserializer: D, text: &mut JsonText) -> Result<(), D::Error> {
    deserializer.deserialize_any(ToText(text))
}

/// JSON text in the making, which takes no more than so many bytes.
pub(super) struct JsonText {
    pub text: String,
    most: usize,
    /// It would have had more than it may, and lacks what came then.
    pub beyond: bool,
}

impl JsonText {
    pub fn new(most: usize) -> JsonText {
        JsonText { text: String::new(), most, beyond: false }
    }

    pub fn push(&mut self, text: &str) {
        if text.len() > self.most.saturating_sub(self.text.len()) {
            self.beyond = true;
        } else {
            self.text.push_str(text);
        }
    }

    /// Fails where that is too long, or nothing that JSON can hold.
    pub fn push_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), serde_json::Error> {
        serde_json::to_writer(self, value)
    }
}

impl io::Write for JsonText {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(std::str::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?);
        if self.beyond { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct ToText<'a>(&'a mut JsonText);

impl<'de> DeserializeSeed<'de> for ToText<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn push_json<T: Serialize, E: de::Error>(text: &mut JsonText, value: T) -> Result<(), E> {
    text.push_json(&value).map_err(E::custom)
}

impl<'de> Visitor<'de> for ToText<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can hold")
    }
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.0.push("null");
        Ok(())
    }
    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.visit_unit()
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        push_json(self.0, value)
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        push_json(self.0, value)
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        push_json(self.0, value)
    }
    fn visit_f32<E: de::Error>(self, value: f32) -> Result<(), E> {
        self.visit_f64(f64::from(value))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        if !value.is_finite() {
            return Err(E::custom("a number that JSON cannot hold (NaN or infinite)"));
        }
        push_json(self.0, value)
    }
    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        push_json(self.0, value)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.push("[");
        let start = self.0.text.len();
        while seq.next_element_seed(ToText(&mut *self.0))?.is_some() {
            self.0.push(",");
        }
        if self.0.text.len() > start {
            self.0.text.pop();
        }
        self.0.push("]");
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.push("{");
        let start = self.0.text.len();
        while let Some(key) = map.next_key::<String>()? {
            push_json::<_, A::Error>(self.0, key)?;
            self.0.push(":");
            map.next_value_seed(ToText(&mut *self.0))?;
            self.0.push(",");
        }
        if self.0.text.len() > start {
            self.0.text.pop();
        }
        self.0.push("}");
        Ok(())
    }
}
