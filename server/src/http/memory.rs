//! The memory that bodies have, and the memory that answers have: while they are encoded, and until their clients have
//! taken them.

use super::refusal::Refusal;
use bytes::Bytes;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use syncstore::protocol::Format;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

// Smaller answers are not counted: as many of them as there are connections are no burden, and that to a write, which may
// not be repeated, is not refused after it was done. (A push is repeated under its refs.)
const SMALL: usize = 64 << 10;

// Every format but JSON is written from a tree of the message. What a node of it takes besides its text, at the most: an
// object with its first members, a further member or element, and a string.
const OBJECT: usize = 640;
const MEMBER: usize = 112;
const STRING: usize = 32;

/// So many bytes for many, with a permit for each.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    free: Arc<Semaphore>,
    all: usize,
}

/// What one answer has of the memory for answers.
#[derive(Debug)]
pub(crate) struct Share {
    permits: Option<OwnedSemaphorePermit>,
    all: usize,
}

impl Memory {
    pub(crate) fn new(bytes: usize) -> Memory {
        let all = bytes.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        Memory { free: Arc::new(Semaphore::new(all)), all }
    }

    /// That many bytes, unless others have them.
    pub(crate) fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        u32::try_from(bytes).ok().and_then(|bytes| self.free.clone().try_acquire_many_owned(bytes).ok())
    }

    /// Whether more than half of it is taken: who has some is to be quicker then.
    pub(crate) fn is_scarce(&self) -> bool {
        self.free.available_permits() < self.all / 2
    }

    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.free.available_permits()
    }
}

/// The memory for answers.
#[derive(Clone, Debug)]
pub(crate) struct AnswerMemory(pub(crate) Memory);

impl AnswerMemory {
    pub(crate) fn new(bytes: usize) -> AnswerMemory {
        AnswerMemory(Memory::new(bytes))
    }

    /// The share that encoding a message takes; 503 when others have too much. One that needs more than there is takes it
    /// all, so that no answer is too large.
    pub(crate) fn share<T: Serialize>(&self, format: Format, gzip: bool, message: &T) -> Result<Share, Refusal> {
        let mut weight = Weight { is_tree: format != Format::Json, text: 0, tree: 0 };
        serde_json::to_writer(&mut weight, message).map_err(|error| {
            tracing::error!(%error, "an answer cannot be encoded");
            Refusal::internal()
        })?;
        // The text, what it becomes, and what that is compressed to.
        let mut bytes = weight.text * if gzip { 2 } else { 1 };
        if weight.is_tree {
            bytes += weight.text + weight.tree;
        }
        if bytes <= SMALL {
            return Ok(Share { permits: None, all: self.0.all });
        }
        let permits = self
            .0
            .take(bytes.min(self.0.all))
            .ok_or_else(|| Refusal::overloaded("too many answers are under way", Duration::from_secs(1)))?;
        Ok(Share { permits: Some(permits), all: self.0.all })
    }
}

impl Share {
    /// The encoded answer, whose own size is held until the last of it was written or dropped.
    pub(crate) fn hold(self, body: Vec<u8>) -> Bytes {
        let Some(mut permits) = self.permits else { return Bytes::from(body) };
        let beyond = permits.num_permits().saturating_sub(body.len().min(self.all));
        drop(permits.split(beyond));
        Bytes::from_owner(Held { body, _permits: permits })
    }
}

struct Held {
    body: Vec<u8>,
    _permits: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// Takes a message as JSON text and keeps its size alone.
struct Weight {
    // Whether it is to be a tree, whose size is then kept too.
    is_tree: bool,
    text: usize,
    tree: usize,
}

impl Write for Weight {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text += bytes.len();
        if self.is_tree {
            // Within strings these are counted too, which errs to the safe side.
            let node = |byte: &u8| match byte {
                b'{' => OBJECT,
                b'[' | b',' => MEMBER,
                b'"' => STRING / 2,
                _ => 0,
            };
            self.tree += bytes.len() + bytes.iter().map(node).sum::<usize>();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    fn text(bytes: usize) -> String {
        "x".repeat(bytes - 2)
    }

    #[test]
    fn memory_is_scarce_from_the_first_byte_beyond_its_half() {
        let memory = Memory::new(100);
        let half = memory.take(50);
        assert!(half.is_some() && !memory.is_scarce());
        let one_more = memory.take(1);
        assert!(one_more.is_some() && memory.is_scarce());
    }

    #[test]
    fn an_answer_has_its_size_until_it_is_dropped() {
        let memory = AnswerMemory::new(500_000);
        let message = text(200_000);
        let share = memory.share(Format::Json, true, &message).unwrap();
        assert_eq!(memory.0.free(), 100_000, "the text and what it is compressed to");
        assert_eq!(memory.share(Format::Json, false, &message).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        let body = share.hold(vec![0; 70_000]);
        assert_eq!(memory.0.free(), 430_000);
        let part = body.slice(69_999..);
        drop(body);
        assert_eq!(memory.0.free(), 430_000, "a part of it is not written yet");
        drop(part);
        assert_eq!(memory.0.free(), 500_000);
    }

    #[test]
    fn small_answers_are_not_counted_and_none_is_too_large() {
        let memory = AnswerMemory::new(100_000);
        let large = memory.share(Format::Json, false, &text(300_000)).unwrap().hold(vec![0; 300_000]);
        assert_eq!(memory.0.free(), 0);
        let small = memory.share(Format::Json, false, &text(SMALL)).unwrap().hold(vec![0; SMALL]);
        assert_eq!((large.len(), small.len()), (300_000, SMALL));
        drop(large);
        assert_eq!(memory.0.free(), 100_000);
    }

    #[test]
    fn the_tree_behind_a_format_that_is_not_json_counts() {
        let memory = AnswerMemory::new(10 << 20);
        let message = vec![std::collections::BTreeMap::from([("", 0)]); 10_000];
        drop(memory.share(Format::Json, false, &message).unwrap().hold(Vec::new()));
        let before = memory.0.free();
        let share = memory.share(Format::MessagePack, false, &message).unwrap();
        assert!(before - memory.0.free() >= 10_000 * OBJECT);
        drop(share);
        assert_eq!(memory.0.free(), before);
    }
}
