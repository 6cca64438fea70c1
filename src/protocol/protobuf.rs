//! JSON text to and from the messages of `proto/json.proto`.
//!
//! prost has the wire's varints, keys and types; the walk is written out, since a value nests deeper than the messages that
//! prost reads by itself, and must not nest deeper than a stack holds.

use super::transcode::JsonText;
use prost::encoding::{WireType, decode_varint, encode_key, encode_varint, encoded_len_varint};
use serde_json::Value;
use std::io::Write;

// The nesting limit of a value plus the message around it; far below what a stack holds.
const DEPTH: usize = 256;

// The fields of proto/json.proto.
const NULL: u32 = 1;
const BOOLEAN: u32 = 2;
const NATURAL: u32 = 3;
const NEGATIVE: u32 = 4;
const FRACTION: u32 = 5;
const TEXT: u32 = 6;
const ARRAY: u32 = 7;
const OBJECT: u32 = 8;
const ITEM: u32 = 1;
const MEMBER: u32 = 1;
const NAME: u32 = 1;
const VALUE: u32 = 2;

/// Bytes are not a message of proto/json.proto.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProtobufError(&'static str);

/// Reads a message as JSON text, up to the bound of `text`, beyond which it may fail or not.
pub(super) fn read(bytes: &[u8], text: &mut JsonText) -> Result<(), ProtobufError> {
    value(bytes, text, DEPTH)
}

enum Field<'a> {
    Varint(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

// Takes the next field of a message off `rest`.
fn field<'a>(rest: &mut &'a [u8]) -> Result<(u32, Field<'a>), ProtobufError> {
    const CUT: ProtobufError = ProtobufError("it ends too early");
    let varint = |rest: &mut &'a [u8]| decode_varint(rest).map_err(|_| CUT);
    let key = varint(rest)?;
    let tag = u32::try_from(key >> 3).map_err(|_| ProtobufError("a field has no such number"))?;
    let wire_type = WireType::try_from(key & 7).map_err(|_| ProtobufError("a field is of no such type"))?;
    let found = match wire_type {
        WireType::Varint => Field::Varint(varint(rest)?),
        WireType::SixtyFourBit => {
            let (number, after) = rest.split_first_chunk::<8>().ok_or(CUT)?;
            *rest = after;
            Field::Double(f64::from_le_bytes(*number))
        }
        WireType::LengthDelimited => {
            let length = usize::try_from(varint(rest)?).map_err(|_| CUT)?;
            let (bytes, after) = rest.split_at_checked(length).ok_or(CUT)?;
            *rest = after;
            Field::Bytes(bytes)
        }
        _ => return Err(ProtobufError("a field is of a type that no field has")),
    };
    Ok((tag, found))
}

fn value(mut rest: &[u8], text: &mut JsonText, depth: usize) -> Result<(), ProtobufError> {
    if rest.is_empty() {
        return Err(ProtobufError("a value has no kind"));
    }
    let (tag, found) = field(&mut rest)?;
    if !rest.is_empty() {
        return Err(ProtobufError("a value has more than one kind"));
    }
    match (tag, found) {
        (NULL, Field::Varint(0)) => text.push("null"),
        (BOOLEAN, Field::Varint(number)) => text.push(if number == 0 { "false" } else { "true" }),
        (NATURAL, Field::Varint(number)) => write(text, number),
        (NEGATIVE, Field::Varint(number)) => write(text, (number >> 1) as i64 ^ -((number & 1) as i64)),
        (FRACTION, Field::Double(number)) => {
            if !number.is_finite() {
                return Err(ProtobufError("a number that JSON cannot hold (NaN or infinite)"));
            }
            push_json(text, &number)?;
        }
        (TEXT, Field::Bytes(bytes)) => string(bytes, text)?,
        (ARRAY, Field::Bytes(bytes)) => list(bytes, text, ("[", "]"), ITEM, depth, value)?,
        (OBJECT, Field::Bytes(bytes)) => list(bytes, text, ("{", "}"), MEMBER, depth, member)?,
        _ => return Err(ProtobufError("a value is of no such kind")),
    }
    Ok(())
}

fn list(
    mut rest: &[u8],
    text: &mut JsonText,
    (open, close): (&str, &str),
    element: u32,
    depth: usize,
    read: fn(&[u8], &mut JsonText, usize) -> Result<(), ProtobufError>,
) -> Result<(), ProtobufError> {
    let depth = depth.checked_sub(1).ok_or(ProtobufError("more levels of nesting than are read"))?;
    text.push(open);
    let start = text.text.len();
    while !rest.is_empty() {
        let (tag, Field::Bytes(bytes)) = field(&mut rest)? else {
            return Err(ProtobufError("an element is no message"));
        };
        if tag != element {
            return Err(ProtobufError("an array or an object has no such field"));
        }
        if text.text.len() > start {
            text.push(",");
        }
        read(bytes, text, depth)?;
    }
    text.push(close);
    Ok(())
}

// Its fields may come in any order; an empty name is left out by who writes as proto3 asks.
fn member(mut rest: &[u8], text: &mut JsonText, depth: usize) -> Result<(), ProtobufError> {
    let (mut name, mut found) = (None, None);
    while !rest.is_empty() {
        let place = match field(&mut rest)? {
            (NAME, Field::Bytes(bytes)) => name.replace(bytes),
            (VALUE, Field::Bytes(bytes)) => found.replace(bytes),
            _ => return Err(ProtobufError("a member has no such field")),
        };
        if place.is_some() {
            return Err(ProtobufError("a member has a field twice"));
        }
    }
    string(name.unwrap_or_default(), text)?;
    text.push(":");
    value(found.ok_or(ProtobufError("a member has no value"))?, text, depth)
}

fn string(bytes: &[u8], text: &mut JsonText) -> Result<(), ProtobufError> {
    let string = std::str::from_utf8(bytes).map_err(|_| ProtobufError("a text is no UTF-8"))?;
    push_json(text, string)
}

fn push_json<T: serde::Serialize + ?Sized>(text: &mut JsonText, value: &T) -> Result<(), ProtobufError> {
    text.push_json(value).map_err(|_| ProtobufError("a value that JSON cannot hold"))
}

fn write(text: &mut JsonText, number: impl std::fmt::Display) {
    // What fails is noted in the text: it is too long.
    let _ = write!(text, "{number}");
}

/// Writes a value as a message.
pub(super) fn written(value: &Value) -> Vec<u8> {
    let mut lengths = Lengths::default();
    let length = lengths.measure(value);
    let mut bytes = Vec::with_capacity(length);
    lengths.write(value, &mut bytes);
    bytes
}

// The lengths of the messages within a message, in the order in which they are written: each is measured once, however deep it is.
#[derive(Default)]
struct Lengths {
    all: Vec<usize>,
    next: usize,
}

// Of a field whose number is below 16, with its key.
fn delimited(length: usize) -> usize {
    1 + encoded_len_varint(length as u64) + length
}

impl Lengths {
    fn measured(&mut self, measure: impl FnOnce(&mut Lengths) -> usize) -> usize {
        let at = self.all.len();
        self.all.push(0);
        let length = measure(self);
        self.all[at] = length;
        delimited(length)
    }

    fn measure(&mut self, value: &Value) -> usize {
        match value {
            Value::Null | Value::Bool(_) => 2,
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => 1 + encoded_len_varint(number),
                (_, Some(number)) => 1 + encoded_len_varint(zigzag(number)),
                _ => 9,
            },
            Value::String(text) => delimited(text.len()),
            Value::Array(items) => self
                .measured(|lengths| items.iter().map(|item| lengths.measured(|lengths| lengths.measure(item))).sum()),
            Value::Object(members) => self.measured(|lengths| {
                let member = |(name, value): (&String, &Value)| {
                    lengths
                        .measured(|lengths| delimited(name.len()) + lengths.measured(|lengths| lengths.measure(value)))
                };
                members.iter().map(member).sum()
            }),
        }
    }

    fn begin(&mut self, tag: u32, bytes: &mut Vec<u8>) {
        let length = self.all[self.next];
        self.next += 1;
        encode_key(tag, WireType::LengthDelimited, bytes);
        encode_varint(length as u64, bytes);
    }

    fn write(&mut self, value: &Value, bytes: &mut Vec<u8>) {
        match value {
            Value::Null => varint(NULL, 0, bytes),
            Value::Bool(value) => varint(BOOLEAN, u64::from(*value), bytes),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => varint(NATURAL, number, bytes),
                (_, Some(number)) => varint(NEGATIVE, zigzag(number), bytes),
                _ => {
                    encode_key(FRACTION, WireType::SixtyFourBit, bytes);
                    bytes.extend(number.as_f64().unwrap_or_default().to_le_bytes());
                }
            },
            Value::String(text) => string_field(TEXT, text, bytes),
            Value::Array(items) => {
                self.begin(ARRAY, bytes);
                for item in items {
                    self.begin(ITEM, bytes);
                    self.write(item, bytes);
                }
            }
            Value::Object(members) => {
                self.begin(OBJECT, bytes);
                for (name, value) in members {
                    self.begin(MEMBER, bytes);
                    string_field(NAME, name, bytes);
                    self.begin(VALUE, bytes);
                    self.write(value, bytes);
                }
            }
        }
    }
}

fn varint(tag: u32, number: u64, bytes: &mut Vec<u8>) {
    encode_key(tag, WireType::Varint, bytes);
    encode_varint(number, bytes);
}

fn string_field(tag: u32, text: &str, bytes: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, bytes);
    encode_varint(text.len() as u64, bytes);
    bytes.extend(text.as_bytes());
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    fn read(bytes: &[u8]) -> Result<String, ProtobufError> {
        let mut text = JsonText::new(usize::MAX);
        super::read(bytes, &mut text)?;
        Ok(text.text)
    }

    /// proto/json.proto as prost makes code of it: what every other implementation reads and writes.
    mod generated {
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct Json {
            #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
            pub kind: Option<Kind>,
        }
        #[derive(Clone, PartialEq, prost::Oneof)]
        pub enum Kind {
            #[prost(enumeration = "Null", tag = "1")]
            Null(i32),
            #[prost(bool, tag = "2")]
            Boolean(bool),
            #[prost(uint64, tag = "3")]
            Natural(u64),
            #[prost(sint64, tag = "4")]
            Negative(i64),
            #[prost(double, tag = "5")]
            Fraction(f64),
            #[prost(string, tag = "6")]
            Text(String),
            #[prost(message, tag = "7")]
            Array(Array),
            #[prost(message, tag = "8")]
            Object(Object),
        }
        #[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
        #[repr(i32)]
        pub enum Null {
            Null = 0,
        }
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct Array {
            #[prost(message, repeated, tag = "1")]
            pub items: Vec<Json>,
        }
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct Object {
            #[prost(message, repeated, tag = "1")]
            pub members: Vec<Member>,
        }
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct Member {
            #[prost(string, tag = "1")]
            pub name: String,
            #[prost(message, optional, tag = "2")]
            pub value: Option<Json>,
        }
    }

    fn generate(value: &Value) -> generated::Json {
        use generated::{Array, Json, Kind, Member, Object};
        let kind = match value {
            Value::Null => Kind::Null(0),
            Value::Bool(value) => Kind::Boolean(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Kind::Natural(number),
                (_, Some(number)) => Kind::Negative(number),
                _ => Kind::Fraction(number.as_f64().unwrap()),
            },
            Value::String(text) => Kind::Text(text.clone()),
            Value::Array(items) => Kind::Array(Array { items: items.iter().map(generate).collect() }),
            Value::Object(members) => {
                let member =
                    |(name, value): (&String, &Value)| Member { name: name.clone(), value: Some(generate(value)) };
                Kind::Object(Object { members: members.iter().map(member).collect() })
            }
        };
        Json { kind: Some(kind) }
    }

    const VALUES: &[&str] = &[
        "null",
        "[true,false]",
        "0",
        "18446744073709551615",
        "-9223372036854775808",
        "-1",
        "9007199254740993",
        "[0.1,-0.0,1.7976931348623157e308,5e-324,1.0]",
        r#""\u0000 \u0001 \" \\ / é 漢 😀""#,
        r#"{"":{},"a":[[],[null,true,false]],"z":-1.5,"long":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#,
    ];

    #[test]
    fn the_bytes_are_those_of_the_message_type() {
        for text in VALUES {
            let value: Value = serde_json::from_str(text).unwrap();
            let bytes = written(&value);
            assert_eq!(generated::Json::decode(&bytes[..]).unwrap(), generate(&value), "{text}");
            // Another writer leaves an empty name out.
            for bytes in [bytes, generate(&value).encode_to_vec()] {
                let back: Value = serde_json::from_str(&read(&bytes).unwrap()).unwrap();
                assert_eq!(back, value, "{text}");
            }
        }
    }

    #[test]
    fn the_fields_of_a_member_come_in_any_order() {
        // {"a": true}: value before name.
        let member = [0x12, 2, 0x10, 1, 0x0a, 1, b'a'];
        let object = [&[0x42, 9, 0x0a, 7][..], &member].concat();
        assert_eq!(read(&object).unwrap(), r#"{"a":true}"#);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bytes in [
            &[][..],                                                                   // no kind
            &[0x08],                                                                   // cut short
            &[0x08, 1],                                                                // another null
            &[0x10, 1, 0x10, 1],                                                       // two kinds
            &[0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], // a varint without end
            &[0x48, 1],                                                                // a field that there is not
            &[0x12, 0],                                                                // of another type
            &[0x15, 0, 0, 0, 0],                                                       // four bytes
            &[0x13],                                                                   // a group
            &[0x17],                                                                   // no type at all
            &[0x29, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f],                                     // NaN
            &[0x29, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f],                                     // infinity
            &[0x29, 0, 0],                                                             // a double cut short
            &[0x32, 1, 0xff],                                                          // no UTF-8
            &[0x32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],       // longer than any memory
            &[0x3a, 2, 0x12, 0],                                                       // an array's other field
            &[0x3a, 2, 0x08, 0],                                                       // an item that is no message
            &[0x3a, 2, 0x0a, 0],                                                       // an item without a kind
            &[0x42, 5, 0x0a, 3, 0x0a, 1, b'a'],                                        // a member without a value
            &[0x42, 7, 0x0a, 5, 0x12, 2, 0x10, 1, 0x18],                               // and one with another field
        ] {
            assert!(read(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn nesting_is_bounded_and_overflows_no_stack() {
        let nested = |levels: usize| {
            let text = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
            let mut parser = serde_json::Deserializer::from_str(&text);
            parser.disable_recursion_limit();
            let value: Value = serde::Deserialize::deserialize(&mut parser).unwrap();
            read(&written(&value)).map(|back| assert_eq!(back, text))
        };
        assert!(nested(DEPTH).is_ok());
        assert!(nested(DEPTH + 1).is_err());
        // A hundred thousand levels, made from within.
        let mut bytes = vec![0x3a, 0];
        for _ in 0..100_000 {
            let item = [&[0x0a][..], &varint_of(bytes.len()), &bytes].concat();
            bytes = [&[0x3a][..], &varint_of(item.len()), &item].concat();
            if bytes.len() > 1 << 14 {
                break;
            }
        }
        assert!(read(&bytes).is_err());
    }

    fn varint_of(length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_varint(length as u64, &mut bytes);
        bytes
    }
}
