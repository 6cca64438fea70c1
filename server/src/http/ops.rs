//! Messages with ops: read no further than to the first op too many, whose memory nobody has counted.

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use syncstore::protocol::{BatchRequest, ClientId, CodecError, Cursor, DataOp, Format, Op, PushRequest};

/// A message with a sequence of ops, member by member.
pub(crate) trait WithOps: Sized {
    /// One of its ops.
    type Op: DeserializeOwned;
    /// Its other members, as far as they have come.
    type Rest: Default;

    /// What it is to who is told that it has too many.
    const NAME: &'static str;

    /// Reads a member other than the ops; `false`, and nothing is read: it has no such member.
    fn member<'de, A: MapAccess<'de>>(rest: &mut Self::Rest, name: &str, map: &mut A) -> Result<bool, A::Error>;
    /// The message; else the member that it lacks.
    fn whole(rest: Self::Rest, ops: Vec<Self::Op>) -> Result<Self, &'static str>;
}

impl WithOps for BatchRequest {
    type Op = DataOp;
    type Rest = ();

    const NAME: &'static str = "batch";

    fn member<'de, A: MapAccess<'de>>(_: &mut (), _: &str, _: &mut A) -> Result<bool, A::Error> {
        Ok(false)
    }

    fn whole(_: (), ops: Vec<DataOp>) -> Result<BatchRequest, &'static str> {
        Ok(BatchRequest { ops })
    }
}

impl WithOps for PushRequest {
    type Op = Op;
    type Rest = (Option<ClientId>, Option<Option<Cursor>>);

    const NAME: &'static str = "push";

    fn member<'de, A: MapAccess<'de>>(rest: &mut Self::Rest, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "client" => once("client", &mut rest.0, map.next_value()?)?,
            "cursor" => once("cursor", &mut rest.1, map.next_value()?)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn whole((client, cursor): Self::Rest, ops: Vec<Op>) -> Result<PushRequest, &'static str> {
        Ok(PushRequest { client: client.ok_or("client")?, cursor: cursor.flatten(), ops })
    }
}

fn once<T, E: Error>(name: &'static str, place: &mut Option<T>, value: T) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
}

/// Why a message was not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It has more ops than it may; the rest was not looked at.
    TooMany,
    /// As JSON it has more bytes than it may.
    TooLong,
    /// It is no such message.
    Codec(CodecError),
}

/// Reads a message with at most `most` ops, which as JSON has at most `longest` bytes.
pub(crate) fn read<M: WithOps>(format: Format, bytes: &[u8], most: usize, longest: usize) -> Result<M, ReadError> {
    let beyond = Cell::new(false);
    let message = Message { most, beyond: &beyond, of: PhantomData::<M> };
    match format.decode_within(message, bytes, longest) {
        Ok(read) => read.ok_or(ReadError::TooLong),
        Err(_) if beyond.get() => Err(ReadError::TooMany),
        Err(error) => Err(ReadError::Codec(error)),
    }
}

struct Message<'a, M> {
    most: usize,
    // Set where reading was ended because of the number of ops.
    beyond: &'a Cell<bool>,
    of: PhantomData<M>,
}

impl<'de, M: WithOps> DeserializeSeed<'de> for Message<'_, M> {
    type Value = M;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<M, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, M: WithOps> Visitor<'de> for Message<'_, M> {
    type Value = M;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {}", M::NAME)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<M, A::Error> {
        let (mut rest, mut ops) = (M::Rest::default(), None);
        while let Some(name) = map.next_key::<String>()? {
            if name == "ops" {
                let all = Ops { most: self.most, beyond: self.beyond, of: PhantomData::<M::Op> };
                once("ops", &mut ops, map.next_value_seed(all)?)?;
            } else if !M::member(&mut rest, &name, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        let ops = ops.ok_or_else(|| A::Error::missing_field("ops"))?;
        M::whole(rest, ops).map_err(A::Error::missing_field)
    }
}

struct Ops<'a, O> {
    most: usize,
    beyond: &'a Cell<bool>,
    of: PhantomData<O>,
}

impl<'de, O: DeserializeOwned> DeserializeSeed<'de> for Ops<'_, O> {
    type Value = Vec<O>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<O>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, O: DeserializeOwned> Visitor<'de> for Ops<'_, O> {
    type Value = Vec<O>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of operations")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<O>, A::Error> {
        let mut ops = Vec::new();
        while ops.len() < self.most {
            let Some(op) = seq.next_element()? else { return Ok(ops) };
            ops.push(op);
        }
        match seq.next_element::<IgnoredAny>()? {
            None => Ok(ops),
            Some(_) => {
                self.beyond.set(true);
                Err(A::Error::custom("there are too many operations"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn encoded(message: &Value) -> impl Iterator<Item = (Format, Vec<u8>)> {
        Format::ALL.iter().map(|format| (*format, format.encode(message).unwrap()))
    }

    fn op(key: u32) -> Value {
        json!({"op": "set", "collection": "c", "key": key.to_string(), "value": 1})
    }

    const CLIENT: &str = "7d3c1a52-9f0b-4e6d-8a11-0c5e2b7f9d34";

    #[test]
    fn what_comes_after_the_first_op_too_many_is_not_read() {
        // What would make it malformed, if it were.
        let ops = [op(1), op(2), op(3), json!(5)];
        for (format, bytes) in encoded(&json!({"ops": ops, "ops ": 1})) {
            for most in 0..=2 {
                let found = read::<BatchRequest>(format, &bytes, most, usize::MAX);
                assert!(matches!(found, Err(ReadError::TooMany)), "{most} {format:?} {found:?}");
            }
            for most in 3..=5 {
                let found = read::<BatchRequest>(format, &bytes, most, usize::MAX);
                // The fourth is counted, or read.
                assert_eq!(matches!(found, Err(ReadError::TooMany)), most == 3, "{most} {format:?} {found:?}");
                assert!(found.is_err());
            }
        }
    }

    #[test]
    fn as_many_as_there_may_be_are_read_as_without_a_bound() {
        let mut pushed = op(1);
        pushed["ref"] = json!("019aa0b2-7a10-7000-8f3e-5b1c2a9d4e01");
        let message = json!({"later": [{}], "ops": [pushed, pushed], "client": CLIENT, "cursor": "x"});
        for (format, bytes) in encoded(&message) {
            let push = read::<PushRequest>(format, &bytes, 2, usize::MAX).unwrap();
            let whole: PushRequest = format.decode(&bytes).unwrap();
            assert_eq!(serde_json::to_value(&push).unwrap(), serde_json::to_value(&whole).unwrap());
            assert_eq!((push.ops.len(), push.cursor.is_some()), (2, true));
            assert!(matches!(read::<PushRequest>(format, &bytes, 1, usize::MAX), Err(ReadError::TooMany)));
        }
        for rest in ["", r#","cursor":null"#] {
            let text = format!(r#"{{"client":"{CLIENT}","ops":[]{rest}}}"#);
            assert!(read::<PushRequest>(Format::Json, text.as_bytes(), 0, usize::MAX).unwrap().cursor.is_none());
        }
    }

    #[test]
    fn what_is_no_such_message_is_none_as_without_a_bound() {
        for text in [
            "{}".to_owned(),
            "[]".to_owned(),
            r#"{"ops":[]}"#.to_owned(),
            format!(r#"{{"client":"{CLIENT}"}}"#),
            format!(r#"{{"client":"{CLIENT}","ops":null}}"#),
            format!(r#"{{"client":"{CLIENT}","ops":{{}}}}"#),
            format!(r#"{{"client":"{CLIENT}","ops":[1]}}"#),
            format!(r#"{{"client":"{CLIENT}","ops":[],"ops":[]}}"#),
            format!(r#"{{"client":"{CLIENT}","ops":[],"client":"{CLIENT}"}}"#),
            format!(r#"{{"client":"{CLIENT}","ops":[],"cursor":7}}"#),
            format!(r#"{{"client":"{CLIENT}","ops":[]}} 1"#),
            format!(r#"{{"client":"{CLIENT}","ops":["#),
        ] {
            assert!(Format::Json.decode::<PushRequest>(text.as_bytes()).is_err(), "{text}");
            let found = read::<PushRequest>(Format::Json, text.as_bytes(), 9, usize::MAX);
            assert!(matches!(found, Err(ReadError::Codec(_))), "{text} {found:?}");
        }
    }
}
