//! Values between JSON, MessagePack and protobuf.

use crate::source::Source;
use syncstore::protocol::{Format, Json};

/// The format of an input's messages, by its first byte.
pub fn format_of(mode: u8) -> Format {
    match mode {
        mode if mode & 8 != 0 => Format::Protobuf,
        mode if mode & 2 != 0 => Format::MessagePack,
        _ => Format::Json,
    }
}

/// Reads a value in one format and carries it through the others and back.
pub fn transcode(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let read = match mode % 3 {
        _ if mode & 0x80 != 0 => Json::decode(Format::Protobuf, rest).ok(),
        0 => Json::decode(Format::MessagePack, rest).ok(),
        1 => Json::decode(Format::Json, rest).ok(),
        _ => Json::parse(&Source::new(rest).json_text()).ok(),
    };
    let Some(json) = read else { return };
    let value = json.to_value().expect("what was read in full parses");
    let nested_too_deep = json.nesting() > 250;
    for format in [Format::Json, Format::MessagePack, Format::Protobuf] {
        let bytes = format.encode(&json).expect("what was read can be written");
        let back = match Json::decode(format, &bytes) {
            Ok(back) => back,
            Err(error) => {
                assert!(nested_too_deep, "{format:?} does not read what it wrote: {error}");
                continue;
            }
        };
        let again = back.to_value().expect("what was read in full parses");
        assert_eq!(again, value, "{format:?}");
        // Equal values of another type (1 and 1.0) are told apart by their text.
        assert_eq!(again.to_string(), value.to_string(), "{format:?}");
        assert!(json.same_value(&back));
        if format == Format::Json {
            assert_eq!(back.as_str(), json.as_str(), "JSON passes through byte for byte");
        }
    }
    let stored = Json::from_stored(json.as_str().to_owned()).expect("what was checked can be stored");
    assert_eq!(stored.nesting(), json.nesting());
}
