//! The names of things: refs, client ids, batch ids, seqs and cursors.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A text that should name something does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct NameError {
    text: String,
    expected: &'static str,
}

impl NameError {
    fn new(text: &str, expected: &'static str) -> NameError {
        // A hostile peer chooses the text: keep what reaches a log short.
        NameError { text: text.chars().take(64).collect(), expected }
    }
}

/// A position in a database's log; strictly increasing, the first is 1, and 0 is before all (section 1).
pub type Seq = u64;

/// The seq of the last accepted operation that changed an item; 0: the item is not known (section 1).
pub type Rev = u64;

// Always the hyphenated text, in MessagePack too: both formats carry the same structure (section 7).
macro_rules! uuid_name {
    ($name:ident, $expected:literal) => {
        impl $name {
            /// The name as 16 bytes in network order.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The name from 16 bytes in network order.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                $name(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Uuid::try_parse(text).map($name).map_err(|_| NameError::new(text, $expected))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

/// The reference ID of an operation: a UUIDv7 made by the client, the operation's idempotency key.
///
/// Refs made by one replica grow strictly: the first 60 bits that carry information (48 of time in
/// milliseconds, 12 of a counter) are the operation's place in the outbox, see [`Ref::order`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ref(Uuid);
uuid_name!(Ref, "a ref (a UUID)");

impl Ref {
    /// The highest value of [`Ref::order`].
    pub const MAX_ORDER: i64 = (1 << 60) - 1;

    /// The ref with that place and those 62 random bits (RFC 9562, section 5.7); higher bits of either are ignored.
    pub fn from_parts(order: i64, random: u64) -> Ref {
        let order = (order & Self::MAX_ORDER) as u64;
        let high = ((order >> 12) << 16) | 0x7000 | (order & 0xfff);
        let low = (0b10 << 62) | (random & ((1 << 62) - 1));
        Ref(Uuid::from_u64_pair(high, low))
    }

    /// The 60 bits by which refs of one replica grow: milliseconds since 1970 times 4096, plus a counter.
    pub fn order(&self) -> i64 {
        let (high, _) = self.0.as_u64_pair();
        (((high >> 16) << 12) | (high & 0xfff)) as i64
    }

    /// The 62 random bits.
    pub fn random(&self) -> u64 {
        self.0.as_u64_pair().1 & ((1 << 62) - 1)
    }

    /// The time within the ref, in milliseconds since 1970.
    pub fn unix_ms(&self) -> u64 {
        self.0.as_u64_pair().0 >> 16
    }

    /// Whether this is a UUIDv7 at all; a server refuses refs that are not.
    pub fn is_v7(&self) -> bool {
        self.0.get_version_num() == 7 && self.0.get_variant() == uuid::Variant::RFC4122
    }
}

/// A UUID that names one replica to the server (section 1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Uuid);
uuid_name!(ClientId, "a client id (a UUID)");

/// A UUID shared by the operations that stand or fall together (section 2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(Uuid);
uuid_name!(BatchId, "a batch id (a UUID)");

impl ClientId {
    /// A client id (UUIDv4) of 122 of these random bits.
    pub fn from_random(random: u128) -> ClientId {
        ClientId(uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid())
    }
}

impl BatchId {
    /// A batch id (UUIDv4) of 122 of these random bits.
    pub fn from_random(random: u128) -> BatchId {
        BatchId(uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid())
    }
}

/// A server's own mark of a place in its log; opaque to every client (section 1).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor from its text, as a server made it.
    pub fn new(text: impl Into<String>) -> Cursor {
        Cursor(text.into())
    }

    /// The text as the server made it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_is_a_uuid_v7_that_keeps_its_parts() {
        let order = (1_790_000_000_000_i64 << 12) | 0xabc;
        let made = Ref::from_parts(order, 0x3fff_ffff_0000_1234);
        assert!(made.is_v7());
        assert_eq!(made.order(), order);
        assert_eq!(made.unix_ms(), 1_790_000_000_000);
        assert_eq!(made.random(), 0x3fff_ffff_0000_1234);
        assert_eq!(made.to_string().parse::<Ref>().unwrap(), made);
        assert_eq!(&made.to_string()[14..15], "7");
    }

    #[test]
    fn refs_sort_as_their_order_does() {
        let earlier = Ref::from_parts(41, u64::MAX);
        let later = Ref::from_parts(42, 0);
        assert!(earlier < later && earlier.to_string() < later.to_string());
        assert_eq!(Ref::from_parts(Ref::MAX_ORDER, 7).order(), Ref::MAX_ORDER);
    }

    #[test]
    fn a_bad_name_is_told_shortened() {
        let error = "x".repeat(10_000).parse::<ClientId>().unwrap_err();
        assert!(error.to_string().len() < 200);
    }
}
