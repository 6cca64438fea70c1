//! The formats of section 7: the same structure in JSON, in MessagePack and, with the feature `protobuf`, in Protocol
//! Buffers.

use super::json::Json;
#[cfg(feature = "protobuf")]
use super::protobuf;
use super::transcode::{self, JsonText};
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};
use std::marker::PhantomData;

/// A message's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `application/json`: values pass through as they were written.
    Json,
    /// `application/msgpack`: maps with string keys, the same structure.
    MessagePack,
    /// `application/protobuf+json`: the messages of `proto/json.proto`.
    #[cfg(feature = "protobuf")]
    Protobuf,
}

/// A message could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Bad JSON, or not the message's structure.
    #[error("not a valid JSON message: {0}")]
    Json(#[from] serde_json::Error),
    /// Bad MessagePack, or what JSON cannot say.
    #[error("not a valid MessagePack message: {0}")]
    MessagePackDecode(#[from] rmp_serde::decode::Error),
    /// A message that MessagePack cannot carry.
    #[error("cannot be written as MessagePack: {0}")]
    MessagePackEncode(#[from] rmp_serde::encode::Error),
    /// Bad Protocol Buffers, or another message.
    #[cfg(feature = "protobuf")]
    #[error("not a valid Protocol Buffers message: {0}")]
    Protobuf(#[from] super::ProtobufError),
    /// Good MessagePack or Protocol Buffers, but not the message's structure. Lines and columns are those of the JSON text that it
    /// stands for.
    #[error("not the message's structure: {0}")]
    Structure(#[source] serde_json::Error),
    /// A value within the message that only JSON can carry.
    #[error("cannot be written but as JSON: {0}")]
    Value(#[from] super::JsonError),
    /// Bytes follow the message.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
}

// The nesting limit of a value plus the message around it; far below what a stack holds.
const MESSAGE_PACK_DEPTH: usize = 256;

impl Format {
    /// Every format of this build, the one to prefer first.
    pub const ALL: &[Format] = &[
        Format::Json,
        Format::MessagePack,
        #[cfg(feature = "protobuf")]
        Format::Protobuf,
    ];

    /// The media type of the format.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::MessagePack => "application/msgpack",
            #[cfg(feature = "protobuf")]
            Format::Protobuf => "application/protobuf+json",
        }
    }

    /// The format of a `Content-Type` header; parameters do not count.
    pub fn of_content_type(header: &str) -> Option<Format> {
        let media_type = header.split(';').next().unwrap_or_default().trim();
        Format::ALL.iter().copied().find(|format| media_type.eq_ignore_ascii_case(format.content_type()))
    }

    /// Writes a message.
    pub fn encode<T: Serialize>(self, message: &T) -> Result<Vec<u8>, CodecError> {
        let text = serde_json::to_string(message)?;
        match self {
            Format::Json => Ok(text.into_bytes()),
            Format::MessagePack => Ok(rmp_serde::to_vec_named(&Json::read_value(&text)?)?),
            #[cfg(feature = "protobuf")]
            Format::Protobuf => Ok(protobuf::written(&Json::read_value(&text)?)),
        }
    }

    /// Reads a message; the whole of `bytes` must be it.
    ///
    /// Every format is read as JSON text first, so that each message has one reader: with one for each format they would be
    /// a twentieth of the C library.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, CodecError> {
        self.decode_with(PhantomData, bytes)
    }

    /// Reads a message by `seed`, which may end where it has read enough to know that it does not want the rest.
    pub fn decode_with<T>(
        self,
        seed: impl for<'de> DeserializeSeed<'de, Value = T>,
        bytes: &[u8],
    ) -> Result<T, CodecError> {
        if self == Format::Json {
            return Ok(json_with(seed, utf8(bytes)?)?);
        }
        let mut text = JsonText::new(usize::MAX);
        self.to_json(bytes, &mut text)?;
        json_with(seed, &text.text).map_err(CodecError::Structure)
    }

    /// The same unless the message has more than `most` bytes as JSON text (`None`), which other formats may say in a sixth
    /// of them. No more of it is made then.
    pub fn decode_within<T>(
        self,
        seed: impl for<'de> DeserializeSeed<'de, Value = T>,
        bytes: &[u8],
        most: usize,
    ) -> Result<Option<T>, CodecError> {
        if self == Format::Json {
            return if bytes.len() > most { Ok(None) } else { self.decode_with(seed, bytes).map(Some) };
        }
        let mut text = JsonText::new(most);
        let made = self.to_json(bytes, &mut text);
        if text.beyond {
            return Ok(None);
        }
        made?;
        json_with(seed, &text.text).map(Some).map_err(CodecError::Structure)
    }

    fn to_json(self, bytes: &[u8], text: &mut JsonText) -> Result<(), CodecError> {
        match self {
            Format::Json => text.push(utf8(bytes)?),
            Format::MessagePack => message_pack_text(bytes, text)?,
            #[cfg(feature = "protobuf")]
            Format::Protobuf => protobuf::read(bytes, text)?,
        }
        Ok(())
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, CodecError> {
    Ok(std::str::from_utf8(bytes).map_err(<serde_json::Error as serde::de::Error>::custom)?)
}

fn json_with<'de, S: DeserializeSeed<'de>>(seed: S, text: &'de str) -> Result<S::Value, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let message = seed.deserialize(&mut parser)?;
    parser.end()?;
    Ok(message)
}

fn message_pack_text(bytes: &[u8], text: &mut JsonText) -> Result<(), CodecError> {
    let mut parser = rmp_serde::Deserializer::new(bytes);
    parser.set_max_depth(MESSAGE_PACK_DEPTH);
    transcode::to_json_within(&mut parser, text)?;
    match parser.get_ref().len() {
        0 => Ok(()),
        rest => Err(CodecError::Trailing(rest)),
    }
}

/// A JSON value read from a message of its own.
impl Json {
    /// Reads a value in `format`.
    pub fn decode(format: Format, bytes: &[u8]) -> Result<Json, CodecError> {
        let json: Json = format.decode(bytes)?;
        json.check().map_err(|error| CodecError::Json(serde::de::Error::custom(error)))?;
        Ok(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ClientId, Op, OpKind, PushRequest, Ref};

    const VALUES: &[&str] = &[
        "null",
        "18446744073709551615",
        "-9223372036854775808",
        "9007199254740993",
        "0.1",
        "1.7976931348623157e308",
        "5e-324",
        r#""\u0000 \u0001 \" \\ / é 漢 😀 􏿽""#,
        r#"{"":{},"a":[[],[null,true,false]],"z":-1.5}"#,
        r#"{"$serde_json::private::RawValue":5}"#,
        r#"[{"$serde_json::private::RawValue":"1"}]"#,
    ];

    fn request(value: &str) -> PushRequest {
        PushRequest {
            client: ClientId::from_random(7),
            cursor: None,
            ops: vec![Op {
                value: Some(Json::parse(value).unwrap()),
                base: Some(0),
                ..Op::new(Ref::from_parts(1, 1), OpKind::Set, "c", "k\0")
            }],
        }
    }

    #[test]
    fn every_value_survives_every_format() {
        for &format in Format::ALL {
            for text in VALUES {
                let bytes = format.encode(&request(text)).unwrap();
                let back: PushRequest = format.decode(&bytes).unwrap();
                let value = back.ops[0].value.as_ref().unwrap();
                assert_eq!(value.to_value().unwrap(), Json::parse(text).unwrap().to_value().unwrap(), "{text}");
                assert_eq!(back.ops[0].key, "k\0");
            }
        }
    }

    #[test]
    fn json_passes_through_byte_for_byte() {
        let text = r#"{ "b" : 1.0, "a":1e2, "b2":  "\u0041" }"#;
        let bytes = Format::Json.encode(&request(text)).unwrap();
        let back: PushRequest = Format::Json.decode(&bytes).unwrap();
        assert_eq!(back.ops[0].value.as_ref().unwrap().as_str(), text);
    }

    #[test]
    fn an_absent_value_is_not_null() {
        let op = |text: &str| serde_json::from_str::<Op>(text).unwrap();
        let head = r#"{"ref":"01890a5d-ac96-774b-bcce-b302099a8057","op":"set","collection":"c","key":"k""#;
        assert!(op(&format!("{head}}}")).change().is_err());
        assert_eq!(op(&format!("{head},\"value\":null}}")).value.unwrap().as_str(), "null");
        assert!(op(&format!("{head},\"value\":1,\"tag\":\"t\"}}")).change().is_err());
        assert!(op(&format!("{head},\"value\":1,\"patch\":[]}}")).change().is_err());
    }

    #[test]
    fn no_more_text_is_made_than_a_message_may_have() {
        let within = |format: Format, message: &Json, most: usize| {
            let bytes = format.encode(message).unwrap();
            format.decode_within(PhantomData::<Json>, &bytes, most).unwrap().map(Json::into_string)
        };
        let long = format!(r#"["{}"]"#, r"\u0001".repeat(100_000));
        for text in [long.as_str(), "[null,true,[12345,-7,1.5],{\"a\":{}}]"] {
            for &format in Format::ALL {
                let message = Json::parse(text).unwrap();
                assert!(within(format, &message, text.len()).as_deref() == Some(text), "{format:?}");
                for most in [0, 1, text.len() / 2, text.len() - 1] {
                    assert!(within(format, &message, most).is_none(), "{format:?} {most}");
                }
            }
        }
        let bytes = Format::MessagePack.encode(&Json::parse(&long).unwrap()).unwrap();
        let mut made = JsonText::new(1_000);
        assert!(message_pack_text(&bytes, &mut made).is_err(), "before the end of the string");
        assert!(made.beyond && (900..=1_000).contains(&made.text.len()));
    }

    #[test]
    fn message_pack_that_json_cannot_say_is_refused() {
        let cases: [&[u8]; 6] = [
            &[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], // NaN
            &[0xca, 0x7f, 0x80, 0, 0],             // infinity
            &[0xc4, 1, 0],                         // binary
            &[0xd4, 1, 0],                         // extension
            &[0x81, 0x01, 0x01],                   // a number as a key
            &[0x93, 1, 2],                         // cut short
        ];
        for bytes in cases {
            assert!(Json::decode(Format::MessagePack, bytes).is_err(), "{bytes:x?}");
        }
        assert!(Json::decode(Format::MessagePack, &[1, 2]).is_err(), "trailing bytes");
        assert!(Json::decode(Format::MessagePack, &[0x91; 100_000]).is_err(), "nested without end");
        // A length that no memory holds must not be reserved.
        assert!(Json::decode(Format::MessagePack, &[0xdd, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }

    #[test]
    fn what_is_not_the_message_is_told_from_what_is_not_the_format() {
        for &format in Format::ALL {
            let other = format.encode(&serde_json::json!({"client": 7})).unwrap();
            match format.decode::<PushRequest>(&other) {
                Err(CodecError::Json(error)) if format == Format::Json => assert!(error.is_data(), "{error}"),
                Err(CodecError::Structure(error)) if format != Format::Json => assert!(error.is_data(), "{error}"),
                other => panic!("{format:?}: {other:?}"),
            }
        }
        assert!(matches!(Format::Json.decode::<Json>(b"\"\xff\""), Err(CodecError::Json(_))), "no UTF-8");
        assert!(matches!(Format::MessagePack.decode::<Json>(&[0xc1]), Err(CodecError::MessagePackDecode(_))));
        assert!(
            matches!(Format::MessagePack.decode::<Json>(&[0xa1, 0xff]), Err(CodecError::MessagePackDecode(_))),
            "no UTF-8"
        );
    }

    #[test]
    fn content_types() {
        assert_eq!(Format::of_content_type("Application/JSON; charset=utf-8"), Some(Format::Json));
        assert_eq!(Format::of_content_type("application/msgpack"), Some(Format::MessagePack));
        assert_eq!(Format::of_content_type("text/html"), None);
    }
}
