//! Digests: of an op, which tells it from another under the same ref, and of what a caller may see.
//!
//! They are kept in files and in cursors, so their definition must not change. Nothing hangs on their
//! being hard to forge: a caller could only make its own op pass for its own earlier one, which changes nothing.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;
use syncstore::protocol::Filter;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128, xxh3_128_with_seed};

// Kinds of JSON values; a string and a number of the same bytes differ.
const NULL: u64 = 1;
const BOOL: u64 = 2;
const INTEGER: u64 = 3;
const DOUBLE: u64 = 4;
const STRING: u64 = 5;
const ARRAY: u64 = 6;
const OBJECT: u64 = 7;
const MEMBER: u64 = 8;
const OP: u64 = 9;
const RAW: u64 = 10;

fn pair(first: u128, second: u128, kind: u64) -> u128 {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&first.to_le_bytes());
    bytes[16..].copy_from_slice(&second.to_le_bytes());
    xxh3_128_with_seed(&bytes, kind)
}

/// The digest of a JSON text as a value: white space, the order of members and the spelling of strings and doubles
/// do not count. Fails, as `Json::check` does, for what grammar alone lets through: one pass does both.
///
/// The text must not be nested deeper than the stack allows; callers check the limit first.
pub fn json(text: &str) -> Result<u128, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.disable_recursion_limit();
    Value.deserialize(&mut parser)
}

/// The digest of bytes as they are.
pub fn raw(bytes: &[u8]) -> u128 {
    xxh3_128_with_seed(bytes, RAW)
}

/// The digest of the members of an op that name a resource and carry its payload.
pub fn members(members: &[Option<&str>]) -> u128 {
    members.iter().fold(0, |digest, member| match member {
        Some(text) => pair(digest, xxh3_128(text.as_bytes()), STRING),
        None => pair(digest, 0, NULL),
    })
}

/// The digest of an op: its kind, its item, which resource it is on, and its payload's digest.
pub fn op(kind: u8, collection: &str, key: &str, resource: u8, payload: u128) -> u128 {
    let item = pair(xxh3_128(collection.as_bytes()), xxh3_128(key.as_bytes()), OP);
    let what = u128::from(kind) | (u128::from(resource) << 8);
    pair(pair(item, payload, OP), what, OP)
}

/// The digest of what a caller sees: `None` everything, or the items with one of these tags.
pub fn tags(tags: Option<&[String]>) -> u64 {
    let Some(tags) = tags else { return 0 };
    let mut sorted: Vec<&String> = tags.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut text = Vec::new();
    for tag in sorted {
        text.extend_from_slice(&(tag.len() as u64).to_le_bytes());
        text.extend_from_slice(tag.as_bytes());
    }
    xxh3_64(&text)
}

/// The digest of a log as a caller with this digest of its tags reads it through a filter.
pub fn filtered(tags: u64, filter: &Filter) -> u64 {
    // The name before it: a list of tags is hashed too, and neither must pass for the other.
    filter.text().map_or(tags, |text| xxh3_64_with_seed(format!("collections={text}").as_bytes(), tags))
}

struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = u128;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u128, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = u128;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E: Error>(self) -> Result<u128, E> {
        Ok(xxh3_128_with_seed(&[], NULL))
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<u128, E> {
        Ok(xxh3_128_with_seed(&[u8::from(value)], BOOL))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<u128, E> {
        Ok(xxh3_128_with_seed(&i128::from(value).to_le_bytes(), INTEGER))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<u128, E> {
        Ok(xxh3_128_with_seed(&i128::from(value).to_le_bytes(), INTEGER))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<u128, E> {
        // Zero has two bit patterns and is one value.
        let value = if value == 0.0 { 0.0 } else { value };
        Ok(xxh3_128_with_seed(&value.to_bits().to_le_bytes(), DOUBLE))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<u128, E> {
        Ok(xxh3_128_with_seed(value.as_bytes(), STRING))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<u128, A::Error> {
        let mut digest = 0;
        while let Some(element) = seq.next_element_seed(Value)? {
            digest = pair(digest, element, ARRAY);
        }
        Ok(pair(digest, 0, ARRAY))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<u128, A::Error> {
        // A sum, so that the order of members does not count.
        let mut sum = 0_u128;
        while let Some(Key(key)) = map.next_key()? {
            sum = sum.wrapping_add(pair(key, map.next_value_seed(Value)?, MEMBER));
        }
        Ok(pair(sum, 0, OBJECT))
    }
}

struct Key(u128);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(Value).map(Key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_count_and_values_do() {
        let same = [
            (r#"{"a":1,"b":[true,null]}"#, r#"{ "b" : [ true , null ], "a" : 1 }"#),
            (r#""\u0041é""#, r#""A\u00e9""#),
            ("1e2", "100.0"),
            ("-0.0", "0.0"),
            ("-0", "0.0"),
            ("18446744073709551616", "18446744073709551616.0"),
        ];
        for (a, b) in same {
            assert_eq!(json(a).unwrap(), json(b).unwrap(), "{a} {b}");
        }
        let all = ["null", "false", "true", "0", "1", "-1", "1.0", "\"\"", "\"1\"", "[]", "{}", "[1]", "[[1]]"];
        let more = ["[1,2]", "[2,1]", r#"{"a":1}"#, r#"{"a":2}"#, r#"{"b":1}"#, r#"{"a":{"b":1}}"#, r#"["a",1]"#];
        let digests: std::collections::HashSet<u128> =
            all.iter().chain(&more).map(|text| json(text).unwrap()).collect();
        assert_eq!(digests.len(), all.len() + more.len());
    }

    #[test]
    fn what_no_format_can_carry_is_an_error() {
        for text in ["1e999", r#""\ud800""#, r#"{"\udc00":1}"#] {
            assert!(json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_order_of_tags_does_not_count() {
        let list = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        assert_eq!(tags(Some(&list(&["b", "a", "a"]))), tags(Some(&list(&["a", "b"]))));
        assert_ne!(tags(Some(&list(&["ab"]))), tags(Some(&list(&["a", "b"]))));
        assert_ne!(tags(Some(&[])), tags(None));
    }
}
